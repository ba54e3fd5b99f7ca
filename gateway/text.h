/* SPDX-License-Identifier: MIT */
/*
 * Text from outside: what of it may stand in one line of a message.
 */
#ifndef CHAPI_TEXT_H
#define CHAPI_TEXT_H

#include <stdbool.h>

#include "libchapi-ipc/buf.h"

bool text_is_printable_ascii(struct span text);

/*
 * The text as one line of UTF-8: itself where it is one; otherwise a copy in scratch (appended),
 * with '?' for each byte that is not part of a character and for control characters. Empty
 * if there is no memory for that.
 */
struct span text_line(struct span text, struct buf *scratch);

/* Fit to be quoted in a message: as above, cut at 48 bytes, at the end of a character. */
#define TEXT_QUOTE_MAX 48
const char *text_quote(struct span text, char ret[TEXT_QUOTE_MAX + 4]);
#define TEXT_QUOTE(text) text_quote(text, (char[TEXT_QUOTE_MAX + 4]){ 0 })

#endif
