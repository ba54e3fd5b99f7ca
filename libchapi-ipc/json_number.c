/* SPDX-License-Identifier: MIT */
/*
 * Numbers of JSON: read, and the shortest digits of a float written.
 *
 * Nothing depends on the locale: the C library is only ever given or asked for digits and an
 * exponent, never for a decimal point.
 */
#include "libchapi-ipc/json_number.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- reading ---------------------------------------------------------------------------- */

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
		return json_bad(ret_why, "an exponent needs a digit");
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
		return json_bad(ret_why, "a number needs a digit");
	if (*r->p == '0') {
		r->p++;
		if (is_digit(r))
			return json_bad(ret_why, "a number may not begin with 0");
	}
	digits_take(r, ret, false);
	if (r->p < r->end && *r->p == '.') {
		ret->integer = false;
		r->p++;
		if (!is_digit(r))
			return json_bad(ret_why, "a number needs a digit after its point");
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

/* ---- writing ---------------------------------------------------------------------------- */

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
