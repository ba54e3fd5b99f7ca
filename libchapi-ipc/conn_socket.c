/* SPDX-License-Identifier: MIT */
/*
 * The gateway's socket: where it is, and a connection to it.
 */
#include "libchapi-ipc/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_S 5

static int path_copy(const char *path, char *ret_path, size_t size)
{
	size_t len = strlen(path);

	if (len == 0 || len >= size)
		return -CHAPI_ERR_PATH;
	memcpy(ret_path, path, len + 1);
	return 0;
}

static int path_of_user(char *ret_path, size_t size)
{
	const char *folder = getenv("XDG_RUNTIME_DIR");
	int n;

	if (!folder || folder[0] == '\0')
		return -CHAPI_ERR_PATH;
	n = snprintf(ret_path, size, "%s/chapi/gw.sock", folder);
	if (n < 0 || (size_t)n >= size || access(ret_path, F_OK) < 0)
		return -CHAPI_ERR_PATH;
	return 0;
}

int chapi_find_socket(const char *path, char *ret_path, size_t size)
{
	const char *named = path ? path : getenv("CHAPI_SOCKET");

	if (path || (named && named[0] != '\0'))
		return path_copy(named, ret_path, size);
	if (path_of_user(ret_path, size) == 0)
		return 0;
	return path_copy(CHAPI_DEFAULT_SOCKET, ret_path, size);
}

static int connect_error(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
	case ENOTSOCK:
		return -CHAPI_ERR_NO_GATEWAY;
	case EACCES:
	case EPERM:
		return -CHAPI_ERR_ACCESS;
	case ENAMETOOLONG:
		return -CHAPI_ERR_PATH;
	case ENOMEM:
	case ENOBUFS:
		return -CHAPI_ERR_NOMEM;
	case EAGAIN:		/* its queue of new connections stayed full */
		errno = ETIMEDOUT;
		return -CHAPI_ERR_SYSTEM;
	default:
		return -CHAPI_ERR_SYSTEM;
	}
}

static int socket_connect(int fd, const char *path)
{
	const struct timeval limit = { .tv_sec = CONNECT_TIMEOUT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r;

	memcpy(address.sun_path, path, strlen(path) + 1);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return connect_error(errno);
	do
		r = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	while (r < 0 && errno == EINTR);
	return r < 0 ? connect_error(errno) : 0;
}

int conn_open_socket(const char *path, int flags, int *ret_fd)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	int r, saved;

	if (fd < 0)
		return connect_error(errno);
	r = socket_connect(fd, path);
	if (r < 0) {
		saved = errno;
		close(fd);
		errno = saved;
		return r;
	}
	*ret_fd = fd;
	return 0;
}
