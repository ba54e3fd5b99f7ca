/* SPDX-License-Identifier: MIT */
/*
 * When a server that refuses a request wants to be asked again: Retry-After, of HTTP.
 */
#ifndef CHAPI_RETRY_AFTER_H
#define CHAPI_RETRY_AFTER_H

#include <stdint.h>
#include <time.h>

#define RETRY_AFTER_MAX_S 86400

/* Unix seconds of a date of HTTP; 0: it is none. */
int64_t retry_after_date(const char *text);

/*
 * Seconds from now, RETRY_AFTER_MAX_S at most; 0: at once, or text says nothing. text: the header's
 * value, "" if there was none. A date counts by the server's clock, as ours may be wrong: date is
 * its header Date, and now, our clock, is looked at if there was none.
 */
unsigned int retry_after_s(const char *text, const char *date, time_t now);

#endif
