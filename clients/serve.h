/* SPDX-License-Identifier: MIT */
/*
 * Serving: names registered at the gateway, a command or an HTTP request for each call of them.
 *
 * What is served is services.h's. When the gateway goes away the names are registered again as
 * soon as it is back.
 */
#ifndef CHAPI_CLIENTS_SERVE_H
#define CHAPI_CLIENTS_SERVE_H

#include "clients/services.h"
#include "libchapi-ipc/chapi-ipc.h"

/* Until a signal ends it, or no name is left. Returns the status to end with, all is said. */
int serve(chapi_conn *conn, const struct services *services);

#endif
