/* SPDX-License-Identifier: MIT */
/*
 * Fuzz harness: the life of a hub connection, whatever the hub says and when.
 *
 * The input is lines. '{' begins a frame; a letter is an event of the edge: o opened, c and a
 * number closed with that code, h and a number refused with that status, t and a number that many
 * ms of time, s start, r renew, q silence after a ping. What must hold: connecting and giving up
 * take turns, nothing is sent without a connection, no channel is asked for twice on it unless the
 * hub has said that something is wrong, or after an unsubscribe, which what is needed to be up
 * gets then only; up
 * means all confirmed, and there is always a next time unless it is not started or up.
 */
#include <config.h>	/* _GNU_SOURCE */

#undef NDEBUG
#include <assert.h>
#include <stdlib.h>

#include "gateway/channel.h"
#include "gateway/pusher.h"
#include "libchapi-ipc/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The last one is added: not needed to be up. */
static const char *const names[] = { "private-a", "private-b.c", "open", "private-added" };

#define ADDED 3

struct edge {
	struct channel *channel;
	uint64_t now_ms;
	bool connected;			/* connect was called, and nothing has ended it */
	enum channel_state state;
	unsigned int asked[ARRAY_SIZE(names)];	/* on this connection */
	unsigned int n_errors;		/* that the hub has told of on it */
};

static void op_connect(void *data)
{
	struct edge *e = data;

	assert(!e->connected);
	e->connected = true;
	e->n_errors = 0;
	memset(e->asked, 0, sizeof(e->asked));
}

static void op_disconnect(void *data)
{
	struct edge *e = data;

	assert(e->connected);
	e->connected = false;
}

/* Which of the names a subscribe or unsubscribe is about. */
static size_t which(struct span data)
{
	struct span key, value;
	struct json_reader r;
	struct buf name = BUF_NULL;
	size_t i;

	assert(json_enter_object(data, &r) == 0);
	while (json_next_member(&r, &key, &value) == 0)
		if (json_key_is(key, "channel"))
			assert(json_get_string(value, &name) == 0);
	for (i = 0; !span_is(buf_span(&name), names[i]); i++)
		assert(i + 1 < ARRAY_SIZE(names));
	buf_deinit(&name);
	return i;
}

static void note_left(struct edge *e, size_t i)
{
	assert((i == ADDED || e->n_errors > 0) && e->asked[i] > 0);
	e->asked[i] = 0;
}

static void op_send(void *data, struct span text)
{
	struct pusher_frame frame = PUSHER_FRAME_NULL;
	struct edge *e = data;
	const char *why;

	assert(e->connected);
	assert(pusher_parse(text, &frame, &why) == 0);
	assert(pusher_is_protocol_event(frame.event));
	if (span_is(frame.event, "pusher:subscribe"))
		assert(e->asked[which(frame.data)]++ <= e->n_errors);
	else if (span_is(frame.event, "pusher:unsubscribe"))
		note_left(e, which(frame.data));
	pusher_frame_deinit(&frame);
}

static void op_event(void *data, struct span channel, struct span event, struct span payload UNUSED)
{
	struct edge *e = data;
	size_t i;

	assert(e->connected && !pusher_is_protocol_event(event));
	for (i = 0; !span_is(channel, names[i]); i++)
		assert(i + 1 < ARRAY_SIZE(names));
}

static void op_state(void *data, enum channel_state state, const char *reason)
{
	struct edge *e = data;

	e->state = state;
	for (; *reason; reason++)
		assert(*reason >= ' ' && *reason <= '~');
}

static int op_keep_alive(void *data, uint64_t every_ms, uint64_t answer_ms)
{
	struct edge *e = data;

	assert(e->connected && every_ms > 0 && every_ms <= 30000 && answer_ms == 20000);
	return 0;
}

static void op_added(void *data UNUSED, const char *name)
{
	assert(strcmp(name, names[ADDED]) == 0);
}

static const struct channel_ops ops = {
	.connect = op_connect,
	.disconnect = op_disconnect,
	.send = op_send,
	.keep_alive = op_keep_alive,
	.event = op_event,
	.added = op_added,
	.state = op_state,
};

static void check(const struct edge *e)
{
	struct channel_status s;

	channel_status(e->channel, &s);
	assert(s.state == e->state);
	assert(s.n_subscribed <= s.n_wanted && s.n_wanted == ADDED);
	assert((s.state == CHANNEL_UP) == (s.socket_id[0] && s.n_subscribed == s.n_wanted));
	assert(s.state == CHANNEL_STOPPED || s.state == CHANNEL_UP ||
	       channel_next_ms(e->channel) != UINT64_MAX);
	assert(s.state == CHANNEL_STOPPED || s.state == CHANNEL_UP || s.until_ms >= e->now_ms);
	if (s.state == CHANNEL_WAITING || s.state == CHANNEL_STOPPED)
		assert(!e->connected);
	else
		assert(e->connected);
}

/* All that falls due, in its order. */
static void pass(struct edge *e, uint64_t ms)
{
	uint64_t end_ms = e->now_ms + ms, next_ms;
	int n = 0;

	while ((next_ms = channel_next_ms(e->channel)) <= end_ms && n++ < 200) {
		e->now_ms = next_ms > e->now_ms ? next_ms : e->now_ms;
		channel_tick(e->channel, e->now_ms);
		assert(channel_next_ms(e->channel) > e->now_ms);
		check(e);
	}
	e->now_ms = end_ms;
	channel_tick(e->channel, e->now_ms);
}

static void close_it(struct edge *e, unsigned int code, struct span words)
{
	if (!e->connected)
		return;
	e->connected = false;
	channel_closed(e->channel, code, words, e->now_ms);
}

static void refuse(struct edge *e, unsigned int n, struct span words)
{
	if (e->state != CHANNEL_CONNECTING)
		return;
	e->connected = false;
	channel_refused(e->channel, n % 1000, words, n, e->now_ms);
}

static void hear(struct edge *e, struct span text)
{
	struct pusher_frame frame = PUSHER_FRAME_NULL;
	const char *why;

	if (pusher_parse(text, &frame, &why) == 0 && pusher_is_protocol_event(frame.event))
		e->n_errors += memmem(frame.event.p, frame.event.len, "error", 5) != NULL;
	pusher_frame_deinit(&frame);
	channel_frame(e->channel, text, e->now_ms);
}

static void play(struct edge *e, struct span line)
{
	char number[12] = "";
	unsigned int n;

	if (line.len > 1)
		memcpy(number, line.p + 1, line.len - 1 < 8 ? line.len - 1 : 8);
	n = (unsigned int)strtoul(number, NULL, 10);
	if (line.p[0] == 'o' && e->connected)
		channel_opened(e->channel, e->now_ms);
	else if (line.p[0] == 'c')
		close_it(e, n % 65536, line);
	else if (line.p[0] == 'h')
		refuse(e, n, line);
	else if (line.p[0] == 't')
		pass(e, n);
	else if (line.p[0] == 's')
		channel_start(e->channel, e->now_ms);
	else if (line.p[0] == 'q')
		channel_silent(e->channel, e->now_ms);
	else if (line.p[0] == 'r')
		channel_renew(e->channel, "for a test", e->now_ms);
	else
		hear(e, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct channel_config config = {
		.key = "key",
		.secret = "secret",
		.names = names,
		.n_names = ADDED,
		.handshake_ms = 15000,
		.subscribe_ms = 10000,
		.ping_interval_ms = 30000,
		.pong_timeout_ms = 20000,
		.backoff_least_ms = 1000,
		.backoff_most_ms = 60000,
		.backoff_reset_ms = 60000,
		.probe_ms = 900000,
		.seed = 1,
	};
	struct edge e = { .now_ms = 1000, .state = CHANNEL_STOPPED };

	if (channel_new(&config, &ops, &e, &e.channel) != 0)
		return 0;
	assert(channel_add(e.channel, names[ADDED], e.now_ms) == 0);
	channel_start(e.channel, e.now_ms);
	while (len > 0) {
		const uint8_t *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) : len;

		if (n > 0)
			play(&e, span_of(data, n));
		check(&e);
		n += end != NULL;
		data += n;
		len -= n;
	}
	channel_free(e.channel);
	return 0;
}
