/* SPDX-License-Identifier: MIT */
/*
 * Where a conversion stopped and why, for people: "at .params.list[3]: NaN has no form in JSON".
 */
#include <inttypes.h>
#include <stdio.h>

#include "libchapi-ipc/value_private.h"

/* Of the text that says where a fault is. */
#define PLACE_MAX 56
#define PART_MAX 48

/* Text that grows backwards, from the end: the innermost part of a place matters most. */
struct place_text {
	char text[PLACE_MAX];
	size_t left;
};

static bool place_prepend(struct place_text *pl, const char *text, size_t len)
{
	if (len > pl->left)
		return false;
	pl->left -= len;
	memcpy(pl->text + pl->left, text, len);
	return true;
}

static bool is_word(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '$' || c == '-'))
			return false;
	}
	return s.len > 0;
}

/* A key for people: as a word, else in quotes and escaped; cut if long. */
static size_t key_show(const struct conv *c, struct span key, char ret[PART_MAX])
{
	size_t len, i = 0;

	if (key.len <= 24 && is_word(key))
		return (size_t)snprintf(ret, PART_MAX, ".%.*s", (int)key.len, (const char *)key.p);
	len = (size_t)snprintf(ret, PART_MAX, "[\"");
	/* Cut between characters: whole ones are at most 6 bytes when shown. */
	while (i < key.len && (len < 26 || (key.p[i] & 0xc0) == 0x80)) {
		uint8_t b = key.p[i++];

		if (b < 0x20 || b == 0x7f)
			len += (size_t)snprintf(ret + len, PART_MAX - len, "\\u%04x", b);
		else if (c->from_json && (b == '"' || b == '\\'))
			len += (size_t)snprintf(ret + len, PART_MAX - len, "\\%c", b);
		else
			ret[len++] = (char)b;
	}
	len += (size_t)snprintf(ret + len, PART_MAX - len, "%s\"]", i < key.len ? "..." : "");
	return len;
}

/* The place within level i: a key or an index; 0 for a map that has no key yet. */
static size_t level_show(const struct conv *c, unsigned int i, char ret[PART_MAX])
{
	const struct conv_level *level = &c->levels[i];
	size_t last = i == c->depth ? c->n_keys : c->levels[i + 1].first_key;
	const struct conv_key *key;

	if (!level->map)
		return (size_t)snprintf(ret, PART_MAX, "[%" PRIu32 "]", level->n);
	if (last == level->first_key)
		return 0;
	key = &c->keys[last - 1];
	return key_show(c, span_of(conv_output(c) + key->off, key->len), ret);
}

static void place_show(const struct conv *c, struct place_text *pl)
{
	char part[PART_MAX];

	pl->left = sizeof(pl->text) - 1;
	pl->text[pl->left] = '\0';
	for (unsigned int i = c->depth - c->in_key; i > 0 && i <= c->depth; i--) {
		size_t len = level_show(c, i, part);

		/* Three bytes stay for the dots. */
		if (len + 3 > pl->left || !place_prepend(pl, part, len)) {
			place_prepend(pl, "...", 3);
			return;
		}
	}
}

/* Says where and why, and is the outcome. */
static int fault(struct conv *c, int code, const char *why)
{
	char *text = c->fault->text;
	size_t size = sizeof(c->fault->text), len = 0;
	struct place_text place;

	place_show(c, &place);
	if (place.text[place.left])
		len = (size_t)snprintf(text, size, "at %s: ", place.text + place.left);
	len += (size_t)snprintf(text + len, size - len, "%s", why);
	if (c->from_json && len < size)
		snprintf(text + len, size - len, " (byte %zu)", (size_t)(c->p - c->begin));
	return code;
}

int conv_bad_syntax(struct conv *c, const char *why)
{
	return fault(c, VALUE_E_SYNTAX, why);
}

int conv_inexpressible(struct conv *c, const char *why)
{
	return fault(c, VALUE_E_INEXPRESSIBLE, why);
}
