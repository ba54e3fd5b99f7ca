/* SPDX-License-Identifier: MIT */
/*
 * A script of the hub: its rules, and which of them act; see script.h.
 *
 * Rules that have had their turns stay, for those who ask what became of them.
 */
#include "tests/hub/script_private.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>

#include <jansson.h>

#include "libchapi-ipc/list.h"

struct rule {
	struct list link;
	char *text;
	enum script_when when;
	char *name, *client;		/* patterns; NULL: all */
	uint64_t first, last;		/* counted from 1 */
	unsigned int per_mille;		/* not 0: by chance, within first to last */
	uint64_t n_seen, n_done;
	struct script_action action;
};

struct script {
	struct list rules;
	size_t n_rules;
	uint32_t chance;
};

static const char *const when_names[SCRIPT_N_WHENS] = {
	[SCRIPT_ACCEPT] = "accept",
	[SCRIPT_RECEIVE] = "receive",
	[SCRIPT_DELIVER] = "deliver",
	[SCRIPT_POST] = "post",
	[SCRIPT_GET] = "get",
	[SCRIPT_POSTED] = "posted",
	[SCRIPT_NOW] = "now",
};

/* ---- rules ---------------------------------------------------------------------------- */

static struct rule *rule_free(struct rule *rule)
{
	if (!rule)
		return NULL;
	list_del(&rule->link);
	script_action_deinit(&rule->action);
	free(rule->text);
	free(rule->name);
	free(rule->client);
	free(rule);
	return NULL;
}

static void cleanup_rule(struct rule **rule)
{
	rule_free(*rule);
}

static int take_when(struct words *w, enum script_when *ret, const char **ret_why)
{
	const char *name = words_peek(w);

	for (size_t i = 0; name && i < SCRIPT_NOW; i++)
		if (strcmp(name, when_names[i]) == 0) {
			*ret = (enum script_when)i;
			w->at++;
			return 0;
		}
	return script_bad(ret_why, "a rule begins with on, and accept, receive, deliver, post, "
			  "posted or get");
}

static bool begins_count(const char *word)
{
	return (*word >= '0' && *word <= '9') || strcmp(word, "all") == 0;
}

static void take_name(struct words *w, struct rule *rule)
{
	const char *word = words_peek(w);

	if (word && !begins_count(word) && strcmp(word, "client") != 0 && strcmp(word, "do") != 0)
		rule->name = words_take(w);
}

static int take_client(struct words *w, char **ret_client, const char **ret_why)
{
	if (!words_next_is(w, "client"))
		return 0;
	*ret_client = words_take(w);
	return *ret_client ? 0 : script_bad(ret_why, "client takes a pattern");
}

static int bad_count(const char **ret_why)
{
	return script_bad(ret_why, "how often is N, N-M, N-, N% or all");
}

/* "all", "2", "1-3", "2-", "5%", "0.5%"; nothing: the first time. */
static int take_count(struct words *w, struct rule *rule, const char **ret_why)
{
	const char *word = words_peek(w), *rest;
	uint64_t tenth = 0;

	rule->first = rule->last = 1;
	if (!word || !begins_count(word))
		return 0;
	w->at++;
	if (strcmp(word, "all") == 0) {
		rule->last = UINT64_MAX;
		return 0;
	}
	if (!script_read_number(word, 1000000000, &rule->first, &rest))
		return bad_count(ret_why);
	rule->last = rule->first;
	if (rest[0] == '.' && (!script_read_number(rest + 1, 9, &tenth, &rest) || *rest != '%'))
		return bad_count(ret_why);
	if (strcmp(rest, "%") == 0) {
		if (rule->first > 100 || rule->first + tenth == 0)
			return bad_count(ret_why);
		rule->per_mille = (unsigned int)(rule->first * 10 + tenth);
		rule->first = 1;
		rule->last = UINT64_MAX;
	} else if (strcmp(rest, "-") == 0) {
		rule->last = UINT64_MAX;
	} else if (*rest == '-' &&
		   !(script_read_number(rest + 1, 1000000000, &rule->last, &rest) && !*rest)) {
		return bad_count(ret_why);
	} else if (*rest) {
		return bad_count(ret_why);
	}
	return rule->first >= 1 && rule->first <= rule->last ? 0 : bad_count(ret_why);
}

static int take_rule(struct script *script, struct words *w, const char *line, const char **ret_why)
{
	CLEANUP(cleanup_rule) struct rule *rule = NULL;
	int r;

	if (script->n_rules == SCRIPT_RULES_MAX)
		return script_bad(ret_why, "too many rules");
	rule = calloc(1, sizeof(*rule));
	if (!rule)
		return -ENOMEM;
	list_init(&rule->link);
	rule->text = strndup(line, strcspn(line, "\r\n"));
	if (!rule->text)
		return -ENOMEM;
	r = take_when(w, &rule->when, ret_why);
	if (r == 0) {
		take_name(w, rule);
		r = take_client(w, &rule->client, ret_why);
	}
	if (r == 0)
		r = take_count(w, rule, ret_why);
	if (r == 0 && !words_next_is(w, "do"))
		r = script_bad(ret_why, "do ACTION is missing");
	if (r == 0)
		r = script_take_action(w, rule->when, &rule->action, ret_why);
	if (r != 0)
		return r;
	list_add_tail(&script->rules, &rule->link);
	script->n_rules++;
	rule = NULL;
	return 0;
}

static void forget_rules(struct script *script)
{
	struct rule *rule, *tmp;

	list_for_each_safe(rule, tmp, &script->rules, struct rule, link)
		rule_free(rule);
	script->n_rules = 0;
}

/* ---- lines ---------------------------------------------------------------------------- */

static int take_now(struct words *w, struct script_line *ret, const char **ret_why)
{
	int r = take_client(w, &ret->client, ret_why);

	ret->command = SCRIPT_ACT_NOW;
	return r != 0 ? r : script_take_action(w, SCRIPT_NOW, &ret->action, ret_why);
}

static int take_seed(struct script *script, struct words *w, struct script_line *ret,
		     const char **ret_why)
{
	const char *word = words_peek(w);
	int64_t seed;

	if (!word || !script_read_whole(word, &seed) || seed == 0 || w->n - w->at > 1)
		return script_bad(ret_why, "seed takes one number, from 1 to 100000000");
	ret->command = SCRIPT_SEED;
	script->chance = (uint32_t)seed;
	w->at++;
	return 0;
}

static int take_command(struct words *w, struct script_line *ret, const char **ret_why)
{
	static const struct {
		const char *name;
		enum script_command command;
	} commands[] = {
		{ "forget", SCRIPT_FORGET },
		{ "rules", SCRIPT_SHOW_RULES },
		{ "published", SCRIPT_SHOW_PUBLISHED },
		{ "clients", SCRIPT_SHOW_CLIENTS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (words_next_is(w, commands[i].name)) {
			ret->command = commands[i].command;
			return !words_peek(w) ? 0 :
			       script_bad(ret_why, "this command takes no arguments");
		}
	return script_bad(ret_why, "a line begins with on, now, seed, forget, rules, published "
			  "or clients");
}

static int take_words(struct script *script, struct words *w, const char *line,
		      struct script_line *ret, const char **ret_why)
{
	int r;

	if (w->n == 0)
		return 0;
	if (words_next_is(w, "on")) {
		ret->command = SCRIPT_RULE;
		return take_rule(script, w, line, ret_why);
	}
	if (words_next_is(w, "now"))
		return take_now(w, ret, ret_why);
	if (words_next_is(w, "seed"))
		return take_seed(script, w, ret, ret_why);
	r = take_command(w, ret, ret_why);
	if (r == 0 && ret->command == SCRIPT_FORGET)
		forget_rules(script);
	return r;
}

int script_take(struct script *script, const char *line, struct script_line *ret,
		const char **ret_why)
{
	CLEANUP(words_deinit) struct words w = { .n = 0 };
	int r;

	*ret = (struct script_line){ .command = SCRIPT_NOTHING };
	line += strspn(line, " \t");
	r = *line == '[' ? words_read_json(&w, line, ret_why) : words_cut(&w, line, ret_why);
	if (r == 0)
		r = take_words(script, &w, line, ret, ret_why);
	if (r != 0)
		script_line_deinit(ret);
	return r;
}

void script_line_deinit(struct script_line *line)
{
	script_action_deinit(&line->action);
	free(line->client);
	line->client = NULL;
}

/* ---- what happens --------------------------------------------------------------------- */

bool script_pattern_fits(const char *pattern, const char *name)
{
	return !pattern || (name && fnmatch(pattern, name, 0) == 0);
}

/* xorshift: the same seed, the same faults. */
static bool has_luck(struct script *script, unsigned int per_mille)
{
	script->chance ^= script->chance << 13;
	script->chance ^= script->chance >> 17;
	script->chance ^= script->chance << 5;
	return script->chance % 1000 < per_mille;
}

static bool rule_fits(const struct rule *rule, const struct script_event *event)
{
	return rule->when == event->when && script_pattern_fits(rule->name, event->name) &&
	       script_pattern_fits(rule->client, event->client);
}

static bool rule_acts(struct script *script, struct rule *rule)
{
	rule->n_seen++;
	if (rule->n_seen < rule->first || rule->n_seen > rule->last)
		return false;
	return rule->per_mille == 0 || has_luck(script, rule->per_mille);
}

void script_match(struct script *script, const struct script_event *event, struct script_hits *ret)
{
	struct rule *rule;

	ret->n = 0;
	list_for_each(rule, &script->rules, struct rule, link) {
		if (!rule_fits(rule, event) || !rule_acts(script, rule) ||
		    ret->n == SCRIPT_HITS_MAX)
			continue;
		rule->n_done++;
		ret->actions[ret->n++] = &rule->action;
	}
}

const struct script_action *script_hits_find(const struct script_hits *hits, enum script_act act)
{
	for (size_t i = 0; i < hits->n; i++)
		if (hits->actions[i]->act == act)
			return hits->actions[i];
	return NULL;
}

void script_put_rules(const struct script *script, struct buf *out)
{
	json_t *all = json_array();
	const struct rule *rule;
	char *text;

	list_for_each(rule, &script->rules, struct rule, link)
		json_array_append_new(all, json_pack("{s:s, s:I, s:I}", "rule", rule->text,
						     "seen", (json_int_t)rule->n_seen,
						     "done", (json_int_t)rule->n_done));
	text = json_dumps(all, JSON_COMPACT);
	buf_put_str(out, text ? text : "null");
	free(text);
	json_decref(all);
}

/* ---- the script ----------------------------------------------------------------------- */

int script_new(struct script **ret)
{
	struct script *script = calloc(1, sizeof(*script));

	if (!script)
		return -ENOMEM;
	list_init(&script->rules);
	script->chance = 1;
	*ret = script;
	return 0;
}

struct script *script_free(struct script *script)
{
	if (!script)
		return NULL;
	forget_rules(script);
	free(script);
	return NULL;
}
