/* SPDX-License-Identifier: MIT */
/*
 * Events that are queued.
 *
 * An entry is in one place at a time: ready to be sent, resting before it is sent again, in
 * a request, or done. One timer each stands for whatever ends its being there: the end of
 * its rest, or its deadline. Those in a request have none, as HTTP has a limit of its own.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/outbox_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct pusher_event entry_event(const struct entry *e, const char *socket_id)
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

void entry_free(struct entry *e)
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

struct entry *entry_new(const struct outbox_event *event, outbox_fn fn, void *data)
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

int entry_measure(struct entry *e)
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

void entry_leave(struct outbox *o, struct entry *e)
{
	timers_del(&o->timers, &e->timer);
	list_del(&e->link);
}

void entry_make_ready(struct outbox *o, struct entry *e)
{
	entry_leave(o, e);
	list_add_tail(&o->ready, &e->link);
	timers_add(&o->timers, &e->timer, e->deadline_ms);
}

void entry_put_back(struct outbox *o, struct entry *e)
{
	entry_make_ready(o, e);
	list_del(&e->link);
	list_add_front(&o->ready, &e->link);
}

void entry_rest(struct outbox *o, struct entry *e, uint64_t until_ms)
{
	entry_leave(o, e);
	list_add_tail(&o->resting, &e->link);
	timers_add(&o->timers, &e->timer, MIN(until_ms, e->deadline_ms));
}

void entry_end(struct outbox *o, struct entry *e, unsigned int status)
{
	entry_leave(o, e);
	e->status = status;
	list_add_tail(&o->done, &e->link);
}

void entry_fail(struct outbox *o, struct entry *e, unsigned int status, const char *fmt, ...)
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

void entries_advance(struct outbox *o, uint64_t now_ms)
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

struct entry *entries_find_other(const struct outbox *o)
{
	struct entry *e;

	list_for_each(e, &o->ready, struct entry, link)
		if (e->n_forbidden == 0)
			return e;
	return NULL;
}
