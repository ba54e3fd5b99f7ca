/* SPDX-License-Identifier: MIT */
/*
 * The table of keys: what may stand in the configuration, how a value is read and printed.
 *
 * Everything about a key that is true without looking at the others is here: the table
 * (config_keys.c) and the types its values have (config_values.c). Files, and what keys have to
 * do with each other, are config.h.
 */
#ifndef CHAPI_CONFIG_KEYS_H
#define CHAPI_CONFIG_KEYS_H

#include "gateway/config.h"

enum config_type {
	CONFIG_TEXT,	/* char * */
	CONFIG_LIST,	/* char *[CONFIG_CHANNELS_MAX] and a size_t */
	CONFIG_SWITCH,	/* bool */
	CONFIG_WORD,	/* an enum */
	CONFIG_NUMBER,	/* unsigned int */
	CONFIG_SIZE,	/* size_t */
	CONFIG_TIME,	/* uint64_t, ms */
	CONFIG_MODE,	/* mode_t */
	CONFIG_RULE,	/* a line of [policy]; least is its right */
};

struct config_key {
	const char *section, *name;
	enum config_type type;
	size_t offset, n_offset;	/* in struct config; n_offset: of a list's number */
	uint64_t least, most;
	const char *const *words;	/* CONFIG_WORD: in the order of the enum */
	/* NULL: fine; else what is wrong and what is allowed. Of a list: asked for each member. */
	const char *(*check)(const char *text);
	const char *standard;		/* the default; NULL: none, or derived */
	const char *derived;		/* in words, what it is derived from */
	bool login;			/* what stands before '@' in it may be a password */
	bool reloadable;		/* without a restart */
	const char *help;		/* one line */
};

extern const struct config_key config_keys[];
extern const size_t config_n_keys;

const struct config_key *config_key_find(const char *section, const char *name);
bool config_section_is_known(const char *section);

enum { CONFIG_KEY_E_BAD = 1 };

/*
 * Reads text into the key's place; what was there is freed. 0, -ENOMEM, or CONFIG_KEY_E_BAD:
 * ret_why says what is wrong and what is allowed. Not for CONFIG_RULE.
 */
int config_key_set(const struct config_key *key, const char *text, struct config *config,
		   char *ret_why, size_t why_len) MUST_CHECK;
/* False: it has no value yet, and none that it could be given in a file. */
bool config_key_is_set(const struct config_key *key, const struct config *config);
void config_key_print(const struct config_key *key, const struct config *config, FILE *out);
void config_key_clear(const struct config_key *key, struct config *config);
/* Are the values the same? Of CONFIG_RULE: the rules of that right, in their order. */
bool config_key_equals(const struct config_key *key, const struct config *a,
		       const struct config *b);
/* Exchanges the values. Not for CONFIG_RULE. */
void config_key_swap(const struct config_key *key, struct config *a, struct config *b);

/*
 * A rule as it stands in the file: "SUBJECT PATTERN". Outcomes as above; the rule is the
 * caller's.
 */
int config_rule_parse(enum config_right right, const char *text, struct config_rule *ret_rule,
		      char *ret_why, size_t why_len) MUST_CHECK;

#endif
