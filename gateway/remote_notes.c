/* SPDX-License-Identifier: MIT */
/*
 * What passes between a remote request and its answer: cancel comes in, progress goes out. See
 * remote_private.h.
 *
 * A call publishes its progress twice a second at most, one event at a time, and the latest
 * wins: so what the hub is slow to take does not pile up. Nobody has to get it: what cannot be
 * sent is left out.
 */
#include "gateway/remote_private.h"

#include "gateway/record_notes.h"
#include "libchapi-ipc/mp.h"

#define PROGRESS_EVERY_MS 500

/* ---- cancel ----------------------------------------------------------------------------- */

/* One that is not known has crossed its answer. */
void remote_cancel(struct remote *r, struct span channel UNUSED, struct span text,
		   const struct now *now)
{
	CLEANUP(buf_deinit) struct buf id = BUF_NULL;
	struct remote_call *call = NULL;

	if (record_cancel_parse(text, &id) == 0)
		call = outcomes_running(r->outcomes, buf_span(&id));
	if (call)
		router_cancel(r->router, &r->party, call->token, now);
	else
		r->status.n_ignored++;
}

/* ---- progress --------------------------------------------------------------------------- */

void remote_take_progress(struct remote *r, struct remote_call *call, struct span value)
{
	struct value_fault fault;

	buf_clear(&call->progress);
	if (value_to_json(value, MP_VALUE_DEPTH_MAX, &call->progress, &fault) ||
	    buf_error(&call->progress)) {
		buf_deinit(&call->progress);
		list_del(&call->progressing);
		r->status.n_progress_dropped++;
		return;
	}
	if (!list_empty(&call->progressing)) {
		r->status.n_progress_dropped++;	/* the one before, which was still there */
		return;
	}
	list_add_tail(&r->progressing, &call->progressing);
	r->ops.timer(r->data);
}

void remote_end_progress(struct remote *r, struct remote_call *call)
{
	r->status.n_progress_dropped += !list_empty(&call->progressing);
	list_del(&call->progressing);
	buf_deinit(&call->progress);
}

static bool publish(struct remote *r, struct remote_call *call, uint64_t now_ms)
{
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;

	record_progress_put(buf_span(&call->request.id), call->n_progress,
			    buf_span(&call->progress), &record);
	if (buf_error(&record) || !room_fits(&r->config.room, call->reply, buf_span(&record)))
		return false;
	return r->ops.publish(r->data, &(struct remote_publication){
		.channel = call->reply,
		.event = span_str(REMOTE_PROGRESS_EVENT),
		.payload = buf_span(&record),
		.deadline_ms = now_ms,
		.progress_of = call,
	});
}

static void send(struct remote *r, struct remote_call *call, uint64_t now_ms)
{
	call->progress_at_ms = now_ms + PROGRESS_EVERY_MS;
	list_del(&call->progressing);
	if (!publish(r, call, now_ms)) {
		r->status.n_progress_dropped++;
		return;
	}
	call->n_progress++;
	call->refs++;
	list_add_tail(&r->progress_sent, &call->progress_sent);
}

void remote_progress_published(void *progress_of)
{
	struct remote_call *call = progress_of;

	list_del(&call->progress_sent);
	remote_call_unref(call);
}

static uint64_t due_ms(const struct remote_call *call)
{
	return list_empty(&call->progress_sent) ? call->progress_at_ms : UINT64_MAX;
}

uint64_t remote_next_progress_ms(const struct remote *r)
{
	uint64_t next_ms = UINT64_MAX;
	struct remote_call *call;

	list_for_each(call, &r->progressing, struct remote_call, progressing)
		next_ms = MIN(next_ms, due_ms(call));
	return next_ms;
}

void remote_tick_progress(struct remote *r, uint64_t now_ms)
{
	struct remote_call *call, *tmp;

	list_for_each_safe(call, tmp, &r->progressing, struct remote_call, progressing)
		if (due_ms(call) <= now_ms)
			send(r, call, now_ms);
}
