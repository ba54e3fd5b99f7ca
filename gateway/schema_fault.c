/* SPDX-License-Identifier: MIT */
/*
 * Where in a value or a description a fault is, and how it is told.
 */
#include "gateway/schema_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "gateway/text.h"
#include "libchapi-ipc/value.h"

#define PLACE_MAX 128

static bool is_plain_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static bool is_plain(struct span key)
{
	for (size_t i = 0; i < key.len; i++)
		if (!is_plain_char(key.p[i]))
			return false;
	return key.len > 0;
}

static void step_print(const struct place *place, char *ret, size_t len)
{
	if (place->is_element)
		snprintf(ret, len, "[%" PRIu32 "]", place->index);
	else if (!place->up)
		snprintf(ret, len, "%s", TEXT_QUOTE(place->key));
	else
		snprintf(ret, len, is_plain(place->key) ? ".%s" : "[\"%s\"]",
			 TEXT_QUOTE(place->key));
}

/* "params.list[3]"; steps that do not fit are "...". Returns its length. */
static size_t place_print(const struct place *place, char ret[PLACE_MAX + 4])
{
	char step[TEXT_QUOTE_MAX + 16];
	size_t len = place->up ? place_print(place->up, ret) : 0;

	if (len >= PLACE_MAX)
		return len;	/* cut before */
	step_print(place, step, sizeof(step));
	if (len + strlen(step) < PLACE_MAX) {
		strcpy(ret + len, step);
		return len + strlen(step);
	}
	strcpy(ret + len, "...");
	return PLACE_MAX;
}

int schema_refuse(struct schema_fault *fault, const struct place *place,
				      const char *fmt, ...)
{
	char where[PLACE_MAX + 4], why[sizeof(fault->text)];
	va_list args;

	place_print(place, where);
	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	snprintf(fault->text, sizeof(fault->text), "%s %.160s", where, why);
	return SCHEMA_E_INVALID;
}

int schema_refuse_keyword(struct schema_fault *fault, const struct place *up, const char *keyword,
				 const char *why)
{
	struct place place = place_in(up, span_str(keyword));

	return schema_refuse(fault, &place, "%s", why);
}

const char *schema_quote(struct span value, char ret[SCHEMA_QUOTE_MAX + 4])
{
	CLEANUP(buf_deinit) struct buf json = BUF_NULL, scratch = BUF_NULL;
	struct value_fault ignored;
	struct span line;
	size_t len;

	ret[0] = '\0';
	if (value_to_json(value, MP_VALUE_DEPTH_MAX, &json, &ignored) != 0)
		return ret;
	line = text_line(buf_span(&json), &scratch);
	len = MIN(line.len, (size_t)SCHEMA_QUOTE_MAX);
	while (len < line.len && (line.p[len] & 0xc0) == 0x80)
		len--;
	memcpy(ret, line.p, len);
	strcpy(ret + len, len < line.len ? "..." : "");
	return ret;
}
