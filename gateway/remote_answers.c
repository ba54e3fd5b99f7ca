/* SPDX-License-Identifier: MIT */
/*
 * The remote side's answers: see remote_private.h.
 *
 * An answer is kept for who asks again (outcome.h), and so is a refusal, apart from those: as the
 * text that is published, in one event or in parts.
 */
#include "gateway/remote_private.h"

#include <stdio.h>

#include "gateway/parts.h"
#include "libchapi-ipc/mp.h"

#define STATUS_BAD 400
#define STATUS_TOO_LARGE 413
#define STATUS_UNPROCESSABLE 422

/* ---- answers ---------------------------------------------------------------------------- */

/* One of its events has ended, or was not begun. */
static void end_event(struct remote_call *call)
{
	if (--call->n_publishing == 0)
		list_del(&call->link);
	remote_call_unref(call);
}

/* The call is kept until it is known what became of the event. */
static bool publish_event(struct remote *r, struct remote_call *call, const char *event,
			  struct span payload)
{
	call->refs++;
	if (call->n_publishing++ == 0)
		list_add_tail(&r->publishing, &call->link);
	if (r->ops.publish(r->data, &(struct remote_publication){
		    .channel = call->reply,
		    .event = span_str(event),
		    .payload = payload,
		    .has_id = call->request.id.len > 0,
		    .deadline_ms = call->deadline_ms,
		    .answer = call,
	    }))
		return true;
	end_event(call);
	return false;
}

/* All of them, or as many as find a place. */
static bool publish_parts(struct remote *r, struct remote_call *call, struct span record)
{
	CLEANUP(parts_deinit) struct parts parts = PARTS_NULL;
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;

	if (parts_split(buf_span(&call->request.id), record,
			room_of_part(&r->config.room, call->reply), &parts))
		return false;
	for (unsigned int i = 0; i < parts.n; i++) {
		buf_clear(&text);
		parts_put(&parts, i, &text);
		if (buf_error(&text) || !publish_event(r, call, r->part_event, buf_span(&text)))
			return false;
	}
	return true;
}

static void publish(struct remote *r, struct remote_call *call, const struct buf *record)
{
	struct span text = buf_span(record);
	bool is_whole = room_fits(&r->config.room, call->reply, text);
	bool is_out;

	call->size = text.len;
	if (is_whole)
		is_out = publish_event(r, call, r->config.response_event, text);
	else
		is_out = publish_parts(r, call, text);
	r->status.n_responses += is_out;
	/* By what another of our name would see of it: it listens on the channel of the request. */
	if (is_out && (!is_whole || !span_equal(call->reply, call->channel)))
		remote_want_announcement(r);
}

/* Only a caller that gave an id knows parts. */
static size_t size_limit(const struct remote *r, const struct remote_call *call)
{
	size_t room = room_of_event(&r->config.room, call->reply);

	return call->request.id.len > 0 ? MAX(room, r->config.limits.max_record) : room;
}

static bool can_go(const struct remote *r, const struct remote_call *call, struct span record)
{
	return room_fits(&r->config.room, call->reply, record) ||
	       (call->request.id.len > 0 && record.len <= size_limit(r, call));
}

/*
 * The record of a response, for the call's request or for one like it. False: there is none, or
 * it is too large: *ret_size says which (0: no memory).
 */
static bool put_record(struct remote *r, const struct remote_call *call,
		       const struct record_request *request,
		       const struct party_response *response, struct buf *out,
		       size_t *ret_size)
{
	const struct record_gateway gateway = {
		.gateway = r->config.name,
		.instance = router_instance(r->router),
	};

	buf_clear(out);
	*ret_size = 0;
	if (record_response_put(request, response, &gateway, out))
		return false;
	*ret_size = out->len;
	return can_go(r, call, buf_span(out));
}

/* What is said in place of an answer that cannot be sent. */
struct substitute {
	struct failure failure;
	struct buf details;
	char message[120];
};

static void substitute_deinit(struct substitute *s)
{
	buf_deinit(&s->details);
}

static enum chapi_ran ran_of(const struct party_response *response)
{
	return response->failure ? response->failure->ran : CHAPI_RAN_YES;
}

static void substitute_make(struct substitute *s, enum chapi_ran ran, size_t size, size_t limit)
{
	s->failure = (struct failure){
		.code = size ? CHAPI_ERR_TOO_LARGE : CHAPI_ERR_INTERNAL,
		.ran = ran,
	};
	if (size && size <= limit) {
		snprintf(s->message, sizeof(s->message),
			 "the answer has %zu bytes, and the hub refused it as too large", size);
		mp_put_map(&s->details, 1);
		mp_put_str(&s->details, "size");
		mp_put_uint(&s->details, size);
	} else if (size) {
		snprintf(s->message, sizeof(s->message),
			 "the answer has %zu bytes, more than the %zu that can be sent",
			 size, limit);
		mp_put_map(&s->details, 2);
		mp_put_str(&s->details, "size");
		mp_put_uint(&s->details, size);
		mp_put_str(&s->details, "limit");
		mp_put_uint(&s->details, limit);
	} else {
		snprintf(s->message, sizeof(s->message),
			 "the gateway has no memory for the answer");
	}
	s->failure.message = span_str(s->message);
	if (!buf_error(&s->details))
		s->failure.details = buf_span(&s->details);
}

/*
 * First with the caller's own params and fields, then without: they may be what is too large, and
 * so may be a name of any length. An id is short, and its caller has to know what became of it.
 */
static bool put_substitute(struct remote *r, const struct remote_call *call,
			   const struct party_response *response,
			   const struct substitute *substitute, struct buf *out)
{
	struct party_response short_response = *response;
	struct record_request bare = call->request;
	size_t ignored;

	short_response.failure = &substitute->failure;
	if (put_record(r, call, &call->request, &short_response, out, &ignored))
		return true;
	bare.params_text = bare.extra = (struct buf)BUF_NULL;
	if (put_record(r, call, &bare, &short_response, out, &ignored))
		return true;
	bare.api = (struct buf)BUF_NULL;
	return put_record(r, call, &bare, &short_response, out, &ignored);
}

static bool put_too_large(struct remote *r, const struct remote_call *call,
			  const struct party_response *response, struct buf *out, size_t size)
{
	CLEANUP(substitute_deinit) struct substitute substitute = { 0 };

	substitute_make(&substitute, call->ran, size, size_limit(r, call));
	return put_substitute(r, call, response, &substitute, out);
}

/* What a substitute has in common with the answer. */
static void keep_said(struct remote_call *call, const struct party_response *response)
{
	call->ran = ran_of(response);
	call->said = *response;
	call->said.failure = NULL;
	call->said.result = call->said.api = call->said.call = span_of(NULL, 0);
}

/* By then a caller has given up, and whatever it has sent is here or lost. */
static uint64_t until_ms(const struct remote *r, const struct remote_call *call)
{
	return call->deadline_ms > 0 ? call->deadline_ms + r->config.silence_ms : UINT64_MAX;
}

/*
 * A repeat may be on its way while the caller is told that nothing was run: so nothing must be run
 * for that either. An id that another request has stays that one's.
 */
static void keep_refusal(struct remote *r, struct remote_call *call, struct span record,
			 uint64_t ended_ms)
{
	if (call->request.id.len > 0 && !outcomes_has(r->outcomes, call->key.id) &&
	    !outcomes_has(r->refusals, call->key.id)) {
		outcomes_put(r->refusals, &call->key, &(struct outcome_end){
			.ran = CHAPI_RAN_NO,
			.answer = record,
			.channel = call->reply,
			.at_ms = ended_ms,
			.until_ms = until_ms(r, call),
		});
		call->kept = true;
	}
}

/* Kept before it is published: whoever asks again gets it even if the hub never does. */
static void end_outcome(struct remote *r, struct remote_call *call, struct span record,
			uint64_t ended_ms)
{
	call->kept = call->outcome && call->ran != CHAPI_RAN_NO;
	if (call->kept)
		outcomes_end(r->outcomes, call->outcome, &(struct outcome_end){
			.ran = call->ran,
			.answer = record,
			.channel = call->reply,
			.at_ms = ended_ms,
			.until_ms = UINT64_MAX,
		});
	else if (call->outcome)
		outcomes_drop(r->outcomes, call->outcome);
	call->outcome = NULL;
	if (call->ran == CHAPI_RAN_NO)
		keep_refusal(r, call, record, ended_ms);
}

void remote_forget(struct remote *r, struct remote_call *call)
{
	if (call->outcome)
		outcomes_drop(r->outcomes, call->outcome);
	call->outcome = NULL;
}

void remote_answer(struct remote *r, struct remote_call *call,
		   const struct party_response *response)
{
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;
	/* Nobody tells the time here, but how long it took is known. */
	uint64_t ended_ms = call->arrived_ms + (uint64_t)(response->queue_ms + response->run_ms);
	size_t size;

	keep_said(call, response);
	if (!put_record(r, call, &call->request, response, &record, &size) &&
	    !put_too_large(r, call, response, &record, size)) {
		end_outcome(r, call, span_of(NULL, 0), ended_ms);
		r->status.n_ignored++;
		return;
	}
	end_outcome(r, call, buf_span(&record), ended_ms);
	publish(r, call, &record);
}

/* In place of an answer that the hub did not take. One under its id may be another request's. */
static void answer_instead(struct remote *r, struct remote_call *call, const struct buf *record)
{
	if (call->kept)
		outcomes_amend(call->ran == CHAPI_RAN_NO ? r->refusals : r->outcomes,
			       buf_span(&call->request.id), call->reply, buf_span(record));
	publish(r, call, record);
}

/* The hub takes less than max_event_bytes: whoever waits is told that much. */
static void answer_too_large(struct remote *r, struct remote_call *call)
{
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;

	if (put_too_large(r, call, &call->said, &record, call->size))
		answer_instead(r, call, &record);
}

/* The hub does not like the channel of reply_to: that of the request it did. */
static void answer_there(struct remote *r, struct remote_call *call)
{
	CLEANUP(substitute_deinit) struct substitute substitute = {
		.failure = {
			.code = CHAPI_ERR_INVALID_ARGUMENT,
			.ran = call->ran,
			.message = span_str("reply_to: the hub did not take the answer there"),
		},
	};
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;

	call->reply = call->channel;
	mp_put_map(&substitute.details, 1);
	mp_put_str(&substitute.details, "reason");
	mp_put_str(&substitute.details, "reply_refused");
	if (!buf_error(&substitute.details))
		substitute.failure.details = buf_span(&substitute.details);
	if (put_substitute(r, call, &call->said, &substitute, &record))
		answer_instead(r, call, &record);
}

static bool is_refused_for_reply(const struct remote_call *call, unsigned int status)
{
	return (status == STATUS_BAD || status == STATUS_UNPROCESSABLE) &&
	       call->reply.p != call->channel.p;
}

void *remote_answer_of(const void *answer, struct span *ret_id, struct span *ret_api)
{
	const struct remote_call *call = answer;

	*ret_id = buf_span(&call->request.id);
	*ret_api = buf_span(&call->request.api);
	return call->remote->data;
}

void remote_published(void *data, unsigned int status)
{
	struct remote_call *call = data;
	bool too_large = status == STATUS_TOO_LARGE;

	if (!call->substituted && (too_large || is_refused_for_reply(call, status))) {
		call->substituted = true;
		if (too_large)
			answer_too_large(call->remote, call);
		else
			answer_there(call->remote, call);
	}
	end_event(call);
}

/* ---- refusals --------------------------------------------------------------------------- */

static void put_retry_after(struct buf *details, uint64_t ms)
{
	mp_put_map(details, 1);
	mp_put_str(details, "retry_after_ms");
	mp_put_uint(details, ms);
}

void remote_refuse_failure(struct remote *r, struct remote_call *call,
			   const struct failure *failure, const struct now *now)
{
	CLEANUP(buf_deinit) struct buf details = BUF_NULL;
	struct failure told = *failure;
	const struct party_response response = {
		.failure = &told,
		.api = buf_span(&call->request.api),
		.call = buf_span(&call->request.id),
		.request_time = now->unix_s,
		.response_time = now->unix_s,
	};

	if (told.code == CHAPI_ERR_BUSY && told.details.len == 0) {
		put_retry_after(&details, REMOTE_RETRY_MS);
		if (buf_error(&details) == 0)
			told.details = buf_span(&details);
	}
	router_call_refused(r->router, &r->party, &response, now);
	remote_answer(r, call, &response);
}

void remote_refuse(struct remote *r, struct remote_call *call, int code, const char *message,
		   const struct now *now)
{
	const struct failure failure = {
		.code = code,
		.ran = CHAPI_RAN_NO,
		.message = span_str(message),
	};

	remote_refuse_failure(r, call, &failure, now);
}

/* Who cannot be told apart from others gets no refusal: an id is what asks for one. */
void remote_refuse_limited(struct remote *r, struct remote_call *call, enum chapi_ran ran,
			   const char *why, uint64_t retry_after_ms, const struct now *now)
{
	CLEANUP(buf_deinit) struct buf details = BUF_NULL;
	struct failure failure = { .code = CHAPI_ERR_RATE_LIMITED, .ran = ran };

	r->status.n_limited++;
	if (call->request.id.len == 0)
		return;
	failure.message = span_str(why);
	put_retry_after(&details, retry_after_ms);
	if (!buf_error(&details))
		failure.details = buf_span(&details);
	remote_refuse_failure(r, call, &failure, now);
}

/* With {"reason": REASON}, which programs can match. */
static void refuse_for(struct remote *r, struct remote_call *call, struct failure failure,
		       const char *reason, const struct now *now)
{
	CLEANUP(buf_deinit) struct buf details = BUF_NULL;

	mp_put_map(&details, 1);
	mp_put_str(&details, "reason");
	mp_put_str(&details, reason);
	if (!buf_error(&details))
		failure.details = buf_span(&details);
	remote_refuse_failure(r, call, &failure, now);
}

void remote_refuse_restarted(struct remote *r, struct remote_call *call, const struct now *now)
{
	refuse_for(r, call, (struct failure){
		.code = CHAPI_ERR_FAILED_PRECONDITION,
		.ran = CHAPI_RAN_UNKNOWN,
		.message = span_str("this gateway has started since the first try and does not "
				    "know whether that one ran, so this one was not run"),
	}, "restarted", now);
}

void remote_refuse_forgotten(struct remote *r, struct remote_call *call, const struct now *now)
{
	const struct failure failure = {
		.code = CHAPI_ERR_ANSWER_LOST,
		.ran = CHAPI_RAN_UNKNOWN,
		.message = span_str("the first try was so long ago that this gateway may have "
				    "forgotten it, so this one was not run (answer_store_time)"),
	};

	remote_refuse_failure(r, call, &failure, now);
}

void remote_refuse_unremembered(struct remote *r, struct remote_call *call, const struct now *now)
{
	remote_refuse(r, call, CHAPI_ERR_BUSY,
		      "more requests were refused than this gateway remembers, and the first try "
		      "of this one may be among them, so it was not run; ask anew, with another id",
		      now);
}

/* ---- requests that come again ----------------------------------------------------------- */

/*
 * Where the first answer went, whatever the repeat says. One that goes in parts stays as it was: so
 * its parts are those of the first time, and make up for what of them was lost.
 */
static void repeat_answer(struct remote *r, struct remote_call *call, const struct outcome *outcome)
{
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;

	call->reply = outcome_channel(outcome);
	record_put_cached(outcome_answer(outcome), &record);
	if (buf_error(&record) || !room_fits(&r->config.room, call->reply, buf_span(&record))) {
		buf_clear(&record);
		buf_put(&record, outcome_answer(outcome).p, outcome_answer(outcome).len);
	}
	call->substituted = true;	/* there is no other answer */
	if (buf_error(&record) == 0)
		publish(r, call, &record);
	call->reply = call->channel;
}

static void refuse_lost(struct remote *r, struct remote_call *call, const struct outcome *outcome,
			const struct now *now)
{
	enum chapi_ran ran = outcome_ran(outcome);
	const struct failure failure = {
		.code = CHAPI_ERR_ANSWER_LOST,
		.ran = ran,
		.message = span_str("this request has ended, and its answer is not kept any more"),
	};

	if (!remote_is_too_often(r, call, ran, now))
		remote_refuse_failure(r, call, &failure, now);
}

static void refuse_reuse(struct remote *r, struct remote_call *call, const struct now *now)
{
	if (remote_is_too_often(r, call, CHAPI_RAN_NO, now))
		return;
	refuse_for(r, call, (struct failure){
		.code = CHAPI_ERR_INVALID_ARGUMENT,
		.ran = CHAPI_RAN_NO,
		.message = span_str("id: another request had it; each needs one of its own"),
	}, "id_reused", now);
}

static enum repeat look_up(struct remote *r, const struct remote_call *call, const struct now *now,
			   struct outcome **ret_outcome)
{
	enum repeat repeat = outcomes_look(r->outcomes, &call->key, now->ms, ret_outcome);

	return repeat != REPEAT_OF_NONE ?
		repeat : outcomes_look(r->refusals, &call->key, now->ms, ret_outcome);
}

bool remote_repeat(struct remote *r, struct remote_call *call, const struct now *now)
{
	struct outcome *outcome;

	switch (look_up(r, call, now, &outcome)) {
	case REPEAT_OF_NONE:
		return false;
	case REPEAT_OF_ENDED:
		repeat_answer(r, call, outcome);
		break;
	case REPEAT_OF_LOST:
		refuse_lost(r, call, outcome, now);
		break;
	case REPEAT_REUSES_ENDED:
		refuse_reuse(r, call, now);
		break;
	case REPEAT_REUSES_RUNNING:	/* an answer would be taken for the first one's */
		r->status.n_ignored++;
		break;
	case REPEAT_OF_RUNNING:
	case REPEAT_TOO_SOON:
		break;
	}
	return true;
}
