/* SPDX-License-Identifier: MIT */
/*
 * Answers for people: see table.h.
 *
 * A character takes as many columns as wcwidth(3) says: two of East Asian ones, none of accents
 * that are put on the character before.
 */
#include <config.h>	/* _GNU_SOURCE: wcwidth */

#include "clients/table.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "clients/cli.h"
#include "clients/mend.h"
#include "clients/wrap.h"
#include "common/utf8.h"

#define WIDTH 80
#define COLUMNS_MAX 10
#define GAP 2
#define FIELD_NAME 14
#define CUT ".."

/* ---- words in colour ---- */

static bool has_colour(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
	       !(term && strcmp(term, "dumb") == 0);
}

#define GREEN "32"
#define YELLOW "33"
#define RED "31"

/* NULL: none. */
static const char *colour_of(const char *word)
{
	static const struct {
		const char *word, *colour;
	} words[] = {
		{ "active", GREEN }, { "up", GREEN }, { "ok", GREEN }, { "running", GREEN },
		{ "paused", YELLOW }, { "draining", YELLOW }, { "waiting", YELLOW },
		{ "connecting", YELLOW }, { "subscribing", YELLOW }, { "standby", YELLOW },
		{ "skipped", YELLOW }, { "quota", YELLOW }, { "lost", RED }, { "trouble", RED },
		{ "stopped", RED }, { "FAILED", RED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].colour;
	return NULL;
}

static void print_coloured(const char *word, const char *shown)
{
	const char *colour = has_colour() ? colour_of(word) : NULL;

	if (colour)
		printf("\033[%sm%s\033[0m", colour, shown);
	else
		fputs(shown, stdout);
}

/* ---- texts ---- */

/* NULL: no memory. */
static char *make_clean(const char *text)
{
	char *copy = strdup(text);

	if (copy)
		mend_line(copy, strlen(copy));
	return copy;
}

void table_print_text(const char *text)
{
	char *clean CLEANUP(cli_free) = make_clean(text);

	fputs(clean ? clean : "?", stdout);
}

/* Of a character of len bytes; the locale's characters are those of UTF-8. */
static size_t char_columns(const char *text, size_t len)
{
	wchar_t c = (unsigned char)text[0];
	int columns;

	if (len > 1)
		c &= 0x7f >> len;
	for (size_t i = 1; i < len; i++)
		c = c << 6 | (text[i] & 0x3f);
	columns = wcwidth(c);
	return columns < 0 ? 1 : (size_t)columns;
}

/* Length in bytes of what fits into so many columns, and how many it takes. */
static size_t fitting_len(const char *text, size_t columns, size_t *ret_columns)
{
	size_t done = 0, len = strlen(text), step, more;

	*ret_columns = 0;
	while (done < len) {
		step = utf8_char_len(text + done, len - done);
		step = step > 0 ? step : 1;
		more = char_columns(text + done, step);
		if (*ret_columns + more > columns)
			break;
		*ret_columns += more;
		done += step;
	}
	return done;
}

static size_t count_columns(const char *text)
{
	size_t columns;

	fitting_len(text, SIZE_MAX, &columns);
	return columns;
}

/* ---- lines ---- */

/* In place: there is room for the mark where there was text. */
static void cut(char *text, size_t width)
{
	size_t n;

	if (count_columns(text) > width)
		strcpy(text + fitting_len(text, width - strlen(CUT), &n), CUT);
}

void table_print_line(const char *text, const char *state)
{
	char *clean CLEANUP(cli_free) = make_clean(text);
	const char *word;

	if (!clean) {
		puts("?");
		return;
	}
	cut(clean, wrap_columns(STDOUT_FILENO));
	word = state && *state ? strstr(clean, state) : NULL;
	if (!word) {
		puts(clean);
		return;
	}
	printf("%.*s", (int)(word - clean), clean);
	print_coloured(state, state);
	puts(word + strlen(state));
}

/* ---- tables ---- */

static void print_blanks(size_t n)
{
	printf("%*s", (int)n, "");
}

static void print_cell(const struct table_column *column, const char *text, size_t width,
		       bool is_last)
{
	char *clean CLEANUP(cli_free) = make_clean(text);
	size_t n;

	if (!clean)
		return;
	cut(clean, width);
	n = count_columns(clean);
	if (column->right)
		print_blanks(width - n);
	if (column->state)
		print_coloured(text, clean);
	else
		fputs(clean, stdout);
	if (!column->right && !is_last)
		print_blanks(width - n);
}

static const char *cell(const json_t *row, size_t i)
{
	const char *text = json_string_value(json_array_get(row, i));

	return text ? text : "";
}

static void fit(size_t *widths, size_t n)
{
	size_t total = GAP * (n - 1), widest;

	for (size_t i = 0; i < n; i++)
		total += widths[i];
	for (; total > WIDTH; total--) {
		widest = 0;
		for (size_t i = 1; i < n; i++)
			if (widths[i] >= widths[widest])
				widest = i;
		widths[widest]--;
	}
}

static void measure(const struct table_column *columns, size_t n, const json_t *rows,
		    size_t *ret_widths)
{
	const json_t *row;
	size_t r, cell_columns;

	for (size_t i = 0; i < n; i++) {
		ret_widths[i] = strlen(columns[i].title);
		json_array_foreach(rows, r, row) {
			cell_columns = count_columns(cell(row, i));
			if (cell_columns > ret_widths[i])
				ret_widths[i] = cell_columns;
		}
	}
	fit(ret_widths, n);
}

static void print_row(const struct table_column *columns, size_t n, const size_t *widths,
		      const json_t *row)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			print_blanks(GAP);
		print_cell(&columns[i], row ? cell(row, i) : columns[i].title, widths[i],
			   i == n - 1);
	}
	putchar('\n');
}

void table_print(const struct table_column *columns, size_t n, const json_t *rows)
{
	size_t widths[COLUMNS_MAX], r;
	const json_t *row;

	if (n == 0 || n > COLUMNS_MAX)
		abort();
	measure(columns, n, rows, widths);
	print_row(columns, n, widths, NULL);
	json_array_foreach(rows, r, row)
		print_row(columns, n, widths, row);
}

/* ---- fields ---- */

/* Length in bytes of what goes into one line: up to a blank, if there is one. */
static size_t line_len(const char *text, size_t width)
{
	size_t columns, len = fitting_len(text, width, &columns), end = len;

	if (text[len] == '\0')
		return len;
	while (end > 0 && text[end] != ' ')
		end--;
	return end > 0 ? end : len;
}

void table_print_field(const char *name, const char *text)
{
	char *clean CLEANUP(cli_free) = make_clean(text);
	const char *left = clean ? clean : "?";
	size_t len = line_len(left, WIDTH - FIELD_NAME);

	printf("%-*s", FIELD_NAME, name);
	if (clean && strlen(clean) == len) {
		print_coloured(text, left);
		putchar('\n');
		return;
	}
	for (;;) {
		printf("%.*s\n", (int)len, left);
		left += len;
		left += strspn(left, " ");
		if (!*left)
			return;
		print_blanks(FIELD_NAME);
		len = line_len(left, WIDTH - FIELD_NAME);
	}
}
