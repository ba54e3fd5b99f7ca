/* SPDX-License-Identifier: MIT */
/*
 * When a server wants to be asked again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/retry_after.h"
#include "common/common.h"

#define NOW 1700000000	/* Tue, 14 Nov 2023 22:13:20 GMT */

static void test_seconds(void **state UNUSED)
{
	assert_int_equal(retry_after_s("7", "", NOW), 7);
	assert_int_equal(retry_after_s("7\r\n", "", NOW), 7);
	assert_int_equal(retry_after_s("0", "", NOW), 0);
}

static void test_too_many_seconds(void **state UNUSED)
{
	assert_int_equal(retry_after_s("86401", "", NOW), RETRY_AFTER_MAX_S);
	assert_int_equal(retry_after_s("99999999999999999999", "", NOW), RETRY_AFTER_MAX_S);
	assert_int_equal(retry_after_s("Sat, 14 Nov 2037 22:13:20 GMT", "", NOW),
			 RETRY_AFTER_MAX_S);
}

static void test_date_is_by_the_servers_clock(void **state UNUSED)
{
	assert_int_equal(retry_after_s("Tue, 14 Nov 2023 22:14:20 GMT",
				       "Tue, 14 Nov 2023 22:14:00 GMT", NOW), 20);
}

static void test_date_without_the_servers_clock_is_by_ours(void **state UNUSED)
{
	assert_int_equal(retry_after_s("Tue, 14 Nov 2023 22:14:20 GMT", "", NOW), 60);
}

static void test_what_is_over_or_says_nothing_is_at_once(void **state UNUSED)
{
	static const char *const texts[] = { "", "soon", "-5", "Tue, 14 Nov 2023 22:13:00 GMT" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(retry_after_s(texts[i], "", NOW), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_too_many_seconds),
		cmocka_unit_test(test_date_is_by_the_servers_clock),
		cmocka_unit_test(test_date_without_the_servers_clock_is_by_ours),
		cmocka_unit_test(test_what_is_over_or_says_nothing_is_at_once),
	};

	return cmocka_run_group_tests_name("retry-after", tests, NULL, NULL);
}
