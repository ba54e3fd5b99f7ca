/* SPDX-License-Identifier: MIT */
/*
 * What the log is told of calls, at which level, and how often.
 *
 * Each line has the call's id, its name, a code and who called, which the journal gets as fields
 * (log.h). Neither params nor results are in it, and of an error the code only: its message may
 * say what was passed. At the level debug every call has a line; above that those that say
 * something of the gateway or of a provider, so many and no more, as callers decide how many
 * there are.
 */
#ifndef CHAPI_CALL_LOG_H
#define CHAPI_CALL_LOG_H

#include "gateway/bucket.h"
#include "gateway/party.h"

#define CALL_LOG_LINES 20	/* at once, after a rest; one more every 3 s */

/* All zero: nothing was written. */
struct call_lines {
	struct bucket bucket;
	uint64_t n_left_out;	/* since the last line */
};

/* Apart, as callers who are refused in numbers must not hide that a provider fails. */
struct call_log {
	struct call_lines warnings, others;
};

/* One has its answer, or is refused. caller: NULL: gone. now_ms: monotonic. */
void call_log_ended(struct call_log *log, const struct party *caller,
		    const struct party_response *response, uint64_t now_ms);
/* The answer of a remote call did not reach the hub, which it may be asked for again. why: one
 * line. */
void call_log_lost(struct call_log *log, struct span id, struct span api, const char *why,
		   uint64_t now_ms);

#endif
