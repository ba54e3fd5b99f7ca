/* SPDX-License-Identifier: MIT */
/*
 * What the router and the hub side say to each other, who do not know each other: the operations
 * of the one (struct router_edge), and the news of the other (struct hub_handler).
 */
#include "gateway/gateway_private.h"

#include <stdio.h>

#include "gateway/hub.h"
#include "gateway/notify.h"
#include "gateway/others.h"

/* ---- what the router asks of the hub side ---------------------------------------------- */

static void put_hub_status(void *data, struct buf *out)
{
	struct gateway *g = data;

	if (g->hub)
		hub_put_status(g->hub, out);
	else
		mp_put_nil(out);
}

static int publish(void *data, struct span channel, struct span event, struct span text,
		   uint64_t id)
{
	struct gateway *g = data;

	return hub_publish(g->hub, channel, event, text, id);
}

/* At the end of all, callers leave after the hub. */
static bool withdraw(void *data, uint64_t id)
{
	struct gateway *g = data;

	return g->hub && hub_withdraw(g->hub, id);
}

static int list_gateways(void *data, uint64_t id)
{
	struct gateway *g = data;

	return others_list(hub_others(g->hub), id);
}

static int call_elsewhere(void *data, const struct elsewhere_call *call, const struct now *now,
			  uint64_t *ret_serial, struct elsewhere_fault *ret_fault)
{
	struct gateway *g = data;

	return others_call(hub_others(g->hub), call, now, ret_serial, ret_fault);
}

/* As withdraw(). */
static bool cancel_elsewhere(void *data, uint64_t serial)
{
	struct gateway *g = data;

	return g->hub && others_cancel(hub_others(g->hub), serial);
}

void gateway_put_hub_edge(const struct gateway *g, struct router_edge *edge)
{
	edge->withdraw = withdraw;
	edge->cancel_elsewhere = cancel_elsewhere;
	if (!g->config->pusher)
		return;
	edge->put_hub_status = put_hub_status;
	edge->publish = publish;
	edge->list_gateways = list_gateways;
	edge->call_elsewhere = call_elsewhere;
}

/* ---- what the hub side tells the router ------------------------------------------------ */

static void on_published(void *data, uint64_t id, int code, enum chapi_ran ran, const char *error)
{
	struct gateway *g = data;

	router_published(g->router, id, code, ran, error, turn_now(&g->turn));
}

static void on_gateways(void *data, uint64_t id, struct span list, const char *error)
{
	struct gateway *g = data;

	router_gateways(g->router, id, list, error, turn_now(&g->turn));
}

static void on_elsewhere_answer(void *data, void *call, const struct party_response *response)
{
	struct gateway *g = data;

	router_elsewhere_answer(g->router, call, response, turn_now(&g->turn));
}

static void on_elsewhere_progress(void *data, void *call, struct span value)
{
	struct gateway *g = data;

	router_elsewhere_progress(g->router, call, value);
}

static void on_answer_lost(void *data, struct span id, struct span api, const char *why)
{
	struct gateway *g = data;

	call_log_lost(&g->call_log, id, api, why, turn_now(&g->turn)->ms);
}

/* For `systemctl status`. */
static void tell_status(struct gateway *g, const char *state, const char *reason)
{
	char text[400];

	snprintf(text, sizeof(text), "Hub %s: %s%s%s", g->config->host, state, *reason ? ": " : "",
		 reason);
	notify_status(g->notify, text);
}

static void on_hub_changed(void *data, const char *state, const char *reason)
{
	struct gateway *g = data;

	tell_status(g, state, reason);
	router_hub_changed(g->router, state, reason, turn_now(&g->turn));
}

static const struct hub_handler hub_handler = {
	.published = on_published,
	.gateways = on_gateways,
	.elsewhere_answer = on_elsewhere_answer,
	.elsewhere_progress = on_elsewhere_progress,
	.answer_lost = on_answer_lost,
	.changed = on_hub_changed,
};

int gateway_start_hub(struct gateway *g)
{
	if (g->config->pusher)
		return hub_new(g->base, g->config, g->router, &hub_handler, g, &g->hub);
	log_info("gateway", "no [pusher] section: serving local calls only");
	notify_status(g->notify, "Local calls only: no [pusher] section");
	return 0;
}
