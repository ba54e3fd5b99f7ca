/* SPDX-License-Identifier: MIT */
/*
 * What the run of a command means for the caller: a result, or an error with its details.
 */
#ifndef CHAPI_CLIENTS_ANSWER_H
#define CHAPI_CLIENTS_ANSWER_H

#include "clients/command.h"
#include "libchapi-ipc/chapi-ipc.h"

/* All of them answer the request, which is gone then. */
void answer_end(chapi_request *request, const struct command_end *end);
/* error: an errno; a shortage, which may pass, is busy. */
void answer_not_started(chapi_request *request, const char *command, int error);
void answer_busy(chapi_request *request, const char *why);

#endif
