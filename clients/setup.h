/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl setup: what is set up, and its parts.
 *
 * ctl_setup.c asks and decides the order; setup_try.c finds out whether a hub takes it, before
 * anything is written (setup_folder.c has the files for that); setup_files.c writes;
 * setup_service.c starts the service and lets somebody use it.
 */
#ifndef CHAPI_CLIENTS_SETUP_H
#define CHAPI_CLIENTS_SETUP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SETUP_PORT_UNSAID INT64_C(-1)
#define SETUP_GROUP "chapi"	/* of the system's gateway and its socket, as the units have it */

/* Texts are borrowed; NULL: not said. */
struct setup {
	const char *app_id, *key, *secret, *cluster, *host, *ca_file, *name;
	const char *secret_file;	/* where the secret is read from; "-": standard input */
	const char *root;		/* before all paths */
	const char *member;		/* a user who is to use the system's gateway */
	int64_t port;			/* or SETUP_PORT_UNSAID */
	bool no_tls, legacy;		/* legacy: the older library's channel, too */
	bool user;			/* of one's own gateway, not the system's */
	bool no_check;			/* the hub is not tried; the configuration is checked */
	bool start, no_start;
};

struct setup_paths {
	char *settings;			/* drop-in of the gateway's configuration */
	char *secret;
	char *unit;			/* drop-in of the service; NULL: with user */
};

/* 0 or -errno; also -EINVAL: there is no home for a user's files. */
int setup_find_paths(const struct setup *setup, struct setup_paths *ret_paths);
void setup_free_paths(struct setup_paths *paths);

/* The settings as an INI file. secret_file: NULL: the service has it as a credential. */
void setup_put_settings(FILE *out, const struct setup *setup, const char *secret_file);
/* All files. 0, or the status to end with, said already. */
int setup_write(const struct setup *setup, const struct setup_paths *paths);

/*
 * Lets a gateway of its own connect with it, on a channel that nobody else has, by all of the
 * configuration as it would be. 0, or the status to end with, said already.
 */
int setup_try(const struct setup *setup, const struct setup_paths *paths);
/*
 * Lets a gateway only check all of the configuration as it would be. Likewise; 0 also if there is
 * no gateway here to do so (as when an image is made), which is said.
 */
int setup_check(const struct setup *setup, const struct setup_paths *paths);

/* (Re)starts the service, and at each boot. 0, or the status to end with, said already. */
int setup_start(const struct setup *setup);

/* Is user one of the system's who may not use its gateway, though there is a group for that?
 * Root may. */
bool setup_is_outsider(const char *user);
/* 0, or the status to end with; said in either case. */
int setup_add_member(const char *user);

#endif
