/* SPDX-License-Identifier: MIT */
/*
 * A configuration that is read again: what differs, what can be taken, what a bad file does.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config.h"
#include "gateway/config_keys.h"

static char folder[64];
static char file[96], secret_file[96];

static int set_up(void **state UNUSED)
{
	strcpy(folder, "/tmp/chapi-test-reload-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof(file), "%s/gw.conf", folder);
	snprintf(secret_file, sizeof(secret_file), "%s/secret", folder);
	log_open(LOG_LEVEL_ERROR);
	return 0;
}

static int tear_down(void **state UNUSED)
{
	unlink(file);
	unlink(secret_file);
	return rmdir(folder);
}

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static void load(const char *text, struct config *ret)
{
	const struct config_options options = { .file = file };
	struct config_fault fault = { "" };

	write_file(file, text);
	if (config_load(&options, ret, &fault) != 0)
		fail_msg("%s", fault.text);
}

#define CONFIG(c, text) CLEANUP(config_deinit) struct config c; load(text, &c)

/* "gateway.log_level ..." */
struct changes {
	char live[1000], late[1000];
};

static void note(void *data, const char *section, const char *name, bool reloadable)
{
	struct changes *changes = data;
	char *to = reloadable ? changes->live : changes->late;

	snprintf(to + strlen(to), sizeof(changes->live) - strlen(to), "%s%s.%s", *to ? " " : "",
		 section, name);
}

static void assert_changes(const struct config *a, const struct config *b, const char *live,
			   const char *late)
{
	struct changes changes = { "", "" };

	config_changes(a, b, note, &changes);
	assert_string_equal(changes.live, live);
	assert_string_equal(changes.late, late);
}

/* ---- what differs ------------------------------------------------------------------------ */

static void test_equal_files_have_no_changes(void **state UNUSED)
{
	static const char text[] = "[gateway]\nname = x\n[remote]\nchannel = a b\n"
		"[policy]\ncall = user:root *\ncall = remote a.*\nlist = * *\n";
	CONFIG(a, text);
	CONFIG(b, text);

	assert_changes(&a, &b, "", "");
}

static void test_a_default_that_is_written_out_is_no_change(void **state UNUSED)
{
	CONFIG(a, "[gateway]\nname = x\n");
	CONFIG(b,
	       "[gateway]\nname = x\nlog_level = info\nstop_timeout = 10000ms\n"
	       "max_message = 4096K\n");

	assert_changes(&a, &b, "", "");
}

static void test_changes_are_told_apart(void **state UNUSED)
{
	CONFIG(a, "[gateway]\nname = x\n");
	CONFIG(b,
	       "[gateway]\nname = y\nsocket = /tmp/s\nsocket_mode = 0600\nlog_level = debug\n"
	       "default_visibility = local\nstop_timeout = 1s\nmax_message = 1M\n"
	       "[remote]\nchannel = c\nanswer_unknown = no\nmax_calls = 5\n"
	       "max_event_bytes = 20480\n"
	       "[limits]\npeers = 7\noutput_per_peer = 9M\n[timing]\nbackoff_least = 2s\n");

	assert_changes(&a, &b, "gateway.default_visibility gateway.log_level gateway.stop_timeout "
		       "remote.answer_unknown remote.max_calls limits.output_per_peer limits.peers "
		       "timing.backoff_least",
		       "gateway.name gateway.socket gateway.socket_mode gateway.max_message "
		       "remote.channel remote.max_event_bytes");
}

static void test_lists_differ_in_members_order_and_number(void **state UNUSED)
{
	CONFIG(a, "[gateway]\nname = x\n[remote]\nchannel = a b\n");
	CONFIG(other, "[gateway]\nname = x\n[remote]\nchannel = a c\n");
	CONFIG(turned, "[gateway]\nname = x\n[remote]\nchannel = b a\n");
	CONFIG(shorter, "[gateway]\nname = x\n[remote]\nchannel = a\n");

	assert_changes(&a, &other, "", "remote.channel");
	assert_changes(&a, &turned, "", "remote.channel");
	assert_changes(&a, &shorter, "", "remote.channel");
	assert_changes(&shorter, &a, "", "remote.channel");
}

static void test_rules_are_compared_by_right(void **state UNUSED)
{
	CONFIG(a, "[gateway]\nname = x\n[policy]\ncall = * a\ncall = * b\nlist = * c\n");
	CONFIG(mixed, "[gateway]\nname = x\n[policy]\nlist = * c\ncall = * a\ncall = * b\n");
	CONFIG(turned, "[gateway]\nname = x\n[policy]\ncall = * b\ncall = * a\nlist = * c\n");
	CONFIG(shorter, "[gateway]\nname = x\n[policy]\ncall = * a\nlist = * c\n");
	CONFIG(subject, "[gateway]\nname = x\n[policy]\ncall = * a\ncall = remote b\nlist = * c\n");
	CONFIG(none, "[gateway]\nname = x\n");

	assert_changes(&a, &mixed, "", "");
	assert_changes(&a, &turned, "policy.call", "");
	assert_changes(&a, &shorter, "policy.call", "");
	assert_changes(&shorter, &a, "policy.call", "");
	assert_changes(&a, &subject, "policy.call", "");
	assert_changes(&a, &none, "policy.call policy.list", "");
}

#define HUB "[gateway]\nname = x\n[pusher]\napp_id = 1\nkey = k\nhost = 127.0.0.1\n"

static void load_hub(const char *secret, struct config *ret)
{
	char text[300];

	unlink(secret_file);
	write_file(secret_file, secret);
	assert_int_equal(chmod(secret_file, 0600), 0);
	snprintf(text, sizeof(text), HUB "secret_file = %s\n", secret_file);
	load(text, ret);
}

static void test_another_secret_is_a_change_of_its_file(void **state UNUSED)
{
	CLEANUP(config_deinit) struct config a, same, other;

	load_hub("hush", &a);
	load_hub("hush", &same);
	load_hub("other", &other);
	assert_changes(&a, &same, "", "");
	assert_changes(&a, &other, "", "pusher.secret_file");
}

static void test_a_hub_that_comes_or_goes_needs_a_restart(void **state UNUSED)
{
	CLEANUP(config_deinit) struct config hub;
	struct changes changes = { "", "" };
	CONFIG(none, "[gateway]\nname = x\n");

	load_hub("hush", &hub);
	config_changes(&none, &hub, note, &changes);
	assert_string_equal(changes.live, "");
	assert_non_null(strstr(changes.late, "pusher.app_id pusher.key pusher.secret_file"));
	config_changes(&hub, &none, note, &changes);
	assert_string_equal(changes.live, "");
}

/* ---- what can be taken ------------------------------------------------------------------- */

static void test_reloadable_values_are_taken_and_others_stay(void **state UNUSED)
{
	CONFIG(a, "[gateway]\nname = x\n[policy]\ncall = * a\n");
	CONFIG(b, "[gateway]\nname = y\nsocket = /tmp/s\nlog_level = debug\nstop_timeout = 1s\n"
		  "default_visibility = local\nmax_message = 1M\n"
		  "[remote]\nreply_channels = private-r*\nanswer_unknown = no\nmax_calls = 5\n"
		  "[limits]\npinned_total = 1M\n[policy]\ncall = remote b\nlist = * c\n");
	struct changes changes = { "", "" };

	config_take_reloadable(&a, &b);
	assert_string_equal(a.name, "x");
	assert_string_equal(a.socket, "/run/chapi/gw.sock");
	assert_int_equal(a.max_message, 4 << 20);
	assert_int_equal(a.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(a.stop_timeout_ms, 1000);
	assert_int_equal(a.default_visibility, CONFIG_VISIBILITY_LOCAL);
	assert_false(a.answer_unknown);
	assert_int_equal(a.max_calls, 5);
	assert_int_equal(a.pinned_total, 1 << 20);
	assert_int_equal(a.n_reply_channels, 1);
	assert_string_equal(a.reply_channels[0], "private-r*");
	assert_int_equal(a.n_rules, 2);
	assert_string_equal(a.rules[0].subject, "remote");
	config_changes(&a, &b, note, &changes);
	assert_non_null(strstr(changes.late, "gateway.name gateway.socket gateway.max_message"));
}

static void test_what_was_taken_is_no_change_any_more(void **state UNUSED)
{
	CONFIG(a, "[gateway]\nname = x\n");
	CONFIG(b,
	       "[gateway]\nname = x\nlog_level = error\n[remote]\n"
	       "reply_channels = private-a private-b\n"
	       "[limits]\npeers = 9\n[timing]\nbatch = 2\n[policy]\nadmin = user:root *\n");
	CONFIG(c,
	       "[gateway]\nname = x\nlog_level = error\n[remote]\n"
	       "reply_channels = private-a private-b\n"
	       "[limits]\npeers = 9\n[timing]\nbatch = 2\n[policy]\nadmin = user:root *\n");

	config_take_reloadable(&a, &b);
	assert_changes(&a, &c, "", "");
}

/* Each key by itself: a table that forgets a type would show here. */
static void test_each_value_can_be_compared_and_exchanged(void **state UNUSED)
{
	static const char *const samples[] = {
		[CONFIG_TEXT] = "/other", [CONFIG_SWITCH] = "yes",
		[CONFIG_NUMBER] = "9", [CONFIG_SIZE] = "128K", [CONFIG_TIME] = "7s",
		[CONFIG_MODE] = "0644", [CONFIG_LIST] = "private-x private-y",
	};

	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		CLEANUP(config_deinit) struct config a = { 0 }, b = { 0 };
		const char *text;
		char why[256];

		if (key->type == CONFIG_RULE)
			continue;	/* test_rules_are_compared_by_right() */
		text = key->type == CONFIG_WORD ? key->words[1] : samples[key->type];
		if (config_key_set(key, text, &a, why, sizeof(why)) != 0)
			continue;	/* a text of another form */
		assert_false(config_key_equals(key, &a, &b));
		config_key_swap(key, &a, &b);
		assert_false(config_key_equals(key, &a, &b));
		assert_int_equal(config_key_set(key, text, &a, why, sizeof(why)), 0);
		assert_true(config_key_equals(key, &a, &b));
		config_key_clear(key, &b);
	}
}

static void test_what_names_the_gateway_or_the_hub_needs_a_restart(void **state UNUSED)
{
	static const char *const gateway[] = { "name", "socket", "socket_mode", "socket_group",
					       "state_dir", "max_message" };

	for (size_t i = 0; i < ARRAY_SIZE(gateway); i++)
		assert_false(config_key_find("gateway", gateway[i])->reloadable);
	for (size_t i = 0; i < config_n_keys; i++) {
		if (strcmp(config_keys[i].section, "pusher") == 0)
			assert_false(config_keys[i].reloadable);
		if (strcmp(config_keys[i].section, "policy") == 0)
			assert_true(config_keys[i].reloadable);
	}
}

/* ---- a bad file -------------------------------------------------------------------------- */

static void test_a_bad_file_changes_nothing(void **state UNUSED)
{
	const struct config_options options = { .file = file };
	struct config_fault fault = { "" };
	struct config fresh;
	CONFIG(a, "[gateway]\nname = x\nlog_level = warn\n");
	CONFIG(same, "[gateway]\nname = x\nlog_level = warn\n");

	memset(&fresh, 0x5a, sizeof(fresh));
	write_file(file, "[gateway]\nlog_level = debug\nname = y\nnmae = z\n");
	assert_int_equal(config_load(&options, &fresh, &fault), -1);
	assert_int_equal(fault.status, 78);
	assert_non_null(strstr(fault.text, ":4: "));
	for (size_t i = 0; i < sizeof(fresh); i++)
		assert_int_equal(((unsigned char *)&fresh)[i], 0x5a);
	assert_changes(&a, &same, "", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_files_have_no_changes),
		cmocka_unit_test(test_a_default_that_is_written_out_is_no_change),
		cmocka_unit_test(test_changes_are_told_apart),
		cmocka_unit_test(test_lists_differ_in_members_order_and_number),
		cmocka_unit_test(test_rules_are_compared_by_right),
		cmocka_unit_test(test_another_secret_is_a_change_of_its_file),
		cmocka_unit_test(test_a_hub_that_comes_or_goes_needs_a_restart),
		cmocka_unit_test(test_reloadable_values_are_taken_and_others_stay),
		cmocka_unit_test(test_what_was_taken_is_no_change_any_more),
		cmocka_unit_test(test_each_value_can_be_compared_and_exchanged),
		cmocka_unit_test(test_what_names_the_gateway_or_the_hub_needs_a_restart),
		cmocka_unit_test(test_a_bad_file_changes_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
