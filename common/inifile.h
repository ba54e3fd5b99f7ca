/* SPDX-License-Identifier: MIT */
/*
 * One INI file, read strictly: what the library underneath would pass over in silence (cut
 * lines, continued lines, comments behind values) is a fault with its line.
 *
 * Knows sections, names and values as text; what they mean is told by who asks.
 */
#ifndef CHAPI_INIFILE_H
#define CHAPI_INIFILE_H

#include <stdbool.h>
#include <stdio.h>

#include "common/common.h"

/* Where something stands. */
struct inifile_place {
	const char *file;	/* NULL: in none */
	unsigned int line;
};

struct inifile_entry {
	const char *section;	/* "" before the first one */
	const char *name;	/* NULL: the section begins here */
	const char *value;
	unsigned int line;
};

struct inifile_fault {
	unsigned int line;
	char text[384];
};

enum { INIFILE_E_FAULT = 1 };

/* Called for each entry, in order. false: it is wrong, fault->text says why; reading ends. */
typedef bool (*inifile_fn)(void *data, const struct inifile_entry *entry,
			   struct inifile_fault *fault);

/* 0, INIFILE_E_FAULT (see ret_fault), or -errno if the stream could not be read. */
int inifile_read(FILE *in, inifile_fn fn, void *data, struct inifile_fault *ret_fault) MUST_CHECK;

#endif
