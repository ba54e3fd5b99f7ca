/* SPDX-License-Identifier: MIT */
/*
 * A router that is played for the hub side (remote.h): it keeps what it is handed and answers when
 * the test says so.
 *
 * played_router.c defines those functions of router.h that the hub side calls, so that router.c is
 * not linked. It has all names but "elsewhere"; "idempotent" may run twice.
 */
#ifndef CHAPI_TEST_PLAYED_ROUTER_H
#define CHAPI_TEST_PLAYED_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/router.h"

enum { CALLS_MAX = 8 };		/* what is kept; older ones are overwritten */

/* A call as it was handed over; texts are copies, cut to what there is room for. */
struct handed {
	uint64_t token;
	char api[100], call[100], caller[100];
	uint8_t params[100];
	size_t params_len;		/* of all of them */
	double request_time;
	int64_t timeout_ms;
	bool progress;
};

struct router {
	struct party *party;		/* the hub side; NULL: it is not there, or has left */
	const struct party_response *answer_at_once;	/* NULL: later */
	struct handed calls[CALLS_MAX];
	size_t n_calls;			/* so far */
	uint64_t cancelled;		/* token; 0: nothing was */
};

/* The last call that it was handed; there is one. */
const struct handed *played_last(const struct router *router);

#endif
