/* SPDX-License-Identifier: MIT */
/*
 * What is there, put into words: names, their providers and statistics, the gateway's state.
 *
 * Shows to each party what it may see, changes nothing.
 */
#include <stdlib.h>

#include "gateway/builtin.h"
#include "gateway/methods.h"
#include "gateway/text.h"

struct figure {
	const char *name;
	uint64_t value;
};

static void put_figures(struct buf *b, const struct figure *figures, size_t n)
{
	mp_put_map(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		mp_put_str(b, figures[i].name);
		mp_put_uint(b, figures[i].value);
	}
}

static void put_key_text(struct buf *b, const char *key, const char *text)
{
	mp_put_str(b, key);
	mp_put_str(b, text);
}

static void put_key_span(struct buf *b, const char *key, struct span text)
{
	mp_put_str(b, key);
	mp_put_text(b, text);
}

static void put_key_number(struct buf *b, const char *key, double v)
{
	mp_put_str(b, key);
	mp_put_double(b, v);
}

static void put_key_int(struct buf *b, const char *key, int64_t v)
{
	mp_put_str(b, key);
	mp_put_int(b, v);
}

/* A value as it was given; empty: nil. */
static void put_key_value(struct buf *b, const char *key, struct span value)
{
	mp_put_str(b, key);
	if (value.len > 0)
		mp_put_raw(b, value);
	else
		mp_put_nil(b);
}

/* ---- names ---------------------------------------------------------------------------- */

/* What list and describe begin with. */
struct entry {
	struct span name, summary;
	const char *state, *policy, *visibility;
	unsigned int n_providers;
};

#define N_ENTRY 6

static void put_entry(struct buf *b, const struct entry *e)
{
	put_key_span(b, "name", e->name);
	put_key_span(b, "summary", e->summary);
	put_key_text(b, "state", e->state);
	put_key_text(b, "policy", e->policy);
	put_key_text(b, "visibility", e->visibility);
	put_key_int(b, "providers", e->n_providers);
}

static struct entry entry_of(const struct api *api)
{
	const struct api_options *options = &api_holder(api)->options;

	return (struct entry){
		.name = api_name(api),
		.summary = options->summary,
		.state = api_state(api),
		.policy = api_policy_names[options->policy],
		.visibility = api_visibility_names[options->visibility],
		.n_providers = api->n_holders,
	};
}

static struct entry entry_of_builtin(const struct builtin *builtin)
{
	return (struct entry){
		.name = span_str(builtin->name),
		.summary = span_str(builtin->summary),
		.state = "active",
		.policy = api_policy_names[API_EXCLUSIVE],
		.visibility = api_visibility_names[builtin->visibility],
		.n_providers = 1,
	};
}

#define N_STATISTICS 7

static void put_statistics(struct buf *b, const struct api_statistics *s, unsigned int n_running,
			   unsigned int n_queued)
{
	put_key_int(b, "calls", (int64_t)s->calls);
	put_key_int(b, "failed", (int64_t)s->failed);
	put_key_int(b, "running", n_running);
	put_key_int(b, "queued", n_queued);
	put_key_number(b, "run_ms_average", s->calls > 0 ? s->run_ms / (double)s->calls : 0);
	put_key_number(b, "run_ms_most", s->run_ms_most);
	put_key_number(b, "queue_ms_most", s->queue_ms_most);
}

static void put_statistics_of(struct buf *b, const struct api *api)
{
	put_statistics(b, &api->statistics, api->n_running, api->n_queued);
}

#define N_DETAILS 9

static void put_details(struct buf *b, const struct api_options *options, unsigned int n_standbys)
{
	put_key_span(b, "description", options->description);
	put_key_span(b, "version", options->version);
	mp_put_str(b, "tags");
	if (options->tags.len > 0)
		mp_put_raw(b, options->tags);
	else
		mp_put_array(b, 0);
	mp_put_str(b, "idempotent");
	mp_put_bool(b, options->idempotent);
	put_key_int(b, "concurrency", options->concurrency);
	put_key_int(b, "queue", options->queue);
	put_key_int(b, "timeout_ms", options->timeout_ms);
	put_key_int(b, "timeout_max_ms", options->timeout_max_ms);
	put_key_int(b, "standbys", n_standbys);
}

static void put_provider(struct buf *b, const struct holder *holder)
{
	mp_put_map(b, 4);
	put_key_text(b, "caller", holder->party->caller);
	put_key_text(b, "client", holder->party->client);
	put_key_text(b, "state", holder_state(holder));
	put_key_int(b, "running", holder->n_running);
}

static void put_providers(struct buf *b, const struct api *api)
{
	struct holder *holder;

	mp_put_str(b, "holders");
	mp_put_array(b, api->n_holders + api->n_standbys);
	list_for_each(holder, &api->holders, struct holder, link)
		put_provider(b, holder);
	list_for_each(holder, &api->standbys, struct holder, link)
		put_provider(b, holder);
}

static void put_long(struct buf *b, const struct api *api)
{
	const struct entry entry = entry_of(api);

	mp_put_map(b, N_ENTRY + N_STATISTICS + N_DETAILS);
	put_entry(b, &entry);
	put_details(b, &api_holder(api)->options, api->n_standbys);
	put_statistics_of(b, api);
}

static void put_short(struct buf *b, const struct api *api)
{
	const struct entry entry = entry_of(api);

	mp_put_map(b, N_ENTRY);
	put_entry(b, &entry);
}

/* ---- list ----------------------------------------------------------------------------- */

/* The gateway's own functions are in the way of those who look for others: they are shown
 * to a pattern that begins with "chapi." only. */
static enum outcome list_builtins(struct request *q, struct span pattern)
{
	const struct builtin *all;
	const struct builtin *found[16];
	size_t n_all, n = 0;

	all = builtin_all(&n_all);
	for (size_t i = 0; i < n_all && n < ARRAY_SIZE(found); i++)
		if (name_matches(span_str(all[i].name), pattern) &&
		    builtin_find(span_str(all[i].name), q->from->origin) &&
		    router_allows(q->router, RIGHT_LIST, q->from, span_str(all[i].name)))
			found[n++] = &all[i];
	mp_put_array(&q->router->answer, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		const struct entry entry = entry_of_builtin(found[i]);

		mp_put_map(&q->router->answer, N_ENTRY);
		put_entry(&q->router->answer, &entry);
	}
	return request_done(q);
}

#define STEPS_NAME 20		/* to look at a name, and to sort it in */
#define STEP_BYTES 16		/* of an answer that are put together in one */

/* An answer that its reader would refuse as too large is not sent. */
static enum outcome check_size(struct request *q)
{
	size_t len = q->router->answer.len, most = q->router->config.limits.max_message;

	router_spend(q->router, len / STEP_BYTES);
	if (len <= most)
		return request_done(q);
	request_fail(q, CHAPI_ERR_TOO_LARGE,
		     "the list has %zu bytes, a message at most %zu (max_message); "
		     "ask for a part of it by a pattern", len, most);
	router_put_sizes(q->router, &q->failure, len);
	return OUTCOME_FAILURE;
}

/* Keeps those that the party may list. */
static size_t filter(const struct request *q, struct api **apis, size_t n)
{
	size_t kept = 0;

	router_spend(q->router, STEPS_NAME * registry_count(q->router->registry));
	router_spend_rights(q->router, n);
	for (size_t i = 0; i < n; i++)
		if (router_allows(q->router, RIGHT_LIST, q->from, api_name(apis[i])))
			apis[kept++] = apis[i];
	return kept;
}

enum outcome inspect_list(struct request *q, struct span pattern, bool is_long)
{
	struct buf *b = &q->router->answer;
	struct api **apis;
	size_t n;

	if (builtin_is_reserved(pattern))
		return list_builtins(q, pattern);
	if (registry_select(q->router->registry, pattern, q->from->origin, &apis, &n) != 0)
		return request_fail_memory(q);
	n = filter(q, apis, n);
	mp_put_array(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		if (is_long)
			put_long(b, apis[i]);
		else
			put_short(b, apis[i]);
	free(apis);
	return check_size(q);
}

/* ---- describe, stats ------------------------------------------------------------------- */

static enum outcome fail_unknown(struct request *q, struct span name)
{
	return request_fail(q, CHAPI_ERR_API_NOT_FOUND, "nobody has registered '%s'",
			    TEXT_QUOTE(name));
}

/* NULL: there is none that this party may see. */
static struct api *find_seen(const struct request *q, struct span name)
{
	struct api *api = name.len <= API_NAME_MAX
		? registry_find(q->router->registry, name) : NULL;

	if (!api || !api_is_seen(api, q->from->origin) ||
	    !router_allows(q->router, RIGHT_LIST, q->from, name))
		return NULL;
	return api;
}

/* The same fields as of a provider's function: it is called at once, whatever else is going on. */
static enum outcome describe_builtin(struct request *q, struct span name)
{
	const struct builtin *builtin = builtin_find(name, q->from->origin);
	const struct api_options options = { .idempotent = true };
	const struct api_statistics none = { 0 };
	struct buf *b = &q->router->answer;
	struct entry entry;

	if (!builtin || !router_allows(q->router, RIGHT_LIST, q->from, name))
		return fail_unknown(q, name);
	entry = entry_of_builtin(builtin);
	mp_put_map(b, N_ENTRY + N_DETAILS + N_STATISTICS + 3);
	put_entry(b, &entry);
	put_details(b, &options, 0);
	put_key_value(b, "params", options.params);
	put_key_value(b, "result", options.result);
	put_statistics(b, &none, 0, 0);
	mp_put_str(b, "holders");
	mp_put_array(b, 0);
	return request_done(q);
}

enum outcome inspect_describe(struct request *q, struct span name)
{
	struct buf *b = &q->router->answer;
	const struct api_options *options;
	struct entry entry;
	struct api *api;

	if (builtin_is_reserved(name))
		return describe_builtin(q, name);
	api = find_seen(q, name);
	if (!api)
		return fail_unknown(q, name);
	entry = entry_of(api);
	options = &api_holder(api)->options;
	mp_put_map(b, N_ENTRY + N_DETAILS + N_STATISTICS + 3);
	put_entry(b, &entry);
	put_details(b, options, api->n_standbys);
	put_key_value(b, "params", options->params);
	put_key_value(b, "result", options->result);
	put_statistics_of(b, api);
	put_providers(b, api);
	return check_size(q);
}

enum outcome inspect_stats_of(struct request *q, struct span name)
{
	struct api *api = find_seen(q, name);

	if (!api)
		return fail_unknown(q, name);
	mp_put_map(&q->router->answer, 1 + N_STATISTICS);
	put_key_span(&q->router->answer, "name", name);
	put_statistics_of(&q->router->answer, api);
	return request_done(q);
}

/* ---- status --------------------------------------------------------------------------- */

void inspect_put_limits(struct buf *b, const struct router_limits *limits)
{
	const struct figure figures[] = {
		{ "calls_per_peer", limits->calls_per_peer },
		{ "names_per_peer", limits->names_per_peer },
		{ "abandoned_per_peer", limits->abandoned_per_peer },
		{ "pinned_per_peer", limits->pinned_per_peer },
		{ "pinned_total", limits->pinned_total },
		{ "max_message", limits->max_message },
		{ "output_per_peer", limits->output_per_peer },
		{ "stalled_after_ms", limits->stalled_after_ms },
		{ "peers", limits->peers },
	};

	put_figures(b, figures, ARRAY_SIZE(figures));
}

static void put_counters(struct buf *b, const struct router_counters *c)
{
	const struct figure figures[] = {
		{ "requests", c->requests },
		{ "calls", c->calls },
		{ "calls_failed", c->calls_failed },
		{ "calls_queued", c->calls_queued },
		{ "calls_expired", c->calls_expired },
		{ "calls_cancelled", c->calls_cancelled },
		{ "oneways", c->oneways },
		{ "oneways_lost", c->oneways_lost },
		{ "responses_ignored", c->responses_ignored },
		{ "notifications_ignored", c->notifications_ignored },
		{ "progress_dropped", c->progress_dropped },
		{ "events_lost", c->events_lost },
	};

	put_figures(b, figures, ARRAY_SIZE(figures));
}

static void put_calls(struct buf *b, const struct calls *calls)
{
	const struct figure figures[] = {
		{ "running", calls_count(calls) - calls_count_queued(calls) },
		{ "queued", calls_count_queued(calls) },
		{ "abandoned", calls_count_abandoned(calls) },
	};

	put_figures(b, figures, ARRAY_SIZE(figures));
}

static void put_hub(struct buf *b, const struct router *router)
{
	if (router->config.edge.put_hub_status)
		router->config.edge.put_hub_status(router->config.data, b);
	else
		mp_put_nil(b);
}

enum outcome inspect_status(struct request *q)
{
	struct router *router = q->router;
	struct buf *b = &router->answer;

	mp_put_map(b, 12);
	put_key_text(b, "name", router->config.name);
	put_key_text(b, "version", router->config.version);
	put_key_int(b, "protocol", CHAPI_PROTOCOL_VERSION);
	put_key_text(b, "instance", router->config.instance);
	put_key_number(b, "uptime", (double)(q->now->us - router->started_us) / 1e6);
	mp_put_str(b, "hub");
	put_hub(b, router);
	put_key_int(b, "peers", router->n_local);
	put_key_int(b, "apis", (int64_t)registry_count(router->registry));
	mp_put_str(b, "calls");
	put_calls(b, router->calls);
	mp_put_str(b, "counters");
	put_counters(b, &router->counters);
	put_key_int(b, "pinned", (int64_t)router->pinned);
	mp_put_str(b, "limits");
	inspect_put_limits(b, &router->config.limits);
	return request_done(q);
}

static size_t select_seen(struct request *q, struct api ***ret_apis)
{
	size_t n;

	if (registry_select(q->router->registry, span_str("*"), q->from->origin, ret_apis, &n) != 0)
		return SIZE_MAX;
	return filter(q, *ret_apis, n);
}

enum outcome inspect_stats(struct request *q)
{
	struct router *router = q->router;
	struct buf *b = &router->answer;
	struct api **apis;
	size_t n = select_seen(q, &apis);

	if (n == SIZE_MAX)
		return request_fail_memory(q);
	mp_put_map(b, 4);
	put_key_number(b, "uptime", (double)(q->now->us - router->started_us) / 1e6);
	mp_put_str(b, "calls");
	put_calls(b, router->calls);
	mp_put_str(b, "counters");
	put_counters(b, &router->counters);
	mp_put_str(b, "apis");
	mp_put_map(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		mp_put_text(b, api_name(apis[i]));
		mp_put_map(b, N_STATISTICS);
		put_statistics_of(b, apis[i]);
	}
	free(apis);
	return check_size(q);
}
