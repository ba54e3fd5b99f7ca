/* SPDX-License-Identifier: MIT */
/*
 * What the files of the gateway, put together, share.
 *
 *     gateway.c           builds the parts; signals; the loop
 *     gateway_hub.c       what the router and the hub side say to each other
 *     gateway_settings.c  what the settings mean for the parts, also when they are read again
 *     gateway_stop.c      no new calls, no calls, the end
 */
#ifndef CHAPI_GATEWAY_PRIVATE_H
#define CHAPI_GATEWAY_PRIVATE_H

#include "gateway/call_log.h"
#include "gateway/gateway.h"
#include "gateway/peer.h"
#include "gateway/router.h"
#include "gateway/turn.h"

struct event;

struct gateway {
	struct config *config;
	const struct config_options *options;
	struct turn turn;
	struct event_base *base;
	struct router *router;
	struct peers *peers;
	unsigned int peers_max;			/* connections, by the open-file limit */
	struct listener *listener;
	struct hub *hub;			/* NULL: local calls only */
	struct notify *notify;			/* NULL: no service manager */
	struct event *stop_signals[2], *hangup;
	struct event *log_release;		/* when the log may hold nothing back any longer */
	struct event *deadline;
	uint64_t deadline_ms;			/* what the timer is set to; UINT64_MAX: not set */
	struct event *stop_limit;		/* the end of stop_timeout */
	struct call_log call_log;
	bool reloaded;				/* the policy is to be put into force */
	bool stopping;				/* no new calls */
	bool ended;				/* every request has its answer */
	bool stopped;				/* the loop is to end */
};

/* Connects the router with the hub's side, whether or not there is one. */
void gateway_put_hub_edge(const struct gateway *g, struct router_edge *edge);
/* After the router. 0, also without a hub, or a negative errno. */
int gateway_start_hub(struct gateway *g) MUST_CHECK;

struct router_limits gateway_limits(const struct gateway *g);
struct peers_config gateway_peers_config(const struct gateway *g);
/* Operations of the router's edge. The policy of a reload follows at the end of the turn: no
 * name is taken inside a request. */
int gateway_reload(void *data, struct buf *out, char *why, size_t why_len);
bool gateway_set_log_level(void *data, struct span level);
void gateway_finish_reload(struct gateway *g);

/* Callbacks of libevent: a signal; the end of stop_timeout. */
void gateway_on_stop(int sig, short what, void *data);
void gateway_on_stop_limit(int fd, short what, void *data);
/* When the last call has its answer, also those of the hub's side, what else waits is told. */
void gateway_end_calls(struct gateway *g);
/* When that was taken, too, the loop is to end. */
void gateway_end_loop(struct gateway *g);

#endif
