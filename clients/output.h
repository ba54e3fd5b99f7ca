/* SPDX-License-Identifier: MIT */
/*
 * Replies, printed: results on standard output as JSON, errors on standard error in one line.
 */
#ifndef CHAPI_CLIENTS_OUTPUT_H
#define CHAPI_CLIENTS_OUTPUT_H

#include <stddef.h>
#include <stdio.h>

#include "libchapi-ipc/chapi-ipc.h"

/*
 * One MessagePack value as JSON and a newline; with line breaks, and nothing that a terminal
 * obeys, if standard output is one. 0, or the status to end with, said already.
 */
int output_value(const void *value, size_t len);
/* The same into another file, in one line. */
int output_value_to(FILE *out, const void *value, size_t len);

/*
 * A text without quotes, and with a newline at its end; bytes as they are; else as above. A
 * terminal is given what there is.
 */
int output_raw_to(FILE *out, const void *value, size_t len);

/* One value, in a line, on standard error: what is no result. */
void output_progress(const void *value, size_t len);

/* One line of JSON as it came, likewise; 0. */
int output_line(const char *text, size_t len);

/* A reply that is an error, for people. Returns its exit status. */
int output_failure(const chapi_reply *reply);

/* The record of a call that was made with the option full. Returns the call's exit status. */
int output_record_to(FILE *out, const char *api, const chapi_reply *reply);

#endif
