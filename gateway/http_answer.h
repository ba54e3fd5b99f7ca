/* SPDX-License-Identifier: MIT */
/*
 * What libcurl tells of the answer to one request, made a response of; or why there is none.
 *
 * Which request that was, and who wants to know, is http.c's.
 */
#ifndef CHAPI_HTTP_ANSWER_H
#define CHAPI_HTTP_ANSWER_H

#include <curl/curl.h>
#include <stdbool.h>

#include "gateway/http.h"
#include "libchapi-ipc/buf.h"

#define HTTP_HEADER_LEN 64	/* of a header's value, as far as we look at it */

struct http_answer {
	CURL *easy;			/* its owner's */
	struct buf body;
	size_t body_max;		/* bytes; what is beyond is dropped */
	char date[HTTP_HEADER_LEN];	/* these two as the hub has them */
	char retry_after[HTTP_HEADER_LEN];
	char error[CURL_ERROR_SIZE];
};

/* easy tells a what comes; a stays where it is. */
void http_answer_set_options(struct http_answer *a);
/* As before the first request. Frees the body. */
void http_answer_reset(struct http_answer *a);
/* code: how the transfer ended. ret points into a, until it is reset. */
void http_answer_read(struct http_answer *a, CURLcode code, struct http_response *ret);

/* Another server may do better. */
bool http_is_sick(long status);

#endif
