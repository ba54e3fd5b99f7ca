/* SPDX-License-Identifier: MIT */
/*
 * A request that is answered later: "timer" takes a quarter of a second, tells its progress,
 * and stops when it is cancelled. Other callers get "busy" meanwhile.
 *
 *     cc -o deferred-answer deferred-answer.c $(pkg-config --cflags --libs chapi-ipc)
 */
#include <stdio.h>
#include <time.h>

#include <chapi-ipc.h>

#define STEP_MS 50
#define WHOLE_MS 250

static chapi_request *running;	/* ours until it is answered */
static long began_ms, next_ms;	/* when it began, when its next step is */

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void on_cancel(chapi_request *request, void *data)
{
	(void)data;
	running = NULL;
	chapi_answer_error(request, "cancelled", "the timer was stopped", NULL);
}

static void on_request(chapi_request *request, void *data)
{
	(void)data;
	if (running) {
		chapi_answer_error(request, "busy", "the timer runs already", NULL);
		return;
	}
	running = request;
	began_ms = next_ms = now_ms();
	chapi_request_on_cancel(request, on_cancel, NULL);
}

/* Until the next step; chapi_run_once() may come back earlier, as when something was sent. */
static int wait_ms(void)
{
	long left_ms = next_ms - now_ms();

	return !running ? -1 : left_ms > 0 ? (int)left_ms : 0;
}

static void go_on(void)
{
	long passed_ms = now_ms() - began_ms;
	char text[32];

	next_ms += STEP_MS;
	if (passed_ms >= WHOLE_MS) {
		chapi_answer_json(running, "\"done\"");
		running = NULL;
		return;
	}
	snprintf(text, sizeof(text), "{\"percent\":%ld}", passed_ms * 100 / WHOLE_MS);
	chapi_progress_json(running, text);	/* goes to a caller who wants it */
}

int main(void)
{
	chapi_conn *conn = NULL;
	int r = chapi_connect(NULL, &conn);

	if (r == 0)
		r = chapi_register(conn, "timer", NULL, on_request, NULL, NULL);
	fputs(r == 0 ? "ready\n" : "", stderr);
	while (r == 0) {
		r = chapi_run_once(conn, wait_ms());
		if (wait_ms() == 0)
			go_on();
	}
	fprintf(stderr, "deferred-answer: %s\n", chapi_strerror(r));
	chapi_close(conn);
	return chapi_exit_status(r);
}
