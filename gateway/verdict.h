/* SPDX-License-Identifier: MIT */
/*
 * What an answer of the hub's HTTP API means for the events that were sent.
 *
 * The table of statuses, with words for people. Pure; what is done about it is outbox.h.
 */
#ifndef CHAPI_VERDICT_H
#define CHAPI_VERDICT_H

#include <stdbool.h>

#include "common/common.h"

/* What came back for a request, if anything did. Borrowed for the time of the call. */
struct verdict_answer {
	unsigned int status;		/* 0: none came, see error */
	struct span body;		/* its first kilobytes */
	const char *error;		/* NULL, or one line for people */
	/* With error: the hub surely has seen nothing of the request. */
	bool unsent;
	bool clock;			/* with error: this machine's clock may be what is wrong */
	int64_t date;			/* the hub's clock, Unix seconds; 0: it did not say */
	int64_t unix_s;			/* ours when it came */
	unsigned int retry_after_s;	/* 0: it did not say */
};

enum verdict_kind {
	VERDICT_TAKEN,
	VERDICT_UNSENT,		/* the hub has seen nothing of it */
	VERDICT_LATER,		/* not taken, as there is too much of it; later it may be */
	VERDICT_DOUBTFUL,	/* it may have been taken or not */
	VERDICT_CLOCK,		/* not taken: our time is not the hub's */
	VERDICT_QUOTA,		/* not taken, and nothing will be for a while */
	VERDICT_FORBIDDEN,	/* likewise perhaps, or it was for this moment only */
	VERDICT_ENTRY,		/* not taken; of a batch, one entry alone may be to blame */
	VERDICT_FINAL,		/* not taken, and it would not be if it came again */
};

struct verdict {
	enum verdict_kind kind;
	unsigned int status;	/* the one that is meant; 0: none came */
	char text[200];		/* for people; "" if taken */
};

void verdict_of(const struct verdict_answer *answer, struct verdict *ret);

#endif
