/* SPDX-License-Identifier: MIT */
/*
 * What the thread of libwebsockets tells the loop: into the queue of ws_link.h, whose limits say
 * when to read no more.
 */
#include "gateway/ws_client_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>

/* Where the thread stops reading. What libwebsockets has read already still comes. */
#define IN_FRAMES_MAX 256
#define IN_BYTES_MAX (2 * WS_FRAME_MAX)

/* True: the loop is behind, read no more for now. */
bool ws_tell(struct ws_client *c, struct ws_item *item)
{
	struct ws_link *link = c->link;
	bool paused, is_first;

	pthread_mutex_lock(&link->lock);
	is_first = list_empty(&link->in);
	list_add_tail(&link->in, &item->link);
	link->n_in++;
	link->in_bytes += item->len;
	if (link->n_in >= IN_FRAMES_MAX || link->in_bytes >= IN_BYTES_MAX)
		link->paused = true;
	paused = link->paused;
	pthread_mutex_unlock(&link->lock);
	if (is_first)	/* not under the lock, which the loop would run into */
		(void)eventfd_write(link->event_fd, 1);
	return paused;
}

struct ws_item *ws_tell_take_news(struct ws_client *c, enum ws_item_kind kind)
{
	struct ws_item *item = c->pulse ? c->pulse->news : NULL;

	if (!item)
		return NULL;
	c->pulse->news = NULL;
	item->kind = kind;
	return item;
}

/* Without memory its reason is lost; before there are pings, all of it: the channel's time limit
 * for the handshake notices. */
void ws_tell_end(struct ws_client *c, const struct ws_end *end)
{
	struct ws_item *item;

	if (c->generation == 0 || c->reported)
		return;
	c->reported = true;
	item = ws_item_new(WS_ITEM_CLOSED, c->generation, end->why);
	if (!item)
		item = ws_tell_take_news(c, WS_ITEM_CLOSED);
	if (!item)
		return;
	item->end = *end;
	item->end.why = span_of(NULL, 0);
	ws_tell(c, item);
}

void ws_tell_failure(struct ws_client *c, const char *fmt, ...)
{
	char why[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	ws_tell_end(c, &(struct ws_end){ .why = span_str(why) });
}
