/* SPDX-License-Identifier: MIT */
/*
 * Whoever talks to the router: a local connection, or the remote side of the hub.
 *
 * The router knows its parties by this struct, which is embedded in what the edge keeps of
 * them, and speaks to them through struct party_ops. The ops move bytes or queue them; they
 * never call the router, and never free the party.
 */
#ifndef CHAPI_PARTY_H
#define CHAPI_PARTY_H

#include <stdbool.h>
#include <sys/types.h>

#include "libchapi-ipc/chapi-ipc.h"
#include "libchapi-ipc/list.h"

struct party;

/* The time, read once per turn of the loop by whoever calls the core. */
struct now {
	uint64_t ms;	/* monotonic, and counts while the machine sleeps */
	uint64_t us;	/* likewise */
	double unix_s;	/* seconds since 1970, UTC */
};

enum party_origin { PARTY_LOCAL, PARTY_REMOTE };

/* An error on its way to a caller. Texts are borrowed for the time of the call. */
struct failure {
	int code;		/* CHAPI_ERR_* */
	enum chapi_ran ran;
	struct span message;	/* one line, UTF-8 */
	struct span details;	/* one MessagePack map; empty: none */
};

/* What a provider is given: [0, id, api, [params, meta]]. */
struct party_request {
	uint32_t id;		/* the router's own number */
	struct span api;	/* text */
	struct span params;	/* one MessagePack value */
	struct span call;	/* the call's id, text */
	enum party_origin origin;
	struct span caller;	/* "uid:1000", text */
	double request_time;	/* Unix seconds */
	int64_t timeout_ms;	/* what is left */
	bool progress;
	bool oneway;
	bool raw;		/* the caller would have the result as the function made it */
};

/* What a caller is given. */
struct party_response {
	const struct failure *failure;	/* NULL: result holds */
	struct span result;		/* one MessagePack value */
	struct span api;
	struct span call;
	double request_time, response_time;	/* Unix seconds */
	double queue_ms, run_ms;
	/* Of a call elsewhere: who answered; empty: we, or not known. */
	struct span gateway, instance;
};

enum {
	PARTY_E_FULL = 1,	/* it does not take its output */
	PARTY_E_INEXPRESSIBLE,	/* params have no form in its encoding: *ret_why says where */
};

struct party_ops {
	/*
	 * Hands over a request. 0, a PARTY_E_*, or -ENOMEM: it was not sent then. After
	 * PARTY_E_FULL the edge calls router_writable() as soon as there is room again.
	 */
	int (*request)(struct party *to, const struct party_request *request, const char **ret_why);
	/* The one answer to what this party asked with token (a local party: the id of its
	 * message). */
	void (*response)(struct party *to, uint64_t token, const struct party_response *response);
	/* A call that this provider works on is not wanted any more. */
	void (*cancel)(struct party *to, uint32_t id);
	/* What its provider says of a call while it works on it: one MessagePack value. May
	 * be dropped. */
	void (*progress)(struct party *to, uint64_t token, struct span value);
	/* It has become the holder of a name; it holds it no longer (reason: "replaced",
	 * "admin", "reload"). */
	void (*granted)(struct party *to, struct span name);
	void (*revoked)(struct party *to, struct span name, const char *reason);
	/* For a monitor: one MessagePack map. 0, or PARTY_E_FULL, PARTY_E_INEXPRESSIBLE: it
	 * was not sent. */
	int (*event)(struct party *to, struct span event);
};

struct party {
	const struct party_ops *ops;
	enum party_origin origin;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;		/* supplementary, the edge's */
	size_t n_groups;
	char caller[80];		/* "uid:1000" */

	/* The router's own. */
	struct list link;		/* among all parties */
	struct list registrations;	/* names held */
	struct list calls_made;		/* and charged to it; those without an answer too */
	struct list calls_handled;	/* handed to it and not answered, abandoned ones too */
	struct list outgoings;		/* calls made at other gateways */
	struct list pendings;		/* other requests that are answered later */
	unsigned int n_registrations, n_calls_made, n_calls_handled, n_abandoned, n_pendings,
		     n_outgoings;
	unsigned int n_awaited;		/* answers that it is owed */
	size_t pinned;			/* bytes charged to it, without: */
	size_t output;			/* what it has not taken yet, see router_charge_output() */
	bool blocked;			/* takes no requests until router_writable() */
	struct monitor *monitor;	/* NULL: it does not watch */
	struct list offending;		/* among those to be closed */
	char client[64];		/* what it says it is; "" */
};

#endif
