/* SPDX-License-Identifier: MIT */
/*
 * The router: calls, what becomes of them and what they may cost, by the rules of chapi-ipc(7).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "libchapi-ipc/error.h"
#include "tests/unit/router_edges.h"

/* ---- calls ---------------------------------------------------------------------------- */

static void test_reload_that_fails_says_why(void **state UNUSED)
{
	world.reload_rc = -EINVAL;
	fails(root, "reload", "[]", "failed_precondition");
	assert_has(root->message, "line 7 is bad");
}

static void test_call_reaches_its_provider_with_all_there_is_to_know(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"timeout_ms\":400}]");
	ask(dave, "call", "[\"door\",{\"caller\":\"uid:0\"},{\"id\":\"my-label\"}]");
	heard(alice, "call 1 door {\"caller\":\"uid:0\"}");
	assert_string_equal(alice->caller, "uid:2000");
	assert_string_equal(alice->label, "my-label");
	assert_int_equal(alice->meta.origin, PARTY_LOCAL);
	assert_int_equal(alice->meta.timeout_ms, 400);
	assert_true(alice->meta.request_time == 1700000000.0);
	assert_false(alice->meta.progress || alice->meta.oneway);
	answer(alice, 1, "{\"x\":[null]}");
	heard(dave, "ok 1 {\"x\":[null]}");
	ask(dave, "call", "[\"door\"]");
	heard(alice, "call 2 door {}");
	assert_string_equal(alice->label, "01234567-1");
}

static void test_call_options_have_limits(void **state UNUSED)
{
	static const char *const bad[] = {
		"[7]",
		"[]",
		"[\"door\",1,2]",
		"[\"door\",1,{\"timeout_ms\":0}]",
		"[\"door\",1,{\"timeout_ms\":-1}]",
		"[\"door\",1,{\"id\":\"\"}]",
		"[\"door\",1,{\"full\":1}]",
		"[\"do or\",1]",
		"[\"door\",1,{\"oneway\":true,\"progress\":true}]",
		"[\"door\",1,{},{}]",
	};

	holds(alice, "[\"door\",{\"timeout_max_ms\":500}]");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		fails(bob, "call", bad[i], "invalid_argument");
	ask(bob, "call", "[\"door\",1,{\"timeout_ms\":9000,\"what\":1}]");
	heard(alice, "call 1 door 1");
	assert_int_equal(alice->meta.timeout_ms, 500);
	ask(bob, "call", "[\"door\",1,null]");
	assert_int_equal(alice->meta.timeout_ms, 500);
}

static void test_call_params_may_be_24_deep(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]");
	heard(alice, "call 1 door [[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]");
	answer(alice, 1, "[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]");
	heard(bob, "ok 1 [[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]");
}

static void test_params_are_checked_before_the_call(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"params\":{\"type\":\"object\",\"required\":[\"n\"],"
	      "\"properties\":{\"n\":{\"type\":\"integer\",\"minimum\":1}}}}]");
	fails(bob, "call", "[\"door\",{\"n\":0}]", "invalid_argument");
	assert_has(bob->message, "params.n");
	fails(bob, "call", "[\"door\",{}]", "invalid_argument");
	fails(bob, "call", "[\"door\",[]]", "invalid_argument");
	heard_nothing(alice);
	ask(bob, "call", "[\"door\",{\"n\":1.0,\"more\":null}]");
	heard(alice, "call 1 door {\"n\":1.0,\"more\":null}");
}

static void test_deadline_travels_less_what_was_spent_in_the_queue(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2,{\"timeout_ms\":1000}]");
	pass(400);
	answer(alice, 1, "0");
	heard(alice, "call 1 door 1; call 2 door 2");
	assert_int_equal(alice->meta.timeout_ms, 600);
	pass(599);
	heard(bob, "ok 1 0");
	pass(1);
	heard(bob, "fail 2 deadline_exceeded unknown");
	heard(alice, "cancel 2");
}

static void test_remote_call_options_have_limits(void **state UNUSED)
{
	char label[65];
	struct router_call call = {
		.token = 1, .api = span_str("door"), .params = span_of("\xc0", 1), .timeout_ms = -1,
	};

	holds(alice, "[\"door\"]");
	router_call(world.router, &far->party, &call, &world.now);
	heard(far, "fail 1 invalid_argument no");
	memset(label, 'x', sizeof(label));
	call.timeout_ms = 0;
	call.call = span_of(label, sizeof(label));
	router_call(world.router, &far->party, &call, &world.now);
	heard(far, "fail 1 invalid_argument no");
	call.call = span_of(NULL, 0);
	router_call(world.router, &far->party, &call, &world.now);
	heard(alice, "call 1 door null");
	assert_string_equal(alice->label, "01234567-1");
	assert_string_equal(alice->caller, "uid:0");
}

static void test_deadline_passes_in_the_queue(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2,{\"timeout_ms\":100}]");
	ask(bob, "call", "[\"door\",3]");
	pass(100);
	heard(bob, "fail 2 deadline_exceeded no");
	heard(alice, "call 1 door 1");
	answer(alice, 1, "0");
	heard(alice, "call 2 door 3");
}

static void test_cancel_is_answered_and_translated(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	cancel(bob, 2);
	heard(bob, "fail 2 cancelled no");
	heard(alice, "call 1 door 1");
	cancel(bob, 1);
	heard(bob, "fail 1 cancelled unknown");
	heard(alice, "cancel 1");
	answer(alice, 1, "0");
	heard_nothing(bob);
	assert_int_equal(router_counters(world.router)->responses_ignored, 0);
}

static void test_cancel_of_another_or_nothing_is_ignored(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	cancel(carol, 1);
	cancel(bob, 7);
	heard(alice, "call 1 door 1");
	answer(alice, 1, "0");
	cancel(bob, 1);
	heard(bob, "ok 1 0");
	say(bob, "[2,\"cancel\",[\"x\"]]");
	say(bob, "[2,\"unheard-of\",[]]");
	assert_int_equal(router_counters(world.router)->notifications_ignored, 2);
}

static void test_cancel_when_the_caller_leaves(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	ask(carol, "call", "[\"door\",3]");
	leave(bob);
	heard(alice, "call 1 door 1; cancel 1");
	answer(alice, 1, "0");
	heard(alice, "call 2 door 3");
	heard_nothing(bob);
}

static void test_cancel_of_a_remote_call(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask_far(5, "door", 0, false);
	router_cancel(world.router, &far->party, 5, &world.now);
	heard(far, "fail 5 cancelled unknown");
	heard(alice, "call 1 door 7; cancel 1");
	router_cancel(world.router, &far->party, 5, &world.now);
	heard_nothing(far);
}

static void test_progress_only_if_asked_for_and_not_after_the_answer(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1,{\"progress\":true}]");
	assert_true(alice->meta.progress);
	ask(bob, "call", "[\"door\",2]");
	assert_false(alice->meta.progress);
	say(alice, "[2,\"progress\",[%u,{\"done\":1}]]", alice->ids[0]);
	heard(bob, "progress 1 {\"done\":1}");
	say(alice, "[2,\"progress\",[%u,5]]", alice->ids[1]);
	heard_nothing(bob);
	say(carol, "[2,\"progress\",[%u,5]]", alice->ids[0]);	/* not its call */
	heard_nothing(bob);
	answer(alice, 1, "0");
	say(alice, "[2,\"progress\",[%u,5]]", alice->ids[0]);
	heard(bob, "ok 1 0");
	assert_int_equal(router_counters(world.router)->progress_dropped, 3);
	say(alice, "[2,\"progress\",[1]]");
	assert_int_equal(router_counters(world.router)->notifications_ignored, 1);
}

static void test_progress_of_an_abandoned_call_is_dropped(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	cancel(bob, ask(bob, "call", "[\"door\",1,{\"progress\":true}]"));
	heard(bob, "fail 1 cancelled unknown");
	say(alice, "[2,\"progress\",[%u,5]]", alice->ids[0]);
	heard_nothing(bob);
}

static void test_oneway_is_answered_when_it_is_handed_over(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1,\"queue\":1}]");
	assert_string_equal(gets(bob, "call", "[\"door\",1,{\"oneway\":true}]"), "null");
	assert_true(alice->meta.oneway);
	gets(bob, "call", "[\"door\",2,{\"oneway\":true}]");
	fails(bob, "call", "[\"door\",3,{\"oneway\":true}]", "busy");
	cancel(bob, 1);
	leave(bob);
	heard(alice, "call 1 door 1");
	answer(alice, 1, "\"nobody hears this\"");
	heard(alice, "call 2 door 2");
	answer_error(alice, 2, "\"nor this\"");
	assert_int_equal(router_counters(world.router)->oneways_lost, 1);
}

static void test_oneway_that_is_lost_is_counted(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	gets(root, "monitor", "[{\"kinds\":[\"response\"]}]");
	gets(bob, "call", "[\"door\",1,{\"oneway\":true}]");
	gets(bob, "call", "[\"door\",2,{\"oneway\":true,\"timeout_ms\":10}]");
	pass(10);
	assert_has(text_of(&root->said), "\"deadline_exceeded\"");
	buf_clear(&root->said);
	leave(alice);
	assert_has(text_of(&root->said), "\"provider_gone\"");
	buf_clear(&root->said);
	assert_int_equal(router_counters(world.router)->oneways_lost, 2);
	heard_nothing(bob);
}

static void test_oneway_to_oneself_is_lost_when_one_leaves(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	gets(root, "monitor", "[{\"kinds\":[\"response\"]}]");
	ask(alice, "call", "[\"door\",1,{\"oneway\":true,\"id\":\"running\"}]");
	ask(alice, "call", "[\"door\",2,{\"oneway\":true,\"id\":\"queued\"}]");
	leave(alice);
	assert_has(text_of(&root->said), "\"id\":\"running\",\"api\":\"door\",\"error\":{\"code\":"
		   "\"provider_gone\"");
	assert_has(text_of(&root->said), "\"id\":\"queued\",\"api\":\"door\",\"error\":{\"code\":"
		   "\"provider_gone\"");
	buf_clear(&root->said);
	assert_int_equal(router_counters(world.router)->oneways_lost, 2);
}

static void test_oneway_may_be_full(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	assert_has(gets(bob, "call", "[\"door\",1,{\"oneway\":true,\"full\":true,\"id\":\"L\"}]"),
		   "{\"id\":\"L\",\"api\":\"door\",\"result\":null,\"error\":null,");
	answer(alice, 1, "5");
	heard_nothing(bob);
	assert_has(gets(bob, "call", "[\"gate\",1,{\"oneway\":true,\"full\":true}]"),
		   "\"error\":{\"code\":\"api_not_found\"");
}

static void test_full_gives_the_whole_record(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2,{\"full\":true,\"id\":\"L\"}]");
	pass(250);
	answer(alice, 1, "0");
	heard(bob, "ok 1 0");
	pass(500);
	answer(alice, 2, "{\"r\":1}");
	heard(bob,
	      "ok 2 {\"id\":\"L\",\"api\":\"door\",\"result\":{\"r\":1},\"error\":null,"
	      "\"request_time\":1700000000.0,\"response_time\":1700000000.75,\"queue_ms\":250.0,"
	      "\"run_ms\":500.0,\"gateway\":\"north\","
	      "\"instance\":\"0123456789abcdef0123456789abcdef\"}");
}

static void test_full_has_the_error_in_it(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1,{\"full\":true}]");
	answer_error(alice, 1, "{\"code\":\"jam\",\"message\":\"stuck\",\"details\":{\"n\":1}}");
	assert_has(text_of(&bob->said),
		   "ok 1 {\"id\":\"01234567-1\",\"api\":\"door\",\"result\":null,"
		   "\"error\":{\"code\":\"api_error\",\"message\":\"stuck\",\"ran\":\"yes\","
		   "\"details\":{\"code\":\"jam\",\"n\":1}},\"request_time\":");
	buf_clear(&bob->said);
	assert_has(gets(bob, "call", "[\"gate\",1,{\"full\":true}]"), "\"code\":\"api_not_found\"");
}

static void test_id_that_is_used_twice_ends_the_connection(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	say(bob, "[0,5,\"call\",[\"door\",1]]");
	assert_int_equal(say_text(bob, "[0,5,\"status\",[]]"), ROUTER_E_CLOSE);
	heard(bob, "fail 5 bad_message no");
	heard(alice, "call 1 door 1");
	say(carol, "[0,6,\"wait\",[[\"gate\"]]]");
	assert_int_equal(say_text(carol, "[0,6,\"call\",[\"door\",2]]"), ROUTER_E_CLOSE);
	heard(carol, "fail 6 bad_message no");
	say(dave, "[0,5,\"call\",[\"door\",3]]");	/* each side counts for itself */
	heard(alice, "call 2 door 3");
}

static void test_id_that_is_used_twice_by_what_cannot_be_read(void **state UNUSED)
{
	say(bob, "[0,5,\"wait\",[\"door\"]]");
	router_unreadable(world.router, &bob->party, MESSAGE_REQUEST, 5, "at .y", &world.now);
	heard(bob, "fail 5 bad_message no");
	assert_ptr_equal(router_next_offender(world.router), &bob->party);
	leave(bob);
	heard_nothing(bob);
}

static void test_id_is_free_again_when_it_is_answered(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	say(bob, "[0,5,\"call\",[\"door\",1]]");
	answer(alice, 1, "1");
	say(bob, "[0,5,\"call\",[\"door\",2]]");
	cancel(bob, 5);
	say(bob, "[0,5,\"call\",[\"door\",3]]");
	answer(alice, 2, "2");			/* of an abandoned one: reaches nobody */
	answer(alice, 3, "3");
	heard(bob, "ok 5 1; fail 5 cancelled unknown; ok 5 3");
}

static void test_answer_counts_once_and_from_its_provider_only(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	say(carol, "[1,%u,null,\"mine\"]", alice->ids[0]);
	heard_nothing(bob);
	answer(alice, 1, "0");
	answer(alice, 1, "1");
	say(alice, "[1,4000000000,null,1]");
	heard(bob, "ok 1 0");
	assert_int_equal(router_counters(world.router)->responses_ignored, 3);
}

/* ---- each row of the table of errors -------------------------------------------------- */

static void assert_row(const char *code, const char *ran, int exit_status)
{
	const struct error_info *info = error_info_by_name(span_str(code));

	assert_non_null(info);
	assert_string_equal(chapi_ran_name(info->ran), ran);
	assert_int_equal(info->exit_status, exit_status);
}

/* bob calls "door", alice answers with this error. */
static void provider_says(const char *error, const char *code, const char *ran)
{
	if (!alice->party.n_registrations)
		holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	answer_error(alice, alice->n_handled, error);
	heard_fail(bob, code, ran);
	buf_clear(&alice->said);
}

static void test_error_api_error_ran_yes(void **state UNUSED)
{
	provider_says("\"it is stuck\"", "api_error", "yes");
	assert_string_equal(bob->message, "it is stuck");
	provider_says("{\"code\":\"no_door\",\"message\":\"m\",\"details\":{\"a\":1}}", "api_error",
		      "yes");
	assert_string_equal(text_of(&bob->value), "{\"code\":\"no_door\",\"a\":1}");
	ask(bob, "call", "[\"door\",1]");
	say(alice, "[1,%u,\"error counts\",\"not the result\"]", alice->ids[alice->n_handled - 1]);
	heard_fail(bob, "api_error", "yes");
	assert_row("api_error", "yes", 1);
}

static void test_error_invalid_argument_ran_no(void **state UNUSED)
{
	fails(bob, "no_such_method", "[]", "invalid_argument");
	assert_has(bob->message, "call, describe");
	fails(bob, "status", "[1]", "invalid_argument");
	provider_says("{\"code\":\"invalid_argument\",\"message\":\"m\"}", "invalid_argument",
		      "no");
	alice->refuses = PARTY_E_INEXPRESSIBLE;
	fails(bob, "call", "[\"door\",1]", "invalid_argument");
	assert_has(bob->message, "at .x");
	router_unreadable(world.router, &bob->party, MESSAGE_REQUEST, 77, "at .y", &world.now);
	heard(bob, "fail 77 invalid_argument no");
	assert_row("invalid_argument", "no", 65);
}

static void test_error_api_not_found_ran_no(void **state UNUSED)
{
	fails(bob, "call", "[\"door\",1]", "api_not_found");
	assert_row("api_not_found", "no", 67);
}

static void test_error_api_exists_ran_no(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	fails(bob, "register", "[\"door\"]", "api_exists");
	assert_row("api_exists", "no", 73);
}

static void test_error_permission_denied_ran_no(void **state UNUSED)
{
	fails(bob, "publish", "[\"news\",\"e\",1]", "permission_denied");
	provider_says("{\"code\":\"permission_denied\"}", "permission_denied", "no");
	assert_row("permission_denied", "no", 77);
}

/* Proofs are the hub side's; a provider's word for it is its own. */
static void test_error_unauthenticated_ran_no(void **state UNUSED)
{
	assert_row("unauthenticated", "no", 77);
	provider_says("{\"code\":\"unauthenticated\"}", "api_error", "yes");
	assert_string_equal(text_of(&bob->value), "{\"code\":\"unauthenticated\"}");
}

static void test_error_failed_precondition_ran_no(void **state UNUSED)
{
	fails(bob, "hello", "[{\"app_key\":\"another\"}]", "failed_precondition");
	fails(bob, "gateways", "[]", "failed_precondition");
	assert_row("failed_precondition", "no", 78);
}

static void test_error_busy_ran_no(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1,\"queue\":0}]");
	ask(carol, "call", "[\"door\",1]");
	fails(bob, "call", "[\"door\",2]", "busy");
	assert_has(text_of(&bob->value), "retry_after_ms");
	answer_error(alice, 1, "{\"code\":\"busy\"}");
	heard(carol, "fail 1 busy no");
	assert_row("busy", "no", 75);
}

static void test_error_rate_limited_ran_no(void **state UNUSED)
{
	assert_row("rate_limited", "no", 75);
	provider_says("{\"code\":\"rate_limited\"}", "api_error", "yes");
}

static void test_error_paused_ran_no(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	gets(alice, "pause", "[\"door\"]");
	fails(bob, "call", "[\"door\",2]", "paused");
	gets(alice, "drain", "[\"door\"]");
	fails(bob, "call", "[\"door\",2]", "paused");
	assert_row("paused", "no", 69);
}

static void test_error_hub_down_ran_no(void **state UNUSED)
{
	ask(root, "publish", "[\"news\",\"e\",1]");
	router_published(world.router, world.published, CHAPI_ERR_HUB_DOWN, CHAPI_RAN_NO, "no hub",
			 &world.now);
	heard(root, "fail 1 hub_down no");
	assert_row("hub_down", "no", 69);
}

static void test_error_gateway_not_found_ran_unknown(void **state UNUSED)
{
	assert_row("gateway_not_found", "unknown", 68);
	provider_says("{\"code\":\"gateway_not_found\"}", "api_error", "yes");
}

static void test_error_too_large_ran_no_or_yes(void **state UNUSED)
{
	router_too_large(world.router, &bob->party, MESSAGE_REQUEST, 5, 5000000, &world.now);
	heard(bob, "fail 5 too_large no");
	assert_string_equal(text_of(&bob->value), "{\"size\":5000000,\"max_message\":4194304}");
	holds(alice, "[\"door\"]");
	ask(carol, "call", "[\"door\",1]");
	router_too_large(world.router, &alice->party, MESSAGE_RESPONSE, alice->ids[0], 5000000,
			 &world.now);
	heard(carol, "fail 1 too_large yes");
	assert_string_equal(text_of(&carol->value), "{\"size\":5000000,\"max_message\":4194304}");
	router_too_large(world.router, &bob->party, -1, -1, 5000000, &world.now);
	heard_nothing(bob);
	assert_row("too_large", "no", 65);
}

static void test_error_deadline_exceeded_ran_no_or_unknown(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1,{\"timeout_ms\":20}]");
	ask(bob, "call", "[\"door\",2,{\"timeout_ms\":10}]");
	pass(20);
	heard(bob, "fail 2 deadline_exceeded no; fail 1 deadline_exceeded unknown");
	assert_row("deadline_exceeded", "unknown", 124);
}

static void test_error_cancelled_ran_no_or_unknown(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	cancel(bob, 2);
	cancel(bob, 1);
	heard(bob, "fail 2 cancelled no; fail 1 cancelled unknown");
	answer(alice, 1, "0");
	provider_says("{\"code\":\"cancelled\"}", "cancelled", "unknown");
	assert_row("cancelled", "unknown", 130);
}

static void test_error_provider_gone_ran_no_or_unknown(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	leave(alice);
	heard(bob, "fail 1 provider_gone unknown; fail 2 provider_gone no");
	assert_row("provider_gone", "unknown", 70);
}

/* "As recorded": remote calls only; without a record it is not known. */
static void test_error_answer_lost_ran_as_recorded(void **state UNUSED)
{
	assert_row("answer_lost", "unknown", 74);
	provider_says("{\"code\":\"answer_lost\"}", "api_error", "yes");
}

static void test_error_bad_reply_ran_yes(void **state UNUSED)
{
	provider_says("7", "bad_reply", "yes");
	provider_says("[1]", "bad_reply", "yes");
	provider_says("{\"message\":7}", "bad_reply", "yes");
	ask(bob, "call", "[\"door\",1]");
	router_unreadable(world.router, &alice->party, MESSAGE_RESPONSE,
			  alice->ids[alice->n_handled - 1], "NaN", &world.now);
	heard_fail(bob, "bad_reply", "yes");
	ask(bob, "call", "[\"door\",1]");
	answer(alice, alice->n_handled, "[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]");
	heard_fail(bob, "bad_reply", "yes");
	assert_row("bad_reply", "yes", 70);
}

static void test_error_bad_message_ran_no(void **state UNUSED)
{
	say(bob, "[0,5,\"wait\",[\"door\"]]");
	assert_int_equal(say_text(bob, "[0,5,\"status\",[]]"), ROUTER_E_CLOSE);
	heard(bob, "fail 5 bad_message no");
	assert_row("bad_message", "no", 76);
}

static void test_error_version_mismatch_ran_no(void **state UNUSED)
{
	fails(bob, "hello", "[{\"protocol\":2}]", "version_mismatch");
	assert_row("version_mismatch", "no", 76);
}

/* Unknown in general; without memory nothing was begun, which is known. */
static void test_error_internal_ran_unknown(void **state UNUSED)
{
	assert_row("internal", "unknown", 70);
	holds(alice, "[\"door\"]");
	alice->refuses = -ENOMEM;
	fails(bob, "call", "[\"door\",1]", "internal");
	world.publish_rc = -ENOMEM;
	fails(root, "publish", "[\"news\",\"e\",1]", "internal");
}

/* Made by client libraries; nobody else may say so. */
static void test_error_connection_lost_ran_unknown(void **state UNUSED)
{
	assert_row("connection_lost", "unknown", 74);
	provider_says("{\"code\":\"connection_lost\"}", "api_error", "yes");
}

static void test_errors_of_a_queued_call_are_of_one_that_never_ran(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(carol, "call", "[\"door\",0]");
	ask(bob, "call", "[\"door\",1]");
	alice->refuses = PARTY_E_INEXPRESSIBLE;
	answer(alice, 1, "0");
	heard(bob, "fail 1 invalid_argument no");
	alice->refuses = 0;
	ask(carol, "call", "[\"door\",0]");
	ask(bob, "call", "[\"door\",1]");
	alice->refuses = -ENOMEM;
	answer(alice, 2, "0");
	heard(bob, "fail 2 internal no");
	heard(carol, "ok 1 0; ok 2 0");
}

/* ---- limits --------------------------------------------------------------------------- */

static void test_limit_of_calls_per_peer(void **state UNUSED)
{
	struct router_limits l = limits();

	l.calls_per_peer = 2;
	set_limits(l);
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	fails(bob, "call", "[\"door\",3]", "busy");
	assert_has(bob->message, "calls_per_peer");
	assert_string_equal(text_of(&bob->value), "{\"retry_after_ms\":100}");
	gets(bob, "call", "[\"chapi.ping\"]");
	ask(carol, "call", "[\"door\",4]");
	answer(alice, 1, "0");
	heard(bob, "ok 1 0");
	ask(bob, "call", "[\"door\",5]");
	heard_nothing(bob);
	gets(root, "status", "[]");
}

static void test_limit_of_names_per_peer(void **state UNUSED)
{
	struct router_limits l = limits();

	l.names_per_peer = 2;
	set_limits(l);
	holds(alice, "[\"a\"]");
	holds(alice, "[\"b\"]");
	fails(alice, "register", "[\"c\"]", "busy");
	assert_has(alice->message, "names_per_peer");
	assert_string_equal(text_of(&alice->value), "{\"retry_after_ms\":100}");
	holds(bob, "[\"c\"]");
	gets(alice, "unregister", "[\"a\"]");
	holds(alice, "[\"d\"]");
}

static void test_limit_of_pinned_per_peer(void **state UNUSED)
{
	struct router_limits l = limits();

	l.pinned_per_peer = 1000;
	set_limits(l);
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",{\"$bin\":\"AAAA\"}]");
	heard(alice, "call 1 door {\"$bin\":\"AAAA\"}");
	assert_in_range(bob->party.pinned, 1, 10);
	l.pinned_per_peer = 10;
	set_limits(l);
	fails(bob, "call", "[\"door\",\"more than ten bytes\"]", "busy");
	assert_has(bob->message, "pinned_per_peer");
	assert_string_equal(text_of(&bob->value), "{\"retry_after_ms\":100}");
	fails(alice, "register", "[\"gate\"]", "busy");
	fails(bob, "wait", "[[\"x\"]]", "busy");
	fails(root, "monitor", "[]", "busy");
	answer(alice, 1, "0");
	heard(bob, "ok 1 0");
	assert_int_equal(bob->party.pinned, 0);
}

static void test_limit_of_pinned_total(void **state UNUSED)
{
	struct router_limits l = limits();

	holds(alice, "[\"door\"]");
	l.pinned_total = alice->party.pinned + 10;
	set_limits(l);
	ask(bob, "call", "[\"door\",\"12345678\"]");
	fails(carol, "call", "[\"door\",\"12345678\"]", "busy");
	assert_has(carol->message, "pinned_total");
	cancel(bob, 1);
	heard(bob, "fail 1 cancelled unknown");
	ask(carol, "call", "[\"door\",\"12345678\"]");
	heard_nothing(carol);
}

/* 64 bytes is small here, and 8 KiB are kept for those who have no more. */
static void test_small_ones_go_on_when_others_fill_pinned_total(void **state UNUSED)
{
	static const char small[] = "[\"door\",\"12345678901234567890123456789\"]"; /* 30 bytes */
	struct router_limits l = limits();

	holds(alice, "[\"door\",{\"queue\":1000}]");
	l.pinned_total = 64 << 10;
	set_limits(l);
	router_charge_output(world.router, &bob->party, l.pinned_total);
	fails(bob, "call", small, "busy");
	ask(carol, "call", small);
	ask(carol, "call", small);
	fails(carol, "call", small, "busy");	/* it has 60 bytes waiting already */
	assert_has(carol->message, "pinned_total");
	gets(dave, "call", "[\"chapi.ping\"]");
	ask(dave, "call", small);
	heard_nothing(dave);
	router_charge_output(world.router, &bob->party, 0);
	ask(carol, "call", small);
	heard_nothing(carol);
}

static void test_what_is_kept_for_small_ones_is_limited_too(void **state UNUSED)
{
	struct router_limits l = limits();

	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",\"a param of more than ten bytes\"]");
	l.pinned_total = 20;
	set_limits(l);
	fails(carol, "call", "[\"door\",[]]", "busy");
}

static void test_output_that_waits_is_charged(void **state UNUSED)
{
	struct router_limits l = limits();

	holds(alice, "[\"door\"]");
	l.pinned_per_peer = 5000;
	l.pinned_total = alice->party.pinned + 8000;
	set_limits(l);
	router_charge_output(world.router, &bob->party, 4990);
	fails(bob, "call", "[\"door\",\"more than ten bytes\"]", "busy");
	assert_has(bob->message, "pinned_per_peer");
	router_charge_output(world.router, &carol->party, 3000);
	fails(dave, "call", "[\"door\",\"more than ten bytes\"]", "busy");
	assert_has(dave->message, "pinned_total");
	assert_has(gets(root, "status", "[]"), "\"pinned\":");
	assert_true(router_may_wait(world.router, &dave->party, l.pinned_total - 7990));
	assert_false(router_may_wait(world.router, &dave->party, l.pinned_total - 7989));
	assert_true(router_may_wait(world.router, &bob->party, l.pinned_total - 3000));
	router_charge_output(world.router, &bob->party, 0);
	ask(dave, "call", "[\"door\",\"more than ten bytes\"]");
	heard_nothing(dave);
	leave(carol);	/* what it has not taken is in memory until the edge says that it is not */
	assert_int_equal(carol->party.output, 3000);
	router_charge_output(world.router, &carol->party, 0);
}

/* The caller has gone, its one-way calls have not: those in the queue are in memory. */
static void test_oneways_that_were_left_behind_are_charged(void **state UNUSED)
{
	struct router_limits l = limits();

	holds(alice, "[\"door\",{\"concurrency\":1}]");
	l.pinned_total = alice->party.pinned + 10;
	set_limits(l);
	gets(bob, "call", "[\"door\",\"a\",{\"oneway\":true}]");
	gets(bob, "call", "[\"door\",\"1234567\",{\"oneway\":true}]");
	leave(bob);
	fails(carol, "call", "[\"door\",\"123\"]", "busy");
	assert_has(carol->message, "pinned_total");
	heard(alice, "call 1 door \"a\"");
	answer(alice, 1, "0");
	heard(alice, "call 2 door \"1234567\"");
	ask(carol, "call", "[\"door\",\"12345678\"]");
	heard_nothing(carol);
}

static void test_refused_registrations_cost_nothing(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	fails(bob, "register", "[\"door\"]", "api_exists");
	fails(bob, "register", "[\"door\",{\"params\":7}]", "invalid_argument");
	assert_int_equal(bob->party.pinned, 0);
	gets(alice, "unregister", "[\"door\"]");
	assert_int_equal(alice->party.pinned, 0);
}

/* ---- stopping ------------------------------------------------------------------------- */

static void test_stop_lets_running_calls_finish(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	router_stop(world.router, &world.now);
	fails(carol, "call", "[\"door\",3]", "paused");
	gets(carol, "call", "[\"chapi.ping\"]");
	assert_int_equal(router_n_calls(world.router), 2);
	answer(alice, 1, "0");
	answer(alice, 2, "0");
	heard(bob, "ok 1 0; ok 2 0");
	assert_int_equal(router_n_calls(world.router), 0);
}

static void test_cancel_all_ends_what_is_left(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	gets(bob, "call", "[\"door\",3,{\"oneway\":true}]");
	buf_clear(&bob->said);
	router_stop(world.router, &world.now);
	router_cancel_all(world.router, &world.now);
	assert_has(text_of(&bob->said), "fail 1 cancelled unknown");
	assert_has(text_of(&bob->said), "fail 2 cancelled no");
	heard(alice, "call 1 door 1; cancel 1");
	assert_int_equal(router_n_calls(world.router), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EDGES_TEST(test_reload_that_fails_says_why),
		EDGES_TEST(test_call_reaches_its_provider_with_all_there_is_to_know),
		EDGES_TEST(test_call_options_have_limits),
		EDGES_TEST(test_call_params_may_be_24_deep),
		EDGES_TEST(test_params_are_checked_before_the_call),
		EDGES_TEST(test_deadline_travels_less_what_was_spent_in_the_queue),
		EDGES_TEST(test_remote_call_options_have_limits),
		EDGES_TEST(test_deadline_passes_in_the_queue),
		EDGES_TEST(test_cancel_is_answered_and_translated),
		EDGES_TEST(test_cancel_of_another_or_nothing_is_ignored),
		EDGES_TEST(test_cancel_when_the_caller_leaves),
		EDGES_TEST(test_cancel_of_a_remote_call),
		EDGES_TEST(test_progress_only_if_asked_for_and_not_after_the_answer),
		EDGES_TEST(test_progress_of_an_abandoned_call_is_dropped),
		EDGES_TEST(test_oneway_is_answered_when_it_is_handed_over),
		EDGES_TEST(test_oneway_that_is_lost_is_counted),
		EDGES_TEST(test_oneway_to_oneself_is_lost_when_one_leaves),
		EDGES_TEST(test_oneway_may_be_full),
		EDGES_TEST(test_full_gives_the_whole_record),
		EDGES_TEST(test_full_has_the_error_in_it),
		EDGES_TEST(test_id_that_is_used_twice_ends_the_connection),
		EDGES_TEST(test_id_that_is_used_twice_by_what_cannot_be_read),
		EDGES_TEST(test_id_is_free_again_when_it_is_answered),
		EDGES_TEST(test_answer_counts_once_and_from_its_provider_only),
		EDGES_TEST(test_error_api_error_ran_yes),
		EDGES_TEST(test_error_invalid_argument_ran_no),
		EDGES_TEST(test_error_api_not_found_ran_no),
		EDGES_TEST(test_error_api_exists_ran_no),
		EDGES_TEST(test_error_permission_denied_ran_no),
		EDGES_TEST(test_error_unauthenticated_ran_no),
		EDGES_TEST(test_error_failed_precondition_ran_no),
		EDGES_TEST(test_error_busy_ran_no),
		EDGES_TEST(test_error_rate_limited_ran_no),
		EDGES_TEST(test_error_paused_ran_no),
		EDGES_TEST(test_error_hub_down_ran_no),
		EDGES_TEST(test_error_gateway_not_found_ran_unknown),
		EDGES_TEST(test_error_too_large_ran_no_or_yes),
		EDGES_TEST(test_error_deadline_exceeded_ran_no_or_unknown),
		EDGES_TEST(test_error_cancelled_ran_no_or_unknown),
		EDGES_TEST(test_error_provider_gone_ran_no_or_unknown),
		EDGES_TEST(test_error_answer_lost_ran_as_recorded),
		EDGES_TEST(test_error_bad_reply_ran_yes),
		EDGES_TEST(test_error_bad_message_ran_no),
		EDGES_TEST(test_error_version_mismatch_ran_no),
		EDGES_TEST(test_error_internal_ran_unknown),
		EDGES_TEST(test_error_connection_lost_ran_unknown),
		EDGES_TEST(test_errors_of_a_queued_call_are_of_one_that_never_ran),
		EDGES_TEST(test_limit_of_calls_per_peer),
		EDGES_TEST(test_limit_of_names_per_peer),
		EDGES_TEST(test_limit_of_pinned_per_peer),
		EDGES_TEST(test_limit_of_pinned_total),
		EDGES_TEST(test_small_ones_go_on_when_others_fill_pinned_total),
		EDGES_TEST(test_what_is_kept_for_small_ones_is_limited_too),
		EDGES_TEST(test_output_that_waits_is_charged),
		EDGES_TEST(test_oneways_that_were_left_behind_are_charged),
		EDGES_TEST(test_refused_registrations_cost_nothing),
		EDGES_TEST(test_stop_lets_running_calls_finish),
		EDGES_TEST(test_cancel_all_ends_what_is_left),
	};

	return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
