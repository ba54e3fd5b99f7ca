/* SPDX-License-Identifier: MIT */
/*
 * The data of encrypted channels. The vectors were made by an official library and read by
 * another; see also the integration tests.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/sealed.h"
#include "tests/unit/skip.h"

#define CHANNEL span_str("private-encrypted-vault_7")
#define DATA_OF(ciphertext)                                                                        \
	"{\"nonce\":\"QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZX\",\"ciphertext\":\"" ciphertext "\"}"
#define BOX "qzymVemMIp4iZregAjJSMvpiMqdghKkb0w/8BC3KK7x6KdlAYQ=="

static void sealed_init_key(struct sealed *s)
{
	uint8_t key[SEALED_KEY_LEN];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	assert_int_equal(sealed_init(s, key), 0);
}

static void assert_opens(struct span channel, const char *data, int outcome, const char *text)
{
	CLEANUP(buf_deinit) struct buf store = BUF_NULL;
	struct sealed s;
	struct span ret;

	sealed_init_key(&s);
	buf_put_str(&store, "before");
	assert_int_equal(sealed_open(&s, channel, span_str(data), &store, &ret), outcome);
	if (outcome == 0)
		assert_true(span_is(ret, text));
	else
		assert_int_equal(store.len, 6);
	sealed_deinit(&s);
	assert_false(s.has_key);
}

static void test_events_of_other_libraries_are_opened(void **state UNUSED)
{
	if (sealed_why_not())
		SKIP(sealed_why_not());
	assert_opens(CHANNEL, DATA_OF(BOX), 0, "{\"t\":21.5,\"unit\":\"C\"}");
	assert_opens(CHANNEL, DATA_OF("Bu8boNSjvwUzqRNcsc9Fpg=="), 0, "");
	assert_opens(CHANNEL, DATA_OF("qbZsTNlNFWuXtyMxNl40WNuD+vcz1fAVBL9N"), 0, "Zürich ✓");
	assert_opens(CHANNEL,
		     " { \"ciphertext\" : \"" BOX "\", \"more\": [], \"nonce\" : "
		     "\"QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZX\" } ",
		     0, "{\"t\":21.5,\"unit\":\"C\"}");
}

static void test_what_cannot_be_opened(void **state UNUSED)
{
	static const char *const data[] = {
		"", "x", "[]", "{}", "\"" BOX "\"",
		"{\"nonce\":\"QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZX\"}",
		"{\"ciphertext\":\"" BOX "\"}",
		"{\"nonce\":\"QEFC\",\"ciphertext\":\"" BOX "\"}",
		"{\"nonce\":7,\"ciphertext\":\"" BOX "\"}",
		DATA_OF(""), DATA_OF("abc"), DATA_OF("Bu8boNSjvwUzqRNcsc9F"),
		DATA_OF("rzymVemMIp4iZregAjJSMvpiMqdghKkb0w/8BC3KK7x6KdlAYQ=="),
		DATA_OF("qzymVemMIp4iZregAjJSMvpiMqdghKkb0w/8BC3KK7x6KdlAYA=="),
	};

	if (sealed_why_not())
		SKIP(sealed_why_not());
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		assert_opens(CHANNEL, data[i], SEALED_E_BAD, NULL);
	assert_opens(span_str("private-encrypted-vault_8"), DATA_OF(BOX), SEALED_E_BAD, NULL);
}

static void test_what_is_closed_can_be_opened(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct sealed s;

	if (sealed_why_not())
		SKIP(sealed_why_not());
	sealed_init_key(&s);
	for (size_t len = 0; len < 70; len++) {
		CLEANUP(buf_deinit)
		struct buf closed = BUF_NULL,
			   again = BUF_NULL, opened = BUF_NULL;
		struct span data, other, ret;

		assert_int_equal(sealed_close(&s, CHANNEL, buf_span(&text), &closed, &data), 0);
		assert_int_equal(sealed_close(&s, CHANNEL, buf_span(&text), &again, &other), 0);
		assert_false(span_equal(data, other));	/* another nonce */
		assert_int_equal(sealed_open(&s, CHANNEL, data, &opened, &ret), 0);
		assert_true(span_equal(ret, buf_span(&text)));
		buf_put_byte(&text, (uint8_t)(7 * len));
	}
	sealed_deinit(&s);
}

static void test_without_a_key(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf store = BUF_NULL;
	struct sealed s;
	struct span ret;

	assert_int_equal(sealed_init(&s, NULL), 0);
	assert_int_equal(sealed_close(&s, CHANNEL, span_str("x"), &store, &ret), SEALED_E_NO_KEY);
	assert_int_equal(sealed_open(&s, CHANNEL, span_str("x"), &store, &ret), SEALED_E_NO_KEY);
	assert_int_equal(sealed_close(&s, span_str("private-x"), span_str("x"), &store, &ret), 0);
	assert_true(span_is(ret, "x"));
	assert_int_equal(sealed_open(&s, span_str("chapi"), span_str("y"), &store, &ret), 0);
	assert_true(span_is(ret, "y"));
	assert_int_equal(store.len, 0);
	sealed_deinit(&s);
}

static size_t closed_len(const struct sealed *s, size_t len)
{
	CLEANUP(buf_deinit) struct buf closed = BUF_NULL;
	static const uint8_t text[400];
	struct span data;

	assert_int_equal(sealed_close(s, CHANNEL, span_of(text, len), &closed, &data), 0);
	return data.len;
}

static void test_room_is_what_fits(void **state UNUSED)
{
	struct sealed s;

	if (sealed_why_not())
		SKIP(sealed_why_not());
	sealed_init_key(&s);
	for (size_t max = 84; max < 400; max++) {
		size_t room = sealed_room(CHANNEL, max);

		assert_in_range(closed_len(&s, room), 0, max);
		assert_true(closed_len(&s, room + 1) > max);
	}
	sealed_deinit(&s);
}

static void test_room_of_channels_and_of_nothing(void **state UNUSED)
{
	assert_int_equal(sealed_room(CHANNEL, 10240), 7619);
	assert_int_equal(sealed_room(span_str("private-x"), 10240), 10240);
	for (size_t max = 0; max < 84; max++)
		assert_int_equal(sealed_room(CHANNEL, max), 0);
}

static void test_encrypted_channels_are_told_by_their_names(void **state UNUSED)
{
	assert_true(sealed_is_encrypted(CHANNEL));
	assert_true(sealed_is_encrypted(span_str("private-encrypted-")));
	assert_false(sealed_is_encrypted(span_str("private-encrypted")));
	assert_false(sealed_is_encrypted(span_str("private-x")));
	assert_false(sealed_is_encrypted(span_str("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_of_other_libraries_are_opened),
		cmocka_unit_test(test_what_cannot_be_opened),
		cmocka_unit_test(test_what_is_closed_can_be_opened),
		cmocka_unit_test(test_without_a_key),
		cmocka_unit_test(test_room_is_what_fits),
		cmocka_unit_test(test_room_of_channels_and_of_nothing),
		cmocka_unit_test(test_encrypted_channels_are_told_by_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
