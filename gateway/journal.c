/* SPDX-License-Identifier: MIT */
/*
 * One datagram for each message: a line NAME=VALUE for each field. (Values of several lines have
 * another form there, and none of ours has them.) A socket is made for each message: there are few,
 * and so nothing has to be kept.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/journal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX 4096

static int put_fields(const struct journal_field *fields, size_t n, char *ret, size_t *ret_len)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int more = snprintf(ret + len, MESSAGE_MAX - len, "%s=%s\n", fields[i].name,
				    fields[i].value);

		if (more < 0 || (size_t)more >= MESSAGE_MAX - len)
			return -EMSGSIZE;
		len += (size_t)more;
	}
	*ret_len = len;
	return 0;
}

static int send_to(const char *path, const char *text, size_t len)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = sendto(fd, text, len, MSG_NOSIGNAL, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ?
		-errno : 0;
	close(fd);
	return r;
}

int journal_send(const char *path, const struct journal_field *fields, size_t n)
{
	char text[MESSAGE_MAX];
	size_t len;
	int r = put_fields(fields, n, text, &len);

	return r == 0 ? send_to(path, text, len) : r;
}
