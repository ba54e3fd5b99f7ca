/* SPDX-License-Identifier: MIT */
/*
 * The hub's app between clients that are played here: who is let in, who gets what, who is too
 * loud or too quiet. Time is a number.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/sign.h"
#include "tests/hub/app.h"
#include "tests/hub/presence.h"

#define KEY "aaaabbbbccccddddeeee"
#define SECRET "11112222333344445555"
#define PATH "/app/" KEY
#define START_MS 1000000

enum {
	ACTIVITY_MS = 120000,
	PONG_MS = 30000,
	PING_MS = ACTIVITY_MS + ACTIVITY_MS / 6,
	EVENT_MAX = 100
};

/* ---- clients -------------------------------------------------------------------------------- */

/* What a client got, one message a line, and how it ended. */
struct client {
	struct app_conn *conn;
	struct buf heard;
	int close_code;		/* 0: open */
	char close_reason[200];
};

static void deliver(void *owner, const struct app_delivery *delivery)
{
	struct client *client = owner;

	assert_int_equal(client->close_code, 0);
	assert_non_null(delivery->event);
	buf_put(&client->heard, delivery->text.p, delivery->text.len);
	buf_put_byte(&client->heard, '\n');
}

static void close_client(void *owner, int code, const char *reason)
{
	struct client *client = owner;

	assert_int_equal(client->close_code, 0);
	client->close_code = code;
	snprintf(client->close_reason, sizeof(client->close_reason), "%s", reason);
}

static const struct app_ops ops = { .deliver = deliver, .close = close_client };

static const struct app_settings settings = {
	.id = "1000", .key = KEY, .secret = SECRET,
	.activity_timeout_ms = ACTIVITY_MS, .pong_timeout_ms = PONG_MS, .event_max = EVENT_MAX,
};

/* Says hello; the greeting stays in heard. */
static void client_init(struct client *client, struct app *app, const char *path,
			const char *protocol, const char *version)
{
	const struct app_hello hello = { .path = path, .protocol = protocol, .version = version };

	*client = (struct client){ .heard = BUF_NULL };
	assert_int_equal(app_accept(app, &hello, client, START_MS, &client->conn), 0);
}

static void client_join(struct client *client, struct app *app)
{
	client_init(client, app, PATH, "7", "1.0.0");
	assert_int_equal(client->close_code, 0);
	buf_clear(&client->heard);
}

static void client_deinit(struct client *client)
{
	client->conn = app_conn_free(client->conn);
	buf_deinit(&client->heard);
}

/* Exactly this came since the last time; "": nothing. */
static void assert_heard(struct client *client, const char *expected)
{
	char heard[2000];

	snprintf(heard, sizeof(heard), "%.*s", (int)client->heard.len,
		 (const char *)buf_data(&client->heard));
	assert_string_equal(heard, expected);
	buf_clear(&client->heard);
}

/* One message that has this in it. */
static void assert_heard_of(struct client *client, const char *part)
{
	buf_put_byte(&client->heard, '\0');
	if (!strstr((const char *)buf_data(&client->heard), part))
		fail_msg("\"%s\" is not in: %s", part, (const char *)buf_data(&client->heard));
	assert_int_equal(strcspn((const char *)buf_data(&client->heard), "\n") + 2,
			 client->heard.len);
	buf_clear(&client->heard);
}

static void PRINTF(3, 4) say_at(struct client *client, uint64_t now_ms, const char *fmt, ...)
{
	char text[4000];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	app_receive(client->conn, span_str(text), now_ms);
}
#define say(client, ...) say_at(client, START_MS, __VA_ARGS__)

static void say_subscribe(struct client *client, const char *channel, const char *auth)
{
	if (auth)
		say(client,
		    "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\",\"auth\":\"%"
		    "s\"}}",
		    channel, auth);
	else
		say(client, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\"}}",
		    channel);
}

static void sign_subscription(struct client *client, const char *channel, char ret[200])
{
	CLEANUP(buf_deinit) struct buf out = BUF_NULL;

	assert_int_equal(sign_channel(KEY, SECRET, app_conn_socket_id(client->conn), channel,
				      span_str(NULL), &out),
			 0);
	snprintf(ret, 200, "%.*s", (int)out.len, (const char *)buf_data(&out));
}

static void subscribe(struct client *client, const char *channel)
{
	char auth[200], expected[300];

	sign_subscription(client, channel, auth);
	say_subscribe(client, channel, auth);
	snprintf(expected, sizeof(expected),
		 "{\"event\":\"pusher_internal:subscription_succeeded\","
		 "\"channel\":\"%s\",\"data\":\"{}\"}\n",
		 channel);
	assert_heard(client, expected);
}

/* ---- the place: an app with two clients ------------------------------------------------------ */

struct place {
	struct app *app;
	struct client a, b;
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	assert_int_equal(app_new(&settings, &ops, &place->app), 0);
	client_join(&place->a, place->app);
	client_join(&place->b, place->app);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	client_deinit(&place->a);
	client_deinit(&place->b);
	app_free(place->app);
	free(place);
	return 0;
}

static size_t n_subscribers(const struct app *app, const char *name)
{
	const struct channel *channel = app_channel(app, name);

	return channel ? channel->n_subscriptions : 0;
}

/* ---- coming in ------------------------------------------------------------------------------- */

static void test_hello_is_greeted_with_socket_id_and_timeout(void **state)
{
	struct place *place = *state;
	struct client client;
	char expected[300];

	client_init(&client, place->app, PATH, "7", NULL);
	snprintf(expected, sizeof(expected),
		 "{\"event\":\"pusher:connection_established\",\"data\":\""
		 "{\\\"socket_id\\\":\\\"%s\\\",\\\"activity_timeout\\\":120}\"}\n",
		 app_conn_socket_id(client.conn));
	assert_heard(&client, expected);
	client_deinit(&client);
}

static void test_hello_of_older_protocols_is_told_no_timeout(void **state)
{
	static const char *const protocols[] = { "5", "6" };
	struct place *place = *state;
	struct client client;

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		client_init(&client, place->app, PATH, protocols[i], "8.4.0-rc2");
		assert_int_equal(client.close_code, 0);
		assert_heard_of(&client, "\\\"}\"}");
		client_deinit(&client);
	}
}

static void test_socket_ids_are_two_numbers_and_differ(void **state)
{
	struct place *place = *state;
	const char *id = app_conn_socket_id(place->a.conn);
	size_t n = strspn(id, "0123456789");

	assert_true(n > 0);
	assert_int_equal(id[n], '.');
	assert_true(strspn(id + n + 1, "0123456789") == strlen(id + n + 1));
	assert_string_not_equal(id, app_conn_socket_id(place->b.conn));
}

static void assert_refused(struct app *app, const char *path, const char *protocol,
			   const char *version, int code)
{
	struct client client;
	char said[50];

	client_init(&client, app, path, protocol, version);
	assert_int_equal(client.close_code, code);
	assert_true(strlen(client.close_reason) > 0);
	snprintf(said, sizeof(said), "{\"event\":\"pusher:error\",\"data\":{\"code\":%d,", code);
	assert_heard_of(&client, said);

	/* Nothing is said to it any more, whatever it says. */
	say(&client, "{\"event\":\"pusher:ping\"}");
	assert_true(app_tick(client.conn, START_MS + PING_MS) == UINT64_MAX);
	assert_heard(&client, "");
	client_deinit(&client);
}

static void test_hello_that_is_wrong_is_refused_with_its_code(void **state)
{
	struct place *place = *state;

	assert_refused(place->app, NULL, "7", NULL, APP_CLOSE_PATH);
	assert_refused(place->app, "/", "7", NULL, APP_CLOSE_PATH);
	assert_refused(place->app, "/apps/" KEY, "7", NULL, APP_CLOSE_PATH);
	assert_refused(place->app, "/app/another", "7", NULL, APP_CLOSE_NO_APP);
	assert_refused(place->app, PATH "x", "7", NULL, APP_CLOSE_NO_APP);
	assert_refused(place->app, "/app/", "7", NULL, APP_CLOSE_NO_APP);
	assert_refused(place->app, PATH, NULL, NULL, APP_CLOSE_NO_PROTOCOL);
	assert_refused(place->app, PATH, "4", NULL, APP_CLOSE_PROTOCOL);
	assert_refused(place->app, PATH, "8", NULL, APP_CLOSE_PROTOCOL);
	assert_refused(place->app, PATH, "", NULL, APP_CLOSE_PROTOCOL);
	assert_refused(place->app, PATH, "7", "one", APP_CLOSE_VERSION);
	assert_refused(place->app, PATH, "7", "1.", APP_CLOSE_VERSION);
	assert_refused(place->app, PATH, "7", "1.0 beta", APP_CLOSE_VERSION);
}

static void test_one_connection_too_many_is_told_to_come_later(void **state)
{
	struct place *place = *state;
	static struct client more[APP_CONNECTIONS_MAX - 2];

	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		client_join(&more[i], place->app);
	assert_refused(place->app, PATH, "7", NULL, APP_CLOSE_CAPACITY);
	client_deinit(&more[0]);
	client_join(&more[0], place->app);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		client_deinit(&more[i]);
}

/* ---- subscriptions --------------------------------------------------------------------------- */

static void test_public_channel_needs_no_signature(void **state)
{
	struct place *place = *state;

	say_subscribe(&place->a, "news", NULL);
	assert_heard_of(&place->a, "subscription_succeeded");
	assert_int_equal(n_subscribers(place->app, "news"), 1);
}

static void test_private_channel_takes_its_signature(void **state)
{
	struct place *place = *state;

	subscribe(&place->a, "private-x");
	subscribe(&place->a, "private-encrypted-x");
	subscribe(&place->b, "private-x");
	assert_int_equal(n_subscribers(place->app, "private-x"), 2);
}

static void assert_not_subscribed(struct place *place, const char *channel, const char *auth,
				  const char *why)
{
	say_subscribe(&place->a, channel, auth);
	assert_heard_of(&place->a,
			"{\"event\":\"pusher:error\",\"data\":{\"code\":null,\"message\":");
	say_subscribe(&place->a, channel, auth);
	assert_heard_of(&place->a, why);
	assert_int_equal(n_subscribers(place->app, channel), 0);
	assert_int_equal(place->a.close_code, 0);
}

static void test_private_channel_refuses_what_is_no_signature(void **state)
{
	struct place *place = *state;
	char auth[200], of_b[200], other_key[200];

	sign_subscription(&place->a, "private-x", auth);
	snprintf(other_key, sizeof(other_key), "other%s", strchr(auth, ':'));
	sign_subscription(&place->b, "private-x", of_b);
	assert_not_subscribed(place, "private-x", NULL, "Auth info required");
	assert_not_subscribed(place, "private-x", "", "Auth info required");
	assert_not_subscribed(place, "private-x", "abc", "KEY:SIGNATURE");
	assert_not_subscribed(place, "private-x", other_key, "Invalid key");
	assert_not_subscribed(place, "private-x", KEY ":", "Invalid signature");
	assert_not_subscribed(place, "private-x", of_b, "Invalid signature");
	assert_not_subscribed(place, "private-y", auth, "Invalid signature");
	assert_not_subscribed(place, "private-encrypted-x", auth, "Invalid signature");
	auth[strlen(auth) - 1] ^= 1;
	assert_not_subscribed(place, "private-x", auth, "Invalid signature");
}

/* Whoever gets the refusal logs it. */
static void test_refusal_does_not_repeat_the_signature(void **state)
{
	struct place *place = *state;

	say_subscribe(&place->a, "private-x", KEY ":0badc0de");
	buf_put_byte(&place->a.heard, '\0');
	assert_non_null(strstr((const char *)buf_data(&place->a.heard), "Invalid signature"));
	assert_null(strstr((const char *)buf_data(&place->a.heard), "0badc0de"));
}

static void test_channel_that_cannot_be_is_refused(void **state)
{
	struct place *place = *state;
	char too_long[166];

	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_not_subscribed(place, "", NULL, "Invalid channel name");
	assert_not_subscribed(place, "a b", NULL, "Invalid channel name");
	assert_not_subscribed(place, "a:b", NULL, "Invalid channel name");
	assert_not_subscribed(place, too_long, NULL, "Invalid channel name");
	too_long[164] = '\0';
	say_subscribe(&place->a, too_long, NULL);
	assert_heard_of(&place->a, "subscription_succeeded");
}

static void test_second_subscription_is_an_error_and_the_first_one_stays(void **state)
{
	struct place *place = *state;

	subscribe(&place->a, "private-x");
	say_subscribe(&place->a, "private-x", NULL);
	assert_heard_of(&place->a, "\"code\":null,\"message\":\"Existing subscription to channel "
				   "private-x\"");
	assert_int_equal(n_subscribers(place->app, "private-x"), 1);
}

static void test_subscriptions_of_a_connection_have_a_limit(void **state)
{
	struct place *place = *state;
	char name[20];

	for (int i = 0; i < APP_SUBSCRIPTIONS_MAX; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		say_subscribe(&place->a, name, NULL);
		assert_heard_of(&place->a, "subscription_succeeded");
	}
	assert_not_subscribed(place, "another", NULL, "Too many subscriptions");
}

static void test_unsubscribe_ends_it(void **state)
{
	struct place *place = *state;
	const struct app_event event = { .name = "e", .data = span_str("1") };

	say_subscribe(&place->a, "news", NULL);
	assert_heard_of(&place->a, "subscription_succeeded");
	say(&place->a, "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"news\"}}");
	assert_heard(&place->a, "");
	assert_int_equal(app_publish(place->app, &event, "news"), 0);
	assert_heard(&place->a, "");
	say(&place->a, "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"news\"}}");
	assert_heard_of(&place->a, "No current subscription");
}

static void test_subscriptions_end_with_their_connection(void **state)
{
	struct place *place = *state;
	struct client client;

	client_join(&client, place->app);
	say_subscribe(&client, "news", NULL);
	assert_int_equal(n_subscribers(place->app, "news"), 1);
	client_deinit(&client);
	assert_int_equal(n_subscribers(place->app, "news"), 0);
}

static void count_channel(void *arg, const struct channel *channel)
{
	char *seen = arg;

	snprintf(seen + strlen(seen), 100 - strlen(seen), "%s=%zu ", channel->name,
		 channel->n_subscriptions);
}

static void test_channels_are_those_with_subscribers(void **state)
{
	struct place *place = *state;
	char seen[100] = "";

	app_each_channel(place->app, count_channel, seen);
	assert_string_equal(seen, "");
	say_subscribe(&place->a, "news", NULL);
	say_subscribe(&place->b, "news", NULL);
	app_each_channel(place->app, count_channel, seen);
	assert_string_equal(seen, "news=2 ");
}

/* ---- presence -------------------------------------------------------------------------------- */

#define ROOM "presence-room"

/* Asks to join as the user of this channel_data, whose text is signed as it is. */
static void ask_to_join(struct client *client, const char *channel_data)
{
	CLEANUP(buf_deinit) struct buf auth = BUF_NULL;
	char quoted[3000], *out = quoted;

	for (const char *p = channel_data; *p; p++) {
		if (*p == '"' || *p == '\\')
			*out++ = '\\';
		*out++ = *p;
	}
	*out = '\0';
	assert_int_equal(sign_channel(KEY, SECRET, app_conn_socket_id(client->conn), ROOM,
				      span_str(channel_data), &auth), 0);
	buf_put_byte(&auth, '\0');
	say(client,
	    "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"" ROOM "\",\"auth\":\"%s\","
	    "\"channel_data\":\"%s\"}}",
	    (const char *)buf_data(&auth), quoted);
}

#define MEMBERS(list) "{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"" ROOM \
	"\",\"data\":\"{\\\"presence\\\":" list "}\"}\n"
#define TOLD(event, data) "{\"event\":\"pusher_internal:" event "\",\"channel\":\"" ROOM \
	"\",\"data\":\"" data "\"}\n"
#define ANN "{\"user_id\":\"ann\",\"user_info\":{\"name\":\"Z\xc3\xbcrich \xe2\x9c\x93\"}}"
#define ANN_INFO "{\\\"name\\\":\\\"Z\xc3\xbcrich \xe2\x9c\x93\\\"}"

static void test_presence_member_is_told_who_is_there_and_the_others_of_it(void **state)
{
	struct place *place = *state;

	ask_to_join(&place->a, ANN);
	assert_heard(&place->a,
		     MEMBERS("{\\\"ids\\\":[\\\"ann\\\"],\\\"hash\\\":{\\\"ann\\\":" ANN_INFO
			     "},\\\"count\\\":1}"));
	ask_to_join(&place->b, "{\"user_id\":7}");
	assert_heard(&place->b,
		     MEMBERS("{\\\"ids\\\":[\\\"ann\\\",\\\"7\\\"],\\\"hash\\\":{"
			     "\\\"ann\\\":" ANN_INFO ",\\\"7\\\":null},\\\"count\\\":2}"));
	assert_heard(&place->a, TOLD("member_added", "{\\\"user_id\\\":\\\"7\\\"}"));
	say(&place->b, "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"" ROOM "\"}}");
	assert_heard(&place->a, TOLD("member_removed", "{\\\"user_id\\\":\\\"7\\\"}"));
	assert_heard(&place->b, "");
	ask_to_join(&place->b, ANN);
	assert_heard_of(&place->b, "\\\"count\\\":1");
	assert_heard(&place->a, "");
}

/* A user is there from its first connection to its last, however that ends. */
static void test_presence_member_is_a_user_not_a_connection(void **state)
{
	struct place *place = *state;
	struct client second;

	client_join(&second, place->app);
	ask_to_join(&place->a, "{\"user_id\":\"a\"}");
	ask_to_join(&place->b, "{\"user_id\":\"b\"}");
	ask_to_join(&second, "{\"user_id\":\"b\"}");
	buf_clear(&place->b.heard);
	assert_heard_of(&second, "\\\"count\\\":2");
	buf_clear(&place->a.heard);
	assert_int_equal(app_channel(place->app, ROOM)->n_members, 2);
	client_deinit(&second);
	assert_heard(&place->a, "");
	assert_heard(&place->b, "");
	assert_true(app_tick(place->b.conn, START_MS + PING_MS) != UINT64_MAX);
	assert_true(app_tick(place->b.conn, START_MS + PING_MS + PONG_MS) == UINT64_MAX);
	assert_int_equal(place->b.close_code, APP_CLOSE_NO_PONG);
	assert_heard(&place->a, TOLD("member_removed", "{\\\"user_id\\\":\\\"b\\\"}"));
	assert_int_equal(app_channel(place->app, ROOM)->n_members, 1);
}

static void assert_not_joined(struct place *place, const char *channel_data, const char *why)
{
	ask_to_join(&place->a, channel_data);
	assert_heard_of(&place->a, why);
	assert_int_equal(n_subscribers(place->app, ROOM), 0);
}

static void test_presence_channel_refuses_what_is_no_user(void **state)
{
	struct place *place = *state;
	char text[1100];

	assert_not_joined(place, "x",
			  "Cannot join presence channel " ROOM ": channel_data has to be");
	assert_not_joined(place, "7", "channel_data has to be");
	assert_not_joined(place, "{}", "channel_data has to be");
	assert_not_joined(place, "{\"user_id\":\"\"}", "channel_data has to be");
	assert_not_joined(place, "{\"user_id\":\"a\\u0000b\"}", "channel_data has to be");
	snprintf(text, sizeof(text), "{\"user_id\":\"%0129d\"}", 0);
	assert_not_joined(place, text, "the user_id is longer than 128 bytes");
	snprintf(text, sizeof(text), "{\"user_id\":1,\"user_info\":\"%01000d\"}", 0);
	assert_not_joined(place, text, "channel_data is longer than 1024 bytes");
	assert_int_equal(place->a.close_code, 0);
}

static void test_presence_signature_is_over_the_bytes_of_channel_data(void **state)
{
	struct place *place = *state;
	char auth[200];

	sign_subscription(&place->a, ROOM, auth);
	assert_not_subscribed(place, ROOM, NULL, "Auth info required");
	assert_not_subscribed(place, ROOM, auth, "channel_data has to be");
	say(&place->a,
	    "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"" ROOM "\",\"auth\":\"%s\","
	    "\"channel_data\":\"{}\"}}",
	    auth);
	assert_heard_of(&place->a, "Invalid signature");
	/* Of other channels it is not part of what is signed. */
	sign_subscription(&place->a, "private-x", auth);
	say(&place->a,
	    "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"private-x\",\"auth\":\"%s\","
	    "\"channel_data\":\"{}\"}}",
	    auth);
	assert_heard_of(&place->a, "subscription_succeeded");
}

static void test_presence_channel_has_a_limit_of_members_not_of_connections(void **state)
{
	struct place *place = *state;
	static struct client more[PRESENCE_MEMBERS_MAX];
	char user[50];

	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		client_join(&more[i], place->app);
		snprintf(user, sizeof(user), "{\"user_id\":%zu}", i);
		ask_to_join(&more[i], user);
	}
	ask_to_join(&place->a, "{\"user_id\":\"one too many\"}");
	assert_heard_of(&place->a, "there are 100 members already");
	ask_to_join(&place->a, "{\"user_id\":\"0\"}");
	assert_heard_of(&place->a, "\\\"count\\\":100");
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		client_deinit(&more[i]);
	assert_int_equal(app_channel(place->app, ROOM)->n_members, 1);
}

static void test_presence_client_event_says_who_sent_it(void **state)
{
	struct place *place = *state;

	ask_to_join(&place->a, "{\"user_id\":\"a\"}");
	ask_to_join(&place->b, "{\"user_id\":\"b\"}");
	buf_clear(&place->a.heard);
	buf_clear(&place->b.heard);
	say(&place->a,
	    "{\"event\":\"client-e\",\"channel\":\"" ROOM "\",\"data\":{},\"user_id\":\"liar\"}");
	assert_heard(&place->a, "");
	assert_heard(&place->b,
		     "{\"event\":\"client-e\",\"channel\":\"" ROOM "\",\"user_id\":\"a\","
		     "\"data\":{}}\n");
}

/* ---- what is no message ---------------------------------------------------------------------- */

static void test_nonsense_gets_an_error_and_the_connection_goes_on(void **state)
{
	static const char *const nonsense[] = {
		"",
		"x",
		"{",
		"[]",
		"7",
		"null",
		"{}",
		"{\"event\":7}",
		"{\"event\":\"a\\u0000b\"}",
		"{\"event\":\"news\"}",
		"{\"event\":\"pusher:unknown\"}",
		"{\"event\":\"pusher:subscribe\"}",
		"{\"event\":\"pusher:subscribe\",\"data\":\"news\"}",
		"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":7}}",
		"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"a\\u0000b\"}}",
		"{\"event\":\"pusher:unsubscribe\",\"data\":{}}",
		"{\"event\":\"client-x\"}",
		"{\"event\":\"client-x\",\"channel\":\"private-x\"}",
		"\"\xff\"",
	};
	struct place *place = *state;

	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		app_receive(place->a.conn, span_str(nonsense[i]), START_MS);
		assert_heard_of(&place->a, "\"event\":\"pusher:error\",\"data\":{\"code\":null,");
	}
	app_complain(place->a.conn, "binary");
	assert_heard_of(&place->a, "\"message\":\"binary\"");
	assert_int_equal(place->a.close_code, 0);
	say(&place->a, "{\"event\":\"pusher:ping\",\"data\":\"\"}");
	assert_heard(&place->a, "{\"event\":\"pusher:pong\",\"data\":{}}\n");
}

/* ---- events ---------------------------------------------------------------------------------- */

static void test_event_reaches_all_subscribers_as_text(void **state)
{
	const struct app_event event = { .name = "e", .data = span_str("{\"a\":\"\xc3\xbc\"}") };
	const char *expected = "{\"event\":\"e\",\"channel\":\"private-x\",\"data\":\"{\\\"a\\\":"
			       "\\\"\xc3\xbc\\\"}\"}\n";
	struct place *place = *state;

	subscribe(&place->a, "private-x");
	subscribe(&place->b, "private-x");
	assert_int_equal(app_publish(place->app, &event, "private-x"), 0);
	assert_int_equal(app_publish(place->app, &event, "private-y"), 0);
	assert_heard(&place->a, expected);
	assert_heard(&place->b, expected);
}

static void test_event_is_escaped_where_json_needs_it(void **state)
{
	static const char data[] = "\"\\/\b\n\x01\x7f\0\xf0\x9f\x90\xb8";
	const struct app_event event = { .name = "a\"b", .data = span_of(data, sizeof(data) - 1) };
	struct place *place = *state;

	subscribe(&place->a, "private-x");
	assert_int_equal(app_publish(place->app, &event, "private-x"), 0);
	assert_heard(&place->a, "{\"event\":\"a\\\"b\",\"channel\":\"private-x\",\"data\":\""
		     "\\\"\\\\/\\b\\n\\u0001\x7f\\u0000\xf0\x9f\x90\xb8\"}\n");
}

static void test_event_leaves_its_sender_out(void **state)
{
	struct place *place = *state;
	const struct app_event event = {
		.name = "e", .data = span_str("1"), .socket_id = app_conn_socket_id(place->a.conn),
	};

	say_subscribe(&place->a, "news", NULL);
	say_subscribe(&place->b, "news", NULL);
	buf_clear(&place->a.heard);
	buf_clear(&place->b.heard);
	assert_int_equal(app_publish(place->app, &event, "news"), 0);
	assert_heard(&place->a, "");
	assert_heard(&place->b, "{\"event\":\"e\",\"channel\":\"news\",\"data\":\"1\"}\n");
}

static void test_client_event_goes_to_the_others_as_it_came(void **state)
{
	struct place *place = *state;

	subscribe(&place->a, "private-x");
	subscribe(&place->b, "private-x");
	say(&place->a, "{\"event\":\"client-e\",\"channel\":\"private-x\",\"data\":{\"a\":[1]}}");
	say(&place->a, "{\"event\":\"client-e\",\"channel\":\"private-x\",\"data\":\"{}\"}");
	assert_heard(&place->a, "");
	assert_heard(&place->b,
		     "{\"event\":\"client-e\",\"channel\":\"private-x\",\"data\":{\"a\":[1]}}\n"
		     "{\"event\":\"client-e\",\"channel\":\"private-x\",\"data\":\"{}\"}\n");
}

static void assert_client_event_refused(struct place *place, const char *channel, const char *data,
					const char *why)
{
	say(&place->a, "{\"event\":\"client-e\",\"channel\":\"%s\",\"data\":%s}", channel, data);
	assert_heard_of(&place->a, why);
	assert_heard(&place->b, "");
}

static void test_client_event_needs_a_private_channel_of_the_sender(void **state)
{
	struct place *place = *state;

	subscribe(&place->b, "private-x");
	subscribe(&place->a, "private-encrypted-x");
	subscribe(&place->b, "private-encrypted-x");
	say_subscribe(&place->a, "news", NULL);
	say_subscribe(&place->b, "news", NULL);
	buf_clear(&place->a.heard);
	buf_clear(&place->b.heard);
	assert_client_event_refused(place, "private-x", "1", "no subscription");
	assert_client_event_refused(place, "private-encrypted-x", "1",
				    "only on private and presence ones");
	assert_client_event_refused(place, "news", "1", "only on private and presence ones");
	assert_client_event_refused(place, "a b", "1", "Invalid channel name");
}

static void test_client_event_has_a_largest_size(void **state)
{
	struct place *place = *state;
	char data[EVENT_MAX + 10];

	subscribe(&place->a, "private-x");
	subscribe(&place->b, "private-x");
	snprintf(data, sizeof(data), "\"%0*d\"", EVENT_MAX + 1, 7);
	assert_client_event_refused(place, "private-x", data, "exceeds the allowed maximum");
	snprintf(data, sizeof(data), "\"%0*d\"", EVENT_MAX, 7);
	say(&place->a, "{\"event\":\"client-e\",\"channel\":\"private-x\",\"data\":%s}", data);
	assert_heard_of(&place->b, data);
}

static void test_client_events_are_ten_a_second(void **state)
{
	static const char event[] = "{\"event\":\"client-e\",\"channel\":\"private-x\",\"data\":1}";
	struct place *place = *state;
	uint64_t now_ms = START_MS + 5000;

	subscribe(&place->a, "private-x");
	subscribe(&place->b, "private-x");
	for (int i = 0; i < APP_CLIENT_EVENTS_PER_S; i++)
		app_receive(place->a.conn, span_str(event), now_ms);
	assert_heard(&place->a, "");
	buf_clear(&place->b.heard);
	app_receive(place->a.conn, span_str(event), now_ms + 999);
	assert_heard_of(&place->a, "\"code\":4301,");
	assert_heard(&place->b, "");

	/* It is each sender's own, and over with the second. */
	app_receive(place->b.conn, span_str(event), now_ms + 999);
	assert_heard_of(&place->a, "client-e");
	app_receive(place->a.conn, span_str(event), now_ms + 1000);
	assert_heard_of(&place->b, "client-e");
	assert_int_equal(place->a.close_code, 0);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void test_quiet_client_is_pinged_and_then_closed(void **state)
{
	struct place *place = *state;
	struct app_conn *conn = place->a.conn;

	assert_int_equal(app_tick(conn, START_MS + PING_MS - 1), START_MS + PING_MS);
	assert_heard(&place->a, "");
	assert_int_equal(app_tick(conn, START_MS + PING_MS), START_MS + PING_MS + PONG_MS);
	assert_heard(&place->a, "{\"event\":\"pusher:ping\",\"data\":{}}\n");
	assert_int_equal(app_tick(conn, START_MS + PING_MS + PONG_MS - 1),
			 START_MS + PING_MS + PONG_MS);
	assert_heard(&place->a, "");
	assert_true(app_tick(conn, START_MS + PING_MS + PONG_MS) == UINT64_MAX);
	assert_int_equal(place->a.close_code, APP_CLOSE_NO_PONG);
}

static void test_any_sign_of_life_is_an_answer(void **state)
{
	struct place *place = *state;
	uint64_t now_ms = START_MS;

	for (int i = 0; i < 3; i++) {
		now_ms += PING_MS;
		assert_int_equal(app_tick(place->a.conn, now_ms), now_ms + PONG_MS);
		assert_heard_of(&place->a, "pusher:ping");
		now_ms += PONG_MS - 1;
		if (i == 0)
			say_at(&place->a, now_ms, "{\"event\":\"pusher:pong\",\"data\":{}}");
		else if (i == 1)
			say_at(&place->a, now_ms, "nonsense");
		else
			app_alive(place->a.conn, now_ms);
		buf_clear(&place->a.heard);
		assert_int_equal(app_tick(place->a.conn, now_ms + 1), now_ms + PING_MS);
	}
	assert_int_equal(place->a.close_code, 0);
}

static void test_client_that_pings_is_not_pinged(void **state)
{
	struct place *place = *state;

	for (uint64_t i = 1; i <= 5; i++) {
		say_at(&place->a, START_MS + i * ACTIVITY_MS,
		       "{\"event\":\"pusher:ping\",\"data\":{}}");
		assert_heard(&place->a, "{\"event\":\"pusher:pong\",\"data\":{}}\n");
		assert_int_equal(app_tick(place->a.conn, START_MS + i * ACTIVITY_MS + 1),
				 START_MS + i * ACTIVITY_MS + PING_MS);
		assert_heard(&place->a, "");
	}
}

static void test_end_of_the_hub_is_told_to_all_once(void **state)
{
	struct place *place = *state;

	subscribe(&place->a, "private-x");
	app_close_all(place->app, APP_CLOSE_RECONNECT, "bye");
	app_close_all(place->app, APP_CLOSE_RECONNECT, "bye");
	assert_int_equal(place->a.close_code, APP_CLOSE_RECONNECT);
	assert_string_equal(place->a.close_reason, "bye");
	assert_int_equal(place->b.close_code, APP_CLOSE_RECONNECT);
	assert_int_equal(n_subscribers(place->app, "private-x"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(test_hello_is_greeted_with_socket_id_and_timeout),
		TEST(test_hello_of_older_protocols_is_told_no_timeout),
		TEST(test_socket_ids_are_two_numbers_and_differ),
		TEST(test_hello_that_is_wrong_is_refused_with_its_code),
		TEST(test_one_connection_too_many_is_told_to_come_later),
		TEST(test_public_channel_needs_no_signature),
		TEST(test_private_channel_takes_its_signature),
		TEST(test_private_channel_refuses_what_is_no_signature),
		TEST(test_refusal_does_not_repeat_the_signature),
		TEST(test_channel_that_cannot_be_is_refused),
		TEST(test_second_subscription_is_an_error_and_the_first_one_stays),
		TEST(test_subscriptions_of_a_connection_have_a_limit),
		TEST(test_unsubscribe_ends_it),
		TEST(test_subscriptions_end_with_their_connection),
		TEST(test_channels_are_those_with_subscribers),
		TEST(test_presence_member_is_told_who_is_there_and_the_others_of_it),
		TEST(test_presence_member_is_a_user_not_a_connection),
		TEST(test_presence_channel_refuses_what_is_no_user),
		TEST(test_presence_signature_is_over_the_bytes_of_channel_data),
		TEST(test_presence_channel_has_a_limit_of_members_not_of_connections),
		TEST(test_presence_client_event_says_who_sent_it),
		TEST(test_nonsense_gets_an_error_and_the_connection_goes_on),
		TEST(test_event_reaches_all_subscribers_as_text),
		TEST(test_event_is_escaped_where_json_needs_it),
		TEST(test_event_leaves_its_sender_out),
		TEST(test_client_event_goes_to_the_others_as_it_came),
		TEST(test_client_event_needs_a_private_channel_of_the_sender),
		TEST(test_client_event_has_a_largest_size),
		TEST(test_client_events_are_ten_a_second),
		TEST(test_quiet_client_is_pinged_and_then_closed),
		TEST(test_any_sign_of_life_is_an_answer),
		TEST(test_client_that_pings_is_not_pinged),
		TEST(test_end_of_the_hub_is_told_to_all_once),
	};

	return cmocka_run_group_tests_name("hub-app", tests, NULL, NULL);
}
