/* SPDX-License-Identifier: MIT */
/*
 * Lines for a terminal: see wrap.h.
 */
#include "clients/wrap.h"

#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define USUAL 80
#define LEAST 10		/* a terminal that says less has not been told its size */

size_t wrap_columns(int fd)
{
	struct winsize size = { 0 };

	if (!isatty(fd))
		return SIZE_MAX;
	return ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col < LEAST ? USUAL : size.ws_col;
}

static size_t count_chars(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

size_t wrap_len(const char *text, size_t columns)
{
	size_t len = strcspn(text, " "), taken = count_chars(text, len), more;

	while (text[len]) {
		more = 1 + strcspn(text + len + 1, " ");
		taken += count_chars(text + len, more);
		if (taken > columns)
			break;
		len += more;
	}
	return len;
}
