/* SPDX-License-Identifier: MIT */
/*
 * When to ping, when the peer is dead. Time is a number.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "common/common.h"
#include "gateway/keepalive.h"

#define START UINT64_C(1000000)

/* Every 30 s, 20 s for the answer, from START on. */
static struct keepalive running(void)
{
	struct keepalive k;

	keepalive_start(&k, 30000, 20000, START);
	return k;
}

static void test_nothing_happens_before_it_is_started(void **state UNUSED)
{
	struct keepalive k;

	keepalive_init(&k);
	assert_true(keepalive_next_ms(&k) == KEEPALIVE_NEVER);
	assert_int_equal(keepalive_tick(&k, START), KEEPALIVE_NOTHING);
	assert_false(keepalive_heard(&k));
}

static void test_ping_goes_out_at_its_time(void **state UNUSED)
{
	struct keepalive k = running();

	assert_true(keepalive_next_ms(&k) == START + 30000);
	assert_int_equal(keepalive_tick(&k, START + 29999), KEEPALIVE_NOTHING);
	assert_int_equal(keepalive_tick(&k, START + 30000), KEEPALIVE_PING);
	assert_int_equal(keepalive_tick(&k, START + 30000), KEEPALIVE_NOTHING);
}

static void test_ping_goes_out_whatever_else_is_said(void **state UNUSED)
{
	struct keepalive k = running();

	for (unsigned int i = 1; i < 300; i++) {
		assert_false(keepalive_heard(&k));
		assert_int_equal(keepalive_tick(&k, START + i * 100), KEEPALIVE_NOTHING);
	}
	assert_int_equal(keepalive_tick(&k, START + 30000), KEEPALIVE_PING);
}

static void test_answered_pings_go_on(void **state UNUSED)
{
	struct keepalive k = running();

	for (unsigned int i = 1; i <= 10; i++) {
		uint64_t now_ms = keepalive_next_ms(&k);

		assert_true(now_ms == START + i * 30000);
		assert_int_equal(keepalive_tick(&k, now_ms), KEEPALIVE_PING);
		assert_true(keepalive_next_ms(&k) == now_ms + 20000);
		assert_true(keepalive_heard(&k));
		assert_false(keepalive_heard(&k));
		assert_int_equal(keepalive_tick(&k, now_ms + 20000), KEEPALIVE_NOTHING);
	}
}

static void test_without_an_answer_it_is_dead_once(void **state UNUSED)
{
	struct keepalive k = running();

	assert_int_equal(keepalive_tick(&k, START + 30000), KEEPALIVE_PING);
	assert_int_equal(keepalive_tick(&k, START + 49999), KEEPALIVE_NOTHING);
	assert_int_equal(keepalive_tick(&k, START + 50000), KEEPALIVE_DEAD);
	assert_true(keepalive_next_ms(&k) == KEEPALIVE_NEVER);
	assert_int_equal(keepalive_tick(&k, START + 1000000), KEEPALIVE_NOTHING);
}

/* The oldest ping counts, however many follow. */
static void test_pings_more_often_than_the_answer_may_take(void **state UNUSED)
{
	struct keepalive k;

	keepalive_start(&k, 5000, 20000, START);
	for (unsigned int i = 1; i <= 4; i++)
		assert_int_equal(keepalive_tick(&k, START + i * 5000), KEEPALIVE_PING);
	assert_int_equal(keepalive_tick(&k, START + 24999), KEEPALIVE_NOTHING);
	assert_int_equal(keepalive_tick(&k, START + 25000), KEEPALIVE_DEAD);
}

static void test_long_sleep_is_one_ping(void **state UNUSED)
{
	struct keepalive k = running();

	assert_int_equal(keepalive_tick(&k, START + 10000000), KEEPALIVE_PING);
	assert_int_equal(keepalive_tick(&k, START + 10000000), KEEPALIVE_NOTHING);
	assert_true(keepalive_next_ms(&k) == START + 10020000);
}

static void test_start_anew_waits_for_nothing_old(void **state UNUSED)
{
	struct keepalive k = running();

	assert_int_equal(keepalive_tick(&k, START + 30000), KEEPALIVE_PING);
	keepalive_start(&k, 7000, 1000, START + 30000);
	assert_true(keepalive_next_ms(&k) == START + 37000);
}

static void test_endless_times_do_not_overflow(void **state UNUSED)
{
	struct keepalive k;

	keepalive_start(&k, UINT64_MAX, UINT64_MAX, START);
	assert_true(keepalive_next_ms(&k) > START);
	assert_int_equal(keepalive_tick(&k, START + 1000000000), KEEPALIVE_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_happens_before_it_is_started),
		cmocka_unit_test(test_ping_goes_out_at_its_time),
		cmocka_unit_test(test_ping_goes_out_whatever_else_is_said),
		cmocka_unit_test(test_answered_pings_go_on),
		cmocka_unit_test(test_without_an_answer_it_is_dead_once),
		cmocka_unit_test(test_pings_more_often_than_the_answer_may_take),
		cmocka_unit_test(test_long_sleep_is_one_ping),
		cmocka_unit_test(test_start_anew_waits_for_nothing_old),
		cmocka_unit_test(test_endless_times_do_not_overflow),
	};

	return cmocka_run_group_tests_name("keepalive", tests, NULL, NULL);
}
