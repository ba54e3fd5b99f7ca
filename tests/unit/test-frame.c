/* SPDX-License-Identifier: MIT */
/*
 * Where messages begin and end, however their bytes were cut on the way.
 *
 * A stream plays the reader's owner: it keeps what was not consumed, in memory of exactly
 * that size, and notes each outcome as a word in a line of text.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>

#include "libchapi-ipc/frame.h"
#include "libchapi-ipc/message.h"
#include "tests/unit/bytes.h"

/* ---- the owner of a reader -------------------------------------------------------------- */

struct stream {
	struct frame_reader reader;
	struct buf held;	/* not consumed yet */
	size_t held_max;
	struct buf log;		/* "LENGTH/SUM/DEPTH ", "large/TYPE/ID/SIZE ", "bad " ... */
	bool over;
};

static void stream_init(struct stream *s, size_t max)
{
	*s = (struct stream){ .held_max = 0 };
	frame_reader_init(&s->reader, max);
}

static void stream_deinit(struct stream *s)
{
	buf_deinit(&s->held);
	buf_deinit(&s->log);
}

static uint32_t sum_of(struct span s)
{
	uint32_t sum = 2166136261;

	for (size_t i = 0; i < s.len; i++)
		sum = (sum ^ s.p[i]) * 16777619;
	return sum;
}

static void note_message(struct buf *log, struct span bytes, unsigned int depth)
{
	buf_printf(log, "%zu/%08" PRIx32 "/%u ", bytes.len, sum_of(bytes), depth);
}

static void note_large(struct buf *log, int type, int64_t id, uint64_t size)
{
	buf_printf(log, "large/%d/%" PRId64 "/%" PRIu64 " ", type, id, size);
}

static void note_outcome(struct stream *s, int e, const struct frame *f)
{
	static const char *const ends[] = {
		[FRAME_E_BAD] = "bad ", [FRAME_E_UNKNOWN] = "unknown ", [FRAME_E_FLOOD] = "flood ",
	};

	s->over = e != 0 && e != FRAME_E_TOO_LARGE;
	if (e == 0)
		note_message(&s->log, f->bytes, f->depth);
	else if (e == FRAME_E_TOO_LARGE)
		note_large(&s->log, f->type, f->id, f->size);
	else
		buf_put_str(&s->log, ends[e]);
}

/* Every message in what is held. */
static void stream_drain(struct stream *s)
{
	struct frame f;
	int e;

	do {
		uint8_t *copy = malloc(s->held.len ? s->held.len : 1);

		assert_non_null(copy);
		memcpy(copy, buf_data(&s->held), s->held.len);
		e = frame_next(&s->reader, copy, s->held.len, &f);
		assert_true(f.used <= s->held.len);
		if (e == 0)
			assert_true(f.bytes.p >= copy && f.bytes.p + f.bytes.len <= copy + f.used);
		if (e != FRAME_E_MORE)
			note_outcome(s, e, &f);
		buf_consume(&s->held, f.used);
		free(copy);
	} while (e != FRAME_E_MORE && !s->over);
}

static void stream_feed(struct stream *s, const uint8_t *p, size_t len)
{
	if (s->over)
		return;
	buf_put(&s->held, p, len);
	stream_drain(s);
	s->held_max = MAX(s->held_max, s->held.len);
}

static void assert_log(struct stream *s, const struct buf *expected)
{
	if (!span_equal(buf_span(&s->log), buf_span(expected)))
		fail_msg("got %.*s\nnot %.*s", (int)s->log.len, (const char *)buf_data(&s->log),
			 (int)expected->len, (const char *)buf_data(expected));
}

/* The bytes in pieces of one size give this. */
static void assert_stream(struct span bytes, size_t max, size_t piece, const struct buf *expected)
{
	struct stream s;

	stream_init(&s, max);
	for (size_t i = 0; i < bytes.len; i += piece)
		stream_feed(&s, bytes.p + i, MIN(piece, bytes.len - i));
	assert_log(&s, expected);
	stream_deinit(&s);
}

/* In two pieces, cut anywhere; in one; and byte by byte. */
static void assert_any_split(struct span bytes, size_t max, const struct buf *expected)
{
	for (size_t cut = 0; cut <= bytes.len; cut++) {
		struct stream s;

		stream_init(&s, max);
		stream_feed(&s, bytes.p, cut);
		stream_feed(&s, bytes.p + cut, bytes.len - cut);
		assert_log(&s, expected);
		stream_deinit(&s);
	}
	assert_stream(bytes, max, 1, expected);
	assert_stream(bytes, max, 7, expected);
}

static void assert_says(struct span bytes, size_t max, const char *expected)
{
	struct buf log = BUF_NULL;

	buf_put_str(&log, expected);
	assert_any_split(bytes, max, &log);
	buf_deinit(&log);
}

/* ---- encodings -------------------------------------------------------------------------- */

static void test_encoding_by_every_first_byte(void **state UNUSED)
{
	for (unsigned int c = 0; c < 256; c++) {
		bool json = c == '[' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
		bool msgpack = (c >= 0x90 && c <= 0x9f) || c == 0xdc || c == 0xdd;
		uint8_t byte = (uint8_t)c;
		struct frame_reader r;
		struct frame f;
		int e;

		frame_reader_init(&r, 1024);
		e = frame_next(&r, &byte, 1, &f);
		assert_int_equal(r.encoding, json ? ENCODING_JSON : msgpack ? ENCODING_MSGPACK :
							     ENCODING_UNKNOWN);
		if (!json && !msgpack)
			assert_int_equal(e, FRAME_E_UNKNOWN);
		else
			assert_int_equal(e, c == 0x90 ? 0 : FRAME_E_MORE);
	}
}

static void test_encoding_is_open_without_bytes(void **state UNUSED)
{
	struct frame_reader r;
	struct frame f;

	frame_reader_init(&r, 1024);
	assert_int_equal(frame_next(&r, (const uint8_t *)"", 0, &f), FRAME_E_MORE);
	assert_int_equal(f.used, 0);
	assert_int_equal(r.encoding, ENCODING_UNKNOWN);
	assert_int_equal(frame_next(&r, (const uint8_t *)"\x91\xc0", 2, &f), 0);
	assert_int_equal(r.encoding, ENCODING_MSGPACK);
	assert_int_equal(frame_next(&r, (const uint8_t *)"", 0, &f), FRAME_E_MORE);
}

/* Once it is decided, bytes of the other one are that one's trouble. */
static void test_encoding_is_for_good(void **state UNUSED)
{
	struct buf log = BUF_NULL;

	note_message(&log, SPAN("\x90"), 1);
	note_message(&log, SPAN("["), 0); /* 0x5b: a value of its own, no message: message.c's */
	note_message(&log, SPAN("\x90"), 1);
	assert_any_split(SPAN("\x90[\x90"), 1024, &log);
	buf_clear(&log);
	note_message(&log, SPAN("[]"), 0);
	note_message(&log, SPAN("\x90"), 0);
	assert_any_split(SPAN("[]\n\x90\n"), 1024, &log);
	buf_deinit(&log);
}

static void test_encoding_blank_line_first_then_anything(void **state UNUSED)
{
	struct buf log = BUF_NULL;

	note_message(&log, SPAN("{\"a\":1}"), 0);
	assert_any_split(SPAN("\r\n \t\n{\"a\":1}\n"), 1024, &log);
	buf_deinit(&log);
}

/* ---- MessagePack ------------------------------------------------------------------------ */

/* Every type and width inside, and nothing between the messages. */
static const struct {
	struct span bytes;
	unsigned int depth;
} messages[] = {
	{ BYTES("\x93\x02\xa6""cancel\x91\x07"), 2 },
	{ BYTES("\xdc\0\4\xcd\0\0\xce\0\0\0\7\xd9\2hi\xdd\0\0\0\1\xde\0\1\xa1k\xdf\0\0\0\0"), 4 },
	{ BYTES("\xdd\0\0\0\4\1\xcf\0\0\0\0\xff\xff\xff\xff\xc0\x98\xc4\2ab\xc5\0\1a\xc6\0\0\0\1a"
		"\xca\0\0\0\0\xcb\0\0\0\0\0\0\0\0\xd0\1\xd1\0\1\xd2\0\0\0\1"), 2 },
	{ BYTES("\x98\xd3\0\0\0\0\0\0\0\1\xd4\1a\xd5\1ab\xd6\1abcd\xd7\1""abcdefgh"
		"\xd8\1""abcdefghijklmnop\xc7\1\1a\xc8\0\1\1a"), 1 },
	{ BYTES("\x95\xc9\0\0\0\1\1a\xda\0\1a\xdb\0\0\0\1a\xcc\1\xc3"), 1 },
	{ BYTES("\x90"), 1 },
};

static void test_msgpack_of_every_form_at_every_split(void **state UNUSED)
{
	struct buf all = BUF_NULL, log = BUF_NULL;

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		buf_clear(&log);
		note_message(&log, messages[i].bytes, messages[i].depth);
		assert_any_split(messages[i].bytes, 1024, &log);
		mp_put_raw(&all, messages[i].bytes);
	}
	buf_clear(&log);
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
		note_message(&log, messages[i].bytes, messages[i].depth);
	assert_any_split(buf_span(&all), 1024, &log);
	buf_deinit(&all);
	buf_deinit(&log);
}

static void test_msgpack_half_a_message_waits(void **state UNUSED)
{
	static const struct span half = BYTES("\x94\x00\x01\xa4""call\x92\xaa""chapi.echo");
	struct stream s;

	stream_init(&s, 1024);
	stream_feed(&s, half.p, half.len);
	assert_int_equal(s.log.len, 0);
	assert_int_equal(s.held.len, half.len);
	stream_feed(&s, (const uint8_t *)"\xc0", 1);
	assert_int_equal(s.held.len, 0);
	assert_int_not_equal(s.log.len, 0);
	stream_deinit(&s);
}

static void put_request(struct buf *b, uint32_t id, size_t n_bytes)
{
	message_put_request(b, id, "m", 1);
	buf_put(b, "\xc6", 1);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_put_byte(b, (uint8_t)(n_bytes >> shift));
	for (size_t i = 0; i < n_bytes; i++)
		buf_put_byte(b, (uint8_t)(0xff - i));
}

static void test_msgpack_fifty_in_one_read(void **state UNUSED)
{
	struct buf all = BUF_NULL, log = BUF_NULL;

	for (uint32_t i = 0; i < 50; i++) {
		size_t before = all.len;

		put_request(&all, i * 1000, i);
		note_message(&log, span_of(all.p + before, all.len - before), 2);
	}
	assert_stream(buf_span(&all), 1024, all.len, &log);
	assert_stream(buf_span(&all), 1024, 1, &log);
	buf_deinit(&all);
	buf_deinit(&log);
}

static void test_msgpack_depth_is_told_and_limited(void **state UNUSED)
{
	uint8_t bytes[MP_MESSAGE_DEPTH_MAX + 2];
	struct buf log = BUF_NULL;

	memset(bytes, 0x91, sizeof(bytes));
	for (size_t depth = 1; depth <= MP_MESSAGE_DEPTH_MAX; depth++) {
		bytes[depth - 1] = 0x90;
		buf_clear(&log);
		note_message(&log, span_of(bytes, depth), (unsigned int)depth);
		assert_any_split(span_of(bytes, depth), 1024, &log);
		bytes[depth - 1] = 0x91;
	}
	assert_says(span_of(bytes, sizeof(bytes)), 1024, "bad ");
	buf_deinit(&log);
}

static void test_msgpack_that_cannot_be_read_is_bad(void **state UNUSED)
{
	struct buf log = BUF_NULL;

	assert_says(SPAN("\x94\x00\x01\xc1"), 1024, "bad ");
	assert_says(SPAN("\xdd\xff\xff\xff\xff\xc1"), 1024, "bad ");
	note_message(&log, SPAN("\x90"), 1);
	buf_put_str(&log, "bad ");
	assert_any_split(SPAN("\x90\xc1\x90"), 1024, &log);
	buf_deinit(&log);
}

/* ---- JSON lines ------------------------------------------------------------------------- */

static void test_json_lines_at_every_split(void **state UNUSED)
{
	struct buf log = BUF_NULL;

	note_message(&log, SPAN("[0,1,\"status\",[]]"), 0);
	note_message(&log, SPAN("[2,\"cancel\",[1]]"), 0);
	note_message(&log, SPAN("not JSON \xff\0 [ "), 0);
	note_message(&log, SPAN("[\r1]"), 0);
	note_message(&log, SPAN("x\r"), 0);
	assert_any_split(SPAN("[0,1,\"status\",[]]\n\n\r\n \t \r\n  [2,\"cancel\",[1]]\r\n"
			      "not JSON \xff\0 [ \n[\r1]\nx\r\r\n\r\r\n"), 1024, &log);
	buf_deinit(&log);
}

static void test_json_line_without_end_waits(void **state UNUSED)
{
	assert_says(SPAN("[0,1,\"status\",[]]"), 1024, "");
	assert_says(SPAN("[0,1,\"status\",[]]\r"), 1024, "");
	assert_says(SPAN(" \t\r\n \n\n"), 1024, "");
}

static void test_json_blanks_are_not_kept(void **state UNUSED)
{
	struct stream s;

	stream_init(&s, 16);
	for (int i = 0; i < 100000; i++)
		stream_feed(&s, (const uint8_t *)" \r\n\t", 4);
	assert_int_equal(s.held_max, 0);
	assert_int_equal(s.log.len, 0);
	stream_feed(&s, (const uint8_t *)"[]\n", 3);
	assert_true(s.log.len > 0);
	stream_deinit(&s);
}

static void test_json_fifty_in_one_read(void **state UNUSED)
{
	struct buf all = BUF_NULL, log = BUF_NULL;

	for (int i = 0; i < 50; i++) {
		size_t before = all.len;

		buf_printf(&all, "[0,%d,\"m\",[%0*d]]", i, i + 1, 0);
		note_message(&log, span_of(all.p + before, all.len - before), 0);
		buf_put_str(&all, i % 3 ? "\n" : "\r\n\n");
	}
	assert_stream(buf_span(&all), 1024, all.len, &log);
	assert_stream(buf_span(&all), 1024, 1, &log);
	buf_deinit(&all);
	buf_deinit(&log);
}

/* ---- messages that are too large -------------------------------------------------------- */

#define MAX_LEN 1024

/* The request that is exactly so long, in either encoding. */
static void put_sized(struct buf *b, bool json, size_t len)
{
	size_t before = b->len;

	if (!json) {
		struct buf probe = BUF_NULL;

		put_request(&probe, 77, 0);
		put_request(b, 77, len - probe.len);
		buf_deinit(&probe);
	} else {
		buf_put_str(b, "[0,77,\"m\",[\"");
		while (b->len - before < len - 3)
			buf_put_byte(b, 'x');
		buf_put_str(b, "\"]]");
	}
	assert_int_equal(b->len - before, len);
}

static void put_end(struct buf *b, bool json)
{
	if (json)
		buf_put_str(b, "\r\n");
}

static void test_large_limit_is_exact(void **state UNUSED)
{
	for (int i = 0; i < 6; i++) {
		bool json = i & 1;
		size_t len = MAX_LEN - 1 + (size_t)i / 2;
		struct buf bytes = BUF_NULL, log = BUF_NULL;

		put_sized(&bytes, json, len);
		if (len > MAX_LEN)
			note_large(&log, 0, 77, len);
		else
			note_message(&log, buf_span(&bytes), json ? 0 : 2);
		put_end(&bytes, json);
		assert_any_split(buf_span(&bytes), MAX_LEN, &log);
		buf_deinit(&bytes);
		buf_deinit(&log);
	}
}

/* Costs one call; what stands before and after it is not touched. */
static void test_large_message_is_skipped(void **state UNUSED)
{
	for (int json = 0; json < 2; json++) {
		struct buf bytes = BUF_NULL, log = BUF_NULL;

		for (int i = 0; i < 5; i++) {
			size_t before = bytes.len, len = i % 2 ? 3 * MAX_LEN : 100;

			put_sized(&bytes, json, len);
			if (i % 2)
				note_large(&log, 0, 77, len);
			else
				note_message(&log, span_of(bytes.p + before, len), json ? 0 : 2);
			put_end(&bytes, json);
		}
		for (size_t piece = 1; piece < 7000; piece = 2 * piece + 1)
			assert_stream(buf_span(&bytes), MAX_LEN, piece, &log);
		buf_deinit(&bytes);
		buf_deinit(&log);
	}
}

static void test_large_message_is_not_kept(void **state UNUSED)
{
	for (int json = 0; json < 2; json++) {
		struct buf bytes = BUF_NULL;
		struct stream s;

		put_sized(&bytes, json, 15 * MAX_LEN);
		put_end(&bytes, json);
		stream_init(&s, MAX_LEN);
		for (size_t i = 0; i < bytes.len; i++)
			stream_feed(&s, bytes.p + i, 1);
		assert_true(s.held_max <= MAX_LEN + 2);
		assert_int_equal(s.held.len, 0);
		/* A length that is announced is known at once. */
		assert_true(json || s.held_max <= 64);
		stream_deinit(&s);
		buf_deinit(&bytes);
	}
}

/* From the first bytes: type and id, in each form; -1 where they do not tell. */
static const struct {
	struct span head;
	int type;
	int64_t id;
} heads[] = {
	{ BYTES("\x94\x00\x05"), 0, 5 },
	{ BYTES("\x94\x01\x05"), 1, 5 },
	{ BYTES("\x94\x02\x05"), 2, -1 },
	{ BYTES("\x94\x03\x05"), -1, -1 },
	{ BYTES("\x94\xff\x05"), -1, -1 },
	{ BYTES("\x94\x00\xff"), 0, -1 },
	{ BYTES("\x94\x00\xa1""5"), 0, -1 },
	{ BYTES("\x94\xa1""0\x05"), -1, -1 },
	{ BYTES("\xdc\0\4\xcc\0\xcc\xff"), 0, 255 },
	{ BYTES("\xdd\0\0\0\4\xcd\0\1\xcd\xff\xff"), 1, 65535 },
	{ BYTES("\xdd\0\0\0\4\xce\0\0\0\1\xce\xff\xff\xff\xff"), 1, UINT32_MAX },
	{ BYTES("\xdd\0\0\0\4\xcf\0\0\0\0\0\0\0\1\xcf\0\0\0\0\xff\xff\xff\xff"), 1, UINT32_MAX },
	{ BYTES("\xdd\0\0\0\4\xd3\0\0\0\0\0\0\0\1\xd3\0\0\0\0\xff\xff\xff\xff"), 1, UINT32_MAX },
	{ BYTES("\x94\x00\xcf\0\0\0\1\0\0\0\0"), 0, -1 },
	{ BYTES("[0,5,"), 0, 5 },
	{ BYTES("[1,5,"), 1, 5 },
	{ BYTES("[2,\"m\","), 2, -1 },
	{ BYTES("[2,5,"), 2, -1 },
	{ BYTES("[3,5,"), -1, -1 },
	{ BYTES("[ 0 ,\t4294967295 ,"), 0, UINT32_MAX },
	{ BYTES("[0,4294967296,"), 0, -1 },
	{ BYTES("[0,99999999999999999999999,"), 0, -1 },
	{ BYTES("[0,-5,"), 0, -1 },
	{ BYTES("[0,5.0,"), 0, -1 },
	{ BYTES("[0,,"), 0, -1 },
	{ BYTES("[0,5]"), 0, -1 },
	{ BYTES("[-0,5,"), -1, -1 },
	{ BYTES("[\"0\",5,"), -1, -1 },
	{ BYTES("[,5,"), -1, -1 },
	{ BYTES("[[0,5,"), -1, -1 },
	{ BYTES("[0x,5,"), -1, -1 },
	/* Within the 48 bytes that are looked at, and one byte beyond them. */
	{ BYTES("[0,                                           5,"), 0, 5 },
	{ BYTES("[0,                                            5,"), 0, -1 },
	{ BYTES("[                                             0,5,"), 0, -1 },
	{ BYTES("[                                              0,5,"), -1, -1 },
};

static void put_tail(struct buf *b, bool json, size_t len)
{
	static const uint8_t msgpack[] = { 0xc6, 0, 0, 0, 0 };
	size_t n = len - b->len - (json ? 0 : sizeof(msgpack) + 1);

	if (!json) {
		buf_put(b, msgpack, sizeof(msgpack));
		b->p[b->len - 2] = (uint8_t)(n >> 8);
		b->p[b->len - 1] = (uint8_t)n;
	}
	for (size_t i = 0; i < n; i++)
		buf_put_byte(b, 'x');
	buf_put_byte(b, json ? '\n' : 0xc0);
}

static void test_large_type_and_id_are_found(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		bool json = heads[i].head.p[0] == '[';
		struct buf bytes = BUF_NULL, log = BUF_NULL;

		mp_put_raw(&bytes, heads[i].head);
		put_tail(&bytes, json, MAX_LEN + 100);
		note_large(&log, heads[i].type, heads[i].id, MAX_LEN + 100);
		assert_any_split(buf_span(&bytes), MAX_LEN, &log);
		buf_deinit(&bytes);
		buf_deinit(&log);
	}
}

static void test_large_line_that_is_no_array(void **state UNUSED)
{
	struct buf bytes = BUF_NULL, log = BUF_NULL;

	buf_put_str(&bytes, "\n(0,5,");
	put_tail(&bytes, true, MAX_LEN + 2);
	note_large(&log, -1, -1, MAX_LEN + 1);
	assert_any_split(buf_span(&bytes), MAX_LEN, &log);
	buf_deinit(&bytes);
	buf_deinit(&log);
}

/* Smaller than the bytes that type and id are looked for in. */
static void test_large_for_a_tiny_limit(void **state UNUSED)
{
	struct buf log = BUF_NULL;

	note_large(&log, 0, 5, 6);
	note_message(&log, SPAN("\x91\x07"), 1);
	note_large(&log, 1, 300, 7);
	assert_any_split(SPAN("\x94\x00\x05\xa1m\x90\x91\x07\x94\x01\xcd\1\x2c\xc0\xc0"), 2, &log);
	buf_clear(&log);
	note_large(&log, 0, 5, 12);
	note_message(&log, SPAN("[]"), 0);
	assert_any_split(SPAN("[0,5,\"m\",[]]\r\n[]\n"), 2, &log);
	buf_deinit(&log);
}

static void test_large_message_may_be_bad_inside(void **state UNUSED)
{
	struct buf bytes = BUF_NULL;

	buf_put(&bytes, "\x94\x00\x05\xc5\x10\x00", 6);
	for (int i = 0; i < 4096; i++)
		buf_put_byte(&bytes, 0);
	buf_put_byte(&bytes, 0xc1);
	for (size_t piece = 1; piece < 5000; piece = 2 * piece + 1) {
		struct buf log = BUF_NULL;

		buf_put_str(&log, "bad ");
		assert_stream(buf_span(&bytes), MAX_LEN, piece, &log);
		buf_deinit(&log);
	}
	buf_deinit(&bytes);
}

/* ---- floods and lies -------------------------------------------------------------------- */

static void test_flood_is_exactly_16_times_the_limit(void **state UNUSED)
{
	for (int i = 0; i < 4; i++) {
		bool json = i & 1;
		size_t len = 16 * MAX_LEN + (size_t)i / 2;
		struct buf bytes = BUF_NULL, log = BUF_NULL;

		put_sized(&bytes, json, len);
		put_end(&bytes, json);
		if (len > 16 * MAX_LEN)
			buf_put_str(&log, "flood ");
		else
			note_large(&log, 0, 77, len);
		for (size_t piece = 1; piece < 40000; piece = 2 * piece + 1)
			assert_stream(buf_span(&bytes), MAX_LEN, piece, &log);
		/* Cut close to the end, where it is decided. */
		for (size_t piece = len - 4; piece <= bytes.len; piece++)
			assert_stream(buf_span(&bytes), MAX_LEN, piece, &log);
		buf_deinit(&bytes);
		buf_deinit(&log);
	}
}

static void test_flood_without_an_end_is_seen(void **state UNUSED)
{
	static const struct span begins[] = {
		BYTES("[\""), BYTES("\x91\xdb\xff\xff\xff\xff"), BYTES("\xdd\xff\xff\xff\xff"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
		struct buf expected = BUF_NULL;
		struct stream s;
		size_t n = begins[i].len;

		stream_init(&s, MAX_LEN);
		stream_feed(&s, begins[i].p, begins[i].len);
		for (; !s.over && n < 20 * MAX_LEN; n++)
			stream_feed(&s, (const uint8_t *)"x", 1);
		buf_put_str(&expected, "flood ");
		assert_log(&s, &expected);
		assert_true(n >= 16 * MAX_LEN && n <= 16 * MAX_LEN + 3);
		assert_true(s.held_max <= MAX_LEN + 2);
		stream_deinit(&s);
		buf_deinit(&expected);
	}
}

/* Many good messages are no flood, however many bytes they are together. */
static void test_flood_counts_one_message_only(void **state UNUSED)
{
	for (int json = 0; json < 2; json++) {
		struct buf bytes = BUF_NULL, log = BUF_NULL;

		for (int i = 0; i < 100; i++) {
			size_t before = bytes.len;

			put_sized(&bytes, json, MAX_LEN);
			note_message(&log, span_of(bytes.p + before, MAX_LEN), json ? 0 : 2);
			put_end(&bytes, json);
		}
		assert_stream(buf_span(&bytes), MAX_LEN, bytes.len, &log);
		assert_stream(buf_span(&bytes), MAX_LEN, 1000, &log);
		buf_deinit(&bytes);
		buf_deinit(&log);
	}
}

/* What a head announces is believed as a reason to skip, never as a reason to keep. */
static void test_hostile_counts_keep_nothing(void **state UNUSED)
{
	static const struct span begins[] = {
		BYTES("\xdd\xff\xff\xff\xff"),
		BYTES("\x94\x00\x05\xdb\xff\xff\xff\xff"),
		BYTES("\x94\x00\x05\xdf\xff\xff\xff\xff\xdd\xff\xff\xff\xff"),
		BYTES("\x94\x00\x05\xa1m\x91\xc9\xff\xff\xff\xff"),
		BYTES("\xdd\xff\xff\xff\xff\xdd\xff\xff\xff\xff\xdd\xff\xff\xff\xff\xdd\xff\xff"
		      "\xff\xff"),
	};
	uint8_t zeros[200] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
		struct stream s;

		stream_init(&s, MAX_LEN);
		stream_feed(&s, begins[i].p, begins[i].len);
		stream_feed(&s, zeros, sizeof(zeros));
		assert_int_equal(s.log.len, 0);
		assert_int_equal(s.held.len, 0);
		assert_true(s.reader.skipping);
		stream_deinit(&s);
	}
}

static void test_hostile_limit_of_any_size(void **state UNUSED)
{
	struct buf log = BUF_NULL;

	note_message(&log, SPAN("\x91\x07"), 1);
	assert_any_split(SPAN("\x91\x07"), (size_t)64 << 20, &log);
	buf_deinit(&log);
}

/* ---- random streams --------------------------------------------------------------------- */

/* Good and over-long messages in random order, and what has to be seen of them. */
static void put_random_stream(struct buf *bytes, struct buf *log, bool json, size_t max)
{
	for (size_t n = 1 + random_below(20); n > 0; n--) {
		size_t before = bytes->len;
		size_t len = 20 + random_below(random_below(4) ? max : 3 * max);

		put_sized(bytes, json, len);
		if (len > max)
			note_large(log, 0, 77, len);
		else
			note_message(log, span_of(bytes->p + before, len), json ? 0 : 2);
		put_end(bytes, json);
	}
}

static void test_random_streams_in_random_pieces(void **state UNUSED)
{
	random_begin(1);
	for (int i = 0; i < 1000; i++) {
		bool json = i & 1;
		size_t max = 30 + random_below(200);
		struct buf bytes = BUF_NULL, log = BUF_NULL;
		struct stream s;

		put_random_stream(&bytes, &log, json, max);
		stream_init(&s, max);
		for (size_t at = 0, n; at < bytes.len; at += n) {
			n = 1 + random_below(random_below(2) ? 10 : 600);
			n = MIN(n, bytes.len - at);
			stream_feed(&s, bytes.p + at, n);
		}
		assert_log(&s, &log);
		stream_deinit(&s);
		buf_deinit(&bytes);
		buf_deinit(&log);
	}
}

/* Bytes without sense: what is seen does not depend on the pieces. */
static void test_random_noise_does_not_depend_on_pieces(void **state UNUSED)
{
	static const uint8_t firsts[] = { 0x91, 0x94, 0xdc, 0xdd, '[', '\n' };
	static const uint8_t marks[] = { '\n', '\r', ' ', '[', 0, 0x91 };

	random_begin(2);
	for (int i = 0; i < 3000; i++) {
		size_t len = 1 + random_below(300), max = 1 + random_below(64);
		uint8_t bytes[300];
		struct stream s;

		for (size_t k = 0; k < len; k++)
			bytes[k] = random_below(3) ? (uint8_t)random_below(256) : marks[k % 6];
		bytes[0] = firsts[random_below(sizeof(firsts))];
		stream_init(&s, max);
		stream_feed(&s, bytes, len);
		assert_stream(span_of(bytes, len), max, 1, &s.log);
		assert_stream(span_of(bytes, len), max, 1 + random_below(50), &s.log);
		stream_deinit(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encoding_by_every_first_byte),
		cmocka_unit_test(test_encoding_is_open_without_bytes),
		cmocka_unit_test(test_encoding_is_for_good),
		cmocka_unit_test(test_encoding_blank_line_first_then_anything),
		cmocka_unit_test(test_msgpack_of_every_form_at_every_split),
		cmocka_unit_test(test_msgpack_half_a_message_waits),
		cmocka_unit_test(test_msgpack_fifty_in_one_read),
		cmocka_unit_test(test_msgpack_depth_is_told_and_limited),
		cmocka_unit_test(test_msgpack_that_cannot_be_read_is_bad),
		cmocka_unit_test(test_json_lines_at_every_split),
		cmocka_unit_test(test_json_line_without_end_waits),
		cmocka_unit_test(test_json_blanks_are_not_kept),
		cmocka_unit_test(test_json_fifty_in_one_read),
		cmocka_unit_test(test_large_limit_is_exact),
		cmocka_unit_test(test_large_message_is_skipped),
		cmocka_unit_test(test_large_message_is_not_kept),
		cmocka_unit_test(test_large_type_and_id_are_found),
		cmocka_unit_test(test_large_line_that_is_no_array),
		cmocka_unit_test(test_large_for_a_tiny_limit),
		cmocka_unit_test(test_large_message_may_be_bad_inside),
		cmocka_unit_test(test_flood_is_exactly_16_times_the_limit),
		cmocka_unit_test(test_flood_without_an_end_is_seen),
		cmocka_unit_test(test_flood_counts_one_message_only),
		cmocka_unit_test(test_hostile_counts_keep_nothing),
		cmocka_unit_test(test_hostile_limit_of_any_size),
		cmocka_unit_test(test_random_streams_in_random_pieces),
		cmocka_unit_test(test_random_noise_does_not_depend_on_pieces),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
