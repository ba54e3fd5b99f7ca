/* SPDX-License-Identifier: MIT */
/*
 * Descriptions of values: what is one, what fits one, and what is said of that which does not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/utf8.h"
#include "gateway/schema.h"
#include "libchapi-ipc/buf.h"
#include "libchapi-ipc/mp.h"
#include "libchapi-ipc/value.h"
#include "tests/unit/bytes.h"

/* A string constant as bytes, NULs and all. */

static struct buf value_of(const char *json)
{
	struct buf b = BUF_NULL;
	struct value_fault fault;

	if (value_from_json(span_str(json), 64, &b, &fault) != 0)
		fail_msg("%s: %s", json, fault.text);
	return b;
}

static void assert_says(const struct schema_fault *fault, const char *words)
{
	if (!strstr(fault->text, words))
		fail_msg("\"%s\" does not say \"%s\"", fault->text, words);
	assert_true(strlen(fault->text) < sizeof(fault->text));
	assert_true(utf8_is_valid(span_str(fault->text)));
	for (const char *p = fault->text; *p; p++)
		assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
}

/* ---- schema_check() -------------------------------------------------------------------------- */

static void assert_is_schema(const char *json)
{
	CLEANUP(buf_deinit) struct buf schema = value_of(json);
	struct schema_fault fault;

	if (schema_check(buf_span(&schema), "params", &fault) != 0)
		fail_msg("%s: %s", json, fault.text);
}

static void assert_bytes_are_no_schema(struct span schema, const char *words)
{
	struct schema_fault fault = { "" };

	assert_int_equal(schema_check(schema, "params", &fault), SCHEMA_E_INVALID);
	assert_says(&fault, words);
}

static void assert_is_no_schema(const char *json, const char *words)
{
	CLEANUP(buf_deinit) struct buf schema = value_of(json);

	assert_bytes_are_no_schema(buf_span(&schema), words);
}

static void test_every_keyword_is_known(void **state UNUSED)
{
	assert_is_schema("{}");
	assert_is_schema(
		"{\"type\":\"object\",\"title\":\"t\",\"description\":\"d\",\"default\":{},"
		"\"properties\":{\"a\":{\"type\":[\"integer\",\"null\"],\"minimum\":-1.5,"
		"\"maximum\":18446744073709551615,\"default\":7},"
		"\"b\":{\"type\":\"string\",\"minLength\":0,\"maxLength\":5.0},"
		"\"c\":{\"type\":\"array\",\"items\":{\"type\":\"binary\"}},"
		"\"d\":{\"enum\":[1,\"x\",null,{\"$bin\":\"AA==\"},{\"k\":[]}]}},"
		"\"required\":[\"a\",\"not described\"]}");
}

static void test_type_is_a_name_or_some_names(void **state UNUSED)
{
	assert_is_schema("{\"type\":[\"null\",\"boolean\",\"integer\",\"number\",\"string\","
			 "\"binary\",\"array\",\"object\"]}");
	assert_is_no_schema("{\"type\":\"int\"}",
			    "params.type must be one of null, boolean, integer");
	assert_is_no_schema("{\"type\":[]}", "params.type must have one type");
	assert_is_no_schema("{\"type\":[\"string\",\"string\"]}", "params.type has a type twice");
	assert_is_no_schema("{\"type\":[\"string\",7]}", "params.type must be one of");
	assert_is_no_schema("{\"type\":null}", "params.type must be one of");
	assert_is_no_schema("{\"type\":{\"string\":true}}", "params.type must be one of");
}

static void test_values_of_keywords_have_their_types(void **state UNUSED)
{
	assert_is_no_schema("{\"properties\":[]}", "params.properties must be an object");
	assert_is_no_schema("{\"items\":[{}]}", "params.items must be an object");
	assert_is_no_schema("{\"required\":\"a\"}", "params.required must be an array");
	assert_is_no_schema("{\"required\":[1]}", "params.required must be an array of strings");
	assert_is_no_schema("{\"required\":[\"a\",\"b\",\"a\"]}",
			    "params.required has \"a\" twice");
	assert_is_no_schema("{\"enum\":1}", "params.enum must be an array");
	assert_is_no_schema("{\"enum\":[]}", "params.enum must have one value");
	assert_is_no_schema("{\"minimum\":\"1\"}", "params.minimum must be a number");
	assert_is_no_schema("{\"maximum\":null}", "params.maximum must be a number");
	assert_is_no_schema("{\"minLength\":-1}", "params.minLength must be a whole number");
	assert_is_no_schema("{\"minLength\":1.5}", "params.minLength must be a whole number");
	assert_is_no_schema("{\"maxLength\":1e30}", "params.maxLength must be a whole number");
	assert_is_no_schema("{\"title\":1}", "params.title must be a string");
	assert_is_no_schema("{\"description\":[]}", "params.description must be a string");
}

static void test_bounds_that_exclude_everything_are_refused(void **state UNUSED)
{
	assert_is_schema("{\"minimum\":3,\"maximum\":3.0,\"minLength\":2,\"maxLength\":2}");
	assert_is_no_schema("{\"minimum\":3,\"maximum\":2.5}", "params.minimum is above maximum");
	assert_is_no_schema("{\"minLength\":3,\"maxLength\":2}",
			    "params.minLength is above maxLength");
}

static void test_what_is_no_map_is_no_description(void **state UNUSED)
{
	static const char *const values[] = { "null", "true", "1", "\"string\"", "[]" };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		assert_is_no_schema(values[i], "params must be an object that describes a value");
	assert_is_no_schema("{\"items\":{\"properties\":{\"a b\":7}}}",
			    "params.items.properties[\"a b\"] ");
	assert_bytes_are_no_schema(SPAN(""), "params must be one value");
	assert_bytes_are_no_schema(SPAN("\x80\x80"), "params must be one value");
	assert_bytes_are_no_schema(SPAN("\x81\xa4type"), "params must be one value");
	assert_bytes_are_no_schema(SPAN("\xc1"), "params must be one value");
}

static void test_unknown_keywords_are_refused_with_their_place(void **state UNUSED)
{
	assert_is_no_schema("{\"pattern\":\"x\"}",
			    "params has the keyword \"pattern\"; known are only type,");
	assert_is_no_schema("{\"properties\":{\"list\":{\"items\":{\"const\":1}}}}",
			    "params.properties.list.items has the keyword \"const\"");
	assert_is_no_schema("{\"Type\":\"string\"}", "keyword \"Type\"");
	assert_is_no_schema("{\"\\n\\u0000\":1}", "keyword \"??\"");
	assert_bytes_are_no_schema(SPAN("\x81\x01\x80"), "params has a key that is no string");
	assert_bytes_are_no_schema(SPAN("\x81\xaaproperties\x81\x01\x80"),
				   "params.properties has a key that is no string");
}

static void test_what_json_cannot_say_is_no_description(void **state UNUSED)
{
	assert_bytes_are_no_schema(SPAN("\x82\xa5title\xa1" "a\xa5title\xa1" "b"), "twice");
	assert_bytes_are_no_schema(SPAN("\x81\xaaproperties\x82\xa1" "a\x80\xa1" "a\x80"),
				   "twice");
	assert_bytes_are_no_schema(SPAN("\x81\xa4" "enum\x91\x82\x01\xc0\xa1" "1\xc0"), "twice");
	assert_bytes_are_no_schema(SPAN("\x81\xa5title\xa1\xff"), "UTF-8");
	assert_bytes_are_no_schema(SPAN("\x81\xa7minimum\xcb\x7f\xf8\0\0\0\0\0\0"), "NaN");
	assert_bytes_are_no_schema(SPAN("\x81\xa7" "default\xd4\x05\0"),
				   "params cannot be a description");
}

/* {"items":{"items": ... {} ... }}, so many levels of maps. */
static struct buf nested_schema(unsigned int levels)
{
	struct buf b = BUF_NULL;

	for (; levels > 1; levels--) {
		mp_put_map(&b, 1);
		mp_put_str(&b, "items");
	}
	mp_put_map(&b, 0);
	return b;
}

static void test_depth_of_descriptions_is_limited(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf most = nested_schema(MP_VALUE_DEPTH_MAX);
	CLEANUP(buf_deinit) struct buf more = nested_schema(MP_VALUE_DEPTH_MAX + 1);
	CLEANUP(buf_deinit) struct buf far_more = nested_schema(9000);
	struct schema_fault fault;

	assert_int_equal(schema_check(buf_span(&most), "params", &fault), 0);
	assert_bytes_are_no_schema(buf_span(&more),
				   "params is a description of more than 24 levels");
	assert_bytes_are_no_schema(buf_span(&far_more),
				   "params is a description of more than 24 levels");
}

static struct buf schema_with_names(const char *keyword, unsigned int n)
{
	struct buf b = BUF_NULL;
	char name[16];

	mp_put_map(&b, 1);
	mp_put_str(&b, keyword);
	if (strcmp(keyword, "properties") == 0)
		mp_put_map(&b, n);
	else
		mp_put_array(&b, n);
	for (unsigned int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%u", i);
		mp_put_str(&b, name);
		if (strcmp(keyword, "properties") == 0)
			mp_put_map(&b, 0);
	}
	return b;
}

static void test_size_of_descriptions_is_limited(void **state UNUSED)
{
	static const char *const keywords[] = { "properties", "required" };
	CLEANUP(buf_deinit) struct buf large = BUF_NULL;
	struct schema_fault fault;

	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++) {
		CLEANUP(buf_deinit) struct buf most = schema_with_names(keywords[i], 256);
		CLEANUP(buf_deinit) struct buf more = schema_with_names(keywords[i], 257);

		assert_int_equal(schema_check(buf_span(&most), "params", &fault), 0);
		assert_bytes_are_no_schema(buf_span(&more), "has too many names; at most 256");
	}
	mp_put_map(&large, 1);
	mp_put_str(&large, "enum");
	mp_put_array(&large, SCHEMA_LEN_MAX);
	for (unsigned int i = 0; i < SCHEMA_LEN_MAX; i++)
		mp_put_nil(&large);
	assert_bytes_are_no_schema(buf_span(&large), "at most 65536 are allowed");
}

static void test_each_cut_of_a_description_is_refused(void **state UNUSED)
{
	CLEANUP(buf_deinit)
	struct buf schema = value_of(
		"{\"type\":[\"object\"],\"properties\":{\"a\":"
		"{\"enum\":[1,{\"b\":2}],\"minLength\":300}},\"required\":[\"a\"],\"items\":{}}");
	struct schema_fault fault;

	assert_int_equal(schema_check(buf_span(&schema), "params", &fault), 0);
	for (size_t len = 0; len < schema.len; len++) {
		uint8_t *cut = malloc(len + 1);	/* of that size, for the sanitizer */

		memcpy(cut, buf_data(&schema), len);
		assert_int_equal(schema_check(span_of(cut, len), "params", &fault),
				 SCHEMA_E_INVALID);
		free(cut);
	}
}

/* ---- schema_match() -------------------------------------------------------------------------- */

static int match_bufs(const struct buf *schema, const struct buf *value, struct schema_fault *fault)
{
	uint64_t work = 0;

	return schema_match(buf_span(schema), buf_span(value), "params", &work, fault);
}

static int match(const char *schema_json, struct span value, struct schema_fault *fault)
{
	CLEANUP(buf_deinit) struct buf schema = value_of(schema_json);
	uint64_t work = 0;

	assert_is_schema(schema_json);
	return schema_match(buf_span(&schema), value, "params", &work, fault);
}

static void assert_bytes_fit(const char *schema, struct span value)
{
	struct schema_fault fault;

	if (match(schema, value, &fault) != 0)
		fail_msg("%s: %s", schema, fault.text);
}

static void assert_bytes_do_not_fit(const char *schema, struct span value, const char *words)
{
	struct schema_fault fault = { "" };

	assert_int_equal(match(schema, value, &fault), SCHEMA_E_INVALID);
	assert_says(&fault, words);
}

static void assert_fits(const char *schema, const char *json)
{
	CLEANUP(buf_deinit) struct buf value = value_of(json);

	assert_bytes_fit(schema, buf_span(&value));
}

static void assert_does_not_fit(const char *schema, const char *json, const char *words)
{
	CLEANUP(buf_deinit) struct buf value = value_of(json);

	assert_bytes_do_not_fit(schema, buf_span(&value), words);
}

static const struct {
	const char *value, *types;	/* those that it fits */
	const char *words;
} kinds[] = {
	{ "null", "null", "null" },
	{ "false", "boolean", "a boolean" },
	{ "1", "integer number", "an integer" },
	{ "-9223372036854775808", "integer number", "an integer" },
	{ "18446744073709551615", "integer number", "an integer" },
	{ "18446744073709551616", "integer number", "an integer" },	/* a float */
	{ "1.0", "integer number", "an integer" },
	{ "-1e300", "integer number", "an integer" },
	{ "1.5", "number", "a number with a fraction" },
	{ "\"\"", "string", "a string" },
	{ "{\"$bin\":\"\"}", "binary", "binary" },
	{ "[]", "array", "an array" },
	{ "{}", "object", "an object" },
	{ "{\"$time\":\"2024-01-01T00:00:00Z\"}", "", "a time" },
};

static void test_each_type_takes_its_values_alone(void **state UNUSED)
{
	static const char *const types[] = { "null", "boolean", "integer", "number", "string",
					     "binary", "array", "object" };
	char schema[64], words[80];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_fits("{}", kinds[i].value);
		for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
			snprintf(schema, sizeof(schema), "{\"type\":\"%s\"}", types[t]);
			snprintf(words, sizeof(words), "params is %s; it must be ", kinds[i].words);
			if (strstr(kinds[i].types, types[t]))
				assert_fits(schema, kinds[i].value);
			else
				assert_does_not_fit(schema, kinds[i].value, words);
		}
	}
}

static void test_one_of_several_types_is_enough(void **state UNUSED)
{
	static const char schema[] = "{\"type\":[\"null\",\"integer\",\"string\"]}";

	assert_fits(schema, "null");
	assert_fits(schema, "\"x\"");
	assert_does_not_fit(schema, "[]",
			    "params is an array; it must be null, an integer or a string");
	assert_does_not_fit("{\"type\":[\"number\",\"null\"]}", "\"x\"",
			    "must be null or a number");
}

static void test_place_leads_to_the_value(void **state UNUSED)
{
	static const char schema[] = "{\"properties\":{\"list\":{\"items\":{\"type\":\"integer\"}},"
		"\"a b\":{\"properties\":{\"\":{\"type\":\"null\"}}}}}";

	assert_fits(schema, "{\"list\":[1,2,3]}");
	assert_does_not_fit(schema, "{\"list\":[1,2,3,\"x\",4]}",
			    "params.list[3] is a string; it must be an integer");
	assert_does_not_fit(schema, "{\"a b\":{\"\":1}}",
			    "params[\"a b\"][\"\"] is an integer; it must be null");
}

static void test_long_places_are_cut(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf schema = BUF_NULL, value = BUF_NULL;
	struct schema_fault fault = { "" };
	static const char name[] = "zähler-für-alles-was-es-gibt-und-noch-etwas-mehr-und-mehr";

	for (int i = 0; i < 10; i++) {
		mp_put_map(&schema, 1);
		mp_put_str(&schema, "properties");
		mp_put_map(&schema, 1);
		mp_put_str(&schema, name);
		mp_put_map(&value, 1);
		mp_put_str(&value, name);
	}
	mp_put_map(&schema, 1);
	mp_put_str(&schema, "type");
	mp_put_str(&schema, "null");
	mp_put_uint(&value, 1);
	assert_int_equal(schema_check(buf_span(&schema), "params", &fault), 0);
	assert_int_equal(match_bufs(&schema, &value, &fault), SCHEMA_E_INVALID);
	assert_says(&fault, "... is an integer; it must be null");
	assert_memory_equal(fault.text, "params[\"z\xc3\xa4hler-f", 17);
}

static void test_bounds_are_allowed_themselves(void **state UNUSED)
{
	static const char schema[] = "{\"minimum\":-2,\"maximum\":2.5}";

	assert_fits(schema, "-2");
	assert_fits(schema, "-2.0");
	assert_fits(schema, "2.5");
	assert_fits(schema, "\"not a number\"");
	assert_does_not_fit(schema, "-3", "params is below its minimum, -2");
	assert_does_not_fit(schema, "-2.001", "params is below its minimum, -2");
	assert_does_not_fit(schema, "3", "params is above its maximum, 2.5");
	assert_does_not_fit(schema, "1e300", "params is above its maximum, 2.5");
}

static void test_large_integers_are_compared_exactly(void **state UNUSED)
{
	assert_fits("{\"maximum\":9007199254740992}", "9007199254740992.0");
	assert_does_not_fit("{\"maximum\":9007199254740992.0}", "9007199254740993", "above");
	assert_does_not_fit("{\"minimum\":9007199254740993}", "9007199254740992.0", "below");
	assert_fits("{\"maximum\":1.8446744073709552e19}", "18446744073709551615");
	assert_does_not_fit("{\"minimum\":1.8446744073709552e19}", "18446744073709551615", "below");
	assert_fits("{\"minimum\":-9.223372036854775808e18}", "-9223372036854775808");
	assert_does_not_fit("{\"minimum\":-9223372036854775808}", "-9.3e18", "below");
	assert_does_not_fit("{\"maximum\":-1}", "18446744073709551615", "above");
	assert_does_not_fit("{\"maximum\":-0.5}", "0", "above");
	assert_fits("{\"maximum\":-0.5}", "-1");
	assert_fits("{\"minimum\":0,\"maximum\":0}", "-0.0");
}

static void test_length_counts_characters_or_bytes(void **state UNUSED)
{
	static const char schema[] = "{\"minLength\":2,\"maxLength\":3}";

	assert_fits(schema, "\"ab\"");
	assert_fits(schema, "\"\\u00e4\\u20ac\\ud83d\\ude00\"");
	assert_does_not_fit(schema, "\"\\ud83d\\ude00\"", "params is shorter than 2 characters");
	assert_does_not_fit(schema, "\"abcd\"", "params is longer than 3 characters");
	assert_fits(schema, "{\"$bin\":\"w6Q=\"}");
	assert_does_not_fit(schema, "{\"$bin\":\"AA==\"}", "params is shorter than 2 bytes");
	assert_does_not_fit(schema, "{\"$bin\":\"AAAAAA==\"}", "params is longer than 3 bytes");
	assert_does_not_fit("{\"minLength\":1}", "\"\"", "shorter than 1 character");
	assert_fits(schema, "[1]");
	assert_fits("{\"maxLength\":0}", "\"\"");
}

static void test_choices_are_compared_deeply(void **state UNUSED)
{
	static const char schema[] = "{\"enum\":[1,9007199254740993,\"on\",null,[1,[2]],"
		"{\"a\":1,\"b\":{\"c\":[]}},{\"$bin\":\"b24=\"}]}";
	static const char *const fitting[] = { "1", "1.0", "9007199254740993", "\"on\"", "null",
		"[1.0,[2]]", "{\"a\":1,\"b\":{\"c\":[]}}", "{\"b\":{\"c\":[]},\"a\":1.0}",
		"{\"$bin\":\"b24=\"}" };
	static const char *const others[] = { "2", "9007199254740992.0", "true", "\"1\"", "\"o\"",
		"[1,[2],3]", "[1]", "[[2],1]", "{}", "{\"a\":1}", "{\"a\":1,\"b\":{}}",
		"{\"a\":1,\"b\":{\"c\":[]},\"d\":1}", "{\"a\":1,\"B\":{\"c\":[]}}",
		"{\"$bin\":\"b2Y=\"}", "{\"$time\":\"2024-01-01T00:00:00Z\"}" };

	for (size_t i = 0; i < ARRAY_SIZE(fitting); i++)
		assert_fits(schema, fitting[i]);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_does_not_fit(schema, others[i],
				    "params is none of [1,9007199254740993,\"on\",");
	assert_fits("{\"enum\":[{\"$time\":\"2024-01-01T00:00:00Z\"}]}",
		    "{\"$time\":\"2024-01-01T00:00:00Z\"}");
	assert_bytes_fit("{\"enum\":[{\"7\":1}]}", SPAN("\x81\x07\x01"));
	assert_bytes_do_not_fit("{\"enum\":[{\"a\":1,\"b\":1}]}",
				SPAN("\x82\xa1" "a\x01\xa1" "a\x01"),
				"none of");
}

static void test_properties_are_checked_where_they_are(void **state UNUSED)
{
	static const char schema[] =
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},"
		"\"b\":{\"type\":\"string\"}},\"required\":[\"b\",\"c\"]}";

	assert_fits(schema, "{\"a\":1,\"b\":\"\",\"c\":null}");
	assert_fits(schema, "{\"c\":[],\"further\":{\"x\":[1]},\"b\":\"\",\"a\":1}");
	assert_fits(schema, "{\"b\":\"\",\"c\":1}");
	assert_does_not_fit(schema, "{\"b\":\"\"}", "params.c is missing");
	assert_does_not_fit(schema, "{}", "params.b is missing");
	assert_does_not_fit(schema, "{\"c\":1,\"b\":\"\",\"a\":\"1\"}", "params.a is a string");
	assert_does_not_fit(schema, "null", "params is null; it must be an object");
	assert_fits("{\"properties\":{\"a\":{\"type\":\"null\"}},\"required\":[\"a\"]}", "[1]");
}

static void test_integer_keys_are_their_digits(void **state UNUSED)
{
	static const char schema[] =
		"{\"properties\":{\"7\":{\"type\":\"string\"}},\"required\":[\"-1\"]}";

	assert_bytes_fit(schema, SPAN("\x82\x07\xa0\xff\xc0"));
	assert_bytes_do_not_fit(schema, SPAN("\x82\x07\x01\xff\xc0"), "params.7 is an integer");
	assert_bytes_do_not_fit(schema, SPAN("\x81\x07\xa0"), "params.-1 is missing");
	assert_bytes_do_not_fit(schema, SPAN("\x83\x07\xa0\xa1" "7\xa0\xff\xc0"),
				"params.7 is there twice");
	assert_bytes_do_not_fit(schema, SPAN("\x81\xc0\x01"), "params has a key that is neither");
	assert_bytes_do_not_fit(schema, SPAN("\x81\xa1\xff\x01"),
				"params has a key that is no valid UTF-8");
}

static void test_a_described_key_twice_is_refused(void **state UNUSED)
{
	assert_bytes_do_not_fit("{\"properties\":{\"a\":{}}}",
				SPAN("\x82\xa1" "a\x01\xa1" "a\x02"),
				"params.a is there twice");
	assert_bytes_do_not_fit("{\"required\":[\"a\"]}", SPAN("\x82\xa1" "a\x01\xa1" "a\x02"),
				"params.a is there twice");
	assert_bytes_do_not_fit("{\"properties\":{\"a\":{}},\"required\":[\"a\"]}",
				SPAN("\x82\xa1" "a\x01\xa1" "a\x02"), "params.a is there twice");
}

static void test_what_has_no_form_elsewhere_fits_nothing(void **state UNUSED)
{
	assert_bytes_do_not_fit("{}", SPAN("\xa1\xff"), "params is no valid UTF-8");
	assert_bytes_do_not_fit("{}", SPAN("\xcb\x7f\xf8\0\0\0\0\0\0"),
				"params is NaN or infinite");
	assert_bytes_do_not_fit("{\"minimum\":1}", SPAN("\xca\xff\x80\0\0"),
				"params is NaN or infinite");
	assert_bytes_do_not_fit("{\"type\":\"object\"}", SPAN("\xd4\x05\0"),
				"params is an extension");
	assert_bytes_fit("{\"type\":\"object\"}",
			 SPAN("\x81\xa1" "a\xa1\xff"));	/* not described */
}

static void test_every_width_of_an_integer_is_one(void **state UNUSED)
{
	assert_bytes_fit("{\"type\":\"integer\",\"minimum\":5,\"maximum\":5,\"enum\":[5]}",
			 SPAN("\xcc\x05"));
	assert_bytes_fit("{\"enum\":[5]}", SPAN("\xd3\0\0\0\0\0\0\0\x05"));
	assert_bytes_fit("{\"enum\":[-5]}", SPAN("\xd1\xff\xfb"));
	assert_bytes_fit("{\"enum\":[5]}", SPAN("\xca\x40\xa0\0\0"));
	assert_bytes_fit("{\"type\":\"string\",\"enum\":[\"a\"]}", SPAN("\xd9\x01" "a"));
	assert_bytes_fit("{\"type\":\"object\",\"required\":[\"a\"]}",
			 SPAN("\xde\0\x01\xd9\x01" "a\xc0"));
}

static void test_values_cut_short_are_refused(void **state UNUSED)
{
	static const char schema[] = "{\"properties\":{\"a\":{\"items\":{\"enum\":[{\"b\":2.5}]}}},"
		"\"required\":[\"c\"]}";
	CLEANUP(buf_deinit)
	struct buf value = value_of("{\"a\":[{\"b\":2.5},{\"b\":2.5}],\"c\":\"xyz\"}");
	struct schema_fault fault;

	assert_bytes_fit(schema, buf_span(&value));
	for (size_t len = 0; len < value.len; len++) {
		uint8_t *cut = malloc(len + 1);

		memcpy(cut, buf_data(&value), len);
		assert_int_equal(match(schema, span_of(cut, len), &fault), SCHEMA_E_INVALID);
		free(cut);
	}
}

static void test_faults_do_not_quote_the_value(void **state UNUSED)
{
	struct schema_fault fault;
	CLEANUP(buf_deinit) struct buf value = value_of("\"hush-hush\"");
	static const char *const schemas[] = { "{\"type\":\"null\"}", "{\"maxLength\":1}",
					       "{\"enum\":[1]}" };

	for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
		assert_int_equal(match(schemas[i], buf_span(&value), &fault), SCHEMA_E_INVALID);
		assert_null(strstr(fault.text, "hush"));
	}
}

static void test_long_choices_are_cut_in_the_fault(void **state UNUSED)
{
	char json[4096] = "{\"enum\":[";

	for (int i = 0; i < 100; i++)
		strcat(json, "\"\\u00e4\\u00e4\",");
	strcat(json, "1]}");
	assert_does_not_fit(json, "2", "...");
}

/* {"items":{"enum":[ of n values */
static void put_items_enum(struct buf *schema, uint32_t n)
{
	mp_put_map(schema, 1);
	mp_put_str(schema, "items");
	mp_put_map(schema, 1);
	mp_put_str(schema, "enum");
	mp_put_array(schema, n);
}

static void put_keys(struct buf *b, int n, bool backwards)
{
	mp_put_map(b, (uint32_t)n);
	for (int i = 0; i < n; i++) {
		mp_put_int(b, backwards ? n - 1 - i : i);
		mp_put_nil(b);
	}
}

/* Objects whose keys come in the most awkward order. */
static void test_work_is_limited(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf schema = BUF_NULL, value = BUF_NULL;
	struct schema_fault fault = { "" };
	unsigned int n = 1000;
	uint64_t work = 7;

	put_items_enum(&schema, 1);
	put_keys(&schema, 1000, false);
	mp_put_array(&value, n);
	for (unsigned int i = 0; i < n; i++)
		put_keys(&value, 1000, true);
	assert_int_equal(schema_check(buf_span(&schema), "params", &fault), 0);
	assert_int_equal(schema_match(buf_span(&schema), buf_span(&value), "params", &work, &fault),
			 SCHEMA_E_INVALID);
	assert_says(&fault, "is too large for what its description has to say of it");
	assert_true(work == 7 + 1000000 + 4 * (uint64_t)value.len);
}

/* What there is of choices; each is one of an enumeration, as integer, float, text or more. */
static void put_choice(struct buf *b, int i, bool other_form)
{
	switch (i % 5) {
	case 0:
		if (other_form)
			mp_put_double(b, i);
		else
			mp_put_int(b, i);
		break;
	case 1:
		mp_put_double(b, i + 0.5);
		break;
	case 2:
		mp_put_map(b, 2);
		for (int key = 0; key < 2; key++) {
			mp_put_str(b, (key == 0) == other_form ? "b" : "a");
			mp_put_int(b, (key == 0) == other_form ? i : -i);
		}
		break;
	case 3:
		mp_put_array(b, 2);
		mp_put_int(b, i);
		mp_put_bool(b, true);
		break;
	default:
		mp_put_array(b, 1);
		put_bin(b, span_of(&i, sizeof(i)));
	}
}

static int match_choice(const struct buf *schema, int first, int n, bool other_form, uint64_t *work)
{
	CLEANUP(buf_deinit) struct buf value = BUF_NULL;
	struct schema_fault fault;

	mp_put_array(&value, (uint32_t)n);
	for (int i = first; i < first + n; i++)
		put_choice(&value, i, other_form);
	*work = 0;
	return schema_match(buf_span(schema), buf_span(&value), "params", work, &fault);
}

/* Thousands of choices, and as many values: the work grows with the one and the other, not both. */
static void test_many_choices_take_little_work(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf schema = BUF_NULL;
	struct schema_fault fault = { "" };
	uint64_t work;

	put_items_enum(&schema, 5000);
	for (int i = 0; i < 5000; i++)
		put_choice(&schema, i, false);
	assert_int_equal(schema_check(buf_span(&schema), "params", &fault), 0);
	assert_int_equal(match_choice(&schema, 0, 5000, false, &work), 0);
	assert_true(work < 100000);
	assert_int_equal(match_choice(&schema, 0, 5000, true, &work), 0);
	assert_true(work < 100000);
	for (int i = 5000; i < 5010; i++) {	/* the second and third are looked up in a table */
		assert_int_equal(match_choice(&schema, i, 1, false, &work), SCHEMA_E_INVALID);
		assert_int_equal(match_choice(&schema, i - 1, 2, false, &work), SCHEMA_E_INVALID);
		assert_int_equal(match_choice(&schema, i - 2, 3, true, &work), SCHEMA_E_INVALID);
	}
}

/* Two large enumerations that are asked by turns. */
static void test_each_enumeration_has_its_own_choices(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf schema = BUF_NULL, value = BUF_NULL;
	struct schema_fault fault = { "" };

	mp_put_map(&schema, 1);
	mp_put_str(&schema, "items");
	mp_put_map(&schema, 1);
	mp_put_str(&schema, "properties");
	mp_put_map(&schema, 2);
	for (int k = 0; k < 2; k++) {
		mp_put_str(&schema, k == 0 ? "low" : "high");
		mp_put_map(&schema, 1);
		mp_put_str(&schema, "enum");
		mp_put_array(&schema, 1000);
		for (int i = 0; i < 1000; i++)
			mp_put_int(&schema, 1000 * k + i);
	}
	mp_put_array(&value, 1000);
	for (int i = 0; i < 1000; i++) {
		mp_put_map(&value, 2);
		mp_put_str(&value, "low");
		mp_put_int(&value, i);
		mp_put_str(&value, "high");
		mp_put_int(&value, i < 999 ? 1000 + i : i);
	}
	assert_int_equal(schema_check(buf_span(&schema), "params", &fault), 0);
	assert_int_equal(match_bufs(&schema, &value, &fault), SCHEMA_E_INVALID);
	assert_says(&fault, "params[999].high is none of");
}

static void test_large_values_are_fine_where_little_is_said_of_them(void **state UNUSED)
{
	CLEANUP(buf_deinit)
	struct buf schema = value_of("{\"items\":{\"type\":\"integer\",\"minimum\":0}}");
	CLEANUP(buf_deinit) struct buf value = BUF_NULL;
	struct schema_fault fault;
	unsigned int n = 4u << 20;

	mp_put_array(&value, n);
	for (unsigned int i = 0; i < n; i++)
		mp_put_uint(&value, i & 127);
	assert_int_equal(match_bufs(&schema, &value, &fault), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_keyword_is_known),
		cmocka_unit_test(test_type_is_a_name_or_some_names),
		cmocka_unit_test(test_values_of_keywords_have_their_types),
		cmocka_unit_test(test_bounds_that_exclude_everything_are_refused),
		cmocka_unit_test(test_what_is_no_map_is_no_description),
		cmocka_unit_test(test_unknown_keywords_are_refused_with_their_place),
		cmocka_unit_test(test_what_json_cannot_say_is_no_description),
		cmocka_unit_test(test_depth_of_descriptions_is_limited),
		cmocka_unit_test(test_size_of_descriptions_is_limited),
		cmocka_unit_test(test_each_cut_of_a_description_is_refused),
		cmocka_unit_test(test_each_type_takes_its_values_alone),
		cmocka_unit_test(test_one_of_several_types_is_enough),
		cmocka_unit_test(test_place_leads_to_the_value),
		cmocka_unit_test(test_long_places_are_cut),
		cmocka_unit_test(test_bounds_are_allowed_themselves),
		cmocka_unit_test(test_large_integers_are_compared_exactly),
		cmocka_unit_test(test_length_counts_characters_or_bytes),
		cmocka_unit_test(test_choices_are_compared_deeply),
		cmocka_unit_test(test_properties_are_checked_where_they_are),
		cmocka_unit_test(test_integer_keys_are_their_digits),
		cmocka_unit_test(test_a_described_key_twice_is_refused),
		cmocka_unit_test(test_what_has_no_form_elsewhere_fits_nothing),
		cmocka_unit_test(test_every_width_of_an_integer_is_one),
		cmocka_unit_test(test_values_cut_short_are_refused),
		cmocka_unit_test(test_faults_do_not_quote_the_value),
		cmocka_unit_test(test_long_choices_are_cut_in_the_fault),
		cmocka_unit_test(test_work_is_limited),
		cmocka_unit_test(test_many_choices_take_little_work),
		cmocka_unit_test(test_each_enumeration_has_its_own_choices),
		cmocka_unit_test(test_large_values_are_fine_where_little_is_said_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
