/* SPDX-License-Identifier: MIT */
/*
 * Serving: see serve.h.
 *
 * One loop over the gateway's socket, a descriptor for signals, and the pipes of the commands
 * that run (libcurl adds its sockets); nothing in it waits for anything else. A call is call.c's.
 */
#include <config.h>

#include "clients/serve.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clients/answer.h"
#include "clients/call.h"
#include "clients/http_exchange.h"

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

/* ---- calls ---- */

static bool make_fds_room(struct serve *s)
{
	size_t n = FD_COMMANDS + (s->n_calls + 1) * CALL_FDS;
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
	struct call *call;

	if (!make_fds_room(s)) {
		answer_not_started(request, service->name, ENOMEM);
		return;
	}
	call = call_begin(s->http, service, request);
	if (!call)
		return;
	call->next = s->calls;
	s->calls = call;
	s->n_calls++;
}

static void on_request(chapi_request *request, void *data)
{
	const struct served *served = data;

	if (served->serve->stopping)
		answer_busy(request, "the provider is about to stop");
	else
		begin_call(served->serve, served->service, request);
}

static void step_calls(struct serve *s)
{
	int64_t now_ms = call_clock_ms();
	struct call **link = &s->calls, *call;

	if (s->http)
		http_client_step(s->http);
	while ((call = *link)) {
		if (!call_step(call, now_ms)) {
			link = &call->next;
			continue;
		}
		*link = call->next;
		s->n_calls--;
		call_free(call);
	}
}

/* Those that would not end within STOP_MS. */
static void drop_calls(struct serve *s)
{
	struct call *call;

	while ((call = s->calls)) {
		s->calls = call->next;
		call_free(call);
	}
}

/* ---- the loop ---- */

static void stop(struct serve *s, int status)
{
	if (!s->stopping) {
		s->stopping = true;
		s->status = status;
	}
	if (s->stop_ms == 0 || s->stop_ms == CALL_NEVER)
		s->stop_ms = call_clock_ms() + STOP_MS;
	for (struct call *call = s->calls; call; call = call->next)
		call_cancel(call);
}

/* No new calls; those that run may go on. */
static void wind_down(struct serve *s, int status)
{
	if (s->stopping)
		return;
	s->stopping = true;
	s->status = status;
	s->stop_ms = CALL_NEVER;
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
	for (const struct call *call = s->calls; call; call = call->next)
		n += call_watch(call, &s->fds[n]);
	return n;
}

static int wait_ms(const struct serve *s)
{
	int64_t due_ms = s->stopping ? s->stop_ms : CALL_NEVER, left_ms;
	int most_ms = chapi_get_timeout_ms(s->conn);

	for (const struct call *call = s->calls; call; call = call->next)
		if (call_due_ms(call) < due_ms)
			due_ms = call_due_ms(call);
	if (due_ms == CALL_NEVER)
		return most_ms;
	left_ms = due_ms - call_clock_ms();
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
	if (call_clock_ms() >= s->stop_ms)
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
		wind_down(s, chapi_exit_status(err));
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
static void on_name(chapi_conn *conn UNUSED, enum chapi_name_change change, const char *name,
		    const char *reason, void *data)
{
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

static void on_log(const char *line, void *data UNUSED)
{
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
