/* SPDX-License-Identifier: MIT */
/*
 * What a provider says when it fails, and what its caller is told. Errors are written as JSON
 * where JSON has a form for them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "gateway/failure.h"
#include "libchapi-ipc/mp.h"
#include "libchapi-ipc/mp_scan.h"
#include "libchapi-ipc/value.h"

#define NO_REASON "the function failed and gave no reason"

/* What the caller is told; details as JSON, "" for none. */
struct told {
	int code;
	enum chapi_ran ran;
	const char *message, *details;
};

static unsigned int depth_of(struct span value)
{
	struct mp_scan scan;
	size_t used;

	mp_scan_init(&scan, MP_MESSAGE_DEPTH_MAX);
	return mp_scan(&scan, value.p, value.len, &used) == 0 ? scan.depth_seen : 0;
}

static void assert_details(struct span details, const char *expected)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct value_fault fault;

	if (details.len > 0 && value_to_json(details, MP_VALUE_DEPTH_MAX, &text, &fault) != 0)
		fail_msg("%s", fault.text);
	if (!span_is(buf_span(&text), expected))
		fail_msg("details are %.*s, not %s", (int)text.len, buf_data(&text), expected);
}

static void assert_failure(const struct failure *f, const struct told *told)
{
	if (!span_is(f->message, told->message))
		fail_msg("\"%.*s\", not \"%s\"", (int)f->message.len, f->message.p, told->message);
	assert_int_equal(f->code, told->code);
	assert_int_equal(f->ran, told->ran);
	assert_details(f->details, told->details);
}

static void assert_bytes(struct span error, const struct told *told)
{
	CLEANUP(buf_deinit) struct buf scratch = BUF_NULL;
	struct failure failure;

	buf_put_str(&scratch, "left from the last one");
	failure_read(error, depth_of(error), &scratch, &failure);
	assert_failure(&failure, told);
}

static void assert_json(const char *error, const struct told *told)
{
	CLEANUP(buf_deinit) struct buf bytes = BUF_NULL;
	struct value_fault fault;

	if (value_from_json(span_str(error), MP_VALUE_DEPTH_MAX, &bytes, &fault) != 0)
		fail_msg("%s: %s", error, fault.text);
	assert_bytes(buf_span(&bytes), told);
}

/* api_error: code and message as the provider gave them. */
static void assert_api_error(const char *error, const char *message, const char *details)
{
	assert_json(error, &(struct told){ CHAPI_ERR_API_ERROR, CHAPI_RAN_YES, message, details });
}

static void assert_bad_reply(struct span error, const char *message)
{
	assert_bytes(error, &(struct told){ CHAPI_ERR_BAD_REPLY, CHAPI_RAN_YES, message, "" });
}

#define ASSERT_BAD_REPLY(literal, message) \
	assert_bad_reply(span_of(literal, sizeof(literal) - 1), message)

/* ---- texts and codes -------------------------------------------------------------------- */

static void test_failure_text_is_the_message(void **state UNUSED)
{
	assert_api_error("\"the lamp is broken\"", "the lamp is broken", "");
	assert_api_error("\"Z\\u00fcrich\"", "Z\xc3\xbcrich", "");
	assert_api_error("\"\"", NO_REASON, "");
}

static void test_failure_map_without_anything(void **state UNUSED)
{
	assert_api_error("{}", NO_REASON, "");
	assert_api_error("{\"code\":null,\"message\":null,\"details\":null}", NO_REASON, "");
	assert_api_error("{\"code\":\"\",\"message\":\"\"}", NO_REASON, "");
}

static void test_failure_own_code_goes_into_the_details(void **state UNUSED)
{
	assert_api_error("{\"code\":\"overheated\",\"message\":\"too hot\"}", "too hot",
			 "{\"code\":\"overheated\"}");
	assert_api_error("{\"code\":\"E-7\"}", NO_REASON, "{\"code\":\"E-7\"}");
}

static void test_failure_codes_of_the_gateway_are_not_the_providers(void **state UNUSED)
{
	static const char *const codes[] = {
		"api_error", "api_not_found", "api_exists", "unauthenticated", "rate_limited",
		"paused", "too_large", "deadline_exceeded", "provider_gone", "bad_reply",
		"internal", "connection_lost", "Busy", "busy ",
	};
	char error[100], details[100];

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		snprintf(error, sizeof(error), "{\"code\":\"%s\",\"message\":\"m\"}", codes[i]);
		snprintf(details, sizeof(details), "{\"code\":\"%s\"}", codes[i]);
		assert_api_error(error, "m", details);
	}
}

static void test_failure_codes_that_a_provider_may_use(void **state UNUSED)
{
	static const struct {
		const char *name;
		int code;
		enum chapi_ran ran;
	} codes[] = {
		{ "invalid_argument", CHAPI_ERR_INVALID_ARGUMENT, CHAPI_RAN_NO },
		{ "busy", CHAPI_ERR_BUSY, CHAPI_RAN_NO },
		{ "cancelled", CHAPI_ERR_CANCELLED, CHAPI_RAN_UNKNOWN },
		{ "permission_denied", CHAPI_ERR_PERMISSION_DENIED, CHAPI_RAN_NO },
		{ "failed_precondition", CHAPI_ERR_FAILED_PRECONDITION, CHAPI_RAN_NO },
	};
	char error[100];

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		snprintf(error, sizeof(error), "{\"code\":\"%s\",\"message\":\"m\"}",
			 codes[i].name);
		assert_json(error, &(struct told){ codes[i].code, codes[i].ran, "m", "" });
		snprintf(error, sizeof(error), "{\"details\":{\"a\":1},\"code\":\"%s\"}",
			 codes[i].name);
		assert_json(error,
			    &(struct told){ codes[i].code, codes[i].ran, NO_REASON, "{\"a\":1}" });
	}
}

/* The provider says it in these; only its words count, not what it says of "ran". */
static void test_failure_other_fields_are_passed_over(void **state UNUSED)
{
	assert_api_error(
		"{\"ran\":\"no\",\"message\":\"m\",\"x\":[{\"code\":\"busy\"}],\"Code\":\"busy\"}",
		"m", "");
}

static void test_failure_last_of_equal_fields_counts(void **state UNUSED)
{
	static const char error[] = "\x82\xa7message\xa1" "a\xa7message\xa1" "b";

	assert_bytes(span_of(error, sizeof(error) - 1),
		     &(struct told){ CHAPI_ERR_API_ERROR, CHAPI_RAN_YES, "b", "" });
}

static void test_failure_message_becomes_one_line(void **state UNUSED)
{
	assert_api_error("\"a\\nb\\u0000\\u001b[31m\"", "a?b??[31m", "");
	assert_api_error("{\"message\":\"a\\r\\nb\",\"code\":\"c\",\"details\":{\"d\":1}}", "a??b",
			 "{\"code\":\"c\",\"d\":1}");
	assert_bytes(span_of("\xa3" "a\xff" "b", 4),
		     &(struct told){ CHAPI_ERR_API_ERROR, CHAPI_RAN_YES, "a?b", "" });
}

/* ---- details ---------------------------------------------------------------------------- */

static void test_failure_details_that_are_a_map(void **state UNUSED)
{
	assert_api_error("{\"message\":\"m\",\"details\":{\"a\":[1,2],\"b\":null}}", "m",
			 "{\"a\":[1,2],\"b\":null}");
	assert_api_error("{\"message\":\"m\",\"details\":{}}", "m", "{}");
	assert_api_error("{\"code\":\"c\",\"details\":{}}", NO_REASON, "{\"code\":\"c\"}");
	assert_api_error("{\"code\":\"c\",\"details\":{\"a\":{\"code\":1}}}", NO_REASON,
			 "{\"code\":\"c\",\"a\":{\"code\":1}}");
}

static void test_failure_details_have_the_providers_code_once(void **state UNUSED)
{
	assert_api_error("{\"code\":\"c\",\"details\":{\"a\":1,\"code\":{\"x\":7},\"b\":2}}",
			 NO_REASON, "{\"code\":\"c\",\"a\":1,\"b\":2}");
	assert_api_error("{\"details\":{\"code\":5}}", NO_REASON, "{\"code\":5}");
}

static void test_failure_details_that_are_no_map_become_one(void **state UNUSED)
{
	assert_api_error("{\"message\":\"m\",\"details\":7}", "m", "{\"details\":7}");
	assert_api_error("{\"message\":\"m\",\"details\":[1]}", "m", "{\"details\":[1]}");
	assert_api_error("{\"code\":\"c\",\"details\":\"why\"}", NO_REASON,
			 "{\"code\":\"c\",\"details\":\"why\"}");
	assert_json("{\"code\":\"busy\",\"details\":false}",
		    &(struct told){ CHAPI_ERR_BUSY, CHAPI_RAN_NO, NO_REASON,
				    "{\"details\":false}" });
}

static void test_failure_details_with_keys_of_other_types(void **state UNUSED)
{
	/* {"code": "c", "details": {7: 8, "code": 1, nil: 2}} */
	static const char error[] = "\x82\xa4"
				    "code\xa1"
				    "c\xa7"
				    "details\x83\x07\x08\xa4"
				    "code\x01\xc0\x02";
	CLEANUP(buf_deinit) struct buf scratch = BUF_NULL;
	struct failure f;

	failure_read(span_of(error, sizeof(error) - 1), 2, &scratch, &f);
	assert_int_equal(f.code, CHAPI_ERR_API_ERROR);
	assert_int_equal(f.details.len, 12);
	assert_memory_equal(f.details.p, "\x83\xa4" "code\xa1" "c\x07\x08\xc0\x02", 12);
}

/* {"code": "c", "details": n arrays in one another} */
static void put_deep(struct buf *b, unsigned int n, bool in_map)
{
	mp_put_map(b, 2);
	mp_put_str(b, "code");
	mp_put_str(b, "c");
	mp_put_str(b, "details");
	if (in_map) {
		mp_put_map(b, 1);
		mp_put_str(b, "a");
		n--;
	}
	for (; n > 1; n--)
		mp_put_array(b, 1);
	mp_put_array(b, 0);
}

static int code_of_deep(unsigned int n, bool in_map)
{
	CLEANUP(buf_deinit) struct buf error = BUF_NULL;
	CLEANUP(buf_deinit) struct buf scratch = BUF_NULL;
	struct failure f;

	put_deep(&error, n, in_map);
	failure_read(buf_span(&error), depth_of(buf_span(&error)), &scratch, &f);
	if (f.code == CHAPI_ERR_API_ERROR)
		assert_in_range(depth_of(f.details), 1, MP_VALUE_DEPTH_MAX);
	else
		assert_non_null(strstr((const char *)f.message.p, "nested too deep"));
	return f.code;
}

/* Whatever comes of it, the details are a value that others can read. */
static void test_failure_deep_details(void **state UNUSED)
{
	assert_int_equal(code_of_deep(MP_VALUE_DEPTH_MAX - 2, false), CHAPI_ERR_API_ERROR);
	assert_int_equal(code_of_deep(MP_VALUE_DEPTH_MAX - 1, true), CHAPI_ERR_API_ERROR);
	/* One that has to be wrapped gets one deeper. */
	assert_int_equal(code_of_deep(MP_VALUE_DEPTH_MAX - 1, false), CHAPI_ERR_BAD_REPLY);
	assert_int_equal(code_of_deep(MP_VALUE_DEPTH_MAX, false), CHAPI_ERR_BAD_REPLY);
	assert_int_equal(code_of_deep(MP_VALUE_DEPTH_MAX, true), CHAPI_ERR_BAD_REPLY);
}

/* ---- what cannot be read ---------------------------------------------------------------- */

static void test_failure_of_another_type_is_bad(void **state UNUSED)
{
	static const char *const cases[] = {
		"7", "true", "false", "[]", "[\"m\"]", "1.5", "{\"$bin\":\"\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_json(
			cases[i],
			&(struct told){
				CHAPI_ERR_BAD_REPLY, CHAPI_RAN_YES,
				"the provider's error is neither a text nor a map of code,"
				" message, details",
				"" });
}

static void test_failure_with_a_field_of_another_type_is_bad(void **state UNUSED)
{
	assert_json("{\"code\":7}", &(struct told){ CHAPI_ERR_BAD_REPLY, CHAPI_RAN_YES,
		    "the provider's error has a code that is no text", "" });
	assert_json("{\"message\":{}}", &(struct told){ CHAPI_ERR_BAD_REPLY, CHAPI_RAN_YES,
		    "the provider's error has a message that is no text", "" });
}

static void test_failure_that_breaks_off_is_bad(void **state UNUSED)
{
	ASSERT_BAD_REPLY("\xa5" "ab", "the provider's error cannot be read");
	ASSERT_BAD_REPLY("\x81\xa1x", "the provider's error cannot be read");
	ASSERT_BAD_REPLY("\x81", "the provider's error has a key that is no text");
	ASSERT_BAD_REPLY("\x81\x01\x02", "the provider's error has a key that is no text");
	ASSERT_BAD_REPLY("\x81\xa7"
			 "details\x92\x01",
			 "the details of the provider's error cannot be read");
	ASSERT_BAD_REPLY("\x81\xa4"
			 "code\xa1\xff",
			 "the provider's error has a code that is not UTF-8");
}

static void test_failure_without_memory_is_internal(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf scratch = BUF_NULL;
	CLEANUP(buf_deinit) struct buf error = BUF_NULL;
	struct value_fault fault;
	struct failure f;

	buf_init(&scratch, 8);
	assert_int_equal(value_from_json(span_str("{\"code\":\"a long code\"}"), MP_VALUE_DEPTH_MAX,
					 &error, &fault),
			 0);
	failure_read(buf_span(&error), 1, &scratch, &f);
	assert_failure(&f, &(struct told){ CHAPI_ERR_INTERNAL, CHAPI_RAN_YES,
		       "the gateway has no memory for the provider's error", "" });
}

static void test_failure_message_without_memory_is_left_out(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf scratch = BUF_NULL;
	CLEANUP(buf_deinit) struct buf error = BUF_NULL;
	struct value_fault fault;
	struct failure f;

	buf_init(&scratch, 16);
	assert_int_equal(value_from_json(span_str("{\"message\":\"a long\\nmessage of two lines\","
						  "\"details\":{\"a\":1}}"),
					 MP_VALUE_DEPTH_MAX, &error, &fault),
			 0);
	failure_read(buf_span(&error), 2, &scratch, &f);
	assert_failure(&f, &(struct told){ CHAPI_ERR_API_ERROR, CHAPI_RAN_YES, NO_REASON,
					   "{\"a\":1}" });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failure_text_is_the_message),
		cmocka_unit_test(test_failure_map_without_anything),
		cmocka_unit_test(test_failure_own_code_goes_into_the_details),
		cmocka_unit_test(test_failure_codes_of_the_gateway_are_not_the_providers),
		cmocka_unit_test(test_failure_codes_that_a_provider_may_use),
		cmocka_unit_test(test_failure_other_fields_are_passed_over),
		cmocka_unit_test(test_failure_last_of_equal_fields_counts),
		cmocka_unit_test(test_failure_message_becomes_one_line),
		cmocka_unit_test(test_failure_details_that_are_a_map),
		cmocka_unit_test(test_failure_details_have_the_providers_code_once),
		cmocka_unit_test(test_failure_details_that_are_no_map_become_one),
		cmocka_unit_test(test_failure_details_with_keys_of_other_types),
		cmocka_unit_test(test_failure_deep_details),
		cmocka_unit_test(test_failure_of_another_type_is_bad),
		cmocka_unit_test(test_failure_with_a_field_of_another_type_is_bad),
		cmocka_unit_test(test_failure_that_breaks_off_is_bad),
		cmocka_unit_test(test_failure_without_memory_is_internal),
		cmocka_unit_test(test_failure_message_without_memory_is_left_out),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
