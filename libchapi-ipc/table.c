/* SPDX-License-Identifier: MIT */
/*
 * Chained hash table, see table.h.
 */
#include "libchapi-ipc/table.h"

#include <stdlib.h>

void table_init(struct table *table)
{
	*table = (struct table){ .n_buckets = TABLE_SMALL };
	table->buckets = table->small;
}

void table_deinit(struct table *table)
{
	if (table->buckets != table->small)
		free(table->buckets);
	table_init(table);
}

static struct table_link **table_bucket(const struct table *table, uint32_t hash)
{
	return &table->buckets[hash & (table->n_buckets - 1)];
}

static void table_grow(struct table *table)
{
	struct table old = *table;
	size_t n_buckets = table->n_buckets * 4;
	struct table_link **buckets = calloc(n_buckets, sizeof(struct table_link *));
	struct table_link *link, *next, **bucket;

	if (!buckets)
		return;
	table->n_buckets = n_buckets;
	table->buckets = buckets;
	for (size_t i = 0; i < old.n_buckets; i++) {
		for (link = old.buckets[i]; link; link = next) {
			next = link->next;
			bucket = table_bucket(table, link->hash);
			link->next = *bucket;
			*bucket = link;
		}
	}
	if (old.buckets != table->small)
		free(old.buckets);
}

void table_add(struct table *table, struct table_link *link, uint32_t hash)
{
	struct table_link **bucket;

	if (table->n >= table->n_buckets)
		table_grow(table);
	link->hash = hash;
	bucket = table_bucket(table, hash);
	link->next = *bucket;
	*bucket = link;
	table->n++;
}

void table_del(struct table *table, struct table_link *link)
{
	struct table_link **p = table_bucket(table, link->hash);

	while (*p != link)
		p = &(*p)->next;
	*p = link->next;
	table->n--;
}

static struct table_link *table_match(struct table_link *link, uint32_t hash)
{
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct table_link *table_first(const struct table *table, uint32_t hash)
{
	return table_match(*table_bucket(table, hash), hash);
}

struct table_link *table_next(const struct table_link *link)
{
	return table_match(link->next, link->hash);
}

uint32_t table_hash(struct span name)
{
	uint32_t hash = 2166136261u;	/* FNV-1a */

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ name.p[i]) * 16777619u;
	return hash;
}
