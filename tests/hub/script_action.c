/* SPDX-License-Identifier: MIT */
/*
 * What a script can have done, when, and with which arguments: see script_private.h.
 */
#include "tests/hub/script_private.h"

#include <stdlib.h>

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

static bool read_time(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	const char *unit;
	uint64_t n;

	if (!script_read_number(text, 1000000, &n, &unit))
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

static int read_first(enum argument kind, const char *text, int64_t *ret, const char **ret_why)
{
	switch (kind) {
	case ARG_NONE:
		return 0;
	case ARG_TIME:
		if (read_time(text, ret) && *ret <= SCRIPT_TIME_MAX_MS)
			return 0;
		return script_bad(ret_why, "a time is a number with ms, s, m or h, up to an hour");
	case ARG_SHIFT:
		return read_shift(text, ret) ? 0 :
		       script_bad(ret_why, "the clock takes +TIME, -TIME or 0");
	case ARG_FORM:
		return read_form(text, ret) ? 0 :
		       script_bad(ret_why, "data is string, object, array, number, null, "
				  "absent or empty");
	case ARG_CODE:
		*ret = -1;
		if (strcmp(text, "null") == 0 || script_read_whole(text, ret))
			return 0;
		return script_bad(ret_why, "the code of an error is a number or null");
	case ARG_NUMBER:
		return script_read_whole(text, ret) ? 0 :
		       script_bad(ret_why, "the first argument has to be a number");
	}
	return script_bad(ret_why, "no such argument");
}

/* What makes no sense although each word does. */
static int check_action(const struct script_action *a, const char **ret_why)
{
	if (a->act == SCRIPT_FRAGMENT && a->number == 0)
		return script_bad(ret_why, "fragments have at least one byte");
	if (a->act == SCRIPT_CLOSE && a->n_arguments > 0 && (a->number < 1000 || a->number > 4999))
		return script_bad(ret_why, "a close code is a number from 1000 to 4999");
	if (a->act == SCRIPT_ANSWER && (a->number < 200 || a->number > 599))
		return script_bad(ret_why, "a status is a number from 200 to 599");
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
			return script_bad(ret_why, "this action is not possible here");
		ret->act = (enum script_act)i;
		w->at++;
		return 0;
	}
	return script_bad(ret_why, name ? "there is no such action" : "the action is missing");
}

int script_take_action(struct words *w, enum script_when when, struct script_action *ret,
		       const char **ret_why)
{
	int r = take_act(w, when, ret, ret_why);

	if (r != 0)
		return r;
	if (w->n - w->at < acts[ret->act].least)
		return script_bad(ret_why, "the action needs more arguments");
	if (w->n - w->at > acts[ret->act].most)
		return script_bad(ret_why, "the action does not take that many arguments");
	while (words_peek(w))
		ret->arguments[ret->n_arguments++] = words_take(w);
	if (ret->n_arguments > 0)
		r = read_first(acts[ret->act].first, ret->arguments[0], &ret->number, ret_why);
	return r != 0 ? r : check_action(ret, ret_why);
}

void script_action_deinit(struct script_action *action)
{
	for (size_t i = 0; i < action->n_arguments; i++)
		free(action->arguments[i]);
	action->n_arguments = 0;
}
