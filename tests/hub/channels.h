/* SPDX-License-Identifier: MIT */
/*
 * Channels and who is subscribed to them. Pure; knows neither rights nor messages.
 *
 * A channel exists while somebody is subscribed to it. A subscription hangs in two lists:
 * its channel's and its subscriber's. Members, of presence channels only, are presence.h's.
 */
#ifndef CHAPI_HUB_CHANNELS_H
#define CHAPI_HUB_CHANNELS_H

#include "libchapi-ipc/list.h"

#define CHANNELS_N_BUCKETS 1024

struct channels {
	uint64_t hash_key[2];
	struct list buckets[CHANNELS_N_BUCKETS];
};

/* Embedded in whoever subscribes. */
struct subscriber {
	struct list subscriptions;
	size_t n_subscriptions;
};

struct channel {
	struct list in_bucket;
	struct list subscriptions;
	size_t n_subscriptions;
	struct list members;
	size_t n_members;
	char name[];
};

struct member;

struct subscription {
	struct list in_subscriber, in_channel;
	struct subscriber *subscriber;
	struct channel *channel;
	struct member *member;		/* NULL: the channel has none */
};

int channels_init(struct channels *channels) MUST_CHECK;
void subscriber_init(struct subscriber *subscriber);

/* The caller has looked that there is none yet. */
int channels_subscribe(struct channels *channels, struct subscriber *subscriber, const char *name,
		       struct subscription **ret) MUST_CHECK;
/* And its channel, if it was the last one. Its member has left before: presence_leave(). */
struct subscription *subscription_free(struct subscription *s);

struct channel *channels_find(const struct channels *channels, const char *name);
struct subscription *subscriber_find(const struct subscriber *subscriber, const char *channel);

#endif
