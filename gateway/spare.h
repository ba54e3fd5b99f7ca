/* SPDX-License-Identifier: MIT */
/*
 * A connection that is made ahead of the request that takes it.
 *
 * Where a server closes each connection after its answer, the way there and back that a new one
 * takes is over by the time that there is something to send. When that is worth its while is known
 * elsewhere: connections.c.
 */
#ifndef CHAPI_SPARE_H
#define CHAPI_SPARE_H

#include <stdbool.h>
#include <sys/socket.h>

#include "common/common.h"

struct spare {
	int fd;				/* -1: none */
	struct sockaddr_storage address;
	socklen_t address_len;		/* 0: the address is not known */
};

void spare_init(struct spare *spare);
/* Closes it; where it would lead is forgotten too. */
void spare_deinit(struct spare *spare);
static inline bool spare_is_open(const struct spare *spare)
{
	return spare->fd >= 0;
}

/* Closes it, if there is one. */
void spare_close(struct spare *spare);
/* It leads where that connection does, which is about to be closed; if it ever stood. */
void spare_follow(struct spare *spare, int fd);
/* Begins to connect, without waiting. False: the address is not known, or it cannot be. */
bool spare_open(struct spare *spare) MUST_CHECK;
/*
 * The connection, the caller's then, if it leads there, stands, and nothing has come on it:
 * else -1. What does not stand yet stays; what is of no use any more is closed.
 */
int spare_take(struct spare *spare, const struct sockaddr *address, socklen_t len) MUST_CHECK;

#endif
