/* SPDX-License-Identifier: MIT */
/*
 * Calls to other gateways: see elsewhere.h.
 *
 * A call's id on the hub is our instance and the call's serial number: unique, and found again
 * by the number. Which instance answers for a channel is remembered for a few channels, as a
 * repeat has to say which one the first try went to: a gateway that has started anew in between
 * must not run it a second time.
 */
#include "gateway/elsewhere.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/ask.h"
#include "gateway/assembly.h"
#include "gateway/beacons.h"
#include "gateway/elapsed.h"
#include "gateway/record.h"
#include "gateway/record_caller.h"
#include "gateway/record_notes.h"
#include "gateway/remote.h"
#include "gateway/sealed.h"
#include "gateway/text.h"
#include "gateway/timers.h"
#include "libchapi-ipc/mp.h"

#define CHAINS 64
#define GRACE_MS 2000		/* beyond a call's time, for an answer that is on its way */
#define KNOWN_MAX 16
#define SEALED_PREFIX "private-encrypted-chapi-"
#define REPLY_SUFFIX "@reply"
/* Answers in parts: how many at once, how much of all of them, and until when. */
#define ASSEMBLY_MAX 16
#define ASSEMBLY_BYTES ((size_t)4 << 20)	/* or four times max_record */
#define ASSEMBLY_MS 30000
#define INSTANCE_MAX 64
#define STATUS_TOO_LARGE 413
#define RETRY_AFTER_MS 1000

enum call_phase {
	PHASE_NEW,		/* waits for the channel for answers */
	PHASE_SENT,
	PHASE_REPEAT,		/* a repeat waits for the channel for answers */
	PHASE_REPEATED,
	PHASE_LATE,		/* its time is over */
};

struct outward {
	struct list link;		/* in its chain */
	struct timer timer;
	enum call_phase phase;
	uint64_t serial, deadline_ms;
	uint64_t sent_ms;		/* the first try */
	double sent_unix_s;		/* likewise */
	void *call;
	bool progress, raw;
	uint32_t n_progress;		/* the next one's least number */
	double request_time;
	struct buf params;		/* JSON */
	struct buf api, caller;
	bool was_sent;			/* the other side may have it */
	bool is_doubted;		/* of the first try the hub may have taken some, or not */
	char channel[ELSEWHERE_TO_MAX + 1];
	char instance[INSTANCE_MAX + 1];	/* known when it was sent first; may be empty */
};

/* Who answered last for a channel. */
struct known {
	char channel[ELSEWHERE_TO_MAX + 1];
	char instance[INSTANCE_MAX + 1];
};

struct elsewhere {
	struct elsewhere_config config;
	struct elsewhere_ops ops;
	void *data;
	char reply[ELSEWHERE_TO_MAX + 1];		/* the channel of answers */
	char sealed_reply[ELSEWHERE_TO_MAX + 1];	/* of those to encrypted requests */
	struct assemblies *assemblies;
	char request_part_event[ROOM_EVENT_NAME_MAX], part_event[ROOM_EVENT_NAME_MAX];
	struct timers timers;
	struct list chains[CHAINS];
	uint64_t n_serials;
	struct known known[KNOWN_MAX];
	unsigned int n_known;		/* so far: the next one's place */
	struct elsewhere_status status;
};

/* ---- calls ------------------------------------------------------------------------------ */

static struct outward *find(struct elsewhere *e, uint64_t serial)
{
	struct outward *o;

	list_for_each(o, &e->chains[serial % CHAINS], struct outward, link)
		if (o->serial == serial)
			return o;
	return NULL;
}

static void outward_free(struct elsewhere *e, struct outward *o)
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

static void put_id(const struct elsewhere *e, const struct outward *o, char ret[RECORD_ID_MAX + 1])
{
	snprintf(ret, RECORD_ID_MAX + 1, "%.40s-%" PRIx64, e->config.instance, o->serial);
}

static struct outward *find_by_id(struct elsewhere *e, struct span id)
{
	char text[RECORD_ID_MAX + 1], own[RECORD_ID_MAX + 1];
	struct outward *o;
	char *dash;

	snprintf(text, sizeof(text), "%.*s", (int)id.len, id.len ? (const char *)id.p : "");
	dash = strrchr(text, '-');
	o = dash ? find(e, strtoull(dash + 1, NULL, 16)) : NULL;
	if (!o)
		return NULL;
	put_id(e, o, own);
	return span_is(id, own) ? o : NULL;
}

/* The call is over. Whoever is told may begin another. */
static void finish(struct elsewhere *e, struct outward *o, const struct party_response *response)
{
	void *call = o->call;

	outward_free(e, o);
	e->status.n_answers++;
	e->ops.answer(e->data, call, response);
}

static void fail(struct elsewhere *e, struct outward *o, int code, enum chapi_ran ran,
		 const char *message, const struct now *now)
{
	const struct failure failure = { .code = code, .ran = ran, .message = span_str(message) };

	finish(e, o, &(struct party_response){ .failure = &failure, .response_time = now->unix_s });
}

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
	finish(e, o, &(struct party_response){ .failure = &failure, .response_time = now->unix_s });
}

static void fail_too_large(struct elsewhere *e, struct outward *o, size_t size, enum chapi_ran ran,
			   const char *message, const struct now *now)
{
	CLEANUP(buf_deinit) struct buf details = BUF_NULL;
	struct failure failure = {
		.code = CHAPI_ERR_TOO_LARGE, .ran = ran, .message = span_str(message),
	};

	mp_put_map(&details, 2);
	mp_put_str(&details, "size");
	mp_put_uint(&details, size);
	mp_put_str(&details, "limit");
	mp_put_uint(&details, e->config.max_record);
	if (buf_error(&details) == 0)
		failure.details = buf_span(&details);
	finish(e, o, &(struct party_response){ .failure = &failure, .response_time = now->unix_s });
}

static void set_timer(struct elsewhere *e, struct outward *o, uint64_t ms)
{
	timers_del(&e->timers, &o->timer);
	timers_add(&e->timers, &o->timer, ms);
	e->ops.timer(e->data);
}

/* ---- whose instance is known ------------------------------------------------------------ */

static struct known *find_known(struct elsewhere *e, const char *channel)
{
	for (size_t i = 0; i < KNOWN_MAX; i++)
		if (strcmp(e->known[i].channel, channel) == 0)
			return &e->known[i];
	return NULL;
}

static void learn(struct elsewhere *e, const char *channel, struct span instance)
{
	struct known *known = find_known(e, channel);

	if (instance.len == 0 || instance.len > INSTANCE_MAX || !text_is_printable_ascii(instance))
		return;
	if (!known)
		known = &e->known[e->n_known++ % KNOWN_MAX];
	snprintf(known->channel, sizeof(known->channel), "%s", channel);
	snprintf(known->instance, sizeof(known->instance), "%.*s", (int)instance.len,
		 (const char *)instance.p);
}

/* A gateway that was started after the first sending must not take a repeat for its own. */
static void note_first(struct elsewhere *e, struct outward *o, const struct now *now)
{
	const struct known *known = find_known(e, o->channel);

	o->sent_ms = now->ms;
	o->sent_unix_s = now->unix_s;
	if (known)
		memcpy(o->instance, known->instance, sizeof(o->instance));
}

/* ---- going out -------------------------------------------------------------------------- */

static const char *reply_of(const struct elsewhere *e, const struct outward *o)
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
	put_id(e, o, id);
	return (struct record_ask){
		.id = span_str(id),
		.api = buf_span(&o->api),
		.params = buf_span(&o->params),
		.caller = buf_span(&o->caller),
		.reply_to = span_str(reply_of(e, o)),
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

static int send_events(struct elsewhere *e, const struct outward *o, const struct now *now)
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
	if (send_events(e, o, now) != 0 && !is_repeat) {
		fail_busy(e, o, now);
		return;
	}
	e->status.n_repeated += is_repeat;
	o->was_sent = true;
	o->phase = is_repeat ? PHASE_REPEATED : PHASE_SENT;
	set_timer(e, o, is_repeat ? o->deadline_ms : now->ms + MAX(left_ms / 2, UINT64_C(1)));
}

/* Sends it, or leaves it to elsewhere_ready(). */
static void send_when_ready(struct elsewhere *e, struct outward *o, const struct now *now)
{
	if (e->ops.is_ready(e->data, reply_of(e, o)))
		send(e, o, now);
	else
		set_timer(e, o, o->deadline_ms);
}

static bool waits_for(const struct elsewhere *e, const struct outward *o, const char *channel)
{
	return (o->phase == PHASE_NEW || o->phase == PHASE_REPEAT) &&
	       strcmp(reply_of(e, o), channel) == 0;
}

void elsewhere_ready(struct elsewhere *e, const char *channel, const struct now *now)
{
	struct outward *o, *tmp;

	for (size_t i = 0; i < CHAINS; i++)
		list_for_each_safe(o, tmp, &e->chains[i], struct outward, link)
			if (waits_for(e, o, channel) && now->ms < o->deadline_ms)
				send(e, o, now);
}

static int refuse(struct elsewhere_fault *fault, int code, const char *text)
{
	*fault = (struct elsewhere_fault){ .code = code };
	snprintf(fault->text, sizeof(fault->text), "%s", text);
	return ELSEWHERE_E_REFUSED;
}

static bool has_only(struct span text, const char *more)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr(more, c))))
			return false;
	}
	return text.len > 0;
}

static bool begins_with(struct span text, const char *prefix)
{
	size_t len = strlen(prefix);

	return text.len >= len && memcmp(text.p, prefix, len) == 0;
}

/* A name becomes a channel. 0 or ELSEWHERE_E_REFUSED. */
static int read_to(const struct elsewhere *e, struct span to,
		   char ret[ELSEWHERE_TO_MAX + 1], struct elsewhere_fault *fault)
{
	bool is_channel = begins_with(to, "private-");

	if (sealed_is_encrypted(to) && !e->config.has_key)
		return refuse(fault, CHAPI_ERR_FAILED_PRECONDITION,
			      "calls to an encrypted channel need the app's master key, see "
			      "encryption_master_key_file in chapi-gw.conf(5)");
	if (!has_only(to, is_channel ? "_-=@,.;" : "_.-") ||
	    to.len + (is_channel ? 0 : strlen(BEACON_PREFIX)) > ELSEWHERE_TO_MAX)
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
		outward_free(e, o);
		return r;
	}
	*ret_serial = ++e->n_serials;
	list_add_tail(&e->chains[o->serial % CHAINS], &o->link);
	e->status.n_waiting++;
	e->status.n_calls++;
	/* From the timer, as nobody may be answered before this has returned. */
	set_timer(e, o, now->ms);
	return 0;
}

bool elsewhere_cancel(struct elsewhere *e, uint64_t serial)
{
	CLEANUP(buf_deinit) struct buf cancel = BUF_NULL;
	struct outward *o = find(e, serial);
	char id[RECORD_ID_MAX + 1];
	bool was_sent;

	if (!o)
		return false;
	was_sent = o->was_sent;
	put_id(e, o, id);
	record_cancel_put(span_str(id), &cancel);
	if (was_sent && o->phase != PHASE_LATE && buf_error(&cancel) == 0)
		publish(e, o, REMOTE_CANCEL_EVENT, buf_span(&cancel), true);
	outward_free(e, o);
	return was_sent;
}

/* ---- coming in -------------------------------------------------------------------------- */

/* Whoever can read or write a channel in clear has no say in what went out encrypted. */
static struct outward *find_asker(struct elsewhere *e, struct span channel, struct span id)
{
	struct outward *o = find_by_id(e, id);

	return o && span_is(channel, reply_of(e, o)) ? o : NULL;
}

static bool response_came(struct elsewhere *e, struct span channel, struct span payload,
			  const struct now *now)
{
	CLEANUP(record_answer_deinit) struct record_answer answer = RECORD_ANSWER_NULL;
	struct failure failure;
	struct outward *o;

	if (record_answer_parse(payload, &answer))
		return false;
	o = find_asker(e, channel, buf_span(&answer.id));
	if (!o)
		return false;
	learn(e, o->channel, buf_span(&answer.instance));
	failure = (struct failure){
		.code = answer.code,
		.ran = answer.ran,
		.message = buf_span(&answer.message),
		.details = buf_span(&answer.details),
	};
	finish(e, o, &(struct party_response){
		.failure = answer.code ? &failure : NULL,
		.result = buf_span(&answer.result),
		.response_time = answer.response_time > 0 ? answer.response_time : now->unix_s,
		.queue_ms = answer.queue_ms,
		.run_ms = answer.run_ms,
		.gateway = buf_span(&answer.gateway),
		.instance = buf_span(&answer.instance),
	});
	return true;
}

static bool refuse_answer(struct elsewhere *e, struct outward *o, size_t size,
			  const struct now *now)
{
	char text[160];

	snprintf(text, sizeof(text), "the answer has %zu bytes or more, and at most %zu are taken "
		 "(max_record); the function may have run", size, e->config.max_record);
	fail_too_large(e, o, size, CHAPI_RAN_UNKNOWN, text, now);
	return true;
}

/* A part that is lost, or finds no place: the repeat brings the whole answer once more. */
static bool part_came(struct elsewhere *e, struct span channel, struct span payload,
		      const struct now *now)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	CLEANUP(part_deinit) struct part part = PART_NULL;
	struct outward *o;
	size_t size;
	int r;

	if (part_parse(payload, &part))
		return false;
	o = find_asker(e, channel, buf_span(&part.id));
	if (!o)
		return false;
	r = assemblies_add(e->assemblies, span_str(reply_of(e, o)), &part, now->ms, &text, &size);
	e->ops.timer(e->data);
	if (r == ASSEMBLY_E_TOO_LARGE)
		return refuse_answer(e, o, size, now);
	return r == 0 ? response_came(e, channel, buf_span(&text), now) : r == ASSEMBLY_WAITS;
}

static void drop_late_parts(struct elsewhere *e, uint64_t now_ms)
{
	CLEANUP(part_deinit) struct part part = PART_NULL;
	struct span channel;

	while (assemblies_take_late(e->assemblies, now_ms, &part, &channel))
		e->status.n_ignored++;
}

/* The hub may deliver it in another order: what is older than what was told is left out. */
static bool progress_came(struct elsewhere *e, struct span channel, struct span payload)
{
	CLEANUP(buf_deinit) struct buf id = BUF_NULL, value = BUF_NULL;
	struct outward *o;
	uint32_t seq;

	if (record_progress_parse(payload, &id, &seq, &value))
		return false;
	o = find_asker(e, channel, buf_span(&id));
	if (!o || !o->progress || seq < o->n_progress)
		return false;
	o->n_progress = seq + 1;
	e->ops.progress(e->data, o->call, buf_span(&value));
	return true;
}

bool elsewhere_event(struct elsewhere *e, struct span channel, struct span event,
		     struct span payload, const struct now *now)
{
	bool used = false;

	if (span_is(event, e->config.response_event))
		used = response_came(e, channel, payload, now);
	else if (span_is(event, e->part_event))
		used = part_came(e, channel, payload, now);
	else if (span_is(event, REMOTE_PROGRESS_EVENT))
		used = progress_came(e, channel, payload);
	e->status.n_ignored += !used;
	return used;
}

static int code_of_status(unsigned int status)
{
	if (status == STATUS_TOO_LARGE)
		return CHAPI_ERR_TOO_LARGE;
	return status >= 400 && status < 500 ? CHAPI_ERR_FAILED_PRECONDITION : CHAPI_ERR_HUB_DOWN;
}

/* Of the first try. Once it is in doubt, what more of it is refused changes nothing. */
void elsewhere_refused(struct elsewhere *e, uint64_t serial, unsigned int status, const char *error,
		       const struct now *now)
{
	struct outward *o = find(e, serial);
	char text[300];

	if (!o || o->phase != PHASE_SENT || o->is_doubted)
		return;
	snprintf(text, sizeof(text), "the hub did not take the request: %s", error);
	fail(e, o, code_of_status(status), CHAPI_RAN_NO, text, now);
}

/*
 * The first try must not go out again as it was: the other side could be another instance by now.
 * So a repeat goes at once, whether or not its answer can come yet; the one at half of the time
 * follows all the same. Of parts that are doubted together one is enough.
 */
void elsewhere_doubted(struct elsewhere *e, uint64_t serial, const struct now *now)
{
	struct outward *o = find(e, serial);

	if (!o || o->phase != PHASE_SENT || o->is_doubted || now->ms >= o->deadline_ms)
		return;
	o->is_doubted = true;
	if (send_events(e, o, now) == 0)
		e->status.n_repeated++;
}

/* ---- time ------------------------------------------------------------------------------- */

/* "private-chapi-NAME", or encrypted: the gateway's beacon is known. */
static bool put_beacon(const struct outward *o, char *ret, size_t len)
{
	struct span channel = span_str(o->channel);
	const char *prefix = begins_with(channel, SEALED_PREFIX) ? SEALED_PREFIX : BEACON_PREFIX;
	int n;

	if (!begins_with(channel, prefix))
		return false;
	n = snprintf(ret, len, BEACON_PREFIX "%s" BEACON_SUFFIX, o->channel + strlen(prefix));
	return n > 0 && n <= ELSEWHERE_TO_MAX;
}

static void time_is_over(struct elsewhere *e, struct outward *o, const struct now *now)
{
	char beacon[ELSEWHERE_TO_MAX + 8];

	if (o->phase == PHASE_NEW) {
		fail(e, o, CHAPI_ERR_HUB_DOWN, CHAPI_RAN_NO,
		     "the hub did not confirm the channel on which answers come, "
		     "so nothing was sent", now);
		return;
	}
	o->phase = PHASE_LATE;
	set_timer(e, o, o->deadline_ms + GRACE_MS);
	if (put_beacon(o, beacon, sizeof(beacon)))
		e->ops.ask(e->data, beacon, o->serial);
}

/*
 * A gateway that has answered us was there once, so this call may have reached it before it
 * went.
 */
void elsewhere_seen(struct elsewhere *e, uint64_t serial, bool occupied, const struct now *now)
{
	struct outward *o = find(e, serial);
	char text[300];

	if (!o || o->phase != PHASE_LATE || occupied)
		return;
	snprintf(text, sizeof(text),
		 "no gateway listens on %s; 'chapi-ctl gateways' lists those that are there",
		 o->channel);
	fail(e, o, CHAPI_ERR_GATEWAY_NOT_FOUND,
	     find_known(e, o->channel) ? CHAPI_RAN_UNKNOWN : CHAPI_RAN_NO, text, now);
}

static void no_answer(struct elsewhere *e, struct outward *o, const struct now *now)
{
	char text[300];

	snprintf(text, sizeof(text), "no answer came from %s in time; the function may have run",
		 o->channel);
	fail(e, o, CHAPI_ERR_DEADLINE_EXCEEDED, CHAPI_RAN_UNKNOWN, text, now);
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
		send_when_ready(e, o, now);
	}
}

uint64_t elsewhere_next_ms(const struct elsewhere *e)
{
	return MIN(timers_next_ms(&e->timers), assemblies_next_ms(e->assemblies));
}

void elsewhere_tick(struct elsewhere *e, const struct now *now)
{
	struct timer *timer;

	drop_late_parts(e, now->ms);
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
	snprintf(e->sealed_reply, sizeof(e->sealed_reply), SEALED_PREFIX "%.64s" REPLY_SUFFIX,
		 config->name);
	timers_init(&e->timers, now_ms);
	for (size_t i = 0; i < CHAINS; i++)
		list_init(&e->chains[i]);
	*ret_elsewhere = e;
	return 0;
}

struct elsewhere *elsewhere_free(struct elsewhere *e)
{
	struct outward *o, *tmp;

	if (!e)
		return NULL;
	for (size_t i = 0; i < CHAINS; i++)
		list_for_each_safe(o, tmp, &e->chains[i], struct outward, link)
			outward_free(e, o);
	assemblies_free(e->assemblies);
	free(e);
	return NULL;
}

void elsewhere_status(const struct elsewhere *e, struct elsewhere_status *ret_status)
{
	*ret_status = e->status;
}
