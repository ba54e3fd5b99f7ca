/* SPDX-License-Identifier: MIT */
/*
 * Odd forms of messages: texts of a script with what they stand for, data in another form.
 *
 * Pure. Which message gets which form is play.h.
 */
#ifndef CHAPI_HUB_FORMS_H
#define CHAPI_HUB_FORMS_H

#include <stdbool.h>

#include "libchapi-ipc/buf.h"

#define FORMS_FILL_MAX (1024 * 1024)	/* of one $fill() */

/* Any of them may be empty; data is the text of a JSON value. */
struct forms_values {
	struct span event, channel, socket_id, data;
};

/* The values of a message, borrowed from it but for data, which goes into store. */
int forms_data_of(struct span message, struct buf *store) MUST_CHECK;

/* $event, $channel, $socket_id, $data, $fill(N): N letters; $$: a dollar. out remembers a
 * failure. */
void forms_expand(const char *text, const struct forms_values *values, struct buf *out);

/* In the order of the words of "data" in a script. */
enum forms_data {
	FORMS_STRING, FORMS_OBJECT, FORMS_ARRAY, FORMS_NUMBER,
	FORMS_NULL, FORMS_ABSENT, FORMS_EMPTY,
};

/* The message with its data in another form; a message that is none stays as it is. */
void forms_change(struct span message, enum forms_data form, struct buf *out);

/* The bytes that hexadecimal digits stand for; false: they do not. */
bool forms_hex(const char *text, struct buf *out);

#endif
