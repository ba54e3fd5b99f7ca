/* SPDX-License-Identifier: MIT */
/*
 * Events on their way out, with clock and network: signs the requests that outbox.h makes up,
 * has them POSTed, and brings it the answers. Questions to the hub's HTTP API go the same way.
 *
 * HTTP itself is http.h; what an event says is its caller's business.
 */
#ifndef CHAPI_PUBLISHER_H
#define CHAPI_PUBLISHER_H

#include "gateway/config.h"
#include "gateway/outbox.h"
#include "gateway/room.h"

struct event_base;
struct ledger;
struct publisher;
struct sealed;

enum {
	PUBLISHER_E_FULL = OUTBOX_E_FULL,	/* queue full */
	PUBLISHER_E_NO_KEY,	/* the channel is encrypted, and there is no key */
};

/* config, sealed and ledger outlive it; what the hub takes and answers is counted in the ledger. */
int publisher_new(struct event_base *base, const struct config *config,
		  const struct sealed *sealed, struct ledger *ledger,
		  struct publisher **ret_publisher) MUST_CHECK;
void publisher_reconfigure(struct publisher *publisher); /* values in the config are others now */
/* What waits is dropped, callbacks are not called. */
struct publisher *publisher_free(struct publisher *publisher);

/*
 * Takes a copy; on an encrypted channel of what only its subscribers can read. fn (may be NULL) is
 * called once, later. 0; PUBLISHER_E_* or a negative errno: fn is not called.
 */
int publisher_publish(struct publisher *publisher, const struct outbox_event *event, outbox_fn fn,
		      void *data) MUST_CHECK;

/* As outbox_withdraw(). */
bool publisher_withdraw(struct publisher *publisher, const void *data);

/*
 * What the hub answers to a question. body: JSON, borrowed for the time of the call; error: NULL,
 * or one line that says why there is none.
 */
typedef void (*publisher_ask_fn)(void *data, struct span body, const char *error);
/*
 * GET of what: "channels" or "channels/NAME"; query: as in struct sign_request, or NULL. fn is
 * called once, later, unless the publisher is freed before; not if this failed. 0 or a negative
 * errno.
 */
int publisher_ask(struct publisher *publisher, const char *what, const char *query,
		  publisher_ask_fn fn, void *data) MUST_CHECK;

/* Of our connection to the hub, for events that are not to come back; "": there is none. */
void publisher_set_socket_id(struct publisher *publisher, const char *socket_id);
/* The hub shows life: what waits for that is tried now. */
void publisher_hub_is_back(struct publisher *publisher);
/* Whatever is waited for, it is tried now. */
void publisher_hurry(struct publisher *publisher);
void publisher_clock_set(struct publisher *publisher);
/* The time, as the hub has it as far as that is known. */
int64_t publisher_unix_s(const struct publisher *publisher);

/* In each event that goes out. */
struct room publisher_room(const struct config *config);
void publisher_status(const struct publisher *publisher, struct outbox_status *ret_status);

#endif
