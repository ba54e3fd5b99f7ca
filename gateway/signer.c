/* SPDX-License-Identifier: MIT */
/*
 * What OpenSSL needs for a signature is made when the first one is wanted, not at the start, which
 * it would delay. An OpenSSL that allows approved algorithms alone has no MD5: requests with a body
 * cannot be signed then.
 */
#include "gateway/signer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "gateway/sign.h"

struct signer {
	EVP_MAC_CTX *hmac;	/* HMAC-SHA256; NULL until it is needed, as is md5 */
	EVP_MD *md5;
	EVP_MD_CTX *digest;
	struct buf text;	/* what is signed, and its memory */
};

int signer_new(struct signer **ret_signer)
{
	struct signer *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->digest = EVP_MD_CTX_new();
	if (!s->digest) {
		free(s);
		return -ENOMEM;
	}
	*ret_signer = s;
	return 0;
}

struct signer *signer_free(struct signer *s)
{
	if (!s)
		return NULL;
	EVP_MAC_CTX_free(s->hmac);
	EVP_MD_free(s->md5);
	EVP_MD_CTX_free(s->digest);
	buf_deinit(&s->text);
	free(s);
	return NULL;
}

static EVP_MAC_CTX *make_hmac(void)
{
	char name[] = "SHA256";		/* OpenSSL wants one that it could write to */
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	EVP_MAC_CTX *hmac = mac ? EVP_MAC_CTX_new(mac) : NULL;

	EVP_MAC_free(mac);
	if (hmac && EVP_MAC_CTX_set_params(hmac, params) == 1)
		return hmac;
	EVP_MAC_CTX_free(hmac);
	return NULL;
}

static int put_hmac(struct signer *s, struct span secret, struct span text, struct buf *out)
{
	char hex[SIGN_HEX_LEN + 1];
	uint8_t mac[EVP_MAX_MD_SIZE];
	size_t len = 0;

	if (!s->hmac)
		s->hmac = make_hmac();
	if (!s->hmac || EVP_MAC_init(s->hmac, secret.p, secret.len, NULL) != 1 ||
	    EVP_MAC_update(s->hmac, text.p, text.len) != 1 ||
	    EVP_MAC_final(s->hmac, mac, &len, sizeof(mac)) != 1 || len * 2 != SIGN_HEX_LEN)
		return -ENOTSUP;
	sign_put_hex(mac, len, hex);
	buf_put(out, hex, SIGN_HEX_LEN);
	return 0;
}

static int put_md5(struct signer *s, struct span text, struct buf *out)
{
	char hex[SIGN_MD5_HEX_LEN + 1];
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (!s->md5)
		s->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	if (!s->md5 || EVP_DigestInit_ex(s->digest, s->md5, NULL) != 1 ||
	    EVP_DigestUpdate(s->digest, text.p, text.len) != 1 ||
	    EVP_DigestFinal_ex(s->digest, md, &len) != 1 || len * 2 != SIGN_MD5_HEX_LEN)
		return -ENOTSUP;
	sign_put_hex(md, len, hex);
	buf_put(out, hex, SIGN_MD5_HEX_LEN);
	return 0;
}

/* The parameters, in the order of their names, as both the signature and the target have them. */
static int put_params(struct signer *s, const struct sign_request *request, const char *key,
		      struct buf *out)
{
	int r = 0;

	buf_put_str(out, "auth_key=");
	buf_put_str(out, key);
	buf_printf(out, "&auth_timestamp=%" PRId64 "&auth_version=1.0", request->unix_s);
	if (request->body.len > 0) {
		buf_put_str(out, "&body_md5=");
		r = put_md5(s, request->body, out);
	}
	if (request->query) {
		buf_put_byte(out, '&');
		buf_put_str(out, request->query);
	}
	return r < 0 ? r : buf_error(out);
}

/* What is signed, and in it the parameters. */
static int put_text(struct signer *s, const struct sign_request *request, const char *key,
		    struct span *ret_params)
{
	struct buf *text = &s->text;
	size_t before;
	int r;

	buf_clear(text);
	buf_put_str(text, request->method);
	buf_put_byte(text, '\n');
	buf_put_str(text, request->signed_path);
	buf_put_byte(text, '\n');
	before = text->len;
	r = put_params(s, request, key, text);
	if (r == 0)
		*ret_params = span_of(buf_data(text) + before, text->len - before);
	return r;
}

int signer_put_target(struct signer *s, const struct sign_request *request, const char *key,
		      const char *secret, struct buf *out)
{
	size_t len_before = out->len;
	struct span params = { 0 };
	int r = put_text(s, request, key, &params);

	if (r < 0)
		return r;
	buf_put_str(out, request->path);
	buf_put_byte(out, '?');
	buf_put(out, params.p, params.len);
	buf_put_str(out, "&auth_signature=");
	r = put_hmac(s, span_str(secret), buf_span(&s->text), out);
	if (r == 0)
		r = buf_error(out);
	if (r < 0)
		buf_truncate(out, len_before);
	return r;
}
