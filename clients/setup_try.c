/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl setup: does the hub take it?
 *
 * A gateway is started in a folder of its own (see setup_folder.h), and asked how it goes; then it
 * calls itself through the hub. So it is tried with the very program that will use it, and with
 * all that is configured besides. Signals wait until all is tidied up (a Ctrl-C reaches that
 * gateway, too, which ends the trial).
 */
#include <config.h>	/* _GNU_SOURCE: asprintf, execvpe */

#include "clients/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clients/ctl.h"
#include "clients/setup_folder.h"

#define TRIAL_MS 20000
#define LOOK_MS 50
#define END_MS 3000

#define NOT_THERE 127		/* the status of a child that has not become a gateway */

struct trial {
	struct setup_folder folder;
	bool only_check;
	pid_t pid;
	int ended;		/* its status, by wait() */
	struct ctl ctl;
};

static int64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void nap(void)
{
	const struct timespec ts = { 0, LOOK_MS * 1000000L };

	nanosleep(&ts, NULL);
}

/* ---- the gateway in it ---- */

static void become_gateway(const struct trial *t, pid_t parent)
{
	const struct setup_folder *f = &t->folder;
	char *const argv[] = { (char *)"chapi-gw", (char *)"--config", f->config,
			       (char *)"--socket", f->socket,
			       t->only_check ? (char *)"--check-config" : NULL, NULL };
	int fd = open(f->log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (f->is_credential && setenv("CREDENTIALS_DIRECTORY", f->path, 1) < 0)
		_exit(1);
	if (getppid() != parent || fd < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
	    dup2(fd, STDERR_FILENO) < 0)
		_exit(1);
	execvp(argv[0], argv);
	execv(SBINDIR "/chapi-gw", argv);
	dprintf(STDERR_FILENO, "chapi-gw: %s; is it installed?\n", strerror(errno));
	_exit(NOT_THERE);
}

static int start_gateway(struct trial *t)
{
	pid_t parent = getpid();

	t->pid = fork();
	if (t->pid == 0)
		become_gateway(t, parent);
	return t->pid < 0 ? -errno : 0;
}

static bool has_ended(struct trial *t)
{
	if (t->pid > 0 && waitpid(t->pid, &t->ended, WNOHANG) == t->pid)
		t->pid = 0;
	return t->pid <= 0;
}

static void end_gateway(struct trial *t)
{
	int64_t end_ms = clock_ms() + END_MS;

	if (t->pid > 0)
		kill(t->pid, SIGTERM);
	while (!has_ended(t) && clock_ms() < end_ms)
		nap();
	if (!has_ended(t)) {
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
	}
}

/* Why it ended: the last line that it wrote. */
static void say_log(const struct trial *t)
{
	char line[1000], last[1000] = "it ended";
	char *said CLEANUP(cli_free) = NULL;
	FILE *in = fopen(t->folder.log, "re");

	while (in && fgets(line, sizeof(line), in))
		if (*line != '\n')
			memcpy(last, line, sizeof(last));
	if (in)
		fclose(in);
	last[strcspn(last, "\n")] = '\0';
	said = setup_folder_translate(&t->folder, last);
	cli_error("%s", said ? said : last);
}

/* ---- how it goes ---- */

/* Negative: it has ended, or never came. */
static int connect_to(struct trial *t, int64_t end_ms)
{
	t->ctl.common.socket = t->folder.socket;
	while (chapi_connect(t->folder.socket, &t->ctl.conn) < 0) {
		if (has_ended(t) || clock_ms() >= end_ms)
			return -1;
		nap();
	}
	return 0;
}

static int refused(const char *reason)
{
	cli_error("the hub does not take it: %s", *reason ? reason : "it does not answer");
	return chapi_exit_status(CHAPI_ERR_HUB_DOWN);
}

/* -1: not yet. */
static int look(struct trial *t, int64_t end_ms)
{
	json_t *status CLEANUP(ctl_free_json) = NULL;
	const json_t *hub;
	int r = ctl_ask_value(&t->ctl, "status", json_array(), &status);

	if (r != 0)
		return r;
	hub = json_object_get(status, "hub");
	if (strcmp(ctl_text(hub, "state"), "up") == 0)
		return 0;
	if (clock_ms() >= end_ms || *ctl_text(hub, "reason"))
		return refused(ctl_text(hub, "reason"));
	return -1;
}

static int travel(struct trial *t)
{
	char why[300];
	int64_t ms;
	int r = ctl_trip(t->ctl.conn, t->folder.channel, "request", &ms, why, sizeof(why));

	if (r < 0)
		return refused(why);
	cli_error("the hub takes it: a call through it took %lld ms", (long long)ms);
	return 0;
}

static int watch(struct trial *t)
{
	int64_t end_ms = clock_ms() + TRIAL_MS;
	int status = -1;

	if (connect_to(t, end_ms) < 0) {
		say_log(t);
		return chapi_exit_status(CHAPI_ERR_FAILED_PRECONDITION);
	}
	while (status < 0) {
		status = look(t, end_ms);
		if (status < 0)
			nap();
	}
	return status == 0 ? travel(t) : status;
}

static int wait_for_check(struct trial *t)
{
	int64_t end_ms = clock_ms() + TRIAL_MS;

	while (!has_ended(t) && clock_ms() < end_ms)
		nap();
	if (t->pid == 0 && WIFEXITED(t->ended) && WEXITSTATUS(t->ended) == 0)
		return 0;
	if (t->pid == 0 && WIFEXITED(t->ended) && WEXITSTATUS(t->ended) == NOT_THERE) {
		cli_error("chapi-gw is not installed here: the configuration is not checked");
		return 0;
	}
	say_log(t);
	return chapi_exit_status(CHAPI_ERR_FAILED_PRECONDITION);
}

static int run(struct trial *t, const struct setup *setup, const struct setup_paths *paths)
{
	int r = setup_folder_make(setup, paths, &t->folder), status;

	if (r == 0)
		r = start_gateway(t);
	if (r < 0) {
		cli_error("a trial cannot be made: %s", strerror(-r));
		return CLI_STATUS_SYSTEM;
	}
	status = t->only_check ? wait_for_check(t) : watch(t);
	t->ctl.conn = chapi_close(t->ctl.conn);
	return status;
}

static int try_out(const struct setup *setup, const struct setup_paths *paths, bool only_check)
{
	struct trial t = { .only_check = only_check };
	sigset_t set, before;
	int status;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, &before);
	status = run(&t, setup, paths);
	end_gateway(&t);
	setup_folder_remove(&t.folder);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

int setup_try(const struct setup *setup, const struct setup_paths *paths)
{
	return try_out(setup, paths, false);
}

int setup_check(const struct setup *setup, const struct setup_paths *paths)
{
	return try_out(setup, paths, true);
}
