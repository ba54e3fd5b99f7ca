/* SPDX-License-Identifier: MIT */
/*
 * What the service manager is told. The manager is a socket of the test's; a loop turns as far as
 * the test says.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "gateway/log.h"
#include "gateway/notify.h"

#define LIMIT_MS 10000		/* of any wait: only a failure takes as long */

struct manager {
	char dir[64], path[100];
	int fd;
	struct event_base *base;
	struct notify *notify;
};

/* ---- the manager ------------------------------------------------------------------------- */

static void listen_at(struct manager *m, const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(name);

	m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(m->fd >= 0 && len < sizeof(addr.sun_path));
	memcpy(addr.sun_path, name, len);
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	assert_int_equal(bind(m->fd, (struct sockaddr *)&addr,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static int setup(void **state)
{
	struct manager *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	snprintf(m->dir, sizeof(m->dir), "/tmp/chapi-notify-XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	snprintf(m->path, sizeof(m->path), "%s/notify", m->dir);
	m->fd = -1;
	m->base = event_base_new();
	assert_non_null(m->base);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	log_open(LOG_LEVEL_ERROR);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct manager *m = *state;

	notify_free(m->notify);
	event_base_free(m->base);
	if (m->fd >= 0)
		close(m->fd);
	unlink(m->path);
	rmdir(m->dir);
	free(m);
	return 0;
}

static void begin(struct manager *m, const char *name)
{
	listen_at(m, name);
	assert_int_equal(notify_new(m->base, &m->notify), 0);
	assert_non_null(m->notify);
}

/* One datagram, "" if there is none. */
static const char *take(struct manager *m)
{
	static char text[1000];
	ssize_t n = recv(m->fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* Turns the loop until something comes. */
static const char *wait_for(struct manager *m)
{
	struct pollfd p = { .fd = m->fd, .events = POLLIN };

	for (int i = 0; i < LIMIT_MS && poll(&p, 1, 1) == 0; i++)
		event_base_loop(m->base, EVLOOP_NONBLOCK);
	return take(m);
}

/* ---- what is said ------------------------------------------------------------------------ */

static void test_notify_without_a_manager_says_nothing(void **state)
{
	struct manager *m = *state;
	struct notify *n = (struct notify *)m;

	assert_int_equal(notify_new(m->base, &n), 0);
	assert_null(n);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify_new(m->base, &n), 0);
	assert_null(n);
	notify_ready(NULL);
	notify_reloading(NULL);
	notify_stopping(NULL);
	notify_status(NULL, "x");
	assert_null(notify_free(NULL));
}

static void test_notify_name_that_is_none_is_no_manager(void **state)
{
	static const char *const names[] = { "x", "/", "@", "vsock:2:1234", "relative/path" };
	struct manager *m = *state;
	char longest[200];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		assert_int_equal(notify_new(m->base, &m->notify), 0);
		assert_null(m->notify);
	}
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longest, 1);
	assert_int_equal(notify_new(m->base, &m->notify), 0);
	assert_null(m->notify);
}

static void say_all(struct manager *m)
{
	unsigned long long us = 0;
	struct timespec now;
	int n = 0;

	notify_ready(m->notify);
	assert_string_equal(take(m), "READY=1\n");
	notify_status(m->notify, "Hub up");
	assert_string_equal(take(m), "STATUS=Hub up\n");
	notify_reloading(m->notify);
	assert_int_equal(sscanf(take(m), "RELOADING=1\nMONOTONIC_USEC=%llu\n%n", &us, &n), 1);
	assert_true(n > 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_in_range(us, 1, (unsigned long long)now.tv_sec * 1000000 + 999999);
	notify_stopping(m->notify);
	assert_string_equal(take(m), "STOPPING=1\n");
	assert_string_equal(take(m), "");
}

static void test_notify_at_a_path(void **state)
{
	struct manager *m = *state;

	begin(m, m->path);
	say_all(m);
}

static void test_notify_at_an_abstract_name(void **state)
{
	struct manager *m = *state;
	char name[100];

	snprintf(name, sizeof(name), "@%s", m->dir);
	begin(m, name);
	say_all(m);
}

static void test_notify_status_is_one_line(void **state)
{
	struct manager *m = *state;
	char words[2000];

	begin(m, m->path);
	notify_status(m->notify, "a\nMAINPID=1\r\x1b[2J");
	assert_string_equal(take(m), "STATUS=a\\x0aMAINPID=1\\x0d\\x1b[2J\n");
	memset(words, 'x', sizeof(words));
	words[sizeof(words) - 1] = '\0';
	notify_status(m->notify, words);
	assert_in_range(strlen(take(m)), 100, 450);
	notify_status(m->notify, "");
	assert_string_equal(take(m), "STATUS=\n");
}

/* ---- a manager that does not read, or is gone --------------------------------------------- */

/* As many as one socket can have on their way; how many. */
static int send_some(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), n = 0;

	while (sendto(fd, "x", 1, 0, (const struct sockaddr *)addr, sizeof(*addr)) == 1)
		n++;
	assert_int_equal(errno, EAGAIN);
	close(fd);
	return n;
}

/* It may take more than one sender: net.unix.max_dgram_qlen is 10 here, and 512 there. */
static void fill_queue(struct manager *m)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	memcpy(addr.sun_path, m->path, strlen(m->path));
	while (send_some(&addr) > 0)
		;
}

static void test_notify_what_was_not_taken_is_said_later(void **state)
{
	struct manager *m = *state;

	begin(m, m->path);
	fill_queue(m);
	notify_reloading(m->notify);
	notify_status(m->notify, "old");
	notify_ready(m->notify);
	notify_status(m->notify, "new");
	while (strcmp(take(m), "x") == 0)
		;
	assert_string_equal(wait_for(m), "READY=1\nSTATUS=new\n");
	assert_string_equal(take(m), "");
}

static void test_notify_tries_once_more_at_the_end(void **state)
{
	struct manager *m = *state;

	begin(m, m->path);
	fill_queue(m);
	notify_stopping(m->notify);
	while (strcmp(take(m), "x") == 0)
		;
	m->notify = notify_free(m->notify);
	assert_string_equal(take(m), "STOPPING=1\n");
}

static void test_notify_manager_that_is_gone_costs_nothing(void **state)
{
	struct manager *m = *state;

	begin(m, m->path);
	close(m->fd);
	m->fd = -1;
	unlink(m->path);
	notify_ready(m->notify);
	notify_status(m->notify, "x");
	listen_at(m, m->path);
	notify_status(m->notify, "y");
	assert_string_equal(take(m), "STATUS=y\n");
}

/* ---- the watchdog ------------------------------------------------------------------------ */

static void set_watchdog(const char *us, long pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", pid);
	setenv("WATCHDOG_USEC", us, 1);
	setenv("WATCHDOG_PID", text, 1);
}

static void test_notify_feeds_the_watchdog(void **state)
{
	struct manager *m = *state;

	set_watchdog("20000", (long)getpid());
	begin(m, m->path);
	assert_string_equal(take(m), "");
	assert_string_equal(wait_for(m), "WATCHDOG=1\n");
	assert_string_equal(wait_for(m), "WATCHDOG=1\n");
}

static void test_notify_watchdog_needs_no_pid(void **state)
{
	struct manager *m = *state;

	setenv("WATCHDOG_USEC", "20000", 1);
	begin(m, m->path);
	assert_string_equal(wait_for(m), "WATCHDOG=1\n");
}

/* No timer in the loop: nothing could ever feed it. */
static void test_notify_watchdog_of_somebody_else_or_none(void **state)
{
	static const struct {
		const char *us;
		long pid;
	} cases[] = { { "1000", 1 }, { "0", 0 }, { "", 0 }, { "1000x", 0 }, { "-1", 0 },
		      { "99999999999999999999999", 0 } };
	struct manager *m = *state;

	listen_at(m, m->path);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		set_watchdog(cases[i].us, cases[i].pid);
		assert_int_equal(notify_new(m->base, &m->notify), 0);
		assert_non_null(m->notify);
		assert_int_equal(event_base_get_num_events(m->base, EVENT_BASE_COUNT_ADDED), 0);
		notify_ready(m->notify);
		assert_string_equal(take(m), "READY=1\n");
		m->notify = notify_free(m->notify);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_notify_without_a_manager_says_nothing),
		TEST(test_notify_name_that_is_none_is_no_manager),
		TEST(test_notify_at_a_path),
		TEST(test_notify_at_an_abstract_name),
		TEST(test_notify_status_is_one_line),
		TEST(test_notify_what_was_not_taken_is_said_later),
		TEST(test_notify_tries_once_more_at_the_end),
		TEST(test_notify_manager_that_is_gone_costs_nothing),
		TEST(test_notify_feeds_the_watchdog),
		TEST(test_notify_watchdog_needs_no_pid),
		TEST(test_notify_watchdog_of_somebody_else_or_none),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
