/* SPDX-License-Identifier: MIT */
/*
 * What is done with names that are held, by their holders and by administrators: given up, taken
 * back, paused, resumed, drained.
 *
 * What follows for the calls that wait is settle.c.
 */
#include "gateway/methods.h"
#include "gateway/options.h"
#include "gateway/router_private.h"
#include "gateway/text.h"

/* ---- giving up ------------------------------------------------------------------------ */

static void give_up(struct router *router, struct holder *holder, const struct now *now)
{
	struct party *party = holder->party;
	struct api *api = holder->api;

	router_unsettle(router, api);
	if (holder->n_running == 0)	/* else the end of the last call tells */
		drains_done(router, &holder->drains, now);
	router_uncharge(router, party, holder_size(api_name(api), &holder->options));
	registry_remove(router->registry, holder);
}

static void revoke(struct router *router, struct holder *holder, const char *reason,
		   const struct now *now)
{
	struct party *party = holder->party;
	struct api *api = api_ref(holder->api);

	give_up(router, holder, now);
	party->ops->revoked(party, api_name(api), reason);
	monitor_api(router, api, "revoked", party, now);
	api_unref(api);
}

void steering_revoke_all(struct router *router, struct api *api, const char *reason,
		      const struct now *now)
{
	struct holder *holder, *tmp;

	api_ref(api);
	list_for_each_safe(holder, tmp, &api->holders, struct holder, link)
		revoke(router, holder, reason, now);
	api_unref(api);
}

/* Standbys too: or the next of them would take over at once. */
static void revoke_name(struct router *router, struct api *api, const struct now *now)
{
	struct holder *holder, *tmp;

	api_ref(api);
	list_for_each_safe(holder, tmp, &api->standbys, struct holder, link)
		revoke(router, holder, "admin", now);
	steering_revoke_all(router, api, "admin", now);
	api_unref(api);
}

void steering_drop(struct router *router, struct party *party, const struct now *now)
{
	struct holder *holder;
	struct api *api;

	while ((holder = list_first(&party->registrations, struct holder, registered))) {
		api = api_ref(holder->api);
		give_up(router, holder, now);
		monitor_api(router, api, "unregistered", party, now);
		api_unref(api);
	}
}

void steering_check_rights(struct router *router, const struct now *now)
{
	struct holder *holder, *tmp;
	struct party *party;

	list_for_each(party, &router->parties, struct party, link)
		list_for_each_safe(holder, tmp, &party->registrations, struct holder, registered)
			if (!router_allows(router, RIGHT_REGISTER, party, api_name(holder->api)))
				revoke(router, holder, "reload", now);
}

/* ---- methods -------------------------------------------------------------------------- */

/*
 * A name that this party holds, or may administer. NULL: neither, and the failure is set.
 * *ret_holder: its own holding; NULL: it acts as an administrator, on the whole name.
 */
static struct api *find_managed(struct request *q, struct span name, const char *doing,
				struct holder **ret_holder)
{
	struct api *api = registry_find(q->router->registry, name);

	*ret_holder = api ? api_find_holder(api, q->from) : NULL;
	if (*ret_holder)
		return api;
	if (!api || !router_allows(q->router, RIGHT_LIST, q->from, name)) {
		request_fail(q, CHAPI_ERR_API_NOT_FOUND, "nobody has registered '%s'",
			     TEXT_QUOTE(name));
		return NULL;
	}
	return request_may(q, RIGHT_ADMIN, name, doing) ? api : NULL;
}

enum outcome method_unregister(struct request *q)
{
	struct holder *holder;
	struct span name;
	struct api *api;

	if (!request_read_text(q, "the name", &name))
		return OUTCOME_FAILURE;
	api = find_managed(q, name, "unregister a name that others hold", &holder);
	if (!api)
		return OUTCOME_FAILURE;
	if (holder) {
		api_ref(api);
		give_up(q->router, holder, q->now);
		monitor_api(q->router, api, "unregistered", q->from, q->now);
		api_unref(api);
	} else {
		revoke_name(q->router, api, q->now);
	}
	return request_done_nil(q);
}

/* holder: NULL: the whole name. */
static void set_state(struct api *api, struct holder *holder, bool paused, bool draining)
{
	if (holder) {
		holder->paused = paused;
		holder->draining = draining;
	} else {
		api->paused = paused;
		api->draining = draining;
	}
}

static enum outcome change_state(struct request *q, const char *doing, bool paused,
				 const char *action)
{
	struct holder *holder;
	struct span name;
	struct api *api;

	if (!request_read_text(q, "the name", &name))
		return OUTCOME_FAILURE;
	api = find_managed(q, name, doing, &holder);
	if (!api)
		return OUTCOME_FAILURE;
	set_state(api, holder, paused, false);
	router_unsettle(q->router, api);
	monitor_api(q->router, api, action, q->from, q->now);
	return request_done_nil(q);
}

enum outcome method_pause(struct request *q)
{
	return change_state(q, "pause a name that others hold", true, "paused");
}

enum outcome method_resume(struct request *q)
{
	return change_state(q, "resume a name that others hold", false, "resumed");
}

enum outcome method_drain(struct request *q)
{
	static const struct option table[] = {
		{ "timeout_ms", OPTION_NUMBER, 0, 1, NUMBER_MOST, NULL },
	};
	struct holder *holder;
	int64_t timeout_ms = 0;
	enum outcome outcome;
	struct span name;
	struct api *api;

	if (!request_read_text(q, "the name", &name) ||
	    !request_read_options(q, table, ARRAY_SIZE(table), &timeout_ms))
		return OUTCOME_FAILURE;
	api = find_managed(q, name, "drain a name that others hold", &holder);
	if (!api)
		return OUTCOME_FAILURE;
	outcome = pending_drain(q, holder ? NULL : api, holder, timeout_ms);
	if (outcome != OUTCOME_LATER)
		return outcome;
	set_state(api, holder, false, true);
	router_unsettle(q->router, api);
	monitor_api(q->router, api, "draining", q->from, q->now);
	return OUTCOME_LATER;
}
