/* SPDX-License-Identifier: MIT */
/*
 * Events on their way out: what is sent now, with what, and what is sent again.
 *
 * Pure. Events go in (outbox_add()), requests come out (outbox_take()), their answers go in
 * (outbox_answer()). An event ends once: taken by the hub, or given up with a reason. One
 * that could be published twice is sent again only if it has an id, by which a repeat is
 * known, or if the hub surely has not taken it; one in doubt may also go back to its sender, who
 * makes another of it that says so. HTTP, signatures and the clock are publisher.h; what an
 * answer means is verdict.h.
 */
#ifndef CHAPI_OUTBOX_H
#define CHAPI_OUTBOX_H

#include "gateway/verdict.h"
#include "libchapi-ipc/buf.h"

struct outbox;
struct outbox_request;

struct outbox_config {
	size_t bytes_max;		/* of all events that wait or are under way */
	size_t request_max;		/* of a batch's body; 0: no limit */
	uint64_t grace_ms;		/* beyond an event's deadline; a second is left
					 * in any case */
	uint64_t backoff_least_ms, backoff_most_ms;
	uint64_t probe_ms;	/* when the quota is used up: the longest wait */
	unsigned int connections;	/* requests at once */
	unsigned int batch;		/* events in one request */
	uint64_t hold_ms;		/* one that is not full waits so long while another is
					 * under way, for more to come */
	uint64_t seed;			/* of the jitter; random, fixed in tests */
};

struct outbox_event {
	struct span channel, event;	/* names */
	struct span payload;		/* the data: text, sent as a JSON string */
	bool exclude_own;		/* our own connection does not get it */
	bool has_id;			/* a repeat does no harm */
	bool is_renewed;		/* without id: in doubt its sender makes another of it */
	uint64_t deadline_ms;		/* of whoever waits for it */
	bool on_time;			/* of no use after it: no grace, and no try goes on */
};

enum {
	OUTBOX_E_FULL = 1,	/* queue full */
};

/* What became of an event. Borrowed for the time of the call. */
struct outbox_end {
	unsigned int status;	/* HTTP's; 0: no answer came */
	const char *error;	/* NULL: the hub has taken it; else one line that says why not */
	bool in_doubt;		/* with error: it may have been taken all the same */
};
typedef void (*outbox_fn)(void *data, const struct outbox_end *end);

int outbox_new(const struct outbox_config *config, uint64_t now_ms,
	       struct outbox **ret_outbox) MUST_CHECK;
/* From now on; the seed is not looked at. What is under way goes on as it is. */
void outbox_set_limits(struct outbox *outbox, const struct outbox_config *config);
/* What waits is dropped, callbacks are not called. */
struct outbox *outbox_free(struct outbox *outbox);

/* Takes a copy. 0: fn (may be NULL) is called once, by outbox_finish(); OUTBOX_E_FULL or -ENOMEM:
 * it is not. */
int outbox_add(struct outbox *outbox, const struct outbox_event *event, outbox_fn fn, void *data,
	       uint64_t now_ms) MUST_CHECK;

/* Drops an event by the data of its callback, which is not called. false: the hub may have it, or
 * has it; the callback is called. */
bool outbox_withdraw(struct outbox *outbox, const void *data);

/* The next request that may be sent now, NULL if none may or there is no memory. outbox_answer()
 * has to follow. */
struct outbox_request *outbox_take(struct outbox *outbox, uint64_t now_ms);
bool outbox_request_is_batch(const struct outbox_request *request); /* batch_events, not events */
/* Must it not be repeated below us? */
bool outbox_request_is_once(const struct outbox_request *request);
/* When it has to be ended, whatever becomes of it; UINT64_MAX: at no time. */
uint64_t outbox_request_until_ms(const struct outbox_request *request);
/* Appends the body. socket_id: of our connection as it is now; "": none. */
void outbox_request_put(const struct outbox_request *request, const char *socket_id,
			struct buf *out);
/* Ends the request. */
void outbox_answer(struct outbox *outbox, struct outbox_request *request,
		   const struct verdict_answer *answer, uint64_t now_ms);

/* When to call take and finish; UINT64_MAX: never. */
uint64_t outbox_next_ms(const struct outbox *outbox);
/* Tells of the events that have ended. In fn outbox_add() is allowed. */
void outbox_finish(struct outbox *outbox, uint64_t now_ms);

/* The hub shows life elsewhere: its trouble need not be waited out, a quota has to be, and the time
 * that the hub itself has asked for. */
void outbox_hub_is_back(struct outbox *outbox);
/* Somebody asks for a try now, whatever is waited for. */
void outbox_hurry(struct outbox *outbox);
/* This machine's clock was set: what was known of its fault holds no more, and trouble that it may
 * have made is not waited out; a quota and the time that the hub has asked for are. */
void outbox_clock_set(struct outbox *outbox);

/* To be added to our time in signatures. */
int64_t outbox_clock_offset_s(const struct outbox *outbox);

enum outbox_pause {
	OUTBOX_RUNNING,
	OUTBOX_TROUBLE,		/* the last request was not answered well: one is tried at a time */
	OUTBOX_QUOTA,		/* likewise, and rarely */
};

struct outbox_status {
	uint64_t n_published, n_failed;
	uint64_t n_excluding;	/* of those published: our own connection did not get them */
	uint64_t n_repeated;		/* events that were sent again */
	uint64_t n_requests;
	size_t n_waiting, bytes_waiting;	/* those under way included */
	unsigned int n_under_way;	/* requests */
	enum outbox_pause pause;
	uint64_t until_ms;	/* paused: no try before; 0: one is under way, or no pause */
	unsigned int last_status;	/* of the last answer; 0: none came */
	char trouble[200];		/* why it is paused; "" */
	char last_error[200];		/* of the last event given up; "" */
	bool failing;			/* that was the last one to end */
	int64_t clock_offset_s;
};
void outbox_status(const struct outbox *outbox, struct outbox_status *ret_status);

#endif
