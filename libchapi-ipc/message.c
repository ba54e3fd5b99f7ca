/* SPDX-License-Identifier: MIT */
/*
 * The envelope of a message.
 *
 * A frame is one whole value (frame.h saw to that), so what comes last in it, params or
 * result, runs to its end and need not be scanned again.
 */
#include "libchapi-ipc/message.h"

#include <stdbool.h>

#include "libchapi-ipc/json.h"

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return MESSAGE_E_BAD;
}

static int id_parse(struct mp_reader *r, struct message *m, const char **ret_why)
{
	uint64_t id;

	if (mp_read_uint(r, &id) != 0 || id > UINT32_MAX)
		return bad(ret_why, "the id is not an integer from 0 to 4294967295");
	m->id = (uint32_t)id;
	m->has_id = true;
	return 0;
}

/* What nearly all methods are: no need to look closer. */
static bool is_ascii(struct span text)
{
	uint8_t all = 0;

	for (size_t i = 0; i < text.len; i++)
		all |= text.p[i];
	return all < 0x80;
}

static int method_parse(struct mp_reader *r, struct message *m, const char **ret_why)
{
	if (mp_read_str(r, &m->method) != 0)
		return bad(ret_why, "the method is not a string");
	if (!is_ascii(m->method) && !json_is_utf8(m->method))
		return bad(ret_why, "the method is not valid UTF-8");
	if (mp_read_array(r, &m->n_params) != 0)
		return bad(ret_why, "the params are not an array");
	m->params = mp_rest(r);
	return 0;
}

static int request_parse(struct mp_reader *r, uint32_t n, struct message *m, const char **ret_why)
{
	int e = 0;

	if (n > 1)
		e = id_parse(r, m, ret_why);
	if (e != 0)
		return e;
	if (n != 4)
		return bad(ret_why, "a request has four elements: [0, id, method, [params...]]");
	return method_parse(r, m, ret_why);
}

static int response_parse(struct mp_reader *r, uint32_t n, struct message *m, const char **ret_why)
{
	int e = 0;

	if (n > 1)
		e = id_parse(r, m, ret_why);
	if (e != 0)
		return e;
	if (n != 4)
		return bad(ret_why, "a response has four elements: [1, id, error, result]");
	if (mp_read_raw(r, &m->error) != 0)
		return bad(ret_why, "the error of a response cannot be read");
	m->result = mp_rest(r);
	if (m->result.len == 0)
		return bad(ret_why, "the result of a response is missing");
	return 0;
}

static int notification_parse(struct mp_reader *r, uint32_t n, struct message *m,
			      const char **ret_why)
{
	if (n != 3)
		return bad(ret_why, "a notification has three elements: [2, method, [params...]]");
	return method_parse(r, m, ret_why);
}

int message_parse(struct span frame, unsigned int depth, struct message *ret, const char **ret_why)
{
	struct mp_reader r = mp_reader(frame);
	uint64_t type;
	uint32_t n;

	*ret = (struct message){ .depth = depth };
	if (mp_read_array(&r, &n) != 0)
		return bad(ret_why, "a message is an array");
	if (n == 0 || mp_read_uint(&r, &type) != 0 || type > MESSAGE_NOTIFICATION)
		return bad(ret_why, "a message begins with its type: 0, 1 or 2");
	ret->type = (int)type;
	if (type == MESSAGE_REQUEST)
		return request_parse(&r, n, ret, ret_why);
	if (type == MESSAGE_RESPONSE)
		return response_parse(&r, n, ret, ret_why);
	return notification_parse(&r, n, ret, ret_why);
}

/* ---- writing -------------------------------------------------------------------------- */

static void put_head(struct buf *b, const uint8_t *head, const uint8_t *end)
{
	buf_put(b, head, (size_t)(end - head));
}

void message_put_request(struct buf *b, uint32_t id, const char *method, uint32_t n_params)
{
	uint8_t head[2 * MP_HEAD_MAX], *w = head;

	w = mp_w_array(w, 4);
	w = mp_w_uint(w, MESSAGE_REQUEST);
	put_head(b, head, mp_w_uint(w, id));
	mp_put_str(b, method);
	mp_put_array(b, n_params);
}

void message_put_notification(struct buf *b, const char *method, uint32_t n_params)
{
	uint8_t head[2 * MP_HEAD_MAX], *w = head;

	w = mp_w_array(w, 3);
	put_head(b, head, mp_w_uint(w, MESSAGE_NOTIFICATION));
	mp_put_str(b, method);
	mp_put_array(b, n_params);
}

void message_put_result_head(struct buf *b, uint32_t id)
{
	uint8_t head[2 * MP_HEAD_MAX], *w = head;

	w = mp_w_array(w, 4);
	w = mp_w_uint(w, MESSAGE_RESPONSE);
	w = mp_w_uint(w, id);
	*w++ = 0xc0;
	put_head(b, head, w);
}
