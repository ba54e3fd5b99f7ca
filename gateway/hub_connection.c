/* SPDX-License-Identifier: MIT */
/*
 * How the hub is reached. The name (the proxy's, if there is one) is looked up for each try,
 * which takes one address after the other as long as none can be reached; what comes of it is
 * told to the channel. When to try, and what frames mean, is the channel's.
 */
#include <config.h>	/* _GNU_SOURCE, PACKAGE_VERSION */

#include "gateway/hub_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/close_code.h"
#include "gateway/pusher.h"
#include "gateway/resolve.h"
#include "gateway/turn.h"
#include "gateway/ws.h"

#define CLIENT_NAME "chapi-gw"

/* One that never was up speaks against the address, greeted or not. */
static enum addresses_end how_it_ends(const struct hub *hub)
{
	if (!hub->is_up)
		return ADDRESSES_IN_VAIN;
	return read_now().ms - hub->up_ms < hub->config->backoff_reset_ms ? ADDRESSES_SHORT
									 : ADDRESSES_FINE;
}

/* Before the channel knows. */
static void note_end(struct hub *hub)
{
	if (hub->address[0])
		addresses_ended(&hub->addresses, hub->address, how_it_ends(hub));
	hub->address[0] = '\0';
}

static int connect_to(struct hub *hub, const char *address)
{
	const struct config *config = hub->config;
	const struct ws_target target = {
		.address = hub->address,
		.host = config->host,
		.port = config->port,
		.tls = config->tls,
		.path = hub->path,
		.ca_file = config->ca_file,
		.origin = config->origin,
		.proxy_port = hub->proxy.port,
		.proxy_auth = hub->proxy.auth,
	};

	snprintf(hub->address, sizeof(hub->address), "%s", address);
	hub->opened = false;
	log_debug("hub", "connecting to %s port %u", address,
		  target.proxy_port ? target.proxy_port : target.port);
	return ws_connect(hub->ws, &target);
}

/* The same try goes on with another address, if there is one. */
static bool connect_to_next(struct hub *hub, struct span why)
{
	const char *address = addresses_next(&hub->addresses, &hub->found);

	if (!address)
		return false;
	log_debug("hub", "%s; the next address has its turn", LOG_TEXT(why));
	return connect_to(hub, address) == 0;
}

static void on_opened(void *data)
{
	struct hub *hub = data;

	hub->opened = true;
	hub->clock_trouble = false;
	channel_opened(hub->channel, read_now().ms);
	hub_arm_timer(hub);
}

static void on_frame(void *data, struct span text)
{
	struct hub *hub = data;

	channel_frame(hub->channel, text, read_now().ms);
	hub_arm_timer(hub);
}

static void on_silent(void *data)
{
	struct hub *hub = data;

	channel_silent(hub->channel, read_now().ms);
	hub_arm_timer(hub);
}

/* By this address: then another one may do. A server that wants fewer connections means all of
 * them; so do our clock, and a proxy that wants another password. */
static bool has_failed_here(const struct hub *hub, const struct ws_end *end)
{
	return !hub->opened && !end->clock && !end->proxy && end->retry_after_s == 0 &&
	       close_code_status_retry(end->status) == RETRY_BACKOFF;
}

static void on_closed(void *data, const struct ws_end *end)
{
	struct hub *hub = data;

	note_end(hub);
	if (has_failed_here(hub, end) && connect_to_next(hub, end->why))
		return;
	hub->clock_trouble = end->clock;
	if (end->status != 0)
		channel_refused(hub->channel, end->status, end->why,
				end->retry_after_s * UINT64_C(1000), read_now().ms);
	else
		channel_closed(hub->channel, end->code, end->why, read_now().ms);
	hub_arm_timer(hub);
}

/* Before there is anything that could be closed. */
static void on_not_connected(struct hub *hub, const char *why)
{
	on_closed(hub, &(struct ws_end){ .why = span_str(why) });
}

static const struct ws_handler ws_handler = {
	.opened = on_opened,
	.frame = on_frame,
	.silent = on_silent,
	.closed = on_closed,
};

static void on_resolved(void *data, const struct resolve_result *result)
{
	struct hub *hub = data;
	int r;

	hub->resolve = resolve_free(hub->resolve);
	if (*result->error) {
		on_not_connected(hub, result->error);
		return;
	}
	hub->found = result->list;
	r = connect_to(hub, addresses_begin(&hub->addresses, &hub->found));
	if (r < 0)
		on_not_connected(hub, strerror(-r));
}

void hub_connect(void *data)
{
	struct hub *hub = data;
	const char *host = hub->proxy.host ? hub->proxy.host : hub->config->host;
	int r;

	hub->clock_trouble = false;
	hub->found.n = 0;
	hub->resolve = resolve_free(hub->resolve);
	r = resolve_new(hub->base, host, on_resolved, hub, &hub->resolve);
	if (r < 0)
		channel_closed(hub->channel, 0, span_str(strerror(-r)), read_now().ms);
}

void hub_disconnect(void *data)
{
	struct hub *hub = data;

	note_end(hub);
	hub->resolve = resolve_free(hub->resolve);
	ws_close(hub->ws);
}

void hub_send(void *data, struct span frame)
{
	struct hub *hub = data;
	int r = ws_send(hub->ws, frame);

	if (r < 0)
		log_warn("hub", "a frame cannot be sent: %s", strerror(-r));
}

int hub_keep_alive(void *data, uint64_t every_ms, uint64_t answer_ms)
{
	CLEANUP(buf_deinit) struct buf ping = BUF_NULL;
	struct hub *hub = data;

	pusher_put_ping(&ping);
	if (buf_error(&ping) < 0)
		return buf_error(&ping);
	return ws_keep_alive(hub->ws, &(struct ws_keep_alive){
		.ping = buf_span(&ping),
		.is_pong = pusher_is_pong,
		.every_ms = every_ms,
		.answer_ms = answer_ms,
	});
}

int hub_connection_init(struct hub *hub)
{
	const struct config *config = hub->config;

	if (config->proxy && proxy_init(&hub->proxy, config->proxy) != 0)
		return -ENOMEM;
	if (asprintf(&hub->path,
		     "%s/app/%s?protocol=7&client=" CLIENT_NAME "&version=" PACKAGE_VERSION,
		     config->path_prefix ? config->path_prefix : "", config->key) < 0) {
		hub->path = NULL;
		return -ENOMEM;
	}
	return ws_new(hub->base, &ws_handler, hub, &hub->ws);
}

void hub_connection_deinit(struct hub *hub)
{
	resolve_free(hub->resolve);
	ws_free(hub->ws);
	free(hub->path);
	proxy_deinit(&hub->proxy);
}
