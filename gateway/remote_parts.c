/* SPDX-License-Identifier: MIT */
/*
 * Requests that come in parts: see remote_private.h.
 *
 * What has to be refused before the record is known is refused by the id of its parts, unless
 * that id is known: then it is a late double, whose caller has its answer or will get it, or a
 * repeat of which something got lost, which gets the kept answer. One that was refused is told so
 * again. Answers in parts are remote_answers.c.
 */
#include "gateway/remote_private.h"

#include <errno.h>
#include <stdio.h>

#include "gateway/assembly.h"
#include "libchapi-ipc/mp.h"

static struct assemblies_limits limits_of(const struct remote_limits *limits)
{
	return (struct assemblies_limits){
		.record_max = limits->max_record,
		.bytes_max = MAX(REMOTE_ASSEMBLY_BYTES, 4 * limits->max_record),
		.n_max = REMOTE_ASSEMBLY_MAX,
		.complete_ms = REMOTE_ASSEMBLY_MS,
	};
}

int remote_make_assemblies(struct remote *r)
{
	const struct assemblies_limits limits = limits_of(&r->config.limits);

	return assemblies_new(&limits, &r->assemblies);
}

void remote_limit_assemblies(struct remote *r)
{
	const struct assemblies_limits limits = limits_of(&r->config.limits);

	assemblies_set_limits(r->assemblies, &limits);
}

/* ---- refusals --------------------------------------------------------------------------- */

static void put_sizes(struct buf *details, size_t size, size_t limit)
{
	mp_put_map(details, 2);
	mp_put_str(details, "size");
	mp_put_uint(details, size);
	mp_put_str(details, "limit");
	mp_put_uint(details, limit);
}

/* As much of a call as is known; what it asks for is not. */
static int call_of_part(struct remote *r, struct span channel, const struct part *part,
			const struct now *now, struct remote_call **ret_call)
{
	struct remote_call *call;
	int rc = remote_call_new(r, channel, &call);

	if (rc < 0)
		return rc;
	buf_put(&call->request.id, buf_data(&part->id), part->id.len);
	if (buf_error(&call->request.id) < 0 || remote_take_retry(&call->request, part) < 0) {
		remote_call_unref(call);
		return -ENOMEM;
	}
	call->arrived_ms = now->ms;
	call->key = (struct outcome_key){ .id = buf_span(&call->request.id), .any = true };
	*ret_call = call;
	return 0;
}

/*
 * What it calls is not known, nor whom: so it may be another gateway's, which answers on the same
 * channel and may run it. Where none has answered yet it is ours.
 */
static bool is_left_alone(const struct remote *r, struct span channel, const struct part *part)
{
	return part->to.len == 0 &&
	       (!r->config.limits.answer_unknown || remote_is_shared(r, channel));
}

/* This try did not run; the first, or what it is a double of, may have. */
static void doubt(struct failure *failure)
{
	failure->ran = CHAPI_RAN_UNKNOWN;
	if (failure->code == CHAPI_ERR_DEADLINE_EXCEEDED)
		failure->message =
			span_str("not all parts of the request came within 30 s; whether it came "
				 "before, and ran, is not known any more");
}

/* details: {size, limit}, or of size 0 none. failure: of what neither repeats nor is a double. */
static void refuse(struct remote *r, struct span channel, const struct part *part,
		   struct failure failure, size_t size, const struct now *now)
{
	CLEANUP(remote_call_unrefp) struct remote_call *call = NULL;
	CLEANUP(buf_deinit) struct buf details = BUF_NULL;

	if (!part->has_retry && outcomes_has(r->outcomes, buf_span(&part->id)))
		return;
	if (size > 0) {
		put_sizes(&details, size, r->config.limits.max_record);
		failure.details = buf_span(&details);
	}
	if (buf_error(&details) || call_of_part(r, channel, part, now, &call) < 0) {
		r->status.n_ignored++;
		return;
	}
	if (remote_may_have_run(r, call, now))
		doubt(&failure);
	if (remote_repeat(r, call, now))
		return;
	if (is_left_alone(r, channel, part))
		r->status.n_ignored++;
	else if (!remote_is_too_often(r, call, failure.ran, now))
		remote_refuse_failure(r, call, &failure, now);
}

static void refuse_plain(struct remote *r, struct span channel, const struct part *part, int code,
			 const char *why, const struct now *now)
{
	refuse(r, channel, part, (struct failure){
		.code = code,
		.ran = CHAPI_RAN_NO,
		.message = span_str(why),
	}, 0, now);
}

static void refuse_size(struct remote *r, struct span channel, const struct part *part, size_t size,
			const struct now *now)
{
	char why[160];

	snprintf(why, sizeof(why), "the request has %zu bytes or more, and at most %zu are taken "
		 "(max_record)", size, r->config.limits.max_record);
	refuse(r, channel, part, (struct failure){
		.code = CHAPI_ERR_TOO_LARGE, .ran = CHAPI_RAN_NO, .message = span_str(why),
	}, size, now);
}

/*
 * What a hub doubles late looks like what is new: its first time can have run here and be forgotten
 * since, or have gone to a gateway before us. waited_ms: since a part of it came.
 */
static bool may_be_double(const struct remote *r, uint64_t waited_ms, const struct now *now)
{
	uint64_t ago_ms = waited_ms + r->config.silence_ms;
	uint64_t since_ms = now->ms > ago_ms ? now->ms - ago_ms : 0;

	return r->config.start_ms > since_ms || outcomes_forgot_since(r->outcomes, since_ms);
}

/* Of which no more is known than its parts, the first of which came waited_ms ago at most. */
static void refuse_new(struct remote *r, struct span channel, const struct part *part, int code,
		       const char *why, uint64_t waited_ms, const struct now *now)
{
	struct failure failure = {
		.code = code, .ran = CHAPI_RAN_NO, .message = span_str(why),
	};

	if (may_be_double(r, waited_ms, now))
		doubt(&failure);
	refuse(r, channel, part, failure, 0, now);
}

static void refuse_late(struct remote *r, struct span channel, const struct part *part,
			const struct now *now)
{
	refuse_new(r, channel, part, CHAPI_ERR_DEADLINE_EXCEEDED,
		   "not all parts of the request came within 30 s; send it again, with another id",
		   REMOTE_ASSEMBLY_MS, now);
}

/* ---- events ----------------------------------------------------------------------------- */

static void take_part(struct remote *r, struct span channel, struct part *part,
		      const struct now *now)
{
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;
	size_t size;

	switch (assemblies_add(r->assemblies, channel, part, now->ms, &record, &size)) {
	case 0:
		remote_request(r, channel, buf_span(&record), part, now);
		break;
	case ASSEMBLY_WAITS:
		r->ops.timer(r->data);
		break;
	case ASSEMBLY_E_FULL:
		refuse_new(r, channel, part, CHAPI_ERR_BUSY,
			   "too many large requests come at once; try again later", 0, now);
		break;
	case ASSEMBLY_E_TOO_LARGE:
		refuse_size(r, channel, part, size, now);
		break;
	case ASSEMBLY_E_BAD:
		refuse_plain(r, channel, part, CHAPI_ERR_INVALID_ARGUMENT,
			     "the parts make no record: "
			     "they are not what sha256 and encoding say", now);
		break;
	default:	/* two senders: neither would know whom an answer is for; or no memory */
		r->status.n_ignored++;
	}
}

void remote_request_part(struct remote *r, struct span channel, struct span text,
			 const struct now *now)
{
	struct part part = PART_NULL;

	if (part_parse(text, &part) ||
	    (part.to.len > 0 && !span_is(buf_span(&part.to), r->config.name)))
		r->status.n_ignored++;
	else
		take_part(r, channel, &part, now);
	part_deinit(&part);
}

void remote_refuse_record(struct remote *r, struct span channel, const struct part *part,
			  const char *why, const struct now *now)
{
	refuse_plain(r, channel, part, CHAPI_ERR_INVALID_ARGUMENT, why, now);
}

void remote_tick_parts(struct remote *r, const struct now *now)
{
	CLEANUP(part_deinit) struct part part = PART_NULL;
	struct span channel;

	while (assemblies_take_late(r->assemblies, now->ms, &part, &channel))
		refuse_late(r, channel, &part, now);
}
