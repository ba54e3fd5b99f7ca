/* SPDX-License-Identifier: MIT */
/*
 * The client library against a gateway that is played here.
 *
 * Connecting, calls and requests in their simple forms, how a connection ends, bytes and
 * limits; the rest is test-client.c and test-reconnect.c. The gateway is played.h; where both
 * must move at once (large values), it is a child process.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libchapi-ipc/chapi-ipc-msgpack.h"
#include "libchapi-ipc/message.h"
#include "libchapi-ipc/value.h"
#include "tests/unit/played.h"

/* ---- connecting ---- */

static void test_connect_says_who_is_missing(void **state)
{
	struct fixture *f = *state;
	char path[200];
	chapi_conn *conn = NULL;

	snprintf(path, sizeof(path), "%s/none.sock", f->folder);
	assert_int_equal(chapi_connect(path, &conn), -CHAPI_ERR_NO_GATEWAY);
	close(listen_at(path));
	assert_int_equal(chapi_connect(path, &conn), -CHAPI_ERR_NO_GATEWAY);
	unlink(path);
	snprintf(path, sizeof(path), "%s/%0120d", f->folder, 0);
	assert_int_equal(chapi_connect(path, &conn), -CHAPI_ERR_PATH);
	assert_int_equal(chapi_connect("", &conn), -CHAPI_ERR_PATH);
	assert_null(conn);
}

static void test_connect_says_that_it_may_not(void **state)
{
	struct fixture *f = *state;
	chapi_conn *conn = NULL;
	int r;

	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	else
		assert_int_equal(chmod(f->path, 0), 0);
	r = chapi_connect(f->path, &conn);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(r, -CHAPI_ERR_ACCESS);
}

static void test_connect_looks_in_order(void **state)
{
	struct fixture *f = *state;
	char path[200], expected[200], gone[200];

	setenv("CHAPI_SOCKET", "/a/b", 1);
	assert_int_equal(chapi_find_socket("/c", path, sizeof(path)), 0);
	assert_string_equal(path, "/c");
	assert_int_equal(chapi_find_socket(NULL, path, sizeof(path)), 0);
	assert_string_equal(path, "/a/b");
	setenv("CHAPI_SOCKET", "", 1);
	setenv("XDG_RUNTIME_DIR", f->folder, 1);
	assert_int_equal(chapi_find_socket(NULL, path, sizeof(path)), 0);
	assert_string_equal(path, CHAPI_DEFAULT_SOCKET);
	snprintf(gone, sizeof(gone), "%s/chapi", f->folder);
	snprintf(expected, sizeof(expected), "%s/chapi/gw.sock", f->folder);
	assert_int_equal(mkdir(gone, 0700), 0);
	close(listen_at(expected));
	assert_int_equal(chapi_find_socket(NULL, path, sizeof(path)), 0);
	assert_string_equal(path, expected);
	assert_int_equal(chapi_find_socket(NULL, path, 10), -CHAPI_ERR_PATH);
	unlink(expected);
	rmdir(gone);
	unsetenv("CHAPI_SOCKET");
	unsetenv("XDG_RUNTIME_DIR");
}

static void test_connect_keeps_the_socket_to_itself(void **state)
{
	struct fixture *f = *state;

	assert_true(fcntl(chapi_get_fd(f->conn), F_GETFD) & FD_CLOEXEC);
	assert_string_equal(chapi_get_path(f->conn), f->path);
	assert_int_equal(chapi_get_events(f->conn), POLLIN);
	assert_int_equal(chapi_get_timeout_ms(f->conn), -1);
}

/* ---- calls ---- */

static void test_call_is_answered_by_callback(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { 0 };
	uint32_t id = 0;

	assert_int_equal(
		chapi_call_json(f->conn, "a.b", "{\"x\":[1,2.5]}", NULL, on_reply, &heard, &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(chapi_get_events(f->conn), POLLIN | POLLOUT);
	gateway_hears(f, "[0,1,\"call\",[\"a.b\",{\"x\":[1,2.5]}]]");
	assert_int_equal(chapi_get_events(f->conn), POLLIN);
	gateway_say(f, "[1,1,null,{\"y\":18446744073709551615}]");
	assert_int_equal(process(f), 0);
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.code, CHAPI_OK);
	assert_string_equal(heard.name, "");
	assert_string_equal(heard.message, "");
	assert_string_equal(heard.result, "{\"y\":18446744073709551615}");
	assert_string_equal(heard.details, "null");
}

static void test_call_says_what_it_is_asked_to(void **state)
{
	struct fixture *f = *state;
	struct chapi_call_options o = {
		.size = sizeof(o), .timeout_ms = 500, .id = "x1", .to = "pi", .full = true
	};

	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, &o, NULL, NULL, NULL), 0);
	gateway_hears(
		f,
		"[0,1,\"call\",[\"a\",{},{\"timeout_ms\":500,\"id\":\"x1\",\"to\":\"pi\","
		"\"full\":true}]]");
	o.size = offsetof(struct chapi_call_options, id);
	assert_int_equal(chapi_call(f->conn, "a", "\x01", 1, &o, NULL, NULL, NULL), 0);
	gateway_hears(f, "[0,2,\"call\",[\"a\",1,{\"timeout_ms\":500}]]");
	assert_int_equal(chapi_method(f->conn, "list", "\x91\xa1*", 3, NULL, NULL, NULL), 0);
	gateway_hears(f, "[0,3,\"list\",[\"*\"]]");
	assert_int_equal(chapi_method(f->conn, "status", NULL, 0, NULL, NULL, NULL), 0);
	gateway_hears(f, "[0,4,\"status\",[]]");
	gateway_say(f, "[1,1,null,1]");		/* nobody wanted to know */
	assert_int_equal(process(f), 0);
}

static void test_call_refuses_what_is_no_value(void **state)
{
	struct fixture *f = *state;
	struct chapi_call_options o = { .size = sizeof(o), .timeout_ms = -1 };
	chapi_conn *c = f->conn;
	uint8_t deep[40];

	memset(deep, 0x91, sizeof(deep));
	deep[25] = 0xc0;
	assert_int_equal(chapi_call_json(c, "a", "{\"x\":", NULL, NULL, NULL, NULL),
			 -CHAPI_ERR_JSON);
	assert_int_equal(chapi_call_json(c, "a", "", NULL, NULL, NULL, NULL), -CHAPI_ERR_JSON);
	assert_int_equal(chapi_call(c, "a", "\x91", 1, NULL, NULL, NULL, NULL), -CHAPI_ERR_MSGPACK);
	assert_int_equal(chapi_call(c, "a", "\x01\x01", 2, NULL, NULL, NULL, NULL),
			 -CHAPI_ERR_MSGPACK);
	assert_int_equal(chapi_call(c, "a", deep, 26, NULL, NULL, NULL, NULL), -CHAPI_ERR_MSGPACK);
	assert_int_equal(chapi_call(c, NULL, NULL, 0, NULL, NULL, NULL, NULL), -CHAPI_ERR_USAGE);
	assert_int_equal(chapi_call(c, "a", NULL, 0, &o, NULL, NULL, NULL), -CHAPI_ERR_USAGE);
	assert_int_equal(chapi_method(c, "list", "\x80", 1, NULL, NULL, NULL), -CHAPI_ERR_MSGPACK);
	assert_int_equal(chapi_get_events(c), POLLIN);
	gateway_hears_nothing(f);
}

static void test_call_error_is_told_whole(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { 0 };

	for (int i = 0; i < 4; i++)
		assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply, &heard, NULL),
				 0);
	gateway_say(
		f,
		"[1,1,{\"code\":\"busy\",\"message\":\"m\",\"ran\":\"unknown\","
		"\"details\":{\"retry_after_ms\":5}},null]");
	assert_int_equal(process(f), 0);
	assert_int_equal(heard.code, CHAPI_ERR_BUSY);
	assert_int_equal(heard.ran, CHAPI_RAN_UNKNOWN);
	assert_string_equal(heard.name, "busy");
	assert_string_equal(heard.message, "m");
	assert_string_equal(heard.result, "null");
	assert_string_equal(heard.details, "{\"retry_after_ms\":5}");
	gateway_say(f, "[1,2,{\"code\":\"api_not_found\"},null]");
	assert_int_equal(process(f), 0);
	assert_int_equal(heard.ran, CHAPI_RAN_NO);
	assert_true(heard.message[0] != '\0');
	gateway_say(f, "[1,3,{\"code\":\"from_the_future\",\"message\":\"m\"},null]");
	assert_int_equal(process(f), 0);
	assert_int_equal(heard.code, CHAPI_ERR_INTERNAL);
	assert_string_equal(heard.name, "from_the_future");
	gateway_say(f, "[1,4,\"words\",null]");
	assert_int_equal(process(f), 0);
	assert_int_equal(heard.code, CHAPI_ERR_INTERNAL);
	assert_string_equal(heard.message, "words");
	assert_int_equal(heard.n, 4);
}

static void test_call_waits_for_its_answer(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { 0 }, other = { 0 };
	chapi_reply *reply;

	assert_int_equal(chapi_call(f->conn, "other", NULL, 0, NULL, on_reply, &other, NULL), 0);
	gateway_say(f, "[1,1,null,\"first\"]");
	gateway_say(f, "[1,2,null,\"second\"]");
	assert_int_equal(chapi_call_wait_json(f->conn, "a", "{}", NULL, &reply), 0);
	assert_string_equal(other.result, "\"first\"");
	keep_reply(&heard, reply);
	assert_null(chapi_reply_free(reply));
	assert_string_equal(heard.result, "\"second\"");
	gateway_say(f, "[1,3,{\"code\":\"api_not_found\",\"message\":\"m\",\"ran\":\"no\"},null]");
	assert_int_equal(chapi_call_wait(f->conn, "a", NULL, 0, NULL, &reply), 0);
	assert_int_equal(chapi_reply_code(reply), CHAPI_ERR_API_NOT_FOUND);
	chapi_reply_free(reply);
	chapi_reply_free(NULL);
}

static void test_call_wait_ends_in_time(void **state)
{
	struct fixture *f = *state;
	chapi_reply *reply;

	assert_int_equal(chapi_method_wait(f->conn, "status", NULL, 0, 5, &reply), 0);
	assert_int_equal(chapi_reply_code(reply), CHAPI_ERR_DEADLINE_EXCEEDED);
	assert_int_equal(chapi_reply_ran(reply), CHAPI_RAN_UNKNOWN);
	assert_string_equal(chapi_reply_code_name(reply), "deadline_exceeded");
	chapi_reply_free(reply);
	gateway_say(f, "[1,1,null,\"late\"]");
	assert_int_equal(process(f), 0);
	assert_non_null(strstr(f->log, "nothing that was asked"));
}

static void test_call_finds_its_answer_among_many(void **state)
{
	enum { N = 20000 };
	struct fixture *f = *state;
	struct heard heard = { 0 };
	char text[64];
	struct buf message;

	for (int i = 0; i < N; i++)
		assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply, &heard, NULL),
				 0);
	for (int i = 0; i < N; i++) {
		gateway_hear(f, &message);
		buf_deinit(&message);
	}
	for (int i = N; i > 0; i--) {
		snprintf(text, sizeof(text), "[1,%d,null,%d]", i, i);
		gateway_say(f, text);
		assert_int_equal(process(f), 0);
		assert_int_equal(atoi(heard.result), i);
	}
	assert_int_equal(heard.n, N);
}

static void on_reply_call_again(chapi_conn *conn, const chapi_reply *reply, void *data)
{
	assert_int_equal(chapi_reply_code(reply), CHAPI_OK);
	assert_int_equal(chapi_call(conn, "again", NULL, 0, NULL, on_reply, data, NULL), 0);
}

static void test_call_may_be_made_in_a_callback(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { 0 };

	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply_call_again, &heard, NULL),
			 0);
	gateway_hears(f, "[0,1,\"call\",[\"a\",{}]]");
	gateway_say(f, "[1,1,null,1]");
	gateway_hears(f, "[0,2,\"call\",[\"again\",{}]]");
	gateway_say(f, "[1,2,null,2]");
	assert_int_equal(process(f), 0);
	assert_string_equal(heard.result, "2");
}

/* ---- names and requests ---- */

static void test_register_says_the_options(void **state)
{
	struct fixture *f = *state;
	struct chapi_api_options o = { .size = sizeof(o),
				       .summary = "s",
				       .options_json = "{\"concurrency\":2}" };
	chapi_reply *reply;

	gateway_say(f, "[1,1,null,{\"name\":\"f\",\"state\":\"active\"}]");
	assert_int_equal(chapi_register(f->conn, "f", &o, on_request_echo, NULL, &reply), 0);
	chapi_reply_free(reply);
	gateway_hears(f, "[0,1,\"register\",[\"f\",{\"summary\":\"s\",\"concurrency\":2}]]");
	o.options_json = "[1]";
	assert_int_equal(chapi_register(f->conn, "g", &o, on_request_echo, NULL, NULL),
			 -CHAPI_ERR_USAGE);
	o.options_json = "{";
	assert_int_equal(chapi_register(f->conn, "g", &o, on_request_echo, NULL, NULL),
			 -CHAPI_ERR_JSON);
	assert_int_equal(chapi_register(f->conn, "g", NULL, NULL, NULL, NULL), -CHAPI_ERR_USAGE);
	gateway_hears_nothing(f);
}

static void test_register_tells_the_gateways_no(void **state)
{
	struct fixture *f = *state;
	chapi_reply *reply;
	int n = 0;

	gateway_say(f, "[1,1,{\"code\":\"api_exists\",\"message\":\"taken\",\"ran\":\"no\"},null]");
	assert_int_equal(chapi_register(f->conn, "f", NULL, on_request_echo, &n, &reply),
			 -CHAPI_ERR_API_EXISTS);
	assert_string_equal(chapi_reply_message(reply), "taken");
	chapi_reply_free(reply);
	gateway_hears(f, "[0,1,\"register\",[\"f\",{}]]");
	gateway_say(f, "[0,9,\"f\",[{},{}]]");
	gateway_hears(
		f, "[1,9,{\"message\":\"the provider does not answer this name any more\"},null]");
	assert_int_equal(n, 0);
}

static void test_register_again_leaves_the_first_alone(void **state)
{
	struct fixture *f = *state;
	int first = 0, second = 0;

	register_f(f, on_request_echo, &first);
	gateway_say(f, "[1,2,{\"code\":\"api_exists\"},null]");
	assert_int_equal(chapi_register(f->conn, "f", NULL, on_request_echo, &second, NULL),
			 -CHAPI_ERR_API_EXISTS);
	gateway_say(f, "[0,9,\"f\",[1,{}]]");
	assert_int_equal(process(f), 0);
	assert_int_equal(first, 1);
	assert_int_equal(second, 0);
}

/* The gateway's yes and the first request may come in one read. */
static void test_register_is_ready_at_once(void **state)
{
	struct fixture *f = *state;
	int n = 0;

	gateway_say(f, "[1,1,null,{}]");
	gateway_say(f, "[0,5,\"f\",[\"early\",{}]]");
	assert_int_equal(chapi_register(f->conn, "f", NULL, on_request_echo, &n, NULL), 0);
	assert_int_equal(n, 1);
	gateway_hears(f, "[0,1,\"register\",[\"f\",{}]]");
	gateway_hears(f, "[1,5,null,\"early\"]");
}

static void test_request_tells_what_the_gateway_said(void **state)
{
	struct fixture *f = *state;
	chapi_request *request = NULL;
	char *text;

	register_f(f, on_request_keep, &request);
	gateway_say(
		f,
		"[0,7,\"f\",[{\"x\":1},{\"call\":\"c7\",\"origin\":\"remote\","
		"\"caller\":\"claimed:me\","
		"\"request_time\":1700000000.25,\"timeout_ms\":1500}]]");
	assert_int_equal(process(f), 0);
	assert_string_equal(chapi_request_api(request), "f");
	assert_string_equal(chapi_request_id(request), "c7");
	assert_string_equal(chapi_request_origin(request), "remote");
	assert_string_equal(chapi_request_caller(request), "claimed:me");
	assert_true(chapi_request_time(request) == 1700000000.25);
	assert_int_equal(chapi_request_timeout_ms(request), 1500);
	assert_ptr_equal(chapi_request_conn(request), f->conn);
	assert_int_equal(chapi_request_params_json(request, false, &text), 0);
	assert_string_equal(text, "{\"x\":1}");
	free(text);
	chapi_request_drop(request);
	gateway_hears(f, "[1,7,{\"message\":\"the provider gave up\"},null]");
}

static void test_request_without_words_has_defaults(void **state)
{
	struct fixture *f = *state;
	chapi_request *request = NULL;
	size_t len;

	register_f(f, on_request_keep, &request);
	gateway_say(f, "[0,7,\"f\",[]]");
	assert_int_equal(process(f), 0);
	assert_string_equal(chapi_request_id(request), "");
	assert_string_equal(chapi_request_caller(request), "");
	assert_true(chapi_request_time(request) == 0);
	assert_int_equal(chapi_request_timeout_ms(request), -1);
	assert_memory_equal(chapi_request_params(request, &len), "\xc0", 1);
	assert_int_equal(len, 1);
	chapi_request_drop(request);
}

static void test_request_is_answered_later(void **state)
{
	struct fixture *f = *state;
	chapi_request *request = keep_request(f);

	gateway_hears_nothing(f);
	assert_int_equal(chapi_answer_json(request, "{\"done\":true}"), 0);
	assert_int_equal(chapi_get_events(f->conn), POLLIN | POLLOUT);
	gateway_hears(f, "[1,7,null,{\"done\":true}]");
}

static void test_request_nothing_given_is_nil(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(chapi_answer(keep_request(f), NULL, 0), 0);
	gateway_hears(f, "[1,7,null,null]");
}

static void test_request_fails_with_the_programs_words(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		chapi_answer_error(keep_request(f), "door_stuck", "it is stuck", "{\"mm\":3}"), 0);
	gateway_hears(
		f,
		"[1,7,{\"code\":\"door_stuck\",\"message\":\"it is stuck\","
		"\"details\":{\"mm\":3}},null]");
}

static void test_request_a_bad_answer_is_told(void **state)
{
	struct fixture *f = *state;
	static const char bad[] =
		"[1,7,{\"code\":\"bad_reply\","
		"\"message\":\"the provider's answer is not a value\"},null]";
	chapi_request *request = NULL;

	register_f(f, on_request_keep, &request);
	for (int i = 0; i < 3; i++) {
		gateway_say(f, "[0,7,\"f\",[{},{}]]");
		assert_int_equal(process(f), 0);
		if (i == 0)
			assert_int_equal(chapi_answer_json(request, "{\"x\""), -CHAPI_ERR_JSON);
		else if (i == 1)
			assert_int_equal(chapi_answer(request, "\xc1", 1), -CHAPI_ERR_MSGPACK);
		else
			assert_int_equal(chapi_answer_error(request, NULL, "m", "nonsense"),
					 -CHAPI_ERR_JSON);
		gateway_hears(f, bad);
	}
}

static void test_request_outlives_the_connection(void **state)
{
	struct fixture *f = *state;
	chapi_request *request = keep_request(f);
	char *text;

	f->conn = chapi_close(f->conn);
	assert_null(chapi_request_conn(request));
	assert_int_equal(chapi_request_params_json(request, false, &text), 0);
	assert_string_equal(text, "{\"x\":1}");
	free(text);
	assert_int_equal(chapi_answer_json(request, "1"), -CHAPI_ERR_GONE);
}

static void test_request_of_a_lost_connection_is_gone(void **state)
{
	struct fixture *f = *state;
	chapi_request *request = keep_request(f);

	gateway_leaves(f);
	assert_int_equal(process(f), -CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(chapi_answer_error(request, NULL, "m", NULL), -CHAPI_ERR_GONE);
}

static void on_request_unregister(chapi_request *request, void *data UNUSED)
{
	chapi_conn *conn = chapi_request_conn(request);

	assert_int_equal(chapi_unregister(conn, "f", NULL), 0);
	assert_int_equal(chapi_answer_json(request, "\"last\""), 0);
}

static void test_unregister_in_its_own_handler(void **state)
{
	struct fixture *f = *state;

	register_f(f, on_request_unregister, NULL);
	gateway_say(f, "[0,7,\"f\",[{},{}]]");
	gateway_say(f, "[1,2,null,null]");
	assert_int_equal(process(f), 0);
	gateway_hears(f, "[0,2,\"unregister\",[\"f\"]]");
	gateway_hears(f, "[1,7,null,\"last\"]");
	gateway_say(f, "[0,8,\"f\",[{},{}]]");
	gateway_hears(
		f, "[1,8,{\"message\":\"the provider does not answer this name any more\"},null]");
}

static void test_revoked_name_is_not_answered(void **state)
{
	struct fixture *f = *state;
	int n = 0;

	register_f(f, on_request_echo, &n);
	gateway_say(f, "[2,\"revoked\",[\"f\",\"replaced\"]]");
	gateway_say(f, "[0,8,\"f\",[{},{}]]");
	gateway_hears(
		f, "[1,8,{\"message\":\"the provider does not answer this name any more\"},null]");
	assert_int_equal(n, 0);
}

static void on_request_ask(chapi_request *request, void *data UNUSED)
{
	chapi_reply *reply;
	size_t len;
	const void *result;

	assert_int_equal(
		chapi_call_wait_json(chapi_request_conn(request), "inner", "{}", NULL, &reply), 0);
	result = chapi_reply_result(reply, &len);
	assert_int_equal(chapi_answer(request, result, len), 0);
	chapi_reply_free(reply);
}

static void test_handler_may_call_and_wait(void **state)
{
	struct fixture *f = *state;

	register_f(f, on_request_ask, NULL);
	gateway_say(f, "[0,7,\"f\",[{},{}]]");
	gateway_say(f, "[1,2,null,\"from inside\"]");
	assert_int_equal(process(f), 0);
	gateway_hears(f, "[0,2,\"call\",[\"inner\",{}]]");
	gateway_hears(f, "[1,7,null,\"from inside\"]");
}

/* ---- the end of a connection ---- */

static void on_reply_in_order(chapi_conn *conn, const chapi_reply *reply, void *data)
{
	static const char params = 1;
	struct heard *heard = data;

	assert_int_equal(chapi_reply_code(reply), CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(chapi_reply_ran(reply), CHAPI_RAN_UNKNOWN);
	assert_int_equal(chapi_call(conn, "a", &params, 1, NULL, NULL, NULL, NULL),
			 -CHAPI_ERR_CONNECTION_LOST);
	heard->n++;
}

static void test_lost_every_call_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct heard first = { 0 }, heard = { 0 };
	chapi_reply *reply;

	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply, &first, NULL), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(
			chapi_call(f->conn, "a", NULL, 0, NULL, on_reply_in_order, &heard, NULL),
			0);
	assert_int_equal(chapi_process(f->conn), 0);
	gateway_say(f, "[1,1,null,\"last words\"]");
	gateway_leaves(f);
	assert_int_equal(chapi_call_wait(f->conn, "w", NULL, 0, NULL, &reply), 0);
	assert_int_equal(chapi_reply_code(reply), CHAPI_ERR_CONNECTION_LOST);
	chapi_reply_free(reply);
	assert_string_equal(first.result, "\"last words\"");
	assert_int_equal(heard.n, 100);
	assert_int_equal(chapi_get_fd(f->conn), -1);
	assert_int_equal(chapi_process(f->conn), -CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(chapi_run(f->conn), -CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, NULL, NULL, NULL),
			 -CHAPI_ERR_CONNECTION_LOST);
	assert_int_equal(chapi_register(f->conn, "n", NULL, on_request_echo, NULL, NULL),
			 -CHAPI_ERR_CONNECTION_LOST);
}

static void test_close_tells_calls_in_flight(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { 0 };
	struct buf message;

	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply_in_order, &heard, NULL),
			 0);
	f->conn = chapi_close(f->conn);
	assert_null(f->conn);
	assert_int_equal(heard.n, 1);
	assert_true(gateway_read(f));		/* it was sent all the same */
	gateway_hear(f, &message);
	buf_deinit(&message);
	assert_null(chapi_close(NULL));
}

static void on_reply_close(chapi_conn *conn, const chapi_reply *reply UNUSED, void *data)
{
	int *n = data;

	++*n;
	assert_null(chapi_close(conn));
}

static void test_close_in_a_callback(void **state)
{
	struct fixture *f = *state;
	int n = 0;

	for (int i = 0; i < 3; i++)
		assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply_close, &n, NULL),
				 0);
	gateway_say(f, "[1,2,null,1]");
	gateway_say(f, "[1,1,null,1]");
	assert_int_equal(chapi_run(f->conn), 0);
	f->conn = NULL;
	assert_int_equal(n, 3);
}

static void on_request_close(chapi_request *request, void *data)
{
	chapi_close(chapi_request_conn(request));
	assert_int_equal(chapi_answer_json(request, "1"), -CHAPI_ERR_GONE);
	*(int *)data = 1;
}

static void test_close_in_a_handler_ends_a_wait(void **state)
{
	struct fixture *f = *state;
	chapi_reply *reply;
	int closed = 0;

	register_f(f, on_request_close, &closed);
	gateway_say(f, "[0,7,\"f\",[{},{}]]");
	gateway_say(f, "[1,2,null,\"too late\"]");
	assert_int_equal(chapi_call_wait(f->conn, "a", NULL, 0, NULL, &reply), 0);
	f->conn = NULL;
	assert_int_equal(chapi_reply_code(reply), CHAPI_ERR_CONNECTION_LOST);
	chapi_reply_free(reply);
	assert_int_equal(closed, 1);
}

static void on_request_close_in_register(chapi_request *request, void *data UNUSED)
{
	chapi_conn *conn = chapi_request_conn(request);

	chapi_request_drop(request);
	chapi_close(conn);
}

static void test_close_while_registering(void **state)
{
	struct fixture *f = *state;

	gateway_say(f, "[0,5,\"f\",[{},{}]]");
	assert_int_equal(
		chapi_register(f->conn, "f", NULL, on_request_close_in_register, NULL, NULL),
		-CHAPI_ERR_CONNECTION_LOST);
	f->conn = NULL;
}

static void on_reply_stop(chapi_conn *conn, const chapi_reply *reply, void *data)
{
	keep_reply(data, reply);
	chapi_stop(conn);
}

static void test_run_until_stopped(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { 0 };

	for (int i = 1; i <= 2; i++) {
		assert_int_equal(
			chapi_call(f->conn, "a", NULL, 0, NULL, on_reply_stop, &heard, NULL), 0);
		gateway_say(f, i == 1 ? "[1,1,null,1]" : "[1,2,null,1]");
		assert_int_equal(chapi_run(f->conn), 0);
		assert_int_equal(heard.n, i);
	}
	assert_int_equal(chapi_run_once(f->conn, 1), 0);
}

/* ---- bytes ---- */

static void test_bytes_one_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { 0 };
	struct buf b = BUF_NULL;
	struct value_fault fault;
	int n = 0;

	register_f(f, on_request_echo, &n);
	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply, &heard, NULL), 0);
	assert_int_equal(value_from_json(span_str("[1,2,null,{\"a\":[1,\"text\",2.5,true]}]"), 24,
					 &b, &fault),
			 0);
	assert_int_equal(value_from_json(span_str("[0,3,\"f\",[\"text\",{\"call\":\"c\"}]]"), 24,
					 &b, &fault),
			 0);
	for (size_t i = 0; i < b.len; i++) {
		assert_int_equal(heard.n, i < 24 ? 0 : heard.n);
		assert_int_equal(n, 0);
		gateway_send(f, buf_data(&b) + i, 1);
		assert_int_equal(process(f), 0);
	}
	assert_string_equal(heard.result, "{\"a\":[1,\"text\",2.5,true]}");
	assert_int_equal(n, 1);
	buf_deinit(&b);
}

static void check_bad_bytes(struct fixture *f, const char *bytes, size_t len)
{
	struct heard heard = { 0 };

	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply, &heard, NULL), 0);
	gateway_send(f, bytes, len);
	assert_int_equal(process(f), -CHAPI_ERR_BAD_MESSAGE);
	assert_int_equal(process(f), -CHAPI_ERR_BAD_MESSAGE);
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.code, CHAPI_ERR_CONNECTION_LOST);
	assert_true(f->log[0] != '\0');
}

static void test_bytes_that_are_not_messagepack(void **state)
{
	check_bad_bytes(*state, "\x94\x01\x01\xc1", 4);
}

static void test_bytes_that_are_no_message(void **state)
{
	check_bad_bytes(*state, "\x94\x09\x01\xc0\xc0", 5);
}

static void test_bytes_of_another_protocol(void **state)
{
	check_bad_bytes(*state, "HTTP/1.1 400 Bad Request\r\n", 26);
}

static void test_messages_to_nobody_do_no_harm(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { 0 };

	gateway_say(f, "[1,77,null,1]");
	assert_int_equal(process(f), 0);
	assert_non_null(strstr(f->log, "nothing that was asked"));
	gateway_say(f, "[2,\"new\\nthing\",[1]]");
	assert_int_equal(process(f), 0);
	assert_non_null(strstr(f->log, "new?thing"));
	gateway_say(f, "[2,\"revoked\",[5]]");
	gateway_say(f, "[2,\"cancel\",[1]]");
	gateway_say(f, "[0,5,\"nobody\",[{},{}]]");
	gateway_hears(
		f, "[1,5,{\"message\":\"the provider does not answer this name any more\"},null]");
	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, on_reply, &heard, NULL), 0);
	gateway_say(f, "[1,1,null,\"fine\"]");
	assert_int_equal(process(f), 0);
	assert_string_equal(heard.result, "\"fine\"");
}

/* ---- large values ---- */

static void *large_value(size_t len)
{
	uint8_t *p = malloc(len);
	size_t body = len - 5;

	assert_non_null(p);
	p[0] = 0xc6;		/* bin 32 */
	for (int i = 0; i < 4; i++)
		p[1 + i] = (uint8_t)(body >> (24 - 8 * i));
	for (size_t i = 0; i < body; i++)
		p[5 + i] = (uint8_t)(i * 7 + (i >> 9));
	return p;
}

struct large {
	const void *expected;
	size_t len;
	int n;
};

static void on_reply_large(chapi_conn *conn UNUSED, const chapi_reply *reply, void *data)
{
	struct large *large = data;
	size_t len;
	const void *result = chapi_reply_result(reply, &len);

	assert_int_equal(len, large->len);
	assert_memory_equal(result, large->expected, len);
	large->n++;
}

static void test_large_values_by_callback(void **state)
{
	struct fixture *f = *state;
	struct large large = { .len = 4 * MIB };
	void *value = large_value(large.len);
	struct buf message, answer = BUF_NULL;
	struct message m;
	const char *why;

	large.expected = value;
	assert_int_equal(
		chapi_call(f->conn, "a", value, large.len, NULL, on_reply_large, &large, NULL), 0);
	gateway_hear(f, &message);
	assert_int_equal(message_parse(buf_span(&message), 3, &m, &why), 0);
	assert_memory_equal(m.params.p + m.params.len - large.len, value, large.len);
	message_put_result_head(&answer, m.id);
	buf_put(&answer, value, large.len);
	gateway_send(f, buf_data(&answer), answer.len);
	while (large.n == 0)
		assert_int_equal(process(f), 0);
	buf_deinit(&answer);
	buf_deinit(&message);
	free(value);
}

/* A gateway that reads nothing before all it has to say is written: every call in it is
 * answered with its own params, twice as slow as a careless client would stand. */
static void stubborn_gateway(int fd, const void *value, size_t len, uint32_t n)
{
	struct buf out = BUF_NULL;
	char sink[65536];

	alarm(LIMIT_MS / 1000);
	fcntl(fd, F_SETFL, 0);
	for (uint32_t id = 1; id <= n; id++) {
		message_put_result_head(&out, id);
		buf_put(&out, value, len);
	}
	while (out.len > 0) {
		ssize_t sent = send(fd, buf_data(&out), out.len, MSG_NOSIGNAL);

		if (sent < 0)
			_exit(1);
		buf_consume(&out, (size_t)sent);
	}
	while (recv(fd, sink, sizeof(sink), 0) > 0)
		;
	buf_deinit(&out);
	_exit(0);
}

static void test_wait_reads_while_it_writes(void **state)
{
	struct fixture *f = *state;
	struct large large = { .len = 4 * MIB };
	void *value = large_value(large.len);
	chapi_reply *reply;
	size_t len;
	int status;
	pid_t pid;

	large.expected = value;
	pid = fork();
	if (pid == 0) {
		close(chapi_get_fd(f->conn));	/* or its end would never be seen */
		stubborn_gateway(f->gateway, value, large.len, 3);
	}
	assert_true(pid > 0);
	gateway_leaves(f);
	for (int i = 0; i < 2; i++)
		assert_int_equal(chapi_call(f->conn, "a", value, large.len, NULL, on_reply_large,
					    &large, NULL),
				 0);
	assert_int_equal(chapi_call_wait(f->conn, "a", value, large.len, NULL, &reply), 0);
	assert_int_equal(chapi_reply_code(reply), CHAPI_OK);
	assert_memory_equal(chapi_reply_result(reply, &len), value, large.len);
	assert_int_equal(len, large.len);
	chapi_reply_free(reply);
	assert_int_equal(large.n, 2);
	while (chapi_get_events(f->conn) & POLLOUT)
		assert_int_equal(process(f), 0);
	f->conn = chapi_close(f->conn);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	free(value);
}

/* The way that is told at chapi_close(): it must not go on to wait for input. */
static void test_run_once_ends_when_all_is_sent(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(chapi_call(f->conn, "a", NULL, 0, NULL, NULL, NULL, NULL), 0);
	alarm(LIMIT_MS / 1000);
	while (chapi_get_events(f->conn) & POLLOUT)
		assert_int_equal(chapi_run_once(f->conn, -1), 0);
	alarm(0);
	gateway_hears(f, "[0,1,\"call\",[\"a\",{}]]");
}

static void test_output_has_a_limit(void **state)
{
	struct fixture *f = *state;
	chapi_request *request = keep_request(f);
	size_t len = 8 * MIB;
	void *value = large_value(len);
	struct buf message;
	int r, n = 0;

	while ((r = chapi_call(f->conn, "a", value, len, NULL, NULL, NULL, NULL)) == 0)
		n++;
	assert_int_equal(r, -CHAPI_ERR_FULL);
	assert_int_equal(n, 7);
	assert_int_equal(chapi_answer(request, value, len), -CHAPI_ERR_FULL);
	for (int i = 0; i < n; i++) {
		gateway_hear(f, &message);
		buf_deinit(&message);
	}
	gateway_hears(f, "[1,7,{\"message\":\"the provider had no room for its answer\"},null]");
	assert_int_equal(chapi_call(f->conn, "a", value, len, NULL, NULL, NULL, NULL), 0);
	free(value);
}

/* ---- values, msgpack-c ---- */

static void test_values_go_there_and_back(void **state UNUSED)
{
	static const char text[] =
		"{\"a\":[18446744073709551615,-1,0.1,\"\\u0000\",{\"$bin\":\"AAE=\"}]}";
	void *value;
	char *back, fault[200];
	size_t len, back_len;

	assert_int_equal(chapi_json_to_msgpack(text, strlen(text), &value, &len, NULL, 0), 0);
	assert_int_equal(chapi_msgpack_to_json(value, len, false, &back, &back_len, NULL, 0), 0);
	assert_string_equal(back, text);
	assert_int_equal(back_len, strlen(text));
	free(back);
	assert_int_equal(chapi_msgpack_to_json(value, len, true, &back, &back_len, NULL, 0), 0);
	assert_non_null(strchr(back, '\n'));
	free(back);
	assert_int_equal(chapi_msgpack_to_json(value, len, false, &back, NULL, NULL, 0), 0);
	assert_string_equal(back, text);
	free(back);
	free(value);
	assert_int_equal(chapi_json_to_msgpack("{", 1, &value, &len, fault, sizeof(fault)),
			 -CHAPI_ERR_JSON);
	assert_true(strlen(fault) > 5);
	assert_int_equal(chapi_msgpack_to_json("\xc1", 1, false, &back, &len, fault, sizeof(fault)),
			 -CHAPI_ERR_MSGPACK);
	assert_int_equal(
		chapi_msgpack_to_json("\xcb\x7f\xf0\0\0\0\0\0\0", 9, false, &back, &len, fault, 10),
		-CHAPI_ERR_INEXPRESSIBLE);
	assert_int_equal(strlen(fault), 9);
	assert_string_equal(chapi_version(), PACKAGE_VERSION);
}

static void on_request_msgpack(chapi_request *request, void *data UNUSED)
{
	msgpack_unpacked params;
	msgpack_sbuffer buffer;
	msgpack_packer packer;

	assert_int_equal(chapi_request_unpack(request, &params), 0);
	assert_int_equal(params.data.via.u64, 41);
	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
	msgpack_pack_uint64(&packer, params.data.via.u64 + 1);
	assert_int_equal(chapi_answer_sbuffer(request, &buffer), 0);
	msgpack_sbuffer_destroy(&buffer);
	msgpack_unpacked_destroy(&params);
}

static void test_msgpack_c_can_be_used(void **state)
{
	struct fixture *f = *state;
	msgpack_unpacked result;
	msgpack_sbuffer buffer;
	msgpack_packer packer;
	chapi_reply *reply;

	register_f(f, on_request_msgpack, NULL);
	gateway_say(f, "[0,7,\"f\",[41,{}]]");
	gateway_say(f, "[1,2,null,{\"a\":\"b\"}]");
	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
	msgpack_pack_map(&packer, 0);
	assert_int_equal(chapi_call_wait_sbuffer(f->conn, "g", &buffer, NULL, &reply), 0);
	msgpack_sbuffer_destroy(&buffer);
	assert_int_equal(chapi_reply_unpack(reply, &result), 0);
	assert_int_equal(result.data.type, MSGPACK_OBJECT_MAP);
	assert_memory_equal(result.data.via.map.ptr[0].val.via.str.ptr, "b", 1);
	msgpack_unpacked_destroy(&result);
	chapi_reply_free(reply);
	gateway_hears(f, "[0,2,\"call\",[\"g\",{}]]");
	gateway_hears(f, "[1,7,null,42]");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_connect_says_who_is_missing),
		T(test_connect_says_that_it_may_not),
		T(test_connect_looks_in_order),
		T(test_connect_keeps_the_socket_to_itself),
		T(test_call_is_answered_by_callback),
		T(test_call_says_what_it_is_asked_to),
		T(test_call_refuses_what_is_no_value),
		T(test_call_error_is_told_whole),
		T(test_call_waits_for_its_answer),
		T(test_call_wait_ends_in_time),
		T(test_call_finds_its_answer_among_many),
		T(test_call_may_be_made_in_a_callback),
		T(test_register_says_the_options),
		T(test_register_tells_the_gateways_no),
		T(test_register_again_leaves_the_first_alone),
		T(test_register_is_ready_at_once),
		T(test_request_tells_what_the_gateway_said),
		T(test_request_without_words_has_defaults),
		T(test_request_is_answered_later),
		T(test_request_nothing_given_is_nil),
		T(test_request_fails_with_the_programs_words),
		T(test_request_a_bad_answer_is_told),
		T(test_request_outlives_the_connection),
		T(test_request_of_a_lost_connection_is_gone),
		T(test_unregister_in_its_own_handler),
		T(test_revoked_name_is_not_answered),
		T(test_handler_may_call_and_wait),
		T(test_lost_every_call_is_told_once),
		T(test_close_tells_calls_in_flight),
		T(test_close_in_a_callback),
		T(test_close_in_a_handler_ends_a_wait),
		T(test_close_while_registering),
		T(test_run_until_stopped),
		T(test_bytes_one_at_a_time),
		T(test_bytes_that_are_not_messagepack),
		T(test_bytes_that_are_no_message),
		T(test_bytes_of_another_protocol),
		T(test_messages_to_nobody_do_no_harm),
		T(test_large_values_by_callback),
		T(test_wait_reads_while_it_writes),
		T(test_run_once_ends_when_all_is_sent),
		T(test_output_has_a_limit),
		T(test_values_go_there_and_back),
		T(test_msgpack_c_can_be_used),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
