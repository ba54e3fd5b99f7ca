/* SPDX-License-Identifier: MIT */
/*
 * Holding names: who may have one, with whom to share it, under which options.
 *
 * What is done with a name that is held is steering.c, what follows from a change settle.c.
 */
#include "gateway/builtin.h"
#include "gateway/methods.h"
#include "gateway/options.h"
#include "gateway/router_private.h"
#include "gateway/schema.h"
#include "gateway/text.h"

#define TIMEOUT_MS 30000
#define TIMEOUT_MAX_MS 600000
#define COUNT_MOST 1000000

/* ---- options -------------------------------------------------------------------------- */

static const struct option register_table[] = {
	{ "policy", OPTION_CHOICE, offsetof(struct api_options, policy), 0, 0, api_policy_names },
	{ "visibility", OPTION_CHOICE, offsetof(struct api_options, visibility), 0, 0,
	  api_visibility_names },
	{ "concurrency", OPTION_NUMBER, offsetof(struct api_options, concurrency), 0, COUNT_MOST,
	  NULL },
	{ "queue", OPTION_NUMBER, offsetof(struct api_options, queue), 0, COUNT_MOST, NULL },
	{ "timeout_ms", OPTION_NUMBER, offsetof(struct api_options, timeout_ms), 1, NUMBER_MOST,
	  NULL },
	{ "timeout_max_ms", OPTION_NUMBER, offsetof(struct api_options, timeout_max_ms), 1,
	  NUMBER_MOST, NULL },
	{ "idempotent", OPTION_BOOL, offsetof(struct api_options, idempotent), 0, 0, NULL },
	{ "summary", OPTION_TEXT, offsetof(struct api_options, summary), 0, 256, NULL },
	{ "description", OPTION_TEXT, offsetof(struct api_options, description), 0, 8192, NULL },
	{ "version", OPTION_TEXT, offsetof(struct api_options, version), 0, 64, NULL },
	{ "tags", OPTION_TEXTS, offsetof(struct api_options, tags), 0, 16, NULL },
	{ "params", OPTION_RAW, offsetof(struct api_options, params), 0, 0, NULL },
	{ "result", OPTION_RAW, offsetof(struct api_options, result), 0, 0, NULL },
};

static bool check_description(struct request *q, struct span description, const char *option)
{
	struct schema_fault fault;
	int rc = description.len > 0 ? schema_check(description, option, &fault) : 0;

	if (rc < 0)
		request_fail_memory(q);
	else if (rc > 0)
		request_fail(q, CHAPI_ERR_INVALID_ARGUMENT, "option '%s': %s", option, fault.text);
	return rc == 0;
}

/* A limit that was lowered takes a default with it; one that was asked for is not cut in
 * silence. */
static bool check_options(struct request *q, struct api_options *options)
{
	if (options->timeout_ms > options->timeout_max_ms && options->timeout_ms != TIMEOUT_MS) {
		request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
			     "option 'timeout_ms' (%lld) is more than 'timeout_max_ms' (%lld); "
			     "raise that, too", (long long)options->timeout_ms,
			     (long long)options->timeout_max_ms);
		return false;
	}
	options->timeout_ms = MIN(options->timeout_ms, options->timeout_max_ms);
	return check_description(q, options->params, "params") &&
	       check_description(q, options->result, "result");
}

static bool read_name(struct request *q, struct span *ret_name)
{
	if (!request_read_text(q, "the name", ret_name))
		return false;
	if (name_is_valid(*ret_name))
		return true;
	request_fail(q, CHAPI_ERR_INVALID_ARGUMENT, "'%s' is no name: " NAME_RULE,
		     TEXT_QUOTE(*ret_name), API_NAME_MAX);
	return false;
}

static void put_texts(struct buf *b, struct span array)
{
	if (array.len > 0)
		mp_put_raw(b, array);
	else
		mp_put_array(b, 0);
}

static void put_description(struct buf *b, struct span description)
{
	if (description.len > 0)
		mp_put_raw(b, description);
	else
		mp_put_nil(b);
}

static void put_granted(struct buf *b, struct span name, const char *state,
			const struct api_options *options)
{
	mp_put_map(b, 15);
	mp_put_str(b, "name");
	mp_put_text(b, name);
	mp_put_str(b, "state");
	mp_put_str(b, state);
	mp_put_str(b, "policy");
	mp_put_str(b, api_policy_names[options->policy]);
	mp_put_str(b, "visibility");
	mp_put_str(b, api_visibility_names[options->visibility]);
	mp_put_str(b, "concurrency");
	mp_put_int(b, options->concurrency);
	mp_put_str(b, "queue");
	mp_put_int(b, options->queue);
	mp_put_str(b, "timeout_ms");
	mp_put_int(b, options->timeout_ms);
	mp_put_str(b, "timeout_max_ms");
	mp_put_int(b, options->timeout_max_ms);
	mp_put_str(b, "idempotent");
	mp_put_bool(b, options->idempotent);
	mp_put_str(b, "summary");
	mp_put_text(b, options->summary);
	mp_put_str(b, "description");
	mp_put_text(b, options->description);
	mp_put_str(b, "version");
	mp_put_text(b, options->version);
	mp_put_str(b, "tags");
	put_texts(b, options->tags);
	mp_put_str(b, "params");
	put_description(b, options->params);
	mp_put_str(b, "result");
	put_description(b, options->result);
}

/* ---- register ------------------------------------------------------------------------- */

static bool check_sharer(struct request *q, const struct api *api,
			 const struct api_options *options)
{
	const struct api_options *theirs = &api_holder(api)->options;

	if (theirs->policy == API_SHARE && api_same_terms(theirs, options))
		return true;
	if (theirs->policy != API_SHARE)
		request_fail(q, CHAPI_ERR_FAILED_PRECONDITION,
			     "'%s' is held under the policy '%s', which does not share it; its "
			     "holder has to register it with the policy 'share', too", api->name,
			     api_policy_names[theirs->policy]);
	else
		request_fail(q, CHAPI_ERR_FAILED_PRECONDITION,
			     "those who share '%s' have other options; visibility, params, result, "
			     "timeout_ms and timeout_max_ms must be the same", api->name);
	return false;
}

static bool check_other_users(struct request *q, const struct api *api)
{
	struct holder *holder;

	list_for_each(holder, &api->holders, struct holder, link) {
		if (holder->party->uid == q->from->uid ||
		    router_allows(q->router, RIGHT_ADMIN, q->from, api_name(api)))
			continue;
		request_fail(q, CHAPI_ERR_PERMISSION_DENIED,
			     "'%s' is held by another user (%s); taking or joining it needs the "
			     "right 'admin' for it", api->name, holder->party->caller);
		return false;
	}
	return true;
}

/* The name is held already: may this party come in under these options? */
static bool check_holders(struct request *q, const struct api *api,
			  const struct api_options *options)
{
	if (api_find_holder(api, q->from))
		request_fail(q, CHAPI_ERR_API_EXISTS,
			     "this connection holds '%s' already; 'update' changes its options",
			     api->name);
	else if (options->policy == API_EXCLUSIVE)
		request_fail(q, CHAPI_ERR_API_EXISTS,
			     "'%s' is held by another process (%s); choose another name, stop that "
			     "one, or register with the policy replace, share or standby",
			     api->name, api_holder(api)->party->caller);
	else
		return check_other_users(q, api) &&
		       (options->policy != API_SHARE || check_sharer(q, api, options));
	return false;
}

/* May this party hold one more name, and this one? */
static bool check_register(struct request *q, struct span name, const struct api *api,
			   const struct api_options *options)
{
	unsigned int most = q->router->config.limits.names_per_peer;

	if (builtin_is_reserved(name))
		request_fail(q, CHAPI_ERR_PERMISSION_DENIED,
			     "names that begin with 'chapi.' are the gateway's own; choose "
			     "another");
	else if (q->from->n_registrations >= most)
		request_fail(q, CHAPI_ERR_BUSY,
			     "this connection holds %u names, and may hold no more "
			     "(names_per_peer); give one back, or use another connection", most);
	else
		return request_may(q, RIGHT_REGISTER, name, "register this name") &&
		       (!api || check_holders(q, api, options));
	return false;
}

/*
 * The answer is made first: a name is not taken by one who is told that it failed. The
 * newcomer is in before those it replaces go: so the name, and what waits for it, stays.
 */
static enum outcome hold(struct request *q, struct span name, struct api *api,
			 const struct api_options *options)
{
	struct router *router = q->router;
	bool standby = api && options->policy == API_STANDBY;
	struct holder *holder;

	put_granted(&router->answer, name, standby ? "standby" : "active", options);
	if (buf_error(&router->answer) != 0 ||
	    registry_add(router->registry, name, q->from, options,
			 standby || (api && options->policy == API_REPLACE), &holder) != 0)
		return request_fail_memory(q);
	if (api && options->policy == API_REPLACE) {
		steering_revoke_all(router, api, "replaced", q->now);
		holder_promote(holder);
	}
	router_unsettle(router, holder->api);
	monitor_api(router, holder->api, "registered", q->from, q->now);
	waits_registered(router, name, q->now);
	return request_done(q);
}

enum outcome method_register(struct request *q)
{
	struct api_options options = {
		.policy = API_EXCLUSIVE,
		.visibility = q->router->config.local_by_default ? API_LOCAL : API_REMOTE,
		.queue = 64,
		.timeout_ms = TIMEOUT_MS,
		.timeout_max_ms = TIMEOUT_MAX_MS,
	};
	struct span name;
	struct api *api;
	size_t size;

	if (!read_name(q, &name) ||
	    !request_read_options(q, register_table, ARRAY_SIZE(register_table), &options) ||
	    !check_options(q, &options))
		return OUTCOME_FAILURE;
	api = registry_find(q->router->registry, name);
	size = holder_size(name, &options);
	if (!check_register(q, name, api, &options) || !request_charge(q, size))
		return OUTCOME_FAILURE;
	if (hold(q, name, api, &options) == OUTCOME_RESULT)
		return OUTCOME_RESULT;
	router_uncharge(q->router, q->from, size);
	return OUTCOME_FAILURE;
}

/* ---- update --------------------------------------------------------------------------- */

/* The holding of this party; NULL: it has none, and the failure is set. */
static struct holder *find_own(struct request *q, struct span name)
{
	struct api *api = registry_find(q->router->registry, name);
	struct holder *holder = api ? api_find_holder(api, q->from) : NULL;

	if (!holder)
		request_fail(q, CHAPI_ERR_API_NOT_FOUND, "this connection does not hold '%s'",
			     TEXT_QUOTE(name));
	return holder;
}

/* Others who share the name have agreed to the options as they were. */
static bool check_update(struct request *q, const struct holder *holder,
			 const struct api_options *options)
{
	const struct api *api = holder->api;

	if (holder->standby || api->n_holders == 1 ||
	    (options->policy == holder->options.policy &&
	     api_same_terms(&holder->options, options)))
		return true;
	request_fail(q, CHAPI_ERR_FAILED_PRECONDITION,
		     "'%s' is shared by %u; policy, visibility, params, result, timeout_ms and "
		     "timeout_max_ms must stay as they are", api->name, api->n_holders);
	return false;
}

enum outcome method_update(struct request *q)
{
	struct router *router = q->router;
	struct api_options options;
	struct holder *holder;
	struct span name;
	size_t size;

	if (!request_read_text(q, "the name", &name) || !(holder = find_own(q, name)))
		return OUTCOME_FAILURE;
	options = holder->options;
	if (!request_read_options(q, register_table, ARRAY_SIZE(register_table), &options) ||
	    !check_options(q, &options) || !check_update(q, holder, &options))
		return OUTCOME_FAILURE;
	size = holder_size(name, &holder->options);
	if (!request_charge(q, holder_size(name, &options)))
		return OUTCOME_FAILURE;
	put_granted(&router->answer, name, holder_state(holder), &options);
	if (buf_error(&router->answer) != 0 ||
	    registry_set_options(router->registry, holder, &options) != 0) {
		router_uncharge(router, q->from, holder_size(name, &options));
		return request_fail_memory(q);
	}
	router_uncharge(router, q->from, size);
	router_unsettle(router, holder->api);
	monitor_api(router, holder->api, "updated", q->from, q->now);
	return request_done(q);
}
