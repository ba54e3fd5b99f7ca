/* SPDX-License-Identifier: MIT */
/*
 * Values between MessagePack and JSON: the one place where they are converted.
 *
 * One pass, no tree, memory in proportion to the text. The table is in chapi-ipc(7),
 * "Values": bin is {"$bin":"<base64>"}, the timestamp extension {"$time":"<RFC 3339>"}, a real
 * key that begins with '$' gets one more in JSON, integers keep all 64 bits, floats their
 * shortest form. What cannot be expressed is refused with the place.
 */
#ifndef CHAPI_VALUE_H
#define CHAPI_VALUE_H

#include "buf.h"
#include "common/common.h"

enum {
	VALUE_E_SYNTAX = 1,	/* not JSON, resp. not MessagePack */
	VALUE_E_INEXPRESSIBLE,	/* fine by itself, but it has no form on the other side */
};

/* Where and why: "at .params.list[3]: NaN has no form in JSON". */
struct value_fault {
	char text[160];		/* one line, valid UTF-8, escaped and cut */
};

/*
 * text: one JSON value, blanks around it allowed. The MessagePack is appended to out. Returns 0,
 * a VALUE_E_*, or -ENOMEM/-ENOBUFS (then out->error is set); what was appended before a
 * failure is taken back. depth_limit: containers in containers, MP_VALUE_DEPTH_MAX for a value.
 */
int value_from_json(struct span text, unsigned int depth_limit, struct buf *out,
		    struct value_fault *ret_fault) MUST_CHECK;

/* The other way; bytes: exactly one MessagePack value. Compact: no blanks. */
int value_to_json(struct span bytes, unsigned int depth_limit, struct buf *out,
		  struct value_fault *ret_fault) MUST_CHECK;

/* The same for people: two blanks a level, a blank after colons. */
int value_to_json_pretty(struct span bytes, unsigned int depth_limit, struct buf *out,
			 struct value_fault *ret_fault) MUST_CHECK;

#endif
