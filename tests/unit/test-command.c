/* SPDX-License-Identifier: MIT */
/*
 * Runs of commands, with a clock of the test's own: nothing depends on how fast the machine is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "clients/command.h"
#include "common/common.h"

#define LATER_MS 100000		/* more than any limit */

static struct command *start(const char *script, size_t output_max, bool by_line)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	char *const envp[] = { NULL };
	const struct command_spec spec = {
		.argv = argv, .envp = envp, .output_max = output_max, .by_line = by_line,
		.due_ms = COMMAND_NEVER,
	};
	struct command *command = NULL;

	assert_int_equal(command_start(&spec, &command), 0);
	return command;
}

static void wait_for_exit(void)
{
	siginfo_t info;

	assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
}

static int take_lines(struct command *command)
{
	const char *line;
	size_t len;
	int n = 0;

	while (command_take_line(command, &line, &len))
		n++;
	return n;
}

/* Steps as far apart as on a machine that does something else; returns how many lines came. */
static int run_slowly(struct command *command)
{
	int64_t now_ms = 0;
	int n = 0;

	do {
		command_step(command, now_ms);
		n += take_lines(command);
		now_ms += LATER_MS;
		assert_true(now_ms < 1000 * LATER_MS);
	} while (!command_is_over(command));
	return n;
}

/* More than is read at once, all written before its end. */
static void test_lines_are_all_taken_however_late(void **state UNUSED)
{
	struct command *command = start("i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo $i; done",
					1000, true);
	struct command_end end;

	wait_for_exit();
	assert_int_equal(run_slowly(command), 4000);
	end = command_end(command);
	assert_int_equal(end.why, COMMAND_BY_ITSELF);
	assert_int_equal(end.status, 0);
	assert_int_equal(end.last_len, 5);
	assert_memory_equal(end.last, "4000\n", 5);
	command_free(command);
}

static void test_output_is_read_whole_however_late(void **state UNUSED)
{
	struct command *command = start("i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo $i; done; "
					"echo reason >&2; exit 3", 1 << 20, false);
	struct command_end end;

	wait_for_exit();
	run_slowly(command);
	end = command_end(command);
	assert_int_equal(end.status, 3);
	assert_int_equal(end.out_len, 9 * 2 + 90 * 3 + 900 * 4 + 3001 * 5);
	assert_int_equal(end.err_len, strlen("reason\n"));
	command_free(command);
}

/* What it left behind holds its output open: that is waited for a while only. */
static void test_what_a_command_leaves_behind_is_not_waited_for(void **state UNUSED)
{
	struct command *command = start("sleep 600 & echo $!", 1000, false);
	struct command_end end;
	pid_t left;

	wait_for_exit();
	run_slowly(command);
	end = command_end(command);
	assert_int_equal(end.status, 0);
	left = end.out_len > 0 ? (pid_t)strtol(end.out, NULL, 10) : 0;
	assert_true(left > 1);
	assert_int_equal(kill(left, SIGKILL), 0);
	command_free(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_all_taken_however_late),
		cmocka_unit_test(test_output_is_read_whole_however_late),
		cmocka_unit_test(test_what_a_command_leaves_behind_is_not_waited_for),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
