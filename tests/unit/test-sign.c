/* SPDX-License-Identifier: MIT */
/*
 * Signatures of the hub, against vectors that official libraries of other languages agree on.
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
#define TIME 1700000000

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

struct http_case {
	const char *method, *path, *query, *body, *target;
};

#define PARAMS "auth_key=" KEY "&auth_timestamp=1700000000&auth_version=1.0"

static const struct http_case http_cases[] = {
	{ "POST", "/apps/7654321/events", NULL,
	  "{\"name\":\"reading\",\"channels\":[\"private-sensor.42\"],\"data\":\"{\\\"t\\\":21.5,"
	  "\\\"unit\\\":\\\"C\\\"}\"}",
	  "/apps/7654321/events?" PARAMS "&body_md5=b25c417edabb9536a8a46e8ee1da2343"
	  "&auth_signature=4918bd53458a09ac2fce7c2e7e1bb3d7e2332b08826fd8ec384e3f9c0a3eb732" },
	{ "POST", "/apps/7654321/batch_events", NULL,
	  "{\"batch\":[{\"name\":\"reading\",\"channel\":\"ch-a\",\"data\":\"1\"},"
	  "{\"name\":\"note\",\"channel\":\"ch-b\",\"data\":\"Z\xc3\xbcrich \xe2\x9c\x93\","
	  "\"socket_id\":\"1234.5678\"}]}",
	  "/apps/7654321/batch_events?" PARAMS "&body_md5=3148f9f24364eaaa0e817bfb4851c185"
	  "&auth_signature=096e468c5149c6804ce11cdedd06637ec26abfff44de93d2c2818f1b47b92428" },
	{ "GET", "/apps/7654321/channels", "filter_by_prefix=presence-&info=user_count", NULL,
	  "/apps/7654321/channels?" PARAMS "&filter_by_prefix=presence-&info=user_count"
	  "&auth_signature=76e9185219a97596b89a1da3666edbf924cedb879e2c2f37a1d0ba8bdd09af3d" },
	{ "GET", "/apps/7654321/channels/presence-room_1", "info=user_count,subscription_count",
	  NULL,
	  "/apps/7654321/channels/presence-room_1?" PARAMS "&info=user_count,subscription_count"
	  "&auth_signature=33a7addb5d2246ac3ec23eaa259d55851696b48c50274ac780f1db73bc7b44d4" },
	{ "GET", "/apps/7654321/channels/presence-room_1/users", NULL, NULL,
	  "/apps/7654321/channels/presence-room_1/users?" PARAMS
	  "&auth_signature=a86880ea96e68e59ccbc97eb30ccb4a74e53d4bf061fa5090f240cc2cd06c39e" },
	{ "POST", "/apps/7654321/users/user-9/terminate_connections", NULL, "{}",
	  "/apps/7654321/users/user-9/terminate_connections?" PARAMS
	  "&body_md5=99914b932bd37a50b983c5e7c90ae93b"
	  "&auth_signature=e93873480bed45517229f62161a558d87a9e2106a0829a10896b9cb68216eb84" },
};

static void assert_http(const struct http_case *c)
{
	struct buf out = BUF_NULL;

	assert_int_equal(sign_http(&(struct sign_request){
		.method = c->method,
		.signed_path = c->path,
		.path = c->path,
		.query = c->query,
		.body = span_str(c->body),
		.unix_s = TIME,
	}, KEY, SECRET, &out), 0);
	assert_text(&out, c->target);
}

static void test_http_events(void **state UNUSED)
{
	assert_http(&http_cases[0]);
}

static void test_http_batch_events(void **state UNUSED)
{
	assert_http(&http_cases[1]);
}

static void test_http_channels(void **state UNUSED)
{
	assert_http(&http_cases[2]);
}

static void test_http_channel(void **state UNUSED)
{
	assert_http(&http_cases[3]);
}

static void test_http_users(void **state UNUSED)
{
	assert_http(&http_cases[4]);
}

static void test_http_terminate_connections(void **state UNUSED)
{
	assert_http(&http_cases[5]);
}

static void test_http_prefix_is_requested_but_need_not_be_signed(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	assert_int_equal(sign_http(&(struct sign_request){
		.method = "GET",
		.signed_path = "/apps/7654321/channels/presence-room_1/users",
		.path = "/hub/apps/7654321/channels/presence-room_1/users",
		.unix_s = TIME,
	}, KEY, SECRET, &out), 0);
	assert_text(
		&out,
		"/hub/apps/7654321/channels/presence-room_1/users?" PARAMS
		"&auth_signature=a86880ea96e68e59ccbc97eb30ccb4a74e53d4bf061fa5090f240cc2cd06c39e");
}

static void test_http_without_room_leaves_nothing(void **state UNUSED)
{
	const struct sign_request request = {
		.method = "GET", .signed_path = "/a", .path = "/a", .unix_s = TIME,
	};
	struct buf out;

	buf_init(&out, 100);
	assert_int_equal(sign_http(&request, KEY, SECRET, &out), -ENOBUFS);
	assert_text(&out, "");
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
		cmocka_unit_test(test_http_events),
		cmocka_unit_test(test_http_batch_events),
		cmocka_unit_test(test_http_channels),
		cmocka_unit_test(test_http_channel),
		cmocka_unit_test(test_http_users),
		cmocka_unit_test(test_http_terminate_connections),
		cmocka_unit_test(test_http_prefix_is_requested_but_need_not_be_signed),
		cmocka_unit_test(test_http_without_room_leaves_nothing),
		cmocka_unit_test(test_md5_of_nothing),
		cmocka_unit_test(test_sha256_of_a_channel_key),
		cmocka_unit_test(test_random_differs),
		cmocka_unit_test(test_wipe_leaves_zeros),
		cmocka_unit_test(test_equal_compares_all_of_both),
	};

	return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
