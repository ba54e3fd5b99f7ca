/* SPDX-License-Identifier: MIT */
/*
 * What the run of a command means for the caller: see answer.h.
 *
 * Unless the form says otherwise, output that is one JSON value is that value; other text is a
 * text, without its last newline; what is no text is bytes. The details of an error are
 * {status, signal, stdout, stderr}; so is the result of a run that was asked for as it is, whose
 * outputs are not cut, mended or converted.
 */
#include <config.h>	/* _GNU_SOURCE: memrchr */

#include "clients/answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/cli.h"
#include "clients/mend.h"
#include "common/utf8.h"
#include "libchapi-ipc/chapi-ipc-msgpack.h"

#define DETAIL_MAX ((size_t)8 << 10)	/* of the end of an output */
#define LINE_MAX_LEN 200		/* of standard error, in the message */

/* ---- results ---- */

static int pack_output(msgpack_packer *packer, const char *out, size_t len)
{
	int r;

	if (!utf8_is_valid(span_of(out, len))) {
		r = msgpack_pack_bin(packer, len);
		return r < 0 ? r : msgpack_pack_bin_body(packer, out, len);
	}
	if (len > 0 && out[len - 1] == '\n')
		len--;
	r = msgpack_pack_str(packer, len);
	return r < 0 ? r : msgpack_pack_str_body(packer, out ? out : "", len);
}

/* Negative: no memory. */
static int make_text(const char *out, size_t len, void **ret_value, size_t *ret_len)
{
	msgpack_packer packer;
	msgpack_sbuffer value;
	int r;

	msgpack_sbuffer_init(&value);
	msgpack_packer_init(&packer, &value, msgpack_sbuffer_write);
	r = pack_output(&packer, out, len);
	*ret_len = value.size;
	*ret_value = msgpack_sbuffer_release(&value);
	return r;
}

/* Negative: it is not what the form wants (fault says so), or no memory (fault is empty). */
static int make_value(struct span out, const struct answer_form *form, void **ret_value,
		      size_t *ret_len, char *fault, size_t fault_len)
{
	const char *text = out.p ? (const char *)out.p : "";
	int r;

	*fault = '\0';
	if (form->text && !utf8_is_valid(out)) {
		snprintf(fault, fault_len, "not UTF-8");
		return -1;
	}
	if (!form->text) {
		r = chapi_json_to_msgpack(text, out.len, ret_value, ret_len, fault, fault_len);
		if (r == 0 || form->json)
			return r;
	}
	*fault = '\0';
	return make_text(text, out.len, ret_value, ret_len);
}

void answer_progress(chapi_request *request, const char *line, size_t len,
		     const struct answer_form *form)
{
	void *value CLEANUP(cli_free) = NULL;
	char fault[200];
	size_t value_len;

	if (make_value(span_of(line, len), form, &value, &value_len, fault, sizeof(fault)) == 0)
		(void)chapi_progress(request, value, value_len);
}

/* ---- a run ---- */

static int pack_key(msgpack_packer *packer, const char *key)
{
	int r = msgpack_pack_str(packer, strlen(key));

	return r < 0 ? r : msgpack_pack_str_body(packer, key, strlen(key));
}

static int pack_number(msgpack_packer *packer, const char *key, bool is_there, int number)
{
	int r = pack_key(packer, key);

	if (r < 0)
		return r;
	return is_there ? msgpack_pack_int(packer, number) : msgpack_pack_nil(packer);
}

/* The end of an output as a text that people can read. */
static int pack_tail(msgpack_packer *packer, const char *out, size_t len)
{
	size_t tail_len = len < DETAIL_MAX ? len : DETAIL_MAX;
	char tail[DETAIL_MAX];
	int r;

	if (tail_len > 0)
		memcpy(tail, out + len - tail_len, tail_len);
	mend_text(tail, tail_len);
	r = msgpack_pack_str(packer, tail_len);
	return r < 0 ? r : msgpack_pack_str_body(packer, tail, tail_len);
}

/* Byte for byte: a text, or what is none as bytes. */
static int pack_exactly(msgpack_packer *packer, const char *out, size_t len)
{
	bool is_text = utf8_is_valid(span_of(out, len));
	int r = is_text ? msgpack_pack_str(packer, len) : msgpack_pack_bin(packer, len);

	return r < 0 || len == 0 ? r : msgpack_pack_str_body(packer, out, len);
}

static int pack_outputs(msgpack_packer *packer, const struct command_end *end,
			const struct answer_form *form)
{
	int (*pack)(msgpack_packer *, const char *, size_t) = form->raw ? pack_exactly : pack_tail;
	bool last = form->raw && form->last_line;
	int r = pack_key(packer, "stdout");

	if (r == 0)
		r = last ? pack(packer, end->last, end->last_len)
			 : pack(packer, end->out, end->out_len);
	if (r == 0)
		r = pack_key(packer, "stderr");
	return r < 0 ? r : pack(packer, end->err, end->err_len);
}

/* {status, signal, stdout, stderr}. Negative: no memory. */
static int make_run(const struct command_end *end, const struct answer_form *form,
		    msgpack_sbuffer *value)
{
	msgpack_packer packer;
	int r;

	msgpack_packer_init(&packer, value, msgpack_sbuffer_write);
	r = msgpack_pack_map(&packer, 4);
	if (r == 0)
		r = pack_number(&packer, "status", end->status >= 0, end->status);
	if (r == 0)
		r = pack_number(&packer, "signal", end->signal > 0, end->signal);
	return r < 0 ? r : pack_outputs(&packer, end, form);
}

/* ---- errors ---- */

/* NULL: no memory; the error is told without them. */
static char *make_details(const struct command_end *end, const struct answer_form *form)
{
	msgpack_sbuffer value CLEANUP(msgpack_sbuffer_destroy);
	char *text = NULL;
	size_t len;

	msgpack_sbuffer_init(&value);
	if (make_run(end, form, &value) < 0 ||
	    chapi_msgpack_to_json(value.data, value.size, false, &text, &len, NULL, 0) < 0)
		return NULL;
	return text;
}

static void answer_error(chapi_request *request, const struct command_end *end,
			 const struct answer_form *form, const char *code, char *message)
{
	char *details CLEANUP(cli_free) = make_details(end, form);

	mend_line(message, strlen(message));
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

static void answer_failure(chapi_request *request, const struct command_end *end,
			   const struct answer_form *form)
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
	answer_error(request, end, form, NULL, message);
}

static void answer_output(chapi_request *request, const struct command_end *end,
			  const struct answer_form *form)
{
	void *value CLEANUP(cli_free) = NULL;
	struct span out = form->last_line ? span_of(end->last, end->last_len) :
					    span_of(end->out, end->out_len);
	char fault[200], message[sizeof(fault) + 80];
	size_t value_len;

	if (make_value(out, form, &value, &value_len, fault, sizeof(fault)) == 0) {
		(void)chapi_answer(request, value, value_len);
		return;
	}
	snprintf(message, sizeof(message), "the output is not %s: %s",
		 form->json ? "JSON" : "text", *fault ? fault : strerror(ENOMEM));
	answer_error(request, end, form, "bad_reply", message);
}

static void answer_run(chapi_request *request, const struct command_end *end,
		       const struct answer_form *form)
{
	msgpack_sbuffer value CLEANUP(msgpack_sbuffer_destroy);
	char message[80];

	msgpack_sbuffer_init(&value);
	if (make_run(end, form, &value) == 0) {
		(void)chapi_answer(request, value.data, value.size);
		return;
	}
	snprintf(message, sizeof(message), "the output cannot be told: %s", strerror(ENOMEM));
	answer_error(request, end, form, "bad_reply", message);
}

static void answer_late(chapi_request *request, const struct command_end *end,
			const struct answer_form *form)
{
	char own[] = "the command was ended: it took longer than it may";
	char callers[] = "the command was ended: the caller's time was over";

	answer_error(request, end, form, form->own_limit ? "timeout" : "cancelled",
		     form->own_limit ? own : callers);
}

void answer_end(chapi_request *request, const struct command_end *end,
		const struct answer_form *form)
{
	char message[100];

	switch (end->why) {
	case COMMAND_BY_ITSELF:
		if (end->status != 0)
			answer_failure(request, end, form);
		else if (form->raw)
			answer_run(request, end, form);
		else
			answer_output(request, end, form);
		return;
	case COMMAND_TOO_LARGE:
		snprintf(message, sizeof(message), "%s is larger than %zu bytes",
			 form->last_line ? "a line of the output" : "the output", form->output_max);
		answer_error(request, end, form, "too_large", message);
		return;
	case COMMAND_LATE:
		answer_late(request, end, form);
		return;
	case COMMAND_STOPPED:
		snprintf(message, sizeof(message),
			 "the command was ended: it was cancelled, or chapi-serve has to stop");
		answer_error(request, end, form, "cancelled", message);
		return;
	}
}

/* It is not there, or is nothing that can be run: no later call goes better by itself. */
static bool is_lasting(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES || error == ENOEXEC ||
	       error == EISDIR || error == ELOOP || error == EPERM || error == ELIBBAD;
}

void answer_not_started(chapi_request *request, const char *command, int error)
{
	char message[300];

	snprintf(message, sizeof(message), "%.200s cannot be started: %s", command,
		 strerror(error));
	mend_line(message, strlen(message));
	if (is_lasting(error))
		(void)chapi_answer_error(request, "failed_precondition", message, NULL);
	else
		answer_busy(request, message);
}

void answer_invalid(chapi_request *request, const char *why)
{
	char line[300];

	snprintf(line, sizeof(line), "%s", why);
	mend_line(line, strlen(line));
	(void)chapi_answer_error(request, "invalid_argument", line, NULL);
}

void answer_busy(chapi_request *request, const char *why)
{
	(void)chapi_answer_error(request, "busy", why, NULL);
}
