/* SPDX-License-Identifier: MIT */
/*
 * What was typed: see typed.h.
 */
#include "clients/typed.h"

#include <string.h>
#include <strings.h>

#define BLANKS " \t\r\n"

char *typed_trim(char *line)
{
	size_t len;

	line += strspn(line, BLANKS);
	len = strlen(line);
	while (len > 0 && strchr(BLANKS, line[len - 1]))
		line[--len] = '\0';
	return line;
}

bool typed_yes(const char *answer, bool standard, bool *ret_yes)
{
	bool yes = strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
	bool no = strcasecmp(answer, "n") == 0 || strcasecmp(answer, "no") == 0;

	if (*answer && !yes && !no)
		return false;
	*ret_yes = *answer ? yes : standard;
	return true;
}
