/* SPDX-License-Identifier: MIT */
/*
 * HTTP requests by libcurl: see http_exchange.h.
 *
 * A status of 400 and more is an answer like any other: the caller sees it. Redirects are not
 * followed, as they may lead anywhere; proxies and cookies are not used.
 */
#include "clients/http_exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "clients/answer.h"
#include "clients/cli.h"
#include "clients/mend.h"
#include "common/utf8.h"
#include "libchapi-ipc/chapi-ipc-msgpack.h"

#define HEADERS_MAX 200
#define HEAD_MAX ((size_t)256 << 10)	/* of all headers of an answer */

struct http_client {
	CURLM *multi;
};

/* A header of an answer: "name\0value\0", the name in lower case. */
struct header {
	char *name, *value;
};

struct http_exchange {
	struct http_client *client;
	CURL *easy;
	struct curl_slist *lines;
	struct http_request request;
	struct http_limits limits;
	struct header headers[HEADERS_MAX];
	size_t n_headers, head_len;
	char *body;
	size_t body_len, body_cap;
	bool too_large, over;
	CURLcode result;
	char fault[CURL_ERROR_SIZE];
};

/* ---- the client ---- */

int http_client_new(struct http_client **ret_client)
{
	struct http_client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == 0)
		client->multi = curl_multi_init();
	if (!client->multi) {
		free(client);
		return -ENOMEM;
	}
	*ret_client = client;
	return 0;
}

struct http_client *http_client_free(struct http_client *client)
{
	if (!client)
		return NULL;
	curl_multi_cleanup(client->multi);
	curl_global_cleanup();
	free(client);
	return NULL;
}

/* curl's bits are its own. */
static void to_curl(const struct pollfd *fds, nfds_t n, struct curl_waitfd *waits,
		    unsigned int *n_waits)
{
	*n_waits = 0;
	for (nfds_t i = 0; i < n; i++) {
		short events = (short)((fds[i].events & POLLIN ? CURL_WAIT_POLLIN : 0) |
				       (fds[i].events & POLLOUT ? CURL_WAIT_POLLOUT : 0));

		if (fds[i].fd >= 0)
			waits[(*n_waits)++] = (struct curl_waitfd){ fds[i].fd, events, 0 };
	}
}

int http_client_poll(struct http_client *client, struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct curl_waitfd *waits CLEANUP(cli_free) = calloc(n + 1, sizeof(*waits));
	unsigned int n_waits;

	if (!waits)
		return -ENOMEM;
	to_curl(fds, n, waits, &n_waits);
	if (timeout_ms < 0)
		timeout_ms = 3600 * 1000;	/* curl has no "for ever" */
	return curl_multi_poll(client->multi, waits, n_waits, timeout_ms, NULL) == CURLM_OK
		       ? 0 : -ENOMEM;
}

void http_client_step(struct http_client *client)
{
	struct http_exchange *exchange;
	CURLMsg *message;
	int n;

	curl_multi_perform(client->multi, &n);
	while ((message = curl_multi_info_read(client->multi, &n))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
		exchange->over = true;
		exchange->result = message->data.result;
	}
}

/* ---- what comes ---- */

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct http_exchange *e = user;
	size_t len = size * n, cap = e->body_cap;
	char *p;

	if (len > e->limits.body_max - e->body_len) {
		e->too_large = true;
		return 0;
	}
	while (cap < e->body_len + len)
		cap = cap ? 2 * cap : 16384;
	p = cap > e->body_cap ? realloc(e->body, cap) : e->body;
	if (!p && len > 0)
		return 0;
	e->body = p;
	e->body_cap = cap;
	if (len > 0)
		memcpy(e->body + e->body_len, data, len);
	e->body_len += len;
	return len;
}

static void drop_headers(struct http_exchange *e)
{
	while (e->n_headers > 0)
		free(e->headers[--e->n_headers].name);
	e->head_len = 0;
}

/* False: no memory. */
static bool add_header(struct http_exchange *e, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	char *copy;

	if (!colon || e->n_headers == HEADERS_MAX)
		return true;
	copy = malloc(len + 1);
	if (!copy)
		return false;
	memcpy(copy, line, len);
	while (len > 0 && strchr(" \t\r\n", copy[len - 1]))
		len--;
	copy[len] = '\0';
	copy[colon - line] = '\0';
	for (char *p = copy; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 'a' - 'A');
	e->headers[e->n_headers].name = copy;
	copy += (colon - line < (ptrdiff_t)len) ? colon - line + 1 : (ptrdiff_t)len;
	e->headers[e->n_headers++].value = copy + strspn(copy, " \t");
	return true;
}

/* An answer may follow others (100 Continue): the last one counts. */
static size_t on_header(char *data, size_t size, size_t n, void *user)
{
	struct http_exchange *e = user;
	size_t len = size * n;

	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		drop_headers(e);
		return len;
	}
	e->head_len += len;
	if (e->head_len > HEAD_MAX) {
		e->too_large = true;
		return 0;
	}
	return add_header(e, data, len) ? len : 0;
}

/* ---- starting ---- */

/* Options of curl can fail for want of memory only. */
#define SET(e, option, value) (curl_easy_setopt((e)->easy, option, value) == CURLE_OK)

static bool set_limits(struct http_exchange *e)
{
	if (e->limits.timeout_ms > 0 &&
	    !SET(e, CURLOPT_TIMEOUT_MS, (long)(e->limits.timeout_ms < INT32_MAX
						       ? e->limits.timeout_ms : INT32_MAX)))
		return false;
#if LIBCURL_VERSION_NUM >= 0x075500
	if (!SET(e, CURLOPT_PROTOCOLS_STR, "http,https"))
		return false;
#else
	if (!SET(e, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)))
		return false;
#endif
	return SET(e, CURLOPT_PATH_AS_IS, 1L) && SET(e, CURLOPT_FOLLOWLOCATION, 0L) &&
	       SET(e, CURLOPT_PROXY, "") && SET(e, CURLOPT_NOSIGNAL, 1L) &&
	       SET(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

static bool set_body(struct http_exchange *e)
{
	const struct http_request *r = &e->request;

	if (strcmp(r->method, "HEAD") == 0)
		return SET(e, CURLOPT_NOBODY, 1L);
	if (r->body && !(SET(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len) &&
			 SET(e, CURLOPT_POSTFIELDS, r->body)))
		return false;
	return SET(e, CURLOPT_CUSTOMREQUEST, r->method);
}

/* curl would add some of its own. */
static bool add_lines(struct http_exchange *e)
{
	static const char *const unwanted[] = { "Expect:", "Content-Type:" };
	struct curl_slist *lines;
	bool has_type = false;

	for (size_t i = 0; i < e->request.n_headers; i++) {
		has_type |= strncasecmp(e->request.headers[i], "content-type:", 13) == 0;
		lines = curl_slist_append(e->lines, e->request.headers[i]);
		if (!lines)
			return false;
		e->lines = lines;
	}
	for (size_t i = 0; i < ARRAY_SIZE(unwanted) - has_type; i++) {
		lines = curl_slist_append(e->lines, unwanted[i]);
		if (!lines)
			return false;
		e->lines = lines;
	}
	return true;
}

static bool set_all(struct http_exchange *e)
{
	return add_lines(e) && SET(e, CURLOPT_HTTPHEADER, e->lines) &&
	       SET(e, CURLOPT_URL, e->request.url) && set_limits(e) && set_body(e) &&
	       SET(e, CURLOPT_PRIVATE, e) && SET(e, CURLOPT_ERRORBUFFER, e->fault) &&
	       SET(e, CURLOPT_WRITEFUNCTION, on_body) && SET(e, CURLOPT_WRITEDATA, e) &&
	       SET(e, CURLOPT_HEADERFUNCTION, on_header) && SET(e, CURLOPT_HEADERDATA, e);
}

int http_exchange_start(struct http_client *client, struct http_request *request,
			const struct http_limits *limits, struct http_exchange **ret_exchange)
{
	struct http_exchange *e = calloc(1, sizeof(*e));

	if (!e) {
		http_request_deinit(request);
		return -ENOMEM;
	}
	e->request = *request;
	*request = (struct http_request){ 0 };
	e->limits = *limits;
	e->easy = curl_easy_init();
	if (!e->easy || !set_all(e) || curl_multi_add_handle(client->multi, e->easy) != CURLM_OK) {
		http_exchange_free(e);
		return -ENOMEM;
	}
	e->client = client;
	*ret_exchange = e;
	return 0;
}

struct http_exchange *http_exchange_free(struct http_exchange *e)
{
	if (!e)
		return NULL;
	if (e->client)
		curl_multi_remove_handle(e->client->multi, e->easy);
	curl_easy_cleanup(e->easy);
	curl_slist_free_all(e->lines);
	http_request_deinit(&e->request);
	drop_headers(e);
	free(e->body);
	free(e);
	return NULL;
}

bool http_exchange_is_over(const struct http_exchange *e)
{
	return e->over;
}

/* ---- the answer ---- */

static int put_text(msgpack_packer *packer, const char *text, size_t len)
{
	int r;

	if (!utf8_is_valid(span_of(text, len))) {
		r = msgpack_pack_bin(packer, len);
		return r < 0 ? r : msgpack_pack_bin_body(packer, text, len);
	}
	r = msgpack_pack_str(packer, len);
	return r < 0 ? r : msgpack_pack_str_body(packer, text ? text : "", len);
}

static int put_key(msgpack_packer *packer, const char *key)
{
	return put_text(packer, key, strlen(key));
}

static const char *find_header(const struct http_exchange *e, const char *name)
{
	for (size_t i = 0; i < e->n_headers; i++)
		if (strcmp(e->headers[i].name, name) == 0)
			return e->headers[i].value;
	return NULL;
}

static bool is_passed_on(const struct http_exchange *e, const struct header *header)
{
	return utf8_is_valid(span_of(header->name, strlen(header->name))) &&
	       !http_is_hop_by_hop(header->name, strlen(header->name),
				    find_header(e, "connection"));
}

static bool is_first(const struct http_exchange *e, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(e->headers[i].name, e->headers[index].name) == 0)
			return false;
	return true;
}

/* Of several with one name: an array of them. */
static int put_values(msgpack_packer *packer, const struct http_exchange *e, const char *name)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < e->n_headers; i++)
		n += strcmp(e->headers[i].name, name) == 0;
	if (n > 1)
		r = msgpack_pack_array(packer, n);
	for (size_t i = 0; i < e->n_headers && r == 0; i++)
		if (strcmp(e->headers[i].name, name) == 0)
			r = put_text(packer, e->headers[i].value, strlen(e->headers[i].value));
	return r;
}

static int put_headers(msgpack_packer *packer, const struct http_exchange *e)
{
	size_t n = 0;
	int r;

	for (size_t i = 0; i < e->n_headers; i++)
		n += is_first(e, i) && is_passed_on(e, &e->headers[i]);
	r = msgpack_pack_map(packer, n);
	for (size_t i = 0; i < e->n_headers && r == 0; i++) {
		if (!is_first(e, i) || !is_passed_on(e, &e->headers[i]))
			continue;
		r = put_key(packer, e->headers[i].name);
		if (r == 0)
			r = put_values(packer, e, e->headers[i].name);
	}
	return r;
}

static bool says_json(const struct http_exchange *e)
{
	const char *type = find_header(e, "content-type");
	size_t len = type ? strcspn(type, "; ") : 0;

	return (len == 16 && strncasecmp(type, "application/json", len) == 0) ||
	       (len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0);
}

/* A value, if it is said to be JSON and is; else text, or bytes. */
static int put_body(msgpack_packer *packer, const struct http_exchange *e)
{
	void *value CLEANUP(cli_free) = NULL;
	size_t len;

	if (says_json(e) && e->body &&
	    chapi_json_to_msgpack(e->body, e->body_len, &value, &len, NULL, 0) == 0)
		return msgpack_sbuffer_write(packer->data, value, len);
	return put_text(packer, e->body, e->body_len);
}

static int put_answer(msgpack_packer *packer, const struct http_exchange *e)
{
	long status = 0;
	int r;

	curl_easy_getinfo(e->easy, CURLINFO_RESPONSE_CODE, &status);
	r = msgpack_pack_map(packer, 3);
	if (r == 0)
		r = put_key(packer, "status");
	if (r == 0)
		r = msgpack_pack_long(packer, status);
	if (r == 0)
		r = put_key(packer, "headers");
	if (r == 0)
		r = put_headers(packer, e);
	if (r == 0)
		r = put_key(packer, "body");
	return r == 0 ? put_body(packer, e) : r;
}

static void answer_result(const struct http_exchange *e, chapi_request *request)
{
	msgpack_packer packer;
	msgpack_sbuffer value;

	msgpack_sbuffer_init(&value);
	msgpack_packer_init(&packer, &value, msgpack_sbuffer_write);
	if (put_answer(&packer, e) < 0)
		chapi_request_drop(request);
	else
		(void)chapi_answer_sbuffer(request, &value);
	msgpack_sbuffer_destroy(&value);
}

/* Has the service seen nothing of the request? */
static bool is_not_reached(CURLcode code)
{
	return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
	       code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION;
}

static void answer_failure(const struct http_exchange *e, chapi_request *request)
{
	const char *why = *e->fault ? e->fault : curl_easy_strerror(e->result);
	char message[CURL_ERROR_SIZE + 100];

	snprintf(message, sizeof(message), "the HTTP service: %s", why);
	mend_line(message, strlen(message));
	if (is_not_reached(e->result))
		answer_busy(request, message);
	else if (e->result == CURLE_OPERATION_TIMEDOUT)
		(void)chapi_answer_error(request, e->limits.own_limit ? "timeout" : "cancelled",
					 message, NULL);
	else
		(void)chapi_answer_error(request, "http", message, NULL);
}

void http_exchange_answer(const struct http_exchange *e, chapi_request *request)
{
	char message[100];

	if (e->too_large) {
		snprintf(message, sizeof(message), "the answer is larger than %zu bytes",
			 e->limits.body_max);
		(void)chapi_answer_error(request, "too_large", message, NULL);
	} else if (e->result != CURLE_OK) {
		answer_failure(e, request);
	} else {
		answer_result(e, request);
	}
}
