/* SPDX-License-Identifier: MIT */
/*
 * The channels of the remote side: from which a request counts, and to which an answer may go.
 * See remote_private.h; how much one event carries is room.h.
 */
#include "gateway/remote_private.h"

#include "gateway/channel_name.h"
#include "gateway/name.h"
#include "gateway/sealed.h"

/* ---- from where ------------------------------------------------------------------------- */

const char *remote_find_channel(const struct remote *r, struct span channel)
{
	for (size_t i = 0; i < r->config.n_channels; i++)
		if (span_is(channel, r->config.channels[i]))
			return r->config.channels[i];
	return NULL;
}

/* Its place among those of the config. */
static size_t index_of(const struct remote *r, struct span channel)
{
	size_t i = 0;

	while (!span_is(channel, r->config.channels[i]))
		i++;
	return i;
}

/* Ours do not come back, but for those that a connection before this one has published. */
void remote_note_other(struct remote *r, struct span channel, struct span response)
{
	CLEANUP(buf_deinit) struct buf gateway = BUF_NULL;
	CLEANUP(buf_deinit) struct buf instance = BUF_NULL;

	if (!remote_is_shared(r, channel) &&
	    record_response_origin(response, &gateway, &instance) == 0 &&
	    !span_is(buf_span(&gateway), r->config.name))
		r->is_shared[index_of(r, channel)] = true;
}

bool remote_is_shared(const struct remote *r, struct span channel)
{
	return r->is_shared[index_of(r, channel)];
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

	if (!channel_name_is_valid(reply))
		return "reply_to: a channel's name has " CHANNEL_NAME_RULE;
	if (!is_allowed(r, reply))
		return "reply_to: no channel that this gateway answers on, "
		       "see its setting reply_channels";
	if (sealed_is_encrypted(call->channel) && !sealed_is_encrypted(reply))
		return "reply_to: the request came encrypted, "
		       "so its answer has to go to an encrypted channel";
	if (sealed_is_encrypted(reply) && !r->config.has_key)
		return "reply_to: this gateway has no key for encrypted channels";
	return NULL;
}
