/* SPDX-License-Identifier: MIT */
/*
 * Another gateway of our name: see namesake.h.
 */
#include "gateway/namesake.h"

#include <stdio.h>

#include "gateway/record.h"
#include "gateway/text.h"
#include "libchapi-ipc/json_string.h"

void namesake_init(struct namesake *n, const char *name, const char *instance)
{
	*n = (struct namesake){ .name = name, .instance = instance };
	snprintf(n->channel, sizeof(n->channel), BEACON_PREFIX "%.*s" BEACON_SUFFIX,
		 NAMESAKE_NAME_MAX, name);
}

bool namesake_want(struct namesake *n)
{
	bool is_news = !n->is_wanted;

	n->is_wanted = true;
	return is_news;
}

static void note(struct namesake *n, struct span instance, uint64_t now_ms)
{
	if (!text_is_printable_ascii(instance))
		instance = span_of(NULL, 0);
	n->n_seen++;
	n->seen_ms = now_ms;
	snprintf(n->seen, sizeof(n->seen), "%.*s", (int)instance.len,
		 instance.len ? (const char *)instance.p : "");
}

bool namesake_look(struct namesake *n, struct span text, uint64_t now_ms)
{
	CLEANUP(buf_deinit) struct buf gateway = BUF_NULL;
	CLEANUP(buf_deinit) struct buf instance = BUF_NULL;

	if (record_response_origin(text, &gateway, &instance) ||
	    !span_is(buf_span(&gateway), n->name) || span_is(buf_span(&instance), n->instance))
		return false;
	note(n, buf_span(&instance), now_ms);
	return true;
}

uint64_t namesake_next_ms(const struct namesake *n)
{
	return n->is_wanted ? n->from_ms : UINT64_MAX;
}

bool namesake_is_due(const struct namesake *n, uint64_t now_ms)
{
	return namesake_next_ms(n) <= now_ms;
}

void namesake_put(const struct namesake *n, struct buf *out)
{
	buf_put_str(out, "{\"gateway\":");
	json_put_string(out, span_str(n->name));
	buf_put_str(out, ",\"instance\":");
	json_put_string(out, span_str(n->instance));
	buf_put_byte(out, '}');
}

void namesake_announced(struct namesake *n, bool is_out, uint64_t now_ms)
{
	n->is_wanted = !is_out;
	n->from_ms = now_ms + NAMESAKE_QUIET_MS;
}
