/* SPDX-License-Identifier: MIT */
/*
 * The parts of the setting proxy, and that its password is wiped wherever it was.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <string.h>

#include "common/common.h"
#include "gateway/config_keys.h"
#include "gateway/http.h"
#include "gateway/proxy.h"
#include "gateway/ws_link.h"

#define USER "ann:hush"
#define LOGIN USER "-proxy"

static unsigned int n_freed, n_told;	/* blocks; of these, with the login in it */

void __real_free(void *p);
void __wrap_free(void *p);

void __wrap_free(void *p)
{
	n_freed++;
	if (p && memmem(p, malloc_usable_size(p), USER, strlen(USER)))
		n_told++;
	__real_free(p);
}

static void check(const char *text, const char *host, unsigned int port, const char *auth)
{
	CLEANUP(proxy_deinit) struct proxy proxy = PROXY_NULL;

	assert_int_equal(proxy_init(&proxy, text), 0);
	assert_string_equal(proxy.host, host);
	assert_int_equal(proxy.port, port);
	if (auth)
		assert_string_equal(proxy.auth, auth);
	else
		assert_null(proxy.auth);
}

static void test_host_and_port(void **state UNUSED)
{
	check("http://proxy.example:8080", "proxy.example", 8080, NULL);
	check("http://10.0.0.1:80/", "10.0.0.1", 80, NULL);
	check("proxy.example:8080", "proxy.example", 8080, NULL);
}

static void test_port_that_is_none_is_that_of_proxies(void **state UNUSED)
{
	check("http://proxy.example", "proxy.example", 3128, NULL);
	check("http://proxy.example/", "proxy.example", 3128, NULL);
	check("http://proxy.example:", "proxy.example", 3128, NULL);
	check("http://proxy.example:0", "proxy.example", 3128, NULL);
	check("http://proxy.example:65536", "proxy.example", 3128, NULL);
	check("http://proxy.example:99999999999999999999", "proxy.example", 3128, NULL);
	check("http://proxy.example:65535", "proxy.example", 65535, NULL);
}

static void test_address_in_brackets(void **state UNUSED)
{
	check("http://[::1]:8080", "::1", 8080, NULL);
	check("http://[fe80::1%eth0]", "fe80::1%eth0", 3128, NULL);
	check("http://ann:secret@[::1]", "::1", 3128, "ann:secret");
	check("http://[::1", "::1", 3128, NULL);
}

static void test_user_and_password(void **state UNUSED)
{
	check("http://ann:secret@proxy.example:8080", "proxy.example", 8080, "ann:secret");
	check("http://ann:p@ss:w/rd@proxy.example", "proxy.example", 3128, "ann:p@ss:w/rd");
	check("http://ann@proxy.example", "proxy.example", 3128, "ann:");
}

static void test_user_and_password_are_decoded_once(void **state UNUSED)
{
	check("http://ann:p%40s%3as%2F%25@x", "x", 3128, "ann:p@s:s/%");
	check("http://ann:p%2540@x", "x", 3128, "ann:p%40");
	check("http://ann%3Asecret@x", "x", 3128, "ann:secret");
	check("http://ann:%C3%bc@x", "x", 3128, "ann:\xc3\xbc");
}

static void test_percent_that_begins_no_code_is_itself(void **state UNUSED)
{
	check("http://ann:100%@x", "x", 3128, "ann:100%");
	check("http://ann:%4@x", "x", 3128, "ann:%4");
	check("http://ann:%4g%g4%%41@x", "x", 3128, "ann:%4g%g4%A");
}

static void check_refused(const char *text, int error)
{
	CLEANUP(proxy_deinit) struct proxy proxy = PROXY_NULL;

	assert_int_equal(proxy_init(&proxy, text), error);
}

static void test_control_characters_are_refused(void **state UNUSED)
{
	check_refused("http://ann:hush%00@x", -EINVAL);
	check_refused("http://ann:hush%0d%0a@x", -EINVAL);
	check_refused("http://ann:%1Fhush@x", -EINVAL);
	check_refused("http://ann%7F:hush@x", -EINVAL);
}

#define TEN "1234567890"
#define EIGHTY TEN TEN TEN TEN TEN TEN TEN TEN

static void test_limit_counts_what_is_sent(void **state UNUSED)
{
	check("http://a:" EIGHTY "1234567%40@x", "x", 3128, "a:" EIGHTY "1234567@");
	check_refused("http://a:" EIGHTY "12345678%40@x", -E2BIG);
	check_refused("http://" EIGHTY TEN "@x", -E2BIG);	/* with its colon */
}

static void check_url(const char *text, const char *url)
{
	CLEANUP(proxy_deinit) struct proxy proxy = PROXY_NULL;
	char *found;

	assert_int_equal(proxy_init(&proxy, text), 0);
	found = proxy_url(&proxy);
	assert_non_null(found);
	assert_string_equal(found, url);
	proxy_free_url(found);
}

static void test_url_has_the_same_meaning_for_all(void **state UNUSED)
{
	check_url("http://proxy.example", "http://proxy.example:3128");
	check_url("http://[::1]:80/", "http://[::1]:80");
	check_url("http://ann@x", "http://ann:@x:3128");
	check_url("http://ann:p@ss:w/rd%40?#%@x", "http://ann:p%40ss%3Aw%2Frd%40%3F%23%25@x:3128");
	check_url("http://ann:\xc3\xbc@[::1]", "http://ann:%C3%BC@[::1]:3128");
}

static void begin_to_watch(void)
{
	n_freed = n_told = 0;
}

static void assert_told_nothing(void)
{
	assert_true(n_freed > 0);
	assert_int_equal(n_told, 0);
}

static void test_password_is_wiped(void **state UNUSED)
{
	struct proxy proxy;

	assert_int_equal(proxy_init(&proxy, "http://" LOGIN "@proxy.example"), 0);
	begin_to_watch();
	proxy_deinit(&proxy);
	assert_told_nothing();
	assert_int_equal(proxy_init(&proxy, "http://" LOGIN "%0a@proxy.example"), -EINVAL);
	begin_to_watch();
	proxy_deinit(&proxy);
	assert_told_nothing();
}

static void test_password_on_its_way_to_libcurl_is_wiped(void **state UNUSED)
{
	const struct http_config config = {
		.origin = "https://hub.example",
		.proxy = "http://" LOGIN "@proxy.example",
		.connections = 1,
		.timeout_ms = 1000,
	};
	struct event_base *base = event_base_new();
	struct http *http;

	assert_non_null(base);
	begin_to_watch();
	assert_int_equal(http_new(base, &config, &http), 0);
	http_free(http);
	assert_told_nothing();
	event_base_free(base);
	proxy_free_url(NULL);
}

static void test_password_on_its_way_to_the_websocket_is_wiped(void **state UNUSED)
{
	struct ws_target *copy = ws_target_copy(&(struct ws_target){
		.address = "::1", .host = "hub.example", .path = "/", .proxy_auth = LOGIN,
	});

	assert_non_null(copy);
	assert_string_equal(copy->proxy_auth, LOGIN);
	begin_to_watch();
	ws_target_free(copy);
	assert_told_nothing();
}

static void test_password_of_the_setting_is_wiped(void **state UNUSED)
{
	const struct config_key *key = config_key_find("pusher", "proxy");
	struct config config = { 0 };
	char why[200];

	assert_non_null(key);
	begin_to_watch();
	for (int i = 0; i < 2; i++)
		assert_int_equal(config_key_set(key, "http://" LOGIN "@proxy.example", &config, why,
						sizeof(why)), 0);
	assert_int_equal(config_key_set(key, LOGIN "@proxy.example", &config, why, sizeof(why)),
			 CONFIG_KEY_E_BAD);
	config_key_clear(key, &config);
	assert_told_nothing();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_and_port),
		cmocka_unit_test(test_port_that_is_none_is_that_of_proxies),
		cmocka_unit_test(test_address_in_brackets),
		cmocka_unit_test(test_user_and_password),
		cmocka_unit_test(test_user_and_password_are_decoded_once),
		cmocka_unit_test(test_percent_that_begins_no_code_is_itself),
		cmocka_unit_test(test_control_characters_are_refused),
		cmocka_unit_test(test_limit_counts_what_is_sent),
		cmocka_unit_test(test_url_has_the_same_meaning_for_all),
		cmocka_unit_test(test_password_is_wiped),
		cmocka_unit_test(test_password_on_its_way_to_libcurl_is_wiped),
		cmocka_unit_test(test_password_on_its_way_to_the_websocket_is_wiped),
		cmocka_unit_test(test_password_of_the_setting_is_wiped),
	};

	return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
