/* SPDX-License-Identifier: MIT */
/*
 * Messages to the service manager.
 *
 * There are two things to say, the state and the status, and only their newest values count.
 * Both are kept as lines that are still to be sent; a datagram that is not taken, as the
 * manager's queue is full, is tried again after a moment.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/notify.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "gateway/log.h"

struct notify {
	struct sockaddr_un addr;
	socklen_t addr_len;
	int fd;
	char state[64];			/* lines that were not sent yet; "" */
	char status[512];
	struct event *again;		/* tries to send what was not taken */
	struct event *watchdog;		/* NULL: none is wanted */
	bool told;			/* that it cannot be reached */
};

/* ---- sending ----------------------------------------------------------------------------- */

/* 0, or the errno. */
static int send_text(const struct notify *n, const char *text)
{
	ssize_t r;

	do
		r = sendto(n->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
			   (const struct sockaddr *)&n->addr, n->addr_len);
	while (r < 0 && errno == EINTR);
	return r < 0 ? errno : 0;
}

static bool is_full(int e)
{
	return e == EAGAIN || e == ENOBUFS || e == ENOMEM;
}

static void tell_unreachable(struct notify *n, int e)
{
	if (!n->told)
		log_warn("gateway", "the service manager cannot be told anything: %s", strerror(e));
	n->told = true;
}

static void flush(struct notify *n)
{
	static const struct timeval moment = { .tv_usec = 100000 };
	char text[sizeof(n->state) + sizeof(n->status)];
	int e;

	if (!*n->state && !*n->status)
		return;
	snprintf(text, sizeof(text), "%s%s", n->state, n->status);
	e = send_text(n, text);
	if (is_full(e)) {
		event_add(n->again, &moment);
		return;
	}
	if (e != 0)
		tell_unreachable(n, e);
	n->state[0] = n->status[0] = '\0';
}

static void on_again(evutil_socket_t fd UNUSED, short what UNUSED, void *data)
{
	flush(data);
}

/* One that is not taken is not made up for: the next one comes in time. */
static void on_watchdog(evutil_socket_t fd UNUSED, short what UNUSED, void *data)
{
	struct notify *n = data;
	int e = send_text(n, "WATCHDOG=1\n");

	if (e != 0 && !is_full(e))
		tell_unreachable(n, e);
}

/* ---- the environment --------------------------------------------------------------------- */

/* A path, or an abstract name that is written with "@". */
static bool fill_address(struct notify *n, const char *name)
{
	size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(n->addr.sun_path))
		return false;
	n->addr.sun_family = AF_UNIX;
	memcpy(n->addr.sun_path, name, len);
	if (name[0] == '@')
		n->addr.sun_path[0] = '\0';
	n->addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
	return true;
}

static int read_number(const char *name, uint64_t *ret)
{
	const char *text = getenv(name);
	unsigned long long value;
	char *end;

	*ret = 0;
	if (!text)
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno != 0)
		return -EINVAL;
	*ret = value;
	return 0;
}

/* ret 0: no watchdog, or it is meant for another process. */
static int read_watchdog(uint64_t *ret_us)
{
	uint64_t us, pid;
	int r = read_number("WATCHDOG_USEC", &us);

	if (r == 0)
		r = read_number("WATCHDOG_PID", &pid);
	if (r == 0)
		*ret_us = pid == 0 || pid == (uint64_t)getpid() ? us : 0;
	return r;
}

static int add_watchdog(struct notify *n, struct event_base *base)
{
	struct timeval half;
	uint64_t us;

	if (read_watchdog(&us) != 0) {
		log_warn("gateway",
			 "WATCHDOG_USEC or WATCHDOG_PID is no number: no watchdog is fed");
		return 0;
	}
	if (us == 0)
		return 0;
	us = MAX(us / 2, (uint64_t)1000);
	half = (struct timeval){
		.tv_sec = (time_t)(us / 1000000),
		.tv_usec = (suseconds_t)(us % 1000000),
	};
	n->watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, n);
	return n->watchdog && event_add(n->watchdog, &half) == 0 ? 0 : -ENOMEM;
}

/* ---- making ------------------------------------------------------------------------------ */

static int open_notify(struct notify *n, struct event_base *base)
{
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		return -errno;
	n->again = evtimer_new(base, on_again, n);
	return n->again ? add_watchdog(n, base) : -ENOMEM;
}

int notify_new(struct event_base *base, struct notify **ret_notify)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct notify *n;
	int r = 0;

	*ret_notify = NULL;
	if (!name || !*name)
		return 0;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->fd = -1;
	if (!fill_address(n, name))
		log_warn("gateway", "NOTIFY_SOCKET is no path of a socket, so no service manager "
			 "is told anything: %s", LOG_TEXT(span_str(name)));
	else
		r = open_notify(n, base);
	if (r == 0 && n->fd >= 0)
		*ret_notify = n;
	else
		notify_free(n);
	return r;
}

struct notify *notify_free(struct notify *n)
{
	if (!n)
		return NULL;
	if (n->again) {
		flush(n);
		event_free(n->again);
	}
	if (n->watchdog)
		event_free(n->watchdog);
	if (n->fd >= 0)
		close(n->fd);
	free(n);
	return NULL;
}

/* ---- what is said ------------------------------------------------------------------------ */

static void set_state(struct notify *n, const char *lines)
{
	if (!n)
		return;
	snprintf(n->state, sizeof(n->state), "%s", lines);
	flush(n);
}

void notify_ready(struct notify *n)
{
	set_state(n, "READY=1\n");
}

/* The time tells the manager which of its requests this is about. */
void notify_reloading(struct notify *n)
{
	struct timespec now;
	char lines[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%llu\n",
		 (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
	set_state(n, lines);
}

void notify_stopping(struct notify *n)
{
	set_state(n, "STOPPING=1\n");
}

void notify_status(struct notify *n, const char *text)
{
	char fit[400];

	if (!n)
		return;
	log_escape(span_str(text), fit, sizeof(fit));
	snprintf(n->status, sizeof(n->status), "STATUS=%s\n", fit);
	flush(n);
}
