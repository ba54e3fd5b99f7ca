/* SPDX-License-Identifier: MIT */
/*
 * How the gateway stops, in two steps: at the signal no new connection and no new call is taken;
 * when the last call has its answer and the hub and the callers have taken them, the loop ends.
 * When stop_timeout is over, what is left is cancelled; for those answers there are TELL_S more.
 */
#include "gateway/gateway_private.h"

#include <event2/event.h>

#include "gateway/hub.h"
#include "gateway/listener.h"
#include "gateway/notify.h"

#define TELL_S 2	/* for the answers of calls that were cancelled at the end */

static void stop_now(struct gateway *g)
{
	router_cancel_all(g->router, turn_now(&g->turn));
	g->stopped = true;
}

/* The first time: those who wait are told, for which there is a little more time. */
void gateway_on_stop_limit(evutil_socket_t fd UNUSED, short what UNUSED, void *data)
{
	static const struct timeval more = { .tv_sec = TELL_S };
	struct gateway *g = data;

	if (g->ended || event_add(g->stop_limit, &more) < 0) {
		stop_now(g);
		return;
	}
	log_warn("gateway", "%zu calls are still running; they are cancelled (stop_timeout)",
		 router_n_calls(g->router));
	g->ended = true;
	router_cancel_all(g->router, turn_now(&g->turn));
}

/* The second signal is for those who do not want to wait. */
void gateway_on_stop(evutil_socket_t sig, short what UNUSED, void *data)
{
	struct gateway *g = data;
	uint64_t ms = g->config->stop_timeout_ms;
	const struct timeval tv = {
		.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000),
	};

	if (g->stopping || event_add(g->stop_limit, &tv) < 0) {
		stop_now(g);
		return;
	}
	log_info("gateway", "stopping on signal %d", (int)sig);
	notify_stopping(g->notify);
	g->stopping = true;
	g->listener = listener_free(g->listener);
	router_stop(g->router, turn_now(&g->turn));
}

static bool is_hub_idle(const struct gateway *g)
{
	return !g->hub || hub_is_idle(g->hub);
}

void gateway_end_calls(struct gateway *g)
{
	if (!g->stopping || g->ended || router_n_calls(g->router) > 0 || !is_hub_idle(g))
		return;
	g->ended = true;
	router_cancel_all(g->router, turn_now(&g->turn));
}

void gateway_end_loop(struct gateway *g)
{
	if (g->ended && peers_are_idle(g->peers) && is_hub_idle(g))
		stop_now(g);	/* what was asked since */
}
