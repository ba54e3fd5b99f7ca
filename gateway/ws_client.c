/* SPDX-License-Identifier: MIT */
/*
 * libwebsockets, as a client of one connection.
 *
 * What has to be known of it, seen on 4.1 and 4.3:
 * - A certificate is checked against the name that precedes the first ':' of the Host header,
 *   and not at all if that is empty; so the name is checked here, once more.
 * - A connection that ends in the TLS handshake, by its own time-out for one, has no callback but
 *   WSI_DESTROY. So whatever ends without having been reported is reported there.
 * - It says "Unable to connect" and has forgotten why: the reason is asked for anew (probe()).
 * - $http_proxy is heeded unless a proxy is set: an empty one is.
 * - 4.1 takes another OpenSSL index for each context: there is one context for all connections.
 * - A callback for received data that asks for the end (-1) in the middle of a frame makes it write
 *   the rest of that frame behind its buffer: see refuse_message().
 * - Header lines are cut at 128 bytes, without a word: see HOST_LEN_MAX and put_origin().
 *
 * Connections are known to the callbacks by their generation: of one that was given up none
 * gets through.
 */
#include "gateway/ws_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/keepalive.h"
#include "gateway/log.h"
#include "gateway/retry_after.h"
#include "gateway/tls.h"
#include "gateway/turn.h"
#include "gateway/ws_link.h"
#include "libchapi-ipc/buf.h"

#define HOST_LEN_MAX 90
#define HEADER_LEN 64		/* of an answer's, as far as we look at it */
/* Else libwebsockets makes tables for as many as the process may open. */
#define FDS_MAX 16
#define TIMEOUT_S 30		/* of each step, a last resort: the limits are the channel's */
#define PROBE_MS 300
#define GATHER_KEEP 8192
#define TIMER_MAX_MS (24 * 3600 * 1000)	/* it is set again then */
/* Where the thread stops reading. What libwebsockets has read already still comes. */
#define IN_FRAMES_MAX 256
#define IN_BYTES_MAX (2 * WS_FRAME_MAX)

struct client {
	struct ws_link *link;
	struct lws_context *context;
	struct lws_vhost *vhost;
	SSL_CTX *ssl;			/* of the context; NULL: it was made without TLS */

	/* The connection, if generation is not 0. */
	uint64_t generation;
	struct ws_target *target;
	struct lws *wsi;
	bool connected;			/* TCP is */
	bool open;
	bool reported;			/* the loop knows that it is over */
	int certificate_error;		/* X509_V_ERR_*; 0: none */
	unsigned long tls_error;	/* OpenSSL's; 0: none */
	unsigned int retry_after_s;	/* of an answer in place of a WebSocket */
	unsigned int close_code;
	struct buf close_why;
	struct buf gather;		/* the message that is coming in */
	bool paused;			/* it is not read: the loop is behind */
	uint64_t waited_since_ms;	/* what is read now may have come then */
	struct ws_pulse *pulse;		/* NULL: the loop has not asked for pings yet */
	struct keepalive keepalive;
	bool ping_is_due;
};

/* ---- events to the loop ------------------------------------------------------------------ */

/* True: the loop is behind, read no more for now. */
static bool push(struct client *c, struct ws_item *item)
{
	struct ws_link *link = c->link;
	bool paused, is_first;

	pthread_mutex_lock(&link->lock);
	is_first = list_empty(&link->in);
	list_add_tail(&link->in, &item->link);
	link->n_in++;
	link->in_bytes += item->len;
	if (link->n_in >= IN_FRAMES_MAX || link->in_bytes >= IN_BYTES_MAX)
		link->paused = true;
	paused = link->paused;
	pthread_mutex_unlock(&link->lock);
	if (is_first)	/* not under the lock, which the loop would run into */
		(void)eventfd_write(link->event_fd, 1);
	return paused;
}

static struct ws_item *take_news(struct client *c, enum ws_item_kind kind)
{
	struct ws_item *item = c->pulse ? c->pulse->news : NULL;

	if (!item)
		return NULL;
	c->pulse->news = NULL;
	item->kind = kind;
	return item;
}

/* Without memory its reason is lost; before there are pings, all of it: the channel's time limit
 * for the handshake notices. */
static void report_end(struct client *c, const struct ws_end *end)
{
	struct ws_item *item;

	if (c->generation == 0 || c->reported)
		return;
	c->reported = true;
	item = ws_item_new(WS_ITEM_CLOSED, c->generation, end->why);
	if (!item)
		item = take_news(c, WS_ITEM_CLOSED);
	if (!item)
		return;
	item->end = *end;
	item->end.why = span_of(NULL, 0);
	push(c, item);
}

static void PRINTF(2, 3) report_failure(struct client *c, const char *fmt, ...)
{
	char why[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	report_end(c, &(struct ws_end){ .why = span_str(why) });
}

static void forget_connection(struct client *c)
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

/* ---- why a connection did not come about ---------------------------------------------------- */

static socklen_t make_address(const char *text, unsigned int port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		return sizeof(*in6);
	}
	return 0;
}

static int finish_connect(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0;

	if (poll(&p, 1, PROBE_MS) != 1)
		return ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

/* The errno of a connection attempt; 0: it works now. */
static int probe(const char *address, unsigned int port)
{
	struct sockaddr_storage sa;
	socklen_t len = make_address(address, port, &sa);
	int fd, error = 0;

	if (len == 0)
		return EADDRNOTAVAIL;
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	if (connect(fd, (struct sockaddr *)&sa, len) < 0)
		error = errno == EINPROGRESS ? finish_connect(fd) : errno;
	close(fd);
	return error;
}

static void report_unreachable(struct client *c)
{
	const struct ws_target *target = c->target;
	unsigned int port = target->proxy_port ? target->proxy_port : target->port;
	int error = probe(target->address, port);

	report_failure(c, "cannot connect to %s%s port %u: %s",
		       target->proxy_port ? "the proxy " : "", target->address, port,
		       error ? strerror(error) : "it was refused, but is not now");
}

static void report_certificate(struct client *c)
{
	char why[300];

	tls_describe(c->certificate_error, c->target->host, time(NULL), why, sizeof(why));
	report_end(c, &(struct ws_end){
		.why = span_str(why), .clock = tls_is_about_time(c->certificate_error),
	});
}

static void report_tls(struct client *c)
{
	const char *reason = ERR_reason_error_string(c->tls_error);

	report_failure(c, "TLS with %s failed: %s", c->target->host,
		       reason ? reason : "no reason given");
}

static void report_status(struct client *c, unsigned int status)
{
	char why[300];

	snprintf(why, sizeof(why),
		 "%s answered with HTTP status %u instead of opening a WebSocket%s",
		 c->target->host, status,
		 status >= 300 && status < 400 ? " (redirects are not followed)" : "");
	report_end(c, &(struct ws_end){
		.why = span_str(why), .status = status, .retry_after_s = c->retry_after_s,
	});
}

/* Which status it gave libwebsockets does not tell, only that it was not 200. */
static bool is_proxys_no(const struct client *c, struct span hint)
{
	static const char words[] = "proxy";

	return c->target->proxy_port != 0 && hint.len >= strlen(words) &&
	       memcmp(hint.p, words, strlen(words)) == 0;
}

static void report_proxy(struct client *c)
{
	const struct ws_target *target = c->target;
	char why[300];

	snprintf(why, sizeof(why),
		 "the proxy %s port %u makes no connection to %s; is it allowed to, "
		 "and are user and password in the setting proxy right?",
		 target->address, target->proxy_port, target->host);
	report_end(c, &(struct ws_end){ .why = span_str(why), .proxy = true });
}

/* hint: what libwebsockets says, if it says anything. */
static void report_not_opened(struct client *c, unsigned int status, struct span hint)
{
	if (c->reported)
		return;
	if (c->certificate_error != 0)
		report_certificate(c);
	else if (!c->connected)
		report_unreachable(c);
	else if (c->tls_error != 0)
		report_tls(c);
	else if (status != 0 && status != 101)
		report_status(c, status);
	else if (is_proxys_no(c, hint))
		report_proxy(c);
	else if (hint.len > 0)
		report_failure(c, "no WebSocket with %s: %.*s", c->target->host,
			       (int)MIN(hint.len, 100), (const char *)hint.p);
	else
		report_failure(c, "%s closed the connection, or took too long, "
			       "before the WebSocket was open", c->target->host);
}

/* ---- callbacks of the connection at hand: 0, or -1 to end it ---------------------------- */

struct call {
	struct lws *wsi;
	void *user, *in;
	size_t len;
};

static int on_connected(struct client *c, const struct call *call UNUSED)
{
	c->connected = true;
	return 0;
}

/* Called for each certificate of the chain, and for each fault: 1 refuses. */
static int on_verify(struct client *c, const struct call *call)
{
	X509_STORE_CTX *store = call->user;
	bool fine = call->len != 0;

	if (!fine) {
		if (c->certificate_error == 0)
			c->certificate_error = X509_STORE_CTX_get_error(store);
		return 1;
	}
	if (X509_STORE_CTX_get_error_depth(store) != 0 ||
	    tls_name_matches(X509_STORE_CTX_get_current_cert(store), c->target->host))
		return 0;
	c->certificate_error = X509_V_ERR_HOSTNAME_MISMATCH;
	X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
	return 1;
}

/* libwebsockets would cut a long one, and put "http://" in front. */
static int put_origin(struct client *c, const struct call *call)
{
	char **p = call->in;
	int n;

	if (!c->target->origin)
		return 0;
	n = snprintf(*p, call->len, "Origin: %s\r\n", c->target->origin);
	if (n < 0 || (size_t)n >= call->len) {
		report_failure(c, "the setting origin is too long");
		return -1;
	}
	*p += n;
	return 0;
}

static int on_redirect(struct client *c UNUSED, const struct call *call UNUSED)
{
	return -1;
}

static void note_retry_after(struct client *c, struct lws *wsi)
{
	char text[HEADER_LEN], date[HEADER_LEN];

	if (lws_hdr_copy(wsi, text, sizeof(text), WSI_TOKEN_HTTP_RETRY_AFTER) <= 0)
		return;
	if (lws_hdr_copy(wsi, date, sizeof(date), WSI_TOKEN_HTTP_DATE) <= 0)
		date[0] = '\0';
	c->retry_after_s = retry_after_s(text, date, time(NULL));
}

static int on_failed(struct client *c, const struct call *call)
{
	struct span hint = span_of(call->in, call->in ? call->len : 0);

	/* Some versions count the terminator. */
	while (hint.len > 0 && hint.p[hint.len - 1] == '\0')
		hint.len--;
	note_retry_after(c, call->wsi);
	report_not_opened(c, lws_http_client_http_response(call->wsi), hint);
	return 0;
}

/* The authorities have done their work: some megabytes that nobody needs until the next time. */
static void drop_authorities(struct client *c)
{
	X509_STORE *none = X509_STORE_new();

	if (c->ssl && none)
		SSL_CTX_set_cert_store(c->ssl, none);
	else
		X509_STORE_free(none);
}

static int on_open(struct client *c, const struct call *call)
{
	struct ws_item *item = ws_item_new(WS_ITEM_OPENED, c->generation, span_of(NULL, 0));

	if (!item)
		return -1;
	c->open = true;
	drop_authorities(c);
	push(c, item);
	lws_callback_on_writable(call->wsi);
	return 0;
}

static void arm_timer(struct client *c, struct lws *wsi)
{
	uint64_t next_ms = keepalive_next_ms(&c->keepalive), now_ms = read_now().ms;
	uint64_t ms = next_ms > now_ms ? next_ms - now_ms : 0;

	lws_set_timer_usecs(wsi, next_ms == KEEPALIVE_NEVER
					 ? LWS_SET_TIMER_USEC_CANCEL
					 : (lws_usec_t)MIN(ms, TIMER_MAX_MS) * LWS_US_PER_MS);
}

/* For the status. */
static void tell_answer_until(struct client *c)
{
	uint64_t until_ms = c->keepalive.answer_until_ms;
	struct ws_link *link = c->link;

	pthread_mutex_lock(&link->lock);
	if (link->wanted == c->generation)
		link->answer_until_ms = until_ms == KEEPALIVE_NEVER ? 0 : until_ms;
	pthread_mutex_unlock(&link->lock);
}

/* Whatever it is, the hub lives. */
static void heard(struct client *c, struct lws *wsi)
{
	if (!keepalive_heard(&c->keepalive))
		return;
	tell_answer_until(c);
	arm_timer(c, wsi);
}

/* An answer that we do not read is no sign of death. */
static int on_timer(struct client *c, const struct call *call)
{
	struct ws_item *news;

	if (c->paused)
		keepalive_heard(&c->keepalive);
	switch (keepalive_tick(&c->keepalive, read_now().ms)) {
	case KEEPALIVE_PING:
		c->ping_is_due = true;
		lws_callback_on_writable(call->wsi);
		break;
	case KEEPALIVE_DEAD:
		news = take_news(c, WS_ITEM_SILENT);
		if (news)
			push(c, news);
		break;
	case KEEPALIVE_NOTHING:
		break;
	}
	tell_answer_until(c);
	arm_timer(c, call->wsi);
	return 0;
}

/* libwebsockets writes over what it is given. */
static int write_ping(struct client *c, struct lws *wsi)
{
	uint8_t room[LWS_PRE + WS_PING_MAX];

	c->ping_is_due = false;
	memcpy(room + LWS_PRE, c->pulse->ping, c->pulse->len);
	if (lws_write(wsi, room + LWS_PRE, c->pulse->len, LWS_WRITE_TEXT) < 0)
		return -1;
	lws_callback_on_writable(wsi);	/* for what else there is: one frame at a time */
	return 0;
}

/* Cut off, as soon as this turn is over; until then whatever still comes is ignored. */
static int refuse_message(struct client *c, struct lws *wsi, int error)
{
	if (error == -ENOBUFS)
		report_failure(c, "the hub sent a message of more than %d bytes", WS_FRAME_MAX);
	else
		report_failure(c, "no memory for a message of the hub");
	lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
	return 0;
}

static int push_frame(struct client *c, struct lws *wsi, struct span text)
{
	struct ws_item *item;

	if (c->pulse && c->pulse->is_pong(text))
		return 0;
	item = ws_item_new(WS_ITEM_FRAME, c->generation, text);
	if (!item)
		return refuse_message(c, wsi, -ENOMEM);
	item->since_ms = c->waited_since_ms;
	c->paused = push(c, item);
	if (c->paused)
		lws_rx_flow_control(wsi, 0);
	return 0;
}

static int on_receive(struct client *c, const struct call *call)
{
	int r;

	if (c->reported)
		return 0;
	heard(c, call->wsi);
	if (lws_frame_is_binary(call->wsi))
		return 0;
	if (c->gather.len == 0 && lws_is_final_fragment(call->wsi))
		return push_frame(c, call->wsi, span_of(call->in, call->len));

	buf_put(&c->gather, call->in, call->len);
	if (buf_error(&c->gather) < 0)
		return refuse_message(c, call->wsi, buf_error(&c->gather));
	if (!lws_is_final_fragment(call->wsi))
		return 0;
	r = push_frame(c, call->wsi, buf_span(&c->gather));
	buf_clear(&c->gather);
	buf_shrink(&c->gather, GATHER_KEEP);
	return r;
}

static struct ws_item *take_frame(struct ws_link *link, bool *ret_more)
{
	struct ws_item *item;

	pthread_mutex_lock(&link->lock);
	item = list_first(&link->out, struct ws_item, link);
	if (item) {
		list_del(&item->link);
		link->out_bytes -= item->len;
	}
	*ret_more = !list_empty(&link->out);
	pthread_mutex_unlock(&link->lock);
	return item;
}

static int on_writable(struct client *c, const struct call *call)
{
	struct ws_item *item;
	bool more;
	int n = 0;

	if (!c->open)
		return 0;
	if (c->ping_is_due)
		return write_ping(c, call->wsi);
	item = take_frame(c->link, &more);
	if (!item)
		return 0;
	if (item->generation == c->generation)
		n = lws_write(call->wsi, item->text, item->len, LWS_WRITE_TEXT);
	free(item);
	if (n < 0)
		return -1;
	if (more)
		lws_callback_on_writable(call->wsi);
	return 0;
}

static int on_peer_close(struct client *c, const struct call *call)
{
	const uint8_t *p = call->in;

	if (call->len < 2)
		return 0;
	c->close_code = (unsigned int)p[0] << 8 | p[1];
	buf_put(&c->close_why, p + 2, call->len - 2);
	return 0;
}

static int on_closed(struct client *c, const struct call *call UNUSED)
{
	if (c->close_code != 0)
		report_end(c, &(struct ws_end){ .code = c->close_code,
						.why = buf_span(&c->close_why) });
	else
		report_failure(c, "the connection was cut");
	return 0;
}

static int on_destroyed(struct client *c, const struct call *call)
{
	if (c->open)
		on_closed(c, call);
	else
		report_not_opened(c, 0, span_of(NULL, 0));
	forget_connection(c);
	return 0;
}

static const struct {
	enum lws_callback_reasons reason;
	int (*f)(struct client *c, const struct call *call);
} callbacks[] = {
	{ LWS_CALLBACK_WSI_CREATE, on_connected },
	{ LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION, on_verify },
	{ LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER, put_origin },
	{ LWS_CALLBACK_CLIENT_HTTP_REDIRECT, on_redirect },
	{ LWS_CALLBACK_CLIENT_CONNECTION_ERROR, on_failed },
	{ LWS_CALLBACK_CLIENT_ESTABLISHED, on_open },
	{ LWS_CALLBACK_CLIENT_RECEIVE, on_receive },
	{ LWS_CALLBACK_CLIENT_WRITEABLE, on_writable },
	{ LWS_CALLBACK_TIMER, on_timer },
	{ LWS_CALLBACK_WS_PEER_INITIATED_CLOSE, on_peer_close },
	{ LWS_CALLBACK_CLIENT_CLOSED, on_closed },
	{ LWS_CALLBACK_WSI_DESTROY, on_destroyed },
};

/* Also called with things that are no connection, for reasons that are in no table. */
static int on_anything(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		       size_t len)
{
	const struct call call = { .wsi = wsi, .user = user, .in = in, .len = len };
	struct client *c;
	uintptr_t of;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(callbacks) && callbacks[i].reason != reason; i++)
		;
	if (i == ARRAY_SIZE(callbacks))
		return 0;
	c = lws_context_user(lws_get_context(wsi));
	of = (uintptr_t)lws_get_opaque_user_data(wsi);
	if (of == 0 || of != (uintptr_t)c->generation)
		return 0;
	return callbacks[i].f(c, &call);
}

/* ---- the context ---------------------------------------------------------------------------- */

static void on_log(int level UNUSED, const char *line)
{
	log_debug("ws", "%.*s", (int)strcspn(line, "\n"), line);
}

static void note_tls_error(const SSL *ssl, int where, int result)
{
	struct client *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	unsigned long error = ERR_peek_last_error();

	if ((where & SSL_CB_EXIT) && result <= 0 && error != 0)
		c->tls_error = error;
}

static SSL_CTX *make_ssl(struct client *c)
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
	{ .name = "chapi", .callback = on_anything },
	{ .name = NULL },
};

static bool open_context(struct client *c, bool tls)
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

static void close_context(struct client *c)
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
static bool ensure_context(struct client *c, bool tls)
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
static bool load_authorities(struct client *c)
{
	X509_STORE *store;
	int r = tls_store_new(c->target->ca_file, &store);

	if (r == 0)
		SSL_CTX_set_cert_store(c->ssl, store);
	else if (r == TLS_E_CA_FILE)
		report_failure(c, "no certificate can be read from ca_file %s", c->target->ca_file);
	else
		report_failure(c, "no memory for certificates");
	return r == 0;
}

static bool is_ipv6(const char *host)
{
	return strchr(host, ':');
}

static void set_proxy(struct client *c)
{
	const struct ws_target *target = c->target;
	const char *auth = target->proxy_auth ? target->proxy_auth : "";
	bool brackets = is_ipv6(target->address);
	char text[256];

	snprintf(text, sizeof(text), "%s%s%s%s%s:%u", auth, *auth ? "@" : "", brackets ? "[" : "",
		 target->address, brackets ? "]" : "", target->proxy_port);
	lws_set_proxy(c->vhost, text);
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

static void start_connection(struct client *c)
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
	if (target->proxy_port)
		set_proxy(c);
	if (!lws_client_connect_via_info(&info)) {
		/* It may have gone through on_destroyed() already. */
		if (c->generation != 0)
			report_not_opened(c, 0, span_of(NULL, 0));
		forget_connection(c);
	}
}

/* Takes the target over. */
static void connect_to(struct client *c, struct ws_target *target, uint64_t generation)
{
	c->target = target;
	c->generation = generation;
	buf_init(&c->gather, WS_FRAME_MAX);
	if (strlen(target->host) > HOST_LEN_MAX)
		report_failure(c, "the host name has more than %d characters", HOST_LEN_MAX);
	else if (!ensure_context(c, target->tls))
		report_failure(c, "the WebSocket library cannot be started, "
			       "see the log at level debug");
	else if (!target->tls || load_authorities(c))
		start_connection(c);
	if (c->reported)
		forget_connection(c);
}

/*
 * An open connection still says goodbye, of which nobody here hears any more: libwebsockets
 * sends the close frame when it can and drops the connection after 5 s at the latest.
 */
static void give_up(struct client *c)
{
	struct lws *wsi = c->wsi;

	if (wsi && c->open)
		lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
	forget_connection(c);
	if (!wsi)
		return;
	lws_set_opaque_user_data(wsi, NULL);
	lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}

/* Turns enough to send the close frame, if the connection takes it at once; no waiting. */
static void leave(struct client *c)
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
static struct wishes take_wishes(struct client *c)
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

/* Takes the pulse over. It may be of a connection that is no more. */
static void start_pings(struct client *c, struct ws_pulse *pulse)
{
	if (!c->open || c->reported || pulse->generation != c->generation) {
		ws_pulse_free(pulse);
		return;
	}
	ws_pulse_free(c->pulse);
	c->pulse = pulse;
	keepalive_start(&c->keepalive, pulse->every_ms, pulse->answer_ms, read_now().ms);
	arm_timer(c, c->wsi);
}

static void read_on(struct client *c)
{
	c->paused = false;
	heard(c, c->wsi);	/* it may wait to be read */
	lws_rx_flow_control(c->wsi, 1);
}

static void fulfil(struct client *c, const struct wishes *wishes)
{
	if (c->generation != 0 && c->generation != wishes->wanted)
		give_up(c);
	if (wishes->target)
		connect_to(c, wishes->target, wishes->wanted);
	if (wishes->pulse)
		start_pings(c, wishes->pulse);
	if (!c->open)
		return;
	if (wishes->resume)
		read_on(c);
	if (wishes->send)
		lws_callback_on_writable(c->wsi);
}

/* A context that is new has to be known to the loop before anybody waits in it. */
static void serve(struct client *c, struct lws_context *known)
{
	if (!c->context || c->context != known)
		return;
	if (lws_service(c->context, 0) >= 0)
		return;
	report_failure(c, "the WebSocket library has failed, see the log at level debug");
	close_context(c);
	forget_connection(c);
}

void *ws_client_main(void *arg)
{
	struct client c = { .link = arg };
	struct wishes wishes;

	keepalive_init(&c.keepalive);
	lws_set_log_level(LLL_ERR | LLL_WARN | LLL_NOTICE, on_log);
	for (;;) {
		struct lws_context *known = c.context;
		bool was_paused = c.paused;

		wishes = take_wishes(&c);
		if (wishes.stop)
			break;
		fulfil(&c, &wishes);
		if (!was_paused)
			c.waited_since_ms = read_now().ms;
		serve(&c, known);
	}
	ws_target_free(wishes.target);
	ws_pulse_free(wishes.pulse);
	leave(&c);
	ws_link_unref(c.link);
	return NULL;
}
