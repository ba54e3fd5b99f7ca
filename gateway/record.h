/* SPDX-License-Identifier: MIT */
/*
 * The records of the remote protocol: JSON of a request to struct, response to JSON.
 *
 * Pure. What happens with a request is remote.h; the values inside are converted by value.h.
 * chapi-remote(7), "REQUEST".
 */
#ifndef CHAPI_RECORD_H
#define CHAPI_RECORD_H

#include <stdbool.h>

#include "gateway/party.h"
#include "libchapi-ipc/buf.h"
#include "libchapi-ipc/value.h"

enum {
	/* Not JSON, not an object, no api: nobody can be answered; ret_fault says why. */
	RECORD_E_NOT_OURS = 1,
	/* Can be answered (api, and id if there is one, are filled in): invalid_argument with
	 * ret_fault. */
	RECORD_E_INVALID,
};

#define RECORD_DEPTH_MAX 64	/* of the whole text; params have MP_VALUE_DEPTH_MAX */
#define RECORD_ID_MAX 64
#define RECORD_CALLER_MAX 64

/*
 * Owns its texts. A field that is null counts as missing (but params: null is a value). Where
 * one stands twice the last counts. An id that cannot be one (empty, too long, not printable
 * ASCII, no string) is not kept: such a request is answered like one without.
 */
struct record_request {
	struct buf id;		/* empty: none came */
	struct buf api;
	struct buf params;	/* MessagePack */
	struct buf caller;	/* label, without "claimed:" */
	struct buf to;
	struct buf reply_to;	/* a channel; empty: that of the request */
	struct buf retry;	/* the instance that the first try went to */
	bool has_retry;		/* it is a repeat, as one of these two says */
	int64_t retry_ms;	/* of a repeat: how long the first try is out; 0: not said */
	struct buf params_text;	/* params as received; "{}" if none came */
	/* Unknown fields as received: ,"name":value,"name":value; none that a response has
	 * itself. */
	struct buf extra;
	double request_time;	/* NaN: none came */
	int64_t timeout_ms;	/* 0: none came */
	bool echo, progress, raw;
};

void record_request_init(struct record_request *r);
void record_request_deinit(struct record_request *r);

/* A duration in ms, a number above 0: rounded up, at most a day. 0 or RECORD_E_INVALID. */
int record_ms_get(struct span value, int64_t *ret_ms) MUST_CHECK;

/* 0, a RECORD_E_* (all fields that could be read are filled in), or -ENOMEM. ret is initialised,
 * and deinitialised by the caller after every outcome. */
int record_request_parse(struct span text, struct record_request *ret,
			 struct value_fault *ret_fault) MUST_CHECK;

/* What a response says beside the router's part. */
struct record_gateway {
	const char *gateway;	/* name */
	const char *instance;
};

/*
 * Appends the response as JSON. A result that JSON cannot express becomes bad_reply. Requests of
 * the older library (no id) get params and their unknown fields back. 0, or a negative errno and
 * out is as before.
 */
int record_response_put(const struct record_request *request, const struct party_response *response,
			const struct record_gateway *gateway, struct buf *out) MUST_CHECK;

/* A response as above, given once more: with "cached":true. out remembers a failure. */
void record_put_cached(struct span response, struct buf *out);

/* A response by somebody else, as far as it tells whose it is: 0, RECORD_E_NOT_OURS, or -ENOMEM. */
int record_response_origin(struct span text, struct buf *gateway, struct buf *instance) MUST_CHECK;

#endif
