/* SPDX-License-Identifier: MIT */
/*
 * What the name of a channel may be: the hub's rule, as its servers and libraries all keep it.
 *
 * Which of them the gateway uses for what is the business of those who ask.
 */
#ifndef CHAPI_CHANNEL_NAME_H
#define CHAPI_CHANNEL_NAME_H

#include <stdbool.h>

#include "common/common.h"

#define CHANNEL_NAME_MAX 164	/* bytes */

/* The rule, for people. */
#define CHANNEL_NAME_RULE "1 to 164 of A-Z a-z 0-9 _ - = @ , . ;"

/* NULL, or what is wrong with it, for people. */
const char *channel_name_check(struct span name) MUST_CHECK;
static inline bool channel_name_is_valid(struct span name)
{
	return !channel_name_check(name);
}

/* Likewise with '*', as name_matches() has it. */
bool channel_name_is_pattern(struct span pattern) MUST_CHECK;
/* May a name have this character? */
bool channel_name_may_have(uint8_t c) MUST_CHECK;

#endif
