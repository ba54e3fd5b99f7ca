/* SPDX-License-Identifier: MIT */
/*
 * A token bucket: see bucket.h.
 *
 * What is missing is kept, not what is there, so that a bucket begins full whatever its rate
 * is, and another rate takes effect with the next token.
 */
#include "gateway/bucket.h"

#include <math.h>

#define BURST 2.0	/* seconds' worth that may be taken at once */

bool bucket_take(struct bucket *b, unsigned int rate, uint64_t now_ms, uint64_t *ret_wait_ms)
{
	double refilled = (double)(now_ms - b->at_ms) * rate / 1000, over;

	b->at_ms = now_ms;
	b->spent = fmax(b->spent - refilled, 0);
	if (rate == 0)
		return true;
	over = b->spent + 1 - BURST * rate;
	if (over <= 0) {
		b->spent++;
		return true;
	}
	*ret_wait_ms = (uint64_t)ceil(over * 1000 / rate);
	return false;
}
