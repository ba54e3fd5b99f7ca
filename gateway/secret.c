/* SPDX-License-Identifier: MIT */
/*
 * The file that holds the app's secret: see secret.h.
 */
#include "gateway/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/fd.h"

/* Why the file cannot be used for a secret; NULL: it can. */
static const char *refuse_file(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "it is no regular file";
	return st.st_mode & 07 ? "others have a right to it; use: chmod o= FILE" : NULL;
}

/* Why text is no secret; NULL: it is one, and its line end is gone. */
static const char *trim(char *text, size_t len)
{
	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len > 0 && text[len - 1] == '\r')
		len--;
	if (len == 0)
		return "it is empty";
	if (len > SECRET_LEN_MAX)
		return "it is too long for a secret";
	if (memchr(text, '\n', len))
		return "it has more than one line";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f)
			return "a secret is one word of printable ASCII characters";
	text[len] = '\0';
	return NULL;
}

int secret_read(const char *path, struct secret *ret, const char **ret_why)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t len = 0;
	ssize_t n;

	if (fd < 0) {
		*ret_why = strerror(errno);
		return SECRET_E_UNREADABLE;
	}
	*ret_why = refuse_file(fd);
	if (*ret_why)
		return SECRET_E_UNFIT;
	/* Unbuffered, so that no copy is left behind. */
	while ((n = read(fd, ret->text + len, sizeof(ret->text) - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0) {
		*ret_why = strerror(errno);
		return SECRET_E_UNREADABLE;
	}
	*ret_why = trim(ret->text, len);
	return *ret_why ? SECRET_E_UNFIT : 0;
}
