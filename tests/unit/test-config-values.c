/* SPDX-License-Identifier: MIT */
/*
 * The configuration: what values may be, what comes of those that are not set, and how they are
 * printed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/config_keys.h"
#include "tests/unit/config_folder.h"

/* ---- values ----------------------------------------------------------------------------- */

static void test_defaults(void **state UNUSED)
{
	struct config *c;
	WORLD(w);

	load_text(&w, "");
	c = &w.config;
	assert_false(c->pusher);
	assert_true(c->tls);
	assert_false(c->sign_with_prefix);
	assert_int_equal(c->ping_interval_ms, 30000);
	assert_int_equal(c->pong_timeout_ms, 20000);
	assert_string_equal(c->socket, "/run/chapi/gw.sock");
	assert_int_equal(c->socket_mode, 0660);
	assert_string_equal(c->state_dir, "/var/lib/chapi");
	assert_int_equal(c->default_visibility, CONFIG_VISIBILITY_REMOTE);
	assert_int_equal(c->log_level, LOG_LEVEL_INFO);
	assert_int_equal(c->stop_timeout_ms, 10000);
	assert_int_equal(c->max_message, 4 << 20);
	assert_string_equal(c->request_event, "request");
	assert_string_equal(c->response_event, "response");
	assert_true(c->answer_unknown);
	assert_int_equal(c->n_reply_channels, 2);
	assert_string_equal(c->reply_channels[0], "private-chapi-*@reply*");
	assert_string_equal(c->reply_channels[1], "private-encrypted-chapi-*@reply*");
	assert_int_equal(c->max_event_bytes, 10240);
	assert_int_equal(c->max_request_bytes, 0);
	assert_int_equal(c->max_record, 1 << 20);
	assert_int_equal(c->max_calls, 256);
	assert_int_equal(c->max_rate, 50);
	assert_int_equal(c->answer_store_time_ms, 600000);
	assert_int_equal(c->answer_store_bytes, 4 << 20);
	assert_int_equal(c->daily_messages, 0);
	assert_int_equal(c->n_rules, 0);
	assert_no_warning(&w);
}

static void test_defaults_of_limits_and_times(void **state UNUSED)
{
	struct config *c;
	WORLD(w);

	load_text(&w, "");
	c = &w.config;
	assert_int_equal(c->calls_per_peer, 4096);
	assert_int_equal(c->names_per_peer, 1024);
	assert_int_equal(c->pinned_per_peer, 16 << 20);
	assert_int_equal(c->pinned_total, 64 << 20);
	assert_int_equal(c->output_per_peer, 8 << 20);
	assert_int_equal(c->stalled_after_ms, 30000);
	assert_int_equal(c->peers, 0);
	assert_int_equal(c->handshake_ms, 15000);
	assert_int_equal(c->subscribe_ms, 10000);
	assert_int_equal(c->backoff_least_ms, 1000);
	assert_int_equal(c->backoff_most_ms, 60000);
	assert_int_equal(c->backoff_reset_ms, 60000);
	assert_int_equal(c->proof_of_life_ms, 0);
	assert_int_equal(c->publish_timeout_ms, 10000);
	assert_int_equal(c->publish_grace_ms, 60000);
	assert_int_equal(c->publish_connections, 4);
	assert_int_equal(c->publish_queue, 4 << 20);
	assert_int_equal(c->batch, 10);
}

/* One key by itself, in a configuration of its own: what came of it. */
struct try {
	int outcome;
	char why[300];		/* CONFIG_KEY_E_BAD */
	char printed[300];	/* 0: the value */
};

static struct try try_key(const char *section, const char *name, const char *text)
{
	const struct config_key *key = config_key_find(section, name);
	struct config config = { 0 };
	struct try try = { 0 };
	FILE *out;

	assert_non_null(key);
	try.outcome = config_key_set(key, text, &config, try.why, sizeof(try.why));
	if (try.outcome == 0) {
		out = fmemopen(try.printed, sizeof(try.printed), "w");
		assert_non_null(out);
		config_key_print(key, &config, out);
		fclose(out);
		assert_true(config_key_is_set(key, &config));
	}
	config_deinit(&config);
	return try;
}

static void assert_taken(const char *section, const char *name, const char *text,
			 const char *printed)
{
	struct try try = try_key(section, name, text);

	if (try.outcome != 0)
		fail_msg("%s = %s: %s", name, text, try.why);
	assert_string_equal(try.printed, printed);
}

static void assert_bad(const char *section, const char *name, const char *text, const char *words)
{
	struct try try = try_key(section, name, text);

	if (try.outcome != CONFIG_KEY_E_BAD)
		fail_msg("%s = %s was taken", name, text);
	assert_contains(try.why, words);
}

static void test_value_times(void **state UNUSED)
{
	static const char *const good[][2] = {
		{ "100ms", "100ms" }, { "1000ms", "1s" }, { "1500ms", "1500ms" }, { "30s", "30s" },
		{ "60s", "1m" },
		{ "90s", "90s" }, { "0007m", "7m" }, { "600000ms", "10m" },
	};
	static const char *const bad[] = {
		"99ms", "601s", "11m", "1h", "0", "30", "30 s", "30S", "s", "-30s", "+30s", "1.5s",
		"30s30s", "30sec",
		"0x10s", "18446744073709551616ms", "18446744073709551615h", "ten", "30s x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_taken("pusher", "ping_interval", good[i][0], good[i][1]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_bad("pusher", "ping_interval", bad[i],
			   "a time from 100ms to 10m is allowed, such as 500ms, 10s, 5m or 1h");
	assert_taken("timing", "proof_of_life", "0", "0");
	assert_taken("timing", "proof_of_life", "0s", "0");
	assert_taken("timing", "proof_of_life", "24h", "24h");
	assert_bad("timing", "proof_of_life", "0x", "a time from 0 to 24h is allowed");
}

static void test_value_sizes(void **state UNUSED)
{
	static const char *const good[][2] = {
		{ "1024", "1K" }, { "1K", "1K" }, { "1025", "1025" }, { "1536K", "1536K" },
		{ "2048K", "2M" },
		{ "64M", "64M" }, { "67108864", "64M" },
	};
	static const char *const bad[] = {
		"1023", "65M", "67108865", "0", "1k", "1 K", "1KB", "1G", "M", "-1M", "1.5M",
		"18446744073709551615M", "99999999999999999999",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_taken("gateway", "max_message", good[i][0], good[i][1]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_bad("gateway", "max_message", bad[i],
			   "a size from 1K to 64M is allowed, such as 512, 64K or 4M");
}

static void test_value_numbers(void **state UNUSED)
{
	static const char *const bad[] = {
		"0", "65536", "80a", "1K", "1s", "-1", "+1", "0x50", " 80", "4294967376",
	};

	assert_taken("pusher", "port", "1", "1");
	assert_taken("pusher", "port", "65535", "65535");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_bad("pusher", "port", bad[i], "a number from 1 to 65535 is allowed");
}

static void test_value_switches_words_and_modes(void **state UNUSED)
{
	static const char *const switches[] = { "Yes", "true", "1", "on", "y", "yes no", "none" };
	static const char *const modes[] = {
		"1000", "0888", "0x1ff", "rw", "-1", "00777777777777777777777777", "7 7",
	};

	assert_taken("pusher", "tls", "yes", "yes");
	assert_taken("pusher", "tls", "no", "no");
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		assert_bad("pusher", "tls", switches[i], "yes or no is allowed");
	assert_taken("gateway", "log_level", "error", "error");
	assert_taken("gateway", "log_level", "debug", "debug");
	assert_bad("gateway", "log_level", "Info", "allowed are error, warn, info, debug");
	assert_taken("gateway", "default_visibility", "local", "local");
	assert_bad("gateway", "default_visibility", "hidden", "allowed are remote, local");
	assert_taken("gateway", "socket_mode", "0660", "0660");
	assert_taken("gateway", "socket_mode", "7", "0007");
	assert_taken("gateway", "socket_mode", "00777", "0777");
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		assert_bad("gateway", "socket_mode", modes[i],
			   "an octal mode from 0000 to 0777 is allowed, such as 0660");
}

static void test_value_texts_that_are_taken(void **state UNUSED)
{
	static const char *const cases[][3] = {
		{ "pusher", "app_id", "1234567" },
		{ "pusher", "key", "aaaabbbbccccddddeeee" },
		{ "pusher", "cluster", "eu" },
		{ "pusher", "cluster", "ap-2" },
		{ "pusher", "host", "127.0.0.1" },
		{ "pusher", "host", "::1" },
		{ "pusher", "host", "my_hub.example" },
		{ "pusher", "secret_file", "/etc/my secret" },
		{ "pusher", "path_prefix", "/a" },
		{ "pusher", "path_prefix", "/a%20b/c" },
		{ "pusher", "origin", "https://x.example" },
		{ "pusher", "proxy", "http://10.0.0.1:3128" },
		{ "gateway", "name", "pi-kitchen_2.x" },
		{ "gateway", "name", FIFTY TEN "1234" },
		{ "remote", "request_event", "my event" },
		{ "remote", "request_event", HUNDRED FIFTY TEN TEN TEN "12345678" },
		{ "remote", "channel", "chapi" },
		{ "remote", "channel", "private-a_b=c@d,e.f;g" },
		{ "remote", "channel", HUNDRED FIFTY TEN "1234" },
		{ "remote", "channel", "private-a chapi" },
		{ "remote", "reply_channels", "private-*" },
		{ "remote", "reply_channels", "private-a private-encrypted-*" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_taken(cases[i][0], cases[i][1], cases[i][2], cases[i][2]);
}

static void test_value_texts_that_are_bad(void **state UNUSED)
{
	static const char *const cases[][4] = {
		{ "pusher", "app_id", "12 34", "only letters, digits, '_', '.' and '-'" },
		{ "pusher", "key", "a/b", "only letters, digits, '_', '.' and '-'" },
		{ "pusher", "cluster", "eu.example",
		  "a cluster is a short name such as eu or mt1" },
		{ "pusher", "host", "wss://x", "without a scheme" },
		{ "pusher", "host", "x/y", "the port has a key of its own" },
		{ "pusher", "http_host", "x y", "the port has a key of its own" },
		{ "pusher", "secret_file", "secret", "an absolute path is wanted" },
		{ "pusher", "ca_file", "./ca", "an absolute path is wanted" },
		{ "pusher", "path_prefix", "a", "a prefix is written /like/this" },
		{ "pusher", "path_prefix", "/", "a prefix is written /like/this" },
		{ "pusher", "path_prefix", "/a/", "without a slash at its end" },
		{ "pusher", "path_prefix", "/a b", "with %XX for" },
		{ "pusher", "path_prefix", "/a?b", "with %XX for" },
		{ "pusher", "proxy", "10.0.0.1:3128",
		  "a proxy is written http://[USER:PASSWORD@]HOST:PORT" },
		{ "pusher", "proxy", "http://", "a proxy is written" },
		{ "pusher", "proxy", "https://x", "a proxy is written" },
		{ "pusher", "proxy", "http://a:" FIFTY TEN TEN TEN "123456789@x",
		  "at most 90 bytes in all" },
		{ "gateway", "name", "a b", "up to 64 letters" },
		{ "gateway", "name", FIFTY TEN "12345", "up to 64 letters" },
		{ "gateway", "name",
		  "k\xc3\xbc"
		  "che",
		  "up to 64 letters" },
		{ "remote", "request_event", "pusher:x", "belong to the hub" },
		{ "remote", "request_event", "pusher_internal:x", "belong to the hub" },
		{ "remote", "response_event", "client-x", "give the name without client-" },
		{ "remote", "response_event", HUNDRED FIFTY TEN TEN TEN "123456789",
		  "at most 188 bytes" },
		{ "remote", "channel", HUNDRED FIFTY TEN "12345", "at most 164 characters" },
		{ "remote", "channel", "private-a/b", "letters, digits and _ - = @ , . ;" },
		{ "remote", "channel", "private-a k\xc3\xbc", "letters, digits and _ - = @ , . ;" },
		{ "remote", "channel", "cache-x", "would repeat old requests" },
		{ "remote", "channel", "private-cache-x", "would repeat old requests" },
		{ "remote", "channel", "private-encrypted-cache-x", "would repeat old requests" },
		{ "remote", "channel", "presence-cache-x", "would repeat old requests" },
		{ "remote", "channel", "presence-x", "presence channels cannot be used" },
		{ "remote", "channel", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
		  "at most 16 are allowed" },
		{ "remote", "reply_channels", "chapi", "begin with private-" },
		{ "remote", "reply_channels", "private-a/b", "and * for any" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_bad(cases[i][0], cases[i][1], cases[i][2], cases[i][3]);
}

static void test_value_fault_has_file_line_key_and_what_is_allowed(void **state UNUSED)
{
	check_text(
		"[pusher]\n\nping_interval = 5\n", 3,
		"ping_interval = 5: a time from 100ms to 10m is allowed, such as 500ms, 10s,"
		" 5m or 1h");
	check_text("[remote]\nchannel = a presence-b\n", 2,
		   "channel = a presence-b: presence channels cannot be used");
}

/* The bounds of each row hold for that row: one less and one more are refused. */
static void check_bounds(const struct config_key *key)
{
	const char *unit = key->type == CONFIG_TIME ? "ms" : "";
	char text[60];

	for (int more = -1; more <= 1; more++) {
		if (key->least > 0 || more >= 0) {
			snprintf(text, sizeof(text), "%llu%s",
				 (unsigned long long)key->least + (unsigned long long)more, unit);
			assert_int_equal(try_key(key->section, key->name, text).outcome,
					 more < 0 ? CONFIG_KEY_E_BAD : 0);
		}
		snprintf(text, sizeof(text), "%llu%s",
			 (unsigned long long)key->most + (unsigned long long)more, unit);
		assert_int_equal(try_key(key->section, key->name, text).outcome,
				 more > 0 ? CONFIG_KEY_E_BAD : 0);
	}
}

static void test_every_key_has_its_bounds_and_a_standard_that_fits(void **state UNUSED)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		assert_ptr_equal(config_key_find(key->section, key->name), key);
		assert_true(config_section_is_known(key->section));
		assert_true(key->help && *key->help && !strchr(key->help, '\n'));
		if (key->standard)
			assert_int_equal(try_key(key->section, key->name, key->standard).outcome,
					 0);
		if (key->type == CONFIG_NUMBER || key->type == CONFIG_SIZE ||
		    key->type == CONFIG_TIME)
			check_bounds(key);
	}
	assert_null(config_key_find("gateway", "tls"));
	assert_null(config_key_find("", "name"));
	assert_false(config_section_is_known("gatewa"));
}

/* Each key has a place of its own: with all of them set, each prints what it was set to. */
static void test_every_key_has_its_own_place(void **state UNUSED)
{
	struct config config = { 0 };
	char text[40], printed[100], why[300];
	FILE *out;

	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < config_n_keys; i++) {
			const struct config_key *key = &config_keys[i];

			if (key->type != CONFIG_NUMBER && key->type != CONFIG_SIZE)
				continue;
			snprintf(text, sizeof(text), "%llu",
				 (unsigned long long)(key->most - i) | 1);
			if (key->most - key->least < 100)
				continue;
			if (round == 0) {
				assert_int_equal(config_key_set(key, text, &config, why,
								sizeof(why)),
						 0);
				continue;
			}
			out = fmemopen(printed, sizeof(printed), "w");
			config_key_print(key, &config, out);
			fclose(out);
			assert_string_equal(printed, text);
		}
	config_deinit(&config);
}

/* ---- names ------------------------------------------------------------------------------ */

static void assert_name(const char *host, const char *machine_id, const char *expected)
{
	char name[CONFIG_NAME_MAX + 1];

	assert_int_equal(config_name_from_host(host, machine_id, name), 0);
	assert_string_equal(name, expected);
}

static void test_name_from_the_host(void **state UNUSED)
{
	assert_name("pi-kitchen", "0123", "pi-kitchen");
	assert_name("Pi_2.example", "0123", "Pi_2.example");
	assert_name("a b/c\xc3\xa9", "0123", "a-b-c--");
	assert_name(HUNDRED, "0123", FIFTY TEN "0123");
	assert_name("raspberrypi2", "0123", "raspberrypi2");
	assert_name("raspberrypi", "", "raspberrypi");
	assert_name("", "", "localhost");
}

/* 4 digits of a hash: the same for one machine, others for another, and not those of the id. */
static void test_name_that_every_machine_has_gets_digits(void **state UNUSED)
{
	static const char *const hosts[] = {
		"raspberrypi", "localhost", "debian", "RaspberryPi", "",
	};
	char a[CONFIG_NAME_MAX + 1], again[CONFIG_NAME_MAX + 1], b[CONFIG_NAME_MAX + 1];
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		const char *host = *hosts[i] ? hosts[i] : "localhost";

		assert_int_equal(config_name_from_host(hosts[i], "0123456789abcdef0123456789abcdef",
						       a),
				 0);
		assert_int_equal(config_name_from_host(hosts[i], "0123456789abcdef0123456789abcdef",
						       again),
				 0);
		assert_int_equal(config_name_from_host(hosts[i], "0123456789abcdef0123456789abcdee",
						       b),
				 0);
		len = strlen(host);
		assert_int_equal(strncmp(a, host, len), 0);
		assert_int_equal(a[len], '-');
		assert_int_equal(strlen(a), len + 5);
		assert_int_equal(strspn(a + len + 1, "0123456789abcdef"), 4);
		assert_string_equal(a, again);
		assert_string_not_equal(a, b);
		assert_null(strstr("0123456789abcdef0123456789abcdef", a + len + 1));
	}
}

static void test_name_and_channel_are_derived(void **state UNUSED)
{
	char host[HOST_NAME_MAX + 1] = "", channel[200];
	WORLD(w);

	load_text(&w, "");
	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	assert_int_equal(strncmp(w.config.name, host,
				 strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789")),
			 0);
	assert_int_equal(w.config.n_channels, 1);
	snprintf(channel, sizeof(channel), "private-chapi-%s", w.config.name);
	assert_string_equal(w.config.channels[0], channel);
	load_text(&w, "[gateway]\nname = pi\n");
	assert_string_equal(w.config.channels[0], "private-chapi-pi");
	load_text(&w, "[gateway]\nname = pi\n[remote]\nchannel = chapi\n");
	assert_int_equal(w.config.n_channels, 1);
	assert_string_equal(w.config.channels[0], "chapi");
}

static void test_group_of_the_socket(void **state UNUSED)
{
	const struct group *own = getgrgid(getegid());
	char text[200];
	WORLD(w);

	load_text(&w, "");
	if (!getgrnam("chapi"))
		assert_null(w.config.socket_group);
	else if (geteuid() == 0)
		assert_string_equal(w.config.socket_group, "chapi");
	if (own) {
		snprintf(text, sizeof(text), "[gateway]\nsocket_group = %s\n", own->gr_name);
		load_text(&w, text);
		assert_string_equal(w.config.socket_group, own->gr_name);
	}
	check_text("[gateway]\nsocket_group = no-such-group-here\n", 2,
		   "there is no group \"no-such-group-here\"");
}

/* ---- the folder of state; keys that do not go together --------------------------------- */

static void test_state_dir_is_that_of_the_service_manager_unless_set(void **state UNUSED)
{
	WORLD(w);

	setenv("STATE_DIRECTORY", "/state/a:/state/b", 1);
	load_text(&w, "[gateway]\nname = a\n");
	assert_string_equal(w.config.state_dir, "/state/a");
	load_text(&w, "[gateway]\nstate_dir = /mine\n");
	assert_string_equal(w.config.state_dir, "/mine");
	setenv("STATE_DIRECTORY", "", 1);
	load_text(&w, "[gateway]\nname = a\n");
	assert_string_equal(w.config.state_dir, "/var/lib/chapi");
	setenv("STATE_DIRECTORY", "not/absolute", 1);
	assert_fault(&w, STATUS_CONFIG, "state_dir by the environment");
}

static void test_state_dir_of_a_user(void **state UNUSED)
{
	WORLD(w);

	w.options.user = true;
	w.options.socket = "/run/s";
	put_file(&w, "gw.conf", "");
	load_good(&w);
	assert_null(w.config.state_dir);
	setenv("HOME", "/home/alice", 1);
	load_good(&w);
	assert_string_equal(w.config.state_dir, "/home/alice/.local/state/chapi");
	setenv("XDG_STATE_HOME", "/data/alice", 1);
	load_good(&w);
	assert_string_equal(w.config.state_dir, "/data/alice/chapi");
	setenv("XDG_STATE_HOME", "relative", 1);
	load_good(&w);
	assert_string_equal(w.config.state_dir, "/home/alice/.local/state/chapi");
	setenv("STATE_DIRECTORY", "/state/alice", 1);
	load_good(&w);
	assert_string_equal(w.config.state_dir, "/state/alice");
}

static void test_keys_that_do_not_go_together(void **state UNUSED)
{
	check_text("[remote]\nrequest_event = x\nresponse_event = x\n", 2,
		   "request_event and response_event have to differ");
	check_text("[remote]\nrequest_event = response\n", 2, "have to differ");
	check_text("[remote]\nrequest_event = response-part\n", 2,
		   "neither may be the other with -part");
	check_text("[remote]\nrequest_event = a\nresponse_event = a-part\n", 2,
		   "neither may be the other");
	check_text("[remote]\nrequest_event = cancel\n", 2,
		   "request_event = cancel: that is an event of another meaning");
	check_text("[remote]\nresponse_event = progress\n", 2,
		   "response_event = progress: that is an event of another meaning");
	check_text("[timing]\nbackoff_most = 500ms\nbackoff_least = 2s\n", 3,
		   "backoff_least is above backoff_most; at most the same is allowed");
	check_text("[remote]\nchannel = a b a\n", 2, "channel a is listed twice");
}

/* Where the fault is not set by that file, it is still told what is wrong. */
static void test_keys_that_do_not_go_together_with_a_default(void **state UNUSED)
{
	WORLD(w);

	put_file(&w, "gw.conf", "[remote]\nresponse_event = request\n");
	assert_fault(&w, STATUS_CONFIG, "request_event and response_event have to differ");
	put_file(&w, "gw.conf", "[timing]\nbackoff_most = 500ms\n");
	assert_fault(&w, STATUS_CONFIG, "backoff_least is above backoff_most");
	put_file(&w, "gw.conf", "[timing]\nbackoff_most = 1s\n");
	load_good(&w);
}

/* ---- printing --------------------------------------------------------------------------- */

/* What is printed is a file: read again it says the same. */
static void assert_reads_back(struct world *w)
{
	char first[8000], again[8000];

	print_with(config_print, &w->config, first, sizeof(first));
	put_file(w, "gw.conf", first);
	load_good(w);
	print_with(config_print, &w->config, again, sizeof(again));
	assert_string_equal(first, again);
}

static void test_print_reads_back(void **state UNUSED)
{
	char text[8000];
	WORLD(w);

	load_text(
		&w,
		"[gateway]\nname = pi\nsocket_mode = 0600\n[limits]\npinned_total = 1536K\n"
		"[timing]\npublish_timeout = 1500ms\n[policy]\nadmin = user:a *\n"
		"call = remote x.*\n"
		"call = * y\n[remote]\nchannel = private-a chapi\nanswer_unknown = no\n");
	print_with(config_print, &w.config, text, sizeof(text));
	assert_contains(text, "# no [pusher] section: local calls only\n");
	assert_contains(text, "\n[gateway]\nname = pi\n");
	assert_contains(text, "\nsocket_mode = 0600\n");
	assert_contains(text, "\npinned_total = 1536K\n");
	assert_contains(text, "\npublish_timeout = 1500ms\n");
	assert_contains(text, "\nchannel = private-a chapi\n");
	assert_contains(text, "\nanswer_unknown = no\n");
	assert_contains(text, "\ncall = remote x.*\ncall = * y\n");
	assert_contains(text, "\nadmin = user:a *\n");
	assert_contains(text, "\n#peers =\n");
	assert_reads_back(&w);
}

static void test_print_of_a_hub_reads_back(void **state UNUSED)
{
	char text[8000];
	WORLD(w);

	put_secret(&w, "s", 0600);
	put_hub(&w, "cluster = eu\n[limits]\npeers = 9\n");
	load_good(&w);
	print_with(config_print, &w.config, text, sizeof(text));
	assert_contains(text, "[pusher]\napp_id = 1\n");
	assert_contains(text, "\nport = 443\n");
	assert_contains(text, "\n#proxy =\n");
	assert_contains(text, "\npeers = 9\n");
	assert_contains(text, "\ndaily_messages = 200000\n");
	assert_null(strstr(text, "\nhost"));
	assert_reads_back(&w);
	put_hub(&w, "host = ::1\n");
	load_good(&w);
	assert_reads_back(&w);
}

/* The sample as it is changes nothing, and no more does it with every default in force. */
static void test_sample_is_the_defaults(void **state UNUSED)
{
	char sample[20000], plain[8000], printed[8000], *line, *next, *value;
	struct buf text = BUF_NULL;
	FILE *out = fmemopen(sample, sizeof(sample), "w");
	WORLD(w);

	config_print_sample(out);
	assert_int_equal(fclose(out), 0);
	load_text(&w, "");
	print_with(config_print, &w.config, plain, sizeof(plain));
	load_text(&w, sample);
	assert_no_warning(&w);
	print_with(config_print, &w.config, printed, sizeof(printed));
	assert_string_equal(plain, printed);

	for (line = sample; *line; line = next) {
		next = strchr(line, '\n') + 1;
		next[-1] = '\0';
		value = strstr(line, " = ");
		if (line[0] == '#' && line[1] == ' ')
			continue;
		if (*line == '[' || strcmp(line, "#[pusher]") == 0)
			buf_printf(&text, "%s\n", line);
		else if (value && strcmp(line, "#tls = yes") != 0)
			buf_printf(&text, "%s\n", line + 1);
	}
	buf_put_byte(&text, '\0');
	/* Only the keys behind [pusher]: that section would be one that lacks everything. */
	value = strstr((char *)text.p, "[gateway]");
	assert_non_null(value);
	load_text(&w, value);
	print_with(config_print, &w.config, printed, sizeof(printed));
	assert_string_equal(plain, printed);
	buf_deinit(&text);
}

/* Comments of several lines become one; no line is wider than a terminal. */
static void join_comments(char *text)
{
	char *line = text;

	for (char *end; (end = strchr(line, '\n')); line = end + 1)
		assert_true(end - line < 80);
	while ((line = strstr(text, "\n# "))) {
		*line = ' ';
		memmove(line + 1, line + 3, strlen(line + 3) + 1);
	}
}

static void test_sample_has_every_key_with_its_help(void **state UNUSED)
{
	char sample[20000], line[300];
	FILE *out = fmemopen(sample, sizeof(sample), "w");

	config_print_sample(out);
	assert_int_equal(fclose(out), 0);
	assert_contains(sample, "\n#socket = /run/chapi/gw.sock\n");
	assert_contains(sample, "\n# Default: private-chapi-NAME.\n#channel =\n");
	join_comments(sample);
	for (size_t i = 0; i < config_n_keys; i++) {
		snprintf(line, sizeof(line), "\n#%s =", config_keys[i].name);
		assert_contains(sample, line);
		assert_contains(sample, config_keys[i].help);
	}
}

static void test_deinit_leaves_nothing(void **state UNUSED)
{
	struct config empty;
	WORLD(w);

	put_secret(&w, "s3cret", 0600);
	put_hub(&w, "host = ::1\n[policy]\ncall = * *\n");
	load_good(&w);
	config_deinit(&w.config);
	memset(&empty, 0, sizeof(empty));
	assert_memory_equal(&w.config, &empty, sizeof(empty));
	config_deinit(&w.config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_defaults_of_limits_and_times),
		cmocka_unit_test(test_value_times),
		cmocka_unit_test(test_value_sizes),
		cmocka_unit_test(test_value_numbers),
		cmocka_unit_test(test_value_switches_words_and_modes),
		cmocka_unit_test(test_value_texts_that_are_taken),
		cmocka_unit_test(test_value_texts_that_are_bad),
		cmocka_unit_test(test_value_fault_has_file_line_key_and_what_is_allowed),
		cmocka_unit_test(test_every_key_has_its_bounds_and_a_standard_that_fits),
		cmocka_unit_test(test_every_key_has_its_own_place),
		cmocka_unit_test(test_name_from_the_host),
		cmocka_unit_test(test_name_that_every_machine_has_gets_digits),
		cmocka_unit_test(test_name_and_channel_are_derived),
		cmocka_unit_test(test_group_of_the_socket),
		cmocka_unit_test(test_state_dir_is_that_of_the_service_manager_unless_set),
		cmocka_unit_test(test_state_dir_of_a_user),
		cmocka_unit_test(test_keys_that_do_not_go_together),
		cmocka_unit_test(test_keys_that_do_not_go_together_with_a_default),
		cmocka_unit_test(test_print_reads_back),
		cmocka_unit_test(test_print_of_a_hub_reads_back),
		cmocka_unit_test(test_sample_is_the_defaults),
		cmocka_unit_test(test_sample_has_every_key_with_its_help),
		cmocka_unit_test(test_deinit_leaves_nothing),
	};

	return cmocka_run_group_tests_name("config-values", tests, NULL, NULL);
}
