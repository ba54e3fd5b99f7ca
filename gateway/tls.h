/* SPDX-License-Identifier: MIT */
/*
 * What a TLS client needs beside its library: whom to trust, whether a certificate is for
 * the name that was meant, and words for people when it is not.
 *
 * The handshake itself is libwebsockets' (ws_client.h); HTTP has its own in libcurl.
 */
#ifndef CHAPI_TLS_H
#define CHAPI_TLS_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <time.h>

#include "common/common.h"

enum {
	TLS_E_CA_FILE = 1,	/* ca_file cannot be read, or holds no certificate */
};

/*
 * Once, before anything else of OpenSSL is used. Its memory is then the process's to the last: by
 * itself it frees what it has at exit(), under the thread of the WebSocket if that was too busy to
 * be waited for.
 */
void tls_keep_to_the_end(void);

/* The authorities of the system, and those of ca_file (NULL: none). Read anew each time. */
int tls_store_new(const char *ca_file, X509_STORE **ret_store) MUST_CHECK;

/* host: a name, or an IP address in digits (IPv6 without brackets). */
bool tls_name_matches(X509 *certificate, const char *host);

/* error: an X509_V_ERR_*. Is it about the time? Then this machine's clock may be what is wrong. */
bool tls_is_about_time(int error);
/* Such a time cannot be: before this program was written, or some decades later. */
bool tls_clock_is_absurd(time_t now);
/* One line into out. now: what this machine's clock says. */
void tls_describe(int error, const char *host, time_t now, char *out, size_t out_len);

#endif
