/* SPDX-License-Identifier: MIT */
/*
 * One call, until there is an answer to be shown: tries again where that does no harm, tells of
 * progress, and asks for the end when a signal comes.
 *
 * What an answer looks like is output.h's, and the caller's.
 */
#ifndef CHAPI_CLIENTS_CALLING_H
#define CHAPI_CLIENTS_CALLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clients/cli.h"
#include "libchapi-ipc/chapi-ipc.h"

/* An answer that counts; valid until this returns. Returns the status to end with. */
typedef int (*calling_fn)(const chapi_reply *reply, void *data);

/* What is called. All borrowed. */
struct calling {
	const struct cli_common *common;
	const char *api, *to;	/* to: NULL: at this gateway */
	const void *params;
	size_t len;
	int64_t timeout_ms;	/* of each try; 0: the API's own */
	int64_t retries;
	bool full, oneway;	/* as in struct chapi_call_options */
	bool raw;		/* likewise */
	bool follow;		/* progress on standard error, one JSON value a line */
	calling_fn fn;
	void *data;
};

/* Returns the status to end with; what is not said by fn is said here. */
int calling_run(const struct calling *calling);

#endif
