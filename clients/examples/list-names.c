/* SPDX-License-Identifier: MIT */
/*
 * Asks the gateway for names: those that fit a pattern, with what is known of them, as JSON.
 *
 *     cc -o list-names list-names.c $(pkg-config --cflags --libs chapi-ipc)
 *     ./list-names 'lights.*'
 */
#include <stdio.h>
#include <stdlib.h>

#include <chapi-ipc.h>

int main(int argc, char **argv)
{
	chapi_conn *conn = NULL;
	chapi_reply *reply = NULL;
	char *text = NULL;
	int r = chapi_connect(NULL, &conn);

	if (r == 0)
		r = chapi_list(conn, argc > 1 ? argv[1] : NULL, true, &reply);
	if (r == 0)
		r = chapi_reply_result_json(reply, true, &text);
	if (r == 0)
		puts(text);
	else
		fprintf(stderr, "list-names: %s\n", chapi_strerror(r));
	free(text);
	chapi_reply_free(reply);
	chapi_close(conn);
	return chapi_exit_status(r);
}
