/* SPDX-License-Identifier: MIT */
/*
 * What the settings mean for the parts, at the start and when the files were read again. How
 * they are read: config.h and reload.h.
 */
#include "gateway/gateway_private.h"

#include "gateway/hub.h"
#include "gateway/notify.h"
#include "gateway/reload.h"
#include "gateway/rights.h"

#define ABANDONED_PER_PEER 1024

static size_t output_max(const struct config *c)
{
	return MAX(c->output_per_peer, 2 * c->max_message);
}

static unsigned int peers_max(const struct gateway *g)
{
	return g->config->peers ? MIN(g->config->peers, g->peers_max) : g->peers_max;
}

struct router_limits gateway_limits(const struct gateway *g)
{
	const struct config *c = g->config;

	return (struct router_limits){
		.calls_per_peer = c->calls_per_peer,
		.names_per_peer = c->names_per_peer,
		.abandoned_per_peer = ABANDONED_PER_PEER,
		.pinned_per_peer = c->pinned_per_peer,
		.pinned_total = c->pinned_total,
		.max_message = c->max_message,
		.output_per_peer = output_max(c),
		.stalled_after_ms = c->stalled_after_ms,
		.peers = peers_max(g),
	};
}

struct peers_config gateway_peers_config(const struct gateway *g)
{
	const struct config *c = g->config;

	return (struct peers_config){
		.max_message = c->max_message,
		.output_max = output_max(c),
		.stalled_after_ms = c->stalled_after_ms,
		.max = peers_max(g),
	};
}

static void set_limits(struct gateway *g)
{
	const struct router_limits limits = gateway_limits(g);
	const struct peers_config peers = gateway_peers_config(g);

	peers_set_limits(g->peers, &peers);
	router_set_limits(g->router, &limits,
			  g->config->default_visibility == CONFIG_VISIBILITY_LOCAL);
	log_set_level(g->config->log_level);
}

int gateway_reload(void *data, struct buf *out, char *why, size_t why_len)
{
	struct gateway *g = data;

	notify_reloading(g->notify);
	if (reload_config(g->options, g->config, out, why, why_len) != 0) {
		log_error("config", "all stays as it was: %s", why);
		notify_ready(g->notify);
		return -1;
	}
	set_limits(g);
	g->reloaded = true;
	if (g->hub) {
		hub_reconfigure(g->hub);
		hub_reconnect(g->hub);
	}
	return 0;
}

void gateway_finish_reload(struct gateway *g)
{
	struct policy *policy;

	if (!g->reloaded)
		return;
	g->reloaded = false;
	if (rights_make(g->config, &policy) == 0)
		router_set_policy(g->router, policy, turn_now(&g->turn));
	else
		log_error("config", "no memory for the rules of [policy]; the old ones hold");
	notify_ready(g->notify);
}

bool gateway_set_log_level(void *data UNUSED, struct span level)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_is(level, names[i])) {
			log_set_level((enum log_level)i);
			return true;
		}
	return false;
}
