/* SPDX-License-Identifier: MIT */
/*
 * The hub as a server: libwebsockets, one port for WebSocket and HTTP API, signals, the loop.
 *
 * Owns the app and all sessions (session.h). What a session says and hears is http_side.h and
 * ws_side.h; what it means is app.h and http_api.h. What goes wrong on purpose is play.h.
 */
#ifndef CHAPI_HUB_SERVER_H
#define CHAPI_HUB_SERVER_H

#include "tests/hub/app.h"

/* Texts are borrowed until server_free(). */
struct server_settings {
	const char *address;		/* IPv4, in digits */
	unsigned int port;		/* 0: any free one */
	const char *tls_cert, *tls_key;	/* PEM files; both NULL: no TLS */
	uint64_t http_timeout_ms;	/* for the body of a request */
	const char *script;		/* a file of rules (script.h), or NULL */
	const char *control;		/* the path of a socket for control.h, or NULL */
	struct app_settings app;
};

struct server_fault {
	char text[300];			/* one line */
};

struct server;

enum { SERVER_E_LISTEN = 1, SERVER_E_TLS, SERVER_E_SCRIPT };

/*
 * Listens when it returns, and has taken over SIGTERM and SIGINT. 0, -errno (our own trouble),
 * or SERVER_E_* and ret_fault.
 */
int server_new(const struct server_settings *settings, struct server **ret_server,
	       struct server_fault *ret_fault) MUST_CHECK;
struct server *server_free(struct server *server);
unsigned int server_port(const struct server *server);

/* Until one of the signals; then clients are asked to come back later, and given a moment to
 * say goodbye. -EIO: libwebsockets has failed. */
int server_run(struct server *server) MUST_CHECK;

#endif
