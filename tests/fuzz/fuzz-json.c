/* SPDX-License-Identifier: MIT */
/*
 * Fuzz harness: JSON lines, to MessagePack and back.
 *
 * What a line became has to stay the same from then on, and json.c has to be of one opinion
 * with value.h about what is JSON.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>

#include "common/utf8.h"
#include "libchapi-ipc/frame.h"
#include "libchapi-ipc/json.h"
#include "libchapi-ipc/json_string.h"
#include "libchapi-ipc/mp_scan.h"
#include "libchapi-ipc/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define DEPTH MP_MESSAGE_DEPTH_MAX

static void walk(struct span value);

static void walk_object(struct span value, struct json_reader *r)
{
	struct span key, member;
	int e;

	while ((e = json_next_member(r, &key, &member)) == 0) {
		assert(key.p > value.p && key.p + key.len < value.p + value.len);
		json_key_is(key, "$bin");
		walk(member);
	}
	assert(e == JSON_E_END);
}

static void check_string(struct span value, struct span text)
{
	struct buf again = BUF_NULL;

	json_put_string(&again, text);
	assert(again.len <= 6 * value.len);
	assert(utf8_is_valid(text));
	buf_deinit(&again);
}

/* Text that is well formed, by the functions that read in place. */
static void walk(struct span value)
{
	struct buf text = BUF_NULL;
	struct json_reader r;
	double v;
	bool b;

	if (json_enter_object(value, &r) == 0)
		walk_object(value, &r);
	else if (json_get_string(value, &text) == 0)
		check_string(value, buf_span(&text));
	else
		assert(json_get_number(value, &v) != JSON_E_TYPE || json_get_bool(value, &b) == 0 ||
		       json_is_null(value) || value.p[0] == '[');
	buf_deinit(&text);
}

static void check_from(struct span json, struct span expected)
{
	struct value_fault fault;
	struct buf msgpack = BUF_NULL;

	assert(value_from_json(json, DEPTH, &msgpack, &fault) == 0);
	assert(span_equal(buf_span(&msgpack), expected));
	buf_deinit(&msgpack);
}

/* In one byte less than it takes nothing is written. */
static void check_room(struct span json, size_t len)
{
	struct value_fault fault;
	struct buf msgpack;

	if (len < 2)
		return;
	buf_init(&msgpack, len - 1);
	assert(value_from_json(json, DEPTH, &msgpack, &fault) == -ENOBUFS);
	assert(msgpack.len == 0);
	buf_deinit(&msgpack);
}

static void check_stable(struct span line, struct span msgpack)
{
	struct value_fault fault;
	struct buf json = BUF_NULL, pretty = BUF_NULL;
	size_t len;

	assert(mp_length(msgpack, DEPTH, &len) == 0 && len == msgpack.len);
	assert(4 * msgpack.len <= 9 * line.len + 36);
	assert(value_to_json(msgpack, DEPTH, &json, &fault) == 0);
	assert(value_to_json_pretty(msgpack, DEPTH, &pretty, &fault) == 0);
	check_from(buf_span(&json), msgpack);
	check_from(buf_span(&pretty), msgpack);
	check_room(line, msgpack.len);
	buf_deinit(&json);
	buf_deinit(&pretty);
}

static void check_line(struct span line)
{
	struct value_fault fault;
	struct json_fault why;
	struct buf msgpack = BUF_NULL;
	struct span value;
	int e = value_from_json(line, DEPTH, &msgpack, &fault);
	int taken = json_text(line, JSON_DEPTH_MAX, &value, &why) == 0;

	assert(e >= 0);
	assert(e == 0 || (fault.text[0] && utf8_is_valid(span_str(fault.text)) &&
			  msgpack.len == 0));
	assert(taken ? e != VALUE_E_SYNTAX : e != 0);
	if (taken)
		walk(value);
	if (e == 0)
		check_stable(line, buf_span(&msgpack));
	buf_deinit(&msgpack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct frame_reader r;
	struct frame f;

	frame_reader_init(&r, 65536);
	r.encoding = ENCODING_JSON;
	while (frame_next(&r, data, len, &f) == 0) {
		check_line(f.bytes);
		data += f.used;
		len -= f.used;
	}
	/* The last line needs no end. */
	check_line(span_of(data + f.used, len - f.used));
	return 0;
}
