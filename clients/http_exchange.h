/* SPDX-License-Identifier: MIT */
/*
 * HTTP requests on their way, by libcurl: sent, answered, given up. No threads of ours.
 *
 * The owner's loop waits with http_client_poll() instead of poll(2), calls http_client_step()
 * when it wakes up, and looks which exchanges are over. What is sent is http_request.h's.
 */
#ifndef CHAPI_CLIENTS_HTTP_EXCHANGE_H
#define CHAPI_CLIENTS_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>

#include "clients/http_request.h"
#include "libchapi-ipc/chapi-ipc.h"

struct http_client;
struct http_exchange;

/* Negative errno. */
int http_client_new(struct http_client **ret_client);
/* All its exchanges have been freed. NULL is fine; returns NULL. */
struct http_client *http_client_free(struct http_client *client);
/* As poll(2), but negative errno; wakes up for the exchanges too. */
int http_client_poll(struct http_client *client, struct pollfd *fds, nfds_t n, int timeout_ms);
void http_client_step(struct http_client *client);

struct http_limits {
	size_t body_max;
	int64_t timeout_ms;	/* 0: none */
	bool own_limit;		/* timeout_ms is ours, not the caller's */
};

/* Takes the request, always. Negative errno. */
int http_exchange_start(struct http_client *client, struct http_request *request,
			const struct http_limits *limits, struct http_exchange **ret_exchange);
bool http_exchange_is_over(const struct http_exchange *exchange);
/* Of one that is over: answers the call, which is gone then. */
void http_exchange_answer(const struct http_exchange *exchange, chapi_request *request);
/* Gives up what is on its way. NULL is fine; returns NULL. */
struct http_exchange *http_exchange_free(struct http_exchange *exchange);

#endif
