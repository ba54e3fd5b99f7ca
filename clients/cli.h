/* SPDX-License-Identifier: MIT */
/*
 * What the tools have in common: options from a table, -s, -h and -V, the gateway's socket,
 * lines of error, the end.
 *
 * How replies are printed is output.h's; what the options of a tool mean is the tool's.
 */
#ifndef CHAPI_CLIENTS_CLI_H
#define CHAPI_CLIENTS_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/common.h"
#include "libchapi-ipc/chapi-ipc.h"

/* Exit statuses that no outcome of a call has; all others are chapi_exit_status(). */
enum {
	CLI_STATUS_USAGE = 64,
	CLI_STATUS_DATA = 65,
	CLI_STATUS_NO_INPUT = 66,
	CLI_STATUS_SYSTEM = 71,
	CLI_STATUS_OUTPUT = 74,
};

enum cli_type {
	CLI_FLAG,	/* bool */
	CLI_TEXT,	/* const char *, borrowed from argv */
	CLI_TIME,	/* int64_t, milliseconds, above 0 */
	CLI_NUMBER,	/* int64_t, 0 or more */
	CLI_SIZE,	/* int64_t, bytes, above 0 */
};

struct cli_option {
	const char *name;	/* without the dashes */
	char letter;		/* '\0': none */
	enum cli_type type;
	size_t offset;		/* of the member in the tool's options */
};

/* The first member of the options of every tool. */
struct cli_common {
	const char *socket;
};

/* A tool. help: all that --help prints. */
struct cli {
	const char *program, *help;
	const struct cli_option *options;
	size_t n_options;
	bool stops_at_argument;	/* options behind the first argument are somebody else's */
	/* Further options, whose offsets count from more_base in the tool's options. */
	const struct cli_option *more;
	size_t n_more, more_base;
};

enum { CLI_E_END = 1 };

/*
 * Fills *options, which holds the defaults; optind is then the first argument. CLI_E_END:
 * end with *ret_status, all has been printed.
 */
int cli_parse(const struct cli *cli, int argc, char **argv, void *options, int *ret_status);

/*
 * Sets what an option is for. value: NULL for a flag that is there, else "yes" or "no" for one.
 * NULL: done; else what is allowed, in words.
 */
const char *cli_set(const struct cli_option *option, const char *value, void *options);

bool cli_parse_number(const char *text, int64_t *ret);

/* One line on standard error, whatever is in the text; on a terminal as many as it takes. */
void cli_error(const char *fmt, ...) PRINTF(1, 2);
/* As above, and where help is to be found; returns CLI_STATUS_USAGE. */
int cli_usage(const char *fmt, ...) PRINTF(1, 2);
/* Says what a CHAPI_ERR_* is, and returns its exit status. */
int cli_fail(const char *what, int err);

/* 0, or the status to end with, said already. */
int cli_connect(const struct cli_common *common, chapi_conn **ret_conn);

/* The status to end with: this one, unless standard output could not be written. */
int cli_end(int status);

/* For CLEANUP. */
void cli_free(void *pointer);
void cli_close(chapi_conn **conn);

#endif
