/* SPDX-License-Identifier: MIT */
/*
 * What the files of the outbox share.
 *
 *     outbox.c          what is queued, and what is sent now
 *     outbox_entries.c  an event that is queued: where it is, and when that ends
 *     outbox_answer.c   what is done about an answer of the hub, and when there is a pause
 */
#ifndef CHAPI_OUTBOX_PRIVATE_H
#define CHAPI_OUTBOX_PRIVATE_H

#include "gateway/backoff.h"
#include "gateway/outbox.h"
#include "gateway/pusher.h"
#include "gateway/timers.h"

struct entry {
	struct list link;
	struct timer timer;
	uint64_t added_ms;
	uint64_t deadline_ms;		/* the grace included */
	unsigned int tries;
	bool has_id, is_renewed, exclude_own, on_time;
	bool alone;			/* not in a batch any more */
	bool corrected;			/* was signed again after the clock was found wrong */
	bool in_doubt;			/* one of its tries may have been taken */
	unsigned int n_forbidden;	/* alone */
	uint64_t n_taken;		/* then: how many requests had been taken */
	size_t charged;			/* bytes of the queue's limit */
	size_t body_len;		/* in a batch; 0 where nobody asks */
	outbox_fn fn;
	void *data;

	/* Of one that is done. */
	bool failed;
	unsigned int status;
	char *error;			/* NULL, if failed: no memory for it */

	size_t channel_len, event_len, payload_len;
	uint8_t text[];			/* these three */
};

struct outbox_request {
	struct list link;
	struct list entries;
	unsigned int n;
	bool once;
	bool on_time;			/* all of its events are, or none */
	uint64_t until_ms;		/* of on_time: the first deadline */
	uint64_t n_pauses;		/* when it was taken */
};

struct outbox {
	struct outbox_config config;
	struct backoff backoff, probes;
	struct timers timers;
	struct list ready, resting, done;
	struct list requests;
	uint64_t n_pauses;
	unsigned int n_failures;	/* since an answer was a good one */
	unsigned int n_forbidden;	/* likewise, answers that did not say for how long */
	unsigned int n_first_forbidden;	/* of them, those to one not forbidden before */
	uint64_t n_taken;		/* requests */
	uint64_t pause_until_ms;
	uint64_t others_until_ms;	/* likewise, of those that were not forbidden, if earlier */
	bool clock_trouble;		/* the pause may be our clock's fault */
	uint64_t wanted_until_ms;	/* the hub itself wants nothing before */
	struct outbox_status status;
};

/* NULL: no memory. In no place yet. */
struct entry *entry_new(const struct outbox_event *event, outbox_fn fn, void *data);
/* How long it is in a batch: escapes are not known before. 0 or -ENOMEM. */
int entry_measure(struct entry *e) MUST_CHECK;
void entry_free(struct entry *e);
/* As it is published. Borrowed from both. */
struct pusher_event entry_event(const struct entry *e, const char *socket_id);

/* From where it is: to nowhere; behind the others that are ready, or before them; to its rest; to
 * those that are done, which took it or, with fail, not. */
void entry_leave(struct outbox *o, struct entry *e);
void entry_make_ready(struct outbox *o, struct entry *e);
void entry_put_back(struct outbox *o, struct entry *e);
void entry_rest(struct outbox *o, struct entry *e, uint64_t until_ms);
void entry_end(struct outbox *o, struct entry *e, unsigned int status);
void entry_fail(struct outbox *o, struct entry *e, unsigned int status, const char *fmt, ...)
	PRINTF(4, 5);

/* Ends rests, and entries whose time is over. */
void entries_advance(struct outbox *o, uint64_t now_ms);
/* One that is ready and has not been forbidden itself. NULL: there is none. */
struct entry *entries_find_other(const struct outbox *o);

void outbox_pause_until(struct outbox *o, uint64_t until_ms);
void outbox_set_trouble(struct outbox *o, enum outbox_pause pause, const char *text);
/* Its entries are elsewhere by now. */
void outbox_request_free(struct outbox_request *request);

#endif
