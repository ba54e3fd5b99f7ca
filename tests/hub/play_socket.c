/* SPDX-License-Identifier: MIT */
/*
 * What a script does to a message on its way to a client, and to a connection: see play_private.h.
 *
 * What it does to the connection comes after the message.
 */
#include "tests/hub/play_private.h"

#include <stdlib.h>

#include "tests/hub/ws_side.h"

/* A message that is delayed. */
struct late {
	struct list link;
	struct session *session;
	lws_sorted_usec_list_t timer;
	enum lws_write_protocol how;
	size_t fragment_len;
	unsigned int times;
	struct buf text;
};

static void cleanup_buf(struct buf *b)
{
	buf_deinit(b);
}

/* ---- messages to a client ------------------------------------------------------------- */

static void put_fragments(struct session *session, struct span text,
			  enum lws_write_protocol how, size_t len)
{
	struct span part;
	bool last;

	for (size_t at = 0; at < text.len; at += len) {
		part = span_of(text.p + at, MIN(len, text.len - at));
		last = at + part.len == text.len;
		ws_side_put(session, part,
			    (enum lws_write_protocol)((at == 0 ? how : LWS_WRITE_CONTINUATION) |
						      (last ? 0 : LWS_WRITE_NO_FIN)));
	}
}

static void late_put(struct late *late)
{
	struct span text = buf_span(&late->text);

	for (unsigned int i = 0; i < late->times; i++)
		if (late->fragment_len > 0)
			put_fragments(late->session, text, late->how, late->fragment_len);
		else
			ws_side_put(late->session, text, late->how);
}

static struct late *late_free(struct late *late)
{
	if (!late)
		return NULL;
	lws_sul_cancel(&late->timer);
	list_del(&late->link);
	buf_deinit(&late->text);
	free(late);
	return NULL;
}

static void on_late(lws_sorted_usec_list_t *timer)
{
	struct late *late = container_of(timer, struct late, timer);

	if (!late->session->close_code)
		late_put(late);
	late_free(late);
}

static int make_text(const struct script_hits *hits, const struct forms_values *values,
		     struct span text, struct buf *out)
{
	const struct script_action *replace = script_hits_find(hits, SCRIPT_REPLACE);
	const struct script_action *data = script_hits_find(hits, SCRIPT_DATA);

	if (replace)
		forms_expand(replace->arguments[0], values, out);
	else if (data)
		forms_change(text, (enum forms_data)data->number, out);
	else
		buf_put(out, text.p, text.len);
	return buf_error(out);
}

void play_put_message(struct session *session, const struct script_hits *hits,
		      const struct forms_values *values, struct span text)
{
	const struct script_action *delay = script_hits_find(hits, SCRIPT_DELAY);
	const struct script_action *fragment = script_hits_find(hits, SCRIPT_FRAGMENT);
	struct late *late = calloc(1, sizeof(*late));

	if (!late)
		return;		/* lost, which a message of this hub can be */
	late->session = session;
	late->how = script_hits_find(hits, SCRIPT_BINARY) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
	late->fragment_len = fragment ? (size_t)fragment->number : 0;
	late->times = script_hits_find(hits, SCRIPT_DOUBLE) ? 2 : 1;
	list_add_tail(&session->late, &late->link);
	if (make_text(hits, values, text, &late->text) == 0 && delay) {
		lws_sul_schedule(lws_get_context(session->wsi), 0, &late->timer, on_late,
				 delay->number * 1000);
		return;
	}
	late_put(late);
	late_free(late);
}

/* ---- what is done to a connection ------------------------------------------------------- */

static void do_send(struct session *session, const struct script_action *a,
		    const struct forms_values *values)
{
	CLEANUP(cleanup_buf) struct buf text = BUF_NULL;

	forms_expand(a->arguments[0], values, &text);
	if (buf_error(&text) == 0)
		ws_side_put(session, buf_span(&text), LWS_WRITE_TEXT);
}

static void do_send_hex(struct session *session, const struct script_action *a,
			const struct forms_values *values UNUSED)
{
	CLEANUP(cleanup_buf) struct buf bytes = BUF_NULL;

	if (forms_hex(a->arguments[0], &bytes) && buf_error(&bytes) == 0)
		ws_side_put(session, buf_span(&bytes), LWS_WRITE_TEXT);
}

static void do_ping(struct session *session, const struct script_action *a UNUSED,
		    const struct forms_values *values UNUSED)
{
	ws_side_put(session, span_str(""), LWS_WRITE_PING);
}

/* error CODE TEXT [string]: data as an object, or as the text of one. */
static void do_error(struct session *session, const struct script_action *a,
		     const struct forms_values *values UNUSED)
{
	json_t *data = json_pack("{s:o, s:s}", "code",
				 a->number < 0 ? json_null() : json_integer(a->number),
				 "message", a->arguments[1]);
	char *inner = a->n_arguments > 2 ? json_dumps(data, JSON_COMPACT) : NULL;
	json_t *message = json_pack("{s:s, s:o}", "event", "pusher:error", "data",
				    inner ? json_string(inner) : json_incref(data));
	char *text = json_dumps(message, JSON_COMPACT);

	if (text)
		ws_side_put(session, span_str(text), LWS_WRITE_TEXT);
	json_decref(message);
	json_decref(data);
	free(inner);
	free(text);
}

static void do_close(struct session *session, const struct script_action *a,
		     const struct forms_values *values UNUSED)
{
	ws_side_close(session, (int)a->number, a->n_arguments > 1 ? a->arguments[1] : "");
}

static void do_cut(struct session *session, const struct script_action *a,
		   const struct forms_values *values UNUSED)
{
	ws_side_cut(session, a->act == SCRIPT_RESET);
}

static void do_stop(struct session *session, const struct script_action *a,
		    const struct forms_values *values UNUSED)
{
	ws_side_stop(session, a->act != SCRIPT_RESUME, a->act == SCRIPT_FREEZE);
}

static void on_no_ping(lws_sorted_usec_list_t *timer)
{
	struct session *session = container_of(timer, struct session, ping_timer);

	ws_side_close(session, APP_CLOSE_NO_PONG, "No ping was sent in time");
}

void play_await_ping(struct session *session)
{
	if (session->ping_within_ms > 0)
		lws_sul_schedule(lws_get_context(session->wsi), 0, &session->ping_timer, on_no_ping,
				 (lws_usec_t)session->ping_within_ms * 1000);
	else
		lws_sul_cancel(&session->ping_timer);
}

void play_need_ping(struct session *session, uint64_t within_ms)
{
	session->ping_within_ms = within_ms;
	play_await_ping(session);
}

static void do_need_ping(struct session *session, const struct script_action *a,
			 const struct forms_values *values UNUSED)
{
	play_need_ping(session, (uint64_t)a->number);
}

static void (*const on_socket[SCRIPT_N_ACTS])(struct session *session,
					      const struct script_action *a,
					      const struct forms_values *values) = {
	[SCRIPT_SEND] = do_send,
	[SCRIPT_SEND_HEX] = do_send_hex,
	[SCRIPT_PING] = do_ping,
	[SCRIPT_ERROR] = do_error,
	[SCRIPT_CLOSE] = do_close,
	[SCRIPT_CUT] = do_cut,
	[SCRIPT_RESET] = do_cut,
	[SCRIPT_STOP_READING] = do_stop,
	[SCRIPT_FREEZE] = do_stop,
	[SCRIPT_RESUME] = do_stop,
	[SCRIPT_NEED_PING] = do_need_ping,
};

void play_act(struct session *session, const struct script_hits *hits,
	      const struct forms_values *values)
{
	struct play *play = session_play(session);
	const struct script_action *a;

	for (size_t i = 0; i < hits->n; i++) {
		a = hits->actions[i];
		if (on_socket[a->act])
			on_socket[a->act](session, a, values);
		else if (a->act == SCRIPT_CLOCK)
			play->clock_shift_ms = a->number;
	}
}

struct span play_socket_id(const struct session *session)
{
	return span_str(session->conn ? app_conn_socket_id(session->conn) : "");
}

/* ---- the end -------------------------------------------------------------------------- */

void play_forget(struct session *session)
{
	struct late *late, *tmp;

	lws_sul_cancel(&session->ping_timer);
	list_for_each_safe(late, tmp, &session->late, struct late, link)
		late_free(late);
}
