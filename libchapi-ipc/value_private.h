/* SPDX-License-Identifier: MIT */
/*
 * What the files behind value.h share: a conversion that is under way. Nobody else includes this.
 *
 * What is open is a stack of at most MP_MESSAGE_DEPTH_MAX levels; there is no tree and no
 * recursion. The only memory besides the output is a note of 8 bytes for each key of the maps
 * that are open, to find two that are equal, and as much again while a large map is checked.
 */
#ifndef CHAPI_VALUE_PRIVATE_H
#define CHAPI_VALUE_PRIVATE_H

#include <errno.h>
#include <stdbool.h>

#include "libchapi-ipc/mp.h"
#include "libchapi-ipc/value.h"

/* Larger ones are refused, so that counts and lengths fit in 32 bits. */
#define CONV_INPUT_MAX (UINT32_MAX / 8)

/* A key in the output: decoded in MessagePack, escaped in JSON. Counted from conv.start. */
struct conv_key {
	uint32_t off, len;
};

struct conv_level {
	bool map;
	uint32_t n;		/* values (of a map: pairs) that are complete */
	uint32_t left;		/* to JSON: that are still to begin */
	size_t start;		/* from JSON: where its head stands in the output */
	size_t first_key;	/* in conv.keys */
};

struct conv {
	const uint8_t *p, *end, *begin;
	struct buf *out;
	size_t start;		/* length of out before */
	size_t max;		/* its ceiling, SIZE_MAX if none */
	unsigned int depth, depth_limit;
	struct conv_level levels[MP_MESSAGE_DEPTH_MAX + 1];	/* [1] is the outermost container */
	struct conv_key *keys;
	size_t n_keys, cap_keys;
	struct conv_key few_keys[32];
	bool in_key;		/* what is being read is a key: it has no place yet */
	bool from_json;
	bool pretty;
	struct buf scratch;
	struct value_fault *fault;
};

/* ---- value.c ---- */

void conv_init(struct conv *c, struct span in, unsigned int depth_limit, struct buf *out,
	       struct value_fault *fault);
/* Undoes what has to be undone; e: the outcome so far. Returns it. */
int conv_deinit(struct conv *c, int e);

/* ---- output ---- */

/* Is anything wrong with it: no memory, or larger than it may be? 0 or -errno. */
static inline int MUST_CHECK conv_check(const struct conv *c)
{
	if (c->out->error)
		return c->out->error;
	return c->out->len > c->max ? -ENOBUFS : 0;
}

/* Room for n more bytes. */
static inline uint8_t *conv_room(struct conv *c, size_t n)
{
	struct buf *b = c->out;
	size_t used = b->off + b->len;

	if (b->error == 0 && b->cap - used >= n && b->p)
		return b->p + used;
	return buf_reserve(b, n);
}

static inline void conv_commit(struct conv *c, const uint8_t *w)
{
	c->out->len = (size_t)(w - c->out->p) - c->out->off;
}

static inline void conv_put_text(struct conv *c, const char *text, size_t len)
{
	uint8_t *w = conv_room(c, len);

	if (!w)
		return;
	memcpy(w, text, len);
	conv_commit(c, w + len);
}

static inline void conv_put_byte(struct conv *c, uint8_t byte)
{
	uint8_t *w = conv_room(c, 1);

	if (!w)
		return;
	*w = byte;
	conv_commit(c, w + 1);
}

static inline const uint8_t *conv_output(const struct conv *c)
{
	return buf_data(c->out) + c->start;
}

/* ---- value_fault.c ---- */

/* Says where and why, and is the outcome: VALUE_E_SYNTAX, resp. VALUE_E_INEXPRESSIBLE. */
int conv_bad_syntax(struct conv *c, const char *why);
int conv_inexpressible(struct conv *c, const char *why);

/* One more container is open. */
static inline int MUST_CHECK conv_push(struct conv *c, bool map)
{
	if (c->depth == c->depth_limit)
		return conv_inexpressible(c, "more containers in containers than allowed");
	c->levels[++c->depth] = (struct conv_level){
		.map = map, .start = c->out->len, .first_key = c->n_keys,
	};
	return 0;
}

/* ---- value_keys.c ---- */

/* A key of len bytes that stands in the output at off. 0 or -errno. */
int conv_key_add(struct conv *c, size_t off, size_t len) MUST_CHECK;
/* The innermost map is complete: forgets its keys, or names one that it has twice. */
int conv_keys_close(struct conv *c) MUST_CHECK;

#endif
