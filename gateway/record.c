/* SPDX-License-Identifier: MIT */
/*
 * The records of the remote protocol: JSON of a request to struct, response to JSON.
 *
 * A request is read in two steps: which value each field has, then what the values say. So
 * the last of two equal fields counts, and a field that is wrong does not keep the others
 * (above all the id) from being known to whoever answers.
 */
#include "gateway/record.h"

#include <math.h>
#include <stdio.h>

#include "gateway/text.h"
#include "libchapi-ipc/error.h"
#include "libchapi-ipc/json.h"
#include "libchapi-ipc/json_number.h"
#include "libchapi-ipc/json_string.h"
#include "libchapi-ipc/mp.h"

#define TIMEOUT_MS_MAX 9007199254740992.0	/* 2^53 */
#define DETAILS_DEPTH_MAX (MP_VALUE_DEPTH_MAX + 2)	/* a provider's, wrapped */

void record_request_init(struct record_request *r)
{
	*r = (struct record_request){ .request_time = NAN };
}

void record_request_deinit(struct record_request *r)
{
	if (!r)
		return;
	buf_deinit(&r->id);
	buf_deinit(&r->api);
	buf_deinit(&r->params);
	buf_deinit(&r->caller);
	buf_deinit(&r->to);
	buf_deinit(&r->reply_to);
	buf_deinit(&r->retry);
	buf_deinit(&r->params_text);
	buf_deinit(&r->extra);
	record_request_init(r);
}

/* ---- request: what the values say ------------------------------------------------------- */

/* "FIELD: WHY", cut without leaving half a character. */
static void set_fault(struct value_fault *fault, const char *field, const char *why)
{
	size_t n = sizeof(fault->text) - 1;
	int len = snprintf(fault->text, sizeof(fault->text), "%s%s%s", field,
			   field[0] ? ": " : "", why);

	if (len >= 0 && (size_t)len <= n)
		return;
	while (n > 0 && ((uint8_t)fault->text[n - 1] & 0xc0) == 0x80)
		n--;
	if (n > 0 && (uint8_t)fault->text[n - 1] >= 0xc0)
		n--;
	fault->text[n] = '\0';
}

/* The readers of fields: 0, a negative errno, or RECORD_E_INVALID and *ret_why. */

static int read_text(struct span value, struct buf *out, const char **ret_why)
{
	int r = json_get_string(value, out);

	if (r <= 0)
		return r;
	buf_clear(out);
	*ret_why = "has to be text";
	return RECORD_E_INVALID;
}

static int read_api(struct span value, struct record_request *r, const char **ret_why)
{
	return read_text(value, &r->api, ret_why);
}

static bool is_id(struct span text)
{
	return text.len >= 1 && text.len <= RECORD_ID_MAX && text_is_printable_ascii(text);
}

static int read_id(struct span value, struct record_request *r, const char **ret_why)
{
	int error = read_text(value, &r->id, ret_why);

	if (error || is_id(buf_span(&r->id)))
		return error;
	buf_clear(&r->id);
	*ret_why = "has to be 1 to 64 printable ASCII characters";
	return RECORD_E_INVALID;
}

static int read_caller(struct span value, struct record_request *r, const char **ret_why)
{
	int error = read_text(value, &r->caller, ret_why);

	if (error || r->caller.len <= RECORD_CALLER_MAX)
		return error;
	buf_clear(&r->caller);
	*ret_why = "has to be at most 64 bytes";
	return RECORD_E_INVALID;
}

static int read_to(struct span value, struct record_request *r, const char **ret_why)
{
	return read_text(value, &r->to, ret_why);
}

static int read_reply_to(struct span value, struct record_request *r, const char **ret_why)
{
	return read_text(value, &r->reply_to, ret_why);
}

int record_ms_get(struct span value, int64_t *ret_ms)
{
	double v;

	if (json_get_number(value, &v) || !(v > 0))
		return RECORD_E_INVALID;
	*ret_ms = (int64_t)ceil(fmin(v, TIMEOUT_MS_MAX));
	return 0;
}

static int read_ms(struct span value, int64_t *ret, const char **ret_why)
{
	int r = record_ms_get(value, ret);

	if (r != 0)
		*ret_why = "has to be a number above 0";
	return r;
}

static int read_retry(struct span value, struct record_request *r, const char **ret_why)
{
	r->has_retry = true;
	return read_text(value, &r->retry, ret_why);
}

static int read_retry_ms(struct span value, struct record_request *r, const char **ret_why)
{
	r->has_retry = true;
	return read_ms(value, &r->retry_ms, ret_why);
}

static int read_request_time(struct span value, struct record_request *r, const char **ret_why)
{
	double v;

	if (json_get_number(value, &v) || !isfinite(v)) {
		*ret_why = "has to be a number";
		return RECORD_E_INVALID;
	}
	r->request_time = v;
	return 0;
}

static int read_timeout(struct span value, struct record_request *r, const char **ret_why)
{
	return read_ms(value, &r->timeout_ms, ret_why);
}

static int read_flag(struct span value, bool *ret, const char **ret_why)
{
	if (!json_get_bool(value, ret))
		return 0;
	*ret_why = "has to be true or false";
	return RECORD_E_INVALID;
}

static int read_echo(struct span value, struct record_request *r, const char **ret_why)
{
	return read_flag(value, &r->echo, ret_why);
}

static int read_progress(struct span value, struct record_request *r, const char **ret_why)
{
	return read_flag(value, &r->progress, ret_why);
}

static int read_raw(struct span value, struct record_request *r, const char **ret_why)
{
	return read_flag(value, &r->raw, ret_why);
}

/* params are a field of their own kind: see read_params(). */
enum { FIELD_API, FIELD_PARAMS, N_FIELDS = 13 };

static const struct {
	const char *name;
	int (*read)(struct span value, struct record_request *r, const char **ret_why);
} fields[N_FIELDS] = {
	[FIELD_API] = { "api", read_api },
	[FIELD_PARAMS] = { "params", NULL },
	{ "id", read_id },
	{ "request_time", read_request_time },
	{ "timeout_ms", read_timeout },
	{ "caller", read_caller },
	{ "to", read_to },
	{ "reply_to", read_reply_to },
	{ "progress", read_progress },
	{ "raw", read_raw },
	{ "echo", read_echo },
	{ "retry", read_retry },
	{ "retry_ms", read_retry_ms },
};

static int read_params(struct span value, struct record_request *r, struct value_fault *ret_fault)
{
	struct span text = value.p ? value : span_str("{}");
	struct value_fault fault;
	int error;

	buf_put(&r->params_text, text.p, text.len);
	error = value_from_json(text, MP_VALUE_DEPTH_MAX, &r->params, &fault);
	if (error > 0) {
		set_fault(ret_fault, fields[FIELD_PARAMS].name, fault.text);
		return RECORD_E_INVALID;
	}
	return error ? error : buf_error(&r->params_text);
}

/* ---- request: which value each field has ------------------------------------------------ */

/* What a response says itself: nobody else's field of that name goes back with it. */
static bool is_response_field(struct span key)
{
	static const char *const names[] = {
		"result", "error", "response_time", "queue_ms", "run_ms", "gateway", "instance",
		"cached",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (json_key_is(key, names[i]))
			return true;
	return false;
}

static void keep_member(struct span key, struct span value, struct span values[N_FIELDS],
			struct buf *extra)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (json_key_is(key, fields[i].name)) {
			values[i] = value;
			return;
		}
	}
	if (is_response_field(key))
		return;
	buf_put_str(extra, ",\"");
	buf_put(extra, key.p, key.len);
	buf_put_str(extra, "\":");
	buf_put(extra, value.p, value.len);
}

/* The members of an object: into values by field, others to extra. */
static int split_object(struct span text, struct span values[N_FIELDS], struct buf *extra,
			struct value_fault *ret_fault)
{
	struct json_reader reader;
	struct json_fault fault;
	struct span object, key, value;

	if (json_text(text, RECORD_DEPTH_MAX, &object, &fault)) {
		snprintf(ret_fault->text, sizeof(ret_fault->text), "not JSON: %.100s at byte %zu",
			 fault.why, fault.offset);
		return RECORD_E_NOT_OURS;
	}
	if (json_enter_object(object, &reader)) {
		set_fault(ret_fault, "", "no JSON object");
		return RECORD_E_NOT_OURS;
	}
	while (!json_next_member(&reader, &key, &value))
		keep_member(key, value, values, extra);
	return buf_error(extra);
}

/* All the others, whatever is wrong with one; the first fault is told. */
static int read_fields(const struct span values[N_FIELDS], struct record_request *r,
		       struct value_fault *ret_fault)
{
	int outcome = 0;

	for (size_t i = FIELD_PARAMS + 1; i < N_FIELDS; i++) {
		const char *why;
		int error;

		if (!values[i].p || json_is_null(values[i]))
			continue;
		error = fields[i].read(values[i], r, &why);
		if (error < 0)
			return error;
		if (error && !outcome)
			set_fault(ret_fault, fields[i].name, why);
		outcome = outcome ? outcome : error;
	}
	return outcome;
}

int record_request_parse(struct span text, struct record_request *ret,
			 struct value_fault *ret_fault)
{
	struct span values[N_FIELDS] = { 0 };
	struct value_fault params_fault;
	const char *why;
	int outcome, error;

	error = split_object(text, values, &ret->extra, ret_fault);
	if (error)
		return error;
	error = values[FIELD_API].p ? read_api(values[FIELD_API], ret, &why) : RECORD_E_INVALID;
	if (error < 0)
		return error;
	if (error) {
		set_fault(ret_fault, "", "no request: api is missing or no text");
		return RECORD_E_NOT_OURS;
	}
	outcome = read_fields(values, ret, ret_fault);
	if (outcome < 0)
		return outcome;
	error = read_params(values[FIELD_PARAMS], ret, &params_fault);
	if (error > 0 && !outcome)
		*ret_fault = params_fault;
	return error ? error : outcome;
}

/* ---- response --------------------------------------------------------------------------- */

static void put_number(struct buf *out, const char *name, double v)
{
	char digits[32];

	buf_put_str(out, ",\"");
	buf_put_str(out, name);
	buf_put_str(out, "\":");
	buf_put(out, digits, json_format_double(isfinite(v) ? v : 0, digits));
}

/* Details that JSON cannot express are left out: the error itself matters more. */
static int put_details(struct buf *out, struct span details)
{
	size_t len_before = out->len;
	struct value_fault fault;
	int r;

	buf_put_str(out, ",\"details\":");
	r = value_to_json(details, DETAILS_DEPTH_MAX, out, &fault);
	if (r > 0)
		buf_truncate(out, len_before);
	return r < 0 ? r : 0;
}

static int put_failure(struct buf *out, const struct failure *failure)
{
	CLEANUP(buf_deinit) struct buf scratch = BUF_NULL;
	int r;

	buf_printf(out, "{\"code\":\"%s\",\"message\":", error_info(failure->code)->name);
	/* A provider may have written it: MessagePack does not promise UTF-8 text, JSON does. */
	json_put_string(out, text_line(failure->message, &scratch));
	buf_printf(out, ",\"ran\":\"%s\"", chapi_ran_name(failure->ran));
	if (failure->details.len > 0) {
		r = put_details(out, failure->details);
		if (r)
			return r;
	}
	buf_put_byte(out, '}');
	return 0;
}

static int put_bad_reply(struct buf *out, const char *why)
{
	char message[sizeof(struct value_fault) + 64];

	snprintf(message, sizeof(message), "the result has no form in JSON: %s", why);
	return put_failure(out, &(struct failure){
		.code = CHAPI_ERR_BAD_REPLY,
		.ran = CHAPI_RAN_YES,
		.message = span_str(message),
	});
}

/* RESULT,"error":ERROR: one of the two is null. */
static int put_outcome(struct buf *out, const struct party_response *response)
{
	static const char no_result[] = "null,\"error\":";
	struct value_fault fault;
	int r;

	if (response->failure) {
		buf_put_str(out, no_result);
		return put_failure(out, response->failure);
	}
	r = value_to_json(response->result, MP_VALUE_DEPTH_MAX, out, &fault);
	if (r < 0)
		return r;
	if (r) {
		buf_put_str(out, no_result);
		return put_bad_reply(out, fault.text);
	}
	buf_put_str(out, ",\"error\":null");
	return 0;
}

static void put_times(struct buf *out, const struct record_request *request,
		      const struct party_response *response)
{
	bool asked = !isnan(request->request_time);

	put_number(out, "request_time", asked ? request->request_time : response->request_time);
	put_number(out, "response_time", response->response_time);
	put_number(out, "queue_ms", response->queue_ms);
	put_number(out, "run_ms", response->run_ms);
}

static int put_response(const struct record_request *request, const struct party_response *response,
			const struct record_gateway *gateway, struct buf *out)
{
	bool older = request->id.len == 0;
	int r;

	buf_put_byte(out, '{');
	if (!older) {
		buf_put_str(out, "\"id\":");
		json_put_string(out, buf_span(&request->id));
		buf_put_byte(out, ',');
	}
	buf_put_str(out, "\"api\":");
	json_put_string(out, buf_span(&request->api));
	buf_put_str(out, ",\"result\":");
	r = put_outcome(out, response);
	if (r)
		return r;
	if ((older || request->echo) && request->params_text.len > 0) {
		buf_put_str(out, ",\"params\":");
		buf_put(out, buf_data(&request->params_text), request->params_text.len);
	}
	put_times(out, request, response);
	buf_put_str(out, ",\"gateway\":");
	json_put_string(out, span_str(gateway->gateway));
	buf_put_str(out, ",\"instance\":");
	json_put_string(out, span_str(gateway->instance));
	if (older)
		buf_put(out, buf_data(&request->extra), request->extra.len);
	buf_put_byte(out, '}');
	return buf_error(out);
}

int record_response_put(const struct record_request *request, const struct party_response *response,
			const struct record_gateway *gateway, struct buf *out)
{
	size_t len_before = out->len;
	int r = put_response(request, response, gateway, out);

	if (r)
		buf_truncate(out, len_before);
	return r;
}

void record_put_cached(struct span response, struct buf *out)
{
	buf_put(out, response.p, response.len - 1);	/* without the brace at its end */
	buf_put_str(out, ",\"cached\":true}");
}

int record_response_origin(struct span text, struct buf *gateway, struct buf *instance)
{
	struct json_reader reader;
	struct json_fault fault;
	struct span object, key, value;

	if (json_text(text, RECORD_DEPTH_MAX, &object, &fault) ||
	    json_enter_object(object, &reader))
		return RECORD_E_NOT_OURS;
	while (!json_next_member(&reader, &key, &value)) {
		struct buf *out = json_key_is(key, "gateway") ? gateway :
				  json_key_is(key, "instance") ? instance : NULL;
		int r = 0;

		if (!out)
			continue;
		buf_clear(out);
		r = json_get_string(value, out);
		if (r)
			return r < 0 ? r : RECORD_E_NOT_OURS;
	}
	return gateway->len > 0 && instance->len > 0 ? 0 : RECORD_E_NOT_OURS;
}
