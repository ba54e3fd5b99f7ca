/* SPDX-License-Identifier: MIT */
/*
 * Cancel and progress: see record_notes.h.
 */
#include "gateway/record_notes.h"

#include "gateway/record.h"
#include "libchapi-ipc/json.h"
#include "libchapi-ipc/json_string.h"
#include "libchapi-ipc/mp.h"

/* The fields of both records, as they stand in the text; empty: missing. */
struct note {
	struct span id, seq, value;
};

static bool split(struct span text, struct note *ret)
{
	struct json_reader reader;
	struct json_fault fault;
	struct span object, key, value;

	*ret = (struct note){ .id = span_of(NULL, 0) };
	if (json_text(text, RECORD_DEPTH_MAX, &object, &fault) ||
	    json_enter_object(object, &reader))
		return false;
	while (!json_next_member(&reader, &key, &value)) {
		if (json_key_is(key, "id"))
			ret->id = value;
		else if (json_key_is(key, "seq"))
			ret->seq = value;
		else if (json_key_is(key, "value"))
			ret->value = value;
	}
	return true;
}

static int read_id(struct span value, struct buf *id)
{
	int r;

	buf_clear(id);
	r = value.p ? json_get_string(value, id) : RECORD_NOTE_E_NONE;
	if (r != 0)
		return r < 0 ? r : RECORD_NOTE_E_NONE;
	return id->len >= 1 && id->len <= RECORD_ID_MAX ? 0 : RECORD_NOTE_E_NONE;
}

void record_cancel_put(struct span id, struct buf *out)
{
	buf_put_str(out, "{\"id\":");
	json_put_string(out, id);
	buf_put_byte(out, '}');
}

int record_cancel_parse(struct span text, struct buf *id)
{
	struct note note;

	return split(text, &note) ? read_id(note.id, id) : RECORD_NOTE_E_NONE;
}

void record_progress_put(struct span id, uint32_t seq, struct span value, struct buf *out)
{
	buf_put_str(out, "{\"id\":");
	json_put_string(out, id);
	buf_printf(out, ",\"seq\":%u,\"value\":", seq);
	buf_put(out, value.p, value.len);
	buf_put_byte(out, '}');
}

int record_progress_parse(struct span text, struct buf *id, uint32_t *ret_seq, struct buf *value)
{
	struct value_fault fault;
	struct note note;
	double seq;
	int r;

	buf_clear(value);
	if (!split(text, &note) || !note.seq.p || !note.value.p ||
	    json_get_number(note.seq, &seq) || !(seq >= 0 && seq <= UINT32_MAX))
		return RECORD_NOTE_E_NONE;
	r = read_id(note.id, id);
	if (r == 0)
		r = value_from_json(note.value, MP_VALUE_DEPTH_MAX, value, &fault);
	if (r == 0)
		*ret_seq = (uint32_t)seq;
	return r < 0 ? r : r > 0 ? RECORD_NOTE_E_NONE : 0;
}
