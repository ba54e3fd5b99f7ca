/* SPDX-License-Identifier: MIT */
/*
 * Base64 with padding (RFC 4648, section 4), for bytes in JSON: values, and what the hub carries.
 */
#ifndef CHAPI_BASE64_H
#define CHAPI_BASE64_H

#include <stdbool.h>

#include "buf.h"
#include "common/common.h"

size_t base64_len(size_t len);	/* of the text that stands for len bytes */
/* Writes base64_len(len) bytes at w, without a NUL; returns where they end. */
uint8_t *base64_write(uint8_t *w, const uint8_t *p, size_t len);
/* The same, appended; a failure is remembered in out. */
void base64_put(struct buf *out, struct span bytes);
/* In place. False: it is none; padding has to be there, and the bits that it leaves over are
 * zero. */
bool base64_decode(uint8_t *p, size_t len, size_t *ret_len);

#endif
