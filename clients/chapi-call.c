/* SPDX-License-Identifier: MIT */
/*
 * chapi-call: one call from a shell.
 *
 * The command line, and what the answer comes to. What the items become is items.c's, how the
 * call is made calling.c's, how the outcome is printed output.c's; how a command went is run.c's.
 */
#include <config.h>

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "clients/calling.h"
#include "clients/cli.h"
#include "clients/items.h"
#include "clients/newfile.h"
#include "clients/output.h"
#include "clients/run.h"
#include "libchapi-ipc/chapi-ipc-msgpack.h"

#define STATUS_OF_OURS 255	/* with -x: it was not the command that failed */

static const char help[] =
	"Usage: chapi-call [OPTION...] API [ITEM...] | chapi-call [OPTION...] API -d JSON\n"
	"ITEMs: KEY=TEXT, KEY:=JSON (5, true, [1,2]), KEY@FILE (its text; \"-\": stdin)\n"
	"  -d, --data JSON     all params at once; \"-\" reads them from standard input\n"
	"  -t, --timeout TIME  how long to wait: 500ms, 5s, 2m (default: the API's own)\n"
	"      --to NAME       call it at the gateway NAME, over the hub\n"
	"  -f, --follow        progress, on standard error, as it comes\n"
	"  -n, --one-way       do not wait for the answer\n"
	"  -o, --output FILE   the result into FILE, whole or not at all\n"
	"  -r, --raw           a text without quotes, bytes as they are\n"
	"  -x, --exec          be the command behind chapi-serve: output, errors, status\n"
	"      --ok CODES      these errors are no failure: api_exists,cancelled\n"
	"      --retry N       try again if it has not run, or may run twice (idempotent)\n"
	"      --json          print the record of the call, whether it failed or not\n"
	"  -s, --socket PATH   the gateway's socket (default: $CHAPI_SOCKET, ...)\n"
	"  -h, --help          print this\n"
	"  -V, --version       print the version\n"
	"Exit status: 0 there is a result; 1 the function failed; 64 wrong usage;\n"
	"65 wrong or too large params; 66 unreadable file; 67 no such API; 68 no such\n"
	"gateway; 69 no gateway at the socket, API paused, hub down; 70 no usable\n"
	"answer; 71 system error; 73 name taken; 74 connection, answer or output lost;\n"
	"75 busy; 76 protocol error; 77 not allowed; 78 not set up for this; 124 no\n"
	"answer in time; 130 cancelled. With -x the command's, or 255.\n"
	"Example: chapi-call chapi.echo greeting=hello count:=3\n";

struct options {
	struct cli_common common;
	const char *data, *to, *output, *ok;
	int64_t timeout_ms, retries;
	bool json, follow, one_way, raw, exec;
};

static const struct cli_option options[] = {
	{ "data", 'd', CLI_TEXT, offsetof(struct options, data) },
	{ "timeout", 't', CLI_TIME, offsetof(struct options, timeout_ms) },
	{ "to", '\0', CLI_TEXT, offsetof(struct options, to) },
	{ "follow", 'f', CLI_FLAG, offsetof(struct options, follow) },
	{ "one-way", 'n', CLI_FLAG, offsetof(struct options, one_way) },
	{ "output", 'o', CLI_TEXT, offsetof(struct options, output) },
	{ "raw", 'r', CLI_FLAG, offsetof(struct options, raw) },
	{ "exec", 'x', CLI_FLAG, offsetof(struct options, exec) },
	{ "ok", '\0', CLI_TEXT, offsetof(struct options, ok) },
	{ "retry", '\0', CLI_NUMBER, offsetof(struct options, retries) },
	{ "json", '\0', CLI_FLAG, offsetof(struct options, json) },
};

static const struct cli cli = { "chapi-call", help, options, ARRAY_SIZE(options) };

/* What the answer is shown with. */
struct shown {
	const struct options *o;
	const char *api;
	FILE *out;
	bool is_command_end;	/* with -x: the status is the command's */
};

/* ---- errors ---- */

static json_t *details_of(const chapi_reply *reply)
{
	char *text CLEANUP(cli_free) = NULL;

	if (chapi_reply_details_json(reply, false, &text) < 0)
		return NULL;
	return json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* Is it in a list with commas? */
static bool is_listed(const char *list, const char *code)
{
	size_t len;

	for (; list && code && *code && *list; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		if (strlen(code) == len && memcmp(list, code, len) == 0)
			return true;
	}
	return false;
}

/* By its own code, or the provider's. */
static bool is_ok(const struct options *o, const chapi_reply *reply)
{
	json_t *details = details_of(reply);
	bool ok = is_listed(o->ok, chapi_reply_code_name(reply)) ||
		  is_listed(o->ok, json_string_value(json_object_get(details, "code")));

	json_decref(details);
	return ok;
}

/* ---- -x ---- */

/* As the command behind chapi-serve; -1: the value tells of none that ended by itself. */
static int end_as_command(struct shown *shown, const void *value, size_t len,
			  bool (*read)(const msgpack_object *value, struct run *ret_run))
{
	msgpack_unpacked unpacked;
	struct run run = { .status = -1 };

	if (chapi_unpack(value, len, &unpacked) < 0)
		return -1;
	if (read(&unpacked.data, &run)) {
		run_write(run.out, shown->out);
		run_write(run.err, stderr);
		shown->is_command_end = true;
	}
	msgpack_unpacked_destroy(&unpacked);
	return run.status;
}

static int show_command(struct shown *shown, const chapi_reply *reply)
{
	size_t len;
	const void *details = chapi_reply_details(reply, &len);
	int status = -1;

	if (chapi_reply_code(reply) == CHAPI_ERR_API_ERROR)
		status = end_as_command(shown, details, len, run_read_details);
	return status >= 0 ? status : output_failure(reply);
}

/* ---- the answer ---- */

static int show_result(struct shown *shown, const chapi_reply *reply)
{
	const struct options *o = shown->o;
	size_t len;
	const void *result = chapi_reply_result(reply, &len);
	int status;

	if (o->one_way)
		return 0;
	status = o->exec ? end_as_command(shown, result, len, run_read_result) : -1;
	if (status >= 0)
		return status;
	status = o->raw || o->exec ? output_raw_to(shown->out, result, len)
				   : output_value_to(shown->out, result, len);
	shown->is_command_end = status == 0;
	return status;
}

static int on_answer(const chapi_reply *reply, void *data)
{
	struct shown *shown = data;
	int status;

	if (chapi_reply_code(reply) == CHAPI_OK && !shown->o->json)
		return show_result(shown, reply);
	if (shown->o->json)
		status = output_record_to(shown->out, shown->api, reply);
	else if (shown->o->ok && is_ok(shown->o, reply))
		return 0;
	else if (shown->o->exec)
		return show_command(shown, reply);
	else
		status = output_failure(reply);
	return status != 0 && shown->o->ok && is_ok(shown->o, reply) ? 0 : status;
}

/* ---- the file ---- */

static int open_output(const struct options *o, struct newfile *file)
{
	int r = o->output ? newfile_open(o->output, 0666, file) : 0;

	if (r == 0)
		return 0;
	cli_error("%s: %s", o->output, strerror(-r));
	return CLI_STATUS_OUTPUT;
}

/* It is as it was, unless there is something to be put there. */
static int keep_output(const struct shown *shown, struct newfile *file, int status)
{
	int r;

	if (!file->f || (status != 0 && !shown->is_command_end && !shown->o->json))
		return status;
	r = newfile_commit(file);
	if (r == 0)
		return status;
	cli_error("%s: %s", shown->o->output, strerror(-r));
	return CLI_STATUS_OUTPUT;
}

/* ---- the call ---- */

static int call(const struct options *o, const char *api, const void *params, size_t len)
{
	struct newfile file CLEANUP(newfile_deinit) = NEWFILE_NULL;
	struct shown shown = { .o = o, .api = api, .out = stdout };
	const struct calling calling = {
		.common = &o->common, .api = api, .to = o->to, .params = params, .len = len,
		.timeout_ms = o->timeout_ms, .retries = o->retries, .full = o->json, .raw = o->exec,
		.oneway = o->one_way, .follow = o->follow, .fn = on_answer, .data = &shown,
	};
	int status = open_output(o, &file), shown_status;

	if (status != 0)
		return o->exec ? STATUS_OF_OURS : status;
	if (file.f)
		shown.out = file.f;
	shown_status = calling_run(&calling);
	status = keep_output(&shown, &file, shown_status);
	if (status == shown_status)
		status = cli_end(status);
	if (o->exec && (status != shown_status || (status != 0 && !shown.is_command_end)))
		return STATUS_OF_OURS;
	return status;
}

/* 0, or the status to end with, said already. */
static int check(const struct options *o)
{
	if (o->one_way && (o->follow || o->output || o->raw || o->exec || o->json))
		return cli_usage("--one-way: there is no answer, so no -f, -o, -r, -x, --json");
	if (o->json && (o->raw || o->exec))
		return cli_usage("--json: the record is JSON, so no -r, -x");
	if (o->exec && o->ok)
		return cli_usage("--exec: the command's own status counts, so no --ok");
	return 0;
}

static int read_params(const struct options *o, char *const *args, int n, void **ret_params,
		       size_t *ret_len)
{
	int status = check(o);

	if (status != 0)
		return status;
	if (n == 0)
		return cli_usage("the name of the API is missing");
	if (o->data && n > 1)
		return cli_usage("\"%s\": there is -d already, it holds all params", args[1]);
	if (o->data)
		return items_read_json(o->data, ret_params, ret_len);
	return items_read(args + 1, (size_t)n - 1, ret_params, ret_len);
}

static int run(const struct options *o, char *const *args, int n)
{
	void *params CLEANUP(cli_free) = NULL;
	size_t len;
	int status = read_params(o, args, n, &params, &len);

	if (status == 0)
		return call(o, args[0], params, len);
	return o->exec ? STATUS_OF_OURS : status;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	int status;

	if (cli_parse(&cli, argc, argv, &o, &status) != 0)
		return status != 0 && o.exec ? STATUS_OF_OURS : cli_end(status);
	return run(&o, argv + optind, argc - optind);
}
