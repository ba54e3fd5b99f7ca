/* SPDX-License-Identifier: MIT */
/*
 * Signatures for subscriptions, hashes and random bytes, by functions of OpenSSL that do all at
 * once. They look the algorithm up each time; for HTTP requests, of which there are many: signer.h.
 */
#include "gateway/sign.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void sign_put_hex(const uint8_t *p, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		ret[2 * i] = digits[p[i] >> 4];
		ret[2 * i + 1] = digits[p[i] & 15];
	}
	ret[2 * len] = '\0';
}

int sign_hmac_hex(struct span secret, struct span text, char ret[SIGN_HEX_LEN + 1])
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (secret.len > INT_MAX)
		return -EINVAL;
	/* A NULL key would mean: the one of the last time. */
	if (!HMAC(EVP_sha256(), secret.p ? (const void *)secret.p : "", (int)secret.len, text.p,
		  text.len, mac, &len) || len * 2 != SIGN_HEX_LEN)
		return -ENOTSUP;
	sign_put_hex(mac, len, ret);
	return 0;
}

int sign_md5_hex(struct span text, char ret[SIGN_MD5_HEX_LEN + 1])
{
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (EVP_Digest(text.p, text.len, md, &len, EVP_md5(), NULL) != 1 ||
	    len * 2 != SIGN_MD5_HEX_LEN)
		return -ENOTSUP;
	sign_put_hex(md, len, ret);
	return 0;
}

int sign_sha256(struct span text, uint8_t ret[32])
{
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (EVP_Digest(text.p, text.len, md, &len, EVP_sha256(), NULL) != 1 || len != 32)
		return -ENOTSUP;
	memcpy(ret, md, len);
	return 0;
}

/* The system's: OpenSSL's generator takes as long to set up as all else of the gateway. */
int sign_random(void *p, size_t len)
{
	ssize_t n = getrandom(p, len, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

void sign_wipe(void *p, size_t len)
{
	OPENSSL_cleanse(p, len);
}

bool sign_equal(const char *a, const char *b)
{
	size_t len = strlen(a);

	return len == strlen(b) && CRYPTO_memcmp(a, b, len) == 0;
}

/* Takes back what was appended when something failed. */
static int finish(struct buf *out, size_t len_before, int error)
{
	if (!error)
		error = buf_error(out);
	if (error)
		buf_truncate(out, len_before);
	return error;
}

/* The signature of what stands in text. */
static int sign_text(const char *secret, const struct buf *text, char ret[SIGN_HEX_LEN + 1])
{
	int r = buf_error(text);

	return r ? r : sign_hmac_hex(span_str(secret), buf_span(text), ret);
}

int sign_channel(const char *key, const char *secret, const char *socket_id, const char *channel,
		 struct span channel_data, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	char signature[SIGN_HEX_LEN + 1];
	size_t len_before = out->len;
	int r;

	buf_printf(&text, "%s:%s", socket_id, channel);
	if (channel_data.len > 0) {
		buf_put_byte(&text, ':');
		buf_put(&text, channel_data.p, channel_data.len);
	}
	r = sign_text(secret, &text, signature);
	if (!r)
		buf_printf(out, "%s:%s", key, signature);
	return finish(out, len_before, r);
}
