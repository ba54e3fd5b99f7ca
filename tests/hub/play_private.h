/* SPDX-License-Identifier: MIT */
/*
 * What the files of the play share.
 *
 *     play.c          what the app and its clients say
 *     play_socket.c   what is done to a message, and to a connection
 *     play_request.c  what is done to requests and their answers; what was published
 *     play_line.c     lines of a script, from a file or while the hub runs
 */
#ifndef CHAPI_HUB_PLAY_PRIVATE_H
#define CHAPI_HUB_PLAY_PRIVATE_H

#include <jansson.h>
#include <openssl/ssl.h>

#include "tests/hub/forms.h"
#include "tests/hub/play.h"
#include "tests/hub/script.h"

struct play {
	const struct list *sessions;
	struct script *script;
	SSL_CTX *tls;
	int64_t clock_shift_ms;
	bool remembers;
	json_t *published;		/* [channel, event, id], in the order they came */
};

/* The actions for what happens, which is counted. client: what it calls itself, or NULL. */
struct script_hits play_match(struct session *session, enum script_when when, const char *name,
			      const char *client);

/* To the client, in the form that hits want, now or later. */
void play_put_message(struct session *session, const struct script_hits *hits,
		      const struct forms_values *values, struct span text);
/* What hits want done to a connection. */
void play_act(struct session *session, const struct script_hits *hits,
	      const struct forms_values *values);
/* A ping has to come so often; 0: it need not. */
void play_need_ping(struct session *session, uint64_t within_ms);
/* From now on, if any is needed. */
void play_await_ping(struct session *session);
struct span play_socket_id(const struct session *session);	/* "": not known yet */

#endif
