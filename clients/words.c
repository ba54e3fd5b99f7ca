/* SPDX-License-Identifier: MIT */
/*
 * Words of a command line: see words.h.
 */
#include "clients/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"

/* One word, without its quotes, to *out, which moves on; so does the text. False: it is open. */
static int take_word(const char **text, char **out)
{
	const char *p = *text;
	char quote = '\0';

	for (; *p && (quote || !strchr(BLANKS, *p)); p++) {
		if (quote && *p == quote)
			quote = '\0';
		else if (!quote && (*p == '\'' || *p == '"'))
			quote = *p;
		else if (*p == '\\' && quote != '\'' && !*++p)
			return WORDS_E_OPEN;
		else
			*(*out)++ = *p;
	}
	*(*out)++ = '\0';
	*text = p;
	return quote ? WORDS_E_OPEN : 0;
}

int words_split(const char *text, char ***ret_words)
{
	/* As many words as every second character; the texts are no longer than the text. */
	size_t len = strlen(text), n_max = len / 2 + 2, n = 0;
	char **words = malloc(n_max * sizeof(*words) + len + 1), *out;
	int r = 0;

	if (!words)
		return -ENOMEM;
	out = (char *)(words + n_max);
	for (text += strspn(text, BLANKS); *text && r == 0; text += strspn(text, BLANKS)) {
		words[n++] = out;
		r = take_word(&text, &out);
	}
	words[n] = NULL;
	if (r == 0)
		*ret_words = words;
	else
		free(words);
	return r;
}
