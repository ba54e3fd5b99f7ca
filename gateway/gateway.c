/* SPDX-License-Identifier: MIT */
/*
 * Builds the parts, wires them, runs the loop, takes everything down again.
 *
 * A turn of the loop: wait, run what is ready, then send what was said and free what has
 * gone. The router has no clock: one timer stands for its next deadline. It is moved when a
 * deadline comes that is earlier; when it fires too early, it is set again.
 *
 * Stopping has two steps: at the signal no new connection and no new call is taken; when the
 * last call has its answer and the hub and the callers have taken them, the loop ends. When
 * stop_timeout is over, what is left is cancelled; for those answers there are TELL_S more.
 *
 * The service manager is told "ready" when the local socket serves, whatever the hub is doing; the
 * state of the hub is the status line.
 */
#include <config.h>	/* _GNU_SOURCE, PACKAGE_VERSION */

#include "gateway/gateway.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include <event2/event.h>

#include "gateway/doctor.h"
#include "gateway/hub.h"
#include "gateway/listener.h"
#include "gateway/others.h"
#include "gateway/notify.h"
#include "gateway/passed.h"
#include "gateway/peer.h"
#include "gateway/reload.h"
#include "gateway/rights.h"
#include "gateway/router.h"
#include "gateway/sign.h"
#include "gateway/tls.h"
#include "gateway/turn.h"

#define ABANDONED_PER_PEER 1024
#define TELL_S 2		/* for the answers of calls that were cancelled at the end */
#define FILES_RESERVED 64	/* descriptors that are not local connections */

enum { STATUS_UNAVAILABLE = 69, STATUS_INTERNAL = 70 };

struct gateway {
	struct config *config;
	const struct config_options *options;
	struct turn turn;
	struct event_base *base;
	struct router *router;
	struct peers *peers;
	unsigned int peers_max;			/* connections, by the open-file limit */
	struct listener *listener;
	struct hub *hub;			/* NULL: local calls only */
	struct notify *notify;			/* NULL: no service manager */
	struct event *stop_signals[2], *hangup;
	struct event *deadline;
	uint64_t deadline_ms;			/* what the timer is set to; UINT64_MAX: not set */
	struct event *stop_limit;		/* the end of stop_timeout */
	bool reloaded;				/* the policy is to be put into force */
	bool stopping;				/* no new calls */
	bool ended;				/* every request has its answer */
	bool stopped;				/* the loop is to end */
};

/* ---- settings -------------------------------------------------------------------------- */

static size_t output_max(const struct config *c)
{
	return MAX(c->output_per_peer, 2 * c->max_message);
}

static unsigned int peers_max(const struct gateway *g)
{
	return g->config->peers ? MIN(g->config->peers, g->peers_max) : g->peers_max;
}

static struct router_limits limits_of(const struct gateway *g)
{
	const struct config *c = g->config;

	return (struct router_limits){
		.calls_per_peer = c->calls_per_peer,
		.names_per_peer = c->names_per_peer,
		.abandoned_per_peer = ABANDONED_PER_PEER,
		.pinned_per_peer = c->pinned_per_peer,
		.pinned_total = c->pinned_total,
		.max_message = c->max_message,
		.output_per_peer = output_max(c),
		.stalled_after_ms = c->stalled_after_ms,
		.peers = peers_max(g),
	};
}

static struct peers_config peers_config_of(const struct gateway *g)
{
	const struct config *c = g->config;

	return (struct peers_config){
		.max_message = c->max_message,
		.output_max = output_max(c),
		.stalled_after_ms = c->stalled_after_ms,
		.max = peers_max(g),
	};
}

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

static void on_deadline(evutil_socket_t fd, short what, void *data)
{
	struct gateway *g = data;

	(void)fd;
	(void)what;
	g->deadline_ms = UINT64_MAX;
	router_expire(g->router, turn_now(&g->turn));
}

/* ---- signals ----------------------------------------------------------------------------- */

static void stop_now(struct gateway *g)
{
	router_cancel_all(g->router, turn_now(&g->turn));
	g->stopped = true;
}

/* The first time: those who wait are told, for which there is a little more time. */
static void on_stop_limit(evutil_socket_t fd, short what, void *data)
{
	static const struct timeval more = { .tv_sec = TELL_S };
	struct gateway *g = data;

	(void)fd;
	(void)what;
	if (g->ended || event_add(g->stop_limit, &more) < 0) {
		stop_now(g);
		return;
	}
	log_warn("gateway", "%zu calls are still running; they are cancelled (stop_timeout)",
		 router_n_calls(g->router));
	g->ended = true;
	router_cancel_all(g->router, turn_now(&g->turn));
}

/* The second signal is for those who do not want to wait. */
static void on_stop(evutil_socket_t sig, short what, void *data)
{
	struct gateway *g = data;
	uint64_t ms = g->config->stop_timeout_ms;
	const struct timeval tv = {
		.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000),
	};

	(void)what;
	if (g->stopping || event_add(g->stop_limit, &tv) < 0) {
		stop_now(g);
		return;
	}
	log_info("gateway", "stopping on signal %d", (int)sig);
	notify_stopping(g->notify);
	g->stopping = true;
	g->listener = listener_free(g->listener);
	router_stop(g->router, turn_now(&g->turn));
}

static bool is_hub_idle(const struct gateway *g)
{
	return !g->hub || hub_is_idle(g->hub);
}

/* All calls have their answers, also those of the hub's side. What else waits is told now. */
static void end_calls(struct gateway *g)
{
	if (!g->stopping || g->ended || router_n_calls(g->router) > 0 || !is_hub_idle(g))
		return;
	g->ended = true;
	router_cancel_all(g->router, turn_now(&g->turn));
}

/* ---- reading the files again ------------------------------------------------------------- */

static void set_limits(struct gateway *g)
{
	const struct router_limits limits = limits_of(g);
	const struct peers_config peers = peers_config_of(g);

	peers_set_limits(g->peers, &peers);
	router_set_limits(g->router, &limits,
			  g->config->default_visibility == CONFIG_VISIBILITY_LOCAL);
	log_set_level(g->config->log_level);
}

/* 0, or -1 and why. The policy follows at the end of the turn: no name is taken inside a
 * request. */
static int reload(void *data, struct buf *out, char *why, size_t why_len)
{
	struct gateway *g = data;

	notify_reloading(g->notify);
	if (reload_config(g->options, g->config, out, why, why_len) != 0) {
		log_error("config", "all stays as it was: %s", why);
		notify_ready(g->notify);
		return -1;
	}
	set_limits(g);
	g->reloaded = true;
	if (g->hub) {
		hub_reconfigure(g->hub);
		hub_reconnect(g->hub);
	}
	return 0;
}

static void finish_reload(struct gateway *g)
{
	struct policy *policy;

	if (!g->reloaded)
		return;
	g->reloaded = false;
	if (rights_make(g->config, &policy) == 0)
		router_set_policy(g->router, policy, turn_now(&g->turn));
	else
		log_error("config", "no memory for the rules of [policy]; the old ones hold");
	notify_ready(g->notify);
}

static void on_hangup(evutil_socket_t sig, short what, void *data)
{
	CLEANUP(buf_deinit) struct buf changes = BUF_NULL;
	char why[512];

	(void)sig;
	(void)what;
	(void)reload(data, &changes, why, sizeof(why));
}

static bool set_log_level(void *data UNUSED, struct span level)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_is(level, names[i])) {
			log_set_level((enum log_level)i);
			return true;
		}
	return false;
}

static int add_signals(struct gateway *g)
{
	static const int stop[] = { SIGTERM, SIGINT };

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(stop); i++) {
		g->stop_signals[i] = evsignal_new(g->base, stop[i], on_stop, g);
		if (!g->stop_signals[i] || event_add(g->stop_signals[i], NULL) < 0)
			return -ENOMEM;
	}
	g->hangup = evsignal_new(g->base, SIGHUP, on_hangup, g);
	return g->hangup && event_add(g->hangup, NULL) == 0 ? 0 : -ENOMEM;
}

/* ---- building ---------------------------------------------------------------------------- */

static void put_hub_status(void *data, struct buf *out)
{
	struct gateway *g = data;

	if (g->hub)
		hub_put_status(g->hub, out);
	else
		mp_put_nil(out);
}

static int make_instance(char ret[33])
{
	uint8_t random[16];
	int r = sign_random(random, sizeof(random));

	for (size_t i = 0; i < sizeof(random) && r == 0; i++)
		snprintf(ret + 2 * i, 3, "%02x", random[i]);
	return r;
}

static void on_published(void *data, uint64_t id, int code, enum chapi_ran ran, const char *error)
{
	struct gateway *g = data;

	router_published(g->router, id, code, ran, error, turn_now(&g->turn));
}

static int publish(void *data, struct span channel, struct span event, struct span text,
		   uint64_t id)
{
	struct gateway *g = data;

	return hub_publish(g->hub, channel, event, text, id);
}

/* At the end of all, callers leave after the hub. */
static bool withdraw(void *data, uint64_t id)
{
	struct gateway *g = data;

	return g->hub && hub_withdraw(g->hub, id);
}

/* For `systemctl status`. */
static void tell_status(struct gateway *g, const char *state, const char *reason)
{
	char text[400];

	snprintf(text, sizeof(text), "Hub %s: %s%s%s", g->config->host, state, *reason ? ": " : "",
		 reason);
	notify_status(g->notify, text);
}

static void on_gateways(void *data, uint64_t id, struct span list, const char *error)
{
	struct gateway *g = data;

	router_gateways(g->router, id, list, error, turn_now(&g->turn));
}

static int list_gateways(void *data, uint64_t id)
{
	struct gateway *g = data;

	return others_list(hub_others(g->hub), id);
}

static int call_elsewhere(void *data, const struct elsewhere_call *call, const struct now *now,
			  uint64_t *ret_serial, struct elsewhere_fault *ret_fault)
{
	struct gateway *g = data;

	return others_call(hub_others(g->hub), call, now, ret_serial, ret_fault);
}

/* As above. */
static bool cancel_elsewhere(void *data, uint64_t serial)
{
	struct gateway *g = data;

	return g->hub && others_cancel(hub_others(g->hub), serial);
}

static void on_elsewhere_answer(void *data, void *call, const struct party_response *response)
{
	struct gateway *g = data;

	router_elsewhere_answer(g->router, call, response, turn_now(&g->turn));
}

static void on_elsewhere_progress(void *data, void *call, struct span value)
{
	struct gateway *g = data;

	router_elsewhere_progress(g->router, call, value);
}

static void on_hub_changed(void *data, const char *state, const char *reason)
{
	struct gateway *g = data;

	tell_status(g, state, reason);
	router_hub_changed(g->router, state, reason, turn_now(&g->turn));
}

static void put_doctor(void *data, struct buf *out)
{
	struct gateway *g = data;

	doctor_put(g->config, g->hub, turn_now(&g->turn), out);
}

/* Neither params nor results, and of errors the code only: the message may say what was passed. */
static void on_call_ended(void *data UNUSED, const struct party_response *response)
{
	struct log_call call;

	if (log_get_level() < LOG_LEVEL_DEBUG)
		return;
	call = (struct log_call){
		.id = response->call,
		.api = response->api,
		.code = response->failure ? chapi_code_name(response->failure->code) : "ok",
	};
	log_call(LOG_LEVEL_DEBUG, &call);
}

static int make_router(struct gateway *g)
{
	const struct config *c = g->config;
	struct router_config rc = {
		.name = c->name,
		.version = PACKAGE_VERSION,
		.app_key = c->pusher ? c->key : NULL,
		.local_by_default = c->default_visibility == CONFIG_VISIBILITY_LOCAL,
		.limits = limits_of(g),
		.edge = {
			.put_hub_status = c->pusher ? put_hub_status : NULL,
			.publish = c->pusher ? publish : NULL,
			.withdraw = withdraw,
			.list_gateways = c->pusher ? list_gateways : NULL,
			.call_elsewhere = c->pusher ? call_elsewhere : NULL,
			.cancel_elsewhere = c->pusher ? cancel_elsewhere : NULL,
			.reload = reload,
			.set_log_level = set_log_level,
			.put_doctor = put_doctor,
			.call_ended = on_call_ended,
		},
		.data = g,
	};
	int r = sign_random(rc.seed, sizeof(rc.seed));

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
	const struct peers_config config = peers_config_of(g);

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
	g->stop_limit = evtimer_new(g->base, on_stop_limit, g);
	return g->deadline && g->stop_limit ? add_signals(g) : -ENOMEM;
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

static const struct hub_handler hub_handler = {
	.published = on_published,
	.gateways = on_gateways,
	.elsewhere_answer = on_elsewhere_answer,
	.elsewhere_progress = on_elsewhere_progress,
	.changed = on_hub_changed,
};

static int start_hub(struct gateway *g)
{
	if (g->config->pusher)
		return hub_new(g->base, g->config, g->router, &hub_handler, g, &g->hub);
	log_info("gateway", "no [pusher] section: serving local calls only");
	notify_status(g->notify, "Local calls only: no [pusher] section");
	return 0;
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
	r = start_hub(g);
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
		turn_over(&g->turn);
		if (event_base_loop(g->base, EVLOOP_ONCE) != 0) {
			log_error("gateway", "the event loop has failed");
			return STATUS_INTERNAL;
		}
		finish_reload(g);
		end_calls(g);
		peers_finish_turn(g->peers);
		if (g->ended && peers_are_idle(g->peers) && is_hub_idle(g))
			stop_now(g);	/* what was asked since */
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
	status = start(&g);
	if (status == 0)
		status = loop(&g);
	stop(&g);
	if (status == 0)
		log_info("gateway", "stopped");
	return status;
}
