/* SPDX-License-Identifier: MIT */
/*
 * A connection that is made ahead: taken if it stands and is as new, and else not.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include "gateway/spare.h"

#define LIMIT_MS 20000	/* on a busy machine */

/* A server on this machine, and who connects to it. */
struct server {
	int fd;
	struct sockaddr_in address;
	struct spare spare;
};

static const struct sockaddr *address_of(const struct server *s)
{
	return (const struct sockaddr *)&s->address;
}

/* By a connection that was there before. */
static void lead_there(struct server *s)
{
	int here = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), there;

	assert_int_equal(connect(here, address_of(s), sizeof(s->address)), 0);
	there = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(there >= 0);
	close(there);
	spare_follow(&s->spare, here);
	close(here);
}

static int take(struct server *s)
{
	return spare_take(&s->spare, address_of(s), sizeof(s->address));
}

static int setup_server(struct server *s)
{
	socklen_t len = sizeof(s->address);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	s->address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	assert_int_equal(bind(s->fd, address_of(s), len), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&s->address, &len), 0);
	assert_int_equal(listen(s->fd, 5), 0);
	spare_init(&s->spare);
	return 0;
}

static int setup(void **state)
{
	static struct server server;

	*state = &server;
	return setup_server(&server);
}

static int teardown(void **state)
{
	struct server *s = *state;

	spare_deinit(&s->spare);
	if (s->fd >= 0)
		close(s->fd);
	return 0;
}

static void wait_for(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	assert_int_equal(poll(&pfd, 1, LIMIT_MS), 1);
}

/* One that stands, and its other end. */
static int open_spare(struct server *s)
{
	int fd;

	lead_there(s);
	assert_true(spare_open(&s->spare));
	wait_for(s->spare.fd, POLLOUT);
	fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void test_is_taken_once_and_carries(void **state)
{
	struct server *s = *state;
	int there = open_spare(s), here;
	char c = 0;

	here = take(s);
	assert_true(here >= 0);
	assert_false(spare_is_open(&s->spare));
	assert_int_equal(take(s), -1);
	assert_int_equal(write(here, "x", 1), 1);
	assert_int_equal(read(there, &c, 1), 1);
	assert_int_equal(c, 'x');
	close(here);
	close(there);
}

static void test_there_is_one_at_most(void **state)
{
	struct server *s = *state;
	int there = open_spare(s), fd = s->spare.fd;

	assert_true(spare_open(&s->spare));
	assert_int_equal(s->spare.fd, fd);
	close(there);
}

static void test_nothing_is_opened_to_nowhere(void **state)
{
	struct server *s = *state;
	int never = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	spare_follow(&s->spare, never);
	close(never);
	assert_false(spare_open(&s->spare));
	assert_int_equal(take(s), -1);
}

static void test_what_the_server_has_closed_is_of_no_use(void **state)
{
	struct server *s = *state;
	int there = open_spare(s);

	close(there);
	wait_for(s->spare.fd, POLLIN);
	assert_int_equal(take(s), -1);
	assert_false(spare_is_open(&s->spare));
}

static void test_what_the_server_speaks_on_first_is_of_no_use(void **state)
{
	struct server *s = *state;
	int there = open_spare(s);

	assert_int_equal(write(there, "x", 1), 1);
	wait_for(s->spare.fd, POLLIN);
	assert_int_equal(take(s), -1);
	assert_false(spare_is_open(&s->spare));
	close(there);
}

static void test_what_is_refused_is_of_no_use(void **state)
{
	struct server *s = *state;

	lead_there(s);
	close(s->fd);
	s->fd = -1;
	if (spare_open(&s->spare))
		wait_for(s->spare.fd, POLLOUT);
	assert_int_equal(take(s), -1);
	assert_false(spare_is_open(&s->spare));
}

static void test_it_is_closed_when_connections_lead_elsewhere(void **state)
{
	struct server *s = *state, other;
	void *p = &other;
	int there = open_spare(s);

	assert_int_equal(setup_server(&other), 0);
	other.spare = s->spare;
	lead_there(&other);
	assert_false(spare_is_open(&other.spare));
	spare_init(&s->spare);
	assert_int_equal(teardown(&p), 0);
	close(there);
}

static void test_of_another_address_it_is_not_taken(void **state)
{
	struct server *s = *state;
	int there = open_spare(s);
	struct sockaddr_in other = s->address;

	other.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	assert_int_equal(spare_take(&s->spare, (struct sockaddr *)&other, sizeof(other)), -1);
	assert_true(spare_is_open(&s->spare));
	close(there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_is_taken_once_and_carries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_there_is_one_at_most, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_opened_to_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_the_server_has_closed_is_of_no_use, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_what_the_server_speaks_on_first_is_of_no_use,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_refused_is_of_no_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_it_is_closed_when_connections_lead_elsewhere,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_of_another_address_it_is_not_taken, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
