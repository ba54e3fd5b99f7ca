/* SPDX-License-Identifier: MIT */
/*
 * What the files of the hub side, put together, share.
 *
 *     hub.c             the wiring: who calls whom
 *     hub_connection.c  how the hub is reached
 *     hub_publish.c     what is published, and what became of it
 *     hub_status.c      what is told of it
 *     hub_log.c         likewise, in the log
 */
#ifndef CHAPI_HUB_PRIVATE_H
#define CHAPI_HUB_PRIVATE_H

#include "gateway/addresses.h"
#include "gateway/channel.h"
#include "gateway/hub.h"
#include "gateway/proof.h"
#include "gateway/proxy.h"
#include "gateway/publisher.h"
#include "gateway/remote.h"
#include "gateway/said.h"
#include "gateway/sealed.h"

struct clockwatch;
struct event;
struct ledger;
struct resolve;
struct ws;

struct hub {
	struct event_base *base;
	const struct config *config;
	struct ws *ws;
	struct resolve *resolve;	/* a look-up under way */
	struct channel *channel;
	struct remote *remote;
	struct publisher *publisher;
	struct ledger *ledger;		/* the day's budget */
	struct sealed sealed;
	struct others *others;		/* other gateways */
	struct event *timer;		/* of the channel and the proof */
	struct clockwatch *clockwatch;
	struct proof proof;
	struct list proof_tickets;
	bool is_up;			/* the channel was when it last told */
	bool clock_trouble;	/* the last try failed, by the clock a certificate is not valid */
	const struct hub_handler *handler;
	void *handler_data;
	struct list publications;
	struct list progress;

	char *path;			/* of the WebSocket, with the query */
	struct proxy proxy;
	struct addresses addresses;
	struct address_list found;	/* by the look-up of this try */
	char address[ADDRESS_LEN];	/* of the connection at hand, or its beginning; "": none */
	bool opened;			/* the WebSocket at that address was */
	uint64_t up_ms;			/* when it was up for the last time */
	struct said logged;		/* of the trouble that lasts, to the log */
	uint64_t conflict_logged_ms;	/* 0: never */
	uint64_t ignored_logged_ms;	/* likewise */
	uint64_t n_ignored_logged;	/* how many there were then */
	uint64_t n_unreadable;	/* events of encrypted channels that are not closed with our key */
	uint64_t n_dropped;		/* events that found no place in the publisher's queue */
};

/* After anything that happened to the channel or the proof. */
void hub_arm_timer(struct hub *hub);
/* Of the day: what can be done without is left out then. */
bool hub_is_budget_low(struct hub *hub);

/* Path, proxy, the thread of the WebSocket. 0 or a negative errno; deinit in either case. */
int hub_connection_init(struct hub *hub) MUST_CHECK;
void hub_connection_deinit(struct hub *hub);
/* Operations of channel.h. */
void hub_connect(void *data);
void hub_disconnect(void *data);
void hub_send(void *data, struct span frame);
int hub_keep_alive(void *data, uint64_t every_ms, uint64_t answer_ms);

void hub_publications_init(struct hub *hub);
void hub_publications_deinit(struct hub *hub);
void hub_send_proof(struct hub *hub, uint64_t now_ms);
/* An operation of remote.h. */
bool hub_publish_record(void *data, const struct remote_publication *publication);

void hub_log_conflict(struct hub *hub, uint64_t now_ms);
void hub_log_ignored(struct hub *hub, struct span channel, struct span event, uint64_t now_ms);
void hub_log_unreadable(struct hub *hub, struct span channel);
void hub_log_up(const struct hub *hub);
void hub_log_well(const struct hub *hub);
void hub_log_trouble(struct hub *hub, const char *reason);

const char *hub_state_name(enum channel_state state);
/* How long a channel still waits; 0: it does not. */
uint64_t hub_next_try_in_ms(const struct channel_status *status, uint64_t now_ms);

#endif
