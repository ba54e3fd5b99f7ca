/* SPDX-License-Identifier: MIT */
/*
 * Arguments and environment of a command: see invocation.h.
 */
#include <config.h>	/* _GNU_SOURCE: asprintf, open_memstream */

#include "clients/invocation.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/cli.h"
#include "libchapi-ipc/chapi-ipc-msgpack.h"

/* Of our own environment; anything else is said to the command by env(1). */
static const char *const kept[] = {
	"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LOGNAME", "PATH", "SHELL", "TMPDIR",
	"TZ", "USER", "XDG_RUNTIME_DIR",
};

char **invocation_free(char **texts)
{
	for (char **p = texts; p && *p; p++)
		free(*p);
	free(texts);
	return NULL;
}

static void free_texts(char ***texts)
{
	*texts = invocation_free(*texts);
}

/* ---- keys ---- */

static bool is_key_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_.-", c));
}

/* Length of "{key}" that text begins with; 0: it does not. */
static size_t key_len(const char *text)
{
	size_t len = 1;

	if (text[0] != '{' || !(isalpha((unsigned char)text[1]) || text[1] == '_'))
		return 0;
	while (is_key_char(text[len]))
		len++;
	return text[len] == '}' ? len + 1 : 0;
}

/* Length of "{{key}}". */
static size_t literal_len(const char *text)
{
	size_t len = text[0] == '{' ? key_len(text + 1) : 0;

	return len > 0 && text[len + 1] == '}' ? len + 2 : 0;
}

bool invocation_has_key(const char *argument)
{
	size_t skip;

	for (const char *p = argument; *p; p += skip ? skip : 1) {
		skip = literal_len(p);
		if (!skip && key_len(p) > 0)
			return true;
	}
	return false;
}

/* ---- values ---- */

struct filling {
	const msgpack_object *params;
	bool allow_dash;
	char *fault;
	size_t fault_len;
};

static int PRINTF(2, 3) refuse(const struct filling *f, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(f->fault, f->fault_len, fmt, args);
	va_end(args);
	return INVOCATION_E_PARAMS;
}

static const msgpack_object *find(const msgpack_object *params, const char *key, size_t len)
{
	const msgpack_object_kv *kv;

	if (params->type != MSGPACK_OBJECT_MAP)
		return NULL;
	for (uint32_t i = 0; i < params->via.map.size; i++) {
		kv = &params->via.map.ptr[i];
		if (kv->key.type == MSGPACK_OBJECT_STR && kv->key.via.str.size == len &&
		    memcmp(kv->key.via.str.ptr, key, len) == 0)
			return &kv->val;
	}
	return NULL;
}

/* A number or a switch, as it is written in JSON. */
static int put_scalar(FILE *out, const msgpack_object *value)
{
	char *text CLEANUP(cli_free) = NULL;
	msgpack_sbuffer packed;
	msgpack_packer packer;
	size_t len;
	int r;

	msgpack_sbuffer_init(&packed);
	msgpack_packer_init(&packer, &packed, msgpack_sbuffer_write);
	r = msgpack_pack_object(&packer, *value);
	if (r == 0)
		r = chapi_msgpack_to_json(packed.data, packed.size, false, &text, &len, NULL, 0);
	msgpack_sbuffer_destroy(&packed);
	if (r < 0)
		return -ENOMEM;
	fwrite(text, 1, len, out);
	return *text == '-';
}

static int put_text(FILE *out, const msgpack_object_str *text)
{
	if (text->size > 0)
		fwrite(text->ptr, 1, text->size, out);
	return text->size > 0 && *text->ptr == '-';
}

/* 0; 1: it begins with a dash; negative: no memory, or a value that is no argument. */
static int put_value(FILE *out, const msgpack_object *value)
{
	switch (value->type) {
	case MSGPACK_OBJECT_STR:
		if (value->via.str.size > 0 && memchr(value->via.str.ptr, 0, value->via.str.size))
			return -EINVAL;
		return put_text(out, &value->via.str);
	case MSGPACK_OBJECT_BOOLEAN:
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		return put_scalar(out, value);
	default:
		return -EINVAL;
	}
}

static int put_key(const struct filling *f, FILE *out, const char *key, size_t len)
{
	const msgpack_object *value = find(f->params, key, len);
	int r;

	if (!value || value->type == MSGPACK_OBJECT_NIL)
		return refuse(f, "the parameter \"%.*s\" is missing", (int)len, key);
	r = put_value(out, value);
	if (r == -EINVAL)
		return refuse(f, "the parameter \"%.*s\" is no text (without NUL), number or "
			      "switch", (int)len, key);
	if (r == 1 && !f->allow_dash)
		return refuse(f, "the parameter \"%.*s\" begins with \"-\"", (int)len, key);
	return r < 0 ? r : 0;
}

/* ---- arguments ---- */

static int fill_stream(const struct filling *f, FILE *out, const char *argument)
{
	size_t len;
	int r = 0;

	while (*argument && r == 0) {
		if ((len = literal_len(argument)) > 0) {
			fwrite(argument + 1, 1, len - 2, out);
		} else if ((len = key_len(argument)) > 0) {
			r = put_key(f, out, argument + 1, len - 2);
		} else {
			putc(*argument, out);
			len = 1;
		}
		argument += len;
	}
	return r;
}

static int fill(const struct filling *f, const char *argument, char **ret_text)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int r;

	if (!out)
		return -ENOMEM;
	r = fill_stream(f, out, argument);
	if (fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	if (r == 0)
		*ret_text = text;
	else
		free(text);
	return r;
}

static size_t count(char *const *texts)
{
	size_t n = 0;

	while (texts[n])
		n++;
	return n;
}

static int fill_all(const struct filling *f, char *const *arguments, char ***ret_argv)
{
	char **argv CLEANUP(free_texts) = calloc(count(arguments) + 1, sizeof(*argv));
	int r = argv ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && arguments[i]; i++)
		r = fill(f, arguments[i], &argv[i]);
	if (r != 0)
		return r;
	*ret_argv = argv;
	argv = NULL;
	return 0;
}

int invocation_make_argv(char *const *arguments, struct span params, bool allow_dash,
			 char ***ret_argv, char *fault, size_t fault_len)
{
	struct filling f = { .allow_dash = allow_dash, .fault = fault, .fault_len = fault_len };
	msgpack_unpacked unpacked;
	int r;

	msgpack_unpacked_init(&unpacked);
	if (chapi_unpack(params.p, params.len, &unpacked) < 0) {
		r = refuse(&f, "the params cannot be read");
	} else {
		f.params = &unpacked.data;
		r = fill_all(&f, arguments, ret_argv);
	}
	msgpack_unpacked_destroy(&unpacked);
	return r;
}

/* ---- the environment ---- */

static bool is_kept(const char *variable)
{
	size_t len = strcspn(variable, "=");

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (strlen(kept[i]) == len && memcmp(kept[i], variable, len) == 0)
			return true;
	return false;
}

/* False: no memory. */
static bool add(char **env, size_t *n, const char *name, const char *value)
{
	if (asprintf(&env[*n], "%s=%s", name, value) < 0) {
		env[*n] = NULL;
		return false;
	}
	(*n)++;
	return true;
}

static bool add_call(char **env, size_t *n, const struct invocation_call *call)
{
	char left[24];

	snprintf(left, sizeof(left), "%" PRId64, call->timeout_ms);
	return add(env, n, "CHAPI_ID", call->id) && add(env, n, "CHAPI_API", call->api) &&
	       add(env, n, "CHAPI_CALLER", call->caller) &&
	       add(env, n, "CHAPI_ORIGIN", call->origin) &&
	       add(env, n, "CHAPI_SOCKET", call->socket) &&
	       (call->timeout_ms < 0 || add(env, n, "CHAPI_TIMEOUT_MS", left));
}

char **invocation_make_env(char *const *own, const struct invocation_call *call)
{
	char **env CLEANUP(free_texts) = calloc(ARRAY_SIZE(kept) + 7, sizeof(*env));
	char **ret;
	size_t n = 0;

	if (!env || !add_call(env, &n, call))
		return NULL;
	for (; *own; own++) {
		if (!is_kept(*own) || n == ARRAY_SIZE(kept) + 6)
			continue;
		env[n] = strdup(*own);
		if (!env[n++])
			return NULL;
	}
	ret = env;
	env = NULL;
	return ret;
}
