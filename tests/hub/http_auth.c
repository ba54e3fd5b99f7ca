/* SPDX-License-Identifier: MIT */
/*
 * Signatures of requests to the HTTP API: see http_auth.h.
 *
 * The order of the checks is that of likely mistakes: an unknown key explains a wrong
 * signature, a wrong clock does not.
 */
#include "tests/hub/http_auth.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/sign.h"

struct credentials {
	const char *key, *secret;
	int64_t unix_s;
};

typedef int (*check)(const struct http_request *request, const struct credentials *credentials,
		     struct http_answer *answer);

static int check_key(const struct http_request *request, const struct credentials *credentials,
		     struct http_answer *answer)
{
	static const char *const needed[] = {
		"auth_key", "auth_timestamp", "auth_version", "auth_signature",
	};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!http_request_param(request, needed[i])) {
			http_answer_text(answer, 401,
					 "Missing parameter %s: the request is not signed",
					 needed[i]);
			return HTTP_AUTH_E_REFUSED;
		}
	if (strcmp(http_request_param(request, "auth_key"), credentials->key) != 0) {
		http_answer_text(answer, 400, "Unknown auth_key");
		return HTTP_AUTH_E_REFUSED;
	}
	if (strcmp(http_request_param(request, "auth_version"), "1.0") != 0) {
		http_answer_text(answer, 400, "Unknown auth_version: it has to be 1.0");
		return HTTP_AUTH_E_REFUSED;
	}
	return 0;
}

static bool read_seconds(const char *text, int64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return *end == '\0' && errno == 0;
}

static const char *format_time(int64_t unix_s, char ret[32])
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		strcpy(ret, "out of range");
	return ret;
}

static int check_time(const struct http_request *request, const struct credentials *credentials,
		      struct http_answer *answer)
{
	const char *text = http_request_param(request, "auth_timestamp");
	char given[32], own[32];
	int64_t unix_s;

	if (!read_seconds(text, &unix_s)) {
		http_answer_text(answer, 401,
				 "Invalid auth_timestamp: it has to be in Unix seconds");
		return HTTP_AUTH_E_REFUSED;
	}
	if (unix_s >= credentials->unix_s - HTTP_AUTH_WINDOW_S &&
	    unix_s <= credentials->unix_s + HTTP_AUTH_WINDOW_S)
		return 0;
	http_answer_text(answer, 401, "Timestamp expired: Given timestamp (%s) not within %ds of "
			 "server time (%s)", format_time(unix_s, given), HTTP_AUTH_WINDOW_S,
			 format_time(credentials->unix_s, own));
	return HTTP_AUTH_E_REFUSED;
}

/* A library in use sends the hash of nothing along with a request that has no body: fine. */
static int check_body(const struct http_request *request,
		      const struct credentials *credentials UNUSED, struct http_answer *answer)
{
	const char *given = http_request_param(request, "body_md5");
	char expected[SIGN_MD5_HEX_LEN + 1];
	int r;

	if (!given && request->body.len == 0)
		return 0;
	if (!given) {
		http_answer_text(answer, 401, "Missing parameter body_md5: the request has a body");
		return HTTP_AUTH_E_REFUSED;
	}
	r = sign_md5_hex(request->body, expected);
	if (r < 0)
		return r;
	if (sign_equal(given, expected))
		return 0;
	http_answer_text(answer, 401, "Invalid body_md5: the MD5 of the body is %s, but you sent "
			 "\"%.100s\"", expected, given);
	return HTTP_AUTH_E_REFUSED;
}

static int compare_params(const void *a, const void *b)
{
	const struct http_param *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : strcmp(x->value, y->value);
}

/* Method, path and all parameters but the signature, with newline between. */
static int signed_text(const struct http_request *request, const char *newline, struct buf *out)
{
	struct http_param params[HTTP_PARAMS_MAX];
	const char *separator = newline;

	memcpy(params, request->params, sizeof(params));
	qsort(params, request->n_params, sizeof(params[0]), compare_params);
	buf_printf(out, "%s%s%s", request->method, newline, request->path);
	for (size_t i = 0; i < request->n_params; i++) {
		if (strcmp(params[i].name, "auth_signature") == 0)
			continue;
		buf_printf(out, "%s%s=%s", separator, params[i].name, params[i].value);
		separator = "&";
	}
	return buf_error(out);
}

static void cleanup_buf(struct buf *b)
{
	buf_deinit(b);
}

static int refuse_signature(const struct http_request *request, struct http_answer *answer)
{
	CLEANUP(cleanup_buf) struct buf shown = BUF_NULL;
	int r = signed_text(request, "\\n", &shown);

	if (r < 0)
		return r;
	http_answer_text(answer, 401, "Invalid signature: you should have sent "
			 "HmacSHA256Hex(\"%.*s\", your_secret_key), but you sent another",
			 (int)MIN(shown.len, 1500), (const char *)buf_data(&shown));
	return HTTP_AUTH_E_REFUSED;
}

static int check_signature(const struct http_request *request,
			   const struct credentials *credentials, struct http_answer *answer)
{
	CLEANUP(cleanup_buf) struct buf text = BUF_NULL;
	char expected[SIGN_HEX_LEN + 1];
	int r = signed_text(request, "\n", &text);

	if (r == 0)
		r = sign_hmac_hex(span_str(credentials->secret), buf_span(&text), expected);
	if (r < 0)
		return r;
	if (sign_equal(http_request_param(request, "auth_signature"), expected))
		return 0;
	return refuse_signature(request, answer);
}

int http_auth_check(const struct http_request *request, const char *key, const char *secret,
		    int64_t unix_s, struct http_answer *answer)
{
	static const check checks[] = { check_key, check_time, check_body, check_signature };
	const struct credentials credentials = { .key = key, .secret = secret, .unix_s = unix_s };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(checks) && r == 0; i++)
		r = checks[i](request, &credentials, answer);
	return r;
}
