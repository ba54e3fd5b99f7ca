/* SPDX-License-Identifier: MIT */
/*
 * Answers for people: tables and lists of fields, at most 80 columns wide, in colour if standard
 * output is a terminal and $NO_COLOR is not set.
 *
 * What the cells say is the caller's; control characters in them are taken out here.
 */
#ifndef CHAPI_CLIENTS_TABLE_H
#define CHAPI_CLIENTS_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct table_column {
	const char *title;
	bool right;		/* numbers */
	bool state;		/* a word that tells good from bad: in colour */
};

/* rows: an array of arrays of texts. What does not fit is cut, the widest column first. */
void table_print(const struct table_column *columns, size_t n, const json_t *rows);

/* One line; a text that is too long goes on in the next, indented. */
void table_print_field(const char *name, const char *text);

/* One text without control characters, in the colour of that word (or none). */
void table_print_word(const char *text);
/* The same, of any length, without a colour. */
void table_print_text(const char *text);

#endif
