/* SPDX-License-Identifier: MIT */
/*
 * JSON text: checking, and reading of objects in place. Strict RFC 8259.
 */
#include "libchapi-ipc/json.h"

#include <math.h>

#include "libchapi-ipc/json_number.h"
#include "libchapi-ipc/json_string.h"

/* ---- checking --------------------------------------------------------------------------- */

int json_take_word(struct json_reader *r, const char *word, const char **ret_why)
{
	size_t len = strlen(word);

	if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len) != 0)
		return json_bad(ret_why, "a value is missing, or not one that JSON has");
	r->p += len;
	return 0;
}

static int scalar_take(struct json_reader *r, const char **ret_why)
{
	struct json_number n;

	if (r->p == r->end)
		return json_bad(ret_why, "the text ends where a value should begin");
	switch (*r->p) {
	case '"':
		r->p++;
		return json_take_string(r, NULL, ret_why);
	case 't':
		return json_take_word(r, "true", ret_why);
	case 'f':
		return json_take_word(r, "false", ret_why);
	case '-': case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		return json_take_number(r, &n, ret_why);
	default:
		return json_take_word(r, "null", ret_why);
	}
}

/* A key up to the value after it. */
static int key_take(struct json_reader *r, struct span *ret_key, const char **ret_why)
{
	const uint8_t *start;
	int e;

	json_skip_blanks(r);
	if (r->p == r->end || *r->p != '"')
		return json_bad(ret_why, "a key in quotes is missing");
	start = ++r->p;
	e = json_take_string(r, NULL, ret_why);
	if (e != 0)
		return e;
	*ret_key = span_of(start, (size_t)(r->p - start) - 1);
	json_skip_blanks(r);
	if (r->p == r->end || *r->p != ':')
		return json_bad(ret_why, "a colon is missing after a key");
	r->p++;
	return 0;
}

/* The containers around the place that is being read: a bit each, set for an object. */
struct nest {
	uint64_t objects;
	unsigned int depth, limit;
};

/* Opens a container at the reader, up to its first value. *ret_whole: it is empty, hence a
 * whole value. */
static int nest_open(struct nest *nest, struct json_reader *r, bool *ret_whole,
		     const char **ret_why)
{
	bool object = *r->p == '{';
	struct span key;

	if (nest->depth == nest->limit)
		return json_bad(ret_why, "more containers in containers than allowed");
	r->p++;
	json_skip_blanks(r);
	*ret_whole = r->p < r->end && *r->p == (object ? '}' : ']');
	if (*ret_whole) {
		r->p++;
		return 0;
	}
	nest->objects = nest->objects << 1 | object;
	nest->depth++;
	return object ? key_take(r, &key, ret_why) : 0;
}

/* After a value: past a comma to the next one, or past the brackets that close here. */
static int nest_next(struct nest *nest, struct json_reader *r, const char **ret_why)
{
	struct span key;

	while (nest->depth > 0) {
		bool object = nest->objects & 1;

		json_skip_blanks(r);
		if (r->p < r->end && *r->p == ',') {
			r->p++;
			return object ? key_take(r, &key, ret_why) : 0;
		}
		if (r->p == r->end || *r->p != (object ? '}' : ']'))
			return json_bad(ret_why, object ? "a comma or } is missing" :
						     "a comma or ] is missing");
		r->p++;
		nest->objects >>= 1;
		nest->depth--;
	}
	return 0;
}

static int value_take(struct json_reader *r, unsigned int depth_limit, const char **ret_why)
{
	struct nest nest = { .limit = MIN(depth_limit, JSON_DEPTH_MAX) };
	int e;

	do {
		bool whole = true;

		json_skip_blanks(r);
		if (r->p < r->end && (*r->p == '{' || *r->p == '['))
			e = nest_open(&nest, r, &whole, ret_why);
		else
			e = scalar_take(r, ret_why);
		if (e == 0 && whole)
			e = nest_next(&nest, r, ret_why);
	} while (e == 0 && nest.depth > 0);
	return e;
}

int json_read_raw(struct json_reader *r, unsigned int depth_limit, struct span *ret,
		  struct json_fault *ret_fault)
{
	struct json_reader q = *r;
	const uint8_t *start;

	json_skip_blanks(&q);
	start = q.p;
	if (value_take(&q, depth_limit, &ret_fault->why) != 0) {
		ret_fault->offset = (size_t)(q.p - r->p);
		return JSON_E_BAD;
	}
	*ret = span_of(start, (size_t)(q.p - start));
	*r = q;
	return 0;
}

int json_text(struct span text, unsigned int depth_limit, struct span *ret,
	      struct json_fault *ret_fault)
{
	struct json_reader r = json_reader(text);
	struct span value;

	if (json_read_raw(&r, depth_limit, &value, ret_fault) != 0)
		return JSON_E_BAD;
	json_skip_blanks(&r);
	if (r.p != r.end) {
		*ret_fault = (struct json_fault){
			.why = "something follows the value", .offset = (size_t)(r.p - text.p),
		};
		return JSON_E_BAD;
	}
	*ret = value;
	return 0;
}

/* ---- reading ---------------------------------------------------------------------------- */

int json_enter_object(struct span object, struct json_reader *ret)
{
	if (object.len < 2 || object.p[0] != '{')
		return JSON_E_TYPE;
	*ret = json_reader(span_of(object.p + 1, object.len - 2));
	return 0;
}

/* Past the comma before a member, if there is one. */
static int comma_pass(struct json_reader *r)
{
	json_skip_blanks(r);
	if (r->p < r->end && *r->p == ',') {
		r->p++;
		json_skip_blanks(r);
	}
	return r->p == r->end ? JSON_E_END : 0;
}

int json_next_member(struct json_reader *r, struct span *ret_key, struct span *ret_value)
{
	struct json_fault fault;

	if (comma_pass(r) != 0)
		return JSON_E_END;
	if (key_take(r, ret_key, &fault.why) != 0)
		return JSON_E_BAD;
	return json_read_raw(r, JSON_DEPTH_MAX, ret_value, &fault);
}

bool json_key_is(struct span raw_key, const char *name)
{
	struct json_reader r = json_reader(raw_key);
	size_t left = strlen(name);
	const char *why;

	while (r.p < r.end) {
		uint8_t c[4] = { *r.p };
		size_t n = 1;

		if (*r.p != '\\')
			r.p++;
		else if (json_take_escape(&r, c, &n, &why) != 0)
			return false;
		if (n > left || memcmp(c, name, n) != 0)
			return false;
		name += n;
		left -= n;
	}
	return left == 0;
}

int json_get_string(struct span value, struct buf *out)
{
	struct json_reader r = json_reader(value);
	size_t before = out->len;
	const char *why;

	if (value.len == 0 || value.p[0] != '"')
		return JSON_E_TYPE;
	r.p++;
	if (json_take_string(&r, out, &why) != 0) {
		buf_truncate(out, before);
		return JSON_E_BAD;
	}
	return buf_error(out);
}

int json_get_number(struct span value, double *ret)
{
	struct json_reader r = json_reader(value);
	struct json_number n;
	const char *why;
	double v;

	if (value.len == 0 || (value.p[0] != '-' && (value.p[0] < '0' || value.p[0] > '9')))
		return JSON_E_TYPE;
	if (json_take_number(&r, &n, &why) != 0)
		return JSON_E_BAD;
	v = json_number_double(&n);
	if (isinf(v))
		return JSON_E_BAD;
	*ret = v;
	return 0;
}

int json_get_bool(struct span value, bool *ret)
{
	if (span_is(value, "true"))
		*ret = true;
	else if (span_is(value, "false"))
		*ret = false;
	else
		return JSON_E_TYPE;
	return 0;
}

bool json_is_null(struct span value)
{
	return span_is(value, "null");
}
