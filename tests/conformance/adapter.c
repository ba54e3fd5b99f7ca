/* SPDX-License-Identifier: MIT */
/*
 * libchapi-ipc as the conformance tests want it: does what it is told, a line of JSON each, and
 * reports. What is told and reported is in README.md beside this file; the driver there plays the
 * gateway. A line that is wrong ends the program: it was the driver that wrote it.
 */
#include "common/common.h"
#include "libchapi-ipc/chapi-ipc.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REQUESTS_MAX = 64, CALLS_MAX = 64 };

struct call {
	struct adapter *adapter;
	uint32_t id;
	char tag[32];
};

struct request {
	chapi_request *request;		/* NULL once it is answered */
	size_t number;
};

struct adapter {
	chapi_conn *conn;
	struct request requests[REQUESTS_MAX];
	size_t n_requests;
	struct call calls[CALLS_MAX];
	size_t n_calls;
};

static void die(const char *what, int err)
{
	fprintf(stderr, "adapter: %s: %s\n", what, chapi_strerror(err));
	exit(1);
}

static void text_free(char **text)
{
	free(*text);
}

/* ---- commands ----------------------------------------------------------------------- */

/* Past a string, or one character of something else. */
static const char *skip_token(const char *p)
{
	if (*p++ != '"')
		return p;
	while (*p && *p != '"')
		p += *p == '\\' && p[1] ? 2 : 1;
	return *p ? p + 1 : p;
}

/* Past a member's value: up to the comma or brace that ends it. */
static const char *skip_value(const char *p)
{
	for (int depth = 0; *p; p = skip_token(p)) {
		if (depth == 0 && (*p == ',' || *p == '}'))
			break;
		depth += *p == '{' || *p == '[';
		depth -= *p == '}' || *p == ']';
	}
	return p;
}

/*
 * A member of an object, as the text that stands there (so that values reach the library as they
 * were told: other readers of JSON stop at int64), to be freed; NULL if there is none. Keys and
 * the texts of commands are plain, without escapes.
 */
static char *member(const char *object, const char *key)
{
	const char *p = object + 1;

	while (*p == '"') {
		const char *name = p + 1, *value = skip_token(p);
		size_t len = (size_t)(value - name) - 1;

		value += strspn(value, ": ");
		p = skip_value(value);
		if (len == strlen(key) && strncmp(name, key, len) == 0)
			return strndup(value, (size_t)(p - value));
		p += strspn(p, ", ");
	}
	return NULL;
}

/* A member that is a text, without its quotes; likewise. */
static char *text_member(const char *object, const char *key)
{
	char *text = member(object, key);
	size_t len = text ? strlen(text) : 0;

	if (len < 2)
		return text;
	memmove(text, text + 1, len - 1);
	text[len - 2] = '\0';
	return text;
}

static long long number_member(const char *object, const char *key)
{
	char *text CLEANUP(text_free) = member(object, key);

	return text ? atoll(text) : 0;
}

static bool is_true(const char *object, const char *key)
{
	char *text CLEANUP(text_free) = member(object, key);

	return text && strcmp(text, "true") == 0;
}

/* ---- reports ------------------------------------------------------------------------ */

static void print_quoted(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20)
			printf("\\u%04x", (unsigned int)*text);
		else
			printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	}
	putchar('"');
}

static void report_error(const char *tag, const char *code, const char *message,
			 enum chapi_ran ran, const char *details)
{
	printf("{\"as\":\"%s\",\"error\":{\"code\":\"%s\",\"ran\":\"%s\",\"details\":%s,"
	       "\"message\":",
	       tag, code, chapi_ran_name(ran), details);
	print_quoted(message);
	puts("}}");
}

/* Nothing was asked of the gateway. */
static void report_refusal(const char *tag, int err)
{
	const char *code = chapi_code_name(err);

	report_error(tag, code ? code : "internal", chapi_strerror(err), CHAPI_RAN_NO, "null");
}

static void report_reply(const char *tag, const chapi_reply *reply)
{
	bool failed = chapi_reply_code(reply) != CHAPI_OK;
	char *text;
	int err;

	err = failed ? chapi_reply_details_json(reply, false, &text)
		     : chapi_reply_result_json(reply, false, &text);
	if (err)
		die("a reply", err);
	if (failed)
		report_error(tag, chapi_reply_code_name(reply), chapi_reply_message(reply),
			     chapi_reply_ran(reply), text);
	else
		printf("{\"as\":\"%s\",\"result\":%s}\n", tag, text);
	free(text);
}

/* Of the functions that wait: their result, and the reply if there was one. */
static void report_outcome(const char *command, int err, chapi_reply *reply)
{
	char *tag CLEANUP(text_free) = text_member(command, "as");

	if (reply)
		report_reply(tag, reply);
	else
		report_refusal(tag, err);
	chapi_reply_free(reply);
}

static void report_done(const char *command)
{
	char *tag CLEANUP(text_free) = text_member(command, "as");

	printf("{\"as\":\"%s\",\"result\":true}\n", tag);
}

/* ---- as a provider ------------------------------------------------------------------ */

static void on_cancel(chapi_request *request UNUSED, void *data)
{
	const struct request *entry = data;

	printf("{\"cancelled\":%zu}\n", entry->number);
}

static void on_request(chapi_request *request, void *data)
{
	struct adapter *adapter = data;
	struct request *entry = &adapter->requests[adapter->n_requests++];
	char *params;
	int err = chapi_request_params_json(request, false, &params);

	if (err || adapter->n_requests == REQUESTS_MAX)
		die("a request", err);
	entry->request = request;
	entry->number = adapter->n_requests;
	printf("{\"request\":\"%s\",\"number\":%zu,\"params\":%s}\n", chapi_request_api(request),
	       entry->number, params);
	free(params);
	chapi_request_on_cancel(request, on_cancel, entry);
}

static void on_name(chapi_conn *conn UNUSED, enum chapi_name_change change, const char *name,
		    const char *reason, void *data UNUSED)
{
	if (change == CHAPI_NAME_GRANTED)
		printf("{\"granted\":\"%s\"}\n", name);
	else
		printf("{\"revoked\":\"%s\",\"reason\":\"%s\"}\n", name, reason);
}

static struct request *find_request(struct adapter *adapter, const char *command)
{
	long long number = number_member(command, "number");

	if (number < 1 || (size_t)number > adapter->n_requests)
		die("no such request", CHAPI_ERR_USAGE);
	return &adapter->requests[number - 1];
}

static int answer_error(chapi_request *request, const char *error)
{
	char *code CLEANUP(text_free) = text_member(error, "code");
	char *message CLEANUP(text_free) = text_member(error, "message");
	char *details CLEANUP(text_free) = member(error, "details");

	return chapi_answer_error(request, code, message, details);
}

static int answer_result(chapi_request *request, const char *command)
{
	char *result CLEANUP(text_free) = member(command, "result");

	return chapi_answer_json(request, result);
}

/* An answer to a request whose connection is lost reaches nobody: GONE, as it should be. */
static void do_answer(struct adapter *adapter, const char *command)
{
	struct request *entry = find_request(adapter, command);
	char *error CLEANUP(text_free) = member(command, "error");
	int err = error ? answer_error(entry->request, error) :
			  answer_result(entry->request, command);

	entry->request = NULL;
	if (err && err != -CHAPI_ERR_GONE)
		die("answer", err);
}

static void do_progress(struct adapter *adapter, const char *command)
{
	char *value CLEANUP(text_free) = member(command, "value");
	int err = chapi_progress_json(find_request(adapter, command)->request, value);

	if (err)
		die("progress", err);
}

static void do_register(struct adapter *adapter, const char *command)
{
	char *text CLEANUP(text_free) = member(command, "options");
	char *name CLEANUP(text_free) = text_member(command, "name");
	struct chapi_api_options options = { .size = sizeof(options), .options_json = text };
	chapi_reply *reply = NULL;
	int err = chapi_register(adapter->conn, name, &options, on_request,
				 adapter, &reply);

	report_outcome(command, err, reply);
}

static void do_update(struct adapter *adapter, const char *command)
{
	char *text CLEANUP(text_free) = member(command, "options");
	char *name CLEANUP(text_free) = text_member(command, "name");
	struct chapi_api_options options = { .size = sizeof(options), .options_json = text };
	chapi_reply *reply = NULL;
	int err = chapi_update(adapter->conn, name, &options, &reply);

	report_outcome(command, err, reply);
}

static void do_unregister(struct adapter *adapter, const char *command)
{
	char *name CLEANUP(text_free) = text_member(command, "name");
	chapi_reply *reply = NULL;
	int err = chapi_unregister(adapter->conn, name, &reply);

	report_outcome(command, err, reply);
}

static void do_pause(struct adapter *adapter, const char *command)
{
	char *name CLEANUP(text_free) = text_member(command, "name");
	chapi_reply *reply = NULL;
	int err = chapi_pause(adapter->conn, name, &reply);

	report_outcome(command, err, reply);
}

static void do_resume(struct adapter *adapter, const char *command)
{
	char *name CLEANUP(text_free) = text_member(command, "name");
	chapi_reply *reply = NULL;
	int err = chapi_resume(adapter->conn, name, &reply);

	report_outcome(command, err, reply);
}

/* ---- as a caller -------------------------------------------------------------------- */

static void on_reply(chapi_conn *conn UNUSED, const chapi_reply *reply, void *data)
{
	const struct call *call = data;

	report_reply(call->tag, reply);
}

static void on_progress(chapi_conn *conn UNUSED, uint32_t id UNUSED, const void *value, size_t len,
			void *data)
{
	const struct call *call = data;
	char *text;
	size_t text_len;
	int err = chapi_msgpack_to_json(value, len, false, &text, &text_len, NULL, 0);

	if (err)
		die("progress", err);
	printf("{\"as\":\"%s\",\"progress\":%s}\n", call->tag, text);
	free(text);
}

/* Its answer goes to on_reply(). */
static struct call *add_call(struct adapter *adapter, const char *command)
{
	char *tag CLEANUP(text_free) = text_member(command, "as");
	struct call *call = &adapter->calls[adapter->n_calls++];

	if (adapter->n_calls == CALLS_MAX)
		die("too many calls", CHAPI_ERR_USAGE);
	call->adapter = adapter;
	snprintf(call->tag, sizeof(call->tag), "%s", tag);
	return call;
}

static void do_call(struct adapter *adapter, const char *command)
{
	struct call *call = add_call(adapter, command);
	struct chapi_call_options options = {
		.size = sizeof(options),
		.timeout_ms = number_member(command, "timeout_ms"),
		.oneway = is_true(command, "oneway"),
		.progress = is_true(command, "progress") ? on_progress : NULL,
		.progress_data = call,
	};
	char *params CLEANUP(text_free) = member(command, "params");
	char *api CLEANUP(text_free) = text_member(command, "api");
	int err;

	err = chapi_call_json(adapter->conn, api, params, &options, on_reply, call, &call->id);
	if (err)
		report_refusal(call->tag, err);
}

/* While it waits for calls to end, we are told to answer them. */
static void do_drain(struct adapter *adapter, const char *command)
{
	struct call *call = add_call(adapter, command);
	char *name CLEANUP(text_free) = text_member(command, "name");
	char args[200];
	int err;

	snprintf(args, sizeof(args), "[\"%s\"]", name);
	err = chapi_method_json(adapter->conn, "drain", args, on_reply, call, &call->id);
	if (err)
		report_refusal(call->tag, err);
}

static void do_cancel(struct adapter *adapter, const char *command)
{
	char *tag CLEANUP(text_free) = text_member(command, "call");

	for (size_t i = 0; i < adapter->n_calls; i++) {
		const struct call *call = &adapter->calls[i];
		int err = 0;

		if (strcmp(call->tag, tag) == 0)
			err = chapi_cancel(adapter->conn, call->id);
		if (err)
			die("cancel", err);
	}
}

/* ---- asking the gateway itself ------------------------------------------------------ */

static void do_list(struct adapter *adapter, const char *command)
{
	char *pattern CLEANUP(text_free) = text_member(command, "pattern");
	chapi_reply *reply = NULL;
	int err = chapi_list(adapter->conn, pattern, false, &reply);

	report_outcome(command, err, reply);
}

static void do_describe(struct adapter *adapter, const char *command)
{
	char *name CLEANUP(text_free) = text_member(command, "name");
	chapi_reply *reply = NULL;
	int err = chapi_describe(adapter->conn, name, &reply);

	report_outcome(command, err, reply);
}

static void do_status(struct adapter *adapter, const char *command)
{
	chapi_reply *reply = NULL;
	int err = chapi_status(adapter->conn, &reply);

	report_outcome(command, err, reply);
}

/* The first text of an array, without its quotes; to be freed. Cases have lists of one. */
static char *only_text(const char *command, const char *key)
{
	char *array CLEANUP(text_free) = member(command, key);
	const char *text = strchr(array, '"') + 1;

	return strndup(text, strcspn(text, "\""));
}

static void do_wait(struct adapter *adapter, const char *command)
{
	char *name CLEANUP(text_free) = only_text(command, "names");
	const char *names[] = { name };
	chapi_reply *reply = NULL;
	int err = chapi_wait(adapter->conn, names, 1, 0, &reply);

	report_outcome(command, err, reply);
}

static void do_publish(struct adapter *adapter, const char *command)
{
	char *channel CLEANUP(text_free) = text_member(command, "channel");
	char *event CLEANUP(text_free) = text_member(command, "event");
	char *data CLEANUP(text_free) = member(command, "data");
	chapi_reply *reply = NULL;
	int err = chapi_publish_json(adapter->conn, channel, event, data, -1, &reply);

	report_outcome(command, err, reply);
}

static void on_event(chapi_conn *conn UNUSED, const void *event, size_t len, void *data UNUSED)
{
	char *text;
	size_t text_len;
	int err = chapi_msgpack_to_json(event, len, false, &text, &text_len, NULL, 0);

	if (err)
		die("event", err);
	printf("{\"event\":%s}\n", text);
	free(text);
}

static void do_monitor(struct adapter *adapter, const char *command)
{
	char *kind CLEANUP(text_free) = only_text(command, "kinds");
	char *api CLEANUP(text_free) = text_member(command, "apis");
	const char *kinds[] = { kind, NULL }, *apis[] = { api, NULL };
	struct chapi_monitor_options options = {
		.size = sizeof(options), .kinds = kinds, .apis = apis,
		.bodies = is_true(command, "bodies"),
	};
	chapi_reply *reply = NULL;
	int err = chapi_monitor(adapter->conn, &options, on_event, NULL, &reply);

	report_outcome(command, err, reply);
}

/* ---- the connection ----------------------------------------------------------------- */

static void do_connect(struct adapter *adapter, const char *command)
{
	char *path CLEANUP(text_free) = text_member(command, "socket");
	char *app_key CLEANUP(text_free) = text_member(command, "app_key");
	struct chapi_hello_options hello = {
		.size = sizeof(hello), .client = "conformance", .app_key = app_key,
	};
	chapi_reply *reply = NULL;
	int err = chapi_connect(path, &adapter->conn);

	if (err)
		die("connect", err);
	chapi_set_name_fn(adapter->conn, on_name, adapter);
	err = chapi_hello(adapter->conn, &hello, &reply);
	if (err) {
		report_outcome(command, err, reply);
		return;
	}
	chapi_reply_free(reply);
	chapi_set_reconnect(adapter->conn, true, NULL, NULL);
	report_done(command);
}

static void do_close(struct adapter *adapter, const char *command)
{
	adapter->conn = chapi_close(adapter->conn);
	for (size_t i = 0; i < adapter->n_requests; i++)
		chapi_request_drop(adapter->requests[i].request);
	adapter->n_requests = adapter->n_calls = 0;
	report_done(command);
}

static void wait_until(struct adapter *adapter, bool is_connected)
{
	while ((chapi_get_fd(adapter->conn) >= 0) != is_connected) {
		int err = chapi_run_once(adapter->conn, -1);

		if (err)
			die("waiting", err);
	}
}

static void do_lost(struct adapter *adapter, const char *command)
{
	wait_until(adapter, false);
	report_done(command);
}

static void do_ready(struct adapter *adapter, const char *command)
{
	wait_until(adapter, true);
	report_done(command);
}

static const struct {
	const char *name;
	void (*fn)(struct adapter *adapter, const char *command);
} commands[] = {
	{ "answer", do_answer },     { "call", do_call },	    { "cancel", do_cancel },
	{ "close", do_close },	     { "connect", do_connect },	    { "lost", do_lost },
	{ "describe", do_describe }, { "drain", do_drain },	    { "list", do_list },
	{ "monitor", do_monitor },   { "publish", do_publish },	    { "status", do_status },
	{ "wait", do_wait },
	{ "pause", do_pause },	     { "progress", do_progress },   { "ready", do_ready },
	{ "register", do_register }, { "resume", do_resume },	    { "unregister", do_unregister },
	{ "update", do_update },
};

static void run_line(struct adapter *adapter, const char *line)
{
	char *name CLEANUP(text_free) = text_member(line, "do");
	bool found = false;

	for (size_t i = 0; name && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			commands[i].fn(adapter, line);
			found = true;
		}
	}
	if (!found)
		die(line, CHAPI_ERR_USAGE);
}

/* False at the end of what is told. */
static bool read_line(struct adapter *adapter)
{
	char *line CLEANUP(text_free) = NULL;
	size_t size = 0;

	if (getline(&line, &size, stdin) < 0)
		return false;
	run_line(adapter, line);
	return true;
}

/* Waits for a line, or for the gateway; false at the end. */
static bool wait_for_either(struct adapter *adapter)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = -1 } };
	int timeout = -1;

	if (adapter->conn) {
		fds[1].fd = chapi_get_fd(adapter->conn);
		fds[1].events = (short)chapi_get_events(adapter->conn);
		timeout = chapi_get_timeout_ms(adapter->conn);
	}
	if (poll(fds, 2, timeout) < 0)
		die("poll", CHAPI_ERR_SYSTEM);
	/* Once a hello is refused there is nothing to connect again to. */
	if (adapter->conn && chapi_process(adapter->conn) == -CHAPI_ERR_CONNECTION_LOST)
		adapter->conn = chapi_close(adapter->conn);
	return fds[0].revents ? read_line(adapter) : true;
}

int main(void)
{
	struct adapter adapter = { 0 };

	setvbuf(stdin, NULL, _IONBF, 0);	/* or poll() would not see what is buffered */
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("{\"ready\":true}");
	while (wait_for_either(&adapter))
		;
	chapi_close(adapter.conn);
	return 0;
}
