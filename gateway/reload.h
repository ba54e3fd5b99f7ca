/* SPDX-License-Identifier: MIT */
/*
 * The files of the configuration, read again: what has changed, and what of it holds from now on.
 *
 * Reading is config.h; telling the parts is gateway_settings.c.
 */
#ifndef CHAPI_RELOAD_H
#define CHAPI_RELOAD_H

#include "gateway/config.h"
#include "libchapi-ipc/buf.h"

/*
 * 0: config holds what can change without a restart, and one MessagePack map is appended to
 * out: {changed: [keys], restart: [keys]}; both are logged. -1: nothing has changed, and why says
 * what is wrong.
 */
int reload_config(const struct config_options *options, struct config *config, struct buf *out,
		  char *why, size_t why_len) MUST_CHECK;

#endif
