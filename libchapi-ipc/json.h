/* SPDX-License-Identifier: MIT */
/*
 * JSON text, read in place: is it well formed, where does a value end, what are the members
 * of an object. Builds no tree.
 *
 * RFC 8259. Conversion of values to and from MessagePack is value.h.
 */
#ifndef CHAPI_JSON_H
#define CHAPI_JSON_H

#include <stdbool.h>

#include "buf.h"
#include "common.h"

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

/* Blanks, one value, blanks: 0, or JSON_E_BAD. ret is the value without the blanks. */
int json_text(struct span text, unsigned int depth_limit, struct span *ret,
	      struct json_fault *ret_fault) MUST_CHECK;

/* The next value of a reader, whole, checked. */
int json_read_raw(struct json_reader *r, unsigned int depth_limit, struct span *ret,
		  struct json_fault *ret_fault) MUST_CHECK;

/*
 * Members of an object, elements of an array (text as json_text() or json_read_raw() gave
 * it, hence well formed): enter, then next until JSON_E_END. A key comes as text inside the
 * quotes, not decoded: compare with json_key_is().
 */
/* JSON_E_TYPE: is none */
int json_enter_object(struct span object, struct json_reader *ret) MUST_CHECK;
int json_next_member(struct json_reader *r, struct span *ret_key,
		     struct span *ret_value) MUST_CHECK;
int json_enter_array(struct span array, struct json_reader *ret) MUST_CHECK;
int json_next_element(struct json_reader *r, struct span *ret_value) MUST_CHECK;
bool json_key_is(struct span raw_key, const char *name);	/* escapes understood */

/* One value: JSON_E_TYPE if it is of another type. */
/* decoded, appended; -ENOMEM too */
int json_get_string(struct span value, struct buf *out) MUST_CHECK;
int json_get_number(struct span value, double *ret) MUST_CHECK;
int json_get_bool(struct span value, bool *ret) MUST_CHECK;
bool json_is_null(struct span value);

/* Writing. The text has to be UTF-8; control characters, quotes and backslashes are escaped. */
void json_put_string(struct buf *b, struct span text);
/* The inside of a string, up to what is not UTF-8; returns how many bytes of text that were. */
size_t json_put_inside(struct buf *b, struct span text);
/* Shortest digits that read back the same; always with a '.' or an exponent, as it is a
 * float. Finite values only. At most 32 bytes; returns the length. Independent of the locale. */
size_t json_format_double(double v, char ret[32]);
size_t json_format_uint(uint64_t v, char ret[20]);	/* decimal digits; their number, no NUL */

/*
 * The pieces that texts are made of, for value.c. Each moves the reader on, or returns
 * JSON_E_BAD with the reader at the fault and the reason in *ret_why (static text).
 */
struct json_number {
	bool integer;		/* neither point nor exponent */
	bool negative;
	bool exact;		/* mantissa holds all digits */
	uint64_t mantissa;	/* the value is mantissa * 10^exponent, if exact */
	int64_t exponent;
	struct span text;
};

static inline void json_skip_blanks(struct json_reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
		r->p++;
}

/* At the first byte inside the quotes; passes the closing one. out: gets the text decoded (a
 * failure is remembered there), or NULL. JSON_E_SURROGATE too. */
int json_take_string(struct json_reader *r, struct buf *out, const char **ret_why) MUST_CHECK;
int json_take_number(struct json_reader *r, struct json_number *ret,
		     const char **ret_why) MUST_CHECK;
/* "true" and so on. */
int json_take_word(struct json_reader *r, const char *word, const char **ret_why) MUST_CHECK;
/* Infinite if it is too large. */
double json_number_double(const struct json_number *n);

/* How many bytes at p may stand in a string as they are: whole valid UTF-8 characters but
 * quotes, backslashes and control characters. */
size_t json_clean_run(const uint8_t *p, size_t len);
bool json_is_utf8(struct span text);

#endif
