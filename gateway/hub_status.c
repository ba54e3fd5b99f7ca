/* SPDX-License-Identifier: MIT */
/*
 * What is told of the hub side: the part "hub" of the status, and its health for the doctor.
 */
#include "gateway/hub_private.h"

#include <stdio.h>
#include <time.h>

#include "gateway/ledger.h"
#include "gateway/namesake.h"
#include "gateway/others.h"
#include "gateway/turn.h"
#include "gateway/ws.h"
#include "libchapi-ipc/mp.h"

#define CONFLICT_FRESH_MS 3600000	/* for so long another gateway of our name is trouble */

static const char *const state_names[] = {
	[CHANNEL_WAITING] = "waiting",
	[CHANNEL_CONNECTING] = "connecting",
	[CHANNEL_SUBSCRIBING] = "subscribing",
	[CHANNEL_UP] = "up",
	[CHANNEL_STOPPED] = "stopped",
};

const char *hub_state_name(enum channel_state state)
{
	return state_names[state];
}

uint64_t hub_next_try_in_ms(const struct channel_status *status, uint64_t now_ms)
{
	return status->until_ms > now_ms ? status->until_ms - now_ms : 0;
}

static void put_text(struct buf *out, const char *key, const char *text)
{
	mp_put_str(out, key);
	mp_put_str(out, text);
}

static void put_number(struct buf *out, const char *key, uint64_t number)
{
	mp_put_str(out, key);
	mp_put_uint(out, number);
}

static void put_channels(const struct config *config, struct buf *out)
{
	mp_put_str(out, "channels");
	mp_put_array(out, (uint32_t)config->n_channels);
	for (size_t i = 0; i < config->n_channels; i++)
		mp_put_str(out, config->channels[i]);
}

/* until_ms of the monotonic clock, as Unix seconds; 0: nil. */
static void put_until(struct buf *out, uint64_t until_ms)
{
	struct now now = read_now();

	mp_put_str(out, "until");
	if (until_ms == 0)
		mp_put_nil(out);
	else
		mp_put_double(out, now.unix_s + ((double)until_ms - (double)now.ms) / 1000);
}

static const char *const pause_names[] = {
	[OUTBOX_RUNNING] = "running",
	[OUTBOX_TROUBLE] = "trouble",
	[OUTBOX_QUOTA] = "quota",
};

static void put_publisher(const struct hub *hub, struct buf *out)
{
	struct outbox_status status;

	publisher_status(hub->publisher, &status);
	mp_put_str(out, "publisher");
	mp_put_map(out, 14);
	put_text(out, "state", pause_names[status.pause]);
	put_text(out, "reason", status.trouble);
	put_until(out, status.until_ms);
	put_number(out, "published", status.n_published);
	put_number(out, "failed", status.n_failed);
	put_number(out, "dropped", hub->n_dropped);
	put_number(out, "repeated", status.n_repeated);
	put_number(out, "requests", status.n_requests);
	put_number(out, "under_way", status.n_under_way);
	put_number(out, "waiting", status.n_waiting);
	put_number(out, "bytes_waiting", status.bytes_waiting);
	put_number(out, "last_status", status.last_status);
	put_text(out, "last_error", status.last_error);
	mp_put_str(out, "clock_offset_s");
	mp_put_int(out, status.clock_offset_s);
}

static void put_proof(const struct hub *hub, struct buf *out)
{
	const struct proof *proof = &hub->proof;

	mp_put_str(out, "proof_of_life");
	if (proof->interval_ms == 0) {
		mp_put_nil(out);
		return;
	}
	mp_put_map(out, 4);
	mp_put_str(out, "age_ms");
	if (proof->n_seen > 0)
		mp_put_uint(out, read_now().ms - proof->seen_ms);
	else
		mp_put_nil(out);
	put_number(out, "round_trip_ms", proof->round_trip_ms);
	put_number(out, "seen", proof->n_seen);
	put_number(out, "missed", proof->n_missed);
}

/* The day as "2026-11-28"; nil: this machine's clock is not set. */
static void put_day(struct buf *out, int64_t day)
{
	const time_t unix_s = (time_t)(day * BUDGET_DAY_S);
	char text[20] = "";
	struct tm tm;

	mp_put_str(out, "day");
	if (day > 0 && gmtime_r(&unix_s, &tm) && strftime(text, sizeof(text), "%Y-%m-%d", &tm) > 0)
		mp_put_str(out, text);
	else
		mp_put_nil(out);
}

static void put_budget(const struct hub *hub, struct buf *out)
{
	int64_t unix_s = publisher_unix_s(hub->publisher);
	const struct budget *budget = ledger_budget(hub->ledger, unix_s);
	const struct budget_count *count = &budget->today.count;

	mp_put_str(out, "budget");
	mp_put_map(out, 7);
	put_number(out, "limit", budget->limit);
	put_day(out, budget->today.day);
	put_number(out, "messages", budget_messages(count));
	put_number(out, "published", count->published);
	put_number(out, "delivered", count->delivered);
	put_number(out, "received", count->received);
	mp_put_str(out, "low");
	mp_put_bool(out, ledger_is_low(hub->ledger, unix_s));
}

static void put_conflict(const struct namesake *namesake, struct buf *out)
{
	mp_put_str(out, "name_conflict");
	if (namesake->n_seen == 0) {
		mp_put_nil(out);
		return;
	}
	mp_put_map(out, 3);
	put_text(out, "instance", namesake->seen);
	put_number(out, "seen", namesake->n_seen);
	put_number(out, "age_ms", read_now().ms - namesake->seen_ms);
}

static void put_remote(const struct hub *hub, struct buf *out)
{
	struct remote_status status;

	remote_status(hub->remote, &status);
	mp_put_str(out, "remote");
	mp_put_map(out, 9);
	put_number(out, "requests", status.n_requests);
	put_number(out, "responses", status.n_responses);
	put_number(out, "ignored", status.n_ignored);
	put_number(out, "unreadable", hub->n_unreadable);
	put_number(out, "limited", status.n_limited);
	put_number(out, "running", status.n_running);
	put_number(out, "assembling", status.n_assembling);
	put_number(out, "progress_dropped", status.n_progress_dropped);
	put_conflict(remote_namesake(hub->remote), out);
}

static void put_wait(const struct hub *hub, const struct channel_status *status, struct buf *out)
{
	char text[300];

	snprintf(text, sizeof(text), "%s%s%s%s",
		 hub->clock_trouble && status->state == CHANNEL_WAITING
			 ? "the clock to be set, or "
			 : "",
		 status->waits_for, *status->waits_channel ? " " : "", status->waits_channel);
	put_text(out, "waits_for", text);
	put_until(out, status->until_ms);
}

/* Pings are no matter of the channel's: a connection that is up waits for their answers. */
static void note_ping(const struct hub *hub, struct channel_status *status)
{
	uint64_t until_ms = ws_answer_until_ms(hub->ws);

	if (status->state != CHANNEL_UP || until_ms == 0)
		return;
	status->waits_for = "the answer to a ping";
	status->until_ms = until_ms;
}

void hub_put_status(void *data, struct buf *out)
{
	const struct hub *hub = data;
	struct channel_status status;
	bool waits;

	channel_status(hub->channel, &status);
	note_ping(hub, &status);
	waits = status.state == CHANNEL_WAITING;
	mp_put_map(out, waits ? 19 : 18);
	put_text(out, "state", hub_state_name(status.state));
	put_text(out, "host", hub->config->host);
	put_text(out, "socket_id", status.socket_id);
	put_text(out, "reason", status.reason);
	put_wait(hub, &status, out);
	if (waits)
		put_number(out, "next_try_in_ms", hub_next_try_in_ms(&status, read_now().ms));
	put_channels(hub->config, out);
	put_text(out, "request_event", hub->config->request_event);
	put_number(out, "subscribed", status.n_subscribed);
	put_number(out, "wanted", status.n_wanted);
	put_number(out, "connects", status.n_connects);
	put_number(out, "last_close_code", status.close_code);
	put_number(out, "last_error_code", status.error_code);
	put_publisher(hub, out);
	put_remote(hub, out);
	put_proof(hub, out);
	put_budget(hub, out);
	mp_put_str(out, "elsewhere");
	others_put_status(hub->others, out);
}

/* With nothing that waits there is nobody to find out that trouble is over: then how the last event
 * has ended is all that is known. */
static void put_publish_error(const struct outbox_status *publishing, char *out, size_t out_len)
{
	bool is_waiting = publishing->n_waiting > 0 || publishing->until_ms > read_now().ms;

	if (publishing->pause != OUTBOX_RUNNING && is_waiting)
		snprintf(out, out_len, "paused: %.180s", publishing->trouble);
	else
		snprintf(out, out_len, "%s", publishing->failing ? publishing->last_error : "");
}

void hub_health(const struct hub *hub, struct hub_health *ret_health)
{
	const struct namesake *namesake = remote_namesake(hub->remote);
	struct outbox_status publishing;
	struct channel_status status;

	channel_status(hub->channel, &status);
	publisher_status(hub->publisher, &publishing);
	*ret_health = (struct hub_health){
		.state = hub_state_name(status.state),
		.up = status.state == CHANNEL_UP,
		.reason = status.reason,
		.name_conflict = namesake->n_seen > 0 &&
				 read_now().ms - namesake->seen_ms < CONFLICT_FRESH_MS,
	};
	put_publish_error(&publishing, ret_health->publish_error,
			  sizeof(ret_health->publish_error));
}
