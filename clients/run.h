/* SPDX-License-Identifier: MIT */
/*
 * How the command behind chapi-serve went, as told in the result of a call that asked for it as
 * it is, or in the details of an error: {status, signal, stdout, stderr}. Read only; what is
 * told is made by answer.h.
 */
#ifndef CHAPI_CLIENTS_RUN_H
#define CHAPI_CLIENTS_RUN_H

#include <stdbool.h>
#include <stdio.h>

#include "libchapi-ipc/chapi-ipc-msgpack.h"

/* Borrowed from the value. */
struct run {
	int status;		/* as a shell has it: 128 and the signal that ended it */
	const msgpack_object *out, *err;	/* texts, or bytes; NULL: not told */
};

/*
 * Of a call that succeeded: false if it is a value like any other, with other keys than these.
 * Of one that failed: false if no command failed by itself (with a code, chapi-serve ended it).
 */
bool run_read_result(const msgpack_object *value, struct run *ret_run);
bool run_read_details(const msgpack_object *value, struct run *ret_run);
/* Byte for byte; NULL is fine. Whether all went well is seen by ferror(). */
void run_write(const msgpack_object *output, FILE *to);

#endif
