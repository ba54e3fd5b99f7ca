/* SPDX-License-Identifier: MIT */
/*
 * The rules of [policy] as policy.h wants them: see rights.h.
 *
 * Names are looked up once, when the rules are made: a user who is made later counts from the
 * next reload on.
 */
#include "gateway/rights.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#define USER "user:"
#define GROUP "group:"

static enum right right_of(const struct config_rule *rule)
{
	static const enum right rights[] = {
		[CONFIG_RIGHT_CALL] = RIGHT_CALL, [CONFIG_RIGHT_REGISTER] = RIGHT_REGISTER,
		[CONFIG_RIGHT_LIST] = RIGHT_LIST, [CONFIG_RIGHT_OUTGOING] = RIGHT_OUTGOING,
		[CONFIG_RIGHT_PUBLISH] = RIGHT_PUBLISH, [CONFIG_RIGHT_MONITOR] = RIGHT_MONITOR,
		[CONFIG_RIGHT_ADMIN] = RIGHT_ADMIN,
	};

	return rights[rule->right];
}

/* Digits that are an id; the highest one stands for "none" in the system's calls. */
static bool id_parse(const char *text, uint32_t *ret)
{
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno != 0 || *end || v >= UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* A name first, as chown(1) has it. */
static bool user_find(const char *name, uint32_t *ret)
{
	const struct passwd *user = getpwnam(name);

	if (!user)
		return id_parse(name, ret);
	*ret = user->pw_uid;
	return true;
}

static bool group_find(const char *name, uint32_t *ret)
{
	const struct group *group = getgrnam(name);

	if (!group)
		return id_parse(name, ret);
	*ret = group->gr_gid;
	return true;
}

/* The name behind "user:" or "group:"; NULL: the subject is another. */
static const char *name_after(const char *subject, const char *kind)
{
	size_t len = strlen(kind);

	return strncmp(subject, kind, len) == 0 ? subject + len : NULL;
}

/* "*" for a name: every local process, as each has a user and a group. */
static enum subject_kind account_find(const char *name, enum subject_kind kind, uint32_t *ret_id)
{
	if (strcmp(name, "*") == 0)
		return SUBJECT_LOCAL;
	if (kind == SUBJECT_USER ? user_find(name, ret_id) : group_find(name, ret_id))
		return kind;
	return SUBJECT_NOBODY;
}

static enum subject_kind subject_find(const char *subject, uint32_t *ret_id)
{
	const char *user = name_after(subject, USER), *group = name_after(subject, GROUP);

	if (user)
		return account_find(user, SUBJECT_USER, ret_id);
	if (group)
		return account_find(group, SUBJECT_GROUP, ret_id);
	return strcmp(subject, "remote") == 0 ? SUBJECT_REMOTE : SUBJECT_ANYBODY;
}

static struct policy_rule rule_make(const struct config_rule *from)
{
	struct policy_rule rule = { .right = right_of(from), .pattern = from->pattern };

	rule.kind = subject_find(from->subject, &rule.id);
	if (rule.kind == SUBJECT_NOBODY)
		log_warn("config", "%s = %s %s: this machine knows no %s; the rule matches nobody",
			 right_name(rule.right), LOG_TEXT(span_str(from->subject)),
			 LOG_TEXT(span_str(from->pattern)), LOG_TEXT(span_str(from->subject)));
	return rule;
}

int rights_make(const struct config *config, struct policy **ret_policy)
{
	struct policy_rule *rules = calloc(MAX(config->n_rules, (size_t)1), sizeof(*rules));
	int r;

	if (!rules)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_rules; i++)
		rules[i] = rule_make(&config->rules[i]);
	r = policy_new(rules, config->n_rules, geteuid(), ret_policy);
	free(rules);
	return r;
}

/* ---- for people -------------------------------------------------------------------------- */

/* "user:alice (1000)": a name with the number that it stands for. */
static void subject_print(const char *subject, char *ret, size_t len)
{
	uint32_t id = 0;

	switch (subject_find(subject, &id)) {
	case SUBJECT_ANYBODY:
		snprintf(ret, len, "everyone, local or remote");
		break;
	case SUBJECT_LOCAL:
		snprintf(ret, len, "every local process");
		break;
	case SUBJECT_REMOTE:
		snprintf(ret, len, "remote");
		break;
	case SUBJECT_NOBODY:
		snprintf(ret, len, "%s (not known here: nobody)", LOG_TEXT(span_str(subject)));
		break;
	default:
		if (isdigit((unsigned char)*(strchr(subject, ':') + 1)))
			snprintf(ret, len, "%s", LOG_TEXT(span_str(subject)));
		else
			snprintf(ret, len, "%s (%" PRIu32 ")", LOG_TEXT(span_str(subject)), id);
	}
}

static void print_default(enum right right, FILE *out)
{
	if (right_is_for_all(right))
		fprintf(out, "  %-9s everyone, local or remote (the default)\n", right_name(right));
	else
		fprintf(out, "  %-9s root and the gateway's own user (the default)\n",
			right_name(right));
}

/* The name of the right stands before its first rule only. */
static void print_right(const struct config *config, enum right right, FILE *out)
{
	const char *name = right_name(right);
	char who[256];

	for (size_t i = 0; i < config->n_rules; i++) {
		if (right_of(&config->rules[i]) != right)
			continue;
		subject_print(config->rules[i].subject, who, sizeof(who));
		fprintf(out, "  %-9s %s: %s\n", name, who,
			LOG_TEXT(span_str(config->rules[i].pattern)));
		name = "";
	}
	if (*name)
		print_default(right, out);
	else
		fprintf(out, "  %-9s nobody else\n", "");
}

void rights_print(const struct config *config, FILE *out)
{
	fputs("Who may do what:\n", out);
	for (int right = 0; right < RIGHT_COUNT; right++)
		print_right(config, (enum right)right, out);
}
