/* SPDX-License-Identifier: MIT */
/*
 * Plays a script: see play.h.
 *
 * Nothing of the play calls the app but play_receive().
 */
#include "tests/hub/play_private.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/hub/ws_side.h"

static void cleanup_buf(struct buf *b)
{
	buf_deinit(b);
}

struct script_hits play_match(struct session *session, enum script_when when, const char *name,
			      const char *client)
{
	const struct script_event event = { .when = when, .name = name, .client = client };
	struct script_hits hits;

	script_match(session_play(session)->script, &event, &hits);
	return hits;
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
		.socket_id = play_socket_id(session),
		.data = forms_data_of(delivery->text, &data) == 0 ?
			buf_span(&data) : span_str("null"),
	};

	if (!script_hits_find(hits, SCRIPT_SWALLOW))
		play_put_message(session, hits, &values, delivery->text);
	play_act(session, hits, &values);
}

static void deliver(void *owner, const struct app_delivery *delivery)
{
	struct session *session = owner;
	struct script_hits hits;

	if (session->dead || session->close_code)
		return;
	hits = play_match(session, SCRIPT_DELIVER, delivery->event, session->client);
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
	struct script_hits hits = play_match(session, SCRIPT_ACCEPT, NULL, session->client);

	play_act(session, &hits, &values);
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
		.socket_id = play_socket_id(session),
		.data = forms_data_of(text, &data) == 0 ? buf_span(&data) : span_str("null"),
	};
	struct script_hits hits = play_match(session, SCRIPT_RECEIVE, event ? event : "",
					     session->client);

	if (script_hits_find(&hits, SCRIPT_IGNORE))
		app_alive(session->conn, server_now_ms());
	else
		app_receive(session->conn, text, server_now_ms());
	if (event && strcmp(event, "pusher:ping") == 0 && !script_hits_find(&hits, SCRIPT_IGNORE))
		play_await_ping(session);
	play_act(session, &hits, &values);
	json_decref(message);
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
