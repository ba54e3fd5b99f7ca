/* SPDX-License-Identifier: MIT */
/*
 * What a name may be, and which pattern it fits: see name.h.
 */
#include <config.h>	/* _GNU_SOURCE: memmem() */

#include "gateway/name.h"

static bool is_name_char(uint8_t c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')
		return true;
	return !first && (c == '.' || c == ':' || c == '-');
}

bool name_is_valid(struct span name)
{
	if (name.len == 0 || name.len > API_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!is_name_char(name.p[i], i == 0))
			return false;
	return true;
}

/* The part up to the next star, or all; what is left begins behind the star. */
static struct span take_part(struct span *pattern, bool *ret_star)
{
	const uint8_t *star = pattern->len ? memchr(pattern->p, '*', pattern->len) : NULL;
	struct span part = *pattern;

	*ret_star = star != NULL;
	if (star) {
		part.len = (size_t)(star - pattern->p);
		*pattern = span_of(star + 1, pattern->len - part.len - 1);
	}
	return part;
}

static bool begins_with(struct span name, struct span part)
{
	return name.len >= part.len && (part.len == 0 || memcmp(name.p, part.p, part.len) == 0);
}

/* What is between two stars is sought from left to right: the first place is as good as any
 * other. */
bool name_matches(struct span name, struct span pattern)
{
	bool star;
	struct span part = take_part(&pattern, &star);

	if (!star)
		return span_equal(name, part);
	if (!begins_with(name, part))
		return false;
	name = span_of(name.p + part.len, name.len - part.len);
	for (part = take_part(&pattern, &star); star; part = take_part(&pattern, &star)) {
		const uint8_t *at = part.len ? memmem(name.p, name.len, part.p, part.len) : name.p;

		if (!at)
			return false;
		at += part.len;
		name = span_of(at, name.len - (size_t)(at - name.p));
	}
	return name.len >= part.len &&
	       begins_with(span_of(name.p + name.len - part.len, part.len), part);
}
