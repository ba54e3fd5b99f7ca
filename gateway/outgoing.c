/* SPDX-License-Identifier: MIT */
/*
 * Calls to other gateways, as the router has them: who may, who waits, and what it is told.
 *
 * They have no name here and no provider, so they are in none of the tables of calls.c. The way
 * over the hub, time included, is elsewhere.h, reached through the edge. A one-way call has
 * nobody who waits, and outlives its caller.
 */
#include <stdlib.h>

#include "gateway/router_private.h"
#include "gateway/text.h"

#define TIMEOUT_MS 30000
#define TIMEOUT_MOST_MS 600000

struct outgoing {
	struct list link;		/* party->outgoings */
	struct list all;		/* router->outgoings */
	struct router *router;
	struct party *party;		/* NULL: one-way */
	uint64_t token;
	uint64_t serial;		/* the edge's number */
	bool full, progress;
	size_t pinned;			/* bytes charged to the party */
	double request_time;
	uint64_t arrived_us;
	size_t label_len;
	char label[CALL_LABEL_MAX];
	size_t api_len;
	char api[API_NAME_MAX];
};

bool outgoing_is_known(const struct party *party, uint64_t token)
{
	struct outgoing *o;

	list_for_each(o, &party->outgoings, struct outgoing, link)
		if (o->token == token)
			return true;
	return false;
}

static void outgoing_free(struct outgoing *o)
{
	list_del(&o->link);
	list_del(&o->all);
	o->router->n_outgoings--;
	if (o->party) {
		router_uncharge(o->router, o->party, o->pinned);
		o->party->n_outgoings--;
		o->party->n_awaited--;
	}
	free(o);
}

static struct outgoing *outgoing_new(struct request *q, const struct asked *asked)
{
	struct outgoing *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	*o = (struct outgoing){
		.router = q->router,
		.party = asked->oneway ? NULL : q->from,
		.token = q->token,
		.full = q->full,
		.progress = asked->progress,
		.request_time = asked->request_time,
		.arrived_us = q->now->us,
		.label_len = q->response.call.len,
		.api_len = asked->api.len,
	};
	memcpy(o->label, q->response.call.p, o->label_len);
	memcpy(o->api, asked->api.p, o->api_len);
	list_init(&o->link);
	list_add_tail(&q->router->outgoings, &o->all);
	q->router->n_outgoings++;
	if (o->party) {
		o->pinned = asked->params.len;
		list_add_tail(&o->party->outgoings, &o->link);
		o->party->n_outgoings++;
		o->party->n_awaited++;
	}
	return o;
}

/* ---- the answer ------------------------------------------------------------------------- */

/* The rest of the response is filled in here. here: whoever waits is there to be told. */
static void tell(struct outgoing *o, bool here, struct party_response *response,
		 const struct now *now)
{
	struct router *router = o->router;
	struct party *party = o->party;
	uint64_t token = o->token;
	bool full = o->full;
	char label[CALL_LABEL_MAX], api[API_NAME_MAX];

	memcpy(label, o->label, o->label_len);
	memcpy(api, o->api, o->api_len);
	response->call = span_of(label, o->label_len);
	response->api = span_of(api, o->api_len);
	response->request_time = o->request_time;
	router->counters.calls_failed += response->failure != NULL;
	router->counters.oneways_lost += !party && response->failure;
	monitor_response(router, here ? party : NULL, response, NULL, now);
	outgoing_free(o);
	if (party && here)
		router_answer(router, party, token, full, response);
}

void router_elsewhere_answer(struct router *router UNUSED, void *call,
			     const struct party_response *response, const struct now *now)
{
	struct party_response copy = *response;

	tell(call, true, &copy, now);
}

void router_elsewhere_progress(struct router *router, void *call, struct span value)
{
	struct outgoing *o = call;

	if (o->party && o->progress)
		o->party->ops->progress(o->party, o->token, value);
	else
		router->counters.progress_dropped++;
}

/* ---- cancel ----------------------------------------------------------------------------- */

static void drop(struct outgoing *o, bool here, struct failure *failure, const struct now *now)
{
	const struct router_config *config = &o->router->config;
	bool was_sent = config->edge.cancel_elsewhere(config->data, o->serial);

	o->router->counters.calls_cancelled++;
	failure->ran = was_sent ? CHAPI_RAN_UNKNOWN : CHAPI_RAN_NO;
	tell(o, here, &(struct party_response){
		.failure = failure,
		.response_time = now->unix_s,
		.run_ms = (double)(now->us - o->arrived_us) / 1e3,
	}, now);
}

void outgoing_cancel(struct router *router, struct party *party, uint64_t token,
		     const struct now *now)
{
	struct failure failure;
	struct outgoing *o;

	list_for_each(o, &party->outgoings, struct outgoing, link)
		if (o->token == token) {
			router_fail(router, &failure, CHAPI_ERR_CANCELLED,
				    "cancelled by its caller; "
				    "the other gateway may still be working on it");
			drop(o, true, &failure, now);
			return;
		}
}

void outgoings_drop(struct party *party, const struct now *now)
{
	struct failure failure = {
		.code = CHAPI_ERR_CANCELLED,
		.message = span_str("its caller has left"),
	};
	struct outgoing *o;

	while ((o = list_first(&party->outgoings, struct outgoing, link)))
		drop(o, false, &failure, now);
}

void outgoings_cancel(struct router *router, const struct now *now)
{
	struct failure failure;
	struct outgoing *o;

	while ((o = list_first(&router->outgoings, struct outgoing, all))) {
		router_fail(router, &failure, CHAPI_ERR_CANCELLED, "the gateway is being stopped");
		drop(o, true, &failure, now);
	}
}

/* ---- a new call ------------------------------------------------------------------------- */

/* "GATEWAY/API"; a channel that is a gateway's own counts as its name. */
static bool may_call(struct request *q, struct span to, struct span api)
{
	static const char prefix[] = "private-chapi-";
	CLEANUP(buf_deinit) struct buf object = BUF_NULL;
	size_t len = strlen(prefix);

	if (to.len > len && memcmp(to.p, prefix, len) == 0)
		to = span_of(to.p + len, to.len - len);
	buf_put(&object, to.p, to.len);
	buf_put_byte(&object, '/');
	buf_put(&object, api.p, api.len);
	if (buf_error(&object) != 0) {
		request_fail_memory(q);
		return false;
	}
	return request_may(q, RIGHT_OUTGOING, buf_span(&object), "call this at that gateway");
}

static bool check(struct request *q, const struct asked *asked, struct span to)
{
	unsigned int most = q->router->config.limits.calls_per_peer;

	if (!q->router->config.edge.call_elsewhere)
		request_fail(q, CHAPI_ERR_FAILED_PRECONDITION,
			     "option 'to' needs the hub, and none is configured here "
			     "(section [pusher])");
	else if (!name_is_valid(asked->api))
		request_fail(q, CHAPI_ERR_INVALID_ARGUMENT, "'%s' is no name: " NAME_RULE,
			     TEXT_QUOTE(asked->api), API_NAME_MAX);
	else if (q->router->stopping)
		request_fail(q, CHAPI_ERR_PAUSED,
			     "the gateway is being stopped; try again when it is back");
	else if (q->from->n_calls_made + q->from->n_outgoings >= most)
		request_fail(q, CHAPI_ERR_BUSY,
			     "%u calls of this connection are unanswered, and no more may be "
			     "(calls_per_peer); wait for answers first", most);
	else
		return may_call(q, to, asked->api);
	return false;
}

static enum outcome fail_elsewhere(struct request *q, const struct elsewhere_fault *fault)
{
	struct buf *details = &q->router->answer;

	request_fail(q, fault->code, "%s", fault->text);
	q->failure.ran = CHAPI_RAN_NO;
	if (fault->size == 0)
		return OUTCOME_FAILURE;
	buf_clear(details);
	mp_put_map(details, 2);
	mp_put_str(details, "size");
	mp_put_uint(details, fault->size);
	mp_put_str(details, "limit");
	mp_put_uint(details, fault->limit);
	if (buf_error(details) == 0)
		q->failure.details = buf_span(details);
	return OUTCOME_FAILURE;
}

static enum outcome begin(struct request *q, const struct asked *asked, struct span to)
{
	const struct router_config *config = &q->router->config;
	struct outgoing *o = outgoing_new(q, asked);
	struct elsewhere_fault fault;
	int r;

	if (!o)
		return request_fail_memory(q);
	r = config->edge.call_elsewhere(config->data, &(struct elsewhere_call){
		.to = to,
		.api = asked->api,
		.params = asked->params,
		.caller = asked->caller,
		.request_time = asked->request_time,
		.timeout_ms = asked->timeout_ms > 0 ?
			MIN(asked->timeout_ms, (int64_t)TIMEOUT_MOST_MS) : TIMEOUT_MS,
		.progress = asked->progress,
		.raw = asked->raw,
		.call = o,
	}, q->now, &o->serial, &fault);
	if (r == 0)
		return OUTCOME_LATER;
	o->pinned = 0;		/* whoever charged it does the rest */
	outgoing_free(o);
	return r < 0 ? request_fail_memory(q) : fail_elsewhere(q, &fault);
}

enum outcome request_call_elsewhere(struct request *q, const struct asked *asked, struct span to)
{
	size_t pinned = asked->oneway ? 0 : asked->params.len;
	enum outcome outcome;

	q->is_call = true;
	q->router->counters.calls++;
	q->router->counters.oneways += asked->oneway;
	q->response.api = asked->api;
	q->response.call = asked->label.len > 0 ? asked->label : router_next_label(q->router);
	q->response.request_time = asked->request_time;
	monitor_request(q->router, q->from, asked, q->response.call, NULL, true, q->now);
	if (!check(q, asked, to) || !request_charge(q, pinned))
		return OUTCOME_FAILURE;
	outcome = begin(q, asked, to);
	if (outcome != OUTCOME_LATER)
		router_uncharge(q->router, q->from, pinned);
	else if (asked->oneway) {
		q->in_flight = true;
		return request_done_nil(q);
	}
	return outcome;
}
