/* SPDX-License-Identifier: MIT */
/*
 * The router's edge, played by a test: see router_edges.h.
 */
#include "tests/unit/router_edges.h"

#include <stdio.h>

#include "libchapi-ipc/error.h"
#include "libchapi-ipc/mp_scan.h"
#include "libchapi-ipc/value.h"

struct world world;

/* ---- what is heard -------------------------------------------------------------------- */

static struct edge *edge_of(struct party *party)
{
	return container_of(party, struct edge, party);
}

static void begin_line(struct edge *e)
{
	if (e->said.len > 0)
		buf_put_str(&e->said, "; ");
}

static void put_json(struct buf *b, struct span value)
{
	struct value_fault fault;

	if (value_to_json(value, MP_MESSAGE_DEPTH_MAX, b, &fault) != 0)
		fail_msg("the router said what has no JSON form: %s", fault.text);
}

const char *text_of(struct buf *b)
{
	buf_put_byte(b, 0);
	buf_truncate(b, b->len - 1);
	return (const char *)buf_data(b);
}

/* The number that the test gives a call: the how-manieth it was. */
static unsigned int number_of(const struct edge *e, uint32_t id)
{
	for (unsigned int i = e->n_handled; i > 0; i--)
		if (e->ids[i - 1] == id)
			return i;
	fail_msg("the router means a call that it has not handed over");
	return 0;
}

static int on_request(struct party *to, const struct party_request *request, const char **ret_why)
{
	struct edge *e = edge_of(to);

	if (e->refuses != 0) {
		*ret_why = "at .x: it has no form";
		return e->refuses;
	}
	assert_true(e->n_handled < HANDLED_MAX);
	e->ids[e->n_handled++] = request->id;
	e->meta = *request;
	snprintf(e->caller, sizeof(e->caller), "%.*s", (int)request->caller.len, request->caller.p);
	snprintf(e->label, sizeof(e->label), "%.*s", (int)request->call.len, request->call.p);
	begin_line(e);
	buf_printf(&e->said, "call %u %.*s ", e->n_handled, (int)request->api.len, request->api.p);
	put_json(&e->said, request->params);
	return 0;
}

static void on_response(struct party *to, uint64_t token, const struct party_response *response)
{
	struct edge *e = edge_of(to);
	const struct failure *f = response->failure;

	buf_clear(&e->value);
	begin_line(e);
	if (!f) {
		buf_printf(&e->said, "ok %llu ", (unsigned long long)token);
		put_json(&e->said, response->result);
		put_json(&e->value, response->result);
		return;
	}
	buf_printf(&e->said, "fail %llu %s %s", (unsigned long long)token,
		   error_info(f->code)->name, chapi_ran_name(f->ran));
	snprintf(e->message, sizeof(e->message), "%.*s", (int)f->message.len, f->message.p);
	if (f->details.len > 0)
		put_json(&e->value, f->details);
}

static void on_cancel(struct party *to, uint32_t id)
{
	begin_line(edge_of(to));
	buf_printf(&edge_of(to)->said, "cancel %u", number_of(edge_of(to), id));
}

static void on_progress(struct party *to, uint64_t token, struct span value)
{
	begin_line(edge_of(to));
	buf_printf(&edge_of(to)->said, "progress %llu ", (unsigned long long)token);
	put_json(&edge_of(to)->said, value);
}

static void on_granted(struct party *to, struct span name)
{
	begin_line(edge_of(to));
	buf_printf(&edge_of(to)->said, "granted %.*s", (int)name.len, name.p);
}

static void on_revoked(struct party *to, struct span name, const char *reason)
{
	begin_line(edge_of(to));
	buf_printf(&edge_of(to)->said, "revoked %.*s %s", (int)name.len, name.p, reason);
}

static int on_event(struct party *to, struct span event)
{
	struct edge *e = edge_of(to);

	if (e->loses)
		return e->loses;
	begin_line(e);
	buf_put_str(&e->said, "event ");
	put_json(&e->said, event);
	buf_clear(&e->value);
	put_json(&e->value, event);
	return 0;
}

static const struct party_ops ops = {
	on_request, on_response, on_cancel, on_progress, on_granted, on_revoked, on_event,
};

/* ---- the world ------------------------------------------------------------------------ */

static int on_call_elsewhere(void *data, const struct elsewhere_call *call, const struct now *now,
			     uint64_t *ret_serial, struct elsewhere_fault *ret_fault)
{
	assert_ptr_equal(data, &world);
	assert_ptr_equal(now, &world.now);
	buf_clear(&world.event);
	buf_printf(&world.event, "%.*s %.*s %.*s %lld%s", (int)call->to.len, call->to.p,
		   (int)call->api.len, call->api.p, (int)call->caller.len, call->caller.p,
		   (long long)call->timeout_ms, call->progress ? " progress" : "");
	world.elsewhere = call->call;
	*ret_serial = 7;
	*ret_fault = (struct elsewhere_fault){
		.code = CHAPI_ERR_TOO_LARGE, .size = 20, .limit = 10, .text = "no"
	};
	return world.publish_rc;
}

static bool on_cancel_elsewhere(void *data, uint64_t serial)
{
	assert_ptr_equal(data, &world);
	assert_int_equal(serial, 7);
	world.n_cancelled++;
	return true;
}

static int on_publish(void *data, struct span channel, struct span event, struct span text,
		      uint64_t id)
{
	assert_ptr_equal(data, &world);
	buf_clear(&world.event);
	buf_printf(&world.event, "%.*s %.*s %.*s", (int)channel.len, channel.p, (int)event.len,
		   event.p, (int)text.len, text.p);
	world.published = id;
	return world.publish_rc;
}

static bool on_withdraw(void *data, uint64_t id)
{
	assert_ptr_equal(data, &world);
	world.withdrawn = id;
	return !world.is_sent;
}

static int on_reload(void *data UNUSED, struct buf *out, char *why, size_t why_len)
{
	mp_put_map(out, 0);
	snprintf(why, why_len, "line 7 is bad");
	return world.reload_rc;
}

static bool on_log_level(void *data UNUSED, struct span level)
{
	return span_is(level, "debug");
}

static void on_doctor(void *data UNUSED, struct buf *out)
{
	mp_put_array(out, 0);
}

static void join(struct edge *e)
{
	router_add(world.router, &e->party, &world.now);
	e->here = true;
}

void leave(struct edge *e)
{
	e->here = false;
	router_remove(world.router, &e->party, &world.now);
}

static void edge_init(struct edge *e, uid_t uid, enum party_origin origin)
{
	memset(e, 0, sizeof(*e));
	e->party.ops = &ops;
	e->party.uid = uid;
	e->party.gid = uid;
	e->party.origin = origin;
	snprintf(e->party.caller, sizeof(e->party.caller), "uid:%u", uid);
	buf_init(&e->said, 0);
	buf_init(&e->value, 0);
	join(e);
}

static struct policy *policy_of(const struct policy_rule *rules, size_t n)
{
	struct policy *policy;

	assert_int_equal(policy_new(rules, n, OWN_UID, &policy), 0);
	return policy;
}

struct router_limits limits(void)
{
	return (struct router_limits){
		.calls_per_peer = 4096,
		.names_per_peer = 1024,
		.abandoned_per_peer = 1024,
		.pinned_per_peer = 16 << 20,
		.pinned_total = 64 << 20,
		.max_message = 4 << 20,
		.output_per_peer = 8 << 20,
		.stalled_after_ms = 30000,
		.peers = 1000,
	};
}

int edges_setup(void **state UNUSED)
{
	struct router_config config = {
		.name = "north",
		.version = "1.2.3",
		.app_key = "the-key",
		.seed = { 1, 2 },
		.instance = "0123456789abcdef0123456789abcdef",
		.limits = limits(),
		.policy = policy_of(NULL, 0),
		.edge = {
			.publish = on_publish, .withdraw = on_withdraw, .reload = on_reload,
			.set_log_level = on_log_level, .put_doctor = on_doctor,
			.call_elsewhere = on_call_elsewhere,
			.cancel_elsewhere = on_cancel_elsewhere,
		},
		.data = &world,
	};

	world.now = (struct now){ .ms = 1000, .us = 1000000, .unix_s = 1700000000 };
	world.publish_rc = world.reload_rc = 0;
	world.n_cancelled = 0;
	world.withdrawn = 0;
	world.is_sent = false;
	buf_init(&world.event, 0);
	assert_int_equal(router_new(&config, &world.now, &world.router), 0);
	for (size_t i = 0; i < 3; i++)
		edge_init(&world.edges[i], 1000, PARTY_LOCAL);
	edge_init(dave, 2000, PARTY_LOCAL);
	edge_init(root, 0, PARTY_LOCAL);
	edge_init(far, 0, PARTY_REMOTE);
	return 0;
}

/* Nothing is left, and nobody is charged for anything. */
static void assert_empty(void)
{
	join(root);
	buf_clear(&root->said);
	say(root, "[0,99999,\"status\",[]]");
	if (!strstr(text_of(&root->value),
		    "\"peers\":1,\"apis\":0,\"calls\":{\"running\":0,\"queued\":0,"
		    "\"abandoned\":0}") ||
	    !strstr(text_of(&root->value), "\"pinned\":0,"))
		fail_msg("something is left: %s", text_of(&root->value));
	leave(root);
	assert_true(router_next_ms(world.router) == UINT64_MAX);
}

int edges_teardown(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(world.edges); i++)
		if (world.edges[i].here)
			leave(&world.edges[i]);
	assert_empty();
	world.router = router_free(world.router);
	for (size_t i = 0; i < ARRAY_SIZE(world.edges); i++) {
		buf_deinit(&world.edges[i].said);
		buf_deinit(&world.edges[i].value);
	}
	buf_deinit(&world.event);
	return 0;
}

void set_limits(struct router_limits l)
{
	router_set_limits(world.router, &l, false);
}

void set_rules(const struct policy_rule *rules, size_t n)
{
	router_set_policy(world.router, policy_of(rules, n), &world.now);
}

void pass(uint64_t ms)
{
	uint64_t end = world.now.ms + ms, at;

	do {
		at = MAX(MIN(router_next_ms(world.router), end), world.now.ms);
		world.now.unix_s += (double)(at - world.now.ms) / 1e3;
		world.now.ms = at;
		world.now.us = at * 1000;
		router_expire(world.router, &world.now);
	} while (at < end);
}

/* ---- what is said --------------------------------------------------------------------- */

static unsigned int depth_of(const struct buf *b)
{
	struct mp_scan scan;
	size_t used;

	mp_scan_init(&scan, MP_MESSAGE_DEPTH_MAX);
	assert_int_equal(mp_scan(&scan, buf_data(b), b->len, &used), 0);
	return scan.depth_seen;
}

int say_bytes(struct edge *e, const struct buf *b)
{
	struct message message;
	const char *why = "";

	if (message_parse(buf_span(b), depth_of(b), &message, &why) != 0)
		fail_msg("no message: %s", why);
	return router_message(world.router, &e->party, &message, &world.now);
}

int say_text(struct edge *e, const char *text)
{
	CLEANUP(buf_deinit) struct buf b = BUF_NULL;
	struct value_fault fault;

	if (value_from_json(span_str(text), MP_MESSAGE_DEPTH_MAX, &b, &fault) != 0)
		fail_msg("%s: %s", text, fault.text);
	return say_bytes(e, &b);
}

void say(struct edge *e, const char *fmt, ...)
{
	char text[4096];
	va_list args;

	va_start(args, fmt);
	assert_true((size_t)vsnprintf(text, sizeof(text), fmt, args) < sizeof(text));
	va_end(args);
	assert_int_equal(say_text(e, text), 0);
}

uint32_t ask(struct edge *e, const char *method, const char *params)
{
	say(e, "[0,%u,\"%s\",%s]", ++e->token, method, params);
	return e->token;
}

void answer(struct edge *e, unsigned int n, const char *result)
{
	say(e, "[1,%u,null,%s]", e->ids[n - 1], result);
}

void answer_error(struct edge *e, unsigned int n, const char *error)
{
	say(e, "[1,%u,%s,null]", e->ids[n - 1], error);
}

void cancel(struct edge *e, uint32_t token)
{
	say(e, "[2,\"cancel\",[%u]]", token);
}

uint32_t ask_far(uint64_t token, const char *api, int64_t timeout_ms, bool progress)
{
	const struct router_call call = {
		.token = token,
		.api = span_str(api),
		.params = span_of(strncmp(api, "chapi.", 6) == 0 ? "\xc0" : "\x07", 1),
		.call = span_str("far-1"),
		.caller = span_str("claimed:phone"),
		.timeout_ms = timeout_ms,
		.progress = progress,
	};

	router_call(world.router, &far->party, &call, &world.now);
	return (uint32_t)token;
}

void heard(struct edge *e, const char *expected)
{
	if (strcmp(text_of(&e->said), expected) != 0)
		fail_msg("heard \"%s\"\nnot \"%s\" (%s)", text_of(&e->said), expected, e->message);
	buf_clear(&e->said);
}

void heard_nothing(struct edge *e)
{
	heard(e, "");
}

void heard_fail(struct edge *e, const char *code, const char *ran)
{
	char expected[100];

	snprintf(expected, sizeof(expected), "fail %u %s %s", e->token, code, ran);
	heard(e, expected);
}

const char *gets(struct edge *e, const char *method, const char *params)
{
	char expected[20];

	heard_nothing(e);
	snprintf(expected, sizeof(expected), "ok %u ", ask(e, method, params));
	if (strncmp(text_of(&e->said), expected, strlen(expected)) != 0 ||
	    e->said.len != strlen(expected) + e->value.len)
		fail_msg("%s %s: heard \"%s\" (%s)", method, params, text_of(&e->said), e->message);
	buf_clear(&e->said);
	return text_of(&e->value);
}

void fails(struct edge *e, const char *method, const char *params, const char *code)
{
	heard_nothing(e);
	ask(e, method, params);
	heard_fail(e, code, "no");
}

void assert_has(const char *text, const char *piece)
{
	if (!strstr(text, piece))
		fail_msg("\"%s\" does not have \"%s\"", text, piece);
}

void assert_lacks(const char *text, const char *piece)
{
	if (strstr(text, piece))
		fail_msg("\"%s\" has \"%s\"", text, piece);
}

const char *holds(struct edge *e, const char *params)
{
	return gets(e, "register", params);
}

const char *described(const char *name)
{
	char params[200];

	snprintf(params, sizeof(params), "[\"%s\"]", name);
	return gets(root, "describe", params);
}
