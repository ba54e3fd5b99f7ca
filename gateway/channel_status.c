/* SPDX-License-Identifier: MIT */
/*
 * What is told of the hub connection: what it waits for, and until when.
 */
#include "gateway/channel_private.h"

struct wait {
	const char *what, *channel;
	uint64_t until_ms;
};

/* The channel that keeps us from being up, whose turn is next. */
static struct wait wait_of_subscriptions(const struct channel *c)
{
	struct wait wait = { "", "", NEVER };

	for (size_t i = 0; i < c->n_subscriptions; i++) {
		const struct subscription *s = &c->subscriptions[i];

		if (s->extra || s->state == SUBSCRIPTION_CONFIRMED || s->until_ms >= wait.until_ms)
			continue;
		wait = (struct wait){
			.what = s->state == SUBSCRIPTION_ASKED
					? "the hub to confirm the channel"
					: "the next try to subscribe to the channel",
			.channel = s->name,
			.until_ms = s->until_ms,
		};
	}
	return wait;
}

static struct wait wait_of(const struct channel *c)
{
	switch (c->state) {
	case CHANNEL_WAITING:
		return (struct wait){ "the next try to connect", "", c->until_ms };
	case CHANNEL_CONNECTING:
		return (struct wait){ c->opened ? "the hub's greeting"
						: "a connection to the hub",
				      "", c->until_ms };
	case CHANNEL_SUBSCRIBING:
		return wait_of_subscriptions(c);
	case CHANNEL_UP:
	case CHANNEL_STOPPED:
		break;
	}
	return (struct wait){ "", "", 0 };
}

void channel_status(const struct channel *c, struct channel_status *ret_status)
{
	struct wait wait = wait_of(c);

	*ret_status = (struct channel_status){
		.state = c->state,
		.socket_id = c->socket_id,
		.reason = c->reason,
		.waits_for = wait.what,
		.waits_channel = wait.channel,
		.until_ms = wait.until_ms,
		.close_code = c->close_code,
		.error_code = c->error_code,
		.n_connects = c->n_connects,
		.n_subscribed = c->n_confirmed,
		.n_ignored = c->n_ignored,
		.n_wanted = c->n_wanted,
	};
}
