/* SPDX-License-Identifier: MIT */
/*
 * Lines of the log that come again: one alone, or several in turns.
 *
 * A line that is like the one before is held back and counted. So are several that come again in
 * the same order, once they have done so twice. What is held back is in the count, to the line:
 * before anything else is written, the count is, and then the lines of a round that was not
 * complete. So the log says in which order all came, and in which state things are. Nothing is held
 * back for long; whoever has a timer asks when that is over. Nothing is allocated; writing is the
 * caller's.
 */
#ifndef CHAPI_REPEATS_H
#define CHAPI_REPEATS_H

#include "common/common.h"

#define REPEATS_LINE_MAX 2048		/* with its end */
#define REPEATS_PERIOD_MAX 4
#define REPEATS_ALONE_MS 60000		/* a line alone: how long it is held back, */
#define REPEATS_IN_TURNS_MS 10000	/* and several; after longer it does not come "again" */

struct repeats_line {
	char text[REPEATS_LINE_MAX];
	int level;
	uint64_t at_ms;
};

struct repeats {
	unsigned int period_max;	/* 1: lines alone; at most REPEATS_PERIOD_MAX */
	/* One line; the lower its level, the more urgent. */
	void (*write)(void *data, int level, const char *text);
	void *data;

	struct repeats_line lines[REPEATS_PERIOD_MAX];	/* a ring: the last ones */
	unsigned int n_lines;				/* all there have been */
	unsigned int runs[REPEATS_PERIOD_MAX + 1]; /* so many were like the one that far before */
	unsigned int n_written;		/* the last so many were written */
	unsigned int period;		/* of what comes again now; 0: nothing does */
	unsigned int n_held;
	uint64_t held_since_ms;
};

/* What was held back is dropped. */
void repeats_init(struct repeats *r, unsigned int period_max,
		  void (*write)(void *data, int level, const char *text), void *data);
/* Writes text, or holds it back. now_ms: monotonic. */
void repeats_add(struct repeats *r, int level, const char *text, uint64_t now_ms);
/* Until when what is held back may be; UINT64_MAX: nothing is. */
uint64_t repeats_due_ms(const struct repeats *r);
/* Writes what is held back. What comes then may still come "again". */
void repeats_release(struct repeats *r);
/* Something else is written: what comes then does not come "again". Writes what is held back. */
void repeats_forget(struct repeats *r);

#endif
