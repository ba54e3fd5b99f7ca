/* SPDX-License-Identifier: MIT */
/*
 * The control socket: see control.h.
 *
 * libwebsockets looks after our descriptors as "raw files" and tells when they can be read. An
 * answer is written at once, and waited for: who controls a hub reads what it says.
 */
#include <config.h>	/* _GNU_SOURCE: accept4() */

#include "tests/hub/control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libchapi-ipc/buf.h"
#include "tests/hub/play.h"

#define WRITE_WAIT_MS 1000

struct control {
	struct play *play;
	struct lws_vhost *vhost;
	const char *path;
};

/* The listener, or a connection: the opaque pointer of its wsi. */
struct end {
	struct control *control;
	bool listens;
	struct buf in;
};

/* ---- descriptors of libwebsockets --------------------------------------------------------- */

/* The descriptor is taken in every case. */
static int adopt(struct control *control, int fd, bool listens)
{
	lws_sock_file_fd_type file = { .filefd = fd };
	struct end *end = calloc(1, sizeof(*end));
	struct lws *wsi;

	wsi = end ? lws_adopt_descriptor_vhost(control->vhost, LWS_ADOPT_RAW_FILE_DESC, file,
					       CONTROL_NAME, NULL) :
		    NULL;
	if (!wsi) {
		if (!end)
			close(fd);
		free(end);
		return -ENOMEM;
	}
	end->control = control;
	end->listens = listens;
	buf_init(&end->in, PLAY_LINE_MAX);
	lws_set_opaque_user_data(wsi, end);
	return 0;
}

static int take_connection(struct end *end, int fd)
{
	int connection = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (connection >= 0 && adopt(end->control, connection, false) != 0)
		return 0;	/* closed again: there is nothing that could be said to it */
	return 0;
}

static int write_all(int fd, struct buf *out)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	while (out->len > 0) {
		n = send(fd, buf_data(out), out->len, MSG_NOSIGNAL);
		if (n > 0)
			buf_consume(out, (size_t)n);
		else if (errno != EAGAIN || poll(&ready, 1, WRITE_WAIT_MS) <= 0)
			return -1;
	}
	return 0;
}

static void take_lines(struct end *end, struct buf *out)
{
	const uint8_t *p, *stop;
	char *line;

	while ((stop = memchr(p = buf_data(&end->in), '\n', end->in.len))) {
		line = strndup((const char *)p, (size_t)(stop - p));
		if (line)
			play_line(end->control->play, line, out);
		free(line);
		buf_consume(&end->in, (size_t)(stop - p) + 1);
	}
}

/* 0, or -1 to end the connection: it has ended, or its line is too long. */
static int take_bytes(struct end *end, int fd)
{
	struct buf out = BUF_NULL;
	char room[4096];
	ssize_t n = read(fd, room, sizeof(room));
	int r;

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	buf_put(&end->in, room, (size_t)n);
	if (buf_error(&end->in))
		return -1;
	take_lines(end, &out);
	r = buf_error(&out) ? -1 : write_all(fd, &out);
	buf_deinit(&out);
	return r;
}

int control_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user UNUSED,
		     void *in UNUSED, size_t len UNUSED)
{
	struct end *end = lws_get_opaque_user_data(wsi);
	int fd = lws_get_socket_fd(wsi);

	if (!end)
		return 0;
	if (reason == LWS_CALLBACK_RAW_RX_FILE)
		return end->listens ? take_connection(end, fd) : take_bytes(end, fd);
	if (reason == LWS_CALLBACK_RAW_CLOSE_FILE) {
		lws_set_opaque_user_data(wsi, NULL);
		buf_deinit(&end->in);
		free(end);
	}
	return 0;
}

/* ---- the socket ----------------------------------------------------------------------------- */

static bool is_alive(const struct sockaddr_un *un)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool alive = fd < 0 || connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0 ||
		     errno != ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return alive;
}

static int bind_path(int fd, const struct sockaddr_un *un)
{
	mode_t before = umask(0177);
	int r = bind(fd, (const struct sockaddr *)un, sizeof(*un)) < 0 ? -errno : 0;

	if (r == -EADDRINUSE && !is_alive(un) && unlink(un->sun_path) == 0)
		r = bind(fd, (const struct sockaddr *)un, sizeof(*un)) < 0 ? -errno : 0;
	umask(before);
	return r;
}

static int open_socket(const char *path, int *ret_fd)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, r;

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = bind_path(fd, &un);
	if (r == 0 && listen(fd, 8) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int control_new(struct lws_vhost *vhost, struct play *play, const char *path, struct control **ret)
{
	struct control *control = calloc(1, sizeof(*control));
	int fd = -1, r;

	if (!control)
		return -ENOMEM;
	control->vhost = vhost;
	control->play = play;
	r = open_socket(path, &fd);
	if (r == 0) {
		control->path = path;
		r = adopt(control, fd, true);
	}
	if (r < 0) {
		control_free(control);
		return r;
	}
	play_remember(play);
	*ret = control;
	return 0;
}

struct control *control_free(struct control *control)
{
	if (!control)
		return NULL;
	if (control->path)
		unlink(control->path);
	free(control);
	return NULL;
}
