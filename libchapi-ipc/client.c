/* SPDX-License-Identifier: MIT */
/*
 * Calls that the program makes: asked, kept by id, answered once.
 *
 * What is asked is question.c, what the answer says reply.c.
 */
#include "libchapi-ipc/chapi-ipc.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "libchapi-ipc/conn.h"
#include "libchapi-ipc/question.h"
#include "libchapi-ipc/reply.h"
#include "libchapi-ipc/value.h"

#define UNSENT UINT64_MAX	/* struct call, end: the gateway cannot have read it whole */

/* ---- calls in flight ---- */

struct call {
	struct hashtable_link link;
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
	struct hashtable_link *link = hashtable_first(&conn->calls, id);

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
	hashtable_add(&conn->calls, &call->link, call->id);
	list_add_tail(&conn->calls_in_order, &call->order);
}

static void call_remove(chapi_conn *conn, struct call *call)
{
	hashtable_del(&conn->calls, &call->link);
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
	const chapi_reply *reply;

	if (!call) {
		conn_taken(conn);
		conn_log(conn, "an answer to nothing that was asked was ignored");
		return 0;
	}
	reply = reply_read(message, call->full);
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
	r = conn_end(conn, start, question_put(&conn->out, call->id, q));
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
	struct question q;
	int r = question_call(&q, api, given_msgpack(params, len), options);

	return r < 0 ? r : client_ask_id(conn, &q, fn, data, ret_id);
}

int chapi_call_json(chapi_conn *conn, const char *api, const char *params,
		    const struct chapi_call_options *options, chapi_reply_fn fn, void *data,
		    uint32_t *ret_id)
{
	struct question q;
	int r = question_call(&q, api, given_json(params), options);

	return r < 0 ? r : client_ask_id(conn, &q, fn, data, ret_id);
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

/* The reply goes to who wants it, its code is what is returned. */
static int reply_to_code(chapi_reply *reply, chapi_reply **ret_reply)
{
	int code = chapi_reply_code(reply);

	if (ret_reply)
		*ret_reply = reply;
	else
		chapi_reply_free(reply);
	return -code;
}

int client_ask_code(chapi_conn *conn, const char *method, const struct buf *args, int64_t limit_ms,
		    chapi_reply **ret_reply)
{
	chapi_reply *reply;
	int r = method_wait(conn, method, buf_span(args), limit_ms, &reply);

	return r < 0 ? r : reply_to_code(reply, ret_reply);
}

int client_ask_code_then(chapi_conn *conn, const char *method, const struct buf *args,
			 chapi_reply_fn fn, void *data, chapi_reply **ret_reply)
{
	struct question q;
	chapi_reply *reply;
	int r = question_method(&q, method, buf_span(args));

	if (r == 0)
		r = client_ask_wait(conn, &q, CLIENT_LIMIT_MS, fn, data, &reply);
	return r < 0 ? r : reply_to_code(reply, ret_reply);
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
