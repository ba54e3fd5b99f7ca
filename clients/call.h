/* SPDX-License-Identifier: MIT */
/*
 * One call of a served name: a request, and the command or the HTTP request for it.
 *
 * What a command is given is invocation.h's and its run command.h's, an HTTP request is
 * http_request.h's and http_exchange.h's, the answer answer.h's; here they are put together. The
 * loop and the list of calls are serve.h's.
 */
#ifndef CHAPI_CLIENTS_CALL_H
#define CHAPI_CLIENTS_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <poll.h>

#include "clients/command.h"
#include "clients/http_exchange.h"
#include "clients/services.h"
#include "libchapi-ipc/chapi-ipc.h"

#define CALL_FDS COMMAND_FDS
#define CALL_NEVER COMMAND_NEVER

struct call {
	struct call *next;		/* for its owner */
	chapi_request *request;
	const struct service *service;
	struct command *command;	/* this or the next one; neither: it has been given up */
	struct http_exchange *exchange;
	bool own_limit;
};

/* NULL: it could not begin, and has been answered. http: may be NULL for commands. */
struct call *call_begin(struct http_client *http, const struct service *service,
			chapi_request *request);
/* Asks for the end; again: at once. */
void call_cancel(struct call *call);
/* Answers it if it is over; then it can only be freed. */
bool call_step(struct call *call, int64_t now_ms);
/* One that has not been answered is dropped. NULL is fine; returns NULL. */
struct call *call_free(struct call *call);

/* What to watch: returns how many. And when to step at the latest, whatever happens. */
nfds_t call_watch(const struct call *call, struct pollfd ret_fds[CALL_FDS]);
int64_t call_due_ms(const struct call *call);

/* CLOCK_MONOTONIC. */
int64_t call_clock_ms(void);

#endif
