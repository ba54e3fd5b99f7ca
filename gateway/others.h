/* SPDX-License-Identifier: MIT */
/*
 * The hub side of other gateways: which there are, and calls to them.
 *
 * Wires elsewhere.h and beacons.h to the connection (channel.h) and to publishing
 * (publisher.h); the timer is the hub's.
 */
#ifndef CHAPI_OTHERS_H
#define CHAPI_OTHERS_H

#include "gateway/config.h"
#include "gateway/elsewhere.h"

struct channel;
struct others;
struct publisher;

/*
 * Called from the loop; as router_gateways(), router_elsewhere_answer(),
 * router_elsewhere_progress().
 */
struct others_handler {
	void (*listed)(void *data, uint64_t id, struct span list, const char *error);
	void (*answer)(void *data, void *call, const struct party_response *response);
	void (*progress)(void *data, void *call, struct span value);
	void (*timer)(void *data);	/* look at others_next_ms() again */
};

/* What it is built on; what is pointed to outlives it. */
struct others_config {
	const struct config *settings;
	const char *instance;	/* ours */
	struct channel *channel;
	struct publisher *publisher;
};

/* Subscribes to our beacon. The handler is static, data is its. 0 or a negative errno. */
int others_new(const struct others_config *config, const struct others_handler *handler,
	       void *data, struct others **ret_others) MUST_CHECK;
struct others *others_free(struct others *others);	/* before the publisher */

/* As elsewhere.h. */
int others_call(struct others *others, const struct elsewhere_call *call, const struct now *now,
		uint64_t *ret_serial, struct elsewhere_fault *ret_fault) MUST_CHECK;
void others_set_max_record(struct others *others, size_t max_record);
bool others_cancel(struct others *others, uint64_t serial);
/* Which gateways the hub sees; others_handler.listed(id) follows. 0 or a negative errno. */
int others_list(struct others *others, uint64_t id) MUST_CHECK;

/* The hub has confirmed a channel of channel_add(). */
void others_added(struct others *others, const char *name);
/* Are the answers to our own calls read on this channel? */
bool others_listens(const struct others *others, struct span channel);
/* True: the channel is ours, and so is the event. */
bool others_event(struct others *others, struct span channel, struct span event,
		  struct span payload, const struct now *now);

uint64_t others_next_ms(const struct others *others);	/* UINT64_MAX: never */
void others_tick(struct others *others, const struct now *now);
/* Appends one map. */
void others_put_status(const struct others *others, struct buf *out);

#endif
