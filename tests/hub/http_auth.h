/* SPDX-License-Identifier: MIT */
/*
 * Is a request to the HTTP API signed by somebody who knows the app's secret, now, and for
 * this very body? Pure: the time comes in.
 *
 * Pusher: "HTTP API, Authentication".
 */
#ifndef CHAPI_HUB_HTTP_AUTH_H
#define CHAPI_HUB_HTTP_AUTH_H

#include "tests/hub/http_message.h"

#define HTTP_AUTH_WINDOW_S 600	/* that a client's clock may be off, either way */

enum { HTTP_AUTH_E_REFUSED = 1 };	/* the answer says why */

int http_auth_check(const struct http_request *request, const char *key, const char *secret,
		    int64_t unix_s, struct http_answer *answer) MUST_CHECK;

#endif
