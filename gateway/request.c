/* SPDX-License-Identifier: MIT */
/*
 * A request that is being handled: what it may, what it costs, what is said to it.
 *
 * A request is handled and answered at once, by request_answer(), unless it is a call that
 * was handed over or queued, or another that waits (pending.c). From then on there is an
 * entry in a table, and whoever ends it takes the entry out before the answer is given. So no
 * second one can follow.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "gateway/router_private.h"
#include "libchapi-ipc/error.h"

#define SMALL_SHARE 1024	/* of pinned_total: a party that has so little is a small one */
#define RESERVE_SHARE 8		/* of pinned_total: beyond it, for small ones */
#define SCRATCH_KEPT 65536	/* memory of an answer that is kept for the next */

/* ---- failures ------------------------------------------------------------------------- */

void router_set_failure(struct failure *failure, int code, const char *words)
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
	router_set_failure(&q->failure, code, router->words);
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
	router_set_failure(ret, code, router->words);
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

/* ---- what waits is charged ------------------------------------------------------------ */

/*
 * Those who let much wait must not make everybody busy: whoever has next to nothing waiting, a
 * thousandth of what all may have, is charged params from an eighth on top of that, which what
 * others have not read does not use up.
 */
static bool total_allows(const struct router *router, size_t own, size_t n)
{
	size_t most = router->config.limits.pinned_total;

	if (own <= most / SMALL_SHARE)
		return router->pinned - router->output + n <= most + most / RESERVE_SHARE;
	return router->pinned + n <= most;
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
	if (!total_allows(q->router, own, n)) {
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

/* The whole of a call as one value: chapi-ipc(7), "CALL RECORDS". */
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
		router_set_failure(&failure, CHAPI_ERR_INTERNAL,
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

void router_forget_answer(struct router *router)
{
	buf_clear(&router->answer);
	buf_shrink(&router->answer, SCRATCH_KEPT);
}

void request_answer(struct request *q, enum outcome outcome)
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
	router_forget_answer(q->router);
}
