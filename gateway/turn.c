/* SPDX-License-Identifier: MIT */
/*
 * The time of a turn of the loop: see turn.h.
 */
#include "gateway/turn.h"

#include <time.h>

const struct now *turn_read(struct turn *turn)
{
	struct timespec even, real;

	clock_gettime(CLOCK_BOOTTIME, &even);
	clock_gettime(CLOCK_REALTIME, &real);
	turn->now.us = (uint64_t)even.tv_sec * 1000000 + (uint64_t)even.tv_nsec / 1000;
	turn->now.ms = turn->now.us / 1000;
	turn->now.unix_s = (double)((int64_t)real.tv_sec * 1000000 + real.tv_nsec / 1000) / 1e6;
	turn->known = true;
	return &turn->now;
}
