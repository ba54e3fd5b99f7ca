/* SPDX-License-Identifier: MIT */
/*
 * What the files of the calls to other gateways share.
 *
 *     elsewhere.c      the calls that wait, when their time is over, and life
 *     elsewhere_out.c  requests, their repeats and cancels go out
 *     elsewhere_in.c   answers and progress come in, and what the hub says of a request
 */
#ifndef CHAPI_ELSEWHERE_PRIVATE_H
#define CHAPI_ELSEWHERE_PRIVATE_H

#include "gateway/assembly.h"
#include "gateway/elsewhere.h"
#include "gateway/record.h"
#include "gateway/timers.h"

#define ELSEWHERE_CHAINS 64
#define ELSEWHERE_KNOWN_MAX 16
#define ELSEWHERE_INSTANCE_MAX 64
#define ELSEWHERE_SEALED_PREFIX "private-encrypted-chapi-"

enum call_phase {
	PHASE_NEW,		/* waits for the channel for answers */
	PHASE_SENT,
	PHASE_REPEAT,		/* a repeat waits for the channel for answers */
	PHASE_REPEATED,
	PHASE_LATE,		/* its time is over */
};

struct outward {
	struct list link;		/* in its chain */
	struct timer timer;
	enum call_phase phase;
	uint64_t serial, deadline_ms;
	uint64_t sent_ms;		/* the first try */
	double sent_unix_s;		/* likewise */
	void *call;
	bool progress, raw;
	uint32_t n_progress;		/* the next one's least number */
	double request_time;
	struct buf params;		/* JSON */
	struct buf api, caller;
	bool was_sent;			/* the other side may have it */
	bool is_doubted;		/* of the first try the hub may have taken some, or not */
	char channel[ELSEWHERE_TO_MAX + 1];
	/* Known when it was sent first; may be empty. */
	char instance[ELSEWHERE_INSTANCE_MAX + 1];
};

/* Who answered last for a channel. */
struct known {
	char channel[ELSEWHERE_TO_MAX + 1];
	char instance[ELSEWHERE_INSTANCE_MAX + 1];
};

struct elsewhere {
	struct elsewhere_config config;
	struct elsewhere_ops ops;
	void *data;
	char reply[ELSEWHERE_TO_MAX + 1];		/* the channel of answers */
	char sealed_reply[ELSEWHERE_TO_MAX + 1];	/* of those to encrypted requests */
	struct assemblies *assemblies;
	char request_part_event[ROOM_EVENT_NAME_MAX], part_event[ROOM_EVENT_NAME_MAX];
	struct timers timers;
	struct list chains[ELSEWHERE_CHAINS];
	uint64_t n_serials;
	struct known known[ELSEWHERE_KNOWN_MAX];
	unsigned int n_known;		/* so far: the next one's place */
	struct elsewhere_status status;
};

/* ---- elsewhere.c ------------------------------------------------------------------------ */

struct outward *elsewhere_find(struct elsewhere *e, uint64_t serial);
/* By the id that it has on the hub. */
struct outward *elsewhere_find_by_id(struct elsewhere *e, struct span id);
/* The id was of a call of ours that does not wait any more. */
bool elsewhere_is_over(struct elsewhere *e, struct span id);
void elsewhere_put_id(const struct elsewhere *e, const struct outward *o,
		      char ret[RECORD_ID_MAX + 1]);
/* It is over without an answer; NULL is fine. */
void elsewhere_drop(struct elsewhere *e, struct outward *o);
/* The call is over. Whoever is told may begin another. */
void elsewhere_finish(struct elsewhere *e, struct outward *o,
		      const struct party_response *response);
void elsewhere_fail(struct elsewhere *e, struct outward *o, int code, enum chapi_ran ran,
		    const char *message, const struct now *now);
void elsewhere_set_timer(struct elsewhere *e, struct outward *o, uint64_t ms);

/* Whose instance is known: NULL if the channel's is not. */
struct known *elsewhere_find_known(struct elsewhere *e, const char *channel);
void elsewhere_learn(struct elsewhere *e, const char *channel, struct span instance);

/* ---- elsewhere_out.c -------------------------------------------------------------------- */

/* Where the answer comes. */
const char *elsewhere_reply_of(const struct elsewhere *e, const struct outward *o);
/* As a first try or a repeat, by its phase. 0, or what ask_send() gives. */
int elsewhere_send_events(struct elsewhere *e, const struct outward *o,
			  const struct now *now) MUST_CHECK;
void elsewhere_send_when_ready(struct elsewhere *e, struct outward *o, const struct now *now);
/* "private-chapi-NAME", or encrypted: the gateway's beacon. False: it has none that is known. */
bool elsewhere_put_beacon(const struct outward *o, char *ret, size_t len);

/* ---- elsewhere_in.c --------------------------------------------------------------------- */

void elsewhere_drop_late_parts(struct elsewhere *e, uint64_t now_ms);

#endif
