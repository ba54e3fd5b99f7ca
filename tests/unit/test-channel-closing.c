/* SPDX-License-Identifier: MIT */
/*
 * The life of the hub connection: how it is closed, and how long the next try waits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/channel_edges.h"

/* ---- closing: each row of the table --------------------------------------------------------- */

/* How long it waits after the first connection was closed with code, and what it says. */
static void check_close(unsigned int code, uint64_t least, uint64_t most, const char *words)
{
	WORLD(w);

	bring_up(&w);
	closed(&w, code, "");
	assert_waits(&w, least, most);
	assert_told(&w, words);
	assert_int_equal(w.n_disconnects, 0);
	assert_string_equal(status_of(&w).socket_id, "");
	pass(&w, next(&w) - w.now - 1);
	assert_int_equal(w.n_connects, 1);
	pass(&w, 1);
	assert_int_equal(w.n_connects, 2);
	assert_state(&w, CHANNEL_CONNECTING);
}

#define CLOSE_TEST(code, wait, words) \
	static void test_close_##code(void **state UNUSED) \
	{ \
		check_close(code, wait, words); \
	}

CLOSE_TEST(1000, BACKOFF, "1000: the hub has ended the connection")
CLOSE_TEST(1001, BACKOFF, "1001: the hub is going away")
CLOSE_TEST(1002, BACKOFF, "1002: ")
CLOSE_TEST(1006, BACKOFF, "1006: the connection broke off")
CLOSE_TEST(1009, BACKOFF, "1009: a message was too large")
CLOSE_TEST(1011, BACKOFF, "1011: the hub is in trouble")
CLOSE_TEST(3999, BACKOFF, "3999: the connection was closed")
CLOSE_TEST(4000, SLOWLY, "4000: the hub takes TLS connections only; set tls = yes")
CLOSE_TEST(4001, SLOWLY, "4001: the hub does not know this key; check key and cluster")
CLOSE_TEST(4002, SLOWLY, "4002: the hub refuses this connection; check")
CLOSE_TEST(4003, SLOWLY, "4003: the app is disabled; enable it")
CLOSE_TEST(4004, SLOWLY, "4004: the app has as many connections as it may; close others")
CLOSE_TEST(4005, SLOWLY, "4005: the hub does not know this path; check host, port and path_prefix")
CLOSE_TEST(4006, SLOWLY, "4006: ")
CLOSE_TEST(4007, SLOWLY, "4007: the hub does not speak version 7")
CLOSE_TEST(4008, SLOWLY, "4008: ")
CLOSE_TEST(4009, SLOWLY,
	   "4009: the hub does not authorise this connection; check key and secret_file")
CLOSE_TEST(4099, SLOWLY, "4099: the hub refuses")
CLOSE_TEST(4100, OVER_CAPACITY, "4100: the hub is over capacity")
CLOSE_TEST(4199, OVER_CAPACITY, "4199: the hub cannot take the connection now")
CLOSE_TEST(4200, AT_ONCE, "4200: the hub asks for a new connection")
CLOSE_TEST(4201, AT_ONCE, "4201: the hub did not get our pong in time")
CLOSE_TEST(4202, AT_ONCE, "4202: the hub closed for inactivity")
CLOSE_TEST(4299, AT_ONCE, "4299: the hub asks for a new connection")
CLOSE_TEST(4300, BACKOFF, "4300: ")
CLOSE_TEST(4301, BACKOFF, "4301: the hub refused a client event")
CLOSE_TEST(4302, BACKOFF, "4302: the watch list")
CLOSE_TEST(4399, BACKOFF, "4399: ")
CLOSE_TEST(4400, BACKOFF, "4400: the connection was closed")

static void test_close_without_code(void **state UNUSED)
{
	WORLD(w);

	bring_up(&w);
	closed(&w, 0, "Connection reset by peer");
	assert_waits(&w, BACKOFF);
	assert_string_equal(w.reason,
			    "the connection to the hub was lost: Connection reset by peer");
}

static void test_close_before_the_connection_was_there(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	closed(&w, 0, "Connection refused");
	assert_waits(&w, BACKOFF);
	assert_string_equal(w.reason, "the hub cannot be reached: Connection refused");
	assert_string_equal(status_of(&w).reason, w.reason);
}

static void test_close_with_the_hubs_own_words(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	opened(&w);
	channel_closed(w.channel, 4003, span_str("gone\n\x1b[31m"), w.now);
	assert_string_equal(w.reason,
			    "4003: the app is disabled; enable it at the hub (gone??[31m)");
}

static void test_close_with_very_long_words(void **state UNUSED)
{
	WORLD(w);
	char why[5000];

	memset(why, 'x', sizeof(why));
	start(&w);
	channel_closed(w.channel, 4003, span_of(why, sizeof(why)), w.now);
	assert_waits(&w, SLOWLY);
	assert_told(&w, "enable it at the hub (xxxx");
}

static void test_close_reported_twice_counts_once(void **state UNUSED)
{
	WORLD(w);
	uint64_t until;

	bring_up(&w);
	closed(&w, 4200, "");
	until = next(&w);
	closed(&w, 4001, "");
	opened(&w);
	confirm(&w, PUBLIC);
	assert_true(next(&w) == until);
	assert_told(&w, "4200");
	pass_to_next(&w);
	assert_int_equal(w.n_connects, 2);
}

/* ---- waits ------------------------------------------------------------------------------ */

static void test_wait_grows_to_its_limit_and_stays(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	for (unsigned int n = 0; n < 100; n++) {
		uint64_t ceiling = n < 6 ? UINT64_C(1000) << n : 60000;

		closed(&w, 0, "refused");
		assert_waits(&w, ceiling / 2, ceiling);
		pass_to_next(&w);
		assert_state(&w, CHANNEL_CONNECTING);
	}
	assert_int_equal(status_of(&w).n_connects, 101);
}

static void test_wait_of_hand_shake_limits_grows_too(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	for (unsigned int n = 0; n < 4; n++) {
		pass(&w, 15000);
		assert_waits(&w, 500u << n, 1000u << n);
		pass_to_next(&w);
	}
}

static void test_other_times_hold_from_the_next_wait_on(void **state UNUSED)
{
	struct channel_config other = defaults;
	WORLD(w);

	start(&w);
	closed(&w, 0, "refused");
	other.handshake_ms = 3000;
	other.backoff_least_ms = other.backoff_most_ms = 10000;
	channel_set_timing(w.channel, &other);
	assert_waits(&w, 500, 1000);
	pass_to_next(&w);
	assert_state(&w, CHANNEL_CONNECTING);
	pass(&w, 2999);
	assert_state(&w, CHANNEL_CONNECTING);
	pass(&w, 1);
	assert_waits(&w, 5000, 10000);
}

static void test_wait_begins_anew_after_a_healthy_connection(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	for (unsigned int n = 0; n < 5; n++) {
		closed(&w, 0, "refused");
		pass_to_next(&w);
	}
	bring_up(&w);
	pass(&w, 30000);
	frame(&w, PONG);
	pass(&w, 30000);
	closed(&w, 0, "reset");
	assert_waits(&w, BACKOFF);
}

static void test_wait_goes_on_growing_after_a_short_connection(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	for (unsigned int n = 0; n < 5; n++) {
		closed(&w, 0, "refused");
		pass_to_next(&w);
	}
	bring_up(&w);
	pass(&w, 30000);
	frame(&w, PONG);
	pass(&w, 29999);
	closed(&w, 0, "reset");
	assert_waits(&w, 16000, 32000);
}

static void test_wait_of_accept_and_close_servers_grows(void **state UNUSED)
{
	WORLD(w);

	for (unsigned int n = 0; n < 8; n++) {
		bring_up(&w);
		closed(&w, 4200, "");
		if (n == 0)
			assert_waits(&w, 0, 500);
		else
			assert_waits(&w, MIN(500u << n, 30000u), MIN(1000u << n, 60000u));
		pass_to_next(&w);
	}
}

static void test_wait_over_capacity_is_a_second_at_least(void **state UNUSED)
{
	struct channel_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.backoff_least_ms = 10;
	config.backoff_most_ms = 100;
	world_init_config(&w, &config);
	for (unsigned int n = 0; n < 5; n++) {
		start(&w);
		closed(&w, 4100, "");
		assert_waits(&w, 1000, 1100);
	}
}

/* A hub that is over capacity has refused many of us: they must not be back in one moment. */
static void test_wait_over_capacity_differs_from_seed_to_seed(void **state UNUSED)
{
	struct channel_config config = defaults;
	uint64_t least = NEVER, most = 0;

	for (config.seed = 0; config.seed < 200; config.seed++) {
		CLEANUP(world_deinit) struct world w;

		world_init_config(&w, &config);
		start(&w);
		closed(&w, 4100, "");
		least = MIN(least, next(&w) - w.now);
		most = MAX(most, next(&w) - w.now);
	}
	assert_true(least >= 1500 && least < 1550);
	assert_true(most > 1950 && most <= 2000);
}

static void refused(struct world *w, unsigned int status, uint64_t least_ms)
{
	channel_refused(w->channel, status, span_str("status and words"), least_ms, w->now);
}

static void test_wait_of_a_refusal_grows_on_top_of_what_the_hub_asks_for(void **state UNUSED)
{
	static const unsigned int statuses[] = { 429, 503 };

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		WORLD(w);

		for (unsigned int n = 0; n < 4; n += 2) {
			start(&w);
			refused(&w, statuses[i], 30000);
			assert_waits(&w, 31000 + (500u << n), 31000 + (1000u << n));
			assert_string_equal(w.reason,
					    "the hub cannot be reached: status and words");
			pass_to_next(&w);
			assert_state(&w, CHANNEL_CONNECTING);
			refused(&w, statuses[i], 0);
			assert_waits(&w, 1000 + (1000u << n), 1000 + (2000u << n));
		}
	}
}

static void test_wait_of_a_proxy_that_wants_another_password_is_long(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	refused(&w, 407, 0);
	assert_waits(&w, 300000, 900000);
}

static void test_wait_of_a_refusal_of_another_kind(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	refused(&w, 502, 0);
	assert_waits(&w, BACKOFF);
	refused(&w, 502, 0);		/* of a connection that is no more */
	assert_waits(&w, BACKOFF);
}

static void test_wait_of_a_refusal_for_ever_does_not_overflow(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	refused(&w, 429, NEVER);
	assert_true(next(&w) > w.now + 1000000000);
}

static void test_wait_slow_probe_does_not_grow(void **state UNUSED)
{
	WORLD(w);

	start(&w);
	for (unsigned int n = 0; n < 20; n++) {
		closed(&w, 4001, "");
		assert_waits(&w, SLOWLY);
		pass_to_next(&w);
	}
}

static void test_wait_of_slow_probes_can_be_set(void **state UNUSED)
{
	struct channel_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.probe_ms = 30;
	world_init_config(&w, &config);
	start(&w);
	closed(&w, 4001, "");
	assert_waits(&w, 10, 30);
}

static void test_wait_differs_from_seed_to_seed(void **state UNUSED)
{
	struct channel_config config = defaults;
	uint64_t least = NEVER, most = 0;

	for (config.seed = 0; config.seed < 200; config.seed++) {
		CLEANUP(world_deinit) struct world w;

		world_init_config(&w, &config);
		start(&w);
		closed(&w, 0, "");
		least = MIN(least, next(&w) - w.now);
		most = MAX(most, next(&w) - w.now);
	}
	assert_true(least >= 500 && least < 550);
	assert_true(most > 950 && most <= 1000);
}

static void test_wait_with_endless_settings_does_not_overflow(void **state UNUSED)
{
	struct channel_config config = defaults;
	CLEANUP(world_deinit) struct world w;

	config.handshake_ms = config.subscribe_ms = config.ping_interval_ms =
		config.pong_timeout_ms = NEVER;
	config.backoff_least_ms = config.backoff_most_ms = NEVER;
	world_init_config(&w, &config);
	bring_up(&w);
	assert_true(next(&w) == NEVER);
	closed(&w, 0, "");
	assert_true(next(&w) > w.now + 1000000000);
	assert_true(next(&w) < NEVER);
}

#define CLOSE_UNIT_TEST(code) cmocka_unit_test(test_close_##code)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLOSE_UNIT_TEST(1000),
		CLOSE_UNIT_TEST(1001),
		CLOSE_UNIT_TEST(1002),
		CLOSE_UNIT_TEST(1006),
		CLOSE_UNIT_TEST(1009),
		CLOSE_UNIT_TEST(1011),
		CLOSE_UNIT_TEST(3999),
		CLOSE_UNIT_TEST(4000),
		CLOSE_UNIT_TEST(4001),
		CLOSE_UNIT_TEST(4002),
		CLOSE_UNIT_TEST(4003),
		CLOSE_UNIT_TEST(4004),
		CLOSE_UNIT_TEST(4005),
		CLOSE_UNIT_TEST(4006),
		CLOSE_UNIT_TEST(4007),
		CLOSE_UNIT_TEST(4008),
		CLOSE_UNIT_TEST(4009),
		CLOSE_UNIT_TEST(4099),
		CLOSE_UNIT_TEST(4100),
		CLOSE_UNIT_TEST(4199),
		CLOSE_UNIT_TEST(4200),
		CLOSE_UNIT_TEST(4201),
		CLOSE_UNIT_TEST(4202),
		CLOSE_UNIT_TEST(4299),
		CLOSE_UNIT_TEST(4300),
		CLOSE_UNIT_TEST(4301),
		CLOSE_UNIT_TEST(4302),
		CLOSE_UNIT_TEST(4399),
		CLOSE_UNIT_TEST(4400),
		cmocka_unit_test(test_close_without_code),
		cmocka_unit_test(test_close_before_the_connection_was_there),
		cmocka_unit_test(test_close_with_the_hubs_own_words),
		cmocka_unit_test(test_close_with_very_long_words),
		cmocka_unit_test(test_close_reported_twice_counts_once),
		cmocka_unit_test(test_wait_grows_to_its_limit_and_stays),
		cmocka_unit_test(test_wait_of_hand_shake_limits_grows_too),
		cmocka_unit_test(test_other_times_hold_from_the_next_wait_on),
		cmocka_unit_test(test_wait_begins_anew_after_a_healthy_connection),
		cmocka_unit_test(test_wait_goes_on_growing_after_a_short_connection),
		cmocka_unit_test(test_wait_of_accept_and_close_servers_grows),
		cmocka_unit_test(test_wait_over_capacity_is_a_second_at_least),
		cmocka_unit_test(test_wait_over_capacity_differs_from_seed_to_seed),
		cmocka_unit_test(test_wait_of_a_refusal_grows_on_top_of_what_the_hub_asks_for),
		cmocka_unit_test(test_wait_of_a_proxy_that_wants_another_password_is_long),
		cmocka_unit_test(test_wait_of_a_refusal_of_another_kind),
		cmocka_unit_test(test_wait_of_a_refusal_for_ever_does_not_overflow),
		cmocka_unit_test(test_wait_slow_probe_does_not_grow),
		cmocka_unit_test(test_wait_differs_from_seed_to_seed),
		cmocka_unit_test(test_wait_with_endless_settings_does_not_overflow),
		cmocka_unit_test(test_wait_of_slow_probes_can_be_set),
	};

	return cmocka_run_group_tests_name("channel-closing", tests, NULL, NULL);
}
