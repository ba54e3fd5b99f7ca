/* SPDX-License-Identifier: MIT */
/*
 * Proof of life. Time is a number.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/proof.h"

#define NEVER UINT64_MAX
#define START 1000000

/* Every minute, ten seconds each; up, and the first one is sent. */
static struct proof sent_proof(void)
{
	struct proof p;

	proof_init(&p, 60000, 10000, "abc");
	proof_up(&p, START);
	assert_int_equal(proof_tick(&p, START), PROOF_SEND);
	return p;
}

static bool event(struct proof *p, const char *payload, uint64_t now_ms)
{
	return proof_event(p, span_str(payload), now_ms);
}

static void test_without_interval_nothing_is_ever_sent(void **state UNUSED)
{
	struct proof p;

	proof_init(&p, 0, 10000, "abc");
	proof_up(&p, START);
	assert_true(proof_next_ms(&p) == NEVER);
	assert_int_equal(proof_tick(&p, START + 1000000000), PROOF_NOTHING);
}

static void test_while_the_connection_is_not_up_nothing_is_sent(void **state UNUSED)
{
	struct proof p;

	proof_init(&p, 60000, 10000, "abc");
	assert_true(proof_next_ms(&p) == NEVER);
	assert_int_equal(proof_tick(&p, START), PROOF_NOTHING);
}

static void test_first_is_sent_as_soon_as_the_connection_is_up(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf payload = BUF_NULL;
	struct proof p = sent_proof();

	proof_put(&p, &payload);
	assert_int_equal(payload.len, strlen("{\"instance\":\"abc\",\"number\":1}"));
	assert_memory_equal(buf_data(&payload), "{\"instance\":\"abc\",\"number\":1}", payload.len);
	assert_true(event(&p, "{\"instance\":\"abc\",\"number\":1}", START + 7));
}

static void test_next_is_sent_an_interval_after_the_last(void **state UNUSED)
{
	struct proof p = sent_proof();

	proof_published(&p, 1, true, START + 100);
	assert_true(event(&p, "{\"number\":1,\"instance\":\"abc\",\"more\":null}", START + 250));
	assert_int_equal(p.n_seen, 1);
	assert_int_equal(p.seen_ms, START + 250);
	assert_int_equal(p.round_trip_ms, 250);
	assert_true(proof_next_ms(&p) == START + 60000);
	assert_int_equal(proof_tick(&p, START + 59999), PROOF_NOTHING);
	assert_int_equal(proof_tick(&p, START + 60000), PROOF_SEND);
	assert_false(event(&p, "{\"instance\":\"abc\",\"number\":1}", START + 60001));
	assert_true(event(&p, "{\"instance\":\"abc\",\"number\":2}", START + 60001));
}

static void test_event_may_come_before_the_answer_to_its_publication(void **state UNUSED)
{
	struct proof p = sent_proof();

	assert_true(event(&p, "{\"instance\":\"abc\",\"number\":1}", START + 7));
	proof_published(&p, 1, true, START + 8);
	proof_published(&p, 1, false, START + 8);
	assert_true(proof_next_ms(&p) == START + 60000);
	assert_int_equal(p.n_missed, 0);
}

static void test_one_that_does_not_come_back_is_missed(void **state UNUSED)
{
	struct proof p = sent_proof();

	assert_true(proof_next_ms(&p) == NEVER);
	proof_published(&p, 1, true, START + 100);
	assert_true(proof_next_ms(&p) == START + 10100);
	assert_int_equal(proof_tick(&p, START + 10099), PROOF_NOTHING);
	assert_int_equal(proof_tick(&p, START + 10100), PROOF_MISSED);
	assert_int_equal(p.n_missed, 1);
	assert_true(proof_next_ms(&p) == NEVER);
	/* The next connection is asked at once. */
	proof_up(&p, START + 20000);
	assert_int_equal(proof_tick(&p, START + 20000), PROOF_SEND);
	assert_int_equal(p.number, 2);
}

static void test_one_that_could_not_be_published_proves_nothing(void **state UNUSED)
{
	struct proof p = sent_proof();

	proof_published(&p, 1, false, START + 30000);
	assert_int_equal(proof_tick(&p, START + 59999), PROOF_NOTHING);
	assert_int_equal(proof_tick(&p, START + 60000), PROOF_SEND);
	assert_int_equal(p.n_missed, 0);
}

static void test_publication_of_a_former_one_is_not_mistaken(void **state UNUSED)
{
	struct proof p = sent_proof();

	proof_down(&p);
	proof_up(&p, START + 1000);
	assert_int_equal(proof_tick(&p, START + 1000), PROOF_SEND);
	proof_published(&p, 1, true, START + 1100);
	assert_true(proof_next_ms(&p) == NEVER);
	proof_published(&p, 2, true, START + 1200);
	assert_true(proof_next_ms(&p) == START + 11200);
}

static void test_connection_that_ends_meanwhile_ends_the_wait(void **state UNUSED)
{
	struct proof p = sent_proof();

	proof_published(&p, 1, true, START + 100);
	proof_down(&p);
	assert_true(proof_next_ms(&p) == NEVER);
	assert_int_equal(proof_tick(&p, START + 1000000), PROOF_NOTHING);
	assert_false(event(&p, "{\"instance\":\"abc\",\"number\":1}", START + 200));
	assert_int_equal(p.n_missed, 0);
}

static void test_events_of_others_are_no_proof(void **state UNUSED)
{
	static const char *const others[] = {
		"",
		"x",
		"{}",
		"[]",
		"{\"instance\":\"abd\",\"number\":1}",
		"{\"instance\":\"abc\"}",
		"{\"number\":1}",
		"{\"instance\":\"abc\",\"number\":0}",
		"{\"instance\":\"abc\",\"number\":\"1\"}",
		"{\"instance\":5,\"number\":1}",
		"{\"instance\":\"abc\",\"number\":1}}",
	};
	struct proof p = sent_proof();

	proof_published(&p, 1, true, START + 100);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(event(&p, others[i], START + 200));
	assert_int_equal(p.n_seen, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_interval_nothing_is_ever_sent),
		cmocka_unit_test(test_while_the_connection_is_not_up_nothing_is_sent),
		cmocka_unit_test(test_first_is_sent_as_soon_as_the_connection_is_up),
		cmocka_unit_test(test_next_is_sent_an_interval_after_the_last),
		cmocka_unit_test(test_event_may_come_before_the_answer_to_its_publication),
		cmocka_unit_test(test_one_that_does_not_come_back_is_missed),
		cmocka_unit_test(test_one_that_could_not_be_published_proves_nothing),
		cmocka_unit_test(test_publication_of_a_former_one_is_not_mistaken),
		cmocka_unit_test(test_connection_that_ends_meanwhile_ends_the_wait),
		cmocka_unit_test(test_events_of_others_are_no_proof),
	};

	return cmocka_run_group_tests_name("proof", tests, NULL, NULL);
}
