/* SPDX-License-Identifier: MIT */
/*
 * Who asked, who answers, until when: the rules of the local protocol.
 *
 * Pure: messages and a time go in, actions come out through struct party_ops. No socket, no
 * clock, no log. Names are registry.h, calls in flight calls.h, deadlines timers.h, rights
 * policy.h; router_private.h says what is where. How a message travels is the edge's business
 * (peer.h, remote.h).
 *
 * The rule above all others: each request gets exactly one response, whoever fails.
 */
#ifndef CHAPI_ROUTER_H
#define CHAPI_ROUTER_H

#include "gateway/elsewhere.h"
#include "gateway/party.h"
#include "gateway/policy.h"
#include "libchapi-ipc/buf.h"
#include "libchapi-ipc/message.h"

struct router;

struct router_limits {
	unsigned int calls_per_peer;
	unsigned int names_per_peer;
	unsigned int abandoned_per_peer;	/* beyond, the provider is to be closed */
	size_t pinned_per_peer, pinned_total;
	size_t max_message;
	/* The edge's own, to be shown only. */
	size_t output_per_peer;
	uint64_t stalled_after_ms;
	unsigned int peers;
};

/*
 * What a process may ask for and only the edge can do. Functions may be NULL: not to be had. None
 * of them calls the router, but router_published() may come at any time later.
 */
struct router_edge {
	/* Appends one MessagePack map, the state of the hub, to a status. */
	void (*put_hub_status)(void *data, struct buf *out);
	/* Sends an event; router_published(id) follows. 0; -ENOBUFS: the queue is full; -ENOKEY:
	 * the channel is encrypted; or -ENOMEM. */
	int (*publish)(void *data, struct span channel, struct span event, struct span text,
		       uint64_t id);
	/* Takes an event back. true: the hub has not had it and never will; false: it is under
	 * way, and router_published() follows all the same. */
	bool (*withdraw)(void *data, uint64_t id);
	/* Reads the files again. 0: a map of what has changed is appended; else one line in why. */
	int (*reload)(void *data, struct buf *out, char *why, size_t why_len);
	/* false: there is no such level. */
	bool (*set_log_level)(void *data, struct span level);
	/* Appends one array of {check, ok, text, hint}. */
	void (*put_doctor)(void *data, struct buf *out);
	/* Asks the hub which gateways it knows; router_gateways(id) follows. 0 or a negative
	 * errno. */
	int (*list_gateways)(void *data, uint64_t id);
	/* A call has ended, or was refused; for the log. caller: NULL: gone. */
	void (*call_ended)(void *data, const struct party *caller,
			   const struct party_response *response, const struct now *now);
	/* As elsewhere_call() and elsewhere_cancel(); router_elsewhere_answer() follows. */
	int (*call_elsewhere)(void *data, const struct elsewhere_call *call, const struct now *now,
			      uint64_t *ret_serial, struct elsewhere_fault *ret_fault);
	bool (*cancel_elsewhere)(void *data, uint64_t serial);
};

struct router_config {
	const char *name;		/* of the gateway; copied, as all texts here */
	const char *version;
	const char *app_key;		/* of the hub's app; NULL: hello does not compare it */
	uint64_t seed[2];		/* random, for the hash tables */
	char instance[33];		/* random hex */
	bool local_by_default;		/* visibility of names that say nothing of it */
	struct router_limits limits;
	struct policy *policy;		/* the router's from then on; NULL: all may do all */
	struct router_edge edge;
	void *data;
};

/* Anything to be counted; status shows them all. */
struct router_counters {
	uint64_t requests, calls, calls_failed, calls_queued, calls_expired, calls_cancelled;
	uint64_t oneways, oneways_lost;
	uint64_t responses_ignored, notifications_ignored, progress_dropped, events_lost;
};

enum {
	ROUTER_E_CLOSE = 1,	/* this party has broken the protocol and has been told: close it */
};

int router_new(const struct router_config *config, const struct now *now,
	       struct router **ret_router) MUST_CHECK;
struct router *router_free(struct router *router);	/* all parties are gone before */

/* From now on; names that their holders may not have any more are revoked. Takes policy. */
void router_set_policy(struct router *router, struct policy *policy, const struct now *now);
/* What is there already stays, even beyond a limit. */
void router_set_limits(struct router *router, const struct router_limits *limits,
		       bool local_by_default);

/* A party comes and goes. ops, origin, uid, gid, groups, caller are filled in by the edge before.
 * now: NULL: monitors are not told. */
void router_add(struct router *router, struct party *party, const struct now *now);
/* Answers the callers it leaves waiting, frees its names, drops its calls. Its ops are not
 * called any more. */
void router_remove(struct router *router, struct party *party, const struct now *now);
/* So many bytes wait for it to take them. The edge says so whenever that changes, at last, when
 * the party has gone and they are freed, with 0. */
void router_charge_output(struct router *router, struct party *party, size_t len);
/* Are so many bytes that wait for it within what may wait for all together? */
bool router_may_wait(const struct router *router, const struct party *party, size_t len);
/* There is room for requests again, after a PARTY_E_FULL. */
void router_writable(struct router *router, struct party *party, const struct now *now);

/*
 * Steps (some 10 ns each) that were spent so far on what takes longer than its bytes show: many
 * names held against a pattern, a value against a description. Whoever reads messages looks at
 * it, so that nobody keeps all others waiting.
 */
uint64_t router_work(const struct router *router);

/* A message of a local party. Spans need to be valid during the call only. 0 or ROUTER_E_CLOSE. */
int router_message(struct router *router, struct party *from, const struct message *message,
		   const struct now *now) MUST_CHECK;

#define ROUTER_EXPECT_MAX 8
/* These messages, ROUTER_EXPECT_MAX at most, are the next that router_message() is given, if all
 * goes well: what they need comes into the cache at the same time. */
void router_expect(struct router *router, const struct party *from, const struct message *messages,
		   size_t n);

/*
 * A message over the size limit, of which only type and id are known (-1: not even that): a
 * request is answered with too_large; a response makes its caller's answer too_large, ran yes.
 */
void router_too_large(struct router *router, struct party *from, int type, int64_t id,
		      uint64_t size, const struct now *now);

/* A request that could not be converted from the party's encoding: invalid_argument with why; a
 * response likewise: bad_reply for its caller. */
void router_unreadable(struct router *router, struct party *from, int type, int64_t id,
		       const char *why, const struct now *now);

/* A call of a party that does not speak the local protocol (the hub side). */
struct router_call {
	uint64_t token;			/* comes back with the response */
	struct span api;
	struct span params;		/* one MessagePack value */
	struct span call;		/* the call's id; empty: the router makes one */
	struct span caller;		/* "claimed:LABEL"; empty: the party's */
	double request_time;		/* 0: now */
	int64_t timeout_ms;		/* 0: the API's own */
	bool progress, raw;
};
/* The response always comes, possibly before this returns. */
void router_call(struct router *router, struct party *from, const struct router_call *call,
		 const struct now *now);
/* It is not wanted any more: cancelled, if it is not over. */
void router_cancel(struct router *router, struct party *from, uint64_t token,
		   const struct now *now);

/* Is there anything of this name that the hub side sees? */
bool router_has(const struct router *router, struct span api);
/* A call that was refused before it came here: for the log only. */
void router_call_refused(const struct router *router, const struct party *caller,
			 const struct party_response *response, const struct now *now);
/* May this name be called again when it is not known whether the first call ran? */
bool router_is_idempotent(const struct router *router, struct span api);

/* What became of an event that was to be published. error: NULL, or why the hub has not got it. */
void router_published(struct router *router, uint64_t id, int code, enum chapi_ran ran,
		      const char *error, const struct now *now);
/* Of a call elsewhere: as struct elsewhere_ops. The router fills in api, call and request_time. */
void router_elsewhere_answer(struct router *router, void *call,
			     const struct party_response *response, const struct now *now);
void router_elsewhere_progress(struct router *router, void *call, struct span value);
/* list: one MessagePack array of {name, self}; or error: why there is none. */
void router_gateways(struct router *router, uint64_t id, struct span list, const char *error,
		     const struct now *now);
/* For monitors. */
void router_hub_changed(struct router *router, const char *state, const char *reason,
			const struct now *now);

/* Deadlines: when to call router_expire() at the latest (monotonic ms; UINT64_MAX: never). */
uint64_t router_next_ms(const struct router *router);
void router_expire(struct router *router, const struct now *now);

/* No new calls from now on; those that are there go on. */
void router_stop(struct router *router, const struct now *now);
/* Calls that somebody waits for. */
size_t router_n_calls(const struct router *router);
/* They end with "cancelled", and so does whatever else waits for an answer. */
void router_cancel_all(struct router *router, const struct now *now);

/* Parties that must be closed by their edge for what they did (too many abandoned calls), one
 * at a time; NULL: none. */
struct party *router_next_offender(struct router *router);

const struct router_counters *router_counters(const struct router *router);
const char *router_instance(const struct router *router);

#endif
