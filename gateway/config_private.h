/* SPDX-License-Identifier: MIT */
/*
 * What the files that load the configuration share.
 *
 *     config.c          the order of it: defaults, files, options, what follows; faults
 *     config_files.c    which files, and what is read from them
 *     config_derive.c   values that nobody has set and that follow from others
 *     config_check.c    what keys have to do with each other
 *     config_secrets.c  the files of the secret and of the master key
 *
 * A later source wins, so each key remembers where it was set last: a fault that shows only when
 * all is read (two keys that exclude each other, a secret that cannot be read) still names file
 * and line.
 */
#ifndef CHAPI_CONFIG_PRIVATE_H
#define CHAPI_CONFIG_PRIVATE_H

#include "common/inifile.h"
#include "gateway/config.h"

#define CONFIG_FILES_MAX 256
#define CONFIG_KEYS_MAX 128

enum { STATUS_USAGE = 64, STATUS_NO_INPUT = 66, STATUS_INTERNAL = 70, STATUS_CONFIG = 78 };

struct loader {
	struct config *config;
	const struct config_options *options;
	struct config_fault *fault;
	char *files[CONFIG_FILES_MAX];	/* names of those read, for places */
	size_t n_files;
	size_t n_file_rules;		/* of the file at hand */
	struct inifile_place pusher;	/* where the section begins */
	struct inifile_place places[CONFIG_KEYS_MAX];	/* by the key's row */
};

/* Each returns -1, having put words and status. */
int loader_fail(struct loader *l, int status, const char *fmt, ...) PRINTF(3, 4) MUST_CHECK;
/* "FILE:LINE: " of a place, or as much as is known. */
int loader_fail_at(struct loader *l, const struct inifile_place *place, const char *fmt, ...)
	PRINTF(3, 4) MUST_CHECK;
int loader_no_memory(struct loader *l) MUST_CHECK;

/* Where the key was set last. */
const struct inifile_place *loader_place(const struct loader *l, const char *section,
					 const char *name);

/* The steps. 0, or -1 with words and status put, as above. */
int loader_read_files(struct loader *l) MUST_CHECK;
int loader_derive_name(struct loader *l) MUST_CHECK;
int loader_derive_channel(struct loader *l) MUST_CHECK;	/* after the name */
int loader_derive_group(struct loader *l) MUST_CHECK;
int loader_check_together(struct loader *l) MUST_CHECK;

/* Likewise, where there is a [pusher]. */
int loader_check_pusher(struct loader *l) MUST_CHECK;
int loader_derive_hosts(struct loader *l) MUST_CHECK;
int loader_read_secret(struct loader *l) MUST_CHECK;
int loader_read_master_key(struct loader *l) MUST_CHECK;
int loader_check_encrypted(struct loader *l) MUST_CHECK;	/* after the master key */

/* What is allowed but doubtful is logged. */
void loader_warn_doubtful(const struct loader *l);

#endif
