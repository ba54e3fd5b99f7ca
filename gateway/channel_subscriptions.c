/* SPDX-License-Identifier: MIT */
/*
 * The subscriptions of the hub connection, and which of them the hub means.
 *
 * Subscriptions are state: wanted, asked for, confirmed. They are made anew, with a new
 * signature, for each connection. On one connection a channel is asked for again only when the
 * hub has said no: where it said nothing it may have subscribed us, and what then comes of a
 * second subscribe each server has its own idea of. So silence ends the connection, each time
 * with more patience, as the other channels may work well on it. Silence about a channel that the
 * connection is up without does not, nor does silence after an error that named no channel: that
 * one is unsubscribed from, and asked for anew a while later, so that the answer to the first time
 * is not taken for that to the second.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/channel_private.h"

#include <limits.h>
#include <stdio.h>

#include "gateway/channel_name.h"
#include "gateway/pusher.h"
#include "gateway/sign.h"

struct subscription *channel_find(struct channel *c, struct span name)
{
	for (size_t i = 0; i < c->n_subscriptions; i++)
		if (span_is(name, c->subscriptions[i].name))
			return &c->subscriptions[i];
	return NULL;
}

bool subscription_is_private(const struct subscription *s)
{
	return strncmp(s->name, "private-", strlen("private-")) == 0;
}

/* Of a channel that the connection is up without, nothing is said in place of what keeps it from
 * being up. */
static bool is_worth_saying(const struct channel *c, const struct subscription *s)
{
	return !s->extra || c->state == CHANNEL_UP || !c->reason[0];
}

static bool set_reason_of(struct channel *c, const struct subscription *s)
{
	bool is_news = channel_set_reason(c, "channel %s is not subscribed: %s", s->name, s->why);

	c->reason_of = s->name;
	return is_news;
}

/* What is no news leaves the reason to another one, if it is that one's by now. */
static void say_not_subscribed(struct channel *c, struct subscription *s, const char *why)
{
	bool is_news = strcmp(s->why, why) != 0;

	snprintf(s->why, sizeof(s->why), "%s", why);
	if (is_worth_saying(c, s) && (is_news || !c->reason[0]) && set_reason_of(c, s))
		c->ops.state(c->data, c->state, c->reason);
}

/* The reason was one that holds no more: is there another? */
static bool find_reason(struct channel *c)
{
	channel_clear_reason(c);
	for (size_t i = 0; i < c->n_subscriptions; i++) {
		struct subscription *s = &c->subscriptions[i];

		if (s->why[0] && is_worth_saying(c, s))
			return set_reason_of(c, s);
	}
	return false;
}

void channel_tell_what_is_left(struct channel *c)
{
	(void)find_reason(c);
	c->ops.state(c->data, c->state, c->reason);
}

static void count(unsigned int *n)
{
	if (*n < UINT_MAX)
		(*n)++;
}

void subscription_refused(struct channel *c, struct subscription *s, const char *why,
			  uint64_t now_ms)
{
	/* What we took for its confirmation was that of before: begin from the beginning. */
	if (s->state == SUBSCRIPTION_CONFIRMED && !s->extra) {
		channel_set_reason(c, "channel %s is not subscribed: %s", s->name, why);
		channel_give_up(c, RETRY_BACKOFF, now_ms);
		return;
	}
	s->state = SUBSCRIPTION_REFUSED;
	s->until_ms = backoff_later(now_ms, backoff_ms(&c->backoff, s->n_refused));
	count(&s->n_refused);
	say_not_subscribed(c, s, why);
}

void channel_check_up(struct channel *c)
{
	if (c->n_confirmed < c->n_wanted)
		return;
	c->n_silent = 0;
	channel_set_state(c, CHANNEL_UP, "");
	if (find_reason(c))
		c->ops.state(c->data, c->state, c->reason);
}

void subscription_confirmed(struct channel *c, struct subscription *s)
{
	bool was_reason = c->reason_of == s->name;

	if (s->state == SUBSCRIPTION_CONFIRMED)
		return;
	s->state = SUBSCRIPTION_CONFIRMED;
	s->why[0] = '\0';
	if (!s->extra && ++c->n_confirmed == c->n_wanted)
		channel_check_up(c);
	else if (was_reason)
		channel_tell_what_is_left(c);
	if (s->extra)
		c->ops.added(c->data, s->name);
}

static int put_subscribe(struct channel *c, const struct subscription *s, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf auth = BUF_NULL;
	int r;

	if (subscription_is_private(s)) {
		r = sign_channel(c->config.key, c->config.secret, c->socket_id, s->name,
				 span_of(NULL, 0), &auth);
		if (r)
			return r;
	}
	pusher_put_subscribe(out, s->name, buf_span(&auth));
	return 0;
}

/* It doubles with each time without an answer, as far as probe_ms: for all that have to be
 * confirmed alike, as a slow hub confirms now these and then those. */
static uint64_t patience_ms(const struct channel *c, const struct subscription *s)
{
	uint64_t ms = c->config.subscribe_ms, most_ms = MAX(ms, c->config.probe_ms);
	unsigned int n_silent = s->extra ? s->n_silent : c->n_silent;

	for (unsigned int i = 0; i < n_silent && ms < most_ms; i++)
		ms = backoff_later(ms, ms);
	return MIN(ms, most_ms);
}

void subscription_ask(struct channel *c, struct subscription *s, uint64_t now_ms)
{
	CLEANUP(buf_deinit) struct buf frame = BUF_NULL;

	if (put_subscribe(c, s, &frame) || buf_error(&frame)) {
		subscription_refused(c, s, "it could not be signed (no memory?)", now_ms);
		return;
	}
	s->state = SUBSCRIPTION_ASKED;
	s->asked_ms = now_ms;
	s->until_ms = backoff_later(now_ms, patience_ms(c, s));
	c->ops.send(c->data, buf_span(&frame));
}

/* What the hub may have made of the first subscribe is undone before the second, for which there
 * is time: a late answer to the first has to be here by then. */
static void leave(struct channel *c, struct subscription *s, uint64_t now_ms)
{
	CLEANUP(buf_deinit) struct buf frame = BUF_NULL;

	pusher_put_unsubscribe(&frame, s->name);
	if (buf_error(&frame)) {
		subscription_refused(c, s, "no memory", now_ms);
		return;
	}
	s->state = SUBSCRIPTION_LEFT;
	s->was_left = true;
	s->until_ms = backoff_later(now_ms, MAX(c->config.subscribe_ms,
						backoff_ms(&c->backoff, s->n_refused)));
	c->ops.send(c->data, buf_span(&frame));
}

bool subscription_may_be_refused(const struct subscription *s)
{
	return s->state == SUBSCRIPTION_ASKED ||
	       (s->state == SUBSCRIPTION_CONFIRMED && s->was_left);
}

/* An error that named no channel may have been about this one; or it was not, and the hub has
 * subscribed us. */
static void subscription_unanswered(struct channel *c, struct subscription *s, uint64_t now_ms)
{
	bool is_unclear = c->unclear[0] && c->unclear_ms >= s->asked_ms;

	if (is_unclear || s->extra) {
		count(s->extra ? &s->n_silent : &s->n_refused);
		say_not_subscribed(c, s, is_unclear ? c->unclear
						    : "the hub did not answer in time");
		leave(c, s, now_ms);
	} else {
		count(&c->n_silent);
		channel_set_reason(c, "channel %s is not subscribed: the hub did not answer in "
				   "time", s->name);
		channel_give_up(c, RETRY_BACKOFF, now_ms);
	}
}

void subscription_tick(struct channel *c, struct subscription *s, uint64_t now_ms)
{
	if (now_ms < s->until_ms)
		return;
	if (s->state == SUBSCRIPTION_REFUSED || s->state == SUBSCRIPTION_LEFT)
		subscription_ask(c, s, now_ms);
	else if (s->state == SUBSCRIPTION_ASKED)
		subscription_unanswered(c, s, now_ms);
}

/* Does patience that has grown keep somebody waiting, who wants a try now? */
static bool is_overdue(const struct channel *c, const struct subscription *s, uint64_t now_ms)
{
	return s->state == SUBSCRIPTION_ASKED && now_ms - s->asked_ms >= c->config.subscribe_ms;
}

bool channel_lacks_answer(const struct channel *c, uint64_t now_ms)
{
	for (size_t i = 0; i < c->n_subscriptions; i++)
		if (!c->subscriptions[i].extra && is_overdue(c, &c->subscriptions[i], now_ms))
			return true;
	return false;
}

void channel_ask_now(struct channel *c, uint64_t now_ms)
{
	for (size_t i = 0; i < c->n_subscriptions; i++) {
		struct subscription *s = &c->subscriptions[i];

		if (s->extra && is_overdue(c, s, now_ms))
			leave(c, s, now_ms);
		if (s->state == SUBSCRIPTION_REFUSED || s->state == SUBSCRIPTION_LEFT)
			subscription_ask(c, s, now_ms);
	}
}

/* What ends a part of a sentence is none of a name here, though one may have it. */
static bool is_of_name(uint8_t ch)
{
	return channel_name_may_have(ch) && !strchr(",.;", ch);
}

/* Does text name this channel, and not one whose name only contains it? */
static bool names_channel(struct span text, const char *name)
{
	const uint8_t *p = text.p, *end = text.p + text.len;
	size_t len = strlen(name);

	while ((p = memmem(p, (size_t)(end - p), name, len)) != NULL) {
		bool begins = p == text.p || !is_of_name(p[-1]);
		bool ends = p + len == end || !is_of_name(p[len]);

		if (begins && ends)
			return true;
		p++;
	}
	return false;
}

/* The hosted service tells in its text only which subscription it refuses. The longest name wins:
 * a full stop in a name looks like the end of a sentence. */
struct subscription *channel_find_named(struct channel *c, struct span text)
{
	struct subscription *found = NULL;

	for (size_t i = 0; i < c->n_subscriptions; i++) {
		struct subscription *s = &c->subscriptions[i];

		if (text.len > 0 && names_channel(text, s->name) &&
		    (!found || strlen(s->name) > strlen(found->name)))
			found = s;
	}
	return found;
}

/* Some servers do not name it at all: then it is clear only while one alone is asked for. */
struct subscription *channel_find_only_asked(struct channel *c)
{
	struct subscription *found = NULL;

	for (size_t i = 0; i < c->n_subscriptions; i++) {
		if (c->subscriptions[i].state != SUBSCRIPTION_ASKED)
			continue;
		if (found)
			return NULL;
		found = &c->subscriptions[i];
	}
	return found;
}

bool channel_has(const struct channel *c, const char *name)
{
	for (size_t i = 0; i < c->n_subscriptions; i++)
		if (strcmp(c->subscriptions[i].name, name) == 0)
			return c->subscriptions[i].state == SUBSCRIPTION_CONFIRMED;
	return false;
}
