/* SPDX-License-Identifier: MIT */
/*
 * The wiring of the hub side: who calls whom is all that is here.
 *
 *     resolve -> ws -> channel -> remote -> router
 *                        remote -> publisher
 *     proof -> publisher ... ws -> channel -> proof
 *     router -> others -> publisher ... ws -> channel -> others -> router
 *     clockwatch -> channel, publisher
 *     hub, publisher -> ledger
 *
 * One timer stands for all of them. The connection that the channel wants: hub_connection.c; what
 * is published: hub_publish.c; what is told of it: hub_status.c, hub_log.c.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/hub_private.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/clockwatch.h"
#include "gateway/ledger.h"
#include "gateway/others.h"
#include "gateway/sign.h"
#include "gateway/turn.h"
#include "libchapi-ipc/base64.h"

void hub_arm_timer(struct hub *hub)
{
	uint64_t next_ms = MIN(MIN(channel_next_ms(hub->channel), proof_next_ms(&hub->proof)),
			       MIN(remote_next_ms(hub->remote), others_next_ms(hub->others)));
	uint64_t now_ms = read_now().ms, ms;
	struct timeval tv;

	if (next_ms == UINT64_MAX) {
		event_del(hub->timer);
		return;
	}
	ms = next_ms > now_ms ? next_ms - now_ms : 0;
	tv = (struct timeval){ .tv_sec = (time_t)(ms / 1000),
			       .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	event_add(hub->timer, &tv);
}

/* ---- the day's budget ------------------------------------------------------------------------ */

static void count_received(struct hub *hub)
{
	ledger_add(hub->ledger, &(struct budget_count){ .received = 1 },
		   publisher_unix_s(hub->publisher));
}

/* Of an event that has been counted as published already. */
static void count_delivery(struct hub *hub)
{
	ledger_add(hub->ledger, &(struct budget_count){ .delivered = 1 },
		   publisher_unix_s(hub->publisher));
}

bool hub_is_budget_low(struct hub *hub)
{
	return ledger_is_low(hub->ledger, publisher_unix_s(hub->publisher));
}

static int make_ledger(struct hub *hub)
{
	const struct ledger_config ledger = {
		.dir = hub->config->state_dir,
		.name = hub->config->name,
		.limit = hub->config->daily_messages,
		.write_ms = LEDGER_WRITE_MS,
	};

	return ledger_new(hub->base, &ledger, &hub->ledger);
}

/* ---- proof of life --------------------------------------------------------------------------- */

static void proof_missed(struct hub *hub, uint64_t now_ms)
{
	char why[160];

	snprintf(why, sizeof(why),
		 "an event published to ourselves did not come back within %llu ms: "
		 "the connection seems to be deaf",
		 (unsigned long long)hub->proof.limit_ms);
	channel_renew(hub->channel, why, now_ms);
}

static void tick_proof(struct hub *hub, uint64_t now_ms)
{
	switch (proof_tick(&hub->proof, now_ms)) {
	case PROOF_SEND:
		hub_send_proof(hub, now_ms);
		break;
	case PROOF_MISSED:
		proof_missed(hub, now_ms);
		break;
	case PROOF_NOTHING:
		break;
	}
}

static void on_timer(evutil_socket_t fd UNUSED, short events UNUSED, void *arg)
{
	struct now now = read_now();
	struct hub *hub = arg;

	channel_tick(hub->channel, now.ms);
	tick_proof(hub, now.ms);
	remote_tick(hub->remote, &now);
	others_tick(hub->others, &now);
	hub_arm_timer(hub);
}

/* ---- what the channel wants ------------------------------------------------------------------ */

/* The one place where data of an event is opened. */
static void op_event(void *data, struct span channel, struct span event, struct span payload)
{
	CLEANUP(buf_deinit) struct buf store = BUF_NULL;
	struct now now = read_now();
	struct hub *hub = data;
	struct span text;

	if (!span_is(event, PROOF_EVENT))
		count_received(hub);
	if (sealed_open(&hub->sealed, channel, payload, &store, &text) != 0) {
		hub_log_unreadable(hub, channel);
	} else if (span_is(event, PROOF_EVENT)) {
		count_delivery(hub);
		proof_event(&hub->proof, text, now.ms);
	} else if (!others_event(hub->others, channel, event, text, &now)) {
		remote_event(hub->remote, channel, event, text, &now);
		hub_log_conflict(hub, now.ms);
		hub_log_ignored(hub, channel, event, now.ms);
	}
}

/* What the others have to know of the connection. */
static void share_state(struct hub *hub, bool is_up)
{
	struct channel_status status;

	channel_status(hub->channel, &status);
	publisher_set_socket_id(hub->publisher, status.socket_id);
	if (hub->is_up == is_up)
		return;
	hub->is_up = is_up;
	if (is_up) {
		hub->up_ms = read_now().ms;
		addresses_works(&hub->addresses, hub->address);
		proof_up(&hub->proof, read_now().ms);
		publisher_hub_is_back(hub->publisher);
	} else {
		proof_down(&hub->proof);
	}
}

static void op_state(void *data, enum channel_state state, const char *reason)
{
	struct hub *hub = data;
	bool was_up = hub->is_up;

	hub->handler->changed(hub->handler_data, hub_state_name(state), reason);
	share_state(hub, state == CHANNEL_UP);
	if (*reason) {
		hub_log_trouble(hub, reason);
	} else if (state == CHANNEL_UP) {
		said_forget(&hub->logged);
		if (was_up)
			hub_log_well(hub);
		else
			hub_log_up(hub);
	} else if (state == CHANNEL_SUBSCRIBING) {
		log_debug("hub", "connected to %s", hub->config->host);
	}
}

static void op_added(void *data, const char *name)
{
	struct hub *hub = data;

	others_added(hub->others, name);
}

static const struct channel_ops channel_ops = {
	.connect = hub_connect,
	.disconnect = hub_disconnect,
	.send = hub_send,
	.keep_alive = hub_keep_alive,
	.event = op_event,
	.added = op_added,
	.state = op_state,
};

/* ---- what the remote side wants -------------------------------------------------------------- */

static void op_timer(void *data)
{
	hub_arm_timer(data);
}

static const struct remote_ops remote_ops = {
	.publish = hub_publish_record,
	.timer = op_timer,
};

/* ---- other gateways -------------------------------------------------------------------------- */

static void on_listed(void *data, uint64_t id, struct span list, const char *error)
{
	struct hub *hub = data;

	hub->handler->gateways(hub->handler_data, id, list, error);
}

static void on_elsewhere_answer(void *data, void *call, const struct party_response *response)
{
	struct hub *hub = data;

	hub->handler->elsewhere_answer(hub->handler_data, call, response);
}

static void on_elsewhere_progress(void *data, void *call, struct span value)
{
	struct hub *hub = data;

	hub->handler->elsewhere_progress(hub->handler_data, call, value);
}

static void on_others_timer(void *data)
{
	hub_arm_timer(data);
}

static const struct others_handler others_handler = {
	.listed = on_listed,
	.answer = on_elsewhere_answer,
	.progress = on_elsewhere_progress,
	.timer = on_others_timer,
};

struct others *hub_others(struct hub *hub)
{
	return hub->others;
}

/* ---- life ------------------------------------------------------------------------------------ */

static struct channel_config channel_config_of(const struct config *config)
{
	return (struct channel_config){
		.key = config->key,
		.secret = config->secret,
		.names = (const char *const *)config->channels,
		.n_names = config->n_channels,
		.handshake_ms = config->handshake_ms,
		.subscribe_ms = config->subscribe_ms,
		.ping_interval_ms = config->ping_interval_ms,
		.pong_timeout_ms = config->pong_timeout_ms,
		.backoff_least_ms = config->backoff_least_ms,
		.backoff_most_ms = config->backoff_most_ms,
		.backoff_reset_ms = config->backoff_reset_ms,
		.probe_ms = config->probe_ms,
	};
}

static int make_channel(struct hub *hub)
{
	struct channel_config channel = channel_config_of(hub->config);
	int r = sign_random(&channel.seed, sizeof(channel.seed));

	if (r == 0)
		r = channel_new(&channel, &channel_ops, hub, &hub->channel);
	return r;
}

static struct remote_limits remote_limits_of(const struct config *config)
{
	return (struct remote_limits){
		.answer_unknown = config->answer_unknown,
		.max_calls = config->max_calls,
		.max_rate = config->max_rate,
		.answer_store_ms = config->answer_store_time_ms,
		.answer_store_bytes = config->answer_store_bytes,
		.max_record = config->max_record,
		.reply_channels = (const char *const *)config->reply_channels,
		.n_reply_channels = config->n_reply_channels,
	};
}

static int make_remote(struct hub *hub, struct router *router)
{
	const struct config *config = hub->config;
	struct remote_config remote = {
		.name = config->name,
		.channels = (const char *const *)config->channels,
		.n_channels = config->n_channels,
		.request_event = config->request_event,
		.response_event = config->response_event,
		.room = publisher_room(config),
		.has_key = config->master_key,
		.limits = remote_limits_of(config),
		.start_ms = read_now().ms,
		.silence_ms = config->ping_interval_ms + config->pong_timeout_ms,
	};
	int r = sign_random(remote.seed, sizeof(remote.seed));

	return r < 0 ? r : remote_new(&remote, router, &remote_ops, hub, &hub->remote);
}

static void on_clock_set(void *data)
{
	struct channel_status status;
	struct hub *hub = data;

	log_info("hub", "this machine's clock was set");
	publisher_clock_set(hub->publisher);
	channel_status(hub->channel, &status);
	/* A try under way may have failed already, by the clock that was. */
	if (!hub->clock_trouble && status.state != CHANNEL_CONNECTING)
		return;
	hub->clock_trouble = false;
	channel_start(hub->channel, read_now().ms);
	hub_arm_timer(hub);
}

/* Without it all goes on as well, only later. */
static void watch_clock(struct hub *hub)
{
	int r = clockwatch_new(hub->base, on_clock_set, hub, &hub->clockwatch);

	if (r < 0)
		log_warn("hub", "whether the clock is set cannot be noticed: %s", strerror(-r));
}

/* The config has made sure that it is a key. */
static int make_sealed(struct hub *hub)
{
	const char *text = hub->config->master_key;
	uint8_t key[64];	/* its base64 is decoded in place */
	size_t len;
	int r;

	if (!text)
		return sealed_init(&hub->sealed, NULL);
	len = MIN(strlen(text), sizeof(key));
	memcpy(key, text, len);
	r = base64_decode(key, len, &len) && len == SEALED_KEY_LEN
		    ? sealed_init(&hub->sealed, key)
		    : -EINVAL;
	sign_wipe(key, sizeof(key));
	return r;
}

static int make_others(struct hub *hub, struct router *router)
{
	const struct others_config config = {
		.settings = hub->config,
		.instance = router_instance(router),
		.channel = hub->channel,
		.publisher = hub->publisher,
	};

	return others_new(&config, &others_handler, hub, &hub->others);
}

static int build(struct hub *hub, struct router *router)
{
	int r;

	proof_init(&hub->proof, hub->config->proof_of_life_ms, hub->config->publish_timeout_ms,
		   router_instance(router));
	hub->timer = evtimer_new(hub->base, on_timer, hub);
	if (!hub->timer)
		return -ENOMEM;
	watch_clock(hub);
	r = make_ledger(hub);
	if (r == 0)
		r = make_sealed(hub);
	if (r == 0)
		r = publisher_new(hub->base, hub->config, &hub->sealed, hub->ledger,
				  &hub->publisher);
	if (r == 0)
		r = hub_connection_init(hub);
	if (r == 0)
		r = make_remote(hub, router);
	if (r == 0)
		r = make_channel(hub);
	return r == 0 ? make_others(hub, router) : r;
}

int hub_new(struct event_base *base, const struct config *config, struct router *router,
	    const struct hub_handler *handler, void *data, struct hub **ret_hub)
{
	struct hub *hub = calloc(1, sizeof(*hub));
	int r;

	if (!hub)
		return -ENOMEM;
	hub->base = base;
	hub->config = config;
	hub->handler = handler;
	hub->handler_data = data;
	hub_publications_init(hub);
	r = build(hub, router);
	if (r < 0) {
		hub_free(hub);
		return r;
	}
	channel_start(hub->channel, read_now().ms);
	hub_arm_timer(hub);
	*ret_hub = hub;
	return 0;
}

struct hub *hub_free(struct hub *hub)
{
	struct now now = read_now();

	if (!hub)
		return NULL;
	hub_connection_deinit(hub);
	remote_free(hub->remote, &now);
	others_free(hub->others);
	publisher_free(hub->publisher);
	hub_publications_deinit(hub);
	channel_free(hub->channel);
	clockwatch_free(hub->clockwatch);
	ledger_free(hub->ledger);
	if (hub->timer)
		event_free(hub->timer);
	sealed_deinit(&hub->sealed);
	free(hub);
	return NULL;
}

void hub_reconfigure(struct hub *hub)
{
	const struct channel_config channel = channel_config_of(hub->config);
	const struct remote_limits limits = remote_limits_of(hub->config);

	channel_set_timing(hub->channel, &channel);
	publisher_reconfigure(hub->publisher);
	others_set_max_record(hub->others, hub->config->max_record);
	ledger_set_limit(hub->ledger, hub->config->daily_messages);
	proof_set_times(&hub->proof, hub->config->proof_of_life_ms, hub->config->publish_timeout_ms,
			hub->is_up, read_now().ms);
	hub_arm_timer(hub);
	if (remote_set_limits(hub->remote, &limits, read_now().ms) != 0)
		log_warn("hub", "no memory for %u remote calls at once; the limits of [remote] "
			 "stay as they were", hub->config->max_calls);
}

void hub_reconnect(struct hub *hub)
{
	channel_start(hub->channel, read_now().ms);
	publisher_hurry(hub->publisher);
	hub_arm_timer(hub);
}
