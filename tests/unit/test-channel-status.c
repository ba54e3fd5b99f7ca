/* SPDX-License-Identifier: MIT */
/*
 * The life of the hub connection: what its status says, and which events are handed on.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/channel_edges.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_says_what_is_waited_for_and_until_when),
		cmocka_unit_test(test_status_keeps_the_last_codes),
		cmocka_unit_test(test_error_of_long_ago_is_no_reason_of_a_close),
		cmocka_unit_test(test_error_just_before_a_close_is_its_reason),
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

	return cmocka_run_group_tests_name("channel-status", tests, NULL, NULL);
}
