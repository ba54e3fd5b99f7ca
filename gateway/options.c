/* SPDX-License-Identifier: MIT */
/*
 * Maps of options: see options.h.
 */
#include "gateway/options.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/utf8.h"
#include "gateway/text.h"
#include "libchapi-ipc/mp.h"

/* One of the texts in an array of them has at most so many bytes. */
#define ONE_TEXT_MAX 64

static int PRINTF(2, 3) fault_set(struct options_fault *fault, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(fault->text, sizeof(fault->text), fmt, args);
	va_end(args);
	return OPTIONS_E_INVALID;
}

static int read_bool(struct mp_reader *r, const struct option *o, void *ret,
		     struct options_fault *fault)
{
	if (mp_read_bool(r, ret) != 0)
		return fault_set(fault, "option '%s' must be true or false", o->key);
	return 0;
}

/* A float is fine as long as it is whole: some encodings know no other numbers. */
static int read_number(struct mp_reader *r, const struct option *o, void *ret,
		       struct options_fault *fault)
{
	double v;

	if (mp_read_number(r, &v) != 0 || v != floor(v) ||
	    !(v >= (double)o->least && v <= (double)o->most))
		return fault_set(fault, "option '%s' must be a whole number from %" PRId64
				 " to %" PRId64, o->key, o->least, o->most);
	*(int64_t *)ret = (int64_t)v;
	return 0;
}

static bool fits(struct span text, const struct option *o)
{
	return text.len >= (size_t)o->least && text.len <= (size_t)o->most;
}

static int read_text(struct mp_reader *r, const struct option *o, void *ret,
		     struct options_fault *fault)
{
	struct span text;

	if (mp_read_str(r, &text) != 0 || !fits(text, o) || !utf8_is_valid(text))
		return fault_set(fault, "option '%s' must be a text (UTF-8) of %" PRId64
				 " to %" PRId64 " bytes", o->key, o->least, o->most);
	*(struct span *)ret = text;
	return 0;
}

static int read_label(struct mp_reader *r, const struct option *o, void *ret,
		      struct options_fault *fault)
{
	struct span text;

	if (mp_read_str(r, &text) != 0 || !fits(text, o) || !text_is_printable_ascii(text))
		return fault_set(fault, "option '%s' must be a text of %" PRId64 " to %" PRId64
				 " printable ASCII characters", o->key, o->least, o->most);
	*(struct span *)ret = text;
	return 0;
}

static int refuse_choice(const struct option *o, struct options_fault *fault)
{
	size_t len;

	fault_set(fault, "option '%s' must be one of:", o->key);
	for (size_t i = 0; o->choices[i]; i++) {
		len = strlen(fault->text);
		snprintf(fault->text + len, sizeof(fault->text) - len, " %s", o->choices[i]);
	}
	return OPTIONS_E_INVALID;
}

static int read_choice(struct mp_reader *r, const struct option *o, void *ret,
		       struct options_fault *fault)
{
	struct span text;

	if (mp_read_str(r, &text) != 0)
		return refuse_choice(o, fault);
	for (int i = 0; o->choices[i]; i++)
		if (span_is(text, o->choices[i])) {
			*(int *)ret = i;
			return 0;
		}
	return refuse_choice(o, fault);
}

static int read_raw(struct mp_reader *r, const struct option *o, void *ret,
		    struct options_fault *fault)
{
	if (mp_read_raw(r, ret) != 0)
		return fault_set(fault, "option '%s' has no value", o->key);
	return 0;
}

/* Checked one by one and kept as they came. */
static bool texts_are_good(struct span array, const struct option *o)
{
	struct mp_reader r = mp_reader(array);
	struct span text;
	uint32_t n;

	if (mp_read_array(&r, &n) != 0 || n > (uint64_t)o->most)
		return false;
	for (; n > 0; n--)
		if (mp_read_str(&r, &text) != 0 || text.len > ONE_TEXT_MAX || !utf8_is_valid(text))
			return false;
	return true;
}

static int read_texts(struct mp_reader *r, const struct option *o, void *ret,
		      struct options_fault *fault)
{
	struct span array;

	if (mp_read_raw(r, &array) != 0 || !texts_are_good(array, o))
		return fault_set(fault, "option '%s' must be an array of at most %" PRId64
				 " texts (UTF-8) of at most %d bytes", o->key, o->most,
				 ONE_TEXT_MAX);
	*(struct span *)ret = array;
	return 0;
}

typedef int (*read_fn)(struct mp_reader *r, const struct option *o, void *ret,
		       struct options_fault *fault);

static const read_fn readers[] = {
	[OPTION_BOOL] = read_bool,
	[OPTION_NUMBER] = read_number,
	[OPTION_TEXT] = read_text,
	[OPTION_LABEL] = read_label,
	[OPTION_CHOICE] = read_choice,
	[OPTION_TEXTS] = read_texts,
	[OPTION_RAW] = read_raw,
};

static const struct option *find(const struct option *table, size_t n, struct span key)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(key, table[i].key))
			return &table[i];
	return NULL;
}

static int read_value(struct mp_reader *r, const struct option *o, void *ret,
		      struct options_fault *fault)
{
	if (!o || mp_peek(r) == MP_NIL)
		return mp_skip(r) == 0 ? 0 : fault_set(fault, "the options are cut short");
	return readers[o->type](r, o, (char *)ret + o->offset, fault);
}

int options_read(struct span map, const struct option *table, size_t n, void *ret,
		 struct options_fault *ret_fault)
{
	struct mp_reader r = mp_reader(map);
	struct span key;
	uint32_t n_keys;
	int rc;

	if (mp_read_map(&r, &n_keys) != 0)
		return fault_set(ret_fault, "the options must be a map");
	for (; n_keys > 0; n_keys--) {
		if (mp_read_str(&r, &key) != 0)
			return fault_set(ret_fault, "the keys of the options must be texts");
		rc = read_value(&r, find(table, n, key), ret, ret_fault);
		if (rc != 0)
			return rc;
	}
	return 0;
}
