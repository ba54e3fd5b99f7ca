/* SPDX-License-Identifier: MIT */
/*
 * The files of the configuration: which there are, and what each entry of theirs sets.
 *
 * The form of a file is inifile.h, a single value config_keys.h.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "common/inifile.h"
#include "gateway/config_keys.h"
#include "gateway/config_private.h"
#include "gateway/fd.h"

#define DEFAULT_FILE PACKAGE_SYSCONFDIR "/chapi/chapi-gw.conf"

/* ---- entries ----------------------------------------------------------------------------- */

static bool put_why(struct inifile_fault *fault, const char *fmt, ...) PRINTF(2, 3);
static bool put_why(struct inifile_fault *fault, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(fault->text, sizeof(fault->text), fmt, args);
	va_end(args);
	return false;
}

/* Rules of later files are read first, those of one file in their order. */
static int add_rule(struct loader *l, const struct config_rule *rule)
{
	struct config *c = l->config;
	struct config_rule *rules = reallocarray(c->rules, c->n_rules + 1, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	memmove(rules + l->n_file_rules + 1, rules + l->n_file_rules,
		(c->n_rules - l->n_file_rules) * sizeof(*rules));
	rules[l->n_file_rules++] = *rule;
	c->rules = rules;
	c->n_rules++;
	return 0;
}

static int take_rule(struct loader *l, const struct config_key *key, const char *value, char *why,
		     size_t why_len)
{
	struct config_rule rule;
	int r = config_rule_parse((enum config_right)key->least, value, &rule, why, why_len);

	if (r != 0)
		return r;
	r = add_rule(l, &rule);
	if (r < 0) {
		free(rule.subject);
		free(rule.pattern);
	}
	return r;
}

static bool take_section(struct loader *l, const struct inifile_entry *e,
			 struct inifile_fault *fault)
{
	if (!config_section_is_known(e->section))
		return put_why(fault, "unknown section [%s]; there are pusher, gateway, remote, "
			       "limits, timing and policy", LOG_TEXT(span_str(e->section)));
	if (strcmp(e->section, "pusher") == 0) {
		l->config->pusher = true;
		l->pusher = (struct inifile_place){ l->files[l->n_files - 1], e->line };
	}
	return true;
}

static bool put_unknown(const struct inifile_entry *e, struct inifile_fault *fault)
{
	if (!*e->section)
		return put_why(fault, "\"%s\" stands before the first [section]",
			       LOG_TEXT(span_str(e->name)));
	return put_why(fault,
		       "unknown key \"%s\" in [%s]; --print-sample-config shows all there are",
		       LOG_TEXT(span_str(e->name)), e->section);
}

/* What may hold a password is not shown, however wrong it is. */
static bool put_wrong(const struct config_key *key, const char *value, const char *why,
		      struct inifile_fault *fault)
{
	const char *shown = key->login ? strrchr(value, '@') : NULL;

	return put_why(fault, "%s = %s%s: %s", key->name, shown ? "(hidden)" : "",
		       LOG_TEXT(span_str(shown ? shown : value)), why);
}

static bool take_setting(struct loader *l, const struct inifile_entry *e,
			 struct inifile_fault *fault)
{
	const struct config_key *key = config_key_find(e->section, e->name);
	const char *file = l->files[l->n_files - 1];
	struct inifile_place *place;
	char why[256];
	int r;

	if (!key)
		return put_unknown(e, fault);
	place = &l->places[key - config_keys];
	if (place->file == file && key->type != CONFIG_RULE)
		return put_why(fault, "\"%s\" is set twice, the first time in line %u", e->name,
			       place->line);
	*place = (struct inifile_place){ file, e->line };
	if (key->type == CONFIG_RULE)
		r = take_rule(l, key, e->value, why, sizeof(why));
	else
		r = config_key_set(key, e->value, l->config, why, sizeof(why));
	if (r < 0)
		return put_why(fault, "no memory");
	return r == 0 || put_wrong(key, e->value, why, fault);
}

static bool take_entry(void *data, const struct inifile_entry *e, struct inifile_fault *fault)
{
	return e->name ? take_setting(data, e, fault) : take_section(data, e, fault);
}

/* ---- one file ---------------------------------------------------------------------------- */

static int remember_file(struct loader *l, const char *path)
{
	if (l->n_files == ARRAY_SIZE(l->files))
		return loader_fail(l, STATUS_CONFIG, "%s: too many files, at most %zu are read",
				   path, ARRAY_SIZE(l->files));
	l->files[l->n_files] = strdup(path);
	if (!l->files[l->n_files])
		return loader_no_memory(l);
	l->n_files++;
	l->n_file_rules = 0;
	return 0;
}

static int read_file(struct loader *l, const char *path, bool must_exist)
{
	CLEANUP(file_close) FILE *in = fopen(path, "re");
	struct inifile_fault fault;
	int r;

	if (!in && errno == ENOENT && !must_exist) {
		log_info("config", "no file %s", path);
		return 0;
	}
	if (!in)
		return loader_fail(l, STATUS_NO_INPUT, "%s: %s", path, strerror(errno));
	if (remember_file(l, path) != 0)
		return -1;
	r = inifile_read(in, take_entry, l, &fault);
	if (r < 0)
		return loader_fail(l, STATUS_NO_INPUT, "%s: %s", path, strerror(-r));
	if (r == 0)
		return 0;
	return loader_fail(l, STATUS_CONFIG, "%s:%u: %s", path, fault.line, fault.text);
}

/* ---- all of them ------------------------------------------------------------------------- */

static int is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_drop_ins(struct loader *l, const char *file)
{
	char dir[512], path[1024];
	struct dirent **entries;
	int n, r = 0;

	snprintf(dir, sizeof(dir), "%s.d", file);
	n = scandir(dir, &entries, is_conf, by_name);
	if (n < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (n < 0)
		return loader_fail(l, STATUS_NO_INPUT, "%s: %s", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
		if (r == 0)
			r = read_file(l, path, true);
		free(entries[i]);
	}
	free(entries);
	return r;
}

void config_path(const struct config_options *options, char *ret, size_t len)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (options->file)
		snprintf(ret, len, "%s", options->file);
	else if (!options->user)
		snprintf(ret, len, "%s", DEFAULT_FILE);
	else if (xdg && *xdg)
		snprintf(ret, len, "%s/chapi/chapi-gw.conf", xdg);
	else if (home && *home)
		snprintf(ret, len, "%s/.config/chapi/chapi-gw.conf", home);
	else
		snprintf(ret, len, "%s", "");
}

int loader_read_files(struct loader *l)
{
	char path[500];

	config_path(l->options, path, sizeof(path));
	if (!*path)
		return 0;
	if (read_file(l, path, l->options->file != NULL) != 0)
		return -1;
	return read_drop_ins(l, path);
}
