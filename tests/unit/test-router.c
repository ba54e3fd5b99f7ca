/* SPDX-License-Identifier: MIT */
/*
 * The router: the rules of chapi-ipc(7), one test each.
 *
 * The test plays the edge. What the router says to a party becomes lines of text:
 *
 *     ok TOKEN RESULT            fail TOKEN CODE RAN        of what the party asked
 *     call N NAME PARAMS         cancel N                   N: the Nth that it was handed
 *     progress TOKEN VALUE       event MAP
 *     granted NAME               revoked NAME REASON
 *
 * and each test says what was heard, all of it. Time is a number. After each test everybody
 * leaves, and nothing may be left of them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/registry.h"
#include "gateway/router.h"
#include "libchapi-ipc/error.h"
#include "libchapi-ipc/mp_scan.h"
#include "libchapi-ipc/value.h"

#define HANDLED_MAX 1100
#define OWN_UID 999

struct edge {
	struct party party;
	bool here;
	uint32_t token;			/* of its last request */
	struct buf said;		/* since it was looked at last */
	struct buf value; /* the last result, or the details of the last failure: JSON */
	char message[400];		/* of the last failure */
	uint32_t ids[HANDLED_MAX];	/* the router's numbers of the calls it was handed */
	unsigned int n_handled;
	struct party_request meta;	/* of the last of them; its texts: */
	char caller[100], label[80];
	int refuses;			/* what it returns to a request */
	int loses;			/* what it returns to an event */
};

static struct {
	struct router *router;
	struct now now;
	struct edge edges[6];
	uint64_t published;		/* what was given to the edge last */
	void *elsewhere;		/* the call to another gateway that was begun last */
	unsigned int n_cancelled;	/* of those */
	struct buf event;
	int publish_rc, reload_rc;
	uint64_t withdrawn;		/* the event that the edge was asked to take back last */
	bool is_sent;			/* it is too late for that */
} world;

/* alice, bob and carol are one user, dave is another; far is the hub side. */
static struct edge *const alice = &world.edges[0];
static struct edge *const bob = &world.edges[1];
static struct edge *const carol = &world.edges[2];
static struct edge *const dave = &world.edges[3];
static struct edge *const root = &world.edges[4];
static struct edge *const far = &world.edges[5];

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

/* A text for the test to look into. */
static const char *text_of(struct buf *b)
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

static void leave(struct edge *e)
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

static struct router_limits limits(void)
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

static int setup(void **state UNUSED)
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

static void say(struct edge *e, const char *fmt, ...) PRINTF(2, 3);

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

static int teardown(void **state UNUSED)
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

static void set_limits(struct router_limits l)
{
	router_set_limits(world.router, &l, false);
}

static void set_rules(const struct policy_rule *rules, size_t n)
{
	router_set_policy(world.router, policy_of(rules, n), &world.now);
}

/* To each deadline on the way, as the loop does. */
static void pass(uint64_t ms)
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

static int say_bytes(struct edge *e, const struct buf *b)
{
	struct message message;
	const char *why = "";

	if (message_parse(buf_span(b), depth_of(b), &message, &why) != 0)
		fail_msg("no message: %s", why);
	return router_message(world.router, &e->party, &message, &world.now);
}

static int say_text(struct edge *e, const char *text)
{
	CLEANUP(buf_deinit) struct buf b = BUF_NULL;
	struct value_fault fault;

	if (value_from_json(span_str(text), MP_MESSAGE_DEPTH_MAX, &b, &fault) != 0)
		fail_msg("%s: %s", text, fault.text);
	return say_bytes(e, &b);
}

static void say(struct edge *e, const char *fmt, ...)
{
	char text[4096];
	va_list args;

	va_start(args, fmt);
	assert_true((size_t)vsnprintf(text, sizeof(text), fmt, args) < sizeof(text));
	va_end(args);
	assert_int_equal(say_text(e, text), 0);
}

/* The next request of this party; its number. */
static uint32_t ask(struct edge *e, const char *method, const char *params)
{
	say(e, "[0,%u,\"%s\",%s]", ++e->token, method, params);
	return e->token;
}

static void answer(struct edge *e, unsigned int n, const char *result)
{
	say(e, "[1,%u,null,%s]", e->ids[n - 1], result);
}

static void answer_error(struct edge *e, unsigned int n, const char *error)
{
	say(e, "[1,%u,%s,null]", e->ids[n - 1], error);
}

static void cancel(struct edge *e, uint32_t token)
{
	say(e, "[2,\"cancel\",[%u]]", token);
}

static uint32_t ask_far(uint64_t token, const char *api, int64_t timeout_ms, bool progress)
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

/* All that this party has been told since it was looked at last. */
static void heard(struct edge *e, const char *expected)
{
	if (strcmp(text_of(&e->said), expected) != 0)
		fail_msg("heard \"%s\"\nnot \"%s\" (%s)", text_of(&e->said), expected, e->message);
	buf_clear(&e->said);
}

static void heard_nothing(struct edge *e)
{
	heard(e, "");
}

static void heard_fail(struct edge *e, const char *code, const char *ran)
{
	char expected[100];

	snprintf(expected, sizeof(expected), "fail %u %s %s", e->token, code, ran);
	heard(e, expected);
}

/* The request is answered at once, with a result that is forgotten but for e->value. */
static const char *gets(struct edge *e, const char *method, const char *params)
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

static void fails(struct edge *e, const char *method, const char *params, const char *code)
{
	heard_nothing(e);
	ask(e, method, params);
	heard_fail(e, code, "no");
}

static void assert_has(const char *text, const char *piece)
{
	if (!strstr(text, piece))
		fail_msg("\"%s\" does not have \"%s\"", text, piece);
}

static void assert_lacks(const char *text, const char *piece)
{
	if (strstr(text, piece))
		fail_msg("\"%s\" has \"%s\"", text, piece);
}

static const char *holds(struct edge *e, const char *params)
{
	return gets(e, "register", params);
}

/* What "describe" says of a name. */
static const char *described(const char *name)
{
	char params[200];

	snprintf(params, sizeof(params), "[\"%s\"]", name);
	return gets(root, "describe", params);
}

/* ---- policies ------------------------------------------------------------------------- */

static void test_exclusive_name_is_taken_once(void **state UNUSED)
{
	assert_has(
		holds(alice, "[\"door\"]"),
		"{\"name\":\"door\",\"state\":\"active\","
		"\"policy\":\"exclusive\",\"visibility\":\"remote\",\"concurrency\":0,\"queue\":64,"
		"\"timeout_ms\":30000,\"timeout_max_ms\":600000,\"idempotent\":false");
	fails(bob, "register", "[\"door\"]", "api_exists");
	assert_has(bob->message, "uid:1000");
	fails(alice, "register", "[\"door\"]", "api_exists");
	assert_has(alice->message, "'update'");
	gets(alice, "unregister", "[\"door\"]");
	holds(bob, "[\"door\"]");
}

static void test_register_reads_all_options(void **state UNUSED)
{
	static const char options[] =
		"[\"door\",{\"policy\":\"share\",\"concurrency\":2,\"queue\":3,\"timeout_ms\":4,"
		"\"timeout_max_ms\":5,\"visibility\":\"local\",\"idempotent\":true,"
		"\"summary\":\"s\","
		"\"description\":\"d\",\"version\":\"v\",\"tags\":[\"x\",\"y\"],\"unknown\":1,"
		"\"params\":{\"type\":\"object\"},\"result\":{\"type\":\"null\"}}]";

	assert_has(
		holds(alice, options),
		"{\"name\":\"door\",\"state\":\"active\","
		"\"policy\":\"share\",\"visibility\":\"local\",\"concurrency\":2,\"queue\":3,"
		"\"timeout_ms\":4,\"timeout_max_ms\":5,"
		"\"idempotent\":true,\"summary\":\"s\",\"description\":\"d\",\"version\":\"v\","
		"\"tags\":[\"x\",\"y\"],\"params\":{\"type\":\"object\"},"
		"\"result\":{\"type\":\"null\"}}");
	assert_has(
		described("door"),
		"\"summary\":\"s\",\"state\":\"active\",\"policy\":\"share\","
		"\"visibility\":\"local\",\"providers\":1,\"description\":\"d\",\"version\":\"v\","
		"\"tags\":[\"x\",\"y\"],\"idempotent\":true,\"concurrency\":2,\"queue\":3,"
		"\"timeout_ms\":4,\"timeout_max_ms\":5,\"standbys\":0,"
		"\"params\":{\"type\":\"object\"},\"result\":{\"type\":\"null\"}");
}

static void test_register_refuses_what_makes_no_sense(void **state UNUSED)
{
	static const char *const bad[] = {
		"[7]",
		"[\"\"]",
		"[\".x\"]",
		"[\"a b\"]",
		"[\"a\",{\"policy\":\"own\"}]",
		"[\"a\",{\"concurrency\":-1}]",
		"[\"a\",{\"queue\":\"many\"}]",
		"[\"a\",{\"timeout_ms\":0}]",
		"[\"a\",{\"timeout_ms\":9,\"timeout_max_ms\":8}]",
		"[\"a\",{\"visibility\":\"all\"}]",
		"[\"a\",{\"tags\":\"x\"}]",
		"[\"a\",{\"tags\":[1]}]",
		"[\"a\",{\"params\":{\"type\":\"door\"}}]",
		"[\"a\",{\"params\":{\"$$ref\":\"x\"}}]",
		"[\"a\",{\"result\":7}]",
		"[\"a\",7]",
		"[]",
		"[\"a\",{\"tags\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
		"\"\",\"\",\"\",\"\",\"\"]}]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		fails(alice, "register", bad[i], "invalid_argument");
	fails(alice, "register", "[\"chapi.mine\"]", "permission_denied");
	assert_int_equal(alice->party.n_registrations, 0);
}

static void test_replace_revokes_all_whose_calls_finish(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\"}]");
	holds(root, "[\"door\",{\"policy\":\"standby\"}]");
	ask(dave, "call", "[\"door\",1]");
	heard(alice, "call 1 door 1");
	assert_has(holds(carol, "[\"door\",{\"policy\":\"replace\"}]"), "\"state\":\"active\"");
	heard(alice, "revoked door replaced");
	heard(bob, "revoked door replaced");
	heard_nothing(root);
	answer(alice, 1, "\"old\"");
	heard(dave, "ok 1 \"old\"");
	ask(dave, "call", "[\"door\",2]");
	heard(carol, "call 1 door 2");
	assert_has(described("door"), "\"standbys\":1");
}

static void test_replace_of_a_free_name_just_takes_it(void **state UNUSED)
{
	assert_has(holds(alice, "[\"door\",{\"policy\":\"replace\"}]"), "\"state\":\"active\"");
	holds(bob, "[\"door\",{\"policy\":\"replace\"}]");
	heard(alice, "revoked door replaced");
}

static void test_share_gives_to_the_fewest_running_ties_in_turn(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\"}]");
	holds(carol, "[\"door\",{\"policy\":\"share\"}]");
	for (int i = 0; i < 3; i++)
		ask(dave, "call", "[\"door\",0]");
	heard(alice, "call 1 door 0");
	heard(bob, "call 1 door 0");
	heard(carol, "call 1 door 0");
	answer(bob, 1, "0");
	ask(dave, "call", "[\"door\",1]");
	heard(bob, "call 2 door 1");
	answer(carol, 1, "0");
	answer(alice, 1, "0");
	ask(dave, "call", "[\"door\",2]");	/* alice's last turn was longest ago */
	heard(alice, "call 2 door 2");
	ask(dave, "call", "[\"door\",3]");
	heard(carol, "call 2 door 3");
	heard(dave, "ok 2 0; ok 3 0; ok 1 0");
}

static void test_share_needs_the_same_terms(void **state UNUSED)
{
	static const char *const other[] = {
		"\"visibility\":\"local\"", "\"timeout_ms\":1", "\"timeout_max_ms\":40000",
		"\"params\":{\"type\":\"integer\"}", "\"result\":{\"type\":\"integer\"}",
	};
	char params[200];

	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		snprintf(params, sizeof(params), "[\"door\",{\"policy\":\"share\",%s}]", other[i]);
		fails(bob, "register", params, "failed_precondition");
	}
	holds(bob,
	      "[\"door\",{\"policy\":\"share\",\"summary\":\"x\",\"concurrency\":1,\"queue\":1}]");
	holds(carol, "[\"gate\"]");
	fails(bob, "register", "[\"gate\",{\"policy\":\"share\"}]", "failed_precondition");
	assert_has(bob->message, "'exclusive'");
}

static void test_standby_takes_over_with_its_own_options(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"summary\":\"first\"}]");
	assert_has(holds(bob, "[\"door\",{\"policy\":\"standby\",\"summary\":\"second\"}]"),
		   "\"state\":\"standby\"");
	holds(carol, "[\"door\",{\"policy\":\"standby\",\"summary\":\"third\"}]");
	assert_has(described("door"), "\"summary\":\"first\"");
	ask(dave, "call", "[\"door\",1]");
	heard(alice, "call 1 door 1");
	leave(alice);
	heard(bob, "granted door");
	heard_nothing(carol);
	heard(dave, "fail 1 provider_gone unknown");
	assert_has(described("door"), "\"summary\":\"second\"");
	gets(bob, "unregister", "[\"door\"]");
	heard(carol, "granted door");
	ask(dave, "call", "[\"door\",2]");
	heard(carol, "call 1 door 2");
}

static void test_standby_of_a_free_name_is_active(void **state UNUSED)
{
	assert_has(holds(alice, "[\"door\",{\"policy\":\"standby\"}]"), "\"state\":\"active\"");
	heard_nothing(alice);
}

static void test_standby_waits_for_the_last_sharer(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\"}]");
	holds(carol, "[\"door\",{\"policy\":\"standby\"}]");
	leave(alice);
	heard_nothing(carol);
	leave(bob);
	heard(carol, "granted door");
}

static void test_sharers_that_paused_come_back_together(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\"}]");
	holds(carol, "[\"door\",{\"policy\":\"standby\"}]");
	gets(alice, "pause", "[\"door\"]");
	gets(bob, "pause", "[\"door\"]");
	heard(carol, "granted door");
	gets(alice, "resume", "[\"door\"]");
	gets(bob, "resume", "[\"door\"]");
	leave(carol);
	heard(alice, "granted door");
	heard(bob, "granted door");
	ask(root, "call", "[\"door\",1]");
	ask(root, "call", "[\"door\",2]");
	heard(alice, "call 1 door 1");
	heard(bob, "call 1 door 2");
}

static void test_taking_anothers_name_needs_admin(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	fails(dave, "register", "[\"door\",{\"policy\":\"replace\"}]", "permission_denied");
	fails(dave, "register", "[\"door\",{\"policy\":\"share\"}]", "permission_denied");
	fails(dave, "register", "[\"door\",{\"policy\":\"standby\"}]", "permission_denied");
	heard_nothing(alice);
	holds(root, "[\"door\",{\"policy\":\"replace\"}]");
	heard(alice, "revoked door replaced");
}

static void test_registering_needs_the_right(void **state UNUSED)
{
	static const struct policy_rule rules[] = {
		{ RIGHT_REGISTER, SUBJECT_USER, 1000, "door.*" },
		{ RIGHT_REGISTER, SUBJECT_GROUP, 77, "gate.*" },
	};
	static const gid_t groups[] = { 5, 77 };

	set_rules(rules, ARRAY_SIZE(rules));
	holds(alice, "[\"door.x\"]");
	fails(alice, "register", "[\"gate.x\"]", "permission_denied");
	fails(dave, "register", "[\"door.y\"]", "permission_denied");
	dave->party.groups = groups;
	dave->party.n_groups = 2;
	holds(dave, "[\"gate.x\"]");
}

static void test_policy_that_changes_revokes_names(void **state UNUSED)
{
	static const struct policy_rule rules[] = {
		{ RIGHT_REGISTER, SUBJECT_ANYBODY, 0, "door.*" },
	};

	holds(alice, "[\"door.x\"]");
	holds(alice, "[\"gate.x\"]");
	holds(bob, "[\"gate.x\",{\"policy\":\"standby\"}]");
	set_rules(rules, 1);
	heard(alice, "revoked gate.x reload");
	heard(bob, "revoked gate.x reload");
	assert_has(gets(root, "list", "[]"), "[{\"name\":\"door.x\"");
	assert_lacks(text_of(&root->value), "gate");
}

/* ---- update, unregister --------------------------------------------------------------- */

static void test_update_changes_what_it_names(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"summary\":\"s\",\"concurrency\":1,\"tags\":[\"t\"]}]");
	assert_has(gets(alice, "update",
			"[\"door\",{\"summary\":\"longer than before\",\"queue\":7}]"),
		   "\"queue\":7");
	assert_has(described("door"), "\"summary\":\"longer than before\"");
	assert_has(text_of(&root->value),
		   "\"tags\":[\"t\"],\"idempotent\":false,\"concurrency\":1,\"queue\":7");
	fails(alice, "update", "[\"door\",{\"queue\":-1}]", "invalid_argument");
	fails(bob, "update", "[\"door\",{\"queue\":1}]", "api_not_found");
	fails(alice, "update", "[\"gate\",{\"queue\":1}]", "api_not_found");
}

static void test_update_of_concurrency_lets_queued_calls_in(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	for (int i = 0; i < 3; i++)
		ask(bob, "call", "[\"door\",0]");
	heard(alice, "call 1 door 0");
	ask(alice, "update", "[\"door\",{\"concurrency\":2}]");
	assert_has(text_of(&alice->said), "; call 2 door 0");
	assert_lacks(text_of(&alice->said), "call 3");
	buf_clear(&alice->said);
}

static void test_update_of_a_sharer_keeps_the_terms(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	gets(alice, "update", "[\"door\",{\"timeout_ms\":5000}]");
	holds(bob, "[\"door\",{\"policy\":\"share\",\"timeout_ms\":5000}]");
	fails(alice, "update", "[\"door\",{\"timeout_ms\":1000}]", "failed_precondition");
	fails(alice, "update", "[\"door\",{\"policy\":\"exclusive\"}]", "failed_precondition");
	gets(alice, "update", "[\"door\",{\"summary\":\"x\"}]");
}

static void test_unregister_lets_running_calls_finish(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	heard(alice, "call 1 door 1");
	gets(alice, "unregister", "[\"door\"]");
	heard_nothing(bob);
	fails(carol, "call", "[\"door\",2]", "api_not_found");
	answer(alice, 1, "\"done\"");
	heard(bob, "ok 1 \"done\"");
	fails(alice, "unregister", "[\"door\"]", "api_not_found");
}

static void test_unregister_by_an_administrator(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	fails(dave, "unregister", "[\"door\"]", "permission_denied");
	gets(root, "unregister", "[\"door\"]");
	heard(alice, "revoked door admin");
	heard(bob, "revoked door admin");
	fails(carol, "call", "[\"door\"]", "api_not_found");
}

/* ---- pause, resume, drain ------------------------------------------------------------- */

static void test_pause_by_a_provider_refuses_new_calls(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	gets(alice, "pause", "[\"door\"]");
	fails(bob, "call", "[\"door\",1]", "paused");
	assert_has(bob->message, "is paused");
	assert_has(described("door"), "\"state\":\"paused\"");
	heard_nothing(alice);
	gets(alice, "resume", "[\"door\"]");
	ask(bob, "call", "[\"door\",2]");
	heard(alice, "call 1 door 2");
}

static void test_pause_by_a_sharer_is_its_own_part_only(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\"}]");
	gets(alice, "pause", "[\"door\"]");
	ask(dave, "call", "[\"door\",1]");
	ask(dave, "call", "[\"door\",2]");
	heard(bob, "call 1 door 1; call 2 door 2");
	heard_nothing(alice);
	gets(bob, "pause", "[\"door\"]");
	fails(carol, "call", "[\"door\",3]", "paused");
}

static void test_pause_lets_a_standby_carry_on(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	gets(alice, "pause", "[\"door\"]");
	heard(bob, "granted door");
	gets(alice, "resume", "[\"door\"]");
	ask(dave, "call", "[\"door\",1]");
	heard(bob, "call 1 door 1");
	leave(bob);
	heard(alice, "granted door");
}

static void test_pause_lets_queued_calls_wait(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	heard(alice, "call 1 door 1");
	gets(alice, "pause", "[\"door\"]");
	answer(alice, 1, "0");
	heard_nothing(alice);
	heard(bob, "ok 1 0");
	ask(alice, "resume", "[\"door\"]");
	heard(alice, "ok 3 null; call 2 door 2");
}

static void test_pause_by_an_administrator_is_the_whole_name(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	holds(carol, "[\"door\",{\"policy\":\"standby\"}]");
	fails(dave, "pause", "[\"door\"]", "permission_denied");
	gets(root, "pause", "[\"door\"]");
	heard_nothing(carol);
	fails(dave, "call", "[\"door\",1]", "paused");
	fails(dave, "resume", "[\"door\"]", "permission_denied");
	gets(alice, "resume", "[\"door\"]");	/* its own part, which was not paused */
	fails(dave, "call", "[\"door\",1]", "paused");
	gets(root, "resume", "[\"door\"]");
	ask(dave, "call", "[\"door\",2]");
	heard(alice, "call 1 door 2");
	fails(root, "pause", "[\"gate\"]", "api_not_found");
}

static void test_pause_by_an_administrator_holds_the_queue(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	gets(root, "pause", "[\"door\"]");
	answer(alice, 1, "0");
	heard(alice, "call 1 door 1");
	gets(root, "resume", "[\"door\"]");
	heard(alice, "call 2 door 2");
	heard(bob, "ok 1 0");
}

static void test_drain_ends_when_the_queue_has_run(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	heard(alice, "call 1 door 1");
	ask(alice, "drain", "[\"door\"]");
	heard_nothing(alice);
	fails(carol, "call", "[\"door\",3]", "paused");
	assert_has(carol->message, "being drained");
	assert_has(described("door"), "\"state\":\"draining\"");
	answer(alice, 1, "0");
	heard(alice, "call 2 door 2");
	answer(alice, 2, "0");
	heard(alice, "ok 2 null");
	heard(bob, "ok 1 0; ok 2 0");
	fails(carol, "call", "[\"door\",3]", "paused");
	gets(alice, "resume", "[\"door\"]");
	ask(carol, "call", "[\"door\",4]");
	heard(alice, "call 3 door 4");
}

static void test_drain_of_nothing_is_done_at_once(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	gets(alice, "drain", "[\"door\"]");
	gets(alice, "drain", "[\"door\",{\"timeout_ms\":10}]");
	gets(root, "drain", "[\"door\"]");
	fails(alice, "drain", "[\"door\",{\"timeout_ms\":0}]", "invalid_argument");
}

static void test_drain_of_a_holder_hands_the_name_over(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	ask(dave, "call", "[\"door\",1]");
	ask(dave, "call", "[\"door\",2]");
	heard(alice, "call 1 door 1");
	ask(alice, "drain", "[\"door\"]");
	heard(bob, "granted door; call 1 door 2");
	heard_nothing(alice);
	answer(alice, 1, "0");
	heard(alice, "ok 2 null");
	heard(dave, "ok 1 0");
}

static void test_drain_of_a_sharer_leaves_the_queue_to_others(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	holds(bob, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	for (int i = 1; i <= 3; i++)
		ask(dave, "call", "[\"door\",0]");
	heard(alice, "call 1 door 0");
	heard(bob, "call 1 door 0");
	ask(alice, "drain", "[\"door\"]");
	answer(alice, 1, "0");
	heard(alice, "ok 2 null");
	answer(bob, 1, "0");
	heard(bob, "call 2 door 0");
	heard(dave, "ok 1 0; ok 2 0");
}

static void test_drain_by_an_administrator_is_the_whole_name(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	holds(bob, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	for (int i = 1; i <= 3; i++)
		ask(dave, "call", "[\"door\",0]");
	ask(root, "drain", "[\"door\"]");
	fails(carol, "call", "[\"door\",1]", "paused");
	answer(bob, 1, "0");
	heard(bob, "call 1 door 0; call 2 door 0");
	answer(bob, 2, "0");
	heard_nothing(root);
	answer(alice, 1, "0");
	heard(root, "ok 1 null");
	heard(alice, "call 1 door 0");
}

/* Whoever paused it and whoever drains it: the calls that wait are run, then the drain is done. */
static void test_drain_by_an_administrator_runs_what_a_provider_paused(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	heard(alice, "call 1 door 1");
	gets(alice, "pause", "[\"door\"]");
	answer(alice, 1, "0");
	heard_nothing(alice);
	ask(root, "drain", "[\"door\"]");
	heard(alice, "call 2 door 2");
	heard_nothing(root);
	answer(alice, 2, "0");
	heard(bob, "ok 1 0; ok 2 0");
	heard(root, "ok 1 null");
	gets(root, "resume", "[\"door\"]");	/* the provider's pause is its own */
	fails(carol, "call", "[\"door\",3]", "paused");
	gets(alice, "resume", "[\"door\"]");
	ask(carol, "call", "[\"door\",4]");
	heard(alice, "call 3 door 4");
}

static void test_drain_by_a_provider_runs_what_an_administrator_paused(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	heard(alice, "call 1 door 1");
	gets(root, "pause", "[\"door\"]");
	answer(alice, 1, "0");
	heard_nothing(alice);
	ask(alice, "drain", "[\"door\"]");
	heard(alice, "call 2 door 2");
	answer(alice, 2, "0");
	heard(alice, "ok 2 null");
	heard(bob, "ok 1 0; ok 2 0");
}

/* Of sharers the one drains under a pause of the whole name: the queue waits for the other. */
static void test_drain_by_a_sharer_leaves_a_paused_queue_to_the_other(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	holds(bob, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	for (int i = 1; i <= 3; i++)
		ask(dave, "call", "[\"door\",0]");
	heard(alice, "call 1 door 0");
	heard(bob, "call 1 door 0");
	gets(root, "pause", "[\"door\"]");
	ask(alice, "drain", "[\"door\"]");
	answer(bob, 1, "0");
	heard_nothing(bob);
	answer(alice, 1, "0");
	heard(alice, "ok 2 null");
	gets(root, "resume", "[\"door\"]");
	heard(bob, "call 2 door 0");
}

static void test_drain_that_times_out_goes_on_draining(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	heard(alice, "call 1 door 1");
	ask(alice, "drain", "[\"door\",{\"timeout_ms\":50}]");
	pass(49);
	heard_nothing(alice);
	pass(1);
	heard_fail(alice, "deadline_exceeded", "no");
	assert_has(alice->message, "within 50 ms");
	fails(carol, "call", "[\"door\",2]", "paused");
	answer(alice, 1, "0");
	fails(carol, "call", "[\"door\",2]", "paused");
	gets(alice, "resume", "[\"door\"]");
	ask(carol, "call", "[\"door\",3]");
	heard(alice, "call 2 door 3");
}

static void test_drain_that_is_cancelled_goes_on_draining(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	buf_clear(&alice->said);
	ask(alice, "drain", "[\"door\"]");
	say(alice, "[2,\"cancel\",[%u]]", alice->token);
	heard_fail(alice, "cancelled", "no");
	assert_has(alice->message, "resume");
	fails(carol, "call", "[\"door\",2]", "paused");
	answer(alice, 1, "0");
	heard_nothing(alice);
	heard(bob, "ok 1 0");
}

static void test_drain_ends_when_its_holder_gives_up(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	ask(alice, "drain", "[\"door\"]");
	ask(root, "drain", "[\"door\"]");
	holds(carol, "[\"door\",{\"policy\":\"replace\"}]");
	heard(alice, "call 1 door 1; revoked door replaced");
	heard_nothing(root);
	answer(alice, 1, "1");
	heard(alice, "ok 2 null");
	heard(root, "ok 1 null");
}

static void test_drain_ends_with_the_last_queued_call(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	alice->refuses = PARTY_E_FULL;
	ask(bob, "call", "[\"door\",1]");
	ask(alice, "drain", "[\"door\"]");
	heard_nothing(alice);
	cancel(bob, 1);
	heard(bob, "fail 1 cancelled no");
	heard(alice, "ok 2 null");
}

static void test_drain_counts_abandoned_calls(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	cancel(bob, ask(bob, "call", "[\"door\",1]"));
	heard(alice, "call 1 door 1; cancel 1");
	ask(alice, "drain", "[\"door\"]");
	heard_nothing(alice);
	answer(alice, 1, "0");
	heard(alice, "ok 2 null");
}

/* ---- concurrency and queue ------------------------------------------------------------ */

static void test_queue_is_first_come_first_served(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":2,\"queue\":2}]");
	for (int i = 1; i <= 4; i++)
		say(bob, "[0,%d,\"call\",[\"door\",%d]]", i, i);
	heard(alice, "call 1 door 1; call 2 door 2");
	answer(alice, 2, "0");
	heard(alice, "call 3 door 3");
	say(carol, "[0,1,\"call\",[\"door\",5]]");
	answer(alice, 1, "0");
	heard(alice, "call 4 door 4");
	answer(alice, 3, "0");
	heard(alice, "call 5 door 5");
	heard(bob, "ok 2 0; ok 1 0; ok 3 0");
	assert_has(described("door"), "\"calls\":3,\"failed\":0,\"running\":2,\"queued\":0");
}

/* As an edge that has read several messages: what the first of them does, the others meet. */
static void expects(struct edge *e, const char *const *texts, size_t n)
{
	struct message messages[ROUTER_EXPECT_MAX];
	struct buf bufs[ROUTER_EXPECT_MAX] = { 0 };
	struct value_fault fault;
	size_t used;

	assert_true(n <= ROUTER_EXPECT_MAX);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(value_from_json(span_str(texts[i]), MP_MESSAGE_DEPTH_MAX, &bufs[i],
						 &fault), 0);
		assert_int_equal(message_read_usual(buf_span(&bufs[i]), 4096, &messages[i], &used),
				 0);
	}
	router_expect(world.router, &e->party, messages, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(router_message(world.router, &e->party, &messages[i], &world.now),
				 0);
		buf_deinit(&bufs[i]);
	}
}

static void test_messages_that_are_expected_are_handled_in_turn(void **state UNUSED)
{
	static const char *const texts[] = {
		"[0,10001,\"call\",[\"function.7\",1]]",
		"[0,10002,\"call\",[\"function.8\",2]]",
		"[0,10003,\"unregister\",[\"function.8\"]]",
		"[0,10004,\"call\",[\"function.8\",4]]",
		"[0,10005,\"pause\",[\"function.7\"]]",
		"[0,10006,\"call\",[\"function.7\",6]]",
		"[0,10007,\"call\",[7]]",
		"[1,4294967295,null,0]",
	};
	char params[40];

	for (unsigned int i = 0; i < 1000; i++) {	/* so many that it is worth while */
		snprintf(params, sizeof(params), "[\"function.%u\"]", i);
		holds(alice, params);
	}
	expects(alice, texts, ARRAY_SIZE(texts));
	heard(alice, "call 1 function.7 1; call 2 function.8 2; ok 10003 null; "
		     "fail 10004 api_not_found no; ok 10005 null; "
		     "fail 10006 paused no; fail 10007 invalid_argument no");
}

static void test_queue_that_is_full_is_busy_and_says_when_to_come(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1,\"queue\":1}]");
	ask(bob, "call", "[\"door\",1]");
	pass(700);
	answer(alice, 1, "0");
	heard(bob, "ok 1 0");
	ask(bob, "call", "[\"door\",2]");
	ask(bob, "call", "[\"door\",3]");
	heard_nothing(bob);
	fails(bob, "call", "[\"door\",4]", "busy");
	assert_string_equal(text_of(&bob->value), "{\"retry_after_ms\":700}");
	heard(alice, "call 1 door 1; call 2 door 2");
	answer(alice, 2, "0");
	heard(alice, "call 3 door 3");
}

static void test_queue_of_none_is_busy_at_once(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1,\"queue\":0}]");
	ask(bob, "call", "[\"door\",1]");
	fails(carol, "call", "[\"door\",2]", "busy");
	assert_string_equal(text_of(&carol->value), "{\"retry_after_ms\":1000}");
}

static void test_provider_that_does_not_read_gets_its_calls_later(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"queue\":2}]");
	holds(bob, "[\"gate\"]");
	alice->refuses = PARTY_E_FULL;
	ask(carol, "call", "[\"door\",1]");
	ask(carol, "call", "[\"door\",2]");
	fails(dave, "call", "[\"door\",3]", "busy");
	ask(dave, "call", "[\"gate\",4]");
	heard(bob, "call 1 gate 4");
	alice->refuses = 0;
	answer(bob, 1, "0");
	heard_nothing(alice);
	router_writable(world.router, &alice->party, &world.now);
	heard(alice, "call 1 door 1; call 2 door 2");
}

static void test_provider_that_does_not_read_leaves_calls_to_sharers(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\"}]");
	holds(bob, "[\"door\",{\"policy\":\"share\"}]");
	alice->refuses = PARTY_E_FULL;
	ask(carol, "call", "[\"door\",1]");
	ask(carol, "call", "[\"door\",2]");
	heard(bob, "call 1 door 1; call 2 door 2");
	heard_nothing(alice);
}

static void test_abandoned_call_keeps_its_place(void **state UNUSED)
{
	holds(alice, "[\"motor\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"motor\",1,{\"timeout_ms\":100}]");
	ask(carol, "call", "[\"motor\",2]");
	heard(alice, "call 1 motor 1");
	pass(100);
	heard(bob, "fail 1 deadline_exceeded unknown");
	heard(alice, "cancel 1");
	leave(bob);
	pass(1000);
	heard_nothing(alice);			/* never started twice */
	assert_has(described("motor"), "\"running\":1,\"queued\":1");
	answer(alice, 1, "0");
	heard(alice, "call 2 motor 2");
	answer(alice, 2, "0");
	heard(carol, "ok 1 0");
}

static void test_abandoned_call_is_over_when_its_provider_leaves(void **state UNUSED)
{
	holds(alice, "[\"motor\",{\"policy\":\"share\",\"concurrency\":1}]");
	cancel(bob, ask(bob, "call", "[\"motor\",1]"));
	heard(bob, "fail 1 cancelled unknown");
	assert_has(gets(root, "status", "[]"),
		   "\"calls\":{\"running\":0,\"queued\":0,\"abandoned\":1}");
	leave(alice);
	heard_nothing(bob);
	assert_has(gets(root, "status", "[]"),
		   "\"calls\":{\"running\":0,\"queued\":0,\"abandoned\":0}");
}

static void test_abandoned_calls_beyond_the_limit_make_an_offender(void **state UNUSED)
{
	holds(alice, "[\"motor\"]");
	for (int i = 0; i < 1024; i++)
		cancel(bob, ask(bob, "call", "[\"motor\"]"));
	assert_null(router_next_offender(world.router));
	answer(alice, 1, "0");
	cancel(bob, ask(bob, "call", "[\"motor\"]"));
	assert_null(router_next_offender(world.router));
	cancel(bob, ask(bob, "call", "[\"motor\"]"));
	assert_ptr_equal(router_next_offender(world.router), &alice->party);
	assert_null(router_next_offender(world.router));
}

static void test_abandoned_calls_beyond_a_limit_that_was_lowered(void **state UNUSED)
{
	struct router_limits l = limits();

	holds(alice, "[\"motor\"]");
	for (int i = 0; i < 5; i++)
		cancel(bob, ask(bob, "call", "[\"motor\"]"));
	l.abandoned_per_peer = 2;
	set_limits(l);
	assert_null(router_next_offender(world.router));
	cancel(bob, ask(bob, "call", "[\"motor\"]"));
	assert_ptr_equal(router_next_offender(world.router), &alice->party);
	assert_null(router_next_offender(world.router));
}

static void test_offender_that_leaves_by_itself_is_none(void **state UNUSED)
{
	struct router_limits l = limits();

	l.abandoned_per_peer = 0;
	set_limits(l);
	holds(alice, "[\"motor\"]");
	cancel(bob, ask(bob, "call", "[\"motor\"]"));
	leave(alice);
	assert_null(router_next_offender(world.router));
}

/* ---- names and the life of processes -------------------------------------------------- */

static void test_names_are_free_when_the_process_ends(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	holds(alice, "[\"gate\"]");
	ask(bob, "call", "[\"door\",1]");
	leave(alice);
	heard(bob, "fail 1 provider_gone unknown");
	holds(carol, "[\"door\"]");
	fails(bob, "call", "[\"gate\",1]", "api_not_found");
}

static void test_queued_calls_end_with_the_last_holder(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	leave(alice);
	heard(bob, "fail 1 provider_gone unknown; fail 2 provider_gone no");
}

static void test_queued_calls_go_to_the_standby(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	for (int i = 1; i <= 3; i++)
		say(carol, "[0,%d,\"call\",[\"door\",%d]]", i, i);
	leave(alice);
	heard(carol, "fail 1 provider_gone unknown");
	heard(bob, "granted door; call 1 door 2; call 2 door 3");
}

static void test_queued_calls_go_to_the_replacer(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(carol, "call", "[\"door\",1]");
	ask(carol, "call", "[\"door\",2]");
	ask(bob, "register", "[\"door\",{\"policy\":\"replace\"}]");
	assert_has(text_of(&bob->said), "; call 1 door 2");
	buf_clear(&bob->said);
	answer(alice, 1, "0");
	answer(bob, 1, "1");
	heard(carol, "ok 1 0; ok 2 1");
}

static void test_queued_calls_go_to_the_sharer(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"policy\":\"share\",\"concurrency\":1}]");
	ask(carol, "call", "[\"door\",1]");
	ask(carol, "call", "[\"door\",2]");
	ask(bob, "register", "[\"door\",{\"policy\":\"share\"}]");
	assert_has(text_of(&bob->said), "; call 1 door 2");
	buf_clear(&bob->said);
}

static void test_queued_calls_are_held_against_the_new_params(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1,\"params\":{\"type\":\"integer\"}}]");
	holds(bob,
	      "[\"door\",{\"policy\":\"standby\",\"params\":{\"type\":\"integer\","
	      "\"maximum\":2}}]");
	for (int i = 1; i <= 3; i++)
		say(carol, "[0,%d,\"call\",[\"door\",%d]]", i, i);
	leave(alice);
	heard(bob, "granted door; call 1 door 2");
	heard(carol, "fail 1 provider_gone unknown; fail 3 invalid_argument no");
	assert_has(carol->message, "new provider");
}

static void test_queued_remote_calls_do_not_reach_a_local_heir(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	holds(bob, "[\"door\",{\"policy\":\"standby\",\"visibility\":\"local\"}]");
	ask_far(1, "door", 0, false);
	ask_far(2, "door", 0, false);
	leave(alice);
	heard(far, "fail 1 provider_gone unknown; fail 2 api_not_found no");
	heard(bob, "granted door");
}

static void test_caller_of_its_own_function_may_leave(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(alice, "call", "[\"door\",1]");
	ask(alice, "call", "[\"door\",2]");
	ask(alice, "call", "[\"door\",3,{\"oneway\":true}]");
	heard(alice, "call 1 door 1; ok 4 null");
	leave(alice);
	heard_nothing(alice);
}

/* Each call takes long to be held against the heir's description: some have to wait for a later
 * turn. */
static void test_queued_calls_are_given_out_a_few_in_a_turn(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf call = BUF_NULL;
	int turns = 0;

	holds(alice, "[\"door\",{\"concurrency\":1,\"queue\":20}]");
	holds(bob, "[\"door\",{\"policy\":\"standby\",\"params\":{\"items\":"
	      "{\"enum\":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]}}}]");
	for (uint32_t i = 1; i <= 12; i++) {
		buf_clear(&call);
		mp_put_array(&call, 4);
		mp_put_uint(&call, 0);
		mp_put_uint(&call, i);
		mp_put_str(&call, "call");
		mp_put_array(&call, 2);
		mp_put_str(&call, "door");
		mp_put_array(&call, 10000);
		for (int k = 0; k < 10000; k++)
			mp_put_uint(&call, 15);
		assert_int_equal(say_bytes(carol, &call), 0);
	}
	leave(alice);
	while (bob->n_handled < 11) {
		unsigned int before = bob->n_handled;

		assert_true(router_next_ms(world.router) <= world.now.ms);
		router_expire(world.router, &world.now);
		assert_in_range(bob->n_handled - before, 1, 3);
		turns++;
	}
	assert_in_range(turns, 3, 11);
	for (unsigned int i = 1; i <= 11; i++)
		answer(bob, i, "0");
	assert_has(text_of(&carol->said), "fail 1 provider_gone unknown");
	assert_has(text_of(&carol->said), "ok 12 0");
	buf_clear(&bob->said);
	buf_clear(&carol->said);
}

/* ---- who sees what -------------------------------------------------------------------- */

static void test_visibility_local_hides_a_name_from_the_hub_side(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"visibility\":\"local\"}]");
	holds(alice, "[\"gate\"]");
	ask_far(1, "door", 0, false);
	heard(far, "fail 1 api_not_found no");
	ask_far(2, "chapi.list", 0, false);
	assert_has(text_of(&far->value), "[{\"name\":\"gate\"");
	assert_lacks(text_of(&far->value), "door");
	buf_clear(&far->said);
	ask_far(3, "gate", 0, false);
	heard(alice, "call 1 gate 7");
	assert_string_equal(alice->caller, "claimed:phone");
	assert_string_equal(alice->label, "far-1");
	assert_int_equal(alice->meta.origin, PARTY_REMOTE);
	ask_far(4, "chapi.status", 0, false);
	heard(far, "fail 4 api_not_found no");
}

static void test_visibility_has_a_default_that_is_a_setting(void **state UNUSED)
{
	struct router_limits l = limits();

	router_set_limits(world.router, &l, true);
	assert_has(holds(alice, "[\"door\"]"), "\"visibility\":\"local\"");
	assert_has(holds(alice, "[\"gate\",{\"visibility\":\"remote\"}]"),
		   "\"visibility\":\"remote\"");
}

static void test_call_needs_the_right(void **state UNUSED)
{
	static const struct policy_rule rules[] = {
		{ RIGHT_CALL, SUBJECT_USER, 2000, "door" },
		{ RIGHT_LIST, SUBJECT_ANYBODY, 0, "door" },
	};

	holds(alice, "[\"door\"]");
	holds(alice, "[\"safe\"]");
	set_rules(rules, ARRAY_SIZE(rules));
	fails(bob, "call", "[\"door\"]", "permission_denied");
	fails(bob, "call", "[\"safe\"]", "api_not_found");
	fails(bob, "call", "[\"chapi.ping\"]", "api_not_found");
	fails(bob, "describe", "[\"safe\"]", "api_not_found");
	fails(bob, "stats", "[\"safe\"]", "api_not_found");
	assert_has(gets(bob, "list", "[]"), "[{\"name\":\"door\"");
	assert_lacks(text_of(&bob->value), "safe");
	ask(dave, "call", "[\"door\",1]");
	heard(alice, "call 1 door 1");
}

static void test_list_is_sorted_and_filtered(void **state UNUSED)
{
	holds(alice, "[\"zoo\",{\"summary\":\"animals\"}]");
	holds(alice, "[\"door.b\"]");
	holds(bob, "[\"door.a\",{\"policy\":\"share\"}]");
	holds(carol, "[\"door.a\",{\"policy\":\"share\"}]");
	assert_string_equal(
		gets(dave, "list", "[\"door.*\"]"),
		"[{\"name\":\"door.a\",\"summary\":\"\",\"state\":\"active\",\"policy\":\"share\","
		"\"visibility\":\"remote\",\"providers\":2},"
		"{\"name\":\"door.b\",\"summary\":\"\",\"state\":\"active\","
		"\"policy\":\"exclusive\","
		"\"visibility\":\"remote\",\"providers\":1}]");
	assert_has(gets(dave, "list", "[]"), "\"name\":\"zoo\",\"summary\":\"animals\"");
	assert_has(gets(dave, "list", "[null,{\"long\":true}]"), "\"queue\":64");
	assert_has(gets(dave, "list", "[\"chapi.*\"]"), "\"name\":\"chapi.time\"");
	assert_string_equal(gets(dave, "list", "[\"nothing\"]"), "[]");
}

static void test_list_that_is_too_large_is_refused(void **state UNUSED)
{
	struct router_limits l = limits();

	holds(alice, "[\"door\"]");
	l.max_message = 20;
	set_limits(l);
	fails(bob, "list", "[]", "too_large");
	assert_has(text_of(&bob->value), ",\"max_message\":20}");
	fails(bob, "describe", "[\"door\"]", "too_large");
}

static void test_describe_tells_all(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"description\":\"opens\"}]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	gets(bob, "hello", "[{\"client\":\"spare\"}]");
	ask(carol, "call", "[\"door\",1]");
	assert_has(described("door"), "\"params\":null,\"result\":null,\"calls\":0,\"failed\":0,"
		   "\"running\":1,\"queued\":0");
	assert_has(
		text_of(&root->value),
		"\"holders\":[{\"caller\":\"uid:1000\",\"client\":\"\","
		"\"state\":\"active\",\"running\":1},{\"caller\":\"uid:1000\",\"client\":\"spare\","
		"\"state\":\"standby\",\"running\":0}]");
	assert_has(gets(dave, "call", "[\"chapi.describe\",{\"name\":\"door\"}]"), "\"opens\"");
	assert_has(gets(dave, "describe", "[\"chapi.ping\"]"), "says pong");
	assert_has(text_of(&dave->value), "\"description\":\"\",\"version\":\"\",\"tags\":[],"
		   "\"idempotent\":true");
	assert_has(text_of(&dave->value), "\"params\":null,\"result\":null,\"calls\":0");
	fails(dave, "describe", "[\"gate\"]", "api_not_found");
	fails(dave, "describe", "[\"chapi.pong\"]", "api_not_found");
}

static void test_stats_count_calls(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	pass(10);
	answer(alice, 1, "0");
	pass(30);
	answer_error(alice, 2, "\"no\"");
	assert_has(gets(root, "stats", "[\"door\"]"), "{\"name\":\"door\",\"calls\":2,\"failed\":1,"
		   "\"running\":0,\"queued\":0,\"run_ms_average\":20.0,\"run_ms_most\":30.0,"
		   "\"queue_ms_most\":10.0");
	assert_has(gets(root, "stats", "[]"), "\"apis\":{\"door\":{\"calls\":2");
	assert_has(text_of(&root->value), "\"calls\":2,\"calls_failed\":1,\"calls_queued\":1");
	fails(root, "stats", "[\"gate\"]", "api_not_found");
}

static void test_status_shows_the_gateway(void **state UNUSED)
{
	const char *status;

	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	pass(1500);
	status = gets(root, "status", "[]");
	assert_has(status, "{\"name\":\"north\",\"version\":\"1.2.3\",\"protocol\":1,"
		   "\"instance\":\"0123456789abcdef0123456789abcdef\",\"uptime\":1.5,\"hub\":null,"
		   "\"peers\":5,\"apis\":1,\"calls\":{\"running\":1,\"queued\":0,\"abandoned\":0}");
	assert_has(status, "\"limits\":{\"calls_per_peer\":4096,\"names_per_peer\":1024,"
		   "\"abandoned_per_peer\":1024,\"pinned_per_peer\":16777216,"
		   "\"pinned_total\":67108864,\"max_message\":4194304,\"output_per_peer\":8388608,"
		   "\"stalled_after_ms\":30000,\"peers\":1000}");
	assert_has(gets(root, "call", "[\"chapi.status\"]"), "\"peers\":5");
}

static void test_builtins_answer(void **state UNUSED)
{
	assert_string_equal(gets(alice, "call", "[\"chapi.ping\"]"), "\"pong\"");
	assert_string_equal(gets(alice, "call", "[\"chapi.echo\",{\"a\":[1]}]"), "{\"a\":[1]}");
	assert_string_equal(gets(alice, "call", "[\"chapi.time\"]"), "1700000000.0");
	assert_has(gets(alice, "call", "[\"chapi.version\"]"), "\"version\":\"1.2.3\"");
	assert_string_equal(gets(alice, "call", "[\"chapi.list\",{\"pattern\":\"x*\"}]"), "[]");
	assert_string_equal(gets(alice, "call", "[\"chapi.ping\",0,{\"oneway\":true}]"), "null");
	assert_has(gets(alice, "call", "[\"chapi.ping\",0,{\"full\":true}]"),
		   "\"result\":\"pong\"");
	fails(alice, "call", "[\"chapi.pong\"]", "api_not_found");
	fails(alice, "call", "[\"chapi.describe\",7]", "invalid_argument");
}

static void test_hello_tells_who_is_there(void **state UNUSED)
{
	assert_has(
		gets(dave, "hello",
		     "[{\"client\":\"c\",\"version\":\"1\",\"protocol\":1,"
		     "\"app_key\":\"the-key\"}]"),
		"\"gateway\":\"chapi-gw\",\"version\":\"1.2.3\","
		"\"protocol\":1,\"name\":\"north\","
		"\"instance\":\"0123456789abcdef0123456789abcdef\","
		"\"uid\":2000,\"limits\":{\"calls_per_peer\":4096");
	gets(dave, "hello", "[]");
}

static void test_administration_needs_the_right(void **state UNUSED)
{
	fails(alice, "reload", "[]", "permission_denied");
	fails(alice, "log_level", "[\"debug\"]", "permission_denied");
	fails(alice, "doctor", "[]", "permission_denied");
	assert_string_equal(gets(root, "reload", "[]"), "{}");
	assert_string_equal(gets(root, "log_level", "[\"debug\"]"), "null");
	fails(root, "log_level", "[\"loud\"]", "invalid_argument");
	assert_string_equal(gets(root, "doctor", "[]"), "[]");
}

/* ---- calls ---------------------------------------------------------------------------- */

static void test_reload_that_fails_says_why(void **state UNUSED)
{
	world.reload_rc = -EINVAL;
	fails(root, "reload", "[]", "failed_precondition");
	assert_has(root->message, "line 7 is bad");
}

static void test_call_reaches_its_provider_with_all_there_is_to_know(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"timeout_ms\":400}]");
	ask(dave, "call", "[\"door\",{\"caller\":\"uid:0\"},{\"id\":\"my-label\"}]");
	heard(alice, "call 1 door {\"caller\":\"uid:0\"}");
	assert_string_equal(alice->caller, "uid:2000");
	assert_string_equal(alice->label, "my-label");
	assert_int_equal(alice->meta.origin, PARTY_LOCAL);
	assert_int_equal(alice->meta.timeout_ms, 400);
	assert_true(alice->meta.request_time == 1700000000.0);
	assert_false(alice->meta.progress || alice->meta.oneway);
	answer(alice, 1, "{\"x\":[null]}");
	heard(dave, "ok 1 {\"x\":[null]}");
	ask(dave, "call", "[\"door\"]");
	heard(alice, "call 2 door {}");
	assert_string_equal(alice->label, "01234567-1");
}

static void test_call_options_have_limits(void **state UNUSED)
{
	static const char *const bad[] = {
		"[7]",
		"[]",
		"[\"door\",1,2]",
		"[\"door\",1,{\"timeout_ms\":0}]",
		"[\"door\",1,{\"timeout_ms\":-1}]",
		"[\"door\",1,{\"id\":\"\"}]",
		"[\"door\",1,{\"full\":1}]",
		"[\"do or\",1]",
		"[\"door\",1,{\"oneway\":true,\"progress\":true}]",
		"[\"door\",1,{},{}]",
	};

	holds(alice, "[\"door\",{\"timeout_max_ms\":500}]");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		fails(bob, "call", bad[i], "invalid_argument");
	ask(bob, "call", "[\"door\",1,{\"timeout_ms\":9000,\"what\":1}]");
	heard(alice, "call 1 door 1");
	assert_int_equal(alice->meta.timeout_ms, 500);
	ask(bob, "call", "[\"door\",1,null]");
	assert_int_equal(alice->meta.timeout_ms, 500);
}

static void test_call_params_may_be_24_deep(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]");
	heard(alice, "call 1 door [[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]");
	answer(alice, 1, "[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]");
	heard(bob, "ok 1 [[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]");
}

static void test_params_are_checked_before_the_call(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"params\":{\"type\":\"object\",\"required\":[\"n\"],"
	      "\"properties\":{\"n\":{\"type\":\"integer\",\"minimum\":1}}}}]");
	fails(bob, "call", "[\"door\",{\"n\":0}]", "invalid_argument");
	assert_has(bob->message, "params.n");
	fails(bob, "call", "[\"door\",{}]", "invalid_argument");
	fails(bob, "call", "[\"door\",[]]", "invalid_argument");
	heard_nothing(alice);
	ask(bob, "call", "[\"door\",{\"n\":1.0,\"more\":null}]");
	heard(alice, "call 1 door {\"n\":1.0,\"more\":null}");
}

static void test_deadline_travels_less_what_was_spent_in_the_queue(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2,{\"timeout_ms\":1000}]");
	pass(400);
	answer(alice, 1, "0");
	heard(alice, "call 1 door 1; call 2 door 2");
	assert_int_equal(alice->meta.timeout_ms, 600);
	pass(599);
	heard(bob, "ok 1 0");
	pass(1);
	heard(bob, "fail 2 deadline_exceeded unknown");
	heard(alice, "cancel 2");
}

static void test_remote_call_options_have_limits(void **state UNUSED)
{
	char label[65];
	struct router_call call = {
		.token = 1, .api = span_str("door"), .params = span_of("\xc0", 1), .timeout_ms = -1,
	};

	holds(alice, "[\"door\"]");
	router_call(world.router, &far->party, &call, &world.now);
	heard(far, "fail 1 invalid_argument no");
	memset(label, 'x', sizeof(label));
	call.timeout_ms = 0;
	call.call = span_of(label, sizeof(label));
	router_call(world.router, &far->party, &call, &world.now);
	heard(far, "fail 1 invalid_argument no");
	call.call = span_of(NULL, 0);
	router_call(world.router, &far->party, &call, &world.now);
	heard(alice, "call 1 door null");
	assert_string_equal(alice->label, "01234567-1");
	assert_string_equal(alice->caller, "uid:0");
}

static void test_deadline_passes_in_the_queue(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2,{\"timeout_ms\":100}]");
	ask(bob, "call", "[\"door\",3]");
	pass(100);
	heard(bob, "fail 2 deadline_exceeded no");
	heard(alice, "call 1 door 1");
	answer(alice, 1, "0");
	heard(alice, "call 2 door 3");
}

static void test_cancel_is_answered_and_translated(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	cancel(bob, 2);
	heard(bob, "fail 2 cancelled no");
	heard(alice, "call 1 door 1");
	cancel(bob, 1);
	heard(bob, "fail 1 cancelled unknown");
	heard(alice, "cancel 1");
	answer(alice, 1, "0");
	heard_nothing(bob);
	assert_int_equal(router_counters(world.router)->responses_ignored, 0);
}

static void test_cancel_of_another_or_nothing_is_ignored(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	cancel(carol, 1);
	cancel(bob, 7);
	heard(alice, "call 1 door 1");
	answer(alice, 1, "0");
	cancel(bob, 1);
	heard(bob, "ok 1 0");
	say(bob, "[2,\"cancel\",[\"x\"]]");
	say(bob, "[2,\"unheard-of\",[]]");
	assert_int_equal(router_counters(world.router)->notifications_ignored, 2);
}

static void test_cancel_when_the_caller_leaves(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	ask(carol, "call", "[\"door\",3]");
	leave(bob);
	heard(alice, "call 1 door 1; cancel 1");
	answer(alice, 1, "0");
	heard(alice, "call 2 door 3");
	heard_nothing(bob);
}

static void test_cancel_of_a_remote_call(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask_far(5, "door", 0, false);
	router_cancel(world.router, &far->party, 5, &world.now);
	heard(far, "fail 5 cancelled unknown");
	heard(alice, "call 1 door 7; cancel 1");
	router_cancel(world.router, &far->party, 5, &world.now);
	heard_nothing(far);
}

static void test_progress_only_if_asked_for_and_not_after_the_answer(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1,{\"progress\":true}]");
	assert_true(alice->meta.progress);
	ask(bob, "call", "[\"door\",2]");
	assert_false(alice->meta.progress);
	say(alice, "[2,\"progress\",[%u,{\"done\":1}]]", alice->ids[0]);
	heard(bob, "progress 1 {\"done\":1}");
	say(alice, "[2,\"progress\",[%u,5]]", alice->ids[1]);
	heard_nothing(bob);
	say(carol, "[2,\"progress\",[%u,5]]", alice->ids[0]);	/* not its call */
	heard_nothing(bob);
	answer(alice, 1, "0");
	say(alice, "[2,\"progress\",[%u,5]]", alice->ids[0]);
	heard(bob, "ok 1 0");
	assert_int_equal(router_counters(world.router)->progress_dropped, 3);
	say(alice, "[2,\"progress\",[1]]");
	assert_int_equal(router_counters(world.router)->notifications_ignored, 1);
}

static void test_progress_of_an_abandoned_call_is_dropped(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	cancel(bob, ask(bob, "call", "[\"door\",1,{\"progress\":true}]"));
	heard(bob, "fail 1 cancelled unknown");
	say(alice, "[2,\"progress\",[%u,5]]", alice->ids[0]);
	heard_nothing(bob);
}

static void test_oneway_is_answered_when_it_is_handed_over(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1,\"queue\":1}]");
	assert_string_equal(gets(bob, "call", "[\"door\",1,{\"oneway\":true}]"), "null");
	assert_true(alice->meta.oneway);
	gets(bob, "call", "[\"door\",2,{\"oneway\":true}]");
	fails(bob, "call", "[\"door\",3,{\"oneway\":true}]", "busy");
	cancel(bob, 1);
	leave(bob);
	heard(alice, "call 1 door 1");
	answer(alice, 1, "\"nobody hears this\"");
	heard(alice, "call 2 door 2");
	answer_error(alice, 2, "\"nor this\"");
	assert_int_equal(router_counters(world.router)->oneways_lost, 1);
}

static void test_oneway_that_is_lost_is_counted(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	gets(root, "monitor", "[{\"kinds\":[\"response\"]}]");
	gets(bob, "call", "[\"door\",1,{\"oneway\":true}]");
	gets(bob, "call", "[\"door\",2,{\"oneway\":true,\"timeout_ms\":10}]");
	pass(10);
	assert_has(text_of(&root->said), "\"deadline_exceeded\"");
	buf_clear(&root->said);
	leave(alice);
	assert_has(text_of(&root->said), "\"provider_gone\"");
	buf_clear(&root->said);
	assert_int_equal(router_counters(world.router)->oneways_lost, 2);
	heard_nothing(bob);
}

static void test_oneway_to_oneself_is_lost_when_one_leaves(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	gets(root, "monitor", "[{\"kinds\":[\"response\"]}]");
	ask(alice, "call", "[\"door\",1,{\"oneway\":true,\"id\":\"running\"}]");
	ask(alice, "call", "[\"door\",2,{\"oneway\":true,\"id\":\"queued\"}]");
	leave(alice);
	assert_has(text_of(&root->said), "\"id\":\"running\",\"api\":\"door\",\"error\":{\"code\":"
		   "\"provider_gone\"");
	assert_has(text_of(&root->said), "\"id\":\"queued\",\"api\":\"door\",\"error\":{\"code\":"
		   "\"provider_gone\"");
	buf_clear(&root->said);
	assert_int_equal(router_counters(world.router)->oneways_lost, 2);
}

static void test_oneway_may_be_full(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	assert_has(gets(bob, "call", "[\"door\",1,{\"oneway\":true,\"full\":true,\"id\":\"L\"}]"),
		   "{\"id\":\"L\",\"api\":\"door\",\"result\":null,\"error\":null,");
	answer(alice, 1, "5");
	heard_nothing(bob);
	assert_has(gets(bob, "call", "[\"gate\",1,{\"oneway\":true,\"full\":true}]"),
		   "\"error\":{\"code\":\"api_not_found\"");
}

static void test_full_gives_the_whole_record(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2,{\"full\":true,\"id\":\"L\"}]");
	pass(250);
	answer(alice, 1, "0");
	heard(bob, "ok 1 0");
	pass(500);
	answer(alice, 2, "{\"r\":1}");
	heard(bob,
	      "ok 2 {\"id\":\"L\",\"api\":\"door\",\"result\":{\"r\":1},\"error\":null,"
	      "\"request_time\":1700000000.0,\"response_time\":1700000000.75,\"queue_ms\":250.0,"
	      "\"run_ms\":500.0,\"gateway\":\"north\","
	      "\"instance\":\"0123456789abcdef0123456789abcdef\"}");
}

static void test_full_has_the_error_in_it(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1,{\"full\":true}]");
	answer_error(alice, 1, "{\"code\":\"jam\",\"message\":\"stuck\",\"details\":{\"n\":1}}");
	assert_has(text_of(&bob->said),
		   "ok 1 {\"id\":\"01234567-1\",\"api\":\"door\",\"result\":null,"
		   "\"error\":{\"code\":\"api_error\",\"message\":\"stuck\",\"ran\":\"yes\","
		   "\"details\":{\"code\":\"jam\",\"n\":1}},\"request_time\":");
	buf_clear(&bob->said);
	assert_has(gets(bob, "call", "[\"gate\",1,{\"full\":true}]"), "\"code\":\"api_not_found\"");
}

static void test_id_that_is_used_twice_ends_the_connection(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	say(bob, "[0,5,\"call\",[\"door\",1]]");
	assert_int_equal(say_text(bob, "[0,5,\"status\",[]]"), ROUTER_E_CLOSE);
	heard(bob, "fail 5 bad_message no");
	heard(alice, "call 1 door 1");
	say(carol, "[0,6,\"wait\",[[\"gate\"]]]");
	assert_int_equal(say_text(carol, "[0,6,\"call\",[\"door\",2]]"), ROUTER_E_CLOSE);
	heard(carol, "fail 6 bad_message no");
	say(dave, "[0,5,\"call\",[\"door\",3]]");	/* each side counts for itself */
	heard(alice, "call 2 door 3");
}

static void test_id_that_is_used_twice_by_what_cannot_be_read(void **state UNUSED)
{
	say(bob, "[0,5,\"wait\",[\"door\"]]");
	router_unreadable(world.router, &bob->party, MESSAGE_REQUEST, 5, "at .y", &world.now);
	heard(bob, "fail 5 bad_message no");
	assert_ptr_equal(router_next_offender(world.router), &bob->party);
	leave(bob);
	heard_nothing(bob);
}

static void test_id_is_free_again_when_it_is_answered(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	say(bob, "[0,5,\"call\",[\"door\",1]]");
	answer(alice, 1, "1");
	say(bob, "[0,5,\"call\",[\"door\",2]]");
	cancel(bob, 5);
	say(bob, "[0,5,\"call\",[\"door\",3]]");
	answer(alice, 2, "2");			/* of an abandoned one: reaches nobody */
	answer(alice, 3, "3");
	heard(bob, "ok 5 1; fail 5 cancelled unknown; ok 5 3");
}

static void test_answer_counts_once_and_from_its_provider_only(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	say(carol, "[1,%u,null,\"mine\"]", alice->ids[0]);
	heard_nothing(bob);
	answer(alice, 1, "0");
	answer(alice, 1, "1");
	say(alice, "[1,4000000000,null,1]");
	heard(bob, "ok 1 0");
	assert_int_equal(router_counters(world.router)->responses_ignored, 3);
}

/* ---- each row of the table of errors -------------------------------------------------- */

static void assert_row(const char *code, const char *ran, int exit_status)
{
	const struct error_info *info = error_info_by_name(span_str(code));

	assert_non_null(info);
	assert_string_equal(chapi_ran_name(info->ran), ran);
	assert_int_equal(info->exit_status, exit_status);
}

/* bob calls "door", alice answers with this error. */
static void provider_says(const char *error, const char *code, const char *ran)
{
	if (!alice->party.n_registrations)
		holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	answer_error(alice, alice->n_handled, error);
	heard_fail(bob, code, ran);
	buf_clear(&alice->said);
}

static void test_error_api_error_ran_yes(void **state UNUSED)
{
	provider_says("\"it is stuck\"", "api_error", "yes");
	assert_string_equal(bob->message, "it is stuck");
	provider_says("{\"code\":\"no_door\",\"message\":\"m\",\"details\":{\"a\":1}}", "api_error",
		      "yes");
	assert_string_equal(text_of(&bob->value), "{\"code\":\"no_door\",\"a\":1}");
	ask(bob, "call", "[\"door\",1]");
	say(alice, "[1,%u,\"error counts\",\"not the result\"]", alice->ids[alice->n_handled - 1]);
	heard_fail(bob, "api_error", "yes");
	assert_row("api_error", "yes", 1);
}

static void test_error_invalid_argument_ran_no(void **state UNUSED)
{
	fails(bob, "no_such_method", "[]", "invalid_argument");
	assert_has(bob->message, "call, describe");
	fails(bob, "status", "[1]", "invalid_argument");
	provider_says("{\"code\":\"invalid_argument\",\"message\":\"m\"}", "invalid_argument",
		      "no");
	alice->refuses = PARTY_E_INEXPRESSIBLE;
	fails(bob, "call", "[\"door\",1]", "invalid_argument");
	assert_has(bob->message, "at .x");
	router_unreadable(world.router, &bob->party, MESSAGE_REQUEST, 77, "at .y", &world.now);
	heard(bob, "fail 77 invalid_argument no");
	assert_row("invalid_argument", "no", 65);
}

static void test_error_api_not_found_ran_no(void **state UNUSED)
{
	fails(bob, "call", "[\"door\",1]", "api_not_found");
	assert_row("api_not_found", "no", 67);
}

static void test_error_api_exists_ran_no(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	fails(bob, "register", "[\"door\"]", "api_exists");
	assert_row("api_exists", "no", 73);
}

static void test_error_permission_denied_ran_no(void **state UNUSED)
{
	fails(bob, "publish", "[\"news\",\"e\",1]", "permission_denied");
	provider_says("{\"code\":\"permission_denied\"}", "permission_denied", "no");
	assert_row("permission_denied", "no", 77);
}

/* Proofs are the hub side's; a provider's word for it is its own. */
static void test_error_unauthenticated_ran_no(void **state UNUSED)
{
	assert_row("unauthenticated", "no", 77);
	provider_says("{\"code\":\"unauthenticated\"}", "api_error", "yes");
	assert_string_equal(text_of(&bob->value), "{\"code\":\"unauthenticated\"}");
}

static void test_error_failed_precondition_ran_no(void **state UNUSED)
{
	fails(bob, "hello", "[{\"app_key\":\"another\"}]", "failed_precondition");
	fails(bob, "gateways", "[]", "failed_precondition");
	assert_row("failed_precondition", "no", 78);
}

static void test_error_busy_ran_no(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1,\"queue\":0}]");
	ask(carol, "call", "[\"door\",1]");
	fails(bob, "call", "[\"door\",2]", "busy");
	assert_has(text_of(&bob->value), "retry_after_ms");
	answer_error(alice, 1, "{\"code\":\"busy\"}");
	heard(carol, "fail 1 busy no");
	assert_row("busy", "no", 75);
}

static void test_error_rate_limited_ran_no(void **state UNUSED)
{
	assert_row("rate_limited", "no", 75);
	provider_says("{\"code\":\"rate_limited\"}", "api_error", "yes");
}

static void test_error_paused_ran_no(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	gets(alice, "pause", "[\"door\"]");
	fails(bob, "call", "[\"door\",2]", "paused");
	gets(alice, "drain", "[\"door\"]");
	fails(bob, "call", "[\"door\",2]", "paused");
	assert_row("paused", "no", 69);
}

static void test_error_hub_down_ran_no(void **state UNUSED)
{
	ask(root, "publish", "[\"news\",\"e\",1]");
	router_published(world.router, world.published, CHAPI_ERR_HUB_DOWN, CHAPI_RAN_NO, "no hub",
			 &world.now);
	heard(root, "fail 1 hub_down no");
	assert_row("hub_down", "no", 69);
}

static void test_error_gateway_not_found_ran_unknown(void **state UNUSED)
{
	assert_row("gateway_not_found", "unknown", 68);
	provider_says("{\"code\":\"gateway_not_found\"}", "api_error", "yes");
}

static void test_error_too_large_ran_no_or_yes(void **state UNUSED)
{
	router_too_large(world.router, &bob->party, MESSAGE_REQUEST, 5, 5000000, &world.now);
	heard(bob, "fail 5 too_large no");
	assert_string_equal(text_of(&bob->value), "{\"size\":5000000,\"max_message\":4194304}");
	holds(alice, "[\"door\"]");
	ask(carol, "call", "[\"door\",1]");
	router_too_large(world.router, &alice->party, MESSAGE_RESPONSE, alice->ids[0], 5000000,
			 &world.now);
	heard(carol, "fail 1 too_large yes");
	assert_string_equal(text_of(&carol->value), "{\"size\":5000000,\"max_message\":4194304}");
	router_too_large(world.router, &bob->party, -1, -1, 5000000, &world.now);
	heard_nothing(bob);
	assert_row("too_large", "no", 65);
}

static void test_error_deadline_exceeded_ran_no_or_unknown(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1,{\"timeout_ms\":20}]");
	ask(bob, "call", "[\"door\",2,{\"timeout_ms\":10}]");
	pass(20);
	heard(bob, "fail 2 deadline_exceeded no; fail 1 deadline_exceeded unknown");
	assert_row("deadline_exceeded", "unknown", 124);
}

static void test_error_cancelled_ran_no_or_unknown(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	cancel(bob, 2);
	cancel(bob, 1);
	heard(bob, "fail 2 cancelled no; fail 1 cancelled unknown");
	answer(alice, 1, "0");
	provider_says("{\"code\":\"cancelled\"}", "cancelled", "unknown");
	assert_row("cancelled", "unknown", 130);
}

static void test_error_provider_gone_ran_no_or_unknown(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	leave(alice);
	heard(bob, "fail 1 provider_gone unknown; fail 2 provider_gone no");
	assert_row("provider_gone", "unknown", 70);
}

/* "As recorded": remote calls only; without a record it is not known. */
static void test_error_answer_lost_ran_as_recorded(void **state UNUSED)
{
	assert_row("answer_lost", "unknown", 74);
	provider_says("{\"code\":\"answer_lost\"}", "api_error", "yes");
}

static void test_error_bad_reply_ran_yes(void **state UNUSED)
{
	provider_says("7", "bad_reply", "yes");
	provider_says("[1]", "bad_reply", "yes");
	provider_says("{\"message\":7}", "bad_reply", "yes");
	ask(bob, "call", "[\"door\",1]");
	router_unreadable(world.router, &alice->party, MESSAGE_RESPONSE,
			  alice->ids[alice->n_handled - 1], "NaN", &world.now);
	heard_fail(bob, "bad_reply", "yes");
	ask(bob, "call", "[\"door\",1]");
	answer(alice, alice->n_handled, "[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]");
	heard_fail(bob, "bad_reply", "yes");
	assert_row("bad_reply", "yes", 70);
}

static void test_error_bad_message_ran_no(void **state UNUSED)
{
	say(bob, "[0,5,\"wait\",[\"door\"]]");
	assert_int_equal(say_text(bob, "[0,5,\"status\",[]]"), ROUTER_E_CLOSE);
	heard(bob, "fail 5 bad_message no");
	assert_row("bad_message", "no", 76);
}

static void test_error_version_mismatch_ran_no(void **state UNUSED)
{
	fails(bob, "hello", "[{\"protocol\":2}]", "version_mismatch");
	assert_row("version_mismatch", "no", 76);
}

/* Unknown in general; without memory nothing was begun, which is known. */
static void test_error_internal_ran_unknown(void **state UNUSED)
{
	assert_row("internal", "unknown", 70);
	holds(alice, "[\"door\"]");
	alice->refuses = -ENOMEM;
	fails(bob, "call", "[\"door\",1]", "internal");
	world.publish_rc = -ENOMEM;
	fails(root, "publish", "[\"news\",\"e\",1]", "internal");
}

/* Made by client libraries; nobody else may say so. */
static void test_error_connection_lost_ran_unknown(void **state UNUSED)
{
	assert_row("connection_lost", "unknown", 74);
	provider_says("{\"code\":\"connection_lost\"}", "api_error", "yes");
}

static void test_errors_of_a_queued_call_are_of_one_that_never_ran(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(carol, "call", "[\"door\",0]");
	ask(bob, "call", "[\"door\",1]");
	alice->refuses = PARTY_E_INEXPRESSIBLE;
	answer(alice, 1, "0");
	heard(bob, "fail 1 invalid_argument no");
	alice->refuses = 0;
	ask(carol, "call", "[\"door\",0]");
	ask(bob, "call", "[\"door\",1]");
	alice->refuses = -ENOMEM;
	answer(alice, 2, "0");
	heard(bob, "fail 2 internal no");
	heard(carol, "ok 1 0; ok 2 0");
}

/* ---- wait ----------------------------------------------------------------------------- */

static void test_wait_ends_when_all_are_there(void **state UNUSED)
{
	holds(alice, "[\"a\"]");
	gets(bob, "wait", "[[\"a\"]]");
	gets(bob, "wait", "[\"a\"]");
	ask(bob, "wait", "[[\"a\",\"b\",\"c\",\"b\"]]");
	holds(alice, "[\"b\"]");
	heard_nothing(bob);
	holds(carol, "[\"c\"]");
	heard(bob, "ok 3 null");
	assert_int_equal(bob->party.pinned, 0);
}

static void test_wait_means_all_at_the_same_time(void **state UNUSED)
{
	ask(bob, "wait", "[[\"a\",\"b\"]]");
	holds(alice, "[\"a\"]");
	gets(alice, "unregister", "[\"a\"]");
	holds(alice, "[\"b\"]");
	heard_nothing(bob);
	holds(alice, "[\"a\"]");
	heard(bob, "ok 1 null");
}

static void test_wait_knows_the_gateways_own(void **state UNUSED)
{
	gets(bob, "wait", "[[\"chapi.ping\"]]");
}

static void test_wait_has_a_deadline(void **state UNUSED)
{
	ask(bob, "wait", "[[\"a\"],{\"timeout_ms\":30}]");
	pass(29);
	heard_nothing(bob);
	pass(1);
	heard_fail(bob, "deadline_exceeded", "no");
	holds(alice, "[\"a\"]");
	heard_nothing(bob);
}

static void test_cancel_ends_a_wait(void **state UNUSED)
{
	ask(bob, "wait", "[[\"a\"],{\"timeout_ms\":30}]");
	say(carol, "[2,\"cancel\",[1]]");
	heard_nothing(bob);
	say(bob, "[2,\"cancel\",[1]]");
	heard_fail(bob, "cancelled", "no");
	assert_int_equal(bob->party.pinned, 0);
	holds(alice, "[\"a\"]");
	pass(30);
	heard_nothing(bob);
}

static void test_wait_refuses_what_makes_no_sense(void **state UNUSED)
{
	fails(bob, "wait", "[[]]", "invalid_argument");
	fails(bob, "wait", "[7]", "invalid_argument");
	fails(bob, "wait", "[[\"a b\"]]", "invalid_argument");
	fails(bob, "wait", "[\"a\",{\"timeout_ms\":0}]", "invalid_argument");
	fails(bob, "wait", "[]", "invalid_argument");
}

static void test_wait_is_limited_in_number(void **state UNUSED)
{
	for (int i = 0; i < 64; i++)
		ask(bob, "wait", "[[\"a\",\"b\"]]");
	fails(bob, "wait", "[[\"a\"]]", "busy");
	ask(carol, "wait", "[[\"a\"]]");
	leave(bob);
	holds(alice, "[\"a\"]");
	heard(carol, "ok 1 null");
}

static void test_wait_does_not_see_what_may_not_be_listed(void **state UNUSED)
{
	static const struct policy_rule rules[] = { { RIGHT_LIST, SUBJECT_USER, 1000, "*" } };

	set_rules(rules, 1);
	holds(alice, "[\"a\"]");
	ask(dave, "wait", "[[\"a\"],{\"timeout_ms\":30}]");
	ask(dave, "wait", "[[\"b\"],{\"timeout_ms\":30}]");
	holds(alice, "[\"b\"]");
	heard_nothing(dave);
	pass(30);
	heard(dave, "fail 1 deadline_exceeded no; fail 2 deadline_exceeded no");
}

static void test_wait_ends_when_the_name_may_be_listed(void **state UNUSED)
{
	static const struct policy_rule rules[] = { { RIGHT_LIST, SUBJECT_USER, 1000, "*" } };

	set_rules(rules, 1);
	holds(alice, "[\"a\"]");
	ask(dave, "wait", "[[\"a\",\"b\"]]");
	ask(dave, "wait", "[[\"a\"]]");
	heard_nothing(dave);
	set_rules(NULL, 0);
	heard(dave, "ok 2 null");
	holds(alice, "[\"b\"]");
	heard(dave, "ok 1 null");
}

/* ---- monitor -------------------------------------------------------------------------- */

static void test_monitor_with_the_right_sees_all(void **state UNUSED)
{
	gets(root, "monitor", "[{\"bodies\":true}]");
	holds(alice, "[\"door\"]");
	heard(root, "event {\"kind\":\"api\",\"time\":1700000000.0,\"name\":\"door\","
	      "\"action\":\"registered\",\"caller\":\"uid:1000\",\"client\":\"\"}");
	ask(bob, "call", "[\"door\",{\"a\":1},{\"id\":\"L\",\"timeout_ms\":50}]");
	heard(root,
	      "event {\"kind\":\"request\",\"time\":1700000000.0,\"id\":\"L\",\"api\":\"door\","
	      "\"request_time\":1700000000.0,\"timeout_ms\":50,\"caller\":\"uid:1000\","
	      "\"origin\":\"local\",\"oneway\":false,\"params\":{\"a\":1}}");
	answer(alice, 1, "[5]");
	heard(root,
	      "event {\"kind\":\"response\",\"time\":1700000000.0,\"id\":\"L\",\"api\":\"door\","
	      "\"error\":null,\"request_time\":1700000000.0,\"response_time\":1700000000.0,"
	      "\"queue_ms\":0.0,\"run_ms\":0.0,\"gateway\":\"north\","
	      "\"instance\":\"0123456789abcdef0123456789abcdef\",\"result\":[5]}");
	leave(bob);
	assert_has(text_of(&root->said),
		   "\"kind\":\"peer\",\"time\":1700000000.0,\"action\":\"left\"");
	buf_clear(&root->said);
	router_hub_changed(world.router, "down", "timeout", &world.now);
	heard(root, "event {\"kind\":\"hub\",\"time\":1700000000.0,\"state\":\"down\","
	      "\"reason\":\"timeout\"}");
}

static void test_monitor_without_bodies_has_none(void **state UNUSED)
{
	gets(root, "monitor", "[{\"kinds\":[\"request\",\"response\"]}]");
	holds(alice, "[\"door\"]");
	heard_nothing(root);
	ask(bob, "call", "[\"door\",{\"secret\":1}]");
	answer_error(alice, 1, "{\"message\":\"m\",\"details\":{\"secret\":1}}");
	ask(bob, "call", "[\"door\",0]");
	answer(alice, 2, "\"secret\"");
	assert_has(text_of(&root->said), "\"kind\":\"request\"");
	assert_has(text_of(&root->said), "\"kind\":\"response\"");
	assert_lacks(text_of(&root->said), "secret");
}

static void test_monitor_without_the_right_sees_its_own(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	holds(bob, "[\"gate\"]");
	gets(alice, "monitor", "[{\"bodies\":true}]");
	ask(dave, "call", "[\"gate\",1]");
	answer(bob, 1, "0");
	heard_nothing(alice);				/* of others */
	ask(dave, "call", "[\"door\",\"d\"]");
	assert_has(text_of(&alice->said), "\"params\":\"d\"}; call 1 door \"d\"");
	buf_clear(&alice->said);
	answer(alice, 1, "5");
	assert_has(text_of(&alice->said), "\"result\":5");
	buf_clear(&alice->said);
	ask(alice, "call", "[\"gate\",\"g\"]");
	assert_has(text_of(&alice->said), "\"params\":\"g\"");
	buf_clear(&alice->said);
	answer(bob, 2, "6");
	assert_has(text_of(&alice->said), "\"result\":6");
}

/* It does not hold the name before it is its turn. */
static void test_monitor_without_the_right_sees_nothing_as_a_standby(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	gets(bob, "monitor", "[{\"bodies\":true}]");
	ask(dave, "call", "[\"door\",\"d\"]");
	answer(alice, 1, "0");
	heard_nothing(bob);
	leave(alice);
	heard(bob, "granted door");
	ask(dave, "call", "[\"door\",\"e\"]");
	assert_has(text_of(&bob->said), "\"params\":\"e\"}; call 1 door \"e\"");
	buf_clear(&bob->said);
}

/* Those who see bodies and those who do not, by turns, each get their own. */
static void test_monitors_with_and_without_bodies_do_not_mix(void **state UNUSED)
{
	for (int i = 0; i < 4; i++)
		gets(&world.edges[i], "monitor", i % 2 ? "[{\"bodies\":true}]" : "[]");
	for (int i = 0; i < 4; i++)
		world.edges[i].party.uid = 0;	/* with the right */
	ask(root, "call", "[\"chapi.echo\",\"secret\"]");
	for (int i = 0; i < 4; i++) {
		assert_has(text_of(&world.edges[i].said), "\"kind\":\"response\"");
		if (i % 2)
			assert_has(text_of(&world.edges[i].said), "secret");
		else
			assert_lacks(text_of(&world.edges[i].said), "secret");
		buf_clear(&world.edges[i].said);
	}
	buf_clear(&root->said);
}

static void test_monitor_without_the_right_sees_calls_of_unknown_names(void **state UNUSED)
{
	static const struct policy_rule rules[] = { { RIGHT_LIST, SUBJECT_USER, 1000, "*" } };

	set_rules(rules, 1);
	gets(alice, "monitor", "[{\"bodies\":true}]");
	gets(dave, "monitor", "[{\"bodies\":true}]");
	fails(bob, "call", "[\"nobody\",\"secret\"]", "api_not_found");
	assert_has(text_of(&alice->said), "\"kind\":\"request\"");
	assert_has(text_of(&alice->said), "\"api\":\"nobody\"");
	assert_lacks(text_of(&alice->said), "secret");
	assert_lacks(text_of(&alice->said), "\"kind\":\"response\"");
	heard_nothing(dave);
}

static void test_monitor_without_the_right_sees_no_builtins_of_others(void **state UNUSED)
{
	gets(alice, "monitor", "[{\"bodies\":true}]");
	gets(bob, "call", "[\"chapi.echo\",\"secret\"]");
	heard_nothing(alice);
	ask(alice, "call", "[\"chapi.echo\",\"mine\"]");
	assert_has(text_of(&alice->said), "\"result\":\"mine\"");
}

static void test_monitor_of_other_kinds_needs_the_right(void **state UNUSED)
{
	fails(alice, "monitor", "[{\"kinds\":[\"api\"]}]", "permission_denied");
	fails(alice, "monitor", "[{\"kinds\":[\"request\",\"peer\"]}]", "permission_denied");
	fails(root, "monitor", "[{\"kinds\":[\"weather\"]}]", "invalid_argument");
	fails(root, "monitor", "[{\"apis\":7}]", "invalid_argument");
	gets(alice, "monitor", "[]");
	holds(bob, "[\"door\"]");
	heard_nothing(alice);
}

static void test_monitor_picks_names_and_kinds(void **state UNUSED)
{
	gets(root, "monitor", "[{\"kinds\":[\"api\"],\"apis\":[\"door.*\",\"gate\"]}]");
	holds(alice, "[\"window\"]");
	ask(bob, "call", "[\"door.x\"]");
	heard_nothing(root);
	holds(alice, "[\"door.x\"]");
	assert_has(text_of(&root->said), "\"name\":\"door.x\"");
	buf_clear(&root->said);
	gets(root, "monitor", "[{\"kinds\":[\"api\"],\"apis\":\"window\"}]");	/* instead */
	gets(alice, "unregister", "[\"door.x\"]");
	heard_nothing(root);
	gets(alice, "unregister", "[\"window\"]");
	assert_has(text_of(&root->said), "\"action\":\"unregistered\"");
}

static void test_monitor_hears_what_becomes_of_names(void **state UNUSED)
{
	static const char *const actions[] = {
		"registered", "updated", "paused", "granted", "resumed", "draining", "revoked",
	};

	gets(root, "monitor", "[{\"kinds\":[\"api\"]}]");
	holds(alice, "[\"door\"]");
	gets(alice, "update", "[\"door\",{}]");
	holds(bob, "[\"door\",{\"policy\":\"standby\"}]");
	gets(alice, "pause", "[\"door\"]");
	gets(alice, "resume", "[\"door\"]");
	gets(alice, "drain", "[\"door\"]");
	ask(carol, "register", "[\"door\",{\"policy\":\"replace\"}]");
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		assert_has(text_of(&root->said), actions[i]);
}

static void test_monitor_that_is_slow_loses_events_with_a_count(void **state UNUSED)
{
	gets(root, "monitor", "[{\"kinds\":[\"api\"]}]");
	root->loses = PARTY_E_FULL;
	holds(alice, "[\"a\"]");
	holds(alice, "[\"b\"]");
	holds(alice, "[\"c\"]");
	root->loses = 0;
	holds(alice, "[\"d\"]");
	assert_has(text_of(&root->said),
		   "event {\"kind\":\"lost\",\"time\":1700000000.0,\"count\":3}; "
		   "event {\"kind\":\"api\"");
	buf_clear(&root->said);
	holds(alice, "[\"e\"]");
	assert_lacks(text_of(&root->said), "lost");
	assert_int_equal(router_counters(world.router)->events_lost, 3);
}

static void test_monitor_sees_how_oneways_end(void **state UNUSED)
{
	gets(root, "monitor", "[{\"kinds\":[\"response\"],\"bodies\":true}]");
	holds(alice, "[\"door\"]");
	gets(bob, "call", "[\"door\",1,{\"oneway\":true}]");
	heard_nothing(root);
	answer(alice, 1, "\"late\"");
	assert_has(text_of(&root->said), "\"result\":\"late\"");
}

static void test_monitor_sees_calls_whose_callers_left(void **state UNUSED)
{
	gets(root, "monitor", "[{\"kinds\":[\"response\"]}]");
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	leave(bob);
	assert_has(text_of(&root->said), "\"ran\":\"unknown\"");
	assert_has(text_of(&root->said), "\"ran\":\"no\"");
	buf_clear(&root->said);
	answer(alice, 1, "0");
	heard_nothing(root);				/* one response a call */
}

/* ---- limits --------------------------------------------------------------------------- */

static void test_limit_of_calls_per_peer(void **state UNUSED)
{
	struct router_limits l = limits();

	l.calls_per_peer = 2;
	set_limits(l);
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	fails(bob, "call", "[\"door\",3]", "busy");
	assert_has(bob->message, "calls_per_peer");
	assert_string_equal(text_of(&bob->value), "{\"retry_after_ms\":100}");
	gets(bob, "call", "[\"chapi.ping\"]");
	ask(carol, "call", "[\"door\",4]");
	answer(alice, 1, "0");
	heard(bob, "ok 1 0");
	ask(bob, "call", "[\"door\",5]");
	heard_nothing(bob);
	gets(root, "status", "[]");
}

static void test_limit_of_names_per_peer(void **state UNUSED)
{
	struct router_limits l = limits();

	l.names_per_peer = 2;
	set_limits(l);
	holds(alice, "[\"a\"]");
	holds(alice, "[\"b\"]");
	fails(alice, "register", "[\"c\"]", "busy");
	assert_has(alice->message, "names_per_peer");
	assert_string_equal(text_of(&alice->value), "{\"retry_after_ms\":100}");
	holds(bob, "[\"c\"]");
	gets(alice, "unregister", "[\"a\"]");
	holds(alice, "[\"d\"]");
}

static void test_limit_of_pinned_per_peer(void **state UNUSED)
{
	struct router_limits l = limits();

	l.pinned_per_peer = 1000;
	set_limits(l);
	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",{\"$bin\":\"AAAA\"}]");
	heard(alice, "call 1 door {\"$bin\":\"AAAA\"}");
	assert_in_range(bob->party.pinned, 1, 10);
	l.pinned_per_peer = 10;
	set_limits(l);
	fails(bob, "call", "[\"door\",\"more than ten bytes\"]", "busy");
	assert_has(bob->message, "pinned_per_peer");
	assert_string_equal(text_of(&bob->value), "{\"retry_after_ms\":100}");
	fails(alice, "register", "[\"gate\"]", "busy");
	fails(bob, "wait", "[[\"x\"]]", "busy");
	fails(root, "monitor", "[]", "busy");
	answer(alice, 1, "0");
	heard(bob, "ok 1 0");
	assert_int_equal(bob->party.pinned, 0);
}

static void test_limit_of_pinned_total(void **state UNUSED)
{
	struct router_limits l = limits();

	holds(alice, "[\"door\"]");
	l.pinned_total = alice->party.pinned + 10;
	set_limits(l);
	ask(bob, "call", "[\"door\",\"12345678\"]");
	fails(carol, "call", "[\"door\",\"12345678\"]", "busy");
	assert_has(carol->message, "pinned_total");
	cancel(bob, 1);
	heard(bob, "fail 1 cancelled unknown");
	ask(carol, "call", "[\"door\",\"12345678\"]");
	heard_nothing(carol);
}

/* 64 bytes is small here, and 8 KiB are kept for those who have no more. */
static void test_small_ones_go_on_when_others_fill_pinned_total(void **state UNUSED)
{
	static const char small[] = "[\"door\",\"12345678901234567890123456789\"]"; /* 30 bytes */
	struct router_limits l = limits();

	holds(alice, "[\"door\",{\"queue\":1000}]");
	l.pinned_total = 64 << 10;
	set_limits(l);
	router_charge_output(world.router, &bob->party, l.pinned_total);
	fails(bob, "call", small, "busy");
	ask(carol, "call", small);
	ask(carol, "call", small);
	fails(carol, "call", small, "busy");	/* it has 60 bytes waiting already */
	assert_has(carol->message, "pinned_total");
	gets(dave, "call", "[\"chapi.ping\"]");
	ask(dave, "call", small);
	heard_nothing(dave);
	router_charge_output(world.router, &bob->party, 0);
	ask(carol, "call", small);
	heard_nothing(carol);
}

static void test_what_is_kept_for_small_ones_is_limited_too(void **state UNUSED)
{
	struct router_limits l = limits();

	holds(alice, "[\"door\"]");
	ask(bob, "call", "[\"door\",\"a param of more than ten bytes\"]");
	l.pinned_total = 20;
	set_limits(l);
	fails(carol, "call", "[\"door\",[]]", "busy");
}

static void test_output_that_waits_is_charged(void **state UNUSED)
{
	struct router_limits l = limits();

	holds(alice, "[\"door\"]");
	l.pinned_per_peer = 5000;
	l.pinned_total = alice->party.pinned + 8000;
	set_limits(l);
	router_charge_output(world.router, &bob->party, 4990);
	fails(bob, "call", "[\"door\",\"more than ten bytes\"]", "busy");
	assert_has(bob->message, "pinned_per_peer");
	router_charge_output(world.router, &carol->party, 3000);
	fails(dave, "call", "[\"door\",\"more than ten bytes\"]", "busy");
	assert_has(dave->message, "pinned_total");
	assert_has(gets(root, "status", "[]"), "\"pinned\":");
	assert_true(router_may_wait(world.router, &dave->party, l.pinned_total - 7990));
	assert_false(router_may_wait(world.router, &dave->party, l.pinned_total - 7989));
	assert_true(router_may_wait(world.router, &bob->party, l.pinned_total - 3000));
	router_charge_output(world.router, &bob->party, 0);
	ask(dave, "call", "[\"door\",\"more than ten bytes\"]");
	heard_nothing(dave);
	leave(carol);	/* what it has not taken is in memory until the edge says that it is not */
	assert_int_equal(carol->party.output, 3000);
	router_charge_output(world.router, &carol->party, 0);
}

/* The caller has gone, its one-way calls have not: those in the queue are in memory. */
static void test_oneways_that_were_left_behind_are_charged(void **state UNUSED)
{
	struct router_limits l = limits();

	holds(alice, "[\"door\",{\"concurrency\":1}]");
	l.pinned_total = alice->party.pinned + 10;
	set_limits(l);
	gets(bob, "call", "[\"door\",\"a\",{\"oneway\":true}]");
	gets(bob, "call", "[\"door\",\"1234567\",{\"oneway\":true}]");
	leave(bob);
	fails(carol, "call", "[\"door\",\"123\"]", "busy");
	assert_has(carol->message, "pinned_total");
	heard(alice, "call 1 door \"a\"");
	answer(alice, 1, "0");
	heard(alice, "call 2 door \"1234567\"");
	ask(carol, "call", "[\"door\",\"12345678\"]");
	heard_nothing(carol);
}

static void test_refused_registrations_cost_nothing(void **state UNUSED)
{
	holds(alice, "[\"door\"]");
	fails(bob, "register", "[\"door\"]", "api_exists");
	fails(bob, "register", "[\"door\",{\"params\":7}]", "invalid_argument");
	assert_int_equal(bob->party.pinned, 0);
	gets(alice, "unregister", "[\"door\"]");
	assert_int_equal(alice->party.pinned, 0);
}

/* ---- stopping ------------------------------------------------------------------------- */

static void test_stop_lets_running_calls_finish(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	router_stop(world.router, &world.now);
	fails(carol, "call", "[\"door\",3]", "paused");
	gets(carol, "call", "[\"chapi.ping\"]");
	assert_int_equal(router_n_calls(world.router), 2);
	answer(alice, 1, "0");
	answer(alice, 2, "0");
	heard(bob, "ok 1 0; ok 2 0");
	assert_int_equal(router_n_calls(world.router), 0);
}

static void test_cancel_all_ends_what_is_left(void **state UNUSED)
{
	holds(alice, "[\"door\",{\"concurrency\":1}]");
	ask(bob, "call", "[\"door\",1]");
	ask(bob, "call", "[\"door\",2]");
	gets(bob, "call", "[\"door\",3,{\"oneway\":true}]");
	buf_clear(&bob->said);
	router_stop(world.router, &world.now);
	router_cancel_all(world.router, &world.now);
	assert_has(text_of(&bob->said), "fail 1 cancelled unknown");
	assert_has(text_of(&bob->said), "fail 2 cancelled no");
	heard(alice, "call 1 door 1; cancel 1");
	assert_int_equal(router_n_calls(world.router), 0);
}

/* ---- publish -------------------------------------------------------------------------- */

static void test_publish_ends_when_the_hub_has_it(void **state UNUSED)
{
	ask(root, "publish", "[\"news\",\"e\",{\"a\":1}]");
	assert_string_equal(text_of(&world.event), "news e {\"a\":1}");
	heard_nothing(root);
	router_published(world.router, world.published, 0, CHAPI_RAN_YES, NULL, &world.now);
	heard(root, "ok 1 null");
	router_published(world.router, world.published, 0, CHAPI_RAN_YES, NULL, &world.now);
	heard_nothing(root);
	ask(root, "publish", "[\"news\",\"e\",\"text as it is\"]");
	assert_string_equal(text_of(&world.event), "news e text as it is");
}

static void test_publish_with_an_outcome_that_is_not_known(void **state UNUSED)
{
	ask(root, "publish", "[\"news\",\"e\",1]");
	router_published(world.router, world.published, CHAPI_ERR_HUB_DOWN, CHAPI_RAN_UNKNOWN,
			 "no answer", &world.now);
	heard(root, "fail 1 hub_down unknown");
	assert_string_equal(root->message, "no answer");
}

static void test_publish_refuses_the_hubs_own_names(void **state UNUSED)
{
	fails(root, "publish", "[\"news\",\"pusher:ping\",1]", "invalid_argument");
	fails(root, "publish", "[\"news\",\"pusher_internal:x\",1]", "invalid_argument");
	fails(root, "publish", "[\"news\",\"client-x\",1]", "invalid_argument");
	fails(root, "publish", "[\"ne ws\",\"e\",1]", "invalid_argument");
	fails(root, "publish", "[\"\",\"e\",1]", "invalid_argument");
	fails(root, "publish", "[\"news\",\"\",1]", "invalid_argument");
	fails(root, "publish", "[\"news\",\"e\"]", "invalid_argument");
	assert_int_equal(world.event.len, 0);
}

static void test_publish_of_what_has_no_json_form(void **state UNUSED)
{
	static const char head[] = "\x94\x00\x01\xa7publish\x93\xa4news\xa1" "e";
	static const char *const bad[] = { "\xcb\x7f\xf8\0\0\0\0\0\0", "\xa1\xff" };
	static const size_t len[] = { 9, 2 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(buf_deinit) struct buf b = BUF_NULL;

		buf_put(&b, head, sizeof(head) - 1);
		buf_put(&b, bad[i], len[i]);
		assert_int_equal(say_bytes(root, &b), 0);
		heard(root, "fail 1 invalid_argument no");
	}
	assert_int_equal(world.event.len, 0);
}

static void test_publish_when_too_much_waits(void **state UNUSED)
{
	world.publish_rc = -ENOBUFS;
	fails(root, "publish", "[\"news\",\"e\",1]", "busy");
	assert_string_equal(text_of(&root->value), "{\"retry_after_ms\":100}");
	assert_int_equal(root->party.pinned, 0);
}

static void test_cancel_takes_an_event_back(void **state UNUSED)
{
	ask(root, "publish", "[\"news\",\"e\",1]");
	say(root, "[2,\"cancel\",[1]]");
	heard(root, "fail 1 cancelled no");
	assert_int_equal(world.withdrawn, world.published);
	assert_int_equal(root->party.pinned, 0);
}

static void test_cancel_of_an_event_under_way(void **state UNUSED)
{
	world.is_sent = true;
	ask(root, "publish", "[\"news\",\"e\",1]");
	say(root, "[2,\"cancel\",[1]]");
	heard(root, "fail 1 cancelled unknown");
	router_published(world.router, world.published, 0, CHAPI_RAN_YES, NULL, &world.now);
	heard_nothing(root);
}

static void test_publish_whose_sender_leaves(void **state UNUSED)
{
	ask(root, "publish", "[\"news\",\"e\",1]");
	leave(root);
	router_published(world.router, world.published, 0, CHAPI_RAN_YES, NULL, &world.now);
	heard_nothing(root);
}

/* ---- calls to other gateways ---------------------------------------------------------- */

static void elsewhere_answers(const struct failure *failure)
{
	router_elsewhere_answer(world.router, world.elsewhere, &(struct party_response){
		.failure = failure,
		.result = span_of("\x05", 1),
		.response_time = 1700000001,
		.gateway = span_str("attic"),
		.instance = span_str("beef"),
	}, &world.now);
}

static void test_elsewhere_call_gets_its_answer(void **state UNUSED)
{
	const struct failure failure = {
		.code = CHAPI_ERR_BUSY, .ran = CHAPI_RAN_NO, .message = span_str("full"),
	};

	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\"}]");
	assert_string_equal(text_of(&world.event), "attic door uid:1000 30000");
	assert_int_equal(router_n_calls(world.router), 1);
	heard_nothing(bob);
	elsewhere_answers(NULL);
	heard(bob, "ok 1 5");
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\",\"timeout_ms\":5}]");
	assert_string_equal(text_of(&world.event), "attic door uid:1000 5");
	elsewhere_answers(&failure);
	heard(bob, "fail 2 busy no");
	assert_int_equal(router_n_calls(world.router), 0);
	assert_int_equal(bob->party.pinned, 0);
}

static void test_elsewhere_record_is_of_who_answered(void **state UNUSED)
{
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\",\"full\":true,\"id\":\"mine\"}]");
	elsewhere_answers(NULL);
	assert_has(text_of(&bob->value), "\"id\":\"mine\",\"api\":\"door\",\"result\":5");
	assert_has(text_of(&bob->value), "\"gateway\":\"attic\",\"instance\":\"beef\"");
	buf_clear(&bob->said);
}

static void test_elsewhere_progress_is_for_who_asked(void **state UNUSED)
{
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\",\"progress\":true}]");
	assert_string_equal(text_of(&world.event), "attic door uid:1000 30000 progress");
	router_elsewhere_progress(world.router, world.elsewhere, span_of("\x07", 1));
	heard(bob, "progress 1 7");
	elsewhere_answers(NULL);
	heard(bob, "ok 1 5");
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\"}]");
	router_elsewhere_progress(world.router, world.elsewhere, span_of("\x07", 1));
	heard_nothing(bob);
	assert_int_equal(router_counters(world.router)->progress_dropped, 1);
	elsewhere_answers(NULL);
	heard(bob, "ok 2 5");
}

static void test_elsewhere_call_is_cancelled(void **state UNUSED)
{
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\"}]");
	router_cancel(world.router, &bob->party, bob->token, &world.now);
	heard(bob, "fail 1 cancelled unknown");
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\"}]");
	leave(bob);
	ask(carol, "call", "[\"door\",1,{\"to\":\"attic\"}]");
	router_cancel_all(world.router, &world.now);
	heard(carol, "fail 1 cancelled unknown");
	assert_int_equal(world.n_cancelled, 3);
	heard_nothing(bob);
}

static void test_elsewhere_one_way_call_is_done_when_begun(void **state UNUSED)
{
	ask(bob, "call", "[\"door\",1,{\"to\":\"attic\",\"oneway\":true}]");
	heard(bob, "ok 1 null");
	assert_int_equal(bob->party.pinned, 0);
	leave(bob);
	assert_int_equal(world.n_cancelled, 0);
	elsewhere_answers(NULL);
	heard_nothing(bob);
	assert_int_equal(router_n_calls(world.router), 0);
}

static void test_elsewhere_call_that_cannot_begin(void **state UNUSED)
{
	world.publish_rc = ELSEWHERE_E_REFUSED;
	fails(bob, "call", "[\"door\",1,{\"to\":\"attic\"}]", "too_large");
	assert_string_equal(text_of(&bob->value), "{\"size\":20,\"limit\":10}");
	world.publish_rc = 0;
	fails(bob, "call", "[\"no name\",1,{\"to\":\"attic\"}]", "invalid_argument");
	assert_int_equal(bob->party.pinned, 0);
	router_stop(world.router, &world.now);
	fails(bob, "call", "[\"door\",1,{\"to\":\"attic\"}]", "paused");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_exclusive_name_is_taken_once),
		TEST(test_register_reads_all_options),
		TEST(test_register_refuses_what_makes_no_sense),
		TEST(test_replace_revokes_all_whose_calls_finish),
		TEST(test_replace_of_a_free_name_just_takes_it),
		TEST(test_share_gives_to_the_fewest_running_ties_in_turn),
		TEST(test_share_needs_the_same_terms),
		TEST(test_standby_takes_over_with_its_own_options),
		TEST(test_standby_of_a_free_name_is_active),
		TEST(test_standby_waits_for_the_last_sharer),
		TEST(test_sharers_that_paused_come_back_together),
		TEST(test_taking_anothers_name_needs_admin),
		TEST(test_registering_needs_the_right),
		TEST(test_policy_that_changes_revokes_names),
		TEST(test_update_changes_what_it_names),
		TEST(test_update_of_concurrency_lets_queued_calls_in),
		TEST(test_update_of_a_sharer_keeps_the_terms),
		TEST(test_unregister_lets_running_calls_finish),
		TEST(test_unregister_by_an_administrator),
		TEST(test_pause_by_a_provider_refuses_new_calls),
		TEST(test_pause_by_a_sharer_is_its_own_part_only),
		TEST(test_pause_lets_a_standby_carry_on),
		TEST(test_pause_lets_queued_calls_wait),
		TEST(test_pause_by_an_administrator_is_the_whole_name),
		TEST(test_pause_by_an_administrator_holds_the_queue),
		TEST(test_drain_ends_when_the_queue_has_run),
		TEST(test_drain_of_nothing_is_done_at_once),
		TEST(test_drain_of_a_holder_hands_the_name_over),
		TEST(test_drain_of_a_sharer_leaves_the_queue_to_others),
		TEST(test_drain_by_an_administrator_is_the_whole_name),
		TEST(test_drain_by_an_administrator_runs_what_a_provider_paused),
		TEST(test_drain_by_a_provider_runs_what_an_administrator_paused),
		TEST(test_drain_by_a_sharer_leaves_a_paused_queue_to_the_other),
		TEST(test_drain_that_times_out_goes_on_draining),
		TEST(test_drain_that_is_cancelled_goes_on_draining),
		TEST(test_drain_ends_when_its_holder_gives_up),
		TEST(test_drain_ends_with_the_last_queued_call),
		TEST(test_drain_counts_abandoned_calls),
		TEST(test_queue_is_first_come_first_served),
		TEST(test_messages_that_are_expected_are_handled_in_turn),
		TEST(test_queue_that_is_full_is_busy_and_says_when_to_come),
		TEST(test_queue_of_none_is_busy_at_once),
		TEST(test_provider_that_does_not_read_gets_its_calls_later),
		TEST(test_provider_that_does_not_read_leaves_calls_to_sharers),
		TEST(test_abandoned_call_keeps_its_place),
		TEST(test_abandoned_call_is_over_when_its_provider_leaves),
		TEST(test_abandoned_calls_beyond_the_limit_make_an_offender),
		TEST(test_abandoned_calls_beyond_a_limit_that_was_lowered),
		TEST(test_offender_that_leaves_by_itself_is_none),
		TEST(test_names_are_free_when_the_process_ends),
		TEST(test_queued_calls_end_with_the_last_holder),
		TEST(test_queued_calls_go_to_the_standby),
		TEST(test_queued_calls_go_to_the_replacer),
		TEST(test_queued_calls_go_to_the_sharer),
		TEST(test_queued_calls_are_held_against_the_new_params),
		TEST(test_queued_remote_calls_do_not_reach_a_local_heir),
		TEST(test_caller_of_its_own_function_may_leave),
		TEST(test_queued_calls_are_given_out_a_few_in_a_turn),
		TEST(test_visibility_local_hides_a_name_from_the_hub_side),
		TEST(test_visibility_has_a_default_that_is_a_setting),
		TEST(test_call_needs_the_right),
		TEST(test_list_is_sorted_and_filtered),
		TEST(test_list_that_is_too_large_is_refused),
		TEST(test_describe_tells_all),
		TEST(test_stats_count_calls),
		TEST(test_status_shows_the_gateway),
		TEST(test_builtins_answer),
		TEST(test_hello_tells_who_is_there),
		TEST(test_administration_needs_the_right),
		TEST(test_reload_that_fails_says_why),
		TEST(test_call_reaches_its_provider_with_all_there_is_to_know),
		TEST(test_call_options_have_limits),
		TEST(test_call_params_may_be_24_deep),
		TEST(test_params_are_checked_before_the_call),
		TEST(test_deadline_travels_less_what_was_spent_in_the_queue),
		TEST(test_remote_call_options_have_limits),
		TEST(test_deadline_passes_in_the_queue),
		TEST(test_cancel_is_answered_and_translated),
		TEST(test_cancel_of_another_or_nothing_is_ignored),
		TEST(test_cancel_when_the_caller_leaves),
		TEST(test_cancel_of_a_remote_call),
		TEST(test_progress_only_if_asked_for_and_not_after_the_answer),
		TEST(test_progress_of_an_abandoned_call_is_dropped),
		TEST(test_oneway_is_answered_when_it_is_handed_over),
		TEST(test_oneway_that_is_lost_is_counted),
		TEST(test_oneway_to_oneself_is_lost_when_one_leaves),
		TEST(test_oneway_may_be_full),
		TEST(test_full_gives_the_whole_record),
		TEST(test_full_has_the_error_in_it),
		TEST(test_id_that_is_used_twice_ends_the_connection),
		TEST(test_id_that_is_used_twice_by_what_cannot_be_read),
		TEST(test_id_is_free_again_when_it_is_answered),
		TEST(test_answer_counts_once_and_from_its_provider_only),
		TEST(test_error_api_error_ran_yes),
		TEST(test_error_invalid_argument_ran_no),
		TEST(test_error_api_not_found_ran_no),
		TEST(test_error_api_exists_ran_no),
		TEST(test_error_permission_denied_ran_no),
		TEST(test_error_unauthenticated_ran_no),
		TEST(test_error_failed_precondition_ran_no),
		TEST(test_error_busy_ran_no),
		TEST(test_error_rate_limited_ran_no),
		TEST(test_error_paused_ran_no),
		TEST(test_error_hub_down_ran_no),
		TEST(test_error_gateway_not_found_ran_unknown),
		TEST(test_error_too_large_ran_no_or_yes),
		TEST(test_error_deadline_exceeded_ran_no_or_unknown),
		TEST(test_error_cancelled_ran_no_or_unknown),
		TEST(test_error_provider_gone_ran_no_or_unknown),
		TEST(test_error_answer_lost_ran_as_recorded),
		TEST(test_error_bad_reply_ran_yes),
		TEST(test_error_bad_message_ran_no),
		TEST(test_error_version_mismatch_ran_no),
		TEST(test_error_internal_ran_unknown),
		TEST(test_error_connection_lost_ran_unknown),
		TEST(test_errors_of_a_queued_call_are_of_one_that_never_ran),
		TEST(test_wait_ends_when_all_are_there),
		TEST(test_wait_means_all_at_the_same_time),
		TEST(test_wait_knows_the_gateways_own),
		TEST(test_wait_has_a_deadline),
		TEST(test_cancel_ends_a_wait),
		TEST(test_wait_refuses_what_makes_no_sense),
		TEST(test_wait_is_limited_in_number),
		TEST(test_wait_does_not_see_what_may_not_be_listed),
		TEST(test_wait_ends_when_the_name_may_be_listed),
		TEST(test_monitor_with_the_right_sees_all),
		TEST(test_monitor_without_bodies_has_none),
		TEST(test_monitor_without_the_right_sees_its_own),
		TEST(test_monitor_without_the_right_sees_nothing_as_a_standby),
		TEST(test_monitors_with_and_without_bodies_do_not_mix),
		TEST(test_monitor_without_the_right_sees_calls_of_unknown_names),
		TEST(test_monitor_without_the_right_sees_no_builtins_of_others),
		TEST(test_monitor_of_other_kinds_needs_the_right),
		TEST(test_monitor_picks_names_and_kinds),
		TEST(test_monitor_hears_what_becomes_of_names),
		TEST(test_monitor_that_is_slow_loses_events_with_a_count),
		TEST(test_monitor_sees_how_oneways_end),
		TEST(test_monitor_sees_calls_whose_callers_left),
		TEST(test_limit_of_calls_per_peer),
		TEST(test_limit_of_names_per_peer),
		TEST(test_limit_of_pinned_per_peer),
		TEST(test_limit_of_pinned_total),
		TEST(test_small_ones_go_on_when_others_fill_pinned_total),
		TEST(test_what_is_kept_for_small_ones_is_limited_too),
		TEST(test_output_that_waits_is_charged),
		TEST(test_oneways_that_were_left_behind_are_charged),
		TEST(test_refused_registrations_cost_nothing),
		TEST(test_stop_lets_running_calls_finish),
		TEST(test_cancel_all_ends_what_is_left),
		TEST(test_publish_ends_when_the_hub_has_it),
		TEST(test_publish_with_an_outcome_that_is_not_known),
		TEST(test_publish_refuses_the_hubs_own_names),
		TEST(test_publish_of_what_has_no_json_form),
		TEST(test_publish_when_too_much_waits),
		TEST(test_cancel_takes_an_event_back),
		TEST(test_cancel_of_an_event_under_way),
		TEST(test_publish_whose_sender_leaves),
		TEST(test_elsewhere_call_gets_its_answer),
		TEST(test_elsewhere_record_is_of_who_answered),
		TEST(test_elsewhere_progress_is_for_who_asked),
		TEST(test_elsewhere_call_is_cancelled),
		TEST(test_elsewhere_one_way_call_is_done_when_begun),
		TEST(test_elsewhere_call_that_cannot_begin),
	};

	return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
