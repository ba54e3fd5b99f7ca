/* SPDX-License-Identifier: MIT */
/*
 * Numbers by hash: see hashindex.h.
 *
 * Linear probing, at most half full. What is taken out leaves no mark: those behind it that would
 * not be found any more move up.
 */
#include "gateway/hashindex.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define SLOTS_LEAST 256

int hash_index_init(struct hash_index *index)
{
	*index = (struct hash_index){ .n_slots = SLOTS_LEAST };
	index->slots = calloc(index->n_slots, sizeof(*index->slots));
	return index->slots ? 0 : -ENOMEM;
}

void hash_index_deinit(struct hash_index *index)
{
	free(index->slots);
	index->slots = NULL;
}

static int resize(struct hash_index *index, size_t n_slots)
{
	uint64_t *old = index->slots, *slots = calloc(n_slots, sizeof(*slots));
	size_t n_old = index->n_slots;

	if (!slots)
		return -ENOMEM;
	index->slots = slots;
	index->n_slots = n_slots;
	for (size_t i = 0; i < n_old; i++)
		if (old[i] != 0)
			hash_index_put(index, old[i]);
	free(old);
	return 0;
}

/* Without memory it becomes fuller than it should, which is slower, not wrong. */
int hash_index_grow(struct hash_index *index)
{
	if (resize(index, 2 * index->n_slots) == 0)
		return 0;
	return index->n_used + 1 < index->n_slots ? 0 : -ENOMEM;
}

/* The place is free: what lies behind it and begins at it, or before, moves there. */
static void close_gap(struct hash_index *index, size_t gap)
{
	size_t mask = index->n_slots - 1;
	uint64_t slot;

	for (size_t at = (gap + 1) & mask; (slot = index->slots[at]) != 0; at = (at + 1) & mask) {
		size_t moved = (at - (slot >> 32)) & mask;	/* from where it begins */

		if (moved < ((at - gap) & mask))
			continue;
		index->slots[gap] = slot;
		index->slots[at] = 0;
		gap = at;
	}
}

void hash_index_del(struct hash_index *index, uint32_t hash, uint32_t number)
{
	uint64_t slot = (uint64_t)hash << 32 | (number + 1);
	size_t mask = index->n_slots - 1, at = hash & mask;

	while (index->slots[at] != slot) {
		assert(index->slots[at] != 0);
		at = (at + 1) & mask;
	}
	index->slots[at] = 0;
	index->n_used--;
	close_gap(index, at);
}

void hash_index_trim(struct hash_index *index)
{
	/* Without memory for the smaller one it keeps what it has. */
	if (index->n_used == 0 && index->n_slots > SLOTS_LEAST)
		resize(index, SLOTS_LEAST);
}
