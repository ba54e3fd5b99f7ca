/* SPDX-License-Identifier: MIT */
/*
 * Strings of JSON: which bytes may stand in one as they are, reading with escapes, writing.
 */
#include "libchapi-ipc/json_string.h"

#include <endian.h>

#include "common/utf8.h"

/* ---- characters ------------------------------------------------------------------------- */

#define ONES 0x0101010101010101u
#define TOPS 0x8080808080808080u

/* How many of eight bytes come before the first that is a quote, a backslash, a control character
 * or no ASCII. */
static inline size_t plain_bytes(const uint8_t *p)
{
	uint64_t v, quote, backslash, special;

	memcpy(&v, p, sizeof(v));
	v = le64toh(v);		/* what a byte borrows, it borrows from those behind it */
	quote = v ^ ONES * '"';
	backslash = v ^ ONES * '\\';
	special = (v | ((v - ONES * 0x20) & ~v) | ((quote - ONES) & ~quote) |
		   ((backslash - ONES) & ~backslash)) & TOPS;
	return special ? (size_t)__builtin_ctzll(special) / 8 : 8;
}

static inline bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static size_t plain_run(const uint8_t *p, size_t len)
{
	size_t i = 0, n = 8;

	while (n == 8 && len - i >= 8) {
		n = plain_bytes(p + i);
		i += n;
	}
	while (n == 8 && i < len && is_plain(p[i]))
		i++;
	return i;
}

size_t json_clean_run(const uint8_t *p, size_t len)
{
	size_t i = 0, n;

	for (;;) {
		i += plain_run(p + i, len - i);
		if (i == len || p[i] < 0x80)
			return i;
		do {
			n = utf8_char_len(p + i, len - i);
			if (n == 0)
				return i;
			i += n;
		} while (i < len && p[i] >= 0x80);
	}
}

/* ---- reading ---------------------------------------------------------------------------- */

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four digits at p, as a number, or -1. */
static int32_t hex_read(const uint8_t *p, const uint8_t *end)
{
	int32_t v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(p[i]);

		if (digit < 0)
			return -1;
		v = v * 16 + digit;
	}
	return v;
}

static size_t utf8_write(uint32_t c, uint8_t ret[4])
{
	if (c < 0x80) {
		ret[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		ret[0] = (uint8_t)(0xc0 | c >> 6);
		ret[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		ret[0] = (uint8_t)(0xe0 | c >> 12);
		ret[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		ret[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	ret[0] = (uint8_t)(0xf0 | c >> 18);
	ret[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	ret[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	ret[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* After "\u". A character beyond U+FFFF comes as two escapes, its surrogates. */
static int unicode_take(struct json_reader *r, uint8_t ret[4], size_t *ret_len,
			const char **ret_why)
{
	int32_t c = hex_read(r->p, r->end), low;

	if (c < 0)
		return json_bad(ret_why, "\\u needs four hexadecimal digits");
	if (c < 0xd800 || c > 0xdfff) {
		r->p += 4;
		*ret_len = utf8_write((uint32_t)c, ret);
		return 0;
	}
	*ret_why = "half of a surrogate pair is no character";
	if (c > 0xdbff || r->end - r->p < 10 || r->p[4] != '\\' || r->p[5] != 'u')
		return JSON_E_SURROGATE;
	low = hex_read(r->p + 6, r->end);
	if (low < 0xdc00 || low > 0xdfff)
		return JSON_E_SURROGATE;
	r->p += 10;
	*ret_len = utf8_write(0x10000 + ((uint32_t)(c - 0xd800) << 10) + (uint32_t)(low - 0xdc00),
			      ret);
	return 0;
}

/* Most escapes: the character is what follows the backslash. */
static inline bool stands_for_itself(uint8_t c)
{
	return c == '"' || c == '\\' || c == '/';
}

int json_take_escape(struct json_reader *r, uint8_t ret[4], size_t *ret_len, const char **ret_why)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *hit;

	if (r->end - r->p < 2)
		return json_bad(ret_why, "a string has no closing quote");
	if (r->p[1] == 'u') {
		r->p += 2;
		return unicode_take(r, ret, ret_len, ret_why);
	}
	*ret_len = 1;
	ret[0] = r->p[1];
	if (stands_for_itself(ret[0])) {
		r->p += 2;
		return 0;
	}
	hit = memchr(from, ret[0], sizeof(from) - 1);
	if (!hit)
		return json_bad(ret_why, "an escape that JSON does not have");
	r->p += 2;
	ret[0] = (uint8_t)to[hit - from];
	return 0;
}

/* As buf_put(), without a function for each of many short runs. */
static inline void put_run(struct buf *b, const uint8_t *p, size_t n)
{
	uint8_t *w = n > 0 ? buf_reserve(b, n) : NULL;

	if (!w)
		return;
	memcpy(w, p, n);
	buf_commit(b, n);
}

int json_take_string(struct json_reader *r, struct buf *out, const char **ret_why)
{
	uint8_t c[4];
	size_t n;
	int e;

	for (;;) {
		n = json_clean_run(r->p, (size_t)(r->end - r->p));
		if (out)
			put_run(out, r->p, n);
		r->p += n;
		if (r->p == r->end)
			return json_bad(ret_why, "a string has no closing quote");
		if (*r->p == '"') {
			r->p++;
			return 0;
		}
		if (*r->p != '\\')
			return json_bad(ret_why, *r->p < 0x20 ?
				   "a control character in a string has to be escaped" :
				   "a string is not valid UTF-8");
		e = json_take_escape(r, c, &n, ret_why);
		if (e != 0)
			return e;
		if (out)
			put_run(out, c, n);
	}
}

/* ---- writing ---------------------------------------------------------------------------- */

/* What may not stand in a string as it is. */
static inline void put_escape(struct buf *b, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";
	static const uint8_t letters[0x20] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
	};
	uint8_t letter = c < sizeof(letters) ? letters[c] : c;
	const uint8_t text[] = { '\\', 'u', '0', '0', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15] };

	if (letter != 0)
		put_run(b, (const uint8_t[]){ '\\', letter }, 2);
	else
		put_run(b, text, sizeof(text));
}

size_t json_put_inside(struct buf *b, struct span text)
{
	size_t i = 0, n;

	while (i < text.len) {
		n = json_clean_run(text.p + i, text.len - i);
		put_run(b, text.p + i, n);
		i += n;
		if (i == text.len || text.p[i] >= 0x80)
			break;
		put_escape(b, text.p[i++]);
	}
	return i;
}

void json_put_string(struct buf *b, struct span text)
{
	size_t i = 0;

	buf_put_byte(b, '"');
	while (i < text.len) {
		i += json_put_inside(b, span_of(text.p + i, text.len - i));
		if (i == text.len)
			break;
		buf_put_str(b, "\xef\xbf\xbd");	/* not UTF-8, whatever was promised: U+FFFD */
		i++;
	}
	buf_put_byte(b, '"');
}
