/* SPDX-License-Identifier: MIT */
/*
 * Messages out, in MessagePack and in JSON.
 *
 * The MessagePack request and response are the hot path of the gateway: room for the most
 * that the head can take is asked for once, then it is written straight into the output.
 */
#include "gateway/wire.h"

#include "libchapi-ipc/error.h"
#include "libchapi-ipc/json_number.h"
#include "libchapi-ipc/json_string.h"
#include "libchapi-ipc/message.h"
#include "libchapi-ipc/mp.h"

/* All but the texts and the value: at most 8 heads and the keys of meta. */
#define REQUEST_HEAD_MAX 256
#define RESPONSE_HEAD_MAX 32

static inline uint8_t *w_bytes(uint8_t *w, const void *p, size_t len)
{
	memcpy(w, p, len);
	return w + len;
}

static inline uint8_t *w_text(uint8_t *w, struct span text)
{
	w = mp_w_str_head(w, text.len);
	return text.len ? w_bytes(w, text.p, text.len) : w;
}

/* A text that is known, of up to 31 bytes: its head is one byte. */
static inline uint8_t *w_known(uint8_t *w, const char *text)
{
	size_t len = strlen(text);

	*w++ = (uint8_t)(0xa0 | len);
	return w_bytes(w, text, len);
}

static inline uint8_t *w_key(uint8_t *w, const char *key)
{
	return w_known(w, key);
}

/* Takes back what was appended since len if there was no room for all of it. */
static int finish(struct buf *out, size_t len)
{
	int r = buf_error(out);

	if (r < 0)
		buf_truncate(out, len);
	return r;
}

/* ---- MessagePack ------------------------------------------------------------------------ */

static uint8_t *w_meta(uint8_t *w, const struct party_request *r)
{
	w = mp_w_map(w, 5 + (unsigned int)(r->progress + r->oneway + r->raw));
	w = w_key(w, "call");
	w = w_text(w, r->call);
	w = w_key(w, "origin");
	w = r->origin == PARTY_REMOTE ? w_known(w, "remote") : w_known(w, "local");
	w = w_key(w, "caller");
	w = w_text(w, r->caller);
	w = w_key(w, "request_time");
	w = mp_w_double(w, r->request_time);
	w = w_key(w, "timeout_ms");
	w = mp_w_int(w, r->timeout_ms);
	if (r->progress) {
		w = w_key(w, "progress");
		*w++ = 0xc3;
	}
	if (r->oneway) {
		w = w_key(w, "oneway");
		*w++ = 0xc3;
	}
	if (r->raw) {
		w = w_key(w, "raw");
		*w++ = 0xc3;
	}
	return w;
}

static int put_request(const struct party_request *r, struct buf *out)
{
	size_t len = out->len, texts = r->api.len + r->call.len + r->caller.len;
	uint8_t *p = buf_reserve(out, REQUEST_HEAD_MAX + texts + r->params.len), *w = p;

	if (!p)
		return finish(out, len);
	w = mp_w_array(w, 4);
	w = mp_w_uint(w, MESSAGE_REQUEST);
	w = mp_w_uint(w, r->id);
	w = w_text(w, r->api);
	w = mp_w_array(w, 2);
	w = w_bytes(w, r->params.p, r->params.len);
	w = w_meta(w, r);
	buf_commit(out, (size_t)(w - p));
	return 0;
}

static void put_failure(struct buf *out, const struct failure *f)
{
	mp_put_map(out, f->details.len ? 4 : 3);
	mp_put_str(out, "code");
	mp_put_str(out, error_info(f->code)->name);
	mp_put_str(out, "message");
	mp_put_text(out, f->message);
	mp_put_str(out, "ran");
	mp_put_str(out, chapi_ran_name(f->ran));
	if (f->details.len) {
		mp_put_str(out, "details");
		mp_put_raw(out, f->details);
	}
}

static int put_result(uint32_t id, struct span result, struct buf *out)
{
	size_t len = out->len;
	uint8_t *p = buf_reserve(out, RESPONSE_HEAD_MAX + result.len), *w = p;

	if (!p)
		return finish(out, len);
	w = mp_w_array(w, 4);
	w = mp_w_uint(w, MESSAGE_RESPONSE);
	w = mp_w_uint(w, id);
	*w++ = 0xc0;
	w = w_bytes(w, result.p, result.len);
	buf_commit(out, (size_t)(w - p));
	return 0;
}

/* id NULL: nil. */
static int put_error(const uint32_t *id, const struct failure *failure, struct buf *out)
{
	size_t len = out->len;

	mp_put_array(out, 4);
	mp_put_uint(out, MESSAGE_RESPONSE);
	if (id)
		mp_put_uint(out, *id);
	else
		mp_put_nil(out);
	put_failure(out, failure);
	mp_put_nil(out);
	return finish(out, len);
}

/* ---- JSON lines ------------------------------------------------------------------------- */

static void put_number(struct buf *out, uint64_t v)
{
	char digits[20];

	buf_put(out, digits, json_format_uint(v, digits));
}

/* [type,id, */
static void put_json_head(struct buf *out, int type, uint32_t id)
{
	buf_put_str(out, type == MESSAGE_REQUEST ? "[0," : "[1,");
	put_number(out, id);
	buf_put_byte(out, ',');
}

static void put_json_meta(const struct party_request *r, struct buf *out)
{
	char time[32];

	buf_put_str(out, "{\"call\":");
	json_put_string(out, r->call);
	buf_put_str(out, r->origin == PARTY_REMOTE ? ",\"origin\":\"remote\",\"caller\":"
						   : ",\"origin\":\"local\",\"caller\":");
	json_put_string(out, r->caller);
	buf_put_str(out, ",\"request_time\":");
	buf_put(out, time, json_format_double(r->request_time, time));
	buf_put_str(out, ",\"timeout_ms\":");
	put_number(out, (uint64_t)MAX(r->timeout_ms, 0));
	if (r->progress)
		buf_put_str(out, ",\"progress\":true");
	if (r->oneway)
		buf_put_str(out, ",\"oneway\":true");
	if (r->raw)
		buf_put_str(out, ",\"raw\":true");
	buf_put_byte(out, '}');
}

static int put_json_request(const struct party_request *r, struct buf *out,
			    struct value_fault *ret_fault)
{
	size_t len = out->len;
	int e;

	put_json_head(out, MESSAGE_REQUEST, r->id);
	json_put_string(out, r->api);
	buf_put_str(out, ",[");
	e = value_to_json(r->params, MP_VALUE_DEPTH_MAX, out, ret_fault);
	if (e > 0) {
		buf_truncate(out, len);
		return WIRE_E_INEXPRESSIBLE;
	}
	buf_put_byte(out, ',');
	put_json_meta(r, out);
	buf_put_str(out, "]]\n");
	return finish(out, len);
}

/* Details that have no form in JSON are left out: code and message matter more. */
static void put_json_failure(struct buf *out, const struct failure *f)
{
	size_t len;
	struct value_fault fault;

	buf_printf(out, "{\"code\":\"%s\",\"message\":", error_info(f->code)->name);
	json_put_string(out, f->message);
	buf_printf(out, ",\"ran\":\"%s\"", chapi_ran_name(f->ran));
	len = out->len;
	if (f->details.len) {
		buf_put_str(out, ",\"details\":");
		if (value_to_json(f->details, MP_VALUE_DEPTH_MAX, out, &fault) > 0)
			buf_truncate(out, len);
	}
	buf_put_byte(out, '}');
}

static int put_json_error(const uint32_t *id, const struct failure *failure, struct buf *out)
{
	size_t len = out->len;

	if (id)
		put_json_head(out, MESSAGE_RESPONSE, *id);
	else
		buf_put_str(out, "[1,null,");
	put_json_failure(out, failure);
	buf_put_str(out, ",null]\n");
	return finish(out, len);
}

static int put_json_bad_reply(uint32_t id, const struct value_fault *fault, struct buf *out)
{
	static const char head[] = "the answer has no form in JSON: ";
	char text[sizeof(head) + sizeof(fault->text)];
	struct failure failure = { .code = CHAPI_ERR_BAD_REPLY, .ran = CHAPI_RAN_YES };
	size_t len = strlen(fault->text);

	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + sizeof(head) - 1, fault->text, len);
	failure.message = span_of(text, sizeof(head) - 1 + len);
	return put_json_error(&id, &failure, out);
}

static int put_json_result(uint32_t id, struct span result, struct buf *out)
{
	struct value_fault fault;
	size_t len = out->len;

	put_json_head(out, MESSAGE_RESPONSE, id);
	buf_put_str(out, "null,");
	if (value_to_json(result, MP_VALUE_DEPTH_MAX, out, &fault) > 0) {
		buf_truncate(out, len);
		return put_json_bad_reply(id, &fault, out);
	}
	buf_put_str(out, "]\n");
	return finish(out, len);
}

/* ---- either ----------------------------------------------------------------------------- */

int wire_put_request(enum encoding encoding, const struct party_request *request, struct buf *out,
		     struct value_fault *ret_fault)
{
	if (encoding == ENCODING_MSGPACK)
		return put_request(request, out);
	return put_json_request(request, out, ret_fault);
}

int wire_put_response(enum encoding encoding, uint32_t id, const struct party_response *response,
		      struct buf *out)
{
	bool json = encoding != ENCODING_MSGPACK;

	if (response->failure)
		return json ? put_json_error(&id, response->failure, out) :
			      put_error(&id, response->failure, out);
	return json ? put_json_result(id, response->result, out) :
		      put_result(id, response->result, out);
}

int wire_put_cancel(enum encoding encoding, uint32_t id, struct buf *out)
{
	size_t len = out->len;

	if (encoding == ENCODING_MSGPACK) {
		message_put_notification(out, "cancel", 1);
		mp_put_uint(out, id);
	} else {
		buf_printf(out, "[2,\"cancel\",[%lu]]\n", (unsigned long)id);
	}
	return finish(out, len);
}

/* Closes [2, method, [... with one value, which must have a form in JSON. */
static int put_json_last(struct span value, struct buf *out, size_t len)
{
	struct value_fault fault;

	if (value_to_json(value, MP_VALUE_DEPTH_MAX + 2, out, &fault) > 0) {
		buf_truncate(out, len);
		return WIRE_E_INEXPRESSIBLE;
	}
	buf_put_str(out, "]]\n");
	return finish(out, len);
}

int wire_put_progress(enum encoding encoding, uint32_t id, struct span value, struct buf *out)
{
	size_t len = out->len;

	if (encoding != ENCODING_MSGPACK) {
		buf_printf(out, "[2,\"progress\",[%lu,", (unsigned long)id);
		return put_json_last(value, out, len);
	}
	message_put_notification(out, "progress", 2);
	mp_put_uint(out, id);
	mp_put_raw(out, value);
	return finish(out, len);
}

int wire_put_event(enum encoding encoding, struct span event, struct buf *out)
{
	size_t len = out->len;

	if (encoding != ENCODING_MSGPACK) {
		buf_put_str(out, "[2,\"event\",[");
		return put_json_last(event, out, len);
	}
	message_put_notification(out, "event", 1);
	mp_put_raw(out, event);
	return finish(out, len);
}

/* reason NULL: none. */
static int put_notice(enum encoding encoding, const char *method, struct span name,
		      const char *reason, struct buf *out)
{
	size_t len = out->len;

	if (encoding == ENCODING_MSGPACK) {
		message_put_notification(out, method, reason ? 2 : 1);
		mp_put_text(out, name);
		if (reason)
			mp_put_str(out, reason);
		return finish(out, len);
	}
	buf_printf(out, "[2,\"%s\",[", method);
	json_put_string(out, name);
	if (reason)
		buf_printf(out, ",\"%s\"", reason);
	buf_put_str(out, "]]\n");
	return finish(out, len);
}

int wire_put_granted(enum encoding encoding, struct span name, struct buf *out)
{
	return put_notice(encoding, "granted", name, NULL, out);
}

int wire_put_revoked(enum encoding encoding, struct span name, const char *reason, struct buf *out)
{
	return put_notice(encoding, "revoked", name, reason, out);
}

int wire_put_refusal(enum encoding encoding, const struct failure *failure, struct buf *out)
{
	if (encoding == ENCODING_MSGPACK)
		return put_error(NULL, failure, out);
	return put_json_error(NULL, failure, out);
}

/* Blanks as JSON has them; a line's end is in no line. */
static const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
		p++;
	return p;
}

/* A number from p on, then a comma; blanks around both. NULL: it is something else. */
static const uint8_t *read_field(const uint8_t *p, const uint8_t *end, int64_t *ret)
{
	int64_t v = 0;
	const uint8_t *digits;

	p = skip_blanks(p, end);
	for (digits = p; p < end && *p >= '0' && *p <= '9' && v <= UINT32_MAX; p++)
		v = v * 10 + (*p - '0');
	if (p == digits || v > UINT32_MAX)
		return NULL;
	p = skip_blanks(p, end);
	*ret = v;
	return p < end && *p == ',' ? p + 1 : NULL;
}

bool wire_line_head(struct span line, int *ret_type, int64_t *ret_id)
{
	const uint8_t *end = line.p + line.len, *p = skip_blanks(line.p, end);
	int64_t type, id;

	if (p == end || *p != '[')
		return false;
	p = read_field(p + 1, end, &type);
	if (!p || type > MESSAGE_RESPONSE || !read_field(p, end, &id))
		return false;
	*ret_type = (int)type;
	*ret_id = id;
	return true;
}
