/* SPDX-License-Identifier: MIT */
/*
 * Text from outside, made fit to be shown or passed on: bad bytes become '?', in place.
 *
 * UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing above U+10FFFF.
 */
#ifndef CHAPI_CLIENTS_UTF8_H
#define CHAPI_CLIENTS_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the character that text begins with; 0: none, or len is 0. */
size_t utf8_char_len(const char *text, size_t len);
bool utf8_is_valid(const char *text, size_t len);

/* Bytes that are not part of a character become '?'. */
void utf8_mend(char *text, size_t len);
/* As above; line breaks and tabs become blanks, other control characters (also C1) '?'. */
void utf8_make_line(char *text, size_t len);

#endif
