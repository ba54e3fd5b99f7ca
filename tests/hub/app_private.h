/* SPDX-License-Identifier: MIT */
/*
 * What the files of the app share.
 *
 *     app.c          connections come and go; time; what is published
 *     app_receive.c  what clients say, and what follows from it
 *     app_tell.c     what they are told, and the end of a connection
 */
#ifndef CHAPI_HUB_APP_PRIVATE_H
#define CHAPI_HUB_APP_PRIVATE_H

#include <jansson.h>

#include "libchapi-ipc/buf.h"
#include "libchapi-ipc/list.h"
#include "tests/hub/app.h"
#include "tests/hub/channels.h"
#include "tests/hub/hub_names.h"

#define CONN_MESSAGE_MAX 512	/* of an error, for people */
#define CONN_QUOTE_MAX 200	/* of a client's text within it */

struct app {
	struct app_settings settings;
	const struct app_ops *ops;
	struct list conns;
	size_t n_conns;
	uint32_t next_serial;
	struct channels channels;
};

struct app_conn {
	struct app *app;
	void *owner;
	struct list in_app;
	struct subscriber subscriber;
	bool closed;
	bool pinged;		/* and no answer yet */
	uint64_t alive_ms;	/* when the client was last heard */
	uint64_t pinged_ms;
	uint64_t window_ms;	/* client events are counted from here on */
	unsigned int n_in_window;
	char socket_id[SOCKET_ID_MAX + 1];
};

/* A client's text within a message to it: cut, and without what is not plain ASCII. */
const char *conn_quote(const char *text, char *out, size_t out_len);
#define QUOTE(text) conn_quote(text, (char[CONN_QUOTE_MAX + 1]){ 0 }, CONN_QUOTE_MAX + 1)

/* To all who are subscribed but one. */
void channel_send(struct channel *channel, const struct app_delivery *delivery,
		  const char *except);
/* What the others hear of a member: it is of the protocol, not one of their events. */
void conn_tell_of_member(struct app_conn *conn, struct channel *channel, const char *event,
			 const char *text);
void conn_leave(struct app_conn *conn, struct subscription *s);
void conn_leave_all(struct app_conn *conn);
/* Once: what comes later is not heard. */
void conn_close(struct app_conn *conn, int code, const char *reason);
void conn_close_without_memory(struct app_conn *conn);

/* An event whose data is a text; the message is appended. */
void app_put_event(struct buf *out, const char *event, const char *channel, struct span data);
/* Takes data; NULL: there was no memory for it. channel: may be NULL. user_id: of the client that
 * sends an event to a presence channel, else NULL. 0 or -ENOMEM. */
int app_put_message(struct buf *out, const char *event, const char *channel, const char *user_id,
		    json_t *data) MUST_CHECK;

/* Takes data. */
void conn_say(struct app_conn *conn, const char *event, const char *channel, json_t *data);
/* code 0: none, the connection goes on as if nothing had been. */
void conn_say_error(struct app_conn *conn, int code, const char *message);
void conn_complain(struct app_conn *conn, const char *fmt, ...) PRINTF(2, 3);
/* Says the error and closes. */
void conn_refuse(struct app_conn *conn, int code, const char *message);

#endif
