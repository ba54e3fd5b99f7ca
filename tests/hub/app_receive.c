/* SPDX-License-Identifier: MIT */
/*
 * What clients say: who may subscribe, who gets whose events; see app_private.h.
 */
#include "tests/hub/app_private.h"

#include <stdlib.h>

#include "gateway/sign.h"
#include "tests/hub/presence.h"

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}

static void cleanup_text(char **text)
{
	free(*text);
}

/* NULL: not a string, or one with a NUL in it. */
static const char *text_of(const json_t *object, const char *key)
{
	const json_t *text = json_object_get(object, key);
	const char *value = json_string_value(text);

	return value && strlen(value) == json_string_length(text) ? value : NULL;
}

/* The legal channel name in an object of a client, or NULL: the client has been told. */
static const char *channel_of(struct app_conn *conn, const json_t *object)
{
	const json_t *name = json_object_get(object, "channel");

	if (!json_is_string(name)) {
		conn_complain(conn, "Invalid message: data has to be an object with a channel");
		return NULL;
	}
	if (!channel_name_is_legal(span_of(json_string_value(name), json_string_length(name)))) {
		conn_complain(conn, "Invalid channel name: %s", QUOTE(json_string_value(name)));
		return NULL;
	}
	return json_string_value(name);
}

/* What a subscription asks for. channel_data: of presence channels only, else NULL. */
struct wish {
	const char *channel, *auth, *channel_data;
};

/* given: the part of auth after the key. */
static bool signature_is_good(struct app_conn *conn, const struct wish *wish, const char *given)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	char expected[SIGN_HEX_LEN + 1];

	buf_put_str(&text, conn->socket_id);
	buf_put_byte(&text, ':');
	buf_put_str(&text, wish->channel);
	if (wish->channel_data) {
		buf_put_byte(&text, ':');
		buf_put_str(&text, wish->channel_data);
	}
	if (buf_error(&text) || sign_hmac_hex(span_str(conn->app->settings.secret), buf_span(&text),
					      expected) != 0) {
		conn_complain(conn, "The hub cannot check the signature for %s", wish->channel);
		return false;
	}
	if (sign_equal(given, expected))
		return true;
	buf_put_byte(&text, '\0');
	conn_complain(conn,
		      "Invalid signature: Expected HMAC SHA256 hex digest of %s, but got another",
		      buf_error(&text) ? wish->channel : QUOTE((const char *)buf_data(&text)));
	return false;
}

/* "KEY:SIGNATURE". When it is no good, the client has been told. */
static bool auth_is_good(struct app_conn *conn, const struct wish *wish)
{
	const char *auth = wish->auth, *channel = wish->channel;
	const char *colon = auth ? strchr(auth, ':') : NULL;
	const char *key = conn->app->settings.key;

	if (!auth || !*auth)
		conn_complain(conn, "Auth info required to subscribe to %s", channel);
	else if (!colon)
		conn_complain(conn, "Invalid auth for %s: it has to be KEY:SIGNATURE", channel);
	else if (strlen(key) != (size_t)(colon - auth) || strncmp(auth, key, strlen(key)) != 0)
		conn_complain(conn, "Invalid key in subscription auth data: '%.*s'",
			      (int)strcspn(QUOTE(auth), ":"), QUOTE(auth));
	else
		return signature_is_good(conn, wish, colon + 1);
	return false;
}

static bool may_subscribe(struct app_conn *conn, const struct wish *wish)
{
	const char *channel = wish->channel;

	if (subscriber_find(&conn->subscriber, channel)) {
		conn_complain(conn, "Existing subscription to channel %s", channel);
		return false;
	}
	if (conn->subscriber.n_subscriptions >= APP_SUBSCRIPTIONS_MAX) {
		conn_complain(conn, "Too many subscriptions on this connection: %s", channel);
		return false;
	}
	return channel_kind(channel) == CHANNEL_PUBLIC || auth_is_good(conn, wish);
}

/* Takes list, which is NULL without memory. */
static void welcome_member(struct app_conn *conn, const char *channel, json_t *list)
{
	CLEANUP(cleanup_text) char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;

	json_decref(list);
	if (text)
		conn_say(conn, "pusher_internal:subscription_succeeded", channel,
			 json_string(text));
	else
		conn_close_without_memory(conn);
}

/* Who joins is told of all, itself included; the others of it, if it was not there before. */
static void join(struct app_conn *conn, struct subscription *s, const struct wish *wish)
{
	bool is_first = false;
	int r = presence_join(s, wish->channel_data, &is_first);

	if (r != 0)
		subscription_free(s);
	if (r < 0) {
		conn_close_without_memory(conn);
	} else if (r > 0) {
		conn_complain(conn, "Cannot join presence channel %s: %s", wish->channel,
			      presence_why(r));
	} else {
		if (is_first)
			conn_tell_of_member(conn, s->channel, "pusher_internal:member_added",
					    s->member->arrival);
		welcome_member(conn, wish->channel, presence_list(s->channel));
	}
}

static void handle_subscribe(struct app_conn *conn, const json_t *message)
{
	const json_t *data = json_object_get(message, "data");
	struct wish wish = { .channel = channel_of(conn, data), .auth = text_of(data, "auth") };
	bool is_presence = wish.channel && channel_kind(wish.channel) == CHANNEL_PRESENCE;
	struct subscription *s;

	if (is_presence)
		wish.channel_data = text_of(data, "channel_data");
	if (!wish.channel || !may_subscribe(conn, &wish))
		return;
	if (channels_subscribe(&conn->app->channels, &conn->subscriber, wish.channel, &s) != 0)
		conn_close_without_memory(conn);
	else if (is_presence)
		join(conn, s, &wish);
	else
		conn_say(conn, "pusher_internal:subscription_succeeded", wish.channel,
			 json_string("{}"));
}

static void handle_unsubscribe(struct app_conn *conn, const json_t *message)
{
	const char *channel = channel_of(conn, json_object_get(message, "data"));
	struct subscription *s = channel ? subscriber_find(&conn->subscriber, channel) : NULL;

	if (s)
		conn_leave(conn, s);
	else if (channel)
		conn_complain(conn, "No current subscription to channel %s", channel);
}

static void handle_ping(struct app_conn *conn, const json_t *message UNUSED)
{
	conn_say(conn, "pusher:pong", NULL, json_object());
}

static void handle_pong(struct app_conn *conn UNUSED, const json_t *message UNUSED)
{
	/* That it came is all there is to it: see app_alive(). */
}

static bool is_within_rate(struct app_conn *conn, uint64_t now_ms)
{
	if (now_ms - conn->window_ms >= 1000) {
		conn->window_ms = now_ms;
		conn->n_in_window = 0;
	}
	return conn->n_in_window++ < APP_CLIENT_EVENTS_PER_S;
}

static size_t data_len(const json_t *data)
{
	return json_is_string(data) ? json_string_length(data)
				    : json_dumpb(data, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
}

static bool may_send(struct app_conn *conn, const char *event, const char *channel,
		     const json_t *data)
{
	enum channel_kind kind = channel_kind(channel);
	size_t most = conn->app->settings.event_max;

	if (kind != CHANNEL_PRIVATE && kind != CHANNEL_PRESENCE)
		conn_complain(conn, "Client event rejected: not on channels such as %s, only on "
			      "private and presence ones", channel);
	else if (!event_name_is_legal(span_str(event)))
		conn_complain(conn, "Invalid client event: the name is longer than %d characters",
			      EVENT_NAME_MAX);
	else if (!subscriber_find(&conn->subscriber, channel))
		conn_complain(conn, "Cannot broadcast client event: no subscription to channel %s",
			      channel);
	else if (data_len(data) > most)
		conn_complain(conn, "Client event rejected: the data exceeds the allowed maximum "
			      "(%zu bytes)", most);
	else
		return true;
	return false;
}

/* data goes on in the form it had: a string as a string, an object as an object. */
static void client_event_relay(struct app_conn *conn, const char *event, const char *channel,
			       json_t *data)
{
	struct subscription *s = subscriber_find(&conn->subscriber, channel);
	const char *user_id = s->member ? s->member->user_id : NULL;
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct app_delivery delivery = { .event = event, .channel = channel };

	if (app_put_message(&text, event, channel, user_id, json_incref(data)) < 0) {
		conn_close_without_memory(conn);
		return;
	}
	delivery.text = buf_span(&text);
	channel_send(s->channel, &delivery, conn->socket_id);
}

static void handle_client_event(struct app_conn *conn, const json_t *message, uint64_t now_ms)
{
	const char *event = text_of(message, "event");
	json_t *data = json_object_get(message, "data");
	const char *channel;

	if (!data || !json_object_get(message, "channel")) {
		conn_complain(conn, "Invalid client event (must contain channel and data)");
		return;
	}
	channel = channel_of(conn, message);
	if (!channel || !may_send(conn, event, channel, data))
		return;
	if (!is_within_rate(conn, now_ms))
		conn_say_error(conn, APP_ERROR_RATE, "Client event rejected due to rate limit "
			       "(10 a second)");
	else
		client_event_relay(conn, event, channel, data);
}

static const struct {
	const char *event;
	void (*handle)(struct app_conn *conn, const json_t *message);
} handlers[] = {
	{ "pusher:subscribe", handle_subscribe },
	{ "pusher:unsubscribe", handle_unsubscribe },
	{ "pusher:ping", handle_ping },
	{ "pusher:pong", handle_pong },
};

static void handle_message(struct app_conn *conn, const char *event, const json_t *message,
			   uint64_t now_ms)
{
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
		if (strcmp(event, handlers[i].event) == 0) {
			handlers[i].handle(conn, message);
			return;
		}
	if (event_name_is_client(event))
		handle_client_event(conn, message, now_ms);
	else
		conn_complain(conn, "Unsupported event received on socket: %s", QUOTE(event));
}

void app_receive(struct app_conn *conn, struct span text, uint64_t now_ms)
{
	CLEANUP(cleanup_json) json_t *message = NULL;
	const char *event;
	json_error_t error;

	if (conn->closed)
		return;
	app_alive(conn, now_ms);
	message = json_loadb((const char *)text.p, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL,
			     &error);
	event = text_of(message, "event");
	if (!message)
		conn_complain(conn, "Invalid message: not JSON: %s", QUOTE(error.text));
	else if (!event)
		conn_complain(conn, "Invalid message: it has to be an object with an event");
	else
		handle_message(conn, event, message, now_ms);
}

void app_complain(struct app_conn *conn, const char *message)
{
	conn_complain(conn, "%s", message);
}
