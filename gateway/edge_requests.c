/* SPDX-License-Identifier: MIT */
/*
 * What a process asks of the hub, through the edge: to publish an event, and which gateways are
 * there. The edge ends it by its id.
 *
 * The request that waits is pending.c's; calls to other gateways are outgoing.c's.
 */
#include <errno.h>
#include <string.h>

#include "common/utf8.h"
#include "gateway/channel_name.h"
#include "gateway/methods.h"
#include "gateway/options.h"
#include "gateway/pending.h"
#include "gateway/text.h"
#include "libchapi-ipc/value.h"

/* ---- publish -------------------------------------------------------------------------- */

#define EVENT_NAME_MAX 200	/* bytes; of the hub */

static bool check_event(struct request *q, struct span channel, struct span event)
{
	if (!channel_name_is_valid(channel))
		request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
			     "'%s' is no channel: " CHANNEL_NAME_RULE, TEXT_QUOTE(channel));
	else if (event.len == 0 || event.len > EVENT_NAME_MAX || !utf8_is_valid(event))
		request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
			     "the event's name must be a text of 1 to %d bytes", EVENT_NAME_MAX);
	else if (span_begins(event, "pusher:") || span_begins(event, "pusher_internal:") ||
		 span_begins(event, "client-"))
		request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
			     "names that begin with pusher:, pusher_internal: or client- are the "
			     "hub's own; choose another");
	else
		return request_may(q, RIGHT_PUBLISH, channel, "publish on this channel");
	return false;
}

/* A text goes out as it is, any other value as JSON. */
static bool read_data(struct request *q, struct buf *out)
{
	struct value_fault fault;
	struct span text;

	if (mp_peek(&q->args) == MP_STR && mp_read_str(&q->args, &text) == 0) {
		buf_put(out, text.p, text.len);
		if (utf8_is_valid(text))
			return true;
		request_fail(q, CHAPI_ERR_INVALID_ARGUMENT, "the data is not UTF-8");
		return false;
	}
	if (value_to_json(mp_rest(&q->args), MP_VALUE_DEPTH_MAX, out, &fault) <= 0)
		return true;
	request_fail(q, CHAPI_ERR_INVALID_ARGUMENT, "the data has no form in JSON: %s", fault.text);
	return false;
}

/* One that the edge ends by its id. NULL: the failure is set. */
static struct pending *pending_at_edge(struct request *q)
{
	struct pending *p = pending_new(q, 0);

	if (!p)
		return NULL;
	p->id = ++q->router->n_publishes;
	list_add_tail(&q->router->publishes, &p->target);
	return p;
}

/* NULL: there is none. */
static struct pending *find_at_edge(struct router *router, uint64_t id)
{
	struct pending *p;

	list_for_each(p, &router->publishes, struct pending, target)
		if (p->id == id)
			return p;
	return NULL;
}

static enum outcome publish(struct request *q, struct span channel, struct span event,
			    const struct buf *data)
{
	const struct router_config *config = &q->router->config;
	struct pending *p = pending_at_edge(q);
	int rc;

	if (!p)
		return OUTCOME_FAILURE;
	p->is_event = true;
	rc = config->edge.publish(config->data, channel, event, buf_span(data), p->id);
	if (rc == 0)
		return OUTCOME_LATER;
	pending_free(p);
	if (rc == -ENOBUFS)
		return request_fail(q, CHAPI_ERR_BUSY,
				    "too much waits to be published already; try again later");
	if (rc == -ENOKEY)
		return request_fail(q, CHAPI_ERR_FAILED_PRECONDITION,
				    "the channel is encrypted, and this gateway has no "
				    "encryption_master_key_file");
	return request_fail_memory(q);
}

enum outcome method_publish(struct request *q)
{
	CLEANUP(buf_deinit) struct buf data = BUF_NULL;
	struct span channel, event;

	if (!request_read_text(q, "the channel", &channel) ||
	    !request_read_text(q, "the event's name", &event) || !check_event(q, channel, event) ||
	    !read_data(q, &data))
		return OUTCOME_FAILURE;
	if (!q->router->config.edge.publish)
		return request_fail(q, CHAPI_ERR_FAILED_PRECONDITION,
				    "publishing needs the hub, and none is configured here "
				    "(section [pusher])");
	if (buf_error(&data) != 0)
		return request_fail_memory(q);
	return publish(q, channel, event, &data);
}

void router_published(struct router *router, uint64_t id, int code, enum chapi_ran ran,
		      const char *error, const struct now *now)
{
	struct failure failure = {
		.code = code, .ran = ran, .message = span_str(error ? error : ""),
	};
	struct pending *p = find_at_edge(router, id);

	if (p)
		pending_finish(p, error ? &failure : NULL, now);
}

/* ---- gateways ------------------------------------------------------------------------- */

enum outcome method_gateways(struct request *q)
{
	const struct router_config *config = &q->router->config;
	struct pending *p;

	if (!config->edge.list_gateways)
		return request_fail(q, CHAPI_ERR_FAILED_PRECONDITION,
				    "other gateways are seen through the hub, and none is "
				    "configured here (section [pusher])");
	p = pending_at_edge(q);
	if (!p)
		return OUTCOME_FAILURE;
	if (config->edge.list_gateways(config->data, p->id) == 0)
		return OUTCOME_LATER;
	pending_free(p);
	return request_fail_memory(q);
}

void router_gateways(struct router *router, uint64_t id, struct span list, const char *error,
		     const struct now *now)
{
	struct pending *p = find_at_edge(router, id);
	struct failure failure;

	if (!p)
		return;
	if (error)
		router_fail(router, &failure, CHAPI_ERR_HUB_DOWN, "the hub does not say who is "
								  "there: %s", error);
	pending_finish_with(p, error ? &failure : NULL, list, now);
}
