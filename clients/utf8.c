/* SPDX-License-Identifier: MIT */
/*
 * Text from outside: see utf8.h.
 */
#include "clients/utf8.h"

#include <string.h>

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* What the second byte of a character must be, given the first. */
static bool second_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second < 0xa0;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second < 0x90;
	default:
		return true;
	}
}

size_t utf8_char_len(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n;

	if (len == 0)
		return 0;
	n = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (!is_tail(p[i]))
			return 0;
	return n == 1 || second_fits(p[0], p[1]) ? n : 0;
}

bool utf8_is_valid(const char *text, size_t len)
{
	size_t n;

	for (; len > 0; text += n, len -= n) {
		n = utf8_char_len(text, len);
		if (n == 0)
			return false;
	}
	return true;
}

void utf8_mend(char *text, size_t len)
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

static bool is_control(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;

	return n == 1 ? *p < 0x20 || *p == 0x7f : n == 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

void utf8_make_line(char *text, size_t len)
{
	size_t n;

	utf8_mend(text, len);
	for (; len > 0; text += n, len -= n) {
		n = utf8_char_len(text, len);
		if (is_control(text, n))
			memset(text, memchr("\n\r\t", *text, 3) ? ' ' : '?', n);
	}
}
