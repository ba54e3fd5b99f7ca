/* SPDX-License-Identifier: MIT */
/*
 * What chapi-serve serves: see services.h.
 *
 * A file is written like the gateway's settings: one reader reads both.
 */
#include <config.h>	/* _GNU_SOURCE: asprintf */

#include "clients/services.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "clients/http_request.h"
#include "clients/invocation.h"
#include "clients/words.h"
#include "common/inifile.h"

#define CONCURRENCY_MAX 1000
#define STATUS_CONFIG 78

const struct cli_option service_options[] = {
	{ "timeout", 't', CLI_TIME, offsetof(struct service, timeout_ms) },
	{ "concurrency", 'c', CLI_NUMBER, offsetof(struct service, concurrency) },
	{ "queue", 'q', CLI_NUMBER, offsetof(struct service, queue) },
	{ "max-output", '\0', CLI_SIZE, offsetof(struct service, output_max) },
	{ "stream", '\0', CLI_FLAG, offsetof(struct service, stream) },
	{ "json", '\0', CLI_FLAG, offsetof(struct service, json) },
	{ "text", '\0', CLI_FLAG, offsetof(struct service, text) },
	{ "allow-dash", '\0', CLI_FLAG, offsetof(struct service, allow_dash) },
	{ "summary", '\0', CLI_TEXT, offsetof(struct service, summary) },
	{ "params", '\0', CLI_TEXT, offsetof(struct service, params) },
	{ "result", '\0', CLI_TEXT, offsetof(struct service, result) },
	{ "policy", '\0', CLI_TEXT, offsetof(struct service, policy) },
	{ "idempotent", '\0', CLI_FLAG, offsetof(struct service, idempotent) },
	{ "local", '\0', CLI_FLAG, offsetof(struct service, local) },
	{ "http", '\0', CLI_TEXT, offsetof(struct service, http) },
};

const size_t service_n_options = ARRAY_SIZE(service_options);

/* In a file only. */
static const struct cli_option command_key = {
	"command", '\0', CLI_TEXT, offsetof(struct service, command),
};

/* ---- where a setting stands, and what is wrong there ---- */

/* Says it, returns the status to end with. A place without a file is the command line. */
static int PRINTF(2, 3) wrong(const struct inifile_place *place, const char *fmt, ...)
{
	char text[600];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!place->file)
		return cli_usage("%s", text);
	cli_error("%s:%u: %s", place->file, place->line, text);
	return STATUS_CONFIG;
}

static int no_memory(void)
{
	return cli_fail("settings", -CHAPI_ERR_NOMEM);
}

/* ---- what is kept ---- */

/* Takes what may be NULL for want of memory; then so does it return. */
static void *own(struct services *s, void *p)
{
	void **owned = p ? realloc(s->owned, (s->n_owned + 1) * sizeof(*owned)) : NULL;

	if (!owned) {
		free(p);
		return NULL;
	}
	s->owned = owned;
	s->owned[s->n_owned++] = p;
	return p;
}

static struct service *add(struct services *s, const struct service *service)
{
	struct service *all = realloc(s->all, (s->n + 1) * sizeof(*all));

	if (!all)
		return NULL;
	s->all = all;
	s->all[s->n] = *service;
	return &s->all[s->n++];
}

void services_deinit(struct services *s)
{
	for (size_t i = 0; i < s->n_owned; i++)
		free(s->owned[i]);
	free(s->owned);
	free(s->all);
	*s = (struct services){ 0 };
}

/* ---- descriptions of values ---- */

/* A file that a setting names is looked for beside the file that the setting is in. */
static char *beside(const struct inifile_place *place, const char *path)
{
	const char *slash = place->file && *path != '/' ? strrchr(place->file, '/') : NULL;
	char *joined;

	if (!slash)
		return strdup(path);
	if (asprintf(&joined, "%.*s/%s", (int)(slash - place->file), place->file, path) < 0)
		return NULL;
	return joined;
}

static int load(const struct inifile_place *place, const char *name, const char *text,
		json_t **ret_value)
{
	char *path CLEANUP(cli_free) = NULL;
	json_error_t error;
	bool is_json;

	if (*text == '@') {
		path = beside(place, text + 1);
		if (!path)
			return no_memory();
		*ret_value = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	} else {
		*ret_value = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	}
	if (json_is_object(*ret_value))
		return 0;
	is_json = *ret_value != NULL;
	json_decref(*ret_value);
	return wrong(place, "%s: it is a JSON object, or @FILE: %s", name,
		     is_json ? "this is another value" : error.text);
}

/* Puts the JSON itself in the place of text. */
static int take_schema(struct services *s, const struct inifile_place *place, const char *name,
		       const char **text)
{
	json_t *value = NULL;
	int status;

	if (!*text)
		return 0;
	status = load(place, name, *text, &value);
	if (status != 0)
		return status;
	*text = own(s, json_dumps(value, JSON_COMPACT));
	json_decref(value);
	return *text ? 0 : no_memory();
}

/* ---- commands ---- */

/* As execvp() would find it. */
static bool can_be_found(const char *command)
{
	const char *path = getenv("PATH"), *end;
	char *file;
	bool is_there = false;

	if (strchr(command, '/'))
		return access(command, X_OK) == 0;
	for (path = path ? path : "/bin:/usr/bin"; *path && !is_there;
	     path = *end ? end + 1 : end) {
		end = strchrnul(path, ':');
		if (asprintf(&file, "%.*s/%s", (int)(end - path), path, command) < 0)
			return true;	/* the start itself will tell */
		is_there = access(file, X_OK) == 0;
		free(file);
	}
	return is_there;
}

static bool is_shell(const char *command)
{
	static const char *const shells[] = { "sh", "ash", "bash", "dash", "ksh", "zsh" };
	const char *name = strrchr(command, '/') ? strrchr(command, '/') + 1 : command;

	for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
		if (strcmp(shells[i], name) == 0)
			return true;
	return false;
}

/* The program that a shell at shell[0] is given by -c; NULL: it is given none. */
static const char *find_program(char *const *shell)
{
	bool is_given = false;

	for (shell++; *shell && (**shell == '-' || **shell == '+'); shell++)
		is_given |= **shell == '-' && (*shell)[1] != '-' && strchr(*shell, 'c');
	return is_given ? *shell : NULL;
}

/* A caller must not write a part of a program. The shell may stand behind env, sudo, timeout. */
static int check_keys(const struct inifile_place *place, char *const *argv)
{
	const char *program;

	if (invocation_has_key(argv[0]))
		return wrong(place, "\"%s\": a caller cannot choose the command", argv[0]);
	for (size_t i = 0; argv[i]; i++) {
		program = is_shell(argv[i]) ? find_program(argv + i) : NULL;
		if (program && invocation_has_key(program))
			return wrong(place, "a caller could write a part of the shell's program; "
				     "give it as argument: %s -c 'echo \"$1\"' %s {key}", argv[i],
				     argv[i]);
	}
	return 0;
}

static int check_command(const struct inifile_place *place, char *const *argv)
{
	if (!can_be_found(argv[0])) {
		if (place->file)
			return wrong(place, "%s: there is no such command", argv[0]);
		cli_error("%s: there is no such command", argv[0]);
		return CLI_STATUS_NO_INPUT;
	}
	return check_keys(place, argv);
}

/* ---- one name ---- */

static int check_policy(const struct inifile_place *place, const char *policy)
{
	static const char *const policies[] = { "exclusive", "replace", "share", "standby" };

	for (size_t i = 0; policy && i < ARRAY_SIZE(policies); i++)
		if (strcmp(policies[i], policy) == 0)
			return 0;
	return policy ? wrong(place, "policy \"%s\": it is exclusive, replace, share or standby",
			      policy) : 0;
}

static int check_limits(const struct inifile_place *place, const struct service *v)
{
	if (v->concurrency < 1 || v->concurrency > CONCURRENCY_MAX)
		return wrong(place, "concurrency: it is from 1 to %d", CONCURRENCY_MAX);
	if (v->queue > INT32_MAX)
		return wrong(place, "queue: it is at most %d", INT32_MAX);
	if (v->output_max > (int64_t)64 << 20)
		return wrong(place, "max-output: it is at most 64M, as no gateway takes more");
	if (v->json && v->text)
		return wrong(place, "json and text: only one of them can be");
	return check_policy(place, v->policy);
}

static int check_http(const struct inifile_place *place, const struct service *v)
{
	char fault[200];

	if (v->argv)
		return wrong(place, "%s: it is a command or http, not both", v->name);
	if (v->stream || v->json || v->text || v->allow_dash)
		return wrong(place, "stream, json, text and allow-dash are for commands");
	if (http_check_base(v->http, fault, sizeof(fault)) != 0)
		return wrong(place, "http \"%s\": %s", v->http, fault);
	return 0;
}

static int check(struct services *s, const struct inifile_place *place, struct service *v)
{
	int status;

	if (!v->argv && !v->http)
		return wrong(place, "the command is missing");
	status = check_limits(place, v);
	if (status == 0)
		status = v->http ? check_http(place, v) : check_command(place, v->argv);
	if (status == 0)
		status = take_schema(s, place, "params", &v->params);
	if (status == 0)
		status = take_schema(s, place, "result", &v->result);
	return status;
}

int services_add(struct services *s, const struct service *service)
{
	const struct inifile_place place = { NULL, 0 };
	struct service *added = add(s, service);

	return added ? check(s, &place, added) : no_memory();
}

/* ---- files ---- */

struct reading {
	struct services *services;
	const struct service *defaults;
	struct inifile_place begins;		/* the section that is being read */
	int status;
};

static struct service *last(const struct services *s)
{
	return s->n > 0 ? &s->all[s->n - 1] : NULL;
}

/* The section before is whole. */
static int end_section(struct reading *r)
{
	struct service *v = last(r->services);
	int e;

	if (!v)
		return 0;
	if (v->command) {
		e = words_split(v->command, &v->argv);
		if (e == WORDS_E_OPEN)
			return wrong(&r->begins, "command: a quote is not closed");
		if (e < 0 || !own(r->services, v->argv))
			return no_memory();
		if (!v->argv[0])
			v->argv = NULL;
	}
	return check(r->services, &r->begins, v);
}

static int begin_section(struct reading *r, const char *name, unsigned int line)
{
	struct service v = *r->defaults;
	int status = end_section(r);

	if (status != 0)
		return status;
	r->begins.line = line;
	for (size_t i = 0; i < r->services->n; i++)
		if (strcmp(r->services->all[i].name, name) == 0)
			return wrong(&r->begins, "[%s] is there twice", name);
	v.name = own(r->services, strdup(name));
	return v.name && add(r->services, &v) ? 0 : no_memory();
}

static const struct cli_option *find_key(const char *name)
{
	if (strcmp(name, command_key.name) == 0)
		return &command_key;
	for (size_t i = 0; i < service_n_options; i++)
		if (strcmp(service_options[i].name, name) == 0)
			return &service_options[i];
	return NULL;
}

static int take_key(struct reading *r, const struct inifile_entry *entry)
{
	const struct inifile_place place = { r->begins.file, entry->line };
	const struct cli_option *key = find_key(entry->name);
	const char *allowed, *value = entry->value;

	if (!last(r->services))
		return wrong(&place, "a [NAME] has to be there first");
	if (!key)
		return wrong(&place, "\"%s\" is not known; see chapi-serve(1)", entry->name);
	if (!*value)
		return wrong(&place, "%s has no value; leave the line out instead", entry->name);
	if (key->type == CLI_TEXT)
		value = own(r->services, strdup(value));
	if (!value)
		return no_memory();
	allowed = cli_set(key, value, last(r->services));
	return allowed ? wrong(&place, "%s \"%s\": %s", entry->name, value, allowed) : 0;
}

static bool take_entry(void *data, const struct inifile_entry *entry,
		       struct inifile_fault *fault UNUSED)
{
	struct reading *r = data;

	r->status = entry->name ? take_key(r, entry)
				: begin_section(r, entry->section, entry->line);
	return r->status == 0;
}

static int read_stream(struct reading *r, FILE *in)
{
	struct inifile_fault fault = { 0 };
	int e = inifile_read(in, take_entry, r, &fault);
	const struct inifile_place place = { r->begins.file, fault.line };

	if (r->status != 0)
		return r->status;
	if (e == INIFILE_E_FAULT)
		return wrong(&place, "%s", fault.text);
	if (e < 0) {
		cli_error("%s: %s", r->begins.file, strerror(-e));
		return CLI_STATUS_NO_INPUT;
	}
	if (r->services->n == 0)
		return wrong(&place, "there is no [NAME] in it");
	return end_section(r);
}

int services_read(struct services *s, const char *path, const struct service *defaults)
{
	struct reading r = { .services = s, .defaults = defaults, .begins = { path, 0 } };
	FILE *in = fopen(path, "re");
	int status;

	if (!in) {
		cli_error("%s: %s", path, strerror(errno));
		return CLI_STATUS_NO_INPUT;
	}
	status = read_stream(&r, in);
	fclose(in);
	return status;
}
