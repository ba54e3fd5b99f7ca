/* SPDX-License-Identifier: MIT */
/*
 * A folder with configuration files of a test's own, and what comes of loading them: the
 * configuration, the fault, and what the log said meanwhile.
 */
#ifndef CHAPI_TESTS_CONFIG_FOLDER_H
#define CHAPI_TESTS_CONFIG_FOLDER_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "gateway/config.h"
#include "libchapi-ipc/buf.h"

/* Of a fault, as sysexits.h has them. */
#define STATUS_USAGE 64
#define STATUS_NO_INPUT 66
#define STATUS_CONFIG 78

/* Texts of as many characters. */
#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define HUNDRED FIFTY FIFTY

/* A folder, what was loaded from it, and what the log said meanwhile. */
struct world {
	char folder[64], file[80];
	struct config_options options;
	struct config config;
	struct config_fault fault;
	char log[4000];
};

void world_init(struct world *w);
void world_deinit(struct world *w);
#define WORLD(w) CLEANUP(world_deinit) struct world w; world_init(&w)

/* "FOLDER/NAME", in a buffer of the caller's line. */
#define PATH(w, name) path_of(w, name, (char[200]){ 0 })
const char *path_of(const struct world *w, const char *name, char ret[200]);
void put_bytes(const struct world *w, const char *name, struct span bytes, mode_t mode);
void put_file(const struct world *w, const char *name, const char *text);
void put_folder(const struct world *w, const char *name);

#define HUB "[pusher]\napp_id = 1\nkey = k\n"
void put_secret(struct world *w, const char *text, mode_t mode);
/* A hub with this secret file and what more says, the first line of it being line 5. */
void put_hub(struct world *w, const char *more);

int load(struct world *w);			/* what config_load() says */
void load_good(struct world *w);
void load_text(struct world *w, const char *text);	/* in the place of the file */
/* What print, which is config_print(), says, into ret. */
void print_with(void (*print)(const struct config *config, FILE *out),
		const struct config *config, char *ret, size_t len);

void assert_contains(const char *text, const char *words);
void assert_no_warning(const struct world *w);
/* It is loaded, and this is its fault: in one line, with these words. */
void assert_fault(struct world *w, int status, const char *words);
/* "FOLDER/NAME:LINE: WORDS" and status 78. */
void assert_fault_at(struct world *w, const char *name, unsigned int line, const char *words);
/* As much of a file of its own. */
void check_bytes(struct span text, unsigned int line, const char *words);
void check_text(const char *text, unsigned int line, const char *words);

#endif
