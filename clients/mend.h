/* SPDX-License-Identifier: MIT */
/*
 * Text from outside, made fit to be shown or passed on: bad bytes become '?', in place.
 */
#ifndef CHAPI_CLIENTS_MEND_H
#define CHAPI_CLIENTS_MEND_H

#include <stddef.h>

/* Bytes that are not part of a character become '?'. */
void mend_text(char *text, size_t len);
/* As above; line breaks and tabs become blanks, other control characters (also C1) '?'. */
void mend_line(char *text, size_t len);

#endif
