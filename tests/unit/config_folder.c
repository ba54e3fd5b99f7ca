/* SPDX-License-Identifier: MIT */
/*
 * A folder with configuration files of a test's own: see config_folder.h.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "tests/unit/config_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- files ------------------------------------------------------------------------------ */

const char *path_of(const struct world *w, const char *name, char ret[200])
{
	snprintf(ret, 200, "%s/%s", w->folder, name);
	return ret;
}

void put_bytes(const struct world *w, const char *name, struct span bytes, mode_t mode)
{
	const char *path = PATH(w, name);
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	assert_int_equal(fwrite(bytes.p, 1, bytes.len, out), bytes.len);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, mode), 0);
}

void put_file(const struct world *w, const char *name, const char *text)
{
	put_bytes(w, name, span_str(text), 0644);
}

void put_folder(const struct world *w, const char *name)
{
	assert_int_equal(mkdir(PATH(w, name), 0755), 0);
}

/* What a test may find in the environment is what it sets itself. */
void world_init(struct world *w)
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

void world_deinit(struct world *w)
{
	char command[100];

	config_deinit(&w->config);
	snprintf(command, sizeof(command), "rm -rf '%s'", w->folder);
	assert_int_equal(system(command), 0);
}

void put_secret(struct world *w, const char *text, mode_t mode)
{
	put_bytes(w, "secret", span_str(text), mode);
}

void put_hub(struct world *w, const char *more)
{
	char text[1000];

	snprintf(text, sizeof(text), HUB "secret_file = %s\n%s", PATH(w, "secret"), more);
	put_file(w, "gw.conf", text);
}

/* ---- loading ---------------------------------------------------------------------------- */

int load(struct world *w)
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

void load_good(struct world *w)
{
	if (load(w) != 0)
		fail_msg("%s", w->fault.text);
}

void load_text(struct world *w, const char *text)
{
	put_file(w, "gw.conf", text);
	load_good(w);
}

void assert_contains(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

void assert_fault(struct world *w, int status, const char *words)
{
	if (load(w) == 0)
		fail_msg("this was taken; \"%s\" was expected", words);
	assert_contains(w->fault.text, words);
	assert_int_equal(w->fault.status, status);
	assert_null(strchr(w->fault.text, '\n'));
}

void assert_fault_at(struct world *w, const char *name, unsigned int line, const char *words)
{
	char place[300];

	snprintf(place, sizeof(place), "%s:%u: ", PATH(w, name), line);
	assert_fault(w, STATUS_CONFIG, words);
	if (strncmp(w->fault.text, place, strlen(place)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", w->fault.text, place);
}

void check_bytes(struct span text, unsigned int line, const char *words)
{
	WORLD(w);

	put_bytes(&w, "gw.conf", text, 0644);
	assert_fault_at(&w, "gw.conf", line, words);
}

void check_text(const char *text, unsigned int line, const char *words)
{
	check_bytes(span_str(text), line, words);
}

void assert_no_warning(const struct world *w)
{
	if (*w->log)
		fail_msg("the log says %s", w->log);
}

void print_with(void (*print)(const struct config *config, FILE *out),
		const struct config *config, char *ret, size_t len)
{
	FILE *out = fmemopen(ret, len, "w");

	assert_non_null(out);
	print(config, out);
	assert_int_equal(fclose(out), 0);
}
