/* SPDX-License-Identifier: MIT */
/*
 * The router: names, who may hold them under which terms, and who waits for them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/router_edges.h"

/* ---- policies ------------------------------------------------------------------------- */

static void test_exclusive_name_is_taken_once(void **state UNUSED)
{
	assert_has(
		holds(alice, "[\"door\"]"),
		"{\"name\":\"door\",\"state\":\"active\","
		"\"policy\":\"exclusive\",\"visibility\":\"remote\",\"concurrency\":0,\"queue\":64,"
		"\"timeout_ms\":30000,\"timeout_max_ms\":600000,\"idempotent\":false");
	fails(bob, "register", "[\"door\"]", "api_exists");
	assert_has(bob->message, "uid:1000");
	fails(alice, "register", "[\"door\"]", "api_exists");
	assert_has(alice->message, "'update'");
	gets(alice, "unregister", "[\"door\"]");
	holds(bob, "[\"door\"]");
}

static void test_register_reads_all_options(void **state UNUSED)
{
	static const char options[] =
		"[\"door\",{\"policy\":\"share\",\"concurrency\":2,\"queue\":3,\"timeout_ms\":4,"
		"\"timeout_max_ms\":5,\"visibility\":\"local\",\"idempotent\":true,"
		"\"summary\":\"s\","
		"\"description\":\"d\",\"version\":\"v\",\"tags\":[\"x\",\"y\"],\"unknown\":1,"
		"\"params\":{\"type\":\"object\"},\"result\":{\"type\":\"null\"}}]";

	assert_has(
		holds(alice, options),
		"{\"name\":\"door\",\"state\":\"active\","
		"\"policy\":\"share\",\"visibility\":\"local\",\"concurrency\":2,\"queue\":3,"
		"\"timeout_ms\":4,\"timeout_max_ms\":5,"
		"\"idempotent\":true,\"summary\":\"s\",\"description\":\"d\",\"version\":\"v\","
		"\"tags\":[\"x\",\"y\"],\"params\":{\"type\":\"object\"},"
		"\"result\":{\"type\":\"null\"}}");
	assert_has(
		described("door"),
		"\"summary\":\"s\",\"state\":\"active\",\"policy\":\"share\","
		"\"visibility\":\"local\",\"providers\":1,\"description\":\"d\",\"version\":\"v\","
		"\"tags\":[\"x\",\"y\"],\"idempotent\":true,\"concurrency\":2,\"queue\":3,"
		"\"timeout_ms\":4,\"timeout_max_ms\":5,\"standbys\":0,"
		"\"params\":{\"type\":\"object\"},\"result\":{\"type\":\"null\"}");
}

static void test_register_refuses_what_makes_no_sense(void **state UNUSED)
{
	static const char *const bad[] = {
		"[7]",
		"[\"\"]",
		"[\".x\"]",
		"[\"a b\"]",
		"[\"a\",{\"policy\":\"own\"}]",
		"[\"a\",{\"concurrency\":-1}]",
		"[\"a\",{\"queue\":\"many\"}]",
		"[\"a\",{\"timeout_ms\":0}]",
		"[\"a\",{\"timeout_ms\":9,\"timeout_max_ms\":8}]",
		"[\"a\",{\"visibility\":\"all\"}]",
		"[\"a\",{\"tags\":\"x\"}]",
		"[\"a\",{\"tags\":[1]}]",
		"[\"a\",{\"params\":{\"type\":\"door\"}}]",
		"[\"a\",{\"params\":{\"$$ref\":\"x\"}}]",
		"[\"a\",{\"result\":7}]",
		"[\"a\",7]",
		"[]",
		"[\"a\",{\"tags\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
		"\"\",\"\",\"\",\"\",\"\"]}]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		fails(alice, "register", bad[i], "invalid_argument");
	fails(alice, "register", "[\"chapi.mine\"]", "permission_denied");
	assert_int_equal(alice->party.n_registrations, 0);
}

static void test_replace_revokes_all_whose_calls_finish(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\"}]");
	holds(root, "[\"door\",{\"policy\":\"standby\"}]");
	ask(dave, "call", "[\"door\",1]");
	heard(alice, "call 1 door 1");
	assert_has(holds(carol, "[\"door\",{\"policy\":\"replace\"}]"), "\"state\":\"active\"");
	heard(alice, "revoked door replaced");
	heard(bob, "revoked door replaced");
	heard_nothing(root);
	answer(alice, 1, "\"old\"");
	heard(dave, "ok 1 \"old\"");
	ask(dave, "call", "[\"door\",2]");
	heard(carol, "call 1 door 2");
	assert_has(described("door"), "\"standbys\":1");
}

static void test_replace_of_a_free_name_just_takes_it(void **state UNUSED)
{
	assert_has(holds(alice, "[\"door\",{\"policy\":\"replace\"}]"), "\"state\":\"active\"");
	holds(bob, "[\"door\",{\"policy\":\"replace\"}]");
	heard(alice, "revoked door replaced");
}

static void test_share_gives_to_the_fewest_running_ties_in_turn(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\"}]");
	holds(carol, "[\"door\",{\"policy\":\"share\"}]");
	for (int i = 0; i < 3; i++)
		ask(dave, "call", "[\"door\",0]");
	heard(alice, "call 1 door 0");
	heard(bob, "call 1 door 0");
	heard(carol, "call 1 door 0");
	answer(bob, 1, "0");
	ask(dave, "call", "[\"door\",1]");
	heard(bob, "call 2 door 1");
	answer(carol, 1, "0");
	answer(alice, 1, "0");
	ask(dave, "call", "[\"door\",2]");	/* alice's last turn was longest ago */
	heard(alice, "call 2 door 2");
	ask(dave, "call", "[\"door\",3]");
	heard(carol, "call 2 door 3");
	heard(dave, "ok 2 0; ok 3 0; ok 1 0");
}

static void test_share_needs_the_same_terms(void **state UNUSED)
{
	static const char *const other[] = {
		"\"visibility\":\"local\"", "\"timeout_ms\":1", "\"timeout_max_ms\":40000",
		"\"params\":{\"type\":\"integer\"}", "\"result\":{\"type\":\"integer\"}",
	};
	char params[200];

	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		snprintf(params, sizeof(params), "[\"door\",{\"policy\":\"share\",%s}]", other[i]);
		fails(bob, "register", params, "failed_precondition");
	}
	holds(bob,
	      "[\"door\",{\"policy\":\"share\",\"summary\":\"x\",\"concurrency\":1,\"queue\":1}]");
	holds(carol, "[\"gate\"]");
	fails(bob, "register", "[\"gate\",{\"policy\":\"share\"}]", "failed_precondition");
	assert_has(bob->message, "'exclusive'");
}

static void test_standby_takes_over_with_its_own_options(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"summary\":\"first\"}]");
	assert_has(holds(bob, "[\"door\",{\"policy\":\"standby\",\"summary\":\"second\"}]"),
		   "\"state\":\"standby\"");
	holds(carol, "[\"door\",{\"policy\":\"standby\",\"summary\":\"third\"}]");
	assert_has(described("door"), "\"summary\":\"first\"");
	ask(dave, "call", "[\"door\",1]");
	heard(alice, "call 1 door 1");
	leave(alice);
	heard(bob, "granted door");
	heard_nothing(carol);
	heard(dave, "fail 1 provider_gone unknown");
	assert_has(described("door"), "\"summary\":\"second\"");
	gets(bob, "unregister", "[\"door\"]");
	heard(carol, "granted door");
	ask(dave, "call", "[\"door\",2]");
	heard(carol, "call 1 door 2");
}

static void test_standby_of_a_free_name_is_active(void **state UNUSED)
{
	assert_has(holds(alice, "[\"door\",{\"policy\":\"standby\"}]"), "\"state\":\"active\"");
	heard_nothing(alice);
}

static void test_standby_waits_for_the_last_sharer(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\"}]");
	holds(carol, "[\"door\",{\"policy\":\"standby\"}]");
	leave(alice);
	heard_nothing(carol);
	leave(bob);
	heard(carol, "granted door");
}

static void test_sharers_that_paused_come_back_together(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\"}]");
	holds(carol, "[\"door\",{\"policy\":\"standby\"}]");
	gets(alice, "pause", "[\"door\"]");
	gets(bob, "pause", "[\"door\"]");
	heard(carol, "granted door");
	gets(alice, "resume", "[\"door\"]");
	gets(bob, "resume", "[\"door\"]");
	leave(carol);
	heard(alice, "granted door");
	heard(bob, "granted door");
	ask(root, "call", "[\"door\",1]");
	ask(root, "call", "[\"door\",2]");
	heard(alice, "call 1 door 1");
	heard(bob, "call 1 door 2");
}

static void test_taking_anothers_name_needs_admin(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	fails(dave, "register", "[\"door\",{\"policy\":\"replace\"}]", "permission_denied");
	fails(dave, "register", "[\"door\",{\"policy\":\"share\"}]", "permission_denied");
	fails(dave, "register", "[\"door\",{\"policy\":\"standby\"}]", "permission_denied");
	heard_nothing(alice);
	holds(root, "[\"door\",{\"policy\":\"replace\"}]");
	heard(alice, "revoked door replaced");
}

static void test_registering_needs_the_right(void **state UNUSED)
{
	static const struct policy_rule rules[] = {
		{ RIGHT_REGISTER, SUBJECT_USER, 1000, "door.*" },
		{ RIGHT_REGISTER, SUBJECT_GROUP, 77, "gate.*" },
	};
	static const gid_t groups[] = { 5, 77 };

	set_rules(rules, ARRAY_SIZE(rules));
	holds(alice, "[\"door.x\"]");
	fails(alice, "register", "[\"gate.x\"]", "permission_denied");
	fails(dave, "register", "[\"door.y\"]", "permission_denied");
	dave->party.groups = groups;
	dave->party.n_groups = 2;
	holds(dave, "[\"gate.x\"]");
}

static void test_policy_that_changes_revokes_names(void **state UNUSED)
{
	static const struct policy_rule rules[] = {
		{ RIGHT_REGISTER, SUBJECT_ANYBODY, 0, "door.*" },
	};

	holds(alice, "[\"door.x\"]");
	holds(alice, "[\"gate.x\"]");
	holds(bob, "[\"gate.x\",{\"policy\":\"standby\"}]");
	set_rules(rules, 1);
	heard(alice, "revoked gate.x reload");
	heard(bob, "revoked gate.x reload");
	assert_has(gets(root, "list", "[]"), "[{\"name\":\"door.x\"");
	assert_lacks(text_of(&root->value), "gate");
}

/* ---- update, unregister --------------------------------------------------------------- */

static void test_update_changes_what_it_names(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"summary\":\"s\",\"concurrency\":1,\"tags\":[\"t\"]}]");
	assert_has(gets(alice, "update",
			"[\"door\",{\"summary\":\"longer than before\",\"queue\":7}]"),
		   "\"queue\":7");
	assert_has(described("door"), "\"summary\":\"longer than before\"");
	assert_has(text_of(&root->value),
		   "\"tags\":[\"t\"],\"idempotent\":false,\"concurrency\":1,\"queue\":7");
	fails(alice, "update", "[\"door\",{\"queue\":-1}]", "invalid_argument");
	fails(bob, "update", "[\"door\",{\"queue\":1}]", "api_not_found");
	fails(alice, "update", "[\"gate\",{\"queue\":1}]", "api_not_found");
}

static void test_update_of_concurrency_lets_queued_calls_in(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	for (int i = 0; i < 3; i++)
		ask(bob, "call", "[\"door\",0]");
	heard(alice, "call 1 door 0");
	ask(alice, "update", "[\"door\",{\"concurrency\":2}]");
	assert_has(text_of(&alice->said), "; call 2 door 0");
	assert_lacks(text_of(&alice->said), "call 3");
	buf_clear(&alice->said);
}

static void test_update_of_a_sharer_keeps_the_terms(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	gets(alice, "update", "[\"door\",{\"timeout_ms\":5000}]");
	holds(bob, "[\"door\",{\"policy\":\"share\",\"timeout_ms\":5000}]");
	fails(alice, "update", "[\"door\",{\"timeout_ms\":1000}]", "failed_precondition");
	fails(alice, "update", "[\"door\",{\"policy\":\"exclusive\"}]", "failed_precondition");
	gets(alice, "update", "[\"door\",{\"summary\":\"x\"}]");
}

static void test_unregister_lets_running_calls_finish(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	heard(alice, "call 1 door 1");
	gets(alice, "unregister", "[\"door\"]");
	heard_nothing(bob);
	fails(carol, "call", "[\"door\",2]", "api_not_found");
	answer(alice, 1, "\"done\"");
	heard(bob, "ok 1 \"done\"");
	fails(alice, "unregister", "[\"door\"]", "api_not_found");
}

static void test_unregister_by_an_administrator(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	fails(dave, "unregister", "[\"door\"]", "permission_denied");
	gets(root, "unregister", "[\"door\"]");
	heard(alice, "revoked door admin");
	heard(bob, "revoked door admin");
	fails(carol, "call", "[\"door\"]", "api_not_found");
}

/* ---- names and the life of processes -------------------------------------------------- */

static void test_names_are_free_when_the_process_ends(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	holds(alice, "[\"gate\"]");
	ask(bob, "call", "[\"door\",1]");
	leave(alice);
	heard(bob, "fail 1 provider_gone unknown");
	holds(carol, "[\"door\"]");
	fails(bob, "call", "[\"gate\",1]", "api_not_found");
}

static void test_queued_calls_end_with_the_last_holder(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	leave(alice);
	heard(bob, "fail 1 provider_gone unknown; fail 2 provider_gone no");
}

static void test_queued_calls_go_to_the_standby(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	for (int i = 1; i <= 3; i++)
		say(carol, "[0,%d,\"call\",[\"door\",%d]]", i, i);
	leave(alice);
	heard(carol, "fail 1 provider_gone unknown");
	heard(bob, "granted door; call 1 door 2; call 2 door 3");
}

static void test_queued_calls_go_to_the_replacer(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(carol, "call", "[\"door\",1]");
	ask(carol, "call", "[\"door\",2]");
	ask(bob, "register", "[\"door\",{\"policy\":\"replace\"}]");
	assert_has(text_of(&bob->said), "; call 1 door 2");
	buf_clear(&bob->said);
	answer(alice, 1, "0");
	answer(bob, 1, "1");
	heard(carol, "ok 1 0; ok 2 1");
}

static void test_queued_calls_go_to_the_sharer(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	ask(carol, "call", "[\"door\",1]");
	ask(carol, "call", "[\"door\",2]");
	ask(bob, "register", "[\"door\",{\"policy\":\"share\"}]");
	assert_has(text_of(&bob->said), "; call 1 door 2");
	buf_clear(&bob->said);
}

static void test_queued_calls_are_held_against_the_new_params(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1,\"params\":{\"type\":\"integer\"}}]");
	holds(bob,
	      "[\"door\",{\"policy\":\"standby\",\"params\":{\"type\":\"integer\","
	      "\"maximum\":2}}]");
	for (int i = 1; i <= 3; i++)
		say(carol, "[0,%d,\"call\",[\"door\",%d]]", i, i);
	leave(alice);
	heard(bob, "granted door; call 1 door 2");
	heard(carol, "fail 1 provider_gone unknown; fail 3 invalid_argument no");
	assert_has(carol->message, "new provider");
}

static void test_queued_remote_calls_do_not_reach_a_local_heir(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	holds(bob, "[\"door\",{\"policy\":\"standby\",\"visibility\":\"local\"}]");
	ask_far(1, "door", 0, false);
	ask_far(2, "door", 0, false);
	leave(alice);
	heard(far, "fail 1 provider_gone unknown; fail 2 api_not_found no");
	heard(bob, "granted door");
}

static void test_caller_of_its_own_function_may_leave(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(alice, "call", "[\"door\",1]");
	ask(alice, "call", "[\"door\",2]");
	ask(alice, "call", "[\"door\",3,{\"oneway\":true}]");
	heard(alice, "call 1 door 1; ok 4 null");
	leave(alice);
	heard_nothing(alice);
}

/* Each call takes long to be held against the heir's description: some have to wait for a later
 * turn. */
static void test_queued_calls_are_given_out_a_few_in_a_turn(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf call = BUF_NULL;
	int turns = 0;

	holds(alice, "[\"door\",{\"concurrency\":1,\"queue\":20}]");
	holds(bob, "[\"door\",{\"policy\":\"standby\",\"params\":{\"items\":"
	      "{\"enum\":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]}}}]");
	for (uint32_t i = 1; i <= 12; i++) {
		buf_clear(&call);
		mp_put_array(&call, 4);
		mp_put_uint(&call, 0);
		mp_put_uint(&call, i);
		mp_put_str(&call, "call");
		mp_put_array(&call, 2);
		mp_put_str(&call, "door");
		mp_put_array(&call, 10000);
		for (int k = 0; k < 10000; k++)
			mp_put_uint(&call, 15);
		assert_int_equal(say_bytes(carol, &call), 0);
	}
	leave(alice);
	while (bob->n_handled < 11) {
		unsigned int before = bob->n_handled;

		assert_true(router_next_ms(world.router) <= world.now.ms);
		router_expire(world.router, &world.now);
		assert_in_range(bob->n_handled - before, 1, 3);
		turns++;
	}
	assert_in_range(turns, 3, 11);
	for (unsigned int i = 1; i <= 11; i++)
		answer(bob, i, "0");
	assert_has(text_of(&carol->said), "fail 1 provider_gone unknown");
	assert_has(text_of(&carol->said), "ok 12 0");
	buf_clear(&bob->said);
	buf_clear(&carol->said);
}

/* ---- wait ----------------------------------------------------------------------------- */

static void test_wait_ends_when_all_are_there(void **state UNUSED)
{
	holds(alice, "[\"a\"]");
	gets(bob, "wait", "[[\"a\"]]");
	gets(bob, "wait", "[\"a\"]");
	ask(bob, "wait", "[[\"a\",\"b\",\"c\",\"b\"]]");
	holds(alice, "[\"b\"]");
	heard_nothing(bob);
	holds(carol, "[\"c\"]");
	heard(bob, "ok 3 null");
	assert_int_equal(bob->party.pinned, 0);
}

static void test_wait_means_all_at_the_same_time(void **state UNUSED)
{
	ask(bob, "wait", "[[\"a\",\"b\"]]");
	holds(alice, "[\"a\"]");
	gets(alice, "unregister", "[\"a\"]");
	holds(alice, "[\"b\"]");
	heard_nothing(bob);
	holds(alice, "[\"a\"]");
	heard(bob, "ok 1 null");
}

static void test_wait_knows_the_gateways_own(void **state UNUSED)
{
	gets(bob, "wait", "[[\"chapi.ping\"]]");
}

static void test_wait_has_a_deadline(void **state UNUSED)
{
	ask(bob, "wait", "[[\"a\"],{\"timeout_ms\":30}]");
	pass(29);
	heard_nothing(bob);
	pass(1);
	heard_fail(bob, "deadline_exceeded", "no");
	holds(alice, "[\"a\"]");
	heard_nothing(bob);
}

static void test_cancel_ends_a_wait(void **state UNUSED)
{
	ask(bob, "wait", "[[\"a\"],{\"timeout_ms\":30}]");
	say(carol, "[2,\"cancel\",[1]]");
	heard_nothing(bob);
	say(bob, "[2,\"cancel\",[1]]");
	heard_fail(bob, "cancelled", "no");
	assert_int_equal(bob->party.pinned, 0);
	holds(alice, "[\"a\"]");
	pass(30);
	heard_nothing(bob);
}

static void test_wait_refuses_what_makes_no_sense(void **state UNUSED)
{
	fails(bob, "wait", "[[]]", "invalid_argument");
	fails(bob, "wait", "[7]", "invalid_argument");
	fails(bob, "wait", "[[\"a b\"]]", "invalid_argument");
	fails(bob, "wait", "[\"a\",{\"timeout_ms\":0}]", "invalid_argument");
	fails(bob, "wait", "[]", "invalid_argument");
}

static void test_wait_is_limited_in_number(void **state UNUSED)
{
	for (int i = 0; i < 64; i++)
		ask(bob, "wait", "[[\"a\",\"b\"]]");
	fails(bob, "wait", "[[\"a\"]]", "busy");
	ask(carol, "wait", "[[\"a\"]]");
	leave(bob);
	holds(alice, "[\"a\"]");
	heard(carol, "ok 1 null");
}

static void test_wait_does_not_see_what_may_not_be_listed(void **state UNUSED)
{
	static const struct policy_rule rules[] = { { RIGHT_LIST, SUBJECT_USER, 1000, "*" } };

	set_rules(rules, 1);
	holds(alice, "[\"a\"]");
	ask(dave, "wait", "[[\"a\"],{\"timeout_ms\":30}]");
	ask(dave, "wait", "[[\"b\"],{\"timeout_ms\":30}]");
	holds(alice, "[\"b\"]");
	heard_nothing(dave);
	pass(30);
	heard(dave, "fail 1 deadline_exceeded no; fail 2 deadline_exceeded no");
}

static void test_wait_ends_when_the_name_may_be_listed(void **state UNUSED)
{
	static const struct policy_rule rules[] = { { RIGHT_LIST, SUBJECT_USER, 1000, "*" } };

	set_rules(rules, 1);
	holds(alice, "[\"a\"]");
	ask(dave, "wait", "[[\"a\",\"b\"]]");
	ask(dave, "wait", "[[\"a\"]]");
	heard_nothing(dave);
	set_rules(NULL, 0);
	heard(dave, "ok 2 null");
	holds(alice, "[\"b\"]");
	heard(dave, "ok 1 null");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EDGES_TEST(test_exclusive_name_is_taken_once),
		EDGES_TEST(test_register_reads_all_options),
		EDGES_TEST(test_register_refuses_what_makes_no_sense),
		EDGES_TEST(test_replace_revokes_all_whose_calls_finish),
		EDGES_TEST(test_replace_of_a_free_name_just_takes_it),
		EDGES_TEST(test_share_gives_to_the_fewest_running_ties_in_turn),
		EDGES_TEST(test_share_needs_the_same_terms),
		EDGES_TEST(test_standby_takes_over_with_its_own_options),
		EDGES_TEST(test_standby_of_a_free_name_is_active),
		EDGES_TEST(test_standby_waits_for_the_last_sharer),
		EDGES_TEST(test_sharers_that_paused_come_back_together),
		EDGES_TEST(test_taking_anothers_name_needs_admin),
		EDGES_TEST(test_registering_needs_the_right),
		EDGES_TEST(test_policy_that_changes_revokes_names),
		EDGES_TEST(test_update_changes_what_it_names),
		EDGES_TEST(test_update_of_concurrency_lets_queued_calls_in),
		EDGES_TEST(test_update_of_a_sharer_keeps_the_terms),
		EDGES_TEST(test_unregister_lets_running_calls_finish),
		EDGES_TEST(test_unregister_by_an_administrator),
		EDGES_TEST(test_names_are_free_when_the_process_ends),
		EDGES_TEST(test_queued_calls_end_with_the_last_holder),
		EDGES_TEST(test_queued_calls_go_to_the_standby),
		EDGES_TEST(test_queued_calls_go_to_the_replacer),
		EDGES_TEST(test_queued_calls_go_to_the_sharer),
		EDGES_TEST(test_queued_calls_are_held_against_the_new_params),
		EDGES_TEST(test_queued_remote_calls_do_not_reach_a_local_heir),
		EDGES_TEST(test_caller_of_its_own_function_may_leave),
		EDGES_TEST(test_queued_calls_are_given_out_a_few_in_a_turn),
		EDGES_TEST(test_wait_ends_when_all_are_there),
		EDGES_TEST(test_wait_means_all_at_the_same_time),
		EDGES_TEST(test_wait_knows_the_gateways_own),
		EDGES_TEST(test_wait_has_a_deadline),
		EDGES_TEST(test_cancel_ends_a_wait),
		EDGES_TEST(test_wait_refuses_what_makes_no_sense),
		EDGES_TEST(test_wait_is_limited_in_number),
		EDGES_TEST(test_wait_does_not_see_what_may_not_be_listed),
		EDGES_TEST(test_wait_ends_when_the_name_may_be_listed),
	};

	return cmocka_run_group_tests_name("router-names", tests, NULL, NULL);
}
