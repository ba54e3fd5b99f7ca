/* SPDX-License-Identifier: MIT */
/*
 * Replies, printed: results on standard output as JSON, errors on standard error in one line.
 */
#ifndef CHAPI_CLIENTS_OUTPUT_H
#define CHAPI_CLIENTS_OUTPUT_H

#include <stddef.h>

#include "libchapi-ipc/chapi-ipc.h"

/*
 * One MessagePack value as JSON and a newline; with line breaks, and nothing that a terminal
 * obeys, if standard output is one. 0, or the status to end with, said already.
 */
int output_value(const void *value, size_t len);

/* One line of JSON as it came, likewise; 0. */
int output_line(const char *text, size_t len);

/* A reply that is an error, for people. Returns its exit status. */
int output_failure(const chapi_reply *reply);

/* The record of a call that was made with the option full. Returns the call's exit status. */
int output_record(const char *api, const chapi_reply *reply);

#endif
