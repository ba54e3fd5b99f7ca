/* SPDX-License-Identifier: MIT */
/*
 * What hubs say of beacons, each in its own way.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/beacons.h"
#include "libchapi-ipc/value.h"

static void assert_occupied(const char *body, bool expected)
{
	bool occupied = !expected;

	assert_int_equal(beacon_read(span_str(body), &occupied), 0);
	assert_int_equal(occupied, expected);
}

static void test_one_beacon_is_occupied_or_not(void **state UNUSED)
{
	assert_occupied("{\"occupied\":true}", true);
	assert_occupied("{\"occupied\":false}", false);
	assert_occupied("{\"occupied\":true,\"subscription_count\":1}", true);
	assert_occupied("{\"subscription_count\":0}", false);
}

static void test_what_says_nothing_of_a_beacon_is_unreadable(void **state UNUSED)
{
	static const char *const bodies[] = {
		"", "x", "[]", "{}", "{\"occupied\":1}", "{\"error\":\"no\",\"code\":413}"
	};
	bool occupied;

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_int_equal(beacon_read(span_str(bodies[i]), &occupied), BEACONS_E_UNREADABLE);
}

static void assert_listed(const char *body, const char *expected)
{
	CLEANUP(buf_deinit) struct buf list = BUF_NULL, text = BUF_NULL;
	struct value_fault fault;

	assert_int_equal(beacons_read(span_str(body), "pi", &list), 0);
	assert_int_equal(value_to_json(buf_span(&list), 24, &text, &fault), 0);
	buf_put_byte(&text, '\0');
	assert_string_equal((const char *)buf_data(&text), expected);
}

static void test_list_has_the_names_sorted_and_nothing_else(void **state UNUSED)
{
	assert_listed("{\"channels\":{}}", "[]");
	assert_listed("{\"channels\":[]}", "[]");
	assert_listed(
		"{\"channels\":{\"private-chapi-pi@up\":{},\"private-chapi-pi\":{},"
		"\"private-chapi-@up\":{},"
		"\"private-chapi-pi@reply\":{},"
		"\"private-chapi-attic@up\":{\"subscription_count\":2},"
		"\"private-chapi-pi2@up\":{},"
		"\"private-chapi-gone@up\":{\"subscription_count\":0}}}",
		"[{\"name\":\"attic\",\"self\":false},{\"name\":\"pi\",\"self\":true},"
		"{\"name\":\"pi2\",\"self\":false}]");
}

static void test_what_is_no_list_is_unreadable(void **state UNUSED)
{
	static const char *const bodies[] = {
		"", "x", "[]", "{}", "{\"channels\":[1]}", "{\"channels\":null}"
	};
	CLEANUP(buf_deinit) struct buf list = BUF_NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_int_equal(beacons_read(span_str(bodies[i]), "pi", &list),
				 BEACONS_E_UNREADABLE);
	assert_int_equal(list.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_beacon_is_occupied_or_not),
		cmocka_unit_test(test_what_says_nothing_of_a_beacon_is_unreadable),
		cmocka_unit_test(test_list_has_the_names_sorted_and_nothing_else),
		cmocka_unit_test(test_what_is_no_list_is_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
