/* SPDX-License-Identifier: MIT */
/*
 * The router: parties, messages in, and the one answer to each request.
 *
 * A request is handled and answered at once, by request_answer(), unless it is a call that
 * was handed over or queued, or another that waits (pending.c). From then on there is an
 * entry in a table, and whoever ends it takes the entry out before the answer is given. So no
 * second one can follow. When a request is done with, router_settle() looks at what it has
 * changed for others.
 */
#include "gateway/router.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/builtin.h"
#include "gateway/methods.h"
#include "gateway/reply.h"
#include "gateway/router_private.h"
#include "gateway/text.h"
#include "libchapi-ipc/error.h"

#define SCRATCH_KEPT 65536	/* memory of an answer that is kept for the next */

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

/* ---- failures ------------------------------------------------------------------------- */

static void set_failure(struct failure *failure, int code, const char *words)
{
	*failure = (struct failure){
		.code = code,
		.ran = error_info(code)->ran,
		.message = span_str(words),
	};
}

enum outcome request_fail(struct request *q, int code, const char *fmt, ...)
{
	struct router *router = q->router;
	va_list args;

	va_start(args, fmt);
	vsnprintf(router->words, sizeof(router->words), fmt, args);
	va_end(args);
	set_failure(&q->failure, code, router->words);
	if (code == CHAPI_ERR_BUSY)
		router_retry_after(router, &q->failure, ROUTER_RETRY_MS);
	return OUTCOME_FAILURE;
}

/* Nothing was begun: the one case of an internal error in which that is certain. */
enum outcome request_fail_memory(struct request *q)
{
	request_fail(q, CHAPI_ERR_INTERNAL, "the gateway has no memory for this; try again later");
	q->failure.ran = CHAPI_RAN_NO;
	return OUTCOME_FAILURE;
}

enum outcome request_done_nil(struct request *q)
{
	static const uint8_t nil[] = { 0xc0 };

	q->response.result = span_of(nil, sizeof(nil));
	return OUTCOME_RESULT;
}

void router_fail(struct router *router, struct failure *ret, int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(router->words, sizeof(router->words), fmt, args);
	va_end(args);
	set_failure(ret, code, router->words);
}

void router_retry_after(struct router *router, struct failure *failure, uint64_t ms)
{
	buf_clear(&router->answer);
	mp_put_map(&router->answer, 1);
	mp_put_str(&router->answer, "retry_after_ms");
	mp_put_uint(&router->answer, ms);
	if (buf_error(&router->answer) == 0)
		failure->details = buf_span(&router->answer);
}

void router_put_sizes(struct router *router, struct failure *failure, uint64_t size)
{
	buf_clear(&router->answer);
	mp_put_map(&router->answer, 2);
	mp_put_str(&router->answer, "size");
	mp_put_uint(&router->answer, size);
	mp_put_str(&router->answer, "max_message");
	mp_put_uint(&router->answer, router->config.limits.max_message);
	if (buf_error(&router->answer) == 0)
		failure->details = buf_span(&router->answer);
}

enum outcome request_done(struct request *q)
{
	if (buf_error(&q->router->answer) != 0)
		return request_fail_memory(q);
	q->response.result = buf_span(&q->router->answer);
	return OUTCOME_RESULT;
}

bool request_charge(struct request *q, size_t n)
{
	const struct router_limits *limits = &q->router->config.limits;
	size_t own = q->from->pinned + q->from->output + n;

	if (own > limits->pinned_per_peer) {
		request_fail(q, CHAPI_ERR_BUSY,
			     "%zu bytes more than the %zu that this connection may keep waiting "
			     "(pinned_per_peer); wait for answers first, and read them",
			     own - limits->pinned_per_peer, limits->pinned_per_peer);
		return false;
	}
	if (q->router->pinned + n > limits->pinned_total) {
		request_fail(q, CHAPI_ERR_BUSY,
			     "all connections together keep as much waiting as they may "
			     "(pinned_total, %zu bytes); try again later", limits->pinned_total);
		return false;
	}
	q->from->pinned += n;
	q->router->pinned += n;
	return true;
}

void router_uncharge(struct router *router, struct party *party, size_t n)
{
	assert(party->pinned >= n && router->pinned >= n);
	party->pinned -= n;
	router->pinned -= n;
}

void router_charge_output(struct router *router, struct party *party, size_t len)
{
	assert(router->pinned >= party->output);
	router->pinned += len - party->output;
	router->output += len - party->output;
	party->output = len;
}

bool router_may_wait(const struct router *router, const struct party *party, size_t len)
{
	return router->output - party->output + len <= router->config.limits.pinned_total;
}

/* ---- rights --------------------------------------------------------------------------- */

bool router_allows(const struct router *router, enum right right, const struct party *party,
		   struct span object)
{
	return (router->open_rights & 1U << right) != 0 ||
	       policy_allows(router->config.policy, right, party, object);
}

bool request_may(struct request *q, enum right right, struct span object, const char *doing)
{
	if (router_allows(q->router, right, q->from, object))
		return true;
	request_fail(q, CHAPI_ERR_PERMISSION_DENIED,
		     "%s may not %s; a rule '%s = ...' in [policy] of the gateway's configuration "
		     "would allow it", q->from->caller, doing, right_name(right));
	return false;
}

void router_spend_rights(struct router *router, uint64_t n)
{
	const struct policy *policy = router->config.policy;

	router_spend(router, n * (policy ? policy_n_rules(policy) : 0));
}

void router_set_policy(struct router *router, struct policy *policy, const struct now *now)
{
	policy_free(router->config.policy);
	router->config.policy = policy;
	router->open_rights = policy_open_rights(policy);
	names_check_rights(router, now);
	waits_allowed(router, now);
	router_settle(router, now);
}

void router_set_limits(struct router *router, const struct router_limits *limits,
		       bool local_by_default)
{
	router->config.limits = *limits;
	router->config.local_by_default = local_by_default;
}

/* ---- answers -------------------------------------------------------------------------- */

void router_put_failure(struct buf *b, const struct failure *failure)
{
	mp_put_map(b, failure->details.len > 0 ? 4 : 3);
	mp_put_str(b, "code");
	mp_put_str(b, error_info(failure->code)->name);
	mp_put_str(b, "message");
	mp_put_text(b, failure->message);
	mp_put_str(b, "ran");
	mp_put_str(b, chapi_ran_name(failure->ran));
	if (failure->details.len > 0) {
		mp_put_str(b, "details");
		mp_put_raw(b, failure->details);
	}
}

/* The whole of a call as one value: chapi-ipc(7), "Records". */
static void put_record(struct buf *b, const struct router *router,
		       const struct party_response *response)
{
	mp_put_map(b, 10);
	mp_put_str(b, "id");
	mp_put_text(b, response->call);
	mp_put_str(b, "api");
	mp_put_text(b, response->api);
	mp_put_str(b, "result");
	if (response->failure)
		mp_put_nil(b);
	else
		mp_put_raw(b, response->result);
	mp_put_str(b, "error");
	if (response->failure)
		router_put_failure(b, response->failure);
	else
		mp_put_nil(b);
	mp_put_str(b, "request_time");
	mp_put_double(b, response->request_time);
	mp_put_str(b, "response_time");
	mp_put_double(b, response->response_time);
	mp_put_str(b, "queue_ms");
	mp_put_double(b, response->queue_ms);
	mp_put_str(b, "run_ms");
	mp_put_double(b, response->run_ms);
	mp_put_str(b, "gateway");
	if (response->gateway.len > 0)
		mp_put_text(b, response->gateway);
	else
		mp_put_str(b, router->config.name);
	mp_put_str(b, "instance");
	if (response->instance.len > 0)
		mp_put_text(b, response->instance);
	else
		mp_put_str(b, router->config.instance);
}

/* The record is the result then, a failure in it included. */
static void answer_full(struct router *router, struct party *to, uint64_t token,
			const struct party_response *response)
{
	struct party_response record = *response;
	struct failure failure;

	buf_clear(&router->record);
	put_record(&router->record, router, response);
	record.failure = NULL;
	record.result = buf_span(&router->record);
	if (buf_error(&router->record) != 0) {
		set_failure(&failure, CHAPI_ERR_INTERNAL,
			    "the gateway has no memory for the record of the call");
		failure.ran = response->failure ? response->failure->ran : CHAPI_RAN_YES;
		record.failure = &failure;
	}
	to->ops->response(to, token, &record);
	buf_clear(&router->record);
	buf_shrink(&router->record, SCRATCH_KEPT);
}

void router_answer(struct router *router, struct party *to, uint64_t token, bool full,
		   const struct party_response *response)
{
	if (full)
		answer_full(router, to, token, response);
	else
		to->ops->response(to, token, response);
}

/* A call that was answered at once: by the gateway's own function, or with a failure. */
static void call_over(const struct request *q)
{
	const struct api *api = NULL;

	if (!list_empty(&q->router->monitors) && q->response.api.len <= API_NAME_MAX)
		api = registry_find(q->router->registry, q->response.api);
	monitor_response(q->router, q->from, &q->response, api, q->now);
}

/* What was put together for an answer is not needed any more. */
static void forget_answer(struct router *router)
{
	buf_clear(&router->answer);
	buf_shrink(&router->answer, SCRATCH_KEPT);
}

static void request_answer(struct request *q, enum outcome outcome)
{
	if (outcome == OUTCOME_LATER)
		return;
	if (outcome == OUTCOME_FAILURE) {
		q->response.failure = &q->failure;
		q->router->counters.calls_failed += q->is_call;
	}
	q->response.response_time = q->now->unix_s;
	if (q->is_call && !q->in_flight)
		call_over(q);
	router_answer(q->router, q->from, q->token, q->full, &q->response);
	forget_answer(q->router);
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
	names_drop(router, party, now);
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

/* ---- calls of the hub side ------------------------------------------------------------ */

static enum outcome check_router_call(struct request *q, const struct router_call *call)
{
	if (call->timeout_ms < 0)
		return request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
				    "the time limit must be 1 ms or more, or left out");
	if (call->call.len > CALL_LABEL_MAX)
		return request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
				    "the call's id is longer than %d bytes", CALL_LABEL_MAX);
	return OUTCOME_RESULT;
}

void router_call(struct router *router, struct party *from, const struct router_call *call,
		 const struct now *now)
{
	struct request q = { .router = router, .from = from, .token = call->token, .now = now };
	const struct asked asked = {
		.api = call->api,
		.params = call->params,
		.label = call->call,
		.caller = call->caller.len > 0 ? call->caller : span_str(from->caller),
		.request_time = call->request_time != 0 ? call->request_time : now->unix_s,
		.timeout_ms = call->timeout_ms,
		.progress = call->progress,
		.raw = call->raw,
	};
	enum outcome outcome;

	assert(!calls_find(router->calls, from, call->token));
	router->counters.requests++;
	q.response.api = call->api;
	outcome = check_router_call(&q, call);
	if (outcome == OUTCOME_RESULT)
		outcome = request_call(&q, &asked);
	request_answer(&q, outcome);
	router_settle(router, now);
}

/* The gateway's own functions that the hub side may call change nothing. */
bool router_is_idempotent(const struct router *router, struct span name)
{
	const struct api *api = registry_find(router->registry, name);

	return builtin_is_reserved(name) || (api && api_holder(api)->options.idempotent);
}

/* What waits and is no call of a name here. One that is not there has crossed its answer. */
static void cancel_other(struct router *router, struct party *from, uint64_t token,
			 const struct now *now)
{
	if (pending_is_known(from, token))
		pending_cancel(router, from, token, now);
	else
		outgoing_cancel(router, from, token, now);
}

void router_cancel(struct router *router, struct party *from, uint64_t token, const struct now *now)
{
	struct call *call = calls_find(router->calls, from, token);
	struct failure failure;

	if (!call) {
		cancel_other(router, from, token, now);
		return;
	}
	set_failure(&failure, CHAPI_ERR_CANCELLED, call->state == CALL_QUEUED
		    ? "cancelled by its caller before it had its turn"
		    : "cancelled by its caller; the function may still be working on it");
	router->counters.calls_cancelled++;
	call_drop(router, call, &failure, now);
	router_settle(router, now);
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
		set_failure(&failure, CHAPI_ERR_CANCELLED, "the gateway is being stopped");
		call_drop(router, call, &failure, now);
	}
	outgoings_cancel(router, now);
	pendings_cancel(router, now);
	router_settle(router, now);
}

/* ---- messages ------------------------------------------------------------------------- */

static enum outcome run_method(struct request *q, struct span name)
{
	const struct method *method = method_find(name);
	char names[200];

	if (!method) {
		method_names(names, sizeof(names));
		return request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
				    "there is no method '%s' in this version of the gateway; "
				    "there are %s", TEXT_QUOTE(name), names);
	}
	if (q->n_args < method->n_args_least || q->n_args > method->n_args_most)
		return request_fail(q, CHAPI_ERR_INVALID_ARGUMENT, "'%s' takes the params %s",
				    method->name, method->usage);
	return method->run(q);
}

/* A number that waits for its answer cannot be used again: who could tell the answers apart? */
static bool refuse_repeated_id(struct request *q)
{
	if (!calls_find(q->router->calls, q->from, q->token) &&
	    !pending_is_known(q->from, q->token) && !outgoing_is_known(q->from, q->token))
		return false;
	request_fail(q, CHAPI_ERR_BAD_MESSAGE,
		     "request id %llu is used again before its first use is answered; number "
		     "requests one by one. The connection is closed",
		     (unsigned long long)q->token);
	request_answer(q, OUTCOME_FAILURE);
	return true;
}

static int request_in(struct router *router, struct party *from, const struct message *message,
		      const struct now *now)
{
	struct request q = {
		.router = router,
		.from = from,
		.token = message->id,
		.now = now,
		.args = mp_reader(message->params),
		.n_args = message->n_params,
		.depth = message->depth > 2 ? message->depth - 2 : 0,
	};

	router->counters.requests++;
	if (refuse_repeated_id(&q))
		return ROUTER_E_CLOSE;
	request_answer(&q, run_method(&q, message->method));
	return 0;
}

/* The call that this provider may answer with this number; NULL: none, which is counted. */
static struct call *find_answered(struct router *router, const struct party *from, int64_t id)
{
	struct call *call = id >= 0 && id <= UINT32_MAX
		? calls_get(router->calls, from, (uint32_t)id) : NULL;

	if (!call)
		router->counters.responses_ignored++;
	return call;
}

static void response_in(struct router *router, struct party *from, const struct message *message,
			const struct now *now)
{
	struct call *call = find_answered(router, from, message->id);
	unsigned int depth = message->depth > 1 ? message->depth - 1 : 0;
	struct failure failure;

	if (!call)
		return;
	if (!mp_is_nil(message->error)) {
		reply_read_error(message->error, depth, &router->answer, &failure);
		call_finish(router, call, &failure, span_of(NULL, 0), now);
		forget_answer(router);
	} else if (depth > MP_VALUE_DEPTH_MAX) {
		router_fail(router, &failure, CHAPI_ERR_BAD_REPLY,
			      "the result of '%s' is nested deeper than %d levels",
			      call->api->name, MP_VALUE_DEPTH_MAX);
		call_finish(router, call, &failure, span_of(NULL, 0), now);
	} else {
		call_finish(router, call, NULL, message->result, now);
	}
}

/* [id] of a request of its own. */
static bool notification_cancel(struct router *router, struct party *from, struct mp_reader *args,
				const struct now *now)
{
	uint64_t id;

	if (mp_read_uint(args, &id) != 0)
		return false;
	router_cancel(router, from, id, now);
	return true;
}

/* [id, value] of a call that this provider works on. What nobody asked for is passed over. */
static bool notification_progress(struct router *router, struct party *from, struct mp_reader *args)
{
	struct call *call;
	struct span value;
	uint64_t id;

	if (mp_read_uint(args, &id) != 0 || id > UINT32_MAX || mp_read_raw(args, &value) != 0)
		return false;
	call = calls_get(router->calls, from, (uint32_t)id);
	if (call && call->caller && call->progress)
		call->caller->ops->progress(call->caller, call->token, value);
	else
		router->counters.progress_dropped++;
	return true;
}

static void notification_in(struct router *router, struct party *from,
			    const struct message *message, const struct now *now)
{
	struct mp_reader args = mp_reader(message->params);

	if (span_is(message->method, "cancel") && notification_cancel(router, from, &args, now))
		return;
	if (span_is(message->method, "progress") && message->depth <= MP_VALUE_DEPTH_MAX + 2 &&
	    notification_progress(router, from, &args))
		return;
	router->counters.notifications_ignored++;
}

int router_message(struct router *router, struct party *from, const struct message *message,
		   const struct now *now)
{
	int rc = 0;

	if (message->type == MESSAGE_REQUEST)
		rc = request_in(router, from, message, now);
	else if (message->type == MESSAGE_RESPONSE)
		response_in(router, from, message, now);
	else
		notification_in(router, from, message, now);
	if (!list_empty(&router->unsettled))
		router_settle(router, now);
	return rc;
}

/* ---- messages that could not be read -------------------------------------------------- */

/* Refuses a request of which only the number is known. One that is used twice ends the party. */
static void refuse_request(struct router *router, struct party *from, int64_t id,
			   const struct failure *failure, const struct now *now)
{
	struct request q = {
		.router = router,
		.from = from,
		.token = (uint64_t)id,
		.now = now,
		.failure = *failure,
	};

	router->counters.requests++;
	if (!refuse_repeated_id(&q))
		request_answer(&q, OUTCOME_FAILURE);
	else if (list_empty(&from->offending))
		list_add_tail(&router->offenders, &from->offending);
}

static void refuse_message(struct router *router, struct party *from, int type, int64_t id,
			   const struct failure *failure, const struct now *now)
{
	struct call *call;

	if (type == MESSAGE_REQUEST && id >= 0) {
		refuse_request(router, from, id, failure, now);
	} else if (type == MESSAGE_RESPONSE) {
		call = find_answered(router, from, id);
		if (call)
			call_finish(router, call, failure, span_of(NULL, 0), now);
	} else {
		router->counters.notifications_ignored++;
	}
	router_settle(router, now);
}

void router_too_large(struct router *router, struct party *from, int type, int64_t id,
		      uint64_t size, const struct now *now)
{
	const char *what = type == MESSAGE_RESPONSE ? "answer" : "request";
	size_t most = router->config.limits.max_message;
	struct failure failure;

	router_fail(router, &failure, CHAPI_ERR_TOO_LARGE,
		      "the %s has %llu bytes, a message at most %zu (max_message); send it in "
		      "parts, or raise the limit", what, (unsigned long long)size, most);
	failure.ran = type == MESSAGE_RESPONSE ? CHAPI_RAN_YES : CHAPI_RAN_NO;
	router_put_sizes(router, &failure, size);
	refuse_message(router, from, type, id, &failure, now);
	forget_answer(router);
}

void router_unreadable(struct router *router, struct party *from, int type, int64_t id,
		       const char *why, const struct now *now)
{
	struct failure failure;

	if (type == MESSAGE_RESPONSE)
		router_fail(router, &failure, CHAPI_ERR_BAD_REPLY,
			      "the answer cannot be read: %s", why);
	else
		router_fail(router, &failure, CHAPI_ERR_INVALID_ARGUMENT,
			      "the request cannot be read: %s", why);
	refuse_message(router, from, type, id, &failure, now);
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
