/* SPDX-License-Identifier: MIT */
/*
 * Events that a request publishes: see http_publish.h.
 *
 * Events are checked all before the first is published, so that a refused request has
 * published nothing. A body is read in place: to build Jansson's tree of it takes longer than all
 * else that the hub does for a request. Where a key stands twice the last one counts.
 */
#include "tests/hub/http_publish.h"

#include "libchapi-ipc/json.h"
#include "tests/hub/hub_names.h"

/* An event as it stands in a body, not looked at. Of what is not there len is 0. */
struct found {
	struct span name, data, channel, channels, socket_id;
};

/* An event that may be published, decoded. */
struct event {
	struct buf name, data, socket_id;	/* NUL follows */
	struct buf channels;			/* NUL after each */
};

static void event_deinit(struct event *e)
{
	buf_deinit(&e->name);
	buf_deinit(&e->data);
	buf_deinit(&e->socket_id);
	buf_deinit(&e->channels);
}

static bool refuse_without_memory(struct http_answer *answer)
{
	http_answer_text(answer, 500, "The hub is out of memory");
	return false;
}

/* After an outcome of take_text(). */
static bool refuse_text(int r, const char *why, struct http_answer *answer)
{
	if (r < 0)
		return refuse_without_memory(answer);
	http_answer_text(answer, 400, "%s", why);
	return false;
}

/* ---- reading ---------------------------------------------------------------------------- */

static bool read_body(struct span body, struct span *ret, struct http_answer *answer)
{
	struct json_fault fault;

	if (json_text(body, JSON_DEPTH_MAX, ret, &fault) == 0)
		return true;
	http_answer_text(answer, 400, "Invalid body: not a JSON object in UTF-8: %s (at byte %zu)",
			 fault.why, fault.offset);
	return false;
}

static bool enter_array(struct span value, struct json_reader *ret)
{
	if (value.len < 2 || value.p[0] != '[')
		return false;
	*ret = json_reader(span_of(value.p + 1, value.len - 2));
	return true;
}

static bool next_item(struct json_reader *r, struct span *ret)
{
	struct json_fault fault;

	json_skip_blanks(r);
	if (r->p < r->end && *r->p == ',')
		r->p++;
	json_skip_blanks(r);
	return r->p < r->end && json_read_raw(r, JSON_DEPTH_MAX, ret, &fault) == 0;
}

static size_t count_items(struct json_reader r)
{
	struct span item;
	size_t n = 0;

	while (next_item(&r, &item))
		n++;
	return n;
}

static bool find_members(struct span object, struct found *ret)
{
	const struct {
		const char *key;
		struct span *value;
	} keys[] = {
		{ "name", &ret->name }, { "data", &ret->data }, { "channel", &ret->channel },
		{ "channels", &ret->channels }, { "socket_id", &ret->socket_id },
	};
	struct json_reader reader;
	struct span key, value;

	if (json_enter_object(object, &reader) != 0)
		return false;
	while (json_next_member(&reader, &key, &value) == 0)
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			if (json_key_is(key, keys[i].key))
				*keys[i].value = value;
	return true;
}

/* Appends the text, with a NUL behind it that does not count. Otherwise JSON_E_TYPE, or -ENOMEM. */
static int take_text(struct span value, struct buf *out)
{
	int r = json_get_string(value, out);

	if (r != 0)
		return r;
	buf_put_byte(out, '\0');
	r = buf_error(out);
	if (r == 0)
		buf_truncate(out, out->len - 1);
	return r;
}

static const char *string_of(const struct buf *text)
{
	return (const char *)buf_data(text);
}

/* ---- checking --------------------------------------------------------------------------- */

static bool take_name(struct span value, struct event *e, struct http_answer *answer)
{
	int r = take_text(value, &e->name);

	if (r != 0)
		return refuse_text(r, "Invalid event: name has to be a string", answer);
	if (!event_name_is_legal(buf_span(&e->name)))
		http_answer_text(answer, 400,
				 "Invalid event name: it has to have 1 to %d characters",
				 EVENT_NAME_MAX);
	else if (event_name_is_reserved(string_of(&e->name)))
		http_answer_text(answer, 400,
				 "Invalid event name: pusher: and pusher_internal: are "
				 "the protocol's own");
	else
		return true;
	return false;
}

static bool take_data(struct span value, size_t most, struct event *e, struct http_answer *answer)
{
	int r = take_text(value, &e->data);

	if (r != 0)
		return refuse_text(r, "Invalid event: data has to be a string (encode objects as "
				   "JSON first)", answer);
	if (e->data.len <= most)
		return true;
	http_answer_text(answer, 413, "The data content of this event exceeds the allowed "
			 "maximum (%zu bytes): it has %zu", most, e->data.len);
	return false;
}

static bool take_socket_id(struct span value, struct event *e, struct http_answer *answer)
{
	int r;

	if (value.len == 0 || json_is_null(value))
		return true;
	r = take_text(value, &e->socket_id);
	if (r == 0 && socket_id_is_legal(buf_span(&e->socket_id)))
		return true;
	return refuse_text(r, "Invalid socket_id: it has to be two numbers joined by a dot",
			   answer);
}

static bool take_channel(struct span value, struct event *e, struct http_answer *answer)
{
	size_t before = e->channels.len;
	int r = take_text(value, &e->channels);
	const uint8_t *name = buf_data(&e->channels) + before;

	if (r != 0)
		return refuse_text(r, "Invalid event: a channel has to be a string", answer);
	if (channel_name_is_legal(span_of(name, e->channels.len - before))) {
		buf_commit(&e->channels, 1);
		return true;
	}
	http_answer_text(answer, 400, "Invalid channel name: %.200s (1 to %d of "
			 "A-Z a-z 0-9 _ - = @ , . ;)", (const char *)name, CHANNEL_NAME_MAX);
	return false;
}

static bool take_channels(struct span value, struct event *e, struct http_answer *answer)
{
	struct json_reader reader;
	struct span channel;
	size_t n = enter_array(value, &reader) ? count_items(reader) : 0;

	if (n == 0) {
		http_answer_text(answer, 400,
				 "Invalid event: channels has to be an array of strings");
		return false;
	}
	if (n > HTTP_PUBLISH_CHANNELS_MAX) {
		http_answer_text(answer, 400, "Too many channels: %zu, the maximum is %d", n,
				 HTTP_PUBLISH_CHANNELS_MAX);
		return false;
	}
	while (next_item(&reader, &channel))
		if (!take_channel(channel, e, answer))
			return false;
	return true;
}

/* false: the answer says why not. The event has to be ended in either case. */
static bool take_event(const struct app *app, struct span value, struct event *e,
		       struct http_answer *answer)
{
	struct found found = { .name = { .len = 0 } };

	if (!find_members(value, &found)) {
		http_answer_text(answer, 400, "Invalid event: it has to be an object");
		return false;
	}
	return take_name(found.name, e, answer) &&
	       take_data(found.data, app_settings(app)->event_max, e, answer) &&
	       take_socket_id(found.socket_id, e, answer) &&
	       (found.channels.len > 0 ? take_channels(found.channels, e, answer)
				       : take_channel(found.channel, e, answer));
}

/* ---- publishing ------------------------------------------------------------------------- */

static int publish(struct app *app, const struct event *e)
{
	const struct app_event event = {
		.name = string_of(&e->name),
		.data = buf_span(&e->data),
		.socket_id = e->socket_id.len > 0 ? string_of(&e->socket_id) : NULL,
	};
	const char *channel = string_of(&e->channels), *end = channel + e->channels.len;
	int r = 0;

	for (; r == 0 && channel < end; channel += strlen(channel) + 1)
		r = app_publish(app, &event, channel);
	return r;
}

void http_publish_event(struct app *app, struct span body, struct http_answer *answer)
{
	CLEANUP(event_deinit) struct event event = { .name = BUF_NULL };
	struct span value;

	if (!read_body(body, &value, answer) || !take_event(app, value, &event, answer))
		return;
	if (publish(app, &event) < 0)
		refuse_without_memory(answer);
	else
		http_answer_json(answer, "{}");
}

struct batch {
	struct event events[HTTP_PUBLISH_BATCH_MAX];
	size_t n;
};

static void batch_deinit(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		event_deinit(&batch->events[i]);
}

/* The events of a body that is an object with a batch. */
static bool enter_batch(struct span body, struct json_reader *ret)
{
	struct json_reader reader;
	struct span key, value, batch = { .len = 0 };

	if (json_enter_object(body, &reader) != 0)
		return false;
	while (json_next_member(&reader, &key, &value) == 0)
		if (json_key_is(key, "batch"))
			batch = value;
	return enter_array(batch, ret);
}

static bool take_batch(const struct app *app, struct span body, struct batch *batch,
		       struct http_answer *answer)
{
	struct json_reader reader;
	struct span event;
	size_t n;

	if (!enter_batch(body, &reader)) {
		http_answer_text(answer, 400,
				 "Invalid batch: batch has to be an array of events");
		return false;
	}
	n = count_items(reader);
	if (n > HTTP_PUBLISH_BATCH_MAX) {
		http_answer_text(answer, 400, "Batch too large: %zu events, the maximum is %d", n,
				 HTTP_PUBLISH_BATCH_MAX);
		return false;
	}
	while (next_item(&reader, &event))
		if (!take_event(app, event, &batch->events[batch->n++], answer))
			return false;
	return true;
}

void http_publish_batch(struct app *app, struct span body, struct http_answer *answer)
{
	CLEANUP(batch_deinit) struct batch batch = { .n = 0 };
	struct span value;

	if (!read_body(body, &value, answer) || !take_batch(app, value, &batch, answer))
		return;
	for (size_t i = 0; i < batch.n; i++)
		if (publish(app, &batch.events[i]) < 0) {
			refuse_without_memory(answer);
			return;
		}
	http_answer_json(answer, "{}");
}
