/* SPDX-License-Identifier: MIT */
/*
 * Names on the hub: which are legal, and what their prefixes say. Pure.
 *
 * Pusher: "Channel naming conventions", and the limits of the HTTP API.
 */
#ifndef CHAPI_HUB_NAMES_H
#define CHAPI_HUB_NAMES_H

#include <stdbool.h>

#include "common/common.h"

/* Bytes; the libraries let 200 through, the service does not promise it. */
#define CHANNEL_NAME_MAX 164
#define EVENT_NAME_MAX 200	/* characters */
#define SOCKET_ID_MAX 64

enum channel_kind { CHANNEL_PUBLIC, CHANNEL_PRIVATE, CHANNEL_ENCRYPTED, CHANNEL_PRESENCE };

bool channel_name_is_legal(struct span name);
enum channel_kind channel_kind(const char *name);

bool event_name_is_legal(struct span name);	/* UTF-8 is the caller's concern */
bool event_name_is_reserved(const char *name);	/* the protocol's own */
bool event_name_is_client(const char *name);

bool socket_id_is_legal(struct span id);

#endif
