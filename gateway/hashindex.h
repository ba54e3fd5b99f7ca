/* SPDX-License-Identifier: MIT */
/*
 * Numbers by hash: where in a table of the owner's something may be.
 *
 * Open addressing, with the hashes themselves side by side: looking for one touches a line of the
 * cache here, and of the owner's entries the one that is meant, whatever else is near it. Of one
 * hash there may be several numbers; the owner looks which is meant.
 *
 * Hashes depend on a secret, or whoever chooses what is hashed can make this slow.
 */
#ifndef CHAPI_HASHINDEX_H
#define CHAPI_HASHINDEX_H

#include <stdbool.h>

#include "common/common.h"
#include "gateway/lines.h"

struct hash_index {
	uint64_t *slots;	/* the hash above, the number + 1 below; 0: free */
	size_t n_slots;		/* a power of two, and one of them is free at least */
	size_t n_used;
};

/* 0 or -ENOMEM: there is nothing to be freed then. */
int hash_index_init(struct hash_index *index) MUST_CHECK;
void hash_index_deinit(struct hash_index *index);

int hash_index_grow(struct hash_index *index) MUST_CHECK;
/* It is there. */
void hash_index_del(struct hash_index *index, uint32_t hash, uint32_t number);
/* Gives memory back, if it is empty. */
void hash_index_trim(struct hash_index *index);

/* Room for one more, so that the next hash_index_add() finds it. 0 or -ENOMEM: all is as before. */
static inline int MUST_CHECK hash_index_reserve(struct hash_index *index)
{
	return index->n_used < index->n_slots / 2 ? 0 : hash_index_grow(index);
}

static inline void hash_index_put(struct hash_index *index, uint64_t slot)
{
	size_t mask = index->n_slots - 1, at = slot >> 32 & mask;

	while (index->slots[at] != 0)
		at = (at + 1) & mask;
	index->slots[at] = slot;
}

/* number: below UINT32_MAX. */
static inline void hash_index_add(struct hash_index *index, uint32_t hash, uint32_t number)
{
	hash_index_put(index, (uint64_t)hash << 32 | (number + 1));
	index->n_used++;
}

/* The numbers of a hash, one at a time; *step begins with 0. false: no more. */
static inline bool hash_index_next(const struct hash_index *index, uint32_t hash, size_t *step,
				   uint32_t *ret_number)
{
	size_t mask = index->n_slots - 1;
	uint64_t slot;

	while ((slot = index->slots[(hash + *step) & mask]) != 0) {
		(*step)++;
		if (slot >> 32 == hash) {
			*ret_number = (uint32_t)slot - 1;
			return true;
		}
	}
	return false;
}

/* It will be asked for this hash soon. */
static inline void hash_index_expect(const struct hash_index *index, uint32_t hash)
{
	expect_lines(&index->slots[hash & (index->n_slots - 1)], 1);
}

#endif
