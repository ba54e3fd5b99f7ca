/* SPDX-License-Identifier: MIT */
/*
 * MessagePack: where values end, every width of every type, counts that lie, writing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "libchapi-ipc/mp.h"
#include "libchapi-ipc/mp_scan.h"
#include "tests/unit/bytes.h"

static void assert_span(struct span s, const char *expected, size_t len)
{
	assert_int_equal(s.len, len);
	assert_memory_equal(s.p, expected, len);
}

#define assert_bytes(s, literal) assert_span(s, literal, sizeof(literal) - 1)

/* ---- random values ---------------------------------------------------------------------- */

/* A first byte and a number of 1, 2, 4 or 8 bytes after it, in a width that may be wasteful. */
static void put_wide(struct buf *b, uint8_t first, uint64_t n, unsigned int n_widths)
{
	unsigned int k = (unsigned int)random_below(n_widths);

	while (k < 3 && n >> (8u << k))
		k++;
	buf_put_byte(b, (uint8_t)(first + k));
	put_be(b, n, 1u << k);
}

static void put_random_bytes(struct buf *b, size_t n)
{
	while (n--)
		buf_put_byte(b, (uint8_t)random_next());
}

static void put_random_scalar(struct buf *b)
{
	static const uint8_t short_ones[] = { 0xc0, 0xc2, 0xc3, 0x00, 0x7f, 0xe0, 0xff };
	size_t n = random_below(random_below(100) ? 40 : 700);

	switch (random_below(7)) {
	case 0:
		buf_put_byte(b, short_ones[random_below(sizeof(short_ones))]);
		break;
	case 1:
		put_wide(b, random_below(2) ? 0xcc : 0xd0, random_next() >> random_below(64), 4);
		break;
	case 2:
		buf_put_byte(b, random_below(2) ? 0xca : 0xcb);
		put_random_bytes(b, b->p[b->off + b->len - 1] == 0xca ? 4 : 8);
		break;
	case 3:
		buf_put_byte(b, (uint8_t)(0xa0 + n % 32));
		put_random_bytes(b, n % 32);
		break;
	case 4:
		put_wide(b, random_below(2) ? 0xd9 : 0xc4, n, 3);
		put_random_bytes(b, n);
		break;
	case 5:
		put_wide(b, 0xc7, n, 3);
		put_random_bytes(b, n + 1);
		break;
	default:
		buf_put_byte(b, (uint8_t)(0xd4 + n % 5));
		put_random_bytes(b, 1 + (1u << n % 5));
	}
}

/* At most depth deep; returns how deep it is. */
static unsigned int put_random_value(struct buf *b, unsigned int depth)
{
	unsigned int deepest = 0;
	bool map = random_below(2);
	size_t n = random_below(6);

	if (depth == 0 || random_below(3) == 0) {
		put_random_scalar(b);
		return 0;
	}
	if (random_below(2)) {
		buf_put_byte(b, (uint8_t)((map ? 0x80 : 0x90) + n));
	} else {
		bool wide = random_below(2);

		buf_put_byte(b, (uint8_t)((map ? 0xde : 0xdc) + wide));
		put_be(b, n, wide ? 4 : 2);
	}
	for (size_t i = 0; i < (map ? 2 * n : n); i++) {
		unsigned int inner = put_random_value(b, depth - 1);

		deepest = MAX(deepest, inner);
	}
	return deepest + 1;
}

/* ---- where a value ends ----------------------------------------------------------------- */

/* Bytes of a value that begins with c and goes on with zeros, by the specification; 0: bad. */
static size_t length_by_first_byte(uint8_t c)
{
	if (c <= 0x7f || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3)
		return 1;
	if (c <= 0x8f)
		return 1 + 2 * (size_t)(c - 0x80);
	if (c <= 0x9f)
		return 1 + (size_t)(c - 0x90);
	if (c <= 0xbf)
		return 1 + (size_t)(c - 0xa0);
	switch (c) {
	case 0xc4: case 0xd9: case 0xcc: case 0xd0:
		return 2;
	case 0xc5: case 0xda: case 0xdc: case 0xde: case 0xcd: case 0xd1: case 0xc7: case 0xd4:
		return 3;
	case 0xc8: case 0xd5:
		return 4;
	case 0xc6: case 0xdb: case 0xdd: case 0xdf: case 0xca: case 0xce: case 0xd2:
		return 5;
	case 0xc9: case 0xd6:
		return 6;
	case 0xcb: case 0xcf: case 0xd3:
		return 9;
	case 0xd7:
		return 10;
	case 0xd8:
		return 18;
	default:
		return 0;
	}
}

static void test_length_by_every_first_byte(void **state UNUSED)
{
	for (unsigned int c = 0; c < 256; c++) {
		uint8_t bytes[64] = { (uint8_t)c };
		size_t expected = length_by_first_byte((uint8_t)c), len = 0;

		assert_int_equal(mp_length(span_of(bytes, sizeof(bytes)), 1, &len),
				 expected ? 0 : MP_E_BAD);
		assert_int_equal(len, expected);
		for (size_t n = 0; n < expected; n++) {
			struct span part = exact_copy(span_of(bytes, n));

			assert_int_equal(mp_length(part, 1, &len), MP_E_MORE);
			span_free(part);
		}
	}
}

static void test_length_of_what_has_its_own_length(void **state UNUSED)
{
	static const struct {
		uint8_t first;
		unsigned int width, extra;
	} forms[] = {
		{ 0xd9, 1, 0 }, { 0xda, 2, 0 }, { 0xdb, 4, 0 },
		{ 0xc4, 1, 0 }, { 0xc5, 2, 0 }, { 0xc6, 4, 0 },
		{ 0xc7, 1, 1 }, { 0xc8, 2, 1 }, { 0xc9, 4, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		for (size_t n = 0; n < 66000; n = 3 * n + 85) {
			struct buf b = BUF_NULL;
			size_t len = 0, whole = 1 + forms[i].width + forms[i].extra + n;

			if (forms[i].width < 4 && n >> 8 * forms[i].width)
				break;
			buf_put_byte(&b, forms[i].first);
			put_be(&b, n, forms[i].width);
			for (size_t k = 0; k < n + forms[i].extra + 1; k++)
				buf_put_byte(&b, 0xc1);
			assert_int_equal(mp_length(buf_span(&b), 0, &len), 0);
			assert_int_equal(len, whole);
			assert_int_equal(mp_length(span_of(b.p, whole - 1), 0, &len), MP_E_MORE);
			buf_deinit(&b);
		}
}

static void test_length_counts_values_of_a_map_in_pairs(void **state UNUSED)
{
	size_t len = 0;

	assert_int_equal(mp_length(SPAN("\x82\1\2\3\4\5"), 1, &len), 0);
	assert_int_equal(len, 5);
	assert_int_equal(mp_length(SPAN("\xde\0\1\1\2\3"), 1, &len), 0);
	assert_int_equal(len, 5);
	assert_int_equal(mp_length(SPAN("\xdf\0\0\0\1\1\2\3"), 1, &len), 0);
	assert_int_equal(len, 7);
}

static void test_length_passes_inner_containers(void **state UNUSED)
{
	size_t len = 0;

	assert_int_equal(mp_length(SPAN("\x93\x90\x82\1\x80\2\x91\3\4\5"), 3, &len), 0);
	assert_int_equal(len, 9);
	assert_int_equal(mp_length(SPAN("\x91\x91\x91\x90\0"), 4, &len), 0);
	assert_int_equal(len, 4);
}

static void test_length_depth_is_limited(void **state UNUSED)
{
	uint8_t bytes[2 * 40];
	size_t len;

	for (unsigned int limit = 0; limit <= MP_MESSAGE_DEPTH_MAX; limit++)
		for (unsigned int depth = 0; depth < 40; depth++) {
			memset(bytes, 0x91, depth);
			bytes[depth] = 0xc0;
			assert_int_equal(mp_length(span_of(bytes, depth + 1), limit, &len),
					 depth <= limit ? 0 : MP_E_DEEP);
			memset(bytes, 0x81, depth);	/* in the keys */
			memset(bytes + depth, 0xc0, depth + 1);
			assert_int_equal(mp_length(span_of(bytes, 2 * depth + 1), limit, &len),
					 depth <= limit ? 0 : MP_E_DEEP);
		}
}

/* Counts and lengths far beyond the bytes that are there: nothing but more is wanted. */
static void test_length_hostile_counts(void **state UNUSED)
{
	static const struct span cases[] = {
		BYTES("\xdd\xff\xff\xff\xff"), BYTES("\xdf\xff\xff\xff\xff"),
		BYTES("\xdb\xff\xff\xff\xff"), BYTES("\xc6\xff\xff\xff\xff"),
		BYTES("\xc9\xff\xff\xff\xff"), BYTES("\xc9\xff\xff\xff\xff\1\1\1"),
		BYTES("\xdd\xff\xff\xff\xff\xdd\xff\xff\xff\xff\xdf\xff\xff\xff\xff\1\2\3"),
		BYTES("\xdf\xff\xff\xff\xff\xdb\xff\xff\xff\xff"),
		BYTES("\xdc\xff\xff\1\2\3"), BYTES("\xde\xff\xff\1\2\3"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span bytes = exact_copy(cases[i]);
		size_t len;

		assert_int_equal(mp_length(bytes, MP_VALUE_DEPTH_MAX, &len), MP_E_MORE);
		span_free(bytes);
	}
}

static void test_length_finds_0xc1_anywhere(void **state UNUSED)
{
	size_t len;

	assert_int_equal(mp_length(SPAN("\xc1"), 1, &len), MP_E_BAD);
	assert_int_equal(mp_length(SPAN("\x93\1\xc1\2"), 1, &len), MP_E_BAD);
	assert_int_equal(mp_length(SPAN("\x81\xa1x\xc1"), 1, &len), MP_E_BAD);
	assert_int_equal(mp_length(SPAN("\xa1\xc1"), 1, &len), 0);
}

/* ---- scans that are continued ----------------------------------------------------------- */

/* Feeds a value in pieces, as its owner would: what was left is shown again. */
static void assert_scan_in_pieces(struct span value, unsigned int depth, size_t piece)
{
	struct mp_scan s;
	size_t done = 0, there = 0, used;
	int e = MP_E_MORE;

	mp_scan_init(&s, MP_MESSAGE_DEPTH_MAX);
	while (e == MP_E_MORE && there < value.len) {
		struct span part;

		there = MIN(there + piece, value.len);
		part = exact_copy(span_of(value.p + done, there - done));
		e = mp_scan(&s, part.p, part.len, &used);
		span_free(part);
		done += used;
		assert_true(done <= there && there - done <= 9);
	}
	assert_int_equal(e, 0);
	assert_int_equal(done, value.len);
	assert_int_equal(s.depth_seen, depth);
	assert_true(s.done);
}

static void test_scan_random_values_in_pieces(void **state UNUSED)
{
	random_begin(1);
	for (int i = 0; i < 3000; i++) {
		struct buf b = BUF_NULL;
		unsigned int depth = put_random_value(&b, 3);

		assert_scan_in_pieces(buf_span(&b), depth, 1);
		assert_scan_in_pieces(buf_span(&b), depth, 1 + random_below(20));
		assert_scan_in_pieces(buf_span(&b), depth, b.len);
		buf_deinit(&b);
	}
}

static void test_scan_split_at_every_position(void **state UNUSED)
{
	random_begin(2);
	for (int i = 0; i < 200; i++) {
		struct buf b = BUF_NULL;
		struct mp_scan s;
		size_t used, more;

		put_random_value(&b, 3);
		for (size_t cut = 0; cut < b.len; cut++) {
			struct span first = exact_copy(span_of(b.p, cut));

			mp_scan_init(&s, MP_MESSAGE_DEPTH_MAX);
			assert_int_equal(mp_scan(&s, first.p, cut, &used), MP_E_MORE);
			assert_true(used <= cut && cut - used <= 9);
			assert_int_equal(mp_scan(&s, b.p + used, b.len - used, &more), 0);
			assert_int_equal(used + more, b.len);
			span_free(first);
		}
		buf_deinit(&b);
	}
}

static void test_scan_that_is_done_takes_nothing_more(void **state UNUSED)
{
	struct mp_scan s;
	size_t used = 7;

	mp_scan_init(&s, 1);
	assert_int_equal(mp_scan(&s, (const uint8_t *)"\x91\xc0\xc0", 3, &used), 0);
	assert_int_equal(used, 2);
	assert_int_equal(mp_scan(&s, (const uint8_t *)"\xc1", 1, &used), 0);
	assert_int_equal(used, 0);
}

static void test_scan_tells_where_it_stopped(void **state UNUSED)
{
	struct mp_scan s;
	size_t used;

	mp_scan_init(&s, 2);
	assert_int_equal(mp_scan(&s, (const uint8_t *)"\x92\x91\x91\xc0", 4, &used), MP_E_DEEP);
	assert_int_equal(used, 2);
	assert_int_equal(s.depth_seen, 2);
	mp_scan_init(&s, 2);
	assert_int_equal(mp_scan(&s, (const uint8_t *)"\x92\1\xc1", 3, &used), MP_E_BAD);
	assert_int_equal(used, 2);
}

/* Random bytes: the outcome is the same in one piece and byte by byte. */
static void test_scan_of_noise_does_not_depend_on_pieces(void **state UNUSED)
{
	random_begin(3);
	for (int i = 0; i < 20000; i++) {
		uint8_t bytes[24];
		struct mp_scan whole, pieces;
		size_t used_whole, used, done = 0;
		int expected, e = MP_E_MORE;

		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)(random_below(2) ? random_next()
							     : 0x80 | random_below(0x60));
		mp_scan_init(&whole, 4);
		mp_scan_init(&pieces, 4);
		expected = mp_scan(&whole, bytes, sizeof(bytes), &used_whole);
		for (size_t there = 1; there <= sizeof(bytes) && e == MP_E_MORE; there++) {
			e = mp_scan(&pieces, bytes + done, there - done, &used);
			done += used;
		}
		assert_int_equal(e, expected);
		assert_int_equal(done, used_whole);
		assert_int_equal(pieces.depth_seen, whole.depth_seen);
	}
}

/* ---- reading ---------------------------------------------------------------------------- */

enum { IS_UINT = 1, IS_INT = 2 };

/* Every width of integers, and at the edges of each. */
static const struct {
	struct span bytes;
	uint64_t v;	/* two's complement */
	int can;	/* which functions read it */
	enum mp_type type;
} integers[] = {
	{ BYTES("\0"), 0, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\x7f"), 127, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xe0"), (uint64_t)-32, IS_INT, MP_INT },
	{ BYTES("\xff"), (uint64_t)-1, IS_INT, MP_INT },
	{ BYTES("\xcc\0"), 0, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xcc\xff"), 255, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xcd\1\2"), 258, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xcd\xff\xff"), 65535, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xce\1\2\3\4"), 0x01020304, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xce\xff\xff\xff\xff"), UINT32_MAX, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xcf\1\2\3\4\5\6\7\x08"), 0x0102030405060708, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), INT64_MAX, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xcf\x80\0\0\0\0\0\0\0"), (uint64_t)1 << 63, IS_UINT, MP_UINT },
	{ BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), UINT64_MAX, IS_UINT, MP_UINT },
	{ BYTES("\xd0\0"), 0, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xd0\x7f"), 127, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xd0\x80"), (uint64_t)-128, IS_INT, MP_INT },
	{ BYTES("\xd0\xff"), (uint64_t)-1, IS_INT, MP_INT },
	{ BYTES("\xd1\x7f\xff"), 32767, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xd1\x80\0"), (uint64_t)-32768, IS_INT, MP_INT },
	{ BYTES("\xd2\x7f\xff\xff\xff"), INT32_MAX, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xd2\x80\0\0\0"), (uint64_t)INT32_MIN, IS_INT, MP_INT },
	{ BYTES("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff"), INT64_MAX, IS_UINT | IS_INT, MP_UINT },
	{ BYTES("\xd3\x80\0\0\0\0\0\0\0"), (uint64_t)INT64_MIN, IS_INT, MP_INT },
	{ BYTES("\xd3\xff\xff\xff\xff\xff\xff\xff\xfe"), (uint64_t)-2, IS_INT, MP_INT },
};

static void test_read_integers_of_every_width(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(integers); i++) {
		struct mp_reader r = mp_reader(integers[i].bytes), start = r;
		uint64_t u = 1;
		int64_t s = 1;

		assert_int_equal(mp_peek(&r), integers[i].type);
		assert_int_equal(mp_read_uint(&r, &u), integers[i].can & IS_UINT ? 0 : MP_E_BAD);
		assert_true(u == (integers[i].can & IS_UINT ? integers[i].v : 1));
		assert_ptr_equal(r.p, integers[i].can & IS_UINT ? r.end : start.p);
		r = start;
		assert_int_equal(mp_read_int(&r, &s), integers[i].can & IS_INT ? 0 : MP_E_BAD);
		assert_true(s == (integers[i].can & IS_INT ? (int64_t)integers[i].v : 1));
		assert_ptr_equal(r.p, integers[i].can & IS_INT ? r.end : start.p);
	}
}

static void test_read_number_of_integers(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(integers); i++) {
		struct mp_reader r = mp_reader(integers[i].bytes);
		double v = 0.5;

		assert_int_equal(mp_read_number(&r, &v), 0);
		assert_true(v == (integers[i].can & IS_UINT ? (double)integers[i].v :
							       (double)(int64_t)integers[i].v));
		assert_ptr_equal(r.p, r.end);
	}
}

static void test_read_number_of_floats(void **state UNUSED)
{
	static const struct {
		struct span bytes;
		double v;
	} cases[] = {
		{ BYTES("\xca\0\0\0\0"), 0 },
		{ BYTES("\xca\x3f\xc0\0\0"), 1.5 },
		{ BYTES("\xca\xbf\x80\0\0"), -1 },
		{ BYTES("\xca\x7f\x7f\xff\xff"), 3.4028234663852886e38 },
		{ BYTES("\xca\0\0\0\1"), 1.401298464324817e-45 },
		{ BYTES("\xca\x7f\x80\0\0"), INFINITY },
		{ BYTES("\xcb\x3f\xf8\0\0\0\0\0\0"), 1.5 },
		{ BYTES("\xcb\0\0\0\0\0\0\0\1"), 5e-324 },
		{ BYTES("\xcb\x7f\xef\xff\xff\xff\xff\xff\xff"), 1.7976931348623157e308 },
		{ BYTES("\xcb\xff\xf0\0\0\0\0\0\0"), -INFINITY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mp_reader r = mp_reader(cases[i].bytes);
		double v = 0.5;

		assert_int_equal(mp_peek(&r), MP_FLOAT);
		assert_int_equal(mp_read_number(&r, &v), 0);
		assert_true(v == cases[i].v);
		assert_ptr_equal(r.p, r.end);
	}
}

static void test_read_number_keeps_nan_and_the_sign_of_zero(void **state UNUSED)
{
	struct mp_reader nan = mp_reader(SPAN("\xcb\x7f\xf8\0\0\0\0\0\0"));
	struct mp_reader zero = mp_reader(SPAN("\xcb\x80\0\0\0\0\0\0\0"));
	double v;

	assert_int_equal(mp_read_number(&nan, &v), 0);
	assert_true(isnan(v));
	assert_int_equal(mp_read_number(&zero, &v), 0);
	assert_true(v == 0 && signbit(v));
}

static void test_read_nil_and_bool(void **state UNUSED)
{
	struct mp_reader r = mp_reader(SPAN("\xc0\xc2\xc3\1"));
	bool v = true;

	assert_int_equal(mp_peek(&r), MP_NIL);
	assert_int_equal(mp_read_bool(&r, &v), MP_E_BAD);
	assert_int_equal(mp_read_nil(&r), 0);
	assert_int_equal(mp_read_nil(&r), MP_E_BAD);
	assert_int_equal(mp_peek(&r), MP_BOOL);
	assert_int_equal(mp_read_bool(&r, &v), 0);
	assert_false(v);
	assert_int_equal(mp_read_bool(&r, &v), 0);
	assert_true(v);
	assert_bytes(mp_rest(&r), "\1");
}

static void test_read_str_in_every_width(void **state UNUSED)
{
	static const struct span cases[] = {
		BYTES("\xa3""a\0b"), BYTES("\xd9\3a\0b"), BYTES("\xda\0\3a\0b"),
		BYTES("\xdb\0\0\0\3a\0b"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mp_reader r = mp_reader(cases[i]);
		struct span s = { NULL, 9 };

		assert_int_equal(mp_peek(&r), MP_STR);
		assert_int_equal(mp_read_bin(&r, &s), MP_E_BAD);
		assert_int_equal(mp_read_str(&r, &s), 0);
		assert_bytes(s, "a\0b");
		assert_ptr_equal(r.p, r.end);
	}
}

static void test_read_bin_in_every_width(void **state UNUSED)
{
	static const struct span cases[] = {
		BYTES("\xc4\2\xff\0"), BYTES("\xc5\0\2\xff\0"), BYTES("\xc6\0\0\0\2\xff\0"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mp_reader r = mp_reader(cases[i]);
		struct span s = { NULL, 9 };

		assert_int_equal(mp_peek(&r), MP_BIN);
		assert_int_equal(mp_read_str(&r, &s), MP_E_BAD);
		assert_int_equal(mp_read_bin(&r, &s), 0);
		assert_bytes(s, "\xff\0");
		assert_ptr_equal(r.p, r.end);
	}
}

static void test_read_ext_in_every_width(void **state UNUSED)
{
	static const struct {
		struct span bytes;
		size_t len;
	} cases[] = {
		{ BYTES("\xd4\xfe" "1"), 1 }, { BYTES("\xd5\xfe" "12"), 2 },
		{ BYTES("\xd6\xfe" "1234"), 4 }, { BYTES("\xd7\xfe" "12345678"), 8 },
		{ BYTES("\xd8\xfe" "1234567890123456"), 16 }, { BYTES("\xc7\0\xfe"), 0 },
		{ BYTES("\xc7\3\xfe" "123"), 3 }, { BYTES("\xc8\0\3\xfe" "123"), 3 },
		{ BYTES("\xc9\0\0\0\3\xfe" "123"), 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mp_reader r = mp_reader(cases[i].bytes);
		struct span s = { NULL, 99 };
		int8_t type = 0;

		assert_int_equal(mp_peek(&r), MP_EXT);
		assert_int_equal(mp_read_ext(&r, &type, &s), 0);
		assert_int_equal(type, -2);
		assert_span(s, "1234567890123456", cases[i].len);
		assert_ptr_equal(r.p, r.end);
	}
}

static void test_read_counts_in_every_width(void **state UNUSED)
{
	static const struct {
		struct span array, map;
		uint32_t n;
	} cases[] = {
		{ BYTES("\x90"), BYTES("\x80"), 0 },
		{ BYTES("\x9f"), BYTES("\x8f"), 15 },
		{ BYTES("\xdc\0\1"), BYTES("\xde\0\1"), 1 },
		{ BYTES("\xdc\xff\xfe"), BYTES("\xde\xff\xfe"), 65534 },
		{ BYTES("\xdd\0\0\0\2"), BYTES("\xdf\0\0\0\2"), 2 },
		{ BYTES("\xdd\xff\xff\xff\xff"), BYTES("\xdf\xff\xff\xff\xff"), UINT32_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mp_reader a = mp_reader(cases[i].array), m = mp_reader(cases[i].map);
		uint32_t n = 77;

		assert_int_equal(mp_peek(&a), MP_ARRAY);
		assert_int_equal(mp_peek(&m), MP_MAP);
		assert_int_equal(mp_read_map(&a, &n), MP_E_BAD);
		assert_int_equal(mp_read_array(&m, &n), MP_E_BAD);
		assert_int_equal(n, 77);
		assert_int_equal(mp_read_array(&a, &n), 0);
		assert_int_equal(n, cases[i].n);
		assert_int_equal(mp_read_map(&m, &n), 0);
		assert_int_equal(n, cases[i].n);
		assert_true(a.p == a.end && m.p == m.end);
	}
}

/* All functions at once, on one value: how many read it. Those that do not stay in place. */
static unsigned int count_readers(struct span bytes)
{
	struct mp_reader r = mp_reader(bytes);
	unsigned int n = 0;
	struct span s;
	int64_t i;
	uint64_t u;
	uint32_t count;
	int8_t type;
	double d;
	bool b;

#define TRY(call) do { r = mp_reader(bytes); n += (call) == 0; \
		       assert_true(r.p == bytes.p || (r.p > bytes.p && r.p <= r.end)); } while (0)
	TRY(mp_read_nil(&r));
	TRY(mp_read_bool(&r, &b));
	TRY(mp_read_uint(&r, &u));
	TRY(mp_read_int(&r, &i));
	TRY(mp_read_number(&r, &d));
	TRY(mp_read_str(&r, &s));
	TRY(mp_read_bin(&r, &s));
	TRY(mp_read_ext(&r, &type, &s));
	TRY(mp_read_array(&r, &count));
	TRY(mp_read_map(&r, &count));
	return n;
#undef TRY
}

/* A value that is cut off is read by none of them, whatever its type, and stays where it is. */
static void test_read_of_a_part_fails(void **state UNUSED)
{
	random_begin(4);
	for (int i = 0; i < 3000; i++) {
		struct buf b = BUF_NULL;

		put_random_scalar(&b);
		assert_true(count_readers(buf_span(&b)) >= 1);
		for (size_t len = 0; len < MIN(b.len, 20); len++) {
			struct span part = exact_copy(span_of(b.p, len));

			assert_int_equal(count_readers(part), 0);
			span_free(part);
		}
		buf_deinit(&b);
	}
}

static void test_read_at_the_end_wants_more(void **state UNUSED)
{
	struct mp_reader r = mp_reader(span_of("", 0));
	struct span s;
	int64_t i;
	uint64_t u;
	uint32_t n;
	int8_t type;
	double d;
	bool b;

	assert_int_equal(mp_peek(&r), MP_NONE);
	assert_int_equal(mp_read_nil(&r), MP_E_MORE);
	assert_int_equal(mp_read_bool(&r, &b), MP_E_MORE);
	assert_int_equal(mp_read_uint(&r, &u), MP_E_MORE);
	assert_int_equal(mp_read_int(&r, &i), MP_E_MORE);
	assert_int_equal(mp_read_number(&r, &d), MP_E_MORE);
	assert_int_equal(mp_read_str(&r, &s), MP_E_MORE);
	assert_int_equal(mp_read_bin(&r, &s), MP_E_MORE);
	assert_int_equal(mp_read_ext(&r, &type, &s), MP_E_MORE);
	assert_int_equal(mp_read_array(&r, &n), MP_E_MORE);
	assert_int_equal(mp_read_map(&r, &n), MP_E_MORE);
	assert_int_equal(mp_read_raw(&r, &s), MP_E_MORE);
	assert_int_equal(mp_skip(&r), MP_E_MORE);
}

static void test_peek_of_every_first_byte(void **state UNUSED)
{
	static const struct {
		uint8_t last;
		enum mp_type type;
	} ranges[] = {
		{ 0x7f, MP_UINT }, { 0x8f, MP_MAP }, { 0x9f, MP_ARRAY }, { 0xbf, MP_STR },
		{ 0xc0, MP_NIL }, { 0xc1, MP_NONE }, { 0xc3, MP_BOOL }, { 0xc6, MP_BIN },
		{ 0xc9, MP_EXT }, { 0xcb, MP_FLOAT }, { 0xcf, MP_UINT }, { 0xd3, MP_INT },
		{ 0xd8, MP_EXT }, { 0xdb, MP_STR }, { 0xdd, MP_ARRAY }, { 0xdf, MP_MAP },
		{ 0xff, MP_INT },
	};

	for (unsigned int c = 0, i = 0; c < 256; c++) {
		uint8_t bytes[2] = { (uint8_t)c, 0x80 };
		struct mp_reader r = mp_reader(span_of(bytes, 2)),
				 alone = mp_reader(span_of(bytes, 1));

		i += c > ranges[i].last;
		assert_int_equal(mp_peek(&r), ranges[i].type);
		assert_int_equal(mp_peek(&alone), ranges[i].type);
	}
}

static void test_read_raw_takes_one_value(void **state UNUSED)
{
	struct mp_reader r = mp_reader(SPAN("\x92\1\x81\xa1x\xc0\xa1y\xc1"));
	struct span s = { 0 };

	assert_int_equal(mp_read_raw(&r, &s), 0);
	assert_bytes(s, "\x92\1\x81\xa1x\xc0");
	assert_int_equal(mp_skip(&r), 0);
	assert_int_equal(mp_read_raw(&r, &s), MP_E_BAD);
	assert_int_equal(mp_skip(&r), MP_E_BAD);
	assert_bytes(mp_rest(&r), "\xc1");
}

static void test_read_raw_depth_is_that_of_a_message(void **state UNUSED)
{
	uint8_t bytes[MP_MESSAGE_DEPTH_MAX + 2];
	struct mp_reader r;
	struct span s;

	memset(bytes, 0x91, sizeof(bytes));
	bytes[MP_MESSAGE_DEPTH_MAX] = 0xc0;
	r = mp_reader(span_of(bytes, MP_MESSAGE_DEPTH_MAX + 1));
	assert_int_equal(mp_read_raw(&r, &s), 0);
	assert_int_equal(s.len, MP_MESSAGE_DEPTH_MAX + 1);
	bytes[MP_MESSAGE_DEPTH_MAX] = 0x90;
	r = mp_reader(span_of(bytes, MP_MESSAGE_DEPTH_MAX + 1));
	assert_int_equal(mp_read_raw(&r, &s), MP_E_DEEP);
}

/* ---- maps ------------------------------------------------------------------------------- */

static void test_map_get_finds_a_key(void **state UNUSED)
{
	static const struct span map = BYTES("\x84\xa1""a\1\x07\2\xd9\3b\0b\x91\xc0\xa1""c\3");
	struct span v = { 0 };

	assert_int_equal(mp_map_get(map, "a", &v), 0);
	assert_bytes(v, "\1");
	assert_int_equal(mp_map_get(map, "c", &v), 0);
	assert_bytes(v, "\3");
	assert_int_equal(mp_map_get(map, "b", &v), MP_E_BAD);
	assert_int_equal(mp_map_get(map, "", &v), MP_E_BAD);
	assert_int_equal(mp_map_get(map, "ab", &v), MP_E_BAD);
	assert_bytes(v, "\3");
}

static void test_map_get_takes_the_last_of_equal_keys(void **state UNUSED)
{
	struct span v = { 0 };

	assert_int_equal(mp_map_get(SPAN("\x83\xa1""a\1\xa1""b\2\xd9\1a\3"), "a", &v), 0);
	assert_bytes(v, "\3");
}

static void test_map_get_passes_keys_of_any_type(void **state UNUSED)
{
	static const struct span map = BYTES("\x85\xc0\1\x92\1\2\2\xc4\1a\3\xd4\1a\4\xa1""a\5");
	struct span v = { 0 };

	assert_int_equal(mp_map_get(map, "a", &v), 0);
	assert_bytes(v, "\5");
}

static void test_map_get_of_what_is_no_map(void **state UNUSED)
{
	static const struct span cases[] = {
		BYTES(""), BYTES("\xc0"), BYTES("\x92\xa1""a\1"), BYTES("\xa1""a"), BYTES("\x80"),
		BYTES("\x81\xa1""a"), BYTES("\x82\xa1""a\1"), BYTES("\x81\xa1""a\xc1"),
		BYTES("\x81\xc1\1"), BYTES("\x82\xa1""a\1\xa2""b"), BYTES("\xdf\xff\xff\xff\xff"),
		BYTES("\xdf\xff\xff\xff\xff\xa1""a\1"), BYTES("\xde\0"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span map = exact_copy(cases[i]), v;

		assert_int_equal(mp_map_get(map, "a", &v), MP_E_BAD);
		span_free(map);
	}
}

/* ---- writing ---------------------------------------------------------------------------- */

static void test_put_uint_in_the_shortest_form(void **state UNUSED)
{
	static const struct {
		uint64_t v;
		struct span bytes;
	} cases[] = {
		{ 0, BYTES("\0") }, { 127, BYTES("\x7f") },
		{ 128, BYTES("\xcc\x80") }, { 255, BYTES("\xcc\xff") },
		{ 256, BYTES("\xcd\1\0") }, { 65535, BYTES("\xcd\xff\xff") },
		{ 65536, BYTES("\xce\0\1\0\0") }, { UINT32_MAX, BYTES("\xce\xff\xff\xff\xff") },
		{ (uint64_t)1 << 32, BYTES("\xcf\0\0\0\1\0\0\0\0") },
		{ UINT64_MAX, BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf b = BUF_NULL;

		mp_put_uint(&b, cases[i].v);
		assert_true(span_equal(buf_span(&b), cases[i].bytes));
		if (cases[i].v <= INT64_MAX)
			mp_put_int(&b, (int64_t)cases[i].v);
		else
			mp_put_uint(&b, cases[i].v);
		assert_int_equal(b.len, 2 * cases[i].bytes.len);
		assert_memory_equal(b.p, b.p + cases[i].bytes.len, cases[i].bytes.len);
		buf_deinit(&b);
	}
}

static void test_put_int_in_the_shortest_form(void **state UNUSED)
{
	static const struct {
		int64_t v;
		struct span bytes;
	} cases[] = {
		{ -1, BYTES("\xff") }, { -32, BYTES("\xe0") }, { -33, BYTES("\xd0\xdf") },
		{ -128, BYTES("\xd0\x80") }, { -129, BYTES("\xd1\xff\x7f") },
		{ -32768, BYTES("\xd1\x80\0") }, { -32769, BYTES("\xd2\xff\xff\x7f\xff") },
		{ INT32_MIN, BYTES("\xd2\x80\0\0\0") },
		{ (int64_t)INT32_MIN - 1, BYTES("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff") },
		{ INT64_MIN, BYTES("\xd3\x80\0\0\0\0\0\0\0") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf b = BUF_NULL;

		mp_put_int(&b, cases[i].v);
		assert_true(span_equal(buf_span(&b), cases[i].bytes));
		buf_deinit(&b);
	}
}

/* The first byte and the length of its head, at the edges of each form. */
static void test_put_heads_in_the_shortest_form(void **state UNUSED)
{
	static const struct {
		size_t n;
		uint8_t str, bin, array, map;
		unsigned int str_len, bin_len, count_len;
	} cases[] = {
		{ 0, 0xa0, 0xc4, 0x90, 0x80, 1, 2, 1 },
		{ 15, 0xaf, 0xc4, 0x9f, 0x8f, 1, 2, 1 },
		{ 16, 0xb0, 0xc4, 0xdc, 0xde, 1, 2, 3 },
		{ 31, 0xbf, 0xc4, 0xdc, 0xde, 1, 2, 3 },
		{ 32, 0xd9, 0xc4, 0xdc, 0xde, 2, 2, 3 },
		{ 255, 0xd9, 0xc4, 0xdc, 0xde, 2, 2, 3 },
		{ 256, 0xda, 0xc5, 0xdc, 0xde, 3, 3, 3 },
		{ 65535, 0xda, 0xc5, 0xdc, 0xde, 3, 3, 3 },
		{ 65536, 0xdb, 0xc6, 0xdd, 0xdf, 5, 5, 5 },
		{ UINT32_MAX, 0xdb, 0xc6, 0xdd, 0xdf, 5, 5, 5 },
	};
	uint8_t w[MP_HEAD_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(mp_w_str_head(w, cases[i].n) - w, cases[i].str_len);
		assert_int_equal(w[0], cases[i].str);
		assert_int_equal(mp_w_bin_head(w, cases[i].n) - w, cases[i].bin_len);
		assert_int_equal(w[0], cases[i].bin);
		assert_int_equal(mp_w_array(w, (uint32_t)cases[i].n) - w, cases[i].count_len);
		assert_int_equal(w[0], cases[i].array);
		assert_int_equal(mp_w_map(w, (uint32_t)cases[i].n) - w, cases[i].count_len);
		assert_int_equal(w[0], cases[i].map);
	}
	assert_memory_equal(w + 1, "\xff\xff\xff\xff", 4);
}

static void test_put_each_type(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	mp_put_nil(&b);
	mp_put_bool(&b, true);
	mp_put_bool(&b, false);
	mp_put_double(&b, -1.5);
	mp_put_str(&b, "hi");
	mp_put_text(&b, SPAN("\0"));
	mp_put_text(&b, span_of(NULL, 0));
	mp_put_array(&b, 1);
	mp_put_map(&b, 1);
	mp_put_raw(&b, SPAN("\x91\xc0"));
	assert_bytes(buf_span(&b),
		     "\xc0\xc3\xc2\xcb\xbf\xf8\0\0\0\0\0\0\xa2hi\xa1\0\xa0"
		     "\x91\x81\x91\xc0");
	buf_deinit(&b);
}

static void test_put_needs_no_more_room_than_it_takes(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 2);
	mp_put_int(&b, -1);
	mp_put_array(&b, 3);
	assert_bytes(buf_span(&b), "\xff\x93");
	assert_int_equal(buf_error(&b), 0);
	mp_put_map(&b, 0);
	assert_int_equal(buf_error(&b), -ENOBUFS);
	buf_deinit(&b);
}

static void test_put_and_read_random_integers(void **state UNUSED)
{
	random_begin(5);
	for (int i = 0; i < 20000; i++) {
		uint64_t u = random_next() >> random_below(64), u_read = 0;
		int64_t s = (int64_t)random_next() >> random_below(64), s_read = 0;
		struct buf b = BUF_NULL;
		struct mp_reader r;

		mp_put_uint(&b, u);
		mp_put_int(&b, s);
		r = mp_reader(buf_span(&b));
		assert_int_equal(mp_read_uint(&r, &u_read), 0);
		assert_int_equal(mp_read_int(&r, &s_read), 0);
		assert_true(u_read == u && s_read == s && r.p == r.end);
		buf_deinit(&b);
	}
}

static void test_put_and_read_random_doubles(void **state UNUSED)
{
	random_begin(6);
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = random_next();
		double v, read;
		struct buf b = BUF_NULL;
		struct mp_reader r;

		memcpy(&v, &bits, sizeof(v));
		mp_put_double(&b, v);
		assert_int_equal(b.len, 9);
		r = mp_reader(buf_span(&b));
		assert_int_equal(mp_read_number(&r, &read), 0);
		assert_memory_equal(&read, &bits, sizeof(read));
		buf_deinit(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_length_by_every_first_byte),
		cmocka_unit_test(test_length_of_what_has_its_own_length),
		cmocka_unit_test(test_length_counts_values_of_a_map_in_pairs),
		cmocka_unit_test(test_length_passes_inner_containers),
		cmocka_unit_test(test_length_depth_is_limited),
		cmocka_unit_test(test_length_hostile_counts),
		cmocka_unit_test(test_length_finds_0xc1_anywhere),
		cmocka_unit_test(test_scan_random_values_in_pieces),
		cmocka_unit_test(test_scan_split_at_every_position),
		cmocka_unit_test(test_scan_that_is_done_takes_nothing_more),
		cmocka_unit_test(test_scan_tells_where_it_stopped),
		cmocka_unit_test(test_scan_of_noise_does_not_depend_on_pieces),
		cmocka_unit_test(test_read_integers_of_every_width),
		cmocka_unit_test(test_read_number_of_integers),
		cmocka_unit_test(test_read_number_of_floats),
		cmocka_unit_test(test_read_number_keeps_nan_and_the_sign_of_zero),
		cmocka_unit_test(test_read_nil_and_bool),
		cmocka_unit_test(test_read_str_in_every_width),
		cmocka_unit_test(test_read_bin_in_every_width),
		cmocka_unit_test(test_read_ext_in_every_width),
		cmocka_unit_test(test_read_counts_in_every_width),
		cmocka_unit_test(test_read_of_a_part_fails),
		cmocka_unit_test(test_read_at_the_end_wants_more),
		cmocka_unit_test(test_peek_of_every_first_byte),
		cmocka_unit_test(test_read_raw_takes_one_value),
		cmocka_unit_test(test_read_raw_depth_is_that_of_a_message),
		cmocka_unit_test(test_map_get_finds_a_key),
		cmocka_unit_test(test_map_get_takes_the_last_of_equal_keys),
		cmocka_unit_test(test_map_get_passes_keys_of_any_type),
		cmocka_unit_test(test_map_get_of_what_is_no_map),
		cmocka_unit_test(test_put_uint_in_the_shortest_form),
		cmocka_unit_test(test_put_int_in_the_shortest_form),
		cmocka_unit_test(test_put_heads_in_the_shortest_form),
		cmocka_unit_test(test_put_each_type),
		cmocka_unit_test(test_put_needs_no_more_room_than_it_takes),
		cmocka_unit_test(test_put_and_read_random_integers),
		cmocka_unit_test(test_put_and_read_random_doubles),
	};

	return cmocka_run_group_tests_name("mp", tests, NULL, NULL);
}
