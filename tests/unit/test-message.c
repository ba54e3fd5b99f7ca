/* SPDX-License-Identifier: MIT */
/*
 * The envelope of a message: read in every form that MessagePack allows, refused with the
 * reason, written in the shortest form.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "libchapi-ipc/frame.h"
#include "libchapi-ipc/message.h"
#include "tests/unit/bytes.h"

static void assert_span(struct span s, const char *expected, size_t len)
{
	assert_int_equal(s.len, len);
	assert_memory_equal(s.p, expected, len);
}

#define assert_bytes(s, literal) assert_span(s, literal, sizeof(literal) - 1)

static struct message parsed(struct span frame)
{
	struct message m;
	const char *why = "";

	if (message_parse(frame, 3, &m, &why) != 0)
		fail_msg("%s", why);
	assert_int_equal(m.depth, 3);
	return m;
}

/* ---- reading ---------------------------------------------------------------------------- */

static void test_parse_request(void **state UNUSED)
{
	struct message m = parsed(SPAN("\x94\x00\x07\xa4""call\x92\xa1x\x80"));

	assert_int_equal(m.type, MESSAGE_REQUEST);
	assert_true(m.has_id);
	assert_int_equal(m.id, 7);
	assert_bytes(m.method, "call");
	assert_int_equal(m.n_params, 2);
	assert_bytes(m.params, "\xa1x\x80");
}

static void test_parse_request_without_params(void **state UNUSED)
{
	struct message m = parsed(SPAN("\x94\x00\x07\xa6status\x90"));

	assert_bytes(m.method, "status");
	assert_int_equal(m.n_params, 0);
	assert_int_equal(m.params.len, 0);
}

static void test_parse_response_with_result(void **state UNUSED)
{
	struct message m = parsed(SPAN("\x94\x01\x07\xc0\x92\x01\x02"));

	assert_int_equal(m.type, MESSAGE_RESPONSE);
	assert_true(m.has_id);
	assert_int_equal(m.id, 7);
	assert_true(mp_is_nil(m.error));
	assert_false(mp_is_nil(m.result));
	assert_bytes(m.result, "\x92\x01\x02");
}

static void test_parse_response_with_error(void **state UNUSED)
{
	struct message m = parsed(SPAN("\x94\x01\x07\x81\xa4""code\xa4""busy\xc0"));

	assert_bytes(m.error, "\x81\xa4""code\xa4""busy");
	assert_true(mp_is_nil(m.result));
}

static void test_parse_notification(void **state UNUSED)
{
	struct message m = parsed(SPAN("\x93\x02\xa6""cancel\x91\x07"));

	assert_int_equal(m.type, MESSAGE_NOTIFICATION);
	assert_false(m.has_id);
	assert_bytes(m.method, "cancel");
	assert_int_equal(m.n_params, 1);
	assert_bytes(m.params, "\x07");
}

/* Every width of integers, strings and arrays is accepted everywhere. */
static void test_parse_request_in_every_width(void **state UNUSED)
{
	static const struct span heads[] = {
		BYTES("\x94"), BYTES("\xdc\0\4"), BYTES("\xdd\0\0\0\4"),
	};
	static const struct span types[] = {
		BYTES("\0"), BYTES("\xcc\0"), BYTES("\xcd\0\0"), BYTES("\xce\0\0\0\0"),
		BYTES("\xcf\0\0\0\0\0\0\0\0"), BYTES("\xd0\0"), BYTES("\xd1\0\0"),
		BYTES("\xd2\0\0\0\0"), BYTES("\xd3\0\0\0\0\0\0\0\0"),
	};
	static const struct span methods[] = {
		BYTES("\xa2hi"), BYTES("\xd9\2hi"), BYTES("\xda\0\2hi"), BYTES("\xdb\0\0\0\2hi"),
	};
	static const struct span params[] = {
		BYTES("\x91\xc3"), BYTES("\xdc\0\1\xc3"), BYTES("\xdd\0\0\0\1\xc3"),
	};

	for (size_t i = 0; i < 3 * 9 * 4 * 3; i++) {
		struct buf b = BUF_NULL;
		struct message m;

		mp_put_raw(&b, heads[i % 3]);
		mp_put_raw(&b, types[i / 3 % 9]);
		mp_put_raw(&b, types[i / 3 % 9]);	/* the id */
		mp_put_raw(&b, methods[i / 27 % 4]);
		mp_put_raw(&b, params[i / 108]);
		m = parsed(buf_span(&b));
		assert_int_equal(m.type, MESSAGE_REQUEST);
		assert_int_equal(m.id, 0);
		assert_bytes(m.method, "hi");
		assert_int_equal(m.n_params, 1);
		assert_bytes(m.params, "\xc3");
		buf_deinit(&b);
	}
}

static void test_parse_id_of_every_size(void **state UNUSED)
{
	static const struct {
		struct span bytes;
		uint32_t id;
	} ids[] = {
		{ BYTES("\x7f"), 127 },
		{ BYTES("\xcc\xff"), 255 },
		{ BYTES("\xcd\xff\xff"), 65535 },
		{ BYTES("\xce\xff\xff\xff\xff"), UINT32_MAX },
		{ BYTES("\xcf\0\0\0\0\xff\xff\xff\xff"), UINT32_MAX },
		{ BYTES("\xd0\x7f"), 127 },
		{ BYTES("\xd1\x7f\xff"), 32767 },
		{ BYTES("\xd2\x7f\xff\xff\xff"), INT32_MAX },
		{ BYTES("\xd3\0\0\0\0\xff\xff\xff\xff"), UINT32_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct buf b = BUF_NULL;

		buf_put(&b, "\x94\x01", 2);
		mp_put_raw(&b, ids[i].bytes);
		buf_put(&b, "\xc0\xc0", 2);
		assert_int_equal(parsed(buf_span(&b)).id, ids[i].id);
		buf_deinit(&b);
	}
}

/* What is wrong, and the id, if it could be read: it is answered with it. */
static const struct {
	struct span frame;
	const char *why;
	int64_t id;	/* -1: none */
} bad_ones[] = {
	{ BYTES(""), "is an array", -1 },
	{ BYTES("\xc0"), "is an array", -1 },
	{ BYTES("\x84\x00\x01\x02\x03\x04\x05\x06\x07"), "is an array", -1 },
	{ BYTES("\x90"), "0, 1 or 2", -1 },
	{ BYTES("\x94\x03\x01\xa1x\x90"), "0, 1 or 2", -1 },
	{ BYTES("\x94\xff\x01\xa1x\x90"), "0, 1 or 2", -1 },
	{ BYTES("\x94\xc0\x01\xa1x\x90"), "0, 1 or 2", -1 },
	{ BYTES("\x94\xa1""0\x01\xa1x\x90"), "0, 1 or 2", -1 },
	{ BYTES("\x94\xca\0\0\0\0\x01\xa1x\x90"), "0, 1 or 2", -1 },
	{ BYTES("\x94\xcf\0\0\0\1\0\0\0\0\x01\xa1x\x90"), "0, 1 or 2", -1 },
	{ BYTES("\x94\x00\xc0\xa1x\x90"), "the id", -1 },
	{ BYTES("\x94\x00\xff\xa1x\x90"), "the id", -1 },
	{ BYTES("\x94\x00\xcb\x3f\xf0\0\0\0\0\0\0\xa1x\x90"), "the id", -1 },
	{ BYTES("\x94\x00\xcf\0\0\0\1\0\0\0\0\xa1x\x90"), "the id", -1 },
	{ BYTES("\x94\x00\xa1""1\xa1x\x90"), "the id", -1 },
	{ BYTES("\x94\x01\xa1""1\xc0\xc0"), "the id", -1 },
	{ BYTES("\x91\x00"), "four elements", -1 },
	{ BYTES("\x92\x00\x05"), "four elements", 5 },
	{ BYTES("\x93\x00\x05\xa1x"), "four elements", 5 },
	{ BYTES("\x95\x00\x05\xa1x\x90\xc0"), "four elements", 5 },
	{ BYTES("\x94\x00\x05\x06\x90"), "the method is not a string", 5 },
	{ BYTES("\x94\x00\x05\xc4\1x\x90"), "the method is not a string", 5 },
	{ BYTES("\x94\x00\x05\xa1\xff\x90"), "not valid UTF-8", 5 },
	{ BYTES("\x94\x00\x05\xa3\xed\xa0\x80\x90"), "not valid UTF-8", 5 },
	{ BYTES("\x94\x00\x05\xa1x\xc0"), "the params", 5 },
	{ BYTES("\x94\x00\x05\xa1x\x80"), "the params", 5 },
	{ BYTES("\x91\x01"), "four elements", -1 },
	{ BYTES("\x92\x01\x05"), "four elements", 5 },
	{ BYTES("\x93\x01\x05\xc0"), "four elements", 5 },
	{ BYTES("\x95\x01\x05\xc0\xc0\xc0"), "four elements", 5 },
	{ BYTES("\x94\x01\x05\xc1\xc0"), "the error", 5 },
	{ BYTES("\x94\x01\x05\xc0"), "the result", 5 },
	{ BYTES("\x91\x02"), "three elements", -1 },
	{ BYTES("\x92\x02\xa1x"), "three elements", -1 },
	{ BYTES("\x94\x02\xa1x\x90\xc0"), "three elements", -1 },
	{ BYTES("\x93\x02\x05\x90"), "the method is not a string", -1 },
	{ BYTES("\x93\x02\xa1\x80\x90"), "not valid UTF-8", -1 },
	{ BYTES("\x93\x02\xa1x\xa1x"), "the params", -1 },
};

static void test_parse_refuses_with_reason_and_id(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_ones); i++) {
		const char *why = "";
		struct message m;

		assert_int_equal(message_parse(bad_ones[i].frame, 1, &m, &why), MESSAGE_E_BAD);
		if (!strstr(why, bad_ones[i].why))
			fail_msg("case %zu: \"%s\" does not say \"%s\"", i, why, bad_ones[i].why);
		assert_int_equal(m.has_id, bad_ones[i].id >= 0);
		assert_int_equal(m.id, bad_ones[i].id >= 0 ? bad_ones[i].id : 0);
	}
}

/* Not a whole value, which frame_next() never gives: still nothing is read beyond its end. */
static void test_parse_of_a_part_stays_inside(void **state UNUSED)
{
	static const struct span frames[] = {
		BYTES("\xdd\0\0\0\4\xce\0\0\0\0\xce\0\0\0\7\xd9\4call\xdc\0\1\xc0"),
		BYTES("\xdc\0\4\xcc\1\xcd\0\7\xda\0\1x\x91\xc0"),
		BYTES("\x93\xd0\2\xdb\0\0\0\1x\xdd\0\0\0\1\xc0"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(frames); i++)
		for (size_t len = 0; len <= frames[i].len; len++) {
			uint8_t *copy = malloc(len ? len : 1);
			const char *why = "";
			struct message m;
			int e;

			memcpy(copy, frames[i].p, len);
			e = message_parse(span_of(copy, len), 1, &m, &why);
			assert_true(e == 0 || (e == MESSAGE_E_BAD && why[0]));
			assert_true(len < frames[i].len || e == 0);
			free(copy);
		}
}

static void test_method_may_hold_a_nul(void **state UNUSED)
{
	assert_bytes(parsed(SPAN("\x93\x02\xa3""a\0b\x90")).method, "a\0b");
	assert_int_equal(parsed(SPAN("\x93\x02\xa0\x90")).method.len, 0);
}

/* ---- writing ---------------------------------------------------------------------------- */

/* ---- in one step ------------------------------------------------------------------------ */

static void assert_same_span(struct span a, struct span b)
{
	assert_int_equal(a.len, b.len);
	if (a.len > 0)
		assert_ptr_equal(a.p, b.p);
}

/* Read in two steps: 0 and *ret, or not a message of max bytes at most that is all there. */
static int read_slowly(struct span bytes, size_t max, struct message *ret, size_t *ret_used)
{
	struct frame_reader r;
	struct frame frame;
	const char *why;

	frame_reader_init(&r, max);
	if (frame_next(&r, bytes.p, bytes.len, &frame) != 0)
		return MESSAGE_E_OTHER;
	*ret_used = frame.used;
	return message_parse(frame.bytes, frame.depth, ret, &why);
}

/* true: it was read in one step, to the same. */
static bool is_usual(struct span bytes, size_t max)
{
	struct message usual, m = { 0 };
	size_t used, used_slowly = 0;

	if (message_read_usual(bytes, max, &usual, &used) != 0)
		return false;
	assert_int_equal(read_slowly(bytes, max, &m, &used_slowly), 0);
	assert_int_equal(used, used_slowly);
	assert_int_equal(usual.type, m.type);
	assert_true(usual.has_id && m.has_id);
	assert_int_equal(usual.id, m.id);
	assert_int_equal(usual.depth, m.depth);
	assert_int_equal(usual.n_params, m.n_params);
	assert_same_span(usual.method, m.method);
	assert_same_span(usual.params, m.params);
	assert_same_span(usual.error, m.error);
	assert_same_span(usual.result, m.result);
	return true;
}

/* What follows is another message's. */
static const struct span usual_ones[] = {
	BYTES("\x94\x00\x07\xa4""call\x92\xa1x\x91\xc4\x02zz" "\x94\x00"),
	BYTES("\x94\x00\xcd\x01\x02\xa4""call\x93\xa1x\xdc\x00\x01\x80\x81\xa1k\x91\x90" "\x94"),
	BYTES("\x94\x00\xce\xff\xff\xff\xff\xd9\x04list\xdc\x00\x00" "\x90"),
	BYTES("\x94\x00\x01\xa4list\x90"),
	BYTES("\x94\x01\xcc\xff\xc0\x93\x91\x91\x80\xd9\x01w\xcb\x00\x00\x00\x00\x00\x00\x00\x00"),
	BYTES("\x94\x01\x05\xc0\xc7\x03\x01""abc"),
	BYTES("\x94\x01\x05\xc0\xda\x00\x03""abc\x94"),
};

static void test_usual_forms_are_read_in_one_step(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(usual_ones); i++)
		assert_true(is_usual(usual_ones[i], 100));
}

/* Whatever becomes of it, nothing is read that the longer way would not have read so. */
static void test_damaged_ones_are_read_in_one_step_no_other_way(void **state UNUSED)
{
	uint8_t *copy;
	size_t len, n_usual = 0;

	for (size_t i = 0; i < ARRAY_SIZE(usual_ones); i++) {
		for (len = 0; len <= usual_ones[i].len; len++)
			for (size_t at = 0; at < len; at++)
				for (unsigned int c = 0; c < 256; c++) {
					/* As long as it is: what lies behind is nobody's. */
					copy = malloc(len);
					assert_non_null(copy);
					memcpy(copy, usual_ones[i].p, len);
					copy[at] = (uint8_t)c;
					n_usual += is_usual(span_of(copy, len), 16 + c % 8);
					free(copy);
				}
	}
	assert_true(n_usual > 1000);
}

static void test_other_forms_are_not_usual(void **state UNUSED)
{
	static const struct span others[] = {
		BYTES("\xdc\x00\x04\x00\x07\xa4""call\x90"),		/* a long head */
		BYTES("\x94\x02\x07\xa4""call\x90"),			/* no such type here */
		BYTES("\x94\x00\xcf\x00\x00\x00\x00\x00\x00\x00\x01\xa1x\x90"),
		BYTES("\x94\x00\xff\xa4""call\x90"),			/* a negative id */
		BYTES("\x94\x00\x07\xa4""c\xc3\xa4l\x90"),		/* not ASCII */
		BYTES("\x94\x01\x07\x81\xa4""code\xa4""busy\xc0"),	/* an error */
		BYTES("\x94\x00\x07\xa4""call\x92\xa1x\xc1"),		/* no value */
		BYTES("\x94\x00\x07\xa4""call\x92\xa1x"),			/* cut */
	};
	struct message m;
	size_t used;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(message_read_usual(others[i], 100, &m, &used), MESSAGE_E_OTHER);
	assert_int_equal(message_read_usual(usual_ones[3], usual_ones[3].len - 1, &m, &used),
			 MESSAGE_E_OTHER);
}

/* A value of n arrays in one another, as params and as a result. */
static void test_usual_forms_are_as_deep_as_all_may_be(void **state UNUSED)
{
	uint8_t request[64] = "\x94\x00\x07\xa1x\x91", response[64] = "\x94\x01\x07\xc0";
	struct message m;
	size_t used;

	for (size_t n = 4; n < 30; n++) {
		memset(request + 6, 0x91, n - 1);
		memset(response + 4, 0x91, n - 1);
		request[6 + n - 1] = response[4 + n - 1] = 0x90;
		assert_int_equal(message_read_usual(span_of(request, 6 + n), 64, &m, &used) == 0,
				 n + 2 <= MP_MESSAGE_DEPTH_MAX);
		assert_int_equal(message_read_usual(span_of(response, 4 + n), 64, &m, &used) == 0,
				 n + 1 <= MP_MESSAGE_DEPTH_MAX);
		is_usual(span_of(request, 6 + n), 64);
		is_usual(span_of(response, 4 + n), 64);
	}
}

static void test_put_request(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	message_put_request(&b, 300, "hi", 2);
	assert_bytes(buf_span(&b), "\x94\x00\xcd\x01\x2c\xa2hi\x92");
	buf_put(&b, "\xc3\x80", 2);
	assert_int_equal(parsed(buf_span(&b)).id, 300);
	buf_deinit(&b);
}

static void test_put_notification(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	message_put_notification(&b, "event", 20);
	assert_bytes(buf_span(&b), "\x93\x02\xa5""event\xdc\0\x14");
	buf_deinit(&b);
}

static void test_put_result_head(void **state UNUSED)
{
	struct buf b = BUF_NULL;

	message_put_result_head(&b, 1);
	assert_bytes(buf_span(&b), "\x94\x01\x01\xc0");
	mp_put_bool(&b, true);
	assert_bytes(parsed(buf_span(&b)).result, "\xc3");
	buf_deinit(&b);
}

static void test_put_and_parse_any_id(void **state UNUSED)
{
	static const uint32_t ids[] = {
		0,	    1, 127, 128, 255, 256, 65535, 65536, INT32_MAX, (uint32_t)INT32_MAX + 1,
		UINT32_MAX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct buf b = BUF_NULL;
		struct message m;

		message_put_request(&b, ids[i], "chapi.echo", 0);
		m = parsed(buf_span(&b));
		assert_int_equal(m.id, ids[i]);
		assert_bytes(m.method, "chapi.echo");
		buf_clear(&b);
		message_put_result_head(&b, ids[i]);
		mp_put_nil(&b);
		m = parsed(buf_span(&b));
		assert_int_equal(m.id, ids[i]);
		assert_true(mp_is_nil(m.error) && mp_is_nil(m.result));
		buf_deinit(&b);
	}
}

static void test_put_needs_no_more_room_than_it_takes(void **state UNUSED)
{
	struct buf b;

	buf_init(&b, 8);
	message_put_request(&b, 1, "hell", 0);
	assert_bytes(buf_span(&b), "\x94\x00\x01\xa4hell");
	assert_int_equal(buf_error(&b), -ENOBUFS);
	buf_clear(&b);
	message_put_request(&b, 1, "hel", 0);
	assert_int_equal(buf_error(&b), 0);
	assert_int_equal(b.len, 8);
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_request),
		cmocka_unit_test(test_parse_request_without_params),
		cmocka_unit_test(test_parse_response_with_result),
		cmocka_unit_test(test_parse_response_with_error),
		cmocka_unit_test(test_parse_notification),
		cmocka_unit_test(test_parse_request_in_every_width),
		cmocka_unit_test(test_parse_id_of_every_size),
		cmocka_unit_test(test_parse_refuses_with_reason_and_id),
		cmocka_unit_test(test_parse_of_a_part_stays_inside),
		cmocka_unit_test(test_method_may_hold_a_nul),
		cmocka_unit_test(test_usual_forms_are_read_in_one_step),
		cmocka_unit_test(test_damaged_ones_are_read_in_one_step_no_other_way),
		cmocka_unit_test(test_other_forms_are_not_usual),
		cmocka_unit_test(test_usual_forms_are_as_deep_as_all_may_be),
		cmocka_unit_test(test_put_request),
		cmocka_unit_test(test_put_notification),
		cmocka_unit_test(test_put_result_head),
		cmocka_unit_test(test_put_and_parse_any_id),
		cmocka_unit_test(test_put_needs_no_more_room_than_it_takes),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
