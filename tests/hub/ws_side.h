/* SPDX-License-Identifier: MIT */
/*
 * The WebSocket side of a session: gathers what comes in for the app, queues what the app
 * sends, closes with a code.
 *
 * All functions are called from libwebsockets' callback, and return what it is to return:
 * 0, or -1 to end the connection.
 */
#ifndef CHAPI_HUB_WS_SIDE_H
#define CHAPI_HUB_WS_SIDE_H

#include "tests/hub/session.h"

#define WS_MESSAGE_MAX (100 * 1024)	/* of a client, all its fragments together */
#define WS_QUEUE_MAX (1024 * 1024)	/* bytes that wait for a client that does not read */

/* The app's way out; owners are sessions. Every message and every close passes here. */
extern const struct app_ops ws_side_ops;

/* For scripts: one frame. */
void ws_side_put(struct session *session, struct span text, enum lws_write_protocol how);
/* A close frame, after what is queued; code 0: an empty one. */
void ws_side_close(struct session *session, int code, const char *reason);
/* The TCP connection ends without a close frame; reset: with a reset. */
void ws_side_cut(struct session *session, bool reset);
/* Nothing is read, and with frozen nothing is written; both false: as usual. */
void ws_side_stop(struct session *session, bool deaf, bool frozen);

/* While the headers can still be read; and when the client is to be greeted. */
int ws_side_hello(struct session *session) MUST_CHECK;
int ws_side_receive(struct session *session, const void *p, size_t len) MUST_CHECK;
int ws_side_pong(struct session *session) MUST_CHECK;
int ws_side_writeable(struct session *session) MUST_CHECK;
int ws_side_timer(struct session *session) MUST_CHECK;
void ws_side_deinit(struct session *session);

#endif
