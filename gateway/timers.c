/* SPDX-License-Identifier: MIT */
/*
 * The timing wheel: see timers.h.
 *
 * What everything rests on: a timer's wheel and slot follow from its time and the present
 * alone. They stay right while the present moves on, as long as it stops at the beginning of
 * each slot in use and empties it.
 */
#include "gateway/timers.h"

#define SLOT_MASK (TIMERS_SLOTS - 1)

static unsigned int wheel_of(uint64_t now_ms, uint64_t ms)
{
	return (63 - (unsigned int)__builtin_clzll(now_ms ^ ms)) / TIMERS_DIGIT_BITS;
}

static unsigned int digit_of(uint64_t ms, unsigned int wheel)
{
	return ms >> (wheel * TIMERS_DIGIT_BITS) & SLOT_MASK;
}

void timers_init(struct timers *timers, uint64_t now_ms)
{
	timers->now_ms = now_ms;
	list_init(&timers->due);
	for (unsigned int w = 0; w < TIMERS_WHEELS; w++) {
		timers->used[w] = 0;
		for (unsigned int s = 0; s < TIMERS_SLOTS; s++)
			list_init(&timers->slots[w][s]);
	}
}

void timer_init(struct timer *timer)
{
	list_init(&timer->link);
	timer->ms = 0;
}

void timers_add(struct timers *timers, struct timer *timer, uint64_t ms)
{
	unsigned int wheel, slot;

	timer->ms = ms;
	if (ms <= timers->now_ms) {
		list_add_tail(&timers->due, &timer->link);
		return;
	}
	wheel = wheel_of(timers->now_ms, ms);
	slot = digit_of(ms, wheel);
	list_add_tail(&timers->slots[wheel][slot], &timer->link);
	timers->used[wheel] |= 1ULL << slot;
}

void timers_del(struct timers *timers, struct timer *timer)
{
	unsigned int wheel, slot;

	if (list_empty(&timer->link))
		return;
	list_del(&timer->link);
	if (timer->ms <= timers->now_ms)
		return;
	wheel = wheel_of(timers->now_ms, timer->ms);
	slot = digit_of(timer->ms, wheel);
	if (list_empty(&timers->slots[wheel][slot]))
		timers->used[wheel] &= ~(1ULL << slot);
}

/* A slot, and the time at which it begins. */
struct place {
	unsigned int wheel, slot;
	uint64_t ms;
};

/*
 * The first slot in use. Whatever lies in a lower wheel comes before all that lies in a
 * higher one, as it shares one more digit with the present.
 */
static bool first_place(const struct timers *timers, struct place *ret)
{
	for (unsigned int w = 0; w < TIMERS_WHEELS; w++) {
		unsigned int shift = w * TIMERS_DIGIT_BITS;
		uint64_t higher;

		if (timers->used[w] == 0)
			continue;
		higher = timers->now_ms >> shift & ~(uint64_t)SLOT_MASK;
		ret->wheel = w;
		ret->slot = (unsigned int)__builtin_ctzll(timers->used[w]);
		ret->ms = (higher | ret->slot) << shift;
		return true;
	}
	return false;
}

uint64_t timers_next_ms(const struct timers *timers)
{
	struct place place;

	if (!list_empty(&timers->due))
		return timers->now_ms;
	return first_place(timers, &place) ? place.ms : UINT64_MAX;
}

/* The present has reached this slot: its timers are due, or find a lower wheel. */
static void empty_place(struct timers *timers, const struct place *place)
{
	struct list *head = &timers->slots[place->wheel][place->slot];
	struct timer *timer;

	timers->now_ms = place->ms;
	timers->used[place->wheel] &= ~(1ULL << place->slot);
	while ((timer = list_first(head, struct timer, link))) {
		list_del(&timer->link);
		timers_add(timers, timer, timer->ms);
	}
}

struct timer *timers_take(struct timers *timers, uint64_t now_ms)
{
	struct timer *timer;
	struct place place;

	while (list_empty(&timers->due)) {
		if (!first_place(timers, &place) || place.ms > now_ms) {
			timers->now_ms = MAX(timers->now_ms, now_ms);
			return NULL;
		}
		empty_place(timers, &place);
	}
	timer = list_first(&timers->due, struct timer, link);
	list_del(&timer->link);
	return timer;
}
