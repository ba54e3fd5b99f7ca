/* SPDX-License-Identifier: MIT */
/*
 * Waits before new tries: growing, with a random part so that not everybody comes at once.
 *
 * Only arithmetic: who waits, and what makes the waits begin anew, is decided by channel.h
 * and outbox.h.
 */
#ifndef CHAPI_BACKOFF_H
#define CHAPI_BACKOFF_H

#include <stdint.h>

struct backoff {
	uint64_t least_ms, most_ms;
	uint64_t random;	/* begins with a seed: random, fixed in tests */
};

/*
 * Half of the ceiling up to the ceiling, which is least_ms, then doubles with each failure up to
 * most_ms.
 */
uint64_t backoff_ms(struct backoff *backoff, unsigned int n_failures);
uint64_t backoff_between(struct backoff *backoff, uint64_t least, uint64_t most);

/* A time ms after now_ms that is never UINT64_MAX, however long one wants to wait. */
static inline uint64_t backoff_later(uint64_t now_ms, uint64_t ms)
{
	return ms > UINT64_MAX - 1 - now_ms ? UINT64_MAX - 1 : now_ms + ms;
}

#endif
