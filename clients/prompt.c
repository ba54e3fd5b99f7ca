/* SPDX-License-Identifier: MIT */
/*
 * Questions on a terminal: see prompt.h.
 *
 * Signals wait in a descriptor beside standard input, so that the terminal is put right before
 * any of them counts.
 */
#include <config.h>	/* _GNU_SOURCE: explicit_bzero */

#include "clients/prompt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define ANSWER_MAX 1024

bool prompt_is_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* A terminal gives whole lines. */
static int read_answer(int signals, char *line, size_t size)
{
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
				 { .fd = signals, .events = POLLIN } };
	ssize_t n;

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	if (fds[1].revents)
		return PROMPT_E_ENDED;
	n = read(STDIN_FILENO, line, size - 1);
	if (n < 0)
		return -errno;
	line[n] = '\0';
	return n == 0 ? PROMPT_E_ENDED : 0;
}

static void show_question(const char *question, const char *standard)
{
	if (standard && *standard)
		fprintf(stderr, "%s [%s]: ", question, standard);
	else
		fprintf(stderr, "%s: ", question);
	fflush(stderr);
}

/* Asks when the terminal is ready: what is typed at once is not lost, and not shown. */
static int ask_unseen(const char *question, int signals, char *line, size_t size)
{
	struct termios seen, unseen;
	int r;

	if (tcgetattr(STDIN_FILENO, &seen) < 0)
		return -errno;
	unseen = seen;
	unseen.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen) < 0)
		return -errno;
	show_question(question, NULL);
	r = read_answer(signals, line, size);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &seen);
	fputc('\n', stderr);
	return r;
}

static int ask_seen(const char *question, const char *standard, int signals, char *line,
		    size_t size)
{
	show_question(question, standard);
	return read_answer(signals, line, size);
}

static int ask_with_signals(const char *question, const char *standard, bool is_seen, char *line,
			    size_t size)
{
	sigset_t set, before;
	int signals, r;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	if (sigprocmask(SIG_BLOCK, &set, &before) < 0)
		return -errno;
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0)
		r = -errno;
	else
		r = is_seen ? ask_seen(question, standard, signals, line, size)
			    : ask_unseen(question, signals, line, size);
	if (signals >= 0)
		close(signals);
	sigprocmask(SIG_SETMASK, &before, NULL);	/* one that came counts from here on */
	return r;
}

static char *trim(char *line)
{
	size_t len;

	line += strspn(line, " \t\r\n");
	len = strlen(line);
	while (len > 0 && strchr(" \t\r\n", line[len - 1]))
		line[--len] = '\0';
	return line;
}

static int ask(const char *question, const char *standard, bool is_seen, char **ret_text)
{
	char line[ANSWER_MAX];
	const char *answer;
	int r = ask_with_signals(question, standard, is_seen, line, sizeof(line));

	if (r != 0)
		return r;
	answer = trim(line);
	*ret_text = strdup(*answer || !standard ? answer : standard);
	explicit_bzero(line, sizeof(line));
	return *ret_text ? 0 : -ENOMEM;
}

int prompt_text(const char *question, const char *standard, char **ret_text)
{
	return ask(question, standard, true, ret_text);
}

int prompt_secret(const char *question, char **ret_text)
{
	return ask(question, NULL, false, ret_text);
}

int prompt_yes(const char *question, bool standard, bool *ret_yes)
{
	char *answer = NULL;
	int r;

	do {
		free(answer);
		answer = NULL;
		r = ask(question, standard ? "Y/n" : "y/N", true, &answer);
	} while (r == 0 && !strchr("yYnN", answer[0]));
	if (r == 0)
		*ret_yes = strcmp(answer, standard ? "Y/n" : "y/N") == 0
				   ? standard : answer[0] == 'y' || answer[0] == 'Y';
	free(answer);
	return r;
}
