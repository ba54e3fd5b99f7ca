/* SPDX-License-Identifier: MIT */
/*
 * Strings of JSON, read and written. Text is UTF-8 as RFC 3629 has it.
 */
#ifndef CHAPI_JSON_STRING_H
#define CHAPI_JSON_STRING_H

#include "json.h"

/* How many bytes at p may stand in a string as they are: whole valid UTF-8 characters but
 * quotes, backslashes and control characters. */
size_t json_clean_run(const uint8_t *p, size_t len);

/*
 * These move the reader on, or return JSON_E_BAD or JSON_E_SURROGATE with the reader at the fault
 * and the reason in *ret_why (static text).
 */
/* At the first byte inside the quotes; passes the closing one. out: gets the text decoded (a
 * failure is remembered there), or NULL. */
int json_take_string(struct json_reader *r, struct buf *out, const char **ret_why) MUST_CHECK;
/* At a backslash. ret: the character, UTF-8. */
int json_take_escape(struct json_reader *r, uint8_t ret[4], size_t *ret_len,
		     const char **ret_why) MUST_CHECK;

/* The text has to be UTF-8; control characters, quotes and backslashes are escaped. */
void json_put_string(struct buf *b, struct span text);
/* The inside of a string, up to what is not UTF-8; returns how many bytes of text that were. */
size_t json_put_inside(struct buf *b, struct span text);

#endif
