/* SPDX-License-Identifier: MIT */
/*
 * What is done about an answer of the hub; what it means is verdict.h's.
 *
 * Trouble is the hub's, not an event's, so it holds all of them up: while the last request
 * went wrong one at a time is tried, after growing waits. An event that brings trouble again
 * and again rests for itself, and is sent alone, so that others get past it; one that is forbidden
 * lets others try first, as it may be forbidden for what is in it.
 */
#include "gateway/outbox_private.h"

#include <limits.h>
#include <stdio.h>

#define FORBIDDEN_MAX 2 /* so often one is forbidden while others are taken; then it is given up */

struct turn_out {
	struct outbox *o;
	struct outbox_request *request;
	const struct verdict *verdict;
	const struct verdict_answer *answer;
	uint64_t now_ms;
};

static uint64_t retry_after_ms(const struct turn_out *t)
{
	return t->answer->retry_after_s * UINT64_C(1000);
}

static void count(unsigned int *n)
{
	if (*n < UINT_MAX)
		(*n)++;
}

/* ---- pauses --------------------------------------------------------------------------------- */

void outbox_pause_until(struct outbox *o, uint64_t until_ms)
{
	o->pause_until_ms = o->others_until_ms = until_ms;
}

void outbox_set_trouble(struct outbox *o, enum outbox_pause pause, const char *text)
{
	o->status.pause = pause;
	o->clock_trouble = false;
	snprintf(o->status.trouble, sizeof(o->status.trouble), "%s", text);
}

static void resume(struct outbox *o)
{
	o->n_failures = o->n_forbidden = o->n_first_forbidden = 0;
	outbox_pause_until(o, 0);
	o->wanted_until_ms = 0;
	outbox_set_trouble(o, OUTBOX_RUNNING, "");
}

/* Requests that were under way together and went wrong together count once. */
static bool is_old_news(const struct outbox *o, const struct outbox_request *request)
{
	return o->status.pause != OUTBOX_RUNNING && request->n_pauses != o->n_pauses;
}

/* Trouble while the quota is used up does not end that. */
static void pause_for_trouble(const struct turn_out *t)
{
	struct outbox *o = t->o;
	uint64_t least_ms = retry_after_ms(t), until_ms = backoff_later(t->now_ms, least_ms);

	o->wanted_until_ms = MAX(o->wanted_until_ms, until_ms);
	if (is_old_news(o, t->request)) {
		o->pause_until_ms = MAX(o->pause_until_ms, until_ms);
		o->others_until_ms = MAX(o->others_until_ms, until_ms);
		return;
	}
	until_ms = MAX(until_ms, backoff_later(t->now_ms, backoff_ms(&o->backoff, o->n_failures)));
	count(&o->n_failures);
	o->n_pauses++;
	outbox_pause_until(o, until_ms);
	outbox_set_trouble(o, MAX(o->status.pause, OUTBOX_TROUBLE), t->verdict->text);
	o->clock_trouble = t->answer->clock;
}

/* ms: until a probe may show whether it is over. */
static void pause_for_quota(struct outbox *o, const struct outbox_request *request,
			    const char *text, uint64_t ms, uint64_t now_ms)
{
	if (o->status.pause == OUTBOX_QUOTA && is_old_news(o, request))
		return;
	o->n_pauses++;
	outbox_pause_until(o, MAX(o->wanted_until_ms, backoff_later(now_ms, ms)));
	outbox_set_trouble(o, OUTBOX_QUOTA, text);
}

/* A good answer to what was sent before the pause began says nothing against what the hub itself
 * has asked for since. */
static bool ends_pause(const struct outbox *o, const struct outbox_request *request,
		       uint64_t now_ms)
{
	return !is_old_news(o, request) ||
	       (o->status.pause == OUTBOX_TROUBLE && now_ms >= o->wanted_until_ms);
}

/* The hub is there and has said no to an event: that is no trouble of the hub. */
static void note_refusal(struct outbox *o, const struct outbox_request *request, uint64_t now_ms)
{
	uint64_t until_ms = backoff_later(now_ms, backoff_ms(&o->backoff, 0));

	if (!ends_pause(o, request, now_ms))
		return;
	if (o->status.pause == OUTBOX_QUOTA)
		o->pause_until_ms = MAX(o->wanted_until_ms, until_ms);
	else
		resume(o);
}

/* ---- verdicts ------------------------------------------------------------------------------- */

/* The last first: each is put before the others. */
static struct entry *last_entry(struct outbox_request *request)
{
	struct list *l = request->entries.prev;

	return l == &request->entries ? NULL : container_of(l, struct entry, link);
}

static void put_all_back(const struct turn_out *t)
{
	struct entry *e;

	while ((e = last_entry(t->request)))
		entry_put_back(t->o, e);
}

static void on_taken(const struct turn_out *t)
{
	struct entry *e;

	t->o->n_taken++;
	if (ends_pause(t->o, t->request, t->now_ms))
		resume(t->o);
	while ((e = list_first(&t->request->entries, struct entry, link)))
		entry_end(t->o, e, t->verdict->status);
}

/* Whatever it is, it may be sent again. */
static void on_not_taken_yet(const struct turn_out *t)
{
	pause_for_trouble(t);
	put_all_back(t);
}

static void again_or_never(const struct turn_out *t, struct entry *e)
{
	struct outbox *o = t->o;

	e->in_doubt = true;
	if (!e->has_id) {
		entry_fail(o, e, t->verdict->status, "%s; it may have been published, and %s",
			   t->verdict->text,
			   e->is_renewed ? "comes again as a repeat" :
					   "is not sent again as it has no id");
		return;
	}
	e->alone = e->tries > 1;
	entry_rest(o, e, backoff_later(t->now_ms, backoff_ms(&o->backoff, e->tries - 1)));
}

static void on_doubtful(const struct turn_out *t)
{
	struct entry *e;

	pause_for_trouble(t);
	while ((e = list_first(&t->request->entries, struct entry, link)))
		again_or_never(t, e);
}

static void fail_all(const struct turn_out *t)
{
	struct entry *e;

	while ((e = list_first(&t->request->entries, struct entry, link)))
		entry_fail(t->o, e, t->verdict->status, "%s", t->verdict->text);
}

static void on_final(const struct turn_out *t)
{
	note_refusal(t->o, t->request, t->now_ms);
	fail_all(t);
}

/* Signed once more with the hub's own time, and not twice. */
static void on_wrong_clock(const struct turn_out *t)
{
	struct entry *e, *tmp;

	note_refusal(t->o, t->request, t->now_ms);
	t->o->status.clock_offset_s = t->answer->date - t->answer->unix_s;
	list_for_each_safe(e, tmp, &t->request->entries, struct entry, link) {
		if (e->corrected)
			entry_fail(t->o, e, t->verdict->status, "%s", t->verdict->text);
		e->corrected = true;
	}
	put_all_back(t);
}

static void on_quota(const struct turn_out *t)
{
	uint64_t probe_ms = t->o->config.probe_ms;
	uint64_t ms = backoff_between(&t->o->backoff, probe_ms / 3, probe_ms);

	pause_for_quota(t->o, t->request, t->verdict->text, MAX(ms, retry_after_ms(t)), t->now_ms);
	put_all_back(t);
}

/* When may one be tried that was not forbidden yet? At once, while one alone was. */
static uint64_t others_from_ms(const struct turn_out *t)
{
	struct outbox *o = t->o;
	uint64_t ms = o->n_first_forbidden <= 1 ?
			      0 : backoff_ms(&o->probes, o->n_first_forbidden - 1);

	return backoff_later(t->now_ms, ms);
}

/*
 * It does not say why. If it was for a moment, little time is lost. If it was for what is in it,
 * it says nothing of others: so those wait for themselves, and the longer the more of them were
 * forbidden as well. The request has one event or, of a batch, none is found out about yet.
 */
static void pause_for_forbidden(const struct turn_out *t, bool is_first)
{
	struct outbox *o = t->o;
	uint64_t ms = backoff_ms(&o->probes, o->n_forbidden), least_ms = retry_after_ms(t);
	uint64_t others_ms = o->others_until_ms, n_pauses = o->n_pauses;

	pause_for_quota(o, t->request, t->verdict->text, MAX(ms, least_ms), t->now_ms);
	if (o->n_pauses == n_pauses)
		return;
	least_ms = MAX(o->wanted_until_ms, backoff_later(t->now_ms, least_ms));
	if (t->request->n == 1) {
		count(&o->n_forbidden);
		if (is_first) {
			count(&o->n_first_forbidden);
			others_ms = others_from_ms(t);
		}
	}
	o->others_until_ms = MAX(others_ms, least_ms);
}

/* Others were taken meanwhile, so it is about this one. */
static void on_one_forbidden_again(const struct turn_out *t, struct entry *e)
{
	struct outbox *o = t->o;

	note_refusal(o, t->request, t->now_ms);
	if (e->n_forbidden > FORBIDDEN_MAX)
		entry_fail(o, e, t->verdict->status,
			   "it is forbidden while others are taken, something may filter what is "
			   "in it: %s", t->verdict->text);
	else
		entry_rest(o, e, backoff_later(t->now_ms, backoff_ms(&o->backoff, 0)));
}

static void on_one_forbidden(const struct turn_out *t, struct entry *e)
{
	struct outbox *o = t->o;
	bool again = e->n_forbidden > 0 && e->n_taken != o->n_taken;

	e->alone = true;
	e->n_forbidden++;
	e->n_taken = o->n_taken;
	if (again) {
		on_one_forbidden_again(t, e);
		return;
	}
	pause_for_forbidden(t, e->n_forbidden == 1);
	entry_make_ready(o, e);		/* behind the others */
}

static void on_forbidden(const struct turn_out *t)
{
	struct entry *e = last_entry(t->request), *each;

	if (t->request->n == 1) {
		on_one_forbidden(t, e);
		return;
	}
	list_for_each(each, &t->request->entries, struct entry, link)
		each->alone = true;
	put_all_back(t);
	pause_for_forbidden(t, true);
}

static void on_refused(const struct turn_out *t)
{
	struct entry *e;

	if (t->request->n == 1) {
		on_final(t);
		return;
	}
	note_refusal(t->o, t->request, t->now_ms);
	list_for_each(e, &t->request->entries, struct entry, link)
		e->alone = true;
	put_all_back(t);
}

static void (*const on_verdict[])(const struct turn_out *t) = {
	[VERDICT_TAKEN] = on_taken,
	[VERDICT_UNSENT] = on_not_taken_yet,
	[VERDICT_LATER] = on_not_taken_yet,
	[VERDICT_DOUBTFUL] = on_doubtful,
	[VERDICT_CLOCK] = on_wrong_clock,
	[VERDICT_QUOTA] = on_quota,
	[VERDICT_FORBIDDEN] = on_forbidden,
	[VERDICT_ENTRY] = on_refused,
	[VERDICT_FINAL] = on_final,
};

void outbox_answer(struct outbox *o, struct outbox_request *request,
		   const struct verdict_answer *answer, uint64_t now_ms)
{
	struct verdict verdict;

	verdict_of(answer, &verdict);
	o->status.last_status = verdict.status;
	o->status.n_under_way--;
	on_verdict[verdict.kind](&(struct turn_out){
		.o = o, .request = request, .verdict = &verdict, .answer = answer, .now_ms = now_ms,
	});
	outbox_request_free(request);
}
