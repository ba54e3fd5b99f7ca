/* SPDX-License-Identifier: MIT */
#include "gateway/channel_name.h"

#include <string.h>

bool channel_name_may_have(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_-=@,.;", c));
}

/* more: is allowed as well; 0: nothing is. */
static bool has_only_legal(struct span name, uint8_t more)
{
	for (size_t i = 0; i < name.len; i++)
		if (!channel_name_may_have(name.p[i]) && !(more && name.p[i] == more))
			return false;
	return true;
}

const char *channel_name_check(struct span name)
{
	if (name.len == 0)
		return "a channel's name has at least one character";
	if (name.len > CHANNEL_NAME_MAX)
		return "a channel's name can have at most 164 characters";
	if (!has_only_legal(name, 0))
		return "a channel's name can have letters, digits and _ - = @ , . ;";
	return NULL;
}

bool channel_name_is_pattern(struct span pattern)
{
	return pattern.len > 0 && pattern.len <= CHANNEL_NAME_MAX && has_only_legal(pattern, '*');
}
