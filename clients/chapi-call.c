/* SPDX-License-Identifier: MIT */
/*
 * chapi-call: one call from a shell.
 *
 * What the items become is items.c's, how the outcome is printed output.c's.
 */
#include <config.h>

#include <getopt.h>
#include <stdio.h>

#include "clients/cli.h"
#include "clients/items.h"
#include "clients/output.h"

static const char help[] =
	"Usage: chapi-call [OPTION...] API [ITEM...]\n"
	"       chapi-call [OPTION...] API -d JSON\n"
	"Calls a function by its name and prints its result as JSON. ITEMs are params:\n"
	"  KEY=TEXT     a text\n"
	"  KEY:=JSON    any other value: 5, true, null, [1,2]\n"
	"  KEY@FILE     the text in a file; \"-\" is standard input\n"
	"\n"
	"  -d, --data JSON     all params at once; \"-\" reads them from standard input\n"
	"  -t, --timeout TIME  how long to wait: 500ms, 5s, 2m (default: the API's own)\n"
	"      --to NAME       call it at the gateway NAME, over the hub\n"
	"      --json          print the record of the call, whether it failed or not\n"
	"  -s, --socket PATH   the gateway's socket (default: $CHAPI_SOCKET, then\n"
	"                      $XDG_RUNTIME_DIR/chapi/gw.sock, then /run/chapi/gw.sock)\n"
	"  -h, --help          print this\n"
	"  -V, --version       print the version\n"
	"\n"
	"Exit status: 0 there is a result; 1 the function failed; 64 wrong usage;\n"
	"65 wrong or too large params; 66 unreadable file; 67 no such API; 68 no such\n"
	"gateway; 69 no gateway at the socket, API paused, hub down; 70 no usable\n"
	"answer; 71 system error; 73 name taken; 74 connection, answer or output lost;\n"
	"75 busy; 76 protocol error; 77 not allowed; 78 not set up for this; 124 no\n"
	"answer in time; 130 cancelled.\n"
	"Example: chapi-call chapi.echo greeting=hello count:=3\n";

struct options {
	struct cli_common common;
	const char *data, *to;
	int64_t timeout_ms;
	bool json;
};

static const struct cli_option options[] = {
	{ "data", 'd', CLI_TEXT, offsetof(struct options, data) },
	{ "timeout", 't', CLI_TIME, offsetof(struct options, timeout_ms) },
	{ "to", '\0', CLI_TEXT, offsetof(struct options, to) },
	{ "json", '\0', CLI_FLAG, offsetof(struct options, json) },
};

static const struct cli cli = { "chapi-call", help, options, ARRAY_SIZE(options) };

static void free_reply(chapi_reply **reply)
{
	*reply = chapi_reply_free(*reply);
}

/* What an answer of the gateway comes to. */
static int finish(const struct options *o, const char *api, const chapi_reply *reply)
{
	const void *result;
	size_t len;

	if (o->json)
		return output_record(api, reply);
	if (chapi_reply_code(reply) != CHAPI_OK)
		return output_failure(reply);
	result = chapi_reply_result(reply, &len);
	return output_value(result, len);
}

static int call(const struct options *o, const char *api, const void *params, size_t len)
{
	const struct chapi_call_options call_options = {
		.size = sizeof(call_options), .timeout_ms = o->timeout_ms, .to = o->to,
		.full = o->json,
	};
	chapi_conn *conn CLEANUP(cli_close) = NULL;
	chapi_reply *reply CLEANUP(free_reply) = NULL;
	int status = cli_connect(&o->common, &conn), r;

	if (status != 0)
		return status;
	r = chapi_call_wait(conn, api, params, len, &call_options, &reply);
	if (r == -CHAPI_ERR_MSGPACK) {
		cli_error("the params are nested too deep: 24 levels are allowed");
		return CLI_STATUS_DATA;
	}
	return r < 0 ? cli_fail(api, r) : finish(o, api, reply);
}

static int run(const struct options *o, char *const *args, int n)
{
	void *params CLEANUP(cli_free) = NULL;
	size_t len;
	int status;

	if (n == 0)
		return cli_usage("the name of the API is missing");
	if (o->data && n > 1)
		return cli_usage("\"%s\": there is -d already, it holds all params", args[1]);
	if (o->data)
		status = items_read_json(o->data, &params, &len);
	else
		status = items_read(args + 1, (size_t)n - 1, &params, &len);
	return status != 0 ? status : call(o, args[0], params, len);
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	int status;

	if (cli_parse(&cli, argc, argv, &o, &status) == 0)
		status = run(&o, argv + optind, argc - optind);
	return cli_end(status);
}
