/* SPDX-License-Identifier: MIT */
/*
 * The gateway's own functions: see builtin.h. They answer at once, take no place in the
 * table of calls and need no provider.
 */
#include "gateway/builtin.h"

#include "gateway/methods.h"
#include "gateway/options.h"

#define PREFIX "chapi."

static enum outcome run_echo(struct request *q, struct span params)
{
	q->response.result = params;
	return OUTCOME_RESULT;
}

/* params: {pattern?}, or nothing that could be taken for one. */
static enum outcome run_list(struct request *q, struct span params)
{
	static const struct option table[] = {
		{ "pattern", OPTION_TEXT, 0, 1, API_NAME_MAX, NULL },
	};
	struct options_fault fault;
	struct span pattern = span_str("*");

	if (!mp_is_nil(params) &&
	    options_read(params, table, ARRAY_SIZE(table), &pattern, &fault) != 0)
		return request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
				    "chapi.list takes {\"pattern\": text}: %s", fault.text);
	return inspect_list(q, pattern, false);
}

static enum outcome run_ping(struct request *q, struct span params UNUSED)
{
	mp_put_str(&q->router->answer, "pong");
	return request_done(q);
}

static enum outcome run_status(struct request *q, struct span params UNUSED)
{
	return inspect_status(q);
}

/* params: {name}. */
static enum outcome run_describe(struct request *q, struct span params)
{
	static const struct option table[] = {
		{ "name", OPTION_TEXT, 0, 1, API_NAME_MAX, NULL },
	};
	struct options_fault fault = { "" };
	struct span name = span_of(NULL, 0);

	if (options_read(params, table, ARRAY_SIZE(table), &name, &fault) != 0 || name.len == 0)
		return request_fail(q, CHAPI_ERR_INVALID_ARGUMENT,
				    "chapi.describe takes {\"name\": text}%s%s",
				    *fault.text ? ": " : "", fault.text);
	return inspect_describe(q, name);
}

static enum outcome run_time(struct request *q, struct span params UNUSED)
{
	mp_put_double(&q->router->answer, q->now->unix_s);
	return request_done(q);
}

static enum outcome run_version(struct request *q, struct span params UNUSED)
{
	struct buf *b = &q->router->answer;

	mp_put_map(b, 3);
	mp_put_str(b, "gateway");
	mp_put_str(b, "chapi-gw");
	mp_put_str(b, "version");
	mp_put_str(b, q->router->config.version);
	mp_put_str(b, "protocol");
	mp_put_uint(b, CHAPI_PROTOCOL_VERSION);
	return request_done(q);
}

static const struct builtin builtins[] = {
	{ "chapi.describe", "all about one function", API_REMOTE, run_describe },
	{ "chapi.echo", "gives its params back", API_REMOTE, run_echo },
	{ "chapi.list", "the functions that can be called", API_REMOTE, run_list },
	{ "chapi.ping", "says pong", API_REMOTE, run_ping },
	{ "chapi.status", "the state of the gateway", API_LOCAL, run_status },
	{ "chapi.time", "the gateway's clock: seconds since 1970, UTC", API_REMOTE, run_time },
	{ "chapi.version", "what runs here", API_REMOTE, run_version },
};

bool builtin_is_reserved(struct span name)
{
	return span_begins(name, PREFIX);
}

const struct builtin *builtin_find(struct span name, enum party_origin origin)
{
	for (size_t i = 0; i < ARRAY_SIZE(builtins); i++)
		if (span_is(name, builtins[i].name))
			return origin == PARTY_LOCAL || builtins[i].visibility == API_REMOTE
				       ? &builtins[i] : NULL;
	return NULL;
}

const struct builtin *builtin_all(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(builtins);
	return builtins;
}
