/* SPDX-License-Identifier: MIT */
/*
 * The file of the day's budget: written late and whole, read again, and all that can be wrong
 * with it; and what the log says.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/ledger.h"
#include "gateway/log.h"

#define NOON ((int64_t)20785 * BUDGET_DAY_S + BUDGET_DAY_S / 2)

struct world {
	char folder[40], dir[60], file[80];
	struct event_base *base;
	struct ledger_config config;
	struct ledger *ledger;
	FILE *log;
	int saved_stderr;
};

static void world_init(struct world *w)
{
	*w = (struct world){ .folder = "/tmp/test-ledger.XXXXXX" };
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->dir, sizeof(w->dir), "%s/state/chapi", w->folder);
	snprintf(w->file, sizeof(w->file), "%s/budget-gw", w->dir);
	w->base = event_base_new();
	w->config = (struct ledger_config){
		.dir = w->dir, .name = "gw", .limit = 100, .write_ms = 3600000
	};
	w->log = tmpfile();
	w->saved_stderr = dup(STDERR_FILENO);
	assert_true(w->base && w->log && w->saved_stderr >= 0);
	assert_true(dup2(fileno(w->log), STDERR_FILENO) >= 0);
	log_open(LOG_LEVEL_INFO);
}

static void world_deinit(struct world *w)
{
	char command[100];

	ledger_free(w->ledger);
	event_base_free(w->base);
	dup2(w->saved_stderr, STDERR_FILENO);
	close(w->saved_stderr);
	fclose(w->log);
	snprintf(command, sizeof(command), "rm -rf '%s'", w->folder);
	assert_int_equal(system(command), 0);
}

#define WORLD(w) CLEANUP(world_deinit) struct world w; world_init(&w)

static void start(struct world *w)
{
	w->ledger = ledger_free(w->ledger);
	assert_int_equal(ledger_new(w->base, &w->config, &w->ledger), 0);
}

static void publish(struct world *w, uint64_t n)
{
	ledger_add(w->ledger, &(struct budget_count){ .published = n }, NOON);
}

static uint64_t messages(struct world *w)
{
	return budget_messages(&ledger_budget(w->ledger, NOON)->today.count);
}

static unsigned int times_logged(struct world *w, const char *text)
{
	char all[8000] = "";
	unsigned int n = 0;
	ssize_t len = pread(fileno(w->log), all, sizeof(all) - 1, 0);

	assert_true(len >= 0);
	for (const char *p = all; (p = strstr(p, text)); p++)
		n++;
	return n;
}

static void put_file(const struct world *w, const char *text)
{
	FILE *f = fopen(w->file, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void remove_dirs(const struct world *w)
{
	char above[60];

	snprintf(above, sizeof(above), "%s/state", w->folder);
	rmdir(w->dir);
	rmdir(above);
}

/* ---- the file -------------------------------------------------------------------------------- */

static void test_count_survives_a_restart(void **state UNUSED)
{
	struct stat st;
	WORLD(w);

	start(&w);
	publish(&w, 7);
	assert_int_equal(access(w.file, F_OK), -1);	/* not before write_ms or the end */
	start(&w);
	assert_int_equal(messages(&w), 7);
	publish(&w, 1);
	start(&w);
	assert_int_equal(messages(&w), 8);
	assert_int_equal(stat(w.file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(times_logged(&w, "budget"), 0);
}

static void test_it_is_written_in_time_and_only_when_there_is_news(void **state UNUSED)
{
	WORLD(w);

	w.config.write_ms = 1;
	start(&w);
	assert_int_equal(event_base_loop(w.base, EVLOOP_ONCE), 1); /* no timer: nothing to write */
	publish(&w, 7);
	assert_int_equal(event_base_loop(w.base, EVLOOP_ONCE), 0);
	assert_int_equal(unlink(w.file), 0);
	assert_int_equal(event_base_loop(w.base, EVLOOP_ONCE), 1);
	publish(&w, 1);
	assert_int_equal(event_base_loop(w.base, EVLOOP_ONCE), 0);
	assert_int_equal(access(w.file, F_OK), 0);
	assert_int_equal(unlink(w.file), 0);
	w.ledger = ledger_free(w.ledger);
	assert_int_equal(access(w.file, F_OK), -1);
}

static void test_names_do_not_mix(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	publish(&w, 7);
	w.config.name = "other";
	start(&w);
	assert_int_equal(messages(&w), 0);
}

static void test_damaged_file_is_said_and_replaced(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	put_file(&w, "chapi-budget 1\ntoday 207");
	start(&w);
	assert_int_equal(
		times_logged(&w,
			     "budget-gw is damaged; the messages of the day are counted from 0"),
		1);
	publish(&w, 7);
	start(&w);
	assert_int_equal(messages(&w), 7);
	assert_int_equal(times_logged(&w, "damaged"), 1);
}

static void test_huge_file_is_damaged(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	put_file(&w, "");
	assert_int_equal(truncate(w.file, 100000000), 0);
	start(&w);
	assert_int_equal(times_logged(&w, "is damaged"), 1);
}

static void test_fifo_in_its_place_does_not_hold_us_up(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	assert_int_equal(mkfifo(w.file, 0600), 0);
	start(&w);
	assert_int_equal(times_logged(&w, "is damaged"), 1);
}

/* Nobody reads the one that is written first. */
static void test_fifo_in_place_of_the_new_file_does_not_hold_us_up(void **state UNUSED)
{
	char path[100];
	WORLD(w);

	start(&w);
	snprintf(path, sizeof(path), "%s.new", w.file);
	assert_int_equal(mkfifo(path, 0600), 0);
	publish(&w, 7);
	w.ledger = ledger_free(w.ledger);
	assert_int_equal(times_logged(&w, "counted in memory only"), 1);
}

/* What was there stays: a count of before is better than none. */
static void test_full_disk_leaves_the_file_as_it_was(void **state UNUSED)
{
	struct rlimit old, none = { 0 };
	WORLD(w);

	start(&w);
	publish(&w, 7);
	start(&w);
	publish(&w, 5);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	none.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	w.ledger = ledger_free(w.ledger);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	start(&w);
	assert_int_equal(messages(&w), 7);
}

static void test_file_that_cannot_be_read_is_said(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	assert_int_equal(mkdir(w.file, 0700), 0);
	start(&w);
	assert_int_equal(times_logged(&w, "budget-gw cannot be read: Is a directory; the messages"),
			 1);
	publish(&w, 7);
	assert_int_equal(messages(&w), 7);
	w.ledger = ledger_free(w.ledger);
	assert_int_equal(times_logged(&w, "counted in memory only"), 1);
}

static void test_no_place_is_said_once_and_counting_goes_on(void **state UNUSED)
{
	WORLD(w);

	w.config.dir = "/proc/nowhere";
	w.config.write_ms = 1;
	start(&w);
	assert_int_equal(
		times_logged(
			&w, "/proc/nowhere: No such file or directory; the messages of the day are "
			    "counted in memory only"),
		1);
	for (int i = 0; i < 3; i++) {
		publish(&w, 1);
		assert_int_equal(event_base_loop(w.base, EVLOOP_ONCE), 0);
	}
	assert_int_equal(messages(&w), 3);
	w.ledger = ledger_free(w.ledger);
	assert_int_equal(times_logged(&w, "counted in memory only"), 1);
}

static void test_no_dir_at_all_counts_in_memory(void **state UNUSED)
{
	WORLD(w);

	w.config.dir = NULL;
	start(&w);
	publish(&w, 7);
	assert_int_equal(messages(&w), 7);
	assert_int_equal(
		times_logged(
			&w,
			"state_dir: none is set; the messages of the day are counted in memory "
			"only"),
		1);
}

static void test_a_place_that_comes_back_is_used(void **state UNUSED)
{
	WORLD(w);

	w.config.write_ms = 1;
	start(&w);
	remove_dirs(&w);
	publish(&w, 1);
	assert_int_equal(event_base_loop(w.base, EVLOOP_ONCE), 0);
	assert_int_equal(times_logged(&w, "No such file or directory"), 1);
	start(&w);
	publish(&w, 1);
	assert_int_equal(event_base_loop(w.base, EVLOOP_ONCE), 0);
	assert_int_equal(access(w.file, F_OK), 0);
}

static void test_without_a_budget_there_is_no_file_until_there_is_one(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	publish(&w, 7);
	w.config.limit = 0;
	start(&w);
	publish(&w, 90);
	assert_int_equal(messages(&w), 90);
	ledger_set_limit(w.ledger, 100);
	assert_int_equal(messages(&w), 97);
	assert_true(ledger_is_low(w.ledger, NOON));
	w.config.limit = 0;
	w.config.dir = "/proc/nowhere";
	start(&w);
	assert_int_equal(times_logged(&w, "memory only"), 0);
}

/* ---- the log --------------------------------------------------------------------------------- */

static void test_warnings_are_once_a_day_over_a_restart(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	publish(&w, 80);
	publish(&w, 1);
	start(&w);
	publish(&w, 1);
	assert_int_equal(
		times_logged(&w, "80 % of the day's messages are used: 80 of 100 (daily_messages)"),
		1);
	assert_false(ledger_is_low(w.ledger, NOON));
	publish(&w, 14);
	publish(&w, 1);
	assert_true(ledger_is_low(w.ledger, NOON));
	assert_int_equal(times_logged(&w, "95 % of the day's messages are used: 96 of 100"), 1);
	assert_int_equal(times_logged(&w, "% of the day's"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count_survives_a_restart),
		cmocka_unit_test(test_it_is_written_in_time_and_only_when_there_is_news),
		cmocka_unit_test(test_names_do_not_mix),
		cmocka_unit_test(test_damaged_file_is_said_and_replaced),
		cmocka_unit_test(test_huge_file_is_damaged),
		cmocka_unit_test(test_fifo_in_its_place_does_not_hold_us_up),
		cmocka_unit_test(test_fifo_in_place_of_the_new_file_does_not_hold_us_up),
		cmocka_unit_test(test_full_disk_leaves_the_file_as_it_was),
		cmocka_unit_test(test_file_that_cannot_be_read_is_said),
		cmocka_unit_test(test_no_place_is_said_once_and_counting_goes_on),
		cmocka_unit_test(test_no_dir_at_all_counts_in_memory),
		cmocka_unit_test(test_a_place_that_comes_back_is_used),
		cmocka_unit_test(test_without_a_budget_there_is_no_file_until_there_is_one),
		cmocka_unit_test(test_warnings_are_once_a_day_over_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
