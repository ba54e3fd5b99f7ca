/* SPDX-License-Identifier: MIT */
/*
 * Another gateway of our name: what is one, and when it is told of us.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/namesake.h"

#define START 5000

static struct namesake make(void)
{
	struct namesake n;

	namesake_init(&n, "pi", "00ff");
	return n;
}

static bool look(struct namesake *n, const char *text, uint64_t now_ms)
{
	return namesake_look(n, span_str(text), now_ms);
}

static void test_the_channel_is_our_beacon(void **state UNUSED)
{
	static const char longest[] =
		"0123456789012345678901234567890123456789012345678901234567890123";
	struct namesake n = make();

	assert_string_equal(n.channel, "private-chapi-pi@up");
	namesake_init(&n, longest, "00ff");
	assert_int_equal(strlen(n.channel), strlen("private-chapi-@up") + 64);
	assert_string_equal(n.channel + strlen(n.channel) - 4, "3@up");
}

static void test_what_is_said_is_known_again(void **state UNUSED)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct namesake n = make(), other;

	namesake_put(&n, &text);
	assert_int_equal(buf_error(&text), 0);
	assert_true(span_is(buf_span(&text), "{\"gateway\":\"pi\",\"instance\":\"00ff\"}"));
	assert_false(namesake_look(&n, buf_span(&text), START));
	namesake_init(&other, "pi", "1234");
	assert_true(namesake_look(&other, buf_span(&text), START));
	assert_string_equal(other.seen, "00ff");
}

static void test_one_of_our_name_and_another_instance_is_seen(void **state UNUSED)
{
	struct namesake n = make();

	assert_false(look(&n, "", START));
	assert_false(look(&n, "[]", START));
	assert_false(look(&n, "{\"gateway\":\"pi\"}", START));
	assert_false(look(&n, "{\"gateway\":7,\"instance\":\"1\"}", START));
	assert_false(look(&n, "{\"gateway\":\"PI\",\"instance\":\"1\"}", START));
	assert_int_equal(n.n_seen, 0);
	assert_true(look(&n, "{\"id\":\"i\",\"gateway\":\"pi\",\"instance\":\"1\"}", START));
	assert_true(look(&n, "{\"gateway\":\"pi\",\"instance\":\"12\"}", START + 1));
	assert_int_equal(n.n_seen, 2);
	assert_int_equal(n.seen_ms, START + 1);
	assert_string_equal(n.seen, "12");
}

/* It goes to logs and terminals. */
static void test_instance_of_it_is_cut_and_printable(void **state UNUSED)
{
	struct namesake n = make();

	assert_true(look(&n, "{\"gateway\":\"pi\",\"instance\":\"\\u001b[1m\"}", START));
	assert_string_equal(n.seen, "");
	assert_true(look(&n, "{\"gateway\":\"pi\",\"instance\":\"01234567890123456789012345678901"
			     "2345678901234567890123456789012345678901234\"}", START));
	assert_int_equal(strlen(n.seen), NAMESAKE_INSTANCE_MAX);
}

static void test_announcement_is_made_when_it_is_wanted_and_rarely(void **state UNUSED)
{
	struct namesake n = make();

	assert_true(namesake_next_ms(&n) == UINT64_MAX);
	assert_false(namesake_is_due(&n, START));
	assert_true(namesake_want(&n));
	assert_false(namesake_want(&n));
	assert_true(namesake_is_due(&n, START));
	namesake_announced(&n, true, START);
	assert_true(namesake_next_ms(&n) == UINT64_MAX);
	assert_true(namesake_want(&n));
	assert_int_equal(namesake_next_ms(&n), START + NAMESAKE_QUIET_MS);
	assert_false(namesake_is_due(&n, START + NAMESAKE_QUIET_MS - 1));
	assert_true(namesake_is_due(&n, START + NAMESAKE_QUIET_MS));
}

static void test_announcement_that_was_not_out_is_still_wanted(void **state UNUSED)
{
	struct namesake n = make();

	assert_true(namesake_want(&n));
	namesake_announced(&n, false, START);
	assert_false(namesake_want(&n));
	assert_int_equal(namesake_next_ms(&n), START + NAMESAKE_QUIET_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_channel_is_our_beacon),
		cmocka_unit_test(test_what_is_said_is_known_again),
		cmocka_unit_test(test_one_of_our_name_and_another_instance_is_seen),
		cmocka_unit_test(test_instance_of_it_is_cut_and_printable),
		cmocka_unit_test(test_announcement_is_made_when_it_is_wanted_and_rarely),
		cmocka_unit_test(test_announcement_that_was_not_out_is_still_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
