/* SPDX-License-Identifier: MIT */
/*
 * What the name of a channel may be.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "gateway/channel_name.h"

static void test_legal_names(void **state UNUSED)
{
	static const char *const good[] = {
		"a", "Z", "0", "private-x", "presence-x", "_-=@,.;", "private-encrypted-a.B;9",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_null(channel_name_check(span_str(good[i])));
}

static void test_illegal_names_are_refused_with_the_reason(void **state UNUSED)
{
	static const char *const bad[] = {
		"a b", "a/b", "a:b", "#a", "a*", "a\n", "\x7f", "k\xc3\xbc", "a\"", "a[", "a`",
		"a{",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *why = channel_name_check(span_str(bad[i]));

		assert_non_null(why);
		assert_non_null(strstr(why, "letters, digits and _ - = @ , . ;"));
		assert_false(channel_name_is_valid(span_str(bad[i])));
	}
	assert_false(channel_name_is_valid(span_of("a\0b", 3)));
}

static void test_length(void **state UNUSED)
{
	char name[CHANNEL_NAME_MAX + 1];
	const char *why;

	memset(name, 'x', sizeof(name));
	assert_true(channel_name_is_valid(span_of(name, 164)));
	assert_true(channel_name_is_pattern(span_of(name, 164)));
	why = channel_name_check(span_of(name, 165));
	assert_non_null(why);
	assert_non_null(strstr(why, "at most 164"));
	assert_false(channel_name_is_pattern(span_of(name, 165)));
	why = channel_name_check(span_of(NULL, 0));
	assert_non_null(why);
	assert_non_null(strstr(why, "at least one"));
	assert_false(channel_name_is_pattern(span_of(NULL, 0)));
}

static void test_pattern_may_have_stars(void **state UNUSED)
{
	assert_true(channel_name_is_pattern(span_str("private-*")));
	assert_true(channel_name_is_pattern(span_str("*")));
	assert_true(channel_name_is_pattern(span_str("private-a")));
	assert_false(channel_name_is_pattern(span_str("private-?*")));
	assert_false(channel_name_is_pattern(span_of("a\0*", 3)));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_legal_names),
		cmocka_unit_test(test_illegal_names_are_refused_with_the_reason),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_pattern_may_have_stars),
	};

	return cmocka_run_group_tests_name("channel-name", tests, NULL, NULL);
}
