/* SPDX-License-Identifier: MIT */
/*
 * The local socket.
 *
 * Whether a socket file is alive is asked by connecting to it: only ECONNREFUSED means that
 * its process has gone. Between that question and listen() another gateway could do the
 * same, so the directory is locked meanwhile (a lock of flock(2) needs no file of its own).
 * The socket is bound without any rights and gets group and mode before it listens, so that
 * at no moment anybody can connect who may not.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "gateway/fd.h"
#include "gateway/log.h"

#define BACKLOG 1024		/* the system cuts it to net.core.somaxconn */
#define ACCEPT_MAX 256		/* connections in one turn of the loop */
#define LOCK_TRIES 200		/* of 10 ms each */

struct listener {
	struct event_base *base;
	listener_fn fn;
	void *data;
	char *path;
	int fd;
	bool bound;
	dev_t dev;		/* of the socket file that we made */
	ino_t ino;
	struct event *readable;
	struct event *pause;	/* until there may be descriptors again */
	bool told;		/* that there are none */
};

static int PRINTF(2, 3) unusable(struct listener_fault *fault, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(fault->text, sizeof(fault->text), fmt, args);
	va_end(args);
	return LISTENER_E_UNUSABLE;
}

/* ---- the directory ----------------------------------------------------------------------- */

static int make_dir(const char *dir, struct listener_fault *fault)
{
	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return 0;
	return unusable(fault, "directory %s cannot be made: %s", dir, strerror(errno));
}

/* Opened and locked; closing it unlocks it. */
static int lock_dir(const char *dir, struct listener_fault *fault, int *ret_fd)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return unusable(fault, "there is no directory %s for the socket; make it: "
				"install -d %s", dir, dir);
	if (fd < 0)
		return unusable(fault, "directory %s: %s", dir, strerror(errno));
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		if (i == LOCK_TRIES) {
			close(fd);
			return unusable(fault, "directory %s stays locked by another process", dir);
		}
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	*ret_fd = fd;
	return 0;
}

/* ---- what is at the path already --------------------------------------------------------- */

static int try_connect(const struct sockaddr_un *addr)
{
	CLEANUP(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return errno;
	return connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ? 0 : errno;
}

static int replace_stale(const struct sockaddr_un *addr, struct listener_fault *fault)
{
	const char *path = addr->sun_path;
	struct stat st;
	int e;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : unusable(fault, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return unusable(fault, "%s is there and is no socket; move it away, or give "
				"another path", path);
	e = try_connect(addr);
	if (e == 0 || e == EAGAIN)
		return unusable(fault, "another process serves %s; stop it, or give another path",
				path);
	if (e == ENOENT)
		return 0;
	if (e != ECONNREFUSED)
		return unusable(fault, "whether %s is in use cannot be found out: %s", path,
				strerror(e));
	if (unlink(path) < 0 && errno != ENOENT)
		return unusable(fault, "the old socket %s cannot be removed: %s", path,
				strerror(errno));
	log_info("socket", "replacing %s, which no process serves any more", path);
	return 0;
}

/* ---- making it --------------------------------------------------------------------------- */

static int set_group(const char *path, const char *name, struct listener_fault *fault)
{
	const struct group *group = getgrnam(name);

	if (!group)
		return unusable(fault, "there is no group %s for the socket", name);
	if (lchown(path, (uid_t)-1, group->gr_gid) < 0)
		return unusable(fault, "%s cannot be given to group %s: %s", path, name,
				strerror(errno));
	return 0;
}

static int bind_hidden(int fd, const struct sockaddr_un *addr)
{
	mode_t old = umask(0777);
	int r = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
	int saved = errno;

	umask(old);
	errno = saved;
	return r;
}

static int bind_and_listen(struct listener *l, const struct sockaddr_un *addr,
			   const struct listener_config *config, struct listener_fault *fault)
{
	struct stat st;
	int r;

	if (bind_hidden(l->fd, addr) < 0)
		return unusable(fault, "socket %s cannot be made: %s", l->path, strerror(errno));
	if (lstat(l->path, &st) < 0)
		return -errno;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	l->bound = true;
	r = config->group ? set_group(l->path, config->group, fault) : 0;
	if (r != 0)
		return r;
	if (chmod(l->path, config->mode) < 0 || listen(l->fd, BACKLOG) < 0)
		return -errno;
	return 0;
}

static int fill_address(const char *path, struct sockaddr_un *ret, struct listener_fault *fault)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(ret->sun_path))
		return unusable(fault,
				"the socket's path has %zu bytes, at most %zu are allowed: %s",
				strlen(path), sizeof(ret->sun_path) - 1, path);
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

static int make_socket(struct listener *l, const struct listener_config *config,
		       struct listener_fault *fault)
{
	CLEANUP(fd_close) int lock = -1;
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct sockaddr_un addr;
	const char *dir;
	int r = fill_address(config->path, &addr, fault);

	if (r != 0)
		return r;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	memcpy(copy, addr.sun_path, sizeof(copy));
	dir = dirname(copy);
	if (config->make_dir)
		r = make_dir(dir, fault);
	if (r == 0)
		r = lock_dir(dir, fault, &lock);
	if (r == 0)
		r = replace_stale(&addr, fault);
	return r == 0 ? bind_and_listen(l, &addr, config, fault) : r;
}

/* The file, its rights and its removal are the service manager's business. Where it is has to be
 * known to the clients, so a difference is said. */
static int take_passed(struct listener *l, const struct listener_config *config)
{
	struct sockaddr_un addr = { 0 };
	socklen_t len = sizeof(addr) - 1;	/* so that a path always ends */

	if (getsockname(config->passed, (struct sockaddr *)&addr, &len) < 0)
		return -errno;
	if (strcmp(addr.sun_path, config->path) != 0)
		log_warn("socket", "the service manager listens at %s, and [gateway] socket is %s",
			 LOG_TEXT(span_str(addr.sun_path)), config->path);
	l->fd = config->passed;
	return 0;
}

/* ---- accepting --------------------------------------------------------------------------- */

/* Without descriptors accept() would fail again at once: wait until some may be free. */
static void pause_accepting(struct listener *l, int e)
{
	static const struct timeval moment = { .tv_usec = 200000 };

	if (!l->told)
		log_warn("socket", "no connection can be accepted for now: %s", strerror(e));
	l->told = true;
	event_del(l->readable);
	event_add(l->pause, &moment);
}

static void on_pause_over(evutil_socket_t fd UNUSED, short what UNUSED, void *data)
{
	struct listener *l = data;

	event_add(l->readable, NULL);
}

static void on_readable(evutil_socket_t fd, short what UNUSED, void *data)
{
	struct listener *l = data;

	for (int i = 0; i < ACCEPT_MAX; i++) {
		int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (conn >= 0) {
			l->told = false;
			l->fn(l->data, conn);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN)
			pause_accepting(l, errno);
		return;
	}
}

static int add_events(struct listener *l)
{
	l->readable = event_new(l->base, l->fd, EV_READ | EV_PERSIST, on_readable, l);
	l->pause = event_new(l->base, -1, 0, on_pause_over, l);
	if (!l->readable || !l->pause || event_add(l->readable, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static void listener_freep(struct listener **l)
{
	listener_free(*l);
}

int listener_new(struct event_base *base, const struct listener_config *config, listener_fn fn,
		 void *data, struct listener **ret_listener, struct listener_fault *ret_fault)
{
	CLEANUP(listener_freep) struct listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	*l = (struct listener){ .base = base, .fn = fn, .data = data, .fd = -1 };
	l->path = strdup(config->path);
	if (!l->path)
		return -ENOMEM;
	r = config->passed >= 0 ? take_passed(l, config) : make_socket(l, config, ret_fault);
	if (r == 0)
		r = add_events(l);
	if (r != 0) {
		if (l->fd == config->passed)
			l->fd = -1;
		return r;
	}
	*ret_listener = l;
	l = NULL;
	return 0;
}

static void remove_socket(const struct listener *l)
{
	struct stat st;

	if (!l->bound || lstat(l->path, &st) < 0)
		return;
	if (st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
}

struct listener *listener_free(struct listener *l)
{
	if (!l)
		return NULL;
	if (l->readable)
		event_free(l->readable);
	if (l->pause)
		event_free(l->pause);
	remove_socket(l);
	fd_close(&l->fd);
	free(l->path);
	free(l);
	return NULL;
}
