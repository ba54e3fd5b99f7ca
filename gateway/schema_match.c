/* SPDX-License-Identifier: MIT */
/*
 * Does a value fit a description?
 *
 * The work to match a value could grow with its size times that of its description; both may come
 * from somebody who means harm. Hence large enumerations are looked up (choices.c), and matching
 * has a budget of steps. Recursion follows the description, which is no deeper than a value may
 * be.
 */
#include "common/utf8.h"
#include "gateway/schema.h"

#include <inttypes.h>

#include "gateway/choices.h"
#include "gateway/schema_private.h"

#define BUDGET_LEAST 1000000		/* steps: about a hundredth of a second */
#define BUDGET_PER_BYTE 4		/* more, for each byte of the value */

struct match {
	struct schema_fault *fault;
	struct steps steps;
	struct choices choices;		/* of large enumerations */
};

static int refuse_work(struct match *m, const struct place *place)
{
	return schema_refuse(m->fault, place,
			     "is too large for what its description has to say of it");
}

static int refuse_broken(struct match *m, const struct place *place)
{
	return schema_refuse(m->fault, place, "is no value that can be read");
}

/* ---- a single value ---------------------------------------------------------------------- */

static int match_choices(struct match *m, const struct node *node, const struct place *place,
			 const struct mp_reader *value)
{
	bool found = choices_find(&m->choices, &m->steps, node->choices, *value);

	if (m->steps.left == 0)
		return refuse_work(m, place);
	if (found)
		return 0;
	return schema_refuse(m->fault, place, "is none of %s", SCHEMA_QUOTE(node->choices));
}

static int match_type(struct match *m, const struct node *node, const struct place *place,
		      const struct kind *k)
{
	unsigned int fitting = k->type == TYPE_INTEGER ? TYPE_INTEGER | TYPE_NUMBER : k->type;
	char own[128], allowed[128];

	if (node->types == 0 || (node->types & fitting))
		return 0;
	return schema_refuse(m->fault, place, "is %s; it must be %s",
			     k->words ? k->words : schema_types_print(k->type, own),
			     schema_types_print(node->types, allowed));
}

static int match_number(struct match *m, const struct node *node, const struct place *place,
			const struct kind *k)
{
	struct mp_reader low = mp_reader(node->minimum), high = mp_reader(node->maximum);
	struct number bound;

	if (node->minimum.len > 0 && number_read(&low, &bound) &&
	    number_compare(&k->number, &bound) < 0)
		return schema_refuse(m->fault, place, "is below its minimum, %s",
				     SCHEMA_QUOTE(node->minimum));
	if (node->maximum.len > 0 && number_read(&high, &bound) &&
	    number_compare(&k->number, &bound) > 0)
		return schema_refuse(m->fault, place, "is above its maximum, %s",
				     SCHEMA_QUOTE(node->maximum));
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
	return schema_refuse(m->fault, place, "is %s than %" PRIu64 " %s%s",
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
	uint8_t seen[SCHEMA_NAMES_MAX / 8];
};

static void names_init(struct names *names, struct span from, bool is_map)
{
	*names = (struct names){ .first = mp_reader(from), .is_map = is_map };
	if (from.len > 0 && (is_map ? mp_read_map(&names->first, &names->n) :
				      mp_read_array(&names->first, &names->n)) != 0)
		names->n = 0;
	names->n = MIN(names->n, (uint32_t)SCHEMA_NAMES_MAX);
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
	if (schema_node_read(schema, place, &node, m->fault) != 0)
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
		return schema_refuse(m->fault, up,
				     "has a key that is neither a string nor an integer");
	if (!utf8_is_valid(place.key))
		return schema_refuse(m->fault, up, "has a key that is no valid UTF-8");
	described = names_find(m, properties, place.key, &schema);
	wanted = names_find(m, required, place.key, NULL);
	if (m->steps.left == 0)
		return refuse_work(m, up);
	seen = described >= 0 && names_see(properties, described);
	if (wanted >= 0)	/* both are to be marked */
		seen |= names_see(required, wanted);
	if (seen)
		return schema_refuse(m->fault, &place, "is there twice");
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
		return schema_refuse(m->fault, &missing, "is missing");
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
	if (schema_node_read(node->items, place, &items, m->fault) != 0)
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
	const char *wrong = schema_kind_find(r, &k);

	if (wrong)
		return schema_refuse(m->fault, place, "%s", wrong);
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
