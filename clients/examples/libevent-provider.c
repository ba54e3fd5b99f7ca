/* SPDX-License-Identifier: MIT */
/*
 * A provider in a libevent loop, beside whatever else the loop does.
 *
 * The event is made anew for each turn: what to wait for changes, and after a reconnect the
 * socket is another one, maybe of the same number.
 *
 *     cc -o libevent-provider libevent-provider.c \
 *         $(pkg-config --cflags --libs chapi-ipc libevent_core)
 */
#include <poll.h>
#include <stdio.h>

#include <event2/event.h>

#include <chapi-ipc.h>

struct program {
	struct event_base *base;
	chapi_conn *conn;
};

static void on_ready(evutil_socket_t fd, short what, void *data);

static void wait_for_it(struct program *program)
{
	int fd = chapi_get_fd(program->conn), events = chapi_get_events(program->conn);
	int ms = chapi_get_timeout_ms(program->conn);
	struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	short what = EV_TIMEOUT;

	what |= (events & POLLIN ? EV_READ : 0) | (events & POLLOUT ? EV_WRITE : 0);
	if (event_base_once(program->base, fd, what, on_ready, program, ms < 0 ? NULL : &wait) < 0)
		event_base_loopbreak(program->base);
}

static void on_ready(evutil_socket_t fd, short what, void *data)
{
	struct program *program = data;

	(void)fd, (void)what;
	/* With reconnect on, only a lack of memory fails, for a time. */
	chapi_process(program->conn);
	wait_for_it(program);
}

static void loop(chapi_request *request, void *data)
{
	(void)data;
	chapi_answer_json(request, "\"from libevent\"");
}

int main(void)
{
	struct program program = { .base = event_base_new() };
	int r = program.base ? chapi_connect(NULL, &program.conn) : -CHAPI_ERR_NOMEM;

	if (r == 0)
		r = chapi_register(program.conn, "loop", NULL, loop, NULL, NULL);
	if (r < 0) {
		fprintf(stderr, "libevent-provider: %s\n", chapi_strerror(r));
		return chapi_exit_status(r);
	}
	chapi_set_reconnect(program.conn, true, NULL, NULL);
	puts("ready");
	fflush(stdout);
	wait_for_it(&program);
	return event_base_dispatch(program.base);
}
