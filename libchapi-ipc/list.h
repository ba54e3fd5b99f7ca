/* SPDX-License-Identifier: MIT */
/*
 * Doubly linked lists whose links live inside their members.
 *
 * A head is a link too: an empty list points at itself. A link that is in no list points at
 * itself as well, so that list_del() may be called twice.
 */
#ifndef CHAPI_LIST_H
#define CHAPI_LIST_H

#include <stdbool.h>

#include "common/common.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(l) { &(l), &(l) }

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add_tail(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void list_del(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

/* First member, or NULL. */
#define list_first(head, type, member) \
	(list_empty(head) ? NULL : container_of((head)->next, type, member))

#define list_for_each(pos, head, type, member) \
	for (pos = container_of((head)->next, type, member); &pos->member != (head); \
	     pos = container_of(pos->member.next, type, member))

/* As above; the member at hand may be taken out or freed, others not. */
#define list_for_each_safe(pos, tmp, head, type, member) \
	for (pos = container_of((head)->next, type, member), \
	    tmp = container_of(pos->member.next, type, member); &pos->member != (head); \
	     pos = tmp, tmp = container_of(pos->member.next, type, member))

#endif
