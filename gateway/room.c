/* SPDX-License-Identifier: MIT */
/*
 * Room in events: see room.h.
 */
#include "gateway/room.h"

#include "gateway/record.h"
#include "gateway/sealed.h"

/* Of an HTTP request's body around an event's data: keys, a socket_id, and quotes of the data. */
#define ENVELOPE_LEN 160
#define PART_ESCAPES (24 + 4 * RECORD_ID_MAX)	/* what a part's quotes and its id add in there */

static size_t less(size_t a, size_t b)
{
	return a > b ? a - b : 0;
}

/* Of an event's data in an HTTP request, as a JSON string; SIZE_MAX: no limit. */
static size_t body_room(const struct room *room, struct span channel)
{
	size_t around = ENVELOPE_LEN + channel.len + ROOM_EVENT_NAME_MAX;

	return room->max_body_bytes ? less(room->max_body_bytes, around) : SIZE_MAX;
}

/* What quotes, backslashes and control characters add in a JSON string. */
static size_t escapes(struct span text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.p[i] == '"' || text.p[i] == '\\' ? 1 : text.p[i] < ' ' ? 5 : 0;
	return n;
}

size_t room_of_event(const struct room *room, struct span channel)
{
	return sealed_room(channel, MIN(room->max_event_bytes, body_room(room, channel)));
}

size_t room_of_part(const struct room *room, struct span channel)
{
	size_t max = room->max_event_bytes;

	if (room->max_body_bytes)
		max = MIN(max, less(body_room(room, channel), PART_ESCAPES));
	return sealed_room(channel, max);
}

bool room_fits(const struct room *room, struct span channel, struct span text)
{
	if (text.len > room_of_event(room, channel))
		return false;
	return !room->max_body_bytes || sealed_is_encrypted(channel) ||
	       text.len + escapes(text) <= body_room(room, channel);
}
