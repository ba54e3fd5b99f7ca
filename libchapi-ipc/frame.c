/* SPDX-License-Identifier: MIT */
/*
 * Where one message ends and the next begins.
 *
 * Results do not depend on how the bytes were cut on their way: every decision is made from
 * the message's own bytes (its first HEAD_LEN of them for type and id, all of them, passed
 * or not, for sizes), never from how many happen to be there.
 */
#include "libchapi-ipc/frame.h"

/* Enough for array head, type and id in their longest MessagePack forms, and for the same
 * in JSON with a few blanks. */
#define HEAD_LEN 48
#define FLOOD_FACTOR 16

void frame_reader_init(struct frame_reader *r, size_t max)
{
	*r = (struct frame_reader){ .max = max, .type = -1, .id = -1 };
}

/* ---- type and id of a message that is too large to be kept ----------------------------- */

static void head_of_msgpack(struct frame_reader *r, struct span bytes)
{
	struct mp_reader m = mp_reader(bytes);
	uint64_t type, id;
	uint32_t n;

	if (mp_read_array(&m, &n) != 0 || mp_read_uint(&m, &type) != 0 || type > 2)
		return;
	r->type = (int)type;
	if (type != 2 && mp_read_uint(&m, &id) == 0 && id <= UINT32_MAX)
		r->id = (int64_t)id;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Blanks, a number without sign, blanks, a comma: the number, or -1. */
static int64_t json_field(struct span *s)
{
	uint64_t v = 0;
	size_t i = 0, digits;

	while (i < s->len && is_blank(s->p[i]))
		i++;
	for (digits = i; i < s->len && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		v = v * 10 + (s->p[i] - '0');
		if (v > UINT32_MAX)
			return -1;
	}
	if (i == digits)
		return -1;
	while (i < s->len && is_blank(s->p[i]))
		i++;
	if (i == s->len || s->p[i] != ',')
		return -1;
	*s = span_of(s->p + i + 1, s->len - i - 1);
	return (int64_t)v;
}

static void head_of_json(struct frame_reader *r, struct span bytes)
{
	int64_t type;

	if (bytes.len == 0 || bytes.p[0] != '[')
		return;
	bytes = span_of(bytes.p + 1, bytes.len - 1);
	type = json_field(&bytes);
	if (type < 0 || type > 2)
		return;
	r->type = (int)type;
	if (type != 2)
		r->id = json_field(&bytes);
}

static void head_parse(struct frame_reader *r, struct span bytes)
{
	bytes.len = MIN(bytes.len, HEAD_LEN);
	r->type = -1;
	r->id = -1;
	if (r->encoding == ENCODING_JSON)
		head_of_json(r, bytes);
	else
		head_of_msgpack(r, bytes);
}

/* ---- outcomes --------------------------------------------------------------------------- */

static uint64_t flood_limit(const struct frame_reader *r)
{
	return (uint64_t)r->max * FLOOD_FACTOR;
}

/* Ready for the next message. */
static void reader_restart(struct frame_reader *r)
{
	r->scanned = 0;
	r->passed = 0;
	r->skipping = false;
}

/* The message is size bytes long and ends here; len of them are at p, the rest has been
 * passed. */
static int frame_end(struct frame_reader *r, const uint8_t *p, size_t len, struct frame *ret)
{
	uint64_t size = r->passed + len;

	if (size > flood_limit(r))
		return FRAME_E_FLOOD;
	if (!r->skipping && size > r->max)
		head_parse(r, span_of(p, len));
	if (size <= r->max) {
		ret->bytes = span_of(p, len);
	} else {
		ret->type = r->type;
		ret->id = r->id;
		ret->size = size;
	}
	reader_restart(r);
	return size <= r->max ? 0 : FRAME_E_TOO_LARGE;
}

/*
 * No end among the len bytes at p, which hold `keep` bytes at their end that have to be shown
 * again. A message that cannot but become too large is consumed as it comes.
 */
static void frame_continue(struct frame_reader *r, const uint8_t *p, size_t len, size_t keep,
			   bool too_large, struct frame *ret)
{
	if (too_large && !r->skipping && len >= HEAD_LEN) {
		head_parse(r, span_of(p, len));
		r->skipping = true;
	}
	r->scanned = len - keep;
	if (!r->skipping)
		return;
	ret->used += r->scanned;
	r->passed += r->scanned;
	r->scanned = 0;
}

/* ---- MessagePack ------------------------------------------------------------------------ */

/* The least that is still to come: what was announced, one byte for each value. */
static uint64_t bytes_announced(const struct mp_scan *s)
{
	uint64_t n = s->body;

	for (unsigned int i = 0; i <= s->depth; i++)
		n += s->left[i];
	return n;
}

static int next_msgpack(struct frame_reader *r, const uint8_t *p, size_t len, struct frame *ret)
{
	uint64_t allowed = flood_limit(r) - r->passed;
	size_t window = allowed < len ? (size_t)allowed : len;
	size_t used;
	int e;

	if (len == 0)
		return FRAME_E_MORE;
	if (r->scanned == 0 && !r->skipping)
		mp_scan_init(&r->scan, MP_MESSAGE_DEPTH_MAX);
	e = mp_scan(&r->scan, p + r->scanned, window - r->scanned, &used);
	r->scanned += used;
	if (e == 0) {
		ret->used = r->scanned;
		ret->depth = r->scan.depth_seen;
		if (r->skipping || r->scanned > r->max)
			return frame_end(r, p, r->scanned, ret);
		ret->bytes = span_of(p, r->scanned);
		r->scanned = 0;
		return 0;
	}
	if (e != MP_E_MORE)
		return FRAME_E_BAD;
	if (window < len)
		return FRAME_E_FLOOD;
	frame_continue(r, p, len, len - r->scanned,
		       r->passed + r->scanned + bytes_announced(&r->scan) > r->max, ret);
	return FRAME_E_MORE;
}

/* ---- JSON lines ------------------------------------------------------------------------- */

/* Without the CR that may stand before the line feed. */
static size_t without_cr(const uint8_t *p, size_t len)
{
	return len > 0 && p[len - 1] == '\r' ? len - 1 : len;
}

static int line_next(struct frame_reader *r, const uint8_t *p, size_t len, struct frame *ret)
{
	/* The longest line that is no flood, with CR and LF. */
	uint64_t allowed = flood_limit(r) + 2 - r->passed;
	size_t window = allowed < len ? (size_t)allowed : len;
	const uint8_t *lf = memchr(p + r->scanned, '\n', window - r->scanned);
	size_t content;

	if (lf) {
		ret->used += (size_t)(lf - p) + 1;
		return frame_end(r, p, without_cr(p, (size_t)(lf - p)), ret);
	}
	if (allowed <= len)
		return FRAME_E_FLOOD;
	content = without_cr(p, len);
	frame_continue(r, p, len, len - content, r->passed + content > r->max, ret);
	return FRAME_E_MORE;
}

/* Blanks before a message, and so blank lines, are nobody's. */
static int next_json(struct frame_reader *r, const uint8_t *p, size_t len, struct frame *ret)
{
	size_t i = 0;

	if (r->scanned == 0 && !r->skipping)
		while (i < len && is_blank(p[i]))
			i++;
	ret->used = i;
	if (i == len)
		return FRAME_E_MORE;
	return line_next(r, p + i, len - i, ret);
}

static enum encoding encoding_of(uint8_t c)
{
	if ((c & 0xf0) == 0x90 || c == 0xdc || c == 0xdd)
		return ENCODING_MSGPACK;
	return c == '[' || is_blank(c) ? ENCODING_JSON : ENCODING_UNKNOWN;
}

int frame_next(struct frame_reader *r, const uint8_t *p, size_t len, struct frame *ret)
{
	ret->bytes = span_of(NULL, 0);
	ret->used = 0;
	ret->depth = 0;
	ret->type = -1;
	ret->id = -1;
	ret->size = 0;
	if (r->encoding == ENCODING_UNKNOWN && len > 0)
		r->encoding = encoding_of(p[0]);
	switch (r->encoding) {
	case ENCODING_MSGPACK:
		return next_msgpack(r, p, len, ret);
	case ENCODING_JSON:
		return next_json(r, p, len, ret);
	case ENCODING_UNKNOWN:
		break;
	}
	return len > 0 ? FRAME_E_UNKNOWN : FRAME_E_MORE;
}
