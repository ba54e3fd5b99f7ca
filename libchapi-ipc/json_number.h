/* SPDX-License-Identifier: MIT */
/*
 * Numbers of JSON, read and written. Independent of the locale.
 */
#ifndef CHAPI_JSON_NUMBER_H
#define CHAPI_JSON_NUMBER_H

#include "json.h"

struct json_number {
	bool integer;		/* neither point nor exponent */
	bool negative;
	bool exact;		/* mantissa holds all digits */
	uint64_t mantissa;	/* the value is mantissa * 10^exponent, if exact */
	int64_t exponent;
	struct span text;
};

/* Moves the reader on, or returns JSON_E_BAD with the reader at the fault and the reason in
 * *ret_why (static text). */
int json_take_number(struct json_reader *r, struct json_number *ret,
		     const char **ret_why) MUST_CHECK;
/* Infinite if it is too large. */
double json_number_double(const struct json_number *n);

/* Shortest digits that read back the same; always with a '.' or an exponent, as it is a
 * float. Finite values only. At most 32 bytes; returns the length. */
size_t json_format_double(double v, char ret[32]);
size_t json_format_uint(uint64_t v, char ret[20]);	/* decimal digits; their number, no NUL */

#endif
