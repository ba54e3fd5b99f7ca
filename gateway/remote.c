/* SPDX-License-Identifier: MIT */
/*
 * The remote side as a party of the router.
 *
 * Calls that run are kept in a table of at least max_calls slots; the token that the router brings
 * back is the slot's number together with how often it was used, so that nothing is searched
 * and a stale token finds nothing.
 *
 * The data of every event is opened in remote_event() and closed in publish(), nowhere else.
 * Repeats of an id would be recognised in start_call(), before anything is run, and their
 * outcomes be kept in on_response().
 */
#include "gateway/remote.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/record.h"
#include "libchapi-ipc/mp.h"

#define RETRY_AFTER_MS 1000	/* what a refused caller is advised to wait */
#define WAIT_MOST_MS 600000	/* however long a caller says that it waits */
#define STATUS_TOO_LARGE 413
#define NO_SLOT UINT32_MAX

/* A call that runs, or whose answer is being published: what its answer needs. */
struct remote_call {
	unsigned int refs;
	struct list link;		/* among the answers being published */
	struct remote *remote;
	struct record_request request;
	struct span channel;		/* where it came from; of the config */
	uint64_t deadline_ms;		/* 0: none was named */
	bool starting;			/* start_call() holds it */
	bool answered;			/* meanwhile */

	/* Of the answer: should the hub find it too large, another one says so. */
	struct party_response said;	/* without what it points to */
	enum chapi_ran ran;
	size_t size;
	bool substituted;		/* it is that other one */
};

struct slot {
	struct remote_call *call;	/* NULL: free */
	uint32_t n_uses;
	uint32_t next_free;
};

struct remote {
	struct party party;
	struct remote_config config;
	struct router *router;
	struct remote_ops ops;
	void *data;
	char client_request_event[256];	/* as a WebSocket client has to name it; "" if that is too long */
	struct slot *slots;
	uint32_t n_slots;
	uint32_t first_free;
	struct list publishing;		/* calls whose answers are */
	struct remote_status status;
};

/* ---- calls that run --------------------------------------------------------------------- */

static struct remote_call *remote_call_unref(struct remote_call *call)
{
	if (!call || --call->refs > 0)
		return NULL;
	list_del(&call->link);
	record_request_deinit(&call->request);
	free(call);
	return NULL;
}

static void remote_call_unrefp(struct remote_call **call)
{
	*call = remote_call_unref(*call);
}

static int remote_call_new(struct remote *r, struct span channel, struct remote_call **ret_call)
{
	struct remote_call *call = calloc(1, sizeof(*call));

	if (!call)
		return -ENOMEM;
	call->refs = 1;
	call->remote = r;
	list_init(&call->link);
	record_request_init(&call->request);
	call->channel = channel;
	*ret_call = call;
	return 0;
}

static uint64_t add_call(struct remote *r, struct remote_call *call)
{
	uint32_t i = r->first_free;
	struct slot *slot = &r->slots[i];

	r->first_free = slot->next_free;
	slot->call = call;
	slot->n_uses++;
	r->status.n_running++;
	return (uint64_t)slot->n_uses << 32 | i;
}

/* NULL: no such call, any more. */
static struct remote_call *take_call(struct remote *r, uint64_t token)
{
	uint32_t i = (uint32_t)token;
	struct remote_call *call;
	struct slot *slot;

	if (i >= r->n_slots)
		return NULL;
	slot = &r->slots[i];
	if (!slot->call || slot->n_uses != token >> 32)
		return NULL;
	call = slot->call;
	slot->call = NULL;
	slot->next_free = r->first_free;
	r->first_free = i;
	r->status.n_running--;
	return call;
}

/* ---- answers ---------------------------------------------------------------------------- */

/* The call is kept until it is known what became of its answer. */
static void publish(struct remote *r, struct remote_call *call, const struct buf *record)
{
	call->size = record->len;
	call->refs++;
	list_add_tail(&r->publishing, &call->link);
	if (r->ops.publish(r->data, &(struct remote_publication){
		    .channel = call->channel,
		    .event = span_str(r->config.response_event),
		    .payload = buf_span(record),
		    .has_id = call->request.id.len > 0,
		    .deadline_ms = call->deadline_ms,
		    .answer = call,
	    })) {
		r->status.n_responses++;
		return;
	}
	list_del(&call->link);
	remote_call_unref(call);
}

/* The record of a response. False: there is none, or it is too large: *ret_size says which (0: no memory). */
static bool put_record(struct remote *r, const struct record_request *request, const struct party_response *response,
		       struct buf *out, size_t *ret_size)
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
	return out->len <= r->config.max_event_bytes;
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
	s->failure = (struct failure){ .code = size ? CHAPI_ERR_TOO_LARGE : CHAPI_ERR_INTERNAL, .ran = ran };
	if (size && size <= limit) {
		snprintf(s->message, sizeof(s->message),
			 "the answer has %zu bytes, and the hub refused it as too large", size);
		mp_put_map(&s->details, 1);
		mp_put_str(&s->details, "size");
		mp_put_uint(&s->details, size);
	} else if (size) {
		snprintf(s->message, sizeof(s->message),
			 "the answer has %zu bytes, more than the %zu that the hub takes", size, limit);
		mp_put_map(&s->details, 2);
		mp_put_str(&s->details, "size");
		mp_put_uint(&s->details, size);
		mp_put_str(&s->details, "limit");
		mp_put_uint(&s->details, limit);
	} else {
		snprintf(s->message, sizeof(s->message), "the gateway has no memory for the answer");
	}
	s->failure.message = span_str(s->message);
	if (!buf_error(&s->details))
		s->failure.details = buf_span(&s->details);
}

/* First with the caller's own params and fields, then without: they may be what is too large. */
static bool put_substitute(struct remote *r, const struct record_request *request,
			   const struct party_response *response, enum chapi_ran ran, struct buf *out,
			   size_t size)
{
	CLEANUP(substitute_deinit) struct substitute substitute = { 0 };
	struct party_response short_response = *response;
	struct record_request bare = *request;
	size_t ignored;

	substitute_make(&substitute, ran, size, r->config.max_event_bytes);
	short_response.failure = &substitute.failure;
	if (put_record(r, request, &short_response, out, &ignored))
		return true;
	bare.params_text = bare.extra = (struct buf)BUF_NULL;
	return put_record(r, &bare, &short_response, out, &ignored);
}

/* What a substitute has in common with the answer. */
static void keep_said(struct remote_call *call, const struct party_response *response)
{
	call->ran = ran_of(response);
	call->said = *response;
	call->said.failure = NULL;
	call->said.result = call->said.api = call->said.call = span_of(NULL, 0);
}

static void answer(struct remote *r, struct remote_call *call, const struct party_response *response)
{
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;
	size_t size;

	keep_said(call, response);
	if (put_record(r, &call->request, response, &record, &size) ||
	    put_substitute(r, &call->request, response, call->ran, &record, size))
		publish(r, call, &record);
	else
		r->status.n_ignored++;
}

/* The hub takes less than max_event_bytes: whoever waits is told that much. */
static void answer_too_large(struct remote *r, struct remote_call *call)
{
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;

	call->substituted = true;
	if (put_substitute(r, &call->request, &call->said, call->ran, &record, call->size))
		publish(r, call, &record);
}

void remote_published(void *data, unsigned int status)
{
	struct remote_call *call = data;

	list_del(&call->link);
	if (status == STATUS_TOO_LARGE && !call->substituted)
		answer_too_large(call->remote, call);
	remote_call_unref(call);
}

/* An answer that needs no router. */
static void refuse(struct remote *r, struct remote_call *call, int code, const char *message, struct span details,
		   const struct now *now)
{
	const struct failure failure = {
		.code = code,
		.ran = CHAPI_RAN_NO,
		.message = span_str(message),
		.details = details,
	};

	answer(r, call, &(struct party_response){
		.failure = &failure,
		.request_time = now->unix_s,
		.response_time = now->unix_s,
	});
}

/* Who cannot be told apart from others gets no refusal: an id is what asks for one. */
static void refuse_busy(struct remote *r, struct remote_call *call, const struct now *now)
{
	CLEANUP(buf_deinit) struct buf details = BUF_NULL;
	char message[120];

	if (call->request.id.len == 0) {
		r->status.n_ignored++;
		return;
	}
	snprintf(message, sizeof(message), "%u calls of remote callers run already; try again later",
		 r->config.max_calls);
	mp_put_map(&details, 1);
	mp_put_str(&details, "retry_after_ms");
	mp_put_uint(&details, RETRY_AFTER_MS);
	refuse(r, call, CHAPI_ERR_RATE_LIMITED, message,
	       buf_error(&details) ? span_of(NULL, 0) : buf_span(&details), now);
}

static void on_response(struct party *party, uint64_t token, const struct party_response *response)
{
	struct remote *r = container_of(party, struct remote, party);
	struct remote_call *call = take_call(r, token);
	bool unknown = response->failure && response->failure->code == CHAPI_ERR_API_NOT_FOUND;

	if (!call || (unknown && !r->config.answer_unknown))
		r->status.n_ignored++;
	else
		answer(r, call, response);
	if (call && call->starting)
		call->answered = true;
	else
		remote_call_unref(call);
}

static void on_progress(struct party *party UNUSED, uint64_t token UNUSED, struct span value UNUSED)
{
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

/* Hands a request to the router, which may answer before it returns and still read what it was given. */
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
	call->starting = true;
	router_call(r->router, &r->party,
		    &(struct router_call){
			    .token = add_call(r, call),
			    .api = buf_span(&request->api),
			    .params = buf_span(&request->params),
			    .call = buf_span(&request->id),
			    .caller = buf_span(&caller),
			    .request_time = isnan(request->request_time) ? 0 : request->request_time,
			    .timeout_ms = request->timeout_ms,
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

static void request_came(struct remote *r, struct span channel, struct span text, const struct now *now)
{
	CLEANUP(remote_call_unrefp) struct remote_call *call = NULL;
	struct value_fault fault;
	int outcome;

	if (remote_call_new(r, channel, &call))
		outcome = RECORD_E_NOT_OURS;
	else
		outcome = record_request_parse(text, &call->request, &fault);
	if (outcome < 0 || outcome == RECORD_E_NOT_OURS || !is_for_us(r, &call->request)) {
		r->status.n_ignored++;
		return;
	}
	r->status.n_requests++;
	if (call->request.timeout_ms > 0)
		call->deadline_ms = now->ms + (uint64_t)MIN(call->request.timeout_ms, WAIT_MOST_MS);
	if (outcome == RECORD_E_INVALID) {
		refuse(r, call, CHAPI_ERR_INVALID_ARGUMENT, fault.text, span_of(NULL, 0), now);
	} else if (call->request.reply_to.len > 0) {
		refuse(r, call, CHAPI_ERR_INVALID_ARGUMENT,
		       "reply_to: this gateway answers on the channel of the request only; leave it out",
		       span_of(NULL, 0), now);
	} else if (r->status.n_running >= r->config.max_calls) {
		refuse_busy(r, call, now);
	} else {
		start_call(r, call, now);
		call = NULL;
	}
}

/* An answer of somebody else is nothing to us, unless it bears our name. */
static void response_came(struct remote *r, struct span text)
{
	CLEANUP(buf_deinit) struct buf gateway = BUF_NULL;
	CLEANUP(buf_deinit) struct buf instance = BUF_NULL;

	r->status.n_ignored++;
	if (record_response_origin(text, &gateway, &instance))
		return;
	if (span_is(buf_span(&gateway), r->config.name) &&
	    !span_is(buf_span(&instance), router_instance(r->router)))
		r->status.n_name_conflicts++;
}

/* The channel as the config has it: its text outlives the event. */
static const char *find_channel(const struct remote *r, struct span channel)
{
	for (size_t i = 0; i < r->config.n_channels; i++)
		if (span_is(channel, r->config.channels[i]))
			return r->config.channels[i];
	return NULL;
}

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/*
 * Client events count on private channels only: there a subscriber had to show that it knows
 * the secret. Some servers relay them on public channels too, where the app's key, which is
 * no secret, would do, and on encrypted ones, where they come in clear.
 */
static bool takes_client_events(const char *channel)
{
	return begins_with(channel, "private-") && !begins_with(channel, "private-encrypted-");
}

void remote_event(struct remote *r, struct span channel, struct span event, struct span payload,
		  const struct now *now)
{
	const char *name = find_channel(r, channel);

	if (!name)
		r->status.n_ignored++;
	else if (span_is(event, r->config.request_event))
		request_came(r, span_str(name), payload, now);
	else if (span_is(event, r->client_request_event) && takes_client_events(name))
		request_came(r, span_str(name), payload, now);
	else if (span_is(event, r->config.response_event))
		response_came(r, payload);
	else
		r->status.n_ignored++;
}

/* ---- life ------------------------------------------------------------------------------- */

/* The table never becomes smaller: tokens are places in it. */
static int grow_slots(struct remote *r, uint32_t n)
{
	struct slot *slots;

	if (n <= r->n_slots)
		return 0;
	slots = reallocarray(r->slots, n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + r->n_slots, 0, (n - r->n_slots) * sizeof(*slots));
	for (uint32_t i = n; i > r->n_slots; i--) {
		slots[i - 1].next_free = r->first_free;
		r->first_free = i - 1;
	}
	r->slots = slots;
	r->n_slots = n;
	return 0;
}

int remote_set_limits(struct remote *r, bool answer_unknown, unsigned int max_calls)
{
	int rc = grow_slots(r, max_calls);

	if (rc < 0)
		return rc;
	r->config.answer_unknown = answer_unknown;
	r->config.max_calls = max_calls;
	return 0;
}

int remote_new(const struct remote_config *config, struct router *router, const struct remote_ops *ops, void *data,
	       struct remote **ret_remote)
{
	struct remote *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->first_free = NO_SLOT;
	if (grow_slots(r, config->max_calls) < 0) {
		free(r);
		return -ENOMEM;
	}
	r->config = *config;
	r->router = router;
	r->ops = *ops;
	r->data = data;
	snprintf(r->client_request_event, sizeof(r->client_request_event), "client-%s", config->request_event);
	list_init(&r->publishing);
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
	for (uint32_t i = 0; i < r->n_slots; i++)
		remote_call_unref(r->slots[i].call);
	list_for_each_safe(call, tmp, &r->publishing, struct remote_call, link)
		remote_call_unref(call);
	free(r->slots);
	free(r);
	return NULL;
}

void remote_status(const struct remote *r, struct remote_status *ret_status)
{
	*ret_status = r->status;
}
