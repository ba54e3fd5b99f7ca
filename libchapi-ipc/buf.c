/* SPDX-License-Identifier: MIT */
/*
 * A growable queue of bytes with a ceiling.
 *
 * Consumed bytes at the front are reclaimed when at least half of the content has gone, so
 * moving costs no more than what was consumed; otherwise the memory doubles.
 */
#include "libchapi-ipc/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_CAP_MIN 64

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_deinit(struct buf *b)
{
	if (!b)
		return;
	free(b->p);
	buf_init(b, b->max);
}

static size_t grown_cap(const struct buf *b, size_t need)
{
	size_t cap = MAX(need, BUF_CAP_MIN);

	if (b->cap <= SIZE_MAX / 4)
		cap = MAX(cap, 2 * b->cap);
	/* Memory above the ceiling could never be used. */
	if (b->max)
		cap = MAX(MIN(cap, b->max), need);
	return cap;
}

static int buf_grow(struct buf *b, size_t need)
{
	size_t cap = grown_cap(b, need);
	uint8_t *p;

	if (b->off == 0) {
		p = realloc(b->p, cap);
		if (!p)
			return -ENOMEM;
	} else {
		p = malloc(cap);
		if (!p)
			return -ENOMEM;
		memcpy(p, b->p + b->off, b->len);
		free(b->p);
	}
	b->p = p;
	b->off = 0;
	b->cap = cap;
	return 0;
}

static int make_room(struct buf *b, size_t n)
{
	if (n > SIZE_MAX / 2 - b->len)
		return -ENOMEM;
	if (b->max && b->len + n > b->max)
		return -ENOBUFS;
	if (b->p && b->cap - b->off - b->len >= n)
		return 0;
	if (b->p && b->cap - b->len >= n && b->off >= b->len) {
		memmove(b->p, b->p + b->off, b->len);
		b->off = 0;
		return 0;
	}
	return buf_grow(b, MAX(b->len + n, 1));
}

uint8_t *buf_make_room(struct buf *b, size_t n)
{
	if (b->error)
		return NULL;
	b->error = make_room(b, n);
	return b->error ? NULL : b->p + b->off + b->len;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	uint8_t *w;

	if (n == 0)
		return;
	w = buf_reserve(b, n);
	if (!w)
		return;
	memcpy(w, p, n);
	buf_commit(b, n);
}

void buf_put_byte(struct buf *b, uint8_t c)
{
	buf_put(b, &c, 1);
}

void buf_put_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

/* Text of n bytes that is too long for the stack. vsnprintf() writes a NUL after it, for
 * which the ceiling need not have room. */
static void PRINTF(2, 0) buf_put_long(struct buf *b, const char *fmt, va_list args, size_t n)
{
	char *text = malloc(n + 1);

	if (!text) {
		b->error = b->error ? b->error : -ENOMEM;
		return;
	}
	vsnprintf(text, n + 1, fmt, args);
	buf_put(b, text, n);
	free(text);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	char text[256];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	assert(n >= 0);
	if ((size_t)n < sizeof(text)) {
		buf_put(b, text, (size_t)n);
		return;
	}
	va_start(args, fmt);
	buf_put_long(b, fmt, args, (size_t)n);
	va_end(args);
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->off += n;
	b->len -= n;
	if (b->len == 0)
		b->off = 0;
}

void buf_truncate(struct buf *b, size_t len)
{
	b->len = MIN(b->len, len);
	if (b->len == 0)
		b->off = 0;
	b->error = 0;
}

void buf_clear(struct buf *b)
{
	buf_truncate(b, 0);
}

void buf_shrink(struct buf *b, size_t keep)
{
	uint8_t *p;

	if (b->len > 0 || b->cap <= keep)
		return;
	p = keep ? realloc(b->p, keep) : NULL;
	if (keep && !p)
		return;		/* the larger piece serves as well */
	if (!keep)
		free(b->p);
	b->p = p;
	b->off = 0;
	b->cap = keep;
}
