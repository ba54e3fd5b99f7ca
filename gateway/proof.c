/* SPDX-License-Identifier: MIT */
/*
 * Proof of life: see proof.h.
 */
#include "gateway/proof.h"

#include <inttypes.h>

#include "gateway/backoff.h"
#include "libchapi-ipc/json.h"
#include "libchapi-ipc/json_string.h"

#define DEPTH_MAX 4

void proof_init(struct proof *p, uint64_t interval_ms, uint64_t limit_ms, const char *instance)
{
	*p = (struct proof){
		.interval_ms = interval_ms,
		.limit_ms = limit_ms,
		.instance = instance,
		.next_ms = UINT64_MAX,
	};
}

void proof_up(struct proof *p, uint64_t now_ms)
{
	if (p->interval_ms == 0)
		return;
	p->state = PROOF_RESTING;
	p->next_ms = now_ms;
}

void proof_down(struct proof *p)
{
	p->state = PROOF_OFF;
	p->next_ms = UINT64_MAX;
}

void proof_set_times(struct proof *p, uint64_t interval_ms, uint64_t limit_ms, bool is_up,
		     uint64_t now_ms)
{
	p->interval_ms = interval_ms;
	p->limit_ms = limit_ms;
	if (interval_ms == 0)
		proof_down(p);
	else if (is_up && p->state == PROOF_OFF)
		proof_up(p, now_ms);
}

static void rest(struct proof *p)
{
	p->state = PROOF_RESTING;
	p->next_ms = backoff_later(p->sent_ms, p->interval_ms);
}

uint64_t proof_next_ms(const struct proof *p)
{
	return p->next_ms;
}

static enum proof_action begin(struct proof *p, uint64_t now_ms)
{
	p->state = PROOF_SENT;
	p->next_ms = UINT64_MAX;
	p->sent_ms = now_ms;
	p->number++;
	return PROOF_SEND;
}

enum proof_action proof_tick(struct proof *p, uint64_t now_ms)
{
	if (now_ms < p->next_ms)
		return PROOF_NOTHING;
	if (p->state == PROOF_RESTING)
		return begin(p, now_ms);
	p->n_missed++;
	proof_down(p);
	return PROOF_MISSED;
}

void proof_put(const struct proof *p, struct buf *out)
{
	buf_put_str(out, "{\"instance\":");
	json_put_string(out, span_str(p->instance));
	buf_printf(out, ",\"number\":%" PRIu64 "}", p->number);
}

void proof_published(struct proof *p, uint64_t number, bool taken, uint64_t now_ms)
{
	if (p->state != PROOF_SENT || number != p->number)
		return;
	if (!taken) {
		rest(p);
		return;
	}
	p->state = PROOF_AWAITED;
	p->next_ms = backoff_later(now_ms, p->limit_ms);
}

static bool is_text(struct span value, const char *text)
{
	CLEANUP(buf_deinit) struct buf decoded = BUF_NULL;

	return json_get_string(value, &decoded) == 0 && span_is(buf_span(&decoded), text);
}

/* Ours, and the last one: others may listen and talk on the channel as well. */
static bool is_awaited(const struct proof *p, struct span payload)
{
	bool instance = false, number = false;
	struct json_reader reader;
	struct json_fault fault;
	struct span text, key, value;
	double v;

	if (json_text(payload, DEPTH_MAX, &text, &fault) != 0 ||
	    json_enter_object(text, &reader) != 0)
		return false;
	while (json_next_member(&reader, &key, &value) == 0) {
		if (json_key_is(key, "instance"))
			instance = is_text(value, p->instance);
		else if (json_key_is(key, "number"))
			number = json_get_number(value, &v) == 0 && v == (double)p->number;
	}
	return instance && number;
}

bool proof_event(struct proof *p, struct span payload, uint64_t now_ms)
{
	if ((p->state != PROOF_SENT && p->state != PROOF_AWAITED) || !is_awaited(p, payload))
		return false;
	p->n_seen++;
	p->seen_ms = now_ms;
	p->round_trip_ms = now_ms - p->sent_ms;
	rest(p);
	return true;
}
