/* SPDX-License-Identifier: MIT */
/*
 * Are two values the same, whatever their encoding? MessagePack as it came: 1 and 1.0 are the
 * same, the order of keys does not matter, an integer as a key stands for its digits.
 *
 * Either value may come from somebody who means harm, so what is done is counted in steps, of
 * which there is an end.
 */
#ifndef CHAPI_COMPARE_H
#define CHAPI_COMPARE_H

#include "libchapi-ipc/mp.h"

/* A step: some 10 ns. */
struct steps {
	uint64_t left;		/* 0: no more; what was found by then does not count */
};

void steps_spend(struct steps *steps, uint64_t n);
/* What was between from and to has been read. */
void steps_spend_bytes(struct steps *steps, const uint8_t *from, const uint8_t *to);

/* Exact: an integer keeps its 64 bits. */
struct number {
	bool is_float, negative;
	double f;		/* is_float */
	uint64_t u;		/* not negative */
	int64_t i;		/* negative */
};

static inline bool type_is_number(enum mp_type type)
{
	return type == MP_UINT || type == MP_INT || type == MP_FLOAT;
}

bool number_read(struct mp_reader *r, struct number *ret);	/* false: it is none */
bool number_is_finite(const struct number *n);
bool number_is_whole(const struct number *n);
/* Both are finite. Below, equal, above: -1, 0, 1. */
int number_compare(const struct number *a, const struct number *b);

/* A key as text, in digits[] if need be. False: it is neither a text nor an integer. */
bool key_read(struct mp_reader *r, char digits[24], struct span *ret);

/* Both move on if they are the same. No deeper than a. */
bool value_is_same(struct steps *steps, struct mp_reader *a, struct mp_reader *b);
/* The same for values that are the same. Moves on, if the value can be read. */
uint64_t value_hash(struct steps *steps, struct mp_reader *r);

#endif
