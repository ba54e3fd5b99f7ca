/* SPDX-License-Identifier: MIT */
/*
 * Records in parts: cut, read, put together again.
 *
 * What random records and orders come to, and the table of those that wait, is in
 * test-assembly.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <zlib.h>

#include "gateway/parts.h"
#include "libchapi-ipc/base64.h"

/* SHA-256 of {"a":1} */
#define DIGEST "AVq9f1zFei3ZS3WQ8ErYCEJzkF7jPsXOvq5iJ2qX+GI="
#define RECORD "{\"a\":1}"
#define SLICE "eyJhIjoxfQ=="

static int parse(const char *text, struct part *part)
{
	*part = (struct part)PART_NULL;
	return part_parse(span_str(text), part);
}

static void assert_part(const char *text, int outcome)
{
	struct part part;

	assert_int_equal(parse(text, &part), outcome);
	part_deinit(&part);
}

static void put_random(struct buf *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_put_byte(out, (uint8_t)('a' + rand() % 26));
}

/* ---- out -------------------------------------------------------------------------------- */

static void test_small_record_is_one_part_of_its_text(void **state UNUSED)
{
	CLEANUP(parts_deinit) struct parts parts = PARTS_NULL;
	CLEANUP(buf_deinit) struct buf out = BUF_NULL;

	assert_int_equal(parts_split(span_str("x\"y"), span_str(RECORD), 10240, &parts), 0);
	assert_int_equal(parts.n, 1);
	parts_put(&parts, 0, &out);
	buf_put_byte(&out, '\0');
	assert_string_equal((const char *)buf_data(&out),
			    "{\"id\":\"x\\\"y\",\"part\":0,\"parts\":1,\"sha256\":\"" DIGEST
			    "\",\"encoding\":\"json\",\"data\":\"" SLICE "\"}");
}

static void test_record_is_deflated_where_that_is_smaller(void **state UNUSED)
{
	CLEANUP(parts_deinit) struct parts parts = PARTS_NULL;
	CLEANUP(buf_deinit) struct buf record = BUF_NULL, out = BUF_NULL;

	for (int i = 0; i < 50000; i++)
		buf_put_byte(&record, 'a');
	assert_int_equal(parts_split(span_str("x"), buf_span(&record), 10240, &parts), 0);
	assert_int_equal(parts.n, 1);
	parts_put(&parts, 0, &out);
	buf_put_byte(&out, '\0');
	assert_non_null(strstr((const char *)buf_data(&out), "\"encoding\":\"zlib\""));
}

/* Of each size: no text is longer than allowed, none but the last has room for more. */
static void test_parts_use_what_room_there_is(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;

	srand(1);
	put_random(&record, 30000);
	for (size_t max = 400; max < 1000; max += 7) {
		CLEANUP(parts_deinit) struct parts parts = PARTS_NULL;

		assert_int_equal(parts_split(span_str("an-id"), buf_span(&record), max, &parts), 0);
		for (unsigned int i = 0; i < parts.n; i++) {
			CLEANUP(buf_deinit) struct buf out = BUF_NULL;

			parts_put(&parts, i, &out);
			assert_in_range(out.len, i + 1 < parts.n ? max - 16 : 1, max);
		}
	}
}

/* chapi-remote(7) says what the largest record costs of a hub's quota. */
static void test_largest_record_is_as_many_events_as_the_manual_says(void **state UNUSED)
{
	CLEANUP(parts_deinit) struct parts parts = PARTS_NULL;
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;

	srand(1);
	for (size_t i = 0; i < 1 << 20; i++)
		buf_put_byte(&record, (uint8_t)(rand() >> 4));
	assert_int_equal(parts_split(span_str("7c9e6679f7c24b0e8a3f5d1b2c4e6a80"),
				     buf_span(&record), 10240, &parts), 0);
	assert_int_equal(parts.n, 139);
}

static void test_room_for_nothing_is_too_little(void **state UNUSED)
{
	CLEANUP(parts_deinit) struct parts parts = PARTS_NULL;

	assert_int_equal(parts_split(span_str("x"), span_str(RECORD), 100, &parts),
			 PARTS_E_TOO_LARGE);
}

static void test_more_parts_than_there_may_be_are_too_many(void **state UNUSED)
{
	CLEANUP(parts_deinit) struct parts parts = PARTS_NULL;
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;

	put_random(&record, PARTS_MAX * 8);
	for (size_t max = 100; max < 180; max++) {
		CLEANUP(parts_deinit) struct parts some = PARTS_NULL;
		int r = parts_split(span_str("x"), buf_span(&record), max, &some);

		assert_true(r == PARTS_E_TOO_LARGE || (r == 0 && some.n <= PARTS_MAX));
	}
	assert_int_equal(parts_split(span_str("x"), buf_span(&record), 130, &parts),
			 PARTS_E_TOO_LARGE);
}

/* ---- in --------------------------------------------------------------------------------- */

static void test_part_is_read(void **state UNUSED)
{
	struct part part;

	assert_int_equal(
		parse(" {\"more\":[{}],\"data\":\"" SLICE "\",\"encoding\":\"zlib\",\"id\":\"a b\","
		      "\"to\":\"pi\",\"retry\":\"00ff\",\"retry_ms\":2.5,\"parts\":16384,"
		      "\"timeout_ms\":7,\"part\":16383,\"sha256\":\"" DIGEST
		      "\"} ",
		      &part),
		0);
	assert_true(span_is(buf_span(&part.id), "a b"));
	assert_true(span_is(buf_span(&part.to), "pi"));
	assert_true(part.has_retry);
	assert_true(span_is(buf_span(&part.retry), "00ff"));
	assert_int_equal(part.retry_ms, 3);
	assert_int_equal(part.timeout_ms, 7);
	assert_int_equal(part.index, 16383);
	assert_int_equal(part.n, 16384);
	assert_true(part.deflated);
	assert_int_equal(part.digest[0], 0x01);
	assert_int_equal(part.digest[31], 0x62);
	assert_true(span_is(buf_span(&part.slice), RECORD));
	part_deinit(&part);
}

#define TEXT_OF(id, index, n, digest, encoding, data)                                              \
	"{\"id\":" id ",\"part\":" index ",\"parts\":" n ",\"sha256\":" digest                     \
	",\"encoding\":" encoding ",\"data\":" data "}"
#define ID "\"x\""
#define HASH "\"" DIGEST "\""
#define JSON "\"json\""
#define DATA "\"" SLICE "\""

static void test_what_is_no_part(void **state UNUSED)
{
	static const char *const texts[] = {
		"",
		"[]",
		"7",
		"{}",
		"{\"id\":\"x\"}",
		TEXT_OF("7", "0", "1", HASH, JSON, DATA),
		TEXT_OF("\"\"", "0", "1", HASH, JSON, DATA),
		TEXT_OF("\"\\n\"", "0", "1", HASH, JSON, DATA),
		TEXT_OF("\"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff12345\"",
			"0", "1", HASH, JSON, DATA),
		TEXT_OF(ID, "1", "1", HASH, JSON, DATA),
		TEXT_OF(ID, "0", "0", HASH, JSON, DATA),
		TEXT_OF(ID, "-1", "1", HASH, JSON, DATA),
		TEXT_OF(ID, "0.5", "1", HASH, JSON, DATA),
		TEXT_OF(ID, "\"0\"", "1", HASH, JSON, DATA),
		TEXT_OF(ID, "0", "16385", HASH, JSON, DATA),
		TEXT_OF(ID, "0", "1e300", HASH, JSON, DATA),
		TEXT_OF(ID, "0", "1", "null", JSON, DATA),
		TEXT_OF(ID, "0", "1", "\"AAAA\"", JSON, DATA),
		TEXT_OF(ID, "0", "1", "\"not base64\"", JSON, DATA),
		TEXT_OF(ID, "0", "1", HASH, "\"gzip\"", DATA),
		TEXT_OF(ID, "0", "1", HASH, "null", DATA),
		TEXT_OF(ID, "0", "1", HASH, JSON, "\"\""),
		TEXT_OF(ID, "0", "1", HASH, JSON, "\"abc\""),
		TEXT_OF(ID, "0", "1", HASH, JSON, "{}"),
		"[[[[[[[[[[[[]]]]]]]]]]]]",
	};

	assert_part(TEXT_OF(ID, "0", "1", HASH, JSON, DATA), 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_part(texts[i], PARTS_E_BAD);
}

static void test_last_of_two_equal_fields_counts(void **state UNUSED)
{
	struct part part;

	assert_int_equal(
		parse("{\"data\":\"AAAA\",\"id\":\"y\","
		      "\"part\":0,\"parts\":1,\"sha256\":" HASH
		      ",\"encoding\":\"zlib\",\"encoding\":\"json\",\"id\":\"x\",\"data\":" DATA
		      "}",
		      &part),
		0);
	assert_true(span_is(buf_span(&part.id), "x"));
	assert_false(part.deflated);
	assert_true(span_is(buf_span(&part.slice), RECORD));
	part_deinit(&part);
}

/* ---- the record ------------------------------------------------------------------------- */

static int join(struct span bytes, bool deflated, size_t max, struct buf *out)
{
	uint8_t digest[48];
	size_t len;

	memcpy(digest, DIGEST, 44);
	assert_true(base64_decode(digest, 44, &len) && len == 32);
	return parts_join(bytes, deflated, digest, max, out);
}

static void deflate_into(struct span bytes, struct buf *out)
{
	uLongf len = compressBound(bytes.len);
	uint8_t *w = buf_reserve(out, len);

	assert_non_null(w);
	assert_int_equal(compress(w, &len, bytes.p, bytes.len), Z_OK);
	buf_commit(out, len);
}

static void test_record_is_what_the_digest_says(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf out = BUF_NULL, packed = BUF_NULL;

	buf_put_str(&out, "before ");
	assert_int_equal(join(span_str(RECORD), false, 7, &out), 0);
	deflate_into(span_str(RECORD), &packed);
	assert_int_equal(join(buf_span(&packed), true, 7, &out), 0);
	assert_true(span_is(buf_span(&out), "before " RECORD RECORD));
	assert_int_equal(join(span_str("{\"a\":2}"), false, 7, &out), PARTS_E_BAD);
	assert_int_equal(join(span_str(RECORD), false, 6, &out), PARTS_E_TOO_LARGE);
	assert_int_equal(join(buf_span(&packed), true, 6, &out), PARTS_E_TOO_LARGE);
	assert_true(span_is(buf_span(&out), "before " RECORD RECORD));
}

static void test_what_cannot_be_inflated(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf out = BUF_NULL, packed = BUF_NULL;

	deflate_into(span_str(RECORD), &packed);
	assert_int_equal(join(span_str(RECORD), true, 1000, &out), PARTS_E_BAD);
	assert_int_equal(join(span_of("", 0), true, 1000, &out), PARTS_E_BAD);
	for (size_t cut = 1; cut < packed.len; cut++)
		assert_int_equal(
			join(span_of(buf_data(&packed), packed.len - cut), true, 1000, &out),
			PARTS_E_BAD);
	buf_put_byte(&packed, 'x');
	assert_int_equal(join(buf_span(&packed), true, 1000, &out), PARTS_E_BAD);
	assert_int_equal(out.len, 0);
}

/* 64 MiB of zeros in 64 KiB: no more memory than the limit and a step is asked for. */
static void test_bomb_stops_at_the_limit(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf out = BUF_NULL, zeros = BUF_NULL, packed = BUF_NULL;
	const size_t len = 64 << 20, max = 1 << 20;
	uint8_t *w = buf_reserve(&zeros, len);

	assert_non_null(w);
	memset(w, 0, len);
	buf_commit(&zeros, len);
	deflate_into(buf_span(&zeros), &packed);
	assert_in_range(packed.len, 1, 128 << 10);
	assert_int_equal(join(buf_span(&packed), true, max, &out), PARTS_E_TOO_LARGE);
	assert_int_equal(out.len, 0);
	assert_in_range(out.cap, max, 2 * max + (64 << 10) + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_record_is_one_part_of_its_text),
		cmocka_unit_test(test_record_is_deflated_where_that_is_smaller),
		cmocka_unit_test(test_parts_use_what_room_there_is),
		cmocka_unit_test(test_largest_record_is_as_many_events_as_the_manual_says),
		cmocka_unit_test(test_room_for_nothing_is_too_little),
		cmocka_unit_test(test_more_parts_than_there_may_be_are_too_many),
		cmocka_unit_test(test_part_is_read),
		cmocka_unit_test(test_what_is_no_part),
		cmocka_unit_test(test_last_of_two_equal_fields_counts),
		cmocka_unit_test(test_record_is_what_the_digest_says),
		cmocka_unit_test(test_what_cannot_be_inflated),
		cmocka_unit_test(test_bomb_stops_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
