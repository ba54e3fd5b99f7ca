/* SPDX-License-Identifier: MIT */
/*
 * The remote side where records travel in parts, and where answers go elsewhere: what a hub
 * refuses, time, repeats. The router is played_router.c, the publisher is played here; parts that
 * come over a real hub are in the integration tests.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/assembly.h"
#include "gateway/remote.h"
#include "gateway/sealed.h"
#include "libchapi-ipc/json_string.h"
#include "libchapi-ipc/mp.h"
#include "tests/unit/played_router.h"

#define CHANNEL "private-chapi-pi"
#define ENCRYPTED "private-encrypted-chapi-pi"
#define REPLY "private-chapi-phone@reply"

/* ---- what is played --------------------------------------------------------------------- */

enum { EVENTS_MAX = 300 };

struct event {
	char channel[200], name[40];
	struct buf text;
	void *answer;
};

struct world {
	struct router router;
	struct remote *remote;
	struct now now;
	struct event events[EVENTS_MAX];
	unsigned int n;			/* published */
	unsigned int most;		/* then the queue is full */
};

static bool on_publish(void *data, const struct remote_publication *p)
{
	struct world *w = data;
	struct event *e = &w->events[w->n];

	if (w->n >= w->most)
		return false;
	w->n++;
	snprintf(e->channel, sizeof(e->channel), "%.*s", (int)p->channel.len, p->channel.p);
	snprintf(e->name, sizeof(e->name), "%.*s", (int)p->event.len, p->event.p);
	buf_put(&e->text, p->payload.p, p->payload.len);
	e->answer = p->answer;
	return true;
}

static void on_timer(void *data UNUSED)
{
}

static const struct remote_ops ops = { .publish = on_publish, .timer = on_timer };
static const char *const channels[] = { CHANNEL, ENCRYPTED };
static const char *const patterns[] = { "private-chapi-*@reply*",
					"private-encrypted-chapi-*@reply*" };

static struct remote_config config_of(void)
{
	return (struct remote_config){
		.name = "pi",
		.channels = channels,
		.n_channels = ARRAY_SIZE(channels),
		.request_event = "request",
		.response_event = "response",
		.room.max_event_bytes = 1024,
		.has_key = true,
		.limits = {
			.answer_unknown = true,
			.max_calls = 20,
			.answer_store_ms = 600000,
			.answer_store_bytes = 1 << 20,
			.max_record = 20000,
			.reply_channels = patterns,
			.n_reply_channels = ARRAY_SIZE(patterns),
		},
	};
}

static struct world *world_new(const struct remote_config *config)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->now = (struct now){ .ms = 1000, .us = 1000000, .unix_s = 1700000000.5 };
	w->most = EVENTS_MAX;
	assert_int_equal(remote_new(config, &w->router, &ops, w, &w->remote), 0);
	return w;
}

static struct world *world_make(void)
{
	struct remote_config config = config_of();

	return world_new(&config);
}

static void world_forget_events(struct world *w)
{
	while (w->n > 0)
		buf_clear(&w->events[--w->n].text);
}

static void world_free(struct world *w)
{
	remote_free(w->remote, &w->now);
	for (size_t i = 0; i < EVENTS_MAX; i++)
		buf_deinit(&w->events[i].text);
	free(w);
}

static void comes_on(struct world *w, const char *channel, const char *event, struct span text)
{
	remote_event(w->remote, span_str(channel), span_str(event), text, &w->now);
}

static void comes(struct world *w, const char *text)
{
	comes_on(w, CHANNEL, "request", span_str(text));
}

/* A text of that many letters, which cannot be deflated well. */
static void answer_letters(struct world *w, size_t n)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	CLEANUP(buf_deinit) struct buf result = BUF_NULL;

	srand(5);
	for (size_t i = 0; i < n; i++)
		buf_put_byte(&text, (uint8_t)(']' + rand() % 30));
	mp_put_text(&result, buf_span(&text));
	w->router.party->ops->response(w->router.party, played_last(&w->router)->token,
				       &(struct party_response){
					       .result = buf_span(&result),
					       .request_time = 1700000000.5,
					       .response_time = 1700000001,
				       });
}

static void assert_says(const struct event *e, const char *words)
{
	if (!memmem(buf_data(&e->text), e->text.len, words, strlen(words)))
		fail_msg("%.*s does not say %s", (int)e->text.len, buf_data(&e->text), words);
}

/* The record out of events [from, n): its text. */
static void join_events(const struct world *w, unsigned int from, struct buf *out)
{
	const struct assemblies_limits limits = {
		.record_max = 1 << 20, .bytes_max = 4 << 20, .n_max = 1, .complete_ms = 1000,
	};
	struct assemblies *as;
	int r = ASSEMBLY_WAITS;

	assert_int_equal(assemblies_new(&limits, &as), 0);
	for (unsigned int i = from; i < w->n; i++) {
		struct part part = PART_NULL;
		size_t size;

		assert_string_equal(w->events[i].name, "response-part");
		assert_int_equal(part_parse(buf_span(&w->events[i].text), &part), 0);
		assert_int_equal(r, ASSEMBLY_WAITS);
		r = assemblies_add(as, span_str("x"), &part, 0, out, &size);
		part_deinit(&part);
	}
	assert_int_equal(r, 0);
	assemblies_free(as);
}

/* "{...}" with one more member; NULL: as it is. */
static void put_member(struct buf *text, const char *member)
{
	if (!member)
		return;
	buf_truncate(text, text->len - 1);
	buf_printf(text, ",%s}", member);
}

/* Those from one on, before another. */
static void send_parts_to(struct world *w, const char *record, const char *id, unsigned int from,
			  unsigned int to, const char *member)
{
	CLEANUP(parts_deinit) struct parts parts = PARTS_NULL;

	assert_int_equal(parts_split(span_str(id), span_str(record), 150, &parts), 0);
	for (unsigned int i = from; i < MIN(parts.n, to); i++) {
		CLEANUP(buf_deinit) struct buf text = BUF_NULL;

		parts_put(&parts, i, &text);
		put_member(&text, member);
		comes_on(w, CHANNEL, "request-part", buf_span(&text));
	}
}

static void send_parts_saying(struct world *w, const char *record, const char *id,
			      unsigned int n_least, unsigned int from, const char *member)
{
	CLEANUP(parts_deinit) struct parts parts = PARTS_NULL;

	assert_int_equal(parts_split(span_str(id), span_str(record), 150, &parts), 0);
	assert_in_range(parts.n, n_least, 200);
	send_parts_to(w, record, id, from, parts.n, member);
}

static void send_parts(struct world *w, const char *record, const char *id, unsigned int n_least,
		       unsigned int from)
{
	send_parts_saying(w, record, id, n_least, from, NULL);
}

#define RECORD \
	"{\"id\":\"i\",\"api\":\"x\",\"params\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19," \
	"20]}"

/* ---- answers ---------------------------------------------------------------------------- */

static void test_large_answer_goes_in_parts(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;
	struct world *w = world_make();
	struct remote_status status;

	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	answer_letters(w, 5000);
	assert_in_range(w->n, 5, 12);
	for (unsigned int i = 0; i < w->n; i++) {
		assert_in_range(w->events[i].text.len, 1, 1024);
		assert_string_equal(w->events[i].channel, CHANNEL);
	}
	join_events(w, 0, &record);
	assert_in_range(record.len, 5000, 5300);
	remote_status(w->remote, &status);
	assert_int_equal(status.n_responses, 1);
	for (unsigned int i = 0; i < w->n; i++)
		remote_published(w->events[i].answer, 200);
	/* Parts do not say whose they are. */
	world_forget_events(w);
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 1);
	assert_string_equal(w->events[0].name, "chapi-here");
	world_free(w);
}

static void test_parts_under_way_at_the_end_are_dropped(void **state UNUSED)
{
	struct world *w = world_make();

	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	answer_letters(w, 5000);
	remote_published(w->events[0].answer, 200);
	world_free(w);
}

/* As much is not given back as was sent, where not even an error would fit beside it. */
static void test_name_that_leaves_no_room_for_an_answer(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf request = BUF_NULL;
	struct world *w = world_make();

	buf_put_str(&request, "{\"id\":\"i\",\"api\":\"");
	for (unsigned int i = 0; i < 19900; i++)
		buf_put_byte(&request, 'x');
	buf_put_str(&request, "\"}");
	comes_on(w, CHANNEL, "request", buf_span(&request));
	answer_letters(w, 100);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "{\"id\":\"i\",\"api\":\"\"");
	assert_says(&w->events[0], "\"code\":\"too_large\"");
	assert_says(&w->events[0], "\"ran\":\"yes\"");
	world_free(w);
}

static void test_answer_beyond_max_record_says_both_sizes(void **state UNUSED)
{
	struct world *w = world_make();

	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	answer_letters(w, 20001);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "\"code\":\"too_large\"");
	assert_says(&w->events[0], "\"ran\":\"yes\"");
	assert_says(&w->events[0], "\"limit\":20000}");
	world_free(w);
}

static void test_without_id_nothing_goes_in_parts(void **state UNUSED)
{
	struct world *w = world_make();

	comes(w, "{\"api\":\"x\"}");
	answer_letters(w, 1500);
	assert_int_equal(w->n, 1);
	assert_string_equal(w->events[0].name, "response");
	assert_says(&w->events[0], "\"code\":\"too_large\"");
	assert_says(&w->events[0], "\"limit\":1024}");
	world_free(w);
}

/* Encrypted, an event has less room. */
static void test_parts_on_an_encrypted_channel_are_smaller(void **state UNUSED)
{
	struct world *w = world_make();

	comes_on(w, ENCRYPTED, "request", span_str("{\"id\":\"i\",\"api\":\"x\"}"));
	answer_letters(w, 800);
	assert_in_range(w->n, 2, 4);
	for (unsigned int i = 0; i < w->n; i++)
		assert_in_range(w->events[i].text.len, 1, sealed_room(span_str(ENCRYPTED), 1024));
	world_free(w);
}

static void test_part_that_the_hub_finds_too_large_becomes_one_error(void **state UNUSED)
{
	struct world *w = world_make();
	unsigned int n_parts;

	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	answer_letters(w, 3000);
	n_parts = w->n;
	for (unsigned int i = 0; i < n_parts; i++)
		remote_published(w->events[i].answer, i == 0 ? 200 : 413);
	assert_int_equal(w->n, n_parts + 1);
	assert_string_equal(w->events[n_parts].name, "response");
	assert_says(&w->events[n_parts], "\"code\":\"too_large\"");
	assert_says(&w->events[n_parts], "\"ran\":\"yes\"");
	remote_published(w->events[n_parts].answer, 200);
	/* Who asks again gets that too. */
	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	assert_int_equal(w->n, n_parts + 2);
	assert_says(&w->events[n_parts + 1], "\"code\":\"too_large\"");
	world_free(w);
}

static void test_repeat_brings_the_same_parts(void **state UNUSED)
{
	struct world *w = world_make();
	unsigned int n;

	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	answer_letters(w, 3000);
	n = w->n;
	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	assert_int_equal(w->n, 2 * n);
	for (unsigned int i = 0; i < n; i++)
		assert_true(
			span_equal(buf_span(&w->events[i].text), buf_span(&w->events[n + i].text)));
	assert_int_equal(w->router.n_calls, 1);
	world_free(w);
}

static void test_parts_that_found_no_place_come_with_the_repeat(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;
	struct world *w = world_make();
	struct remote_status status;

	w->most = 2;
	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	answer_letters(w, 3000);
	assert_int_equal(w->n, 2);
	remote_status(w->remote, &status);
	assert_int_equal(status.n_responses, 0);
	world_forget_events(w);
	w->most = EVENTS_MAX;
	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	join_events(w, 0, &record);
	assert_in_range(record.len, 3000, 3300);
	world_free(w);
}

/* Quotes count twice in the body of an HTTP request. */
static void test_limit_of_a_whole_request_counts_escapes(void **state UNUSED)
{
	struct remote_config config = config_of();
	CLEANUP(buf_deinit) struct buf record = BUF_NULL;
	struct world *w;

	config.room.max_event_bytes = 10240;
	config.room.max_body_bytes = 2000;
	w = world_new(&config);
	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	answer_letters(w, 1100);
	assert_string_equal(w->events[0].name, "response");
	world_forget_events(w);
	comes(w,
	      "{\"id\":\"k\",\"api\":\"x\",\"echo\":true,"
	      "\"params\":[\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\""
	      "\\\"\"]}");
	answer_letters(w, 1330);
	join_events(w, 0, &record);
	for (unsigned int i = 0; i < w->n; i++) {
		CLEANUP(buf_deinit) struct buf string = BUF_NULL;

		json_put_string(&string, buf_span(&w->events[i].text));
		assert_in_range(string.len, 1, 1700);
	}
	world_free(w);
}

/* ---- requests --------------------------------------------------------------------------- */

static void test_request_in_parts_runs(void **state UNUSED)
{
	struct world *w = world_make();

	send_parts(w, RECORD, "i", 3, 0);
	assert_int_equal(w->router.n_calls, 1);
	answer_letters(w, 5);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "\"id\":\"i\",\"api\":\"x\"");
	world_free(w);
}

static void test_request_whose_parts_do_not_all_come_is_late(void **state UNUSED)
{
	struct remote_status status;
	struct world *w = world_make();

	send_parts(w, RECORD, "i", 3, 1);
	remote_status(w->remote, &status);
	assert_int_equal(status.n_assembling, 1);
	assert_int_equal(remote_next_ms(w->remote), 31000);
	w->now.ms = 30999;
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 0);
	w->now.ms = 31000;
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 1);
	assert_string_equal(w->events[0].channel, CHANNEL);
	assert_says(
		&w->events[0],
		"{\"id\":\"i\",\"api\":\"\",\"result\":null,"
		"\"error\":{\"code\":\"deadline_exceeded\"");
	assert_says(&w->events[0], "\"ran\":\"no\"");
	assert_int_equal(remote_next_ms(w->remote), UINT64_MAX);
	/* Its caller has been told so: whatever comes of it later is told so, too. */
	send_parts(w, RECORD, "i", 3, 0);
	assert_int_equal(w->n, 2);
	assert_says(&w->events[1], "\"code\":\"deadline_exceeded\"");
	assert_says(&w->events[1], "\"cached\":true");
	assert_int_equal(w->router.n_calls, 0);
	world_free(w);
}

/* What is called is not known: it may be another gateway's on the channel. */
static void test_parts_that_name_no_gateway_are_left_alone_where_names_are(void **state UNUSED)
{
	struct remote_config config = config_of();
	struct remote_status status;
	struct world *w;

	config.limits.answer_unknown = false;
	w = world_new(&config);
	send_parts(w, RECORD, "i", 3, 1);
	send_parts_saying(w, RECORD, "j", 3, 1, "\"to\":\"pi\"");
	w->now.ms += 30000;
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "{\"id\":\"j\",\"api\":\"\",\"result\":null,"
		    "\"error\":{\"code\":\"deadline_exceeded\"");
	remote_status(w->remote, &status);
	assert_int_equal(status.n_ignored, 1);
	world_free(w);
}

/* By their responses others on the channel are known; what comes on another one stays ours. */
static void test_parts_that_name_no_gateway_are_left_alone_where_others_answer(
	void **state UNUSED)
{
	struct remote_status status;
	struct world *w = world_make();

	comes_on(w, CHANNEL, "response", span_str("{\"id\":\"h\",\"gateway\":\"pi\","
						  "\"instance\":\"00ff\"}"));
	send_parts(w, RECORD, "i", 3, 1);
	w->now.ms += 30000;
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "{\"id\":\"i\"");
	comes_on(w, CHANNEL, "response", span_str("{\"id\":\"h\",\"gateway\":\"attic\","
						  "\"instance\":\"0100\"}"));
	send_parts(w, RECORD, "j", 3, 1);
	send_parts_saying(w, RECORD, "k", 3, 1, "\"to\":\"pi\"");
	w->now.ms += 30000;
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 2);
	assert_says(&w->events[1], "{\"id\":\"k\"");
	remote_status(w->remote, &status);
	assert_int_equal(status.n_ignored, 3);
	world_free(w);
}

/* What the first try went to is said beside the record, which has to stay as it was. */
static void test_retry_in_parts_of_another_instances_request_is_not_run(void **state UNUSED)
{
	struct world *w = world_make();

	send_parts_saying(w, RECORD, "i", 3, 0, "\"retry\":\"0100\"");
	assert_int_equal(w->router.n_calls, 0);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "\"ran\":\"unknown\",\"details\":{\"reason\":\"restarted\"}");
	send_parts_saying(w, RECORD, "i", 3, 0, "\"retry\":\"00ff\"");
	assert_int_equal(w->router.n_calls, 1);
	world_free(w);
}

/* The record says how much time the first try had. */
static void test_retry_in_parts_of_what_only_we_can_have_had_is_run(void **state UNUSED)
{
	static const char record[] = "{\"id\":\"i\",\"api\":\"x\",\"timeout_ms\":1000,"
		"\"params\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]}";
	struct world *w = world_make();	/* which begins at 0 */

	w->now.ms = 1499;
	send_parts_saying(w, record, "i", 3, 0, "\"retry\":\"\",\"retry_ms\":500");
	assert_int_equal(w->router.n_calls, 0);
	assert_says(&w->events[0], "\"reason\":\"restarted\"");
	w->now.ms = 1500;
	send_parts_saying(w, record, "i", 3, 0, "\"retry\":\"\",\"retry_ms\":500");
	assert_int_equal(w->router.n_calls, 1);
	world_free(w);
}

/* One part of the first try that comes last does not make a first try of all of them. */
static void test_parts_of_a_repeat_and_of_the_first_try_are_a_repeat(void **state UNUSED)
{
	struct world *w = world_make();

	send_parts_saying(w, RECORD, "i", 3, 1, "\"retry\":\"0100\"");
	send_parts(w, RECORD, "i", 3, 0);
	assert_int_equal(w->router.n_calls, 0);
	assert_says(&w->events[0], "\"reason\":\"restarted\"");
	world_free(w);
}

/* Whatever part it is that has no place. */
static void test_repeat_that_is_too_large_may_have_run(void **state UNUSED)
{
	struct remote_config config = config_of();
	struct world *w;

	config.limits.max_record = 40;
	w = world_new(&config);
	send_parts_to(w, RECORD, "i", 0, 1, "\"retry\":\"0100\"");
	send_parts(w, RECORD, "i", 3, 1);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "\"code\":\"too_large\"");
	assert_says(&w->events[0], "\"ran\":\"unknown\"");
	world_free(w);
}

static void test_repeat_whose_parts_do_not_all_come_may_have_run(void **state UNUSED)
{
	struct world *w = world_make();

	send_parts_saying(w, RECORD, "i", 3, 1, "\"retry\":\"0100\"");
	w->now.ms += 30000;
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "\"code\":\"deadline_exceeded\"");
	assert_says(&w->events[0], "\"ran\":\"unknown\"");
	world_free(w);
}

/* Of one that runs, or has its answer, parts are not told to be late: a hub doubles. */
static void test_late_double_of_a_part_says_nothing(void **state UNUSED)
{
	struct world *w = world_make();

	send_parts(w, RECORD, "i", 3, 0);
	send_parts(w, RECORD, "i", 3, 2);
	w->now.ms += 40000;
	remote_tick(w->remote, &w->now);
	/* Nor after all of that is forgotten. */
	send_parts(w, RECORD, "i", 3, 2);
	w->now.ms += 40000;
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 0);
	assert_int_equal(w->router.n_calls, 1);
	world_free(w);
}

/* A double of what ran at 1000, and is forgotten: its first part comes after 31 s. */
static void assert_late_double_says(uint64_t silence_ms, const char *ran)
{
	struct remote_config config = config_of();
	struct world *w;

	config.limits.answer_store_ms = 10000;
	config.silence_ms = silence_ms;
	w = world_new(&config);
	send_parts(w, RECORD, "i", 3, 0);
	answer_letters(w, 5);
	w->now.ms += 31000;
	remote_tick(w->remote, &w->now);
	comes(w, "{\"id\":\"other\",\"api\":\"x\"}");
	send_parts(w, RECORD, "i", 3, 1);
	w->now.ms += 30000;
	world_forget_events(w);
	remote_tick(w->remote, &w->now);
	assert_says(&w->events[0], "{\"id\":\"i\"");
	assert_says(&w->events[0], "\"code\":\"deadline_exceeded\"");
	assert_says(&w->events[0], ran);
	world_free(w);
}

static void test_late_double_of_what_was_forgotten_may_have_run(void **state UNUSED)
{
	assert_late_double_says(31000, "\"ran\":\"unknown\"");
	assert_late_double_says(30999, "\"ran\":\"no\"");
}

/* Parts that come to a gateway which was not there for those that they may be doubles of. */
static void assert_late_after_start_says(uint64_t start_ms, const char *ran)
{
	struct remote_config config = config_of();
	struct world *w;

	config.silence_ms = 500;
	config.start_ms = start_ms;
	w = world_new(&config);
	send_parts(w, RECORD, "i", 3, 1);
	w->now.ms += 30000;
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "\"code\":\"deadline_exceeded\"");
	assert_says(&w->events[0], ran);
	world_free(w);
}

static void test_late_parts_soon_after_the_start_may_have_run(void **state UNUSED)
{
	assert_late_after_start_says(501, "\"ran\":\"unknown\"");
	assert_late_after_start_says(500, "\"ran\":\"no\"");
}

/* Nor is a double told `no` for which there is no room. */
static void assert_full_after_start_says(uint64_t start_ms, const char *ran)
{
	struct remote_config config = config_of();
	struct world *w;

	config.silence_ms = 500;
	config.start_ms = start_ms;
	w = world_new(&config);
	for (char id[] = "a"; w->n == 0 && *id <= 'z'; (*id)++)
		send_parts_to(w, RECORD, id, 0, 1, NULL);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "\"code\":\"busy\"");
	assert_says(&w->events[0], ran);
	world_free(w);
}

static void test_part_without_a_place_soon_after_the_start_may_have_run(void **state UNUSED)
{
	assert_full_after_start_says(501, "\"ran\":\"unknown\"");
	assert_full_after_start_says(500, "\"ran\":\"no\"");
}

/* Words that fit the outcome: what may have run is not to be sent again with another id. */
static void test_late_repeat_is_not_told_to_come_with_another_id(void **state UNUSED)
{
	struct remote_config config = config_of();
	struct world *w;

	config.start_ms = 1000;
	w = world_new(&config);
	w->now.ms = 200000;
	send_parts_saying(w, RECORD, "i", 3, 1,
			  "\"retry\":\"0100\",\"retry_ms\":300000,\"timeout_ms\":300000");
	w->now.ms += 30000;
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "\"ran\":\"unknown\"");
	assert_says(&w->events[0], "is not known any more");
	world_free(w);
}

/* Parts of the repeat are lost, too: what is known of it says more than that. */
static void test_repeat_that_stays_incomplete_gets_the_kept_answer(void **state UNUSED)
{
	static const char retry[] = "\"retry\":\"00ff\"";
	struct world *w = world_make();

	send_parts(w, RECORD, "i", 3, 0);
	send_parts_saying(w, RECORD, "i", 3, 1, retry);
	w->now.ms += 30000;
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 0);	/* it runs */
	answer_letters(w, 5);
	for (unsigned int n = 1; n < 3; n++) {
		assert_int_equal(w->n, n);
		send_parts_saying(w, RECORD, "i", 3, 1, retry);
		w->now.ms += 30000;
		remote_tick(w->remote, &w->now);
		assert_int_equal(w->n, n + 1);
		assert_says(&w->events[n], "{\"id\":\"i\",\"api\":\"x\",\"result\":\"");
		assert_says(&w->events[n], "\"cached\":true");
	}
	assert_int_equal(w->router.n_calls, 1);
	world_free(w);
}

/* Nor does it matter that a double of the first try would be passed over then. */
static void test_repeat_soon_after_the_answer_that_stays_incomplete_gets_it(void **state UNUSED)
{
	struct world *w = world_make();

	send_parts(w, RECORD, "i", 3, 0);
	answer_letters(w, 5);
	send_parts_saying(w, RECORD, "i", 3, 1, "\"retry\":\"00ff\"");
	w->now.ms += 30000;
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 2);
	assert_says(&w->events[1], "\"cached\":true");
	world_free(w);
}

/* The refusal got lost: its caller would wait for all of its time. */
static void test_repeat_of_what_was_too_large_is_told_so_again(void **state UNUSED)
{
	struct remote_config config = config_of();
	struct world *w;

	config.limits.max_record = 60;
	w = world_new(&config);
	send_parts(w, RECORD, "i", 3, 0);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "\"code\":\"too_large\"");
	w->now.ms += 5000;
	send_parts_saying(w, RECORD, "i", 3, 0,
			  "\"retry\":\"00ff\",\"retry_ms\":5000,\"timeout_ms\":5000");
	assert_int_equal(w->n, 2);
	assert_says(&w->events[1], "\"code\":\"too_large\"");
	assert_says(&w->events[1], "\"ran\":\"no\"");
	assert_says(&w->events[1], "\"cached\":true");
	world_free(w);
}

/* Whose first try another instance had: such a refusal is not remembered. */
static void test_repeat_of_another_instances_that_is_too_large_is_told_so_once(void **state UNUSED)
{
	struct remote_config config = config_of();
	struct world *w;

	config.limits.max_record = 60;
	w = world_new(&config);
	send_parts_saying(w, RECORD, "i", 3, 0, "\"retry\":\"0100\"");
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "\"code\":\"too_large\"");
	assert_says(&w->events[0], "\"ran\":\"unknown\"");
	w->now.ms += 5000;
	send_parts_saying(w, RECORD, "i", 3, 0, "\"retry\":\"0100\"");
	assert_int_equal(w->n, 2);
	world_free(w);
}

static void test_record_of_another_id_is_refused_by_the_parts_id(void **state UNUSED)
{
	struct world *w = world_make();

	send_parts(w, RECORD, "other", 3, 0);
	assert_int_equal(w->router.n_calls, 0);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "{\"id\":\"other\"");
	assert_says(&w->events[0], "\"code\":\"invalid_argument\"");
	world_free(w);
}

/* ---- reply_to --------------------------------------------------------------------------- */

#define ELSEWHERE "{\"id\":\"i\",\"api\":\"x\",\"reply_to\":\"" REPLY "\"}"

static void test_answer_goes_to_reply_to_and_so_does_its_repeat(void **state UNUSED)
{
	struct world *w = world_make();

	comes(w, ELSEWHERE);
	answer_letters(w, 5);
	assert_string_equal(w->events[0].channel, REPLY);
	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	assert_string_equal(w->events[1].channel, REPLY);
	assert_says(&w->events[1], "\"cached\":true");
	world_free(w);
}

static void assert_reply_refused(const char *channel, const char *reply_to)
{
	struct world *w = world_make();
	char text[400];

	snprintf(text, sizeof(text), "{\"id\":\"i\",\"api\":\"x\",\"reply_to\":\"%s\"}", reply_to);
	comes_on(w, channel, "request", span_str(text));
	assert_int_equal(w->router.n_calls, 0);
	assert_int_equal(w->n, 1);
	assert_string_equal(w->events[0].channel, channel);
	assert_says(&w->events[0], "\"code\":\"invalid_argument\",\"message\":\"reply_to: ");
	assert_says(&w->events[0], "\"ran\":\"no\"");
	world_free(w);
}

static void test_reply_to_that_may_not_be(void **state UNUSED)
{
	char name[200];

	assert_reply_refused(CHANNEL, "chapi");
	assert_reply_refused(CHANNEL, CHANNEL);
	assert_reply_refused(CHANNEL, "private-chapi-x@reply/x");
	assert_reply_refused(CHANNEL, "private-chapi-x@reply\\u0000");
	snprintf(name, sizeof(name), "private-chapi-x@reply%0144d", 0);
	assert_reply_refused(CHANNEL, name);
	assert_reply_refused(ENCRYPTED, REPLY);
}

/* 400 and 422: it is about the channel. All else would be the same on the other one. */
static void test_answer_that_the_hub_refuses_there_is_an_error_here(void **state UNUSED)
{
	static const unsigned int statuses[] = { 400, 422, 200, 401, 403, 500, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		struct world *w = world_make();
		bool told = i < 2;

		comes(w, ELSEWHERE);
		answer_letters(w, 5);
		remote_published(w->events[0].answer, statuses[i]);
		assert_int_equal(w->n, told ? 2 : 1);
		if (told) {
			assert_string_equal(w->events[1].channel, CHANNEL);
			assert_says(&w->events[1], "\"code\":\"invalid_argument\"");
			assert_says(&w->events[1], "\"ran\":\"yes\"");
			assert_says(&w->events[1], "\"details\":{\"reason\":\"reply_refused\"}");
			remote_published(w->events[1].answer, 400);
			assert_int_equal(w->n, 2);
			comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
			assert_string_equal(w->events[2].channel, CHANNEL);
			assert_says(&w->events[2], "reply_refused");
		}
		world_free(w);
	}
}

static void test_answer_refused_on_its_own_channel_is_final(void **state UNUSED)
{
	struct world *w = world_make();

	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	answer_letters(w, 5);
	remote_published(w->events[0].answer, 400);
	assert_int_equal(w->n, 1);
	world_free(w);
}

/* The first try has run and is forgotten: what of the repeat is lost must not deny it. */
static void test_repeat_in_parts_of_what_was_forgotten_is_never_said_not_to_have_run(
	void **state UNUSED)
{
	struct remote_config config = config_of();
	struct world *w;

	config.limits.answer_store_ms = 1000;
	w = world_new(&config);
	send_parts(w, RECORD, "i", 3, 0);
	answer_letters(w, 5);
	assert_int_equal(w->n, 1);
	w->now.ms += 100000;
	remote_tick(w->remote, &w->now);
	comes(w, "{\"id\":\"other\",\"api\":\"x\"}");
	answer_letters(w, 5);
	assert_int_equal(w->n, 2);
	send_parts_saying(w, RECORD, "i", 3, 1, "\"retry\":\"00ff\",\"retry_ms\":100000");
	w->now.ms += 40000;
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 3);
	assert_says(&w->events[2], "\"code\":\"deadline_exceeded\"");
	assert_says(&w->events[2], "\"ran\":\"unknown\"");
	world_free(w);
}

/* Lost parts, 30 s after the others: so the first try is older by that. Another one's id was
 * forgotten, which had ended 100 s before the parts came. */
static void assert_late_repeat_says(const char *member, const char *ran)
{
	struct remote_config config = config_of();
	struct world *w;

	config.limits.answer_store_ms = 1000;
	w = world_new(&config);
	comes(w, "{\"id\":\"other\",\"api\":\"x\"}");
	answer_letters(w, 5);
	w->now.ms += 100000;
	comes(w, "{\"id\":\"more\",\"api\":\"x\"}");
	send_parts_saying(w, RECORD, "i", 3, 1, member);
	w->now.ms += 30000;
	world_forget_events(w);
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "\"code\":\"deadline_exceeded\"");
	assert_says(&w->events[0], ran);
	world_free(w);
}

static void test_repeat_in_parts_says_how_old_it_can_be(void **state UNUSED)
{
	assert_late_repeat_says("\"retry\":\"00ff\",\"retry_ms\":60000",
				"\"ran\":\"unknown\"");
	assert_late_repeat_says("\"retry\":\"00ff\",\"retry_ms\":60000,\"timeout_ms\":40000",
				"\"ran\":\"unknown\"");
	assert_late_repeat_says("\"retry\":\"00ff\",\"retry_ms\":60000,\"timeout_ms\":39999",
				"\"ran\":\"no\"");
}

/* One part of a first repeat, and 25 s later from the i-th on those of a second: the first try was
 * made 80 s ago at most by each of them. What was forgotten had ended 90 s before the latter. */
static struct world *world_with_two_repeats(unsigned int i)
{
	struct remote_config config = config_of();
	struct world *w;

	config.limits.answer_store_ms = 1000;
	w = world_new(&config);
	comes(w, "{\"id\":\"other\",\"api\":\"x\"}");
	answer_letters(w, 5);
	w->now.ms += 65000;
	comes(w, "{\"id\":\"more\",\"api\":\"x\"}");
	send_parts_to(w, RECORD, "i", 0, 1,
		      "\"retry\":\"00ff\",\"retry_ms\":20000,\"timeout_ms\":60000");
	w->now.ms += 25000;
	send_parts_saying(w, RECORD, "i", 3, i,
			  "\"retry\":\"00ff\",\"retry_ms\":45000,\"timeout_ms\":35000");
	return w;
}

static void test_parts_of_two_repeats_are_no_older_than_one_of_them(void **state UNUSED)
{
	struct world *w = world_with_two_repeats(1);

	assert_int_equal(w->router.n_calls, 3);
	assert_int_equal(played_last(&w->router)->timeout_ms, 35000);
	world_free(w);

	w = world_with_two_repeats(2);
	world_forget_events(w);
	w->now.ms += 5000;
	remote_tick(w->remote, &w->now);
	assert_int_equal(w->n, 1);
	assert_says(&w->events[0], "\"code\":\"deadline_exceeded\"");
	assert_says(&w->events[0], "\"ran\":\"no\"");
	world_free(w);
}

/* The time of a repeat is what is left, whatever its record says of the first try. */
static void test_repeat_in_parts_has_the_time_that_is_left(void **state UNUSED)
{
	static const char record[] = "{\"id\":\"i\",\"api\":\"x\",\"timeout_ms\":9000,"
		"\"params\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]}";
	struct world *w = world_make();

	send_parts_saying(w, record, "i", 3, 0, "\"retry\":\"00ff\",\"timeout_ms\":4000");
	assert_int_equal(played_last(&w->router)->timeout_ms, 4000);
	send_parts(w, record, "i", 3, 0);
	assert_int_equal(w->router.n_calls, 1);
	world_free(w);
}

/* What the hub says of one request's answer changes nothing of the other's with its id. */
static void test_refusal_of_another_with_that_id_stays(void **state UNUSED)
{
	static const struct failure paused = {
		.code = CHAPI_ERR_PAUSED, .ran = CHAPI_RAN_NO,
		.message = { (const uint8_t *)"paused", 6 },
	};
	struct world *w = world_make();

	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	w->router.party->ops->response(w->router.party, played_last(&w->router)->token,
				       &(struct party_response){ .failure = &paused });
	comes(w, "{\"id\":\"i\",\"api\":\"y\",\"reply_to\":\"" REPLY "\"}");
	assert_int_equal(w->n, 2);
	assert_says(&w->events[1], "\"reason\":\"id_reused\"");
	remote_published(w->events[1].answer, 413);
	assert_int_equal(w->n, 3);
	comes(w, "{\"id\":\"i\",\"api\":\"x\"}");
	assert_int_equal(w->n, 4);
	assert_string_equal(w->events[3].channel, CHANNEL);
	assert_says(&w->events[3], "\"code\":\"paused\"");
	remote_published(w->events[0].answer, 200);
	remote_published(w->events[2].answer, 200);
	remote_published(w->events[3].answer, 200);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large_answer_goes_in_parts),
		cmocka_unit_test(test_parts_under_way_at_the_end_are_dropped),
		cmocka_unit_test(test_answer_beyond_max_record_says_both_sizes),
		cmocka_unit_test(test_name_that_leaves_no_room_for_an_answer),
		cmocka_unit_test(test_without_id_nothing_goes_in_parts),
		cmocka_unit_test(test_parts_on_an_encrypted_channel_are_smaller),
		cmocka_unit_test(test_part_that_the_hub_finds_too_large_becomes_one_error),
		cmocka_unit_test(test_repeat_brings_the_same_parts),
		cmocka_unit_test(test_parts_that_found_no_place_come_with_the_repeat),
		cmocka_unit_test(test_limit_of_a_whole_request_counts_escapes),
		cmocka_unit_test(test_request_in_parts_runs),
		cmocka_unit_test(test_request_whose_parts_do_not_all_come_is_late),
		cmocka_unit_test(test_parts_that_name_no_gateway_are_left_alone_where_names_are),
		cmocka_unit_test(
			test_parts_that_name_no_gateway_are_left_alone_where_others_answer),
		cmocka_unit_test(test_retry_in_parts_of_another_instances_request_is_not_run),
		cmocka_unit_test(test_retry_in_parts_of_what_only_we_can_have_had_is_run),
		cmocka_unit_test(test_parts_of_a_repeat_and_of_the_first_try_are_a_repeat),
		cmocka_unit_test(test_repeat_that_is_too_large_may_have_run),
		cmocka_unit_test(test_repeat_whose_parts_do_not_all_come_may_have_run),
		cmocka_unit_test(test_late_double_of_a_part_says_nothing),
		cmocka_unit_test(test_late_double_of_what_was_forgotten_may_have_run),
		cmocka_unit_test(test_late_parts_soon_after_the_start_may_have_run),
		cmocka_unit_test(test_part_without_a_place_soon_after_the_start_may_have_run),
		cmocka_unit_test(test_late_repeat_is_not_told_to_come_with_another_id),
		cmocka_unit_test(test_repeat_that_stays_incomplete_gets_the_kept_answer),
		cmocka_unit_test(
			test_repeat_soon_after_the_answer_that_stays_incomplete_gets_it),
		cmocka_unit_test(test_repeat_of_what_was_too_large_is_told_so_again),
		cmocka_unit_test(
			test_repeat_of_another_instances_that_is_too_large_is_told_so_once),
		cmocka_unit_test(test_record_of_another_id_is_refused_by_the_parts_id),
		cmocka_unit_test(test_answer_goes_to_reply_to_and_so_does_its_repeat),
		cmocka_unit_test(test_reply_to_that_may_not_be),
		cmocka_unit_test(test_answer_that_the_hub_refuses_there_is_an_error_here),
		cmocka_unit_test(test_answer_refused_on_its_own_channel_is_final),
		cmocka_unit_test(
			test_repeat_in_parts_of_what_was_forgotten_is_never_said_not_to_have_run),
		cmocka_unit_test(test_repeat_in_parts_says_how_old_it_can_be),
		cmocka_unit_test(test_parts_of_two_repeats_are_no_older_than_one_of_them),
		cmocka_unit_test(test_repeat_in_parts_has_the_time_that_is_left),
		cmocka_unit_test(test_refusal_of_another_with_that_id_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
