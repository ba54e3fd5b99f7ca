/* SPDX-License-Identifier: MIT */
/*
 * A router that is played for the hub side.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/unit/played_router.h"

void router_add(struct router *router, struct party *party, const struct now *now UNUSED)
{
	assert_null(router->party);
	router->party = party;
}

void router_remove(struct router *router, struct party *party, const struct now *now UNUSED)
{
	assert_ptr_equal(router->party, party);
	router->party = NULL;
}

const char *router_instance(const struct router *router UNUSED)
{
	return "00ff";
}

bool router_has(const struct router *router UNUSED, struct span api)
{
	return !span_is(api, "elsewhere");
}

bool router_is_idempotent(const struct router *router UNUSED, struct span api)
{
	return span_is(api, "idempotent");
}

void router_cancel(struct router *router, struct party *from, uint64_t token,
		   const struct now *now UNUSED)
{
	assert_ptr_equal(from, router->party);
	router->cancelled = token;
}

static void copy_text(char ret[100], struct span text)
{
	snprintf(ret, 100, "%.*s", (int)text.len, text.len ? (const char *)text.p : "");
}

void router_call(struct router *router, struct party *from, const struct router_call *call,
		 const struct now *now UNUSED)
{
	struct handed *handed = &router->calls[router->n_calls++ % CALLS_MAX];

	assert_ptr_equal(from, router->party);
	assert_true(call->params.len > 0);
	*handed = (struct handed){
		.token = call->token,
		.params_len = call->params.len,
		.request_time = call->request_time,
		.timeout_ms = call->timeout_ms,
		.progress = call->progress,
	};
	if (router->answer_at_once)
		from->ops->response(from, call->token, router->answer_at_once);
	/* Afterwards: what was handed over has to hold until this returns. */
	copy_text(handed->api, call->api);
	copy_text(handed->call, call->call);
	copy_text(handed->caller, call->caller);
	memcpy(handed->params, call->params.p, MIN(call->params.len, sizeof(handed->params)));
}

const struct handed *played_last(const struct router *router)
{
	assert_true(router->n_calls > 0);
	return &router->calls[(router->n_calls - 1) % CALLS_MAX];
}
