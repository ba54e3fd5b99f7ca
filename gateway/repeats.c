/* SPDX-License-Identifier: MIT */
/*
 * Lines of the log that come again: see repeats.h.
 */
#include "gateway/repeats.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The line that came so many before the next one. */
static struct repeats_line *before(struct repeats *r, unsigned int distance)
{
	return &r->lines[(r->n_lines - distance) % REPEATS_PERIOD_MAX];
}

static uint64_t hold_ms(unsigned int period)
{
	return period == 1 ? REPEATS_ALONE_MS : REPEATS_IN_TURNS_MS;
}

/* ---- writing ----------------------------------------------------------------------------- */

static void write_now(struct repeats *r, int level, const char *text)
{
	r->write(r->data, level, text);
	r->n_written++;
}

/* As urgent as the most urgent of the lines. */
static void write_count(struct repeats *r, unsigned int n_times)
{
	const char *s = n_times == 1 ? "" : "s";
	int level = before(r, 1)->level;
	char text[80];

	if (r->period == 1)
		snprintf(text, sizeof(text), "log: the line before came %u more time%s", n_times,
			 s);
	else
		snprintf(text, sizeof(text), "log: the %u lines before came %u more time%s",
			 r->period, n_times, s);
	for (unsigned int i = 2; i <= r->period; i++)
		level = MIN(level, before(r, i)->level);
	r->write(r->data, level, text);
	r->n_written = 0;
}

/* The count, and what remains of a round, with which it is over. */
void repeats_release(struct repeats *r)
{
	unsigned int rest;

	if (r->n_held == 0)
		return;
	rest = r->n_held % r->period;
	if (r->n_held >= r->period)
		write_count(r, r->n_held / r->period);
	r->n_held = 0;
	if (rest == 0)
		return;
	r->period = 0;
	for (unsigned int i = rest; i > 0; i--)
		write_now(r, before(r, i)->level, before(r, i)->text);
}

void repeats_init(struct repeats *r, unsigned int period_max,
		  void (*write)(void *data, int level, const char *text), void *data)
{
	r->period_max = period_max;
	r->write = write;
	r->data = data;
	r->n_held = 0;
	repeats_forget(r);
}

void repeats_forget(struct repeats *r)
{
	repeats_release(r);
	r->period = 0;
	r->n_lines = 0;
	r->n_written = 0;
	memset(r->runs, 0, sizeof(r->runs));
}

/* ---- what comes again -------------------------------------------------------------------- */

static bool is_again(struct repeats *r, unsigned int period, int level, const char *text,
		     uint64_t now_ms)
{
	const struct repeats_line *line = before(r, period);

	return r->n_lines >= period && now_ms - line->at_ms < hold_ms(period) &&
	       line->level == level && strcmp(line->text, text) == 0;
}

static void count_runs(struct repeats *r, int level, const char *text, uint64_t now_ms)
{
	for (unsigned int i = 1; i <= r->period_max; i++)
		r->runs[i] = is_again(r, i, level, text, now_ms) ? r->runs[i] + 1 : 0;
}

/* Several in turns have to have come twice, and all that the count speaks of to stand before it. */
static bool may_begin(const struct repeats *r, unsigned int period)
{
	return r->runs[period] > (period == 1 ? 0 : period) && r->n_written >= period;
}

static unsigned int find_period(const struct repeats *r)
{
	for (unsigned int i = 1; i <= r->period_max; i++)
		if (may_begin(r, i))
			return i;
	return 0;
}

static void remember(struct repeats *r, int level, const char *text, uint64_t now_ms)
{
	struct repeats_line *line = before(r, 0);

	snprintf(line->text, sizeof(line->text), "%s", text);
	line->level = level;
	line->at_ms = now_ms;
	r->n_lines++;
}

static void hold(struct repeats *r, uint64_t now_ms)
{
	if (r->n_held++ == 0)
		r->held_since_ms = now_ms;
	if (now_ms >= repeats_due_ms(r) && r->n_held % r->period == 0)
		repeats_release(r);
}

void repeats_add(struct repeats *r, int level, const char *text, uint64_t now_ms)
{
	count_runs(r, level, text, now_ms);
	if (r->period > 0 && r->runs[r->period] == 0) {
		repeats_release(r);
		r->period = 0;
	}
	if (r->period == 0)
		r->period = find_period(r);
	remember(r, level, text, now_ms);
	if (r->period > 0)
		hold(r, now_ms);
	else
		write_now(r, level, text);
}

uint64_t repeats_due_ms(const struct repeats *r)
{
	return r->n_held > 0 ? r->held_since_ms + hold_ms(r->period) : UINT64_MAX;
}
