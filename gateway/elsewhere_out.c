/* SPDX-License-Identifier: MIT */
/*
 * Calls to other gateways, going out: see elsewhere_private.h.
 *
 * A call is checked and written as JSON when it is made; what it says of time is written when it
 * is sent. How a request becomes one event or many is ask.h.
 */
#include "gateway/elsewhere_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/ask.h"
#include "gateway/beacons.h"
#include "gateway/elapsed.h"
#include "gateway/record_caller.h"
#include "gateway/record_notes.h"
#include "gateway/remote.h"
#include "gateway/sealed.h"
#include "libchapi-ipc/mp.h"

#define RETRY_AFTER_MS 1000

/* Too much waits to be published. */
static void fail_busy(struct elsewhere *e, struct outward *o, const struct now *now)
{
	CLEANUP(buf_deinit) struct buf details = BUF_NULL;
	struct failure failure = {
		.code = CHAPI_ERR_BUSY,
		.ran = CHAPI_RAN_NO,
		.message = span_str("too much waits to be published already; try again later"),
	};

	mp_put_map(&details, 1);
	mp_put_str(&details, "retry_after_ms");
	mp_put_uint(&details, RETRY_AFTER_MS);
	if (buf_error(&details) == 0)
		failure.details = buf_span(&details);
	elsewhere_finish(e, o, &(struct party_response){
		.failure = &failure, .response_time = now->unix_s,
	});
}

/* A gateway that was started after the first sending must not take a repeat for its own. */
static void note_first(struct elsewhere *e, struct outward *o, const struct now *now)
{
	const struct known *known = elsewhere_find_known(e, o->channel);

	o->sent_ms = now->ms;
	o->sent_unix_s = now->unix_s;
	if (known)
		memcpy(o->instance, known->instance, sizeof(o->instance));
}

const char *elsewhere_reply_of(const struct elsewhere *e, const struct outward *o)
{
	return sealed_is_encrypted(span_str(o->channel)) ? e->sealed_reply : e->reply;
}

/* For how long the first try has been out, at least 1. */
static uint64_t out_ms(const struct outward *o, const struct now *now)
{
	return elapsed_ms(MAX(now->ms - o->sent_ms, UINT64_C(1)), o->sent_unix_s, now);
}

static bool is_first(const struct outward *o)
{
	return o->phase == PHASE_NEW;
}

/* id: room for what it borrows. */
static struct record_ask ask_of(const struct elsewhere *e, const struct outward *o,
				const struct now *now, char id[RECORD_ID_MAX + 1])
{
	elsewhere_put_id(e, o, id);
	return (struct record_ask){
		.id = span_str(id),
		.api = buf_span(&o->api),
		.params = buf_span(&o->params),
		.caller = buf_span(&o->caller),
		.reply_to = span_str(elsewhere_reply_of(e, o)),
		.request_time = o->request_time,
		.timeout_ms = o->deadline_ms - now->ms,
		.progress = o->progress,
		.raw = o->raw,
		.is_repeat = !is_first(o),
		.retry = span_str(o->instance),
		.retry_ms = out_ms(o, now),
	};
}

static bool publish(struct elsewhere *e, const struct outward *o, const char *event,
		    struct span payload, bool is_repeat)
{
	return e->ops.publish(e->data, &(struct elsewhere_publication){
		.channel = span_str(o->channel),
		.event = span_str(event),
		.payload = payload,
		.deadline_ms = o->deadline_ms,
		.is_repeat = is_repeat,
		.serial = is_repeat ? 0 : o->serial,
	});
}

struct sending {
	struct elsewhere *elsewhere;
	const struct outward *outward;
};

static bool on_send(void *data, bool is_part, struct span text)
{
	const struct sending *s = data;
	struct elsewhere *e = s->elsewhere;
	const char *event = is_part ? e->request_part_event : e->config.request_event;

	return publish(e, s->outward, event, text, !is_first(s->outward));
}

int elsewhere_send_events(struct elsewhere *e, const struct outward *o, const struct now *now)
{
	struct sending sending = { .elsewhere = e, .outward = o };
	char id[RECORD_ID_MAX + 1];
	const struct record_ask ask = ask_of(e, o, now, id);

	return ask_send(&ask, o->deadline_ms - o->sent_ms, &e->config.room, span_str(o->channel),
			on_send, &sending);
}

/* Of several events those that found a place are of no use to anybody without the others. */
static void send(struct elsewhere *e, struct outward *o, const struct now *now)
{
	bool is_repeat = !is_first(o);
	uint64_t left_ms = o->deadline_ms - now->ms;

	if (!is_repeat)
		note_first(e, o, now);
	if (elsewhere_send_events(e, o, now) != 0 && !is_repeat) {
		fail_busy(e, o, now);
		return;
	}
	e->status.n_repeated += is_repeat;
	o->was_sent = true;
	o->phase = is_repeat ? PHASE_REPEATED : PHASE_SENT;
	elsewhere_set_timer(e, o, is_repeat ? o->deadline_ms
					    : now->ms + MAX(left_ms / 2, UINT64_C(1)));
}

/* Sends it, or leaves it to elsewhere_ready(). */
void elsewhere_send_when_ready(struct elsewhere *e, struct outward *o, const struct now *now)
{
	if (e->ops.is_ready(e->data, elsewhere_reply_of(e, o)))
		send(e, o, now);
	else
		elsewhere_set_timer(e, o, o->deadline_ms);
}

static bool waits_for(const struct elsewhere *e, const struct outward *o, const char *channel)
{
	return (o->phase == PHASE_NEW || o->phase == PHASE_REPEAT) &&
	       strcmp(elsewhere_reply_of(e, o), channel) == 0;
}

void elsewhere_ready(struct elsewhere *e, const char *channel, const struct now *now)
{
	struct outward *o, *tmp;

	for (size_t i = 0; i < ELSEWHERE_CHAINS; i++)
		list_for_each_safe(o, tmp, &e->chains[i], struct outward, link)
			if (waits_for(e, o, channel) && now->ms < o->deadline_ms)
				send(e, o, now);
}

/* ---- calls ------------------------------------------------------------------------------ */

static int refuse(struct elsewhere_fault *fault, int code, const char *text)
{
	*fault = (struct elsewhere_fault){ .code = code };
	snprintf(fault->text, sizeof(fault->text), "%s", text);
	return ELSEWHERE_E_REFUSED;
}

static bool is_gateway_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '-';
}

static bool is_gateway(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_gateway_char(name.p[i]))
			return false;
	return name.len > 0 && name.len + strlen(BEACON_PREFIX) <= ELSEWHERE_TO_MAX;
}

/* A name becomes a channel. 0 or ELSEWHERE_E_REFUSED. */
static int read_to(const struct elsewhere *e, struct span to,
		   char ret[ELSEWHERE_TO_MAX + 1], struct elsewhere_fault *fault)
{
	bool is_channel = span_begins(to, "private-");

	if (sealed_is_encrypted(to) && !e->config.has_key)
		return refuse(fault, CHAPI_ERR_FAILED_PRECONDITION,
			      "calls to an encrypted channel need the app's master key, see "
			      "encryption_master_key_file in chapi-gw.conf(5)");
	if (is_channel ? !channel_name_is_valid(to) : !is_gateway(to))
		return refuse(fault, CHAPI_ERR_INVALID_ARGUMENT,
			      "option 'to' has to be the name of a gateway (letters, digits, '_', "
			      "'.' and '-'), or a channel that begins with private-");
	snprintf(ret, ELSEWHERE_TO_MAX + 1, "%s%.*s", is_channel ? "" : BEACON_PREFIX, (int)to.len,
		 (const char *)to.p);
	return 0;
}

/* What cannot be sent is told before anything is begun. */
static int check_size(struct elsewhere *e, const struct outward *o, const struct now *now,
		      struct elsewhere_fault *fault)
{
	char id[RECORD_ID_MAX + 1];
	const struct record_ask ask = ask_of(e, o, now, id);
	size_t size = ask_size(&ask);
	size_t room = room_of_event(&e->config.room, span_str(o->channel));
	size_t limit = MAX(room, e->config.max_record);

	if (size == 0)
		return -ENOMEM;
	if (size <= limit)
		return 0;
	*fault = (struct elsewhere_fault){
		.code = CHAPI_ERR_TOO_LARGE, .size = size, .limit = limit,
	};
	snprintf(fault->text, sizeof(fault->text), "the request has %zu bytes, more than the %zu "
		 "that go over the hub (max_record)", size, limit);
	return ELSEWHERE_E_REFUSED;
}

static int fill(struct elsewhere *e, struct outward *o, const struct elsewhere_call *call,
		const struct now *now, struct elsewhere_fault *fault)
{
	struct value_fault why;
	char text[300];
	int r = read_to(e, call->to, o->channel, fault);

	if (r != 0)
		return r;
	r = value_to_json(call->params, MP_VALUE_DEPTH_MAX, &o->params, &why);
	if (r > 0) {
		snprintf(text, sizeof(text),
			 "the params have no form in JSON, as which they travel: %s", why.text);
		return refuse(fault, CHAPI_ERR_INVALID_ARGUMENT, text);
	}
	buf_put(&o->api, call->api.p, call->api.len);
	buf_put(&o->caller, call->caller.p, MIN(call->caller.len, (size_t)RECORD_CALLER_MAX));
	if (r == 0)
		r = buf_error(&o->api);
	if (r == 0)
		r = buf_error(&o->caller);
	return r < 0 ? r : check_size(e, o, now, fault);
}

int elsewhere_call(struct elsewhere *e, const struct elsewhere_call *call, const struct now *now,
		   uint64_t *ret_serial, struct elsewhere_fault *ret_fault)
{
	struct outward *o;
	int r;

	if (!e->ops.is_up(e->data))
		return refuse(ret_fault, CHAPI_ERR_HUB_DOWN,
			      "the hub, over which other gateways are reached, is not connected");
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	list_init(&o->link);
	timer_init(&o->timer);
	o->serial = e->n_serials + 1;
	o->call = call->call;
	o->progress = call->progress;
	o->raw = call->raw;
	o->request_time = call->request_time;
	o->deadline_ms = now->ms + (uint64_t)call->timeout_ms;
	r = fill(e, o, call, now, ret_fault);
	if (r != 0) {
		elsewhere_drop(e, o);
		return r;
	}
	*ret_serial = ++e->n_serials;
	list_add_tail(&e->chains[o->serial % ELSEWHERE_CHAINS], &o->link);
	e->status.n_waiting++;
	e->status.n_calls++;
	/* From the timer, as nobody may be answered before this has returned. */
	elsewhere_set_timer(e, o, now->ms);
	return 0;
}

bool elsewhere_cancel(struct elsewhere *e, uint64_t serial)
{
	CLEANUP(buf_deinit) struct buf cancel = BUF_NULL;
	struct outward *o = elsewhere_find(e, serial);
	char id[RECORD_ID_MAX + 1];
	bool was_sent;

	if (!o)
		return false;
	was_sent = o->was_sent;
	elsewhere_put_id(e, o, id);
	record_cancel_put(span_str(id), &cancel);
	if (was_sent && o->phase != PHASE_LATE && buf_error(&cancel) == 0)
		publish(e, o, REMOTE_CANCEL_EVENT, buf_span(&cancel), true);
	elsewhere_drop(e, o);
	return was_sent;
}

bool elsewhere_put_beacon(const struct outward *o, char *ret, size_t len)
{
	struct span channel = span_str(o->channel);
	const char *prefix = span_begins(channel, ELSEWHERE_SEALED_PREFIX)
				     ? ELSEWHERE_SEALED_PREFIX : BEACON_PREFIX;
	int n;

	if (!span_begins(channel, prefix))
		return false;
	n = snprintf(ret, len, BEACON_PREFIX "%s" BEACON_SUFFIX, o->channel + strlen(prefix));
	return n > 0 && n <= ELSEWHERE_TO_MAX;
}
