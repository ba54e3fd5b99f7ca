/* SPDX-License-Identifier: MIT */
/*
 * Records too large for one event of the hub: see parts.h.
 *
 * Slices are cut from the bytes, and each is base64 for itself: so parts can be decoded as
 * they come, in any order. All but the last have a multiple of 3 bytes, which leaves no
 * padding inside, for clients that put the text together first.
 */
#include "gateway/parts.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <zlib.h>

#include "gateway/record.h"
#include "gateway/sign.h"
#include "gateway/text.h"
#include "libchapi-ipc/base64.h"
#include "libchapi-ipc/json.h"
#include "libchapi-ipc/json_string.h"

#define DIGEST_LEN 32
#define DEPTH_MAX 8		/* of a part's text */
#define NUMBER_LEN_MAX 5	/* digits of PARTS_MAX */
#define INFLATE_STEP 65536

/* ---- out -------------------------------------------------------------------------------- */

/* What travels: deflated, where that is smaller. */
static int pack(struct span record, struct parts *p)
{
	uLongf len = compressBound((uLong)record.len);
	uint8_t *w = buf_reserve(&p->packed, len);

	if (!w)
		return -ENOMEM;
	if (compress2(w, &len, record.p, (uLong)record.len, Z_DEFAULT_COMPRESSION) != Z_OK)
		return -ENOMEM;		/* there is no other reason, as the room suffices */
	buf_commit(&p->packed, len);
	p->bytes = len < record.len ? buf_span(&p->packed) : record;
	return 0;
}

/* All but the three numbers and the slice. */
static int put_frame(struct span id, struct span record, struct parts *p)
{
	bool deflated = p->bytes.p != record.p;
	uint8_t digest[DIGEST_LEN];
	int r = sign_sha256(record, digest);

	if (r < 0)
		return r;
	buf_put_str(&p->head, "{\"id\":");
	json_put_string(&p->head, id);
	buf_put_str(&p->head, ",\"part\":");
	buf_put_str(&p->tail, ",\"sha256\":\"");
	base64_put(&p->tail, span_of(digest, sizeof(digest)));
	buf_printf(&p->tail, "\",\"encoding\":\"%s\",\"data\":\"", deflated ? "zlib" : "json");
	r = buf_error(&p->head);
	return r < 0 ? r : buf_error(&p->tail);
}

int parts_split(struct span id, struct span record, size_t text_max, struct parts *p)
{
	static const char between[] = ",\"parts\":", end[] = "\"}";
	size_t frame_len;
	int r = pack(record, p);

	if (r == 0)
		r = put_frame(id, record, p);
	if (r < 0)
		return r;
	frame_len = p->head.len + p->tail.len + sizeof(between) + sizeof(end) + 2 * NUMBER_LEN_MAX;
	if (text_max < frame_len + 4)
		return PARTS_E_TOO_LARGE;
	p->slice_len = (text_max - frame_len) / 4 * 3;
	if (p->bytes.len > p->slice_len * PARTS_MAX)
		return PARTS_E_TOO_LARGE;
	p->n = (unsigned int)((p->bytes.len + p->slice_len - 1) / p->slice_len);
	return 0;
}

int parts_say_again(struct parts *p, struct span retry, uint64_t retry_ms, uint64_t timeout_ms)
{
	struct buf tail = BUF_NULL;

	buf_put_str(&tail, ",\"retry\":");
	json_put_string(&tail, retry);
	buf_printf(&tail, ",\"retry_ms\":%llu,\"timeout_ms\":%llu", (unsigned long long)retry_ms,
		   (unsigned long long)timeout_ms);
	buf_put(&tail, buf_data(&p->tail), p->tail.len);
	buf_deinit(&p->tail);
	p->tail = tail;
	return buf_error(&p->tail);
}

void parts_put(const struct parts *p, unsigned int i, struct buf *out)
{
	size_t off = i * p->slice_len;

	buf_put(out, buf_data(&p->head), p->head.len);
	buf_printf(out, "%u,\"parts\":%u", i, p->n);
	buf_put(out, buf_data(&p->tail), p->tail.len);
	base64_put(out, span_of(p->bytes.p + off, MIN(p->slice_len, p->bytes.len - off)));
	buf_put_str(out, "\"}");
}

void parts_deinit(struct parts *p)
{
	buf_deinit(&p->packed);
	buf_deinit(&p->head);
	buf_deinit(&p->tail);
	*p = (struct parts)PARTS_NULL;
}

/* ---- in: 0, PARTS_E_BAD or -ENOMEM ------------------------------------------------------- */

static int read_string(struct span value, struct buf *out)
{
	int r;

	buf_clear(out);
	r = json_get_string(value, out);
	return r > 0 ? PARTS_E_BAD : r;
}

static int read_id(struct span value, struct part *p)
{
	int r = read_string(value, &p->id);

	if (r != 0)
		return r;
	return p->id.len >= 1 && p->id.len <= RECORD_ID_MAX &&
	       text_is_printable_ascii(buf_span(&p->id)) ?
		0 : PARTS_E_BAD;
}

static int read_count(struct span value, unsigned int most, unsigned int *ret)
{
	double v;

	if (json_get_number(value, &v) != 0 || !(v >= 0 && v <= most) || v != floor(v))
		return PARTS_E_BAD;
	*ret = (unsigned int)v;
	return 0;
}

static int read_index(struct span value, struct part *p)
{
	return read_count(value, PARTS_MAX - 1, &p->index);
}

static int read_n(struct span value, struct part *p)
{
	return read_count(value, PARTS_MAX, &p->n);
}

static int read_base64(struct span value, struct buf *out)
{
	int r = read_string(value, out);
	size_t len;

	if (r != 0)
		return r;
	if (out->len == 0)
		return 0;
	if (!base64_decode(out->p + out->off, out->len, &len))
		return PARTS_E_BAD;
	buf_truncate(out, len);
	return 0;
}

static int read_digest(struct span value, struct part *p)
{
	CLEANUP(buf_deinit) struct buf bytes = BUF_NULL;
	int r = read_base64(value, &bytes);

	if (r != 0)
		return r;
	if (bytes.len != sizeof(p->digest))
		return PARTS_E_BAD;
	memcpy(p->digest, buf_data(&bytes), sizeof(p->digest));
	return 0;
}

static int read_encoding(struct span value, struct part *p)
{
	CLEANUP(buf_deinit) struct buf name = BUF_NULL;
	int r = read_string(value, &name);

	if (r != 0)
		return r;
	p->deflated = span_is(buf_span(&name), "zlib");
	return p->deflated || span_is(buf_span(&name), "json") ? 0 : PARTS_E_BAD;
}

static int read_data(struct span value, struct part *p)
{
	int r = read_base64(value, &p->slice);

	return r == 0 && p->slice.len == 0 ? PARTS_E_BAD : r;
}

static int read_to(struct span value, struct part *p)
{
	return read_string(value, &p->to);
}

/* What is longer is nobody's instance. */
static int read_retry(struct span value, struct part *p)
{
	int r = read_string(value, &p->retry);

	p->has_retry = true;
	if (p->retry.len > RECORD_ID_MAX)
		buf_clear(&p->retry);
	return r;
}

static int read_retry_ms(struct span value, struct part *p)
{
	p->has_retry = true;
	return record_ms_get(value, &p->retry_ms) == 0 ? 0 : PARTS_E_BAD;
}

static int read_timeout_ms(struct span value, struct part *p)
{
	return record_ms_get(value, &p->timeout_ms) == 0 ? 0 : PARTS_E_BAD;
}

#define NEEDED 0x3fU	/* which of these fields have to be there */

static const struct {
	const char *name;
	int (*read)(struct span value, struct part *p);
} fields[] = {
	{ "id", read_id },
	{ "part", read_index },
	{ "parts", read_n },
	{ "sha256", read_digest },
	{ "encoding", read_encoding },
	{ "data", read_data },
	{ "to", read_to },
	{ "retry", read_retry },
	{ "retry_ms", read_retry_ms },
	{ "timeout_ms", read_timeout_ms },
};

/* ret_seen: a bit for each field that was there. */
static int read_member(struct span key, struct span value, struct part *p, unsigned int *ret_seen)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!json_key_is(key, fields[i].name))
			continue;
		*ret_seen |= 1U << i;
		return fields[i].read(value, p);
	}
	return 0;
}

int part_parse(struct span text, struct part *ret)
{
	struct span object, key, value;
	struct json_reader reader;
	struct json_fault fault;
	unsigned int seen = 0;

	if (json_text(text, DEPTH_MAX, &object, &fault) || json_enter_object(object, &reader))
		return PARTS_E_BAD;
	while (!json_next_member(&reader, &key, &value)) {
		int r = read_member(key, value, ret, &seen);

		if (r != 0)
			return r;
	}
	return (seen & NEEDED) == NEEDED && ret->index < ret->n ? 0 : PARTS_E_BAD;
}

void part_deinit(struct part *p)
{
	buf_deinit(&p->id);
	buf_deinit(&p->slice);
	buf_deinit(&p->to);
	buf_deinit(&p->retry);
	*p = (struct part)PART_NULL;
}

/* ---- the record ------------------------------------------------------------------------- */

/* One step: Z_OK: there is more. */
static int inflate_some(z_stream *z, size_t room, struct buf *out, int *ret_zlib)
{
	uint8_t *w = buf_reserve(out, room);

	if (!w)
		return -ENOMEM;
	z->next_out = w;
	z->avail_out = (uInt)room;
	*ret_zlib = inflate(z, Z_NO_FLUSH);
	buf_commit(out, room - z->avail_out);
	return 0;
}

/* One byte beyond the limit is enough to know. */
static int inflate_all(z_stream *z, size_t record_max, struct buf *out)
{
	size_t len_before = out->len;
	int zlib = Z_OK;

	while (zlib == Z_OK) {
		size_t left = record_max - (out->len - len_before);
		int r = inflate_some(z, MIN(left, INFLATE_STEP) + 1, out, &zlib);

		if (r < 0)
			return r;
		if (out->len - len_before > record_max)
			return PARTS_E_TOO_LARGE;
	}
	if (zlib == Z_MEM_ERROR)
		return -ENOMEM;
	return zlib == Z_STREAM_END && z->avail_in == 0 ? 0 : PARTS_E_BAD;
}

static int unpack(struct span bytes, size_t record_max, struct buf *out)
{
	/* The type of next_in may lack its const; nothing is written there. */
	z_stream z = { .next_in = (Bytef *)(uintptr_t)bytes.p, .avail_in = (uInt)bytes.len };
	int r;

	if (bytes.len > UINT_MAX)
		return PARTS_E_TOO_LARGE;
	if (inflateInit(&z) != Z_OK)
		return -ENOMEM;
	r = inflate_all(&z, record_max, out);
	inflateEnd(&z);
	return r;
}

static int copy(struct span bytes, size_t record_max, struct buf *out)
{
	if (bytes.len > record_max)
		return PARTS_E_TOO_LARGE;
	buf_put(out, bytes.p, bytes.len);
	return buf_error(out);
}

static int check_digest(struct span record, const uint8_t digest[DIGEST_LEN])
{
	uint8_t own[DIGEST_LEN];
	int r = sign_sha256(record, own);

	if (r < 0)
		return r;
	return memcmp(own, digest, sizeof(own)) == 0 ? 0 : PARTS_E_BAD;
}

int parts_join(struct span bytes, bool deflated, const uint8_t digest[DIGEST_LEN],
	       size_t record_max, struct buf *out)
{
	size_t len_before = out->len;
	int r = deflated ? unpack(bytes, record_max, out) : copy(bytes, record_max, out);

	if (r == 0)
		r = check_digest(span_of(buf_data(out) + len_before, out->len - len_before),
				 digest);
	if (r != 0)
		buf_truncate(out, len_before);
	return r;
}
