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

/* One text of any length, without control characters. */
void table_print_text(const char *text);
/*
 * One line: a text of any length; on a terminal what does not fit into its width is cut. state: a
 * word of the text that is in colour; NULL: none.
 */
void table_print_line(const char *text, const char *state);

#endif
