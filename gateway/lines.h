/* SPDX-License-Identifier: MIT */
/*
 * Lines of the cache: memory that begins with one, and lines that are asked for before they are
 * needed, so that several come at the same time.
 */
#ifndef CHAPI_LINES_H
#define CHAPI_LINES_H

#include <stddef.h>
#include <stdlib.h>

#define CACHE_LINE 64	/* on most machines */

/* free() it. NULL: there is none. */
static inline void *alloc_lines(size_t size)
{
	return aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
}

/* Only a hint: nothing is read, so that p may be anything. */
static inline void expect_lines(const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		__builtin_prefetch((const char *)p + i * CACHE_LINE);
}

#endif
