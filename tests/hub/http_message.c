/* SPDX-License-Identifier: MIT */
/*
 * A request to the HTTP API and its answer: see http_message.h.
 */
#include "tests/hub/http_message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int http_request_init(struct http_request *request, const char *method, const char *path)
{
	*request = (struct http_request){ .method = strdup(method), .path = strdup(path) };
	if (request->method && request->path)
		return 0;
	http_request_deinit(request);
	return -ENOMEM;
}

void http_request_deinit(struct http_request *request)
{
	for (size_t i = 0; i < request->n_params; i++) {
		free(request->params[i].name);
		free(request->params[i].value);
	}
	free(request->method);
	free(request->path);
	*request = (struct http_request){ 0 };
}

static void lower(char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text += 'a' - 'A';
}

int http_request_add(struct http_request *request, const char *param)
{
	size_t name_len = strcspn(param, "=");
	const char *value = param[name_len] ? param + name_len + 1 : "";
	struct http_param *added = &request->params[request->n_params];

	if (request->n_params == HTTP_PARAMS_MAX)
		return HTTP_E_TOO_MANY;
	added->name = strndup(param, name_len);
	added->value = strdup(value);
	if (!added->name || !added->value) {
		free(added->name);
		free(added->value);
		return -ENOMEM;
	}
	lower(added->name);
	request->n_params++;
	return 0;
}

const char *http_request_param(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_params; i++)
		if (strcmp(request->params[i].name, name) == 0)
			return request->params[i].value;
	return NULL;
}

void http_answer_deinit(struct http_answer *answer)
{
	buf_deinit(&answer->body);
	buf_deinit(&answer->headers);
}

static void answer_begin(struct http_answer *answer, int status, const char *type)
{
	buf_clear(&answer->body);
	answer->status = status;
	answer->type = type;
}

static void answer_end(struct http_answer *answer)
{
	if (buf_error(&answer->body))
		buf_clear(&answer->body);
}

void http_answer_text(struct http_answer *answer, int status, const char *fmt, ...)
{
	char line[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	answer_begin(answer, status, "text/plain; charset=utf-8");
	buf_put_str(&answer->body, line);
	buf_put_byte(&answer->body, '\n');
	answer_end(answer);
}

void http_answer_json(struct http_answer *answer, const char *json)
{
	answer_begin(answer, 200, "application/json");
	buf_put_str(&answer->body, json);
	answer_end(answer);
}

const char *http_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} known[] = {
		{ 200, "OK" },
		{ 204, "No Content" },
		{ 301, "Moved Permanently" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 411, "Length Required" },
		{ 413, "Payload Too Large" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].status == status)
			return known[i].text;
	return "Other";
}
