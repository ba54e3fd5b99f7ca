/* SPDX-License-Identifier: MIT */
/*
 * The edges of a hub connection, played by a test: time is a number, the hub is what the test says,
 * and what the connection does is counted and kept.
 */
#ifndef CHAPI_TESTS_CHANNEL_EDGES_H
#define CHAPI_TESTS_CHANNEL_EDGES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/channel.h"

#define NEVER UINT64_MAX
#define START 1000000

#define PRIVATE "private-sensor.42"
#define PUBLIC "chapi"
#define EXTRA "extra"
#define ANOTHER "another"
/* Of PRIVATE with socket id 1234.5678; see test-sign.c. */
#define AUTH "aaaabbbbccccddddeeee:f81bf0afb5499963fd811112064e1967ff36af38259d6a1d00f843e6bc92ce05"
#define ASK_PRIVATE                                                                                \
	"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"" PRIVATE "\",\"auth\":\"" AUTH   \
	"\"}}"
#define ASK_PUBLIC "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"" PUBLIC "\"}}"
#define PONG "{\"event\":\"pusher:pong\",\"data\":{}}"

/* Waits, for assert_waits(): after which kind of close. */
#define SLOWLY 300000, 900000
#define AT_ONCE 1, 500
#define OVER_CAPACITY 1500, 2000
#define BACKOFF 500, 1000

/* A channel, its time, and everything it did. */
struct world {
	struct channel *channel;
	uint64_t now;
	unsigned int n_connects, n_disconnects, n_states, n_events;
	struct buf sent;		/* frames, each with a line feed */
	enum channel_state state;
	char reason[400];		/* told with the state */
	struct buf event;		/* the last: CHANNEL EVENT PAYLOAD */
	unsigned int n_added;
	uint64_t ping_every_ms, answer_ms;	/* as it was asked for */
	int keep_alive;			/* what that returns */
};

/* PRIVATE and PUBLIC, with the times of the documents. */
extern const struct channel_config defaults;

void world_init_config(struct world *w, const struct channel_config *config);
void world_init(struct world *w);
void world_deinit(struct world *w);
#define WORLD(w) CLEANUP(world_deinit) struct world w; world_init(&w)

uint64_t next(const struct world *w);		/* when it has to do something; NEVER */
void pass(struct world *w, uint64_t ms);
void pass_to_next(struct world *w);		/* to the next thing that it has to do */

/* What happens to it. */
void start(struct world *w);
void opened(struct world *w);
void frame(struct world *w, const char *text);
void framef(struct world *w, const char *fmt, ...) PRINTF(2, 3);
void closed(struct world *w, unsigned int code, const char *why);
void confirm(struct world *w, const char *name);	/* a subscription */
/* Up to the hub's greeting. */
void establish_as(struct world *w, const char *socket_id);
void establish(struct world *w);
void bring_up(struct world *w);			/* and what was sent is forgotten */

struct channel_status status_of(const struct world *w);
void assert_state(const struct world *w, enum channel_state state);
void assert_told(const struct world *w, const char *words);
void assert_sent(struct world *w, const char *lines);	/* since the last time */
/* The last: CHANNEL EVENT PAYLOAD. */
void assert_event(const struct world *w, const char *text);
void assert_waits_for(const struct world *w, const char *what, const char *channel,
		      uint64_t until_ms);
/* The wait before the next try, in between. */
void assert_waits(const struct world *w, uint64_t least, uint64_t most);

#endif
