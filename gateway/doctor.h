/* SPDX-License-Identifier: MIT */
/*
 * What the gateway knows of its own health: a list of checks, with a hint for each that fails.
 *
 * Looks, and asks nobody. What has to be tried from outside is chapi-ctl's.
 */
#ifndef CHAPI_DOCTOR_H
#define CHAPI_DOCTOR_H

#include "gateway/config.h"
#include "gateway/hub.h"
#include "gateway/party.h"

/* Appends one array of {check, ok, text, hint}; hub: NULL: none is configured. */
void doctor_put(const struct config *config, const struct hub *hub, const struct now *now,
		struct buf *out);

#endif
