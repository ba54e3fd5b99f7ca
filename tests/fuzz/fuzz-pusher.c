/* SPDX-License-Identifier: MIT */
/*
 * Fuzz harness: a text frame of the hub, into what the gateway makes of it.
 *
 * What was read can be read again from an event that is made of it.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>

#include "common/utf8.h"
#include "gateway/pusher.h"
#include "libchapi-ipc/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_line(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	assert(len < size);
	for (size_t i = 0; i < len; i++)
		assert(text[i] >= ' ' && text[i] <= '~');
}

static void check_data(struct span data)
{
	struct pusher_established established;
	struct pusher_error error;

	if (pusher_parse_established(data, &established) == 0) {
		check_line(established.socket_id, sizeof(established.socket_id));
		assert(established.socket_id[0] && established.activity_timeout_s > 0);
	}
	pusher_parse_error(data, &error);
	check_line(error.message, sizeof(error.message));
}

/* The body of POST events has no channel of this name: a list of one. */
static void check_body(const struct pusher_event *event)
{
	struct buf body = BUF_NULL;
	struct json_fault fault;
	struct span text;

	pusher_put_event_body(&body, event);
	assert(json_text(buf_span(&body), PUSHER_DEPTH_MAX, &text, &fault) == 0);
	buf_deinit(&body);
}

/* An element of a batch has other keys than a frame, but for channel and data. */
static void check_batch_entry(const struct pusher_event *event)
{
	struct pusher_frame again = PUSHER_FRAME_NULL;
	struct buf text = BUF_NULL;
	const char *why;

	buf_put_str(&text, "{\"event\":\"x\",");
	pusher_put_batch_entry(&text, event);
	/* the entry's own brace becomes a blank */
	*(uint8_t *)memchr(buf_data(&text) + 1, '{', text.len - 1) = ' ';
	assert(pusher_parse(buf_span(&text), &again, &why) == 0);
	assert(span_equal(again.channel, event->channel));
	assert(span_equal(again.data, event->data));
	pusher_frame_deinit(&again);
	buf_deinit(&text);
}

static void check_frame(const struct pusher_frame *frame)
{
	const struct pusher_event event = { .name = frame->event,
					    .channel = frame->channel,
					    .data = frame->data };

	pusher_is_protocol_event(frame->event);
	check_data(frame->data);
	if (!utf8_is_valid(frame->event) || !utf8_is_valid(frame->channel) ||
	    !utf8_is_valid(frame->data))
		return;
	check_body(&event);
	check_batch_entry(&event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct pusher_frame frame = PUSHER_FRAME_NULL;
	const char *why = NULL;
	int r = pusher_parse(span_of(data, len), &frame, &why);

	assert(r == 0 || r == PUSHER_E_BAD || r == -ENOMEM);
	if (r == 0)
		check_frame(&frame);
	else
		assert(why || r < 0);
	pusher_frame_deinit(&frame);
	check_data(span_of(data, len));
	return 0;
}
