/* SPDX-License-Identifier: MIT */
/*
 * What the name of a function may be, and which pattern it fits.
 */
#ifndef CHAPI_NAME_H
#define CHAPI_NAME_H

#include <stdbool.h>

#include "common/common.h"

#define API_NAME_MAX 128

/* What a name must be, for people; to be printed with API_NAME_MAX. */
#define NAME_RULE "1 to %d of A-Z a-z 0-9 _ . : -, beginning with a letter, a digit or _"
bool name_is_valid(struct span name);
/* '*' matches any characters, none too. Also for names of channels. */
bool name_matches(struct span name, struct span pattern);

#endif
