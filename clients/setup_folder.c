/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl setup: the folder that a trial is made in: see setup_folder.h.
 */
#include <config.h>	/* _GNU_SOURCE: asprintf */

#include "clients/setup_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli.h"

#define LAST "~trial.conf"	/* in order of name, behind any other */

static char *join(const char *folder, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* ---- the files in it ---- */

/* NULL: errno says why. */
static FILE *create(const char *folder, const char *name)
{
	char *path CLEANUP(cli_free) = join(folder, name);
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;

	return fd < 0 ? NULL : fdopen(fd, "w");
}

static int close_written(FILE *out)
{
	return fclose(out) != 0 ? -errno : 0;
}

static int write_secret(const struct setup_folder *f, const struct setup *setup)
{
	FILE *out = create(f->path, "pusher-secret");

	if (!out)
		return -errno;
	fprintf(out, "%s\n", setup->secret);
	return close_written(out);
}

static int write_settings(const struct setup_folder *f, const struct setup *setup,
			  const char *name)
{
	FILE *out = create(f->drop_ins, name);

	if (!out)
		return -errno;
	setup_put_settings(out, setup, f->is_credential ? NULL : f->secret);
	return close_written(out);
}

/*
 * By its real name it would be taken for the gateway that runs already. It must not answer what
 * is none of its business, and may publish to itself and watch that.
 */
static int write_last(const struct setup_folder *f, uint64_t random)
{
	FILE *out = create(f->drop_ins, LAST);

	if (!out)
		return -errno;
	fprintf(out, "[gateway]\nname = setup-%08x\n\n", (unsigned int)random);
	fprintf(out, "[remote]\nchannel = %s\nanswer_unknown = no\n", f->channel);
	fputs("request_event = request\nresponse_event = response\n\n[policy]\n"
	      "publish = * private-chapi-setup-*\nmonitor = * *\ncall = * chapi.ping\n", out);
	return close_written(out);
}

/* ---- links to what is there ---- */

static int link_config(const struct setup_folder *f)
{
	char *real CLEANUP(cli_free) = realpath(f->real_config, NULL);

	if (!real && errno != ENOENT && errno != ENOTDIR)
		return -errno;
	return symlink(real ? real : "/dev/null", f->config) < 0 ? -errno : 0;
}

static int link_drop_in(const struct setup_folder *f, const char *folder, const char *name)
{
	char *there CLEANUP(cli_free) = join(folder, name);
	char *here CLEANUP(cli_free) = join(f->drop_ins, name);
	char *real CLEANUP(cli_free) = there ? realpath(there, NULL) : NULL;

	if (!here || !there)
		return -ENOMEM;
	return !real || symlink(real, here) < 0 ? -errno : 0;
}

/* All but the one that is to be replaced. */
static int link_drop_ins(const struct setup_folder *f, const char *folder, const char *replaced)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, replaced) != 0)
			r = link_drop_in(f, folder, entry->d_name);
	closedir(dir);
	return r;
}

/* ---- the whole ---- */

static int open_folder(struct setup_folder *f, uint64_t *ret_random)
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp || strlen(tmp) > sizeof(f->path) - sizeof("/chapi-setup-XXXXXX"))
		tmp = "/tmp";
	snprintf(f->path, sizeof(f->path), "%s/chapi-setup-XXXXXX", tmp);
	if (!mkdtemp(f->path)) {
		f->path[0] = '\0';
		return -errno;
	}
	if (getrandom(ret_random, sizeof(*ret_random), 0) != sizeof(*ret_random))
		return -EIO;
	snprintf(f->channel, sizeof(f->channel), "private-chapi-setup-%016llx",
		 (unsigned long long)*ret_random);
	f->config = join(f->path, "chapi-gw.conf");
	f->drop_ins = join(f->path, "chapi-gw.conf.d");
	f->secret = join(f->path, "pusher-secret");
	f->socket = join(f->path, "gw.sock");
	f->log = join(f->path, "log");
	if (!f->config || !f->drop_ins || !f->secret || !f->socket || !f->log)
		return -ENOMEM;
	return mkdir(f->drop_ins, 0700) < 0 ? -errno : 0;
}

/* settings is .../chapi-gw.conf.d/NAME. */
static int fill(struct setup_folder *f, const struct setup *setup, const char *settings,
		uint64_t random)
{
	const char *name = strrchr(settings, '/') + 1;
	char *folder CLEANUP(cli_free) = strndup(settings, (size_t)(name - 1 - settings));
	int r;

	if (folder)
		f->real_config = strndup(folder, strlen(folder) - strlen(".d"));
	if (!f->real_config)
		return -ENOMEM;
	r = link_config(f);
	if (r == 0)
		r = link_drop_ins(f, folder, name);
	if (r == 0)
		r = write_settings(f, setup, name);
	return r == 0 ? write_last(f, random) : r;
}

int setup_folder_make(const struct setup *setup, const struct setup_paths *paths,
		      struct setup_folder *f)
{
	uint64_t random;
	int r;

	*f = (struct setup_folder){ .is_credential = !setup->user };
	r = open_folder(f, &random);
	if (r == 0)
		r = write_secret(f, setup);
	return r == 0 ? fill(f, setup, paths->settings, random) : r;
}

static void remove_drop_ins(const struct setup_folder *f)
{
	DIR *dir = f->drop_ins ? opendir(f->drop_ins) : NULL;
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		(void)unlinkat(dirfd(dir), entry->d_name, 0);	/* "." and ".." stay */
	if (dir)
		closedir(dir);
	if (f->drop_ins)
		rmdir(f->drop_ins);
}

static void remove_file(char *path)
{
	if (path)
		unlink(path);
	free(path);
}

void setup_folder_remove(struct setup_folder *f)
{
	remove_drop_ins(f);
	remove_file(f->config);
	remove_file(f->secret);
	remove_file(f->socket);
	remove_file(f->log);
	if (f->path[0])
		rmdir(f->path);
	free(f->drop_ins);
	free(f->real_config);
	*f = (struct setup_folder){ .config = NULL };
}

char *setup_folder_translate(const struct setup_folder *f, const char *line)
{
	char *text = NULL;
	const char *found;
	size_t len;
	FILE *out = f->config && f->real_config ? open_memstream(&text, &len) : NULL;

	if (!out)
		return NULL;
	while ((found = strstr(line, f->config))) {
		fprintf(out, "%.*s%s", (int)(found - line), line, f->real_config);
		line = found + strlen(f->config);
	}
	fputs(line, out);
	fclose(out);
	return text;
}
