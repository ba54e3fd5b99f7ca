/* SPDX-License-Identifier: MIT */
/*
 * Records in assembly: parts that have come and wait for the others.
 *
 * Pure: time is a number. Parts may come in any order, more than once, mixed with those of
 * other records. What ended is remembered for a while: a hub may double a part, and the late
 * double must not look like the beginning of a record that is never completed. The form of a
 * part is parts.h.
 */
#ifndef CHAPI_ASSEMBLY_H
#define CHAPI_ASSEMBLY_H

#include "gateway/parts.h"

struct assemblies;

struct assemblies_limits {
	size_t record_max;		/* bytes of a record's text */
	size_t bytes_max;		/* of all that wait */
	unsigned int n_max;		/* records that wait */
	uint64_t complete_ms;		/* from its first part on */
};

int assemblies_new(const struct assemblies_limits *limits,
		   struct assemblies **ret_assemblies) MUST_CHECK;
struct assemblies *assemblies_free(struct assemblies *assemblies);
void assemblies_set_limits(struct assemblies *assemblies, const struct assemblies_limits *limits);

enum {
	ASSEMBLY_WAITS = 1,	/* for other parts; or this one says nothing new */
	ASSEMBLY_E_CLASH,	/* parts of two records under one id: both are dropped */
	/* No room: the record is dropped; what comes of it yet is not told again. */
	ASSEMBLY_E_FULL,
	/* Beyond record_max: likewise, but a repeat is told again, once. *ret_size: as known. */
	ASSEMBLY_E_TOO_LARGE,
	ASSEMBLY_E_BAD,		/* all parts are there, and make no record */
};

/*
 * channel: where it came, borrowed for as long as the assemblies live. For all but a clash part
 * says to and retry, with its times, if any part of the record did, retry_ms being as long as it
 * is by now. 0: this was the last one missing, the record's text is appended to out; an outcome;
 * or -ENOMEM, where the record is dropped.
 */
int assemblies_add(struct assemblies *assemblies, struct span channel, struct part *part,
		   uint64_t now_ms, struct buf *out, size_t *ret_size) MUST_CHECK;

/*
 * Takes out a record whose time is over, false: there is none. part, PART_NULL before and to be
 * deinitialised, gets its id, to, retry, retry_ms and timeout_ms; ret_channel is where it came.
 */
bool assemblies_take_late(struct assemblies *assemblies, uint64_t now_ms, struct part *part,
			  struct span *ret_channel);
/* when to look; UINT64_MAX: never */
uint64_t assemblies_next_ms(const struct assemblies *assemblies);

unsigned int assemblies_count(const struct assemblies *assemblies);	/* records that wait */
size_t assemblies_bytes(const struct assemblies *assemblies);

#endif
