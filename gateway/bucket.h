/* SPDX-License-Identifier: MIT */
/*
 * A token bucket: so many a second, and twice as many at once after a rest.
 *
 * Pure: time is a number. What is refused, and how, is its caller's business.
 */
#ifndef CHAPI_BUCKET_H
#define CHAPI_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/common.h"

/* All zero: full. */
struct bucket {
	double spent;		/* tokens that are missing in it */
	uint64_t at_ms;		/* as of then */
};

/*
 * Takes a token. rate: tokens a second; 0: there is no limit. False: none is left, and in
 * *ret_wait_ms there is one again, if nobody else takes it.
 */
bool bucket_take(struct bucket *bucket, unsigned int rate, uint64_t now_ms,
		 uint64_t *ret_wait_ms) MUST_CHECK;

#endif
