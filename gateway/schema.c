/* SPDX-License-Identifier: MIT */
/*
 * Is it a description? See schema.h; whether a value fits one is schema_match.c.
 *
 * Descriptions have a ceiling, and what nothing could fit is refused here. Recursion follows the
 * description, which is no deeper than a value may be.
 */
#include "gateway/schema.h"

#include "gateway/schema_private.h"
#include "gateway/text.h"
#include "libchapi-ipc/mp_scan.h"
#include "libchapi-ipc/value.h"

static int check_node(struct span schema, const struct place *place, struct schema_fault *fault);

static int check_properties(struct span map, const struct place *up, struct schema_fault *fault)
{
	struct place place = place_in(up, span_str("properties")), inner;
	struct mp_reader r = mp_reader(map);
	struct span schema;
	uint32_t n;

	if (mp_read_map(&r, &n) != 0 || n > SCHEMA_NAMES_MAX)
		return schema_refuse(fault, &place, "has too many names; at most %d are allowed",
				     SCHEMA_NAMES_MAX);
	inner = place_in(&place, span_of(NULL, 0));
	for (; n > 0; n--) {
		if (mp_read_str(&r, &inner.key) != 0)
			return schema_refuse(fault, &place, "has a key that is no string");
		if (mp_read_raw(&r, &schema) != 0)
			return schema_refuse(fault, &inner, "is cut short");
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

	if (mp_read_array(&r, &n) != 0 || n > SCHEMA_NAMES_MAX)
		return schema_refuse(fault, &place, "has too many names; at most %d are allowed",
				     SCHEMA_NAMES_MAX);
	for (first = r; n > 0; n--) {
		const uint8_t *before = r.p;

		if (mp_read_str(&r, &name) != 0)
			return schema_refuse(fault, &place, "must be an array of strings");
		if (is_among(first, before, name))
			return schema_refuse(fault, &place, "has \"%s\" twice", TEXT_QUOTE(name));
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
		return schema_refuse_keyword(fault, place, "enum", "must have one value at least");
	if (node->minimum.len > 0 && node->maximum.len > 0 &&
	    !are_in_order(node->minimum, node->maximum))
		return schema_refuse_keyword(fault, place, "minimum", "is above maximum");
	if (node->length_min > node->length_max)
		return schema_refuse_keyword(fault, place, "minLength", "is above maxLength");
	return 0;
}

static int check_node(struct span schema, const struct place *place, struct schema_fault *fault)
{
	struct place items = place_in(place, span_str("items"));
	struct node node;

	if (schema_node_read(schema, place, &node, fault) != 0 ||
	    check_bounds(&node, place, fault) != 0)
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

	return r > 0 ? schema_refuse(fault, place, "cannot be a description: %s", why.text) : r;
}

int schema_check(struct span schema, const char *what, struct schema_fault *ret_fault)
{
	struct place place = { .key = span_str(what) };
	size_t len;
	int r;

	if (schema.len > SCHEMA_LEN_MAX)
		return schema_refuse(ret_fault, &place, "is a description of %zu bytes; at most "
				     "%d are allowed", schema.len, SCHEMA_LEN_MAX);
	r = mp_length(schema, MP_VALUE_DEPTH_MAX, &len);
	if (r == MP_E_DEEP)
		return schema_refuse(ret_fault, &place, "is a description of more than %d levels",
				     MP_VALUE_DEPTH_MAX);
	if (r != 0 || len != schema.len)
		return schema_refuse(ret_fault, &place, "must be one value");
	r = check_expressible(schema, &place, ret_fault);
	return r != 0 ? r : check_node(schema, &place, ret_fault);
}
