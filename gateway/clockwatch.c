/* SPDX-License-Identifier: MIT */
/*
 * A timer of the real-time clock that never fires, but is cancelled when that clock is set.
 *
 * timerfd_create(2), TFD_TIMER_CANCEL_ON_SET: read() then fails with ECANCELED, and the timer
 * has to be set anew.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/clockwatch.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define FAR_S (100 * 365 * INT64_C(86400))	/* beyond whatever the clock says now */

struct clockwatch {
	int fd;
	struct event *readable;
	void (*fn)(void *data);
	void *data;
};

/* Where time_t has 32 bits a hundred years are too many: then the last second there is. */
static time_t far_from_now(void)
{
	const int64_t last = sizeof(time_t) > 4 ? INT64_MAX / 1000000000 : INT32_MAX;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (time_t)(now.tv_sec > last - FAR_S ? last : now.tv_sec + FAR_S);
}

static int arm(int fd)
{
	const struct itimerspec when = { .it_value.tv_sec = far_from_now() };

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL) < 0 ?
		-errno : 0;
}

static void on_readable(evutil_socket_t fd, short what UNUSED, void *arg)
{
	struct clockwatch *watch = arg;
	uint64_t n;
	ssize_t r = read(fd, &n, sizeof(n));

	if (r < 0 && errno != ECANCELED)
		return;
	/* Without a timer nothing more would be heard; the tries at their own times go on. */
	(void)arm(fd);
	watch->fn(watch->data);
}

static int open_timer(struct clockwatch *watch, struct event_base *base)
{
	int r;

	watch->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (watch->fd < 0)
		return -errno;
	r = arm(watch->fd);
	if (r < 0)
		return r;
	watch->readable = event_new(base, watch->fd, EV_READ | EV_PERSIST, on_readable, watch);
	return watch->readable && event_add(watch->readable, NULL) == 0 ? 0 : -ENOMEM;
}

int clockwatch_new(struct event_base *base, void (*fn)(void *data), void *data,
		   struct clockwatch **ret_watch)
{
	struct clockwatch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	watch->fd = -1;
	watch->fn = fn;
	watch->data = data;
	r = open_timer(watch, base);
	if (r < 0) {
		clockwatch_free(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

struct clockwatch *clockwatch_free(struct clockwatch *watch)
{
	if (!watch)
		return NULL;
	if (watch->readable)
		event_free(watch->readable);
	if (watch->fd >= 0)
		close(watch->fd);
	free(watch);
	return NULL;
}
