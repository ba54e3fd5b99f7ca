/* SPDX-License-Identifier: MIT */
/*
 * The connection to the gateway: its life, buffers, messages in and out.
 *
 * One recv() of up to 64 KiB and one send() each turn; every whole message that is there is
 * handled. What a message means is client.c (answers to our calls), service.c (requests to
 * our names) and the table of notifications below. Nothing here blocks on the socket.
 */
#include "libchapi-ipc/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE (64 * 1024)
#define KEEP_SIZE (128 * 1024)	/* memory that an empty buffer keeps */
#define OUT_MAX ((size_t)64 << 20)
#define OUT_SPARE ((size_t)64 << 10)	/* beyond that: small answers that must not get lost */
/* The highest limit that a gateway can have, and an envelope. */
#define MESSAGE_MAX (((size_t)64 << 20) + (64 << 10))

/* ---- life ---- */

int64_t conn_clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void conn_log(chapi_conn *conn, const char *fmt, ...)
{
	char line[256];
	va_list args;

	if (!conn->log)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	conn->log(line, conn->log_data);
}

static void conn_free(chapi_conn *conn)
{
	assert(conn->fd < 0 && conn->n_inside == 0 && list_empty(&conn->calls_in_order));
	watch_deinit(conn);
	names_deinit(conn);
	hashtable_deinit(&conn->requests);
	hashtable_deinit(&conn->calls);
	buf_deinit(&conn->in);
	buf_deinit(&conn->out);
	free(conn);
}

static chapi_conn *conn_new(void)
{
	chapi_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->fd = -1;
	buf_init(&conn->in, 0);
	buf_init(&conn->out, OUT_MAX + OUT_SPARE);
	hashtable_init(&conn->calls);
	list_init(&conn->calls_in_order);
	hashtable_init(&conn->handlers);
	list_init(&conn->handlers_in_order);
	hashtable_init(&conn->requests);
	list_init(&conn->requests_in_order);
	list_init(&conn->gone);
	list_init(&conn->owed);
	list_init(&conn->unwanted);
	list_init(&conn->watches);
	return conn;
}

/* Nothing of a former connection is left in it. */
static void conn_start(chapi_conn *conn, int fd)
{
	conn->fd = fd;
	conn->cut = conn->stalled = conn->partial = false;
	conn->taking = 0;
	conn->refused = -1;
	conn->n_sent = 0;
	frame_reader_init(&conn->reader, MESSAGE_MAX);
	conn->reader.encoding = ENCODING_MSGPACK;
	conn->reconnect.heard = false;
	conn->reconnect.since_ms = conn_clock_ms();
}

int conn_dial(chapi_conn *conn, int flags)
{
	int fd, r = conn_open_socket(conn->path, flags, &fd);

	if (r == 0)
		conn_start(conn, fd);
	return r;
}

int chapi_connect(const char *path, chapi_conn **ret_conn)
{
	chapi_conn *conn = conn_new();
	int r;

	if (!conn)
		return -CHAPI_ERR_NOMEM;
	r = chapi_find_socket(path, conn->path, sizeof(conn->path));
	if (r == 0)
		r = conn_dial(conn, 0);
	if (r < 0) {
		conn_free(conn);
		return r;
	}
	*ret_conn = conn;
	return 0;
}

/*
 * The end of it, once: everybody who waits is told. All is marked before the first callback
 * runs, since any of them may wait until the connection is there again.
 */
static void conn_lose(chapi_conn *conn, int error)
{
	if (conn->fd < 0)
		return;
	conn->error = error;
	close(conn->fd);
	conn->fd = -1;
	conn->taking = 0;
	conn->stalled = false;
	buf_deinit(&conn->in);
	buf_deinit(&conn->out);
	names_lost(conn);
	watch_lost(conn);
	reconnect_plan(conn, error);
	service_lost(conn);
	client_lost(conn);
	if (conn->closed)
		return;
	service_tell_lost(conn);
	reconnect_tell_lost(conn);
}

chapi_conn *chapi_close(chapi_conn *conn)
{
	if (!conn || conn->closed)
		return NULL;
	conn->closed = true;
	conn_enter(conn);
	conn_flush(conn);
	service_orphan(conn);
	conn_lose(conn, -CHAPI_ERR_CONNECTION_LOST);
	(void)conn_leave(conn);
	return NULL;
}

int conn_leave(chapi_conn *conn)
{
	int r = conn->stalled ? -CHAPI_ERR_NOMEM : 0;

	if (conn->fd < 0 && !reconnect_is_on(conn))
		r = conn->error;
	assert(conn->n_inside > 0);
	conn->n_inside--;
	if (!conn->closed)
		return r;
	if (conn->n_inside == 0)
		conn_free(conn);
	return 0;
}

/* ---- input ---- */

void conn_taken(chapi_conn *conn)
{
	buf_consume(&conn->in, conn->taking);
	conn->taking = 0;
}

static const struct {
	const char *method;
	int (*handle)(chapi_conn *conn, const struct message *message);
} notifications[] = {
	{ "cancel", service_cancel },
	{ "event", watch_event },
	{ "granted", names_granted },
	{ "progress", client_progress },
	{ "revoked", names_revoked },
};

static int conn_notification(chapi_conn *conn, const struct message *message)
{
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(notifications); i++)
		if (span_is(message->method, notifications[i].method))
			return notifications[i].handle(conn, message);
	snprintf(text, sizeof(text), "%.*s", (int)MIN(message->method.len, sizeof(text)),
		 (const char *)message->method.p);
	conn_taken(conn);
	conn_log(conn, "a notification that is not known was ignored: %s", text);
	return 0;
}

/* False: nothing more can be done now. */
static bool conn_message(chapi_conn *conn, const struct message *message)
{
	int r;

	conn->reconnect.heard = true;
	if (message->type == MESSAGE_RESPONSE)
		r = client_response(conn, message);
	else if (message->type == MESSAGE_REQUEST)
		r = service_request(conn, message);
	else
		r = conn_notification(conn, message);
	conn->stalled = r < 0;
	return r == 0;
}

static bool conn_frame(chapi_conn *conn, const struct frame *frame)
{
	struct message message;
	const char *why;

	if (message_parse(frame->bytes, frame->depth, &message, &why) == 0)
		return conn_message(conn, &message);
	conn_lose(conn, -CHAPI_ERR_BAD_MESSAGE);
	conn_log(conn, "the gateway sent a message that cannot be read: %s", why);
	return false;
}

static void conn_too_large(chapi_conn *conn, const struct frame *frame)
{
	conn_taken(conn);
	conn_log(conn, "a message of %llu bytes was passed over", (unsigned long long)frame->size);
	if (frame->type == MESSAGE_RESPONSE && frame->id >= 0)
		client_too_large(conn, (uint32_t)frame->id);
	else if (frame->type == MESSAGE_REQUEST && frame->id >= 0)
		service_refuse(conn, (uint32_t)frame->id);
}

/* Deals with the next message, whatever it is; false: there is no whole one, or it has to wait. */
static bool conn_next_any(chapi_conn *conn)
{
	struct frame frame;
	int r = frame_next(&conn->reader, buf_data(&conn->in), conn->in.len, &frame);

	conn->taking = frame.used;
	switch (r) {
	case 0:
		return conn_frame(conn, &frame);
	case FRAME_E_MORE:
		conn_taken(conn);
		conn->partial = true;
		return false;
	case FRAME_E_TOO_LARGE:
		conn_too_large(conn, &frame);
		return true;
	default:
		conn_lose(conn, -CHAPI_ERR_BAD_MESSAGE);
		conn_log(conn, "the gateway sent bytes that are not MessagePack");
		return false;
	}
}

static bool conn_next(chapi_conn *conn)
{
	struct message message;

	if (conn->fd < 0 || conn->in.len == 0)
		return false;
	if (service_tell_refused(conn) < 0) {
		conn->stalled = true;
		return false;
	}
	if (frame_begins_msgpack(&conn->reader) &&
	    message_read_usual(buf_span(&conn->in), conn->reader.max, &message,
			       &conn->taking) == 0)
		return conn_message(conn, &message);
	return conn_next_any(conn);
}

/* What recv() said; 0 and errors that do not pass end the connection. */
static void conn_received(chapi_conn *conn, ssize_t n)
{
	if (n > 0) {
		buf_commit(&conn->in, (size_t)n);
		conn->partial = false;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		conn_lose(conn, -CHAPI_ERR_CONNECTION_LOST);
	}
}

void conn_receive(chapi_conn *conn)
{
	uint8_t *room;

	if (conn->fd >= 0 && !conn->stalled) {
		room = buf_reserve(&conn->in, READ_SIZE);
		if (room) {
			conn_received(conn, recv(conn->fd, room, READ_SIZE, MSG_DONTWAIT));
		} else {
			buf_truncate(&conn->in, conn->in.len);
			conn->stalled = true;
			return;
		}
	}
	conn->stalled = false;
	while (conn_next(conn))
		;
	if (conn->in.len == 0)
		buf_shrink(&conn->in, KEEP_SIZE);
}

/* ---- output ---- */

int conn_begin(chapi_conn *conn, size_t *ret_start)
{
	if (!conn_is_open(conn))
		return -CHAPI_ERR_CONNECTION_LOST;
	*ret_start = conn->out.len;
	return 0;
}

int conn_end(chapi_conn *conn, size_t start, int r)
{
	if (r == 0 && conn->out.len > OUT_MAX)
		r = -CHAPI_ERR_FULL;
	return conn_end_small(conn, start, r);
}

int conn_end_small(chapi_conn *conn, size_t start, int r)
{
	if (r == 0)
		r = conn_buf_error(&conn->out);
	if (r < 0)
		buf_truncate(&conn->out, start);
	return r;
}

void conn_flush(chapi_conn *conn)
{
	ssize_t n;

	if (!conn_is_open(conn))
		return;
	reconnect_restore(conn);
	service_pay(conn);
	(void)!names_give_back(conn);
	if (conn->out.len == 0)
		return;
	n = send(conn->fd, buf_data(&conn->out), conn->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0) {
		conn->n_sent += (uint64_t)n;
		buf_consume(&conn->out, (size_t)n);
		buf_shrink(&conn->out, KEEP_SIZE);
	} else if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
		/* What the gateway said before it left is still to be read. */
		conn->cut = true;
		buf_clear(&conn->out);
	}
}
