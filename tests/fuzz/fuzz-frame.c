/* SPDX-License-Identifier: MIT */
/*
 * Fuzz harness: bytes of a connection, into messages, into envelopes.
 *
 * The first two bytes of the input choose the limit and the size of the pieces; the rest is
 * what a peer sends. What comes of it must not depend on the pieces.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>

#include "libchapi-ipc/buf.h"
#include "libchapi-ipc/frame.h"
#include "libchapi-ipc/message.h"
#include "libchapi-ipc/mp_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A span of a message lies inside of it. */
static void check_inside(struct span part, struct span whole)
{
	assert(part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len));
}

static void check_params(const struct message *m)
{
	struct mp_reader r = mp_reader(m->params);
	struct span value;

	for (uint32_t i = 0; i < m->n_params; i++) {
		assert(mp_read_raw(&r, &value) == 0);
		check_inside(value, m->params);
	}
	assert(r.p == r.end);
}

static bool is_same(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || a.p == b.p);
}

/* What is read in one step is what is read in two; a line of JSON is for others. */
static void check_usual(const struct frame *f, const struct message *m)
{
	struct message usual;
	size_t used;

	if (message_read_usual(f->bytes, f->bytes.len, &usual, &used) != 0)
		return;
	assert(used == f->bytes.len && usual.depth == f->depth);
	assert(usual.type == m->type && usual.has_id == m->has_id && usual.id == m->id);
	assert(usual.n_params == m->n_params);
	assert(is_same(usual.method, m->method) && is_same(usual.params, m->params));
	assert(is_same(usual.error, m->error) && is_same(usual.result, m->result));
}

static void check_message(const struct frame *f)
{
	struct message m;
	const char *why = NULL;

	if (message_parse(f->bytes, f->depth, &m, &why) != 0) {
		assert(why);
		return;
	}
	check_usual(f, &m);
	check_inside(m.method, f->bytes);
	check_inside(m.params, f->bytes);
	check_inside(m.error, f->bytes);
	check_inside(m.result, f->bytes);
	if (m.type != MESSAGE_RESPONSE)
		check_params(&m);
}

static void check_msgpack(const struct frame *f)
{
	size_t len;

	assert(mp_length(f->bytes, MP_MESSAGE_DEPTH_MAX, &len) == 0 && len == f->bytes.len);
	assert(f->depth <= MP_MESSAGE_DEPTH_MAX);
	check_message(f);
}

static void note(struct buf *log, int e, const struct frame *f)
{
	buf_put(log, &e, sizeof(e));
	if (e == 0) {
		buf_put(log, f->bytes.p, f->bytes.len);
		buf_put(log, &f->depth, sizeof(f->depth));
	} else if (e == FRAME_E_TOO_LARGE) {
		buf_put(log, &f->type, sizeof(f->type));
		buf_put(log, &f->id, sizeof(f->id));
		buf_put(log, &f->size, sizeof(f->size));
	}
}

/* Notes all that is seen; what is not consumed is shown again, as an owner would. */
static void read_in_pieces(const uint8_t *data, size_t len, size_t max, size_t piece,
			   struct buf *log)
{
	struct frame_reader r;
	struct frame f;
	size_t done = 0, there = 0;
	int e = FRAME_E_MORE;

	frame_reader_init(&r, max);
	while (there < len && (e == FRAME_E_MORE || e == FRAME_E_TOO_LARGE || e == 0)) {
		there += piece < len - there ? piece : len - there;
		do {
			e = frame_next(&r, data + done, there - done, &f);
			assert(f.used <= there - done);
			done += f.used;
			if (e != FRAME_E_MORE)
				note(log, e, &f);
			if (e == 0 && r.encoding == ENCODING_MSGPACK)
				check_msgpack(&f);
			assert(e != 0 || f.bytes.len <= max);
		} while (e == 0 || e == FRAME_E_TOO_LARGE);
		/* What an owner has to keep is bounded by the limit, or by a head and a CR. */
		assert(e != FRAME_E_MORE || there - done <= (max > 64 ? max : 64) + piece + 2);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf whole = BUF_NULL, pieces = BUF_NULL;
	size_t max, piece;

	if (len < 2)
		return 0;
	max = 1 + (size_t)data[0] * 4;
	piece = 1 + (size_t)data[1];
	data += 2;
	len -= 2;
	read_in_pieces(data, len, max, len + 1, &whole);
	read_in_pieces(data, len, max, piece, &pieces);
	assert(span_equal(buf_span(&whole), buf_span(&pieces)));
	buf_deinit(&whole);
	buf_deinit(&pieces);
	return 0;
}
