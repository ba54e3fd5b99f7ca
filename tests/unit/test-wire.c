/* SPDX-License-Identifier: MIT */
/*
 * What the gateway says on a local connection, byte for byte, in both encodings.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "gateway/wire.h"
#include "libchapi-ipc/message.h"
#include "libchapi-ipc/mp.h"
#include "tests/unit/bytes.h"

static void assert_bytes(struct buf *b, struct span expected)
{
	assert_int_equal(buf_error(b), 0);
	for (size_t i = 0; i < MIN(b->len, expected.len); i++)
		if (buf_data(b)[i] != expected.p[i])
			fail_msg("byte %zu is %02x, not %02x", i, buf_data(b)[i], expected.p[i]);
	assert_int_equal(b->len, expected.len);
	buf_deinit(b);
}

static void assert_text(struct buf *b, const char *expected)
{
	if (!span_is(buf_span(b), expected))
		fail_msg("got %.*s\nnot %s", (int)b->len, buf_data(b), expected);
	buf_deinit(b);
}

/* ---- requests --------------------------------------------------------------------------- */

#define PARAMS "\x81\xa1" "a\x01"	/* {"a": 1} */

static struct party_request request_make(void)
{
	return (struct party_request){
		.id = 5,
		.api = span_str("lights.on"),
		.params = SPAN(PARAMS),
		.call = span_str("c-1"),
		.origin = PARTY_LOCAL,
		.caller = span_str("uid:1000"),
		.request_time = 1700000000.5,
		.timeout_ms = 30000,
	};
}

static void put_request(enum encoding encoding, const struct party_request *request,
			struct buf *out)
{
	struct value_fault fault;

	assert_int_equal(wire_put_request(encoding, request, out, &fault), 0);
}

#define TIME_BYTES "\xcb\x41\xd9\x54\xfc\x40\x20\x00\x00"	/* 1700000000.5 */

static void test_request_in_msgpack(void **state UNUSED)
{
	struct party_request r = request_make();
	struct buf out = BUF_NULL;

	put_request(ENCODING_MSGPACK, &r, &out);
	assert_bytes(&out, SPAN("\x94\x00\x05\xa9lights.on\x92" PARAMS "\x85"
				"\xa4" "call\xa3" "c-1"
				"\xa6origin\xa5local"
				"\xa6" "caller\xa8uid:1000"
				"\xacrequest_time" TIME_BYTES
				"\xaatimeout_ms\xcd\x75\x30"));
}

static void test_request_in_msgpack_with_all_of_meta(void **state UNUSED)
{
	struct party_request r = request_make();
	struct buf out = BUF_NULL;

	r.origin = PARTY_REMOTE;
	r.caller = span_str("claimed:Ann");
	r.progress = r.oneway = r.raw = true;
	put_request(ENCODING_MSGPACK, &r, &out);
	assert_bytes(&out, SPAN("\x94\x00\x05\xa9lights.on\x92" PARAMS "\x88"
				"\xa4" "call\xa3" "c-1"
				"\xa6origin\xa6remote"
				"\xa6" "caller\xab" "claimed:Ann"
				"\xacrequest_time" TIME_BYTES
				"\xaatimeout_ms\xcd\x75\x30"
				"\xa8progress\xc3"
				"\xa6oneway\xc3"
				"\xa3raw\xc3"));
}

static void test_request_in_json(void **state UNUSED)
{
	struct party_request r = request_make();
	struct buf out = BUF_NULL;

	put_request(ENCODING_JSON, &r, &out);
	assert_text(
		&out,
		"[0,5,\"lights.on\",[{\"a\":1},{\"call\":\"c-1\",\"origin\":\"local\","
		"\"caller\":\"uid:1000\","
		"\"request_time\":1700000000.5,\"timeout_ms\":30000}]]\n");
}

static void test_request_in_json_with_all_of_meta(void **state UNUSED)
{
	struct party_request r = request_make();
	struct buf out = BUF_NULL;

	r.id = UINT32_MAX;
	r.origin = PARTY_REMOTE;
	r.caller = span_str("claimed:\"A\\n\"");
	r.call = span_str("\xc3\xa9");
	r.timeout_ms = INT64_C(9007199254740992);
	r.progress = r.oneway = r.raw = true;
	put_request(ENCODING_UNKNOWN, &r, &out);
	assert_text(
		&out,
		"[0,4294967295,\"lights.on\",[{\"a\":1},{\"call\":\"\xc3\xa9\","
		"\"origin\":\"remote\","
		"\"caller\":\"claimed:\\\"A\\\\n\\\"\",\"request_time\":1700000000.5,"
		"\"timeout_ms\":9007199254740992,\"progress\":true,\"oneway\":true,"
		"\"raw\":true}]]\n");
}

static void test_request_with_each_flag_alone(void **state UNUSED)
{
	struct party_request r = request_make();
	struct buf out = BUF_NULL;

	r.progress = true;
	put_request(ENCODING_MSGPACK, &r, &out);
	assert_int_equal(buf_data(&out)[18], 0x86);
	assert_memory_equal(buf_data(&out) + out.len - 10, "\xa8progress\xc3", 10);
	buf_clear(&out);
	r.progress = false;
	r.oneway = true;
	put_request(ENCODING_MSGPACK, &r, &out);
	assert_int_equal(buf_data(&out)[18], 0x86);
	assert_memory_equal(buf_data(&out) + out.len - 8, "\xa6oneway\xc3", 8);
	buf_deinit(&out);
}

/* Texts of every kind of head, and numbers of every width: all is read back as it was. */
static void test_request_of_any_size_reads_back(void **state UNUSED)
{
	static const size_t sizes[] = { 0, 1, 31, 32, 128, 255, 256, 65535, 65536 };
	static char text[65536];
	struct party_request r = request_make();
	struct message m;
	struct buf out = BUF_NULL, params = BUF_NULL;
	struct span call;
	const char *why;

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		buf_clear(&out);
		buf_clear(&params);
		mp_put_text(&params, span_of(text, sizes[i]));
		r.params = buf_span(&params);
		r.api = r.call = r.caller = span_of(text, sizes[i]);
		r.id = (uint32_t)sizes[i] * 65537;
		r.timeout_ms = INT64_MIN + (int64_t)i;
		put_request(ENCODING_MSGPACK, &r, &out);
		assert_int_equal(message_parse(buf_span(&out), 3, &m, &why), 0);
		assert_int_equal(m.type, MESSAGE_REQUEST);
		assert_int_equal(m.id, r.id);
		assert_true(span_equal(m.method, r.api));
		assert_int_equal(m.n_params, 2);
		assert_memory_equal(m.params.p, r.params.p, r.params.len);
		assert_int_equal(
			mp_map_get(span_of(m.params.p + r.params.len, m.params.len - r.params.len),
				   "call", &call),
			0);
		assert_true(call.len > sizes[i]);
	}
	buf_deinit(&out);
	buf_deinit(&params);
}

static void test_request_without_form_in_json(void **state UNUSED)
{
	struct party_request r = request_make();
	struct buf out = BUF_NULL;
	struct value_fault fault;

	buf_put_str(&out, "before");
	r.params = SPAN("\x81\xa1" "a\xcb\x7f\xf8\0\0\0\0\0\0");	/* {"a": NaN} */
	assert_int_equal(wire_put_request(ENCODING_JSON, &r, &out, &fault), WIRE_E_INEXPRESSIBLE);
	assert_non_null(strstr(fault.text, ".a"));
	assert_int_equal(wire_put_request(ENCODING_MSGPACK, &r, &out, &fault), 0);
	buf_truncate(&out, 6);
	assert_text(&out, "before");
}

/* ---- responses -------------------------------------------------------------------------- */

static void put_result(enum encoding encoding, uint32_t id, struct span result, struct buf *out)
{
	assert_int_equal(
		wire_put_response(encoding, id, &(struct party_response){ .result = result }, out),
		0);
}

static void test_result_in_msgpack(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	put_result(ENCODING_MSGPACK, 1, SPAN(PARAMS), &out);
	assert_bytes(&out, SPAN("\x94\x01\x01\xc0" PARAMS));
	put_result(ENCODING_MSGPACK, 200, SPAN("\xc0"), &out);
	assert_bytes(&out, SPAN("\x94\x01\xcc\xc8\xc0\xc0"));
	put_result(ENCODING_MSGPACK, UINT32_MAX, SPAN("\x90"), &out);
	assert_bytes(&out, SPAN("\x94\x01\xce\xff\xff\xff\xff\xc0\x90"));
}

static void test_result_in_json(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	put_result(ENCODING_JSON, 1, SPAN(PARAMS), &out);
	assert_text(&out, "[1,1,null,{\"a\":1}]\n");
	put_result(ENCODING_JSON, UINT32_MAX, SPAN("\xc0"), &out);
	assert_text(&out, "[1,4294967295,null,null]\n");
	put_result(ENCODING_JSON, 0, SPAN("\xc4\x02hi"), &out);
	assert_text(&out, "[1,0,null,{\"$bin\":\"aGk=\"}]\n");
	put_result(ENCODING_UNKNOWN, 2, SPAN("\xa3" "a\nb"), &out);
	assert_text(&out, "[1,2,null,\"a\\nb\"]\n");
}

static void test_result_without_form_in_json_is_bad_reply(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	buf_put_str(&out, "[1,6,null,0]\n");
	put_result(ENCODING_JSON, 7, SPAN("\x92\x01\xcb\x7f\xf8\0\0\0\0\0\0"), &out); /* [1, NaN] */
	assert_text(
		&out,
		"[1,6,null,0]\n[1,7,{\"code\":\"bad_reply\","
		"\"message\":\"the answer has no form in "
		"JSON: at [1]: NaN has no form in JSON\",\"ran\":\"yes\"},null]\n");
}

static const struct failure plain_failure = {
	.code = CHAPI_ERR_API_NOT_FOUND, .ran = CHAPI_RAN_NO,
	.message = { (const uint8_t *)"no \"x\"", 6 },
};

static const struct failure detailed_failure = {
	.code = CHAPI_ERR_DEADLINE_EXCEEDED, .ran = CHAPI_RAN_UNKNOWN,
	.message = { (const uint8_t *)"late", 4 }, .details = { (const uint8_t *)PARAMS, 4 },
};

static void put_error(enum encoding encoding, uint32_t id, const struct failure *failure,
		      struct buf *out)
{
	/* A result that is there as well does not count. */
	const struct party_response response = { .failure = failure, .result = SPAN(PARAMS) };

	assert_int_equal(wire_put_response(encoding, id, &response, out), 0);
}

static void test_error_in_msgpack(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	put_error(ENCODING_MSGPACK, 9, &plain_failure, &out);
	assert_bytes(&out, SPAN("\x94\x01\x09\x83\xa4" "code\xad" "api_not_found"
				"\xa7message\xa6no \"x\"\xa3ran\xa2no\xc0"));
	put_error(ENCODING_MSGPACK, 65536, &detailed_failure, &out);
	assert_bytes(&out, SPAN("\x94\x01\xce\x00\x01\x00\x00\x84\xa4"
				"code\xb1"
				"deadline_exceeded"
				"\xa7message\xa4late\xa3ran\xa7unknown\xa7"
				"details" PARAMS "\xc0"));
}

static void test_error_in_json(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	put_error(ENCODING_JSON, 9, &plain_failure, &out);
	assert_text(
		&out,
		"[1,9,{\"code\":\"api_not_found\",\"message\":\"no \\\"x\\\"\",\"ran\":\"no\"},"
		"null]\n");
	put_error(ENCODING_JSON, 9, &detailed_failure, &out);
	assert_text(&out,
		    "[1,9,{\"code\":\"deadline_exceeded\",\"message\":\"late\",\"ran\":\"unknown\","
		    "\"details\":{\"a\":1}},null]\n");
}

static void test_error_details_without_form_in_json_are_left_out(void **state UNUSED)
{
	struct failure failure = detailed_failure;
	struct buf out = BUF_NULL;

	failure.details = SPAN("\x81\xa1" "a\xcb\x7f\xf0\0\0\0\0\0\0");
	put_error(ENCODING_JSON, 9, &failure, &out);
	assert_text(
		&out,
		"[1,9,{\"code\":\"deadline_exceeded\",\"message\":\"late\",\"ran\":\"unknown\"},"
		"null]\n");
}

static void test_refusal_has_no_id(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	assert_int_equal(wire_put_refusal(ENCODING_MSGPACK, &plain_failure, &out), 0);
	assert_bytes(&out, SPAN("\x94\x01\xc0\x83\xa4" "code\xad" "api_not_found"
				"\xa7message\xa6no \"x\"\xa3ran\xa2no\xc0"));
	assert_int_equal(wire_put_refusal(ENCODING_JSON, &plain_failure, &out), 0);
	assert_text(
		&out,
		"[1,null,{\"code\":\"api_not_found\",\"message\":\"no \\\"x\\\"\","
		"\"ran\":\"no\"},null]\n");
	assert_int_equal(wire_put_refusal(ENCODING_UNKNOWN, &plain_failure, &out), 0);
	assert_int_equal(buf_data(&out)[0], '[');
	buf_deinit(&out);
}

static void test_cancel(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	assert_int_equal(wire_put_cancel(ENCODING_MSGPACK, 5, &out), 0);
	assert_bytes(&out, SPAN("\x93\x02\xa6" "cancel\x91\x05"));
	assert_int_equal(wire_put_cancel(ENCODING_JSON, UINT32_MAX, &out), 0);
	assert_text(&out, "[2,\"cancel\",[4294967295]]\n");
}

static void test_messages_follow_each_other(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	put_result(ENCODING_MSGPACK, 1, SPAN("\x01"), &out);
	assert_int_equal(wire_put_cancel(ENCODING_MSGPACK, 2, &out), 0);
	put_result(ENCODING_MSGPACK, 3, SPAN("\x03"), &out);
	assert_bytes(&out, SPAN("\x94\x01\x01\xc0\x01\x93\x02\xa6"
				"cancel\x91\x02\x94\x01\x03\xc0\x03"));
}

/* ---- no room ---------------------------------------------------------------------------- */

/* Each message of one encoding, in the order of n. */
static int put_nth(unsigned int n, enum encoding encoding, struct buf *out)
{
	const struct party_response result = { .result = SPAN("\x93\x01\x02\x03") };
	const struct party_response error = { .failure = &detailed_failure };
	const struct party_request request = request_make();
	struct value_fault fault;

	switch (n) {
	case 0:
		return wire_put_request(encoding, &request, out, &fault);
	case 1:
		return wire_put_response(encoding, 1, &result, out);
	case 2:
		return wire_put_response(encoding, 1, &error, out);
	case 3:
		return wire_put_refusal(encoding, &detailed_failure, out);
	default:
		return wire_put_cancel(encoding, 1, out);
	}
}

/* With any ceiling a message is there as a whole, or not at all. */
static void check_ceilings(enum encoding encoding)
{
	struct buf full = BUF_NULL;
	int rc;

	for (unsigned int n = 0; n < 5; n++) {
		buf_clear(&full);
		assert_int_equal(put_nth(n, encoding, &full), 0);
		for (size_t max = 3; max < full.len + 600; max++) {
			struct buf out;

			buf_init(&out, max);
			buf_put_str(&out, "abc");
			rc = put_nth(n, encoding, &out);
			assert_true(rc == 0 || rc == -ENOBUFS);
			assert_true(rc == 0 || max < full.len + 300);
			assert_int_equal(out.len, rc == 0 ? full.len + 3 : 3);
			assert_int_equal(buf_error(&out), 0);
			buf_deinit(&out);
		}
	}
	buf_deinit(&full);
}

static void test_message_without_room_leaves_nothing(void **state UNUSED)
{
	check_ceilings(ENCODING_MSGPACK);
	check_ceilings(ENCODING_JSON);
}

/* ---- heads of lines --------------------------------------------------------------------- */

/* Of memory that ends where the line does, so that reading on is noticed. */
static bool line_head(const char *text, int *ret_type, int64_t *ret_id)
{
	size_t len = strlen(text);
	uint8_t *line = malloc(MAX(len, 1));
	bool known;

	assert_non_null(line);
	memcpy(line, text, len);
	known = wire_line_head(span_of(line, len), ret_type, ret_id);
	free(line);
	return known;
}

static void test_line_head_is_read(void **state UNUSED)
{
	static const struct {
		const char *line;
		int type;
		int64_t id;
	} cases[] = {
		{ "[0,5,\"call\",[{\"$x\":1}]]", 0, 5 },
		{ "[1,0,", 1, 0 },
		{ "[0,4294967295,x", 0, 4294967295 },
		{ "[ 0 ,\t7 , ?", 0, 7 },
		{ "[0,7\r,", 0, 7 },
		{ " [0,7,", 0, 7 },
		{ "\t \r[1,8,", 1, 8 },
	};
	int64_t id;
	int type;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!line_head(cases[i].line, &type, &id))
			fail_msg("%s is not understood", cases[i].line);
		assert_int_equal(type, cases[i].type);
		assert_int_equal(id, cases[i].id);
	}
}

static void test_line_head_that_is_none(void **state UNUSED)
{
	static const char *const lines[] = {
		"",
		" ",
		"[",
		"[0",
		"[0,",
		"[0,5",
		"[0,5]",
		"0,5,",
		"{0,5,",
		"[2,5,",
		"[3,5,",
		"[-1,5,",
		"[0,-5,",
		"[ ",
		"[0 ",
		"[0, 5 ",
		"[0,null,",
		"[0,\"5\",",
		"[0,4294967296,",
		"[0,99999999999999999999,",
		"[4294967296,1,",
		"[0,1.5,",
		"[,5,",
		"[0,,",
		"[0 5,",
		"[[0,5,",
	};
	int64_t id = 77;
	int type = 77;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (line_head(lines[i], &type, &id))
			fail_msg("%s is understood", lines[i]);
	assert_int_equal(type, 77);
	assert_int_equal(id, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_in_msgpack),
		cmocka_unit_test(test_request_in_msgpack_with_all_of_meta),
		cmocka_unit_test(test_request_in_json),
		cmocka_unit_test(test_request_in_json_with_all_of_meta),
		cmocka_unit_test(test_request_with_each_flag_alone),
		cmocka_unit_test(test_request_of_any_size_reads_back),
		cmocka_unit_test(test_request_without_form_in_json),
		cmocka_unit_test(test_result_in_msgpack),
		cmocka_unit_test(test_result_in_json),
		cmocka_unit_test(test_result_without_form_in_json_is_bad_reply),
		cmocka_unit_test(test_error_in_msgpack),
		cmocka_unit_test(test_error_in_json),
		cmocka_unit_test(test_error_details_without_form_in_json_are_left_out),
		cmocka_unit_test(test_refusal_has_no_id),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_messages_follow_each_other),
		cmocka_unit_test(test_message_without_room_leaves_nothing),
		cmocka_unit_test(test_line_head_is_read),
		cmocka_unit_test(test_line_head_that_is_none),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
