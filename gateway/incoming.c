/* SPDX-License-Identifier: MIT */
/*
 * What comes in: messages of local parties, and calls of the hub side.
 *
 * A message is a request, a response, or a notification. When it is done with, router_settle()
 * looks at what it has changed for others. What could not be read, or is too large, is answered
 * as far as its number is known.
 */
#include <assert.h>

#include "gateway/builtin.h"
#include "gateway/failure.h"
#include "gateway/methods.h"
#include "gateway/router_private.h"
#include "gateway/text.h"

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
		failure_read(message->error, depth, &router->answer, &failure);
		call_finish(router, call, &failure, span_of(NULL, 0), now);
		router_forget_answer(router);
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
	router_forget_answer(router);
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

bool router_has(const struct router *router, struct span name)
{
	const struct api *api = registry_find(router->registry, name);

	return builtin_find(name, PARTY_REMOTE) || (api && api_is_seen(api, PARTY_REMOTE));
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
	router_set_failure(&failure, CHAPI_ERR_CANCELLED, call->state == CALL_QUEUED
		    ? "cancelled by its caller before it had its turn"
		    : "cancelled by its caller; the function may still be working on it");
	router->counters.calls_cancelled++;
	call_drop(router, call, &failure, now);
	router_settle(router, now);
}
