/* SPDX-License-Identifier: MIT */
/*
 * A growable queue of bytes with a ceiling: appended to at one end, consumed at the other.
 *
 * A failure to grow is remembered: further appends do nothing, and whoever built the content
 * asks buf_error() once at the end. The caller then drops the half-built content
 * (buf_truncate(), buf_clear()), which forgets the failure.
 */
#ifndef CHAPI_BUF_H
#define CHAPI_BUF_H

#include <stdarg.h>

#include "common/common.h"

struct buf {
	uint8_t *p;	/* NULL while nothing was ever stored */
	size_t off;	/* of the first live byte */
	size_t len;	/* live bytes */
	size_t cap;
	size_t max;	/* ceiling for len; 0 is none */
	int error;	/* 0, -ENOMEM, or -ENOBUFS: the ceiling */
};

#define BUF_NULL { 0 }

void buf_init(struct buf *b, size_t max);
void buf_deinit(struct buf *b);		/* frees the memory; b is empty and usable again */

/* Room for n more bytes; NULL (and the failure remembered) if there is none. What is
 * written there counts after buf_commit(). */
uint8_t *buf_make_room(struct buf *b, size_t n);

static inline uint8_t *buf_reserve(struct buf *b, size_t n)
{
	size_t end = b->off + b->len;

	if (b->p && b->error == 0 && b->cap - end >= n && (b->max == 0 || b->len + n <= b->max))
		return b->p + end;
	return buf_make_room(b, n);
}

static inline void buf_commit(struct buf *b, size_t n)
{
	b->len += n;
}

void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_byte(struct buf *b, uint8_t c);
void buf_put_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);

void buf_consume(struct buf *b, size_t n);	/* n <= b->len, from the front */
void buf_truncate(struct buf *b, size_t len);	/* keeps the first len bytes, forgets a failure */
void buf_clear(struct buf *b);			/* keeps the memory, forgets a failure */
void buf_shrink(struct buf *b, size_t keep);	/* gives memory above keep back when empty */

static inline int MUST_CHECK buf_error(const struct buf *b)
{
	return b->error;
}

static inline const uint8_t *buf_data(const struct buf *b)
{
	return b->p ? b->p + b->off : (const uint8_t *)"";
}

static inline struct span buf_span(const struct buf *b)
{
	return span_of(buf_data(b), b->len);
}

#endif
