/* SPDX-License-Identifier: MIT */
/*
 * Text from outside: what is UTF-8, what may stand in a line, and how it is cut.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "common/utf8.h"
#include "gateway/text.h"
#include "tests/unit/bytes.h"

/* The first and the last character of each length, and the ones around the surrogates. */
static const struct span characters[] = {
	BYTES("\x00"), BYTES("\x7f"), BYTES("\xc2\x80"), BYTES("\xdf\xbf"), BYTES("\xe0\xa0\x80"),
	BYTES("\xed\x9f\xbf"), BYTES("\xee\x80\x80"), BYTES("\xef\xbf\xbf"),
	BYTES("\xf0\x90\x80\x80"), BYTES("\xf4\x8f\xbf\xbf"),
};

/* Overlong, surrogates, above U+10FFFF, bytes that never occur, tails without a head. */
static const struct span no_characters[] = {
	BYTES("\x80"), BYTES("\xbf"), BYTES("\xc0\x80"), BYTES("\xc1\xbf"), BYTES("\xe0\x80\x80"),
	BYTES("\xe0\x9f\xbf"), BYTES("\xed\xa0\x80"), BYTES("\xed\xbf\xbf"),
	BYTES("\xf0\x80\x80\x80"), BYTES("\xf0\x8f\xbf\xbf"), BYTES("\xf4\x90\x80\x80"),
	BYTES("\xf5\x80\x80\x80"), BYTES("\xf8\x88\x80\x80\x80"), BYTES("\xfe"), BYTES("\xff"),
	BYTES("\xc3("), BYTES("\xe2(\xa1"), BYTES("\xe2\x82("), BYTES("\xf0\x9f\x98("),
};

static void test_utf8_is_told(void **state UNUSED)
{
	assert_true(utf8_is_valid(span_of(NULL, 0)));
	assert_true(utf8_is_valid(span_str("plain, Z\xc3\xbcrich, \xe2\x9c\x93,"
					   " \xf0\x9f\x98\x80")));
	for (size_t i = 0; i < ARRAY_SIZE(characters); i++)
		assert_true(utf8_is_valid(characters[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no_characters); i++)
		assert_false(utf8_is_valid(no_characters[i]));
}

static void test_utf8_that_is_cut_short_is_none(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(characters); i++)
		for (size_t len = 1; len < characters[i].len; len++)
			assert_false(utf8_is_valid(span_of(characters[i].p, len)));
}

static void test_printable_ascii_is_told(void **state UNUSED)
{
	assert_true(text_is_printable_ascii(span_of(NULL, 0)));
	assert_true(text_is_printable_ascii(span_str(" azAZ09~")));
	assert_false(text_is_printable_ascii(SPAN("a\x1f")));
	assert_false(text_is_printable_ascii(SPAN("\x7f")));
	assert_false(text_is_printable_ascii(SPAN("a\0b")));
	assert_false(text_is_printable_ascii(span_str("\xc3\xa9")));
}

/* ---- lines ------------------------------------------------------------------------------ */

static void assert_line(struct span text, const char *expected)
{
	CLEANUP(buf_deinit) struct buf scratch = BUF_NULL;
	struct span line;

	buf_put_str(&scratch, "before");
	line = text_line(text, &scratch);
	if (!span_is(line, expected))
		fail_msg("got %.*s, not %s", (int)line.len, line.p, expected);
	assert_memory_equal(buf_data(&scratch), "before", 6);
}

static void test_line_that_is_one_is_not_copied(void **state UNUSED)
{
	struct buf scratch = BUF_NULL;
	struct span text = span_str("Z\xc3\xbcrich \xc2\xa0 \xe2\x9c\x93"), line;

	line = text_line(text, &scratch);
	assert_ptr_equal(line.p, text.p);
	assert_int_equal(line.len, text.len);
	assert_int_equal(scratch.len, 0);
	assert_int_equal(text_line(span_of(NULL, 0), &scratch).len, 0);
}

static void test_line_has_no_control_characters(void **state UNUSED)
{
	assert_line(SPAN("a\nb"), "a?b");
	assert_line(SPAN("\r\n"), "??");
	assert_line(SPAN("a\0b\t\x1b[31m\x7f"), "a?b??[31m?");
	assert_line(SPAN("\xc2\x80|\xc2\x9f|\xc2\xa0"), "??|??|\xc2\xa0");
}

static void test_line_has_a_mark_for_each_bad_byte(void **state UNUSED)
{
	assert_line(SPAN("\xff"), "?");
	assert_line(SPAN("\xc3\xa9\xc3"), "\xc3\xa9?");
	assert_line(SPAN("a\xe2\x9c" "b"), "a??b");
	assert_line(SPAN("\xed\xa0\x80x"), "???x");
}

static void test_line_without_memory_is_empty(void **state UNUSED)
{
	struct buf scratch = BUF_NULL;
	struct span line;

	buf_init(&scratch, 4);
	buf_put_str(&scratch, "ab");
	line = text_line(span_str("x\ny"), &scratch);
	assert_int_equal(line.len, 0);
	assert_int_equal(buf_error(&scratch), 0);
	assert_int_equal(scratch.len, 2);
	assert_true(span_is(text_line(span_str("\nz"), &scratch), "?z"));
	buf_deinit(&scratch);
}

/* ---- quotes ----------------------------------------------------------------------------- */

#define TEN "0123456789"
#define FORTY TEN TEN TEN TEN

static void test_quote(void **state UNUSED)
{
	static const struct {
		struct span text;
		const char *quote;
	} cases[] = {
		{ BYTES(""), "" },
		{ BYTES("x"), "x" },
		{ BYTES("a\nb\xff\0c"), "a?b??c" },
		{ BYTES(FORTY "12345678"), FORTY "12345678" },
		{ BYTES(FORTY "123456789"), FORTY "12345678..." },
		{ BYTES(FORTY "123456\xc3\xa9"), FORTY "123456\xc3\xa9" },
		{ BYTES(FORTY "1234567\xc3\xa9"), FORTY "1234567..." },
		{ BYTES(FORTY "12345\xf0\x9f\x98\x80"), FORTY "12345..." },
		{ BYTES(FORTY "1234567\n\n"), FORTY "1234567?..." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(TEXT_QUOTE(cases[i].text), cases[i].quote);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8_is_told),
		cmocka_unit_test(test_utf8_that_is_cut_short_is_none),
		cmocka_unit_test(test_printable_ascii_is_told),
		cmocka_unit_test(test_line_that_is_one_is_not_copied),
		cmocka_unit_test(test_line_has_no_control_characters),
		cmocka_unit_test(test_line_has_a_mark_for_each_bad_byte),
		cmocka_unit_test(test_line_without_memory_is_empty),
		cmocka_unit_test(test_quote),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
