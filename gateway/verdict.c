/* SPDX-License-Identifier: MIT */
/*
 * What an answer of the HTTP API means.
 *
 * Some servers answer 200 and put the failure into the body, so the body decides as well.
 * Texts are matched by fragments only: each server words them in its own way.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/verdict.h"

#include <ctype.h>
#include <stdio.h>

#include "gateway/text.h"
#include "libchapi-ipc/buf.h"
#include "libchapi-ipc/json.h"

#define HUB_TEXT_MAX 120	/* of a reason that the hub gives */
#define BODY_DEPTH_MAX 16

/* The status decides; the hint is for people, the hub's own words follow. */
static const struct {
	unsigned int first, last;
	enum verdict_kind kind;
	const char *hint;
} rows[] = {
	{ 300, 399, VERDICT_FINAL,
	  "the hub sends elsewhere, and redirects are not followed; see http_host and tls" },
	{ 400, 400, VERDICT_ENTRY,
	  "the hub refused the request, the key may be of another app or cluster" },
	{ 401, 401, VERDICT_FINAL,
	  "the hub refused the signature, see secret_file and this machine's clock" },
	/* Of all that comes until somebody does something, or a new day begins. */
	{ 403, 403, VERDICT_QUOTA,
	  "the hub forbids it: the app may be disabled or over its message quota" },
	/* Of a batch: some servers know no batches. */
	{ 404, 405, VERDICT_ENTRY,
	  "the hub knows no such app, see app_id, http_host and path_prefix" },
	{ 407, 407, VERDICT_FINAL, "the proxy wants another user and password" },
	{ 408, 408, VERDICT_DOUBTFUL, "the hub has waited for the request too long" },
	{ 413, 413, VERDICT_ENTRY, "the event is too large for the hub, see max_event_bytes" },
	{ 422, 422, VERDICT_ENTRY, "the hub refused the event" },
	{ 429, 429, VERDICT_LATER, "the hub wants fewer requests" },
	{ 500, 599, VERDICT_DOUBTFUL, "the hub has a fault" },
};

static void judge_status(unsigned int status, struct verdict *ret, const char **ret_hint)
{
	ret->kind = VERDICT_FINAL;
	*ret_hint = "the hub refused the event";
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (status < rows[i].first || status > rows[i].last)
			continue;
		ret->kind = rows[i].kind;
		*ret_hint = rows[i].hint;
	}
}

/* ---- the body ------------------------------------------------------------------------------- */

/* What a body of JSON says of a failure. */
struct complaint {
	bool failed;
	unsigned int code;		/* 0: none */
	struct buf text;		/* "error" or "message" */
};

static void complaint_deinit(struct complaint *c)
{
	buf_deinit(&c->text);
}

static void read_code(struct span value, struct complaint *ret)
{
	double code;

	if (json_get_number(value, &code) != 0 || code < 400 || code > 599)
		return;
	ret->failed = true;
	ret->code = (unsigned int)code;
}

static void read_text(struct span value, struct complaint *ret)
{
	buf_clear(&ret->text);
	if (json_get_string(value, &ret->text) != 0)
		buf_clear(&ret->text);
}

static void read_member(struct span key, struct span value, struct complaint *ret)
{
	if (json_key_is(key, "code") || json_key_is(key, "status")) {
		read_code(value, ret);
	} else if (json_key_is(key, "error") && !json_is_null(value)) {
		ret->failed = true;
		read_text(value, ret);
	} else if (json_key_is(key, "message") && ret->text.len == 0) {
		read_text(value, ret);
	}
}

/* Anything but an object says nothing. */
static void read_body(struct span body, struct complaint *ret)
{
	struct span text, key, value;
	struct json_reader reader;
	struct json_fault fault;

	if (json_text(body, BODY_DEPTH_MAX, &text, &fault) != 0)
		return;
	if (json_enter_object(text, &reader) != 0)
		return;
	while (json_next_member(&reader, &key, &value) == 0)
		read_member(key, value, ret);
}

static bool is_page(struct span body)
{
	while (body.len > 0 && isspace(body.p[0]))
		body = span_of(body.p + 1, body.len - 1);
	return body.len > 0 && body.p[0] == '<';
}

/* Of a page nothing is worth quoting. */
static struct span own_words(struct span body, const struct complaint *complaint)
{
	if (complaint->text.len > 0)
		return buf_span(&complaint->text);
	if (body.len == 0 || is_page(body) || body.p[0] == '{')
		return span_of(NULL, 0);
	return body;
}

static bool contains(struct span text, const char *word)
{
	size_t len = strlen(word), at, i;

	for (at = 0; at + len <= text.len; at++) {
		for (i = 0; i < len && tolower(text.p[at + i]) == word[i]; i++)
			;
		if (i == len)
			return true;
	}
	return false;
}

/*
 * Says the text that our time is wrong? One about the signature itself may show what was
 * signed, auth_timestamp included.
 */
static bool is_about_time(struct span text)
{
	return contains(text, "timestamp") && !contains(text, "signature");
}

/* By a day's end, or by somebody who does something. */
static bool is_for_long(struct span text)
{
	return contains(text, "quota") || contains(text, "disabled");
}

/* Two statuses mean one thing or another by their body. A page is not the hub's: what makes it may
 * have something against this one event. */
static void refine(const struct verdict_answer *answer, struct span words, struct verdict *ret,
		   const char **ret_hint)
{
	struct span text = words.len > 0 ? words : answer->body;

	if (ret->status == 401 && answer->date != 0 && is_about_time(text)) {
		ret->kind = VERDICT_CLOCK;
	} else if (ret->status == 403 && is_page(answer->body)) {
		ret->kind = VERDICT_FINAL;
		*ret_hint = "something before the hub refused the event; is there a filter?";
	} else if (ret->status == 403 && !is_for_long(text)) {
		ret->kind = VERDICT_FORBIDDEN;
	}
}

static void put_words(struct verdict *v, const char *hint, struct span words)
{
	CLEANUP(buf_deinit) struct buf scratch = BUF_NULL;
	struct span line;

	words.len = MIN(words.len, HUB_TEXT_MAX);
	line = text_line(words, &scratch);
	if (line.len > 0)
		snprintf(v->text, sizeof(v->text), "status %u, %s (it says: %.*s)", v->status, hint,
			 (int)line.len, (const char *)line.p);
	else
		snprintf(v->text, sizeof(v->text), "status %u, %s", v->status, hint);
}

static void no_answer(const struct verdict_answer *answer, struct verdict *ret)
{
	ret->kind = answer->unsent ? VERDICT_UNSENT : VERDICT_DOUBTFUL;
	snprintf(ret->text, sizeof(ret->text), "%s", answer->error);
}

static bool is_success(unsigned int status)
{
	return status >= 200 && status < 300;
}

void verdict_of(const struct verdict_answer *answer, struct verdict *ret)
{
	CLEANUP(complaint_deinit) struct complaint complaint = { .failed = false };
	const char *hint;

	*ret = (struct verdict){ .status = answer->status };
	if (answer->error) {
		no_answer(answer, ret);
		return;
	}
	read_body(answer->body, &complaint);
	if (is_success(answer->status) && is_page(answer->body)) {
		ret->kind = VERDICT_DOUBTFUL;
		put_words(ret, "a page came instead of the hub's answer; "
			  "is there a proxy or a login page?", span_of(NULL, 0));
		return;
	}
	if (is_success(answer->status) && !complaint.failed)
		return;
	if (is_success(answer->status) && complaint.code != 0)
		ret->status = complaint.code;
	judge_status(ret->status, ret, &hint);
	refine(answer, own_words(answer->body, &complaint), ret, &hint);
	put_words(ret, hint, own_words(answer->body, &complaint));
}
