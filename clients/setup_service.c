/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl setup: what it leaves to the system's own programs.
 *
 * systemctl starts the service, usermod lets somebody use its socket.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients/cli.h"
#include "clients/member.h"
#include "clients/setup.h"

/* ---- the service ---- */

/* 0: it ended so. */
static int run_program(char *const *argv)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		execvp(argv[0], argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int systemctl(const struct setup *setup, const char *verb, const char *unit)
{
	const char *argv[5] = { "systemctl" };
	size_t n = 1;

	if (setup->user)
		argv[n++] = "--user";
	argv[n++] = verb;
	argv[n++] = unit;
	return run_program((char *const *)argv);
}

int setup_start(const struct setup *setup)
{
	const char *unit = "chapi-gw.service";

	if (systemctl(setup, "daemon-reload", NULL) == 0 && systemctl(setup, "enable", unit) == 0 &&
	    systemctl(setup, "restart", unit) == 0) {
		cli_error("the gateway runs; `chapi-ctl doctor` looks after it");
		return 0;
	}
	cli_error("the service cannot be started; see: systemctl%s status %s",
		  setup->user ? " --user" : "", unit);
	return CLI_STATUS_SYSTEM;
}

/* ---- who may use it ---- */

bool setup_is_outsider(const char *user)
{
	const struct passwd *pw = getpwnam(user);

	return pw && pw->pw_uid != 0 && getgrnam(SETUP_GROUP) && !member_of(user, SETUP_GROUP);
}

int setup_add_member(const char *user)
{
	const char *argv[] = { "usermod", "-a", "-G", SETUP_GROUP, "--", user, NULL };

	if (run_program((char *const *)argv) != 0) {
		cli_error("%s is not in the group " SETUP_GROUP " (see above)", user);
		return CLI_STATUS_SYSTEM;
	}
	cli_error("%s may use it from the next login on; in this shell now, by: newgrp "
		  SETUP_GROUP, user);
	return 0;
}
