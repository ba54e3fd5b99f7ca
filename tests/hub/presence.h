/* SPDX-License-Identifier: MIT */
/*
 * Presence channels: who is there, and what is said about it. Pure.
 *
 * A member is a user, not a connection: it is there from its first subscription to its last.
 * Who is told of it, and when, is app.h; channels and subscriptions are channels.h.
 *
 * Pusher: "Presence channels". The limits are those of the hosted service.
 */
#ifndef CHAPI_HUB_PRESENCE_H
#define CHAPI_HUB_PRESENCE_H

#include <jansson.h>
#include <stdbool.h>

#include "tests/hub/channels.h"

#define PRESENCE_MEMBERS_MAX 100	/* of one channel */
#define PRESENCE_USER_ID_MAX 128	/* bytes */
#define PRESENCE_USER_MAX 1024		/* bytes of channel_data */

struct member {
	struct list in_channel;
	unsigned int n_subscriptions;
	char *user_id;
	char *arrival, *departure;	/* the messages that tell the others */
	json_t *info;			/* NULL: none */
};

enum { PRESENCE_E_DATA = 1, PRESENCE_E_USER_ID, PRESENCE_E_LARGE, PRESENCE_E_FULL };

/*
 * The user of channel_data joins by this subscription; *ret_first: it was not there before.
 * 0, -ENOMEM, or PRESENCE_E_*, for which presence_why() has words.
 */
int presence_join(struct subscription *s, const char *channel_data, bool *ret_first) MUST_CHECK;
const char *presence_why(int outcome);

/* Before the subscription ends. Returns the member if it was its last one: gone from the channel,
 * to be freed by the caller. Else, and for a subscription without a member, NULL. */
struct member *presence_leave(struct subscription *s) MUST_CHECK;
struct member *member_free(struct member *member);

/* {"presence":{"ids":[...],"hash":{...},"count":N}}; NULL without memory. */
json_t *presence_list(const struct channel *channel) MUST_CHECK;

#endif
