/* SPDX-License-Identifier: MIT */
/*
 * Serving: see serve.h.
 *
 * One loop over the gateway's socket, a descriptor for signals, and the pipes of the commands
 * that run (libcurl adds its sockets); nothing in it waits for anything else. A run is
 * command.c's, an HTTP request http_exchange.c's, what the end of a command means for the caller
 * answer.c's.
 */
#include <config.h>	/* _GNU_SOURCE: environ */

#include "clients/serve.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "clients/answer.h"
#include "clients/command.h"
#include "clients/http_exchange.h"
#include "clients/invocation.h"

/* The gateway tells the caller that the time is over; our answer shall not come before. */
#define SLACK_MS 200
/* On the way out: for commands to end (they are killed sooner) and answers to be sent. */
#define STOP_MS 5000
/* The gateway's own limits of a name; with a longer time-out of ours its own is longer, too. */
#define CALLER_MS 30000
#define CALLER_MOST_MS 600000
#define LONGER_MS 5000

/* A name, and what its calls point at. */
struct served {
	struct serve *serve;
	const struct service *service;
	bool lost;
};

/* A request, and the command or the HTTP request for it. */
struct call {
	struct call *next;
	chapi_request *request;
	const struct service *service;
	struct command *command;
	struct http_exchange *exchange;
	bool own_limit;
};

enum { FD_SIGNALS, FD_GATEWAY, FD_COMMANDS };

struct serve {
	chapi_conn *conn;
	struct served *served;
	size_t n_served, n_lost;
	struct http_client *http;	/* NULL: no name needs it */
	struct call *calls;
	size_t n_calls;
	bool stopping;
	int64_t stop_ms;		/* the end at the latest */
	int status, signals;
	struct pollfd *fds;
	size_t fds_max;
};

static int64_t clock_ms(void)
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

/* In these three: 0, or what it has been answered with. */
enum { ANSWERED = 1 };

static int not_started(struct call *call, int error)
{
	answer_not_started(call->request, call->service->argv ? call->service->argv[0]
							      : call->service->http, error);
	return ANSWERED;
}

static int start_command(struct call *call, struct command_spec *spec)
{
	char **env CLEANUP(free_texts) = make_env(call);
	int64_t left_ms = limit_ms(call, &call->own_limit), now_ms = clock_ms();
	int r = -ENOMEM;

	spec->envp = env;
	spec->output_max = (size_t)call->service->output_max;
	spec->by_line = call->service->stream;
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
	int r = invocation_make_argv(call->service->argv, params, len, call->service->allow_dash,
				     &argv, fault, sizeof(fault));

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

static int begin_exchange(struct serve *s, struct call *call)
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
		r = http_exchange_start(s->http, &http, &limits, &call->exchange);
	else
		http_request_deinit(&http);
	return r < 0 ? not_started(call, -r) : 0;
}

/* The caller has gone, or its time is over; so has our connection, perhaps. */
static void on_cancel(chapi_request *request, void *data)
{
	struct call *call = data;

	(void)request;
	if (call->command)
		command_stop(call->command, clock_ms());
	else
		call->exchange = http_exchange_free(call->exchange);
}

static bool make_fds_room(struct serve *s)
{
	size_t n = FD_COMMANDS + (s->n_calls + 1) * COMMAND_FDS;
	struct pollfd *fds;

	if (n <= s->fds_max)
		return true;
	fds = realloc(s->fds, 2 * n * sizeof(*fds));
	if (!fds)
		return false;
	s->fds = fds;
	s->fds_max = 2 * n;
	return true;
}

static void begin_call(struct serve *s, const struct service *service, chapi_request *request)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call || !make_fds_room(s)) {
		free(call);
		answer_not_started(request, service->name, ENOMEM);
		return;
	}
	call->request = request;
	call->service = service;
	if ((service->http ? begin_exchange(s, call) : begin_command(call)) == ANSWERED) {
		free(call);
		return;
	}
	call->next = s->calls;
	s->calls = call;
	s->n_calls++;
	chapi_request_on_cancel(request, on_cancel, call);
}

static void on_request(chapi_request *request, void *data)
{
	const struct served *served = data;

	if (served->serve->stopping)
		answer_busy(request, "the provider is about to stop");
	else
		begin_call(served->serve, served->service, request);
}

/* ---- calls go on, and end ---- */

static struct answer_form form_of(const struct call *call)
{
	return (struct answer_form){
		.json = call->service->json, .text = call->service->text,
		.last_line = call->service->stream, .own_limit = call->own_limit,
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

/* Is it over? */
static bool step_call(struct call *call, int64_t now_ms)
{
	if (!call->command)
		return !call->exchange || http_exchange_is_over(call->exchange);
	command_step(call->command, now_ms);
	pass_lines_on(call);
	return command_is_over(call->command);
}

static void free_call(struct call *call)
{
	command_free(call->command);
	http_exchange_free(call->exchange);
	free(call);
}

static void answer_call(const struct call *call)
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
}

static void step_calls(struct serve *s)
{
	int64_t now_ms = clock_ms();
	struct call **link = &s->calls, *call;

	if (s->http)
		http_client_step(s->http);
	while ((call = *link)) {
		if (!step_call(call, now_ms)) {
			link = &call->next;
			continue;
		}
		*link = call->next;
		s->n_calls--;
		answer_call(call);
		free_call(call);
	}
}

/* Those that would not end within STOP_MS. */
static void drop_calls(struct serve *s)
{
	struct call *call;

	while ((call = s->calls)) {
		s->calls = call->next;
		chapi_request_on_cancel(call->request, NULL, NULL);
		chapi_request_drop(call->request);
		free_call(call);
	}
}

/* ---- the loop ---- */

static void stop(struct serve *s, int status)
{
	int64_t now_ms = clock_ms();

	if (!s->stopping) {
		s->stopping = true;
		s->status = status;
		s->stop_ms = now_ms + STOP_MS;
	}
	for (struct call *call = s->calls; call; call = call->next)
		on_cancel(call->request, call);
}

/* SIGCHLD only wakes us up: step_calls() looks for itself. */
static void take_signals(struct serve *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			stop(s, 0);
}

/* Fills the descriptors to watch; returns how many. */
static nfds_t watch(struct serve *s)
{
	nfds_t n = FD_COMMANDS;

	s->fds[FD_SIGNALS] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	s->fds[FD_GATEWAY] = (struct pollfd){
		.fd = chapi_get_fd(s->conn), .events = (short)chapi_get_events(s->conn),
	};
	for (struct call *call = s->calls; call; call = call->next) {
		if (!call->command)
			continue;
		command_watch(call->command, &s->fds[n]);
		n += COMMAND_FDS;
	}
	return n;
}

static int wait_ms(const struct serve *s)
{
	int64_t due_ms = s->stopping ? s->stop_ms : COMMAND_NEVER, left_ms;
	int most_ms = chapi_get_timeout_ms(s->conn);

	for (const struct call *call = s->calls; call; call = call->next) {
		if (call->command && command_due_ms(call->command) < due_ms)
			due_ms = command_due_ms(call->command);
		if (!call->command && !call->exchange)
			return 0;	/* it has been given up */
	}
	if (due_ms == COMMAND_NEVER)
		return most_ms;
	left_ms = due_ms - clock_ms();
	left_ms = left_ms < 0 ? 0 : left_ms > INT_MAX ? INT_MAX : left_ms;
	return most_ms >= 0 && most_ms < left_ms ? most_ms : (int)left_ms;
}

static int wait_for_work(struct serve *s)
{
	nfds_t n = watch(s);

	if (s->http)
		return http_client_poll(s->http, s->fds, n, wait_ms(s));
	return poll(s->fds, n, wait_ms(s)) < 0 && errno != EINTR ? -errno : 0;
}

/* Told to stop, all commands have ended, and all answers are sent; or that takes too long. */
static bool is_done(const struct serve *s)
{
	if (!s->stopping)
		return false;
	if (clock_ms() >= s->stop_ms)
		return true;
	return !s->calls && (chapi_get_fd(s->conn) < 0 || !(chapi_get_events(s->conn) & POLLOUT));
}

static int loop(struct serve *s)
{
	int r;

	while (!is_done(s)) {
		r = wait_for_work(s);
		if (r < 0) {
			cli_error("poll: %s", strerror(-r));
			return CLI_STATUS_SYSTEM;
		}
		take_signals(s);
		step_calls(s);
		/* The connection is made again by itself; what has come is taken later. */
		(void)chapi_process(s->conn);
	}
	return s->status;
}

/* ---- names ---- */

static void lose_name(struct serve *s, const char *name, int err)
{
	for (size_t i = 0; i < s->n_served; i++)
		if (!s->served[i].lost && strcmp(s->served[i].service->name, name) == 0) {
			s->served[i].lost = true;
			s->n_lost++;
		}
	if (s->n_lost == s->n_served)
		stop(s, chapi_exit_status(err));
}

static void on_change(chapi_conn *conn, const struct chapi_change *change, void *data)
{
	switch (change->kind) {
	case CHAPI_LOST:
		cli_error("%s: %s; trying again", chapi_get_path(conn),
			  chapi_strerror(change->error));
		return;
	case CHAPI_NAME_RESTORED:
		cli_error("registered %s again", change->name);
		return;
	case CHAPI_NAME_FAILED:
		cli_error("%s: %s", change->name, change->reply ? chapi_reply_message(change->reply)
							      : chapi_strerror(change->error));
		lose_name(data, change->name, change->error);
		return;
	case CHAPI_CONNECTED:
	case CHAPI_MONITOR_RESTORED:
	case CHAPI_MONITOR_FAILED:
		return;
	}
}

/* A standby goes on waiting by itself; a name that somebody else has taken is gone. */
static void on_name(chapi_conn *conn, enum chapi_name_change change, const char *name,
		    const char *reason, void *data)
{
	(void)conn;
	if (change == CHAPI_NAME_GRANTED) {
		cli_error("%s is ours now", name);
		return;
	}
	cli_error("%s is taken away (%s)", name, reason);
	lose_name(data, name, CHAPI_ERR_API_EXISTS);
}

static int register_name(struct serve *s, struct served *served)
{
	const struct service *v = served->service;
	const struct chapi_api_options options = {
		.size = sizeof(options), .summary = v->summary, .policy = v->policy,
		.visibility = v->local ? "local" : NULL, .concurrency = v->concurrency,
		.queue = v->queue > 0 ? v->queue : -1, .idempotent = v->idempotent,
		.params_json = v->params, .result_json = v->result,
		.timeout_ms = v->timeout_ms >= CALLER_MS ? v->timeout_ms + LONGER_MS : 0,
		.timeout_max_ms = v->timeout_ms >= CALLER_MOST_MS ? v->timeout_ms + LONGER_MS : 0,
	};
	chapi_reply *reply = NULL;
	int r = chapi_register(s->conn, v->name, &options, on_request, served, &reply);

	if (reply && r < 0)
		cli_error("%s: %s", v->name, chapi_reply_message(reply));
	else if (r < 0)
		cli_fail(v->name, r);
	else
		cli_error("registered %s", v->name);
	chapi_reply_free(reply);
	return r < 0 ? chapi_exit_status(r) : 0;
}

/* ---- starting ---- */

static void on_log(const char *line, void *data)
{
	(void)data;
	cli_error("%s", line);
}

/* Signals become something to be read. Those that are ignored (nohup) stay so. */
static int open_signals(struct serve *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);	/* ignored, there would be nothing to wait for */
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return s->signals < 0 ? -errno : 0;
}

static int open_all(struct serve *s, const struct services *services)
{
	bool http = false;
	int r;

	s->served = calloc(services->n, sizeof(*s->served));
	if (!s->served || !make_fds_room(s))
		return -ENOMEM;
	s->n_served = services->n;
	for (size_t i = 0; i < services->n; i++) {
		s->served[i] = (struct served){ s, &services->all[i], false };
		http |= services->all[i].http != NULL;
	}
	r = open_signals(s);
	return r == 0 && http ? http_client_new(&s->http) : r;
}

static void close_all(struct serve *s)
{
	drop_calls(s);
	http_client_free(s->http);
	if (s->signals >= 0)
		close(s->signals);
	free(s->served);
	free(s->fds);
}

int serve(chapi_conn *conn, const struct services *services)
{
	struct serve s = { .conn = conn, .signals = -1 };
	int status = 0, r = open_all(&s, services);

	if (r < 0) {
		cli_error("cannot begin: %s", strerror(-r));
		status = CLI_STATUS_SYSTEM;
	}
	chapi_set_log(conn, on_log, NULL);
	chapi_set_name_fn(conn, on_name, &s);
	for (size_t i = 0; i < s.n_served && status == 0; i++)
		status = register_name(&s, &s.served[i]);
	if (status == 0) {
		chapi_set_reconnect(conn, true, on_change, &s);
		status = loop(&s);
	}
	chapi_set_reconnect(conn, false, NULL, NULL);
	chapi_set_name_fn(conn, NULL, NULL);
	close_all(&s);
	return status;
}
