/* SPDX-License-Identifier: MIT */
/*
 * The HTTP API: one whole request in, one answer out. Pure, on top of app.h; the events in bodies
 * are http_publish.h.
 *
 * Served: POST events and batch_events, GET channels and channels/NAME. Presence, users and
 * the info parameter of events are not.
 *
 * Pusher: "HTTP API".
 */
#ifndef CHAPI_HUB_HTTP_API_H
#define CHAPI_HUB_HTTP_API_H

#include "tests/hub/app.h"
#include "tests/hub/http_message.h"

#define HTTP_API_BODY_MAX (1024 * 1024)	/* bytes; whoever reads requests keeps it */

/* Always fills the answer; unix_s is the hub's clock. */
void http_api_handle(struct app *app, const struct http_request *request, int64_t unix_s,
		     struct http_answer *answer);

#endif
