/* SPDX-License-Identifier: MIT */
/*
 * What the outbox has to have done for it: time, signatures, HTTP, and the log.
 *
 * A request is signed when it is sent, not when its events are queued: the hub looks at the
 * time. Sending waits until all that is ready in this turn of the loop has been looked at, so
 * that what comes in one turn goes out together; and for HOLD_MS while another request is under
 * way.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/publisher_private.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/http.h"
#include "gateway/ledger.h"
#include "gateway/sealed.h"
#include "gateway/sign.h"
#include "gateway/signer.h"
#include "gateway/tls.h"
#include "gateway/turn.h"

#define HOLD_MS 2 /* see outbox.h; little beside the way to a hub that is far away */
#define HEAD_LEN 1024 /* of a request, about: what max_request_bytes leaves for the body */

/* A request under way. */
struct post {
	struct list link;
	struct publisher *publisher;
	struct outbox_request *request;
};

int64_t publisher_unix_s(const struct publisher *p)
{
	return (int64_t)time(NULL) + outbox_clock_offset_s(p->outbox);
}

void publisher_count(struct publisher *p, uint64_t published, uint64_t delivered)
{
	const struct budget_count more = { .published = published, .delivered = delivered };

	if (published > 0)
		ledger_add(p->ledger, &more, publisher_unix_s(p));
}

/* What is not for ourselves has somebody who waits for it; how many more get it is not known. */
static void count_published(struct publisher *p, const struct outbox_status *before,
			    const struct outbox_status *now)
{
	publisher_count(p, now->n_published - before->n_published,
			now->n_excluding - before->n_excluding);
}

/* After an answer, and after what it ended has been told of. */
static void note_news(struct publisher *p, const struct outbox_status *before)
{
	struct outbox_status status;

	outbox_status(p->outbox, &status);
	count_published(p, before, &status);
	publisher_log_news(p, before, &status);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void send_waiting(struct publisher *p);

static void finish(struct publisher *p)
{
	struct outbox_status before;

	outbox_status(p->outbox, &before);
	outbox_finish(p->outbox, read_now().ms);
	note_news(p, &before);
}

static void post_free(struct post *post)
{
	list_del(&post->link);
	free(post);
}

/* libcurl's words for a certificate leave out the clock. */
static const char *error_text(const struct publisher *p, const struct http_response *response,
			      char *out, size_t out_len)
{
	if (!response->error || response->certificate_error == 0)
		return response->error;
	tls_describe(response->certificate_error, p->config->http_host, time(NULL), out, out_len);
	return out;
}

static void on_answer(void *data, const struct http_response *response)
{
	struct post *post = data;
	struct publisher *p = post->publisher;
	struct outbox_status before;
	char text[300];
	const struct verdict_answer answer = {
		.status = response->status,
		.body = response->body,
		.error = error_text(p, response, text, sizeof(text)),
		.unsent = response->unsent,
		.clock = response->error && tls_is_about_time(response->certificate_error),
		.date = response->date,
		.unix_s = (int64_t)time(NULL),
		.retry_after_s = response->retry_after_s,
	};

	outbox_status(p->outbox, &before);
	outbox_answer(p->outbox, post->request, &answer, read_now().ms);
	post_free(post);
	outbox_finish(p->outbox, read_now().ms);
	note_news(p, &before);
	send_waiting(p);
}

/* ---- sending --------------------------------------------------------------------------------- */

int publisher_put_target(struct publisher *p, const char *method,
			 const struct target *target, const char *query, struct span body,
			 struct buf *out)
{
	const struct sign_request request = {
		.method = method,
		.signed_path = target->signed_path,
		.path = target->path,
		.query = query,
		.body = body,
		.unix_s = publisher_unix_s(p),
	};
	int r = signer_put_target(p->signer, &request, p->config->key, p->config->secret, out);

	if (r < 0)
		return r;
	buf_put_byte(out, '\0');
	return buf_error(out);
}

/* At least 1. */
static uint64_t time_left_ms(const struct outbox_request *request)
{
	uint64_t until_ms = outbox_request_until_ms(request), now_ms = read_now().ms;

	return until_ms > now_ms ? until_ms - now_ms : 1;
}

static int post_send(struct post *post)
{
	CLEANUP(buf_deinit) struct buf line = BUF_NULL;
	CLEANUP(buf_deinit) struct buf body = BUF_NULL;
	const struct outbox_request *request = post->request;
	struct publisher *p = post->publisher;
	int r;

	outbox_request_put(request, p->socket_id, &body);
	r = buf_error(&body);
	if (r == 0)
		r = publisher_put_target(p, "POST",
					 outbox_request_is_batch(request) ? &p->batch : &p->events,
					 NULL, buf_span(&body), &line);
	if (r < 0)
		return r;
	return http_send(p->http, &(struct http_request){
		.target = (const char *)buf_data(&line),
		.body = buf_span(&body),
		.within_ms = time_left_ms(request),
		.once = outbox_request_is_once(request),
	}, on_answer, post);
}

static int post_new(struct publisher *p, struct outbox_request *request)
{
	struct post *post = calloc(1, sizeof(*post));
	int r;

	if (!post)
		return -ENOMEM;
	post->publisher = p;
	post->request = request;
	list_add_tail(&p->posts, &post->link);
	r = post_send(post);
	if (r < 0)
		post_free(post);
	return r;
}

static void arm_timer(struct publisher *p)
{
	uint64_t next_ms = outbox_next_ms(p->outbox), now_ms = read_now().ms, ms;
	struct timeval tv;

	if (next_ms == UINT64_MAX) {
		event_del(p->timer);
		return;
	}
	if (next_ms <= now_ms) {
		event_active(p->timer, EV_TIMEOUT, 0);
		return;
	}
	ms = next_ms - now_ms;
	tv = (struct timeval){ .tv_sec = (time_t)(ms / 1000),
			       .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	event_add(p->timer, &tv);
}

static void send_waiting(struct publisher *p)
{
	const struct verdict_answer unsent = { .error = "no memory to send it", .unsent = true };
	struct outbox_request *request;
	uint64_t now_ms = read_now().ms;

	while ((request = outbox_take(p->outbox, now_ms)))
		if (post_new(p, request) < 0)
			outbox_answer(p->outbox, request, &unsent, now_ms);
	arm_timer(p);
}

static void on_timer(evutil_socket_t fd UNUSED, short events UNUSED, void *arg)
{
	struct publisher *p = arg;

	finish(p);
	send_waiting(p);
}

/* The one place where data of an event is closed. */
int publisher_publish(struct publisher *p, const struct outbox_event *event, outbox_fn fn,
		      void *data)
{
	CLEANUP(buf_deinit) struct buf store = BUF_NULL;
	struct outbox_event closed = *event;
	int r = sealed_close(p->sealed, event->channel, event->payload, &store, &closed.payload);

	if (r != 0)
		return r < 0 ? r : PUBLISHER_E_NO_KEY;
	r = outbox_add(p->outbox, &closed, fn, data, read_now().ms);
	if (r == 0)
		arm_timer(p);
	return r;
}

bool publisher_withdraw(struct publisher *p, const void *data)
{
	return outbox_withdraw(p->outbox, data);
}

void publisher_set_socket_id(struct publisher *p, const char *socket_id)
{
	snprintf(p->socket_id, sizeof(p->socket_id), "%s", socket_id);
}

void publisher_hub_is_back(struct publisher *p)
{
	outbox_hub_is_back(p->outbox);
	arm_timer(p);
}

void publisher_hurry(struct publisher *p)
{
	outbox_hurry(p->outbox);
	arm_timer(p);
}

void publisher_clock_set(struct publisher *p)
{
	outbox_clock_set(p->outbox);
	arm_timer(p);
}

/* ---- what it is made of ---------------------------------------------------------------------- */

static int open_http(struct publisher *p, struct event_base *base)
{
	const struct config *config = p->config;
	const struct http_config http = {
		.origin = p->origin,
		.ca_file = config->ca_file,
		.proxy = config->proxy,
		.connections = config->publish_connections,
		.timeout_ms = config->publish_timeout_ms,
	};

	return http_new(base, &http, &p->http);
}

static size_t body_max(const struct config *config)
{
	if (config->max_request_bytes == 0)
		return 0;
	return config->max_request_bytes > 2 * HEAD_LEN ? config->max_request_bytes - HEAD_LEN
							: HEAD_LEN;
}

struct room publisher_room(const struct config *config)
{
	return (struct room){
		.max_event_bytes = config->max_event_bytes,
		.max_body_bytes = body_max(config),
	};
}

static struct outbox_config outbox_config_of(const struct config *config)
{
	struct outbox_config outbox = {
		.bytes_max = config->publish_queue,
		.grace_ms = config->publish_grace_ms,
		.backoff_least_ms = config->backoff_least_ms,
		.backoff_most_ms = config->backoff_most_ms,
		.probe_ms = config->probe_ms,
		.connections = config->publish_connections,
		.batch = config->batch,
		.hold_ms = HOLD_MS,
	};

	outbox.request_max = body_max(config);
	return outbox;
}

static int open_outbox(struct publisher *p)
{
	struct outbox_config outbox = outbox_config_of(p->config);
	int r = sign_random(&outbox.seed, sizeof(outbox.seed));

	return r < 0 ? r : outbox_new(&outbox, read_now().ms, &p->outbox);
}

static bool make_text(char **ret, const char *fmt, ...) PRINTF(2, 3);
static bool make_text(char **ret, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(ret, fmt, args);
	va_end(args);
	if (n < 0)
		*ret = NULL;
	return n >= 0;
}

bool target_init(struct target *ret, const struct config *config, const char *method)
{
	const char *prefix = config->path_prefix ? config->path_prefix : "";

	return make_text(&ret->path, "%s/apps/%s/%s", prefix, config->app_id, method) &&
	       make_text(&ret->signed_path, "%s/apps/%s/%s", config->sign_with_prefix ? prefix : "",
			 config->app_id, method);
}

void target_deinit(struct target *target)
{
	free(target->path);
	free(target->signed_path);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int make_targets(struct publisher *p)
{
	const struct config *config = p->config;
	bool brackets = strchr(config->http_host, ':');

	if (make_text(&p->origin, "%s://%s%s%s:%u", config->tls ? "https" : "http",
		      brackets ? "[" : "", config->http_host, brackets ? "]" : "",
		      config->http_port) &&
	    target_init(&p->events, config, "events") &&
	    target_init(&p->batch, config, "batch_events"))
		return 0;
	return -ENOMEM;
}

int publisher_new(struct event_base *base, const struct config *config, const struct sealed *sealed,
		  struct ledger *ledger, struct publisher **ret_publisher)
{
	struct publisher *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	list_init(&p->posts);
	list_init(&p->asks);
	p->config = config;
	p->sealed = sealed;
	p->ledger = ledger;
	p->timer = evtimer_new(base, on_timer, p);
	r = p->timer ? make_targets(p) : -ENOMEM;
	if (r == 0)
		r = signer_new(&p->signer);
	if (r == 0)
		r = open_outbox(p);
	if (r == 0)
		r = open_http(p, base);
	if (r < 0) {
		publisher_free(p);
		return r;
	}
	*ret_publisher = p;
	return 0;
}

void publisher_reconfigure(struct publisher *p)
{
	const struct outbox_config outbox = outbox_config_of(p->config);

	http_set_limits(p->http, p->config->publish_connections, p->config->publish_timeout_ms);
	outbox_set_limits(p->outbox, &outbox);
}

struct publisher *publisher_free(struct publisher *p)
{
	struct post *post, *tmp;

	if (!p)
		return NULL;
	http_free(p->http);
	list_for_each_safe(post, tmp, &p->posts, struct post, link)
		post_free(post);
	publisher_free_asks(p);
	outbox_free(p->outbox);
	signer_free(p->signer);
	if (p->timer)
		event_free(p->timer);
	free(p->origin);
	target_deinit(&p->events);
	target_deinit(&p->batch);
	free(p);
	return NULL;
}

void publisher_status(const struct publisher *publisher, struct outbox_status *ret_status)
{
	outbox_status(publisher->outbox, ret_status);
}
