/* SPDX-License-Identifier: MIT */
/*
 * The HTTP API: see http_api.h. Who may ask is http_auth.h.
 */
#include "tests/hub/http_api.h"

#include <stdbool.h>
#include <stdlib.h>

#include <jansson.h>

#include "tests/hub/http_auth.h"
#include "tests/hub/http_publish.h"
#include "tests/hub/hub_names.h"
#include "tests/hub/presence.h"

/* What the handlers of all paths are given. */
struct call {
	struct app *app;
	const struct http_request *request;
	char *name;			/* in the path; "": the path takes none */
	struct http_answer *answer;
};

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}

static void answer_no_memory(struct http_answer *answer)
{
	http_answer_text(answer, 500, "The hub is out of memory");
}

/* ---- publishing ----------------------------------------------------------------------- */

static void post_event(const struct call *call)
{
	http_publish_event(call->app, call->request->body, call->answer);
}

static void post_batch(const struct call *call)
{
	http_publish_batch(call->app, call->request->body, call->answer);
}

/* ---- asking --------------------------------------------------------------------------- */

static void answer_object(struct http_answer *answer, const json_t *object)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	if (text)
		http_answer_json(answer, text);
	else
		answer_no_memory(answer);
	free(text);
}

/* Is word in the comma-separated parameter info? */
static bool is_asked_for(const struct http_request *request, const char *word)
{
	const char *info = http_request_param(request, "info");
	size_t len;

	for (; info && *info; info += len + (info[len] == ',')) {
		len = strcspn(info, ",");
		if (len == strlen(word) && strncmp(info, word, len) == 0)
			return true;
	}
	return false;
}

/* user_count is refused where there are no users. False: the client has been told. */
static bool counts_fit(const struct call *call, const char *channels)
{
	if (!is_asked_for(call->request, "user_count") ||
	    channel_kind(channels) == CHANNEL_PRESENCE)
		return true;
	http_answer_text(call->answer, 400,
			 "user_count may only be requested for presence channels: of a "
			 "list of channels, use filter_by_prefix=presence-");
	return false;
}

static int put_count(const struct call *call, const char *what, size_t n, json_t *out)
{
	if (!is_asked_for(call->request, what))
		return 0;
	return json_object_set_new(out, what, json_integer((json_int_t)n));
}

static int put_counts(const struct call *call, const struct channel *channel, json_t *out)
{
	if (put_count(call, "subscription_count", channel ? channel->n_subscriptions : 0, out) != 0)
		return -1;
	return put_count(call, "user_count", channel ? channel->n_members : 0, out);
}

struct listing {
	const struct call *call;
	const char *prefix;
	bool failed;
	json_t *channels;
};

static void list_channel(void *arg, const struct channel *channel)
{
	struct listing *listing = arg;
	json_t *entry;

	if (strncmp(channel->name, listing->prefix, strlen(listing->prefix)) != 0)
		return;
	entry = json_object();
	if (put_counts(listing->call, channel, entry) != 0 ||
	    json_object_set(listing->channels, channel->name, entry) != 0)
		listing->failed = true;
	json_decref(entry);
}

static void get_channels(const struct call *call)
{
	CLEANUP(cleanup_json) json_t *answer = json_pack("{s:{}}", "channels");
	const char *prefix = http_request_param(call->request, "filter_by_prefix");
	struct listing listing = {
		.call = call,
		.prefix = prefix ? prefix : "",
		.channels = json_object_get(answer, "channels"),
	};

	if (!counts_fit(call, listing.prefix))
		return;
	app_each_channel(call->app, list_channel, &listing);
	answer_object(call->answer, listing.failed ? NULL : answer);
}

static bool check_name_in_path(const struct call *call)
{
	if (channel_name_is_legal(span_str(call->name)))
		return true;
	http_answer_text(call->answer, 400, "Invalid channel name: %.200s", call->name);
	return false;
}

static void get_channel(const struct call *call)
{
	CLEANUP(cleanup_json) json_t *answer = NULL;
	const struct channel *channel = app_channel(call->app, call->name);

	if (!check_name_in_path(call) || !counts_fit(call, call->name))
		return;
	answer = json_pack("{s:b}", "occupied", channel != NULL);
	if (put_counts(call, channel, answer) != 0)
		answer_no_memory(call->answer);
	else
		answer_object(call->answer, answer);
}

static int put_users(const struct channel *channel, json_t *users)
{
	struct member *member;

	list_for_each(member, &channel->members, struct member, in_channel)
		if (json_array_append_new(users, json_pack("{s:s}", "id", member->user_id)) != 0)
			return -1;
	return 0;
}

static void get_users(const struct call *call)
{
	CLEANUP(cleanup_json) json_t *answer = NULL;
	const struct channel *channel = app_channel(call->app, call->name);

	if (!check_name_in_path(call))
		return;
	if (channel_kind(call->name) != CHANNEL_PRESENCE) {
		http_answer_text(call->answer, 400,
				 "Users can only be retrieved for presence channels");
		return;
	}
	answer = json_pack("{s:[]}", "users");
	if (channel && put_users(channel, json_object_get(answer, "users")) != 0)
		answer_no_memory(call->answer);
	else
		answer_object(call->answer, answer);
}

/* ---- who serves what ------------------------------------------------------------------ */

static const struct route {
	const char *method, *path;	/* one that ends in a slash takes a name after it, */
	const char *rest;		/* and this after the name */
	void (*handle)(const struct call *call);
} routes[] = {
	{ "POST", "/events", "", post_event },
	{ "POST", "/batch_events", "", post_batch },
	{ "GET", "/channels", "", get_channels },
	{ "GET", "/channels/", "", get_channel },
	{ "GET", "/channels/", "/users", get_users },
};

/* How long the name in path is, or -1: the route is another one. */
static int route_fits(const struct route *route, const char *path)
{
	size_t len = strlen(route->path), name_len;

	if (route->path[len - 1] != '/')
		return strcmp(path, route->path) == 0 ? 0 : -1;
	if (strncmp(path, route->path, len) != 0)
		return -1;
	name_len = strcspn(path + len, "/");
	return name_len > 0 && strcmp(path + len + name_len, route->rest) == 0 ? (int)name_len : -1;
}

/* The part of the path after "/apps/ID", or NULL. */
static const char *path_in_app(const char *path, const char *id)
{
	static const char prefix[] = "/apps/";
	size_t id_len = strlen(id);

	if (strncmp(path, prefix, strlen(prefix)) != 0)
		return NULL;
	path += strlen(prefix);
	if (strncmp(path, id, id_len) != 0 || path[id_len] != '/')
		return NULL;
	return path + id_len;
}

static const struct route *route_find(const struct call *call, const char *path, int *ret_name_len)
{
	bool path_is_known = false;
	int name_len;

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		name_len = route_fits(&routes[i], path);
		if (name_len < 0)
			continue;
		*ret_name_len = name_len;
		if (strcmp(call->request->method, routes[i].method) == 0)
			return &routes[i];
		path_is_known = true;
	}
	if (path_is_known)
		http_answer_text(call->answer, 405, "This path does not take %.20s",
				 call->request->method);
	else
		http_answer_text(call->answer, 404, "Not found: this hub does not serve the path");
	return NULL;
}

static void act(struct call *call, const char *path)
{
	int name_len;
	const struct route *route = route_find(call, path, &name_len);

	if (!route)
		return;
	call->name = strndup(path + strlen(route->path), (size_t)name_len);
	if (call->name)
		route->handle(call);
	else
		answer_no_memory(call->answer);
	free(call->name);
}

void http_api_handle(struct app *app, const struct http_request *request, int64_t unix_s,
		     struct http_answer *answer)
{
	const struct app_settings *settings = app_settings(app);
	const char *path = path_in_app(request->path, settings->id);
	struct call call = { .app = app, .request = request, .answer = answer };
	int r;

	if (!path) {
		http_answer_text(answer, 404, "Not found: no such app or path");
		return;
	}
	r = http_auth_check(request, settings->key, settings->secret, unix_s, answer);
	if (r < 0)
		http_answer_text(answer, 500, "The hub cannot check signatures: %s", strerror(-r));
	else if (r == 0)
		act(&call, path);
}
