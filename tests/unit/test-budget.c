/* SPDX-License-Identifier: MIT */
/*
 * The day's budget: what counts, warnings, the reserve, clocks that are wrong, what is kept.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/budget.h"

#define DAY ((int64_t)20785)		/* 2026-11-28 */
#define NOON(day) ((day) * BUDGET_DAY_S + BUDGET_DAY_S / 2)

static int publish(struct budget *b, uint64_t n, int64_t unix_s)
{
	return budget_add(b, &(struct budget_count){ .published = n }, unix_s);
}

static uint64_t messages(const struct budget *b)
{
	return budget_messages(&b->today.count);
}

static void assert_today(struct budget *b, int64_t day, uint64_t n)
{
	assert_int_equal(b->today.day, day);
	assert_int_equal(messages(b), n);
}

/* ---- counting -------------------------------------------------------------------------------- */

static void test_an_event_of_others_is_two_messages(void **state UNUSED)
{
	const struct budget_count more = { .published = 1, .delivered = 10, .received = 100 };
	struct budget b;

	budget_init(&b, 0);
	assert_int_equal(budget_add(&b, &more, NOON(DAY)), 0);
	assert_today(&b, DAY, 211);
	assert_int_equal(budget_add(&b, &more, NOON(DAY)), 0);
	assert_today(&b, DAY, 422);
}

static void test_each_warning_comes_once_a_day(void **state UNUSED)
{
	struct budget b;

	budget_init(&b, 100);
	assert_int_equal(publish(&b, 79, NOON(DAY)), 0);
	assert_int_equal(publish(&b, 1, NOON(DAY)), BUDGET_HIGH);
	for (int i = 81; i < 95; i++)
		assert_int_equal(publish(&b, 1, NOON(DAY)), 0);
	assert_int_equal(publish(&b, 1, NOON(DAY)), BUDGET_RESERVE);
	assert_int_equal(publish(&b, 1000, NOON(DAY)), 0);
	assert_int_equal(publish(&b, 80, NOON(DAY + 1)), BUDGET_HIGH);
	assert_int_equal(publish(&b, 15, NOON(DAY + 1)), BUDGET_RESERVE);
}

static void test_a_leap_over_both_is_one_warning(void **state UNUSED)
{
	struct budget b;

	budget_init(&b, 10);
	assert_int_equal(publish(&b, 10, NOON(DAY)), BUDGET_RESERVE);
	assert_int_equal(publish(&b, 1, NOON(DAY)), 0);
}

static void test_reserve_begins_at_95_percent_and_ends_with_the_day(void **state UNUSED)
{
	struct budget b;

	budget_init(&b, 100);
	assert_int_equal(publish(&b, 94, NOON(DAY)), BUDGET_HIGH);
	assert_false(budget_is_low(&b, NOON(DAY)));
	assert_int_equal(publish(&b, 1, NOON(DAY)), BUDGET_RESERVE);
	assert_true(budget_is_low(&b, NOON(DAY)));
	assert_true(budget_is_low(&b, (DAY + 1) * BUDGET_DAY_S - 1));
	assert_false(budget_is_low(&b, (DAY + 1) * BUDGET_DAY_S));
	assert_today(&b, DAY + 1, 0);
}

static void test_no_limit_is_never_low(void **state UNUSED)
{
	struct budget b;

	budget_init(&b, 0);
	assert_int_equal(publish(&b, 1000000000, NOON(DAY)), 0);
	assert_false(budget_is_low(&b, NOON(DAY)));
}

static void test_another_limit_holds_at_once(void **state UNUSED)
{
	struct budget b;

	budget_init(&b, 100);
	assert_int_equal(publish(&b, 95, NOON(DAY)), BUDGET_RESERVE);
	budget_set_limit(&b, 1000);
	assert_false(budget_is_low(&b, NOON(DAY)));
	assert_int_equal(publish(&b, 1, NOON(DAY)), 0);
	budget_set_limit(&b, 100);
	assert_true(budget_is_low(&b, NOON(DAY)));
	assert_int_equal(publish(&b, 1, NOON(DAY)), BUDGET_RESERVE);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static void test_a_new_day_begins_with_0(void **state UNUSED)
{
	struct budget b;

	budget_init(&b, 0);
	assert_int_equal(publish(&b, 5, (DAY + 1) * BUDGET_DAY_S - 1), 0);
	assert_int_equal(publish(&b, 3, (DAY + 1) * BUDGET_DAY_S), 0);
	assert_today(&b, DAY + 1, 3);
}

static void test_clock_not_set_counts_for_the_first_known_day(void **state UNUSED)
{
	struct budget b;

	budget_init(&b, 0);
	assert_int_equal(publish(&b, 5, 100), 0);
	assert_int_equal(publish(&b, 5, 2 * BUDGET_DAY_S), 0);
	assert_today(&b, 0, 10);
	assert_int_equal(publish(&b, 1, NOON(DAY)), 0);
	assert_today(&b, DAY, 11);
	assert_int_equal(publish(&b, 1, NOON(DAY + 1)), 0);
	assert_today(&b, DAY + 1, 1);
}

static void test_clock_lost_in_between_goes_on_with_the_day(void **state UNUSED)
{
	struct budget b;

	budget_init(&b, 0);
	assert_int_equal(publish(&b, 5, NOON(DAY)), 0);
	assert_int_equal(publish(&b, 2, 0), 0);
	assert_today(&b, DAY, 7);
	budget_turn(&b, NOON(DAY));
	assert_today(&b, DAY, 7);
	assert_int_equal(publish(&b, 2, 0), 0);
	budget_turn(&b, NOON(DAY + 1));		/* it was set: those 2 are of this day */
	assert_today(&b, DAY + 1, 2);
}

static void test_a_leap_ahead_and_back_loses_nothing(void **state UNUSED)
{
	struct budget b;

	budget_init(&b, 100);
	assert_int_equal(publish(&b, 50, NOON(DAY)), 0);
	assert_int_equal(publish(&b, 7, NOON(DAY + 20000)), 0);
	assert_today(&b, DAY + 20000, 7);
	assert_int_equal(publish(&b, 1, NOON(DAY)), 0);
	assert_today(&b, DAY, 58);
}

static void test_to_and_fro_around_midnight_doubles_nothing(void **state UNUSED)
{
	struct budget b;

	budget_init(&b, 0);
	assert_int_equal(publish(&b, 50, NOON(DAY)), 0);
	for (int i = 0; i < 10; i++) {
		budget_turn(&b, (DAY + 1) * BUDGET_DAY_S);
		assert_today(&b, DAY + 1, 0);
		budget_turn(&b, (DAY + 1) * BUDGET_DAY_S - 1);
		assert_today(&b, DAY, 50);
	}
}

/* Of a machine that starts with the time of its last shutdown, until it hears of the right one. */
static void test_a_clock_that_is_behind_for_a_while_loses_nothing(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct budget kept, b;

	budget_init(&kept, 100);
	assert_int_equal(publish(&kept, 96, NOON(DAY)), BUDGET_RESERVE);
	budget_put(&kept, &text);
	budget_init(&b, 100);
	assert_int_equal(budget_restore(&b, buf_span(&text)), 0);
	assert_int_equal(publish(&b, 1, NOON(DAY - 1)), 0);
	assert_today(&b, DAY - 1, 97);
	buf_clear(&text);
	budget_put(&b, &text);
	budget_init(&b, 100);
	assert_int_equal(budget_restore(&b, buf_span(&text)), 0);
	assert_int_equal(publish(&b, 1, NOON(DAY)), 0);
	assert_today(&b, DAY, 97);
	assert_true(budget_is_low(&b, NOON(DAY)));
	budget_turn(&b, NOON(DAY + 1));
	assert_today(&b, DAY + 1, 0);
}

static void test_to_and_fro_with_counts_doubles_nothing(void **state UNUSED)
{
	struct budget b;

	budget_init(&b, 0);
	assert_int_equal(publish(&b, 50, NOON(DAY)), 0);
	assert_int_equal(publish(&b, 3, NOON(DAY + 1)), 0);
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(publish(&b, 1, NOON(DAY)), 0);
		assert_today(&b, DAY, 54 + 2 * i);
		assert_int_equal(publish(&b, 1, NOON(DAY + 1)), 0);
		assert_today(&b, DAY + 1, 4 + i);
	}
}

static void test_back_to_a_day_that_is_not_known_keeps_the_count(void **state UNUSED)
{
	struct budget b;

	budget_init(&b, 0);
	assert_int_equal(publish(&b, 50, NOON(DAY + 5)), 0);
	assert_int_equal(publish(&b, 1, NOON(DAY)), 0);
	assert_today(&b, DAY, 51);
	budget_turn(&b, NOON(DAY + 1));
	assert_today(&b, DAY + 1, 0);
}

static void test_a_clock_far_ahead_or_negative_is_none(void **state UNUSED)
{
	struct budget b;

	budget_init(&b, 0);
	assert_int_equal(publish(&b, 5, NOON(DAY)), 0);
	assert_int_equal(publish(&b, 1, INT64_MAX), 0);
	assert_int_equal(publish(&b, 1, INT64_MIN), 0);
	assert_today(&b, DAY, 7);
}

/* ---- what is kept ---------------------------------------------------------------------------- */

static int restore(struct budget *b, const struct budget *from)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;

	budget_put(from, &text);
	assert_int_equal(buf_error(&text), 0);
	return budget_restore(b, buf_span(&text));
}

static void test_what_was_put_is_restored(void **state UNUSED)
{
	struct budget old, b;

	budget_init(&old, 100);
	assert_int_equal(publish(&old, 3, NOON(DAY - 1)), 0);
	assert_int_equal(budget_add(&old, &(struct budget_count){ 60, 10, 5 }, NOON(DAY)),
			 BUDGET_HIGH);
	assert_int_equal(publish(&old, 1, 0), 0);
	budget_init(&b, 100);
	assert_int_equal(restore(&b, &old), 0);
	assert_memory_equal(&b, &old, sizeof(b));
	assert_int_equal(publish(&b, 1, NOON(DAY)), 0);		/* not told again */
	assert_today(&b, DAY, 82);
}

static void test_of_another_day_is_not_counted(void **state UNUSED)
{
	struct budget old, b;

	budget_init(&old, 100);
	assert_int_equal(publish(&old, 90, NOON(DAY)), BUDGET_HIGH);
	budget_init(&b, 100);
	assert_int_equal(restore(&b, &old), 0);
	assert_int_equal(publish(&b, 80, NOON(DAY + 1)), BUDGET_HIGH);
	assert_today(&b, DAY + 1, 80);
}

static void test_start_without_a_clock_goes_on_with_what_was_kept(void **state UNUSED)
{
	struct budget old, b;

	budget_init(&old, 0);
	assert_int_equal(publish(&old, 90, NOON(DAY)), 0);
	budget_init(&b, 0);
	assert_int_equal(restore(&b, &old), 0);
	assert_int_equal(publish(&b, 5, 60), 0);
	assert_today(&b, DAY, 95);
	assert_int_equal(restore(&old, &b), 0);	/* and that start is kept as well */
	budget_turn(&b, NOON(DAY));
	assert_today(&b, DAY, 95);
}

static void test_what_was_counted_before_the_restoring_is_added(void **state UNUSED)
{
	struct budget old, b;

	budget_init(&old, 0);
	assert_int_equal(publish(&old, 90, NOON(DAY)), 0);
	budget_init(&b, 0);
	assert_int_equal(publish(&b, 2, NOON(DAY)), 0);
	assert_int_equal(restore(&b, &old), 0);
	assert_today(&b, DAY, 92);
	budget_init(&b, 0);
	assert_int_equal(publish(&b, 2, NOON(DAY + 1)), 0);
	assert_int_equal(restore(&b, &old), 0);
	assert_today(&b, DAY + 1, 2);
	budget_init(&b, 0);
	assert_int_equal(publish(&b, 2, 0), 0);
	assert_int_equal(restore(&b, &old), 0);
	assert_today(&b, DAY, 92);
	budget_turn(&b, NOON(DAY + 1));
	assert_today(&b, DAY + 1, 2);
}

static void test_a_lower_limit_than_before_warns(void **state UNUSED)
{
	struct budget old, b;

	budget_init(&old, 1000);
	assert_int_equal(publish(&old, 90, NOON(DAY)), 0);
	budget_init(&b, 100);
	assert_int_equal(restore(&b, &old), 0);
	assert_int_equal(publish(&b, 1, NOON(DAY)), BUDGET_HIGH);
}

#define HEAD "chapi-budget 1\ntoday "
#define NONE "later 0 0 0 0\nwarned "
#define GOOD HEAD "20785 3 2 1\nundated 0 0 0\nbefore 20784 9 9 9\n" NONE "80\n"

static void test_what_is_damaged_is_refused_and_changes_nothing(void **state UNUSED)
{
	static const char *const bad[] = {
		"", "\n", "chapi-budget 1\n", "chapi-budget 2" "\ntoday 20785 3 2 1\n",
		GOOD " ", GOOD "\n", GOOD GOOD,
		HEAD "20785 3 2 1\nundated 0 0 0\nbefore 20784 9 9 9\n" NONE "80",
		HEAD "20785 03 2 1\nundated 0 0 0\nbefore 20784 9 9 9\n" NONE "80\n",
		HEAD "20785 -3 2 1\nundated 0 0 0\nbefore 20784 9 9 9\n" NONE "80\n",
		HEAD "20785  3 2 1\nundated 0 0 0\nbefore 20784 9 9 9\n" NONE "80\n",
		HEAD "1 3 2 1\nundated 0 0 0\nbefore 20784 9 9 9\n" NONE "80\n",
		HEAD "20785 3 2 1\nundated 4 0 0\nbefore 20784 9 9 9\n" NONE "80\n",
		HEAD "20785 3 2 1\nundated 0 0 0\nbefore 20784 9 9 9\n" NONE "101\n",
		HEAD "20785 3 2 1\nundated 0 0 0\nbefore 0 0 0 0\nlater 20786 4 0 0\nwarned 80\n",
		HEAD "20785 3 2 1\nundated 2 0 0\nbefore 0 0 0 0\nlater 20786 2 0 0\nwarned 80\n",
		HEAD "20785 18446744073709551615 2 1\nundated 0 0 0\nbefore 0 0 0 0\n" NONE "0\n",
		HEAD "20785 99999999999999999999 2 1\nundated 0 0 0\nbefore 0 0 0 0\n" NONE "0\n",
	};
	struct budget b, as_before;

	budget_init(&b, 100);
	assert_int_equal(publish(&b, 7, NOON(DAY)), 0);
	as_before = b;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(budget_restore(&b, span_str(bad[i])), BUDGET_E_DAMAGED);
		assert_memory_equal(&b, &as_before, sizeof(b));
	}
	assert_int_equal(budget_restore(&b, span_str(GOOD)), 0);
	assert_today(&b, DAY, 7 + 7);
}

static void test_any_byte_cut_off_or_a_nul_is_seen(void **state UNUSED)
{
	uint8_t text[] = GOOD;
	struct budget b;

	for (size_t len = 0; len < sizeof(GOOD) - 1; len++) {
		budget_init(&b, 0);
		assert_int_equal(budget_restore(&b, span_of(text, len)), BUDGET_E_DAMAGED);
	}
	for (size_t i = 0; i < sizeof(GOOD) - 1; i++) {
		uint8_t kept = text[i];

		text[i] = '\0';
		assert_int_equal(budget_restore(&b, span_of(text, sizeof(GOOD) - 1)),
				 BUDGET_E_DAMAGED);
		text[i] = kept;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_event_of_others_is_two_messages),
		cmocka_unit_test(test_each_warning_comes_once_a_day),
		cmocka_unit_test(test_a_leap_over_both_is_one_warning),
		cmocka_unit_test(test_reserve_begins_at_95_percent_and_ends_with_the_day),
		cmocka_unit_test(test_no_limit_is_never_low),
		cmocka_unit_test(test_another_limit_holds_at_once),
		cmocka_unit_test(test_a_new_day_begins_with_0),
		cmocka_unit_test(test_clock_not_set_counts_for_the_first_known_day),
		cmocka_unit_test(test_clock_lost_in_between_goes_on_with_the_day),
		cmocka_unit_test(test_a_leap_ahead_and_back_loses_nothing),
		cmocka_unit_test(test_to_and_fro_around_midnight_doubles_nothing),
		cmocka_unit_test(test_a_clock_that_is_behind_for_a_while_loses_nothing),
		cmocka_unit_test(test_to_and_fro_with_counts_doubles_nothing),
		cmocka_unit_test(test_back_to_a_day_that_is_not_known_keeps_the_count),
		cmocka_unit_test(test_a_clock_far_ahead_or_negative_is_none),
		cmocka_unit_test(test_what_was_put_is_restored),
		cmocka_unit_test(test_of_another_day_is_not_counted),
		cmocka_unit_test(test_start_without_a_clock_goes_on_with_what_was_kept),
		cmocka_unit_test(test_what_was_counted_before_the_restoring_is_added),
		cmocka_unit_test(test_a_lower_limit_than_before_warns),
		cmocka_unit_test(test_what_is_damaged_is_refused_and_changes_nothing),
		cmocka_unit_test(test_any_byte_cut_off_or_a_nul_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
