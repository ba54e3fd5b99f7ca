/* SPDX-License-Identifier: MIT */
/*
 * Channels and who is subscribed to them: see channels.h.
 */
#include "tests/hub/channels.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "gateway/sign.h"
#include "gateway/siphash.h"

int channels_init(struct channels *channels)
{
	for (size_t i = 0; i < CHANNELS_N_BUCKETS; i++)
		list_init(&channels->buckets[i]);
	return sign_random(channels->hash_key, sizeof(channels->hash_key));
}

void subscriber_init(struct subscriber *subscriber)
{
	list_init(&subscriber->subscriptions);
	subscriber->n_subscriptions = 0;
}

static size_t bucket_of(const struct channels *channels, const char *name)
{
	return siphash(channels->hash_key, span_str(name)) % CHANNELS_N_BUCKETS;
}

struct channel *channels_find(const struct channels *channels, const char *name)
{
	const struct list *bucket = &channels->buckets[bucket_of(channels, name)];
	struct channel *channel;

	list_for_each(channel, bucket, struct channel, in_bucket)
		if (strcmp(channel->name, name) == 0)
			return channel;
	return NULL;
}

static struct channel *channel_new(struct channels *channels, const char *name)
{
	size_t size = strlen(name) + 1;
	struct channel *channel = malloc(sizeof(*channel) + size);

	if (!channel)
		return NULL;
	memcpy(channel->name, name, size);
	channel->n_subscriptions = channel->n_members = 0;
	list_init(&channel->subscriptions);
	list_init(&channel->members);
	list_add_tail(&channels->buckets[bucket_of(channels, name)], &channel->in_bucket);
	return channel;
}

int channels_subscribe(struct channels *channels, struct subscriber *subscriber, const char *name,
		       struct subscription **ret)
{
	struct channel *channel = channels_find(channels, name);
	struct subscription *s = malloc(sizeof(*s));

	if (s && !channel)
		channel = channel_new(channels, name);
	if (!s || !channel) {
		free(s);
		return -ENOMEM;
	}
	*s = (struct subscription){ .subscriber = subscriber, .channel = channel };
	list_add_tail(&subscriber->subscriptions, &s->in_subscriber);
	list_add_tail(&channel->subscriptions, &s->in_channel);
	subscriber->n_subscriptions++;
	channel->n_subscriptions++;
	*ret = s;
	return 0;
}

static void channel_free_if_empty(struct channel *channel)
{
	if (channel->n_subscriptions > 0)
		return;
	list_del(&channel->in_bucket);
	free(channel);
}

struct subscription *subscription_free(struct subscription *s)
{
	if (!s)
		return NULL;
	assert(!s->member);
	list_del(&s->in_subscriber);
	list_del(&s->in_channel);
	s->subscriber->n_subscriptions--;
	s->channel->n_subscriptions--;
	channel_free_if_empty(s->channel);
	free(s);
	return NULL;
}

struct subscription *subscriber_find(const struct subscriber *subscriber, const char *channel)
{
	struct subscription *s;

	list_for_each(s, &subscriber->subscriptions, struct subscription, in_subscriber)
		if (strcmp(s->channel->name, channel) == 0)
			return s;
	return NULL;
}
