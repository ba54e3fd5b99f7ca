/* SPDX-License-Identifier: MIT */
/*
 * The WebSocket side of a session: see ws_side.h.
 *
 * libwebsockets sends a close frame only if none of its own buffers is full when the
 * callback asks for it. Hence a close waits in the session until the queue is empty and the
 * socket takes more; a client that reads too slowly even for that is cut off.
 */
#include "tests/hub/ws_side.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "gateway/log.h"
#include "tests/hub/play.h"

#define CLOSE_WAIT_S 5		/* for the queue to be taken, before a close */
#define WRITES_AT_ONCE 32	/* messages to one client, then it is the others' turn */
#define PARAM_MAX 256

struct outgoing {
	struct list link;
	enum lws_write_protocol how;
	size_t len;
	uint8_t space[];	/* LWS_PRE bytes for libwebsockets, then the message */
};

/* ---- out ------------------------------------------------------------------------------ */

/* At once, without a close frame: there is no room for one. */
static void cut_off(struct session *session, const char *why)
{
	log_warn("websocket", "%s: cut off: %s",
		 session->conn ? app_conn_socket_id(session->conn) : "new", why);
	session->dead = true;
	lws_set_timeout(session->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
}

void ws_side_put(struct session *session, struct span text, enum lws_write_protocol how)
{
	struct outgoing *out;

	if (session->dead)
		return;
	if (session->queued + text.len > WS_QUEUE_MAX) {
		cut_off(session, "it does not read what it is sent");
		return;
	}
	out = malloc(sizeof(*out) + LWS_PRE + text.len);
	if (!out) {
		cut_off(session, "out of memory");
		return;
	}
	out->how = how;
	out->len = text.len;
	if (text.len > 0)
		memcpy(out->space + LWS_PRE, text.p, text.len);
	list_add_tail(&session->queue, &out->link);
	session->queued += out->len;
	lws_callback_on_writable(session->wsi);
}

static void deliver(void *owner, const struct app_delivery *delivery)
{
	ws_side_put(owner, delivery->text, LWS_WRITE_TEXT);
}

void ws_side_close(struct session *session, int code, const char *reason)
{
	if (session->dead || session->close_code)
		return;
	session->close_code = code ? code : LWS_CLOSE_STATUS_NO_STATUS;
	snprintf(session->close_reason, sizeof(session->close_reason), "%s", reason);
	lws_set_timeout(session->wsi, PENDING_TIMEOUT_USER_REASON_BASE, CLOSE_WAIT_S);
	lws_callback_on_writable(session->wsi);
}

static void close_session(void *owner, int code, const char *reason)
{
	ws_side_close(owner, code, reason);
}

void ws_side_cut(struct session *session, bool reset)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	if (session->dead)
		return;
	if (reset)
		setsockopt(lws_get_socket_fd(session->wsi), SOL_SOCKET, SO_LINGER, &at_once,
			   sizeof(at_once));
	cut_off(session, "the script says so");
}

void ws_side_stop(struct session *session, bool deaf, bool frozen)
{
	session->frozen = frozen;
	lws_rx_flow_control(session->wsi, deaf ? 0 : 1);
	if (!frozen)
		lws_callback_on_writable(session->wsi);
}

const struct app_ops ws_side_ops = { .deliver = deliver, .close = close_session };

/* libwebsockets keeps what the socket did not take, and calls again when it is gone. */
static int write_first(struct session *session)
{
	struct outgoing *out = list_first(&session->queue, struct outgoing, link);
	int r = lws_write(session->wsi, out->space + LWS_PRE, out->len, out->how);

	session->queued -= out->len;
	list_del(&out->link);
	free(out);
	return r < 0 ? -1 : 0;
}

/* libwebsockets has no way to say it: the frame's two bytes as they are. */
static int send_empty_close(struct session *session)
{
	uint8_t frame[LWS_PRE + 2] = { [LWS_PRE] = 0x88 };

	if (lws_write(session->wsi, frame + LWS_PRE, 2, LWS_WRITE_RAW) < 0)
		log_debug("websocket", "the close frame could not be written");
	return -1;
}

static int send_close(struct session *session)
{
	log_debug("websocket", "closing with %d: %s", session->close_code, session->close_reason);
	session->close_sent = true;
	if (session->close_code == LWS_CLOSE_STATUS_NO_STATUS)
		return send_empty_close(session);
	lws_close_reason(session->wsi, (enum lws_close_status)session->close_code,
			 (unsigned char *)session->close_reason, strlen(session->close_reason));
	return -1;
}

int ws_side_writeable(struct session *session)
{
	if (session->dead || session->close_sent || session->frozen)
		return 0;
	if (list_empty(&session->queue))
		return session->close_code ? send_close(session) : 0;
	for (int i = 0; i < WRITES_AT_ONCE && !list_empty(&session->queue); i++) {
		if (write_first(session) < 0)
			return -1;
		if (lws_send_pipe_choked(session->wsi))
			break;
	}
	if (!list_empty(&session->queue) || session->close_code)
		lws_callback_on_writable(session->wsi);
	return 0;
}

/* ---- in ------------------------------------------------------------------------------- */

static void read_params(struct session *session, struct app_hello *hello,
			char protocol[PARAM_MAX], char version[PARAM_MAX])
{
	char param[PARAM_MAX];

	for (int i = 0; session_url_param(session, i, param, sizeof(param)); i++) {
		if (strncmp(param, "protocol=", 9) == 0)
			hello->protocol = strcpy(protocol, param + 9);
		else if (strncmp(param, "version=", 8) == 0)
			hello->version = strcpy(version, param + 8);
		else if (strncmp(param, "client=", 7) == 0)
			snprintf(session->client, sizeof(session->client), "%.63s", param + 7);
	}
}

int ws_side_hello(struct session *session)
{
	char path[PARAM_MAX], protocol[PARAM_MAX], version[PARAM_MAX];
	struct app_hello hello = { 0 };
	uint64_t now_ms = server_now_ms();

	hello.path = session_header(session, WSI_TOKEN_GET_URI, path, sizeof(path));
	read_params(session, &hello, protocol, version);
	buf_init(&session->in, WS_MESSAGE_MAX);
	play_accept(session);
	if (app_accept(session_app(session), &hello, session, now_ms, &session->conn) != 0) {
		log_warn("websocket", "a connection is refused: out of memory");
		return -1;
	}
	log_debug("websocket", "%s: connected", app_conn_socket_id(session->conn));
	return ws_side_timer(session);
}

static void take_message(struct session *session)
{
	if (lws_frame_is_binary(session->wsi))
		app_complain(session->conn,
			     "Invalid message: binary frames are not part of the protocol");
	else
		play_receive(session, buf_span(&session->in));
	buf_clear(&session->in);
}

/* What still comes after a close was decided is of no interest. */
int ws_side_receive(struct session *session, const void *p, size_t len)
{
	if (session->dead || session->close_code)
		return 0;
	buf_put(&session->in, p, len);
	if (buf_error(&session->in)) {
		close_session(session, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, "Message too large");
		return 0;
	}
	if (lws_is_final_fragment(session->wsi) && lws_remaining_packet_payload(session->wsi) == 0)
		take_message(session);
	return 0;
}

int ws_side_pong(struct session *session)
{
	app_alive(session->conn, server_now_ms());
	return 0;
}

int ws_side_timer(struct session *session)
{
	uint64_t now_ms = server_now_ms(), next_ms = app_tick(session->conn, now_ms);

	if (next_ms != UINT64_MAX && !session->dead)
		lws_set_timer_usecs(session->wsi, (lws_usec_t)((next_ms - now_ms) * 1000));
	return 0;
}

void ws_side_deinit(struct session *session)
{
	struct outgoing *out, *tmp;

	play_forget(session);
	if (session->conn)
		log_debug("websocket", "%s: disconnected", app_conn_socket_id(session->conn));
	session->conn = app_conn_free(session->conn);
	list_for_each_safe(out, tmp, &session->queue, struct outgoing, link) {
		list_del(&out->link);
		free(out);
	}
	session->queued = 0;
}
