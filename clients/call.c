/* SPDX-License-Identifier: MIT */
/*
 * One call of a served name: see call.h.
 */
#include <config.h>	/* _GNU_SOURCE: environ */

#include "clients/call.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "clients/answer.h"
#include "clients/invocation.h"

/* The gateway tells the caller that the time is over; our answer shall not come before. */
#define SLACK_MS 200

int64_t call_clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- what a call is given ---- */

/* The params as one line; the newline takes the place of the terminator. */
static int make_input(const chapi_request *request, struct command_spec *spec, char *fault,
		      size_t fault_len)
{
	size_t len;
	const void *params = chapi_request_params(request, &len);
	int r = chapi_msgpack_to_json(params, len, false, &spec->input, &spec->input_len, fault,
				      fault_len);

	if (r == 0)
		spec->input[spec->input_len++] = '\n';
	return r;
}

/* What is left to the call: the caller's time or our own limit. 0: neither. */
static int64_t limit_ms(const struct call *call, bool *ret_own)
{
	int64_t callers_ms = chapi_request_timeout_ms(call->request);
	int64_t own_ms = call->service->timeout_ms;

	if (callers_ms >= 0)
		callers_ms += SLACK_MS;
	*ret_own = own_ms > 0 && (callers_ms < 0 || own_ms < callers_ms);
	return *ret_own ? own_ms : callers_ms > 0 ? callers_ms : 0;
}

static char **make_env(const struct call *call)
{
	const chapi_request *request = call->request;

	return invocation_make_env(environ, &(struct invocation_call){
		.id = chapi_request_id(request), .api = chapi_request_api(request),
		.caller = chapi_request_caller(request), .origin = chapi_request_origin(request),
		.socket = chapi_get_path(chapi_request_conn(request)),
		.timeout_ms = chapi_request_timeout_ms(request),
	});
}

static void free_texts(char ***texts)
{
	*texts = invocation_free(*texts);
}

/* ---- calls begin ---- */

/* In what follows: it could not begin, and has been answered. */
enum { ANSWERED = 1 };

static int not_started(struct call *call, int error)
{
	answer_not_started(call->request, call->service->argv ? call->service->argv[0]
							      : call->service->http, error);
	return ANSWERED;
}

/* Lines are taken one by one; where all of the output is wanted, only if they are, too. */
static bool is_streamed(const struct call *call)
{
	const chapi_request *request = call->request;

	return call->service->stream &&
	       (!chapi_request_is_raw(request) || chapi_request_wants_progress(request));
}

static int start_command(struct call *call, struct command_spec *spec)
{
	char **env CLEANUP(free_texts) = make_env(call);
	int64_t left_ms = limit_ms(call, &call->own_limit), now_ms = call_clock_ms();
	int r = -ENOMEM;

	spec->envp = env;
	spec->output_max = (size_t)call->service->output_max;
	spec->by_line = is_streamed(call);
	spec->due_ms = left_ms > 0 && left_ms < COMMAND_NEVER - now_ms ? now_ms + left_ms
								      : COMMAND_NEVER;
	if (env)
		r = command_start(spec, &call->command);
	else
		free(spec->input);
	return r < 0 ? not_started(call, -r) : 0;
}

static int begin_command(struct call *call)
{
	struct command_spec spec = { 0 };
	char **argv CLEANUP(free_texts) = NULL;
	char fault[200];
	size_t len;
	const void *params = chapi_request_params(call->request, &len);
	int r = invocation_make_argv(call->service->argv, span_of(params, len),
				     call->service->allow_dash, &argv, fault, sizeof(fault));

	if (r == 0) {
		spec.argv = argv;
		r = make_input(call->request, &spec, fault, sizeof(fault));
		if (r == -CHAPI_ERR_NOMEM)
			return not_started(call, ENOMEM);
	}
	if (r == -ENOMEM)
		return not_started(call, ENOMEM);
	if (r != 0) {
		answer_invalid(call->request, fault);
		return ANSWERED;
	}
	return start_command(call, &spec);
}

/* As the variables CHAPI_* of a command. */
static int add_headers(const struct call *call, struct http_request *http)
{
	int r = http_request_add_header(http, "Chapi-Id", chapi_request_id(call->request));

	if (r == 0)
		r = http_request_add_header(http, "Chapi-Api", chapi_request_api(call->request));
	if (r == 0)
		r = http_request_add_header(http, "Chapi-Caller",
					    chapi_request_caller(call->request));
	if (r == 0)
		r = http_request_add_header(http, "Chapi-Origin",
					    chapi_request_origin(call->request));
	return r;
}

static int begin_exchange(struct http_client *client, struct call *call)
{
	struct http_limits limits = { .body_max = (size_t)call->service->output_max };
	struct http_request http = { 0 };
	char fault[200];
	size_t len;
	const void *params = chapi_request_params(call->request, &len);
	int r = http_request_make(call->service->http, params, len, &http, fault, sizeof(fault));

	if (r == HTTP_E_FAULT) {
		answer_invalid(call->request, fault);
		return ANSWERED;
	}
	limits.timeout_ms = limit_ms(call, &limits.own_limit);
	if (r == 0)
		r = add_headers(call, &http);
	if (r == 0)
		r = http_exchange_start(client, &http, &limits, &call->exchange);
	else
		http_request_deinit(&http);
	return r < 0 ? not_started(call, -r) : 0;
}

void call_cancel(struct call *call)
{
	if (call->command)
		command_stop(call->command, call_clock_ms());
	else
		call->exchange = http_exchange_free(call->exchange);
}

/* The caller has gone, or its time is over; so has our connection, perhaps. */
static void on_cancel(chapi_request *request UNUSED, void *data)
{
	call_cancel(data);
}

struct call *call_begin(struct http_client *http, const struct service *service,
			chapi_request *request)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call) {
		answer_not_started(request, service->name, ENOMEM);
		return NULL;
	}
	call->request = request;
	call->service = service;
	if ((service->http ? begin_exchange(http, call) : begin_command(call)) == ANSWERED) {
		free(call);
		return NULL;
	}
	chapi_request_on_cancel(request, on_cancel, call);
	return call;
}

/* ---- it goes on, and ends ---- */

static struct answer_form form_of(const struct call *call)
{
	return (struct answer_form){
		.json = call->service->json, .text = call->service->text,
		.raw = chapi_request_is_raw(call->request),
		.last_line = is_streamed(call), .own_limit = call->own_limit,
		.output_max = (size_t)call->service->output_max,
	};
}

static void pass_lines_on(struct call *call)
{
	const struct answer_form form = form_of(call);
	const char *line;
	size_t len;

	while (command_take_line(call->command, &line, &len))
		answer_progress(call->request, line, len, &form);
}

static bool is_over(struct call *call, int64_t now_ms)
{
	if (!call->command)
		return !call->exchange || http_exchange_is_over(call->exchange);
	command_step(call->command, now_ms);
	pass_lines_on(call);
	return command_is_over(call->command);
}

static void answer(struct call *call)
{
	const struct answer_form form = form_of(call);
	struct command_end end;

	chapi_request_on_cancel(call->request, NULL, NULL);
	if (call->command) {
		end = command_end(call->command);
		answer_end(call->request, &end, &form);
	} else if (call->exchange) {
		http_exchange_answer(call->exchange, call->request);
	} else {
		(void)chapi_answer_error(call->request, "cancelled", "it was cancelled", NULL);
	}
	call->request = NULL;
}

bool call_step(struct call *call, int64_t now_ms)
{
	if (!is_over(call, now_ms))
		return false;
	answer(call);
	return true;
}

struct call *call_free(struct call *call)
{
	if (!call)
		return NULL;
	if (call->request) {
		chapi_request_on_cancel(call->request, NULL, NULL);
		chapi_request_drop(call->request);
	}
	command_free(call->command);
	http_exchange_free(call->exchange);
	free(call);
	return NULL;
}

/* ---- for the owner's loop ---- */

nfds_t call_watch(const struct call *call, struct pollfd ret_fds[CALL_FDS])
{
	if (!call->command)
		return 0;
	command_watch(call->command, ret_fds);
	return COMMAND_FDS;
}

int64_t call_due_ms(const struct call *call)
{
	if (call->command)
		return command_due_ms(call->command);
	return call->exchange ? CALL_NEVER : 0;
}
