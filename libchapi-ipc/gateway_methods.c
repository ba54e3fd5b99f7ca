/* SPDX-License-Identifier: MIT */
/*
 * Questions to the gateway itself: each a method, its params, and the wait for the answer.
 *
 * Names that the program holds are names.c, watching is watch.c, any other method
 * chapi_method() in client.c.
 */
#include "libchapi-ipc/chapi-ipc.h"

#include "libchapi-ipc/args.h"
#include "libchapi-ipc/conn.h"

#define NIL 0xc0

/* What was put into args is complete: ask. */
static int ask(chapi_conn *conn, const char *method, const struct buf *args, int64_t limit_ms,
	       chapi_reply **ret_reply)
{
	int r = conn_buf_error(args);

	return r < 0 ? r : client_ask_code(conn, method, args, limit_ms, ret_reply);
}

/* One text, or no param. */
static int ask_about(chapi_conn *conn, const char *method, const char *text,
		     chapi_reply **ret_reply)
{
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;

	mp_put_array(&args, text != NULL);
	if (text)
		mp_put_str(&args, text);
	return ask(conn, method, &args, CLIENT_LIMIT_MS, ret_reply);
}

int chapi_list(chapi_conn *conn, const char *pattern, bool detailed, chapi_reply **ret_reply)
{
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;

	mp_put_array(&args, 2);
	mp_put_str(&args, pattern ? pattern : "*");
	mp_put_map(&args, 1);
	mp_put_str(&args, "long");
	mp_put_bool(&args, detailed);
	return ask(conn, "list", &args, CLIENT_LIMIT_MS, ret_reply);
}

int chapi_describe(chapi_conn *conn, const char *name, chapi_reply **ret_reply)
{
	return name ? ask_about(conn, "describe", name, ret_reply) : -CHAPI_ERR_USAGE;
}

int chapi_status(chapi_conn *conn, chapi_reply **ret_reply)
{
	return ask_about(conn, "status", NULL, ret_reply);
}

int chapi_stats(chapi_conn *conn, const char *name, chapi_reply **ret_reply)
{
	return ask_about(conn, "stats", name, ret_reply);
}

static void put_wait(struct buf *args, const char *const *names, size_t n, int64_t timeout_ms)
{
	mp_put_array(args, 2);
	mp_put_array(args, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		mp_put_str(args, names[i]);
	mp_put_map(args, timeout_ms > 0);
	if (timeout_ms > 0) {
		mp_put_str(args, "timeout_ms");
		mp_put_int(args, timeout_ms);
	}
}

int chapi_wait(chapi_conn *conn, const char *const *names, size_t n, int64_t timeout_ms,
	       chapi_reply **ret_reply)
{
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;

	if (!names || n == 0 || n > UINT16_MAX || timeout_ms < 0 || timeout_ms > INT64_MAX / 2)
		return -CHAPI_ERR_USAGE;
	put_wait(&args, names, n, timeout_ms);
	return ask(conn, "wait", &args, timeout_ms > 0 ? timeout_ms + CLIENT_GRACE_MS : 0,
		   ret_reply);
}

int chapi_hello(chapi_conn *conn, const struct chapi_hello_options *options,
		chapi_reply **ret_reply)
{
	struct args_map map CLEANUP(args_map_deinit) = ARGS_MAP_NULL;
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;
	struct chapi_hello_options o = { .size = sizeof(o) };
	int r;

	if (conn_copy_options(&o, sizeof(o), options) < 0)
		return -CHAPI_ERR_USAGE;
	args_str(&map, "client", o.client);
	args_str(&map, "version", o.version);
	args_int(&map, "protocol", CHAPI_PROTOCOL_VERSION);
	args_str(&map, "app_key", o.app_key);
	r = args_error(&map);
	if (r < 0)
		return r;
	mp_put_array(&args, 1);
	args_put_map(&args, &map);
	return ask(conn, "hello", &args, CLIENT_LIMIT_MS, ret_reply);
}

static int publish(chapi_conn *conn, const char *channel, const char *event,
		   const struct given *data, int timeout_ms, chapi_reply **ret_reply)
{
	struct buf args CLEANUP(buf_deinit) = BUF_NULL;
	int r;

	if (!channel || !event)
		return -CHAPI_ERR_USAGE;
	mp_put_array(&args, 3);
	mp_put_str(&args, channel);
	mp_put_str(&args, event);
	r = conn_put_given(&args, data, NIL);
	return r < 0 ? r : ask(conn, "publish", &args, timeout_ms, ret_reply);
}

int chapi_publish(chapi_conn *conn, const char *channel, const char *event, const void *data,
		  size_t len, int timeout_ms, chapi_reply **ret_reply)
{
	const struct given given = given_msgpack(data, len);

	return publish(conn, channel, event, &given, timeout_ms, ret_reply);
}

int chapi_publish_json(chapi_conn *conn, const char *channel, const char *event, const char *data,
		       int timeout_ms, chapi_reply **ret_reply)
{
	const struct given given = given_json(data);

	return publish(conn, channel, event, &given, timeout_ms, ret_reply);
}
