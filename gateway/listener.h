/* SPDX-License-Identifier: MIT */
/*
 * The local socket: made, guarded, given up again; connections accepted.
 *
 * What a connection says is peer.h. How many there may be is told by whoever takes them.
 */
#ifndef CHAPI_LISTENER_H
#define CHAPI_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/common.h"

struct event_base;
struct listener;

struct listener_config {
	const char *path;
	mode_t mode;
	const char *group;	/* NULL: the process's own */
	bool make_dir;		/* a missing directory is made, for this user alone */
	/* A socket that listens already, of the service manager; -1: make one. */
	int passed;
};

struct listener_fault {
	char text[400];		/* one line: what is wrong and what helps */
};

enum { LISTENER_E_UNUSABLE = 1 };

/* Takes fd, a connection that does not block. */
typedef void (*listener_fn)(void *data, int fd);

/*
 * A socket that was passed is used as it is, and belongs to the listener from a success on. Else: a
 * socket that nobody serves any more is replaced; one that is served, and whatever is no socket,
 * is left alone. 0, -errno (our own trouble), or LISTENER_E_UNUSABLE and ret_fault.
 */
int listener_new(struct event_base *base, const struct listener_config *config, listener_fn fn,
		 void *data, struct listener **ret_listener,
		 struct listener_fault *ret_fault) MUST_CHECK;
/* Removes the socket if it is still the one that was made; one that was passed is left. */
struct listener *listener_free(struct listener *listener);

#endif
