/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl monitor: what goes on, as it happens; one line an event.
 *
 * With --json each line is the event as the gateway tells it. Each line is out at once, so that
 * it can be read through a pipe.
 */
#include <config.h>	/* _GNU_SOURCE: asprintf, open_memstream */

#include "clients/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clients/output.h"
#include "clients/table.h"

#define KINDS_MAX 8
#define PATTERNS_MAX 16

struct watch {
	struct ctl *ctl;
	int64_t left;		/* events to show; -1: no limit */
	int status;
};

/* ---- one event ---- */

static void put_time(FILE *out, double seconds)
{
	time_t whole = (time_t)seconds;
	int ms = (int)((seconds - (double)whole) * 1000);
	char text[32] = "?";
	struct tm tm;

	if (localtime_r(&whole, &tm))
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	fprintf(out, "%s.%03d  ", text, ms);
}

/* "LABEL TEXT" with blanks before it; nothing if the text is empty. */
static void put_more(FILE *out, const char *label, const char *text)
{
	if (*text)
		fprintf(out, "  %s%s", label, text);
}

static void put_request(FILE *out, const json_t *event)
{
	fputs(ctl_text(event, "api"), out);
	put_more(out, "from ", ctl_text(event, "caller"));
	put_more(out, "", ctl_text(event, "origin"));
	if (json_is_true(json_object_get(event, "oneway")))
		put_more(out, "", "one-way");
	put_more(out, "id ", ctl_text(event, "id"));
}

static void put_response(FILE *out, const json_t *event)
{
	const json_t *error = json_object_get(event, "error");

	fputs(ctl_text(event, "api"), out);
	fprintf(out, "  in %.1f ms", ctl_number(event, "queue_ms") + ctl_number(event, "run_ms"));
	put_more(out, "", ctl_text(error, "code"));
	put_more(out, "id ", ctl_text(event, "id"));
	put_more(out, "", ctl_text(error, "message"));
}

static void put_api(FILE *out, const json_t *event)
{
	fputs(ctl_text(event, "name"), out);
	put_more(out, "", ctl_text(event, "action"));
	put_more(out, "by ", ctl_text(event, "caller"));
	put_more(out, "", ctl_text(event, "client"));
}

static void put_peer(FILE *out, const json_t *event)
{
	fputs(ctl_text(event, "action"), out);
	put_more(out, "", ctl_text(event, "caller"));
	put_more(out, "", ctl_text(event, "client"));
}

static void put_hub(FILE *out, const json_t *event)
{
	fputs(ctl_text(event, "state"), out);
	put_more(out, "", ctl_text(event, "reason"));
}

static void put_lost(FILE *out, const json_t *event)
{
	fprintf(out, "%lld events: they came faster than they were read",
		ctl_integer(event, "count"));
}

static void put_event(FILE *out, const json_t *event)
{
	static const struct {
		const char *kind;
		void (*put)(FILE *out, const json_t *event);
	} kinds[] = {
		{ "request", put_request }, { "response", put_response }, { "api", put_api },
		{ "peer", put_peer }, { "hub", put_hub }, { "lost", put_lost },
	};
	const char *kind = ctl_text(event, "kind");

	put_time(out, ctl_number(event, "time"));
	fprintf(out, "%-8s  ", kind);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			kinds[i].put(out, event);
}

static void print_head(const json_t *event)
{
	char *line CLEANUP(cli_free) = NULL;
	size_t len;
	FILE *out = open_memstream(&line, &len);

	if (!out)
		return;
	put_event(out, event);
	if (fclose(out) == 0)
		table_print_line(line, ctl_text(event, "state"));
}

/* A line of its own. */
static void print_body(const json_t *event, const char *key)
{
	const json_t *value = json_object_get(event, key);
	char *text CLEANUP(cli_free) = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT)
					     : NULL;
	char *line CLEANUP(cli_free) = NULL;

	if (text && asprintf(&line, "    %s %s", key, text) >= 0)
		table_print_line(line, NULL);
}

static void print_event(const json_t *event)
{
	print_head(event);
	print_body(event, "params");
	print_body(event, "result");
	print_body(json_object_get(event, "error"), "details");
}

/* ---- all of them ---- */

static int show(const struct ctl *ctl, const void *packed, size_t len)
{
	json_t *event CLEANUP(ctl_free_json) = NULL;
	char *text CLEANUP(cli_free) = NULL;
	size_t text_len;

	if (chapi_msgpack_to_json(packed, len, false, &text, &text_len, NULL, 0) < 0) {
		cli_error("an event cannot be shown: its values have no form in JSON");
		return 0;
	}
	if (ctl->json)
		return output_line(text, text_len);
	event = json_loads(text, JSON_ALLOW_NUL, NULL);
	if (event)
		print_event(event);
	return 0;
}

static void on_event(chapi_conn *conn, const void *event, size_t len, void *data)
{
	struct watch *watch = data;

	if (watch->left == 0)
		return;
	watch->status = show(watch->ctl, event, len);
	if (watch->left > 0)
		watch->left--;
	if (fflush(stdout) != 0 || watch->status != 0)
		watch->left = 0;	/* cli_end() says why */
	if (watch->left == 0)
		chapi_stop(conn);
}

/* Cuts text at its commas, in place. 0, or the status to end with. */
static int split_kinds(char *text, const char *ret_kinds[KINDS_MAX + 1])
{
	char *saved = NULL;
	size_t n = 0;

	for (char *kind = strtok_r(text, ",", &saved); kind; kind = strtok_r(NULL, ",", &saved)) {
		if (n == KINDS_MAX)
			return cli_usage("there are not that many kinds of events");
		ret_kinds[n++] = kind;
	}
	ret_kinds[n] = NULL;
	return n > 0 ? 0 : cli_usage("--kinds names no kind of events");
}

static int begin(struct watch *watch, const struct chapi_monitor_options *options)
{
	chapi_reply *reply CLEANUP(ctl_free_reply) = NULL;
	int r = chapi_monitor(watch->ctl->conn, options, on_event, watch, &reply);

	if (r == 0)
		return 0;
	if (!reply)
		return cli_fail("monitor", r);
	cli_error("%s (%s)", chapi_reply_message(reply), chapi_reply_code_name(reply));
	return chapi_exit_status(r);
}

/* Some events may have come with the answer already. */
static int watch_on(struct watch *watch)
{
	int r = watch->left == 0 ? 0 : chapi_run(watch->ctl->conn);

	return r < 0 ? cli_fail(chapi_get_path(watch->ctl->conn), r) : watch->status;
}

int ctl_monitor(struct ctl *ctl, char *const *args, int n)
{
	const char *kinds[KINDS_MAX + 1], *apis[PATTERNS_MAX + 1] = { NULL };
	char *text CLEANUP(cli_free) = ctl->kinds ? strdup(ctl->kinds) : NULL;
	struct watch watch = { .ctl = ctl, .left = ctl->count > 0 ? ctl->count : -1 };
	int status = text ? split_kinds(text, kinds) : 0;
	const struct chapi_monitor_options options = {
		.size = sizeof(options), .kinds = text ? kinds : NULL,
		.apis = n > 0 ? apis : NULL, .bodies = ctl->bodies,
	};

	for (int i = 0; i < n && i < PATTERNS_MAX; i++)
		apis[i] = args[i];
	if (status == 0)
		status = ctl_connect(ctl);
	if (status == 0)
		status = begin(&watch, &options);
	return status != 0 ? status : watch_on(&watch);
}
