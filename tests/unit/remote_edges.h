/* SPDX-License-Identifier: MIT */
/*
 * The edges of the remote side, played by a test: the hub is what the test says, the router is
 * played_router.c, and the publisher keeps what it was given last. Time is a number.
 */
#ifndef CHAPI_TESTS_REMOTE_EDGES_H
#define CHAPI_TESTS_REMOTE_EDGES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/remote.h"
#include "tests/unit/played_router.h"

#define PRIVATE "private-chapi-pi"
#define PUBLIC "chapi"
#define ENCRYPTED "private-encrypted-chapi-pi"
#define PRESENCE "presence-x"

struct world {
	struct router router;
	struct remote *remote;
	unsigned int n_published;
	char channel[200], event[100];	/* of the last */
	struct buf payload;
	bool has_id;
	uint64_t deadline_ms;
	void *answer, *progress_of;
	unsigned int n_waits;		/* how often it was told that progress waits */
	bool full;			/* takes nothing */
};

extern const char *const channels[4];		/* PRIVATE, PUBLIC, ENCRYPTED, PRESENCE */
extern const struct now now;
extern const struct remote_config defaults;

void world_init_config(struct world *w, const struct remote_config *config);
void world_init(struct world *w);
void world_deinit(struct world *w);

struct now at(uint64_t ms);
void tick_at(struct world *w, uint64_t ms);

/* What comes from the hub; on PRIVATE, if nothing else is said. */
void event_comes(struct world *w, const char *channel, const char *event, const char *payload);
void request_comes(struct world *w, const char *payload);
void request_comes_at(struct world *w, uint64_t ms, const char *payload);
void id_comes(struct world *w, const char *id);	/* a request for x with that id and no more */

/* What the router answers. */
#define RESULT_1 span_of("\x01", 1)
struct party_response response_of(const struct failure *failure, struct span result);
void answer_token(struct world *w, uint64_t token, const struct failure *failure,
		  struct span result);
void answer_call(struct world *w, size_t i);	/* with RESULT_1 */

struct remote_status status_of(const struct world *w);
/* The last is the nth, and this record. */
void assert_published(const struct world *w, unsigned int n, const char *payload);
void assert_says(const struct world *w, const char *words);	/* the last */
void assert_says_not(const struct world *w, const char *words);

/* Fields of the records that are published. */
#define TIMES \
	"\"request_time\":1700000000.5,\"response_time\":1700000001.0,\"queue_ms\":0.25," \
	"\"run_ms\":12.5"
#define NO_TIMES \
	"\"request_time\":1700000000.5,\"response_time\":1700000000.5,\"queue_ms\":0.0," \
	"\"run_ms\":0.0"
#define GATEWAY "\"gateway\":\"pi\",\"instance\":\"00ff\""

#endif
