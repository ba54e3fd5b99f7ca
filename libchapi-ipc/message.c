/* SPDX-License-Identifier: MIT */
/*
 * The envelope of a message.
 *
 * A frame is one whole value (frame.h saw to that), so what comes last in it, params or
 * result, runs to its end and need not be scanned again.
 */
#include "libchapi-ipc/message.h"

#include <stdbool.h>

#include "common/utf8.h"
#include "libchapi-ipc/mp_scan.h"

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
	if (!is_ascii(m->method) && !utf8_is_valid(m->method))
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

/* ---- the usual forms, in one step --------------------------------------------------------- */

#define USUAL_ROOM 6	/* for an id of any width; something follows in each message */

/* Bytes of the id; 0: it has another form. */
static inline size_t usual_id(const uint8_t *p, uint32_t *ret)
{
	unsigned int width;

	if (*p <= 0x7f) {
		*ret = *p;
		return 1;
	}
	if (*p < 0xcc || *p > 0xce)
		return 0;
	width = 1u << (*p & 3);
	*ret = (uint32_t)mp_load_be(p + 1, width);
	return 1 + width;
}

/* The method and the head of its params; false: they have another form. */
static inline bool usual_method(struct mp_reader *r, struct message *m)
{
	return mp_read_str(r, &m->method) == 0 && is_ascii(m->method) &&
	       mp_read_array(r, &m->n_params) == 0;
}

/* No error. */
static inline bool usual_error(struct mp_reader *r, struct message *m)
{
	m->error = span_of(r->p, 1);
	return r->p < r->end && *r->p++ == 0xc0;
}

int message_read_usual(struct span bytes, size_t max, struct message *ret, size_t *ret_used)
{
	struct mp_reader r = mp_reader(bytes);
	struct mp_scan scan;
	bool is_request;
	size_t len;

	if (bytes.len < 2 + USUAL_ROOM || r.p[0] != 0x94 || r.p[1] > MESSAGE_RESPONSE)
		return MESSAGE_E_OTHER;
	is_request = r.p[1] == MESSAGE_REQUEST;
	*ret = (struct message){ .type = r.p[1], .has_id = true };
	len = usual_id(r.p + 2, &ret->id);
	r.p += 2 + len;
	if (len == 0 || !(is_request ? usual_method(&r, ret) : usual_error(&r, ret)))
		return MESSAGE_E_OTHER;
	ret->depth = is_request ? 2 : 1;
	mp_scan_init_values(&scan, MP_MESSAGE_DEPTH_MAX - ret->depth,
			    is_request ? ret->n_params : 1);
	if (mp_scan(&scan, r.p, (size_t)(r.end - r.p), &len) != 0)
		return MESSAGE_E_OTHER;
	ret->depth += scan.depth_seen;
	*(is_request ? &ret->params : &ret->result) = span_of(r.p, len);
	*ret_used = (size_t)(r.p + len - bytes.p);
	return *ret_used <= max ? 0 : MESSAGE_E_OTHER;
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
