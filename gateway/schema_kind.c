/* SPDX-License-Identifier: MIT */
/*
 * What a single value is: its type, and what bounds of a description look at.
 */
#include "common/utf8.h"
#include "gateway/schema_private.h"

static uint64_t count_characters(struct span text)
{
	uint64_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += (text.p[i] & 0xc0) != 0x80;
	return n;
}

static const char *kind_of_number(struct mp_reader r, struct kind *k)
{
	if (!number_read(&r, &k->number))
		return "is no value that can be read";
	if (!number_is_finite(&k->number))
		return "is NaN or infinite";
	k->type = number_is_whole(&k->number) ? TYPE_INTEGER : TYPE_NUMBER;
	if (k->type == TYPE_NUMBER)
		k->words = "a number with a fraction";
	return NULL;
}

static const char *kind_of_bytes(struct mp_reader r, enum mp_type type, struct kind *k)
{
	struct span bytes;

	if ((type == MP_STR ? mp_read_str(&r, &bytes) : mp_read_bin(&r, &bytes)) != 0)
		return "is no value that can be read";
	if (type == MP_STR && !utf8_is_valid(bytes))
		return "is no valid UTF-8";
	k->type = type == MP_STR ? TYPE_STRING : TYPE_BINARY;
	k->length = type == MP_STR ? count_characters(bytes) : bytes.len;
	return NULL;
}

static const char *kind_of_ext(struct mp_reader r, struct kind *k)
{
	struct span ignored;
	int8_t type;

	if (mp_read_ext(&r, &type, &ignored) != 0)
		return "is no value that can be read";
	k->words = type == -1 ? "a time" : "an extension";
	return NULL;
}

const char *schema_kind_find(const struct mp_reader *r, struct kind *ret)
{
	static const unsigned int simple[] = {
		[MP_NIL] = TYPE_NULL, [MP_BOOL] = TYPE_BOOLEAN,
		[MP_ARRAY] = TYPE_ARRAY, [MP_MAP] = TYPE_OBJECT,
	};
	enum mp_type type = mp_peek(r);

	*ret = (struct kind){ 0 };
	if (type_is_number(type))
		return kind_of_number(*r, ret);
	if (type == MP_STR || type == MP_BIN)
		return kind_of_bytes(*r, type, ret);
	if (type == MP_EXT)
		return kind_of_ext(*r, ret);
	if (type == MP_NONE)
		return "is no value that can be read";
	ret->type = simple[type];
	return NULL;
}
