/* SPDX-License-Identifier: MIT */
/*
 * Events on their way out, with clock and network: signs the requests that outbox.h makes up,
 * has them POSTed, and brings it the answers.
 *
 * HTTP itself is http.h; what an event says is its caller's business.
 */
#ifndef CHAPI_PUBLISHER_H
#define CHAPI_PUBLISHER_H

#include "gateway/config.h"
#include "gateway/outbox.h"

struct event_base;
struct publisher;

enum {
	PUBLISHER_E_FULL = OUTBOX_E_FULL,	/* queue full */
};

int publisher_new(struct event_base *base, const struct config *config, struct publisher **ret_publisher) MUST_CHECK;
void publisher_reconfigure(struct publisher *publisher);	/* values in the config are others now */
struct publisher *publisher_free(struct publisher *publisher);	/* what waits is dropped, callbacks are not called */

/* Takes a copy. fn (may be NULL) is called once, later. 0, PUBLISHER_E_FULL or -ENOMEM: fn is not called. */
int publisher_publish(struct publisher *publisher, const struct outbox_event *event, outbox_fn fn,
		      void *data) MUST_CHECK;

/* Of our connection to the hub, for events that are not to come back; "": there is none. */
void publisher_set_socket_id(struct publisher *publisher, const char *socket_id);
/* The hub shows life: what waits for that is tried now. */
void publisher_hub_is_back(struct publisher *publisher);
/* Whatever is waited for, it is tried now. */
void publisher_hurry(struct publisher *publisher);
void publisher_clock_set(struct publisher *publisher);

void publisher_status(const struct publisher *publisher, struct outbox_status *ret_status);

#endif
