/* SPDX-License-Identifier: MIT */
/*
 * Pusher's frames and bodies: text to struct, struct to text.
 *
 * Strings without escapes are given as they stand in the text; only others are decoded into
 * memory of their own. Where a key stands twice the last one counts.
 */
#include "gateway/pusher.h"

#include <math.h>

#include "libchapi-ipc/json.h"
#include "libchapi-ipc/json_string.h"

#define ACTIVITY_TIMEOUT_MAX_S 86400
#define CODE_MAX 65535
#define PONG_LEN_MAX 100

enum { STORE_EVENT, STORE_CHANNEL, STORE_DATA };

void pusher_frame_deinit(struct pusher_frame *frame)
{
	if (!frame)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(frame->store); i++)
		buf_deinit(&frame->store[i]);
	*frame = (struct pusher_frame)PUSHER_FRAME_NULL;
}

static bool is_string(struct span value)
{
	return value.len >= 2 && value.p[0] == '"';
}

/* The content of a string: inside the text if nothing in it is escaped, else in store. */
static int read_string(struct span value, struct buf *store, struct span *ret)
{
	int r;

	if (!memchr(value.p, '\\', value.len)) {
		*ret = span_of(value.p + 1, value.len - 2);
		return 0;
	}
	buf_clear(store);
	r = json_get_string(value, store);
	if (r)
		return r < 0 ? r : PUSHER_E_BAD;
	*ret = buf_span(store);
	return 0;
}

static int read_event(struct pusher_frame *frame, struct span value)
{
	return is_string(value) ?
		read_string(value, &frame->store[STORE_EVENT], &frame->event) : PUSHER_E_BAD;
}

static int read_channel(struct pusher_frame *frame, struct span value)
{
	frame->channel = span_of(NULL, 0);
	return is_string(value) ?
		read_string(value, &frame->store[STORE_CHANNEL], &frame->channel) : 0;
}

static int read_data(struct pusher_frame *frame, struct span value)
{
	frame->data = span_of(NULL, 0);
	if (is_string(value))
		return read_string(value, &frame->store[STORE_DATA], &frame->data);
	if (!json_is_null(value))
		frame->data = value;
	return 0;
}

static const struct {
	const char *key;
	int (*read)(struct pusher_frame *frame, struct span value);
	const char *why;
} frame_keys[] = {
	{ "event", read_event, "event is no text" },
	{ "channel", read_channel, "channel cannot be read" },
	{ "data", read_data, "data cannot be read" },
};

static int read_member(struct pusher_frame *frame, struct span key, struct span value,
		       const char **ret_why)
{
	for (size_t i = 0; i < ARRAY_SIZE(frame_keys); i++) {
		if (!json_key_is(key, frame_keys[i].key))
			continue;
		*ret_why = frame_keys[i].why;
		return frame_keys[i].read(frame, value);
	}
	return 0;
}

int pusher_parse(struct span text, struct pusher_frame *ret, const char **ret_why)
{
	struct json_reader reader;
	struct json_fault fault;
	struct span object, key, value;
	int r;

	if (json_text(text, PUSHER_DEPTH_MAX, &object, &fault)) {
		*ret_why = fault.why;
		return PUSHER_E_BAD;
	}
	if (json_enter_object(object, &reader)) {
		*ret_why = "no JSON object";
		return PUSHER_E_BAD;
	}
	while (!json_next_member(&reader, &key, &value)) {
		r = read_member(ret, key, value, ret_why);
		if (r)
			return r;
	}
	if (ret->event.len == 0) {
		*ret_why = "it has no event";
		return PUSHER_E_BAD;
	}
	return 0;
}

bool pusher_is_pong(struct span text)
{
	CLEANUP(pusher_frame_deinit) struct pusher_frame frame = PUSHER_FRAME_NULL;
	const char *why;

	return text.len <= PONG_LEN_MAX && pusher_parse(text, &frame, &why) == 0 &&
	       span_is(frame.event, "pusher:pong");
}

bool pusher_is_protocol_event(struct span event)
{
	return span_begins(event, "pusher:") || span_begins(event, "pusher_internal:");
}

/* The value of a key of data, which is to be an object. */
static bool data_get(struct span data, const char *name, struct span *ret)
{
	struct json_reader reader;
	struct json_fault fault;
	struct span object, key, value;
	bool found = false;

	if (json_text(data, PUSHER_DEPTH_MAX, &object, &fault) ||
	    json_enter_object(object, &reader))
		return false;
	while (!json_next_member(&reader, &key, &value)) {
		if (json_key_is(key, name)) {
			*ret = value;
			found = true;
		}
	}
	return found;
}

/* Opaque, but it is signed, sent and shown as a C string: printable, not too long. */
static int read_socket_id(struct span value, char ret[65])
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	int r;

	r = json_get_string(value, &text);
	if (r)
		return r < 0 ? r : PUSHER_E_BAD;
	if (text.len < 1 || text.len > 64)
		return PUSHER_E_BAD;
	for (size_t i = 0; i < text.len; i++)
		if (buf_data(&text)[i] <= ' ' || buf_data(&text)[i] > '~')
			return PUSHER_E_BAD;
	memcpy(ret, buf_data(&text), text.len);
	ret[text.len] = '\0';
	return 0;
}

static unsigned int read_activity_timeout(struct span data)
{
	struct span value;
	double v;

	if (!data_get(data, "activity_timeout", &value) || json_get_number(value, &v) || !(v > 0))
		return PUSHER_ACTIVITY_TIMEOUT_S;
	return (unsigned int)ceil(fmin(v, ACTIVITY_TIMEOUT_MAX_S));
}

int pusher_parse_established(struct span data, struct pusher_established *ret)
{
	struct span value;
	int r;

	if (!data_get(data, "socket_id", &value))
		return PUSHER_E_BAD;
	r = read_socket_id(value, ret->socket_id);
	if (r)
		return r;
	ret->activity_timeout_s = read_activity_timeout(data);
	return 0;
}

/* A number, or a string of digits as some servers have it. */
static unsigned int read_code(struct span value)
{
	unsigned int code = 0;

	if (is_string(value))
		value = span_of(value.p + 1, value.len - 2);
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return 0;
		code = code * 10 + (value.p[i] - '0');
		if (code > CODE_MAX)
			return 0;
	}
	return code;
}

static void put_plain(struct span text, char *ret, size_t ret_len)
{
	size_t n = MIN(text.len, ret_len - 1);

	for (size_t i = 0; i < n; i++)
		ret[i] = text.p[i] >= ' ' && text.p[i] <= '~' ? (char)text.p[i] : '?';
	ret[n] = '\0';
}

static void put_plain_string(struct span value, char *ret, size_t ret_len)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;

	if (json_get_string(value, &text))
		put_plain(value, ret, ret_len);	/* another type: what stands there */
	else
		put_plain(buf_span(&text), ret, ret_len);
}

void pusher_parse_error(struct span data, struct pusher_error *ret)
{
	static const char *const message_keys[] = { "message", "error", "type" };
	static const char *const code_keys[] = { "code", "status" };
	struct json_reader reader;
	struct json_fault fault;
	struct span object, value = { 0 };

	*ret = (struct pusher_error){ 0 };
	if (json_text(data, PUSHER_DEPTH_MAX, &object, &fault) ||
	    json_enter_object(object, &reader)) {
		put_plain(data, ret->message, sizeof(ret->message));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(code_keys) && ret->code == 0; i++)
		if (data_get(object, code_keys[i], &value))
			ret->code = read_code(value);
	for (size_t i = 0; i < ARRAY_SIZE(message_keys) && !ret->message[0]; i++)
		if (data_get(object, message_keys[i], &value))
			put_plain_string(value, ret->message, sizeof(ret->message));
}

void pusher_put_subscribe(struct buf *out, const char *channel, struct span auth)
{
	buf_put_str(out, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":");
	json_put_string(out, span_str(channel));
	if (auth.len > 0) {
		buf_put_str(out, ",\"auth\":");
		json_put_string(out, auth);
	}
	buf_put_str(out, "}}");
}

void pusher_put_unsubscribe(struct buf *out, const char *channel)
{
	buf_put_str(out, "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":");
	json_put_string(out, span_str(channel));
	buf_put_str(out, "}}");
}

void pusher_put_ping(struct buf *out)
{
	buf_put_str(out, "{\"event\":\"pusher:ping\",\"data\":{}}");
}

void pusher_put_pong(struct buf *out)
{
	buf_put_str(out, "{\"event\":\"pusher:pong\",\"data\":{}}");
}

static void put_data(struct buf *out, const struct pusher_event *event)
{
	buf_put_str(out, ",\"data\":");
	json_put_string(out, event->data);
	if (event->socket_id.len > 0) {
		buf_put_str(out, ",\"socket_id\":");
		json_put_string(out, event->socket_id);
	}
	buf_put_byte(out, '}');
}

void pusher_put_event_body(struct buf *out, const struct pusher_event *event)
{
	buf_put_str(out, "{\"name\":");
	json_put_string(out, event->name);
	buf_put_str(out, ",\"channels\":[");
	json_put_string(out, event->channel);
	buf_put_byte(out, ']');
	put_data(out, event);
}

void pusher_put_batch_entry(struct buf *out, const struct pusher_event *event)
{
	buf_put_str(out, "{\"name\":");
	json_put_string(out, event->name);
	buf_put_str(out, ",\"channel\":");
	json_put_string(out, event->channel);
	put_data(out, event);
}
