/* SPDX-License-Identifier: MIT */
/*
 * What the service manager is told: ready, how it is, reloading, stopping, still alive.
 *
 * The protocol of sd_notify(3), spoken directly: datagrams of lines to the socket that
 * $NOTIFY_SOCKET names. Nobody waits for the manager: what it does not take now is kept as the
 * newest state, and said when it does. Without a manager every call here does nothing.
 */
#ifndef CHAPI_NOTIFY_H
#define CHAPI_NOTIFY_H

#include "common/common.h"

struct event_base;
struct notify;

/*
 * From the environment: $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID. 0 and NULL: there is no
 * manager, or the variable makes no sense, which is logged. While the loop turns, the watchdog is
 * fed at half its time. -errno: our own trouble.
 */
int notify_new(struct event_base *base, struct notify **ret_notify) MUST_CHECK;
/* What is still to be said is tried once more. */
struct notify *notify_free(struct notify *notify);

/* NULL is fine for all of them. */
void notify_ready(struct notify *notify);		/* also: has reloaded */
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify);
/* One line for people. Control characters are replaced, and what is too long is cut. */
void notify_status(struct notify *notify, const char *text);

#endif
