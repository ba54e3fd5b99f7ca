/* SPDX-License-Identifier: MIT */
/*
 * The life of the hub connection.
 *
 * One rule above the details: it never gives up. What a new try can only repeat (a wrong key,
 * a disabled app) is tried rarely, as it can be put right on the hub's side; all else is tried
 * with growing, jittered waits, which begin anew only after a connection has been healthy for
 * a while: a hub that accepts and closes at once must not be hammered.
 *
 * Subscriptions are state: wanted, asked for, confirmed. They are made anew, with a new
 * signature, for each connection. On one connection a channel is asked for again only when the
 * hub has said no: where it said nothing it may have subscribed us, and what then comes of a
 * second subscribe each server has its own idea of. So silence ends the connection, each time
 * with more patience, as the other channels may work well on it.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/channel.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/backoff.h"
#include "gateway/pusher.h"
#include "gateway/sign.h"

#define NEVER UINT64_MAX
#define AT_ONCE_MOST_MS 500		/* so that not everybody comes back in one moment */
#define OVER_CAPACITY_LEAST_MS 1000
#define SAID_FRESH_MS 5000 /* an error of the hub explains a close that soon after it */

enum subscription_state {
	SUBSCRIPTION_IDLE,	/* not asked for on this connection */
	SUBSCRIPTION_ASKED,
	SUBSCRIPTION_REFUSED,	/* to be asked for again */
	SUBSCRIPTION_CONFIRMED,
};

struct subscription {
	const char *name;
	enum subscription_state state;
	uint64_t until_ms;	/* asked: for an answer; refused: the next try */
	uint64_t asked_ms;
	unsigned int n_refused;	/* on this connection */
	unsigned int n_unanswered;	/* on so many connections, one after the other */
	bool extra;		/* the connection is up without it */
};

struct channel {
	struct channel_config config;
	struct channel_ops ops;
	void *data;
	struct backoff backoff;

	enum channel_state state;
	uint64_t until_ms;	/* waiting: the next try; connecting: the end of patience */
	unsigned int n_failures;	/* since a connection was healthy */
	bool opened;
	char reason[400];	/* of the last trouble */
	char hub_says[200];	/* the last pusher:error of this connection */
	uint64_t hub_said_ms;
	unsigned int close_code, error_code;	/* the last ones there were */

	/* of an established connection */
	char socket_id[65];
	uint64_t established_ms;
	uint64_t ping_every_ms, ping_at_ms;
	uint64_t pong_until_ms;

	struct subscription *subscriptions;
	size_t n_subscriptions;
	size_t n_wanted, n_confirmed;	/* without the extra ones */
	uint64_t n_connects, n_ignored;
};

/* ---- what a code means ------------------------------------------------------------------ */

enum retry {
	RETRY_BACKOFF,		/* with growing waits */
	RETRY_AT_ONCE,		/* the first time, then with growing waits */
	RETRY_OVER_CAPACITY,	/* after a second, with growing waits on top of it */
	RETRY_SLOWLY,		/* a new try will only repeat it, until somebody does something */
};

/* The range decides what is done... */
static const struct {
	unsigned int first, last;
	enum retry retry;
	const char *sentence;
} code_ranges[] = {
	{ 1000, 1000, RETRY_BACKOFF, "the hub has ended the connection" },
	{ 1001, 1001, RETRY_BACKOFF, "the hub is going away" },
	{ 1002, 1003, RETRY_BACKOFF, "the hub did not like what it got" },
	{ 1006, 1006, RETRY_BACKOFF, "the connection broke off" },
	{ 1009, 1009, RETRY_BACKOFF, "a message was too large for the hub" },
	{ 1011, 1014, RETRY_BACKOFF, "the hub is in trouble" },
	{ 4000, 4099, RETRY_SLOWLY,
	  "the hub refuses this connection; check the settings of the app" },
	{ 4100, 4199, RETRY_OVER_CAPACITY, "the hub cannot take the connection now" },
	{ 4200, 4299, RETRY_AT_ONCE, "the hub asks for a new connection" },
	{ 4300, 4399, RETRY_BACKOFF, "the hub closed for an error of another kind" },
};

/* ...the code only explains. */
static const struct {
	unsigned int code;
	const char *sentence;
} code_sentences[] = {
	{ 4000, "the hub takes TLS connections only; set tls = yes, and port if it is set" },
	{ 4001, "the hub does not know this key; check key and cluster" },
	{ 4003, "the app is disabled; enable it at the hub" },
	{ 4004, "the app has as many connections as it may; close others or raise its limit" },
	{ 4005, "the hub does not know this path; check host, port and path_prefix" },
	{ 4006, "the hub cannot read our version; is there a proxy that changes the address?" },
	{ 4007, "the hub does not speak version 7 of the protocol; use another server" },
	{ 4008, "the hub got no protocol version; is there a proxy that cuts the address?" },
	{ 4009, "the hub does not authorise this connection; check key and secret_file" },
	{ 4100, "the hub is over capacity" },
	{ 4200, "the hub asks for a new connection, as it does when it restarts" },
	{ 4201, "the hub did not get our pong in time; is the network very slow?" },
	{ 4202, "the hub closed for inactivity" },
	{ 4301, "the hub refused a client event" },
	{ 4302, "the watch list is too long for the hub" },
};

static enum retry code_retry(unsigned int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(code_ranges); i++)
		if (code >= code_ranges[i].first && code <= code_ranges[i].last)
			return code_ranges[i].retry;
	return RETRY_BACKOFF;
}

static const char *code_sentence(unsigned int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(code_sentences); i++)
		if (code == code_sentences[i].code)
			return code_sentences[i].sentence;
	for (size_t i = 0; i < ARRAY_SIZE(code_ranges); i++)
		if (code >= code_ranges[i].first && code <= code_ranges[i].last)
			return code_ranges[i].sentence;
	return "the connection was closed";
}

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

static void set_state(struct channel *c, enum channel_state state, const char *reason)
{
	c->state = state;
	c->ops.state(c->data, state, reason);
}

/* Keeps what went wrong for the status, as one line of printable ASCII. True if it is news. */
static bool PRINTF(2, 3) set_reason(struct channel *c, const char *fmt, ...)
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
	return true;
}

static void forget_connection(struct channel *c)
{
	c->opened = false;
	c->socket_id[0] = '\0';
	c->hub_says[0] = '\0';
	c->pong_until_ms = NEVER;
	c->n_confirmed = 0;
	for (size_t i = 0; i < c->n_subscriptions; i++) {
		c->subscriptions[i].state = SUBSCRIPTION_IDLE;
		c->subscriptions[i].n_refused = 0;
	}
}

/* The connection is no more; c->reason says why. */
static void begin_wait(struct channel *c, enum retry retry, uint64_t now_ms)
{
	if (is_established(c) && now_ms - c->established_ms >= c->config.backoff_reset_ms)
		c->n_failures = 0;
	c->until_ms = backoff_later(now_ms, retry_ms(c, retry));
	if (c->n_failures < UINT_MAX)
		c->n_failures++;
	forget_connection(c);
	set_state(c, CHANNEL_WAITING, c->reason);
}

static void give_up(struct channel *c, enum retry retry, uint64_t now_ms)
{
	c->ops.disconnect(c->data);
	begin_wait(c, retry, now_ms);
}

static void connect_now(struct channel *c, uint64_t now_ms)
{
	forget_connection(c);
	c->n_connects++;
	c->until_ms = backoff_later(now_ms, c->config.handshake_ms);
	set_state(c, CHANNEL_CONNECTING, "");
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

/* ---- subscriptions ---------------------------------------------------------------------- */

static struct subscription *find_subscription(struct channel *c, struct span name)
{
	for (size_t i = 0; i < c->n_subscriptions; i++)
		if (span_is(name, c->subscriptions[i].name))
			return &c->subscriptions[i];
	return NULL;
}

static bool is_private(const char *name)
{
	return strncmp(name, "private-", strlen("private-")) == 0;
}

/* Of a channel that the connection is up without, nothing is said in place of what keeps it from
 * being up. */
static bool is_worth_saying(const struct channel *c, const struct subscription *s)
{
	return !s->extra || c->state == CHANNEL_UP || !c->reason[0];
}

static void subscription_refused(struct channel *c, struct subscription *s, const char *why,
				 uint64_t now_ms)
{
	s->state = SUBSCRIPTION_REFUSED;
	s->until_ms = backoff_later(now_ms, backoff_ms(&c->backoff, s->n_refused));
	if (s->n_refused < UINT_MAX)
		s->n_refused++;
	if (is_worth_saying(c, s) &&
	    set_reason(c, "channel %s is not subscribed: %s", s->name, why))
		c->ops.state(c->data, c->state, c->reason);
}

static void check_up(struct channel *c)
{
	if (c->n_confirmed < c->n_wanted)
		return;
	c->reason[0] = '\0';
	set_state(c, CHANNEL_UP, "");
}

static void subscription_confirmed(struct channel *c, struct subscription *s)
{
	if (s->state == SUBSCRIPTION_CONFIRMED)
		return;
	s->state = SUBSCRIPTION_CONFIRMED;
	s->n_unanswered = 0;
	if (s->extra) {
		if (c->state == CHANNEL_UP)
			c->reason[0] = '\0';	/* if any, it was about such a one */
		c->ops.added(c->data, s->name);
		return;
	}
	c->n_confirmed++;
	check_up(c);
}

static int put_subscribe(struct channel *c, const struct subscription *s, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf auth = BUF_NULL;
	int r;

	if (is_private(s->name)) {
		r = sign_channel(c->config.key, c->config.secret, c->socket_id, s->name,
				 span_of(NULL, 0), &auth);
		if (r)
			return r;
	}
	pusher_put_subscribe(out, s->name, buf_span(&auth));
	return 0;
}

/* It doubles with each connection without an answer, as far as probe_ms. */
static uint64_t patience_ms(const struct channel *c, const struct subscription *s)
{
	uint64_t ms = c->config.subscribe_ms, most_ms = MAX(ms, c->config.probe_ms);

	for (unsigned int i = 0; i < s->n_unanswered && ms < most_ms; i++)
		ms = backoff_later(ms, ms);
	return MIN(ms, most_ms);
}

static void subscribe(struct channel *c, struct subscription *s, uint64_t now_ms)
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

/* What the hub has said meanwhile named no channel of ours, so it may have been about this one. */
static void subscription_unanswered(struct channel *c, struct subscription *s, uint64_t now_ms)
{
	if (c->hub_says[0] && c->hub_said_ms >= s->asked_ms) {
		subscription_refused(c, s, c->hub_says, now_ms);
		return;
	}
	set_reason(c, "channel %s is not subscribed: the hub did not answer within %" PRIu64 " ms",
		   s->name, now_ms - s->asked_ms);
	if (s->n_unanswered < UINT_MAX)
		s->n_unanswered++;
	give_up(c, RETRY_BACKOFF, now_ms);
}

static void subscription_tick(struct channel *c, struct subscription *s, uint64_t now_ms)
{
	if (now_ms < s->until_ms)
		return;
	if (s->state == SUBSCRIPTION_REFUSED)
		subscribe(c, s, now_ms);
	else if (s->state == SUBSCRIPTION_ASKED)
		subscription_unanswered(c, s, now_ms);
}

static bool is_channel_char(uint8_t ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	       (ch && strchr("_-=@", ch));
}

/* Does text name this channel, and not one whose name only contains it? */
static bool names_channel(struct span text, const char *name)
{
	const uint8_t *p = text.p, *end = text.p + text.len;
	size_t len = strlen(name);

	while ((p = memmem(p, (size_t)(end - p), name, len)) != NULL) {
		bool begins = p == text.p || !is_channel_char(p[-1]);
		bool ends = p + len == end || !is_channel_char(p[len]);

		if (begins && ends)
			return true;
		p++;
	}
	return false;
}

/* The hosted service tells in its text only which subscription it refuses. The longest name wins:
 * a full stop in a name looks like the end of a sentence. */
static struct subscription *find_named(struct channel *c, struct span text)
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
static struct subscription *find_only_asked(struct channel *c)
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

/* ---- frames ----------------------------------------------------------------------------- */

static void on_established(struct channel *c, const struct pusher_frame *frame, uint64_t now_ms)
{
	struct pusher_established established;

	if (c->state != CHANNEL_CONNECTING) {
		c->n_ignored++;
		return;
	}
	if (pusher_parse_established(frame->data, &established)) {
		set_reason(c, "the hub's greeting has no usable socket_id; is it a Pusher server?");
		give_up(c, RETRY_BACKOFF, now_ms);
		return;
	}
	memcpy(c->socket_id, established.socket_id, sizeof(c->socket_id));
	c->established_ms = now_ms;
	c->ping_every_ms =
		MIN(c->config.ping_interval_ms, established.activity_timeout_s * UINT64_C(1000));
	c->ping_every_ms = MAX(c->ping_every_ms, 1);
	c->ping_at_ms = backoff_later(now_ms, c->ping_every_ms);
	c->reason[0] = '\0';
	set_state(c, CHANNEL_SUBSCRIBING, "");
	for (size_t i = 0; i < c->n_subscriptions; i++)
		subscribe(c, &c->subscriptions[i], now_ms);
	check_up(c);	/* with nothing to subscribe to */
}

static void on_subscribed(struct channel *c, const struct pusher_frame *frame,
			  uint64_t now_ms UNUSED)
{
	struct subscription *s = find_subscription(c, frame->channel);

	if (is_established(c) && s && s->state != SUBSCRIPTION_IDLE)
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

	if (!is_private(s->name) || !is_about_signature(error)) {
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
	struct subscription *s = find_subscription(c, frame->channel);
	struct pusher_error error;

	if (!is_established(c) || !s || s->state != SUBSCRIPTION_ASKED) {
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
		set_reason(c, "%u: %s (%s)", code, code_sentence(code), words);
	else
		set_reason(c, "%u: %s", code, code_sentence(code));
}

/* Before pusher:connection_established an error acts as a close would: some servers say it and
 * keep the connection. */
static void on_early_error(struct channel *c, const struct pusher_error *error, uint64_t now_ms)
{
	if (error->code < 4000 || error->code > 4999)
		return;
	set_reason_of_code(c, error->code, error->message);
	give_up(c, code_retry(error->code), now_ms);
}

static struct subscription *find_refused(struct channel *c, const struct pusher_frame *frame,
					 const struct pusher_error *error)
{
	struct subscription *s = frame->channel.len > 0 ? find_subscription(c, frame->channel)
							 : find_named(c, frame->data);

	if (!s && frame->channel.len == 0 && error->code == 4009)
		s = find_only_asked(c);
	return s && s->state == SUBSCRIPTION_ASKED ? s : NULL;
}

/* Afterwards it is information, about a subscription or in general: some servers send codes
 * of every range for a single bad message. */
static void on_late_error(struct channel *c, const struct pusher_frame *frame,
			  const struct pusher_error *error, uint64_t now_ms)
{
	struct subscription *s = find_refused(c, frame, error);

	if (s && strstr(error->message, "Existing subscription"))
		subscription_confirmed(c, s);
	else if (s)
		subscription_refused_by_hub(c, s, error, now_ms);
	else if (set_reason(c, "%s", c->hub_says))
		c->ops.state(c->data, c->state, c->reason);
}

static void on_error(struct channel *c, const struct pusher_frame *frame, uint64_t now_ms)
{
	struct pusher_error error;

	pusher_parse_error(frame->data, &error);
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

/* That it came was what mattered: see channel_frame(). */
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
	struct subscription *s = find_subscription(c, frame->channel);

	if (is_established(c) && s && s->state != SUBSCRIPTION_IDLE)
		c->ops.event(c->data, frame->channel, frame->event, frame->data);
	else
		c->n_ignored++;
}

/* ---- public ----------------------------------------------------------------------------- */

static void add_subscription(struct channel *c, const char *name)
{
	if (find_subscription(c, span_str(name)))
		return;
	c->subscriptions[c->n_subscriptions++] = (struct subscription){ .name = name };
	c->n_wanted++;
}

int channel_add(struct channel *c, const char *name, uint64_t now_ms)
{
	struct subscription *subscriptions;

	if (find_subscription(c, span_str(name)))
		return 0;
	subscriptions =
		reallocarray(c->subscriptions, c->n_subscriptions + 1, sizeof(*subscriptions));
	if (!subscriptions)
		return -ENOMEM;
	c->subscriptions = subscriptions;
	subscriptions += c->n_subscriptions++;
	*subscriptions = (struct subscription){ .name = name, .extra = true };
	if (is_established(c))
		subscribe(c, subscriptions, now_ms);
	return 0;
}

bool channel_has(const struct channel *c, const char *name)
{
	for (size_t i = 0; i < c->n_subscriptions; i++)
		if (strcmp(c->subscriptions[i].name, name) == 0)
			return c->subscriptions[i].state == SUBSCRIPTION_CONFIRMED;
	return false;
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

static void ask_refused(struct channel *c, uint64_t now_ms)
{
	for (size_t i = 0; i < c->n_subscriptions; i++)
		if (c->subscriptions[i].state == SUBSCRIPTION_REFUSED)
			subscribe(c, &c->subscriptions[i], now_ms);
}

void channel_start(struct channel *c, uint64_t now_ms)
{
	if (c->state == CHANNEL_STOPPED)
		c->n_failures = 0;
	if (is_established(c))
		ask_refused(c, now_ms);
	else if (!is_connected(c))
		connect_now(c, now_ms);
}

void channel_renew(struct channel *c, const char *why, uint64_t now_ms)
{
	if (c->state != CHANNEL_UP)
		return;
	set_reason(c, "%s", why);
	give_up(c, RETRY_AT_ONCE, now_ms);
}

void channel_stop(struct channel *c, uint64_t now_ms UNUSED)
{
	if (c->state == CHANNEL_STOPPED)
		return;
	if (is_connected(c))
		c->ops.disconnect(c->data);
	forget_connection(c);
	c->reason[0] = '\0';
	set_state(c, CHANNEL_STOPPED, "");
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
	c->pong_until_ms = NEVER;	/* whatever it says, the hub lives */
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
		set_reason(c, "%s: %s",
			   c->opened ? "the connection to the hub was lost"
				     : "the hub cannot be reached",
			   words[0] ? words : "no reason was given");
	begin_wait(c, code_retry(code), now_ms);
}

uint64_t channel_next_ms(const struct channel *c)
{
	uint64_t next_ms;

	if (c->state == CHANNEL_STOPPED)
		return NEVER;
	if (!is_established(c))
		return c->until_ms;
	next_ms = MIN(c->ping_at_ms, c->pong_until_ms);
	for (size_t i = 0; i < c->n_subscriptions; i++) {
		const struct subscription *s = &c->subscriptions[i];

		if (s->state == SUBSCRIPTION_ASKED || s->state == SUBSCRIPTION_REFUSED)
			next_ms = MIN(next_ms, s->until_ms);
	}
	return next_ms;
}

static void handshake_timed_out(struct channel *c, uint64_t now_ms)
{
	if (!c->opened)
		set_reason(c, "no connection to the hub within %" PRIu64 " ms",
			   c->config.handshake_ms);
	else if (c->hub_says[0])
		set_reason(c, "connected, but not welcomed: %s", c->hub_says);
	else
		set_reason(c,
			   "connected, but the hub did not greet us within %" PRIu64
			   " ms; is it a Pusher server?",
			   c->config.handshake_ms);
	give_up(c, RETRY_BACKOFF, now_ms);
}

/* A ping goes out at its time, whatever else was said: some servers count nothing else as life. */
static void ping(struct channel *c, uint64_t now_ms)
{
	CLEANUP(buf_deinit) struct buf frame = BUF_NULL;

	c->ping_at_ms = backoff_later(now_ms, c->ping_every_ms);
	pusher_put_ping(&frame);
	if (send_frame(c, &frame))
		return;
	if (c->pong_until_ms == NEVER)
		c->pong_until_ms = backoff_later(now_ms, c->config.pong_timeout_ms);
}

static void established_tick(struct channel *c, uint64_t now_ms)
{
	if (now_ms >= c->pong_until_ms) {
		set_reason(c,
			   "the hub did not answer a ping within %" PRIu64
			   " ms; the network may be gone",
			   c->config.pong_timeout_ms);
		give_up(c, RETRY_BACKOFF, now_ms);
		return;
	}
	if (now_ms >= c->ping_at_ms)
		ping(c, now_ms);
	for (size_t i = 0; i < c->n_subscriptions; i++)
		subscription_tick(c, &c->subscriptions[i], now_ms);
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

struct wait {
	const char *what, *channel;
	uint64_t until_ms;
};

/* The channel that keeps us from being up, whose turn is next. */
static struct wait wait_of_subscriptions(const struct channel *c)
{
	struct wait wait = { "", "", NEVER };

	for (size_t i = 0; i < c->n_subscriptions; i++) {
		const struct subscription *s = &c->subscriptions[i];

		if (s->extra || s->state == SUBSCRIPTION_CONFIRMED || s->until_ms >= wait.until_ms)
			continue;
		wait = (struct wait){
			.what = s->state == SUBSCRIPTION_ASKED
					? "the hub to confirm the channel"
					: "the next try to subscribe to the channel",
			.channel = s->name,
			.until_ms = s->until_ms,
		};
	}
	return wait;
}

static struct wait wait_of(const struct channel *c)
{
	switch (c->state) {
	case CHANNEL_WAITING:
		return (struct wait){ "the next try to connect", "", c->until_ms };
	case CHANNEL_CONNECTING:
		return (struct wait){ c->opened ? "the hub's greeting"
						: "a connection to the hub",
				      "", c->until_ms };
	case CHANNEL_SUBSCRIBING:
		return wait_of_subscriptions(c);
	case CHANNEL_UP:
		if (c->pong_until_ms != NEVER)
			return (struct wait){ "the answer to a ping", "", c->pong_until_ms };
		break;
	case CHANNEL_STOPPED:
		break;
	}
	return (struct wait){ "", "", 0 };
}

void channel_status(const struct channel *c, struct channel_status *ret_status)
{
	struct wait wait = wait_of(c);

	*ret_status = (struct channel_status){
		.state = c->state,
		.socket_id = c->socket_id,
		.reason = c->reason,
		.waits_for = wait.what,
		.waits_channel = wait.channel,
		.until_ms = wait.until_ms,
		.close_code = c->close_code,
		.error_code = c->error_code,
		.n_connects = c->n_connects,
		.n_subscribed = c->n_confirmed,
		.n_ignored = c->n_ignored,
		.n_wanted = c->n_wanted,
	};
}
