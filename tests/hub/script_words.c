/* SPDX-License-Identifier: MIT */
/*
 * A line of a script as words: see script_private.h.
 */
#include "tests/hub/script_private.h"

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

int script_bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return SCRIPT_E_BAD;
}

void words_deinit(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->word[i]);
	w->n = 0;
}

static int words_add(struct words *w, const char *p, size_t len, const char **ret_why)
{
	if (w->n == SCRIPT_WORDS_MAX)
		return script_bad(ret_why, "too many words");
	w->word[w->n] = strndup(p, len);
	return w->word[w->n++] ? 0 : -ENOMEM;
}

int words_cut(struct words *w, const char *p, const char **ret_why)
{
	size_t len;
	int r = 0;

	for (p += strspn(p, " \t\r\n"); r == 0 && *p && *p != '#'; p += strspn(p, " \t\r\n")) {
		if (*p != '\'') {
			len = strcspn(p, " \t\r\n");
			r = words_add(w, p, len, ret_why);
			p += len;
			continue;
		}
		len = strcspn(++p, "'");
		if (!p[len])
			return script_bad(ret_why, "a ' without its fellow");
		r = words_add(w, p, len, ret_why);
		p += len + 1;
	}
	return r;
}

int words_read_json(struct words *w, const char *line, const char **ret_why)
{
	json_t *array = json_loads(line, 0, NULL), *item;
	size_t i;
	int r = json_is_array(array) ? 0 : script_bad(ret_why, "not a JSON array");

	json_array_foreach(array, i, item) {
		if (r != 0)
			break;
		r = json_is_string(item) ?
			words_add(w, json_string_value(item), json_string_length(item), ret_why) :
			script_bad(ret_why, "a JSON line is an array of strings");
	}
	json_decref(array);
	return r;
}

const char *words_peek(const struct words *w)
{
	return w->at < w->n ? w->word[w->at] : NULL;
}

bool words_next_is(struct words *w, const char *word)
{
	const char *next = words_peek(w);

	if (!next || strcmp(next, word) != 0)
		return false;
	w->at++;
	return true;
}

char *words_take(struct words *w)
{
	char *word;

	if (w->at == w->n)
		return NULL;
	word = w->word[w->at];
	w->word[w->at++] = NULL;
	return word;
}

bool script_read_number(const char *text, uint64_t most, uint64_t *ret, const char **ret_rest)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	*ret_rest = end;
	return errno == 0 && *ret <= most;
}

bool script_read_whole(const char *text, int64_t *ret)
{
	const char *rest;
	uint64_t n;

	if (!script_read_number(text, SCRIPT_NUMBER_MAX, &n, &rest) || *rest)
		return false;
	*ret = (int64_t)n;
	return true;
}
