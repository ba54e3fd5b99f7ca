/* SPDX-License-Identifier: MIT */
/*
 * Records of the remote protocol: requests of every kind of client, and the responses.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "gateway/record.h"
#include "libchapi-ipc/mp.h"

static void assert_text(const struct buf *b, const char *expected)
{
	assert_int_equal(buf_error(b), 0);
	if (b->len != strlen(expected) || memcmp(buf_data(b), expected, b->len) != 0)
		fail_msg("got %.*s\nnot %s", (int)b->len, buf_data(b), expected);
}

static void assert_says(const struct value_fault *fault, const char *words)
{
	if (!strstr(fault->text, words))
		fail_msg("\"%s\" does not say \"%s\"", fault->text, words);
}

#define REQUEST(r) CLEANUP(record_request_deinit) struct record_request r; record_request_init(&r)

static void parse(const char *text, struct record_request *ret)
{
	struct value_fault fault;
	int r = record_request_parse(span_str(text), ret, &fault);

	if (r)
		fail_msg("%d: %s", r, r > 0 ? fault.text : "");
}

static void assert_outcome(struct span text, int outcome, const char *words)
{
	struct value_fault fault = { "" };
	REQUEST(r);

	assert_int_equal(record_request_parse(text, &r, &fault), outcome);
	assert_says(&fault, words);
}

static void assert_not_ours(const char *text, const char *words)
{
	assert_outcome(span_str(text), RECORD_E_NOT_OURS, words);
}

static void assert_invalid(const char *text, const char *words)
{
	assert_outcome(span_str(text), RECORD_E_INVALID, words);
}

/* ---- requests --------------------------------------------------------------------------- */

static void test_request_with_api_only(void **state UNUSED)
{
	REQUEST(r);

	parse("{\"api\":\"x\"}", &r);
	assert_text(&r.api, "x");
	assert_text(&r.params_text, "{}");
	assert_int_equal(r.params.len, 1);
	assert_int_equal(buf_data(&r.params)[0], 0x80);
	assert_int_equal(r.id.len + r.caller.len + r.to.len + r.reply_to.len + r.extra.len, 0);
	assert_true(isnan(r.request_time));
	assert_int_equal(r.timeout_ms, 0);
	assert_false(r.echo);
	assert_false(r.progress);
	assert_false(r.raw);
}

static void test_request_with_every_field(void **state UNUSED)
{
	REQUEST(r);

	parse("{\"progress\":true,\"raw\":true,\"echo\":true,\"reply_to\":\"private-r\","
	      "\"to\":\"pi\","
	      "\"caller\":\"Ann\",\"timeout_ms\":1500,\"request_time\":1700000000.25,"
	      "\"params\":{\"a\":[1,2]},\"retry\":\"ab\",\"retry_ms\":0.5,"
	      "\"api\":\"lights.on\",\"id\":\"i-1\"}",
	      &r);
	assert_text(&r.id, "i-1");
	assert_text(&r.api, "lights.on");
	assert_text(&r.params_text, "{\"a\":[1,2]}");
	assert_text(&r.params, "\x81\xa1""a\x92\x01\x02");
	assert_text(&r.caller, "Ann");
	assert_text(&r.to, "pi");
	assert_text(&r.reply_to, "private-r");
	assert_true(r.request_time == 1700000000.25);
	assert_int_equal(r.timeout_ms, 1500);
	assert_int_equal(r.retry_ms, 1);
	assert_true(r.echo);
	assert_true(r.progress);
	assert_true(r.raw);
	assert_int_equal(r.extra.len, 0);
}

static void test_request_params_of_any_type(void **state UNUSED)
{
	static const char *const values[] = {
		"null", "[]", "\"t\"", "7", "true", "-1.5", "18446744073709551615"
	};
	char text[100];

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		REQUEST(r);

		snprintf(text, sizeof(text), "{\"api\":\"x\",\"params\": %s }", values[i]);
		parse(text, &r);
		assert_text(&r.params_text, values[i]);
		assert_true(r.params.len > 0);
	}
}

static void test_request_unknown_fields_are_kept_as_received(void **state UNUSED)
{
	REQUEST(r);

	parse("{ \"timestamp\" : 1.50 , \"api\":\"x\",\"\\u0061\\n\":{ \"k\":[1, 2]},"
	      "\"big\":99999999999999999999 }",
	      &r);
	assert_text(
		&r.extra,
		",\"timestamp\":1.50,\"\\u0061\\n\":{ \"k\":[1, 2]},\"big\":99999999999999999999");
}

static void test_request_fields_that_a_response_has_are_not_kept(void **state UNUSED)
{
	REQUEST(r);

	parse("{\"api\":\"x\",\"result\":1,\"error\":2,\"response_time\":3,\"queue_ms\":4,"
	      "\"run_ms\":5,\"gateway\":6,"
	      "\"instance\":7,\"cached\":8,\"\\u0072esult\":9,\"mine\":0}",
	      &r);
	assert_text(&r.extra, ",\"mine\":0");
}

static void test_request_last_of_equal_fields_counts(void **state UNUSED)
{
	REQUEST(r);

	parse("{\"api\":\"a\",\"id\":\"1\",\"api\":\"b\",\"params\":{\"x\":1},\"id\":\"2\","
	      "\"params\":[]}",
	      &r);
	assert_text(&r.api, "b");
	assert_text(&r.id, "2");
	assert_text(&r.params_text, "[]");
}

static void test_request_names_may_be_escaped(void **state UNUSED)
{
	REQUEST(r);

	parse("{\"\\u0061pi\":\"\\u0078\\u00e9\"}", &r);
	assert_text(&r.api, "x\xc3\xa9");
	assert_int_equal(r.extra.len, 0);
}

static void test_request_null_counts_as_missing(void **state UNUSED)
{
	REQUEST(r);

	parse("{\"api\":\"x\",\"id\":null,\"request_time\":null,\"timeout_ms\":null,"
	      "\"caller\":null,\"to\":null,"
	      "\"reply_to\":null,\"progress\":null,\"echo\":null,\"retry\":null}",
	      &r);
	assert_int_equal(r.id.len, 0);
	assert_int_equal(r.timeout_ms, 0);
	assert_true(isnan(r.request_time));
	assert_int_equal(r.extra.len, 0);
}

static void test_request_timeout_is_rounded_up_and_limited(void **state UNUSED)
{
	REQUEST(r);
	REQUEST(huge);

	parse("{\"api\":\"x\",\"timeout_ms\":0.1}", &r);
	assert_int_equal(r.timeout_ms, 1);
	parse("{\"api\":\"x\",\"timeout_ms\":1e300}", &huge);
	assert_true(huge.timeout_ms == INT64_C(9007199254740992));
}

static void test_request_that_is_no_json(void **state UNUSED)
{
	assert_not_ours("", "not JSON");
	assert_not_ours("hello", "not JSON");
	assert_not_ours("{\"api\":\"x\"", "not JSON");
	assert_not_ours("{\"api\":\"x\"}}", "not JSON");
	assert_not_ours("{'api':'x'}", "not JSON");
}

static void test_request_that_is_no_object(void **state UNUSED)
{
	assert_not_ours("[\"api\"]", "no JSON object");
	assert_not_ours("\"api\"", "no JSON object");
	assert_not_ours("null", "no JSON object");
	assert_not_ours("1", "no JSON object");
}

static void test_request_without_api(void **state UNUSED)
{
	assert_not_ours("{}", "api");
	assert_not_ours("{\"API\":\"x\"}", "api");
	assert_not_ours("{\"api\":null}", "api");
	assert_not_ours("{\"api\":7}", "api");
	assert_not_ours("{\"api\":{\"api\":\"x\"}}", "api");
	assert_not_ours("{\"api\":\"x\",\"api\":[]}", "api");
}

static void test_request_with_invalid_utf8(void **state UNUSED)
{
	assert_not_ours("{\"api\":\"\xff\"}", "not JSON");
	assert_not_ours("{\"api\":\"x\",\"other\":\"\xc3\"}", "not JSON");
}

static void test_request_of_a_megabyte(void **state UNUSED)
{
	enum { SIZE = 1 << 20 };
	struct buf text = BUF_NULL;
	REQUEST(r);

	buf_put_str(&text, "{\"api\":\"x\",\"params\":{\"t\":\"");
	for (size_t i = 0; i < SIZE; i++)
		buf_put_byte(&text, 'y');
	assert_outcome(buf_span(&text), RECORD_E_NOT_OURS, "not JSON");
	buf_put_str(&text, "\"}}");
	buf_put_byte(&text, '\0');	/* ends it for parse() */
	parse((const char *)buf_data(&text), &r);
	assert_true(r.params.len > SIZE);
	buf_deinit(&text);
}

/* A request with n arrays in one another as params, or as a field of its own. */
static void put_deep(struct buf *text, const char *field, size_t n)
{
	buf_printf(text, "{\"id\":\"i\",\"api\":\"x\",\"%s\":", field);
	for (size_t i = 0; i < n; i++)
		buf_put_byte(text, '[');
	for (size_t i = 0; i < n; i++)
		buf_put_byte(text, ']');
	buf_put_byte(text, '}');
}

static void check_deep(const char *field, size_t n, int outcome, const char *words)
{
	struct buf text = BUF_NULL;

	put_deep(&text, field, n);
	assert_outcome(buf_span(&text), outcome, words);
	buf_deinit(&text);
}

static void test_request_deep_params(void **state UNUSED)
{
	check_deep("params", MP_VALUE_DEPTH_MAX, 0, "");
	check_deep("params", MP_VALUE_DEPTH_MAX + 1, RECORD_E_INVALID, "params: ");
	check_deep("params", 1000000, RECORD_E_NOT_OURS, "not JSON");
}

static void test_request_deep_unknown_field(void **state UNUSED)
{
	check_deep("mine", RECORD_DEPTH_MAX - 1, 0, "");
	check_deep("mine", RECORD_DEPTH_MAX, RECORD_E_NOT_OURS, "not JSON");
}

static void test_request_field_of_wrong_type_is_named(void **state UNUSED)
{
	static const char *const cases[][2] = {
		{ "\"id\":7", "id: " },
		{ "\"request_time\":\"now\"", "request_time: " },
		{ "\"request_time\":1e999", "request_time: " },
		{ "\"timeout_ms\":\"5\"", "timeout_ms: " },
		{ "\"timeout_ms\":{}", "timeout_ms: " },
		{ "\"caller\":[]", "caller: " },
		{ "\"to\":1", "to: " },
		{ "\"reply_to\":false", "reply_to: " },
		{ "\"progress\":1", "progress: " },
		{ "\"raw\":\"yes\"", "raw: " },
		{ "\"echo\":\"yes\"", "echo: " },
		{ "\"retry\":true", "retry: " },
		{ "\"retry_ms\":0", "retry_ms: " }, { "\"retry_ms\":\"1\"", "retry_ms: " },
	};
	char text[100];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text), "{\"api\":\"x\",%s}", cases[i][0]);
		assert_invalid(text, cases[i][1]);
	}
}

static void test_request_timeout_not_above_zero(void **state UNUSED)
{
	assert_invalid("{\"api\":\"x\",\"timeout_ms\":0}",
		       "timeout_ms: has to be a number above 0");
	assert_invalid("{\"api\":\"x\",\"timeout_ms\":-5}", "timeout_ms: ");
	assert_invalid("{\"api\":\"x\",\"timeout_ms\":-0.0}", "timeout_ms: ");
}

static void test_request_caller_has_a_length(void **state UNUSED)
{
	char text[200];
	REQUEST(r);

	snprintf(text, sizeof(text), "{\"api\":\"x\",\"caller\":\"%064d\"}", 1);
	parse(text, &r);
	assert_int_equal(r.caller.len, 64);
	snprintf(text, sizeof(text), "{\"api\":\"x\",\"caller\":\"%065d\"}", 1);
	assert_invalid(text, "caller: ");
}

static void test_request_id_has_rules(void **state UNUSED)
{
	char text[200];
	REQUEST(r);

	snprintf(text, sizeof(text), "{\"api\":\"x\",\"id\":\"%064d\"}", 1);
	parse(text, &r);
	assert_int_equal(r.id.len, 64);
	snprintf(text, sizeof(text), "{\"api\":\"x\",\"id\":\"%065d\"}", 1);
	assert_invalid(text, "id: ");
	assert_invalid("{\"api\":\"x\",\"id\":\"\"}", "id: ");
	assert_invalid("{\"api\":\"x\",\"id\":\"\xc3\xa9\"}", "id: ");
	assert_invalid("{\"api\":\"x\",\"id\":\"a\\nb\"}", "id: ");
	assert_invalid("{\"api\":\"x\",\"id\":\"a\\u0000\"}", "id: ");
}

static void test_request_invalid_id_is_not_kept(void **state UNUSED)
{
	struct value_fault fault;
	REQUEST(r);

	assert_int_equal(
		record_request_parse(
			span_str("{\"api\":\"x\",\"id\":\"\\n\",\"params\":{\"a\":1},\"k\":1}"), &r,
			&fault),
		RECORD_E_INVALID);
	assert_int_equal(r.id.len, 0);
	assert_text(&r.api, "x");
	assert_text(&r.params_text, "{\"a\":1}");
	assert_text(&r.extra, ",\"k\":1");
}

static void test_request_invalid_field_leaves_the_others_known(void **state UNUSED)
{
	struct value_fault fault;
	REQUEST(r);

	assert_int_equal(
		record_request_parse(
			span_str("{\"timeout_ms\":0,\"progress\":3,\"to\":\"pi\",\"id\":\"i\","
				 "\"api\":\"x\"}"),
			&r, &fault),
		RECORD_E_INVALID);
	assert_text(&r.id, "i");
	assert_text(&r.to, "pi");
	assert_text(&r.api, "x");
	assert_says(&fault, "timeout_ms: ");	/* the first in the gateway's own order */
}

static void test_request_params_without_msgpack_form(void **state UNUSED)
{
	assert_invalid("{\"api\":\"x\",\"params\":{\"$x\":1}}", "params: ");
	assert_invalid("{\"api\":\"x\",\"params\":{\"a\":1,\"a\":2}}", "params: ");
	assert_invalid("{\"api\":\"x\",\"params\":{\"list\":[{\"$bin\":\"?\"}]}}", "list");
}

static void test_request_long_fault_stays_utf8(void **state UNUSED)
{
	struct value_fault fault;
	struct buf text = BUF_NULL;
	REQUEST(r);
	size_t len;

	buf_put_str(&text, "{\"api\":\"x\",\"params\":{\"");
	for (size_t i = 0; i < 300; i++)
		buf_put_str(&text, "\xc3\xa9");
	buf_put_str(&text, "\":{\"$x\":1}}}");
	assert_int_equal(record_request_parse(buf_span(&text), &r, &fault), RECORD_E_INVALID);
	len = strlen(fault.text);
	assert_true(len > 0 && len < sizeof(fault.text));
	assert_int_not_equal((uint8_t)fault.text[len - 1], 0xc3);
	buf_deinit(&text);
}

/* ---- responses -------------------------------------------------------------------------- */

static const struct record_gateway gateway = { .gateway = "pi-kitchen", .instance = "00ff" };

#define TIMES \
	"\"request_time\":1700000000.5,\"response_time\":1700000001.0,\"queue_ms\":0.25," \
	"\"run_ms\":12.5"
#define GATEWAY "\"gateway\":\"pi-kitchen\",\"instance\":\"00ff\""

static struct party_response response_of(const struct failure *failure, struct span result)
{
	return (struct party_response){
		.failure = failure,
		.result = result,
		.request_time = 1700000000.5,
		.response_time = 1700000001,
		.queue_ms = 0.25,
		.run_ms = 12.5,
	};
}

/* The answer to a request (text) with a result (MessagePack) or a failure. */
static void assert_response(const char *request, const struct failure *failure, struct span result,
			    const char *expected)
{
	const struct party_response response = response_of(failure, result);
	struct value_fault fault;
	struct buf out = BUF_NULL;
	REQUEST(r);

	assert_true(record_request_parse(span_str(request), &r, &fault) != RECORD_E_NOT_OURS);
	assert_int_equal(record_response_put(&r, &response, &gateway, &out), 0);
	assert_text(&out, expected);
	buf_deinit(&out);
}

#define RESULT_1 span_of("\x01", 1)

static void test_response_with_id(void **state UNUSED)
{
	assert_response("{\"id\":\"i\\\"1\",\"api\":\"x\",\"params\":{\"a\":1},\"mine\":2}", NULL,
			RESULT_1,
			"{\"id\":\"i\\\"1\",\"api\":\"x\",\"result\":1,\"error\":null," TIMES
			"," GATEWAY "}");
}

static void test_response_with_id_and_echo_has_params(void **state UNUSED)
{
	assert_response(
		"{\"id\":\"i\",\"api\":\"x\",\"params\":{ \"a\":1.0},\"mine\":2,\"echo\":true}",
		NULL, RESULT_1,
		"{\"id\":\"i\",\"api\":\"x\",\"result\":1,\"error\":null,"
		"\"params\":{ \"a\":1.0}," TIMES
		"," GATEWAY "}");
}

static void test_response_without_id_gives_everything_back(void **state UNUSED)
{
	assert_response("{\"timestamp\":1.50,\"api\":\"x\",\"params\":{\"a\": 1},\"mine\":[ 2]}",
			NULL, RESULT_1,
			"{\"api\":\"x\",\"result\":1,\"error\":null,\"params\":{\"a\": 1}," TIMES
			"," GATEWAY ",\"timestamp\":1.50,\"mine\":[ 2]}");
}

static void test_response_without_id_own_fields_win(void **state UNUSED)
{
	assert_response("{\"result\":5,\"api\":\"x\",\"gateway\":\"me\",\"cached\":true,\"k\":1}",
			NULL, RESULT_1,
			"{\"api\":\"x\",\"result\":1,\"error\":null,\"params\":{}," TIMES
			"," GATEWAY ",\"k\":1}");
}

static void test_response_gives_the_clients_time_back(void **state UNUSED)
{
	assert_response(
		"{\"id\":\"i\",\"api\":\"x\",\"request_time\":5}", NULL, RESULT_1,
		"{\"id\":\"i\",\"api\":\"x\",\"result\":1,\"error\":null,\"request_time\":5.0,"
		"\"response_time\":1700000001.0,\"queue_ms\":0.25,\"run_ms\":12.5," GATEWAY "}");
}

static void test_response_with_nil_has_both_null(void **state UNUSED)
{
	assert_response("{\"id\":\"i\",\"api\":\"x\"}", NULL, span_of("\xc0", 1),
			"{\"id\":\"i\",\"api\":\"x\",\"result\":null,\"error\":null," TIMES
			"," GATEWAY "}");
}

static void test_response_with_error(void **state UNUSED)
{
	const struct failure failure = {
		.code = CHAPI_ERR_API_NOT_FOUND,
		.ran = CHAPI_RAN_NO,
		.message = span_str("no \"x\" here"),
	};

	assert_response(
		"{\"id\":\"i\",\"api\":\"x\"}", &failure, span_of(NULL, 0),
		"{\"id\":\"i\",\"api\":\"x\",\"result\":null,\"error\":{\"code\":\"api_not_found\","
		"\"message\":\"no \\\"x\\\" here\",\"ran\":\"no\"}," TIMES "," GATEWAY "}");
}

static void test_response_with_error_details(void **state UNUSED)
{
	const struct failure failure = {
		.code = CHAPI_ERR_API_ERROR, .ran = CHAPI_RAN_YES, .message = span_str("m"),
		.details = span_of("\x81\xa1k\xc4\x01\xff", 6),
	};

	assert_response(
		"{\"id\":\"i\",\"api\":\"x\"}", &failure, span_of(NULL, 0),
		"{\"id\":\"i\",\"api\":\"x\",\"result\":null,\"error\":{\"code\":\"api_error\","
		"\"message\":\"m\","
		"\"ran\":\"yes\",\"details\":{\"k\":{\"$bin\":\"/w==\"}}}," TIMES "," GATEWAY "}");
}

static void test_response_error_details_without_json_form_are_left_out(void **state UNUSED)
{
	const struct failure failure = {
		.code = CHAPI_ERR_API_ERROR, .ran = CHAPI_RAN_YES, .message = span_str("m"),
		.details = span_of("\x81\xa1k\xcb\x7f\xf8\0\0\0\0\0\0", 12),	/* NaN */
	};

	assert_response(
		"{\"id\":\"i\",\"api\":\"x\"}", &failure, span_of(NULL, 0),
		"{\"id\":\"i\",\"api\":\"x\",\"result\":null,\"error\":{\"code\":\"api_error\","
		"\"message\":\"m\","
		"\"ran\":\"yes\"}," TIMES "," GATEWAY "}");
}

static void test_response_error_message_that_is_not_utf8(void **state UNUSED)
{
	const struct failure failure = {
		.code = CHAPI_ERR_API_ERROR,
		.ran = CHAPI_RAN_UNKNOWN,
		.message = span_str("a\xff\nb"),
	};

	assert_response(
		"{\"id\":\"i\",\"api\":\"x\"}", &failure, span_of(NULL, 0),
		"{\"id\":\"i\",\"api\":\"x\",\"result\":null,\"error\":{\"code\":\"api_error\","
		"\"message\":\"a??b\",\"ran\":\"unknown\"}," TIMES "," GATEWAY "}");
}

/* A result that has no form in JSON, and words of the error that takes its place. */
static void check_bad_reply(const char *request, struct span result, const char *words)
{
	const struct party_response response = response_of(NULL, result);
	struct buf out = BUF_NULL;
	REQUEST(r);

	parse(request, &r);
	assert_int_equal(record_response_put(&r, &response, &gateway, &out), 0);
	buf_put_byte(&out, '\0');
	if (!strstr((const char *)buf_data(&out), words))
		fail_msg("%s does not say %s", buf_data(&out), words);
	assert_non_null(strstr((const char *)buf_data(&out),
			       "\"result\":null,\"error\":{\"code\":\"bad_reply\","));
	assert_non_null(strstr((const char *)buf_data(&out), "\"ran\":\"yes\"},"));
	buf_deinit(&out);
}

static void test_response_result_without_json_form_is_bad_reply(void **state UNUSED)
{
	check_bad_reply("{\"id\":\"i\",\"api\":\"x\"}",
			span_of("\x81\xa4temp\xcb\x7f\xf8\0\0\0\0\0\0", 15), "temp");
	check_bad_reply("{\"api\":\"x\"}", span_of("\xa1\xff", 2), "UTF-8");
	check_bad_reply("{\"api\":\"x\"}", span_of("\xc1", 1), "bad_reply");
}

static void test_response_without_room_leaves_nothing(void **state UNUSED)
{
	const struct party_response response = response_of(NULL, RESULT_1);
	struct buf out;
	REQUEST(r);

	parse("{\"api\":\"x\"}", &r);
	for (size_t max = 6; max < 200; max++) {
		buf_init(&out, max);
		buf_put_str(&out, "before");
		if (record_response_put(&r, &response, &gateway, &out) == 0)
			break;
		assert_text(&out, "before");
		buf_deinit(&out);
	}
	assert_true(out.len > 6);
	buf_deinit(&out);
}

/* ---- whose response --------------------------------------------------------------------- */

static void test_origin_of_a_response(void **state UNUSED)
{
	struct buf name = BUF_NULL, instance = BUF_NULL;

	assert_int_equal(
		record_response_origin(span_str("{\"id\":\"i\",\"api\":\"x\",\"gateway\":\"pi\","
						"\"instance\":\"ab\"}"),
				       &name, &instance),
		0);
	assert_text(&name, "pi");
	assert_text(&instance, "ab");
	buf_deinit(&name);
	buf_deinit(&instance);
}

static void test_origin_not_told(void **state UNUSED)
{
	static const char *const cases[] = {
		"", "x", "[]", "{}", "{\"gateway\":\"pi\"}", "{\"gateway\":1,\"instance\":\"ab\"}",
		"{\"gateway\":\"pi\",\"instance\":null}", "{\"gateway\":\"\",\"instance\":\"ab\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_deinit) struct buf name = BUF_NULL;
		CLEANUP(buf_deinit) struct buf instance = BUF_NULL;

		assert_int_equal(record_response_origin(span_str(cases[i]), &name, &instance),
				 RECORD_E_NOT_OURS);
	}
}

static void test_retry_is_kept_and_told_from_none(void **state UNUSED)
{
	static const struct { const char *text, *retry; bool has; } cases[] = {
		{ "{\"api\":\"x\",\"retry\":\"00ff\"}", "00ff", true },
		{ "{\"api\":\"x\",\"retry\":\"\"}", "", true },
		{ "{\"api\":\"x\",\"retry\":null}", "", false },
		{ "{\"api\":\"x\"}", "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct record_request r;
		struct value_fault fault;

		record_request_init(&r);
		assert_int_equal(record_request_parse(span_str(cases[i].text), &r, &fault), 0);
		assert_true(span_is(buf_span(&r.retry), cases[i].retry));
		assert_int_equal(r.has_retry, cases[i].has);
		record_request_deinit(&r);
	}
}

static void test_response_given_once_more_says_so(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf out = BUF_NULL;

	record_put_cached(span_str("{\"id\":\"i\"}"), &out);
	assert_true(span_is(buf_span(&out), "{\"id\":\"i\",\"cached\":true}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retry_is_kept_and_told_from_none),
		cmocka_unit_test(test_response_given_once_more_says_so),
		cmocka_unit_test(test_request_with_api_only),
		cmocka_unit_test(test_request_with_every_field),
		cmocka_unit_test(test_request_params_of_any_type),
		cmocka_unit_test(test_request_unknown_fields_are_kept_as_received),
		cmocka_unit_test(test_request_fields_that_a_response_has_are_not_kept),
		cmocka_unit_test(test_request_last_of_equal_fields_counts),
		cmocka_unit_test(test_request_names_may_be_escaped),
		cmocka_unit_test(test_request_null_counts_as_missing),
		cmocka_unit_test(test_request_timeout_is_rounded_up_and_limited),
		cmocka_unit_test(test_request_that_is_no_json),
		cmocka_unit_test(test_request_that_is_no_object),
		cmocka_unit_test(test_request_without_api),
		cmocka_unit_test(test_request_with_invalid_utf8),
		cmocka_unit_test(test_request_of_a_megabyte),
		cmocka_unit_test(test_request_deep_params),
		cmocka_unit_test(test_request_deep_unknown_field),
		cmocka_unit_test(test_request_field_of_wrong_type_is_named),
		cmocka_unit_test(test_request_timeout_not_above_zero),
		cmocka_unit_test(test_request_caller_has_a_length),
		cmocka_unit_test(test_request_id_has_rules),
		cmocka_unit_test(test_request_invalid_id_is_not_kept),
		cmocka_unit_test(test_request_invalid_field_leaves_the_others_known),
		cmocka_unit_test(test_request_params_without_msgpack_form),
		cmocka_unit_test(test_request_long_fault_stays_utf8),
		cmocka_unit_test(test_response_with_id),
		cmocka_unit_test(test_response_with_id_and_echo_has_params),
		cmocka_unit_test(test_response_without_id_gives_everything_back),
		cmocka_unit_test(test_response_without_id_own_fields_win),
		cmocka_unit_test(test_response_gives_the_clients_time_back),
		cmocka_unit_test(test_response_with_nil_has_both_null),
		cmocka_unit_test(test_response_with_error),
		cmocka_unit_test(test_response_with_error_details),
		cmocka_unit_test(test_response_error_details_without_json_form_are_left_out),
		cmocka_unit_test(test_response_error_message_that_is_not_utf8),
		cmocka_unit_test(test_response_result_without_json_form_is_bad_reply),
		cmocka_unit_test(test_response_without_room_leaves_nothing),
		cmocka_unit_test(test_origin_of_a_response),
		cmocka_unit_test(test_origin_not_told),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
