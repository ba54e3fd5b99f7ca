/* SPDX-License-Identifier: MIT */
/*
 * What a frame of the hub means for the connection, and for its subscriptions.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/channel_private.h"

#include <stdio.h>

#include "gateway/pusher.h"

#define FADES_MS 60000	/* an error of the hub in general that is not repeated is over then */

/* As often as is wanted here, or as the hub expects to hear of us. False: there is no memory for
 * that, and the connection is given up. */
static bool keep_alive(struct channel *c, const struct pusher_established *established,
		       uint64_t now_ms)
{
	uint64_t hub_ms = established->activity_timeout_s * UINT64_C(1000);
	uint64_t every_ms = MAX(MIN(c->config.ping_interval_ms, hub_ms), 1);
	int r = c->ops.keep_alive(c->data, every_ms, c->config.pong_timeout_ms);

	if (r == 0)
		return true;
	channel_set_reason(c, "the connection cannot be watched: %s", strerror(-r));
	channel_give_up(c, RETRY_BACKOFF, now_ms);
	return false;
}

static void on_established(struct channel *c, const struct pusher_frame *frame, uint64_t now_ms)
{
	struct pusher_established established;

	if (c->state != CHANNEL_CONNECTING) {
		c->n_ignored++;
		return;
	}
	if (pusher_parse_established(frame->data, &established)) {
		channel_set_reason(c, "the hub's greeting has no usable socket_id; is it a "
				   "Pusher server?");
		channel_give_up(c, RETRY_BACKOFF, now_ms);
		return;
	}
	if (!keep_alive(c, &established, now_ms))
		return;
	memcpy(c->socket_id, established.socket_id, sizeof(c->socket_id));
	c->established_ms = now_ms;
	channel_clear_reason(c);
	channel_set_state(c, CHANNEL_SUBSCRIBING, "");
	for (size_t i = 0; i < c->n_subscriptions; i++)
		subscription_ask(c, &c->subscriptions[i], now_ms);
	channel_check_up(c);	/* with nothing to subscribe to */
}

static void on_subscribed(struct channel *c, const struct pusher_frame *frame,
			  uint64_t now_ms UNUSED)
{
	struct subscription *s = channel_find(c, frame->channel);

	if (channel_is_established(c) && s && s->state != SUBSCRIPTION_IDLE &&
	    s->state != SUBSCRIPTION_LEFT)
		subscription_confirmed(c, s);
	else
		c->n_ignored++;
}

static void keep_hub_says(struct channel *c, const struct pusher_error *error, uint64_t now_ms)
{
	c->hub_said_ms = now_ms;
	if (error->code)
		c->error_code = error->code;
	if (error->code)
		snprintf(c->hub_says, sizeof(c->hub_says), "the hub says %u: %.150s", error->code,
			 error->message);
	else
		snprintf(c->hub_says, sizeof(c->hub_says), "the hub says: %.150s", error->message);
}

/* 401 and 403 are some servers' own; hosted it is the text alone that says so. */
static bool is_about_signature(const struct pusher_error *error)
{
	return error->code == 4009 || error->code == 401 || error->code == 403 ||
	       strcasestr(error->message, "signature") || strcasestr(error->message, "auth");
}

/* By the hub, in its words, which keep_hub_says() has kept; with what to do about it, where that
 * is known. */
static void subscription_refused_by_hub(struct channel *c, struct subscription *s,
					const struct pusher_error *error, uint64_t now_ms)
{
	char why[sizeof(c->hub_says) + 80];

	if (!subscription_is_private(s) || !is_about_signature(error)) {
		subscription_refused(c, s, c->hub_says, now_ms);
		return;
	}
	snprintf(why, sizeof(why), "our signature is not taken, check key and secret_file (%s)",
		 c->hub_says);
	subscription_refused(c, s, why, now_ms);
}

static void on_subscription_error(struct channel *c, const struct pusher_frame *frame,
				  uint64_t now_ms)
{
	struct subscription *s = channel_find(c, frame->channel);
	struct pusher_error error;

	if (!channel_is_established(c) || !s || !subscription_may_be_refused(s)) {
		c->n_ignored++;
		return;
	}
	pusher_parse_error(frame->data, &error);
	keep_hub_says(c, &error, now_ms);
	subscription_refused_by_hub(c, s, &error, now_ms);
}

/* Before pusher:connection_established an error acts as a close would: some servers say it and
 * keep the connection. */
static void on_early_error(struct channel *c, const struct pusher_error *error, uint64_t now_ms)
{
	if (error->code < 4000 || error->code > 4999)
		return;
	channel_set_reason_of_code(c, error->code, error->message);
	channel_give_up(c, close_code_retry(error->code), now_ms);
}

static struct subscription *find_refused(struct channel *c, const struct pusher_frame *frame,
					 const struct pusher_error *error)
{
	struct subscription *s = frame->channel.len > 0 ? channel_find(c, frame->channel)
							 : channel_find_named(c, frame->data);

	if (!s && frame->channel.len == 0 && error->code == 4009)
		s = channel_find_only_asked(c);
	return s && subscription_may_be_refused(s) ? s : NULL;
}

/* What the hosted service says to an unsubscribe of what was not subscribed (see leave()), and to
 * a subscribe of what is: no trouble, and no reason of a close that follows. Of one that was left
 * it came late: by now it is not subscribed. */
static bool is_good_news(struct channel *c, const struct pusher_frame *frame,
			 const struct pusher_error *error)
{
	struct subscription *s = channel_find_named(c, frame->data);

	if (strstr(error->message, "No current subscription"))
		return true;
	if (!strstr(error->message, "Existing subscription") || !s || s->state == SUBSCRIPTION_IDLE)
		return false;
	if (s->state == SUBSCRIPTION_LEFT)
		c->n_ignored++;
	else
		subscription_confirmed(c, s);
	return true;
}

static bool names_none(struct channel *c, const struct pusher_frame *frame)
{
	return frame->channel.len == 0 && !channel_find_named(c, frame->data);
}

static void say_in_general(struct channel *c, uint64_t now_ms)
{
	bool is_news = channel_set_reason(c, "%s", c->hub_says);

	c->fades_ms = backoff_later(now_ms, FADES_MS);
	if (is_news)
		c->ops.state(c->data, c->state, c->reason);
}

/* Afterwards it is information, about a subscription or in general: some servers send codes
 * of every range for a single bad message. */
static void on_late_error(struct channel *c, const struct pusher_frame *frame,
			  const struct pusher_error *error, uint64_t now_ms)
{
	struct subscription *s = find_refused(c, frame, error);

	if (s)
		subscription_refused_by_hub(c, s, error, now_ms);
	else
		say_in_general(c, now_ms);
	if (!s && names_none(c, frame)) {
		memcpy(c->unclear, c->hub_says, sizeof(c->unclear));
		c->unclear_ms = now_ms;
	}
}

static void on_error(struct channel *c, const struct pusher_frame *frame, uint64_t now_ms)
{
	struct pusher_error error;

	pusher_parse_error(frame->data, &error);
	if (channel_is_established(c) && is_good_news(c, frame, &error))
		return;
	keep_hub_says(c, &error, now_ms);
	if (channel_is_established(c))
		on_late_error(c, frame, &error, now_ms);
	else
		on_early_error(c, &error, now_ms);
}

/* Sends what was built; nothing at all if memory did not suffice for it. */
static int send_frame(struct channel *c, const struct buf *frame)
{
	int r = buf_error(frame);

	if (!r)
		c->ops.send(c->data, buf_span(frame));
	return r;
}

static void on_ping(struct channel *c, const struct pusher_frame *frame UNUSED,
		    uint64_t now_ms UNUSED)
{
	CLEANUP(buf_deinit) struct buf pong = BUF_NULL;

	pusher_put_pong(&pong);
	if (send_frame(c, &pong))
		c->n_ignored++;
}

/* That it came was what mattered: see keepalive.h. */
static void on_pong(struct channel *c UNUSED, const struct pusher_frame *frame UNUSED,
		    uint64_t now_ms UNUSED)
{
}

static const struct {
	const char *event;
	void (*on)(struct channel *c, const struct pusher_frame *frame, uint64_t now_ms);
} protocol_events[] = {
	{ "pusher_internal:subscription_succeeded", on_subscribed },
	{ "pusher:subscription_error", on_subscription_error },
	{ "pusher_internal:subscription_error", on_subscription_error },
	{ "pusher:connection_established", on_established },
	{ "pusher:error", on_error },
	{ "pusher:ping", on_ping },
	{ "pusher:pong", on_pong },
};

static void handle_protocol_event(struct channel *c, const struct pusher_frame *frame,
				  uint64_t now_ms)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocol_events); i++) {
		if (span_is(frame->event, protocol_events[i].event)) {
			protocol_events[i].on(c, frame, now_ms);
			return;
		}
	}
	c->n_ignored++;
}

static void handle_event(struct channel *c, const struct pusher_frame *frame)
{
	struct subscription *s = channel_find(c, frame->channel);

	if (channel_is_established(c) && s && s->state != SUBSCRIPTION_IDLE)
		c->ops.event(c->data, frame->channel, frame->event, frame->data);
	else
		c->n_ignored++;
}

void channel_frame(struct channel *c, struct span text, uint64_t now_ms)
{
	CLEANUP(pusher_frame_deinit) struct pusher_frame frame = PUSHER_FRAME_NULL;
	const char *why;

	if (!channel_is_connected(c))
		return;
	if (pusher_parse(text, &frame, &why))
		c->n_ignored++;
	else if (pusher_is_protocol_event(frame.event))
		handle_protocol_event(c, &frame, now_ms);
	else
		handle_event(c, &frame);
}
