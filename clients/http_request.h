/* SPDX-License-Identifier: MIT */
/*
 * An HTTP request, made from the params of a call: {method, path, query, headers, body}.
 *
 * No I/O: http_exchange.h sends it. What a caller writes cannot lead away from the base URL, nor
 * end a header's line.
 */
#ifndef CHAPI_CLIENTS_HTTP_REQUEST_H
#define CHAPI_CLIENTS_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

/* The params are not such a request, or the URL is no base; fault says why, in one line. */
enum { HTTP_E_FAULT = 1 };

struct http_request {
	char *method, *url;
	char **headers;		/* "Name: value", ends with NULL; owned as the rest */
	size_t n_headers;
	char *body;		/* NULL: none */
	size_t body_len;
};

#define HTTP_METHOD_MAX 20

/* http or https, a host, perhaps a path; nothing else. 0, HTTP_E_FAULT, -ENOMEM. */
int http_check_base(const char *url, char *fault, size_t fault_len);

/* params: MessagePack. 0, HTTP_E_FAULT, -ENOMEM. */
int http_request_make(const char *base, const void *params, size_t len,
		      struct http_request *ret_request, char *fault, size_t fault_len);
/* One more header; the value has no line break. 0, -ENOMEM. */
int http_request_add_header(struct http_request *request, const char *name, const char *value);
void http_request_deinit(struct http_request *request);

/*
 * Is that header one of a connection, not of the message (or one that we write ourselves)? Those
 * are passed on in neither direction. connection: the value of Connection, which names more, or
 * NULL.
 */
bool http_is_hop_by_hop(const char *name, size_t len, const char *connection);

#endif
