/* SPDX-License-Identifier: MIT */
/*
 * Driving the connection: by a loop of the program's, or by one that is here.
 *
 * Functions that wait do so in poll(2), for input and output at once, as a gateway that cannot
 * write to us does not read either.
 */
#include "libchapi-ipc/conn.h"

#include <errno.h>
#include <poll.h>

#define STALL_MS 100

const char *chapi_get_path(const chapi_conn *conn)
{
	return conn->path;
}

int chapi_get_fd(const chapi_conn *conn)
{
	return conn->fd;
}

int chapi_get_events(const chapi_conn *conn)
{
	if (conn->fd < 0)
		return 0;
	return (conn->stalled ? 0 : POLLIN) | (conn->out.len > 0 ? POLLOUT : 0);
}

/* For which there was no room or no memory: it is tried again. */
static bool conn_owes(const chapi_conn *conn)
{
	return conn->refused >= 0 || !list_empty(&conn->owed) || !list_empty(&conn->unwanted);
}

/* The sooner of two waits of milliseconds, -1: no limit. */
static int sooner(int a_ms, int b_ms)
{
	if (a_ms < 0 || b_ms < 0)
		return MAX(a_ms, b_ms);
	return MIN(a_ms, b_ms);
}

int chapi_get_timeout_ms(const chapi_conn *conn)
{
	int r = conn->stalled || conn_owes(conn) ? STALL_MS : -1;

	if (conn->fd < 0 && !reconnect_is_on(conn))
		return 0;
	return sooner(r, reconnect_timeout_ms(conn));
}

int chapi_process(chapi_conn *conn)
{
	conn_enter(conn);
	reconnect_process(conn);
	conn_receive(conn);
	conn_flush(conn);
	return conn_leave(conn);
}

/* A callback that waits: messages that came with the one it was called for are here already. */
static bool conn_has_backlog(const chapi_conn *conn)
{
	return conn->in.len > 0 && !conn->partial && !conn->stalled;
}

/* What can be sent at once has been. */
static int conn_wait(chapi_conn *conn, int timeout_ms)
{
	struct pollfd pfd = { .fd = conn->fd, .events = (short)chapi_get_events(conn) };
	int n;

	if (conn_has_backlog(conn))
		timeout_ms = 0;
	n = poll(&pfd, 1, sooner(timeout_ms, chapi_get_timeout_ms(conn)));
	if (n < 0)
		return errno == EINTR ? 0 : -CHAPI_ERR_SYSTEM;
	return chapi_process(conn);
}

int conn_turn(chapi_conn *conn, int timeout_ms)
{
	conn_flush(conn);
	return conn_wait(conn, timeout_ms);
}

/* Having sent the last of the output is something too: who waits for just that must not go on
 * to wait for input. */
int chapi_run_once(chapi_conn *conn, int timeout_ms)
{
	bool waits = conn->out.len > 0;

	conn_flush(conn);
	return conn_wait(conn, waits && conn->out.len == 0 ? 0 : timeout_ms);
}

int chapi_run(chapi_conn *conn)
{
	int r = 0;

	conn_enter(conn);
	while (!conn->stopped && !conn->closed && (r == 0 || r == -CHAPI_ERR_NOMEM))
		r = conn_turn(conn, -1);
	if (conn->stopped || conn->closed)
		r = 0;
	conn->stopped = false;
	(void)conn_leave(conn);
	return r;
}

void chapi_stop(chapi_conn *conn)
{
	conn->stopped = true;
}

void chapi_set_log(chapi_conn *conn, chapi_log_fn fn, void *data)
{
	conn->log = fn;
	conn->log_data = data;
}
