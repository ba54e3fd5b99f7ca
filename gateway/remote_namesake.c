/* SPDX-License-Identifier: MIT */
/*
 * What the remote side sees of another gateway of our name, and shows it of us: see
 * remote_private.h. When that has to be is namesake.h.
 */
#include "gateway/remote_private.h"

void remote_want_announcement(struct remote *r)
{
	if (namesake_want(&r->namesake))
		r->ops.timer(r->data);
}

/* One that has our name is told of us. */
void remote_look_for_namesake(struct remote *r, struct span text, const struct now *now)
{
	if (namesake_look(&r->namesake, text, now->ms))
		remote_want_announcement(r);
}

static bool announce(struct remote *r, uint64_t now_ms)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;

	namesake_put(&r->namesake, &text);
	return buf_error(&text) == 0 && r->ops.publish(r->data, &(struct remote_publication){
		.channel = span_str(r->namesake.channel),
		.event = span_str(NAMESAKE_EVENT),
		.payload = buf_span(&text),
		.has_id = true,
		.deadline_ms = now_ms,
	});
}

void remote_tick_announcement(struct remote *r, uint64_t now_ms)
{
	if (namesake_is_due(&r->namesake, now_ms))
		namesake_announced(&r->namesake, announce(r, now_ms), now_ms);
}

const struct namesake *remote_namesake(const struct remote *r)
{
	return &r->namesake;
}
