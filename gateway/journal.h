/* SPDX-License-Identifier: MIT */
/*
 * Messages with fields for systemd's journal: its native protocol, spoken directly. What is
 * written into the log, and when, is log.h's.
 */
#ifndef CHAPI_JOURNAL_H
#define CHAPI_JOURNAL_H

#include "common/common.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct journal_field {
	const char *name;	/* capital letters, digits, "_" */
	const char *value;	/* one line */
};

/* Waits for nobody. 0; -EMSGSIZE: more than fits; or -errno: there is no journal, or it is busy. */
int journal_send(const char *path, const struct journal_field *fields, size_t n) MUST_CHECK;

#endif
