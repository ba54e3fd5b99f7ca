/* SPDX-License-Identifier: MIT */
/*
 * Values between MessagePack and JSON, both ways in one pass: how a conversion begins and ends.
 *
 * The ways are value_from_json.c and value_to_json.c; value_keys.c finds keys that stand there
 * twice, value_fault.c says where something is wrong.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "libchapi-ipc/value_private.h"

void conv_init(struct conv *c, struct span in, unsigned int depth_limit, struct buf *out,
	       struct value_fault *fault)
{
	c->p = c->begin = in.p ? in.p : (const uint8_t *)"";
	c->end = c->p + in.len;
	c->out = out;
	c->start = out->len;
	c->max = out->max ? out->max : SIZE_MAX;
	c->depth = 0;
	c->depth_limit = MIN(depth_limit, MP_MESSAGE_DEPTH_MAX);
	c->keys = c->few_keys;
	c->n_keys = 0;
	c->cap_keys = ARRAY_SIZE(c->few_keys);
	c->in_key = false;
	c->from_json = false;
	c->pretty = false;
	buf_init(&c->scratch, 0);
	c->fault = fault;
	fault->text[0] = '\0';
	/* Room is reserved for the longest form, which may be above the ceiling where the
	 * form that is written is not: conv_check() looks at what was written. */
	out->max = 0;
}

int conv_deinit(struct conv *c, int e)
{
	struct buf *out = c->out;

	if (c->keys != c->few_keys)
		free(c->keys);
	buf_deinit(&c->scratch);
	out->max = c->max == SIZE_MAX ? 0 : c->max;
	if (e == 0)
		return 0;
	buf_truncate(out, c->start);
	if (e < 0) {
		out->error = e;
		snprintf(c->fault->text, sizeof(c->fault->text), "%s",
			 e == -ENOMEM ? "out of memory" : "larger than there is room for");
	}
	return e;
}
