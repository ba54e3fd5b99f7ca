/* SPDX-License-Identifier: MIT */
/*
 * The client library: calls that are steered, names with a life, questions to the gateway,
 * the monitor. Against a gateway that is played (played.h).
 */
#include <config.h>	/* _GNU_SOURCE */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/played.h"

/* ---- progress and cancel, the caller's side ---- */

struct steps {
	int n;
	uint32_t id;
	char text[4][64];
	bool cancel;
};

static void on_progress(chapi_conn *conn, uint32_t id, const void *value, size_t len, void *data)
{
	struct steps *steps = data;
	char *text;
	size_t text_len;

	assert_true(steps->n < 4);
	assert_int_equal(chapi_msgpack_to_json(value, len, false, &text, &text_len, NULL, 0), 0);
	snprintf(steps->text[steps->n++], sizeof(steps->text[0]), "%s", text);
	free(text);
	steps->id = id;
	if (steps->cancel)
		assert_int_equal(chapi_cancel(conn, id), 0);
}

static void test_progress_comes_before_the_answer(void **state)
{
	struct fixture *f = *state;
	struct steps steps = { 0 };
	struct heard heard = { 0 };
	struct chapi_call_options o = { .size = sizeof(o),
					.progress = on_progress,
					.progress_data = &steps };
	uint32_t id;

	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, &o, on_reply, &heard, &id), 0);
	gateway_hears(f, "[0,1,\"call\",[\"a\",{},{\"progress\":true}]]");
	gateway_say(f, "[2,\"progress\",[1,{\"percent\":10}]]");
	gateway_say(f, "[2,\"progress\",[1,null]]");
	assert_int_equal(process(f), 0);
	assert_int_equal(steps.n, 2);
	assert_int_equal(steps.id, id);
	assert_string_equal(steps.text[0], "{\"percent\":10}");
	assert_string_equal(steps.text[1], "null");
	assert_int_equal(heard.n, 0);
	gateway_say(f, "[1,1,null,\"done\"]");
	gateway_say(f, "[2,\"progress\",[1,\"after the end\"]]");
	assert_int_equal(process(f), 0);
	assert_int_equal(heard.n, 1);
	assert_int_equal(steps.n, 2);
}

static void test_progress_that_is_none_does_no_harm(void **state)
{
	static const char *const odd[] = {
		"[2,\"progress\",[]]",	      "[2,\"progress\",[1]]",
		"[2,\"progress\",[\"1\",2]]", "[2,\"progress\",[4294967297,2]]",
		"[2,\"progress\",[77,2]]",    "[2,\"progress\",[2,\"not asked for\"]]",
	};
	struct fixture *f = *state;
	struct steps steps = { 0 };
	struct heard heard = { 0 };
	struct chapi_call_options o = { .size = sizeof(o),
					.progress = on_progress,
					.progress_data = &steps };

	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, &o, on_reply, &heard, NULL), 0);
	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, NULL, NULL, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		gateway_say(f, odd[i]);
	gateway_say(f, "[1,1,null,1]");
	assert_int_equal(process(f), 0);
	assert_int_equal(heard.n, 1);
	assert_int_equal(steps.n, 0);
}

static void test_progress_reaches_a_call_that_waits_and_can_cancel_it(void **state)
{
	struct fixture *f = *state;
	struct steps steps = { .cancel = true };
	struct chapi_call_options o = { .size = sizeof(o),
					.progress = on_progress,
					.progress_data = &steps };
	chapi_reply *reply;

	gateway_say(f, "[2,\"progress\",[1,5]]");
	gateway_say(f, "[1,1,{\"code\":\"cancelled\",\"message\":\"m\",\"ran\":\"unknown\"},null]");
	assert_int_equal(chapi_call_wait(f->conn, "a", NULL, 0, &o, &reply), 0);
	assert_int_equal(chapi_reply_code(reply), CHAPI_ERR_CANCELLED);
	chapi_reply_free(reply);
	assert_int_equal(steps.n, 1);
	gateway_hears(f, "[0,1,\"call\",[\"a\",{},{\"progress\":true}]]");
	gateway_hears(f, "[2,\"cancel\",[1]]");
}

static void test_oneway_is_told(void **state)
{
	struct fixture *f = *state;
	struct chapi_call_options o = { .size = sizeof(o), .oneway = true };

	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, &o, NULL, NULL, NULL), 0);
	gateway_hears(f, "[0,1,\"call\",[\"a\",{},{\"oneway\":true}]]");
	o.progress = on_progress;
	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, &o, NULL, NULL, NULL), -CHAPI_ERR_USAGE);
}

static void test_cancel_is_for_calls_in_flight(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { 0 };
	uint32_t id;

	assert_int_equal(chapi_cancel(f->conn, 1), -CHAPI_ERR_GONE);
	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply, &heard, &id), 0);
	assert_int_equal(chapi_cancel(f->conn, id), 0);
	gateway_hears(f, "[0,1,\"call\",[\"a\",{}]]");
	gateway_hears(f, "[2,\"cancel\",[1]]");
	gateway_say(f, "[1,1,{\"code\":\"cancelled\",\"ran\":\"no\"},null]");
	assert_int_equal(process(f), 0);
	assert_int_equal(heard.code, CHAPI_ERR_CANCELLED);
	assert_int_equal(heard.ran, CHAPI_RAN_NO);
	assert_int_equal(chapi_cancel(f->conn, id), -CHAPI_ERR_GONE);
	gateway_leaves(f);
	assert_int_equal(process(f), -CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(chapi_cancel(f->conn, id), -CHAPI_ERR_CONNECTION_LOST);
}

static void test_wait_that_is_given_up_is_cancelled(void **state)
{
	struct fixture *f = *state;
	chapi_reply *reply;

	assert_int_equal(chapi_method_wait_json(f->conn, "wait", "[[\"a\"]]", 5, &reply), 0);
	assert_int_equal(chapi_reply_code(reply), CHAPI_ERR_DEADLINE_EXCEEDED);
	chapi_reply_free(reply);
	gateway_hears(f, "[0,1,\"wait\",[[\"a\"]]]");
	gateway_hears(f, "[2,\"cancel\",[1]]");
}

/* ---- the provider's side ---- */

static chapi_request *keep_request_with(struct fixture *f, const char *message)
{
	chapi_request *request = NULL;

	register_f(f, on_request_keep, &request);
	gateway_say(f, message);
	assert_int_equal(process(f), 0);
	assert_non_null(request);
	return request;
}

static void test_request_progress_is_sent_if_wanted(void **state)
{
	struct fixture *f = *state;
	chapi_request *request = keep_request_with(f, "[0,7,\"f\",[{},{\"progress\":true}]]");

	assert_true(chapi_request_wants_progress(request));
	assert_false(chapi_request_is_oneway(request));
	assert_false(chapi_request_is_raw(request));
	assert_int_equal(chapi_progress_json(request, "{\"percent\":10}"), 0);
	assert_int_equal(chapi_progress(request, "\x05", 1), 0);
	assert_int_equal(chapi_progress_json(request, "{"), -CHAPI_ERR_JSON);
	assert_int_equal(chapi_progress(request, "\xc1", 1), -CHAPI_ERR_MSGPACK);
	assert_int_equal(chapi_answer_json(request, "1"), 0);
	gateway_hears(f, "[2,\"progress\",[7,{\"percent\":10}]]");
	gateway_hears(f, "[2,\"progress\",[7,5]]");
	gateway_hears(f, "[1,7,null,1]");
}

static void test_request_progress_nobody_wants_is_not_sent(void **state)
{
	struct fixture *f = *state;
	chapi_request *request = keep_request_with(
		f, "[0,7,\"f\",[{},{\"progress\":false,\"oneway\":true,\"raw\":true}]]");

	assert_false(chapi_request_wants_progress(request));
	assert_true(chapi_request_is_oneway(request));
	assert_true(chapi_request_is_raw(request));
	assert_int_equal(chapi_progress_json(request, "1"), 0);
	assert_int_equal(chapi_answer_json(request, "1"), 0);
	gateway_hears(f, "[1,7,null,1]");
}

static void test_request_progress_gives_way(void **state)
{
	struct fixture *f = *state;
	chapi_request *request = keep_request_with(f, "[0,7,\"f\",[{},{\"progress\":true}]]");
	char *text = malloc(MIB + 3);
	int r, n = 0;

	memset(text, 'x', MIB + 2);
	text[0] = text[MIB + 1] = '"';
	text[MIB + 2] = '\0';
	while ((r = chapi_progress_json(request, text)) == 0)
		assert_true(++n < 100);
	free(text);
	assert_int_equal(r, -CHAPI_ERR_FULL);
	assert_int_equal(n, 1);
	assert_int_equal(chapi_answer_json(request, "\"the answer\""), 0);
	assert_int_equal(chapi_process(f->conn), 0);
	for (;;) {
		struct buf message;
		bool is_answer;

		gateway_hear(f, &message);
		is_answer = message.len < 100;
		buf_deinit(&message);
		if (is_answer)
			break;
	}
}

/* What cancelling does to the request. */
enum deed { NOTE, ANSWER, CLOSE };
struct cancels {
	int n;
	enum deed deed;
};

static void on_cancel(chapi_request *request, void *data)
{
	struct cancels *cancels = data;

	cancels->n++;
	assert_true(chapi_request_is_cancelled(request));
	if (cancels->deed == CLOSE)
		chapi_close(chapi_request_conn(request));
	if (cancels->deed != NOTE)
		assert_int_equal(chapi_answer_error(request, "cancelled", "stopped", NULL),
				 cancels->deed == CLOSE ? -CHAPI_ERR_GONE : 0);
}

static void test_request_hears_of_its_cancellation_once(void **state)
{
	struct fixture *f = *state;
	chapi_request *request = keep_request_with(f, "[0,7,\"f\",[{},{\"progress\":true}]]");
	struct cancels cancels = { 0 };

	assert_false(chapi_request_is_cancelled(request));
	chapi_request_on_cancel(request, on_cancel, &cancels);
	gateway_say(f, "[2,\"cancel\",[8]]");
	gateway_say(f, "[2,\"cancel\",[]]");
	gateway_say(f, "[2,\"cancel\",[-1]]");
	assert_int_equal(process(f), 0);
	assert_int_equal(cancels.n, 0);
	gateway_say(f, "[2,\"cancel\",[7]]");
	gateway_say(f, "[2,\"cancel\",[7]]");
	assert_int_equal(process(f), 0);
	assert_int_equal(cancels.n, 1);
	assert_int_equal(chapi_progress_json(request, "1"), -CHAPI_ERR_CANCELLED);
	chapi_request_on_cancel(request, on_cancel, &cancels);
	assert_int_equal(cancels.n, 2);
	chapi_request_on_cancel(request, NULL, NULL);
	assert_int_equal(chapi_answer_json(request, "1"), 0);
	gateway_hears(f, "[1,7,null,1]");
	gateway_say(f, "[2,\"cancel\",[7]]");
	assert_int_equal(process(f), 0);
	assert_int_equal(cancels.n, 2);
}

static void test_request_may_be_answered_when_cancelled(void **state)
{
	struct fixture *f = *state;
	chapi_request *request = keep_request(f);
	struct cancels cancels = { .deed = ANSWER };

	chapi_request_on_cancel(request, on_cancel, &cancels);
	gateway_say(f, "[2,\"cancel\",[7]]");
	gateway_hears(f, "[1,7,{\"code\":\"cancelled\",\"message\":\"stopped\"},null]");
	assert_int_equal(cancels.n, 1);
}

static void test_connection_may_be_closed_when_cancelled(void **state)
{
	struct fixture *f = *state;
	chapi_request *request = keep_request(f);
	struct cancels cancels = { .deed = CLOSE };

	chapi_request_on_cancel(request, on_cancel, &cancels);
	gateway_say(f, "[2,\"cancel\",[7]]");
	assert_int_equal(process(f), 0);
	f->conn = NULL;
	assert_int_equal(cancels.n, 1);
}

static void test_request_is_cancelled_when_its_connection_is_lost(void **state)
{
	struct fixture *f = *state;
	chapi_request *request[3] = { NULL };
	struct cancels note = { 0 }, close = { .deed = CLOSE };

	register_f(f, on_request_keep, &request[0]);
	for (int i = 0; i < 3; i++) {
		gateway_say(f, i == 0	? "[0,7,\"f\",[{},{}]]"
			       : i == 1 ? "[0,8,\"f\",[{},{}]]"
					: "[0,9,\"f\",[{},{}]]");
		assert_int_equal(process(f), 0);
		request[2 - i] = request[0];
	}
	chapi_request_on_cancel(request[0], on_cancel, &note);
	chapi_request_on_cancel(request[2], on_cancel, &note);
	gateway_leaves(f);
	assert_int_equal(process(f), -CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(note.n, 2);
	assert_true(chapi_request_is_cancelled(request[1]));
	assert_int_equal(chapi_progress_json(request[1], "1"), -CHAPI_ERR_GONE);
	assert_int_equal(chapi_answer_json(request[1], "1"), -CHAPI_ERR_GONE);
	chapi_request_on_cancel(request[2], on_cancel, &close);	/* at once */
	f->conn = NULL;
	assert_int_equal(close.n, 1);
	assert_null(chapi_request_conn(request[0]));
	chapi_request_drop(request[0]);
}

/* ---- names ---- */

static void test_register_says_every_option(void **state)
{
	static const char *const tags[] = { "a", "b", NULL };
	struct fixture *f = *state;
	struct chapi_api_options o = {
		.size = sizeof(o),
		.summary = "s",
		.policy = "share",
		.visibility = "local",
		.concurrency = 2,
		.queue = 7,
		.timeout_ms = 10,
		.timeout_max_ms = 20,
		.idempotent = true,
		.description = "d",
		.version = "1.2",
		.tags = tags,
		.params_json = "{\"type\":\"object\"}",
		.result_json = "{}",
		.options_json = "{\"new\":[1]}",
	};

	gateway_say(f, "[1,1,null,{}]");
	assert_int_equal(chapi_register(f->conn, "f", &o, on_request_echo, NULL, NULL), 0);
	gateway_hears(
		f,
		"[0,1,\"register\",[\"f\",{\"summary\":\"s\",\"policy\":\"share\","
		"\"visibility\":\"local\","
		"\"concurrency\":2,\"queue\":7,\"timeout_ms\":10,\"timeout_max_ms\":20,"
		"\"idempotent\":true,"
		"\"description\":\"d\",\"version\":\"1.2\",\"tags\":[\"a\",\"b\"],"
		"\"params\":{\"type\":\"object\"},\"result\":{},\"new\":[1]}]]");
	o = (struct chapi_api_options){ .size = offsetof(struct chapi_api_options, policy),
					.policy = "beyond" };
	gateway_say(f, "[1,2,null,{}]");
	assert_int_equal(chapi_register(f->conn, "g", &o, on_request_echo, NULL, NULL), 0);
	gateway_hears(f, "[0,2,\"register\",[\"g\",{}]]");
	o = (struct chapi_api_options){ .size = sizeof(o), .queue = -1 };
	gateway_say(f, "[1,3,null,{}]");
	assert_int_equal(chapi_register(f->conn, "h", &o, on_request_echo, NULL, NULL), 0);
	gateway_hears(f, "[0,3,\"register\",[\"h\",{\"queue\":0}]]");
}

/* Time is what the test says it is: so much later each time that the library looks. */
static int64_t clock_leaps_s;

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock UNUSED,
								 struct timespec *ret)
{
	static int64_t s;

	if (timespec_get(ret, TIME_UTC) == 0)
		return -1;
	s += clock_leaps_s;
	ret->tv_sec += s;
	return 0;
}

static int register_late(struct fixture *f)
{
	int r;

	clock_leaps_s = 31;
	r = chapi_register(f->conn, "f", NULL, on_request_echo, NULL, NULL);
	clock_leaps_s = 0;
	return r;
}

static void test_name_that_is_granted_too_late_is_given_back(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(register_late(f), -CHAPI_ERR_DEADLINE_EXCEEDED);
	gateway_hears(f, "[0,1,\"register\",[\"f\",{}]]");
	gateway_hears(f, "[2,\"cancel\",[1]]");
	gateway_hears(f, "[0,2,\"unregister\",[\"f\"]]");
	gateway_say(f, "[1,1,null,{\"name\":\"f\"}]");
	gateway_say(f, "[0,7,\"f\",[{},{}]]");
	gateway_say(f, "[1,2,null,null]");
	assert_int_equal(process(f), 0);
	gateway_hears(
		f, "[1,7,{\"message\":\"the provider does not answer this name any more\"},null]");
	gateway_hears_nothing(f);
	gateway_say(f, "[1,3,null,{\"name\":\"f\"}]");
	assert_int_equal(chapi_register(f->conn, "f", NULL, on_request_echo, NULL, NULL), 0);
	gateway_hears(f, "[0,3,\"register\",[\"f\",{}]]");
}

/* The gateway can only say no to the second. */
static void test_name_that_is_held_is_not_given_back(void **state)
{
	struct fixture *f = *state;

	register_f(f, on_request_echo, NULL);
	assert_int_equal(register_late(f), -CHAPI_ERR_DEADLINE_EXCEEDED);
	gateway_hears(f, "[0,2,\"register\",[\"f\",{}]]");
	gateway_hears(f, "[2,\"cancel\",[2]]");
	gateway_hears_nothing(f);
}

static void test_register_refuses_what_is_no_option(void **state)
{
	struct fixture *f = *state;
	struct chapi_api_options o = { .size = sizeof(o), .params_json = "{" };

	assert_int_equal(chapi_register(f->conn, "f", &o, on_request_echo, NULL, NULL),
			 -CHAPI_ERR_JSON);
	assert_int_equal(chapi_update(f->conn, "f", &o, NULL), -CHAPI_ERR_JSON);
	o = (struct chapi_api_options){ .size = 1 };
	assert_int_equal(chapi_register(f->conn, "f", &o, on_request_echo, NULL, NULL),
			 -CHAPI_ERR_USAGE);
	assert_int_equal(chapi_register(f->conn, NULL, NULL, on_request_echo, NULL, NULL),
			 -CHAPI_ERR_USAGE);
	assert_int_equal(chapi_update(f->conn, NULL, NULL, NULL), -CHAPI_ERR_USAGE);
	assert_int_equal(chapi_unregister(f->conn, NULL, NULL), -CHAPI_ERR_USAGE);
	assert_int_equal(chapi_pause(f->conn, NULL, NULL), -CHAPI_ERR_USAGE);
	assert_int_equal(chapi_resume(f->conn, NULL, NULL), -CHAPI_ERR_USAGE);
	assert_int_equal(chapi_drain(f->conn, NULL, 0, NULL), -CHAPI_ERR_USAGE);
	assert_int_equal(chapi_drain(f->conn, "f", -1, NULL), -CHAPI_ERR_USAGE);
	gateway_hears_nothing(f);
}

static void test_names_are_changed(void **state)
{
	struct fixture *f = *state;
	struct chapi_api_options o = { .size = sizeof(o), .summary = "t" };
	chapi_reply *reply = NULL;

	register_f(f, on_request_echo, NULL);
	gateway_say(f, "[1,2,null,{\"name\":\"f\",\"summary\":\"t\"}]");
	assert_int_equal(chapi_update(f->conn, "f", &o, &reply), 0);
	chapi_reply_free(reply);
	gateway_hears(f, "[0,2,\"update\",[\"f\",{\"summary\":\"t\"}]]");
	gateway_say(f, "[1,3,null,null]");
	assert_int_equal(chapi_pause(f->conn, "f", NULL), 0);
	gateway_hears(f, "[0,3,\"pause\",[\"f\"]]");
	gateway_say(f, "[1,4,null,null]");
	assert_int_equal(chapi_resume(f->conn, "f", NULL), 0);
	gateway_hears(f, "[0,4,\"resume\",[\"f\"]]");
	gateway_say(f, "[1,5,{\"code\":\"deadline_exceeded\"},null]");
	assert_int_equal(chapi_drain(f->conn, "f", 50, NULL), -CHAPI_ERR_DEADLINE_EXCEEDED);
	gateway_hears(f, "[0,5,\"drain\",[\"f\",{\"timeout_ms\":50}]]");
	gateway_say(f, "[1,6,null,null]");
	assert_int_equal(chapi_drain(f->conn, "f", 0, NULL), 0);
	gateway_hears(f, "[0,6,\"drain\",[\"f\",{}]]");
	gateway_say(f, "[1,7,{\"code\":\"permission_denied\"},null]");
	assert_int_equal(chapi_pause(f->conn, "not-ours", NULL), -CHAPI_ERR_PERMISSION_DENIED);
}

struct told {
	int n;
	enum chapi_name_change change;
	char name[32], reason[32];
	bool close;
};

static void on_name(chapi_conn *conn, enum chapi_name_change change, const char *name,
		    const char *reason, void *data)
{
	struct told *told = data;

	told->n++;
	told->change = change;
	if (told->close)
		chapi_close(conn);
	snprintf(told->name, sizeof(told->name), "%s", name);
	snprintf(told->reason, sizeof(told->reason), "%s", reason);
}

static void test_names_granted_and_revoked_are_told(void **state)
{
	struct fixture *f = *state;
	struct told told = { 0 };

	register_f(f, on_request_echo, NULL);
	chapi_set_name_fn(f->conn, on_name, &told);
	gateway_say(f, "[2,\"granted\",[\"f\"]]");
	assert_int_equal(process(f), 0);
	assert_int_equal(told.change, CHAPI_NAME_GRANTED);
	assert_string_equal(told.name, "f");
	assert_string_equal(told.reason, "");
	gateway_say(f, "[2,\"granted\",[]]");
	gateway_say(f, "[2,\"revoked\",[7,\"x\"]]");
	told.close = true;
	gateway_say(f, "[2,\"revoked\",[\"f\",\"replaced\"]]");
	assert_int_equal(process(f), 0);
	f->conn = NULL;
	assert_int_equal(told.n, 2);
	assert_int_equal(told.change, CHAPI_NAME_REVOKED);
	assert_string_equal(told.reason, "replaced");
}

/* ---- questions ---- */

static void check_result(chapi_reply **reply, const char *expected)
{
	char *text;

	assert_int_equal(chapi_reply_result_json(*reply, false, &text), 0);
	assert_string_equal(text, expected);
	free(text);
	*reply = chapi_reply_free(*reply);
}

static void test_questions_about_names(void **state)
{
	struct fixture *f = *state;
	chapi_reply *reply = NULL;

	gateway_say(f, "[1,1,null,[{\"name\":\"f\"}]]");
	assert_int_equal(chapi_list(f->conn, "f*", true, &reply), 0);
	check_result(&reply, "[{\"name\":\"f\"}]");
	gateway_hears(f, "[0,1,\"list\",[\"f*\",{\"long\":true}]]");
	gateway_say(f, "[1,2,null,[]]");
	assert_int_equal(chapi_list(f->conn, NULL, false, NULL), 0);
	gateway_hears(f, "[0,2,\"list\",[\"*\",{\"long\":false}]]");
	gateway_say(f, "[1,3,{\"code\":\"api_not_found\",\"message\":\"m\"},null]");
	assert_int_equal(chapi_describe(f->conn, "g", &reply), -CHAPI_ERR_API_NOT_FOUND);
	assert_string_equal(chapi_reply_message(reply), "m");
	check_result(&reply, "null");
	gateway_hears(f, "[0,3,\"describe\",[\"g\"]]");
	assert_int_equal(chapi_describe(f->conn, NULL, &reply), -CHAPI_ERR_USAGE);
	assert_null(reply);
}

static void test_questions_about_the_gateway(void **state)
{
	struct fixture *f = *state;
	chapi_reply *reply = NULL;

	gateway_say(f, "[1,1,null,{\"name\":\"pi\"}]");
	assert_int_equal(chapi_status(f->conn, &reply), 0);
	check_result(&reply, "{\"name\":\"pi\"}");
	gateway_hears(f, "[0,1,\"status\",[]]");
	gateway_say(f, "[1,2,null,{}]");
	assert_int_equal(chapi_stats(f->conn, NULL, NULL), 0);
	gateway_hears(f, "[0,2,\"stats\",[]]");
	gateway_say(f, "[1,3,null,{}]");
	assert_int_equal(chapi_stats(f->conn, "f", NULL), 0);
	gateway_hears(f, "[0,3,\"stats\",[\"f\"]]");
}

static void test_wait_for_names(void **state)
{
	static const char *const names[] = { "a", "b" };
	struct fixture *f = *state;

	gateway_say(f, "[1,1,null,null]");
	assert_int_equal(chapi_wait(f->conn, names, 2, 500, NULL), 0);
	gateway_hears(f, "[0,1,\"wait\",[[\"a\",\"b\"],{\"timeout_ms\":500}]]");
	gateway_say(f, "[1,2,{\"code\":\"deadline_exceeded\"},null]");
	assert_int_equal(chapi_wait(f->conn, names, 1, 0, NULL), -CHAPI_ERR_DEADLINE_EXCEEDED);
	gateway_hears(f, "[0,2,\"wait\",[[\"a\"],{}]]");
	assert_int_equal(chapi_wait(f->conn, names, 0, 0, NULL), -CHAPI_ERR_USAGE);
	assert_int_equal(chapi_wait(f->conn, NULL, 1, 0, NULL), -CHAPI_ERR_USAGE);
	assert_int_equal(chapi_wait(f->conn, names, 1, -1, NULL), -CHAPI_ERR_USAGE);
}

static void test_hello(void **state)
{
	struct fixture *f = *state;
	struct chapi_hello_options o = {
		.size = sizeof(o), .client = "c", .version = "1", .app_key = "k"
	};

	gateway_say(f, "[1,1,null,{}]");
	assert_int_equal(chapi_hello(f->conn, NULL, NULL), 0);
	gateway_hears(f, "[0,1,\"hello\",[{\"protocol\":1}]]");
	gateway_say(f, "[1,2,{\"code\":\"failed_precondition\"},null]");
	assert_int_equal(chapi_hello(f->conn, &o, NULL), -CHAPI_ERR_FAILED_PRECONDITION);
	gateway_hears(
		f,
		"[0,2,\"hello\",[{\"client\":\"c\",\"version\":\"1\",\"protocol\":1,"
		"\"app_key\":\"k\"}]]");
	o.size = 0;
	assert_int_equal(chapi_hello(f->conn, &o, NULL), -CHAPI_ERR_USAGE);
}

static void test_publish(void **state)
{
	struct fixture *f = *state;
	chapi_reply *reply = NULL;

	gateway_say(f, "[1,1,null,null]");
	assert_int_equal(chapi_publish_json(f->conn, "c", "e", "{\"a\":1}", 0, NULL), 0);
	gateway_hears(f, "[0,1,\"publish\",[\"c\",\"e\",{\"a\":1}]]");
	gateway_say(f, "[1,2,{\"code\":\"hub_down\",\"ran\":\"unknown\"},null]");
	assert_int_equal(chapi_publish(f->conn, "c", "e", NULL, 0, 1000, &reply),
			 -CHAPI_ERR_HUB_DOWN);
	assert_int_equal(chapi_reply_ran(reply), CHAPI_RAN_UNKNOWN);
	chapi_reply_free(reply);
	gateway_hears(f, "[0,2,\"publish\",[\"c\",\"e\",null]]");
	assert_int_equal(chapi_publish_json(f->conn, "c", "e", "nonsense", 0, NULL),
			 -CHAPI_ERR_JSON);
	assert_int_equal(chapi_publish(f->conn, "c", "e", "\xc1", 1, 0, NULL), -CHAPI_ERR_MSGPACK);
	assert_int_equal(chapi_publish_json(f->conn, NULL, "e", "1", 0, NULL), -CHAPI_ERR_USAGE);
	assert_int_equal(chapi_publish_json(f->conn, "c", NULL, "1", 0, NULL), -CHAPI_ERR_USAGE);
}

static void test_methods_by_text(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { 0 };
	chapi_reply *reply = NULL;
	uint32_t id;

	assert_int_equal(
		chapi_method_json(f->conn, "log_level", "[\"debug\"]", on_reply, &heard, &id), 0);
	gateway_hears(f, "[0,1,\"log_level\",[\"debug\"]]");
	gateway_say(f, "[1,1,null,null]");
	gateway_say(f, "[1,2,null,[]]");
	assert_int_equal(chapi_method_wait_json(f->conn, "gateways", NULL, 0, &reply), 0);
	check_result(&reply, "[]");
	assert_int_equal(heard.n, 1);
	gateway_hears(f, "[0,2,\"gateways\",[]]");
	assert_int_equal(chapi_method_wait_json(f->conn, "x", "{}", 0, &reply), -CHAPI_ERR_MSGPACK);
	assert_int_equal(chapi_method_wait_json(f->conn, "x", "[", 0, &reply), -CHAPI_ERR_JSON);
	assert_int_equal(chapi_method_json(f->conn, NULL, "[]", NULL, NULL, NULL),
			 -CHAPI_ERR_USAGE);
}

static void test_wait_drain_and_publish_are_cancelled(void **state)
{
	static const char *const methods[] = { "wait", "drain", "publish" };
	struct fixture *f = *state;
	struct heard heard = { 0 };
	char text[100];
	uint32_t id;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(chapi_method_json(f->conn, methods[i], "[\"f\"]", on_reply, &heard,
						   &id), 0);
		assert_int_equal(chapi_cancel(f->conn, id), 0);
		snprintf(text, sizeof(text), "[0,%u,\"%s\",[\"f\"]]", id, methods[i]);
		gateway_hears(f, text);
		snprintf(text, sizeof(text), "[2,\"cancel\",[%u]]", id);
		gateway_hears(f, text);
		snprintf(text, sizeof(text), "[1,%u,{\"code\":\"cancelled\",\"ran\":\"no\"},null]",
			 id);
		gateway_say(f, text);
		assert_int_equal(process(f), 0);
		assert_int_equal(heard.n, i + 1);
		assert_int_equal(heard.code, CHAPI_ERR_CANCELLED);
		assert_int_equal(heard.ran, CHAPI_RAN_NO);
		assert_int_equal(chapi_cancel(f->conn, id), -CHAPI_ERR_GONE);
	}
}

/* ---- monitor ---- */

struct events {
	int n;
	char last[128];
	bool close;
};

static void on_event(chapi_conn *conn, const void *event, size_t len, void *data)
{
	struct events *events = data;
	char *text;
	size_t text_len;

	events->n++;
	if (events->close)
		chapi_close(conn);
	assert_int_equal(chapi_msgpack_to_json(event, len, false, &text, &text_len, NULL, 0), 0);
	snprintf(events->last, sizeof(events->last), "%s", text);
	free(text);
}

static void test_monitor_hands_events_on(void **state)
{
	static const char *const kinds[] = { "api", NULL }, *const apis[] = { "f.*", "g", NULL };
	struct fixture *f = *state;
	struct chapi_monitor_options o = {
		.size = sizeof(o), .kinds = kinds, .apis = apis, .bodies = true
	};
	struct events events = { 0 };

	gateway_say(f, "[1,1,null,null]");
	gateway_say(f, "[2,\"event\",[{\"kind\":\"api\"}]]");
	assert_int_equal(chapi_monitor(f->conn, &o, on_event, &events, NULL), 0);
	gateway_hears(
		f,
		"[0,1,\"monitor\",[{\"kinds\":[\"api\"],\"apis\":[\"f.*\",\"g\"],"
		"\"bodies\":true}]]");
	assert_int_equal(events.n, 1);
	assert_string_equal(events.last, "{\"kind\":\"api\"}");
	gateway_say(f, "[2,\"event\",[]]");
	gateway_say(f, "[2,\"event\",[{\"kind\":\"lost\",\"count\":3}]]");
	events.close = true;
	assert_int_equal(process(f), 0);
	f->conn = NULL;
	assert_int_equal(events.n, 2);
	assert_string_equal(events.last, "{\"kind\":\"lost\",\"count\":3}");
}

static void test_monitor_again_replaces_the_first(void **state)
{
	struct fixture *f = *state;
	struct events first = { 0 }, second = { 0 }, third = { 0 };

	assert_int_equal(chapi_monitor(f->conn, NULL, NULL, NULL, NULL), -CHAPI_ERR_USAGE);
	gateway_say(f, "[2,\"event\",[{\"kind\":\"too early\"}]]");
	assert_int_equal(process(f), 0);
	gateway_say(f, "[1,1,null,null]");
	assert_int_equal(chapi_monitor(f->conn, NULL, on_event, &first, NULL), 0);
	gateway_hears(f, "[0,1,\"monitor\",[{}]]");
	gateway_say(f, "[1,2,null,null]");
	assert_int_equal(chapi_monitor(f->conn, NULL, on_event, &second, NULL), 0);
	gateway_say(f, "[1,3,{\"code\":\"invalid_argument\"},null]");
	assert_int_equal(chapi_monitor(f->conn, NULL, on_event, &third, NULL),
			 -CHAPI_ERR_INVALID_ARGUMENT);
	gateway_say(f, "[2,\"event\",[{\"kind\":\"api\"}]]");
	assert_int_equal(process(f), 0);
	assert_int_equal(first.n, 0);
	assert_int_equal(second.n, 1);
	assert_int_equal(third.n, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_progress_comes_before_the_answer),
		T(test_progress_that_is_none_does_no_harm),
		T(test_progress_reaches_a_call_that_waits_and_can_cancel_it),
		T(test_oneway_is_told),
		T(test_cancel_is_for_calls_in_flight),
		T(test_wait_that_is_given_up_is_cancelled),
		T(test_request_progress_is_sent_if_wanted),
		T(test_request_progress_nobody_wants_is_not_sent),
		T(test_request_progress_gives_way),
		T(test_request_hears_of_its_cancellation_once),
		T(test_request_may_be_answered_when_cancelled),
		T(test_connection_may_be_closed_when_cancelled),
		T(test_request_is_cancelled_when_its_connection_is_lost),
		T(test_register_says_every_option),
		T(test_name_that_is_granted_too_late_is_given_back),
		T(test_name_that_is_held_is_not_given_back),
		T(test_register_refuses_what_is_no_option),
		T(test_names_are_changed),
		T(test_names_granted_and_revoked_are_told),
		T(test_questions_about_names),
		T(test_questions_about_the_gateway),
		T(test_wait_for_names),
		T(test_hello),
		T(test_publish),
		T(test_methods_by_text),
		T(test_wait_drain_and_publish_are_cancelled),
		T(test_monitor_hands_events_on),
		T(test_monitor_again_replaces_the_first),
	};

	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
