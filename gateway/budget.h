/* SPDX-License-Identifier: MIT */
/*
 * How many messages of the hub's daily quota are used, as far as can be known from here.
 *
 * Pure: a time goes in with what is counted. The hub's day is that of UTC, its quota that of
 * the whole app: an event counts once, and once more for each connection that gets it.
 * Deliveries to others and what others publish on channels of their own are not seen here,
 * so this is the least that was used. It warns, and tells when the reserve begins; who then
 * leaves out what is hub.c, and no answer is ever left out. Clock, log and file are ledger.h.
 *
 * The clock of a small machine may be wrong, so the day follows it like this:
 *   - before BUDGET_DAY_LEAST it is not set: the day at hand goes on, whatever it is; what is
 *     counted meanwhile belongs to the first day that is known then;
 *   - forward, a new day begins with 0, and the one before it is remembered;
 *   - back to that one, its count goes on, and what was counted in between is added: a clock
 *     that jumps ahead and is set right loses nothing;
 *   - back to any other day, the count stays: the later day was none;
 *   - forward again to the day that was left so, its count goes on: a machine without a battery
 *     for its clock starts with a time that has passed, until it hears of the right one.
 */
#ifndef CHAPI_BUDGET_H
#define CHAPI_BUDGET_H

#include <stdbool.h>

#include "libchapi-ipc/buf.h"

#define BUDGET_DAY_S 86400
#define BUDGET_DAY_LEAST 20089	/* 2025-01-01, days since 1970: no clock that is set shows less */

struct budget_count {
	uint64_t published;	/* by us: events that the hub took, questions that it answered */
	uint64_t delivered;	/* deliveries of those that are known of */
	uint64_t received;	/* events of others that came to us: each is two messages */
};

struct budget_day {
	int64_t day;		/* since 1970; 0: none, or not known yet */
	struct budget_count count;
};

struct budget {
	unsigned int limit;	/* messages a day; 0: none */
	struct budget_day today;
	struct budget_count undated;	/* the part of it counted since the clock is not set */
	struct budget_day before;
	struct budget_day later;	/* was left for today, whose count has its in it */
	unsigned int warned;	/* percent that were told of today */
};

enum {
	BUDGET_HIGH = 1,	/* 80 % are used: worth a warning */
	BUDGET_RESERVE,		/* 95 % */
};

enum {
	BUDGET_E_DAMAGED = 1,	/* not what budget_put() has written */
};

void budget_init(struct budget *budget, unsigned int limit);
void budget_set_limit(struct budget *budget, unsigned int limit);

/* Counts. 0, or BUDGET_HIGH or BUDGET_RESERVE, each once a day. */
int budget_add(struct budget *budget, const struct budget_count *more, int64_t unix_s) MUST_CHECK;
void budget_turn(struct budget *budget, int64_t unix_s);	/* the day, if it is another */
/* Only the reserve is left, for answers: what can be done without has to wait for the next day. */
bool budget_is_low(struct budget *budget, int64_t unix_s);
uint64_t budget_messages(const struct budget_count *count);

/* Appends what has to outlive us: text. The limit is not in it. */
void budget_put(const struct budget *budget, struct buf *out);
/*
 * Takes up what was put; what has been counted here meanwhile is added. 0 or BUDGET_E_DAMAGED, or
 * -ENOMEM.
 */
int budget_restore(struct budget *budget, struct span text) MUST_CHECK;

#endif
