/* SPDX-License-Identifier: MIT */
/*
 * Local connections: bytes in, messages to the router; what the router has for them, bytes out.
 *
 * Which bytes are a message is frame.h, what goes out is written by wire.h, who may connect
 * is listener.h. All connections share one set, as they share a read buffer and a moment at
 * which everything that was written goes out.
 */
#ifndef CHAPI_PEER_H
#define CHAPI_PEER_H

#include "gateway/router.h"
#include "gateway/turn.h"

struct event_base;
struct peers;

struct peers_config {
	size_t max_message;
	size_t output_max;		/* bytes waiting for one connection */
	uint64_t stalled_after_ms;	/* without any progress of its output it is closed */
	unsigned int max;		/* connections */
};

/* base, router and turn outlive the set. */
int peers_new(struct event_base *base, struct router *router, struct turn *turn,
	      const struct peers_config *config, struct peers **ret_peers) MUST_CHECK;
/* From now on; connections that are there keep the limit of their output. max_message stays
 * as it is. */
void peers_set_limits(struct peers *peers, const struct peers_config *config);
bool peers_are_idle(const struct peers *peers);	/* everything that was said has been sent */
/* Sends what can be sent at once, closes all connections, takes them out of the router. */
struct peers *peers_free(struct peers *peers);

/* Takes fd, a connected socket that does not block. It is told and closed if there are too many. */
void peers_accept(struct peers *peers, int fd);

/*
 * To be called once after each turn of the loop: one write for each connection that has
 * something to say; those that left, and those the router wants closed, are freed.
 */
void peers_finish_turn(struct peers *peers);

#endif
