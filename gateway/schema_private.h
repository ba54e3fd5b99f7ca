/* SPDX-License-Identifier: MIT */
/*
 * What the files of descriptions share.
 *
 *     schema.c        is it a description?
 *     schema_match.c  does a value fit one?
 *     schema_node.c   one level of a description, read
 *     schema_kind.c   what a single value is
 *     schema_fault.c  where a fault is, and how it is told
 *
 * A level of a description is read into a struct node whenever it is needed, nothing is kept from
 * one value to the next. Faults say what kind of value it is and never quote it: they are shown
 * to those who may not see params.
 */
#ifndef CHAPI_SCHEMA_PRIVATE_H
#define CHAPI_SCHEMA_PRIVATE_H

#include <stdbool.h>

#include "gateway/compare.h"
#include "gateway/schema.h"
#include "libchapi-ipc/mp.h"

#define SCHEMA_NAMES_MAX 256		/* of one "properties" or "required" */
#define SCHEMA_QUOTE_MAX 96

/* A value in a value: a step from the one around it. */
struct place {
	const struct place *up;		/* NULL: the outermost; key is what it is called */
	struct span key;
	bool is_element;		/* of an array: index holds */
	uint32_t index;
};

static inline struct place place_in(const struct place *up, struct span key)
{
	return (struct place){ .up = up, .key = key };
}

/* Puts "PLACE WORDS", and returns SCHEMA_E_INVALID. */
int schema_refuse(struct schema_fault *fault, const struct place *place, const char *fmt, ...)
	PRINTF(3, 4) MUST_CHECK;
/* The same of a keyword of the description at up. */
int schema_refuse_keyword(struct schema_fault *fault, const struct place *up, const char *keyword,
			  const char *why) MUST_CHECK;

/* What a description has to say, as JSON: one line, cut at the end of a character. */
const char *schema_quote(struct span value, char ret[SCHEMA_QUOTE_MAX + 4]);
#define SCHEMA_QUOTE(value) schema_quote(value, (char[SCHEMA_QUOTE_MAX + 4]){ 0 })

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

/* "a string, an array or null" */
const char *schema_types_print(unsigned int set, char ret[128]);

struct node {
	unsigned int types;			/* 0: any */
	struct span properties, items;		/* maps; empty: not there, as for all spans */
	struct span required, choices;		/* arrays */
	struct span minimum, maximum;		/* numbers */
	uint64_t length_min, length_max;
};

/* 0 or SCHEMA_E_INVALID. place: of the description. */
int schema_node_read(struct span schema, const struct place *place, struct node *ret,
		     struct schema_fault *fault) MUST_CHECK;

/* type: a bit; 0: words say what it is, which no type allows. */
struct kind {
	unsigned int type;
	const char *words;
	struct number number;		/* TYPE_INTEGER, TYPE_NUMBER */
	uint64_t length;		/* TYPE_STRING: characters; TYPE_BINARY: bytes */
};

/* NULL, or what is wrong with the value, whatever a description says. */
const char *schema_kind_find(const struct mp_reader *r, struct kind *ret) MUST_CHECK;

#endif
