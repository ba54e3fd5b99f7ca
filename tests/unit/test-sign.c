/* SPDX-License-Identifier: MIT */
/*
 * Signatures of subscriptions, against vectors that official libraries of other languages agree on.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "gateway/sign.h"

#define KEY "aaaabbbbccccddddeeee"
#define SECRET "11112222333344445555"
#define SOCKET_ID "1234.5678"

static void assert_text(struct buf *b, const char *expected)
{
	assert_int_equal(buf_error(b), 0);
	assert_int_equal(b->len, strlen(expected));
	assert_memory_equal(buf_data(b), expected, strlen(expected));
	buf_deinit(b);
}

static void assert_hmac(const char *text, const char *expected)
{
	char hex[SIGN_HEX_LEN + 1];

	assert_int_equal(sign_hmac_hex(span_str(SECRET), span_str(text), hex), 0);
	assert_string_equal(hex, expected);
}

static void assert_channel(const char *channel, const char *channel_data, const char *expected)
{
	struct buf out = BUF_NULL;

	assert_int_equal(
		sign_channel(KEY, SECRET, SOCKET_ID, channel, span_str(channel_data), &out), 0);
	assert_text(&out, expected);
}

static void test_channel_private(void **state UNUSED)
{
	assert_channel("private-sensor.42", NULL,
		       KEY ":f81bf0afb5499963fd811112064e1967ff36af38259d6a1d00f843e6bc92ce05");
}

static void test_channel_presence_signs_its_data(void **state UNUSED)
{
	assert_channel("presence-room_1",
		       "{\"user_id\":\"gw-1\",\"user_info\":{\"name\":\"Gateway\"}}",
		       KEY ":2f691f7076883f9cb78e442cf2b6a9747f8949cf973f21f93d066e7b912c3091");
}

static void test_channel_presence_signs_utf8_as_it_is(void **state UNUSED)
{
	assert_channel(
		"presence-room_1",
		"{\"user_id\":\"gw-2\",\"user_info\":{\"name\":\"Z\xc3\xbcrich \xe2\x9c\x93\"}}",
		KEY ":8a90f919e4a86a0db172f534a671419129de70905ccf0e597521b2ce545e7a7d");
}

static void test_channel_encrypted_is_signed_like_a_private_one(void **state UNUSED)
{
	assert_channel("private-encrypted-vault_7", NULL,
		       KEY ":61de26d4bb7a4db45283e80ad2fe9427f23d5a8935e720ab68ea7e5924f2dc46");
}

static void test_channel_appends(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	buf_put_str(&out, "auth=");
	assert_int_equal(
		sign_channel(KEY, SECRET, SOCKET_ID, "private-sensor.42", span_of(NULL, 0), &out),
		0);
	assert_text(&out, "auth=" KEY
			  ":f81bf0afb5499963fd811112064e1967ff36af38259d6a1d00f843e6bc92ce05");
}

static void test_channel_without_room_leaves_nothing(void **state UNUSED)
{
	struct buf out;

	buf_init(&out, 40);
	buf_put_str(&out, "before");
	assert_int_equal(
		sign_channel(KEY, SECRET, SOCKET_ID, "private-sensor.42", span_of(NULL, 0), &out),
		-ENOBUFS);
	assert_text(&out, "before");
}

static void test_hmac_of_a_sign_in(void **state UNUSED)
{
	assert_hmac(SOCKET_ID "::user::{\"id\":\"user-9\",\"user_info\":{\"name\":\"Ann\"}}",
		    "4a3b986713aecad19972ad1c0efb96cc8a9943681bbe20e487c8d2b919854f39");
}

static void test_hmac_of_a_webhook(void **state UNUSED)
{
	assert_hmac(
		"{\"time_ms\":1700000000123,\"events\":[{\"name\":\"channel_occupied\","
		"\"channel\":\"ch-a\"}]}",
		"24a47d285fc972d7488cae7e7ea9a18283201caec65ab9b21d530be5ed69cfa9");
}

static void test_hmac_of_nothing(void **state UNUSED)
{
	char hex[SIGN_HEX_LEN + 1];

	assert_int_equal(sign_hmac_hex(span_of(NULL, 0), span_of(NULL, 0), hex), 0);
	assert_string_equal(hex,
			    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_md5_of_nothing(void **state UNUSED)
{
	char hex[SIGN_MD5_HEX_LEN + 1];

	assert_int_equal(sign_md5_hex(span_of(NULL, 0), hex), 0);
	assert_string_equal(hex, "d41d8cd98f00b204e9800998ecf8427e");
}

/* The key of an encrypted channel: of its name and the app's master key. */
static void test_sha256_of_a_channel_key(void **state UNUSED)
{
	static const uint8_t expected[] = {
		0x24, 0xab, 0xd3, 0x49, 0x40, 0xe5, 0x8d, 0x44, 0x6a, 0x6d, 0x94,
		0x7e, 0x88, 0xe7, 0xf6, 0x3b, 0xf5, 0xf2, 0x5a, 0xf2, 0xee, 0xf0,
		0xc9, 0x51, 0x10, 0x16, 0x7b, 0x9e, 0x90, 0x15, 0x3b, 0x51,
	};
	struct buf text = BUF_NULL;
	uint8_t digest[32];

	buf_put_str(&text, "private-encrypted-vault_7");
	for (uint8_t i = 0; i < 32; i++)
		buf_put_byte(&text, i);
	assert_int_equal(sign_sha256(buf_span(&text), digest), 0);
	assert_memory_equal(digest, expected, sizeof(expected));
	buf_deinit(&text);
}

static void test_random_differs(void **state UNUSED)
{
	uint8_t a[16] = { 0 }, b[16] = { 0 };

	assert_int_equal(sign_random(a, sizeof(a)), 0);
	assert_int_equal(sign_random(b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
}

static void test_wipe_leaves_zeros(void **state UNUSED)
{
	char secret[] = SECRET;
	static const char zeros[sizeof(secret)] = { 0 };

	sign_wipe(secret, sizeof(secret));
	assert_memory_equal(secret, zeros, sizeof(secret));
}

static void test_equal_compares_all_of_both(void **state UNUSED)
{
	assert_true(sign_equal("abc", "abc"));
	assert_true(sign_equal("", ""));
	assert_false(sign_equal("abc", "abd"));
	assert_false(sign_equal("abc", "abcd"));
	assert_false(sign_equal("", "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_channel_private),
		cmocka_unit_test(test_channel_presence_signs_its_data),
		cmocka_unit_test(test_channel_presence_signs_utf8_as_it_is),
		cmocka_unit_test(test_channel_encrypted_is_signed_like_a_private_one),
		cmocka_unit_test(test_channel_appends),
		cmocka_unit_test(test_channel_without_room_leaves_nothing),
		cmocka_unit_test(test_hmac_of_a_sign_in),
		cmocka_unit_test(test_hmac_of_a_webhook),
		cmocka_unit_test(test_hmac_of_nothing),
		cmocka_unit_test(test_md5_of_nothing),
		cmocka_unit_test(test_sha256_of_a_channel_key),
		cmocka_unit_test(test_random_differs),
		cmocka_unit_test(test_wipe_leaves_zeros),
		cmocka_unit_test(test_equal_compares_all_of_both),
	};

	return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
