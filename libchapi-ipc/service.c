/* SPDX-License-Identifier: MIT */
/*
 * Requests to the names of the program: handed over, answered now or later, cancelled.
 *
 * A request belongs to the program and outlives the connection. It leads to exactly one
 * answer: if there is no room or memory for the program's, the request stays here (conn->owed)
 * until an error can be sent in its place; one that was too large to be read, conn->refused.
 * When its connection is lost nobody can be answered any more, and it waits in conn->gone for
 * the program to let go of it. Which function is called for a name is names.c.
 */
#include "libchapi-ipc/chapi-ipc.h"

#include <errno.h>
#include <stdlib.h>

#include "libchapi-ipc/conn.h"

#define NIL 0xc0
#define PROGRESS_MAX ((size_t)1 << 20)	/* of output that waits: then progress gives way */

static const char no_room[] = "the provider had no room for its answer";

/* ---- requests ---- */

struct chapi_request {
	struct list order;	/* of conn->requests_in_order, conn->gone, or conn->owed */
	struct hashtable_link link;	/* of conn->requests, while nobody said that it is over */
	chapi_conn *conn;	/* NULL once that is closed */
	uint32_t id;
	bool known;		/* link is in the table */
	bool gone;		/* its connection is lost */
	bool cancelled;
	bool wants_progress, is_oneway, is_raw;
	chapi_cancel_fn cancel_fn;
	void *cancel_data;
	const char *api, *call, *origin, *caller;
	struct span params;
	double time;
	int64_t timeout_ms;
	char memory[];		/* of the texts and of params */
};

/* What the gateway says of a request, still in the message. */
struct meta {
	struct span api, params, call, origin, caller;
	double time;
	int64_t timeout_ms;
	bool progress, oneway, raw;
};

static void take_text(struct mp_reader value, void *to)
{
	struct span text;

	if (mp_read_str(&value, &text) == 0)
		*(struct span *)to = text;
}

static void take_bool(struct mp_reader value, void *to)
{
	bool b;

	if (mp_read_bool(&value, &b) == 0)
		*(bool *)to = b;
}

static void take_time(struct mp_reader value, void *to)
{
	double time;

	if (mp_read_number(&value, &time) == 0)
		*(double *)to = time;
}

static void take_ms(struct mp_reader value, void *to)
{
	int64_t ms;

	if (mp_read_int(&value, &ms) == 0)
		*(int64_t *)to = ms;
}

#define KEY(text) { (const uint8_t *)(text), sizeof(text) - 1 }

/* What is of another type than it should be counts as missing. In the gateway's order, see
 * meta_find(). */
static const struct meta_key {
	struct span name;
	void (*take)(struct mp_reader value, void *to);
	size_t offset;
} meta_keys[] = {
	{ KEY("call"), take_text, offsetof(struct meta, call) },
	{ KEY("origin"), take_text, offsetof(struct meta, origin) },
	{ KEY("caller"), take_text, offsetof(struct meta, caller) },
	{ KEY("request_time"), take_time, offsetof(struct meta, time) },
	{ KEY("timeout_ms"), take_ms, offsetof(struct meta, timeout_ms) },
	{ KEY("progress"), take_bool, offsetof(struct meta, progress) },
	{ KEY("oneway"), take_bool, offsetof(struct meta, oneway) },
	{ KEY("raw"), take_bool, offsetof(struct meta, raw) },
};

/* Where a key most likely is comes first, then all the others. NULL: it is not known. */
static const struct meta_key *meta_find(struct span key, const struct meta_key *likely)
{
	const struct meta_key *end = meta_keys + ARRAY_SIZE(meta_keys);

	if (likely < end && span_equal(key, likely->name))
		return likely;
	for (const struct meta_key *at = meta_keys; at < end; at++)
		if (span_equal(key, at->name))
			return at;
	return NULL;
}

/* Once through the map, as this is done for each request. */
static void meta_read_map(struct meta *meta, struct mp_reader *r)
{
	const struct meta_key *at, *likely = meta_keys;
	struct span key, value;
	uint32_t n;

	if (mp_read_map(r, &n) != 0)
		return;
	while (n-- > 0) {
		if (mp_read_str(r, &key) != 0 || mp_read_raw(r, &value) != 0)
			return;
		at = meta_find(key, likely);
		if (!at)
			continue;
		at->take(mp_reader(value), (char *)meta + at->offset);
		likely = at + 1;
	}
}

/* [params, meta]; a gateway that says less is fine too. */
static void meta_read(struct meta *meta, const struct message *message)
{
	static const uint8_t nil = NIL;
	struct mp_reader r = mp_reader(message->params);

	*meta = (struct meta){ .api = message->method, .timeout_ms = -1 };
	if (mp_read_raw(&r, &meta->params) != 0)
		meta->params = span_of(&nil, 1);
	meta_read_map(meta, &r);
}

static chapi_request *request_new(chapi_conn *conn, const struct message *message)
{
	chapi_request *request;
	struct meta meta;
	char *w;

	meta_read(&meta, message);
	request = malloc(sizeof(*request) + meta.api.len + meta.params.len + meta.call.len +
			 meta.origin.len + meta.caller.len + 5);
	if (!request)
		return NULL;
	w = request->memory;
	*request = (chapi_request){ .conn = conn, .id = message->id, .time = meta.time,
				    .timeout_ms = meta.timeout_ms, .known = true,
				    .wants_progress = meta.progress, .is_oneway = meta.oneway,
				    .is_raw = meta.raw };
	request->api = conn_store(&w, meta.api);
	request->call = conn_store(&w, meta.call);
	request->origin = conn_store(&w, meta.origin);
	request->caller = conn_store(&w, meta.caller);
	request->params = span_of(conn_store(&w, meta.params), meta.params.len);
	list_add_tail(&conn->requests_in_order, &request->order);
	hashtable_add(&conn->requests, &request->link, request->id);
	return request;
}

/* No cancel finds it any more. */
static void request_unhook(chapi_request *request)
{
	if (request->known)
		hashtable_del(&request->conn->requests, &request->link);
	request->known = false;
}

static void request_free(chapi_request *request)
{
	request_unhook(request);
	list_del(&request->order);
	free(request);
}

/* ---- over before they are answered ---- */

/* The program may free it. */
static void request_cancel(chapi_request *request)
{
	chapi_cancel_fn fn = request->cancel_fn;

	if (request->cancelled)
		return;
	request->cancelled = true;
	request->cancel_fn = NULL;
	if (fn)
		fn(request, request->cancel_data);
}

/* [id] */
int service_cancel(chapi_conn *conn, const struct message *message)
{
	struct mp_reader r = mp_reader(message->params);
	struct hashtable_link *link = NULL;
	uint64_t id;

	if (mp_read_uint(&r, &id) == 0 && id <= UINT32_MAX)
		link = hashtable_first(&conn->requests, (uint32_t)id);
	conn_taken(conn);
	if (link)
		request_cancel(container_of(link, chapi_request, link));
	return 0;
}

static void owed_free(chapi_conn *conn)
{
	chapi_request *request;

	while ((request = list_first(&conn->owed, chapi_request, order)))
		request_free(request);
}

void service_lost(chapi_conn *conn)
{
	chapi_request *request;

	owed_free(conn);
	list_for_each(request, &conn->requests_in_order, chapi_request, order) {
		request_unhook(request);
		request->gone = true;
	}
}

void service_tell_lost(chapi_conn *conn)
{
	chapi_request *request;

	while ((request = list_first(&conn->requests_in_order, chapi_request, order)) &&
	       request->gone) {
		list_del(&request->order);
		list_add_tail(&conn->gone, &request->order);
		request_cancel(request);
	}
}

static void list_orphan(struct list *list)
{
	chapi_request *request;

	while ((request = list_first(list, chapi_request, order))) {
		request_unhook(request);
		list_del(&request->order);
		request->cancelled = true;
		request->conn = NULL;
	}
}

void service_orphan(chapi_conn *conn)
{
	list_orphan(&conn->requests_in_order);
	list_orphan(&conn->gone);
	owed_free(conn);
}

/* ---- answers ---- */

/* What a provider says when it cannot: code and details may be missing. */
struct refusal {
	const char *code, *message;
	struct given details;
};

static int put_refusal(struct buf *out, uint32_t id, const struct refusal *refusal)
{
	static const uint8_t head[] = { 0x94, 0x01 };
	int r = 0;

	mp_put_raw(out, span_of(head, sizeof(head)));
	mp_put_uint(out, id);
	mp_put_map(out, 1 + (refusal->code != NULL) + (refusal->details.p != NULL));
	if (refusal->code) {
		mp_put_str(out, "code");
		mp_put_str(out, refusal->code);
	}
	mp_put_str(out, "message");
	mp_put_str(out, refusal->message);
	if (refusal->details.p) {
		mp_put_str(out, "details");
		r = conn_put_given(out, &refusal->details, NIL);
	}
	mp_put_nil(out);
	return r;
}

static int send_refusal(chapi_conn *conn, uint32_t id, const char *code, const char *message)
{
	const struct refusal refusal = { .code = code, .message = message };
	size_t start;
	int r = conn_begin(conn, &start);

	return r < 0 ? r : conn_end_small(conn, start, put_refusal(&conn->out, id, &refusal));
}

/* Ends a request without its result; what cannot be said now is said later. */
static void request_refuse(chapi_request *request, const char *code, const char *message)
{
	chapi_conn *conn = request->conn;

	if (send_refusal(conn, request->id, code, message) == 0 || !conn_is_open(conn)) {
		request_free(request);
		return;
	}
	request_unhook(request);
	list_del(&request->order);
	list_add_tail(&conn->owed, &request->order);
}

/* Nothing is read before it is told, so there is one of them at most: it needs no memory. */
void service_refuse(chapi_conn *conn, uint32_t id)
{
	conn->refused = id;
}

int service_tell_refused(chapi_conn *conn)
{
	static const char why[] = "the request is too large for this provider";

	if (conn->refused < 0)
		return 0;
	if (send_refusal(conn, (uint32_t)conn->refused, "too_large", why) < 0 && conn_is_open(conn))
		return -ENOMEM;
	conn->refused = -1;
	return 0;
}

void service_pay(chapi_conn *conn)
{
	chapi_request *request;

	if (service_tell_refused(conn) < 0)
		return;
	while ((request = list_first(&conn->owed, chapi_request, order))) {
		if (send_refusal(conn, request->id, NULL, no_room) < 0)
			break;
		request_free(request);
	}
}

/* Ends a request whose answer has been tried: r says how that went. */
static int request_done(chapi_request *request, int r)
{
	switch (r) {
	case 0:
		request_free(request);
		break;
	case -CHAPI_ERR_JSON:
	case -CHAPI_ERR_MSGPACK:
		request_refuse(request, "bad_reply", "the provider's answer is not a value");
		break;
	default:
		request_refuse(request, NULL, no_room);
	}
	return r;
}

static bool request_is_there(const chapi_request *request)
{
	return request->conn && !request->gone && conn_is_open(request->conn);
}

/* Can it still be answered? If not, it is freed. */
static bool request_is_open(chapi_request *request)
{
	if (request_is_there(request))
		return true;
	request_free(request);
	return false;
}

static int request_answer(chapi_request *request, const struct given *result)
{
	struct buf *out;
	size_t start;
	int r;

	if (!request_is_open(request))
		return -CHAPI_ERR_GONE;
	r = conn_begin(request->conn, &start);
	if (r == 0) {
		out = &request->conn->out;
		message_put_result_head(out, request->id);
		r = conn_end(request->conn, start, conn_put_given(out, result, NIL));
	}
	return request_done(request, r);
}

int chapi_answer(chapi_request *request, const void *result, size_t len)
{
	const struct given given = given_msgpack(result, len);

	return request_answer(request, &given);
}

int chapi_answer_json(chapi_request *request, const char *result)
{
	const struct given given = given_json(result);

	return request_answer(request, &given);
}

int chapi_answer_error(chapi_request *request, const char *code, const char *message,
		       const char *details_json)
{
	const struct refusal refusal = { .code = code, .message = message ? message : "",
					 .details = given_json(details_json) };
	size_t start;
	int r;

	if (!request_is_open(request))
		return -CHAPI_ERR_GONE;
	r = conn_begin(request->conn, &start);
	if (r == 0)
		r = conn_end(request->conn, start,
			     put_refusal(&request->conn->out, request->id, &refusal));
	return request_done(request, r);
}

void chapi_request_drop(chapi_request *request)
{
	if (request && request_is_open(request))
		request_refuse(request, NULL, "the provider gave up");
}

/* ---- progress ---- */

static int put_progress(struct buf *out, uint32_t id, const struct given *value)
{
	message_put_notification(out, "progress", 2);
	mp_put_uint(out, id);
	return conn_put_given(out, value, NIL);
}

static int request_progress(chapi_request *request, const struct given *value)
{
	chapi_conn *conn = request->conn;
	size_t start;
	int r;

	if (!request_is_there(request))
		return -CHAPI_ERR_GONE;
	if (request->cancelled)
		return -CHAPI_ERR_CANCELLED;
	if (!request->wants_progress)
		return 0;
	if (conn->out.len > PROGRESS_MAX)
		return -CHAPI_ERR_FULL;
	r = conn_begin(conn, &start);
	return r < 0 ? r : conn_end(conn, start, put_progress(&conn->out, request->id, value));
}

int chapi_progress(chapi_request *request, const void *value, size_t len)
{
	const struct given given = given_msgpack(value, len);

	return request_progress(request, &given);
}

int chapi_progress_json(chapi_request *request, const char *value)
{
	const struct given given = given_json(value);

	return request_progress(request, &given);
}

/* ---- what came ---- */

int service_request(chapi_conn *conn, const struct message *message)
{
	chapi_request *request = request_new(conn, message);
	struct handler *handler;

	if (!request)
		return -ENOMEM;
	conn_taken(conn);
	handler = names_find(conn, span_str(request->api));
	if (handler)
		names_call(handler, request);
	else
		request_refuse(request, NULL, "the provider does not answer this name any more");
	return 0;
}

const char *chapi_request_api(const chapi_request *request)
{
	return request->api;
}

const void *chapi_request_params(const chapi_request *request, size_t *ret_len)
{
	*ret_len = request->params.len;
	return request->params.p;
}

int chapi_request_params_json(const chapi_request *request, bool pretty, char **ret_text)
{
	return chapi_msgpack_to_json(request->params.p, request->params.len, pretty, ret_text, NULL,
				     NULL, 0);
}

const char *chapi_request_id(const chapi_request *request)
{
	return request->call;
}

const char *chapi_request_origin(const chapi_request *request)
{
	return request->origin;
}

const char *chapi_request_caller(const chapi_request *request)
{
	return request->caller;
}

double chapi_request_time(const chapi_request *request)
{
	return request->time;
}

int64_t chapi_request_timeout_ms(const chapi_request *request)
{
	return request->timeout_ms;
}

chapi_conn *chapi_request_conn(const chapi_request *request)
{
	return request->conn;
}

bool chapi_request_wants_progress(const chapi_request *request)
{
	return request->wants_progress;
}

bool chapi_request_is_oneway(const chapi_request *request)
{
	return request->is_oneway;
}

bool chapi_request_is_raw(const chapi_request *request)
{
	return request->is_raw;
}

bool chapi_request_is_cancelled(const chapi_request *request)
{
	return request->cancelled || request->gone;
}

void chapi_request_on_cancel(chapi_request *request, chapi_cancel_fn fn, void *data)
{
	request->cancel_fn = NULL;
	if (!request->cancelled) {
		request->cancel_fn = fn;
		request->cancel_data = data;
	} else if (fn) {
		fn(request, data);
	}
}
