/* SPDX-License-Identifier: MIT */
/*
 * What people are told about a certificate, and about a clock that cannot be right.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <openssl/x509_vfy.h>

#include "gateway/tls.h"

#define IN_2026 1780000000
#define HAS_LATER_TIMES (sizeof(time_t) > 4)	/* than January 2038 */

static void check(int error, time_t now, const char *text)
{
	char out[300];

	tls_describe(error, "hub.example", now, out, sizeof(out));
	assert_string_equal(out, text);
}

static void test_clock_of_1970_is_what_is_wrong(void **state UNUSED)
{
	check(X509_V_ERR_CERT_NOT_YET_VALID, 42,
	      "certificate not yet valid; this machine's clock says 1970");
	if (HAS_LATER_TIMES)
		check(X509_V_ERR_CERT_HAS_EXPIRED, (time_t)4200000000,
		      "certificate expired; this machine's clock says 2103");
}

static void test_clock_that_may_be_right_is_shown_in_full(void **state UNUSED)
{
	check(X509_V_ERR_CERT_NOT_YET_VALID, IN_2026,
	      "the certificate of hub.example is not yet valid; "
	      "this machine's clock says 2026-05-28 20:26 UTC");
	check(X509_V_ERR_CERT_HAS_EXPIRED, IN_2026, "the certificate of hub.example has expired; "
	      "this machine's clock says 2026-05-28 20:26 UTC");
}

static void test_clock_is_not_blamed_for_other_faults(void **state UNUSED)
{
	check(X509_V_ERR_HOSTNAME_MISMATCH, 42,
	      "the certificate is for another name than hub.example");
	assert_true(tls_is_about_time(X509_V_ERR_CERT_NOT_YET_VALID));
	assert_true(tls_is_about_time(X509_V_ERR_CERT_HAS_EXPIRED));
	assert_false(tls_is_about_time(X509_V_ERR_HOSTNAME_MISMATCH));
	assert_false(tls_is_about_time(X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN));
}

static void test_clock_absurd_or_not(void **state UNUSED)
{
	assert_true(tls_clock_is_absurd(0));
	assert_true(tls_clock_is_absurd(-1));
	assert_true(tls_clock_is_absurd(1577836800));	/* 2020 */
	assert_false(tls_clock_is_absurd(IN_2026));
	if (HAS_LATER_TIMES) {
		assert_false(tls_clock_is_absurd((time_t)4070908800));	/* 2099 */
		assert_true(tls_clock_is_absurd((time_t)4200000000));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_of_1970_is_what_is_wrong),
		cmocka_unit_test(test_clock_that_may_be_right_is_shown_in_full),
		cmocka_unit_test(test_clock_is_not_blamed_for_other_faults),
		cmocka_unit_test(test_clock_absurd_or_not),
	};

	return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
