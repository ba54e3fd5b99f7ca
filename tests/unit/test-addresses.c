/* SPDX-License-Identifier: MIT */
/*
 * Which of a host's addresses is tried.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "common/common.h"
#include "gateway/addresses.h"

static const struct address_list ab = { 2, { "a", "b" } };
static const struct address_list ba = { 2, { "b", "a" } };
static const struct address_list abc = { 3, { "a", "b", "c" } };

static void end_all(struct addresses *a, const struct address_list *list)
{
	const char *address;

	while ((address = addresses_next(a, list)))
		addresses_ended(a, address, ADDRESSES_IN_VAIN);
}

static void test_each_has_its_turn_then_all_again(void **state UNUSED)
{
	struct addresses a = { 0 };

	assert_string_equal(addresses_begin(&a, &abc), "a");
	addresses_ended(&a, "a", ADDRESSES_IN_VAIN);
	assert_string_equal(addresses_next(&a, &abc), "b");
	addresses_ended(&a, "b", ADDRESSES_IN_VAIN);
	assert_string_equal(addresses_begin(&a, &abc), "c");
	addresses_ended(&a, "c", ADDRESSES_IN_VAIN);
	assert_null(addresses_next(&a, &abc));
	assert_string_equal(addresses_begin(&a, &abc), "a");
}

/* Name servers turn the list by one each time: a place in it would be the same address always. */
static void test_order_of_the_list_does_not_matter(void **state UNUSED)
{
	struct addresses a = { 0 };

	assert_string_equal(addresses_begin(&a, &ab), "a");
	addresses_ended(&a, "a", ADDRESSES_IN_VAIN);
	assert_string_equal(addresses_begin(&a, &ba), "b");
	addresses_ended(&a, "b", ADDRESSES_IN_VAIN);
	assert_string_equal(addresses_begin(&a, &ba), "b");
}

static void test_one_that_works_is_kept(void **state UNUSED)
{
	struct addresses a = { 0 };

	addresses_ended(&a, "a", ADDRESSES_IN_VAIN);
	addresses_works(&a, "b");
	addresses_ended(&a, "b", ADDRESSES_FINE);
	assert_string_equal(addresses_begin(&a, &ab), "b");
	addresses_ended(&a, "b", ADDRESSES_IN_VAIN);
	assert_string_equal(addresses_begin(&a, &ab), "a");
}

static void test_one_that_is_not_listed_any_more_is_left(void **state UNUSED)
{
	const struct address_list moved = { 1, { "c" } };
	struct addresses a = { 0 };

	addresses_works(&a, "b");
	assert_string_equal(addresses_begin(&a, &moved), "c");
}

/* It comes up each time and is cut: another may do better. */
static void test_one_that_never_lasts_is_left(void **state UNUSED)
{
	struct addresses a = { 0 };

	for (unsigned int n = 0; n < 3; n++) {
		assert_string_equal(addresses_begin(&a, &ab), "a");
		addresses_works(&a, "a");
		addresses_ended(&a, "a", ADDRESSES_SHORT);
	}
	assert_string_equal(addresses_begin(&a, &ab), "b");
	addresses_works(&a, "b");
	addresses_ended(&a, "b", ADDRESSES_SHORT);
	assert_string_equal(addresses_begin(&a, &ab), "b");
}

static void test_one_that_lasts_now_and_then_is_kept(void **state UNUSED)
{
	struct addresses a = { 0 };

	for (unsigned int n = 0; n < 9; n++) {
		addresses_works(&a, "a");
		addresses_ended(&a, "a", n % 3 == 2 ? ADDRESSES_FINE : ADDRESSES_SHORT);
		assert_string_equal(addresses_begin(&a, &ab), "a");
	}
}

static void test_ever_new_addresses_are_no_trouble(void **state UNUSED)
{
	struct address_list list = { .n = 1 };
	struct addresses a = { 0 };

	for (unsigned int n = 0; n < 100; n++) {
		snprintf(list.text[0], ADDRESS_LEN, "10.0.0.%u", n);
		assert_string_equal(addresses_begin(&a, &list), list.text[0]);
		end_all(&a, &list);
		assert_true(a.vain.n <= ADDRESSES_MAX);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_has_its_turn_then_all_again),
		cmocka_unit_test(test_order_of_the_list_does_not_matter),
		cmocka_unit_test(test_one_that_works_is_kept),
		cmocka_unit_test(test_one_that_is_not_listed_any_more_is_left),
		cmocka_unit_test(test_one_that_never_lasts_is_left),
		cmocka_unit_test(test_one_that_lasts_now_and_then_is_kept),
		cmocka_unit_test(test_ever_new_addresses_are_no_trouble),
	};

	return cmocka_run_group_tests_name("addresses", tests, NULL, NULL);
}
