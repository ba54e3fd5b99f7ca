/* SPDX-License-Identifier: MIT */
/*
 * Descriptions of values: see schema.h.
 *
 * A level of a description is read into a struct node whenever it is needed, nothing is kept from
 * one value to the next. So the work to match a value could grow with its size times that of
 * its description; both may come from somebody who means harm. Hence descriptions have a
 * ceiling, large enumerations are looked up (choices.c), and matching has a budget of steps.
 * Recursion follows the description, which is no deeper than a value may be.
 *
 * Faults say what kind of value it is and never quote it: they are shown to those who may not see
 * params.
 */
#include "gateway/schema.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "gateway/choices.h"
#include "gateway/compare.h"
#include "gateway/text.h"
#include "libchapi-ipc/value.h"

#define NAMES_MAX 256			/* of one "properties" or "required" */
#define BUDGET_LEAST 1000000		/* steps: about a hundredth of a second */
#define BUDGET_PER_BYTE 4		/* more, for each byte of the value */
#define PLACE_MAX 128
#define QUOTE_MAX 96

/* ---- places and faults ------------------------------------------------------------------- */

/* A value in a value: a step from the one around it. */
struct place {
	const struct place *up;		/* NULL: the outermost; key is what it is called */
	struct span key;
	bool is_element;		/* of an array: index holds */
	uint32_t index;
};

static struct place place_in(const struct place *up, struct span key)
{
	return (struct place){ .up = up, .key = key };
}

static bool is_plain_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static bool is_plain(struct span key)
{
	for (size_t i = 0; i < key.len; i++)
		if (!is_plain_char(key.p[i]))
			return false;
	return key.len > 0;
}

static void step_print(const struct place *place, char *ret, size_t len)
{
	if (place->is_element)
		snprintf(ret, len, "[%" PRIu32 "]", place->index);
	else if (!place->up)
		snprintf(ret, len, "%s", TEXT_QUOTE(place->key));
	else
		snprintf(ret, len, is_plain(place->key) ? ".%s" : "[\"%s\"]",
			 TEXT_QUOTE(place->key));
}

/* "params.list[3]"; steps that do not fit are "...". Returns its length. */
static size_t place_print(const struct place *place, char ret[PLACE_MAX + 4])
{
	char step[TEXT_QUOTE_MAX + 16];
	size_t len = place->up ? place_print(place->up, ret) : 0;

	if (len >= PLACE_MAX)
		return len;	/* cut before */
	step_print(place, step, sizeof(step));
	if (len + strlen(step) < PLACE_MAX) {
		strcpy(ret + len, step);
		return len + strlen(step);
	}
	strcpy(ret + len, "...");
	return PLACE_MAX;
}

static int PRINTF(3, 4) refuse(struct schema_fault *fault, const struct place *place,
			       const char *fmt, ...)
{
	char where[PLACE_MAX + 4], why[sizeof(fault->text)];
	va_list args;

	place_print(place, where);
	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	snprintf(fault->text, sizeof(fault->text), "%s %.160s", where, why);
	return SCHEMA_E_INVALID;
}

/* The same of a keyword of the description at up. */
static int refuse_keyword(struct schema_fault *fault, const struct place *up, const char *keyword,
			  const char *why)
{
	struct place place = place_in(up, span_str(keyword));

	return refuse(fault, &place, "%s", why);
}

/* What a description has to say, as JSON: one line, cut at the end of a character. */
static const char *quote_json(struct span value, char ret[QUOTE_MAX + 4])
{
	CLEANUP(buf_deinit) struct buf json = BUF_NULL, scratch = BUF_NULL;
	struct value_fault ignored;
	struct span line;
	size_t len;

	ret[0] = '\0';
	if (value_to_json(value, MP_VALUE_DEPTH_MAX, &json, &ignored) != 0)
		return ret;
	line = text_line(buf_span(&json), &scratch);
	len = MIN(line.len, (size_t)QUOTE_MAX);
	while (len < line.len && (line.p[len] & 0xc0) == 0x80)
		len--;
	memcpy(ret, line.p, len);
	strcpy(ret + len, len < line.len ? "..." : "");
	return ret;
}
#define QUOTE_JSON(value) quote_json(value, (char[QUOTE_MAX + 4]){ 0 })

/* ---- types ------------------------------------------------------------------------------- */

enum {
	TYPE_NULL = 1 << 0,
	TYPE_BOOLEAN = 1 << 1,
	TYPE_INTEGER = 1 << 2,
	TYPE_NUMBER = 1 << 3,
	TYPE_STRING = 1 << 4,
	TYPE_BINARY = 1 << 5,
	TYPE_ARRAY = 1 << 6,
	TYPE_OBJECT = 1 << 7,
};

static const struct type {
	const char *name, *words;
} types[] = {
	{ "null", "null" }, { "boolean", "a boolean" }, { "integer", "an integer" },
	{ "number", "a number" }, { "string", "a string" }, { "binary", "binary" },
	{ "array", "an array" }, { "object", "an object" },
};
#define TYPE_NAMES "null, boolean, integer, number, string, binary, array, object"

/* "a string, an array or null" */
static const char *types_print(unsigned int set, char ret[128])
{
	size_t len = 0;

	ret[0] = '\0';
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		unsigned int bit = 1u << i;

		if (!(set & bit))
			continue;
		len += (size_t)snprintf(ret + len, 128 - len, "%s%s", len == 0 ? "" :
					set >> i == 1 ? " or " : ", ", types[i].words);
	}
	return ret;
}

/* The bit of a name; 0: there is no such type. */
static unsigned int type_find(struct span name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++)
		if (span_is(name, types[i].name))
			return 1u << i;
	return 0;
}

/* ---- one level of a description ---------------------------------------------------------- */

struct node {
	unsigned int types;			/* 0: any */
	struct span properties, items;		/* maps; empty: not there, as for all spans */
	struct span required, choices;		/* arrays */
	struct span minimum, maximum;		/* numbers */
	uint64_t length_min, length_max;
};

enum keyword_kind { KEYWORD_TYPE, KEYWORD_MAP, KEYWORD_ARRAY, KEYWORD_NUMBER, KEYWORD_LENGTH,
		    KEYWORD_TEXT, KEYWORD_ANY };

static const struct keyword {
	const char *name;
	enum keyword_kind kind;
	size_t offset;			/* in struct node */
} keywords[] = {
	{ "type", KEYWORD_TYPE, 0 },
	{ "properties", KEYWORD_MAP, offsetof(struct node, properties) },
	{ "required", KEYWORD_ARRAY, offsetof(struct node, required) },
	{ "items", KEYWORD_MAP, offsetof(struct node, items) },
	{ "enum", KEYWORD_ARRAY, offsetof(struct node, choices) },
	{ "minimum", KEYWORD_NUMBER, offsetof(struct node, minimum) },
	{ "maximum", KEYWORD_NUMBER, offsetof(struct node, maximum) },
	{ "minLength", KEYWORD_LENGTH, offsetof(struct node, length_min) },
	{ "maxLength", KEYWORD_LENGTH, offsetof(struct node, length_max) },
	{ "default", KEYWORD_ANY, 0 },
	{ "title", KEYWORD_TEXT, 0 },
	{ "description", KEYWORD_TEXT, 0 },
};
#define KEYWORD_NAMES "type, properties, required, items, enum, minimum, maximum, minLength, " \
	"maxLength, default, title, description"

static const struct keyword *keyword_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
		if (span_is(name, keywords[i].name))
			return &keywords[i];
	return NULL;
}

static const char *type_take(struct mp_reader *r, unsigned int *set)
{
	struct span name;
	unsigned int bit = mp_read_str(r, &name) == 0 ? type_find(name) : 0;

	if (bit == 0)
		return "must be one of " TYPE_NAMES ", or an array of them";
	if (*set & bit)
		return "has a type twice";
	*set |= bit;
	return NULL;
}

/* Like each of these functions: NULL, or what is wrong with the keyword's value. */
static const char *take_type(struct span value, unsigned int *set)
{
	struct mp_reader r = mp_reader(value);
	const char *wrong = NULL;
	uint32_t n;

	if (mp_read_array(&r, &n) != 0)
		return type_take(&r, set);
	if (n == 0)
		return "must have one type at least";
	for (; n > 0 && !wrong; n--)
		wrong = type_take(&r, set);
	return wrong;
}

/* Some encodings know no integers: 3.0 will do. */
static const char *take_length(struct span value, uint64_t *ret)
{
	struct mp_reader r = mp_reader(value);
	double v;

	if (mp_read_uint(&r, ret) == 0)
		return NULL;
	if (mp_read_number(&r, &v) != 0 || !(v >= 0 && v < 0x1p64) || floor(v) != v)
		return "must be a whole number, 0 or more";
	*ret = (uint64_t)v;
	return NULL;
}

static const char *take_keyword(const struct keyword *k, struct span value, struct node *node)
{
	struct mp_reader r = mp_reader(value);
	enum mp_type type = mp_peek(&r);
	void *at = (char *)node + k->offset;

	switch (k->kind) {
	case KEYWORD_TYPE:
		return take_type(value, &node->types);
	case KEYWORD_LENGTH:
		return take_length(value, at);
	case KEYWORD_TEXT:
		return type == MP_STR ? NULL : "must be a string";
	case KEYWORD_ANY:
		return NULL;
	case KEYWORD_MAP:
		if (type != MP_MAP)
			return "must be an object";
		break;
	case KEYWORD_ARRAY:
		if (type != MP_ARRAY)
			return "must be an array";
		break;
	case KEYWORD_NUMBER:
		if (!type_is_number(type))
			return "must be a number";
	}
	*(struct span *)at = value;
	return NULL;
}

static int node_take(struct mp_reader *r, const struct place *place, struct node *node,
		     struct schema_fault *fault)
{
	const struct keyword *k;
	struct span name, value;
	const char *wrong;

	if (mp_read_str(r, &name) != 0)
		return refuse(fault, place, "has a key that is no string");
	k = keyword_find(name);
	if (!k)
		return refuse(fault, place, "has the keyword \"%s\"; known are only " KEYWORD_NAMES,
			      TEXT_QUOTE(name));
	if (mp_read_raw(r, &value) != 0)
		return refuse_keyword(fault, place, k->name, "is cut short");
	wrong = take_keyword(k, value, node);
	return wrong ? refuse_keyword(fault, place, k->name, wrong) : 0;
}

static int node_read(struct span schema, const struct place *place, struct node *ret,
		     struct schema_fault *fault)
{
	struct mp_reader r = mp_reader(schema);
	uint32_t n;

	*ret = (struct node){ .length_max = UINT64_MAX };
	if (mp_read_map(&r, &n) != 0)
		return refuse(fault, place, "must be an object that describes a value");
	for (; n > 0; n--)
		if (node_take(&r, place, ret, fault) != 0)
			return SCHEMA_E_INVALID;
	return 0;
}

/* ---- is it a description? ---------------------------------------------------------------- */

static int check_node(struct span schema, const struct place *place, struct schema_fault *fault);

static int check_properties(struct span map, const struct place *up, struct schema_fault *fault)
{
	struct place place = place_in(up, span_str("properties")), inner;
	struct mp_reader r = mp_reader(map);
	struct span schema;
	uint32_t n;

	if (mp_read_map(&r, &n) != 0 || n > NAMES_MAX)
		return refuse(fault, &place, "has too many names; at most %d are allowed",
			      NAMES_MAX);
	inner = place_in(&place, span_of(NULL, 0));
	for (; n > 0; n--) {
		if (mp_read_str(&r, &inner.key) != 0)
			return refuse(fault, &place, "has a key that is no string");
		if (mp_read_raw(&r, &schema) != 0)
			return refuse(fault, &inner, "is cut short");
		if (check_node(schema, &inner, fault) != 0)
			return SCHEMA_E_INVALID;
	}
	return 0;
}

/* Is name among the strings from r to before? */
static bool is_among(struct mp_reader r, const uint8_t *before, struct span name)
{
	struct span other;

	while (r.p < before && mp_read_str(&r, &other) == 0)
		if (span_equal(other, name))
			return true;
	return false;
}

static int check_required(struct span array, const struct place *up, struct schema_fault *fault)
{
	struct place place = place_in(up, span_str("required"));
	struct mp_reader r = mp_reader(array), first;
	struct span name;
	uint32_t n;

	if (mp_read_array(&r, &n) != 0 || n > NAMES_MAX)
		return refuse(fault, &place, "has too many names; at most %d are allowed",
			      NAMES_MAX);
	for (first = r; n > 0; n--) {
		const uint8_t *before = r.p;

		if (mp_read_str(&r, &name) != 0)
			return refuse(fault, &place, "must be an array of strings");
		if (is_among(first, before, name))
			return refuse(fault, &place, "has \"%s\" twice", TEXT_QUOTE(name));
	}
	return 0;
}

static bool are_in_order(struct span low, struct span high)
{
	struct mp_reader l = mp_reader(low), h = mp_reader(high);
	struct number a, b;

	return !number_read(&l, &a) || !number_read(&h, &b) || number_compare(&a, &b) <= 0;
}

/* What nothing could fit is a mistake. */
static int check_bounds(const struct node *node, const struct place *place,
			struct schema_fault *fault)
{
	struct mp_reader r = mp_reader(node->choices);
	uint32_t n;

	if (node->choices.len > 0 && mp_read_array(&r, &n) == 0 && n == 0)
		return refuse_keyword(fault, place, "enum", "must have one value at least");
	if (node->minimum.len > 0 && node->maximum.len > 0 &&
	    !are_in_order(node->minimum, node->maximum))
		return refuse_keyword(fault, place, "minimum", "is above maximum");
	if (node->length_min > node->length_max)
		return refuse_keyword(fault, place, "minLength", "is above maxLength");
	return 0;
}

static int check_node(struct span schema, const struct place *place, struct schema_fault *fault)
{
	struct place items = place_in(place, span_str("items"));
	struct node node;

	if (node_read(schema, place, &node, fault) != 0 || check_bounds(&node, place, fault) != 0)
		return SCHEMA_E_INVALID;
	if (node.properties.len > 0 && check_properties(node.properties, place, fault) != 0)
		return SCHEMA_E_INVALID;
	if (node.required.len > 0 && check_required(node.required, place, fault) != 0)
		return SCHEMA_E_INVALID;
	return node.items.len > 0 ? check_node(node.items, &items, fault) : 0;
}

/*
 * Whoever asks for the description may speak JSON: what has no form there (a key twice, too, at
 * whatever level) is refused by writing it once.
 */
static int check_expressible(struct span schema, const struct place *place,
			     struct schema_fault *fault)
{
	CLEANUP(buf_deinit) struct buf json = BUF_NULL;
	struct value_fault why;
	int r = value_to_json(schema, MP_VALUE_DEPTH_MAX, &json, &why);

	return r > 0 ? refuse(fault, place, "cannot be a description: %s", why.text) : r;
}

int schema_check(struct span schema, const char *what, struct schema_fault *ret_fault)
{
	struct place place = { .key = span_str(what) };
	size_t len;
	int r;

	if (schema.len > SCHEMA_LEN_MAX)
		return refuse(ret_fault, &place, "is a description of %zu bytes; at most %d are "
			      "allowed", schema.len, SCHEMA_LEN_MAX);
	r = mp_length(schema, MP_VALUE_DEPTH_MAX, &len);
	if (r == MP_E_DEEP)
		return refuse(ret_fault, &place, "is a description of more than %d levels",
			      MP_VALUE_DEPTH_MAX);
	if (r != 0 || len != schema.len)
		return refuse(ret_fault, &place, "must be one value");
	r = check_expressible(schema, &place, ret_fault);
	return r != 0 ? r : check_node(schema, &place, ret_fault);
}

/* ---- the work that a match may take ------------------------------------------------------ */

struct match {
	struct schema_fault *fault;
	struct steps steps;
	struct choices choices;		/* of large enumerations */
};

static int refuse_work(struct match *m, const struct place *place)
{
	return refuse(m->fault, place, "is too large for what its description has to say of it");
}

static int refuse_broken(struct match *m, const struct place *place)
{
	return refuse(m->fault, place, "is no value that can be read");
}

/* ---- enumerations ------------------------------------------------------------------------ */

static int match_choices(struct match *m, const struct node *node, const struct place *place,
			 const struct mp_reader *value)
{
	bool found = choices_find(&m->choices, &m->steps, node->choices, *value);

	if (m->steps.left == 0)
		return refuse_work(m, place);
	if (found)
		return 0;
	return refuse(m->fault, place, "is none of %s", QUOTE_JSON(node->choices));
}

/* ---- what a single value is -------------------------------------------------------------- */

/* type: a bit; 0: words say what it is, which no type allows. */
struct kind {
	unsigned int type;
	const char *words;
	struct number number;		/* TYPE_INTEGER, TYPE_NUMBER */
	uint64_t length;		/* TYPE_STRING: characters; TYPE_BINARY: bytes */
};

static uint64_t count_characters(struct span text)
{
	uint64_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += (text.p[i] & 0xc0) != 0x80;
	return n;
}

static const char *kind_of_number(struct mp_reader r, struct kind *k)
{
	if (!number_read(&r, &k->number))
		return "is no value that can be read";
	if (!number_is_finite(&k->number))
		return "is NaN or infinite";
	k->type = number_is_whole(&k->number) ? TYPE_INTEGER : TYPE_NUMBER;
	if (k->type == TYPE_NUMBER)
		k->words = "a number with a fraction";
	return NULL;
}

static const char *kind_of_bytes(struct mp_reader r, enum mp_type type, struct kind *k)
{
	struct span bytes;

	if ((type == MP_STR ? mp_read_str(&r, &bytes) : mp_read_bin(&r, &bytes)) != 0)
		return "is no value that can be read";
	if (type == MP_STR && !text_is_utf8(bytes))
		return "is no valid UTF-8";
	k->type = type == MP_STR ? TYPE_STRING : TYPE_BINARY;
	k->length = type == MP_STR ? count_characters(bytes) : bytes.len;
	return NULL;
}

static const char *kind_of_ext(struct mp_reader r, struct kind *k)
{
	struct span ignored;
	int8_t type;

	if (mp_read_ext(&r, &type, &ignored) != 0)
		return "is no value that can be read";
	k->words = type == -1 ? "a time" : "an extension";
	return NULL;
}

/* NULL, or what is wrong with it, whatever the description says. */
static const char *kind_find(const struct mp_reader *r, struct kind *ret)
{
	static const unsigned int simple[] = {
		[MP_NIL] = TYPE_NULL, [MP_BOOL] = TYPE_BOOLEAN,
		[MP_ARRAY] = TYPE_ARRAY, [MP_MAP] = TYPE_OBJECT,
	};
	enum mp_type type = mp_peek(r);

	*ret = (struct kind){ 0 };
	if (type_is_number(type))
		return kind_of_number(*r, ret);
	if (type == MP_STR || type == MP_BIN)
		return kind_of_bytes(*r, type, ret);
	if (type == MP_EXT)
		return kind_of_ext(*r, ret);
	if (type == MP_NONE)
		return "is no value that can be read";
	ret->type = simple[type];
	return NULL;
}

static int match_type(struct match *m, const struct node *node, const struct place *place,
		      const struct kind *k)
{
	unsigned int fitting = k->type == TYPE_INTEGER ? TYPE_INTEGER | TYPE_NUMBER : k->type;
	char own[128], allowed[128];

	if (node->types == 0 || (node->types & fitting))
		return 0;
	return refuse(m->fault, place, "is %s; it must be %s",
		      k->words ? k->words : types_print(k->type, own),
		      types_print(node->types, allowed));
}

static int match_number(struct match *m, const struct node *node, const struct place *place,
			const struct kind *k)
{
	struct mp_reader low = mp_reader(node->minimum), high = mp_reader(node->maximum);
	struct number bound;

	if (node->minimum.len > 0 && number_read(&low, &bound) &&
	    number_compare(&k->number, &bound) < 0)
		return refuse(m->fault, place, "is below its minimum, %s",
			      QUOTE_JSON(node->minimum));
	if (node->maximum.len > 0 && number_read(&high, &bound) &&
	    number_compare(&k->number, &bound) > 0)
		return refuse(m->fault, place, "is above its maximum, %s",
			      QUOTE_JSON(node->maximum));
	return 0;
}

static int match_length(struct match *m, const struct node *node, const struct place *place,
			const struct kind *k)
{
	const char *unit = k->type == TYPE_BINARY ? "byte" : "character";
	bool is_short = k->length < node->length_min;
	uint64_t bound = is_short ? node->length_min : node->length_max;

	if (!is_short && k->length <= node->length_max)
		return 0;
	return refuse(m->fault, place, "is %s than %" PRIu64 " %s%s",
		      is_short ? "shorter" : "longer", bound, unit, bound == 1 ? "" : "s");
}

static int match_scalar(struct match *m, const struct node *node, const struct place *place,
			const struct kind *k)
{
	if (k->type == TYPE_INTEGER || k->type == TYPE_NUMBER)
		return match_number(m, node, place, k);
	if (k->type == TYPE_STRING || k->type == TYPE_BINARY)
		return match_length(m, node, place, k);
	return 0;
}

/* ---- objects and arrays ------------------------------------------------------------------ */

static int match_node(struct match *m, const struct node *node, const struct place *place,
		      struct mp_reader *r);

/*
 * The names of "properties" (a map) or "required" (an array), and which were seen. A search
 * begins behind the last find: keys mostly come in the order in which they are described.
 */
struct names {
	struct mp_reader first, at;
	uint32_t n, left;		/* left: from at on */
	bool is_map;
	uint8_t seen[NAMES_MAX / 8];
};

static void names_init(struct names *names, struct span from, bool is_map)
{
	*names = (struct names){ .first = mp_reader(from), .is_map = is_map };
	if (from.len > 0 && (is_map ? mp_read_map(&names->first, &names->n) :
				      mp_read_array(&names->first, &names->n)) != 0)
		names->n = 0;
	names->n = MIN(names->n, (uint32_t)NAMES_MAX);
	names->at = names->first;
	names->left = names->n;
}

/* The index of the next name, and its schema in a map; -1: it cannot be read. */
static int names_next(struct match *m, struct names *names, struct span *ret_name,
		      struct span *ret_schema)
{
	const uint8_t *from;

	if (names->left == 0) {
		names->at = names->first;
		names->left = names->n;
	}
	from = names->at.p;
	if (mp_read_str(&names->at, ret_name) != 0 ||
	    (names->is_map && mp_read_raw(&names->at, ret_schema) != 0))
		return -1;
	steps_spend_bytes(&m->steps, from, names->at.p);
	return (int)(names->n - names->left--);
}

/* The index of a name; -1: it is not among them. */
static int names_find(struct match *m, struct names *names, struct span key,
		      struct span *ret_schema)
{
	struct span name;

	for (uint32_t i = 0; i < names->n && m->steps.left > 0; i++) {
		int index = names_next(m, names, &name, ret_schema);

		if (index < 0 || span_equal(name, key))
			return index;
	}
	return -1;
}

/* True: it was seen before. */
static bool names_see(struct names *names, int index)
{
	uint8_t bit = (uint8_t)(1u << (index & 7)), *byte = &names->seen[index >> 3];
	bool before = *byte & bit;

	*byte |= bit;
	return before;
}

/* The first name that was not seen; false: all were. */
static bool names_missing(struct match *m, struct names *names, struct span *ret_name)
{
	struct span ignored;

	names->left = 0;
	for (uint32_t i = 0; i < names->n; i++) {
		int index = names_next(m, names, ret_name, &ignored);

		if (index < 0 || !names_see(names, index))
			return true;
	}
	return false;
}

static int match_value(struct match *m, struct span schema, const struct place *place,
		       struct mp_reader *r)
{
	struct node node;

	steps_spend_bytes(&m->steps, schema.p, schema.p + schema.len);
	if (node_read(schema, place, &node, m->fault) != 0)
		return SCHEMA_E_INVALID;
	return match_node(m, &node, place, r);
}

/* One key and its value. A key twice would let a provider see another value than was checked. */
static int match_member(struct match *m, struct names *properties, struct names *required,
			const struct place *up, struct mp_reader *r)
{
	struct place place = place_in(up, span_of(NULL, 0));
	struct span schema = { 0 };
	char digits[24];
	int described, wanted;
	bool seen;

	if (!key_read(r, digits, &place.key))
		return refuse(m->fault, up, "has a key that is neither a string nor an integer");
	if (!text_is_utf8(place.key))
		return refuse(m->fault, up, "has a key that is no valid UTF-8");
	described = names_find(m, properties, place.key, &schema);
	wanted = names_find(m, required, place.key, NULL);
	if (m->steps.left == 0)
		return refuse_work(m, up);
	seen = described >= 0 && names_see(properties, described);
	if (wanted >= 0)	/* both are to be marked */
		seen |= names_see(required, wanted);
	if (seen)
		return refuse(m->fault, &place, "is there twice");
	if (described >= 0)
		return match_value(m, schema, &place, r);
	return mp_skip(r) == 0 ? 0 : refuse_broken(m, &place);
}

static int match_object(struct match *m, const struct node *node, const struct place *place,
			struct mp_reader *r)
{
	struct place missing = place_in(place, span_of(NULL, 0));
	struct names properties, required;
	uint32_t n;

	if (mp_read_map(r, &n) != 0)
		return refuse_broken(m, place);
	names_init(&properties, node->properties, true);
	names_init(&required, node->required, false);
	for (; n > 0; n--)
		if (match_member(m, &properties, &required, place, r) != 0)
			return SCHEMA_E_INVALID;
	if (names_missing(m, &required, &missing.key))
		return refuse(m->fault, &missing, "is missing");
	return 0;
}

static int match_array(struct match *m, const struct node *node, const struct place *place,
		       struct mp_reader *r)
{
	struct place element = { .up = place, .is_element = true };
	struct node items;
	uint32_t n;

	if (mp_read_array(r, &n) != 0)
		return refuse_broken(m, place);
	if (node_read(node->items, place, &items, m->fault) != 0)
		return SCHEMA_E_INVALID;
	for (; element.index < n; element.index++)
		if (match_node(m, &items, &element, r) != 0)
			return SCHEMA_E_INVALID;
	return 0;
}

/* Moves on behind the value if it fits. */
static int match_node(struct match *m, const struct node *node, const struct place *place,
		      struct mp_reader *r)
{
	struct kind k;
	const char *wrong = kind_find(r, &k);

	if (wrong)
		return refuse(m->fault, place, "%s", wrong);
	if (m->steps.left == 0)
		return refuse_work(m, place);
	if (match_type(m, node, place, &k) != 0 || match_scalar(m, node, place, &k) != 0)
		return SCHEMA_E_INVALID;
	if (node->choices.len > 0 && match_choices(m, node, place, r) != 0)
		return SCHEMA_E_INVALID;
	if (k.type == TYPE_OBJECT && (node->properties.len > 0 || node->required.len > 0))
		return match_object(m, node, place, r);
	if (k.type == TYPE_ARRAY && node->items.len > 0)
		return match_array(m, node, place, r);
	return mp_skip(r) == 0 ? 0 : refuse_broken(m, place);
}

int schema_match(struct span schema, struct span value, const char *what, uint64_t *work,
		 struct schema_fault *ret_fault)
{
	uint64_t budget = BUDGET_LEAST + BUDGET_PER_BYTE * (uint64_t)value.len;
	struct match m = { .fault = ret_fault, .steps = { budget } };
	struct place place = { .key = span_str(what) };
	struct mp_reader r = mp_reader(value);
	int rc = match_value(&m, schema, &place, &r);

	*work += budget - m.steps.left;
	choices_deinit(&m.choices);
	return rc;
}
