/* SPDX-License-Identifier: MIT */
/*
 * The router against a model of it: random sequences of all operations, with random deaths of
 * parties and steps of time, and with providers and memory that fail at random.
 *
 * The model knows who holds each name, which calls wait, run or are abandoned, and which other
 * requests wait. Each thing that the router says is held against it as it is said; after each
 * operation nothing may be due that was not said. So:
 *
 *     every request is answered once, and by the answer to it;
 *     names are held by whom the model says, calls go to whom they have to, in their order;
 *     when everybody has left, all memory is back.
 *
 * A run consists of rounds with a seed each. A failure tells its round's seed: with it in
 * CHAPI_MODEL_SEED the round is the first one. CHAPI_MODEL_MS: how long to go on.
 *
 * malloc() and its like are wrapped by the linker: counted, and made to fail.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/router.h"
#include "libchapi-ipc/error.h"
#include "libchapi-ipc/mp_scan.h"
#include "libchapi-ipc/value.h"

#define SEED 20240607
#define RUN_MS 2000
#define ROUND_STEPS 3000

#define N_PARTIES 8
#define REMOTE (N_PARTIES - 1)		/* the hub side, which only calls */
#define N_NAMES 5
#define N_CALLS 400
#define N_PENDINGS 24
#define CALLS_PER_PEER 25
#define NAMES_PER_PEER 4
#define ABANDONED_PER_PEER 6
#define NOBODY (-1)
#define IDS_MAX 16384			/* more than there are calls in a round */

/* ---- memory --------------------------------------------------------------------------- */

static struct {
	long n_live;
	long n_bytes;
	bool failing;			/* one in so many: */
	unsigned int one_in;
	uint64_t random;
	int left;			/* of those that succeed; then one fails. 0: all do */
} memory;

void *__real_malloc(size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);
char *__wrap_strdup(const char *s);

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static bool memory_fails(void)
{
	if (memory.left > 0 && --memory.left == 0)
		return true;
	return memory.failing && memory.one_in && next_random(&memory.random) % memory.one_in == 0;
}

static void *count_in(void *p)
{
	memory.n_live += p != NULL;
	memory.n_bytes += (long)malloc_usable_size(p);
	return p;
}

static void count_out(void *p)
{
	memory.n_live -= p != NULL;
	memory.n_bytes -= (long)malloc_usable_size(p);
}

void *__wrap_malloc(size_t size)
{
	return memory_fails() ? NULL : count_in(__real_malloc(size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return memory_fails() ? NULL : count_in(__real_aligned_alloc(alignment, size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return memory_fails() ? NULL : count_in(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	size_t before = malloc_usable_size(p);
	void *q = memory_fails() ? NULL : __real_realloc(p, size);

	if (!q)
		return NULL;
	memory.n_live += p == NULL;
	memory.n_bytes += (long)malloc_usable_size(q) - (long)before;
	return q;
}

void __wrap_free(void *p)
{
	count_out(p);
	__real_free(p);
}

char *__wrap_strdup(const char *s)
{
	size_t size = strlen(s) + 1;
	char *p = __wrap_malloc(size);

	return p ? memcpy(p, s, size) : NULL;
}

/* ---- the model ------------------------------------------------------------------------ */

enum { EXCLUSIVE, REPLACE, SHARE, STANDBY };

static const char *const policies[] = { "exclusive", "replace", "share", "standby" };

struct options {
	int policy;
	unsigned int concurrency, queue;
	unsigned int timeout_ms;
	bool local;
	bool picky;			/* takes texts only: what our one-way calls carry */
};

struct holder {
	int party;
	uint64_t instance;
	uint64_t used;			/* its last turn */
	bool paused, draining;
	struct options options;
};

struct name {
	uint64_t instance;		/* 0: nobody holds it */
	struct holder holders[N_PARTIES], standbys[N_PARTIES];
	unsigned int n_holders, n_standbys;
	bool paused, draining;
	int queue[N_CALLS];		/* calls */
	unsigned int n_queued;
};

enum state { FREE, NEW, QUEUED, RUNNING, ABANDONED, ANSWERED };

struct call {
	enum state state;
	int caller, payer, provider;	/* or NOBODY */
	uint32_t token, id;
	int name;
	uint64_t api, holder;		/* instances */
	uint64_t serial;
	uint64_t arrived_ms, timeout_ms;
	bool oneway, full, progress;
	int due;			/* a code: it has to end with that now */
	enum chapi_ran ran;		/* of an answer by its provider */
	int refused;			/* what its provider's edge has returned */
	bool cancel_due;
};

enum pending_kind { UNUSED_PENDING, WAIT, DRAIN_NAME, DRAIN_HOLDER, PUBLISH };

struct pending {
	enum pending_kind kind;
	int party;
	uint32_t token;
	uint64_t deadline_ms;		/* 0: none */
	unsigned int names;		/* bits */
	int name;
	uint64_t instance;		/* of the name or holder; an event's number */
	int due;			/* code, or -1: nil */
};

static struct {
	struct party parties[N_PARTIES + 1];	/* the last looks on */
	bool here[N_PARTIES];
	bool blocked[N_PARTIES];
	uint32_t tokens[N_PARTIES + 1];
	uint32_t last_id[N_PARTIES];	/* of a call that it has answered */
	uint32_t ids[IDS_MAX];		/* that were given to providers, by hash; 0: none */
	int progress_due[N_PARTIES];
	unsigned int revoked_due[N_PARTIES];	/* names, bits */
	unsigned int granted_due[N_PARTIES];
	struct name names[N_NAMES];
	struct call calls[N_CALLS];
	struct pending pendings[N_PENDINGS];
	uint64_t n_instances, n_serials, n_turns;
	/* The request that is being made. */
	int asker;
	uint32_t asked_token;
	bool asked, answered, asked_full;
	int code;
	enum chapi_ran ran;
	uint64_t published;

	struct router *router;
	struct now now;
	uint64_t seed, random;
	unsigned int step;
	const char *doing;
	unsigned int refuse_one_in;	/* 0: never */
} m;

static void complain(const char *fmt, ...) PRINTF(1, 2) __attribute__((noreturn));

static void complain(const char *fmt, ...)
{
	char text[2000];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	memory.failing = false;
	fail_msg("%s\nwhile '%s', step %u of the round with CHAPI_MODEL_SEED=%llu", text, m.doing,
		 m.step, (unsigned long long)m.seed);
	abort();
}

#define EXPECT(condition, ...) do { if (!(condition)) complain(__VA_ARGS__); } while (0)

static unsigned int pick_number(unsigned int n)
{
	return (unsigned int)(next_random(&m.random) % n);
}

static bool chance(unsigned int one_in)
{
	return one_in > 0 && pick_number(one_in) == 0;
}

static int pick_party(void)
{
	int from = (int)pick_number(REMOTE);

	for (int i = 0; i < REMOTE; i++)
		if (m.here[(from + i) % REMOTE])
			return (from + i) % REMOTE;
	return NOBODY;
}

static bool is_ready(const struct holder *h)
{
	return !h->paused && !h->draining;
}

static bool is_anybody_ready(const struct name *name)
{
	for (unsigned int i = 0; i < name->n_holders; i++)
		if (is_ready(&name->holders[i]))
			return true;
	return false;
}

static bool is_running(const struct call *c)
{
	return c->state == RUNNING || c->state == ABANDONED;
}

static unsigned int running_of_holder(uint64_t instance)
{
	unsigned int n = 0;

	for (int i = 0; i < N_CALLS; i++)
		n += is_running(&m.calls[i]) && m.calls[i].holder == instance;
	return n;
}

static unsigned int running_of_name(uint64_t instance)
{
	unsigned int n = 0;

	for (int i = 0; i < N_CALLS; i++)
		n += is_running(&m.calls[i]) && m.calls[i].api == instance;
	return n;
}

static unsigned int queued_of_name(uint64_t instance)
{
	unsigned int n = 0;

	for (int i = 0; i < N_CALLS; i++)
		n += m.calls[i].state == QUEUED && m.calls[i].api == instance;
	return n;
}

static unsigned int abandoned_of(int party)
{
	unsigned int n = 0;

	for (int i = 0; i < N_CALLS; i++)
		n += m.calls[i].state == ABANDONED && m.calls[i].provider == party;
	return n;
}

static unsigned int made_by(int party)
{
	unsigned int n = 0;

	for (int i = 0; i < N_CALLS; i++)
		n += m.calls[i].payer == party &&
		     (m.calls[i].state == QUEUED || m.calls[i].state == RUNNING);
	return n;
}

static unsigned int held_by(int party)
{
	unsigned int n = 0;

	for (int i = 0; i < N_NAMES; i++) {
		for (unsigned int k = 0; k < m.names[i].n_holders; k++)
			n += m.names[i].holders[k].party == party;
		for (unsigned int k = 0; k < m.names[i].n_standbys; k++)
			n += m.names[i].standbys[k].party == party;
	}
	return n;
}

static bool has_room(const struct holder *h)
{
	return !m.blocked[h->party] && (h->options.concurrency == 0 ||
					running_of_holder(h->instance) < h->options.concurrency);
}

/* The rules of pause and drain, whoever asked for them. */
static bool takes_calls(const struct name *name, const struct holder *h, bool queued, bool anybody)
{
	if (is_ready(h))
		return !name->paused && (queued || !name->draining);
	return queued && !anybody && (h->draining || name->draining);
}

/* Who has to get the next call; NULL: it has to wait. */
static struct holder *next_holder(struct name *name, bool queued)
{
	bool anybody = is_anybody_ready(name);
	struct holder *best = NULL;

	for (unsigned int i = 0; i < name->n_holders; i++) {
		struct holder *h = &name->holders[i];
		unsigned int n = running_of_holder(h->instance);
		unsigned int least = best ? running_of_holder(best->instance) : 0;

		if (!takes_calls(name, h, queued, anybody) || !has_room(h))
			continue;
		if (!best || n < least || (n == least && h->used < best->used))
			best = h;
	}
	return best;
}

static struct holder *find_holder(struct name *name, int party)
{
	for (unsigned int i = 0; i < name->n_holders; i++)
		if (name->holders[i].party == party)
			return &name->holders[i];
	for (unsigned int i = 0; i < name->n_standbys; i++)
		if (name->standbys[i].party == party)
			return &name->standbys[i];
	return NULL;
}

static bool is_standby(const struct name *name, const struct holder *h)
{
	return h >= name->standbys && h < name->standbys + N_PARTIES;
}

static void take_out(struct holder *all, unsigned int *n, struct holder *h)
{
	memmove(h, h + 1, (size_t)(all + *n - h - 1) * sizeof(*h));
	(*n)--;
}

static void call_free(struct call *c)
{
	c->state = FREE;
	c->due = 0;
}

static void leave_queue(struct call *c)
{
	struct name *name = &m.names[c->name];
	unsigned int n = 0;

	for (unsigned int i = 0; i < name->n_queued; i++)
		if (&m.calls[name->queue[i]] != c)
			name->queue[n++] = name->queue[i];
	name->n_queued = n;
}

/* A one-way call ends in silence. */
static void set_due(struct call *c, int code)
{
	if (c->caller != NOBODY) {
		c->due = code;
	} else if (c->state == QUEUED) {
		leave_queue(c);
		call_free(c);
	} else if (code == CHAPI_ERR_PROVIDER_GONE) {
		call_free(c);
	} else {
		c->state = ABANDONED;
		c->cancel_due = true;
	}
}

/* Nobody holds it any more. */
static void name_end(struct name *name)
{
	while (name->n_queued > 0) {
		struct call *c = &m.calls[name->queue[0]];

		leave_queue(c);
		set_due(c, CHAPI_ERR_PROVIDER_GONE);
		if (c->caller == NOBODY)
			call_free(c);
	}
	memset(name, 0, sizeof(*name));
}

static void holder_end(struct name *name, struct holder *h)
{
	if (is_standby(name, h))
		take_out(name->standbys, &name->n_standbys, h);
	else
		take_out(name->holders, &name->n_holders, h);
	if (name->n_holders + name->n_standbys == 0)
		name_end(name);
}

static struct call *call_by_token(int caller, uint32_t token)
{
	for (int i = 0; i < N_CALLS; i++) {
		struct call *c = &m.calls[i];

		if (c->state != FREE && c->state != ABANDONED && c->state != NEW &&
		    c->caller == caller && c->token == token)
			return c;
	}
	return NULL;
}

static struct call *call_by_id(int provider, uint32_t id)
{
	for (int i = 0; i < N_CALLS; i++)
		if (is_running(&m.calls[i]) && m.calls[i].provider == provider &&
		    m.calls[i].id == id)
			return &m.calls[i];
	return NULL;
}

static struct call *call_by_serial(uint64_t serial)
{
	for (int i = 0; i < N_CALLS; i++)
		if (m.calls[i].state != FREE && m.calls[i].serial == serial)
			return &m.calls[i];
	return NULL;
}

static struct pending *pending_by_token(int party, uint32_t token)
{
	for (int i = 0; i < N_PENDINGS; i++)
		if (m.pendings[i].kind && m.pendings[i].party == party &&
		    m.pendings[i].token == token)
			return &m.pendings[i];
	return NULL;
}

/* ---- what the router says ------------------------------------------------------------- */

static int index_of(const struct party *party)
{
	return (int)(party - m.parties);
}

/* The serial number in a call's params: a number, or of a one-way call a text. */
static uint64_t serial_of(struct span params)
{
	struct mp_reader r = mp_reader(params);
	char digits[24] = "";
	struct span text;
	uint64_t serial = 0;

	if (mp_read_uint(&r, &serial) == 0)
		return serial;
	EXPECT(mp_read_str(&r, &text) == 0 && text.len < sizeof(digits), "params of nobody");
	memcpy(digits, text.p, text.len);
	return strtoull(digits, NULL, 10);
}

static void check_meta(const struct call *c, const struct party_request *request)
{
	uint64_t gone_ms = m.now.ms - c->arrived_ms;
	uint64_t left_ms = c->timeout_ms > gone_ms ? c->timeout_ms - gone_ms : 1;
	char label[24];

	snprintf(label, sizeof(label), "s%llu", (unsigned long long)c->serial);
	EXPECT(span_is(request->call, label), "label %.*s, not %s", (int)request->call.len,
	       request->call.p, label);
	EXPECT((uint64_t)request->timeout_ms == left_ms, "%lld ms left, not %llu",
	       (long long)request->timeout_ms, (unsigned long long)left_ms);
	EXPECT(request->oneway == c->oneway && request->progress == c->progress, "wrong flags");
	EXPECT(request->origin == (c->payer == REMOTE ? PARTY_REMOTE : PARTY_LOCAL) ||
	       c->payer == NOBODY, "wrong origin");
}

static void check_turn(int provider, struct call *c)
{
	struct name *name = &m.names[c->name];
	bool queued = c->state == QUEUED;
	struct holder *h = next_holder(name, queued);

	EXPECT(queued || c->state == NEW, "a call is handed over in state %d", c->state);
	EXPECT(!c->due, "a call is handed over that is over");
	EXPECT(!queued || &m.calls[name->queue[0]] == c, "a call passes others in the queue");
	EXPECT(queued || (name->n_queued == 0 && !name->draining), "a new call passes the queue");
	EXPECT(h, "a call is handed over to a name that takes none");
	EXPECT(h->party == provider, "party %d gets a call, and not %d", provider, h->party);
	EXPECT(!h->options.picky || c->oneway, "a call is handed over whose params do not fit");
}

/* A number comes back so late that an answer that is late, too, reaches nobody. */
static void note_id(uint32_t id)
{
	uint32_t at = (id + 1) * 2654435761U >> 18;

	while (m.ids[at] && m.ids[at] != id + 1)
		at = (at + 1) % IDS_MAX;
	EXPECT(!m.ids[at], "number %u is used again", id);
	m.ids[at] = id + 1;
}

/* 0, or how the provider's edge refuses it. */
static int refusal(void)
{
	static const int ways[] = { PARTY_E_FULL, PARTY_E_FULL, PARTY_E_INEXPRESSIBLE, -ENOMEM };

	return chance(m.refuse_one_in) ? ways[pick_number(ARRAY_SIZE(ways))] : 0;
}

/* One that nobody waits for is over then, in silence. */
static int call_end_refused(struct call *c)
{
	call_free(c);
	return c->refused;
}

static int on_request(struct party *to, const struct party_request *request, const char **ret_why)
{
	int provider = index_of(to);
	struct call *c = call_by_serial(serial_of(request->params));
	struct holder *h;

	EXPECT(c, "a call is handed over that nobody has made");
	EXPECT(m.here[provider], "a call is handed to one who has left");
	check_turn(provider, c);
	check_meta(c, request);
	c->refused = refusal();
	if (c->refused) {
		m.blocked[provider] |= c->refused == PARTY_E_FULL;
		*ret_why = "at .: refused";
		if (c->state == QUEUED && c->oneway && c->refused != PARTY_E_FULL) {
			leave_queue(c);
			return call_end_refused(c);
		}
		return c->refused;
	}
	note_id(request->id);
	h = find_holder(&m.names[c->name], provider);
	if (c->state == QUEUED)
		leave_queue(c);
	c->state = RUNNING;
	c->provider = provider;
	c->id = request->id;
	c->holder = h->instance;
	h->used = ++m.n_turns;
	return 0;
}

/* What an answer says, whether it is in a record or not. */
struct said {
	int code;			/* 0: none */
	enum chapi_ran ran;
	struct span result;
};

static enum chapi_ran ran_of(struct span name)
{
	return span_is(name, "no") ? CHAPI_RAN_NO : span_is(name, "yes") ? CHAPI_RAN_YES
									  : CHAPI_RAN_UNKNOWN;
}

static struct span text_in(struct span map, const char *key)
{
	struct span value, text = span_of("", 0);
	struct mp_reader r;

	EXPECT(mp_map_get(map, key, &value) == 0, "'%s' is missing", key);
	r = mp_reader(value);
	EXPECT(mp_read_str(&r, &text) == 0, "'%s' is no text", key);
	return text;
}

static struct said read_answer(const struct party_response *response, bool full)
{
	struct said said = { 0 };
	struct span error;

	if (response->failure) {
		said.code = response->failure->code;
		said.ran = response->failure->ran;
		return said;
	}
	said.result = response->result;
	if (!full)
		return said;
	EXPECT(mp_map_get(response->result, "result", &said.result) == 0 &&
	       mp_map_get(response->result, "error", &error) == 0, "that is no record");
	if (error.p[0] == 0xc0)
		return said;
	said.code = error_info_by_name(text_in(error, "code"))->code;
	said.ran = ran_of(text_in(error, "ran"));
	return said;
}

/* A queued call that could not be handed over, or not to whom it had to be. */
static bool is_lost_in_queue(const struct call *c, int code)
{
	struct name *name = &m.names[c->name];
	struct holder *h = next_holder(name, true);

	if (code == CHAPI_ERR_INVALID_ARGUMENT)
		return c->refused == PARTY_E_INEXPRESSIBLE || (h && h->options.picky && !c->oneway);
	if (code == CHAPI_ERR_API_NOT_FOUND)
		return h && c->caller == REMOTE && name->holders[0].options.local;
	return code == CHAPI_ERR_INTERNAL && c->refused == -ENOMEM;
}

static void check_result(const struct call *c, struct span result)
{
	struct mp_reader r = mp_reader(result);
	uint64_t serial = 0;

	EXPECT(mp_read_uint(&r, &serial) == 0 && serial == c->serial,
	       "the answer is that of another call (%llu, not %llu)", (unsigned long long)serial,
	       (unsigned long long)c->serial);
}

static void call_answered(struct call *c, const struct party_response *response)
{
	struct said said = read_answer(response, c->full);
	bool lost = c->state == QUEUED && !c->due && is_lost_in_queue(c, said.code);
	bool no_memory = memory.one_in && said.code == CHAPI_ERR_INTERNAL;
	enum chapi_ran ran = c->state == ANSWERED ? c->ran
			   : c->state == QUEUED ? CHAPI_RAN_NO : CHAPI_RAN_UNKNOWN;

	EXPECT(c->due || lost, "an answer (%d) that is not due", said.code);
	if (c->due > 0 && !no_memory)
		EXPECT(said.code == c->due, "the code is %d, not %d", said.code, c->due);
	if (c->due < 0 && !no_memory)
		check_result(c, said.result);
	if (said.code && !no_memory)
		EXPECT(said.ran == ran, "ran is %d, not %d (code %d)", said.ran, ran, said.code);
	if (c->state == RUNNING && (c->due == CHAPI_ERR_DEADLINE_EXCEEDED ||
				    c->due == CHAPI_ERR_CANCELLED)) {
		EXPECT(!c->cancel_due, "the caller is told before the provider");
		c->state = ABANDONED;
		c->caller = c->payer = NOBODY;
		c->due = 0;
		return;
	}
	if (c->state == QUEUED)
		leave_queue(c);
	call_free(c);
}

static bool is_wait_over(const struct pending *p)
{
	for (int i = 0; i < N_NAMES; i++)
		if (p->names >> i & 1 && !m.names[i].instance)
			return false;
	return true;
}

static bool is_holder_drained(const struct pending *p)
{
	struct name *name = &m.names[p->name];
	struct holder *h = find_holder(name, p->party);

	if (!h || h->instance != p->instance)
		return running_of_holder(p->instance) == 0;
	if (running_of_holder(h->instance) > 0)
		return false;
	return is_standby(name, h) || name->n_queued == 0 || is_anybody_ready(name);
}

static bool is_over(const struct pending *p)
{
	if (p->kind == WAIT)
		return is_wait_over(p);
	if (p->kind == DRAIN_HOLDER)
		return is_holder_drained(p);
	if (p->kind == DRAIN_NAME)
		return running_of_name(p->instance) == 0 && queued_of_name(p->instance) == 0;
	return false;
}

static void pending_answered(struct pending *p, const struct party_response *response)
{
	int code = response->failure ? response->failure->code : 0;

	if (code == 0)
		EXPECT(p->due < 0 || is_over(p), "a request of kind %d ends too soon", p->kind);
	else
		EXPECT(p->due == code, "a request of kind %d ends with %d", p->kind, code);
	p->kind = UNUSED_PENDING;
}

static void on_response(struct party *to, uint64_t token, const struct party_response *response)
{
	int party = index_of(to);
	struct call *c;
	struct pending *p;
	struct said said;
	size_t len;

	EXPECT(m.here[party], "an answer to one who has left");
	EXPECT(response->failure || (mp_length(response->result, MP_MESSAGE_DEPTH_MAX, &len) == 0 &&
				     len == response->result.len), "a result that is no value");
	if (m.asked && party == m.asker && token == m.asked_token && !m.answered) {
		said = read_answer(response, m.asked_full);
		m.answered = true;
		m.code = said.code;
		m.ran = said.ran;
	} else if ((c = call_by_token(party, (uint32_t)token))) {
		call_answered(c, response);
	} else if ((p = pending_by_token(party, (uint32_t)token))) {
		pending_answered(p, response);
	} else {
		complain("an answer to nothing (token %llu of party %d)", (unsigned long long)token,
			 party);
	}
}

static void on_cancel(struct party *to, uint32_t id)
{
	struct call *c = call_by_id(index_of(to), id);

	EXPECT(c, "a cancel of no call");
	EXPECT(c->cancel_due, "a cancel that is not due");
	c->cancel_due = false;
}

static void on_progress(struct party *to, uint64_t token, struct span value)
{
	struct call *c = call_by_token(index_of(to), (uint32_t)token);

	EXPECT(c && c->state == RUNNING && c->progress, "progress of nothing");
	check_result(c, value);
	EXPECT(m.progress_due[index_of(to)]-- > 0, "progress that is not due");
}

static int name_of(struct span text)
{
	EXPECT(text.len == 2 && text.p[0] == 'n' && text.p[1] < '0' + N_NAMES, "a name of nobody");
	return text.p[1] - '0';
}

static unsigned int first_ready_standby(const struct name *name)
{
	unsigned int i = 0;

	while (i < name->n_standbys && !is_ready(&name->standbys[i]))
		i++;
	return i;
}

/* Which of the standbys has to take over; n_standbys: none. */
static unsigned int heir_of(const struct name *name)
{
	unsigned int i = first_ready_standby(name);

	if (name->n_standbys == 0 || is_anybody_ready(name))
		return name->n_standbys;
	return i == name->n_standbys && name->n_holders == 0 ? 0 : i;
}

static bool same_terms(const struct options *a, const struct options *b)
{
	return a->timeout_ms == b->timeout_ms && a->local == b->local && a->picky == b->picky;
}

/* Those who shared with the heir come with it. */
static void grant_to_sharers(struct name *name)
{
	const struct options *terms = &name->holders[0].options;
	struct holder *h = name->standbys;

	while (terms->policy == SHARE && h < name->standbys + name->n_standbys) {
		if (h->options.policy != SHARE || !same_terms(terms, &h->options)) {
			h++;
			continue;
		}
		m.granted_due[h->party] |= 1U << (name - m.names);
		name->holders[name->n_holders++] = *h;
		take_out(name->standbys, &name->n_standbys, h);
	}
}

static void on_granted(struct party *to, struct span text)
{
	struct name *name = &m.names[name_of(text)];
	unsigned int i = heir_of(name), bit = 1U << name_of(text);
	struct holder heir;

	if (m.granted_due[index_of(to)] & bit) {
		m.granted_due[index_of(to)] &= ~bit;
		return;
	}
	EXPECT(i < name->n_standbys, "a name is granted that is not free");
	heir = name->standbys[i];
	EXPECT(heir.party == index_of(to), "granted to %d, not to %d", index_of(to), heir.party);
	take_out(name->standbys, &name->n_standbys, &name->standbys[i]);
	for (unsigned int k = 0; k < name->n_holders; k++)
		name->standbys[name->n_standbys++] = name->holders[k];
	name->holders[0] = heir;
	name->n_holders = 1;
	grant_to_sharers(name);
}

static void on_revoked(struct party *to, struct span text, const char *reason UNUSED)
{
	unsigned int bit = 1U << name_of(text);

	EXPECT(m.revoked_due[index_of(to)] & bit, "a name is revoked for no reason");
	m.revoked_due[index_of(to)] &= ~bit;
}

static int on_event(struct party *to, struct span event)
{
	size_t len;

	EXPECT(m.here[index_of(to)], "an event for one who has left");
	EXPECT(mp_length(event, MP_MESSAGE_DEPTH_MAX, &len) == 0 && len == event.len,
	       "a bad event");
	return chance(m.refuse_one_in) ? PARTY_E_FULL : 0;
}

static const struct party_ops ops = {
	on_request, on_response, on_cancel, on_progress, on_granted, on_revoked, on_event,
};

/* ---- what is said to the router ------------------------------------------------------- */

static int on_publish(void *data UNUSED, struct span channel UNUSED, struct span event UNUSED,
		      struct span text UNUSED, uint64_t id)
{
	if (chance(m.refuse_one_in))
		return chance(2) ? -ENOBUFS : -ENOMEM;
	m.published = id;
	return 0;
}

static bool on_withdraw(void *data UNUSED, uint64_t id UNUSED)
{
	return chance(2);
}

/* A message in JSON. */
static int say(int party, const char *fmt, ...) PRINTF(2, 3);

static int say(int party, const char *fmt, ...)
{
	CLEANUP(buf_deinit) struct buf b = BUF_NULL;
	struct value_fault fault = { "" };
	struct message message;
	const char *why = "";
	char text[1000];
	va_list args;
	int rc;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	EXPECT(value_from_json(span_str(text), MP_MESSAGE_DEPTH_MAX, &b, &fault) == 0, "%s", text);
	EXPECT(message_parse(buf_span(&b), 8, &message, &why) == 0, "%s: %s", text, why);
	memory.failing = party != N_PARTIES;
	rc = router_message(m.router, &m.parties[party], &message, &m.now);
	memory.failing = false;
	return rc;
}

static void begin_request(int party, bool full)
{
	m.asker = party;
	m.asked_token = ++m.tokens[party];
	m.asked = true;
	m.answered = false;
	m.asked_full = full;
	m.code = 0;
}

/* The next request of a party. m.answered and m.code say what became of it at once. */
static void ask(int party, const char *method, const char *params)
{
	begin_request(party, false);
	EXPECT(say(party, "[0,%u,\"%s\",%s]", m.asked_token, method, params) == 0,
	       "the connection is to be closed");
	m.asked = false;
}

/* Not done for want of memory? */
static bool is_refused_for_memory(void)
{
	if (!m.answered || m.code != CHAPI_ERR_INTERNAL || !memory.one_in)
		return false;
	EXPECT(m.ran == CHAPI_RAN_NO, "no memory, and it is not known what was begun");
	return true;
}

static void expect_code(int code)
{
	EXPECT(m.answered, "no answer");
	EXPECT(m.code == code, "the code is %d, not %d", m.code, code);
	EXPECT(code == 0 || m.ran == CHAPI_RAN_NO, "refused, and ran is %d", m.ran);
}

/* ---- after each operation ------------------------------------------------------------- */

static void check_names(void)
{
	for (int i = 0; i < N_NAMES; i++) {
		struct name *name = &m.names[i];

		EXPECT(heir_of(name) == name->n_standbys, "nobody takes n%d over", i);
		EXPECT(name->instance || name->n_queued == 0, "calls wait for nobody");
		EXPECT(name->n_queued == 0 || !next_holder(name, true),
		       "calls of n%d wait for nothing", i);
	}
}

static void check_calls(void)
{
	for (int i = 0; i < N_CALLS; i++) {
		struct call *c = &m.calls[i];

		EXPECT(!c->due, "a call has got no answer (%d)", c->due);
		EXPECT(c->state == FREE || !c->cancel_due, "a provider is not told of a cancel");
		EXPECT(c->state != NEW && c->state != ANSWERED, "a call is in state %d", c->state);
	}
}

static void check_pendings(void)
{
	for (int i = 0; i < N_PENDINGS; i++) {
		struct pending *p = &m.pendings[i];

		EXPECT(!p->kind || (!p->due && !is_over(p)), "a request of kind %d is not answered",
		       p->kind);
	}
}

static void check_parties(void)
{
	for (int i = 0; i < N_PARTIES; i++) {
		EXPECT(m.progress_due[i] == 0, "progress is lost");
		EXPECT(m.revoked_due[i] == 0, "party %d is not told of a revoked name", i);
		EXPECT(m.granted_due[i] == 0, "party %d is not told of a name granted", i);
		EXPECT(!m.here[i] || abandoned_of(i) <= ABANDONED_PER_PEER,
		       "an offender is not named");
	}
}

static void check_timers(void)
{
	uint64_t next_ms = router_next_ms(m.router);

	for (int i = 0; i < N_CALLS; i++) {
		struct call *c = &m.calls[i];

		if (c->state == QUEUED || c->state == RUNNING)
			EXPECT(next_ms <= c->arrived_ms + c->timeout_ms, "a deadline is forgotten");
	}
}

static const char *state_text(const struct name *name, const struct holder *h)
{
	if (h->draining)
		return "draining";
	if (h->paused)
		return "paused";
	return is_standby(name, h) ? "standby" : "active";
}

static const char *name_state_text(const struct name *name)
{
	if (name->draining)
		return "draining";
	if (name->paused)
		return "paused";
	return is_anybody_ready(name) ? "active" : state_text(name, &name->holders[0]);
}

static void put_holders(struct buf *b, const struct name *name, const struct holder *h,
			unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		buf_printf(
			b,
			"{\"caller\":\"uid:%d\",\"client\":\"\",\"state\":\"%s\",\"running\":%u},",
			h[i].party, state_text(name, &h[i]), running_of_holder(h[i].instance));
}

/* What "describe" has to have in it. */
static void put_expected(struct buf *b, const struct name *name)
{
	buf_printf(
		b,
		"\"running\":%u,\"queued\":%u;\"standbys\":%u;\"state\":\"%s\",\"policy\":\"%s\";"
		"\"providers\":%u;\"holders\":[",
		running_of_name(name->instance), name->n_queued, name->n_standbys,
		name_state_text(name), policies[name->holders[0].options.policy], name->n_holders);
	put_holders(b, name, name->holders, name->n_holders);
	put_holders(b, name, name->standbys, name->n_standbys);
	buf_truncate(b, b->len - 1);
	buf_put_str(b, "]");
	buf_put_byte(b, 0);
}

static struct buf described;		/* the last answer to the one who looks on */

static void on_look(struct party *to UNUSED, uint64_t token UNUSED,
		    const struct party_response *response)
{
	struct value_fault fault;

	m.code = response->failure ? response->failure->code : 0;
	buf_clear(&described);
	if (!response->failure)
		EXPECT(value_to_json(response->result, MP_MESSAGE_DEPTH_MAX, &described,
				     &fault) == 0, "%s", fault.text);
	buf_put_byte(&described, 0);
}

static const struct party_ops looker_ops = { .response = on_look };

static void look(const char *method, const char *params)
{
	EXPECT(say(N_PARTIES, "[0,%u,\"%s\",%s]", ++m.tokens[N_PARTIES], method, params) == 0,
	       "the one who looks on is to be closed");
}

static void compare_name(int i)
{
	CLEANUP(buf_deinit) struct buf expected = BUF_NULL;
	char params[10], *next, *piece;

	snprintf(params, sizeof(params), "[\"n%d\"]", i);
	look("describe", params);
	if (!m.names[i].instance) {
		EXPECT(m.code == CHAPI_ERR_API_NOT_FOUND, "n%d is still there", i);
		return;
	}
	EXPECT(m.code == 0, "n%d is not there", i);
	put_expected(&expected, &m.names[i]);
	next = (char *)expected.p;
	while ((piece = strsep(&next, ";")))
		EXPECT(strstr((const char *)buf_data(&described), piece), "n%d: %s\nlacks %s", i,
		       (const char *)buf_data(&described), piece);
}

static void leave(int party);

static void close_offenders(void)
{
	struct party *party;

	while ((party = router_next_offender(m.router))) {
		EXPECT(m.here[index_of(party)], "the offender has left");
		leave(index_of(party));
	}
}

static void check_all(void)
{
	close_offenders();
	check_names();
	check_calls();
	check_pendings();
	check_parties();
	check_timers();
	compare_name((int)pick_number(N_NAMES));
}

/* ---- operations: parties -------------------------------------------------------------- */

static void join(int party)
{
	struct party *p = &m.parties[party];

	memset(p, 0, sizeof(*p));
	p->ops = party == N_PARTIES ? &looker_ops : &ops;
	p->origin = party == REMOTE ? PARTY_REMOTE : PARTY_LOCAL;
	snprintf(p->caller, sizeof(p->caller), "uid:%d", party);
	if (party < N_PARTIES) {
		m.here[party] = true;
		m.blocked[party] = false;
	}
	router_add(m.router, p, &m.now);
}

/* Its calls, in the order in which the router goes through them: made ones first. */
static void drop_made(int party)
{
	for (int i = 0; i < N_CALLS; i++) {
		struct call *c = &m.calls[i];

		if (c->state == FREE || c->payer != party)
			continue;
		if (c->provider == party && c->state == RUNNING) {
			call_free(c);
		} else if (c->oneway) {
			c->payer = NOBODY;
		} else {
			c->caller = c->payer = NOBODY;
			set_due(c, CHAPI_ERR_CANCELLED);
		}
	}
}

static void drop_handled(int party)
{
	for (int i = 0; i < N_CALLS; i++) {
		struct call *c = &m.calls[i];

		if (c->provider != party || !is_running(c))
			continue;
		if (c->state == ABANDONED)
			call_free(c);
		else
			set_due(c, CHAPI_ERR_PROVIDER_GONE);
	}
}

static void drop_names(int party)
{
	for (int i = 0; i < N_NAMES; i++) {
		struct holder *h = find_holder(&m.names[i], party);

		if (h)
			holder_end(&m.names[i], h);
	}
}

static void leave(int party)
{
	for (int i = 0; i < N_PENDINGS; i++)
		if (m.pendings[i].party == party)
			m.pendings[i].kind = UNUSED_PENDING;
	drop_made(party);
	drop_names(party);
	drop_handled(party);
	m.here[party] = false;
	memory.failing = true;
	router_remove(m.router, &m.parties[party], &m.now);
	memory.failing = false;
	EXPECT(m.parties[party].n_calls_made == 0 && m.parties[party].n_calls_handled == 0 &&
	       m.parties[party].n_registrations == 0 && m.parties[party].n_pendings == 0 &&
	       m.parties[party].pinned == 0, "something of the party is left");
}

static void op_join(int party UNUSED)
{
	int i = (int)pick_number(N_PARTIES);

	if (!m.here[i])
		join(i);
}

static void op_leave(int party)
{
	leave(chance(5) && m.here[REMOTE] ? REMOTE : party);
}

static void op_writable(int party)
{
	m.blocked[party] = false;
	memory.failing = true;
	router_writable(m.router, &m.parties[party], &m.now);
	memory.failing = false;
}

/* Asks for what is answered at once, whatever it is. */
static void op_look(int party)
{
	static const char *const asks[][2] = {
		{ "status", "[]" }, { "list", "[]" }, { "list", "[null,{\"long\":true}]" },
		{ "stats", "[]" }, { "hello", "[]" }, { "monitor", "[]" },
		{ "monitor", "[{\"kinds\":[\"response\"],\"bodies\":true}]" },
		{ "call", "[\"chapi.ping\"]" }, { "nothing", "[]" }, { "register", "[\"\"]" },
		{ "call", "[\"chapi.list\",null,{\"full\":true}]" },
	};
	unsigned int i = pick_number(ARRAY_SIZE(asks));

	begin_request(party, i == ARRAY_SIZE(asks) - 1);
	EXPECT(say(party, "[0,%u,\"%s\",%s]", m.asked_token, asks[i][0], asks[i][1]) == 0,
	       "closed");
	m.asked = false;
	EXPECT(m.answered, "no answer");
}

/* ---- operations: names ---------------------------------------------------------------- */

static struct options random_options(void)
{
	static const unsigned int timeouts[] = { 30000, 30000, 40, 400 };

	return (struct options){
		.policy = (int)pick_number(4),
		.concurrency = pick_number(4),
		.queue = pick_number(5),
		.timeout_ms = timeouts[pick_number(ARRAY_SIZE(timeouts))],
		.local = chance(4),
		.picky = chance(6),
	};
}

static void options_text(char *ret, size_t len, int name, const struct options *o)
{
	snprintf(ret, len,
		 "[\"n%d\",{\"policy\":\"%s\",\"concurrency\":%u,\"queue\":%u,\"timeout_ms\":%u,"
		 "\"visibility\":\"%s\",\"params\":{\"type\":%s}}]",
		 name, policies[o->policy], o->concurrency, o->queue, o->timeout_ms,
		 o->local ? "local" : "remote",
		 o->picky ? "\"string\"" : "[\"integer\",\"string\"]");
}

static int register_code(struct name *name, int party, const struct options *o)
{
	const struct options *theirs = &name->holders[0].options;

	if (held_by(party) >= NAMES_PER_PEER)
		return CHAPI_ERR_BUSY;
	if (!name->instance)
		return 0;
	if (find_holder(name, party) || o->policy == EXCLUSIVE)
		return CHAPI_ERR_API_EXISTS;
	if (o->policy == SHARE && (theirs->policy != SHARE || !same_terms(theirs, o)))
		return CHAPI_ERR_FAILED_PRECONDITION;
	return 0;
}

static void revoke_active(struct name *name)
{
	for (unsigned int i = 0; i < name->n_holders; i++)
		m.revoked_due[name->holders[i].party] |= 1U << (name - m.names);
	name->n_holders = 0;
}

static void hold(struct name *name, int party, const struct options *o)
{
	bool standby = name->instance && o->policy == STANDBY;
	struct holder *h;

	if (name->instance && o->policy == REPLACE)
		revoke_active(name);
	if (!name->instance)
		name->instance = ++m.n_instances;
	h = standby ? &name->standbys[name->n_standbys++] : &name->holders[name->n_holders++];
	*h = (struct holder){ .party = party, .instance = ++m.n_instances, .options = *o };
}

/* What was foreseen did not happen. */
static void undo(struct name *name, const struct name *before)
{
	*name = *before;
	memset(m.revoked_due, 0, sizeof(m.revoked_due));
}

static void op_register(int party)
{
	int i = (int)pick_number(N_NAMES);
	struct name *name = &m.names[i], before = *name;
	struct options o = random_options();
	int code;
	char params[300];

	if (name->instance && chance(2)) {		/* or hardly anybody shared */
		o = name->holders[0].options;
		o.policy = SHARE;
	}
	code = register_code(name, party, &o);
	if (code == 0)
		hold(name, party, &o);
	options_text(params, sizeof(params), i, &o);
	ask(party, "register", params);
	if (is_refused_for_memory())
		undo(name, &before);
	else
		expect_code(code);
}

static void op_update(int party)
{
	int i = (int)pick_number(N_NAMES);
	struct name *name = &m.names[i], before = *name;
	struct holder *h = find_holder(name, party);
	struct options o = random_options();
	int code = h ? 0 : CHAPI_ERR_API_NOT_FOUND;
	char params[300];

	if (h && !is_standby(name, h) && name->n_holders > 1 &&
	    !(o.policy == h->options.policy && same_terms(&o, &h->options)))
		code = CHAPI_ERR_FAILED_PRECONDITION;
	if (code == 0)
		h->options = o;
	options_text(params, sizeof(params), i, &o);
	ask(party, "update", params);
	if (is_refused_for_memory())
		undo(name, &before);
	else
		expect_code(code);
}

static void revoke_all(struct name *name)
{
	for (unsigned int i = 0; i < name->n_standbys; i++)
		m.revoked_due[name->standbys[i].party] |= 1U << (name - m.names);
	revoke_active(name);
	name->n_standbys = 0;
	name_end(name);
}

static void op_unregister(int party)
{
	int i = (int)pick_number(N_NAMES);
	struct name *name = &m.names[i];
	struct holder *h = find_holder(name, party);
	int code = name->instance ? 0 : CHAPI_ERR_API_NOT_FOUND;
	char params[10];

	if (!h && name->instance && !chance(4))
		return;
	if (h)
		holder_end(name, h);
	else if (name->instance)
		revoke_all(name);
	snprintf(params, sizeof(params), "[\"n%d\"]", i);
	ask(party, "unregister", params);
	expect_code(code);
}

static void set_state(struct name *name, struct holder *h, bool paused, bool draining)
{
	if (h) {
		h->paused = paused;
		h->draining = draining;
	} else {
		name->paused = paused;
		name->draining = draining;
	}
}

static void pause_or_resume(int party, struct name *name, bool pause)
{
	char params[16];
	int code = name->instance ? 0 : CHAPI_ERR_API_NOT_FOUND;

	if (name->instance)
		set_state(name, find_holder(name, party), pause, false);
	snprintf(params, sizeof(params), "[\"n%d\"]", (int)(name - m.names));
	ask(party, pause ? "pause" : "resume", params);
	expect_code(code);
}

static void op_pause_or_resume(int party)
{
	pause_or_resume(party, &m.names[pick_number(N_NAMES)], chance(3));
}

/* So that several make way at once. */
static void op_holders_pause(int party UNUSED)
{
	struct name *name = &m.names[pick_number(N_NAMES)];
	struct holder *h;

	for (int i = 0; i < N_PARTIES; i++) {
		h = find_holder(name, i);
		if (h && !is_standby(name, h))
			pause_or_resume(i, name, true);
	}
}

static struct pending *free_pending(void)
{
	for (int i = 0; i < N_PENDINGS; i++)
		if (!m.pendings[i].kind)
			return &m.pendings[i];
	return NULL;
}

/* A time limit, as params have it; 0: none. */
static uint64_t random_limit(char *ret, size_t len)
{
	unsigned int ms = 1 + pick_number(100);

	*ret = '\0';
	if (chance(3))
		return 0;
	snprintf(ret, len, ",{\"timeout_ms\":%u}", ms);
	return m.now.ms + ms;
}

/* The request waits from the beginning, as the answer may come when it is over at once. */
static void ask_pending(struct pending *p, int party, const char *method, const char *params)
{
	struct pending before = *p;

	before.kind = UNUSED_PENDING;
	p->party = party;
	p->token = m.tokens[party] + 1;
	begin_request(party, false);
	EXPECT(say(party, "[0,%u,\"%s\",%s]", m.asked_token, method, params) == 0, "closed");
	m.asked = false;
	if (m.answered && m.code != 0)
		*p = before;
	else if (m.answered) {
		EXPECT(is_over(p), "a request of kind %d ends at once", p->kind);
		p->kind = UNUSED_PENDING;
	}
}

static void op_drain(int party)
{
	int i = (int)pick_number(N_NAMES);
	struct name *name = &m.names[i], before = *name;
	struct holder *h = find_holder(name, party);
	struct pending *p = free_pending();
	char params[60], limit[40];

	if (!p || !name->instance)
		return;
	*p = (struct pending){
		.kind = h ? DRAIN_HOLDER : DRAIN_NAME,
		.name = i,
		.instance = h ? h->instance : name->instance,
		.deadline_ms = random_limit(limit, sizeof(limit)),
	};
	set_state(name, h, false, true);
	snprintf(params, sizeof(params), "[\"n%d\"%s]", i, limit);
	ask_pending(p, party, "drain", params);
	if (is_refused_for_memory())
		undo(name, &before);
	else
		EXPECT(!m.answered || m.code == 0, "a drain is refused (%d)", m.code);
}

static void op_wait(int party)
{
	struct pending *p = free_pending();
	char params[100] = "[[", limit[40];

	if (!p)
		return;
	*p = (struct pending){
		.kind = WAIT,
		.names = 1 + pick_number((1U << N_NAMES) - 1),
		.deadline_ms = random_limit(limit, sizeof(limit)),
	};
	for (int i = 0; i < N_NAMES; i++)
		if (p->names >> i & 1)
			sprintf(params + strlen(params), "%s\"n%d\"", params[2] ? "," : "", i);
	sprintf(params + strlen(params), "]%s]", limit);
	ask_pending(p, party, "wait", params);
	EXPECT(!m.answered || m.code == 0 || is_refused_for_memory(), "a wait is refused");
}

static void op_publish(int party)
{
	struct pending *p = free_pending();

	if (!p)
		return;
	*p = (struct pending){ .kind = PUBLISH };
	ask_pending(p, party, "publish", "[\"news\",\"e\",{\"a\":1}]");
	p->instance = m.published;
	if (m.answered)
		EXPECT(m.code == CHAPI_ERR_BUSY || m.code == CHAPI_ERR_INTERNAL, "refused: %d",
		       m.code);
}

static void op_published(int party UNUSED)
{
	struct pending *p = &m.pendings[pick_number(N_PENDINGS)];
	bool fails = chance(3);

	if (p->kind != PUBLISH)
		return;
	p->due = fails ? CHAPI_ERR_HUB_DOWN : -1;
	router_published(m.router, p->instance, CHAPI_ERR_HUB_DOWN, CHAPI_RAN_UNKNOWN,
			 fails ? "the hub is down" : NULL, &m.now);
}

/* ---- operations: calls ---------------------------------------------------------------- */

static struct call *free_call(void)
{
	for (int i = 0; i < N_CALLS; i++)
		if (m.calls[i].state == FREE)
			return &m.calls[i];
	return NULL;
}

static struct call *new_call(int caller)
{
	struct call *c = free_call();

	if (!c)
		return NULL;
	*c = (struct call){
		.state = NEW,
		.caller = caller,
		.payer = caller,
		.provider = NOBODY,
		.token = m.tokens[caller] + 1,
		.name = (int)pick_number(N_NAMES),
		.serial = ++m.n_serials,
		.arrived_ms = m.now.ms,
	};
	c->api = m.names[c->name].instance;
	if (caller == REMOTE)
		return c;
	c->oneway = chance(6);
	c->full = !c->oneway && chance(4);
	c->progress = !c->oneway && chance(3);
	if (c->oneway)
		c->caller = NOBODY;
	return c;
}

/* Why it has to be refused, before it is tried to hand it over; 0: for no reason. */
static int call_code(struct call *c)
{
	struct name *name = &m.names[c->name];
	const struct options *o = &name->holders[0].options;

	if (!name->instance || (c->payer == REMOTE && o->local))
		return CHAPI_ERR_API_NOT_FOUND;
	if (name->paused || name->draining || !is_anybody_ready(name))
		return CHAPI_ERR_PAUSED;
	if (o->picky && !c->oneway)
		return CHAPI_ERR_INVALID_ARGUMENT;
	return made_by(c->payer) >= CALLS_PER_PEER ? CHAPI_ERR_BUSY : 0;
}

static void call_refused(struct call *c, int foreseen)
{
	struct name *name = &m.names[c->name];
	bool must_wait = name->n_queued > 0 || !next_holder(name, false);
	int code = foreseen;

	if (!is_refused_for_memory()) {
		if (code == 0 && c->refused == PARTY_E_INEXPRESSIBLE)
			code = CHAPI_ERR_INVALID_ARGUMENT;
		else if (code == 0 && c->refused == -ENOMEM)
			code = CHAPI_ERR_INTERNAL;
		else if (code == 0 && must_wait && name->n_queued >= name->holders[0].options.queue)
			code = CHAPI_ERR_BUSY;
		expect_code(code);
		EXPECT(code, "a call is refused for no reason");
	}
	call_free(c);
}

static void call_accepted(struct call *c, int foreseen)
{
	struct name *name = &m.names[c->name];

	EXPECT(foreseen == 0, "a call is accepted, and not refused with %d", foreseen);
	EXPECT(m.answered == c->oneway, "an answer too soon, or none");
	if (c->state != NEW)
		return;
	EXPECT(name->n_queued < name->holders[0].options.queue, "the queue is too long");
	EXPECT(name->n_queued > 0 || !next_holder(name, false), "a call waits for nothing");
	c->state = QUEUED;
	name->queue[name->n_queued++] = (int)(c - m.calls);
}

static void send_call(struct call *c, unsigned int timeout_ms)
{
	const char *quote = c->oneway ? "\"" : "";
	char limit[40] = "";

	if (timeout_ms)
		snprintf(limit, sizeof(limit), ",\"timeout_ms\":%u", timeout_ms);
	EXPECT(say(c->payer, "[0,%u,\"call\",[\"n%d\",%s%llu%s,{\"id\":\"s%llu\",\"oneway\":%s,"
		   "\"full\":%s,\"progress\":%s%s}]]", c->token, c->name, quote,
		   (unsigned long long)c->serial, quote, (unsigned long long)c->serial,
		   c->oneway ? "true" : "false", c->full ? "true" : "false",
		   c->progress ? "true" : "false", limit) == 0, "closed");
}

static void send_remote_call(struct call *c, unsigned int timeout_ms)
{
	uint8_t params[MP_HEAD_MAX], *end = mp_w_uint(params, c->serial);
	char label[24], name[3] = { 'n', (char)('0' + c->name), 0 };
	struct router_call call = {
		.token = c->token,
		.api = span_str(name),
		.params = span_of(params, (size_t)(end - params)),
		.timeout_ms = timeout_ms,
	};

	snprintf(label, sizeof(label), "s%llu", (unsigned long long)c->serial);
	call.call = span_str(label);
	memory.failing = true;
	router_call(m.router, &m.parties[REMOTE], &call, &m.now);
	memory.failing = false;
}

static void op_call(int party)
{
	int caller = m.here[REMOTE] && chance(6) ? REMOTE : party;
	struct call *c = new_call(caller);
	unsigned int timeout_ms = chance(2) ? 0 : 1 + pick_number(150);
	int code;

	if (!c)
		return;
	code = call_code(c);
	c->timeout_ms = timeout_ms ? timeout_ms : m.names[c->name].holders[0].options.timeout_ms;
	begin_request(caller, c->full);
	if (caller == REMOTE)
		send_remote_call(c, timeout_ms);
	else
		send_call(c, timeout_ms);
	m.asked = false;
	if (m.answered && m.code != 0)
		call_refused(c, code);
	else
		call_accepted(c, code);
}

static struct call *random_call(int party, bool handled)
{
	int from = (int)pick_number(N_CALLS);

	for (int i = 0; i < N_CALLS; i++) {
		struct call *c = &m.calls[(from + i) % N_CALLS];

		if (handled ? is_running(c) && c->provider == party
			    : (c->state == QUEUED || c->state == RUNNING) && c->caller == party)
			return c;
	}
	return NULL;
}

static void op_cancel(int party)
{
	int caller = m.here[REMOTE] && chance(6) ? REMOTE : party;
	struct call *c = random_call(caller, false);
	uint32_t token = c ? c->token : pick_number(1000);

	if (c) {
		c->due = CHAPI_ERR_CANCELLED;
		c->cancel_due = c->state == RUNNING;
	}
	for (int i = 0; i < N_PENDINGS && !c; i++)
		if (m.pendings[i].party == caller && m.pendings[i].token == token)
			m.pendings[i].due = CHAPI_ERR_CANCELLED;
	if (caller == REMOTE)
		router_cancel(m.router, &m.parties[REMOTE], token, &m.now);
	else
		EXPECT(say(caller, "[2,\"cancel\",[%u]]", token) == 0, "closed");
}

/* Of a request that is no call. */
static void op_cancel_pending(int party UNUSED)
{
	struct pending *p = &m.pendings[pick_number(N_PENDINGS)];

	if (p->kind == UNUSED_PENDING)
		return;
	p->due = CHAPI_ERR_CANCELLED;
	EXPECT(say(p->party, "[2,\"cancel\",[%u]]", p->token) == 0, "closed");
}

/* An answer by a provider, and what its caller has to hear. */
struct reply {
	const char *error;		/* NULL: a result */
	int code;
	enum chapi_ran ran;
};

static const struct reply replies[] = {
	{ NULL, -1, CHAPI_RAN_YES }, { NULL, -1, CHAPI_RAN_YES }, { NULL, -1, CHAPI_RAN_YES },
	{ "\"it failed\"", CHAPI_ERR_API_ERROR, CHAPI_RAN_YES },
	{ "{\"code\":\"own\",\"details\":[1]}", CHAPI_ERR_API_ERROR, CHAPI_RAN_YES },
	{ "{\"code\":\"busy\"}", CHAPI_ERR_BUSY, CHAPI_RAN_NO },
	{ "{\"code\":\"invalid_argument\"}", CHAPI_ERR_INVALID_ARGUMENT, CHAPI_RAN_NO },
	{ "{\"code\":\"cancelled\"}", CHAPI_ERR_CANCELLED, CHAPI_RAN_UNKNOWN },
	{ "[7]", CHAPI_ERR_BAD_REPLY, CHAPI_RAN_YES },
	{ "too large", CHAPI_ERR_TOO_LARGE, CHAPI_RAN_YES },
	{ "unreadable", CHAPI_ERR_BAD_REPLY, CHAPI_RAN_YES },
};

static void send_reply(int party, uint32_t id, uint64_t serial, const struct reply *reply)
{
	struct party *from = &m.parties[party];

	if (!reply->error)
		EXPECT(say(party, "[1,%u,null,%llu]", id, (unsigned long long)serial) == 0,
		       "closed");
	else if (reply->code == CHAPI_ERR_TOO_LARGE)
		router_too_large(m.router, from, MESSAGE_RESPONSE, id, 1 << 30, &m.now);
	else if (strcmp(reply->error, "unreadable") == 0)
		router_unreadable(m.router, from, MESSAGE_RESPONSE, id, "why", &m.now);
	else
		EXPECT(say(party, "[1,%u,%s,null]", id, reply->error) == 0, "closed");
}

static void op_answer(int party)
{
	const struct reply *reply = &replies[pick_number(ARRAY_SIZE(replies))];
	struct call *c = random_call(party, true);
	struct call answered;

	if (!c)
		return;
	answered = *c;
	if (c->state == ABANDONED || c->caller == NOBODY) {
		call_free(c);
	} else {
		c->state = ANSWERED;
		c->due = reply->code;
		c->ran = reply->ran;
	}
	m.last_id[party] = answered.id;
	send_reply(party, answered.id, answered.serial, reply);
}

/* A second answer, or one to the number of a call of another: it reaches nobody. */
static void op_answer_nothing(int party)
{
	uint32_t id = chance(2) ? m.last_id[party] : m.calls[pick_number(N_CALLS)].id;

	if (!call_by_id(party, id))
		send_reply(party, id, 0, &replies[pick_number(ARRAY_SIZE(replies))]);
}

static void op_progress(int party)
{
	struct call *c = random_call(party, true);

	if (!c)
		return;
	if (c->state == RUNNING && c->progress)
		m.progress_due[c->caller] = 1;
	EXPECT(say(party, "[2,\"progress\",[%u,%llu]]", c->id, (unsigned long long)c->serial) == 0,
	       "closed");
}

/* A number that is not answered yet, used again: the end of the connection. */
static void op_repeat(int party)
{
	struct call *c = random_call(party, false);

	if (!c)
		return;
	m.asker = party;
	m.asked_token = c->token;
	m.asked = true;
	m.answered = m.asked_full = false;
	EXPECT(say(party, "[0,%u,\"status\",[]]", c->token) == ROUTER_E_CLOSE, "it is not closed");
	m.asked = false;
	expect_code(CHAPI_ERR_BAD_MESSAGE);
	leave(party);
}

static void op_cancel_all(int party UNUSED)
{
	for (int i = 0; i < N_CALLS; i++) {
		struct call *c = &m.calls[i];

		if (c->state != QUEUED && c->state != RUNNING)
			continue;
		c->cancel_due = c->state == RUNNING;
		set_due(c, CHAPI_ERR_CANCELLED);
	}
	for (int i = 0; i < N_PENDINGS; i++)
		m.pendings[i].due = CHAPI_ERR_CANCELLED;
	router_cancel_all(m.router, &m.now);
}

/* ---- operations: time ----------------------------------------------------------------- */

static void calls_expire(void)
{
	for (int i = 0; i < N_CALLS; i++) {
		struct call *c = &m.calls[i];

		if ((c->state != QUEUED && c->state != RUNNING) ||
		    c->arrived_ms + c->timeout_ms > m.now.ms)
			continue;
		c->cancel_due = c->state == RUNNING;
		set_due(c, CHAPI_ERR_DEADLINE_EXCEEDED);
	}
}

static void op_time(int party UNUSED)
{
	uint64_t ms = chance(10) ? pick_number(2000) : pick_number(30);

	m.now.ms += ms;
	m.now.us += ms * 1000;
	m.now.unix_s += (double)ms / 1e3;
	calls_expire();
	for (int i = 0; i < N_PENDINGS; i++) {
		struct pending *p = &m.pendings[i];

		if (p->kind && p->deadline_ms && p->deadline_ms <= m.now.ms)
			p->due = CHAPI_ERR_DEADLINE_EXCEEDED;
	}
	memory.failing = true;
	router_expire(m.router, &m.now);
	memory.failing = false;
}

/* ---- rounds --------------------------------------------------------------------------- */

static const struct op {
	const char *name;
	unsigned int weight;
	void (*run)(int party);
} op_table[] = {
	{ "call", 30, op_call },
	{ "answer", 18, op_answer },
	{ "time", 12, op_time },
	{ "register", 10, op_register },
	{ "cancel", 5, op_cancel },
	{ "cancel what is no call", 2, op_cancel_pending },
	{ "pause or resume", 5, op_pause_or_resume },
	{ "holders pause", 2, op_holders_pause },
	{ "join", 4, op_join },
	{ "update", 4, op_update },
	{ "writable", 4, op_writable },
	{ "progress", 3, op_progress },
	{ "look", 3, op_look },
	{ "unregister", 2, op_unregister },
	{ "drain", 2, op_drain },
	{ "wait", 2, op_wait },
	{ "publish", 2, op_publish },
	{ "published", 4, op_published },
	{ "answer to nothing", 2, op_answer_nothing },
	{ "leave", 2, op_leave },
	{ "repeat", 1, op_repeat },
};

static const struct op *pick_op(void)
{
	static const struct op cancel_all = { "cancel all", 0, op_cancel_all };
	unsigned int sum = 0, at;

	if (chance(500))
		return &cancel_all;
	for (size_t i = 0; i < ARRAY_SIZE(op_table); i++)
		sum += op_table[i].weight;
	at = pick_number(sum);
	for (size_t i = 0;; i++) {
		if (at < op_table[i].weight)
			return &op_table[i];
		at -= op_table[i].weight;
	}
}

static void do_step(void)
{
	const struct op *op = pick_op();
	int party = pick_party();

	if (party == NOBODY) {
		party = 0;
		join(party);
	}
	m.doing = op->name;
	op->run(party);
	check_all();
}

/* The router may keep four buffers, a block of calls and the table of blocks. */
#define KEPT_MOST 6

static void everybody_leaves(long n_live)
{
	m.doing = "everybody leaves";
	for (int i = 0; i < N_PARTIES; i++)
		if (m.here[i])
			leave(i);
	check_all();
	look("status", "[]");
	EXPECT(strstr((const char *)buf_data(&described), "\"peers\":1,\"apis\":0,\"calls\":{"
		      "\"running\":0,\"queued\":0,\"abandoned\":0}") &&
	       strstr((const char *)buf_data(&described), "\"pinned\":0,"), "something is left: %s",
	       (const char *)buf_data(&described));
	for (int i = 0; i < N_CALLS; i++)
		EXPECT(m.calls[i].state == FREE, "a call is left in state %d", m.calls[i].state);
	EXPECT(router_next_ms(m.router) == UINT64_MAX, "a timer is left");
	buf_deinit(&described);
	EXPECT(memory.n_live <= n_live + KEPT_MOST, "%ld pieces of memory are left",
	       memory.n_live - n_live);
}

static int make_router(void)
{
	const struct router_config config = {
		.name = "model",
		.version = "0",
		.seed = { m.seed, 2 },
		.instance = "0123456789abcdef0123456789abcdef",
		.limits = {
			.calls_per_peer = CALLS_PER_PEER,
			.names_per_peer = NAMES_PER_PEER,
			.abandoned_per_peer = ABANDONED_PER_PEER,
			.pinned_per_peer = 16 << 20,
			.pinned_total = 64 << 20,
			.max_message = 1 << 20,
		},
		.edge = { .publish = on_publish, .withdraw = on_withdraw },
	};

	m.now = (struct now){ .ms = 1000, .us = 1000000, .unix_s = 1700000000 };
	return router_new(&config, &m.now, &m.router);
}

static void round_begin(void)
{
	assert_int_equal(make_router(), 0);
	join(N_PARTIES);
	m.random = m.seed;
	memory.random = ~m.seed;
}

static void run_round(uint64_t seed, unsigned int refuse_one_in, unsigned int no_memory_one_in)
{
	long n_live_before, n_bytes_before, n_live;

	buf_deinit(&described);
	n_live_before = memory.n_live;
	n_bytes_before = memory.n_bytes;
	memset(&m, 0, sizeof(m));
	m.seed = seed;
	m.refuse_one_in = refuse_one_in;
	memory.one_in = no_memory_one_in;
	round_begin();
	n_live = memory.n_live;
	assert_true(n_live > n_live_before);	/* or nobody counts */
	for (m.step = 0; m.step < ROUND_STEPS; m.step++) {
		do_step();
		if (chance(1000))
			everybody_leaves(n_live);
	}
	everybody_leaves(n_live);
	router_remove(m.router, &m.parties[N_PARTIES], &m.now);
	m.router = router_free(m.router);
	memory.one_in = 0;
	EXPECT(memory.n_live == n_live_before && memory.n_bytes == n_bytes_before,
	       "%ld pieces of memory, %ld bytes are lost", memory.n_live - n_live_before,
	       memory.n_bytes - n_bytes_before);
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Each of the tests has its part of the time, and makes one round at least. */
static void run(unsigned int refuse_one_in, unsigned int no_memory_one_in)
{
	uint64_t end_ms = clock_ms() + number_from("CHAPI_MODEL_MS", RUN_MS) / 3;
	uint64_t seed = number_from("CHAPI_MODEL_SEED", SEED);
	unsigned int n = 0;

	do {
		run_round(seed, refuse_one_in, no_memory_one_in);
		seed = next_random(&seed);
		n++;
	} while (clock_ms() < end_ms);
	print_message("# %u rounds of %d steps\n", n, ROUND_STEPS);
}

static void test_model_is_kept(void **state UNUSED)
{
	run(0, 0);
}

static void test_model_is_kept_when_providers_refuse(void **state UNUSED)
{
	run(6, 0);
}

static void test_model_is_kept_without_memory(void **state UNUSED)
{
	run(20, 15);
}

/* Each of its allocations fails once. */
static void test_router_is_made_whole_or_not_at_all(void **state UNUSED)
{
	long n_live = memory.n_live;
	int n = 0, rc = -ENOMEM;

	while (rc != 0) {
		memory.left = ++n;
		rc = make_router();
		memory.left = 0;
		assert_true(rc == 0 || rc == -ENOMEM);
		if (rc == 0)
			m.router = router_free(m.router);
		assert_int_equal(memory.n_live, n_live);
	}
	assert_true(n > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_router_is_made_whole_or_not_at_all),
		cmocka_unit_test(test_model_is_kept),
		cmocka_unit_test(test_model_is_kept_when_providers_refuse),
		cmocka_unit_test(test_model_is_kept_without_memory),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
