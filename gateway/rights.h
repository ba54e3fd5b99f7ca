/* SPDX-License-Identifier: MIT */
/*
 * The rules of [policy] as policy.h wants them: users and groups looked up by name.
 */
#ifndef CHAPI_RIGHTS_H
#define CHAPI_RIGHTS_H

#include <stdio.h>

#include "gateway/config.h"
#include "gateway/policy.h"

/*
 * A rule about a user or group that this machine does not know never matches, and is logged. 0 or
 * -ENOMEM.
 */
int rights_make(const struct config *config, struct policy **ret_policy) MUST_CHECK;

/* The effective rights, for people: what --check-config prints. */
void rights_print(const struct config *config, FILE *out);

#endif
