/* SPDX-License-Identifier: MIT */
/*
 * Sockets that the service manager hands over. What is said of them in the environment and what
 * lies at descriptor 3 is the test's.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/passed.h"

static void set_environment(long pid, const char *n)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", pid);
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", n, 1);
}

static int saved = -1;	/* what was at descriptor 3 */

static int setup(void **state UNUSED)
{
	saved = fcntl(3, F_DUPFD_CLOEXEC, 10);
	set_environment((long)getpid(), "1");
	return 0;
}

static int teardown(void **state UNUSED)
{
	close(3);
	if (saved >= 0) {
		dup2(saved, 3);
		close(saved);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	return 0;
}

/* fd moves to 3, without flags. */
static void hand_over(int fd)
{
	assert_true(fd >= 0);
	if (fd == 3)
		return;
	assert_int_equal(dup2(fd, 3), 3);
	close(fd);
}

static int listening(int type)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX }; /* the system chooses a name */
	int fd = socket(AF_UNIX, type, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof(any.sun_family)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void test_passed_none(void **state UNUSED)
{
	struct passed_fault fault;
	int fd = 99;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	assert_int_equal(passed_socket(&fd, &fault), 0);
	assert_int_equal(fd, -1);
}

static void test_passed_to_somebody_else_or_not_at_all(void **state UNUSED)
{
	static const char *const counts[] = { "0", "", "x", "1x", "-1", "99999999999999999999999" };
	struct passed_fault fault;
	int fd = 99;

	hand_over(listening(SOCK_STREAM));
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		set_environment((long)getpid(), counts[i]);
		assert_int_equal(passed_socket(&fd, &fault), 0);
		assert_int_equal(fd, -1);
	}
	set_environment(1, "1");
	assert_int_equal(passed_socket(&fd, &fault), 0);
	assert_int_equal(fd, -1);
}

static void test_passed_one(void **state UNUSED)
{
	struct passed_fault fault;
	int fd = 99;

	hand_over(listening(SOCK_STREAM));
	assert_int_equal(passed_socket(&fd, &fault), 0);
	assert_int_equal(fd, 3);
	assert_true(fcntl(3, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(3, F_GETFD), FD_CLOEXEC);
}

static void assert_unusable(const char *words)
{
	struct passed_fault fault;
	int fd = 99;

	assert_int_equal(passed_socket(&fd, &fault), PASSED_E_UNUSABLE);
	assert_non_null(strstr(fault.text, words));
	assert_int_equal(fd, -1);
}

static void test_passed_what_cannot_be_used(void **state UNUSED)
{
	int pair[2];

	hand_over(listening(SOCK_DGRAM));
	assert_unusable("ListenStream=");
	hand_over(open("/dev/null", O_RDONLY));
	assert_unusable("ListenStream=");
	close(3);
	assert_unusable("ListenStream=");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	hand_over(pair[0] == 3 ? dup(pair[0]) : pair[0]);
	assert_unusable("Accept=no");
	close(pair[1]);
	hand_over(socket(AF_INET, SOCK_STREAM, 0));
	assert_unusable("ListenStream=");
}

static void test_passed_more_than_one(void **state UNUSED)
{
	hand_over(listening(SOCK_STREAM));
	set_environment((long)getpid(), "2");
	assert_unusable("2 sockets");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_passed_none),
		TEST(test_passed_to_somebody_else_or_not_at_all),
		TEST(test_passed_one),
		TEST(test_passed_what_cannot_be_used),
		TEST(test_passed_more_than_one),
	};

	return cmocka_run_group_tests_name("passed", tests, NULL, NULL);
}
