/* SPDX-License-Identifier: MIT */
/*
 * One call: see calling.h.
 *
 * It may be made again if it has not run, or if its API says that running twice is harmless; and
 * only after errors that may pass by themselves. Signals are read from a descriptor, beside the
 * gateway's socket, so that none falls between two looks.
 */
#include <config.h>

#include "clients/calling.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "clients/output.h"

/* The gateway's answer to a cancel, or to the end of the time, is waited for so long. */
#define GRACE_MS 2000
#define PAUSE_LEAST_MS 200
#define PAUSE_MOST_MS 5000
#define ASK_MS 2000

#define NEVER INT64_MAX

struct state {
	const struct calling *calling;
	chapi_conn *conn;
	int signals;
	uint32_t id;
	bool answered, again, interrupted;
	bool idempotent;
	int64_t tries_left, pause_ms;
	int64_t due_ms;		/* of this try: then it is given up */
	int status;
};

/* With another gateway ours waits as long for an answer that is on its way. */
static int64_t grace_ms(const struct calling *calling)
{
	return calling->to ? 2 * GRACE_MS : GRACE_MS;
}

static int64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- again? ---- */

static bool may_pass(int code)
{
	switch (code) {
	case CHAPI_ERR_API_NOT_FOUND:	/* as when its provider starts again */
	case CHAPI_ERR_BUSY:
	case CHAPI_ERR_RATE_LIMITED:
	case CHAPI_ERR_PAUSED:
	case CHAPI_ERR_HUB_DOWN:
	case CHAPI_ERR_GATEWAY_NOT_FOUND:
	case CHAPI_ERR_DEADLINE_EXCEEDED:
	case CHAPI_ERR_PROVIDER_GONE:
	case CHAPI_ERR_INTERNAL:
	case CHAPI_ERR_CONNECTION_LOST:
	case CHAPI_ERR_NO_GATEWAY:
		return true;
	default:
		return false;
	}
}

static bool take_try(struct state *s, int code, enum chapi_ran ran)
{
	if (s->interrupted || s->tries_left == 0 || !may_pass(code) ||
	    (ran != CHAPI_RAN_NO && !s->idempotent))
		return false;
	s->tries_left--;
	return true;
}

/* The gateway may know when it makes sense. */
static int64_t said_pause_ms(const chapi_reply *reply)
{
	char *text = NULL;
	json_t *details;
	int64_t ms;

	if (chapi_reply_details_json(reply, false, &text) < 0)
		return 0;
	details = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	ms = (int64_t)json_number_value(json_object_get(details, "retry_after_ms"));
	json_decref(details);
	free(text);
	return ms;
}

static void choose_pause(struct state *s, int64_t said_ms)
{
	s->pause_ms = s->pause_ms == 0 ? PAUSE_LEAST_MS : 2 * s->pause_ms;
	if (s->pause_ms > PAUSE_MOST_MS)
		s->pause_ms = PAUSE_MOST_MS;
	if (s->pause_ms < said_ms)
		s->pause_ms = said_ms;
}

/* Of the gateway that will be called. Negative, or the reply: there is no answer. */
static int describe(struct state *s, chapi_reply **ret_reply)
{
	const struct chapi_call_options options = {
		.size = sizeof(options), .timeout_ms = ASK_MS, .to = s->calling->to,
	};
	json_t *params = json_pack("{s:s}", "name", s->calling->api);
	char *text = params ? json_dumps(params, JSON_COMPACT) : NULL;
	int r = -ENOMEM;

	json_decref(params);
	if (text)
		r = chapi_call_wait_json(s->conn, "chapi.describe", text, &options, ret_reply);
	free(text);
	return r;
}

/* Is it said to be harmless to run it twice? */
static bool ask_idempotent(struct state *s)
{
	chapi_reply *reply = NULL;
	bool is_idempotent = false;
	char *result = NULL;
	json_t *record;

	if (describe(s, &reply) == 0 && chapi_reply_result_json(reply, false, &result) == 0) {
		record = json_loads(result, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		is_idempotent = json_is_true(json_object_get(record, "idempotent"));
		json_decref(record);
	}
	free(result);
	chapi_reply_free(reply);
	return is_idempotent;
}

/* ---- what comes ---- */

static void on_reply(chapi_conn *conn UNUSED, const chapi_reply *reply, void *data)
{
	struct state *s = data;

	if (s->answered)
		return;		/* it has been given up */
	s->answered = true;
	if (take_try(s, chapi_reply_code(reply), chapi_reply_ran(reply))) {
		s->again = true;
		choose_pause(s, said_pause_ms(reply));
	} else {
		s->status = s->calling->fn(reply, s->calling->data);
	}
}

static void on_progress(chapi_conn *conn UNUSED, uint32_t id UNUSED, const void *value, size_t len,
			void *data UNUSED)
{
	output_progress(value, len);
}

/* Once: the gateway is asked for the end, whose answer still comes. Once more: at once. */
static void take_signals(struct state *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (s->interrupted || !s->conn || chapi_cancel(s->conn, s->id) < 0)
			s->due_ms = 0;
		else
			s->due_ms = clock_ms() + grace_ms(s->calling);
		s->interrupted = true;
	}
}

/* ---- waiting ---- */

/* At most until due_ms; negative errno. */
static int wait_for(struct state *s, int64_t due_ms)
{
	struct pollfd fds[2] = { { .fd = s->signals, .events = POLLIN }, { .fd = -1 } };
	int64_t left_ms = due_ms == NEVER ? -1 : due_ms - clock_ms();
	int limit_ms = s->conn ? chapi_get_timeout_ms(s->conn) : -1;

	if (due_ms != NEVER && left_ms < 0)
		left_ms = 0;
	if (limit_ms < 0 || (left_ms >= 0 && left_ms < limit_ms))
		limit_ms = left_ms > INT_MAX ? INT_MAX : (int)left_ms;
	if (s->conn) {
		fds[1].fd = chapi_get_fd(s->conn);
		fds[1].events = (short)chapi_get_events(s->conn);
	}
	if (poll(fds, 2, limit_ms) < 0 && errno != EINTR)
		return -errno;
	take_signals(s);
	return 0;
}

static int give_up(const struct state *s)
{
	if (s->interrupted) {
		cli_error("%s: cancelled; it may have run", s->calling->api);
		return chapi_exit_status(CHAPI_ERR_CANCELLED);
	}
	cli_error("%s: the gateway does not answer; it may have run", s->calling->api);
	return chapi_exit_status(CHAPI_ERR_DEADLINE_EXCEEDED);
}

/* The status, if there has been no answer. */
static int wait_for_answer(struct state *s)
{
	int r = 0;

	while (!s->answered && r == 0) {
		if (clock_ms() >= s->due_ms) {
			s->answered = true;
			return give_up(s);
		}
		r = wait_for(s, s->due_ms);
		if (r == 0)
			(void)chapi_process(s->conn);	/* a loss is an answer, too */
	}
	if (r < 0) {
		cli_error("poll: %s", strerror(-r));
		return CLI_STATUS_SYSTEM;
	}
	return s->status;
}

static int pause_between(struct state *s)
{
	int64_t due_ms = clock_ms() + s->pause_ms;
	int r = 0;

	while (!s->interrupted && r == 0 && clock_ms() < due_ms)
		r = wait_for(s, due_ms);
	if (!s->interrupted && r == 0)
		return 0;
	cli_error("%s: cancelled; it did not run", s->calling->api);
	return chapi_exit_status(CHAPI_ERR_CANCELLED);
}

/* ---- one try ---- */

static int begin(struct state *s)
{
	const struct calling *c = s->calling;
	const struct chapi_call_options options = {
		.size = sizeof(options), .timeout_ms = c->timeout_ms, .to = c->to,
		.full = c->full, .oneway = c->oneway, .raw = c->raw,
		.progress = c->follow ? on_progress : NULL, .progress_data = s,
	};
	int r = chapi_call(s->conn, c->api, c->params, c->len, &options, on_reply, s, &s->id);

	if (r == 0)
		return 0;
	s->answered = true;
	if (r != -CHAPI_ERR_MSGPACK)
		return cli_fail(c->api, r);
	cli_error("the params are nested too deep: 24 levels are allowed");
	return CLI_STATUS_DATA;
}

static int connect_once(struct state *s)
{
	int r;

	s->conn = chapi_close(s->conn);
	r = chapi_connect(s->calling->common->socket, &s->conn);
	if (r == 0)
		return 0;
	if (take_try(s, -r, CHAPI_RAN_NO)) {
		s->again = true;
		choose_pause(s, 0);
		return 0;
	}
	return cli_connect(s->calling->common, &s->conn);
}

static int try_once(struct state *s)
{
	int64_t timeout_ms = s->calling->timeout_ms, grace = grace_ms(s->calling);
	int status;

	s->answered = s->again = false;
	s->due_ms = NEVER;
	status = connect_once(s);
	if (status != 0 || s->again)
		return status;
	if (s->tries_left > 0 && !s->idempotent)
		s->idempotent = ask_idempotent(s);
	if (timeout_ms > 0 && timeout_ms < NEVER - clock_ms() - grace)
		s->due_ms = clock_ms() + timeout_ms + grace;
	status = begin(s);
	return status != 0 ? status : wait_for_answer(s);
}

/* ---- the whole ---- */

/* Those that are ignored (nohup) stay so. */
static int open_signals(struct state *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return s->signals < 0 ? -errno : 0;
}

int calling_run(const struct calling *calling)
{
	struct state s = { .calling = calling, .signals = -1, .tries_left = calling->retries };
	int status, r = open_signals(&s);

	if (r < 0) {
		cli_error("signals: %s", strerror(-r));
		return CLI_STATUS_SYSTEM;
	}
	do {
		status = try_once(&s);
		if (s.again)
			status = pause_between(&s);
	} while (s.again && status == 0);
	s.answered = true;
	chapi_close(s.conn);
	close(s.signals);
	return status;
}
