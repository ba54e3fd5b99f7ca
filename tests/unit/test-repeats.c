/* SPDX-License-Identifier: MIT */
/*
 * Lines of the log that come again: what is written of them, when, and that none is lost.
 *
 * A line is a letter, or several for one that is long; what was written is a word for each line.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/repeats.h"

struct written {
	char text[20000];
	int level;	/* of the last one */
};

static void write_line(void *data, int level, const char *text)
{
	struct written *w = data;
	unsigned int period = 1, n;
	size_t len = strlen(w->text);

	if (sscanf(text, "log: the line before came %u more time", &n) == 1 ||
	    sscanf(text, "log: the %u lines before came %u more time", &period, &n) == 2)
		snprintf(w->text + len, sizeof(w->text) - len, "%ux%u ", period, n);
	else
		snprintf(w->text + len, sizeof(w->text) - len, "%s ", text);
	w->level = level;
}

static void start(struct repeats *r, struct written *w)
{
	*w->text = '\0';
	repeats_init(r, REPEATS_PERIOD_MAX, write_line, w);
}

/* Each letter of text is a line, one each step_ms. */
static uint64_t add_all(struct repeats *r, const char *text, uint64_t now_ms, uint64_t step_ms)
{
	for (; *text; text++, now_ms += step_ms)
		repeats_add(r, 2, (char[]){ *text, '\0' }, now_ms);
	return now_ms;
}

static void test_lines_that_come_again(void **state UNUSED)
{
	static const struct {
		const char *lines, *written;
	} cases[] = {
		{ "abc", "a b c " },
		{ "aaaab", "a 1x3 b " },
		{ "aabbb", "a 1x1 b 1x2 " },
		{ "abab", "a b a b " },			/* it could end there */
		{ "ababababX", "a b a b 2x2 X " },
		{ "abababaX", "a b a b 2x1 a X " },	/* the state of things is a */
		{ "ababaX", "a b a b a X " },
		{ "abcabcabcabX", "a b c a b c 3x1 a b X " },
		{ "abcdabcdabcdX", "a b c d a b c d 4x1 X " },
		{ "abcdeabcdeabcde", "a b c d e a b c d e a b c d e " },
		{ "abababababbbba", "a b a b 2x3 b 1x2 a " },
		{ "abababacacac", "a b a b 2x1 a c a c 2x1 " },
		{ "aabaabaab", "a 1x1 b a 1x1 b a 1x1 b " },
	};
	struct written w;
	struct repeats r;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start(&r, &w);
		add_all(&r, cases[i].lines, 1000, 1);
		repeats_release(&r);
		assert_string_equal(w.text, cases[i].written);
	}
}

/* A chapi-hub has no timer: there lines that come again in turns are not held back. */
static void test_only_lines_alone(void **state UNUSED)
{
	struct written w;
	struct repeats r;

	start(&r, &w);
	r.period_max = 1;
	add_all(&r, "abababaaab", 1000, 1);
	assert_string_equal(w.text, "a b a b a b a 1x2 b ");
	assert_true(repeats_due_ms(&r) == UINT64_MAX);
}

static void test_a_line_of_another_level_is_another(void **state UNUSED)
{
	struct written w;
	struct repeats r;

	start(&r, &w);
	repeats_add(&r, 2, "a", 1000);
	repeats_add(&r, 1, "a", 1000);
	assert_string_equal(w.text, "a a ");
}

static void test_the_count_is_as_urgent_as_its_lines(void **state UNUSED)
{
	struct written w;
	struct repeats r;

	start(&r, &w);
	for (int i = 0; i < 6; i++)
		repeats_add(&r, i % 2 == 0 ? 1 : 3, i % 2 == 0 ? "a" : "b", 1000);
	repeats_release(&r);
	assert_string_equal(w.text, "a b a b 2x1 ");
	assert_int_equal(w.level, 1);
}

/* The longest line is held back whole, and one that only ends otherwise is another. */
static void test_the_longest_line(void **state UNUSED)
{
	char a[REPEATS_LINE_MAX], b[REPEATS_LINE_MAX];
	struct written w;
	struct repeats r;

	memset(a, 'a', sizeof(a) - 1);
	a[sizeof(a) - 1] = '\0';
	memcpy(b, a, sizeof(b));
	b[sizeof(b) - 2] = 'b';
	start(&r, &w);
	repeats_add(&r, 2, a, 1000);
	repeats_add(&r, 2, a, 1000);
	repeats_add(&r, 2, b, 1000);
	assert_int_equal(strncmp(w.text, a, sizeof(a) - 1), 0);
	assert_int_equal(strncmp(w.text + sizeof(a), "1x1 aaaa", 8), 0);
	assert_string_equal(w.text + sizeof(a) + 4 + sizeof(b) - 3, "ab ");
}

/* ---- time -------------------------------------------------------------------------------- */

static void test_due_is_when_the_first_is_held_for_long(void **state UNUSED)
{
	struct written w;
	struct repeats r;

	start(&r, &w);
	assert_true(repeats_due_ms(&r) == UINT64_MAX);
	add_all(&r, "a", 1000, 1);
	assert_true(repeats_due_ms(&r) == UINT64_MAX);
	add_all(&r, "aa", 2000, 500);
	assert_true(repeats_due_ms(&r) == 2000 + REPEATS_ALONE_MS);
	repeats_release(&r);
	assert_string_equal(w.text, "a 1x2 ");
	assert_true(repeats_due_ms(&r) == UINT64_MAX);
	add_all(&r, "babab", 3000, 1);
	assert_true(repeats_due_ms(&r) == 3003 + REPEATS_IN_TURNS_MS);
}

/* Released between two of them, it is still the line before that comes again. */
static void test_it_goes_on_behind_its_count(void **state UNUSED)
{
	struct written w;
	struct repeats r;

	start(&r, &w);
	add_all(&r, "ababab", 1000, 1);
	repeats_release(&r);
	add_all(&r, "ababab", 2000, 1);
	repeats_release(&r);
	assert_string_equal(w.text, "a b a b 2x1 2x3 ");
	/* In the middle of a round: a is written, and with b all that a count would speak of. */
	add_all(&r, "aba", 3000, 1);
	repeats_release(&r);
	add_all(&r, "bab", 4000, 1);
	repeats_release(&r);
	assert_string_equal(w.text, "a b a b 2x1 2x3 2x1 a b 2x1 ");
}

/* Nobody calls repeats_release(): the count is written with the first round that ends too late. */
static void test_a_flood_has_a_count_each_time(void **state UNUSED)
{
	struct written w;
	struct repeats r;
	uint64_t now_ms = 1000;

	start(&r, &w);
	for (int i = 0; i < 130; i++)
		now_ms = add_all(&r, "a", now_ms, 1000);
	assert_string_equal(w.text, "a 1x61 1x61 ");
	start(&r, &w);
	for (int i = 0; i < 12; i++)
		now_ms = add_all(&r, "ab", now_ms, 1000);
	assert_string_equal(w.text, "a b a b 2x6 ");
}

static void test_what_comes_late_does_not_come_again(void **state UNUSED)
{
	struct written w;
	struct repeats r;

	start(&r, &w);
	add_all(&r, "aaa", 1000, REPEATS_ALONE_MS);
	assert_string_equal(w.text, "a a a ");
	start(&r, &w);
	add_all(&r, "abababab", 1000, REPEATS_IN_TURNS_MS / 2);
	assert_string_equal(w.text, "a b a b a b a b ");
}

static void test_forgotten_nothing_comes_again(void **state UNUSED)
{
	struct written w;
	struct repeats r;

	start(&r, &w);
	add_all(&r, "aa", 1000, 1);
	repeats_forget(&r);
	add_all(&r, "aa", 1000, 1);
	repeats_forget(&r);
	assert_string_equal(w.text, "a 1x1 a 1x1 ");
	start(&r, &w);
	add_all(&r, "abababa", 1000, 1);
	repeats_forget(&r);
	add_all(&r, "ba", 1000, 1);
	assert_string_equal(w.text, "a b a b 2x1 a b a ");
}

/* ---- none is lost ------------------------------------------------------------------------ */

/* What a reader makes of the log: a count is so many times the lines that stand before it, or that
 * the count before it spoke of. */
static void read_back(const char *text, char *ret, size_t len)
{
	size_t n = 0;

	for (; *text; text += strcspn(text, " ") + 1) {
		unsigned int period, times;

		if (sscanf(text, "%ux%u", &period, &times) != 2) {
			ret[n++] = *text;
			continue;
		}
		for (unsigned int i = period * times; i > 0 && n + 1 < len; i--, n++)
			ret[n] = ret[n - period];
	}
	ret[n] = '\0';
}

/* Lines at random, few of them, so that all sorts of patterns come; released now and then. */
static void test_none_is_lost(void **state UNUSED)
{
	char lines[400], found[sizeof(lines)];
	unsigned int seed = 1;
	struct written w;
	struct repeats r;

	for (int round = 0; round < 300; round++) {
		uint64_t now_ms = 1000;
		size_t period = 1 + (size_t)round % 5;

		start(&r, &w);
		for (size_t i = 0; i < sizeof(lines) - 1; i++) {
			bool goes_on = i >= period && rand_r(&seed) % 16 != 0;

			lines[i] = goes_on ? lines[i - period] : (char)('a' + rand_r(&seed) % 3);
			repeats_add(&r, 2, (char[]){ lines[i], '\0' }, now_ms);
			now_ms += (uint64_t)(rand_r(&seed) % 3000);
			if (rand_r(&seed) % 32 == 0)
				repeats_release(&r);
		}
		lines[sizeof(lines) - 1] = '\0';
		repeats_release(&r);
		read_back(w.text, found, sizeof(found));
		assert_string_equal(found, lines);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_that_come_again),
		cmocka_unit_test(test_only_lines_alone),
		cmocka_unit_test(test_a_line_of_another_level_is_another),
		cmocka_unit_test(test_the_count_is_as_urgent_as_its_lines),
		cmocka_unit_test(test_the_longest_line),
		cmocka_unit_test(test_due_is_when_the_first_is_held_for_long),
		cmocka_unit_test(test_it_goes_on_behind_its_count),
		cmocka_unit_test(test_a_flood_has_a_count_each_time),
		cmocka_unit_test(test_what_comes_late_does_not_come_again),
		cmocka_unit_test(test_forgotten_nothing_comes_again),
		cmocka_unit_test(test_none_is_lost),
	};

	return cmocka_run_group_tests_name("repeats", tests, NULL, NULL);
}
