/* SPDX-License-Identifier: MIT */
/*
 * The life of the hub connection: its subscriptions, those that it cannot be up without and those
 * that are added.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/channel_edges.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests_name("channel-subscriptions", tests, NULL, NULL);
}
