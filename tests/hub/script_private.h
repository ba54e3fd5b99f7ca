/* SPDX-License-Identifier: MIT */
/*
 * What the files of the script share.
 *
 *     script.c         rules, and what happens: which of them act
 *     script_action.c  what can be done, when, and with which arguments
 *     script_words.c   a line, cut into words
 */
#ifndef CHAPI_HUB_SCRIPT_PRIVATE_H
#define CHAPI_HUB_SCRIPT_PRIVATE_H

#include "tests/hub/script.h"

/* SCRIPT_E_BAD; why: static text. */
int script_bad(const char **ret_why, const char *why);

/* Each part of a rule takes its words off the front: those before at are taken. */
struct words {
	char *word[SCRIPT_WORDS_MAX];
	size_t n, at;
};

/* These append: 0, SCRIPT_E_BAD, or -ENOMEM. To be ended in any case. */
/* Between blanks; '...' is one word, whatever is in it. */
int words_cut(struct words *w, const char *p, const char **ret_why) MUST_CHECK;
int words_read_json(struct words *w, const char *line, const char **ret_why) MUST_CHECK;
void words_deinit(struct words *w);

const char *words_peek(const struct words *w);	/* NULL: there are no more */
bool words_next_is(struct words *w, const char *word);	/* then it is taken */
char *words_take(struct words *w);	/* the word is the caller's; NULL: there are no more */

/* Digits at the beginning. */
bool script_read_number(const char *text, uint64_t most, uint64_t *ret, const char **ret_rest);
/* Digits and nothing else, up to SCRIPT_NUMBER_MAX. */
bool script_read_whole(const char *text, int64_t *ret);

/* The rest of the words: an action that is possible at that time, with its arguments. 0,
 * SCRIPT_E_BAD, or -ENOMEM. To be ended in any case. */
int script_take_action(struct words *w, enum script_when when, struct script_action *ret,
		       const char **ret_why) MUST_CHECK;
void script_action_deinit(struct script_action *action);

#define SCRIPT_NUMBER_MAX 100000000

#endif
