/* SPDX-License-Identifier: MIT */
/*
 * Signatures of the hub's channel subscriptions; hashes and random bytes. With signer.h, which
 * signs HTTP requests, the only place that knows OpenSSL's crypto.
 *
 * Pusher: "Generating the authentication string".
 */
#ifndef CHAPI_SIGN_H
#define CHAPI_SIGN_H

#include <stdbool.h>

#include "libchapi-ipc/buf.h"

#define SIGN_HEX_LEN 64	/* of an HMAC-SHA256 */
#define SIGN_MD5_HEX_LEN 32

/* Lower-case hex with a terminating NUL: 2 * len + 1 bytes. */
void sign_put_hex(const uint8_t *p, size_t len, char *ret);
int sign_hmac_hex(struct span secret, struct span text, char ret[SIGN_HEX_LEN + 1]) MUST_CHECK;
int sign_md5_hex(struct span text, char ret[SIGN_MD5_HEX_LEN + 1]) MUST_CHECK;
int sign_sha256(struct span text, uint8_t ret[32]) MUST_CHECK;
int sign_random(void *p, size_t len) MUST_CHECK;
void sign_wipe(void *p, size_t len);
/* Constant time for equal lengths. */
bool sign_equal(const char *a, const char *b);

/* "KEY:SIGNATURE" for a subscription; channel_data only for presence channels, else empty. */
int sign_channel(const char *key, const char *secret, const char *socket_id, const char *channel,
		 struct span channel_data, struct buf *out) MUST_CHECK;

#endif
