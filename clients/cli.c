/* SPDX-License-Identifier: MIT */
/*
 * What the tools have in common: see cli.h.
 */
#include <config.h>	/* _GNU_SOURCE, PACKAGE_VERSION */

#include "clients/cli.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/member.h"
#include "clients/mend.h"
#include "clients/wrap.h"

#define OPTIONS_MAX 32
#define INDENT "  "

/* Of the tool that runs, for lines of error: set once, by cli_parse(). */
static const char *program = "chapi";

/* ---- lines of error ---- */

/* On a terminal it goes on in further lines, rather than to be broken within a word. */
static void print_line(const char *line)
{
	size_t columns = wrap_columns(STDERR_FILENO), len = wrap_len(line, columns);

	fprintf(stderr, "%.*s\n", (int)len, line);
	for (line += len; *(line += strspn(line, " ")); line += len) {
		len = wrap_len(line, columns - strlen(INDENT));
		fprintf(stderr, INDENT "%.*s\n", (int)len, line);
	}
}

static void PRINTF(1, 0) print_error(const char *fmt, va_list args)
{
	char *text CLEANUP(cli_free) = NULL;
	char *line CLEANUP(cli_free) = NULL;

	if (vasprintf(&text, fmt, args) < 0) {
		text = NULL;
		return;
	}
	if (asprintf(&line, "%s: %s", program, text) < 0) {
		line = NULL;
		return;
	}
	mend_line(line, strlen(line));
	print_line(line);
}

void cli_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_error(fmt, args);
	va_end(args);
}

static int print_try(void)
{
	fprintf(stderr, "Try `%s --help`.\n", program);
	return CLI_STATUS_USAGE;
}

int cli_usage(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_error(fmt, args);
	va_end(args);
	return print_try();
}

int cli_fail(const char *what, int err)
{
	if (err == -CHAPI_ERR_SYSTEM)
		cli_error("%s: %s", what, strerror(errno));
	else
		cli_error("%s: %s", what, chapi_strerror(err));
	return chapi_exit_status(err);
}

/* ---- options ---- */

static const struct cli_option common_options[] = {
	{ "socket", 's', CLI_TEXT, offsetof(struct cli_common, socket) },
};

/* getopt's view of the two tables. Index in rows is the value that it gives, from 256 on. */
struct table {
	struct option longs[OPTIONS_MAX + 1];
	const struct cli_option *rows[OPTIONS_MAX];
	size_t bases[OPTIONS_MAX];
	int n;
	char letters[2 * OPTIONS_MAX + 4];
};

enum { OPT_ROW = 256 };

static void table_add(struct table *t, const struct cli_option *row, size_t base)
{
	bool has_value = row->type != CLI_FLAG;
	size_t len = strlen(t->letters);

	if (t->n >= OPTIONS_MAX - 2)
		abort();
	t->rows[t->n] = row;
	t->bases[t->n] = base;
	t->longs[t->n] = (struct option){ row->name, has_value, NULL, OPT_ROW + t->n };
	t->n++;
	if (row->letter)
		snprintf(t->letters + len, sizeof(t->letters) - len, "%c%s", row->letter,
			 has_value ? ":" : "");
}

static void table_fill(struct table *t, const struct cli *cli)
{
	*t = (struct table){ .letters = "+hV" };
	if (!cli->stops_at_argument)
		memmove(t->letters, t->letters + 1, strlen(t->letters));
	for (size_t i = 0; i < ARRAY_SIZE(common_options); i++)
		table_add(t, &common_options[i], 0);
	for (size_t i = 0; i < cli->n_options; i++)
		table_add(t, &cli->options[i], 0);
	for (size_t i = 0; i < cli->n_more; i++)
		table_add(t, &cli->more[i], cli->more_base);
	t->longs[t->n] = (struct option){ "help", no_argument, NULL, 'h' };
	t->longs[t->n + 1] = (struct option){ "version", no_argument, NULL, 'V' };
}

/* Its row; -1: it is in no table. */
static int table_find(const struct table *t, int option)
{
	if (option >= OPT_ROW)
		return option - OPT_ROW;
	for (int i = 0; i < t->n; i++)
		if (t->rows[i]->letter == option)
			return i;
	return -1;
}

/* 500ms, 5s, 2m, 1h; false: it is not that, or 0. */
static bool parse_time(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	int64_t v = 0;

	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(v, (int64_t)10, &v) ||
		    __builtin_add_overflow(v, (int64_t)(*text - '0'), &v))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(units) && v > 0; i++)
		if (strcmp(text, units[i].name) == 0)
			return !__builtin_mul_overflow(v, units[i].ms, ret_ms);
	return false;
}

bool cli_parse_number(const char *text, int64_t *ret)
{
	int64_t v = 0;

	if (!*text)
		return false;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(v, (int64_t)10, &v) ||
		    __builtin_add_overflow(v, (int64_t)(*text - '0'), &v))
			return false;
	if (*text)
		return false;
	*ret = v;
	return true;
}

/* 4096, 64K, 4M; false: it is not that, or 0. */
static bool parse_size(const char *text, int64_t *ret)
{
	size_t len = strlen(text);
	int64_t unit = 1, v;
	char digits[24];

	if (len > 0 && (text[len - 1] == 'K' || text[len - 1] == 'M')) {
		unit = text[len - 1] == 'K' ? 1 << 10 : 1 << 20;
		len--;
	}
	if (len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	return cli_parse_number(digits, &v) && v > 0 && !__builtin_mul_overflow(v, unit, ret);
}

static const char *set_flag(const char *value, bool *ret)
{
	*ret = !value || strcmp(value, "yes") == 0;
	return *ret || strcmp(value, "no") == 0 ? NULL : "it is yes or no";
}

const char *cli_set(const struct cli_option *option, const char *value, void *options)
{
	void *member = (char *)options + option->offset;

	switch (option->type) {
	case CLI_FLAG:
		return set_flag(value, member);
	case CLI_TEXT:
		*(const char **)member = value;
		return NULL;
	case CLI_TIME:
		return parse_time(value, member)
			       ? NULL : "a time has a unit and is above 0: 500ms, 5s, 2m";
	case CLI_NUMBER:
		return cli_parse_number(value, member) ? NULL : "it is a whole number, 0 or more";
	case CLI_SIZE:
		return parse_size(value, member) ? NULL : "a size is above 0: 4096, 64K, 4M";
	}
	return NULL;
}

/* 0, or the status to end with, said already. */
static int take_value(const struct table *t, int row, const char *value, void *options)
{
	const char *allowed = cli_set(t->rows[row], value, (char *)options + t->bases[row]);

	return allowed ? cli_usage("--%s \"%s\": %s", t->rows[row]->name, value, allowed) : 0;
}

/* -h, -V, and what getopt has complained of. */
static int end_early(const struct cli *cli, int option)
{
	if (option == 'h')
		fputs(cli->help, stdout);
	else if (option == 'V')
		printf("%s %s\n", program, PACKAGE_VERSION);
	else
		return print_try();
	return 0;
}

/* After a mistake nothing more is said, but switches count: one may decide about the status. */
static void take_other_flags(const struct table *t, int argc, char **argv, void *options)
{
	int option, row;

	opterr = 0;
	while ((option = getopt_long(argc, argv, t->letters, t->longs, NULL)) != -1) {
		row = table_find(t, option);
		if (row >= 0 && t->rows[row]->type == CLI_FLAG)
			(void)cli_set(t->rows[row], NULL, (char *)options + t->bases[row]);
	}
}

int cli_parse(const struct cli *cli, int argc, char **argv, void *options, int *ret_status)
{
	struct table table;
	int option, row;

	program = cli->program;
	if (argc > 0)
		argv[0] = (char *)cli->program;	/* getopt begins its messages with it */
	table_fill(&table, cli);
	optind = 0;	/* a tool with subcommands parses twice */
	while ((option = getopt_long(argc, argv, table.letters, table.longs, NULL)) != -1) {
		row = table_find(&table, option);
		*ret_status = row >= 0 ? take_value(&table, row, optarg, options)
				       : end_early(cli, option);
		if (*ret_status != 0)
			take_other_flags(&table, argc, argv, options);
		if (row < 0 || *ret_status != 0)
			return CLI_E_END;
	}
	*ret_status = 0;
	return 0;
}

/* ---- the gateway, the end ---- */

int cli_connect(const struct cli_common *common, chapi_conn **ret_conn)
{
	char path[512], hint[200];
	int r = chapi_connect(common->socket, ret_conn), saved = errno;

	if (r == 0)
		return 0;
	if (chapi_find_socket(common->socket, path, sizeof(path)) < 0)
		snprintf(path, sizeof(path), "%s",
			 common->socket ? common->socket : "$CHAPI_SOCKET");
	if (r == -CHAPI_ERR_ACCESS && member_hint(path, hint, sizeof(hint))) {
		cli_error("%s: %s. %s", path, chapi_strerror(r), hint);
		return chapi_exit_status(r);
	}
	errno = saved;
	return cli_fail(path, r);
}

int cli_end(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	cli_error("standard output: %s", strerror(errno));
	return CLI_STATUS_OUTPUT;
}

void cli_free(void *pointer)
{
	free(*(void **)pointer);
}

void cli_close(chapi_conn **conn)
{
	*conn = chapi_close(*conn);
}
