/* SPDX-License-Identifier: MIT */
/*
 * The file that holds the app's secret: one word, and nobody else has a right to it. chapi-gw and
 * chapi-hub read it by the same rules, so that both can share one.
 */
#ifndef CHAPI_SECRET_H
#define CHAPI_SECRET_H

#include "common/common.h"

#define SECRET_LEN_MAX 512

struct secret {
	/* Room for CR, LF, one that is too many, and NUL. Wipe it after use. */
	char text[SECRET_LEN_MAX + 4];
};

enum { SECRET_E_UNREADABLE = 1, SECRET_E_UNFIT };

/* 0, or an outcome; then *ret_why (static, or strerror()'s) says what is wrong. */
int secret_read(const char *path, struct secret *ret, const char **ret_why) MUST_CHECK;

#endif
