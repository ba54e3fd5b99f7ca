/* SPDX-License-Identifier: MIT */
/*
 * SipHash-1-3, the hash of tables whose keys come from outside: whoever does not know the
 * key of the table cannot choose names that all fall into one chain.
 *
 * Aumasson and Bernstein, "SipHash: a fast short-input PRF"; 1 round a word, 3 at the end.
 */
#ifndef CHAPI_SIPHASH_H
#define CHAPI_SIPHASH_H

#include "common/common.h"

uint64_t siphash(const uint64_t key[2], struct span text);

#endif
