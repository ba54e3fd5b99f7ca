/* SPDX-License-Identifier: MIT */
/*
 * JSON text, read in place: is it well formed, where does a value end, what are the members
 * of an object. Builds no tree.
 *
 * RFC 8259. Strings and numbers are json_string.h and json_number.h; conversion of values to and
 * from MessagePack is value.h.
 */
#ifndef CHAPI_JSON_H
#define CHAPI_JSON_H

#include <stdbool.h>

#include "buf.h"
#include "common/common.h"

/* JSON_E_SURROGATE: grammatical, but half a character; only json_take_string() tells it apart. */
enum { JSON_E_END = 1, JSON_E_BAD, JSON_E_TYPE, JSON_E_SURROGATE };

/* Containers in containers that are read at most, whatever limit is asked for. */
#define JSON_DEPTH_MAX 64

struct json_reader {
	const uint8_t *p, *end;
};

/* Where and why reading stopped, for people. */
struct json_fault {
	const char *why;	/* static text */
	size_t offset;
};

static inline struct json_reader json_reader(struct span s)
{
	const uint8_t *p = s.p ? s.p : (const uint8_t *)"";

	return (struct json_reader){ .p = p, .end = p + s.len };
}

static inline void json_skip_blanks(struct json_reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
		r->p++;
}

/* The outcome of what is read piece by piece; why: static text. */
static inline int json_bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return JSON_E_BAD;
}

/* Blanks, one value, blanks: 0, or JSON_E_BAD. ret is the value without the blanks. */
int json_text(struct span text, unsigned int depth_limit, struct span *ret,
	      struct json_fault *ret_fault) MUST_CHECK;

/* The next value of a reader, whole, checked. */
int json_read_raw(struct json_reader *r, unsigned int depth_limit, struct span *ret,
		  struct json_fault *ret_fault) MUST_CHECK;

/*
 * Members of an object (text as json_text() or json_read_raw() gave it, hence well formed):
 * enter, then next until JSON_E_END. A key comes as text inside the quotes, not decoded: compare
 * with json_key_is().
 */
/* JSON_E_TYPE: is none */
int json_enter_object(struct span object, struct json_reader *ret) MUST_CHECK;
int json_next_member(struct json_reader *r, struct span *ret_key,
		     struct span *ret_value) MUST_CHECK;
bool json_key_is(struct span raw_key, const char *name);	/* escapes understood */

/* One value: JSON_E_TYPE if it is of another type. */
/* decoded, appended; -ENOMEM too */
int json_get_string(struct span value, struct buf *out) MUST_CHECK;
int json_get_number(struct span value, double *ret) MUST_CHECK;
int json_get_bool(struct span value, bool *ret) MUST_CHECK;
bool json_is_null(struct span value);

/* "true" and so on: moves the reader on, or returns JSON_E_BAD and the reason (static text). */
int json_take_word(struct json_reader *r, const char *word, const char **ret_why) MUST_CHECK;

#endif
