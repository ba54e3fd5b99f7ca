/* SPDX-License-Identifier: MIT */
/*
 * Requests other than calls that are answered later: waiting for names, for the end of a
 * drain, for the hub to take an event or to say which gateways are there.
 *
 * A party has a few of them at most, so they are found by going through its own.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/utf8.h"
#include "gateway/builtin.h"
#include "gateway/methods.h"
#include "gateway/options.h"
#include "gateway/router_private.h"
#include "gateway/siphash.h"
#include "gateway/text.h"
#include "libchapi-ipc/value.h"

#define PENDINGS_MAX 64		/* of a party */
#define NAMES_MAX 64		/* of one wait */

/* One of the names that are waited for. */
struct awaited {
	struct list link;		/* router->awaited */
	struct pending *pending;
	size_t len;
	char name[API_NAME_MAX];
};

struct pending {
	struct list link;		/* party->pendings */
	struct list target;		/* drains of a name or holder; router->publishes */
	struct router *router;
	struct party *party;
	uint64_t token;
	uint64_t id;			/* at the edge: of an event, of a question to the hub */
	bool is_event;
	struct timer deadline;
	int64_t timeout_ms;		/* 0: none */
	const char *late;		/* what is said when it has passed */
	size_t pinned;
	struct api *api;		/* a reference: of a drain */
	uint32_t n_names, n_missing;
	struct awaited names[];
};

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

static void start_timer(struct pending *p, const struct request *q, int64_t timeout_ms,
			const char *late)
{
	p->late = late;
	p->timeout_ms = timeout_ms;
	p->deadline.kind = TIMER_PENDING;
	if (timeout_ms > 0)
		timers_add(&q->router->timers, &p->deadline, q->now->ms + (uint64_t)timeout_ms);
}

/* NULL: the failure is set. */
static struct pending *pending_new(struct request *q, uint32_t n_names)
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

static void pending_free(struct pending *p)
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

static void finish_with(struct pending *p, const struct failure *failure, struct span result,
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

/* failure NULL: the answer is nil. */
static void finish(struct pending *p, const struct failure *failure, const struct now *now)
{
	static const uint8_t nil[] = { 0xc0 };

	finish_with(p, failure, span_of(nil, sizeof(nil)), now);
}

void pending_expire(struct router *router, struct timer *timer, const struct now *now)
{
	struct pending *p = container_of(timer, struct pending, deadline);
	struct failure failure;

	router_fail(router, &failure, CHAPI_ERR_DEADLINE_EXCEEDED, "within %lld ms %s",
		    (long long)p->timeout_ms, p->late);
	failure.ran = CHAPI_RAN_NO;
	finish(p, &failure, now);
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
	finish(p, &failure, now);
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

/* ---- wait ----------------------------------------------------------------------------- */

static struct list *chain_of(struct router *router, struct span name)
{
	return &router->awaited[siphash(router->config.seed, name) % AWAITED_CHAINS];
}

/* What one may not list is never there. */
static bool is_there(const struct router *router, const struct party *party, struct span name)
{
	return router_allows(router, RIGHT_LIST, party, name) &&
	       (registry_find(router->registry, name) || builtin_find(name, party->origin));
}

/* Waits for those of its names that are not there; false: all of them are. */
static bool await_missing(struct router *router, struct pending *p)
{
	for (uint32_t i = 0; i < p->n_names; i++) {
		struct awaited *awaited = &p->names[i];
		struct span name = span_of(awaited->name, awaited->len);

		if (!list_empty(&awaited->link) || is_there(router, p->party, name))
			continue;
		list_add_tail(chain_of(router, name), &awaited->link);
		p->n_missing++;
	}
	return p->n_missing > 0;
}

/* One that was there before may have gone again: all of them have to be there at once. */
static void finish_ready(struct router *router, struct list *ready, const struct now *now)
{
	struct pending *p;

	while ((p = list_first(ready, struct pending, target))) {
		list_del(&p->target);
		if (!await_missing(router, p))
			finish(p, NULL, now);
	}
}

void waits_registered(struct router *router, struct span name, const struct now *now)
{
	struct list *chain = chain_of(router, name);
	struct awaited *awaited, *tmp;
	struct list ready = LIST_INIT(ready);

	list_for_each_safe(awaited, tmp, chain, struct awaited, link) {
		router_spend(router, 1);
		if (!span_equal(span_of(awaited->name, awaited->len), name) ||
		    !router_allows(router, RIGHT_LIST, awaited->pending->party, name))
			continue;
		list_del(&awaited->link);
		if (--awaited->pending->n_missing == 0)
			list_add_tail(&ready, &awaited->pending->target);
	}
	finish_ready(router, &ready, now);
}

/* Drops the names from the chains that are there by now; true: none is missing any more. */
static bool look_again(struct router *router, struct pending *p)
{
	for (uint32_t i = 0; i < p->n_names; i++) {
		struct awaited *awaited = &p->names[i];

		if (list_empty(&awaited->link) ||
		    !is_there(router, p->party, span_of(awaited->name, awaited->len)))
			continue;
		list_del(&awaited->link);
		p->n_missing--;
	}
	return p->n_names > 0 && p->n_missing == 0;
}

void waits_allowed(struct router *router, const struct now *now)
{
	struct list ready = LIST_INIT(ready);
	struct party *party;
	struct pending *p;

	list_for_each(party, &router->parties, struct party, link)
		list_for_each(p, &party->pendings, struct pending, link)
			if (look_again(router, p))
				list_add_tail(&ready, &p->target);
	finish_ready(router, &ready, now);
}

/* The names of an array, or a single one; false: the failure is set. */
static bool read_names(struct request *q, struct span names[NAMES_MAX], uint32_t *ret_n)
{
	uint32_t n = 1;

	if (mp_peek(&q->args) == MP_ARRAY && mp_read_array(&q->args, &n) != 0)
		n = UINT32_MAX;
	for (uint32_t i = 0; i < n && n <= NAMES_MAX; i++)
		if (mp_read_str(&q->args, &names[i]) != 0 || !name_is_valid(names[i]))
			n = UINT32_MAX;
	q->n_args--;
	*ret_n = n;
	if (n >= 1 && n <= NAMES_MAX)
		return true;
	request_fail(q, CHAPI_ERR_INVALID_ARGUMENT, "the names must be an array of 1 to %d names",
		     NAMES_MAX);
	return false;
}

static void add_name(struct pending *p, struct span name)
{
	struct awaited *awaited = &p->names[p->n_names++];

	awaited->pending = p;
	awaited->len = name.len;
	memcpy(awaited->name, name.p, name.len);
	list_init(&awaited->link);
}

enum outcome method_wait(struct request *q)
{
	static const struct option table[] = {
		{ "timeout_ms", OPTION_NUMBER, 0, 1, NUMBER_MOST, NULL },
	};
	struct span names[NAMES_MAX];
	int64_t timeout_ms = 0;
	struct pending *p;
	uint32_t n;

	if (!read_names(q, names, &n) ||
	    !request_read_options(q, table, ARRAY_SIZE(table), &timeout_ms))
		return OUTCOME_FAILURE;
	p = pending_new(q, n);
	if (!p)
		return OUTCOME_FAILURE;
	for (uint32_t i = 0; i < n; i++)
		add_name(p, names[i]);
	if (await_missing(q->router, p)) {
		start_timer(p, q, timeout_ms, "not all of the names were registered");
		return OUTCOME_LATER;
	}
	pending_free(p);
	return request_done_nil(q);
}

/* ---- drain ---------------------------------------------------------------------------- */

void drains_done(struct router *router UNUSED, struct list *drains, const struct now *now)
{
	struct pending *p;

	while ((p = list_first(drains, struct pending, target)))
		finish(p, NULL, now);
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
	start_timer(p, q, timeout_ms, "not all calls of the name have ended; it goes on draining "
		    "('resume' ends that)");
	return OUTCOME_LATER;
}

/* ---- publish -------------------------------------------------------------------------- */

#define PUBLISH_NAME_MAX 200

static bool begins_with(struct span text, const char *prefix)
{
	size_t len = strlen(prefix);

	return text.len >= len && memcmp(text.p, prefix, len) == 0;
}

static bool is_channel(struct span name)
{
	static const char legal[] = "_-=@,.;";

	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr(legal, c))))
			return false;
	}
	return name.len >= 1 && name.len <= 164;
}

static bool check_event(struct request *q, struct span channel, struct span event)
{
	if (!is_channel(channel))
		request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
			     "'%s' is no channel: 1 to 164 of A-Z a-z 0-9 _ - = @ , . ;",
			     TEXT_QUOTE(channel));
	else if (event.len == 0 || event.len > PUBLISH_NAME_MAX || !utf8_is_valid(event))
		request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
			     "the event's name must be a text of 1 to %d bytes", PUBLISH_NAME_MAX);
	else if (begins_with(event, "pusher:") || begins_with(event, "pusher_internal:") ||
		 begins_with(event, "client-"))
		request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
			     "names that begin with pusher:, pusher_internal: or client- are the "
			     "hub's own; choose another");
	else
		return request_may(q, RIGHT_PUBLISH, channel, "publish on this channel");
	return false;
}

/* A text goes out as it is, any other value as JSON. */
static bool read_data(struct request *q, struct buf *out)
{
	struct value_fault fault;
	struct span text;

	if (mp_peek(&q->args) == MP_STR && mp_read_str(&q->args, &text) == 0) {
		buf_put(out, text.p, text.len);
		if (utf8_is_valid(text))
			return true;
		request_fail(q, CHAPI_ERR_INVALID_ARGUMENT, "the data is not UTF-8");
		return false;
	}
	if (value_to_json(mp_rest(&q->args), MP_VALUE_DEPTH_MAX, out, &fault) <= 0)
		return true;
	request_fail(q, CHAPI_ERR_INVALID_ARGUMENT, "the data has no form in JSON: %s", fault.text);
	return false;
}

/* One that the edge ends by its id. NULL: the failure is set. */
static struct pending *pending_at_edge(struct request *q)
{
	struct pending *p = pending_new(q, 0);

	if (!p)
		return NULL;
	p->id = ++q->router->n_publishes;
	list_add_tail(&q->router->publishes, &p->target);
	return p;
}

/* NULL: there is none. */
static struct pending *find_at_edge(struct router *router, uint64_t id)
{
	struct pending *p;

	list_for_each(p, &router->publishes, struct pending, target)
		if (p->id == id)
			return p;
	return NULL;
}

static enum outcome publish(struct request *q, struct span channel, struct span event,
			    const struct buf *data)
{
	const struct router_config *config = &q->router->config;
	struct pending *p = pending_at_edge(q);
	int rc;

	if (!p)
		return OUTCOME_FAILURE;
	p->is_event = true;
	rc = config->edge.publish(config->data, channel, event, buf_span(data), p->id);
	if (rc == 0)
		return OUTCOME_LATER;
	pending_free(p);
	if (rc == -ENOBUFS)
		return request_fail(q, CHAPI_ERR_BUSY,
				    "too much waits to be published already; try again later");
	if (rc == -ENOKEY)
		return request_fail(q, CHAPI_ERR_FAILED_PRECONDITION,
				    "the channel is encrypted, and this gateway has no "
				    "encryption_master_key_file");
	return request_fail_memory(q);
}

enum outcome method_publish(struct request *q)
{
	CLEANUP(buf_deinit) struct buf data = BUF_NULL;
	struct span channel, event;

	if (!request_read_text(q, "the channel", &channel) ||
	    !request_read_text(q, "the event's name", &event) || !check_event(q, channel, event) ||
	    !read_data(q, &data))
		return OUTCOME_FAILURE;
	if (!q->router->config.edge.publish)
		return request_fail(q, CHAPI_ERR_FAILED_PRECONDITION,
				    "publishing needs the hub, and none is configured here "
				    "(section [pusher])");
	if (buf_error(&data) != 0)
		return request_fail_memory(q);
	return publish(q, channel, event, &data);
}

void router_published(struct router *router, uint64_t id, int code, enum chapi_ran ran,
		      const char *error, const struct now *now)
{
	struct failure failure = {
		.code = code, .ran = ran, .message = span_str(error ? error : ""),
	};
	struct pending *p = find_at_edge(router, id);

	if (p)
		finish(p, error ? &failure : NULL, now);
}

/* ---- gateways ------------------------------------------------------------------------- */

enum outcome method_gateways(struct request *q)
{
	const struct router_config *config = &q->router->config;
	struct pending *p;

	if (!config->edge.list_gateways)
		return request_fail(q, CHAPI_ERR_FAILED_PRECONDITION,
				    "other gateways are seen through the hub, and none is "
				    "configured here (section [pusher])");
	p = pending_at_edge(q);
	if (!p)
		return OUTCOME_FAILURE;
	if (config->edge.list_gateways(config->data, p->id) == 0)
		return OUTCOME_LATER;
	pending_free(p);
	return request_fail_memory(q);
}

void router_gateways(struct router *router, uint64_t id, struct span list, const char *error,
		     const struct now *now)
{
	struct pending *p = find_at_edge(router, id);
	struct failure failure;

	if (!p)
		return;
	if (error)
		router_fail(router, &failure, CHAPI_ERR_HUB_DOWN, "the hub does not say who is "
								  "there: %s", error);
	finish_with(p, error ? &failure : NULL, list, now);
}
