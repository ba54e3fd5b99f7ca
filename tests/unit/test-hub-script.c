/* SPDX-License-Identifier: MIT */
/*
 * Scripts of the hub: what a line means, when a rule acts (script.h), and which form a message
 * is given (forms.h).
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "tests/hub/forms.h"
#include "tests/hub/script.h"

static int setup(void **state)
{
	return script_new((struct script **)state);
}

static int teardown(void **state)
{
	script_free(*state);
	return 0;
}

static void take(struct script *script, const char *text)
{
	struct script_line line;
	const char *why = "?";

	if (script_take(script, text, &line, &why) != 0)
		fail_msg("%s: %s", text, why);
	script_line_deinit(&line);
}

static void assert_refused(struct script *script, const char *text, const char *reason)
{
	struct script_line line;
	const char *why = "";

	assert_int_equal(script_take(script, text, &line, &why), SCRIPT_E_BAD);
	if (!strstr(why, reason))
		fail_msg("%s: %s, and not: %s", text, why, reason);
}

static size_t happens(struct script *script, enum script_when when, const char *name,
		      const char *client)
{
	const struct script_event event = { .when = when, .name = name, .client = client };
	struct script_hits hits;

	script_match(script, &event, &hits);
	return hits.n;
}

/* '1' or '0' for each of the first times. */
static void assert_acts(struct script *script, const char *rule, const char *expected)
{
	char line[100];

	take(script, "forget");
	snprintf(line, sizeof(line), "on post %s do answer 502", rule);
	take(script, line);
	for (; *expected; expected++)
		assert_int_equal(happens(script, SCRIPT_POST, "events", NULL), *expected - '0');
}

static void test_count_says_which_times(void **state)
{
	assert_acts(*state, "", "100");
	assert_acts(*state, "events", "100");
	assert_acts(*state, "2", "0100");
	assert_acts(*state, "1-3", "11100");
	assert_acts(*state, "events 2-", "01111");
	assert_acts(*state, "all", "111");
	assert_acts(*state, "100%", "111");
}

static void test_chance_is_about_right_and_repeatable(void **state)
{
	size_t n[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		take(*state, "forget");
		take(*state, "seed 7");
		take(*state, "on deliver 10% do swallow");
		for (int k = 0; k < 1000; k++)
			n[i] += happens(*state, SCRIPT_DELIVER, "x", NULL);
	}
	assert_int_equal(n[0], n[1]);
	assert_in_range(n[0], 60, 140);
}

static void test_rule_is_for_one_name_and_one_client(void **state)
{
	take(*state, "on receive pusher:sub* client chapi-* all do ignore");
	assert_int_equal(happens(*state, SCRIPT_RECEIVE, "pusher:subscribe", "chapi-gw"), 1);
	assert_int_equal(happens(*state, SCRIPT_RECEIVE, "pusher:subscribe", "test"), 0);
	assert_int_equal(happens(*state, SCRIPT_RECEIVE, "pusher:ping", "chapi-gw"), 0);
	assert_int_equal(happens(*state, SCRIPT_DELIVER, "pusher:subscribe", "chapi-gw"), 0);
	assert_int_equal(happens(*state, SCRIPT_RECEIVE, "pusher:subscribe", NULL), 0);
}

static void test_several_rules_act_in_their_order(void **state)
{
	const struct script_event event = { .when = SCRIPT_DELIVER, .name = "request" };
	struct script_hits hits;

	take(*state, "on deliver request do delay 700ms");
	take(*state, "on deliver do close 4200 'come back'");
	script_match(*state, &event, &hits);
	assert_int_equal(hits.n, 2);
	assert_int_equal(hits.actions[0]->number, 700);
	assert_string_equal(hits.actions[1]->arguments[1], "come back");
	assert_non_null(script_hits_find(&hits, SCRIPT_CLOSE));
	assert_null(script_hits_find(&hits, SCRIPT_SWALLOW));
}

static void test_words_and_json_say_the_same(void **state)
{
	const char *const lines[] = {
		"  on post do answer 502 '<h1>it is # \"so\"</h1>' 'Retry-After: 3' # why",
		"[\"on\",\"post\",\"do\",\"answer\",\"502\",\"<h1>it is # \\\"so\\\"</h1>\","
		"\"Retry-After: 3\"]",
	};
	const struct script_event event = { .when = SCRIPT_POST, .name = "events" };
	struct script_hits hits;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		take(*state, "forget");
		take(*state, lines[i]);
		script_match(*state, &event, &hits);
		assert_int_equal(hits.n, 1);
		assert_int_equal(hits.actions[0]->number, 502);
		assert_int_equal(hits.actions[0]->n_arguments, 3);
		assert_string_equal(hits.actions[0]->arguments[1], "<h1>it is # \"so\"</h1>");
	}
}

static void assert_now(struct script *script, const char *text, enum script_act act, int64_t number)
{
	struct script_line line;
	const char *why;

	assert_int_equal(script_take(script, text, &line, &why), 0);
	assert_int_equal(line.command, SCRIPT_ACT_NOW);
	assert_int_equal(line.action.act, act);
	assert_int_equal(line.action.number, number);
	script_line_deinit(&line);
}

static void test_now_is_handed_out(void **state)
{
	assert_now(*state, "now clock +1h", SCRIPT_CLOCK, 3600000);
	assert_now(*state, "now clock -10m", SCRIPT_CLOCK, -600000);
	assert_now(*state, "now clock 0", SCRIPT_CLOCK, 0);
	assert_now(*state, "now client chapi-gw cut", SCRIPT_CUT, 0);
	assert_now(*state, "now error null 'no code'", SCRIPT_ERROR, -1);
	assert_now(*state, "now close", SCRIPT_CLOSE, 0);
	assert_now(*state, "now certificate a.pem a.key", SCRIPT_CERTIFICATE, 0);
}

static void test_nonsense_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *line, *reason;
	} lines[] = {
		{ "hello", "begins with" },
		{ "on", "begins with on" },
		{ "on dinner do cut", "begins with on" },
		{ "on post", "do ACTION" },
		{ "on post do", "action is missing" },
		{ "on post do fly", "no such action" },
		{ "on post do swallow", "not possible here" },
		{ "on deliver do answer 200", "not possible here" },
		{ "on deliver do delay", "more arguments" },
		{ "on deliver do delay 1s 2s", "that many" },
		{ "on deliver do delay soon", "a time is" },
		{ "on deliver do delay 2h", "a time is" },
		{ "on deliver 0 do swallow", "how often" },
		{ "on deliver 3-2 do swallow", "how often" },
		{ "on deliver 0% do swallow", "how often" },
		{ "on deliver 101% do swallow", "how often" },
		{ "on deliver 2x do swallow", "how often" },
		{ "on deliver client", "client takes" },
		{ "on deliver do fragment 0", "at least" },
		{ "on deliver do data round", "data is" },
		{ "on deliver do close 42", "close code" },
		{ "on post do answer 99", "status" },
		{ "now", "action is missing" },
		{ "now swallow", "not possible" },
		{ "now clock 1h", "the clock" },
		{ "now send 'x", "without its fellow" },
		{ "seed 0", "from 1 to 100000000" },
		{ "seed", "one number" },
		{ "seed 7 8", "one number" },
		{ "seed 100000001", "from 1 to" },
		{ "rules now", "no arguments" },
		{ "[1]", "array of strings" },
		{ "[\"now\"", "not a JSON" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_refused(*state, lines[i].line, lines[i].reason);
	assert_int_equal(happens(*state, SCRIPT_DELIVER, "x", NULL), 0);
}

static void test_rules_have_a_ceiling(void **state)
{
	for (int i = 0; i < SCRIPT_RULES_MAX; i++)
		take(*state, "on post do cut");
	assert_refused(*state, "on post do cut", "too many rules");
	take(*state, "forget");
	take(*state, "on post do cut");
}

static void test_rules_are_shown_with_what_they_did(void **state)
{
	struct buf out = BUF_NULL;

	take(*state, "on deliver 2 do swallow");
	for (int i = 0; i < 3; i++)
		happens(*state, SCRIPT_DELIVER, "x", NULL);
	script_put_rules(*state, &out);
	buf_put_byte(&out, '\0');
	assert_string_equal((const char *)buf_data(&out),
			    "[{\"rule\":\"on deliver 2 do swallow\",\"seen\":3,\"done\":1}]");
	buf_deinit(&out);
}

static void test_empty_lines_and_comments_mean_nothing(void **state)
{
	struct script_line line;
	const char *why;

	assert_int_equal(script_take(*state, " \t\r\n", &line, &why), 0);
	assert_int_equal(line.command, SCRIPT_NOTHING);
	assert_int_equal(script_take(*state, "# on post do cut", &line, &why), 0);
	assert_int_equal(line.command, SCRIPT_NOTHING);
}

/* ---- forms -------------------------------------------------------------------------------- */

static void assert_text(struct buf *out, const char *expected)
{
	buf_put_byte(out, '\0');
	assert_string_equal((const char *)buf_data(out), expected);
	buf_deinit(out);
}

static void test_names_stand_for_values(void **state UNUSED)
{
	const struct forms_values values = {
		.event = span_str("e"),
		.channel = span_str("c"),
		.socket_id = span_str("1.2"),
		.data = span_str("{}"),
	};
	struct buf out = BUF_NULL;

	forms_expand("$event,$channel,$socket_id,$data,$fill(3),$$,$other,$fill(x)$", &values,
		     &out);
	assert_text(&out, "e,c,1.2,{},xxx,$,$other,$fill(x)$");
}

static void test_data_gets_another_form(void **state UNUSED)
{
	static const struct {
		const char *message, *expected;
		enum forms_data form;
	} cases[] = {
		{ "{\"event\":\"e\",\"data\":\"{\\\"a\\\":1}\"}",
		  "{\"event\":\"e\",\"data\":{\"a\":1}}", FORMS_OBJECT },
		{ "{\"event\":\"e\",\"data\":{\"a\":1}}",
		  "{\"event\":\"e\",\"data\":\"{\\\"a\\\":1}\"}", FORMS_STRING },
		{ "{\"event\":\"e\",\"data\":\"x\"}", "{\"event\":\"e\",\"data\":[\"x\"]}",
		  FORMS_ARRAY },
		{ "{\"event\":\"e\",\"data\":\"x\"}", "{\"event\":\"e\",\"data\":1}",
		  FORMS_NUMBER },
		{ "{\"event\":\"e\",\"data\":\"x\"}", "{\"event\":\"e\",\"data\":null}",
		  FORMS_NULL },
		{ "{\"event\":\"e\",\"data\":\"x\"}", "{\"event\":\"e\"}", FORMS_ABSENT },
		{ "{\"event\":\"e\",\"data\":\"x\"}", "{\"event\":\"e\",\"data\":\"\"}",
		  FORMS_EMPTY },
		{ "no message", "no message", FORMS_OBJECT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = BUF_NULL;

		forms_change(span_str(cases[i].message), cases[i].form, &out);
		assert_text(&out, cases[i].expected);
	}
}

static void test_digits_are_bytes(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	assert_true(forms_hex("41fF", &out));
	assert_int_equal(out.len, 2);
	assert_memory_equal(buf_data(&out), "A\xff", 2);
	assert_false(forms_hex("4", &out));
	assert_false(forms_hex("4g", &out));
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define SCRIPT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		SCRIPT_TEST(test_count_says_which_times),
		SCRIPT_TEST(test_chance_is_about_right_and_repeatable),
		SCRIPT_TEST(test_rule_is_for_one_name_and_one_client),
		SCRIPT_TEST(test_several_rules_act_in_their_order),
		SCRIPT_TEST(test_words_and_json_say_the_same),
		SCRIPT_TEST(test_now_is_handed_out),
		SCRIPT_TEST(test_nonsense_is_refused_with_a_reason),
		SCRIPT_TEST(test_rules_have_a_ceiling),
		SCRIPT_TEST(test_rules_are_shown_with_what_they_did),
		SCRIPT_TEST(test_empty_lines_and_comments_mean_nothing),
		cmocka_unit_test(test_names_stand_for_values),
		cmocka_unit_test(test_data_gets_another_form),
		cmocka_unit_test(test_digits_are_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
