/* SPDX-License-Identifier: MIT */
/*
 * The codes of errors: name, whether the function ran, exit status, sentence. One table.
 *
 * The public face of it is in chapi-ipc.h (chapi_strerror() and its like).
 */
#ifndef CHAPI_ERROR_H
#define CHAPI_ERROR_H

#include "chapi-ipc.h"
#include "common/common.h"

struct error_info {
	int code;		/* CHAPI_ERR_*, 1 to 63 */
	const char *name;
	enum chapi_ran ran;	/* unless the one who reports knows better */
	int exit_status;
	const char *sentence;
};

/* Never NULL: CHAPI_ERR_INTERNAL's for a code that is not in the table. */
const struct error_info *error_info(int code);
/* NULL for a name that is not in the table. */
const struct error_info *error_info_by_name(struct span name);

#endif
