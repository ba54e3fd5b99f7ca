/* SPDX-License-Identifier: MIT */
/*
 * The codes of errors: numbers, names, exit statuses that programs rely on, as they were
 * published.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <limits.h>

#include "libchapi-ipc/error.h"

/* chapi-ipc(7), "ERROR CODES", by number. What is "no or unknown" there is the cautious one
 * here. */
static const struct {
	int code;
	const char *name;
	enum chapi_ran ran;
	int exit_status;
} outcomes[] = {
	{ 1, "api_error", CHAPI_RAN_YES, 1 },
	{ 2, "invalid_argument", CHAPI_RAN_NO, 65 },
	{ 3, "api_not_found", CHAPI_RAN_NO, 67 },
	{ 4, "api_exists", CHAPI_RAN_NO, 73 },
	{ 5, "permission_denied", CHAPI_RAN_NO, 77 },
	{ 6, "unauthenticated", CHAPI_RAN_NO, 77 },
	{ 7, "failed_precondition", CHAPI_RAN_NO, 78 },
	{ 8, "busy", CHAPI_RAN_NO, 75 },
	{ 9, "rate_limited", CHAPI_RAN_NO, 75 },
	{ 10, "paused", CHAPI_RAN_NO, 69 },
	{ 11, "hub_down", CHAPI_RAN_NO, 69 },
	{ 12, "gateway_not_found", CHAPI_RAN_UNKNOWN, 68 },
	{ 13, "too_large", CHAPI_RAN_NO, 65 },
	{ 14, "deadline_exceeded", CHAPI_RAN_UNKNOWN, 124 },
	{ 15, "cancelled", CHAPI_RAN_UNKNOWN, 130 },
	{ 16, "provider_gone", CHAPI_RAN_UNKNOWN, 70 },
	{ 17, "answer_lost", CHAPI_RAN_UNKNOWN, 74 },
	{ 18, "bad_reply", CHAPI_RAN_YES, 70 },
	{ 19, "bad_message", CHAPI_RAN_NO, 76 },
	{ 20, "version_mismatch", CHAPI_RAN_NO, 76 },
	{ 21, "internal", CHAPI_RAN_UNKNOWN, 70 },
	{ 22, "connection_lost", CHAPI_RAN_UNKNOWN, 74 },
};

/* Trouble of the library itself. */
static const struct {
	int code, number, exit_status;
} own[] = {
	{ CHAPI_ERR_NOMEM, 64, 70 },		{ CHAPI_ERR_NO_GATEWAY, 65, 69 },
	{ CHAPI_ERR_ACCESS, 66, 77 },		{ CHAPI_ERR_PATH, 67, 66 },
	{ CHAPI_ERR_USAGE, 68, 64 },		{ CHAPI_ERR_JSON, 69, 65 },
	{ CHAPI_ERR_MSGPACK, 70, 65 },		{ CHAPI_ERR_INEXPRESSIBLE, 71, 65 },
	{ CHAPI_ERR_GONE, 72, 74 },		{ CHAPI_ERR_SYSTEM, 73, 71 },
	{ CHAPI_ERR_FULL, 74, 75 },
};

/* Codes that nobody has. */
static const int unknown[] = { 23, 40, 63, 75, 1000, INT_MAX };

static void test_info_of_every_outcome(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		const struct error_info *info = error_info(outcomes[i].code);

		assert_int_equal(info->code, outcomes[i].code);
		assert_string_equal(info->name, outcomes[i].name);
		assert_int_equal(info->ran, outcomes[i].ran);
		assert_int_equal(info->exit_status, outcomes[i].exit_status);
		assert_ptr_equal(error_info_by_name(span_str(info->name)), info);
	}
	assert_int_equal(ARRAY_SIZE(outcomes), CHAPI_ERR_CONNECTION_LOST);
}

static void test_info_of_another_code_is_internal(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		assert_int_equal(error_info(unknown[i])->code, CHAPI_ERR_INTERNAL);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		assert_int_equal(error_info(own[i].code)->code, CHAPI_ERR_INTERNAL);
	assert_int_equal(error_info(0)->code, CHAPI_ERR_INTERNAL);
	assert_int_equal(error_info(-1)->code, CHAPI_ERR_INTERNAL);
	assert_int_equal(error_info(INT_MIN)->code, CHAPI_ERR_INTERNAL);
}

static void test_info_by_name_wants_the_whole_name(void **state UNUSED)
{
	static const char *const names[] = {
		"x", "api_erro", "api_errors", "API_ERROR", " busy", "busy ", "nomem", "1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_null(error_info_by_name(span_str(names[i])));
	assert_null(error_info_by_name(span_of("busy\0", 5)));
	assert_null(error_info_by_name(span_of(NULL, 0)));
	assert_non_null(error_info_by_name(span_of("busybody", 4)));
}

static void test_code_has_the_number_that_was_published(void **state UNUSED)
{
	assert_int_equal(CHAPI_OK, 0);
	assert_int_equal(CHAPI_ERR_API_ERROR, 1);
	assert_int_equal(CHAPI_ERR_GATEWAY_NOT_FOUND, 12);
	assert_int_equal(CHAPI_ERR_CONNECTION_LOST, 22);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		assert_int_equal(own[i].code, own[i].number);
}

static void test_name_and_code_are_each_others_reverse(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		assert_string_equal(chapi_code_name(outcomes[i].code), outcomes[i].name);
		assert_string_equal(chapi_code_name(-outcomes[i].code), outcomes[i].name);
		assert_int_equal(chapi_code_from_name(outcomes[i].name), outcomes[i].code);
	}
	assert_int_equal(chapi_code_from_name("no such name"), CHAPI_ERR_INTERNAL);
	assert_int_equal(chapi_code_from_name(""), CHAPI_ERR_INTERNAL);
	assert_int_equal(chapi_code_from_name(NULL), CHAPI_ERR_INTERNAL);
}

static void test_name_of_what_is_no_outcome(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		assert_null(chapi_code_name(own[i].code));
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		assert_null(chapi_code_name(unknown[i]));
	assert_null(chapi_code_name(CHAPI_OK));
	assert_null(chapi_code_name(INT_MIN));
}

static void test_ran_has_a_name(void **state UNUSED)
{
	assert_string_equal(chapi_ran_name(CHAPI_RAN_NO), "no");
	assert_string_equal(chapi_ran_name(CHAPI_RAN_YES), "yes");
	assert_string_equal(chapi_ran_name(CHAPI_RAN_UNKNOWN), "unknown");
	assert_string_equal(chapi_ran_name((enum chapi_ran)3), "unknown");
}

static void test_exit_status_of_every_code(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		assert_int_equal(chapi_exit_status(outcomes[i].code), outcomes[i].exit_status);
		assert_int_equal(chapi_exit_status(-outcomes[i].code), outcomes[i].exit_status);
	}
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		assert_int_equal(chapi_exit_status(own[i].code), own[i].exit_status);
		assert_int_equal(chapi_exit_status(-own[i].code), own[i].exit_status);
	}
	assert_int_equal(chapi_exit_status(CHAPI_OK), 0);
}

static void test_exit_status_of_another_code_is_internal(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		assert_int_equal(chapi_exit_status(unknown[i]), 70);
	assert_int_equal(chapi_exit_status(INT_MIN), 70);
}

/* A sentence each: no two are the same, none ends with a full stop or breaks the line. */
static void test_strerror_has_a_sentence_for_each(void **state UNUSED)
{
	const char *seen[ARRAY_SIZE(outcomes) + ARRAY_SIZE(own) + 2];
	size_t n = 0;

	seen[n++] = chapi_strerror(CHAPI_OK);
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		seen[n++] = chapi_strerror(outcomes[i].code);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		seen[n++] = chapi_strerror(own[i].code);
	seen[n++] = chapi_strerror(40);
	for (size_t i = 0; i < n; i++) {
		assert_true(seen[i][0] >= 'A' && seen[i][0] <= 'Z');
		assert_null(strchr(seen[i], '\n'));
		assert_int_not_equal(seen[i][strlen(seen[i]) - 1], '.');
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(seen[i], seen[j]);
	}
}

static void test_strerror_of_either_sign(void **state UNUSED)
{
	assert_string_equal(chapi_strerror(-CHAPI_ERR_BUSY), chapi_strerror(CHAPI_ERR_BUSY));
	assert_string_equal(chapi_strerror(-CHAPI_ERR_NOMEM), chapi_strerror(CHAPI_ERR_NOMEM));
	assert_string_equal(chapi_strerror(CHAPI_ERR_BUSY), error_info(CHAPI_ERR_BUSY)->sentence);
	assert_string_equal(chapi_strerror(0), "Success");
}

static void test_strerror_of_an_unknown_code(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		assert_string_equal(chapi_strerror(unknown[i]), "Unknown error");
		assert_string_equal(chapi_strerror(-unknown[i]), "Unknown error");
	}
	assert_string_equal(chapi_strerror(INT_MIN), "Unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_info_of_every_outcome),
		cmocka_unit_test(test_info_of_another_code_is_internal),
		cmocka_unit_test(test_info_by_name_wants_the_whole_name),
		cmocka_unit_test(test_code_has_the_number_that_was_published),
		cmocka_unit_test(test_name_and_code_are_each_others_reverse),
		cmocka_unit_test(test_name_of_what_is_no_outcome),
		cmocka_unit_test(test_ran_has_a_name),
		cmocka_unit_test(test_exit_status_of_every_code),
		cmocka_unit_test(test_exit_status_of_another_code_is_internal),
		cmocka_unit_test(test_strerror_has_a_sentence_for_each),
		cmocka_unit_test(test_strerror_of_either_sign),
		cmocka_unit_test(test_strerror_of_an_unknown_code),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
