/* SPDX-License-Identifier: MIT */
/*
 * What the log is told of the hub side, and how often.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/hub_private.h"
#include "gateway/namesake.h"
#include "gateway/turn.h"

#define CONFLICT_QUIET_MS 600000	/* two gateways of one name are logged once in this time */
#define IGNORED_QUIET_MS 600000		/* likewise events that are none of ours */

/* Each takes requests that are meant for the other. */
void hub_log_conflict(struct hub *hub, uint64_t now_ms)
{
	const struct namesake *namesake = remote_namesake(hub->remote);

	if (namesake->n_seen == 0 || namesake->seen_ms != now_ms ||
	    (hub->conflict_logged_ms > 0 && now_ms - hub->conflict_logged_ms < CONFLICT_QUIET_MS))
		return;
	hub->conflict_logged_ms = now_ms;
	log_warn("hub",
		 "another gateway (instance %s) answers as '%s' too: "
		 "give one of them another name",
		 namesake->seen, hub->config->name);
}

/* On a channel that is shared much of it is for others, so a line now and then has to do. */
void hub_log_ignored(struct hub *hub, struct span channel, struct span event, uint64_t now_ms)
{
	struct remote_status status;
	uint64_t n;

	remote_status(hub->remote, &status);
	n = status.n_ignored - hub->n_ignored_logged;
	if (n == 0 ||
	    (hub->ignored_logged_ms > 0 && now_ms - hub->ignored_logged_ms < IGNORED_QUIET_MS))
		return;
	hub->n_ignored_logged = status.n_ignored;
	hub->ignored_logged_ms = now_ms;
	log_info("hub",
		 "event '%s' on %s is ignored, as it is none for this gateway "
		 "(%llu such events since the last line like this)",
		 LOG_TEXT(event), LOG_TEXT(channel), (unsigned long long)n);
}

/* Somebody has another key, or the hub relays what was sent in clear. */
void hub_log_unreadable(struct hub *hub, struct span channel)
{
	if (hub->n_unreadable++ == 0)
		log_warn("hub",
			 "an event on %s is not encrypted with our master key, and ignored, "
			 "as others like it will be",
			 LOG_TEXT(channel));
}

void hub_log_up(const struct hub *hub)
{
	const struct config *config = hub->config;
	char names[400] = "";
	size_t len = 0;

	for (size_t i = 0; i < config->n_channels && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, " %s",
					config->channels[i]);
	log_info("hub", "connected to %s, subscribed to%s", config->host, names);
}

/* It was up with some trouble, which is over. */
void hub_log_well(const struct hub *hub)
{
	log_info("hub", "all is well again with the connection to %s", hub->config->host);
}

/* The same trouble again is news for those only who want to know everything. */
void hub_log_trouble(struct hub *hub, const char *reason)
{
	struct channel_status status;
	enum log_level level;
	uint64_t now_ms = read_now().ms, ms;

	channel_status(hub->channel, &status);
	ms = hub_next_try_in_ms(&status, now_ms);
	level = said_is_news(&hub->logged, reason, now_ms) ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
	if (status.state == CHANNEL_WAITING)
		log_write(level, "hub", "not connected: %s; next try in %llu.%llu s", reason,
			  (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000 / 100));
	else
		log_write(level, "hub", "%s", reason);
}
