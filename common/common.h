/* SPDX-License-Identifier: MIT */
/*
 * The few macros and the one type that every file may use.
 *
 * Nothing here allocates, and nothing here knows of chapi.
 */
#ifndef CHAPI_COMMON_H
#define CHAPI_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Runs f(&variable) when the variable goes out of scope. */
#define CLEANUP(f) __attribute__((cleanup(f)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Bytes that belong to somebody else. Text in a span has no terminator. */
struct span {
	const uint8_t *p;
	size_t len;
};

static inline struct span span_of(const void *p, size_t len)
{
	return (struct span){ .p = p, .len = len };
}

static inline struct span span_str(const char *s)
{
	return span_of(s, s ? strlen(s) : 0);
}

static inline int span_is(struct span a, const char *s)
{
	size_t len = strlen(s);

	return a.len == len && memcmp(a.p, s, len) == 0;
}

static inline int span_begins(struct span a, const char *s)
{
	size_t len = strlen(s);

	return a.len >= len && memcmp(a.p, s, len) == 0;
}

static inline int span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

#endif
