/* SPDX-License-Identifier: MIT */
/*
 * What the files of the thread of libwebsockets share.
 *
 *     ws_client.c     the thread: its context, and what the loop wishes
 *     ws_callbacks.c  what libwebsockets says of the connection at hand
 *     ws_failure.c    why a connection did not come about
 *     ws_alive.c      its pings, and that it lives
 *     ws_tell.c       what the loop is told
 */
#ifndef CHAPI_WS_CLIENT_PRIVATE_H
#define CHAPI_WS_CLIENT_PRIVATE_H

#include <libwebsockets.h>
#include <openssl/ssl.h>

#include "gateway/keepalive.h"
#include "gateway/ws_link.h"
#include "libchapi-ipc/buf.h"

struct ws_client {
	struct ws_link *link;
	struct lws_context *context;
	struct lws_vhost *vhost;
	SSL_CTX *ssl;			/* of the context; NULL: it was made without TLS */

	/* The connection, if generation is not 0. */
	uint64_t generation;
	struct ws_target *target;
	struct lws *wsi;
	bool connected;			/* TCP is */
	bool open;
	bool reported;			/* the loop knows that it is over */
	int certificate_error;		/* X509_V_ERR_*; 0: none */
	unsigned long tls_error;	/* OpenSSL's; 0: none */
	unsigned int retry_after_s;	/* of an answer in place of a WebSocket */
	unsigned int close_code;
	struct buf close_why;
	struct buf gather;		/* the message that is coming in */
	bool paused;			/* it is not read: the loop is behind */
	uint64_t waited_since_ms;	/* what is read now may have come then */
	struct ws_pulse *pulse;		/* NULL: the loop has not asked for pings yet */
	struct keepalive keepalive;
	bool ping_is_due;
};

/* Once the connection is no more. */
void ws_client_forget(struct ws_client *c);

/* The callback of libwebsockets. */
int ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		size_t len);

/* Keeps what an answer in place of a WebSocket says beside its status. */
void ws_failure_note_answer(struct ws_client *c, struct lws *wsi);
/* Tells the loop, if it is not told yet. status: HTTP's, 0: none; hint: what libwebsockets says, if
 * it says anything. */
void ws_failure_tell(struct ws_client *c, unsigned int status, struct span hint);

/* Takes the pulse over. It may be of a connection that is no more. */
void ws_alive_start(struct ws_client *c, struct ws_pulse *pulse);
/* Something has come in, whatever it is. */
void ws_alive_heard(struct ws_client *c, struct lws *wsi);
void ws_alive_on_timer(struct ws_client *c, struct lws *wsi);
/* 0, or -1 to end the connection. */
int ws_alive_write(struct ws_client *c, struct lws *wsi);

/* Takes the item over. True: the loop is behind, read no more for now. */
bool ws_tell(struct ws_client *c, struct ws_item *item);
/* The item that was made before, or NULL. */
struct ws_item *ws_tell_take_news(struct ws_client *c, enum ws_item_kind kind);
/* Once for a connection. */
void ws_tell_end(struct ws_client *c, const struct ws_end *end);
void ws_tell_failure(struct ws_client *c, const char *fmt, ...) PRINTF(2, 3);

#endif
