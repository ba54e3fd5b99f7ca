/* SPDX-License-Identifier: MIT */
/*
 * A connection that is made ahead: a socket that is asked for its state when it is taken, and not
 * before.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/spare.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

void spare_init(struct spare *spare)
{
	*spare = (struct spare){ .fd = -1 };
}

void spare_close(struct spare *spare)
{
	if (spare->fd >= 0)
		close(spare->fd);
	spare->fd = -1;
}

void spare_deinit(struct spare *spare)
{
	spare_close(spare);
	spare->address_len = 0;
}

static bool leads_to(const struct spare *spare, const struct sockaddr *address, socklen_t len)
{
	return spare->address_len == len && memcmp(&spare->address, address, len) == 0;
}

void spare_follow(struct spare *spare, int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	if (getpeername(fd, (struct sockaddr *)&address, &len) < 0 ||
	    leads_to(spare, (struct sockaddr *)&address, len))
		return;
	spare_deinit(spare);
	spare->address = address;
	spare->address_len = len;
}

bool spare_open(struct spare *spare)
{
	if (spare->fd >= 0)
		return true;
	if (spare->address_len == 0)
		return false;
	spare->fd = socket(spare->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (spare->fd < 0)
		return false;
	/* What stands at once is of no use: some versions of libcurl connect once more, which Linux
	 * allows where it has gone on meanwhile. */
	if (connect(spare->fd, (struct sockaddr *)&spare->address, spare->address_len) < 0 &&
	    errno == EINPROGRESS)
		return true;
	spare_close(spare);
	return false;
}

/* What poll() says of it: of one that stands, and is as new, only that it can be written to. */
static short state_of(const struct spare *spare)
{
	struct pollfd pfd = { .fd = spare->fd, .events = POLLIN | POLLOUT };

	return poll(&pfd, 1, 0) < 0 ? POLLERR : pfd.revents;
}

int spare_take(struct spare *spare, const struct sockaddr *address, socklen_t len)
{
	int fd = spare->fd;
	short state;

	if (fd < 0 || !leads_to(spare, address, len))
		return -1;
	state = state_of(spare);
	if (state == 0)		/* it does not stand yet */
		return -1;
	if (state == POLLOUT) {
		spare->fd = -1;
		return fd;
	}
	spare_close(spare);
	return -1;
}
