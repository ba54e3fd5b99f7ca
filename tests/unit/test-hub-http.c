/* SPDX-License-Identifier: MIT */
/*
 * The hub's HTTP API: who may ask (http_auth.h), what is answered and what is published
 * (http_api.h). Time is a number; two subscribers are played.
 *
 * The signatures that are written out are those of the official libraries.
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
#include "gateway/signer.h"
#include "tests/hub/http_api.h"
#include "tests/hub/http_auth.h"

#define ID "7654321"
#define KEY "aaaabbbbccccddddeeee"
#define SECRET "11112222333344445555"
#define NOW_S 1700000000

enum { EVENT_MAX = 10240 };

/* ---- subscribers ------------------------------------------------------------------------- */

struct client {
	struct app_conn *conn;
	struct buf heard;	/* one message a line */
};

static void deliver(void *owner, const struct app_delivery *delivery)
{
	struct client *client = owner;

	buf_put(&client->heard, delivery->text.p, delivery->text.len);
	buf_put_byte(&client->heard, '\n');
}

static void close_client(void *owner UNUSED, int code, const char *reason)
{
	fail_msg("closed with %d: %s", code, reason);
}

static const struct app_ops ops = { .deliver = deliver, .close = close_client };

static const struct app_settings settings = {
	.id = ID, .key = KEY, .secret = SECRET,
	.activity_timeout_ms = 120000, .pong_timeout_ms = 30000, .event_max = EVENT_MAX,
};

static void client_join(struct client *client, struct app *app)
{
	const struct app_hello hello = { .path = "/app/" KEY, .protocol = "7" };

	buf_init(&client->heard, 0);
	assert_int_equal(app_accept(app, &hello, client, 0, &client->conn), 0);
}

static void client_subscribe(struct client *client, const char *channel)
{
	char text[300];

	snprintf(text, sizeof(text),
		 "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\"}}", channel);
	app_receive(client->conn, span_str(text), 0);
	buf_clear(&client->heard);
}

static void assert_heard(struct client *client, const char *expected)
{
	buf_put_byte(&client->heard, '\0');
	assert_string_equal((const char *)buf_data(&client->heard), expected);
	buf_clear(&client->heard);
}

struct place {
	struct app *app;
	struct client a, b;
	struct http_answer answer;	/* the last one */
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

	app_conn_free(place->a.conn);
	app_conn_free(place->b.conn);
	buf_deinit(&place->a.heard);
	buf_deinit(&place->b.heard);
	http_answer_deinit(&place->answer);
	app_free(place->app);
	free(place);
	return 0;
}

/* ---- requests ---------------------------------------------------------------------------- */

static void request_init(struct http_request *request, const char *method, const char *path,
			 const char *query, const char *body)
{
	char text[2000], *rest = text, *param;

	assert_int_equal(http_request_init(request, method, path), 0);
	snprintf(text, sizeof(text), "%s", query);
	while ((param = strsep(&rest, "&")))
		if (*param)
			assert_int_equal(http_request_add(request, param), 0);
	request->body = span_str(body);
}

/* query has its signature in it. */
static void ask_raw(struct place *place, const char *method, const char *path, const char *query,
		    const char *body, int64_t unix_s)
{
	struct http_request request;

	request_init(&request, method, path, query, body);
	http_api_handle(place->app, &request, unix_s, &place->answer);
	http_request_deinit(&request);
	assert_int_not_equal(place->answer.status, 0);
	assert_non_null(place->answer.type);
}

/* Signed as the gateway does. query: "name=value&...", in the order of names, or NULL. */
static void ask(struct place *place, const char *method, const char *path, const char *query,
		const char *body)
{
	CLEANUP(buf_deinit) struct buf target = BUF_NULL;
	struct signer *signer;
	char whole[200];

	snprintf(whole, sizeof(whole), "/apps/" ID "%s", path);
	assert_int_equal(signer_new(&signer), 0);
	assert_int_equal(signer_put_target(signer, &(struct sign_request){
		.method = method,
		.signed_path = whole,
		.path = whole,
		.query = query,
		.body = span_str(body),
		.unix_s = NOW_S,
	}, KEY, SECRET, &target), 0);
	signer_free(signer);
	buf_put_byte(&target, '\0');
	ask_raw(place, method, whole, strchr((const char *)buf_data(&target), '?') + 1, body,
		NOW_S);
}

static void assert_answer(struct place *place, int status, const char *part)
{
	struct buf *body = &place->answer.body;

	buf_put_byte(body, '\0');
	assert_int_equal(buf_error(body), 0);
	if (place->answer.status != status || !strstr((const char *)buf_data(body), part))
		fail_msg("not %d with \"%s\" in it, but %d: %s", status, part, place->answer.status,
			 (const char *)buf_data(body));
	assert_string_equal(place->answer.type,
			    status == 200 ? "application/json" : "text/plain; charset=utf-8");
}

static void post(struct place *place, const char *path, int status, const char *part,
		 const char *body)
{
	ask(place, "POST", path, NULL, body);
	assert_answer(place, status, part);
}

static void get(struct place *place, const char *path, const char *query, int status,
		const char *part)
{
	ask(place, "GET", path, query, "");
	assert_answer(place, status, part);
}

/* ---- signatures -------------------------------------------------------------------------- */

#define AUTH "auth_key=" KEY "&auth_timestamp=1700000000&auth_version=1.0"
#define BODY "{\"name\":\"reading\",\"channels\":[\"private-sensor.42\"]," \
	"\"data\":\"{\\\"t\\\":21.5,\\\"unit\\\":\\\"C\\\"}\"}"
#define MD5 "&body_md5=b25c417edabb9536a8a46e8ee1da2343"
#define SIGNATURE "&auth_signature=4918bd53458a09ac2fce7c2e7e1bb3d7e2332b08826fd8ec384e3f9c0a3eb732"
#define EVENTS "/apps/" ID "/events"

static void test_request_of_the_official_libraries_is_accepted(void **state)
{
	struct place *place = *state;

	ask_raw(place, "POST", EVENTS, AUTH MD5 SIGNATURE, BODY, NOW_S);
	assert_answer(place, 200, "{}");
	ask_raw(place, "GET", "/apps/" ID "/channels",
		AUTH "&filter_by_prefix=presence-&info=user_count"
		     "&auth_signature="
		     "76e9185219a97596b89a1da3666edbf924cedb879e2c2f37a1d0ba8bdd09af3d",
		"", NOW_S);
	assert_answer(place, 200, "{\"channels\":{}}");
}

static void test_order_and_case_of_parameter_names_do_not_matter(void **state)
{
	struct place *place = *state;

	ask_raw(place, "POST", EVENTS, "body_md5=b25c417edabb9536a8a46e8ee1da2343" SIGNATURE
		"&Auth_Version=1.0&AUTH_KEY=" KEY "&auth_timestamp=1700000000", BODY, NOW_S);
	assert_answer(place, 200, "{}");
}

static void test_signature_is_of_method_path_parameters_and_body(void **state)
{
	struct place *place = *state;

	ask_raw(place, "GET", EVENTS, AUTH MD5 SIGNATURE, BODY, NOW_S);
	assert_answer(place, 401, "Invalid signature");
	ask_raw(place, "POST", "/apps/" ID "/batch_events", AUTH MD5 SIGNATURE, BODY, NOW_S);
	assert_answer(place, 401, "Invalid signature");
	ask_raw(place, "POST", EVENTS, AUTH MD5 SIGNATURE "&info=x", BODY, NOW_S);
	assert_answer(place, 401, "Invalid signature");
	ask_raw(place, "POST", EVENTS, AUTH MD5 "&auth_signature=4918", BODY, NOW_S);
	assert_answer(place, 401, "Invalid signature");
	ask_raw(place, "POST", EVENTS, AUTH MD5 SIGNATURE, BODY " ", NOW_S);
	assert_answer(place, 401, "Invalid body_md5");
	ask_raw(place, "POST", EVENTS, AUTH SIGNATURE, BODY, NOW_S);
	assert_answer(place, 401, "Missing parameter body_md5");
}

static void test_refusal_says_what_should_have_been_signed_and_not_with_what(void **state)
{
	struct place *place = *state;

	ask_raw(place, "POST", EVENTS, AUTH MD5 "&auth_signature=0badc0de", BODY, NOW_S);
	assert_answer(place, 401, "HmacSHA256Hex(\"POST\\n" EVENTS "\\n" AUTH MD5 "\"");
	assert_null(strstr((const char *)buf_data(&place->answer.body), SECRET));
	assert_null(strstr((const char *)buf_data(&place->answer.body), "0badc0de"));
	assert_null(
		strstr((const char *)buf_data(&place->answer.body), strchr(SIGNATURE, '=') + 1));
}

static void test_parameters_that_sign_have_to_be_there(void **state)
{
	static const char *const names[] = { "auth_key", "auth_timestamp", "auth_version",
					     "auth_signature" };
	struct place *place = *state;
	char query[500], *found;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(query, sizeof(query), "%s", AUTH MD5 SIGNATURE);
		found = strstr(query, names[i]);
		assert_non_null(found);
		memset(found, 'x', strlen(names[i]));
		ask_raw(place, "POST", EVENTS, query, BODY, NOW_S);
		assert_answer(place, 401, names[i]);
	}
	ask_raw(place, "POST", EVENTS, "", BODY, NOW_S);
	assert_answer(place, 401, "auth_key");
}

static void test_key_and_version_have_to_be_right(void **state)
{
	struct place *place = *state;

	ask_raw(place, "POST", EVENTS,
		"auth_key=x&auth_timestamp=1700000000&auth_version=1.0" MD5 SIGNATURE, BODY,
		NOW_S);
	assert_answer(place, 400, "Unknown auth_key");
	ask_raw(place, "POST", EVENTS,
		"auth_key=" KEY "&auth_timestamp=1700000000&auth_version=2.0" MD5 SIGNATURE, BODY,
		NOW_S);
	assert_answer(place, 400, "auth_version");
}

static void test_clock_may_be_off_by_ten_minutes_either_way(void **state)
{
	struct place *place = *state;

	ask_raw(place, "POST", EVENTS, AUTH MD5 SIGNATURE, BODY, NOW_S + 600);
	assert_answer(place, 200, "{}");
	ask_raw(place, "POST", EVENTS, AUTH MD5 SIGNATURE, BODY, NOW_S - 600);
	assert_answer(place, 200, "{}");
	ask_raw(place, "POST", EVENTS, AUTH MD5 SIGNATURE, BODY, NOW_S + 601);
	assert_answer(place, 401,
		      "Timestamp expired: Given timestamp (2023-11-14T22:13:20Z) not within "
		      "600s");
	ask_raw(place, "POST", EVENTS, AUTH MD5 SIGNATURE, BODY, NOW_S - 601);
	assert_answer(place, 401, "Timestamp expired");
}

static void test_timestamp_has_to_be_seconds(void **state)
{
	static const char *const texts[] = { "",      "now",         "-1",
					     "1.7e9", "1700000000x", "99999999999999999999" };
	struct place *place = *state;
	char query[500];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		snprintf(query, sizeof(query), "auth_key=" KEY "&auth_version=1.0" MD5 SIGNATURE
			 "&auth_timestamp=%s", texts[i]);
		ask_raw(place, "POST", EVENTS, query, BODY, NOW_S);
		assert_answer(place, 401, "Unix seconds");
	}
}

static void test_hash_of_nothing_is_fine_without_a_body(void **state)
{
	struct place *place = *state;

	get(place, "/channels", "body_md5=d41d8cd98f00b204e9800998ecf8427e", 200, "channels");
	get(place, "/channels", "body_md5=00000000000000000000000000000000", 401,
	    "Invalid body_md5");
}

static void test_parameters_have_a_largest_number(void **state UNUSED)
{
	struct http_request request;

	request_init(&request, "GET", "/", "", "");
	for (int i = 0; i < HTTP_PARAMS_MAX; i++)
		assert_int_equal(http_request_add(&request, "Name=a=b"), 0);
	assert_int_equal(http_request_add(&request, "x=y"), HTTP_E_TOO_MANY);
	assert_string_equal(http_request_param(&request, "name"), "a=b");
	assert_null(http_request_param(&request, "x"));
	http_request_deinit(&request);
}

/* ---- paths ------------------------------------------------------------------------------- */

static void test_path_of_another_app_or_nobody_is_not_found(void **state)
{
	static const char *const paths[] = {
		"/",         "/apps/" ID,     "/apps/1/events", "/apps/" ID "0/events",
		"/app/" KEY, "/apps//events",
	};
	struct place *place = *state;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		ask_raw(place, "POST", paths[i], AUTH MD5 SIGNATURE, BODY, NOW_S);
		assert_answer(place, 404, "Not found");
	}
	get(place, "/users", NULL, 404, "Not found");
	get(place, "/channels/", NULL, 404, "Not found");
	get(place, "/channels/a/members", NULL, 404, "Not found");
	get(place, "/events", NULL, 405, "GET");
	post(place, "/channels", 405, "POST", "{}");
}

/* ---- events ------------------------------------------------------------------------------ */

static void test_event_reaches_its_channel(void **state)
{
	struct place *place = *state;

	client_subscribe(&place->a, "one");
	client_subscribe(&place->b, "two");
	post(place, "/events", 200, "{}", "{\"name\":\"e\",\"channel\":\"one\",\"data\":\"x\"}");
	assert_heard(&place->a, "{\"event\":\"e\",\"channel\":\"one\",\"data\":\"x\"}\n");
	assert_heard(&place->b, "");
	post(place, "/events", 200, "{}",
	     "{\"name\":\"e\",\"channels\":[\"one\",\"two\"],\"data\":\"y\"}");
	assert_heard(&place->a, "{\"event\":\"e\",\"channel\":\"one\",\"data\":\"y\"}\n");
	assert_heard(&place->b, "{\"event\":\"e\",\"channel\":\"two\",\"data\":\"y\"}\n");
}

static void test_event_leaves_its_sender_out(void **state)
{
	struct place *place = *state;
	char body[300];

	client_subscribe(&place->a, "one");
	client_subscribe(&place->b, "one");
	snprintf(body, sizeof(body),
		 "{\"name\":\"e\",\"channel\":\"one\",\"data\":\"x\",\"socket_id\":\"%s\"}",
		 app_conn_socket_id(place->a.conn));
	post(place, "/events", 200, "{}", body);
	assert_heard(&place->a, "");
	assert_heard(&place->b, "{\"event\":\"e\",\"channel\":\"one\",\"data\":\"x\"}\n");
}

static void test_event_that_is_wrong_is_refused_and_not_published(void **state)
{
	static const struct {
		const char *part, *body;
	} wrong[] = {
		{ "not a JSON object", "" },
		{ "not a JSON object", "{" },
		{ "not a JSON object", "{\"name\":\"\xff\"}" },
		{ "not a JSON object", "{} {}" },
		{ "not a JSON object", "{\"name\":\"\\ud800\"}" },
		{ "has to be an object", "[]" },
		{ "has to be an object", "7" },
		{ "name has to be", "{\"channel\":\"one\",\"data\":\"x\"}" },
		{ "name has to be", "{\"name\":7,\"channel\":\"one\",\"data\":\"x\"}" },
		{ "Invalid event name", "{\"name\":\"\",\"channel\":\"one\",\"data\":\"x\"}" },
		{ "protocol's own", "{\"name\":\"pusher:x\",\"channel\":\"one\",\"data\":\"x\"}" },
		{ "data has to be", "{\"name\":\"e\",\"channel\":\"one\",\"data\":{}}" },
		{ "data has to be", "{\"name\":\"e\",\"channel\":\"one\"}" },
		{ "channel has to be", "{\"name\":\"e\",\"data\":\"x\"}" },
		{ "Invalid channel name", "{\"name\":\"e\",\"channel\":\"a b\",\"data\":\"x\"}" },
		{ "channels has to be", "{\"name\":\"e\",\"channels\":\"one\",\"data\":\"x\"}" },
		{ "channels has to be", "{\"name\":\"e\",\"channels\":[],\"data\":\"x\"}" },
		{ "Invalid channel name",
		  "{\"name\":\"e\",\"channels\":[\"one\",\"\"],\"data\":\"x\"}" },
		{ "channel has to be",
		  "{\"name\":\"e\",\"channels\":[\"one\",7],\"data\":\"x\"}" },
		{ "socket_id",
		  "{\"name\":\"e\",\"channel\":\"one\",\"data\":\"x\",\"socket_id\":\"1\"}" },
		{ "socket_id",
		  "{\"name\":\"e\",\"channel\":\"one\",\"data\":\"x\",\"socket_id\":1.2}" },
		{ "socket_id",
		  "{\"name\":\"e\",\"channel\":\"one\",\"data\":\"x\",\"socket_id\":\"\"}" },
		{ "1 to 200 characters",
		  "{\"name\":\"e\\u0000\",\"channel\":\"one\",\"data\":\"x\"}" },
		{ "Invalid channel name",
		  "{\"name\":\"e\",\"channel\":\"one\\u0000\",\"data\":\"x\"}" },
	};
	struct place *place = *state;

	client_subscribe(&place->a, "one");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		post(place, "/events", 400, wrong[i].part, wrong[i].body);
	assert_heard(&place->a, "");
}

static void test_event_may_be_written_in_any_way_that_json_has(void **state)
{
	struct place *place = *state;

	client_subscribe(&place->a, "one");
	post(place, "/events", 200, "{}",
	     " { \"d\\u0061ta\" : \"lost\" , \"other\" : [ { \"name\" : [ ] } , 1e9 ] ,\n"
	     "\"channels\" : [ \"\\u006fne\" , \"two\" ] , \"socket_id\" : null ,\t"
	     "\"name\" : \"\\u00fc\" , \"data\" : \"\\ud83d\\udc38\\/\\u0000\" } ");
	assert_heard(&place->a, "{\"event\":\"\xc3\xbc\",\"channel\":\"one\","
		     "\"data\":\"\xf0\x9f\x90\xb8/\\u0000\"}\n");
}

/* An event with n channels, "c0" and so on. */
static void put_channels(struct buf *out, int n)
{
	buf_put_str(out, "{\"name\":\"e\",\"data\":\"x\",\"channels\":[");
	for (int i = 0; i < n; i++)
		buf_printf(out, "%s\"c%d\"", i ? "," : "", i);
	buf_put_str(out, "]}");
	buf_put_byte(out, '\0');
	assert_int_equal(buf_error(out), 0);
}

static void test_event_has_up_to_a_hundred_channels(void **state)
{
	CLEANUP(buf_deinit) struct buf body = BUF_NULL;
	struct place *place = *state;

	client_subscribe(&place->a, "c99");
	client_subscribe(&place->b, "c0");
	put_channels(&body, 101);
	post(place, "/events", 400, "Too many channels: 101, the maximum is 100",
	     (const char *)buf_data(&body));
	assert_heard(&place->b, "");
	buf_clear(&body);
	put_channels(&body, 100);
	post(place, "/events", 200, "{}", (const char *)buf_data(&body));
	assert_heard(&place->a, "{\"event\":\"e\",\"channel\":\"c99\",\"data\":\"x\"}\n");
}

/* Data of n bytes, each character escaped so that the text is longer. */
static void put_event(struct buf *out, const char *channel, int n)
{
	buf_printf(out, "{\"name\":\"e\",\"channel\":\"%s\",\"data\":\"", channel);
	for (int i = 0; i < n; i++)
		buf_put_str(out, "\\u0078");
	buf_put_str(out, "\"}");
}

static void test_data_is_measured_decoded_and_refused_beyond_10240(void **state)
{
	CLEANUP(buf_deinit) struct buf body = BUF_NULL;
	struct place *place = *state;

	client_subscribe(&place->a, "one");
	put_event(&body, "one", EVENT_MAX + 1);
	buf_put_byte(&body, '\0');
	post(place, "/events", 413, "(10240 bytes): it has 10241", (const char *)buf_data(&body));
	assert_int_equal(place->a.heard.len, 0);
	buf_clear(&body);
	put_event(&body, "one", EVENT_MAX);
	buf_put_byte(&body, '\0');
	post(place, "/events", 200, "{}", (const char *)buf_data(&body));
	assert_int_equal(place->a.heard.len,
			 EVENT_MAX +
				 strlen("{\"event\":\"e\",\"channel\":\"one\",\"data\":\"\"}\n"));
}

static void test_name_is_measured_in_characters(void **state)
{
	struct place *place = *state;
	char body[1000], name[500] = "";

	for (int i = 0; i < 200; i++)
		strcat(name, "\xc3\xbc");
	snprintf(body, sizeof(body), "{\"name\":\"%s\",\"channel\":\"one\",\"data\":\"\"}", name);
	post(place, "/events", 200, "{}", body);
	snprintf(body, sizeof(body), "{\"name\":\"%sx\",\"channel\":\"one\",\"data\":\"\"}", name);
	post(place, "/events", 400, "1 to 200 characters", body);
}

/* ---- batches ----------------------------------------------------------------------------- */

static void put_batch(struct buf *out, int n)
{
	buf_put_str(out, "{\"batch\":[");
	for (int i = 0; i < n; i++) {
		if (i)
			buf_put_byte(out, ',');
		put_event(out, "one", 1);
	}
	buf_put_str(out, "]}");
	buf_put_byte(out, '\0');
}

static void test_batch_has_up_to_ten_events(void **state)
{
	CLEANUP(buf_deinit) struct buf body = BUF_NULL;
	static const char line[] = "{\"event\":\"e\",\"channel\":\"one\",\"data\":\"x\"}\n";
	struct place *place = *state;

	client_subscribe(&place->a, "one");
	put_batch(&body, 11);
	post(place, "/batch_events", 400, "Batch too large: 11 events, the maximum is 10",
	     (const char *)buf_data(&body));
	assert_int_equal(place->a.heard.len, 0);
	buf_clear(&body);
	put_batch(&body, 10);
	post(place, "/batch_events", 200, "{}", (const char *)buf_data(&body));
	assert_int_equal(place->a.heard.len, 10 * strlen(line));
	post(place, "/batch_events", 200, "{}", "{\"batch\":[]}");
}

static void test_batch_with_one_wrong_event_publishes_nothing(void **state)
{
	struct place *place = *state;

	client_subscribe(&place->a, "one");
	post(place, "/batch_events", 400, "data has to be",
	     "{\"batch\":["
	     "{\"name\":\"e\",\"channel\":\"one\",\"data\":\"x\"},{\"name\":\"e\",\"channel\":"
	     "\"one\",\"data\":7}]}");
	post(place, "/batch_events", 400, "batch has to be", "{\"batch\":{}}");
	post(place, "/batch_events", 400, "batch has to be", "{}");
	post(place, "/batch_events", 400, "has to be an object", "{\"batch\":[7]}");
	assert_heard(&place->a, "");
}

/* ---- asking ------------------------------------------------------------------------------ */

static void test_channels_are_listed(void **state)
{
	struct place *place = *state;

	client_subscribe(&place->a, "one");
	client_subscribe(&place->b, "one");
	get(place, "/channels", NULL, 200, "{\"channels\":{\"one\":{}}}");
	get(place, "/channels", "info=subscription_count", 200,
	    "{\"channels\":{\"one\":{\"subscription_count\":2}}}");
	get(place, "/channels", "filter_by_prefix=on", 200, "{\"channels\":{\"one\":{}}}");
	get(place, "/channels", "filter_by_prefix=x", 200, "{\"channels\":{}}");
	get(place, "/channels", "info=user_count", 400, "presence");
}

static void test_channel_is_told(void **state)
{
	struct place *place = *state;

	client_subscribe(&place->a, "one");
	get(place, "/channels/one", NULL, 200, "{\"occupied\":true}");
	get(place, "/channels/two", NULL, 200, "{\"occupied\":false}");
	get(place, "/channels/one", "info=x,subscription_count", 200,
	    "{\"occupied\":true,\"subscription_count\":1}");
	get(place, "/channels/one", "info=subscription", 200, "{\"occupied\":true}");
	get(place, "/channels/one", "info=user_count", 400, "presence");
	get(place, "/channels/a:b", NULL, 400, "Invalid channel name");
}

static void client_join_as(struct client *client, const char *user_id)
{
	CLEANUP(buf_deinit) struct buf auth = BUF_NULL;
	char data[100], text[500];

	snprintf(data, sizeof(data), "{\"user_id\":%s}", user_id);
	assert_int_equal(sign_channel(KEY, SECRET, app_conn_socket_id(client->conn), "presence-x",
				      span_str(data), &auth),
			 0);
	buf_put_byte(&auth, '\0');
	snprintf(text, sizeof(text),
		 "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"presence-x\","
		 "\"auth\":\"%s\",\"channel_data\":\"{\\\"user_id\\\":%s}\"}}",
		 (const char *)buf_data(&auth), user_id);
	app_receive(client->conn, span_str(text), 0);
	buf_clear(&client->heard);
}

static void test_users_of_presence_channels_are_told(void **state)
{
	struct place *place = *state;
	struct client again;

	get(place, "/channels/presence-x/users", NULL, 200, "{\"users\":[]}");
	client_join(&again, place->app);
	client_join_as(&place->a, "1");
	client_join_as(&place->b, "2");
	client_join_as(&again, "2");
	get(place, "/channels/presence-x/users", NULL, 200,
	    "{\"users\":[{\"id\":\"1\"},{\"id\":\"2\"}]}");
	get(place, "/channels/presence-x", "info=user_count,subscription_count", 200,
	    "{\"occupied\":true,\"subscription_count\":3,\"user_count\":2}");
	get(place, "/channels", "filter_by_prefix=presence-&info=user_count", 200,
	    "{\"channels\":{\"presence-x\":{\"user_count\":2}}}");
	get(place, "/channels/one/users", NULL, 400, "presence");
	get(place, "/channels//users", NULL, 404, "Not found");
	post(place, "/channels/presence-x/users", 405, "does not take", "{}");
	app_conn_free(again.conn);
	buf_deinit(&again.heard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(test_request_of_the_official_libraries_is_accepted),
		TEST(test_order_and_case_of_parameter_names_do_not_matter),
		TEST(test_signature_is_of_method_path_parameters_and_body),
		TEST(test_refusal_says_what_should_have_been_signed_and_not_with_what),
		TEST(test_parameters_that_sign_have_to_be_there),
		TEST(test_key_and_version_have_to_be_right),
		TEST(test_clock_may_be_off_by_ten_minutes_either_way),
		TEST(test_timestamp_has_to_be_seconds),
		TEST(test_hash_of_nothing_is_fine_without_a_body),
		TEST(test_parameters_have_a_largest_number),
		TEST(test_path_of_another_app_or_nobody_is_not_found),
		TEST(test_event_reaches_its_channel),
		TEST(test_event_leaves_its_sender_out),
		TEST(test_event_that_is_wrong_is_refused_and_not_published),
		TEST(test_event_may_be_written_in_any_way_that_json_has),
		TEST(test_event_has_up_to_a_hundred_channels),
		TEST(test_data_is_measured_decoded_and_refused_beyond_10240),
		TEST(test_name_is_measured_in_characters),
		TEST(test_batch_has_up_to_ten_events),
		TEST(test_batch_with_one_wrong_event_publishes_nothing),
		TEST(test_channels_are_listed),
		TEST(test_channel_is_told),
		TEST(test_users_of_presence_channels_are_told),
	};

	return cmocka_run_group_tests_name("hub-http", tests, NULL, NULL);
}
