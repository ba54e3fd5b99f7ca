/* SPDX-License-Identifier: MIT */
/*
 * The token bucket: so many a second, twice as many at once.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/bucket.h"

static unsigned int take_all(struct bucket *bucket, unsigned int rate, uint64_t now_ms)
{
	unsigned int n = 0;
	uint64_t wait_ms;

	while (n < 100000 && bucket_take(bucket, rate, now_ms, &wait_ms))
		n++;
	return n;
}

static void test_burst_is_twice_the_rate(void **state UNUSED)
{
	struct bucket bucket = { 0 };

	assert_int_equal(take_all(&bucket, 50, 7), 100);
	assert_int_equal(take_all(&bucket, 50, 7), 0);
}

static void test_it_refills_at_the_rate(void **state UNUSED)
{
	struct bucket bucket = { 0 };

	take_all(&bucket, 50, 1000);
	assert_int_equal(take_all(&bucket, 50, 1019), 0);
	assert_int_equal(take_all(&bucket, 50, 1020), 1);
	assert_int_equal(take_all(&bucket, 50, 2020), 50);
	assert_int_equal(take_all(&bucket, 50, 100000), 100);
}

static void test_wait_is_until_the_next_token(void **state UNUSED)
{
	struct bucket bucket = { 0 };
	uint64_t wait_ms = 0;

	take_all(&bucket, 50, 1000);
	assert_false(bucket_take(&bucket, 50, 1000, &wait_ms));
	assert_int_equal(wait_ms, 20);
	assert_false(bucket_take(&bucket, 50, 1005, &wait_ms));
	assert_int_equal(wait_ms, 15);
	assert_true(bucket_take(&bucket, 50, 1020, &wait_ms));
}

static void test_rate_of_0_is_no_limit(void **state UNUSED)
{
	struct bucket bucket = { 0 };

	assert_int_equal(take_all(&bucket, 0, 5), 100000);
}

static void test_another_rate_holds_from_the_next_token_on(void **state UNUSED)
{
	struct bucket bucket = { 0 };
	uint64_t wait_ms = 0;

	take_all(&bucket, 1, 1000);
	assert_int_equal(take_all(&bucket, 5, 1000), 8);
	assert_false(bucket_take(&bucket, 1, 1000, &wait_ms));
	assert_int_equal(wait_ms, 9000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_is_twice_the_rate),
		cmocka_unit_test(test_it_refills_at_the_rate),
		cmocka_unit_test(test_wait_is_until_the_next_token),
		cmocka_unit_test(test_rate_of_0_is_no_limit),
		cmocka_unit_test(test_another_rate_holds_from_the_next_token_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
