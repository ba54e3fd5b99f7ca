/* SPDX-License-Identifier: MIT */
/*
 * Strings of JSON: which bytes may stand in one as they are, reading with escapes, writing.
 */
#include "libchapi-ipc/json_string.h"

#include "common/utf8.h"

/* ---- characters ------------------------------------------------------------------------- */

#define ONES 0x0101010101010101u
#define TOPS 0x8080808080808080u

/* Non-zero if one of eight bytes is a quote, a backslash, a control character or no ASCII. */
static inline uint64_t special_bytes(const uint8_t *p)
{
	uint64_t v, quote, backslash;

	memcpy(&v, p, sizeof(v));
	quote = v ^ ONES * '"';
	backslash = v ^ ONES * '\\';
	return (v | ((v - ONES * 0x20) & ~v) | ((quote - ONES) & ~quote) |
		((backslash - ONES) & ~backslash)) & TOPS;
}

static inline bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

size_t json_clean_run(const uint8_t *p, size_t len)
{
	size_t i = 0, n;

	for (;;) {
		while (len - i >= 8 && !special_bytes(p + i))
			i += 8;
		while (i < len && is_plain(p[i]))
			i++;
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

int json_take_escape(struct json_reader *r, uint8_t ret[4], size_t *ret_len, const char **ret_why)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *hit;

	if (r->end - r->p < 2)
		return json_bad(ret_why, "a string has no closing quote");
	if (r->p[1] == 'u') {
		r->p += 2;
		return unicode_take(r, ret, ret_len, ret_why);
	}
	hit = memchr(from, r->p[1], sizeof(from) - 1);
	if (!hit)
		return json_bad(ret_why, "an escape that JSON does not have");
	r->p += 2;
	ret[0] = (uint8_t)to[hit - from];
	*ret_len = 1;
	return 0;
}

int json_take_string(struct json_reader *r, struct buf *out, const char **ret_why)
{
	uint8_t c[4];
	size_t n;
	int e;

	for (;;) {
		n = json_clean_run(r->p, (size_t)(r->end - r->p));
		if (out)
			buf_put(out, r->p, n);
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
			buf_put(out, c, n);
	}
}

/* ---- writing ---------------------------------------------------------------------------- */

static void put_escape(struct buf *b, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *hit = memchr(from, c, sizeof(from) - 1);
	char text[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	if (hit)
		text[1] = to[hit - from];
	buf_put(b, text, hit ? 2 : 6);
}

size_t json_put_inside(struct buf *b, struct span text)
{
	size_t i = 0, n;

	while (i < text.len) {
		n = json_clean_run(text.p + i, text.len - i);
		buf_put(b, text.p + i, n);
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
