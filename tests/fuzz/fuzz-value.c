/* SPDX-License-Identifier: MIT */
/*
 * Fuzz harness: a MessagePack value, to JSON and back.
 *
 * What it became has to stay the same from then on, and mp_scan.h has to be of one opinion with
 * value.h about what is MessagePack.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>

#include "common/utf8.h"
#include "libchapi-ipc/json.h"
#include "libchapi-ipc/mp.h"
#include "libchapi-ipc/mp_scan.h"
#include "libchapi-ipc/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define DEPTH MP_VALUE_DEPTH_MAX

/* The value in the one form that the converter writes gives the same text again. */
static void check_again(struct span msgpack, struct span json)
{
	struct value_fault fault;
	struct buf again = BUF_NULL;

	assert(value_to_json(msgpack, DEPTH, &again, &fault) == 0);
	assert(span_equal(buf_span(&again), json));
	buf_deinit(&again);
}

static void check_stable(struct span value, struct span json)
{
	struct value_fault fault;
	struct json_fault why;
	struct buf msgpack = BUF_NULL;
	struct span text;

	assert(json_text(json, JSON_DEPTH_MAX, &text, &why) == 0 && span_equal(text, json));
	assert(value_from_json(json, DEPTH, &msgpack, &fault) == 0);
	/* The worst is an integer of one byte that is a key: "-32" takes four. */
	assert(msgpack.len <= 4 * value.len);
	check_again(buf_span(&msgpack), json);
	buf_deinit(&msgpack);
}

/* In one byte less than it takes nothing is written. */
static void check_room(struct span value, size_t len)
{
	struct value_fault fault;
	struct buf json;

	if (len < 2)
		return;
	buf_init(&json, len - 1);
	assert(value_to_json(value, DEPTH, &json, &fault) == -ENOBUFS);
	assert(json.len == 0);
	buf_deinit(&json);
}

/* The other reading functions stay inside of anything. */
static void check_map(struct span value)
{
	struct span found;

	if (mp_map_get(value, "key", &found) == 0)
		assert(found.p > value.p && found.p + found.len <= value.p + value.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span value = span_of(data, len);
	struct value_fault fault;
	struct buf json = BUF_NULL;
	size_t whole = 0;
	int e = value_to_json(value, DEPTH, &json, &fault);
	int one = mp_length(value, DEPTH, &whole) == 0 && whole == len;

	assert(e >= 0);
	assert(e == 0 || (fault.text[0] && utf8_is_valid(span_str(fault.text)) && json.len == 0));
	assert(one ? e != VALUE_E_SYNTAX : e != 0);
	if (e == 0) {
		check_stable(value, buf_span(&json));
		check_room(value, json.len);
	}
	check_map(value);
	buf_deinit(&json);
	return 0;
}
