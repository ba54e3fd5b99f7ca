/* SPDX-License-Identifier: MIT */
/*
 * Lines of a script, from a file or while the hub runs: see play.h.
 */
#include "tests/hub/play_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/log.h"
#include "tests/hub/ws_side.h"

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
			values.socket_id = play_socket_id(session);
			play_act(session, &hits, &values);
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
			play_need_ping(session, 0);
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
