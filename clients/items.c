/* SPDX-License-Identifier: MIT */
/*
 * The params of a call, from a command line: see items.h.
 */
#include "clients/items.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/cli.h"
#include "common/utf8.h"
#include "libchapi-ipc/chapi-ipc-msgpack.h"

#define FILE_MAX ((size_t)64 << 20)	/* no gateway takes a larger message */
#define READ_SIZE ((size_t)64 << 10)

/* ---- files ---- */

struct content {
	char *p;
	size_t len, cap;
};

static int content_grow(struct content *c)
{
	size_t cap = c->cap ? 2 * c->cap : READ_SIZE;
	char *p = realloc(c->p, cap);

	if (!p)
		return -ENOMEM;
	c->p = p;
	c->cap = cap;
	return 0;
}

/* Negative errno; -EFBIG: more than any gateway takes. */
static int content_read(struct content *c, FILE *f)
{
	while (!feof(f)) {
		if (c->len == c->cap && content_grow(c) < 0)
			return -ENOMEM;
		errno = 0;
		c->len += fread(c->p + c->len, 1, c->cap - c->len, f);
		if (ferror(f))
			return errno ? -errno : -EIO;
		if (c->len > FILE_MAX)
			return -EFBIG;
	}
	return 0;
}

static int read_stream(const char *name, FILE *f, struct content *ret)
{
	int r = content_read(ret, f);

	if (r == 0)
		return 0;
	cli_error("%s: %s", name, strerror(-r));
	return r == -EFBIG ? CLI_STATUS_DATA : CLI_STATUS_NO_INPUT;
}

/* 0, or the status to end with. ret->p is the caller's in any case. */
static int read_file(const char *path, struct content *ret)
{
	FILE *f;
	int status;

	if (strcmp(path, "-") == 0)
		return read_stream("standard input", stdin, ret);
	f = fopen(path, "re");
	if (!f) {
		cli_error("%s: %s", path, strerror(errno));
		return CLI_STATUS_NO_INPUT;
	}
	status = read_stream(path, f, ret);
	fclose(f);
	return status;
}

/* ---- items ---- */

enum kind { KIND_TEXT, KIND_JSON, KIND_FILE };

struct item {
	enum kind kind;
	const char *key, *value;
	size_t key_len;
};

static int item_parse(const char *arg, struct item *ret)
{
	const char *sign = strpbrk(arg, "=@");

	if (!sign)
		return cli_usage("\"%s\" is none of KEY=TEXT, KEY:=JSON, KEY@FILE", arg);
	*ret = (struct item){ KIND_FILE, arg, sign + 1, (size_t)(sign - arg) };
	if (*sign == '=')
		ret->kind = KIND_TEXT;
	if (*sign == '=' && sign > arg && sign[-1] == ':') {
		ret->kind = KIND_JSON;
		ret->key_len--;
	}
	if (ret->key_len == 0)
		return cli_usage("\"%s\" has no key", arg);
	if (utf8_is_valid(span_of(arg, ret->key_len)))
		return 0;
	cli_error("the key of \"%s\" is not UTF-8", arg);
	return CLI_STATUS_DATA;
}

static bool item_is_stdin(const struct item *item)
{
	return item->kind == KIND_FILE && strcmp(item->value, "-") == 0;
}

static int check_pair(const struct item *a, const struct item *b)
{
	if (a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0)
		return cli_usage("\"%.*s\" is given twice", (int)a->key_len, a->key);
	if (item_is_stdin(a) && item_is_stdin(b))
		return cli_usage("standard input can be read only once");
	return 0;
}

static int items_parse(char *const *args, size_t n, struct item *ret)
{
	int status;

	for (size_t i = 0; i < n; i++) {
		status = item_parse(args[i], &ret[i]);
		for (size_t j = 0; j < i && status == 0; j++)
			status = check_pair(&ret[i], &ret[j]);
		if (status != 0)
			return status;
	}
	return 0;
}

/* ---- values ---- */

static int no_memory(void)
{
	return cli_fail("the params", -CHAPI_ERR_NOMEM);
}

static int put_text(msgpack_packer *packer, const char *text, size_t len)
{
	if (msgpack_pack_str(packer, len) < 0 || msgpack_pack_str_body(packer, text, len) < 0)
		return no_memory();
	return 0;
}

static int put_checked_text(msgpack_packer *packer, const char *what, const char *text, size_t len)
{
	if (utf8_is_valid(span_of(text, len)))
		return put_text(packer, text, len);
	cli_error("%s: it is not text (UTF-8); bytes can be sent as KEY:='{\"$bin\":\"BASE64\"}'",
		  what);
	return CLI_STATUS_DATA;
}

static int put_file(msgpack_packer *packer, const struct item *item)
{
	struct content content = { 0 };
	int status = read_file(item->value, &content);

	if (status == 0)
		status = put_checked_text(packer, item->value, content.p, content.len);
	free(content.p);
	return status;
}

static int put_json(msgpack_packer *packer, const struct item *item)
{
	void *value CLEANUP(cli_free) = NULL;
	char fault[200];
	size_t len;
	int r = chapi_json_to_msgpack(item->value, strlen(item->value), &value, &len, fault,
				      sizeof(fault));

	if (r < 0) {
		cli_error("%s is not JSON: %s; for a text type %.*s=...", item->key, fault,
			  (int)item->key_len, item->key);
		return chapi_exit_status(r);
	}
	return msgpack_sbuffer_write(packer->data, value, len) < 0 ? no_memory() : 0;
}

static int put_item(msgpack_packer *packer, const struct item *item)
{
	int status = put_text(packer, item->key, item->key_len);

	if (status != 0)
		return status;
	switch (item->kind) {
	case KIND_TEXT:
		return put_checked_text(packer, item->key, item->value, strlen(item->value));
	case KIND_JSON:
		return put_json(packer, item);
	case KIND_FILE:
		return put_file(packer, item);
	}
	return 0;
}

static int put_items(msgpack_sbuffer *out, const struct item *items, size_t n)
{
	msgpack_packer packer;
	int status;

	msgpack_packer_init(&packer, out, msgpack_sbuffer_write);
	status = msgpack_pack_map(&packer, n) < 0 ? no_memory() : 0;
	for (size_t i = 0; i < n && status == 0; i++)
		status = put_item(&packer, &items[i]);
	return status;
}

int items_read(char *const *args, size_t n, void **ret_params, size_t *ret_len)
{
	struct item *items CLEANUP(cli_free) = calloc(n + 1, sizeof(*items));
	msgpack_sbuffer out;
	int status;

	if (!items)
		return no_memory();
	status = items_parse(args, n, items);
	if (status != 0)
		return status;
	msgpack_sbuffer_init(&out);
	status = put_items(&out, items, n);
	*ret_len = out.size;
	*ret_params = msgpack_sbuffer_release(&out);
	return status;
}

int items_read_json(const char *text, void **ret_params, size_t *ret_len)
{
	bool is_input = strcmp(text, "-") == 0;
	struct content content = { 0 };
	char fault[200];
	int status, r;

	if (is_input) {
		status = read_file(text, &content);
		if (status != 0) {
			free(content.p);
			return status;
		}
	}
	r = chapi_json_to_msgpack(is_input ? content.p : text,
				  is_input ? content.len : strlen(text), ret_params, ret_len,
				  fault, sizeof(fault));
	free(content.p);
	if (r == 0)
		return 0;
	cli_error("%s is not JSON: %s", is_input ? "standard input" : "-d", fault);
	return chapi_exit_status(r);
}
