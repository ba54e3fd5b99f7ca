/* SPDX-License-Identifier: MIT */
/*
 * The timing wheel: by hand where it turns, and at random against a model that searches.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/timers.h"

#define NEVER UINT64_MAX
#define START 1000000

static void assert_ms(uint64_t got, uint64_t expected)
{
	if (got != expected)
		fail_msg("%llu, not %llu", (unsigned long long)got, (unsigned long long)expected);
}

/* Goes from one time that is asked for to the next, as the loop does, until a timer comes. */
static struct timer *next_timer(struct timers *timers, uint64_t *ret_now, unsigned int *ret_turns)
{
	struct timer *timer = NULL;

	*ret_turns = 0;
	while (!timer && timers_next_ms(timers) != NEVER) {
		*ret_now = timers_next_ms(timers);
		timer = timers_take(timers, *ret_now);
		(*ret_turns)++;
	}
	return timer;
}

/* ---- by hand ---------------------------------------------------------------------------- */

static void test_timers_empty_wheel_has_no_time(void **state UNUSED)
{
	struct timers timers;

	timers_init(&timers, START);
	assert_ms(timers_next_ms(&timers), NEVER);
	assert_null(timers_take(&timers, START));
	assert_null(timers_take(&timers, START + 1000000000));
	assert_ms(timers_next_ms(&timers), NEVER);
}

static void test_timer_comes_at_its_time_and_not_before(void **state UNUSED)
{
	struct timers timers;
	struct timer timer;

	timers_init(&timers, START);
	timer_init(&timer);
	timers_add(&timers, &timer, START + 1);
	assert_ms(timers_next_ms(&timers), START + 1);
	assert_null(timers_take(&timers, START));
	assert_ptr_equal(timers_take(&timers, START + 1), &timer);
	assert_null(timers_take(&timers, START + 1));
	assert_ms(timers_next_ms(&timers), NEVER);
}

static void test_timer_of_the_past_is_due_at_once(void **state UNUSED)
{
	struct timers timers;
	struct timer now, past;

	timers_init(&timers, START);
	timers_add(&timers, &now, START);
	timers_add(&timers, &past, 0);
	assert_ms(timers_next_ms(&timers), START);
	assert_ptr_equal(timers_take(&timers, START), &now);
	assert_ptr_equal(timers_take(&timers, START), &past);
	assert_null(timers_take(&timers, START));
}

/* Each distance for which the timer lies in another wheel, and one less and one more. */
static void test_timer_of_every_wheel_comes_at_its_time(void **state UNUSED)
{
	static const uint64_t starts[] = { 0, 1, 63, START, 0xffffffffffULL, 1ULL << 59 };

	for (size_t s = 0; s < ARRAY_SIZE(starts); s++)
		for (unsigned int w = 0; w < TIMERS_WHEELS; w++)
			for (int more = -1; more <= 1; more++) {
				uint64_t ms = starts[s] + (1ULL << (w * TIMERS_DIGIT_BITS)) +
					      (uint64_t)more;
				struct timers timers;
				struct timer timer;
				unsigned int turns;
				uint64_t now = starts[s];

				timers_init(&timers, starts[s]);
				timers_add(&timers, &timer, ms);
				assert_ptr_equal(next_timer(&timers, &now, &turns), &timer);
				assert_ms(now, ms);
				assert_in_range(turns, 1, TIMERS_WHEELS);
				assert_ms(timers_next_ms(&timers), NEVER);
			}
}

static void test_timer_at_the_end_of_time(void **state UNUSED)
{
	struct timers timers;
	struct timer last, before;
	unsigned int turns;
	uint64_t now = 0;

	timers_init(&timers, 0);
	timers_add(&timers, &last, UINT64_MAX);
	timers_add(&timers, &before, UINT64_MAX - 1);
	assert_null(timers_take(&timers, UINT64_MAX - 2));
	assert_ptr_equal(next_timer(&timers, &now, &turns), &before);
	assert_ms(now, UINT64_MAX - 1);
	assert_ptr_equal(timers_take(&timers, UINT64_MAX), &last);
}

static void test_timers_earliest_comes_first_after_a_jump(void **state UNUSED)
{
	static const uint64_t after[] = { 70000, 5, 64, 4096, 63, 4095, 300000, 65, 1 };
	static const uint64_t sorted[] = { 1, 5, 63, 64, 65, 4095, 4096, 70000, 300000 };
	struct timer t[ARRAY_SIZE(after)];
	struct timers timers;

	timers_init(&timers, START);
	for (size_t i = 0; i < ARRAY_SIZE(after); i++)
		timers_add(&timers, &t[i], START + after[i]);
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		struct timer *timer = timers_take(&timers, START + 1000000);

		assert_ms(timer ? timer->ms : NEVER, START + sorted[i]);
	}
	assert_null(timers_take(&timers, START + 1000000));
}

static void test_timer_added_while_others_are_taken(void **state UNUSED)
{
	struct timer first, last, between, past;
	struct timers timers;

	timers_init(&timers, START);
	timers_add(&timers, &first, START + 10);
	timers_add(&timers, &last, START + 5000);
	assert_ptr_equal(timers_take(&timers, START + 9000), &first);
	timers_add(&timers, &between, START + 100);
	timers_add(&timers, &past, START + 1);
	assert_ptr_equal(timers_take(&timers, START + 9000), &past);
	assert_ptr_equal(timers_take(&timers, START + 9000), &between);
	assert_ptr_equal(timers_take(&timers, START + 9000), &last);
	assert_null(timers_take(&timers, START + 9000));
}

static void test_timer_deleted_does_not_come(void **state UNUSED)
{
	struct timer near, far, due, other;
	struct timers timers;

	timers_init(&timers, START);
	timers_add(&timers, &near, START + 3);
	timers_add(&timers, &far, START + 100000);
	timers_add(&timers, &due, START);
	timers_add(&timers, &other, START + 3);
	timers_del(&timers, &near);
	timers_del(&timers, &far);
	timers_del(&timers, &due);
	assert_ms(timers_next_ms(&timers), START + 3);
	assert_ptr_equal(timers_take(&timers, START + 200000), &other);
	assert_null(timers_take(&timers, START + 200000));
}

static void test_timer_may_be_deleted_twice_and_after_it_came(void **state UNUSED)
{
	struct timers timers;
	struct timer timer, other;

	timers_init(&timers, START);
	timer_init(&timer);
	timers_del(&timers, &timer);
	timers_add(&timers, &timer, START + 7);
	timers_del(&timers, &timer);
	timers_add(&timers, &other, START + 7);
	timers_del(&timers, &timer);
	assert_ms(timers_next_ms(&timers), START + 7);
	assert_ptr_equal(timers_take(&timers, START + 7), &other);
	timers_del(&timers, &other);
	assert_ms(timers_next_ms(&timers), NEVER);
	timers_add(&timers, &timer, START + 8);
	assert_ptr_equal(timers_take(&timers, START + 8), &timer);
}

/* Whoever lies in the due list is in no slot: the bits of the slots stay as they are. */
static void test_timer_deleted_when_due_leaves_the_others(void **state UNUSED)
{
	struct timer a, b, next_round;
	struct timers timers;

	timers_init(&timers, START);
	timers_add(&timers, &a, START + 7);
	timers_add(&timers, &b, START + 7);
	timers_add(&timers, &next_round, START + 7 + TIMERS_SLOTS);
	assert_ptr_equal(timers_take(&timers, START + 7), &a);
	timers_del(&timers, &b);
	assert_null(timers_take(&timers, START + 8));
	assert_ptr_equal(timers_take(&timers, START + 100), &next_round);
}

static void test_timers_time_that_goes_back_changes_nothing(void **state UNUSED)
{
	struct timers timers;
	struct timer timer, late;

	timers_init(&timers, START);
	timers_add(&timers, &timer, START + 500);
	assert_null(timers_take(&timers, START + 400));
	assert_null(timers_take(&timers, START));
	timers_add(&timers, &late, START + 300);
	assert_ptr_equal(timers_take(&timers, START), &late);
	assert_null(timers_take(&timers, START + 499));
	assert_ptr_equal(timers_take(&timers, START + 500), &timer);
}

/* ---- at random against a model ---------------------------------------------------------- */

enum { N_TIMERS = 300, N_STEPS = 40000 };

struct entry {
	struct timer timer;
	bool armed, late;	/* late: its time had come when it was added */
};

struct world {
	struct timers timers;
	struct entry entries[N_TIMERS];
	uint64_t now, seed;
};

static uint64_t draw(struct world *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed;
}

/* Near and far ones equally often: a random number of random bits. */
static uint64_t draw_span(struct world *w, unsigned int bits)
{
	return draw(w) >> (64 - (1 + draw(w) % bits));
}

static uint64_t model_first(const struct world *w)
{
	uint64_t first = NEVER;

	for (size_t i = 0; i < N_TIMERS; i++)
		if (w->entries[i].armed)
			first = MIN(first, w->entries[i].timer.ms);
	return first;
}

static void check_next(const struct world *w)
{
	uint64_t first = model_first(w), next = timers_next_ms(&w->timers);

	if (first == NEVER)
		assert_ms(next, NEVER);
	else
		assert_true(next <= MAX(first, w->now));
}

static void step_add(struct world *w, struct entry *e)
{
	uint64_t ms = w->now + draw_span(w, 40);

	if (draw(w) % 8 == 0)
		ms = w->now - draw_span(w, 10);
	timers_add(&w->timers, &e->timer, ms);
	e->armed = true;
	e->late = ms <= w->now;
}

static void step_delete(struct world *w, struct entry *e)
{
	timers_del(&w->timers, &e->timer);
	e->armed = false;
}

/* All whose time has come do come, each once, in order of their times; no other does. */
static void step_take(struct world *w)
{
	uint64_t before = 0;
	struct timer *timer;

	while ((timer = timers_take(&w->timers, w->now))) {
		struct entry *e = container_of(timer, struct entry, timer);

		assert_true(e->armed);
		assert_true(timer->ms <= w->now);
		assert_true(e->late || timer->ms >= before);
		before = e->late ? before : timer->ms;
		e->armed = false;
	}
	assert_true(model_first(w) > w->now);
}

static void step_go(struct world *w)
{
	uint64_t next = timers_next_ms(&w->timers);

	if (next != NEVER && draw(w) % 4 > 0)
		w->now = MAX(w->now, next);
	else
		w->now += draw_span(w, draw(w) % 16 ? 14 : 40);
	step_take(w);
}

static void run_at_random(uint64_t seed)
{
	static struct world w;

	w = (struct world){ .now = START, .seed = seed };
	timers_init(&w.timers, w.now);
	for (size_t i = 0; i < N_TIMERS; i++)
		timer_init(&w.entries[i].timer);
	for (unsigned int i = 0; i < N_STEPS; i++) {
		struct entry *e = &w.entries[draw(&w) % N_TIMERS];

		if (draw(&w) % 3 == 0)
			step_go(&w);
		else if (e->armed && draw(&w) % 2)
			step_delete(&w, e);
		else if (!e->armed)
			step_add(&w, e);
		if (i % 16 == 0)
			check_next(&w);
	}
	w.now += 1ULL << 41;
	step_take(&w);
	assert_ms(timers_next_ms(&w.timers), NEVER);
}

static void test_timers_do_as_a_model_does(void **state UNUSED)
{
	for (uint64_t seed = 1; seed <= 4; seed++)
		run_at_random(seed * 0x9e3779b97f4a7c15ULL);
}

/* However far they are: the loop wakes up at most once a wheel for each. */
static void test_timers_wake_the_loop_seldom(void **state UNUSED)
{
	static struct world w;
	unsigned int turns, n_turns = 0;

	w = (struct world){ .now = START, .seed = 77 };
	timers_init(&w.timers, w.now);
	for (size_t i = 0; i < N_TIMERS; i++)
		timers_add(&w.timers, &w.entries[i].timer, w.now + 1 + draw_span(&w, 50));
	for (size_t i = 0; i < N_TIMERS; i++) {
		struct timer *timer = next_timer(&w.timers, &w.now, &turns);

		assert_ms(timer ? timer->ms : NEVER, w.now);
		n_turns += turns;
	}
	assert_in_range(n_turns, N_TIMERS, N_TIMERS * TIMERS_WHEELS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_empty_wheel_has_no_time),
		cmocka_unit_test(test_timer_comes_at_its_time_and_not_before),
		cmocka_unit_test(test_timer_of_the_past_is_due_at_once),
		cmocka_unit_test(test_timer_of_every_wheel_comes_at_its_time),
		cmocka_unit_test(test_timer_at_the_end_of_time),
		cmocka_unit_test(test_timers_earliest_comes_first_after_a_jump),
		cmocka_unit_test(test_timer_added_while_others_are_taken),
		cmocka_unit_test(test_timer_deleted_does_not_come),
		cmocka_unit_test(test_timer_may_be_deleted_twice_and_after_it_came),
		cmocka_unit_test(test_timer_deleted_when_due_leaves_the_others),
		cmocka_unit_test(test_timers_time_that_goes_back_changes_nothing),
		cmocka_unit_test(test_timers_do_as_a_model_does),
		cmocka_unit_test(test_timers_wake_the_loop_seldom),
	};

	return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
