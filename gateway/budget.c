/* SPDX-License-Identifier: MIT */
/*
 * The day's budget: see budget.h.
 */
#include "gateway/budget.h"

#include <inttypes.h>
#include <stdio.h>

#define DAY_MOST 100000		/* in 2243: no clock that is right shows more */
#define COUNT_MOST UINT64_C(1000000000000000)	/* that a file may say */
#define TEXT_MOST 400
#define HIGH_PERCENT 80
#define RESERVE_PERCENT 95

#define COUNT_OUT "%" PRIu64 " %" PRIu64 " %" PRIu64
#define COUNT_IN "%" SCNu64 " %" SCNu64 " %" SCNu64
#define ARGS(c) (c).published, (c).delivered, (c).received
#define PLACES(c) &(c).published, &(c).delivered, &(c).received

void budget_init(struct budget *b, unsigned int limit)
{
	*b = (struct budget){ .limit = limit };
}

uint64_t budget_messages(const struct budget_count *count)
{
	return count->published + count->delivered + 2 * count->received;
}

static void add(struct budget_count *to, const struct budget_count *more)
{
	to->published += more->published;
	to->delivered += more->delivered;
	to->received += more->received;
}

static void subtract(struct budget_count *from, const struct budget_count *less)
{
	from->published -= less->published;
	from->delivered -= less->delivered;
	from->received -= less->received;
}

static unsigned int used_percent(const struct budget *b)
{
	uint64_t hundredfold = budget_messages(&b->today.count) * 100;

	if (b->limit == 0 || hundredfold < (uint64_t)b->limit * HIGH_PERCENT)
		return 0;
	return hundredfold < (uint64_t)b->limit * RESERVE_PERCENT ? HIGH_PERCENT : RESERVE_PERCENT;
}

/* ---- days ------------------------------------------------------------------------------------ */

static bool is_known(int64_t day)
{
	return day >= BUDGET_DAY_LEAST && day <= DAY_MOST;
}

static void go_on(struct budget *b, int64_t day)
{
	struct budget_count today = b->undated;
	bool was_there = b->later.day == day;

	b->before = b->today;
	subtract(&b->before.count, &b->undated);
	if (was_there) {
		add(&today, &b->later.count);
		subtract(&b->before.count, &b->later.count);
	}
	b->later = (struct budget_day){ 0 };
	b->today = (struct budget_day){ .day = day, .count = today };
	b->warned = was_there ? MIN(b->warned, used_percent(b)) : 0;
}

static void go_back(struct budget *b, int64_t day)
{
	if (b->later.day == 0)
		b->later = b->today;
	if (b->before.day == day)
		add(&b->today.count, &b->before.count);
	b->before = (struct budget_day){ 0 };
	b->today.day = day;
}

static void turn_to(struct budget *b, int64_t day)
{
	if (!is_known(day))
		return;
	if (b->today.day == 0)
		b->today.day = day;
	else if (day > b->today.day)
		go_on(b, day);
	else if (day < b->today.day)
		go_back(b, day);
	b->undated = (struct budget_count){ 0 };
}

void budget_turn(struct budget *b, int64_t unix_s)
{
	turn_to(b, unix_s / BUDGET_DAY_S);
}

/* ---- counting -------------------------------------------------------------------------------- */

/* What was told of the old limit says nothing of one that is farther away. */
void budget_set_limit(struct budget *b, unsigned int limit)
{
	b->limit = limit;
	b->warned = MIN(b->warned, used_percent(b));
}

int budget_add(struct budget *b, const struct budget_count *more, int64_t unix_s)
{
	unsigned int percent;

	budget_turn(b, unix_s);
	add(&b->today.count, more);
	if (!is_known(unix_s / BUDGET_DAY_S))
		add(&b->undated, more);
	percent = used_percent(b);
	if (percent <= b->warned)
		return 0;
	b->warned = percent;
	return percent == HIGH_PERCENT ? BUDGET_HIGH : BUDGET_RESERVE;
}

bool budget_is_low(struct budget *b, int64_t unix_s)
{
	budget_turn(b, unix_s);
	return used_percent(b) == RESERVE_PERCENT;
}

/* ---- what outlives us ------------------------------------------------------------------------ */

void budget_put(const struct budget *b, struct buf *out)
{
	buf_printf(out, "chapi-budget 1\ntoday %" PRId64 " " COUNT_OUT "\nundated " COUNT_OUT
		   "\nbefore %" PRId64 " " COUNT_OUT "\nlater %" PRId64 " " COUNT_OUT
		   "\nwarned %u\n",
		   b->today.day, ARGS(b->today.count), ARGS(b->undated), b->before.day,
		   ARGS(b->before.count), b->later.day, ARGS(b->later.count), b->warned);
}

static bool is_sane_count(const struct budget_count *count)
{
	return count->published <= COUNT_MOST && count->delivered <= COUNT_MOST &&
	       count->received <= COUNT_MOST;
}

static bool is_sane_day(const struct budget_day *day)
{
	return (day->day == 0 || is_known(day->day)) && is_sane_count(&day->count);
}

/* What was counted without a clock, and on a later day, is a part of today's. */
static bool has_its_parts(const struct budget *b)
{
	const struct budget_count *all = &b->today.count;
	struct budget_count parts = b->undated;

	add(&parts, &b->later.count);
	return parts.published <= all->published && parts.delivered <= all->delivered &&
	       parts.received <= all->received;
}

static bool is_sane(const struct budget *b)
{
	return is_sane_day(&b->today) && is_sane_day(&b->before) && is_sane_day(&b->later) &&
	       is_sane_count(&b->undated) && has_its_parts(b) && b->warned <= 100;
}

/* Read leniently, then written again: whatever is not the same was not ours. */
static int parse(struct span text, struct budget *ret)
{
	CLEANUP(buf_deinit) struct buf again = BUF_NULL;
	char s[TEXT_MOST];

	*ret = (struct budget){ 0 };
	if (text.len >= sizeof(s))
		return BUDGET_E_DAMAGED;
	memcpy(s, text.p, text.len);
	s[text.len] = '\0';
	if (sscanf(s, "chapi-budget 1 today %" SCNd64 " " COUNT_IN " undated " COUNT_IN
		   " before %" SCNd64 " " COUNT_IN " later %" SCNd64 " " COUNT_IN " warned %u",
		   &ret->today.day, PLACES(ret->today.count), PLACES(ret->undated),
		   &ret->before.day, PLACES(ret->before.count), &ret->later.day,
		   PLACES(ret->later.count), &ret->warned) != 16 || !is_sane(ret))
		return BUDGET_E_DAMAGED;
	budget_put(ret, &again);
	if (buf_error(&again) < 0)
		return buf_error(&again);
	return span_equal(buf_span(&again), text) ? 0 : BUDGET_E_DAMAGED;
}

int budget_restore(struct budget *b, struct span text)
{
	struct budget kept, mine = *b;
	int r = parse(text, &kept);

	if (r != 0)
		return r;
	*b = kept;
	turn_to(b, mine.today.day);
	add(&b->today.count, &mine.today.count);
	if (mine.today.day == 0)
		add(&b->undated, &mine.today.count);
	budget_set_limit(b, mine.limit);
	return 0;
}
