/* SPDX-License-Identifier: MIT */
/*
 * The hub as a server: see server.h.
 *
 * What has to be known of libwebsockets, seen on 4.1 and 4.3:
 * - A connection's first callback is SERVER_NEW_CLIENT_INSTANTIATED, before any handshake; its
 *   last one is WSI_DESTROY, whatever became of it. The session lives from the one to the other.
 * - Parameters of the URL can still be read when a WebSocket is established, and not later.
 * - An upgrade to something that it does not know it answers itself, and then asks all the same,
 *   with a name that may be gone: see on_upgrade().
 * - CONNECT makes a connection a raw one, which nobody asked for: see refuse().
 * - Where it cannot listen it does not say why, and 4.3 tries for ever: hence probe().
 * - It drops a request whose body takes longer than timeout_secs; http_side.h gives a time limit
 *   of its own and an answer, so that one has to be shorter.
 */
#include "tests/hub/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "gateway/log.h"
#include "tests/hub/control.h"
#include "tests/hub/http_side.h"
#include "tests/hub/play.h"
#include "tests/hub/session.h"
#include "tests/hub/ws_side.h"

#define HEADERS_MAX 4096		/* bytes of one request, the URL included */
#define FDS_MAX (2 * APP_CONNECTIONS_MAX)	/* room to tell those beyond that it is full */
#define KEEPALIVE_S 60
#define STOP_WAIT_MS 1000		/* for clients to say goodbye */

struct server {
	struct server_settings settings;
	struct app *app;
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct play *play;
	struct control *control;
	struct list sessions;
	lws_sorted_usec_list_t stop_timer;
	bool stopping, late;		/* late: whoever has not said goodbye by now does not */
};

/* ---- clocks --------------------------------------------------------------------------- */

uint64_t server_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int64_t session_unix_s(const struct session *session)
{
	return (int64_t)time(NULL) + play_clock_shift_s(session->server->play);
}

/* ---- sessions ------------------------------------------------------------------------- */

struct app *session_app(const struct session *session)
{
	return session->server->app;
}

struct play *session_play(const struct session *session)
{
	return session->server->play;
}

uint64_t session_http_timeout_ms(const struct session *session)
{
	return session->server->settings.http_timeout_ms;
}

/* What does not fit is cut: too long to be right, and a signature then is not. */
const char *session_url_param(struct session *session, int i, char *buf, size_t buf_len)
{
	char whole[HEADERS_MAX + 1];

	if (lws_hdr_copy_fragment(session->wsi, whole, sizeof(whole),
				  WSI_TOKEN_HTTP_URI_ARGS, i) < 0)
		return NULL;
	snprintf(buf, buf_len, "%s", whole);
	return buf;
}

const char *session_header(struct session *session, enum lws_token_indexes token, char *buf,
			   size_t buf_len)
{
	char whole[HEADERS_MAX + 1];

	if (lws_hdr_copy(session->wsi, whole, sizeof(whole), token) <= 0)
		return NULL;
	snprintf(buf, buf_len, "%s", whole);
	return buf;
}

static int session_new(struct server *server, struct lws *wsi)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return -1;
	session->server = server;
	session->wsi = wsi;
	list_init(&session->queue);
	list_init(&session->late);
	list_add_tail(&server->sessions, &session->in_server);
	lws_set_opaque_user_data(wsi, session);
	return 0;
}

static void session_free(struct session *session)
{
	ws_side_deinit(session);
	http_side_deinit(session);
	list_del(&session->in_server);
	lws_set_opaque_user_data(session->wsi, NULL);
	free(session);
}

/* ---- callbacks of a session: 0, or -1 to end the connection ------------------------------ */

struct call {
	const void *in;
	size_t len;
};

static int on_request(struct session *session, const struct call *call)
{
	return http_side_request(session, call->in);
}

static int on_body(struct session *session, const struct call *call)
{
	return http_side_body(session, call->in, call->len);
}

static int on_body_end(struct session *session, const struct call *call UNUSED)
{
	return http_side_body_end(session);
}

static int on_upgrade(struct session *session, const struct call *call UNUSED)
{
	char protocol[32];
	const char *p = session_header(session, WSI_TOKEN_UPGRADE, protocol, sizeof(protocol));

	if (p && strcasecmp(p, "websocket") == 0)
		return 0;
	return p && strcasecmp(p, "h2c") == 0 ? http_side_refuse_upgrade(session) : -1;
}

static int on_open(struct session *session, const struct call *call UNUSED)
{
	http_side_deinit(session);
	return ws_side_hello(session);
}

static int on_receive(struct session *session, const struct call *call)
{
	return ws_side_receive(session, call->in, call->len);
}

static int on_pong(struct session *session, const struct call *call UNUSED)
{
	return ws_side_pong(session);
}

static int on_writeable(struct session *session, const struct call *call UNUSED)
{
	return ws_side_writeable(session);
}

static int on_timer(struct session *session, const struct call *call UNUSED)
{
	return session->conn ? ws_side_timer(session) : http_side_timer(session);
}

static int on_closed(struct session *session, const struct call *call UNUSED)
{
	ws_side_deinit(session);
	return 0;
}

static int on_destroyed(struct session *session, const struct call *call UNUSED)
{
	session_free(session);
	return 0;
}

static int refuse(struct session *session UNUSED, const struct call *call UNUSED)
{
	return -1;
}

static const struct {
	enum lws_callback_reasons reason;
	int (*f)(struct session *session, const struct call *call);
} callbacks[] = {
	{ LWS_CALLBACK_HTTP, on_request },
	{ LWS_CALLBACK_HTTP_BODY, on_body },
	{ LWS_CALLBACK_HTTP_BODY_COMPLETION, on_body_end },
	{ LWS_CALLBACK_HTTP_CONFIRM_UPGRADE, on_upgrade },
	{ LWS_CALLBACK_RAW_ADOPT, refuse },
	{ LWS_CALLBACK_RAW_RX, refuse },
	{ LWS_CALLBACK_ESTABLISHED, on_open },
	{ LWS_CALLBACK_RECEIVE, on_receive },
	{ LWS_CALLBACK_RECEIVE_PONG, on_pong },
	{ LWS_CALLBACK_SERVER_WRITEABLE, on_writeable },
	{ LWS_CALLBACK_TIMER, on_timer },
	{ LWS_CALLBACK_CLOSED, on_closed },
	{ LWS_CALLBACK_WSI_DESTROY, on_destroyed },
};

static int on_session(struct session *session, enum lws_callback_reasons reason,
		      const struct call *call)
{
	for (size_t i = 0; i < ARRAY_SIZE(callbacks); i++)
		if (callbacks[i].reason == reason)
			return callbacks[i].f(session, call);
	return 0;
}

/* Also called for things that are no connection. */
static int on_anything(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		       size_t len)
{
	struct server *server = lws_context_user(lws_get_context(wsi));
	struct session *session = lws_get_opaque_user_data(wsi);
	const struct call call = { .in = in, .len = len };

	if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS)
		play_set_tls(server->play, user);
	if (reason == LWS_CALLBACK_FILTER_NETWORK_CONNECTION)
		return server->stopping ? -1 : 0;
	if (reason == LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED)
		return session ? -1 : session_new(server, wsi);
	return session ? on_session(session, reason, &call) : 0;
}

/* ---- the end -------------------------------------------------------------------------- */

/* Timers are looked at before libwebsockets waits, and it would wait all the same. */
static void on_late(lws_sorted_usec_list_t *timer)
{
	struct server *server = container_of(timer, struct server, stop_timer);

	server->late = true;
	lws_cancel_service(server->context);
}

static void begin_stop(struct server *server)
{
	log_debug("server", "stopping");
	server->stopping = true;
	app_close_all(server->app, APP_CLOSE_RECONNECT, "The hub is stopping");
	lws_sul_schedule(server->context, 0, &server->stop_timer, on_late, STOP_WAIT_MS * 1000);
}

static int on_signal(struct lws *wsi, enum lws_callback_reasons reason, void *user UNUSED,
		     void *in UNUSED, size_t len UNUSED)
{
	struct server *server = lws_context_user(lws_get_context(wsi));
	struct signalfd_siginfo info;

	if (reason != LWS_CALLBACK_RAW_RX_FILE)
		return 0;
	if (read(lws_get_socket_fd(wsi), &info, sizeof(info)) != sizeof(info))
		return 0;
	if (server->stopping)
		server->late = true;
	else
		begin_stop(server);
	return 0;
}

/* Requests that are being read do not count: nothing was promised to them. */
static bool has_ended(const struct server *server)
{
	const struct session *session;

	if (!server->stopping || server->late)
		return server->stopping;
	list_for_each(session, &server->sessions, struct session, in_server)
		if (session->conn)
			return false;
	return true;
}

int server_run(struct server *server)
{
	while (!has_ended(server))
		if (lws_service(server->context, 0) < 0)
			return -EIO;
	return 0;
}

/* ---- the beginning ---------------------------------------------------------------------- */

#define SIGNALS_NAME "signals"

static const struct lws_protocols protocols[] = {
	{ .name = "chapi-hub", .callback = on_anything },
	{ .name = SIGNALS_NAME, .callback = on_signal },
	CONTROL_PROTOCOL,
	{ .name = NULL },
};

static void on_log(int level UNUSED, const char *line)
{
	log_debug("lws", "%.*s", (int)strcspn(line, "\n"), line);
}

/* The errno of an attempt to have the address; 0: it works. */
static int probe(const struct server_settings *settings)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)settings->port),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, error = 0;

	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	inet_pton(AF_INET, settings->address, &in.sin_addr);
	if (bind(fd, (const struct sockaddr *)&in, sizeof(in)) < 0)
		error = errno;
	close(fd);
	return error;
}

static int refuse_address(const struct server_settings *settings, const char *why,
			  struct server_fault *ret_fault)
{
	snprintf(ret_fault->text, sizeof(ret_fault->text), "cannot listen on %s port %u: %s",
		 settings->address, settings->port, why);
	return SERVER_E_LISTEN;
}

/* The address could be had a moment ago. */
static int explain_failure(const struct server_settings *settings, struct server_fault *ret_fault)
{
	if (!settings->tls_cert)
		return refuse_address(settings, "see the log at level debug", ret_fault);
	snprintf(ret_fault->text, sizeof(ret_fault->text),
		 "certificate %.100s and key %.100s: of no use, see the log at level debug",
		 settings->tls_cert, settings->tls_key);
	return SERVER_E_TLS;
}

/* WebSocket pings of its own would come on top of the app's: none. */
static const lws_retry_bo_t no_pings;

static struct lws_context_creation_info context_info(struct server *server)
{
	const struct server_settings *settings = &server->settings;

	return (struct lws_context_creation_info){
		.port = (int)settings->port,
		.iface = strcmp(settings->address, "0.0.0.0") == 0 ? NULL : settings->address,
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_IPV6 |
			   LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND |
			   (settings->tls_cert ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
		.ssl_cert_filepath = settings->tls_cert,
		.ssl_private_key_filepath = settings->tls_key,
		.alpn = "http/1.1",
		.gid = -1,
		.uid = -1,
		.user = server,
		.fd_limit_per_thread = FDS_MAX,
		.max_http_header_data = HEADERS_MAX,
		.timeout_secs = (unsigned int)(settings->http_timeout_ms / 1000) + 5,
		.keepalive_timeout = KEEPALIVE_S,
		.retry_and_idle_policy = &no_pings,
		.vhost_name = "hub",
	};
}

static int open_context(struct server *server, struct server_fault *ret_fault)
{
	struct lws_context_creation_info info = context_info(server);
	int error = probe(&server->settings);

	if (error != 0)
		return refuse_address(&server->settings, strerror(error), ret_fault);
	lws_set_log_level(LLL_ERR | LLL_WARN | LLL_NOTICE, on_log);
	server->context = lws_create_context(&info);
	if (!server->context)
		return -ENOMEM;
	server->vhost = lws_create_vhost(server->context, &info);
	return server->vhost ? 0 : explain_failure(&server->settings, ret_fault);
}

/* The descriptor is libwebsockets' from then on. */
static int open_signals(struct server *server)
{
	lws_sock_file_fd_type fd;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	fd.filefd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd.filefd < 0)
		return -errno;
	if (!lws_adopt_descriptor_vhost(server->vhost, LWS_ADOPT_RAW_FILE_DESC, fd,
					SIGNALS_NAME, NULL))
		return -ENOMEM;
	return 0;
}

static int open_control(struct server *server, struct server_fault *ret_fault)
{
	int r = control_new(server->vhost, server->play, server->settings.control,
			    &server->control);

	if (r == 0 || r == -ENOMEM)
		return r;
	snprintf(ret_fault->text, sizeof(ret_fault->text), "control socket %.150s: %s",
		 server->settings.control, strerror(-r));
	return SERVER_E_LISTEN;
}

static int open_play(struct server *server, struct server_fault *ret_fault)
{
	const struct server_settings *settings = &server->settings;
	struct play_fault fault;
	int r = settings->script ? play_file(server->play, settings->script, &fault) : 0;

	if (r > 0) {
		snprintf(ret_fault->text, sizeof(ret_fault->text), "script %.150s line %u: %s",
			 settings->script, fault.line, fault.why);
		return SERVER_E_SCRIPT;
	}
	return r == 0 && settings->control ? open_control(server, ret_fault) : r;
}

int server_new(const struct server_settings *settings, struct server **ret_server,
	       struct server_fault *ret_fault)
{
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->settings = *settings;
	list_init(&server->sessions);
	r = play_new(&server->sessions, &server->play);
	if (r == 0)
		r = app_new(&settings->app, &play_ops, &server->app);
	if (r == 0)
		r = open_context(server, ret_fault);
	if (r == 0)
		r = open_signals(server);
	if (r == 0)
		r = open_play(server, ret_fault);
	if (r != 0) {
		server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

/* Sessions end with the context, connections of the app with their sessions. */
struct server *server_free(struct server *server)
{
	if (!server)
		return NULL;
	if (server->context)
		lws_context_destroy(server->context);
	app_free(server->app);
	control_free(server->control);
	play_free(server->play);
	free(server);
	return NULL;
}

unsigned int server_port(const struct server *server)
{
	return (unsigned int)lws_get_vhost_listen_port(server->vhost);
}
