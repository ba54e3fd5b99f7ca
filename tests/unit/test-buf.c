/* SPDX-License-Identifier: MIT */
/*
 * The queue of bytes: order, ceiling, failures that are remembered, memory given back.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "libchapi-ipc/buf.h"
#include "tests/unit/bytes.h"
#include "tests/unit/skip.h"

static void assert_text(const struct buf *b, const char *expected)
{
	assert_int_equal(buf_error(b), 0);
	if (b->len != strlen(expected) || memcmp(buf_data(b), expected, b->len) != 0)
		fail_msg("got %.*s\nnot %s", (int)b->len, (const char *)buf_data(b), expected);
}

/* What every buffer holds to, whatever was done with it. */
static void assert_sound(const struct buf *b)
{
	assert_true(b->off <= b->cap && b->len <= b->cap - b->off);
	assert_true(!b->max || b->len <= b->max);
	assert_true(!b->max || b->cap <= b->max);
	assert_true(b->p || (b->cap == 0 && b->off == 0));
}

/* ---- memory that runs out --------------------------------------------------------------- */

/* Sanitizers stand in for the C library's functions themselves. */
#if defined(__has_feature)
#define HAS_FEATURE(f) __has_feature(f)
#else
#define HAS_FEATURE(f) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	HAS_FEATURE(address_sanitizer) || HAS_FEATURE(thread_sanitizer)
#define MEMORY_IS_OURS 0
#else
#define MEMORY_IS_OURS 1
#endif

static bool memory_is_out;

#if MEMORY_IS_OURS
void *__libc_malloc(size_t n);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	return memory_is_out ? NULL : __libc_malloc(n);
}

void *realloc(void *p, size_t n)
{
	return memory_is_out ? NULL : __libc_realloc(p, n);
}
#endif

/* ---- appending and consuming ------------------------------------------------------------ */

static void test_buf_that_is_new_is_empty(void **state UNUSED)
{
	struct buf b = BUF_NULL, same;

	buf_init(&same, 0);
	assert_memory_equal(&b, &same, sizeof(b));
	assert_int_equal(b.len, 0);
	assert_non_null(buf_data(&b));
	assert_int_equal(buf_span(&b).len, 0);
	assert_int_equal(buf_error(&b), 0);
	buf_deinit(&b);
	buf_deinit(NULL);
}

static void test_buf_put_appends(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	buf_put(&b, "ab", 2);
	buf_put_byte(&b, 'c');
	buf_put_str(&b, "def");
	buf_put_str(&b, "");
	assert_text(&b, "abcdef");
	assert_true(span_is(buf_span(&b), "abcdef"));
	buf_deinit(&b);
}

static void test_buf_put_of_nothing_needs_no_memory(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	buf_put(&b, NULL, 0);
	buf_put_str(&b, "");
	buf_printf(&b, "%s", "");
	assert_null(b.p);
	assert_text(&b, "");
}

static void test_buf_put_keeps_every_byte(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	for (unsigned int i = 0; i < 256; i++)
		buf_put_byte(&b, (uint8_t)i);
	assert_int_equal(b.len, 256);
	for (unsigned int i = 0; i < 256; i++)
		assert_int_equal(buf_data(&b)[i], i);
	buf_deinit(&b);
}

static void test_buf_consume_takes_from_the_front(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	buf_put_str(&b, "abcdef");
	buf_consume(&b, 0);
	buf_consume(&b, 2);
	assert_text(&b, "cdef");
	buf_put_str(&b, "gh");
	assert_text(&b, "cdefgh");
	buf_consume(&b, 6);
	assert_text(&b, "");
	assert_int_equal(b.off, 0);
	buf_deinit(&b);
}

static void test_buf_truncate_keeps_the_front(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	buf_put_str(&b, "abcdef");
	buf_consume(&b, 1);
	buf_truncate(&b, 3);
	assert_text(&b, "bcd");
	buf_truncate(&b, 10);
	assert_text(&b, "bcd");
	buf_clear(&b);
	assert_text(&b, "");
	assert_int_equal(b.off, 0);
	assert_non_null(b.p);
	buf_deinit(&b);
}

static void test_buf_reserve_counts_after_commit_only(void **state UNUSED)
{
	struct buf b = BUF_NULL;
	uint8_t *w;

	buf_put_str(&b, "a");
	w = buf_reserve(&b, 1000);
	assert_non_null(w);
	memset(w, 'x', 1000);
	assert_text(&b, "a");
	buf_commit(&b, 2);
	assert_text(&b, "axx");
	buf_deinit(&b);
}

static void test_buf_reserve_of_nothing_is_a_place(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 1);
	assert_non_null(buf_reserve(&b, 0));
	buf_put_byte(&b, 'a');
	assert_ptr_equal(buf_reserve(&b, 0), buf_data(&b) + 1);
	assert_text(&b, "a");
	buf_deinit(&b);
}

static void test_buf_deinit_leaves_it_usable(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 5);
	buf_put_str(&b, "abcdef");
	assert_int_equal(buf_error(&b), -ENOBUFS);
	buf_deinit(&b);
	assert_int_equal(buf_error(&b), 0);
	assert_null(b.p);
	assert_int_equal(b.max, 5);
	buf_put_str(&b, "abcde");
	assert_text(&b, "abcde");
	buf_deinit(&b);
}

/* ---- text ------------------------------------------------------------------------------- */

static void test_buf_printf_appends(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	buf_put_str(&b, ">");
	buf_printf(&b, "%d-%s", 42, "x");
	assert_text(&b, ">42-x");
	buf_deinit(&b);
}

/* Around the size up to which the text is made on the stack. */
static void test_buf_printf_of_any_length(void **state UNUSED)
{
	for (int n = 250; n < 262; n++) {
		struct buf b = BUF_NULL;

		buf_printf(&b, "%0*d", n, 7);
		assert_int_equal(buf_error(&b), 0);
		assert_int_equal(b.len, n);
		assert_int_equal(buf_data(&b)[0], '0');
		assert_int_equal(buf_data(&b)[n - 1], '7');
		buf_deinit(&b);
	}
}

static void test_buf_printf_up_to_the_ceiling(void **state UNUSED)
{
	for (size_t n = 1; n < 600; n += 299) {
		struct buf b;

		buf_init(&b, n);
		buf_printf(&b, "%0*d", (int)n, 7);
		assert_int_equal(buf_error(&b), 0);
		assert_int_equal(b.len, n);
		buf_clear(&b);
		buf_printf(&b, "%0*d", (int)n + 1, 7);
		assert_int_equal(buf_error(&b), -ENOBUFS);
		assert_int_equal(b.len, 0);
		buf_deinit(&b);
	}
}

/* ---- failures --------------------------------------------------------------------------- */

static void test_buf_ceiling_is_reached_exactly(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 100);
	for (int i = 0; i < 100; i++)
		buf_put_byte(&b, 'a');
	assert_int_equal(buf_error(&b), 0);
	assert_int_equal(b.len, 100);
	assert_sound(&b);
	buf_put_byte(&b, 'b');
	assert_int_equal(buf_error(&b), -ENOBUFS);
	assert_int_equal(b.len, 100);
	buf_deinit(&b);
}

static void test_buf_ceiling_counts_live_bytes_only(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 100);
	for (int i = 0; i < 1000; i++) {
		buf_put_str(&b, "0123456789");
		if (b.len == 100)
			buf_consume(&b, 10);
		assert_int_equal(buf_error(&b), 0);
		assert_sound(&b);
	}
	assert_int_equal(b.len, 90);
	buf_deinit(&b);
}

static void test_buf_failure_is_remembered(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 4);
	buf_put_str(&b, "ab");
	buf_put_str(&b, "cde");
	assert_int_equal(buf_error(&b), -ENOBUFS);
	buf_put_byte(&b, 'x');
	buf_printf(&b, "%d", 1);
	assert_null(buf_reserve(&b, 1));
	assert_null(buf_reserve(&b, 0));
	assert_int_equal(buf_error(&b), -ENOBUFS);
	assert_int_equal(b.len, 2);
	buf_consume(&b, 1);
	assert_int_equal(buf_error(&b), -ENOBUFS);
	buf_deinit(&b);
}

static void test_buf_failure_is_forgotten_with_the_content(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 4);
	buf_put_str(&b, "ab");
	buf_put_str(&b, "cde");
	buf_truncate(&b, 2);
	assert_text(&b, "ab");
	buf_put_str(&b, "cde");
	assert_int_equal(buf_error(&b), -ENOBUFS);
	buf_clear(&b);
	buf_put_str(&b, "cde");
	assert_text(&b, "cde");
	buf_deinit(&b);
}

static void test_buf_length_that_overflows_is_refused(void **state UNUSED)
{
	static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 2, SIZE_MAX / 2 + 1,
					SIZE_MAX / 2 - 2 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct buf b = BUF_NULL;

		buf_put_str(&b, "abc");
		assert_null(buf_reserve(&b, sizes[i]));
		assert_int_equal(buf_error(&b), -ENOMEM);
		buf_truncate(&b, 3);
		assert_text(&b, "abc");
		buf_deinit(&b);
	}
}

static void test_buf_without_memory_keeps_its_content(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	if (!MEMORY_IS_OURS)
		SKIP("the sanitizer has the memory");
	for (size_t consumed = 0; consumed < 2; consumed++) {
		buf_put_str(&b, "abc");
		buf_consume(&b, consumed);
		memory_is_out = true;
		buf_printf(&b, "%01000d", 1);
		memory_is_out = false;
		assert_int_equal(buf_error(&b), -ENOMEM);
		buf_truncate(&b, 3);
		assert_text(&b, &"abc"[consumed]);
		memory_is_out = true;
		assert_null(buf_reserve(&b, 1000));
		memory_is_out = false;
		assert_int_equal(buf_error(&b), -ENOMEM);
		buf_clear(&b);
	}
	buf_deinit(&b);
}

static void test_buf_without_memory_keeps_the_first_failure(void **state UNUSED)
{
	struct buf b;

	if (!MEMORY_IS_OURS)
		SKIP("the sanitizer has the memory");
	buf_init(&b, 1);
	buf_put_str(&b, "ab");
	memory_is_out = true;
	buf_printf(&b, "%01000d", 1);
	memory_is_out = false;
	assert_int_equal(buf_error(&b), -ENOBUFS);
	buf_deinit(&b);
}

/* ---- memory ----------------------------------------------------------------------------- */

static void test_buf_memory_doubles(void **state UNUSED)
{
	struct buf b = BUF_NULL;
	unsigned int n_grown = 0;

	for (size_t i = 0, cap = 0; i < 1000000; i++) {
		buf_put_byte(&b, 'a');
		n_grown += b.cap != cap;
		cap = b.cap;
	}
	assert_int_equal(b.len, 1000000);
	assert_true(n_grown < 20);
	assert_true(b.cap < 2 * b.len + 128);
	buf_deinit(&b);
}

static void test_buf_queue_does_not_grow(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	for (int i = 0; i < 100000; i++) {
		buf_put(&b, &i, sizeof(i));
		if (i >= 10)
			buf_consume(&b, sizeof(i));
	}
	assert_true(b.cap <= 256);
	buf_deinit(&b);
}

static void test_buf_shrink_gives_memory_back_when_empty(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	assert_non_null(buf_reserve(&b, 100000));
	buf_put_byte(&b, 'a');
	buf_shrink(&b, 100);
	assert_true(b.cap >= 100000);
	buf_consume(&b, 1);
	buf_shrink(&b, 200000);
	assert_true(b.cap >= 100000);
	buf_shrink(&b, 100);
	assert_int_equal(b.cap, 100);
	buf_put_str(&b, "abc");
	assert_text(&b, "abc");
	buf_clear(&b);
	buf_shrink(&b, 0);
	assert_null(b.p);
	assert_int_equal(b.cap, 0);
	buf_shrink(&b, 0);
	buf_put_str(&b, "abc");
	assert_text(&b, "abc");
	buf_deinit(&b);
}

static void test_buf_shrink_without_memory_keeps_what_it_has(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	if (!MEMORY_IS_OURS)
		SKIP("the sanitizer has the memory");
	assert_non_null(buf_reserve(&b, 1000));
	memory_is_out = true;
	buf_shrink(&b, 100);
	memory_is_out = false;
	assert_int_equal(b.cap, 1000);
	buf_put_str(&b, "abc");
	assert_text(&b, "abc");
	buf_deinit(&b);
}

/* ---- against a model -------------------------------------------------------------------- */

/* The content as it has to be: moved by hand, without an offset. */
struct model {
	uint8_t p[4096];
	size_t len;
};

static void put_both(struct buf *b, struct model *m, size_t n)
{
	uint8_t bytes[300];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)random_below(256);
	buf_put(b, bytes, n);
	if (m->len + n > b->max) {
		assert_int_equal(buf_error(b), -ENOBUFS);
		buf_truncate(b, m->len);
		return;
	}
	memcpy(m->p + m->len, bytes, n);
	m->len += n;
}

static void consume_both(struct buf *b, struct model *m, size_t n)
{
	buf_consume(b, n);
	m->len -= n;
	memmove(m->p, m->p + n, m->len);
}

static void change_both(struct buf *b, struct model *m)
{
	switch (random_below(8)) {
	case 0: case 1: case 2: case 3:
		put_both(b, m, random_below(random_below(8) ? 40 : 300));
		break;
	case 4: case 5: case 6:
		consume_both(b, m, random_below(m->len + 1));
		break;
	default:
		m->len = random_below(m->len + 1);
		buf_truncate(b, m->len);
		if (random_below(4) == 0)
			buf_shrink(b, random_below(100));
	}
}

static void test_buf_random_order_of_operations(void **state UNUSED)
{
	random_begin(1);
	for (size_t max = 1; max < sizeof(((struct model *)0)->p); max = 3 * max + 1) {
		struct model m = { .len = 0 };
		struct buf b;

		buf_init(&b, max);
		for (int i = 0; i < 5000; i++) {
			change_both(&b, &m);
			assert_sound(&b);
			assert_int_equal(buf_error(&b), 0);
			assert_int_equal(b.len, m.len);
			assert_memory_equal(buf_data(&b), m.p, m.len);
		}
		buf_deinit(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_that_is_new_is_empty),
		cmocka_unit_test(test_buf_put_appends),
		cmocka_unit_test(test_buf_put_of_nothing_needs_no_memory),
		cmocka_unit_test(test_buf_put_keeps_every_byte),
		cmocka_unit_test(test_buf_consume_takes_from_the_front),
		cmocka_unit_test(test_buf_truncate_keeps_the_front),
		cmocka_unit_test(test_buf_reserve_counts_after_commit_only),
		cmocka_unit_test(test_buf_reserve_of_nothing_is_a_place),
		cmocka_unit_test(test_buf_deinit_leaves_it_usable),
		cmocka_unit_test(test_buf_printf_appends),
		cmocka_unit_test(test_buf_printf_of_any_length),
		cmocka_unit_test(test_buf_printf_up_to_the_ceiling),
		cmocka_unit_test(test_buf_ceiling_is_reached_exactly),
		cmocka_unit_test(test_buf_ceiling_counts_live_bytes_only),
		cmocka_unit_test(test_buf_failure_is_remembered),
		cmocka_unit_test(test_buf_failure_is_forgotten_with_the_content),
		cmocka_unit_test(test_buf_length_that_overflows_is_refused),
		cmocka_unit_test(test_buf_without_memory_keeps_its_content),
		cmocka_unit_test(test_buf_without_memory_keeps_the_first_failure),
		cmocka_unit_test(test_buf_memory_doubles),
		cmocka_unit_test(test_buf_queue_does_not_grow),
		cmocka_unit_test(test_buf_shrink_gives_memory_back_when_empty),
		cmocka_unit_test(test_buf_shrink_without_memory_keeps_what_it_has),
		cmocka_unit_test(test_buf_random_order_of_operations),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
