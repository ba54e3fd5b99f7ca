/* SPDX-License-Identifier: MIT */
/*
 * Watches the calls that go through the gateway: a line of JSON for each request and answer.
 *
 *     cc -o watch-calls watch-calls.c $(pkg-config --cflags --libs chapi-ipc)
 */
#include <stdio.h>
#include <stdlib.h>

#include <chapi-ipc.h>

static void on_event(chapi_conn *conn, const void *event, size_t len, void *data)
{
	size_t text_len;
	char *text;

	(void)conn;
	(void)data;
	if (chapi_msgpack_to_json(event, len, false, &text, &text_len, NULL, 0) < 0)
		return;
	puts(text);
	fflush(stdout);
	free(text);
}

int main(void)
{
	const char *const kinds[] = { "request", "response", NULL };
	const struct chapi_monitor_options options = { .size = sizeof(options), .kinds = kinds };
	chapi_conn *conn = NULL;
	int r = chapi_connect(NULL, &conn);

	if (r == 0)
		r = chapi_monitor(conn, &options, on_event, NULL, NULL);
	fputs(r == 0 ? "ready\n" : "", stderr);
	if (r == 0)
		r = chapi_run(conn);
	fprintf(stderr, "watch-calls: %s\n", chapi_strerror(r));
	chapi_close(conn);
	return chapi_exit_status(r);
}
