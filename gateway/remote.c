/* SPDX-License-Identifier: MIT */
/*
 * The remote side as a party of the router.
 *
 * The data of every event has been opened when it comes here (sealed.h). A request with an id is
 * looked up before anything else is made of it: as long as the first one runs, no other answer
 * may go out under that id. What is made of a repeat whose id is not known is remote_repeats.c,
 * answers are remote_answers.c, the table of calls is remote_calls.c.
 */
#include "gateway/remote_private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/assembly.h"

#define WAIT_USUAL_MS 30000	/* of one that does not say */

/* ---- as a party ------------------------------------------------------------------------- */

static void on_response(struct party *party, uint64_t token, const struct party_response *response)
{
	struct remote *r = container_of(party, struct remote, party);
	struct remote_call *call = remote_take_call(r, token);
	bool unknown = response->failure && response->failure->code == CHAPI_ERR_API_NOT_FOUND;

	if (call)
		remote_end_progress(r, call);
	if (!call || (unknown && !r->config.limits.answer_unknown)) {
		r->status.n_ignored++;
		if (call)
			remote_forget(r, call);
	} else {
		remote_answer(r, call, response);
	}
	if (call && call->starting)
		call->answered = true;
	else
		remote_call_unref(call);
}

static void on_progress(struct party *party, uint64_t token, struct span value)
{
	struct remote *r = container_of(party, struct remote, party);
	struct remote_call *call = remote_find_call(r, token);

	if (call)
		remote_take_progress(r, call, value);
}

/* It holds no names, so nothing is ever asked of it, and it watches nothing. */
static const struct party_ops remote_party_ops = {
	.response = on_response,
	.progress = on_progress,
};

/* ---- requests --------------------------------------------------------------------------- */

/* What only the router needed, or only an answer of another kind would. */
static void drop_unneeded(struct record_request *request)
{
	buf_deinit(&request->params);
	if (request->id.len == 0)
		return;
	buf_deinit(&request->extra);
	if (!request->echo)
		buf_deinit(&request->params_text);
}

/*
 * Hands a request to the router, which may answer before it returns and still read what it was
 * given.
 */
static void start_call(struct remote *r, struct remote_call *call, const struct now *now)
{
	CLEANUP(buf_deinit) struct buf caller = BUF_NULL;
	struct record_request *request = &call->request;

	if (request->caller.len > 0) {
		buf_put_str(&caller, "claimed:");
		buf_put(&caller, buf_data(&request->caller), request->caller.len);
		if (buf_error(&caller))
			buf_clear(&caller);	/* a label is not worth failing for */
	}
	remote_add_call(r, call);
	call->starting = true;
	router_call(r->router, &r->party,
		    &(struct router_call){
			    .token = call->token,
			    .api = buf_span(&request->api),
			    .params = buf_span(&request->params),
			    .call = buf_span(&request->id),
			    .caller = buf_span(&caller),
			    .request_time = isnan(request->request_time) ?
				    0 : request->request_time,
			    .timeout_ms = request->timeout_ms,
			    .progress = request->progress && request->id.len > 0,
			    .raw = request->raw,
		    },
		    now);
	call->starting = false;
	drop_unneeded(request);
	if (call->answered)
		remote_call_unref(call);
}

static bool is_for_us(const struct remote *r, const struct record_request *request)
{
	return request->to.len == 0 || span_is(buf_span(&request->to), r->config.name);
}

/* Takes the call if it can be started. */
static void begin_call(struct remote *r, struct remote_call **call, const struct now *now)
{
	int rc = 0;

	if (remote_call_has_id(*call))
		rc = outcomes_add(r->outcomes, &(*call)->key, *call, now->ms, &(*call)->outcome);
	if (rc == OUTCOMES_E_FULL) {
		remote_refuse(r, *call, CHAPI_ERR_BUSY,
			      "as many requests run as the gateway can keep apart; "
			      "try again later", now);
	} else if (rc < 0) {
		remote_refuse(r, *call, CHAPI_ERR_INTERNAL,
			      "the gateway has no memory for the call", now);
	} else {
		start_call(r, *call, now);
		*call = NULL;
	}
}

bool remote_is_too_often(struct remote *r, struct remote_call *call, enum chapi_ran ran,
			 const struct now *now)
{
	uint64_t wait_ms;
	char why[120];

	if (bucket_take(&r->bucket, r->config.limits.max_rate, now->ms, &wait_ms))
		return false;
	snprintf(why, sizeof(why), "more requests than the %u a second that remote callers may "
		 "make (max_rate); try again later", r->config.limits.max_rate);
	remote_refuse_limited(r, call, ran, why, wait_ms, now);
	return true;
}

static bool are_too_many(struct remote *r, struct remote_call *call, const struct now *now)
{
	char why[120];

	if (r->status.n_running < r->config.limits.max_calls)
		return false;
	snprintf(why, sizeof(why),
		 "%u calls of remote callers run already (max_calls); try again later",
		 r->config.limits.max_calls);
	remote_refuse_limited(r, call, CHAPI_RAN_NO, why, REMOTE_RETRY_MS, now);
	return true;
}

/* It may be another gateway's on the channel: whatever we say would be taken for its answer. */
static bool is_left_alone(const struct remote *r, const struct remote_call *call)
{
	return !r->config.limits.answer_unknown &&
	       !router_has(r->router, buf_span(&call->request.api));
}

/* wrong: NULL, or what is wrong with the request. */
static void take_request(struct remote *r, struct remote_call **call, const char *wrong,
			 const struct now *now)
{
	if (remote_call_has_id(*call) && remote_repeat(r, *call, now))
		return;
	if (is_left_alone(r, *call)) {
		r->status.n_ignored++;
		return;
	}
	/* Before anything that says that it did not run: this try did not, the first may have. */
	if (remote_refuse_in_doubt(r, *call, now) ||
	    remote_is_too_often(r, *call, CHAPI_RAN_NO, now) ||
	    remote_refuse_if_forgotten(r, *call, now))
		return;
	if (wrong)
		remote_refuse(r, *call, CHAPI_ERR_INVALID_ARGUMENT, wrong, now);
	else if (!are_too_many(r, *call, now))
		begin_call(r, call, now);
}

/* Where the answer goes, whatever it will be. NULL, or what is wrong with reply_to. */
static const char *choose_reply(const struct remote *r, struct remote_call *call)
{
	const char *wrong;

	if (call->request.reply_to.len == 0)
		return NULL;
	wrong = remote_check_reply(r, call);
	if (!wrong)
		call->reply = buf_span(&call->request.reply_to);
	return wrong;
}

static void accept_request(struct remote *r, struct remote_call **call, const char *wrong,
			   const struct now *now)
{
	struct record_request *request = &(*call)->request;
	const char *wrong_reply = choose_reply(r, *call);

	r->status.n_requests++;
	(*call)->arrived_ms = now->ms;
	(*call)->key = outcomes_key(r->outcomes, buf_span(&request->id), buf_span(&request->api),
				    buf_span(&request->params));
	(*call)->deadline_ms = now->ms +
		(uint64_t)(request->timeout_ms > 0 ?
			   MIN(request->timeout_ms, REMOTE_WAIT_MOST_MS) : WAIT_USUAL_MS);
	take_request(r, call, wrong ? wrong : wrong_reply, now);
}

int remote_take_retry(struct record_request *request, const struct part *part)
{
	if (!part->has_retry || request->has_retry)
		return 0;
	request->has_retry = true;
	request->retry_ms = part->retry_ms;
	if (part->timeout_ms > 0)
		request->timeout_ms = part->timeout_ms;
	buf_put(&request->retry, buf_data(&part->retry), part->retry.len);
	return buf_error(&request->retry);
}

void remote_request(struct remote *r, struct span channel, struct span text,
		    const struct part *part, const struct now *now)
{
	CLEANUP(remote_call_unrefp) struct remote_call *call = NULL;
	struct value_fault fault;
	int outcome;

	if (remote_call_new(r, channel, &call)) {
		r->status.n_ignored++;
		return;
	}
	outcome = record_request_parse(text, &call->request, &fault);
	if (part && outcome >= 0 && remote_take_retry(&call->request, part) < 0)
		outcome = -ENOMEM;
	if (outcome == RECORD_E_NOT_OURS && part)
		remote_refuse_record(r, channel, part, fault.text, now);
	else if (outcome < 0 || outcome == RECORD_E_NOT_OURS || !is_for_us(r, &call->request))
		r->status.n_ignored++;
	else if (part && !span_equal(buf_span(&call->request.id), buf_span(&part->id)))
		remote_refuse_record(r, channel, part,
				     "the record in the parts has another id than they", now);
	else
		accept_request(r, &call, outcome == RECORD_E_INVALID ? fault.text : NULL, now);
}

static void request_came(struct remote *r, struct span channel, struct span text,
			 const struct now *now)
{
	remote_request(r, channel, text, NULL, now);
}

/* An answer of somebody else is nothing to us, but tells who else is there. */
static void response_came(struct remote *r, struct span channel, struct span text,
			  const struct now *now)
{
	r->status.n_ignored++;
	remote_note_other(r, channel, text);
	remote_look_for_namesake(r, text, now);
}

enum { EVENT_REQUEST, EVENT_REQUEST_PART, EVENT_CANCEL, EVENT_RESPONSE };

/* What is done about an event. */
static const struct {
	bool of_clients;	/* a WebSocket client may send it, as client-NAME */
	void (*came)(struct remote *r, struct span channel, struct span payload,
		     const struct now *now);
} events[REMOTE_EVENTS] = {
	[EVENT_REQUEST] = { true, request_came },
	[EVENT_REQUEST_PART] = { true, remote_request_part },
	[EVENT_CANCEL] = { true, remote_cancel },
	[EVENT_RESPONSE] = { false, response_came },
};

static bool strip_client(struct span *event)
{
	static const char prefix[] = "client-";
	const size_t len = sizeof(prefix) - 1;

	if (!span_begins(*event, prefix))
		return false;
	*event = span_of(event->p + len, event->len - len);
	return true;
}

/* Which one it is, REMOTE_EVENTS: none of ours. */
static size_t find_event(const struct remote *r, const char *channel, struct span event)
{
	bool of_client = strip_client(&event);
	size_t i;

	if (of_client && !remote_takes_client_events(channel))
		return REMOTE_EVENTS;
	for (i = 0; i < REMOTE_EVENTS; i++)
		if (span_is(event, r->event_names[i]) && (events[i].of_clients || !of_client))
			break;
	return i;
}

static void name_events(struct remote *r)
{
	snprintf(r->event_names[EVENT_REQUEST], REMOTE_EVENT_LEN_MAX, "%s",
		 r->config.request_event);
	snprintf(r->event_names[EVENT_REQUEST_PART], REMOTE_EVENT_LEN_MAX, "%s-part",
		 r->config.request_event);
	snprintf(r->part_event, REMOTE_EVENT_LEN_MAX, "%s-part", r->config.response_event);
	snprintf(r->event_names[EVENT_CANCEL], REMOTE_EVENT_LEN_MAX, "%s", REMOTE_CANCEL_EVENT);
	snprintf(r->event_names[EVENT_RESPONSE], REMOTE_EVENT_LEN_MAX, "%s",
		 r->config.response_event);
}

void remote_event(struct remote *r, struct span channel, struct span event, struct span payload,
		  const struct now *now)
{
	const char *name = remote_find_channel(r, channel);
	size_t i = name ? find_event(r, name, event) : REMOTE_EVENTS;

	if (span_is(channel, r->namesake.channel) && span_is(event, NAMESAKE_EVENT))
		remote_look_for_namesake(r, payload, now);
	else if (i == REMOTE_EVENTS)
		r->status.n_ignored++;
	else
		events[i].came(r, span_str(name), payload, now);
}

/* ---- life ------------------------------------------------------------------------------- */

/* So many refusals, and so much of them: a flood of them is not to fill the memory. */
static struct outcomes_limits refusal_limits(const struct remote *r)
{
	return (struct outcomes_limits){
		.n_max = REMOTE_REFUSALS_MAX,
		.keep_ms = REMOTE_WAIT_MOST_MS + r->config.silence_ms,
		.bytes_max = REMOTE_REFUSALS_BYTES,
	};
}

static struct outcomes_limits store_limits(const struct remote_limits *limits)
{
	return (struct outcomes_limits){
		.n_max = OUTCOMES_MAX,
		.keep_ms = limits->answer_store_ms,
		.bytes_max = limits->answer_store_bytes,
	};
}

int remote_set_limits(struct remote *r, const struct remote_limits *limits, uint64_t now_ms)
{
	const struct outcomes_limits store = store_limits(limits);
	int rc = remote_grow_slots(r, limits->max_calls);

	if (rc < 0)
		return rc;
	r->config.limits = *limits;
	remote_limit_assemblies(r);
	outcomes_set_limits(r->outcomes, &store, now_ms);
	return 0;
}

static int make_tables(struct remote *r)
{
	const struct outcomes_limits store = store_limits(&r->config.limits);
	const struct outcomes_limits refusals = refusal_limits(r);
	int rc = remote_grow_slots(r, r->config.limits.max_calls);

	r->is_shared = calloc(MAX(r->config.n_channels, (size_t)1), sizeof(*r->is_shared));
	if (!r->is_shared)
		return -ENOMEM;
	if (rc == 0)
		rc = remote_make_assemblies(r);
	if (rc == 0)
		rc = outcomes_new(&store, r->config.seed, &r->outcomes);
	return rc < 0 ? rc : outcomes_new(&refusals, r->config.seed, &r->refusals);
}

int remote_new(const struct remote_config *config, struct router *router,
	       const struct remote_ops *ops, void *data, struct remote **ret_remote)
{
	struct remote *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	remote_init_slots(r);
	r->config = *config;
	if (make_tables(r) < 0) {
		outcomes_free(r->outcomes);
		assemblies_free(r->assemblies);
		remote_free_slots(r);
		free(r->is_shared);
		free(r);
		return -ENOMEM;
	}
	r->router = router;
	r->ops = *ops;
	r->data = data;
	name_events(r);
	namesake_init(&r->namesake, config->name, router_instance(router));
	list_init(&r->publishing);
	list_init(&r->progressing);
	list_init(&r->progress_sent);
	r->party.ops = &remote_party_ops;
	r->party.origin = PARTY_REMOTE;
	snprintf(r->party.caller, sizeof(r->party.caller), "remote");
	router_add(router, &r->party, NULL);
	*ret_remote = r;
	return 0;
}

struct remote *remote_free(struct remote *r, const struct now *now)
{
	struct remote_call *call, *tmp;

	if (!r)
		return NULL;
	router_remove(r->router, &r->party, now);
	remote_free_slots(r);
	list_for_each_safe(call, tmp, &r->progress_sent, struct remote_call, progress_sent)
		remote_progress_published(call);
	list_for_each_safe(call, tmp, &r->publishing, struct remote_call, link)
		for (unsigned int n = call->n_publishing; n > 0; n--)
			remote_call_unref(call);
	assemblies_free(r->assemblies);
	outcomes_free(r->outcomes);
	outcomes_free(r->refusals);
	free(r->is_shared);
	free(r);
	return NULL;
}

uint64_t remote_next_ms(const struct remote *r)
{
	return MIN(MIN(remote_next_progress_ms(r), assemblies_next_ms(r->assemblies)),
		   namesake_next_ms(&r->namesake));
}

void remote_tick(struct remote *r, const struct now *now)
{
	remote_tick_progress(r, now->ms);
	remote_tick_parts(r, now);
	remote_tick_announcement(r, now->ms);
}

void remote_status(const struct remote *r, struct remote_status *ret_status)
{
	*ret_status = r->status;
	ret_status->n_assembling = assemblies_count(r->assemblies);
}
