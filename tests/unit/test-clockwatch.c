/* SPDX-License-Identifier: MIT */
/*
 * That a clock which is set is noticed. The machine's own clock is left alone: the timer's
 * system calls are played, as the linker puts ours in place of them.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "gateway/clockwatch.h"

static struct {
	int fd;			/* of the timer: an eventfd, readable when a test wants it to be */
	int error;		/* that read() ends with; 0: none */
	int settime_error;
	unsigned int n_armed;
	struct itimerspec armed;
	int flags;
} played;

int __wrap_timerfd_create(clockid_t clock, int flags);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old);
ssize_t __real_read(int fd, void *p, size_t len);
ssize_t __wrap_read(int fd, void *p, size_t len);

int __wrap_timerfd_create(clockid_t clock, int flags)
{
	assert_int_equal(clock, CLOCK_REALTIME);
	assert_int_equal(flags, TFD_NONBLOCK | TFD_CLOEXEC);
	played.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return played.fd;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new,
			   struct itimerspec *old UNUSED)
{
	assert_int_equal(fd, played.fd);
	if (played.settime_error) {
		errno = played.settime_error;
		return -1;
	}
	played.n_armed++;
	played.armed = *new;
	played.flags = flags;
	return 0;
}

ssize_t __wrap_read(int fd, void *p, size_t len)
{
	ssize_t r = __real_read(fd, p, len);

	if (fd != played.fd || played.error == 0)
		return r;
	errno = played.error;
	return -1;
}

struct world {
	struct event_base *base;
	struct clockwatch *watch;
	unsigned int n_set;
	bool free_in_callback;
};

static void on_set(void *data)
{
	struct world *w = data;

	w->n_set++;
	if (w->free_in_callback)
		w->watch = clockwatch_free(w->watch);
}

static void world_init(struct world *w)
{
	*w = (struct world){ .base = event_base_new() };
	memset(&played, 0, sizeof(played));
	assert_non_null(w->base);
	assert_int_equal(clockwatch_new(w->base, on_set, w, &w->watch), 0);
}

static void world_deinit(struct world *w)
{
	clockwatch_free(w->watch);
	event_base_free(w->base);
	played.fd = -1;
}

#define WORLD(w) CLEANUP(world_deinit) struct world w; world_init(&w)

static void timer_ends(struct world *w, int error)
{
	played.error = error;
	assert_int_equal(eventfd_write(played.fd, 1), 0);
	event_base_loop(w->base, EVLOOP_NONBLOCK);
}

static void test_timer_is_far_off_and_ends_when_the_clock_is_set(void **state UNUSED)
{
	WORLD(w);

	assert_int_equal(played.n_armed, 1);
	assert_int_equal(played.flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	assert_true(played.armed.it_value.tv_sec > time(NULL) + 365 * 86400);
	event_base_loop(w.base, EVLOOP_NONBLOCK);
	assert_int_equal(w.n_set, 0);
}

static void test_each_setting_is_told(void **state UNUSED)
{
	WORLD(w);

	for (unsigned int i = 1; i <= 3; i++) {
		timer_ends(&w, ECANCELED);
		assert_int_equal(w.n_set, i);
		assert_int_equal(played.n_armed, i + 1);
	}
}

static void test_clock_set_beyond_the_timer_is_told_too(void **state UNUSED)
{
	WORLD(w);

	timer_ends(&w, 0);
	assert_int_equal(w.n_set, 1);
	assert_int_equal(played.n_armed, 2);
}

static void test_other_errors_are_no_setting(void **state UNUSED)
{
	WORLD(w);

	timer_ends(&w, EAGAIN);
	assert_int_equal(w.n_set, 0);
}

static void test_watch_may_be_freed_when_it_tells(void **state UNUSED)
{
	WORLD(w);

	w.free_in_callback = true;
	timer_ends(&w, ECANCELED);
	assert_null(w.watch);
}

static void test_system_without_such_timers(void **state UNUSED)
{
	struct world w = { .base = event_base_new() };

	memset(&played, 0, sizeof(played));
	played.settime_error = EINVAL;
	assert_int_equal(clockwatch_new(w.base, on_set, &w, &w.watch), -EINVAL);
	assert_null(w.watch);
	event_base_free(w.base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timer_is_far_off_and_ends_when_the_clock_is_set),
		cmocka_unit_test(test_each_setting_is_told),
		cmocka_unit_test(test_clock_set_beyond_the_timer_is_told_too),
		cmocka_unit_test(test_other_errors_are_no_setting),
		cmocka_unit_test(test_watch_may_be_freed_when_it_tells),
		cmocka_unit_test(test_system_without_such_timers),
	};

	return cmocka_run_group_tests_name("clockwatch", tests, NULL, NULL);
}
