/* SPDX-License-Identifier: MIT */
/*
 * What the hub says of beacons: see beacons.h.
 */
#include "gateway/beacons.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "libchapi-ipc/mp.h"

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}

static json_t *load(struct span body)
{
	return json_loadb((const char *)body.p, body.len, 0, NULL);
}

/* Some servers say how many there are, others only that there are some. */
int beacon_read(struct span body, bool *ret_occupied)
{
	CLEANUP(cleanup_json) json_t *answer = load(body);
	const json_t *occupied = json_object_get(answer, "occupied");
	const json_t *count = json_object_get(answer, "subscription_count");

	if (json_is_boolean(occupied))
		*ret_occupied = json_is_true(occupied);
	else if (json_is_integer(count))
		*ret_occupied = json_integer_value(count) > 0;
	else
		return BEACONS_E_UNREADABLE;
	return 0;
}

/* The gateway's name in the name of its beacon; empty: it is no beacon. */
static struct span name_of(const char *channel)
{
	size_t len = strlen(channel), before = strlen(BEACON_PREFIX), after = strlen(BEACON_SUFFIX);

	if (len <= before + after || strncmp(channel, BEACON_PREFIX, before) != 0 ||
	    strcmp(channel + len - after, BEACON_SUFFIX) != 0)
		return span_of(NULL, 0);
	return span_of(channel + before, len - before - after);
}

static int compare(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	int order = memcmp(x->p, y->p, MIN(x->len, y->len));

	return order ? order : x->len < y->len ? -1 : x->len > y->len;
}

static void put_names(const struct span *names, size_t n, const char *own, struct buf *out)
{
	mp_put_array(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		mp_put_map(out, 2);
		mp_put_str(out, "name");
		mp_put_text(out, names[i]);
		mp_put_str(out, "self");
		mp_put_bool(out, span_is(names[i], own));
	}
}

/* A channel that is listed is occupied, unless its entry says otherwise. */
static bool is_occupied(const json_t *entry)
{
	const json_t *count = json_object_get(entry, "subscription_count");

	return !json_is_integer(count) || json_integer_value(count) > 0;
}

int beacons_read(struct span body, const char *own, struct buf *out)
{
	CLEANUP(cleanup_json) json_t *answer = load(body);
	json_t *channels = json_object_get(answer, "channels"), *entry;
	struct span *names;
	const char *channel;
	size_t n = 0;

	/* A list without members is an array in some languages. */
	if (!json_is_object(channels) &&
	    !(json_is_array(channels) && json_array_size(channels) == 0))
		return BEACONS_E_UNREADABLE;
	names = calloc(json_object_size(channels) + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	json_object_foreach(channels, channel, entry)
		if (name_of(channel).len > 0 && is_occupied(entry))
			names[n++] = name_of(channel);
	qsort(names, n, sizeof(*names), compare);
	put_names(names, n, own, out);
	free(names);
	return buf_error(out);
}
