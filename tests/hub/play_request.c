/* SPDX-License-Identifier: MIT */
/*
 * What a script does to requests and their answers, and what was published: see play.h.
 */
#include "tests/hub/play_private.h"

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
	struct script_hits hits = play_match(session, is_post ? SCRIPT_POST : SCRIPT_GET,
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
	hits = play_match(session, SCRIPT_POSTED, name_of(&session->request), NULL);
	act_on_answer(session, &hits, answer);
}
