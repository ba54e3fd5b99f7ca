/* SPDX-License-Identifier: MIT */
/*
 * What the event loop (ws.h) and the thread of libwebsockets (ws_client.h) share: wishes one
 * way, events the other. Private to these two.
 *
 * Everything in struct ws_link is under its lock. It goes when both sides have let go, so
 * neither needs to wait for the other. Both queues are bounded: frames to be sent are
 * refused beyond a limit; beyond another, the thread stops reading until the loop has caught up.
 */
#ifndef CHAPI_WS_LINK_H
#define CHAPI_WS_LINK_H

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>

#include "gateway/ws.h"
#include "libchapi-ipc/list.h"

struct lws_context;

/* Why a connection ends of which neither side may carry out what waited: seconds. */
#define WS_STALE_FORMAT "this process did not run for some %" PRIu64 " s: what the hub sent " \
			"meanwhile is too old to be carried out"

enum ws_item_kind { WS_ITEM_OPENED, WS_ITEM_FRAME, WS_ITEM_SILENT, WS_ITEM_CLOSED };

/* An event, or a frame to be sent (which has room in front, as libwebsockets wants it). */
struct ws_item {
	struct list link;
	enum ws_item_kind kind;
	uint64_t generation;	/* of the connection it is about */
	struct ws_end end;	/* why: see text */
	uint64_t since_ms;	/* of a frame: it came no earlier */
	size_t len;
	uint8_t *text;		/* behind the struct */
};

/* How a connection is kept alive. */
struct ws_pulse {
	uint64_t generation;
	uint64_t every_ms, answer_ms;
	bool (*is_pong)(struct span text);
	struct ws_item *news;	/* of its silence or end: made before, lest memory be short then */
	size_t len;
	uint8_t ping[WS_PING_MAX];
};

struct ws_link {
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* for the thread while it has no context to wait in */
	unsigned int refs;
	int event_fd;			/* readable: there are events */

	/* The loop's wishes; the last one holds. */
	uint64_t wanted;		/* generation of the one connection wanted; 0: none */
	struct ws_target *target;	/* of wanted, until the thread has taken it */
	struct ws_pulse *pulse;		/* of wanted, until the thread has taken it; NULL: none */
	struct list out;
	size_t out_bytes;
	bool resume;			/* read again */
	bool stop;

	/* The thread's events. */
	struct list in;
	size_t n_in, in_bytes;
	bool paused;			/* the thread reads nothing: the loop has not caught up */
	uint64_t answer_until_ms;	/* of a ping on wanted; 0: none is waited for */
	struct lws_context *context;	/* where the thread waits; NULL: on changed */
};

int ws_link_new(struct ws_link **ret_link) MUST_CHECK;
void ws_link_unref(struct ws_link *link);

/* Called under the lock. */
void ws_link_wake_thread(struct ws_link *link);
void ws_link_clear_out(struct ws_link *link);

/* NULL: out of memory. */
struct ws_item *ws_item_new(enum ws_item_kind kind, uint64_t generation, struct span text);

/* NULL: out of memory. */
struct ws_pulse *ws_pulse_new(uint64_t generation, const struct ws_keep_alive *how);
struct ws_pulse *ws_pulse_free(struct ws_pulse *pulse);

/* A copy that owns its texts. */
struct ws_target *ws_target_copy(const struct ws_target *target);
/* Of a copy: wipes the password. */
struct ws_target *ws_target_free(struct ws_target *target);

#endif
