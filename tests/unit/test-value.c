/* SPDX-License-Identifier: MIT */
/*
 * Values between MessagePack and JSON, both ways.
 *
 * Against tables written by hand, against each other (random values there and back), and
 * against Jansson. What is JSON and what is not is test-json.c's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#undef json_is_null	/* Jansson's; ours is a function */
#include "common/utf8.h"
#include "libchapi-ipc/json.h"
#include "libchapi-ipc/json_string.h"
#include "libchapi-ipc/mp.h"
#include "libchapi-ipc/value.h"
#include "tests/unit/bytes.h"
#include "tests/unit/skip.h"

#define MIB ((size_t)1 << 20)

static void fail_with_bytes(const struct buf *got, struct span expected)
{
	char text[2][400];

	for (size_t i = 0; i < 2; i++) {
		struct span s = i ? expected : buf_span(got);

		text[i][0] = '\0';
		for (size_t k = 0; k < s.len && k < 100; k++)
			snprintf(text[i] + 3 * k, 5, " %02x", s.p[k]);
	}
	fail_msg("got%s\nnot%s", text[0], text[1]);
}

static void assert_same(const struct buf *b, struct span expected)
{
	assert_int_equal(buf_error(b), 0);
	if (span_equal(buf_span(b), expected))
		return;
	if (expected.len > 0 && utf8_is_valid(expected) && utf8_is_valid(buf_span(b)))
		fail_msg("got %.*s\nnot %.*s", (int)b->len, (const char *)buf_data(b),
			 (int)expected.len, (const char *)expected.p);
	fail_with_bytes(b, expected);
}

typedef int (*convert_fn)(struct span, unsigned int, struct buf *, struct value_fault *);

static void convert(convert_fn f, struct span in, struct buf *out)
{
	struct span copy = exact_copy(in);
	struct value_fault fault = { "" };
	int e = f(copy, MP_VALUE_DEPTH_MAX, out, &fault);

	if (e != 0)
		fail_msg("%d: %s", e, fault.text);
	span_free(copy);
}

static void assert_from_json(struct span json, struct span msgpack)
{
	struct buf out = BUF_NULL;

	convert(value_from_json, json, &out);
	assert_same(&out, msgpack);
	buf_deinit(&out);
}

static void assert_to_json(struct span msgpack, struct span json)
{
	struct buf out = BUF_NULL;

	convert(value_to_json, msgpack, &out);
	assert_same(&out, json);
	buf_deinit(&out);
}

/* Refused with these words, and nothing is left of it. */
static void assert_refused(convert_fn f, struct span in, unsigned int depth, int outcome,
			   const char *words)
{
	struct span copy = exact_copy(in);
	struct value_fault fault = { "" };
	struct buf out = BUF_NULL;
	int e;

	buf_put_str(&out, "before");
	e = f(copy, depth, &out, &fault);
	if (e != outcome || strcmp(fault.text, words) != 0)
		fail_msg("%d: %s\nnot %d: %s", e, fault.text, outcome, words);
	assert_same(&out, SPAN("before"));
	buf_deinit(&out);
	span_free(copy);
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

static long allocations_left = -1;	/* that succeed; -1: all */

#if MEMORY_IS_OURS
void *__libc_malloc(size_t n);
void *__libc_realloc(void *p, size_t n);

static bool may_allocate(void)
{
	if (allocations_left == 0)
		return false;
	if (allocations_left > 0)
		allocations_left--;
	return true;
}

void *malloc(size_t n)
{
	return may_allocate() ? __libc_malloc(n) : NULL;
}

void *realloc(void *p, size_t n)
{
	return may_allocate() ? __libc_realloc(p, n) : NULL;
}
#endif

/* ---- random numbers --------------------------------------------------------------------- */

static double random_double(void)
{
	uint64_t bits = random_next();
	double v;

	if (random_below(2))
		return (double)(int64_t)(random_next() % 2000000) / 100 - 10000;
	if ((bits >> 52 & 0x7ff) == 0x7ff)
		bits ^= (uint64_t)1 << 62;
	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* Characters of every length, and all that have to be escaped. */
static void put_random_text(struct buf *b, size_t n)
{
	static const char *const long_ones[] = {
		"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9d\x84\x9e", "\xef\xbf\xbf", "\x7f", "$",
		"\"",	    "\\",
	};

	while (n--)
		if (random_below(4))
			buf_put_byte(b, (uint8_t)(' ' + random_below(95)));
		else if (random_below(2))
			buf_put_byte(b, (uint8_t)random_below(0x20));
		else
			buf_put_str(b, long_ones[random_below(ARRAY_SIZE(long_ones))]);
}

/* ---- both ways -------------------------------------------------------------------------- */

/* In the one form that each side writes. */
static const struct {
	struct span json, msgpack;
} pairs[] = {
	{ BYTES("null"), BYTES("\xc0") },
	{ BYTES("true"), BYTES("\xc3") },
	{ BYTES("false"), BYTES("\xc2") },
	/* integers, at the edges of every width */
	{ BYTES("0"), BYTES("\0") },
	{ BYTES("127"), BYTES("\x7f") },
	{ BYTES("128"), BYTES("\xcc\x80") },
	{ BYTES("255"), BYTES("\xcc\xff") },
	{ BYTES("256"), BYTES("\xcd\1\0") },
	{ BYTES("65535"), BYTES("\xcd\xff\xff") },
	{ BYTES("65536"), BYTES("\xce\0\1\0\0") },
	{ BYTES("4294967295"), BYTES("\xce\xff\xff\xff\xff") },
	{ BYTES("4294967296"), BYTES("\xcf\0\0\0\1\0\0\0\0") },
	{ BYTES("9007199254740993"), BYTES("\xcf\0\x20\0\0\0\0\0\1") },
	{ BYTES("9223372036854775807"), BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff") },
	{ BYTES("9223372036854775808"), BYTES("\xcf\x80\0\0\0\0\0\0\0") },
	{ BYTES("18446744073709551615"), BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff") },
	{ BYTES("-1"), BYTES("\xff") },
	{ BYTES("-32"), BYTES("\xe0") },
	{ BYTES("-33"), BYTES("\xd0\xdf") },
	{ BYTES("-128"), BYTES("\xd0\x80") },
	{ BYTES("-129"), BYTES("\xd1\xff\x7f") },
	{ BYTES("-32768"), BYTES("\xd1\x80\0") },
	{ BYTES("-32769"), BYTES("\xd2\xff\xff\x7f\xff") },
	{ BYTES("-2147483648"), BYTES("\xd2\x80\0\0\0") },
	{ BYTES("-2147483649"), BYTES("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff") },
	{ BYTES("-9223372036854775808"), BYTES("\xd3\x80\0\0\0\0\0\0\0") },
	/* floats stay floats */
	{ BYTES("0.0"), BYTES("\xcb\0\0\0\0\0\0\0\0") },
	{ BYTES("-0.0"), BYTES("\xcb\x80\0\0\0\0\0\0\0") },
	{ BYTES("1.0"), BYTES("\xcb\x3f\xf0\0\0\0\0\0\0") },
	{ BYTES("-1.5"), BYTES("\xcb\xbf\xf8\0\0\0\0\0\0") },
	{ BYTES("0.1"), BYTES("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a") },
	{ BYTES("1e300"), BYTES("\xcb\x7e\x37\xe4\x3c\x88\x00\x75\x9c") },
	{ BYTES("5e-324"), BYTES("\xcb\0\0\0\0\0\0\0\1") },
	{ BYTES("1.7976931348623157e308"), BYTES("\xcb\x7f\xef\xff\xff\xff\xff\xff\xff") },
	{ BYTES("1.8446744073709552e19"), BYTES("\xcb\x43\xf0\0\0\0\0\0\0") },
	/* strings */
	{ BYTES("\"\""), BYTES("\xa0") },
	{ BYTES("\"abc\""), BYTES("\xa3""abc") },
	{ BYTES("\"1234567890123456789012345678901\""),
	  BYTES("\xbf""1234567890123456789012345678901") },
	{ BYTES("\"12345678901234567890123456789012\""),
	  BYTES("\xd9\x20""12345678901234567890123456789012") },
	{ BYTES("\"a\\u0000b\""), BYTES("\xa3""a\0b") },
	{ BYTES("\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\""),
	  BYTES("\xab\"\\/\b\f\n\r\t\1\x1f\x7f") },
	{ BYTES("\"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\""),
	  BYTES("\xa9\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e") },
	{ BYTES("\"$\""), BYTES("\xa1$") },
	{ BYTES("\"$bin\""), BYTES("\xa4$bin") },
	/* containers */
	{ BYTES("[]"), BYTES("\x90") },
	{ BYTES("{}"), BYTES("\x80") },
	{ BYTES("[1,[2,[]],{}]"), BYTES("\x93\1\x92\2\x90\x80") },
	{ BYTES("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]"),
	  BYTES("\x9f\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f") },
	{ BYTES("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,[16]]"),
	  BYTES("\xdc\0\x10\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x91\x10") },
	{ BYTES("{\"a\":1,\"b\":{\"c\":null,\"\":[]}}"),
	  BYTES("\x82\xa1""a\1\xa1""b\x82\xa1""c\xc0\xa0\x90") },
	{ BYTES("{\"b\":1,\"a\":2}"), BYTES("\x82\xa1""b\1\xa1""a\2") },
	{ BYTES("{\"\\n\\u0000\":1}"), BYTES("\x81\xa2\n\0\1") },
	{ BYTES("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":2}}"),
	  BYTES("\x82\xa1""a\x81\xa1""a\x81\xa1""a\1\xa1""b\x81\xa1""a\2") },
	/* keys that begin with '$' */
	{ BYTES("{\"$$\":1}"), BYTES("\x81\xa1$\1") },
	{ BYTES("{\"$$$\":1}"), BYTES("\x81\xa2$$\1") },
	{ BYTES("{\"$$bin\":\"AA==\"}"), BYTES("\x81\xa4$bin\xa4""AA==") },
	{ BYTES("{\"$$time\":1}"), BYTES("\x81\xa5$time\1") },
	{ BYTES("{\"$$$bin\":1}"), BYTES("\x81\xa5$$bin\1") },
	{ BYTES("{\"$$\\n\":1}"), BYTES("\x81\xa2$\n\1") },
	{ BYTES("{\"a$\":1,\"$$ref\":2}"), BYTES("\x82\xa2""a$\1\xa4$ref\2") },
	/* bin */
	{ BYTES("{\"$bin\":\"\"}"), BYTES("\xc4\0") },
	{ BYTES("{\"$bin\":\"AA==\"}"), BYTES("\xc4\1\0") },
	{ BYTES("{\"$bin\":\"/w==\"}"), BYTES("\xc4\1\xff") },
	{ BYTES("{\"$bin\":\"+/8=\"}"), BYTES("\xc4\2\xfb\xff") },
	{ BYTES("{\"$bin\":\"AAEC\"}"), BYTES("\xc4\3\0\1\2") },
	{ BYTES("{\"$bin\":\"Zm9vYg==\"}"), BYTES("\xc4\4""foob") },
	{ BYTES("{\"$bin\":\"Zm9vYmE=\"}"), BYTES("\xc4\5""fooba") },
	{ BYTES("{\"$bin\":\"Zm9vYmFy\"}"), BYTES("\xc4\6""foobar") },
	{ BYTES("[{\"$bin\":\"AA==\"},{\"a\":{\"$bin\":\"\"}}]"),
	  BYTES("\x92\xc4\1\0\x81\xa1""a\xc4\0") },
	/* times, in the three forms */
	{ BYTES("{\"$time\":\"1970-01-01T00:00:00Z\"}"), BYTES("\xd6\xff\0\0\0\0") },
	{ BYTES("{\"$time\":\"2000-02-29T23:59:59Z\"}"), BYTES("\xd6\xff\x38\xbc\x5d\x7f") },
	{ BYTES("{\"$time\":\"2106-02-07T06:28:15Z\"}"), BYTES("\xd6\xff\xff\xff\xff\xff") },
	{ BYTES("{\"$time\":\"2106-02-07T06:28:16Z\"}"), BYTES("\xd7\xff\0\0\0\1\0\0\0\0") },
	{ BYTES("{\"$time\":\"1970-01-01T00:00:00.000000001Z\"}"),
	  BYTES("\xd7\xff\0\0\0\4\0\0\0\0") },
	{ BYTES("{\"$time\":\"1970-01-01T00:00:00.5Z\"}"),
	  BYTES("\xd7\xff\x77\x35\x94\0\0\0\0\0") },
	{ BYTES("{\"$time\":\"2514-05-30T01:53:03.999999999Z\"}"),
	  BYTES("\xd7\xff\xee\x6b\x27\xff\xff\xff\xff\xff") },
	{ BYTES("{\"$time\":\"2514-05-30T01:53:04Z\"}"),
	  BYTES("\xc7\x0c\xff\0\0\0\0\0\0\0\4\0\0\0\0") },
	{ BYTES("{\"$time\":\"1969-12-31T23:59:59Z\"}"),
	  BYTES("\xc7\x0c\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff") },
	{ BYTES("{\"$time\":\"1969-12-31T23:59:59.5Z\"}"),
	  BYTES("\xc7\x0c\xff\x1d\xcd\x65\0\xff\xff\xff\xff\xff\xff\xff\xff") },
	{ BYTES("{\"$time\":\"0000-01-01T00:00:00Z\"}"),
	  BYTES("\xc7\x0c\xff\0\0\0\0\xff\xff\xff\xf1\x86\x8b\x84\0") },
	{ BYTES("{\"$time\":\"9999-12-31T23:59:59.999999999Z\"}"),
	  BYTES("\xc7\x0c\xff\x3b\x9a\xc9\xff\0\0\0\x3a\xff\xf4\x41\x7f") },
};

static void test_pairs_from_json(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_from_json(pairs[i].json, pairs[i].msgpack);
}

static void test_pairs_to_json(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_to_json(pairs[i].msgpack, pairs[i].json);
}

/* Everything at once: as elements, as members, and nested. */
static void test_pairs_inside_of_containers(void **state UNUSED)
{
	struct buf json = BUF_NULL, msgpack = BUF_NULL;

	buf_put_byte(&json, '[');
	mp_put_array(&msgpack, ARRAY_SIZE(pairs));
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		buf_printf(&json, "%s{\"k%zu\":", i ? "," : "", i);
		mp_put_raw(&json, pairs[i].json);
		buf_put_str(&json, ",\"\":0}");
		mp_put_map(&msgpack, 2);
		buf_put_byte(&msgpack, i < 10 ? 0xa2 : 0xa3);
		buf_printf(&msgpack, "k%zu", i);
		mp_put_raw(&msgpack, pairs[i].msgpack);
		buf_put(&msgpack, "\xa0\0", 2);
	}
	buf_put_byte(&json, ']');
	assert_from_json(buf_span(&json), buf_span(&msgpack));
	assert_to_json(buf_span(&msgpack), buf_span(&json));
	buf_deinit(&json);
	buf_deinit(&msgpack);
}

/* Every part that is cut off is refused, whichever way. */
static void test_pairs_that_are_cut_off(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct span m = pairs[i].msgpack, j = pairs[i].json;
		struct value_fault fault;
		struct buf out = BUF_NULL;

		for (size_t len = 0; len < m.len; len++) {
			struct span part = exact_copy(span_of(m.p, len));

			assert_int_equal(value_to_json(part, MP_VALUE_DEPTH_MAX, &out, &fault),
					 VALUE_E_SYNTAX);
			assert_non_null(strstr(fault.text, "the bytes end before the value does"));
			span_free(part);
		}
		for (size_t len = 0; len < j.len && strchr("\"[{tfn", j.p[0]); len++) {
			struct span part = exact_copy(span_of(j.p, len));

			assert_true(value_from_json(part, MP_VALUE_DEPTH_MAX, &out, &fault) > 0);
			span_free(part);
		}
		assert_int_equal(out.len, 0);
		buf_deinit(&out);
	}
}

/* In exactly the room that the result takes, and in one byte less. */
static void assert_room(convert_fn f, struct span in, struct span expected)
{
	struct value_fault fault;
	struct buf out;

	buf_init(&out, 3 + expected.len);
	buf_put_str(&out, "xyz");
	convert(f, in, &out);
	assert_int_equal(out.max, 3 + expected.len);
	assert_int_equal(out.len, 3 + expected.len);
	assert_memory_equal(buf_data(&out) + 3, expected.p, expected.len);
	buf_deinit(&out);
	buf_init(&out, 3 + expected.len - 1);
	buf_put_str(&out, "xyz");
	assert_int_equal(f(in, MP_VALUE_DEPTH_MAX, &out, &fault), -ENOBUFS);
	assert_string_equal(fault.text, "larger than there is room for");
	assert_int_equal(buf_error(&out), -ENOBUFS);
	assert_int_equal(out.max, 3 + expected.len - 1);
	buf_truncate(&out, out.len);
	assert_same(&out, SPAN("xyz"));
	buf_deinit(&out);
}

static void test_pairs_need_no_more_room_than_they_take(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		assert_room(value_from_json, pairs[i].json, pairs[i].msgpack);
		assert_room(value_to_json, pairs[i].msgpack, pairs[i].json);
	}
}

/* ---- from JSON: other ways to write the same -------------------------------------------- */

static void test_from_json_in_other_words(void **state UNUSED)
{
	static const struct {
		struct span json, msgpack;
	} cases[] = {
		{ BYTES("-0"), BYTES("\0") },
		{ BYTES("1e0"), BYTES("\xcb\x3f\xf0\0\0\0\0\0\0") },
		{ BYTES("0.10E+1"), BYTES("\xcb\x3f\xf0\0\0\0\0\0\0") },
		{ BYTES("-0e5"), BYTES("\xcb\x80\0\0\0\0\0\0\0") },
		{ BYTES("18446744073709551616"), BYTES("\xcb\x43\xf0\0\0\0\0\0\0") },
		{ BYTES("-9223372036854775809"), BYTES("\xcb\xc3\xe0\0\0\0\0\0\0") },
		{ BYTES("-18446744073709551615"), BYTES("\xcb\xc3\xf0\0\0\0\0\0\0") },
		{ BYTES("100000000000000000000000000000000"),
		  BYTES("\xcb\x46\x93\xb8\xb5\xb5\x05\x6e\x17") },
		{ BYTES("1e-400"), BYTES("\xcb\0\0\0\0\0\0\0\0") },
		{ BYTES(" { \"a\" : [ 1 ,\t2 ]\r\n} "), BYTES("\x81\xa1""a\x92\1\2") },
		{ BYTES("\"\\u0041\\/\\ud834\\udd1e\""), BYTES("\xa6""A/\xf0\x9d\x84\x9e") },
		{ BYTES("{\"\\u0061\":1}"), BYTES("\x81\xa1""a\1") },
		{ BYTES("{\"\\u0024\\u0024\":1}"), BYTES("\x81\xa1$\1") },
		{ BYTES("{\"\\u0024bin\":\"AA==\"}"), BYTES("\xc4\1\0") },
		{ BYTES("{ \"$bin\" : \"A\\u0041==\" }"), BYTES("\xc4\1\0") },
		{ BYTES("{\n\"$time\"\t:\"1970-01-01T00:00:00.000Z\"\n}"),
		  BYTES("\xd6\xff\0\0\0\0") },
		{ BYTES("{\"$time\":\"1970-01-01T00:00:00.500000000Z\"}"),
		  BYTES("\xd7\xff\x77\x35\x94\0\0\0\0\0") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_from_json(cases[i].json, cases[i].msgpack);
}

static void test_from_json_string_of_any_length(void **state UNUSED)
{
	static const size_t lens[] = { 0,   1,	 30,  31,    32,    33,	   254,
				       255, 256, 257, 65534, 65535, 65536, 70000 };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(lens); i++) {
		size_t len = lens[i / 2];
		struct buf json = BUF_NULL, msgpack = BUF_NULL, text = BUF_NULL;

		for (size_t k = 0; k < len; k++)
			buf_put_byte(&text, i & 1 && k == len / 2 ? '\n' : 'x');
		json_put_string(&json, buf_span(&text));
		mp_put_text(&msgpack, buf_span(&text));
		assert_from_json(buf_span(&json), buf_span(&msgpack));
		assert_to_json(buf_span(&msgpack), buf_span(&json));
		buf_deinit(&text);
		buf_deinit(&json);
		buf_deinit(&msgpack);
	}
}

static void test_from_json_bin_of_any_length(void **state UNUSED)
{
	random_begin(1);
	for (size_t len = 0; len < 70000; len = len < 260 ? len + 1 : 4 * len) {
		struct buf msgpack = BUF_NULL, json = BUF_NULL, bytes = BUF_NULL;

		for (size_t i = 0; i < len; i++)
			buf_put_byte(&bytes, (uint8_t)random_next());
		put_bin(&msgpack, buf_span(&bytes));
		convert(value_to_json, buf_span(&msgpack), &json);
		assert_int_equal(json.len, (len + 2) / 3 * 4 + 11);
		assert_from_json(buf_span(&json), buf_span(&msgpack));
		buf_deinit(&bytes);
		buf_deinit(&json);
		buf_deinit(&msgpack);
	}
}

static void test_from_json_containers_of_any_length(void **state UNUSED)
{
	static const uint32_t counts[] = { 0,  1,  14,	 15,	16,    17,   31,
					   32, 33, 1000, 65535, 65536, 65537 };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(counts); i++) {
		uint32_t n = counts[i / 2];
		bool map = i & 1;
		struct buf json = BUF_NULL, msgpack = BUF_NULL;

		buf_put_byte(&json, map ? '{' : '[');
		if (map)
			mp_put_map(&msgpack, n);
		else
			mp_put_array(&msgpack, n);
		for (uint32_t k = 0; k < n; k++) {
			buf_put_str(&json, k ? "," : "");
			if (map) {
				buf_printf(&json, "\"%08" PRIx32 "\":", k * 2654435761u);
				buf_put_byte(&msgpack, 0xa8);
				buf_printf(&msgpack, "%08" PRIx32, k * 2654435761u);
			}
			buf_put_byte(&json, '7');
			buf_put_byte(&msgpack, 7);
		}
		buf_put_byte(&json, map ? '}' : ']');
		assert_from_json(buf_span(&json), buf_span(&msgpack));
		assert_to_json(buf_span(&msgpack), buf_span(&json));
		buf_deinit(&json);
		buf_deinit(&msgpack);
	}
}

/* ---- to JSON: forms that only MessagePack has ------------------------------------------- */

static void test_to_json_of_every_width(void **state UNUSED)
{
	static const struct {
		struct span msgpack, json;
	} cases[] = {
		{ BYTES("\xcc\1"), BYTES("1") },
		{ BYTES("\xcd\0\1"), BYTES("1") },
		{ BYTES("\xce\0\0\0\1"), BYTES("1") },
		{ BYTES("\xcf\0\0\0\0\0\0\0\1"), BYTES("1") },
		{ BYTES("\xd0\1"), BYTES("1") },
		{ BYTES("\xd1\0\1"), BYTES("1") },
		{ BYTES("\xd2\0\0\0\1"), BYTES("1") },
		{ BYTES("\xd3\0\0\0\0\0\0\0\1"), BYTES("1") },
		{ BYTES("\xd0\xff"), BYTES("-1") },
		{ BYTES("\xd1\xff\xff"), BYTES("-1") },
		{ BYTES("\xd2\xff\xff\xff\xff"), BYTES("-1") },
		{ BYTES("\xd3\xff\xff\xff\xff\xff\xff\xff\xff"), BYTES("-1") },
		{ BYTES("\xca\x3f\x80\0\0"), BYTES("1.0") },
		{ BYTES("\xca\x3d\xcc\xcc\xcd"), BYTES("0.10000000149011612") },
		{ BYTES("\xca\x80\0\0\0"), BYTES("-0.0") },
		{ BYTES("\xd9\1x"), BYTES("\"x\"") },
		{ BYTES("\xda\0\1x"), BYTES("\"x\"") },
		{ BYTES("\xdb\0\0\0\1x"), BYTES("\"x\"") },
		{ BYTES("\xdc\0\1\xc0"), BYTES("[null]") },
		{ BYTES("\xdd\0\0\0\1\xc0"), BYTES("[null]") },
		{ BYTES("\xde\0\1\xa1k\xc0"), BYTES("{\"k\":null}") },
		{ BYTES("\xdf\0\0\0\1\xd9\1k\xc0"), BYTES("{\"k\":null}") },
		{ BYTES("\xc5\0\1\0"), BYTES("{\"$bin\":\"AA==\"}") },
		{ BYTES("\xc6\0\0\0\1\0"), BYTES("{\"$bin\":\"AA==\"}") },
		{ BYTES("\xc7\4\xff\0\0\0\0"), BYTES("{\"$time\":\"1970-01-01T00:00:00Z\"}") },
		{ BYTES("\xd7\xff\0\0\0\0\0\0\0\0"),
		  BYTES("{\"$time\":\"1970-01-01T00:00:00Z\"}") },
		{ BYTES("\xc7\x0c\xff\0\0\0\0\0\0\0\0\0\0\0\0"),
		  BYTES("{\"$time\":\"1970-01-01T00:00:00Z\"}") },
		{ BYTES("\xc8\0\4\xff\0\0\0\0"), BYTES("{\"$time\":\"1970-01-01T00:00:00Z\"}") },
		{ BYTES("\xc9\0\0\0\4\xff\0\0\0\0"),
		  BYTES("{\"$time\":\"1970-01-01T00:00:00Z\"}") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_to_json(cases[i].msgpack, cases[i].json);
}

static void test_to_json_integer_keys_become_strings(void **state UNUSED)
{
	assert_to_json(
		SPAN("\x84\0\1\xff\2\xcf\xff\xff\xff\xff\xff\xff\xff\xff\3\xd3\x80\0\0\0\0\0\0\0"
		     "\4"),
		SPAN("{\"0\":1,\"-1\":2,\"18446744073709551615\":3,\"-9223372036854775808\":4}"));
	assert_to_json(SPAN("\x81\1\x81\2\xc0"), SPAN("{\"1\":{\"2\":null}}"));
}

/* The blanks make no difference to what is read back. */
static void assert_same_value(struct span msgpack, struct span pretty)
{
	struct buf compact = BUF_NULL, back = BUF_NULL;

	convert(value_to_json, msgpack, &compact);
	convert(value_from_json, buf_span(&compact), &back);
	assert_from_json(pretty, buf_span(&back));
	buf_deinit(&compact);
	buf_deinit(&back);
}

static void test_to_json_pretty(void **state UNUSED)
{
	static const struct {
		struct span msgpack, json;
	} cases[] = {
		{ BYTES("\1"), BYTES("1") },
		{ BYTES("\x90"), BYTES("[]") },
		{ BYTES("\x80"), BYTES("{}") },
		{ BYTES("\x91\1"), BYTES("[\n  1\n]") },
		{ BYTES("\x82\xa1""a\1\xa1""b\x92\2\x80"),
		  BYTES("{\n  \"a\": 1,\n  \"b\": [\n    2,\n    {}\n  ]\n}") },
		{ BYTES("\x81\1\xc4\1\0"), BYTES("{\n  \"1\": {\"$bin\": \"AA==\"}\n}") },
		{ BYTES("\xd6\xff\0\0\0\0"), BYTES("{\"$time\": \"1970-01-01T00:00:00Z\"}") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = BUF_NULL;

		convert(value_to_json_pretty, cases[i].msgpack, &out);
		assert_same(&out, cases[i].json);
		buf_deinit(&out);
		assert_same_value(cases[i].msgpack, cases[i].json);
	}
}

/* ---- what has no form on the other side ------------------------------------------------- */

static const struct refused {
	struct span in;
	int outcome;
	const char *words;
} refused_to_json[] = {
	{ BYTES("\xcb\x7f\xf8\0\0\0\0\0\0"), VALUE_E_INEXPRESSIBLE, "NaN has no form in JSON" },
	{ BYTES("\xca\x7f\xc0\0\0"), VALUE_E_INEXPRESSIBLE, "NaN has no form in JSON" },
	{ BYTES("\xcb\x7f\xf0\0\0\0\0\0\0"), VALUE_E_INEXPRESSIBLE,
	  "an infinite number has no form in JSON" },
	{ BYTES("\xca\xff\x80\0\0"), VALUE_E_INEXPRESSIBLE,
	  "an infinite number has no form in JSON" },
	{ BYTES("\x81\xa6params\x81\xa4list\x94\0\1\2\xcb\x7f\xf8\0\0\0\0\0\0"),
	  VALUE_E_INEXPRESSIBLE, "at .params.list[3]: NaN has no form in JSON" },
	{ BYTES("\x91\xa1\xff"), VALUE_E_INEXPRESSIBLE, "at [0]: a string is not valid UTF-8" },
	{ BYTES("\x82\xa1"
		"a\1\xa3\xed\xa0\x80\2"),
	  VALUE_E_INEXPRESSIBLE, "a key is not valid UTF-8" },
	{ BYTES("\x81\xa1"
		"a\x81\xa1\x80\2"),
	  VALUE_E_INEXPRESSIBLE, "at .a: a key is not valid UTF-8" },
	{ BYTES("\x91\xd4\1a"), VALUE_E_INEXPRESSIBLE,
	  "at [0]: an extension type other than the timestamp has no form in JSON" },
	{ BYTES("\xc7\0\xff"), VALUE_E_INEXPRESSIBLE, "a timestamp is malformed" },
	{ BYTES("\xd5\xff\0\0"), VALUE_E_INEXPRESSIBLE, "a timestamp is malformed" },
	{ BYTES("\xd8\xff"
		"1234567890123456"),
	  VALUE_E_INEXPRESSIBLE, "a timestamp is malformed" },
	{ BYTES("\xd7\xff\xee\x6b\x28\0\0\0\0\0"), VALUE_E_INEXPRESSIBLE,
	  "a timestamp is malformed" },
	{ BYTES("\xc7\x0c\xff\x3b\x9a\xca\0\0\0\0\0\0\0\0\0"), VALUE_E_INEXPRESSIBLE,
	  "a timestamp is malformed" },
	{ BYTES("\xc7\x0c\xff\0\0\0\0\xff\xff\xff\xf1\x86\x8b\x83\xff"), VALUE_E_INEXPRESSIBLE,
	  "a timestamp is outside the years 0 to 9999" },
	{ BYTES("\xc7\x0c\xff\0\0\0\0\0\0\0\x3a\xff\xf4\x41\x80"), VALUE_E_INEXPRESSIBLE,
	  "a timestamp is outside the years 0 to 9999" },
	{ BYTES("\x81\xc0\1"), VALUE_E_INEXPRESSIBLE,
	  "a key that is neither a string nor an integer has no form in JSON" },
	{ BYTES("\x81\xc4\1k\1"), VALUE_E_INEXPRESSIBLE,
	  "a key that is neither a string nor an integer has no form in JSON" },
	{ BYTES("\x92\1\x81\xcb\0\0\0\0\0\0\0\0\1"), VALUE_E_INEXPRESSIBLE,
	  "at [1]: a key that is neither a string nor an integer has no form in JSON" },
	{ BYTES("\x82\xa1"
		"a\1\xd9\1a\2"),
	  VALUE_E_INEXPRESSIBLE, "at .a: the key stands there twice" },
	{ BYTES("\x82\1\1\xa1"
		"1\2"),
	  VALUE_E_INEXPRESSIBLE, "at .1: the key stands there twice" },
	{ BYTES("\x82\1\1\xcc\1\2"), VALUE_E_INEXPRESSIBLE, "at .1: the key stands there twice" },
	{ BYTES("\x91\x83\xa1\n\1\xa1"
		"b\2\xa1\n\3"),
	  VALUE_E_INEXPRESSIBLE, "at [0][\"\\n\"]: the key stands there twice" },
	{ BYTES("\x82\xa0\1\xa0\2"), VALUE_E_INEXPRESSIBLE,
	  "at [\"\"]: the key stands there twice" },
	{ BYTES("\x91\xc1"), VALUE_E_SYNTAX, "at [0]: 0xc1 is no type of MessagePack" },
	{ BYTES("\x81\xc1\1"), VALUE_E_SYNTAX, "0xc1 is no type of MessagePack" },
	{ BYTES("\x81\xa1k\xc1"), VALUE_E_SYNTAX, "at .k: 0xc1 is no type of MessagePack" },
	{ BYTES("\1\2"), VALUE_E_SYNTAX, "something follows the value" },
	{ BYTES("\x91\1\x90"), VALUE_E_SYNTAX, "something follows the value" },
	{ BYTES(""), VALUE_E_SYNTAX, "the bytes end before the value does" },
	{ BYTES("\x81"), VALUE_E_SYNTAX, "the bytes end before the value does" },
	{ BYTES("\x81\xcd\0"), VALUE_E_SYNTAX, "the bytes end before the value does" },
	{ BYTES("\xdd\xff\xff\xff\xff\1"), VALUE_E_SYNTAX,
	  "at [1]: the bytes end before the value does" },
	{ BYTES("\xdf\xff\xff\xff\xff\xa1k\1"), VALUE_E_SYNTAX,
	  "the bytes end before the value does" },
	{ BYTES("\xdb\xff\xff\xff\xffx"), VALUE_E_SYNTAX, "the bytes end before the value does" },
	{ BYTES("\xc6\xff\xff\xff\xffx"), VALUE_E_SYNTAX, "the bytes end before the value does" },
	{ BYTES("\xc9\xff\xff\xff\xff\xffx"), VALUE_E_SYNTAX,
	  "the bytes end before the value does" },
};

static void test_to_json_refuses_with_the_place(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused_to_json); i++) {
		const struct refused *r = &refused_to_json[i];

		assert_refused(value_to_json, r->in, MP_VALUE_DEPTH_MAX, r->outcome, r->words);
		assert_refused(value_to_json_pretty, r->in, MP_VALUE_DEPTH_MAX, r->outcome,
			       r->words);
	}
}

#define BIN_ALONE "$bin stands alone, with a string; a key of that name is written $$bin"
#define TIME_ALONE "$time stands alone, with a string; a key of that name is written $$time"
#define NOT_BASE64 "the string of $bin is not base64 with padding"

static const struct refused refused_from_json[] = {
	{ BYTES("1e400"), VALUE_E_INEXPRESSIBLE, "the number is too large for 64 bits (byte 5)" },
	{ BYTES("{\"a\":[1,-1e999]}"), VALUE_E_INEXPRESSIBLE,
	  "at .a[1]: the number is too large for 64 bits (byte 14)" },
	{ BYTES("{\"a\":1,\"b\":2,\"a\":3}"), VALUE_E_INEXPRESSIBLE,
	  "at .a: the key stands there twice (byte 19)" },
	{ BYTES("{\"a\":1,\"\\u0061\":3}"), VALUE_E_INEXPRESSIBLE,
	  "at .a: the key stands there twice (byte 18)" },
	{ BYTES("[{\"$$x\":1,\"$$x\":1}]"), VALUE_E_INEXPRESSIBLE,
	  "at [0].$x: the key stands there twice (byte 18)" },
	{ BYTES("{\"x\":{\"a b\":1,\"a b\":1}}"), VALUE_E_INEXPRESSIBLE,
	  "at .x[\"a b\"]: the key stands there twice (byte 22)" },
	{ BYTES("{\"\\\"\\\\\\u0001\":[x]}"), VALUE_E_SYNTAX,
	  "at [\"\\\"\\\\\\u0001\"][0]: a value is missing, or not one that JSON has (byte 15)" },
	{ BYTES("{\"$\":1}"), VALUE_E_INEXPRESSIBLE,
	  "a key that begins with $ is written with $$ (byte 4)" },
	{ BYTES("{\"$x\":1}"), VALUE_E_INEXPRESSIBLE,
	  "a key that begins with $ is written with $$ (byte 5)" },
	{ BYTES("{\"k\":{\"\\u0024x\":1}}"), VALUE_E_INEXPRESSIBLE,
	  "at .k: a key that begins with $ is written with $$ (byte 15)" },
	{ BYTES("{\"a\":1,\"$bin\":\"\"}"), VALUE_E_INEXPRESSIBLE,
	  "a key that begins with $ is written with $$ (byte 13)" },
	{ BYTES("{\"$bin\":1}"), VALUE_E_INEXPRESSIBLE, BIN_ALONE " (byte 8)" },
	{ BYTES("{\"$bin\":\"\",\"a\":1}"), VALUE_E_INEXPRESSIBLE, BIN_ALONE " (byte 10)" },
	{ BYTES("{\"$bin\":null}"), VALUE_E_INEXPRESSIBLE, BIN_ALONE " (byte 8)" },
	{ BYTES("{\"$time\":5}"), VALUE_E_INEXPRESSIBLE, TIME_ALONE " (byte 9)" },
	{ BYTES("{\"$time\":\"\",\"$bin\":\"\"}"), VALUE_E_INEXPRESSIBLE, TIME_ALONE " (byte 11)" },
	{ BYTES("{\"a\":{\"$bin\":\"A\"}}"), VALUE_E_INEXPRESSIBLE,
	  "at .a: " NOT_BASE64 " (byte 17)" },
	{ BYTES("[\"\\ud800\"]"), VALUE_E_INEXPRESSIBLE,
	  "at [0]: half of a surrogate pair is no character (byte 4)" },
	{ BYTES("{\"$bin\":\"\\ud800\"}"), VALUE_E_INEXPRESSIBLE,
	  "half of a surrogate pair is no character (byte 11)" },
	{ BYTES("{\"\\udc00\":1}"), VALUE_E_INEXPRESSIBLE,
	  "half of a surrogate pair is no character (byte 4)" },
	{ BYTES("[1,\"\xff\"]"), VALUE_E_SYNTAX, "at [1]: a string is not valid UTF-8 (byte 4)" },
	{ BYTES("{\"$x\xff\":1}"), VALUE_E_SYNTAX, "a string is not valid UTF-8 (byte 4)" },
	{ BYTES("{\"$bin\":\"\xff\"}"), VALUE_E_SYNTAX, "a string is not valid UTF-8 (byte 9)" },
	{ BYTES(""), VALUE_E_SYNTAX, "the text ends where a value should begin (byte 0)" },
	{ BYTES("[1,"), VALUE_E_SYNTAX,
	  "at [1]: the text ends where a value should begin (byte 3)" },
	{ BYTES("{\"a\":tru}"), VALUE_E_SYNTAX,
	  "at .a: a value is missing, or not one that JSON has (byte 5)" },
	{ BYTES("[0,01]"), VALUE_E_SYNTAX, "at [1]: a number may not begin with 0 (byte 4)" },
	{ BYTES("[1 2]"), VALUE_E_SYNTAX, "at [1]: a comma or ] is missing (byte 3)" },
	{ BYTES("{\"a\":1 2}"), VALUE_E_SYNTAX, "at .a: a comma or } is missing (byte 7)" },
	{ BYTES("{\"a\" 1}"), VALUE_E_SYNTAX, "at .a: a colon is missing after a key (byte 5)" },
	{ BYTES("{\"$bin\" 1}"), VALUE_E_SYNTAX, "a colon is missing after a key (byte 8)" },
	{ BYTES("{\"$bin\":\"\" 1}"), VALUE_E_SYNTAX, "a comma or } is missing (byte 11)" },
	{ BYTES("{\"a\":1,2}"), VALUE_E_SYNTAX, "a key in quotes is missing (byte 7)" },
	{ BYTES("1 2"), VALUE_E_SYNTAX, "something follows the value (byte 2)" },
};

static void test_from_json_refuses_with_the_place(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused_from_json); i++) {
		const struct refused *r = &refused_from_json[i];

		assert_refused(value_from_json, r->in, MP_VALUE_DEPTH_MAX, r->outcome, r->words);
	}
}

static void test_from_json_refuses_what_is_not_base64(void **state UNUSED)
{
	static const char
		*const cases[] = {
			"A",	  "AA",	      "AAA",	    "AA=",	   "A===",
			"====",	  "=AAA",     "A=AA",	    "AA=A",	   "AAAAA",
			"AAAA=",  "AAAA====", "AAB=", /* padding leaves over bits that are not 0 */
			"AB==",	  "A/==",     "AA-_",	    "AA A",	   " AAA",
			"AA\\nA", "AA==AA==", "\\u0000AAA", "\xc3\xa9=AA",
		};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct value_fault fault = { "" };
		struct buf text = BUF_NULL, out = BUF_NULL;

		buf_printf(&text, "{\"$bin\":\"%s\"}", cases[i]);
		assert_int_equal(value_from_json(buf_span(&text), 1, &out, &fault),
				 VALUE_E_INEXPRESSIBLE);
		assert_memory_equal(fault.text, NOT_BASE64, strlen(NOT_BASE64));
		buf_deinit(&text);
		buf_deinit(&out);
	}
}

static void test_from_json_refuses_what_is_no_time(void **state UNUSED)
{
	static const char *const cases[] = {
		"",
		"2026-03-01",
		"2026-03-01T12:34:56",
		"2026-03-01T12:34:56z",
		"2026-03-01t12:34:56Z",
		"2026-03-01 12:34:56Z",
		"2026-03-01T12:34:56+00:00",
		"2026-03-01T12:34:56.Z",
		"2026-03-01T12:34:56,5Z",
		"2026-03-01T12:34:56.1234567890Z",
		"2026-03-01T12:34:56.12345678901Z",
		"2026-03-01T12:34:56.5",
		"2026-03-01T12:34:56.x5Z",
		"2026-03-01T12:34:565Z",
		"2026-03-01T12:34:5Z",
		"2026-00-01T12:34:56Z",
		"2026-13-01T12:34:56Z",
		"2026-03-00T12:34:56Z",
		"2026-03-32T12:34:56Z",
		"2026-04-31T12:34:56Z",
		"2026-02-29T12:34:56Z",
		"1900-02-29T12:34:56Z",
		"2000-02-30T12:34:56Z",
		"2026-03-01T24:00:00Z",
		"2026-03-01T12:60:00Z",
		"2026-03-01T12:34:60Z",
		"20260-3-01T12:34:56Z",
		"+026-03-01T12:34:56Z",
		"-026-03-01T12:34:56Z",
		"2026-3x-01T12:34:56Z",
		"2026-03-0xT12:34:56Z",
		"2026-03-01Tx2:34:56Z",
		"2026-03-01T12:x4:56Z",
		"2026-03-01T12:34:x6Z",
		"2026/03/01T12:34:56Z",
		"2026-03/01T12:34:56Z",
		"2026-03-01T12.34:56Z",
		"2026-03-01T12:34.56Z",
		"12026-03-01T12:34:56Z",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct value_fault fault = { "" };
		struct buf text = BUF_NULL, out = BUF_NULL;

		buf_printf(&text, "{\"$time\":\"%s\"}", cases[i]);
		if (value_from_json(buf_span(&text), 1, &out, &fault) != VALUE_E_INEXPRESSIBLE)
			fail_msg("takes %s", cases[i]);
		assert_non_null(strstr(fault.text, "$time is not like 2026-03-01T12:34:56.789Z"));
		buf_deinit(&text);
		buf_deinit(&out);
	}
}

/* ---- depth ------------------------------------------------------------------------------ */

static void put_deep(struct buf *json, struct buf *msgpack, unsigned int depth, bool map)
{
	for (unsigned int i = 0; i < depth; i++) {
		buf_put_str(json, map ? "{\"k\":" : "[");
		buf_put(msgpack, map ? "\x81\xa1k" : "\x91", map ? 3 : 1);
	}
	buf_put_str(json, "{\"$bin\":\"\"}");	/* is no container */
	buf_put(msgpack, "\xc4\0", 2);
	for (unsigned int i = 0; i < depth; i++)
		buf_put_byte(json, map ? '}' : ']');
}

static void assert_depth(unsigned int depth, unsigned int limit, bool map)
{
	bool fine = depth <= MIN(limit, MP_MESSAGE_DEPTH_MAX);
	int expected = fine ? 0 : VALUE_E_INEXPRESSIBLE;
	struct buf json = BUF_NULL, msgpack = BUF_NULL, out = BUF_NULL;
	struct value_fault fault;

	put_deep(&json, &msgpack, depth, map);
	assert_int_equal(value_from_json(buf_span(&json), limit, &out, &fault), expected);
	assert_true(!fine || span_equal(buf_span(&out), buf_span(&msgpack)));
	buf_clear(&out);
	assert_int_equal(value_to_json(buf_span(&msgpack), limit, &out, &fault), expected);
	assert_true(!fine || span_equal(buf_span(&out), buf_span(&json)));
	buf_deinit(&json);
	buf_deinit(&msgpack);
	buf_deinit(&out);
}

static void test_depth_is_limited_both_ways(void **state UNUSED)
{
	for (unsigned int depth = 0; depth < 40; depth++)
		for (unsigned int limit = 0; limit < 40; limit++) {
			assert_depth(depth, limit, false);
			assert_depth(depth, limit, true);
		}
}

static void test_depth_of_a_value_is_24(void **state UNUSED)
{
	struct buf json = BUF_NULL, msgpack = BUF_NULL, out = BUF_NULL;

	put_deep(&json, &msgpack, 25, false);
	convert(value_from_json, span_of(json.p + 1, json.len - 2), &out);
	assert_refused(value_from_json, buf_span(&json), MP_VALUE_DEPTH_MAX, VALUE_E_INEXPRESSIBLE,
		       "at ...[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: "
		       "more containers in containers than allowed (byte 25)");
	assert_refused(value_to_json, buf_span(&msgpack), MP_VALUE_DEPTH_MAX, VALUE_E_INEXPRESSIBLE,
		       "at ...[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: "
		       "more containers in containers than allowed");
	buf_deinit(&json);
	buf_deinit(&msgpack);
	buf_deinit(&out);
}

static void test_depth_of_a_bomb(void **state UNUSED)
{
	struct buf json = BUF_NULL, msgpack = BUF_NULL, out = BUF_NULL;
	struct value_fault fault;

	put_deep(&json, &msgpack, 1000000, false);
	assert_int_equal(value_from_json(buf_span(&json), 1000000, &out, &fault),
			 VALUE_E_INEXPRESSIBLE);
	assert_int_equal(value_to_json(buf_span(&msgpack), 1000000, &out, &fault),
			 VALUE_E_INEXPRESSIBLE);
	buf_deinit(&json);
	buf_deinit(&msgpack);
	buf_deinit(&out);
}

/* ---- places ----------------------------------------------------------------------------- */

static void assert_place(const char *json, const char *words)
{
	assert_refused(value_from_json, span_str(json), MP_VALUE_DEPTH_MAX, VALUE_E_SYNTAX, words);
}

#define NO_VALUE "a value is missing, or not one that JSON has"

static void test_place_of_words_needs_no_quotes(void **state UNUSED)
{
	assert_place("{\"azAZ09_$-\":x}", "at .azAZ09_$-: " NO_VALUE " (byte 13)");
	assert_place("{\"a/b\":x}", "at [\"a/b\"]: " NO_VALUE " (byte 7)");
	assert_place("{\"a:b\":x}", "at [\"a:b\"]: " NO_VALUE " (byte 7)");
	assert_place("{\"@[`{\":x}", "at [\"@[`{\"]: " NO_VALUE " (byte 8)");
	assert_place("{\"\":x}", "at [\"\"]: " NO_VALUE " (byte 4)");
}

static void test_place_of_long_keys_is_cut(void **state UNUSED)
{
	assert_place("{\"a_word-of$24.characters\":x}",
		     "at [\"a_word-of$24.characters\"]: " NO_VALUE " (byte 27)");
	assert_place("{\"a_word-of$24_characters_\":x}",
		     "at .a_word-of$24_characters_: " NO_VALUE " (byte 28)");
	assert_place("{\"a_word-of$25_characters__\":x}",
		     "at [\"a_word-of$25_characters_...\"]: " NO_VALUE " (byte 29)");
	assert_place("{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":x}",
		     "at [\"aaaaaaaaaaaaaaaaaaaaaaaa...\"]: " NO_VALUE " (byte 61)");
}

static void test_place_of_many_levels_keeps_the_innermost(void **state UNUSED)
{
	assert_place(
		"{\"outer_key\":{\"a_second_key\":{\"a_third_key\":{\"a_fourth_key\":{\"last\":["
		"0,x]}}}}}",
		"at ....a_second_key.a_third_key.a_fourth_key.last[1]: " NO_VALUE " (byte 71)");
}

/* Whatever the keys hold, the words are one line of UTF-8. */
static void test_place_is_always_one_line_of_utf8(void **state UNUSED)
{
	random_begin(2);
	for (int i = 0; i < 5000; i++) {
		struct value_fault fault = { "" };
		struct buf json = BUF_NULL, msgpack = BUF_NULL, out = BUF_NULL;

		for (size_t depth = 1 + random_below(5); depth > 0; depth--) {
			struct buf key = BUF_NULL;

			buf_put_byte(&key, 'k');
			put_random_text(&key, random_below(40));
			buf_put_byte(&json, '{');
			json_put_string(&json, buf_span(&key));
			buf_put_byte(&json, ':');
			mp_put_map(&msgpack, 1);
			mp_put_text(&msgpack, buf_span(&key));
			buf_deinit(&key);
		}
		buf_put_byte(&json, 'x');
		buf_put_byte(&msgpack, 0xc1);
		assert_int_equal(value_from_json(buf_span(&json), 9, &out, &fault), VALUE_E_SYNTAX);
		assert_true(utf8_is_valid(span_str(fault.text)) &&
			    !strpbrk(fault.text, "\n\r\x1b\x7f"));
		assert_int_equal(value_to_json(buf_span(&msgpack), 9, &out, &fault),
				 VALUE_E_SYNTAX);
		assert_true(utf8_is_valid(span_str(fault.text)) &&
			    !strpbrk(fault.text, "\n\r\x1b\x7f"));
		assert_non_null(strstr(fault.text, "at "));
		buf_deinit(&json);
		buf_deinit(&msgpack);
		buf_deinit(&out);
	}
}

/* ---- equal keys ------------------------------------------------------------------------- */

/* n keys, of which the one at `twin` is as the one at `of` (none if they are the same). */
static void put_keys(struct buf *json, struct buf *msgpack, size_t n, size_t of, size_t twin)
{
	buf_put_byte(json, '{');
	mp_put_map(msgpack, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		char key[20];

		snprintf(key, sizeof(key), "%zx", (i == twin ? of : i) * 40503 % 65536);
		buf_printf(json, "%s\"%s\":0", i ? "," : "", key);
		mp_put_str(msgpack, key);
		buf_put_byte(msgpack, 0);
	}
	buf_put_byte(json, '}');
}

static void assert_twins(size_t n, size_t of, size_t twin)
{
	struct buf json = BUF_NULL, msgpack = BUF_NULL, out = BUF_NULL;
	int expected = of == twin ? 0 : VALUE_E_INEXPRESSIBLE;
	struct value_fault fault;
	char words[60];

	put_keys(&json, &msgpack, n, of, twin);
	snprintf(words, sizeof(words), "at .%zx: the key stands there twice", of * 40503 % 65536);
	assert_int_equal(value_from_json(buf_span(&json), 1, &out, &fault), expected);
	assert_true(!expected || strstr(fault.text, words) == fault.text);
	buf_clear(&out);
	assert_int_equal(value_to_json(buf_span(&msgpack), 1, &out, &fault), expected);
	assert_true(!expected || strstr(fault.text, words) == fault.text);
	buf_deinit(&json);
	buf_deinit(&msgpack);
	buf_deinit(&out);
}

/* Few keys and many are looked through in two ways. */
static void test_keys_twins_are_found_wherever_they_stand(void **state UNUSED)
{
	static const size_t counts[] = { 2, 3, 15, 16, 17, 18, 31, 32, 33, 34, 63, 64, 65 };

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		size_t n = counts[i];

		assert_twins(n, 0, 0);
		for (size_t twin = 1; twin < n; twin++)
			for (size_t of = 0; of < twin; of += 1 + n / 16)
				assert_twins(n, of, twin);
	}
}

static void test_keys_twins_among_very_many(void **state UNUSED)
{
	random_begin(3);
	for (int i = 0; i < 30; i++) {
		size_t n = 100 + random_below(3000), twin = 1 + random_below(n - 1);

		assert_twins(n, random_below(twin), twin);
		assert_twins(n, 0, 0);
	}
}

/* The same key in maps beside and inside each other is no twin. */
static void test_keys_of_other_maps_do_not_count(void **state UNUSED)
{
	struct buf json = BUF_NULL, msgpack = BUF_NULL;

	buf_put_byte(&json, '[');
	mp_put_array(&msgpack, 3);
	for (size_t i = 0; i < 3; i++) {
		buf_put_str(&json, i ? "," : "");
		put_keys(&json, &msgpack, 20 * (i + 1), 0, 0);
		buf_truncate(&json, json.len - 2);	/* the last value becomes a map like it */
		buf_truncate(&msgpack, msgpack.len - 1);
		put_keys(&json, &msgpack, 40, 0, 0);
		buf_put_byte(&json, '}');
	}
	buf_put_byte(&json, ']');
	assert_from_json(buf_span(&json), buf_span(&msgpack));
	assert_to_json(buf_span(&msgpack), buf_span(&json));
	buf_deinit(&json);
	buf_deinit(&msgpack);
}

/* ---- times ------------------------------------------------------------------------------ */

static void assert_time(int64_t seconds, uint32_t nanoseconds)
{
	time_t t = (time_t)seconds;
	struct buf msgpack = BUF_NULL, json = BUF_NULL, expected = BUF_NULL, back = BUF_NULL;
	struct tm tm;

	assert_non_null(gmtime_r(&t, &tm));
	buf_printf(&expected, "{\"$time\":\"%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
		   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (nanoseconds) {
		buf_printf(&expected, ".%09" PRIu32, nanoseconds);
		while (buf_data(&expected)[expected.len - 1] == '0')
			buf_truncate(&expected, expected.len - 1);
	}
	buf_put_str(&expected, "Z\"}");
	buf_put(&msgpack, "\xc7\x0c\xff", 3);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_put_byte(&msgpack, (uint8_t)(nanoseconds >> shift));
	for (int shift = 56; shift >= 0; shift -= 8)
		buf_put_byte(&msgpack, (uint8_t)((uint64_t)seconds >> shift));
	assert_to_json(buf_span(&msgpack), buf_span(&expected));
	convert(value_from_json, buf_span(&expected), &back);
	assert_true(back.len <= msgpack.len);
	assert_to_json(buf_span(&back), buf_span(&expected));
	buf_deinit(&msgpack);
	buf_deinit(&json);
	buf_deinit(&expected);
	buf_deinit(&back);
}

#define SECONDS_OF_YEAR_0 INT64_C(-62167219200)
#define SECONDS_OF_YEAR_10000 INT64_C(253402300800)

static void test_time_of_random_seconds_as_the_c_library(void **state UNUSED)
{
	if (sizeof(time_t) < 8)
		SKIP("time_t has 32 bits");
	random_begin(4);
	for (int i = 0; i < 5000; i++) {
		uint64_t range = (uint64_t)(SECONDS_OF_YEAR_10000 - SECONDS_OF_YEAR_0);
		int64_t seconds = SECONDS_OF_YEAR_0 + (int64_t)(random_next() % range);

		assert_time(seconds, (uint32_t)random_below(1000000000));
		assert_time(seconds, (uint32_t)random_below(1000) * 1000000);
	}
}

static void test_time_at_the_ends_of_years(void **state UNUSED)
{
	if (sizeof(time_t) < 8)
		SKIP("time_t has 32 bits");
	/* A day before and after each first of January and of March. */
	for (int64_t year = 0; year < 10000; year += year % 100 < 5 ? 1 : 19) {
		int64_t before = year - 1;
		int64_t leap = year ? before / 4 - before / 100 + before / 400 + 1 : 0;
		int64_t first = SECONDS_OF_YEAR_0 + (year * 365 + leap) * 86400;

		assert_time(first, 0);
		if (year > 0)
			assert_time(first - 1, 999999999);
		assert_time(first + 59 * 86400 - 1, 0);
		assert_time(first + 59 * 86400, 1);
		assert_time(first + 60 * 86400, 0);
	}
}

/* ---- random values ---------------------------------------------------------------------- */

static void put_random_time(struct buf *b)
{
	uint32_t nanoseconds = random_below(2) ? (uint32_t)(1 + random_below(999999999)) : 0;

	switch (random_below(3)) {
	case 0:
		buf_put(b, "\xd6\xff", 2);
		put_be(b, random_next(), 4);
		break;
	case 1:
		buf_put(b, "\xd7\xff", 2);
		put_be(b, (uint64_t)(nanoseconds + !nanoseconds) << 34 | random_next() >> 30, 8);
		break;
	default:
		buf_put(b, "\xc7\x0c\xff", 3);
		put_be(b, nanoseconds, 4);
		put_be(b, (uint64_t)SECONDS_OF_YEAR_0 + random_next() % UINT64_C(62167219200), 8);
	}
}

static void put_random_scalar(struct buf *b)
{
	struct buf bytes = BUF_NULL;

	switch (random_below(8)) {
	case 0:
		buf_put_byte(b, "\xc0\xc2\xc3"[random_below(3)]);
		break;
	case 1:
		mp_put_uint(b, random_next() >> random_below(64));
		break;
	case 2:
		mp_put_int(b, (int64_t)random_next() >> random_below(64));
		break;
	case 3:
		mp_put_double(b, random_double());
		break;
	case 4:
		put_random_time(b);
		break;
	case 5:
		for (size_t n = random_below(50); n > 0; n--)
			buf_put_byte(&bytes, (uint8_t)random_next());
		put_bin(b, buf_span(&bytes));
		break;
	default:
		put_random_text(&bytes, random_below(random_below(10) ? 20 : 400));
		mp_put_text(b, buf_span(&bytes));
	}
	buf_deinit(&bytes);
}

/* Distinct by what follows the '#'. */
static void put_random_key(struct buf *b, size_t i)
{
	struct buf key = BUF_NULL;

	if (random_below(4) == 0)
		buf_put_str(&key, &"$\0\0\0\0\0$$\0\0\0\0$bin\0\0$time"[6 * random_below(4)]);
	put_random_text(&key, random_below(12));
	buf_printf(&key, "#%zx", i);
	mp_put_text(b, buf_span(&key));
	buf_deinit(&key);
}

/* In the one form that the converter writes. */
static void put_random_value(struct buf *b, unsigned int depth)
{
	size_t n = random_below(random_below(20) ? 5 : 40);
	bool map = random_below(2);

	if (depth == 0 || random_below(3) == 0) {
		put_random_scalar(b);
		return;
	}
	if (map)
		mp_put_map(b, (uint32_t)n);
	else
		mp_put_array(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		if (map)
			put_random_key(b, i);
		put_random_value(b, depth - 1);
	}
}

static void test_random_values_there_and_back(void **state UNUSED)
{
	random_begin(5);
	for (int i = 0; i < 5000; i++) {
		struct buf msgpack = BUF_NULL, json = BUF_NULL, pretty = BUF_NULL;
		struct json_fault why;
		struct span value;

		put_random_value(&msgpack, (unsigned int)random_below(5));
		convert(value_to_json, buf_span(&msgpack), &json);
		convert(value_to_json_pretty, buf_span(&msgpack), &pretty);
		assert_int_equal(json_text(buf_span(&json), JSON_DEPTH_MAX, &value, &why), 0);
		assert_true(span_equal(value, buf_span(&json)));
		assert_true(json.len <= 6 * msgpack.len + 2);
		assert_from_json(buf_span(&json), buf_span(&msgpack));
		assert_from_json(buf_span(&pretty), buf_span(&msgpack));
		buf_deinit(&msgpack);
		buf_deinit(&json);
		buf_deinit(&pretty);
	}
}

static void test_random_noise_stays_inside(void **state UNUSED)
{
	random_begin(6);
	for (int i = 0; i < 20000; i++) {
		struct buf msgpack = BUF_NULL, out = BUF_NULL;
		struct value_fault fault;
		struct span copy;
		int e;

		put_random_value(&msgpack, 2);
		for (size_t n = random_below(4); n > 0; n--)
			msgpack.p[random_below(msgpack.len)] = (uint8_t)random_next();
		copy = exact_copy(buf_span(&msgpack));
		e = value_to_json(copy, 24, &out, &fault);
		assert_true(e == 0 ||
			    ((e == VALUE_E_SYNTAX || e == VALUE_E_INEXPRESSIBLE) && fault.text[0]));
		assert_true(e == 0 ? utf8_is_valid(buf_span(&out)) : out.len == 0);
		span_free(copy);
		buf_deinit(&msgpack);
		buf_deinit(&out);
	}
}

/* ---- against Jansson -------------------------------------------------------------------- */

static json_t *random_tree(unsigned int depth);

static json_t *random_jansson_string(void)
{
	struct buf text = BUF_NULL;
	json_t *string;

	put_random_text(&text, random_below(20));
	string = json_stringn((const char *)buf_data(&text), text.len);
	buf_deinit(&text);
	return string;
}

static json_t *random_container(unsigned int depth, bool map)
{
	json_t *root = map ? json_object() : json_array();

	for (size_t n = random_below(6); n > 0; n--) {
		char key[40];

		snprintf(key, sizeof(key), "%s%zx", &"k\0\0\xc3\xa9\0\n\"\0"[3 * random_below(3)],
			 random_below(1000));
		if (map)
			json_object_set_new(root, key, random_tree(depth - 1));
		else
			json_array_append_new(root, random_tree(depth - 1));
	}
	return root;
}

static json_t *random_tree(unsigned int depth)
{
	switch (random_below(depth ? 8 : 4)) {
	case 0:
		return random_below(3) ? json_boolean(random_below(2)) : json_null();
	case 1:
		return json_integer((json_int_t)random_next() >> random_below(64));
	case 2:
		return json_real(random_double());
	case 3:
		return random_jansson_string();
	default:
		return random_container(depth, random_below(2));
	}
}

/* A tree from MessagePack, by the functions of mp.h. */
static json_t *tree_of(struct mp_reader *r)
{
	json_t *root;
	struct span s;
	int64_t i;
	uint32_t n;
	double d;
	bool b;

	switch (mp_peek(r)) {
	case MP_NIL:
		return mp_read_nil(r) == 0 ? json_null() : NULL;
	case MP_BOOL:
		return mp_read_bool(r, &b) == 0 ? json_boolean(b) : NULL;
	case MP_UINT:
	case MP_INT:
		return mp_read_int(r, &i) == 0 ? json_integer(i) : NULL;
	case MP_FLOAT:
		return mp_read_number(r, &d) == 0 ? json_real(d) : NULL;
	case MP_STR:
		return mp_read_str(r, &s) == 0 ? json_stringn((const char *)s.p, s.len) : NULL;
	case MP_ARRAY:
		root = json_array();
		assert_int_equal(mp_read_array(r, &n), 0);
		while (n--)
			json_array_append_new(root, tree_of(r));
		return root;
	case MP_MAP:
		root = json_object();
		assert_int_equal(mp_read_map(r, &n), 0);
		while (n--) {
			char key[40];

			assert_int_equal(mp_read_str(r, &s), 0);
			snprintf(key, sizeof(key), "%.*s", (int)s.len, (const char *)s.p);
			json_object_set_new(root, key, tree_of(r));
		}
		return root;
	default:
		return NULL;
	}
}

static void test_jansson_writes_what_we_read(void **state UNUSED)
{
	random_begin(7);
	for (int i = 0; i < 5000; i++) {
		json_t *tree = random_tree((unsigned int)random_below(5)), *same;
		size_t flags = JSON_ENCODE_ANY | (random_below(2) ? JSON_COMPACT : JSON_INDENT(3)) |
			       (random_below(2) ? JSON_ENSURE_ASCII : 0) |
			       (random_below(2) ? JSON_ESCAPE_SLASH : 0);
		char *text = json_dumps(tree, flags);
		struct buf msgpack = BUF_NULL;
		struct mp_reader r;

		assert_non_null(text);
		convert(value_from_json, span_str(text), &msgpack);
		r = mp_reader(buf_span(&msgpack));
		same = tree_of(&r);
		if (!json_equal(tree, same))
			fail_msg("%s", text);
		json_decref(same);
		json_decref(tree);
		free(text);
		buf_deinit(&msgpack);
	}
}

static void test_jansson_reads_what_we_write(void **state UNUSED)
{
	random_begin(8);
	for (int i = 0; i < 5000; i++) {
		json_t *tree = random_tree((unsigned int)random_below(5)), *same;
		char *text = json_dumps(tree, JSON_ENCODE_ANY | JSON_COMPACT);
		convert_fn f = random_below(2) ? value_to_json : value_to_json_pretty;
		struct buf msgpack = BUF_NULL, json = BUF_NULL;

		convert(value_from_json, span_str(text), &msgpack);
		convert(f, buf_span(&msgpack), &json);
		same = json_loadb((const char *)json.p, json.len, JSON_DECODE_ANY | JSON_ALLOW_NUL,
				  NULL);
		if (!json_equal(tree, same))
			fail_msg("%s\n%.*s", text, (int)json.len, (const char *)json.p);
		json_decref(same);
		json_decref(tree);
		free(text);
		buf_deinit(&msgpack);
		buf_deinit(&json);
	}
}

static void mutate(struct buf *text)
{
	static const char bytes[] =
		"{}[]:,\"\\0123456789+-.eEtruefalsn \n\x7f\xc3\xa9\xed\xa0\x80\xffud8c";

	for (size_t n = 1 + random_below(3); n > 0; n--) {
		size_t at = random_below(text->len);
		char c = bytes[random_below(sizeof(bytes) - 1)];

		if (random_below(3) == 0) {
			memmove(text->p + at, text->p + at + 1, text->len - at - 1);
			buf_truncate(text, MAX(text->len - 1, 1));
		} else if (random_below(2)) {
			text->p[at] = (uint8_t)c;
		} else {
			buf_put_byte(text, 0);
			memmove(text->p + at + 1, text->p + at, text->len - at - 1);
			text->p[at] = (uint8_t)c;
		}
	}
}

/* What one takes the other takes, but for what each is known to refuse. */
static void assert_same_opinion(struct span text)
{
	struct span copy = exact_copy(text);
	struct value_fault fault;
	struct buf out = BUF_NULL;
	json_error_t error;
	json_t *root = json_loadb((const char *)copy.p, copy.len, JSON_DECODE_ANY | JSON_ALLOW_NUL,
				  &error);
	int e = value_from_json(copy, MP_VALUE_DEPTH_MAX, &out, &fault);
	bool beyond = !root && (json_error_code(&error) == json_error_numeric_overflow ||
				json_error_code(&error) == json_error_null_byte_in_key);

	if ((e == 0 && !root && !beyond) || (e == VALUE_E_SYNTAX && root))
		fail_msg("%.*s: %d (%s), Jansson: %s", (int)text.len, (const char *)text.p, e,
			 fault.text, root ? "yes" : error.text);
	json_decref(root);
	buf_deinit(&out);
	span_free(copy);
}

static void test_jansson_takes_what_we_take(void **state UNUSED)
{
	random_begin(9);
	for (int i = 0; i < 20000; i++) {
		json_t *tree = random_tree((unsigned int)random_below(4));
		char *dump = json_dumps(tree, JSON_ENCODE_ANY |
						      (random_below(2) ? JSON_ENSURE_ASCII : 0));
		struct buf text = BUF_NULL;

		buf_put_str(&text, dump);
		mutate(&text);
		assert_same_opinion(buf_span(&text));
		json_decref(tree);
		free(dump);
		buf_deinit(&text);
	}
}

/* ---- memory ----------------------------------------------------------------------------- */

/* A text of pieces, one after the other, up to a mebibyte. */
static void put_large(struct buf *b, const char *open, const char *piece, const char *close)
{
	buf_put_str(b, open);
	buf_put_str(b, piece[0] == ',' ? piece + 1 : piece);
	while (b->len < MIB - 32)
		buf_put_str(b, piece);
	buf_put_str(b, close);
}

static void test_memory_stays_in_proportion_to_the_text(void **state UNUSED)
{
	static const char *const texts[][3] = {
		{ "\"", "x", "\"" },
		{ "\"", "\\n", "\"" },
		{ "\"", "\\u0041", "\"" },
		{ "\"", "\xc3\xa9", "\"" },
		{ "[", ",1", "]" },
		{ "[", ",-1000", "]" },
		{ "[", ",1e1", "]" },
		{ "[", ",0.25", "]" },
		{ "[", ",[]", "]" },
		{ "[", ",{}", "]" },
		{ "[", ",{\"a\":[1]}", "]" },
		{ "[", ",\"\"", "]" },
		{ "[", ",\"\\n\"", "]" },
		{ "[", ",null", "]" },
		{ "[", ",{\"$bin\":\"\"}", "]" },
		{ "{\"$bin\":\"", "AAAA", "\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct buf text = BUF_NULL, out = BUF_NULL;

		put_large(&text, texts[i][0], texts[i][1], texts[i][2]);
		convert(value_from_json, buf_span(&text), &out);
		/* "1e1," becomes nine bytes; the memory doubles as it grows. */
		assert_true(4 * out.len <= 9 * text.len + 36);
		assert_true(out.cap <= 2 * out.len + 64);
		assert_true(out.cap <= 3 * text.len || strcmp(texts[i][1], ",1e1") == 0);
		buf_deinit(&text);
		buf_deinit(&out);
	}
}

static void test_memory_of_an_input_beyond_any_limit_is_not_touched(void **state UNUSED)
{
	static const char byte[] = "1";
	struct value_fault fault;
	struct buf out = BUF_NULL;

	assert_int_equal(value_from_json(span_of(byte, UINT32_MAX / 8 + 1), 1, &out, &fault),
			 -ENOBUFS);
	assert_int_equal(buf_error(&out), -ENOBUFS);
	buf_clear(&out);
	assert_int_equal(value_to_json(span_of(byte, UINT32_MAX / 8 + 1), 1, &out, &fault),
			 -ENOBUFS);
	assert_string_equal(fault.text, "larger than there is room for");
	assert_null(out.p);
}

/* Of every kind, with more keys and containers than there is room for at first. */
static void put_some_of_each(struct buf *msgpack)
{
	mp_put_array(msgpack, 3 + ARRAY_SIZE(pairs));
	mp_put_map(msgpack, 0);
	mp_put_array(msgpack, 0);
	mp_put_map(msgpack, 100);
	for (uint32_t i = 0; i < 100; i++) {
		char key[16];

		snprintf(key, sizeof(key), "\n$%" PRIu32, i);
		mp_put_str(msgpack, key + i % 2);
		mp_put_uint(msgpack, i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		mp_put_raw(msgpack, pairs[i].msgpack);
}

/* With each number of allocations that is too few: refused, and nothing is left of it. */
static void assert_each_failure(convert_fn f, struct span in, size_t n_before, long at_least)
{
	struct value_fault fault;
	long n = 0;
	int e = -ENOMEM;

	for (; e == -ENOMEM; n++) {
		struct buf out = BUF_NULL;

		for (size_t i = 0; i < n_before; i++)
			buf_put_byte(&out, 'b');
		allocations_left = n;
		e = f(in, MP_VALUE_DEPTH_MAX, &out, &fault);
		allocations_left = -1;
		if (e != 0) {
			assert_int_equal(buf_error(&out), e);
			assert_string_equal(fault.text, "out of memory");
			assert_int_equal(out.len, n_before);
		}
		buf_deinit(&out);
	}
	assert_int_equal(e, 0);
	assert_true(n > at_least);
}

static void test_memory_that_runs_out_is_told(void **state UNUSED)
{
	struct buf msgpack = BUF_NULL, json = BUF_NULL;

	if (!MEMORY_IS_OURS)
		SKIP("the sanitizer has the memory");
	put_some_of_each(&msgpack);
	convert(value_to_json, buf_span(&msgpack), &json);
	assert_each_failure(value_from_json, buf_span(&json), 0, 8);
	assert_each_failure(value_to_json, buf_span(&msgpack), 0, 8);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		for (size_t n_before = 0; n_before <= 64; n_before += 64) {
			assert_each_failure(value_from_json, pairs[i].json, n_before, 1);
			assert_each_failure(value_to_json, pairs[i].msgpack, n_before, 1);
		}
	buf_deinit(&msgpack);
	buf_deinit(&json);
}

/* A buffer that has failed already takes nothing, and not a byte beyond its end is written. */
static void test_memory_failure_of_before_is_kept(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		for (int json = 0; json < 2; json++) {
			struct value_fault fault;
			struct buf out;
			uint8_t *w;

			buf_init(&out, 8);
			w = buf_reserve(&out, 8);
			assert_non_null(w);
			memset(w, '#', 8);
			buf_commit(&out, 4);
			buf_put_str(&out, "too long");
			assert_int_equal(buf_error(&out), -ENOBUFS);
			assert_int_equal(json ? value_to_json(pairs[i].msgpack, 9, &out, &fault)
					      : value_from_json(pairs[i].json, 9, &out, &fault),
					 -ENOBUFS);
			assert_int_equal(buf_error(&out), -ENOBUFS);
			assert_int_equal(out.len, 4);
			assert_memory_equal(out.p, "########", 8);
			buf_deinit(&out);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs_from_json),
		cmocka_unit_test(test_pairs_to_json),
		cmocka_unit_test(test_pairs_inside_of_containers),
		cmocka_unit_test(test_pairs_that_are_cut_off),
		cmocka_unit_test(test_pairs_need_no_more_room_than_they_take),
		cmocka_unit_test(test_from_json_in_other_words),
		cmocka_unit_test(test_from_json_string_of_any_length),
		cmocka_unit_test(test_from_json_bin_of_any_length),
		cmocka_unit_test(test_from_json_containers_of_any_length),
		cmocka_unit_test(test_to_json_of_every_width),
		cmocka_unit_test(test_to_json_integer_keys_become_strings),
		cmocka_unit_test(test_to_json_pretty),
		cmocka_unit_test(test_to_json_refuses_with_the_place),
		cmocka_unit_test(test_from_json_refuses_with_the_place),
		cmocka_unit_test(test_from_json_refuses_what_is_not_base64),
		cmocka_unit_test(test_from_json_refuses_what_is_no_time),
		cmocka_unit_test(test_depth_is_limited_both_ways),
		cmocka_unit_test(test_depth_of_a_value_is_24),
		cmocka_unit_test(test_depth_of_a_bomb),
		cmocka_unit_test(test_place_of_words_needs_no_quotes),
		cmocka_unit_test(test_place_of_long_keys_is_cut),
		cmocka_unit_test(test_place_of_many_levels_keeps_the_innermost),
		cmocka_unit_test(test_place_is_always_one_line_of_utf8),
		cmocka_unit_test(test_keys_twins_are_found_wherever_they_stand),
		cmocka_unit_test(test_keys_twins_among_very_many),
		cmocka_unit_test(test_keys_of_other_maps_do_not_count),
		cmocka_unit_test(test_time_of_random_seconds_as_the_c_library),
		cmocka_unit_test(test_time_at_the_ends_of_years),
		cmocka_unit_test(test_random_values_there_and_back),
		cmocka_unit_test(test_random_noise_stays_inside),
		cmocka_unit_test(test_jansson_writes_what_we_read),
		cmocka_unit_test(test_jansson_reads_what_we_write),
		cmocka_unit_test(test_jansson_takes_what_we_take),
		cmocka_unit_test(test_memory_stays_in_proportion_to_the_text),
		cmocka_unit_test(test_memory_of_an_input_beyond_any_limit_is_not_touched),
		cmocka_unit_test(test_memory_that_runs_out_is_told),
		cmocka_unit_test(test_memory_failure_of_before_is_kept),
	};

	return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
