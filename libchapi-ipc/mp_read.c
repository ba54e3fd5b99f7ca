/* SPDX-License-Identifier: MIT */
/*
 * Values of MessagePack, read by a cursor: see mp.h.
 */
#include "libchapi-ipc/mp.h"

#include "libchapi-ipc/mp_scan.h"

static const uint8_t types[256] = {
	[0x00 ... 0x7f] = MP_UINT, [0x80 ... 0x8f] = MP_MAP, [0x90 ... 0x9f] = MP_ARRAY,
	[0xa0 ... 0xbf] = MP_STR, [0xc0] = MP_NIL, [0xc1] = MP_NONE, [0xc2 ... 0xc3] = MP_BOOL,
	[0xc4 ... 0xc6] = MP_BIN, [0xc7 ... 0xc9] = MP_EXT, [0xca ... 0xcb] = MP_FLOAT,
	[0xcc ... 0xcf] = MP_UINT, [0xd0 ... 0xd3] = MP_INT, [0xd4 ... 0xd8] = MP_EXT,
	[0xd9 ... 0xdb] = MP_STR, [0xdc ... 0xdd] = MP_ARRAY, [0xde ... 0xdf] = MP_MAP,
	[0xe0 ... 0xff] = MP_INT,
};

static size_t reader_left(const struct mp_reader *r)
{
	return (size_t)(r->end - r->p);
}

enum mp_type mp_peek(const struct mp_reader *r)
{
	enum mp_type type;

	if (r->p == r->end)
		return MP_NONE;
	type = types[*r->p];
	/* A signed encoding may hold a value that is not negative. */
	if (type == MP_INT && *r->p < 0xe0 && reader_left(r) > 1 && !(r->p[1] & 0x80))
		return MP_UINT;
	return type;
}

int mp_read_nil(struct mp_reader *r)
{
	if (r->p == r->end)
		return MP_E_MORE;
	if (*r->p != 0xc0)
		return MP_E_BAD;
	r->p++;
	return 0;
}

int mp_read_bool(struct mp_reader *r, bool *ret)
{
	if (r->p == r->end)
		return MP_E_MORE;
	if (*r->p != 0xc2 && *r->p != 0xc3)
		return MP_E_BAD;
	*ret = *r->p++ == 0xc3;
	return 0;
}

/* An integer as 64 bits of two's complement, and whether it is below zero. Stays in place:
 * *ret_len is what to move on by. */
static int integer_look(const struct mp_reader *r, uint64_t *ret, bool *ret_negative,
			size_t *ret_len)
{
	uint8_t c;
	unsigned int width;
	uint64_t v;

	if (r->p == r->end)
		return MP_E_MORE;
	c = *r->p;
	if (c <= 0x7f || c >= 0xe0) {
		*ret = (uint64_t)(int8_t)c;
		*ret_negative = c >= 0xe0;
		*ret_len = 1;
		return 0;
	}
	if (c < 0xcc || c > 0xd3)
		return MP_E_BAD;
	width = 1u << (c & 3);
	if (reader_left(r) < 1 + width)
		return MP_E_MORE;
	v = mp_load_be(r->p + 1, width);
	*ret_negative = c >= 0xd0 && v >> (8 * width - 1);
	if (*ret_negative && width < 8)
		v |= UINT64_MAX << (8 * width);
	*ret = v;
	*ret_len = 1 + width;
	return 0;
}

/* Of a signed encoding, or none. */
static int read_signed_uint(struct mp_reader *r, uint64_t *ret)
{
	uint64_t v;
	bool negative;
	size_t len;
	int e = integer_look(r, &v, &negative, &len);

	if (e != 0)
		return e;
	if (negative)
		return MP_E_BAD;
	*ret = v;
	r->p += len;
	return 0;
}

int mp_read_wide_uint(struct mp_reader *r, uint64_t *ret)
{
	unsigned int width;

	if (r->p == r->end || *r->p < 0xcc || *r->p > 0xcf)
		return read_signed_uint(r, ret);
	width = 1u << (*r->p & 3);
	if (reader_left(r) < 1 + width)
		return MP_E_MORE;
	*ret = mp_load_be(r->p + 1, width);
	r->p += 1 + width;
	return 0;
}

int mp_read_int(struct mp_reader *r, int64_t *ret)
{
	uint64_t v;
	bool negative;
	size_t len;
	int e = integer_look(r, &v, &negative, &len);

	if (e != 0)
		return e;
	if (!negative && v > INT64_MAX)
		return MP_E_BAD;
	*ret = (int64_t)v;
	r->p += len;
	return 0;
}

static int float_read(struct mp_reader *r, double *ret)
{
	unsigned int width;
	uint64_t bits;

	if (*r->p != 0xca && *r->p != 0xcb)
		return MP_E_BAD;
	width = *r->p == 0xca ? 4 : 8;
	if (reader_left(r) < 1 + width)
		return MP_E_MORE;
	bits = mp_load_be(r->p + 1, width);
	if (width == 4) {
		uint32_t bits32 = (uint32_t)bits;
		float f;

		memcpy(&f, &bits32, sizeof(f));
		*ret = (double)f;
	} else {
		memcpy(ret, &bits, sizeof(*ret));
	}
	r->p += 1 + width;
	return 0;
}

int mp_read_number(struct mp_reader *r, double *ret)
{
	uint64_t v;
	bool negative;
	size_t len;
	int e = integer_look(r, &v, &negative, &len);

	if (e == MP_E_BAD)
		return float_read(r, ret);
	if (e != 0)
		return e;
	*ret = negative ? (double)(int64_t)v : (double)v;
	r->p += len;
	return 0;
}

/* A length of 1, 2 or 4 bytes after a first byte that counts up from first. */
static int length_read(const struct mp_reader *r, uint8_t first, size_t *ret_head, size_t *ret_len)
{
	unsigned int k = (unsigned int)*r->p - first;

	if (*r->p < first || k > 2)
		return MP_E_BAD;
	if (reader_left(r) < 1 + (1u << k))
		return MP_E_MORE;
	*ret_head = 1 + (1u << k);
	*ret_len = (size_t)mp_load_be(r->p + 1, 1u << k);
	return 0;
}

static int body_take(struct mp_reader *r, size_t head, size_t len, struct span *ret)
{
	if (reader_left(r) - head < len)
		return MP_E_MORE;
	*ret = span_of(r->p + head, len);
	r->p += head + len;
	return 0;
}

int mp_read_long_str(struct mp_reader *r, struct span *ret)
{
	size_t head = 1, len;
	int e;

	if (r->p == r->end)
		return MP_E_MORE;
	if ((*r->p & 0xe0) == 0xa0)
		return body_take(r, 1, *r->p & 0x1f, ret);
	e = length_read(r, 0xd9, &head, &len);
	return e != 0 ? e : body_take(r, head, len, ret);
}

int mp_read_bin(struct mp_reader *r, struct span *ret)
{
	size_t head, len;
	int e;

	if (r->p == r->end)
		return MP_E_MORE;
	e = length_read(r, 0xc4, &head, &len);
	return e != 0 ? e : body_take(r, head, len, ret);
}

/* fix: the one-byte form for up to 15; wide: the first byte of the 16-bit form. */
static int count_read(struct mp_reader *r, uint8_t fix, uint8_t wide, uint32_t *ret_n)
{
	unsigned int width;

	if (r->p == r->end)
		return MP_E_MORE;
	if ((*r->p & 0xf0) == fix) {
		*ret_n = *r->p++ & 0x0f;
		return 0;
	}
	if (*r->p != wide && *r->p != wide + 1)
		return MP_E_BAD;
	width = *r->p == wide ? 2 : 4;
	if (reader_left(r) < 1 + width)
		return MP_E_MORE;
	*ret_n = (uint32_t)mp_load_be(r->p + 1, width);
	r->p += 1 + width;
	return 0;
}

int mp_read_long_array(struct mp_reader *r, uint32_t *ret_n)
{
	return count_read(r, 0x90, 0xdc, ret_n);
}

int mp_read_map(struct mp_reader *r, uint32_t *ret_n)
{
	return count_read(r, 0x80, 0xde, ret_n);
}

int mp_read_ext(struct mp_reader *r, int8_t *ret_type, struct span *ret)
{
	struct mp_reader q = *r;
	struct span body;
	size_t head = 1, len;
	int e;

	if (r->p == r->end)
		return MP_E_MORE;
	if (*r->p >= 0xd4 && *r->p <= 0xd8) {
		len = (size_t)1 << (*r->p - 0xd4);
	} else {
		e = length_read(r, 0xc7, &head, &len);
		if (e != 0)
			return e;
	}
	if (len == SIZE_MAX)	/* 32 bits: no room for the type */
		return MP_E_MORE;
	e = body_take(&q, head, len + 1, &body);
	if (e != 0)
		return e;
	*ret_type = (int8_t)body.p[0];
	*ret = span_of(body.p + 1, len);
	*r = q;
	return 0;
}

int mp_read_raw(struct mp_reader *r, struct span *ret)
{
	size_t len = r->p == r->end ? 0 : mp_fixed_len[*r->p];
	int e = 0;

	if (len == 0 || len > reader_left(r))
		e = mp_length(mp_rest(r), MP_MESSAGE_DEPTH_MAX, &len);
	if (e != 0)
		return e;
	*ret = span_of(r->p, len);
	r->p += len;
	return 0;
}

int mp_skip(struct mp_reader *r)
{
	struct span value;

	return mp_read_raw(r, &value);
}

int mp_map_get(struct span map, const char *key, struct span *ret)
{
	struct mp_reader r = mp_reader(map);
	struct span found = { 0 };
	uint32_t n;

	if (mp_read_map(&r, &n) != 0)
		return MP_E_BAD;
	for (uint32_t i = 0; i < n; i++) {
		struct span name = { 0 }, value;
		bool is_str = mp_read_str(&r, &name) == 0;

		if (!is_str && mp_skip(&r) != 0)
			return MP_E_BAD;
		if (mp_read_raw(&r, &value) != 0)
			return MP_E_BAD;
		if (is_str && span_is(name, key))
			found = value;
	}
	if (!found.p)
		return MP_E_BAD;
	*ret = found;
	return 0;
}
