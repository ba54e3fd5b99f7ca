/* SPDX-License-Identifier: MIT */
/*
 * Questions on a terminal: see prompt.h.
 *
 * Signals wait in a descriptor beside standard input, so that the terminal is put right before
 * any of them counts. What an answer means is typed.c's.
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

#include "clients/typed.h"

#define ANSWER_MAX 1024

bool prompt_is_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* Descriptors that tell of signals. */
struct signals {
	int end;		/* what ends the program: it counts when all is put right */
	int stop;		/* Ctrl-Z; -1: it counts at once */
};

/* In what follows: the program is to be stopped, and to ask again afterwards. */
enum { TO_BE_STOPPED = PROMPT_E_ENDED + 1 };

/* A terminal gives whole lines. */
static int read_answer(const struct signals *signals, char *line, size_t size)
{
	struct pollfd fds[3] = { { .fd = STDIN_FILENO, .events = POLLIN },
				 { .fd = signals->end, .events = POLLIN },
				 { .fd = signals->stop, .events = POLLIN } };
	ssize_t n;

	while (poll(fds, 3, -1) < 0)
		if (errno != EINTR)
			return -errno;
	if (fds[1].revents)
		return PROMPT_E_ENDED;
	if (fds[2].revents)
		return TO_BE_STOPPED;
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

/* Once more if a signal comes between: what came back from the background may be one. */
static int set_terminal(int when, const struct termios *termios)
{
	int r;

	do
		r = tcsetattr(STDIN_FILENO, when, termios);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* Until we are told to go on. The signal that came is the descriptor's; this one is as it was. */
static void stop_here(const struct signals *signals)
{
	struct signalfd_siginfo info;
	sigset_t set;

	if (read(signals->stop, &info, sizeof(info)) != sizeof(info))
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Asks when the terminal is ready: what is typed at once is not lost, and not shown. */
static int ask_unseen_once(const char *question, const struct signals *signals, char *line,
			   size_t size)
{
	struct termios seen, unseen;
	int r;

	if (tcgetattr(STDIN_FILENO, &seen) < 0)
		return -errno;
	unseen = seen;
	unseen.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
	r = set_terminal(TCSAFLUSH, &unseen);
	if (r < 0)
		return r;
	show_question(question, NULL);
	r = read_answer(signals, line, size);
	(void)set_terminal(TCSADRAIN, &seen);
	fputc('\n', stderr);
	return r;
}

/* While it is stopped, the terminal is somebody else's, and as it was. */
static int ask_unseen(const char *question, const struct signals *signals, char *line,
		      size_t size)
{
	int r;

	while ((r = ask_unseen_once(question, signals, line, size)) == TO_BE_STOPPED)
		stop_here(signals);
	return r;
}

static int ask_seen(const char *question, const char *standard, const struct signals *signals,
		    char *line, size_t size)
{
	show_question(question, standard);
	return read_answer(signals, line, size);
}

static int open_signals(bool with_stop, struct signals *ret_signals)
{
	sigset_t end, stop, all;

	*ret_signals = (struct signals){ -1, -1 };
	sigemptyset(&end);
	sigaddset(&end, SIGINT);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGHUP);
	sigaddset(&end, SIGQUIT);
	sigemptyset(&stop);
	if (with_stop)
		sigaddset(&stop, SIGTSTP);
	sigorset(&all, &end, &stop);
	if (sigprocmask(SIG_BLOCK, &all, NULL) < 0)
		return -errno;
	ret_signals->end = signalfd(-1, &end, SFD_CLOEXEC);
	if (ret_signals->end >= 0 && with_stop)
		ret_signals->stop = signalfd(-1, &stop, SFD_CLOEXEC);
	return ret_signals->end < 0 || (with_stop && ret_signals->stop < 0) ? -errno : 0;
}

static void close_signals(const struct signals *signals)
{
	if (signals->end >= 0)
		close(signals->end);
	if (signals->stop >= 0)
		close(signals->stop);
}

static int ask_with_signals(const char *question, const char *standard, bool is_seen, char *line,
			    size_t size)
{
	struct signals signals;
	sigset_t before;
	int r;

	if (sigprocmask(SIG_BLOCK, NULL, &before) < 0)
		return -errno;
	r = open_signals(!is_seen, &signals);
	if (r == 0)
		r = is_seen ? ask_seen(question, standard, &signals, line, size)
			    : ask_unseen(question, &signals, line, size);
	close_signals(&signals);
	sigprocmask(SIG_SETMASK, &before, NULL);	/* one that came counts from here on */
	return r;
}

/* shown: what an empty answer stands for, in the question; NULL: nothing. */
static int ask(const char *question, const char *shown, bool is_seen, char **ret_text)
{
	char line[ANSWER_MAX];
	int r = ask_with_signals(question, shown, is_seen, line, sizeof(line));

	if (r != 0)
		return r;
	*ret_text = strdup(typed_trim(line));
	explicit_bzero(line, sizeof(line));
	return *ret_text ? 0 : -ENOMEM;
}

int prompt_text(const char *question, const char *standard, char **ret_text)
{
	char *answer = NULL;
	int r = ask(question, standard, true, &answer);

	if (r != 0)
		return r;
	if (*answer || !standard) {
		*ret_text = answer;
		return 0;
	}
	free(answer);
	*ret_text = strdup(standard);
	return *ret_text ? 0 : -ENOMEM;
}

int prompt_secret(const char *question, char **ret_text)
{
	return ask(question, NULL, false, ret_text);
}

int prompt_yes(const char *question, bool standard, bool *ret_yes)
{
	char *answer = NULL;
	bool understood = false;
	int r;

	do {
		r = ask(question, standard ? "Y/n" : "y/N", true, &answer);
		if (r == 0) {
			understood = typed_yes(answer, standard, ret_yes);
			free(answer);
		}
	} while (r == 0 && !understood);
	return r;
}
