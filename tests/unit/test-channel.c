/* SPDX-License-Identifier: MIT */
/*
 * The life of the hub connection. Time is a number, the hub is what a test says.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/channel.h"

#define NEVER UINT64_MAX
#define START 1000000

#define PRIVATE "private-sensor.42"
#define PUBLIC "chapi"
#define EXTRA "extra"
#define ANOTHER "another"
/* Of PRIVATE with socket id 1234.5678; see test-sign.c. */
#define AUTH "aaaabbbbccccddddeeee:f81bf0afb5499963fd811112064e1967ff36af38259d6a1d00f843e6bc92ce05"
#define ASK_PRIVATE                                                                                \
	"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"" PRIVATE "\",\"auth\":\"" AUTH   \
	"\"}}"
#define ASK_PUBLIC "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"" PUBLIC "\"}}"
#define PONG "{\"event\":\"pusher:pong\",\"data\":{}}"

static const char *const two_names[] = { PRIVATE, PUBLIC };

/* A channel, its time, and everything it did. */
struct world {
	struct channel *channel;
	uint64_t now;
	unsigned int n_connects, n_disconnects, n_states, n_events;
	struct buf sent;		/* frames, each with a line feed */
	enum channel_state state;
	char reason[400];		/* told with the state */
	struct buf event;		/* the last: CHANNEL EVENT PAYLOAD */
	unsigned int n_added;
	uint64_t ping_every_ms, answer_ms;	/* as it was asked for */
	int keep_alive;			/* what that returns */
};

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

static const struct channel_config defaults = {
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

static void world_init_config(struct world *w, const struct channel_config *config)
{
	*w = (struct world){ .now = START, .state = CHANNEL_STOPPED };
	assert_int_equal(channel_new(config, &ops, w, &w->channel), 0);
}

static void world_init(struct world *w)
{
	world_init_config(w, &defaults);
}

static void world_deinit(struct world *w)
{
	channel_free(w->channel);
	buf_deinit(&w->sent);
	buf_deinit(&w->event);
}

#define WORLD(w) CLEANUP(world_deinit) struct world w; world_init(&w)

static uint64_t next(const struct world *w)
{
	return channel_next_ms(w->channel);
}

static void pass(struct world *w, uint64_t ms)
{
	w->now += ms;
	channel_tick(w->channel, w->now);
}

/* To the next thing that the channel has to do. */
static void pass_to_next(struct world *w)
{
	assert_true(next(w) != NEVER);
	w->now = MAX(w->now, next(w));
	channel_tick(w->channel, w->now);
}

static void frame(struct world *w, const char *text)
{
	channel_frame(w->channel, span_str(text), w->now);
}

static void framef(struct world *w, const char *fmt, ...) PRINTF(2, 3);
static void framef(struct world *w, const char *fmt, ...)
{
	char text[2000];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	frame(w, text);
}

static void closed(struct world *w, unsigned int code, const char *why)
{
	channel_closed(w->channel, code, span_str(why), w->now);
}

static void start(struct world *w)
{
	channel_start(w->channel, w->now);
}

static void opened(struct world *w)
{
	channel_opened(w->channel, w->now);
}

/* Up to the hub's greeting. */
static void establish_as(struct world *w, const char *socket_id)
{
	if (w->state != CHANNEL_CONNECTING)
		start(w);
	opened(w);
	framef(w,
	       "{\"event\":\"pusher:connection_established\","
	       "\"data\":\"{\\\"socket_id\\\":\\\"%s\\\",\\\"activity_timeout\\\":120}\"}",
	       socket_id);
}

static void establish(struct world *w)
{
	establish_as(w, "1234.5678");
}

static void confirm(struct world *w, const char *name)
{
	framef(w,
	       "{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"%s\","
	       "\"data\":\"{}\"}",
	       name);
}

static void bring_up(struct world *w)
{
	establish(w);
	confirm(w, PRIVATE);
	confirm(w, PUBLIC);
	buf_clear(&w->sent);
}

static void assert_state(const struct world *w, enum channel_state state)
{
	struct channel_status status;

	channel_status(w->channel, &status);
	assert_int_equal(status.state, state);
	assert_int_equal(w->state, state);
}

static void assert_told(const struct world *w, const char *words)
{
	if (!strstr(w->reason, words))
		fail_msg("\"%s\" does not say \"%s\"", w->reason, words);
}

/* What was sent since the last time. */
static void assert_sent(struct world *w, const char *lines)
{
	assert_int_equal(buf_error(&w->sent), 0);
	assert_int_equal(w->sent.len, strlen(lines));
	if (w->sent.len > 0)
		assert_memory_equal(buf_data(&w->sent), lines, w->sent.len);
	buf_clear(&w->sent);
}

static void assert_event(const struct world *w, const char *text)
{
	assert_int_equal(w->event.len, strlen(text));
	assert_memory_equal(buf_data(&w->event), text, w->event.len);
}

static struct channel_status status_of(const struct world *w)
{
	struct channel_status status;

	channel_status(w->channel, &status);
	return status;
}

static void assert_waits_for(const struct world *w, const char *what, const char *channel,
			     uint64_t until_ms)
{
	struct channel_status status = status_of(w);

	assert_string_equal(status.waits_for, what);
	assert_string_equal(status.waits_channel, channel);
	assert_true(status.until_ms == until_ms);
}

/* The wait before the next try, in between. */
static void assert_waits(const struct world *w, uint64_t least, uint64_t most)
{
	uint64_t wait;

	assert_state(w, CHANNEL_WAITING);
	assert_true(next(w) >= w->now);
	wait = next(w) - w->now;
	if (wait < least || wait > most)
		fail_msg("waits %" PRIu64 " ms, not %" PRIu64 " to %" PRIu64, wait, least, most);
	assert_true(status_of(w).until_ms == next(w));
}

/* ---- start and stop --------------------------------------------------------------------- */

static void test_new_does_nothing_until_started(void **state UNUSED)
{
	WORLD(w);

	assert_state(&w, CHANNEL_STOPPED);
	assert_true(next(&w) == NEVER);
	pass(&w, 1000000000);
	assert_int_equal(w.n_connects, 0);
	assert_int_equal(w.n_states, 0);
}

static void test_start_connects(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	assert_state(&w, CHANNEL_CONNECTING);
	assert_int_equal(w.n_connects, 1);
	assert_true(next(&w) == START + 15000);
}

static void test_start_of_what_is_up_changes_nothing(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	start(&w);
	assert_int_equal(w.n_connects, 1);
	assert_state(&w, CHANNEL_UP);
}

/* Whoever asks for a try does not want to wait for the limit of one that hangs. */
static void test_start_while_connecting_begins_anew(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	pass(&w, 14000);
	start(&w);
	assert_int_equal(w.n_disconnects, 1);
	assert_int_equal(w.n_connects, 2);
	assert_waits_for(&w, "a connection to the hub", "", w.now + 15000);
}

static void test_start_while_waiting_tries_at_once(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	closed(&w, 4001, "");
	assert_waits(&w, 300000, 900000);
	start(&w);
	assert_state(&w, CHANNEL_CONNECTING);
	assert_int_equal(w.n_connects, 2);
}

/* ---- hand-shake ------------------------------------------------------------------------- */

static void test_handshake_nobody_answers(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	pass(&w, 14999);
	assert_state(&w, CHANNEL_CONNECTING);
	pass(&w, 1);
	assert_waits(&w, 500, 1000);
	assert_int_equal(w.n_disconnects, 1);
	assert_told(&w, "no connection to the hub within 15000 ms");
}

static void test_handshake_silent_server(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	pass(&w, 10000);
	opened(&w);
	pass(&w, 5000);
	assert_waits(&w, 500, 1000);
	assert_int_equal(w.n_disconnects, 1);
	assert_told(&w, "did not greet");
}

static void test_handshake_greeting_with_data_as_object(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	frame(&w,
	      "{\"event\":\"pusher:connection_established\","
	      "\"data\":{\"socket_id\":\"1234.5678\"}}");
	assert_state(&w, CHANNEL_SUBSCRIBING);
	assert_string_equal(status_of(&w).socket_id, "1234.5678");
}

static void test_handshake_greeting_without_socket_id(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	frame(&w, "{\"event\":\"pusher:connection_established\",\"data\":\"{}\"}");
	assert_waits(&w, 500, 1000);
	assert_int_equal(w.n_disconnects, 1);
	assert_told(&w, "no usable socket_id");
}

static void test_handshake_greeting_without_data(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	frame(&w, "{\"event\":\"pusher:connection_established\"}");
	assert_waits(&w, 500, 1000);
}

static void test_handshake_second_greeting_is_ignored(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	frame(&w, "{\"event\":\"pusher:connection_established\",\"data\":{\"socket_id\":\"9.9\"}}");
	assert_state(&w, CHANNEL_UP);
	assert_string_equal(status_of(&w).socket_id, "1234.5678");
	assert_sent(&w, "");
	assert_int_equal(status_of(&w).n_ignored, 1);
}

static void test_handshake_other_frames_do_not_end_it(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	confirm(&w, PUBLIC);
	frame(&w, "{\"event\":\"request\",\"channel\":\"" PUBLIC "\",\"data\":\"{}\"}");
	assert_state(&w, CHANNEL_CONNECTING);
	assert_int_equal(w.n_events, 0);
	assert_int_equal(status_of(&w).n_ignored, 2);
	assert_true(next(&w) == START + 15000);
}

/* ---- subscriptions ---------------------------------------------------------------------- */

static void test_subscribe_all_signed_where_private(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	assert_sent(&w, "");
	establish(&w);
	assert_state(&w, CHANNEL_SUBSCRIBING);
	assert_sent(&w, ASK_PRIVATE "\n" ASK_PUBLIC "\n");
}

static void test_subscribe_up_only_when_all_are_confirmed(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	confirm(&w, PUBLIC);
	assert_state(&w, CHANNEL_SUBSCRIBING);
	assert_int_equal(status_of(&w).n_subscribed, 1);
	assert_int_equal(status_of(&w).n_wanted, 2);
	confirm(&w, PRIVATE);
	assert_state(&w, CHANNEL_UP);
	assert_int_equal(status_of(&w).n_subscribed, 2);
}

static void test_subscribe_confirmed_twice_counts_once(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	confirm(&w, PUBLIC);
	confirm(&w, PUBLIC);
	assert_state(&w, CHANNEL_SUBSCRIBING);
	confirm(&w, PRIVATE);
	confirm(&w, PRIVATE);
	assert_int_equal(status_of(&w).n_subscribed, 2);
}

static void test_subscribe_confirmation_forms(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	frame(&w,
	      "{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"" PUBLIC "\"}");
	frame(&w, "{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"" PRIVATE
		  "\",\"data\":{}}");
	assert_state(&w, CHANNEL_UP);
}

static void test_subscribe_confirmation_of_another_channel_is_ignored(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	confirm(&w, "chapi-other");
	confirm(&w, "");
	frame(&w, "{\"event\":\"pusher_internal:subscription_succeeded\"}");
	assert_int_equal(status_of(&w).n_subscribed, 0);
	assert_int_equal(status_of(&w).n_ignored, 3);
}

static void test_subscribe_a_name_given_twice_once(void **state UNUSED)
{
	static const char *const names[] = { PUBLIC, PUBLIC };
	struct channel_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.names = names;
	world_init_config(&w, &config);
	establish(&w);
	assert_sent(&w, ASK_PUBLIC "\n");
	confirm(&w, PUBLIC);
	assert_state(&w, CHANNEL_UP);
}

static void test_subscribe_nothing_is_up_at_once(void **state UNUSED)
{
	struct channel_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.n_names = 0;
	world_init_config(&w, &config);
	establish(&w);
	assert_state(&w, CHANNEL_UP);
}

/* Never twice on a connection: the hub may have subscribed us. */
static void test_subscribe_unanswered_ends_the_connection(void **state UNUSED)
{
	struct channel_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.ping_interval_ms = NEVER;
	config.probe_ms = 35000;
	world_init_config(&w, &config);
	for (unsigned int n = 0; n < 4; n++) {
		uint64_t patience_ms = MIN(10000u << n, 35000u);

		establish(&w);
		confirm(&w, PUBLIC);
		buf_clear(&w.sent);
		pass(&w, patience_ms - 1);
		assert_state(&w, CHANNEL_SUBSCRIBING);
		pass(&w, 1);
		assert_sent(&w, "");
		assert_state(&w, CHANNEL_WAITING);
		assert_told(&w, PRIVATE " is not subscribed: the hub did not answer in time");
		assert_int_equal(w.n_disconnects, n + 1);
		pass_to_next(&w);
	}
	bring_up(&w);
	assert_true(next(&w) > w.now + 100000);
	closed(&w, 0, "");
	pass_to_next(&w);
	establish(&w);
	assert_true(next(&w) == w.now + 10000);	/* an answer ends the impatience, too */
}

/* A hub that confirms one channel after the other, slower than patience is at first: patience
 * grows for all of them, so that all are confirmed on one connection some day. */
static void test_subscribe_slow_confirmations_come_through(void **state UNUSED)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
	struct channel_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.ping_interval_ms = NEVER;
	config.probe_ms = 900000;
	config.names = names;
	config.n_names = ARRAY_SIZE(names);
	world_init_config(&w, &config);
	for (unsigned int n = 0; n < 4 && w.state != CHANNEL_UP; n++) {
		establish(&w);
		for (size_t i = 0; i < ARRAY_SIZE(names) && w.state == CHANNEL_SUBSCRIBING; i++) {
			pass(&w, 3000);
			if (w.state == CHANNEL_SUBSCRIBING)
				confirm(&w, names[i]);
		}
		if (w.state == CHANNEL_WAITING)
			pass_to_next(&w);
	}
	assert_state(&w, CHANNEL_UP);
	assert_int_equal(w.n_connects, 2);
}

/* An error that names another channel says nothing of the one about which the hub is silent. */
static void test_subscribe_silence_is_not_a_refusal_of_another(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" PUBLIC
		  "\",\"data\":{\"error\":\"no\",\"status\":403}}");
	frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"message\":\"no: " PUBLIC "\"}}");
	pass(&w, 10000);
	assert_state(&w, CHANNEL_WAITING);
	assert_told(&w, PRIVATE " is not subscribed: the hub did not answer in time");
}

static void test_subscribe_is_not_repeated_while_an_answer_is_awaited(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	buf_clear(&w.sent);
	for (unsigned int i = 0; i < 99; i++)
		pass(&w, 100);
	assert_sent(&w, "");
}

#define LEAVE_PRIVATE "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"" PRIVATE "\"}}"

/* The error was about it or not: if it was not, the hub may have subscribed us. */
static void test_subscribe_after_an_unclear_error_is_preceded_by_an_unsubscribe(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	buf_clear(&w.sent);
	frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"message\":\"busy\"}}");
	confirm(&w, PUBLIC);
	pass(&w, 10000);
	assert_told(&w, PRIVATE " is not subscribed: the hub says: busy");
	assert_sent(&w, LEAVE_PRIVATE "\n");
	confirm(&w, PRIVATE);		/* of the time before: it holds no more */
	assert_state(&w, CHANNEL_SUBSCRIBING);
	pass(&w, 9999);
	assert_sent(&w, "");
	pass(&w, 1);
	assert_sent(&w, ASK_PRIVATE "\n");
	confirm(&w, PRIVATE);
	assert_state(&w, CHANNEL_UP);
	assert_string_equal(w.reason, "");
	assert_string_equal(status_of(&w).reason, "");
	pass(&w, 15000);
	assert_sent(&w, "");
}

static void test_refusal_after_the_late_answer_to_what_was_left_ends_the_connection(
	void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	confirm(&w, PUBLIC);
	frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"message\":\"busy\"}}");
	pass(&w, 10000);
	pass_to_next(&w);
	confirm(&w, PRIVATE);		/* of the time before */
	assert_state(&w, CHANNEL_UP);
	frame(&w, "{\"event\":\"pusher:error\",\"channel\":\"" PRIVATE "\",\"data\":"
		  "{\"code\":4009,\"message\":\"no\"}}");
	assert_state(&w, CHANNEL_WAITING);
	assert_told(&w, PRIVATE);
}

/* After the public channel was confirmed, the hub refuses the private one in some form. */
static void check_refusal(const char *text, const char *words)
{
	WORLD(w);

	establish(&w);
	confirm(&w, PUBLIC);
	buf_clear(&w.sent);
	frame(&w, text);
	assert_state(&w, CHANNEL_SUBSCRIBING);
	assert_told(&w, PRIVATE);
	assert_told(&w, words);
	assert_sent(&w, "");
	assert_true(next(&w) >= w.now + 500 && next(&w) <= w.now + 1000);
	pass_to_next(&w);
	assert_sent(&w, ASK_PRIVATE "\n");
	confirm(&w, PRIVATE);
	assert_state(&w, CHANNEL_UP);
	assert_int_equal(w.n_connects, 1);
}

static void test_refused_by_subscription_error(void **state UNUSED)
{
	check_refusal(
		"{\"event\":\"pusher:subscription_error\",\"channel\":\"" PRIVATE "\",\"data\":"
		"{\"type\":\"AuthError\",\"error\":\"The connection is unauthorized.\","
		"\"status\":401}}",
		"401: The connection is unauthorized.");
}

static void test_refused_by_internal_subscription_error(void **state UNUSED)
{
	check_refusal("{\"event\":\"pusher_internal:subscription_error\",\"channel\":\"" PRIVATE
		      "\"}",
		      PRIVATE);
}

static void test_refused_by_error_with_channel(void **state UNUSED)
{
	check_refusal("{\"event\":\"pusher:error\",\"channel\":\"" PRIVATE "\",\"data\":"
		      "{\"code\":4009,\"message\":\"bad auth\"}}", "4009: bad auth");
}

static void test_refused_by_error_that_names_it_in_its_text(void **state UNUSED)
{
	check_refusal(
		"{\"event\":\"pusher:error\",\"data\":{\"code\":null,"
		"\"message\":\"Invalid signature: Expected "
		"HMAC SHA256 hex digest of 1234.5678:" PRIVATE ", but got 00\"}}",
		"Invalid signature");
}

static void test_refused_for_the_signature_names_the_secrets_file(void **state UNUSED)
{
	check_refusal(
		"{\"event\":\"pusher:error\",\"data\":{\"code\":null,"
		"\"message\":\"Invalid signature: Expected "
		"HMAC SHA256 hex digest of 1234.5678:" PRIVATE ", but got 00\"}}",
		"our signature is not taken,"
		" check key and secret_file (the hub says: Invalid signature");
	check_refusal("{\"event\":\"pusher:subscription_error\",\"channel\":\"" PRIVATE
		      "\",\"data\":"
		      "{\"type\":\"AuthError\",\"error\":\"no\",\"status\":401}}",
		      "check key and secret_file (the hub says 401: no)");
}

static void test_refused_by_error_in_a_string_that_names_it(void **state UNUSED)
{
	check_refusal(
		"{\"event\":\"pusher:error\",\"data\":\"{\\\"code\\\":null,"
		"\\\"message\\\":\\\"no, " PRIVATE
		".\\\"}\"}",
		"no, " PRIVATE);
}

static void test_refused_by_error_that_names_nothing_while_one_is_asked(void **state UNUSED)
{
	check_refusal("{\"event\":\"pusher:error\",\"data\":\"{\\\"code\\\":4009,"
		      "\\\"message\\\":\\\"Connection is unauthorized\\\"}\"}",
		      "4009: Connection is unauthorized");
}

static void test_refused_by_error_that_names_nothing_while_two_are_asked(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	frame(&w,
	      "{\"event\":\"pusher:error\",\"data\":{\"code\":4009,\"message\":\"unauthorized\"}}");
	assert_told(&w, "unauthorized");
	assert_state(&w, CHANNEL_SUBSCRIBING);
	assert_true(next(&w) == w.now + 10000);
	confirm(&w, PUBLIC);
	pass(&w, 10000);
	assert_told(&w, PRIVATE " is not subscribed: the hub says 4009: unauthorized");
}

static void test_refused_name_inside_another_name_is_not_meant(void **state UNUSED)
{
	static const char *const names[] = { "chapi", "private-chapi", "private-chapi.x",
					     "private-chapi-pi" };
	struct channel_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.names = names;
	config.n_names = ARRAY_SIZE(names);
	world_init_config(&w, &config);
	establish(&w);
	frame(&w,
	      "{\"event\":\"pusher:error\",\"data\":{\"message\":\"no such thing as 1.2:"
	      "private-chapi.x here\"}}");
	assert_told(&w, "channel private-chapi.x is");
	frame(&w,
	      "{\"event\":\"pusher:error\",\"data\":{\"message\":\"I do not like "
	      "private-chapi.\"}}");
	assert_told(&w, "channel private-chapi is");
	frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"message\":\"chapi: no\"}}");
	assert_told(&w, "channel chapi is");
	frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"message\":\"nor private-chapi-pid\"}}");
	assert_told(&w, "the hub says: nor");
}

static void test_refused_again_and_again_waits_longer(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	confirm(&w, PUBLIC);
	for (unsigned int n = 0; n < 10; n++) {
		uint64_t ceiling = MIN(1000u << n, 60000u), asked = w.now;

		frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" PRIVATE "\"}");
		buf_clear(&w.sent);
		while (!memmem(buf_data(&w.sent), w.sent.len, ASK_PRIVATE, strlen(ASK_PRIVATE))) {
			pass_to_next(&w);
			frame(&w, PONG);
		}
		assert_true(w.now - asked >= ceiling / 2 && w.now - asked <= ceiling);
	}
	assert_state(&w, CHANNEL_SUBSCRIBING);
	assert_int_equal(w.n_connects, 1);
}

static void test_refusal_is_told_once_while_it_stays_the_same(void **state UNUSED)
{
	WORLD(w);
	unsigned int n_states;

	establish(&w);
	frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" PRIVATE "\"}");
	confirm(&w, PUBLIC);
	n_states = w.n_states;
	for (unsigned int i = 0; i < 3; i++) {
		pass_to_next(&w);
		frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" PRIVATE "\"}");
	}
	assert_int_equal(w.n_states, n_states);
}

static void test_error_about_a_confirmed_channel_changes_nothing(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" PRIVATE "\"}");
	frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"code\":null,"
		  "\"message\":\"Cannot broadcast client event to " PRIVATE "\"}}");
	assert_state(&w, CHANNEL_UP);
	assert_told(&w, "the hub says: Cannot broadcast");
	assert_int_equal(status_of(&w).n_subscribed, 2);
	assert_sent(&w, "");
}

static void test_existing_subscription_is_as_good_as_confirmed(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	confirm(&w, PUBLIC);
	frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"code\":null,"
		  "\"message\":\"Existing subscription to channel " PRIVATE "\"}}");
	assert_state(&w, CHANNEL_UP);
}

static void test_existing_subscription_is_no_reason_while_all_is_well(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"code\":null,"
		  "\"message\":\"Existing subscription to channel " PRIVATE "\"}}");
	assert_state(&w, CHANNEL_UP);
	assert_string_equal(status_of(&w).reason, "");
	closed(&w, 0, "cut");
	assert_string_equal(w.reason, "the connection to the hub was lost: cut");
}

static void test_subscriptions_are_made_anew_for_each_connection(void **state UNUSED)
{
	WORLD(w);
	struct buf first = BUF_NULL;

	establish(&w);
	buf_put(&first, buf_data(&w.sent), w.sent.len);
	confirm(&w, PRIVATE);
	confirm(&w, PUBLIC);
	closed(&w, 0, "reset");
	buf_clear(&w.sent);
	establish_as(&w, "1.1");
	assert_state(&w, CHANNEL_SUBSCRIBING);
	assert_int_equal(status_of(&w).n_subscribed, 0);
	assert_int_equal(w.sent.len, first.len);
	assert_memory_not_equal(buf_data(&w.sent), buf_data(&first), first.len);
	confirm(&w, PRIVATE);
	confirm(&w, PUBLIC);
	assert_state(&w, CHANNEL_UP);
	buf_deinit(&first);
}

/* ---- pings ------------------------------------------------------------------------------ */

/* How often pings are asked for, the greeting having these fields. */
static uint64_t ping_every(uint64_t ping_interval_ms, const char *fields)
{
	struct channel_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.n_names = 0;
	config.ping_interval_ms = ping_interval_ms;
	world_init_config(&w, &config);
	start(&w);
	opened(&w);
	framef(&w,
	       "{\"event\":\"pusher:connection_established\",\"data\":{\"socket_id\":\"1.2\"%s}}",
	       fields);
	assert_state(&w, CHANNEL_UP);
	assert_int_equal(w.answer_ms, 20000);
	return w.ping_every_ms;
}

static void test_ping_at_the_shorter_interval(void **state UNUSED)
{
	assert_int_equal(ping_every(30000, ",\"activity_timeout\":120"), 30000);
	assert_int_equal(ping_every(30000, ",\"activity_timeout\":7"), 7000);
}

static void test_ping_without_the_hubs_timeout(void **state UNUSED)
{
	assert_int_equal(ping_every(30000, ""), 30000);
	assert_int_equal(ping_every(300000, ""), 120000);
	assert_int_equal(ping_every(300000, ",\"activity_timeout\":0"), 120000);
}

/* Asked for anew on each connection, and not before the hub has greeted us. */
static void test_ping_on_every_connection(void **state UNUSED)
{
	WORLD(w);

	for (unsigned int i = 0; i < 3; i++) {
		w.ping_every_ms = 0;
		start(&w);
		opened(&w);
		assert_int_equal(w.ping_every_ms, 0);
		bring_up(&w);
		assert_int_equal(w.ping_every_ms, 30000);
		assert_true(next(&w) == NEVER);
		closed(&w, 0, "");
	}
}

static void test_ping_that_cannot_be_asked_for_ends_the_connection(void **state UNUSED)
{
	WORLD(w);

	w.keep_alive = -ENOMEM;
	establish(&w);
	assert_waits(&w, 500, 1000);
	assert_int_equal(w.n_disconnects, 1);
	assert_sent(&w, "");
	assert_told(&w, "the connection cannot be watched: Cannot allocate memory");
	w.keep_alive = 0;
	pass_to_next(&w);
	bring_up(&w);
}

static void test_silence_ends_the_connection(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	channel_silent(w.channel, w.now);
	assert_waits(&w, 500, 1000);
	assert_int_equal(w.n_disconnects, 1);
	assert_told(&w, "did not answer a ping within 20000 ms");
	channel_silent(w.channel, w.now);	/* of the connection that is no more */
	pass_to_next(&w);
	assert_state(&w, CHANNEL_CONNECTING);
	assert_int_equal(w.n_connects, 2);
	assert_int_equal(w.n_disconnects, 1);
}

static void test_ping_of_the_hub_is_answered(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	frame(&w, "{\"event\":\"pusher:ping\",\"data\":{}}");
	frame(&w, "{\"event\":\"pusher:ping\",\"data\":\"{}\"}");
	frame(&w, "{\"event\":\"pusher:ping\"}");
	assert_sent(&w, PONG "\n" PONG "\n" PONG "\n");
}

static void test_ping_of_the_hub_before_its_greeting_is_answered(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	frame(&w, "{\"event\":\"pusher:ping\",\"data\":{}}");
	assert_sent(&w, PONG "\n");
	assert_state(&w, CHANNEL_CONNECTING);
}

/* ---- pusher:error ----------------------------------------------------------------------- */

static void test_error_before_the_greeting_acts_as_a_close(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	frame(&w,
	      "{\"event\":\"pusher:error\",\"data\":{\"code\":4001,"
	      "\"message\":\"App key x not in this cluster\"}}");
	assert_waits(&w, 300000, 900000);
	assert_int_equal(w.n_disconnects, 1);
	assert_told(&w, "4001: the hub does not know this key; check key and cluster");
	assert_told(&w, "not in this cluster");
	closed(&w, 4001, "");
	assert_int_equal(w.n_connects, 1);
}

static void test_error_before_the_greeting_as_string(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	frame(&w,
	      "{\"event\":\"pusher:error\",\"data\":\"{\\\"code\\\":4200,"
	      "\\\"message\\\":\\\"m\\\"}\"}");
	assert_waits(&w, 0, 500);
	assert_int_equal(w.n_disconnects, 1);
}

static void test_error_before_the_greeting_over_capacity(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"code\":4100,\"message\":\"\"}}");
	assert_waits(&w, 1500, 2000);
	assert_told(&w, "4100: the hub is over capacity");
}

static void test_error_before_the_greeting_without_code_is_kept_for_the_reason(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	frame(&w,
	      "{\"event\":\"pusher:error\",\"data\":{\"code\":null,\"message\":\"over quota\"}}");
	assert_state(&w, CHANNEL_CONNECTING);
	assert_int_equal(w.n_disconnects, 0);
	pass(&w, 15000);
	assert_told(&w, "not welcomed: the hub says: over quota");
}

static void test_error_before_a_close_without_words_is_its_reason(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	frame(&w, "{\"event\":\"pusher:error\",\"data\":\"out of order\"}");
	closed(&w, 0, "");
	assert_told(&w, "lost: the hub says: out of order");
}

static void test_error_after_the_greeting_is_information(void **state UNUSED)
{
	static const unsigned int codes[] = { 4000, 4001, 4100, 4200, 4201, 4301, 4302, 1 };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		WORLD(w);

		bring_up(&w);
		framef(&w, "{\"event\":\"pusher:error\",\"data\":{\"code\":%u,\"message\":\"hm\"}}",
		       codes[i]);
		assert_state(&w, CHANNEL_UP);
		assert_int_equal(w.n_disconnects, 0);
		assert_told(&w, "hm");
		assert_string_equal(status_of(&w).reason, w.reason);
	}
}

static void test_error_after_the_greeting_is_told_once(void **state UNUSED)
{
	WORLD(w);
	unsigned int n_states;

	bring_up(&w);
	frame(&w,
	      "{\"event\":\"pusher:error\",\"data\":{\"code\":4301,\"message\":\"slow down\"}}");
	n_states = w.n_states;
	frame(&w,
	      "{\"event\":\"pusher:error\",\"data\":{\"code\":4301,\"message\":\"slow down\"}}");
	assert_int_equal(w.n_states, n_states);
}

/* All is well, so it is no reason for ever; each time that it comes it is one for a minute. */
static void test_error_after_the_greeting_is_over_after_a_minute(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	assert_true(next(&w) == NEVER);
	for (unsigned int i = 0; i < 2; i++) {
		frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"message\":\"slow down\"}}");
		pass(&w, 59999);
		assert_string_equal(status_of(&w).reason, "the hub says: slow down");
	}
	pass_to_next(&w);
	assert_string_equal(w.reason, "");
	assert_string_equal(status_of(&w).reason, "");
	assert_state(&w, CHANNEL_UP);
	assert_true(next(&w) == NEVER);
}

static void test_error_without_data(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	frame(&w, "{\"event\":\"pusher:error\"}");
	assert_state(&w, CHANNEL_CONNECTING);
	bring_up(&w);
	frame(&w, "{\"event\":\"pusher:error\",\"data\":null}");
	assert_state(&w, CHANNEL_UP);
}

/* ---- closing: each row of the table --------------------------------------------------------- */

/* How long it waits after the first connection was closed with code, and what it says. */
static void check_close(unsigned int code, uint64_t least, uint64_t most, const char *words)
{
	WORLD(w);

	bring_up(&w);
	closed(&w, code, "");
	assert_waits(&w, least, most);
	assert_told(&w, words);
	assert_int_equal(w.n_disconnects, 0);
	assert_string_equal(status_of(&w).socket_id, "");
	pass(&w, next(&w) - w.now - 1);
	assert_int_equal(w.n_connects, 1);
	pass(&w, 1);
	assert_int_equal(w.n_connects, 2);
	assert_state(&w, CHANNEL_CONNECTING);
}

#define SLOWLY 300000, 900000
#define AT_ONCE 1, 500
#define OVER_CAPACITY 1500, 2000
#define BACKOFF 500, 1000

#define CLOSE_TEST(code, wait, words) \
	static void test_close_##code(void **state UNUSED) \
	{ \
		check_close(code, wait, words); \
	}

CLOSE_TEST(1000, BACKOFF, "1000: the hub has ended the connection")
CLOSE_TEST(1001, BACKOFF, "1001: the hub is going away")
CLOSE_TEST(1002, BACKOFF, "1002: ")
CLOSE_TEST(1006, BACKOFF, "1006: the connection broke off")
CLOSE_TEST(1009, BACKOFF, "1009: a message was too large")
CLOSE_TEST(1011, BACKOFF, "1011: the hub is in trouble")
CLOSE_TEST(3999, BACKOFF, "3999: the connection was closed")
CLOSE_TEST(4000, SLOWLY, "4000: the hub takes TLS connections only; set tls = yes")
CLOSE_TEST(4001, SLOWLY, "4001: the hub does not know this key; check key and cluster")
CLOSE_TEST(4002, SLOWLY, "4002: the hub refuses this connection; check")
CLOSE_TEST(4003, SLOWLY, "4003: the app is disabled; enable it")
CLOSE_TEST(4004, SLOWLY, "4004: the app has as many connections as it may; close others")
CLOSE_TEST(4005, SLOWLY, "4005: the hub does not know this path; check host, port and path_prefix")
CLOSE_TEST(4006, SLOWLY, "4006: ")
CLOSE_TEST(4007, SLOWLY, "4007: the hub does not speak version 7")
CLOSE_TEST(4008, SLOWLY, "4008: ")
CLOSE_TEST(4009, SLOWLY,
	   "4009: the hub does not authorise this connection; check key and secret_file")
CLOSE_TEST(4099, SLOWLY, "4099: the hub refuses")
CLOSE_TEST(4100, OVER_CAPACITY, "4100: the hub is over capacity")
CLOSE_TEST(4199, OVER_CAPACITY, "4199: the hub cannot take the connection now")
CLOSE_TEST(4200, AT_ONCE, "4200: the hub asks for a new connection")
CLOSE_TEST(4201, AT_ONCE, "4201: the hub did not get our pong in time")
CLOSE_TEST(4202, AT_ONCE, "4202: the hub closed for inactivity")
CLOSE_TEST(4299, AT_ONCE, "4299: the hub asks for a new connection")
CLOSE_TEST(4300, BACKOFF, "4300: ")
CLOSE_TEST(4301, BACKOFF, "4301: the hub refused a client event")
CLOSE_TEST(4302, BACKOFF, "4302: the watch list")
CLOSE_TEST(4399, BACKOFF, "4399: ")
CLOSE_TEST(4400, BACKOFF, "4400: the connection was closed")

static void test_close_without_code(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	closed(&w, 0, "Connection reset by peer");
	assert_waits(&w, BACKOFF);
	assert_string_equal(w.reason,
			    "the connection to the hub was lost: Connection reset by peer");
}

static void test_close_before_the_connection_was_there(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	closed(&w, 0, "Connection refused");
	assert_waits(&w, BACKOFF);
	assert_string_equal(w.reason, "the hub cannot be reached: Connection refused");
	assert_string_equal(status_of(&w).reason, w.reason);
}

static void test_close_with_the_hubs_own_words(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	channel_closed(w.channel, 4003, span_str("gone\n\x1b[31m"), w.now);
	assert_string_equal(w.reason,
			    "4003: the app is disabled; enable it at the hub (gone??[31m)");
}

static void test_close_with_very_long_words(void **state UNUSED)
{
	WORLD(w);
	char why[5000];

	memset(why, 'x', sizeof(why));
	start(&w);
	channel_closed(w.channel, 4003, span_of(why, sizeof(why)), w.now);
	assert_waits(&w, SLOWLY);
	assert_told(&w, "enable it at the hub (xxxx");
}

static void test_close_reported_twice_counts_once(void **state UNUSED)
{
	WORLD(w);
	uint64_t until;

	bring_up(&w);
	closed(&w, 4200, "");
	until = next(&w);
	closed(&w, 4001, "");
	opened(&w);
	confirm(&w, PUBLIC);
	assert_true(next(&w) == until);
	assert_told(&w, "4200");
	pass_to_next(&w);
	assert_int_equal(w.n_connects, 2);
}

/* ---- waits ------------------------------------------------------------------------------ */

static void test_wait_grows_to_its_limit_and_stays(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	for (unsigned int n = 0; n < 100; n++) {
		uint64_t ceiling = n < 6 ? UINT64_C(1000) << n : 60000;

		closed(&w, 0, "refused");
		assert_waits(&w, ceiling / 2, ceiling);
		pass_to_next(&w);
		assert_state(&w, CHANNEL_CONNECTING);
	}
	assert_int_equal(status_of(&w).n_connects, 101);
}

static void test_wait_of_hand_shake_limits_grows_too(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	for (unsigned int n = 0; n < 4; n++) {
		pass(&w, 15000);
		assert_waits(&w, 500u << n, 1000u << n);
		pass_to_next(&w);
	}
}

static void test_other_times_hold_from_the_next_wait_on(void **state UNUSED)
{
	struct channel_config other = defaults;
	WORLD(w);

	start(&w);
	closed(&w, 0, "refused");
	other.handshake_ms = 3000;
	other.backoff_least_ms = other.backoff_most_ms = 10000;
	channel_set_timing(w.channel, &other);
	assert_waits(&w, 500, 1000);
	pass_to_next(&w);
	assert_state(&w, CHANNEL_CONNECTING);
	pass(&w, 2999);
	assert_state(&w, CHANNEL_CONNECTING);
	pass(&w, 1);
	assert_waits(&w, 5000, 10000);
}

static void test_wait_begins_anew_after_a_healthy_connection(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	for (unsigned int n = 0; n < 5; n++) {
		closed(&w, 0, "refused");
		pass_to_next(&w);
	}
	bring_up(&w);
	pass(&w, 30000);
	frame(&w, PONG);
	pass(&w, 30000);
	closed(&w, 0, "reset");
	assert_waits(&w, BACKOFF);
}

static void test_wait_goes_on_growing_after_a_short_connection(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	for (unsigned int n = 0; n < 5; n++) {
		closed(&w, 0, "refused");
		pass_to_next(&w);
	}
	bring_up(&w);
	pass(&w, 30000);
	frame(&w, PONG);
	pass(&w, 29999);
	closed(&w, 0, "reset");
	assert_waits(&w, 16000, 32000);
}

static void test_wait_of_accept_and_close_servers_grows(void **state UNUSED)
{
	WORLD(w);

	for (unsigned int n = 0; n < 8; n++) {
		bring_up(&w);
		closed(&w, 4200, "");
		if (n == 0)
			assert_waits(&w, 0, 500);
		else
			assert_waits(&w, MIN(500u << n, 30000u), MIN(1000u << n, 60000u));
		pass_to_next(&w);
	}
}

static void test_wait_over_capacity_is_a_second_at_least(void **state UNUSED)
{
	struct channel_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.backoff_least_ms = 10;
	config.backoff_most_ms = 100;
	world_init_config(&w, &config);
	for (unsigned int n = 0; n < 5; n++) {
		start(&w);
		closed(&w, 4100, "");
		assert_waits(&w, 1000, 1100);
	}
}

/* A hub that is over capacity has refused many of us: they must not be back in one moment. */
static void test_wait_over_capacity_differs_from_seed_to_seed(void **state UNUSED)
{
	struct channel_config config = defaults;
	uint64_t least = NEVER, most = 0;

	for (config.seed = 0; config.seed < 200; config.seed++) {
		CLEANUP(world_deinit) struct world w;

		world_init_config(&w, &config);
		start(&w);
		closed(&w, 4100, "");
		least = MIN(least, next(&w) - w.now);
		most = MAX(most, next(&w) - w.now);
	}
	assert_true(least >= 1500 && least < 1550);
	assert_true(most > 1950 && most <= 2000);
}

static void refused(struct world *w, unsigned int status, uint64_t least_ms)
{
	channel_refused(w->channel, status, span_str("status and words"), least_ms, w->now);
}

static void test_wait_of_a_refusal_grows_on_top_of_what_the_hub_asks_for(void **state UNUSED)
{
	static const unsigned int statuses[] = { 429, 503 };

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		WORLD(w);

		for (unsigned int n = 0; n < 4; n += 2) {
			start(&w);
			refused(&w, statuses[i], 30000);
			assert_waits(&w, 31000 + (500u << n), 31000 + (1000u << n));
			assert_string_equal(w.reason,
					    "the hub cannot be reached: status and words");
			pass_to_next(&w);
			assert_state(&w, CHANNEL_CONNECTING);
			refused(&w, statuses[i], 0);
			assert_waits(&w, 1000 + (1000u << n), 1000 + (2000u << n));
		}
	}
}

static void test_wait_of_a_proxy_that_wants_another_password_is_long(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	refused(&w, 407, 0);
	assert_waits(&w, 300000, 900000);
}

static void test_wait_of_a_refusal_of_another_kind(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	refused(&w, 502, 0);
	assert_waits(&w, BACKOFF);
	refused(&w, 502, 0);		/* of a connection that is no more */
	assert_waits(&w, BACKOFF);
}

static void test_wait_of_a_refusal_for_ever_does_not_overflow(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	refused(&w, 429, NEVER);
	assert_true(next(&w) > w.now + 1000000000);
}

static void test_wait_slow_probe_does_not_grow(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	for (unsigned int n = 0; n < 20; n++) {
		closed(&w, 4001, "");
		assert_waits(&w, SLOWLY);
		pass_to_next(&w);
	}
}

static void test_wait_differs_from_seed_to_seed(void **state UNUSED)
{
	struct channel_config config = defaults;
	uint64_t least = NEVER, most = 0;

	for (config.seed = 0; config.seed < 200; config.seed++) {
		CLEANUP(world_deinit) struct world w;

		world_init_config(&w, &config);
		start(&w);
		closed(&w, 0, "");
		least = MIN(least, next(&w) - w.now);
		most = MAX(most, next(&w) - w.now);
	}
	assert_true(least >= 500 && least < 550);
	assert_true(most > 950 && most <= 1000);
}

static void test_wait_with_endless_settings_does_not_overflow(void **state UNUSED)
{
	struct channel_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.handshake_ms = config.subscribe_ms = config.ping_interval_ms =
		config.pong_timeout_ms = NEVER;
	config.backoff_least_ms = config.backoff_most_ms = NEVER;
	world_init_config(&w, &config);
	bring_up(&w);
	assert_true(next(&w) == NEVER);
	closed(&w, 0, "");
	assert_true(next(&w) > w.now + 1000000000);
	assert_true(next(&w) < NEVER);
}

/* ---- tries at once, connections that are given up ------------------------------------------- */

static void test_start_asks_for_what_was_refused_at_once(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	confirm(&w, PUBLIC);
	frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" PRIVATE "\"}");
	buf_clear(&w.sent);
	start(&w);
	assert_sent(&w, ASK_PRIVATE "\n");
	assert_int_equal(w.n_connects, 1);
	start(&w);
	assert_sent(&w, "");
}

/* Patience that has grown is not to be waited out by somebody who has mended the hub. */
static void test_start_opens_a_connection_anew_on_which_the_hub_is_silent(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	confirm(&w, PUBLIC);
	pass(&w, 10000);
	pass_to_next(&w);
	establish(&w);
	confirm(&w, PUBLIC);
	pass(&w, 9999);
	start(&w);
	assert_state(&w, CHANNEL_SUBSCRIBING);
	pass(&w, 1);
	start(&w);
	assert_state(&w, CHANNEL_CONNECTING);
	assert_int_equal(w.n_disconnects, 2);
	assert_int_equal(w.n_connects, 3);
}

/* ---- channels that are not needed to be up ------------------------------------------------- */

#define LEAVE_EXTRA "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"" EXTRA "\"}}"
#define ASK_EXTRA "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"" EXTRA "\"}}"

static void test_added_channel_is_asked_for_and_told_of(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	buf_clear(&w.sent);
	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	assert_sent(&w, ASK_EXTRA "\n");
	assert_false(channel_has(w.channel, EXTRA));
	confirm(&w, EXTRA);
	assert_int_equal(w.n_added, 1);
	assert_true(channel_has(w.channel, EXTRA));
	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	assert_sent(&w, "");
	frame(&w, "{\"event\":\"e\",\"channel\":\"" EXTRA "\",\"data\":\"x\"}");
	assert_int_equal(w.n_events, 1);
}

static void test_added_channel_is_subscribed_on_every_connection(void **state UNUSED)
{
	WORLD(w);

	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	assert_false(channel_has(w.channel, "never heard of"));
	bring_up(&w);
	confirm(&w, EXTRA);
	channel_closed(w.channel, 1006, span_of(NULL, 0), w.now);
	assert_false(channel_has(w.channel, EXTRA));
	pass_to_next(&w);
	buf_clear(&w.sent);
	establish(&w);
	assert_non_null(memmem(buf_data(&w.sent), w.sent.len, ASK_EXTRA, strlen(ASK_EXTRA)));
}

static void test_connection_is_up_without_an_added_channel(void **state UNUSED)
{
	struct channel_status status;
	WORLD(w);

	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	bring_up(&w);
	channel_status(w.channel, &status);
	assert_int_equal(status.state, CHANNEL_UP);
	assert_int_equal(status.n_wanted, 2);
	assert_int_equal(status.n_subscribed, 2);
	frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" EXTRA "\"}");
	assert_int_equal(w.state, CHANNEL_UP);
	assert_non_null(strstr(w.reason, EXTRA));
	pass_to_next(&w);
	confirm(&w, EXTRA);
	channel_status(w.channel, &status);
	assert_string_equal(status.reason, "");
}

/* Unsubscribed from first: the hub may have subscribed us. */
static void test_silence_about_an_added_channel_does_not_end_the_connection(void **state UNUSED)
{
	struct channel_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.ping_interval_ms = NEVER;
	config.probe_ms = 35000;
	world_init_config(&w, &config);
	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	bring_up(&w);
	for (unsigned int n = 0; n < 4; n++) {
		pass(&w, MIN(10000u << n, 35000u) - 1);
		assert_sent(&w, "");
		pass(&w, 1);
		assert_sent(&w, LEAVE_EXTRA "\n");
		pass(&w, 9999);
		assert_sent(&w, "");
		pass(&w, 1);
		assert_sent(&w, ASK_EXTRA "\n");
		assert_state(&w, CHANNEL_UP);
		assert_string_equal(status_of(&w).reason,
				    "channel " EXTRA " is not subscribed: "
				    "the hub did not answer in time");
	}
	assert_int_equal(w.n_states, 4);	/* told once */
	confirm(&w, EXTRA);
	assert_string_equal(status_of(&w).reason, "");
	assert_true(channel_has(w.channel, EXTRA));
}

/* Whoever was told of the trouble is told that it is over. */
static void test_reason_of_an_added_channel_is_told_to_be_over(void **state UNUSED)
{
	unsigned int n_states;
	WORLD(w);

	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	bring_up(&w);
	pass(&w, 10000);
	assert_told(&w, EXTRA " is not subscribed");
	pass_to_next(&w);
	n_states = w.n_states;
	confirm(&w, EXTRA);
	assert_string_equal(status_of(&w).reason, "");
	assert_string_equal(w.reason, "");
	assert_state(&w, CHANNEL_UP);
	assert_int_equal(w.n_states, n_states + 1);
}

/* Of one that is needed, while others are not there yet. */
static void test_reason_of_a_channel_is_told_to_be_over_before_all_is_up(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" PRIVATE "\"}");
	assert_told(&w, PRIVATE " is not subscribed");
	pass_to_next(&w);
	confirm(&w, PRIVATE);
	assert_string_equal(w.reason, "");
	assert_state(&w, CHANNEL_SUBSCRIBING);
}

/* What the hosted service says to an unsubscribe of what it never subscribed. */
static void test_answer_to_an_unsubscribe_is_no_refusal(void **state UNUSED)
{
	WORLD(w);

	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	bring_up(&w);
	pass(&w, 10000);
	buf_clear(&w.sent);
	frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"code\":null,"
		  "\"message\":\"No current subscription to channel " EXTRA "\"}}");
	pass_to_next(&w);
	assert_sent(&w, ASK_EXTRA "\n");
	confirm(&w, EXTRA);
	assert_string_equal(status_of(&w).reason, "");
	closed(&w, 1006, "cut");
	assert_string_equal(w.reason, "1006: the connection broke off (cut)");
}

/* Its success came late; of the second time nobody knows yet. */
static void test_late_answer_to_what_was_left_does_not_count(void **state UNUSED)
{
	WORLD(w);

	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	bring_up(&w);
	pass(&w, 10000);
	confirm(&w, EXTRA);
	assert_false(channel_has(w.channel, EXTRA));
	buf_clear(&w.sent);
	pass_to_next(&w);
	assert_sent(&w, ASK_EXTRA "\n");
	frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"code\":null,"
		  "\"message\":\"no more of " EXTRA "\"}}");
	assert_false(channel_has(w.channel, EXTRA));
	assert_told(&w, EXTRA " is not subscribed: the hub says: no more of");
}

/* The unsubscribe is out: to count it as confirmed would be to hear nothing of it any more. */
static void test_existing_subscription_to_what_was_left_does_not_count(void **state UNUSED)
{
	WORLD(w);

	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	bring_up(&w);
	pass(&w, 10000);
	assert_sent(&w, LEAVE_EXTRA "\n");
	frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"code\":null,"
		  "\"message\":\"Existing subscription to channel " EXTRA "\"}}");
	assert_false(channel_has(w.channel, EXTRA));
	assert_int_equal(w.n_added, 0);
	assert_int_equal(status_of(&w).n_ignored, 1);
	pass_to_next(&w);
	assert_sent(&w, ASK_EXTRA "\n");
	confirm(&w, EXTRA);
	assert_true(channel_has(w.channel, EXTRA));
}

/* Later than the second subscribe, even. */
static void test_very_late_success_does_not_hide_a_refusal(void **state UNUSED)
{
	WORLD(w);

	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	bring_up(&w);
	pass(&w, 10000);
	pass_to_next(&w);
	confirm(&w, EXTRA);
	assert_true(channel_has(w.channel, EXTRA));
	frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" EXTRA "\"}");
	assert_false(channel_has(w.channel, EXTRA));
	assert_told(&w, EXTRA " is not subscribed");
	buf_clear(&w.sent);
	pass_to_next(&w);
	assert_sent(&w, ASK_EXTRA "\n");
}

static void test_start_asks_for_a_silent_added_channel_at_once(void **state UNUSED)
{
	WORLD(w);

	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	bring_up(&w);
	pass(&w, 10000);
	buf_clear(&w.sent);
	start(&w);
	assert_sent(&w, ASK_EXTRA "\n");
	pass(&w, 10000);
	start(&w);
	assert_sent(&w, LEAVE_EXTRA "\n" ASK_EXTRA "\n");
	start(&w);
	assert_sent(&w, "");
	assert_state(&w, CHANNEL_UP);
}

static void test_reason_stays_while_one_added_channel_is_missing(void **state UNUSED)
{
	WORLD(w);

	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	assert_int_equal(channel_add(w.channel, ANOTHER, w.now), 0);
	bring_up(&w);
	frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" EXTRA "\"}");
	confirm(&w, ANOTHER);
	assert_non_null(strstr(status_of(&w).reason, EXTRA));
	confirm(&w, EXTRA);
	assert_string_equal(status_of(&w).reason, "");
}

static void test_reason_names_no_channel_that_is_confirmed(void **state UNUSED)
{
	static const char *const orders[][2] = { { EXTRA, ANOTHER }, { ANOTHER, EXTRA } };

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		WORLD(w);

		assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
		assert_int_equal(channel_add(w.channel, ANOTHER, w.now), 0);
		bring_up(&w);
		pass(&w, 10000);
		pass_to_next(&w);
		confirm(&w, orders[i][0]);
		assert_non_null(strstr(status_of(&w).reason, orders[i][1]));
		confirm(&w, orders[i][1]);
		assert_string_equal(status_of(&w).reason, "");
	}
}

/* Nor one of those that have to be, while another one is missing. */
static void test_reason_is_the_refusal_that_is_left(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" PRIVATE "\"}");
	frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" PUBLIC "\"}");
	confirm(&w, PUBLIC);
	assert_non_null(strstr(status_of(&w).reason, PRIVATE));
}

static void test_silence_of_two_added_channels_is_told_once_each(void **state UNUSED)
{
	unsigned int n_states;
	WORLD(w);

	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	assert_int_equal(channel_add(w.channel, ANOTHER, w.now), 0);
	bring_up(&w);
	n_states = w.n_states;
	for (unsigned int i = 0; i < 6; i++)
		pass_to_next(&w);
	assert_int_equal(w.n_states, n_states + 2);
}

static void
test_refused_added_channel_is_no_reason_while_another_keeps_us_waiting(void **state UNUSED)
{
	WORLD(w);

	assert_int_equal(channel_add(w.channel, EXTRA, w.now), 0);
	establish(&w);
	frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" PRIVATE "\"}");
	frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" EXTRA "\"}");
	assert_non_null(strstr(status_of(&w).reason, PRIVATE));
	assert_non_null(strstr(w.reason, PRIVATE));
	confirm(&w, PUBLIC);
	confirm(&w, PRIVATE);
	assert_state(&w, CHANNEL_UP);
	assert_told(&w, EXTRA);
}

static void test_renew_opens_the_connection_anew_at_once(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	channel_renew(w.channel, "it is deaf", w.now);
	assert_waits(&w, 0, 500);
	assert_string_equal(w.reason, "it is deaf");
	assert_int_equal(w.n_disconnects, 1);
	pass_to_next(&w);
	assert_int_equal(w.n_connects, 2);
}

static void test_renew_again_and_again_waits_longer(void **state UNUSED)
{
	WORLD(w);

	for (unsigned int n = 0; n < 5; n++) {
		bring_up(&w);
		channel_renew(w.channel, "it is deaf", w.now);
		if (n > 0)
			assert_waits(&w, 500u << n, 1000u << n);
		pass_to_next(&w);
	}
}

static void test_renew_of_what_is_not_up_changes_nothing(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	channel_renew(w.channel, "it is deaf", w.now);
	assert_state(&w, CHANNEL_SUBSCRIBING);
	closed(&w, 0, "");
	channel_renew(w.channel, "it is deaf", w.now);
	assert_int_equal(w.n_disconnects, 0);
}

/* ---- status --------------------------------------------------------------------------------- */

static void test_status_says_what_is_waited_for_and_until_when(void **state UNUSED)
{
	WORLD(w);

	assert_waits_for(&w, "", "", 0);
	start(&w);
	assert_waits_for(&w, "a connection to the hub", "", START + 15000);
	opened(&w);
	assert_waits_for(&w, "the hub's greeting", "", START + 15000);
	establish(&w);
	pass(&w, 100);
	assert_waits_for(&w, "the hub to confirm the channel", PRIVATE, START + 10000);
	confirm(&w, PRIVATE);
	assert_waits_for(&w, "the hub to confirm the channel", PUBLIC, START + 10000);
	frame(&w, "{\"event\":\"pusher:subscription_error\",\"channel\":\"" PUBLIC "\"}");
	assert_waits_for(&w, "the next try to subscribe to the channel", PUBLIC, next(&w));
	confirm(&w, PUBLIC);
	assert_waits_for(&w, "", "", 0);
	closed(&w, 0, "");
	assert_waits_for(&w, "the next try to connect", "", next(&w));
}

static void test_status_keeps_the_last_codes(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	assert_int_equal(status_of(&w).close_code, 0);
	assert_int_equal(status_of(&w).error_code, 0);
	frame(&w,
	      "{\"event\":\"pusher:error\",\"data\":{\"code\":4301,\"message\":\"slow down\"}}");
	frame(&w, "{\"event\":\"pusher:error\",\"data\":{\"code\":null,\"message\":\"hm\"}}");
	closed(&w, 4200, "");
	bring_up(&w);
	closed(&w, 0, "reset");
	assert_int_equal(status_of(&w).close_code, 4200);
	assert_int_equal(status_of(&w).error_code, 4301);
}

static void test_error_of_long_ago_is_no_reason_of_a_close(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	frame(&w,
	      "{\"event\":\"pusher:error\",\"data\":{\"code\":4301,\"message\":\"slow down\"}}");
	pass(&w, 20000);
	closed(&w, 0, "");
	assert_string_equal(w.reason, "the connection to the hub was lost: no reason was given");
}

static void test_error_just_before_a_close_is_its_reason(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	pass(&w, 20000);
	frame(&w, "{\"event\":\"pusher:error\",\"data\":\"{\\\"code\\\":4201,"
		  "\\\"message\\\":\\\"Pong reply not received in time\\\"}\"}");
	pass(&w, 1000);
	closed(&w, 0, "");
	assert_string_equal(w.reason,
			    "the connection to the hub was lost: the hub says 4201: Pong reply not "
			    "received in time");
	assert_waits(&w, BACKOFF);
}

static void test_wait_of_slow_probes_can_be_set(void **state UNUSED)
{
	struct channel_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.probe_ms = 30;
	world_init_config(&w, &config);
	start(&w);
	closed(&w, 4001, "");
	assert_waits(&w, 10, 30);
}

/* ---- events ----------------------------------------------------------------------------- */

static void test_event_is_handed_on_decoded(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	frame(&w, "{\"event\":\"request\",\"channel\":\"" PUBLIC
		  "\",\"data\":\"{\\\"api\\\":\\\"x\\\"}\"}");
	assert_event(&w, PUBLIC " request {\"api\":\"x\"}");
}

static void test_event_with_data_as_object_is_handed_on_as_text(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	frame(&w, "{\"event\":\"client-request\",\"channel\":\"" PRIVATE
		  "\",\"data\":{\"api\": 18446744073709551615},"
		  "\"user_id\":\"u\"}");
	assert_event(&w, PRIVATE " client-request {\"api\": 18446744073709551615}");
}

static void test_event_without_data_is_handed_on(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	frame(&w, "{\"event\":\"request\",\"channel\":\"" PUBLIC "\"}");
	assert_event(&w, PUBLIC " request ");
}

static void test_event_while_others_are_subscribed_is_handed_on(void **state UNUSED)
{
	WORLD(w);

	establish(&w);
	confirm(&w, PUBLIC);
	frame(&w, "{\"event\":\"request\",\"channel\":\"" PUBLIC "\",\"data\":\"{}\"}");
	assert_int_equal(w.n_events, 1);
}

static void test_event_of_a_channel_not_wanted_is_ignored(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	frame(&w, "{\"event\":\"request\",\"channel\":\"other\",\"data\":\"{}\"}");
	frame(&w, "{\"event\":\"request\",\"data\":\"{}\"}");
	assert_int_equal(w.n_events, 0);
	assert_int_equal(status_of(&w).n_ignored, 2);
}

static void test_event_of_the_protocol_is_not_handed_on(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	frame(&w, "{\"event\":\"pusher:cache_miss\",\"channel\":\"" PUBLIC "\"}");
	frame(&w, "{\"event\":\"pusher_internal:subscription_count\",\"channel\":\"" PUBLIC
		  "\",\"data\":\"{}\"}");
	frame(&w, "{\"event\":\"pusher:request\",\"channel\":\"" PUBLIC "\",\"data\":\"{}\"}");
	assert_int_equal(w.n_events, 0);
	assert_state(&w, CHANNEL_UP);
}

static void test_event_after_the_connection_ended_is_ignored(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	closed(&w, 1000, "");
	frame(&w, "{\"event\":\"request\",\"channel\":\"" PUBLIC "\",\"data\":\"{}\"}");
	start(&w);
	opened(&w);
	frame(&w, "{\"event\":\"request\",\"channel\":\"" PUBLIC "\",\"data\":\"{}\"}");
	assert_int_equal(w.n_events, 0);
}

static void test_garbage_is_counted_and_nothing_else(void **state UNUSED)
{
	static const char *const garbage[] = {
		"",	    "{",
		"[]",	    "null",
		"{}",	    "{\"event\":3}",
		"\xff\xfe", "{\"event\":\"x\",\"data\":\"\xff\"}",
	};
	WORLD(w);

	bring_up(&w);
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		frame(&w, garbage[i]);
	assert_int_equal(status_of(&w).n_ignored, ARRAY_SIZE(garbage));
	assert_state(&w, CHANNEL_UP);
	assert_int_equal(w.n_events, 0);
	assert_sent(&w, "");
}

static void test_garbage_of_a_megabyte(void **state UNUSED)
{
	enum { SIZE = 1 << 20 };
	char *text = malloc(SIZE);
	WORLD(w);

	assert_non_null(text);
	memset(text, '[', SIZE);
	bring_up(&w);
	channel_frame(w.channel, span_of(text, SIZE), w.now);
	memset(text, 'x', SIZE);
	channel_frame(w.channel, span_of(text, SIZE), w.now);
	assert_int_equal(status_of(&w).n_ignored, 2);
	assert_state(&w, CHANNEL_UP);
	free(text);
}

#define CLOSE_UNIT_TEST(code) cmocka_unit_test(test_close_##code)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_does_nothing_until_started),
		cmocka_unit_test(test_start_connects),
		cmocka_unit_test(test_start_of_what_is_up_changes_nothing),
		cmocka_unit_test(test_start_while_connecting_begins_anew),
		cmocka_unit_test(test_start_while_waiting_tries_at_once),
		cmocka_unit_test(test_handshake_nobody_answers),
		cmocka_unit_test(test_handshake_silent_server),
		cmocka_unit_test(test_handshake_greeting_with_data_as_object),
		cmocka_unit_test(test_handshake_greeting_without_socket_id),
		cmocka_unit_test(test_handshake_greeting_without_data),
		cmocka_unit_test(test_handshake_second_greeting_is_ignored),
		cmocka_unit_test(test_handshake_other_frames_do_not_end_it),
		cmocka_unit_test(test_subscribe_all_signed_where_private),
		cmocka_unit_test(test_subscribe_up_only_when_all_are_confirmed),
		cmocka_unit_test(test_subscribe_confirmed_twice_counts_once),
		cmocka_unit_test(test_subscribe_confirmation_forms),
		cmocka_unit_test(test_subscribe_confirmation_of_another_channel_is_ignored),
		cmocka_unit_test(test_subscribe_a_name_given_twice_once),
		cmocka_unit_test(test_subscribe_nothing_is_up_at_once),
		cmocka_unit_test(test_subscribe_unanswered_ends_the_connection),
		cmocka_unit_test(test_subscribe_slow_confirmations_come_through),
		cmocka_unit_test(test_subscribe_silence_is_not_a_refusal_of_another),
		cmocka_unit_test(test_subscribe_is_not_repeated_while_an_answer_is_awaited),
		cmocka_unit_test(
			test_subscribe_after_an_unclear_error_is_preceded_by_an_unsubscribe),
		cmocka_unit_test(
			test_refusal_after_the_late_answer_to_what_was_left_ends_the_connection),
		cmocka_unit_test(test_refused_by_subscription_error),
		cmocka_unit_test(test_refused_by_internal_subscription_error),
		cmocka_unit_test(test_refused_by_error_with_channel),
		cmocka_unit_test(test_refused_by_error_that_names_it_in_its_text),
		cmocka_unit_test(test_refused_for_the_signature_names_the_secrets_file),
		cmocka_unit_test(test_refused_by_error_in_a_string_that_names_it),
		cmocka_unit_test(test_refused_by_error_that_names_nothing_while_one_is_asked),
		cmocka_unit_test(test_refused_by_error_that_names_nothing_while_two_are_asked),
		cmocka_unit_test(test_refused_name_inside_another_name_is_not_meant),
		cmocka_unit_test(test_refused_again_and_again_waits_longer),
		cmocka_unit_test(test_refusal_is_told_once_while_it_stays_the_same),
		cmocka_unit_test(test_error_about_a_confirmed_channel_changes_nothing),
		cmocka_unit_test(test_existing_subscription_is_as_good_as_confirmed),
		cmocka_unit_test(test_existing_subscription_is_no_reason_while_all_is_well),
		cmocka_unit_test(test_subscriptions_are_made_anew_for_each_connection),
		cmocka_unit_test(test_ping_at_the_shorter_interval),
		cmocka_unit_test(test_ping_without_the_hubs_timeout),
		cmocka_unit_test(test_ping_on_every_connection),
		cmocka_unit_test(test_ping_that_cannot_be_asked_for_ends_the_connection),
		cmocka_unit_test(test_silence_ends_the_connection),
		cmocka_unit_test(test_ping_of_the_hub_is_answered),
		cmocka_unit_test(test_ping_of_the_hub_before_its_greeting_is_answered),
		cmocka_unit_test(test_error_before_the_greeting_acts_as_a_close),
		cmocka_unit_test(test_error_before_the_greeting_as_string),
		cmocka_unit_test(test_error_before_the_greeting_over_capacity),
		cmocka_unit_test(
			test_error_before_the_greeting_without_code_is_kept_for_the_reason),
		cmocka_unit_test(test_error_before_a_close_without_words_is_its_reason),
		cmocka_unit_test(test_error_after_the_greeting_is_information),
		cmocka_unit_test(test_error_after_the_greeting_is_told_once),
		cmocka_unit_test(test_error_after_the_greeting_is_over_after_a_minute),
		cmocka_unit_test(test_error_without_data),
		CLOSE_UNIT_TEST(1000),
		CLOSE_UNIT_TEST(1001),
		CLOSE_UNIT_TEST(1002),
		CLOSE_UNIT_TEST(1006),
		CLOSE_UNIT_TEST(1009),
		CLOSE_UNIT_TEST(1011),
		CLOSE_UNIT_TEST(3999),
		CLOSE_UNIT_TEST(4000),
		CLOSE_UNIT_TEST(4001),
		CLOSE_UNIT_TEST(4002),
		CLOSE_UNIT_TEST(4003),
		CLOSE_UNIT_TEST(4004),
		CLOSE_UNIT_TEST(4005),
		CLOSE_UNIT_TEST(4006),
		CLOSE_UNIT_TEST(4007),
		CLOSE_UNIT_TEST(4008),
		CLOSE_UNIT_TEST(4009),
		CLOSE_UNIT_TEST(4099),
		CLOSE_UNIT_TEST(4100),
		CLOSE_UNIT_TEST(4199),
		CLOSE_UNIT_TEST(4200),
		CLOSE_UNIT_TEST(4201),
		CLOSE_UNIT_TEST(4202),
		CLOSE_UNIT_TEST(4299),
		CLOSE_UNIT_TEST(4300),
		CLOSE_UNIT_TEST(4301),
		CLOSE_UNIT_TEST(4302),
		CLOSE_UNIT_TEST(4399),
		CLOSE_UNIT_TEST(4400),
		cmocka_unit_test(test_close_without_code),
		cmocka_unit_test(test_close_before_the_connection_was_there),
		cmocka_unit_test(test_close_with_the_hubs_own_words),
		cmocka_unit_test(test_close_with_very_long_words),
		cmocka_unit_test(test_close_reported_twice_counts_once),
		cmocka_unit_test(test_wait_grows_to_its_limit_and_stays),
		cmocka_unit_test(test_wait_of_hand_shake_limits_grows_too),
		cmocka_unit_test(test_other_times_hold_from_the_next_wait_on),
		cmocka_unit_test(test_wait_begins_anew_after_a_healthy_connection),
		cmocka_unit_test(test_wait_goes_on_growing_after_a_short_connection),
		cmocka_unit_test(test_wait_of_accept_and_close_servers_grows),
		cmocka_unit_test(test_wait_over_capacity_is_a_second_at_least),
		cmocka_unit_test(test_wait_over_capacity_differs_from_seed_to_seed),
		cmocka_unit_test(test_wait_of_a_refusal_grows_on_top_of_what_the_hub_asks_for),
		cmocka_unit_test(test_wait_of_a_proxy_that_wants_another_password_is_long),
		cmocka_unit_test(test_wait_of_a_refusal_of_another_kind),
		cmocka_unit_test(test_wait_of_a_refusal_for_ever_does_not_overflow),
		cmocka_unit_test(test_wait_slow_probe_does_not_grow),
		cmocka_unit_test(test_wait_differs_from_seed_to_seed),
		cmocka_unit_test(test_wait_with_endless_settings_does_not_overflow),
		cmocka_unit_test(test_start_asks_for_what_was_refused_at_once),
		cmocka_unit_test(
			test_start_opens_a_connection_anew_on_which_the_hub_is_silent),
		cmocka_unit_test(test_added_channel_is_asked_for_and_told_of),
		cmocka_unit_test(test_added_channel_is_subscribed_on_every_connection),
		cmocka_unit_test(test_connection_is_up_without_an_added_channel),
		cmocka_unit_test(
			test_refused_added_channel_is_no_reason_while_another_keeps_us_waiting),
		cmocka_unit_test(test_silence_about_an_added_channel_does_not_end_the_connection),
		cmocka_unit_test(test_reason_of_an_added_channel_is_told_to_be_over),
		cmocka_unit_test(test_reason_of_a_channel_is_told_to_be_over_before_all_is_up),
		cmocka_unit_test(test_answer_to_an_unsubscribe_is_no_refusal),
		cmocka_unit_test(test_late_answer_to_what_was_left_does_not_count),
		cmocka_unit_test(test_existing_subscription_to_what_was_left_does_not_count),
		cmocka_unit_test(test_very_late_success_does_not_hide_a_refusal),
		cmocka_unit_test(test_start_asks_for_a_silent_added_channel_at_once),
		cmocka_unit_test(test_reason_stays_while_one_added_channel_is_missing),
		cmocka_unit_test(test_reason_names_no_channel_that_is_confirmed),
		cmocka_unit_test(test_reason_is_the_refusal_that_is_left),
		cmocka_unit_test(test_silence_of_two_added_channels_is_told_once_each),
		cmocka_unit_test(test_renew_opens_the_connection_anew_at_once),
		cmocka_unit_test(test_renew_again_and_again_waits_longer),
		cmocka_unit_test(test_renew_of_what_is_not_up_changes_nothing),
		cmocka_unit_test(test_status_says_what_is_waited_for_and_until_when),
		cmocka_unit_test(test_status_keeps_the_last_codes),
		cmocka_unit_test(test_error_of_long_ago_is_no_reason_of_a_close),
		cmocka_unit_test(test_error_just_before_a_close_is_its_reason),
		cmocka_unit_test(test_wait_of_slow_probes_can_be_set),
		cmocka_unit_test(test_event_is_handed_on_decoded),
		cmocka_unit_test(test_event_with_data_as_object_is_handed_on_as_text),
		cmocka_unit_test(test_event_without_data_is_handed_on),
		cmocka_unit_test(test_event_while_others_are_subscribed_is_handed_on),
		cmocka_unit_test(test_event_of_a_channel_not_wanted_is_ignored),
		cmocka_unit_test(test_event_of_the_protocol_is_not_handed_on),
		cmocka_unit_test(test_event_after_the_connection_ended_is_ignored),
		cmocka_unit_test(test_garbage_is_counted_and_nothing_else),
		cmocka_unit_test(test_garbage_of_a_megabyte),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
