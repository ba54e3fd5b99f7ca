/* SPDX-License-Identifier: MIT */
/*
 * Waiting until names are registered, all of them at once: method wait.
 *
 * A name that is missing hangs in a chain by its hash, so that a registration finds who waits for
 * it. What is not seen by the rights of who waits is missing. The request is pending.c's.
 */
#include <string.h>

#include "gateway/builtin.h"
#include "gateway/methods.h"
#include "gateway/options.h"
#include "gateway/pending.h"
#include "gateway/siphash.h"

#define NAMES_MAX 64		/* of one wait */

static struct list *chain_of(struct router *router, struct span name)
{
	return &router->awaited[siphash(router->config.seed, name) % AWAITED_CHAINS];
}

/* What one may not list is never there. */
static bool is_there(const struct router *router, const struct party *party, struct span name)
{
	return router_allows(router, RIGHT_LIST, party, name) &&
	       (registry_find(router->registry, name) || builtin_find(name, party->origin));
}

/* Waits for those of its names that are not there; false: all of them are. */
static bool await_missing(struct router *router, struct pending *p)
{
	for (uint32_t i = 0; i < p->n_names; i++) {
		struct awaited *awaited = &p->names[i];
		struct span name = span_of(awaited->name, awaited->len);

		if (!list_empty(&awaited->link) || is_there(router, p->party, name))
			continue;
		list_add_tail(chain_of(router, name), &awaited->link);
		p->n_missing++;
	}
	return p->n_missing > 0;
}

/* One that was there before may have gone again: all of them have to be there at once. */
static void finish_ready(struct router *router, struct list *ready, const struct now *now)
{
	struct pending *p;

	while ((p = list_first(ready, struct pending, target))) {
		list_del(&p->target);
		if (!await_missing(router, p))
			pending_finish(p, NULL, now);
	}
}

void waits_registered(struct router *router, struct span name, const struct now *now)
{
	struct list *chain = chain_of(router, name);
	struct awaited *awaited, *tmp;
	struct list ready = LIST_INIT(ready);

	list_for_each_safe(awaited, tmp, chain, struct awaited, link) {
		router_spend(router, 1);
		if (!span_equal(span_of(awaited->name, awaited->len), name) ||
		    !router_allows(router, RIGHT_LIST, awaited->pending->party, name))
			continue;
		list_del(&awaited->link);
		if (--awaited->pending->n_missing == 0)
			list_add_tail(&ready, &awaited->pending->target);
	}
	finish_ready(router, &ready, now);
}

/* Drops the names from the chains that are there by now; true: none is missing any more. */
static bool look_again(struct router *router, struct pending *p)
{
	for (uint32_t i = 0; i < p->n_names; i++) {
		struct awaited *awaited = &p->names[i];

		if (list_empty(&awaited->link) ||
		    !is_there(router, p->party, span_of(awaited->name, awaited->len)))
			continue;
		list_del(&awaited->link);
		p->n_missing--;
	}
	return p->n_names > 0 && p->n_missing == 0;
}

void waits_allowed(struct router *router, const struct now *now)
{
	struct list ready = LIST_INIT(ready);
	struct party *party;
	struct pending *p;

	list_for_each(party, &router->parties, struct party, link)
		list_for_each(p, &party->pendings, struct pending, link)
			if (look_again(router, p))
				list_add_tail(&ready, &p->target);
	finish_ready(router, &ready, now);
}

/* The names of an array, or a single one; false: the failure is set. */
static bool read_names(struct request *q, struct span names[NAMES_MAX], uint32_t *ret_n)
{
	uint32_t n = 1;

	if (mp_peek(&q->args) == MP_ARRAY && mp_read_array(&q->args, &n) != 0)
		n = UINT32_MAX;
	for (uint32_t i = 0; i < n && n <= NAMES_MAX; i++)
		if (mp_read_str(&q->args, &names[i]) != 0 || !name_is_valid(names[i]))
			n = UINT32_MAX;
	q->n_args--;
	*ret_n = n;
	if (n >= 1 && n <= NAMES_MAX)
		return true;
	request_fail(q, CHAPI_ERR_INVALID_ARGUMENT, "the names must be an array of 1 to %d names",
		     NAMES_MAX);
	return false;
}

static void add_name(struct pending *p, struct span name)
{
	struct awaited *awaited = &p->names[p->n_names++];

	awaited->pending = p;
	awaited->len = name.len;
	memcpy(awaited->name, name.p, name.len);
	list_init(&awaited->link);
}

enum outcome method_wait(struct request *q)
{
	static const struct option table[] = {
		{ "timeout_ms", OPTION_NUMBER, 0, 1, NUMBER_MOST, NULL },
	};
	struct span names[NAMES_MAX];
	int64_t timeout_ms = 0;
	struct pending *p;
	uint32_t n;

	if (!read_names(q, names, &n) ||
	    !request_read_options(q, table, ARRAY_SIZE(table), &timeout_ms))
		return OUTCOME_FAILURE;
	p = pending_new(q, n);
	if (!p)
		return OUTCOME_FAILURE;
	for (uint32_t i = 0; i < n; i++)
		add_name(p, names[i]);
	if (await_missing(q->router, p)) {
		pending_start_timer(p, q, timeout_ms, "not all of the names were registered");
		return OUTCOME_LATER;
	}
	pending_free(p);
	return request_done_nil(q);
}
