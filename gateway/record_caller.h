/* SPDX-License-Identifier: MIT */
/*
 * The records of the remote protocol as a caller has them: requests written, responses read.
 * The other side's view of the same is record.h.
 *
 * Pure. chapi-remote(7), "REQUEST" and "RESPONSE".
 */
#ifndef CHAPI_RECORD_CALLER_H
#define CHAPI_RECORD_CALLER_H

#include "gateway/party.h"
#include "libchapi-ipc/buf.h"

struct record_ask {
	struct span id, api;
	struct span params;		/* JSON */
	struct span caller;		/* label; empty: none */
	struct span reply_to;		/* channel */
	double request_time;		/* Unix seconds */
	uint64_t timeout_ms;		/* what is left */
	bool progress, raw;
	bool is_repeat;
	/* Of a repeat: the instance that the first went to; empty: not known. */
	struct span retry;
	uint64_t retry_ms;		/* of a repeat: for how long the first has been out */
};

/* Appends the JSON; out remembers a failure. */
void record_ask_put(const struct record_ask *ask, struct buf *out);

enum { RECORD_ANSWER_E_NONE = 1 };	/* it is no response with an id */

/* Owns its texts. */
struct record_answer {
	struct buf id;
	struct buf result;		/* MessagePack; with a failure: nothing */
	int code;			/* CHAPI_ERR_*; 0: none, result holds */
	enum chapi_ran ran;
	struct buf message;
	struct buf details;		/* MessagePack; empty: none */
	struct buf gateway, instance;
	double response_time, queue_ms, run_ms;
};

#define RECORD_ANSWER_NULL { 0 }

/*
 * ret is initialised, and deinitialised by the caller after every outcome. A result or details
 * that have no form in MessagePack: bad_reply, resp. they are left out. A code that is not known
 * here counts as api_error. 0, RECORD_ANSWER_E_NONE or -ENOMEM.
 */
int record_answer_parse(struct span text, struct record_answer *ret) MUST_CHECK;
void record_answer_deinit(struct record_answer *answer);

#endif
