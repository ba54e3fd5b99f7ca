/* SPDX-License-Identifier: MIT */
/*
 * What keys have to do with each other: two that exclude each other, one that wants another, and
 * what is allowed but doubtful. What is true of a single value is config_keys.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <strings.h>
#include <unistd.h>

#include "gateway/config_private.h"

int loader_check_pusher(struct loader *l)
{
	const struct inifile_place *cluster = loader_place(l, "pusher", "cluster");
	const struct config *c = l->config;
	const char *missing = !c->app_id ? "app_id" : !c->key ? "key" :
			      !c->cluster && !c->host ?
			      "cluster (of the hosted service) or host" : NULL;

	if (missing)
		return loader_fail_at(l, &l->pusher, "[pusher] lacks %s; leave the section out for "
				      "local calls only", missing);
	if (c->cluster && c->host)
		return loader_fail_at(l, loader_place(l, "pusher", "host"),
				      "host and cluster are both set (cluster in line %u of %s); "
				      "one of them is allowed", cluster->line, cluster->file);
	if (c->ca_file && access(c->ca_file, R_OK) != 0)
		return loader_fail_at(l, loader_place(l, "pusher", "ca_file"), "ca_file %s: %s",
				      c->ca_file, strerror(errno));
	return 0;
}

static int check_channels(struct loader *l)
{
	struct config *c = l->config;

	for (size_t i = 0; i < c->n_channels; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(c->channels[i], c->channels[k]) == 0)
				return loader_fail_at(l, loader_place(l, "remote", "channel"),
						      "channel %s is listed twice", c->channels[i]);
	return 0;
}

static bool is_part_event(const char *name, const char *of)
{
	size_t len = strlen(of);

	return strncmp(name, of, len) == 0 && strcmp(name + len, "-part") == 0;
}

/* What else goes over the channels has names of its own. */
static const char *taken_event(const char *name)
{
	static const char *const taken[] = { "cancel", "progress", "chapi-alive", "chapi-here" };

	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (strcmp(name, taken[i]) == 0)
			return taken[i];
	return NULL;
}

static int check_events(struct loader *l)
{
	const struct inifile_place *place = loader_place(l, "remote", "request_event");
	const char *request = l->config->request_event, *response = l->config->response_event;

	if (strcmp(request, response) == 0)
		return loader_fail_at(l, place, "request_event and response_event have to differ");
	if (is_part_event(request, response) || is_part_event(response, request))
		return loader_fail_at(l, place, "request_event and response_event have to differ, "
				      "and neither may be the other with -part");
	if (taken_event(request))
		return loader_fail_at(l, place, "request_event = %s: that is an event of another "
				      "meaning", request);
	if (taken_event(response))
		return loader_fail_at(l, loader_place(l, "remote", "response_event"),
				      "response_event = %s: that is an event of another meaning",
				      response);
	return 0;
}

int loader_check_together(struct loader *l)
{
	const struct config *c = l->config;

	if (!c->socket)
		return loader_fail(l, STATUS_CONFIG, "no socket: XDG_RUNTIME_DIR is not set; set "
				   "it, or give --socket PATH");
	if (check_events(l) != 0)
		return -1;
	if (c->backoff_least_ms > c->backoff_most_ms)
		return loader_fail_at(l, loader_place(l, "timing", "backoff_least"),
				      "backoff_least is above backoff_most; at most the same is "
				      "allowed");
	return check_channels(l);
}

static bool is_loopback(const char *host)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return strcmp(host, "::1") == 0 || strcasecmp(host, "localhost") == 0;
}

static void PRINTF(2, 3) warn_at(const struct inifile_place *place, const char *fmt, ...)
{
	char what[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (place->file)
		log_warn("config", "%s:%u: %s", place->file, place->line, what);
	else
		log_warn("config", "%s", what);
}

void loader_warn_doubtful(const struct loader *l)
{
	const struct config *c = l->config;

	if (c->pusher && !c->tls && !(is_loopback(c->host) && is_loopback(c->http_host)))
		warn_at(loader_place(l, "pusher", "tls"), "tls = no, and the hub is not on this "
			"machine: whoever is on the way can read and change everything");
}
