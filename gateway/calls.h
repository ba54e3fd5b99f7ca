/* SPDX-License-Identifier: MIT */
/*
 * Calls in flight.
 *
 * One entry for each call that waits for a provider (queued) or was handed to one and is
 * not answered by it. An entry is found from both sides: by who asked and the number it gave
 * (its token), and by the number that the provider knows it by. It is in the lists of both
 * parties, and counted by its name and by its holder. Keeps count of all this, sends nothing
 * itself: whoever takes an entry out owes the caller the answer.
 *
 * A call whose caller has its answer already (time over, cancelled, gone) is abandoned: the
 * provider still works on it, so it keeps its number and its place, and is found from that
 * side only. A one-way call has nobody who waits from the beginning.
 *
 * Entries lie in blocks and never move. A number is the entry's place and how often that was
 * used before, so that an answer which comes too late hits no other call.
 */
#ifndef CHAPI_CALLS_H
#define CHAPI_CALLS_H

#include "gateway/registry.h"
#include "gateway/timers.h"

#define CALL_LABEL_MAX 64

enum call_state {
	CALL_FREE,
	CALL_QUEUED,			/* nobody has it yet */
	CALL_RUNNING,			/* handed over */
	CALL_ABANDONED,			/* handed over, and not wanted any more */
};

/*
 * Laid out by what is touched together, in lines of the cache: who and what, the lists, the
 * numbers, the label; the last one only of calls that wait in a queue.
 */
struct call {
	struct call *next;		/* of a free entry: the next free one */
	struct party *caller;		/* who waits for the answer; NULL: nobody */
	struct party *payer;		/* whom it is charged to; NULL: gone, or abandoned */
	struct party *provider;		/* NULL: queued */
	uint64_t token;
	struct api *api;		/* a reference */
	struct holder *holder;		/* a reference: whom it was handed to; NULL: queued */
	uint32_t id;			/* the number that the provider knows */
	bool full;			/* wants the record */
	bool oneway : 1, progress : 1, raw : 1;
	uint8_t label_len;

	struct list made;		/* payer->calls_made */
	struct list handled;		/* provider->calls_handled */
	struct timer deadline;

	uint32_t hash;			/* of caller and token */
	enum call_state state : 8;
	enum party_origin origin : 8;
	uint64_t checked;		/* serial of the holder whose description the params fit */
	size_t pinned;			/* bytes charged to the payer */
	uint64_t arrived_us, handed_us;
	double request_time;
	int64_t timeout_ms;		/* as granted */
	void *kept;			/* of a queued call: memory of params and caller_text */

	char label[CALL_LABEL_MAX];	/* the call's id, for people */

	struct list waiting;		/* api->queue */
	struct span params, caller_text;
	uint8_t unused[16];		/* to whole lines */
};

enum { CALLS_E_FULL = 1 };		/* no number is left */

struct calls;

int calls_new(const uint64_t seed[2], struct calls **ret_calls) MUST_CHECK;
struct calls *calls_free(struct calls *calls);	/* none is in flight any more */

/*
 * A new entry of state CALL_QUEUED, in no queue yet, charged to payer. oneway: nobody waits for
 * it. Whoever calls this fills in the rest and starts the deadline. 0, CALLS_E_FULL or -ENOMEM.
 */
int calls_add(struct calls *calls, struct party *payer, uint64_t token, struct api *api,
	      bool oneway, struct call **ret_call) MUST_CHECK;
/* In and out of its name's queue; params and caller_text are copied while it is there. 0 or
 * -ENOMEM. */
int calls_enqueue(struct call *call, struct span params, struct span caller_text) MUST_CHECK;
void calls_dequeue(struct call *call);	/* keeps the copies */
void calls_forget_copies(struct call *call);	/* the provider has them now */
/* It is this holder's from now on. */
void calls_hand(struct calls *calls, struct call *call, struct holder *holder);
/* Not handed over after all. */
void calls_hand_back(struct calls *calls, struct call *call);

/* NULL: there is none. An abandoned call is not found by its caller. */
struct call *calls_find(const struct calls *calls, const struct party *caller, uint64_t token);
struct call *calls_get(const struct calls *calls, const struct party *provider, uint32_t id);

#define CALLS_EXPECT_MAX 8
/*
 * These calls, CALLS_EXPECT_MAX at most, will be answered soon; these tokens will be asked for by
 * this caller. Among many calls, what is touched of them comes into the cache at the same time.
 */
void calls_expect(const struct calls *calls, const uint32_t *ids, size_t n);
void calls_expect_tokens(const struct calls *calls, const struct party *caller,
			 const uint64_t *tokens, size_t n);

/* A handed one: the caller gets its answer from elsewhere, from whoever calls this. */
void calls_abandon(struct calls *calls, struct call *call);
/* The payer has left a one-way call behind. */
void calls_orphan(struct call *call);
/* The call is over: out of all lists and counts, found by nobody. Readable until calls_put(). */
void calls_take(struct calls *calls, struct call *call);
void calls_put(struct calls *calls, struct call *call);
/* Gives memory back that was kept for the next burst of calls. */
void calls_trim(struct calls *calls);

size_t calls_count(const struct calls *calls);		/* not over, and not abandoned */
size_t calls_count_queued(const struct calls *calls);	/* of these, without a provider */
size_t calls_count_abandoned(const struct calls *calls);
/* The calls that are not over: each in turn, abandoned ones too. NULL: no more. at begins
 * with 0. */
struct call *calls_each(const struct calls *calls, uint32_t *at);

#endif
