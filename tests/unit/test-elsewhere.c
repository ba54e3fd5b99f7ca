/* SPDX-License-Identifier: MIT */
/*
 * Calls to other gateways: the hub and whoever waits are played here, time is a number.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "gateway/assembly.h"
#include "gateway/elsewhere.h"
#include "gateway/parts.h"
#include "libchapi-ipc/value.h"

#define START 5000
#define ID "00ff-1"
#define PARTS_SEEN 40
#define ROOM 1000
#define REPLY "private-chapi-pi@reply"
#define SEALED_REPLY "private-encrypted-chapi-pi@reply"

struct world {
	struct elsewhere *elsewhere;
	struct now now;
	bool down, deaf, full; /* no hub; the channel for answers is not there; takes nothing */
	unsigned int n_subscribed, n_published, n_asked, n_answers, n_progress;
	char channel[200], event[100], payload[2000], asked[200], subscribed[200];
	/* The last ones each. */
	uint64_t serial;
	bool is_repeat;
	struct buf parts[PARTS_SEEN];	/* the first texts of "request-part" */
	unsigned int n_parts, most_parts;	/* beyond the most nothing is taken; 0: no limit */
	int code;			/* of the last answer; 0: a result */
	enum chapi_ran ran;
	char message[400], result[200], gateway[50];
};

static bool on_is_up(void *data)
{
	const struct world *w = data;

	return !w->down;
}

static bool on_is_ready(void *data, const char *channel)
{
	struct world *w = data;

	assert_true(elsewhere_listens(w->elsewhere, span_str(channel)));
	snprintf(w->subscribed, sizeof(w->subscribed), "%s", channel);
	w->n_subscribed++;
	return !w->deaf;
}

static void copy(char *ret, size_t len, struct span text)
{
	snprintf(ret, len, "%.*s", (int)text.len, text.len ? (const char *)text.p : "");
}

static bool on_publish(void *data, const struct elsewhere_publication *p)
{
	struct world *w = data;

	if (w->full || (w->most_parts && w->n_parts >= w->most_parts))
		return false;
	if (span_is(p->event, "request-part")) {
		assert_in_range(w->n_parts, 0, PARTS_SEEN - 1);
		assert_in_range(p->payload.len, 1, ROOM);
		buf_put(&w->parts[w->n_parts++], p->payload.p, p->payload.len);
	}
	w->n_published++;
	assert_int_equal(p->serial != 0, !p->is_repeat);
	w->is_repeat = p->is_repeat;
	copy(w->channel, sizeof(w->channel), p->channel);
	copy(w->event, sizeof(w->event), p->event);
	copy(w->payload, sizeof(w->payload), p->payload);
	return true;
}

static void on_ask(void *data, const char *channel, uint64_t serial)
{
	struct world *w = data;

	w->n_asked++;
	assert_int_equal(serial, w->serial);
	snprintf(w->asked, sizeof(w->asked), "%s", channel);
}

static void put_value(char *ret, size_t len, struct span value)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct value_fault fault;

	if (value.len > 0)
		assert_int_equal(value_to_json(value, 24, &text, &fault), 0);
	copy(ret, len, buf_span(&text));
}

static void on_answer(void *data, void *call, const struct party_response *r)
{
	struct world *w = data;

	assert_ptr_equal(call, w);
	w->n_answers++;
	w->code = r->failure ? r->failure->code : 0;
	w->ran = r->failure ? r->failure->ran : CHAPI_RAN_YES;
	copy(w->message, sizeof(w->message), r->failure ? r->failure->message : span_of(NULL, 0));
	put_value(w->result, sizeof(w->result), r->failure ? r->failure->details : r->result);
	copy(w->gateway, sizeof(w->gateway), r->gateway);
}

static void on_progress(void *data, void *call, struct span value)
{
	struct world *w = data;

	assert_ptr_equal(call, w);
	w->n_progress++;
	put_value(w->result, sizeof(w->result), value);
}

static void on_timer(void *data UNUSED)
{
}

static const struct elsewhere_ops ops = {
	.is_up = on_is_up, .is_ready = on_is_ready, .publish = on_publish, .ask = on_ask,
	.answer = on_answer, .progress = on_progress, .timer = on_timer,
};

static void world_init_key(struct world *w, bool has_key)
{
	const struct elsewhere_config config = {
		.name = "pi",
		.instance = "00ff",
		.request_event = "request",
		.response_event = "response",
		.room.max_event_bytes = ROOM,
		.max_record = 20000,
		.has_key = has_key,
	};

	*w = (struct world){ .now = { .ms = START, .unix_s = 1700000000 } };
	assert_int_equal(elsewhere_new(&config, &ops, w, START, &w->elsewhere), 0);
}

static void world_init(struct world *w)
{
	world_init_key(w, true);
}

static void world_deinit(struct world *w)
{
	for (unsigned int i = 0; i < PARTS_SEEN; i++)
		buf_deinit(&w->parts[i]);
	elsewhere_free(w->elsewhere);
}

#define WORLD(w) CLEANUP(world_deinit) struct world w; world_init(&w)

static struct elsewhere_call call_of(struct world *w)
{
	return (struct elsewhere_call){
		.to = span_str("attic"),
		.api = span_str("f"),
		.params = span_of("\x91\x01", 2),
		.caller = span_str("uid:1"),
		.request_time = 1700000000.5,
		.timeout_ms = 1000,
		.call = w,
	};
}

static void tick(struct world *w, uint64_t ms)
{
	w->now.ms = ms;
	elsewhere_tick(w->elsewhere, &w->now);
}

static void begin(struct world *w)
{
	const struct elsewhere_call call = call_of(w);
	struct elsewhere_fault fault;

	assert_int_equal(elsewhere_call(w->elsewhere, &call, &w->now, &w->serial, &fault), 0);
	tick(w, w->now.ms);
}

static bool event(struct world *w, const char *name, const char *payload)
{
	return elsewhere_event(w->elsewhere, span_str(REPLY), span_str(name), span_str(payload),
			       &w->now);
}

static void assert_failed(const struct world *w, int code, enum chapi_ran ran)
{
	assert_int_equal(w->n_answers, 1);
	assert_int_equal(w->code, code);
	assert_int_equal(w->ran, ran);
	assert_int_equal(elsewhere_next_ms(w->elsewhere), UINT64_MAX);
}

#define ANSWER(rest)                                                                               \
	"{\"id\":\"" ID "\",\"api\":\"f\"," rest ",\"gateway\":\"attic\",\"instance\":\"beef\"}"

static void test_request_goes_out_with_the_time_that_is_left(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	assert_int_equal(w.n_published, 1);
	assert_string_equal(w.channel, "private-chapi-attic");
	assert_string_equal(w.event, "request");
	assert_string_equal(
		w.payload,
		"{\"id\":\"" ID "\",\"api\":\"f\",\"params\":[1],\"request_time\":1700000000.5,"
		"\"timeout_ms\":1000,\"caller\":\"uid:1\","
		"\"reply_to\":\"private-chapi-pi@reply\"}");
}

static void test_answer_comes_back(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	assert_true(event(&w, "response", ANSWER("\"result\":{\"a\":1},\"error\":null")));
	assert_int_equal(w.n_answers, 1);
	assert_int_equal(w.code, 0);
	assert_string_equal(w.result, "{\"a\":1}");
	assert_string_equal(w.gateway, "attic");
	assert_true(event(&w, "response", ANSWER("\"result\":2,\"error\":null")));
	assert_int_equal(w.n_answers, 1);
	tick(&w, START + 10000);
	assert_int_equal(w.n_published, 1);
	assert_int_equal(w.n_answers, 1);
}

static void test_error_comes_back_as_it_is(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	assert_true(
		event(&w, "response",
		      ANSWER("\"result\":null,\"error\":{\"code\":\"busy\",\"message\":\"full\","
			     "\"ran\":\"no\",\"details\":{\"retry_after_ms\":5}}")));
	assert_failed(&w, CHAPI_ERR_BUSY, CHAPI_RAN_NO);
	assert_string_equal(w.message, "full");
	assert_string_equal(w.result, "{\"retry_after_ms\":5}");
}

static void test_error_that_is_not_known_here_is_one_of_the_function(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	assert_true(event(
		&w, "response",
		ANSWER("\"result\":null,\"error\":{\"code\":\"newer\",\"ran\":\"unknown\"}")));
	assert_failed(&w, CHAPI_ERR_API_ERROR, CHAPI_RAN_UNKNOWN);
}

static void test_result_that_cannot_be_read_is_a_bad_reply(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	assert_true(event(&w, "response", ANSWER("\"result\":{\"$bin\":1},\"error\":null")));
	assert_failed(&w, CHAPI_ERR_BAD_REPLY, CHAPI_RAN_YES);
}

static void test_what_is_no_answer_of_ours_is_ignored(void **state UNUSED)
{
	static const char *const texts[] = {
		"x",
		"[]",
		"{}",
		"{\"id\":\"" ID "\"}",
		"{\"result\":1,\"error\":null}",
		"{\"id\":7,\"result\":1}",
		"{\"id\":\"00ff-2\",\"result\":1}",
		"{\"id\":\"beef-1\",\"result\":1}",
		"{\"id\":\"-\",\"result\":1}",
	};
	WORLD(w);

	begin(&w);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_false(event(&w, "response", texts[i]));
	assert_false(event(&w, "request", ANSWER("\"result\":1")));
	assert_int_equal(w.n_answers, 0);
}

static void test_what_comes_late_is_passed_over(void **state UNUSED)
{
	static const char part[] = "{\"id\":\"" ID "\",\"part\":0,\"parts\":2,\"sha256\":"
		"\"AVq9f1zFei3ZS3WQ8ErYCEJzkF7jPsXOvq5iJ2qX+GI=\",\"encoding\":\"json\","
		"\"data\":\"eyJp\"}";
	struct elsewhere_status status;
	WORLD(w);

	begin(&w);
	assert_true(event(&w, "response", ANSWER("\"result\":1,\"error\":null")));
	assert_true(event(&w, "response", ANSWER("\"result\":2,\"error\":null")));
	assert_true(event(&w, "response-part", part));
	assert_true(event(&w, "progress", "{\"id\":\"" ID "\",\"seq\":0,\"value\":1}"));
	assert_false(event(&w, "response", "{\"id\":\"00ff-2\",\"result\":1,\"error\":null}"));
	elsewhere_status(w.elsewhere, &status);
	assert_int_equal(status.n_ignored, 4);
	assert_int_equal(w.n_answers, 1);
	assert_string_equal(w.result, "1");
}

static void test_request_is_repeated_once_at_half_of_the_time(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	tick(&w, START + 499);
	assert_int_equal(w.n_published, 1);
	tick(&w, START + 500);
	assert_int_equal(w.n_published, 2);
	assert_non_null(strstr(w.payload, "\"id\":\"" ID "\""));
	assert_non_null(strstr(w.payload, "\"timeout_ms\":500,"));
	assert_non_null(strstr(w.payload, "\"retry\":\"\",\"retry_ms\":500}"));
	tick(&w, START + 999);
	assert_int_equal(w.n_published, 2);
}

static void assert_out_after(double unix_s, const char *retry_ms)
{
	WORLD(w);

	begin(&w);
	w.now.unix_s += unix_s;
	tick(&w, START + 500);
	assert_non_null(strstr(w.payload, retry_ms));
}

/* A machine that slept has one clock that stood still; one that is set back says nothing. */
static void
test_repeat_says_how_long_the_first_is_out_by_the_clock_that_shows_more(void **state UNUSED)
{
	assert_out_after(3600, "\"retry_ms\":3600000}");
	assert_out_after(-3600, "\"retry_ms\":500}");
	assert_out_after(1e30, "\"retry_ms\":1000000000000000}");
}

static void test_repeat_names_the_instance_that_is_known(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	event(&w, "response", ANSWER("\"result\":1,\"error\":null"));
	begin(&w);
	tick(&w, START + 500);
	assert_non_null(strstr(w.payload, "\"retry\":\"beef\""));
}

static void test_repeat_names_the_instance_of_its_first_time(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	begin(&w);
	event(&w, "response", ANSWER("\"result\":1,\"error\":null"));
	tick(&w, START + 500);
	assert_int_equal(w.n_published, 3);
	assert_non_null(strstr(w.payload, "\"retry\":\"\""));
}

static void test_call_waits_for_the_channel_of_answers(void **state UNUSED)
{
	WORLD(w);

	w.deaf = true;
	begin(&w);
	assert_int_equal(w.n_published, 0);
	assert_int_equal(w.n_subscribed, 1);
	w.now.ms = START + 400;
	elsewhere_ready(w.elsewhere, REPLY, &w.now);
	assert_int_equal(w.n_published, 1);
	assert_non_null(strstr(w.payload, "\"timeout_ms\":600,"));
	assert_null(strstr(w.payload, "retry"));
	elsewhere_ready(w.elsewhere, REPLY, &w.now);
	assert_int_equal(w.n_published, 1);
}

static void test_channel_of_answers_that_does_not_come_is_hub_down(void **state UNUSED)
{
	WORLD(w);

	w.deaf = true;
	begin(&w);
	tick(&w, START + 1000);
	assert_failed(&w, CHAPI_ERR_HUB_DOWN, CHAPI_RAN_NO);
	assert_int_equal(w.n_published, 0);
}

static void test_repeat_waits_for_the_channel_too(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	w.deaf = true;
	tick(&w, START + 500);
	assert_int_equal(w.n_published, 1);
	w.now.ms = START + 700;
	elsewhere_ready(w.elsewhere, REPLY, &w.now);
	assert_int_equal(w.n_published, 2);
	assert_non_null(strstr(w.payload, "\"retry\""));
}

/* A gateway may have been there, and have run it before it went. */
static void test_nobody_there_is_gateway_not_found(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	tick(&w, START + 500);
	tick(&w, START + 1000);
	assert_int_equal(w.n_asked, 1);
	assert_string_equal(w.asked, "private-chapi-attic@up");
	elsewhere_seen(w.elsewhere, w.serial, false, &w.now);
	assert_failed(&w, CHAPI_ERR_GATEWAY_NOT_FOUND, CHAPI_RAN_UNKNOWN);
}

static void test_somebody_there_is_a_deadline_two_seconds_later(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	tick(&w, START + 500);
	tick(&w, START + 1000);
	elsewhere_seen(w.elsewhere, w.serial, true, &w.now);
	tick(&w, START + 2999);
	assert_int_equal(w.n_answers, 0);
	tick(&w, START + 3000);
	assert_failed(&w, CHAPI_ERR_DEADLINE_EXCEEDED, CHAPI_RAN_UNKNOWN);
}

static void test_answer_in_the_last_two_seconds_counts(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	tick(&w, START + 500);
	tick(&w, START + 1000);
	event(&w, "response", ANSWER("\"result\":1,\"error\":null"));
	assert_int_equal(w.n_answers, 1);
	assert_int_equal(w.code, 0);
	elsewhere_seen(w.elsewhere, w.serial, false, &w.now);
	assert_int_equal(w.n_answers, 1);
}

static void test_hub_that_is_down_is_told_at_once(void **state UNUSED)
{
	struct elsewhere_fault fault;
	struct elsewhere_call call;
	WORLD(w);

	w.down = true;
	call = call_of(&w);
	assert_int_equal(elsewhere_call(w.elsewhere, &call, &w.now, &w.serial, &fault),
			 ELSEWHERE_E_REFUSED);
	assert_int_equal(fault.code, CHAPI_ERR_HUB_DOWN);
	assert_int_equal(elsewhere_next_ms(w.elsewhere), UINT64_MAX);
}

static void assert_refused(struct world *w, const struct elsewhere_call *call, int code)
{
	struct elsewhere_fault fault;

	assert_int_equal(elsewhere_call(w->elsewhere, call, &w->now, &w->serial, &fault),
			 ELSEWHERE_E_REFUSED);
	assert_int_equal(fault.code, code);
	assert_true(fault.text[0] != '\0');
}

static void test_what_cannot_be_sent_is_refused(void **state UNUSED)
{
	static const char *const names[] = { "", "a b", "a/b", "private-a b", "private-chapi-#" };
	CLEANUP(world_deinit) struct world w;
	struct elsewhere_call call;

	world_init_key(&w, false);

	call = call_of(&w);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		call.to = span_str(names[i]);
		assert_refused(&w, &call, CHAPI_ERR_INVALID_ARGUMENT);
	}
	call = call_of(&w);
	call.to = span_str("private-encrypted-x");
	assert_refused(&w, &call, CHAPI_ERR_FAILED_PRECONDITION);
	call = call_of(&w);
	call.params = span_of("\xcb\x7f\xf8\0\0\0\0\0\0", 9);	/* NaN */
	assert_refused(&w, &call, CHAPI_ERR_INVALID_ARGUMENT);
	assert_int_equal(w.n_published, 0);
}

static void test_channel_may_be_named(void **state UNUSED)
{
	struct elsewhere_fault fault;
	struct elsewhere_call call;
	WORLD(w);

	call = call_of(&w);
	call.to = span_str("private-other");
	assert_int_equal(elsewhere_call(w.elsewhere, &call, &w.now, &w.serial, &fault), 0);
	tick(&w, START);
	assert_string_equal(w.channel, "private-other");
	tick(&w, START + 500);
	tick(&w, START + 1000);
	assert_int_equal(w.n_asked, 0);	/* whose channel it is is not known, nor the beacon */
}

/* ---- large requests --------------------------------------------------------------------- */

/* A string of so many characters, of which zlib makes no less. */
static void put_letters(struct buf *out, size_t len)
{
	uint32_t x = 1;

	assert_true(len <= UINT16_MAX);
	buf_put_byte(out, 0xda);
	buf_put_byte(out, (uint8_t)(len >> 8));
	buf_put_byte(out, (uint8_t)len);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		buf_put_byte(out, (uint8_t)(' ' + 3 + (x >> 24) % 57));
	}
}

static void begin_with(struct world *w, const char *to, struct span params)
{
	struct elsewhere_call call = call_of(w);
	struct elsewhere_fault fault;

	call.to = span_str(to);
	call.params = params;
	assert_int_equal(elsewhere_call(w->elsewhere, &call, &w->now, &w->serial, &fault), 0);
	tick(w, w->now.ms);
}

/* The parts seen, from first on, as another gateway puts them together. */
static void join_parts(struct world *w, unsigned int first, struct buf *record, struct part *last)
{
	const struct assemblies_limits limits = {
		.record_max = 1 << 20, .bytes_max = 4 << 20, .n_max = 1, .complete_ms = 1000,
	};
	struct assemblies *as;
	int r = ASSEMBLY_WAITS;
	size_t size;

	assert_int_equal(assemblies_new(&limits, &as), 0);
	for (unsigned int i = w->n_parts; i-- > first;) {
		part_deinit(last);
		assert_int_equal(r, ASSEMBLY_WAITS);
		assert_int_equal(part_parse(buf_span(&w->parts[i]), last), 0);
		r = assemblies_add(as, span_str("c"), last, 0, record, &size);
	}
	assert_int_equal(r, 0);
	assemblies_free(as);
}

static void test_large_request_goes_in_parts(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf params = BUF_NULL, record = BUF_NULL, again = BUF_NULL;
	CLEANUP(part_deinit) struct part part = PART_NULL;
	unsigned int n;
	WORLD(w);

	put_letters(&params, 6000);
	begin_with(&w, "attic", buf_span(&params));
	n = w.n_parts;
	assert_in_range(n, 8, PARTS_SEEN / 2);
	assert_int_equal(w.n_published, n);
	join_parts(&w, 0, &record, &part);
	assert_false(part.has_retry);
	buf_put_byte(&record, '\0');
	assert_non_null(strstr((const char *)buf_data(&record), "\"timeout_ms\":1000,"));
	assert_non_null(strstr((const char *)buf_data(&record), "\"reply_to\":\"" REPLY "\""));
	tick(&w, START + 500);
	assert_int_equal(w.n_parts, 2 * n);
	join_parts(&w, n, &again, &part);
	assert_true(part.has_retry);
	assert_int_equal(part.retry_ms, 500);
	assert_int_equal(part.timeout_ms, 500);
	buf_put_byte(&again, '\0');
	assert_string_equal((const char *)buf_data(&again), (const char *)buf_data(&record));
}

/* Those of the first time make up for what of the repeat got lost. */
static void test_parts_of_both_times_make_one_request(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf params = BUF_NULL, record = BUF_NULL;
	CLEANUP(part_deinit) struct part part = PART_NULL;
	unsigned int n;
	WORLD(w);

	put_letters(&params, 6000);
	begin_with(&w, "attic", buf_span(&params));
	n = w.n_parts;
	tick(&w, START + 500);
	w.n_parts = n + n / 2;
	join_parts(&w, n / 2, &record, &part);
	assert_true(record.len > 6000);
}

/* The parts of an answer with 5000 letters, but for that many at its end. Which is in how many. */
static unsigned int answer_in_parts(struct world *w, const char *instance, unsigned int n_lost)
{
	CLEANUP(parts_deinit) struct parts parts = PARTS_NULL;
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;

	buf_printf(&record, "{\"id\":\"" ID "\",\"api\":\"f\",\"error\":null,"
		   "\"gateway\":\"attic\",\"instance\":\"%s\",\"result\":\"", instance);
	for (unsigned int i = 0; i < 5000; i++)
		buf_put_byte(&record, (uint8_t)('a' + i * i % 997 % 26));
	buf_put_str(&record, "\"}");
	assert_int_equal(parts_split(span_str(ID), buf_span(&record), 500, &parts), 0);
	for (unsigned int i = 0; i + n_lost < parts.n; i++) {
		CLEANUP(buf_deinit) struct buf text = BUF_NULL;

		parts_put(&parts, i, &text);
		assert_true(elsewhere_event(w->elsewhere, span_str(REPLY),
					    span_str("response-part"), buf_span(&text), &w->now));
	}
	return parts.n;
}

/* The other gateway is started again, and runs for the repeat what is idempotent. */
static void test_answer_of_another_instance_takes_the_place_of_half_of_one(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	assert_in_range(answer_in_parts(&w, "g1", 1), 3, 20);
	assert_int_equal(w.n_answers, 0);
	tick(&w, START + 500);
	answer_in_parts(&w, "g2", 0);
	assert_int_equal(w.n_answers, 1);
}

static void test_part_that_finds_no_place_is_busy(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf params = BUF_NULL;
	WORLD(w);

	put_letters(&params, 6000);
	w.most_parts = 3;
	begin_with(&w, "attic", buf_span(&params));
	assert_failed(&w, CHAPI_ERR_BUSY, CHAPI_RAN_NO);
}

static void test_part_that_the_hub_refuses_is_the_end_of_it(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf params = BUF_NULL;
	WORLD(w);

	put_letters(&params, 6000);
	begin_with(&w, "attic", buf_span(&params));
	elsewhere_refused(w.elsewhere, w.serial, 0, "cannot connect", &w.now);
	elsewhere_refused(w.elsewhere, w.serial, 0, "cannot connect", &w.now);
	assert_failed(&w, CHAPI_ERR_HUB_DOWN, CHAPI_RAN_NO);
}

static void test_request_beyond_max_record_is_refused(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf params = BUF_NULL;
	struct elsewhere_call call;
	struct elsewhere_fault fault;
	WORLD(w);

	put_letters(&params, 20000);
	call = call_of(&w);
	call.params = buf_span(&params);
	assert_int_equal(elsewhere_call(w.elsewhere, &call, &w.now, &w.serial, &fault),
			 ELSEWHERE_E_REFUSED);
	assert_int_equal(fault.code, CHAPI_ERR_TOO_LARGE);
	assert_in_range(fault.size, 20001, 20400);
	assert_int_equal(fault.limit, 20000);
	elsewhere_set_max_record(w.elsewhere, 30000);
	begin_with(&w, "attic", buf_span(&params));
	assert_true(w.n_parts > 20);
}

/* A part of a record of so many bytes. */
static void part_of_answer(struct world *w, size_t len)
{
	CLEANUP(buf_deinit) struct buf record = BUF_NULL, text = BUF_NULL;
	CLEANUP(parts_deinit) struct parts parts = PARTS_NULL;

	put_letters(&record, len);
	assert_int_equal(parts_split(span_str(ID), buf_span(&record), 60000, &parts), 0);
	parts_put(&parts, 0, &text);
	elsewhere_event(w->elsewhere, span_str(REPLY), span_str("response-part"), buf_span(&text),
			&w->now);
}

static void test_answer_beyond_max_record_is_told(void **state UNUSED)
{
	WORLD(w);

	elsewhere_set_max_record(w.elsewhere, 30000);
	begin(&w);
	part_of_answer(&w, 25000);	/* it is a record, but no answer */
	assert_int_equal(w.n_answers, 0);
	elsewhere_set_max_record(w.elsewhere, 20000);
	part_of_answer(&w, 25001);
	assert_int_equal(w.n_answers, 1);
	assert_int_equal(w.code, CHAPI_ERR_TOO_LARGE);
	assert_int_equal(w.ran, CHAPI_RAN_UNKNOWN);
	assert_non_null(strstr(w.result, "\"limit\":20000"));
}

/* ---- encrypted channels ----------------------------------------------------------------- */

static void test_encrypted_request_is_answered_on_an_encrypted_channel_only(void **state UNUSED)
{
	static const char answer[] = ANSWER("\"result\":1,\"error\":null");
	WORLD(w);

	begin_with(&w, "private-encrypted-chapi-attic", span_of("\x01", 1));
	assert_string_equal(w.channel, "private-encrypted-chapi-attic");
	assert_string_equal(w.subscribed, SEALED_REPLY);
	assert_non_null(strstr(w.payload, "\"reply_to\":\"" SEALED_REPLY "\""));
	assert_false(event(&w, "response", answer));
	assert_int_equal(w.n_answers, 0);
	assert_true(elsewhere_event(w.elsewhere, span_str(SEALED_REPLY), span_str("response"),
				    span_str(answer), &w.now));
	assert_int_equal(w.n_answers, 1);
	assert_int_equal(w.code, 0);
}

static void test_encrypted_request_waits_for_its_own_channel(void **state UNUSED)
{
	WORLD(w);

	w.deaf = true;
	begin_with(&w, "private-encrypted-chapi-attic", span_of("\x01", 1));
	elsewhere_ready(w.elsewhere, REPLY, &w.now);
	assert_int_equal(w.n_published, 0);
	elsewhere_ready(w.elsewhere, SEALED_REPLY, &w.now);
	assert_int_equal(w.n_published, 1);
	tick(&w, START + 500);
	tick(&w, START + 1000);
	assert_string_equal(w.asked, "private-chapi-attic@up");
}

static void test_what_the_hub_refuses_has_not_run(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	elsewhere_refused(w.elsewhere, w.serial, 413, "too large", &w.now);
	assert_failed(&w, CHAPI_ERR_TOO_LARGE, CHAPI_RAN_NO);
	w.n_answers = 0;
	begin(&w);
	elsewhere_refused(w.elsewhere, w.serial, 400, "no", &w.now);
	assert_failed(&w, CHAPI_ERR_FAILED_PRECONDITION, CHAPI_RAN_NO);
	w.n_answers = 0;
	begin(&w);
	elsewhere_refused(w.elsewhere, w.serial, 0, "cannot connect", &w.now);
	assert_failed(&w, CHAPI_ERR_HUB_DOWN, CHAPI_RAN_NO);
	w.n_answers = 0;
	begin(&w);
	tick(&w, START + 500);
	elsewhere_refused(w.elsewhere, w.serial, 400, "no", &w.now);
	assert_int_equal(w.n_answers, 0);
}

/* The other side may be another instance when it goes out again. */
static void test_what_is_in_doubt_comes_again_as_a_repeat_at_once(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	assert_false(w.is_repeat);
	w.now.ms = START + 100;
	elsewhere_doubted(w.elsewhere, w.serial, &w.now);
	assert_int_equal(w.n_published, 2);
	assert_true(w.is_repeat);
	assert_non_null(strstr(w.payload, "\"id\":\"" ID "\""));
	assert_non_null(strstr(w.payload, "\"timeout_ms\":900,"));
	assert_non_null(strstr(w.payload, "\"retry\":\"\",\"retry_ms\":100}"));
	elsewhere_doubted(w.elsewhere, w.serial, &w.now);
	assert_int_equal(w.n_published, 2);
	tick(&w, START + 500);
	assert_int_equal(w.n_published, 3);
	assert_true(w.is_repeat);
	assert_non_null(strstr(w.payload, "\"retry_ms\":500}"));
	assert_int_equal(w.n_answers, 0);
}

static void test_doubt_that_comes_after_the_repeat_or_the_end_changes_nothing(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	tick(&w, START + 500);
	elsewhere_doubted(w.elsewhere, w.serial, &w.now);
	assert_int_equal(w.n_published, 2);
	tick(&w, START + 1000);
	elsewhere_doubted(w.elsewhere, w.serial, &w.now);
	assert_true(event(&w, "response", ANSWER("\"result\":1,\"error\":null")));
	elsewhere_doubted(w.elsewhere, w.serial, &w.now);
	assert_int_equal(w.n_published, 2);
}

/* The first try may have been taken, whatever becomes of the rest of it. */
static void test_refusal_after_a_doubt_does_not_say_that_it_did_not_run(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	elsewhere_doubted(w.elsewhere, w.serial, &w.now);
	elsewhere_refused(w.elsewhere, w.serial, 400, "no", &w.now);
	assert_int_equal(w.n_answers, 0);
	tick(&w, START + 500);
	tick(&w, START + 1000);
	tick(&w, START + 3000);
	assert_failed(&w, CHAPI_ERR_DEADLINE_EXCEEDED, CHAPI_RAN_UNKNOWN);
}

static void test_full_queue_is_busy(void **state UNUSED)
{
	WORLD(w);

	w.full = true;
	begin(&w);
	assert_failed(&w, CHAPI_ERR_BUSY, CHAPI_RAN_NO);
	assert_string_equal(w.result, "{\"retry_after_ms\":1000}");
}

static void test_cancel_is_told_to_the_other_side(void **state UNUSED)
{
	WORLD(w);

	begin(&w);
	assert_true(elsewhere_cancel(w.elsewhere, w.serial));
	assert_string_equal(w.event, "cancel");
	assert_string_equal(w.channel, "private-chapi-attic");
	assert_string_equal(w.payload, "{\"id\":\"" ID "\"}");
	assert_true(event(&w, "response", ANSWER("\"result\":1,\"error\":null")));
	assert_int_equal(w.n_answers, 0);
	assert_false(elsewhere_cancel(w.elsewhere, w.serial));
}

static void test_cancel_of_what_was_not_sent_sends_nothing(void **state UNUSED)
{
	WORLD(w);

	w.deaf = true;
	begin(&w);
	assert_false(elsewhere_cancel(w.elsewhere, w.serial));
	assert_int_equal(w.n_published, 0);
}

static void test_progress_comes_in_order_and_only_if_asked_for(void **state UNUSED)
{
	struct elsewhere_fault fault;
	struct elsewhere_call call;
	WORLD(w);

	begin(&w);
	assert_false(event(&w, "progress", "{\"id\":\"" ID "\",\"seq\":0,\"value\":1}"));
	call = call_of(&w);
	call.progress = true;
	assert_int_equal(elsewhere_call(w.elsewhere, &call, &w.now, &w.serial, &fault), 0);
	tick(&w, START);
	assert_non_null(strstr(w.payload, "\"progress\":true"));
	assert_true(event(&w, "progress", "{\"id\":\"00ff-2\",\"seq\":1,\"value\":\"b\"}"));
	assert_string_equal(w.result, "\"b\"");
	assert_true(event(&w, "progress", "{\"id\":\"00ff-2\",\"seq\":0,\"value\":\"a\"}"));
	assert_true(event(&w, "progress", "{\"id\":\"00ff-2\",\"seq\":1,\"value\":\"b\"}"));
	assert_int_equal(w.n_progress, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_goes_out_with_the_time_that_is_left),
		cmocka_unit_test(test_answer_comes_back),
		cmocka_unit_test(test_error_comes_back_as_it_is),
		cmocka_unit_test(test_error_that_is_not_known_here_is_one_of_the_function),
		cmocka_unit_test(test_result_that_cannot_be_read_is_a_bad_reply),
		cmocka_unit_test(test_what_is_no_answer_of_ours_is_ignored),
		cmocka_unit_test(test_what_comes_late_is_passed_over),
		cmocka_unit_test(test_request_is_repeated_once_at_half_of_the_time),
		cmocka_unit_test(
			test_repeat_says_how_long_the_first_is_out_by_the_clock_that_shows_more),
		cmocka_unit_test(test_repeat_names_the_instance_that_is_known),
		cmocka_unit_test(test_repeat_names_the_instance_of_its_first_time),
		cmocka_unit_test(test_call_waits_for_the_channel_of_answers),
		cmocka_unit_test(test_channel_of_answers_that_does_not_come_is_hub_down),
		cmocka_unit_test(test_repeat_waits_for_the_channel_too),
		cmocka_unit_test(test_nobody_there_is_gateway_not_found),
		cmocka_unit_test(test_somebody_there_is_a_deadline_two_seconds_later),
		cmocka_unit_test(test_answer_in_the_last_two_seconds_counts),
		cmocka_unit_test(test_hub_that_is_down_is_told_at_once),
		cmocka_unit_test(test_what_cannot_be_sent_is_refused),
		cmocka_unit_test(test_channel_may_be_named),
		cmocka_unit_test(test_large_request_goes_in_parts),
		cmocka_unit_test(test_parts_of_both_times_make_one_request),
		cmocka_unit_test(
			test_answer_of_another_instance_takes_the_place_of_half_of_one),
		cmocka_unit_test(test_part_that_finds_no_place_is_busy),
		cmocka_unit_test(test_part_that_the_hub_refuses_is_the_end_of_it),
		cmocka_unit_test(test_request_beyond_max_record_is_refused),
		cmocka_unit_test(test_answer_beyond_max_record_is_told),
		cmocka_unit_test(test_encrypted_request_is_answered_on_an_encrypted_channel_only),
		cmocka_unit_test(test_encrypted_request_waits_for_its_own_channel),
		cmocka_unit_test(test_what_the_hub_refuses_has_not_run),
		cmocka_unit_test(test_what_is_in_doubt_comes_again_as_a_repeat_at_once),
		cmocka_unit_test(
			test_doubt_that_comes_after_the_repeat_or_the_end_changes_nothing),
		cmocka_unit_test(test_refusal_after_a_doubt_does_not_say_that_it_did_not_run),
		cmocka_unit_test(test_full_queue_is_busy),
		cmocka_unit_test(test_cancel_is_told_to_the_other_side),
		cmocka_unit_test(test_cancel_of_what_was_not_sent_sends_nothing),
		cmocka_unit_test(test_progress_comes_in_order_and_only_if_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
