/* SPDX-License-Identifier: MIT */
/*
 * What the codes of the hub mean, of a close frame or of pusher:error before the greeting: when a
 * new try makes sense, and one line for people. A table; what is done is channel.h's.
 *
 * Pusher: "Connection closure".
 */
#ifndef CHAPI_CLOSE_CODE_H
#define CHAPI_CLOSE_CODE_H

enum retry {
	RETRY_BACKOFF,		/* with growing waits */
	RETRY_AT_ONCE,		/* the first time, then with growing waits */
	RETRY_OVER_CAPACITY,	/* after a second, with growing waits on top of it */
	RETRY_SLOWLY,		/* a new try will only repeat it, until somebody does something */
};

/* code: 0 if there was none. */
enum retry close_code_retry(unsigned int code);
/* An HTTP status in place of a WebSocket. RETRY_BACKOFF: it may be the fault of one server only. */
enum retry close_code_status_retry(unsigned int status);
const char *close_code_sentence(unsigned int code);

#endif
