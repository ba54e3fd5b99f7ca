/* SPDX-License-Identifier: MIT */
/*
 * The configuration: files in a folder of the test's own, and what comes of them.
 *
 * Everything that configuration.md promises to people is here with file, line and words:
 * inifile.c and the config_*.c are tested through config_load() as well.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/config.h"
#include "gateway/config_keys.h"
#include "libchapi-ipc/buf.h"

#define STATUS_USAGE 64
#define STATUS_NO_INPUT 66
#define STATUS_CONFIG 78

/* A folder, what was loaded from it, and what the log said meanwhile. */
struct world {
	char folder[64], file[80];
	struct config_options options;
	struct config config;
	struct config_fault fault;
	char log[4000];
};

/* ---- files ------------------------------------------------------------------------------ */

/* "FOLDER/NAME", in a buffer of the caller's line. */
#define PATH(w, name) path_of(w, name, (char[200]){ 0 })

static const char *path_of(const struct world *w, const char *name, char ret[200])
{
	snprintf(ret, 200, "%s/%s", w->folder, name);
	return ret;
}

static void put_bytes(const struct world *w, const char *name, struct span bytes, mode_t mode)
{
	const char *path = PATH(w, name);
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	assert_int_equal(fwrite(bytes.p, 1, bytes.len, out), bytes.len);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void put_file(const struct world *w, const char *name, const char *text)
{
	put_bytes(w, name, span_str(text), 0644);
}

static void put_folder(const struct world *w, const char *name)
{
	assert_int_equal(mkdir(PATH(w, name), 0755), 0);
}

/* What a test may find in the environment is what it sets itself. */
static void world_init(struct world *w)
{
	static const char *const names[] = {
		"XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "HOME", "CREDENTIALS_DIRECTORY",
		"JOURNAL_STREAM", "STATE_DIRECTORY", "XDG_STATE_HOME",
	};

	*w = (struct world){ .folder = "/tmp/test-config.XXXXXX" };
	assert_non_null(mkdtemp(w->folder));
	assert_int_equal(chmod(w->folder, 0755), 0);
	snprintf(w->file, sizeof(w->file), "%s/gw.conf", w->folder);
	w->options.file = w->file;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unsetenv(names[i]);
}

static void world_deinit(struct world *w)
{
	char command[100];

	config_deinit(&w->config);
	snprintf(command, sizeof(command), "rm -rf '%s'", w->folder);
	assert_int_equal(system(command), 0);
}

#define WORLD(w) CLEANUP(world_deinit) struct world w; world_init(&w)

/* ---- loading ---------------------------------------------------------------------------- */

static int load(struct world *w)
{
	int saved = dup(STDERR_FILENO), r;
	FILE *log = tmpfile();
	ssize_t n;

	assert_true(log && saved >= 0 && dup2(fileno(log), STDERR_FILENO) >= 0);
	log_open(LOG_LEVEL_INFO);
	config_deinit(&w->config);
	r = config_load(&w->options, &w->config, &w->fault);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(fileno(log), w->log, sizeof(w->log) - 1, 0);
	w->log[MAX(n, 0)] = '\0';
	fclose(log);
	return r;
}

static void load_good(struct world *w)
{
	if (load(w) != 0)
		fail_msg("%s", w->fault.text);
}

static void load_text(struct world *w, const char *text)
{
	put_file(w, "gw.conf", text);
	load_good(w);
}

static void assert_contains(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static void assert_fault(struct world *w, int status, const char *words)
{
	if (load(w) == 0)
		fail_msg("this was taken; \"%s\" was expected", words);
	assert_contains(w->fault.text, words);
	assert_int_equal(w->fault.status, status);
	assert_null(strchr(w->fault.text, '\n'));
}

/* "FOLDER/NAME:LINE: WORDS" and status 78. */
static void assert_fault_at(struct world *w, const char *name, unsigned int line, const char *words)
{
	char place[300];

	snprintf(place, sizeof(place), "%s:%u: ", PATH(w, name), line);
	assert_fault(w, STATUS_CONFIG, words);
	if (strncmp(w->fault.text, place, strlen(place)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", w->fault.text, place);
}

static void check_bytes(struct span text, unsigned int line, const char *words)
{
	WORLD(w);

	put_bytes(&w, "gw.conf", text, 0644);
	assert_fault_at(&w, "gw.conf", line, words);
}

static void check_text(const char *text, unsigned int line, const char *words)
{
	check_bytes(span_str(text), line, words);
}

static void assert_no_warning(const struct world *w)
{
	if (*w->log)
		fail_msg("the log says %s", w->log);
}

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

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define HUNDRED FIFTY FIFTY

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

/* ---- the hub ---------------------------------------------------------------------------- */

#define HUB "[pusher]\napp_id = 1\nkey = k\n"

static void put_secret(struct world *w, const char *text, mode_t mode)
{
	put_bytes(w, "secret", span_str(text), mode);
}

/* A hub with this secret file and what more says, the first line of it being line 5. */
static void put_hub(struct world *w, const char *more)
{
	char text[1000];

	snprintf(text, sizeof(text), HUB "secret_file = %s\n%s", PATH(w, "secret"), more);
	put_file(w, "gw.conf", text);
}

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

/* ---- printing --------------------------------------------------------------------------- */

static void print_with(void (*print)(const struct config *config, FILE *out),
		       const struct config *config, char *ret, size_t len)
{
	FILE *out = fmemopen(ret, len, "w");

	assert_non_null(out);
	print(config, out);
	assert_int_equal(fclose(out), 0);
}

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
		cmocka_unit_test(test_hub_of_the_hosted_service),
		cmocka_unit_test(test_hub_of_ones_own),
		cmocka_unit_test(test_hub_budget_may_be_set_to_none),
		cmocka_unit_test(test_hub_that_lacks_a_key),
		cmocka_unit_test(test_hub_with_cluster_and_host),
		cmocka_unit_test(test_hub_with_a_ca_file_that_cannot_be_read),
		cmocka_unit_test(test_hub_in_clear_is_warned_about),
		cmocka_unit_test(test_state_dir_is_that_of_the_service_manager_unless_set),
		cmocka_unit_test(test_state_dir_of_a_user),
		cmocka_unit_test(test_keys_that_do_not_go_together),
		cmocka_unit_test(test_keys_that_do_not_go_together_with_a_default),
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
		cmocka_unit_test(test_print_reads_back),
		cmocka_unit_test(test_print_of_a_hub_reads_back),
		cmocka_unit_test(test_sample_is_the_defaults),
		cmocka_unit_test(test_sample_has_every_key_with_its_help),
		cmocka_unit_test(test_deinit_leaves_nothing),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
