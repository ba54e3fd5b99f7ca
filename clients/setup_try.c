/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl setup: does the hub take it?
 *
 * A gateway is started in a folder of its own, with these settings and a channel that nobody else
 * has, and asked how it goes; then it calls itself through the hub. So it is tried with the very
 * program that will use it. Signals wait until all is tidied up (a Ctrl-C reaches that gateway,
 * too, which ends the trial).
 */
#include <config.h>	/* _GNU_SOURCE: asprintf, execvpe */

#include "clients/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clients/ctl.h"

#define TRIAL_MS 20000
#define LOOK_MS 50
#define END_MS 3000

struct trial {
	const struct setup *setup;
	char folder[64];
	char *config, *secret, *socket, *log;
	char channel[64], name[32];
	pid_t pid;
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

/* ---- its folder ---- */

static char *path_in(const struct trial *t, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", t->folder, name) < 0 ? NULL : path;
}

static int open_folder(struct trial *t)
{
	const char *tmp = getenv("TMPDIR");
	uint64_t random;

	if (!tmp || strlen(tmp) > sizeof(t->folder) - sizeof("/chapi-setup-XXXXXX"))
		tmp = "/tmp";
	snprintf(t->folder, sizeof(t->folder), "%s/chapi-setup-XXXXXX", tmp);
	if (!mkdtemp(t->folder)) {
		t->folder[0] = '\0';
		return -errno;
	}
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(t->channel, sizeof(t->channel), "private-chapi-setup-%016llx",
		 (unsigned long long)random);
	/* By its own name it would be taken for the gateway that runs already. */
	snprintf(t->name, sizeof(t->name), "setup-%08x", (unsigned int)random);
	t->config = path_in(t, "gw.conf");
	t->secret = path_in(t, "secret");
	t->socket = path_in(t, "gw.sock");
	t->log = path_in(t, "log");
	return t->config && t->secret && t->socket && t->log ? 0 : -ENOMEM;
}

static void remove_file(char **path)
{
	if (*path)
		unlink(*path);
	free(*path);
	*path = NULL;
}

static void remove_folder(struct trial *t)
{
	remove_file(&t->config);
	remove_file(&t->secret);
	remove_file(&t->socket);
	remove_file(&t->log);
	if (t->folder[0])
		rmdir(t->folder);
}

static FILE *create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? NULL : fdopen(fd, "w");
}

static int write_secret(const struct trial *t)
{
	FILE *out = create(t->secret);

	if (!out)
		return -errno;
	fprintf(out, "%s\n", t->setup->secret);
	return fclose(out) != 0 ? -errno : 0;
}

/* It must not answer what is none of its business, and may publish to itself. */
static int write_config(const struct trial *t)
{
	struct setup setup = *t->setup;
	FILE *out = create(t->config);

	if (!out)
		return -errno;
	setup.name = t->name;
	setup_put_settings(out, &setup, t->secret, t->channel);
	fputs("answer_unknown = no\n\n[policy]\npublish = * private-chapi-setup-*\n", out);
	return fclose(out) != 0 ? -errno : 0;
}

/* ---- the gateway in it ---- */

static void become_gateway(const struct trial *t, pid_t parent)
{
	char *const argv[] = { (char *)"chapi-gw", (char *)"--config", t->config,
			       (char *)"--socket", t->socket, NULL };
	int fd = open(t->log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || fd < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
	    dup2(fd, STDERR_FILENO) < 0)
		_exit(1);
	execvp(argv[0], argv);
	execv(SBINDIR "/chapi-gw", argv);
	dprintf(STDERR_FILENO, "chapi-gw: %s; is it installed?\n", strerror(errno));
	_exit(127);
}

static int start_gateway(struct trial *t)
{
	pid_t parent = getpid();
	int r = write_secret(t);

	if (r == 0)
		r = write_config(t);
	if (r < 0)
		return r;
	t->pid = fork();
	if (t->pid == 0)
		become_gateway(t, parent);
	return t->pid < 0 ? -errno : 0;
}

static bool has_ended(struct trial *t)
{
	if (t->pid > 0 && waitpid(t->pid, NULL, WNOHANG) == t->pid)
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
	FILE *in = fopen(t->log, "re");

	while (in && fgets(line, sizeof(line), in))
		if (*line != '\n')
			memcpy(last, line, sizeof(last));
	if (in)
		fclose(in);
	last[strcspn(last, "\n")] = '\0';
	cli_error("%s", last);
}

/* ---- how it goes ---- */

/* Negative: it has ended, or never came. */
static int connect_to(struct trial *t, int64_t end_ms)
{
	t->ctl.common.socket = t->socket;
	while (chapi_connect(t->socket, &t->ctl.conn) < 0) {
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
	int r = ctl_trip(t->ctl.conn, t->channel, &ms, why, sizeof(why));

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

static int run(struct trial *t)
{
	int r = open_folder(t), status;

	if (r == 0)
		r = start_gateway(t);
	if (r < 0) {
		cli_error("a trial cannot be made: %s", strerror(-r));
		return CLI_STATUS_SYSTEM;
	}
	status = watch(t);
	t->ctl.conn = chapi_close(t->ctl.conn);
	return status;
}

int setup_try(const struct setup *setup)
{
	struct trial t = { .setup = setup };
	sigset_t set, before;
	int status;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, &before);
	status = run(&t);
	end_gateway(&t);
	remove_folder(&t);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}
