/* SPDX-License-Identifier: MIT */
/*
 * Values of MessagePack, written into memory or into a buffer: see mp.h.
 */
#include "libchapi-ipc/mp.h"

#include <assert.h>

/* A count of 2 or 4 bytes; wide: the byte that announces one of 2. */
static uint8_t *w_count(uint8_t *w, uint32_t n, uint8_t wide)
{
	*w = n <= 0xffff ? wide : (uint8_t)(wide + 1);
	return mp_w_be(w + 1, n, n <= 0xffff ? 2 : 4);
}

uint8_t *mp_w_long_array(uint8_t *w, uint32_t n)
{
	return w_count(w, n, 0xdc);
}

uint8_t *mp_w_long_map(uint8_t *w, uint32_t n)
{
	return w_count(w, n, 0xde);
}

/* A length of 1, 2 or 4 bytes; first: the byte that announces one of 1. */
static uint8_t *w_length(uint8_t *w, size_t len, uint8_t first)
{
	unsigned int k = len <= 0xff ? 0 : len <= 0xffff ? 1 : 2;

	assert(len <= UINT32_MAX);
	*w = (uint8_t)(first + k);
	return mp_w_be(w + 1, len, 1u << k);
}

uint8_t *mp_w_wide_uint(uint8_t *w, uint64_t v)
{
	unsigned int k = v <= 0xff ? 0 : v <= 0xffff ? 1 : v <= UINT32_MAX ? 2 : 3;

	*w = (uint8_t)(0xcc + k);
	switch (k) {	/* widths that the compiler sees are one store each */
	case 0:
		return mp_w_be(w + 1, v, 1);
	case 1:
		return mp_w_be(w + 1, v, 2);
	case 2:
		return mp_w_be(w + 1, v, 4);
	default:
		return mp_w_be(w + 1, v, 8);
	}
}

uint8_t *mp_w_int(uint8_t *w, int64_t v)
{
	unsigned int k = v >= INT8_MIN ? 0 : v >= INT16_MIN ? 1 : v >= INT32_MIN ? 2 : 3;

	if (v >= 0)
		return mp_w_uint(w, (uint64_t)v);
	if (v >= -32) {
		*w = (uint8_t)v;
		return w + 1;
	}
	*w = (uint8_t)(0xd0 + k);
	return mp_w_be(w + 1, (uint64_t)v, 1u << k);
}

uint8_t *mp_w_double(uint8_t *w, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	*w = 0xcb;
	return mp_w_be(w + 1, bits, 8);
}

uint8_t *mp_w_long_str_head(uint8_t *w, size_t len)
{
	return w_length(w, len, 0xd9);
}

uint8_t *mp_w_bin_head(uint8_t *w, size_t len)
{
	return w_length(w, len, 0xc4);
}

/*
 * Each goes through a few bytes on the stack: room for the longest form, reserved in the
 * buffer, would meet its ceiling too early.
 */
static void put_head(struct buf *b, const uint8_t *head, const uint8_t *end)
{
	buf_put(b, head, (size_t)(end - head));
}

void mp_put_nil(struct buf *b)
{
	buf_put_byte(b, 0xc0);
}

void mp_put_bool(struct buf *b, bool v)
{
	buf_put_byte(b, v ? 0xc3 : 0xc2);
}

void mp_put_uint(struct buf *b, uint64_t v)
{
	uint8_t head[MP_HEAD_MAX];

	put_head(b, head, mp_w_uint(head, v));
}

void mp_put_int(struct buf *b, int64_t v)
{
	uint8_t head[MP_HEAD_MAX];

	put_head(b, head, mp_w_int(head, v));
}

void mp_put_double(struct buf *b, double v)
{
	uint8_t head[MP_HEAD_MAX];

	put_head(b, head, mp_w_double(head, v));
}

void mp_put_str(struct buf *b, const char *s)
{
	mp_put_text(b, span_str(s));
}

static size_t str_head_len(size_t len)
{
	return len <= 31 ? 1 : len <= 0xff ? 2 : len <= 0xffff ? 3 : 5;
}

void mp_put_text(struct buf *b, struct span s)
{
	size_t head_len = str_head_len(s.len);
	uint8_t *w = buf_reserve(b, head_len + s.len);

	if (!w)
		return;
	w = mp_w_str_head(w, s.len);
	if (s.len > 0)
		memcpy(w, s.p, s.len);
	buf_commit(b, head_len + s.len);
}

void mp_put_array(struct buf *b, uint32_t n)
{
	uint8_t head[MP_HEAD_MAX];

	put_head(b, head, mp_w_array(head, n));
}

void mp_put_map(struct buf *b, uint32_t n)
{
	uint8_t head[MP_HEAD_MAX];

	put_head(b, head, mp_w_map(head, n));
}

void mp_put_raw(struct buf *b, struct span value)
{
	buf_put(b, value.p, value.len);
}
