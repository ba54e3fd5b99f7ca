/* SPDX-License-Identifier: MIT */
/*
 * Records too large for one event of the hub: a record into parts, a part's text into a struct,
 * and the bytes of all parts back into the record.
 *
 * Pure. Parts that have come and wait for the others are assembly.h; what travels as what is
 * remote.h. chapi-remote(7), "LARGE VALUES".
 */
#ifndef CHAPI_PARTS_H
#define CHAPI_PARTS_H

#include <stdbool.h>

#include "libchapi-ipc/buf.h"

#define PARTS_MAX 16384		/* of one record */

enum {
	PARTS_E_BAD = 1,	/* no part; or the bytes of all parts make no record */
	PARTS_E_TOO_LARGE,	/* more than the limit */
};

/* ---- a record that goes out ------------------------------------------------------------- */

struct parts {
	unsigned int n;
	struct span bytes;	/* to be cut: the record, or what is in packed */
	struct buf packed;
	struct buf head;	/* of each part, up to its number */
	struct buf tail;	/* from there to the slice */
	size_t slice_len;	/* bytes in each part but the last */
};

#define PARTS_NULL { 0 }

/*
 * Cuts a record into parts whose texts have at most text_max bytes each. ret is initialised
 * with PARTS_NULL, borrows the record, and is deinitialised after every outcome. 0,
 * PARTS_E_TOO_LARGE (that would be more than PARTS_MAX, or text_max holds nothing), or -ENOMEM.
 */
int parts_split(struct span id, struct span record, size_t text_max, struct parts *ret) MUST_CHECK;
void parts_deinit(struct parts *parts);
/*
 * From now on each part says that it comes again, beside the record, see struct part; the text of
 * each is longer by that. 0 or -ENOMEM.
 */
int parts_say_again(struct parts *parts, struct span retry, uint64_t retry_ms,
		    uint64_t timeout_ms) MUST_CHECK;
/* Appends the JSON text of part i, which counts from 0; out remembers a failure. */
void parts_put(const struct parts *parts, unsigned int i, struct buf *out);

/* ---- a part that comes in --------------------------------------------------------------- */

struct part {
	struct buf id;		/* 1 to 64 printable ASCII characters */
	unsigned int index, n;	/* index < n <= PARTS_MAX */
	bool deflated;
	uint8_t digest[32];	/* SHA-256 of the record's text */
	struct buf slice;	/* decoded */
	struct buf to;		/* the gateway that is meant; empty: not said */
	bool has_retry;		/* it comes again: said beside the record, which stays */
	struct buf retry;	/* as in a request, see record.h; empty where that is no instance */
	int64_t retry_ms;	/* likewise; 0: not said */
	int64_t timeout_ms;	/* what is left of the record's; 0: not said */
};

#define PART_NULL { 0 }

/*
 * ret is initialised with PART_NULL, and deinitialised after every outcome. 0, PARTS_E_BAD or
 * -ENOMEM.
 */
int part_parse(struct span text, struct part *ret) MUST_CHECK;
void part_deinit(struct part *part);

/*
 * The record's text out of the bytes of all slices, appended to out. 0, PARTS_E_BAD (not what
 * the digest says, or cannot be inflated), PARTS_E_TOO_LARGE (inflating stops at record_max),
 * or -ENOMEM; out is as before then.
 */
int parts_join(struct span bytes, bool deflated, const uint8_t digest[32], size_t record_max,
	       struct buf *out) MUST_CHECK;

#endif
