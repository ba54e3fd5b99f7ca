/* SPDX-License-Identifier: MIT */
/*
 * Calls that the program makes: asked, kept by id, answered once.
 *
 * A reply is one piece of memory with everything in it; the few that are made here are
 * static, so that losing the connection needs no memory.
 */
#include "libchapi-ipc/chapi-ipc.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "libchapi-ipc/conn.h"
#include "libchapi-ipc/error.h"
#include "libchapi-ipc/mp_scan.h"
#include "libchapi-ipc/value.h"

#define NIL 0xc0
#define EMPTY_MAP 0x80
#define UNSENT UINT64_MAX	/* struct call, end: the gateway cannot have read it whole */

/* ---- replies ---- */

struct chapi_reply {
	int code;
	enum chapi_ran ran;
	const char *code_name, *message;
	struct span result, details;
	bool is_static;
	char memory[];		/* of the texts and values above */
};

static const uint8_t nil[] = { NIL };

#define REPLY_MADE_HERE(code_, ran_, name_, message_) \
	{ .code = code_, .ran = ran_, .code_name = name_, .message = message_, \
	  .result = { nil, 1 }, .details = { nil, 1 }, .is_static = true }

static const chapi_reply reply_lost = REPLY_MADE_HERE(
	CHAPI_ERR_CONNECTION_LOST, CHAPI_RAN_UNKNOWN, "connection_lost",
	"the connection to the gateway was lost before the answer came");
static const chapi_reply reply_unsent = REPLY_MADE_HERE(
	CHAPI_ERR_CONNECTION_LOST, CHAPI_RAN_NO, "connection_lost",
	"the connection to the gateway was lost before the request was sent");
static const chapi_reply reply_late = REPLY_MADE_HERE(
	CHAPI_ERR_DEADLINE_EXCEEDED, CHAPI_RAN_UNKNOWN, "deadline_exceeded",
	"the gateway gave no answer in time");
static const chapi_reply reply_large = REPLY_MADE_HERE(
	CHAPI_ERR_TOO_LARGE, CHAPI_RAN_YES, "too_large",
	"the answer is larger than this library takes (64 MiB)");

/* The parts of an answer, still in the message. */
struct answer {
	int code;
	enum chapi_ran ran;
	struct span code_name, message, result, details;
};

static enum chapi_ran ran_from_name(struct span name, enum chapi_ran otherwise)
{
	for (enum chapi_ran ran = CHAPI_RAN_NO; ran <= CHAPI_RAN_UNKNOWN; ran++)
		if (span_is(name, chapi_ran_name(ran)))
			return ran;
	return otherwise;
}

static void answer_read_error(struct answer *answer, struct span error)
{
	const struct error_info *info;
	struct mp_reader r = mp_reader(error);

	answer->code_name = conn_map_text(error, "code");
	info = error_info_by_name(answer->code_name);
	if (!info)
		info = error_info(CHAPI_ERR_INTERNAL);
	if (answer->code_name.len == 0)
		answer->code_name = span_str(info->name);
	answer->code = info->code;
	answer->ran = ran_from_name(conn_map_text(error, "ran"), info->ran);
	answer->message = conn_map_text(error, "message");
	if (answer->message.len == 0 && mp_read_str(&r, &answer->message) != 0)
		answer->message = span_str(info->sentence);
	if (mp_map_get(error, "details", &answer->details) != 0)
		answer->details = span_of(nil, 1);
}

/* full: the result is a record, with an error of its own. */
static void answer_read(struct answer *answer, const struct message *message, bool full)
{
	struct span error = message->error;

	*answer = (struct answer){ .ran = CHAPI_RAN_YES, .result = message->result,
				   .details = span_of(nil, 1) };
	if (!mp_is_nil(error))
		answer->result = span_of(nil, 1);
	else if (full && mp_map_get(message->result, "error", &error) != 0)
		return;
	if (!mp_is_nil(error))
		answer_read_error(answer, error);
}

static struct span store_span(char **w, struct span s)
{
	return span_of(conn_store(w, s), s.len);
}

static chapi_reply *reply_new(const struct answer *answer)
{
	chapi_reply *reply = malloc(sizeof(*reply) + answer->code_name.len + answer->message.len +
				    answer->result.len + answer->details.len + 4);
	char *w;

	if (!reply)
		return NULL;
	w = reply->memory;
	reply->code = answer->code;
	reply->ran = answer->ran;
	reply->is_static = false;
	reply->code_name = conn_store(&w, answer->code_name);
	reply->message = conn_store(&w, answer->message);
	reply->result = store_span(&w, answer->result);
	reply->details = store_span(&w, answer->details);
	return reply;
}

chapi_reply *chapi_reply_free(chapi_reply *reply)
{
	if (reply && !reply->is_static)
		free(reply);
	return NULL;
}

int chapi_reply_code(const chapi_reply *reply)
{
	return reply->code;
}

const char *chapi_reply_code_name(const chapi_reply *reply)
{
	return reply->code_name;
}

const char *chapi_reply_message(const chapi_reply *reply)
{
	return reply->message;
}

enum chapi_ran chapi_reply_ran(const chapi_reply *reply)
{
	return reply->ran;
}

const void *chapi_reply_result(const chapi_reply *reply, size_t *ret_len)
{
	*ret_len = reply->result.len;
	return reply->result.p;
}

const void *chapi_reply_details(const chapi_reply *reply, size_t *ret_len)
{
	*ret_len = reply->details.len;
	return reply->details.p;
}

static int span_to_json(struct span value, bool pretty, char **ret_text)
{
	return chapi_msgpack_to_json(value.p, value.len, pretty, ret_text, NULL, NULL, 0);
}

int chapi_reply_result_json(const chapi_reply *reply, bool pretty, char **ret_text)
{
	return span_to_json(reply->result, pretty, ret_text);
}

int chapi_reply_details_json(const chapi_reply *reply, bool pretty, char **ret_text)
{
	return span_to_json(reply->details, pretty, ret_text);
}

/* ---- calls in flight ---- */

struct call {
	struct table_link link;
	struct list order;	/* the oldest first: so they end, when all end */
	uint32_t id;
	bool full;
	bool lost;		/* with its connection: is about to be told */
	uint64_t end;		/* of its request, among the bytes sent on this connection */
	chapi_reply_fn fn;
	void *data;
	struct waiter *waiter;	/* gets the reply, after fn has seen it */
	chapi_progress_fn progress;
	void *progress_data;
};

/* A function that waits for the answer of one call. */
struct waiter {
	const chapi_reply *reply;	/* NULL until it is there; then it owns it */
};

static struct call *call_find(const chapi_conn *conn, uint32_t id)
{
	struct table_link *link = table_first(&conn->calls, id);

	return link ? container_of(link, struct call, link) : NULL;
}

/* One that the gateway may still say something about. */
static struct call *call_in_flight(const chapi_conn *conn, uint32_t id)
{
	struct call *call = call_find(conn, id);

	return call && !call->lost ? call : NULL;
}

static struct call *call_new(chapi_conn *conn, chapi_reply_fn fn, void *data)
{
	struct call *call = malloc(sizeof(*call));

	if (!call)
		return NULL;
	do
		conn->last_id++;
	while (call_find(conn, conn->last_id));
	*call = (struct call){ .id = conn->last_id, .fn = fn, .data = data };
	return call;
}

static void call_add(chapi_conn *conn, struct call *call)
{
	table_add(&conn->calls, &call->link, call->id);
	list_add_tail(&conn->calls_in_order, &call->order);
}

static void call_remove(chapi_conn *conn, struct call *call)
{
	table_del(&conn->calls, &call->link);
	list_del(&call->order);
	free(call);
}

/* Takes the reply. */
static void call_finish(chapi_conn *conn, struct call *call, const chapi_reply *reply)
{
	struct call done = *call;

	call_remove(conn, call);
	if (done.fn)
		done.fn(conn, reply, done.data);
	if (done.waiter)
		done.waiter->reply = reply;
	else
		chapi_reply_free((chapi_reply *)reply);
}

int client_response(chapi_conn *conn, const struct message *message)
{
	struct call *call = message->has_id ? call_in_flight(conn, message->id) : NULL;
	struct answer answer;
	const chapi_reply *reply;

	if (!call) {
		conn_taken(conn);
		conn_log(conn, "an answer to nothing that was asked was ignored");
		return 0;
	}
	answer_read(&answer, message, call->full);
	reply = reply_new(&answer);
	if (!reply)
		return -ENOMEM;
	conn_taken(conn);
	call_finish(conn, call, reply);
	return 0;
}

/* [id, value] */
static struct call *progress_read(const chapi_conn *conn, const struct message *message,
				  struct span *ret_value)
{
	struct mp_reader r = mp_reader(message->params);
	struct call *call;
	uint64_t id;

	if (mp_read_uint(&r, &id) != 0 || id > UINT32_MAX || mp_read_raw(&r, ret_value) != 0)
		return NULL;
	call = call_in_flight(conn, (uint32_t)id);
	return call && call->progress ? call : NULL;
}

int client_progress(chapi_conn *conn, const struct message *message)
{
	struct span value;
	struct call *call = progress_read(conn, message, &value);
	void *copy;

	if (!call) {
		conn_taken(conn);
		return 0;
	}
	copy = malloc(value.len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, value.p, value.len);
	conn_taken(conn);
	call->progress(conn, call->id, copy, value.len, call->progress_data);
	free(copy);
	return 0;
}

void client_too_large(chapi_conn *conn, uint32_t id)
{
	struct call *call = call_in_flight(conn, id);

	if (call)
		call_finish(conn, call, &reply_large);
}

void client_lost(chapi_conn *conn)
{
	struct call *call;

	list_for_each(call, &conn->calls_in_order, struct call, order) {
		if (!call->lost && call->end > conn->n_sent)
			call->end = UNSENT;
		call->lost = true;
	}
	while ((call = list_first(&conn->calls_in_order, struct call, order)) && call->lost)
		call_finish(conn, call, call->end == UNSENT ? &reply_unsent : &reply_lost);
}

void client_forget(chapi_conn *conn, uint32_t id)
{
	struct call *call = call_find(conn, id);

	if (call)
		call->fn = NULL;
}

/* ---- asking ---- */

/* A question to the gateway: a method and what to put into its params. */
struct question {
	const char *method;
	const char *api;			/* call: */
	struct given params;
	struct chapi_call_options options;
	struct span args;			/* any other method: the elements, and how many */
	uint32_t n_args;
};

static uint32_t n_options(const struct chapi_call_options *o)
{
	return (o->timeout_ms != 0) + (o->id != NULL) + (o->to != NULL) + o->full + o->oneway +
	       (o->progress != NULL) + o->raw;
}

static void put_true(struct buf *out, const char *key, bool value)
{
	if (!value)
		return;
	mp_put_str(out, key);
	mp_put_bool(out, true);
}

static void put_options(struct buf *out, const struct chapi_call_options *o)
{
	mp_put_map(out, n_options(o));
	if (o->timeout_ms != 0) {
		mp_put_str(out, "timeout_ms");
		mp_put_int(out, o->timeout_ms);
	}
	if (o->id) {
		mp_put_str(out, "id");
		mp_put_str(out, o->id);
	}
	if (o->to) {
		mp_put_str(out, "to");
		mp_put_str(out, o->to);
	}
	put_true(out, "full", o->full);
	put_true(out, "oneway", o->oneway);
	put_true(out, "progress", o->progress != NULL);
	put_true(out, "raw", o->raw);
}

static int put_call(struct buf *out, uint32_t id, const struct question *q)
{
	bool has_options = n_options(&q->options) > 0;
	int r;

	message_put_request(out, id, "call", has_options ? 3 : 2);
	mp_put_str(out, q->api);
	r = conn_put_given(out, &q->params, EMPTY_MAP);
	if (r == 0 && has_options)
		put_options(out, &q->options);
	return r;
}

static int put_question(struct buf *out, uint32_t id, const struct question *q)
{
	if (q->api)
		return put_call(out, id, q);
	message_put_request(out, id, q->method, q->n_args);
	mp_put_raw(out, q->args);
	return 0;
}

/* Asks; the call is in flight then. */
static int client_ask(chapi_conn *conn, const struct question *q, chapi_reply_fn fn, void *data,
		      struct call **ret_call)
{
	struct call *call;
	size_t start;
	int r;

	r = conn_begin(conn, &start);
	if (r < 0)
		return r;
	call = call_new(conn, fn, data);
	if (!call)
		return -CHAPI_ERR_NOMEM;
	r = conn_end(conn, start, put_question(&conn->out, call->id, q));
	if (r < 0) {
		free(call);
		return r;
	}
	call->full = q->options.full;
	call->progress = q->options.progress;
	call->progress_data = q->options.progress_data;
	call->end = conn->n_sent + conn->out.len;
	call_add(conn, call);
	*ret_call = call;
	return 0;
}

static int client_ask_id(chapi_conn *conn, const struct question *q, chapi_reply_fn fn, void *data,
			 uint32_t *ret_id)
{
	struct call *call;
	int r = client_ask(conn, q, fn, data, &call);

	if (r == 0 && ret_id)
		*ret_id = call->id;
	return r;
}

/* ---- cancelling ---- */

static int send_cancel(chapi_conn *conn, uint32_t id)
{
	size_t start;
	int r = conn_begin(conn, &start);

	if (r < 0)
		return r;
	message_put_notification(&conn->out, "cancel", 1);
	mp_put_uint(&conn->out, id);
	return conn_end_small(conn, start, 0);
}

int chapi_cancel(chapi_conn *conn, uint32_t id)
{
	if (!conn_is_open(conn))
		return -CHAPI_ERR_CONNECTION_LOST;
	return call_in_flight(conn, id) ? send_cancel(conn, id) : -CHAPI_ERR_GONE;
}

/* ---- waiting ---- */

/* Nobody waits for it any longer; if the gateway cannot be told, it does more than it must. */
static void give_up(chapi_conn *conn, uint32_t id)
{
	(void)!send_cancel(conn, id);
	call_finish(conn, call_find(conn, id), &reply_late);
}

/* until_ms: INT64_MAX for no limit. Comes back when the waiter has a reply. */
static int wait_for(chapi_conn *conn, uint32_t id, const struct waiter *waiter, int64_t until_ms)
{
	int64_t left_ms;
	int r = 0;

	while (!waiter->reply) {
		left_ms = until_ms == INT64_MAX ? -1 : MIN(until_ms - conn_clock_ms(), INT_MAX);
		if (until_ms != INT64_MAX && left_ms <= 0) {
			give_up(conn, id);
			break;
		}
		r = conn_turn(conn, (int)left_ms);
		if (r == -CHAPI_ERR_SYSTEM)
			break;
	}
	return waiter->reply ? 0 : r;
}

/* limit_ms: of our own; 0 is none. fn: sees the reply before anything that came behind it is
 * handled; NULL: nobody. */
static int client_ask_wait(chapi_conn *conn, const struct question *q, int64_t limit_ms,
			   chapi_reply_fn fn, void *data, chapi_reply **ret_reply)
{
	struct waiter waiter = { NULL };
	struct call *call;
	uint32_t id;
	int r = client_ask(conn, q, fn, data, &call);

	if (r < 0)
		return r;
	id = call->id;
	call->waiter = &waiter;
	conn_enter(conn);
	r = wait_for(conn, id, &waiter, limit_ms > 0 ? conn_clock_ms() + limit_ms : INT64_MAX);
	if (r < 0)
		call_remove(conn, call_find(conn, id));
	else
		*ret_reply = (chapi_reply *)waiter.reply;
	(void)conn_leave(conn);
	return r;
}

/* ---- chapi_call and its like ---- */

/* options may be of an older, shorter struct, or of a newer, longer one. */
static int question_call(struct question *q, const char *api, struct given params,
			 const struct chapi_call_options *options)
{
	*q = (struct question){ .method = "call", .api = api, .params = params };
	if (!api || (!params.p && params.len > 0) ||
	    conn_copy_options(&q->options, sizeof(q->options), options) < 0)
		return -CHAPI_ERR_USAGE;
	if (q->options.timeout_ms < 0 || q->options.timeout_ms > INT64_MAX / 2 ||
	    (q->options.oneway && q->options.progress))
		return -CHAPI_ERR_USAGE;
	return 0;
}

static int question_method(struct question *q, const char *method, struct span args)
{
	struct mp_reader r = mp_reader(args);
	size_t len;

	*q = (struct question){ .method = method };
	if (!method || (!args.p && args.len > 0))
		return -CHAPI_ERR_USAGE;
	if (!args.p)
		return 0;
	if (mp_length(args, MP_VALUE_DEPTH_MAX + 1, &len) != 0 || len != args.len ||
	    mp_read_array(&r, &q->n_args) != 0)
		return -CHAPI_ERR_MSGPACK;
	q->args = mp_rest(&r);
	return 0;
}

static int call_begin(chapi_conn *conn, const char *api, struct given params,
		      const struct chapi_call_options *options, chapi_reply_fn fn, void *data,
		      uint32_t *ret_id)
{
	struct question q;
	int r = question_call(&q, api, params, options);

	return r < 0 ? r : client_ask_id(conn, &q, fn, data, ret_id);
}

/* A gateway waits longer itself for the answer of another one. */
static int64_t grace_ms(const struct chapi_call_options *options)
{
	return options->to ? 2 * CLIENT_GRACE_MS : CLIENT_GRACE_MS;
}

static int call_wait(chapi_conn *conn, const char *api, struct given params,
		     const struct chapi_call_options *options, chapi_reply **ret_reply)
{
	struct question q;
	int64_t limit_ms;
	int r = question_call(&q, api, params, options);

	if (r < 0)
		return r;
	limit_ms = q.options.timeout_ms > 0 ? q.options.timeout_ms + grace_ms(&q.options) : 0;
	return client_ask_wait(conn, &q, limit_ms, NULL, NULL, ret_reply);
}

int chapi_call(chapi_conn *conn, const char *api, const void *params, size_t len,
	       const struct chapi_call_options *options, chapi_reply_fn fn, void *data,
	       uint32_t *ret_id)
{
	return call_begin(conn, api, given_msgpack(params, len), options, fn, data, ret_id);
}

int chapi_call_json(chapi_conn *conn, const char *api, const char *params,
		    const struct chapi_call_options *options, chapi_reply_fn fn, void *data,
		    uint32_t *ret_id)
{
	return call_begin(conn, api, given_json(params), options, fn, data, ret_id);
}

int chapi_call_wait(chapi_conn *conn, const char *api, const void *params, size_t len,
		    const struct chapi_call_options *options, chapi_reply **ret_reply)
{
	return call_wait(conn, api, given_msgpack(params, len), options, ret_reply);
}

int chapi_call_wait_json(chapi_conn *conn, const char *api, const char *params,
			 const struct chapi_call_options *options, chapi_reply **ret_reply)
{
	return call_wait(conn, api, given_json(params), options, ret_reply);
}

/* ---- chapi_method and its like ---- */

int client_ask_raw(chapi_conn *conn, const char *method, struct span args, chapi_reply_fn fn,
		   void *data, uint32_t *ret_id)
{
	struct question q;
	int r = question_method(&q, method, args);

	return r < 0 ? r : client_ask_id(conn, &q, fn, data, ret_id);
}

static int method_wait(chapi_conn *conn, const char *method, struct span args, int64_t limit_ms,
		       chapi_reply **ret_reply)
{
	struct question q;
	int r = question_method(&q, method, args);

	return r < 0 ? r : client_ask_wait(conn, &q, limit_ms, NULL, NULL, ret_reply);
}

int client_ask_code(chapi_conn *conn, const char *method, const struct buf *args, int64_t limit_ms,
		    chapi_reply **ret_reply)
{
	return client_ask_code_then(conn, method, args, limit_ms, NULL, NULL, ret_reply);
}

int client_ask_code_then(chapi_conn *conn, const char *method, const struct buf *args,
			 int64_t limit_ms, chapi_reply_fn fn, void *data, chapi_reply **ret_reply)
{
	struct question q;
	chapi_reply *reply;
	int r = question_method(&q, method, buf_span(args));

	if (r == 0)
		r = client_ask_wait(conn, &q, limit_ms, fn, data, &reply);
	if (r < 0)
		return r;
	r = -chapi_reply_code(reply);
	if (ret_reply)
		*ret_reply = reply;
	else
		chapi_reply_free(reply);
	return r;
}

/* text: an array, or NULL. */
static int args_from_json(const char *text, struct buf *args)
{
	struct value_fault fault;
	int r = 0;

	if (text)
		r = value_from_json(span_str(text), MP_VALUE_DEPTH_MAX + 1, args, &fault);
	return r > 0 ? -CHAPI_ERR_JSON : conn_buf_error(args);
}

int chapi_method(chapi_conn *conn, const char *method, const void *args, size_t len,
		 chapi_reply_fn fn, void *data, uint32_t *ret_id)
{
	return client_ask_raw(conn, method, span_of(args, len), fn, data, ret_id);
}

int chapi_method_json(chapi_conn *conn, const char *method, const char *args, chapi_reply_fn fn,
		      void *data, uint32_t *ret_id)
{
	struct buf memory CLEANUP(buf_deinit) = BUF_NULL;
	int r = args_from_json(args, &memory);

	return r < 0 ? r : client_ask_raw(conn, method, span_of(memory.p, memory.len), fn, data,
					  ret_id);
}

int chapi_method_wait(chapi_conn *conn, const char *method, const void *args, size_t len,
		      int timeout_ms, chapi_reply **ret_reply)
{
	return method_wait(conn, method, span_of(args, len), timeout_ms, ret_reply);
}

int chapi_method_wait_json(chapi_conn *conn, const char *method, const char *args, int timeout_ms,
			   chapi_reply **ret_reply)
{
	struct buf memory CLEANUP(buf_deinit) = BUF_NULL;
	int r = args_from_json(args, &memory);

	return r < 0 ? r : method_wait(conn, method, span_of(memory.p, memory.len), timeout_ms,
				       ret_reply);
}
