/* SPDX-License-Identifier: MIT */
/*
 * The log: its three styles, its levels, and what it does to text from outside.
 *
 * Standard error is a file, or a terminal, for as long as a test writes; what came out is
 * checked when it is the test runner's again.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/log.h"
#include "tests/unit/bytes.h"
#include "tests/unit/capture.h"
#include "tests/unit/skip.h"

#define LIMIT_MS 10000		/* of any wait: only a failure takes as long */

static void open_plain(enum log_level level)
{
	unsetenv("JOURNAL_STREAM");
	log_open(level);
}

/* ---- styles ----------------------------------------------------------------------------- */

static void test_log_to_a_file_is_plain(void **state UNUSED)
{
	char text[1000];

	CAPTURED(text, {
		open_plain(LOG_LEVEL_DEBUG);
		log_error("hub", "%d of %s", 1, "x");
		log_warn("hub", "two");
		log_info("socket", "three");
		log_debug("config", "four");
	});
	assert_string_equal(text, "hub: error: 1 of x\nhub: warning: two\nsocket: three\n"
				  "config: debug: four\n");
}

static void set_journal(int fd, long more)
{
	char stream[100];
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + (unsigned long long)more);
	setenv("JOURNAL_STREAM", stream, 1);
}

static void test_log_to_the_journal_has_priorities(void **state UNUSED)
{
	char text[1000];

	CAPTURED(text, {
		set_journal(STDERR_FILENO, 0);
		log_open(LOG_LEVEL_DEBUG);
		log_error("hub", "one");
		log_warn("hub", "two");
		log_info("hub", "three");
		log_debug("hub", "four");
	});
	assert_string_equal(text, "<3>hub: one\n<4>hub: two\n<6>hub: three\n<7>hub: four\n");
}

static void test_log_journal_of_somebody_else_does_not_count(void **state UNUSED)
{
	static const char *const streams[] = { "", "x", "1", "1:", ":" };
	char text[1000];

	CAPTURED(text, {
		set_journal(STDERR_FILENO, 1);
		log_open(LOG_LEVEL_INFO);
		log_info("hub", "x");
	});
	assert_string_equal(text, "hub: x\n");
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		CAPTURED(text, {
			setenv("JOURNAL_STREAM", streams[i], 1);
			log_open(LOG_LEVEL_INFO);
			log_info("hub", "x");
		});
		assert_string_equal(text, "hub: x\n");
	}
}

static int open_terminal(int *ret_slave)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return -1;
	*ret_slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *ret_slave < 0 ? -1 : master;
}

static void read_until_newline(int fd, char *ret, size_t len)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;
	ssize_t r;

	while (n + 1 < len && (n == 0 || ret[n - 1] != '\n')) {
		assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
		r = read(fd, ret + n, len - 1 - n);
		assert_true(r > 0);
		n += (size_t)r;
	}
	ret[n] = '\0';
}

static void test_log_to_a_terminal_has_the_time(void **state UNUSED)
{
	int slave = -1, master = open_terminal(&slave), n = 0;
	unsigned int h, m, s, ms;
	struct capture capture;
	char text[200];

	if (master < 0)
		SKIP("no such device here");
	capture_fd(&capture, slave);
	open_plain(LOG_LEVEL_INFO);
	log_warn("hub", "gone");
	dup2(capture.saved, STDERR_FILENO);
	close(capture.saved);
	read_until_newline(master, text, sizeof(text));
	assert_int_equal(sscanf(text, "%2u:%2u:%2u.%3u %n", &h, &m, &s, &ms, &n), 4);
	assert_int_equal(n, strlen("12:34:56.789 "));
	assert_true(h < 24 && m < 60 && s <= 60 && ms < 1000);
	assert_int_equal(strncmp(text + n, "hub: warning: gone\r\n", 20), 0);
	close(slave);
	close(master);
}

/* ---- levels ----------------------------------------------------------------------------- */

static void write_all_levels(void)
{
	log_error("x", "e");
	log_warn("x", "w");
	log_info("x", "i");
	log_debug("x", "d");
}

static void test_log_level_holds_back_what_is_below(void **state UNUSED)
{
	static const struct {
		enum log_level level;
		const char *expected;
	} cases[] = {
		{ LOG_LEVEL_ERROR, "x: error: e\n" },
		{ LOG_LEVEL_WARN, "x: error: e\nx: warning: w\n" },
		{ LOG_LEVEL_INFO, "x: error: e\nx: warning: w\nx: i\n" },
		{ LOG_LEVEL_DEBUG, "x: error: e\nx: warning: w\nx: i\nx: debug: d\n" },
	};
	char text[1000];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CAPTURED(text, {
			open_plain(LOG_LEVEL_DEBUG);
			log_set_level(cases[i].level);
			write_all_levels();
		});
		assert_string_equal(text, cases[i].expected);
		assert_int_equal(log_get_level(), cases[i].level);
		CAPTURED(text, {
			open_plain(cases[i].level);
			write_all_levels();
		});
		assert_string_equal(text, cases[i].expected);
	}
}

/* ---- lines ------------------------------------------------------------------------------ */

static void test_log_event_is_one_line(void **state UNUSED)
{
	char text[1000];

	CAPTURED(text, {
		open_plain(LOG_LEVEL_INFO);
		log_info("hub", "a\nb\r\nc\n");
	});
	assert_string_equal(text, "hub: a b  c \n");
}

static void test_log_topic_has_a_length(void **state UNUSED)
{
	char text[1000];

	CAPTURED(text, {
		open_plain(LOG_LEVEL_INFO);
		log_info("0123456789012345678901234567890123456789", "x");
	});
	assert_string_equal(text, "01234567890123456789012345678901: x\n");
}

static void fill_with(char *text, size_t len, const char *unit)
{
	size_t step = strlen(unit), n = 0;

	for (; n + step < len; n += step)
		memcpy(text + n, unit, step);
	text[n] = '\0';
}

static void test_log_long_line_is_cut(void **state UNUSED)
{
	char text[5000], words[4000];
	size_t len;

	fill_with(words, sizeof(words), "x");
	CAPTURED(text, {
		open_plain(LOG_LEVEL_INFO);
		log_info("hub", "%s", words);
		log_info("hub", "next");
	});
	len = (size_t)(strchr(text, '\n') - text);
	assert_in_range(len, 1000, 2048);
	assert_int_equal(strncmp(text, "hub: xxx", 8), 0);
	assert_int_equal(strncmp(text + len - 4, "x...\nhub: next\n", 16), 0);
}

/* Around the limit: whole, or cut and marked so. */
static void test_log_line_is_whole_or_marked(void **state UNUSED)
{
	char text[5000], words[2100], whole[2200];
	unsigned int n_whole = 0;

	for (size_t len = 2000; len < sizeof(words); len++) {
		fill_with(words, len, "x");
		words[len - 2] = '!';
		snprintf(whole, sizeof(whole), "hub: %s\n", words);
		CAPTURED(text, {
			open_plain(LOG_LEVEL_INFO);
			log_info("hub", "%s", words);
		});
		if (strcmp(text, whole) == 0)
			n_whole++;
		else
			assert_string_equal(text + strlen(text) - 5, "x...\n");
	}
	assert_in_range(n_whole, 1, 99);
}

static void test_log_long_line_is_cut_between_characters(void **state UNUSED)
{
	char text[5000], words[4000], topic[8] = "";
	size_t len;

	fill_with(words, sizeof(words), "\xf0\x9f\x98\x80");
	for (size_t shift = 0; shift < 4; shift++) {
		topic[shift] = 'h';
		CAPTURED(text, {
			open_plain(LOG_LEVEL_INFO);
			log_info(topic, "%s", words);
		});
		len = (size_t)(strchr(text, '\n') - text);
		assert_int_equal(strncmp(text + len - 7, "\xf0\x9f\x98\x80...", 7), 0);
	}
}

static void test_log_keeps_errno_and_can_name_it(void **state UNUSED)
{
	char text[1000];

	CAPTURED(text, {
		open_plain(LOG_LEVEL_INFO);
		errno = ENOENT;
		log_info("x", "%m");
		assert_int_equal(errno, ENOENT);
		log_debug("x", "not written");
		assert_int_equal(errno, ENOENT);
	});
	assert_string_equal(text, "x: No such file or directory\n");
}

static void test_log_that_nobody_takes_is_lost(void **state UNUSED)
{
	struct capture capture;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	if (full < 0)
		SKIP("no such device here");
	capture_fd(&capture, full);
	open_plain(LOG_LEVEL_INFO);
	errno = EAGAIN;
	log_error("x", "y");
	assert_int_equal(errno, EAGAIN);
	dup2(capture.saved, STDERR_FILENO);
	close(capture.saved);
	close(full);
}

/* ---- lines that come again --------------------------------------------------------------- */

static void write_many(const char *text, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		log_warn("hub", "%s", text);
}

static void test_log_counts_what_comes_again(void **state UNUSED)
{
	char text[1000];

	CAPTURED(text, {
		open_plain(LOG_LEVEL_INFO);
		write_many("a", 5);
		write_many("b", 1);
		write_many("a", 2);
		log_debug("x", "held back, so no other line");
		write_many("a", 1);
		log_error("hub", "a");
	});
	assert_string_equal(text, "hub: warning: a\nlog: the line before came 4 more times\n"
				  "hub: warning: b\nhub: warning: a\n"
				  "log: the line before came 2 more times\nhub: error: a\n");
}

static void test_log_count_has_the_level_of_its_line(void **state UNUSED)
{
	char text[1000];

	CAPTURED(text, {
		set_journal(STDERR_FILENO, 0);
		log_open(LOG_LEVEL_INFO);
		write_many("a", 2);
		log_info("hub", "b");
	});
	assert_string_equal(text,
			    "<4>hub: a\n<4>log: the line before came 1 more time\n<6>hub: b\n");
}

static void test_log_is_asked_how_long_it_holds_back(void **state UNUSED)
{
	char text[1000];

	CAPTURED(text, {
		open_plain(LOG_LEVEL_INFO);
		write_many("a", 1);
		assert_int_equal(log_holds_ms(), -1);
		write_many("a", 2);
		assert_in_range(log_holds_ms(), 1, 60000);
		log_release();
		assert_int_equal(log_holds_ms(), -1);
		write_many("a", 1);
		assert_in_range(log_holds_ms(), 1, 60000);
		open_plain(LOG_LEVEL_INFO);
		assert_int_equal(log_holds_ms(), -1);
	});
	assert_string_equal(text, "hub: warning: a\nlog: the line before came 2 more times\n");
}

static void test_log_counts_what_comes_again_in_turns_if_told_to(void **state UNUSED)
{
	char text[1000];

	for (int told = 0; told < 3; told++) {
		CAPTURED(text, {
			open_plain(LOG_LEVEL_INFO);
			if (told)
				log_count_turns();
			if (told == 2)
				log_set_level(LOG_LEVEL_DEBUG);
			for (int i = 0; i < 7; i++)
				log_info("hub", i % 2 == 0 ? "up" : "down");
			log_info("gateway", "stopped");
		});
		assert_string_equal(text, told == 1 ? "hub: up\nhub: down\nhub: up\nhub: down\n"
						 "log: the 2 lines before came 1 more time\n"
						 "hub: up\ngateway: stopped\n" :
						 "hub: up\nhub: down\nhub: up\nhub: down\n"
						 "hub: up\nhub: down\nhub: up\n"
						 "gateway: stopped\n");
	}
}

/* When the level changes, what is counted is written, and lines in turns begin anew. */
static void test_log_level_that_changes_loses_no_count(void **state UNUSED)
{
	char text[1000];

	CAPTURED(text, {
		open_plain(LOG_LEVEL_INFO);
		log_count_turns();
		for (int i = 0; i < 7; i++)
			log_info("hub", i % 2 == 0 ? "up" : "down");
		log_set_level(LOG_LEVEL_DEBUG);
		log_info("hub", "down");
	});
	assert_string_equal(text, "hub: up\nhub: down\nhub: up\nhub: down\n"
				  "log: the 2 lines before came 1 more time\n"
				  "hub: up\nhub: down\n");
}

static void test_log_that_is_opened_again_has_no_last_line(void **state UNUSED)
{
	char text[1000];

	CAPTURED(text, {
		open_plain(LOG_LEVEL_INFO);
		write_many("a", 2);
		open_plain(LOG_LEVEL_INFO);
		write_many("a", 1);
	});
	assert_string_equal(text, "hub: warning: a\nhub: warning: a\n");
}

/* ---- calls ------------------------------------------------------------------------------- */

static const struct log_call a_call = {
	.id = BYTES("7c9e"), .api = BYTES("door\nopen"), .code = "timeout", .caller = "uid:7",
};
static const struct log_call nobodys_call = { .api = BYTES("door"), .code = "ok" };

static void test_log_call_is_a_line(void **state UNUSED)
{
	char text[1000];

	CAPTURED(text, {
		open_plain(LOG_LEVEL_INFO);
		log_call(LOG_LEVEL_INFO, &a_call, ", %d ms\n", 5);
		log_call(LOG_LEVEL_WARN, &nobodys_call, "%s", "");
		log_call(LOG_LEVEL_DEBUG, &a_call, ", held back");
	});
	assert_string_equal(text, "call: 7c9e of door\\x0aopen by uid:7: timeout, 5 ms \n"
				  "call: warning: of door: ok\n");
}

/* A journal of the test's: a socket in a folder. */
static int open_journal(char path[64])
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(path, 64, "/tmp/chapi-log-XXXXXX");
	assert_non_null(mkdtemp(path));
	strcat(path, "/journal");
	memcpy(addr.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	log_set_journal(path);
	return fd;
}

static void close_journal(int fd, char path[64])
{
	close(fd);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

static void log_call_to_the_journal(const struct log_call *call, char *ret, size_t len)
{
	CAPTURED_INTO(ret, len, {
		set_journal(STDERR_FILENO, 0);
		log_open(LOG_LEVEL_DEBUG);
		log_call(LOG_LEVEL_DEBUG, call, ", 5 ms");
	});
}

static void test_log_call_has_fields_in_the_journal(void **state UNUSED)
{
	char path[64], text[1000], message[1000] = "";
	int fd = open_journal(path);

	log_call_to_the_journal(&a_call, text, sizeof(text));
	assert_string_equal(text, "");
	assert_true(recv(fd, message, sizeof(message) - 1, 0) > 0);
	assert_string_equal(message, "MESSAGE=7c9e of door\\x0aopen by uid:7: timeout, 5 ms\n"
				     "PRIORITY=7\nSYSLOG_IDENTIFIER=chapi-gw\n"
				     "CHAPI_API=door\\x0aopen\nCHAPI_CODE=timeout\n"
				     "CHAPI_CALL=7c9e\nCHAPI_CALLER=uid:7\n");
	close_journal(fd, path);
}

/* A call's line has not come again, and what came before is not told to have come behind it. */
static void test_log_call_stands_between_lines_that_are_alike(void **state UNUSED)
{
	char path[64], text[1000];
	int fd = open_journal(path);

	CAPTURED(text, {
		set_journal(STDERR_FILENO, 0);
		log_open(LOG_LEVEL_INFO);
		log_write(LOG_LEVEL_INFO, "hub", "connected");
		log_write(LOG_LEVEL_INFO, "hub", "connected");
		log_call(LOG_LEVEL_INFO, &a_call, "%s", "");
		log_write(LOG_LEVEL_INFO, "hub", "connected");
	});
	assert_string_equal(text, "<6>hub: connected\n"
				  "<6>log: the line before came 1 more time\n"
				  "<6>hub: connected\n");
	close_journal(fd, path);
}

static void test_log_call_has_no_empty_fields(void **state UNUSED)
{
	char path[64], text[1000], message[1000] = "";
	int fd = open_journal(path);

	log_call_to_the_journal(&nobodys_call, text, sizeof(text));
	assert_true(recv(fd, message, sizeof(message) - 1, 0) > 0);
	assert_string_equal(message, "MESSAGE=of door: ok, 5 ms\nPRIORITY=7\n"
				     "SYSLOG_IDENTIFIER=chapi-gw\n"
				     "CHAPI_API=door\nCHAPI_CODE=ok\n");
	close_journal(fd, path);
}

static void test_log_call_is_a_line_when_the_journal_is_gone(void **state UNUSED)
{
	char path[64], text[1000];
	int fd = open_journal(path);

	close_journal(fd, path);
	log_call_to_the_journal(&a_call, text, sizeof(text));
	assert_string_equal(text, "<7>call: 7c9e of door\\x0aopen by uid:7: timeout, 5 ms\n");
}

static void test_log_call_is_a_line_when_the_journal_is_busy(void **state UNUSED)
{
	char path[64], text[1000], message[1000];
	int fd = open_journal(path);

	do
		log_call_to_the_journal(&a_call, text, sizeof(text));
	while (!*text);
	assert_string_equal(text, "<7>call: 7c9e of door\\x0aopen by uid:7: timeout, 5 ms\n");
	assert_true(recv(fd, message, sizeof(message), 0) > 0);
	close_journal(fd, path);
}

/* ---- text from outside ------------------------------------------------------------------ */

static void test_escape(void **state UNUSED)
{
	static const struct {
		struct span text;
		const char *expected;
	} cases[] = {
		{ BYTES(""), "" },
		{ BYTES("plain ~"), "plain ~" },
		{ BYTES("a\nb\r\t\0c"), "a\\x0ab\\x0d\\x09\\x00c" },
		{ BYTES("\x1b[31m\x7f"), "\\x1b[31m\\x7f" },
		{ BYTES("Z\xc3\xbcrich \xe2\x9c\x93 \xf0\x9f\x98\x80"),
		  "Z\xc3\xbcrich \xe2\x9c\x93 \xf0\x9f\x98\x80" },
		{ BYTES("\xff\xfe\x80"), "\\xff\\xfe\\x80" },
		{ BYTES("\xc2\x9b|\xc2\xa0"), "\\xc2\\x9b|\xc2\xa0" },
		{ BYTES("\xc0\xaf"), "\\xc0\\xaf" },
		{ BYTES("\xe0\x80\xaf"), "\\xe0\\x80\\xaf" },
		{ BYTES("\xed\xa0\x80"), "\\xed\\xa0\\x80" },
		{ BYTES("\xf0\x80\x80\xaf"), "\\xf0\\x80\\x80\\xaf" },
		{ BYTES("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80" },
		{ BYTES("\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf" },
		{ BYTES("\xe2\x9c"), "\\xe2\\x9c" },
		{ BYTES("\xe2\x9cx"), "\\xe2\\x9cx" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(LOG_TEXT(cases[i].text), cases[i].expected);
}

static void test_escape_cuts_at_the_size(void **state UNUSED)
{
	static const struct {
		struct span text;
		size_t size;
		const char *expected;
	} cases[] = {
		{ BYTES("1234567"), 8, "1234567" },
		{ BYTES("12345678"), 8, "1234..." },
		{ BYTES("123\n"), 8, "123\\x0a" },
		{ BYTES("1234\n"), 8, "1234..." },
		{ BYTES("12\n45"), 8, "12..." },
		{ BYTES("\n\n"), 8, "\\x0a..." },
		{ BYTES("12345\xc3\xa9"), 8, "12345\xc3\xa9" },
		{ BYTES("123\xc3\xa9\xc3\xa9"), 8, "123\xc3\xa9\xc3\xa9" },
		{ BYTES("123\xc3\xa9\xc3\xa9x"), 8, "123..." },
		{ BYTES("12345"), 4, "..." },
		{ BYTES("12345"), 3, ".." },
		{ BYTES("12345"), 1, "" },
	};
	char out[16];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(out, '#', sizeof(out));
		assert_ptr_equal(log_escape(cases[i].text, out, cases[i].size), out);
		assert_string_equal(out, cases[i].expected);
		for (size_t k = cases[i].size; k < sizeof(out); k++)
			assert_int_equal(out[k], '#');
	}
}

static void test_escape_of_a_log_line_has_200_bytes(void **state UNUSED)
{
	char words[300];

	fill_with(words, 201, "x");
	assert_string_equal(LOG_TEXT(span_str(words)), words);
	fill_with(words, 202, "x");
	assert_int_equal(strlen(LOG_TEXT(span_str(words))), 200);
	assert_string_equal(LOG_TEXT(span_str(words)) + 196, "x...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_to_a_file_is_plain),
		cmocka_unit_test(test_log_to_the_journal_has_priorities),
		cmocka_unit_test(test_log_journal_of_somebody_else_does_not_count),
		cmocka_unit_test(test_log_to_a_terminal_has_the_time),
		cmocka_unit_test(test_log_level_holds_back_what_is_below),
		cmocka_unit_test(test_log_event_is_one_line),
		cmocka_unit_test(test_log_topic_has_a_length),
		cmocka_unit_test(test_log_long_line_is_cut),
		cmocka_unit_test(test_log_line_is_whole_or_marked),
		cmocka_unit_test(test_log_long_line_is_cut_between_characters),
		cmocka_unit_test(test_log_keeps_errno_and_can_name_it),
		cmocka_unit_test(test_log_that_nobody_takes_is_lost),
		cmocka_unit_test(test_log_counts_what_comes_again),
		cmocka_unit_test(test_log_count_has_the_level_of_its_line),
		cmocka_unit_test(test_log_is_asked_how_long_it_holds_back),
		cmocka_unit_test(test_log_counts_what_comes_again_in_turns_if_told_to),
		cmocka_unit_test(test_log_level_that_changes_loses_no_count),
		cmocka_unit_test(test_log_that_is_opened_again_has_no_last_line),
		cmocka_unit_test(test_log_call_is_a_line),
		cmocka_unit_test(test_log_call_has_fields_in_the_journal),
		cmocka_unit_test(test_log_call_stands_between_lines_that_are_alike),
		cmocka_unit_test(test_log_call_has_no_empty_fields),
		cmocka_unit_test(test_log_call_is_a_line_when_the_journal_is_gone),
		cmocka_unit_test(test_log_call_is_a_line_when_the_journal_is_busy),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_cuts_at_the_size),
		cmocka_unit_test(test_escape_of_a_log_line_has_200_bytes),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
