/* SPDX-License-Identifier: MIT */
/*
 * Text from outside, made fit to be shown or passed on: bad bytes become '?', in place.
 */
#ifndef CHAPI_CLIENTS_TEXT_H
#define CHAPI_CLIENTS_TEXT_H

#include <stddef.h>

/* Bytes that are not part of a character become '?'. */
void text_mend(char *text, size_t len);
/* As above; line breaks and tabs become blanks, other control characters (also C1) '?'. */
void text_make_line(char *text, size_t len);

#endif
