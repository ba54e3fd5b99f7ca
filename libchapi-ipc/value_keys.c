/* SPDX-License-Identifier: MIT */
/*
 * The keys of the maps that are open in a conversion: none may stand there twice.
 */
#include <errno.h>
#include <stdlib.h>

#include "libchapi-ipc/value_private.h"

static int keys_grow(struct conv *c)
{
	size_t cap = 2 * c->cap_keys;
	bool few = c->keys == c->few_keys;
	struct conv_key *keys = realloc(few ? NULL : c->keys, cap * sizeof(*keys));

	if (!keys)
		return -ENOMEM;
	if (few)
		memcpy(keys, c->few_keys, sizeof(c->few_keys));
	c->keys = keys;
	c->cap_keys = cap;
	return 0;
}

int conv_key_add(struct conv *c, size_t off, size_t len)
{
	if (c->out->error)
		return c->out->error;
	if (off - c->start > UINT32_MAX)
		return -ENOBUFS;
	if (c->n_keys == c->cap_keys && keys_grow(c) != 0)
		return -ENOMEM;
	c->keys[c->n_keys++] = (struct conv_key){ (uint32_t)(off - c->start), (uint32_t)len };
	return 0;
}

/* Any total order will do; this one looks at the bytes of keys of one length only. */
static int key_compare(const uint8_t *base, const struct conv_key *a, const struct conv_key *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(base + a->off, base + b->off, a->len);
}

static void keys_merge(const uint8_t *base, const struct conv_key *a, size_t n_a,
		       const struct conv_key *b, size_t n_b, struct conv_key *to)
{
	/* Keys often come in order. */
	if (n_b == 0 || key_compare(base, &a[n_a - 1], &b[0]) <= 0) {
		memcpy(to, a, n_a * sizeof(*a));
		memcpy(to + n_a, b, n_b * sizeof(*b));
		return;
	}
	while (n_a > 0 && n_b > 0) {
		if (key_compare(base, a, b) <= 0) {
			*to++ = *a++;
			n_a--;
		} else {
			*to++ = *b++;
			n_b--;
		}
	}
	memcpy(to, a, n_a * sizeof(*a));
	memcpy(to + n_a, b, n_b * sizeof(*b));
}

/* Merge sort: no order of keys that somebody might send makes it slow. Returns which of the
 * two arrays has the result. */
static struct conv_key *keys_sort(const uint8_t *base, struct conv_key *keys,
				  struct conv_key *spare, size_t n)
{
	for (size_t width = 1; width < n; width *= 2) {
		struct conv_key *from = keys;

		for (size_t i = 0; i < n; i += 2 * width) {
			size_t n_a = MIN(width, n - i), n_b = MIN(width, n - i - n_a);

			keys_merge(base, from + i, n_a, from + i + n_a, n_b, spare + i);
		}
		keys = spare;
		spare = from;
	}
	return keys;
}

/* The second of two equal ones among few keys, or NULL. */
static const struct conv_key *twin_among_few(const uint8_t *base, const struct conv_key *keys,
					     size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (keys[i].len == keys[j].len &&
			    key_compare(base, &keys[i], &keys[j]) == 0)
				return &keys[i];
	return NULL;
}

static int twin_among_many(const uint8_t *base, struct conv_key *keys, size_t n,
			   const struct conv_key **ret_twin)
{
	struct conv_key *spare = malloc(n * sizeof(*spare)), *sorted;

	if (!spare)
		return -ENOMEM;
	sorted = keys_sort(base, keys, spare, n);
	if (sorted != keys)
		memcpy(keys, sorted, n * sizeof(*keys));
	free(spare);
	for (size_t i = 1; i < n; i++) {
		if (key_compare(base, &keys[i - 1], &keys[i]) == 0) {
			*ret_twin = &keys[i];
			return 0;
		}
	}
	return 0;
}

int conv_keys_close(struct conv *c)
{
	size_t first = c->levels[c->depth].first_key, n = c->n_keys - first;
	struct conv_key *keys = c->keys + first;
	const struct conv_key *twin = NULL;
	int e = 0;

	if (n <= 16)
		twin = twin_among_few(conv_output(c), keys, n);
	else
		e = twin_among_many(conv_output(c), keys, n, &twin);
	if (e != 0)
		return e;
	c->n_keys = first;
	if (!twin)
		return 0;
	keys[0] = *twin;
	c->n_keys++;
	return conv_inexpressible(c, "the key stands there twice");
}
