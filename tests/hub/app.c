/* SPDX-License-Identifier: MIT */
/*
 * One app of the hub: see app.h.
 *
 * A closed connection has lost its subscriptions already and only waits to be freed by its
 * owner.
 */
#include "tests/hub/app.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#undef json_is_null	/* Jansson's; ours is a function */

#include "gateway/sign.h"
#include "libchapi-ipc/json_string.h"
#include "libchapi-ipc/list.h"
#include "tests/hub/channels.h"
#include "tests/hub/hub_names.h"
#include "tests/hub/presence.h"

#define MESSAGE_MAX 512	/* of an error, for people */
#define QUOTE_MAX 200	/* of a client's text within it */

struct app {
	struct app_settings settings;
	const struct app_ops *ops;
	struct list conns;
	size_t n_conns;
	uint32_t next_serial;
	struct channels channels;
};

struct app_conn {
	struct app *app;
	void *owner;
	struct list in_app;
	struct subscriber subscriber;
	bool closed;
	bool pinged;		/* and no answer yet */
	uint64_t alive_ms;	/* when the client was last heard */
	uint64_t pinged_ms;
	uint64_t window_ms;	/* client events are counted from here on */
	unsigned int n_in_window;
	char socket_id[SOCKET_ID_MAX + 1];
};

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}

static void cleanup_text(char **text)
{
	free(*text);
}

/* A client's text within a message to it: cut, and without what is not plain ASCII. */
static const char *quote(const char *text, char *out, size_t out_len)
{
	size_t i;

	for (i = 0; text[i] && i < out_len - 1; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	out[i] = '\0';
	return out;
}
#define QUOTE(text) quote(text, (char[QUOTE_MAX + 1]){ 0 }, QUOTE_MAX + 1)

/* NULL: not a string, or one with a NUL in it. */
static const char *text_of(const json_t *object, const char *key)
{
	const json_t *text = json_object_get(object, key);
	const char *value = json_string_value(text);

	return value && strlen(value) == json_string_length(text) ? value : NULL;
}

/* ---- leaving the app ------------------------------------------------------------------ */

static void conn_deliver(struct app_conn *conn, const struct app_delivery *delivery)
{
	if (!conn->closed)
		conn->app->ops->deliver(conn->owner, delivery);
}

/* To all who are subscribed but one. */
static void channel_send(struct channel *channel, const struct app_delivery *delivery,
			 const char *except)
{
	struct subscription *s;
	struct app_conn *conn;

	list_for_each(s, &channel->subscriptions, struct subscription, in_channel) {
		conn = container_of(s->subscriber, struct app_conn, subscriber);
		if (!except || strcmp(conn->socket_id, except) != 0)
			conn_deliver(conn, delivery);
	}
}

/* What the others hear of a member: it is of the protocol, not one of their events. */
static void tell_of_member(struct app_conn *conn, struct channel *channel, const char *event,
			   const char *text)
{
	const struct app_delivery delivery = {
		.event = event, .channel = channel->name, .text = span_str(text),
	};

	channel_send(channel, &delivery, conn->socket_id);
}

static void leave(struct app_conn *conn, struct subscription *s)
{
	struct member *gone = presence_leave(s);

	if (gone)
		tell_of_member(conn, s->channel, "pusher_internal:member_removed", gone->departure);
	member_free(gone);
	subscription_free(s);
}

static void leave_all(struct app_conn *conn)
{
	struct subscription *s, *tmp;

	list_for_each_safe(s, tmp, &conn->subscriber.subscriptions, struct subscription,
			   in_subscriber)
		leave(conn, s);
}

static void conn_close(struct app_conn *conn, int code, const char *reason)
{
	if (conn->closed)
		return;
	conn->closed = true;
	leave_all(conn);
	conn->app->ops->close(conn->owner, code, reason);
}

static void put_key(struct buf *out, const char *before, const char *value)
{
	buf_put_str(out, before);
	json_put_string(out, span_str(value));
}

/* The text of a message up to its data, which whoever calls appends, and "}". channel: may be
 * NULL. user_id: of the client that sends an event to a presence channel, else NULL. */
static void put_head(struct buf *out, const char *event, const char *channel, const char *user_id)
{
	put_key(out, "{\"event\":", event);
	if (channel)
		put_key(out, ",\"channel\":", channel);
	if (user_id)
		put_key(out, ",\"user_id\":", user_id);
	buf_put_str(out, ",\"data\":");
}

/* Takes data; NULL: there was no memory for it. 0 or -ENOMEM. */
static int put_message(struct buf *out, const char *event, const char *channel,
		       const char *user_id, json_t *data)
{
	CLEANUP(cleanup_text) char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);

	json_decref(data);
	if (!text)
		return -ENOMEM;
	put_head(out, event, channel, user_id);
	buf_put_str(out, text);
	buf_put_byte(out, '}');
	return buf_error(out);
}

/* Takes data. */
static void conn_say(struct app_conn *conn, const char *event, const char *channel, json_t *data)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct app_delivery delivery = { .event = event, .channel = channel };

	if (put_message(&text, event, channel, NULL, data) < 0) {
		conn_close(conn, APP_CLOSE_CAPACITY, "The hub is out of memory");
		return;
	}
	delivery.text = buf_span(&text);
	conn_deliver(conn, &delivery);
}

/* code 0: none, the connection goes on as if nothing had been. */
static void conn_say_error(struct app_conn *conn, int code, const char *message)
{
	conn_say(conn, "pusher:error", NULL,
		 json_pack("{s:o, s:s}", "code", code ? json_integer(code) : json_null(),
			   "message", message));
}

static void PRINTF(2, 3) conn_complain(struct app_conn *conn, const char *fmt, ...)
{
	char message[MESSAGE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	conn_say_error(conn, 0, message);
}

static void conn_refuse(struct app_conn *conn, int code, const char *message)
{
	conn_say_error(conn, code, message);
	conn_close(conn, code, message);
}

/* ---- what clients say ----------------------------------------------------------------- */

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

static void close_without_memory(struct app_conn *conn)
{
	conn_close(conn, APP_CLOSE_CAPACITY, "The hub is out of memory");
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
		close_without_memory(conn);
}

/* Who joins is told of all, itself included; the others of it, if it was not there before. */
static void join(struct app_conn *conn, struct subscription *s, const struct wish *wish)
{
	bool is_first = false;
	int r = presence_join(s, wish->channel_data, &is_first);

	if (r != 0)
		subscription_free(s);
	if (r < 0) {
		close_without_memory(conn);
	} else if (r > 0) {
		conn_complain(conn, "Cannot join presence channel %s: %s", wish->channel,
			      presence_why(r));
	} else {
		if (is_first)
			tell_of_member(conn, s->channel, "pusher_internal:member_added",
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
		close_without_memory(conn);
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
		leave(conn, s);
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

	if (put_message(&text, event, channel, user_id, json_incref(data)) < 0) {
		close_without_memory(conn);
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

/* ---- time ----------------------------------------------------------------------------- */

void app_alive(struct app_conn *conn, uint64_t now_ms)
{
	conn->alive_ms = now_ms;
	conn->pinged = false;
}

/*
 * A client pings when its activity timeout is over; the hub does so a sixth later (140 s for
 * 120 s, as the hosted service), so that a client which does its part is never pinged.
 */
static uint64_t ping_due(const struct app_conn *conn)
{
	uint64_t timeout_ms = conn->app->settings.activity_timeout_ms;

	return conn->alive_ms + timeout_ms + timeout_ms / 6;
}

uint64_t app_tick(struct app_conn *conn, uint64_t now_ms)
{
	uint64_t pong_timeout_ms = conn->app->settings.pong_timeout_ms;

	if (conn->closed)
		return UINT64_MAX;
	if (conn->pinged && now_ms >= conn->pinged_ms + pong_timeout_ms) {
		conn_close(conn, APP_CLOSE_NO_PONG, "Pong reply not received");
		return UINT64_MAX;
	}
	if (!conn->pinged && now_ms >= ping_due(conn)) {
		conn->pinged = true;
		conn->pinged_ms = now_ms;
		conn_say(conn, "pusher:ping", NULL, json_object());
	}
	return conn->pinged ? conn->pinged_ms + pong_timeout_ms : ping_due(conn);
}

/* ---- connections ---------------------------------------------------------------------- */

/* "1.2.3", "8.4.0-rc2", ... */
static bool version_is_legal(const char *version)
{
	const char *rest = version + strspn(version, "0123456789");

	return rest > version && *rest == '.' && rest[1] >= '0' && rest[1] <= '9' &&
	       rest[strspn(rest, "0123456789.abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ+-")] == '\0';
}

static bool protocol_is_served(const char *protocol)
{
	return strcmp(protocol, "5") == 0 || strcmp(protocol, "6") == 0 ||
	       strcmp(protocol, "7") == 0;
}

static void greet(struct app_conn *conn, const char *protocol)
{
	/* Rounded up: to a client, 0 is as good as nothing. */
	uint64_t timeout_s = (conn->app->settings.activity_timeout_ms + 999) / 1000;
	char data[128];

	if (strcmp(protocol, "7") == 0)
		snprintf(data, sizeof(data),
			 "{\"socket_id\":\"%s\",\"activity_timeout\":%" PRIu64 "}",
			 conn->socket_id, timeout_s);
	else
		snprintf(data, sizeof(data), "{\"socket_id\":\"%s\"}", conn->socket_id);
	conn_say(conn, "pusher:connection_established", NULL, json_string(data));
}

static void answer_hello(struct app_conn *conn, const struct app_hello *hello)
{
	static const char prefix[] = "/app/";
	char message[MESSAGE_MAX];
	const char *key;

	if (!hello->path || strncmp(hello->path, prefix, strlen(prefix)) != 0) {
		conn_refuse(conn, APP_CLOSE_PATH, "Path not found");
		return;
	}
	key = hello->path + strlen(prefix);
	if (!hello->protocol)
		conn_refuse(conn, APP_CLOSE_NO_PROTOCOL, "No protocol version supplied");
	else if (!protocol_is_served(hello->protocol))
		conn_refuse(conn, APP_CLOSE_PROTOCOL, "Unsupported protocol version");
	else if (hello->version && !version_is_legal(hello->version))
		conn_refuse(conn, APP_CLOSE_VERSION, "Invalid version string format");
	else if (strcmp(key, conn->app->settings.key) != 0) {
		snprintf(message, sizeof(message), "App key %.40s not in this cluster. "
			 "Did you forget to specify the cluster?", QUOTE(key));
		conn_refuse(conn, APP_CLOSE_NO_APP, message);
	} else if (conn->app->n_conns > APP_CONNECTIONS_MAX) {
		conn_refuse(conn, APP_CLOSE_CAPACITY, "Over capacity");
	} else {
		greet(conn, hello->protocol);
	}
}

/* Random for the look of it, with a serial number so that none comes twice. */
static int socket_id_make(struct app *app, char *ret, size_t ret_len)
{
	uint32_t random;
	int r = sign_random(&random, sizeof(random));

	if (r == 0)
		snprintf(ret, ret_len, "%" PRIu32 ".%" PRIu32, random, app->next_serial++);
	return r;
}

int app_accept(struct app *app, const struct app_hello *hello, void *owner, uint64_t now_ms,
	       struct app_conn **ret)
{
	struct app_conn *conn = calloc(1, sizeof(*conn));
	int r;

	if (!conn)
		return -ENOMEM;
	r = socket_id_make(app, conn->socket_id, sizeof(conn->socket_id));
	if (r < 0) {
		free(conn);
		return r;
	}
	conn->app = app;
	conn->owner = owner;
	conn->alive_ms = now_ms;
	subscriber_init(&conn->subscriber);
	list_add_tail(&app->conns, &conn->in_app);
	app->n_conns++;
	answer_hello(conn, hello);
	*ret = conn;
	return 0;
}

struct app_conn *app_conn_free(struct app_conn *conn)
{
	if (!conn)
		return NULL;
	conn->closed = true;
	leave_all(conn);
	list_del(&conn->in_app);
	conn->app->n_conns--;
	free(conn);
	return NULL;
}

const char *app_conn_socket_id(const struct app_conn *conn)
{
	return conn->socket_id;
}

void app_close_all(struct app *app, int code, const char *reason)
{
	struct app_conn *conn;

	list_for_each(conn, &app->conns, struct app_conn, in_app)
		conn_close(conn, code, reason);
}

/* ---- the app -------------------------------------------------------------------------- */

int app_new(const struct app_settings *settings, const struct app_ops *ops, struct app **ret)
{
	struct app *app = calloc(1, sizeof(*app));
	int r;

	if (!app)
		return -ENOMEM;
	r = channels_init(&app->channels);
	if (r == 0)
		r = sign_random(&app->next_serial, sizeof(app->next_serial));
	if (r < 0) {
		free(app);
		return r;
	}
	app->settings = *settings;
	app->ops = ops;
	list_init(&app->conns);
	*ret = app;
	return 0;
}

struct app *app_free(struct app *app)
{
	free(app);
	return NULL;
}

const struct app_settings *app_settings(const struct app *app)
{
	return &app->settings;
}

int app_publish(struct app *app, const struct app_event *event, const char *channel)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct channel *target = channels_find(&app->channels, channel);
	struct app_delivery delivery = { .event = event->name, .channel = channel };
	int r;

	if (!target)
		return 0;	/* nobody listens, which is nobody's fault */
	put_head(&text, event->name, channel, NULL);
	json_put_string(&text, event->data);
	buf_put_byte(&text, '}');
	r = buf_error(&text);
	if (r < 0)
		return r;
	delivery.text = buf_span(&text);
	channel_send(target, &delivery, event->socket_id);
	return 0;
}

const struct channel *app_channel(const struct app *app, const char *name)
{
	return channels_find(&app->channels, name);
}

void app_each_channel(const struct app *app, void (*f)(void *arg, const struct channel *channel),
		      void *arg)
{
	const struct list *bucket;
	struct channel *channel;

	for (size_t i = 0; i < CHANNELS_N_BUCKETS; i++) {
		bucket = &app->channels.buckets[i];
		list_for_each(channel, bucket, struct channel, in_bucket)
			f(arg, channel);
	}
}
