/* SPDX-License-Identifier: MIT */
/*
 * Monitors: parties that watch what goes on, live.
 *
 * With the right "monitor" for a name one sees all of it. Without it a process sees requests
 * and responses of the names that it holds and of the calls it made, and, if it may list,
 * requests to names that do not exist, without params. A monitor that does not take its
 * events loses some, and is told how many; nobody waits for it.
 *
 * Costs nothing while nobody watches: an event is put together when the first monitor wants it.
 */
#include <stdlib.h>

#include "gateway/methods.h"
#include "gateway/options.h"
#include "gateway/router_private.h"
#include "gateway/text.h"

#define PATTERNS_MAX 16
#define STEPS_MONITOR 20	/* to find out whether it wants an event */
#define EVENT_KEPT 65536	/* memory of an event that is kept for the next */

enum event_kind { EVENT_REQUEST, EVENT_RESPONSE, EVENT_API, EVENT_PEER, EVENT_HUB, EVENT_KINDS };

static const char *const kind_names[] = { "request", "response", "api", "peer", "hub", NULL };

struct monitor {
	struct list link;		/* router->monitors */
	struct router *router;
	struct party *party;
	unsigned int kinds;		/* bits by enum event_kind */
	bool bodies;
	uint64_t n_lost;		/* since the last event that it took */
	size_t pinned;
	uint32_t n_patterns;		/* 0: all */
	struct span patterns[PATTERNS_MAX];
	uint8_t texts[];
};

/* What an event is about: who may see it, and with what. */
struct subject {
	enum event_kind kind;
	struct span api;		/* "": no name */
	const struct api *held;		/* NULL: nobody holds the name */
	const struct party *caller;	/* NULL: not about a call, or not known */
	bool known;			/* there is such a function; of a request */
};

/* ---- who sees what -------------------------------------------------------------------- */

enum sight { SIGHT_NONE, SIGHT_HEAD, SIGHT_ALL };

/* A standby does not hold the name yet. */
static bool is_own(const struct monitor *m, const struct subject *s)
{
	const struct holder *holder;

	if (s->caller == m->party)
		return true;
	holder = s->held ? api_find_holder(s->held, m->party) : NULL;
	return holder && !holder->standby;
}

static enum sight sight_of(const struct monitor *m, const struct subject *s)
{
	bool is_call = s->kind == EVENT_REQUEST || s->kind == EVENT_RESPONSE;

	if (router_allows(m->router, RIGHT_MONITOR, m->party, s->api))
		return SIGHT_ALL;
	if (!is_call)
		return SIGHT_NONE;
	if (is_own(m, s))
		return SIGHT_ALL;
	if (s->kind == EVENT_REQUEST && !s->known &&
	    router_allows(m->router, RIGHT_LIST, m->party, s->api))
		return SIGHT_HEAD;
	return SIGHT_NONE;
}

static bool is_wanted(const struct monitor *m, const struct subject *s)
{
	if (!(m->kinds & 1U << s->kind))
		return false;
	if (m->n_patterns == 0 || s->api.len == 0)
		return true;
	for (uint32_t i = 0; i < m->n_patterns; i++)
		if (name_matches(s->api, m->patterns[i]))
			return true;
	return false;
}

/* ---- sending -------------------------------------------------------------------------- */

static void put_head(struct buf *b, uint32_t n_fields, const char *kind, const struct now *now)
{
	buf_clear(b);
	mp_put_map(b, n_fields + 2);
	mp_put_str(b, "kind");
	mp_put_str(b, kind);
	mp_put_str(b, "time");
	mp_put_double(b, now->unix_s);
}

/* First how many went missing: without that the next event would hide it. */
static bool tell_lost(struct monitor *m, const struct now *now)
{
	CLEANUP(buf_deinit) struct buf b = BUF_NULL;

	if (m->n_lost == 0)
		return true;
	put_head(&b, 1, "lost", now);
	mp_put_str(&b, "count");
	mp_put_uint(&b, m->n_lost);
	if (buf_error(&b) != 0 || m->party->ops->event(m->party, buf_span(&b)) != 0)
		return false;
	m->n_lost = 0;
	return true;
}

static void send_event(struct monitor *m, const struct buf *event, const struct now *now)
{
	if (buf_error(event) == 0 && tell_lost(m, now) &&
	    m->party->ops->event(m->party, buf_span(event)) == 0)
		return;
	m->n_lost++;
	m->router->counters.events_lost++;
}

/* Puts an event together: bodies or not. */
typedef void (*put_fn)(struct buf *b, const void *what, bool bodies, const struct now *now);

static void forget_event(struct buf *event)
{
	buf_clear(event);
	buf_shrink(event, EVENT_KEPT);
}

/* Put together once for those who see bodies, and once for those who do not. */
static void send_all(struct router *router, const struct subject *subject, put_fn put,
		     const void *what, const struct now *now)
{
	struct buf *events = router->events;
	uint64_t n = 0;
	struct monitor *m;

	list_for_each(m, &router->monitors, struct monitor, link) {
		enum sight sight = is_wanted(m, subject) ? sight_of(m, subject) : SIGHT_NONE;
		bool bodies = sight == SIGHT_ALL && m->bodies;

		n++;
		if (sight == SIGHT_NONE || !m->party->ops->event)
			continue;
		if (events[bodies].len == 0)
			put(&events[bodies], what, bodies, now);
		send_event(m, &events[bodies], now);
	}
	router_spend(router, STEPS_MONITOR * n);
	router_spend_rights(router, n);
	forget_event(&events[0]);
	forget_event(&events[1]);
}

/* ---- requests and responses ----------------------------------------------------------- */

struct request_event {
	const struct asked *asked;
	const struct party *from;
	struct span label;
};

static const char *origin_name(const struct party *party)
{
	return party->origin == PARTY_REMOTE ? "remote" : "local";
}

static void put_request(struct buf *b, const void *what, bool bodies, const struct now *now)
{
	const struct request_event *e = what;

	put_head(b, 7 + bodies, "request", now);
	mp_put_str(b, "id");
	mp_put_text(b, e->label);
	mp_put_str(b, "api");
	mp_put_str(b, TEXT_QUOTE(e->asked->api));
	mp_put_str(b, "request_time");
	mp_put_double(b, e->asked->request_time);
	mp_put_str(b, "timeout_ms");
	mp_put_int(b, e->asked->timeout_ms);
	mp_put_str(b, "caller");
	mp_put_text(b, e->asked->caller);
	mp_put_str(b, "origin");
	mp_put_str(b, origin_name(e->from));
	mp_put_str(b, "oneway");
	mp_put_bool(b, e->asked->oneway);
	if (bodies) {
		mp_put_str(b, "params");
		mp_put_raw(b, e->asked->params);
	}
}

void monitor_request(struct router *router, const struct party *from, const struct asked *asked,
		     struct span label, const struct api *api, bool known, const struct now *now)
{
	if (!list_empty(&router->monitors))
		send_all(router,
			 &(struct subject){ EVENT_REQUEST, asked->api, api, from, known },
			 put_request, &(struct request_event){ asked, from, label }, now);
}

struct response_event {
	const struct party_response *response;
	const struct router *router;
};

static void put_response(struct buf *b, const void *what, bool bodies, const struct now *now)
{
	const struct response_event *e = what;
	const struct party_response *r = e->response;

	put_head(b, 9 + (bodies && !r->failure), "response", now);
	mp_put_str(b, "id");
	mp_put_text(b, r->call);
	mp_put_str(b, "api");
	mp_put_str(b, TEXT_QUOTE(r->api));
	mp_put_str(b, "error");
	if (r->failure) {
		struct failure bare = *r->failure;

		if (!bodies)
			bare.details = span_of(NULL, 0);
		router_put_failure(b, &bare);
	} else {
		mp_put_nil(b);
	}
	mp_put_str(b, "request_time");
	mp_put_double(b, r->request_time);
	mp_put_str(b, "response_time");
	mp_put_double(b, r->response_time);
	mp_put_str(b, "queue_ms");
	mp_put_double(b, r->queue_ms);
	mp_put_str(b, "run_ms");
	mp_put_double(b, r->run_ms);
	mp_put_str(b, "gateway");
	mp_put_str(b, e->router->config.name);
	mp_put_str(b, "instance");
	mp_put_str(b, e->router->config.instance);
	if (bodies && !r->failure) {
		mp_put_str(b, "result");
		mp_put_raw(b, r->result);
	}
}

static void tell_log(const struct router *router, const struct party *caller,
		     const struct party_response *response, const struct now *now)
{
	if (router->config.edge.call_ended)
		router->config.edge.call_ended(router->config.data, caller, response, now);
}

void router_call_refused(const struct router *router, const struct party *caller,
			 const struct party_response *response, const struct now *now)
{
	tell_log(router, caller, response, now);
}

void monitor_response(struct router *router, const struct party *caller,
		      const struct party_response *response, const struct api *api,
		      const struct now *now)
{
	tell_log(router, caller, response, now);
	if (!list_empty(&router->monitors))
		send_all(router,
			 &(struct subject){ EVENT_RESPONSE, response->api, api, caller, true },
			 put_response, &(struct response_event){ response, router }, now);
}

/* ---- names, connections, the hub ------------------------------------------------------- */

/* Texts by key; NULL ends them. */
struct text_event {
	const char *kind;
	struct {
		const char *key;
		struct span text;
	} fields[4];
};

static void put_texts(struct buf *b, const void *what, bool bodies UNUSED, const struct now *now)
{
	const struct text_event *e = what;
	uint32_t n = 0;

	while (n < ARRAY_SIZE(e->fields) && e->fields[n].key)
		n++;
	put_head(b, n, e->kind, now);
	for (uint32_t i = 0; i < n; i++) {
		mp_put_str(b, e->fields[i].key);
		mp_put_text(b, e->fields[i].text);
	}
}

void monitor_api(struct router *router, const struct api *api, const char *action,
		 const struct party *party, const struct now *now)
{
	const struct subject subject = { EVENT_API, api_name(api), api, NULL, true };
	const struct text_event event = { "api", {
		{ "name", api_name(api) },
		{ "action", span_str(action) },
		{ "caller", span_str(party->caller) },
		{ "client", span_str(party->client) },
	} };

	if (!list_empty(&router->monitors))
		send_all(router, &subject, put_texts, &event, now);
}

void monitor_peer(struct router *router, const struct party *party, const char *action,
		  const struct now *now)
{
	const struct subject subject = { .kind = EVENT_PEER, .api = span_str("") };
	const struct text_event event = { "peer", {
		{ "action", span_str(action) },
		{ "caller", span_str(party->caller) },
		{ "client", span_str(party->client) },
	} };

	if (!list_empty(&router->monitors))
		send_all(router, &subject, put_texts, &event, now);
}

void router_hub_changed(struct router *router, const char *state, const char *reason,
			const struct now *now)
{
	const struct subject subject = { .kind = EVENT_HUB, .api = span_str("") };
	const struct text_event event = { "hub", {
		{ "state", span_str(state) },
		{ "reason", span_str(reason) },
	} };

	if (!list_empty(&router->monitors))
		send_all(router, &subject, put_texts, &event, now);
}

/* ---- beginning and end ---------------------------------------------------------------- */

void monitor_drop(struct party *party)
{
	struct monitor *m = party->monitor;

	if (!m)
		return;
	party->monitor = NULL;
	list_del(&m->link);
	router_uncharge(m->router, party, m->pinned);
	free(m);
}

struct wish {
	struct span kinds, apis;
	bool bodies;
};

static const struct option monitor_table[] = {
	{ "kinds", OPTION_TEXTS, offsetof(struct wish, kinds), 0, 16, NULL },
	{ "apis", OPTION_RAW, offsetof(struct wish, apis), 0, 0, NULL },
	{ "bodies", OPTION_BOOL, offsetof(struct wish, bodies), 0, 0, NULL },
};

static int kind_of(struct span name)
{
	for (int i = 0; kind_names[i]; i++)
		if (span_is(name, kind_names[i]))
			return i;
	return -1;
}

/* Nothing said: all that the party may see. */
static bool read_kinds(struct request *q, struct span kinds, unsigned int *ret)
{
	bool may_all = router_allows(q->router, RIGHT_MONITOR, q->from, span_str(""));
	const unsigned int calls = 1U << EVENT_REQUEST | 1U << EVENT_RESPONSE;
	struct mp_reader r = mp_reader(kinds);
	struct span name;
	uint32_t n = 0;
	int kind;

	*ret = 0;
	if (kinds.len == 0) {
		*ret = may_all ? (1U << EVENT_KINDS) - 1 : calls;
		return true;
	}
	if (mp_read_array(&r, &n) != 0)
		n = 0;
	for (; n > 0; n--) {
		kind = mp_read_str(&r, &name) == 0 ? kind_of(name) : -1;
		if (kind < 0) {
			request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
				     "'%s' is no kind of event: request, response, api, peer, hub",
				     TEXT_QUOTE(name));
			return false;
		}
		*ret |= 1U << kind;
	}
	return (*ret & ~calls) == 0 || request_may(q, RIGHT_MONITOR, span_str("*"),
						    "watch names, connections and the hub");
}

static bool read_patterns(struct request *q, struct span apis, struct span patterns[PATTERNS_MAX],
			  uint32_t *ret_n)
{
	struct mp_reader r = mp_reader(apis);
	uint32_t n = apis.len > 0;

	if (apis.len > 0 && mp_peek(&r) == MP_ARRAY && mp_read_array(&r, &n) != 0)
		n = UINT32_MAX;
	for (uint32_t i = 0; i < n && n <= PATTERNS_MAX; i++)
		if (mp_read_str(&r, &patterns[i]) != 0 || patterns[i].len > API_NAME_MAX)
			n = UINT32_MAX;
	*ret_n = n;
	if (n <= PATTERNS_MAX)
		return true;
	request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
		     "option 'apis' must be a pattern of names, or an array of at most %d of them",
		     PATTERNS_MAX);
	return false;
}

static struct monitor *monitor_new(struct request *q, const struct span *patterns, uint32_t n)
{
	size_t size = sizeof(struct monitor);
	struct monitor *m;
	uint8_t *w;

	for (uint32_t i = 0; i < n; i++)
		size += patterns[i].len;
	if (!request_charge(q, size))
		return NULL;
	m = calloc(1, size);
	if (!m) {
		router_uncharge(q->router, q->from, size);
		request_fail_memory(q);
		return NULL;
	}
	m->router = q->router;
	m->party = q->from;
	m->pinned = size;
	m->n_patterns = n;
	w = m->texts;
	for (uint32_t i = 0; i < n; i++) {
		memcpy(w, patterns[i].p, patterns[i].len);
		m->patterns[i] = span_of(w, patterns[i].len);
		w += patterns[i].len;
	}
	return m;
}

/* Asked again, it takes the place of what was asked before. */
enum outcome method_monitor(struct request *q)
{
	struct span patterns[PATTERNS_MAX];
	struct wish wish = { .bodies = false };
	unsigned int kinds;
	struct monitor *m;
	uint32_t n;

	if (!request_read_options(q, monitor_table, ARRAY_SIZE(monitor_table), &wish) ||
	    !read_kinds(q, wish.kinds, &kinds) || !read_patterns(q, wish.apis, patterns, &n))
		return OUTCOME_FAILURE;
	m = monitor_new(q, patterns, n);
	if (!m)
		return OUTCOME_FAILURE;
	monitor_drop(q->from);
	m->kinds = kinds;
	m->bodies = wish.bodies;
	q->from->monitor = m;
	list_add_tail(&q->router->monitors, &m->link);
	return request_done_nil(q);
}
