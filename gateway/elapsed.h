/* SPDX-License-Identifier: MIT */
/*
 * How long something has lasted, where no clock alone can be believed: the one that runs evenly
 * may be a peer's that stands still while its machine sleeps, or a paused machine's, and that of
 * the day may be set.
 */
#ifndef CHAPI_ELAPSED_H
#define CHAPI_ELAPSED_H

#include <math.h>

#include "gateway/party.h"

#define ELAPSED_MS_MOST 1e15	/* 31,688 years: a clock is wrong */

/* The longer of ms, by whoever counted it, and what has passed since the date (UTC, seconds; one
 * that is no number says nothing). In milliseconds. */
static inline uint64_t elapsed_ms(uint64_t ms, double since_unix_s, const struct now *now)
{
	double by_date_ms = (now->unix_s - since_unix_s) * 1000;

	if (!isfinite(by_date_ms) || by_date_ms <= (double)ms)
		return ms;
	return (uint64_t)fmin(by_date_ms, ELAPSED_MS_MOST);
}

#endif
