/* SPDX-License-Identifier: MIT */
/*
 * What the run of a command means for the caller: see answer.h.
 *
 * Output that is one JSON value is that value; other text is a text, without its last newline;
 * what is no text is bytes. The details of an error are {status, signal, stdout, stderr}.
 */
#include <config.h>	/* _GNU_SOURCE: memrchr */

#include "clients/answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "clients/cli.h"
#include "clients/utf8.h"
#include "libchapi-ipc/chapi-ipc-msgpack.h"

#define DETAIL_MAX ((size_t)8 << 10)	/* of the end of an output */
#define LINE_MAX_LEN 200		/* of standard error, in the message */

/* ---- results ---- */

static int pack_output(msgpack_packer *packer, const char *out, size_t len)
{
	int r;

	if (!utf8_is_valid(out, len)) {
		r = msgpack_pack_bin(packer, len);
		return r < 0 ? r : msgpack_pack_bin_body(packer, out, len);
	}
	if (len > 0 && out[len - 1] == '\n')
		len--;
	r = msgpack_pack_str(packer, len);
	return r < 0 ? r : msgpack_pack_str_body(packer, out ? out : "", len);
}

static void answer_text(chapi_request *request, const char *out, size_t len)
{
	msgpack_packer packer;
	msgpack_sbuffer value;

	msgpack_sbuffer_init(&value);
	msgpack_packer_init(&packer, &value, msgpack_sbuffer_write);
	if (pack_output(&packer, out, len) < 0)
		chapi_request_drop(request);
	else
		(void)chapi_answer_sbuffer(request, &value);
	msgpack_sbuffer_destroy(&value);
}

static void answer_output(chapi_request *request, const char *out, size_t len)
{
	void *value CLEANUP(cli_free) = NULL;
	size_t value_len;

	if (chapi_json_to_msgpack(out ? out : "", len, &value, &value_len, NULL, 0) == 0)
		(void)chapi_answer(request, value, value_len);
	else
		answer_text(request, out, len);
}

/* ---- errors ---- */

/* The end of an output, fit for JSON. NULL: no memory. */
static json_t *make_tail(const char *text, size_t len)
{
	size_t tail_len = len < DETAIL_MAX ? len : DETAIL_MAX;
	char tail[DETAIL_MAX];

	if (tail_len > 0)
		memcpy(tail, text + len - tail_len, tail_len);
	utf8_mend(tail, tail_len);
	return json_stringn(tail, tail_len);
}

static json_t *make_number(bool is_there, int number)
{
	return is_there ? json_integer(number) : json_null();
}

/* NULL: no memory; the error is told without them. */
static char *make_details(const struct command_end *end)
{
	json_t *details = json_pack("{s:o, s:o, s:o, s:o}",
				    "status", make_number(end->status >= 0, end->status),
				    "signal", make_number(end->signal > 0, end->signal),
				    "stdout", make_tail(end->out, end->out_len),
				    "stderr", make_tail(end->err, end->err_len));
	char *text = details ? json_dumps(details, JSON_COMPACT) : NULL;

	json_decref(details);
	return text;
}

static void answer_error(chapi_request *request, const struct command_end *end, const char *code,
			 char *message)
{
	char *details CLEANUP(cli_free) = make_details(end);

	utf8_make_line(message, strlen(message));
	(void)chapi_answer_error(request, code, message, details);
}

/* The last line of standard error that says something: usually the reason. */
static const char *last_line(const struct command_end *end, int *ret_len)
{
	const char *line;
	size_t len = end->err_len;

	while (len > 0 && strchr(" \t\r\n", end->err[len - 1]))
		len--;
	line = len > 0 ? memrchr(end->err, '\n', len) : NULL;
	line = line ? line + 1 : end->err;
	len -= (size_t)(line - end->err);
	*ret_len = len < LINE_MAX_LEN ? (int)len : LINE_MAX_LEN;
	return line;
}

static void answer_failure(chapi_request *request, const struct command_end *end)
{
	char how[80], message[sizeof(how) + LINE_MAX_LEN + 4];
	int len;
	const char *line = last_line(end, &len);

	if (end->signal > 0)
		snprintf(how, sizeof(how), "ended by signal %d (%s)", end->signal,
			 strsignal(end->signal));
	else
		snprintf(how, sizeof(how), "exit status %d", end->status);
	snprintf(message, sizeof(message), "%s%s%.*s", how, len > 0 ? ": " : "", len, line);
	answer_error(request, end, NULL, message);
}

void answer_end(chapi_request *request, const struct command_end *end)
{
	char message[100];

	switch (end->why) {
	case COMMAND_BY_ITSELF:
		if (end->status == 0)
			answer_output(request, end->out, end->out_len);
		else
			answer_failure(request, end);
		return;
	case COMMAND_TOO_LARGE:
		snprintf(message, sizeof(message), "the output is larger than %zu bytes",
			 end->out_len > 0 ? end->out_len - 1 : 0);
		answer_error(request, end, "too_large", message);
		return;
	case COMMAND_LATE:
		snprintf(message, sizeof(message), "the command was ended: its time was over");
		answer_error(request, end, "cancelled", message);
		return;
	case COMMAND_STOPPED:
		snprintf(message, sizeof(message),
			 "the command was ended: chapi-serve has to stop");
		answer_error(request, end, "cancelled", message);
		return;
	}
}

void answer_not_started(chapi_request *request, const char *command, int error)
{
	const struct command_end none = { .status = -1 };
	bool may_pass = error == EAGAIN || error == EMFILE || error == ENFILE || error == ENOMEM;
	char message[300];

	snprintf(message, sizeof(message), "%.200s cannot be started: %s", command,
		 strerror(error));
	answer_error(request, &none, may_pass ? "busy" : NULL, message);
}

void answer_busy(chapi_request *request, const char *why)
{
	(void)chapi_answer_error(request, "busy", why, NULL);
}
