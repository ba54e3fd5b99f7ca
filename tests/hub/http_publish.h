/* SPDX-License-Identifier: MIT */
/*
 * Events that a request to the HTTP API publishes: bodies of POST events and batch_events, read,
 * checked, and given to app.h. Pure. Whether the request may is http_api.h.
 */
#ifndef CHAPI_HUB_HTTP_PUBLISH_H
#define CHAPI_HUB_HTTP_PUBLISH_H

#include "tests/hub/app.h"
#include "tests/hub/http_message.h"

#define HTTP_PUBLISH_CHANNELS_MAX 100	/* of one event */
#define HTTP_PUBLISH_BATCH_MAX 10	/* events */

/* Always fill the answer. */
void http_publish_event(struct app *app, struct span body, struct http_answer *answer);
void http_publish_batch(struct app *app, struct span body, struct http_answer *answer);

#endif
