/* SPDX-License-Identifier: MIT */
/*
 * Names on the hub: see hub_names.h.
 */
#include "tests/hub/hub_names.h"

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_channel_char(uint8_t c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c))
		return true;
	return c && strchr("_-=@,.;", c);
}

bool channel_name_is_legal(struct span name)
{
	if (name.len == 0 || name.len > CHANNEL_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!is_channel_char(name.p[i]))
			return false;
	return true;
}

enum channel_kind channel_kind(const char *name)
{
	if (has_prefix(name, "private-encrypted-"))
		return CHANNEL_ENCRYPTED;
	if (has_prefix(name, "private-"))
		return CHANNEL_PRIVATE;
	if (has_prefix(name, "presence-"))
		return CHANNEL_PRESENCE;
	return CHANNEL_PUBLIC;
}

bool event_name_is_legal(struct span name)
{
	size_t n_characters = 0;

	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] == '\0')
			return false;
		n_characters += (name.p[i] & 0xc0) != 0x80;
	}
	return n_characters > 0 && n_characters <= EVENT_NAME_MAX;
}

bool event_name_is_reserved(const char *name)
{
	return has_prefix(name, "pusher:") || has_prefix(name, "pusher_internal:");
}

bool event_name_is_client(const char *name)
{
	return has_prefix(name, "client-");
}

/* Two numbers joined by a dot. */
bool socket_id_is_legal(struct span id)
{
	size_t n_dots = 0;

	if (id.len < 3 || id.len > SOCKET_ID_MAX || id.p[0] == '.' || id.p[id.len - 1] == '.')
		return false;
	for (size_t i = 0; i < id.len; i++) {
		if (!is_digit(id.p[i]) && id.p[i] != '.')
			return false;
		n_dots += id.p[i] == '.';
	}
	return n_dots == 1;
}
