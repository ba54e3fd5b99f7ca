/* SPDX-License-Identifier: MIT */
/*
 * A command line in one text, split into its words: blanks part them, '...' and "..." hold
 * blanks, \ takes the next character as it is (not within '...'). Nothing else has a meaning.
 */
#ifndef CHAPI_CLIENTS_WORDS_H
#define CHAPI_CLIENTS_WORDS_H

enum { WORDS_E_OPEN = 1 };	/* a quote that does not end, or \ at the end */

/* One allocation, array and texts; it ends with NULL: free(). 0, WORDS_E_OPEN, -ENOMEM. */
int words_split(const char *text, char ***ret_words);

#endif
