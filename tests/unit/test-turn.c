/* SPDX-License-Identifier: MIT */
/*
 * The time of a turn, on a machine that sleeps: its clocks are played here, in place of libc's.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <time.h>

#include "gateway/outbox.h"
#include "gateway/turn.h"

static struct {
	time_t awake_s, asleep_s;	/* since the machine was started */
} machine;

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	*ret = (struct timespec){ .tv_sec = machine.awake_s };
	if (clock == CLOCK_BOOTTIME)
		ret->tv_sec += machine.asleep_s;
	else if (clock == CLOCK_REALTIME)
		ret->tv_sec += 1700000000 + machine.asleep_s;
	return 0;
}

static void test_time_is_the_same_until_the_turn_is_over(void **state UNUSED)
{
	struct turn turn = { .known = false };

	machine.awake_s = 100;
	assert_int_equal(turn_now(&turn)->ms, 100000);
	assert_int_equal(turn_now(&turn)->us, 100000000);
	machine.awake_s = 101;
	assert_int_equal(turn_now(&turn)->ms, 100000);
	turn_over(&turn);
	assert_int_equal(turn_now(&turn)->ms, 101000);
	assert_true(turn_now(&turn)->unix_s == 1700000101);
}

/* What it says of its age was true when it was written. */
static void test_repeat_that_waits_does_not_go_out_after_a_sleep(void **state UNUSED)
{
	const struct outbox_config config = {
		.bytes_max = 1000, .grace_ms = 60000, .connections = 1, .batch = 1,
	};
	const struct outbox_event repeat = {
		.channel = span_str("private-chapi-attic"),
		.event = span_str("request"),
		.payload = span_str("{\"retry_ms\":15000,\"timeout_ms\":15000}"),
		.has_id = true,
		.deadline_ms = read_now().ms + 15000,
		.on_time = true,
	};
	struct outbox_status status;
	struct outbox *outbox;

	assert_int_equal(outbox_new(&config, read_now().ms, &outbox), 0);
	assert_int_equal(outbox_add(outbox, &repeat, NULL, NULL, read_now().ms), 0);
	machine.awake_s += 1;
	machine.asleep_s += 3600;
	assert_null(outbox_take(outbox, read_now().ms));
	outbox_finish(outbox, read_now().ms);
	outbox_status(outbox, &status);
	assert_int_equal(status.n_failed, 1);
	outbox_free(outbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_is_the_same_until_the_turn_is_over),
		cmocka_unit_test(test_repeat_that_waits_does_not_go_out_after_a_sleep),
	};

	return cmocka_run_group_tests_name("turn", tests, NULL, NULL);
}
