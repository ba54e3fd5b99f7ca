/* SPDX-License-Identifier: MIT */
/*
 * Bytes for the tests: see bytes.h.
 */
#include "tests/unit/bytes.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "libchapi-ipc/mp.h"

struct span exact_copy(struct span s)
{
	uint8_t *p = malloc(s.len ? s.len : 1);

	assert_non_null(p);
	if (s.len > 0)
		memcpy(p, s.p, s.len);
	return span_of(p, s.len);
}

void span_free(struct span s)
{
	free((void *)(uintptr_t)s.p);
}

void put_be(struct buf *b, uint64_t v, unsigned int width)
{
	while (width--)
		buf_put_byte(b, (uint8_t)(v >> 8 * width));
}

void put_bin(struct buf *b, struct span s)
{
	uint8_t head[MP_HEAD_MAX];

	buf_put(b, head, (size_t)(mp_w_bin_head(head, s.len) - head));
	buf_put(b, s.p, s.len);
}

static uint64_t random_state = 1;

void random_begin(uint64_t seed)
{
	random_state = seed;
}

uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}

size_t random_below(size_t n)
{
	return (size_t)((random_next() >> 20) % n);
}
