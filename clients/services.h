/* SPDX-License-Identifier: MIT */
/*
 * What chapi-serve serves: names, and how each is answered. From its command line, or from the
 * sections of an INI file.
 *
 * All that can be wrong with it is found here, before anything is registered. Serving is serve.h's.
 */
#ifndef CHAPI_CLIENTS_SERVICES_H
#define CHAPI_CLIENTS_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clients/cli.h"

/* Settings of a name. Texts are borrowed from argv, or belong to its struct services. */
struct service {
	const char *name;
	char **argv;			/* NULL: http instead */
	const char *command, *http;	/* command: only in a file */
	const char *summary, *policy;
	const char *params, *result;	/* descriptions of values, or @FILE; then JSON */
	int64_t timeout_ms;		/* of one command; 0: the caller's own limit only */
	int64_t concurrency, queue, output_max;
	bool stream, json, text, allow_dash, idempotent, local;
};

#define SERVICE_DEFAULTS { .concurrency = 64, .queue = 64, .output_max = 1 << 20 }

struct services {
	struct service *all;
	size_t n;
	void **owned;			/* texts and arrays */
	size_t n_owned;
};

/* The settings, for the command line and for the keys of a section. */
extern const struct cli_option service_options[];
extern const size_t service_n_options;

/* One name, as the options say. 0, or the status to end with, said already. */
int services_add(struct services *services, const struct service *service);
/* All names of a file; defaults: of what a section leaves out. Likewise. */
int services_read(struct services *services, const char *path, const struct service *defaults);
void services_deinit(struct services *services);

#endif
