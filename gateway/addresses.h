/* SPDX-License-Identifier: MIT */
/*
 * Which of a host's addresses is tried.
 *
 * A name may lead to many, in another order each time that it is looked up, so it is addresses
 * that are remembered here, and not places in a list: those that were tried in vain, and the one
 * that is known to work. Looking up is resolve.h's, connecting ws.h's.
 */
#ifndef CHAPI_ADDRESSES_H
#define CHAPI_ADDRESSES_H

#include <stddef.h>

#define ADDRESSES_MAX 8
#define ADDRESS_LEN 64	/* digits, with a scope if it has one */

struct address_list {
	size_t n;
	char text[ADDRESSES_MAX][ADDRESS_LEN];	/* best first */
};

struct addresses {
	struct address_list vain;	/* since one of them worked, or all had their turn */
	char good[ADDRESS_LEN];		/* "": none is known */
	unsigned int n_short;		/* connections to it in a row that did not last */
};

/* How a connection has ended. */
enum addresses_end {
	ADDRESSES_IN_VAIN,	/* it never was of use */
	ADDRESSES_SHORT,	/* it was, and did not last */
	ADDRESSES_FINE,
};

/* One of the list that has not been tried in vain; NULL: all have. */
const char *addresses_next(const struct addresses *a, const struct address_list *list);
/* The same, where another round begins when all have had their turn. The list is not empty. */
const char *addresses_begin(struct addresses *a, const struct address_list *list);

void addresses_works(struct addresses *a, const char *address);
void addresses_ended(struct addresses *a, const char *address, enum addresses_end end);

#endif
