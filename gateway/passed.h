/* SPDX-License-Identifier: MIT */
/*
 * The local socket as the service manager hands it over: $LISTEN_PID and $LISTEN_FDS of
 * sd_listen_fds(3), read directly. Whether it is one that can be used is told here; what is
 * done with it is listener.h.
 */
#ifndef CHAPI_PASSED_H
#define CHAPI_PASSED_H

#include "common/common.h"

struct passed_fault {
	char text[200];		/* one line: what is wrong and what helps */
};

enum { PASSED_E_UNUSABLE = 1 };

/* 0 and the descriptor, -1 if none was handed over; -errno; or PASSED_E_UNUSABLE and ret_fault. */
int passed_socket(int *ret_fd, struct passed_fault *ret_fault) MUST_CHECK;

#endif
