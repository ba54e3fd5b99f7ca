/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl complete: words for the completion of a shell, one a line. Hidden.
 *
 * Somebody is typing meanwhile: nothing is said on standard error, and a gateway that does not
 * answer is not waited for.
 */
#include "clients/ctl.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#define WORDS_LIMIT_MS 1000

/* NULL: there is no answer. args is taken. */
static json_t *ask(struct ctl *ctl, const char *method, json_t *args)
{
	chapi_reply *reply CLEANUP(ctl_free_reply) = NULL;
	char *text CLEANUP(cli_free) = args ? json_dumps(args, JSON_COMPACT) : NULL;
	char *result CLEANUP(cli_free) = NULL;

	json_decref(args);
	if (!text || chapi_connect(ctl->common.socket, &ctl->conn) < 0 ||
	    chapi_method_wait_json(ctl->conn, method, text, WORDS_LIMIT_MS, &reply) < 0 ||
	    chapi_reply_result_json(reply, false, &result) < 0)
		return NULL;
	return json_loads(result, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* A letter or digit of any script, which is text and no more in every shell, or one of a few signs.
 * All else that is not ASCII is left out: blanks that only look like some, signs that change the
 * order of others, characters that a shell uses for itself. */
static bool is_plain(wchar_t c)
{
	return c < 0x80 ? isalnum((int)c) || wcschr(L"_.:-", c) : iswalnum((wint_t)c);
}

/* Providers chose them, and shells read them. The locale is UTF-8 (chapi-ctl.c); where a machine
 * has none, what is not ASCII is no character. */
static bool is_word(const char *text)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n;

	if (!text || !*text || *text == '-')
		return false;
	for (; *text; text += n) {
		n = mbrtowc(&c, text, MB_CUR_MAX, &state);
		if (n == 0 || n > MB_CUR_MAX || !is_plain(c))
			return false;
	}
	return true;
}

static void print_word(const char *word)
{
	if (is_word(word))
		puts(word);
}

static int print_names(struct ctl *ctl)
{
	json_t *apis CLEANUP(ctl_free_json) = ask(ctl, "list", json_array());
	const json_t *api;
	size_t i;

	json_array_foreach(apis, i, api)
		print_word(ctl_text(api, "name"));
	return 0;
}

static int print_params(struct ctl *ctl, const char *name)
{
	json_t *api CLEANUP(ctl_free_json) = ask(ctl, "describe", json_pack("[s]", name));
	json_t *properties = json_object_get(json_object_get(api, "params"), "properties");
	const char *key;
	json_t *value;

	json_object_foreach(properties, key, value)
		print_word(key);
	return 0;
}

int ctl_complete(struct ctl *ctl, char *const *args, int n)
{
	if (n == 1 && strcmp(args[0], "names") == 0)
		return print_names(ctl);
	if (n == 2 && strcmp(args[0], "params") == 0)
		return print_params(ctl, args[1]);
	return cli_usage("complete: it is one of complete, complete names, complete params NAME");
}
