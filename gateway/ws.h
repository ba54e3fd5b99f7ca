/* SPDX-License-Identifier: MIT */
/*
 * A WebSocket client connection, as the event loop sees it: text frames out, text frames in.
 *
 * libwebsockets runs in a thread of its own (ws_client.h), so that nothing it does, a TLS
 * handshake that hangs least of all, delays the loop. What the frames say is channel.h's,
 * name look-up resolve.h's. Pings and their answers stay in the thread: for them alone the loop
 * would be woken, and it again, twice for each.
 *
 * There is at most one connection at a time. Once it is given up (ws_close(), another
 * ws_connect()) no event of it comes any more, however late the thread hears of that.
 *
 * Starting the thread sets the log level of libwebsockets, which is one for the process: its
 * warnings go to the log as "ws" at level debug.
 */
#ifndef CHAPI_WS_H
#define CHAPI_WS_H

#include <stdbool.h>

#include "common/common.h"

struct event_base;
struct ws;

#define WS_FRAME_MAX (1024 * 1024)	/* of a whole message; a larger one ends the connection */

struct ws_target {
	const char *address;	/* where to connect to: digits; the proxy's if there is one */
	const char *host;	/* name: for the request, SNI, and the check of the certificate */
	unsigned int port;
	bool tls;
	const char *path;	/* with the query */
	const char *ca_file;	/* trusted as well as the system's authorities; NULL: none */
	const char *origin;	/* NULL: no such header */
	unsigned int proxy_port;	/* of the HTTP proxy at address; 0: none */
	const char *proxy_auth;	/* "USER:PASSWORD", or NULL */
};

/* How a connection has ended. */
struct ws_end {
	unsigned int code;	/* of the close frame; 0: none came */
	struct span why;	/* one line of the system, of that frame, or of our own */
	/* Never opened: */
	bool clock;		/* the certificate is not valid at this machine's time */
	bool proxy;		/* there is a proxy, and it does not want to */
	unsigned int status;	/* of HTTP, in place of a WebSocket; 0: none came */
	unsigned int retry_after_s;	/* with it; 0: it did not say */
};

/* Called from the loop. They may call any function here but ws_free(). */
struct ws_handler {
	void (*opened)(void *data);
	void (*frame)(void *data, struct span text);
	/* See ws_keep_alive(). The connection is still there. */
	void (*silent)(void *data);
	void (*closed)(void *data, const struct ws_end *end);	/* borrowed */
};

int ws_new(struct event_base *base, const struct ws_handler *handler, void *data,
	   struct ws **ret_ws) MUST_CHECK;
/* Waits for the thread for a moment only: should it be stuck, it cleans up after itself. */
struct ws *ws_free(struct ws *ws);

/* Gives the connection up if there is one. opened or closed follows, unless this failed. */
int ws_connect(struct ws *ws, const struct ws_target *target) MUST_CHECK;
void ws_close(struct ws *ws);
/* -ENOBUFS: too much waits to be sent. Nothing is sent without a connection. */
int ws_send(struct ws *ws, struct span text) MUST_CHECK;

#define WS_PING_MAX 100		/* bytes */

/* The ping is copied. is_pong is called in the thread: is a frame that has come nothing but an
 * answer to it? Such are kept from the loop. */
struct ws_keep_alive {
	struct span ping;
	bool (*is_pong)(struct span text);
	uint64_t every_ms, answer_ms;
};

/*
 * Sends that ping every every_ms from now on. If nothing comes in for answer_ms after one,
 * handler->silent is called, once, and they end. A frame that may have waited for longer than both
 * together, as this process did not run, is not passed on: that ends the connection. 0 or -ENOMEM;
 * nothing without a connection.
 */
int ws_keep_alive(struct ws *ws, const struct ws_keep_alive *how) MUST_CHECK;
/* When that will be, if nothing comes in (monotonic); 0: no answer is waited for. */
uint64_t ws_answer_until_ms(const struct ws *ws);

#endif
