/* SPDX-License-Identifier: MIT */
/*
 * Calls to other gateways, coming in: answers, whole or in parts, progress, and what the hub says
 * of a request. See elsewhere_private.h.
 */
#include "gateway/elsewhere_private.h"

#include <stdio.h>

#include "gateway/record_caller.h"
#include "gateway/record_notes.h"
#include "gateway/remote.h"
#include "libchapi-ipc/mp.h"

#define STATUS_TOO_LARGE 413

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
	elsewhere_finish(e, o, &(struct party_response){
		.failure = &failure, .response_time = now->unix_s,
	});
}

/* Whoever can read or write a channel in clear has no say in what went out encrypted. */
static struct outward *find_asker(struct elsewhere *e, struct span channel, struct span id)
{
	struct outward *o = elsewhere_find_by_id(e, id);

	return o && span_is(channel, elsewhere_reply_of(e, o)) ? o : NULL;
}

/* Of a call that was cancelled, or is answered: the hub or the other side has doubled it. */
static bool pass_over(struct elsewhere *e, struct span id)
{
	bool is_late = elsewhere_is_over(e, id);

	e->status.n_ignored += is_late;
	return is_late;
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
		return pass_over(e, buf_span(&answer.id));
	elsewhere_learn(e, o->channel, buf_span(&answer.instance));
	failure = (struct failure){
		.code = answer.code,
		.ran = answer.ran,
		.message = buf_span(&answer.message),
		.details = buf_span(&answer.details),
	};
	elsewhere_finish(e, o, &(struct party_response){
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

/*
 * Only the other gateway answers under our id. Parts of another answer are of one that was made
 * anew, as it was started again: what there is of the one before will never be complete.
 */
static int take_part(struct elsewhere *e, struct outward *o, struct part *part, uint64_t now_ms,
		     struct buf *out, size_t *ret_size)
{
	struct span channel = span_str(elsewhere_reply_of(e, o));
	int r = assemblies_add(e->assemblies, channel, part, now_ms, out, ret_size);

	if (r == ASSEMBLY_E_CLASH)
		r = assemblies_add(e->assemblies, channel, part, now_ms, out, ret_size);
	return r;
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
		return pass_over(e, buf_span(&part.id));
	r = take_part(e, o, &part, now->ms, &text, &size);
	e->ops.timer(e->data);
	if (r == ASSEMBLY_E_TOO_LARGE)
		return refuse_answer(e, o, size, now);
	return r == 0 ? response_came(e, channel, buf_span(&text), now) : r == ASSEMBLY_WAITS;
}

void elsewhere_drop_late_parts(struct elsewhere *e, uint64_t now_ms)
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
	if (!o)
		return pass_over(e, buf_span(&id));
	if (!o->progress)
		return false;
	if (seq < o->n_progress) {
		e->status.n_ignored++;
		return true;
	}
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
	struct outward *o = elsewhere_find(e, serial);
	char text[300];

	if (!o || o->phase != PHASE_SENT || o->is_doubted)
		return;
	snprintf(text, sizeof(text), "the hub did not take the request: %s", error);
	elsewhere_fail(e, o, code_of_status(status), CHAPI_RAN_NO, text, now);
}

/*
 * The first try must not go out again as it was: the other side could be another instance by now.
 * So a repeat goes at once, whether or not its answer can come yet; the one at half of the time
 * follows all the same. Of parts that are doubted together one is enough.
 */
void elsewhere_doubted(struct elsewhere *e, uint64_t serial, const struct now *now)
{
	struct outward *o = elsewhere_find(e, serial);

	if (!o || o->phase != PHASE_SENT || o->is_doubted || now->ms >= o->deadline_ms)
		return;
	o->is_doubted = true;
	if (elsewhere_send_events(e, o, now) == 0)
		e->status.n_repeated++;
}
