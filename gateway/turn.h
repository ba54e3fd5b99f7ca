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

#include "gateway/party.h"

struct turn {
	struct now now;
	bool known;
};

const struct now *turn_read(struct turn *turn);	/* the clocks, whatever is known */

static inline const struct now *turn_now(struct turn *turn)
{
	return turn->known ? &turn->now : turn_read(turn);
}

/* The time where no turn is known: beyond the loop's callbacks, and in another thread. */
static inline struct now read_now(void)
{
	struct turn turn;

	return *turn_read(&turn);
}

static inline void turn_over(struct turn *turn)
{
	turn->known = false;
}

#endif
