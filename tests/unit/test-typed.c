/* SPDX-License-Identifier: MIT */
/*
 * Answers that were typed on a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "clients/typed.h"
#include "common/common.h"

static void trims(const char *typed, const char *expected)
{
	char line[40];

	snprintf(line, sizeof(line), "%s", typed);
	assert_string_equal(typed_trim(line), expected);
}

static void test_blanks_around_are_left_out(void **state UNUSED)
{
	trims("kitchen\n", "kitchen");
	trims(" \t kitchen \r\n", "kitchen");
	trims("two words\n", "two words");
	trims("no end", "no end");
	trims("\n", "");
	trims("", "");
	trims(" \t ", "");
}

static void test_yes_and_no(void **state UNUSED)
{
	static const char *const yes[] = { "y", "Y", "yes", "Yes", "YES" };
	static const char *const no[] = { "n", "N", "no", "No" };
	bool said;

	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
		said = false;
		assert_true(typed_yes(yes[i], false, &said));
		assert_true(said);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++) {
		said = true;
		assert_true(typed_yes(no[i], true, &said));
		assert_false(said);
	}
}

static void test_nothing_is_the_standard(void **state UNUSED)
{
	bool said = false;

	assert_true(typed_yes("", true, &said));
	assert_true(said);
	assert_true(typed_yes("", false, &said));
	assert_false(said);
}

static void test_anything_else_is_neither(void **state UNUSED)
{
	static const char *const texts[] = { "x", "yn", "yesterday", "nothing", "Y/n", "1", "-" };
	bool said = true;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_false(typed_yes(texts[i], false, &said));
	assert_true(said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blanks_around_are_left_out),
		cmocka_unit_test(test_yes_and_no),
		cmocka_unit_test(test_nothing_is_the_standard),
		cmocka_unit_test(test_anything_else_is_neither),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
