/* SPDX-License-Identifier: MIT */
/*
 * The smallest provider: registers "echo" and gives back what it is called with.
 *
 *     cc -o echo-provider echo-provider.c $(pkg-config --cflags --libs chapi-ipc)
 */
#include <stdio.h>

#include <chapi-ipc.h>

static void echo(chapi_request *request, void *data)
{
	size_t len;
	const void *params = chapi_request_params(request, &len);

	(void)data;
	chapi_answer(request, params, len);
}

int main(void)
{
	chapi_conn *conn = NULL;
	int r = chapi_connect(NULL, &conn);

	if (r == 0)
		r = chapi_register(conn, "echo", NULL, echo, NULL, NULL);
	if (r == 0) {
		fputs("registered echo\n", stderr);
		r = chapi_run(conn);
	}
	if (r < 0)
		fprintf(stderr, "echo-provider: %s\n", chapi_strerror(r));
	chapi_close(conn);
	return chapi_exit_status(r);
}
