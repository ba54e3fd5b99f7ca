/* SPDX-License-Identifier: MIT */
/*
 * What clients are told, and the end of a connection: see app_private.h.
 */
#include "tests/hub/app_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#undef json_is_null	/* Jansson's; ours is a function */

#include "libchapi-ipc/json_string.h"
#include "tests/hub/presence.h"

static void cleanup_text(char **text)
{
	free(*text);
}

/* ---- deliveries, and who gets them ------------------------------------------------------ */

static void conn_deliver(struct app_conn *conn, const struct app_delivery *delivery)
{
	if (!conn->closed)
		conn->app->ops->deliver(conn->owner, delivery);
}

void channel_send(struct channel *channel, const struct app_delivery *delivery,
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

void conn_tell_of_member(struct app_conn *conn, struct channel *channel, const char *event,
			 const char *text)
{
	const struct app_delivery delivery = {
		.event = event, .channel = channel->name, .text = span_str(text),
	};

	channel_send(channel, &delivery, conn->socket_id);
}

void conn_leave(struct app_conn *conn, struct subscription *s)
{
	struct member *gone = presence_leave(s);

	if (gone)
		conn_tell_of_member(conn, s->channel, "pusher_internal:member_removed",
				    gone->departure);
	member_free(gone);
	subscription_free(s);
}

void conn_leave_all(struct app_conn *conn)
{
	struct subscription *s, *tmp;

	list_for_each_safe(s, tmp, &conn->subscriber.subscriptions, struct subscription,
			   in_subscriber)
		conn_leave(conn, s);
}

void conn_close(struct app_conn *conn, int code, const char *reason)
{
	if (conn->closed)
		return;
	conn->closed = true;
	conn_leave_all(conn);
	conn->app->ops->close(conn->owner, code, reason);
}

void conn_close_without_memory(struct app_conn *conn)
{
	conn_close(conn, APP_CLOSE_CAPACITY, "The hub is out of memory");
}

/* ---- messages ------------------------------------------------------------------------- */

static void put_key(struct buf *out, const char *before, const char *value)
{
	buf_put_str(out, before);
	json_put_string(out, span_str(value));
}

/* The text of a message up to its data, which whoever calls appends, and "}". */
static void put_head(struct buf *out, const char *event, const char *channel, const char *user_id)
{
	put_key(out, "{\"event\":", event);
	if (channel)
		put_key(out, ",\"channel\":", channel);
	if (user_id)
		put_key(out, ",\"user_id\":", user_id);
	buf_put_str(out, ",\"data\":");
}

void app_put_event(struct buf *out, const char *event, const char *channel, struct span data)
{
	put_head(out, event, channel, NULL);
	json_put_string(out, data);
	buf_put_byte(out, '}');
}

int app_put_message(struct buf *out, const char *event, const char *channel, const char *user_id,
		    json_t *data)
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

const char *conn_quote(const char *text, char *out, size_t out_len)
{
	size_t i;

	for (i = 0; text[i] && i < out_len - 1; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	out[i] = '\0';
	return out;
}

void conn_say(struct app_conn *conn, const char *event, const char *channel, json_t *data)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct app_delivery delivery = { .event = event, .channel = channel };

	if (app_put_message(&text, event, channel, NULL, data) < 0) {
		conn_close_without_memory(conn);
		return;
	}
	delivery.text = buf_span(&text);
	conn_deliver(conn, &delivery);
}

void conn_say_error(struct app_conn *conn, int code, const char *message)
{
	conn_say(conn, "pusher:error", NULL,
		 json_pack("{s:o, s:s}", "code", code ? json_integer(code) : json_null(),
			   "message", message));
}

void conn_complain(struct app_conn *conn, const char *fmt, ...)
{
	char message[CONN_MESSAGE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	conn_say_error(conn, 0, message);
}

void conn_refuse(struct app_conn *conn, int code, const char *message)
{
	conn_say_error(conn, code, message);
	conn_close(conn, code, message);
}
