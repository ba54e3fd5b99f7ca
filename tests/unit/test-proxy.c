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

#include <malloc.h>
#include <string.h>

#include "common/common.h"
#include "gateway/config_keys.h"
#include "gateway/proxy.h"
#include "gateway/ws_link.h"

#define LOGIN "ann:hush-proxy"

static unsigned int n_freed, n_told;	/* blocks; of these, with the login in it */

void __real_free(void *p);
void __wrap_free(void *p);

void __wrap_free(void *p)
{
	n_freed++;
	if (p && memmem(p, malloc_usable_size(p), LOGIN, strlen(LOGIN)))
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
	check("http://ann@proxy.example", "proxy.example", 3128, "ann");
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
		cmocka_unit_test(test_password_is_wiped),
		cmocka_unit_test(test_password_on_its_way_to_the_websocket_is_wiped),
		cmocka_unit_test(test_password_of_the_setting_is_wiped),
	};

	return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
