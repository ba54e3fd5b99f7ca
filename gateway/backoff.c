/* SPDX-License-Identifier: MIT */
/*
 * Waits before new tries: see backoff.h.
 */
#include "gateway/backoff.h"

/* Vigna's splitmix64: not for secrets. */
static uint64_t random_next(struct backoff *b)
{
	uint64_t z = b->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t backoff_between(struct backoff *b, uint64_t least, uint64_t most)
{
	return least + random_next(b) % (most - least + 1);
}

uint64_t backoff_ms(struct backoff *b, unsigned int n_failures)
{
	uint64_t ceiling = b->most_ms;

	if (n_failures < 63 && b->least_ms <= ceiling >> n_failures)
		ceiling = b->least_ms << n_failures;
	return backoff_between(b, ceiling / 2, ceiling);
}
