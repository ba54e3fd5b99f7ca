/* SPDX-License-Identifier: MIT */
/*
 * The calls of remote callers that run, in a table of at least max_calls slots.
 *
 * The token that the router brings back is the slot's number together with how often it was used,
 * so that nothing is searched and a stale token finds nothing.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/remote_private.h"

#include <errno.h>
#include <stdlib.h>

#define NO_SLOT UINT32_MAX

struct remote_slot {
	struct remote_call *call;	/* NULL: free */
	uint32_t n_uses;
	uint32_t next_free;
};

struct remote_call *remote_call_unref(struct remote_call *call)
{
	if (!call || --call->refs > 0)
		return NULL;
	list_del(&call->link);
	list_del(&call->progressing);
	list_del(&call->progress_sent);
	buf_deinit(&call->progress);
	record_request_deinit(&call->request);
	free(call);
	return NULL;
}

void remote_call_unrefp(struct remote_call **call)
{
	*call = remote_call_unref(*call);
}

int remote_call_new(struct remote *r, struct span channel, struct remote_call **ret_call)
{
	struct remote_call *call = calloc(1, sizeof(*call));

	if (!call)
		return -ENOMEM;
	call->refs = 1;
	call->remote = r;
	list_init(&call->link);
	list_init(&call->progressing);
	list_init(&call->progress_sent);
	record_request_init(&call->request);
	call->channel = call->reply = channel;
	*ret_call = call;
	return 0;
}

void remote_add_call(struct remote *r, struct remote_call *call)
{
	uint32_t i = r->first_free;
	struct remote_slot *slot = &r->slots[i];

	r->first_free = slot->next_free;
	slot->call = call;
	slot->n_uses++;
	r->status.n_running++;
	call->token = (uint64_t)slot->n_uses << 32 | i;
}

static struct remote_slot *find_slot(struct remote *r, uint64_t token)
{
	uint32_t i = (uint32_t)token;

	return i < r->n_slots && r->slots[i].call && r->slots[i].n_uses == token >> 32 ?
		&r->slots[i] : NULL;
}

struct remote_call *remote_find_call(struct remote *r, uint64_t token)
{
	struct remote_slot *slot = find_slot(r, token);

	return slot ? slot->call : NULL;
}

struct remote_call *remote_take_call(struct remote *r, uint64_t token)
{
	struct remote_slot *slot = find_slot(r, token);
	uint32_t i = (uint32_t)token;
	struct remote_call *call;

	if (!slot)
		return NULL;
	call = slot->call;
	slot->call = NULL;
	slot->next_free = r->first_free;
	r->first_free = i;
	r->status.n_running--;
	return call;
}

/* The table never becomes smaller: tokens are places in it. */
int remote_grow_slots(struct remote *r, uint32_t n)
{
	struct remote_slot *slots;

	if (n <= r->n_slots)
		return 0;
	slots = reallocarray(r->slots, n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + r->n_slots, 0, (n - r->n_slots) * sizeof(*slots));
	for (uint32_t i = n; i > r->n_slots; i--) {
		slots[i - 1].next_free = r->first_free;
		r->first_free = i - 1;
	}
	r->slots = slots;
	r->n_slots = n;
	return 0;
}

void remote_init_slots(struct remote *r)
{
	r->first_free = NO_SLOT;
}

void remote_free_slots(struct remote *r)
{
	for (uint32_t i = 0; i < r->n_slots; i++)
		remote_call_unref(r->slots[i].call);
	free(r->slots);
}
