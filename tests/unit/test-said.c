/* SPDX-License-Identifier: MIT */
/*
 * What has been said already. Time is a number.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gateway/said.h"
#include "common/common.h"

#define START 1000000

static void test_each_text_is_news_once(void **state UNUSED)
{
	struct said said = { 0 };

	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(said_is_news(&said, "a is refused", START + i), i == 0);
		assert_int_equal(said_is_news(&said, "b is refused", START + i), i == 0);
	}
}

static void test_all_is_news_again_when_the_trouble_is_over(void **state UNUSED)
{
	struct said said = { 0 };

	assert_true(said_is_news(&said, "a is refused", START));
	said_forget(&said);
	assert_true(said_is_news(&said, "a is refused", START));
	assert_false(said_is_news(&said, "a is refused", START));
}

/* As where a name leads to another address each time. */
static void test_ever_new_texts_are_news_now_and_then(void **state UNUSED)
{
	struct said said = { 0 };
	unsigned int n_news = 0;
	char text[40];

	for (unsigned int minute = 0; minute < 60; minute++) {
		snprintf(text, sizeof(text), "10.0.0.%u is refused", minute);
		n_news += said_is_news(&said, text, START + minute * 60000);
	}
	assert_true(n_news >= SAID_MAX + 4 && n_news <= SAID_MAX + 6);
}

static void test_text_of_any_length_is_known_again(void **state UNUSED)
{
	struct said said = { 0 };
	char text[2 * SAID_LEN];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(said_is_news(&said, text, START));
	assert_false(said_is_news(&said, text, START));
	assert_true(said_is_news(&said, "x", START));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_text_is_news_once),
		cmocka_unit_test(test_all_is_news_again_when_the_trouble_is_over),
		cmocka_unit_test(test_ever_new_texts_are_news_now_and_then),
		cmocka_unit_test(test_text_of_any_length_is_known_again),
	};

	return cmocka_run_group_tests_name("said", tests, NULL, NULL);
}
