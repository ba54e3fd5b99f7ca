/* SPDX-License-Identifier: MIT */
/*
 * A script of the hub: which faults it plays, and when.
 *
 * A rule is one line: when WHAT happens the n-th time, do ACTION. Pure: rules come in as text,
 * what happens is told to script_match(), which says what is to be done. Doing it is play.h;
 * lines come from a file or from control.h. chapi-hub(1) describes every word.
 */
#ifndef CHAPI_HUB_SCRIPT_H
#define CHAPI_HUB_SCRIPT_H

#include <stdbool.h>

#include "libchapi-ipc/buf.h"

#define SCRIPT_RULES_MAX 1000
#define SCRIPT_WORDS_MAX 40		/* of a line */
#define SCRIPT_ARGUMENTS_MAX 6		/* of an action */
#define SCRIPT_HITS_MAX 16		/* actions for one thing that happens */
#define SCRIPT_TIME_MAX_MS (60 * 60 * 1000)

enum script_when {
	SCRIPT_ACCEPT,		/* a WebSocket, before anything is said */
	SCRIPT_RECEIVE,		/* a message of a client */
	SCRIPT_DELIVER,		/* a message to a client */
	SCRIPT_POST, SCRIPT_GET,	/* a request, before it is looked at */
	SCRIPT_POSTED,		/* a request that was handled, before it is answered */
	SCRIPT_NOW,		/* at once, on all WebSockets; never happens by itself */
	SCRIPT_N_WHENS,
};

enum script_act {
	SCRIPT_SWALLOW, SCRIPT_DOUBLE, SCRIPT_DELAY, SCRIPT_REPLACE, SCRIPT_DATA,
	SCRIPT_FRAGMENT, SCRIPT_BINARY, SCRIPT_IGNORE,
	SCRIPT_SEND, SCRIPT_SEND_HEX, SCRIPT_PING, SCRIPT_ERROR,
	SCRIPT_CLOSE, SCRIPT_CUT, SCRIPT_RESET, SCRIPT_STOP_READING, SCRIPT_FREEZE, SCRIPT_RESUME,
	SCRIPT_NEED_PING,
	SCRIPT_ANSWER, SCRIPT_SAY_CLOSE, SCRIPT_HANG_UP,
	SCRIPT_CLOCK, SCRIPT_CERTIFICATE,
	SCRIPT_N_ACTS,
};

struct script_action {
	enum script_act act;
	int64_t number;		/* of a first argument that is a number, or a time in ms */
	char *arguments[SCRIPT_ARGUMENTS_MAX];
	size_t n_arguments;
};

struct script;

int script_new(struct script **ret) MUST_CHECK;
struct script *script_free(struct script *script);

enum script_command {
	SCRIPT_NOTHING,		/* an empty line or a comment */
	SCRIPT_RULE,		/* taken in */
	SCRIPT_SEED,		/* taken in */
	SCRIPT_ACT_NOW,		/* ret->action is to be done at once */
	SCRIPT_FORGET,		/* all rules are gone; whatever they did is to end */
	SCRIPT_SHOW_RULES, SCRIPT_SHOW_PUBLISHED, SCRIPT_SHOW_CLIENTS,
};

struct script_line {
	enum script_command command;
	struct script_action action;
	char *client;		/* a pattern, or NULL: all of them */
};

enum { SCRIPT_E_BAD = 1 };

/*
 * One line, as words or as a JSON array of words. 0, SCRIPT_E_BAD (*ret_why: static text), or
 * -ENOMEM. After 0 the caller ends with script_line_deinit().
 */
int script_take(struct script *script, const char *line, struct script_line *ret,
		const char **ret_why) MUST_CHECK;
void script_line_deinit(struct script_line *line);

struct script_event {
	enum script_when when;
	const char *name;	/* of the message, or the path */
	const char *client;	/* what it calls itself; NULL: nothing is known */
};

/* What is to be done, in the order of the rules; it belongs to the script, until a rule is
 * taken in or forgotten. */
struct script_hits {
	const struct script_action *actions[SCRIPT_HITS_MAX];
	size_t n;
};

/* Counts the event in all rules that it fits. */
void script_match(struct script *script, const struct script_event *event, struct script_hits *ret);

/* NULL among hits: that is not to be done. */
const struct script_action *script_hits_find(const struct script_hits *hits, enum script_act act);

bool script_pattern_fits(const char *pattern, const char *name);

/* A JSON array of all rules: text, how often its event was seen, how often it acted. */
void script_put_rules(const struct script *script, struct buf *out);

#endif
