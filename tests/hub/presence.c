/* SPDX-License-Identifier: MIT */
/*
 * Presence channels: see presence.h.
 *
 * Both messages about a member are made when it arrives, so that its departure, which cannot
 * be refused, needs no memory.
 */
#include "tests/hub/presence.h"

#include <errno.h>
#include <stdlib.h>

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}

static void cleanup_member(struct member **member)
{
	member_free(*member);
}

/* A message's data is the text of its JSON. Takes data. */
static char *make_message(const char *event, const char *channel, json_t *data)
{
	char *text = data ? json_dumps(data, JSON_COMPACT) : NULL, *message = NULL;
	json_t *whole;

	json_decref(data);
	if (!text)
		return NULL;
	whole = json_pack("{s:s, s:s, s:s}", "event", event, "channel", channel, "data", text);
	free(text);
	if (whole)
		message = json_dumps(whole, JSON_COMPACT);
	json_decref(whole);
	return message;
}

static int make_messages(struct member *member, const char *channel)
{
	json_t *arrival = json_pack("{s:s}", "user_id", member->user_id);

	if (member->info && json_object_set(arrival, "user_info", member->info) != 0) {
		json_decref(arrival);
		return -ENOMEM;
	}
	member->arrival = make_message("pusher_internal:member_added", channel, arrival);
	member->departure = make_message("pusher_internal:member_removed", channel,
					 json_pack("{s:s}", "user_id", member->user_id));
	return member->arrival && member->departure ? 0 : -ENOMEM;
}

static struct member *member_new(const char *user_id, json_t *info, const char *channel)
{
	struct member *member = calloc(1, sizeof(*member));

	if (!member)
		return NULL;
	list_init(&member->in_channel);
	member->info = json_incref(info);
	member->user_id = strdup(user_id);
	if (!member->user_id || make_messages(member, channel) < 0)
		return member_free(member);
	return member;
}

struct member *member_free(struct member *member)
{
	if (!member)
		return NULL;
	list_del(&member->in_channel);
	json_decref(member->info);
	free(member->user_id);
	free(member->arrival);
	free(member->departure);
	free(member);
	return NULL;
}

static struct member *find_member(const struct channel *channel, const char *user_id)
{
	struct member *member;

	list_for_each(member, &channel->members, struct member, in_channel)
		if (strcmp(member->user_id, user_id) == 0)
			return member;
	return NULL;
}

/* Some libraries send a number. */
static int read_user_id(const json_t *user, char ret[PRESENCE_USER_ID_MAX + 1])
{
	const json_t *id = json_object_get(user, "user_id");
	size_t len = json_string_length(id);

	if (json_is_integer(id)) {
		snprintf(ret, PRESENCE_USER_ID_MAX + 1, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(id));
		return 0;
	}
	if (!json_is_string(id) || len == 0 || strlen(json_string_value(id)) != len)
		return PRESENCE_E_DATA;
	if (len > PRESENCE_USER_ID_MAX)
		return PRESENCE_E_USER_ID;
	memcpy(ret, json_string_value(id), len + 1);
	return 0;
}

static void attach(struct subscription *s, struct member *member)
{
	s->member = member;
	member->n_subscriptions++;
}

static int join_first(struct subscription *s, const char *user_id, json_t *info)
{
	struct channel *channel = s->channel;
	CLEANUP(cleanup_member) struct member *member = NULL;

	if (channel->n_members >= PRESENCE_MEMBERS_MAX)
		return PRESENCE_E_FULL;
	member = member_new(user_id, info, channel->name);
	if (!member)
		return -ENOMEM;
	list_add_tail(&channel->members, &member->in_channel);
	channel->n_members++;
	attach(s, member);
	member = NULL;
	return 0;
}

int presence_join(struct subscription *s, const char *channel_data, bool *ret_first)
{
	char user_id[PRESENCE_USER_ID_MAX + 1];
	CLEANUP(cleanup_json) json_t *user = NULL;
	struct member *member;
	int r;

	if (channel_data && strlen(channel_data) > PRESENCE_USER_MAX)
		return PRESENCE_E_LARGE;
	user = channel_data ? json_loads(channel_data, 0, NULL) : NULL;
	r = read_user_id(user, user_id);
	if (r)
		return r;
	member = find_member(s->channel, user_id);
	if (member)
		attach(s, member);
	else
		r = join_first(s, user_id, json_object_get(user, "user_info"));
	if (r == 0)
		*ret_first = !member;
	return r;
}

const char *presence_why(int outcome)
{
	switch (outcome) {
	case PRESENCE_E_DATA:
		return "channel_data has to be the text of an object with a user_id";
	case PRESENCE_E_USER_ID:
		return "the user_id is longer than 128 bytes";
	case PRESENCE_E_LARGE:
		return "channel_data is longer than 1024 bytes";
	case PRESENCE_E_FULL:
		return "there are 100 members already";
	}
	return "out of memory";
}

struct member *presence_leave(struct subscription *s)
{
	struct member *member = s->member;

	s->member = NULL;
	if (!member || --member->n_subscriptions > 0)
		return NULL;
	list_del(&member->in_channel);
	s->channel->n_members--;
	return member;
}

json_t *presence_list(const struct channel *channel)
{
	json_t *list = json_pack("{s:{s:[], s:{}, s:i}}", "presence", "ids", "hash",
				 "count", (int)channel->n_members);
	json_t *presence = json_object_get(list, "presence"), *info;
	json_t *ids = json_object_get(presence, "ids"), *hash = json_object_get(presence, "hash");
	struct member *member;

	list_for_each(member, &channel->members, struct member, in_channel) {
		info = member->info ? json_incref(member->info) : json_null();
		if (json_array_append_new(ids, json_string(member->user_id)) == 0 &&
		    json_object_set_new(hash, member->user_id, info) == 0)
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}
