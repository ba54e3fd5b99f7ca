/* SPDX-License-Identifier: MIT */
/*
 * The parts of the setting proxy. Pure; connecting through it is ws.h's and http.h's.
 */
#ifndef CHAPI_PROXY_H
#define CHAPI_PROXY_H

#include "common/common.h"

#define PROXY_PORT 3128	/* if the setting names none */
#define PROXY_LOGIN_MAX 90	/* bytes of USER:PASSWORD, decoded: what libwebsockets can send */

struct proxy {
	char *host;		/* a name, or an address without brackets; NULL: no proxy */
	char *auth;		/* "USER:PASSWORD", always with a colon, decoded; NULL: none */
	unsigned int port;
};

#define PROXY_NULL { 0 }

/*
 * "http://[USER:PASSWORD@]HOST[:PORT]", an IPv6 address in brackets; a port that is none counts as
 * left out. In user and password %XX is the character of that code; any other % is itself. 0;
 * -EINVAL: a control character in them; -E2BIG: more than PROXY_LOGIN_MAX bytes; -ENOMEM.
 * proxy_deinit() follows in any case.
 */
int proxy_init(struct proxy *proxy, const char *text) MUST_CHECK;
void proxy_deinit(struct proxy *proxy);	/* wipes the password */
/*
 * The same as a URL that every reader of URLs understands alike, whatever is in the password. The
 * caller's, to be ended by proxy_free_url(); NULL: no memory.
 */
char *proxy_url(const struct proxy *proxy) MUST_CHECK;
void proxy_free_url(char *url);		/* wipes it; NULL: nothing is done */

#endif
