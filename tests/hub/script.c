/* SPDX-License-Identifier: MIT */
/*
 * A script of the hub: see script.h.
 *
 * A line is cut into words, and each part of a rule takes its words off the front. Rules that
 * have had their turns stay, for those who ask what became of them.
 */
#include "tests/hub/script.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>

#include <jansson.h>

#include "libchapi-ipc/list.h"

#define NUMBER_MAX 100000000

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

struct words {
	char *word[SCRIPT_WORDS_MAX];
	size_t n, at;
};

/* ---- names ---------------------------------------------------------------------------- */

static const char *const when_names[SCRIPT_N_WHENS] = {
	[SCRIPT_ACCEPT] = "accept",
	[SCRIPT_RECEIVE] = "receive",
	[SCRIPT_DELIVER] = "deliver",
	[SCRIPT_POST] = "post",
	[SCRIPT_GET] = "get",
	[SCRIPT_POSTED] = "posted",
	[SCRIPT_NOW] = "now",
};

enum argument { ARG_NONE, ARG_TIME, ARG_NUMBER, ARG_SHIFT, ARG_FORM, ARG_CODE };

#define ON(when) (1u << SCRIPT_##when)
#define ON_SOCKET (ON(ACCEPT) | ON(RECEIVE) | ON(DELIVER) | ON(NOW))
#define ON_REQUEST (ON(POST) | ON(GET) | ON(POSTED))

static const struct {
	const char *name;
	unsigned int whens;
	size_t least, most;		/* arguments */
	enum argument first;
} acts[SCRIPT_N_ACTS] = {
	[SCRIPT_SWALLOW] = { "swallow", ON(DELIVER), 0, 0, ARG_NONE },
	[SCRIPT_DOUBLE] = { "double", ON(DELIVER), 0, 0, ARG_NONE },
	[SCRIPT_DELAY] = { "delay", ON(DELIVER) | ON_REQUEST, 1, 1, ARG_TIME },
	[SCRIPT_REPLACE] = { "replace", ON(DELIVER), 1, 1, ARG_NONE },
	[SCRIPT_DATA] = { "data", ON(DELIVER), 1, 1, ARG_FORM },
	[SCRIPT_FRAGMENT] = { "fragment", ON(DELIVER), 1, 1, ARG_NUMBER },
	[SCRIPT_BINARY] = { "binary", ON(DELIVER), 0, 0, ARG_NONE },
	[SCRIPT_IGNORE] = { "ignore", ON(RECEIVE), 0, 0, ARG_NONE },
	[SCRIPT_SEND] = { "send", ON_SOCKET, 1, 1, ARG_NONE },
	[SCRIPT_SEND_HEX] = { "send-hex", ON_SOCKET, 1, 1, ARG_NONE },
	[SCRIPT_PING] = { "ping", ON_SOCKET, 0, 0, ARG_NONE },
	[SCRIPT_ERROR] = { "error", ON_SOCKET, 2, 3, ARG_CODE },
	[SCRIPT_CLOSE] = { "close", ON_SOCKET, 0, 2, ARG_NUMBER },
	[SCRIPT_CUT] = { "cut", ON_SOCKET | ON_REQUEST, 0, 0, ARG_NONE },
	[SCRIPT_RESET] = { "reset", ON_SOCKET | ON_REQUEST, 0, 0, ARG_NONE },
	[SCRIPT_STOP_READING] = { "stop-reading", ON_SOCKET, 0, 0, ARG_NONE },
	[SCRIPT_FREEZE] = { "freeze", ON_SOCKET, 0, 0, ARG_NONE },
	[SCRIPT_RESUME] = { "resume", ON_SOCKET, 0, 0, ARG_NONE },
	[SCRIPT_NEED_PING] = { "need-ping", ON_SOCKET, 1, 1, ARG_TIME },
	[SCRIPT_ANSWER] = { "answer", ON_REQUEST, 1, 6, ARG_NUMBER },
	[SCRIPT_SAY_CLOSE] = { "say-close", ON_REQUEST, 0, 0, ARG_NONE },
	[SCRIPT_HANG_UP] = { "hang-up", ON_REQUEST, 0, 0, ARG_NONE },
	[SCRIPT_CLOCK] = { "clock", ON(NOW) | ON(ACCEPT) | ON_REQUEST, 1, 1, ARG_SHIFT },
	[SCRIPT_CERTIFICATE] = { "certificate", ON(NOW), 2, 2, ARG_NONE },
};

static const char *const forms[] = {
	"string", "object", "array", "number", "null", "absent", "empty",
};

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return SCRIPT_E_BAD;
}

/* ---- words ---------------------------------------------------------------------------- */

static void words_deinit(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->word[i]);
	w->n = 0;
}

static int words_add(struct words *w, const char *p, size_t len, const char **ret_why)
{
	if (w->n == SCRIPT_WORDS_MAX)
		return bad(ret_why, "too many words");
	w->word[w->n] = strndup(p, len);
	return w->word[w->n++] ? 0 : -ENOMEM;
}

/* Between blanks; '...' is one word, whatever is in it. */
static int words_cut(struct words *w, const char *p, const char **ret_why)
{
	size_t len;
	int r = 0;

	for (p += strspn(p, " \t\r\n"); r == 0 && *p && *p != '#'; p += strspn(p, " \t\r\n")) {
		if (*p != '\'') {
			len = strcspn(p, " \t\r\n");
			r = words_add(w, p, len, ret_why);
			p += len;
			continue;
		}
		len = strcspn(++p, "'");
		if (!p[len])
			return bad(ret_why, "a ' without its fellow");
		r = words_add(w, p, len, ret_why);
		p += len + 1;
	}
	return r;
}

static int words_from_json(struct words *w, const char *line, const char **ret_why)
{
	json_t *array = json_loads(line, 0, NULL), *item;
	size_t i;
	int r = json_is_array(array) ? 0 : bad(ret_why, "not a JSON array");

	json_array_foreach(array, i, item) {
		if (r != 0)
			break;
		r = json_is_string(item) ?
			words_add(w, json_string_value(item), json_string_length(item), ret_why) :
			bad(ret_why, "a JSON line is an array of strings");
	}
	json_decref(array);
	return r;
}

static const char *words_peek(const struct words *w)
{
	return w->at < w->n ? w->word[w->at] : NULL;
}

static bool words_next_is(struct words *w, const char *word)
{
	const char *next = words_peek(w);

	if (!next || strcmp(next, word) != 0)
		return false;
	w->at++;
	return true;
}

/* The word is the caller's. */
static char *words_take(struct words *w)
{
	char *word;

	if (w->at == w->n)
		return NULL;
	word = w->word[w->at];
	w->word[w->at++] = NULL;
	return word;
}

/* ---- arguments ------------------------------------------------------------------------ */

/* Digits at the beginning. */
static bool read_number(const char *text, uint64_t most, uint64_t *ret, const char **ret_rest)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	*ret_rest = end;
	return errno == 0 && *ret <= most;
}

static bool read_time(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	const char *unit;
	uint64_t n;

	if (!read_number(text, 1000000, &n, &unit))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(unit, units[i].name) == 0) {
			*ret_ms = (int64_t)n * units[i].ms;
			return true;
		}
	return false;
}

/* "+1h", "-30m", or "0": the right time. */
static bool read_shift(const char *text, int64_t *ret_ms)
{
	*ret_ms = 0;
	if (strcmp(text, "0") == 0)
		return true;
	if ((*text != '+' && *text != '-') || !read_time(text + 1, ret_ms))
		return false;
	if (*text == '-')
		*ret_ms = -*ret_ms;
	return true;
}

static bool read_form(const char *text, int64_t *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (strcmp(text, forms[i]) == 0) {
			*ret = (int64_t)i;
			return true;
		}
	return false;
}

static bool read_whole(const char *text, int64_t *ret)
{
	const char *rest;
	uint64_t n;

	if (!read_number(text, NUMBER_MAX, &n, &rest) || *rest)
		return false;
	*ret = (int64_t)n;
	return true;
}

static int read_first(enum argument kind, const char *text, int64_t *ret, const char **ret_why)
{
	switch (kind) {
	case ARG_NONE:
		return 0;
	case ARG_TIME:
		if (read_time(text, ret) && *ret <= SCRIPT_TIME_MAX_MS)
			return 0;
		return bad(ret_why, "a time is a number with ms, s, m or h, up to an hour");
	case ARG_SHIFT:
		return read_shift(text, ret) ? 0 :
		       bad(ret_why, "the clock takes +TIME, -TIME or 0");
	case ARG_FORM:
		return read_form(text, ret) ? 0 :
		       bad(ret_why, "data is string, object, array, number, null, "
			   "absent or empty");
	case ARG_CODE:
		*ret = -1;
		if (strcmp(text, "null") == 0 || read_whole(text, ret))
			return 0;
		return bad(ret_why, "the code of an error is a number or null");
	case ARG_NUMBER:
		return read_whole(text, ret) ? 0 :
		       bad(ret_why, "the first argument has to be a number");
	}
	return bad(ret_why, "no such argument");
}

/* What makes no sense although each word does. */
static int check_action(const struct script_action *a, const char **ret_why)
{
	if (a->act == SCRIPT_FRAGMENT && a->number == 0)
		return bad(ret_why, "fragments have at least one byte");
	if (a->act == SCRIPT_CLOSE && a->n_arguments > 0 && (a->number < 1000 || a->number > 4999))
		return bad(ret_why, "a close code is a number from 1000 to 4999");
	if (a->act == SCRIPT_ANSWER && (a->number < 200 || a->number > 599))
		return bad(ret_why, "a status is a number from 200 to 599");
	return 0;
}

static int take_act(struct words *w, enum script_when when, struct script_action *ret,
		    const char **ret_why)
{
	const char *name = words_peek(w);

	for (size_t i = 0; name && i < SCRIPT_N_ACTS; i++) {
		if (strcmp(name, acts[i].name) != 0)
			continue;
		if (!(acts[i].whens & (1u << when)))
			return bad(ret_why, "this action is not possible here");
		ret->act = (enum script_act)i;
		w->at++;
		return 0;
	}
	return bad(ret_why, name ? "there is no such action" : "the action is missing");
}

static int take_action(struct words *w, enum script_when when, struct script_action *ret,
		       const char **ret_why)
{
	int r = take_act(w, when, ret, ret_why);

	if (r != 0)
		return r;
	if (w->n - w->at < acts[ret->act].least)
		return bad(ret_why, "the action needs more arguments");
	if (w->n - w->at > acts[ret->act].most)
		return bad(ret_why, "the action does not take that many arguments");
	while (words_peek(w))
		ret->arguments[ret->n_arguments++] = words_take(w);
	if (ret->n_arguments > 0)
		r = read_first(acts[ret->act].first, ret->arguments[0], &ret->number, ret_why);
	return r != 0 ? r : check_action(ret, ret_why);
}

static void action_deinit(struct script_action *action)
{
	for (size_t i = 0; i < action->n_arguments; i++)
		free(action->arguments[i]);
	action->n_arguments = 0;
}

/* ---- rules ---------------------------------------------------------------------------- */

static struct rule *rule_free(struct rule *rule)
{
	if (!rule)
		return NULL;
	list_del(&rule->link);
	action_deinit(&rule->action);
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
	return bad(ret_why,
		   "a rule begins with on, and accept, receive, deliver, post, posted or get");
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
	return *ret_client ? 0 : bad(ret_why, "client takes a pattern");
}

static int bad_count(const char **ret_why)
{
	return bad(ret_why, "how often is N, N-M, N-, N% or all");
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
	if (!read_number(word, 1000000000, &rule->first, &rest))
		return bad_count(ret_why);
	rule->last = rule->first;
	if (rest[0] == '.' && (!read_number(rest + 1, 9, &tenth, &rest) || *rest != '%'))
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
		   !(read_number(rest + 1, 1000000000, &rule->last, &rest) && !*rest)) {
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
		return bad(ret_why, "too many rules");
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
		r = bad(ret_why, "do ACTION is missing");
	if (r == 0)
		r = take_action(w, rule->when, &rule->action, ret_why);
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
	return r != 0 ? r : take_action(w, SCRIPT_NOW, &ret->action, ret_why);
}

static int take_seed(struct script *script, struct words *w, struct script_line *ret,
		     const char **ret_why)
{
	const char *word = words_peek(w);
	int64_t seed;

	if (!word || !read_whole(word, &seed) || seed == 0 || w->n - w->at > 1)
		return bad(ret_why, "seed takes one number, from 1 to 100000000");
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
			return words_peek(w) ? bad(ret_why, "this command takes no arguments") : 0;
		}
	return bad(ret_why,
		   "a line begins with on, now, seed, forget, rules, published or clients");
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
	r = *line == '[' ? words_from_json(&w, line, ret_why) : words_cut(&w, line, ret_why);
	if (r == 0)
		r = take_words(script, &w, line, ret, ret_why);
	if (r != 0)
		script_line_deinit(ret);
	return r;
}

void script_line_deinit(struct script_line *line)
{
	action_deinit(&line->action);
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
