/* SPDX-License-Identifier: MIT */
/*
 * Arguments and environment of one run of a command, made from one request.
 *
 * {key} in an argument becomes the parameter of that name: all of it stays one argument, and no
 * shell is in between. {{key}} is {key} itself. The environment is a fixed part of our own, and
 * what the gateway says of the call. Starts nothing: that is command.h's.
 */
#ifndef CHAPI_CLIENTS_INVOCATION_H
#define CHAPI_CLIENTS_INVOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/common.h"

/* Where the params do not fit the arguments; fault says why, in one line. */
enum { INVOCATION_E_PARAMS = 1 };

/* Of a request, as texts; timeout_ms below 0: no limit. */
struct invocation_call {
	const char *id, *api, *caller, *origin, *socket;
	int64_t timeout_ms;
};

/* Does it have a {key} that is to be replaced? */
bool invocation_has_key(const char *argument);

/*
 * One allocation for the texts and the array of them, which ends with NULL: free() it.
 * params: MessagePack. allow_dash: values may begin with "-". 0, INVOCATION_E_PARAMS, -ENOMEM.
 */
int invocation_make_argv(char *const *arguments, struct span params, bool allow_dash,
			 char ***ret_argv, char *fault, size_t fault_len);

/* own: our own environment. As above; NULL: no memory. */
char **invocation_make_env(char *const *own, const struct invocation_call *call);

/* What invocation_make_argv() and invocation_make_env() gave. NULL is fine; returns NULL. */
char **invocation_free(char **texts);

#endif
