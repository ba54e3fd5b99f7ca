/* SPDX-License-Identifier: MIT */
/*
 * The smallest provider: registers "hello" and answers it, also after the gateway was away.
 *
 *     cc -o smallest-provider smallest-provider.c $(pkg-config --cflags --libs chapi-ipc)
 *     chapi-call hello
 */
#include <stdio.h>

#include <chapi-ipc.h>

static void hello(chapi_request *request, void *data)
{
	(void)data;
	chapi_answer_json(request, "\"Hello from C\"");
}

int main(void)
{
	chapi_conn *conn = NULL;
	int r = chapi_connect(NULL, &conn);

	if (r == 0)
		r = chapi_register(conn, "hello", NULL, hello, NULL, NULL);
	if (r == 0) {
		chapi_set_reconnect(conn, true, NULL, NULL);
		puts("ready");
		fflush(stdout);
		r = chapi_run(conn);
	}
	if (r < 0)
		fprintf(stderr, "smallest-provider: %s\n", chapi_strerror(r));
	chapi_close(conn);
	return chapi_exit_status(r);
}
