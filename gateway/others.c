/* SPDX-License-Identifier: MIT */
/*
 * The hub side of other gateways: see others.h.
 *
 * What is on its way (an event, a question) has a ticket that knows a call's number only, so a
 * call may end before its ticket.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/others.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/beacons.h"
#include "gateway/channel.h"
#include "gateway/publisher.h"
#include "gateway/turn.h"
#include "libchapi-ipc/list.h"
#include "libchapi-ipc/mp.h"

struct ticket {
	struct list link;
	struct others *others;
	uint64_t number;	/* of a call, or of a question of a local process */
};

struct others {
	const struct config *config;
	struct channel *channel;
	struct publisher *publisher;
	struct elsewhere *elsewhere;
	const struct others_handler *handler;
	void *data;
	struct list tickets;
	char *beacon;		/* the channel by which others see us */
};

static struct ticket *ticket_new(struct others *others, uint64_t number)
{
	struct ticket *ticket = malloc(sizeof(*ticket));

	if (!ticket)
		return NULL;
	*ticket = (struct ticket){ .others = others, .number = number };
	list_init(&ticket->link);
	list_add_tail(&others->tickets, &ticket->link);
	return ticket;
}

static void ticket_free(struct ticket *ticket)
{
	list_del(&ticket->link);
	free(ticket);
}

/* ---- which there are -------------------------------------------------------------------- */

static void on_listed(void *data, struct span body, const char *error)
{
	CLEANUP(buf_deinit) struct buf list = BUF_NULL;
	struct ticket *ticket = data;
	struct others *others = ticket->others;
	uint64_t id = ticket->number;
	int r = error ? 0 : beacons_read(body, others->config->name, &list);

	ticket_free(ticket);
	if (r != 0)
		error = r < 0 ? "no memory for its answer" : "its answer is no list of channels";
	others->handler->listed(others->data, id, buf_span(&list), error);
}

int others_list(struct others *others, uint64_t id)
{
	struct ticket *ticket = ticket_new(others, id);
	int r;

	if (!ticket)
		return -ENOMEM;
	r = publisher_ask(others->publisher, "channels", BEACONS_QUERY, on_listed, ticket);
	if (r < 0)
		ticket_free(ticket);
	return r;
}

/* ---- what calls want -------------------------------------------------------------------- */

static bool op_is_up(void *data)
{
	struct others *others = data;
	struct channel_status status;

	channel_status(others->channel, &status);
	return status.state == CHANNEL_UP;
}

static bool op_is_ready(void *data, const char *channel)
{
	struct others *others = data;

	if (channel_has(others->channel, channel))
		return true;
	if (channel_add(others->channel, channel, read_now().ms) < 0)
		log_warn("hub", "no memory to subscribe to %s", channel);
	return false;
}

static void on_published(void *data, const struct outbox_end *end)
{
	struct ticket *ticket = data;
	struct others *others = ticket->others;
	uint64_t serial = ticket->number;
	struct now now = read_now();

	ticket_free(ticket);
	if (end->in_doubt)
		elsewhere_doubted(others->elsewhere, serial, &now);
	else if (end->error)
		elsewhere_refused(others->elsewhere, serial, end->status, end->error, &now);
}

/* Our own connection gets it too: a gateway may call itself. */
static bool op_publish(void *data, const struct elsewhere_publication *publication)
{
	struct others *others = data;
	const struct outbox_event event = {
		.channel = publication->channel,
		.event = publication->event,
		.payload = publication->payload,
		.has_id = publication->is_repeat,
		.is_renewed = !publication->is_repeat,
		.deadline_ms = publication->deadline_ms,
		.on_time = true,	/* a repeat relies on it: see retry_ms in chapi-remote(7) */
	};
	struct ticket *ticket;

	if (publication->serial == 0)
		return publisher_publish(others->publisher, &event, NULL, NULL) == 0;
	ticket = ticket_new(others, publication->serial);
	if (!ticket)
		return false;
	if (publisher_publish(others->publisher, &event, on_published, ticket) == 0)
		return true;
	ticket_free(ticket);
	return false;
}

static void on_seen(void *data, struct span body, const char *error)
{
	struct ticket *ticket = data;
	struct others *others = ticket->others;
	uint64_t serial = ticket->number;
	struct now now = read_now();
	bool occupied;

	ticket_free(ticket);
	if (!error && beacon_read(body, &occupied) == 0)
		elsewhere_seen(others->elsewhere, serial, occupied, &now);
}

static void op_ask(void *data, const char *channel, uint64_t serial)
{
	struct others *others = data;
	struct ticket *ticket = ticket_new(others, serial);
	char what[ELSEWHERE_TO_MAX + 20];

	if (!ticket)
		return;
	snprintf(what, sizeof(what), "channels/%s", channel);
	if (publisher_ask(others->publisher, what, NULL, on_seen, ticket) < 0)
		ticket_free(ticket);
}

static void op_answer(void *data, void *call, const struct party_response *response)
{
	struct others *others = data;

	others->handler->answer(others->data, call, response);
}

static void op_progress(void *data, void *call, struct span value)
{
	struct others *others = data;

	others->handler->progress(others->data, call, value);
}

static void op_timer(void *data)
{
	struct others *others = data;

	others->handler->timer(others->data);
}

static const struct elsewhere_ops ops = {
	.is_up = op_is_up,
	.is_ready = op_is_ready,
	.publish = op_publish,
	.ask = op_ask,
	.answer = op_answer,
	.progress = op_progress,
	.timer = op_timer,
};

/* ---- handed on -------------------------------------------------------------------------- */

int others_call(struct others *others, const struct elsewhere_call *call, const struct now *now,
		uint64_t *ret_serial, struct elsewhere_fault *ret_fault)
{
	return elsewhere_call(others->elsewhere, call, now, ret_serial, ret_fault);
}

void others_set_max_record(struct others *others, size_t max_record)
{
	elsewhere_set_max_record(others->elsewhere, max_record);
}

bool others_cancel(struct others *others, uint64_t serial)
{
	return elsewhere_cancel(others->elsewhere, serial);
}

void others_added(struct others *others, const char *name)
{
	struct now now = read_now();

	log_debug("hub", "subscribed to %s", name);
	elsewhere_ready(others->elsewhere, name, &now);
}

bool others_listens(const struct others *others, struct span channel)
{
	return elsewhere_listens(others->elsewhere, channel);
}

bool others_event(struct others *others, struct span channel, struct span event,
		  struct span payload, const struct now *now)
{
	return others_listens(others, channel) &&
	       elsewhere_event(others->elsewhere, channel, event, payload, now);
}

uint64_t others_next_ms(const struct others *others)
{
	return elsewhere_next_ms(others->elsewhere);
}

void others_tick(struct others *others, const struct now *now)
{
	elsewhere_tick(others->elsewhere, now);
}

static void put_number(struct buf *out, const char *key, uint64_t number)
{
	mp_put_str(out, key);
	mp_put_uint(out, number);
}

void others_put_status(const struct others *others, struct buf *out)
{
	struct elsewhere_status status;

	elsewhere_status(others->elsewhere, &status);
	mp_put_map(out, 5);
	put_number(out, "calls", status.n_calls);
	put_number(out, "answers", status.n_answers);
	put_number(out, "repeated", status.n_repeated);
	put_number(out, "ignored", status.n_ignored);
	put_number(out, "waiting", status.n_waiting);
}

/* ---- life ------------------------------------------------------------------------------- */

static int build(struct others *others, const char *instance)
{
	const struct config *config = others->config;
	const struct elsewhere_config elsewhere = {
		.name = config->name,
		.instance = instance,
		.request_event = config->request_event,
		.response_event = config->response_event,
		.room = publisher_room(config),
		.max_record = config->max_record,
		.has_key = config->master_key,
	};

	if (asprintf(&others->beacon, BEACON_PREFIX "%s" BEACON_SUFFIX, config->name) < 0) {
		others->beacon = NULL;
		return -ENOMEM;
	}
	if (elsewhere_new(&elsewhere, &ops, others, read_now().ms, &others->elsewhere) < 0)
		return -ENOMEM;
	return channel_add(others->channel, others->beacon, read_now().ms);
}

int others_new(const struct others_config *config, const struct others_handler *handler,
	       void *data, struct others **ret_others)
{
	struct others *others = calloc(1, sizeof(*others));
	int r;

	if (!others)
		return -ENOMEM;
	*others = (struct others){
		.config = config->settings, .channel = config->channel,
		.publisher = config->publisher, .handler = handler, .data = data,
	};
	list_init(&others->tickets);
	r = build(others, config->instance);
	if (r < 0) {
		others_free(others);
		return r;
	}
	*ret_others = others;
	return 0;
}

struct others *others_free(struct others *others)
{
	struct ticket *ticket;

	if (!others)
		return NULL;
	while ((ticket = list_first(&others->tickets, struct ticket, link)))
		ticket_free(ticket);
	elsewhere_free(others->elsewhere);
	free(others->beacon);
	free(others);
	return NULL;
}
