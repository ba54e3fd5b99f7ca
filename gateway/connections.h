/* SPDX-License-Identifier: MIT */
/*
 * The connections that libcurl makes to one server, and the one that is made ahead of it.
 *
 * A server that closes each connection is known by what is left open after an answer. Then the next
 * one is made at once, ahead of the request that takes it; for two seconds, as who sends often is
 * served by that, and a server that has waited for long may close it while we send: spare.h.
 *
 * Which requests go over them, and how many at once, is http.c's.
 */
#ifndef CHAPI_CONNECTIONS_H
#define CHAPI_CONNECTIONS_H

#include <curl/curl.h>
#include <stdbool.h>

#include "common/common.h"
#include "gateway/spare.h"

struct event;
struct event_base;

struct connections {
	bool closes;			/* so does the server after an answer */
	unsigned int n_open;		/* libcurl's */
	unsigned int max;		/* set by whoever sets libcurl's own limit */
	struct spare spare;
	struct event *timer;		/* ends the spare one */
	int ready_fd;			/* stands already, as libcurl does not know yet; -1: none */
};

/* c: zeroed. -ENOMEM; to be deinited either way. */
int connections_init(struct connections *c, struct event_base *base) MUST_CHECK;
/* After the last of libcurl's handles, which close their sockets through c. */
void connections_deinit(struct connections *c);
/* easy opens and closes its sockets through c, which stays where it is. */
void connections_set_options(struct connections *c, CURL *easy);
/* There was an answer, or none that is good. n_busy: requests still under way. */
void connections_answered(struct connections *c, bool good, unsigned int n_busy);
/* Before there is a request: where the server closes one after the other, the next is made. */
void connections_prepare(struct connections *c, unsigned int n_busy);

#endif
