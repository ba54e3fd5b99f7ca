/* SPDX-License-Identifier: MIT */
/*
 * Proof of life: an event published to ourselves has to come back over the WebSocket.
 *
 * A connection can look healthy and yet bring no events. Pure: says when to send and when one
 * is missed; publishing and the connection are hub.h's. What could not be published proves
 * nothing about the connection, so time counts from when the hub took the event.
 */
#ifndef CHAPI_PROOF_H
#define CHAPI_PROOF_H

#include <stdbool.h>

#include "libchapi-ipc/buf.h"

#define PROOF_EVENT "chapi-alive"

enum proof_state {
	PROOF_OFF,		/* no interval, or the connection is not up */
	PROOF_RESTING,
	PROOF_SENT,		/* whether the hub takes it is not known yet */
	PROOF_AWAITED,
};

enum proof_action { PROOF_NOTHING, PROOF_SEND, PROOF_MISSED };

struct proof {
	uint64_t interval_ms, limit_ms;	/* interval 0: never */
	const char *instance;		/* of the gateway; borrowed */
	enum proof_state state;
	uint64_t next_ms;		/* resting: the next one; awaited: the limit; else never */
	uint64_t sent_ms;
	uint64_t seen_ms;		/* when the last one came back; 0: none did */
	uint64_t round_trip_ms;		/* of that one */
	uint64_t number;		/* of the last one sent */
	uint64_t n_seen, n_missed;
};

void proof_init(struct proof *proof, uint64_t interval_ms, uint64_t limit_ms, const char *instance);

/* Other times; from the next proof on, or at once if there was none. */
void proof_set_times(struct proof *proof, uint64_t interval_ms, uint64_t limit_ms, bool is_up,
		     uint64_t now_ms);

/* The connection is up, or is no more. The first one is due at once. */
void proof_up(struct proof *proof, uint64_t now_ms);
void proof_down(struct proof *proof);

uint64_t proof_next_ms(const struct proof *proof);	/* UINT64_MAX: never */
/*
 * PROOF_SEND: publish proof_put(), tell proof_published(). PROOF_MISSED: the connection brings no
 * events.
 */
enum proof_action proof_tick(struct proof *proof, uint64_t now_ms);
void proof_put(const struct proof *proof, struct buf *out);	/* the data of the event */
void proof_published(struct proof *proof, uint64_t number, bool taken, uint64_t now_ms);
/* True: it is the one that was waited for. */
bool proof_event(struct proof *proof, struct span payload, uint64_t now_ms);

#endif
