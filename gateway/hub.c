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
 * The channel decides; this file does what it says: looks the name up for each try, takes
 * the addresses in turn as long as none of them greets us, and keeps one timer for the channel
 * and the proof of life. What is told of it: hub_status.c.
 */
#include <config.h>	/* _GNU_SOURCE, PACKAGE_VERSION */

#include "gateway/hub_private.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/clockwatch.h"
#include "gateway/ledger.h"
#include "gateway/others.h"
#include "gateway/resolve.h"
#include "gateway/sign.h"
#include "gateway/turn.h"
#include "gateway/ws.h"
#include "libchapi-ipc/base64.h"

#define CLIENT_NAME "chapi-gw"
#define CONFLICT_QUIET_MS 600000	/* two gateways of one name are logged once in this time */
#define IGNORED_QUIET_MS 600000		/* likewise events that are none of ours */
#define PROXY_PORT 3128		/* if the setting names none */

/* Whose publication has to be told of. */
struct proof_ticket {
	struct list link;
	struct hub *hub;
	uint64_t number;
};

/* An event of a local process's own, on its way. */
struct publication {
	struct list link;
	struct hub *hub;
	uint64_t id;
};

static struct now read_now(void)
{
	struct turn turn = { .known = false };

	return *turn_now(&turn);
}

/* After anything that happened to the channel or the proof. */
static void arm_timer(struct hub *hub)
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

/* What can be done without is left out then. */
static bool is_budget_low(struct hub *hub)
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

static void proof_ticket_free(struct proof_ticket *ticket)
{
	list_del(&ticket->link);
	free(ticket);
}

static void on_proof_published(void *data, const struct outbox_end *end)
{
	struct proof_ticket *ticket = data;
	struct hub *hub = ticket->hub;

	proof_published(&hub->proof, ticket->number, !end->error, read_now().ms);
	proof_ticket_free(ticket);
	arm_timer(hub);
}

static int publish_proof(struct hub *hub, struct proof_ticket *ticket)
{
	CLEANUP(buf_deinit) struct buf payload = BUF_NULL;
	int r;

	proof_put(&hub->proof, &payload);
	r = buf_error(&payload);
	if (r < 0)
		return r;
	return publisher_publish(hub->publisher, &(struct outbox_event){
		.channel = span_str(hub->config->channels[0]),
		.event = span_str(PROOF_EVENT),
		.payload = buf_span(&payload),
		.has_id = true,
		.deadline_ms = read_now().ms,
	}, on_proof_published, ticket);
}

static void send_proof(struct hub *hub, uint64_t now_ms)
{
	struct proof_ticket *ticket = is_budget_low(hub) ? NULL : calloc(1, sizeof(*ticket));

	if (ticket) {
		ticket->hub = hub;
		ticket->number = hub->proof.number;
		list_add_tail(&hub->proof_tickets, &ticket->link);
		if (publish_proof(hub, ticket) == 0)
			return;
		proof_ticket_free(ticket);
	}
	proof_published(&hub->proof, hub->proof.number, false, now_ms);
}

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
		send_proof(hub, now_ms);
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
	arm_timer(hub);
}

/* ---- the connection -------------------------------------------------------------------------- */

/* A try that ends before the hub has greeted us speaks against the address: the next one has its
 * turn. */
static void note_end(struct hub *hub)
{
	struct channel_status status;

	channel_status(hub->channel, &status);
	if (!*status.socket_id)
		hub->turn++;
}

static void on_opened(void *data)
{
	struct hub *hub = data;

	hub->clock_trouble = false;
	channel_opened(hub->channel, read_now().ms);
	arm_timer(hub);
}

static void on_frame(void *data, struct span text)
{
	struct hub *hub = data;

	channel_frame(hub->channel, text, read_now().ms);
	arm_timer(hub);
}

static void on_closed(void *data, unsigned int code, struct span why)
{
	struct hub *hub = data;

	note_end(hub);
	hub->clock_trouble = code == WS_CODE_TIME;
	channel_closed(hub->channel, code == WS_CODE_TIME ? 0 : code, why, read_now().ms);
	arm_timer(hub);
}

static const struct ws_handler ws_handler = {
	.opened = on_opened,
	.frame = on_frame,
	.closed = on_closed,
};

static int connect_to(struct hub *hub, const char *address)
{
	const struct config *config = hub->config;
	const struct ws_target target = {
		.address = address,
		.host = config->host,
		.port = config->port,
		.tls = config->tls,
		.path = hub->path,
		.ca_file = config->ca_file,
		.origin = config->origin,
		.proxy_port = hub->proxy_host ? hub->proxy_port : 0,
		.proxy_auth = hub->proxy_auth,
	};

	log_debug("hub", "connecting to %s port %u", address,
		  target.proxy_port ? target.proxy_port : target.port);
	return ws_connect(hub->ws, &target);
}

static void on_resolved(void *data, const struct resolve_result *result)
{
	struct hub *hub = data;
	int r;

	hub->resolve = resolve_free(hub->resolve);
	if (*result->error) {
		on_closed(hub, 0, span_str(result->error));
		return;
	}
	r = connect_to(hub, result->addresses[hub->turn % result->n]);
	if (r < 0)
		on_closed(hub, 0, span_str(strerror(-r)));
}

/* ---- what the channel wants ------------------------------------------------------------------ */

static void op_connect(void *data)
{
	struct hub *hub = data;
	const char *host = hub->proxy_host ? hub->proxy_host : hub->config->host;
	int r;

	hub->clock_trouble = false;
	hub->resolve = resolve_free(hub->resolve);
	r = resolve_new(hub->base, host, on_resolved, hub, &hub->resolve);
	if (r < 0)
		channel_closed(hub->channel, 0, span_str(strerror(-r)), read_now().ms);
}

static void op_disconnect(void *data)
{
	struct hub *hub = data;

	note_end(hub);
	hub->resolve = resolve_free(hub->resolve);
	ws_close(hub->ws);
}

static void op_send(void *data, struct span frame)
{
	struct hub *hub = data;
	int r = ws_send(hub->ws, frame);

	if (r < 0)
		log_warn("hub", "a frame cannot be sent: %s", strerror(-r));
}

/* Each takes requests that are meant for the other. */
static void log_conflict(struct hub *hub, uint64_t now_ms)
{
	struct remote_status status;

	remote_status(hub->remote, &status);
	if (status.n_name_conflicts == 0 || status.conflict_ms != now_ms ||
	    (hub->conflict_logged_ms > 0 && now_ms - hub->conflict_logged_ms < CONFLICT_QUIET_MS))
		return;
	hub->conflict_logged_ms = now_ms;
	log_warn("hub",
		 "another gateway (instance %s) answers as '%s' too: "
		 "give one of them another name",
		 status.conflict, hub->config->name);
}

/* On a channel that is shared much of it is for others, so a line now and then has to do. */
static void log_ignored(struct hub *hub, struct span channel, struct span event, uint64_t now_ms)
{
	struct remote_status status;
	uint64_t n;

	remote_status(hub->remote, &status);
	n = status.n_ignored - hub->n_ignored_logged;
	if (n == 0 ||
	    (hub->ignored_logged_ms > 0 && now_ms - hub->ignored_logged_ms < IGNORED_QUIET_MS))
		return;
	hub->n_ignored_logged = status.n_ignored;
	hub->ignored_logged_ms = now_ms;
	log_info("hub",
		 "event '%s' on %s is ignored, as it is none for this gateway "
		 "(%llu such events since the last line like this)",
		 LOG_TEXT(event), LOG_TEXT(channel), (unsigned long long)n);
}

/* Somebody has another key, or the hub relays what was sent in clear. */
static void note_unreadable(struct hub *hub, struct span channel)
{
	if (hub->n_unreadable++ == 0)
		log_warn("hub",
			 "an event on %s is not encrypted with our master key, and ignored, "
			 "as others like it will be",
			 LOG_TEXT(channel));
}

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
		note_unreadable(hub, channel);
	} else if (span_is(event, PROOF_EVENT)) {
		count_delivery(hub);
		proof_event(&hub->proof, text, now.ms);
	} else if (!others_event(hub->others, channel, event, text, &now)) {
		remote_event(hub->remote, channel, event, text, &now);
		log_conflict(hub, now.ms);
		log_ignored(hub, channel, event, now.ms);
	}
}

static void log_up(const struct hub *hub)
{
	const struct config *config = hub->config;
	char names[400] = "";
	size_t len = 0;

	for (size_t i = 0; i < config->n_channels && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, " %s",
					config->channels[i]);
	log_info("hub", "connected to %s, subscribed to%s", config->host, names);
}

/* The same trouble again is news for those only who want to know everything. */
static void log_trouble(struct hub *hub, const char *reason)
{
	struct channel_status status;
	enum log_level level;
	uint64_t ms;

	channel_status(hub->channel, &status);
	ms = hub_next_try_in_ms(&status, read_now().ms);
	level = strcmp(reason, hub->logged) == 0 ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN;
	snprintf(hub->logged, sizeof(hub->logged), "%s", reason);
	if (status.state == CHANNEL_WAITING)
		log_write(level, "hub", "not connected: %s; next try in %llu.%llu s", reason,
			  (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000 / 100));
	else
		log_write(level, "hub", "%s", reason);
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
		proof_up(&hub->proof, read_now().ms);
		publisher_hub_is_back(hub->publisher);
	} else {
		proof_down(&hub->proof);
	}
}

static void op_state(void *data, enum channel_state state, const char *reason)
{
	struct hub *hub = data;

	hub->handler->changed(hub->handler_data, hub_state_name(state), reason);
	share_state(hub, state == CHANNEL_UP);
	if (*reason) {
		log_trouble(hub, reason);
	} else if (state == CHANNEL_UP) {
		hub->logged[0] = '\0';
		log_up(hub);
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
	.connect = op_connect,
	.disconnect = op_disconnect,
	.send = op_send,
	.event = op_event,
	.added = op_added,
	.state = op_state,
};

/* ---- what the remote side wants -------------------------------------------------------------- */

/* Progress of a remote call, on its way. */
struct hub_progress {
	struct list link;
	struct hub *hub;
	void *of;
};

static void progress_free(struct hub_progress *progress)
{
	list_del(&progress->link);
	free(progress);
}

static void on_answer_published(void *data, const struct outbox_end *end)
{
	remote_published(data, end->status);
}

static void on_progress_published(void *data, const struct outbox_end *end UNUSED)
{
	struct hub_progress *progress = data;
	struct hub *hub = progress->hub;

	remote_progress_published(progress->of);
	progress_free(progress);
	arm_timer(hub);
}

/* Answers go before: where they have to wait, or little is left of the day's budget, progress is
 * left out. */
static bool publish_progress(struct hub *hub, const struct outbox_event *event, void *of)
{
	struct hub_progress *progress;
	struct outbox_status status;

	publisher_status(hub->publisher, &status);
	if (is_budget_low(hub) || status.pause != OUTBOX_RUNNING ||
	    status.bytes_waiting > hub->config->publish_queue / 2)
		return false;
	progress = malloc(sizeof(*progress));
	if (!progress)
		return false;
	*progress = (struct hub_progress){ .hub = hub, .of = of };
	list_init(&progress->link);
	list_add_tail(&hub->progress, &progress->link);
	if (publisher_publish(hub->publisher, event, on_progress_published, progress) == 0)
		return true;
	progress_free(progress);
	return false;
}

/* Our own connection does not get it: it would come back to us, and count. But for what we asked
 * ourselves. */
static bool op_publish(void *data, const struct remote_publication *publication)
{
	struct hub *hub = data;
	const struct outbox_event event = {
		.channel = publication->channel,
		.event = publication->event,
		.payload = publication->payload,
		.exclude_own = !others_listens(hub->others, publication->channel),
		.has_id = publication->has_id,
		.deadline_ms = MAX(publication->deadline_ms, read_now().ms),
	};
	int r;

	if (publication->progress_of)
		return publish_progress(hub, &event, publication->progress_of);
	r = publisher_publish(hub->publisher, &event, on_answer_published, publication->answer);
	if (r == 0)
		return true;
	if (hub->n_dropped++ == 0)
		log_warn("hub", "an answer is lost: %s", r == PUBLISHER_E_FULL ?
			 "too much waits to be published, see publish_queue" : strerror(-r));
	return false;
}

static void op_timer(void *data)
{
	arm_timer(data);
}

static const struct remote_ops remote_ops = {
	.publish = op_publish,
	.timer = op_timer,
};

/* ---- events of local processes --------------------------------------------------------------- */

static void publication_free(struct publication *p)
{
	list_del(&p->link);
	free(p);
}

/* Whether it may have been sent on is known to the outbox only: one of its tries may be in doubt.
 */
static void on_published(void *data, const struct outbox_end *end)
{
	struct publication *p = data;
	struct hub *hub = p->hub;
	uint64_t id = p->id;
	bool refused = end->status >= 400 && end->status < 500 && end->status != 408 &&
		       end->status != 429;

	publication_free(p);
	hub->handler->published(hub->handler_data, id,
				refused ? CHAPI_ERR_FAILED_PRECONDITION : CHAPI_ERR_HUB_DOWN,
				end->in_doubt ? CHAPI_RAN_UNKNOWN : CHAPI_RAN_NO, end->error);
}

int hub_publish(struct hub *hub, struct span channel, struct span event, struct span text,
		uint64_t id)
{
	const struct outbox_event out = {
		.channel = channel,
		.event = event,
		.payload = text,
		.deadline_ms = read_now().ms + hub->config->publish_timeout_ms,
	};
	struct publication *p = malloc(sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct publication){ .hub = hub, .id = id };
	list_init(&p->link);
	list_add_tail(&hub->publications, &p->link);
	r = publisher_publish(hub->publisher, &out, on_published, p);
	if (r == 0)
		return 0;
	publication_free(p);
	return r == PUBLISHER_E_FULL ? -ENOBUFS : r == PUBLISHER_E_NO_KEY ? -ENOKEY : r;
}

bool hub_withdraw(struct hub *hub, uint64_t id)
{
	struct publication *p;

	list_for_each(p, &hub->publications, struct publication, link)
		if (p->id == id)
			break;
	if (&p->link == &hub->publications || !publisher_withdraw(hub->publisher, p))
		return false;
	publication_free(p);
	return true;
}

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
	arm_timer(data);
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

bool hub_is_idle(const struct hub *hub)
{
	struct outbox_status status;

	publisher_status(hub->publisher, &status);
	return status.n_waiting == 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* "http://[USER:PASSWORD@]HOST[:PORT]"; an IPv6 address stands in brackets. */
static bool parse_proxy(struct hub *hub, const char *text)
{
	const char *host, *end, *at;

	if (strncmp(text, "http://", 7) == 0)
		text += 7;
	at = strrchr(text, '@');
	if (at && !(hub->proxy_auth = strndup(text, (size_t)(at - text))))
		return false;
	host = at ? at + 1 : text;
	end = host + strcspn(host, *host == '[' ? "]/" : ":/");
	if (*host == '[')
		host++;
	hub->proxy_host = strndup(host, (size_t)(end - host));
	end += *end == ']';
	hub->proxy_port = *end == ':' ? (unsigned int)strtoul(end + 1, NULL, 10) : 0;
	if (hub->proxy_port == 0 || hub->proxy_port > 65535)
		hub->proxy_port = PROXY_PORT;
	return hub->proxy_host;
}

static int make_path(struct hub *hub)
{
	const struct config *config = hub->config;

	if (config->proxy && !parse_proxy(hub, config->proxy))
		return -ENOMEM;
	if (asprintf(&hub->path,
		     "%s/app/%s?protocol=7&client=" CLIENT_NAME "&version=" PACKAGE_VERSION,
		     config->path_prefix ? config->path_prefix : "", config->key) < 0) {
		hub->path = NULL;
		return -ENOMEM;
	}
	return 0;
}

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
	struct hub *hub = data;

	log_info("hub", "this machine's clock was set");
	publisher_clock_set(hub->publisher);
	if (!hub->clock_trouble)
		return;
	hub->clock_trouble = false;
	channel_start(hub->channel, read_now().ms);
	arm_timer(hub);
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

static int build(struct hub *hub, struct router *router)
{
	int r;

	proof_init(&hub->proof, hub->config->proof_of_life_ms, hub->config->publish_timeout_ms,
		   router_instance(router));
	hub->timer = evtimer_new(hub->base, on_timer, hub);
	if (!hub->timer)
		return -ENOMEM;
	watch_clock(hub);
	r = make_path(hub);
	if (r == 0)
		r = make_ledger(hub);
	if (r == 0)
		r = make_sealed(hub);
	if (r == 0)
		r = publisher_new(hub->base, hub->config, &hub->sealed, hub->ledger,
				  &hub->publisher);
	if (r == 0)
		r = ws_new(hub->base, &ws_handler, hub, &hub->ws);
	if (r == 0)
		r = make_remote(hub, router);
	if (r == 0)
		r = make_channel(hub);
	if (r == 0)
		r = others_new(hub->config, router_instance(router), hub->channel, hub->publisher,
			       &others_handler, hub, &hub->others);
	return r;
}

int hub_new(struct event_base *base, const struct config *config, struct router *router,
	    const struct hub_handler *handler, void *data, struct hub **ret_hub)
{
	struct hub *hub = calloc(1, sizeof(*hub));
	int r;

	if (!hub)
		return -ENOMEM;
	list_init(&hub->proof_tickets);
	hub->base = base;
	hub->config = config;
	hub->handler = handler;
	hub->handler_data = data;
	list_init(&hub->publications);
	list_init(&hub->progress);
	r = build(hub, router);
	if (r < 0) {
		hub_free(hub);
		return r;
	}
	channel_start(hub->channel, read_now().ms);
	arm_timer(hub);
	*ret_hub = hub;
	return 0;
}

struct hub *hub_free(struct hub *hub)
{
	struct publication *publication;
	struct hub_progress *progress;
	struct proof_ticket *ticket, *tmp;
	struct now now = read_now();

	if (!hub)
		return NULL;
	resolve_free(hub->resolve);
	ws_free(hub->ws);
	remote_free(hub->remote, &now);
	others_free(hub->others);
	publisher_free(hub->publisher);
	while ((publication = list_first(&hub->publications, struct publication, link)))
		publication_free(publication);
	while ((progress = list_first(&hub->progress, struct hub_progress, link)))
		progress_free(progress);
	channel_free(hub->channel);
	clockwatch_free(hub->clockwatch);
	ledger_free(hub->ledger);
	list_for_each_safe(ticket, tmp, &hub->proof_tickets, struct proof_ticket, link)
		proof_ticket_free(ticket);
	if (hub->timer)
		event_free(hub->timer);
	sealed_deinit(&hub->sealed);
	free(hub->path);
	free(hub->proxy_host);
	if (hub->proxy_auth)
		sign_wipe(hub->proxy_auth, strlen(hub->proxy_auth));
	free(hub->proxy_auth);
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
	arm_timer(hub);
	if (remote_set_limits(hub->remote, &limits, read_now().ms) != 0)
		log_warn("hub", "no memory for %u remote calls at once; the limits of [remote] "
			 "stay as they were", hub->config->max_calls);
}

void hub_reconnect(struct hub *hub)
{
	channel_start(hub->channel, read_now().ms);
	publisher_hurry(hub->publisher);
	arm_timer(hub);
}
