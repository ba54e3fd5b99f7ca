/* SPDX-License-Identifier: MIT */
/*
 * chapi-serve: a command becomes an API.
 *
 * One loop over the gateway's socket, a descriptor for signals, and the pipes of the commands
 * that run; nothing in it waits for anything else. A run is command.c's, what its end means for
 * the caller answer.c's.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "clients/answer.h"
#include "clients/cli.h"
#include "clients/command.h"

#define CALLS_MAX 64			/* commands at once */
#define OUTPUT_MAX ((size_t)1 << 20)
/* The gateway tells the caller that the time is over; our answer shall not come before. */
#define SLACK_MS 200
/* On the way out: for commands to end (they are killed sooner) and answers to be sent. */
#define STOP_MS 5000

static const char help[] =
	"Usage: chapi-serve [OPTION...] NAME -- COMMAND [ARGUMENT...]\n"
	"Registers NAME at the gateway and runs COMMAND for each call of it.\n"
	"\n"
	"The params come on COMMAND's standard input, as one line of JSON. Its standard\n"
	"output, 1 MiB at most, is the result: JSON, or else text without the last\n"
	"newline, or else bytes. If COMMAND fails the caller gets api_error, with\n"
	"{status, signal, stdout, stderr} as details. Up to 64 calls run side by side;\n"
	"more get busy. When the caller's time is over COMMAND is ended: TERM to its\n"
	"process group, KILL after 2 s. For a shell, name one: sh -c '...'.\n"
	"\n"
	"  -s, --socket PATH   the gateway's socket (default: $CHAPI_SOCKET, then\n"
	"                      $XDG_RUNTIME_DIR/chapi/gw.sock, then /run/chapi/gw.sock)\n"
	"  -h, --help          print this\n"
	"  -V, --version       print the version\n"
	"\n"
	"Signals: TERM, INT and HUP end it and its commands; a second one at once.\n"
	"Exit status: 0 ended by a signal; 64 wrong usage; 65 not a name; 69 no gateway\n"
	"at the socket; 71 system error; 73 the name is taken; 74 the gateway went away;\n"
	"77 not allowed.\n"
	"Example: chapi-serve disk -- df --output=pcent /\n";

struct options {
	struct cli_common common;
};

static const struct cli cli = { "chapi-serve", help, NULL, 0 };

/* A request and the command that runs for it. */
struct call {
	struct call *next;
	chapi_request *request;
	struct command *command;
};

enum { FD_SIGNALS, FD_GATEWAY, FD_COMMANDS };

struct serve {
	const char *name;
	char *const *argv;
	chapi_conn *conn;
	struct call *calls;
	unsigned int n_calls;
	bool stopping;
	int64_t stop_ms;		/* the end at the latest */
	int status;
	struct pollfd fds[FD_COMMANDS + CALLS_MAX * COMMAND_FDS];
};

static int64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- calls ---- */

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

static void set_limits(const chapi_request *request, struct command_spec *spec)
{
	int64_t timeout_ms = chapi_request_timeout_ms(request), now_ms = clock_ms();

	spec->output_max = OUTPUT_MAX;
	spec->due_ms = COMMAND_NEVER;
	if (timeout_ms >= 0 && timeout_ms < COMMAND_NEVER - now_ms - SLACK_MS)
		spec->due_ms = now_ms + timeout_ms + SLACK_MS;
}

static void add_call(struct serve *s, struct call *call)
{
	call->next = s->calls;
	s->calls = call;
	s->n_calls++;
}

static void begin_call(struct serve *s, chapi_request *request, const struct command_spec *spec)
{
	struct call *call = malloc(sizeof(*call));
	int r;

	if (!call) {
		free(spec->input);
		answer_not_started(request, s->argv[0], ENOMEM);
		return;
	}
	call->request = request;
	r = command_start(spec, &call->command);
	if (r < 0) {
		free(call);
		answer_not_started(request, s->argv[0], -r);
		return;
	}
	add_call(s, call);
}

static void on_request(chapi_request *request, void *data)
{
	struct command_spec spec = { 0 };
	struct serve *s = data;
	char fault[200];
	int r;

	if (s->stopping || s->n_calls == CALLS_MAX) {
		answer_busy(request, s->stopping ? "the provider is about to stop"
						 : "too many commands are running");
		return;
	}
	r = make_input(request, &spec, fault, sizeof(fault));
	if (r == -CHAPI_ERR_NOMEM) {
		answer_not_started(request, s->argv[0], ENOMEM);
	} else if (r < 0) {
		(void)chapi_answer_error(request, "invalid_argument", fault, NULL);
	} else {
		spec.argv = s->argv;
		set_limits(request, &spec);
		begin_call(s, request, &spec);
	}
}

static void finish_call(struct serve *s, struct call **link)
{
	struct call *call = *link;
	const struct command_end end = command_end(call->command);

	*link = call->next;
	s->n_calls--;
	answer_end(call->request, &end);
	command_free(call->command);
	free(call);
}

static void step_calls(struct serve *s)
{
	int64_t now_ms = clock_ms();
	struct call **link = &s->calls;

	while (*link) {
		command_step((*link)->command, now_ms);
		if (command_is_over((*link)->command))
			finish_call(s, link);
		else
			link = &(*link)->next;
	}
}

/* Those that would not end within STOP_MS. */
static void drop_calls(struct serve *s)
{
	struct call *call;

	while ((call = s->calls)) {
		s->calls = call->next;
		command_free(call->command);
		chapi_request_drop(call->request);
		free(call);
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
		command_stop(call->command, now_ms);
}

/* SIGCHLD only wakes us up: step_calls() looks for itself. */
static void take_signals(struct serve *s)
{
	struct signalfd_siginfo info;

	while (read(s->fds[FD_SIGNALS].fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			stop(s, 0);
}

static void talk(struct serve *s)
{
	int r = chapi_process(s->conn);

	if (s->stopping || (r != -CHAPI_ERR_CONNECTION_LOST && r != -CHAPI_ERR_BAD_MESSAGE))
		return;
	stop(s, cli_fail(chapi_get_path(s->conn), r));
}

/* Fills the descriptors to watch; returns how many. */
static nfds_t watch(struct serve *s)
{
	nfds_t n = FD_COMMANDS;

	s->fds[FD_GATEWAY].fd = chapi_get_fd(s->conn);
	s->fds[FD_GATEWAY].events = (short)chapi_get_events(s->conn);
	for (struct call *call = s->calls; call; call = call->next) {
		command_watch(call->command, &s->fds[n]);
		n += COMMAND_FDS;
	}
	return n;
}

static int wait_ms(const struct serve *s)
{
	int64_t due_ms = s->stopping ? s->stop_ms : COMMAND_NEVER, left_ms;
	int limit_ms = chapi_get_timeout_ms(s->conn);

	for (const struct call *call = s->calls; call; call = call->next)
		if (command_due_ms(call->command) < due_ms)
			due_ms = command_due_ms(call->command);
	if (due_ms == COMMAND_NEVER)
		return limit_ms;
	left_ms = due_ms - clock_ms();
	left_ms = left_ms < 0 ? 0 : left_ms > INT_MAX ? INT_MAX : left_ms;
	return limit_ms >= 0 && limit_ms < left_ms ? limit_ms : (int)left_ms;
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
	while (!is_done(s)) {
		nfds_t n = watch(s);

		if (poll(s->fds, n, wait_ms(s)) < 0 && errno != EINTR) {
			cli_error("poll: %s", strerror(errno));
			return CLI_STATUS_SYSTEM;
		}
		take_signals(s);
		step_calls(s);
		talk(s);
	}
	return s->status;
}

/* ---- starting ---- */

/* Whoever started us may have closed some of 0 to 2: pipes must not end up there. */
static void open_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static void on_log(const char *line, void *data)
{
	(void)data;
	cli_error("%s", line);
}

/* Signals become something to be read. Those that are ignored (nohup) stay so. */
static int open_signals(struct serve *s)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);	/* ignored, there would be nothing to wait for */
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	s->fds[FD_SIGNALS] = (struct pollfd){ .fd = fd, .events = POLLIN };
	return 0;
}

static int register_name(struct serve *s)
{
	chapi_reply *reply = NULL;
	int r = chapi_register(s->conn, s->name, NULL, on_request, s, &reply);

	if (reply && r < 0)
		cli_error("%s: %s", s->name, chapi_reply_message(reply));
	else if (r < 0)
		cli_fail(s->name, r);
	else
		cli_error("registered %s", s->name);
	chapi_reply_free(reply);
	return r < 0 ? chapi_exit_status(r) : 0;
}

static int serve(struct serve *s)
{
	int status, r;

	chapi_set_log(s->conn, on_log, NULL);
	r = open_signals(s);
	if (r < 0) {
		cli_error("signals: %s", strerror(-r));
		return CLI_STATUS_SYSTEM;
	}
	status = register_name(s);
	if (status == 0)
		status = loop(s);
	drop_calls(s);
	close(s->fds[FD_SIGNALS].fd);
	return status;
}

static int run(const struct options *o, char **names, int n, char **command)
{
	chapi_conn *conn CLEANUP(cli_close) = NULL;
	struct serve s = { 0 };
	int status;

	if (n < 1)
		return cli_usage("the NAME is missing");
	if (n > 1)
		return cli_usage("\"%s\": one NAME only; put -- before the command", names[1]);
	if (!command || !*command)
		return cli_usage("the command is missing: chapi-serve %s -- COMMAND", names[0]);
	status = cli_connect(&o->common, &conn);
	if (status != 0)
		return status;
	s.name = names[0];
	s.argv = command;
	s.conn = conn;
	return serve(&s);
}

/* The command may have options of its own: only what stands before -- is ours. */
static int find_dashes(int argc, char **argv)
{
	int i = 1;

	while (i < argc && strcmp(argv[i], "--") != 0)
		i++;
	return i;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	int dashes = find_dashes(argc, argv), status;
	char **command = dashes < argc ? argv + dashes + 1 : NULL;

	open_standard_fds();
	if (dashes < argc)
		argv[dashes] = NULL;
	if (cli_parse(&cli, dashes, argv, &o, &status) == 0)
		status = run(&o, argv + optind, dashes - optind, command);
	return cli_end(status);
}
