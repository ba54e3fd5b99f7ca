/* SPDX-License-Identifier: MIT */
/*
 * Where the data of an event is opened and closed: in clear on ordinary channels, encrypted for
 * whoever has the channel's key on private-encrypted- ones, so that the hub cannot read it.
 * Together with its .c the only place that knows libsodium; without that there are no keys.
 *
 * Pure but for random bytes. Pusher: "Encrypted channels". Calls that are sealed end to end, with
 * keys of their callers, would begin here.
 */
#ifndef CHAPI_SEALED_H
#define CHAPI_SEALED_H

#include <stdbool.h>

#include "libchapi-ipc/buf.h"

#define SEALED_KEY_LEN 32

struct sealed {
	bool has_key;
	uint8_t key[SEALED_KEY_LEN];	/* the app's master key */
};

enum {
	SEALED_E_NO_KEY = 1,	/* the channel is encrypted, and there is no key */
	SEALED_E_BAD,		/* not closed with this key, or not in this form */
};

/* NULL: there can be keys; else why not, for people. */
const char *sealed_why_not(void);

/* key: NULL: there is none. 0 or -ENOTSUP. */
int sealed_init(struct sealed *sealed, const uint8_t *key) MUST_CHECK;
void sealed_deinit(struct sealed *sealed);	/* wipes */

bool sealed_is_encrypted(struct span channel);
/* How many bytes of text fit into an event with max bytes of data. */
size_t sealed_room(struct span channel, size_t max);

/*
 * The data of an event for its text, and the other way round; ret is the argument itself where
 * the channel is not encrypted, else what was appended to store. 0, SEALED_E_*, or a negative
 * errno.
 */
int sealed_close(const struct sealed *sealed, struct span channel, struct span text,
		 struct buf *store, struct span *ret) MUST_CHECK;
int sealed_open(const struct sealed *sealed, struct span channel, struct span data,
		struct buf *store, struct span *ret) MUST_CHECK;

#endif
