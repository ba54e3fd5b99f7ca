/* SPDX-License-Identifier: MIT */
/*
 * HTTP requests on the event loop: one request, one callback.
 *
 * libcurl's multi interface. Connections are kept and limited in number; redirects are not
 * followed; nothing is taken from the environment. What an answer means is its caller's business.
 */
#ifndef CHAPI_HTTP_H
#define CHAPI_HTTP_H

#include <stdbool.h>

#include "common/common.h"

struct event_base;
struct http;

/* Of the body of an answer to a POST; the rest is read and dropped. */
#define HTTP_BODY_MAX (16 * 1024)
#define HTTP_GET_BODY_MAX (1024 * 1024)	/* likewise, to a GET */

struct http_config {
	const char *origin;		/* "https://HOST:PORT": where all requests go */
	const char *ca_file;		/* trusted beside the system's authorities; NULL: none */
	const char *proxy;		/* as proxy_init() has it; NULL: none, ever */
	unsigned int connections;	/* kept and used at once */
	uint64_t timeout_ms;		/* of a request, connecting included */
};

struct http_response {
	unsigned int status;		/* 0: no answer, see error */
	struct span body;
	const char *error;		/* NULL, or one line for people */
	/* With error: the server surely has seen nothing of the request. */
	bool unsent;
	/* With error: an X509_V_ERR_*; 0: the certificate was not the trouble. */
	int certificate_error;
	int64_t date;			/* the server's clock, Unix s; 0: not said, or status 200 */
	unsigned int retry_after_s;	/* 0: it did not say */
};

/*
 * Everything is borrowed for the time of the call, in which http_send() is allowed, http_free()
 * not.
 */
typedef void (*http_fn)(void *data, const struct http_response *response);

/* config is borrowed for the time of the call. */
int http_new(struct event_base *base, const struct http_config *config,
	     struct http **ret_http) MUST_CHECK;
/* From the next request on. */
void http_set_limits(struct http *http, unsigned int connections, uint64_t timeout_ms);
/* Requests under way are dropped, callbacks not called. */
struct http *http_free(struct http *http);

struct http_request {
	const char *target;		/* path and query, encoded already */
	struct span body;		/* JSON */
	uint64_t within_ms;		/* a shorter limit than timeout_ms; 0: none */
	bool once;			/* never sent twice */
	bool get;			/* GET, without a body; else POST */
};

/* The request is copied. fn is called once, later; not if this failed. */
int http_send(struct http *http, const struct http_request *request, http_fn fn,
	      void *data) MUST_CHECK;

#endif
