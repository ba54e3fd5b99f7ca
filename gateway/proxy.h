/* SPDX-License-Identifier: MIT */
/*
 * The parts of the setting proxy. Pure; connecting through it is ws.h's and http.h's.
 */
#ifndef CHAPI_PROXY_H
#define CHAPI_PROXY_H

#include "common/common.h"

#define PROXY_PORT 3128	/* if the setting names none */
#define PROXY_LOGIN_MAX 90	/* bytes of USER:PASSWORD: what libwebsockets can send */

struct proxy {
	char *host;		/* a name, or an address without brackets; NULL: no proxy */
	char *auth;		/* "USER:PASSWORD"; NULL: none */
	unsigned int port;
};

#define PROXY_NULL { 0 }

/*
 * "http://[USER:PASSWORD@]HOST[:PORT]", an IPv6 address in brackets; a port that is none counts as
 * left out. 0 or -ENOMEM; proxy_deinit() follows in either case.
 */
int proxy_init(struct proxy *proxy, const char *text) MUST_CHECK;
void proxy_deinit(struct proxy *proxy);	/* wipes the password */

#endif
