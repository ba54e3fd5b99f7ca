/* SPDX-License-Identifier: MIT */
/*
 * Events on their way out. Time is a number, the hub is what a test says.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/outbox.h"

#define NEVER UINT64_MAX
#define START 1000000
#define UNIX_S 1700000000
#define REQUESTS_MAX 16

/* What became of an event: a letter each, in the order in which they ended. */
struct world {
	struct outbox *outbox;
	uint64_t now;
	char taken[200], failed[200];
	unsigned int status;		/* told last */
	char error[400];		/* likewise */
	bool in_doubt;			/* likewise */
	struct outbox_request *requests[REQUESTS_MAX];
	unsigned int n_requests;
	struct buf body;		/* of the request taken last */
	char again;			/* the event that is added when one fails; 0: none */
};

/* What the callback is given: which event, of which world. */
struct mark {
	struct world *world;
	char letter;
};
static struct mark marks[128];

static const struct outbox_config defaults = {
	.bytes_max = 100000,
	.grace_ms = 60000,
	.backoff_least_ms = 1000,
	.backoff_most_ms = 60000,
	.probe_ms = 900000,
	.connections = 4,
	.batch = 10,
	.seed = 42,
};

static void world_init_config(struct world *w, const struct outbox_config *config)
{
	*w = (struct world){ .now = START };
	assert_int_equal(outbox_new(config, w->now, &w->outbox), 0);
}

static void world_init(struct world *w)
{
	world_init_config(w, &defaults);
}

static void world_deinit(struct world *w)
{
	outbox_free(w->outbox);
	buf_deinit(&w->body);
}

#define WORLD(w) CLEANUP(world_deinit) struct world w; world_init(&w)

static void add(struct world *w, char letter);

static void append(char *text, char letter)
{
	size_t len = strlen(text);

	text[len] = letter;
	text[len + 1] = '\0';
}

static void on_end(void *data, const struct outbox_end *end)
{
	const char *error = end->error;
	struct mark *mark = data;
	struct world *w = mark->world;
	char again = w->again;

	append(error ? w->failed : w->taken, mark->letter);
	w->status = end->status;
	w->in_doubt = end->in_doubt;
	snprintf(w->error, sizeof(w->error), "%s", error ? error : "");
	w->again = 0;
	if (error && again)
		add(w, again);
}

static int add_event(struct world *w, char letter, const struct outbox_event *event)
{
	marks[(unsigned int)letter] = (struct mark){ .world = w, .letter = letter };
	return outbox_add(w->outbox, event, on_end, &marks[(unsigned int)letter], w->now);
}

/* With an id, and 30 s to its deadline. */
static struct outbox_event event_of(struct world *w, const char *payload)
{
	return (struct outbox_event){
		.channel = span_str("private-x"),
		.event = span_str("response"),
		.payload = span_str(payload),
		.has_id = true,
		.deadline_ms = w->now + 30000,
	};
}

static void add(struct world *w, char letter)
{
	struct outbox_event event = event_of(w, (char[]){ letter, '\0' });

	assert_int_equal(add_event(w, letter, &event), 0);
}

static void add_without_id(struct world *w, char letter)
{
	struct outbox_event event = event_of(w, (char[]){ letter, '\0' });

	event.has_id = false;
	assert_int_equal(add_event(w, letter, &event), 0);
}

static void add_all(struct world *w, const char *letters)
{
	for (; *letters; letters++)
		add(w, *letters);
}

static bool take(struct world *w)
{
	struct outbox_request *request = outbox_take(w->outbox, w->now);

	if (!request)
		return false;
	assert_true(w->n_requests < REQUESTS_MAX);
	w->requests[w->n_requests++] = request;
	buf_clear(&w->body);
	outbox_request_put(request, "1.2", &w->body);
	buf_put_byte(&w->body, '\0');
	assert_int_equal(buf_error(&w->body), 0);
	return true;
}

/* The next request holds these, in this order. */
static void assert_takes(struct world *w, const char *letters)
{
	char found[REQUESTS_MAX] = "";
	const char *p;

	assert_true(take(w));
	p = (const char *)buf_data(&w->body);
	while ((p = strstr(p, "\"data\":\""))) {
		p += strlen("\"data\":\"");
		append(found, *p);
	}
	assert_string_equal(found, letters);
}

static void assert_takes_nothing(struct world *w)
{
	assert_false(take(w));
}

static struct verdict_answer status_answer(unsigned int status, const char *body)
{
	return (struct verdict_answer){ .status = status,
					.body = span_str(body),
					.unix_s = UNIX_S };
}

/* The answer to the request that was taken first. */
static void answer_with(struct world *w, const struct verdict_answer *answer)
{
	assert_true(w->n_requests > 0);
	outbox_answer(w->outbox, w->requests[0], answer, w->now);
	w->n_requests--;
	memmove(w->requests, w->requests + 1, w->n_requests * sizeof(w->requests[0]));
	outbox_finish(w->outbox, w->now);
}

static void answer(struct world *w, unsigned int status, const char *body)
{
	struct verdict_answer a = status_answer(status, body);

	answer_with(w, &a);
}

static void no_answer(struct world *w, bool unsent)
{
	answer_with(w, &(struct verdict_answer){ .error = "the line is dead", .unsent = unsent });
}

static uint64_t next(const struct world *w)
{
	return outbox_next_ms(w->outbox);
}

static void pass(struct world *w, uint64_t ms)
{
	w->now += ms;
	outbox_finish(w->outbox, w->now);
}

static void pass_to_next(struct world *w)
{
	assert_true(next(w) != NEVER);
	pass(w, next(w) > w->now ? next(w) - w->now : 0);
}

static struct outbox_status status_of(const struct world *w)
{
	struct outbox_status status;

	outbox_status(w->outbox, &status);
	return status;
}

static void assert_ended(const struct world *w, const char *taken, const char *failed)
{
	assert_string_equal(w->taken, taken);
	assert_string_equal(w->failed, failed);
}

static void assert_told(const struct world *w, const char *words)
{
	if (!strstr(w->error, words))
		fail_msg("\"%s\" does not say \"%s\"", w->error, words);
}

static void assert_empty(const struct world *w)
{
	struct outbox_status status = status_of(w);

	assert_int_equal(status.n_waiting, 0);
	assert_int_equal(status.bytes_waiting, 0);
	assert_int_equal(status.n_under_way, 0);
	assert_true(next(w) == NEVER);
}

/* The pause before the next try. */
static void assert_pauses(const struct world *w, enum outbox_pause pause, uint64_t least,
			  uint64_t most)
{
	struct outbox_status status = status_of(w);

	assert_int_equal(status.pause, pause);
	if (status.until_ms < w->now + least || status.until_ms > w->now + most)
		fail_msg("pauses %" PRId64 " ms, not %" PRIu64 " to %" PRIu64,
			 (int64_t)(status.until_ms - w->now), least, most);
}

/* Until something may be sent, which is the same letters again. */
static void assert_comes_again(struct world *w, const char *letters)
{
	for (unsigned int i = 0; i < 10; i++) {
		if (take(w)) {
			const char *body = (const char *)buf_data(&w->body);

			for (; *letters; letters++)
				assert_non_null(strstr(body, (char[]){ '"', *letters, '"', '\0' }));
			return;
		}
		pass_to_next(w);
	}
	fail_msg("it does not come again");
}

/* ---- requests ------------------------------------------------------------------------------- */

static void test_one_alone_goes_at_once(void **state UNUSED)
{
	WORLD(w);

	assert_takes_nothing(&w);
	assert_true(next(&w) == NEVER);
	add(&w, 'a');
	assert_true(next(&w) <= w.now);
	assert_takes(&w, "a");
	assert_string_equal((const char *)buf_data(&w.body),
			    "{\"name\":\"response\",\"channels\":[\"private-x\"],\"data\":\"a\"}");
	assert_false(outbox_request_is_batch(w.requests[0]));
	assert_true(next(&w) == NEVER);
	answer(&w, 200, "{}");
	assert_ended(&w, "a", "");
	assert_int_equal(w.status, 200);
	assert_empty(&w);
}

static void test_what_waits_together_goes_together_in_order(void **state UNUSED)
{
	WORLD(w);

	add_all(&w, "abc");
	assert_takes(&w, "abc");
	assert_true(outbox_request_is_batch(w.requests[0]));
	assert_string_equal(
		(const char *)buf_data(&w.body),
		"{\"batch\":[{\"name\":\"response\",\"channel\":\"private-x\",\"data\":\"a\"},"
		"{\"name\":\"response\",\"channel\":\"private-x\",\"data\":\"b\"},"
		"{\"name\":\"response\",\"channel\":\"private-x\",\"data\":\"c\"}]}");
	answer(&w, 200, "{\"batch\":[{},{},{}]}");
	assert_ended(&w, "abc", "");
	assert_empty(&w);
}

static void test_batch_has_ten_at_most(void **state UNUSED)
{
	WORLD(w);

	add_all(&w, "abcdefghijkl");
	assert_takes(&w, "abcdefghij");
	assert_takes(&w, "kl");
}

static void test_batch_of_one_is_none(void **state UNUSED)
{
	struct outbox_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.batch = 1;
	world_init_config(&w, &config);
	add_all(&w, "ab");
	assert_takes(&w, "a");
	assert_takes(&w, "b");
}

static void test_batch_keeps_below_the_size_of_a_request(void **state UNUSED)
{
	struct outbox_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.request_max = 150;
	world_init_config(&w, &config);
	add_all(&w, "abcde");
	while (take(&w)) {
		assert_true(w.body.len <= 151);
		answer(&w, 200, "{}");
	}
	assert_ended(&w, "abcde", "");
	assert_int_equal(status_of(&w).n_requests, 3);
}

static void test_event_larger_than_a_request_is_tried_alone(void **state UNUSED)
{
	struct outbox_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.request_max = 10;
	world_init_config(&w, &config);
	add_all(&w, "ab");
	assert_takes(&w, "a");
	assert_takes(&w, "b");
}

static void test_connections_are_limited_and_what_waits_meanwhile_goes_together(void **state UNUSED)
{
	WORLD(w);

	for (const char *p = "abcd"; *p; p++) {
		add(&w, *p);
		assert_takes(&w, (char[]){ *p, '\0' });
	}
	add_all(&w, "efg");
	assert_takes_nothing(&w);
	assert_int_equal(status_of(&w).n_under_way, 4);
	answer(&w, 200, "{}");
	assert_takes(&w, "efg");
	assert_takes_nothing(&w);
}

static void world_init_holding(struct world *w)
{
	struct outbox_config config = defaults;

	config.hold_ms = 5;
	config.request_max = 700;
	world_init_config(w, &config);
	add(w, 'a');
	assert_takes(w, "a");
}

static void test_little_waits_for_company_while_a_request_is_under_way(void **state UNUSED)
{
	CLEANUP(world_deinit) struct world w;

	world_init_holding(&w);
	add(&w, 'b');
	assert_takes_nothing(&w);
	assert_int_equal(next(&w), w.now + 5);
	pass(&w, 4);
	add(&w, 'c');
	assert_takes_nothing(&w);
	assert_int_equal(next(&w), w.now + 1);
	pass(&w, 1);
	assert_takes(&w, "bc");
	add(&w, 'd');
	answer(&w, 200, "{}");
	assert_takes_nothing(&w);
	answer(&w, 200, "{}");
	assert_takes(&w, "d");
}

static void test_full_batch_waits_for_no_company(void **state UNUSED)
{
	CLEANUP(world_deinit) struct world w;

	world_init_holding(&w);
	add_all(&w, "bcdefghijkl");
	assert_takes(&w, "bcdefghijk");
	assert_takes_nothing(&w);
}

static void test_full_request_waits_for_no_company(void **state UNUSED)
{
	struct outbox_event large;
	CLEANUP(world_deinit) struct world w;
	char payload[600];

	world_init_holding(&w);
	memset(payload, 'b', sizeof(payload) - 1);
	payload[sizeof(payload) - 1] = '\0';
	large = event_of(&w, payload);
	assert_int_equal(add_event(&w, 'b', &large), 0);
	assert_takes_nothing(&w);
	add(&w, 'c');
	assert_takes(&w, "b");
	assert_takes_nothing(&w);
}

static void test_repeat_waits_for_no_company(void **state UNUSED)
{
	CLEANUP(world_deinit) struct world w;

	world_init_holding(&w);
	add(&w, 'b');
	pass(&w, 5);
	assert_takes(&w, "b");
	answer(&w, 500, "");
	pass_to_next(&w);
	answer(&w, 200, "{}");
	pass_to_next(&w);
	assert_takes(&w, "a");
	add(&w, 'c');
	assert_takes_nothing(&w);
}

static void test_event_is_tried_whose_time_is_over_when_it_comes(void **state UNUSED)
{
	struct outbox_config config = defaults;
	struct outbox_event event;
	CLEANUP(world_deinit) struct world w;

	config.hold_ms = 5;
	config.grace_ms = 0;
	world_init_config(&w, &config);
	event = event_of(&w, "a");
	event.deadline_ms = w.now;
	assert_int_equal(add_event(&w, 'a', &event), 0);
	pass_to_next(&w);
	assert_takes(&w, "a");
	event = event_of(&w, "b");
	event.deadline_ms = w.now + 3;
	assert_int_equal(add_event(&w, 'b', &event), 0);
	pass_to_next(&w);
	assert_takes(&w, "b");
	answer(&w, 429, "");
	answer(&w, 429, "");
	pass(&w, 1000);
	assert_ended(&w, "", "ab");
}

static void test_own_connection_is_excluded_by_its_present_id(void **state UNUSED)
{
	WORLD(w);
	struct outbox_event event = event_of(&w, "a");
	struct buf body = BUF_NULL;

	event.exclude_own = true;
	assert_int_equal(add_event(&w, 'a', &event), 0);
	assert_takes(&w, "a");
	assert_non_null(strstr((const char *)buf_data(&w.body), "\"socket_id\":\"1.2\""));
	no_answer(&w, true);
	assert_comes_again(&w, "a");
	outbox_request_put(w.requests[0], "", &body);
	buf_put_byte(&body, '\0');
	assert_null(strstr((const char *)buf_data(&body), "socket_id"));
	buf_deinit(&body);
}

static void test_one_without_id_makes_its_request_one_for_once(void **state UNUSED)
{
	WORLD(w);

	add_all(&w, "ab");
	assert_takes(&w, "ab");
	assert_false(outbox_request_is_once(w.requests[0]));
	add(&w, 'c');
	add_without_id(&w, 'd');
	assert_takes(&w, "cd");
	assert_true(outbox_request_is_once(w.requests[1]));
}

/* ---- limits --------------------------------------------------------------------------------- */

static void test_queue_is_bounded_by_bytes(void **state UNUSED)
{
	struct outbox_config config = defaults;
	CLEANUP(world_deinit) struct world w;
	struct outbox_event event;
	char payload[1001];
	unsigned int n = 0;

	config.bytes_max = 10000;
	world_init_config(&w, &config);
	memset(payload, 'x', 1000);
	payload[1000] = '\0';
	event = event_of(&w, payload);
	while (add_event(&w, 'x', &event) == 0)
		n++;
	assert_in_range(n, 6, 9);
	assert_int_equal(add_event(&w, 'x', &event), OUTBOX_E_FULL);
	assert_int_equal(status_of(&w).n_waiting, n);
	assert_true(status_of(&w).bytes_waiting <= 10000);
	/* What is under way counts too, until it has ended. */
	assert_true(take(&w));
	assert_int_equal(add_event(&w, 'x', &event), OUTBOX_E_FULL);
	answer(&w, 200, "{}");
	assert_empty(&w);
	assert_int_equal(add_event(&w, 'x', &event), 0);
}

static void test_event_that_waits_beyond_deadline_and_grace_is_given_up(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, 403, "over quota");
	pass(&w, 89999);
	assert_ended(&w, "", "");
	assert_true(next(&w) <= w.now + 1);
	pass(&w, 1);
	assert_ended(&w, "", "a");
	assert_told(&w, "it has waited too long: status 403");
	assert_false(w.in_doubt);
	assert_int_equal(w.status, 403);
	assert_empty(&w);
}

static void test_event_of_no_use_after_its_deadline_has_no_grace(void **state UNUSED)
{
	WORLD(w);
	struct outbox_event event = event_of(&w, "a");

	event.on_time = true;
	assert_int_equal(add_event(&w, 'a', &event), 0);
	assert_takes(&w, "a");
	answer(&w, 403, "over quota");
	pass(&w, 29999);
	assert_ended(&w, "", "");
	pass(&w, 1);
	assert_ended(&w, "", "a");
	assert_empty(&w);
}

static void add_on_time(struct world *w, char letter, uint64_t ms)
{
	struct outbox_event event = event_of(w, (char[]){ letter, '\0' });

	event.on_time = true;
	event.deadline_ms = w->now + ms;
	assert_int_equal(add_event(w, letter, &event), 0);
}

static uint64_t until_ms(const struct world *w)
{
	return outbox_request_until_ms(w->requests[w->n_requests - 1]);
}

/* A try is not to end with it for those that need not be on time. */
static void test_events_on_time_go_together_and_end_at_the_first_deadline(void **state UNUSED)
{
	WORLD(w);

	add_all(&w, "ab");
	add_on_time(&w, 'c', 30000);
	add_on_time(&w, 'd', 20000);
	add(&w, 'e');
	assert_takes(&w, "ab");
	assert_true(until_ms(&w) == UINT64_MAX);
	assert_takes(&w, "cd");
	assert_true(until_ms(&w) == w.now + 20000);
	assert_takes(&w, "e");
	assert_true(until_ms(&w) == UINT64_MAX);
}

/* What was refused in the end, or waited too long, was surely not taken: unless a try before was
 * in doubt. */
/* Each letter is one event; its mark is the data of its callback. */
static void test_withdrawn_event_is_never_sent(void **state UNUSED)
{
	struct outbox_status status;
	WORLD(w);

	add_all(&w, "ab");
	assert_true(outbox_withdraw(w.outbox, &marks['a']));
	assert_false(outbox_withdraw(w.outbox, &marks['a']));
	assert_takes(&w, "b");
	assert_false(outbox_withdraw(w.outbox, &marks['b']));	/* it is under way */
	no_answer(&w, false);
	assert_false(outbox_withdraw(w.outbox, &marks['b']));	/* may have been taken */
	w.now += 2000;
	assert_takes(&w, "b");
	answer(&w, 200, "{}");
	assert_string_equal(w.taken, "b");
	outbox_status(w.outbox, &status);
	assert_int_equal(status.n_waiting, 0);
	assert_int_equal(status.bytes_waiting, 0);
}

static void test_doubt_of_one_try_stays(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, 502, "");
	assert_comes_again(&w, "a");
	answer(&w, 413, "");
	assert_ended(&w, "", "a");
	assert_true(w.in_doubt);

	add(&w, 'b');
	assert_takes(&w, "b");
	answer(&w, 429, "");
	assert_comes_again(&w, "b");
	answer(&w, 413, "");
	assert_ended(&w, "", "ab");
	assert_false(w.in_doubt);

	add(&w, 'c');
	assert_takes(&w, "c");
	no_answer(&w, true);
	pass(&w, 90000);
	assert_ended(&w, "", "abc");
	assert_false(w.in_doubt);
}

static void test_event_that_comes_too_late_is_given_up_unsent(void **state UNUSED)
{
	WORLD(w);
	struct outbox_event event = event_of(&w, "a");

	event.deadline_ms = w.now - 60001;
	assert_int_equal(add_event(&w, 'a', &event), 0);
	assert_takes_nothing(&w);
	outbox_finish(w.outbox, w.now);
	assert_ended(&w, "", "a");
	assert_told(&w, "it has waited too long");
	assert_empty(&w);
}

static void test_deadline_passes_while_the_answer_is_awaited(void **state UNUSED)
{
	WORLD(w);

	add_all(&w, "a");
	assert_takes(&w, "a");
	add(&w, 'b');
	assert_takes(&w, "b");
	pass(&w, 100000);
	assert_ended(&w, "", "");
	answer(&w, 200, "{}");
	answer(&w, 502, "");
	pass(&w, 0);
	assert_ended(&w, "a", "b");
	assert_empty(&w);
}

static void test_endless_deadlines_do_not_overflow(void **state UNUSED)
{
	struct outbox_config config = defaults;
	CLEANUP(world_deinit) struct world w;
	struct outbox_event event;

	config.grace_ms = NEVER;
	config.backoff_least_ms = config.backoff_most_ms = config.probe_ms = NEVER - 1;
	world_init_config(&w, &config);
	event = event_of(&w, "a");
	event.deadline_ms = NEVER;
	assert_int_equal(add_event(&w, 'a', &event), 0);
	assert_takes(&w, "a");
	no_answer(&w, true);
	pass(&w, 1000000000);
	assert_takes_nothing(&w);
	outbox_hurry(w.outbox);
	assert_takes(&w, "a");
}

static void test_what_is_left_at_the_end_is_freed_without_a_word(void **state UNUSED)
{
	struct world w;

	world_init(&w);
	add_all(&w, "ab");
	assert_takes(&w, "ab");
	add(&w, 'c');
	assert_takes(&w, "c");
	answer(&w, 502, "");
	add(&w, 'd');
	world_deinit(&w);
	assert_ended(&w, "", "");
}

/* ---- the table: what is taken ---------------------------------------------------------- */

static void check_taken(unsigned int status, const char *body)
{
	WORLD(w);

	add_without_id(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, status, body);
	assert_ended(&w, "a", "");
	assert_int_equal(status_of(&w).n_published, 1);
	assert_int_equal(status_of(&w).pause, OUTBOX_RUNNING);
}

static void test_200_is_taken(void **state UNUSED)
{
	static const char *const bodies[] = {
		"{}",
		"{\"ok\":true}",
		"",
		"ok",
		"{\"channels\":{\"private-x\":{}}}",
		"{\"batch\":{}}",
		"[1]",
		"{\"a\":",
		"{\"error\":null}",
		"{\"code\":200}",
		"{\"code\":\"x\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		check_taken(200, bodies[i]);
}

static void test_202_is_taken(void **state UNUSED)
{
	check_taken(202, "202 ACCEPTED\n");
}

/* ---- the table: what is final ---------------------------------------------------------- */

static void check_final(unsigned int status, const char *body, unsigned int meant,
			const char *words)
{
	WORLD(w);

	add_all(&w, "a");
	assert_takes(&w, "a");
	answer(&w, status, body);
	assert_ended(&w, "", "a");
	assert_int_equal(w.status, meant);
	assert_told(&w, words);
	assert_false(w.in_doubt);
	assert_int_equal(status_of(&w).n_failed, 1);
	assert_string_equal(status_of(&w).last_error, w.error);
	assert_int_equal(status_of(&w).last_status, meant);
	assert_empty(&w);
	/* It is no trouble of the hub: the next goes at once. */
	add(&w, 'b');
	assert_takes(&w, "b");
}

static void test_400_is_final(void **state UNUSED)
{
	check_final(400, "Unknown auth_key", 400,
		    "status 400, the hub refused the request, the key may be of "
		    "another app or cluster (it says: Unknown auth_key)");
}

static void test_401_of_the_signature_is_final(void **state UNUSED)
{
	check_final(
		401,
		"Invalid signature: you should have sent HmacSHA256Hex(\"POST\\n/apps/1/events\\n"
		"auth_key=k&auth_timestamp=1700000000&auth_version=1.0\")",
		401, "secret_file");
}

/* What refused it is no hub, and may take others. */
static void test_403_with_a_page_is_final(void **state UNUSED)
{
	check_final(403, "<html>Blocked</html>", 403, "something before the hub");
}

static void test_404_is_final(void **state UNUSED)
{
	check_final(404, "", 404, "app_id, http_host and path_prefix");
}

static void test_407_is_final(void **state UNUSED)
{
	check_final(407, "", 407, "the proxy wants");
}

static void test_413_is_final_and_told(void **state UNUSED)
{
	check_final(413, "The data content of this event exceeds the allowed maximum (10240 bytes)",
		    413, "too large");
}

static void test_422_is_final(void **state UNUSED)
{
	check_final(422, "{\"message\":\"The data field is required.\",\"errors\":{}}", 422,
		    "(it says: The data field is required.)");
}

static void test_3xx_is_final(void **state UNUSED)
{
	check_final(301, "", 301, "redirects are not followed");
	check_final(399, "", 399, "redirects are not followed");
}

static void test_other_4xx_is_final(void **state UNUSED)
{
	check_final(418, "I am a teapot", 418,
		    "status 418, the hub refused the event (it says: I am a teapot)");
}

static void test_200_with_an_error_in_its_body_is_what_the_body_says(void **state UNUSED)
{
	check_final(200, "{\"error\":\"The payload is too big\",\"code\":413}", 413, "too large");
	check_final(200, "{\"code\":400}", 400, "status 400");
	check_final(200, "{\"error\":\"no such app\"}", 200, "no such app");
	check_final(202, "{\"status\":404,\"error\":\"unknown app\",\"code\":\"E_APP\"}", 404,
		    "unknown app");
}

static void test_page_is_not_quoted(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, 400, " <html><body>400 Bad Request</body></html>");
	assert_null(strstr(w.error, "html"));
}

static void test_words_of_the_hub_become_one_line_and_are_cut(void **state UNUSED)
{
	WORLD(w);
	char *body = malloc(20000);

	assert_non_null(body);
	memset(body, 'x', 19999);
	body[19999] = '\0';
	memcpy(body, "\x1b[31m\nno\xff", 9);
	add(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, 400, body);
	assert_in_range(strlen(w.error), 100, 250);
	for (const char *p = w.error; *p; p++)
		assert_in_range((unsigned char)*p, ' ', '~');
	free(body);
}

/* ---- the table: what is sent again ----------------------------------------------------- */

/* First with an id, then without: which of the two come again? */
static void check_again(const struct verdict_answer *a, uint64_t least, uint64_t most,
			bool also_without)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer_with(&w, a);
	assert_ended(&w, "", "");
	assert_pauses(&w, OUTBOX_TROUBLE, least, most);
	pass(&w, status_of(&w).until_ms - w.now - 1);
	assert_takes_nothing(&w);
	assert_comes_again(&w, "a");
	assert_int_equal(status_of(&w).n_repeated, 1);
	answer(&w, 200, "{}");
	assert_ended(&w, "a", "");
	assert_int_equal(status_of(&w).pause, OUTBOX_RUNNING);
	assert_string_equal(status_of(&w).trouble, "");

	add_without_id(&w, 'b');
	assert_takes(&w, "b");
	answer_with(&w, a);
	assert_ended(&w, "a", also_without ? "" : "b");
	if (!also_without) {
		assert_told(&w, "it may have been published");
		assert_true(w.in_doubt);
		return;
	}
	assert_comes_again(&w, "b");
	answer(&w, 200, "{}");
	assert_ended(&w, "ab", "");
}

#define BACKOFF 500, 1000

static void check_status_again(unsigned int status, const char *body, bool also_without)
{
	struct verdict_answer a = status_answer(status, body);

	check_again(&a, BACKOFF, also_without);
}

static void test_unsent_comes_again_even_without_id(void **state UNUSED)
{
	struct verdict_answer a = { .error = "cannot connect", .unsent = true };

	check_again(&a, BACKOFF, true);
}

static void test_no_answer_comes_again_with_id_only(void **state UNUSED)
{
	struct verdict_answer a = { .error = "Connection reset by peer" };

	check_again(&a, BACKOFF, false);
}

static void test_5xx_comes_again_with_id_only(void **state UNUSED)
{
	static const unsigned int statuses[] = { 500, 501, 502, 503, 504, 520, 599 };

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		check_status_again(statuses[i], "<html>502 Bad Gateway</html>", false);
}

static void test_408_comes_again_with_id_only(void **state UNUSED)
{
	check_status_again(408, "", false);
}

static void test_200_with_500_in_its_body_comes_again_with_id_only(void **state UNUSED)
{
	check_status_again(200, "{\"error\":\"oops\",\"code\":500}", false);
}

static void test_200_with_a_page_is_no_answer_of_the_hub(void **state UNUSED)
{
	check_status_again(200, "\n<!DOCTYPE html><title>Log in to the network</title>", false);
}

static void test_429_comes_again_even_without_id(void **state UNUSED)
{
	check_status_again(429, "", true);
	check_status_again(200, "{\"error\":\"Too many requests\",\"code\":429}", true);
}

static void test_429_comes_again_after_the_time_it_names(void **state UNUSED)
{
	struct verdict_answer a = status_answer(429, "");

	a.retry_after_s = 7;
	check_again(&a, 7000, 7000, true);
}

static void test_503_comes_again_after_the_time_it_names(void **state UNUSED)
{
	struct verdict_answer a = status_answer(503, "");

	a.retry_after_s = 20;
	check_again(&a, 20000, 20000, false);
}

static void test_time_named_beyond_the_deadline_ends_the_event(void **state UNUSED)
{
	struct verdict_answer a = status_answer(429, "slow down");
	WORLD(w);

	a.retry_after_s = 86400;
	add(&w, 'a');
	assert_takes(&w, "a");
	answer_with(&w, &a);
	pass(&w, 90000);
	assert_ended(&w, "", "a");
	assert_told(&w, "slow down");
	assert_empty(&w);
}

static void test_waits_grow_to_their_limit(void **state UNUSED)
{
	WORLD(w);

	for (unsigned int n = 0; n < 10; n++) {
		uint64_t ceiling = MIN(UINT64_C(1000) << n, UINT64_C(60000));

		add(&w, 'a');
		assert_true(take(&w));
		no_answer(&w, true);
		assert_pauses(&w, OUTBOX_TROUBLE, ceiling / 2, ceiling);
		pass(&w, status_of(&w).until_ms - w.now);
	}
}

static void test_waits_begin_anew_after_an_answer(void **state UNUSED)
{
	WORLD(w);

	for (unsigned int n = 0; n < 4; n++) {
		add(&w, 'a');
		assert_true(take(&w));
		no_answer(&w, true);
		pass(&w, status_of(&w).until_ms - w.now);
	}
	assert_true(take(&w));
	answer(&w, 200, "{}");
	add(&w, 'b');
	assert_takes(&w, "b");
	no_answer(&w, true);
	assert_pauses(&w, OUTBOX_TROUBLE, BACKOFF);
}

static void test_in_trouble_one_request_is_tried_at_a_time(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	no_answer(&w, true);
	add_all(&w, "bcdefghijklm");
	pass_to_next(&w);
	assert_takes(&w, "abcdefghij");
	assert_takes_nothing(&w);
	answer(&w, 200, "{}");
	assert_takes(&w, "klm");
}

static void test_requests_that_fail_together_count_once(void **state UNUSED)
{
	WORLD(w);

	for (const char *p = "abcd"; *p; p++) {
		add(&w, *p);
		assert_takes(&w, (char[]){ *p, '\0' });
	}
	for (unsigned int i = 0; i < 4; i++)
		no_answer(&w, true);
	assert_pauses(&w, OUTBOX_TROUBLE, BACKOFF);
	pass(&w, 1000);
	assert_true(take(&w));
	no_answer(&w, true);
	assert_pauses(&w, OUTBOX_TROUBLE, 1000, 2000);
}

static void test_batch_in_doubt_comes_again_but_for_those_without_id(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	add_without_id(&w, 'b');
	add(&w, 'c');
	assert_takes(&w, "abc");
	no_answer(&w, false);
	assert_ended(&w, "", "b");
	assert_comes_again(&w, "");
	answer(&w, 200, "{}");
	if (w.taken[1] == '\0') {
		assert_comes_again(&w, "");
		answer(&w, 200, "{}");
	}
	assert_int_equal(strlen(w.taken), 2);
	assert_empty(&w);
}

/* It goes back to its sender, and is not lost: another of it follows. */
static void test_first_try_in_doubt_goes_back_and_does_not_count_as_lost(void **state UNUSED)
{
	struct outbox_event event;
	WORLD(w);

	event = event_of(&w, "a");
	event.has_id = false;
	event.is_renewed = true;
	w.again = 'b';
	assert_int_equal(add_event(&w, 'a', &event), 0);
	assert_takes(&w, "a");
	assert_true(outbox_request_is_once(w.requests[0]));
	answer(&w, 502, "");
	assert_ended(&w, "", "a");
	assert_true(w.in_doubt);
	assert_int_equal(status_of(&w).n_failed, 0);
	assert_int_equal(status_of(&w).n_repeated, 1);
	assert_comes_again(&w, "b");
}

/* One event that the hub cannot take does not keep the others from it. */
static void test_event_that_brings_trouble_again_and_again_goes_alone(void **state UNUSED)
{
	WORLD(w);

	add_all(&w, "apb");
	for (unsigned int i = 0; i < 100 && !(strchr(w.taken, 'a') && strchr(w.taken, 'b')); i++) {
		if (!take(&w)) {
			pass_to_next(&w);
			continue;
		}
		if (strstr((const char *)buf_data(&w.body), "\"data\":\"p\""))
			answer(&w, 500, "");
		else
			answer(&w, 200, "{}");
	}
	assert_int_equal(strlen(w.taken), 2);
	assert_string_equal(w.failed, "");
	pass(&w, 90000);
	assert_string_equal(w.failed, "p");
}

static void test_hub_that_is_back_ends_the_wait(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, 502, "");
	assert_takes_nothing(&w);
	outbox_hub_is_back(w.outbox);
	assert_true(next(&w) <= w.now);
	assert_takes(&w, "a");
}

/* A WebSocket that comes and goes is no reason to ask more often than the hub wants. */
static void test_hub_that_is_back_is_not_asked_before_its_own_time(void **state UNUSED)
{
	struct verdict_answer a = status_answer(429, "");
	WORLD(w);

	a.retry_after_s = 7;
	add(&w, 'a');
	assert_takes(&w, "a");
	answer_with(&w, &a);
	outbox_hub_is_back(w.outbox);
	pass(&w, 6999);
	assert_takes_nothing(&w);
	outbox_hub_is_back(w.outbox);
	pass(&w, 1);
	assert_takes(&w, "a");
	answer_with(&w, &a);
	outbox_hurry(w.outbox);		/* somebody who knows better is obeyed */
	assert_takes(&w, "a");
}

/* ---- the table: batches that are refused ----------------------------------------------- */

static void check_split(unsigned int status, const char *body)
{
	WORLD(w);

	add_all(&w, "abc");
	assert_takes(&w, "abc");
	answer(&w, status, body);
	assert_ended(&w, "", "");
	assert_takes(&w, "a");
	assert_takes(&w, "b");
	assert_takes(&w, "c");
	answer(&w, 200, "{}");
	answer(&w, status, body);
	answer(&w, 200, "{}");
	assert_ended(&w, "ac", "b");
	assert_empty(&w);
}

static void test_batch_refused_with_400_is_sent_again_one_by_one(void **state UNUSED)
{
	check_split(400, "Invalid channel name");
	check_split(200, "{\"error\":\"The payload is too big\",\"code\":400}");
}

static void test_batch_refused_with_413_is_sent_again_one_by_one(void **state UNUSED)
{
	check_split(413, "");
}

static void test_batch_refused_with_422_is_sent_again_one_by_one(void **state UNUSED)
{
	check_split(422, "");
}

static void test_batch_refused_with_404_is_sent_again_one_by_one(void **state UNUSED)
{
	check_split(404, "");
}

static void test_batch_refused_otherwise_is_final_for_all(void **state UNUSED)
{
	WORLD(w);

	add_all(&w, "ab");
	assert_takes(&w, "ab");
	answer(&w, 401, "Invalid signature");
	assert_ended(&w, "", "ab");
}

static void test_those_of_a_refused_batch_go_before_others(void **state UNUSED)
{
	WORLD(w);

	add_all(&w, "ab");
	assert_takes(&w, "ab");
	add_all(&w, "cd");
	answer(&w, 400, "");
	assert_takes(&w, "a");
	assert_takes(&w, "b");
	assert_takes(&w, "cd");
}

static void test_refused_without_id_is_sent_again_alone_as_it_was_not_taken(void **state UNUSED)
{
	WORLD(w);

	add_without_id(&w, 'a');
	add_without_id(&w, 'b');
	assert_takes(&w, "ab");
	answer(&w, 400, "");
	assert_takes(&w, "a");
	assert_takes(&w, "b");
}

static void test_another_event_may_be_added_when_one_has_failed(void **state UNUSED)
{
	WORLD(w);

	w.again = 'z';
	add(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, 413, "");
	assert_ended(&w, "", "a");
	assert_takes(&w, "z");
	answer(&w, 200, "{}");
	assert_ended(&w, "z", "a");
	assert_empty(&w);
}

/* ---- the table: quota ------------------------------------------------------------------ */

static void test_quota_stops_all_until_one_probe_is_taken(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, 403, "Account is over its message QUOTA");
	assert_ended(&w, "", "");
	assert_pauses(&w, OUTBOX_QUOTA, 300000, 900000);
	assert_non_null(strstr(status_of(&w).trouble, "quota"));
	pass(&w, 90000);
	assert_ended(&w, "", "a");
	pass(&w, status_of(&w).until_ms - w.now - 1);
	add_all(&w, "bcd");
	assert_takes_nothing(&w);
	pass(&w, 1);
	assert_takes(&w, "b");
	assert_takes_nothing(&w);
	answer(&w, 200, "{}");
	assert_int_equal(status_of(&w).pause, OUTBOX_RUNNING);
	assert_takes(&w, "cd");
}

static void test_quota_or_disabled_is_probed_slowly(void **state UNUSED)
{
	static const char *const words[] = { "App is disabled", "Over quota",
					     "{\"error\":\"The app was Disabled\"}" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		WORLD(w);

		add_all(&w, "ab");
		assert_takes(&w, "ab");
		answer(&w, 403, words[i]);
		assert_ended(&w, "", "");
		assert_pauses(&w, OUTBOX_QUOTA, 300000, 900000);
		assert_non_null(strstr(status_of(&w).trouble, "the app may be disabled or over"));
		outbox_hurry(w.outbox);
		assert_takes(&w, "a");
		answer(&w, 200, "{}");
		assert_takes(&w, "b");
	}
}

/* Of a filter that was in the way for a moment, or of an app that is over its quota. */
static void test_403_that_does_not_say_why_is_probed_soon_then_slowly(void **state UNUSED)
{
	static const char *const words[] = { "", "Forbidden", "{\"error\":\"no\"}" };
	WORLD(w);

	add(&w, 'a');
	for (unsigned int i = 0; i < 12; i++) {
		uint64_t ceiling = MIN(1000u << i, 900000u);

		assert_takes(&w, "a");
		answer(&w, 403, words[i % ARRAY_SIZE(words)]);
		assert_pauses(&w, OUTBOX_QUOTA, ceiling / 2, ceiling);
		pass(&w, status_of(&w).until_ms - w.now);
		w.failed[0] = '\0';
		if (status_of(&w).n_waiting == 0)
			add(&w, 'a');
	}
	assert_takes(&w, "a");
	answer(&w, 200, "{}");
	add(&w, 'b');
	assert_takes(&w, "b");
	answer(&w, 403, "");
	assert_pauses(&w, OUTBOX_QUOTA, BACKOFF);
}

static void test_403_of_requests_under_way_together_counts_once(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	add(&w, 'b');
	assert_takes(&w, "b");
	answer(&w, 403, "");
	answer(&w, 403, "");
	assert_pauses(&w, OUTBOX_QUOTA, BACKOFF);
	pass(&w, status_of(&w).until_ms - w.now);
	assert_takes(&w, "a");
	answer(&w, 403, "");
	assert_pauses(&w, OUTBOX_QUOTA, 1000, 2000);
}

/* What is in it is filtered, perhaps. */
static void test_event_that_is_always_forbidden_holds_up_no_other(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	add_all(&w, "bc");
	answer(&w, 403, "");
	assert_takes(&w, "b");
	assert_takes_nothing(&w);
	answer(&w, 200, "{}");
	assert_int_equal(status_of(&w).pause, OUTBOX_RUNNING);
	assert_takes(&w, "c");
	assert_takes(&w, "a");
	answer(&w, 200, "{}");
	answer(&w, 403, "");
	assert_int_equal(status_of(&w).pause, OUTBOX_RUNNING);
	add(&w, 'd');
	assert_takes(&w, "d");
	answer(&w, 200, "{}");
	pass(&w, 1000);
	assert_takes(&w, "a");
	answer(&w, 403, "");
	assert_ended(&w, "bcd", "a");
	assert_told(&w, "it is forbidden while others are taken");
	assert_int_equal(w.status, 403);
	assert_int_equal(status_of(&w).pause, OUTBOX_RUNNING);
	assert_empty(&w);
}

static void test_forbidden_batch_is_tried_one_by_one(void **state UNUSED)
{
	WORLD(w);

	add_all(&w, "abc");
	assert_takes(&w, "abc");
	answer(&w, 403, "");
	assert_takes(&w, "a");
	assert_takes_nothing(&w);
	answer(&w, 403, "");
	assert_takes(&w, "b");
	assert_takes_nothing(&w);
	answer(&w, 200, "{}");
	assert_takes(&w, "c");
	assert_takes(&w, "a");
	answer(&w, 200, "{}");
	answer(&w, 200, "{}");
	assert_ended(&w, "bca", "");
}

/* Only the first 403 is followed by another one's try at once. */
static void test_forbidden_events_have_their_turns_after_growing_waits(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	add_all(&w, "bc");
	answer(&w, 403, "");
	for (unsigned int i = 1; i < 6; i++) {
		assert_takes(&w, (const char[]){ "abc"[i % 3], '\0' });
		answer(&w, 403, "");
		assert_pauses(&w, OUTBOX_QUOTA, 500u << i, 1000u << i);
		pass(&w, status_of(&w).until_ms - w.now);
	}
	assert_ended(&w, "", "");
}

/* One event was forbidden again and again, so that it waits for long: that says nothing of
 * those that come later. */
static void test_event_that_comes_later_is_not_held_up_by_a_forbidden_one(void **state UNUSED)
{
	struct outbox_event forbidden, on_time;
	WORLD(w);

	forbidden = event_of(&w, "a");
	forbidden.deadline_ms = w.now + 600000;
	assert_int_equal(add_event(&w, 'a', &forbidden), 0);
	for (unsigned int i = 0; i < 8; i++) {
		pass_to_next(&w);
		assert_takes(&w, "a");
		answer(&w, 403, "");
	}
	assert_pauses(&w, OUTBOX_QUOTA, 64000, 128000);
	pass(&w, 1000);
	on_time = event_of(&w, "b");
	on_time.deadline_ms = w.now + 5000;
	on_time.on_time = true;
	assert_int_equal(add_event(&w, 'b', &on_time), 0);
	assert_true(next(&w) <= w.now);
	assert_takes(&w, "b");
	answer(&w, 200, "{}");
	assert_ended(&w, "b", "");
}

/* The more events were forbidden, the less likely it is that it is about what is in them. */
static void test_more_forbidden_events_make_later_ones_wait_longer(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, 403, "");
	for (unsigned int i = 1; i < 6; i++) {
		add(&w, (char)('a' + i));
		assert_takes(&w, (const char[]){ (char)('a' + i), '\0' });
		answer(&w, 403, "");
		add(&w, 'z');
		assert_pauses(&w, OUTBOX_QUOTA, 500u << i, 1000u << i);
		assert_takes_nothing(&w);
		assert_true(outbox_withdraw(w.outbox, &marks['z']));
		pass(&w, MIN(1000u << i, 16000u));
	}
	assert_ended(&w, "", "");
}

/* Others as well have to wait for as long as the hub says. */
static void test_403_that_says_for_how_long_holds_up_all(void **state UNUSED)
{
	struct verdict_answer a = status_answer(403, "");
	WORLD(w);

	a.retry_after_s = 7;
	add(&w, 'a');
	assert_takes(&w, "a");
	answer_with(&w, &a);
	add(&w, 'b');
	pass(&w, 6999);
	assert_takes_nothing(&w);
	pass(&w, 1);
	assert_takes(&w, "b");
}

static void test_quota_goes_on_when_the_probe_is_refused(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, 403, "quota");
	for (unsigned int i = 0; i < 5; i++) {
		pass(&w, status_of(&w).until_ms - w.now);
		add(&w, 'b');
		assert_takes(&w, "b");
		answer(&w, 403, "quota");
		assert_pauses(&w, OUTBOX_QUOTA, 300000, 900000);
	}
}

static void test_quota_lasts_through_trouble_and_refusals(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, 403, "quota");
	pass(&w, status_of(&w).until_ms - w.now);
	add(&w, 'b');
	assert_takes(&w, "b");
	no_answer(&w, false);
	assert_pauses(&w, OUTBOX_QUOTA, BACKOFF);
	pass(&w, 1000);
	assert_takes(&w, "b");
	answer(&w, 400, "");
	assert_pauses(&w, OUTBOX_QUOTA, BACKOFF);
	outbox_hub_is_back(w.outbox);
	assert_pauses(&w, OUTBOX_QUOTA, BACKOFF);
}

static void test_quota_of_requests_under_way_together_is_one(void **state UNUSED)
{
	WORLD(w);
	uint64_t until;

	add(&w, 'a');
	assert_takes(&w, "a");
	add(&w, 'b');
	assert_takes(&w, "b");
	answer(&w, 403, "quota");
	until = status_of(&w).until_ms;
	pass(&w, 1000);
	answer(&w, 403, "quota");
	assert_true(status_of(&w).until_ms == until);
	assert_int_equal(status_of(&w).n_waiting, 2);
}

static void test_quota_is_tried_at_once_on_demand(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, 403, "quota");
	add(&w, 'b');
	outbox_hurry(w.outbox);
	assert_takes(&w, "a");
	assert_takes_nothing(&w);
	answer(&w, 200, "{}");
	assert_takes(&w, "b");
}

/* ---- the table: the clock -------------------------------------------------------------- */

static const char too_old[] =
	"Timestamp expired: Given timestamp (2023-11-14T22:13:20Z) not within 600s of "
	"server time (2023-11-14T23:13:20Z)";

static struct verdict_answer clock_answer(const char *text, int64_t date)
{
	struct verdict_answer a = status_answer(401, text);

	a.date = date;
	return a;
}

static void test_clock_is_corrected_by_the_hubs_and_the_event_signed_again(void **state UNUSED)
{
	struct verdict_answer a = clock_answer(too_old, UNIX_S + 3600);
	WORLD(w);

	assert_true(outbox_clock_offset_s(w.outbox) == 0);
	add_without_id(&w, 'a');
	assert_takes(&w, "a");
	answer_with(&w, &a);
	assert_ended(&w, "", "");
	assert_true(outbox_clock_offset_s(w.outbox) == 3600);
	assert_true(status_of(&w).clock_offset_s == 3600);
	assert_takes(&w, "a");
	answer(&w, 200, "{}");
	assert_ended(&w, "a", "");
	add(&w, 'b');
	assert_takes(&w, "b");
	answer(&w, 200, "{}");
	assert_true(outbox_clock_offset_s(w.outbox) == 3600);
}

static void test_clock_of_1970_is_corrected_too(void **state UNUSED)
{
	struct verdict_answer a = clock_answer(too_old, UNIX_S);
	WORLD(w);

	a.unix_s = 17;
	add(&w, 'a');
	assert_takes(&w, "a");
	answer_with(&w, &a);
	assert_true(outbox_clock_offset_s(w.outbox) == UNIX_S - 17);
}

static void test_clock_is_corrected_once_for_an_event(void **state UNUSED)
{
	struct verdict_answer a = clock_answer(too_old, UNIX_S + 3600);
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer_with(&w, &a);
	assert_takes(&w, "a");
	answer_with(&w, &a);
	assert_ended(&w, "", "a");
	assert_int_equal(w.status, 401);
	assert_empty(&w);
}

static void test_clock_text_without_a_date_is_final(void **state UNUSED)
{
	check_final(401, too_old, 401, "this machine's clock");
}

static void test_clock_of_a_batch_is_corrected_for_all(void **state UNUSED)
{
	struct verdict_answer a = clock_answer(too_old, UNIX_S - 100000);
	WORLD(w);

	add_all(&w, "abc");
	assert_takes(&w, "abc");
	answer_with(&w, &a);
	assert_takes(&w, "abc");
	answer_with(&w, &a);
	assert_ended(&w, "", "abc");
}

static void test_clock_that_was_set_needs_no_correction(void **state UNUSED)
{
	struct verdict_answer a = clock_answer(too_old, UNIX_S + 3600);
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer_with(&w, &a);
	outbox_clock_set(w.outbox);
	assert_true(outbox_clock_offset_s(w.outbox) == 0);
	assert_takes(&w, "a");
}

/* Of a certificate that was not valid yet, by the clock as it was. */
static void test_trouble_with_the_clock_is_over_when_it_is_set(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer_with(&w, &(struct verdict_answer){
		.error = "the certificate is not yet valid", .unsent = true, .clock = true,
	});
	assert_takes_nothing(&w);
	outbox_clock_set(w.outbox);
	assert_takes(&w, "a");
	no_answer(&w, true);
	outbox_clock_set(w.outbox);
	assert_takes_nothing(&w);
}

static void test_clock_that_was_set_shortens_no_quota(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, 403, "quota");
	outbox_clock_set(w.outbox);
	assert_takes_nothing(&w);
	assert_pauses(&w, OUTBOX_QUOTA, 300000, 900000);
}

/* Of a certificate nothing is learned about the quota. */
static void test_clock_that_was_set_shortens_no_quota_whose_probe_failed_by_it(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	answer(&w, 403, "quota");
	pass(&w, status_of(&w).until_ms - w.now);
	add(&w, 'b');
	assert_takes(&w, "b");
	answer_with(&w, &(struct verdict_answer){
		.error = "the certificate is not yet valid", .unsent = true, .clock = true,
	});
	assert_pauses(&w, OUTBOX_QUOTA, BACKOFF);
	outbox_clock_set(w.outbox);
	assert_takes_nothing(&w);
	assert_pauses(&w, OUTBOX_QUOTA, BACKOFF);
	pass(&w, status_of(&w).until_ms - w.now);
	assert_takes(&w, "b");
}

static void test_clock_that_was_set_shortens_no_time_that_the_hub_has_named(void **state UNUSED)
{
	struct verdict_answer a = status_answer(429, "");
	WORLD(w);

	a.retry_after_s = 7;
	add(&w, 'a');
	assert_takes(&w, "a");
	answer_with(&w, &a);
	outbox_clock_set(w.outbox);
	pass(&w, 6999);
	assert_takes_nothing(&w);
	pass(&w, 1);
	assert_takes(&w, "a");
}

/* It was sent before the 429 came. */
static void check_time_that_the_hub_has_named_lasts(unsigned int status, const char *body)
{
	struct verdict_answer a = status_answer(429, "");
	WORLD(w);

	a.retry_after_s = 60;
	add(&w, 'a');
	assert_takes(&w, "a");
	add(&w, 'b');
	assert_takes(&w, "b");
	answer_with(&w, &a);
	answer(&w, status, body);
	assert_int_equal(status_of(&w).pause, OUTBOX_TROUBLE);
	pass(&w, 59999);
	assert_takes_nothing(&w);
	pass(&w, 1);
	assert_takes(&w, "a");
}

static void test_taken_event_shortens_no_time_that_the_hub_has_named(void **state UNUSED)
{
	check_time_that_the_hub_has_named_lasts(200, "{}");
}

static void test_refused_event_shortens_no_time_that_the_hub_has_named(void **state UNUSED)
{
	check_time_that_the_hub_has_named_lasts(413, "");
}

static void test_event_that_was_sent_before_does_not_end_the_quota(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	add(&w, 'b');
	assert_takes(&w, "b");
	answer(&w, 403, "quota");
	answer(&w, 200, "{}");
	assert_pauses(&w, OUTBOX_QUOTA, 300000, 900000);
}

static void test_event_that_was_sent_before_ends_trouble(void **state UNUSED)
{
	WORLD(w);

	add(&w, 'a');
	assert_takes(&w, "a");
	add(&w, 'b');
	assert_takes(&w, "b");
	answer(&w, 500, "");
	answer(&w, 200, "{}");
	assert_int_equal(status_of(&w).pause, OUTBOX_RUNNING);
}

static void test_status_says_whether_the_last_one_was_given_up(void **state UNUSED)
{
	WORLD(w);

	for (unsigned int i = 0; i < 2; i++) {
		assert_false(status_of(&w).failing);
		add(&w, 'a');
		assert_takes(&w, "a");
		answer(&w, 413, "");
		assert_true(status_of(&w).failing);
		add(&w, 'a');
		assert_takes(&w, "a");
		answer(&w, 200, "{}");
	}
}

static void test_what_was_wanted_before_a_reload_is_over(void **state UNUSED)
{
	struct verdict_answer a = status_answer(429, "");
	WORLD(w);

	a.retry_after_s = 3600;
	add(&w, 'a');
	assert_takes(&w, "a");
	answer_with(&w, &a);
	outbox_hurry(w.outbox);
	assert_takes(&w, "a");
	no_answer(&w, true);
	outbox_hub_is_back(w.outbox);
	assert_takes(&w, "a");
}

static void test_403_shortens_no_time_that_the_hub_has_named(void **state UNUSED)
{
	struct verdict_answer a = status_answer(429, "");
	uint64_t until_ms;
	WORLD(w);

	a.retry_after_s = 60;
	add(&w, 'a');
	assert_takes(&w, "a");
	add(&w, 'b');
	assert_takes(&w, "b");
	answer_with(&w, &a);
	until_ms = status_of(&w).until_ms;
	answer(&w, 403, "");
	assert_true(until_ms >= w.now + 60000);
	assert_true(status_of(&w).until_ms >= until_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_wanted_before_a_reload_is_over),
		cmocka_unit_test(test_taken_event_shortens_no_time_that_the_hub_has_named),
		cmocka_unit_test(test_refused_event_shortens_no_time_that_the_hub_has_named),
		cmocka_unit_test(test_event_that_was_sent_before_does_not_end_the_quota),
		cmocka_unit_test(test_event_that_was_sent_before_ends_trouble),
		cmocka_unit_test(test_status_says_whether_the_last_one_was_given_up),
		cmocka_unit_test(test_403_shortens_no_time_that_the_hub_has_named),
		cmocka_unit_test(test_one_alone_goes_at_once),
		cmocka_unit_test(test_what_waits_together_goes_together_in_order),
		cmocka_unit_test(test_batch_has_ten_at_most),
		cmocka_unit_test(test_batch_of_one_is_none),
		cmocka_unit_test(test_batch_keeps_below_the_size_of_a_request),
		cmocka_unit_test(test_event_larger_than_a_request_is_tried_alone),
		cmocka_unit_test(
			test_connections_are_limited_and_what_waits_meanwhile_goes_together),
		cmocka_unit_test(test_little_waits_for_company_while_a_request_is_under_way),
		cmocka_unit_test(test_full_batch_waits_for_no_company),
		cmocka_unit_test(test_full_request_waits_for_no_company),
		cmocka_unit_test(test_repeat_waits_for_no_company),
		cmocka_unit_test(test_event_is_tried_whose_time_is_over_when_it_comes),
		cmocka_unit_test(test_own_connection_is_excluded_by_its_present_id),
		cmocka_unit_test(test_one_without_id_makes_its_request_one_for_once),
		cmocka_unit_test(test_queue_is_bounded_by_bytes),
		cmocka_unit_test(test_event_that_waits_beyond_deadline_and_grace_is_given_up),
		cmocka_unit_test(test_event_of_no_use_after_its_deadline_has_no_grace),
		cmocka_unit_test(test_events_on_time_go_together_and_end_at_the_first_deadline),
		cmocka_unit_test(test_withdrawn_event_is_never_sent),
		cmocka_unit_test(test_doubt_of_one_try_stays),
		cmocka_unit_test(test_event_that_comes_too_late_is_given_up_unsent),
		cmocka_unit_test(test_deadline_passes_while_the_answer_is_awaited),
		cmocka_unit_test(test_endless_deadlines_do_not_overflow),
		cmocka_unit_test(test_what_is_left_at_the_end_is_freed_without_a_word),
		cmocka_unit_test(test_200_is_taken),
		cmocka_unit_test(test_202_is_taken),
		cmocka_unit_test(test_400_is_final),
		cmocka_unit_test(test_401_of_the_signature_is_final),
		cmocka_unit_test(test_403_with_a_page_is_final),
		cmocka_unit_test(test_404_is_final),
		cmocka_unit_test(test_407_is_final),
		cmocka_unit_test(test_413_is_final_and_told),
		cmocka_unit_test(test_422_is_final),
		cmocka_unit_test(test_3xx_is_final),
		cmocka_unit_test(test_other_4xx_is_final),
		cmocka_unit_test(test_200_with_an_error_in_its_body_is_what_the_body_says),
		cmocka_unit_test(test_page_is_not_quoted),
		cmocka_unit_test(test_words_of_the_hub_become_one_line_and_are_cut),
		cmocka_unit_test(test_unsent_comes_again_even_without_id),
		cmocka_unit_test(test_no_answer_comes_again_with_id_only),
		cmocka_unit_test(test_5xx_comes_again_with_id_only),
		cmocka_unit_test(test_408_comes_again_with_id_only),
		cmocka_unit_test(test_200_with_500_in_its_body_comes_again_with_id_only),
		cmocka_unit_test(test_200_with_a_page_is_no_answer_of_the_hub),
		cmocka_unit_test(test_429_comes_again_even_without_id),
		cmocka_unit_test(test_429_comes_again_after_the_time_it_names),
		cmocka_unit_test(test_503_comes_again_after_the_time_it_names),
		cmocka_unit_test(test_time_named_beyond_the_deadline_ends_the_event),
		cmocka_unit_test(test_waits_grow_to_their_limit),
		cmocka_unit_test(test_waits_begin_anew_after_an_answer),
		cmocka_unit_test(test_in_trouble_one_request_is_tried_at_a_time),
		cmocka_unit_test(test_requests_that_fail_together_count_once),
		cmocka_unit_test(test_batch_in_doubt_comes_again_but_for_those_without_id),
		cmocka_unit_test(test_first_try_in_doubt_goes_back_and_does_not_count_as_lost),
		cmocka_unit_test(test_event_that_brings_trouble_again_and_again_goes_alone),
		cmocka_unit_test(test_hub_that_is_back_ends_the_wait),
		cmocka_unit_test(test_hub_that_is_back_is_not_asked_before_its_own_time),
		cmocka_unit_test(test_batch_refused_with_400_is_sent_again_one_by_one),
		cmocka_unit_test(test_batch_refused_with_413_is_sent_again_one_by_one),
		cmocka_unit_test(test_batch_refused_with_422_is_sent_again_one_by_one),
		cmocka_unit_test(test_batch_refused_with_404_is_sent_again_one_by_one),
		cmocka_unit_test(test_batch_refused_otherwise_is_final_for_all),
		cmocka_unit_test(test_those_of_a_refused_batch_go_before_others),
		cmocka_unit_test(test_refused_without_id_is_sent_again_alone_as_it_was_not_taken),
		cmocka_unit_test(test_another_event_may_be_added_when_one_has_failed),
		cmocka_unit_test(test_quota_stops_all_until_one_probe_is_taken),
		cmocka_unit_test(test_quota_or_disabled_is_probed_slowly),
		cmocka_unit_test(test_403_that_does_not_say_why_is_probed_soon_then_slowly),
		cmocka_unit_test(test_403_of_requests_under_way_together_counts_once),
		cmocka_unit_test(test_event_that_is_always_forbidden_holds_up_no_other),
		cmocka_unit_test(test_forbidden_batch_is_tried_one_by_one),
		cmocka_unit_test(test_forbidden_events_have_their_turns_after_growing_waits),
		cmocka_unit_test(test_event_that_comes_later_is_not_held_up_by_a_forbidden_one),
		cmocka_unit_test(test_more_forbidden_events_make_later_ones_wait_longer),
		cmocka_unit_test(test_403_that_says_for_how_long_holds_up_all),
		cmocka_unit_test(test_quota_goes_on_when_the_probe_is_refused),
		cmocka_unit_test(test_quota_lasts_through_trouble_and_refusals),
		cmocka_unit_test(test_quota_of_requests_under_way_together_is_one),
		cmocka_unit_test(test_quota_is_tried_at_once_on_demand),
		cmocka_unit_test(test_clock_is_corrected_by_the_hubs_and_the_event_signed_again),
		cmocka_unit_test(test_clock_of_1970_is_corrected_too),
		cmocka_unit_test(test_clock_is_corrected_once_for_an_event),
		cmocka_unit_test(test_clock_text_without_a_date_is_final),
		cmocka_unit_test(test_clock_of_a_batch_is_corrected_for_all),
		cmocka_unit_test(test_clock_that_was_set_needs_no_correction),
		cmocka_unit_test(test_trouble_with_the_clock_is_over_when_it_is_set),
		cmocka_unit_test(test_clock_that_was_set_shortens_no_quota),
		cmocka_unit_test(
			test_clock_that_was_set_shortens_no_quota_whose_probe_failed_by_it),
		cmocka_unit_test(test_clock_that_was_set_shortens_no_time_that_the_hub_has_named),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
