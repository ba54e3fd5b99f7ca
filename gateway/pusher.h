/* SPDX-License-Identifier: MIT */
/*
 * Pusher's frames and bodies: text to struct, struct to text.
 *
 * What a frame means is channel.h; signatures are sign.h. Reads with json.h and not with a
 * library that builds a tree: data that is an object is to be handed on as its own text, with
 * all 64 bits of its integers, and a frame must not be lost for a number somewhere inside.
 *
 * Receiving is liberal: the order of keys, unknown keys, and the type of data never matter.
 */
#ifndef CHAPI_PUSHER_H
#define CHAPI_PUSHER_H

#include <stdbool.h>

#include "common/common.h"
#include "libchapi-ipc/buf.h"

#define PUSHER_DEPTH_MAX 64		/* of a frame, data that is no string included */
#define PUSHER_ACTIVITY_TIMEOUT_S 120	/* where the hub names none */

enum {
	PUSHER_E_BAD = 1,	/* not a frame of this protocol */
};

/* ---- received ----------------------------------------------------------------------- */

/* The spans point into the text that was parsed, or into store: valid as long as both are. */
struct pusher_frame {
	struct span event;
	struct span channel;	/* empty: about none */
	/* The content of a string, or the text of any other value; empty: absent or null. */
	struct span data;
	struct buf store[3];	/* of what had to be decoded */
};

#define PUSHER_FRAME_NULL { 0 }

void pusher_frame_deinit(struct pusher_frame *frame);

/*
 * One whole text frame. 0, PUSHER_E_BAD (*ret_why: static text), or -ENOMEM. ret is to be
 * initialised with PUSHER_FRAME_NULL, and deinitialised after every outcome.
 */
int pusher_parse(struct span text, struct pusher_frame *ret, const char **ret_why) MUST_CHECK;

/* True for the names that belong to the protocol: "pusher:" and "pusher_internal:". */
bool pusher_is_protocol_event(struct span event);
/* One whole text frame: is it the answer to a ping? False for one of unusual length. */
bool pusher_is_pong(struct span text);

/* data of pusher:connection_established. PUSHER_E_BAD: no usable socket_id in it. */
struct pusher_established {
	char socket_id[65];		/* opaque */
	unsigned int activity_timeout_s;
};
int pusher_parse_established(struct span data, struct pusher_established *ret) MUST_CHECK;

/*
 * data of pusher:error and pusher:subscription_error, in whatever form: never fails, as there is
 * always something to say.
 */
struct pusher_error {
	unsigned int code;		/* 0: null, missing, or no number */
	char message[200];		/* one line of printable ASCII, cut; "" */
};
void pusher_parse_error(struct span data, struct pusher_error *ret);

/* ---- sent: appended to out, which remembers a failure ---------------------------------- */

/* auth: as sign_channel() makes it; empty for public channels. */
void pusher_put_subscribe(struct buf *out, const char *channel, struct span auth);
void pusher_put_unsubscribe(struct buf *out, const char *channel);
void pusher_put_ping(struct buf *out);
void pusher_put_pong(struct buf *out);

/* An event as the HTTP API takes it (POST events): names and data are UTF-8. */
struct pusher_event {
	struct span name;
	struct span channel;
	struct span data;
	struct span socket_id;	/* the connection that does not get it; empty: none */
};
void pusher_put_event_body(struct buf *out, const struct pusher_event *event);
/* The same as an element of POST batch_events. */
void pusher_put_batch_entry(struct buf *out, const struct pusher_event *event);

#endif
