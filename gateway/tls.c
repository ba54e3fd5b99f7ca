/* SPDX-License-Identifier: MIT */
/*
 * Trust and its failures. No state of ours: a store belongs to whoever asked for it.
 */
#include "gateway/tls.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define CLOCK_LEAST 1704067200	/* 2024 */
#define CLOCK_MOST 4102444800	/* 2100 */

void tls_keep_to_the_end(void)
{
	/* Without memory for that, whatever comes next fails, and says so. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

static int add_ca_file(X509_STORE *store, const char *ca_file)
{
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());

	if (!lookup)
		return -ENOMEM;
	if (X509_LOOKUP_load_file(lookup, ca_file, X509_FILETYPE_PEM) != 1) {
		ERR_clear_error();
		return TLS_E_CA_FILE;
	}
	return 0;
}

int tls_store_new(const char *ca_file, X509_STORE **ret_store)
{
	X509_STORE *store = X509_STORE_new();
	int r = 0;

	if (!store)
		return -ENOMEM;
	/* A system without authorities of its own is no failure: ca_file may be all there is. */
	(void)X509_STORE_set_default_paths(store);
	ERR_clear_error();
	if (ca_file)
		r = add_ca_file(store, ca_file);
	if (r != 0) {
		X509_STORE_free(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

bool tls_name_matches(X509 *certificate, const char *host)
{
	ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);

	if (address) {
		ASN1_OCTET_STRING_free(address);
		return X509_check_ip_asc(certificate, host, 0) == 1;
	}
	ERR_clear_error();
	return *host && X509_check_host(certificate, host, strlen(host),
					X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

bool tls_is_about_time(int error)
{
	return error == X509_V_ERR_CERT_NOT_YET_VALID || error == X509_V_ERR_CERT_HAS_EXPIRED;
}

bool tls_clock_is_absurd(time_t now)
{
	const int64_t seconds = now;	/* time_t may have 32 bits, which end before CLOCK_MOST */

	return seconds < CLOCK_LEAST || seconds > CLOCK_MOST;
}

/* Of an absurd clock the year says all, and the certificate is not to blame. */
static void describe_time(int error, const char *host, time_t now, char *out, size_t out_len)
{
	bool early = error == X509_V_ERR_CERT_NOT_YET_VALID;
	char date[32] = "?";
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(date, sizeof(date),
			 tls_clock_is_absurd(now) ? "%Y" : "%Y-%m-%d %H:%M UTC", &tm);
	if (tls_clock_is_absurd(now))
		snprintf(out, out_len, "certificate %s; this machine's clock says %s",
			 early ? "not yet valid" : "expired", date);
	else
		snprintf(out, out_len, "the certificate of %s %s; this machine's clock says %s",
			 host, early ? "is not yet valid" : "has expired", date);
}

void tls_describe(int error, const char *host, time_t now, char *out, size_t out_len)
{
	if (tls_is_about_time(error))
		describe_time(error, host, now, out, out_len);
	else if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH)
		snprintf(out, out_len, "the certificate is for another name than %s", host);
	else
		snprintf(out, out_len,
			 "the certificate of %s is not trusted (%s); "
			 "ca_file may name who signed it",
			 host, X509_verify_cert_error_string(error));
}
