/* SPDX-License-Identifier: MIT */
/*
 * The HTTP side of a session: reads requests, has them handled, writes answers, keeps the
 * connection for the next one.
 *
 * All functions are called from libwebsockets' callback, and return what it is to return:
 * 0, or -1 to end the connection.
 */
#ifndef CHAPI_HUB_HTTP_SIDE_H
#define CHAPI_HUB_HTTP_SIDE_H

#include "tests/hub/session.h"

int http_side_request(struct session *session, const char *path) MUST_CHECK;
int http_side_body(struct session *session, const void *p, size_t len) MUST_CHECK;
int http_side_body_end(struct session *session) MUST_CHECK;
int http_side_timer(struct session *session) MUST_CHECK;
/* The client wants to go on in another protocol. */
int http_side_refuse_upgrade(struct session *session) MUST_CHECK;
void http_side_deinit(struct session *session);

#endif
