/* SPDX-License-Identifier: MIT */
/*
 * Tells when this machine's clock is set, by a person or by a time service.
 *
 * Small machines often start with a clock of 1970, or with that of their last stop: then no
 * certificate is valid and no signature is accepted, until the moment it is set. That it
 * runs a little faster for a while is no setting.
 */
#ifndef CHAPI_CLOCKWATCH_H
#define CHAPI_CLOCKWATCH_H

#include "common/common.h"

struct event_base;
struct clockwatch;

/* fn is called from the loop, in it clockwatch_free() is allowed. */
int clockwatch_new(struct event_base *base, void (*fn)(void *data), void *data,
		   struct clockwatch **ret_watch) MUST_CHECK;
struct clockwatch *clockwatch_free(struct clockwatch *watch);

#endif
