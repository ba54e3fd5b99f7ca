/* SPDX-License-Identifier: MIT */
/*
 * A gateway that is played, see played.h.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "tests/unit/played.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libchapi-ipc/value.h"

static void note_log(const char *line, void *data)
{
	struct fixture *f = data;

	snprintf(f->log, sizeof(f->log), "%s", line);
}

int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

void gateway_accepts(struct fixture *f)
{
	f->gateway = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(f->gateway >= 0);
	buf_clear(&f->in);
	frame_reader_init(&f->reader, 64 * MIB);
}

int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/chapi-conn-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/gw.sock", f->folder);
	f->listener = listen_at(f->path);
	f->gateway = -1;
	buf_init(&f->in, 0);
	assert_int_equal(chapi_connect(f->path, &f->conn), 0);
	gateway_accepts(f);
	chapi_set_log(f->conn, note_log, f);
	*state = f;
	return 0;
}

void gateway_leaves(struct fixture *f)
{
	if (f->gateway >= 0)
		close(f->gateway);
	f->gateway = -1;
}

int teardown(void **state)
{
	struct fixture *f = *state;

	chapi_close(f->conn);
	gateway_leaves(f);
	close(f->listener);
	unlink(f->path);
	rmdir(f->folder);
	buf_deinit(&f->in);
	free(f);
	return 0;
}

void gateway_send(struct fixture *f, const void *p, size_t len)
{
	const char *at = p;
	ssize_t n;

	while (len > 0) {
		n = send(f->gateway, at, len, MSG_NOSIGNAL);
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_int_equal(chapi_run_once(f->conn, LIMIT_MS), 0);
			continue;
		}
		at += n;
		len -= (size_t)n;
	}
}

void gateway_say(struct fixture *f, const char *json)
{
	struct buf b = BUF_NULL;
	struct value_fault fault;

	assert_int_equal(value_from_json(span_str(json), MP_MESSAGE_DEPTH_MAX, &b, &fault), 0);
	gateway_send(f, buf_data(&b), b.len);
	buf_deinit(&b);
}

bool gateway_read(struct fixture *f)
{
	uint8_t *room = buf_reserve(&f->in, 65536);
	ssize_t n;

	assert_non_null(room);
	n = recv(f->gateway, room, 65536, 0);
	if (n <= 0)
		return false;
	buf_commit(&f->in, (size_t)n);
	return true;
}

/* The connection has something to write or to read, and does so. */
static void conn_moves(struct fixture *f)
{
	struct pollfd pfd = { .fd = chapi_get_fd(f->conn), .events = POLLIN };

	if (!(chapi_get_events(f->conn) & POLLOUT))
		assert_int_equal(poll(&pfd, 1, LIMIT_MS), 1);
	assert_int_equal(chapi_run_once(f->conn, 0), 0);
}

void gateway_hear(struct fixture *f, struct buf *ret_message)
{
	struct frame frame;
	int r;

	for (;;) {
		r = frame_next(&f->reader, buf_data(&f->in), f->in.len, &frame);
		if (r == 0)
			break;
		assert_int_equal(r, FRAME_E_MORE);
		buf_consume(&f->in, frame.used);
		while (!gateway_read(f))
			conn_moves(f);
	}
	buf_init(ret_message, 0);
	buf_put(ret_message, frame.bytes.p, frame.bytes.len);
	buf_consume(&f->in, frame.used);
}

void gateway_hears(struct fixture *f, const char *json)
{
	struct buf message, text = BUF_NULL;
	struct value_fault fault;

	gateway_hear(f, &message);
	assert_int_equal(value_to_json(buf_span(&message), MP_MESSAGE_DEPTH_MAX, &text, &fault), 0);
	buf_put_byte(&text, '\0');
	assert_string_equal((const char *)buf_data(&text), json);
	buf_deinit(&text);
	buf_deinit(&message);
}

void gateway_hears_nothing(struct fixture *f)
{
	assert_int_equal(chapi_process(f->conn), 0);
	assert_false(gateway_read(f));
	assert_int_equal(f->in.len, 0);
}

int process(struct fixture *f)
{
	return chapi_run_once(f->conn, LIMIT_MS);
}

/* ---- what a program would do ---- */

static void keep_text(char *to, size_t size, char *text)
{
	snprintf(to, size, "%s", text);
	free(text);
}

void keep_reply(struct heard *heard, const chapi_reply *reply)
{
	char *text;

	heard->n++;
	heard->code = chapi_reply_code(reply);
	heard->ran = chapi_reply_ran(reply);
	snprintf(heard->name, sizeof(heard->name), "%s", chapi_reply_code_name(reply));
	snprintf(heard->message, sizeof(heard->message), "%s", chapi_reply_message(reply));
	assert_int_equal(chapi_reply_result_json(reply, false, &text), 0);
	keep_text(heard->result, sizeof(heard->result), text);
	assert_int_equal(chapi_reply_details_json(reply, false, &text), 0);
	keep_text(heard->details, sizeof(heard->details), text);
}

void on_reply(chapi_conn *conn UNUSED, const chapi_reply *reply, void *data)
{
	keep_reply(data, reply);
}

void on_request_echo(chapi_request *request, void *data)
{
	size_t len;
	const void *params = chapi_request_params(request, &len);
	int *n = data;

	if (n)
		++*n;
	assert_int_equal(chapi_answer(request, params, len), 0);
}

void on_request_keep(chapi_request *request, void *data)
{
	*(chapi_request **)data = request;
}

void register_f(struct fixture *f, chapi_request_fn fn, void *data)
{
	gateway_say(f, "[1,1,null,{\"name\":\"f\",\"state\":\"active\"}]");
	assert_int_equal(chapi_register(f->conn, "f", NULL, fn, data, NULL), 0);
	gateway_hears(f, "[0,1,\"register\",[\"f\",{}]]");
}

chapi_request *keep_request(struct fixture *f)
{
	chapi_request *request = NULL;

	register_f(f, on_request_keep, &request);
	gateway_say(f, "[0,7,\"f\",[{\"x\":1},{}]]");
	assert_int_equal(process(f), 0);
	assert_non_null(request);
	return request;
}
