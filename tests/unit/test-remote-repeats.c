/* SPDX-License-Identifier: MIT */
/*
 * The remote side: requests that come again, and what is told of those that may have run. The
 * tables of what became of requests are tested in test-outcome.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/remote_edges.h"

/* ---- requests that come again ----------------------------------------------------------- */

#define RECORD_I "{\"id\":\"i\",\"api\":\"x\",\"result\":1,\"error\":null," TIMES "," GATEWAY

static void test_repeat_joins_the_first_while_it_runs(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	id_comes(&w, "i");
	id_comes(&w, "i");
	event_comes(&w, PUBLIC, "request",
		    "{\"id\":\"i\",\"api\":\"x\",\"timeout_ms\":1,\"progress\":true,"
		    "\"reply_to\":\"anything\",\"retry\":\"other\"}");
	assert_int_equal(w.router.n_calls, 1);
	assert_int_equal(w.n_published, 0);
	answer_call(&w, 0);
	assert_published(&w, 1, RECORD_I "}");
	assert_string_equal(w.channel, PRIVATE);
	world_deinit(&w);
}

static void test_repeat_afterwards_gets_the_kept_answer_where_the_first_went(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	id_comes(&w, "i");
	answer_call(&w, 0);
	event_comes(&w, PUBLIC, "request", "{\"id\":\"i\",\"api\":\"x\",\"retry\":\"other\"}");
	assert_published(&w, 2, RECORD_I ",\"cached\":true}");
	assert_string_equal(w.channel, PRIVATE);
	assert_true(w.has_id);
	id_comes(&w, "i");
	assert_int_equal(w.n_published, 2);
	assert_int_equal(w.router.n_calls, 1);
	remote_published(w.answer, 413);
	assert_int_equal(w.n_published, 2);
	world_deinit(&w);
}

static void test_answer_that_found_no_place_is_kept_for_the_repeat(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	w.full = true;
	id_comes(&w, "i");
	answer_call(&w, 0);
	w.full = false;
	id_comes(&w, "i");
	assert_published(&w, 1, RECORD_I ",\"cached\":true}");
	world_deinit(&w);
}

static void test_answer_that_is_not_kept_is_told_to_be_lost(void **state UNUSED)
{
	const struct failure failure = {
		.code = CHAPI_ERR_PROVIDER_GONE,
		.ran = CHAPI_RAN_UNKNOWN,
		.message = span_str("gone"),
	};
	struct remote_config config = defaults;
	struct world w;

	config.limits.answer_store_bytes = 0;
	world_init_config(&w, &config);
	id_comes(&w, "i");
	answer_call(&w, 0);
	id_comes(&w, "i");
	assert_says(&w, "\"code\":\"answer_lost\"");
	assert_says(&w, "\"ran\":\"yes\"");
	id_comes(&w, "j");
	answer_token(&w, w.router.calls[1].token, &failure, span_of(NULL, 0));
	id_comes(&w, "j");
	assert_says(&w, "\"code\":\"answer_lost\"");
	assert_says(&w, "\"ran\":\"unknown\"");
	assert_int_equal(w.router.n_calls, 2);
	world_deinit(&w);
}

static void
test_other_request_under_the_same_id_is_refused_when_the_first_is_over(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	id_comes(&w, "i");
	request_comes(&w, "{\"id\":\"i\",\"api\":\"y\"}");
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\",\"params\":1}");
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\",\"params\":{\"$x\":1}}");
	assert_int_equal(w.n_published, 0);
	assert_int_equal(status_of(&w).n_ignored, 3);
	answer_call(&w, 0);
	request_comes(&w, "{\"id\":\"i\",\"api\":\"y\"}");
	assert_int_equal(w.n_published, 2);
	assert_says(&w, "\"code\":\"invalid_argument\"");
	assert_says(&w, "\"details\":{\"reason\":\"id_reused\"}");
	assert_int_equal(w.router.n_calls, 1);
	world_deinit(&w);
}

static void refuse_call(struct world *w, size_t i)
{
	const struct failure paused = {
		.code = CHAPI_ERR_PAUSED, .ran = CHAPI_RAN_NO, .message = span_str("paused"),
	};

	answer_token(w, w->router.calls[i].token, &paused, span_of(NULL, 0));
}

/* Its caller may have asked again before it was told, and then been told that nothing ran. */
static void test_repeat_of_what_was_refused_is_refused_in_the_same_words(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	id_comes(&w, "i");
	refuse_call(&w, 0);
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\",\"retry\":\"00ff\","
			  "\"retry_ms\":15000,\"timeout_ms\":15000}");
	assert_int_equal(w.n_published, 2);
	assert_says(&w, "\"code\":\"paused\",\"message\":\"paused\",\"ran\":\"no\"");
	assert_says(&w, "\"cached\":true");
	id_comes(&w, "i");		/* too soon */
	request_comes(&w, "{\"id\":\"i\",\"api\":\"y\"}");
	assert_int_equal(w.n_published, 3);
	assert_says(&w, "\"details\":{\"reason\":\"id_reused\"}");
	assert_int_equal(w.router.n_calls, 1);
	world_deinit(&w);
}

static void test_refusal_is_forgotten_when_its_caller_has_given_up(void **state UNUSED)
{
	static const char text[] = "{\"id\":\"i\",\"api\":\"x\",\"timeout_ms\":1000}";
	struct remote_config config = defaults;
	struct world w;

	config.silence_ms = 100;
	world_init_config(&w, &config);
	request_comes(&w, text);
	refuse_call(&w, 0);
	request_comes_at(&w, now.ms + 1099, text);
	assert_says(&w, "\"cached\":true");
	assert_int_equal(w.router.n_calls, 1);
	request_comes_at(&w, now.ms + 1100, text);
	assert_int_equal(w.router.n_calls, 2);
	world_deinit(&w);
}

/* Where nothing is said, a later try may run. */
static void test_request_that_was_left_alone_runs_when_it_comes_again(void **state UNUSED)
{
	const struct failure unknown = {
		.code = CHAPI_ERR_API_NOT_FOUND,
		.ran = CHAPI_RAN_NO,
		.message = span_str("no such name"),
	};
	struct remote_config config = defaults;
	struct world w;

	config.limits.answer_unknown = false;
	world_init_config(&w, &config);
	id_comes(&w, "i");
	answer_token(&w, w.router.calls[0].token, &unknown, span_of(NULL, 0));
	assert_int_equal(w.n_published, 0);
	id_comes(&w, "i");
	assert_int_equal(w.router.n_calls, 2);
	world_deinit(&w);
}

/* 65,536 are known. One more is refused while all of them run, and then takes the place of what is
 * over: whose repeat does not run all the same. */
static void test_more_requests_than_can_be_kept_apart_are_told_so(void **state UNUSED)
{
	enum { KNOWN = 65536 };
	struct remote_config config = defaults;
	struct world w;
	char id[20];

	config.limits.max_calls = KNOWN + 10;
	world_init_config(&w, &config);
	for (int i = 0; i < KNOWN; i++) {
		snprintf(id, sizeof(id), "i%d", i);
		id_comes(&w, id);
	}
	assert_int_equal(w.router.n_calls, KNOWN);
	id_comes(&w, "more");
	assert_int_equal(w.n_published, 1);
	assert_says(&w, "\"id\":\"more\"");
	assert_says(&w, "\"code\":\"busy\"");
	assert_says(&w, "\"ran\":\"no\",\"details\":{\"retry_after_ms\":");
	id_comes(&w, "i0");		/* joins the first */
	assert_int_equal(w.n_published, 1);
	answer_call(&w, KNOWN - 1);
	id_comes(&w, "i65535");
	assert_int_equal(w.n_published, 3);
	assert_says(&w, "\"cached\":true");
	id_comes(&w, "another");
	assert_int_equal(w.router.n_calls, KNOWN + 1);
	request_comes(&w, "{\"id\":\"i65535\",\"api\":\"x\",\"retry\":\"00ff\"}");
	assert_int_equal(w.n_published, 4);
	assert_says(&w, "\"id\":\"i65535\"");
	assert_says(&w, "\"code\":\"answer_lost\"");
	assert_says(&w, "\"ran\":\"unknown\"");
	assert_int_equal(w.router.n_calls, KNOWN + 1);
	world_deinit(&w);
}

/* A flood of refusals takes no room of the answers, and what is forgotten of them does not run. */
static void test_flood_of_refusals_pushes_out_no_answer(void **state UNUSED)
{
	enum { FLOOD = 9000 };
	struct remote_config config = defaults;
	struct world w;
	char id[20];

	config.limits.max_rate = 2;	/* so 4 at once */
	config.limits.answer_store_bytes = 1000;
	world_init_config(&w, &config);
	id_comes(&w, "i");
	answer_call(&w, 0);
	for (int i = 0; i < 3; i++) {
		snprintf(id, sizeof(id), "run%d", i);
		id_comes(&w, id);
	}
	for (int i = 0; i < FLOOD; i++) {
		snprintf(id, sizeof(id), "f%d", i);
		id_comes(&w, id);
		assert_says(&w, "\"code\":\"rate_limited\"");
		w.n_published = 0;
	}
	id_comes(&w, "i");
	assert_says(&w, "\"id\":\"i\"");
	assert_says(&w, "\"cached\":true");
	request_comes_at(&w, now.ms + 4000, "{\"id\":\"f8999\",\"api\":\"x\"}");
	assert_says(&w, "\"code\":\"rate_limited\"");
	/* The first ones are not known any more: who says that it is a repeat is not run. */
	request_comes_at(&w, now.ms + 4000,
			 "{\"id\":\"f0\",\"api\":\"x\",\"retry\":\"00ff\","
			 "\"retry_ms\":4000,\"timeout_ms\":4000}");
	assert_says(&w, "\"id\":\"f0\"");
	assert_says(&w, "\"code\":\"busy\"");
	assert_says(&w, "\"ran\":\"no\"");
	request_comes_at(&w, now.ms + 4000, "{\"id\":\"f1\",\"api\":\"x\",\"retry\":\"00ff\"}");
	assert_says(&w, "\"id\":\"f1\"");
	assert_says(&w, "\"code\":\"busy\"");
	assert_int_equal(w.router.n_calls, 4);
	world_deinit(&w);
}

static void test_retry_of_another_instances_request_is_not_run(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	request_comes(&w, "{\"id\":\"a\",\"api\":\"x\",\"retry\":\"0100\"}");
	assert_int_equal(w.n_published, 1);
	assert_says(&w, "\"code\":\"failed_precondition\"");
	assert_says(&w, "\"ran\":\"unknown\",\"details\":{\"reason\":\"restarted\"}");
	request_comes(&w, "{\"id\":\"b\",\"api\":\"x\",\"retry\":\"\"}");
	assert_says(&w, "\"reason\":\"restarted\"");
	assert_int_equal(w.router.n_calls, 0);
	request_comes(&w, "{\"id\":\"c\",\"api\":\"idempotent\",\"retry\":\"0100\"}");
	request_comes(&w, "{\"id\":\"d\",\"api\":\"x\",\"retry\":\"00ff\"}");
	request_comes(&w, "{\"id\":\"e\",\"api\":\"x\",\"retry\":null}");
	assert_int_equal(w.router.n_calls, 3);
	world_deinit(&w);
}

/* They take of the rate as a request does that runs, and beyond it nothing wrong is said. */
static void test_refusals_of_known_ids_count_for_max_rate(void **state UNUSED)
{
	struct remote_config config = defaults;
	struct world w;

	config.limits.max_rate = 2;	/* so 4 at once */
	config.limits.answer_store_bytes = 0;
	world_init_config(&w, &config);
	id_comes(&w, "i");
	answer_call(&w, 0);
	id_comes(&w, "i");
	assert_says(&w, "\"code\":\"answer_lost\"");
	request_comes(&w, "{\"id\":\"i\",\"api\":\"y\"}");
	assert_says(&w, "\"reason\":\"id_reused\"");
	request_comes(&w, "{\"id\":\"r\",\"api\":\"x\",\"retry\":\"0100\"}");
	assert_says(&w, "\"reason\":\"restarted\"");
	id_comes(&w, "i");
	assert_says(&w, "\"code\":\"rate_limited\"");
	assert_says(&w, "\"ran\":\"yes\"");
	request_comes(&w, "{\"id\":\"i\",\"api\":\"y\"}");
	assert_says(&w, "\"code\":\"rate_limited\"");
	assert_says(&w, "\"ran\":\"no\"");
	id_comes(&w, "j");
	assert_says(&w, "\"code\":\"rate_limited\"");
	assert_int_equal(status_of(&w).n_limited, 3);
	world_deinit(&w);
}

/* It may have run elsewhere, so nothing may say that it did not. */
static void test_retry_to_another_instance_is_never_said_not_to_have_run(void **state UNUSED)
{
	struct remote_config config = defaults;
	struct world w;

	config.limits.max_rate = 1;	/* so 2 at once */
	world_init_config(&w, &config);
	id_comes(&w, "a");
	request_comes(&w,
		      "{\"id\":\"c\",\"api\":\"x\",\"retry\":\"0100\",\"reply_to\":\"nowhere\"}");
	assert_int_equal(w.n_published, 1);
	assert_says(&w, "\"ran\":\"unknown\",\"details\":{\"reason\":\"restarted\"}");
	request_comes(&w, "{\"id\":\"d\",\"api\":\"x\",\"retry\":\"0100\"}");
	assert_int_equal(w.n_published, 2);
	assert_says(&w, "\"code\":\"rate_limited\"");
	assert_says(&w, "\"ran\":\"unknown\"");
	world_deinit(&w);
}

/* Whoever sends it again after an hour's sleep must not have it run a second time. */
static void test_retry_of_what_may_have_been_forgotten_is_not_run(void **state UNUSED)
{
	struct remote_config config = defaults;
	struct world w;

	config.limits.answer_store_ms = 0;
	world_init_config(&w, &config);
	id_comes(&w, "i");
	answer_call(&w, 0);
	request_comes(&w,
		      "{\"id\":\"i\",\"api\":\"x\",\"retry\":\"00ff\",\"retry_ms\":1}");
	assert_int_equal(w.n_published, 2);
	assert_says(&w, "\"code\":\"answer_lost\"");
	assert_says(&w, "\"ran\":\"unknown\"");
	assert_int_equal(w.router.n_calls, 1);
	request_comes(&w, "{\"id\":\"j\",\"api\":\"idempotent\",\"retry\":\"00ff\","
			  "\"retry_ms\":1}");
	id_comes(&w, "k");
	assert_int_equal(w.router.n_calls, 3);
	world_deinit(&w);
}

static void test_retry_is_run_while_nothing_was_forgotten(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	id_comes(&w, "i");
	answer_call(&w, 0);
	request_comes(&w, "{\"id\":\"j\",\"api\":\"x\",\"retry\":\"00ff\","
			  "\"retry_ms\":9000000}");
	assert_int_equal(w.router.n_calls, 2);
	world_deinit(&w);
}

/* Else it would depend on the millisecond in which another call's id expires. */
static void test_retry_alone_is_run_when_what_is_too_old_for_it_expires(void **state UNUSED)
{
	const uint64_t ended_ms = now.ms + 12;	/* see response_of() */
	const uint64_t then_ms = ended_ms + defaults.limits.answer_store_ms;
	struct world w;

	world_init(&w);
	id_comes(&w, "i");
	answer_call(&w, 0);
	request_comes_at(&w, then_ms, "{\"id\":\"j\",\"api\":\"x\"}");
	request_comes_at(&w, then_ms, "{\"id\":\"k\",\"api\":\"x\",\"retry\":\"00ff\"}");
	assert_int_equal(w.router.n_calls, 3);
	world_deinit(&w);
}

/* It has been there for longer than the call, so the first try can only have been lost. */
static void test_retry_of_what_only_we_can_have_had_is_run(void **state UNUSED)
{
	static const char text[] = "{\"id\":\"a\",\"api\":\"x\",\"retry\":\"\",\"retry_ms\":500,"
				   "\"timeout_ms\":400}";
	struct remote_config config = defaults;
	struct world w;

	config.silence_ms = 100;
	config.start_ms = now.ms - 999;
	world_init_config(&w, &config);
	request_comes(&w, text);
	assert_says(&w, "\"reason\":\"restarted\"");
	assert_int_equal(w.router.n_calls, 0);
	world_deinit(&w);
	config.start_ms = now.ms - 1000;
	world_init_config(&w, &config);
	request_comes(&w, "{\"id\":\"a\",\"api\":\"x\",\"retry\":\"0100\",\"timeout_ms\":1}");
	request_comes(&w, "{\"id\":\"a\",\"api\":\"x\",\"retry\":\"0100\",\"retry_ms\":1}");
	assert_int_equal(w.router.n_calls, 0);
	request_comes(&w, text);
	assert_int_equal(w.router.n_calls, 1);
	request_comes(&w, text);
	assert_int_equal(w.router.n_calls, 1);
	world_deinit(&w);
}

/* One that counts wrong, or slept when it had written: the time of the request gives it away. */
static void test_retry_is_not_younger_than_its_request(void **state UNUSED)
{
	char text[200];
	struct remote_config config = defaults;
	struct world w;

	config.silence_ms = 100;
	config.start_ms = now.ms - 1000;
	world_init_config(&w, &config);
	for (int s = -1; s <= 1; s++) {
		snprintf(text, sizeof(text),
			 "{\"id\":\"%d\",\"api\":\"x\",\"retry\":\"\",\"retry_ms\":1,"
			 "\"timeout_ms\":1,\"request_time\":%.3f}", s, now.unix_s + s);
		request_comes(&w, text);
		if (s < 0)
			assert_says(&w, "\"reason\":\"restarted\"");
	}
	assert_int_equal(w.router.n_calls, 2);
	world_deinit(&w);
}

/* However soon answers are forgotten: who asks again does not know how soon. */
static void test_retry_alone_is_as_old_as_ten_minutes(void **state UNUSED)
{
	static const char again[] = "{\"id\":\"i\",\"api\":\"x\",\"retry\":\"00ff\"}";
	const uint64_t ended_ms = now.ms + 12;	/* see response_of() */
	struct remote_config config = defaults;
	struct world w;

	config.limits.answer_store_ms = 0;
	world_init_config(&w, &config);
	id_comes(&w, "i");
	answer_call(&w, 0);
	request_comes_at(&w, ended_ms + 1, again);
	assert_says(&w, "\"code\":\"answer_lost\"");
	assert_says(&w, "\"ran\":\"unknown\"");
	request_comes_at(&w, ended_ms + 599999, again);
	assert_int_equal(w.router.n_calls, 1);
	request_comes_at(&w, ended_ms + 600000, again);
	assert_int_equal(w.router.n_calls, 2);
	world_deinit(&w);
}

/* One that says nothing of its age is believed, one that says half of it is not. */
static void test_retry_of_half_known_age_is_not_run_once_anything_was_forgotten(void **state UNUSED)
{
	struct remote_config config = defaults;
	struct world w;

	config.limits.answer_store_ms = 0;
	world_init_config(&w, &config);
	request_comes(&w, "{\"id\":\"h\",\"api\":\"x\",\"retry\":\"00ff\"}");
	assert_int_equal(w.router.n_calls, 1);
	answer_call(&w, 0);
	request_comes_at(&w, 1000000, "{\"id\":\"i\",\"api\":\"x\",\"retry\":\"00ff\"}");
	assert_int_equal(w.router.n_calls, 2);
	request_comes_at(&w, 1000000, "{\"id\":\"j\",\"api\":\"x\",\"retry\":\"00ff\","
				      "\"retry_ms\":9}");
	assert_says(&w, "\"code\":\"answer_lost\"");
	request_comes_at(&w, 1000000, "{\"id\":\"k\",\"api\":\"x\",\"retry\":\"00ff\","
				      "\"retry_ms\":9,\"timeout_ms\":9}");
	assert_int_equal(w.router.n_calls, 3);
	world_deinit(&w);
}

static void test_how_long_it_is_out_makes_a_repeat_of_it_too(void **state UNUSED)
{
	struct remote_config config = defaults;
	struct world w;

	config.start_ms = now.ms;
	world_init_config(&w, &config);
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\",\"retry_ms\":9,\"timeout_ms\":9}");
	assert_says(&w, "\"reason\":\"restarted\"");
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\",\"retry_ms\":0}");
	assert_says(&w, "\"reason\":\"restarted\"");
	assert_int_equal(w.router.n_calls, 0);
	world_deinit(&w);
}

static void test_repeat_is_answered_beyond_max_calls_too(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	id_comes(&w, "i");
	answer_call(&w, 0);
	id_comes(&w, "a");
	id_comes(&w, "b");
	id_comes(&w, "c");
	id_comes(&w, "i");
	assert_published(&w, 2, RECORD_I ",\"cached\":true}");
	id_comes(&w, "a");
	assert_int_equal(w.n_published, 2);
	world_deinit(&w);
}

static void test_without_id_nothing_is_a_repeat(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	request_comes(&w, "{\"api\":\"x\",\"retry\":\"0100\"}");
	request_comes(&w, "{\"api\":\"x\"}");
	assert_int_equal(w.router.n_calls, 2);
	world_deinit(&w);
}

static void
test_repeat_of_what_the_hub_found_too_large_gets_the_answer_that_says_so(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	id_comes(&w, "i");
	answer_call(&w, 0);
	remote_published(w.answer, 413);
	remote_published(w.answer, 200);
	id_comes(&w, "i");
	assert_int_equal(w.n_published, 3);
	assert_says(&w, "\"code\":\"too_large\"");
	assert_says(&w, ",\"cached\":true}");
	world_deinit(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repeat_joins_the_first_while_it_runs),
		cmocka_unit_test(test_repeat_afterwards_gets_the_kept_answer_where_the_first_went),
		cmocka_unit_test(test_answer_that_found_no_place_is_kept_for_the_repeat),
		cmocka_unit_test(test_answer_that_is_not_kept_is_told_to_be_lost),
		cmocka_unit_test(
			test_other_request_under_the_same_id_is_refused_when_the_first_is_over),
		cmocka_unit_test(test_repeat_of_what_was_refused_is_refused_in_the_same_words),
		cmocka_unit_test(test_refusal_is_forgotten_when_its_caller_has_given_up),
		cmocka_unit_test(test_request_that_was_left_alone_runs_when_it_comes_again),
		cmocka_unit_test(test_more_requests_than_can_be_kept_apart_are_told_so),
		cmocka_unit_test(test_flood_of_refusals_pushes_out_no_answer),
		cmocka_unit_test(test_retry_of_another_instances_request_is_not_run),
		cmocka_unit_test(test_refusals_of_known_ids_count_for_max_rate),
		cmocka_unit_test(
			test_retry_to_another_instance_is_never_said_not_to_have_run),
		cmocka_unit_test(test_retry_of_what_only_we_can_have_had_is_run),
		cmocka_unit_test(test_retry_of_what_may_have_been_forgotten_is_not_run),
		cmocka_unit_test(test_retry_is_run_while_nothing_was_forgotten),
		cmocka_unit_test(test_retry_alone_is_run_when_what_is_too_old_for_it_expires),
		cmocka_unit_test(test_retry_is_not_younger_than_its_request),
		cmocka_unit_test(
			test_retry_of_half_known_age_is_not_run_once_anything_was_forgotten),
		cmocka_unit_test(test_retry_alone_is_as_old_as_ten_minutes),
		cmocka_unit_test(test_how_long_it_is_out_makes_a_repeat_of_it_too),
		cmocka_unit_test(test_repeat_is_answered_beyond_max_calls_too),
		cmocka_unit_test(test_without_id_nothing_is_a_repeat),
		cmocka_unit_test(
			test_repeat_of_what_the_hub_found_too_large_gets_the_answer_that_says_so),
	};

	return cmocka_run_group_tests_name("remote-repeats", tests, NULL, NULL);
}
