/* SPDX-License-Identifier: MIT */
/*
 * Text from outside: see text.h.
 */
#include "gateway/text.h"

#include "common/utf8.h"

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
	size_t n = utf8_char_len(text.p, text.len);

	return utf8_is_control(text.p, n) ? 0 : n;
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
