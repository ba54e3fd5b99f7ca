/* SPDX-License-Identifier: MIT */
/*
 * The life of the hub connection.
 *
 * One rule above the details: it never gives up. What a new try can only repeat (a wrong key,
 * a disabled app) is tried rarely, as it can be put right on the hub's side; all else is tried
 * with growing, jittered waits, which begin anew only after a connection has been healthy for
 * a while: a hub that accepts and closes at once must not be hammered.
 *
 * What the hub says: channel_frames.c; its subscriptions: channel_subscriptions.c; what is told of
 * it: channel_status.c.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/channel_private.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define AT_ONCE_MOST_MS 500		/* so that not everybody comes back in one moment */
#define OVER_CAPACITY_LEAST_MS 1000
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

bool channel_is_established(const struct channel *c)
{
	return c->state == CHANNEL_SUBSCRIBING || c->state == CHANNEL_UP;
}

bool channel_is_connected(const struct channel *c)
{
	return c->state == CHANNEL_CONNECTING || channel_is_established(c);
}

void channel_set_state(struct channel *c, enum channel_state state, const char *reason)
{
	c->state = state;
	c->ops.state(c->data, state, reason);
}

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

void channel_set_reason_of_code(struct channel *c, unsigned int code, const char *words)
{
	if (words[0])
		channel_set_reason(c, "%u: %s (%s)", code, close_code_sentence(code), words);
	else
		channel_set_reason(c, "%u: %s", code, close_code_sentence(code));
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
	if (channel_is_established(c) && now_ms - c->established_ms >= c->config.backoff_reset_ms)
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
	if (channel_is_established(c))
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
	if (channel_is_established(c)) {
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

void channel_closed(struct channel *c, unsigned int code, struct span why, uint64_t now_ms)
{
	char words[160];

	if (!channel_is_connected(c))
		return;
	snprintf(words, sizeof(words), "%.*s", (int)MIN(why.len, sizeof(words)),
		 why.p ? (const char *)why.p : "");
	if (!words[0] && c->hub_says[0] && now_ms - c->hub_said_ms <= SAID_FRESH_MS)
		snprintf(words, sizeof(words), "%.150s", c->hub_says);
	if (code)
		c->close_code = code;
	if (code)
		channel_set_reason_of_code(c, code, words);
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
	if (!channel_is_established(c))
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
	if (!channel_is_established(c))
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
	if (channel_is_established(c))
		established_tick(c, now_ms);
	else if (c->state == CHANNEL_STOPPED || now_ms < c->until_ms)
		return;
	else if (c->state == CHANNEL_WAITING)
		connect_now(c, now_ms);
	else
		handshake_timed_out(c, now_ms);
}
