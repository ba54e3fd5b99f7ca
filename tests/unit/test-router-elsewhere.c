/* SPDX-License-Identifier: MIT */
/*
 * The router: what only the hub can bring about, events and calls to other gateways.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "tests/unit/router_edges.h"

/* ---- publish -------------------------------------------------------------------------- */

static void test_publish_ends_when_the_hub_has_it(void **state UNUSED)
{
	ask(root, "publish", "[\"news\",\"e\",{\"a\":1}]");
	assert_string_equal(text_of(&world.event), "news e {\"a\":1}");
	heard_nothing(root);
	router_published(world.router, world.published, 0, CHAPI_RAN_YES, NULL, &world.now);
	heard(root, "ok 1 null");
	router_published(world.router, world.published, 0, CHAPI_RAN_YES, NULL, &world.now);
	heard_nothing(root);
	ask(root, "publish", "[\"news\",\"e\",\"text as it is\"]");
	assert_string_equal(text_of(&world.event), "news e text as it is");
}

static void test_publish_with_an_outcome_that_is_not_known(void **state UNUSED)
{
	ask(root, "publish", "[\"news\",\"e\",1]");
	router_published(world.router, world.published, CHAPI_ERR_HUB_DOWN, CHAPI_RAN_UNKNOWN,
			 "no answer", &world.now);
	heard(root, "fail 1 hub_down unknown");
	assert_string_equal(root->message, "no answer");
}

static void test_publish_refuses_the_hubs_own_names(void **state UNUSED)
{
	fails(root, "publish", "[\"news\",\"pusher:ping\",1]", "invalid_argument");
	fails(root, "publish", "[\"news\",\"pusher_internal:x\",1]", "invalid_argument");
	fails(root, "publish", "[\"news\",\"client-x\",1]", "invalid_argument");
	fails(root, "publish", "[\"ne ws\",\"e\",1]", "invalid_argument");
	fails(root, "publish", "[\"\",\"e\",1]", "invalid_argument");
	fails(root, "publish", "[\"news\",\"\",1]", "invalid_argument");
	fails(root, "publish", "[\"news\",\"e\"]", "invalid_argument");
	assert_int_equal(world.event.len, 0);
}

static void test_publish_of_what_has_no_json_form(void **state UNUSED)
{
	static const char head[] = "\x94\x00\x01\xa7publish\x93\xa4news\xa1" "e";
	static const char *const bad[] = { "\xcb\x7f\xf8\0\0\0\0\0\0", "\xa1\xff" };
	static const size_t len[] = { 9, 2 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(buf_deinit) struct buf b = BUF_NULL;

		buf_put(&b, head, sizeof(head) - 1);
		buf_put(&b, bad[i], len[i]);
		assert_int_equal(say_bytes(root, &b), 0);
		heard(root, "fail 1 invalid_argument no");
	}
	assert_int_equal(world.event.len, 0);
}

static void test_publish_when_too_much_waits(void **state UNUSED)
{
	world.publish_rc = -ENOBUFS;
	fails(root, "publish", "[\"news\",\"e\",1]", "busy");
	assert_string_equal(text_of(&root->value), "{\"retry_after_ms\":100}");
	assert_int_equal(root->party.pinned, 0);
}

static void test_cancel_takes_an_event_back(void **state UNUSED)
{
	ask(root, "publish", "[\"news\",\"e\",1]");
	say(root, "[2,\"cancel\",[1]]");
	heard(root, "fail 1 cancelled no");
	assert_int_equal(world.withdrawn, world.published);
	assert_int_equal(root->party.pinned, 0);
}

static void test_cancel_of_an_event_under_way(void **state UNUSED)
{
	world.is_sent = true;
	ask(root, "publish", "[\"news\",\"e\",1]");
	say(root, "[2,\"cancel\",[1]]");
	heard(root, "fail 1 cancelled unknown");
	router_published(world.router, world.published, 0, CHAPI_RAN_YES, NULL, &world.now);
	heard_nothing(root);
}

static void test_publish_whose_sender_leaves(void **state UNUSED)
{
	ask(root, "publish", "[\"news\",\"e\",1]");
	leave(root);
	router_published(world.router, world.published, 0, CHAPI_RAN_YES, NULL, &world.now);
	heard_nothing(root);
}

/* ---- calls to other gateways ---------------------------------------------------------- */

static void elsewhere_answers(const struct failure *failure)
{
	router_elsewhere_answer(world.router, world.elsewhere, &(struct party_response){
		.failure = failure,
		.result = span_of("\x05", 1),
		.response_time = 1700000001,
		.gateway = span_str("attic"),
		.instance = span_str("beef"),
	}, &world.now);
}

static void test_elsewhere_call_gets_its_answer(void **state UNUSED)
{
	const struct failure failure = {
		.code = CHAPI_ERR_BUSY, .ran = CHAPI_RAN_NO, .message = span_str("full"),
	};

	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\"}]");
	assert_string_equal(text_of(&world.event), "attic door uid:1000 30000");
	assert_int_equal(router_n_calls(world.router), 1);
	heard_nothing(bob);
	elsewhere_answers(NULL);
	heard(bob, "ok 1 5");
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\",\"timeout_ms\":5}]");
	assert_string_equal(text_of(&world.event), "attic door uid:1000 5");
	elsewhere_answers(&failure);
	heard(bob, "fail 2 busy no");
	assert_int_equal(router_n_calls(world.router), 0);
	assert_int_equal(bob->party.pinned, 0);
}

static void test_elsewhere_record_is_of_who_answered(void **state UNUSED)
{
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\",\"full\":true,\"id\":\"mine\"}]");
	elsewhere_answers(NULL);
	assert_has(text_of(&bob->value), "\"id\":\"mine\",\"api\":\"door\",\"result\":5");
	assert_has(text_of(&bob->value), "\"gateway\":\"attic\",\"instance\":\"beef\"");
	buf_clear(&bob->said);
}

static void test_elsewhere_progress_is_for_who_asked(void **state UNUSED)
{
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\",\"progress\":true}]");
	assert_string_equal(text_of(&world.event), "attic door uid:1000 30000 progress");
	router_elsewhere_progress(world.router, world.elsewhere, span_of("\x07", 1));
	heard(bob, "progress 1 7");
	elsewhere_answers(NULL);
	heard(bob, "ok 1 5");
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\"}]");
	router_elsewhere_progress(world.router, world.elsewhere, span_of("\x07", 1));
	heard_nothing(bob);
	assert_int_equal(router_counters(world.router)->progress_dropped, 1);
	elsewhere_answers(NULL);
	heard(bob, "ok 2 5");
}

static void test_elsewhere_call_is_cancelled(void **state UNUSED)
{
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\"}]");
	router_cancel(world.router, &bob->party, bob->token, &world.now);
	heard(bob, "fail 1 cancelled unknown");
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\"}]");
	leave(bob);
	ask(carol, "call", "[\"door\",1,{\"to\":\"attic\"}]");
	router_cancel_all(world.router, &world.now);
	heard(carol, "fail 1 cancelled unknown");
	assert_int_equal(world.n_cancelled, 3);
	heard_nothing(bob);
}

static void test_elsewhere_one_way_call_is_done_when_begun(void **state UNUSED)
{
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\",\"oneway\":true}]");
	heard(bob, "ok 1 null");
	assert_int_equal(bob->party.pinned, 0);
	leave(bob);
	assert_int_equal(world.n_cancelled, 0);
	elsewhere_answers(NULL);
	heard_nothing(bob);
	assert_int_equal(router_n_calls(world.router), 0);
}

static void test_elsewhere_call_that_cannot_begin(void **state UNUSED)
{
	world.publish_rc = ELSEWHERE_E_REFUSED;
	fails(bob, "call", "[\"door\",1,{\"to\":\"attic\"}]", "too_large");
	assert_string_equal(text_of(&bob->value), "{\"size\":20,\"limit\":10}");
	world.publish_rc = 0;
	fails(bob, "call", "[\"no name\",1,{\"to\":\"attic\"}]", "invalid_argument");
	assert_int_equal(bob->party.pinned, 0);
	router_stop(world.router, &world.now);
	fails(bob, "call", "[\"door\",1,{\"to\":\"attic\"}]", "paused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EDGES_TEST(test_publish_ends_when_the_hub_has_it),
		EDGES_TEST(test_publish_with_an_outcome_that_is_not_known),
		EDGES_TEST(test_publish_refuses_the_hubs_own_names),
		EDGES_TEST(test_publish_of_what_has_no_json_form),
		EDGES_TEST(test_publish_when_too_much_waits),
		EDGES_TEST(test_cancel_takes_an_event_back),
		EDGES_TEST(test_cancel_of_an_event_under_way),
		EDGES_TEST(test_publish_whose_sender_leaves),
		EDGES_TEST(test_elsewhere_call_gets_its_answer),
		EDGES_TEST(test_elsewhere_record_is_of_who_answered),
		EDGES_TEST(test_elsewhere_progress_is_for_who_asked),
		EDGES_TEST(test_elsewhere_call_is_cancelled),
		EDGES_TEST(test_elsewhere_one_way_call_is_done_when_begun),
		EDGES_TEST(test_elsewhere_call_that_cannot_begin),
	};

	return cmocka_run_group_tests_name("router-elsewhere", tests, NULL, NULL);
}
