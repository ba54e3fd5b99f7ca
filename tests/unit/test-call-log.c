/* SPDX-License-Identifier: MIT */
/*
 * What the log is told of calls: at which level, in which words, and how often.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "gateway/call_log.h"
#include "gateway/log.h"
#include "tests/unit/capture.h"

static const struct party caller = { .caller = "uid:1000" };

static void end_call(struct call_log *log, int code, uint64_t now_ms)
{
	const struct failure failure = {
		.code = code,
		.ran = CHAPI_RAN_UNKNOWN,
		.message = span_str("what was passed"),
	};

	call_log_ended(log, &caller, &(struct party_response){
		.failure = code == CHAPI_OK ? NULL : &failure,
		.result = span_str("what came"),
		.api = span_str("door.open"),
		.call = span_str("7c9e"),
		.queue_ms = 2.2,
		.run_ms = 10.1,
	}, now_ms);
}

static void open_log(enum log_level level)
{
	unsetenv("JOURNAL_STREAM");
	log_open(level);
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void test_line_has_the_code_and_neither_params_nor_words_of_the_error(void **state UNUSED)
{
	struct call_log log = { 0 };
	char text[1000];

	CAPTURED(text, {
		open_log(LOG_LEVEL_DEBUG);
		end_call(&log, CHAPI_OK, 0);
		end_call(&log, CHAPI_ERR_DEADLINE_EXCEEDED, 0);
		end_call(&log, CHAPI_ERR_PROVIDER_GONE, 0);
		end_call(&log, CHAPI_ERR_API_ERROR, 0);
	});
	assert_string_equal(text,
		"call: debug: 7c9e of door.open by uid:1000: ok, 12 ms\n"
		"call: 7c9e of door.open by uid:1000: deadline_exceeded, ran unknown, 12 ms\n"
		"call: warning: 7c9e of door.open by uid:1000: provider_gone, ran unknown, 12 ms\n"
		"call: debug: 7c9e of door.open by uid:1000: api_error, ran unknown, 12 ms\n");
}

/* At the usual level: what was refused, was too slow or has failed on this side. */
static void test_usual_level_has_those_that_somebody_may_look_into(void **state UNUSED)
{
	static const int told[] = {
		CHAPI_ERR_ANSWER_LOST, CHAPI_ERR_BAD_REPLY, CHAPI_ERR_BUSY,
		CHAPI_ERR_DEADLINE_EXCEEDED, CHAPI_ERR_INTERNAL, CHAPI_ERR_PERMISSION_DENIED,
		CHAPI_ERR_PROVIDER_GONE, CHAPI_ERR_RATE_LIMITED, CHAPI_ERR_UNAUTHENTICATED,
	};

	for (int code = CHAPI_OK; code <= CHAPI_ERR_CONNECTION_LOST; code++) {
		struct call_log log = { 0 };
		bool is_told = false;
		char text[1000];

		for (size_t i = 0; i < ARRAY_SIZE(told); i++)
			is_told |= told[i] == code;
		CAPTURED(text, {
			open_log(LOG_LEVEL_INFO);
			end_call(&log, code, 0);
		});
		assert_int_equal(count_lines(text), is_told);
	}
}

static void end_calls(struct call_log *log, int code, unsigned int n, uint64_t now_ms)
{
	while (n-- > 0)
		end_call(log, code, now_ms);
}

static void test_flood_is_left_out_and_counted(void **state UNUSED)
{
	struct call_log log = { 0 };
	char text[10000];

	CAPTURED(text, {
		open_log(LOG_LEVEL_INFO);
		end_calls(&log, CHAPI_ERR_BUSY, CALL_LOG_LINES, 5);
		call_log_lost(&log, span_str("8d0f"), span_str("x"), "no", 5);
		end_calls(&log, CHAPI_OK, 1000, 5);
		end_calls(&log, CHAPI_ERR_BUSY, 7, 2999);
	});
	/* Those that are alike are counted by the log itself. */
	assert_non_null(strstr(text, "call: 7c9e of door.open by uid:1000: busy"));
	assert_null(strstr(text, "8d0f"));
	assert_int_equal(log.others.n_left_out, 8);
	CAPTURED(text, {
		open_log(LOG_LEVEL_INFO);
		end_calls(&log, CHAPI_ERR_BUSY, 1, 3030);
		end_calls(&log, CHAPI_ERR_BUSY, 1, 3031);
	});
	assert_string_equal(text, "call: 7c9e of door.open by uid:1000: busy, ran unknown, 12 ms "
				  "(8 lines like this were left out)\n");
	assert_int_equal(log.others.n_left_out, 1);
}

static void test_flood_of_refusals_hides_no_warning(void **state UNUSED)
{
	struct call_log log = { 0 };
	char text[10000];

	CAPTURED(text, {
		open_log(LOG_LEVEL_INFO);
		end_calls(&log, CHAPI_ERR_PERMISSION_DENIED, 2 * CALL_LOG_LINES, 5);
		end_calls(&log, CHAPI_ERR_PROVIDER_GONE, 1, 5);
	});
	assert_non_null(strstr(text, "call: warning: 7c9e of door.open by uid:1000: provider_gone, "
				     "ran unknown, 12 ms\n"));
	assert_int_equal(log.others.n_left_out, CALL_LOG_LINES);
}

static void test_at_debug_nothing_is_left_out(void **state UNUSED)
{
	struct call_log log = { 0 };
	char text[10000];

	CAPTURED(text, {
		open_log(LOG_LEVEL_DEBUG);
		for (unsigned int i = 0; i < 2 * CALL_LOG_LINES; i++)
			end_call(&log, i % 2 ? CHAPI_ERR_BUSY : CHAPI_OK, 5);
	});
	assert_int_equal(count_lines(text), 2 * CALL_LOG_LINES);
	assert_int_equal(log.others.n_left_out, 0);
}

static void test_answer_that_did_not_reach_the_hub(void **state UNUSED)
{
	struct call_log log = { 0 };
	char text[1000];

	CAPTURED(text, {
		open_log(LOG_LEVEL_WARN);
		call_log_lost(&log, span_str("8d0f"), span_str("x\n"), "quota", 5);
		open_log(LOG_LEVEL_INFO);
		call_log_lost(&log, span_str("8d0f"), span_str("x\n"), "quota", 5);
		call_log_lost(&log, span_of(NULL, 0), span_str("y"), "quota", 5);
	});
	assert_string_equal(text,
		"call: 8d0f of x\\x0a: answer_lost, it was not published: quota\n"
		"call: of y: answer_lost, it was not published: quota\n");
}

static void test_caller_that_is_gone(void **state UNUSED)
{
	const struct failure failure = { .code = CHAPI_ERR_CANCELLED, .ran = CHAPI_RAN_NO };
	struct call_log log = { 0 };
	char text[1000];

	CAPTURED(text, {
		open_log(LOG_LEVEL_DEBUG);
		call_log_ended(&log, NULL, &(struct party_response){
			.failure = &failure, .api = span_str("a"), .call = span_str("1"),
		}, 0);
	});
	assert_string_equal(text, "call: debug: 1 of a: cancelled, ran no, 0 ms\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_has_the_code_and_neither_params_nor_words_of_the_error),
		cmocka_unit_test(test_usual_level_has_those_that_somebody_may_look_into),
		cmocka_unit_test(test_flood_is_left_out_and_counted),
		cmocka_unit_test(test_flood_of_refusals_hides_no_warning),
		cmocka_unit_test(test_at_debug_nothing_is_left_out),
		cmocka_unit_test(test_answer_that_did_not_reach_the_hub),
		cmocka_unit_test(test_caller_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
