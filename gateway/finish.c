/* SPDX-License-Identifier: MIT */
/*
 * How calls end: their answer, their deadline, a cancel, a party's leaving.
 *
 * Whoever ends a call takes its entry out, or marks it as abandoned, before the caller is
 * told: so no second answer can follow.
 */
#include "gateway/router_private.h"

void call_uncharge(struct router *router, struct call *call)
{
	if (call->payer)
		router_uncharge(router, call->payer, call->pinned);
	else
		router->pinned -= call->pinned;
	call->pinned = 0;
}

static void release(struct router *router, struct call *call)
{
	timers_del(&router->timers, &call->deadline);
	call_uncharge(router, call);
}

/* Does anybody wait for the end of the calls? A look at lists that are hardly used is left out. */
static bool is_awaited(const struct call *call)
{
	const struct holder *holder = call->holder;
	const struct api *api = call->api;

	return (api->drained && !list_empty(&api->drains)) ||
	       (holder->drained && !list_empty(&holder->drains));
}

/* Whoever waits for a turn, or for the end of all calls, is looked at when this is done. */
static void unsettle(struct router *router, const struct call *call, const struct now *now)
{
	struct api *api = call->api;

	/* One that was queued may have been the last that a holder's drain waited for. */
	if (!call->holder || api->n_queued > 0 || is_awaited(call))
		router_unsettle(router, api);
	/* One that has given its name up is in no list that would be looked at. */
	if (call->holder && !call->holder->party && call->holder->n_running == 0)
		drains_done(router, &call->holder->drains, now);
}

static double ms_between(uint64_t from_us, uint64_t to_us)
{
	return (double)(to_us - from_us) / 1e3;
}

static void count(struct router *router, const struct call *call,
		  const struct party_response *response)
{
	struct api_statistics *s = &call->api->statistics;

	s->calls++;
	s->failed += response->failure != NULL;
	s->run_ms += response->run_ms;
	s->run_ms_most = MAX(s->run_ms_most, response->run_ms);
	s->queue_ms_most = MAX(s->queue_ms_most, response->queue_ms);
	s->last_time = response->response_time;
	router->counters.calls_failed += response->failure != NULL;
	router->counters.oneways_lost += call->oneway && response->failure;
}

/* Gives the answer to a call; caller NULL: to monitors only. It is out of all lists by now,
 * or abandoned. */
static void tell(struct router *router, const struct call *call, struct party *caller,
		 const struct failure *failure, struct span result, const struct now *now)
{
	uint64_t handed_us = call->holder ? call->handed_us : now->us;
	const struct party_response response = {
		.failure = failure,
		.result = result,
		.api = api_name(call->api),
		.call = span_of(call->label, call->label_len),
		.request_time = call->request_time,
		.response_time = now->unix_s,
		.queue_ms = ms_between(call->arrived_us, handed_us),
		.run_ms = ms_between(handed_us, now->us),
	};

	count(router, call, &response);
	monitor_response(router, caller, &response, call->api, now);
	if (caller)
		router_answer(router, caller, call->token, call->full, &response);
}

void call_finish(struct router *router, struct call *call, const struct failure *failure,
		 struct span result, const struct now *now)
{
	bool abandoned = call->state == CALL_ABANDONED;
	struct party *caller = call->caller;

	release(router, call);
	calls_take(router->calls, call);
	if (!abandoned)
		tell(router, call, caller, failure, result, now);
	unsettle(router, call, now);
	calls_put(router->calls, call);
}

void call_undo(struct router *router, struct call *call)
{
	release(router, call);
	calls_take(router->calls, call);
	calls_put(router->calls, call);
}

/* The limit may have been lowered since the last one. */
static void note_offender(struct router *router, struct party *provider)
{
	if (provider->n_abandoned > router->config.limits.abandoned_per_peer &&
	    list_empty(&provider->offending))
		list_add_tail(&router->offenders, &provider->offending);
}

static void abandon(struct router *router, struct call *call, const struct failure *failure,
		    const struct now *now)
{
	struct party *caller = call->caller;

	release(router, call);
	calls_abandon(router->calls, call);
	call->provider->ops->cancel(call->provider, call->id);
	note_offender(router, call->provider);
	if (failure)
		tell(router, call, caller, failure, span_of(NULL, 0), now);
}

/* A caller that has left hears nothing, but monitors do. */
static void forget_caller(struct router *router, struct call *call, const struct now *now)
{
	const struct failure gone = {
		.code = CHAPI_ERR_CANCELLED,
		.ran = call->state == CALL_QUEUED ? CHAPI_RAN_NO : CHAPI_RAN_UNKNOWN,
		.message = span_str("its caller has left"),
	};

	router->counters.calls_cancelled++;
	if (call->state == CALL_RUNNING) {
		abandon(router, call, NULL, now);
		tell(router, call, NULL, &gone, span_of(NULL, 0), now);
		return;
	}
	release(router, call);
	calls_take(router->calls, call);
	tell(router, call, NULL, &gone, span_of(NULL, 0), now);
	unsettle(router, call, now);
	calls_put(router->calls, call);
}

void call_drop(struct router *router, struct call *call, struct failure *failure,
	       const struct now *now)
{
	if (!failure) {
		forget_caller(router, call, now);
		return;
	}
	failure->ran = call->state == CALL_QUEUED ? CHAPI_RAN_NO : CHAPI_RAN_UNKNOWN;
	if (call->state == CALL_QUEUED)
		call_finish(router, call, failure, span_of(NULL, 0), now);
	else
		abandon(router, call, failure, now);
}

void call_expire(struct router *router, struct call *call, const struct now *now)
{
	struct failure failure;

	if (call->state == CALL_QUEUED)
		router_fail(router, &failure, CHAPI_ERR_DEADLINE_EXCEEDED,
			    "'%s' was too busy: the call did not get its turn within %lld ms",
			    call->api->name, (long long)call->timeout_ms);
	else
		router_fail(router, &failure, CHAPI_ERR_DEADLINE_EXCEEDED,
			    "'%s' gave no answer within %lld ms; it may still be working on it",
			    call->api->name, (long long)call->timeout_ms);
	router->counters.calls_expired++;
	call_drop(router, call, &failure, now);
}

/* A call to itself: neither side is there any more, but it is counted and shown to monitors. */
static void end_own(struct router *router, struct call *call, const struct now *now)
{
	const struct failure gone = {
		.code = CHAPI_ERR_PROVIDER_GONE,
		.ran = CHAPI_RAN_UNKNOWN,
		.message = span_str("its provider, which was its caller too, has left"),
	};

	release(router, call);
	calls_take(router->calls, call);
	tell(router, call, NULL, &gone, span_of(NULL, 0), now);
	unsettle(router, call, now);
	calls_put(router->calls, call);
}

/* One-way: it goes on. What waits in a queue is still in memory, and so among what all have. */
static void leave_behind(struct router *router, struct call *call)
{
	if (call->state == CALL_QUEUED)
		call->payer->pinned -= call->pinned;
	else
		call_uncharge(router, call);
	calls_orphan(call);
}

void calls_drop_made(struct router *router, struct party *party, const struct now *now)
{
	struct call *call;

	while ((call = list_first(&party->calls_made, struct call, made))) {
		if (call->provider == party) {
			end_own(router, call, now);
		} else if (call->oneway) {
			leave_behind(router, call);
		} else {
			call_drop(router, call, NULL, now);
		}
	}
}

void calls_drop_handled(struct router *router, struct party *party, const struct now *now)
{
	struct failure failure;
	struct call *call;

	while ((call = list_first(&party->calls_handled, struct call, handled))) {
		router_fail(router, &failure, CHAPI_ERR_PROVIDER_GONE,
			    "the process that '%s' was handed to has left without an answer",
			    call->api->name);
		failure.ran = CHAPI_RAN_UNKNOWN;
		call_finish(router, call, &failure, span_of(NULL, 0), now);
	}
}
