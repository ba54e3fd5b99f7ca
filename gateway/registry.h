/* SPDX-License-Identifier: MIT */
/*
 * The names of functions and who holds them.
 *
 * A name (struct api) is there as long as somebody holds it. Each holding is a struct holder, in
 * the name's list and in its party's: an active one is given calls, a standby waits until
 * the active ones are gone. A holder that was taken out stays readable until the calls that
 * were handed to it are over: they count as references. Who may hold what is holding.c; what
 * follows when holders change, settle.c.
 */
#ifndef CHAPI_REGISTRY_H
#define CHAPI_REGISTRY_H

#include "gateway/name.h"
#include "gateway/party.h"

enum api_policy { API_EXCLUSIVE, API_REPLACE, API_SHARE, API_STANDBY };
enum api_visibility { API_REMOTE, API_LOCAL };

/* As chapi-ipc(7), "register", has them. */
struct api_options {
	int policy, visibility;			/* enum api_policy, enum api_visibility */
	int64_t concurrency;
	int64_t timeout_ms, timeout_max_ms;
	int64_t queue;
	bool idempotent;
	struct span params;			/* MessagePack value; empty: not given */
	struct span summary, description, version;	/* texts */
	struct span tags, result;		/* MessagePack values; empty: not given */
};

struct api_statistics {
	uint64_t calls;				/* ended */
	double run_ms, run_ms_most;		/* sum, most */
	double last_time;			/* Unix seconds of the last end; 0: none */
	double queue_ms_most;
	uint64_t failed;			/* with an error */
};

/*
 * Laid out for many names, of which a call finds none in the cache: what each call touches are two
 * lines of it here, from hash to the name, of which the second holds 23 bytes, and the first line
 * of a holder. Both come from alloc_lines(); their types ask for no such alignment, as
 * list_for_each() looks at heads of lists as if they were members.
 */
struct api {
	struct list standbys;			/* first come, first in turn */
	struct list queue;			/* calls that wait: struct call.waiting */
	struct list unsettled;			/* among names whose holders have changed */
	struct list drains;			/* struct pending: who waits for its end */

	uint64_t hash;				/* with 64 bits, the second line */
	struct list holders;			/* active, the longest-standing first */
	unsigned int n_holders, n_standbys, n_queued;
	unsigned int n_running;			/* handed over, by whomever, abandoned ones too */
	unsigned int n_refs;			/* holders, those taken out too, and calls */
	bool paused, draining;			/* by an administrator */
	bool drained;				/* drains has had somebody: worth a look */
	bool listed;				/* in the table */
	struct api_statistics statistics;
	struct api *next;			/* in its chain */
	uint8_t name_len;
	char name[];
};

struct holder {
	struct list link;			/* api->holders or api->standbys */
	struct party *party;			/* NULL: taken out */
	uint64_t used;				/* when it was last given a call: for turns */
	unsigned int n_refs;			/* being in, and calls handed to it */
	unsigned int n_running;
	int64_t timeout_ms, timeout_max_ms;	/* what each call needs of its options */
	unsigned int concurrency;
	bool described;				/* they have params */
	bool standby;
	bool paused : 1, draining : 1;		/* by itself */
	bool drained;				/* as above */

	struct api *api;
	uint64_t serial;			/* of its options: no other has the same */
	struct list drains;			/* who waits for the end of its calls */
	struct api_options options;		/* spans point into texts */

	struct list registered;			/* party->registrations */
	uint8_t *texts;
};

struct registry;

int registry_new(const uint64_t seed[2], struct registry **ret_registry) MUST_CHECK;
struct registry *registry_free(struct registry *registry);	/* nobody holds a name any more */

/* NULL: nobody holds it. */
struct api *registry_find(struct registry *registry, struct span name);

#define REGISTRY_EXPECT_MAX 8
/*
 * These names, REGISTRY_EXPECT_MAX at most, will be asked for soon, in this order. Among many
 * names, what a call touches of them comes into the cache at the same time, not one line after
 * the other. Answers nothing.
 */
void registry_expect(struct registry *registry, const struct span *names, size_t n);

/* One more holder of a name, which it brings into being. Texts are copied. 0 or -ENOMEM. */
int registry_add(struct registry *registry, struct span name, struct party *party,
		 const struct api_options *options, bool standby,
		 struct holder **ret_holder) MUST_CHECK;
/* It holds the name no longer; who has a reference may still read it. */
void registry_remove(struct registry *registry, struct holder *holder);
/* The holder's options from now on; texts are copied. 0 or -ENOMEM. */
int registry_set_options(struct registry *registry, struct holder *holder,
			 const struct api_options *options) MUST_CHECK;
/* Active to the end of the standbys; standby to the end of the active ones. */
void holder_demote(struct holder *holder);
void holder_promote(struct holder *holder);

struct holder *holder_ref(struct holder *holder);
struct holder *holder_unref(struct holder *holder);	/* returns NULL */
struct api *api_ref(struct api *api);
struct api *api_unref(struct api *api);	/* returns NULL */
/* Bytes that a registration with these options takes. */
size_t holder_size(struct span name, const struct api_options *options);

size_t registry_count(const struct registry *registry);

/* The names that match and that a party of that origin may see, sorted; free() the array. */
int registry_select(const struct registry *registry, struct span pattern, enum party_origin origin,
		    struct api ***ret_apis, size_t *ret_n) MUST_CHECK;

static inline struct span api_name(const struct api *api)
{
	return span_of(api->name, api->name_len);
}

/* The holder whose options are the name's: a name that can be found has one at least. */
static inline struct holder *api_holder(const struct api *api)
{
	return container_of(api->holders.next, struct holder, link);
}

/* Ready to be given new calls? */
static inline bool holder_is_ready(const struct holder *holder)
{
	return !holder->paused && !holder->draining;
}

/* Is one of its active holders? */
static inline bool api_is_ready(const struct api *api)
{
	struct holder *holder;

	list_for_each(holder, &api->holders, struct holder, link)
		if (holder_is_ready(holder))
			return true;
	return false;
}

/* The holding's state, for people: "active", "standby", "paused", "draining". */
const char *holder_state(const struct holder *holder);
const char *api_state(const struct api *api);

/* May one who shares a name under these options join one who has those? */
bool api_same_terms(const struct api_options *a, const struct api_options *b);

/* The holding of this party, active or not; NULL: none. */
struct holder *api_find_holder(const struct api *api, const struct party *party);

/* May a party of that origin know of it? */
bool api_is_seen(const struct api *api, enum party_origin origin);

extern const char *const api_policy_names[];		/* by enum api_policy; NULL at the end */
extern const char *const api_visibility_names[];

#endif
