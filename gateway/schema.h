/* SPDX-License-Identifier: MIT */
/*
 * Descriptions of values, a subset of JSON Schema, and values held against them.
 *
 * Keywords: type (one name or an array of them: null, boolean, integer, number, string,
 * binary, array, object), properties, required, items, enum, minimum, maximum, minLength,
 * maxLength (characters; of binary: bytes), default, title, description. chapi-ipc(7),
 * "Descriptions of values". Both are MessagePack as it came: nothing is compiled or kept.
 */
#ifndef CHAPI_SCHEMA_H
#define CHAPI_SCHEMA_H

#include "common/common.h"

#define SCHEMA_LEN_MAX (64 * 1024)	/* bytes of a description */

enum { SCHEMA_E_INVALID = 1 };

/* Which value, and why: "params.list[3] is a string; it must be an integer". Quotes no value. */
struct schema_fault {
	char text[300];		/* one line, printable UTF-8, cut */
};

/*
 * Is it a description? what: how the fault calls it ("params"). Unknown keywords are refused,
 * and what has no form in JSON. 0, SCHEMA_E_INVALID or -ENOMEM.
 */
int schema_check(struct span schema, const char *what, struct schema_fault *ret_fault) MUST_CHECK;

/*
 * Does the value fit a description that schema_check() has passed? 1.0 is an integer, properties
 * that are not described pass, defaults are not filled in. A described key twice, invalid
 * UTF-8 and NaN fit nothing; what is not described is not looked at. A value that would take
 * too much work is refused, too. what: as above. *work grows by the steps that it took (some 10 ns
 * each). 0 or SCHEMA_E_INVALID.
 */
int schema_match(struct span schema, struct span value, const char *what, uint64_t *work,
		 struct schema_fault *ret_fault) MUST_CHECK;

#endif
