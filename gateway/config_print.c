/* SPDX-License-Identifier: MIT */
/*
 * The configuration as text: as it is, in the form of a file (--print-config), and every key with
 * its help and default (--print-sample-config). How a single value is printed is config_values.c.
 */
#include "gateway/config_keys.h"

#define COMMENT_WIDTH 79

static const char *section_before(size_t i)
{
	return i > 0 ? config_keys[i - 1].section : "";
}

static void print_rules(const struct config *config, const struct config_key *key, FILE *out)
{
	for (size_t i = 0; i < config->n_rules; i++)
		if (config->rules[i].right == (enum config_right)key->least)
			fprintf(out, "%s = %s %s\n", key->name, config->rules[i].subject,
				config->rules[i].pattern);
}

static void print_key(const struct config *config, const struct config_key *key, FILE *out)
{
	if (key->type == CONFIG_RULE) {
		print_rules(config, key, out);
		return;
	}
	if (config_key_is_set(key, config)) {
		fprintf(out, "%s = ", key->name);
		config_key_print(key, config, out);
		fputc('\n', out);
	} else {
		fprintf(out, "#%s =\n", key->name);
	}
}

/* As a file that could be read again: what was derived from cluster is left to it. */
static bool is_worth_printing(const struct config *config, const struct config_key *key)
{
	if (strcmp(key->section, "pusher") != 0)
		return true;
	return config->pusher && !(config->cluster && strcmp(key->name, "host") == 0);
}

void config_print(const struct config *config, FILE *out)
{
	if (!config->pusher)
		fputs("# no [pusher] section: local calls only\n", out);
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (!is_worth_printing(config, key))
			continue;
		if (strcmp(section_before(i), key->section) != 0)
			fprintf(out, "%s[%s]\n", i ? "\n" : "", key->section);
		print_key(config, key, out);
		if (strcmp(key->name, "secret_file") == 0)
			fputs("# the secret itself: (hidden)\n", out);
	}
}

/* In lines of COMMENT_WIDTH at most, broken between words. */
static void print_comment(const char *text, FILE *out)
{
	size_t column = 1;

	fputc('#', out);
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column + 1 + len > COMMENT_WIDTH) {
			fputs("\n#", out);
			column = 1;
		}
		fprintf(out, " %.*s", (int)len, text);
		column += 1 + len;
		text += len + strspn(text + len, " ");
	}
	fputc('\n', out);
}

static void print_sample_key(const struct config_key *key, FILE *out)
{
	print_comment(key->help, out);
	if (key->derived)
		fprintf(out, "# Default: %s.\n", key->derived);
	fprintf(out, "#%s =%s%s\n", key->name, key->standard ? " " : "",
		key->standard ? key->standard : "");
}

void config_print_sample(FILE *out)
{
	fputs("# Configuration of chapi-gw: every key with its default. See chapi-gw.conf(5).\n"
	      "# Times take ms, s, m, h; sizes K, M; switches yes, no; lists: blanks between.\n"
	      "# Comments stand on lines of their own.\n", out);
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (strcmp(section_before(i), key->section) != 0)
			/* An empty [pusher] would be one that lacks everything. */
			fprintf(out, "\n%s[%s]\n", strcmp(key->section, "pusher") == 0 ? "#" : "",
				key->section);
		print_sample_key(key, out);
	}
}
