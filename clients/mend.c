/* SPDX-License-Identifier: MIT */
/*
 * Text from outside: see mend.h.
 */
#include "clients/mend.h"

#include <string.h>

#include "common/utf8.h"

void mend_text(char *text, size_t len)
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

void mend_line(char *text, size_t len)
{
	size_t n;

	mend_text(text, len);
	for (; len > 0; text += n, len -= n) {
		n = utf8_char_len(text, len);
		if (utf8_is_control(text, n))
			memset(text, memchr("\n\r\t", *text, 3) ? ' ' : '?', n);
	}
}
