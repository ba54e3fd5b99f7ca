/* SPDX-License-Identifier: MIT */
/*
 * Maps of options: every type, what is refused and with which words. Maps are written as JSON.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "gateway/options.h"
#include "libchapi-ipc/mp.h"
#include "libchapi-ipc/value.h"

struct settings {
	bool flag;
	int64_t number;
	struct span text, label;
	int choice;
	struct span texts, raw;
};

static const char *const choices[] = { "red", "green", "blue", NULL };

static const struct option table[] = {
	{ "flag", OPTION_BOOL, offsetof(struct settings, flag), 0, 0, NULL },
	{ "number", OPTION_NUMBER, offsetof(struct settings, number), -5, 100, NULL },
	{ "text", OPTION_TEXT, offsetof(struct settings, text), 1, 6, NULL },
	{ "label", OPTION_LABEL, offsetof(struct settings, label), 0, 4, NULL },
	{ "choice", OPTION_CHOICE, offsetof(struct settings, choice), 0, 0, choices },
	{ "texts", OPTION_TEXTS, offsetof(struct settings, texts), 0, 2, NULL },
	{ "raw", OPTION_RAW, offsetof(struct settings, raw), 0, 0, NULL },
};

static const struct settings defaults = { .flag = true, .number = 7, .choice = 2 };

/* What was read, and the map that its spans point into. */
struct reading {
	struct buf map;
	struct settings settings;
	struct options_fault fault;
};

static void reading_deinit(struct reading *r)
{
	buf_deinit(&r->map);
}

#define READING(r) CLEANUP(reading_deinit) struct reading r = { .settings = defaults }

static int read_json(struct reading *r, const char *json)
{
	struct value_fault fault;

	buf_clear(&r->map);
	if (value_from_json(span_str(json), MP_VALUE_DEPTH_MAX, &r->map, &fault) != 0)
		fail_msg("%s: %s", json, fault.text);
	return options_read(buf_span(&r->map), table, ARRAY_SIZE(table), &r->settings, &r->fault);
}

static void read_good(struct reading *r, const char *json)
{
	if (read_json(r, json) != 0)
		fail_msg("%s: %s", json, r->fault.text);
}

static void assert_refused(const char *json, const char *words)
{
	READING(r);

	if (read_json(&r, json) != OPTIONS_E_INVALID)
		fail_msg("%s was taken", json);
	assert_string_equal(r.fault.text, words);
}

static void assert_refused_bytes(struct span map, const char *words)
{
	READING(r);

	assert_int_equal(options_read(map, table, ARRAY_SIZE(table), &r.settings, &r.fault),
			 OPTIONS_E_INVALID);
	assert_string_equal(r.fault.text, words);
}

static void assert_raw(struct span raw, const char *json)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct value_fault fault;

	assert_int_equal(value_to_json(raw, MP_VALUE_DEPTH_MAX, &text, &fault), 0);
	assert_true(span_is(buf_span(&text), json));
}

/* ---- what is taken ---------------------------------------------------------------------- */

static void test_options_of_every_type(void **state UNUSED)
{
	READING(r);

	read_good(
		&r,
		"{\"flag\":false,\"number\":42,\"text\":\"Z\\u00fcri\",\"label\":\"a b~\","
		"\"choice\":\"green\","
		"\"texts\":[\"x\",\"\"],\"raw\":{\"a\":[1,null]}}");
	assert_false(r.settings.flag);
	assert_int_equal(r.settings.number, 42);
	assert_true(span_is(r.settings.text, "Z\xc3\xbcri"));
	assert_true(span_is(r.settings.label, "a b~"));
	assert_int_equal(r.settings.choice, 1);
	assert_raw(r.settings.texts, "[\"x\",\"\"]");
	assert_raw(r.settings.raw, "{\"a\":[1,null]}");
}

static void assert_defaults(const struct settings *s)
{
	assert_true(s->flag);
	assert_int_equal(s->number, 7);
	assert_int_equal(s->choice, 2);
	assert_null(s->text.p);
	assert_null(s->label.p);
	assert_null(s->texts.p);
	assert_null(s->raw.p);
}

static void test_options_not_there_keep_their_defaults(void **state UNUSED)
{
	READING(r);

	read_good(&r, "{}");
	assert_defaults(&r.settings);
	read_good(
		&r,
		"{\"Flag\":false,\"numbe\":1,\"number2\":1,\"\":[[]],\"other\":{\"flag\":false}}");
	assert_defaults(&r.settings);
}

static void test_options_nil_is_as_good_as_not_there(void **state UNUSED)
{
	READING(r);

	read_good(&r, "{\"flag\":null,\"number\":null,\"text\":null,\"label\":null,\"choice\":null,"
		      "\"texts\":null,\"raw\":null}");
	assert_defaults(&r.settings);
}

static void test_options_spans_point_into_the_map(void **state UNUSED)
{
	READING(r);

	read_good(&r, "{\"text\":\"abc\"}");
	assert_ptr_equal(r.settings.text.p, buf_data(&r.map) + r.map.len - 3);
}

static void test_options_last_of_equal_keys_counts(void **state UNUSED)
{
	READING(r);
	static const char map[] = "\x82\xa6number\x01\xa6number\x02";

	assert_int_equal(options_read(span_of(map, sizeof(map) - 1), table, ARRAY_SIZE(table),
				      &r.settings, &r.fault), 0);
	assert_int_equal(r.settings.number, 2);
}

static void test_options_number_in_every_encoding(void **state UNUSED)
{
	static const struct {
		const char *json;
		int64_t number;
	} cases[] = {
		{ "-5", -5 }, { "100", 100 }, { "0", 0 }, { "-1.0", -1 }, { "64.0", 64 },
		{ "1e2", 100 },
	};
	char json[60];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		READING(r);

		snprintf(json, sizeof(json), "{\"number\":%s}", cases[i].json);
		read_good(&r, json);
		assert_int_equal(r.settings.number, cases[i].number);
	}
}

static void test_options_texts_to_their_limits(void **state UNUSED)
{
	char json[200];
	READING(r);

	snprintf(json, sizeof(json), "{\"texts\":[\"%064d\"],\"text\":\"123456\",\"label\":\"\"}",
		 1);
	read_good(&r, json);
	assert_int_equal(r.settings.text.len, 6);
	assert_non_null(r.settings.label.p);
	read_good(&r, "{\"texts\":[],\"text\":\"1\"}");
	assert_int_equal(r.settings.texts.len, 1);
}

/* ---- what is refused -------------------------------------------------------------------- */

static void test_options_that_are_no_map(void **state UNUSED)
{
	static const char *const cases[] = { "[]", "\"flag\"", "null", "7", "true" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_refused(cases[i], "the options must be a map");
	assert_refused_bytes(span_of("", 0), "the options must be a map");
}

static void test_options_with_a_key_that_is_no_text(void **state UNUSED)
{
	assert_refused_bytes(span_of("\x81\x01\xc0", 3), "the keys of the options must be texts");
}

static void test_options_cut_short(void **state UNUSED)
{
	assert_refused_bytes(span_of("\x81\xa1x", 3), "the options are cut short");
	assert_refused_bytes(span_of("\x81\xa1x\x92\x01", 5), "the options are cut short");
	assert_refused_bytes(span_of("\x81", 1), "the keys of the options must be texts");
	assert_refused_bytes(span_of("\x81\xa3raw", 5), "option 'raw' has no value");
}

static void assert_each_refused(const char *key, const char *const *values, const char *words)
{
	char json[200];

	for (; *values; values++) {
		snprintf(json, sizeof(json), "{\"%s\":%s}", key, *values);
		assert_refused(json, words);
	}
}

static void test_options_wrong_bool(void **state UNUSED)
{
	static const char *const values[] = { "0", "1", "\"true\"", "[]", "{}", NULL };

	assert_each_refused("flag", values, "option 'flag' must be true or false");
}

static void test_options_wrong_number(void **state UNUSED)
{
	static const char *const values[] = {
		"-6", "101", "1.5", "-0.1", "\"7\"", "true", "[]", "1e300", "-1e300",
		"18446744073709551615", "-9223372036854775808", NULL,
	};

	assert_each_refused("number", values,
			    "option 'number' must be a whole number from -5 to 100");
	assert_refused_bytes(span_of("\x81\xa6number\xcb\x7f\xf8\0\0\0\0\0\0", 17),	/* NaN */
			     "option 'number' must be a whole number from -5 to 100");
	assert_refused_bytes(span_of("\x81\xa6number\xcb\x7f\xf0\0\0\0\0\0\0", 17), /* infinite */
			     "option 'number' must be a whole number from -5 to 100");
}

static void test_options_wrong_text(void **state UNUSED)
{
	static const char *const values[] = {
		"\"\"", "\"1234567\"", "\"12345\\u00e9\"", "7", "[\"a\"]", "{\"$bin\":\"YQ==\"}",
		NULL,
	};
	static const char words[] = "option 'text' must be a text (UTF-8) of 1 to 6 bytes";

	assert_each_refused("text", values, words);
	assert_refused_bytes(span_of("\x81\xa4text\xa1\xff", 8), words);
}

static void test_options_wrong_label(void **state UNUSED)
{
	static const char *const values[] = {
		"\"12345\"", "\"a\\nb\"", "\"\\u00e9\"", "\"\\u007f\"", "\"\\u0000\"", "7", NULL,
	};

	assert_each_refused("label", values,
			    "option 'label' must be a text of 0 to 4 printable ASCII characters");
}

static void test_options_wrong_choice(void **state UNUSED)
{
	static const char *const values[] = {
		"\"Red\"", "\"\"", "\"redd\"", "1", "[\"red\"]", NULL,
	};

	assert_each_refused("choice", values, "option 'choice' must be one of: red green blue");
}

static void test_options_wrong_texts(void **state UNUSED)
{
	static const char *const values[] = {
		"[\"a\",\"b\",\"c\"]", "[1]", "[\"a\",null]", "\"a\"", "{}", "[[\"a\"]]", NULL,
	};
	static const char words[] =
		"option 'texts' must be an array of at most 2 texts (UTF-8) of at most 64 bytes";
	char json[200];

	assert_each_refused("texts", values, words);
	assert_refused_bytes(span_of("\x81\xa5texts\x91\xa1\xff", 10), words);
	assert_refused_bytes(span_of("\x81\xa5texts\x92\xa1x", 10), words);
	snprintf(json, sizeof(json), "{\"texts\":[\"%065d\"]}", 1);
	assert_refused(json, words);
}

static void test_options_first_fault_counts(void **state UNUSED)
{
	assert_refused("{\"x\":1,\"choice\":5,\"flag\":5}",
		       "option 'choice' must be one of: red green blue");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_of_every_type),
		cmocka_unit_test(test_options_not_there_keep_their_defaults),
		cmocka_unit_test(test_options_nil_is_as_good_as_not_there),
		cmocka_unit_test(test_options_spans_point_into_the_map),
		cmocka_unit_test(test_options_last_of_equal_keys_counts),
		cmocka_unit_test(test_options_number_in_every_encoding),
		cmocka_unit_test(test_options_texts_to_their_limits),
		cmocka_unit_test(test_options_that_are_no_map),
		cmocka_unit_test(test_options_with_a_key_that_is_no_text),
		cmocka_unit_test(test_options_cut_short),
		cmocka_unit_test(test_options_wrong_bool),
		cmocka_unit_test(test_options_wrong_number),
		cmocka_unit_test(test_options_wrong_text),
		cmocka_unit_test(test_options_wrong_label),
		cmocka_unit_test(test_options_wrong_choice),
		cmocka_unit_test(test_options_wrong_texts),
		cmocka_unit_test(test_options_first_fault_counts),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
