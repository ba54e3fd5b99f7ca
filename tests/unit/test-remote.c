/* SPDX-License-Identifier: MIT */
/*
 * The remote side between a router and a publisher that are played: what is handed to the
 * router for an event, and what is published for its answer.
 *
 * Requests that come again are in test-remote-repeats.c, the records' own rules in test-record.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "gateway/namesake.h"
#include "libchapi-ipc/mp.h"
#include "tests/unit/remote_edges.h"

/* ---- requests and their answers --------------------------------------------------------- */

static void test_request_is_handed_to_the_router(void **state UNUSED)
{
	struct world w;
	struct handed *h = w.router.calls;

	world_init(&w);
	request_comes(
		&w, "{\"id\":\"i-1\",\"api\":\"lights.on\",\"params\":{\"a\":1},\"caller\":\"Ann\","
		    "\"timeout_ms\":1500,\"request_time\":5.25,\"to\":\"pi\"}");
	assert_int_equal(w.router.n_calls, 1);
	assert_string_equal(h->api, "lights.on");
	assert_string_equal(h->call, "i-1");
	assert_string_equal(h->caller, "claimed:Ann");
	assert_int_equal(h->params_len, 4);
	assert_memory_equal(h->params, "\x81\xa1" "a\x01", 4);
	assert_true(h->request_time == 5.25);
	assert_int_equal(h->timeout_ms, 1500);
	assert_int_equal(w.n_published, 0);
	world_deinit(&w);
}

static void test_request_with_api_only(void **state UNUSED)
{
	struct world w;
	struct handed *h = w.router.calls;

	world_init(&w);
	request_comes(&w, "{\"api\":\"x\"}");
	assert_int_equal(w.router.n_calls, 1);
	assert_string_equal(h->call, "");
	assert_string_equal(h->caller, "");
	assert_int_equal(h->params[0], 0x80);
	assert_true(h->request_time == 0);
	assert_int_equal(h->timeout_ms, 0);
	world_deinit(&w);
}

static void test_answer_goes_where_the_request_came_from(void **state UNUSED)
{
	struct world w;
	char text[400];

	world_init(&w);
	for (size_t i = 0; i < ARRAY_SIZE(channels); i++) {
		snprintf(text, sizeof(text), "{\"id\":\"%zu\",\"api\":\"x\"}", i);
		event_comes(&w, channels[i], "request", text);
		answer_call(&w, i);
		snprintf(text, sizeof(text),
			 "{\"id\":\"%zu\",\"api\":\"x\",\"result\":1,\"error\":null," TIMES
			 "," GATEWAY "}",
			 i);
		assert_published(&w, (unsigned int)i + 1, text);
		assert_string_equal(w.channel, channels[i]);
	}
	world_deinit(&w);
}

static void test_answers_find_their_requests_in_any_order(void **state UNUSED)
{
	static const size_t order[] = { 1, 2, 0 };
	static const char *const ids[] = { "\"id\":\"a\"", "\"id\":\"b\"", "\"id\":\"c\"" };
	struct world w;

	world_init(&w);
	request_comes(&w, "{\"id\":\"a\",\"api\":\"x\"}");
	request_comes(&w, "{\"id\":\"b\",\"api\":\"x\"}");
	request_comes(&w, "{\"id\":\"c\",\"api\":\"x\"}");
	assert_int_equal(status_of(&w).n_running, 3);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		answer_call(&w, order[i]);
		assert_says(&w, ids[order[i]]);
	}
	assert_int_equal(status_of(&w).n_running, 0);
	world_deinit(&w);
}

static void test_answer_to_a_request_without_id_gives_its_fields_back(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	request_comes(
		&w, "{\"api\":\"x\",\"params\":{\"a\": 1.0},\"mine\":[ 2],\"gateway\":\"other\"}");
	answer_call(&w, 0);
	assert_published(&w, 1,
			 "{\"api\":\"x\",\"result\":1,\"error\":null,\"params\":{\"a\": 1.0}," TIMES
			 "," GATEWAY ",\"mine\":[ 2]}");
	world_deinit(&w);
}

static void test_answer_with_echo_has_params(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	request_comes(
		&w,
		"{\"id\":\"i\",\"api\":\"x\",\"params\":{\"a\": 1.0},\"mine\":2,\"echo\":true}");
	answer_call(&w, 0);
	assert_published(
		&w, 1,
		"{\"id\":\"i\",\"api\":\"x\",\"result\":1,\"error\":null,"
		"\"params\":{\"a\": 1.0}," TIMES
		"," GATEWAY "}");
	world_deinit(&w);
}

static void test_answer_at_once_is_published_once(void **state UNUSED)
{
	const struct party_response at_once = response_of(NULL, RESULT_1);
	struct world w;
	char text[400];

	world_init(&w);
	w.router.answer_at_once = &at_once;
	for (unsigned int i = 1; i <= 10; i++) {
		snprintf(text, sizeof(text),
			 "{\"id\":\"%u\",\"api\":\"x\",\"caller\":\"Ann\",\"mine\":1}", i);
		request_comes(&w, text);
		snprintf(text, sizeof(text),
			 "{\"id\":\"%u\",\"api\":\"x\",\"result\":1,\"error\":null," TIMES
			 "," GATEWAY "}",
			 i);
		assert_published(&w, i, text);
		assert_string_equal(w.router.calls[(i - 1) % CALLS_MAX].caller, "claimed:Ann");
		assert_int_equal(status_of(&w).n_running, 0);
	}
	request_comes(&w, "{\"api\":\"x\",\"mine\":1}");
	assert_says(&w, ",\"mine\":1}");
	world_deinit(&w);
}

static void test_answer_with_an_error(void **state UNUSED)
{
	const struct failure failure = {
		.code = CHAPI_ERR_API_ERROR, .ran = CHAPI_RAN_YES,
		.message = span_str("broken"), .details = span_of("\x81\xa1" "a\x01", 4),
	};
	struct world w;

	world_init(&w);
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\"}");
	answer_token(&w, w.router.calls[0].token, &failure, span_of(NULL, 0));
	assert_published(
		&w, 1,
		"{\"id\":\"i\",\"api\":\"x\",\"result\":null,\"error\":{\"code\":\"api_error\","
		"\"message\":\"broken\",\"ran\":\"yes\",\"details\":{\"a\":1}}," TIMES "," GATEWAY
		"}");
	world_deinit(&w);
}

static void test_answer_without_form_in_json_is_bad_reply(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\"}");
	answer_token(&w, w.router.calls[0].token, NULL, span_of("\xcb\x7f\xf8\0\0\0\0\0\0", 9));
	assert_says(&w, "\"code\":\"bad_reply\"");
	assert_says(&w, "\"ran\":\"yes\"");
	world_deinit(&w);
}

static void test_second_answer_is_ignored(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	request_comes(&w, "{\"id\":\"a\",\"api\":\"x\"}");
	answer_call(&w, 0);
	answer_call(&w, 0);
	assert_int_equal(w.n_published, 1);
	assert_int_equal(status_of(&w).n_ignored, 1);

	/* The place is used again, by another call: an old token does not answer it. */
	request_comes(&w, "{\"id\":\"b\",\"api\":\"x\"}");
	answer_call(&w, 0);
	assert_int_equal(w.n_published, 1);
	assert_int_equal(status_of(&w).n_running, 1);
	answer_token(&w, 77, NULL, RESULT_1);
	answer_token(&w, UINT64_MAX, NULL, RESULT_1);
	assert_int_equal(status_of(&w).n_ignored, 4);
	answer_call(&w, 1);
	assert_says(&w, "\"id\":\"b\"");
	world_deinit(&w);
}

static void test_calls_that_run_are_dropped_at_the_end(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	request_comes(&w, "{\"id\":\"a\",\"api\":\"x\",\"params\":{\"a\":1},\"echo\":true}");
	request_comes(&w, "{\"api\":\"x\",\"mine\":1}");
	world_deinit(&w);
	assert_int_equal(w.n_published, 0);
	assert_null(remote_free(NULL, &now));
}

/* ---- requests that are refused ---------------------------------------------------------- */

static void test_request_that_is_wrong_is_refused(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\",\"timeout_ms\":0}");
	assert_published(
		&w, 1,
		"{\"id\":\"i\",\"api\":\"x\",\"result\":null,"
		"\"error\":{\"code\":\"invalid_argument\","
		"\"message\":\"timeout_ms: has to be a number above 0\",\"ran\":\"no\"}," NO_TIMES
		"," GATEWAY "}");
	assert_string_equal(w.channel, PRIVATE);
	request_comes(&w, "{\"api\":\"x\",\"params\":{\"$x\":1},\"mine\":1}");
	assert_says(&w, "\"code\":\"invalid_argument\"");
	assert_says(&w, "\"params\":{\"$x\":1}");
	assert_says(&w, ",\"mine\":1}");
	assert_int_equal(w.router.n_calls, 0);
	assert_int_equal(status_of(&w).n_requests, 2);
	assert_int_equal(status_of(&w).n_responses, 2);
	world_deinit(&w);
}

static void test_request_for_an_answer_elsewhere_is_refused(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\",\"reply_to\":\"private-chapi-me@reply\"}");
	assert_string_equal(w.channel, PRIVATE);
	assert_says(&w, "\"code\":\"invalid_argument\",\"message\":\"reply_to: ");
	assert_says(&w, "\"ran\":\"no\"");
	assert_int_equal(w.router.n_calls, 0);
	world_deinit(&w);
}

static void test_request_beyond_max_calls_is_refused(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	for (unsigned int i = 0; i < defaults.limits.max_calls; i++)
		id_comes(&w, (const char *[]){ "a1", "a2", "a3" }[i]);
	assert_int_equal(w.n_published, 0);
	request_comes(&w, "{\"id\":\"b\",\"api\":\"x\"}");
	assert_published(
		&w, 1,
		"{\"id\":\"b\",\"api\":\"x\",\"result\":null,\"error\":{\"code\":\"rate_limited\","
		"\"message\":\"3 calls of remote callers run already (max_calls); try again "
		"later\",\"ran\":\"no\","
		"\"details\":{\"retry_after_ms\":1000}}," NO_TIMES "," GATEWAY "}");
	request_comes(&w, "{\"api\":\"x\"}");
	assert_int_equal(w.n_published, 1);
	assert_int_equal(status_of(&w).n_ignored, 0);
	assert_int_equal(status_of(&w).n_limited, 2);
	assert_int_equal(w.router.n_calls, defaults.limits.max_calls);
	answer_call(&w, 1);
	request_comes(&w, "{\"api\":\"x\"}");
	assert_int_equal(w.router.n_calls, defaults.limits.max_calls + 1);
	assert_int_equal(status_of(&w).n_running, defaults.limits.max_calls);
	world_deinit(&w);
}

static void test_request_beyond_max_rate_is_refused(void **state UNUSED)
{
	struct remote_config config = defaults;
	struct world w;

	config.limits.max_calls = 100;
	config.limits.max_rate = 1;
	world_init_config(&w, &config);
	id_comes(&w, "a");
	id_comes(&w, "b");
	assert_int_equal(w.n_published, 0);
	id_comes(&w, "c");
	assert_int_equal(w.n_published, 1);
	assert_says(&w, "\"id\":\"c\"");
	assert_says(&w, "\"code\":\"rate_limited\"");
	assert_says(&w, "\"ran\":\"no\"");
	assert_says(&w, "\"details\":{\"retry_after_ms\":1000}");
	request_comes(&w, "{\"api\":\"x\"}");
	assert_int_equal(w.n_published, 1);
	request_comes(&w, "{\"id\":\"d\",\"api\":\"x\",\"to\":\"another\"}");
	assert_int_equal(w.n_published, 1);
	assert_int_equal(status_of(&w).n_limited, 2);
	assert_int_equal(w.router.n_calls, 2);
	world_deinit(&w);
}

/* Nothing is run for it, and its caller needs the answer. */
static void test_repeat_is_answered_beyond_max_rate_too(void **state UNUSED)
{
	struct remote_config config = defaults;
	struct world w;

	config.limits.max_rate = 1;
	world_init_config(&w, &config);
	id_comes(&w, "a");
	answer_call(&w, 0);
	id_comes(&w, "b");
	id_comes(&w, "a");
	assert_int_equal(w.n_published, 2);
	assert_says(&w, "\"cached\":true");
	world_deinit(&w);
}

static void test_unknown_name_is_answered_unless_set_otherwise(void **state UNUSED)
{
	const struct failure unknown = {
		.code = CHAPI_ERR_API_NOT_FOUND,
		.ran = CHAPI_RAN_NO,
		.message = span_str("no such name"),
	};
	const struct failure other = {
		.code = CHAPI_ERR_PAUSED, .ran = CHAPI_RAN_NO, .message = span_str("paused"),
	};
	struct remote_config config = defaults;
	struct world w;

	world_init(&w);
	request_comes(&w, "{\"id\":\"a\",\"api\":\"x\"}");
	answer_token(&w, w.router.calls[0].token, &unknown, span_of(NULL, 0));
	assert_says(&w, "\"code\":\"api_not_found\"");
	world_deinit(&w);

	config.limits.answer_unknown = false;
	world_init_config(&w, &config);
	request_comes(&w, "{\"id\":\"a\",\"api\":\"x\"}");
	request_comes(&w, "{\"id\":\"b\",\"api\":\"x\"}");
	answer_token(&w, w.router.calls[0].token, &unknown, span_of(NULL, 0));
	assert_int_equal(w.n_published, 0);
	assert_int_equal(status_of(&w).n_ignored, 1);
	assert_int_equal(status_of(&w).n_running, 1);
	answer_token(&w, w.router.calls[1].token, &other, span_of(NULL, 0));
	assert_int_equal(w.n_published, 1);
	world_deinit(&w);
}

/* Of what nobody has here another gateway on the channel has something to say. */
static void test_request_of_an_unknown_name_is_left_alone_whatever_there_is_to_say(
	void **state UNUSED)
{
	struct remote_config config = defaults;
	struct world w;

	config.limits.answer_unknown = false;
	config.limits.max_rate = 1;	/* so 2 at once */
	world_init_config(&w, &config);
	request_comes(&w, "{\"id\":\"a\",\"api\":\"elsewhere\",\"retry\":\"0100\"}");
	request_comes(&w, "{\"id\":\"b\",\"api\":\"elsewhere\",\"timeout_ms\":0}");
	request_comes(&w, "{\"id\":\"c\",\"api\":\"elsewhere\",\"reply_to\":\"nowhere\"}");
	request_comes(&w, "{\"id\":\"d\",\"api\":\"elsewhere\"}");
	assert_int_equal(status_of(&w).n_ignored, 4);
	assert_int_equal(w.n_published, 0);
	/* And takes nothing of max_rate. */
	request_comes(&w, "{\"id\":\"e\",\"api\":\"x\"}");
	request_comes(&w, "{\"id\":\"f\",\"api\":\"x\"}");
	assert_int_equal(w.router.n_calls, 2);
	assert_int_equal(w.n_published, 0);
	request_comes(&w, "{\"id\":\"g\",\"api\":\"x\"}");
	assert_says(&w, "\"code\":\"rate_limited\"");
	world_deinit(&w);
}

/* ---- answers that are too large --------------------------------------------------------- */

/* A text of len bytes as a result. */
static void answer_large(struct world *w, size_t i, size_t len, const struct failure *failure)
{
	CLEANUP(buf_deinit) struct buf result = BUF_NULL, text = BUF_NULL;

	while (text.len < len)
		buf_put_byte(&text, 'y');
	mp_put_text(&result, buf_span(&text));
	answer_token(w, w->router.calls[i].token, failure, buf_span(&result));
	buf_deinit(&text);
}

static void test_answer_that_fits_exactly_is_published(void **state UNUSED)
{
	struct remote_config config = defaults;
	size_t head;
	struct world w;

	config.room.max_event_bytes = 1024;
	world_init_config(&w, &config);
	id_comes(&w, "i");
	answer_large(&w, 0, 0, NULL);
	head = w.payload.len;
	id_comes(&w, "j");
	answer_large(&w, 1, 1024 - head, NULL);
	assert_int_equal(w.payload.len, 1024);
	assert_says(&w, "yyy\",\"error\":null");
	id_comes(&w, "k");
	answer_large(&w, 2, 1025 - head, NULL);
	assert_published(
		&w, 3,
		"{\"id\":\"k\",\"api\":\"x\",\"result\":null,\"error\":{\"code\":\"too_large\","
		"\"message\":\"the answer has 1025 bytes, more than the 1024 that can be sent\","
		"\"ran\":\"yes\",\"details\":{\"size\":1025,\"limit\":1024}}," TIMES "," GATEWAY
		"}");
	world_deinit(&w);
}

static void test_error_that_is_too_large_keeps_what_is_known_of_the_run(void **state UNUSED)
{
	struct remote_config config = defaults;
	char words[1200] = "";
	const struct failure failure = {
		.code = CHAPI_ERR_PROVIDER_GONE, .ran = CHAPI_RAN_UNKNOWN,
		.message = span_of(words, sizeof(words)),
	};
	struct world w;

	memset(words, 'z', sizeof(words));
	config.room.max_event_bytes = 1024;
	world_init_config(&w, &config);
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\"}");
	answer_token(&w, w.router.calls[0].token, &failure, span_of(NULL, 0));
	assert_says(&w, "\"code\":\"too_large\"");
	assert_says(&w, "\"ran\":\"unknown\"");
	world_deinit(&w);
}

/* Without id: its own params are what makes the answer too large, so they are left out. */
static void test_answer_with_large_params_leaves_them_out(void **state UNUSED)
{
	struct remote_config config = defaults;
	char request[1200];
	struct world w;

	config.room.max_event_bytes = 1024;
	world_init_config(&w, &config);
	snprintf(request, sizeof(request),
		 "{\"api\":\"x\",\"params\":{\"a\":1},\"mine\":\"%01000d\"}", 1);
	request_comes(&w, request);
	answer_call(&w, 0);
	assert_says(&w, "\"code\":\"too_large\"");
	assert_says_not(&w, "mine");
	assert_true(w.payload.len <= 1024);
	snprintf(request, sizeof(request), "{\"api\":\"x\",\"params\":{\"a\":1},\"mine\":1}");
	request_comes(&w, request);
	answer_large(&w, 1, 2000, NULL);
	assert_says(&w, "\"code\":\"too_large\"");
	assert_says(&w, "\"params\":{\"a\":1}");
	assert_says(&w, "\"mine\":1");
	world_deinit(&w);
}

static void test_answer_that_cannot_be_made_small_is_counted(void **state UNUSED)
{
	struct remote_config config = defaults;
	struct world w;

	config.room.max_event_bytes = 128;
	world_init_config(&w, &config);
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\"}");
	answer_call(&w, 0);
	assert_int_equal(w.n_published, 0);
	assert_int_equal(status_of(&w).n_ignored, 1);
	assert_int_equal(status_of(&w).n_responses, 0);
	assert_int_equal(status_of(&w).n_running, 0);
	world_deinit(&w);
}

/* ---- which events count ----------------------------------------------------------------- */

static void assert_ignored(const char *channel, const char *event, const char *payload)
{
	struct world w;

	world_init(&w);
	event_comes(&w, channel, event, payload);
	if (w.router.n_calls || w.n_published || status_of(&w).n_requests)
		fail_msg("%s %s %s was not ignored", channel, event, payload);
	assert_int_equal(status_of(&w).n_ignored, 1);
	world_deinit(&w);
}

#define REQUEST "{\"id\":\"i\",\"api\":\"x\"}"

static void test_client_event_counts_on_private_channels_only(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	event_comes(&w, PRIVATE, "client-request", REQUEST);
	assert_int_equal(w.router.n_calls, 1);
	answer_call(&w, 0);
	assert_string_equal(w.event, "response");
	assert_string_equal(w.channel, PRIVATE);
	world_deinit(&w);
	assert_ignored(PUBLIC, "client-request", REQUEST);
	assert_ignored(ENCRYPTED, "client-request", REQUEST);
	assert_ignored(PRESENCE, "client-request", REQUEST);
}

static void test_event_of_another_channel_is_ignored(void **state UNUSED)
{
	assert_ignored("private-chapi-pi2", "request", REQUEST);
	assert_ignored("private-chapi-p", "request", REQUEST);
	assert_ignored("", "request", REQUEST);
	assert_ignored("private-chapi-pi2", "response", "{\"gateway\":\"pi\",\"instance\":\"x\"}");
}

static void test_event_of_another_name_is_ignored(void **state UNUSED)
{
	static const char *const events[] = {
		"", "Request", "request2", "client-response", "client-client-request",
		"pusher:request",
	};

	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		assert_ignored(PRIVATE, events[i], REQUEST);
}

static void test_event_that_is_no_request_is_ignored(void **state UNUSED)
{
	static const char *const payloads[] = {
		"", "hello", "[]", "{}", "{\"id\":\"i\"}", "{\"api\":7}", "{\"api\":\"x\"", "\xff",
	};

	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++)
		assert_ignored(PRIVATE, "request", payloads[i]);
}

static void test_request_to_another_gateway_is_ignored(void **state UNUSED)
{
	assert_ignored(PUBLIC, "request", "{\"id\":\"i\",\"api\":\"x\",\"to\":\"other\"}");
	assert_ignored(PUBLIC, "request", "{\"id\":\"i\",\"api\":\"x\",\"to\":\"PI\"}");
	assert_ignored(PUBLIC, "request",
		       "{\"id\":\"i\",\"api\":\"x\",\"to\":\"other\",\"timeout_ms\":0}");
}

static void test_event_names_are_settings(void **state UNUSED)
{
	struct remote_config config = defaults;
	struct world w;

	config.request_event = "ask";
	config.response_event = "tell";
	world_init_config(&w, &config);
	event_comes(&w, PRIVATE, "request", REQUEST);
	assert_int_equal(w.router.n_calls, 0);
	event_comes(&w, PRIVATE, "ask", REQUEST);
	event_comes(&w, PRIVATE, "client-ask", "{\"id\":\"j\",\"api\":\"x\"}");
	assert_int_equal(w.router.n_calls, 2);
	answer_call(&w, 0);
	assert_string_equal(w.event, "tell");
	world_deinit(&w);
}

static void test_two_gateways_of_one_name_are_noticed(void **state UNUSED)
{
	static const char *const harmless[] = {
		"{\"gateway\":\"pi\",\"instance\":\"00ff\"}",	/* ours, come back */
		"{\"gateway\":\"other\",\"instance\":\"1234\"}",
		"{\"instance\":\"1234\"}", "hello", "",
	};
	struct world w;

	world_init(&w);
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		event_comes(&w, PRIVATE, "response", harmless[i]);
	assert_int_equal(remote_namesake(w.remote)->n_seen, 0);
	event_comes(&w, PRIVATE, "response", "{\"gateway\":\"pi\",\"instance\":\"1234\"}");
	event_comes(&w, PUBLIC, "response", "{\"gateway\":\"pi\",\"instance\":\"1234\"}");
	assert_int_equal(remote_namesake(w.remote)->n_seen, 2);
	assert_string_equal(remote_namesake(w.remote)->seen, "1234");
	assert_int_equal(status_of(&w).n_ignored, ARRAY_SIZE(harmless) + 2);
	assert_int_equal(w.n_published, 0);
	world_deinit(&w);
}

#define BEACON "private-chapi-pi@up"

/* What another of our name sees of us, if we have just said that we are there. */
static void assert_announced(const struct world *w, unsigned int n)
{
	assert_int_equal(w->n_published, n);
	assert_string_equal(w->channel, BEACON);
	assert_string_equal(w->event, "chapi-here");
	assert_true(span_is(buf_span(&w->payload), "{" GATEWAY "}"));
	assert_true(w->has_id);
	assert_null(w->answer);
	assert_null(w->progress_of);
}

/* An answer that another gateway of our name does not see is followed by what it does see. */
static void test_answer_elsewhere_is_followed_by_an_announcement(void **state UNUSED)
{
	static const char *const patterns[] = { "private-chapi-*@reply" };
	static const char ask[] = "{\"api\":\"x\",\"reply_to\":\"private-chapi-a@reply\"}";
	struct remote_config config = defaults;
	struct world w;

	config.limits.reply_channels = patterns;
	config.limits.n_reply_channels = ARRAY_SIZE(patterns);
	world_init_config(&w, &config);
	request_comes(&w, REQUEST);
	answer_call(&w, 0);
	assert_true(remote_next_ms(w.remote) == UINT64_MAX);	/* that one shows whose it is */
	request_comes(&w, ask);
	answer_call(&w, 1);
	assert_string_equal(w.channel, "private-chapi-a@reply");
	assert_int_equal(w.n_waits, 1);
	assert_in_range(remote_next_ms(w.remote), 0, now.ms);
	tick_at(&w, now.ms);
	assert_announced(&w, 3);
	assert_true(remote_next_ms(w.remote) == UINT64_MAX);
	/* Of many such answers one in ten minutes. */
	for (size_t i = 2; i < 5; i++) {
		request_comes(&w, ask);
		answer_call(&w, i);
		tick_at(&w, now.ms + 599999);
	}
	assert_int_equal(w.n_published, 6);
	assert_int_equal(remote_next_ms(w.remote), now.ms + 600000);
	tick_at(&w, now.ms + 600000);
	assert_announced(&w, 7);
	world_deinit(&w);
}

static void test_announcement_that_cannot_be_sent_comes_later(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	event_comes(&w, PRIVATE, "response", "{\"gateway\":\"pi\",\"instance\":\"1234\"}");
	w.full = true;
	tick_at(&w, now.ms);
	assert_int_equal(remote_next_ms(w.remote), now.ms + 600000);
	w.full = false;
	tick_at(&w, now.ms + 600000);
	assert_announced(&w, 1);
	world_deinit(&w);
}

/* It is seen by what it says on the beacon, and is told that we are there, too. */
static void test_gateway_of_our_name_is_seen_on_the_beacon(void **state UNUSED)
{
	static const char *const harmless[] = {
		"{" GATEWAY "}",	/* our own, come back */
		"{\"gateway\":\"other\",\"instance\":\"1234\"}", "hello", "",
	};
	static const char other[] = "{\"gateway\":\"pi\",\"instance\":\"1234\"}";
	struct world w;

	world_init(&w);
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		event_comes(&w, BEACON, "chapi-here", harmless[i]);
	assert_int_equal(status_of(&w).n_ignored, 0);
	event_comes(&w, BEACON, "client-chapi-here", other);
	event_comes(&w, BEACON, "request", REQUEST);
	event_comes(&w, PRIVATE, "chapi-here", other);
	assert_int_equal(status_of(&w).n_ignored, 3);
	tick_at(&w, now.ms);
	assert_int_equal(remote_namesake(w.remote)->n_seen, 0);
	assert_int_equal(w.n_published, 0);
	event_comes(&w, BEACON, "chapi-here", other);
	assert_int_equal(remote_namesake(w.remote)->n_seen, 1);
	assert_int_equal(remote_namesake(w.remote)->seen_ms, now.ms);
	assert_string_equal(remote_namesake(w.remote)->seen, "1234");
	tick_at(&w, now.ms);
	assert_announced(&w, 1);
	assert_int_equal(w.router.n_calls, 0);
	world_deinit(&w);
}

static void test_status_counts(void **state UNUSED)
{
	struct remote_status status;
	struct world w;

	world_init(&w);
	id_comes(&w, "a");
	id_comes(&w, "b");
	answer_call(&w, 0);
	request_comes(&w, "{}");
	status = status_of(&w);
	assert_int_equal(status.n_requests, 2);
	assert_int_equal(status.n_responses, 1);
	assert_int_equal(status.n_ignored, 1);
	assert_int_equal(status.n_running, 1);
	world_deinit(&w);
}

/* ---- what became of an answer ----------------------------------------------------------- */

static void test_publication_tells_whether_it_may_be_repeated_and_until_when(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\",\"timeout_ms\":1500}");
	answer_call(&w, 0);
	assert_true(w.has_id);
	assert_int_equal(w.deadline_ms, now.ms + 1500);
	request_comes(&w, "{\"api\":\"x\"}");
	answer_call(&w, 1);
	assert_false(w.has_id);
	assert_int_equal(w.deadline_ms, now.ms + 30000);
	request_comes(&w, "{\"id\":\"j\",\"api\":\"x\",\"timeout_ms\":1e15}");
	answer_call(&w, 2);
	assert_int_equal(w.deadline_ms, now.ms + 600000);
	world_deinit(&w);
}

static void test_published_answer_is_the_end_of_it(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	id_comes(&w, "a");
	answer_call(&w, 0);
	remote_published(w.answer, 200);
	id_comes(&w, "b");
	answer_call(&w, 1);
	remote_published(w.answer, 0);
	assert_int_equal(w.n_published, 2);
	world_deinit(&w);
}

static void test_answer_too_large_for_the_hub_becomes_too_large(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\",\"timeout_ms\":1500}");
	answer_call(&w, 0);
	remote_published(w.answer, 413);
	assert_int_equal(w.n_published, 2);
	assert_string_equal(w.channel, PRIVATE);
	assert_says(&w, "\"id\":\"i\"");
	assert_says(&w, "\"code\":\"too_large\"");
	assert_says(&w, "\"ran\":\"yes\"");
	assert_says(&w, "the hub refused it as too large");
	assert_says(&w, TIMES);
	assert_int_equal(w.deadline_ms, now.ms + 1500);
	/* Not for ever. */
	remote_published(w.answer, 413);
	assert_int_equal(w.n_published, 2);
	world_deinit(&w);
}

static void test_answer_of_one_without_id_becomes_too_large_too(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	request_comes(&w, "{\"api\":\"x\",\"params\":{\"a\":1},\"ref\":7}");
	answer_call(&w, 0);
	remote_published(w.answer, 413);
	assert_int_equal(w.n_published, 2);
	assert_says(&w, "\"code\":\"too_large\"");
	assert_says(&w, "\"params\":{\"a\":1}");
	assert_says(&w, "\"ref\":7");
	remote_published(w.answer, 200);
	world_deinit(&w);
}

static void test_answer_that_finds_no_place_is_not_counted(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	w.full = true;
	request_comes(&w, "{\"id\":\"i\",\"api\":\"x\"}");
	answer_call(&w, 0);
	assert_int_equal(status_of(&w).n_responses, 0);
	world_deinit(&w);
}

/* ---- cancel and progress ---------------------------------------------------------------- */

static void test_cancel_ends_the_call_of_its_id(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	id_comes(&w, "a");
	id_comes(&w, "b");
	event_comes(&w, PRIVATE, "cancel", "{\"id\":\"b\"}");
	assert_int_equal(w.router.cancelled, w.router.calls[1].token);
	w.router.cancelled = 0;
	event_comes(&w, PRIVATE, "client-cancel", "{\"id\":\"a\"}");
	assert_int_equal(w.router.cancelled, w.router.calls[0].token);
	assert_int_equal(status_of(&w).n_ignored, 0);
	world_deinit(&w);
}

static void test_cancel_of_what_does_not_run_is_ignored(void **state UNUSED)
{
	static const char *const texts[] = {
		"{\"id\":\"z\"}", "{\"id\":\"a\"}", "{\"id\":7}", "{}", "[]", "x", "{\"id\":\"\"}",
	};
	struct world w;

	world_init(&w);
	id_comes(&w, "a");
	answer_call(&w, 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		event_comes(&w, PRIVATE, "cancel", texts[i]);
	assert_int_equal(w.router.cancelled, 0);
	assert_int_equal(status_of(&w).n_ignored, ARRAY_SIZE(texts));
	id_comes(&w, "b");
	event_comes(&w, PUBLIC, "client-cancel", "{\"id\":\"b\"}");
	assert_int_equal(w.router.cancelled, 0);
	world_deinit(&w);
}

static void provider_says(struct world *w, size_t i, const char *text)
{
	CLEANUP(buf_deinit) struct buf value = BUF_NULL;

	mp_put_str(&value, text);
	w->router.party->ops->progress(w->router.party, w->router.calls[i].token, buf_span(&value));
}

static void world_with_progress(struct world *w)
{
	world_init(w);
	request_comes(w, "{\"id\":\"a\",\"api\":\"x\",\"progress\":true}");
	assert_true(w->router.calls[0].progress);
	assert_int_equal(remote_next_ms(w->remote), UINT64_MAX);
}

/* The nth event was progress. */
static void assert_progress(const struct world *w, unsigned int n, const char *text)
{
	assert_int_equal(w->n_published, n);
	assert_string_equal(w->event, "progress");
	assert_int_equal(w->payload.len, strlen(text));
	assert_memory_equal(buf_data(&w->payload), text, strlen(text));
}

static void test_progress_is_published_with_its_number(void **state UNUSED)
{
	struct world w;

	world_with_progress(&w);
	provider_says(&w, 0, "half");
	assert_int_equal(w.n_published, 0);
	assert_int_equal(w.n_waits, 1);
	assert_in_range(remote_next_ms(w.remote), 0, now.ms);
	tick_at(&w, now.ms);
	assert_progress(&w, 1, "{\"id\":\"a\",\"seq\":0,\"value\":\"half\"}");
	assert_string_equal(w.channel, PRIVATE);
	assert_false(w.has_id);
	remote_progress_published(w.progress_of);
	provider_says(&w, 0, "nearly");
	assert_int_equal(remote_next_ms(w.remote), now.ms + 500);
	tick_at(&w, now.ms + 499);
	assert_int_equal(w.n_published, 1);
	tick_at(&w, now.ms + 500);
	assert_progress(&w, 2, "{\"id\":\"a\",\"seq\":1,\"value\":\"nearly\"}");
	remote_progress_published(w.progress_of);
	world_deinit(&w);
}

static void test_latest_progress_wins(void **state UNUSED)
{
	struct world w;

	world_with_progress(&w);
	provider_says(&w, 0, "1");
	provider_says(&w, 0, "2");
	provider_says(&w, 0, "3");
	tick_at(&w, now.ms);
	assert_progress(&w, 1, "{\"id\":\"a\",\"seq\":0,\"value\":\"3\"}");
	assert_int_equal(status_of(&w).n_progress_dropped, 2);
	/* The hub is slow: nothing follows before it has taken the last. */
	provider_says(&w, 0, "4");
	assert_int_equal(remote_next_ms(w.remote), UINT64_MAX);
	tick_at(&w, now.ms + 5000);
	assert_int_equal(w.n_published, 1);
	remote_progress_published(w.progress_of);
	tick_at(&w, now.ms + 5000);
	assert_int_equal(w.n_published, 2);
	world_deinit(&w);
}

static void test_progress_that_waits_is_dropped_by_the_answer(void **state UNUSED)
{
	struct world w;

	world_with_progress(&w);
	provider_says(&w, 0, "half");
	answer_call(&w, 0);
	assert_int_equal(w.n_published, 1);
	assert_string_equal(w.event, "response");
	assert_int_equal(remote_next_ms(w.remote), UINT64_MAX);
	tick_at(&w, now.ms + 1000);
	provider_says(&w, 0, "too late");
	tick_at(&w, now.ms + 2000);
	assert_int_equal(w.n_published, 1);
	assert_int_equal(status_of(&w).n_progress_dropped, 1);
	world_deinit(&w);
}

/* The answer, and the end of the remote side, while an event with progress is under way. */
static void test_progress_under_way_outlives_its_call(void **state UNUSED)
{
	void *progress_of;
	struct world w;

	world_with_progress(&w);
	provider_says(&w, 0, "half");
	tick_at(&w, now.ms);
	progress_of = w.progress_of;
	answer_call(&w, 0);
	remote_published(w.answer, 200);
	remote_progress_published(progress_of);
	id_comes(&w, "b");
	provider_says(&w, 1, "half");
	tick_at(&w, now.ms);
	world_deinit(&w);
}

static void test_progress_that_cannot_be_sent_is_left_out(void **state UNUSED)
{
	struct world w;

	world_with_progress(&w);
	w.full = true;
	provider_says(&w, 0, "half");
	tick_at(&w, now.ms);
	w.full = false;
	w.router.party->ops->progress(w.router.party, w.router.calls[0].token,
				      span_of("\xcb\x7f\xf8\0\0\0\0\0\0", 9));	/* NaN */
	tick_at(&w, now.ms + 1000);
	assert_int_equal(w.n_published, 0);
	assert_int_equal(status_of(&w).n_progress_dropped, 2);
	provider_says(&w, 0, "ok");
	tick_at(&w, now.ms + 1000);
	assert_says(&w, "\"seq\":0,");
	world_deinit(&w);
}

/* Who cannot tell it apart from that of others does not get it. */
static void test_progress_needs_to_be_asked_for_and_an_id(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	id_comes(&w, "a");
	request_comes(&w, "{\"api\":\"x\",\"progress\":true}");
	assert_false(w.router.calls[0].progress);
	assert_false(w.router.calls[1].progress);
	world_deinit(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_publication_tells_whether_it_may_be_repeated_and_until_when),
		cmocka_unit_test(test_published_answer_is_the_end_of_it),
		cmocka_unit_test(test_answer_too_large_for_the_hub_becomes_too_large),
		cmocka_unit_test(test_answer_of_one_without_id_becomes_too_large_too),
		cmocka_unit_test(test_answer_that_finds_no_place_is_not_counted),
		cmocka_unit_test(test_request_is_handed_to_the_router),
		cmocka_unit_test(test_request_with_api_only),
		cmocka_unit_test(test_answer_goes_where_the_request_came_from),
		cmocka_unit_test(test_answers_find_their_requests_in_any_order),
		cmocka_unit_test(test_answer_to_a_request_without_id_gives_its_fields_back),
		cmocka_unit_test(test_answer_with_echo_has_params),
		cmocka_unit_test(test_answer_at_once_is_published_once),
		cmocka_unit_test(test_answer_with_an_error),
		cmocka_unit_test(test_answer_without_form_in_json_is_bad_reply),
		cmocka_unit_test(test_second_answer_is_ignored),
		cmocka_unit_test(test_calls_that_run_are_dropped_at_the_end),
		cmocka_unit_test(test_request_that_is_wrong_is_refused),
		cmocka_unit_test(test_request_for_an_answer_elsewhere_is_refused),
		cmocka_unit_test(test_request_beyond_max_calls_is_refused),
		cmocka_unit_test(test_request_beyond_max_rate_is_refused),
		cmocka_unit_test(test_repeat_is_answered_beyond_max_rate_too),
		cmocka_unit_test(test_unknown_name_is_answered_unless_set_otherwise),
		cmocka_unit_test(
			test_request_of_an_unknown_name_is_left_alone_whatever_there_is_to_say),
		cmocka_unit_test(test_answer_that_fits_exactly_is_published),
		cmocka_unit_test(test_error_that_is_too_large_keeps_what_is_known_of_the_run),
		cmocka_unit_test(test_answer_with_large_params_leaves_them_out),
		cmocka_unit_test(test_answer_that_cannot_be_made_small_is_counted),
		cmocka_unit_test(test_client_event_counts_on_private_channels_only),
		cmocka_unit_test(test_event_of_another_channel_is_ignored),
		cmocka_unit_test(test_event_of_another_name_is_ignored),
		cmocka_unit_test(test_event_that_is_no_request_is_ignored),
		cmocka_unit_test(test_request_to_another_gateway_is_ignored),
		cmocka_unit_test(test_event_names_are_settings),
		cmocka_unit_test(test_two_gateways_of_one_name_are_noticed),
		cmocka_unit_test(test_answer_elsewhere_is_followed_by_an_announcement),
		cmocka_unit_test(test_announcement_that_cannot_be_sent_comes_later),
		cmocka_unit_test(test_gateway_of_our_name_is_seen_on_the_beacon),
		cmocka_unit_test(test_status_counts),
		cmocka_unit_test(test_cancel_ends_the_call_of_its_id),
		cmocka_unit_test(test_cancel_of_what_does_not_run_is_ignored),
		cmocka_unit_test(test_progress_is_published_with_its_number),
		cmocka_unit_test(test_latest_progress_wins),
		cmocka_unit_test(test_progress_that_waits_is_dropped_by_the_answer),
		cmocka_unit_test(test_progress_under_way_outlives_its_call),
		cmocka_unit_test(test_progress_that_cannot_be_sent_is_left_out),
		cmocka_unit_test(test_progress_needs_to_be_asked_for_and_an_id),
	};

	return cmocka_run_group_tests_name("remote", tests, NULL, NULL);
}
