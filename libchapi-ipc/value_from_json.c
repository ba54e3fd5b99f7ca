/* SPDX-License-Identifier: MIT */
/*
 * JSON to MessagePack.
 *
 * A MessagePack container begins with its count, which JSON tells at the end: one byte is
 * left for it, and the content is moved once if more are needed.
 */
#include <errno.h>
#include <math.h>

#include "libchapi-ipc/base64.h"
#include "libchapi-ipc/instant.h"
#include "libchapi-ipc/json_number.h"
#include "libchapi-ipc/json_string.h"
#include "libchapi-ipc/value_private.h"

static struct json_reader from_reader(const struct conv *c)
{
	return (struct json_reader){ .p = c->p, .end = c->end };
}

static inline void skip_blanks(struct conv *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\r' || *c->p == '\t'))
		c->p++;
}

static inline bool next_is(const struct conv *c, uint8_t byte)
{
	return c->p < c->end && *c->p == byte;
}

/* Puts a head in place of the one byte that was left for it at start. */
static void head_insert(struct conv *c, size_t start, const uint8_t *head, size_t len)
{
	size_t content = c->out->len - start - 1;
	uint8_t *w;

	/* The one byte is not there if there was no memory for it. */
	if (c->out->error || (len > 1 && !conv_room(c, len - 1)))
		return;
	w = c->out->p + c->out->off + start;
	if (len > 1)
		memmove(w + len, w + 1, content);
	memcpy(w, head, len);
	c->out->len += len - 1;
}

/* What json_take_string() said, as an outcome. */
static int string_fault(struct conv *c, int e, const char *why)
{
	return e == JSON_E_SURROGATE ? conv_inexpressible(c, why) : conv_bad_syntax(c, why);
}

/* A string with escapes: how long it will be is known at its end. */
static int from_long_string(struct conv *c, size_t *ret_len)
{
	struct json_reader r = from_reader(c);
	size_t start = c->out->len;
	uint8_t head[MP_HEAD_MAX];
	const char *why;
	int e;

	conv_put_byte(c, 0);
	e = json_take_string(&r, c->out, &why);
	c->p = r.p;
	if (e != 0)
		return string_fault(c, e, why);
	if (c->out->error)
		return c->out->error;
	*ret_len = c->out->len - start - 1;
	head_insert(c, start, head, (size_t)(mp_w_str_head(head, *ret_len) - head));
	return 0;
}

/* After the opening quote. ret_len: of the content, which is the last that was written. */
static int from_string(struct conv *c, size_t *ret_len)
{
	size_t len = json_clean_run(c->p, (size_t)(c->end - c->p));
	uint8_t *w;

	if (len == (size_t)(c->end - c->p) || c->p[len] != '"')
		return from_long_string(c, ret_len);
	w = conv_room(c, len + MP_HEAD_MAX);
	if (!w)
		return c->out->error;
	w = mp_w_str_head(w, len);
	memcpy(w, c->p, len);
	conv_commit(c, w + len);
	c->p += len + 1;
	*ret_len = len;
	return 0;
}

/* After the opening quote; decoded. */
static int scratch_string(struct conv *c)
{
	struct json_reader r = from_reader(c);
	const char *why;
	int e;

	buf_clear(&c->scratch);
	e = json_take_string(&r, &c->scratch, &why);
	c->p = r.p;
	return e != 0 ? string_fault(c, e, why) : buf_error(&c->scratch);
}

static int from_number(struct conv *c)
{
	struct json_reader r = from_reader(c);
	struct json_number n;
	const char *why;
	uint8_t *w;
	double v;
	int e = json_take_number(&r, &n, &why);

	c->p = r.p;
	if (e != 0)
		return conv_bad_syntax(c, why);
	w = conv_room(c, MP_HEAD_MAX);
	if (!w)
		return c->out->error;
	if (n.integer && n.exact && !n.negative) {
		conv_commit(c, mp_w_uint(w, n.mantissa));
		return 0;
	}
	if (n.integer && n.exact && n.mantissa <= (uint64_t)INT64_MAX + 1) {
		conv_commit(c, mp_w_int(w, (int64_t)-n.mantissa));
		return 0;
	}
	v = json_number_double(&n);
	if (isinf(v))
		return conv_inexpressible(c, "the number is too large for 64 bits");
	conv_commit(c, mp_w_double(w, v));
	return 0;
}

static int from_word(struct conv *c, const char *word, uint8_t byte)
{
	struct json_reader r = from_reader(c);
	const char *why;

	if (json_take_word(&r, word, &why) != 0)
		return conv_bad_syntax(c, why);
	c->p = r.p;
	conv_put_byte(c, byte);
	return 0;
}

static int from_scalar(struct conv *c)
{
	size_t len;

	if (c->p == c->end)
		return conv_bad_syntax(c, "the text ends where a value should begin");
	switch (*c->p) {
	case '"':
		c->p++;
		return from_string(c, &len);
	case 't':
		return from_word(c, "true", 0xc3);
	case 'f':
		return from_word(c, "false", 0xc2);
	case '-': case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		return from_number(c);
	default:
		return from_word(c, "null", 0xc0);
	}
}

static int from_bin(struct conv *c)
{
	uint8_t *p = c->scratch.p ? c->scratch.p + c->scratch.off : NULL, *w;
	size_t len;

	if (!base64_decode(p, c->scratch.len, &len))
		return conv_inexpressible(c, "the string of $bin is not base64 with padding");
	w = conv_room(c, len + MP_HEAD_MAX);
	if (!w)
		return c->out->error;
	w = mp_w_bin_head(w, len);
	if (len > 0)
		memcpy(w, p, len);
	conv_commit(c, w + len);
	return 0;
}

static int from_time(struct conv *c)
{
	struct instant t;
	uint8_t *w;

	if (!instant_parse(buf_span(&c->scratch), &t))
		return conv_inexpressible(c, "the string of $time is not like "
					     "2026-03-01T12:34:56.789Z");
	w = conv_room(c, INSTANT_PACKED_MAX);
	if (!w)
		return c->out->error;
	conv_commit(c, instant_pack(w, &t));
	return 0;
}

/* After the key of {"$bin":"..."} or {"$time":"..."}. */
static int from_special(struct conv *c, bool bin)
{
	const char *why = bin ?
		"$bin stands alone, with a string; a key of that name is written $$bin" :
		"$time stands alone, with a string; a key of that name is written $$time";
	int e;

	skip_blanks(c);
	if (!next_is(c, ':'))
		return conv_bad_syntax(c, "a colon is missing after a key");
	c->p++;
	skip_blanks(c);
	if (!next_is(c, '"'))
		return conv_inexpressible(c, why);
	c->p++;
	e = scratch_string(c);
	if (e != 0)
		return e;
	skip_blanks(c);
	if (next_is(c, ','))
		return conv_inexpressible(c, why);
	if (!next_is(c, '}'))
		return conv_bad_syntax(c, "a comma or } is missing");
	c->p++;
	return bin ? from_bin(c) : from_time(c);
}

/* Is this key, the first of an object, $bin or $time? If so it is passed. */
static int special_look(struct conv *c, bool *ret_bin, bool *ret_time)
{
	const uint8_t *start = c->p;
	int e;

	*ret_bin = *ret_time = false;
	/* A '$' may be written as an escape. */
	if (c->end - c->p < 2 || c->p[0] != '"' || (c->p[1] != '$' && c->p[1] != '\\'))
		return 0;
	c->p++;
	e = scratch_string(c);
	if (e != 0)
		return e;
	*ret_bin = span_is(buf_span(&c->scratch), "$bin");
	*ret_time = span_is(buf_span(&c->scratch), "$time");
	if (!*ret_bin && !*ret_time)
		c->p = start;
	return 0;
}

/* A key that begins with '$' has one more of them in JSON. */
static int from_dollar_key(struct conv *c, size_t *ret_len)
{
	struct span key;
	int e = scratch_string(c);

	if (e != 0)
		return e;
	key = buf_span(&c->scratch);
	if (key.len > 0 && key.p[0] == '$') {
		if (key.len < 2 || key.p[1] != '$')
			return conv_inexpressible(c, "a key that begins with $ is written with $$");
		key = span_of(key.p + 1, key.len - 1);
	}
	mp_put_text(c->out, key);
	*ret_len = key.len;
	return 0;
}

/* A key, up to the value after it. */
static int from_key(struct conv *c)
{
	size_t len;
	int e;

	skip_blanks(c);
	c->in_key = true;
	if (!next_is(c, '"'))
		return conv_bad_syntax(c, "a key in quotes is missing");
	c->p++;
	if (next_is(c, '$') || next_is(c, '\\'))
		e = from_dollar_key(c, &len);
	else
		e = from_string(c, &len);
	if (e == 0)
		e = conv_key_add(c, c->out->len - len, len);
	if (e != 0)
		return e;
	c->in_key = false;
	skip_blanks(c);
	if (!next_is(c, ':'))
		return conv_bad_syntax(c, "a colon is missing after a key");
	c->p++;
	return 0;
}

/* The innermost container is complete. */
static int from_close(struct conv *c)
{
	const struct conv_level *level = &c->levels[c->depth];
	uint8_t head[MP_HEAD_MAX], *end;
	int e = level->map ? conv_keys_close(c) : 0;

	if (e != 0)
		return e;
	end = level->map ? mp_w_map(head, level->n) : mp_w_array(head, level->n);
	head_insert(c, level->start, head, (size_t)(end - head));
	c->depth--;
	return 0;
}

/* At '{' or '[': up to the first value, or past a container that is empty. */
static int from_open(struct conv *c, bool *ret_whole)
{
	bool map = *c->p++ == '{', bin = false, date = false;
	int e = 0;

	skip_blanks(c);
	if (map)
		e = special_look(c, &bin, &date);
	if (e != 0)
		return e;
	*ret_whole = bin || date;
	if (bin || date)
		return from_special(c, bin);
	e = conv_push(c, map);
	if (e != 0)
		return e;
	conv_put_byte(c, 0);
	if (next_is(c, map ? '}' : ']')) {
		c->p++;
		*ret_whole = true;
		return from_close(c);
	}
	return map ? from_key(c) : 0;
}

/* After a value: to the next one, or out of the containers that end here. */
static int from_next(struct conv *c)
{
	int e;

	while (c->depth > 0) {
		struct conv_level *level = &c->levels[c->depth];

		level->n++;
		skip_blanks(c);
		if (next_is(c, ',')) {
			c->p++;
			return level->map ? from_key(c) : 0;
		}
		if (!next_is(c, level->map ? '}' : ']'))
			return conv_bad_syntax(c, level->map ? "a comma or } is missing" :
							       "a comma or ] is missing");
		c->p++;
		e = from_close(c);
		if (e != 0)
			return e;
	}
	return 0;
}

static int from_text(struct conv *c)
{
	int e;

	do {
		bool whole = true;

		skip_blanks(c);
		if (c->p < c->end && (*c->p == '{' || *c->p == '['))
			e = from_open(c, &whole);
		else
			e = from_scalar(c);
		if (e == 0)
			e = conv_check(c);
		if (e == 0 && whole)
			e = from_next(c);
	} while (e == 0 && c->depth > 0);
	if (e != 0)
		return e;
	skip_blanks(c);
	return c->p == c->end ? conv_check(c) : conv_bad_syntax(c, "something follows the value");
}

int value_from_json(struct span text, unsigned int depth_limit, struct buf *out,
		    struct value_fault *ret_fault)
{
	struct conv c;

	conv_init(&c, text, depth_limit, out, ret_fault);
	c.from_json = true;
	if (text.len > CONV_INPUT_MAX)
		return conv_deinit(&c, -ENOBUFS);
	return conv_deinit(&c, from_text(&c));
}
