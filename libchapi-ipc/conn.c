/* SPDX-License-Identifier: MIT */
/*
 * The connection to the gateway: socket, buffers, messages in and out.
 *
 * One recv() of up to 64 KiB and one send() each turn; every whole message that is there is
 * handled. What a message means is client.c (answers to our calls), service.c (requests to
 * our names) and the table of notifications below. Nothing blocks on the socket; functions
 * that wait do so in poll(2), for input and output at once, as a gateway that cannot write
 * to us does not read either.
 */
#include "libchapi-ipc/conn.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "libchapi-ipc/mp_scan.h"
#include "libchapi-ipc/value.h"

#define READ_SIZE (64 * 1024)
#define KEEP_SIZE (128 * 1024)	/* memory that an empty buffer keeps */
#define OUT_MAX ((size_t)64 << 20)
#define OUT_SPARE ((size_t)64 << 10)	/* beyond that: small answers that must not get lost */
/* The highest limit that a gateway can have, and an envelope. */
#define MESSAGE_MAX (((size_t)64 << 20) + (64 << 10))
#define CONNECT_TIMEOUT_S 5
#define STALL_MS 100

/* ---- finding and opening the socket ---- */

static int path_copy(const char *path, char *ret_path, size_t size)
{
	size_t len = strlen(path);

	if (len == 0 || len >= size)
		return -CHAPI_ERR_PATH;
	memcpy(ret_path, path, len + 1);
	return 0;
}

static int path_of_user(char *ret_path, size_t size)
{
	const char *folder = getenv("XDG_RUNTIME_DIR");
	int n;

	if (!folder || folder[0] == '\0')
		return -CHAPI_ERR_PATH;
	n = snprintf(ret_path, size, "%s/chapi/gw.sock", folder);
	if (n < 0 || (size_t)n >= size || access(ret_path, F_OK) < 0)
		return -CHAPI_ERR_PATH;
	return 0;
}

int chapi_find_socket(const char *path, char *ret_path, size_t size)
{
	const char *named = path ? path : getenv("CHAPI_SOCKET");

	if (path || (named && named[0] != '\0'))
		return path_copy(named, ret_path, size);
	if (path_of_user(ret_path, size) == 0)
		return 0;
	return path_copy(CHAPI_DEFAULT_SOCKET, ret_path, size);
}

static int connect_error(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
	case ENOTSOCK:
		return -CHAPI_ERR_NO_GATEWAY;
	case EACCES:
	case EPERM:
		return -CHAPI_ERR_ACCESS;
	case ENAMETOOLONG:
		return -CHAPI_ERR_PATH;
	case ENOMEM:
	case ENOBUFS:
		return -CHAPI_ERR_NOMEM;
	case EAGAIN:		/* its queue of new connections stayed full */
		errno = ETIMEDOUT;
		return -CHAPI_ERR_SYSTEM;
	default:
		return -CHAPI_ERR_SYSTEM;
	}
}

static int socket_connect(int fd, const char *path)
{
	const struct timeval limit = { .tv_sec = CONNECT_TIMEOUT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r;

	memcpy(address.sun_path, path, strlen(path) + 1);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return connect_error(errno);
	do
		r = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	while (r < 0 && errno == EINTR);
	return r < 0 ? connect_error(errno) : 0;
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
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	int r, saved;

	if (fd < 0)
		return connect_error(errno);
	r = socket_connect(fd, conn->path);
	if (r < 0) {
		saved = errno;
		close(fd);
		errno = saved;
		return r;
	}
	conn_start(conn, fd);
	return 0;
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

struct span conn_map_text(struct span map, const char *key)
{
	struct span value, text;
	struct mp_reader r;

	if (mp_map_get(map, key, &value) != 0)
		return span_of("", 0);
	r = mp_reader(value);
	return mp_read_str(&r, &text) == 0 ? text : span_of("", 0);
}

char *conn_store(char **w, struct span s)
{
	char *at = *w;

	if (s.len > 0)
		memcpy(at, s.p, s.len);
	at[s.len] = '\0';
	*w += s.len + 1;
	return at;
}

int conn_copy_options(void *to, size_t to_size, const void *from)
{
	size_t size;

	if (!from)
		return 0;
	memcpy(&size, from, sizeof(size));
	if (size < sizeof(size))
		return -CHAPI_ERR_USAGE;
	memcpy(to, from, MIN(size, to_size));
	return 0;
}

int64_t conn_clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

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
static bool conn_message(chapi_conn *conn, const struct frame *frame)
{
	struct message message;
	const char *why;
	int r;

	if (message_parse(frame->bytes, frame->depth, &message, &why) != 0) {
		conn_lose(conn, -CHAPI_ERR_BAD_MESSAGE);
		conn_log(conn, "the gateway sent a message that cannot be read: %s", why);
		return false;
	}
	conn->reconnect.heard = true;
	if (message.type == MESSAGE_RESPONSE)
		r = client_response(conn, &message);
	else if (message.type == MESSAGE_REQUEST)
		r = service_request(conn, &message);
	else
		r = conn_notification(conn, &message);
	conn->stalled = r < 0;
	return r == 0;
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

/* Deals with the next message; false: there is no whole one, or it has to wait. */
static bool conn_next(chapi_conn *conn)
{
	struct frame frame;
	int r;

	if (conn->fd < 0 || conn->in.len == 0)
		return false;
	if (service_tell_refused(conn) < 0) {
		conn->stalled = true;
		return false;
	}
	r = frame_next(&conn->reader, buf_data(&conn->in), conn->in.len, &frame);
	conn->taking = frame.used;
	switch (r) {
	case 0:
		return conn_message(conn, &frame);
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

static void conn_receive(chapi_conn *conn)
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

int conn_buf_error(const struct buf *b)
{
	int r = buf_error(b);

	return r == 0 ? 0 : r == -ENOBUFS ? -CHAPI_ERR_FULL : -CHAPI_ERR_NOMEM;
}

static int put_msgpack(struct buf *out, struct span value)
{
	size_t len;

	if (mp_length(value, MP_VALUE_DEPTH_MAX, &len) != 0 || len != value.len)
		return -CHAPI_ERR_MSGPACK;
	mp_put_raw(out, value);
	return 0;
}

static int put_json(struct buf *out, struct span text)
{
	struct value_fault fault;

	return value_from_json(text, MP_VALUE_DEPTH_MAX, out, &fault) > 0 ? -CHAPI_ERR_JSON : 0;
}

int conn_put_given(struct buf *out, const struct given *given, uint8_t instead)
{
	int r = 0;

	if (!given->p)
		buf_put_byte(out, instead);
	else if (given->json)
		r = put_json(out, span_of(given->p, given->len));
	else
		r = put_msgpack(out, span_of(given->p, given->len));
	return r < 0 ? r : conn_buf_error(out);
}

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

/* ---- driving it ---- */

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
