/* SPDX-License-Identifier: MIT */
/*
 * Odd forms of messages: see forms.h.
 */
#include "tests/hub/forms.h"

#include <stdlib.h>

#include <jansson.h>

#define FLAGS (JSON_COMPACT | JSON_ENCODE_ANY)

static json_t *load(struct span text)
{
	return json_loadb((const char *)text.p, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static void put_json(struct buf *out, const json_t *value)
{
	char *text = json_dumps(value, FLAGS);

	if (text)
		buf_put_str(out, text);
	free(text);
}

int forms_data_of(struct span message, struct buf *store)
{
	json_t *whole = load(message);
	const json_t *data = json_object_get(whole, "data");

	if (data)
		put_json(store, data);
	else
		buf_put_str(store, "null");
	json_decref(whole);
	return buf_error(store);
}

/* "fill(N)": returns what follows, or NULL. */
static const char *put_fill(const char *p, struct buf *out)
{
	char *end;
	unsigned long n;

	if (strncmp(p, "fill(", 5) != 0)
		return NULL;
	n = strtoul(p + 5, &end, 10);
	if (*end != ')' || n > FORMS_FILL_MAX)
		return NULL;
	for (unsigned long i = 0; i < n; i++)
		buf_put_byte(out, 'x');
	return end + 1;
}

static const char *put_value(const char *p, const struct forms_values *v, struct buf *out)
{
	const struct {
		const char *name;
		struct span value;
	} names[] = {
		{ "event", v->event }, { "channel", v->channel },
		{ "socket_id", v->socket_id }, { "data", v->data },
		{ "$", span_str("$") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strncmp(p, names[i].name, strlen(names[i].name)) == 0) {
			buf_put(out, names[i].value.p, names[i].value.len);
			return p + strlen(names[i].name);
		}
	return put_fill(p, out);
}

/* What is no name of ours stays. */
void forms_expand(const char *text, const struct forms_values *values, struct buf *out)
{
	const char *next;

	while (*text) {
		next = *text == '$' ? put_value(text + 1, values, out) : NULL;
		if (!next)
			buf_put_byte(out, (uint8_t)*text);
		text = next ? next : text + 1;
	}
}

static json_t *as_string(const json_t *data)
{
	json_t *string;
	char *text;

	if (json_is_string(data))
		return json_deep_copy(data);
	text = json_dumps(data, FLAGS);
	string = json_string(text ? text : "{}");
	free(text);
	return string;
}

/* Also of a string that is no JSON something comes. */
static json_t *as_value(const json_t *data)
{
	json_t *value = json_is_string(data) ?
		load(span_of(json_string_value(data), json_string_length(data))) : NULL;

	return value ? value : json_deep_copy(data);
}

static json_t *in_form(const json_t *data, enum forms_data form)
{
	switch (form) {
	case FORMS_STRING:
		return as_string(data);
	case FORMS_OBJECT:
		return as_value(data);
	case FORMS_ARRAY:
		return json_pack("[o]", as_value(data));
	case FORMS_NUMBER:
		return json_integer(1);
	case FORMS_NULL:
		return json_null();
	case FORMS_EMPTY:
		return json_string("");
	case FORMS_ABSENT:
		break;
	}
	return NULL;
}

void forms_change(struct span message, enum forms_data form, struct buf *out)
{
	json_t *whole = load(message), *data = json_object_get(whole, "data");

	if (!json_is_object(whole)) {
		buf_put(out, message.p, message.len);
	} else {
		data = data ? in_form(data, form) : NULL;
		if (data)
			json_object_set_new(whole, "data", data);
		else
			json_object_del(whole, "data");
		put_json(out, whole);
	}
	json_decref(whole);
}

static int digit(char c)
{
	static const char digits[] = "00112233445566778899aAbBcCdDeEfF";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) / 2 : -1;
}

bool forms_hex(const char *text, struct buf *out)
{
	for (; *text; text += 2) {
		if (digit(text[0]) < 0 || digit(text[1]) < 0)
			return false;
		buf_put_byte(out, (uint8_t)(digit(text[0]) << 4 | digit(text[1])));
	}
	return true;
}
