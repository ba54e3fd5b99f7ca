/* SPDX-License-Identifier: MIT */
/*
 * What the files of the remote side share.
 *
 *     remote.c          events in, calls that run, life
 *     remote_answers.c  answers out: of a function, of the gateway, and those given once more
 *     remote_notes.c    between the two: cancel in, progress out
 */
#ifndef CHAPI_REMOTE_PRIVATE_H
#define CHAPI_REMOTE_PRIVATE_H

#include "gateway/bucket.h"
#include "gateway/outcome.h"
#include "gateway/record.h"
#include "gateway/remote.h"

#define REMOTE_EVENTS 3			/* that are understood */
#define REMOTE_EVENT_LEN_MAX 224	/* with the NUL; without "client-" */

struct remote_slot;

/* A call that runs, or whose answer is being published: what its answer needs. */
struct remote_call {
	unsigned int refs;
	struct list link;		/* among the answers being published */
	struct remote *remote;
	struct record_request request;
	struct span channel;		/* where it came from; of the config */
	uint64_t arrived_ms;
	uint64_t deadline_ms;		/* 0: none was named */
	uint64_t token;			/* the router's, while it runs */
	bool starting;			/* start_call() holds it */
	bool answered;			/* meanwhile */
	struct outcome_key key;		/* if it has an id */
	struct outcome *outcome;	/* while it runs, if it has an id */

	/* Of the answer: should the hub find it too large, another one says so. */
	struct party_response said;	/* without what it points to */
	enum chapi_ran ran;
	size_t size;
	bool substituted;		/* it is that other one */

	/* Of its progress. */
	struct list progressing;	/* there is some that waits */
	struct list progress_sent;	/* an event is under way */
	struct buf progress;		/* the latest value, JSON */
	uint32_t n_progress;		/* events so far */
	uint64_t progress_at_ms;	/* not before */
};

struct remote {
	struct party party;
	struct remote_config config;
	struct router *router;
	struct remote_ops ops;
	void *data;
	char event_names[REMOTE_EVENTS][REMOTE_EVENT_LEN_MAX];	/* by the table in remote.c */
	struct remote_slot *slots;
	uint32_t n_slots;
	uint32_t first_free;
	struct list publishing;		/* calls whose answers are */
	struct list progressing;	/* calls with progress that waits */
	struct list progress_sent;	/* calls with progress under way */
	struct outcomes *outcomes;
	struct bucket bucket;		/* of new requests */
	struct remote_status status;
};

struct remote_call *remote_call_unref(struct remote_call *call);	/* NULL is fine; returns NULL */

/* The answer of a call that the router had. */
void remote_answer(struct remote *remote, struct remote_call *call, const struct party_response *response);
/* An event "cancel" has come. */
void remote_cancel(struct remote *remote, struct span channel, struct span text, const struct now *now);
/* Its provider says something, one MessagePack value; it is over. */
void remote_take_progress(struct remote *remote, struct remote_call *call, struct span value);
void remote_end_progress(struct remote *remote, struct remote_call *call);
/* There will be no answer, and it did not run: a later try may. */
void remote_forget(struct remote *remote, struct remote_call *call);
/* Answers that need no router. */
void remote_refuse(struct remote *remote, struct remote_call *call, int code, const char *message,
		   const struct now *now);
/* Beyond a limit: why, and when to come again. One without an id is counted only. */
void remote_refuse_limited(struct remote *remote, struct remote_call *call, const char *why,
			   uint64_t retry_after_ms, const struct now *now);
void remote_refuse_restarted(struct remote *remote, struct remote_call *call, const struct now *now);
/* Does what has to be done for a request whose id is known. False: it is not, so this is a new one. */
bool remote_repeat(struct remote *remote, struct remote_call *call, const struct now *now);

#endif
