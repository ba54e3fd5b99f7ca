/* SPDX-License-Identifier: MIT */
/*
 * Plays a script: see play.h.
 *
 * What a script does to a message is gathered in a struct message first; what it does to the
 * connection comes after the message. Nothing here calls the app but play_receive().
 */
#include "tests/hub/play.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <openssl/ssl.h>

#include "gateway/log.h"
#include "tests/hub/forms.h"
#include "tests/hub/script.h"
#include "tests/hub/ws_side.h"

struct play {
	const struct list *sessions;
	struct script *script;
	SSL_CTX *tls;
	int64_t clock_shift_ms;
	bool remembers;
	json_t *published;		/* [channel, event, id], in the order they came */
};

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

static struct script_hits match(struct session *session, enum script_when when, const char *name,
				const char *client)
{
	const struct script_event event = { .when = when, .name = name, .client = client };
	struct script_hits hits;

	script_match(session_play(session)->script, &event, &hits);
	return hits;
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

/* Now, or when its time has come. */
static void put_message(struct session *session, const struct script_hits *hits,
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

/* From now on, if any is. */
static void await_ping(struct session *session)
{
	if (session->ping_within_ms > 0)
		lws_sul_schedule(lws_get_context(session->wsi), 0, &session->ping_timer, on_no_ping,
				 (lws_usec_t)session->ping_within_ms * 1000);
	else
		lws_sul_cancel(&session->ping_timer);
}

static void need_ping(struct session *session, uint64_t within_ms)
{
	session->ping_within_ms = within_ms;
	await_ping(session);
}

static void do_need_ping(struct session *session, const struct script_action *a,
			 const struct forms_values *values UNUSED)
{
	need_ping(session, (uint64_t)a->number);
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

static void act_on_socket(struct session *session, const struct script_hits *hits,
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

static struct span socket_id_of(const struct session *session)
{
	return span_str(session->conn ? app_conn_socket_id(session->conn) : "");
}

/* ---- what the app says ------------------------------------------------------------------ */

/* At the greeting the session does not know its connection yet: its id is in the data. */
static void play_delivery(struct session *session, const struct app_delivery *delivery,
			  const struct script_hits *hits)
{
	CLEANUP(cleanup_buf) struct buf data = BUF_NULL;
	const struct forms_values values = {
		.event = span_str(delivery->event),
		.channel = span_str(delivery->channel),
		.socket_id = socket_id_of(session),
		.data = forms_data_of(delivery->text, &data) == 0 ?
			buf_span(&data) : span_str("null"),
	};

	if (!script_hits_find(hits, SCRIPT_SWALLOW))
		put_message(session, hits, &values, delivery->text);
	act_on_socket(session, hits, &values);
}

static void deliver(void *owner, const struct app_delivery *delivery)
{
	struct session *session = owner;
	struct script_hits hits;

	if (session->dead || session->close_code)
		return;
	hits = match(session, SCRIPT_DELIVER, delivery->event, session->client);
	if (hits.n == 0)
		ws_side_ops.deliver(owner, delivery);
	else
		play_delivery(session, delivery, &hits);
}

static void close_session(void *owner, int code, const char *reason)
{
	ws_side_ops.close(owner, code, reason);
}

const struct app_ops play_ops = { .deliver = deliver, .close = close_session };

/* ---- what clients say --------------------------------------------------------------------- */

void play_accept(struct session *session)
{
	const struct forms_values values = { .event = { .len = 0 } };
	struct script_hits hits = match(session, SCRIPT_ACCEPT, NULL, session->client);

	act_on_socket(session, &hits, &values);
}

void play_receive(struct session *session, struct span text)
{
	CLEANUP(cleanup_buf) struct buf data = BUF_NULL;
	json_t *message = json_loadb((const char *)text.p, text.len, JSON_ALLOW_NUL, NULL);
	const char *event = json_string_value(json_object_get(message, "event"));
	const char *channel = json_string_value(json_object_get(json_object_get(message, "data"),
								"channel"));
	const struct forms_values values = {
		.event = span_str(event),
		.channel = span_str(channel),
		.socket_id = socket_id_of(session),
		.data = forms_data_of(text, &data) == 0 ? buf_span(&data) : span_str("null"),
	};
	struct script_hits hits = match(session, SCRIPT_RECEIVE, event ? event : "",
					session->client);

	if (script_hits_find(&hits, SCRIPT_IGNORE))
		app_alive(session->conn, server_now_ms());
	else
		app_receive(session->conn, text, server_now_ms());
	if (event && strcmp(event, "pusher:ping") == 0 && !script_hits_find(&hits, SCRIPT_IGNORE))
		await_ping(session);
	act_on_socket(session, &hits, &values);
	json_decref(message);
}

void play_forget(struct session *session)
{
	struct late *late, *tmp;

	lws_sul_cancel(&session->ping_timer);
	list_for_each_safe(late, tmp, &session->late, struct late, link)
		late_free(late);
}

/* ---- requests ----------------------------------------------------------------------------- */

/* "events" of "/apps/1000/events"; any other path as it is. */
static const char *name_of(const struct http_request *request)
{
	const char *path = request->path, *slash;

	if (strncmp(path, "/apps/", 6) != 0)
		return path;
	slash = strchr(path + 6, '/');
	return slash ? slash + 1 : path;
}

static const char *type_of(const struct buf *body)
{
	switch (body->len > 0 ? buf_data(body)[0] : 0) {
	case '{':
	case '[':
		return "application/json";
	case '<':
		return "text/html; charset=utf-8";
	default:
		return "text/plain; charset=utf-8";
	}
}

/* answer STATUS [BODY [HEADER...]] */
static void make_answer(const struct script_action *a, struct http_answer *answer)
{
	const struct forms_values values = { .event = { .len = 0 } };

	buf_clear(&answer->body);
	answer->status = (int)a->number;
	if (a->n_arguments > 1)
		forms_expand(a->arguments[1], &values, &answer->body);
	for (size_t i = 2; i < a->n_arguments; i++)
		buf_printf(&answer->headers, "%s\r\n", a->arguments[i]);
	answer->type = type_of(&answer->body);
}

static void act_on_answer(struct session *session, const struct script_hits *hits,
			  struct http_answer *answer)
{
	const struct script_action *a;

	for (size_t i = 0; i < hits->n; i++) {
		a = hits->actions[i];
		if (a->act == SCRIPT_ANSWER)
			make_answer(a, answer);
		session->fault.cut |= a->act == SCRIPT_CUT;
		session->fault.reset |= a->act == SCRIPT_RESET;
		session->fault.hang_up |= a->act == SCRIPT_HANG_UP || a->act == SCRIPT_SAY_CLOSE;
		session->close_after |= a->act == SCRIPT_SAY_CLOSE;
		if (a->act == SCRIPT_DELAY)
			session->fault.delay_ms = (uint64_t)a->number;
		if (a->act == SCRIPT_CLOCK)
			session_play(session)->clock_shift_ms = a->number;
	}
}

bool play_request(struct session *session, struct http_answer *answer)
{
	const struct http_request *request = &session->request;
	bool is_post = strcmp(request->method, "POST") == 0;
	struct script_hits hits = match(session, is_post ? SCRIPT_POST : SCRIPT_GET,
					name_of(request), NULL);

	act_on_answer(session, &hits, answer);
	return answer->status != 0 || session->fault.cut || session->fault.reset;
}

/* Whatever the entry looks like: what is missing is null. */
static void remember(struct play *play, const json_t *entry)
{
	json_t *channel = json_object_get(entry, "channel"), *data, *id;
	const char *text = json_string_value(json_object_get(entry, "data"));

	if (!channel)
		channel = json_array_get(json_object_get(entry, "channels"), 0);
	data = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
	id = json_object_get(data, "id");
	json_array_append_new(play->published, json_pack("[O?, O?, O?]", channel,
							 json_object_get(entry, "name"), id));
	if (json_array_size(play->published) > PLAY_PUBLISHED_MAX)
		json_array_remove(play->published, 0);
	json_decref(data);
}

static void remember_request(struct play *play, struct span body)
{
	json_t *whole = json_loadb((const char *)body.p, body.len, 0, NULL), *entry;
	const json_t *batch = json_object_get(whole, "batch");
	size_t i;

	json_array_foreach(batch, i, entry)
		remember(play, entry);
	if (whole && !batch)
		remember(play, whole);
	json_decref(whole);
}

void play_answer(struct session *session, struct http_answer *answer)
{
	struct play *play = session_play(session);
	struct script_hits hits;

	if (strcmp(session->request.method, "POST") != 0)
		return;
	if (play->remembers && answer->status == 200)
		remember_request(play, session->request.body);
	hits = match(session, SCRIPT_POSTED, name_of(&session->request), NULL);
	act_on_answer(session, &hits, answer);
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* NULL: done, else what is wrong. Connections that are open already keep the old one. */
static const char *change_certificate(struct play *play, const struct script_action *a)
{
	if (!play->tls)
		return "the hub was started without TLS";
	if (SSL_CTX_use_certificate_chain_file(play->tls, a->arguments[0]) != 1)
		return "the certificate cannot be used";
	if (SSL_CTX_use_PrivateKey_file(play->tls, a->arguments[1], SSL_FILETYPE_PEM) != 1)
		return "the key cannot be used, or is not that of the certificate";
	return NULL;
}

static void act_now(struct play *play, const struct script_line *line)
{
	const struct script_hits hits = { .actions = { &line->action }, .n = 1 };
	struct forms_values values = { .data = span_str("null") };
	struct session *session;

	list_for_each(session, play->sessions, struct session, in_server)
		if (session->conn && script_pattern_fits(line->client, session->client)) {
			values.socket_id = socket_id_of(session);
			act_on_socket(session, &hits, &values);
		}
}

static void forget(struct play *play)
{
	struct session *session;

	play->clock_shift_ms = 0;
	json_array_clear(play->published);
	list_for_each(session, play->sessions, struct session, in_server)
		if (session->conn) {
			ws_side_stop(session, false, false);
			need_ping(session, 0);
		}
}

static const char *obey(struct play *play, const struct script_line *line)
{
	if (line->command == SCRIPT_FORGET)
		forget(play);
	if (line->command != SCRIPT_ACT_NOW)
		return NULL;
	if (line->action.act == SCRIPT_CERTIFICATE)
		return change_certificate(play, &line->action);
	if (line->action.act == SCRIPT_CLOCK)
		play->clock_shift_ms = line->action.number;
	else
		act_now(play, line);
	return NULL;
}

static void put_json(struct buf *out, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	buf_put_str(out, text ? text : "null");
	free(text);
}

static void put_clients(const struct play *play, struct buf *out)
{
	json_t *all = json_array();
	const struct session *session;

	list_for_each(session, play->sessions, struct session, in_server)
		if (session->conn)
			json_array_append_new(all, json_pack(
				"{s:s, s:s}", "client", session->client,
				"socket_id", app_conn_socket_id(session->conn)));
	put_json(out, all);
	json_decref(all);
}

static void put_result(const struct play *play, enum script_command command, struct buf *out)
{
	switch (command) {
	case SCRIPT_SHOW_RULES:
		script_put_rules(play->script, out);
		break;
	case SCRIPT_SHOW_PUBLISHED:
		put_json(out, play->published);
		break;
	case SCRIPT_SHOW_CLIENTS:
		put_clients(play, out);
		break;
	default:
		buf_put_str(out, "{\"ok\":true}");
	}
	buf_put_byte(out, '\n');
}

/* 0, PLAY_E_BAD, or -ENOMEM; answer may be NULL. */
static int take(struct play *play, const char *text, struct buf *answer, const char **ret_why)
{
	struct script_line line;
	int r = script_take(play->script, text, &line, ret_why);

	if (r != 0)
		return r < 0 ? r : PLAY_E_BAD;
	*ret_why = obey(play, &line);
	if (!*ret_why && answer && line.command != SCRIPT_NOTHING)
		put_result(play, line.command, answer);
	script_line_deinit(&line);
	return *ret_why ? PLAY_E_BAD : 0;
}

void play_line(struct play *play, const char *line, struct buf *answer)
{
	const char *why = "out of memory";

	log_debug("script", "%s", LOG_TEXT(span_str(line)));
	if (take(play, line, answer, &why) != 0)
		buf_printf(answer, "{\"error\":\"%s\"}\n", why);
}

int play_file(struct play *play, const char *path, struct play_fault *ret_fault)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	int r = 0;

	if (!f)
		return -errno;
	ret_fault->line = 0;
	while (r == 0 && getline(&line, &room, f) >= 0) {
		ret_fault->line++;
		r = take(play, line, NULL, &ret_fault->why);
	}
	free(line);
	fclose(f);
	return r;
}

/* ---- the play ------------------------------------------------------------------------------- */

int play_new(const struct list *sessions, struct play **ret)
{
	struct play *play = calloc(1, sizeof(*play));

	if (!play)
		return -ENOMEM;
	play->sessions = sessions;
	play->published = json_array();
	if (!play->published || script_new(&play->script) != 0) {
		play_free(play);
		return -ENOMEM;
	}
	*ret = play;
	return 0;
}

struct play *play_free(struct play *play)
{
	if (!play)
		return NULL;
	script_free(play->script);
	json_decref(play->published);
	free(play);
	return NULL;
}

void play_set_tls(struct play *play, void *ssl_ctx)
{
	play->tls = ssl_ctx;
}

void play_remember(struct play *play)
{
	play->remembers = true;
}

int64_t play_clock_shift_s(const struct play *play)
{
	return play->clock_shift_ms / 1000;
}
