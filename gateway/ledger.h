/* SPDX-License-Identifier: MIT */
/*
 * The day's budget with its file and its lines in the log: what counts is budget.h, who counts
 * and who leaves out what when it is low is publisher.h and hub.h.
 *
 * The file is DIR/budget-NAME, written anew and renamed, at most once in write_ms and at the
 * end. It is not forced to the medium: a call must not wait for an SD card, and a count that
 * a power cut takes back by minutes does no harm. A file that cannot be read, or is not ours,
 * is said and counts as none; that there is no place for one is said once.
 */
#ifndef CHAPI_LEDGER_H
#define CHAPI_LEDGER_H

#include "gateway/budget.h"

#define LEDGER_WRITE_MS 600000

struct event_base;
struct ledger;

struct ledger_config {
	const char *dir;	/* absolute; made if it is missing; NULL: there is none */
	const char *name;	/* of the gateway */
	unsigned int limit;	/* messages a day; 0: counts, but says nothing and keeps no file */
	uint64_t write_ms;
};

/* Reads the file. 0 or a negative errno: what is wrong with the file is none. */
int ledger_new(struct event_base *base, const struct ledger_config *config,
	       struct ledger **ret_ledger) MUST_CHECK;
struct ledger *ledger_free(struct ledger *ledger);	/* writes what is not written yet */

void ledger_set_limit(struct ledger *ledger, unsigned int limit);
void ledger_add(struct ledger *ledger, const struct budget_count *more, int64_t unix_s);
bool ledger_is_low(struct ledger *ledger, int64_t unix_s);	/* see budget_is_low() */
/* As of now; valid until the next call. */
const struct budget *ledger_budget(struct ledger *ledger, int64_t unix_s);

#endif
