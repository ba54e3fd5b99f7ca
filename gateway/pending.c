/* SPDX-License-Identifier: MIT */
/*
 * Requests other than calls that are answered later: what all of them have in common, which is
 * their charge, their deadline, a cancel, their party's leaving; and those for the end of a drain.
 *
 * Waiting for names is waits.c, what the hub is asked edge_requests.c. A party has a few of them
 * at most, so they are found by going through its own.
 */
#include "gateway/pending.h"

#include <stdlib.h>

#define PENDINGS_MAX 64		/* of a party */

static struct pending *pending_find(const struct party *party, uint64_t token)
{
	struct pending *p;

	list_for_each(p, &party->pendings, struct pending, link)
		if (p->token == token)
			return p;
	return NULL;
}

bool pending_is_known(const struct party *party, uint64_t token)
{
	return pending_find(party, token) != NULL;
}

void pending_start_timer(struct pending *p, const struct request *q, int64_t timeout_ms,
			 const char *late)
{
	p->late = late;
	p->timeout_ms = timeout_ms;
	p->deadline.kind = TIMER_PENDING;
	if (timeout_ms > 0)
		timers_add(&q->router->timers, &p->deadline, q->now->ms + (uint64_t)timeout_ms);
}

struct pending *pending_new(struct request *q, uint32_t n_names)
{
	size_t size = sizeof(struct pending) + n_names * sizeof(struct awaited);
	struct pending *p;

	if (q->from->n_pendings >= PENDINGS_MAX) {
		request_fail(q, CHAPI_ERR_BUSY,
			     "%d requests of this connection wait already, and no more may; wait "
			     "for their answers first", PENDINGS_MAX);
		return NULL;
	}
	if (!request_charge(q, size))
		return NULL;
	p = calloc(1, size);
	if (!p) {
		router_uncharge(q->router, q->from, size);
		request_fail_memory(q);
		return NULL;
	}
	*p = (struct pending){
		.router = q->router, .party = q->from, .token = q->token, .pinned = size,
	};
	timer_init(&p->deadline);
	list_init(&p->target);
	list_add_tail(&q->from->pendings, &p->link);
	q->from->n_pendings++;
	q->from->n_awaited++;
	return p;
}

void pending_free(struct pending *p)
{
	for (uint32_t i = 0; i < p->n_names; i++)
		list_del(&p->names[i].link);
	timers_del(&p->router->timers, &p->deadline);
	router_uncharge(p->router, p->party, p->pinned);
	list_del(&p->target);
	list_del(&p->link);
	p->party->n_pendings--;
	p->party->n_awaited--;
	api_unref(p->api);
	free(p);
}

void pending_finish_with(struct pending *p, const struct failure *failure, struct span result,
			 const struct now *now)
{
	const struct party_response response = {
		.failure = failure,
		.result = result,
		.request_time = now->unix_s,
		.response_time = now->unix_s,
	};
	struct router *router = p->router;
	struct party *party = p->party;
	uint64_t token = p->token;

	pending_free(p);
	router_answer(router, party, token, false, &response);
}

void pending_finish(struct pending *p, const struct failure *failure, const struct now *now)
{
	static const uint8_t nil[] = { 0xc0 };

	pending_finish_with(p, failure, span_of(nil, sizeof(nil)), now);
}

void pending_expire(struct router *router, struct timer *timer, const struct now *now)
{
	struct pending *p = container_of(timer, struct pending, deadline);
	struct failure failure;

	router_fail(router, &failure, CHAPI_ERR_DEADLINE_EXCEEDED, "within %lld ms %s",
		    (long long)p->timeout_ms, p->late);
	failure.ran = CHAPI_RAN_NO;
	pending_finish(p, &failure, now);
}

void pendings_drop(struct router *router UNUSED, struct party *party)
{
	struct pending *p;

	while ((p = list_first(&party->pendings, struct pending, link)))
		pending_free(p);
}

/* Whether an event on its way reaches the hub is not known; one that waits is taken back. */
static void cancel(struct pending *p, const char *why, const struct now *now)
{
	const struct router_config *config = &p->router->config;
	struct failure failure = {
		.code = CHAPI_ERR_CANCELLED, .ran = CHAPI_RAN_NO, .message = span_str(why),
	};

	if (p->is_event && !config->edge.withdraw(config->data, p->id))
		failure.ran = CHAPI_RAN_UNKNOWN;
	pending_finish(p, &failure, now);
}

void pending_cancel(struct router *router UNUSED, struct party *party, uint64_t token,
		    const struct now *now)
{
	struct pending *p = pending_find(party, token);

	if (p)
		cancel(p, p->api ? "cancelled by its caller; the name goes on draining ('resume' "
				   "ends that)" : "cancelled by its caller", now);
}

void pendings_cancel(struct router *router, const struct now *now)
{
	struct party *party;
	struct pending *p;

	list_for_each(party, &router->parties, struct party, link)
		while ((p = list_first(&party->pendings, struct pending, link)))
			cancel(p, "the gateway is being stopped", now);
}

/* ---- drain ---------------------------------------------------------------------------- */

void drains_done(struct router *router UNUSED, struct list *drains, const struct now *now)
{
	struct pending *p;

	while ((p = list_first(drains, struct pending, target)))
		pending_finish(p, NULL, now);
}

enum outcome pending_drain(struct request *q, struct api *api, struct holder *holder,
			   int64_t timeout_ms)
{
	struct pending *p = pending_new(q, 0);

	if (!p)
		return OUTCOME_FAILURE;
	p->api = api_ref(api ? api : holder->api);
	list_add_tail(api ? &api->drains : &holder->drains, &p->target);
	*(api ? &api->drained : &holder->drained) = true;
	pending_start_timer(p, q, timeout_ms, "not all calls of the name have ended; it goes on "
			    "draining ('resume' ends that)");
	return OUTCOME_LATER;
}
