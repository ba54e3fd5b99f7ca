/* SPDX-License-Identifier: MIT */
/*
 * Where a line is broken for a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "clients/wrap.h"
#include "common/common.h"

static void first_line(const char *text, size_t columns, const char *expected)
{
	char line[80];
	size_t len = wrap_len(text, columns);

	assert_true(len <= strlen(text) && len < sizeof(line));
	memcpy(line, text, len);
	line[len] = '\0';
	assert_string_equal(line, expected);
}

static void test_as_many_words_as_fit(void **state UNUSED)
{
	first_line("one two three", 13, "one two three");
	first_line("one two three", 12, "one two");
	first_line("one two three", 7, "one two");
	first_line("one two three", 6, "one");
	first_line("one two three", SIZE_MAX, "one two three");
	first_line("", 10, "");
	first_line("one  two", 5, "one ");
}

static void test_wide_word_stays_whole(void **state UNUSED)
{
	first_line("/run/chapi/gw.sock: gone", 10, "/run/chapi/gw.sock:");
	first_line("/run/chapi/gw.sock", 10, "/run/chapi/gw.sock");
	first_line("at /run/chapi/gw.sock", 10, "at");
	first_line("word", 0, "word");
}

static void test_characters_count_not_bytes(void **state UNUSED)
{
	first_line("\xc3\xbc\xc3\xbc \xe2\x82\xac more", 4, "\xc3\xbc\xc3\xbc \xe2\x82\xac");
	first_line("\xc3\xbc\xc3\xbc \xe2\x82\xac more", 3, "\xc3\xbc\xc3\xbc");
}

static void test_no_terminal_has_no_width(void **state UNUSED)
{
	int fd = open("/dev/null", O_RDONLY);

	assert_true(fd >= 0);
	assert_true(wrap_columns(fd) == SIZE_MAX);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_many_words_as_fit),
		cmocka_unit_test(test_wide_word_stays_whole),
		cmocka_unit_test(test_characters_count_not_bytes),
		cmocka_unit_test(test_no_terminal_has_no_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
