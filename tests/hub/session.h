/* SPDX-License-Identifier: MIT */
/*
 * One accepted connection of the hub: first HTTP, after an upgrade WebSocket.
 *
 * It belongs to libwebsockets' connection, as its opaque pointer, from the first callback
 * to the last one. (Not as its "user space": that is made anew for each request of a
 * connection.) Made and freed by server.c, filled by http_side.c and ws_side.c.
 */
#ifndef CHAPI_HUB_SESSION_H
#define CHAPI_HUB_SESSION_H

#include <stdbool.h>

#include <libwebsockets.h>

#include "libchapi-ipc/buf.h"
#include "libchapi-ipc/list.h"
#include "tests/hub/app.h"
#include "tests/hub/http_message.h"

struct server;
struct play;

/* What a script makes of the answer to one request (play.h). */
struct answer_fault {
	bool cut, reset;		/* no answer at all */
	bool hang_up;			/* the end after the answer, without a word of it */
	uint64_t delay_ms;
};

struct session {
	struct server *server;
	struct lws *wsi;
	struct list in_server;
	struct buf in;			/* a message or a body that is coming in */

	/* HTTP */
	struct http_request request;
	bool reading;			/* a body, until deadline_ms */
	bool close_after;		/* what the client asked for */
	uint64_t deadline_ms;
	struct answer_fault fault;
	struct http_answer held;	/* until held_until_ms; status 0: none is */
	uint64_t held_until_ms;

	/* WebSocket */
	struct app_conn *conn;		/* NULL: HTTP */
	struct list queue;		/* of struct outgoing */
	size_t queued;			/* bytes */
	int close_code;			/* 0: none is asked for */
	char close_reason[124];
	bool close_sent;
	bool dead;			/* being cut off: nothing goes out any more */
	bool frozen;			/* nothing goes out for the time being */
	struct list late;		/* of messages that a script delays */
	uint64_t ping_within_ms;	/* a script wants pings that often; 0: it does not */
	lws_sorted_usec_list_t ping_timer;
	char client[64];		/* what the client calls itself; "" */
};

struct app *session_app(const struct session *session);
uint64_t session_http_timeout_ms(const struct session *session);

struct play *session_play(const struct session *session);

/* The clocks of the hub, the only places where they are read. That of the calendar is wrong
 * when a script wants it so. */
uint64_t server_now_ms(void);
int64_t session_unix_s(const struct session *session);

/* A parameter of the URL, decoded, "name=value": the i-th. NULL: there are no more. */
const char *session_url_param(struct session *session, int i, char *buf, size_t buf_len);
const char *session_header(struct session *session, enum lws_token_indexes token, char *buf,
			   size_t buf_len);

#endif
