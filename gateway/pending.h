/* SPDX-License-Identifier: MIT */
/*
 * A request other than a call that is answered later. Private to pending.c, which keeps and ends
 * it, and to those who know what it waits for: waits.c and edge_requests.c.
 */
#ifndef CHAPI_PENDING_H
#define CHAPI_PENDING_H

#include "gateway/router_private.h"

/* One of the names that are waited for. */
struct awaited {
	struct list link;		/* router->awaited */
	struct pending *pending;
	size_t len;
	char name[API_NAME_MAX];
};

struct pending {
	struct list link;		/* party->pendings */
	struct list target;		/* drains of a name or holder; router->publishes */
	struct router *router;
	struct party *party;
	uint64_t token;
	uint64_t id;			/* at the edge: of an event, of a question to the hub */
	bool is_event;
	struct timer deadline;
	int64_t timeout_ms;		/* 0: none */
	const char *late;		/* what is said when it has passed; static */
	size_t pinned;			/* bytes charged to the party */
	struct api *api;		/* a reference: of a drain */
	uint32_t n_names, n_missing;
	struct awaited names[];
};

/* With room for that many names, and charged; its party owns it. NULL: the failure is set. */
struct pending *pending_new(struct request *q, uint32_t n_names) MUST_CHECK;
/* Without an answer: the request was not begun, or its party has left. */
void pending_free(struct pending *p);
/* late: static; what is said when timeout_ms have passed, behind "within N ms". 0: never. */
void pending_start_timer(struct pending *p, const struct request *q, int64_t timeout_ms,
			 const char *late);

/* Answers it and frees it. failure NULL: the answer is result (one MessagePack value), or nil. */
void pending_finish(struct pending *p, const struct failure *failure, const struct now *now);
void pending_finish_with(struct pending *p, const struct failure *failure, struct span result,
			 const struct now *now);

#endif
