/* SPDX-License-Identifier: MIT */
/*
 * The gateway's own functions, named chapi.*: chapi-ipc(7), "FUNCTIONS OF THE GATEWAY".
 */
#ifndef CHAPI_BUILTIN_H
#define CHAPI_BUILTIN_H

#include "gateway/router_private.h"

struct builtin {
	const char *name;
	const char *summary;
	enum api_visibility visibility;
	enum outcome (*run)(struct request *q, struct span params);
};

/* Is it one of the names that the gateway keeps for itself? */
bool builtin_is_reserved(struct span name);
/* NULL: there is none that a party of that origin may see. */
const struct builtin *builtin_find(struct span name, enum party_origin origin);
/* All of them, sorted by name. */
const struct builtin *builtin_all(size_t *ret_n);

#endif
