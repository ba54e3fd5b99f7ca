/* SPDX-License-Identifier: MIT */
/*
 * The edges of the remote side, played by a test: see remote_edges.h.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "tests/unit/remote_edges.h"

#include <stdio.h>

const char *const channels[] = { PRIVATE, PUBLIC, ENCRYPTED, PRESENCE };

const struct now now = { .ms = 1000, .us = 1000000, .unix_s = 1700000000.5 };

static bool on_publish(void *data, const struct remote_publication *p)
{
	struct world *w = data;

	if (w->full)
		return false;
	w->n_published++;
	snprintf(w->channel, sizeof(w->channel), "%.*s", (int)p->channel.len, p->channel.p);
	snprintf(w->event, sizeof(w->event), "%.*s", (int)p->event.len, p->event.p);
	buf_clear(&w->payload);
	buf_put(&w->payload, p->payload.p, p->payload.len);
	w->has_id = p->has_id;
	w->deadline_ms = p->deadline_ms;
	w->answer = p->answer;
	w->progress_of = p->progress_of;
	return true;
}

static void on_timer(void *data)
{
	struct world *w = data;

	w->n_waits++;
}

static const struct remote_ops ops = { .publish = on_publish, .timer = on_timer };

const struct remote_config defaults = {
	.name = "pi",
	.channels = channels,
	.n_channels = ARRAY_SIZE(channels),
	.request_event = "request",
	.response_event = "response",
	.room.max_event_bytes = 10240,
	.limits = {
		.answer_unknown = true,
		.max_calls = 3,
		.answer_store_ms = 600000,
		.answer_store_bytes = 1 << 20,
	},
};

void world_init_config(struct world *w, const struct remote_config *config)
{
	*w = (struct world){ 0 };
	assert_int_equal(remote_new(config, &w->router, &ops, w, &w->remote), 0);
	assert_non_null(w->router.party);
	assert_int_equal(w->router.party->origin, PARTY_REMOTE);
}

void world_init(struct world *w)
{
	world_init_config(w, &defaults);
}

void world_deinit(struct world *w)
{
	w->remote = remote_free(w->remote, &now);
	assert_null(w->router.party);
	buf_deinit(&w->payload);
}

struct now at(uint64_t ms)
{
	struct now then = now;

	then.unix_s += (double)(ms - now.ms) / 1000;
	then.ms = ms;
	return then;
}

void tick_at(struct world *w, uint64_t ms)
{
	const struct now then = at(ms);

	remote_tick(w->remote, &then);
}

void event_comes(struct world *w, const char *channel, const char *event,
		 const char *payload)
{
	remote_event(w->remote, span_str(channel), span_str(event), span_str(payload), &now);
}

void request_comes(struct world *w, const char *payload)
{
	event_comes(w, PRIVATE, "request", payload);
}

void request_comes_at(struct world *w, uint64_t ms, const char *payload)
{
	const struct now then = at(ms);

	remote_event(w->remote, span_str(PRIVATE), span_str("request"), span_str(payload), &then);
}

void id_comes(struct world *w, const char *id)
{
	char payload[100];

	snprintf(payload, sizeof(payload), "{\"id\":\"%s\",\"api\":\"x\"}", id);
	request_comes(w, payload);
}

struct party_response response_of(const struct failure *failure, struct span result)
{
	return (struct party_response){
		.failure = failure,
		.result = result,
		.request_time = 1700000000.5,
		.response_time = 1700000001,
		.queue_ms = 0.25,
		.run_ms = 12.5,
	};
}
void answer_token(struct world *w, uint64_t token, const struct failure *failure,
		  struct span result)
{
	const struct party_response response = response_of(failure, result);

	w->router.party->ops->response(w->router.party, token, &response);
}

void answer_call(struct world *w, size_t i)
{
	answer_token(w, w->router.calls[i % CALLS_MAX].token, NULL, RESULT_1);
}

struct remote_status status_of(const struct world *w)
{
	struct remote_status status;

	remote_status(w->remote, &status);
	return status;
}

void assert_published(const struct world *w, unsigned int n, const char *payload)
{
	assert_int_equal(w->n_published, n);
	assert_string_equal(w->event, "response");
	if (!span_is(buf_span(&w->payload), payload))
		fail_msg("got %.*s\nnot %s", (int)w->payload.len, buf_data(&w->payload), payload);
}

void assert_says(const struct world *w, const char *words)
{
	const uint8_t *p = buf_data(&w->payload);

	if (!memmem(p, w->payload.len, words, strlen(words)))
		fail_msg("%.*s does not say %s", (int)w->payload.len, p, words);
}

void assert_says_not(const struct world *w, const char *words)
{
	assert_null(memmem(buf_data(&w->payload), w->payload.len, words, strlen(words)));
}
