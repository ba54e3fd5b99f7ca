/* SPDX-License-Identifier: MIT */
/*
 * What the run of a command means for the caller: a result, or an error with its details.
 */
#ifndef CHAPI_CLIENTS_ANSWER_H
#define CHAPI_CLIENTS_ANSWER_H

#include "clients/command.h"
#include "libchapi-ipc/chapi-ipc.h"

/* How output becomes a result. */
struct answer_form {
	bool json, text;	/* JSON only, text only; neither: JSON, text or bytes */
	bool raw;		/* a run is answered as its end and its output */
	bool last_line;		/* the last line only */
	bool own_limit;		/* a command that is late was so by our limit, not the caller's */
	size_t output_max;
};

/* All of them answer the request, which is gone then. */
void answer_end(chapi_request *request, const struct command_end *end,
		const struct answer_form *form);
/* It has not run: busy if that may go well later, else failed_precondition. error: an errno. */
void answer_not_started(chapi_request *request, const char *command, int error);
void answer_busy(chapi_request *request, const char *why);
void answer_invalid(chapi_request *request, const char *why);
/* One line of output; as JSON if it is that, else as text. */
void answer_progress(chapi_request *request, const char *line, size_t len,
		     const struct answer_form *form);

#endif
