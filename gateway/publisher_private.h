/* SPDX-License-Identifier: MIT */
/*
 * What the files of the publisher share.
 *
 *     publisher.c      events: what the outbox has to have done for it
 *     publisher_ask.c  questions to the hub's HTTP API
 *     publisher_log.c  what the log is told of events, and how often
 */
#ifndef CHAPI_PUBLISHER_PRIVATE_H
#define CHAPI_PUBLISHER_PRIVATE_H

#include <time.h>

#include "gateway/publisher.h"
#include "libchapi-ipc/list.h"

/* What is asked for, and what is signed: they differ with a prefix only. */
struct target {
	char *path, *signed_path;
};

struct publisher {
	const struct config *config;
	const struct sealed *sealed;
	struct ledger *ledger;
	struct http *http;
	struct signer *signer;
	struct outbox *outbox;
	struct event *timer;		/* of the outbox */
	struct list posts;
	struct list asks;
	char *origin;			/* "https://HOST:PORT" */
	struct target events, batch;
	char socket_id[65];

	/* What the log has been told. */
	char logged[200];		/* trouble that has not ended; "" */
	time_t logged_at;
	uint64_t n_unlogged, n_lost;
};

/* A method of the app in the hub's API: "events". False: no memory; deinit in either case. */
bool target_init(struct target *ret, const struct config *config, const char *method);
void target_deinit(struct target *target);
/* Signed, and with a NUL at its end. 0 or a negative errno. */
int publisher_put_target(struct publisher *publisher, const char *method,
			 const struct target *target, const char *query, struct span body,
			 struct buf *out) MUST_CHECK;

/* Messages that the hub counts. */
void publisher_count(struct publisher *publisher, uint64_t published, uint64_t delivered);
void publisher_free_asks(struct publisher *publisher);
void publisher_log_news(struct publisher *publisher, const struct outbox_status *before,
			const struct outbox_status *now);

#endif
