/* SPDX-License-Identifier: MIT */
/*
 * A hash table of links that live inside its members; several may have the same hash.
 *
 * Adding never fails: without memory to grow, chains get longer. It owns nothing but its
 * buckets, and must not be moved (it may point into itself). The gateway's tables are
 * others, seeded against hostile keys; here keys are the program's own.
 */
#ifndef CHAPI_HASHTABLE_H
#define CHAPI_HASHTABLE_H

#include "common/common.h"

#define HASHTABLE_SMALL 8	/* buckets that need no memory of their own */

struct hashtable_link {
	struct hashtable_link *next;
	uint32_t hash;
};

struct hashtable {
	struct hashtable_link **buckets;
	size_t n_buckets;	/* a power of two */
	size_t n;
	struct hashtable_link *small[HASHTABLE_SMALL];
};

void hashtable_init(struct hashtable *table);
void hashtable_deinit(struct hashtable *table);		/* members are not touched */

void hashtable_add(struct hashtable *table, struct hashtable_link *link, uint32_t hash);
void hashtable_del(struct hashtable *table, struct hashtable_link *link);	/* it must be in */

/* The members of a hash: the first, and the next after one; NULL: no more. */
struct hashtable_link *hashtable_first(const struct hashtable *table, uint32_t hash);
struct hashtable_link *hashtable_next(const struct hashtable_link *link);

uint32_t hashtable_hash(struct span name);

#endif
