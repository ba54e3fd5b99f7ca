/* SPDX-License-Identifier: MIT */
/*
 * What a provider says when it fails: see failure.h.
 *
 * Two things are put into scratch, one behind the other: the message, if it needs to be
 * made one line, and the details, if a code has to go into them. The buffer may move when it
 * grows, so places in it are kept as offsets until all is there.
 */
#include "gateway/failure.h"

#include "common/utf8.h"
#include "gateway/text.h"
#include "libchapi-ipc/mp.h"

/* The fields of an error map; empty: not there. */
struct provider_error {
	struct span code, message, details;
};

/* What a provider may say as it is, and whether the function ran then. */
static const struct {
	const char *name;
	int code;
	enum chapi_ran ran;
} passed_on[] = {
	{ "invalid_argument", CHAPI_ERR_INVALID_ARGUMENT, CHAPI_RAN_NO },
	{ "busy", CHAPI_ERR_BUSY, CHAPI_RAN_NO },
	{ "cancelled", CHAPI_ERR_CANCELLED, CHAPI_RAN_UNKNOWN },
	{ "permission_denied", CHAPI_ERR_PERMISSION_DENIED, CHAPI_RAN_NO },
	{ "failed_precondition", CHAPI_ERR_FAILED_PRECONDITION, CHAPI_RAN_NO },
};

/* The function ran, but what came of it cannot be told. */
static void lose(struct failure *ret, int code, const char *why)
{
	*ret = (struct failure){ .code = code, .ran = CHAPI_RAN_YES, .message = span_str(why) };
}

/* nil is as good as not there. */
static int read_field_text(struct mp_reader *r, struct span *ret)
{
	if (mp_peek(r) == MP_NIL)
		return mp_read_nil(r);
	return mp_read_str(r, ret);
}

static int read_field_value(struct mp_reader *r, struct span *ret)
{
	if (mp_peek(r) == MP_NIL)
		return mp_read_nil(r);
	return mp_read_raw(r, ret);
}

/* NULL, or what is wrong. */
static const char *read_field(struct mp_reader *r, struct span key, struct provider_error *ret)
{
	if (span_is(key, "code"))
		return read_field_text(r, &ret->code) == 0 ? NULL
			: "the provider's error has a code that is no text";
	if (span_is(key, "message"))
		return read_field_text(r, &ret->message) == 0 ? NULL
			: "the provider's error has a message that is no text";
	if (span_is(key, "details"))
		return read_field_value(r, &ret->details) == 0 ? NULL
			: "the details of the provider's error cannot be read";
	return mp_skip(r) == 0 ? NULL : "the provider's error cannot be read";
}

static const char *read_map(struct mp_reader *r, struct provider_error *ret)
{
	const char *why = NULL;
	struct span key;
	uint32_t n;

	if (mp_read_map(r, &n) != 0)
		return "the provider's error is neither a text nor a map of code, message, details";
	for (; n > 0 && !why; n--) {
		if (mp_read_str(r, &key) != 0)
			return "the provider's error has a key that is no text";
		why = read_field(r, key, ret);
	}
	return why;
}

static const char *read_error(struct span error, struct provider_error *ret)
{
	struct mp_reader r = mp_reader(error);

	if (mp_peek(&r) == MP_STR)
		return mp_read_str(&r, &ret->message) == 0 ? NULL
			: "the provider's error cannot be read";
	return read_map(&r, ret);
}

/* One entry of a map, whole; *ret_other: its key is not this one. */
static int read_entry(struct mp_reader *r, const char *key, struct span *ret_entry, bool *ret_other)
{
	const uint8_t *begin = r->p;
	struct span text;

	*ret_other = true;
	if (mp_peek(r) == MP_STR) {
		if (mp_read_str(r, &text) != 0)
			return MP_E_BAD;
		*ret_other = !span_is(text, key);
	} else if (mp_skip(r) != 0) {
		return MP_E_BAD;
	}
	if (mp_skip(r) != 0)
		return MP_E_BAD;
	*ret_entry = span_of(begin, (size_t)(r->p - begin));
	return 0;
}

/* A map as it is, its code replaced by this one; two equal keys would have no form in JSON. */
static int put_map_with_code(struct buf *b, struct span map, struct span code)
{
	struct mp_reader count = mp_reader(map), copy;
	uint32_t n, n_others = 0;
	struct span entry;
	bool other;

	if (mp_read_map(&count, &n) != 0)
		return MP_E_BAD;
	copy = count;
	for (uint32_t i = 0; i < n; i++) {
		if (read_entry(&count, "code", &entry, &other) != 0)
			return MP_E_BAD;
		n_others += other;
	}
	mp_put_map(b, n_others + 1);
	mp_put_str(b, "code");
	mp_put_text(b, code);
	for (uint32_t i = 0; i < n; i++)
		if (read_entry(&copy, "code", &entry, &other) == 0 && other)
			mp_put_raw(b, entry);
	return 0;
}

/* Details that are no map become one: {code?, details}. */
static void put_wrapped(struct buf *b, struct span code, struct span details)
{
	mp_put_map(b, (code.len > 0) + (details.len > 0));
	if (code.len > 0) {
		mp_put_str(b, "code");
		mp_put_text(b, code);
	}
	if (details.len > 0) {
		mp_put_str(b, "details");
		mp_put_raw(b, details);
	}
}

/* code: empty: none to be put into the details. NULL, or what is wrong. */
static const char *put_details(struct buf *b, struct span code, struct span details,
			       unsigned int depth)
{
	struct mp_reader r = mp_reader(details);
	bool is_map = mp_peek(&r) == MP_MAP;

	if (is_map && code.len > 0)
		return put_map_with_code(b, details, code) == 0 ? NULL
			: "the details of the provider's error cannot be read";
	if (is_map)
		mp_put_raw(b, details);
	else if (details.len > 0 && depth >= MP_VALUE_DEPTH_MAX)
		return "the details of the provider's error are nested too deep";
	else if (code.len > 0 || details.len > 0)
		put_wrapped(b, code, details);
	return NULL;
}

/* The code; one that is passed on is taken out of *error, as details need not repeat it. */
static void set_code(struct provider_error *error, struct failure *ret)
{
	ret->code = CHAPI_ERR_API_ERROR;
	ret->ran = CHAPI_RAN_YES;
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		if (span_is(error->code, passed_on[i].name)) {
			ret->code = passed_on[i].code;
			ret->ran = passed_on[i].ran;
			error->code = span_of(NULL, 0);
			return;
		}
}

static struct span message_of(const struct provider_error *error, struct buf *scratch)
{
	struct span message = text_line(error->message, scratch);

	return message.len > 0 ? message : span_str("the function failed and gave no reason");
}

void failure_read(struct span error, unsigned int depth, struct buf *scratch,
		      struct failure *ret)
{
	struct provider_error said = { 0 };
	size_t details_start;
	struct span message;
	const char *why;

	buf_clear(scratch);
	why = read_error(error, &said);
	if (!why && !utf8_is_valid(said.code))
		why = "the provider's error has a code that is not UTF-8";
	if (!why && depth > MP_VALUE_DEPTH_MAX)
		why = "the provider's error is nested too deep";
	if (why) {
		lose(ret, CHAPI_ERR_BAD_REPLY, why);
		return;
	}
	*ret = (struct failure){ 0 };
	set_code(&said, ret);

	/* First what may move the buffer, then the places in it. */
	message = message_of(&said, scratch);
	details_start = scratch->len;
	why = put_details(scratch, said.code, said.details, depth);
	if (why) {
		lose(ret, CHAPI_ERR_BAD_REPLY, why);
		return;
	}
	if (buf_error(scratch) != 0) {
		lose(ret, CHAPI_ERR_INTERNAL, "the gateway has no memory for the provider's error");
		return;
	}
	ret->details = span_of(buf_data(scratch) + details_start, scratch->len - details_start);
	ret->message = details_start > 0 ? span_of(buf_data(scratch), details_start) : message;
}
