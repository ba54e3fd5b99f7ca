/* SPDX-License-Identifier: MIT */
/*
 * One run of a command: input in, output and what it says on standard error out, limits, end.
 *
 * The command is a child in a process group of its own, started without a shell; if we are
 * killed it gets TERM. Nothing here waits (but for the start itself, which is short): the owner
 * polls the descriptors, calls command_step() whenever it wakes up (SIGCHLD has to wake it), and
 * frees the run when it is over. SIGPIPE has to be ignored, and 0 to 2 have to be open. What an
 * end means for the caller is answer.h's.
 */
#ifndef CHAPI_CLIENTS_COMMAND_H
#define CHAPI_CLIENTS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>

#define COMMAND_FDS 3			/* that one run is watched by */
#define COMMAND_NEVER INT64_MAX

/* What a command is given. All borrowed, but for the input. */
struct command_spec {
	char *const *argv;		/* ends with NULL; the first is looked up in our $PATH */
	char *const *envp;
	char *input;			/* from malloc(); taken by command_start(), always */
	size_t input_len;
	size_t output_max;		/* with by_line: of one line */
	bool by_line;			/* output is taken by command_take_line() */
	int64_t due_ms;			/* then it is ended; COMMAND_NEVER: no limit */
};

enum command_why {
	COMMAND_BY_ITSELF,
	COMMAND_LATE,			/* ended at due_ms */
	COMMAND_TOO_LARGE,		/* ended at output_max */
	COMMAND_STOPPED,		/* by command_stop() */
};

/* How a run went; the texts are valid as long as the run. */
struct command_end {
	enum command_why why;
	int status;			/* exit status; -1: a signal ended it */
	int signal;			/* 0: none */
	const char *out, *err;		/* of standard error: the end */
	size_t out_len, err_len;
	const char *last;		/* with by_line: the last line, else all of out */
	size_t last_len;
};

struct command;

/* Times are of CLOCK_MONOTONIC. Negative errno: it could not be started. */
int command_start(const struct command_spec *spec, struct command **ret_command);
/* Kills what is still running. NULL is fine; returns NULL. */
struct command *command_free(struct command *command);

/* What to watch; fd is -1 where there is nothing. */
void command_watch(const struct command *command, struct pollfd ret_fds[COMMAND_FDS]);
/* When command_step() has to be called even if nothing happens. */
int64_t command_due_ms(const struct command *command);
/* Reads and writes what can be, looks for the end, keeps the time limits. */
void command_step(struct command *command, int64_t now_ms);
/*
 * The next line of output, without its newline, as soon as it is whole (at the end also what is
 * left); valid until command_step(). With by_line, lines have to be taken after each step.
 */
bool command_take_line(struct command *command, const char **ret_line, size_t *ret_len);
/* TERM to the group, and KILL if it takes too long; called again: KILL at once. */
void command_stop(struct command *command, int64_t now_ms);

/* Nothing more will come. */
bool command_is_over(const struct command *command);
/* Of a run that is over. */
struct command_end command_end(const struct command *command);

#endif
