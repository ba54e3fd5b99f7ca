/* SPDX-License-Identifier: MIT */
/*
 * Records in assembly: any order, doubles, limits, time; then random records, cut by parts.c
 * and put together here.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/assembly.h"

#define CHANNEL span_str("private-chapi-pi")
#define PART_TEXT_MAX 400	/* of a part, in tests of few bytes */

static const struct assemblies_limits defaults = {
	.record_max = 4096, .bytes_max = 100000, .n_max = 3, .complete_ms = 30000,
};

/* A record of the test, in parts. */
struct sent {
	struct buf record;
	struct parts parts;
	char id[16];
};

static void sent_init(struct sent *s, const char *id, size_t len, size_t text_max)
{
	*s = (struct sent){ .parts = PARTS_NULL };
	snprintf(s->id, sizeof(s->id), "%s", id);
	for (size_t i = 0; i < len; i++)
		buf_put_byte(&s->record, (uint8_t)(rand() >> 4));
	assert_int_equal(parts_split(span_str(s->id), buf_span(&s->record), text_max, &s->parts),
			 0);
}

static void sent_deinit(struct sent *s)
{
	parts_deinit(&s->parts);
	buf_deinit(&s->record);
}

struct world {
	struct assemblies *as;
	struct buf out;
	size_t size;
	uint64_t now_ms;
};

static void world_init(struct world *w, const struct assemblies_limits *limits)
{
	*w = (struct world){ .now_ms = 1000 };
	assert_int_equal(assemblies_new(limits, &w->as), 0);
}

static void world_deinit(struct world *w)
{
	assert_null(assemblies_free(w->as));
	buf_deinit(&w->out);
}

static int comes_on(struct world *w, struct span channel, const struct sent *s, unsigned int i)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct part part = PART_NULL;
	int r;

	parts_put(&s->parts, i, &text);
	assert_int_equal(part_parse(buf_span(&text), &part), 0);
	buf_clear(&w->out);
	r = assemblies_add(w->as, channel, &part, w->now_ms, &w->out, &w->size);
	part_deinit(&part);
	return r;
}

static int comes(struct world *w, const struct sent *s, unsigned int i)
{
	return comes_on(w, CHANNEL, s, i);
}

static void assert_record(const struct world *w, const struct sent *s)
{
	assert_true(span_equal(buf_span(&w->out), buf_span(&s->record)));
}

/* All but part i, in their order. */
static void come_but(struct world *w, const struct sent *s, unsigned int i)
{
	for (unsigned int k = 0; k < s->parts.n; k++)
		if (k != i)
			assert_int_equal(comes(w, s, k), ASSEMBLY_WAITS);
}

static void assert_comes_whole(struct world *w, const struct sent *s)
{
	come_but(w, s, s->parts.n - 1);
	assert_int_equal(comes(w, s, s->parts.n - 1), 0);
	assert_record(w, s);
}

static bool late(struct world *w, char ret_id[16])
{
	CLEANUP(part_deinit) struct part part = PART_NULL;
	struct span channel;

	if (!assemblies_take_late(w->as, w->now_ms, &part, &channel))
		return false;
	assert_true(span_equal(channel, CHANNEL));
	snprintf(ret_id, 16, "%.*s", (int)part.id.len, (const char *)buf_data(&part.id));
	return true;
}

static void test_parts_come_in_any_order(void **state UNUSED)
{
	struct world w;
	struct sent s;

	world_init(&w, &defaults);
	sent_init(&s, "a", 2000, PART_TEXT_MAX);
	assert_in_range(s.parts.n, 5, 50);
	for (unsigned int i = s.parts.n; i-- > 1;)
		assert_int_equal(comes(&w, &s, i), ASSEMBLY_WAITS);
	assert_int_equal(assemblies_count(w.as), 1);
	assert_int_equal(comes(&w, &s, 0), 0);
	assert_record(&w, &s);
	assert_int_equal(assemblies_count(w.as), 0);
	assert_int_equal(assemblies_bytes(w.as), 0);
	sent_deinit(&s);
	world_deinit(&w);
}

static void test_parts_of_many_records_are_mixed(void **state UNUSED)
{
	struct sent s[3];
	struct world w;

	world_init(&w, &defaults);
	for (unsigned int k = 0; k < 3; k++)
		sent_init(&s[k], (const char *[]){ "a", "b", "c" }[k], 1500, PART_TEXT_MAX);
	for (unsigned int i = 0; i + 1 < s[0].parts.n; i++)
		for (unsigned int k = 0; k < 3; k++)
			assert_int_equal(comes(&w, &s[k], i), ASSEMBLY_WAITS);
	for (unsigned int k = 0; k < 3; k++) {
		assert_int_equal(comes(&w, &s[k], s[k].parts.n - 1), 0);
		assert_record(&w, &s[k]);
		sent_deinit(&s[k]);
	}
	world_deinit(&w);
}

static void test_double_counts_once_and_late_ones_are_silent(void **state UNUSED)
{
	struct world w;
	struct sent s;
	char id[16];

	world_init(&w, &defaults);
	sent_init(&s, "a", 1000, PART_TEXT_MAX);
	come_but(&w, &s, 0);
	come_but(&w, &s, 0);
	assert_int_equal(comes(&w, &s, 0), 0);
	assert_int_equal(comes(&w, &s, 0), ASSEMBLY_WAITS);
	assert_int_equal(comes(&w, &s, 1), ASSEMBLY_WAITS);
	w.now_ms += defaults.complete_ms;
	assert_false(late(&w, id));
	assert_int_equal(assemblies_bytes(w.as), 0);
	assert_int_equal(assemblies_next_ms(w.as), UINT64_MAX);
	sent_deinit(&s);
	world_deinit(&w);
}

static void test_record_can_be_repeated(void **state UNUSED)
{
	struct world w;
	struct sent s;

	world_init(&w, &defaults);
	sent_init(&s, "a", 1000, PART_TEXT_MAX);
	assert_comes_whole(&w, &s);
	assert_comes_whole(&w, &s);
	sent_deinit(&s);
	sent_init(&s, "a", 1000, PART_TEXT_MAX);
	assert_comes_whole(&w, &s);
	sent_deinit(&s);
	world_deinit(&w);
}

static void test_lost_part_is_made_up_for_by_a_repetition(void **state UNUSED)
{
	struct world w;
	struct sent s;

	world_init(&w, &defaults);
	sent_init(&s, "a", 1000, PART_TEXT_MAX);
	come_but(&w, &s, 1);
	assert_int_equal(comes(&w, &s, 0), ASSEMBLY_WAITS);
	assert_int_equal(comes(&w, &s, 1), 0);
	assert_record(&w, &s);
	sent_deinit(&s);
	world_deinit(&w);
}

/* Two senders with one id, or one that cuts the same text in another way. */
static void test_other_parts_under_the_same_id_drop_both(void **state UNUSED)
{
	struct sent one, other, coarse;
	struct world w;

	world_init(&w, &defaults);
	srand(7);
	sent_init(&one, "a", 1000, PART_TEXT_MAX);
	sent_init(&other, "a", 1000, PART_TEXT_MAX);
	srand(7);
	sent_init(&coarse, "a", 1000, 2 * PART_TEXT_MAX);
	come_but(&w, &one, 0);
	assert_int_equal(comes(&w, &other, 0), ASSEMBLY_E_CLASH);
	assert_int_equal(assemblies_count(w.as), 0);
	assert_int_equal(comes(&w, &one, 0), ASSEMBLY_WAITS);
	assert_int_equal(comes(&w, &coarse, 0), ASSEMBLY_E_CLASH);
	assert_int_equal(assemblies_bytes(w.as), 0);
	sent_deinit(&one);
	sent_deinit(&other);
	sent_deinit(&coarse);
	world_deinit(&w);
}

static void test_same_id_on_another_channel_is_another_record(void **state UNUSED)
{
	struct sent one, other;
	struct world w;

	world_init(&w, &defaults);
	sent_init(&one, "a", 1000, PART_TEXT_MAX);
	sent_init(&other, "a", 1000, PART_TEXT_MAX);
	come_but(&w, &one, 0);
	assert_int_equal(comes_on(&w, span_str("chapi"), &other, 0), ASSEMBLY_WAITS);
	assert_int_equal(comes(&w, &one, 0), 0);
	assert_record(&w, &one);
	sent_deinit(&one);
	sent_deinit(&other);
	world_deinit(&w);
}

static void test_record_that_stays_incomplete_is_late(void **state UNUSED)
{
	struct sent one, other;
	struct world w;
	char id[16];

	world_init(&w, &defaults);
	sent_init(&one, "a", 1000, PART_TEXT_MAX);
	sent_init(&other, "b", 1000, PART_TEXT_MAX);
	assert_int_equal(comes(&w, &one, 0), ASSEMBLY_WAITS);
	w.now_ms += 1;
	assert_int_equal(comes(&w, &other, 0), ASSEMBLY_WAITS);
	assert_int_equal(comes(&w, &one, 1), ASSEMBLY_WAITS);
	assert_int_equal(assemblies_next_ms(w.as), 1000 + defaults.complete_ms);
	w.now_ms = 1000 + defaults.complete_ms - 1;
	assert_false(late(&w, id));
	w.now_ms++;
	assert_true(late(&w, id));
	assert_string_equal(id, "a");
	assert_false(late(&w, id));
	assert_int_equal(assemblies_count(w.as), 1);
	w.now_ms++;
	assert_true(late(&w, id));
	assert_string_equal(id, "b");
	assert_int_equal(assemblies_bytes(w.as), 0);
	sent_deinit(&one);
	sent_deinit(&other);
	world_deinit(&w);
}

static void test_no_more_than_so_many_records_wait(void **state UNUSED)
{
	static const char *const ids[] = { "a", "b", "c", "d" };
	struct sent s[4];
	struct world w;
	char id[16];

	world_init(&w, &defaults);
	for (unsigned int k = 0; k < 4; k++) {
		sent_init(&s[k], ids[k], 1000, PART_TEXT_MAX);
		assert_int_equal(comes(&w, &s[k], 1), k < 3 ? ASSEMBLY_WAITS : ASSEMBLY_E_FULL);
	}
	assert_int_equal(comes(&w, &s[3], 2), ASSEMBLY_WAITS);
	assert_int_equal(assemblies_count(w.as), 3);
	/* Its client tries again: it is told again, and taken as soon as there is a place. */
	assert_int_equal(comes(&w, &s[3], 0), ASSEMBLY_E_FULL);
	w.now_ms++;
	come_but(&w, &s[0], s[0].parts.n - 1);
	assert_int_equal(comes(&w, &s[0], s[0].parts.n - 1), 0);
	assert_comes_whole(&w, &s[3]);
	w.now_ms = 1000 + defaults.complete_ms;
	assert_true(late(&w, id) && strcmp(id, "b") == 0);
	assert_true(late(&w, id) && strcmp(id, "c") == 0);
	assert_false(late(&w, id));
	for (unsigned int k = 0; k < 4; k++)
		sent_deinit(&s[k]);
	world_deinit(&w);
}

static void test_ended_ones_do_not_take_places(void **state UNUSED)
{
	struct world w;
	char id[16];

	world_init(&w, &defaults);
	for (unsigned int k = 0; k < 100; k++) {
		struct sent s;

		snprintf(id, sizeof(id), "%u", k);
		sent_init(&s, id, 700, PART_TEXT_MAX);
		assert_comes_whole(&w, &s);
		sent_deinit(&s);
	}
	assert_int_equal(assemblies_bytes(w.as), 0);
	world_deinit(&w);
}

static void test_bytes_of_all_have_a_limit(void **state UNUSED)
{
	struct assemblies_limits limits = defaults;
	struct sent one, other;
	struct world w;
	unsigned int i = 0;

	limits.bytes_max = 5000;
	world_init(&w, &limits);
	sent_init(&one, "a", 2500, PART_TEXT_MAX);
	sent_init(&other, "b", 2500, PART_TEXT_MAX);
	come_but(&w, &one, 0);
	while (comes(&w, &other, i++) == ASSEMBLY_WAITS)
		assert_in_range(assemblies_bytes(w.as), 1, limits.bytes_max);
	assert_int_equal(comes(&w, &one, 0), 0);
	assert_record(&w, &one);
	assert_int_equal(assemblies_bytes(w.as), 0);
	sent_deinit(&one);
	sent_deinit(&other);
	world_deinit(&w);
}

static void test_record_beyond_the_limit_is_told_once(void **state UNUSED)
{
	struct sent fits, large;
	unsigned int n_told = 0;
	struct world w;
	char id[16];

	world_init(&w, &defaults);
	sent_init(&fits, "a", defaults.record_max, PART_TEXT_MAX);
	sent_init(&large, "b", 3 * defaults.record_max, PART_TEXT_MAX);
	assert_comes_whole(&w, &fits);
	for (unsigned int i = 0; i < large.parts.n; i++) {
		int r = comes(&w, &large, i);

		if (r == ASSEMBLY_WAITS)
			continue;
		assert_int_equal(r, ASSEMBLY_E_TOO_LARGE);
		assert_in_range(w.size, defaults.record_max + 1, 3 * defaults.record_max);
		n_told++;
	}
	assert_int_equal(n_told, 1);
	w.now_ms += defaults.complete_ms;
	assert_false(late(&w, id));
	sent_deinit(&fits);
	sent_deinit(&large);
	world_deinit(&w);
}

/* A part as a repeat has it. What is told beside the outcome is in ret_part. */
static int comes_again(struct world *w, const struct sent *s, unsigned int i, struct part *ret_part)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;

	parts_put(&s->parts, i, &text);
	buf_truncate(&text, text.len - 1);
	buf_put_str(&text, ",\"retry\":\"00ff\",\"retry_ms\":7}");
	assert_int_equal(part_parse(buf_span(&text), ret_part), 0);
	return assemblies_add(w->as, CHANNEL, ret_part, w->now_ms, &w->out, &w->size);
}

/* What it was told may have been lost. */
static void test_repeat_of_a_record_beyond_the_limit_is_told_so_again(void **state UNUSED)
{
	struct sent large;
	struct world w;
	unsigned int i = 0;
	size_t size;

	world_init(&w, &defaults);
	sent_init(&large, "b", 3 * defaults.record_max, PART_TEXT_MAX);
	while (comes(&w, &large, i++) == ASSEMBLY_WAITS)
		;
	size = w.size;
	assert_int_equal(comes(&w, &large, i), ASSEMBLY_WAITS);
	w.now_ms += 500;
	assert_int_equal(comes(&w, &large, 0), ASSEMBLY_E_TOO_LARGE);
	assert_int_equal(w.size, size);
	/* Once is enough, however many parts say that they repeat others. */
	for (unsigned int round = 0; round < 2; round++) {
		unsigned int told = 0;

		for (i = 0; i < large.parts.n; i++) {
			CLEANUP(part_deinit) struct part part = PART_NULL;
			int r = comes_again(&w, &large, i, &part);

			told += r == ASSEMBLY_E_TOO_LARGE;
			assert_true(r == ASSEMBLY_E_TOO_LARGE || r == ASSEMBLY_WAITS);
		}
		assert_int_equal(told, round);
		w.now_ms += 5000;
	}
	sent_deinit(&large);
	world_deinit(&w);
}

/* The part that is one too many need not be the one that says that they repeat others. */
static void test_refused_record_is_a_repeat_if_any_part_says_so(void **state UNUSED)
{
	static const struct assemblies_limits too_large = {
		.record_max = 1500, .bytes_max = 100000, .n_max = 3, .complete_ms = 30000,
	}, full = {
		.record_max = 4096, .bytes_max = 2000, .n_max = 3, .complete_ms = 30000,
	};

	for (unsigned int i = 0; i < 2; i++) {
		CLEANUP(part_deinit) struct part first = PART_NULL, last = PART_NULL;
		CLEANUP(buf_deinit) struct buf text = BUF_NULL;
		struct sent sent;
		struct world w;

		world_init(&w, i == 0 ? &too_large : &full);
		sent_init(&sent, "a", 2500, 1500);
		assert_int_equal(comes_again(&w, &sent, 0, &first), ASSEMBLY_WAITS);
		parts_put(&sent.parts, 1, &text);
		assert_int_equal(part_parse(buf_span(&text), &last), 0);
		w.now_ms += 10;
		assert_int_equal(assemblies_add(w.as, CHANNEL, &last, w.now_ms, &w.out, &w.size),
				 i == 0 ? ASSEMBLY_E_TOO_LARGE : ASSEMBLY_E_FULL);
		assert_true(last.has_retry);
		assert_int_equal(last.retry_ms, 17);
		sent_deinit(&sent);
		world_deinit(&w);
	}
}

static void test_bomb_is_too_large(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf zeros = BUF_NULL;
	struct sent s = { .id = "a", .parts = PARTS_NULL };
	struct world w;

	world_init(&w, &defaults);
	for (size_t i = 0; i <= defaults.record_max; i++)
		buf_put_byte(&zeros, '0');
	assert_int_equal(parts_split(span_str("a"), buf_span(&zeros), PART_TEXT_MAX, &s.parts), 0);
	assert_int_equal(s.parts.n, 1);
	assert_int_equal(comes(&w, &s, 0), ASSEMBLY_E_TOO_LARGE);
	assert_int_equal(w.size, defaults.record_max + 1);
	assert_int_equal(w.out.len, 0);
	sent_deinit(&s);
	world_deinit(&w);
}

static void test_wrong_digest_makes_no_record(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct part part = PART_NULL;
	struct world w;
	struct sent s;

	world_init(&w, &defaults);
	sent_init(&s, "a", 100, PART_TEXT_MAX);
	parts_put(&s.parts, 0, &text);
	assert_int_equal(part_parse(buf_span(&text), &part), 0);
	assert_int_equal(part.n, 1);
	part.digest[31] ^= 1;
	assert_int_equal(assemblies_add(w.as, CHANNEL, &part, w.now_ms, &w.out, &w.size),
			 ASSEMBLY_E_BAD);
	assert_int_equal(w.out.len, 0);
	part_deinit(&part);
	sent_deinit(&s);
	world_deinit(&w);
}

static void test_smaller_limits_hold_from_then_on(void **state UNUSED)
{
	struct assemblies_limits limits = defaults;
	struct world w;
	struct sent s;

	world_init(&w, &defaults);
	sent_init(&s, "a", 1000, PART_TEXT_MAX);
	come_but(&w, &s, 0);
	limits.record_max = 999;
	assemblies_set_limits(w.as, &limits);
	assert_int_equal(comes(&w, &s, 0), ASSEMBLY_E_TOO_LARGE);
	sent_deinit(&s);
	world_deinit(&w);
}

/* ---- random ----------------------------------------------------------------------------- */

enum { RECORDS = 6 };

/* Half of the bytes can be deflated. */
static void sent_init_random(struct sent *s, const char *id)
{
	size_t len = 1 + (size_t)rand() % (rand() % 4 ? 40000 : 1 << 20);
	bool dull = rand() % 2;

	*s = (struct sent){ .parts = PARTS_NULL };
	snprintf(s->id, sizeof(s->id), "%s", id);
	for (size_t i = 0; i < len; i++)
		buf_put_byte(&s->record, (uint8_t)(dull ? 'a' + rand() % 4 : rand() >> 4));
	assert_int_equal(parts_split(span_str(id), buf_span(&s->record), 10240, &s->parts), 0);
}

/* A part of one of the records, to be sent at its time. */
struct due {
	unsigned int record, part;
};

/* Every part, some of them twice, in random order. */
static size_t shuffle(const struct sent sent[RECORDS], struct due *due, size_t max)
{
	size_t n = 0;

	for (unsigned int k = 0; k < RECORDS; k++)
		for (unsigned int i = 0; i < sent[k].parts.n; i++)
			for (int twice = rand() % 8 == 0; twice >= 0; twice--) {
				assert_in_range(n, 0, max - 1);
				due[n++] = (struct due){ k, i };
			}
	for (size_t i = n; i > 1; i--) {
		size_t k = (size_t)rand() % i;
		struct due swap = due[k];

		due[k] = due[i - 1];
		due[i - 1] = swap;
	}
	return n;
}

/* Every record comes out once; two of one id never do, unless one was whole before the other
 * began. */
static void random_round(unsigned int seed)
{
	static const struct assemblies_limits limits = {
		.record_max = 1 << 20, .bytes_max = 8 << 20, .n_max = RECORDS, .complete_ms = 30000,
	};
	static const char *const ids[RECORDS] = { "a", "b", "c", "d", "two", "two" };
	static struct due due[4000];
	unsigned int n_whole[RECORDS] = { 0 };
	struct sent sent[RECORDS];
	struct world w;
	char id[16];
	size_t n;

	srand(seed);
	world_init(&w, &limits);
	for (unsigned int k = 0; k < RECORDS; k++)
		sent_init_random(&sent[k], ids[k]);
	n = shuffle(sent, due, ARRAY_SIZE(due));
	for (size_t i = 0; i < n; i++) {
		const struct sent *s = &sent[due[i].record];
		int r = comes(&w, s, due[i].part);

		assert_in_range(assemblies_bytes(w.as), 0, limits.bytes_max);
		if (r == 0) {
			assert_record(&w, s);
			n_whole[due[i].record]++;
		} else if (r != ASSEMBLY_WAITS) {
			assert_int_equal(r, ASSEMBLY_E_CLASH);
			assert_string_equal(s->id, "two");
		}
	}
	for (unsigned int k = 0; k < RECORDS; k++) {
		/* One of a single part may come twice. */
		assert_in_range(n_whole[k], k < 4, sent[k].parts.n == 1 ? 2 : 1);
		sent_deinit(&sent[k]);
	}
	w.now_ms += limits.complete_ms;
	while (late(&w, id))
		assert_string_equal(id, "two");
	assert_int_equal(assemblies_bytes(w.as), 0);
	world_deinit(&w);
}

static void test_random_records_in_random_order(void **state UNUSED)
{
	for (unsigned int seed = 1; seed <= 12; seed++)
		random_round(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts_come_in_any_order),
		cmocka_unit_test(test_parts_of_many_records_are_mixed),
		cmocka_unit_test(test_double_counts_once_and_late_ones_are_silent),
		cmocka_unit_test(test_record_can_be_repeated),
		cmocka_unit_test(test_lost_part_is_made_up_for_by_a_repetition),
		cmocka_unit_test(test_other_parts_under_the_same_id_drop_both),
		cmocka_unit_test(test_same_id_on_another_channel_is_another_record),
		cmocka_unit_test(test_record_that_stays_incomplete_is_late),
		cmocka_unit_test(test_no_more_than_so_many_records_wait),
		cmocka_unit_test(test_ended_ones_do_not_take_places),
		cmocka_unit_test(test_bytes_of_all_have_a_limit),
		cmocka_unit_test(test_record_beyond_the_limit_is_told_once),
		cmocka_unit_test(test_repeat_of_a_record_beyond_the_limit_is_told_so_again),
		cmocka_unit_test(test_refused_record_is_a_repeat_if_any_part_says_so),
		cmocka_unit_test(test_bomb_is_too_large),
		cmocka_unit_test(test_wrong_digest_makes_no_record),
		cmocka_unit_test(test_smaller_limits_hold_from_then_on),
		cmocka_unit_test(test_random_records_in_random_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
