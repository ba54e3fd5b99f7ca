/* SPDX-License-Identifier: MIT */
/*
 * The life of the hub connection: when to connect, what a frame means for it, how often to ping,
 * how long to wait before the next try. A state machine without I/O and without a clock.
 *
 * Events go in (channel_opened(), channel_frame(), channel_silent(), channel_closed(),
 * channel_tick()), actions come out through struct channel_ops. It knows Pusher's frames
 * (pusher.h) and signs subscriptions (sign.h); sockets are ws.h's, and so are the pings, once they
 * are asked for (keepalive.h); events for the application go to remote.h.
 */
#ifndef CHAPI_CHANNEL_H
#define CHAPI_CHANNEL_H

#include <stdbool.h>

#include "libchapi-ipc/buf.h"

struct channel;

struct channel_config {
	const char *key, *secret;		/* borrowed for the life of the channel */
	const char *const *names;		/* channels to be subscribed; borrowed likewise */
	size_t n_names;
	uint64_t handshake_ms, subscribe_ms, ping_interval_ms, pong_timeout_ms;
	uint64_t backoff_least_ms, backoff_most_ms, backoff_reset_ms;
	uint64_t probe_ms;	/* where a new try can only repeat the refusal: the longest wait */
	uint64_t seed;				/* of the jitter; random, fixed in tests */
};

enum channel_state {
	CHANNEL_WAITING,	/* for the next try: channel_status() says until when and why */
	CHANNEL_CONNECTING,	/* name look-up, TCP, TLS, upgrade, established */
	CHANNEL_SUBSCRIBING,
	CHANNEL_UP,		/* every channel confirmed */
	CHANNEL_STOPPED,
};

/* None of them calls back into the channel; only connect may, with channel_closed(). */
struct channel_ops {
	/* Open a connection: channel_opened(), channel_closed() or channel_refused() follows. */
	void (*connect)(void *data);
	/* Give up the connection, whatever it is doing; no further event of it may come in. */
	void (*disconnect)(void *data);
	void (*send)(void *data, struct span frame);
	/* Ping every every_ms from now on, on this connection; channel_silent() follows if nothing
	 * comes in for answer_ms after one. 0, or a negative errno: not done. */
	int (*keep_alive)(void *data, uint64_t every_ms, uint64_t answer_ms);
	/* An event for the application: text as in the frame; payload is the data, decoded if it
	 * was a string. */
	void (*event)(void *data, struct span channel, struct span event, struct span payload);
	/* The hub has confirmed a channel of channel_add(), on this connection. */
	void (*added)(void *data, const char *name);
	/* The state has changed, or there is news within it; reason: one line for people (printable
	 * ASCII), "" if there is nothing to say. */
	void (*state)(void *data, enum channel_state state, const char *reason);
};

int channel_new(const struct channel_config *config, const struct channel_ops *ops, void *data,
		struct channel **ret_channel) MUST_CHECK;
struct channel *channel_free(struct channel *channel);
/* Times for handshake, subscriptions and waits, of config; a wait that runs goes on as it is. */
void channel_set_timing(struct channel *channel, const struct channel_config *config);

/*
 * One channel more, from now on: subscribed to on every connection, but nothing that a
 * connection has to have to be up. name is borrowed for the life of the channel. 0 or -ENOMEM.
 */
int channel_add(struct channel *channel, const char *name, uint64_t now_ms) MUST_CHECK;
/* Is this one confirmed on this connection? */
bool channel_has(const struct channel *channel, const char *name);

/* Begins; out of a wait, for a new try to connect or to subscribe, it tries at once; a try that has
 * come to nothing so far, and a connection on which the hub is silent about a channel for longer
 * than subscribe_ms, begins anew. */
void channel_start(struct channel *channel, uint64_t now_ms);
void channel_opened(struct channel *channel, uint64_t now_ms);
/* A connection that is up is given up and opened anew: it does not do what it should. */
void channel_renew(struct channel *channel, const char *why, uint64_t now_ms);
void channel_frame(struct channel *channel, struct span frame, uint64_t now_ms);
/* code: of the close frame, 0: none came; why: text of the system or of the close frame. */
void channel_closed(struct channel *channel, unsigned int code, struct span why, uint64_t now_ms);
/* Not opened: an HTTP status came. least_ms: it asks for that much time; 0: it does not say. */
void channel_refused(struct channel *channel, unsigned int status, struct span why,
		     uint64_t least_ms, uint64_t now_ms);
/* Nothing has come in since a ping, for as long as its answer may take. */
void channel_silent(struct channel *channel, uint64_t now_ms);
uint64_t channel_next_ms(const struct channel *channel);	/* UINT64_MAX: never */
void channel_tick(struct channel *channel, uint64_t now_ms);

struct channel_status {
	enum channel_state state;
	const char *socket_id;		/* "" unless established */
	const char *reason;		/* of the last trouble, for people; "" */
	const char *waits_for;		/* "" if for nothing */
	const char *waits_channel;	/* the channel that this is about, or "" */
	uint64_t until_ms;		/* for how long (monotonic); 0 if for nothing */
	unsigned int close_code;	/* of the last close frame; 0: none came */
	unsigned int error_code;	/* of the last pusher:error that had one; 0: none did */
	uint64_t n_connects, n_subscribed;
	uint64_t n_ignored;		/* frames that nobody could use */
	size_t n_wanted;
};
void channel_status(const struct channel *channel, struct channel_status *ret_status);

#endif
