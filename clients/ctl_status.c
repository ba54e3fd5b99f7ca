/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl status, stats, ping: how the gateway is.
 */
#include "clients/ctl.h"

#include <stdio.h>
#include <time.h>

#include "clients/output.h"
#include "clients/table.h"

/* ---- status ---- */

static void print_uptime(double seconds)
{
	long long s = (long long)seconds;
	char text[80];

	if (s >= 86400)
		snprintf(text, sizeof(text), "%lld d %lld h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(text, sizeof(text), "%lld h %lld min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(text, sizeof(text), "%lld min %lld s", s / 60, s % 60);
	else
		snprintf(text, sizeof(text), "%.1f s", seconds);
	table_print_field("uptime", text);
}

static void print_channels(const json_t *hub)
{
	const json_t *channels = json_object_get(hub, "channels"), *channel;
	size_t i;

	json_array_foreach(channels, i, channel) {
		const char *text = json_string_value(channel);

		if (text)
			table_print_field(i == 0 ? "channels" : "", text);
	}
}

static void print_publisher(const json_t *publisher)
{
	char text[400];

	snprintf(text, sizeof(text), "%s; %lld sent, %lld failed, %lld dropped%s%s",
		 ctl_text(publisher, "state"), ctl_integer(publisher, "published"),
		 ctl_integer(publisher, "failed"), ctl_integer(publisher, "dropped"),
		 *ctl_text(publisher, "reason") ? "; " : "", ctl_text(publisher, "reason"));
	table_print_field("publishing", text);
}

/* What the reserve means; the gateway itself withholds no answer. */
static const char *tell_reserve(const json_t *budget)
{
	if (!json_is_true(json_object_get(budget, "low")))
		return "";
	if (ctl_integer(budget, "messages") < ctl_integer(budget, "limit"))
		return "; what is left is kept for answers";
	return "; the day's messages are used up, answers go on";
}

static void print_budget(const json_t *budget)
{
	char text[200];

	if (!json_is_object(budget))
		return;		/* an older gateway */
	if (ctl_integer(budget, "limit") == 0)
		snprintf(text, sizeof(text), "%lld", ctl_integer(budget, "messages"));
	else
		snprintf(text, sizeof(text), "%lld of %lld%s", ctl_integer(budget, "messages"),
			 ctl_integer(budget, "limit"), tell_reserve(budget));
	table_print_field("today", text);
}

static void print_conflict(const json_t *conflict)
{
	long long seen = ctl_integer(conflict, "seen");
	char text[200];

	if (!json_is_object(conflict))
		return;
	snprintf(text, sizeof(text), "another gateway (instance %s) answers by this name too, "
		 "seen %lld time%s; give one of them another name",
		 ctl_text(conflict, "instance"), seen, seen == 1 ? "" : "s");
	table_print_field("name conflict", text);
}

/* What the connection waits for, and for how long yet: until is in Unix seconds. */
static void print_wait(const json_t *hub)
{
	double left = ctl_number(hub, "until") - (double)time(NULL);
	char text[40];

	if (!*ctl_text(hub, "waits_for"))
		return;
	table_print_field("  waits for", ctl_text(hub, "waits_for"));
	if (!json_is_number(json_object_get(hub, "until")))
		return;
	snprintf(text, sizeof(text), "in %.0f s", left > 0 ? left : 0.0);
	table_print_field("  until", text);
}

static void print_subscribed(const json_t *hub)
{
	long long tries = ctl_integer(hub, "connects");
	char text[100];

	snprintf(text, sizeof(text), "%lld of %lld; %lld %s to connect so far",
		 ctl_integer(hub, "subscribed"), ctl_integer(hub, "wanted"), tries,
		 tries == 1 ? "try" : "tries");
	table_print_field("subscribed", text);
}

static void print_hub(const json_t *hub)
{
	if (!json_is_object(hub)) {
		table_print_field("hub", "none is configured: local calls only");
		return;
	}
	table_print_field("hub", ctl_text(hub, "state"));
	table_print_field("  host", ctl_text(hub, "host"));
	if (*ctl_text(hub, "reason"))
		table_print_field("  reason", ctl_text(hub, "reason"));
	print_wait(hub);
	print_channels(hub);
	print_subscribed(hub);
	print_publisher(json_object_get(hub, "publisher"));
	print_budget(json_object_get(hub, "budget"));
	print_conflict(json_object_get(json_object_get(hub, "remote"), "name_conflict"));
}

static void print_calls(const json_t *status)
{
	const json_t *calls = json_object_get(status, "calls");
	const json_t *counters = json_object_get(status, "counters");
	char text[200];

	snprintf(text, sizeof(text), "%lld running, %lld queued, %lld abandoned",
		 ctl_integer(calls, "running"), ctl_integer(calls, "queued"),
		 ctl_integer(calls, "abandoned"));
	table_print_field("calls", text);
	snprintf(text, sizeof(text), "%lld calls, %lld of them failed",
		 ctl_integer(counters, "calls"), ctl_integer(counters, "calls_failed"));
	table_print_field("so far", text);
}

static void print_count(const json_t *status, const char *key, const char *name)
{
	char text[30];

	snprintf(text, sizeof(text), "%lld", ctl_integer(status, key));
	table_print_field(name, text);
}

static void print_status(const json_t *status)
{
	table_print_field("name", ctl_text(status, "name"));
	table_print_field("version", ctl_text(status, "version"));
	table_print_field("instance", ctl_text(status, "instance"));
	print_uptime(ctl_number(status, "uptime"));
	print_count(status, "peers", "connections");
	print_count(status, "apis", "names");
	print_calls(status);
	print_hub(json_object_get(status, "hub"));
}

int ctl_status(struct ctl *ctl, char *const *args UNUSED, int n UNUSED)
{
	return ctl_show(ctl, "status", json_array(), print_status);
}

/* ---- stats ---- */

static json_t *make_row(const char *name, const json_t *s)
{
	char texts[7][40];

	snprintf(texts[0], sizeof(texts[0]), "%lld", ctl_integer(s, "calls"));
	snprintf(texts[1], sizeof(texts[1]), "%lld", ctl_integer(s, "failed"));
	snprintf(texts[2], sizeof(texts[2]), "%lld", ctl_integer(s, "running"));
	snprintf(texts[3], sizeof(texts[3]), "%lld", ctl_integer(s, "queued"));
	snprintf(texts[4], sizeof(texts[4]), "%.1f", ctl_number(s, "run_ms_average"));
	snprintf(texts[5], sizeof(texts[5]), "%.1f", ctl_number(s, "run_ms_most"));
	snprintf(texts[6], sizeof(texts[6]), "%.1f", ctl_number(s, "queue_ms_most"));
	return json_pack("[s,s,s,s,s,s,s,s]", name, texts[0], texts[1], texts[2], texts[3],
			 texts[4], texts[5], texts[6]);
}

static void print_rows(const json_t *rows)
{
	static const struct table_column columns[] = {
		{ "NAME" }, { "CALLS", .right = true }, { "FAILED", .right = true },
		{ "RUN", .right = true }, { "QUEUED", .right = true },
		{ "AVG MS", .right = true }, { "MOST MS", .right = true },
		{ "QUEUE MS", .right = true },
	};

	table_print(columns, ARRAY_SIZE(columns), rows);
}

static void print_counters(const json_t *counters)
{
	static const struct table_column columns[] = { { "SINCE THE START" },
						       { "COUNT", .right = true } };
	json_t *rows CLEANUP(ctl_free_json) = json_array();
	const char *key;
	json_t *value;
	char text[30];

	json_object_foreach((json_t *)counters, key, value) {
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
		json_array_append_new(rows, json_pack("[s,s]", key, text));
	}
	table_print(columns, ARRAY_SIZE(columns), rows);
}

static void print_stats(const json_t *stats)
{
	json_t *apis = json_object_get(stats, "apis"), *api;
	json_t *rows CLEANUP(ctl_free_json) = json_array();
	const char *name;

	print_counters(json_object_get(stats, "counters"));
	json_object_foreach(apis, name, api)
		json_array_append_new(rows, make_row(name, api));
	if (json_array_size(rows) == 0)
		return;
	putchar('\n');
	print_rows(rows);
}

static void print_stats_of(const json_t *stats)
{
	json_t *rows CLEANUP(ctl_free_json) = json_array();

	json_array_append_new(rows, make_row(ctl_text(stats, "name"), stats));
	print_rows(rows);
}

int ctl_stats(struct ctl *ctl, char *const *args, int n)
{
	if (n == 0)
		return ctl_show(ctl, "stats", json_array(), print_stats);
	return ctl_show(ctl, "stats", json_pack("[s]", args[0]), print_stats_of);
}

/* ---- ping ---- */

static double clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int ping(struct ctl *ctl, double *ret_ms)
{
	chapi_reply *reply CLEANUP(ctl_free_reply) = NULL;
	const struct chapi_call_options options = { .size = sizeof(options), .timeout_ms = 10000 };
	double began = clock_ms();
	int r = chapi_call_wait(ctl->conn, "chapi.ping", NULL, 0, &options, &reply);

	if (r < 0)
		return cli_fail("chapi.ping", r);
	if (chapi_reply_code(reply) != CHAPI_OK)
		return output_failure(reply);
	*ret_ms = clock_ms() - began;
	return 0;
}

static int print_pong(const struct ctl *ctl, double ms)
{
	json_t *value CLEANUP(ctl_free_json) = NULL;

	if (ctl->json) {
		value = json_pack("{s:f}", "ms", ms);
		return ctl_print_json(value);
	}
	printf("pong from %s in %.3f ms\n", chapi_get_path(ctl->conn), ms);
	return 0;
}

int ctl_ping(struct ctl *ctl, char *const *args UNUSED, int n UNUSED)
{
	int64_t count = ctl->count > 0 ? ctl->count : 1;
	int status = ctl_connect(ctl);
	double ms = 0;

	while (status == 0 && count-- > 0) {
		status = ping(ctl, &ms);
		if (status == 0)
			status = print_pong(ctl, ms);
	}
	return status;
}
