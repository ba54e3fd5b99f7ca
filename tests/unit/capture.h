/* SPDX-License-Identifier: MIT */
/*
 * Standard error is a file, for as long as a test writes: what came out is a text then.
 */
#ifndef CHAPI_TESTS_CAPTURE_H
#define CHAPI_TESTS_CAPTURE_H

/* Behind cmocka.h and what that needs. */
#include <stdio.h>
#include <unistd.h>

struct capture {
	int saved, fd;
	FILE *file;
};

static inline void capture_fd(struct capture *c, int fd)
{
	c->saved = dup(STDERR_FILENO);
	c->fd = fd;
	assert_true(c->saved >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
}

static inline void capture_begin(struct capture *c)
{
	c->file = tmpfile();
	assert_non_null(c->file);
	capture_fd(c, fileno(c->file));
}

static inline void capture_end(struct capture *c, char *ret, size_t len)
{
	ssize_t n = pread(c->fd, ret, len - 1, 0);

	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	fclose(c->file);
	assert_true(n >= 0);
	ret[n] = '\0';
}

/* Standard error is a file: what is written in these lines ends up in text. */
#define CAPTURED_INTO(text, len, ...) do { \
		struct capture capture_; \
		capture_begin(&capture_); \
		__VA_ARGS__; \
		capture_end(&capture_, text, len); \
	} while (0)
#define CAPTURED(text, ...) CAPTURED_INTO(text, sizeof(text), __VA_ARGS__)

#endif
