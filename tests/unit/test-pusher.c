/* SPDX-License-Identifier: MIT */
/*
 * Pusher's frames: every form in which servers write them, and what is no frame at all.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "gateway/pusher.h"

static void assert_span(struct span s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	if (s.len > 0)
		assert_memory_equal(s.p, expected, s.len);
}

static void assert_text(struct buf *b, const char *expected)
{
	assert_int_equal(buf_error(b), 0);
	assert_span(buf_span(b), expected);
	buf_deinit(b);
}

/* What a frame says. */
static void assert_frame(const char *text, const char *event, const char *channel, const char *data)
{
	CLEANUP(pusher_frame_deinit) struct pusher_frame frame = PUSHER_FRAME_NULL;
	const char *why;

	assert_int_equal(pusher_parse(span_str(text), &frame, &why), 0);
	assert_span(frame.event, event);
	assert_span(frame.channel, channel);
	assert_span(frame.data, data);
}

static void assert_bad_bytes(struct span text)
{
	CLEANUP(pusher_frame_deinit) struct pusher_frame frame = PUSHER_FRAME_NULL;
	const char *why = NULL;

	assert_int_equal(pusher_parse(text, &frame, &why), PUSHER_E_BAD);
	assert_non_null(why);
	assert_true(strlen(why) > 0);
}

static void assert_bad(const char *text)
{
	assert_bad_bytes(span_str(text));
}

/* ---- frames ----------------------------------------------------------------------------- */

static void test_frame_with_data_as_string(void **state UNUSED)
{
	assert_frame("{\"event\":\"e\",\"channel\":\"c\",\"data\":\"{\\\"a\\\":1}\"}", "e", "c",
		     "{\"a\":1}");
}

static void test_frame_with_data_as_object_keeps_its_text(void **state UNUSED)
{
	assert_frame(
		"{\"event\":\"e\",\"channel\":\"c\",\"data\": {\"a\": 18446744073709551615,"
		" \"b\":0.10} }",
		"e", "c", "{\"a\": 18446744073709551615, \"b\":0.10}");
}

static void test_frame_with_data_of_other_types(void **state UNUSED)
{
	assert_frame("{\"event\":\"e\",\"channel\":\"c\",\"data\":5}", "e", "c", "5");
	assert_frame("{\"event\":\"e\",\"channel\":\"c\",\"data\":[1,2]}", "e", "c", "[1,2]");
	assert_frame("{\"event\":\"e\",\"channel\":\"c\",\"data\":true}", "e", "c", "true");
}

static void test_frame_without_data(void **state UNUSED)
{
	assert_frame("{\"event\":\"e\",\"channel\":\"c\"}", "e", "c", "");
	assert_frame("{\"event\":\"e\",\"channel\":\"c\",\"data\":null}", "e", "c", "");
	assert_frame("{\"event\":\"e\",\"channel\":\"c\",\"data\":\"\"}", "e", "c", "");
}

static void test_frame_with_an_integer_beyond_int64_is_not_lost(void **state UNUSED)
{
	assert_frame("{\"event\":\"e\",\"serial\":99999999999999999999999,\"data\":\"x\"}", "e", "",
		     "x");
}

static void test_frame_with_nul_in_data(void **state UNUSED)
{
	CLEANUP(pusher_frame_deinit) struct pusher_frame frame = PUSHER_FRAME_NULL;
	const char *why;

	assert_int_equal(
		pusher_parse(span_str("{\"event\":\"e\",\"data\":\"a\\u0000b\"}"), &frame, &why),
		0);
	assert_int_equal(frame.data.len, 3);
	assert_memory_equal(frame.data.p, "a\0b", 3);
}

static void test_frame_order_and_blanks_do_not_matter(void **state UNUSED)
{
	assert_frame(" {\n\"data\" : \"x\" , \"channel\":\"c\",\t\"event\":\"e\"}\r\n", "e", "c",
		     "x");
}

static void test_frame_unknown_keys_are_ignored(void **state UNUSED)
{
	assert_frame(
		"{\"message_id\":\"m\",\"event\":\"e\",\"user_id\":7,\"channel\":\"c\","
		"\"data\":\"x\","
		"\"stream_id\":{\"event\":\"no\"}}",
		"e", "c", "x");
}

static void test_frame_last_of_equal_keys_counts(void **state UNUSED)
{
	assert_frame("{\"event\":\"a\",\"event\":\"b\",\"data\":\"1\",\"data\":null}", "b", "", "");
	assert_frame("{\"event\":\"a\\/\",\"event\":\"b\\/\",\"data\":\"\\\"\",\"data\":\"\\\\\"}",
		     "b/", "", "\\");
}

static void test_frame_names_are_decoded(void **state UNUSED)
{
	assert_frame("{\"\\u0065vent\":\"pusher\\u003aping\",\"channel\":\"c\\u00e9\"}",
		     "pusher:ping", "c\xc3\xa9", "");
}

static void test_frame_channel_that_is_no_text_counts_as_none(void **state UNUSED)
{
	assert_frame("{\"event\":\"e\",\"channel\":null,\"data\":\"x\"}", "e", "", "x");
	assert_frame("{\"event\":\"e\",\"channel\":5,\"data\":\"x\"}", "e", "", "x");
}

static void test_frame_large_data(void **state UNUSED)
{
	enum { SIZE = 1 << 20 };
	CLEANUP(pusher_frame_deinit) struct pusher_frame frame = PUSHER_FRAME_NULL;
	struct buf text = BUF_NULL;
	const char *why;

	buf_put_str(&text, "{\"event\":\"e\",\"data\":\"");
	for (size_t i = 0; i < SIZE; i++)
		buf_put_str(&text, "\\\"");
	buf_put_str(&text, "\"}");
	assert_int_equal(pusher_parse(buf_span(&text), &frame, &why), 0);
	assert_int_equal(frame.data.len, SIZE);
	buf_deinit(&text);
}

static void test_frame_without_event_is_bad(void **state UNUSED)
{
	assert_bad("{\"data\":\"x\"}");
	assert_bad("{\"event\":\"\"}");
	assert_bad("{\"event\":null}");
	assert_bad("{\"event\":7,\"data\":\"x\"}");
	assert_bad("{\"event\":{}}");
}

static void test_frame_that_is_no_object_is_bad(void **state UNUSED)
{
	assert_bad("[\"event\"]");
	assert_bad("\"event\"");
	assert_bad("1");
	assert_bad("null");
}

static void test_frame_that_is_no_json_is_bad(void **state UNUSED)
{
	assert_bad("");
	assert_bad("hello");
	assert_bad("{\"event\":\"e\"");
	assert_bad("{\"event\":\"e\"} x");
	assert_bad("{\"event\":\"e\",}");
}

static void test_frame_with_invalid_utf8_is_bad(void **state UNUSED)
{
	assert_bad("{\"event\":\"e\",\"data\":\"\xff\"}");
	assert_bad("{\"event\":\"e\",\"data\":\"\xc3\"}");
}

static void test_frame_deeper_than_allowed_is_bad(void **state UNUSED)
{
	struct buf text = BUF_NULL;

	buf_put_str(&text, "{\"event\":\"e\",\"data\":");
	for (size_t i = 0; i < 100000; i++)
		buf_put_byte(&text, '[');
	assert_bad_bytes(buf_span(&text));
	for (size_t i = 0; i < 100000; i++)
		buf_put_byte(&text, ']');
	buf_put_byte(&text, '}');
	assert_bad_bytes(buf_span(&text));
	buf_deinit(&text);
}

static bool is_pong(const char *text)
{
	return pusher_is_pong(span_str(text));
}

static void test_pong_is_known_in_any_form(void **state UNUSED)
{
	char large[200];

	assert_true(is_pong("{\"event\":\"pusher:pong\",\"data\":{}}"));
	assert_true(is_pong(" {\"data\" : null, \"event\": \"pusher:\\u0070ong\"}"));
	assert_false(is_pong("{\"event\":\"pusher:ping\",\"data\":{}}"));
	assert_false(is_pong("{\"event\":\"x\",\"data\":\"pusher:pong\"}"));
	assert_false(is_pong("{\"event\":\"pusher:pong\""));
	assert_false(is_pong(""));
	snprintf(large, sizeof(large), "{\"event\":\"pusher:pong\",\"data\":\"%0100d\"}", 0);
	assert_false(is_pong(large));
}

static void test_protocol_events_are_told_by_their_prefix(void **state UNUSED)
{
	assert_true(pusher_is_protocol_event(span_str("pusher:error")));
	assert_true(pusher_is_protocol_event(span_str("pusher_internal:x")));
	assert_false(pusher_is_protocol_event(span_str("pusher")));
	assert_false(pusher_is_protocol_event(span_str("pusher_")));
	assert_false(pusher_is_protocol_event(span_str("my-pusher:x")));
	assert_false(pusher_is_protocol_event(span_str("")));
}

/* ---- connection_established ------------------------------------------------------------- */

static void assert_established(const char *data, const char *socket_id, unsigned int timeout_s)
{
	struct pusher_established e;

	assert_int_equal(pusher_parse_established(span_str(data), &e), 0);
	assert_string_equal(e.socket_id, socket_id);
	assert_int_equal(e.activity_timeout_s, timeout_s);
}

static void test_established(void **state UNUSED)
{
	assert_established("{\"socket_id\":\"123.456\",\"activity_timeout\":30}", "123.456", 30);
	assert_established("{\"activity_timeout\":30.5,\"x\":1,\"socket_id\":\"opaque/id\"}",
			   "opaque/id", 31);
}

static void test_established_without_usable_timeout(void **state UNUSED)
{
	assert_established("{\"socket_id\":\"1.2\"}", "1.2", 120);
	assert_established("{\"socket_id\":\"1.2\",\"activity_timeout\":0}", "1.2", 120);
	assert_established("{\"socket_id\":\"1.2\",\"activity_timeout\":-1}", "1.2", 120);
	assert_established("{\"socket_id\":\"1.2\",\"activity_timeout\":null}", "1.2", 120);
	assert_established("{\"socket_id\":\"1.2\",\"activity_timeout\":\"30\"}", "1.2", 120);
	assert_established("{\"socket_id\":\"1.2\",\"activity_timeout\":1e300}", "1.2", 86400);
}

static void test_established_socket_id_has_a_length(void **state UNUSED)
{
	static const char id64[] =
		"1234567890123456789012345678901234567890123456789012345678901234";
	struct pusher_established e;
	char data[128];

	snprintf(data, sizeof(data), "{\"socket_id\":\"%s\"}", id64);
	assert_established(data, id64, 120);
	snprintf(data, sizeof(data), "{\"socket_id\":\"%s5\"}", id64);
	assert_int_equal(pusher_parse_established(span_str(data), &e), PUSHER_E_BAD);
}

static void test_established_without_usable_socket_id_is_bad(void **state UNUSED)
{
	static const char *const cases[] = {
		"",
		"x",
		"[]",
		"{}",
		"{\"socket_id\":\"\"}",
		"{\"socket_id\":1.2}",
		"{\"socket_id\":null}",
		"{\"socket_id\":\"1\\u00002\"}",
		"{\"socket_id\":\"1 2\"}",
		"{\"socket_id\":\"\xc3\xa9\"}",
	};
	struct pusher_established e;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(pusher_parse_established(span_str(cases[i]), &e), PUSHER_E_BAD);
}

/* ---- error ------------------------------------------------------------------------------ */

static void assert_error(const char *data, unsigned int code, const char *message)
{
	struct pusher_error e;

	pusher_parse_error(span_str(data), &e);
	assert_int_equal(e.code, code);
	assert_string_equal(e.message, message);
}

static void test_error_forms(void **state UNUSED)
{
	assert_error("{\"code\":4001,\"message\":\"no app\"}", 4001, "no app");
	assert_error("{\"message\":\"m\",\"code\":null}", 0, "m");
	assert_error("{\"message\":\"m\"}", 0, "m");
	assert_error("{\"type\":\"T\",\"error\":\"what\",\"code\":4302}", 4302, "what");
	assert_error("{\"type\":\"AuthError\",\"error\":\"bad\",\"status\":401}", 401, "bad");
	assert_error("{\"type\":\"AuthError\"}", 0, "AuthError");
	assert_error("{\"code\":\"4009\",\"message\":\"m\"}", 4009, "m");
}

static void test_error_odd_codes_count_as_none(void **state UNUSED)
{
	assert_error("{\"code\":-4001,\"message\":\"m\"}", 0, "m");
	assert_error("{\"code\":4001.5,\"message\":\"m\"}", 0, "m");
	assert_error("{\"code\":99999999999999999999,\"message\":\"m\"}", 0, "m");
	assert_error("{\"code\":{},\"message\":\"m\"}", 0, "m");
	assert_error("{\"code\":\"\",\"message\":\"m\"}", 0, "m");
}

static void test_error_that_is_no_object_is_its_message(void **state UNUSED)
{
	assert_error("over quota", 0, "over quota");
	assert_error("", 0, "");
	assert_error("4001", 0, "4001");
	assert_error("{\"message\":{\"a\":1}}", 0, "{\"a\":1}");
}

static void test_error_message_is_one_line_of_limited_length(void **state UNUSED)
{
	struct pusher_error e;
	char data[1000];

	assert_error("{\"message\":\"a\\nb\\u0000c\\u001b[31m\xc3\xa9\"}", 0, "a?b?c?[31m??");
	memset(data, 'x', sizeof(data));
	pusher_parse_error(span_of(data, sizeof(data)), &e);
	assert_int_equal(strlen(e.message), sizeof(e.message) - 1);
}

/* ---- sent ------------------------------------------------------------------------------- */

static void test_put_subscribe(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	pusher_put_subscribe(&out, "chapi", span_of(NULL, 0));
	assert_text(&out, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"chapi\"}}");
	pusher_put_subscribe(&out, "private-a", span_str("k:s"));
	assert_text(
		&out,
		"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"private-a\","
		"\"auth\":\"k:s\"}}");
}

static void test_put_unsubscribe(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	pusher_put_unsubscribe(&out, "chapi");
	assert_text(&out, "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"chapi\"}}");
}

static void test_put_ping_and_pong_have_an_object(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	pusher_put_ping(&out);
	assert_text(&out, "{\"event\":\"pusher:ping\",\"data\":{}}");
	pusher_put_pong(&out);
	assert_text(&out, "{\"event\":\"pusher:pong\",\"data\":{}}");
}

static void test_put_event_body(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	pusher_put_event_body(&out, &(struct pusher_event){
		.name = span_str("reading"),
		.channel = span_str("private-sensor.42"),
		.data = span_str("{\"t\":21.5,\"unit\":\"C\"}"),
	});
	assert_text(&out, "{\"name\":\"reading\",\"channels\":[\"private-sensor.42\"],"
			  "\"data\":\"{\\\"t\\\":21.5,\\\"unit\\\":\\\"C\\\"}\"}");
}

static void test_put_event_body_with_the_one_that_does_not_get_it(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	pusher_put_event_body(&out, &(struct pusher_event){
					    .name = span_str("n"),
					    .channel = span_str("c"),
					    .data = span_str("{}"),
					    .socket_id = span_str("1.2"),
				    });
	assert_text(&out,
		    "{\"name\":\"n\",\"channels\":[\"c\"],\"data\":\"{}\",\"socket_id\":\"1.2\"}");
}

static void test_put_batch_entry(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf out = BUF_NULL;
	static const char text[] = "{\"name\":\"note\",\"channel\":\"ch-b\",\"data\":\"a\\\"b\","
				   "\"socket_id\":\"1234.5678\"}";

	pusher_put_batch_entry(&out, &(struct pusher_event){
		.name = span_str("note"),
		.channel = span_str("ch-b"),
		.data = span_str("a\"b"),
		.socket_id = span_str("1234.5678"),
	});
	assert_int_equal(buf_error(&out), 0);
	assert_int_equal(out.len, strlen(text));
	assert_memory_equal(buf_data(&out), text, out.len);
}

static void test_put_event_body_reads_back(void **state UNUSED)
{
	static const char data[] = "a\"\\\x01\n\x7f\0\xc3\xa9";
	CLEANUP(pusher_frame_deinit) struct pusher_frame frame = PUSHER_FRAME_NULL;
	struct buf out = BUF_NULL;
	const char *why;

	pusher_put_event_body(&out, &(struct pusher_event){
					    .name = span_str("n"),
					    .channel = span_str("c"),
					    .data = span_of(data, sizeof(data) - 1),
				    });
	buf_truncate(&out, out.len - 1);
	buf_put_str(&out, ",\"event\":\"e\"}");
	assert_int_equal(pusher_parse(buf_span(&out), &frame, &why), 0);
	assert_int_equal(frame.data.len, sizeof(data) - 1);
	assert_memory_equal(frame.data.p, data, sizeof(data) - 1);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame_with_data_as_string),
		cmocka_unit_test(test_frame_with_data_as_object_keeps_its_text),
		cmocka_unit_test(test_frame_with_data_of_other_types),
		cmocka_unit_test(test_frame_without_data),
		cmocka_unit_test(test_frame_with_an_integer_beyond_int64_is_not_lost),
		cmocka_unit_test(test_frame_with_nul_in_data),
		cmocka_unit_test(test_frame_order_and_blanks_do_not_matter),
		cmocka_unit_test(test_frame_unknown_keys_are_ignored),
		cmocka_unit_test(test_frame_last_of_equal_keys_counts),
		cmocka_unit_test(test_frame_names_are_decoded),
		cmocka_unit_test(test_frame_channel_that_is_no_text_counts_as_none),
		cmocka_unit_test(test_frame_large_data),
		cmocka_unit_test(test_frame_without_event_is_bad),
		cmocka_unit_test(test_frame_that_is_no_object_is_bad),
		cmocka_unit_test(test_frame_that_is_no_json_is_bad),
		cmocka_unit_test(test_frame_with_invalid_utf8_is_bad),
		cmocka_unit_test(test_frame_deeper_than_allowed_is_bad),
		cmocka_unit_test(test_pong_is_known_in_any_form),
		cmocka_unit_test(test_protocol_events_are_told_by_their_prefix),
		cmocka_unit_test(test_established),
		cmocka_unit_test(test_established_without_usable_timeout),
		cmocka_unit_test(test_established_socket_id_has_a_length),
		cmocka_unit_test(test_established_without_usable_socket_id_is_bad),
		cmocka_unit_test(test_error_forms),
		cmocka_unit_test(test_error_odd_codes_count_as_none),
		cmocka_unit_test(test_error_that_is_no_object_is_its_message),
		cmocka_unit_test(test_error_message_is_one_line_of_limited_length),
		cmocka_unit_test(test_put_subscribe),
		cmocka_unit_test(test_put_unsubscribe),
		cmocka_unit_test(test_put_ping_and_pong_have_an_object),
		cmocka_unit_test(test_put_event_body),
		cmocka_unit_test(test_put_event_body_with_the_one_that_does_not_get_it),
		cmocka_unit_test(test_put_batch_entry),
		cmocka_unit_test(test_put_event_body_reads_back),
	};

	return cmocka_run_group_tests_name("pusher", tests, NULL, NULL);
}
