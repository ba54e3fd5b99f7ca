/* SPDX-License-Identifier: MIT */
/*
 * Questions to the gateway: see question.h.
 */
#include "libchapi-ipc/question.h"

#include "libchapi-ipc/mp_scan.h"

#define EMPTY_MAP 0x80

/* ---- made ---- */

int question_call(struct question *q, const char *api, struct given params,
		  const struct chapi_call_options *options)
{
	*q = (struct question){ .method = "call", .api = api, .params = params };
	if (!api || (!params.p && params.len > 0) ||
	    conn_copy_options(&q->options, sizeof(q->options), options) < 0)
		return -CHAPI_ERR_USAGE;
	if (q->options.timeout_ms < 0 || q->options.timeout_ms > INT64_MAX / 2 ||
	    (q->options.oneway && q->options.progress))
		return -CHAPI_ERR_USAGE;
	return 0;
}

int question_method(struct question *q, const char *method, struct span args)
{
	struct mp_reader r = mp_reader(args);
	size_t len;

	*q = (struct question){ .method = method };
	if (!method || (!args.p && args.len > 0))
		return -CHAPI_ERR_USAGE;
	if (!args.p)
		return 0;
	if (mp_length(args, MP_VALUE_DEPTH_MAX + 1, &len) != 0 || len != args.len ||
	    mp_read_array(&r, &q->n_args) != 0)
		return -CHAPI_ERR_MSGPACK;
	q->args = mp_rest(&r);
	return 0;
}

/* ---- written ---- */

static uint32_t n_options(const struct chapi_call_options *o)
{
	return (o->timeout_ms != 0) + (o->id != NULL) + (o->to != NULL) + o->full + o->oneway +
	       (o->progress != NULL) + o->raw;
}

static void put_true(struct buf *out, const char *key, bool value)
{
	if (!value)
		return;
	mp_put_str(out, key);
	mp_put_bool(out, true);
}

static void put_options(struct buf *out, const struct chapi_call_options *o)
{
	mp_put_map(out, n_options(o));
	if (o->timeout_ms != 0) {
		mp_put_str(out, "timeout_ms");
		mp_put_int(out, o->timeout_ms);
	}
	if (o->id) {
		mp_put_str(out, "id");
		mp_put_str(out, o->id);
	}
	if (o->to) {
		mp_put_str(out, "to");
		mp_put_str(out, o->to);
	}
	put_true(out, "full", o->full);
	put_true(out, "oneway", o->oneway);
	put_true(out, "progress", o->progress != NULL);
	put_true(out, "raw", o->raw);
}

static int put_call(struct buf *out, uint32_t id, const struct question *q)
{
	bool has_options = n_options(&q->options) > 0;
	int r;

	message_put_request(out, id, "call", has_options ? 3 : 2);
	mp_put_str(out, q->api);
	r = conn_put_given(out, &q->params, EMPTY_MAP);
	if (r == 0 && has_options)
		put_options(out, &q->options);
	return r;
}

int question_put(struct buf *out, uint32_t id, const struct question *q)
{
	if (q->api)
		return put_call(out, id, q);
	message_put_request(out, id, q->method, q->n_args);
	mp_put_raw(out, q->args);
	return 0;
}
