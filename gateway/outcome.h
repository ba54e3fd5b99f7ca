/* SPDX-License-Identifier: MIT */
/*
 * What became of the requests of remote callers, so that one that comes again is not run again.
 *
 * Two tables. Ids: which requests run or ended a while ago, what they asked for (as a keyed
 * hash of 128 bits), and whether they ran. Answers: those of the ended ones, as they were
 * published; the oldest go first when the room is used up, and leave their ids behind.
 *
 * Who was refused is kept in one of these of its own, so that refusals push out no answers.
 *
 * Pure: time is a number. Publishes nothing: remote.h acts on what is found here.
 */
#ifndef CHAPI_OUTCOME_H
#define CHAPI_OUTCOME_H

#include <stdbool.h>

#include "common/common.h"
#include "libchapi-ipc/chapi-ipc.h"

#define OUTCOMES_MAX 65536	/* ids */

struct outcome;
struct outcomes;

struct outcomes_limits {
	size_t n_max;		/* ids that are known at once */
	uint64_t keep_ms;	/* how long after the end */
	size_t bytes_max;	/* of all answers */
};

/* seed: secret, so that nobody outside can make two requests look the same. 0 or -ENOMEM. */
int outcomes_new(const struct outcomes_limits *limits, const uint64_t seed[4],
		 struct outcomes **ret_outcomes) MUST_CHECK;
struct outcomes *outcomes_free(struct outcomes *outcomes);
/* From now on; what is beyond them goes. */
void outcomes_set_limits(struct outcomes *outcomes, const struct outcomes_limits *limits,
			 uint64_t now_ms);

/* Who asks for what; id is borrowed. */
struct outcome_key {
	struct span id;
	uint64_t digest[2];
	bool any;		/* for what is not known: the id alone tells */
};

struct outcome_key outcomes_key(const struct outcomes *outcomes, struct span id, struct span api,
				struct span params);

/* What a request is, by what is known of its id. */
enum repeat {
	REPEAT_OF_NONE,		/* the id is not known */
	REPEAT_OF_RUNNING,	/* the first one's answer will be this one's too */
	REPEAT_OF_ENDED,	/* the answer is there: outcome_answer() */
	REPEAT_TOO_SOON,	/* likewise, and it was repeated less than a second ago */
	REPEAT_OF_LOST,		/* has ended, and the answer is not kept any more: outcome_ran() */
	REPEAT_REUSES_RUNNING,	/* asks for something else, while the first one runs */
	REPEAT_REUSES_ENDED,	/* likewise, and the first one has ended */
};

/* ret_outcome: NULL for REPEAT_OF_NONE. REPEAT_OF_ENDED counts as a repetition. */
enum repeat outcomes_look(struct outcomes *outcomes, const struct outcome_key *key, uint64_t now_ms,
			  struct outcome **ret_outcome);

enum { OUTCOMES_E_FULL = 1 };	/* of running ones */

/*
 * A request begins to run; its id is not known. data: whose it is. 0, OUTCOMES_E_FULL or
 * -ENOMEM.
 */
int outcomes_add(struct outcomes *outcomes, const struct outcome_key *key, void *data,
		 uint64_t now_ms, struct outcome **ret_outcome) MUST_CHECK;
/* How one ended; both texts are copied. An answer that finds no memory counts as lost. */
struct outcome_end {
	enum chapi_ran ran;
	struct span answer;	/* the record; empty: there is none */
	struct span channel;	/* where it is published */
	uint64_t at_ms;
	uint64_t until_ms;	/* nobody asks again after that; UINT64_MAX: that is not known */
};

/* It has ended; outcome may be gone at any later call. */
void outcomes_end(struct outcomes *outcomes, struct outcome *outcome,
		  const struct outcome_end *end);
/* One that never ran here, and whose id is not known. No memory: it counts as forgotten. */
void outcomes_put(struct outcomes *outcomes, const struct outcome_key *key,
		  const struct outcome_end *end);
/* It was as if it had not come: a later try runs. */
void outcomes_drop(struct outcomes *outcomes, struct outcome *outcome);
/* Another answer for one that has ended: the hub did not take the first, or not there. */
void outcomes_amend(struct outcomes *outcomes, struct span id, struct span channel,
		    struct span answer);

bool outcomes_has(const struct outcomes *outcomes, struct span id);	/* runs, or has ended */
/*
 * Whether a request that ended at since_ms or later is not known any more: so an id that is not
 * known may be that of one.
 */
bool outcomes_forgot_since(const struct outcomes *outcomes, uint64_t since_ms);
/* Who runs under this id: the data of outcomes_add(); NULL: nobody. */
void *outcomes_running(const struct outcomes *outcomes, struct span id);

enum chapi_ran outcome_ran(const struct outcome *outcome);
/* Valid until the next call that ends, adds or looks up one. */
struct span outcome_channel(const struct outcome *outcome);
struct span outcome_answer(const struct outcome *outcome);

size_t outcomes_count(const struct outcomes *outcomes);		/* ids */
size_t outcomes_bytes(const struct outcomes *outcomes);		/* of answers */

#endif
