/* SPDX-License-Identifier: MIT */
/*
 * The router: what who may see, of names, calls and the gateway itself.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/router_edges.h"

/* ---- who sees what -------------------------------------------------------------------- */

static void test_visibility_local_hides_a_name_from_the_hub_side(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"visibility\":\"local\"}]");
	holds(alice, "[\"gate\"]");
	ask_far(1, "door", 0, false);
	heard(far, "fail 1 api_not_found no");
	ask_far(2, "chapi.list", 0, false);
	assert_has(text_of(&far->value), "[{\"name\":\"gate\"");
	assert_lacks(text_of(&far->value), "door");
	buf_clear(&far->said);
	ask_far(3, "gate", 0, false);
	heard(alice, "call 1 gate 7");
	assert_string_equal(alice->caller, "claimed:phone");
	assert_string_equal(alice->label, "far-1");
	assert_int_equal(alice->meta.origin, PARTY_REMOTE);
	ask_far(4, "chapi.status", 0, false);
	heard(far, "fail 4 api_not_found no");
}

static void test_visibility_has_a_default_that_is_a_setting(void **state UNUSED)
{
	struct router_limits l = limits();

	router_set_limits(world.router, &l, true);
	assert_has(holds(alice, "[\"door\"]"), "\"visibility\":\"local\"");
	assert_has(holds(alice, "[\"gate\",{\"visibility\":\"remote\"}]"),
		   "\"visibility\":\"remote\"");
}

static void test_call_needs_the_right(void **state UNUSED)
{
	static const struct policy_rule rules[] = {
		{ RIGHT_CALL, SUBJECT_USER, 2000, "door" },
		{ RIGHT_LIST, SUBJECT_ANYBODY, 0, "door" },
	};

	holds(alice, "[\"door\"]");
	holds(alice, "[\"safe\"]");
	set_rules(rules, ARRAY_SIZE(rules));
	fails(bob, "call", "[\"door\"]", "permission_denied");
	fails(bob, "call", "[\"safe\"]", "api_not_found");
	fails(bob, "call", "[\"chapi.ping\"]", "api_not_found");
	fails(bob, "describe", "[\"safe\"]", "api_not_found");
	fails(bob, "stats", "[\"safe\"]", "api_not_found");
	assert_has(gets(bob, "list", "[]"), "[{\"name\":\"door\"");
	assert_lacks(text_of(&bob->value), "safe");
	ask(dave, "call", "[\"door\",1]");
	heard(alice, "call 1 door 1");
}

static void test_list_is_sorted_and_filtered(void **state UNUSED)
{
	holds(alice, "[\"zoo\",{\"summary\":\"animals\"}]");
	holds(alice, "[\"door.b\"]");
	holds(bob, "[\"door.a\",{\"policy\":\"share\"}]");
	holds(carol, "[\"door.a\",{\"policy\":\"share\"}]");
	assert_string_equal(
		gets(dave, "list", "[\"door.*\"]"),
		"[{\"name\":\"door.a\",\"summary\":\"\",\"state\":\"active\",\"policy\":\"share\","
		"\"visibility\":\"remote\",\"providers\":2},"
		"{\"name\":\"door.b\",\"summary\":\"\",\"state\":\"active\","
		"\"policy\":\"exclusive\","
		"\"visibility\":\"remote\",\"providers\":1}]");
	assert_has(gets(dave, "list", "[]"), "\"name\":\"zoo\",\"summary\":\"animals\"");
	assert_has(gets(dave, "list", "[null,{\"long\":true}]"), "\"queue\":64");
	assert_has(gets(dave, "list", "[\"chapi.*\"]"), "\"name\":\"chapi.time\"");
	assert_string_equal(gets(dave, "list", "[\"nothing\"]"), "[]");
}

static void test_list_that_is_too_large_is_refused(void **state UNUSED)
{
	struct router_limits l = limits();

	holds(alice, "[\"door\"]");
	l.max_message = 20;
	set_limits(l);
	fails(bob, "list", "[]", "too_large");
	assert_has(text_of(&bob->value), ",\"max_message\":20}");
	fails(bob, "describe", "[\"door\"]", "too_large");
}

static void test_describe_tells_all(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"description\":\"opens\"}]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	gets(bob, "hello", "[{\"client\":\"spare\"}]");
	ask(carol, "call", "[\"door\",1]");
	assert_has(described("door"), "\"params\":null,\"result\":null,\"calls\":0,\"failed\":0,"
		   "\"running\":1,\"queued\":0");
	assert_has(
		text_of(&root->value),
		"\"holders\":[{\"caller\":\"uid:1000\",\"client\":\"\","
		"\"state\":\"active\",\"running\":1},{\"caller\":\"uid:1000\",\"client\":\"spare\","
		"\"state\":\"standby\",\"running\":0}]");
	assert_has(gets(dave, "call", "[\"chapi.describe\",{\"name\":\"door\"}]"), "\"opens\"");
	assert_has(gets(dave, "describe", "[\"chapi.ping\"]"), "says pong");
	assert_has(text_of(&dave->value), "\"description\":\"\",\"version\":\"\",\"tags\":[],"
		   "\"idempotent\":true");
	assert_has(text_of(&dave->value), "\"params\":null,\"result\":null,\"calls\":0");
	fails(dave, "describe", "[\"gate\"]", "api_not_found");
	fails(dave, "describe", "[\"chapi.pong\"]", "api_not_found");
}

static void test_stats_count_calls(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	pass(10);
	answer(alice, 1, "0");
	pass(30);
	answer_error(alice, 2, "\"no\"");
	assert_has(gets(root, "stats", "[\"door\"]"), "{\"name\":\"door\",\"calls\":2,\"failed\":1,"
		   "\"running\":0,\"queued\":0,\"run_ms_average\":20.0,\"run_ms_most\":30.0,"
		   "\"queue_ms_most\":10.0");
	assert_has(gets(root, "stats", "[]"), "\"apis\":{\"door\":{\"calls\":2");
	assert_has(text_of(&root->value), "\"calls\":2,\"calls_failed\":1,\"calls_queued\":1");
	fails(root, "stats", "[\"gate\"]", "api_not_found");
}

static void test_status_shows_the_gateway(void **state UNUSED)
{
	const char *status;

	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	pass(1500);
	status = gets(root, "status", "[]");
	assert_has(status, "{\"name\":\"north\",\"version\":\"1.2.3\",\"protocol\":1,"
		   "\"instance\":\"0123456789abcdef0123456789abcdef\",\"uptime\":1.5,\"hub\":null,"
		   "\"peers\":5,\"apis\":1,\"calls\":{\"running\":1,\"queued\":0,\"abandoned\":0}");
	assert_has(status, "\"limits\":{\"calls_per_peer\":4096,\"names_per_peer\":1024,"
		   "\"abandoned_per_peer\":1024,\"pinned_per_peer\":16777216,"
		   "\"pinned_total\":67108864,\"max_message\":4194304,\"output_per_peer\":8388608,"
		   "\"stalled_after_ms\":30000,\"peers\":1000}");
	assert_has(gets(root, "call", "[\"chapi.status\"]"), "\"peers\":5");
}

static void test_builtins_answer(void **state UNUSED)
{
	assert_string_equal(gets(alice, "call", "[\"chapi.ping\"]"), "\"pong\"");
	assert_string_equal(gets(alice, "call", "[\"chapi.echo\",{\"a\":[1]}]"), "{\"a\":[1]}");
	assert_string_equal(gets(alice, "call", "[\"chapi.time\"]"), "1700000000.0");
	assert_has(gets(alice, "call", "[\"chapi.version\"]"), "\"version\":\"1.2.3\"");
	assert_string_equal(gets(alice, "call", "[\"chapi.list\",{\"pattern\":\"x*\"}]"), "[]");
	assert_string_equal(gets(alice, "call", "[\"chapi.ping\",0,{\"oneway\":true}]"), "null");
	assert_has(gets(alice, "call", "[\"chapi.ping\",0,{\"full\":true}]"),
		   "\"result\":\"pong\"");
	fails(alice, "call", "[\"chapi.pong\"]", "api_not_found");
	fails(alice, "call", "[\"chapi.describe\",7]", "invalid_argument");
}

static void test_hello_tells_who_is_there(void **state UNUSED)
{
	assert_has(
		gets(dave, "hello",
		     "[{\"client\":\"c\",\"version\":\"1\",\"protocol\":1,"
		     "\"app_key\":\"the-key\"}]"),
		"\"gateway\":\"chapi-gw\",\"version\":\"1.2.3\","
		"\"protocol\":1,\"name\":\"north\","
		"\"instance\":\"0123456789abcdef0123456789abcdef\","
		"\"uid\":2000,\"limits\":{\"calls_per_peer\":4096");
	gets(dave, "hello", "[]");
}

static void test_administration_needs_the_right(void **state UNUSED)
{
	fails(alice, "reload", "[]", "permission_denied");
	fails(alice, "log_level", "[\"debug\"]", "permission_denied");
	fails(alice, "doctor", "[]", "permission_denied");
	assert_string_equal(gets(root, "reload", "[]"), "{}");
	assert_string_equal(gets(root, "log_level", "[\"debug\"]"), "null");
	fails(root, "log_level", "[\"loud\"]", "invalid_argument");
	assert_string_equal(gets(root, "doctor", "[]"), "[]");
}

/* ---- monitor -------------------------------------------------------------------------- */

static void test_monitor_with_the_right_sees_all(void **state UNUSED)
{
	gets(root, "monitor", "[{\"bodies\":true}]");
	holds(alice, "[\"door\"]");
	heard(root, "event {\"kind\":\"api\",\"time\":1700000000.0,\"name\":\"door\","
	      "\"action\":\"registered\",\"caller\":\"uid:1000\",\"client\":\"\"}");
	ask(bob, "call", "[\"door\",{\"a\":1},{\"id\":\"L\",\"timeout_ms\":50}]");
	heard(root,
	      "event {\"kind\":\"request\",\"time\":1700000000.0,\"id\":\"L\",\"api\":\"door\","
	      "\"request_time\":1700000000.0,\"timeout_ms\":50,\"caller\":\"uid:1000\","
	      "\"origin\":\"local\",\"oneway\":false,\"params\":{\"a\":1}}");
	answer(alice, 1, "[5]");
	heard(root,
	      "event {\"kind\":\"response\",\"time\":1700000000.0,\"id\":\"L\",\"api\":\"door\","
	      "\"error\":null,\"request_time\":1700000000.0,\"response_time\":1700000000.0,"
	      "\"queue_ms\":0.0,\"run_ms\":0.0,\"gateway\":\"north\","
	      "\"instance\":\"0123456789abcdef0123456789abcdef\",\"result\":[5]}");
	leave(bob);
	assert_has(text_of(&root->said),
		   "\"kind\":\"peer\",\"time\":1700000000.0,\"action\":\"left\"");
	buf_clear(&root->said);
	router_hub_changed(world.router, "down", "timeout", &world.now);
	heard(root, "event {\"kind\":\"hub\",\"time\":1700000000.0,\"state\":\"down\","
	      "\"reason\":\"timeout\"}");
}

static void test_monitor_without_bodies_has_none(void **state UNUSED)
{
	gets(root, "monitor", "[{\"kinds\":[\"request\",\"response\"]}]");
	holds(alice, "[\"door\"]");
	heard_nothing(root);
	ask(bob, "call", "[\"door\",{\"secret\":1}]");
	answer_error(alice, 1, "{\"message\":\"m\",\"details\":{\"secret\":1}}");
	ask(bob, "call", "[\"door\",0]");
	answer(alice, 2, "\"secret\"");
	assert_has(text_of(&root->said), "\"kind\":\"request\"");
	assert_has(text_of(&root->said), "\"kind\":\"response\"");
	assert_lacks(text_of(&root->said), "secret");
}

static void test_monitor_without_the_right_sees_its_own(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	holds(bob, "[\"gate\"]");
	gets(alice, "monitor", "[{\"bodies\":true}]");
	ask(dave, "call", "[\"gate\",1]");
	answer(bob, 1, "0");
	heard_nothing(alice);				/* of others */
	ask(dave, "call", "[\"door\",\"d\"]");
	assert_has(text_of(&alice->said), "\"params\":\"d\"}; call 1 door \"d\"");
	buf_clear(&alice->said);
	answer(alice, 1, "5");
	assert_has(text_of(&alice->said), "\"result\":5");
	buf_clear(&alice->said);
	ask(alice, "call", "[\"gate\",\"g\"]");
	assert_has(text_of(&alice->said), "\"params\":\"g\"");
	buf_clear(&alice->said);
	answer(bob, 2, "6");
	assert_has(text_of(&alice->said), "\"result\":6");
}

/* It does not hold the name before it is its turn. */
static void test_monitor_without_the_right_sees_nothing_as_a_standby(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	gets(bob, "monitor", "[{\"bodies\":true}]");
	ask(dave, "call", "[\"door\",\"d\"]");
	answer(alice, 1, "0");
	heard_nothing(bob);
	leave(alice);
	heard(bob, "granted door");
	ask(dave, "call", "[\"door\",\"e\"]");
	assert_has(text_of(&bob->said), "\"params\":\"e\"}; call 1 door \"e\"");
	buf_clear(&bob->said);
}

/* Those who see bodies and those who do not, by turns, each get their own. */
static void test_monitors_with_and_without_bodies_do_not_mix(void **state UNUSED)
{
	for (int i = 0; i < 4; i++)
		gets(&world.edges[i], "monitor", i % 2 ? "[{\"bodies\":true}]" : "[]");
	for (int i = 0; i < 4; i++)
		world.edges[i].party.uid = 0;	/* with the right */
	ask(root, "call", "[\"chapi.echo\",\"secret\"]");
	for (int i = 0; i < 4; i++) {
		assert_has(text_of(&world.edges[i].said), "\"kind\":\"response\"");
		if (i % 2)
			assert_has(text_of(&world.edges[i].said), "secret");
		else
			assert_lacks(text_of(&world.edges[i].said), "secret");
		buf_clear(&world.edges[i].said);
	}
	buf_clear(&root->said);
}

static void test_monitor_without_the_right_sees_calls_of_unknown_names(void **state UNUSED)
{
	static const struct policy_rule rules[] = { { RIGHT_LIST, SUBJECT_USER, 1000, "*" } };

	set_rules(rules, 1);
	gets(alice, "monitor", "[{\"bodies\":true}]");
	gets(dave, "monitor", "[{\"bodies\":true}]");
	fails(bob, "call", "[\"nobody\",\"secret\"]", "api_not_found");
	assert_has(text_of(&alice->said), "\"kind\":\"request\"");
	assert_has(text_of(&alice->said), "\"api\":\"nobody\"");
	assert_lacks(text_of(&alice->said), "secret");
	assert_lacks(text_of(&alice->said), "\"kind\":\"response\"");
	heard_nothing(dave);
}

static void test_monitor_without_the_right_sees_no_builtins_of_others(void **state UNUSED)
{
	gets(alice, "monitor", "[{\"bodies\":true}]");
	gets(bob, "call", "[\"chapi.echo\",\"secret\"]");
	heard_nothing(alice);
	ask(alice, "call", "[\"chapi.echo\",\"mine\"]");
	assert_has(text_of(&alice->said), "\"result\":\"mine\"");
}

static void test_monitor_of_other_kinds_needs_the_right(void **state UNUSED)
{
	fails(alice, "monitor", "[{\"kinds\":[\"api\"]}]", "permission_denied");
	fails(alice, "monitor", "[{\"kinds\":[\"request\",\"peer\"]}]", "permission_denied");
	fails(root, "monitor", "[{\"kinds\":[\"weather\"]}]", "invalid_argument");
	fails(root, "monitor", "[{\"apis\":7}]", "invalid_argument");
	gets(alice, "monitor", "[]");
	holds(bob, "[\"door\"]");
	heard_nothing(alice);
}

static void test_monitor_picks_names_and_kinds(void **state UNUSED)
{
	gets(root, "monitor", "[{\"kinds\":[\"api\"],\"apis\":[\"door.*\",\"gate\"]}]");
	holds(alice, "[\"window\"]");
	ask(bob, "call", "[\"door.x\"]");
	heard_nothing(root);
	holds(alice, "[\"door.x\"]");
	assert_has(text_of(&root->said), "\"name\":\"door.x\"");
	buf_clear(&root->said);
	gets(root, "monitor", "[{\"kinds\":[\"api\"],\"apis\":\"window\"}]");	/* instead */
	gets(alice, "unregister", "[\"door.x\"]");
	heard_nothing(root);
	gets(alice, "unregister", "[\"window\"]");
	assert_has(text_of(&root->said), "\"action\":\"unregistered\"");
}

static void test_monitor_hears_what_becomes_of_names(void **state UNUSED)
{
	static const char *const actions[] = {
		"registered", "updated", "paused", "granted", "resumed", "draining", "revoked",
	};

	gets(root, "monitor", "[{\"kinds\":[\"api\"]}]");
	holds(alice, "[\"door\"]");
	gets(alice, "update", "[\"door\",{}]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	gets(alice, "pause", "[\"door\"]");
	gets(alice, "resume", "[\"door\"]");
	gets(alice, "drain", "[\"door\"]");
	ask(carol, "register", "[\"door\",{\"policy\":\"replace\"}]");
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		assert_has(text_of(&root->said), actions[i]);
}

static void test_monitor_that_is_slow_loses_events_with_a_count(void **state UNUSED)
{
	gets(root, "monitor", "[{\"kinds\":[\"api\"]}]");
	root->loses = PARTY_E_FULL;
	holds(alice, "[\"a\"]");
	holds(alice, "[\"b\"]");
	holds(alice, "[\"c\"]");
	root->loses = 0;
	holds(alice, "[\"d\"]");
	assert_has(text_of(&root->said),
		   "event {\"kind\":\"lost\",\"time\":1700000000.0,\"count\":3}; "
		   "event {\"kind\":\"api\"");
	buf_clear(&root->said);
	holds(alice, "[\"e\"]");
	assert_lacks(text_of(&root->said), "lost");
	assert_int_equal(router_counters(world.router)->events_lost, 3);
}

static void test_monitor_sees_how_oneways_end(void **state UNUSED)
{
	gets(root, "monitor", "[{\"kinds\":[\"response\"],\"bodies\":true}]");
	holds(alice, "[\"door\"]");
	gets(bob, "call", "[\"door\",1,{\"oneway\":true}]");
	heard_nothing(root);
	answer(alice, 1, "\"late\"");
	assert_has(text_of(&root->said), "\"result\":\"late\"");
}

static void test_monitor_sees_calls_whose_callers_left(void **state UNUSED)
{
	gets(root, "monitor", "[{\"kinds\":[\"response\"]}]");
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	leave(bob);
	assert_has(text_of(&root->said), "\"ran\":\"unknown\"");
	assert_has(text_of(&root->said), "\"ran\":\"no\"");
	buf_clear(&root->said);
	answer(alice, 1, "0");
	heard_nothing(root);				/* one response a call */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EDGES_TEST(test_visibility_local_hides_a_name_from_the_hub_side),
		EDGES_TEST(test_visibility_has_a_default_that_is_a_setting),
		EDGES_TEST(test_call_needs_the_right),
		EDGES_TEST(test_list_is_sorted_and_filtered),
		EDGES_TEST(test_list_that_is_too_large_is_refused),
		EDGES_TEST(test_describe_tells_all),
		EDGES_TEST(test_stats_count_calls),
		EDGES_TEST(test_status_shows_the_gateway),
		EDGES_TEST(test_builtins_answer),
		EDGES_TEST(test_hello_tells_who_is_there),
		EDGES_TEST(test_administration_needs_the_right),
		EDGES_TEST(test_monitor_with_the_right_sees_all),
		EDGES_TEST(test_monitor_without_bodies_has_none),
		EDGES_TEST(test_monitor_without_the_right_sees_its_own),
		EDGES_TEST(test_monitor_without_the_right_sees_nothing_as_a_standby),
		EDGES_TEST(test_monitors_with_and_without_bodies_do_not_mix),
		EDGES_TEST(test_monitor_without_the_right_sees_calls_of_unknown_names),
		EDGES_TEST(test_monitor_without_the_right_sees_no_builtins_of_others),
		EDGES_TEST(test_monitor_of_other_kinds_needs_the_right),
		EDGES_TEST(test_monitor_picks_names_and_kinds),
		EDGES_TEST(test_monitor_hears_what_becomes_of_names),
		EDGES_TEST(test_monitor_that_is_slow_loses_events_with_a_count),
		EDGES_TEST(test_monitor_sees_how_oneways_end),
		EDGES_TEST(test_monitor_sees_calls_whose_callers_left),
	};

	return cmocka_run_group_tests_name("router-sight", tests, NULL, NULL);
}
