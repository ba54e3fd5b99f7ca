/* SPDX-License-Identifier: MIT */
/*
 * When to ping a connection, and when it is dead.
 */
#include "gateway/keepalive.h"

#include "common/common.h"
#include "gateway/backoff.h"

void keepalive_init(struct keepalive *k)
{
	*k = (struct keepalive){
		.ping_at_ms = KEEPALIVE_NEVER,
		.answer_until_ms = KEEPALIVE_NEVER,
	};
}

void keepalive_start(struct keepalive *k, uint64_t every_ms, uint64_t answer_ms, uint64_t now_ms)
{
	*k = (struct keepalive){
		.every_ms = every_ms,
		.answer_ms = answer_ms,
		.ping_at_ms = backoff_later(now_ms, every_ms),
		.answer_until_ms = KEEPALIVE_NEVER,
	};
}

bool keepalive_heard(struct keepalive *k)
{
	bool waited = k->answer_until_ms != KEEPALIVE_NEVER;

	k->answer_until_ms = KEEPALIVE_NEVER;
	return waited;
}

uint64_t keepalive_next_ms(const struct keepalive *k)
{
	return MIN(k->ping_at_ms, k->answer_until_ms);
}

enum keepalive_act keepalive_tick(struct keepalive *k, uint64_t now_ms)
{
	if (now_ms >= k->answer_until_ms) {
		keepalive_init(k);
		return KEEPALIVE_DEAD;
	}
	if (now_ms < k->ping_at_ms)
		return KEEPALIVE_NOTHING;
	k->ping_at_ms = backoff_later(now_ms, k->every_ms);
	if (k->answer_until_ms == KEEPALIVE_NEVER)
		k->answer_until_ms = backoff_later(now_ms, k->answer_ms);
	return KEEPALIVE_PING;
}
