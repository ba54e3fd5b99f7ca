/* SPDX-License-Identifier: MIT */
/*
 * The parts of the setting proxy.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "common/common.h"
#include "gateway/proxy.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_and_port),
		cmocka_unit_test(test_port_that_is_none_is_that_of_proxies),
		cmocka_unit_test(test_address_in_brackets),
		cmocka_unit_test(test_user_and_password),
	};

	return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
