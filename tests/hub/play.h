/* SPDX-License-Identifier: MIT */
/*
 * Plays a script: stands between the app and the sides of the sessions, and does what the rules
 * want done.
 *
 * Which rules act is script.h, odd forms of messages are forms.h, where lines come from while
 * the hub runs is control.h. Without rules all passes unchanged.
 */
#ifndef CHAPI_HUB_PLAY_H
#define CHAPI_HUB_PLAY_H

#include "tests/hub/session.h"

#define PLAY_LINE_MAX (64 * 1024)	/* bytes of a line */
#define PLAY_PUBLISHED_MAX 20000	/* events that are remembered */

/* The app's way out; owners are sessions. */
extern const struct app_ops play_ops;

/* sessions: of the server, borrowed. */
int play_new(const struct list *sessions, struct play **ret) MUST_CHECK;
struct play *play_free(struct play *play);
/* The SSL_CTX that certificates are put into; borrowed. */
void play_set_tls(struct play *play, void *ssl_ctx);
/* From now on what is published is remembered, for "published". */
void play_remember(struct play *play);
int64_t play_clock_shift_s(const struct play *play);

/* One line; the answer, a line of JSON, is appended. */
void play_line(struct play *play, const char *line, struct buf *answer);

struct play_fault {
	unsigned int line;
	const char *why;	/* static */
};

enum { PLAY_E_BAD = 1 };

/* A file of rules. 0, PLAY_E_BAD and ret_fault, or -errno. */
int play_file(struct play *play, const char *path, struct play_fault *ret_fault) MUST_CHECK;

/* A WebSocket is open, the app does not know of it yet. */
void play_accept(struct session *session);
/* A message, on its way into the app. */
void play_receive(struct session *session, struct span text);
/* A request, before it is looked at; true: it has its answer, or gets none. */
bool play_request(struct session *session, struct http_answer *answer) MUST_CHECK;
/* A request that has its answer. */
void play_answer(struct session *session, struct http_answer *answer);
/* The session ends: what was to come later does not. */
void play_forget(struct session *session);

#endif
