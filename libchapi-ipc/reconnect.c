/* SPDX-License-Identifier: MIT */
/*
 * A lost connection is made again: when, and what the program is told of it.
 *
 * The waits double from 100 ms to 5 s, each shortened by chance, so that many programs that
 * lost the same gateway do not all come back at once. They begin anew when a connection
 * proved good: something was heard of the gateway, or it held for the longest wait. Names
 * and monitor are asked for again in front of anything else (names.c, watch.c).
 */
#include "libchapi-ipc/chapi-ipc.h"

#include <limits.h>
#include <sys/socket.h>
#include <time.h>

#include "libchapi-ipc/conn.h"

#define WAIT_MIN_MS 100
#define WAIT_MAX_MS 5000
#define RESTORE_AGAIN_MS 100	/* no memory for asking: it is tried again */

bool reconnect_is_on(const chapi_conn *conn)
{
	return conn->reconnect.on && !conn->closed;
}

/* Between a half and the whole of it. */
static int64_t shortened(int64_t wait_ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return wait_ms - (ts.tv_nsec / 1000) % (wait_ms / 2 + 1);
}

static void plan_next(struct reconnect *reconnect, int64_t now_ms)
{
	int64_t wait_ms = WAIT_MIN_MS;

	for (unsigned int i = 0; i < reconnect->n_tries && wait_ms < WAIT_MAX_MS; i++)
		wait_ms *= 2;
	reconnect->n_tries++;
	reconnect->due_ms = now_ms + shortened(MIN(wait_ms, WAIT_MAX_MS));
}

void reconnect_plan(chapi_conn *conn, int error)
{
	struct reconnect *reconnect = &conn->reconnect;
	int64_t now_ms = conn_clock_ms();

	if (reconnect->heard || now_ms - reconnect->since_ms >= WAIT_MAX_MS)
		reconnect->n_tries = 0;
	reconnect->restoring = true;
	reconnect->untold = error;
	plan_next(reconnect, now_ms);
}

/* Tells the program, if it wants to know. */
static void tell(chapi_conn *conn, const struct chapi_change *change)
{
	if (conn->reconnect.fn && !conn->closed)
		conn->reconnect.fn(conn, change, conn->reconnect.data);
}

/* A callback that came first may have waited until it was made again: no CONNECTED before LOST. */
void reconnect_tell_lost(chapi_conn *conn)
{
	const struct chapi_change change = { .size = sizeof(change), .kind = CHAPI_LOST,
					     .error = conn->reconnect.untold };

	conn->reconnect.untold = 0;
	if (change.error != 0)
		tell(conn, &change);
}

void reconnect_tell_reply(chapi_conn *conn, enum chapi_change_kind ok,
			  enum chapi_change_kind failed, const char *name, const chapi_reply *reply)
{
	int code = chapi_reply_code(reply);
	const struct chapi_change change = { .size = sizeof(change),
					     .kind = code == CHAPI_OK ? ok : failed,
					     .error = -code, .name = name, .reply = reply };

	tell(conn, &change);
}

void reconnect_process(chapi_conn *conn)
{
	const struct chapi_change change = { .size = sizeof(change), .kind = CHAPI_CONNECTED };

	if (conn->fd >= 0 || !reconnect_is_on(conn) || conn_clock_ms() < conn->reconnect.due_ms)
		return;
	if (conn_dial(conn, SOCK_NONBLOCK) < 0) {
		plan_next(&conn->reconnect, conn_clock_ms());
		return;
	}
	reconnect_restore(conn);
	reconnect_tell_lost(conn);
	tell(conn, &change);
}

void reconnect_restore(chapi_conn *conn)
{
	if (conn->reconnect.restoring && conn_is_open(conn))
		conn->reconnect.restoring = names_restore(conn) < 0 || watch_restore(conn) < 0;
}

int reconnect_timeout_ms(const chapi_conn *conn)
{
	int64_t left_ms;

	if (conn->fd >= 0)
		return conn->reconnect.restoring ? RESTORE_AGAIN_MS : -1;
	if (!reconnect_is_on(conn))
		return -1;
	left_ms = conn->reconnect.due_ms - conn_clock_ms();
	return (int)MIN(MAX(left_ms, 0), INT_MAX);
}

void chapi_set_reconnect(chapi_conn *conn, bool on, chapi_change_fn fn, void *data)
{
	conn->reconnect.on = on;
	conn->reconnect.fn = fn;
	conn->reconnect.data = data;
}
