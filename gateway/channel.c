/* SPDX-License-Identifier: MIT */
/*
 * The life of the hub connection.
 *
 * One rule above the details: it never gives up. What a new try can only repeat (a wrong key,
 * a disabled app) is tried rarely, as it can be put right on the hub's side; all else is tried
 * with growing, jittered waits, which begin anew only after a connection has been healthy for
 * a while: a hub that accepts and closes at once must not be hammered.
 *
 * Its subscriptions: channel_subscriptions.c; what is told of it: channel_status.c.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/channel_private.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/pusher.h"

#define AT_ONCE_MOST_MS 500		/* so that not everybody comes back in one moment */
#define OVER_CAPACITY_LEAST_MS 1000
#define FADES_MS 60000	/* an error of the hub in general that is not repeated is over then */
#define SAID_FRESH_MS 5000 /* an error of the hub explains a close that soon after it */

/* ---- waits ------------------------------------------------------------------------------ */

static uint64_t retry_ms(struct channel *c, enum retry retry)
{
	if (retry == RETRY_SLOWLY)
		return backoff_between(&c->backoff, c->config.probe_ms / 3, c->config.probe_ms);
	if (retry == RETRY_AT_ONCE && c->n_failures == 0)
		return backoff_between(&c->backoff, 0, AT_ONCE_MOST_MS);
	if (retry == RETRY_OVER_CAPACITY)
		return backoff_later(OVER_CAPACITY_LEAST_MS,
				     backoff_ms(&c->backoff, c->n_failures));
	return backoff_ms(&c->backoff, c->n_failures);
}

/* ---- state ------------------------------------------------------------------------------ */

static bool is_established(const struct channel *c)
{
	return c->state == CHANNEL_SUBSCRIBING || c->state == CHANNEL_UP;
}

static bool is_connected(const struct channel *c)
{
	return c->state == CHANNEL_CONNECTING || is_established(c);
}

void channel_set_state(struct channel *c, enum channel_state state, const char *reason)
{
	c->state = state;
	c->ops.state(c->data, state, reason);
}

/* Keeps what went wrong for the status, as one line of printable ASCII. True if it is news. */
bool channel_set_reason(struct channel *c, const char *fmt, ...)
{
	char text[sizeof(c->reason)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	for (char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	if (strcmp(text, c->reason) == 0)
		return false;
	memcpy(c->reason, text, sizeof(text));
	c->reason_of = NULL;
	c->fades_ms = NEVER;
	return true;
}

void channel_clear_reason(struct channel *c)
{
	c->reason[0] = '\0';
	c->reason_of = NULL;
	c->fades_ms = NEVER;
}

static void forget_connection(struct channel *c)
{
	c->opened = false;
	c->socket_id[0] = '\0';
	c->hub_says[0] = '\0';
	c->unclear[0] = '\0';
	c->n_confirmed = 0;
	for (size_t i = 0; i < c->n_subscriptions; i++) {
		c->subscriptions[i].state = SUBSCRIPTION_IDLE;
		c->subscriptions[i].n_refused = 0;
		c->subscriptions[i].n_silent = 0;
		c->subscriptions[i].was_left = false;
		c->subscriptions[i].why[0] = '\0';
	}
}

/* The connection is no more; c->reason says why. least_ms: what the other end asks for, on top of
 * which all have waits of their own. */
static void begin_wait(struct channel *c, enum retry retry, uint64_t least_ms, uint64_t now_ms)
{
	if (is_established(c) && now_ms - c->established_ms >= c->config.backoff_reset_ms)
		c->n_failures = 0;
	c->until_ms = backoff_later(now_ms, backoff_later(retry_ms(c, retry), least_ms));
	if (c->n_failures < UINT_MAX)
		c->n_failures++;
	forget_connection(c);
	channel_set_state(c, CHANNEL_WAITING, c->reason);
}

void channel_give_up(struct channel *c, enum retry retry, uint64_t now_ms)
{
	c->ops.disconnect(c->data);
	begin_wait(c, retry, 0, now_ms);
}

static void connect_now(struct channel *c, uint64_t now_ms)
{
	forget_connection(c);
	c->n_connects++;
	c->until_ms = backoff_later(now_ms, c->config.handshake_ms);
	channel_set_state(c, CHANNEL_CONNECTING, "");
	c->ops.connect(c->data);
}

/* Sends what was built; nothing at all if memory did not suffice for it. */
static int send_frame(struct channel *c, const struct buf *frame)
{
	int r = buf_error(frame);

	if (!r)
		c->ops.send(c->data, buf_span(frame));
	return r;
}

/* ---- frames ----------------------------------------------------------------------------- */

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

	if (is_established(c) && s && s->state != SUBSCRIPTION_IDLE &&
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

	if (!is_established(c) || !s || !subscription_may_be_refused(s)) {
		c->n_ignored++;
		return;
	}
	pusher_parse_error(frame->data, &error);
	keep_hub_says(c, &error, now_ms);
	subscription_refused_by_hub(c, s, &error, now_ms);
}

/* "4001: what it means and what to do (the hub's own words)" */
static void set_reason_of_code(struct channel *c, unsigned int code, const char *words)
{
	if (words[0])
		channel_set_reason(c, "%u: %s (%s)", code, close_code_sentence(code), words);
	else
		channel_set_reason(c, "%u: %s", code, close_code_sentence(code));
}

/* Before pusher:connection_established an error acts as a close would: some servers say it and
 * keep the connection. */
static void on_early_error(struct channel *c, const struct pusher_error *error, uint64_t now_ms)
{
	if (error->code < 4000 || error->code > 4999)
		return;
	set_reason_of_code(c, error->code, error->message);
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
	if (is_established(c) && is_good_news(c, frame, &error))
		return;
	keep_hub_says(c, &error, now_ms);
	if (is_established(c))
		on_late_error(c, frame, &error, now_ms);
	else
		on_early_error(c, &error, now_ms);
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

	if (is_established(c) && s && s->state != SUBSCRIPTION_IDLE)
		c->ops.event(c->data, frame->channel, frame->event, frame->data);
	else
		c->n_ignored++;
}

/* ---- public ----------------------------------------------------------------------------- */

static void add_subscription(struct channel *c, const char *name)
{
	if (channel_find(c, span_str(name)))
		return;
	c->subscriptions[c->n_subscriptions++] = (struct subscription){ .name = name };
	c->n_wanted++;
}

int channel_add(struct channel *c, const char *name, uint64_t now_ms)
{
	struct subscription *subscriptions;

	if (channel_find(c, span_str(name)))
		return 0;
	subscriptions =
		reallocarray(c->subscriptions, c->n_subscriptions + 1, sizeof(*subscriptions));
	if (!subscriptions)
		return -ENOMEM;
	c->subscriptions = subscriptions;
	subscriptions += c->n_subscriptions++;
	*subscriptions = (struct subscription){ .name = name, .extra = true };
	if (is_established(c))
		subscription_ask(c, subscriptions, now_ms);
	return 0;
}

void channel_set_timing(struct channel *c, const struct channel_config *config)
{
	c->config.handshake_ms = config->handshake_ms;
	c->config.subscribe_ms = config->subscribe_ms;
	c->config.backoff_reset_ms = config->backoff_reset_ms;
	c->config.probe_ms = config->probe_ms;
	c->backoff.least_ms = config->backoff_least_ms;
	c->backoff.most_ms = MAX(config->backoff_least_ms, config->backoff_most_ms);
}

int channel_new(const struct channel_config *config, const struct channel_ops *ops, void *data,
		struct channel **ret_channel)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->config = *config;
	c->ops = *ops;
	c->data = data;
	c->backoff.random = config->seed;
	channel_set_timing(c, config);
	c->state = CHANNEL_STOPPED;
	c->subscriptions = calloc(MAX(config->n_names, 1), sizeof(*c->subscriptions));
	if (!c->subscriptions) {
		channel_free(c);
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->n_names; i++)
		add_subscription(c, config->names[i]);
	forget_connection(c);
	*ret_channel = c;
	return 0;
}

struct channel *channel_free(struct channel *c)
{
	if (!c)
		return NULL;
	free(c->subscriptions);
	free(c);
	return NULL;
}

/* Silence that has lasted is waited out no longer. */
static void start_established(struct channel *c, uint64_t now_ms)
{
	if (!channel_lacks_answer(c, now_ms)) {
		channel_ask_now(c, now_ms);
		return;
	}
	c->ops.disconnect(c->data);
	connect_now(c, now_ms);
}

void channel_start(struct channel *c, uint64_t now_ms)
{
	if (c->state == CHANNEL_STOPPED)
		c->n_failures = 0;
	if (is_established(c)) {
		start_established(c, now_ms);
		return;
	}
	if (c->state == CHANNEL_CONNECTING)
		c->ops.disconnect(c->data);
	connect_now(c, now_ms);
}

void channel_renew(struct channel *c, const char *why, uint64_t now_ms)
{
	if (c->state != CHANNEL_UP)
		return;
	channel_set_reason(c, "%s", why);
	channel_give_up(c, RETRY_AT_ONCE, now_ms);
}

void channel_opened(struct channel *c, uint64_t now_ms UNUSED)
{
	if (c->state == CHANNEL_CONNECTING)
		c->opened = true;
}

void channel_frame(struct channel *c, struct span text, uint64_t now_ms)
{
	CLEANUP(pusher_frame_deinit) struct pusher_frame frame = PUSHER_FRAME_NULL;
	const char *why;

	if (!is_connected(c))
		return;
	if (pusher_parse(text, &frame, &why))
		c->n_ignored++;
	else if (pusher_is_protocol_event(frame.event))
		handle_protocol_event(c, &frame, now_ms);
	else
		handle_event(c, &frame);
}

void channel_closed(struct channel *c, unsigned int code, struct span why, uint64_t now_ms)
{
	char words[160];

	if (!is_connected(c))
		return;
	snprintf(words, sizeof(words), "%.*s", (int)MIN(why.len, sizeof(words)),
		 why.p ? (const char *)why.p : "");
	if (!words[0] && c->hub_says[0] && now_ms - c->hub_said_ms <= SAID_FRESH_MS)
		snprintf(words, sizeof(words), "%.150s", c->hub_says);
	if (code)
		c->close_code = code;
	if (code)
		set_reason_of_code(c, code, words);
	else
		channel_set_reason(c, "%s: %s",
				   c->opened ? "the connection to the hub was lost"
					     : "the hub cannot be reached",
				   words[0] ? words : "no reason was given");
	begin_wait(c, close_code_retry(code), 0, now_ms);
}

void channel_refused(struct channel *c, unsigned int status, struct span why, uint64_t least_ms,
		     uint64_t now_ms)
{
	if (c->state != CHANNEL_CONNECTING)
		return;
	channel_set_reason(c, "the hub cannot be reached: %.*s", (int)MIN(why.len, 300),
			   why.p ? (const char *)why.p : "");
	begin_wait(c, close_code_status_retry(status), least_ms, now_ms);
}

uint64_t channel_next_ms(const struct channel *c)
{
	uint64_t next_ms;

	if (c->state == CHANNEL_STOPPED)
		return NEVER;
	if (!is_established(c))
		return c->until_ms;
	next_ms = c->state == CHANNEL_UP ? c->fades_ms : NEVER;
	for (size_t i = 0; i < c->n_subscriptions; i++) {
		const struct subscription *s = &c->subscriptions[i];

		if (s->state != SUBSCRIPTION_IDLE && s->state != SUBSCRIPTION_CONFIRMED)
			next_ms = MIN(next_ms, s->until_ms);
	}
	return next_ms;
}

static void handshake_timed_out(struct channel *c, uint64_t now_ms)
{
	if (!c->opened)
		channel_set_reason(c, "no connection to the hub within %" PRIu64 " ms",
				   c->config.handshake_ms);
	else if (c->hub_says[0])
		channel_set_reason(c, "connected, but not welcomed: %s", c->hub_says);
	else
		channel_set_reason(c,
				   "connected, but the hub did not greet us within %" PRIu64
				   " ms; is it a Pusher server?",
				   c->config.handshake_ms);
	channel_give_up(c, RETRY_BACKOFF, now_ms);
}

void channel_silent(struct channel *c, uint64_t now_ms)
{
	if (!is_established(c))
		return;
	channel_set_reason(c,
			   "the hub did not answer a ping within %" PRIu64
			   " ms; the network may be gone",
			   c->config.pong_timeout_ms);
	channel_give_up(c, RETRY_BACKOFF, now_ms);
}

static void established_tick(struct channel *c, uint64_t now_ms)
{
	for (size_t i = 0; i < c->n_subscriptions; i++)
		subscription_tick(c, &c->subscriptions[i], now_ms);
	if (c->state == CHANNEL_UP && now_ms >= c->fades_ms)
		channel_tell_what_is_left(c);
}

void channel_tick(struct channel *c, uint64_t now_ms)
{
	if (is_established(c))
		established_tick(c, now_ms);
	else if (c->state == CHANNEL_STOPPED || now_ms < c->until_ms)
		return;
	else if (c->state == CHANNEL_WAITING)
		connect_now(c, now_ms);
	else
		handshake_timed_out(c, now_ms);
}
