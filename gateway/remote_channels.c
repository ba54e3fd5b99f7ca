/* SPDX-License-Identifier: MIT */
/*
 * The channels of the remote side: from which a request counts, to which an answer may go, and how
 * much one event on a channel carries. See remote_private.h.
 */
#include "gateway/remote_private.h"

#include "gateway/registry.h"
#include "gateway/sealed.h"

#define CHANNEL_LEN_MAX 164
/* Of an HTTP request's body around an event's data: keys, a socket_id, and quotes of the data. */
#define ENVELOPE_LEN 160
#define PART_ESCAPES (24 + 4 * RECORD_ID_MAX)	/* what a part's quotes and its id add in there */

/* ---- from where ------------------------------------------------------------------------- */

const char *remote_find_channel(const struct remote *r, struct span channel)
{
	for (size_t i = 0; i < r->config.n_channels; i++)
		if (span_is(channel, r->config.channels[i]))
			return r->config.channels[i];
	return NULL;
}

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/*
 * Client events count on private channels only: there a subscriber had to show that it knows
 * the secret. Some servers relay them on public channels too, where the app's key, which is
 * no secret, would do, and on encrypted ones, where they come in clear.
 */
bool remote_takes_client_events(const char *channel)
{
	return begins_with(channel, "private-") && !sealed_is_encrypted(span_str(channel));
}

/* ---- to where --------------------------------------------------------------------------- */

static bool is_channel_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_-=@,.;", c));
}

static bool is_legal(struct span channel)
{
	for (size_t i = 0; i < channel.len; i++)
		if (!is_channel_char(channel.p[i]))
			return false;
	return true;
}

static bool is_allowed(const struct remote *r, struct span channel)
{
	const struct remote_limits *limits = &r->config.limits;

	for (size_t i = 0; i < limits->n_reply_channels; i++)
		if (name_matches(channel, span_str(limits->reply_channels[i])))
			return true;
	return false;
}

const char *remote_check_reply(const struct remote *r, const struct remote_call *call)
{
	struct span reply = buf_span(&call->request.reply_to);

	if (reply.len > CHANNEL_LEN_MAX)
		return "reply_to: a channel's name can have at most 164 characters";
	if (!is_legal(reply))
		return "reply_to: a channel's name can have letters, digits and _ - = @ , . ;";
	if (!is_allowed(r, reply))
		return "reply_to: no channel that this gateway answers on, see its setting reply_channels";
	if (sealed_is_encrypted(call->channel) && !sealed_is_encrypted(reply))
		return "reply_to: the request came encrypted, so its answer has to go to an encrypted channel";
	if (sealed_is_encrypted(reply) && !r->config.has_key)
		return "reply_to: this gateway has no key for encrypted channels";
	return NULL;
}

/* ---- how much --------------------------------------------------------------------------- */

static size_t less(size_t a, size_t b)
{
	return a > b ? a - b : 0;
}

/* Of an event's data in an HTTP request, as a JSON string; SIZE_MAX: no limit. */
static size_t body_room(const struct remote *r, struct span channel)
{
	size_t around = ENVELOPE_LEN + channel.len + REMOTE_EVENT_LEN_MAX;

	return r->config.max_body_bytes ? less(r->config.max_body_bytes, around) : SIZE_MAX;
}

/* What quotes, backslashes and control characters add in a JSON string. */
static size_t escapes(struct span text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.p[i] == '"' || text.p[i] == '\\' ? 1 : text.p[i] < ' ' ? 5 : 0;
	return n;
}

size_t remote_room(const struct remote *r, struct span channel)
{
	return sealed_room(channel, MIN(r->config.max_event_bytes, body_room(r, channel)));
}

bool remote_fits(const struct remote *r, struct span channel, struct span text)
{
	if (text.len > remote_room(r, channel))
		return false;
	return !r->config.max_body_bytes || sealed_is_encrypted(channel) ||
	       text.len + escapes(text) <= body_room(r, channel);
}

size_t remote_part_room(const struct remote *r, struct span channel)
{
	size_t room = r->config.max_event_bytes;

	if (r->config.max_body_bytes)
		room = MIN(room, less(body_room(r, channel), PART_ESCAPES));
	return sealed_room(channel, room);
}
