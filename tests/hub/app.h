/* SPDX-License-Identifier: MIT */
/*
 * One app of the hub: its connections, channels and subscriptions; who may subscribe, who
 * gets what, who is too quiet, too loud or too long.
 *
 * Pure: messages and the time come in, deliveries and closes go out through struct app_ops.
 * WebSockets and their queues are ws_side.h, publishing over HTTP is http_api.h. Everything
 * that the app says leaves through the two calls of app_ops: play.h, which loses, delays and
 * doubles, puts its own app_ops in between.
 *
 * Pusher: "Channels Protocol", version 7. Versions 5 and 6 are served too, as libraries in
 * use still speak them; they differ in the opening message only.
 */
#ifndef CHAPI_HUB_APP_H
#define CHAPI_HUB_APP_H

#include <stdbool.h>

#include "common/common.h"

/* Close codes: 40xx never again, 41xx later, 42xx at once. */
enum {
	APP_CLOSE_NO_APP = 4001,
	APP_CLOSE_PATH = 4005,
	APP_CLOSE_VERSION = 4006,
	APP_CLOSE_PROTOCOL = 4007,
	APP_CLOSE_NO_PROTOCOL = 4008,
	APP_CLOSE_CAPACITY = 4100,
	APP_CLOSE_RECONNECT = 4200,
	APP_CLOSE_NO_PONG = 4201,
	APP_ERROR_RATE = 4301,	/* only ever in an error message */
};

#define APP_CONNECTIONS_MAX 1000
#define APP_SUBSCRIPTIONS_MAX 1024	/* of one connection */
#define APP_CLIENT_EVENTS_PER_S 10	/* of one connection */

/* Texts are borrowed until app_free(). */
struct app_settings {
	const char *id, *key, *secret;
	uint64_t activity_timeout_ms;	/* told to clients, in whole seconds */
	uint64_t pong_timeout_ms;
	size_t event_max;		/* bytes of data, decoded */
};

struct app_delivery {
	const char *event;
	const char *channel;	/* NULL: not about one */
	struct span text;	/* the whole message; gone after the call */
};

/* owner is what came with app_accept(). The calls must not call back into the app. */
struct app_ops {
	void (*deliver)(void *owner, const struct app_delivery *delivery);
	/* Once at most, the last call for its owner: no delivery follows. */
	void (*close)(void *owner, int code, const char *reason);
};

struct app;
struct app_conn;
struct channel;

int app_new(const struct app_settings *settings, const struct app_ops *ops,
	    struct app **ret) MUST_CHECK;
struct app *app_free(struct app *app); /* all its connections are freed before */
const struct app_settings *app_settings(const struct app *app);

/* What a client asks for in its URL; parts that are not there are NULL. */
struct app_hello {
	const char *path, *protocol, *version;
};

/* Greets the client, or says why not and closes; the connection exists in both cases. */
int app_accept(struct app *app, const struct app_hello *hello, void *owner, uint64_t now_ms,
	       struct app_conn **ret) MUST_CHECK;
struct app_conn *app_conn_free(struct app_conn *conn);
const char *app_conn_socket_id(const struct app_conn *conn);

void app_receive(struct app_conn *conn, struct span text, uint64_t now_ms);
/* A sign of life that is no message. */
void app_alive(struct app_conn *conn, uint64_t now_ms);
/* A message that could not be taken in, e.g. a binary one. */
void app_complain(struct app_conn *conn, const char *message);
/* Sends a ping to a quiet client, closes after a missing pong. Returns when to come again. */
uint64_t app_tick(struct app_conn *conn, uint64_t now_ms) MUST_CHECK;
/* As above for the end of the hub: everybody is asked to come back later. */
void app_close_all(struct app *app, int code, const char *reason);

struct app_event {
	const char *name;
	struct span data;	/* UTF-8 */
	const char *socket_id;	/* this connection does not get it; or NULL */
};

/* Names are legal (hub_names.h), data is within the limit. */
int app_publish(struct app *app, const struct app_event *event, const char *channel) MUST_CHECK;

/* NULL: nobody is subscribed. To be read only, until something happens to the app. */
const struct channel *app_channel(const struct app *app, const char *name);
void app_each_channel(const struct app *app, void (*f)(void *arg, const struct channel *channel),
		      void *arg);

#endif
