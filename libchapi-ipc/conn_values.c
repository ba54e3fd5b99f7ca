/* SPDX-License-Identifier: MIT */
/*
 * Values and options as the program gives them, and texts that it is given.
 */
#include "libchapi-ipc/conn.h"

#include <errno.h>

#include "libchapi-ipc/mp_scan.h"
#include "libchapi-ipc/value.h"

struct span conn_map_text(struct span map, const char *key)
{
	struct span value, text;
	struct mp_reader r;

	if (mp_map_get(map, key, &value) != 0)
		return span_of("", 0);
	r = mp_reader(value);
	return mp_read_str(&r, &text) == 0 ? text : span_of("", 0);
}

char *conn_store(char **w, struct span s)
{
	char *at = *w;

	if (s.len > 0)
		memcpy(at, s.p, s.len);
	at[s.len] = '\0';
	*w += s.len + 1;
	return at;
}

int conn_copy_options(void *to, size_t to_size, const void *from)
{
	size_t size;

	if (!from)
		return 0;
	memcpy(&size, from, sizeof(size));
	if (size < sizeof(size))
		return -CHAPI_ERR_USAGE;
	memcpy(to, from, MIN(size, to_size));
	return 0;
}

int conn_buf_error(const struct buf *b)
{
	int r = buf_error(b);

	return r == 0 ? 0 : r == -ENOBUFS ? -CHAPI_ERR_FULL : -CHAPI_ERR_NOMEM;
}

static int put_msgpack(struct buf *out, struct span value)
{
	size_t len;

	if (mp_length(value, MP_VALUE_DEPTH_MAX, &len) != 0 || len != value.len)
		return -CHAPI_ERR_MSGPACK;
	mp_put_raw(out, value);
	return 0;
}

static int put_json(struct buf *out, struct span text)
{
	struct value_fault fault;

	return value_from_json(text, MP_VALUE_DEPTH_MAX, out, &fault) > 0 ? -CHAPI_ERR_JSON : 0;
}

int conn_put_given(struct buf *out, const struct given *given, uint8_t instead)
{
	int r = 0;

	if (!given->p)
		buf_put_byte(out, instead);
	else if (given->json)
		r = put_json(out, span_of(given->p, given->len));
	else
		r = put_msgpack(out, span_of(given->p, given->len));
	return r < 0 ? r : conn_buf_error(out);
}
