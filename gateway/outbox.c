/* SPDX-License-Identifier: MIT */
/*
 * The queue of what is to be published, and what is done about each answer.
 *
 * An entry is in one place at a time: ready to be sent, resting before it is sent again, in
 * a request, or done. One timer each stands for whatever ends its being there: the end of
 * its rest, or its deadline. Those in a request have none, as HTTP has a limit of its own.
 *
 * Trouble is the hub's, not an event's, so it holds all of them up: while the last request
 * went wrong one at a time is tried, after growing waits. An event that brings trouble again
 * and again rests for itself, and is sent alone, so that others get past it; one that is forbidden
 * lets another one try first, as it may be forbidden for what is in it.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/outbox.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/backoff.h"
#include "gateway/pusher.h"
#include "gateway/timers.h"

#define NEVER UINT64_MAX
#define FORBIDDEN_MAX 2 /* so often one is forbidden while others are taken; then it is given up */
#define BATCH_FRAME 16 /* bytes of a batch's body around its events, and between two of them */

struct entry {
	struct list link;
	struct timer timer;
	uint64_t deadline_ms;		/* the grace included */
	unsigned int tries;
	bool has_id, is_renewed, exclude_own, on_time;
	bool alone;			/* not in a batch any more */
	bool corrected;			/* was signed again after the clock was found wrong */
	bool in_doubt;			/* one of its tries may have been taken */
	unsigned int n_forbidden;	/* alone */
	uint64_t n_taken;		/* then: how many requests had been taken */
	size_t charged;			/* bytes of the queue's limit */
	size_t body_len;		/* in a batch; 0 where nobody asks */
	outbox_fn fn;
	void *data;

	/* Of one that is done. */
	bool failed;
	unsigned int status;
	char *error;			/* NULL, if failed: no memory for it */

	size_t channel_len, event_len, payload_len;
	uint8_t text[];			/* these three */
};

struct outbox_request {
	struct list link;
	struct list entries;
	unsigned int n;
	bool once;
	bool on_time;			/* all of its events are, or none */
	uint64_t until_ms;		/* of on_time: the first deadline */
	uint64_t n_pauses;		/* when it was taken */
};

struct outbox {
	struct outbox_config config;
	struct backoff backoff, probes;
	struct timers timers;
	struct list ready, resting, done;
	struct list requests;
	uint64_t n_pauses;
	unsigned int n_failures;	/* since an answer was a good one */
	unsigned int n_forbidden;	/* likewise, answers that did not say for how long */
	uint64_t n_taken;		/* requests */
	uint64_t pause_until_ms;
	uint64_t wanted_until_ms;	/* the hub itself wants nothing before */
	struct outbox_status status;
};

/* ---- entries -------------------------------------------------------------------------------- */

static struct pusher_event entry_event(const struct entry *e, const char *socket_id)
{
	const uint8_t *channel = e->text, *event = channel + e->channel_len,
		      *payload = event + e->event_len;

	return (struct pusher_event){
		.name = span_of(event, e->event_len),
		.channel = span_of(channel, e->channel_len),
		.data = span_of(payload, e->payload_len),
		.socket_id = span_str(e->exclude_own ? socket_id : ""),
	};
}

static void entry_free(struct entry *e)
{
	list_del(&e->link);
	free(e->error);
	free(e);
}

static void entry_copy_texts(struct entry *e, const struct outbox_event *event)
{
	const struct span parts[] = { event->channel, event->event, event->payload };
	uint8_t *p = e->text;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i].len > 0)
			memcpy(p, parts[i].p, parts[i].len);
		p += parts[i].len;
	}
	e->channel_len = event->channel.len;
	e->event_len = event->event.len;
	e->payload_len = event->payload.len;
}

static struct entry *entry_new(const struct outbox_event *event, outbox_fn fn, void *data)
{
	size_t len = event->channel.len + event->event.len + event->payload.len;
	struct entry *e = calloc(1, sizeof(*e) + len);

	if (!e)
		return NULL;
	list_init(&e->link);
	timer_init(&e->timer);
	entry_copy_texts(e, event);
	e->has_id = event->has_id;
	e->is_renewed = event->is_renewed;
	e->exclude_own = event->exclude_own;
	e->on_time = event->on_time;
	e->charged = sizeof(*e) + len;
	e->fn = fn;
	e->data = data;
	return e;
}

/* How long it is in a batch: escapes are not known before. */
static int entry_measure(struct entry *e)
{
	static const char longest_socket_id[] = "0123456789.0123456789";
	CLEANUP(buf_deinit) struct buf body = BUF_NULL;
	struct pusher_event event = entry_event(e, longest_socket_id);

	pusher_put_batch_entry(&body, &event);
	e->body_len = body.len;
	return buf_error(&body);
}

static void list_add_front(struct list *head, struct list *l)
{
	list_add_tail(head->next, l);
}

static void entry_leave(struct outbox *o, struct entry *e)
{
	timers_del(&o->timers, &e->timer);
	list_del(&e->link);
}

static void entry_make_ready(struct outbox *o, struct entry *e)
{
	entry_leave(o, e);
	list_add_tail(&o->ready, &e->link);
	timers_add(&o->timers, &e->timer, e->deadline_ms);
}

/* Before all others that are ready: it was before. */
static void entry_put_back(struct outbox *o, struct entry *e)
{
	entry_make_ready(o, e);
	list_del(&e->link);
	list_add_front(&o->ready, &e->link);
}

static void entry_rest(struct outbox *o, struct entry *e, uint64_t until_ms)
{
	entry_leave(o, e);
	list_add_tail(&o->resting, &e->link);
	timers_add(&o->timers, &e->timer, MIN(until_ms, e->deadline_ms));
}

static void entry_end(struct outbox *o, struct entry *e, unsigned int status)
{
	entry_leave(o, e);
	e->status = status;
	list_add_tail(&o->done, &e->link);
}

static void PRINTF(4, 5)
	entry_fail(struct outbox *o, struct entry *e, unsigned int status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&e->error, fmt, args) < 0)
		e->error = NULL;
	va_end(args);
	e->failed = true;
	entry_end(o, e, status);
}

static void entry_expire(struct outbox *o, struct entry *e)
{
	if (o->status.trouble[0])
		entry_fail(o, e, o->status.last_status, "it has waited too long: %s",
			   o->status.trouble);
	else
		entry_fail(o, e, 0, "it has waited too long");
}

/* Ends rests, and entries whose time is over. */
static void advance(struct outbox *o, uint64_t now_ms)
{
	struct timer *timer;

	while ((timer = timers_take(&o->timers, now_ms))) {
		struct entry *e = container_of(timer, struct entry, timer);

		if (now_ms >= e->deadline_ms)
			entry_expire(o, e);
		else
			entry_make_ready(o, e);
	}
}

/* ---- pauses --------------------------------------------------------------------------------- */

static void set_trouble(struct outbox *o, enum outbox_pause pause, const char *text)
{
	o->status.pause = pause;
	snprintf(o->status.trouble, sizeof(o->status.trouble), "%s", text);
}

static void resume(struct outbox *o)
{
	o->n_failures = o->n_forbidden = 0;
	o->pause_until_ms = o->wanted_until_ms = 0;
	set_trouble(o, OUTBOX_RUNNING, "");
}

/* Requests that were under way together and went wrong together count once. */
static bool is_old_news(const struct outbox *o, const struct outbox_request *request)
{
	return o->status.pause != OUTBOX_RUNNING && request->n_pauses != o->n_pauses;
}

/* Trouble while the quota is used up does not end that. */
static void pause_for_trouble(struct outbox *o, const struct outbox_request *request,
			      const char *text, uint64_t least_ms, uint64_t now_ms)
{
	uint64_t until_ms = backoff_later(now_ms, least_ms);

	o->wanted_until_ms = MAX(o->wanted_until_ms, until_ms);
	if (is_old_news(o, request)) {
		o->pause_until_ms = MAX(o->pause_until_ms, until_ms);
		return;
	}
	until_ms = backoff_later(now_ms, MAX(least_ms, backoff_ms(&o->backoff, o->n_failures)));
	if (o->n_failures < UINT_MAX)
		o->n_failures++;
	o->n_pauses++;
	o->pause_until_ms = until_ms;
	set_trouble(o, o->status.pause == OUTBOX_QUOTA ? OUTBOX_QUOTA : OUTBOX_TROUBLE, text);
}

/* ms: until a probe may show whether it is over. */
static void pause_for_quota(struct outbox *o, const struct outbox_request *request,
			    const char *text, uint64_t ms, uint64_t now_ms)
{
	if (o->status.pause == OUTBOX_QUOTA && is_old_news(o, request))
		return;
	o->n_pauses++;
	o->pause_until_ms = MAX(o->wanted_until_ms, backoff_later(now_ms, ms));
	set_trouble(o, OUTBOX_QUOTA, text);
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

/* ---- what is done about an answer ------------------------------------------------------------ */

struct turn_out {
	struct outbox *o;
	struct outbox_request *request;
	const struct verdict *verdict;
	const struct verdict_answer *answer;
	uint64_t now_ms;
};

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

static uint64_t retry_after_ms(const struct turn_out *t)
{
	return t->answer->retry_after_s * UINT64_C(1000);
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
	pause_for_trouble(t->o, t->request, t->verdict->text, retry_after_ms(t), t->now_ms);
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

	pause_for_trouble(t->o, t->request, t->verdict->text, retry_after_ms(t), t->now_ms);
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

/* One that has not been forbidden itself. NULL: there is none. */
static struct entry *find_other(const struct outbox *o)
{
	struct entry *e;

	list_for_each(e, &o->ready, struct entry, link)
		if (e->n_forbidden == 0)
			return e;
	return NULL;
}

/* It does not say why: if it was for a moment, little time is lost. At first another one is asked
 * at once, if there is one: it may be taken. */
static void pause_for_forbidden(const struct turn_out *t)
{
	struct outbox *o = t->o;
	bool is_first = o->n_forbidden == 0 && find_other(o);
	uint64_t ms = is_first ? 0 : backoff_ms(&o->probes, o->n_forbidden);
	uint64_t n_pauses = o->n_pauses;

	pause_for_quota(o, t->request, t->verdict->text, MAX(ms, retry_after_ms(t)), t->now_ms);
	if (o->n_pauses != n_pauses && t->request->n == 1 && o->n_forbidden < UINT_MAX)
		o->n_forbidden++;
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
	pause_for_forbidden(t);
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
	pause_for_forbidden(t);
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

static void request_free(struct outbox_request *request)
{
	list_del(&request->link);
	free(request);
}

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
	request_free(request);
}

/* ---- requests ------------------------------------------------------------------------------- */

static bool has_room(const struct outbox *o)
{
	return o->status.n_under_way <
	       (o->status.pause == OUTBOX_RUNNING ? o->config.connections : 1);
}

static void request_add(struct outbox *o, struct outbox_request *request, struct entry *e)
{
	entry_leave(o, e);
	list_add_tail(&request->entries, &e->link);
	request->n++;
	request->once |= !e->has_id;
	request->on_time = e->on_time;
	if (e->on_time)
		request->until_ms = MIN(request->until_ms, e->deadline_ms);
	if (e->tries++ > 0)
		o->status.n_repeated++;
}

/* What ends with one event's deadline ends for those with it, which may not be sent again. */
static bool goes_along(const struct outbox *o, const struct outbox_request *request,
		       const struct entry *e, size_t len)
{
	return !e->alone && e->on_time == request->on_time &&
	       (o->config.request_max == 0 || len + e->body_len <= o->config.request_max);
}

/* Whether the quota is over is tried with one, and rather not with one that was forbidden. NULL:
 * there is no doubt about the quota. */
static struct entry *find_probe(const struct outbox *o)
{
	struct entry *e;

	if (o->status.pause != OUTBOX_QUOTA)
		return NULL;
	e = find_other(o);
	return e ? e : list_first(&o->ready, struct entry, link);
}

/* As many as go together, in their order. */
static void request_fill(struct outbox *o, struct outbox_request *request)
{
	unsigned int most = o->config.batch;
	size_t len = BATCH_FRAME;
	struct entry *e = find_probe(o), *tmp;

	if (e) {
		request_add(o, request, e);
		return;
	}
	list_for_each_safe(e, tmp, &o->ready, struct entry, link) {
		if (request->n > 0 && !goes_along(o, request, e, len))
			return;
		if (e->alone)
			most = 1;
		request_add(o, request, e);
		len += e->body_len + 1;
		if (request->n >= most)
			return;
	}
}

struct outbox_request *outbox_take(struct outbox *o, uint64_t now_ms)
{
	struct outbox_request *request;

	advance(o, now_ms);
	if (list_empty(&o->ready) || !has_room(o) || now_ms < o->pause_until_ms)
		return NULL;
	request = calloc(1, sizeof(*request));
	if (!request) {
		o->pause_until_ms = backoff_later(now_ms, backoff_ms(&o->backoff, 0));
		set_trouble(o, MAX(o->status.pause, OUTBOX_TROUBLE),
			    "there is no memory to send anything");
		return NULL;
	}
	list_init(&request->entries);
	list_add_tail(&o->requests, &request->link);
	request->n_pauses = o->n_pauses;
	request->until_ms = NEVER;
	request_fill(o, request);
	o->status.n_under_way++;
	o->status.n_requests++;
	return request;
}

bool outbox_request_is_batch(const struct outbox_request *request)
{
	return request->n > 1;
}

bool outbox_request_is_once(const struct outbox_request *request)
{
	return request->once;
}

uint64_t outbox_request_until_ms(const struct outbox_request *request)
{
	return request->until_ms;
}

void outbox_request_put(const struct outbox_request *request, const char *socket_id,
			struct buf *out)
{
	const char *before = "{\"batch\":[";
	struct entry *e;

	list_for_each(e, &request->entries, struct entry, link) {
		struct pusher_event event = entry_event(e, socket_id);

		if (request->n == 1) {
			pusher_put_event_body(out, &event);
			return;
		}
		buf_put_str(out, before);
		pusher_put_batch_entry(out, &event);
		before = ",";
	}
	buf_put_str(out, "]}");
}

/* ---- events --------------------------------------------------------------------------------- */

int outbox_add(struct outbox *o, const struct outbox_event *event, outbox_fn fn, void *data,
	       uint64_t now_ms)
{
	struct entry *e = entry_new(event, fn, data);

	if (!e)
		return -ENOMEM;
	if (o->status.bytes_waiting + e->charged > o->config.bytes_max) {
		entry_free(e);
		return OUTBOX_E_FULL;
	}
	if (o->config.request_max > 0 && entry_measure(e) < 0) {
		entry_free(e);
		return -ENOMEM;
	}
	advance(o, now_ms);
	e->deadline_ms = backoff_later(event->deadline_ms, event->on_time ? 0 : o->config.grace_ms);
	o->status.n_waiting++;
	o->status.bytes_waiting += e->charged;
	entry_make_ready(o, e);
	return 0;
}

/* One that waits and was never sent, or was surely not taken. */
static struct entry *find_waiting(const struct list *entries, const void *data)
{
	struct entry *e;

	list_for_each(e, entries, struct entry, link)
		if (e->data == data)
			return e->in_doubt ? NULL : e;
	return NULL;
}

bool outbox_withdraw(struct outbox *o, const void *data)
{
	struct entry *e = find_waiting(&o->ready, data);

	if (!e)
		e = find_waiting(&o->resting, data);
	if (!e)
		return false;
	entry_leave(o, e);
	o->status.n_waiting--;
	o->status.bytes_waiting -= e->charged;
	entry_free(e);
	return true;
}

uint64_t outbox_next_ms(const struct outbox *o)
{
	uint64_t next_ms = timers_next_ms(&o->timers);

	if (!list_empty(&o->done))
		return 0;
	if (!list_empty(&o->ready) && has_room(o))
		next_ms = MIN(next_ms, o->pause_until_ms);
	return next_ms;
}

static void tell(struct outbox *o, struct entry *e)
{
	const char *error = e->error ? e->error : "there is no memory to say why";
	const struct outbox_end end = {
		.status = e->status,
		.error = e->failed ? error : NULL,
		.in_doubt = e->failed && e->in_doubt,
	};

	o->status.n_waiting--;
	o->status.bytes_waiting -= e->charged;
	if (end.in_doubt && e->is_renewed) {
		o->status.n_repeated++;
	} else if (e->failed) {
		o->status.n_failed++;
		o->status.failing = true;
		snprintf(o->status.last_error, sizeof(o->status.last_error), "%s", error);
	} else {
		o->status.n_published++;
		o->status.failing = false;
		o->status.n_excluding += e->exclude_own;
	}
	list_del(&e->link);
	if (e->fn)
		e->fn(e->data, &end);
	entry_free(e);
}

void outbox_finish(struct outbox *o, uint64_t now_ms)
{
	struct entry *e;

	advance(o, now_ms);
	while ((e = list_first(&o->done, struct entry, link)))
		tell(o, e);
}

void outbox_hurry(struct outbox *o)
{
	struct entry *e;

	o->pause_until_ms = o->wanted_until_ms = 0;
	while ((e = list_first(&o->resting, struct entry, link)))
		entry_make_ready(o, e);
}

void outbox_hub_is_back(struct outbox *o)
{
	const uint64_t wanted_until_ms = o->wanted_until_ms;

	if (o->status.pause != OUTBOX_TROUBLE)
		return;
	outbox_hurry(o);
	o->pause_until_ms = o->wanted_until_ms = wanted_until_ms;
}

void outbox_clock_set(struct outbox *o)
{
	o->status.clock_offset_s = 0;
	outbox_hurry(o);
}

int64_t outbox_clock_offset_s(const struct outbox *o)
{
	return o->status.clock_offset_s;
}

/* ---- life ----------------------------------------------------------------------------------- */

void outbox_set_limits(struct outbox *o, const struct outbox_config *config)
{
	o->config = *config;
	o->backoff.least_ms = config->backoff_least_ms;
	o->backoff.most_ms = MAX(config->backoff_least_ms, config->backoff_most_ms);
	o->probes.least_ms = config->backoff_least_ms;
	o->probes.most_ms = MAX(config->backoff_least_ms, config->probe_ms);
}

int outbox_new(const struct outbox_config *config, uint64_t now_ms, struct outbox **ret_outbox)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	outbox_set_limits(o, config);
	o->backoff.random = o->probes.random = config->seed;
	timers_init(&o->timers, now_ms);
	list_init(&o->ready);
	list_init(&o->resting);
	list_init(&o->done);
	list_init(&o->requests);
	*ret_outbox = o;
	return 0;
}

static void free_entries(struct list *entries)
{
	struct entry *e, *tmp;

	list_for_each_safe(e, tmp, entries, struct entry, link)
		entry_free(e);
}

struct outbox *outbox_free(struct outbox *o)
{
	struct outbox_request *request, *tmp;

	if (!o)
		return NULL;
	list_for_each_safe(request, tmp, &o->requests, struct outbox_request, link) {
		free_entries(&request->entries);
		request_free(request);
	}
	free_entries(&o->ready);
	free_entries(&o->resting);
	free_entries(&o->done);
	free(o);
	return NULL;
}

void outbox_status(const struct outbox *o, struct outbox_status *ret_status)
{
	*ret_status = o->status;
	if (o->status.pause != OUTBOX_RUNNING)
		ret_status->until_ms = o->pause_until_ms;
}
