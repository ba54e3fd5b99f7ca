/* SPDX-License-Identifier: MIT */
/*
 * The edges of a hub connection, played by a test: see channel_edges.h.
 */
#include "tests/unit/channel_edges.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const two_names[] = { PRIVATE, PUBLIC };

static void on_connect(void *data)
{
	struct world *w = data;

	w->n_connects++;
}

static void on_disconnect(void *data)
{
	struct world *w = data;

	w->n_disconnects++;
}

static void on_send(void *data, struct span frame)
{
	struct world *w = data;

	buf_put(&w->sent, frame.p, frame.len);
	buf_put_byte(&w->sent, '\n');
}

static int on_keep_alive(void *data, uint64_t every_ms, uint64_t answer_ms)
{
	struct world *w = data;

	w->ping_every_ms = every_ms;
	w->answer_ms = answer_ms;
	return w->keep_alive;
}

static void put_span(struct buf *b, struct span s)
{
	buf_put(b, s.p, s.len);
}

static void on_event(void *data, struct span channel, struct span event, struct span payload)
{
	struct world *w = data;

	w->n_events++;
	buf_clear(&w->event);
	put_span(&w->event, channel);
	buf_put_byte(&w->event, ' ');
	put_span(&w->event, event);
	buf_put_byte(&w->event, ' ');
	put_span(&w->event, payload);
}

static void on_state(void *data, enum channel_state state, const char *reason)
{
	struct world *w = data;

	w->n_states++;
	w->state = state;
	snprintf(w->reason, sizeof(w->reason), "%s", reason);
}

static void on_added(void *data, const char *name)
{
	struct world *w = data;

	assert_true(strcmp(name, EXTRA) == 0 || strcmp(name, ANOTHER) == 0);
	w->n_added++;
}

static const struct channel_ops ops = {
	.connect = on_connect,
	.disconnect = on_disconnect,
	.send = on_send,
	.keep_alive = on_keep_alive,
	.event = on_event,
	.added = on_added,
	.state = on_state,
};

const struct channel_config defaults = {
	.key = "aaaabbbbccccddddeeee",
	.secret = "11112222333344445555",
	.names = two_names,
	.n_names = ARRAY_SIZE(two_names),
	.handshake_ms = 15000,
	.subscribe_ms = 10000,
	.ping_interval_ms = 30000,
	.pong_timeout_ms = 20000,
	.backoff_least_ms = 1000,
	.backoff_most_ms = 60000,
	.backoff_reset_ms = 60000,
	.probe_ms = 900000,
	.seed = 42,
};

void world_init_config(struct world *w, const struct channel_config *config)
{
	*w = (struct world){ .now = START, .state = CHANNEL_STOPPED };
	assert_int_equal(channel_new(config, &ops, w, &w->channel), 0);
}

void world_init(struct world *w)
{
	world_init_config(w, &defaults);
}

void world_deinit(struct world *w)
{
	channel_free(w->channel);
	buf_deinit(&w->sent);
	buf_deinit(&w->event);
}

/* ---- what happens ---------------------------------------------------------------------- */

uint64_t next(const struct world *w)
{
	return channel_next_ms(w->channel);
}

void pass(struct world *w, uint64_t ms)
{
	w->now += ms;
	channel_tick(w->channel, w->now);
}

void pass_to_next(struct world *w)
{
	assert_true(next(w) != NEVER);
	w->now = MAX(w->now, next(w));
	channel_tick(w->channel, w->now);
}

void frame(struct world *w, const char *text)
{
	channel_frame(w->channel, span_str(text), w->now);
}

void framef(struct world *w, const char *fmt, ...)
{
	char text[2000];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	frame(w, text);
}

void closed(struct world *w, unsigned int code, const char *why)
{
	channel_closed(w->channel, code, span_str(why), w->now);
}

void start(struct world *w)
{
	channel_start(w->channel, w->now);
}

void opened(struct world *w)
{
	channel_opened(w->channel, w->now);
}

void establish_as(struct world *w, const char *socket_id)
{
	if (w->state != CHANNEL_CONNECTING)
		start(w);
	opened(w);
	framef(w,
	       "{\"event\":\"pusher:connection_established\","
	       "\"data\":\"{\\\"socket_id\\\":\\\"%s\\\",\\\"activity_timeout\\\":120}\"}",
	       socket_id);
}

void establish(struct world *w)
{
	establish_as(w, "1234.5678");
}

void confirm(struct world *w, const char *name)
{
	framef(w,
	       "{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"%s\","
	       "\"data\":\"{}\"}",
	       name);
}

void bring_up(struct world *w)
{
	establish(w);
	confirm(w, PRIVATE);
	confirm(w, PUBLIC);
	buf_clear(&w->sent);
}

/* ---- what is there then ----------------------------------------------------------------- */

void assert_state(const struct world *w, enum channel_state state)
{
	struct channel_status status;

	channel_status(w->channel, &status);
	assert_int_equal(status.state, state);
	assert_int_equal(w->state, state);
}

void assert_told(const struct world *w, const char *words)
{
	if (!strstr(w->reason, words))
		fail_msg("\"%s\" does not say \"%s\"", w->reason, words);
}

void assert_sent(struct world *w, const char *lines)
{
	assert_int_equal(buf_error(&w->sent), 0);
	assert_int_equal(w->sent.len, strlen(lines));
	if (w->sent.len > 0)
		assert_memory_equal(buf_data(&w->sent), lines, w->sent.len);
	buf_clear(&w->sent);
}

void assert_event(const struct world *w, const char *text)
{
	assert_int_equal(w->event.len, strlen(text));
	assert_memory_equal(buf_data(&w->event), text, w->event.len);
}

struct channel_status status_of(const struct world *w)
{
	struct channel_status status;

	channel_status(w->channel, &status);
	return status;
}

void assert_waits_for(const struct world *w, const char *what, const char *channel,
		      uint64_t until_ms)
{
	struct channel_status status = status_of(w);

	assert_string_equal(status.waits_for, what);
	assert_string_equal(status.waits_channel, channel);
	assert_true(status.until_ms == until_ms);
}

void assert_waits(const struct world *w, uint64_t least, uint64_t most)
{
	uint64_t wait;

	assert_state(w, CHANNEL_WAITING);
	assert_true(next(w) >= w->now);
	wait = next(w) - w->now;
	if (wait < least || wait > most)
		fail_msg("waits %" PRIu64 " ms, not %" PRIu64 " to %" PRIu64, wait, least, most);
	assert_true(status_of(w).until_ms == next(w));
}
