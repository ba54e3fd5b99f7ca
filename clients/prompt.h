/* SPDX-License-Identifier: MIT */
/*
 * Questions on a terminal: asked on standard error, answered on standard input.
 *
 * While one waits, a signal ends it with the terminal as it was. What is asked is the caller's.
 */
#ifndef CHAPI_CLIENTS_PROMPT_H
#define CHAPI_CLIENTS_PROMPT_H

#include <stdbool.h>

enum { PROMPT_E_ENDED = 1 };	/* a signal, or the end of the input */

/* Is there somebody who could answer? */
bool prompt_is_possible(void);

/*
 * One line, without blanks around it; standard for an empty one (NULL: "" then). ret_text: from
 * malloc(). 0, PROMPT_E_ENDED, negative errno.
 */
int prompt_text(const char *question, const char *standard, char **ret_text);
/* Likewise, and it cannot be seen. */
int prompt_secret(const char *question, char **ret_text);
int prompt_yes(const char *question, bool standard, bool *ret_yes);

#endif
