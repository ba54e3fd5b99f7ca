/* SPDX-License-Identifier: MIT */
/*
 * MessagePack, as far as a router needs it: read the few fields of an envelope, write the few
 * types of an answer. Builds no objects.
 *
 * Specification: https://github.com/msgpack/msgpack/blob/master/spec.md
 * Where a value ends that may not be all there is mp_scan.h; conversion to and from JSON is
 * value.h; whole messages are message.h.
 */
#ifndef CHAPI_MP_H
#define CHAPI_MP_H

#include <endian.h>
#include <stdbool.h>

#include "buf.h"
#include "common/common.h"

/* A value is at most this deep (an array in an array is 2); messages wrap it in two more. */
#define MP_VALUE_DEPTH_MAX 24
#define MP_MESSAGE_DEPTH_MAX (MP_VALUE_DEPTH_MAX + 2)

enum {
	MP_E_MORE = 1,	/* the bytes end before the value does */
	MP_E_BAD,	/* 0xc1, or a type that was not expected */
	MP_E_DEEP,	/* deeper than allowed */
};

/*
 * Reading: a cursor over bytes that are all there. Each function returns 0 and moves on, or
 * an outcome and stays where it is.
 */
struct mp_reader {
	const uint8_t *p, *end;
};

static inline struct mp_reader mp_reader(struct span s)
{
	const uint8_t *p = s.p ? s.p : (const uint8_t *)"";

	return (struct mp_reader){ .p = p, .end = p + s.len };
}

static inline struct span mp_rest(const struct mp_reader *r)
{
	return span_of(r->p, (size_t)(r->end - r->p));
}

/* The first width bytes, 1, 2, 4 or 8, as a number. A load of each width is one instruction. */
static inline uint64_t mp_load_be(const uint8_t *p, unsigned int width)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (width) {
	case 1:
		return *p;
	case 2:
		memcpy(&v16, p, sizeof(v16));
		return be16toh(v16);
	case 4:
		memcpy(&v32, p, sizeof(v32));
		return be32toh(v32);
	default:
		memcpy(&v64, p, sizeof(v64));
		return be64toh(v64);
	}
}

enum mp_type {
	MP_NIL, MP_BOOL, MP_UINT, MP_INT, MP_FLOAT, MP_STR, MP_BIN, MP_ARRAY, MP_MAP, MP_EXT,
	MP_NONE,	/* nothing there, or 0xc1 */
};

enum mp_type mp_peek(const struct mp_reader *r);	/* MP_INT: a negative one */
int mp_read_nil(struct mp_reader *r) MUST_CHECK;
int mp_read_bool(struct mp_reader *r, bool *ret) MUST_CHECK;
int mp_read_wide_uint(struct mp_reader *r, uint64_t *ret) MUST_CHECK;
/* any width; MP_E_BAD beyond int64 */
int mp_read_int(struct mp_reader *r, int64_t *ret) MUST_CHECK;
int mp_read_number(struct mp_reader *r, double *ret) MUST_CHECK;	/* any integer or float */
int mp_read_long_str(struct mp_reader *r, struct span *ret) MUST_CHECK;
int mp_read_bin(struct mp_reader *r, struct span *ret) MUST_CHECK;
int mp_read_long_array(struct mp_reader *r, uint32_t *ret_n) MUST_CHECK;
int mp_read_map(struct mp_reader *r, uint32_t *ret_n) MUST_CHECK;
int mp_read_ext(struct mp_reader *r, int8_t *ret_type, struct span *ret) MUST_CHECK;
int mp_read_raw(struct mp_reader *r, struct span *ret) MUST_CHECK;	/* the next value, whole */
int mp_skip(struct mp_reader *r) MUST_CHECK;

/*
 * What stands in every envelope is mostly one byte, or a short string: these forms are read in
 * place, the others by the functions with a longer name, which read the short ones too.
 */

/* Any width, signed encodings of a value >= 0 too. */
static inline int MUST_CHECK mp_read_uint(struct mp_reader *r, uint64_t *ret)
{
	if (r->p == r->end || *r->p > 0x7f)
		return mp_read_wide_uint(r, ret);
	*ret = *r->p++;
	return 0;
}

static inline int MUST_CHECK mp_read_array(struct mp_reader *r, uint32_t *ret_n)
{
	if (r->p == r->end || (*r->p & 0xf0) != 0x90)
		return mp_read_long_array(r, ret_n);
	*ret_n = *r->p++ & 0x0f;
	return 0;
}

static inline int MUST_CHECK mp_read_str(struct mp_reader *r, struct span *ret)
{
	size_t len;

	if (r->p == r->end || (*r->p & 0xe0) != 0xa0)
		return mp_read_long_str(r, ret);
	len = *r->p & 0x1f;
	if ((size_t)(r->end - r->p) <= len)
		return MP_E_MORE;
	*ret = span_of(r->p + 1, len);
	r->p += 1 + len;
	return 0;
}

/* The value of a string key in a map (the last one, if it stands there twice): 0, or
 * MP_E_BAD if map is no map or has no such key. */
int mp_map_get(struct span map, const char *key, struct span *ret) MUST_CHECK;

/*
 * Writing into memory that is known to be large enough: each returns the next free byte.
 * The most that one can take: *_MAX.
 */
#define MP_HEAD_MAX 9
uint8_t *mp_w_long_array(uint8_t *w, uint32_t n);	/* of more than 15 */
uint8_t *mp_w_long_map(uint8_t *w, uint32_t n);		/* of more than 15 */
uint8_t *mp_w_wide_uint(uint8_t *w, uint64_t v);	/* above 127 */
uint8_t *mp_w_int(uint8_t *w, int64_t v);
uint8_t *mp_w_double(uint8_t *w, double v);
uint8_t *mp_w_long_str_head(uint8_t *w, size_t len);	/* of more than 31 */
uint8_t *mp_w_bin_head(uint8_t *w, size_t len);

static inline uint8_t *mp_w_array(uint8_t *w, uint32_t n)
{
	if (n > 15)
		return mp_w_long_array(w, n);
	*w = (uint8_t)(0x90 | n);
	return w + 1;
}

static inline uint8_t *mp_w_map(uint8_t *w, uint32_t n)
{
	if (n > 15)
		return mp_w_long_map(w, n);
	*w = (uint8_t)(0x80 | n);
	return w + 1;
}

static inline uint8_t *mp_w_uint(uint8_t *w, uint64_t v)
{
	if (v > 0x7f)
		return mp_w_wide_uint(w, v);
	*w = (uint8_t)v;
	return w + 1;
}

static inline uint8_t *mp_w_str_head(uint8_t *w, size_t len)
{
	if (len > 31)
		return mp_w_long_str_head(w, len);
	*w = (uint8_t)(0xa0 | len);
	return w + 1;
}

/* The lowest width bytes of v, 1, 2, 4 or 8, the highest of them first. */
static inline uint8_t *mp_w_be(uint8_t *w, uint64_t v, unsigned int width)
{
	uint64_t be = htobe64(v << (64 - 8 * width));

	memcpy(w, &be, width);
	return w + width;
}

/* The same into a buffer. */
void mp_put_nil(struct buf *b);
void mp_put_bool(struct buf *b, bool v);
void mp_put_uint(struct buf *b, uint64_t v);
void mp_put_int(struct buf *b, int64_t v);
void mp_put_double(struct buf *b, double v);
void mp_put_str(struct buf *b, const char *s);
void mp_put_text(struct buf *b, struct span s);	/* as str */
void mp_put_array(struct buf *b, uint32_t n);
void mp_put_map(struct buf *b, uint32_t n);
void mp_put_raw(struct buf *b, struct span value);	/* bytes that are a value already */

#endif
