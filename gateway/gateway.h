/* SPDX-License-Identifier: MIT */
/*
 * The gateway, put together: the loop, the local socket, the router, the hub's side.
 */
#ifndef CHAPI_GATEWAY_H
#define CHAPI_GATEWAY_H

#include "gateway/config.h"

/*
 * Serves until it is told to stop (TERM, INT): no new calls then, those that run have the
 * setting stop_timeout to end. HUP reads the files again, as options says, into config. What
 * goes wrong is logged. Returns the status that the program ends with: 0, 69 (the socket
 * cannot be had), 70.
 */
int gateway_run(struct config *config, const struct config_options *options);

#endif
