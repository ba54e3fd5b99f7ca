/* SPDX-License-Identifier: MIT */
/*
 * Values between MessagePack and JSON, both ways in one pass.
 *
 * What is open is a stack of at most MP_MESSAGE_DEPTH_MAX levels; there is no tree and no
 * recursion. The only memory besides the output is a note of 8 bytes for each key of the
 * maps that are open, to find two that are equal, and as much again while a large map is
 * checked.
 *
 * A MessagePack container begins with its count, which JSON tells at the end: one byte is
 * left for it, and the content is moved once if more are needed.
 *
 * The pieces of JSON are json_string.h and json_number.h, those of MessagePack mp.h.
 */
#include "libchapi-ipc/value.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "libchapi-ipc/base64.h"
#include "libchapi-ipc/json.h"
#include "libchapi-ipc/json_number.h"
#include "libchapi-ipc/json_string.h"
#include "libchapi-ipc/mp.h"

/* Larger ones are refused, so that counts and lengths fit in 32 bits. */
#define INPUT_MAX (UINT32_MAX / 8)
/* Of the text that says where a fault is. */
#define PLACE_MAX 56
#define PART_MAX 48

/* A key in the output: decoded in MessagePack, escaped in JSON. Counted from conv.start. */
struct key {
	uint32_t off, len;
};

struct level {
	bool map;
	uint32_t n;		/* values (of a map: pairs) that are complete */
	uint32_t left;		/* to JSON: that are still to begin */
	size_t start;		/* from JSON: where its head stands in the output */
	size_t first_key;	/* in conv.keys */
};

struct conv {
	const uint8_t *p, *end, *begin;
	struct buf *out;
	size_t start;		/* length of out before */
	size_t max;		/* its ceiling, SIZE_MAX if none */
	unsigned int depth, depth_limit;
	struct level levels[MP_MESSAGE_DEPTH_MAX + 1];	/* [1] is the outermost container */
	struct key *keys;
	size_t n_keys, cap_keys;
	struct key few_keys[32];
	bool in_key;		/* what is being read is a key: it has no place yet */
	bool from_json;
	bool pretty;
	struct buf scratch;
	struct value_fault *fault;
};

/* ---- begin and end ---------------------------------------------------------------------- */

static void conv_init(struct conv *c, struct span in, unsigned int depth_limit, struct buf *out,
		      struct value_fault *fault)
{
	c->p = c->begin = in.p ? in.p : (const uint8_t *)"";
	c->end = c->p + in.len;
	c->out = out;
	c->start = out->len;
	c->max = out->max ? out->max : SIZE_MAX;
	c->depth = 0;
	c->depth_limit = MIN(depth_limit, MP_MESSAGE_DEPTH_MAX);
	c->keys = c->few_keys;
	c->n_keys = 0;
	c->cap_keys = ARRAY_SIZE(c->few_keys);
	c->in_key = false;
	c->from_json = false;
	c->pretty = false;
	buf_init(&c->scratch, 0);
	c->fault = fault;
	fault->text[0] = '\0';
	/* Room is reserved for the longest form, which may be above the ceiling where the
	 * form that is written is not: conv_check() looks at what was written. */
	out->max = 0;
}

/* Undoes what has to be undone; e: the outcome so far. */
static int conv_deinit(struct conv *c, int e)
{
	struct buf *out = c->out;

	if (c->keys != c->few_keys)
		free(c->keys);
	buf_deinit(&c->scratch);
	out->max = c->max == SIZE_MAX ? 0 : c->max;
	if (e == 0)
		return 0;
	buf_truncate(out, c->start);
	if (e < 0) {
		out->error = e;
		snprintf(c->fault->text, sizeof(c->fault->text), "%s",
			 e == -ENOMEM ? "out of memory" : "larger than there is room for");
	}
	return e;
}

static int conv_check(const struct conv *c)
{
	if (c->out->error)
		return c->out->error;
	return c->out->len > c->max ? -ENOBUFS : 0;
}

/* Room for n more bytes of output. */
static inline uint8_t *room(struct conv *c, size_t n)
{
	struct buf *b = c->out;
	size_t used = b->off + b->len;

	if (b->error == 0 && b->cap - used >= n && b->p)
		return b->p + used;
	return buf_reserve(b, n);
}

static inline void commit_to(struct conv *c, const uint8_t *w)
{
	c->out->len = (size_t)(w - c->out->p) - c->out->off;
}

static void put_text(struct conv *c, const char *text, size_t len)
{
	uint8_t *w = room(c, len);

	if (!w)
		return;
	memcpy(w, text, len);
	commit_to(c, w + len);
}

static inline void put_byte(struct conv *c, uint8_t byte)
{
	uint8_t *w = room(c, 1);

	if (!w)
		return;
	*w = byte;
	commit_to(c, w + 1);
}

static const uint8_t *output(const struct conv *c)
{
	return buf_data(c->out) + c->start;
}

/* ---- faults ----------------------------------------------------------------------------- */

/* Text that grows backwards, from the end: the innermost part of a place matters most. */
struct place {
	char text[PLACE_MAX];
	size_t left;
};

static bool place_prepend(struct place *pl, const char *text, size_t len)
{
	if (len > pl->left)
		return false;
	pl->left -= len;
	memcpy(pl->text + pl->left, text, len);
	return true;
}

static bool is_word(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '$' || c == '-'))
			return false;
	}
	return s.len > 0;
}

/* A key for people: as a word, else in quotes and escaped; cut if long. */
static size_t key_show(const struct conv *c, struct span key, char ret[PART_MAX])
{
	size_t len, i = 0;

	if (key.len <= 24 && is_word(key))
		return (size_t)snprintf(ret, PART_MAX, ".%.*s", (int)key.len, (const char *)key.p);
	len = (size_t)snprintf(ret, PART_MAX, "[\"");
	/* Cut between characters: whole ones are at most 6 bytes when shown. */
	while (i < key.len && (len < 26 || (key.p[i] & 0xc0) == 0x80)) {
		uint8_t b = key.p[i++];

		if (b < 0x20 || b == 0x7f)
			len += (size_t)snprintf(ret + len, PART_MAX - len, "\\u%04x", b);
		else if (c->from_json && (b == '"' || b == '\\'))
			len += (size_t)snprintf(ret + len, PART_MAX - len, "\\%c", b);
		else
			ret[len++] = (char)b;
	}
	len += (size_t)snprintf(ret + len, PART_MAX - len, "%s\"]", i < key.len ? "..." : "");
	return len;
}

/* The place within level i: a key or an index; 0 for a map that has no key yet. */
static size_t level_show(const struct conv *c, unsigned int i, char ret[PART_MAX])
{
	const struct level *level = &c->levels[i];
	size_t last = i == c->depth ? c->n_keys : c->levels[i + 1].first_key;
	const struct key *key;

	if (!level->map)
		return (size_t)snprintf(ret, PART_MAX, "[%" PRIu32 "]", level->n);
	if (last == level->first_key)
		return 0;
	key = &c->keys[last - 1];
	return key_show(c, span_of(output(c) + key->off, key->len), ret);
}

static void place_show(const struct conv *c, struct place *pl)
{
	char part[PART_MAX];

	pl->left = sizeof(pl->text) - 1;
	pl->text[pl->left] = '\0';
	for (unsigned int i = c->depth - c->in_key; i > 0 && i <= c->depth; i--) {
		size_t len = level_show(c, i, part);

		/* Three bytes stay for the dots. */
		if (len + 3 > pl->left || !place_prepend(pl, part, len)) {
			place_prepend(pl, "...", 3);
			return;
		}
	}
}

/* Says where and why, and is the outcome. */
static int fault(struct conv *c, int code, const char *why)
{
	char *text = c->fault->text;
	size_t size = sizeof(c->fault->text), len = 0;
	struct place place;

	place_show(c, &place);
	if (place.text[place.left])
		len = (size_t)snprintf(text, size, "at %s: ", place.text + place.left);
	len += (size_t)snprintf(text + len, size - len, "%s", why);
	if (c->from_json && len < size)
		snprintf(text + len, size - len, " (byte %zu)", (size_t)(c->p - c->begin));
	return code;
}

static int bad_syntax(struct conv *c, const char *why)
{
	return fault(c, VALUE_E_SYNTAX, why);
}

static int inexpressible(struct conv *c, const char *why)
{
	return fault(c, VALUE_E_INEXPRESSIBLE, why);
}

/* ---- keys: none may stand there twice ----------------------------------------------------- */

static int keys_grow(struct conv *c)
{
	size_t cap = 2 * c->cap_keys;
	bool few = c->keys == c->few_keys;
	struct key *keys = realloc(few ? NULL : c->keys, cap * sizeof(*keys));

	if (!keys)
		return -ENOMEM;
	if (few)
		memcpy(keys, c->few_keys, sizeof(c->few_keys));
	c->keys = keys;
	c->cap_keys = cap;
	return 0;
}

/* A key of len bytes that stands in the output at off. */
static int key_add(struct conv *c, size_t off, size_t len)
{
	if (c->out->error)
		return c->out->error;
	if (off - c->start > UINT32_MAX)
		return -ENOBUFS;
	if (c->n_keys == c->cap_keys && keys_grow(c) != 0)
		return -ENOMEM;
	c->keys[c->n_keys++] = (struct key){ (uint32_t)(off - c->start), (uint32_t)len };
	return 0;
}

/* Any total order will do; this one looks at the bytes of keys of one length only. */
static int key_compare(const uint8_t *base, const struct key *a, const struct key *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(base + a->off, base + b->off, a->len);
}

static void keys_merge(const uint8_t *base, const struct key *a, size_t n_a, const struct key *b,
		       size_t n_b, struct key *to)
{
	/* Keys often come in order. */
	if (n_b == 0 || key_compare(base, &a[n_a - 1], &b[0]) <= 0) {
		memcpy(to, a, n_a * sizeof(*a));
		memcpy(to + n_a, b, n_b * sizeof(*b));
		return;
	}
	while (n_a > 0 && n_b > 0) {
		if (key_compare(base, a, b) <= 0) {
			*to++ = *a++;
			n_a--;
		} else {
			*to++ = *b++;
			n_b--;
		}
	}
	memcpy(to, a, n_a * sizeof(*a));
	memcpy(to + n_a, b, n_b * sizeof(*b));
}

/* Merge sort: no order of keys that somebody might send makes it slow. Returns which of the
 * two arrays has the result. */
static struct key *keys_sort(const uint8_t *base, struct key *keys, struct key *spare, size_t n)
{
	for (size_t width = 1; width < n; width *= 2) {
		struct key *from = keys;

		for (size_t i = 0; i < n; i += 2 * width) {
			size_t n_a = MIN(width, n - i), n_b = MIN(width, n - i - n_a);

			keys_merge(base, from + i, n_a, from + i + n_a, n_b, spare + i);
		}
		keys = spare;
		spare = from;
	}
	return keys;
}

/* The second of two equal ones among few keys, or NULL. */
static const struct key *twin_among_few(const uint8_t *base, const struct key *keys, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (keys[i].len == keys[j].len &&
			    key_compare(base, &keys[i], &keys[j]) == 0)
				return &keys[i];
	return NULL;
}

static int twin_among_many(const uint8_t *base, struct key *keys, size_t n,
			   const struct key **ret_twin)
{
	struct key *spare = malloc(n * sizeof(*spare)), *sorted;

	if (!spare)
		return -ENOMEM;
	sorted = keys_sort(base, keys, spare, n);
	if (sorted != keys)
		memcpy(keys, sorted, n * sizeof(*keys));
	free(spare);
	for (size_t i = 1; i < n; i++) {
		if (key_compare(base, &keys[i - 1], &keys[i]) == 0) {
			*ret_twin = &keys[i];
			return 0;
		}
	}
	return 0;
}

/* The innermost map is complete: forgets its keys, or names one that it has twice. */
static int keys_close(struct conv *c)
{
	size_t first = c->levels[c->depth].first_key, n = c->n_keys - first;
	struct key *keys = c->keys + first;
	const struct key *twin = NULL;
	int e = 0;

	if (n <= 16)
		twin = twin_among_few(output(c), keys, n);
	else
		e = twin_among_many(output(c), keys, n, &twin);
	if (e != 0)
		return e;
	c->n_keys = first;
	if (!twin)
		return 0;
	keys[0] = *twin;
	c->n_keys++;
	return inexpressible(c, "the key stands there twice");
}

/* ---- times -------------------------------------------------------------------------------- */

/* Seconds of 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what RFC 3339 can write. */
#define SECONDS_MIN INT64_C(-62167219200)
#define SECONDS_MAX INT64_C(253402300799)
#define DAYS_OF_400_YEARS 146097
#define DAY_SECONDS 86400

struct instant {
	int64_t seconds;
	uint32_t nanoseconds;
};

struct date {
	unsigned int year, month, day;
};

static bool is_leap(unsigned int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned int month_days(unsigned int year, unsigned int month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 0000-01-01 to the first day of the year. */
static unsigned int year_start(unsigned int year)
{
	unsigned int before = year ? year - 1 : 0;

	/* The year 0 is a leap year itself. */
	return year * 365 + (year ? before / 4 - before / 100 + before / 400 + 1 : 0);
}

static unsigned int days_of(const struct date *d)
{
	unsigned int days = year_start(d->year) + d->day - 1;

	for (unsigned int m = 1; m < d->month; m++)
		days += month_days(d->year, m);
	return days;
}

static struct date date_of(unsigned int days)
{
	/* At most one year too late or too early. */
	struct date d = { (unsigned int)((uint64_t)days * 400 / DAYS_OF_400_YEARS), 1, 1 };

	while (year_start(d.year) > days)
		d.year--;
	while (year_start(d.year + 1) <= days)
		d.year++;
	days -= year_start(d.year);
	for (; days >= month_days(d.year, d.month); d.month++)
		days -= month_days(d.year, d.month);
	d.day += days;
	return d;
}

/* Exactly n digits. */
static bool digits_read(const uint8_t *p, unsigned int n, unsigned int *ret)
{
	*ret = 0;
	for (unsigned int i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*ret = *ret * 10 + (p[i] - '0');
	}
	return true;
}

/* ".5Z" and the like: up to nine digits; "Z" alone is none. */
static bool fraction_read(const uint8_t *p, size_t len, uint32_t *ret)
{
	unsigned int n = len > 2 ? (unsigned int)MIN(len - 2, 10) : 0, v = 0;

	if (p[len - 1] != 'Z')
		return false;
	if (len > 1 && (p[0] != '.' || n < 1 || n > 9 || !digits_read(p + 1, n, &v)))
		return false;
	for (; n < 9; n++)
		v *= 10;
	*ret = v;
	return true;
}

/* "2026-03-01T12:34:56.789Z" */
static bool instant_parse(struct span s, struct instant *ret)
{
	const uint8_t *p = s.p;
	struct date d;
	unsigned int hour, minute, second;

	if (s.len < 20 || p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':' ||
	    p[16] != ':')
		return false;
	if (!digits_read(p, 4, &d.year) || !digits_read(p + 5, 2, &d.month) ||
	    !digits_read(p + 8, 2, &d.day) || !digits_read(p + 11, 2, &hour) ||
	    !digits_read(p + 14, 2, &minute) || !digits_read(p + 17, 2, &second))
		return false;
	if (d.month < 1 || d.month > 12 || d.day < 1 || d.day > month_days(d.year, d.month) ||
	    hour > 23 || minute > 59 || second > 59)
		return false;
	ret->seconds = SECONDS_MIN + (int64_t)days_of(&d) * DAY_SECONDS +
		       (int64_t)(hour * 3600 + minute * 60 + second);
	return fraction_read(p + 19, s.len - 19, &ret->nanoseconds);
}

/* Within SECONDS_MIN to SECONDS_MAX. Returns the length. */
static size_t instant_format(const struct instant *t, char ret[48])
{
	uint64_t seconds = (uint64_t)(t->seconds - SECONDS_MIN);
	struct date d = date_of((unsigned int)(seconds / DAY_SECONDS));
	unsigned int rest = (unsigned int)(seconds % DAY_SECONDS);
	size_t len = (size_t)snprintf(ret, 48, "%04u-%02u-%02uT%02u:%02u:%02u", d.year, d.month,
				      d.day, rest / 3600, rest / 60 % 60, rest % 60);

	if (t->nanoseconds) {
		len += (size_t)snprintf(ret + len, 48 - len, ".%09" PRIu32, t->nanoseconds);
		while (ret[len - 1] == '0')
			len--;
	}
	ret[len++] = 'Z';
	return len;
}

/* The content of the extension; false if it is none of the three forms. */
static bool instant_unpack(struct span s, struct instant *ret)
{
	uint64_t v;

	switch (s.len) {
	case 4:
		*ret = (struct instant){ (int64_t)mp_load_be(s.p, 4), 0 };
		return true;
	case 8:
		v = mp_load_be(s.p, 8);
		*ret = (struct instant){ (int64_t)(v & 0x3ffffffff), (uint32_t)(v >> 34) };
		return true;
	case 12:
		*ret = (struct instant){ (int64_t)mp_load_be(s.p + 4, 8),
					 (uint32_t)mp_load_be(s.p, 4) };
		return true;
	default:
		return false;
	}
}

/* The shortest form that holds it; at most 15 bytes. */
static uint8_t *instant_pack(uint8_t *w, const struct instant *t)
{
	uint64_t seconds = (uint64_t)t->seconds;

	if (t->seconds < 0 || seconds >> 34) {
		*w++ = 0xc7;
		*w++ = 12;
		*w++ = 0xff;
		return mp_w_be(mp_w_be(w, t->nanoseconds, 4), seconds, 8);
	}
	if (t->nanoseconds || seconds >> 32) {
		*w++ = 0xd7;
		*w++ = 0xff;
		return mp_w_be(w, (uint64_t)t->nanoseconds << 34 | seconds, 8);
	}
	*w++ = 0xd6;
	*w++ = 0xff;
	return mp_w_be(w, seconds, 4);
}

/* ---- from JSON ---------------------------------------------------------------------------- */

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
	if (c->out->error || (len > 1 && !room(c, len - 1)))
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
	return e == JSON_E_SURROGATE ? inexpressible(c, why) : bad_syntax(c, why);
}

/* A string with escapes: how long it will be is known at its end. */
static int from_long_string(struct conv *c, size_t *ret_len)
{
	struct json_reader r = from_reader(c);
	size_t start = c->out->len;
	uint8_t head[MP_HEAD_MAX];
	const char *why;
	int e;

	put_byte(c, 0);
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
	w = room(c, len + MP_HEAD_MAX);
	if (!w)
		return c->out->error;
	w = mp_w_str_head(w, len);
	memcpy(w, c->p, len);
	commit_to(c, w + len);
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
		return bad_syntax(c, why);
	w = room(c, MP_HEAD_MAX);
	if (!w)
		return c->out->error;
	if (n.integer && n.exact && !n.negative) {
		commit_to(c, mp_w_uint(w, n.mantissa));
		return 0;
	}
	if (n.integer && n.exact && n.mantissa <= (uint64_t)INT64_MAX + 1) {
		commit_to(c, mp_w_int(w, (int64_t)-n.mantissa));
		return 0;
	}
	v = json_number_double(&n);
	if (isinf(v))
		return inexpressible(c, "the number is too large for 64 bits");
	commit_to(c, mp_w_double(w, v));
	return 0;
}

static int from_word(struct conv *c, const char *word, uint8_t byte)
{
	struct json_reader r = from_reader(c);
	const char *why;

	if (json_take_word(&r, word, &why) != 0)
		return bad_syntax(c, why);
	c->p = r.p;
	put_byte(c, byte);
	return 0;
}

static int from_scalar(struct conv *c)
{
	size_t len;

	if (c->p == c->end)
		return bad_syntax(c, "the text ends where a value should begin");
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
		return inexpressible(c, "the string of $bin is not base64 with padding");
	w = room(c, len + MP_HEAD_MAX);
	if (!w)
		return c->out->error;
	w = mp_w_bin_head(w, len);
	if (len > 0)
		memcpy(w, p, len);
	commit_to(c, w + len);
	return 0;
}

static int from_time(struct conv *c)
{
	struct instant t;
	uint8_t *w;

	if (!instant_parse(buf_span(&c->scratch), &t))
		return inexpressible(c, "the string of $time is not like 2026-03-01T12:34:56.789Z");
	w = room(c, 16);
	if (!w)
		return c->out->error;
	commit_to(c, instant_pack(w, &t));
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
		return bad_syntax(c, "a colon is missing after a key");
	c->p++;
	skip_blanks(c);
	if (!next_is(c, '"'))
		return inexpressible(c, why);
	c->p++;
	e = scratch_string(c);
	if (e != 0)
		return e;
	skip_blanks(c);
	if (next_is(c, ','))
		return inexpressible(c, why);
	if (!next_is(c, '}'))
		return bad_syntax(c, "a comma or } is missing");
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
			return inexpressible(c, "a key that begins with $ is written with $$");
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
		return bad_syntax(c, "a key in quotes is missing");
	c->p++;
	if (next_is(c, '$') || next_is(c, '\\'))
		e = from_dollar_key(c, &len);
	else
		e = from_string(c, &len);
	if (e == 0)
		e = key_add(c, c->out->len - len, len);
	if (e != 0)
		return e;
	c->in_key = false;
	skip_blanks(c);
	if (!next_is(c, ':'))
		return bad_syntax(c, "a colon is missing after a key");
	c->p++;
	return 0;
}

static int level_push(struct conv *c, bool map)
{
	if (c->depth == c->depth_limit)
		return inexpressible(c, "more containers in containers than allowed");
	c->levels[++c->depth] = (struct level){
		.map = map, .start = c->out->len, .first_key = c->n_keys,
	};
	return 0;
}

/* The innermost container is complete. */
static int from_close(struct conv *c)
{
	const struct level *level = &c->levels[c->depth];
	uint8_t head[MP_HEAD_MAX], *end;
	int e = level->map ? keys_close(c) : 0;

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
	e = level_push(c, map);
	if (e != 0)
		return e;
	put_byte(c, 0);
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
		struct level *level = &c->levels[c->depth];

		level->n++;
		skip_blanks(c);
		if (next_is(c, ',')) {
			c->p++;
			return level->map ? from_key(c) : 0;
		}
		if (!next_is(c, level->map ? '}' : ']'))
			return bad_syntax(c, level->map ? "a comma or } is missing" :
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
	return c->p == c->end ? conv_check(c) : bad_syntax(c, "something follows the value");
}

int value_from_json(struct span text, unsigned int depth_limit, struct buf *out,
		    struct value_fault *ret_fault)
{
	struct conv c;

	conv_init(&c, text, depth_limit, out, ret_fault);
	c.from_json = true;
	if (text.len > INPUT_MAX)
		return conv_deinit(&c, -ENOBUFS);
	return conv_deinit(&c, from_text(&c));
}

/* ---- to JSON ------------------------------------------------------------------------------ */

/* What mp_read_*() said, as an outcome. */
static int read_fault(struct conv *c, int e)
{
	return bad_syntax(c, e == MP_E_MORE ? "the bytes end before the value does" :
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
	put_byte(c, '\n');
	for (unsigned int i = 0; i < c->depth; i++)
		put_text(c, "  ", 2);
}

static void put_integer(struct conv *c, uint64_t v, bool negative)
{
	char digits[24], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	if (negative)
		*--p = '-';
	put_text(c, p, (size_t)(digits + sizeof(digits) - p));
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
	uint8_t *w = room(c, clean + 4);

	if (!w)
		return c->out->error;
	*w++ = '"';
	if (dollar)
		*w++ = '$';
	memcpy(w, s.p, clean);
	commit_to(c, w + clean);
	clean += clean == s.len ? 0 : json_put_inside(c->out, span_of(s.p + clean, s.len - clean));
	if (clean < s.len)
		return inexpressible(c, c->in_key ? "a key is not valid UTF-8" :
						    "a string is not valid UTF-8");
	put_byte(c, '"');
	return 0;
}

static int to_string(struct conv *c)
{
	struct mp_reader r = to_reader(c);
	struct span s;
	int e = mp_read_str(&r, &s);

	if (e != 0)
		return read_fault(c, e);
	c->p = r.p;
	return to_text(c, s, false);
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
		return inexpressible(c, isnan(v) ? "NaN has no form in JSON" :
						   "an infinite number has no form in JSON");
	c->p = r.p;
	put_text(c, text, json_format_double(v, text));
	return 0;
}

static void put_special_key(struct conv *c, const char *key)
{
	put_text(c, key, strlen(key));
	if (c->pretty)
		put_byte(c, ' ');
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
	w = room(c, base64_len(s.len) + 3);
	if (!w)
		return c->out->error;
	*w++ = '"';
	w = base64_write(w, s.p, s.len);
	*w++ = '"';
	*w++ = '}';
	commit_to(c, w);
	return 0;
}

static int to_ext(struct conv *c)
{
	struct mp_reader r = to_reader(c);
	struct instant t;
	struct span s;
	char text[48];
	int8_t type;
	int e = mp_read_ext(&r, &type, &s);

	if (e != 0)
		return read_fault(c, e);
	if (type != -1)
		return inexpressible(c, "an extension type other than the timestamp has no form in "
					"JSON");
	if (!instant_unpack(s, &t) || t.nanoseconds > 999999999)
		return inexpressible(c, "a timestamp is malformed");
	if (t.seconds < SECONDS_MIN || t.seconds > SECONDS_MAX)
		return inexpressible(c, "a timestamp is outside the years 0 to 9999");
	c->p = r.p;
	put_special_key(c, "{\"$time\":");
	put_byte(c, '"');
	put_text(c, text, instant_format(&t, text));
	put_text(c, "\"}", 2);
	return 0;
}

static int to_string_key(struct conv *c)
{
	struct mp_reader r = to_reader(c);
	struct span s;
	int e = mp_read_str(&r, &s);

	if (e != 0)
		return read_fault(c, e);
	c->p = r.p;
	return to_text(c, s, s.len > 0 && s.p[0] == '$');
}

static int to_integer_key(struct conv *c)
{
	int e;

	put_byte(c, '"');
	e = to_integer(c);
	if (e != 0)
		return read_fault(c, e);
	put_byte(c, '"');
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
		e = inexpressible(c, "a key that is neither a string nor an integer has no form in "
				     "JSON");
	if (e == 0)	/* what is between the quotes */
		e = key_add(c, start + 1, c->out->len - start - 2);
	if (e != 0)
		return e;
	c->in_key = false;
	put_text(c, ": ", c->pretty ? 2 : 1);
	return 0;
}

/* The next value of the innermost container, up to where it begins. */
static int to_begin(struct conv *c)
{
	struct level *level = &c->levels[c->depth];

	level->left--;
	put_newline(c);
	return level->map ? to_key(c) : 0;
}

static int to_close(struct conv *c)
{
	bool map = c->levels[c->depth].map, empty = c->levels[c->depth].n == 0;
	int e = map ? keys_close(c) : 0;

	if (e != 0)
		return e;
	c->depth--;
	if (!empty)
		put_newline(c);
	put_byte(c, map ? '}' : ']');
	return 0;
}

static int to_open(struct conv *c, bool map, bool *ret_whole)
{
	struct mp_reader r = to_reader(c);
	uint32_t n;
	int e = map ? mp_read_map(&r, &n) : mp_read_array(&r, &n);

	if (e != 0)
		return read_fault(c, e);
	e = level_push(c, map);
	if (e != 0)
		return e;
	c->p = r.p;
	c->levels[c->depth].left = n;
	put_byte(c, map ? '{' : '[');
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
		put_text(c, "null", 4);
		return 0;
	case MP_BOOL:
		if (*c->p++ == 0xc3)
			put_text(c, "true", 4);
		else
			put_text(c, "false", 5);
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
		struct level *level = &c->levels[c->depth];

		level->n++;
		if (level->left > 0) {
			put_byte(c, ',');
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
	return c->p == c->end ? conv_check(c) : bad_syntax(c, "something follows the value");
}

static int to_json(struct span bytes, unsigned int depth_limit, bool pretty, struct buf *out,
		   struct value_fault *ret_fault)
{
	struct conv c;

	conv_init(&c, bytes, depth_limit, out, ret_fault);
	c.pretty = pretty;
	if (bytes.len > INPUT_MAX)
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
