/* SPDX-License-Identifier: MIT */
/*
 * Watching what goes on at the gateway: its events, handed to the program.
 *
 * A new monitor is there before the gateway is asked, as events may come in one read with
 * its yes; it replaces the older ones when that has come. It keeps what it asked for, to ask
 * again when the connection was lost (reconnect.c).
 */
#include "libchapi-ipc/chapi-ipc.h"

#include <errno.h>
#include <stdlib.h>

#include "libchapi-ipc/args.h"
#include "libchapi-ipc/conn.h"

struct watch {
	struct list link;
	bool confirmed;		/* by the gateway */
	bool to_ask;		/* again, as the connection was lost */
	bool asked;		/* again, the answer has not come yet: the call's id */
	uint32_t asked_id;
	chapi_event_fn fn;
	void *data;
	struct buf args;
};

static struct watch *watch_last(const chapi_conn *conn)
{
	const struct list *list = &conn->watches;

	return list_empty(list) ? NULL : container_of(list->prev, struct watch, link);
}

static void watch_remove(chapi_conn *conn, struct watch *watch)
{
	if (watch->asked)
		client_forget(conn, watch->asked_id);
	list_del(&watch->link);
	buf_deinit(&watch->args);
	free(watch);
}

void watch_deinit(chapi_conn *conn)
{
	struct watch *watch;

	while ((watch = list_first(&conn->watches, struct watch, link)))
		watch_remove(conn, watch);
}

/* [event] */
int watch_event(chapi_conn *conn, const struct message *message)
{
	const struct watch *watch = watch_last(conn);
	struct mp_reader r = mp_reader(message->params);
	struct span event;
	void *copy;

	if (!watch || mp_read_raw(&r, &event) != 0) {
		conn_taken(conn);
		return 0;
	}
	copy = malloc(event.len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, event.p, event.len);
	conn_taken(conn);
	watch->fn(conn, copy, event.len, watch->data);
	free(copy);
	return 0;
}

/* ---- asking for it again ---- */

void watch_lost(chapi_conn *conn)
{
	struct watch *watch;

	list_for_each(watch, &conn->watches, struct watch, link)
		watch->to_ask = watch->confirmed;
}

static void on_answer_again(chapi_conn *conn, const chapi_reply *reply, void *data)
{
	struct watch *watch = data;
	int code = chapi_reply_code(reply);

	watch->asked = false;
	if (code == CHAPI_ERR_CONNECTION_LOST)
		return;
	if (code != CHAPI_OK)
		watch_remove(conn, watch);
	reconnect_tell_reply(conn, CHAPI_MONITOR_RESTORED, CHAPI_MONITOR_FAILED, NULL, reply);
}

int watch_restore(chapi_conn *conn)
{
	struct watch *watch;
	int r;

	list_for_each(watch, &conn->watches, struct watch, link) {
		if (!watch->to_ask)
			continue;
		r = client_ask_raw(conn, "monitor", buf_span(&watch->args), on_answer_again,
				   watch, &watch->asked_id);
		if (r < 0)
			return r;
		watch->asked = true;
		watch->to_ask = false;
	}
	return 0;
}

/* ---- asking ---- */

static int put_monitor(struct buf *args, const struct chapi_monitor_options *options)
{
	struct args_map map CLEANUP(args_map_deinit) = ARGS_MAP_NULL;
	struct chapi_monitor_options o = { .size = sizeof(o) };
	int r;

	if (conn_copy_options(&o, sizeof(o), options) < 0)
		return -CHAPI_ERR_USAGE;
	args_strs(&map, "kinds", o.kinds);
	args_strs(&map, "apis", o.apis);
	args_true(&map, "bodies", o.bodies);
	r = args_error(&map);
	mp_put_array(args, 1);
	args_put_map(args, &map);
	return r < 0 ? r : conn_buf_error(args);
}

static struct watch *watch_add(chapi_conn *conn, struct buf *args, chapi_event_fn fn,
				   void *data)
{
	struct watch *watch = malloc(sizeof(*watch));

	if (!watch)
		return NULL;
	*watch = (struct watch){ .fn = fn, .data = data, .args = *args };
	*args = (struct buf)BUF_NULL;
	list_add_tail(&conn->watches, &watch->link);
	return watch;
}

/* The gateway said yes: those before it do not count any more. */
static void watch_confirm(chapi_conn *conn, struct watch *watch)
{
	struct watch *other, *next;

	list_for_each_safe(other, next, &conn->watches, struct watch, link)
		if (other != watch && other->confirmed)
			watch_remove(conn, other);
	watch->confirmed = true;
}

int chapi_monitor(chapi_conn *conn, const struct chapi_monitor_options *options, chapi_event_fn fn,
		  void *data, chapi_reply **ret_reply)
{
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;
	struct watch *watch;
	int r;

	if (!fn)
		return -CHAPI_ERR_USAGE;
	r = put_monitor(&args, options);
	if (r < 0)
		return r;
	watch = watch_add(conn, &args, fn, data);
	if (!watch)
		return -CHAPI_ERR_NOMEM;
	conn_enter(conn);
	r = client_ask_code(conn, "monitor", &watch->args, CLIENT_LIMIT_MS, ret_reply);
	if (r < 0)
		watch_remove(conn, watch);
	else
		watch_confirm(conn, watch);
	(void)conn_leave(conn);
	return r;
}
