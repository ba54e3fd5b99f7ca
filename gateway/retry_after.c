/* SPDX-License-Identifier: MIT */
/*
 * Retry-After: see retry_after.h. libcurl reads the dates.
 */
#include "gateway/retry_after.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "common/common.h"

int64_t retry_after_date(const char *text)
{
	time_t date = curl_getdate(text, NULL);

	return MAX((int64_t)date, 0);
}

unsigned int retry_after_s(const char *text, const char *date, time_t now)
{
	int64_t s = strtoll(text, NULL, 10), from;

	if (!*text)
		return 0;
	if (*text < '0' || *text > '9') {
		from = retry_after_date(date);
		s = retry_after_date(text) - (from ? from : (int64_t)now);
	}
	return (unsigned int)MIN(MAX(s, 0), RETRY_AFTER_MAX_S);
}
