/* SPDX-License-Identifier: MIT */
/*
 * The way of a call from its request to its provider.
 *
 * May the caller, and do the params fit? Then the holder with the fewest running calls gets
 * it, ties in turn. If none has room (its concurrency, or it does not read), the call waits in
 * the name's queue, in which case its params are copied. Queued calls go first.
 */
#include <stdio.h>

#include "gateway/builtin.h"
#include "gateway/router_private.h"
#include "gateway/schema.h"
#include "gateway/text.h"

#define QUEUE_STEPS 400000	/* of work for one name in a row: some milliseconds */
#define RETRY_MOST_MS 30000

/* ---- who is next ---------------------------------------------------------------------- */

static bool has_room(const struct holder *holder)
{
	unsigned int most = holder->concurrency;

	return !holder->party->blocked && (most == 0 || holder->n_running < most);
}

static bool goes_before(const struct holder *a, const struct holder *b)
{
	if (!b || a->n_running != b->n_running)
		return !b || a->n_running < b->n_running;
	return a->used < b->used;
}

/*
 * Calls that wait are run by whoever is ready. If nobody is, a drain has them run, whoever asked
 * for it: by the holder that drains, or, if an administrator drains the name, by all.
 */
static bool runs_queued(const struct holder *holder, bool anybody_ready)
{
	const struct api *api = holder->api;

	if (anybody_ready)
		return holder_is_ready(holder) && !api->paused;
	return holder->draining || api->draining;
}

/* The best of those who may have a call and have room. queued: one of the calls that wait. */
static struct holder *pick(struct router *router, const struct api *api, bool queued)
{
	bool anybody_ready = api_is_ready(api);
	struct holder *holder, *best = NULL;

	router_spend(router, api->n_holders);
	list_for_each(holder, &api->holders, struct holder, link) {
		if (!(queued ? runs_queued(holder, anybody_ready) : holder_is_ready(holder)) ||
		    !has_room(holder))
			continue;
		if (goes_before(holder, best))
			best = holder;
	}
	return best;
}

/* ---- handing over --------------------------------------------------------------------- */

static int64_t ms_left(const struct call *call, const struct now *now)
{
	int64_t gone_ms = (int64_t)((now->us - call->arrived_us) / 1000);

	return MAX(call->timeout_ms - gone_ms, (int64_t)1);
}

/* As party_ops.request. */
static int hand_over(struct router *router, struct call *call, struct holder *holder,
		     struct span params, struct span caller, const struct now *now,
		     const char **ret_why)
{
	const struct party_request request = {
		.id = call->id,
		.api = api_name(call->api),
		.params = params,
		.call = span_of(call->label, call->label_len),
		.origin = call->origin,
		.caller = caller,
		.request_time = call->request_time,
		.timeout_ms = ms_left(call, now),
		.progress = call->progress,
		.oneway = call->oneway,
		.raw = call->raw,
	};
	int rc;

	calls_hand(router->calls, call, holder);
	call->handed_us = now->us;
	rc = holder->party->ops->request(holder->party, &request, ret_why);
	if (rc == 0) {
		holder->used = ++router->n_turns;
		return 0;
	}
	holder->party->blocked |= rc == PARTY_E_FULL;
	calls_hand_back(router->calls, call);
	return rc;
}

/* Why the provider was not given the call; nothing was begun. */
static void fail_hand_over(struct router *router, const struct call *call, int rc, const char *why,
			   struct failure *ret)
{
	if (rc == PARTY_E_INEXPRESSIBLE) {
		router_fail(router, ret, CHAPI_ERR_INVALID_ARGUMENT,
			    "the params have no form that the provider of '%s' reads: %s",
			    call->api->name, why ? why : "it reads JSON");
		return;
	}
	router_fail(router, ret, CHAPI_ERR_INTERNAL,
		    "the gateway has no memory for this; try again later");
	ret->ran = CHAPI_RAN_NO;
}

/* ---- the queue ------------------------------------------------------------------------ */

/* The holder may be another than the one whose description the params were held against. */
static bool still_fits(struct router *router, const struct call *call, const struct holder *holder,
		       struct failure *ret)
{
	struct span description = holder->options.params;
	struct schema_fault fault;

	if (!api_is_seen(call->api, call->origin)) {
		router_fail(router, ret, CHAPI_ERR_API_NOT_FOUND,
			    "'%s' has a new provider, which is for local callers only",
			    call->api->name);
		return false;
	}
	if (call->checked == holder->serial || description.len == 0 ||
	    schema_match(description, call->params, "params", &router->work, &fault) == 0)
		return true;
	router_fail(router, ret, CHAPI_ERR_INVALID_ARGUMENT,
		    "'%s' has a new provider, whom the params do not fit: %s", call->api->name,
		    fault.text);
	return false;
}

/* Gives out the first in the queue. False: it has to wait. */
static bool give_out(struct router *router, struct call *call, const struct now *now)
{
	struct failure failure;
	struct holder *holder;
	const char *why = NULL;
	int rc;

	while ((holder = pick(router, call->api, true))) {
		if (!still_fits(router, call, holder, &failure)) {
			call_finish(router, call, &failure, span_of(NULL, 0), now);
			return true;
		}
		rc = hand_over(router, call, holder, call->params, call->caller_text, now, &why);
		if (rc == PARTY_E_FULL)
			continue;
		calls_dequeue(call);
		if (rc == 0) {
			calls_forget_copies(call);
			if (!call->payer)
				call_uncharge(router, call);
			return true;
		}
		fail_hand_over(router, call, rc, why, &failure);
		call_finish(router, call, &failure, span_of(NULL, 0), now);
		return true;
	}
	return false;
}

bool dispatch_queue(struct router *router, struct api *api, const struct now *now)
{
	uint64_t most = router->work + QUEUE_STEPS;
	struct call *call;

	while ((call = list_first(&api->queue, struct call, waiting))) {
		if (router->work > most)
			return false;
		if (!give_out(router, call, now))
			break;
	}
	return true;
}

/* What a call takes on average, as advice when to come again. */
static uint64_t retry_after_ms(const struct api *api)
{
	const struct api_statistics *s = &api->statistics;
	double ms = s->calls > 0 ? s->run_ms / (double)s->calls : RETRY_MOST_MS / 30.0;

	return (uint64_t)MIN(MAX(ms, (double)ROUTER_RETRY_MS), (double)RETRY_MOST_MS);
}

static enum outcome fail_busy(struct request *q, const struct api *api)
{
	request_fail(q, CHAPI_ERR_BUSY,
		     "%u calls of '%s' run and %u wait, and no more may wait (its option queue); "
		     "try again later", api->n_running, api->name, api->n_queued);
	router_retry_after(q->router, &q->failure, retry_after_ms(api));
	return OUTCOME_FAILURE;
}

static enum outcome enqueue(struct request *q, struct call *call, const struct asked *asked)
{
	struct api *api = call->api;
	const struct holder *holder = api_holder(api);

	if (api->n_queued >= holder->options.queue)
		return fail_busy(q, api);
	if (calls_enqueue(call, asked->params, asked->caller) != 0)
		return request_fail_memory(q);
	call->checked = holder->serial;
	q->router->counters.calls_queued++;
	return OUTCOME_LATER;
}

/* ---- a new call ----------------------------------------------------------------------- */

static enum outcome offer(struct request *q, struct call *call, const struct asked *asked)
{
	struct holder *holder;
	const char *why = NULL;
	int rc;

	while (call->api->n_queued == 0 && (holder = pick(q->router, call->api, false))) {
		rc = hand_over(q->router, call, holder, asked->params, asked->caller, q->now, &why);
		if (rc == 0)
			return OUTCOME_LATER;
		if (rc != PARTY_E_FULL) {
			fail_hand_over(q->router, call, rc, why, &q->failure);
			return OUTCOME_FAILURE;
		}
	}
	return enqueue(q, call, asked);
}

/* Fills in an entry; the deadline begins. */
static void call_init(struct request *q, struct call *call, const struct asked *asked)
{
	const struct holder *holder = api_holder(call->api);

	call->full = q->full;
	call->progress = asked->progress;
	call->raw = asked->raw;
	call->pinned = asked->params.len;
	call->arrived_us = call->handed_us = q->now->us;
	call->request_time = asked->request_time;
	call->timeout_ms = asked->timeout_ms > 0 ? MIN(asked->timeout_ms, holder->timeout_max_ms)
						 : holder->timeout_ms;
	call->label_len = (uint8_t)q->response.call.len;
	memcpy(call->label, q->response.call.p, call->label_len);
	call->deadline.kind = TIMER_CALL;
	timers_add(&q->router->timers, &call->deadline, q->now->ms + (uint64_t)call->timeout_ms);
}

/* May this party have one more call? */
static bool check_number(struct request *q)
{
	unsigned int most = q->router->config.limits.calls_per_peer;

	if (q->from->n_calls_made + q->from->n_outgoings < most)
		return true;
	request_fail(q, CHAPI_ERR_BUSY,
		     "%u calls of this connection are unanswered, and no more may be "
		     "(calls_per_peer); wait for answers first", most);
	return false;
}

static enum outcome begin(struct request *q, const struct asked *asked, struct api *api)
{
	enum outcome outcome;
	struct call *call;
	int rc;

	if (!check_number(q) || !request_charge(q, asked->params.len))
		return OUTCOME_FAILURE;
	rc = calls_add(q->router->calls, q->from, q->token, api, asked->oneway, &call);
	if (rc != 0) {
		router_uncharge(q->router, q->from, asked->params.len);
		return rc == CALLS_E_FULL
			? request_fail(q, CHAPI_ERR_BUSY, "the gateway has as many calls in flight "
				       "as it can number; try again later")
			: request_fail_memory(q);
	}
	call_init(q, call, asked);
	outcome = offer(q, call, asked);
	if (outcome == OUTCOME_FAILURE)
		call_undo(q->router, call);
	if (outcome != OUTCOME_LATER || !asked->oneway)
		return outcome;
	q->in_flight = true;
	return request_done_nil(q);
}

static enum outcome refuse_name(struct request *q, struct span name)
{
	if (!name_is_valid(name))
		return request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
				    "'%s' is no name: " NAME_RULE, TEXT_QUOTE(name), API_NAME_MAX);
	return request_fail(q, CHAPI_ERR_API_NOT_FOUND,
			    "nobody has registered '%.*s'; is its provider running?",
			    (int)name.len, name.p);
}

/* The caller may not call it. What one may not even see is not there. */
static enum outcome refuse_call(struct request *q, struct span name)
{
	if (!router_allows(q->router, RIGHT_LIST, q->from, name))
		return refuse_name(q, name);
	return request_fail(q, CHAPI_ERR_PERMISSION_DENIED,
			    "%s may not call '%.*s'; a rule 'call = ...' in [policy] of the "
			    "gateway's configuration would allow it", q->from->caller,
			    (int)name.len, name.p);
}

static bool check_params(struct request *q, const struct asked *asked, const struct api *api)
{
	const struct holder *holder = api_holder(api);
	struct schema_fault fault;

	if (!holder->described || schema_match(holder->options.params, asked->params, "params",
					       &q->router->work, &fault) == 0)
		return true;
	request_fail(q, CHAPI_ERR_INVALID_ARGUMENT, "%s", fault.text);
	return false;
}

static bool check_open(struct request *q, const struct api *api)
{
	if (q->router->stopping)
		request_fail(q, CHAPI_ERR_PAUSED,
			     "the gateway is being stopped; try again when it is back");
	else if (api->paused || api->draining || !api_is_ready(api))
		request_fail(q, CHAPI_ERR_PAUSED, "'%s' is %s; try again later", api->name,
			     api->paused || (!api->draining && api_holder(api)->paused)
				     ? "paused" : "being drained");
	else
		return true;
	return false;
}

void router_init_label(struct router *router)
{
	struct label *label = &router->label;

	snprintf(label->text, sizeof(label->text), "%.8s-0", router->config.instance);
	label->len = strlen(label->text);
	label->prefix_len = label->len - 1;
}

/* Unique enough for logs: the instance's beginning and a count, in hex, which counts in place. */
struct span router_next_label(struct router *router)
{
	struct label *label = &router->label;
	char *first = label->text + label->prefix_len, *at = label->text + label->len - 1;

	for (; at >= first && *at == 'f'; at--)
		*at = '0';
	if (at < first) {	/* all of them: one digit more */
		*first = '1';
		label->text[label->len++] = '0';
	} else {
		*at = *at == '9' ? 'a' : (char)(*at + 1);
	}
	return span_of(label->text, label->len);
}

static enum outcome call_builtin(struct request *q, const struct asked *asked)
{
	const struct builtin *builtin = builtin_find(asked->api, q->from->origin);
	enum outcome outcome;

	monitor_request(q->router, q->from, asked, q->response.call, NULL, builtin != NULL, q->now);
	if (!router_allows(q->router, RIGHT_CALL, q->from, asked->api))
		return refuse_call(q, asked->api);
	if (!builtin)
		return refuse_name(q, asked->api);
	outcome = builtin->run(q, asked->params);
	return outcome == OUTCOME_RESULT && asked->oneway ? request_done_nil(q) : outcome;
}

enum outcome request_call(struct request *q, const struct asked *asked)
{
	struct api *api;

	q->is_call = true;
	q->router->counters.calls++;
	q->router->counters.oneways += asked->oneway;
	q->response.api = asked->api;
	q->response.call = asked->label.len > 0 ? asked->label : router_next_label(q->router);
	q->response.request_time = asked->request_time;
	if (asked->api.len > API_NAME_MAX)
		return refuse_name(q, asked->api);
	if (builtin_is_reserved(asked->api))
		return call_builtin(q, asked);
	api = registry_find(q->router->registry, asked->api);
	if (api && !api_is_seen(api, q->from->origin))
		api = NULL;
	monitor_request(q->router, q->from, asked, q->response.call, api, api != NULL, q->now);
	if (!router_allows(q->router, RIGHT_CALL, q->from, asked->api))
		return refuse_call(q, asked->api);
	if (!api)
		return refuse_name(q, asked->api);
	if (!check_open(q, api) || !check_params(q, asked, api))
		return OUTCOME_FAILURE;
	return begin(q, asked, api);
}
