/* SPDX-License-Identifier: MIT */
/*
 * Replies inside the library: see chapi_reply in chapi-ipc.h.
 */
#ifndef CHAPI_REPLY_H
#define CHAPI_REPLY_H

#include "chapi-ipc.h"
#include "message.h"

/* Made here: static, so that losing the connection needs no memory. chapi_reply_free() takes
 * them, too. */
extern const chapi_reply reply_lost, reply_unsent, reply_late, reply_large;

/* full: the result is a record, with an error of its own. NULL: there is no memory. */
chapi_reply *reply_read(const struct message *message, bool full) MUST_CHECK;

#endif
