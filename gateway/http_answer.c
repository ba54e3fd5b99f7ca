/* SPDX-License-Identifier: MIT */
#include "gateway/http_answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "gateway/retry_after.h"

/* What is beyond the limit is dropped, not refused: an answer is an answer. */
static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_answer *a = arg;
	size_t len = size * n;

	buf_put(&a->body, p, MIN(len, a->body_max - a->body.len));
	return len;
}

/* name: with its colon. */
static bool read_header(const char *line, size_t len, const char *name, char ret[HTTP_HEADER_LEN])
{
	size_t at = strlen(name);

	if (len < at || strncasecmp(line, name, at) != 0)
		return false;
	while (at < len && line[at] == ' ')
		at++;
	snprintf(ret, HTTP_HEADER_LEN, "%.*s", (int)(len - at), line + at);
	return true;
}

bool http_is_sick(long status)
{
	return status == 408 || status == 421 || status >= 500;
}

static long status_of(CURL *easy)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct http_answer *a = arg;
	size_t len = size * n;

	/* An empty line ends the head. */
	if ((p[0] == '\r' || p[0] == '\n') && http_is_sick(status_of(a->easy)))
		curl_easy_setopt(a->easy, CURLOPT_FORBID_REUSE, 1L);
	if (!read_header(p, len, "Date:", a->date))
		(void)read_header(p, len, "Retry-After:", a->retry_after);
	return len;
}

/*
 * Was the request surely not sent? By the time that libcurl notes when its sending has begun, and
 * keeps. The error does not tell: a kept connection that breaks after all was sent has libcurl open
 * another one, and that one may be refused.
 */
static bool is_before_request(CURL *easy)
{
	curl_off_t us = 0;

	return curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &us) == CURLE_OK && us == 0;
}

static int certificate_error(CURL *easy, CURLcode code)
{
	long error = 0;

	if (code == CURLE_PEER_FAILED_VERIFICATION)
		curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &error);
	return (int)error;
}

/* To libcurl a proxy's refusal of a tunnel is no answer; of one that wants a password it is. */
static bool wants_password(CURL *easy)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status == 407;
}

/* libcurl's words for a repeat that http.c forbids speak of its callback. */
static const char *error_text(const struct http_answer *a, CURLcode code)
{
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return "the connection was closed before there was an answer";
	return *a->error ? a->error : curl_easy_strerror(code);
}

void http_answer_read(struct http_answer *a, CURLcode code, struct http_response *ret)
{
	*ret = (struct http_response){ 0 };
	if (code != CURLE_OK && wants_password(a->easy)) {
		ret->status = 407;
		return;
	}
	if (code != CURLE_OK) {
		ret->certificate_error = certificate_error(a->easy, code);
		ret->error = error_text(a, code);
		ret->unsent = is_before_request(a->easy);
		return;
	}
	ret->status = (unsigned int)status_of(a->easy);
	/* Reading a date costs more than the signature of a request: not for nothing. */
	ret->date = ret->status == 200 ? 0 : retry_after_date(a->date);
	ret->body = buf_span(&a->body);
	ret->retry_after_s = retry_after_s(a->retry_after, a->date, time(NULL));
}

void http_answer_set_options(struct http_answer *a)
{
	curl_easy_setopt(a->easy, CURLOPT_ERRORBUFFER, a->error);
	curl_easy_setopt(a->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(a->easy, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(a->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(a->easy, CURLOPT_HEADERDATA, a);
}

void http_answer_reset(struct http_answer *a)
{
	buf_deinit(&a->body);
	a->date[0] = '\0';
	a->retry_after[0] = '\0';
	a->error[0] = '\0';
}
