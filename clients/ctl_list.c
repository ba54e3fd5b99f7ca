/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl list, describe: which names there are, and all about one of them.
 */
#include "clients/ctl.h"

#include <stdio.h>
#include <string.h>

#include "clients/table.h"

/* ---- list ---- */

static json_t *make_row(const json_t *api)
{
	char providers[24];

	snprintf(providers, sizeof(providers), "%lld", ctl_integer(api, "providers"));
	return json_pack("[s,s,s,s,s]", ctl_text(api, "name"), ctl_text(api, "state"), providers,
			 ctl_text(api, "visibility"), ctl_text(api, "summary"));
}

static json_t *make_long_row(const json_t *api)
{
	char figures[6][24];

	snprintf(figures[0], sizeof(figures[0]), "%lld", ctl_integer(api, "providers"));
	snprintf(figures[1], sizeof(figures[1]), "%lld", ctl_integer(api, "calls"));
	snprintf(figures[2], sizeof(figures[2]), "%lld", ctl_integer(api, "failed"));
	snprintf(figures[3], sizeof(figures[3]), "%lld", ctl_integer(api, "running"));
	snprintf(figures[4], sizeof(figures[4]), "%lld", ctl_integer(api, "queued"));
	snprintf(figures[5], sizeof(figures[5]), "%.1f", ctl_number(api, "run_ms_average"));
	return json_pack("[s,s,s,s,s,s,s,s,s,s]", ctl_text(api, "name"), ctl_text(api, "state"),
			 figures[0], ctl_text(api, "policy"), ctl_text(api, "visibility"),
			 figures[1], figures[2], figures[3], figures[4], figures[5]);
}

static void print_rows(const json_t *apis, json_t *(*make)(const json_t *api),
		       const struct table_column *columns, size_t n)
{
	json_t *rows CLEANUP(ctl_free_json) = json_array();
	const json_t *api;
	size_t i;

	json_array_foreach(apis, i, api)
		json_array_append_new(rows, make(api));
	table_print(columns, n, rows);
}

static void print_short(const json_t *apis)
{
	static const struct table_column columns[] = {
		{ "NAME" }, { "STATE", .state = true }, { "PROVIDERS", .right = true },
		{ "SEEN" }, { "SUMMARY" },
	};

	print_rows(apis, make_row, columns, ARRAY_SIZE(columns));
}

static void print_long(const json_t *apis)
{
	static const struct table_column columns[] = {
		{ "NAME" }, { "STATE", .state = true }, { "PROV", .right = true }, { "POLICY" },
		{ "SEEN" }, { "CALLS", .right = true }, { "FAILED", .right = true },
		{ "RUN", .right = true }, { "QUEUE", .right = true }, { "AVG MS", .right = true },
	};

	print_rows(apis, make_long_row, columns, ARRAY_SIZE(columns));
}

/* The gateway shows its own functions to a pattern only, and says less of them. */
static bool is_own(const char *pattern)
{
	return strncmp(pattern, "chapi.", strlen("chapi.")) == 0;
}

static void print_names(const json_t *apis, const char *pattern, bool is_long)
{
	if (json_array_size(apis) == 0 && strcmp(pattern, "*") == 0)
		cli_error("no name is registered; is a provider running?");
	else if (json_array_size(apis) == 0)
		cli_error("no name is like \"%s\"; `chapi-ctl list` shows all", pattern);
	else if (is_long && !is_own(pattern))
		print_long(apis);
	else
		print_short(apis);
}

int ctl_list(struct ctl *ctl, char *const *args, int n)
{
	const char *pattern = n > 0 ? args[0] : "*";
	json_t *question = json_pack("[s,{s:b}]", pattern, "long", ctl->is_long);
	json_t *apis CLEANUP(ctl_free_json) = NULL;
	int status;

	if (ctl->json)
		return ctl_show(ctl, "list", question, NULL);
	status = ctl_ask_value(ctl, "list", question, &apis);
	if (status == 0)
		print_names(apis, pattern, ctl->is_long);
	return status;
}

/* ---- describe ---- */

static void print_text(const json_t *api, const char *key)
{
	const char *text = ctl_text(api, key);

	if (*text)
		table_print_field(key, text);
}

static void print_number(const json_t *api, const char *key, const char *name, const char *unit)
{
	const json_t *value = json_object_get(api, key);
	char text[60];

	if (!value)
		return;
	if (json_is_real(value))
		snprintf(text, sizeof(text), "%.1f%s", json_real_value(value), unit);
	else
		snprintf(text, sizeof(text), "%lld%s", ctl_integer(api, key), unit);
	table_print_field(name, text);
}

static void print_value(const json_t *api, const char *key)
{
	const json_t *value = json_object_get(api, key);
	char *text CLEANUP(cli_free) = NULL;

	if (!value || json_is_null(value) || json_array_size(value) + json_object_size(value) == 0)
		return;
	text = json_dumps(value, JSON_ENCODE_ANY);
	table_print_field(key, text ? text : "?");
}

static void print_holders(const json_t *api)
{
	const json_t *holders = json_object_get(api, "holders"), *holder;
	char text[400];
	size_t i;

	json_array_foreach(holders, i, holder) {
		snprintf(text, sizeof(text), "%s%s%s, %s, %lld running", ctl_text(holder, "caller"),
			 *ctl_text(holder, "client") ? " " : "", ctl_text(holder, "client"),
			 ctl_text(holder, "state"), ctl_integer(holder, "running"));
		table_print_field(i == 0 ? "held by" : "", text);
	}
}

static void print_limits(const json_t *api)
{
	if (ctl_integer(api, "timeout_ms") == 0)
		return;		/* the gateway's own have none */
	print_number(api, "concurrency", "at once",
		     ctl_integer(api, "concurrency") == 0 ? " (no limit)" : " calls");
	print_number(api, "queue", "queue", " calls");
	print_number(api, "timeout_ms", "time limit", " ms unless the caller says otherwise");
	print_number(api, "timeout_max_ms", "at most", " ms");
	table_print_field("idempotent",
			  json_is_true(json_object_get(api, "idempotent")) ? "yes" : "no");
}

static void print_figures(const json_t *api)
{
	char text[200];

	if (!json_object_get(api, "calls"))
		return;
	snprintf(text, sizeof(text), "%lld, %lld of them failed; %lld running, %lld queued",
		 ctl_integer(api, "calls"), ctl_integer(api, "failed"), ctl_integer(api, "running"),
		 ctl_integer(api, "queued"));
	table_print_field("calls", text);
	snprintf(text, sizeof(text), "%.1f ms on average, %.1f ms at most; queued %.1f ms at most",
		 ctl_number(api, "run_ms_average"), ctl_number(api, "run_ms_most"),
		 ctl_number(api, "queue_ms_most"));
	table_print_field("took", text);
}

static void print_described(const json_t *api)
{
	print_text(api, "name");
	print_text(api, "summary");
	print_text(api, "description");
	print_text(api, "version");
	print_value(api, "tags");
	print_text(api, "state");
	print_text(api, "policy");
	print_text(api, "visibility");
	print_limits(api);
	print_value(api, "params");
	print_value(api, "result");
	print_figures(api);
	print_holders(api);
}

int ctl_describe(struct ctl *ctl, char *const *args, int n UNUSED)
{
	return ctl_show(ctl, "describe", json_pack("[s]", args[0]), print_described);
}
