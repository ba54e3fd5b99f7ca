/* SPDX-License-Identifier: MIT */
/*
 * Another gateway that has our name: each of the two runs what is meant for the other.
 *
 * It is seen by what it says: a response on a channel that both listen on, or, as an answer that
 * goes elsewhere or in parts shows nobody whose it is, an announcement on the beacon that both are
 * subscribed to. One answer of that kind is reason for an announcement, and so is the sight of
 * another of our name, so that both sides know; in a while there is one at most.
 *
 * Pure: says when to announce, and what; publishing is remote.h's, telling people hub.h's.
 */
#ifndef CHAPI_NAMESAKE_H
#define CHAPI_NAMESAKE_H

#include <stdbool.h>

#include "gateway/beacons.h"

#define NAMESAKE_EVENT "chapi-here"
#define NAMESAKE_QUIET_MS 600000	/* between two announcements */
#define NAMESAKE_NAME_MAX 64
#define NAMESAKE_INSTANCE_MAX 64

struct namesake {
	const char *name, *instance;	/* our own; borrowed */
	/* Our beacon, where announcements are published. */
	char channel[sizeof(BEACON_PREFIX BEACON_SUFFIX) + NAMESAKE_NAME_MAX];
	bool is_wanted;			/* an announcement */
	uint64_t from_ms;		/* none before */
	uint64_t n_seen;		/* what others of our name have said */
	uint64_t seen_ms;		/* when they did so last */
	char seen[NAMESAKE_INSTANCE_MAX + 1];	/* the instance of the one that did; "" */
};

void namesake_init(struct namesake *namesake, const char *name, const char *instance);

/* Something was done that another of our name cannot see. True: look at namesake_next_ms(). */
bool namesake_want(struct namesake *namesake);
/* The data of a response or an announcement, by whomever. True: by another of our name. */
bool namesake_look(struct namesake *namesake, struct span text, uint64_t now_ms);

uint64_t namesake_next_ms(const struct namesake *namesake);	/* UINT64_MAX: never */
/* True: publish namesake_put() as NAMESAKE_EVENT on the channel, and tell namesake_announced(). */
bool namesake_is_due(const struct namesake *namesake, uint64_t now_ms);
/* out remembers a failure */
void namesake_put(const struct namesake *namesake, struct buf *out);
/* is_out: false: it could not be published now; another try is made later. */
void namesake_announced(struct namesake *namesake, bool is_out, uint64_t now_ms);

#endif
