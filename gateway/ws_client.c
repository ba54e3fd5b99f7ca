/* SPDX-License-Identifier: MIT */
/*
 * libwebsockets, as a client of one connection: its context, and what the loop wishes of it.
 *
 * What has to be known of it, seen on 4.1 and 4.3:
 * - $http_proxy is heeded unless a proxy is set: an empty one is.
 * - 4.1 takes another OpenSSL index for each context: there is one context for all connections.
 * - Header lines are cut at 128 bytes, without a word: see HOST_LEN_MAX.
 * What it says of the connection comes to ws_callbacks.c.
 */
#include "gateway/ws_client.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/log.h"
#include "gateway/proxy.h"
#include "gateway/sign.h"
#include "gateway/tls.h"
#include "gateway/turn.h"
#include "gateway/ws_client_private.h"

#define HOST_LEN_MAX 90
/* Else libwebsockets makes tables for as many as the process may open. */
#define FDS_MAX 16
#define TIMEOUT_S 30		/* of each step, a last resort: the limits are the channel's */

void ws_client_forget(struct ws_client *c)
{
	c->generation = 0;
	c->target = ws_target_free(c->target);
	c->wsi = NULL;
	c->connected = c->open = c->reported = false;
	c->certificate_error = 0;
	c->tls_error = 0;
	c->retry_after_s = 0;
	c->close_code = 0;
	buf_deinit(&c->close_why);
	buf_deinit(&c->gather);
	c->paused = c->ping_is_due = false;
	c->pulse = ws_pulse_free(c->pulse);
	keepalive_init(&c->keepalive);
}

/* ---- the context ---------------------------------------------------------------------------- */

static void on_log(int level UNUSED, const char *line)
{
	log_debug("ws", "%.*s", (int)strcspn(line, "\n"), line);
}

static void note_tls_error(const SSL *ssl, int where, int result)
{
	struct ws_client *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	unsigned long error = ERR_peek_last_error();

	if ((where & SSL_CB_EXIT) && result <= 0 && error != 0)
		c->tls_error = error;
}

static SSL_CTX *make_ssl(struct ws_client *c)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());

	if (!ssl)
		return NULL;
	SSL_CTX_set_app_data(ssl, c);
	SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_info_callback(ssl, note_tls_error);
	return ssl;
}

static const struct lws_protocols protocols[] = {
	{ .name = "chapi", .callback = ws_callback },
	{ .name = NULL },
};

static bool open_context(struct ws_client *c, bool tls)
{
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
		.gid = -1,
		.uid = -1,
		.user = c,
		.fd_limit_per_thread = FDS_MAX,
		.timeout_secs = TIMEOUT_S,
		.connect_timeout_secs = TIMEOUT_S,
		.http_proxy_address = "",
		.vhost_name = "hub",
	};

	if (tls) {
		c->ssl = make_ssl(c);
		if (!c->ssl)
			return false;
		info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
		info.provided_client_ssl_ctx = c->ssl;
	}
	c->context = lws_create_context(&info);
	if (c->context)
		c->vhost = lws_create_vhost(c->context, &info);
	return c->vhost;
}

static void close_context(struct ws_client *c)
{
	struct lws_context *context = c->context;

	pthread_mutex_lock(&c->link->lock);
	c->link->context = NULL;
	pthread_mutex_unlock(&c->link->lock);
	if (context)
		lws_context_destroy(context);
	SSL_CTX_free(c->ssl);
	c->context = NULL;
	c->vhost = NULL;
	c->ssl = NULL;
}

/* One for TLS, or one without: what TLS needs is not loaded for nothing. */
static bool ensure_context(struct ws_client *c, bool tls)
{
	if (c->context && !!c->ssl == tls)
		return true;
	close_context(c);
	if (open_context(c, tls))
		return true;
	close_context(c);
	return false;
}

/* ---- what the loop wishes --------------------------------------------------------------- */

/* False: reported. */
static bool load_authorities(struct ws_client *c)
{
	X509_STORE *store;
	int r = tls_store_new(c->target->ca_file, &store);

	if (r == 0)
		SSL_CTX_set_cert_store(c->ssl, store);
	else if (r == TLS_E_CA_FILE)
		ws_tell_failure(c, "no certificate can be read from ca_file %s",
				c->target->ca_file);
	else
		ws_tell_failure(c, "no memory for certificates");
	return r == 0;
}

static bool is_ipv6(const char *host)
{
	return strchr(host, ':');
}

/* False: libwebsockets does not take it, and would connect without. */
static bool set_proxy(struct ws_client *c)
{
	const struct ws_target *target = c->target;
	const char *auth = target->proxy_auth ? target->proxy_auth : "";
	bool brackets = is_ipv6(target->address);
	char text[PROXY_LOGIN_MAX + sizeof("@[]:65535") + INET6_ADDRSTRLEN];
	int n = snprintf(text, sizeof(text), "%s%s%s%s%s:%u", auth, *auth ? "@" : "",
			 brackets ? "[" : "", target->address, brackets ? "]" : "",
			 target->proxy_port);
	bool taken = n > 0 && (size_t)n < sizeof(text) && lws_set_proxy(c->vhost, text) == 0;

	sign_wipe(text, sizeof(text));
	return taken;
}

static void put_host(const struct ws_target *target, char *out, size_t out_len)
{
	bool brackets = is_ipv6(target->host);
	int n = snprintf(out, out_len, "%s%s%s", brackets ? "[" : "", target->host,
			 brackets ? "]" : "");

	if (target->port != (target->tls ? 443 : 80))
		snprintf(out + n, out_len - (size_t)n, ":%u", target->port);
}

static int connection_flags(const struct ws_target *target)
{
	int flags = LCCSCF_HTTP_NO_FOLLOW_REDIRECT;

	if (target->tls)
		flags |= LCCSCF_USE_SSL;
	/* It would look for "[" in the certificate; on_verify() looks for the address. */
	if (is_ipv6(target->host))
		flags |= LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;
	return flags;
}

/* WebSocket pings of its own would come on top of the channel's: none. */
static const lws_retry_bo_t no_pings;

static void start_connection(struct ws_client *c)
{
	const struct ws_target *target = c->target;
	char host[HOST_LEN_MAX + 10];
	struct lws_client_connect_info info = {
		.context = c->context,
		.vhost = c->vhost,
		.address = target->proxy_port ? target->host : target->address,
		.port = (int)target->port,
		.path = target->path,
		.host = host,
		.ssl_connection = connection_flags(target),
		.alpn = "http/1.1",
		.local_protocol_name = protocols[0].name,
		.ietf_version_or_minus_one = -1,
		.opaque_user_data = (void *)(uintptr_t)c->generation,
		.retry_and_idle_policy = &no_pings,
		.pwsi = &c->wsi,
	};

	put_host(target, host, sizeof(host));
	if (target->proxy_port && !set_proxy(c)) {
		ws_tell_failure(c, "the WebSocket library does not take the setting proxy");
		return;
	}
	if (!lws_client_connect_via_info(&info)) {
		/* It may have gone through on_destroyed() already. */
		if (c->generation != 0)
			ws_failure_tell(c, 0, span_of(NULL, 0));
		ws_client_forget(c);
	}
}

/* Takes the target over. */
static void connect_to(struct ws_client *c, struct ws_target *target, uint64_t generation)
{
	c->target = target;
	c->generation = generation;
	buf_init(&c->gather, WS_FRAME_MAX);
	if (strlen(target->host) > HOST_LEN_MAX)
		ws_tell_failure(c, "the host name has more than %d characters", HOST_LEN_MAX);
	else if (!ensure_context(c, target->tls))
		ws_tell_failure(c, "the WebSocket library cannot be started, "
			       "see the log at level debug");
	else if (!target->tls || load_authorities(c))
		start_connection(c);
	if (c->reported)
		ws_client_forget(c);
}

/*
 * An open connection still says goodbye, of which nobody here hears any more: libwebsockets
 * sends the close frame when it can and drops the connection after 5 s at the latest.
 */
static void give_up(struct ws_client *c)
{
	struct lws *wsi = c->wsi;

	if (wsi && c->open)
		lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
	ws_client_forget(c);
	if (!wsi)
		return;
	lws_set_opaque_user_data(wsi, NULL);
	lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}

/* Turns enough to send the close frame, if the connection takes it at once; no waiting. */
static void leave(struct ws_client *c)
{
	if (c->generation != 0)
		give_up(c);
	for (int i = 0; c->context && i < 3; i++)
		(void)lws_service(c->context, -1);
	close_context(c);
}

struct wishes {
	uint64_t wanted;
	struct ws_target *target;
	struct ws_pulse *pulse;
	bool resume, stop, send;
};

/* Waits if there is no context to wait in. */
static struct wishes take_wishes(struct ws_client *c)
{
	struct ws_link *link = c->link;
	struct wishes wishes;

	pthread_mutex_lock(&link->lock);
	link->context = c->context;
	while (!link->context && !link->stop && !link->target)
		pthread_cond_wait(&link->changed, &link->lock);
	wishes = (struct wishes){
		.wanted = link->wanted,
		.target = link->target,
		.pulse = link->pulse,
		.resume = link->resume,
		.stop = link->stop,
		.send = !list_empty(&link->out),
	};
	link->target = NULL;
	link->pulse = NULL;
	link->resume = false;
	pthread_mutex_unlock(&link->lock);
	return wishes;
}

static void read_on(struct ws_client *c)
{
	c->paused = false;
	ws_alive_heard(c, c->wsi);	/* it may wait to be read */
	lws_rx_flow_control(c->wsi, 1);
}

static void fulfil(struct ws_client *c, const struct wishes *wishes)
{
	if (c->generation != 0 && c->generation != wishes->wanted)
		give_up(c);
	if (wishes->target)
		connect_to(c, wishes->target, wishes->wanted);
	if (wishes->pulse)
		ws_alive_start(c, wishes->pulse);
	if (!c->open)
		return;
	if (wishes->resume)
		read_on(c);
	if (wishes->send)
		lws_callback_on_writable(c->wsi);
}

/* A context that is new has to be known to the loop before anybody waits in it. */
static void serve(struct ws_client *c, struct lws_context *known)
{
	if (!c->context || c->context != known)
		return;
	if (lws_service(c->context, 0) >= 0)
		return;
	ws_tell_failure(c, "the WebSocket library has failed, see the log at level debug");
	close_context(c);
	ws_client_forget(c);
}

/*
 * While the process runs, a turn takes no longer than the pings are apart. After one that did, more
 * may lie in the socket than was read in it, none of which is told from what comes from now on.
 */
static void end_stale(struct ws_client *c, uint64_t waited_ms)
{
	if (!c->open || !c->pulse || waited_ms <= c->pulse->every_ms + c->pulse->answer_ms)
		return;
	ws_tell_failure(c, WS_STALE_FORMAT, waited_ms / 1000);
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
}

/* The next one begins with it: between the two nothing is lost of the time. */
static void end_turn(struct ws_client *c)
{
	uint64_t now_ms = read_now().ms;

	if (c->paused)
		return;
	end_stale(c, now_ms - c->waited_since_ms);
	c->waited_since_ms = now_ms;
}

void *ws_client_main(void *arg)
{
	struct ws_client c = { .link = arg, .waited_since_ms = read_now().ms };
	struct wishes wishes;

	keepalive_init(&c.keepalive);
	lws_set_log_level(LLL_ERR | LLL_WARN | LLL_NOTICE, on_log);
	for (;;) {
		struct lws_context *known = c.context;

		wishes = take_wishes(&c);
		if (wishes.stop)
			break;
		fulfil(&c, &wishes);
		serve(&c, known);
		end_turn(&c);
	}
	ws_target_free(wishes.target);
	ws_pulse_free(wishes.pulse);
	leave(&c);
	ws_link_unref(c.link);
	return NULL;
}
