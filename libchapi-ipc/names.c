/* SPDX-License-Identifier: MIT */
/*
 * Names that the program holds: taken, changed, given back, lost, and asked for again.
 *
 * A handler is there before the gateway is asked, as the first request may come in one read
 * with its yes; a second one of the same name waits aside until it is confirmed. It keeps
 * its options, to be registered again when the connection was lost (reconnect.c). A name that may
 * be granted after its time was over is given back (conn->unwanted). What
 * happens to requests is service.c.
 */
#include "libchapi-ipc/chapi-ipc.h"

#include <errno.h>
#include <stdlib.h>

#include "libchapi-ipc/args.h"
#include "libchapi-ipc/conn.h"

struct handler {
	struct hashtable_link link;
	struct list order;
	bool confirmed;		/* by the gateway; before, it is chapi_register()'s */
	bool paused;		/* our own part of it, or drained */
	bool to_register, to_pause;	/* to be asked for again */
	bool asked;		/* again, the answer has not come yet: the call's id */
	uint32_t asked_id;
	chapi_request_fn fn;
	void *data;
	struct args_map options;
	size_t name_len;
	char name[];
};

struct handler *names_find(const chapi_conn *conn, struct span name)
{
	struct hashtable_link *link = hashtable_first(&conn->handlers, hashtable_hash(name));
	struct handler *handler, *pending = NULL;

	for (; link; link = hashtable_next(link)) {
		handler = container_of(link, struct handler, link);
		if (!span_equal(span_of(handler->name, handler->name_len), name))
			continue;
		if (handler->confirmed)
			return handler;
		pending = handler;
	}
	return pending;
}

static struct handler *find_confirmed(const chapi_conn *conn, struct span name)
{
	struct handler *handler = names_find(conn, name);

	return handler && handler->confirmed ? handler : NULL;
}

void names_call(const struct handler *handler, chapi_request *request)
{
	handler->fn(request, handler->data);
}

/* Takes the options. */
static struct handler *handler_add(chapi_conn *conn, const char *name, struct args_map *options,
				   chapi_request_fn fn, void *data)
{
	size_t len = strlen(name);
	struct handler *handler = malloc(sizeof(*handler) + len + 1);

	if (!handler)
		return NULL;
	*handler = (struct handler){ .fn = fn, .data = data, .options = *options, .name_len = len };
	*options = (struct args_map)ARGS_MAP_NULL;
	memcpy(handler->name, name, len + 1);
	hashtable_add(&conn->handlers, &handler->link, hashtable_hash(span_str(name)));
	list_add_tail(&conn->handlers_in_order, &handler->order);
	return handler;
}

/* It is found no more, and nothing that is under way leads to it. */
static void handler_unhook(chapi_conn *conn, struct handler *handler)
{
	hashtable_del(&conn->handlers, &handler->link);
	list_del(&handler->order);
	if (handler->asked)
		client_forget(conn, handler->asked_id);
}

static void handler_free(struct handler *handler)
{
	args_map_deinit(&handler->options);
	free(handler);
}

static void handler_remove(chapi_conn *conn, struct handler *handler)
{
	handler_unhook(conn, handler);
	handler_free(handler);
}

static void remove_confirmed(chapi_conn *conn, struct span name)
{
	struct handler *handler = find_confirmed(conn, name);

	if (handler)
		handler_remove(conn, handler);
}

/* ---- granted too late ---- */

static int put_name(struct buf *args, const char *name)
{
	mp_put_array(args, 1);
	mp_put_str(args, name);
	return conn_buf_error(args);
}

static void unwanted_free(chapi_conn *conn)
{
	struct handler *handler;

	while ((handler = list_first(&conn->unwanted, struct handler, order))) {
		list_del(&handler->order);
		handler_free(handler);
	}
}

static int give_back(chapi_conn *conn, const struct handler *handler)
{
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;
	int r = put_name(&args, handler->name);

	return r < 0 ? r : client_ask_raw(conn, "unregister", buf_span(&args), NULL, NULL, NULL);
}

int names_give_back(chapi_conn *conn)
{
	struct handler *handler;
	int r = 0;

	while (r == 0 && (handler = list_first(&conn->unwanted, struct handler, order))) {
		r = give_back(conn, handler);
		if (r == 0) {
			list_del(&handler->order);
			handler_free(handler);
		}
	}
	return r;
}

/*
 * The program has been told that it does not hold the name, but the gateway may still grant it. It
 * takes what we say in order: "unregister" behind it undoes that. If we held the name before, it
 * can only be refused.
 */
static void handler_disown(chapi_conn *conn, struct handler *handler)
{
	bool held = find_confirmed(conn, span_of(handler->name, handler->name_len));

	handler_unhook(conn, handler);
	if (held || !conn_is_open(conn))
		handler_free(handler);
	else
		list_add_tail(&conn->unwanted, &handler->order);
}

void names_deinit(chapi_conn *conn)
{
	struct handler *handler;

	unwanted_free(conn);
	while ((handler = list_first(&conn->handlers_in_order, struct handler, order)))
		handler_remove(conn, handler);
	hashtable_deinit(&conn->handlers);
}

/* ---- what the gateway does with them ---- */

void chapi_set_name_fn(chapi_conn *conn, chapi_name_fn fn, void *data)
{
	conn->name_fn = fn;
	conn->name_data = data;
}

/* [name, reason?], of which copies are needed, as the callback may do anything. */
static int read_change(const struct message *message, char **ret_name, char **ret_reason)
{
	struct mp_reader r = mp_reader(message->params);
	struct span name, reason;
	char *w;

	if (mp_read_str(&r, &name) != 0)
		name = span_of("", 0);
	if (mp_read_str(&r, &reason) != 0)
		reason = span_of("", 0);
	w = malloc(name.len + reason.len + 2);
	if (!w)
		return -ENOMEM;
	*ret_name = conn_store(&w, name);
	*ret_reason = conn_store(&w, reason);
	return 0;
}

static int name_changed(chapi_conn *conn, const struct message *message,
			enum chapi_name_change change)
{
	char *name, *reason;
	int r = read_change(message, &name, &reason);

	if (r < 0)
		return r;
	conn_taken(conn);
	if (change == CHAPI_NAME_REVOKED)
		remove_confirmed(conn, span_str(name));
	if (conn->name_fn && name[0] != '\0')
		conn->name_fn(conn, change, name, reason, conn->name_data);
	free(name);
	return 0;
}

int names_granted(chapi_conn *conn, const struct message *message)
{
	return name_changed(conn, message, CHAPI_NAME_GRANTED);
}

int names_revoked(chapi_conn *conn, const struct message *message)
{
	return name_changed(conn, message, CHAPI_NAME_REVOKED);
}

/* ---- asking for them again ---- */

void names_lost(chapi_conn *conn)
{
	struct handler *handler;

	unwanted_free(conn);	/* the gateway has taken them back itself */
	list_for_each(handler, &conn->handlers_in_order, struct handler, order) {
		handler->to_register = handler->confirmed;
		handler->to_pause = handler->confirmed && handler->paused;
	}
}

static int put_register(struct buf *args, const char *name, const struct args_map *options)
{
	mp_put_array(args, 2);
	mp_put_str(args, name);
	args_put_map(args, options);
	return conn_buf_error(args);
}

static void on_registered_again(chapi_conn *conn, const chapi_reply *reply, void *data)
{
	struct handler *handler = data;
	int code = chapi_reply_code(reply);

	handler->asked = false;
	if (code == CHAPI_ERR_CONNECTION_LOST)
		return;
	if (code == CHAPI_OK) {
		reconnect_tell_reply(conn, CHAPI_NAME_RESTORED, CHAPI_NAME_FAILED, handler->name,
				     reply);
		return;
	}
	handler_unhook(conn, handler);
	reconnect_tell_reply(conn, CHAPI_NAME_RESTORED, CHAPI_NAME_FAILED, handler->name, reply);
	handler_free(handler);
}

static int register_again(chapi_conn *conn, struct handler *handler)
{
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;
	int r = put_register(&args, handler->name, &handler->options);

	if (r == 0)
		r = client_ask_raw(conn, "register", buf_span(&args), on_registered_again, handler,
				   &handler->asked_id);
	if (r < 0)
		return r;
	handler->asked = true;
	handler->to_register = false;
	return 0;
}

static int pause_again(chapi_conn *conn, struct handler *handler)
{
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;
	int r = put_name(&args, handler->name);

	if (r == 0)
		r = client_ask_raw(conn, "pause", buf_span(&args), NULL, NULL, NULL);
	if (r == 0)
		handler->to_pause = false;
	return r;
}

int names_restore(chapi_conn *conn)
{
	struct handler *handler;
	int r = 0;

	list_for_each(handler, &conn->handlers_in_order, struct handler, order) {
		if (handler->to_register)
			r = register_again(conn, handler);
		if (r == 0 && handler->to_pause)
			r = pause_again(conn, handler);
		if (r < 0)
			break;
	}
	return r;
}

/* ---- taking and giving back ---- */

static void read_limits(struct args_map *map, const struct chapi_api_options *o)
{
	args_int(map, "concurrency", o->concurrency);
	if (o->queue < 0)
		args_zero(map, "queue");
	else
		args_int(map, "queue", o->queue);
	args_int(map, "timeout_ms", o->timeout_ms);
	args_int(map, "timeout_max_ms", o->timeout_max_ms);
}

static int read_options(struct args_map *map, const struct chapi_api_options *options)
{
	struct chapi_api_options o = { .size = sizeof(o) };

	if (conn_copy_options(&o, sizeof(o), options) < 0)
		return -CHAPI_ERR_USAGE;
	args_str(map, "summary", o.summary);
	args_str(map, "policy", o.policy);
	args_str(map, "visibility", o.visibility);
	read_limits(map, &o);
	args_true(map, "idempotent", o.idempotent);
	args_str(map, "description", o.description);
	args_str(map, "version", o.version);
	args_strs(map, "tags", o.tags);
	args_json(map, "params", o.params_json);
	args_json(map, "result", o.result_json);
	args_members(map, o.options_json);
	return args_error(map);
}

/* The gateway says yes: at once, as what comes behind may be that it is over again. */
static void on_registered(chapi_conn *conn, const chapi_reply *reply, void *data)
{
	struct handler **unsettled = data, *handler = *unsettled;

	if (chapi_reply_code(reply) != CHAPI_OK)
		return;
	remove_confirmed(conn, span_of(handler->name, handler->name_len));
	handler->confirmed = true;
	*unsettled = NULL;	/* anybody may take it away from now on */
}

/* Not confirmed. r: how asking for it went. */
static void handler_settle(chapi_conn *conn, struct handler *handler, int r)
{
	if (r == -CHAPI_ERR_DEADLINE_EXCEEDED || r == -CHAPI_ERR_SYSTEM)
		handler_disown(conn, handler);
	else
		handler_remove(conn, handler);
}

int chapi_register(chapi_conn *conn, const char *name, const struct chapi_api_options *options,
		   chapi_request_fn fn, void *data, chapi_reply **ret_reply)
{
	struct args_map map CLEANUP(args_map_deinit) = ARGS_MAP_NULL;
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;
	struct handler *handler;
	int r;

	if (!name || !fn)
		return -CHAPI_ERR_USAGE;
	r = read_options(&map, options);
	if (r == 0)
		r = put_register(&args, name, &map);
	if (r == 0)
		r = names_give_back(conn);	/* or it would undo this one */
	if (r < 0)
		return r;
	handler = handler_add(conn, name, &map, fn, data);
	if (!handler)
		return -CHAPI_ERR_NOMEM;
	conn_enter(conn);
	r = client_ask_code_then(conn, "register", &args, on_registered, &handler, ret_reply);
	if (handler)
		handler_settle(conn, handler, r);
	(void)conn_leave(conn);
	return r;
}

/* A method whose one param is a name. */
static int ask_about(chapi_conn *conn, const char *method, const char *name,
		     chapi_reply **ret_reply)
{
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;
	int r;

	if (!name)
		return -CHAPI_ERR_USAGE;
	r = put_name(&args, name);
	return r < 0 ? r : client_ask_code(conn, method, &args, CLIENT_LIMIT_MS, ret_reply);
}

int chapi_unregister(chapi_conn *conn, const char *name, chapi_reply **ret_reply)
{
	int r;

	conn_enter(conn);
	r = ask_about(conn, "unregister", name, ret_reply);
	/* Without memory or room for asking, the name is still held. */
	if (r != -CHAPI_ERR_USAGE && r != -CHAPI_ERR_NOMEM && r != -CHAPI_ERR_FULL)
		remove_confirmed(conn, span_str(name));
	(void)conn_leave(conn);
	return r;
}

/* ---- changing ---- */

/* What the name's options are when the gateway has said yes; none if we do not hold it. */
static int options_after(const chapi_conn *conn, const char *name, const struct args_map *update,
			 struct args_map *ret)
{
	const struct handler *handler = find_confirmed(conn, span_str(name));

	args_merge(ret, update);
	if (handler)
		args_merge(ret, &handler->options);
	return args_error(ret);
}

static void handler_set_options(chapi_conn *conn, const char *name, struct args_map *options)
{
	struct handler *handler = find_confirmed(conn, span_str(name));
	struct args_map old;

	if (!handler)
		return;
	old = handler->options;
	handler->options = *options;
	*options = old;
}

int chapi_update(chapi_conn *conn, const char *name, const struct chapi_api_options *options,
		 chapi_reply **ret_reply)
{
	struct args_map map CLEANUP(args_map_deinit) = ARGS_MAP_NULL;
	struct args_map after CLEANUP(args_map_deinit) = ARGS_MAP_NULL;
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;
	int r;

	if (!name)
		return -CHAPI_ERR_USAGE;
	r = read_options(&map, options);
	if (r == 0)
		r = put_register(&args, name, &map);
	if (r == 0)
		r = options_after(conn, name, &map, &after);
	if (r < 0)
		return r;
	conn_enter(conn);
	r = client_ask_code(conn, "update", &args, CLIENT_LIMIT_MS, ret_reply);
	if (r == 0)
		handler_set_options(conn, name, &after);
	(void)conn_leave(conn);
	return r;
}

/* For the next time that the name is registered. */
static void handler_set_paused(chapi_conn *conn, const char *name, bool paused)
{
	struct handler *handler = find_confirmed(conn, span_str(name));

	if (handler)
		handler->paused = paused;
}

static int ask_to_pause(chapi_conn *conn, const char *method, const char *name, bool paused,
			chapi_reply **ret_reply)
{
	int r;

	conn_enter(conn);
	r = ask_about(conn, method, name, ret_reply);
	if (r == 0)
		handler_set_paused(conn, name, paused);
	(void)conn_leave(conn);
	return r;
}

int chapi_pause(chapi_conn *conn, const char *name, chapi_reply **ret_reply)
{
	return ask_to_pause(conn, "pause", name, true, ret_reply);
}

int chapi_resume(chapi_conn *conn, const char *name, chapi_reply **ret_reply)
{
	return ask_to_pause(conn, "resume", name, false, ret_reply);
}

static int put_drain(struct buf *args, const char *name, int64_t timeout_ms)
{
	mp_put_array(args, 2);
	mp_put_str(args, name);
	mp_put_map(args, timeout_ms > 0);
	if (timeout_ms > 0) {
		mp_put_str(args, "timeout_ms");
		mp_put_int(args, timeout_ms);
	}
	return conn_buf_error(args);
}

int chapi_drain(chapi_conn *conn, const char *name, int64_t timeout_ms, chapi_reply **ret_reply)
{
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;
	int r;

	if (!name || timeout_ms < 0 || timeout_ms > INT64_MAX / 2)
		return -CHAPI_ERR_USAGE;
	r = put_drain(&args, name, timeout_ms);
	if (r < 0)
		return r;
	conn_enter(conn);
	r = client_ask_code(conn, "drain", &args, timeout_ms > 0 ? timeout_ms + CLIENT_GRACE_MS : 0,
			    ret_reply);
	/* When its time is over the name takes no calls all the same. */
	if (r == 0 || r == -CHAPI_ERR_DEADLINE_EXCEEDED)
		handler_set_paused(conn, name, true);
	(void)conn_leave(conn);
	return r;
}
