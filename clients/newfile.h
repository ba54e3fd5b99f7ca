/* SPDX-License-Identifier: MIT */
/*
 * A file that is written whole or not at all: under another name beside it, then renamed.
 *
 * Who reads it sees the old content or the new one. What is no ordinary file (a device, a pipe)
 * is written to as it is; a link stays, and what it leads to is replaced.
 */
#ifndef CHAPI_CLIENTS_NEWFILE_H
#define CHAPI_CLIENTS_NEWFILE_H

#include <stdio.h>
#include <sys/types.h>

struct newfile {
	FILE *f;		/* to write to */
	const char *path;	/* borrowed */
	char *target;		/* path without links; NULL: there is nothing yet */
	char *temp;		/* NULL: written to as it is */
};

#define NEWFILE_NULL { NULL, NULL, NULL, NULL }

/* mode: of a file that is new, before the umask. Negative errno. */
int newfile_open(const char *path, mode_t mode, struct newfile *ret_file);
/* All is written: it takes its place. Negative errno: nothing has changed. */
int newfile_commit(struct newfile *file);
/* For CLEANUP: after newfile_commit() nothing is left to do. */
void newfile_deinit(struct newfile *file);

#endif
