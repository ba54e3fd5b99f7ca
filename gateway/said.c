/* SPDX-License-Identifier: MIT */
/*
 * What has been said already: see said.h.
 */
#include "gateway/said.h"

#include <stdio.h>
#include <string.h>

static bool has(const struct said *said, const char *text)
{
	for (size_t i = 0; i < said->n; i++)
		if (strncmp(said->text[i], text, SAID_LEN - 1) == 0)
			return true;
	return false;
}

bool said_is_news(struct said *said, const char *text, uint64_t now_ms)
{
	if (has(said, text))
		return false;
	if (said->n == SAID_MAX && now_ms - said->last_ms < SAID_QUIET_MS)
		return false;
	if (said->n < SAID_MAX)
		snprintf(said->text[said->n++], SAID_LEN, "%s", text);
	said->last_ms = now_ms;
	return true;
}

void said_forget(struct said *said)
{
	said->n = 0;
}
