/* SPDX-License-Identifier: MIT */
/*
 * Is a value one of an enumeration?
 *
 * An enumeration may have thousands of values, and an array may hold as many that are each to be
 * one of them. So one that is asked for a second time is put into a hash table, where each
 * question takes about one step. Lives as long as one match of a value (schema.c).
 */
#ifndef CHAPI_CHOICES_H
#define CHAPI_CHOICES_H

#include "gateway/compare.h"

struct choice;

/* All zero is a good beginning. */
struct choices {
	struct choice *slots;	/* of all enumerations together; NULL: none yet */
	size_t n_slots, n_used;
};

void choices_deinit(struct choices *choices);

/*
 * all: a MessagePack array, the same bytes at the same place each time it is asked for. If
 * the steps are used up, the answer counts for nothing. Without memory for the table it goes
 * through all.
 */
bool choices_find(struct choices *choices, struct steps *steps, struct span all,
		  struct mp_reader value);

#endif
