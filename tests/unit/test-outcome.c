/* SPDX-License-Identifier: MIT */
/*
 * What became of requests: the two tables, with numbers for time.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "gateway/outcome.h"

#define START 5000
#define KEEP 600000
#define CHANNEL "private-chapi-pi"

static const uint64_t seed[4] = { 1, 2, 3, 4 };

static struct outcomes *make(size_t n_max, size_t bytes_max)
{
	const struct outcomes_limits limits = { .n_max = n_max,
						.keep_ms = KEEP,
						.bytes_max = bytes_max };
	struct outcomes *o;

	assert_int_equal(outcomes_new(&limits, seed, &o), 0);
	return o;
}

static struct outcome_key key_of(struct outcomes *o, const char *id, const char *api,
				 const char *params)
{
	return outcomes_key(o, span_str(id), span_str(api), span_str(params));
}

static enum repeat look_for(struct outcomes *o, const char *id, const char *params, uint64_t now_ms,
			    struct outcome **ret)
{
	struct outcome_key key = key_of(o, id, "x", params);

	return outcomes_look(o, &key, now_ms, ret);
}

static enum repeat look(struct outcomes *o, const char *id, uint64_t now_ms)
{
	struct outcome *ignored;

	return look_for(o, id, "1", now_ms, &ignored);
}

static int try_begin(struct outcomes *o, const char *id, uint64_t now_ms, struct outcome **ret)
{
	struct outcome_key key = key_of(o, id, "x", "1");

	return outcomes_add(o, &key, o, now_ms, ret);
}

static struct outcome *begin(struct outcomes *o, const char *id, uint64_t now_ms)
{
	struct outcome *outcome = NULL;

	assert_int_equal(try_begin(o, id, now_ms, &outcome), 0);
	return outcome;
}

static void end(struct outcomes *o, struct outcome *outcome, enum chapi_ran ran, const char *answer,
		uint64_t now_ms)
{
	outcomes_end(o, outcome, &(struct outcome_end){
		.ran = ran,
		.answer = span_str(answer),
		.channel = span_str(CHANNEL),
		.at_ms = now_ms,
		.until_ms = UINT64_MAX,
	});
}

static void run(struct outcomes *o, const char *id, const char *answer, uint64_t now_ms)
{
	end(o, begin(o, id, now_ms), CHAPI_RAN_YES, answer, now_ms);
}

static void test_unknown_id_is_the_repeat_of_none(void **state UNUSED)
{
	struct outcomes *o = make(10, 1000);
	struct outcome *outcome;

	assert_int_equal(look_for(o, "a", "1", START, &outcome), REPEAT_OF_NONE);
	assert_null(outcome);
	assert_int_equal(outcomes_count(o), 0);
	outcomes_free(o);
}

static void test_repeat_while_the_first_runs_joins_it(void **state UNUSED)
{
	struct outcomes *o = make(10, 1000);

	begin(o, "a", START);
	assert_int_equal(look(o, "a", START), REPEAT_OF_RUNNING);
	assert_int_equal(look(o, "a", START + 10 * KEEP), REPEAT_OF_RUNNING);
	assert_int_equal(look(o, "b", START), REPEAT_OF_NONE);
	outcomes_free(o);
}

static void test_repeat_afterwards_gets_the_answer_and_where_it_went(void **state UNUSED)
{
	struct outcomes *o = make(10, 1000);
	struct outcome *outcome;

	run(o, "a", "{}", START);
	assert_int_equal(look_for(o, "a", "1", START + 1, &outcome), REPEAT_OF_ENDED);
	assert_true(span_is(outcome_answer(outcome), "{}"));
	assert_true(span_is(outcome_channel(outcome), CHANNEL));
	outcomes_free(o);
}

static void test_answer_is_repeated_once_a_second(void **state UNUSED)
{
	struct outcomes *o = make(10, 1000);

	run(o, "a", "{}", START);
	assert_int_equal(look(o, "a", START), REPEAT_OF_ENDED);
	assert_int_equal(look(o, "a", START), REPEAT_TOO_SOON);
	assert_int_equal(look(o, "a", START + 999), REPEAT_TOO_SOON);
	assert_int_equal(look(o, "a", START + 1000), REPEAT_OF_ENDED);
	assert_int_equal(look(o, "a", START + 1001), REPEAT_TOO_SOON);
	outcomes_free(o);
}

static void test_another_request_under_the_same_id_is_told(void **state UNUSED)
{
	struct outcomes *o = make(10, 1000);
	struct outcome_key other_api = key_of(o, "a", "y", "1");
	struct outcome *first = begin(o, "a", START), *outcome;

	assert_int_equal(look_for(o, "a", "2", START, &outcome), REPEAT_REUSES_RUNNING);
	assert_int_equal(outcomes_look(o, &other_api, START, &outcome), REPEAT_REUSES_RUNNING);
	end(o, first, CHAPI_RAN_YES, "{}", START);
	assert_int_equal(look_for(o, "a", "2", START, &outcome), REPEAT_REUSES_ENDED);
	assert_int_equal(outcomes_look(o, &other_api, START, &outcome), REPEAT_REUSES_ENDED);
	assert_int_equal(look(o, "a", START), REPEAT_OF_ENDED);
	outcomes_free(o);
}

static void test_hash_tells_where_api_ends_and_depends_on_the_seed(void **state UNUSED)
{
	const uint64_t other_seed[4] = { 1, 2, 3, 5 };
	const struct outcomes_limits limits = { 10, KEEP, 1000 };
	struct outcomes *o = make(10, 1000), *other;
	struct outcome_key a = key_of(o, "a", "xy", "z"), b = key_of(o, "a", "x", "yz"), c;

	assert_memory_not_equal(a.digest, b.digest, sizeof(a.digest));
	assert_true(a.digest[0] != a.digest[1]);
	assert_int_equal(outcomes_new(&limits, other_seed, &other), 0);
	c = key_of(other, "a", "xy", "z");
	assert_memory_not_equal(a.digest, c.digest, sizeof(a.digest));
	outcomes_free(o);
	outcomes_free(other);
}

static void test_dropped_one_is_as_if_it_had_not_come(void **state UNUSED)
{
	struct outcomes *o = make(10, 1000);

	outcomes_drop(o, begin(o, "a", START));
	assert_int_equal(look(o, "a", START), REPEAT_OF_NONE);
	assert_int_equal(outcomes_count(o), 0);
	assert_false(outcomes_forgot_since(o, 0));
	outcomes_free(o);
}

static void put(struct outcomes *o, const struct outcome_key *key, uint64_t now_ms,
		uint64_t until_ms)
{
	outcomes_put(o, key, &(struct outcome_end){
		.ran = CHAPI_RAN_NO,
		.answer = span_str("{}"),
		.channel = span_str(CHANNEL),
		.at_ms = now_ms,
		.until_ms = until_ms,
	});
}

static void test_refused_one_is_kept_until_nobody_asks_again(void **state UNUSED)
{
	struct outcomes *o = make(10, 1000);
	struct outcome_key key = key_of(o, "a", "x", "1");
	struct outcome *outcome;

	put(o, &key, START, START + 30);
	assert_int_equal(look_for(o, "a", "1", START + 29, &outcome), REPEAT_OF_ENDED);
	assert_int_equal(outcome_ran(outcome), CHAPI_RAN_NO);
	assert_int_equal(look_for(o, "a", "2", START + 29, &outcome), REPEAT_REUSES_ENDED);
	assert_int_equal(look(o, "a", START + 30), REPEAT_OF_NONE);
	assert_int_equal(outcomes_count(o), 0);
	assert_false(outcomes_forgot_since(o, 0));
	outcomes_free(o);
}

/* Of a request of which not all parts came only the id is known. */
static void test_key_of_the_id_alone_fits_whatever_is_asked(void **state UNUSED)
{
	struct outcomes *o = make(10, 1000);
	const struct outcome_key any = { .id = span_str("a"), .any = true };
	struct outcome *outcome;

	put(o, &any, START, UINT64_MAX);
	assert_int_equal(look(o, "a", START), REPEAT_OF_ENDED);
	run(o, "b", "{}", START);
	assert_int_equal(outcomes_look(o, &(struct outcome_key){ .id = span_str("b"), .any = true },
				       START, &outcome), REPEAT_OF_ENDED);
	assert_int_equal(look(o, "c", START), REPEAT_OF_NONE);
	outcomes_free(o);
}

static void test_one_that_finds_no_place_counts_as_forgotten(void **state UNUSED)
{
	struct outcomes *o = make(1, 1000);
	struct outcome_key key = key_of(o, "b", "x", "1");

	begin(o, "a", START);
	put(o, &key, START + 3, UINT64_MAX);
	assert_int_equal(look(o, "b", START + 3), REPEAT_OF_NONE);
	assert_true(outcomes_forgot_since(o, START + 3));
	assert_false(outcomes_forgot_since(o, START + 4));
	outcomes_free(o);
}

static void test_ended_one_is_forgotten_when_its_time_is_over(void **state UNUSED)
{
	struct outcomes *o = make(10, 1000);
	struct outcome *slow = begin(o, "a", START);

	end(o, slow, CHAPI_RAN_UNKNOWN, "{}", START + KEEP);
	assert_int_equal(look(o, "a", START + 2 * KEEP - 1), REPEAT_OF_ENDED);
	assert_int_equal(look(o, "a", START + 2 * KEEP), REPEAT_OF_NONE);
	assert_int_equal(outcomes_count(o), 0);
	assert_int_equal(outcomes_bytes(o), 0);
	outcomes_free(o);
}

static void test_oldest_answers_go_first_and_leave_whether_they_ran(void **state UNUSED)
{
	struct outcomes *o = make(10, 3 * (strlen(CHANNEL) + 2));
	struct outcome *outcome;

	end(o, begin(o, "a", START), CHAPI_RAN_UNKNOWN, "{}", START);
	run(o, "b", "{}", START + 1);
	run(o, "c", "{}", START + 2);
	run(o, "d", "{}", START + 3);
	assert_int_equal(look_for(o, "a", "1", START + 4, &outcome), REPEAT_OF_LOST);
	assert_int_equal(outcome_ran(outcome), CHAPI_RAN_UNKNOWN);
	assert_int_equal(outcome_answer(outcome).len, 0);
	assert_int_equal(look(o, "b", START + 4), REPEAT_OF_ENDED);
	assert_int_equal(look(o, "d", START + 4), REPEAT_OF_ENDED);
	assert_int_equal(outcomes_count(o), 4);
	outcomes_free(o);
}

static void test_answer_that_has_no_room_pushes_no_other_out(void **state UNUSED)
{
	struct outcomes *o = make(10, 40);
	struct outcome *outcome;

	run(o, "a", "{}", START);
	run(o, "b", "{\"much\":\"too long for a store of 40 bytes\"}", START);
	assert_int_equal(look_for(o, "b", "1", START, &outcome), REPEAT_OF_LOST);
	assert_int_equal(outcome_ran(outcome), CHAPI_RAN_YES);
	assert_int_equal(look(o, "a", START), REPEAT_OF_ENDED);
	outcomes_free(o);
}

static void test_one_without_an_answer_is_lost(void **state UNUSED)
{
	struct outcomes *o = make(10, 1000);

	run(o, "a", "", START);
	assert_int_equal(look(o, "a", START), REPEAT_OF_LOST);
	outcomes_free(o);
}

static void test_full_of_running_ones_takes_no_more(void **state UNUSED)
{
	struct outcomes *o = make(2, 1000);
	struct outcome *a = begin(o, "a", START), *outcome;

	begin(o, "b", START);
	assert_int_equal(try_begin(o, "c", START, &outcome), OUTCOMES_E_FULL);
	assert_int_equal(look(o, "c", START), REPEAT_OF_NONE);
	end(o, a, CHAPI_RAN_YES, "{}", START);
	assert_int_equal(try_begin(o, "c", START, &outcome), 0);
	assert_int_equal(look(o, "a", START), REPEAT_OF_NONE);
	assert_int_equal(look(o, "b", START), REPEAT_OF_RUNNING);
	assert_int_equal(outcomes_count(o), 2);
	outcomes_free(o);
}

static void test_all_places_can_be_used(void **state UNUSED)
{
	struct outcomes *o = make(OUTCOMES_MAX, 1 << 22);
	struct outcome *outcome;
	char id[16];

	for (int i = 0; i < OUTCOMES_MAX; i++) {
		snprintf(id, sizeof(id), "%d", i);
		begin(o, id, START);
	}
	assert_int_equal(outcomes_count(o), 65536);
	assert_int_equal(try_begin(o, "more", START, &outcome), OUTCOMES_E_FULL);
	assert_int_equal(look(o, "0", START), REPEAT_OF_RUNNING);
	outcomes_free(o);
}

/* As many as the gateway keeps: 65,536, and one more. */
static void test_one_beyond_all_places_takes_that_of_the_first_to_have_ended(void **state UNUSED)
{
	struct outcomes *o = make(OUTCOMES_MAX, 4 << 20);
	struct outcome *last[2], *ignored;
	char id[20];

	assert_int_equal(OUTCOMES_MAX, 65536);
	for (unsigned int i = 0; i < OUTCOMES_MAX; i++) {
		snprintf(id, sizeof(id), "i%u", i);
		last[i % 2] = begin(o, id, START);
	}
	assert_int_equal(try_begin(o, "more", START + 10 * KEEP, &ignored), OUTCOMES_E_FULL);
	assert_int_equal(outcomes_count(o), OUTCOMES_MAX);
	/* The last two of them end, the later one first. */
	end(o, last[1], CHAPI_RAN_YES, "{}", START + 1);
	end(o, last[0], CHAPI_RAN_YES, "{}", START + 2);
	begin(o, "more", START + 3);
	assert_int_equal(look(o, "i65535", START + 3), REPEAT_OF_NONE);
	assert_true(outcomes_forgot_since(o, START + 1));
	assert_false(outcomes_forgot_since(o, START + 2));
	assert_int_equal(look(o, "i65534", START + 3), REPEAT_OF_ENDED);
	assert_int_equal(look(o, "i0", START + 3), REPEAT_OF_RUNNING);
	assert_int_equal(look(o, "more", START + 3), REPEAT_OF_RUNNING);
	begin(o, "and more", START + 4);
	assert_int_equal(try_begin(o, "too many", START + 4, &ignored), OUTCOMES_E_FULL);
	assert_int_equal(outcomes_count(o), OUTCOMES_MAX);
	outcomes_free(o);
}

static void test_answer_can_be_amended(void **state UNUSED)
{
	struct outcomes *o = make(10, 1000);
	struct outcome *outcome;

	run(o, "a", "{\"result\":1}", START);
	outcomes_amend(o, span_str("a"), span_str(CHANNEL), span_str("{}"));
	outcomes_amend(o, span_str("nobody"), span_str(CHANNEL), span_str("{}"));
	assert_int_equal(outcomes_bytes(o), strlen(CHANNEL) + 2);
	assert_int_equal(look_for(o, "a", "1", START, &outcome), REPEAT_OF_ENDED);
	assert_true(span_is(outcome_answer(outcome), "{}"));
	assert_true(span_is(outcome_channel(outcome), CHANNEL));
	outcomes_free(o);
}

static void test_who_runs_is_found_by_its_id(void **state UNUSED)
{
	struct outcomes *o = make(10, 1000);
	struct outcome *outcome = begin(o, "a", START);

	assert_ptr_equal(outcomes_running(o, span_str("a")), o);
	assert_null(outcomes_running(o, span_str("b")));
	end(o, outcome, CHAPI_RAN_YES, "{}", START);
	assert_null(outcomes_running(o, span_str("a")));
	outcomes_free(o);
}

static void test_smaller_limits_hold_at_once(void **state UNUSED)
{
	const struct outcomes_limits no_answers = { .n_max = 10, .keep_ms = KEEP };
	const struct outcomes_limits no_time = { .n_max = 10, .bytes_max = 1000 };
	struct outcomes *o = make(10, 1000);

	run(o, "a", "{}", START);
	begin(o, "b", START);
	outcomes_set_limits(o, &no_answers, START);
	assert_int_equal(look(o, "a", START), REPEAT_OF_LOST);
	assert_int_equal(outcomes_bytes(o), 0);
	outcomes_set_limits(o, &no_time, START);
	assert_int_equal(look(o, "a", START), REPEAT_OF_NONE);
	assert_int_equal(look(o, "b", START), REPEAT_OF_RUNNING);
	run(o, "c", "{}", START);
	assert_int_equal(outcomes_count(o), 1);
	outcomes_free(o);
}

static void test_what_is_forgotten_is_remembered_by_its_end_only(void **state UNUSED)
{
	struct outcomes *o = make(2, 1000);

	assert_false(outcomes_forgot_since(o, 0));
	run(o, "b", "{}", START);
	run(o, "c", "{}", START + 5);
	assert_false(outcomes_forgot_since(o, 0));
	run(o, "d", "{}", START + 9);		/* in place of the oldest */
	assert_true(outcomes_forgot_since(o, START));
	assert_false(outcomes_forgot_since(o, START + 1));
	assert_int_equal(look(o, "c", START + KEEP + 5), REPEAT_OF_NONE);
	assert_true(outcomes_forgot_since(o, START + 5));
	assert_false(outcomes_forgot_since(o, START + 6));
	outcomes_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_id_is_the_repeat_of_none),
		cmocka_unit_test(test_repeat_while_the_first_runs_joins_it),
		cmocka_unit_test(test_repeat_afterwards_gets_the_answer_and_where_it_went),
		cmocka_unit_test(test_answer_is_repeated_once_a_second),
		cmocka_unit_test(test_another_request_under_the_same_id_is_told),
		cmocka_unit_test(test_hash_tells_where_api_ends_and_depends_on_the_seed),
		cmocka_unit_test(test_dropped_one_is_as_if_it_had_not_come),
		cmocka_unit_test(test_refused_one_is_kept_until_nobody_asks_again),
		cmocka_unit_test(test_key_of_the_id_alone_fits_whatever_is_asked),
		cmocka_unit_test(test_one_that_finds_no_place_counts_as_forgotten),
		cmocka_unit_test(test_ended_one_is_forgotten_when_its_time_is_over),
		cmocka_unit_test(test_oldest_answers_go_first_and_leave_whether_they_ran),
		cmocka_unit_test(test_answer_that_has_no_room_pushes_no_other_out),
		cmocka_unit_test(test_one_without_an_answer_is_lost),
		cmocka_unit_test(test_full_of_running_ones_takes_no_more),
		cmocka_unit_test(test_all_places_can_be_used),
		cmocka_unit_test(test_one_beyond_all_places_takes_that_of_the_first_to_have_ended),
		cmocka_unit_test(test_answer_can_be_amended),
		cmocka_unit_test(test_who_runs_is_found_by_its_id),
		cmocka_unit_test(test_smaller_limits_hold_at_once),
		cmocka_unit_test(test_what_is_forgotten_is_remembered_by_its_end_only),
	};

	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
