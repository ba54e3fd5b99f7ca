/* SPDX-License-Identifier: MIT */
/*
 * The events of a request to another gateway: one that holds it whole, or its parts.
 *
 * Pure. The record is record_caller.h, cutting is parts.h; when it goes out, and what becomes of
 * it, is elsewhere.h.
 */
#ifndef CHAPI_ASK_H
#define CHAPI_ASK_H

#include "gateway/record_caller.h"
#include "gateway/room.h"

/* One event; text is borrowed. False: it cannot be sent. */
typedef bool ask_send_fn(void *data, bool is_part, struct span text);

enum {
	ASK_E_STOPPED = 1,	/* send() said so */
	ASK_E_TOO_LARGE,	/* the room is too small for any number of parts */
};

/*
 * Calls send() for each event in turn. first_timeout_ms: what ask->timeout_ms was the first time.
 * A repeat in parts has the slices of the first time, so that those of both make up for each
 * other; each part says then that it comes again. 0, an outcome, or -ENOMEM.
 */
int ask_send(const struct record_ask *ask, uint64_t first_timeout_ms, const struct room *room,
	     struct span channel, ask_send_fn *send, void *data) MUST_CHECK;

/* Bytes of the record when it goes out first; 0: no memory. */
size_t ask_size(const struct record_ask *ask);

#endif
