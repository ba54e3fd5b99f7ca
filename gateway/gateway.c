/* SPDX-License-Identifier: MIT */
/*
 * Builds the parts, wires them, runs the loop, takes everything down again.
 *
 * A turn of the loop: wait, run what is ready, then send what was said and free what has
 * gone. The router has no clock: one timer stands for its next deadline. It is moved when a
 * deadline comes that is earlier; when it fires too early, it is set again.
 *
 * The service manager is told "ready" when the local socket serves, whatever the hub is doing; the
 * state of the hub is the status line.
 */
#include <config.h>	/* _GNU_SOURCE, PACKAGE_VERSION */

#include "gateway/gateway_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include <event2/event.h>

#include "gateway/doctor.h"
#include "gateway/hub.h"
#include "gateway/listener.h"
#include "gateway/notify.h"
#include "gateway/passed.h"
#include "gateway/rights.h"
#include "gateway/sign.h"
#include "gateway/tls.h"

#define FILES_RESERVED 64	/* descriptors that are not local connections */

enum { STATUS_UNAVAILABLE = 69, STATUS_INTERNAL = 70 };

/* ---- deadlines --------------------------------------------------------------------------- */

static void set_deadline(struct gateway *g)
{
	uint64_t next = router_next_ms(g->router), now, wait;
	struct timeval tv;

	if (next >= g->deadline_ms)
		return;
	now = turn_now(&g->turn)->ms;
	wait = next > now ? next - now : 0;
	tv.tv_sec = (time_t)(wait / 1000);
	tv.tv_usec = (suseconds_t)(wait % 1000 * 1000);
	if (event_add(g->deadline, &tv) == 0)
		g->deadline_ms = next;
}

static void on_deadline(evutil_socket_t fd UNUSED, short what UNUSED, void *data)
{
	struct gateway *g = data;

	g->deadline_ms = UINT64_MAX;
	router_expire(g->router, turn_now(&g->turn));
}

/* ---- the log ----------------------------------------------------------------------------- */

/* Each time anew: what is held back now may have less time than what was before. */
static void set_log_release(struct gateway *g)
{
	int wait_ms = log_holds_ms();
	struct timeval tv = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };

	if (wait_ms >= 0)
		(void)event_add(g->log_release, &tv);
}

/* Another line may be held back by now than when the timer was set. */
static void on_log_release(evutil_socket_t fd UNUSED, short what UNUSED, void *data UNUSED)
{
	if (log_holds_ms() == 0)
		log_release();
}

/* ---- signals ----------------------------------------------------------------------------- */

static void on_hangup(evutil_socket_t sig UNUSED, short what UNUSED, void *data)
{
	CLEANUP(buf_deinit) struct buf changes = BUF_NULL;
	char why[512];

	(void)gateway_reload(data, &changes, why, sizeof(why));
}

static int add_signals(struct gateway *g)
{
	static const int stop[] = { SIGTERM, SIGINT };

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(stop); i++) {
		g->stop_signals[i] = evsignal_new(g->base, stop[i], gateway_on_stop, g);
		if (!g->stop_signals[i] || event_add(g->stop_signals[i], NULL) < 0)
			return -ENOMEM;
	}
	g->hangup = evsignal_new(g->base, SIGHUP, on_hangup, g);
	return g->hangup && event_add(g->hangup, NULL) == 0 ? 0 : -ENOMEM;
}

/* ---- building ---------------------------------------------------------------------------- */

static int make_instance(char ret[33])
{
	uint8_t random[16];
	int r = sign_random(random, sizeof(random));

	for (size_t i = 0; i < sizeof(random) && r == 0; i++)
		snprintf(ret + 2 * i, 3, "%02x", random[i]);
	return r;
}

static void put_doctor(void *data, struct buf *out)
{
	struct gateway *g = data;

	doctor_put(g->config, g->hub, turn_now(&g->turn), out);
}

static void on_call_ended(void *data, const struct party *caller,
			  const struct party_response *response, const struct now *now)
{
	struct gateway *g = data;

	if (response->failure || log_get_level() >= LOG_LEVEL_DEBUG)
		call_log_ended(&g->call_log, caller, response, now->ms);
}

static int make_router(struct gateway *g)
{
	const struct config *c = g->config;
	struct router_config rc = {
		.name = c->name,
		.version = PACKAGE_VERSION,
		.app_key = c->pusher ? c->key : NULL,
		.local_by_default = c->default_visibility == CONFIG_VISIBILITY_LOCAL,
		.limits = gateway_limits(g),
		.edge = {
			.reload = gateway_reload,
			.set_log_level = gateway_set_log_level,
			.put_doctor = put_doctor,
			.call_ended = on_call_ended,
		},
		.data = g,
	};
	int r = sign_random(rc.seed, sizeof(rc.seed));

	gateway_put_hub_edge(g, &rc.edge);
	if (r == 0)
		r = make_instance(rc.instance);
	if (r == 0)
		r = rights_make(c, &rc.policy);
	if (r != 0)
		return r;
	r = router_new(&rc, turn_now(&g->turn), &g->router);
	if (r != 0)
		policy_free(rc.policy);
	return r;
}

/* As many descriptors as we may have; how many connections that allows. */
static unsigned int raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024 - FILES_RESERVED;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur <= 2 * FILES_RESERVED)
		return FILES_RESERVED;
	return (unsigned int)MIN(limit.rlim_cur - FILES_RESERVED, (rlim_t)1000000);
}

static int make_peers(struct gateway *g)
{
	const struct peers_config config = gateway_peers_config(g);

	return peers_new(g->base, g->router, &g->turn, &config, &g->peers);
}

static void on_connection(void *data, int fd)
{
	struct gateway *g = data;

	peers_accept(g->peers, fd);
}

static int make_base(struct gateway *g)
{
	g->base = event_base_new();
	if (!g->base)
		return -ENOMEM;
	g->deadline = evtimer_new(g->base, on_deadline, g);
	g->stop_limit = evtimer_new(g->base, gateway_on_stop_limit, g);
	g->log_release = evtimer_new(g->base, on_log_release, g);
	return g->deadline && g->stop_limit && g->log_release ? add_signals(g) : -ENOMEM;
}

static int make_listener(struct gateway *g, int passed, struct listener_fault *fault)
{
	const struct config *c = g->config;
	struct listener_config lc = {
		.path = c->socket, .mode = c->socket_mode, .group = c->socket_group,
		.make_dir = g->options->user, .passed = passed,
	};

	return listener_new(g->base, &lc, on_connection, g, &g->listener, fault);
}

/* 0, or the status to end with; the trouble has been logged. */
static int open_socket(struct gateway *g)
{
	struct listener_fault fault;
	struct passed_fault no_use;
	int passed, r = passed_socket(&passed, &no_use);

	if (r > 0) {
		log_error("socket", "%s", no_use.text);
		return STATUS_UNAVAILABLE;
	}
	if (r == 0)
		r = make_listener(g, passed, &fault);
	if (r < 0)
		log_error("socket", "%s: %s", g->config->socket, strerror(-r));
	else if (r > 0)
		log_error("socket", "%s", fault.text);
	return r == 0 ? 0 : r < 0 ? STATUS_INTERNAL : STATUS_UNAVAILABLE;
}

static int make_parts(struct gateway *g)
{
	int r = make_base(g);

	g->peers_max = raise_file_limit();
	if (r == 0)
		r = notify_new(g->base, &g->notify);
	if (r == 0)
		r = make_router(g);
	if (r == 0)
		r = make_peers(g);
	return r;
}

/* The local socket first: whatever the hub is doing, local calls are served. */
static int start(struct gateway *g)
{
	int r = make_parts(g), status;

	if (r < 0) {
		log_error("gateway", "cannot start: %s", strerror(-r));
		return STATUS_INTERNAL;
	}
	status = open_socket(g);
	if (status != 0)
		return status;
	r = gateway_start_hub(g);
	if (r != 0) {
		log_error("hub", "cannot start: %s", r < 0 ? strerror(-r) : "refused");
		return STATUS_INTERNAL;
	}
	log_info("gateway", "ready: socket %s", g->config->socket);
	notify_ready(g->notify);
	return 0;
}

/* ---- running ----------------------------------------------------------------------------- */

static int loop(struct gateway *g)
{
	while (!g->stopped) {
		set_deadline(g);
		set_log_release(g);
		turn_over(&g->turn);
		if (event_base_loop(g->base, EVLOOP_ONCE) != 0) {
			log_error("gateway", "the event loop has failed");
			return STATUS_INTERNAL;
		}
		gateway_finish_reload(g);
		gateway_end_calls(g);
		peers_finish_turn(g->peers);
		gateway_end_loop(g);
	}
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

/* The reverse of start(); parts that were never made are NULL. Parties leave before the router. */
static void stop(struct gateway *g)
{
	listener_free(g->listener);
	g->hub = hub_free(g->hub);
	peers_free(g->peers);
	router_free(g->router);
	notify_free(g->notify);
	free_event(g->deadline);
	free_event(g->stop_limit);
	free_event(g->log_release);
	free_event(g->hangup);
	for (size_t i = 0; i < ARRAY_SIZE(g->stop_signals); i++)
		free_event(g->stop_signals[i]);
	if (g->base)
		event_base_free(g->base);
}

int gateway_run(struct config *config, const struct config_options *options)
{
	struct gateway g = { .config = config, .options = options, .deadline_ms = UINT64_MAX };
	int status;

	tls_keep_to_the_end();
	log_count_turns();
	status = start(&g);
	if (status == 0)
		status = loop(&g);
	stop(&g);
	if (status == 0)
		log_info("gateway", "stopped");
	log_release();
	return status;
}
