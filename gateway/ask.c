/* SPDX-License-Identifier: MIT */
/*
 * A request's events: see ask.h.
 */
#include "gateway/ask.h"

#include "gateway/parts.h"
#include "gateway/record.h"

/* What a repeat says in each part: names, two numbers, an instance with each byte escaped. */
#define AGAIN_LEN (80 + 2 * RECORD_ID_MAX)

/* The record as it was the first time. */
static void put_first(const struct record_ask *ask, uint64_t timeout_ms, struct buf *out)
{
	struct record_ask first = *ask;

	first.is_repeat = false;
	first.timeout_ms = timeout_ms;
	record_ask_put(&first, out);
}

static int send_part(const struct parts *parts, unsigned int i, ask_send_fn *send, void *data)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;

	parts_put(parts, i, &text);
	if (buf_error(&text))
		return buf_error(&text);
	return send(data, true, buf_span(&text)) ? 0 : ASK_E_STOPPED;
}

static int send_parts(const struct record_ask *ask, struct span record, size_t room,
		      ask_send_fn *send, void *data)
{
	CLEANUP(parts_deinit) struct parts parts = PARTS_NULL;
	int r = room > AGAIN_LEN ? parts_split(ask->id, record, room - AGAIN_LEN, &parts) :
				   PARTS_E_TOO_LARGE;

	if (r != 0)
		return r < 0 ? r : ASK_E_TOO_LARGE;
	if (ask->is_repeat)
		r = parts_say_again(&parts, ask->retry, ask->retry_ms, ask->timeout_ms);
	for (unsigned int i = 0; r == 0 && i < parts.n; i++)
		r = send_part(&parts, i, send, data);
	return r;
}

/* 0: it has been sent; ASK_E_TOO_LARGE: not in one event. */
static int send_whole(const struct record_ask *ask, const struct room *room, struct span channel,
		      ask_send_fn *send, void *data)
{
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;

	record_ask_put(ask, &record);
	if (buf_error(&record))
		return buf_error(&record);
	if (!room_fits(room, channel, buf_span(&record)))
		return ASK_E_TOO_LARGE;
	return send(data, false, buf_span(&record)) ? 0 : ASK_E_STOPPED;
}

int ask_send(const struct record_ask *ask, uint64_t first_timeout_ms, const struct room *room,
	     struct span channel, ask_send_fn *send, void *data)
{
	CLEANUP(buf_deinit) struct buf first = BUF_NULL;
	int r = ASK_E_TOO_LARGE;

	put_first(ask, first_timeout_ms, &first);
	if (buf_error(&first))
		return buf_error(&first);
	if (room_fits(room, channel, buf_span(&first)))
		r = send_whole(ask, room, channel, send, data);
	if (r == ASK_E_TOO_LARGE)
		r = send_parts(ask, buf_span(&first), room_of_part(room, channel), send, data);
	return r;
}

size_t ask_size(const struct record_ask *ask)
{
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;

	put_first(ask, ask->timeout_ms, &record);
	return buf_error(&record) ? 0 : record.len;
}
