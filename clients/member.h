/* SPDX-License-Identifier: MIT */
/*
 * Who may use a gateway's socket: the members of its group.
 *
 * Reads the system's users and groups; setup_service.c changes them.
 */
#ifndef CHAPI_CLIENTS_MEMBER_H
#define CHAPI_CLIENTS_MEMBER_H

#include <stdbool.h>
#include <stddef.h>

/* By the system's files, whatever a session that began earlier has. */
bool member_of(const char *user, const char *group);

/*
 * What somebody does whom the socket at path does not let in, as one sentence, cut at size. False:
 * nothing is known of that, and ret is as it was.
 */
bool member_hint(const char *path, char *ret, size_t size);

#endif
