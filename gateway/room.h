/* SPDX-License-Identifier: MIT */
/*
 * How much text one event of the hub carries, by its channel: an encrypted one has less room, and
 * some hubs limit the whole HTTP request, in which quotes of the text count twice.
 *
 * Pure. Cutting what is larger is parts.h.
 */
#ifndef CHAPI_ROOM_H
#define CHAPI_ROOM_H

#include <stdbool.h>

#include "common/common.h"

#define ROOM_EVENT_NAME_MAX 224	/* bytes of an event's name, for which room is left */

struct room {
	size_t max_event_bytes;		/* of an event's data */
	size_t max_body_bytes;		/* of an HTTP request with one event; 0: no limit */
};

/* Bytes of text of one event on that channel, and of a part; does this text fit into one? */
size_t room_of_event(const struct room *room, struct span channel);
size_t room_of_part(const struct room *room, struct span channel);
bool room_fits(const struct room *room, struct span channel, struct span text);

#endif
