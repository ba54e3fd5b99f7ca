/* SPDX-License-Identifier: MIT */
/*
 * Calls in flight: found from both sides, counted by everybody, and never taken for another.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "gateway/calls.h"

#define N_MANY 20000

struct fixture {
	struct calls *calls;
	struct registry *registry;
	struct party caller, other, provider;
	struct holder *holder;
	struct api *api;
};

static const uint64_t seed[2] = { 1, 2 };

static void party_init(struct party *party)
{
	list_init(&party->registrations);
	list_init(&party->calls_made);
	list_init(&party->calls_handled);
}

static int setup(void **state)
{
	const struct api_options options = { .queue = 64 };
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	party_init(&f->caller);
	party_init(&f->other);
	party_init(&f->provider);
	assert_int_equal(calls_new(seed, &f->calls), 0);
	assert_int_equal(registry_new(seed, &f->registry), 0);
	assert_int_equal(registry_add(f->registry, span_str("door"), &f->provider, &options, false,
				      &f->holder), 0);
	f->api = f->holder->api;
	*state = f;
	return 0;
}

static void end(struct fixture *f, struct call *call)
{
	calls_take(f->calls, call);
	calls_put(f->calls, call);
}

static void assert_nobody_has_any(const struct fixture *f)
{
	assert_int_equal(calls_count(f->calls), 0);
	assert_int_equal(calls_count_queued(f->calls), 0);
	assert_int_equal(calls_count_abandoned(f->calls), 0);
	assert_int_equal(f->caller.n_calls_made, 0);
	assert_int_equal(f->caller.n_awaited, 0);
	assert_int_equal(f->provider.n_calls_handled, 0);
	assert_int_equal(f->provider.n_abandoned, 0);
	assert_true(list_empty(&f->caller.calls_made));
	assert_true(list_empty(&f->provider.calls_handled));
	assert_int_equal(f->holder->n_running, 0);
	assert_int_equal(f->holder->n_refs, 1);
	assert_int_equal(f->api->n_running, 0);
	assert_int_equal(f->api->n_queued, 0);
	assert_int_equal(f->api->n_refs, 1);
}

/* What is still there is ended: then nothing may be counted anywhere. */
static int teardown(void **state)
{
	struct fixture *f = *state;
	struct call *call;
	uint32_t at = 0;

	while ((call = calls_each(f->calls, &at)))
		end(f, call);
	assert_nobody_has_any(f);
	registry_remove(f->registry, f->holder);
	registry_free(f->registry);
	calls_free(f->calls);
	free(f);
	return 0;
}

static struct call *add(struct fixture *f, struct party *caller, uint64_t token)
{
	struct call *call;

	assert_int_equal(calls_add(f->calls, caller, token, f->api, false, &call), 0);
	return call;
}

static struct call *add_handed(struct fixture *f, uint64_t token)
{
	struct call *call = add(f, &f->caller, token);

	calls_hand(f->calls, call, f->holder);
	return call;
}

/* ---- the life of a call --------------------------------------------------------------- */

static void test_call_is_found_by_its_caller_only(void **state)
{
	struct fixture *f = *state;
	struct call *a = add(f, &f->caller, 7), *b = add(f, &f->other, 7);

	assert_ptr_equal(calls_find(f->calls, &f->caller, 7), a);
	assert_ptr_equal(calls_find(f->calls, &f->other, 7), b);
	assert_null(calls_find(f->calls, &f->caller, 8));
	assert_null(calls_find(f->calls, &f->provider, 7));
	end(f, a);
	assert_null(calls_find(f->calls, &f->caller, 7));
	assert_ptr_equal(calls_find(f->calls, &f->other, 7), b);
}

static void test_call_is_found_by_its_provider_when_it_is_handed_over(void **state)
{
	struct fixture *f = *state;
	struct call *call = add(f, &f->caller, 7);
	uint32_t id = call->id;

	assert_null(calls_get(f->calls, &f->provider, id));
	assert_int_equal(calls_count_queued(f->calls), 1);
	calls_hand(f->calls, call, f->holder);
	assert_ptr_equal(calls_get(f->calls, &f->provider, id), call);
	assert_null(calls_get(f->calls, &f->other, id));
	assert_null(calls_get(f->calls, &f->provider, id + 1));
	assert_null(calls_get(f->calls, &f->provider, UINT32_MAX));
	assert_int_equal(calls_count_queued(f->calls), 0);
	assert_int_equal(f->provider.n_calls_handled, 1);
	assert_int_equal(f->holder->n_running, 1);
	assert_int_equal(f->api->n_running, 1);
	end(f, call);
	assert_null(calls_get(f->calls, &f->provider, id));
}

static void test_call_that_is_handed_back_is_as_before(void **state)
{
	struct fixture *f = *state;
	struct call *call = add_handed(f, 7);

	calls_hand_back(f->calls, call);
	assert_int_equal(call->state, CALL_QUEUED);
	assert_null(calls_get(f->calls, &f->provider, call->id));
	assert_ptr_equal(calls_find(f->calls, &f->caller, 7), call);
	assert_int_equal(calls_count_queued(f->calls), 1);
	assert_int_equal(f->holder->n_running, 0);
	calls_hand(f->calls, call, f->holder);
	assert_int_equal(call->state, CALL_RUNNING);
}

static void test_queue_keeps_copies_in_order(void **state)
{
	struct fixture *f = *state;
	struct call *a = add(f, &f->caller, 1), *b = add(f, &f->caller, 2);
	char params[] = "\xa1x", text[] = "uid:1";

	assert_int_equal(calls_enqueue(a, span_str(params), span_str(text)), 0);
	assert_int_equal(calls_enqueue(b, span_str(params), span_of(NULL, 0)), 0);
	memset(params, '!', sizeof(params));
	memset(text, '!', sizeof(text));
	assert_true(span_is(a->params, "\xa1x"));
	assert_true(span_is(a->caller_text, "uid:1"));
	assert_int_equal(b->caller_text.len, 0);
	assert_ptr_equal(list_first(&f->api->queue, struct call, waiting), a);
	assert_int_equal(f->api->n_queued, 2);
	calls_dequeue(a);
	calls_dequeue(a);				/* may be called twice */
	assert_int_equal(f->api->n_queued, 1);
	assert_true(span_is(a->params, "\xa1x"));
	end(f, b);
	assert_int_equal(f->api->n_queued, 0);
}

static void test_abandoned_call_is_found_by_its_provider_only(void **state)
{
	struct fixture *f = *state;
	struct call *call = add_handed(f, 7);

	calls_abandon(f->calls, call);
	assert_null(calls_find(f->calls, &f->caller, 7));
	assert_ptr_equal(calls_get(f->calls, &f->provider, call->id), call);
	assert_int_equal(calls_count(f->calls), 0);
	assert_int_equal(calls_count_abandoned(f->calls), 1);
	assert_int_equal(f->caller.n_calls_made, 0);
	assert_int_equal(f->caller.n_awaited, 0);
	assert_int_equal(f->provider.n_abandoned, 1);
	assert_int_equal(f->holder->n_running, 1);	/* it keeps its place */
	assert_int_equal(f->api->n_running, 1);
	assert_ptr_not_equal(add(f, &f->caller, 7), call);
}

static void test_oneway_call_is_awaited_by_nobody(void **state)
{
	struct fixture *f = *state;
	struct call *call;

	assert_int_equal(calls_add(f->calls, &f->caller, 7, f->api, true, &call), 0);
	assert_null(calls_find(f->calls, &f->caller, 7));
	assert_int_equal(f->caller.n_awaited, 0);
	assert_int_equal(f->caller.n_calls_made, 1);
	calls_hand(f->calls, call, f->holder);
	calls_orphan(call);
	assert_null(call->payer);
	assert_int_equal(f->caller.n_calls_made, 0);
	assert_ptr_equal(calls_get(f->calls, &f->provider, call->id), call);
}

static void test_holder_that_left_stays_until_its_calls_end(void **state)
{
	const struct api_options options = { .queue = 1 };
	struct fixture *f = *state;
	struct holder *holder;
	struct call *call;

	assert_int_equal(registry_add(f->registry, span_str("gate"), &f->other, &options, false,
				      &holder), 0);
	assert_int_equal(calls_add(f->calls, &f->caller, 1, holder->api, false, &call), 0);
	calls_hand(f->calls, call, holder);
	registry_remove(f->registry, holder);
	assert_ptr_equal(calls_get(f->calls, &f->other, call->id), call);
	assert_string_equal(call->api->name, "gate");
	assert_null(call->holder->party);
	end(f, call);
}

static void test_each_goes_through_all(void **state)
{
	struct fixture *f = *state;
	unsigned int n = 0;
	uint32_t at = 0;

	for (uint64_t i = 0; i < 200; i++)
		add_handed(f, i);
	for (uint64_t i = 0; i < 200; i += 2)
		end(f, calls_find(f->calls, &f->caller, i));
	calls_abandon(f->calls, calls_find(f->calls, &f->caller, 1));
	while (calls_each(f->calls, &at))
		n++;
	assert_int_equal(n, 100);
}

/* ---- numbers -------------------------------------------------------------------------- */

static void test_number_is_not_used_again_at_once(void **state)
{
	struct fixture *f = *state;
	struct call *call = add_handed(f, 0);
	uint32_t old = call->id;

	end(f, call);
	for (uint64_t i = 1; i < 5000; i++) {
		call = add_handed(f, i);
		assert_int_not_equal(call->id, old);
		assert_null(calls_get(f->calls, &f->provider, old));
		end(f, call);
	}
}

/* Nor when the memory of its entry was given back in between. */
static void test_number_is_not_used_again_after_a_trim(void **state)
{
	struct fixture *f = *state;
	uint32_t old[200];

	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < 200; i++) {
			struct call *call = add_handed(f, i);

			for (int k = 0; round > 0 && k < 200; k++)
				assert_int_not_equal(call->id, old[k]);
		}
		for (uint64_t i = 0; i < 200; i++) {
			old[i] = calls_find(f->calls, &f->caller, i)->id;
			end(f, calls_find(f->calls, &f->caller, i));
		}
		calls_trim(f->calls);
		for (int k = 0; k < 200; k++)
			assert_null(calls_get(f->calls, &f->provider, old[k]));
	}
}

static void test_numbers_in_flight_are_all_different(void **state)
{
	struct fixture *f = *state;
	uint8_t *seen = calloc(1, 1 << 18);

	assert_non_null(seen);
	for (uint64_t i = 0; i < N_MANY; i++) {
		uint32_t id = add_handed(f, i)->id;

		assert_true(id < 1 << 18);
		assert_false(seen[id]);
		seen[id] = 1;
	}
	free(seen);
}

/* All numbers are in use: refused, not wrapped; one that comes free can be had again. */
static void test_numbers_end(void **state)
{
	struct fixture *f = *state;
	struct call *call;
	uint64_t n = 0;
	int rc;

	while ((rc = calls_add(f->calls, &f->caller, n, f->api, false, &call)) == 0)
		n++;
	assert_int_equal(rc, CALLS_E_FULL);
	assert_int_equal(n, 1 << 18);
	end(f, calls_find(f->calls, &f->caller, 12345));
	add(f, &f->caller, 12345);
}

/* ---- cost ----------------------------------------------------------------------------- */

static void test_each_of_many_is_found(void **state)
{
	struct fixture *f = *state;
	uint32_t at = 0;
	struct call *call;

	for (uint64_t i = 0; i < N_MANY; i++)
		add_handed(f, i);
	while ((call = calls_each(f->calls, &at)))
		assert_ptr_equal(calls_find(f->calls, &f->caller, call->token), call);
	for (uint64_t i = 0; i < N_MANY; i += 2)
		end(f, calls_find(f->calls, &f->caller, i));
	for (uint64_t i = 0; i < N_MANY; i++)
		assert_true(!calls_find(f->calls, &f->caller, i) == (i % 2 == 0));
}

/* In steady work entries lie close together, however many calls were made. */
static void test_memory_does_not_grow_with_calls_made(void **state)
{
	struct fixture *f = *state;
	const uint32_t place = (1U << 18) - 1;
	uint32_t most = 0;

	for (uint64_t i = 0; i < N_MANY; i++) {
		struct call *call = add_handed(f, i);

		most = MAX(most, call->id & place);
		if (i >= 10)
			end(f, calls_find(f->calls, &f->caller, i - 10));
	}
	assert_true(most < 128);
}

/* Numbers and tokens of any sort: those in use, used before, never there. */
static void test_calls_that_are_expected_stay_as_they_are(void **state)
{
	struct fixture *f = *state;
	struct call *call = add_handed(f, 7), *gone = add_handed(f, 8);
	const uint32_t ids[] = { call->id, gone->id, 0, 77, UINT32_MAX };
	const uint64_t tokens[] = { 7, 8, UINT64_MAX };

	calls_expect(f->calls, ids, ARRAY_SIZE(ids));
	end(f, gone);
	calls_expect(f->calls, ids, ARRAY_SIZE(ids));
	calls_expect_tokens(f->calls, &f->caller, tokens, ARRAY_SIZE(tokens));
	assert_ptr_equal(calls_get(f->calls, &f->provider, ids[0]), call);
	assert_ptr_equal(calls_find(f->calls, &f->caller, 7), call);
	assert_null(calls_get(f->calls, &f->provider, ids[1]));
	assert_null(calls_find(f->calls, &f->caller, 8));
	assert_int_equal(calls_count(f->calls), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_call_is_found_by_its_caller_only),
		TEST(test_call_is_found_by_its_provider_when_it_is_handed_over),
		TEST(test_call_that_is_handed_back_is_as_before),
		TEST(test_queue_keeps_copies_in_order),
		TEST(test_abandoned_call_is_found_by_its_provider_only),
		TEST(test_oneway_call_is_awaited_by_nobody),
		TEST(test_holder_that_left_stays_until_its_calls_end),
		TEST(test_each_goes_through_all),
		TEST(test_number_is_not_used_again_at_once),
		TEST(test_number_is_not_used_again_after_a_trim),
		TEST(test_numbers_in_flight_are_all_different),
		TEST(test_numbers_end),
		TEST(test_each_of_many_is_found),
		TEST(test_calls_that_are_expected_stay_as_they_are),
		TEST(test_memory_does_not_grow_with_calls_made),
	};

	return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
