/* SPDX-License-Identifier: MIT */
/*
 * What the files of the remote side share.
 *
 *     remote.c           events in, what a request may, life
 *     remote_calls.c     calls that run
 *     remote_repeats.c   requests that were sent before, as far as their ids are not known
 *     remote_answers.c   answers out: of a function, of the gateway, and those given once more
 *     remote_notes.c     between the two: cancel in, progress out
 *     remote_parts.c     requests that come in parts
 *     remote_channels.c  which channels count, where answers may go, what an event can carry
 *     remote_namesake.c  what is seen of another gateway of our name, and shown to it
 */
#ifndef CHAPI_REMOTE_PRIVATE_H
#define CHAPI_REMOTE_PRIVATE_H

#include "gateway/bucket.h"
#include "gateway/namesake.h"
#include "gateway/outcome.h"
#include "gateway/parts.h"
#include "gateway/record.h"
#include "gateway/remote.h"

#define REMOTE_EVENTS 4			/* that are understood */
#define REMOTE_EVENT_LEN_MAX ROOM_EVENT_NAME_MAX	/* with the NUL; without "client-" */

#define REMOTE_WAIT_MOST_MS 600000	/* however long a caller says that it waits */

/* Requests in parts: how many at once, how much of all of them, and until when. */
#define REMOTE_ASSEMBLY_MAX 16
#define REMOTE_ASSEMBLY_BYTES ((size_t)4 << 20)
#define REMOTE_ASSEMBLY_MS 30000

/* Refused requests: how many are remembered, and how much of what they were told. */
#define REMOTE_REFUSALS_MAX 8192
#define REMOTE_REFUSALS_BYTES ((size_t)1 << 20)

struct assemblies;
struct remote_slot;

/* A call that runs, or whose answer is being published: what its answer needs. */
struct remote_call {
	unsigned int refs;
	struct list link;		/* among the answers being published */
	unsigned int n_publishing;	/* events of its answer that are */
	struct remote *remote;
	struct record_request request;
	struct span channel;		/* where it came from; of the config */
	struct span reply;		/* where its answer and progress go: there, or reply_to */
	uint64_t arrived_ms;
	uint64_t deadline_ms;		/* 0: not known */
	uint64_t token;			/* the router's, while it runs */
	bool starting;			/* start_call() holds it */
	bool answered;			/* meanwhile */
	struct outcome_key key;		/* if it has an id */
	struct outcome *outcome;	/* while it runs, if it has an id */

	/* Of the answer: should the hub find it too large or not like reply_to, another one says
	 * so. */
	struct party_response said;	/* without what it points to */
	enum chapi_ran ran;
	size_t size;
	bool kept;			/* for who asks again */
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
	char part_event[REMOTE_EVENT_LEN_MAX];	/* of answers */
	struct outcomes *outcomes;	/* of requests that run, ran, or may have run */
	struct outcomes *refusals;	/* of those that surely did not */
	struct assemblies *assemblies;
	struct bucket bucket;		/* of new requests */
	struct namesake namesake;
	bool *is_shared;		/* for each channel of the config: others answer */
	struct remote_status status;
};

/* The table of calls that run. Growing: 0 or -ENOMEM; it never becomes smaller. */
void remote_init_slots(struct remote *remote);
int remote_grow_slots(struct remote *remote, uint32_t n) MUST_CHECK;
void remote_free_slots(struct remote *remote);	/* with the calls */
/* There is room: less than max_calls run. Gives it its token. */
void remote_add_call(struct remote *remote, struct remote_call *call);
/* By its token; NULL: no such call, any more. Taking hands over the table's reference. */
struct remote_call *remote_find_call(struct remote *remote, uint64_t token);
struct remote_call *remote_take_call(struct remote *remote, uint64_t token);

int remote_call_new(struct remote *remote, struct span channel,
		    struct remote_call **ret_call) MUST_CHECK;
static inline bool remote_call_has_id(const struct remote_call *call)
{
	return call->request.id.len > 0;
}
/* NULL is fine; returns NULL */
struct remote_call *remote_call_unref(struct remote_call *call);
void remote_call_unrefp(struct remote_call **call);

/* A request's text. part: the last of those that it came in; NULL: it came whole. */
void remote_request(struct remote *remote, struct span channel, struct span text,
		    const struct part *part, const struct now *now);

/* Parts come again as they were, so they say beside the record that they do. 0 or -ENOMEM. */
int remote_take_retry(struct record_request *request, const struct part *part) MUST_CHECK;
/* It is a repeat whose first try may have run, and nobody knows any more. Its id is not known. */
bool remote_may_have_run(const struct remote *remote, const struct remote_call *call,
			 const struct now *now);
/* Something was done that another gateway of our name cannot see: we say soon that we are there. */
void remote_want_announcement(struct remote *remote);
/* A response or an announcement has come. */
void remote_look_for_namesake(struct remote *remote, struct span text, const struct now *now);
void remote_tick_announcement(struct remote *remote, uint64_t now_ms);

/* True: it was refused, as the first try may have run, and nobody knows any more. */
bool remote_refuse_in_doubt(struct remote *remote, struct remote_call *call,
			    const struct now *now) MUST_CHECK;
/* Likewise, as the caller may have been told already that the first try did not run. */
bool remote_refuse_if_forgotten(struct remote *remote, struct remote_call *call,
				const struct now *now) MUST_CHECK;
/* True: more come than max_rate, and it has been refused so. ran: what is known of its id. */
bool remote_is_too_often(struct remote *remote, struct remote_call *call, enum chapi_ran ran,
			 const struct now *now) MUST_CHECK;

/* An event "request-part" has come; one came in parts, but is no request: why. */
void remote_request_part(struct remote *remote, struct span channel, struct span text,
			 const struct now *now);
void remote_refuse_record(struct remote *remote, struct span channel, const struct part *part,
			  const char *why, const struct now *now);
int remote_make_assemblies(struct remote *remote) MUST_CHECK;
void remote_limit_assemblies(struct remote *remote);	/* those in the config are others now */
void remote_tick_parts(struct remote *remote, const struct now *now);

/* The channel as the config has it, so that its text outlives the event; NULL: none of ours. */
const char *remote_find_channel(const struct remote *remote, struct span channel);
bool remote_takes_client_events(const char *channel);
/* A response of somebody else has come there; whether gateways of other names have answered. */
void remote_note_other(struct remote *remote, struct span channel, struct span response);
bool remote_is_shared(const struct remote *remote, struct span channel);
/* Why the answer may not go where the request wants it; NULL: it may. */
const char *remote_check_reply(const struct remote *remote, const struct remote_call *call);

/* The answer of a call that the router had. */
void remote_answer(struct remote *remote, struct remote_call *call,
		   const struct party_response *response);
/* An event "cancel" has come. */
void remote_cancel(struct remote *remote, struct span channel, struct span text,
		   const struct now *now);
/* Its provider says something, one MessagePack value; it is over. */
void remote_take_progress(struct remote *remote, struct remote_call *call, struct span value);
void remote_end_progress(struct remote *remote, struct remote_call *call);
uint64_t remote_next_progress_ms(const struct remote *remote);
void remote_tick_progress(struct remote *remote, uint64_t now_ms);
/* There will be no answer, and it did not run: a later try may. */
void remote_forget(struct remote *remote, struct remote_call *call);
/* Answers that need no router. "busy" also says when to try again. */
#define REMOTE_RETRY_MS 1000	/* what a caller is advised to wait for the end of other calls */
void remote_refuse(struct remote *remote, struct remote_call *call, int code, const char *message,
		   const struct now *now);
void remote_refuse_failure(struct remote *remote, struct remote_call *call,
			   const struct failure *failure, const struct now *now);
/* Beyond a limit: why, and when to come again. One without an id is counted only. */
void remote_refuse_limited(struct remote *remote, struct remote_call *call, enum chapi_ran ran,
			   const char *why, uint64_t retry_after_ms, const struct now *now);
void remote_refuse_restarted(struct remote *remote, struct remote_call *call,
			     const struct now *now);
void remote_refuse_forgotten(struct remote *remote, struct remote_call *call,
			     const struct now *now);
void remote_refuse_unremembered(struct remote *remote, struct remote_call *call,
				const struct now *now);
/* Does what has to be done for a request whose id is known. False: it is not, so this is a new
 * one. */
bool remote_repeat(struct remote *remote, struct remote_call *call, const struct now *now);

#endif
