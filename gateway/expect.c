/* SPDX-License-Identifier: MIT */
/*
 * What the next messages will need.
 *
 * With many names, or many calls in flight, a message finds little of what it is about in the
 * cache, and waits for one line after the other. An edge that has read several messages says so
 * before the first of them is handled: then their lines come at the same time. Nothing is decided
 * here, so nothing is wrong when other messages come, or the names have gone by then.
 */
#include "gateway/router_private.h"

#define MANY 512	/* names, calls: more than the nearest cache holds */

/* The name that a request is about; empty: none, or none that can be seen at once. */
static struct span name_of(const struct message *message)
{
	struct mp_reader args = mp_reader(message->params);
	struct span name;

	if (!span_is(message->method, "call") || mp_read_str(&args, &name) != 0)
		return span_of(NULL, 0);
	return name;
}

static void expect_requests(struct router *router, const struct party *from,
			    const struct message *messages, size_t n)
{
	uint64_t tokens[ROUTER_EXPECT_MAX];
	struct span names[ROUTER_EXPECT_MAX];
	size_t n_requests = 0;

	for (size_t i = 0; i < n; i++)
		if (messages[i].type == MESSAGE_REQUEST) {
			tokens[n_requests] = messages[i].id;
			names[n_requests++] = name_of(&messages[i]);
		}
	if (n_requests == 0)
		return;
	calls_expect_tokens(router->calls, from, tokens, n_requests);
	registry_expect(router->registry, names, n_requests);
}

static void expect_responses(const struct router *router, const struct message *messages, size_t n)
{
	uint32_t ids[ROUTER_EXPECT_MAX];
	size_t n_responses = 0;

	for (size_t i = 0; i < n; i++)
		if (messages[i].type == MESSAGE_RESPONSE)
			ids[n_responses++] = messages[i].id;
	if (n_responses > 0)
		calls_expect(router->calls, ids, n_responses);
}

void router_expect(struct router *router, const struct party *from, const struct message *messages,
		   size_t n)
{
	if (registry_count(router->registry) < MANY && calls_count(router->calls) < MANY)
		return;
	n = MIN(n, (size_t)ROUTER_EXPECT_MAX);
	expect_requests(router, from, messages, n);
	expect_responses(router, messages, n);
}
