/* SPDX-License-Identifier: MIT */
/*
 * A request to the HTTP API and its answer, as values. Pure: http_side.h reads them from
 * and writes them to connections, http_auth.h checks them, http_api.h acts on them.
 */
#ifndef CHAPI_HUB_HTTP_MESSAGE_H
#define CHAPI_HUB_HTTP_MESSAGE_H

#include "libchapi-ipc/buf.h"

#define HTTP_PARAMS_MAX 32

struct http_param {
	char *name, *value;	/* decoded; the name in lower case */
};

struct http_request {
	char *method, *path;	/* the path without the query */
	struct http_param params[HTTP_PARAMS_MAX];
	size_t n_params;
	struct span body;	/* borrowed */
};

enum { HTTP_E_TOO_MANY = 1 };

int http_request_init(struct http_request *request, const char *method,
		      const char *path) MUST_CHECK;
void http_request_deinit(struct http_request *request);	/* fine for one that is all zero */
/* "name=value", decoded. */
int http_request_add(struct http_request *request, const char *param) MUST_CHECK;
/* Or NULL. */
const char *http_request_param(const struct http_request *request, const char *name);

struct http_answer {
	int status;
	const char *type;	/* static */
	struct buf body;
	struct buf headers;	/* further ones, with their line ends */
};

#define HTTP_ANSWER_NULL { .status = 0, .body = BUF_NULL, .headers = BUF_NULL }

void http_answer_deinit(struct http_answer *answer);
/* Plain text, as the service gives its errors; a line end is added. A body that memory does
 * not suffice for stays empty: the status says enough. */
void http_answer_text(struct http_answer *answer, int status, const char *fmt, ...) PRINTF(3, 4);
void http_answer_json(struct http_answer *answer, const char *json);	/* status 200 */

const char *http_status_text(int status);

#endif
