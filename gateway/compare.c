/* SPDX-License-Identifier: MIT */
/*
 * Numbers and values held against each other: see compare.h.
 */
#include "gateway/compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define STEP_BYTES 16		/* that are read in one */

void steps_spend(struct steps *steps, uint64_t n)
{
	steps->left -= MIN(steps->left, n);
}

void steps_spend_bytes(struct steps *steps, const uint8_t *from, const uint8_t *to)
{
	steps_spend(steps, 1 + (uint64_t)(to - from) / STEP_BYTES);
}

/* ---- numbers ----------------------------------------------------------------------------- */

bool number_read(struct mp_reader *r, struct number *ret)
{
	*ret = (struct number){ 0 };
	if (mp_read_uint(r, &ret->u) == 0)
		return true;
	ret->negative = mp_read_int(r, &ret->i) == 0;
	if (ret->negative)
		return true;
	ret->is_float = mp_read_number(r, &ret->f) == 0;
	return ret->is_float;
}

bool number_is_finite(const struct number *n)
{
	return !n->is_float || isfinite(n->f);
}

bool number_is_whole(const struct number *n)
{
	return !n->is_float || floor(n->f) == n->f;
}

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int integers_compare(const struct number *a, const struct number *b)
{
	if (a->negative != b->negative)
		return a->negative ? -1 : 1;
	return a->negative ? ORDER(a->i, b->i) : ORDER(a->u, b->u);
}

/* Neither side is rounded: the whole part of f is an integer of 64 bits, or it is beyond them. */
static int integer_compare_float(const struct number *a, double f)
{
	double whole = trunc(f);
	struct number b = { .negative = whole < 0 };
	int order;

	if (f >= 0x1p64)
		return -1;
	if (f < -0x1p63)
		return 1;
	if (b.negative)
		b.i = (int64_t)whole;
	else
		b.u = (uint64_t)whole;
	order = integers_compare(a, &b);
	return order != 0 ? order : ORDER(whole, f);
}

int number_compare(const struct number *a, const struct number *b)
{
	if (a->is_float && b->is_float)
		return ORDER(a->f, b->f);
	if (b->is_float)
		return integer_compare_float(a, b->f);
	return a->is_float ? -integer_compare_float(b, a->f) : integers_compare(a, b);
}

/* ---- are two values the same? ------------------------------------------------------------ */

bool key_read(struct mp_reader *r, char digits[24], struct span *ret)
{
	uint64_t u;
	int64_t i;

	if (mp_read_str(r, ret) == 0)
		return true;
	if (mp_read_uint(r, &u) == 0)
		snprintf(digits, 24, "%" PRIu64, u);
	else if (mp_read_int(r, &i) == 0)
		snprintf(digits, 24, "%" PRId64, i);
	else
		return false;
	*ret = span_str(digits);
	return true;
}

/* Moves on to the value of a key among n; false: there is none. */
static bool key_seek(struct steps *steps, struct mp_reader *r, uint32_t n, struct span key)
{
	char digits[24];
	struct span other;

	for (; n > 0 && steps->left > 0; n--) {
		const uint8_t *from = r->p;

		if (!key_read(r, digits, &other))
			return false;
		if (span_equal(other, key))
			return true;
		if (mp_skip(r) != 0)
			return false;
		steps_spend_bytes(steps, from, r->p);
	}
	return false;
}

/* The keys of a differ from each other; as there are no more in b, they are those of b then. */
static bool is_same_map(struct steps *steps, struct mp_reader *a, struct mp_reader *b)
{
	uint32_t n, n_b, left;
	char digits[24];
	struct span key;

	if (mp_read_map(a, &n) != 0 || mp_read_map(b, &n_b) != 0 || n != n_b)
		return false;
	for (left = n; left > 0; left--) {
		struct mp_reader at = *b;

		if (!key_read(a, digits, &key) || !key_seek(steps, &at, n,
							    key) || !value_is_same(steps, a, &at))
			return false;
	}
	return true;
}

static bool is_same_array(struct steps *steps, struct mp_reader *a, struct mp_reader *b)
{
	uint32_t n, n_b;

	if (mp_read_array(a, &n) != 0 || mp_read_array(b, &n_b) != 0 || n != n_b)
		return false;
	for (; n > 0; n--)
		if (!value_is_same(steps, a, b))
			return false;
	return true;
}

static bool is_same_number(struct mp_reader *a, struct mp_reader *b)
{
	struct number x, y;

	return number_read(a, &x) && number_read(b, &y) && number_is_finite(&x) &&
	       number_is_finite(&y) && number_compare(&x, &y) == 0;
}

static bool is_same_ext(struct mp_reader *a, struct mp_reader *b)
{
	struct span x, y;
	int8_t type_x, type_y;

	return mp_read_ext(a, &type_x, &x) == 0 && mp_read_ext(b, &type_y, &y) == 0 &&
	       type_x == type_y && span_equal(x, y);
}

static bool is_same_scalar(enum mp_type type, struct mp_reader *a, struct mp_reader *b)
{
	struct span x, y;
	bool v, w;

	switch (type) {
	case MP_NIL:
		return mp_read_nil(a) == 0 && mp_read_nil(b) == 0;
	case MP_BOOL:
		return mp_read_bool(a, &v) == 0 && mp_read_bool(b, &w) == 0 && v == w;
	case MP_STR:
		return mp_read_str(a, &x) == 0 && mp_read_str(b, &y) == 0 && span_equal(x, y);
	case MP_BIN:
		return mp_read_bin(a, &x) == 0 && mp_read_bin(b, &y) == 0 && span_equal(x, y);
	case MP_EXT:
		return is_same_ext(a, b);
	default:
		return type_is_number(type) && is_same_number(a, b);
	}
}

bool value_is_same(struct steps *steps, struct mp_reader *a, struct mp_reader *b)
{
	enum mp_type type = mp_peek(a), other = mp_peek(b);
	const uint8_t *from = a->p;
	bool same;

	if (steps->left == 0 || (type != other && !(type_is_number(type) && type_is_number(other))))
		return false;
	if (type == MP_MAP)
		return is_same_map(steps, a, b);
	if (type == MP_ARRAY)
		return is_same_array(steps, a, b);
	same = is_same_scalar(type, a, b);
	steps_spend_bytes(steps, from, a->p);
	return same;
}

/* ---- hashes ------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15;
	return h ^ h >> 29;
}

static uint64_t hash_bytes(uint64_t h, struct span bytes)
{
	uint64_t word;

	for (; bytes.len >= sizeof(word); bytes = span_of(bytes.p + 8, bytes.len - 8)) {
		memcpy(&word, bytes.p, sizeof(word));
		h = mix(h, word);
	}
	for (size_t i = 0; i < bytes.len; i++)
		h = mix(h, bytes.p[i]);
	return h;
}

/* A float that is an integer of 64 bits is that integer. */
static uint64_t hash_number(struct mp_reader *r)
{
	struct number n;
	uint64_t bits;

	if (!number_read(r, &n))
		return 0;
	if (!n.is_float)
		return mix(MP_INT, n.negative ? (uint64_t)n.i : n.u);
	if (number_is_whole(&n) && n.f >= 0 && n.f < 0x1p64)
		return mix(MP_INT, (uint64_t)n.f);
	if (number_is_whole(&n) && n.f < 0 && n.f >= -0x1p63)
		return mix(MP_INT, (uint64_t)(int64_t)n.f);
	memcpy(&bits, &n.f, sizeof(bits));
	return mix(MP_FLOAT, bits);
}

/* In whatever order: a sum. */
static uint64_t hash_map(struct steps *steps, struct mp_reader *r)
{
	uint64_t sum = 0;
	char digits[24];
	struct span key;
	uint32_t n;

	if (mp_read_map(r, &n) != 0)
		return 0;
	sum = mix(MP_MAP, n);
	for (; n > 0 && steps->left > 0 && key_read(r, digits, &key); n--)
		sum += mix(hash_bytes(MP_STR, key), value_hash(steps, r));
	return sum;
}

static uint64_t hash_array(struct steps *steps, struct mp_reader *r)
{
	uint64_t h;
	uint32_t n;

	if (mp_read_array(r, &n) != 0)
		return 0;
	h = mix(MP_ARRAY, n);
	for (; n > 0 && steps->left > 0; n--)
		h = mix(h, value_hash(steps, r));
	return h;
}

static uint64_t hash_scalar(enum mp_type type, struct mp_reader *r)
{
	struct span whole;

	switch (type) {
	case MP_STR:
		return mp_read_str(r, &whole) == 0 ? hash_bytes(MP_STR, whole) : 0;
	case MP_BIN:
		return mp_read_bin(r, &whole) == 0 ? hash_bytes(MP_BIN, whole) : 0;
	case MP_EXT:	/* rare: all of them are looked at */
		return mp_skip(r) == 0 ? MP_EXT : 0;
	case MP_NIL:
	case MP_BOOL:	/* one encoding each */
		return mp_read_raw(r, &whole) == 0 ? hash_bytes(type, whole) : 0;
	default:
		return hash_number(r);
	}
}

uint64_t value_hash(struct steps *steps, struct mp_reader *r)
{
	enum mp_type type = mp_peek(r);
	const uint8_t *from = r->p;
	uint64_t h;

	if (type == MP_MAP)
		return hash_map(steps, r);
	if (type == MP_ARRAY)
		return hash_array(steps, r);
	h = hash_scalar(type, r);
	steps_spend_bytes(steps, from, r->p);
	return h;
}
