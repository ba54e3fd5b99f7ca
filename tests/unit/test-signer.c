/* SPDX-License-Identifier: MIT */
/*
 * Signed HTTP requests, against vectors that official libraries of other languages agree on. All
 * tests have one signer, as the requests of a gateway have.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "gateway/signer.h"

#define KEY "aaaabbbbccccddddeeee"
#define SECRET "11112222333344445555"
#define TIME 1700000000

static void assert_text(struct buf *b, const char *expected)
{
	assert_int_equal(buf_error(b), 0);
	assert_int_equal(b->len, strlen(expected));
	assert_memory_equal(buf_data(b), expected, strlen(expected));
	buf_deinit(b);
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

static void assert_http(struct signer *signer, const struct http_case *c)
{
	struct buf out = BUF_NULL;

	assert_int_equal(signer_put_target(signer, &(struct sign_request){
		.method = c->method,
		.signed_path = c->path,
		.path = c->path,
		.query = c->query,
		.body = span_str(c->body),
		.unix_s = TIME,
	}, KEY, SECRET, &out), 0);
	assert_text(&out, c->target);
}

static void test_http_events(void **state)
{
	assert_http(*state, &http_cases[0]);
}

static void test_http_batch_events(void **state)
{
	assert_http(*state, &http_cases[1]);
}

static void test_http_channels(void **state)
{
	assert_http(*state, &http_cases[2]);
}

static void test_http_channel(void **state)
{
	assert_http(*state, &http_cases[3]);
}

static void test_http_users(void **state)
{
	assert_http(*state, &http_cases[4]);
}

static void test_http_terminate_connections(void **state)
{
	assert_http(*state, &http_cases[5]);
}

static void test_http_prefix_is_requested_but_need_not_be_signed(void **state)
{
	struct buf out = BUF_NULL;

	assert_int_equal(signer_put_target(*state, &(struct sign_request){
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

static void test_http_without_room_leaves_nothing(void **state)
{
	const struct sign_request request = {
		.method = "GET", .signed_path = "/a", .path = "/a", .unix_s = TIME,
	};
	struct buf out;

	buf_init(&out, 100);
	assert_int_equal(signer_put_target(*state, &request, KEY, SECRET, &out), -ENOBUFS);
	assert_text(&out, "");
}

/* Nothing of one request is left in the next, whatever its end. */
static void test_requests_do_not_depend_on_those_before(void **state)
{
	const struct sign_request other = {
		.method = "GET", .signed_path = "/a", .path = "/a", .unix_s = TIME,
	};
	struct buf none;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(http_cases); i++) {
		buf_init(&none, 100);
		assert_int_equal(signer_put_target(*state, &other, "key", "another secret", &none),
				 -ENOBUFS);
		buf_deinit(&none);
		assert_http(*state, &http_cases[i % ARRAY_SIZE(http_cases)]);
	}
}

static void test_secrets_may_be_short_or_long(void **state)
{
	static const struct { const char *secret, *signature; } cases[] = {
		{ "", "f75cc0be9bd8b464c5a8a9a70ad94147860277045b80cfa4bb5b7f3a0f4439a9" },
		{ SECRET SECRET SECRET SECRET SECRET,
		  "082c727320380908d391af0dc18b79d64e8caddd5ca12491a691c719df633916" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = BUF_NULL;

		assert_int_equal(signer_put_target(*state, &(struct sign_request){
			.method = "GET", .signed_path = "/a", .path = "", .unix_s = TIME,
		}, KEY, cases[i].secret, &out), 0);
		buf_consume(&out, strlen("?" PARAMS "&auth_signature="));
		assert_text(&out, cases[i].signature);
	}
}

static int make_signer(void **state)
{
	return signer_new((struct signer **)state);
}

static int free_signer(void **state)
{
	signer_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_events),
		cmocka_unit_test(test_http_batch_events),
		cmocka_unit_test(test_http_channels),
		cmocka_unit_test(test_http_channel),
		cmocka_unit_test(test_http_users),
		cmocka_unit_test(test_http_terminate_connections),
		cmocka_unit_test(test_http_prefix_is_requested_but_need_not_be_signed),
		cmocka_unit_test(test_http_without_room_leaves_nothing),
		cmocka_unit_test(test_requests_do_not_depend_on_those_before),
		cmocka_unit_test(test_secrets_may_be_short_or_long),
	};

	return cmocka_run_group_tests_name("signer", tests, make_signer, free_signer);
}
