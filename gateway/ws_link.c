/* SPDX-License-Identifier: MIT */
/*
 * The common memory of the loop and the WebSocket thread.
 */
#include "gateway/ws_link.h"

#include <assert.h>
#include <errno.h>
#include <libwebsockets.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/sign.h"

int ws_link_new(struct ws_link **ret_link)
{
	struct ws_link *link = calloc(1, sizeof(*link));
	int r;

	if (!link)
		return -ENOMEM;
	link->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (link->event_fd < 0) {
		r = -errno;
		free(link);
		return r;
	}
	pthread_mutex_init(&link->lock, NULL);
	pthread_cond_init(&link->changed, NULL);
	list_init(&link->out);
	list_init(&link->in);
	link->refs = 1;
	*ret_link = link;
	return 0;
}

static void items_free(struct list *items)
{
	struct ws_item *item, *tmp;

	list_for_each_safe(item, tmp, items, struct ws_item, link) {
		list_del(&item->link);
		free(item);
	}
}

void ws_link_unref(struct ws_link *link)
{
	unsigned int refs;

	pthread_mutex_lock(&link->lock);
	refs = --link->refs;
	pthread_mutex_unlock(&link->lock);
	if (refs > 0)
		return;

	ws_target_free(link->target);
	ws_pulse_free(link->pulse);
	items_free(&link->out);
	items_free(&link->in);
	pthread_cond_destroy(&link->changed);
	pthread_mutex_destroy(&link->lock);
	close(link->event_fd);
	free(link);
}

void ws_link_wake_thread(struct ws_link *link)
{
	if (link->context)
		lws_cancel_service(link->context);
	else
		pthread_cond_signal(&link->changed);
}

void ws_link_clear_out(struct ws_link *link)
{
	items_free(&link->out);
	link->out_bytes = 0;
}

struct ws_item *ws_item_new(enum ws_item_kind kind, uint64_t generation, struct span text)
{
	struct ws_item *item = malloc(sizeof(*item) + LWS_PRE + text.len);

	if (!item)
		return NULL;
	*item = (struct ws_item){
		.kind = kind,
		.generation = generation,
		.len = text.len,
		.text = (uint8_t *)(item + 1) + LWS_PRE,
	};
	list_init(&item->link);
	if (text.len > 0)
		memcpy(item->text, text.p, text.len);
	return item;
}

struct ws_pulse *ws_pulse_free(struct ws_pulse *pulse)
{
	if (!pulse)
		return NULL;
	free(pulse->news);
	free(pulse);
	return NULL;
}

struct ws_pulse *ws_pulse_new(uint64_t generation, const struct ws_keep_alive *how)
{
	struct ws_pulse *pulse = malloc(sizeof(*pulse));

	if (!pulse)
		return NULL;
	assert(how->ping.len <= sizeof(pulse->ping));
	*pulse = (struct ws_pulse){
		.generation = generation,
		.every_ms = how->every_ms,
		.answer_ms = how->answer_ms,
		.is_pong = how->is_pong,
		.news = ws_item_new(WS_ITEM_SILENT, generation, span_of(NULL, 0)),
		.len = how->ping.len,
	};
	memcpy(pulse->ping, how->ping.p, how->ping.len);
	return pulse->news ? pulse : ws_pulse_free(pulse);
}

struct ws_target *ws_target_free(struct ws_target *target)
{
	if (!target)
		return NULL;
	free((char *)target->address);
	free((char *)target->host);
	free((char *)target->path);
	free((char *)target->ca_file);
	free((char *)target->origin);
	if (target->proxy_auth)
		sign_wipe((char *)target->proxy_auth, strlen(target->proxy_auth));
	free((char *)target->proxy_auth);
	free(target);
	return NULL;
}

/* False: out of memory. */
static bool copy_text(const char *text, const char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return !text || *ret;
}

struct ws_target *ws_target_copy(const struct ws_target *target)
{
	struct ws_target *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	copy->port = target->port;
	copy->tls = target->tls;
	copy->proxy_port = target->proxy_port;
	if (copy_text(target->address, &copy->address) && copy_text(target->host, &copy->host) &&
	    copy_text(target->path, &copy->path) && copy_text(target->ca_file, &copy->ca_file) &&
	    copy_text(target->origin, &copy->origin) &&
	    copy_text(target->proxy_auth, &copy->proxy_auth))
		return copy;
	return ws_target_free(copy);
}
