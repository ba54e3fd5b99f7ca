/* SPDX-License-Identifier: MIT */
/*
 * JSON text: checking, reading in place, writing of strings and numbers.
 *
 * Strict RFC 8259. Nothing depends on the locale: the C library is only ever given or asked
 * for digits and an exponent, never for a decimal point.
 */
#include "libchapi-ipc/json.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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

static inline bool is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

/* Bytes of the character of more than one byte at p; 0 if it is none, cut off, longer than
 * need be, a surrogate, or beyond U+10FFFF. */
static size_t utf8_char(const uint8_t *p, size_t len)
{
	uint8_t c = p[0];

	if (c < 0xc2 || c > 0xf4 || len < 2 || !is_tail(p[1]))
		return 0;
	if (c < 0xe0)
		return 2;
	if (len < 3 || !is_tail(p[2]))
		return 0;
	if (c < 0xf0)
		return (c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] >= 0xa0) ? 0 : 3;
	if (len < 4 || !is_tail(p[3]))
		return 0;
	return (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] >= 0x90) ? 0 : 4;
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
			n = utf8_char(p + i, len - i);
			if (n == 0)
				return i;
			i += n;
		} while (i < len && p[i] >= 0x80);
	}
}

bool json_is_utf8(struct span text)
{
	size_t i = 0;

	while (i < text.len) {
		i += json_clean_run(text.p + i, text.len - i);
		if (i < text.len && text.p[i] >= 0x80)
			return false;
		i++;
	}
	return true;
}

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return JSON_E_BAD;
}

/* ---- strings ---------------------------------------------------------------------------- */

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
		return bad(ret_why, "\\u needs four hexadecimal digits");
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

/* At a backslash. */
static int escape_take(struct json_reader *r, uint8_t ret[4], size_t *ret_len, const char **ret_why)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *hit;

	if (r->end - r->p < 2)
		return bad(ret_why, "a string has no closing quote");
	if (r->p[1] == 'u') {
		r->p += 2;
		return unicode_take(r, ret, ret_len, ret_why);
	}
	hit = memchr(from, r->p[1], sizeof(from) - 1);
	if (!hit)
		return bad(ret_why, "an escape that JSON does not have");
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
			return bad(ret_why, "a string has no closing quote");
		if (*r->p == '"') {
			r->p++;
			return 0;
		}
		if (*r->p != '\\')
			return bad(ret_why, *r->p < 0x20 ?
				   "a control character in a string has to be escaped" :
				   "a string is not valid UTF-8");
		e = escape_take(r, c, &n, ret_why);
		if (e != 0)
			return e;
		if (out)
			buf_put(out, c, n);
	}
}

/* ---- numbers ---------------------------------------------------------------------------- */

static bool is_digit(const struct json_reader *r)
{
	return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

/* A run of digits, into the mantissa as long as it has room. fraction: after the point. */
static void digits_take(struct json_reader *r, struct json_number *n, bool fraction)
{
	for (; is_digit(r); r->p++) {
		unsigned int digit = *r->p - '0';

		if (n->mantissa > (UINT64_MAX - digit) / 10)
			n->exact = false;
		else
			n->mantissa = n->mantissa * 10 + digit;
		n->exponent -= fraction;
	}
}

static int exponent_take(struct json_reader *r, struct json_number *n, const char **ret_why)
{
	bool negative = false;
	int64_t v = 0;

	r->p++;
	if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
		negative = *r->p++ == '-';
	if (!is_digit(r))
		return bad(ret_why, "an exponent needs a digit");
	for (; is_digit(r); r->p++)
		/* far beyond any double, whatever digits there are */
		if (v < INT64_MAX / 100)
			v = v * 10 + (*r->p - '0');
	n->exponent += negative ? -v : v;
	return 0;
}

int json_take_number(struct json_reader *r, struct json_number *ret, const char **ret_why)
{
	const uint8_t *start = r->p;

	*ret = (struct json_number){ .integer = true, .exact = true };
	if (r->p < r->end && *r->p == '-') {
		ret->negative = true;
		r->p++;
	}
	if (!is_digit(r))
		return bad(ret_why, "a number needs a digit");
	if (*r->p == '0') {
		r->p++;
		if (is_digit(r))
			return bad(ret_why, "a number may not begin with 0");
	}
	digits_take(r, ret, false);
	if (r->p < r->end && *r->p == '.') {
		ret->integer = false;
		r->p++;
		if (!is_digit(r))
			return bad(ret_why, "a number needs a digit after its point");
		digits_take(r, ret, true);
	}
	if (r->p < r->end && (*r->p | 0x20) == 'e') {
		ret->integer = false;
		if (exponent_take(r, ret, ret_why) != 0)
			return JSON_E_BAD;
	}
	ret->text = span_of(start, (size_t)(r->p - start));
	return 0;
}

static const double tens[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};
#define TEN_MAX 22
#define MANTISSA_MAX (UINT64_C(1) << 53)

/* mantissa * 10^exponent, rounded once. */
static double decimal_double(uint64_t mantissa, int64_t exponent)
{
	char text[48];

#if FLT_EVAL_METHOD == 0
	/* Both are doubles without loss, so one operation gives the nearest. */
	if (mantissa <= MANTISSA_MAX && exponent >= 0 && exponent <= TEN_MAX)
		return (double)mantissa * tens[exponent];
	if (mantissa <= MANTISSA_MAX && exponent < 0 && exponent >= -TEN_MAX)
		return (double)mantissa / tens[-exponent];
#endif
	snprintf(text, sizeof(text), "%" PRIu64 "e%" PRId64, mantissa, exponent);
	return strtod(text, NULL);
}

/* Digits that can make a difference to the nearest double: any more count as one. */
#define DIGITS_MAX 800

/* A number of more digits than the mantissa has room for, by the C library. */
static double long_double_text(const struct json_number *n)
{
	char text[DIGITS_MAX + 32];
	int64_t exponent = n->exponent;
	size_t used = 0, cut = 0;
	bool rest = false;

	for (size_t i = 0; i < n->text.len && (n->text.p[i] | 0x20) != 'e'; i++) {
		char c = (char)n->text.p[i];

		if (c < '0' || c > '9' || (c == '0' && used == 0))
			continue;
		if (used < DIGITS_MAX) {
			text[used++] = c;
			continue;
		}
		cut++;
		rest = rest || c != '0';
	}
	exponent += (int64_t)cut;
	if (rest) {
		text[used++] = '1';
		exponent--;
	}
	snprintf(text + used, sizeof(text) - used, "e%" PRId64, exponent);
	return strtod(text, NULL);
}

double json_number_double(const struct json_number *n)
{
	double v = n->exact ? decimal_double(n->mantissa, n->exponent) : long_double_text(n);

	return n->negative ? -v : v;
}

/* ---- checking --------------------------------------------------------------------------- */

int json_take_word(struct json_reader *r, const char *word, const char **ret_why)
{
	size_t len = strlen(word);

	if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len) != 0)
		return bad(ret_why, "a value is missing, or not one that JSON has");
	r->p += len;
	return 0;
}

static int scalar_take(struct json_reader *r, const char **ret_why)
{
	struct json_number n;

	if (r->p == r->end)
		return bad(ret_why, "the text ends where a value should begin");
	switch (*r->p) {
	case '"':
		r->p++;
		return json_take_string(r, NULL, ret_why);
	case 't':
		return json_take_word(r, "true", ret_why);
	case 'f':
		return json_take_word(r, "false", ret_why);
	case '-': case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		return json_take_number(r, &n, ret_why);
	default:
		return json_take_word(r, "null", ret_why);
	}
}

/* A key up to the value after it. */
static int key_take(struct json_reader *r, struct span *ret_key, const char **ret_why)
{
	const uint8_t *start;
	int e;

	json_skip_blanks(r);
	if (r->p == r->end || *r->p != '"')
		return bad(ret_why, "a key in quotes is missing");
	start = ++r->p;
	e = json_take_string(r, NULL, ret_why);
	if (e != 0)
		return e;
	*ret_key = span_of(start, (size_t)(r->p - start) - 1);
	json_skip_blanks(r);
	if (r->p == r->end || *r->p != ':')
		return bad(ret_why, "a colon is missing after a key");
	r->p++;
	return 0;
}

/* The containers around the place that is being read: a bit each, set for an object. */
struct nest {
	uint64_t objects;
	unsigned int depth, limit;
};

/* Opens a container at the reader, up to its first value. *ret_whole: it is empty, hence a
 * whole value. */
static int nest_open(struct nest *nest, struct json_reader *r, bool *ret_whole,
		     const char **ret_why)
{
	bool object = *r->p == '{';
	struct span key;

	if (nest->depth == nest->limit)
		return bad(ret_why, "more containers in containers than allowed");
	r->p++;
	json_skip_blanks(r);
	*ret_whole = r->p < r->end && *r->p == (object ? '}' : ']');
	if (*ret_whole) {
		r->p++;
		return 0;
	}
	nest->objects = nest->objects << 1 | object;
	nest->depth++;
	return object ? key_take(r, &key, ret_why) : 0;
}

/* After a value: past a comma to the next one, or past the brackets that close here. */
static int nest_next(struct nest *nest, struct json_reader *r, const char **ret_why)
{
	struct span key;

	while (nest->depth > 0) {
		bool object = nest->objects & 1;

		json_skip_blanks(r);
		if (r->p < r->end && *r->p == ',') {
			r->p++;
			return object ? key_take(r, &key, ret_why) : 0;
		}
		if (r->p == r->end || *r->p != (object ? '}' : ']'))
			return bad(ret_why, object ? "a comma or } is missing" :
						     "a comma or ] is missing");
		r->p++;
		nest->objects >>= 1;
		nest->depth--;
	}
	return 0;
}

static int value_take(struct json_reader *r, unsigned int depth_limit, const char **ret_why)
{
	struct nest nest = { .limit = MIN(depth_limit, JSON_DEPTH_MAX) };
	int e;

	do {
		bool whole = true;

		json_skip_blanks(r);
		if (r->p < r->end && (*r->p == '{' || *r->p == '['))
			e = nest_open(&nest, r, &whole, ret_why);
		else
			e = scalar_take(r, ret_why);
		if (e == 0 && whole)
			e = nest_next(&nest, r, ret_why);
	} while (e == 0 && nest.depth > 0);
	return e;
}

int json_read_raw(struct json_reader *r, unsigned int depth_limit, struct span *ret,
		  struct json_fault *ret_fault)
{
	struct json_reader q = *r;
	const uint8_t *start;

	json_skip_blanks(&q);
	start = q.p;
	if (value_take(&q, depth_limit, &ret_fault->why) != 0) {
		ret_fault->offset = (size_t)(q.p - r->p);
		return JSON_E_BAD;
	}
	*ret = span_of(start, (size_t)(q.p - start));
	*r = q;
	return 0;
}

int json_text(struct span text, unsigned int depth_limit, struct span *ret,
	      struct json_fault *ret_fault)
{
	struct json_reader r = json_reader(text);
	struct span value;

	if (json_read_raw(&r, depth_limit, &value, ret_fault) != 0)
		return JSON_E_BAD;
	json_skip_blanks(&r);
	if (r.p != r.end) {
		*ret_fault = (struct json_fault){
			.why = "something follows the value", .offset = (size_t)(r.p - text.p),
		};
		return JSON_E_BAD;
	}
	*ret = value;
	return 0;
}

/* ---- reading ---------------------------------------------------------------------------- */

static int container_enter(struct span value, uint8_t bracket, struct json_reader *ret)
{
	if (value.len < 2 || value.p[0] != bracket)
		return JSON_E_TYPE;
	*ret = json_reader(span_of(value.p + 1, value.len - 2));
	return 0;
}

int json_enter_object(struct span object, struct json_reader *ret)
{
	return container_enter(object, '{', ret);
}

int json_enter_array(struct span array, struct json_reader *ret)
{
	return container_enter(array, '[', ret);
}

/* Past the comma before a member or an element, if there is one. */
static int comma_pass(struct json_reader *r)
{
	json_skip_blanks(r);
	if (r->p < r->end && *r->p == ',') {
		r->p++;
		json_skip_blanks(r);
	}
	return r->p == r->end ? JSON_E_END : 0;
}

int json_next_element(struct json_reader *r, struct span *ret_value)
{
	struct json_fault fault;

	if (comma_pass(r) != 0)
		return JSON_E_END;
	return json_read_raw(r, JSON_DEPTH_MAX, ret_value, &fault);
}

int json_next_member(struct json_reader *r, struct span *ret_key, struct span *ret_value)
{
	struct json_fault fault;

	if (comma_pass(r) != 0)
		return JSON_E_END;
	if (key_take(r, ret_key, &fault.why) != 0)
		return JSON_E_BAD;
	return json_read_raw(r, JSON_DEPTH_MAX, ret_value, &fault);
}

bool json_key_is(struct span raw_key, const char *name)
{
	struct json_reader r = json_reader(raw_key);
	size_t left = strlen(name);
	const char *why;

	while (r.p < r.end) {
		uint8_t c[4] = { *r.p };
		size_t n = 1;

		if (*r.p != '\\')
			r.p++;
		else if (escape_take(&r, c, &n, &why) != 0)
			return false;
		if (n > left || memcmp(c, name, n) != 0)
			return false;
		name += n;
		left -= n;
	}
	return left == 0;
}

int json_get_string(struct span value, struct buf *out)
{
	struct json_reader r = json_reader(value);
	size_t before = out->len;
	const char *why;

	if (value.len == 0 || value.p[0] != '"')
		return JSON_E_TYPE;
	r.p++;
	if (json_take_string(&r, out, &why) != 0) {
		buf_truncate(out, before);
		return JSON_E_BAD;
	}
	return buf_error(out);
}

int json_get_number(struct span value, double *ret)
{
	struct json_reader r = json_reader(value);
	struct json_number n;
	const char *why;
	double v;

	if (value.len == 0 || (value.p[0] != '-' && !is_digit(&r)))
		return JSON_E_TYPE;
	if (json_take_number(&r, &n, &why) != 0)
		return JSON_E_BAD;
	v = json_number_double(&n);
	if (isinf(v))
		return JSON_E_BAD;
	*ret = v;
	return 0;
}

int json_get_bool(struct span value, bool *ret)
{
	if (span_is(value, "true"))
		*ret = true;
	else if (span_is(value, "false"))
		*ret = false;
	else
		return JSON_E_TYPE;
	return 0;
}

bool json_is_null(struct span value)
{
	return span_is(value, "null");
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

size_t json_format_uint(uint64_t v, char ret[20])
{
	char reversed[20];
	size_t n = 0;

	do
		reversed[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	for (size_t i = 0; i < n; i++)
		ret[i] = reversed[n - 1 - i];
	return n;
}

/* A float as digits d1 d2 ... dn and the power of ten of d1. */
struct decimal {
	unsigned int n;
	int power;
	char digits[20];
};

static uint64_t decimal_mantissa(const struct decimal *d)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < d->n; i++)
		v = v * 10 + (uint64_t)(d->digits[i] - '0');
	return v;
}

static void decimal_trim(struct decimal *d)
{
	while (d->n > 1 && d->digits[d->n - 1] == '0')
		d->n--;
}

/* The mantissa's digits; unit: the power of ten that its last one stands for. */
static void decimal_set(struct decimal *d, uint64_t mantissa, int unit)
{
	d->n = (unsigned int)json_format_uint(mantissa, d->digits);
	d->power = unit + (int)d->n - 1;
}

/* Whole numbers and those with a few places after the point, which are most, times in
 * microseconds among them, need no search: as long as the last place stands for more than the
 * distance of two doubles, no two numbers of so many places are one double. */
static bool decimal_simple(double v, struct decimal *ret)
{
	for (int places = 0; places <= 6; places++) {
		double scaled = v * tens[places];
		uint64_t mantissa;

		if (scaled >= 0x1p52)
			return false;
		mantissa = (uint64_t)(scaled + 0.5);
		if (mantissa > 0 && decimal_double(mantissa, -places) == v) {
			decimal_set(ret, mantissa, -places);
			return true;
		}
	}
	return false;
}

/* v rounded to n digits; whether they read back as v. */
static bool decimal_round(double v, unsigned int n, struct decimal *ret)
{
	char text[48];
	const char *p = text;
	uint64_t mantissa;
	int unit;

	/* "d,ddde-dd" with the locale's point, which is nothing but a non-digit here. */
	snprintf(text, sizeof(text), "%.*e", (int)n - 1, v);
	for (ret->n = 0; *p && *p != 'e'; p++)
		if (*p >= '0' && *p <= '9' && ret->n < n)
			ret->digits[ret->n++] = *p;
	ret->power = *p ? atoi(p + 1) : 0;
	mantissa = decimal_mantissa(ret);
	unit = ret->power - (int)ret->n + 1;
	if (decimal_double(mantissa, unit) == v)
		return true;
	/* Above a power of two the doubles lie twice as far apart as below it, so the digits
	 * next above may be right where the nearest ones, below, are not. */
	if (decimal_double(mantissa + 1, unit) != v)
		return false;
	decimal_set(ret, mantissa + 1, unit);
	return true;
}

static void decimal_of(double v, struct decimal *ret)
{
	/* Close to zero a double has fewer digits than 15. */
	unsigned int n = v < DBL_MIN ? 1 : 15;

	if (decimal_simple(v, ret))
		return;
	while (n < 17 && !decimal_round(v, n, ret))
		n++;
	if (n == 17)
		decimal_round(v, n, ret);
}

static char *put_zeros(char *w, int n)
{
	for (; n > 0; n--)
		*w++ = '0';
	return w;
}

static char *put_digits(char *w, const struct decimal *d, unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to && i < d->n; i++)
		*w++ = d->digits[i];
	return w;
}

/* 123.45, 123.0 or 0.00123 */
static char *put_positional(char *w, const struct decimal *d)
{
	unsigned int whole = d->power >= 0 ? (unsigned int)d->power + 1 : 0;

	if (whole == 0)
		*w++ = '0';
	w = put_digits(w, d, 0, whole);
	w = put_zeros(w, (int)whole - (int)d->n);
	*w++ = '.';
	if (d->n <= whole)
		*w++ = '0';
	w = put_zeros(w, -d->power - 1);
	return put_digits(w, d, whole, d->n);
}

/* 1e300 or 1.25e-7 */
static char *put_scientific(char *w, const struct decimal *d)
{
	w = put_digits(w, d, 0, 1);
	if (d->n > 1)
		*w++ = '.';
	w = put_digits(w, d, 1, d->n);
	return w + snprintf(w, 8, "e%d", d->power);
}

size_t json_format_double(double v, char ret[32])
{
	struct decimal d = { .n = 1, .digits = "0" };
	char *w = ret;

	if (signbit(v))
		*w++ = '-';
	v = fabs(v);
	if (v > 0)
		decimal_of(v, &d);
	decimal_trim(&d);
	w = d.power >= -5 && d.power <= 15 ? put_positional(w, &d) : put_scientific(w, &d);
	return (size_t)(w - ret);
}
