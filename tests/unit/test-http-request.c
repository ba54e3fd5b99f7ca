/* SPDX-License-Identifier: MIT */
/*
 * HTTP requests that chapi-serve makes of params: what goes into them, and what must not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/cli.h"
#include "clients/http_request.h"

#define BASE "http://h:1/app"

static int make(const char *params, struct http_request *ret, char *fault, size_t fault_len)
{
	void *value CLEANUP(cli_free) = NULL;
	size_t len;

	assert_int_equal(chapi_json_to_msgpack(params, strlen(params), &value, &len, NULL, 0), 0);
	return http_request_make(BASE, value, len, ret, fault, fault_len);
}

static struct http_request good(const char *params)
{
	struct http_request request;
	char fault[200] = "";
	int r = make(params, &request, fault, sizeof(fault));

	if (r != 0)
		fail_msg("%s: %s", params, fault);
	return request;
}

static void bad(const char *params, const char *said)
{
	struct http_request request;
	char fault[200] = "";
	int r = make(params, &request, fault, sizeof(fault));

	if (r != HTTP_E_FAULT || !strstr(fault, said))
		fail_msg("%s: %d, \"%s\"", params, r, fault);
}

static void check_url(const char *params, const char *url)
{
	struct http_request request = good(params);

	assert_string_equal(request.url, url);
	http_request_deinit(&request);
}

static bool has(const struct http_request *request, const char *line)
{
	for (size_t i = 0; i < request->n_headers; i++)
		if (strcmp(request->headers[i], line) == 0)
			return true;
	return false;
}

static void test_url(void **state UNUSED)
{
	check_url("{}", BASE "/");
	check_url("{\"path\":null}", BASE "/");
	check_url("{\"path\":\"/x/y\"}", BASE "/x/y");
	check_url("{\"path\":\"/a b\\u00fc%41%\"}", BASE "/a%20b%C3%BC%41%25");
	check_url("{\"path\":\"/x\",\"query\":{\"a\":\"1&=\",\"b\":[1,true]}}",
		  BASE "/x?a=1%26%3D&b=1&b=true");
	check_url("{\"query\":{}}", BASE "/");
}

static void test_path_stays_below_the_base(void **state UNUSED)
{
	static const char *const paths[] = {
		"",	     "x",	"//x",	       "/..",
		"/../x",     "/a/..",	"/a/../b",     "/.",
		"/./a",	     "/..;a/x", "/.;/x",       "/%2e%2e",
		"/%2E%2e/x", "/.%2e",	"/%252e%252e", "/%25252e%25252e/",
		"/%2f",	     "/a%2Fb",	"/%252f",      "/%5c",
		"/a\\\\b",   "/%255c",	"/%00",	       "/%2500",
		"/a?b",	     "/a#b",	"/a\\u0000b",  "/..\\\\x",
	};
	char params[100];

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		snprintf(params, sizeof(params), "{\"path\":\"%s\"}", paths[i]);
		bad(params, "path: ");
	}
	bad("{\"path\":5}", "path: ");
	check_url("{\"path\":\"/...\"}", BASE "/...");
	check_url("{\"path\":\"/a..\"}", BASE "/a..");
	check_url("{\"path\":\"/a;b\"}", BASE "/a;b");
}

static void test_method(void **state UNUSED)
{
	struct http_request request = good("{\"method\":\"patch\"}");

	assert_string_equal(request.method, "PATCH");
	http_request_deinit(&request);
	bad("{\"method\":\"\"}", "method");
	bad("{\"method\":\"GET /\"}", "method");
	bad("{\"method\":\"connect\"}", "CONNECT");
	bad("{\"method\":5}", "method");
	bad("{\"method\":\"ABCDEFGHIJKLMNOPQRSTU\"}", "method");
}

static void test_headers(void **state UNUSED)
{
	struct http_request request = good("{\"headers\":{\"X-A\":\"1\",\"X-N\":5,\"X-E\":\"\","
		"\"Connection\":\"close, x-hop\",\"X-Hop\":\"1\",\"TE\":\"x\",\"host\":\"evil\","
		"\"CHAPI-Caller\":\"uid:0\"}}");

	assert_int_equal(request.n_headers, 3);
	assert_true(has(&request, "X-A: 1") && has(&request, "X-N: 5") && has(&request, "X-E;"));
	http_request_deinit(&request);
	bad("{\"headers\":{\"X\":\"a\\r\\nY: b\"}}", "headers");
	bad("{\"headers\":{\"X\":\"a\\u0000\"}}", "headers");
	bad("{\"headers\":{\"X\\n\":\"a\"}}", "headers");
	bad("{\"headers\":{\"\":\"a\"}}", "headers");
	bad("{\"headers\":{\"X:\":\"a\"}}", "headers");
	bad("{\"headers\":[]}", "headers");
}

static void check_body(const char *params, const char *body, const char *header)
{
	struct http_request request = good(params);

	assert_int_equal(request.body_len, strlen(body));
	assert_memory_equal(request.body, body, strlen(body));
	assert_int_equal(request.n_headers, header != NULL);
	if (header)
		assert_true(has(&request, header));
	http_request_deinit(&request);
}

static void test_body(void **state UNUSED)
{
	struct http_request request = good("{\"body\":null}");

	assert_null(request.body);
	http_request_deinit(&request);
	check_body("{\"body\":\"text\"}", "text", NULL);
	check_body("{\"body\":\"\"}", "", NULL);
	check_body("{\"body\":{\"$bin\":\"YWI=\"}}", "ab", NULL);
	check_body("{\"body\":[1,null]}", "[1,null]", "Content-Type: application/json");
	check_body("{\"body\":false,\"headers\":{\"content-type\":\"x/y\"}}", "false",
		   "content-type: x/y");
}

static void test_what_else_is_no_request(void **state UNUSED)
{
	bad("5", "object");
	bad("[]", "object");
	bad("{\"url\":\"/\"}", "nothing else");
	bad("{\"query\":[]}", "query");
	bad("{\"query\":{\"a\":{}}}", "query");
	bad("{\"query\":{\"a\":[[]]}}", "query");
	bad("{\"query\":{\"a\":null}}", "query");
}

static void test_base(void **state UNUSED)
{
	static const char *const wrong[] = {
		"", "h", "h:1", "ftp://h", "file:///x", "http://", "http://h/?a", "http://h/#a",
		"http://u@h/", "http://u:p@h/",
	};
	char fault[200];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (http_check_base(wrong[i], fault, sizeof(fault)) != HTTP_E_FAULT)
			fail_msg("\"%s\" is taken", wrong[i]);
	assert_int_equal(http_check_base("http://127.0.0.1:5000", fault, sizeof(fault)), 0);
	assert_int_equal(http_check_base("https://[::1]/a/b/", fault, sizeof(fault)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_path_stays_below_the_base),
		cmocka_unit_test(test_method),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_what_else_is_no_request),
		cmocka_unit_test(test_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
