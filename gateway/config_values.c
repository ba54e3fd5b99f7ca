/* SPDX-License-Identifier: MIT */
/*
 * Values of the types that keys have: read from text into struct config, compared, exchanged
 * and printed; rules likewise.
 *
 * Knows no key by its name; the table is config_keys.c.
 */
#include "gateway/config_keys.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* ---- numbers with units ------------------------------------------------------------------ */

struct unit {
	const char *name;
	uint64_t factor;
};

/* The largest come first, so that printing takes the first that fits. */
static const struct unit time_units[] = {
	{ "h", 60 * 60 * 1000 }, { "m", 60 * 1000 }, { "s", 1000 }, { "ms", 1 }, { NULL, 0 },
};
static const struct unit size_units[] = {
	{ "M", 1024 * 1024 }, { "K", 1024 }, { "", 1 }, { NULL, 0 },
};
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

static const struct unit *units_of(enum config_type type)
{
	return type == CONFIG_TIME ? time_units : type == CONFIG_SIZE ? size_units : no_units;
}

static const struct unit *unit_find(const struct unit *units, const char *name)
{
	for (; units->name; units++)
		if (strcmp(units->name, name) == 0)
			return units;
	return NULL;
}

/* Digits and a unit. 0 needs none. False: it is not that, or beyond 64 bits. */
static bool parse_quantity(const struct unit *units, const char *text, uint64_t *ret)
{
	const struct unit *unit;
	uint64_t v = 0;

	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
			return false;
	unit = unit_find(units, text);
	if (!unit && (v != 0 || *text))
		return false;
	return !__builtin_mul_overflow(v, unit ? unit->factor : 1, ret);
}

static void format_quantity(const struct unit *units, uint64_t v, char *ret, size_t len)
{
	if (v == 0) {
		snprintf(ret, len, "0");
		return;
	}
	while (v % units->factor != 0)
		units++;
	snprintf(ret, len, "%" PRIu64 "%s", v / units->factor, units->name);
}

/* ---- what is allowed, where a value does not fit ------------------------------------------ */

static void say_range(const struct config_key *key, const char *what, const char *such_as,
		      char *ret, size_t len)
{
	char least[32], most[32];

	format_quantity(units_of(key->type), key->least, least, sizeof(least));
	format_quantity(units_of(key->type), key->most, most, sizeof(most));
	snprintf(ret, len, "%s from %s to %s is allowed%s", what, least, most, such_as);
}

static void say_words(const struct config_key *key, char *ret, size_t len)
{
	size_t n = (size_t)snprintf(ret, len, "allowed are");

	for (const char *const *w = key->words; *w && n < len; w++)
		n += (size_t)snprintf(ret + n, len - n, "%s %s", w == key->words ? "" : ",", *w);
}

static int bad(const struct config_key *key, char *ret, size_t len)
{
	switch (key->type) {
	case CONFIG_NUMBER:
		say_range(key, "a number", "", ret, len);
		break;
	case CONFIG_SIZE:
		say_range(key, "a size", ", such as 512, 64K or 4M", ret, len);
		break;
	case CONFIG_TIME:
		say_range(key, "a time", ", such as 500ms, 10s, 5m or 1h", ret, len);
		break;
	case CONFIG_WORD:
		say_words(key, ret, len);
		break;
	case CONFIG_MODE:
		snprintf(ret, len, "an octal mode from 0000 to 0777 is allowed, such as 0660");
		break;
	default:
		snprintf(ret, len, "yes or no is allowed");
	}
	return CONFIG_KEY_E_BAD;
}

/* ---- reading ----------------------------------------------------------------------------- */

static void *place(const struct config_key *key, struct config *config)
{
	return (char *)config + key->offset;
}

static const void *place_const(const struct config_key *key, const struct config *config)
{
	return (const char *)config + key->offset;
}

static int set_quantity(const struct config_key *key, const char *text, void *at, char *why,
			size_t why_len)
{
	uint64_t v;

	if (!parse_quantity(units_of(key->type), text, &v) || v < key->least || v > key->most)
		return bad(key, why, why_len);
	if (key->type == CONFIG_NUMBER)
		*(unsigned int *)at = (unsigned int)v;
	else if (key->type == CONFIG_SIZE)
		*(size_t *)at = (size_t)v;
	else
		*(uint64_t *)at = v;
	return 0;
}

static int set_switch(const struct config_key *key, const char *text, void *at, char *why,
		      size_t why_len)
{
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return bad(key, why, why_len);
	*(bool *)at = text[0] == 'y';
	return 0;
}

static int set_word(const struct config_key *key, const char *text, void *at, char *why,
		    size_t why_len)
{
	for (unsigned int i = 0; key->words[i]; i++)
		if (strcmp(key->words[i], text) == 0) {
			*(unsigned int *)at = i;
			return 0;
		}
	return bad(key, why, why_len);
}

static int set_mode(const struct config_key *key, const char *text, void *at, char *why,
		    size_t why_len)
{
	unsigned long v = strtoul(text, NULL, 8);

	if (text[strspn(text, "01234567")] || v > key->most)
		return bad(key, why, why_len);
	*(mode_t *)at = (mode_t)v;
	return 0;
}

/* Wipes what may be a password. */
static void text_free(const struct config_key *key, char *text)
{
	if (key->login && text)
		explicit_bzero(text, strlen(text));
	free(text);
}

/* A text of its own, checked. */
static int take_text(const struct config_key *key, const char *text, size_t len, char **ret,
		     char *why, size_t why_len)
{
	char *copy = strndup(text, len);
	const char *wrong = copy && key->check ? key->check(copy) : NULL;

	if (!copy)
		return -ENOMEM;
	if (!wrong) {
		*ret = copy;
		return 0;
	}
	snprintf(why, why_len, "%s", wrong);
	text_free(key, copy);
	return CONFIG_KEY_E_BAD;
}

static int set_text(const struct config_key *key, const char *text, void *at, char *why,
		    size_t why_len)
{
	char *copy = NULL;
	int r = take_text(key, text, strlen(text), &copy, why, why_len);

	if (r != 0)
		return r;
	text_free(key, *(char **)at);
	*(char **)at = copy;
	return 0;
}

/* Where the number of a list's members is. */
static size_t *count_place(const struct config_key *key, struct config *config)
{
	return (size_t *)(void *)((char *)config + key->n_offset);
}

static int set_list(const struct config_key *key, const char *text, struct config *config,
		    char *why, size_t why_len)
{
	char **list = place(key, config);
	size_t *n = count_place(key, config);

	config_key_clear(key, config);
	for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
		size_t len = strcspn(text, " \t");
		int r;

		if (*n == CONFIG_CHANNELS_MAX) {
			snprintf(why, why_len, "at most %d are allowed", CONFIG_CHANNELS_MAX);
			return CONFIG_KEY_E_BAD;
		}
		r = take_text(key, text, len, &list[*n], why, why_len);
		if (r != 0)
			return r;
		(*n)++;
		text += len;
	}
	return 0;
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

int config_key_set(const struct config_key *key, const char *text, struct config *config,
		   char *why, size_t why_len)
{
	void *at = place(key, config);

	if (!*text || !is_printable(text)) {
		snprintf(why, why_len, *text ? "control characters are not allowed" :
			 "a value is wanted; leave the line out for the default");
		return CONFIG_KEY_E_BAD;
	}
	switch (key->type) {
	case CONFIG_TEXT:
		return set_text(key, text, at, why, why_len);
	case CONFIG_LIST:
		return set_list(key, text, config, why, why_len);
	case CONFIG_SWITCH:
		return set_switch(key, text, at, why, why_len);
	case CONFIG_WORD:
		return set_word(key, text, at, why, why_len);
	case CONFIG_MODE:
		return set_mode(key, text, at, why, why_len);
	default:
		return set_quantity(key, text, at, why, why_len);
	}
}

/* ---- what is there: set, cleared, compared, exchanged ------------------------------------ */

static size_t list_count(const struct config_key *key, const struct config *config)
{
	return *(const size_t *)(const void *)((const char *)config + key->n_offset);
}

bool config_key_is_set(const struct config_key *key, const struct config *config)
{
	if (key->type == CONFIG_TEXT)
		return *(char *const *)place_const(key, config) != NULL;
	if (key->type == CONFIG_LIST)
		return list_count(key, config) > 0;
	return key->type != CONFIG_NUMBER ||
	       *(const unsigned int *)place_const(key, config) >= key->least;
}

void config_key_clear(const struct config_key *key, struct config *config)
{
	char **list = place(key, config);
	size_t n = 0;

	if (key->type == CONFIG_LIST) {
		n = list_count(key, config);
		*count_place(key, config) = 0;
	} else if (key->type == CONFIG_TEXT) {
		n = 1;
	}
	for (size_t i = 0; i < n; i++) {
		text_free(key, list[i]);
		list[i] = NULL;
	}
}

/* Bytes that the value takes in struct config; of texts those of the pointers. */
static size_t value_size(const struct config_key *key)
{
	static const size_t sizes[] = {
		[CONFIG_TEXT] = sizeof(char *),
		[CONFIG_LIST] = CONFIG_CHANNELS_MAX * sizeof(char *),
		[CONFIG_SWITCH] = sizeof(bool), [CONFIG_WORD] = sizeof(unsigned int),
		[CONFIG_NUMBER] = sizeof(unsigned int), [CONFIG_SIZE] = sizeof(size_t),
		[CONFIG_TIME] = sizeof(uint64_t), [CONFIG_MODE] = sizeof(mode_t), [CONFIG_RULE] = 0,
	};

	return sizes[key->type];
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same_list(const struct config_key *key, const struct config *a,
			 const struct config *b)
{
	char *const *x = place_const(key, a), *const *y = place_const(key, b);
	size_t n = list_count(key, a);

	if (list_count(key, b) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(x[i], y[i]) != 0)
			return false;
	return true;
}

/* The first rule of a right at i or behind it; NULL: there is none. *i is behind it then. */
static const struct config_rule *next_rule(const struct config *config, enum config_right right,
					   size_t *i)
{
	while (*i < config->n_rules) {
		const struct config_rule *rule = &config->rules[(*i)++];

		if (rule->right == right)
			return rule;
	}
	return NULL;
}

static bool are_same_rules(enum config_right right, const struct config *a, const struct config *b)
{
	const struct config_rule *x, *y;
	size_t i = 0, k = 0;

	do {
		x = next_rule(a, right, &i);
		y = next_rule(b, right, &k);
		if (x && y && (strcmp(x->subject, y->subject) != 0 ||
			       strcmp(x->pattern, y->pattern) != 0))
			return false;
	} while (x && y);
	return !x && !y;
}

bool config_key_equals(const struct config_key *key, const struct config *a, const struct config *b)
{
	const void *x = place_const(key, a), *y = place_const(key, b);

	switch (key->type) {
	case CONFIG_TEXT:
		return is_same_text(*(char *const *)x, *(char *const *)y);
	case CONFIG_LIST:
		return is_same_list(key, a, b);
	case CONFIG_RULE:
		return are_same_rules((enum config_right)key->least, a, b);
	default:
		return memcmp(x, y, value_size(key)) == 0;
	}
}

static void swap_bytes(void *a, void *b, size_t len)
{
	unsigned char *x = a, *y = b;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = x[i];

		x[i] = y[i];
		y[i] = c;
	}
}

void config_key_swap(const struct config_key *key, struct config *a, struct config *b)
{
	swap_bytes(place(key, a), place(key, b), value_size(key));
	if (key->type == CONFIG_LIST)
		swap_bytes((char *)a + key->n_offset, (char *)b + key->n_offset, sizeof(size_t));
}

/* ---- printing ---------------------------------------------------------------------------- */

/* The password of "http://USER:PASSWORD@HOST" is left out. */
static void print_text(const char *text, FILE *out)
{
	const char *scheme = strstr(text, "://"), *at = strrchr(text, '@');

	if (scheme && at && at > scheme)
		fprintf(out, "%.*s(hidden)%s", (int)(scheme + 3 - text), text, at);
	else
		fputs(text, out);
}

static void print_list(const struct config_key *key, const struct config *config, FILE *out)
{
	char *const *list = place_const(key, config);

	for (size_t i = 0; i < list_count(key, config); i++)
		fprintf(out, "%s%s", i ? " " : "", list[i]);
}

void config_key_print(const struct config_key *key, const struct config *config, FILE *out)
{
	const void *at = place_const(key, config);
	char text[32] = "";

	if (key->type == CONFIG_TEXT)
		print_text(*(char *const *)at ? *(char *const *)at : "", out);
	else if (key->type == CONFIG_LIST)
		print_list(key, config, out);
	else if (key->type == CONFIG_SWITCH)
		fputs(*(const bool *)at ? "yes" : "no", out);
	else if (key->type == CONFIG_WORD)
		fputs(key->words[*(const unsigned int *)at], out);
	else if (key->type == CONFIG_MODE)
		fprintf(out, "%04o", (unsigned int)*(const mode_t *)at);
	else if (key->type == CONFIG_NUMBER)
		fprintf(out, "%u", *(const unsigned int *)at);
	else if (key->type == CONFIG_SIZE)
		format_quantity(size_units, *(const size_t *)at, text, sizeof(text));
	else
		format_quantity(time_units, *(const uint64_t *)at, text, sizeof(text));
	fputs(text, out);
}

/* ---- rules ------------------------------------------------------------------------------- */

static bool is_subject(const char *text, size_t len)
{
	return (len == 1 && *text == '*') || (len == 6 && strncmp(text, "remote", 6) == 0) ||
	       (len > 5 && strncmp(text, "user:", 5) == 0) ||
	       (len > 6 && strncmp(text, "group:", 6) == 0);
}

int config_rule_parse(enum config_right right, const char *text, struct config_rule *ret_rule,
		      char *why, size_t why_len)
{
	size_t len = strcspn(text, " \t");
	const char *pattern = text + len + strspn(text + len, " \t");
	struct config_rule rule = { .right = right };

	if (!is_subject(text, len) || !*pattern || pattern[strcspn(pattern, " \t")] ||
	    !is_printable(pattern)) {
		snprintf(why, why_len, "a rule is SUBJECT PATTERN; a subject is user:NAME, "
			 "group:NAME, remote or *");
		return CONFIG_KEY_E_BAD;
	}
	rule.subject = strndup(text, len);
	rule.pattern = strdup(pattern);
	if (!rule.subject || !rule.pattern) {
		free(rule.subject);
		free(rule.pattern);
		return -ENOMEM;
	}
	*ret_rule = rule;
	return 0;
}
