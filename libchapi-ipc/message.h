/* SPDX-License-Identifier: MIT */
/*
 * MessagePack-RPC messages: the envelope, read without touching what it carries.
 *
 *     request       [0, id, method, [params...]]
 *     response      [1, id, error, result]
 *     notification  [2, method, [params...]]
 *
 * Input is one whole message (frame.h). The JSON form of a connection is converted before
 * and after (value.h), so everybody else sees MessagePack only.
 */
#ifndef CHAPI_MESSAGE_H
#define CHAPI_MESSAGE_H

#include "buf.h"
#include "common/common.h"
#include "mp.h"

enum message_type { MESSAGE_REQUEST = 0, MESSAGE_RESPONSE = 1, MESSAGE_NOTIFICATION = 2 };

enum { MESSAGE_E_BAD = 1, MESSAGE_E_OTHER };

struct message {
	int type;		/* enum message_type */
	bool has_id;
	uint32_t id;
	struct span method;	/* request, notification */
	struct span params;	/* the elements, one after the other, without the array's head */
	uint32_t n_params;
	struct span error;	/* response: whole values; nil is one byte 0xc0 */
	struct span result;
	unsigned int depth;	/* as frame_next() told; the depth of the value is 1 or 2 less */
};

/*
 * All spans point into frame. MESSAGE_E_BAD: *ret_why says what is wrong (static text), and
 * has_id and id are set if the id could be read.
 */
int message_parse(struct span frame, unsigned int depth, struct message *ret,
		  const char **ret_why) MUST_CHECK;

/*
 * The message that bytes begin with, read in one step: where it ends, and what it says. Only a
 * request, and a response that is no error, with a head in the usual forms, all there, of max
 * bytes at most; what is read is what frame_next() and message_parse() read. MESSAGE_E_OTHER:
 * it is for them.
 */
int message_read_usual(struct span bytes, size_t max, struct message *ret,
		       size_t *ret_used) MUST_CHECK;

static inline bool mp_is_nil(struct span value)
{
	return value.len == 1 && value.p[0] == 0xc0;
}

/* Heads; the caller appends the values that follow. */
void message_put_request(struct buf *b, uint32_t id, const char *method, uint32_t n_params);
void message_put_notification(struct buf *b, const char *method, uint32_t n_params);
/* [1, id, nil, ...: one value follows */
void message_put_result_head(struct buf *b, uint32_t id);

#endif
