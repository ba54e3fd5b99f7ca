/* SPDX-License-Identifier: MIT */
/*
 * The time of this turn of the loop: read when the first callback asks for it, the same for
 * all that follow, forgotten when the turn is over. And the time outside of turns.
 *
 * The even clock counts what the machine sleeps: a peer's time goes on meanwhile, and what was to
 * be done before is late, not due. libevent's timers do not, so they may be late after a sleep.
 */
#ifndef CHAPI_TURN_H
#define CHAPI_TURN_H

#include <time.h>

#include "gateway/party.h"

struct turn {
	struct now now;
	bool known;
};

static inline const struct now *turn_now(struct turn *turn)
{
	struct timespec even, real;

	if (turn->known)
		return &turn->now;
	clock_gettime(CLOCK_BOOTTIME, &even);
	clock_gettime(CLOCK_REALTIME, &real);
	turn->now.us = (uint64_t)even.tv_sec * 1000000 + (uint64_t)even.tv_nsec / 1000;
	turn->now.ms = turn->now.us / 1000;
	turn->now.unix_s = (double)((int64_t)real.tv_sec * 1000000 + real.tv_nsec / 1000) / 1e6;
	turn->known = true;
	return &turn->now;
}

/* The time where no turn is known: beyond the loop's callbacks, and in another thread. */
static inline struct now read_now(void)
{
	struct turn turn = { .known = false };

	return *turn_now(&turn);
}

static inline void turn_over(struct turn *turn)
{
	turn->known = false;
}

#endif
