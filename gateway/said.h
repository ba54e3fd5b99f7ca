/* SPDX-License-Identifier: MIT */
/*
 * What has been said already while one trouble lasts, so that the log is told each thing once.
 *
 * Its words may change from try to try, in a round (the addresses of a name, each refused) or
 * without an end (a name that leads to ever new ones). No I/O and no clock; the words are those of
 * channel.h, the lines hub_log.c's.
 */
#ifndef CHAPI_SAID_H
#define CHAPI_SAID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAID_MAX 8		/* different texts that are known again */
#define SAID_LEN 400		/* of each, its end included; what is behind is not looked at */
#define SAID_QUIET_MS 600000	/* of what is new beyond them one is worth saying in this time */

struct said {
	size_t n;
	uint64_t last_ms;	/* when a new one was said for the last time */
	char text[SAID_MAX][SAID_LEN];
};

/* Is this worth saying? It counts as said then. now_ms: monotonic. */
bool said_is_news(struct said *said, const char *text, uint64_t now_ms);
/* The trouble is over. */
void said_forget(struct said *said);

#endif
