/* SPDX-License-Identifier: MIT */
/*
 * The records "cancel" and "progress": what is written can be read, and nothing else.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/record_notes.h"

static void assert_text(const struct buf *buf, const char *text)
{
	assert_int_equal(buf->len, strlen(text));
	assert_memory_equal(buf_data(buf), text, buf->len);
}

static void test_cancel_is_read_as_written(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL, id = BUF_NULL;

	record_cancel_put(span_str("a\"b"), &text);
	assert_text(&text, "{\"id\":\"a\\\"b\"}");
	assert_int_equal(record_cancel_parse(buf_span(&text), &id), 0);
	assert_text(&id, "a\"b");
}

static void test_what_is_no_cancel_is_not_taken_for_one(void **state UNUSED)
{
	static const char *const texts[] = {
		"",
		"x",
		"[]",
		"{}",
		"{\"id\":\"\"}",
		"{\"id\":5}",
		"{\"id\":null}",
		"{\"id\":\"12345678901234567890123456789012345678901234567890123456789012345\"}"
	};
	CLEANUP(buf_deinit) struct buf id = BUF_NULL;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(record_cancel_parse(span_str(texts[i]), &id), RECORD_NOTE_E_NONE);
}

static void test_progress_is_read_as_written(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL, id = BUF_NULL, value = BUF_NULL;
	uint32_t seq = 0;

	record_progress_put(span_str("a"), 7, span_str("[1]"), &text);
	assert_text(&text, "{\"id\":\"a\",\"seq\":7,\"value\":[1]}");
	assert_int_equal(record_progress_parse(buf_span(&text), &id, &seq, &value), 0);
	assert_text(&id, "a");
	assert_int_equal(seq, 7);
	assert_text(&value, "\x91\x01");
}

static void test_what_is_no_progress_is_not_taken_for_it(void **state UNUSED)
{
	static const char *const texts[] = {
		"x",
		"{}",
		"{\"id\":\"a\",\"seq\":0}",
		"{\"id\":\"a\",\"value\":0}",
		"{\"seq\":0,\"value\":0}",
		"{\"id\":\"a\",\"seq\":-1,\"value\":0}",
		"{\"id\":\"a\",\"seq\":\"0\",\"value\":0}",
		"{\"id\":\"a\",\"seq\":4294967296,\"value\":0}",
		"{\"id\":\"a\",\"seq\":0,\"value\":{\"$bin\":1}}",
	};
	CLEANUP(buf_deinit) struct buf id = BUF_NULL, value = BUF_NULL;
	uint32_t seq;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(record_progress_parse(span_str(texts[i]), &id, &seq, &value),
				 RECORD_NOTE_E_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cancel_is_read_as_written),
		cmocka_unit_test(test_what_is_no_cancel_is_not_taken_for_one),
		cmocka_unit_test(test_progress_is_read_as_written),
		cmocka_unit_test(test_what_is_no_progress_is_not_taken_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
