/* SPDX-License-Identifier: MIT */
/*
 * Fuzz harness: answers of the hub's HTTP API, and what an outbox makes of them.
 *
 * The input is answers, each ended by a byte 0: two bytes choose the status and what the head
 * said, the rest is the body. Each of the events ends once, and what is said of it is one line.
 * Bodies are read as what GET channels gives, too.
 */
#undef NDEBUG
#include <assert.h>

#include "gateway/beacons.h"
#include "gateway/outbox.h"
#include "libchapi-ipc/mp.h"
#include "libchapi-ipc/mp_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define N_EVENTS 5

static const unsigned int statuses[] = {
	200, 201, 202, 204, 301, 400, 401, 403, 404, 405,
	407, 408, 413, 418, 422, 429, 500, 502, 503, 999,
};

struct world {
	struct outbox *outbox;
	uint64_t now_ms;
	unsigned int n_ended;
};

static void check_line(const char *text)
{
	for (; *text; text++)
		assert((uint8_t)*text >= ' ' && *text != 0x7f);
}

static void on_ended(void *data, const struct outbox_end *end)
{
	struct world *w = data;

	w->n_ended++;
	assert(end->error || (end->status >= 200 && end->status < 300 && !end->in_doubt));
	if (end->error)
		check_line(end->error);
}

static void add_events(struct world *w)
{
	for (unsigned int i = 0; i < N_EVENTS; i++)
		assert(outbox_add(w->outbox, &(struct outbox_event){
			.channel = span_str("private-a"), .event = span_str("response"),
			.payload = span_str("{}"), .has_id = i % 2 == 0, .deadline_ms = 60000,
		}, on_ended, w, w->now_ms) == 0);
}

static void read_channels(struct span body)
{
	struct buf list = BUF_NULL;
	bool occupied;
	size_t n;
	int r;

	if (beacons_read(body, "pi", &list) == 0)
		assert(mp_length(buf_span(&list), MP_VALUE_DEPTH_MAX, &n) == 0 && n == list.len);
	r = beacon_read(body, &occupied);
	assert(r == 0 || r == BEACONS_E_UNREADABLE);
	buf_deinit(&list);
}

static void answer(struct world *w, struct outbox_request *request, struct span text)
{
	struct verdict_answer a = { .unix_s = 1700000000 };
	uint8_t how = text.len > 1 ? text.p[1] : 0;
	struct verdict verdict;

	if (text.len > 2)
		a.body = span_of(text.p + 2, text.len - 2);
	a.status = statuses[text.len > 0 ? text.p[0] % ARRAY_SIZE(statuses) : 0];
	a.date = how & 1 ? 1700003600 : 0;
	a.retry_after_s = how & 2 ? how : 0;
	read_channels(a.body);
	if (how & 4)
		a = (struct verdict_answer){ .error = "no answer", .unsent = how & 8 };
	verdict_of(&a, &verdict);
	check_line(verdict.text);
	assert(!a.unsent || verdict.kind == VERDICT_UNSENT);
	outbox_answer(w->outbox, request, &a, w->now_ms);
}

static void check_status(const struct world *w)
{
	struct outbox_status s;

	outbox_status(w->outbox, &s);
	assert(s.n_waiting + w->n_ended == N_EVENTS);
	assert(s.n_published + s.n_failed == w->n_ended);
	assert((s.n_waiting == 0) == (s.bytes_waiting == 0));
	check_line(s.trouble);
	check_line(s.last_error);
}

static void play(struct world *w, struct span text)
{
	uint64_t next_ms = outbox_next_ms(w->outbox);
	struct outbox_request *request;
	struct buf body = BUF_NULL;

	if (next_ms != UINT64_MAX && next_ms > w->now_ms)
		w->now_ms = next_ms;
	request = outbox_take(w->outbox, w->now_ms);
	if (request) {
		outbox_request_put(request, "1.2", &body);
		assert(body.len > 0);
		buf_deinit(&body);
		answer(w, request, text);
	}
	outbox_finish(w->outbox, w->now_ms);
	check_status(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct outbox_config config = {
		.bytes_max = 1 << 20,
		.grace_ms = 60000,
		.backoff_least_ms = 1000,
		.backoff_most_ms = 60000,
		.probe_ms = 900000,
		.connections = 1,
		.batch = 3,
		.seed = 1,
	};
	struct world w = { .now_ms = 1000 };

	if (outbox_new(&config, w.now_ms, &w.outbox) != 0)
		return 0;
	add_events(&w);
	while (len > 0) {
		const uint8_t *end = memchr(data, 0, len);
		size_t n = end ? (size_t)(end - data) : len;

		play(&w, span_of(data, n));
		n += end != NULL;
		data += n;
		len -= n;
	}
	w.now_ms = 600000;
	outbox_finish(w.outbox, w.now_ms);
	assert(w.n_ended == N_EVENTS);
	outbox_free(w.outbox);
	return 0;
}
