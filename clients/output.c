/* SPDX-License-Identifier: MIT */
/*
 * Replies, printed: see output.h.
 *
 * All values are converted by the library. The one thing composed here is the record of a call
 * that ended without one, as when the gateway went away.
 */
#include "clients/output.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "clients/cli.h"
#include "libchapi-ipc/chapi-ipc-msgpack.h"

/* ---- values ---- */

/* In JSON control characters are escaped, but for DEL and U+0080 to U+009F (C1): their length. */
static size_t obeyed_len(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;

	if (p[0] == 0x7f)
		return 1;
	return len > 1 && p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0 ? 2 : 0;
}

/* Escapes those too. What stands between them is written at once. */
static void print_for_terminal(FILE *out, const char *text, size_t len)
{
	const char *end = text + len, *from = text;
	size_t n;

	while (text < end) {
		n = obeyed_len(text, (size_t)(end - text));
		if (n == 0) {
			text++;
			continue;
		}
		fwrite(from, 1, (size_t)(text - from), out);
		text += n;
		fprintf(out, "\\u%04x", (unsigned char)text[-1]);
		from = text;
	}
	fwrite(from, 1, (size_t)(end - from), out);
}

static int print_line(FILE *out, const char *text, size_t len, bool terminal)
{
	if (terminal)
		print_for_terminal(out, text, len);
	else
		fwrite(text, 1, len, out);
	putc('\n', out);
	return 0;
}

static int print_value(FILE *out, const void *value, size_t len, bool terminal)
{
	char *text CLEANUP(cli_free) = NULL;
	char fault[200];
	size_t text_len;
	int r = chapi_msgpack_to_json(value, len, terminal, &text, &text_len, fault,
				      sizeof(fault));

	if (r == -CHAPI_ERR_NOMEM)
		return cli_fail("the answer cannot be printed", r);
	if (r < 0) {
		cli_error("the answer cannot be printed as JSON: %s (bad_reply; it ran)", fault);
		return chapi_exit_status(CHAPI_ERR_BAD_REPLY);
	}
	return print_line(out, text, text_len, terminal);
}

int output_line(const char *text, size_t len)
{
	return print_line(stdout, text, len, isatty(STDOUT_FILENO));
}

int output_value(const void *value, size_t len)
{
	return output_value_to(stdout, value, len);
}

int output_value_to(FILE *out, const void *value, size_t len)
{
	return print_value(out, value, len, isatty(fileno(out)));
}

static void put_bytes(FILE *out, const char *p, size_t len)
{
	if (len > 0)
		fwrite(p, 1, len, out);
}

static int print_raw(FILE *out, const msgpack_object *object, const void *value, size_t len)
{
	const msgpack_object_str *text = &object->via.str;

	if (object->type == MSGPACK_OBJECT_BIN) {
		put_bytes(out, object->via.bin.ptr, object->via.bin.size);
		return 0;
	}
	if (object->type != MSGPACK_OBJECT_STR)
		return output_value_to(out, value, len);
	put_bytes(out, text->ptr, text->size);
	if (text->size == 0 || text->ptr[text->size - 1] != '\n')
		putc('\n', out);
	return 0;
}

int output_raw_to(FILE *out, const void *value, size_t len)
{
	msgpack_unpacked unpacked;
	int status;

	msgpack_unpacked_init(&unpacked);
	if (chapi_unpack(value, len, &unpacked) < 0)
		status = cli_fail("the answer cannot be printed", -CHAPI_ERR_NOMEM);
	else
		status = print_raw(out, &unpacked.data, value, len);
	msgpack_unpacked_destroy(&unpacked);
	return status;
}

void output_progress(const void *value, size_t len)
{
	char *text CLEANUP(cli_free) = NULL;
	size_t text_len;

	if (chapi_msgpack_to_json(value, len, false, &text, &text_len, NULL, 0) == 0)
		print_line(stderr, text, text_len, isatty(STDERR_FILENO));
	else
		cli_error("progress that cannot be printed as JSON");
}

/* ---- errors ---- */

static const char *say_ran(enum chapi_ran ran)
{
	switch (ran) {
	case CHAPI_RAN_NO:
		return "it did not run";
	case CHAPI_RAN_YES:
		return "it ran";
	case CHAPI_RAN_UNKNOWN:
		break;
	}
	return "it may have run";
}

/* What to do about it, where the message does not say so. */
static const char *say_remedy(const chapi_reply *reply)
{
	switch (chapi_reply_code(reply)) {
	case CHAPI_ERR_BUSY:
	case CHAPI_ERR_RATE_LIMITED:
	case CHAPI_ERR_PAUSED:
		return strstr(chapi_reply_message(reply), "try again") ? "" : "; try again later";
	case CHAPI_ERR_DEADLINE_EXCEEDED:
		return "; -t waits longer";
	case CHAPI_ERR_CONNECTION_LOST:
		return "; is chapi-gw still running?";
	default:
		return "";
	}
}

static json_t *details_of(const chapi_reply *reply)
{
	char *text CLEANUP(cli_free) = NULL;

	if (chapi_reply_details_json(reply, false, &text) < 0)
		return NULL;
	return json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

int output_failure(const chapi_reply *reply)
{
	json_t *details = details_of(reply);
	const char *own = json_string_value(json_object_get(details, "code"));
	int code = chapi_reply_code(reply);

	cli_error("%s%s (%s%s%s; %s)", chapi_reply_message(reply), say_remedy(reply),
		  chapi_reply_code_name(reply), own ? ": " : "", own ? own : "",
		  say_ran(chapi_reply_ran(reply)));
	json_decref(details);
	return chapi_exit_status(code);
}

/* ---- records ---- */

static bool is_nil(const unsigned char *value, size_t len)
{
	return len == 0 || value[0] == 0xc0;
}

/* The gateway made no record: what is known of the call in the form of one. */
static int print_failure_record(FILE *out, const char *api, const chapi_reply *reply)
{
	json_t *details = details_of(reply), *record;
	char *text CLEANUP(cli_free) = NULL;
	void *value CLEANUP(cli_free) = NULL;
	size_t len;
	int r = -CHAPI_ERR_NOMEM;

	record = json_pack("{s:s, s:n, s:{s:s, s:s, s:s, s:o*}}", "api", api, "result", "error",
			   "code", chapi_reply_code_name(reply),
			   "message", chapi_reply_message(reply),
			   "ran", chapi_ran_name(chapi_reply_ran(reply)), "details", details);
	text = record ? json_dumps(record, JSON_COMPACT) : NULL;
	json_decref(record);
	if (text)
		r = chapi_json_to_msgpack(text, strlen(text), &value, &len, NULL, 0);
	return r < 0 ? cli_fail("the record cannot be printed", r)
		     : output_value_to(out, value, len);
}

int output_record_to(FILE *out, const char *api, const chapi_reply *reply)
{
	size_t len;
	const void *record = chapi_reply_result(reply, &len);
	int status = is_nil(record, len) ? print_failure_record(out, api, reply)
					 : output_value_to(out, record, len);

	return status != 0 ? status : chapi_exit_status(chapi_reply_code(reply));
}
