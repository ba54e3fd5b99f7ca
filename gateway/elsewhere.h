/* SPDX-License-Identifier: MIT */
/*
 * Calls to other gateways: requests go out over the hub, their answers come in.
 *
 * Pure: what has to be done goes out through struct elsewhere_ops, time is a number. Who may
 * call, and who waits for the answer, is the router's business (outgoing.c); the hub
 * connection is channel.h, records are record_caller.h. chapi-remote(7), "GATEWAY TO GATEWAY".
 *
 * The answers come on a channel of our own, which is subscribed to with the first call. Half of
 * the time without an answer, and when the hub may or may not have taken it: the same request goes
 * out once more, says that it is a repeat, and the other side runs it once. All of the time: the
 * hub is asked for the other gateway's beacon, so that it can be said whether anybody was there.
 */
#ifndef CHAPI_ELSEWHERE_H
#define CHAPI_ELSEWHERE_H

#include "gateway/channel_name.h"
#include "gateway/party.h"
#include "gateway/room.h"
#include "libchapi-ipc/buf.h"

struct elsewhere;

#define ELSEWHERE_TO_MAX CHANNEL_NAME_MAX

/* Texts are borrowed for the life of it. */
struct elsewhere_config {
	const char *name, *instance;		/* our own */
	const char *request_event, *response_event;
	struct room room;			/* in events */
	size_t max_record;			/* bytes of a request or an answer in parts */
	bool has_key;				/* of the encrypted channels */
};

struct elsewhere_publication {
	struct span channel, event;
	struct span payload;		/* text, the event's data */
	uint64_t deadline_ms;		/* afterwards it is of no use, and not to be sent */
	/*
	 * It does no harm if it comes twice. Else it is a first try, and may be published twice
	 * only if the hub surely did not take it: in doubt elsewhere_doubted() has to be called.
	 */
	bool is_repeat;
	uint64_t serial;		/* of a first try; 0: nobody needs to know */
};

/* None of them calls back at once. */
struct elsewhere_ops {
	bool (*is_up)(void *data);		/* the hub connection */
	/*
	 * Is the channel for answers confirmed? If not: asks for it, elsewhere_ready() follows. Its
	 * name lives as long as elsewhere.
	 */
	bool (*is_ready)(void *data, const char *channel);
	/* False: it cannot be. */
	bool (*publish)(void *data, const struct elsewhere_publication *publication);
	/* Is this channel occupied? elsewhere_seen() follows, if the hub can be asked. */
	void (*ask)(void *data, const char *channel, uint64_t serial);
	/* The one answer to a call: what was given with it. */
	void (*answer)(void *data, void *call, const struct party_response *response);
	void (*progress)(void *data, void *call, struct span value);	/* one MessagePack value */
	void (*timer)(void *data);		/* look at elsewhere_next_ms() again */
};

int elsewhere_new(const struct elsewhere_config *config, const struct elsewhere_ops *ops,
		  void *data, uint64_t now_ms, struct elsewhere **ret_elsewhere) MUST_CHECK;
void elsewhere_set_max_record(struct elsewhere *elsewhere, size_t max_record);
struct elsewhere *elsewhere_free(struct elsewhere *elsewhere);	/* calls get no answer any more */

/* A call; texts are borrowed for the time of elsewhere_call(). */
struct elsewhere_call {
	struct span to;			/* a gateway's name, or a channel beginning with private- */
	struct span api;
	struct span params;		/* one MessagePack value */
	struct span caller;		/* label */
	double request_time;		/* Unix seconds */
	int64_t timeout_ms;
	bool progress, raw;
	void *call;			/* for the ops */
};

struct elsewhere_fault {
	int code;			/* CHAPI_ERR_*: nothing was sent */
	size_t size, limit;		/* of CHAPI_ERR_TOO_LARGE */
	char text[300];			/* one line */
};

enum { ELSEWHERE_E_REFUSED = 1 };	/* see the fault */

/* Begins a call: one answer follows, later. 0 and its number, ELSEWHERE_E_REFUSED or -ENOMEM. */
int elsewhere_call(struct elsewhere *elsewhere, const struct elsewhere_call *call,
		   const struct now *now, uint64_t *ret_serial,
		   struct elsewhere_fault *ret_fault) MUST_CHECK;
/*
 * It is not wanted any more: there is no answer, and the other side is told. True: it may have
 * run.
 */
bool elsewhere_cancel(struct elsewhere *elsewhere, uint64_t serial);

/* One of the two channels on which answers come: in clear, and of encrypted requests. */
bool elsewhere_listens(const struct elsewhere *elsewhere, struct span channel);
void elsewhere_ready(struct elsewhere *elsewhere, const char *channel, const struct now *now);
/*
 * An event on such a channel, in clear. False: it is of no call of ours, or makes no sense. What
 * comes too late, or was doubled, is passed over, as on any day.
 */
bool elsewhere_event(struct elsewhere *elsewhere, struct span channel, struct span event,
		     struct span payload, const struct now *now);
/*
 * The hub surely has not taken it. status: HTTP's as the hub meant it, 0: no answer came; error:
 * one line.
 */
void elsewhere_refused(struct elsewhere *elsewhere, uint64_t serial, unsigned int status,
		       const char *error, const struct now *now);
/* The hub may have taken it or not. */
void elsewhere_doubted(struct elsewhere *elsewhere, uint64_t serial, const struct now *now);
void elsewhere_seen(struct elsewhere *elsewhere, uint64_t serial, bool occupied,
		    const struct now *now);

uint64_t elsewhere_next_ms(const struct elsewhere *elsewhere);	/* UINT64_MAX: never */
void elsewhere_tick(struct elsewhere *elsewhere, const struct now *now);

struct elsewhere_status {
	uint64_t n_calls, n_answers, n_repeated;
	uint64_t n_ignored;		/* events that nobody could use, or that came late */
	unsigned int n_waiting;
};
void elsewhere_status(const struct elsewhere *elsewhere, struct elsewhere_status *ret_status);

#endif
