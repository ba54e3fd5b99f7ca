/* SPDX-License-Identifier: MIT */
/*
 * Instants: seconds since 1970 and nanoseconds, as text and in MessagePack. No leap seconds.
 */
#ifndef CHAPI_INSTANT_H
#define CHAPI_INSTANT_H

#include <stdbool.h>

#include "common/common.h"

/* Seconds of 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what RFC 3339 can write. */
#define INSTANT_SECONDS_MIN INT64_C(-62167219200)
#define INSTANT_SECONDS_MAX INT64_C(253402300799)

#define INSTANT_TEXT_MAX 48
#define INSTANT_PACKED_MAX 16

struct instant {
	int64_t seconds;
	uint32_t nanoseconds;
};

/* "2026-03-01T12:34:56.789Z", up to nine digits after the point; false if it is none. */
bool instant_parse(struct span text, struct instant *ret) MUST_CHECK;
/* Within INSTANT_SECONDS_MIN to INSTANT_SECONDS_MAX. Returns the length. */
size_t instant_format(const struct instant *t, char ret[INSTANT_TEXT_MAX]);

/* The content of the extension; false if it is none of the three forms. */
bool instant_unpack(struct span content, struct instant *ret) MUST_CHECK;
/* The whole value, in the shortest form that holds it. Returns the next free byte. */
uint8_t *instant_pack(uint8_t *w, const struct instant *t);

#endif
