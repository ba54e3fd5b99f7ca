/* SPDX-License-Identifier: MIT */
/*
 * A file that is written whole or not at all: see newfile.h.
 */
#include <config.h>	/* _GNU_SOURCE: asprintf, mkostemp */

#include "clients/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Another content must not make it readable to more people than before. */
static mode_t choose_mode(const char *path, mode_t mode, bool *ret_is_special)
{
	mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	*ret_is_special = false;
	if (stat(path, &st) < 0)
		return mode & ~mask;
	*ret_is_special = !S_ISREG(st.st_mode);
	return st.st_mode & 07777;
}

/* What a link leads to (/dev/stdout is one) is replaced, not the link. */
static const char *target_of(const struct newfile *file)
{
	return file->target ? file->target : file->path;
}

static int open_temp(struct newfile *file, mode_t mode)
{
	int fd, r;

	if (asprintf(&file->temp, "%s.XXXXXX", target_of(file)) < 0) {
		file->temp = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(file->temp, O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		free(file->temp);
		file->temp = NULL;
		return r;
	}
	file->f = fchmod(fd, mode) == 0 ? fdopen(fd, "w") : NULL;
	if (file->f)
		return 0;
	r = -errno;
	close(fd);
	return r;
}

int newfile_open(const char *path, mode_t mode, struct newfile *ret_file)
{
	struct newfile file = { .path = path, .target = realpath(path, NULL) };
	bool is_special;
	int r = 0;

	mode = choose_mode(path, mode, &is_special);
	if (is_special) {
		file.f = fopen(path, "we");
		r = file.f ? 0 : -errno;
	} else {
		r = open_temp(&file, mode);
	}
	if (r < 0)
		newfile_deinit(&file);
	else
		*ret_file = file;
	return r;
}

int newfile_commit(struct newfile *file)
{
	bool failed = ferror(file->f) || fflush(file->f) != 0 ||
		      (file->temp && fsync(fileno(file->f)) < 0);
	int r = failed ? -(errno ? errno : EIO) : 0;

	if (fclose(file->f) != 0 && r == 0)
		r = -errno;
	file->f = NULL;
	if (r == 0 && file->temp && rename(file->temp, target_of(file)) < 0)
		r = -errno;
	if (r == 0) {
		free(file->temp);
		file->temp = NULL;
	}
	return r;
}

void newfile_deinit(struct newfile *file)
{
	if (file->f)
		fclose(file->f);
	if (file->temp)
		unlink(file->temp);
	free(file->temp);
	free(file->target);
	*file = (struct newfile)NEWFILE_NULL;
}
