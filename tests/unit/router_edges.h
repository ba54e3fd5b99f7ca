/* SPDX-License-Identifier: MIT */
/*
 * The router's edge, played by a test.
 *
 * What the router says to a party becomes lines of text:
 *
 *     ok TOKEN RESULT            fail TOKEN CODE RAN        of what the party asked
 *     call N NAME PARAMS         cancel N                   N: the Nth that it was handed
 *     progress TOKEN VALUE       event MAP
 *     granted NAME               revoked NAME REASON
 *
 * and each test says what was heard, all of it. Time is a number. After each test everybody
 * leaves, and nothing may be left of them.
 */
#ifndef CHAPI_TESTS_ROUTER_EDGES_H
#define CHAPI_TESTS_ROUTER_EDGES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/router.h"

#define HANDLED_MAX 1100
#define OWN_UID 999

struct edge {
	struct party party;
	bool here;
	uint32_t token;			/* of its last request */
	struct buf said;		/* since it was looked at last */
	struct buf value;		/* the last result, or the last failure's details: JSON */
	char message[400];		/* of the last failure */
	uint32_t ids[HANDLED_MAX];	/* the router's numbers of the calls it was handed */
	unsigned int n_handled;
	struct party_request meta;	/* of the last of them; its texts: */
	char caller[100], label[80];
	int refuses;			/* what it returns to a request */
	int loses;			/* what it returns to an event */
};

struct world {
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
};
extern struct world world;

/* alice, bob and carol are one user, dave is another; far is the hub side. */
static struct edge *const alice = &world.edges[0];
static struct edge *const bob = &world.edges[1];
static struct edge *const carol = &world.edges[2];
static struct edge *const dave = &world.edges[3];
static struct edge *const root = &world.edges[4];
static struct edge *const far = &world.edges[5];

/* A test in a world of its own. */
#define EDGES_TEST(f) cmocka_unit_test_setup_teardown(f, edges_setup, edges_teardown)
int edges_setup(void **state);
int edges_teardown(void **state);

struct router_limits limits(void);		/* of each world, at its beginning */
void set_limits(struct router_limits l);
void set_rules(const struct policy_rule *rules, size_t n);
void leave(struct edge *e);
void pass(uint64_t ms);		/* to each deadline on the way, as the loop does */

/* A message of this party: bytes, or JSON. What router_message() says to it. */
int say_bytes(struct edge *e, const struct buf *b);
int say_text(struct edge *e, const char *text);
void say(struct edge *e, const char *fmt, ...) PRINTF(2, 3);
/* Its next request; the number. */
uint32_t ask(struct edge *e, const char *method, const char *params);
void answer(struct edge *e, unsigned int n, const char *result);
void answer_error(struct edge *e, unsigned int n, const char *error);
void cancel(struct edge *e, uint32_t token);
/* A call from the hub side; token. */
uint32_t ask_far(uint64_t token, const char *api, int64_t timeout_ms, bool progress);

/* All that this party has been told since it was looked at last. */
void heard(struct edge *e, const char *expected);
void heard_nothing(struct edge *e);
void heard_fail(struct edge *e, const char *code, const char *ran);
/* The request is answered at once, with a result that is forgotten but for e->value; that. */
const char *gets(struct edge *e, const char *method, const char *params);
const char *holds(struct edge *e, const char *params);		/* "register" */
const char *described(const char *name);			/* what "describe" says of it */
void fails(struct edge *e, const char *method, const char *params, const char *code);

const char *text_of(struct buf *b);	/* for the test to look into */
void assert_has(const char *text, const char *piece);
void assert_lacks(const char *text, const char *piece);

#endif
