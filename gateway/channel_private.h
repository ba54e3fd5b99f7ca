/* SPDX-License-Identifier: MIT */
/*
 * What the files of the channel share.
 *
 *     channel.c                the connection: states, waits
 *     channel_frames.c         what the hub says: a greeting, errors, confirmations, events
 *     channel_subscriptions.c  its subscriptions: asked for, confirmed, refused, without an answer
 *     channel_status.c         what is told of it
 */
#ifndef CHAPI_CHANNEL_PRIVATE_H
#define CHAPI_CHANNEL_PRIVATE_H

#include "gateway/backoff.h"
#include "gateway/channel.h"
#include "gateway/close_code.h"

#define NEVER UINT64_MAX

enum subscription_state {
	SUBSCRIPTION_IDLE,	/* not asked for on this connection */
	SUBSCRIPTION_ASKED,
	SUBSCRIPTION_REFUSED,	/* to be asked for again */
	SUBSCRIPTION_LEFT,	/* likewise: what still comes of the last time does not count */
	SUBSCRIPTION_CONFIRMED,
};

struct subscription {
	const char *name;
	enum subscription_state state;
	uint64_t until_ms;	/* asked: for an answer; refused or left: the next try */
	uint64_t asked_ms;
	unsigned int n_refused;	/* on this connection */
	unsigned int n_silent;	/* likewise, how often it was not answered, if extra */
	bool was_left;		/* on this connection: two answers may come, of before and after */
	bool extra;		/* the connection is up without it */
	char why[280];		/* it is not confirmed, on this connection; "" */
};

struct channel {
	struct channel_config config;
	struct channel_ops ops;
	void *data;
	struct backoff backoff;

	enum channel_state state;
	uint64_t until_ms;	/* waiting: the next try; connecting: the end of patience */
	unsigned int n_failures;	/* since a connection was healthy */
	bool opened;
	char reason[400];	/* of the last trouble */
	const char *reason_of;	/* the name of the channel that this is about; NULL: of none */
	uint64_t fades_ms;	/* up: when it is told no more, as it is about nothing that lasts */
	char hub_says[200];	/* the last pusher:error of this connection */
	uint64_t hub_said_ms;
	char unclear[200];	/* the last of them that named no channel */
	uint64_t unclear_ms;
	unsigned int close_code, error_code;	/* the last ones there were */

	/* of an established connection */
	char socket_id[65];
	uint64_t established_ms;

	struct subscription *subscriptions;
	size_t n_subscriptions;
	size_t n_wanted, n_confirmed;	/* without the extra ones */
	unsigned int n_silent;	/* connections in a row that silence about those has ended */
	uint64_t n_connects, n_ignored;
};

bool channel_is_connected(const struct channel *c);	/* or about to be */
bool channel_is_established(const struct channel *c);	/* greeted by the hub */
/* What was told holds no more: is anything left? */
void channel_tell_what_is_left(struct channel *c);
void channel_set_state(struct channel *c, enum channel_state state, const char *reason);
/* Keeps what went wrong for the status, as one line of printable ASCII. True if it is news. */
bool channel_set_reason(struct channel *c, const char *fmt, ...) PRINTF(2, 3);
void channel_clear_reason(struct channel *c);
/* "4001: what it means and what to do (the hub's own words)" */
void channel_set_reason_of_code(struct channel *c, unsigned int code, const char *words);
void channel_give_up(struct channel *c, enum retry retry, uint64_t now_ms);

bool subscription_is_private(const struct subscription *s);
void subscription_ask(struct channel *c, struct subscription *s, uint64_t now_ms);
void subscription_refused(struct channel *c, struct subscription *s, const char *why,
			  uint64_t now_ms);
void subscription_confirmed(struct channel *c, struct subscription *s);
void subscription_tick(struct channel *c, struct subscription *s, uint64_t now_ms);
/* Is the connection up by now? */
void channel_check_up(struct channel *c);
/* Does the hub owe us an answer about one that keeps us from being up? */
bool channel_lacks_answer(const struct channel *c, uint64_t now_ms);
/* Asks, before its time, for what was refused and what the connection is up without. */
void channel_ask_now(struct channel *c, uint64_t now_ms);

struct subscription *channel_find(struct channel *c, struct span name);
/* Of one that the hub took for confirmed before it answered all that we have asked: does it say
 * no to the rest? */
bool subscription_may_be_refused(const struct subscription *s);
/* The one that a text of the hub names, or the only one that is asked for; or NULL. */
struct subscription *channel_find_named(struct channel *c, struct span text);
struct subscription *channel_find_only_asked(struct channel *c);

#endif
