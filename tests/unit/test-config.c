/* SPDX-License-Identifier: MIT */
/*
 * The configuration: the form of its files, which files, and in which order.
 *
 * Everything that configuration.md promises to people is here, in test-config-values.c and in
 * test-config-hub.c with file, line and words: inifile.c and the config_*.c are tested through
 * config_load() as well.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/config_folder.h"

/* ---- the form of a file ----------------------------------------------------------------- */

static void test_file_of_every_form_that_is_allowed(void **state UNUSED)
{
	WORLD(w);

	load_text(&w, "\xef\xbb\xbf# comment\n"
		      "; comment ; more\n"
		      "# comment ; more\n"
		      "  \t \n"
		      "[gateway]\n"
		      "name=a\r\n"
		      "socket   =   /a b;c#d  \t\n"
		      "\n"
		      "[remote]  \r\n"
		      "request_event: ask\n"
		      "[gateway]\n"
		      "max_message = 1M");
	assert_string_equal(w.config.name, "a");
	assert_string_equal(w.config.socket, "/a b;c#d");
	assert_string_equal(w.config.request_event, "ask");
	assert_int_equal(w.config.max_message, 1 << 20);
	assert_no_warning(&w);
}

static void test_file_may_begin_with_a_byte_order_mark(void **state UNUSED)
{
	WORLD(w);

	load_text(&w, "\xef\xbb\xbf[gateway]\nname = a\n");
	assert_string_equal(w.config.name, "a");
	check_text("[gateway]\n\xef\xbb\xbfname = a\n", 2, "unknown key \"\xef\xbb\xbfname\"");
}

static void test_file_that_is_empty_is_fine(void **state UNUSED)
{
	WORLD(w);

	load_text(&w, "");
	assert_false(w.config.pusher);
	w.options.file = "/dev/null";
	load_good(&w);
	assert_no_warning(&w);
}

static void test_file_faults_have_their_line(void **state UNUSED)
{
	static const struct {
		const char *text;
		unsigned int line;
		const char *words;
	} cases[] = {
		{ "\n[nothing]\n", 2,
		  "unknown section [nothing]; there are pusher, gateway, remote, limits, "
		  "timing and policy" },
		{ "[]\n", 1, "unknown section []" },
		{ "[Gateway]\n", 1, "unknown section [Gateway]" },
		{ "[ gateway ]\n", 1, "unknown section" },
		{ "[gateway]\n# x\nnme = x\n", 3,
		  "unknown key \"nme\" in [gateway]; --print-sample-config shows" },
		{ "[gateway]\nName = x\n", 2, "unknown key \"Name\"" },
		{ "[gateway]\nchannel = x\n", 2, "unknown key \"channel\" in [gateway]" },
		{ "[gateway]\n= x\n", 2, "unknown key \"\"" },
		{ "[policy]\nshutdown = * *\n", 2, "unknown key \"shutdown\" in [policy]" },
		{ "name = x\n", 1, "\"name\" stands before the first [section]" },
		{ "[gateway]\nname = a\n\nname = a\n", 4,
		  "\"name\" is set twice, the first time in line 2" },
		{ "[gateway]\nname = a\n[remote]\n[gateway]\nname = b\n", 5,
		  "set twice, the first time in line 2" },
		{ "[gateway]\n name = a\n", 2, "the line begins with a blank" },
		{ "[gateway]\nsocket = /a\n\t/b\n", 3, "lines cannot be indented or continued" },
		{ "[gateway]\n # comment\n", 2, "the line begins with a blank" },
		{ " [gateway]\n", 1, "the line begins with a blank" },
		{ "[gateway]\nname\n", 2, "neither [section] nor key = value" },
		{ "[gateway]\nname = a ; b\n", 2, "a comment has to stand on a line of its own" },
		{ "[gateway]\nname = a\t;b\n", 2, "a comment has to stand on a line of its own" },
		{ "[gateway\nname = a\n", 1, "a section is written [name], alone on its line" },
		{ "[gateway] name = a\n", 1, "a section is written [name], alone on its line" },
		{ "[gateway] # x\n", 1, "a section is written [name], alone on its line" },
		{ "[a2345678901234567890123456789012]\n", 1, "unknown section [a2345" },
		{ "[a2345678901234567890123456789012345678901234567890123456789012345678901234567"
		  "8901234567890123456789012345678901234567890123456789]\n", 1,
		  "the section's name is too long, at most 128 bytes" },
		{ "[gateway]\nname =\n", 2,
		  "name = : a value is wanted; leave the line out for the default" },
		{ "[gateway]\nname = a\x01" "b\n", 2, "control characters are not allowed" },
		{ "[gateway]\nsocket = /a\x7f\n", 2, "control characters are not allowed" },
		{ "[gateway]\nname\nnme = x\n", 2, "neither [section] nor key = value" },
		{ "[gateway]\nnme = x\nname\n", 2, "unknown key" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_text(cases[i].text, cases[i].line, cases[i].words);
}

static void test_file_with_a_nul(void **state UNUSED)
{
	static const char setting[] = "[gateway]\nname = a\0b\n", comment[] = "# a\0b\n",
			  end[] = "\n\n\0";

	check_bytes(span_of(setting, sizeof(setting) - 1), 2,
		    "a NUL byte; the file has to be plain text");
	check_bytes(span_of(comment, sizeof(comment) - 1), 1, "a NUL byte");
	check_bytes(span_of(end, sizeof(end) - 1), 3, "a NUL byte");
}

/* A comment of len bytes in line 2. */
static int load_long_line(struct world *w, size_t len)
{
	struct buf text = BUF_NULL;
	int r;

	buf_put_str(&text, "[gateway]\n#");
	for (size_t i = 1; i < len; i++)
		buf_put_byte(&text, 'x');
	buf_put_str(&text, "\nname = behind\n");
	put_bytes(w, "gw.conf", buf_span(&text), 0644);
	r = load(w);
	buf_deinit(&text);
	return r;
}

static void test_file_with_a_long_line(void **state UNUSED)
{
	static const char words[] = ":2: the line is too long, at most ";
	unsigned long most;
	const char *at;
	WORLD(w);

	assert_int_equal(load_long_line(&w, 1000000), -1);
	assert_int_equal(w.fault.status, STATUS_CONFIG);
	assert_contains(w.fault.text, words);
	at = strstr(w.fault.text, words) + strlen(words);
	most = strtoul(at, NULL, 10);
	assert_true(most >= 150);
	assert_int_equal(load_long_line(&w, most + 1), -1);
	assert_int_equal(load_long_line(&w, most), 0);
	assert_string_equal(w.config.name, "behind");
}

static void test_file_fault_shows_foreign_text_escaped(void **state UNUSED)
{
	check_text("[gateway]\n\x1b[31m\xff = x\n", 2, "unknown key \"\\x1b[31m\\xff\"");
	check_text("[gateway]\nlog_level = \x1b]0;x\n", 2, "log_level = \\x1b]0;x: ");
	check_text("[\x1b]\n", 1, "unknown section [\\x1b]");
}

static void test_file_that_cannot_be_read(void **state UNUSED)
{
	char words[200];
	WORLD(w);

	snprintf(words, sizeof(words), "%s: No such file or directory", w.file);
	assert_fault(&w, STATUS_NO_INPUT, words);
	put_folder(&w, "gw.conf");
	snprintf(words, sizeof(words), "%s: Is a directory", w.file);
	assert_fault(&w, STATUS_NO_INPUT, words);
}

/* In a child, as somebody whom the mode keeps out. Returns the status. */
static int load_as_nobody(struct world *w)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && (setgroups(0, NULL) || setgid(65534) || setuid(65534)))
			_exit(1);
		_exit(load(w) == 0 ? 0 : w->fault.status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_file_that_may_not_be_read(void **state UNUSED)
{
	WORLD(w);

	put_file(&w, "gw.conf", "");
	assert_int_equal(load_as_nobody(&w), 0);
	assert_int_equal(chmod(w.file, 0), 0);
	assert_int_equal(load_as_nobody(&w), STATUS_NO_INPUT);
	assert_int_equal(chmod(w.file, 0644), 0);
	put_folder(&w, "gw.conf.d");
	assert_int_equal(chmod(PATH(&w, "gw.conf.d"), 0), 0);
	assert_int_equal(load_as_nobody(&w), STATUS_NO_INPUT);
	assert_int_equal(chmod(PATH(&w, "gw.conf.d"), 0755), 0);
}

/* ---- several files ---------------------------------------------------------------------- */

static void test_drop_ins_come_after_the_file_in_order_of_name(void **state UNUSED)
{
	WORLD(w);

	put_folder(&w, "gw.conf.d");
	put_file(&w, "gw.conf", "[gateway]\nname = main\nsocket = /main\nmax_message = 1K\n");
	put_file(&w, "gw.conf.d/20-b.conf", "[gateway]\nname = b\n");
	put_file(&w, "gw.conf.d/10-a.conf", "[gateway]\nname = a\nsocket = /a\n");
	put_file(&w, "gw.conf.d/9.conf", "[gateway]\nname = nine\n");
	load_good(&w);
	assert_string_equal(w.config.name, "nine");
	assert_string_equal(w.config.socket, "/a");
	assert_int_equal(w.config.max_message, 1024);
}

static void test_drop_ins_of_other_names_are_passed_over(void **state UNUSED)
{
	static const char *const names[] = {
		"x.conf.bak", "x.con", ".conf", ".hidden.conf", "xconf", "x.CONF",
	};
	char path[100];
	WORLD(w);

	put_folder(&w, "gw.conf.d");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "gw.conf.d/%s", names[i]);
		put_file(&w, path, "[nonsense]\n");
	}
	load_text(&w, "");
}

static void test_drop_in_faults_name_the_drop_in(void **state UNUSED)
{
	WORLD(w);

	put_folder(&w, "gw.conf.d");
	put_file(&w, "gw.conf", "[gateway]\nname = a\n");
	put_file(&w, "gw.conf.d/a.conf", "[gateway]\nname = b\n");
	put_file(&w, "gw.conf.d/b.conf", "[gateway]\nname = c\nname = d\n");
	assert_fault_at(&w, "gw.conf.d/b.conf", 3, "set twice, the first time in line 2");
	put_file(&w, "gw.conf.d/b.conf", "name = c\n");
	assert_fault_at(&w, "gw.conf.d/b.conf", 1, "before the first [section]");
	put_file(&w, "gw.conf.d/b.conf", "[timing]\nbackoff_least = 1h\n");
	assert_fault_at(&w, "gw.conf.d/b.conf", 2, "backoff_least is above backoff_most");
}

static void test_drop_ins_that_are_no_folder_are_none(void **state UNUSED)
{
	WORLD(w);

	put_file(&w, "gw.conf.d", "nonsense\n");
	load_text(&w, "");
}

static void test_drop_in_that_cannot_be_read(void **state UNUSED)
{
	WORLD(w);

	put_file(&w, "gw.conf", "");
	put_folder(&w, "gw.conf.d");
	put_folder(&w, "gw.conf.d/a.conf");
	assert_fault(&w, STATUS_NO_INPUT, "a.conf: Is a directory");
	assert_int_equal(rmdir(PATH(&w, "gw.conf.d/a.conf")), 0);
	assert_int_equal(symlink("nowhere", PATH(&w, "gw.conf.d/a.conf")), 0);
	assert_fault(&w, STATUS_NO_INPUT, "a.conf: No such file or directory");
}

static void test_drop_ins_have_a_number(void **state UNUSED)
{
	char name[60];
	WORLD(w);

	put_folder(&w, "gw.conf.d");
	put_file(&w, "gw.conf", "");
	for (unsigned int i = 1; i < 256; i++) {
		snprintf(name, sizeof(name), "gw.conf.d/%03u.conf", i);
		put_file(&w, name, "[gateway]\nname = x\n");
	}
	load_good(&w);
	put_file(&w, "gw.conf.d/256.conf", "");
	assert_fault(&w, STATUS_CONFIG, "256.conf: too many files, at most 256 are read");
}

static void test_lists_of_a_later_file_replace_the_earlier(void **state UNUSED)
{
	WORLD(w);

	put_folder(&w, "gw.conf.d");
	put_file(&w, "gw.conf", "[remote]\nchannel = private-a private-b  chapi\n");
	put_file(&w, "gw.conf.d/a.conf", "[remote]\nchannel = private-c\n");
	load_good(&w);
	assert_int_equal(w.config.n_channels, 1);
	assert_string_equal(w.config.channels[0], "private-c");
	assert_null(w.config.channels[1]);
}

static void assert_rule(const struct config *c, size_t i, enum config_right right,
			const char *subject, const char *pattern)
{
	assert_true(i < c->n_rules);
	assert_int_equal(c->rules[i].right, right);
	assert_string_equal(c->rules[i].subject, subject);
	assert_string_equal(c->rules[i].pattern, pattern);
}

static void test_rules_of_later_files_are_read_first(void **state UNUSED)
{
	WORLD(w);

	put_folder(&w, "gw.conf.d");
	put_file(&w, "gw.conf", "[policy]\ncall = user:a 1*\ncall = user:a 2*\n");
	put_file(&w, "gw.conf.d/a.conf", "[policy]\nadmin = group:adm  *\ncall = remote 3.*\n");
	put_file(&w, "gw.conf.d/b.conf", "[policy]\ncall = * 4\n");
	load_good(&w);
	assert_int_equal(w.config.n_rules, 5);
	assert_rule(&w.config, 0, CONFIG_RIGHT_CALL, "*", "4");
	assert_rule(&w.config, 1, CONFIG_RIGHT_ADMIN, "group:adm", "*");
	assert_rule(&w.config, 2, CONFIG_RIGHT_CALL, "remote", "3.*");
	assert_rule(&w.config, 3, CONFIG_RIGHT_CALL, "user:a", "1*");
	assert_rule(&w.config, 4, CONFIG_RIGHT_CALL, "user:a", "2*");
}

static void test_rules_of_every_right(void **state UNUSED)
{
	static const char *const names[] = {
		[CONFIG_RIGHT_CALL] = "call", [CONFIG_RIGHT_REGISTER] = "register",
		[CONFIG_RIGHT_LIST] = "list",
		[CONFIG_RIGHT_OUTGOING] = "outgoing", [CONFIG_RIGHT_PUBLISH] = "publish",
		[CONFIG_RIGHT_MONITOR] = "monitor", [CONFIG_RIGHT_ADMIN] = "admin",
	};
	char text[200];
	WORLD(w);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(text, sizeof(text), "[policy]\n%s = user:x\tgreenhouse/*\n", names[i]);
		load_text(&w, text);
		assert_int_equal(w.config.n_rules, 1);
		assert_rule(&w.config, 0, (enum config_right)i, "user:x", "greenhouse/*");
	}
}

static void test_rules_that_are_none(void **state UNUSED)
{
	static const char *const rules[] = {
		"", "*", "user:x", "user: *", "group: *", "group:x", "alice *", "user *",
		"remotes *", "remote",
		"** *", "User:x *", "* a b", "user:x a\x01",
	};
	char text[100];

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		snprintf(text, sizeof(text), "[policy]\ncall = * *\ncall = %s\n", rules[i]);
		check_text(text, 3,
			   "a rule is SUBJECT PATTERN; a subject is user:NAME, group:NAME, "
			   "remote or *");
	}
}

/* ---- which files ------------------------------------------------------------------------ */

static void assert_path(const struct config_options *options, const char *expected)
{
	char path[200];

	config_path(options, path, sizeof(path));
	assert_string_equal(path, expected);
}

static void test_path_of_each_mode(void **state UNUSED)
{
	const struct config_options named = { .file = "/x", .user = true }, user = { .user = true };
	char path[200];
	WORLD(w);

	assert_path(&named, "/x");
	assert_path(&user, "");
	setenv("HOME", "/home/x", 1);
	assert_path(&user, "/home/x/.config/chapi/chapi-gw.conf");
	setenv("XDG_CONFIG_HOME", "", 1);
	assert_path(&user, "/home/x/.config/chapi/chapi-gw.conf");
	setenv("XDG_CONFIG_HOME", "/conf", 1);
	assert_path(&user, "/conf/chapi/chapi-gw.conf");
	config_path(&(struct config_options){ 0 }, path, sizeof(path));
	assert_contains(path, "/chapi/chapi-gw.conf");
	assert_int_equal(path[0], '/');
}

static void set_user_folders(struct world *w)
{
	setenv("XDG_CONFIG_HOME", w->folder, 1);
	setenv("XDG_RUNTIME_DIR", w->folder, 1);
	w->options = (struct config_options){ .user = true };
}

static void test_user_has_a_socket_of_his_own(void **state UNUSED)
{
	WORLD(w);

	set_user_folders(&w);
	put_folder(&w, "chapi");
	put_folder(&w, "chapi/chapi-gw.conf.d");
	put_file(&w, "chapi/chapi-gw.conf", "[gateway]\nname = mine\n");
	put_file(&w, "chapi/chapi-gw.conf.d/a.conf", "[gateway]\nmax_message = 2M\n");
	load_good(&w);
	assert_string_equal(w.config.name, "mine");
	assert_int_equal(w.config.max_message, 2 << 20);
	assert_string_equal(w.config.socket, PATH(&w, "chapi/gw.sock"));
	assert_int_equal(w.config.socket_mode, 0600);
	assert_null(w.config.socket_group);
}

static void test_user_files_and_options_may_set_the_socket(void **state UNUSED)
{
	WORLD(w);

	set_user_folders(&w);
	put_folder(&w, "chapi");
	put_file(&w, "chapi/chapi-gw.conf", "[gateway]\nsocket = /x\nsocket_mode = 0666\n");
	load_good(&w);
	assert_string_equal(w.config.socket, "/x");
	assert_int_equal(w.config.socket_mode, 0666);
	unsetenv("XDG_RUNTIME_DIR");
	w.options.socket = "/y";
	load_good(&w);
	assert_string_equal(w.config.socket, "/y");
}

static void test_user_without_a_runtime_folder_has_no_socket(void **state UNUSED)
{
	char folder[200];
	WORLD(w);

	w.options.user = true;
	put_file(&w, "gw.conf", "");
	assert_fault(&w, STATUS_CONFIG,
		     "no socket: XDG_RUNTIME_DIR is not set; set it, or give --socket PATH");
	setenv("XDG_RUNTIME_DIR", "", 1);
	assert_fault(&w, STATUS_CONFIG, "no socket: XDG_RUNTIME_DIR is not set");
	snprintf(folder, sizeof(folder), "/%0120d", 1);
	setenv("XDG_RUNTIME_DIR", folder, 1);
	assert_fault(&w, STATUS_CONFIG, "the path of a socket can have at most 107 bytes");
}

static void test_default_file_may_be_missing_and_is_said_once(void **state UNUSED)
{
	const char *line;
	WORLD(w);

	set_user_folders(&w);
	load_good(&w);
	assert_false(w.config.pusher);
	line = strstr(w.log, "config: no file ");
	assert_non_null(line);
	assert_null(strstr(line + strlen("config: no file"), "no file"));
	unsetenv("XDG_CONFIG_HOME");
	load_good(&w);
}

static void test_options_win_over_all_files(void **state UNUSED)
{
	WORLD(w);

	put_folder(&w, "gw.conf.d");
	put_file(&w, "gw.conf", "[gateway]\nsocket = /a\nlog_level = debug\n");
	put_file(&w, "gw.conf.d/a.conf", "[gateway]\nsocket = /b\n");
	w.options.socket = "relative.sock";
	w.options.log_level = "warn";
	load_good(&w);
	assert_string_equal(w.config.socket, "relative.sock");
	assert_int_equal(w.config.log_level, LOG_LEVEL_WARN);
}

static void test_options_that_are_wrong_are_wrong_usage(void **state UNUSED)
{
	char path[200];
	WORLD(w);

	put_file(&w, "gw.conf", "");
	w.options.log_level = "loud";
	assert_fault(&w, STATUS_USAGE,
		     "--log-level \"loud\": allowed are error, warn, info, debug");
	w.options.log_level = NULL;
	w.options.socket = "";
	assert_fault(&w, STATUS_USAGE, "--socket \"\": a value is wanted");
	snprintf(path, sizeof(path), "/%0106d", 1);
	w.options.socket = path;
	load_good(&w);
	snprintf(path, sizeof(path), "/%0107d", 1);
	assert_fault(&w, STATUS_USAGE, "at most 107 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_of_every_form_that_is_allowed),
		cmocka_unit_test(test_file_may_begin_with_a_byte_order_mark),
		cmocka_unit_test(test_file_that_is_empty_is_fine),
		cmocka_unit_test(test_file_faults_have_their_line),
		cmocka_unit_test(test_file_with_a_nul),
		cmocka_unit_test(test_file_with_a_long_line),
		cmocka_unit_test(test_file_fault_shows_foreign_text_escaped),
		cmocka_unit_test(test_file_that_cannot_be_read),
		cmocka_unit_test(test_file_that_may_not_be_read),
		cmocka_unit_test(test_drop_ins_come_after_the_file_in_order_of_name),
		cmocka_unit_test(test_drop_ins_of_other_names_are_passed_over),
		cmocka_unit_test(test_drop_in_faults_name_the_drop_in),
		cmocka_unit_test(test_drop_ins_that_are_no_folder_are_none),
		cmocka_unit_test(test_drop_in_that_cannot_be_read),
		cmocka_unit_test(test_drop_ins_have_a_number),
		cmocka_unit_test(test_lists_of_a_later_file_replace_the_earlier),
		cmocka_unit_test(test_rules_of_later_files_are_read_first),
		cmocka_unit_test(test_rules_of_every_right),
		cmocka_unit_test(test_rules_that_are_none),
		cmocka_unit_test(test_path_of_each_mode),
		cmocka_unit_test(test_user_has_a_socket_of_his_own),
		cmocka_unit_test(test_user_files_and_options_may_set_the_socket),
		cmocka_unit_test(test_user_without_a_runtime_folder_has_no_socket),
		cmocka_unit_test(test_default_file_may_be_missing_and_is_said_once),
		cmocka_unit_test(test_options_win_over_all_files),
		cmocka_unit_test(test_options_that_are_wrong_are_wrong_usage),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
