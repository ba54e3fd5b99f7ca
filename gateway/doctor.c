/* SPDX-License-Identifier: MIT */
/*
 * What the gateway knows of its own health: see doctor.h.
 */
#include "gateway/doctor.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "libchapi-ipc/mp.h"

#define PLAUSIBLE_YEAR 2024	/* this program is younger than that */

struct check {
	const char *name;
	bool ok;
	char text[300];
	const char *hint;	/* "" when there is none, or all is well */
};

static void put_check(struct buf *out, const struct check *check)
{
	mp_put_map(out, 4);
	mp_put_str(out, "check");
	mp_put_str(out, check->name);
	mp_put_str(out, "ok");
	mp_put_bool(out, check->ok);
	mp_put_str(out, "text");
	mp_put_str(out, check->text);
	mp_put_str(out, "hint");
	mp_put_str(out, check->ok ? "" : check->hint);
}

static void check_socket(const struct config *config, struct buf *out)
{
	struct check check = {
		.name = "socket",
		.hint = "somebody has removed the socket file: restart the gateway",
	};
	struct stat st;

	check.ok = stat(config->socket, &st) == 0 && S_ISSOCK(st.st_mode);
	snprintf(check.text, sizeof(check.text), check.ok ? "%s, mode %03o" : "%s is gone",
		 config->socket, check.ok ? (unsigned int)st.st_mode & 0777 : 0);
	put_check(out, &check);
}

static void check_clock(const struct now *now, struct buf *out)
{
	struct check check = {
		.name = "clock",
		.hint = "set the clock (is a time service running?): "
			"certificates and signatures need it",
	};
	time_t seconds = (time_t)now->unix_s;
	char text[64] = "?";
	struct tm tm;

	if (gmtime_r(&seconds, &tm)) {
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
		check.ok = tm.tm_year + 1900 >= PLAUSIBLE_YEAR;
	}
	snprintf(check.text, sizeof(check.text), "this machine's clock says %s", text);
	put_check(out, &check);
}

static void check_hub(const struct config *config, const struct hub *hub, struct buf *out)
{
	struct check check = {
		.name = "hub",
		.hint = "see the reason; settings are in section [pusher], "
			"and `chapi-ctl reload` tries at once",
	};
	struct hub_health health;

	if (!hub) {
		check.ok = true;
		snprintf(check.text, sizeof(check.text), "none is configured: local calls only");
	} else {
		hub_health(hub, &health);
		check.ok = health.up;
		snprintf(check.text, sizeof(check.text), "%s: %s%s%s", config->host, health.state,
			 *health.reason ? ": " : "", health.reason);
	}
	put_check(out, &check);
}

static void check_publishing(const struct hub *hub, struct buf *out)
{
	struct check check = {
		.name = "publishing",
		.hint = "answers do not reach the hub: "
			"are app_id, key, secret and the clock right?",
	};
	struct hub_health health;

	hub_health(hub, &health);
	check.ok = *health.publish_error == '\0';
	snprintf(check.text, sizeof(check.text), "%s",
		 check.ok ? "no event is held up, and the last was not refused"
			  : health.publish_error);
	put_check(out, &check);
}

static void check_name(const struct config *config, const struct hub *hub, struct buf *out)
{
	struct check check = {
		.name = "name",
		.hint = "two gateways of one name take each other's requests: "
			"change 'name' in section [gateway] of one of them",
	};
	struct hub_health health;

	hub_health(hub, &health);
	check.ok = !health.name_conflict;
	snprintf(check.text, sizeof(check.text), check.ok ? "'%s'; nobody else was seen to use it" :
		 "'%s'; another gateway answers by it too (name_conflict)", config->name);
	put_check(out, &check);
}

void doctor_put(const struct config *config, const struct hub *hub, const struct now *now,
		struct buf *out)
{
	mp_put_array(out, hub ? 5 : 3);
	check_socket(config, out);
	check_clock(now, out);
	check_hub(config, hub, out);
	if (!hub)
		return;
	check_publishing(hub, out);
	check_name(config, hub, out);
}
