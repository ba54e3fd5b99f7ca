/* SPDX-License-Identifier: MIT */
/*
 * An HTTP request from the params of a call: see http_request.h.
 *
 * A path is held against the base after its escapes have been taken away, as often as there are
 * any: some server behind may do that twice.
 */
#include <config.h>	/* _GNU_SOURCE: asprintf, open_memstream */

#include "clients/http_request.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "clients/cli.h"
#include "libchapi-ipc/chapi-ipc-msgpack.h"

/* ---- faults, texts ---- */

struct making {
	struct http_request *request;
	bool has_type;
	char *fault;
	size_t fault_len;
};

static int PRINTF(2, 3) refuse(const struct making *m, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(m->fault, m->fault_len, fmt, args);
	va_end(args);
	return HTTP_E_FAULT;
}

static bool is_text(const msgpack_object *value)
{
	return value->type == MSGPACK_OBJECT_STR;
}

static bool is_key(const msgpack_object *key, const char *name)
{
	return is_text(key) && key->via.str.size == strlen(name) &&
	       memcmp(key->via.str.ptr, name, strlen(name)) == 0;
}

/* As JSON: what is no text. NULL: no memory, or a value that has no JSON. */
static char *make_json(const msgpack_object *value, size_t *ret_len)
{
	msgpack_sbuffer packed;
	msgpack_packer packer;
	char *text = NULL;

	msgpack_sbuffer_init(&packed);
	msgpack_packer_init(&packer, &packed, msgpack_sbuffer_write);
	if (msgpack_pack_object(&packer, *value) < 0 ||
	    chapi_msgpack_to_json(packed.data, packed.size, false, &text, ret_len, NULL, 0) < 0)
		text = NULL;
	msgpack_sbuffer_destroy(&packed);
	return text;
}

/* A text as it is, another scalar as JSON; NULL: neither, or no memory. */
static char *make_scalar(const msgpack_object *value, size_t *ret_len)
{
	char *text;

	if (value->type == MSGPACK_OBJECT_MAP || value->type == MSGPACK_OBJECT_ARRAY ||
	    value->type == MSGPACK_OBJECT_NIL || value->type == MSGPACK_OBJECT_BIN ||
	    value->type == MSGPACK_OBJECT_EXT)
		return NULL;
	if (!is_text(value))
		return make_json(value, ret_len);
	text = malloc((size_t)value->via.str.size + 1);
	if (!text)
		return NULL;
	if (value->via.str.size > 0)
		memcpy(text, value->via.str.ptr, value->via.str.size);
	*ret_len = value->via.str.size;
	text[*ret_len] = '\0';
	return text;
}

/* ---- the base ---- */

static bool has_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool is_there = curl_url_get(url, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return is_there;
}

static int check_parts(const struct making *m, CURLU *url)
{
	char *scheme = NULL;
	bool is_http;

	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		return -ENOMEM;
	is_http = strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
	curl_free(scheme);
	if (!is_http)
		return refuse(m, "the URL begins with http:// or https://");
	if (has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT))
		return refuse(m, "the URL ends with its path: no ? and no #");
	if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
		return refuse(m, "no name and no password in the URL: everybody can see them");
	return 0;
}

int http_check_base(const char *text, char *fault, size_t fault_len)
{
	const struct making m = { .fault = fault, .fault_len = fault_len };
	CURLU *url = curl_url();
	int r;

	if (!url)
		return -ENOMEM;
	if (curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		r = refuse(&m, "a URL is wanted, as http://127.0.0.1:5000");
	else
		r = check_parts(&m, url);
	curl_url_cleanup(url);
	return r;
}

/* ---- path and query ---- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_escape(const char *p)
{
	return p[0] == '%' && hex_value(p[1]) >= 0 && hex_value(p[2]) >= 0;
}

/* In place; false: there was none. */
static bool unescape(char *text, size_t *len)
{
	size_t to = 0;
	bool found = false;

	for (size_t i = 0; i < *len; i++) {
		if (is_escape(text + i)) {
			text[to++] = (char)(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
			i += 2;
			found = true;
		} else {
			text[to++] = text[i];
		}
	}
	text[to] = '\0';
	*len = to;
	return found;
}

/* "." or "..", also with what some servers cut off behind it (";..."). */
static bool is_dots(const char *segment, size_t len)
{
	const char *end = memchr(segment, ';', len);

	if (end)
		len = (size_t)(end - segment);
	return (len == 1 && segment[0] == '.') || (len == 2 && memcmp(segment, "..", 2) == 0);
}

static bool has_dots(const char *path, size_t len)
{
	size_t from = 0;

	for (size_t i = 0; i <= len; i++)
		if (i == len || path[i] == '/') {
			if (is_dots(path + from, i - from))
				return true;
			from = i + 1;
		}
	return false;
}

/* Of these some servers make a "." or a "/", though UTF-8 has no such form of them. */
static bool has_overlong(const char *path, size_t len)
{
	const unsigned char *p = (const unsigned char *)path;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == 0xc0 || p[i] == 0xc1)
			return true;
		if (i + 1 < len && p[i + 1] >= 0x80 &&
		    ((p[i] == 0xe0 && p[i + 1] < 0xa0) || (p[i] == 0xf0 && p[i + 1] < 0x90)))
			return true;
	}
	return false;
}

static int check_path(const struct making *m, const char *path, size_t len)
{
	char *plain CLEANUP(cli_free) = strdup(path);
	size_t slashes = 0, now = 0;

	if (!plain)
		return -ENOMEM;
	if (path[0] != '/' || path[1] == '/' || strlen(path) != len)
		return refuse(m, "path: it begins with one \"/\"");
	if (strpbrk(path, "?#"))
		return refuse(m, "path: no \"?\" and no \"#\"; query has what follows");
	for (size_t i = 0; i < len; i++)
		slashes += path[i] == '/';
	do {
		if (strlen(plain) != len || strchr(plain, '\\') || has_dots(plain, len))
			return refuse(m, "path: it must not lead away from the base: no \"..\", "
				      "no backslash, no NUL");
		if (has_overlong(plain, len))
			return refuse(m, "path: %%C0 and the like are an overlong form of another "
				      "character; write that one");
	} while (unescape(plain, &len));
	for (size_t i = 0; i < len; i++)
		now += plain[i] == '/';
	return now == slashes ? 0 : refuse(m, "path: a \"/\" must not be escaped");
}

/* What no URL may hold is escaped; escapes that are there stay. */
static void put_path(FILE *out, const char *path)
{
	for (; *path; path++) {
		if (isalnum((unsigned char)*path) || strchr("/-._~!$&'()*+,;=:@", *path) ||
		    is_escape(path))
			putc(*path, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*path);
	}
}

static void put_escaped(FILE *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (isalnum((unsigned char)text[i]) || (text[i] && strchr("-._~", text[i])))
			putc(text[i], out);
		else
			fprintf(out, "%%%02X", (unsigned char)text[i]);
	}
}

static int put_pair(const struct making *m, FILE *out, const msgpack_object *key,
		    const msgpack_object *value, char *sign)
{
	char *text CLEANUP(cli_free) = NULL;
	size_t len = 0;

	text = make_scalar(value, &len);
	if (!is_text(key) || !text)
		return refuse(m, "query: its values are texts, numbers, switches, or arrays of "
			      "those");
	putc(*sign, out);
	*sign = '&';
	put_escaped(out, key->via.str.ptr, key->via.str.size);
	putc('=', out);
	put_escaped(out, text, len);
	return 0;
}

static int put_query(const struct making *m, FILE *out, const msgpack_object *query)
{
	const msgpack_object_kv *kv;
	char sign = '?';
	int r = 0;

	if (query->type != MSGPACK_OBJECT_MAP)
		return refuse(m, "query: it is an object");
	for (uint32_t i = 0; i < query->via.map.size && r == 0; i++) {
		kv = &query->via.map.ptr[i];
		if (kv->val.type != MSGPACK_OBJECT_ARRAY)
			r = put_pair(m, out, &kv->key, &kv->val, &sign);
		else
			for (uint32_t j = 0; j < kv->val.via.array.size && r == 0; j++)
				r = put_pair(m, out, &kv->key, &kv->val.via.array.ptr[j], &sign);
	}
	return r;
}

static int put_url(const struct making *m, FILE *out, const char *base, const msgpack_object *path,
		   const msgpack_object *query)
{
	char *text CLEANUP(cli_free) = NULL;
	size_t len = strlen(base);
	int r;

	while (len > 0 && base[len - 1] == '/')
		len--;
	fwrite(base, 1, len, out);
	if (path && !is_text(path))
		return refuse(m, "path: it is a text");
	text = path ? make_scalar(path, &len) : strdup("/");
	if (!text)
		return -ENOMEM;
	r = check_path(m, text, path ? len : 1);
	if (r != 0)
		return r;
	put_path(out, text);
	return query ? put_query(m, out, query) : 0;
}

static int make_url(const struct making *m, const char *base, const msgpack_object *path,
		    const msgpack_object *query)
{
	size_t len;
	FILE *out = open_memstream(&m->request->url, &len);
	int r;

	if (!out)
		return -ENOMEM;
	r = put_url(m, out, base, path, query);
	return fclose(out) != 0 && r == 0 ? -ENOMEM : r;
}

/* ---- headers ---- */

bool http_is_hop_by_hop(const char *name, size_t len, const char *connection)
{
	static const char *const names[] = {
		"connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
		"proxy-connection", "te", "trailer", "trailers", "transfer-encoding", "upgrade",
		/* written by us */
		"content-length", "expect", "host",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == len && strncasecmp(names[i], name, len) == 0)
			return true;
	for (const char *p = connection; p && *p; p += strcspn(p, ",")) {
		p += strspn(p, ", \t");
		if (strcspn(p, ", \t") == len && strncasecmp(p, name, len) == 0)
			return true;
	}
	return false;
}

static bool is_token(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) &&
		    (!name[i] || !strchr("!#$%&'*+-.^_`|~", name[i])))
			return false;
	return len > 0;
}

static bool is_header_value(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
			return false;
	return true;
}

int http_request_add_header(struct http_request *request, const char *name, const char *value)
{
	char **headers = realloc(request->headers, (request->n_headers + 2) * sizeof(*headers));
	char *line;

	if (!headers)
		return -ENOMEM;
	request->headers = headers;
	/* curl leaves a header without a value out unless it is written so. */
	if (asprintf(&line, *value ? "%s: %s" : "%s;", name, value) < 0)
		return -ENOMEM;
	headers[request->n_headers++] = line;
	headers[request->n_headers] = NULL;
	return 0;
}

static bool is_ours(const char *name, size_t len)
{
	return len >= 6 && strncasecmp(name, "chapi-", 6) == 0;
}

static int add_header(struct making *m, const msgpack_object_kv *kv, const char *connection)
{
	char *name CLEANUP(cli_free) = NULL, *value CLEANUP(cli_free) = NULL;
	size_t name_len = 0, len = 0;

	if (is_text(&kv->key))
		name = make_scalar(&kv->key, &name_len);
	if (!name || !is_token(name, name_len))
		return refuse(m, "headers: a name has letters, digits and \"-\"");
	value = make_scalar(&kv->val, &len);
	if (!value || !is_header_value(value, len))
		return refuse(m, "headers: %s is no line of text", name);
	if (http_is_hop_by_hop(name, name_len, connection) || is_ours(name, name_len))
		return 0;
	m->has_type |= strcasecmp(name, "content-type") == 0;
	return http_request_add_header(m->request, name, value);
}

static char *find_connection(const msgpack_object_map *map)
{
	size_t len;

	for (uint32_t i = 0; i < map->size; i++)
		if (is_text(&map->ptr[i].key) && map->ptr[i].key.via.str.size == 10 &&
		    strncasecmp(map->ptr[i].key.via.str.ptr, "connection", 10) == 0)
			return make_scalar(&map->ptr[i].val, &len);
	return NULL;
}

static int make_headers(struct making *m, const msgpack_object *headers)
{
	char *connection CLEANUP(cli_free) = NULL;
	int r = 0;

	if (headers->type != MSGPACK_OBJECT_MAP)
		return refuse(m, "headers: they are an object");
	connection = find_connection(&headers->via.map);
	for (uint32_t i = 0; i < headers->via.map.size && r == 0; i++)
		r = add_header(m, &headers->via.map.ptr[i], connection);
	return r;
}

/* ---- method, body ---- */

static int make_method(struct making *m, const msgpack_object *method)
{
	size_t len;

	if (!method) {
		m->request->method = strdup("GET");
		return m->request->method ? 0 : -ENOMEM;
	}
	m->request->method = is_text(method) ? make_scalar(method, &len) : NULL;
	if (!m->request->method || len > HTTP_METHOD_MAX || !is_token(m->request->method, len))
		return refuse(m, "method: it is a word such as GET");
	for (char *p = m->request->method; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	if (strcmp(m->request->method, "CONNECT") == 0)
		return refuse(m, "method: CONNECT leads elsewhere");
	return 0;
}

static int make_body(struct making *m, const msgpack_object *body)
{
	struct http_request *request = m->request;

	if (body->type == MSGPACK_OBJECT_NIL)
		return 0;
	if (body->type == MSGPACK_OBJECT_BIN) {
		request->body_len = body->via.bin.size;
		request->body = malloc(request->body_len + 1);
		if (request->body && request->body_len > 0)
			memcpy(request->body, body->via.bin.ptr, request->body_len);
	} else if (is_text(body)) {
		request->body = make_scalar(body, &request->body_len);
	} else {
		request->body = make_json(body, &request->body_len);
		if (request->body && !m->has_type)
			return http_request_add_header(request, "Content-Type", "application/json");
	}
	return request->body ? 0 : -ENOMEM;
}

/* ---- the whole ---- */

enum { PART_METHOD, PART_PATH, PART_QUERY, PART_HEADERS, PART_BODY, N_PARTS };

static int find_parts(const struct making *m, const msgpack_object *params,
		      const msgpack_object *parts[N_PARTS])
{
	static const char *const names[N_PARTS] = { "method", "path", "query", "headers", "body" };
	const msgpack_object_kv *kv;
	size_t part;

	if (params->type != MSGPACK_OBJECT_MAP)
		return refuse(m, "the params are an object: method, path, query, headers, body");
	for (uint32_t i = 0; i < params->via.map.size; i++) {
		kv = &params->via.map.ptr[i];
		for (part = 0; part < N_PARTS && !is_key(&kv->key, names[part]); part++)
			;
		if (part == N_PARTS)
			return refuse(m, "there are method, path, query, headers and body; "
				      "nothing else");
		if (kv->val.type != MSGPACK_OBJECT_NIL)
			parts[part] = &kv->val;
	}
	return 0;
}

static int make(struct making *m, const char *base, const msgpack_object *params)
{
	const msgpack_object *parts[N_PARTS] = { NULL };
	int r = find_parts(m, params, parts);

	if (r == 0)
		r = make_method(m, parts[PART_METHOD]);
	if (r == 0)
		r = make_url(m, base, parts[PART_PATH], parts[PART_QUERY]);
	if (r == 0 && parts[PART_HEADERS])
		r = make_headers(m, parts[PART_HEADERS]);
	if (r == 0 && parts[PART_BODY])
		r = make_body(m, parts[PART_BODY]);
	return r;
}

int http_request_make(const char *base, const void *params, size_t len,
		      struct http_request *ret_request, char *fault, size_t fault_len)
{
	struct http_request request = { 0 };
	struct making m = { .request = &request, .fault = fault, .fault_len = fault_len };
	msgpack_unpacked unpacked;
	int r;

	msgpack_unpacked_init(&unpacked);
	if (chapi_unpack(params, len, &unpacked) < 0)
		r = refuse(&m, "the params cannot be read");
	else
		r = make(&m, base, &unpacked.data);
	msgpack_unpacked_destroy(&unpacked);
	if (r == 0)
		*ret_request = request;
	else
		http_request_deinit(&request);
	return r;
}

void http_request_deinit(struct http_request *request)
{
	for (size_t i = 0; i < request->n_headers; i++)
		free(request->headers[i]);
	free(request->headers);
	free(request->method);
	free(request->url);
	free(request->body);
	*request = (struct http_request){ 0 };
}
