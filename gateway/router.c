/* SPDX-License-Identifier: MIT */
/*
 * The router as a whole: its life, its settings, its parties, its deadlines, its end.
 *
 * What parties send is incoming.c, what is said to a request request.c.
 */
#include "gateway/router.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "gateway/router_private.h"

/* ---- life ----------------------------------------------------------------------------- */

/* NULL stays NULL. */
static int copy_text(const char **text)
{
	if (!*text)
		return 0;
	*text = strdup(*text);
	return *text ? 0 : -ENOMEM;
}

/* All are tried, so that none of them is still the caller's when they are freed. */
static int copy_texts(struct router_config *config)
{
	int failed = copy_text(&config->name);

	failed |= copy_text(&config->version);
	failed |= copy_text(&config->app_key);
	return failed ? -ENOMEM : 0;
}

static void router_init(struct router *router, const struct router_config *config,
			const struct now *now)
{
	router->config = *config;
	timers_init(&router->timers, now->ms);
	list_init(&router->parties);
	list_init(&router->offenders);
	list_init(&router->monitors);
	list_init(&router->unsettled);
	list_init(&router->later);
	list_init(&router->publishes);
	list_init(&router->outgoings);
	for (size_t i = 0; i < AWAITED_CHAINS; i++)
		list_init(&router->awaited[i]);
	router->started_us = now->us;
	router->open_rights = policy_open_rights(config->policy);
	router_init_label(router);
	buf_init(&router->answer, 0);
	buf_init(&router->record, 0);
	buf_init(&router->events[0], 0);
	buf_init(&router->events[1], 0);
}

int router_new(const struct router_config *config, const struct now *now,
	       struct router **ret_router)
{
	struct router *router = calloc(1, sizeof(*router));
	int rc;

	if (!router)
		return -ENOMEM;
	router_init(router, config, now);
	rc = copy_texts(&router->config);
	if (rc == 0)
		rc = registry_new(config->seed, &router->registry);
	if (rc == 0)
		rc = calls_new(config->seed, &router->calls);
	if (rc != 0) {
		router->config.policy = NULL;	/* still the caller's */
		router_free(router);
		return rc;
	}
	*ret_router = router;
	return 0;
}

struct router *router_free(struct router *router)
{
	if (!router)
		return NULL;
	assert(list_empty(&router->parties));
	calls_free(router->calls);
	registry_free(router->registry);
	policy_free(router->config.policy);
	buf_deinit(&router->answer);
	buf_deinit(&router->record);
	buf_deinit(&router->events[0]);
	buf_deinit(&router->events[1]);
	free((char *)router->config.name);
	free((char *)router->config.version);
	free((char *)router->config.app_key);
	free(router);
	return NULL;
}

/* ---- settings ------------------------------------------------------------------------- */

void router_set_policy(struct router *router, struct policy *policy, const struct now *now)
{
	policy_free(router->config.policy);
	router->config.policy = policy;
	router->open_rights = policy_open_rights(policy);
	steering_check_rights(router, now);
	waits_allowed(router, now);
	router_settle(router, now);
}

void router_set_limits(struct router *router, const struct router_limits *limits,
		       bool local_by_default)
{
	router->config.limits = *limits;
	router->config.local_by_default = local_by_default;
}

/* ---- deadlines ------------------------------------------------------------------------ */

uint64_t router_next_ms(const struct router *router)
{
	if (!list_empty(&router->later))
		return 0;
	return timers_next_ms(&router->timers);
}

static void take_later(struct router *router)
{
	struct api *api;

	while ((api = list_first(&router->later, struct api, unsettled))) {
		list_del(&api->unsettled);
		list_add_tail(&router->unsettled, &api->unsettled);
	}
}

void router_expire(struct router *router, const struct now *now)
{
	struct timer *timer;

	take_later(router);
	while ((timer = timers_take(&router->timers, now->ms)))
		if (timer->kind == TIMER_CALL)
			call_expire(router, container_of(timer, struct call, deadline), now);
		else
			pending_expire(router, timer, now);
	router_settle(router, now);
}

/* ---- parties -------------------------------------------------------------------------- */

void router_add(struct router *router, struct party *party, const struct now *now)
{
	list_init(&party->link);
	list_init(&party->registrations);
	list_init(&party->calls_made);
	list_init(&party->calls_handled);
	list_init(&party->pendings);
	list_init(&party->outgoings);
	list_init(&party->offending);
	party->n_registrations = 0;
	party->n_calls_made = 0;
	party->n_calls_handled = 0;
	party->n_abandoned = 0;
	party->n_pendings = 0;
	party->n_outgoings = 0;
	party->n_awaited = 0;
	party->pinned = 0;
	party->output = 0;
	party->blocked = false;
	party->monitor = NULL;
	party->client[0] = '\0';
	list_add_tail(&router->parties, &party->link);
	router->n_local += party->origin == PARTY_LOCAL;
	if (now)
		monitor_peer(router, party, "connected", now);
}

/* Names are free before anybody hears of it: whoever calls again finds the next holder. */
void router_remove(struct router *router, struct party *party, const struct now *now)
{
	monitor_drop(party);
	pendings_drop(router, party);
	outgoings_drop(party, now);
	calls_drop_made(router, party, now);
	steering_drop(router, party, now);
	calls_drop_handled(router, party, now);
	assert(party->pinned == 0 && party->n_abandoned == 0 && party->n_awaited == 0);
	list_del(&party->offending);
	list_del(&party->link);
	router->n_local -= party->origin == PARTY_LOCAL;
	monitor_peer(router, party, "left", now);
	router_settle(router, now);
	calls_trim(router->calls);
}

void router_writable(struct router *router, struct party *party, const struct now *now)
{
	struct holder *holder;

	party->blocked = false;
	list_for_each(holder, &party->registrations, struct holder, registered)
		if (holder->api->n_queued > 0)
			router_unsettle(router, holder->api);
	router_settle(router, now);
}

struct party *router_next_offender(struct router *router)
{
	struct party *party = list_first(&router->offenders, struct party, offending);

	if (party)
		list_del(&party->offending);
	return party;
}

/* ---- stopping ------------------------------------------------------------------------- */

void router_stop(struct router *router, const struct now *now)
{
	router->stopping = true;
	router_settle(router, now);
}

size_t router_n_calls(const struct router *router)
{
	return calls_count(router->calls) + router->n_outgoings;
}

void router_cancel_all(struct router *router, const struct now *now)
{
	struct failure failure;
	struct call *call;
	uint32_t at = 0;

	while ((call = calls_each(router->calls, &at))) {
		if (call->state == CALL_ABANDONED)
			continue;
		router_set_failure(&failure, CHAPI_ERR_CANCELLED, "the gateway is being stopped");
		call_drop(router, call, &failure, now);
	}
	outgoings_cancel(router, now);
	pendings_cancel(router, now);
	router_settle(router, now);
}

/* ---- looking in ----------------------------------------------------------------------- */

uint64_t router_work(const struct router *router)
{
	return router->work;
}

const struct router_counters *router_counters(const struct router *router)
{
	return &router->counters;
}

const char *router_instance(const struct router *router)
{
	return router->config.instance;
}
