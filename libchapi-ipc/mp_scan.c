/* SPDX-License-Identifier: MIT */
/*
 * Where a value of MessagePack ends.
 *
 * This is the gateway's hot path. One table says how long a value is that has no length of its
 * own (numbers, short strings), so most values cost a look-up and an addition. Counts and lengths
 * in the input are only ever subtracted from: nothing is allocated.
 */
#include "libchapi-ipc/mp_scan.h"

#include <assert.h>

const uint8_t mp_fixed_len[256] = {
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

	if (mp_fixed_len[c]) {
		*ret = (struct head){ .body = mp_fixed_len[c] };
		return 0;
	}
	if (c < 0xa0) {		/* fixmap, fixarray: what is below is in the table */
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
struct position {
	const uint8_t *p;
	uint64_t left;		/* of the level */
	unsigned int depth;
};

/* Goes on below a container; MP_E_DEEP if that is one too many. */
static inline int scan_descend(struct mp_scan *s, struct position *at, uint64_t n)
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
static inline int scan_short(struct mp_scan *s, struct position *at, const uint8_t *end)
{
	int r = 0;

	while (r == 0 && at->left > 0 && at->p < end) {
		uint8_t c = *at->p;
		size_t len = mp_fixed_len[c];

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
static inline int scan_any(struct mp_scan *s, struct position *at, const uint8_t *end)
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
	struct position at = { .p = *pp, .left = s->left[s->depth], .depth = s->depth };
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
