/* SPDX-License-Identifier: MIT */
/*
 * Numbers by hash: found whatever shares their place, whatever was taken out before.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "gateway/hashindex.h"

#define N_MANY 20000

static int setup(void **state)
{
	struct hash_index *index = calloc(1, sizeof(*index));

	assert_non_null(index);
	assert_int_equal(hash_index_init(index), 0);
	*state = index;
	return 0;
}

static int teardown(void **state)
{
	struct hash_index *index = *state;

	hash_index_deinit(index);
	free(index);
	return 0;
}

static void add(struct hash_index *index, uint32_t hash, uint32_t number)
{
	assert_int_equal(hash_index_reserve(index), 0);
	hash_index_add(index, hash, number);
}

/* How many steps it takes to find it; 0: it is not there. */
static size_t steps_to(const struct hash_index *index, uint32_t hash, uint32_t number)
{
	size_t step = 0;
	uint32_t found;

	while (hash_index_next(index, hash, &step, &found))
		if (found == number)
			return step;
	return 0;
}

static void test_numbers_of_one_hash_are_all_found(void **state)
{
	struct hash_index *index = *state;

	for (uint32_t i = 0; i < 10; i++)
		add(index, 7, i);
	for (uint32_t i = 0; i < 10; i++)
		assert_true(steps_to(index, 7, i) > 0);
	assert_int_equal(steps_to(index, 7, 10), 0);
	assert_int_equal(steps_to(index, 8, 1), 0);
	hash_index_del(index, 7, 0);
	assert_int_equal(steps_to(index, 7, 0), 0);
	for (uint32_t i = 1; i < 10; i++)
		assert_true(steps_to(index, 7, i) > 0);
}

/* The table ends where it begins: a run of neighbours lies across its end. */
static void test_gaps_close_across_the_end(void **state)
{
	struct hash_index *index = *state;
	uint32_t last = (uint32_t)index->n_slots - 1;
	static const uint32_t order[] = { 0, 5, 2, 7, 1, 3, 6, 4 };

	for (uint32_t i = 0; i < ARRAY_SIZE(order); i++)
		add(index, last - 3 + i / 2, i);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		hash_index_del(index, last - 3 + order[i] / 2, order[i]);
		for (size_t k = 0; k < ARRAY_SIZE(order); k++)
			assert_true((steps_to(index, last - 3 + order[k] / 2, order[k]) > 0) ==
				    (k > i));
	}
	assert_int_equal(index->n_used, 0);
	for (size_t i = 0; i < index->n_slots; i++)
		assert_int_equal(index->slots[i], 0);
}

/* The same things by a bitmap: numbers that share few hashes come and go at random. */
static void test_any_order_of_coming_and_going(void **state)
{
	struct hash_index *index = *state;
	bool there[200] = { false };
	uint64_t random = 1;

	for (unsigned int i = 0; i < 20000; i++) {
		uint32_t number, hash;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		number = (uint32_t)(random >> 33) % ARRAY_SIZE(there);
		hash = number % 40 * 0x01000193U;
		assert_true((steps_to(index, hash, number) > 0) == there[number]);
		if (there[number])
			hash_index_del(index, hash, number);
		else
			add(index, hash, number);
		there[number] = !there[number];
	}
}

static void test_cost_does_not_grow(void **state)
{
	struct hash_index *index = *state;
	size_t sum = 0, most = 0;

	for (uint32_t i = 0; i < N_MANY; i++)
		add(index, i * 0x9e3779b9U, i);
	for (uint32_t i = 0; i < N_MANY; i++) {
		size_t steps = steps_to(index, i * 0x9e3779b9U, i);

		assert_true(steps > 0);
		sum += steps;
		most = MAX(most, steps);
	}
	assert_true(sum < 2 * N_MANY);
	assert_true(most < 64);
}

static void test_memory_comes_back(void **state)
{
	struct hash_index *index = *state;
	size_t before = index->n_slots;

	for (uint32_t i = 0; i < N_MANY; i++)
		add(index, i, i);
	assert_true(index->n_slots >= 2 * (size_t)N_MANY && index->n_slots <= 8 * (size_t)N_MANY);
	hash_index_trim(index);
	assert_true(index->n_slots > before);
	for (uint32_t i = 0; i < N_MANY; i++)
		hash_index_del(index, i, i);
	hash_index_trim(index);
	assert_int_equal(index->n_slots, before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_numbers_of_one_hash_are_all_found),
		TEST(test_gaps_close_across_the_end),
		TEST(test_any_order_of_coming_and_going),
		TEST(test_cost_does_not_grow),
		TEST(test_memory_comes_back),
	};

	return cmocka_run_group_tests_name("hashindex", tests, NULL, NULL);
}
