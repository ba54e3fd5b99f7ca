/* SPDX-License-Identifier: MIT */
/*
 * Beacons: the channels by which gateways are seen on a hub.
 *
 * Each gateway subscribes to private-chapi-NAME@up, which nobody else does. Whether somebody
 * is there the hub's HTTP API tells: what it answers is read here. Pure.
 */
#ifndef CHAPI_BEACONS_H
#define CHAPI_BEACONS_H

#include <stdbool.h>

#include "libchapi-ipc/buf.h"

#define BEACON_PREFIX "private-chapi-"
#define BEACON_SUFFIX "@up"
/* The query of GET channels that lists them all. */
#define BEACONS_QUERY "filter_by_prefix=" BEACON_PREFIX

enum { BEACONS_E_UNREADABLE = 1 };	/* the hub's answer is not what it should be */

/* The answer to GET channels/NAME: is somebody subscribed? 0 or BEACONS_E_UNREADABLE. */
int beacon_read(struct span body, bool *ret_occupied) MUST_CHECK;

/*
 * The answer to GET channels: appends one MessagePack array of {name, self}, sorted by name.
 * own: our name. 0, BEACONS_E_UNREADABLE or -ENOMEM.
 */
int beacons_read(struct span body, const char *own, struct buf *out) MUST_CHECK;

#endif
