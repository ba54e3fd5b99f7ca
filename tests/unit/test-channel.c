/* SPDX-License-Identifier: MIT */
/*
 * The life of the hub connection: start, hand-shake, pings, errors. How it closes, what it
 * subscribes to and what it tells are in test-channel-*.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "tests/unit/channel_edges.h"

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
		cmocka_unit_test(test_start_asks_for_what_was_refused_at_once),
		cmocka_unit_test(
			test_start_opens_a_connection_anew_on_which_the_hub_is_silent),
		cmocka_unit_test(test_renew_opens_the_connection_anew_at_once),
		cmocka_unit_test(test_renew_again_and_again_waits_longer),
		cmocka_unit_test(test_renew_of_what_is_not_up_changes_nothing),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
