/* SPDX-License-Identifier: MIT */
/*
 * Which of a host's addresses is tried: see addresses.h.
 */
#include "gateway/addresses.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SHORT_MAX 3	/* so often in a row an address may lead to what does not last */

static bool has(const struct address_list *list, const char *address)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->text[i], address) == 0)
			return true;
	return false;
}

const char *addresses_next(const struct addresses *a, const struct address_list *list)
{
	if (a->good[0] && has(list, a->good) && !has(&a->vain, a->good))
		return a->good;
	for (size_t i = 0; i < list->n; i++)
		if (!has(&a->vain, list->text[i]))
			return list->text[i];
	return NULL;
}

const char *addresses_begin(struct addresses *a, const struct address_list *list)
{
	const char *address = addresses_next(a, list);

	if (address)
		return address;
	a->vain.n = 0;
	return addresses_next(a, list);
}

void addresses_works(struct addresses *a, const char *address)
{
	a->vain.n = 0;
	if (strcmp(a->good, address) == 0)
		return;
	snprintf(a->good, sizeof(a->good), "%s", address);
	a->n_short = 0;
}

/* Where names lead to ever new addresses, the old ones are forgotten. */
static void add_vain(struct addresses *a, const char *address)
{
	if (has(&a->vain, address))
		return;
	if (a->vain.n == ADDRESSES_MAX)
		a->vain.n = 0;
	snprintf(a->vain.text[a->vain.n++], ADDRESS_LEN, "%s", address);
}

void addresses_ended(struct addresses *a, const char *address, enum addresses_end end)
{
	if (end == ADDRESSES_SHORT && ++a->n_short < SHORT_MAX)
		return;
	a->n_short = 0;
	if (end != ADDRESSES_FINE)
		add_vain(a, address);
}
