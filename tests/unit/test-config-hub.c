/* SPDX-License-Identifier: MIT */
/*
 * The configuration of the hub, and of secrets: where they come from, and that they are not shown.
 */
#include <config.h>	/* HAVE_LIBSODIUM */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/config_folder.h"

/* ---- the hub ---------------------------------------------------------------------------- */

static void test_hub_of_the_hosted_service(void **state UNUSED)
{
	WORLD(w);

	put_secret(&w, "s3cret\n", 0600);
	put_hub(&w, "cluster = eu\n");
	load_good(&w);
	assert_true(w.config.pusher);
	assert_string_equal(w.config.app_id, "1");
	assert_string_equal(w.config.key, "k");
	assert_string_equal(w.config.secret, "s3cret");
	assert_string_equal(w.config.cluster, "eu");
	assert_string_equal(w.config.host, "ws-eu.pusher.com");
	assert_string_equal(w.config.http_host, "api-eu.pusher.com");
	assert_int_equal(w.config.port, 443);
	assert_int_equal(w.config.http_port, 443);
	assert_int_equal(w.config.daily_messages, 200000);
	assert_no_warning(&w);
}

static void test_hub_of_ones_own(void **state UNUSED)
{
	WORLD(w);

	put_secret(&w, "s", 0600);
	put_hub(&w, "host = hub.example\nport = 6001\n");
	load_good(&w);
	assert_string_equal(w.config.host, "hub.example");
	assert_string_equal(w.config.http_host, "hub.example");
	assert_int_equal(w.config.port, 6001);
	assert_int_equal(w.config.http_port, 6001);
	assert_int_equal(w.config.daily_messages, 0);
	put_hub(&w, "host = ::1\ntls = no\nhttp_port = 81\nhttp_host = localhost\n"
		    "[remote]\ndaily_messages = 7\n");
	load_good(&w);
	assert_string_equal(w.config.http_host, "localhost");
	assert_int_equal(w.config.port, 80);
	assert_int_equal(w.config.http_port, 81);
	assert_int_equal(w.config.daily_messages, 7);
}

static void test_hub_budget_may_be_set_to_none(void **state UNUSED)
{
	WORLD(w);

	put_secret(&w, "s", 0600);
	put_hub(&w, "cluster = eu\n[remote]\ndaily_messages = 0\n");
	load_good(&w);
	assert_int_equal(w.config.daily_messages, 0);
}

static void test_hub_that_lacks_a_key(void **state UNUSED)
{
	check_text("\n[pusher]\n", 2,
		   "[pusher] lacks app_id; leave the section out for local calls only");
	check_text("[pusher]\napp_id = 1\n", 1, "[pusher] lacks key");
	check_text("[pusher]\nkey = k\n", 1, "[pusher] lacks app_id");
	check_text(HUB, 1, "[pusher] lacks cluster (of the hosted service) or host");
	check_text(HUB "cluster = eu\n", 1,
		   "[pusher] lacks secret_file, and there is no service credential "
		   "pusher-secret");
}

static void test_hub_with_cluster_and_host(void **state UNUSED)
{
	char words[200];
	WORLD(w);

	put_hub(&w, "cluster = eu\n");
	put_folder(&w, "gw.conf.d");
	put_file(&w, "gw.conf.d/a.conf", "[pusher]\nhost = x\n");
	snprintf(words, sizeof(words),
		 "host and cluster are both set (cluster in line 5 of %s); one of them is "
		 "allowed",
		 w.file);
	assert_fault_at(&w, "gw.conf.d/a.conf", 2, words);
}

static void test_hub_with_a_ca_file_that_cannot_be_read(void **state UNUSED)
{
	WORLD(w);

	put_secret(&w, "s", 0600);
	put_hub(&w, "host = x\nca_file = /nowhere/ca.pem\n");
	assert_fault_at(&w, "gw.conf", 6, "ca_file /nowhere/ca.pem: No such file or directory");
}

static void test_hub_in_clear_is_warned_about(void **state UNUSED)
{
	static const char *const near[] = {
		"127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost",
	};
	static const char *const far[] = {
		"hub.example", "128.0.0.1", "10.0.0.1", "::2", "localhost.example",
	};
	char more[200];
	WORLD(w);

	put_secret(&w, "s", 0600);
	for (size_t i = 0; i < ARRAY_SIZE(near); i++) {
		snprintf(more, sizeof(more), "host = %s\ntls = no\n", near[i]);
		put_hub(&w, more);
		load_good(&w);
		assert_no_warning(&w);
		snprintf(more, sizeof(more), "host = %s\ntls = no\n", far[i]);
		put_hub(&w, more);
		load_good(&w);
		assert_contains(w.log, "gw.conf:6: tls = no, and the hub is not on this machine");
	}
	put_hub(&w, "host = ::1\nhttp_host = far.example\ntls = no\n");
	load_good(&w);
	assert_contains(w.log, "tls = no");
}

/* ---- the secret ------------------------------------------------------------------------- */

static void assert_secret(const char *text, const char *secret)
{
	WORLD(w);

	put_secret(&w, text, 0600);
	put_hub(&w, "host = ::1\n");
	load_good(&w);
	assert_string_equal(w.config.secret, secret);
}

static void assert_no_secret(struct span bytes, const char *words)
{
	WORLD(w);

	put_bytes(&w, "secret", bytes, 0600);
	put_hub(&w, "host = ::1\n");
	assert_fault_at(&w, "gw.conf", 4, words);
	assert_contains(w.fault.text, "secret file ");
	assert_null(strstr(w.fault.text, "s3cret"));
}

#define LONGEST HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED TEN "12"	/* 512 */

static void test_secret_is_one_word_with_or_without_line_end(void **state UNUSED)
{
	assert_secret("s3cret", "s3cret");
	assert_secret("s3cret\n", "s3cret");
	assert_secret("s3cret\r\n", "s3cret");
	assert_secret("~!\"#\n", "~!\"#");
	assert_secret(LONGEST, LONGEST);
	assert_secret(LONGEST "\r\n", LONGEST);
}

static void test_secret_that_is_none(void **state UNUSED)
{
	static const char nul[] = "s3cret\0x\n";

	assert_no_secret(span_str(""), "it is empty");
	assert_no_secret(span_str("\n"), "it is empty");
	assert_no_secret(span_str("\r\n"), "it is empty");
	assert_no_secret(span_str("s3cret\nx\n"), "it has more than one line");
	assert_no_secret(span_str("s3cret\n\n"), "it has more than one line");
	assert_no_secret(span_str("s3cret x\n"),
			 "a secret is one word of printable ASCII characters");
	assert_no_secret(span_str(" s3cret"), "a secret is one word");
	assert_no_secret(span_str("s3cret\x7f"), "a secret is one word");
	assert_no_secret(span_str("s3cret\xc3\xa9\n"), "a secret is one word");
	assert_no_secret(span_of(nul, sizeof(nul) - 1), "a secret is one word");
	assert_no_secret(span_str("s3cret" LONGEST), "it is too long for a secret");
	assert_no_secret(span_str(LONGEST "3"), "it is too long for a secret");
	assert_no_secret(span_str(LONGEST "3\n"), "it is too long for a secret");
	assert_no_secret(span_str(LONGEST "\nx"), "it is too long for a secret");
	assert_no_secret(span_str(LONGEST "\r\nmore\n"), "it is too long for a secret");
}

static void test_secret_that_others_may_use_is_refused(void **state UNUSED)
{
	static const mode_t good[] = { 0400, 0600, 0640, 0660, 0440 };
	static const mode_t bad[] = { 0604, 0602, 0601, 0644, 0666 };
	WORLD(w);

	put_hub(&w, "host = ::1\n");
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		unlink(PATH(&w, "secret"));
		put_secret(&w, "s", good[i]);
		load_good(&w);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		unlink(PATH(&w, "secret"));
		put_secret(&w, "s", bad[i]);
		assert_fault_at(&w, "gw.conf", 4, "others have a right to it; use: chmod o= FILE");
	}
}

static void test_secret_file_that_cannot_be_read(void **state UNUSED)
{
	WORLD(w);

	put_hub(&w, "host = ::1\n");
	assert_fault_at(&w, "gw.conf", 4, "No such file or directory");
	assert_int_equal(mkfifo(PATH(&w, "secret"), 0600), 0);
	assert_fault_at(&w, "gw.conf", 4, "it is no regular file");
	unlink(PATH(&w, "secret"));
	assert_int_equal(mkdir(PATH(&w, "secret"), 0700), 0);
	assert_fault_at(&w, "gw.conf", 4, "it is no regular file");
}

static void test_secret_from_the_credential(void **state UNUSED)
{
	WORLD(w);

	put_bytes(&w, "pusher-secret", span_str("from-credential\n"), 0400);
	put_file(&w, "gw.conf", "\n" HUB "host = ::1\n");
	setenv("CREDENTIALS_DIRECTORY", w.folder, 1);
	load_good(&w);
	assert_string_equal(w.config.secret, "from-credential");
	assert_null(w.config.secret_file);

	/* The key is what somebody wrote down: it wins. */
	put_secret(&w, "from-file", 0600);
	put_hub(&w, "host = ::1\n");
	load_good(&w);
	assert_string_equal(w.config.secret, "from-file");

	put_file(&w, "gw.conf", "\n" HUB "host = ::1\n");
	assert_int_equal(unlink(PATH(&w, "pusher-secret")), 0);
	assert_fault_at(&w, "gw.conf", 2, "pusher-secret: No such file or directory");
	setenv("CREDENTIALS_DIRECTORY", "", 1);
	assert_fault_at(&w, "gw.conf", 2, "[pusher] lacks secret_file");
}

static void test_secret_is_not_read_without_a_hub(void **state UNUSED)
{
	WORLD(w);

	setenv("CREDENTIALS_DIRECTORY", "/nowhere", 1);
	load_text(&w, "");
	assert_null(w.config.secret);
}

/* ---- secrets are not shown ------------------------------------------------------------- */

static void test_print_hides_secrets(void **state UNUSED)
{
	char text[8000];
	WORLD(w);

	put_secret(&w, "s3cret", 0600);
	put_hub(&w, "host = ::1\nproxy = http://ann:passw@rd@proxy.example:3128\n");
	load_good(&w);
	assert_string_equal(w.config.proxy, "http://ann:passw@rd@proxy.example:3128");
	print_with(config_print, &w.config, text, sizeof(text));
	assert_null(strstr(text, "s3cret"));
	assert_null(strstr(text, "ann:"));
	assert_null(strstr(text, "passw"));
	assert_contains(text, "# the secret itself: (hidden)\n");
	assert_contains(text, "proxy = http://(hidden)@proxy.example:3128\n");
}

static void test_fault_hides_secrets(void **state UNUSED)
{
	static const char *const proxies[] = {
		"https://ann:passw@rd@proxy.example", "ann:passw@proxy.example:3128",
		"http://ann:passw@x\x01y",
	};
	char text[200];
	WORLD(w);

	for (size_t i = 0; i < ARRAY_SIZE(proxies); i++) {
		snprintf(text, sizeof(text), "[pusher]\nproxy = %s\n", proxies[i]);
		put_file(&w, "gw.conf", text);
		assert_fault_at(&w, "gw.conf", 2, "proxy = ");
		assert_null(strstr(w.fault.text, "passw"));
		assert_null(strstr(w.fault.text, "ann"));
	}
	put_file(&w, "gw.conf", "[pusher]\nsecret = s3cret\n");
	assert_fault_at(&w, "gw.conf", 2, "unknown key \"secret\"");
	assert_null(strstr(w.fault.text, "s3cret"));
}

/* ---- the key of encrypted channels --------------------------------------------------------- */

#define MASTER_KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* A good [pusher] with the key's file, which has this text; NULL: none is set. */
static void put_key(struct world *w, const char *key, const char *more)
{
	char text[500];

	put_secret(w, "s3cret\n", 0600);
	if (key)
		put_bytes(w, "key", span_str(key), 0600);
	snprintf(text, sizeof(text), "host = 127.0.0.1\ntls = no\n%s%s\n%s",
		 key ? "encryption_master_key_file = " : "", key ? PATH(w, "key") : "", more);
	put_hub(w, text);
}

#ifdef HAVE_LIBSODIUM
static void test_master_key_is_32_bytes_in_base64(void **state UNUSED)
{
	static const char *const wrong[] = {
		"hush\n", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n", MASTER_KEY "AAAA\n",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
	};
	WORLD(w);

	put_key(&w, MASTER_KEY "\n", "[remote]\nchannel = private-encrypted-x chapi\n");
	load_good(&w);
	assert_string_equal(w.config.master_key, MASTER_KEY);
	assert_no_warning(&w);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		put_key(&w, wrong[i], "");
		assert_fault(&w, STATUS_CONFIG,
			     "a master key is 32 bytes in base64, 44 characters; make one "
			     "with: openssl rand -base64 32");
	}
	put_key(&w, MASTER_KEY "\n", "");
	assert_int_equal(chmod(PATH(&w, "key"), 0604), 0);
	assert_fault(&w, STATUS_CONFIG, "others have a right to it");
}

static void test_encrypted_channel_needs_a_key(void **state UNUSED)
{
	WORLD(w);

	put_key(&w, NULL, "[remote]\nchannel = chapi private-encrypted-x\n");
	assert_fault(&w, STATUS_CONFIG, "channel private-encrypted-x is encrypted: set "
		     "encryption_master_key_file, or the service credential pusher-master-key");
}

static void test_master_key_as_service_credential(void **state UNUSED)
{
	WORLD(w);

	put_key(&w, NULL, "[remote]\nchannel = private-encrypted-x\n");
	put_bytes(&w, "pusher-master-key", span_str(MASTER_KEY "\n"), 0400);
	setenv("CREDENTIALS_DIRECTORY", w.folder, 1);
	load_good(&w);
	assert_string_equal(w.config.master_key, MASTER_KEY);
	unsetenv("CREDENTIALS_DIRECTORY");
}
#else
static void test_without_libsodium_nothing_is_encrypted(void **state UNUSED)
{
	WORLD(w);

	put_key(&w, NULL, "[remote]\nchannel = chapi private-encrypted-x\n");
	assert_fault(&w, STATUS_CONFIG,
		     "channel private-encrypted-x is encrypted, which cannot be had: this "
		     "program was built without libsodium; use a private- one");
	put_key(&w, MASTER_KEY "\n", "");
	assert_fault(&w, STATUS_CONFIG, "built without libsodium");
}
#endif

static void test_without_a_hub_encrypted_channels_do_not_matter(void **state UNUSED)
{
	WORLD(w);

	load_text(&w, "[remote]\nchannel = private-encrypted-x\n");
	assert_null(w.config.master_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hub_of_the_hosted_service),
		cmocka_unit_test(test_hub_of_ones_own),
		cmocka_unit_test(test_hub_budget_may_be_set_to_none),
		cmocka_unit_test(test_hub_that_lacks_a_key),
		cmocka_unit_test(test_hub_with_cluster_and_host),
		cmocka_unit_test(test_hub_with_a_ca_file_that_cannot_be_read),
		cmocka_unit_test(test_hub_in_clear_is_warned_about),
		cmocka_unit_test(test_secret_is_one_word_with_or_without_line_end),
		cmocka_unit_test(test_secret_that_is_none),
		cmocka_unit_test(test_secret_that_others_may_use_is_refused),
		cmocka_unit_test(test_secret_file_that_cannot_be_read),
#ifdef HAVE_LIBSODIUM
		cmocka_unit_test(test_master_key_is_32_bytes_in_base64),
		cmocka_unit_test(test_encrypted_channel_needs_a_key),
		cmocka_unit_test(test_master_key_as_service_credential),
#else
		cmocka_unit_test(test_without_libsodium_nothing_is_encrypted),
#endif
		cmocka_unit_test(test_without_a_hub_encrypted_channels_do_not_matter),
		cmocka_unit_test(test_secret_from_the_credential),
		cmocka_unit_test(test_secret_is_not_read_without_a_hub),
		cmocka_unit_test(test_print_hides_secrets),
		cmocka_unit_test(test_fault_hides_secrets),
	};

	return cmocka_run_group_tests_name("config-hub", tests, NULL, NULL);
}
