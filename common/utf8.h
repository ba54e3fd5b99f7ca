/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing above U+10FFFF.
 */
#ifndef CHAPI_UTF8_H
#define CHAPI_UTF8_H

#include <stdbool.h>

#include "common/common.h"

static inline bool utf8_is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

/* Length of the character that text begins with; 0: none, or len is 0. */
static inline size_t utf8_char_len(const void *text, size_t len)
{
	const uint8_t *p = text;

	if (len == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4 || len < 2 || !utf8_is_tail(p[1]))
		return 0;
	if (p[0] < 0xe0)
		return 2;
	if (len < 3 || !utf8_is_tail(p[2]))
		return 0;
	if (p[0] < 0xf0)
		return (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ? 0 : 3;
	if (len < 4 || !utf8_is_tail(p[3]))
		return 0;
	return (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90) ? 0 : 4;
}

/* Characters from beginning to end? */
static inline bool utf8_is_valid(struct span text)
{
	size_t n;

	for (; text.len > 0; text = span_of(text.p + n, text.len - n)) {
		n = utf8_char_len(text.p, text.len);
		if (n == 0)
			return false;
	}
	return true;
}

/* One that is none in a line of text: C0, delete, C1. */
static inline bool utf8_is_control(const void *text, size_t char_len)
{
	const uint8_t *p = text;

	return char_len == 1 ? p[0] < 0x20 || p[0] == 0x7f :
			       char_len == 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

#endif
