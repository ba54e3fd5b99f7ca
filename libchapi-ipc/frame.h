/* SPDX-License-Identifier: MIT */
/*
 * Where one message ends and the next begins, in bytes as they arrive.
 *
 * The reader holds no bytes: its owner keeps what has not been consumed and shows it again
 * with what came since; nothing is scanned twice. The first byte decides between
 * MessagePack and JSON lines (chapi-ipc(7), "TRANSPORT"). What a message says is message.h.
 */
#ifndef CHAPI_FRAME_H
#define CHAPI_FRAME_H

#include "common/common.h"
#include "mp_scan.h"

enum encoding { ENCODING_UNKNOWN, ENCODING_MSGPACK, ENCODING_JSON };

enum {
	FRAME_E_MORE = 1,	/* no whole message yet: consume ret->used bytes, keep the rest */
	FRAME_E_TOO_LARGE,	/* a message over the limit has been passed: see ret; go on */
	FRAME_E_BAD,		/* MessagePack that cannot be read or is too deep: answer, close */
	FRAME_E_UNKNOWN,	/* the first byte begins neither encoding: say so, close */
	FRAME_E_FLOOD,		/* beyond 16 times the limit: close */
};

struct frame_reader {
	enum encoding encoding;
	size_t max;		/* bytes of one message */
	size_t scanned;		/* of the bytes not yet consumed */
	uint64_t passed;	/* of an over-long message, already consumed */
	bool skipping;
	/* of the message being skipped, as far as its first bytes told */
	int type;		/* 0, 1, 2; -1 not known */
	int64_t id;		/* -1 not known */
	struct mp_scan scan;
};

struct frame {
	struct span bytes;	/* the message; a line comes without its line end */
	size_t used;		/* bytes to consume before the next call, in every outcome */
	unsigned int depth;	/* MessagePack: of the whole message */
	int type;		/* FRAME_E_TOO_LARGE: as far as known, else -1 */
	int64_t id;		/* likewise */
	uint64_t size;		/* likewise: how large it was */
};

void frame_reader_init(struct frame_reader *r, size_t max);

/* A connection in MessagePack, and of the bytes not consumed so far none has been looked at:
 * whoever can may read a message by itself, and consume it. */
static inline bool frame_begins_msgpack(const struct frame_reader *r)
{
	return r->encoding == ENCODING_MSGPACK && r->scanned == 0 && !r->skipping;
}

/*
 * Looks at p[0..len): the bytes not consumed so far. 0: ret->bytes is a whole message, inside
 * p, valid as long as p is. Blank lines of JSON are passed over silently.
 */
int frame_next(struct frame_reader *r, const uint8_t *p, size_t len, struct frame *ret) MUST_CHECK;

#endif
