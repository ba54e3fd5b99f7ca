/* SPDX-License-Identifier: MIT */
/*
 * Answers for people: see table.h.
 *
 * A character counts as one column.
 */
#include "clients/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/cli.h"
#include "clients/utf8.h"

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
		utf8_make_line(copy, strlen(copy));
	return copy;
}

void table_print_text(const char *text)
{
	char *clean CLEANUP(cli_free) = make_clean(text);

	fputs(clean ? clean : "?", stdout);
}

void table_print_word(const char *text)
{
	char *clean CLEANUP(cli_free) = make_clean(text);

	print_coloured(text, clean ? clean : "?");
}

/* Length in bytes of the first n characters, or of all. */
static size_t prefix_len(const char *text, size_t n)
{
	size_t done = 0, len = strlen(text), step;

	for (; n > 0 && done < len; n--) {
		step = utf8_char_len(text + done, len - done);
		done += step > 0 ? step : 1;
	}
	return done;
}

static size_t count_chars(const char *text)
{
	size_t n = 0;

	for (; *text; text += prefix_len(text, 1))
		n++;
	return n;
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
	n = count_chars(clean);
	if (n > width) {
		strcpy(clean + prefix_len(clean, width - strlen(CUT)), CUT);
		n = width;
	}
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
	size_t r, chars;

	for (size_t i = 0; i < n; i++) {
		ret_widths[i] = strlen(columns[i].title);
		json_array_foreach(rows, r, row) {
			chars = count_chars(cell(row, i));
			if (chars > ret_widths[i])
				ret_widths[i] = chars;
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
	size_t len = prefix_len(text, width), end = len;

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
