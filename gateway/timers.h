/* SPDX-License-Identifier: MIT */
/*
 * Deadlines: a hierarchical timing wheel with a resolution of one millisecond.
 *
 * Each digit of a time (6 bits of it) has a wheel of 64 slots. A timer lies in the wheel of
 * the highest digit in which its time differs from the present, in the slot of that digit's
 * value. So adding and deleting cost the same however many timers there are, no time is too
 * far off, and a bitmap of the slots in use finds the next one without ticking. When the
 * present reaches a slot of a higher wheel, its timers move down; each timer does so at most
 * once a wheel.
 *
 * Has no clock: the present is a number that its owner gives.
 */
#ifndef CHAPI_TIMERS_H
#define CHAPI_TIMERS_H

#include "libchapi-ipc/list.h"

#define TIMERS_DIGIT_BITS 6
#define TIMERS_SLOTS (1 << TIMERS_DIGIT_BITS)
#define TIMERS_WHEELS ((64 + TIMERS_DIGIT_BITS - 1) / TIMERS_DIGIT_BITS)

/* Embedded in what has a deadline. */
struct timer {
	struct list link;
	uint64_t ms;
	uint8_t kind;				/* the owner's: in what it is embedded */
};

struct timers {
	uint64_t now_ms;
	struct list due;			/* timers whose time has come */
	uint64_t used[TIMERS_WHEELS];		/* a bit for each slot that is not empty */
	struct list slots[TIMERS_WHEELS][TIMERS_SLOTS];
};

void timers_init(struct timers *timers, uint64_t now_ms);

void timer_init(struct timer *timer);
/* The timer is in no wheel yet. */
void timers_add(struct timers *timers, struct timer *timer, uint64_t ms);
/* May be called twice. */
void timers_del(struct timers *timers, struct timer *timer);

/*
 * When to call timers_take() next; UINT64_MAX: no timer is there. Never later than the first
 * deadline, but it may be earlier, when timers have to move down (at most once a wheel).
 */
uint64_t timers_next_ms(const struct timers *timers);

/* Takes out a timer whose time has come, the earliest first; NULL: none (any more). */
struct timer *timers_take(struct timers *timers, uint64_t now_ms);

#endif
