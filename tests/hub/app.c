/* SPDX-License-Identifier: MIT */
/*
 * One app of the hub: its connections, its time, what is published; see app.h. What clients say
 * is app_receive.c, what they are told app_tell.c.
 *
 * A closed connection has lost its subscriptions already and only waits to be freed by its
 * owner.
 */
#include "tests/hub/app_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/sign.h"

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
	char message[CONN_MESSAGE_MAX];
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
	conn_leave_all(conn);
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
	app_put_event(&text, event->name, channel, event->data);
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
