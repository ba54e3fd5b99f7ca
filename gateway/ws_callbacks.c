/* SPDX-License-Identifier: MIT */
/*
 * What libwebsockets says of the connection at hand. Connections are known by their generation: of
 * one that was given up nothing gets through.
 *
 * What has to be known of it, seen on 4.1 and 4.3:
 * - A certificate is checked against the name that precedes the first ':' of the Host header,
 *   and not at all if that is empty; so the name is checked here, once more.
 * - A connection that ends in the TLS handshake, by its own time-out for one, has no callback but
 *   WSI_DESTROY. So whatever ends without having been reported is reported there.
 * - A callback for received data that asks for the end (-1) in the middle of a frame makes it write
 *   the rest of that frame behind its buffer: see refuse_message().
 * - Header lines are cut at 128 bytes, without a word: see put_origin().
 */
#include "gateway/ws_client_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/tls.h"

#define GATHER_KEEP 8192

/* The callbacks return 0, or -1 to end the connection. */

struct call {
	struct lws *wsi;
	void *user, *in;
	size_t len;
};

static int on_connected(struct ws_client *c, const struct call *call UNUSED)
{
	c->connected = true;
	return 0;
}

/* Called for each certificate of the chain, and for each fault: 1 refuses. */
static int on_verify(struct ws_client *c, const struct call *call)
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

static int on_timer(struct ws_client *c, const struct call *call)
{
	ws_alive_on_timer(c, call->wsi);
	return 0;
}

/* libwebsockets would cut a long one, and put "http://" in front. */
static int put_origin(struct ws_client *c, const struct call *call)
{
	char **p = call->in;
	int n;

	if (!c->target->origin)
		return 0;
	n = snprintf(*p, call->len, "Origin: %s\r\n", c->target->origin);
	if (n < 0 || (size_t)n >= call->len) {
		ws_tell_failure(c, "the setting origin is too long");
		return -1;
	}
	*p += n;
	return 0;
}

static int on_redirect(struct ws_client *c UNUSED, const struct call *call UNUSED)
{
	return -1;
}

static int on_failed(struct ws_client *c, const struct call *call)
{
	struct span hint = span_of(call->in, call->in ? call->len : 0);

	/* Some versions count the terminator. */
	while (hint.len > 0 && hint.p[hint.len - 1] == '\0')
		hint.len--;
	ws_failure_note_answer(c, call->wsi);
	ws_failure_tell(c, lws_http_client_http_response(call->wsi), hint);
	return 0;
}

/* The authorities have done their work: some megabytes that nobody needs until the next time. */
static void drop_authorities(struct ws_client *c)
{
	X509_STORE *none = X509_STORE_new();

	if (c->ssl && none)
		SSL_CTX_set_cert_store(c->ssl, none);
	else
		X509_STORE_free(none);
}

static int on_open(struct ws_client *c, const struct call *call)
{
	struct ws_item *item = ws_item_new(WS_ITEM_OPENED, c->generation, span_of(NULL, 0));

	if (!item)
		return -1;
	c->open = true;
	drop_authorities(c);
	ws_tell(c, item);
	lws_callback_on_writable(call->wsi);
	return 0;
}

/* Cut off, as soon as this turn is over; until then whatever still comes is ignored. */
static int refuse_message(struct ws_client *c, struct lws *wsi, int error)
{
	if (error == -ENOBUFS)
		ws_tell_failure(c, "the hub sent a message of more than %d bytes", WS_FRAME_MAX);
	else
		ws_tell_failure(c, "no memory for a message of the hub");
	lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
	return 0;
}

static int push_frame(struct ws_client *c, struct lws *wsi, struct span text)
{
	struct ws_item *item;

	if (c->pulse && c->pulse->is_pong(text))
		return 0;
	item = ws_item_new(WS_ITEM_FRAME, c->generation, text);
	if (!item)
		return refuse_message(c, wsi, -ENOMEM);
	item->since_ms = c->waited_since_ms;
	c->paused = ws_tell(c, item);
	if (c->paused)
		lws_rx_flow_control(wsi, 0);
	return 0;
}

static int on_receive(struct ws_client *c, const struct call *call)
{
	int r;

	if (c->reported)
		return 0;
	ws_alive_heard(c, call->wsi);
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

static int on_writable(struct ws_client *c, const struct call *call)
{
	struct ws_item *item;
	bool more;
	int n = 0;

	if (!c->open)
		return 0;
	if (c->ping_is_due)
		return ws_alive_write(c, call->wsi);
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

static int on_peer_close(struct ws_client *c, const struct call *call)
{
	const uint8_t *p = call->in;

	if (call->len < 2)
		return 0;
	c->close_code = (unsigned int)p[0] << 8 | p[1];
	buf_put(&c->close_why, p + 2, call->len - 2);
	return 0;
}

static int on_closed(struct ws_client *c, const struct call *call UNUSED)
{
	if (c->close_code != 0)
		ws_tell_end(c, &(struct ws_end){ .code = c->close_code,
						.why = buf_span(&c->close_why) });
	else
		ws_tell_failure(c, "the connection was cut");
	return 0;
}

static int on_destroyed(struct ws_client *c, const struct call *call)
{
	if (c->open)
		on_closed(c, call);
	else
		ws_failure_tell(c, 0, span_of(NULL, 0));
	ws_client_forget(c);
	return 0;
}

static const struct {
	enum lws_callback_reasons reason;
	int (*f)(struct ws_client *c, const struct call *call);
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
int ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		       size_t len)
{
	const struct call call = { .wsi = wsi, .user = user, .in = in, .len = len };
	struct ws_client *c;
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
