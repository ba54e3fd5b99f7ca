/* SPDX-License-Identifier: MIT */
/*
 * The router: names that are paused and drained, calls that wait in their queues.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "libchapi-ipc/value.h"
#include "tests/unit/router_edges.h"

/* ---- pause, resume, drain ------------------------------------------------------------- */

static void test_pause_by_a_provider_refuses_new_calls(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	gets(alice, "pause", "[\"door\"]");
	fails(bob, "call", "[\"door\",1]", "paused");
	assert_has(bob->message, "is paused");
	assert_has(described("door"), "\"state\":\"paused\"");
	heard_nothing(alice);
	gets(alice, "resume", "[\"door\"]");
	ask(bob, "call", "[\"door\",2]");
	heard(alice, "call 1 door 2");
}

static void test_pause_by_a_sharer_is_its_own_part_only(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\"}]");
	gets(alice, "pause", "[\"door\"]");
	ask(dave, "call", "[\"door\",1]");
	ask(dave, "call", "[\"door\",2]");
	heard(bob, "call 1 door 1; call 2 door 2");
	heard_nothing(alice);
	gets(bob, "pause", "[\"door\"]");
	fails(carol, "call", "[\"door\",3]", "paused");
}

static void test_pause_lets_a_standby_carry_on(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	gets(alice, "pause", "[\"door\"]");
	heard(bob, "granted door");
	gets(alice, "resume", "[\"door\"]");
	ask(dave, "call", "[\"door\",1]");
	heard(bob, "call 1 door 1");
	leave(bob);
	heard(alice, "granted door");
}

static void test_pause_lets_queued_calls_wait(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	heard(alice, "call 1 door 1");
	gets(alice, "pause", "[\"door\"]");
	answer(alice, 1, "0");
	heard_nothing(alice);
	heard(bob, "ok 1 0");
	ask(alice, "resume", "[\"door\"]");
	heard(alice, "ok 3 null; call 2 door 2");
}

static void test_pause_by_an_administrator_is_the_whole_name(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	holds(carol, "[\"door\",{\"policy\":\"standby\"}]");
	fails(dave, "pause", "[\"door\"]", "permission_denied");
	gets(root, "pause", "[\"door\"]");
	heard_nothing(carol);
	fails(dave, "call", "[\"door\",1]", "paused");
	fails(dave, "resume", "[\"door\"]", "permission_denied");
	gets(alice, "resume", "[\"door\"]");	/* its own part, which was not paused */
	fails(dave, "call", "[\"door\",1]", "paused");
	gets(root, "resume", "[\"door\"]");
	ask(dave, "call", "[\"door\",2]");
	heard(alice, "call 1 door 2");
	fails(root, "pause", "[\"gate\"]", "api_not_found");
}

static void test_pause_by_an_administrator_holds_the_queue(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	gets(root, "pause", "[\"door\"]");
	answer(alice, 1, "0");
	heard(alice, "call 1 door 1");
	gets(root, "resume", "[\"door\"]");
	heard(alice, "call 2 door 2");
	heard(bob, "ok 1 0");
}

static void test_drain_ends_when_the_queue_has_run(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	heard(alice, "call 1 door 1");
	ask(alice, "drain", "[\"door\"]");
	heard_nothing(alice);
	fails(carol, "call", "[\"door\",3]", "paused");
	assert_has(carol->message, "being drained");
	assert_has(described("door"), "\"state\":\"draining\"");
	answer(alice, 1, "0");
	heard(alice, "call 2 door 2");
	answer(alice, 2, "0");
	heard(alice, "ok 2 null");
	heard(bob, "ok 1 0; ok 2 0");
	fails(carol, "call", "[\"door\",3]", "paused");
	gets(alice, "resume", "[\"door\"]");
	ask(carol, "call", "[\"door\",4]");
	heard(alice, "call 3 door 4");
}

static void test_drain_of_nothing_is_done_at_once(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	gets(alice, "drain", "[\"door\"]");
	gets(alice, "drain", "[\"door\",{\"timeout_ms\":10}]");
	gets(root, "drain", "[\"door\"]");
	fails(alice, "drain", "[\"door\",{\"timeout_ms\":0}]", "invalid_argument");
}

static void test_drain_of_a_holder_hands_the_name_over(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	ask(dave, "call", "[\"door\",1]");
	ask(dave, "call", "[\"door\",2]");
	heard(alice, "call 1 door 1");
	ask(alice, "drain", "[\"door\"]");
	heard(bob, "granted door; call 1 door 2");
	heard_nothing(alice);
	answer(alice, 1, "0");
	heard(alice, "ok 2 null");
	heard(dave, "ok 1 0");
}

static void test_drain_of_a_sharer_leaves_the_queue_to_others(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	holds(bob, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	for (int i = 1; i <= 3; i++)
		ask(dave, "call", "[\"door\",0]");
	heard(alice, "call 1 door 0");
	heard(bob, "call 1 door 0");
	ask(alice, "drain", "[\"door\"]");
	answer(alice, 1, "0");
	heard(alice, "ok 2 null");
	answer(bob, 1, "0");
	heard(bob, "call 2 door 0");
	heard(dave, "ok 1 0; ok 2 0");
}

static void test_drain_by_an_administrator_is_the_whole_name(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	holds(bob, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	for (int i = 1; i <= 3; i++)
		ask(dave, "call", "[\"door\",0]");
	ask(root, "drain", "[\"door\"]");
	fails(carol, "call", "[\"door\",1]", "paused");
	answer(bob, 1, "0");
	heard(bob, "call 1 door 0; call 2 door 0");
	answer(bob, 2, "0");
	heard_nothing(root);
	answer(alice, 1, "0");
	heard(root, "ok 1 null");
	heard(alice, "call 1 door 0");
}

/* Whoever paused it and whoever drains it: the calls that wait are run, then the drain is done. */
static void test_drain_by_an_administrator_runs_what_a_provider_paused(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	heard(alice, "call 1 door 1");
	gets(alice, "pause", "[\"door\"]");
	answer(alice, 1, "0");
	heard_nothing(alice);
	ask(root, "drain", "[\"door\"]");
	heard(alice, "call 2 door 2");
	heard_nothing(root);
	answer(alice, 2, "0");
	heard(bob, "ok 1 0; ok 2 0");
	heard(root, "ok 1 null");
	gets(root, "resume", "[\"door\"]");	/* the provider's pause is its own */
	fails(carol, "call", "[\"door\",3]", "paused");
	gets(alice, "resume", "[\"door\"]");
	ask(carol, "call", "[\"door\",4]");
	heard(alice, "call 3 door 4");
}

static void test_drain_by_a_provider_runs_what_an_administrator_paused(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	heard(alice, "call 1 door 1");
	gets(root, "pause", "[\"door\"]");
	answer(alice, 1, "0");
	heard_nothing(alice);
	ask(alice, "drain", "[\"door\"]");
	heard(alice, "call 2 door 2");
	answer(alice, 2, "0");
	heard(alice, "ok 2 null");
	heard(bob, "ok 1 0; ok 2 0");
}

/* Of sharers the one drains under a pause of the whole name: the queue waits for the other. */
static void test_drain_by_a_sharer_leaves_a_paused_queue_to_the_other(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	holds(bob, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	for (int i = 1; i <= 3; i++)
		ask(dave, "call", "[\"door\",0]");
	heard(alice, "call 1 door 0");
	heard(bob, "call 1 door 0");
	gets(root, "pause", "[\"door\"]");
	ask(alice, "drain", "[\"door\"]");
	answer(bob, 1, "0");
	heard_nothing(bob);
	answer(alice, 1, "0");
	heard(alice, "ok 2 null");
	gets(root, "resume", "[\"door\"]");
	heard(bob, "call 2 door 0");
}

static void test_drain_that_times_out_goes_on_draining(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	heard(alice, "call 1 door 1");
	ask(alice, "drain", "[\"door\",{\"timeout_ms\":50}]");
	pass(49);
	heard_nothing(alice);
	pass(1);
	heard_fail(alice, "deadline_exceeded", "no");
	assert_has(alice->message, "within 50 ms");
	fails(carol, "call", "[\"door\",2]", "paused");
	answer(alice, 1, "0");
	fails(carol, "call", "[\"door\",2]", "paused");
	gets(alice, "resume", "[\"door\"]");
	ask(carol, "call", "[\"door\",3]");
	heard(alice, "call 2 door 3");
}

static void test_drain_that_is_cancelled_goes_on_draining(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	buf_clear(&alice->said);
	ask(alice, "drain", "[\"door\"]");
	say(alice, "[2,\"cancel\",[%u]]", alice->token);
	heard_fail(alice, "cancelled", "no");
	assert_has(alice->message, "resume");
	fails(carol, "call", "[\"door\",2]", "paused");
	answer(alice, 1, "0");
	heard_nothing(alice);
	heard(bob, "ok 1 0");
}

/* Who waits, waits for the calls that run, whatever becomes of the state: a name, and a holder. */
static void test_drain_that_is_resumed_still_ends_with_its_calls(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	buf_clear(&alice->said);
	ask(alice, "drain", "[\"door\"]");
	ask(root, "drain", "[\"door\"]");
	gets(root, "resume", "[\"door\"]");
	buf_clear(&root->said);
	heard_nothing(alice);
	answer(alice, 1, "0");
	heard(alice, "ok 2 null");
	heard(root, "ok 1 null");
}

static void test_drain_ends_when_its_holder_gives_up(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	ask(alice, "drain", "[\"door\"]");
	ask(root, "drain", "[\"door\"]");
	holds(carol, "[\"door\",{\"policy\":\"replace\"}]");
	heard(alice, "call 1 door 1; revoked door replaced");
	heard_nothing(root);
	answer(alice, 1, "1");
	heard(alice, "ok 2 null");
	heard(root, "ok 1 null");
}

static void test_drain_ends_with_the_last_queued_call(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	alice->refuses = PARTY_E_FULL;
	ask(bob, "call", "[\"door\",1]");
	ask(alice, "drain", "[\"door\"]");
	heard_nothing(alice);
	cancel(bob, 1);
	heard(bob, "fail 1 cancelled no");
	heard(alice, "ok 2 null");
}

static void test_drain_counts_abandoned_calls(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	cancel(bob, ask(bob, "call", "[\"door\",1]"));
	heard(alice, "call 1 door 1; cancel 1");
	ask(alice, "drain", "[\"door\"]");
	heard_nothing(alice);
	answer(alice, 1, "0");
	heard(alice, "ok 2 null");
}

/* ---- concurrency and queue ------------------------------------------------------------ */

static void test_queue_is_first_come_first_served(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":2,\"queue\":2}]");
	for (int i = 1; i <= 4; i++)
		say(bob, "[0,%d,\"call\",[\"door\",%d]]", i, i);
	heard(alice, "call 1 door 1; call 2 door 2");
	answer(alice, 2, "0");
	heard(alice, "call 3 door 3");
	say(carol, "[0,1,\"call\",[\"door\",5]]");
	answer(alice, 1, "0");
	heard(alice, "call 4 door 4");
	answer(alice, 3, "0");
	heard(alice, "call 5 door 5");
	heard(bob, "ok 2 0; ok 1 0; ok 3 0");
	assert_has(described("door"), "\"calls\":3,\"failed\":0,\"running\":2,\"queued\":0");
}

/* As an edge that has read several messages: what the first of them does, the others meet. */
static void expects(struct edge *e, const char *const *texts, size_t n)
{
	struct message messages[ROUTER_EXPECT_MAX];
	struct buf bufs[ROUTER_EXPECT_MAX] = { 0 };
	struct value_fault fault;
	size_t used;

	assert_true(n <= ROUTER_EXPECT_MAX);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(value_from_json(span_str(texts[i]), MP_MESSAGE_DEPTH_MAX, &bufs[i],
						 &fault), 0);
		assert_int_equal(message_read_usual(buf_span(&bufs[i]), 4096, &messages[i], &used),
				 0);
	}
	router_expect(world.router, &e->party, messages, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(router_message(world.router, &e->party, &messages[i], &world.now),
				 0);
		buf_deinit(&bufs[i]);
	}
}

static void test_messages_that_are_expected_are_handled_in_turn(void **state UNUSED)
{
	static const char *const texts[] = {
		"[0,10001,\"call\",[\"function.7\",1]]",
		"[0,10002,\"call\",[\"function.8\",2]]",
		"[0,10003,\"unregister\",[\"function.8\"]]",
		"[0,10004,\"call\",[\"function.8\",4]]",
		"[0,10005,\"pause\",[\"function.7\"]]",
		"[0,10006,\"call\",[\"function.7\",6]]",
		"[0,10007,\"call\",[7]]",
		"[1,4294967295,null,0]",
	};
	char params[40];

	for (unsigned int i = 0; i < 1000; i++) {	/* so many that it is worth while */
		snprintf(params, sizeof(params), "[\"function.%u\"]", i);
		holds(alice, params);
	}
	expects(alice, texts, ARRAY_SIZE(texts));
	heard(alice, "call 1 function.7 1; call 2 function.8 2; ok 10003 null; "
		     "fail 10004 api_not_found no; ok 10005 null; "
		     "fail 10006 paused no; fail 10007 invalid_argument no");
}

static void test_queue_that_is_full_is_busy_and_says_when_to_come(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1,\"queue\":1}]");
	ask(bob, "call", "[\"door\",1]");
	pass(700);
	answer(alice, 1, "0");
	heard(bob, "ok 1 0");
	ask(bob, "call", "[\"door\",2]");
	ask(bob, "call", "[\"door\",3]");
	heard_nothing(bob);
	fails(bob, "call", "[\"door\",4]", "busy");
	assert_string_equal(text_of(&bob->value), "{\"retry_after_ms\":700}");
	heard(alice, "call 1 door 1; call 2 door 2");
	answer(alice, 2, "0");
	heard(alice, "call 3 door 3");
}

static void test_queue_of_none_is_busy_at_once(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1,\"queue\":0}]");
	ask(bob, "call", "[\"door\",1]");
	fails(carol, "call", "[\"door\",2]", "busy");
	assert_string_equal(text_of(&carol->value), "{\"retry_after_ms\":1000}");
}

static void test_provider_that_does_not_read_gets_its_calls_later(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"queue\":2}]");
	holds(bob, "[\"gate\"]");
	alice->refuses = PARTY_E_FULL;
	ask(carol, "call", "[\"door\",1]");
	ask(carol, "call", "[\"door\",2]");
	fails(dave, "call", "[\"door\",3]", "busy");
	ask(dave, "call", "[\"gate\",4]");
	heard(bob, "call 1 gate 4");
	alice->refuses = 0;
	answer(bob, 1, "0");
	heard_nothing(alice);
	router_writable(world.router, &alice->party, &world.now);
	heard(alice, "call 1 door 1; call 2 door 2");
}

static void test_provider_that_does_not_read_leaves_calls_to_sharers(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\"}]");
	alice->refuses = PARTY_E_FULL;
	ask(carol, "call", "[\"door\",1]");
	ask(carol, "call", "[\"door\",2]");
	heard(bob, "call 1 door 1; call 2 door 2");
	heard_nothing(alice);
}

static void test_abandoned_call_keeps_its_place(void **state UNUSED)
{
	holds(alice, "[\"motor\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"motor\",1,{\"timeout_ms\":100}]");
	ask(carol, "call", "[\"motor\",2]");
	heard(alice, "call 1 motor 1");
	pass(100);
	heard(bob, "fail 1 deadline_exceeded unknown");
	heard(alice, "cancel 1");
	leave(bob);
	pass(1000);
	heard_nothing(alice);			/* never started twice */
	assert_has(described("motor"), "\"running\":1,\"queued\":1");
	answer(alice, 1, "0");
	heard(alice, "call 2 motor 2");
	answer(alice, 2, "0");
	heard(carol, "ok 1 0");
}

static void test_abandoned_call_is_over_when_its_provider_leaves(void **state UNUSED)
{
	holds(alice, "[\"motor\",{\"policy\":\"share\",\"concurrency\":1}]");
	cancel(bob, ask(bob, "call", "[\"motor\",1]"));
	heard(bob, "fail 1 cancelled unknown");
	assert_has(gets(root, "status", "[]"),
		   "\"calls\":{\"running\":0,\"queued\":0,\"abandoned\":1}");
	leave(alice);
	heard_nothing(bob);
	assert_has(gets(root, "status", "[]"),
		   "\"calls\":{\"running\":0,\"queued\":0,\"abandoned\":0}");
}

static void test_abandoned_calls_beyond_the_limit_make_an_offender(void **state UNUSED)
{
	holds(alice, "[\"motor\"]");
	for (int i = 0; i < 1024; i++)
		cancel(bob, ask(bob, "call", "[\"motor\"]"));
	assert_null(router_next_offender(world.router));
	answer(alice, 1, "0");
	cancel(bob, ask(bob, "call", "[\"motor\"]"));
	assert_null(router_next_offender(world.router));
	cancel(bob, ask(bob, "call", "[\"motor\"]"));
	assert_ptr_equal(router_next_offender(world.router), &alice->party);
	assert_null(router_next_offender(world.router));
}

static void test_abandoned_calls_beyond_a_limit_that_was_lowered(void **state UNUSED)
{
	struct router_limits l = limits();

	holds(alice, "[\"motor\"]");
	for (int i = 0; i < 5; i++)
		cancel(bob, ask(bob, "call", "[\"motor\"]"));
	l.abandoned_per_peer = 2;
	set_limits(l);
	assert_null(router_next_offender(world.router));
	cancel(bob, ask(bob, "call", "[\"motor\"]"));
	assert_ptr_equal(router_next_offender(world.router), &alice->party);
	assert_null(router_next_offender(world.router));
}

static void test_offender_that_leaves_by_itself_is_none(void **state UNUSED)
{
	struct router_limits l = limits();

	l.abandoned_per_peer = 0;
	set_limits(l);
	holds(alice, "[\"motor\"]");
	cancel(bob, ask(bob, "call", "[\"motor\"]"));
	leave(alice);
	assert_null(router_next_offender(world.router));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EDGES_TEST(test_pause_by_a_provider_refuses_new_calls),
		EDGES_TEST(test_pause_by_a_sharer_is_its_own_part_only),
		EDGES_TEST(test_pause_lets_a_standby_carry_on),
		EDGES_TEST(test_pause_lets_queued_calls_wait),
		EDGES_TEST(test_pause_by_an_administrator_is_the_whole_name),
		EDGES_TEST(test_pause_by_an_administrator_holds_the_queue),
		EDGES_TEST(test_drain_ends_when_the_queue_has_run),
		EDGES_TEST(test_drain_of_nothing_is_done_at_once),
		EDGES_TEST(test_drain_of_a_holder_hands_the_name_over),
		EDGES_TEST(test_drain_of_a_sharer_leaves_the_queue_to_others),
		EDGES_TEST(test_drain_by_an_administrator_is_the_whole_name),
		EDGES_TEST(test_drain_by_an_administrator_runs_what_a_provider_paused),
		EDGES_TEST(test_drain_by_a_provider_runs_what_an_administrator_paused),
		EDGES_TEST(test_drain_by_a_sharer_leaves_a_paused_queue_to_the_other),
		EDGES_TEST(test_drain_that_times_out_goes_on_draining),
		EDGES_TEST(test_drain_that_is_cancelled_goes_on_draining),
		EDGES_TEST(test_drain_that_is_resumed_still_ends_with_its_calls),
		EDGES_TEST(test_drain_ends_when_its_holder_gives_up),
		EDGES_TEST(test_drain_ends_with_the_last_queued_call),
		EDGES_TEST(test_drain_counts_abandoned_calls),
		EDGES_TEST(test_queue_is_first_come_first_served),
		EDGES_TEST(test_messages_that_are_expected_are_handled_in_turn),
		EDGES_TEST(test_queue_that_is_full_is_busy_and_says_when_to_come),
		EDGES_TEST(test_queue_of_none_is_busy_at_once),
		EDGES_TEST(test_provider_that_does_not_read_gets_its_calls_later),
		EDGES_TEST(test_provider_that_does_not_read_leaves_calls_to_sharers),
		EDGES_TEST(test_abandoned_call_keeps_its_place),
		EDGES_TEST(test_abandoned_call_is_over_when_its_provider_leaves),
		EDGES_TEST(test_abandoned_calls_beyond_the_limit_make_an_offender),
		EDGES_TEST(test_abandoned_calls_beyond_a_limit_that_was_lowered),
		EDGES_TEST(test_offender_that_leaves_by_itself_is_none),
	};

	return cmocka_run_group_tests_name("router-steering", tests, NULL, NULL);
}
