/* SPDX-License-Identifier: MIT */
/*
 * What a local process may ask of the gateway: the table of methods, and those of them that have
 * no file of their own.
 *
 * Each reads its params, then checks what its party may do, then does it. The answer is
 * given by request.c. Holding names is holding.c and steering.c, waiting for them waits.c, what the
 * hub is asked edge_requests.c, watching monitor.c, the records of what is there inspect.c.
 */
#include "gateway/methods.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/builtin.h"
#include "gateway/options.h"
#include "gateway/text.h"

bool request_read_options(struct request *q, const struct option *table, size_t n, void *ret)
{
	struct options_fault fault;

	if (q->n_args == 0 || mp_peek(&q->args) == MP_NIL)
		return true;
	if (options_read(mp_rest(&q->args), table, n, ret, &fault) == 0)
		return true;
	request_fail(q, CHAPI_ERR_INVALID_ARGUMENT, "%s", fault.text);
	return false;
}

bool request_read_text(struct request *q, const char *what, struct span *ret)
{
	if (mp_read_str(&q->args, ret) != 0) {
		request_fail(q, CHAPI_ERR_INVALID_ARGUMENT, "%s must be a text", what);
		return false;
	}
	q->n_args--;
	return true;
}

static enum outcome not_yet(struct request *q, const char *what)
{
	return request_fail(q, CHAPI_ERR_FAILED_PRECONDITION,
			    "%s is not available in version %s of the gateway yet; leave it out",
			    what, q->router->config.version);
}

/* ---- call ----------------------------------------------------------------------------- */

struct call_options {
	int64_t timeout_ms;
	struct span id, to;
	bool full, oneway, progress, raw;
};

static const struct option call_table[] = {
	{ "timeout_ms", OPTION_NUMBER, offsetof(struct call_options, timeout_ms), 1, NUMBER_MOST,
	  NULL },
	{ "id", OPTION_LABEL, offsetof(struct call_options, id), 1, CALL_LABEL_MAX, NULL },
	{ "full", OPTION_BOOL, offsetof(struct call_options, full), 0, 0, NULL },
	{ "oneway", OPTION_BOOL, offsetof(struct call_options, oneway), 0, 0, NULL },
	{ "progress", OPTION_BOOL, offsetof(struct call_options, progress), 0, 0, NULL },
	{ "raw", OPTION_BOOL, offsetof(struct call_options, raw), 0, 0, NULL },
	{ "to", OPTION_TEXT, offsetof(struct call_options, to), 1, 200, NULL },
};

static enum outcome check_call_options(struct request *q, const struct call_options *options)
{
	if (options->oneway && options->progress)
		return request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
				    "option 'oneway' asks for no answer: 'progress' does not go "
				    "with it");
	return OUTCOME_RESULT;
}

/* The second of the params. Without options behind it, it goes to the end: no need to look. */
static bool take_params(struct request *q, struct span *ret)
{
	if (q->n_args == 0) {
		*ret = span_of("\x80", 1);
		return true;
	}
	if (q->n_args == 1)
		*ret = mp_rest(&q->args);
	else if (mp_read_raw(&q->args, ret) != 0)
		return false;
	q->n_args--;
	return true;
}

static enum outcome method_call(struct request *q)
{
	struct asked asked = {
		.caller = span_str(q->from->caller),
		.request_time = q->now->unix_s,
	};
	struct call_options options = { 0 };
	enum outcome outcome;

	if (!request_read_text(q, "the name of the function to call", &asked.api))
		return OUTCOME_FAILURE;
	if (!take_params(q, &asked.params) || q->depth > MP_VALUE_DEPTH_MAX)
		return request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
				    "the params are nested deeper than %d levels",
				    MP_VALUE_DEPTH_MAX);
	if (q->n_args > 0) {
		if (!request_read_options(q, call_table, ARRAY_SIZE(call_table), &options))
			return OUTCOME_FAILURE;
		outcome = check_call_options(q, &options);
		if (outcome != OUTCOME_RESULT)
			return outcome;
	}
	asked.timeout_ms = options.timeout_ms;
	asked.label = options.id;
	asked.oneway = options.oneway;
	asked.progress = options.progress;
	asked.raw = options.raw;
	q->full = options.full;
	if (options.to.len > 0)
		return request_call_elsewhere(q, &asked, options.to);
	return request_call(q, &asked);
}

/* ---- hello, status -------------------------------------------------------------------- */

struct hello {
	struct span client, version, app_key;
	int64_t protocol;
};

static const struct option hello_table[] = {
	{ "client", OPTION_TEXT, offsetof(struct hello, client), 0, 200, NULL },
	{ "version", OPTION_TEXT, offsetof(struct hello, version), 0, 200, NULL },
	{ "protocol", OPTION_NUMBER, offsetof(struct hello, protocol), 0, NUMBER_MOST, NULL },
	{ "app_key", OPTION_TEXT, offsetof(struct hello, app_key), 0, 200, NULL },
};

static enum outcome check_hello(struct request *q, const struct hello *hello)
{
	const char *app_key = q->router->config.app_key;

	if (hello->protocol != CHAPI_PROTOCOL_VERSION)
		return request_fail(q, CHAPI_ERR_VERSION_MISMATCH,
				    "the gateway speaks version %d of the protocol, the client "
				    "version %lld; bring the older of the two up to date",
				    CHAPI_PROTOCOL_VERSION, (long long)hello->protocol);
	if (hello->app_key.len > 0 && app_key && !span_is(hello->app_key, app_key))
		return request_fail(q, CHAPI_ERR_FAILED_PRECONDITION,
				    "this gateway belongs to another app of the hub than the "
				    "app_key given; connect to that app's gateway");
	return OUTCOME_RESULT;
}

static void put_hello(struct buf *b, const struct router *router, const struct party *to)
{
	mp_put_map(b, 7);
	mp_put_str(b, "gateway");
	mp_put_str(b, "chapi-gw");
	mp_put_str(b, "version");
	mp_put_str(b, router->config.version);
	mp_put_str(b, "protocol");
	mp_put_uint(b, CHAPI_PROTOCOL_VERSION);
	mp_put_str(b, "name");
	mp_put_str(b, router->config.name);
	mp_put_str(b, "instance");
	mp_put_str(b, router->config.instance);
	mp_put_str(b, "uid");
	mp_put_uint(b, to->uid);
	mp_put_str(b, "limits");
	inspect_put_limits(b, &router->config.limits);
}

/* A label for people: kept as far as there is room. */
static void keep_client(struct party *party, struct span client)
{
	snprintf(party->client, sizeof(party->client), "%s", TEXT_QUOTE(client));
}

static enum outcome method_hello(struct request *q)
{
	struct hello hello = { .protocol = CHAPI_PROTOCOL_VERSION };

	if (!request_read_options(q, hello_table, ARRAY_SIZE(hello_table), &hello) ||
	    check_hello(q, &hello) != OUTCOME_RESULT)
		return OUTCOME_FAILURE;
	keep_client(q->from, hello.client);
	put_hello(&q->router->answer, q->router, q->from);
	return request_done(q);
}

/* ---- list, describe, status, stats ----------------------------------------------------- */

/* nil as a pattern is none. */
static bool read_pattern(struct request *q, struct span *ret)
{
	*ret = span_str("*");
	if (q->n_args == 0)
		return true;
	if (mp_peek(&q->args) == MP_NIL && mp_read_nil(&q->args) == 0) {
		q->n_args--;
		return true;
	}
	if (!request_read_text(q, "the pattern", ret))
		return false;
	if (ret->len > API_NAME_MAX) {
		request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
			     "the pattern is longer than a name can be (%d)", API_NAME_MAX);
		return false;
	}
	return true;
}

static enum outcome method_list(struct request *q)
{
	static const struct option table[] = { { "long", OPTION_BOOL, 0, 0, 0, NULL } };
	struct span pattern;
	bool is_long = false;

	if (!read_pattern(q, &pattern) ||
	    !request_read_options(q, table, ARRAY_SIZE(table), &is_long))
		return OUTCOME_FAILURE;
	return inspect_list(q, pattern, is_long);
}

static enum outcome method_describe(struct request *q)
{
	struct span name;

	if (!request_read_text(q, "the name", &name))
		return OUTCOME_FAILURE;
	return inspect_describe(q, name);
}

static enum outcome method_stats(struct request *q)
{
	struct span name;

	if (q->n_args == 0)
		return inspect_stats(q);
	if (!request_read_text(q, "the name", &name))
		return OUTCOME_FAILURE;
	return inspect_stats_of(q, name);
}

/* ---- administration ---------------------------------------------------------------------- */

static enum outcome method_reload(struct request *q)
{
	const struct router_config *config = &q->router->config;
	char why[400];

	if (!request_may(q, RIGHT_ADMIN, span_str(""), "make the gateway read its files again"))
		return OUTCOME_FAILURE;
	if (!config->edge.reload)
		return not_yet(q, "'reload'");
	if (config->edge.reload(config->data, &q->router->answer, why, sizeof(why)) == 0)
		return request_done(q);
	buf_clear(&q->router->answer);
	return request_fail(q, CHAPI_ERR_FAILED_PRECONDITION, "all stays as it was: %s", why);
}

static enum outcome method_log_level(struct request *q)
{
	const struct router_config *config = &q->router->config;
	struct span level;

	if (!request_read_text(q, "the level", &level) ||
	    !request_may(q, RIGHT_ADMIN, span_str(""), "set the log level"))
		return OUTCOME_FAILURE;
	if (config->edge.set_log_level && config->edge.set_log_level(config->data, level))
		return request_done_nil(q);
	return request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
			    "'%s' is no log level: error, warn, info, debug", TEXT_QUOTE(level));
}

static enum outcome method_doctor(struct request *q)
{
	const struct router_config *config = &q->router->config;

	if (!request_may(q, RIGHT_ADMIN, span_str(""), "ask for a check of the gateway"))
		return OUTCOME_FAILURE;
	if (!config->edge.put_doctor)
		return not_yet(q, "'doctor'");
	config->edge.put_doctor(config->data, &q->router->answer);
	return request_done(q);
}

/* ---- the table ------------------------------------------------------------------------ */

static const struct method methods[] = {
	{ "call", 1, 3, "[name, params?, options?]", method_call },
	{ "describe", 1, 1, "[name]", method_describe },
	{ "doctor", 0, 0, "[]", method_doctor },
	{ "drain", 1, 2, "[name, options?]", method_drain },
	{ "gateways", 0, 0, "[]", method_gateways },
	{ "hello", 0, 1, "[{client, version, protocol}?]", method_hello },
	{ "list", 0, 2, "[pattern?, options?]", method_list },
	{ "log_level", 1, 1, "[level]", method_log_level },
	{ "monitor", 0, 1, "[{kinds, apis, bodies}?]", method_monitor },
	{ "pause", 1, 1, "[name]", method_pause },
	{ "publish", 3, 3, "[channel, event, data]", method_publish },
	{ "register", 1, 2, "[name, options?]", method_register },
	{ "reload", 0, 0, "[]", method_reload },
	{ "resume", 1, 1, "[name]", method_resume },
	{ "stats", 0, 1, "[name?]", method_stats },
	{ "status", 0, 0, "[]", inspect_status },
	{ "unregister", 1, 1, "[name]", method_unregister },
	{ "update", 2, 2, "[name, options]", method_update },
	{ "wait", 1, 2, "[names, options?]", method_wait },
};

const struct method *method_find(struct span name)
{
	if (span_is(name, "call"))	/* most of them; the first of the table */
		return &methods[0];
	for (size_t i = 1; i < ARRAY_SIZE(methods); i++)
		if (span_is(name, methods[i].name))
			return &methods[i];
	return NULL;
}

void method_names(char *ret, size_t len)
{
	size_t done = 0;

	for (size_t i = 0; i < ARRAY_SIZE(methods) && done < len; i++)
		done += (size_t)snprintf(ret + done, len - done, "%s%s", i > 0 ? ", " : "",
					 methods[i].name);
}
