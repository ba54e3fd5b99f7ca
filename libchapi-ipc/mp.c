/* SPDX-License-Identifier: MIT */
/*
 * MessagePack: find the end of a value, read and write the few types of an envelope.
 *
 * The scan is the gateway's hot path. One table says how long a value is that has no length
 * of its own (numbers, short strings), so most values cost a look-up and an addition.
 * Counts and lengths in the input are only ever subtracted from: nothing is allocated.
 */
#include "libchapi-ipc/mp.h"

#include <assert.h>

/* Bytes of a value by its first byte, the first byte included; 0: more has to be read. */
static const uint8_t fixed_len[256] = {
	[0x00 ... 0x7f] = 1,
	[0xa0] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
	17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
	[0xc0] = 1, [0xc2] = 1, [0xc3] = 1,
	[0xca] = 5, [0xcb] = 9,
	[0xcc] = 2, 3, 5, 9,
	[0xd0] = 2, 3, 5, 9,
	[0xd4] = 3, 4, 6, 10, 18,
	[0xe0 ... 0xff] = 1,
};

static const uint8_t types[256] = {
	[0x00 ... 0x7f] = MP_UINT, [0x80 ... 0x8f] = MP_MAP, [0x90 ... 0x9f] = MP_ARRAY,
	[0xa0 ... 0xbf] = MP_STR, [0xc0] = MP_NIL, [0xc1] = MP_NONE, [0xc2 ... 0xc3] = MP_BOOL,
	[0xc4 ... 0xc6] = MP_BIN, [0xc7 ... 0xc9] = MP_EXT, [0xca ... 0xcb] = MP_FLOAT,
	[0xcc ... 0xcf] = MP_UINT, [0xd0 ... 0xd3] = MP_INT, [0xd4 ... 0xd8] = MP_EXT,
	[0xd9 ... 0xdb] = MP_STR, [0xdc ... 0xdd] = MP_ARRAY, [0xde ... 0xdf] = MP_MAP,
	[0xe0 ... 0xff] = MP_INT,
};

/* ---- scanning ------------------------------------------------------------------------- */

/* What a first byte announces. */
struct head {
	unsigned int len;	/* of the head itself */
	uint64_t body;		/* bytes that follow */
	uint64_t n;		/* values that follow */
	bool container;
};

/* Bytes of the length that follows a first byte from 0xc4 to 0xdf; 0: none does. */
static const uint8_t length_widths[] = {
	1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4,
};

static inline int head_read(const uint8_t *p, size_t len, struct head *ret)
{
	uint8_t c = *p;
	unsigned int width;
	uint64_t n;

	if (fixed_len[c]) {
		*ret = (struct head){ .body = fixed_len[c] };
		return 0;
	}
	if (c < 0xa0) {		/* fixmap, fixarray: what is below is in fixed_len */
		*ret = (struct head){ .len = 1, .n = c < 0x90 ? 2 * (c & 15u) : (c & 15u),
				      .container = true };
		return 0;
	}
	if (c == 0xc1)
		return MP_E_BAD;
	width = length_widths[c - 0xc4];
	if (len < 1 + width)
		return MP_E_MORE;
	n = mp_load_be(p + 1, width);
	if (c >= 0xdc)
		*ret = (struct head){ .len = 1 + width, .n = c >= 0xde ? 2 * n : n,
				      .container = true };
	else	/* an ext has a type byte before its content */
		*ret = (struct head){ .len = 1 + width,
				      .body = n + (c >= 0xc7 && c <= 0xc9) };
	return 0;
}

void mp_scan_init(struct mp_scan *s, unsigned int depth_limit)
{
	mp_scan_init_values(s, depth_limit, 1);
}

void mp_scan_init_values(struct mp_scan *s, unsigned int depth_limit, uint64_t n)
{
	assert(depth_limit <= MP_MESSAGE_DEPTH_MAX);
	s->body = 0;
	s->left[0] = n;
	s->depth = 0;
	s->depth_limit = depth_limit;
	s->depth_seen = 0;
	s->done = false;
}

/* Where a scan is, in registers while it goes on. */
struct place {
	const uint8_t *p;
	uint64_t left;		/* of the level */
	unsigned int depth;
};

/* Goes on below a container; MP_E_DEEP if that is one too many. */
static inline int scan_descend(struct mp_scan *s, struct place *at, uint64_t n)
{
	if (at->depth >= s->depth_limit)
		return MP_E_DEEP;
	s->left[at->depth++] = at->left - 1;
	s->depth_seen = MAX(s->depth_seen, at->depth);
	at->left = n;
	return 0;
}

/* Bytes of a text or bin of up to 255; 0: it is neither, or cut. */
static inline size_t length_of_short(const uint8_t *p, const uint8_t *end)
{
	return (*p == 0xc4 || *p == 0xd9) && end - p > 1 ? 2 + (size_t)p[1] : 0;
}

/* The most frequent forms: what is short, and containers of up to 15. Stops before whatever else
 * comes, at the end of a level, or where a value is cut. */
static inline int scan_short(struct mp_scan *s, struct place *at, const uint8_t *end)
{
	int r = 0;

	while (r == 0 && at->left > 0 && at->p < end) {
		uint8_t c = *at->p;
		size_t len = fixed_len[c];

		if ((c & 0xe0) == 0x80) {
			r = scan_descend(s, at, c < 0x90 ? 2 * (c & 15u) : c & 15u);
			at->p += r == 0;
			continue;
		}
		if (len == 0)
			len = length_of_short(at->p, end);
		if (len == 0 || len > (size_t)(end - at->p))
			break;
		at->p += len;
		at->left--;
	}
	return r;
}

/* Any value. It counts as begun (left is one less) as soon as its head is passed; what is
 * missing of it is s->body. */
static inline int scan_any(struct mp_scan *s, struct place *at, const uint8_t *end)
{
	struct head head;
	int r = head_read(at->p, (size_t)(end - at->p), &head);

	if (r == 0 && head.container)
		r = scan_descend(s, at, head.n);
	if (r != 0)
		return r;
	at->p += head.len;
	if (head.container)
		return 0;
	at->left--;
	if ((uint64_t)(end - at->p) < head.body) {
		s->body = head.body - (uint64_t)(end - at->p);
		at->p = end;
		return MP_E_MORE;
	}
	at->p += head.body;
	return 0;
}

/* Values one after the other, until the bytes or the value end. */
static int scan_values(struct mp_scan *s, const uint8_t **pp, const uint8_t *end)
{
	struct place at = { .p = *pp, .left = s->left[s->depth], .depth = s->depth };
	int r;

	for (;;) {
		r = scan_short(s, &at, end);
		if (r != 0)
			break;
		while (at.left == 0 && at.depth > 0)
			at.left = s->left[--at.depth];
		s->done = at.left == 0;
		if (s->done)
			break;
		r = at.p == end ? MP_E_MORE : scan_any(s, &at, end);
		if (r != 0)
			break;
	}
	s->depth = at.depth;
	s->left[at.depth] = at.left;
	*pp = at.p;
	return r;
}

int mp_scan(struct mp_scan *s, const uint8_t *p, size_t len, size_t *ret_used)
{
	const uint8_t *start = p;
	int r;

	*ret_used = 0;
	if (s->done)
		return 0;
	if (s->body > len) {
		s->body -= len;
		*ret_used = len;
		return MP_E_MORE;
	}
	p += s->body;
	s->body = 0;
	r = scan_values(s, &p, start + len);
	*ret_used = (size_t)(p - start);
	return r;
}

int mp_length(struct span bytes, unsigned int depth_limit, size_t *ret_len)
{
	struct mp_scan s;
	size_t used;
	int r;

	mp_scan_init(&s, depth_limit);
	r = mp_scan(&s, bytes.p, bytes.len, &used);
	if (r == 0)
		*ret_len = used;
	return r;
}

/* ---- reading -------------------------------------------------------------------------- */

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
	size_t len = r->p == r->end ? 0 : fixed_len[*r->p];
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

/* ---- writing -------------------------------------------------------------------------- */

static uint8_t *w_count(uint8_t *w, uint32_t n, uint8_t fix, uint8_t wide)
{
	if (n <= 15) {
		*w = (uint8_t)(fix | n);
		return w + 1;
	}
	*w = n <= 0xffff ? wide : (uint8_t)(wide + 1);
	return mp_w_be(w + 1, n, n <= 0xffff ? 2 : 4);
}

uint8_t *mp_w_long_array(uint8_t *w, uint32_t n)
{
	return w_count(w, n, 0x90, 0xdc);
}

uint8_t *mp_w_map(uint8_t *w, uint32_t n)
{
	return w_count(w, n, 0x80, 0xde);
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

void mp_put_text(struct buf *b, struct span s)
{
	uint8_t head[MP_HEAD_MAX];

	put_head(b, head, mp_w_str_head(head, s.len));
	buf_put(b, s.p, s.len);
}

void mp_put_bin(struct buf *b, struct span s)
{
	uint8_t head[MP_HEAD_MAX];

	put_head(b, head, mp_w_bin_head(head, s.len));
	buf_put(b, s.p, s.len);
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
