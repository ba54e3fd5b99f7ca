/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that were handed over begin at 3. The variables are inherited by whoever is
 * started later, so they count for the process only whose number they name.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/passed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_FD 3

static int PRINTF(2, 3) unusable(struct passed_fault *fault, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(fault->text, sizeof(fault->text), fmt, args);
	va_end(args);
	return PASSED_E_UNUSABLE;
}

/* -1: it is not set, or no number. */
static long read_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long value;

	if (!text || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	value = strtol(text, &end, 10);
	return *end || errno != 0 ? -1 : value;
}

static int get_option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

static int check_socket(int fd, struct passed_fault *fault)
{
	if (get_option(fd, SO_DOMAIN) != AF_UNIX || get_option(fd, SO_TYPE) != SOCK_STREAM)
		return unusable(fault, "the service manager handed over something that is no Unix "
				"stream socket; the .socket unit has to say ListenStream=/PATH");
	if (get_option(fd, SO_ACCEPTCONN) != 1)
		return unusable(fault, "the service manager handed over a connection; "
				"the .socket unit has to say Accept=no");
	return 0;
}

static int set_flags(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

int passed_socket(int *ret_fd, struct passed_fault *ret_fault)
{
	long n = read_number("LISTEN_FDS");
	int r;

	*ret_fd = -1;
	if (n <= 0 || read_number("LISTEN_PID") != (long)getpid())
		return 0;
	if (n > 1)
		return unusable(ret_fault, "the service manager handed over %ld sockets, and one "
				"is expected; see the .socket unit", n);
	r = check_socket(FIRST_FD, ret_fault);
	if (r == 0)
		r = set_flags(FIRST_FD);
	if (r == 0)
		*ret_fd = FIRST_FD;
	return r;
}
