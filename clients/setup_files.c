/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl setup: its files.
 *
 * What is set up stands in a drop-in of its own, so that the rest of the configuration stays as
 * it is, and this one can be replaced whole. The secret is alone in a file that only its owner
 * may read; the service gets it as a credential, as it runs as somebody else.
 */
#include <config.h>	/* _GNU_SOURCE: asprintf */

#include "clients/setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clients/cli.h"
#include "clients/newfile.h"

#define UNIT_DROP_IN "/etc/systemd/system/chapi-gw.service.d/credential.conf"

/* ---- where ---- */

static char *join(const char *a, const char *b)
{
	char *text;

	return asprintf(&text, "%s%s", a, b) < 0 ? NULL : text;
}

/* $XDG_CONFIG_HOME, else ~/.config. NULL: no memory, or no home (errno EINVAL). */
static char *find_user_config(void)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && *config == '/')
		return strdup(config);
	if (home && *home == '/')
		return join(home, "/.config");
	errno = EINVAL;
	return NULL;
}

int setup_find_paths(const struct setup *setup, struct setup_paths *ret)
{
	const char *root = setup->root ? setup->root : "";
	char *config CLEANUP(cli_free) = NULL;
	struct setup_paths paths = { NULL, NULL, NULL };

	errno = ENOMEM;
	config = setup->user ? find_user_config() : strdup(PACKAGE_SYSCONFDIR);
	if (!config)
		return -errno;
	if (asprintf(&paths.settings, "%s%s/chapi/chapi-gw.conf.d/hub.conf", root, config) < 0)
		paths.settings = NULL;
	if (asprintf(&paths.secret, "%s%s/chapi/secret", root, config) < 0)
		paths.secret = NULL;
	if (!setup->user)
		paths.unit = join(root, UNIT_DROP_IN);
	if (!paths.settings || !paths.secret || (!paths.unit && !setup->user)) {
		setup_free_paths(&paths);
		return -ENOMEM;
	}
	*ret = paths;
	return 0;
}

void setup_free_paths(struct setup_paths *paths)
{
	free(paths->settings);
	free(paths->secret);
	free(paths->unit);
	*paths = (struct setup_paths){ NULL, NULL, NULL };
}

/* ---- what ---- */

static void put(FILE *out, const char *key, const char *value)
{
	if (value)
		fprintf(out, "%s = %s\n", key, value);
}

static void put_pusher(FILE *out, const struct setup *setup, const char *secret_file)
{
	fputs("[pusher]\n", out);
	put(out, "app_id", setup->app_id);
	put(out, "key", setup->key);
	put(out, "secret_file", secret_file);
	put(out, "cluster", setup->cluster);
	put(out, "host", setup->host);
	if (setup->port > 0)
		fprintf(out, "port = %d\n", (int)setup->port);
	if (setup->no_tls)
		put(out, "tls", "no");
	put(out, "ca_file", setup->ca_file);
}

void setup_put_settings(FILE *out, const struct setup *setup, const char *secret_file)
{
	put_pusher(out, setup, secret_file);
	fputs("\n[gateway]\n", out);
	put(out, "name", setup->name);
	if (setup->legacy)
		fprintf(out, "\n[remote]\n# the second one is the older library's; it is open to "
			"all who know the key\nchannel = private-chapi-%s chapi\n", setup->name);
}

/* ---- writing ---- */

/* The folders that a file lies in. */
static int make_folders(const char *path)
{
	char *folder CLEANUP(cli_free) = strdup(path);

	if (!folder)
		return -ENOMEM;
	for (char *p = strchr(folder + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(folder, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

static void put_secret(FILE *out, const struct setup *setup, const char *path UNUSED)
{
	fprintf(out, "%s\n", setup->secret);
}

static void put_settings(FILE *out, const struct setup *setup, const char *secret)
{
	fputs("# Written by `chapi-ctl setup`, which replaces all of it.\n", out);
	setup_put_settings(out, setup, setup->user ? secret : NULL);
}

static void put_unit(FILE *out, const struct setup *setup UNUSED, const char *secret)
{
	fprintf(out, "# Written by `chapi-ctl setup`, which replaces all of it.\n"
		"[Service]\nLoadCredential=pusher-secret:%s\n", secret);
}

typedef void (*put_fn)(FILE *out, const struct setup *setup, const char *secret);

static int write_content(const struct setup *setup, const char *path, mode_t mode,
			 const char *secret, put_fn fn)
{
	struct newfile file CLEANUP(newfile_deinit) = NEWFILE_NULL;
	int r = make_folders(path);

	if (r == 0)
		r = newfile_open(path, mode, &file);
	if (r == 0 && fchmod(fileno(file.f), mode) < 0)	/* whatever was there, and the umask */
		r = -errno;
	if (r < 0)
		return r;
	fn(file.f, setup, secret);
	return newfile_commit(&file);
}

static int write_one(const struct setup *setup, const char *path, mode_t mode, const char *secret,
		     put_fn fn)
{
	int r = write_content(setup, path, mode, secret, fn);

	if (r == 0) {
		cli_error("wrote %s", path);
		return 0;
	}
	cli_error("%s: %s%s", path, strerror(-r), r == -EACCES ? "; are you root? see --user" : "");
	return r == -EACCES || r == -EPERM ? chapi_exit_status(CHAPI_ERR_PERMISSION_DENIED)
					   : CLI_STATUS_OUTPUT;
}

/* The path as it is once the root is where it belongs. */
static const char *below_root(const struct setup *setup, const char *path)
{
	return setup->root ? path + strlen(setup->root) : path;
}

int setup_write(const struct setup *setup, const struct setup_paths *paths)
{
	const char *secret = below_root(setup, paths->secret);
	int status = write_one(setup, paths->secret, 0600, secret, put_secret);

	if (status == 0)
		status = write_one(setup, paths->settings, 0644, secret, put_settings);
	if (status == 0 && paths->unit)
		status = write_one(setup, paths->unit, 0644, secret, put_unit);
	return status;
}
