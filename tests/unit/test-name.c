/* SPDX-License-Identifier: MIT */
/*
 * What a name may be, and which pattern it fits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/name.h"

static void test_name_rules(void **state UNUSED)
{
	static const char *const good[] = { "a", "A9", "_x", "0", "a.b:c-d_e", "chapi.ping" };
	static const char *const bad[] = { "",	  ".a", ":a",	    "-a", "a b",
					   "a/b", "a*", "\xc3\xa4", "a\n" };
	char long_name[API_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(name_is_valid(span_str(good[i])));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(name_is_valid(span_str(bad[i])));
	memset(long_name, 'x', sizeof(long_name));
	assert_true(name_is_valid(span_of(long_name, API_NAME_MAX)));
	assert_false(name_is_valid(span_of(long_name, API_NAME_MAX + 1)));
	assert_false(name_is_valid(span_of("a\0b", 3)));
}

static void test_pattern_matches(void **state UNUSED)
{
	static const char *const yes[][2] = {
		{ "a", "a" }, { "", "" }, { "", "*" }, { "a.b", "*" }, { "a.b.c", "a.*" },
		{ "a.b.c", "*c" }, { "a.b.c", "a*c" }, { "abab", "*ab" }, { "aab", "a*ab" },
		{ "abc", "***" }, { "abcabd", "*ab*d" }, { "x", "*x*" },
	};
	static const char *const no[][2] = {
		{ "a", "" }, { "", "a" }, { "a", "b" }, { "ab", "a" }, { "a", "ab" }, { "a", "A" },
		{ "a.b", "a.*.c" }, { "ab", "*a" }, { "aXb", "a*c" }, { "a", "a*a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(name_matches(span_str(yes[i][0]), span_str(yes[i][1])));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(name_matches(span_str(no[i][0]), span_str(no[i][1])));
}

/* Would not come to its end if each star were tried against each. */
static void test_pattern_of_many_stars_ends(void **state UNUSED)
{
	char name[API_NAME_MAX], pattern[API_NAME_MAX];

	memset(name, 'a', sizeof(name));
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 2 ? '*' : 'a';
	pattern[sizeof(pattern) - 1] = 'b';
	assert_false(name_matches(span_of(name, sizeof(name)), span_of(pattern, sizeof(pattern))));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_rules),
		cmocka_unit_test(test_pattern_matches),
		cmocka_unit_test(test_pattern_of_many_stars_ends),
	};

	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
