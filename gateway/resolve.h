/* SPDX-License-Identifier: MIT */
/*
 * Name look-up that never blocks the loop: getaddrinfo() in a short-lived thread.
 *
 * A look-up that is abandoned goes on in its thread until the resolver gives up, and then
 * cleans up after itself; nobody waits for it.
 */
#ifndef CHAPI_RESOLVE_H
#define CHAPI_RESOLVE_H

#include "common/common.h"
#include "gateway/addresses.h"

struct event_base;
struct resolve;

struct resolve_result {
	char error[200];	/* for people; "": there are addresses */
	struct address_list list;
};

/* result is borrowed for the time of the call, in which resolve_free() is allowed. */
typedef void (*resolve_fn)(void *data, const struct resolve_result *result);

/*
 * host: a name or an address in digits. fn is called once, later. Then, or before:
 * resolve_free().
 */
int resolve_new(struct event_base *base, const char *host, resolve_fn fn, void *data,
		struct resolve **ret_resolve) MUST_CHECK;
struct resolve *resolve_free(struct resolve *resolve);	/* abandons it, if it is still under way */

#endif
