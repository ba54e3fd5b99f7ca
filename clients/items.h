/* SPDX-License-Identifier: MIT */
/*
 * The params of a call, from a command line: items (KEY=TEXT, KEY:=JSON, KEY@FILE) or JSON.
 *
 * "-" as a file is standard input, which is read only then.
 */
#ifndef CHAPI_CLIENTS_ITEMS_H
#define CHAPI_CLIENTS_ITEMS_H

#include <stddef.h>

/*
 * One MessagePack value, to be freed with free(). 0, or the status to end with, said already.
 */
int items_read(char *const *items, size_t n, void **ret_params, size_t *ret_len);
/* text: JSON, or "-". */
int items_read_json(const char *text, void **ret_params, size_t *ret_len);

#endif
