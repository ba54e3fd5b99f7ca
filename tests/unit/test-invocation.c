/* SPDX-License-Identifier: MIT */
/*
 * Arguments and environment of a command that chapi-serve runs, and the words of one in a file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "clients/cli.h"
#include "clients/invocation.h"
#include "clients/words.h"

static int make(const char *argument, const char *params, bool allow_dash, char ***ret_argv,
		char *fault, size_t len)
{
	char *const arguments[] = { (char *)argument, NULL };
	void *value CLEANUP(cli_free) = NULL;
	size_t value_len;

	assert_int_equal(chapi_json_to_msgpack(params, strlen(params), &value, &value_len, NULL, 0),
			 0);
	return invocation_make_argv(arguments, span_of(value, value_len), allow_dash, ret_argv,
				    fault, len);
}

static void check(const char *argument, const char *params, const char *expected)
{
	char fault[200] = "", **argv = NULL;
	int r = make(argument, params, false, &argv, fault, sizeof(fault));

	if (r != 0)
		fail_msg("%s with %s: %s", argument, params, fault);
	assert_string_equal(argv[0], expected);
	assert_null(argv[1]);
	invocation_free(argv);
}

static void test_keys_are_replaced(void **state UNUSED)
{
	check("{a}", "{\"a\":\"x y\"}", "x y");
	check("-{a}{b}-", "{\"a\":1,\"b\":true}", "-1true-");
	check("{a.b-c_d}", "{\"a.b-c_d\":\"\"}", "");
	check("{_}", "{\"_\":2.5}", "2.5");
	/* once: what a caller writes is not looked at again */
	check("{a}", "{\"a\":\"{b}\",\"b\":\"evil\"}", "{b}");
}

static void test_other_braces_stay(void **state UNUSED)
{
	static const char *const texts[] = {
		"", "{", "}", "{}", "{ a}", "{a }", "{1}", "{-a}", "{a", "a}", "{a,b}", "{{", "{{{",
		"$2 { print }",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		check(texts[i], "{}", texts[i]);
	check("{{a}}", "{\"a\":1}", "{a}");
	check("{{{a}}}", "{\"a\":1}", "{{a}}");
	check("{{a}", "{\"a\":1}", "{1");
	assert_false(invocation_has_key("{{a}} {} {1}"));
	assert_true(invocation_has_key("{{a}} {b}"));
}

static void test_values_that_are_no_argument(void **state UNUSED)
{
	static const char *const params[] = {
		"{}", "[]", "5", "null", "{\"a\":null}", "{\"a\":[1]}", "{\"a\":{}}",
		"{\"a\":{\"$bin\":\"AA==\"}}", "{\"a\":\"x\\u0000y\"}", "{\"a\":\"-x\"}",
		"{\"a\":-1}", "{\"a\":-0.5}", "{\"A\":1}", "{\"ab\":1}",
	};
	char fault[200], **argv = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(params); i++) {
		*fault = '\0';
		assert_int_equal(make("{a}", params[i], false, &argv, fault, sizeof(fault)),
				 INVOCATION_E_PARAMS);
		assert_non_null(strstr(fault, "\"a\""));
	}
	assert_int_equal(make("{a}", "{\"a\":\"-x\"}", true, &argv, fault, sizeof(fault)), 0);
	assert_string_equal(argv[0], "-x");
	invocation_free(argv);
}

static const char *find(char **env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

static void test_environment(void **state UNUSED)
{
	char *const own[] = {
		(char *)"PATH=/bin",	(char *)"PATHS=no",
		(char *)"SECRET=x",	(char *)"CHAPI_ID=forged",
		(char *)"LD_PRELOAD=x", (char *)"TZ=",
		(char *)"HOME",		NULL,
	};
	const struct invocation_call call = { "7", "f", "uid:0", "local", "/s", 250 };
	const struct invocation_call endless = { "7", "f", "", "remote", "/s", -1 };
	char **env = invocation_make_env(own, &call);

	assert_string_equal(find(env, "PATH"), "/bin");
	assert_string_equal(find(env, "TZ"), "");
	assert_string_equal(find(env, "CHAPI_ID"), "7");
	assert_string_equal(find(env, "CHAPI_TIMEOUT_MS"), "250");
	assert_null(find(env, "SECRET"));
	assert_null(find(env, "PATHS"));
	assert_null(find(env, "LD_PRELOAD"));
	invocation_free(env);
	env = invocation_make_env(own, &endless);
	assert_null(find(env, "CHAPI_TIMEOUT_MS"));
	assert_string_equal(find(env, "CHAPI_CALLER"), "");
	invocation_free(env);
}

static void test_environment_with_a_name_many_times(void **state UNUSED)
{
	const struct invocation_call call = { "7", "f", "uid:0", "local", "/s", 250 };
	char *own[100];
	char **env;
	size_t n = 0;

	for (size_t i = 0; i < 99; i++)
		own[i] = (char *)"PATH=/bin";
	own[99] = NULL;
	env = invocation_make_env(own, &call);
	while (env[n])
		n++;
	assert_in_range(n, 7, 18);
	invocation_free(env);
}

static void check_words(const char *text, size_t n, const char *const *expected)
{
	char **words = NULL;
	size_t i = 0;

	assert_int_equal(words_split(text, &words), 0);
	for (; i < n; i++)
		assert_string_equal(words[i], expected[i]);
	assert_null(words[i]);
	free(words);
}

#define WORDS(text, ...) \
	check_words(text, ARRAY_SIZE(((const char *const[]){ __VA_ARGS__ })), \
		    (const char *const[]){ __VA_ARGS__ })

static void test_words(void **state UNUSED)
{
	check_words("", 0, NULL);
	check_words(" \t ", 0, NULL);
	WORDS("a", "a");
	WORDS(" a  b\tc ", "a", "b", "c");
	WORDS("'a b' \"c d\"", "a b", "c d");
	WORDS("a'b c'd", "ab cd");
	WORDS("'' \"\" x", "", "", "x");
	WORDS("a\\ b \\' \\\"", "a b", "'", "\"");
	WORDS("'\\' \"\\\"\" \"'\"", "\\", "\"", "'");
	WORDS("$HOME * `x` #y", "$HOME", "*", "`x`", "#y");
}

static void test_words_that_are_open(void **state UNUSED)
{
	static const char *const texts[] = { "'", "a 'b", "\"a", "a\\", "'a\" b", "\"a\\\"" };
	char **words = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(words_split(texts[i], &words), WORDS_E_OPEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_are_replaced),
		cmocka_unit_test(test_other_braces_stay),
		cmocka_unit_test(test_values_that_are_no_argument),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_environment_with_a_name_many_times),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_words_that_are_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
