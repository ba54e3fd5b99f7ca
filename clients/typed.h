/* SPDX-License-Identifier: MIT */
/*
 * What was typed in answer to a question, and what it means. Asking is prompt.h's.
 */
#ifndef CHAPI_CLIENTS_TYPED_H
#define CHAPI_CLIENTS_TYPED_H

#include <stdbool.h>

/* Without blanks and line ends around it; in place. */
char *typed_trim(char *line);
/* A trimmed answer; an empty one is standard. False: it is neither yes nor no. */
bool typed_yes(const char *answer, bool standard, bool *ret_yes);

#endif
