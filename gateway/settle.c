/* SPDX-License-Identifier: MIT */
/*
 * What follows for the calls that wait, and for standbys, when the holders of a name come, pause,
 * drain or go.
 *
 * Whoever changes them marks the name; router_settle() draws the conclusions when the method is
 * done: a standby takes over, the queue moves on or ends, whoever waits for the last call of a
 * drain is told.
 */
#include "gateway/router_private.h"

void router_unsettle(struct router *router, struct api *api)
{
	if (list_empty(&api->unsettled))
		api_ref(api);
	list_del(&api->unsettled);
	list_add_tail(&router->unsettled, &api->unsettled);
}

/* The first that is ready; else, if need be, the first. */
static struct holder *first_standby(const struct api *api, bool need)
{
	struct holder *holder;

	list_for_each(holder, &api->standbys, struct holder, link)
		if (holder_is_ready(holder))
			return holder;
	return need ? list_first(&api->standbys, struct holder, link) : NULL;
}

static void grant(struct router *router, struct holder *holder, const struct now *now)
{
	holder_promote(holder);
	holder->party->ops->granted(holder->party, api_name(holder->api));
	monitor_api(router, holder->api, "granted", holder->party, now);
}

/* Those who shared the name with the heir, and became standbys with it, come back with it. */
static void grant_to_sharers(struct router *router, const struct holder *heir,
			     const struct now *now)
{
	struct holder *holder, *tmp;

	if (heir->options.policy != API_SHARE)
		return;
	list_for_each_safe(holder, tmp, &heir->api->standbys, struct holder, link)
		if (holder->options.policy == API_SHARE &&
		    api_same_terms(&holder->options, &heir->options))
			grant(router, holder, now);
}

/* Holders that can take no calls make way for a standby that can, and become standbys
 * themselves. */
static void hand_name_over(struct router *router, struct api *api, const struct now *now)
{
	struct holder *heir, *holder;

	if (api->n_standbys == 0 || api_is_ready(api))
		return;
	heir = first_standby(api, api->n_holders == 0);
	if (!heir)
		return;
	while ((holder = list_first(&api->holders, struct holder, link)))
		holder_demote(holder);
	grant(router, heir, now);
	grant_to_sharers(router, heir, now);
}

/* Nobody holds the name any more. */
static void end_queue(struct router *router, struct api *api, const struct now *now)
{
	struct failure failure;
	struct call *call;

	while ((call = list_first(&api->queue, struct call, waiting))) {
		router_fail(router, &failure, CHAPI_ERR_PROVIDER_GONE,
			    "the provider of '%s' has left before the call had its turn",
			    api->name);
		failure.ran = CHAPI_RAN_NO;
		call_finish(router, call, &failure, span_of(NULL, 0), now);
	}
}

/* Its part of the queue is run by others, if there are any. */
static bool is_drained(const struct holder *holder)
{
	const struct api *api = holder->api;

	if (holder->n_running > 0)
		return false;
	return holder->standby || api->n_queued == 0 || api_is_ready(api);
}

static void tell_drainers(struct router *router, struct api *api, const struct now *now)
{
	struct holder *holder;

	if (api->n_running == 0 && api->n_queued == 0)
		drains_done(router, &api->drains, now);
	list_for_each(holder, &api->holders, struct holder, link)
		if (is_drained(holder))
			drains_done(router, &holder->drains, now);
	list_for_each(holder, &api->standbys, struct holder, link)
		if (is_drained(holder))
			drains_done(router, &holder->drains, now);
}

/* False: there is more to do. */
static bool settle(struct router *router, struct api *api, const struct now *now)
{
	bool done = true;

	if (api->listed) {
		hand_name_over(router, api, now);
		done = dispatch_queue(router, api, now);
	} else {
		end_queue(router, api, now);
	}
	tell_drainers(router, api, now);
	return done;
}

static void leave_for_later(struct router *router, struct api *api)
{
	router_unsettle(router, api);
	list_del(&api->unsettled);
	list_add_tail(&router->later, &api->unsettled);
}

void router_settle(struct router *router, const struct now *now)
{
	struct api *api;

	while ((api = list_first(&router->unsettled, struct api, unsettled))) {
		list_del(&api->unsettled);
		if (!settle(router, api, now))
			leave_for_later(router, api);
		api_unref(api);
	}
}
