/* SPDX-License-Identifier: MIT */
/*
 * The configuration of one start: defaults, files, options, and what follows from them.
 *
 * The order of it, what is set without a file, and how a fault is told; the steps are the files
 * that config_private.h names. Keys are config_keys.h.
 */
#include "gateway/config.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>

#include "gateway/config_keys.h"
#include "gateway/config_private.h"

/* ---- faults ------------------------------------------------------------------------------ */

int loader_fail(struct loader *l, int status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(l->fault->text, sizeof(l->fault->text), fmt, args);
	va_end(args);
	l->fault->status = status;
	return -1;
}

int loader_no_memory(struct loader *l)
{
	return loader_fail(l, STATUS_INTERNAL, "no memory for the configuration");
}

const struct inifile_place *loader_place(const struct loader *l, const char *section,
					 const char *name)
{
	return &l->places[config_key_find(section, name) - config_keys];
}

int loader_fail_at(struct loader *l, const struct inifile_place *place, const char *fmt, ...)
{
	char what[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (!place->file)
		return loader_fail(l, STATUS_CONFIG, "configuration: %s", what);
	return loader_fail(l, STATUS_CONFIG, "%s:%u: %s", place->file, place->line, what);
}

/* ---- defaults and options ---------------------------------------------------------------- */

static int set_key(struct loader *l, const char *section, const char *name, const char *text,
		   const char *source, int status)
{
	char why[256];
	int r = config_key_set(config_key_find(section, name), text, l->config, why, sizeof(why));

	if (r < 0)
		return loader_no_memory(l);
	if (r == 0)
		return 0;
	return loader_fail(l, status, "%s \"%s\": %s", source, LOG_TEXT(span_str(text)), why);
}

/* The standards of the table come from us: they fit. */
static int set_standards(struct loader *l)
{
	for (size_t i = 0; i < config_n_keys; i++)
		if (config_keys[i].standard &&
		    set_key(l, config_keys[i].section, config_keys[i].name,
			    config_keys[i].standard, "default", STATUS_INTERNAL) != 0)
			return -1;
	return 0;
}

/* With --user the socket is the user's own. */
static int set_user_standards(struct loader *l)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	char path[512];

	config_key_clear(config_key_find("gateway", "socket"), l->config);
	if (set_key(l, "gateway", "socket_mode", "0600", "default", STATUS_INTERNAL) != 0)
		return -1;
	if (!dir || !*dir)
		return 0;	/* the files or --socket may name one */
	snprintf(path, sizeof(path), "%s/chapi/gw.sock", dir);
	return set_key(l, "gateway", "socket", path, "socket in $XDG_RUNTIME_DIR", STATUS_CONFIG);
}

/* What the service manager has made for us; with --user the user's own. */
static int set_state_dir(struct loader *l)
{
	const char *given = getenv("STATE_DIRECTORY"), *state = getenv("XDG_STATE_HOME"),
		   *home = getenv("HOME");
	char path[PATH_MAX + 20] = "";

	if (given && *given)
		snprintf(path, sizeof(path), "%.*s", (int)strcspn(given, ":"), given);
	else if (!l->options->user)
		return 0;
	else if (state && *state == '/')
		snprintf(path, sizeof(path), "%s/chapi", state);
	else if (home && *home == '/')
		snprintf(path, sizeof(path), "%s/.local/state/chapi", home);
	config_key_clear(config_key_find("gateway", "state_dir"), l->config);
	if (!*path)
		return 0;	/* the files may name one */
	return set_key(l, "gateway", "state_dir", path, "state_dir by the environment",
		       STATUS_CONFIG);
}

static int set_options(struct loader *l)
{
	const struct config_options *o = l->options;

	if (o->socket && set_key(l, "gateway", "socket", o->socket, "--socket", STATUS_USAGE) != 0)
		return -1;
	if (!o->log_level)
		return 0;
	return set_key(l, "gateway", "log_level", o->log_level, "--log-level", STATUS_USAGE);
}

/* ---- the whole --------------------------------------------------------------------------- */

static int load_hub(struct loader *l)
{
	if (!l->config->pusher)
		return 0;
	if (loader_check_pusher(l) != 0 || loader_derive_hosts(l) != 0)
		return -1;
	if (loader_read_secret(l) != 0 || loader_read_master_key(l) != 0)
		return -1;
	return loader_check_encrypted(l);
}

static int load_all(struct loader *l)
{
	if (set_standards(l) != 0 || (l->options->user && set_user_standards(l) != 0) ||
	    set_state_dir(l) != 0)
		return -1;
	if (loader_read_files(l) != 0 || set_options(l) != 0)
		return -1;
	if (loader_derive_name(l) != 0 || loader_derive_channel(l) != 0 ||
	    loader_derive_group(l) != 0)
		return -1;
	return loader_check_together(l) != 0 ? -1 : load_hub(l);
}

int config_load(const struct config_options *options, struct config *ret_config,
		struct config_fault *ret_fault)
{
	struct config config = { 0 };
	struct loader l = { .config = &config, .options = options, .fault = ret_fault };
	int r = load_all(&l);

	if (r == 0)
		loader_warn_doubtful(&l);
	while (l.n_files > 0)
		free(l.files[--l.n_files]);
	if (r == 0)
		*ret_config = config;
	else
		config_deinit(&config);
	return r;
}

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void config_deinit(struct config *config)
{
	wipe(config->secret);
	wipe(config->master_key);
	for (size_t i = 0; i < config_n_keys; i++)
		config_key_clear(&config_keys[i], config);
	for (size_t i = 0; i < config->n_rules; i++) {
		free(config->rules[i].subject);
		free(config->rules[i].pattern);
	}
	free(config->rules);
	memset(config, 0, sizeof(*config));
}
