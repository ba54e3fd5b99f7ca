/* SPDX-License-Identifier: MIT */
/*
 * How wide a terminal is, and where a line of text is broken for it.
 */
#ifndef CHAPI_CLIENTS_WRAP_H
#define CHAPI_CLIENTS_WRAP_H

#include <stddef.h>

/* Of the terminal fd; 80 if it does not say, SIZE_MAX if it is none: nothing is to be broken. */
size_t wrap_columns(int fd);

/*
 * Length in bytes of text's first line, which ends before a blank or with the text: as many words
 * as fit, or one word that is wider. Each character of UTF-8 counts as one column.
 */
size_t wrap_len(const char *text, size_t columns);

#endif
