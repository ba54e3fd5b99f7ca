/* SPDX-License-Identifier: MIT */
/*
 * What the log is told of events on their way out, and how often.
 */
#include "gateway/publisher_private.h"

#include <stdio.h>

#include "gateway/turn.h"

#define QUIET_S 60	/* the same trouble is logged once in this time */

/* Once for each cause, then now and then. */
static bool is_worth_a_line(struct publisher *p, const char *trouble)
{
	time_t now = (time_t)(read_now().ms / 1000);

	if (strcmp(p->logged, trouble) == 0 && now - p->logged_at < QUIET_S)
		return false;
	snprintf(p->logged, sizeof(p->logged), "%s", trouble);
	p->logged_at = now;
	return true;
}

static void log_failure(struct publisher *p, const char *error)
{
	char more[60] = "";

	p->n_lost++;
	if (!is_worth_a_line(p, error)) {
		p->n_unlogged++;
		return;
	}
	if (p->n_unlogged > 0)
		snprintf(more, sizeof(more), ", %llu more since the last line",
			 (unsigned long long)p->n_unlogged);
	log_warn("publisher", "an event was not published%s: %s", more, error);
	p->n_unlogged = 0;
}

static void log_pause(struct publisher *p, const struct outbox_status *status)
{
	uint64_t now_ms = read_now().ms;
	uint64_t ms = status->until_ms > now_ms ? status->until_ms - now_ms : 0;

	if (ms > 0 && is_worth_a_line(p, status->trouble))
		log_warn("publisher", "%s: %s; %zu events wait, next try in %llu.%llu s",
			 status->pause == OUTBOX_QUOTA ? "publishing has stopped"
						       : "cannot publish",
			 status->trouble, status->n_waiting, (unsigned long long)(ms / 1000),
			 (unsigned long long)(ms % 1000 / 100));
}

static void log_success(struct publisher *p)
{
	if (!p->logged[0])
		return;
	log_info("publisher", "publishing works again, %llu events were lost",
		 (unsigned long long)p->n_lost);
	p->logged[0] = '\0';
	p->n_unlogged = 0;
	p->n_lost = 0;
}

void publisher_log_news(struct publisher *p, const struct outbox_status *before,
			const struct outbox_status *now)
{
	if (now->clock_offset_s != before->clock_offset_s)
		log_warn("publisher",
			 "this machine's clock is %lld s off by the hub's, which is used instead",
			 (long long)-now->clock_offset_s);
	if (now->n_failed > before->n_failed)
		log_failure(p, now->last_error);
	else if (now->pause != OUTBOX_RUNNING && now->n_under_way == 0)
		log_pause(p, now);
	else if (now->n_published > before->n_published)
		log_success(p);
}
