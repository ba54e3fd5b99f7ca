/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl metrics: the gateway's figures in Prometheus' text format.
 *
 * When the gateway does not answer, that is a figure too (chapi_up 0), so that a file for the
 * node exporter does not go on saying what was true once.
 */
#include "clients/ctl.h"

#include <stdio.h>
#include <string.h>

#include "clients/newfile.h"

/* ---- the format ---- */

static void put_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_label(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		else
			putc(*text, out);
	}
	putc('"', out);
}

static void put_figure(FILE *out, const char *name, const char *type, const char *help, double v)
{
	put_head(out, name, type, help);
	fprintf(out, "%s %.15g\n", name, v);
}

/* ---- what there is ---- */

struct metric {
	const char *key, *name, *type, *help;
	double scale;
};

static void put_metrics(FILE *out, const json_t *object, const struct metric *metrics, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (json_object_get(object, metrics[i].key))
			put_figure(out, metrics[i].name, metrics[i].type, metrics[i].help,
				   ctl_number(object, metrics[i].key) * metrics[i].scale);
}

static void put_gateway(FILE *out, const json_t *status)
{
	static const struct metric metrics[] = {
		{ "uptime", "chapi_uptime_seconds", "gauge", "Time since the start.", 1 },
		{ "peers", "chapi_connections", "gauge", "Local connections.", 1 },
		{ "apis", "chapi_names", "gauge", "Registered names.", 1 },
		{ "pinned", "chapi_pinned_bytes", "gauge", "Memory charged to connections.", 1 },
	};

	put_head(out, "chapi_info", "gauge", "What runs.");
	fputs("chapi_info{name=", out);
	put_label(out, ctl_text(status, "name"));
	fputs(",version=", out);
	put_label(out, ctl_text(status, "version"));
	fputs("} 1\n", out);
	put_metrics(out, status, metrics, ARRAY_SIZE(metrics));
}

static void put_calls(FILE *out, const json_t *calls)
{
	static const struct metric metrics[] = {
		{ "running", "chapi_calls_running", "gauge", "Calls at a provider.", 1 },
		{ "queued", "chapi_calls_waiting", "gauge", "Calls that wait for one.", 1 },
		{ "abandoned", "chapi_calls_abandoned", "gauge",
		  "Calls that run on with nobody waiting.", 1 },
	};

	put_metrics(out, calls, metrics, ARRAY_SIZE(metrics));
}

/* Each counter of the gateway, also those of a later version. */
static void put_counters(FILE *out, const json_t *counters)
{
	const char *key;
	char name[120];
	json_t *value;

	json_object_foreach((json_t *)counters, key, value) {
		snprintf(name, sizeof(name), "chapi_%.90s_total", key);
		put_figure(out, name, "counter", "Since the start.", json_number_value(value));
	}
}

/* conflict: null as long as no other gateway of our name was seen; NULL: an older gateway. */
static void put_conflict(FILE *out, const json_t *conflict)
{
	if (conflict)
		put_figure(out, "chapi_hub_name_conflicts_total", "counter",
			   "What another gateway of this name was seen to say.",
			   ctl_number(conflict, "seen"));
}

static void put_hub(FILE *out, const json_t *hub)
{
	static const struct metric metrics[] = {
		{ "connects", "chapi_hub_connects_total", "counter",
		  "Tries to connect to the hub.", 1 },
		{ "subscribed", "chapi_hub_channels", "gauge", "Channels subscribed to.", 1 },
		{ "wanted", "chapi_hub_channels_wanted", "gauge", "Channels configured.", 1 },
	};
	static const struct metric publishing[] = {
		{ "published", "chapi_hub_published_total", "counter", "Events sent.", 1 },
		{ "failed", "chapi_hub_failed_total", "counter", "Events given up.", 1 },
		{ "dropped", "chapi_hub_dropped_total", "counter", "Events left out.", 1 },
		{ "repeated", "chapi_hub_repeated_total", "counter", "Events sent again.", 1 },
		{ "requests", "chapi_hub_requests_total", "counter", "HTTP requests.", 1 },
	};

	static const struct metric budget[] = {
		{ "messages", "chapi_hub_messages_today", "gauge",
		  "Messages of this day of UTC.", 1 },
		{ "limit", "chapi_hub_messages_limit", "gauge",
		  "The most of a day; 0: no budget.", 1 },
	};

	if (!json_is_object(hub))
		return;
	put_figure(out, "chapi_hub_up", "gauge", "Subscribed to all channels.",
		   strcmp(ctl_text(hub, "state"), "up") == 0);
	put_metrics(out, hub, metrics, ARRAY_SIZE(metrics));
	put_metrics(out, json_object_get(hub, "publisher"), publishing, ARRAY_SIZE(publishing));
	put_metrics(out, json_object_get(hub, "budget"), budget, ARRAY_SIZE(budget));
	put_conflict(out, json_object_get(json_object_get(hub, "remote"), "name_conflict"));
}

static void put_apis(FILE *out, const json_t *apis)
{
	static const struct metric metrics[] = {
		{ "calls", "chapi_name_calls_total", "counter", "Calls that have ended.", 1 },
		{ "failed", "chapi_name_failed_total", "counter", "Those that failed.", 1 },
		{ "running", "chapi_name_running", "gauge", "Calls that run.", 1 },
		{ "queued", "chapi_name_queued", "gauge", "Calls that wait.", 1 },
		{ "run_ms_average", "chapi_name_run_average_seconds", "gauge",
		  "Time that a call takes.", 1e-3 },
		{ "run_ms_most", "chapi_name_run_most_seconds", "gauge", "The longest one.", 1e-3 },
	};
	const char *name;
	json_t *api;

	if (json_object_size(apis) == 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++) {
		put_head(out, metrics[i].name, metrics[i].type, metrics[i].help);
		json_object_foreach((json_t *)apis, name, api) {
			fprintf(out, "%s{api=", metrics[i].name);
			put_label(out, name);
			fprintf(out, "} %.15g\n",
				ctl_number(api, metrics[i].key) * metrics[i].scale);
		}
	}
}

static void put_all(FILE *out, const json_t *all)
{
	const json_t *status = json_object_get(all, "status");

	put_figure(out, "chapi_up", "gauge", "The gateway answers.", status != NULL);
	if (!status)
		return;
	put_gateway(out, status);
	put_calls(out, json_object_get(status, "calls"));
	put_counters(out, json_object_get(status, "counters"));
	put_hub(out, json_object_get(status, "hub"));
	put_apis(out, json_object_get(json_object_get(all, "stats"), "apis"));
}

/* ---- where it goes ---- */

static int write_file(const char *path, const json_t *all)
{
	struct newfile file CLEANUP(newfile_deinit) = NEWFILE_NULL;
	int r = newfile_open(path, 0666, &file);

	if (r == 0) {
		put_all(file.f, all);
		r = newfile_commit(&file);
	}
	if (r == 0)
		return 0;
	cli_error("%s: %s", path, strerror(-r));
	return CLI_STATUS_OUTPUT;
}

static int ask_all(struct ctl *ctl, json_t *ret_all)
{
	json_t *value = NULL;
	int status = ctl_ask_value(ctl, "status", json_array(), &value);

	if (status != 0)
		return status;
	json_object_set_new(ret_all, "status", value);
	status = ctl_ask_value(ctl, "stats", json_array(), &value);
	if (status == 0)
		json_object_set_new(ret_all, "stats", value);
	return status;
}

int ctl_metrics(struct ctl *ctl, char *const *args UNUSED, int n UNUSED)
{
	json_t *all CLEANUP(ctl_free_json) = json_object();
	int status = ask_all(ctl, all), written = 0;

	if (ctl->textfile)
		written = write_file(ctl->textfile, all);
	else if (ctl->json)
		written = ctl_print_json(all);
	else
		put_all(stdout, all);
	return status != 0 ? status : written;
}
