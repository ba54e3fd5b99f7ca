/* SPDX-License-Identifier: MIT */
/*
 * A call to oneself, through the hub: does what is published there come back?
 *
 * The gateway publishes a request on one of its own channels and answers it as any other; a
 * monitor sees the end of it. For doctor and setup.
 */
#include "clients/ctl.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUND_TRIP_MS 10000

struct trip {
	char id[40];
	bool seen;
};

static void on_event(chapi_conn *conn UNUSED, const void *packed, size_t len, void *data)
{
	json_t *event CLEANUP(ctl_free_json) = NULL;
	char *text CLEANUP(cli_free) = NULL;
	struct trip *trip = data;
	size_t text_len;

	if (chapi_msgpack_to_json(packed, len, false, &text, &text_len, NULL, 0) == 0)
		event = json_loads(text, JSON_ALLOW_NUL, NULL);
	if (strcmp(ctl_text(event, "id"), trip->id) == 0)
		trip->seen = true;
}

static int64_t clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int ctl_trip(chapi_conn *conn, const char *channel, const char *event, int64_t *ret_ms, char *why,
	     size_t why_len)
{
	static const char *const kinds[] = { "response", NULL };
	static const char *const apis[] = { "chapi.ping", NULL };
	const struct chapi_monitor_options options = { sizeof(options), kinds, apis, false };
	chapi_reply *reply CLEANUP(ctl_free_reply) = NULL;
	chapi_reply *ended CLEANUP(ctl_free_reply) = NULL;
	int64_t began = clock_ms(CLOCK_MONOTONIC), left;
	struct trip trip = { .seen = false };
	char data[100];
	int r;

	snprintf(trip.id, sizeof(trip.id), "doctor-%llx-%d",
		 (unsigned long long)clock_ms(CLOCK_REALTIME), (int)getpid());
	snprintf(data, sizeof(data), "{\"id\":\"%s\",\"api\":\"chapi.ping\"}", trip.id);
	r = chapi_monitor(conn, &options, on_event, &trip, NULL);
	if (r == 0)
		r = chapi_publish_json(conn, channel, event, data, ROUND_TRIP_MS, &reply);
	while (r == 0 && !trip.seen) {
		left = began + ROUND_TRIP_MS - clock_ms(CLOCK_MONOTONIC);
		r = left <= 0 ? -CHAPI_ERR_DEADLINE_EXCEEDED : chapi_run_once(conn, (int)left);
	}
	snprintf(why, why_len, "%s", reply && *chapi_reply_message(reply)
					     ? chapi_reply_message(reply) : chapi_strerror(r));
	/* The trip is on our stack: no event may come any more. */
	(void)chapi_method_wait_json(conn, "monitor", "[{\"kinds\":[\"hub\"]}]", 1000, &ended);
	*ret_ms = clock_ms(CLOCK_MONOTONIC) - began;
	return r;
}
