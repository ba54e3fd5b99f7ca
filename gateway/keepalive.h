/* SPDX-License-Identifier: MIT */
/*
 * When to ping a connection, and when it is dead. No I/O and no clock: times are numbers, in
 * milliseconds of one monotonic clock.
 *
 * A ping goes out at its time, whatever else is said: some servers count nothing else as life.
 * Whatever comes in after it shows that the peer lives. What a ping is and how it is sent:
 * ws_alive.c; how often, and what follows from a death: channel.h.
 */
#ifndef CHAPI_KEEPALIVE_H
#define CHAPI_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

#define KEEPALIVE_NEVER UINT64_MAX

enum keepalive_act {
	KEEPALIVE_NOTHING,
	KEEPALIVE_PING,		/* send one now */
	KEEPALIVE_DEAD,		/* nothing has come since the ping, said once: it has ended */
};

struct keepalive {
	uint64_t every_ms, answer_ms;
	uint64_t ping_at_ms;		/* KEEPALIVE_NEVER: it does not run */
	uint64_t answer_until_ms;	/* KEEPALIVE_NEVER: none is waited for */
};

/* It does not run yet. */
void keepalive_init(struct keepalive *k);
/* A ping every every_ms (at least 1) from now on, something within answer_ms after each. */
void keepalive_start(struct keepalive *k, uint64_t every_ms, uint64_t answer_ms, uint64_t now_ms);
/* Something has come in. True if it was waited for, so that keepalive_next_ms() is another now. */
bool keepalive_heard(struct keepalive *k);
uint64_t keepalive_next_ms(const struct keepalive *k);	/* KEEPALIVE_NEVER: never */
enum keepalive_act keepalive_tick(struct keepalive *k, uint64_t now_ms);

#endif
