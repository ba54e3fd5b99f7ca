/* SPDX-License-Identifier: MIT */
/*
 * MessagePack to JSON, compact or for people.
 */
#include <errno.h>
#include <math.h>

#include "libchapi-ipc/base64.h"
#include "libchapi-ipc/instant.h"
#include "libchapi-ipc/json_number.h"
#include "libchapi-ipc/json_string.h"
#include "libchapi-ipc/value_private.h"

/* What mp_read_*() said, as an outcome. */
static int read_fault(struct conv *c, int e)
{
	return conv_bad_syntax(c, e == MP_E_MORE ? "the bytes end before the value does" :
						   "0xc1 is no type of MessagePack");
}

static struct mp_reader to_reader(const struct conv *c)
{
	return (struct mp_reader){ .p = c->p, .end = c->end };
}

static void put_newline(struct conv *c)
{
	if (!c->pretty)
		return;
	conv_put_byte(c, '\n');
	for (unsigned int i = 0; i < c->depth; i++)
		conv_put_text(c, "  ", 2);
}

static void put_integer(struct conv *c, uint64_t v, bool negative)
{
	char digits[24], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	if (negative)
		*--p = '-';
	conv_put_text(c, p, (size_t)(digits + sizeof(digits) - p));
}

/* The integer at the reader; anything else is MP_E_BAD. */
static int to_integer(struct conv *c)
{
	struct mp_reader r = to_reader(c);
	uint64_t v;
	int64_t negative;
	int e = mp_read_uint(&r, &v);

	if (e == MP_E_BAD) {
		e = mp_read_int(&r, &negative);
		if (e == 0)
			put_integer(c, 0 - (uint64_t)negative, true);
	} else if (e == 0) {
		put_integer(c, v, false);
	}
	c->p = r.p;
	return e;
}

/* Text with its quotes; dollar: and one more '$' in front. */
static int to_text(struct conv *c, struct span s, bool dollar)
{
	size_t clean = json_clean_run(s.p, s.len);
	uint8_t *w = conv_room(c, clean + 4);

	if (!w)
		return c->out->error;
	*w++ = '"';
	if (dollar)
		*w++ = '$';
	memcpy(w, s.p, clean);
	conv_commit(c, w + clean);
	clean += clean == s.len ? 0 : json_put_inside(c->out, span_of(s.p + clean, s.len - clean));
	if (clean < s.len)
		return conv_inexpressible(c, c->in_key ? "a key is not valid UTF-8" :
							 "a string is not valid UTF-8");
	conv_put_byte(c, '"');
	return 0;
}

static int take_string(struct conv *c, struct span *ret)
{
	struct mp_reader r = to_reader(c);
	int e = mp_read_str(&r, ret);

	if (e != 0)
		return read_fault(c, e);
	c->p = r.p;
	return 0;
}

static int to_string(struct conv *c)
{
	struct span s;
	int e = take_string(c, &s);

	return e != 0 ? e : to_text(c, s, false);
}

static int to_float(struct conv *c)
{
	struct mp_reader r = to_reader(c);
	char text[32];
	double v;
	int e = mp_read_number(&r, &v);

	if (e != 0)
		return read_fault(c, e);
	if (!isfinite(v))
		return conv_inexpressible(c, isnan(v) ? "NaN has no form in JSON" :
							"an infinite number has no form in JSON");
	c->p = r.p;
	conv_put_text(c, text, json_format_double(v, text));
	return 0;
}

static void put_special_key(struct conv *c, const char *key)
{
	conv_put_text(c, key, strlen(key));
	if (c->pretty)
		conv_put_byte(c, ' ');
}

static int to_bin(struct conv *c)
{
	struct mp_reader r = to_reader(c);
	struct span s;
	uint8_t *w;
	int e = mp_read_bin(&r, &s);

	if (e != 0)
		return read_fault(c, e);
	c->p = r.p;
	put_special_key(c, "{\"$bin\":");
	w = conv_room(c, base64_len(s.len) + 3);
	if (!w)
		return c->out->error;
	*w++ = '"';
	w = base64_write(w, s.p, s.len);
	*w++ = '"';
	*w++ = '}';
	conv_commit(c, w);
	return 0;
}

static int to_ext(struct conv *c)
{
	struct mp_reader r = to_reader(c);
	struct instant t;
	struct span s;
	char text[INSTANT_TEXT_MAX];
	int8_t type;
	int e = mp_read_ext(&r, &type, &s);

	if (e != 0)
		return read_fault(c, e);
	if (type != -1)
		return conv_inexpressible(c, "an extension type other than the timestamp has no "
					     "form in JSON");
	if (!instant_unpack(s, &t) || t.nanoseconds > 999999999)
		return conv_inexpressible(c, "a timestamp is malformed");
	if (t.seconds < INSTANT_SECONDS_MIN || t.seconds > INSTANT_SECONDS_MAX)
		return conv_inexpressible(c, "a timestamp is outside the years 0 to 9999");
	c->p = r.p;
	put_special_key(c, "{\"$time\":");
	conv_put_byte(c, '"');
	conv_put_text(c, text, instant_format(&t, text));
	conv_put_text(c, "\"}", 2);
	return 0;
}

static int to_string_key(struct conv *c)
{
	struct span s;
	int e = take_string(c, &s);

	return e != 0 ? e : to_text(c, s, s.len > 0 && s.p[0] == '$');
}

static int to_integer_key(struct conv *c)
{
	int e;

	conv_put_byte(c, '"');
	e = to_integer(c);
	if (e != 0)
		return read_fault(c, e);
	conv_put_byte(c, '"');
	return 0;
}

static int to_key(struct conv *c)
{
	struct mp_reader r = to_reader(c);
	size_t start = c->out->len;
	enum mp_type type = mp_peek(&r);
	int e;

	c->in_key = true;
	if (type == MP_STR)
		e = to_string_key(c);
	else if (type == MP_UINT || type == MP_INT)
		e = to_integer_key(c);
	else if (type == MP_NONE)
		e = read_fault(c, c->p == c->end ? MP_E_MORE : MP_E_BAD);
	else
		e = conv_inexpressible(c, "a key that is neither a string nor an integer has no "
				       "form in JSON");
	if (e == 0)	/* what is between the quotes */
		e = conv_key_add(c, start + 1, c->out->len - start - 2);
	if (e != 0)
		return e;
	c->in_key = false;
	conv_put_text(c, ": ", c->pretty ? 2 : 1);
	return 0;
}

/* The next value of the innermost container, up to where it begins. */
static int to_begin(struct conv *c)
{
	struct conv_level *level = &c->levels[c->depth];

	level->left--;
	put_newline(c);
	return level->map ? to_key(c) : 0;
}

static int to_close(struct conv *c)
{
	bool map = c->levels[c->depth].map, empty = c->levels[c->depth].n == 0;
	int e = map ? conv_keys_close(c) : 0;

	if (e != 0)
		return e;
	c->depth--;
	if (!empty)
		put_newline(c);
	conv_put_byte(c, map ? '}' : ']');
	return 0;
}

static int to_open(struct conv *c, bool map, bool *ret_whole)
{
	struct mp_reader r = to_reader(c);
	uint32_t n;
	int e = map ? mp_read_map(&r, &n) : mp_read_array(&r, &n);

	if (e != 0)
		return read_fault(c, e);
	e = conv_push(c, map);
	if (e != 0)
		return e;
	c->p = r.p;
	c->levels[c->depth].left = n;
	conv_put_byte(c, map ? '{' : '[');
	*ret_whole = n == 0;
	return n == 0 ? to_close(c) : to_begin(c);
}

static int to_value(struct conv *c, bool *ret_whole)
{
	struct mp_reader r = to_reader(c);
	enum mp_type type = mp_peek(&r);
	int e;

	*ret_whole = true;
	switch (type) {
	case MP_NIL:
		c->p++;
		conv_put_text(c, "null", 4);
		return 0;
	case MP_BOOL:
		if (*c->p++ == 0xc3)
			conv_put_text(c, "true", 4);
		else
			conv_put_text(c, "false", 5);
		return 0;
	case MP_UINT:
	case MP_INT:
		e = to_integer(c);
		return e != 0 ? read_fault(c, e) : 0;
	case MP_FLOAT:
		return to_float(c);
	case MP_STR:
		return to_string(c);
	case MP_BIN:
		return to_bin(c);
	case MP_EXT:
		return to_ext(c);
	case MP_ARRAY:
		return to_open(c, false, ret_whole);
	case MP_MAP:
		return to_open(c, true, ret_whole);
	case MP_NONE:
		break;
	}
	return read_fault(c, c->p == c->end ? MP_E_MORE : MP_E_BAD);
}

/* After a value: to the next one, or out of the containers that end here. */
static int to_next(struct conv *c)
{
	int e;

	while (c->depth > 0) {
		struct conv_level *level = &c->levels[c->depth];

		level->n++;
		if (level->left > 0) {
			conv_put_byte(c, ',');
			return to_begin(c);
		}
		e = to_close(c);
		if (e != 0)
			return e;
	}
	return 0;
}

static int to_text_of(struct conv *c)
{
	int e;

	do {
		bool whole;

		e = to_value(c, &whole);
		if (e == 0)
			e = conv_check(c);
		if (e == 0 && whole)
			e = to_next(c);
	} while (e == 0 && c->depth > 0);
	if (e != 0)
		return e;
	return c->p == c->end ? conv_check(c) : conv_bad_syntax(c, "something follows the value");
}

static int to_json(struct span bytes, unsigned int depth_limit, bool pretty, struct buf *out,
		   struct value_fault *ret_fault)
{
	struct conv c;

	conv_init(&c, bytes, depth_limit, out, ret_fault);
	c.pretty = pretty;
	if (bytes.len > CONV_INPUT_MAX)
		return conv_deinit(&c, -ENOBUFS);
	return conv_deinit(&c, to_text_of(&c));
}

int value_to_json(struct span bytes, unsigned int depth_limit, struct buf *out,
		  struct value_fault *ret_fault)
{
	return to_json(bytes, depth_limit, false, out, ret_fault);
}

int value_to_json_pretty(struct span bytes, unsigned int depth_limit, struct buf *out,
			 struct value_fault *ret_fault)
{
	return to_json(bytes, depth_limit, true, out, ret_fault);
}
