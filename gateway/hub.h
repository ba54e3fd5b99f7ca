/* SPDX-License-Identifier: MIT */
/*
 * The gateway's side of the hub, put together: connection (channel.h over ws.h), requests
 * and answers (remote.h), publishing (publisher.h), timers.
 */
#ifndef CHAPI_HUB_H
#define CHAPI_HUB_H

#include "gateway/config.h"
#include "gateway/router.h"

struct event_base;
struct hub;
struct others;

/* Called from the loop. */
struct hub_handler {
	/* What became of hub_publish(): error NULL: the hub has it; else one line, and code and
	 * ran as in an answer. */
	void (*published)(void *data, uint64_t id, int code, enum chapi_ran ran,
			  const char *error);
	/* Of other gateways: as router_gateways() and the others of the router. */
	void (*gateways)(void *data, uint64_t id, struct span list, const char *error);
	void (*elsewhere_answer)(void *data, void *call, const struct party_response *response);
	void (*elsewhere_progress)(void *data, void *call, struct span value);
	/* The hub has not got the answer of a remote call; why: one line. */
	void (*answer_lost)(void *data, struct span id, struct span api, const char *why);
	/* The state of the connection, or the reason for it, is another: texts as in the status. */
	void (*changed)(void *data, const char *state, const char *reason);
};

/* Begins to connect. config, base, router and handler outlive it. */
int hub_new(struct event_base *base, const struct config *config, struct router *router,
	    const struct hub_handler *handler, void *data, struct hub **ret_hub) MUST_CHECK;
struct hub *hub_free(struct hub *hub);	/* never waits for the network */
/* The state as one MessagePack map: {state, socket_id, reason, channels, ...}. */
void hub_put_status(void *hub, struct buf *out);
void hub_reconfigure(struct hub *hub);	/* reloadable values in the config are others now */
void hub_reconnect(struct hub *hub);	/* tries at once if it waits */
/* An event of a local process's own: never sent twice. 0, -ENOBUFS (the queue is full), -ENOKEY
 * (the channel is encrypted) or -ENOMEM. */
int hub_publish(struct hub *hub, struct span channel, struct span event, struct span text,
		uint64_t id) MUST_CHECK;
/* Takes such an event back by its id. false: it is under way, or has ended: its end is told. */
bool hub_withdraw(struct hub *hub, uint64_t id);
/* Calls to other gateways: see others.h. */
struct others *hub_others(struct hub *hub);
bool hub_is_idle(const struct hub *hub);	/* nothing waits to be published */

struct hub_health {
	const char *state;	/* static */
	bool up;
	const char *reason;	/* "" when there is nothing to say; valid until the loop goes on */
	bool name_conflict;	/* another gateway was seen in the last hour that has our name */
	char publish_error[200];	/* why events wait, or the last has failed; "" */
};
void hub_health(const struct hub *hub, struct hub_health *ret_health);

#endif
