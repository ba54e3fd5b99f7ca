/* SPDX-License-Identifier: MIT */
/*
 * What the log is told of calls: see call_log.h.
 */
#include "gateway/call_log.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/log.h"

#define HALF_MINUTE_MS 30000

/* Whoever looks after the machine wants to hear of what a provider or the gateway did wrong, and of
 * whom was refused or had to wait in vain; what a caller asked for wrongly is between the two. */
static enum log_level level_of(const struct failure *failure)
{
	switch (failure ? failure->code : CHAPI_OK) {
	case CHAPI_ERR_BAD_REPLY:
	case CHAPI_ERR_INTERNAL:
	case CHAPI_ERR_PROVIDER_GONE:
		return LOG_LEVEL_WARN;
	case CHAPI_ERR_ANSWER_LOST:
	case CHAPI_ERR_BUSY:
	case CHAPI_ERR_DEADLINE_EXCEEDED:
	case CHAPI_ERR_PERMISSION_DENIED:
	case CHAPI_ERR_RATE_LIMITED:
	case CHAPI_ERR_UNAUTHENTICATED:
		return LOG_LEVEL_INFO;
	default:
		return LOG_LEVEL_DEBUG;
	}
}

/* At the level debug all are wanted. The bucket counts half minutes in place of seconds. */
static bool has_room(struct call_lines *lines, uint64_t now_ms)
{
	uint64_t wait_ms;

	if (log_get_level() >= LOG_LEVEL_DEBUG ||
	    bucket_take(&lines->bucket, CALL_LOG_LINES / 2, now_ms / (HALF_MINUTE_MS / 1000),
			&wait_ms))
		return true;
	lines->n_left_out++;
	return false;
}

static void PRINTF(4, 5) write_line(struct call_lines *lines, enum log_level level,
				    const struct log_call *call, const char *fmt, ...)
{
	char more[400], left_out[60] = "";
	va_list args;

	va_start(args, fmt);
	vsnprintf(more, sizeof(more), fmt, args);
	va_end(args);
	if (lines->n_left_out > 0)
		snprintf(left_out, sizeof(left_out), " (%llu lines like this were left out)",
			 (unsigned long long)lines->n_left_out);
	lines->n_left_out = 0;
	log_call(level, call, "%s%s", more, left_out);
}

void call_log_ended(struct call_log *log, const struct party *caller,
		    const struct party_response *response, uint64_t now_ms)
{
	const struct failure *failure = response->failure;
	enum log_level level = level_of(failure);
	struct call_lines *lines = level == LOG_LEVEL_WARN ? &log->warnings : &log->others;
	const struct log_call call = {
		.id = response->call,
		.api = response->api,
		.code = failure ? chapi_code_name(failure->code) : "ok",
		.caller = caller ? caller->caller : NULL,
	};

	if (level > log_get_level() || !has_room(lines, now_ms))
		return;
	write_line(lines, level, &call, "%s%s, %.0f ms", failure ? ", ran " : "",
		   failure ? chapi_ran_name(failure->ran) : "",
		   response->queue_ms + response->run_ms);
}

void call_log_lost(struct call_log *log, struct span id, struct span api, const char *why,
		   uint64_t now_ms)
{
	const struct log_call call = {
		.id = id, .api = api, .code = chapi_code_name(CHAPI_ERR_ANSWER_LOST),
	};

	if (log_get_level() >= LOG_LEVEL_INFO && has_room(&log->others, now_ms))
		write_line(&log->others, LOG_LEVEL_INFO, &call, ", it was not published: %s", why);
}
