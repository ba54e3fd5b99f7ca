/* SPDX-License-Identifier: MIT */
/*
 * The smallest caller: one call, its result as JSON; or the error, and whether it ran.
 *
 *     cc -o smallest-caller smallest-caller.c $(pkg-config --cflags --libs chapi-ipc)
 *     ./smallest-caller hello '{"name": "you"}'
 */
#include <stdio.h>
#include <stdlib.h>

#include <chapi-ipc.h>

/* Prints the outcome and returns the exit status. */
static int show(const chapi_reply *reply)
{
	int code = chapi_reply_code(reply);
	char *text;

	if (code != CHAPI_OK) {
		fprintf(stderr, "%s: %s (ran: %s)\n", chapi_reply_code_name(reply),
			chapi_reply_message(reply), chapi_ran_name(chapi_reply_ran(reply)));
		return chapi_exit_status(code);
	}
	code = chapi_reply_result_json(reply, false, &text);
	if (code == 0) {
		puts(text);
		free(text);
	}
	return chapi_exit_status(code);
}

int main(int argc, char **argv)
{
	const struct chapi_call_options options = { .size = sizeof(options), .timeout_ms = 5000 };
	chapi_conn *conn = NULL;
	chapi_reply *reply = NULL;
	int r, status;

	if (argc < 2) {
		fprintf(stderr, "usage: smallest-caller NAME [PARAMS]\n");
		return 64;
	}
	r = chapi_connect(NULL, &conn);
	if (r == 0)
		r = chapi_call_wait_json(conn, argv[1], argc > 2 ? argv[2] : "{}", &options,
					 &reply);
	if (r < 0)
		fprintf(stderr, "smallest-caller: %s\n", chapi_strerror(r));
	status = r < 0 ? chapi_exit_status(r) : show(reply);
	chapi_reply_free(reply);
	chapi_close(conn);
	return status;
}
