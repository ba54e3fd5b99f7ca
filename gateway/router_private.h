/* SPDX-License-Identifier: MIT */
/*
 * What the router's own files share. Nobody else includes this.
 *
 *     router.c     life, settings, parties, deadlines, the end
 *     incoming.c   messages in, and calls of the hub side
 *     expect.c     what the next messages will need
 *     request.c    what a request may, what it costs, the one answer to it
 *     methods.c    the table of what a process may ask
 *     builtin.c    the gateway's own functions
 *     holding.c    holding names: who may, under which options
 *     steering.c   names that are held: given up, taken back, paused, drained
 *     settle.c     what follows for calls that wait when holders change
 *     dispatch.c   a call from its request to its provider: rights, queue, hand-over
 *     outgoing.c   calls to other gateways
 *     finish.c     how calls end: answer, deadline, cancel, a party's leaving
 *     pending.c    requests other than calls that are answered later: what they share; drains
 *     waits.c      waiting for names
 *     edge_requests.c  what the hub is asked: publish, gateways
 *     monitor.c    who watches, and what is shown
 *     inspect.c    what is told about names and the gateway
 *
 * Who handles a request does not answer it: it says what the answer is, and request.c gives
 * it, once. Who changes the holders of a name, or ends a call of it, does not look at what
 * waits for it: the name is marked (router_unsettle()), and dealt with when all else is done.
 */
#ifndef CHAPI_ROUTER_PRIVATE_H
#define CHAPI_ROUTER_PRIVATE_H

#include "gateway/calls.h"
#include "gateway/registry.h"
#include "gateway/router.h"
#include "gateway/timers.h"
#include "libchapi-ipc/mp.h"

#define AWAITED_CHAINS 64
#define ROUTER_RETRY_MS 100	/* advice when nothing better is known */

enum timer_kind { TIMER_CALL, TIMER_PENDING };

/* The last id that was made for a call. */
struct label {
	size_t len, prefix_len;
	char text[8 + 1 + 16 + 1];	/* instance, "-", up to 16 digits */
};

struct router {
	struct router_config config;	/* the texts are our copies */
	struct registry *registry;
	struct calls *calls;
	struct timers timers;
	struct list parties, offenders, monitors;
	struct list unsettled;		/* names whose holders or calls have changed; references */
	struct list later;		/* of these, what took too long: at the next turn */
	struct list awaited[AWAITED_CHAINS];	/* names that are waited for, by hash */
	struct list publishes;		/* struct pending */
	struct list outgoings;		/* struct outgoing */
	unsigned int n_outgoings;
	unsigned int n_local;		/* parties that are connections */
	size_t pinned;			/* bytes charged to all parties, output included */
	size_t output;			/* of them, what waits to be taken */
	uint64_t work;			/* steps done so far, see router_work() */
	uint64_t started_us;
	uint64_t n_turns, n_publishes;	/* made so far, for the next one */
	struct label label;
	unsigned int open_rights;	/* bits by enum right: nobody needs to be asked */
	bool stopping;
	struct router_counters counters;
	/* Of the answer under way; kept so that nothing is allocated for each. */
	struct buf answer;		/* a result or details */
	struct buf record;		/* with the record around it */
	struct buf events[2];		/* for monitors: without bodies, with them */
	char words[400];		/* a failure's message */
};

/* A request that is being handled, and what will be said to it. */
struct request {
	struct router *router;
	struct party *from;
	uint64_t token;
	const struct now *now;
	struct mp_reader args;		/* a method's params */
	uint32_t n_args;
	unsigned int depth;		/* the deepest of them has, at most */
	bool is_call;
	bool in_flight;			/* one-way, and begun: its end is told elsewhere */
	bool full;			/* a call that wants the record */
	struct failure failure;
	struct party_response response;
};

enum outcome {
	OUTCOME_RESULT,		/* response.result */
	OUTCOME_FAILURE,	/* failure */
	OUTCOME_LATER,		/* whoever ends it gives the answer */
};

/* ---- router.c ---- */

/* What takes longer than its bytes show; a step is some 10 ns. */
static inline void router_spend(struct router *router, uint64_t steps)
{
	router->work += steps;
}

/* ---- request.c ---- */

/* Sets the failure: code, with the code's usual "ran"; words for people. "busy" also says when
 * to try again, which needs router->answer. */
enum outcome request_fail(struct request *q, int code, const char *fmt, ...) PRINTF(3, 4);
enum outcome request_fail_memory(struct request *q);
/* The result is what was put into router->answer; nil. */
enum outcome request_done(struct request *q);
enum outcome request_done_nil(struct request *q);
/* The same for a call that is over later than its request. */
void router_set_failure(struct failure *failure, int code, const char *words);
void router_fail(struct router *router, struct failure *ret, int code, const char *fmt, ...)
	PRINTF(4, 5);
/* Adds to a failure whose details are empty: what is too large, and what may be; try again after
 * so many ms. Needs router->answer. */
void router_put_sizes(struct router *router, struct failure *failure, uint64_t size);
void router_retry_after(struct router *router, struct failure *failure, uint64_t ms);

/* The one place where a party is told anything. */
void router_answer(struct router *router, struct party *to, uint64_t token, bool full,
		   const struct party_response *response);
void router_put_failure(struct buf *b, const struct failure *failure);
/* Gives a request its answer, unless that comes later. */
void request_answer(struct request *q, enum outcome outcome);
/* What was put together for an answer is not needed any more. */
void router_forget_answer(struct router *router);

/* Charges bytes to a party; false: that is more than it may have, and the failure is set. */
bool request_charge(struct request *q, size_t n) MUST_CHECK;
void router_uncharge(struct router *router, struct party *party, size_t n);

static inline bool router_allows(const struct router *router, enum right right,
				 const struct party *party, struct span object)
{
	return (router->open_rights & 1U << right) != 0 ||
	       policy_allows(router->config.policy, right, party, object);
}

/* The work of asking that n times in a row. */
void router_spend_rights(struct router *router, uint64_t n);
/* Also sets the failure, permission_denied. doing: "register 'x'" and so on, for people. */
bool request_may(struct request *q, enum right right, struct span object,
		 const char *doing) MUST_CHECK;

/* ---- settle.c ---- */

/* Marks a name whose holders or calls have changed. One that was to be dealt with later is dealt
 * with now: it may be about to go. */
void router_unsettle(struct router *router, struct api *api);
/* Every marked name: hands over, gives queued calls out, tells who waits. What would keep
 * others waiting is left to router_expire(), which is called at once then. */
void router_settle(struct router *router, const struct now *now);

/* ---- holding.c ---- */

enum outcome method_register(struct request *q);
enum outcome method_update(struct request *q);

/* ---- steering.c ---- */

/* The party holds no names any more. */
void steering_drop(struct router *router, struct party *party, const struct now *now);
/* Takes names from those who may not hold them (any more). */
void steering_check_rights(struct router *router, const struct now *now);
/* Takes a name from its active holders; they are told why. */
void steering_revoke_all(struct router *router, struct api *api, const char *reason,
		      const struct now *now);

enum outcome method_unregister(struct request *q);
enum outcome method_pause(struct request *q);
enum outcome method_resume(struct request *q);
enum outcome method_drain(struct request *q);

/* ---- dispatch.c ---- */

/* A call as it was asked for. */
struct asked {
	struct span api;
	struct span params;	/* one MessagePack value */
	struct span label;	/* empty: one is made */
	struct span caller;
	double request_time;
	int64_t timeout_ms;	/* 0: the API's own */
	bool oneway, progress;
	bool raw;		/* see struct party_request */
};

/* Finds the function and hands the call over, or says why not. */
enum outcome request_call(struct request *q, const struct asked *asked);
/* Gives queued calls of a name to those who have room. False: there is more to do. */
bool dispatch_queue(struct router *router, struct api *api, const struct now *now) MUST_CHECK;

/* An id for a call that came without; lives until the next one is made. */
struct span router_next_label(struct router *router);
void router_init_label(struct router *router);

/* ---- outgoing.c ---- */

/* The same for a call at another gateway: its name, or a channel of it. */
enum outcome request_call_elsewhere(struct request *q, const struct asked *asked, struct span to);
bool outgoing_is_known(const struct party *party, uint64_t token);
void outgoing_cancel(struct router *router, struct party *party, uint64_t token,
		     const struct now *now);
/* A party's leaving. */
void outgoings_drop(struct party *party, const struct now *now);
/* All of them end with "cancelled". */
void outgoings_cancel(struct router *router, const struct now *now);

/* ---- finish.c ---- */

/* The call is over; its caller is told if it still waits. */
void call_finish(struct router *router, struct call *call, const struct failure *failure,
		 struct span result, const struct now *now);
/* Its params are in memory no more. */
void call_uncharge(struct router *router, struct call *call);
/* Nothing was begun: undoes calls_add() and what was charged, tells nobody. */
void call_undo(struct router *router, struct call *call);
/*
 * It is not wanted any more: a queued one is over; of a running one its provider is told, and
 * keeps it until it answers. failure: what the caller hears, its ran is set here; NULL: it
 * has left.
 */
void call_drop(struct router *router, struct call *call, struct failure *failure,
	       const struct now *now);
void call_expire(struct router *router, struct call *call, const struct now *now);
/* A party's leaving. */
void calls_drop_made(struct router *router, struct party *party, const struct now *now);
void calls_drop_handled(struct router *router, struct party *party, const struct now *now);

/* ---- pending.c ---- */

struct pending;

bool pending_is_known(const struct party *party, uint64_t token);
/* Its own party does not wait for it any more. */
void pending_cancel(struct router *router, struct party *party, uint64_t token,
		    const struct now *now);
void pending_expire(struct router *router, struct timer *timer, const struct now *now);
void pendings_drop(struct router *router, struct party *party);
/* All of them end with "cancelled". */
void pendings_cancel(struct router *router, const struct now *now);
/* Of a name, or of a holder: no call is running any more. */
void drains_done(struct router *router, struct list *drains, const struct now *now);
/* Begins to wait for that; one of both, the other is NULL. */
enum outcome pending_drain(struct request *q, struct api *api, struct holder *holder,
			   int64_t timeout_ms);

/* ---- waits.c ---- */

/* A name is there: who waited for it may go on. */
void waits_registered(struct router *router, struct span name, const struct now *now);
/* The rights have changed: a party may see names now that it could not. */
void waits_allowed(struct router *router, const struct now *now);
enum outcome method_wait(struct request *q);

/* ---- edge_requests.c ---- */

enum outcome method_publish(struct request *q);
enum outcome method_gateways(struct request *q);

/* ---- monitor.c ---- */

void monitor_request(struct router *router, const struct party *from, const struct asked *asked,
		     struct span label, const struct api *api, bool known, const struct now *now);
/* api: NULL: none of a provider's. */
void monitor_response(struct router *router, const struct party *caller,
		      const struct party_response *response, const struct api *api,
		      const struct now *now);
/* action: "registered", "updated", "unregistered", "granted", "revoked", "paused", "resumed",
 * "draining" */
void monitor_api(struct router *router, const struct api *api, const char *action,
		 const struct party *party, const struct now *now);
void monitor_peer(struct router *router, const struct party *party, const char *action,
		  const struct now *now);
void monitor_drop(struct party *party);
enum outcome method_monitor(struct request *q);

#endif
