/* SPDX-License-Identifier: MIT */
/*
 * Bytes for the tests of what reads and writes them: literals, copies, random ones.
 */
#ifndef CHAPI_TESTS_BYTES_H
#define CHAPI_TESTS_BYTES_H

#include "libchapi-ipc/buf.h"

/* A literal with any bytes in it, as an initialiser and as a value. */
#define BYTES(literal) { (const uint8_t *)(literal), sizeof(literal) - 1 }
#define SPAN(literal) span_of(literal, sizeof(literal) - 1)

/* The same bytes in memory of their own size, so that a sanitizer sees who reads too far. */
struct span exact_copy(struct span s);
void span_free(struct span s);

/* A number of width bytes, the highest first. */
void put_be(struct buf *b, uint64_t v, unsigned int width);
/* MessagePack's bin, which nothing but tests writes. */
void put_bin(struct buf *b, struct span s);

/* Not random at all: what follows from a seed, which is not 0. */
void random_begin(uint64_t seed);
uint64_t random_next(void);
size_t random_below(size_t n);

#endif
