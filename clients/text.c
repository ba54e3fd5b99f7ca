/* SPDX-License-Identifier: MIT */
/*
 * Text from outside: see text.h.
 */
#include "clients/text.h"

#include <string.h>

#include "common/utf8.h"

void text_mend(char *text, size_t len)
{
	size_t n;

	for (; len > 0; text += n, len -= n) {
		n = utf8_char_len(text, len);
		if (n == 0) {
			*text = '?';
			n = 1;
		}
	}
}

void text_make_line(char *text, size_t len)
{
	size_t n;

	text_mend(text, len);
	for (; len > 0; text += n, len -= n) {
		n = utf8_char_len(text, len);
		if (utf8_is_control(text, n))
			memset(text, memchr("\n\r\t", *text, 3) ? ' ' : '?', n);
	}
}
