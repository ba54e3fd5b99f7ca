/* SPDX-License-Identifier: MIT */
/*
 * The loop's side of the WebSocket: wishes to the thread, its events to the handler.
 *
 * Whether an event still concerns anybody is decided here, by its generation: the thread may
 * be in the middle of something when a connection is given up.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/ws.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "gateway/turn.h"
#include "gateway/ws_client.h"
#include "gateway/ws_link.h"

#define OUT_BYTES_MAX (1024 * 1024)
#define STOP_WAIT_MS 500

struct ws {
	struct ws_link *link;
	struct event *readable;
	const struct ws_handler *handler;
	void *data;
	pthread_t thread;
	bool started;		/* the thread, at the first connection */
	bool dispatching;
	uint64_t generation;	/* of the latest connection */
	uint64_t current;	/* whose events are passed on; 0: none */
	uint64_t late_ms;	/* a frame of it that waited for longer is too old; 0: none is */
};

/*
 * As both threads run, the thread reads at least as often as it pings, and the loop is at once
 * there: so the process was stopped, or the loop. What lies in the socket is no younger.
 */
static void give_up_stale(struct ws *ws, uint64_t waited_ms)
{
	char why[200];

	ws_close(ws);
	snprintf(why, sizeof(why), WS_STALE_FORMAT, waited_ms / 1000);
	ws->handler->closed(ws->data, &(struct ws_end){ .why = span_str(why) });
}

static void pass_frame_on(struct ws *ws, const struct ws_item *item)
{
	uint64_t waited_ms = read_now().ms - item->since_ms;

	if (ws->late_ms > 0 && waited_ms > ws->late_ms)
		give_up_stale(ws, waited_ms);
	else
		ws->handler->frame(ws->data, span_of(item->text, item->len));
}

static void pass_on(struct ws *ws, const struct ws_item *item)
{
	struct span text = span_of(item->text, item->len);
	struct ws_end end = item->end;

	if (item->generation != ws->current)
		return;
	switch (item->kind) {
	case WS_ITEM_OPENED:
		ws->handler->opened(ws->data);
		return;
	case WS_ITEM_FRAME:
		pass_frame_on(ws, item);
		return;
	case WS_ITEM_SILENT:
		ws->handler->silent(ws->data);
		return;
	case WS_ITEM_CLOSED:
		ws->current = 0;
		end.why = text;
		ws->handler->closed(ws->data, &end);
		return;
	}
}

/* Moves all events to ret; lets the thread read on if it had stopped for their number. */
static void take_events(struct ws_link *link, struct list *ret)
{
	struct ws_item *item, *tmp;

	pthread_mutex_lock(&link->lock);
	list_for_each_safe(item, tmp, &link->in, struct ws_item, link) {
		list_del(&item->link);
		list_add_tail(ret, &item->link);
	}
	link->n_in = 0;
	link->in_bytes = 0;
	if (link->paused) {
		link->paused = false;
		link->resume = true;
		ws_link_wake_thread(link);
	}
	pthread_mutex_unlock(&link->lock);
}

static void on_readable(evutil_socket_t fd, short what UNUSED, void *arg)
{
	struct list items = LIST_INIT(items);
	struct ws_item *item, *tmp;
	struct ws *ws = arg;
	eventfd_t count;

	(void)eventfd_read(fd, &count);
	take_events(ws->link, &items);
	ws->dispatching = true;
	list_for_each_safe(item, tmp, &items, struct ws_item, link) {
		list_del(&item->link);
		pass_on(ws, item);
		free(item);
	}
	ws->dispatching = false;
}

int ws_new(struct event_base *base, const struct ws_handler *handler, void *data,
	   struct ws **ret_ws)
{
	struct ws *ws = calloc(1, sizeof(*ws));
	int r;

	if (!ws)
		return -ENOMEM;
	ws->handler = handler;
	ws->data = data;
	r = ws_link_new(&ws->link);
	if (r < 0) {
		free(ws);
		return r;
	}
	ws->readable = event_new(base, ws->link->event_fd, EV_READ | EV_PERSIST, on_readable, ws);
	if (!ws->readable || event_add(ws->readable, NULL) < 0) {
		ws_free(ws);
		return -ENOMEM;
	}
	*ret_ws = ws;
	return 0;
}

/* It says goodbye to the hub and frees what it holds; no more than a moment is lost on that. */
static void stop_thread(struct ws *ws)
{
	struct timespec until;

	pthread_mutex_lock(&ws->link->lock);
	ws->link->stop = true;
	ws_link_wake_thread(ws->link);
	pthread_mutex_unlock(&ws->link->lock);

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += STOP_WAIT_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	if (pthread_timedjoin_np(ws->thread, NULL, &until) != 0)
		pthread_detach(ws->thread);
}

struct ws *ws_free(struct ws *ws)
{
	if (!ws)
		return NULL;
	assert(!ws->dispatching);
	if (ws->started)
		stop_thread(ws);
	if (ws->readable)
		event_free(ws->readable);
	ws_link_unref(ws->link);
	free(ws);
	return NULL;
}

/* Signals are the loop's. The thread holds a reference to the link. */
static int start_thread(struct ws *ws)
{
	/* Never to be blocked. */
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	sigset_t all, before;
	int r;

	ws->link->refs++;
	sigfillset(&all);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&ws->thread, NULL, ws_client_main, ws->link);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0) {
		ws->link->refs--;
		return -r;
	}
	ws->started = true;
	return 0;
}

/* Replaces whatever was wished before. */
static void wish(struct ws *ws, uint64_t generation, struct ws_target *target)
{
	struct ws_link *link = ws->link;

	ws->current = generation;
	ws->late_ms = 0;
	pthread_mutex_lock(&link->lock);
	ws_target_free(link->target);
	link->target = target;
	link->wanted = generation;
	ws_link_clear_out(link);
	link->pulse = ws_pulse_free(link->pulse);
	link->answer_until_ms = 0;
	ws_link_wake_thread(link);
	pthread_mutex_unlock(&link->lock);
}

int ws_connect(struct ws *ws, const struct ws_target *target)
{
	struct ws_target *copy = ws_target_copy(target);
	int r = 0;

	if (!copy)
		return -ENOMEM;
	if (!ws->started)
		r = start_thread(ws);
	if (r < 0) {
		ws_target_free(copy);
		return r;
	}
	wish(ws, ++ws->generation, copy);
	return 0;
}

void ws_close(struct ws *ws)
{
	if (ws->current != 0)
		wish(ws, 0, NULL);
}

int ws_send(struct ws *ws, struct span text)
{
	struct ws_link *link = ws->link;
	struct ws_item *item;
	int r = 0;

	if (ws->current == 0)
		return 0;
	item = ws_item_new(WS_ITEM_FRAME, ws->current, text);
	if (!item)
		return -ENOMEM;
	pthread_mutex_lock(&link->lock);
	if (link->out_bytes + text.len > OUT_BYTES_MAX) {
		r = -ENOBUFS;
	} else {
		list_add_tail(&link->out, &item->link);
		link->out_bytes += text.len;
		ws_link_wake_thread(link);
	}
	pthread_mutex_unlock(&link->lock);
	if (r < 0)
		free(item);
	return r;
}

int ws_keep_alive(struct ws *ws, const struct ws_keep_alive *how)
{
	struct ws_link *link = ws->link;
	struct ws_pulse *pulse;

	if (ws->current == 0)
		return 0;
	pulse = ws_pulse_new(ws->current, how);
	if (!pulse)
		return -ENOMEM;
	ws->late_ms = how->every_ms + how->answer_ms;
	pthread_mutex_lock(&link->lock);
	ws_pulse_free(link->pulse);
	link->pulse = pulse;
	ws_link_wake_thread(link);
	pthread_mutex_unlock(&link->lock);
	return 0;
}

uint64_t ws_answer_until_ms(const struct ws *ws)
{
	struct ws_link *link = ws->link;
	uint64_t until_ms;

	pthread_mutex_lock(&link->lock);
	until_ms = link->answer_until_ms;
	pthread_mutex_unlock(&link->lock);
	return until_ms;
}
