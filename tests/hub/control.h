/* SPDX-License-Identifier: MIT */
/*
 * The control socket: a Unix socket that takes lines of a script while the hub runs, and answers
 * each with a line of JSON.
 *
 * Runs on libwebsockets' loop. What the lines mean is play.h. The socket is for its owner only.
 */
#ifndef CHAPI_HUB_CONTROL_H
#define CHAPI_HUB_CONTROL_H

#include <libwebsockets.h>

#include "common/common.h"

struct control;
struct play;

int control_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		     size_t len);
#define CONTROL_NAME "control"
#define CONTROL_PROTOCOL { .name = CONTROL_NAME, .callback = control_callback }

/* 0 or -errno; -EADDRINUSE: somebody listens there. A socket that nobody listens at is
 * replaced. path is borrowed. */
int control_new(struct lws_vhost *vhost, struct play *play, const char *path,
		struct control **ret) MUST_CHECK;
/* After the loop's end; removes the socket. */
struct control *control_free(struct control *control);

#endif
