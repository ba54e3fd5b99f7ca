/* SPDX-License-Identifier: MIT */
/*
 * Requests that say that they were sent before, and whose ids are not known here: may the first
 * try have run, or been refused? Those whose ids are known: remote_answers.c.
 */
#include "gateway/remote_private.h"

#include "gateway/elapsed.h"

/*
 * For how long the first try has been out. What the repeat says of it is not believed if the time
 * of the request, which both have, says that it is longer: a peer may count wrong, or have slept.
 * Where the two clocks differ that can only be too much.
 */
static uint64_t first_is_out_ms(const struct record_request *request, const struct now *now)
{
	return elapsed_ms((uint64_t)request->retry_ms, request->request_time, now);
}

/*
 * How long ago the first try may have been sent: even if the repeat was on its way for all the time
 * it has left, and for as long as a connection may be silent. UINT64_MAX: that is not known.
 */
static uint64_t first_was_ago_ms(const struct remote *r, const struct remote_call *call,
				 const struct now *now)
{
	const struct record_request *request = &call->request;

	if (request->retry_ms <= 0 || request->timeout_ms <= 0)
		return UINT64_MAX;
	return first_is_out_ms(request, now) + (uint64_t)request->timeout_ms +
	       r->config.silence_ms;
}

/*
 * The first try can have gone to nobody but us, whatever its caller knows: this gateway has been
 * there for longer than the call.
 */
static bool was_here_before(const struct remote *r, const struct remote_call *call,
			    const struct now *now)
{
	return call->arrived_ms - r->config.start_ms >= first_was_ago_ms(r, call, now);
}

/* The first try may have gone to a gateway that is gone: whether it ran there is not known. */
static bool is_restarted(const struct remote *r, const struct remote_call *call,
			 const struct now *now)
{
	const struct record_request *request = &call->request;

	return remote_call_has_id(call) && request->has_retry &&
	       !span_is(buf_span(&request->retry), router_instance(r->router)) &&
	       !was_here_before(r, call, now) &&
	       !router_is_idempotent(r->router, buf_span(&request->api));
}

/*
 * The first try may have ended so long ago that its id is not in that table any more, or was pushed
 * out. A client that does not say for how long it has tried is believed to give up before usual_ms:
 * less than that, or else what expires just now would count.
 */
static bool is_forgotten_by(const struct outcomes *table, uint64_t usual_ms,
			    const struct remote *r, const struct remote_call *call,
			    const struct now *now)
{
	uint64_t ago_ms = call->request.retry_ms > 0 ? first_was_ago_ms(r, call, now)
						     : usual_ms - 1;
	uint64_t since_ms = call->arrived_ms > ago_ms ? call->arrived_ms - ago_ms : 0;

	return remote_call_has_id(call) && call->request.has_retry &&
	       outcomes_forgot_since(table, since_ms) &&
	       !router_is_idempotent(r->router, buf_span(&call->request.api));
}

/* However short the time is for which answers are kept: nobody knows it who asks again. */
static bool is_forgotten(const struct remote *r, const struct remote_call *call,
			 const struct now *now)
{
	uint64_t usual_ms = MAX(r->config.limits.answer_store_ms, REMOTE_WAIT_MOST_MS);

	return is_forgotten_by(r->outcomes, usual_ms, r, call, now);
}

bool remote_may_have_run(const struct remote *r, const struct remote_call *call,
			 const struct now *now)
{
	return is_restarted(r, call, now) || is_forgotten(r, call, now);
}

bool remote_refuse_in_doubt(struct remote *r, struct remote_call *call, const struct now *now)
{
	bool restarted = is_restarted(r, call, now);

	if (!restarted && !is_forgotten(r, call, now))
		return false;
	if (remote_is_too_often(r, call, CHAPI_RAN_UNKNOWN, now))
		return true;
	if (restarted)
		remote_refuse_restarted(r, call, now);
	else
		remote_refuse_forgotten(r, call, now);
	return true;
}

bool remote_refuse_if_forgotten(struct remote *r, struct remote_call *call, const struct now *now)
{
	if (!is_forgotten_by(r->refusals, REMOTE_WAIT_MOST_MS, r, call, now))
		return false;
	remote_refuse_unremembered(r, call, now);
	return true;
}
