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

struct monitor {
	struct list link;
	bool confirmed;		/* by the gateway */
	bool to_ask;		/* again, as the connection was lost */
	bool asked;		/* again, the answer has not come yet: the call's id */
	uint32_t asked_id;
	chapi_event_fn fn;
	void *data;
	struct buf args;
};

static struct monitor *monitor_last(const chapi_conn *conn)
{
	const struct list *list = &conn->monitors;

	return list_empty(list) ? NULL : container_of(list->prev, struct monitor, link);
}

static void monitor_remove(chapi_conn *conn, struct monitor *monitor)
{
	if (monitor->asked)
		client_forget(conn, monitor->asked_id);
	list_del(&monitor->link);
	buf_deinit(&monitor->args);
	free(monitor);
}

void monitor_deinit(chapi_conn *conn)
{
	struct monitor *monitor;

	while ((monitor = list_first(&conn->monitors, struct monitor, link)))
		monitor_remove(conn, monitor);
}

/* [event] */
int monitor_event(chapi_conn *conn, const struct message *message)
{
	const struct monitor *monitor = monitor_last(conn);
	struct mp_reader r = mp_reader(message->params);
	struct span event;
	void *copy;

	if (!monitor || mp_read_raw(&r, &event) != 0) {
		conn_taken(conn);
		return 0;
	}
	copy = malloc(event.len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, event.p, event.len);
	conn_taken(conn);
	monitor->fn(conn, copy, event.len, monitor->data);
	free(copy);
	return 0;
}

/* ---- asking for it again ---- */

void monitor_lost(chapi_conn *conn)
{
	struct monitor *monitor;

	list_for_each(monitor, &conn->monitors, struct monitor, link)
		monitor->to_ask = monitor->confirmed;
}

static void on_answer_again(chapi_conn *conn, const chapi_reply *reply, void *data)
{
	struct monitor *monitor = data;
	int code = chapi_reply_code(reply);

	monitor->asked = false;
	if (code == CHAPI_ERR_CONNECTION_LOST)
		return;
	if (code != CHAPI_OK)
		monitor_remove(conn, monitor);
	reconnect_tell_reply(conn, CHAPI_MONITOR_RESTORED, CHAPI_MONITOR_FAILED, NULL, reply);
}

int monitor_restore(chapi_conn *conn)
{
	struct monitor *monitor;
	int r;

	list_for_each(monitor, &conn->monitors, struct monitor, link) {
		if (!monitor->to_ask)
			continue;
		r = client_ask_raw(conn, "monitor", buf_span(&monitor->args), on_answer_again,
				   monitor, &monitor->asked_id);
		if (r < 0)
			return r;
		monitor->asked = true;
		monitor->to_ask = false;
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

static struct monitor *monitor_add(chapi_conn *conn, struct buf *args, chapi_event_fn fn,
				   void *data)
{
	struct monitor *monitor = malloc(sizeof(*monitor));

	if (!monitor)
		return NULL;
	*monitor = (struct monitor){ .fn = fn, .data = data, .args = *args };
	*args = (struct buf)BUF_NULL;
	list_add_tail(&conn->monitors, &monitor->link);
	return monitor;
}

/* The gateway said yes: those before it do not count any more. */
static void monitor_confirm(chapi_conn *conn, struct monitor *monitor)
{
	struct monitor *other, *next;

	list_for_each_safe(other, next, &conn->monitors, struct monitor, link)
		if (other != monitor && other->confirmed)
			monitor_remove(conn, other);
	monitor->confirmed = true;
}

int chapi_monitor(chapi_conn *conn, const struct chapi_monitor_options *options, chapi_event_fn fn,
		  void *data, chapi_reply **ret_reply)
{
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;
	struct monitor *monitor;
	int r;

	if (!fn)
		return -CHAPI_ERR_USAGE;
	r = put_monitor(&args, options);
	if (r < 0)
		return r;
	monitor = monitor_add(conn, &args, fn, data);
	if (!monitor)
		return -CHAPI_ERR_NOMEM;
	conn_enter(conn);
	r = client_ask_code(conn, "monitor", &monitor->args, CLIENT_LIMIT_MS, ret_reply);
	if (r < 0)
		monitor_remove(conn, monitor);
	else
		monitor_confirm(conn, monitor);
	(void)conn_leave(conn);
	return r;
}
