/* SPDX-License-Identifier: MIT */
/*
 * Text from outside: see text.h. UTF-8 as RFC 3629 has it: shortest forms only, no
 * surrogates, nothing above U+10FFFF.
 */
#include "gateway/text.h"

static bool is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

/* What the second byte of a character must be, given the first. */
static bool second_fits(uint8_t first, uint8_t second)
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

/* Length of the character that text begins with; 0: none. */
static size_t char_len(struct span text)
{
	uint8_t c = text.p[0];
	size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (len == 0 || len > text.len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if (!is_tail(text.p[i]))
			return 0;
	return len == 1 || second_fits(c, text.p[1]) ? len : 0;
}

bool text_is_utf8(struct span text)
{
	while (text.len > 0) {
		size_t n = char_len(text);

		if (n == 0)
			return false;
		text = span_of(text.p + n, text.len - n);
	}
	return true;
}

bool text_is_printable_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			return false;
	return true;
}

/* Length of the character that text begins with if it may stand in a line; 0: it may not. */
static size_t line_char_len(struct span text)
{
	size_t n = char_len(text);

	if (n == 1 && (text.p[0] < 0x20 || text.p[0] == 0x7f))
		return 0;
	if (n == 2 && text.p[0] == 0xc2 && text.p[1] < 0xa0)	/* U+0080 to U+009F */
		return 0;
	return n;
}

/* Length of the part at the beginning that may stand in a line. */
static size_t line_part(struct span text)
{
	size_t done = 0, n;

	while (done < text.len && (n = line_char_len(span_of(text.p + done, text.len - done))) > 0)
		done += n;
	return done;
}

struct span text_line(struct span text, struct buf *scratch)
{
	size_t start = scratch->len;
	size_t n = line_part(text);

	if (n == text.len)
		return text;
	while (text.len > 0) {
		buf_put(scratch, text.p, n);
		if (n < text.len)
			buf_put_byte(scratch, '?');
		n = MIN(n + 1, text.len);
		text = span_of(text.p + n, text.len - n);
		n = line_part(text);
	}
	if (buf_error(scratch) != 0) {
		buf_truncate(scratch, start);
		return span_str("");
	}
	return span_of(buf_data(scratch) + start, scratch->len - start);
}

const char *text_quote(struct span text, char ret[TEXT_QUOTE_MAX + 4])
{
	size_t len = 0;

	while (text.len > 0) {
		size_t n = line_char_len(text);
		size_t step = MAX(n, 1U);

		if (len + step > TEXT_QUOTE_MAX) {
			memcpy(ret + len, "...", 3);
			len += 3;
			break;
		}
		if (n == 0)
			ret[len] = '?';
		else
			memcpy(ret + len, text.p, n);
		len += step;
		text = span_of(text.p + step, text.len - step);
	}
	ret[len] = '\0';
	return ret;
}
