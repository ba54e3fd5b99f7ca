/* SPDX-License-Identifier: MIT */
/*
 * The thread that runs libwebsockets: connects as the loop wishes, frames to and fro.
 * Private to ws.c; nothing beside the files of ws_client_private.h and ws_link.c knows
 * libwebsockets.
 */
#ifndef CHAPI_WS_CLIENT_H
#define CHAPI_WS_CLIENT_H

/* A thread's main function; arg is a struct ws_link, a reference of which it lets go at the end. */
void *ws_client_main(void *arg);

#endif
