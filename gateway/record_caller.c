/* SPDX-License-Identifier: MIT */
/*
 * Requests written, responses read: see record_caller.h.
 */
#include "gateway/record_caller.h"

#include <math.h>

#include "gateway/record.h"
#include "libchapi-ipc/error.h"
#include "libchapi-ipc/json.h"
#include "libchapi-ipc/json_number.h"
#include "libchapi-ipc/json_string.h"
#include "libchapi-ipc/mp.h"

#define DETAILS_DEPTH_MAX (MP_VALUE_DEPTH_MAX + 2)	/* a provider's, wrapped */

/* ---- requests --------------------------------------------------------------------------- */

static void put_text(struct buf *out, const char *name, struct span text)
{
	if (text.len == 0)
		return;
	buf_printf(out, ",\"%s\":", name);
	json_put_string(out, text);
}

void record_ask_put(const struct record_ask *ask, struct buf *out)
{
	char digits[32];

	buf_put_str(out, "{\"id\":");
	json_put_string(out, ask->id);
	put_text(out, "api", ask->api);
	buf_put_str(out, ",\"params\":");
	buf_put(out, ask->params.p, ask->params.len);
	buf_put_str(out, ",\"request_time\":");
	buf_put(out, digits,
		json_format_double(isfinite(ask->request_time) ? ask->request_time : 0, digits));
	buf_printf(out, ",\"timeout_ms\":%llu", (unsigned long long)ask->timeout_ms);
	put_text(out, "caller", ask->caller);
	put_text(out, "reply_to", ask->reply_to);
	if (ask->progress)
		buf_put_str(out, ",\"progress\":true");
	if (ask->raw)
		buf_put_str(out, ",\"raw\":true");
	if (ask->is_repeat) {
		buf_put_str(out, ",\"retry\":");
		json_put_string(out, ask->retry);
		buf_printf(out, ",\"retry_ms\":%llu", (unsigned long long)ask->retry_ms);
	}
	buf_put_byte(out, '}');
}

/* ---- responses -------------------------------------------------------------------------- */

struct fields {
	struct span id, result, error, gateway, instance, response_time, queue_ms, run_ms;
	struct span code, message, ran, details;	/* of the error */
};

static struct span *find_field(struct fields *f, struct span key)
{
	const struct {
		const char *name;
		struct span *value;
	} names[] = {
		{ "id", &f->id }, { "result", &f->result }, { "error", &f->error },
		{ "gateway", &f->gateway }, { "instance", &f->instance },
		{ "response_time", &f->response_time }, { "queue_ms", &f->queue_ms },
		{ "run_ms", &f->run_ms },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (json_key_is(key, names[i].name))
			return names[i].value;
	return NULL;
}

static struct span *find_error_field(struct fields *f, struct span key)
{
	const struct {
		const char *name;
		struct span *value;
	} names[] = {
		{ "code", &f->code }, { "message", &f->message }, { "ran", &f->ran },
		{ "details", &f->details },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (json_key_is(key, names[i].name))
			return names[i].value;
	return NULL;
}

static bool split(struct span object, struct fields *f,
		  struct span *(*find)(struct fields *f, struct span key))
{
	struct json_reader reader;
	struct span key, value, *place;

	if (json_enter_object(object, &reader))
		return false;
	while (!json_next_member(&reader, &key, &value)) {
		place = find(f, key);
		if (place)
			*place = value;
	}
	return true;
}

/* What is no text is as good as none. */
static int read_text(struct span value, struct buf *out)
{
	int r = value.p ? json_get_string(value, out) : 0;

	if (r > 0)
		buf_clear(out);
	return r < 0 ? r : 0;
}

static double read_number(struct span value)
{
	double v;

	return value.p && !json_get_number(value, &v) && isfinite(v) ? v : 0;
}

static enum chapi_ran read_ran(struct span text, enum chapi_ran usual)
{
	static const enum chapi_ran all[] = { CHAPI_RAN_NO, CHAPI_RAN_YES, CHAPI_RAN_UNKNOWN };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (span_is(text, chapi_ran_name(all[i])))
			return all[i];
	return usual;
}

static int read_details(struct span value, struct buf *out)
{
	struct value_fault fault;
	int r = value.p ? value_from_json(value, DETAILS_DEPTH_MAX, out, &fault) : 0;
	struct mp_reader reader = mp_reader(buf_span(out));

	if (r > 0 || (out->len > 0 && mp_peek(&reader) != MP_MAP))
		buf_clear(out);
	return r < 0 ? r : 0;
}

static int read_failure(struct fields *f, struct record_answer *ret)
{
	CLEANUP(buf_deinit) struct buf code = BUF_NULL, ran = BUF_NULL;
	const struct error_info *info;
	int r = read_text(f->code, &code);

	if (r == 0)
		r = read_text(f->ran, &ran);
	if (r == 0)
		r = read_text(f->message, &ret->message);
	if (r == 0)
		r = read_details(f->details, &ret->details);
	if (r != 0)
		return r;
	info = error_info_by_name(buf_span(&code));
	ret->code = info ? info->code : CHAPI_ERR_API_ERROR;
	ret->ran = read_ran(buf_span(&ran), error_info(ret->code)->ran);
	return 0;
}

static int read_result(const struct fields *f, struct record_answer *ret)
{
	struct value_fault fault;
	int r = value_from_json(f->result, MP_VALUE_DEPTH_MAX, &ret->result, &fault);

	ret->ran = CHAPI_RAN_YES;
	if (r <= 0)
		return r;
	buf_clear(&ret->result);
	ret->code = CHAPI_ERR_BAD_REPLY;
	buf_printf(&ret->message, "the result cannot be read: %s", fault.text);
	return buf_error(&ret->message);
}

static int read_fields(struct fields *f, struct record_answer *ret)
{
	int r = read_text(f->id, &ret->id);

	if (r == 0)
		r = read_text(f->gateway, &ret->gateway);
	if (r == 0)
		r = read_text(f->instance, &ret->instance);
	ret->response_time = read_number(f->response_time);
	ret->queue_ms = read_number(f->queue_ms);
	ret->run_ms = read_number(f->run_ms);
	return r;
}

int record_answer_parse(struct span text, struct record_answer *ret)
{
	struct fields fields = { .id = span_of(NULL, 0) };
	struct json_fault fault;
	struct span object;
	bool failed;
	int r;

	if (json_text(text, RECORD_DEPTH_MAX, &object, &fault) ||
	    !split(object, &fields, find_field))
		return RECORD_ANSWER_E_NONE;
	failed = fields.error.p && split(fields.error, &fields, find_error_field);
	if (!failed && !fields.result.p)
		return RECORD_ANSWER_E_NONE;
	r = read_fields(&fields, ret);
	if (r == 0 && ret->id.len == 0)
		return RECORD_ANSWER_E_NONE;
	if (r == 0)
		r = failed ? read_failure(&fields, ret) : read_result(&fields, ret);
	return r;
}

void record_answer_deinit(struct record_answer *answer)
{
	buf_deinit(&answer->id);
	buf_deinit(&answer->result);
	buf_deinit(&answer->message);
	buf_deinit(&answer->details);
	buf_deinit(&answer->gateway);
	buf_deinit(&answer->instance);
}
