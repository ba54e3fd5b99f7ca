/* SPDX-License-Identifier: MIT */
/*
 * JSON text: what is JSON and what is not, strings, numbers, reading in place, writing.
 *
 * The table of texts is in the manner of the public test suites for JSON readers. Each runs
 * through json.c, through the converter of value.h, and through Jansson, which has its own
 * opinion.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <float.h>
#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#undef json_is_null	/* Jansson's; ours is a function */
#include "common/utf8.h"
#include "libchapi-ipc/json.h"
#include "libchapi-ipc/json_number.h"
#include "libchapi-ipc/json_string.h"
#include "libchapi-ipc/mp.h"
#include "libchapi-ipc/value.h"
#include "tests/unit/bytes.h"
#include "tests/unit/skip.h"

static void assert_text(const struct buf *b, struct span expected)
{
	assert_int_equal(buf_error(b), 0);
	if (!span_equal(buf_span(b), expected))
		fail_msg("got %.*s\nnot %.*s", (int)b->len, (const char *)buf_data(b),
			 (int)expected.len, (const char *)expected.p);
}

/* ---- what is JSON ----------------------------------------------------------------------- */

/* Fine for json.c, but */
enum { NO_MSGPACK = 1 /* has no form there */, NO_JANSSON = 2 /* beyond its limits */ };

struct valid {
	struct span text;
	int but;
};

static const struct valid valid[] = {
	/* structure */
	{ BYTES("null"), 0 },
	{ BYTES("true"), 0 },
	{ BYTES("false"), 0 },
	{ BYTES("42"), 0 },
	{ BYTES("-0.1"), 0 },
	{ BYTES("\"asd\""), 0 },
	{ BYTES("\"\""), 0 },
	{ BYTES(" [] "), 0 },
	{ BYTES("\t\r\n null \n\r\t"), 0 },
	{ BYTES("[\"a\"]\n"), 0 },
	/* arrays */
	{ BYTES("[]"), 0 },
	{ BYTES("[ ]"), 0 },
	{ BYTES("[[]   ]"), 0 },
	{ BYTES("[\"\"]"), 0 },
	{ BYTES("[false]"), 0 },
	{ BYTES("[null, 1, \"1\", {}]"), 0 },
	{ BYTES("[1\n]"), 0 },
	{ BYTES(" [1]"), 0 },
	{ BYTES("[1,null,null,null,2]"), 0 },
	{ BYTES("[2] "), 0 },
	{ BYTES("[\n\t1\r,\t2 ]"), 0 },
	{ BYTES("[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]"), 0 },
	/* objects */
	{ BYTES("{}"), 0 },
	{ BYTES("{ }"), 0 },
	{ BYTES("{\"\":0}"), 0 },
	{ BYTES("{\"a\":[]}"), 0 },
	{ BYTES("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"), 0 },
	{ BYTES("{\"asd\":\"sdf\"}"), 0 },
	{ BYTES("{\"a\":\"b\",\"a\":\"c\"}"), NO_MSGPACK },
	{ BYTES("{\"a\":\"b\",\"a\":\"b\"}"), NO_MSGPACK },
	{ BYTES("{\"a\":1,\"\\u0061\":2}"), NO_MSGPACK },
	{ BYTES("{\"foo\\u0000bar\": 42}"), NO_JANSSON },
	{ BYTES("{ \"min\": -1.0e+28, \"max\": 1.0e+28 }"), 0 },
	{ BYTES("{\"x\":[{\"id\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}],"
		" \"id\": \"xxxxxxxx\"}"),
	  0 },
	{ BYTES("{\"title\":\"\\u041f\\u043e\\u043b\\u0442\\u043e\\u0440\\u0430\" }"), 0 },
	{ BYTES("{\n\"a\" :\t\"b\"\r\n}"), 0 },
	{ BYTES("{\"a\":{\"a\":{\"a\":{}}}}"), 0 },
	{ BYTES("{\"$\":1}"), NO_MSGPACK },
	{ BYTES("{\"$$\":1}"), 0 },
	/* numbers */
	{ BYTES("[123e65]"), 0 },
	{ BYTES("[0e+1]"), 0 },
	{ BYTES("[0e1]"), 0 },
	{ BYTES("[0E0]"), 0 },
	{ BYTES("[ 4]"), 0 },
	{ BYTES("[-0.0000000000000000000000000000000000000000000000000000000000000000000000000000"
		"01]"),
	  0 },
	{ BYTES("[20e1]"), 0 },
	{ BYTES("[-0]"), 0 },
	{ BYTES("[-0.0]"), 0 },
	{ BYTES("[-123]"), 0 },
	{ BYTES("[-1]"), 0 },
	{ BYTES("[0]"), 0 },
	{ BYTES("[1E22]"), 0 },
	{ BYTES("[1E-2]"), 0 },
	{ BYTES("[1E+2]"), 0 },
	{ BYTES("[123e45]"), 0 },
	{ BYTES("[123.456e78]"), 0 },
	{ BYTES("[1e-2]"), 0 },
	{ BYTES("[1e+2]"), 0 },
	{ BYTES("[1e00002]"), 0 },
	{ BYTES("[123]"), 0 },
	{ BYTES("[123.456789]"), 0 },
	{ BYTES("[10.000]"), 0 },
	{ BYTES("9223372036854775807"), 0 },
	{ BYTES("-9223372036854775808"), 0 },
	{ BYTES("9223372036854775808"), NO_JANSSON },
	{ BYTES("18446744073709551615"), NO_JANSSON },
	{ BYTES("18446744073709551616"), NO_JANSSON },
	{ BYTES("-9223372036854775809"), NO_JANSSON },
	{ BYTES("100000000000000000000"), NO_JANSSON },
	{ BYTES("[-237462374673276894279832749832423479823246327846]"), NO_JANSSON },
	{ BYTES("[1e308]"), 0 },
	{ BYTES("[1.7976931348623157e308]"), 0 },
	{ BYTES("[1e-400]"), 0 },
	{ BYTES("[-123123e-10000000]"), 0 },
	{ BYTES("[0e999999999999999999999999]"), 0 },
	{ BYTES("[1e-999999999999999999999999]"), 0 },
	{ BYTES("[1e400]"), NO_MSGPACK | NO_JANSSON },
	{ BYTES("[-1e+9999]"), NO_MSGPACK | NO_JANSSON },
	{ BYTES("[123123e100000]"), NO_MSGPACK | NO_JANSSON },
	{ BYTES("[0.4e00669999999999999999999999999999999999999999999999999999999999]"),
	  NO_MSGPACK | NO_JANSSON },
	/* strings */
	{ BYTES("[\"\\u0060\\u012a\\u12AB\"]"), 0 },
	{ BYTES("[\"\\uD801\\udc37\"]"), 0 },
	{ BYTES("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"), 0 },
	{ BYTES("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), 0 },
	{ BYTES("[\"\\\\u0000\"]"), 0 },
	{ BYTES("[\"\\\"\"]"), 0 },
	{ BYTES("[\"a/*b*/c/*d//e\"]"), 0 },
	{ BYTES("[\"\\\\a\"]"), 0 },
	{ BYTES("[\"\\\\n\"]"), 0 },
	{ BYTES("[\"\\u0012\"]"), 0 },
	{ BYTES("[\"\\uFFFF\"]"), 0 },
	{ BYTES("[ \"asd\"]"), 0 },
	{ BYTES("[\"\\uDBFF\\uDFFF\"]"), 0 },
	{ BYTES("[\"new\\u00A0line\"]"), 0 },
	{ BYTES("[\"\xf4\x8f\xbf\xbf\"]"), 0 },
	{ BYTES("[\"\xef\xbf\xbf\"]"), 0 },
	{ BYTES("[\"\\u0000\"]"), 0 },
	{ BYTES("[\"\\u002c\"]"), 0 },
	{ BYTES("[\"\xcf\x80\"]"), 0 },
	{ BYTES("[\"\xf0\x9b\xbf\xbf\"]"), 0 },
	{ BYTES("\" \""), 0 },
	{ BYTES("[\"\xe2\x80\xa8\"]"), 0 },
	{ BYTES("[\"\xe2\x80\xa9\"]"), 0 },
	{ BYTES("[\"\\u0061\\u30af\\u30EA\\u30b9\"]"), 0 },
	{ BYTES("[\"new\\u000Aline\"]"), 0 },
	{ BYTES("[\"\x7f\"]"), 0 },
	{ BYTES("[\"\\uA66D\"]"), 0 },
	{ BYTES("[\"\\u005C\"]"), 0 },
	{ BYTES("[\"\xe2\x8d\x82\xe3\x88\xb4\xe2\x8d\x82\"]"), 0 },
	{ BYTES("[\"\\u200B\\u2064\\uFDD0\\uFFFE\"]"), 0 },
	{ BYTES("[\"\\uD83F\\uDFFE\"]"), 0 },
	{ BYTES("[\"\xe2\x82\xac\xf0\x9d\x84\x9e\"]"), 0 },
	{ BYTES("[\"a\x7f"
		"a\"]"),
	  0 },
	{ BYTES("[\"\xef\xbb\xbf\"]"), 0 },
	{ BYTES("{\"\\uD834\\uDD1E\":\"\\uD834\\uDD1E\"}"), 0 },
};

/* Not JSON; but what is found first is what has no form in MessagePack: half a character, or
 * $bin with no string. */
enum { NO_FORM = 1 };

static const struct invalid {
	struct span text;
	int because;
} invalid[] = {
	/* structure */
	{ BYTES(""), 0 },
	{ BYTES(" "), 0 },
	{ BYTES("\n"), 0 },
	{ BYTES("\xef\xbb\xbf"), 0 },
	{ BYTES("\xef\xbb\xbf{}"), 0 },
	{ BYTES("\xff\xfe[\0]\0"), 0 },
	{ BYTES("\xe2\x81\xa0[]"), 0 },
	{ BYTES("[\xe2\x81\xa0]"), 0 },
	{ BYTES("\xc3\xa5"), 0 },
	{ BYTES("a\xc3\xa5"), 0 },
	{ BYTES("*"), 0 },
	{ BYTES("<.>"), 0 },
	{ BYTES("[<null>]"), 0 },
	{ BYTES("["), 0 },
	{ BYTES("]"), 0 },
	{ BYTES("{"), 0 },
	{ BYTES("}"), 0 },
	{ BYTES("[{"), 0 },
	{ BYTES("{["), 0 },
	{ BYTES("[}"), 0 },
	{ BYTES("{]"), 0 },
	{ BYTES("[,"), 0 },
	{ BYTES("{,"), 0 },
	{ BYTES("[\""), 0 },
	{ BYTES("[\"a"), 0 },
	{ BYTES("{\""), 0 },
	{ BYTES("{\"a"), 0 },
	{ BYTES("{'a"), 0 },
	{ BYTES("[1}"), 0 },
	{ BYTES("{\"a\":1]"), 0 },
	{ BYTES("[][]"), 0 },
	{ BYTES("[1]x"), 0 },
	{ BYTES("[1]]"), 0 },
	{ BYTES("1]"), 0 },
	{ BYTES("{}}"), 0 },
	{ BYTES("{\"a\":true} \"x\""), 0 },
	{ BYTES("null null"), 0 },
	{ BYTES("\"\",\"\""), 0 },
	{ BYTES("1,2"), 0 },
	{ BYTES("'"), 0 },
	{ BYTES("/"), 0 },
	{ BYTES("//x\n[]"), 0 },
	{ BYTES("[]//x"), 0 },
	{ BYTES("[]/**/"), 0 },
	{ BYTES("[1,/*x*/2]"), 0 },
	{ BYTES("#[]"), 0 },
	{ BYTES("nul"), 0 },
	{ BYTES("nulll"), 0 },
	{ BYTES("NULL"), 0 },
	{ BYTES("nil"), 0 },
	{ BYTES("tru"), 0 },
	{ BYTES("True"), 0 },
	{ BYTES("TRUE"), 0 },
	{ BYTES("truefalse"), 0 },
	{ BYTES("fals"), 0 },
	{ BYTES("falsy"), 0 },
	{ BYTES("undefined"), 0 },
	{ BYTES("a"), 0 },
	{ BYTES("[nul]"), 0 },
	{ BYTES("[tru]"), 0 },
	{ BYTES("[fals]"), 0 },
	{ BYTES("\0"), 0 },
	{ BYTES("null\0"), 0 },
	{ BYTES("[1]\0"), 0 },
	{ BYTES("[1\0]"), 0 },
	{ BYTES("{\"a\":1\0}"), 0 },
	{ BYTES("[\0]"), 0 },
	{ BYTES("[1,\f2]"), 0 },
	{ BYTES("[1,\v2]"), 0 },
	{ BYTES("[\x0c]"), 0 },
	{ BYTES("[\xc2\xa0]"), 0 },
	{ BYTES("[\x1e]"), 0 },
	{ BYTES("[\x7f]"), 0 },
	{ BYTES("[\\n]"), 0 },
	{ BYTES("[\\u000A\"\"]"), 0 },
	{ BYTES("{\\"), 0 },
	/* arrays */
	{ BYTES("[1 true]"), 0 },
	{ BYTES("[a\xe5]"), 0 },
	{ BYTES("[\"\": 1]"), 0 },
	{ BYTES("[\"\"],"), 0 },
	{ BYTES("[,1]"), 0 },
	{ BYTES("[1,,2]"), 0 },
	{ BYTES("[\"x\",,]"), 0 },
	{ BYTES("[\"x\"]]"), 0 },
	{ BYTES("[\"\",]"), 0 },
	{ BYTES("[\"x\""), 0 },
	{ BYTES("[x"), 0 },
	{ BYTES("[3[4]]"), 0 },
	{ BYTES("[\xff]"), 0 },
	{ BYTES("[1:2]"), 0 },
	{ BYTES("[,]"), 0 },
	{ BYTES("[-]"), 0 },
	{ BYTES("[   , \"\"]"), 0 },
	{ BYTES("[\"a\",\n4\n,1,"), 0 },
	{ BYTES("[1,]"), 0 },
	{ BYTES("[1,\n1\n,1"), 0 },
	{ BYTES("[1"), 0 },
	{ BYTES("[*]"), 0 },
	{ BYTES("[{}"), 0 },
	{ BYTES("[1;2]"), 0 },
	{ BYTES("(1)"), 0 },
	/* objects */
	{ BYTES("{\"x\", null}"), 0 },
	{ BYTES("{[: \"x\"}"), 0 },
	{ BYTES("{\"x\"::\"b\"}"), 0 },
	{ BYTES("{\"a\" \"b\"}"), 0 },
	{ BYTES("{:\"b\"}"), 0 },
	{ BYTES("{\"a\" b}"), 0 },
	{ BYTES("{\"a\":"), 0 },
	{ BYTES("{\"a\""), 0 },
	{ BYTES("{\"a\":}"), 0 },
	{ BYTES("{1:1}"), 0 },
	{ BYTES("{9999E9999:1}"), 0 },
	{ BYTES("{null:null,null:null}"), 0 },
	{ BYTES("{\"id\":0,,,,,}"), 0 },
	{ BYTES("{'a':0}"), 0 },
	{ BYTES("{\"id\":0,}"), 0 },
	{ BYTES("{\"a\":\"b\"}/**/"), 0 },
	{ BYTES("{\"a\":\"b\"}/"), 0 },
	{ BYTES("{\"a\":\"b\",,\"c\":\"d\"}"), 0 },
	{ BYTES("{a: \"b\"}"), 0 },
	{ BYTES("{\"a\":\"a"), 0 },
	{ BYTES("{ \"foo\" : \"bar\", \"a\" }"), 0 },
	{ BYTES("{\"a\":\"b\"}#"), 0 },
	{ BYTES("{\"a\":1 \"b\":2}"), 0 },
	{ BYTES("{\"a\":1,2}"), 0 },
	{ BYTES("{\"a\"=1}"), 0 },
	{ BYTES("{,}"), 0 },
	{ BYTES("{{}:1}"), 0 },
	{ BYTES("{\"\xff\":1}"), 0 },
	{ BYTES("{\"\\x\":1}"), 0 },
	{ BYTES("{\"$bin\""), 0 },
	{ BYTES("{\"$bin\":"), NO_FORM },
	{ BYTES("{\"$bin\":\"\""), 0 },
	{ BYTES("{\"$bin\":\"\"]"), 0 },
	{ BYTES("{\"$bin\" \"\"}"), 0 },
	{ BYTES("{\"$time\":\"x"), 0 },
	{ BYTES("{\"$bin"), 0 },
	/* numbers */
	{ BYTES("[++1234]"), 0 },
	{ BYTES("[+1]"), 0 },
	{ BYTES("[+Inf]"), 0 },
	{ BYTES("[-01]"), 0 },
	{ BYTES("[-1.0.]"), 0 },
	{ BYTES("[-2.]"), 0 },
	{ BYTES("[-NaN]"), 0 },
	{ BYTES("[.-1]"), 0 },
	{ BYTES("[.2e-3]"), 0 },
	{ BYTES("[0.1.2]"), 0 },
	{ BYTES("[0.3e+]"), 0 },
	{ BYTES("[0.3e]"), 0 },
	{ BYTES("[0.e1]"), 0 },
	{ BYTES("[0E+]"), 0 },
	{ BYTES("[0E]"), 0 },
	{ BYTES("[1.0e+]"), 0 },
	{ BYTES("[1.0e-]"), 0 },
	{ BYTES("[1.0e]"), 0 },
	{ BYTES("[1 000.0]"), 0 },
	{ BYTES("[1eE2]"), 0 },
	{ BYTES("[2.e+3]"), 0 },
	{ BYTES("[2.e3]"), 0 },
	{ BYTES("[9.e+]"), 0 },
	{ BYTES("[Inf]"), 0 },
	{ BYTES("[NaN]"), 0 },
	{ BYTES("[Infinity]"), 0 },
	{ BYTES("[-Infinity]"), 0 },
	{ BYTES("[\xef\xbc\x91]"), 0 },
	{ BYTES("[1+2]"), 0 },
	{ BYTES("[0x1]"), 0 },
	{ BYTES("[0x42]"), 0 },
	{ BYTES("[1.8011670033376514H-308]"), 0 },
	{ BYTES("[1.2a-3]"), 0 },
	{ BYTES("[- 1]"), 0 },
	{ BYTES("[-foo]"), 0 },
	{ BYTES("[-012]"), 0 },
	{ BYTES("[-.123]"), 0 },
	{ BYTES("[-1x]"), 0 },
	{ BYTES("[1ea]"), 0 },
	{ BYTES("[1e\xe5]"), 0 },
	{ BYTES("[1.]"), 0 },
	{ BYTES("[.123]"), 0 },
	{ BYTES("[1.2a]"), 0 },
	{ BYTES("[012]"), 0 },
	{ BYTES("[00]"), 0 },
	{ BYTES("[1_000]"), 0 },
	{ BYTES("[1,5.]"), 0 },
	{ BYTES("-"), 0 },
	{ BYTES("1."), 0 },
	{ BYTES("1e"), 0 },
	{ BYTES("1e+"), 0 },
	{ BYTES("1.5.5"), 0 },
	{ BYTES("0123"), 0 },
	{ BYTES("1\xc2\xa0"), 0 },
	{ BYTES("--1"), 0 },
	/* strings */
	{ BYTES("[\"\\uD800\\\"]"), NO_FORM },
	{ BYTES("[\"\\uD800\\u\"]"), NO_FORM },
	{ BYTES("[\"\\uD800\\u1\"]"), NO_FORM },
	{ BYTES("[\"\\uD800\\u1x\"]"), NO_FORM },
	{ BYTES("[\"\\uD800\\uD800\\x\"]"), NO_FORM },
	{ BYTES("[\"\\uDADA\"]"), NO_FORM },
	{ BYTES("[\"\\uD888\\u1234\"]"), NO_FORM },
	{ BYTES("[\"\\uDd1e\\uD834\"]"), NO_FORM },
	{ BYTES("[\"\\uD800abc\"]"), NO_FORM },
	{ BYTES("[\"\\uD800\\n\"]"), NO_FORM },
	{ BYTES("[\"\\uDFAA\"]"), NO_FORM },
	{ BYTES("[\"\\udc00\\ud800\"]"), NO_FORM },
	{ BYTES("[\"\\udc00\\udc00\"]"), NO_FORM },
	{ BYTES("{\"\\uDADA\":1}"), NO_FORM },
	{ BYTES("[\xc3\xa9]"), 0 },
	{ BYTES("[\\u0020\"asd\"]"), 0 },
	{ BYTES("[\"\\x00\"]"), 0 },
	{ BYTES("[\"\\\\\\\"]"), 0 },
	{ BYTES("[\"\\\t\"]"), 0 },
	{ BYTES("[\"\\\xf0\x9f\x8c\x80\"]"), 0 },
	{ BYTES("[\"\\\"]"), 0 },
	{ BYTES("[\"\\u00A\"]"), 0 },
	{ BYTES("[\"\\u\"]"), 0 },
	{ BYTES("[\"\\u123g\"]"), 0 },
	{ BYTES("[\"\\u-123\"]"), 0 },
	{ BYTES("[\"\\u+123\"]"), 0 },
	{ BYTES("[\"\\u 123\"]"), 0 },
	{ BYTES("[\"\\U0041\"]"), 0 },
	{ BYTES("[\"\\a\"]"), 0 },
	{ BYTES("[\"\\'\"]"), 0 },
	{ BYTES("[\"\\v\"]"), 0 },
	{ BYTES("[\"\\0\"]"), 0 },
	{ BYTES("[\"\\uqqqq\"]"), 0 },
	{ BYTES("[\"\\\xe5\"]"), 0 },
	{ BYTES("[\"a\0a\"]"), 0 },
	{ BYTES("[\"new\nline\"]"), 0 },
	{ BYTES("[\"\t\"]"), 0 },
	{ BYTES("[\"\x1f\"]"), 0 },
	{ BYTES("[\"\r\"]"), 0 },
	{ BYTES("\"\\UA66D\""), 0 },
	{ BYTES("[\"asd]"), 0 },
	{ BYTES("['asd']"), 0 },
	{ BYTES("\""), 0 },
	{ BYTES("\"\\"), 0 },
	{ BYTES("\"\\u"), 0 },
	{ BYTES("\"\\u00"), 0 },
	{ BYTES("\"\\u0041"), 0 },
	{ BYTES("\"abc"), 0 },
	{ BYTES("abc\""), 0 },
	{ BYTES("\"\" x"), 0 },
	/* not UTF-8 */
	{ BYTES("[\"\xe6\x97\xa5\xd1\x88\xfa\"]"), 0 },
	{ BYTES("[\"\xff\"]"), 0 },
	{ BYTES("[\"\x81\"]"), 0 },
	{ BYTES("[\"\xe9\"]"), 0 },
	{ BYTES("[\"\xc0\xaf\"]"), 0 },
	{ BYTES("[\"\xc1\xbf\"]"), 0 },
	{ BYTES("[\"\xe0\x80\xaf\"]"), 0 },
	{ BYTES("[\"\xe0\x9f\xbf\"]"), 0 },
	{ BYTES("[\"\xf0\x80\x80\xaf\"]"), 0 },
	{ BYTES("[\"\xf0\x8f\xbf\xbf\"]"), 0 },
	{ BYTES("[\"\xf8\x88\x80\x80\x80\"]"), 0 },
	{ BYTES("[\"\xfc\x83\xbf\xbf\xbf\xbf\"]"), 0 },
	{ BYTES("[\"\xf4\x90\x80\x80\"]"), 0 },
	{ BYTES("[\"\xf5\x80\x80\x80\"]"), 0 },
	{ BYTES("[\"\xed\xa0\x80\"]"), 0 },
	{ BYTES("[\"\xed\xbf\xbf\"]"), 0 },
	{ BYTES("[\"\xed\xa0\x81\xed\xb0\x80\"]"), 0 },
	{ BYTES("[\"\xe0\xff\"]"), 0 },
	{ BYTES("[\"\xe2\x82\"]"), 0 },
	{ BYTES("[\"\xf0\x9f\x98\"]"), 0 },
	{ BYTES("\"\xe2\x82"), 0 },
	{ BYTES("\"\xf0"), 0 },
};

static bool jansson_takes(struct span text)
{
	json_error_t error;
	json_t *root = json_loadb((const char *)text.p, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL,
				  &error);

	json_decref(root);
	return root != NULL;
}

static void test_text_that_is_valid(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(valid); i++) {
		struct span text = exact_copy(valid[i].text), value;
		struct buf out = BUF_NULL;
		struct json_fault why = { "", 0 };
		struct value_fault fault = { "" };

		if (json_text(text, JSON_DEPTH_MAX, &value, &why) != 0)
			fail_msg("%.*s: %s", (int)text.len, (const char *)text.p, why.why);
		if (value_from_json(text, MP_VALUE_DEPTH_MAX, &out, &fault) !=
		    (valid[i].but & NO_MSGPACK ? VALUE_E_INEXPRESSIBLE : 0))
			fail_msg("%.*s: %s", (int)text.len, (const char *)text.p, fault.text);
		if (jansson_takes(text) == !!(valid[i].but & NO_JANSSON))
			fail_msg("Jansson and %.*s", (int)text.len, (const char *)text.p);
		buf_deinit(&out);
		span_free(text);
	}
}

static void test_text_that_is_invalid(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++) {
		struct span text = exact_copy(invalid[i].text), value;
		struct buf out = BUF_NULL;
		struct json_fault why = { "", 0 };
		struct value_fault fault = { "" };

		if (json_text(text, JSON_DEPTH_MAX, &value, &why) != JSON_E_BAD)
			fail_msg("takes %.*s", (int)text.len, (const char *)text.p);
		assert_true(why.why[0] && why.offset <= text.len);
		if (value_from_json(text, MP_VALUE_DEPTH_MAX, &out, &fault) !=
		    (invalid[i].because == NO_FORM ? VALUE_E_INEXPRESSIBLE : VALUE_E_SYNTAX))
			fail_msg("converts %.*s: %s", (int)text.len, (const char *)text.p,
				 fault.text);
		assert_true(fault.text[0] && out.len == 0);
		/* It passes over a NUL. */
		if (!memchr(text.p, 0, text.len) && jansson_takes(text))
			fail_msg("Jansson takes %.*s", (int)text.len, (const char *)text.p);
		buf_deinit(&out);
		span_free(text);
	}
}

/* Cut off anywhere a text is none, unless it is a number or only blanks are missing. */
static void test_text_that_is_cut_off(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(valid); i++)
		for (size_t len = 0; len < valid[i].text.len; len++) {
			struct span part = exact_copy(span_of(valid[i].text.p, len)), value;
			struct buf out = BUF_NULL;
			struct json_fault why;
			struct value_fault fault;
			bool taken = json_text(part, JSON_DEPTH_MAX, &value, &why) == 0;
			int e = value_from_json(part, MP_VALUE_DEPTH_MAX, &out, &fault);

			assert_true(taken ? e != VALUE_E_SYNTAX : e != 0);
			assert_true(taken || !jansson_takes(part));
			buf_deinit(&out);
			span_free(part);
		}
}

static void test_text_is_given_without_blanks(void **state UNUSED)
{
	struct json_fault why;
	struct span value = { 0 };

	assert_int_equal(json_text(SPAN("\t [1, 2]\r\n"), 1, &value, &why), 0);
	assert_true(span_is(value, "[1, 2]"));
	assert_int_equal(json_text(SPAN("x"), 1, &value, &why), JSON_E_BAD);
	assert_true(span_is(value, "[1, 2]"));
}

static void test_text_fault_has_place_and_reason(void **state UNUSED)
{
	static const struct {
		struct span text;
		const char *why;
		size_t offset;
	} cases[] = {
		{ BYTES(""), "ends where a value", 0 },
		{ BYTES("[1,"), "ends where a value", 3 },
		{ BYTES("[1,x]"), "missing, or not one", 3 },
		{ BYTES("  [1] 2"), "something follows", 6 },
		{ BYTES("[1 2]"), "comma or ]", 3 },
		{ BYTES("{\"a\":1 2}"), "comma or }", 7 },
		{ BYTES("{\"a\" 1}"), "colon", 5 },
		{ BYTES("{1:1}"), "key in quotes", 1 },
		{ BYTES("{\"a\":1,}"), "key in quotes", 7 },
		{ BYTES("[\"a"), "closing quote", 3 },
		{ BYTES("[\"a\\"), "closing quote", 3 },
		{ BYTES("[\"a\\x\"]"), "escape", 3 },
		{ BYTES("[\"a\\u00g0\"]"), "four hexadecimal", 5 },
		{ BYTES("[\"\\ud800\"]"), "surrogate", 4 },
		{ BYTES("[\"a\xff\"]"), "UTF-8", 3 },
		{ BYTES("[\"a\n\"]"), "control character", 3 },
		{ BYTES("[01]"), "begin with 0", 2 },
		{ BYTES("[-x]"), "needs a digit", 2 },
		{ BYTES("[1.x]"), "after its point", 3 },
		{ BYTES("[1ex]"), "exponent", 3 },
		{ BYTES("[[[]]]"), "than allowed", 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct json_fault why = { "", 999 };
		struct span value;

		assert_int_equal(json_text(cases[i].text, 2, &value, &why), JSON_E_BAD);
		if (!strstr(why.why, cases[i].why) || why.offset != cases[i].offset)
			fail_msg("%.*s: \"%s\" at %zu", (int)cases[i].text.len,
				 (const char *)cases[i].text.p, why.why, why.offset);
	}
}

static void put_nested(struct buf *b, size_t n, const char *open, const char *close)
{
	for (size_t i = 0; i < n; i++)
		buf_put_str(b, open);
	buf_put_str(b, "1");
	for (size_t i = 0; i < n; i++)
		buf_put_str(b, close);
}

static void assert_depth(size_t n, const char *open, const char *close, unsigned int limit)
{
	struct buf text = BUF_NULL;
	struct json_fault why;
	struct span value;

	put_nested(&text, n, open, close);
	assert_int_equal(json_text(buf_span(&text), limit, &value, &why),
			 n <= MIN(limit, JSON_DEPTH_MAX) ? 0 : JSON_E_BAD);
	buf_deinit(&text);
}

static void test_text_depth_is_limited(void **state UNUSED)
{
	for (unsigned int limit = 0; limit < 100; limit += limit < 60 ? 12 : 1)
		for (size_t n = 0; n < 100; n++) {
			assert_depth(n, "[", "]", limit);
			assert_depth(n, "{\"a\":", "}", limit);
		}
	assert_depth(100000, "[", "]", 1000000);
	assert_depth(100000, "[{\"\":", "}]", 1000000);
}

/* The kind of each container is known again when it closes, at any depth. */
static void test_text_brackets_match_at_any_depth(void **state UNUSED)
{
	random_begin(1);
	for (int i = 0; i < 2000; i++) {
		size_t n = 1 + random_below(JSON_DEPTH_MAX), wrong = random_below(2 * n);
		bool map[JSON_DEPTH_MAX];
		struct buf text = BUF_NULL;
		struct json_fault why;
		struct span value;

		for (size_t k = 0; k < n; k++) {
			map[k] = random_below(2);
			buf_put_str(&text, map[k] ? "{\"k\":" : "[");
		}
		buf_put_str(&text, "null");
		for (size_t k = n; k-- > 0;)
			buf_put_str(&text, map[k] != (k == wrong) ? "}" : "]");
		assert_int_equal(json_text(buf_span(&text), JSON_DEPTH_MAX, &value, &why),
				 wrong < n ? JSON_E_BAD : 0);
		buf_deinit(&text);
	}
}

static void test_read_raw_one_after_the_other(void **state UNUSED)
{
	static const char *const values[] = { "1", "{\"a\":[2]}", "\"x y\"", "null" };
	struct json_reader r = json_reader(SPAN(" 1 {\"a\":[2]}\"x y\"\n null  "));
	struct json_fault why = { "", 0 };
	const uint8_t *before;
	struct span value;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		assert_int_equal(json_read_raw(&r, 2, &value, &why), 0);
		assert_true(span_is(value, values[i]));
	}
	before = r.p;
	assert_int_equal(json_read_raw(&r, 2, &value, &why), JSON_E_BAD);
	assert_ptr_equal(r.p, before);
	assert_int_equal(why.offset, 2);
}

/* ---- reading in place ------------------------------------------------------------------- */

static void test_members_of_an_object(void **state UNUSED)
{
	static const struct span object =
		BYTES("{ \"a\" : [1, 2] ,\"b\\n\":{\"c\":3}, \"\":null }");
	struct json_reader r;
	struct span key, value;

	assert_int_equal(json_enter_object(object, &r), 0);
	assert_int_equal(json_next_member(&r, &key, &value), 0);
	assert_true(span_is(key, "a") && span_is(value, "[1, 2]"));
	assert_int_equal(json_next_member(&r, &key, &value), 0);
	assert_true(span_is(key, "b\\n") && span_is(value, "{\"c\":3}"));
	assert_int_equal(json_next_member(&r, &key, &value), 0);
	assert_true(span_is(key, "") && span_is(value, "null"));
	assert_int_equal(json_next_member(&r, &key, &value), JSON_E_END);
	assert_int_equal(json_next_member(&r, &key, &value), JSON_E_END);
}

static void test_containers_that_are_empty(void **state UNUSED)
{
	struct json_reader r;
	struct span key, value;

	assert_int_equal(json_enter_object(SPAN("{}"), &r), 0);
	assert_int_equal(json_next_member(&r, &key, &value), JSON_E_END);
	assert_int_equal(json_enter_object(SPAN("{ \n}"), &r), 0);
	assert_int_equal(json_next_member(&r, &key, &value), JSON_E_END);
}

static void test_enter_of_another_type(void **state UNUSED)
{
	static const char *const others[] = { "1", "\"{}\"", "null", "" };
	struct json_reader r;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(json_enter_object(span_str(others[i]), &r), JSON_E_TYPE);
	assert_int_equal(json_enter_object(SPAN("[]"), &r), JSON_E_TYPE);
}

/* Only well-formed text should get here; other text ends in a refusal all the same. */
static void test_members_of_what_was_not_checked(void **state UNUSED)
{
	struct json_reader r;
	struct span key, value;

	assert_int_equal(json_enter_object(SPAN("{1:2}"), &r), 0);
	assert_int_equal(json_next_member(&r, &key, &value), JSON_E_BAD);
	assert_int_equal(json_enter_object(SPAN("{\"a\":x}"), &r), 0);
	assert_int_equal(json_next_member(&r, &key, &value), JSON_E_BAD);
	assert_int_equal(json_enter_object(SPAN("{\"\\ud800\":1}"), &r), 0);
	assert_int_equal(json_next_member(&r, &key, &value), JSON_E_BAD);
}

static void test_key_is_compared_decoded(void **state UNUSED)
{
	assert_true(json_key_is(SPAN("abc"), "abc"));
	assert_true(json_key_is(SPAN("\\u0061b\\u0063"), "abc"));
	assert_true(json_key_is(SPAN("\\\"\\\\\\/\\b\\f\\n\\r\\t"), "\"\\/\b\f\n\r\t"));
	assert_true(json_key_is(SPAN("\\u00e9\\u20AC\\ud834\\udd1e"),
				"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e"));
	assert_true(json_key_is(SPAN(""), ""));
	assert_false(json_key_is(SPAN("ab"), "abc"));
	assert_false(json_key_is(SPAN("abcd"), "abc"));
	assert_false(json_key_is(SPAN("ab\\u0063d"), "abc"));
	assert_false(json_key_is(SPAN("abC"), "abc"));
	assert_false(json_key_is(SPAN("\\u00e9"), "\xc3"));
	assert_false(json_key_is(SPAN("abc\\u0000"), "abc"));
	assert_false(json_key_is(SPAN("\\ud800"), "\xed\xa0\x80"));
	assert_false(json_key_is(SPAN(""), "abc"));
	assert_false(json_key_is(SPAN("a"), ""));
}

static void test_get_string_decodes(void **state UNUSED)
{
	static const struct {
		struct span text, decoded;
	} cases[] = {
		{ BYTES("\"\""), BYTES("") },
		{ BYTES("\"abc\""), BYTES("abc") },
		{ BYTES("\"\\u0000\""), BYTES("\0") },
		{ BYTES("\"a\\\"b\\\\c\\/d\""), BYTES("a\"b\\c/d") },
		{ BYTES("\"\\b\\f\\n\\r\\t\""), BYTES("\b\f\n\r\t") },
		{ BYTES("\"\\u0041\\u007f\\u0080\\u07ff\\u0800\\uffff\""),
		  BYTES("A\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf") },
		{ BYTES("\"\\ud800\\udc00\\uDBFF\\uDFFF\""),
		  BYTES("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf") },
		{ BYTES("\"\\ud7ff\\ue000\""), BYTES("\xed\x9f\xbf\xee\x80\x80") },
		{ BYTES("\"\\\\u0041\""), BYTES("\\u0041") },
		{ BYTES("\"long enough to be looked at by eights \\n and on\""),
		  BYTES("long enough to be looked at by eights \n and on") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = BUF_NULL;

		assert_int_equal(json_get_string(cases[i].text, &out), 0);
		assert_text(&out, cases[i].decoded);
		buf_deinit(&out);
	}
}

static void test_get_string_appends_or_leaves_nothing(void **state UNUSED)
{
	struct buf out;

	buf_init(&out, 8);
	buf_put_str(&out, "ab");
	assert_int_equal(json_get_string(SPAN("\"cd\\n\""), &out), 0);
	assert_text(&out, SPAN("abcd\n"));
	assert_int_equal(json_get_string(SPAN("\"x\\q\""), &out), JSON_E_BAD);
	assert_int_equal(json_get_string(SPAN("\"x\\ud800\""), &out), JSON_E_BAD);
	assert_int_equal(json_get_string(SPAN("1"), &out), JSON_E_TYPE);
	assert_int_equal(json_get_string(SPAN(""), &out), JSON_E_TYPE);
	assert_text(&out, SPAN("abcd\n"));
	assert_int_equal(json_get_string(SPAN("\"efgh\""), &out), -ENOBUFS);
	buf_deinit(&out);
}

static void test_take_string_tells_a_surrogate_apart(void **state UNUSED)
{
	struct json_reader r = json_reader(SPAN("ab\\udc00\""));
	struct json_reader bad = json_reader(SPAN("ab\\uxyz0\""));
	struct json_reader good = json_reader(SPAN("ab\"c"));
	const char *why = "";

	assert_int_equal(json_take_string(&r, NULL, &why), JSON_E_SURROGATE);
	assert_non_null(strstr(why, "surrogate"));
	assert_int_equal(json_take_string(&bad, NULL, &why), JSON_E_BAD);
	assert_int_equal(json_take_string(&good, NULL, &why), 0);
	assert_true(span_is(span_of(good.p, (size_t)(good.end - good.p)), "c"));
}

static void test_get_bool_and_null(void **state UNUSED)
{
	bool v = false;

	assert_int_equal(json_get_bool(SPAN("true"), &v), 0);
	assert_true(v);
	assert_int_equal(json_get_bool(SPAN("1"), &v), JSON_E_TYPE);
	assert_int_equal(json_get_bool(SPAN("\"false\""), &v), JSON_E_TYPE);
	assert_true(v);
	assert_int_equal(json_get_bool(SPAN("false"), &v), 0);
	assert_false(v);
	assert_true(json_is_null(SPAN("null")));
	assert_false(json_is_null(SPAN("nul")));
	assert_false(json_is_null(SPAN("\"null\"")));
	assert_false(json_is_null(SPAN("0")));
}

/* ---- numbers ---------------------------------------------------------------------------- */

static void test_get_number(void **state UNUSED)
{
	static const struct {
		const char *text;
		double v;
	} cases[] = {
		{ "0", 0 },
		{ "7", 7 },
		{ "-7", -7 },
		{ "1.5", 1.5 },
		{ "-1.5e3", -1500 },
		{ "0.1", 0.1 },
		{ "1E2", 100 },
		{ "1e+2", 100 },
		{ "25e-2", 0.25 },
		{ "9007199254740993", 9007199254740992.0 },
		{ "9007199254740993.0000000000000000000000000000000000001", 9007199254740994.0 },
		{ "18446744073709551615", 18446744073709551615.0 },
		{ "18446744073709551616", 18446744073709551616.0 },
		{ "123456789012345678901234567890", 123456789012345678901234567890.0 },
		{ "0.000000000000000000000000000000123456789012345678901234567890",
		  0.000000000000000000000000000000123456789012345678901234567890 },
		{ "1e22", 1e22 },
		{ "1e23", 1e23 },
		{ "9007199254740991e22", 9007199254740991e22 },
		{ "9007199254740993e-22", 9007199254740993e-22 },
		{ "1.7976931348623157e308", DBL_MAX },
		{ "1.7976931348623158e308", DBL_MAX },
		{ "2.2250738585072014e-308", DBL_MIN },
		{ "2.2250738585072011e-308", 2.2250738585072011e-308 },
		{ "5e-324", 5e-324 },
		{ "2.5e-324", 5e-324 },
		{ "2.4e-324", 0 },
		{ "1e-99999999999999999999", 0 },
		{ "0e99999999999999999999", 0 },
		{ "1000000000000000000000000000000000000000e-39", 1 },
	};
	double v;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		v = -99;
		assert_int_equal(json_get_number(span_str(cases[i].text), &v), 0);
		if (v != cases[i].v)
			fail_msg("%s: %.17g", cases[i].text, v);
	}
	assert_int_equal(json_get_number(SPAN("-0.0"), &v), 0);
	assert_true(v == 0 && signbit(v));
}

static void test_get_number_refuses(void **state UNUSED)
{
	static const char *const no_numbers[] = {
		"", "\"1\"", "null", "+1", ".5", "[1]", "Infinity"
	};
	static const char *const bad[] = { "-", "01", "1.", "1e", "1e400", "-1e400", "1.8e308" };
	double v = 7;

	for (size_t i = 0; i < ARRAY_SIZE(no_numbers); i++)
		assert_int_equal(json_get_number(span_str(no_numbers[i]), &v), JSON_E_TYPE);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(json_get_number(span_str(bad[i]), &v), JSON_E_BAD);
	assert_true(v == 7);
}

static void test_take_number_tells_its_parts(void **state UNUSED)
{
	struct json_reader r = json_reader(SPAN("-12.50e3,"));
	struct json_reader whole = json_reader(SPAN("18446744073709551615"));
	struct json_reader large = json_reader(SPAN("18446744073709551616"));
	struct json_number n;
	const char *why;

	assert_int_equal(json_take_number(&r, &n, &why), 0);
	assert_true(!n.integer && n.negative && n.exact);
	assert_true(n.mantissa == 1250 && n.exponent == 1);
	assert_true(span_is(n.text, "-12.50e3"));
	assert_int_equal(*r.p, ',');
	assert_int_equal(json_take_number(&whole, &n, &why), 0);
	assert_true(n.integer && n.exact && n.mantissa == UINT64_MAX && n.exponent == 0);
	assert_int_equal(json_take_number(&large, &n, &why), 0);
	assert_true(n.integer && !n.exact);
}

/* Jansson's opinion of a number, or infinity if it is too large for it. */
static double jansson_number(const char *text)
{
	json_error_t error;
	json_t *root = json_loads(text, JSON_DECODE_ANY, &error);
	double v;

	if (!root) {
		assert_int_equal(json_error_code(&error), json_error_numeric_overflow);
		return INFINITY;
	}
	v = json_number_value(root);
	json_decref(root);
	return v;
}

static void assert_number_as_jansson(const char *text)
{
	double expected = jansson_number(text), v = INFINITY;
	int e = json_get_number(span_str(text), &v);

	assert_int_equal(e, isinf(expected) ? JSON_E_BAD : 0);
	if (e == 0 && memcmp(&v, &expected, sizeof(v)) != 0)
		fail_msg("%s: %.17g and not %.17g", text, v, expected);
}

static void put_digits(struct buf *b, size_t n)
{
	while (n--)
		buf_put_byte(b, (uint8_t)('0' + random_below(10)));
}

static size_t random_length(void)
{
	return random_below(50) ? random_below(random_below(2) ? 6 : 25) : random_below(1200);
}

static void test_number_random_text_as_jansson(void **state UNUSED)
{
	random_begin(2);
	for (int i = 0; i < 30000; i++) {
		struct buf text = BUF_NULL;

		if (random_below(2))
			buf_put_byte(&text, '-');
		if (random_below(4) == 0) {
			buf_put_byte(&text, '0');
		} else {
			buf_put_byte(&text, (uint8_t)('1' + random_below(9)));
			put_digits(&text, random_length());
		}
		buf_put_str(&text, random_below(8) ? "." : ".000000000000000000000000");
		put_digits(&text, 1 + random_length());
		if (random_below(2))
			buf_printf(&text, "%c%s%zu", random_below(2) ? 'e' : 'E',
				   &"-\0+"[2 * random_below(2)],
				   random_below(random_below(2) ? 30 : 400));
		buf_put_byte(&text, '\0');
		assert_number_as_jansson((const char *)text.p);
		buf_deinit(&text);
	}
}

/* Exactly between two doubles, and next to that, where one digit decides. */
static void test_number_between_two_doubles_as_jansson(void **state UNUSED)
{
	char text[1400];

	random_begin(3);
	for (int i = 0; i < 1000; i++) {
		uint64_t bits = random_next() % ((uint64_t)0x7fe << 52);
		double v;
		long double middle;
		int len;

		memcpy(&v, &bits, sizeof(v));
		middle = ((long double)v + (long double)nextafter(v, INFINITY)) / 2;
		len = snprintf(text, sizeof(text), "%.780Le", middle);
		assert_true(len > 780 && (size_t)len < sizeof(text));
		assert_number_as_jansson(text);
		text[random_below(2) ? 300 : 781]++;	/* '9' becomes ':' */
		if (!memchr(text, ':', (size_t)len))
			assert_number_as_jansson(text);
	}
}

static void test_number_with_digits_beyond_any_need(void **state UNUSED)
{
	for (size_t n = 780; n < 1000; n += 7) {
		struct buf text = BUF_NULL;
		double v;

		buf_put_str(&text, "9007199254740993.");
		for (size_t i = 0; i < n; i++)
			buf_put_byte(&text, '0');
		assert_int_equal(json_get_number(buf_span(&text), &v), 0);
		assert_true(v == 9007199254740992.0);
		buf_put_byte(&text, '1');
		assert_int_equal(json_get_number(buf_span(&text), &v), 0);
		assert_true(v == 9007199254740994.0);
		buf_put_str(&text, "e-3");
		assert_int_equal(json_get_number(buf_span(&text), &v), 0);
		assert_true(v == 9007199254740.993);
		buf_deinit(&text);
	}
}

/* ---- writing numbers -------------------------------------------------------------------- */

static void assert_format(double v, const char *expected)
{
	char text[33];
	size_t len = json_format_double(v, text);

	assert_true(len <= 32);
	text[len] = '\0';
	assert_string_equal(text, expected);
}

static void test_format_double(void **state UNUSED)
{
	assert_format(0.0, "0.0");
	assert_format(-0.0, "-0.0");
	assert_format(1, "1.0");
	assert_format(-1, "-1.0");
	assert_format(1.5, "1.5");
	assert_format(0.1, "0.1");
	assert_format(0.3, "0.3");
	assert_format(0.1 + 0.2, "0.30000000000000004");
	assert_format(100, "100.0");
	assert_format(1700000000.25, "1700000000.25");
	assert_format(1.0 / 3, "0.3333333333333333");
	assert_format(2.0 / 3, "0.6666666666666666");
	assert_format(123456.789012, "123456.789012");
	assert_format(999999999999999.9, "999999999999999.9");
	assert_format(1e15, "1000000000000000.0");
	assert_format(9007199254740992, "9007199254740992.0");
	assert_format(9999999999999998, "9999999999999998.0");
	assert_format(1e16, "1e16");
	assert_format(12345678901234567890.0, "1.2345678901234567e19");
	assert_format(18446744073709551616.0, "1.8446744073709552e19");
	assert_format(1e22, "1e22");
	assert_format(1e23, "1e23");
	assert_format(1e300, "1e300");
	assert_format(0.00001, "0.00001");
	assert_format(0.000012345, "0.000012345");
	assert_format(0.000001, "1e-6");
	assert_format(-1.25e-7, "-1.25e-7");
	assert_format(5e-324, "5e-324");
	assert_format(1e-323, "1e-323");
	assert_format(DBL_MIN, "2.2250738585072014e-308");
	assert_format(2.225073858507201e-308, "2.225073858507201e-308");
	assert_format(DBL_MAX, "1.7976931348623157e308");
	assert_format(-DBL_MAX, "-1.7976931348623157e308");
	/* Powers of two, where the doubles below are closer than those above. */
	assert_format(0x1p-44, "5.684341886080802e-14");
	assert_format(0x1p-1022, "2.2250738585072014e-308");
	assert_format(0x1p89, "6.189700196426902e26");
	assert_format(0x1p63, "9.223372036854776e18");
}

/* The digits of a text, without leading and trailing zeros. */
static size_t count_digits(const char *text)
{
	size_t n = 0, zeros = 0;

	for (; *text && *text != 'e'; text++) {
		if (*text < '0' || *text > '9' || (*text == '0' && n + zeros == 0))
			continue;
		zeros = *text == '0' ? zeros + 1 : 0;
		n++;
	}
	return n > zeros ? n - zeros : 1;
}

/* Does any decimal of n digits read back as v? The nearest one, or a neighbour of that. */
static bool has_decimal_of(double v, size_t n)
{
	char text[64], digits[24] = "";
	size_t used = 0;
	uint64_t mantissa;
	int exponent;

	snprintf(text, sizeof(text), "%.*e", (int)n - 1, v);
	for (const char *p = text; *p != 'e'; p++)
		if (*p >= '0' && *p <= '9')
			digits[used++] = *p;
	mantissa = strtoull(digits, NULL, 10);
	exponent = atoi(strchr(text, 'e') + 1) - (int)n + 1;
	for (uint64_t m = mantissa - 1; m <= mantissa + 1; m++) {
		snprintf(text, sizeof(text), "%llue%d", (unsigned long long)m, exponent);
		if (strtod(text, NULL) == v)
			return true;
	}
	return false;
}

/* Reads back the same, here and by Jansson; is a float; and none is shorter. */
static void assert_shortest(double v)
{
	char text[33];
	size_t len = json_format_double(v, text), n;
	double read = 0;

	assert_true(len <= 32);
	text[len] = '\0';
	assert_true(strpbrk(text, ".e") != NULL);
	assert_int_equal(json_get_number(span_of(text, len), &read), 0);
	if (memcmp(&read, &v, sizeof(v)) != 0)
		fail_msg("%.17g became %s", v, text);
	assert_true(jansson_number(text) == v);
	n = count_digits(text);
	assert_true(n <= 17);
	if (n > 1 && has_decimal_of(fabs(v), n - 1))
		fail_msg("%s could be shorter", text);
}

static double random_double(void)
{
	uint64_t bits = random_next();
	double v;

	switch (random_below(6)) {
	case 0:		/* near zero */
		bits &= 0x800fffffffffffff;
		break;
	case 1:		/* few bits */
		bits &= random_next() & random_next() & random_next() & random_next();
		break;
	case 2:		/* as people write them */
		return (double)(int64_t)(random_next() % 2000000000) / 1000 - 1000000;
	case 3:
		return (double)(random_next() >> random_below(64)) *
		       pow(10, (double)random_below(20) - 10);
	case 4:		/* a power of two */
		bits &= 0xfff0000000000000;
		break;
	}
	if ((bits >> 52 & 0x7ff) == 0x7ff)
		bits ^= (uint64_t)1 << 62;
	memcpy(&v, &bits, sizeof(v));
	return v;
}

static void test_format_double_is_the_shortest_that_reads_back(void **state UNUSED)
{
	random_begin(4);
	for (int i = 0; i < 20000; i++)
		assert_shortest(random_double());
	for (int e = -1074; e <= 1023; e++) {
		assert_shortest(ldexp(1, e));
		assert_shortest(nextafter(ldexp(1, e), INFINITY));
		assert_shortest(nextafter(ldexp(1, e), 0));
	}
	for (int e = -323; e <= 308; e++) {
		char text[16];

		snprintf(text, sizeof(text), "1e%d", e);
		assert_shortest(strtod(text, NULL));
		assert_shortest(-nextafter(strtod(text, NULL), INFINITY));
	}
}

static void test_number_does_not_depend_on_the_locale(void **state UNUSED)
{
	static const char *const with_comma[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8",
						  "de_DE" };
	size_t i = 0;
	double v = 0;

	while (i < ARRAY_SIZE(with_comma) && !setlocale(LC_ALL, with_comma[i]))
		i++;
	if (i == ARRAY_SIZE(with_comma))
		SKIP("no locale with a decimal comma is installed");
	assert_format(0.1 + 0.2, "0.30000000000000004");
	assert_format(1.25e-7, "1.25e-7");
	assert_int_equal(json_get_number(SPAN("1.25e-7"), &v), 0);
	assert_true(v == 1.25e-7);
	assert_int_equal(json_get_number(SPAN("0.1000000000000000000000000000000000000001"), &v),
			 0);
	assert_true(v == 0.1);
	setlocale(LC_ALL, "C");
}

/* ---- writing text ----------------------------------------------------------------------- */

static void test_put_string_escapes(void **state UNUSED)
{
	static const struct {
		struct span text, json;
	} cases[] = {
		{ BYTES(""), BYTES("\"\"") },
		{ BYTES("abc /'"), BYTES("\"abc /'\"") },
		{ BYTES("\"\\"), BYTES("\"\\\"\\\\\"") },
		{ BYTES("\b\f\n\r\t"), BYTES("\"\\b\\f\\n\\r\\t\"") },
		{ BYTES("\0\1\x1f\x7f"), BYTES("\"\\u0000\\u0001\\u001f\x7f\"") },
		{ BYTES("\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e"),
		  BYTES("\"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\"") },
		{ BYTES("a\xff" "b"), BYTES("\"a\xef\xbf\xbd" "b\"") },
		{ BYTES("\xe2\x82"), BYTES("\"\xef\xbf\xbd\xef\xbf\xbd\"") },
		{ BYTES("\xed\xa0\x80\n"), BYTES("\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\n\"") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span text = exact_copy(cases[i].text);
		struct buf out = BUF_NULL;

		json_put_string(&out, text);
		assert_text(&out, cases[i].json);
		buf_deinit(&out);
		span_free(text);
	}
}

static void test_put_string_of_nothing(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	json_put_string(&out, span_of(NULL, 0));
	assert_text(&out, SPAN("\"\""));
	assert_int_equal(json_put_inside(&out, span_of(NULL, 0)), 0);
	assert_text(&out, SPAN("\"\""));
	assert_true(utf8_is_valid(span_of(NULL, 0)));
	buf_deinit(&out);
}

static void test_put_inside_stops_at_what_is_not_utf8(void **state UNUSED)
{
	struct buf out = BUF_NULL;

	assert_int_equal(json_put_inside(&out, SPAN("a\nb\xff" "c")), 3);
	assert_text(&out, SPAN("a\\nb"));
	buf_clear(&out);
	assert_int_equal(json_put_inside(&out, SPAN("a\n\xc3\xa9")), 4);
	assert_text(&out, SPAN("a\\n\xc3\xa9"));
	buf_deinit(&out);
}

static void test_put_string_and_get_it_back(void **state UNUSED)
{
	static const char *const long_ones[] = { "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9d\x84\x9e" };

	random_begin(5);
	for (int i = 0; i < 3000; i++) {
		struct buf text = BUF_NULL, json = BUF_NULL, back = BUF_NULL;
		struct json_fault why;
		struct span value;

		for (size_t n = random_below(40); n > 0; n--)
			if (random_below(3))
				buf_put_byte(&text, (uint8_t)random_below(128));
			else
				buf_put_str(&text, long_ones[random_below(ARRAY_SIZE(long_ones))]);
		json_put_string(&json, buf_span(&text));
		assert_int_equal(json_text(buf_span(&json), 0, &value, &why), 0);
		assert_true(jansson_takes(buf_span(&json)));
		assert_int_equal(json_get_string(value, &back), 0);
		assert_text(&back, buf_span(&text));
		buf_deinit(&text);
		buf_deinit(&json);
		buf_deinit(&back);
	}
}

/* ---- UTF-8 ------------------------------------------------------------------------------ */

/* Written otherwise than json.c does it: decodes, then looks at the number. */
static bool is_utf8_by_number(const uint8_t *p, size_t len)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };

	for (size_t i = 0; i < len;) {
		unsigned int n = p[i] < 0x80 ? 0 : p[i] >> 5 == 6 ? 1 : p[i] >> 4 == 14 ? 2 :
				 p[i] >> 3 == 30 ? 3 : 9;
		uint32_t c;

		if (n == 9 || i + n >= len)
			return false;
		c = n ? p[i] & (0x3fu >> n) : p[i];
		i++;
		for (unsigned int k = 0; k < n; k++, i++) {
			if (p[i] >> 6 != 2)
				return false;
			c = c << 6 | (p[i] & 0x3f);
		}
		if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	return true;
}

static void assert_utf8(const uint8_t *p, size_t len)
{
	if (utf8_is_valid(span_of(p, len)) != is_utf8_by_number(p, len))
		fail_msg("%zu bytes: %02x %02x %02x %02x", len, p[0], p[1], p[2], p[3]);
}

static void test_utf8_of_every_two_bytes(void **state UNUSED)
{
	uint8_t p[4] = { 0 };

	assert_true(utf8_is_valid(span_of(p, 0)));
	for (unsigned int i = 0; i < 0x10000; i++) {
		p[0] = (uint8_t)(i >> 8);
		p[1] = (uint8_t)i;
		assert_utf8(p, 1);
		assert_utf8(p, 2);
	}
}

/* The bytes at the edges of every rule, in every order. */
static void test_utf8_of_every_four_edges(void **state UNUSED)
{
	static const uint8_t edges[] = {
		0x00, 0x22, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
		0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff,
	};
	enum { N = ARRAY_SIZE(edges) };

	for (size_t i = 0; i < (size_t)N * N * N * N; i++) {
		const uint8_t p[4] = {
			edges[i % N], edges[i / N % N], edges[i / N / N % N], edges[i / N / N / N],
		};

		assert_utf8(p, 4);
		if (p[3] == 0)
			assert_utf8(p, 3);
	}
}

/* Wherever the byte stands among those that are looked at by eights. */
static void test_clean_run_ends_at_every_position(void **state UNUSED)
{
	static const struct {
		struct span stop;
		bool clean;
	} stops[] = {
		{ BYTES("\""), false },	     { BYTES("\\"), false },
		{ BYTES("\n"), false },	     { BYTES("\0"), false },
		{ BYTES("\x1f"), false },    { BYTES("\x80"), false },
		{ BYTES("\xff"), false },    { BYTES("\xe2\x82"), false },
		{ BYTES(" "), true },	     { BYTES("!"), true },
		{ BYTES("#"), true },	     { BYTES("["), true },
		{ BYTES("]"), true },	     { BYTES("\x7f"), true },
		{ BYTES("\xc3\xa9"), true }, { BYTES("\xf0\x9d\x84\x9e"), true },
	};
	uint8_t text[48];

	for (size_t i = 0; i < ARRAY_SIZE(stops); i++)
		for (size_t at = 0; at < 30; at++)
			for (size_t after = 0; after < 12; after++) {
				size_t len = at + stops[i].stop.len + after;
				struct span copy;

				memset(text, 'x', sizeof(text));
				memcpy(text + at, stops[i].stop.p, stops[i].stop.len);
				copy = exact_copy(span_of(text, len));
				assert_int_equal(json_clean_run(copy.p, len),
						 stops[i].clean ? len : at);
				span_free(copy);
			}
}

static void test_clean_run_of_every_byte(void **state UNUSED)
{
	for (unsigned int c = 0; c < 256; c++) {
		uint8_t text[16];
		bool clean = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

		memset(text, (int)c, sizeof(text));
		assert_int_equal(json_clean_run(text, sizeof(text)), clean ? sizeof(text) : 0);
		memset(text, 'x', sizeof(text));
		text[3] = (uint8_t)c;
		assert_int_equal(json_clean_run(text, sizeof(text)), clean ? sizeof(text) : 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_that_is_valid),
		cmocka_unit_test(test_text_that_is_invalid),
		cmocka_unit_test(test_text_that_is_cut_off),
		cmocka_unit_test(test_text_is_given_without_blanks),
		cmocka_unit_test(test_text_fault_has_place_and_reason),
		cmocka_unit_test(test_text_depth_is_limited),
		cmocka_unit_test(test_text_brackets_match_at_any_depth),
		cmocka_unit_test(test_read_raw_one_after_the_other),
		cmocka_unit_test(test_members_of_an_object),
		cmocka_unit_test(test_containers_that_are_empty),
		cmocka_unit_test(test_enter_of_another_type),
		cmocka_unit_test(test_members_of_what_was_not_checked),
		cmocka_unit_test(test_key_is_compared_decoded),
		cmocka_unit_test(test_get_string_decodes),
		cmocka_unit_test(test_get_string_appends_or_leaves_nothing),
		cmocka_unit_test(test_take_string_tells_a_surrogate_apart),
		cmocka_unit_test(test_get_bool_and_null),
		cmocka_unit_test(test_get_number),
		cmocka_unit_test(test_get_number_refuses),
		cmocka_unit_test(test_take_number_tells_its_parts),
		cmocka_unit_test(test_number_random_text_as_jansson),
		cmocka_unit_test(test_number_between_two_doubles_as_jansson),
		cmocka_unit_test(test_number_with_digits_beyond_any_need),
		cmocka_unit_test(test_format_double),
		cmocka_unit_test(test_format_double_is_the_shortest_that_reads_back),
		cmocka_unit_test(test_number_does_not_depend_on_the_locale),
		cmocka_unit_test(test_put_string_escapes),
		cmocka_unit_test(test_put_string_of_nothing),
		cmocka_unit_test(test_put_inside_stops_at_what_is_not_utf8),
		cmocka_unit_test(test_put_string_and_get_it_back),
		cmocka_unit_test(test_utf8_of_every_two_bytes),
		cmocka_unit_test(test_utf8_of_every_four_edges),
		cmocka_unit_test(test_clean_run_ends_at_every_position),
		cmocka_unit_test(test_clean_run_of_every_byte),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
