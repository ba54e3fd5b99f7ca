/* SPDX-License-Identifier: MIT */
/*
 * Maps of options, read into a struct through a table: one row a key, with its type and
 * what is allowed. Unknown keys are passed over; nil is as good as not there.
 *
 * What options mean, and which go together, is for whoever asked for them.
 */
#ifndef CHAPI_OPTIONS_H
#define CHAPI_OPTIONS_H

#include "common/common.h"

enum option_type {
	OPTION_BOOL,		/* bool */
	OPTION_NUMBER,		/* int64_t, whole, least..most */
	OPTION_TEXT,		/* struct span, UTF-8, least..most bytes */
	OPTION_LABEL,		/* struct span, printable ASCII, least..most bytes */
	OPTION_CHOICE,		/* int, the index in choices */
	OPTION_TEXTS,		/* struct span: an array of up to most texts, as it came */
	OPTION_RAW,		/* struct span: any value, as it came */
};

struct option {
	const char *key;
	enum option_type type;
	size_t offset;			/* of the struct's member */
	int64_t least, most;
	const char *const *choices;	/* ends with NULL */
};

struct options_fault {
	char text[300];			/* what is wrong and what is allowed; no newline */
};

enum { OPTIONS_E_INVALID = 1 };

/*
 * Keys that are there set their member of *ret, a struct that holds the defaults. Spans
 * point into map. After OPTIONS_E_INVALID *ret is of no use.
 */
int options_read(struct span map, const struct option *table, size_t n, void *ret,
		 struct options_fault *ret_fault) MUST_CHECK;

#endif
