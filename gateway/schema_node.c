/* SPDX-License-Identifier: MIT */
/*
 * One level of a description: its keywords, and the types that there are.
 *
 * Whether they go together is schema.c.
 */
#include "gateway/schema_private.h"

#include <math.h>
#include <stdio.h>

#include "gateway/text.h"

/* ---- types ------------------------------------------------------------------------------- */

static const struct type {
	const char *name, *words;
} types[] = {
	{ "null", "null" }, { "boolean", "a boolean" }, { "integer", "an integer" },
	{ "number", "a number" }, { "string", "a string" }, { "binary", "binary" },
	{ "array", "an array" }, { "object", "an object" },
};
#define TYPE_NAMES "null, boolean, integer, number, string, binary, array, object"

const char *schema_types_print(unsigned int set, char ret[128])
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

/* ---- keywords ---------------------------------------------------------------------------- */

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
		return schema_refuse(fault, place, "has a key that is no string");
	k = keyword_find(name);
	if (!k)
		return schema_refuse(fault, place, "has the keyword \"%s\"; known are only "
				     KEYWORD_NAMES, TEXT_QUOTE(name));
	if (mp_read_raw(r, &value) != 0)
		return schema_refuse_keyword(fault, place, k->name, "is cut short");
	wrong = take_keyword(k, value, node);
	return wrong ? schema_refuse_keyword(fault, place, k->name, wrong) : 0;
}

int schema_node_read(struct span schema, const struct place *place, struct node *ret,
			    struct schema_fault *fault)
{
	struct mp_reader r = mp_reader(schema);
	uint32_t n;

	*ret = (struct node){ .length_max = UINT64_MAX };
	if (mp_read_map(&r, &n) != 0)
		return schema_refuse(fault, place, "must be an object that describes a value");
	for (; n > 0; n--)
		if (node_take(&r, place, ret, fault) != 0)
			return SCHEMA_E_INVALID;
	return 0;
}
