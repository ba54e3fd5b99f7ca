/* SPDX-License-Identifier: MIT */
/*
 * The queue of what is to be published: what goes in, what is sent now, and with what.
 *
 * Where an event is between the two: outbox_entries.c; what the hub's answer changes, and when
 * there is a pause: outbox_answer.c.
 */
#include "gateway/outbox_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NEVER UINT64_MAX
#define TRY_MS 1000 /* an event has at least, from when it is added; longer than one is held back */
#define BATCH_FRAME 16 /* bytes of a batch's body around its events, and between two of them */

/* ---- requests ------------------------------------------------------------------------------- */

void outbox_request_free(struct outbox_request *request)
{
	list_del(&request->link);
	free(request);
}

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
	e = entries_find_other(o);
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

/* If anything is ready; see pause_for_forbidden(). */
static uint64_t next_try_ms(const struct outbox *o)
{
	if (o->others_until_ms < o->pause_until_ms && entries_find_other(o))
		return o->others_until_ms;
	return o->pause_until_ms;
}

/* Is it of use on time only? What was tried before has waited enough. */
static bool is_pressing(const struct entry *e)
{
	return e->alone || e->on_time || e->tries > 0;
}

/*
 * What would leave with room in its batch waits for company while another request is under way: a
 * request costs both sides more than an event in it does.
 */
static uint64_t held_until_ms(const struct outbox *o)
{
	const struct entry *first = list_first(&o->ready, struct entry, link), *e;
	size_t len = BATCH_FRAME;
	unsigned int n = 0;

	if (o->status.n_under_way == 0 || !first)
		return 0;
	list_for_each(e, &o->ready, struct entry, link) {
		len += e->body_len + 1;
		if (is_pressing(e) || ++n >= o->config.batch ||
		    (o->config.request_max > 0 && len > o->config.request_max))
			return 0;
	}
	return backoff_later(first->added_ms, o->config.hold_ms);
}

/* If there is room. */
static uint64_t next_take_ms(const struct outbox *o)
{
	return MAX(next_try_ms(o), held_until_ms(o));
}

struct outbox_request *outbox_take(struct outbox *o, uint64_t now_ms)
{
	struct outbox_request *request;

	entries_advance(o, now_ms);
	if (list_empty(&o->ready) || !has_room(o) || now_ms < next_take_ms(o))
		return NULL;
	request = calloc(1, sizeof(*request));
	if (!request) {
		outbox_pause_until(o, backoff_later(now_ms, backoff_ms(&o->backoff, 0)));
		outbox_set_trouble(o, MAX(o->status.pause, OUTBOX_TROUBLE),
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

/*
 * When it is given up. What tells that time is over, or is of this moment, comes when its time
 * ends: it is to be tried, even without a grace.
 */
static uint64_t deadline_of(const struct outbox *o, const struct outbox_event *event,
			    uint64_t now_ms)
{
	uint64_t until_ms = backoff_later(event->deadline_ms, o->config.grace_ms);

	if (event->on_time)
		return event->deadline_ms;
	return until_ms < now_ms ? until_ms : MAX(until_ms, backoff_later(now_ms, TRY_MS));
}

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
	entries_advance(o, now_ms);
	e->added_ms = now_ms;
	e->deadline_ms = deadline_of(o, event, now_ms);
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
		next_ms = MIN(next_ms, next_take_ms(o));
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

	entries_advance(o, now_ms);
	while ((e = list_first(&o->done, struct entry, link)))
		tell(o, e);
}

void outbox_hurry(struct outbox *o)
{
	struct entry *e;

	outbox_pause_until(o, 0);
	o->wanted_until_ms = 0;
	while ((e = list_first(&o->resting, struct entry, link)))
		entry_make_ready(o, e);
}

/* The pause for trouble is over, but not a time that the hub has named. */
static void end_trouble(struct outbox *o)
{
	const uint64_t wanted_until_ms = o->wanted_until_ms;

	if (o->status.pause != OUTBOX_TROUBLE)
		return;
	outbox_hurry(o);
	outbox_pause_until(o, wanted_until_ms);
	o->wanted_until_ms = wanted_until_ms;
}

void outbox_hub_is_back(struct outbox *o)
{
	end_trouble(o);
}

void outbox_clock_set(struct outbox *o)
{
	o->status.clock_offset_s = 0;
	if (o->clock_trouble)
		end_trouble(o);
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
		outbox_request_free(request);
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
		ret_status->until_ms = next_try_ms(o);
}
