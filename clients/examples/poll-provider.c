/* SPDX-License-Identifier: MIT */
/*
 * A provider in a poll loop of its own, which also reads standard input: "count" tells how
 * many lines have come. Ends with its input.
 *
 *     cc -o poll-provider poll-provider.c $(pkg-config --cflags --libs chapi-ipc)
 */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <chapi-ipc.h>

static void count(chapi_request *request, void *data)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", *(unsigned long *)data);
	chapi_answer_json(request, text);
}

/* False at its end. */
static bool read_lines(unsigned long *n)
{
	char text[4096];
	ssize_t len = read(STDIN_FILENO, text, sizeof(text));

	for (ssize_t i = 0; i < len; i++)
		*n += text[i] == '\n';
	return len > 0;
}

int main(void)
{
	unsigned long n = 0;
	chapi_conn *conn = NULL;
	int r = chapi_connect(NULL, &conn);

	if (r == 0)
		r = chapi_register(conn, "count", NULL, count, &n, NULL);
	if (r == 0)
		fputs("ready\n", stderr);
	while (r == 0) {
		struct pollfd fds[] = {
			{ .fd = STDIN_FILENO, .events = POLLIN },
			{ .fd = chapi_get_fd(conn), .events = (short)chapi_get_events(conn) },
		};

		if (poll(fds, 2, chapi_get_timeout_ms(conn)) < 0)
			break;
		if (fds[0].revents && !read_lines(&n))
			break;
		r = chapi_process(conn);
	}
	if (r < 0)
		fprintf(stderr, "poll-provider: %s\n", chapi_strerror(r));
	chapi_close(conn);
	return chapi_exit_status(r);
}
