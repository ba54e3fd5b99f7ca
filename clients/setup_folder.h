/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl setup: the folder that a trial is made in.
 *
 * It holds the whole configuration as it would be: links to the files that are there, beside them
 * what setup would write, and last what makes it a trial: a name and a channel that nobody else
 * has. So a contradiction between old and new comes out, and old settings (a proxy, a port) count.
 */
#ifndef CHAPI_CLIENTS_SETUP_FOLDER_H
#define CHAPI_CLIENTS_SETUP_FOLDER_H

#include <stdbool.h>

#include "clients/setup.h"

struct setup_folder {
	char path[64];
	char *config, *drop_ins, *secret, *socket, *log;
	char *real_config;		/* what config stands for; it need not be there */
	char channel[64];		/* on which everybody may publish */
	bool is_credential;		/* the secret is one: path is $CREDENTIALS_DIRECTORY */
};

/* 0 or -errno. *folder has to be removed in any case. */
int setup_folder_make(const struct setup *setup, const struct setup_paths *paths,
		      struct setup_folder *folder);
void setup_folder_remove(struct setup_folder *folder);

/* A line with the real paths in place of those in the folder, from malloc(). NULL: no memory. */
char *setup_folder_translate(const struct setup_folder *folder, const char *line);

#endif
