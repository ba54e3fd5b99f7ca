/* SPDX-License-Identifier: MIT */
/*
 * For CLEANUP(): a descriptor or a stream that is closed when its variable goes out of scope.
 */
#ifndef CHAPI_FD_H
#define CHAPI_FD_H

#include <stdio.h>
#include <unistd.h>

/* A negative one is none. */
static inline void fd_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* For what is read: what fclose() says is nothing to act on. */
static inline void file_close(FILE *const *file)
{
	if (*file)
		fclose(*file);
}

#endif
