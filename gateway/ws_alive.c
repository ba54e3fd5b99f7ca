/* SPDX-License-Identifier: MIT */
/*
 * Pings and their answers, as keepalive.h says, on the timer that libwebsockets has for each
 * connection. They stay in its thread: for them alone the loop would be woken, twice for each.
 */
#include "gateway/ws_client_private.h"

#include "gateway/turn.h"

#define TIMER_MAX_MS (24 * 3600 * 1000)	/* it is set again then */

static void arm_timer(struct ws_client *c, struct lws *wsi)
{
	uint64_t next_ms = keepalive_next_ms(&c->keepalive), now_ms = read_now().ms;
	uint64_t ms = next_ms > now_ms ? next_ms - now_ms : 0;

	lws_set_timer_usecs(wsi, next_ms == KEEPALIVE_NEVER
					 ? LWS_SET_TIMER_USEC_CANCEL
					 : (lws_usec_t)MIN(ms, TIMER_MAX_MS) * LWS_US_PER_MS);
}

/* For the status. */
static void tell_answer_until(struct ws_client *c)
{
	uint64_t until_ms = c->keepalive.answer_until_ms;
	struct ws_link *link = c->link;

	pthread_mutex_lock(&link->lock);
	if (link->wanted == c->generation)
		link->answer_until_ms = until_ms == KEEPALIVE_NEVER ? 0 : until_ms;
	pthread_mutex_unlock(&link->lock);
}

void ws_alive_heard(struct ws_client *c, struct lws *wsi)
{
	if (!keepalive_heard(&c->keepalive))
		return;
	tell_answer_until(c);
	arm_timer(c, wsi);
}

/* An answer that we do not read is no sign of death. */
void ws_alive_on_timer(struct ws_client *c, struct lws *wsi)
{
	struct ws_item *news;

	if (c->paused)
		keepalive_heard(&c->keepalive);
	switch (keepalive_tick(&c->keepalive, read_now().ms)) {
	case KEEPALIVE_PING:
		c->ping_is_due = true;
		lws_callback_on_writable(wsi);
		break;
	case KEEPALIVE_DEAD:
		news = ws_tell_take_news(c, WS_ITEM_SILENT);
		if (news)
			ws_tell(c, news);
		break;
	case KEEPALIVE_NOTHING:
		break;
	}
	tell_answer_until(c);
	arm_timer(c, wsi);
}

/* libwebsockets writes over what it is given. */
int ws_alive_write(struct ws_client *c, struct lws *wsi)
{
	uint8_t room[LWS_PRE + WS_PING_MAX];

	c->ping_is_due = false;
	memcpy(room + LWS_PRE, c->pulse->ping, c->pulse->len);
	if (lws_write(wsi, room + LWS_PRE, c->pulse->len, LWS_WRITE_TEXT) < 0)
		return -1;
	lws_callback_on_writable(wsi);	/* for what else there is: one frame at a time */
	return 0;
}

void ws_alive_start(struct ws_client *c, struct ws_pulse *pulse)
{
	if (!c->open || c->reported || pulse->generation != c->generation) {
		ws_pulse_free(pulse);
		return;
	}
	ws_pulse_free(c->pulse);
	c->pulse = pulse;
	keepalive_start(&c->keepalive, pulse->every_ms, pulse->answer_ms, read_now().ms);
	arm_timer(c, c->wsi);
}
