/* SPDX-License-Identifier: MIT */
/*
 * A hash table of links that live inside its members; several may have the same hash.
 *
 * Adding never fails: without memory to grow, chains get longer. It owns nothing but its
 * buckets, and must not be moved (it may point into itself). The gateway's tables are
 * others, seeded against hostile keys; here keys are the program's own.
 */
#ifndef CHAPI_TABLE_H
#define CHAPI_TABLE_H

#include "common/common.h"

#define TABLE_SMALL 8	/* buckets that need no memory of their own */

struct table_link {
	struct table_link *next;
	uint32_t hash;
};

struct table {
	struct table_link **buckets;
	size_t n_buckets;	/* a power of two */
	size_t n;
	struct table_link *small[TABLE_SMALL];
};

void table_init(struct table *table);
void table_deinit(struct table *table);		/* members are not touched */

void table_add(struct table *table, struct table_link *link, uint32_t hash);
void table_del(struct table *table, struct table_link *link);	/* it must be in */

/* The members of a hash: the first, and the next after one; NULL: no more. */
struct table_link *table_first(const struct table *table, uint32_t hash);
struct table_link *table_next(const struct table_link *link);

uint32_t table_hash(struct span name);

#endif
