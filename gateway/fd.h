/* SPDX-License-Identifier: MIT */
/*
 * For CLEANUP(): a descriptor that is closed when its variable goes out of scope.
 */
#ifndef CHAPI_FD_H
#define CHAPI_FD_H

#include <unistd.h>

/* A negative one is none. */
static inline void fd_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#endif
