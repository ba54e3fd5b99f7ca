/* SPDX-License-Identifier: MIT */
/*
 * Calls to other gateways that wait, and when their time is over: see elsewhere_private.h.
 *
 * A call's id on the hub is our instance and the call's serial number: unique, and found again
 * by the number. Which instance answers for a channel is remembered for a few channels, as a
 * repeat has to say which one the first try went to: a gateway that has started anew in between
 * must not run it a second time.
 */
#include "gateway/elsewhere_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/beacons.h"
#include "gateway/text.h"

#define GRACE_MS 2000		/* beyond a call's time, for an answer that is on its way */
#define REPLY_SUFFIX "@reply"
/* Answers in parts: how many at once, how much of all of them, and until when. */
#define ASSEMBLY_MAX 16
#define ASSEMBLY_BYTES ((size_t)4 << 20)	/* or four times max_record */
#define ASSEMBLY_MS 30000

/* ---- calls ------------------------------------------------------------------------------ */

struct outward *elsewhere_find(struct elsewhere *e, uint64_t serial)
{
	struct outward *o;

	list_for_each(o, &e->chains[serial % ELSEWHERE_CHAINS], struct outward, link)
		if (o->serial == serial)
			return o;
	return NULL;
}

void elsewhere_drop(struct elsewhere *e, struct outward *o)
{
	if (!o)
		return;
	if (!list_empty(&o->link))
		e->status.n_waiting--;
	list_del(&o->link);
	timers_del(&e->timers, &o->timer);
	buf_deinit(&o->params);
	buf_deinit(&o->api);
	buf_deinit(&o->caller);
	free(o);
}

void elsewhere_put_id(const struct elsewhere *e, const struct outward *o,
		      char ret[RECORD_ID_MAX + 1])
{
	snprintf(ret, RECORD_ID_MAX + 1, "%.40s-%" PRIx64, e->config.instance, o->serial);
}

/* The number in an id that we gave; 0: it is none of ours. */
static uint64_t find_serial(const struct elsewhere *e, struct span id)
{
	char text[RECORD_ID_MAX + 1], own[RECORD_ID_MAX + 1];
	struct outward given = { .serial = 0 };
	char *dash;

	snprintf(text, sizeof(text), "%.*s", (int)id.len, id.len ? (const char *)id.p : "");
	dash = strrchr(text, '-');
	if (dash)
		given.serial = strtoull(dash + 1, NULL, 16);
	elsewhere_put_id(e, &given, own);
	return given.serial <= e->n_serials && span_is(id, own) ? given.serial : 0;
}

struct outward *elsewhere_find_by_id(struct elsewhere *e, struct span id)
{
	uint64_t serial = find_serial(e, id);

	return serial > 0 ? elsewhere_find(e, serial) : NULL;
}

bool elsewhere_is_over(struct elsewhere *e, struct span id)
{
	uint64_t serial = find_serial(e, id);

	return serial > 0 && !elsewhere_find(e, serial);
}

void elsewhere_finish(struct elsewhere *e, struct outward *o, const struct party_response *response)
{
	void *call = o->call;

	elsewhere_drop(e, o);
	e->status.n_answers++;
	e->ops.answer(e->data, call, response);
}

void elsewhere_fail(struct elsewhere *e, struct outward *o, int code, enum chapi_ran ran,
		    const char *message, const struct now *now)
{
	const struct failure failure = { .code = code, .ran = ran, .message = span_str(message) };

	elsewhere_finish(e, o, &(struct party_response){
		.failure = &failure, .response_time = now->unix_s,
	});
}

void elsewhere_set_timer(struct elsewhere *e, struct outward *o, uint64_t ms)
{
	timers_del(&e->timers, &o->timer);
	timers_add(&e->timers, &o->timer, ms);
	e->ops.timer(e->data);
}

/* ---- whose instance is known ------------------------------------------------------------ */

struct known *elsewhere_find_known(struct elsewhere *e, const char *channel)
{
	for (size_t i = 0; i < ELSEWHERE_KNOWN_MAX; i++)
		if (strcmp(e->known[i].channel, channel) == 0)
			return &e->known[i];
	return NULL;
}

void elsewhere_learn(struct elsewhere *e, const char *channel, struct span instance)
{
	struct known *known = elsewhere_find_known(e, channel);

	if (instance.len == 0 || instance.len > ELSEWHERE_INSTANCE_MAX ||
	    !text_is_printable_ascii(instance))
		return;
	if (!known)
		known = &e->known[e->n_known++ % ELSEWHERE_KNOWN_MAX];
	snprintf(known->channel, sizeof(known->channel), "%s", channel);
	snprintf(known->instance, sizeof(known->instance), "%.*s", (int)instance.len,
		 (const char *)instance.p);
}

/* ---- time ------------------------------------------------------------------------------- */

static void time_is_over(struct elsewhere *e, struct outward *o, const struct now *now)
{
	char beacon[ELSEWHERE_TO_MAX + 8];

	if (o->phase == PHASE_NEW) {
		elsewhere_fail(e, o, CHAPI_ERR_HUB_DOWN, CHAPI_RAN_NO,
			       "the hub did not confirm the channel on which answers come, "
			       "so nothing was sent", now);
		return;
	}
	o->phase = PHASE_LATE;
	elsewhere_set_timer(e, o, o->deadline_ms + GRACE_MS);
	if (elsewhere_put_beacon(o, beacon, sizeof(beacon)))
		e->ops.ask(e->data, beacon, o->serial);
}

/* That nobody is there now says nothing of before: the call may have reached one that has gone. */
void elsewhere_seen(struct elsewhere *e, uint64_t serial, bool occupied, const struct now *now)
{
	struct outward *o = elsewhere_find(e, serial);
	char text[300];

	if (!o || o->phase != PHASE_LATE || occupied)
		return;
	snprintf(text, sizeof(text),
		 "no gateway listens on %s; 'chapi-ctl gateways' lists those that are there",
		 o->channel);
	elsewhere_fail(e, o, CHAPI_ERR_GATEWAY_NOT_FOUND, CHAPI_RAN_UNKNOWN, text, now);
}

static void no_answer(struct elsewhere *e, struct outward *o, const struct now *now)
{
	char text[300];

	snprintf(text, sizeof(text), "no answer came from %s in time; the function may have run",
		 o->channel);
	elsewhere_fail(e, o, CHAPI_ERR_DEADLINE_EXCEEDED, CHAPI_RAN_UNKNOWN, text, now);
}

static void on_timer(struct elsewhere *e, struct outward *o, const struct now *now)
{
	if (o->phase == PHASE_LATE) {
		no_answer(e, o, now);
	} else if (now->ms >= o->deadline_ms) {
		time_is_over(e, o, now);
	} else {
		if (o->phase == PHASE_SENT)
			o->phase = PHASE_REPEAT;
		elsewhere_send_when_ready(e, o, now);
	}
}

uint64_t elsewhere_next_ms(const struct elsewhere *e)
{
	return MIN(timers_next_ms(&e->timers), assemblies_next_ms(e->assemblies));
}

void elsewhere_tick(struct elsewhere *e, const struct now *now)
{
	struct timer *timer;

	elsewhere_drop_late_parts(e, now->ms);
	while ((timer = timers_take(&e->timers, now->ms)))
		on_timer(e, container_of(timer, struct outward, timer), now);
}

/* ---- life ------------------------------------------------------------------------------- */

bool elsewhere_listens(const struct elsewhere *e, struct span channel)
{
	return span_is(channel, e->reply) || span_is(channel, e->sealed_reply);
}

static struct assemblies_limits assemblies_limits_of(const struct elsewhere_config *config)
{
	return (struct assemblies_limits){
		.record_max = config->max_record,
		.bytes_max = MAX(ASSEMBLY_BYTES, 4 * config->max_record),
		.n_max = ASSEMBLY_MAX,
		.complete_ms = ASSEMBLY_MS,
	};
}

void elsewhere_set_max_record(struct elsewhere *e, size_t max_record)
{
	struct assemblies_limits limits;

	e->config.max_record = max_record;
	limits = assemblies_limits_of(&e->config);
	assemblies_set_limits(e->assemblies, &limits);
}

int elsewhere_new(const struct elsewhere_config *config, const struct elsewhere_ops *ops,
		  void *data, uint64_t now_ms, struct elsewhere **ret_elsewhere)
{
	const struct assemblies_limits parts = assemblies_limits_of(config);
	struct elsewhere *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	if (assemblies_new(&parts, &e->assemblies) < 0) {
		free(e);
		return -ENOMEM;
	}
	snprintf(e->request_part_event, sizeof(e->request_part_event), "%s-part",
		 config->request_event);
	snprintf(e->part_event, sizeof(e->part_event), "%s-part", config->response_event);
	e->config = *config;
	e->ops = *ops;
	e->data = data;
	snprintf(e->reply, sizeof(e->reply), BEACON_PREFIX "%.64s" REPLY_SUFFIX, config->name);
	snprintf(e->sealed_reply, sizeof(e->sealed_reply),
		 ELSEWHERE_SEALED_PREFIX "%.64s" REPLY_SUFFIX, config->name);
	timers_init(&e->timers, now_ms);
	for (size_t i = 0; i < ELSEWHERE_CHAINS; i++)
		list_init(&e->chains[i]);
	*ret_elsewhere = e;
	return 0;
}

struct elsewhere *elsewhere_free(struct elsewhere *e)
{
	struct outward *o, *tmp;

	if (!e)
		return NULL;
	for (size_t i = 0; i < ELSEWHERE_CHAINS; i++)
		list_for_each_safe(o, tmp, &e->chains[i], struct outward, link)
			elsewhere_drop(e, o);
	assemblies_free(e->assemblies);
	free(e);
	return NULL;
}

void elsewhere_status(const struct elsewhere *e, struct elsewhere_status *ret_status)
{
	*ret_status = e->status;
}
