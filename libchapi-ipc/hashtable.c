/* SPDX-License-Identifier: MIT */
/*
 * Chained hash table, see hashtable.h.
 */
#include "libchapi-ipc/hashtable.h"

#include <stdlib.h>

void hashtable_init(struct hashtable *table)
{
	*table = (struct hashtable){ .n_buckets = HASHTABLE_SMALL };
	table->buckets = table->small;
}

void hashtable_deinit(struct hashtable *table)
{
	if (table->buckets != table->small)
		free(table->buckets);
	hashtable_init(table);
}

static struct hashtable_link **hashtable_bucket(const struct hashtable *table, uint32_t hash)
{
	return &table->buckets[hash & (table->n_buckets - 1)];
}

static void hashtable_grow(struct hashtable *table)
{
	struct hashtable old = *table;
	size_t n_buckets = table->n_buckets * 4;
	struct hashtable_link **buckets = calloc(n_buckets, sizeof(struct hashtable_link *));
	struct hashtable_link *link, *next, **bucket;

	if (!buckets)
		return;
	table->n_buckets = n_buckets;
	table->buckets = buckets;
	for (size_t i = 0; i < old.n_buckets; i++) {
		for (link = old.buckets[i]; link; link = next) {
			next = link->next;
			bucket = hashtable_bucket(table, link->hash);
			link->next = *bucket;
			*bucket = link;
		}
	}
	if (old.buckets != table->small)
		free(old.buckets);
}

void hashtable_add(struct hashtable *table, struct hashtable_link *link, uint32_t hash)
{
	struct hashtable_link **bucket;

	if (table->n >= table->n_buckets)
		hashtable_grow(table);
	link->hash = hash;
	bucket = hashtable_bucket(table, hash);
	link->next = *bucket;
	*bucket = link;
	table->n++;
}

void hashtable_del(struct hashtable *table, struct hashtable_link *link)
{
	struct hashtable_link **p = hashtable_bucket(table, link->hash);

	while (*p != link)
		p = &(*p)->next;
	*p = link->next;
	table->n--;
}

static struct hashtable_link *hashtable_match(struct hashtable_link *link, uint32_t hash)
{
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct hashtable_link *hashtable_first(const struct hashtable *table, uint32_t hash)
{
	return hashtable_match(*hashtable_bucket(table, hash), hash);
}

struct hashtable_link *hashtable_next(const struct hashtable_link *link)
{
	return hashtable_match(link->next, link->hash);
}

uint32_t hashtable_hash(struct span name)
{
	uint32_t hash = 2166136261u;	/* FNV-1a */

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ name.p[i]) * 16777619u;
	return hash;
}
