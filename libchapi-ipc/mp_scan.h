/* SPDX-License-Identifier: MIT */
/*
 * Where a value of MessagePack ends, without building objects.
 */
#ifndef CHAPI_MP_SCAN_H
#define CHAPI_MP_SCAN_H

#include "mp.h"

/* Bytes of a value by its first byte, the first byte included; 0: more has to be read. */
extern const uint8_t mp_fixed_len[256];

/*
 * A scan that can be continued when more bytes come: what was passed is never read again.
 */
struct mp_scan {
	uint64_t body;			/* bytes of a string, bin or ext still to pass */
	uint64_t left[MP_MESSAGE_DEPTH_MAX + 1];	/* values still to come, by level */
	unsigned int depth;		/* level of the value that comes next */
	unsigned int depth_limit;
	unsigned int depth_seen;	/* of the deepest container so far */
	bool done;
};

void mp_scan_init(struct mp_scan *s, unsigned int depth_limit);
/* The same for n values one after the other, which count as one. */
void mp_scan_init_values(struct mp_scan *s, unsigned int depth_limit, uint64_t n);

/*
 * Goes on at p. Returns 0 when the value is whole, MP_E_MORE, MP_E_BAD or MP_E_DEEP;
 * *ret_used is set in each case: the bytes passed. With MP_E_MORE up to 9 bytes at the end
 * (half a header) may be left: give them again, with what follows.
 */
int mp_scan(struct mp_scan *s, const uint8_t *p, size_t len, size_t *ret_used) MUST_CHECK;

/* Length of the first value in bytes that are all there; 0, or an outcome as above. */
int mp_length(struct span bytes, unsigned int depth_limit, size_t *ret_len) MUST_CHECK;

#endif
