/* SPDX-License-Identifier: MIT */
/*
 * The remote side as a party of the router: requests that came over the hub go in, their
 * responses go out as events.
 *
 * Pure: publishing is a function it is given. Records are record.h, the connection is
 * channel.h. While a call runs, its caller may cancel it and is told of its progress.
 * chapi-remote(7).
 */
#ifndef CHAPI_REMOTE_H
#define CHAPI_REMOTE_H

#include "gateway/room.h"
#include "gateway/router.h"

struct namesake;
struct remote;

#define REMOTE_CANCEL_EVENT "cancel"
#define REMOTE_PROGRESS_EVENT "progress"

/* What can be set while it runs. */
struct remote_limits {
	bool answer_unknown;
	unsigned int max_calls;			/* at once */
	unsigned int max_rate;			/* new requests a second; 0: no limit */
	uint64_t answer_store_ms;		/* how long an answer is kept for who asks again */
	size_t answer_store_bytes;		/* of all of them */
	size_t max_record;			/* bytes of a request or an answer in parts */
	const char *const *reply_channels;	/* patterns: where an answer may go; borrowed */
	size_t n_reply_channels;
};

/* Everything is borrowed for the life of the remote side. */
struct remote_config {
	const char *name;			/* of the gateway */
	const char *const *channels;		/* those listened on */
	size_t n_channels;
	const char *request_event, *response_event;
	struct room room;
	bool has_key;				/* of the encrypted channels */
	struct remote_limits limits;
	/* Of the gateway: no request went to this instance before. */
	uint64_t start_ms;
	/* As late as an event can be on a connection that lives. */
	uint64_t silence_ms;
	uint64_t seed[4];			/* secret: see outcome.h */
};

/* An answer, progress, or that we are there, to be published; everything in it is borrowed. */
struct remote_publication {
	struct span channel, event;
	struct span payload;		/* text, the event's data */
	bool has_id;			/* its caller knows a repeat by it */
	uint64_t deadline_ms;		/* until when the caller waits; 0: not known */
	/* At most one of them; neither: that we are there. */
	void *answer;			/* for remote_published() */
	void *progress_of;		/* for remote_progress_published() */
};

struct remote_ops {
	/* False: it cannot be. Else remote_published() or remote_progress_published() follows,
	 * later, if it is an answer or progress, and the remote side is not freed before. */
	bool (*publish)(void *data, const struct remote_publication *publication);
	/* Look at remote_next_ms() soon: there is something to be published, or that waits. */
	void (*timer)(void *data);
};

struct remote_status {
	uint64_t n_requests, n_responses;
	uint64_t n_ignored;		/* events not understood, not for us, or unanswerable */
	uint64_t n_progress_dropped;	/* not published: newer came, the answer came, or no room */
	uint64_t n_limited;		/* requests beyond a limit: not run, told if they had ids */
	unsigned int n_running;
	unsigned int n_assembling;	/* requests that come in parts */
};

int remote_new(const struct remote_config *config, struct router *router,
	       const struct remote_ops *ops, void *data, struct remote **ret_remote) MUST_CHECK;
/*
 * From the next request on; calls that run go on, whatever their number. 0 or -ENOMEM: all stays
 * as it was.
 */
int remote_set_limits(struct remote *remote, const struct remote_limits *limits,
		      uint64_t now_ms) MUST_CHECK;
/* Drops its calls at the router. */
struct remote *remote_free(struct remote *remote, const struct now *now);

/* An event of the hub, as channel.h gives it. */
void remote_event(struct remote *remote, struct span channel, struct span event,
		  struct span payload, const struct now *now);
/* Whose answer this is, until remote_published(): the request's id (empty: it has none) and name.
 * Returns the data of its remote side's ops. */
void *remote_answer_of(const void *answer, struct span *ret_id, struct span *ret_api);
/* What became of a publication; status: of HTTP as the hub meant it, 0 if none came. */
void remote_published(void *answer, unsigned int status);
void remote_progress_published(void *progress_of);
uint64_t remote_next_ms(const struct remote *remote);	/* when to call tick; UINT64_MAX: never */
/* Publishes progress, and that we are there, where due; refuses requests whose parts did not all
 * come. */
void remote_tick(struct remote *remote, const struct now *now);
void remote_status(const struct remote *remote, struct remote_status *ret_status);
/* What was seen of another gateway of our name. */
const struct namesake *remote_namesake(const struct remote *remote);

#endif
