/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl doctor: what is wrong, and what to do about it.
 *
 * Some of it the gateway knows of itself (its method "doctor"), the rest is tried from here: the
 * socket, the name of the hub's machine, and a call through the hub to the gateway itself. That
 * one is published by the gateway and comes back to it as any remote call; a monitor sees the
 * end of it.
 */
#include <config.h>	/* _GNU_SOURCE: strcasestr */

#include "clients/ctl.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "clients/member.h"
#include "clients/table.h"

enum result { RESULT_FAILED, RESULT_OK, RESULT_SKIPPED };

struct doctor {
	struct ctl *ctl;
	json_t *checks;
	int status;		/* to end with */
};

static void add(struct doctor *d, const char *check, enum result result, const char *text,
		const char *hint)
{
	json_t *ok = result == RESULT_SKIPPED ? json_null() : json_boolean(result == RESULT_OK);

	json_array_append_new(d->checks, json_pack("{s:s, s:o, s:s, s:s}", "check", check, "ok", ok,
						   "text", text, "hint",
						   result == RESULT_OK ? "" : hint));
	if (result == RESULT_FAILED && d->status == 0)
		d->status = 1;
}

/* ---- the socket ---- */

static const char *hint_for(int err)
{
	switch (-err) {
	case CHAPI_ERR_ACCESS:
		return "be root, or a member of the socket's group (setting socket_group)";
	case CHAPI_ERR_PATH:
		return "$CHAPI_SOCKET and --socket take a path of up to 107 bytes";
	default:
		return "start the gateway: systemctl start chapi-gw; why it ended: journalctl -u "
		       "chapi-gw; another socket: --socket or $CHAPI_SOCKET";
	}
}

static bool check_connection(struct doctor *d)
{
	char path[512] = "the socket", text[700], hint[300];
	int r = chapi_connect(d->ctl->common.socket, &d->ctl->conn);

	(void)chapi_find_socket(d->ctl->common.socket, path, sizeof(path));
	snprintf(text, sizeof(text), "%s: %s", path,
		 r < 0 ? chapi_strerror(r) : "somebody listens");
	if (r != -CHAPI_ERR_ACCESS || !member_hint(path, hint, sizeof(hint)))
		snprintf(hint, sizeof(hint), "%s", hint_for(r));
	add(d, "connection", r < 0 ? RESULT_FAILED : RESULT_OK, text, hint);
	if (r < 0)
		d->status = chapi_exit_status(r);
	return r == 0;
}

/* ---- what the gateway says ---- */

/* Without a line of error: a refusal is a result here. */
static int ask(struct doctor *d, const char *method, json_t **ret_value, char *why, size_t why_len)
{
	chapi_reply *reply CLEANUP(ctl_free_reply) = NULL;
	char *text CLEANUP(cli_free) = NULL;
	int r = chapi_method_wait_json(d->ctl->conn, method, "[]", CTL_LIMIT_MS, &reply);

	*ret_value = NULL;
	if (r == 0)
		r = -chapi_reply_code(reply);
	if (r == 0)
		r = chapi_reply_result_json(reply, false, &text);
	if (r == 0)
		*ret_value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	snprintf(why, why_len, "%s", reply && *chapi_reply_message(reply)
					     ? chapi_reply_message(reply) : chapi_strerror(r));
	return r;
}

static void check_rights(struct doctor *d, int r, const char *why)
{
	if (r == 0)
		add(d, "rights", RESULT_OK, "you have the right admin", "");
	else if (r == -CHAPI_ERR_PERMISSION_DENIED)
		add(d, "rights", RESULT_SKIPPED, why, "to look into the gateway, to pause, drain "
		    "and reload: be root, or have the right, in [policy]: admin = user:NAME *");
	else
		add(d, "gateway", RESULT_FAILED, why, "the gateway does not answer: restart it");
}

static void check_gateway(struct doctor *d)
{
	json_t *found CLEANUP(ctl_free_json) = NULL;
	const json_t *check;
	char why[300];
	size_t i;

	check_rights(d, ask(d, "doctor", &found, why, sizeof(why)), why);
	json_array_foreach(found, i, check)
		add(d, ctl_text(check, "check"),
		    json_is_true(json_object_get(check, "ok")) ? RESULT_OK : RESULT_FAILED,
		    ctl_text(check, "text"), ctl_text(check, "hint"));
}

/* ---- the way to the hub ---- */

static void check_dns(struct doctor *d, const char *host)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char text[400];
	int n = 0, r = getaddrinfo(host, NULL, &hints, &found);

	for (const struct addrinfo *a = found; a; a = a->ai_next)
		n++;
	if (r == 0)
		snprintf(text, sizeof(text), "%.200s has %d address%s", host, n,
			 n == 1 ? "" : "es");
	else
		snprintf(text, sizeof(text), "%.200s: %s", host, gai_strerror(r));
	add(d, "dns", r == 0 ? RESULT_OK : RESULT_FAILED, text,
	    "is the network up? are the settings cluster and host right? see /etc/resolv.conf");
	if (found)
		freeaddrinfo(found);
}

static bool mentions(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasestr(text, words[i]))
			return true;
	return false;
}

#define NOT_THAT_FAR "the connection did not get that far"

/* The hub has greeted us on this connection. */
static bool is_established(const json_t *hub)
{
	return *ctl_text(hub, "socket_id") != '\0';
}

static void check_tls(struct doctor *d, const json_t *hub)
{
	static const char *const words[] = { "certificate", "tls", "ssl" };
	const char *reason = ctl_text(hub, "reason");
	bool ok = is_established(hub), failed = !ok && mentions(reason, words, ARRAY_SIZE(words));

	add(d, "tls", ok ? RESULT_OK : failed ? RESULT_FAILED : RESULT_SKIPPED,
	    ok ? "the hub is the one it should be, or the setting tls is off"
	       : failed ? reason : NOT_THAT_FAR,
	    failed ? "is the clock right? are ca-certificates installed? see setting ca_file" : "");
}

/* Errors of the hub about the app and its key are 4001 to 4009; about the secret, a refusal. */
static bool is_refused(const json_t *hub)
{
	static const char *const words[] = { "signature" };
	long long code = ctl_integer(hub, "last_error_code");

	return (code >= 4001 && code <= 4009) ||
	       mentions(ctl_text(hub, "reason"), words, ARRAY_SIZE(words));
}

static void check_credentials(struct doctor *d, const json_t *hub, bool is_up)
{
	bool failed = !is_up && is_refused(hub);

	add(d, "credentials", is_up ? RESULT_OK : failed ? RESULT_FAILED : RESULT_SKIPPED,
	    is_up ? "the hub accepts app, key and secret"
		  : failed ? ctl_text(hub, "reason") : "the hub has not said anything about them",
	    failed ? "compare app_id, key, secret and cluster with the hub's page of the app; "
		     "`chapi-ctl setup` asks for them again" : "");
}

static void check_subscribed(struct doctor *d, const json_t *hub)
{
	long long n = ctl_integer(hub, "subscribed"), wanted = ctl_integer(hub, "wanted");
	char text[100];

	if (!is_established(hub)) {
		add(d, "subscribed", RESULT_SKIPPED, NOT_THAT_FAR, "");
		return;
	}
	snprintf(text, sizeof(text), "%lld of %lld channels", n, wanted);
	add(d, "subscribed", n == wanted && n > 0 ? RESULT_OK : RESULT_FAILED, text,
	    "is the secret right? are the channels' names allowed (setting channel)?");
}

/* ---- a call to oneself ---- */

/* The first channel on which the hub itself may read. */
static const char *choose_channel(const json_t *hub)
{
	const json_t *channels = json_object_get(hub, "channels"), *channel;
	size_t i;

	json_array_foreach(channels, i, channel) {
		const char *name = json_string_value(channel);

		if (name && strncmp(name, "private-encrypted-", 18) != 0)
			return name;
	}
	return NULL;
}

static void check_round_trip(struct doctor *d, const json_t *hub)
{
	const char *channel = choose_channel(hub);
	char text[400], why[300], hint[300];
	int64_t ms;
	int r;

	if (!channel) {
		add(d, "round trip", RESULT_SKIPPED, "all channels are encrypted", "");
		return;
	}
	r = ctl_trip(d->ctl->conn, channel, ctl_text(hub, "request_event"), &ms, why, sizeof(why));
	if (r == 0)
		snprintf(text, sizeof(text), "a call to oneself through the hub took %lld ms",
			 (long long)ms);
	else
		snprintf(text, sizeof(text), "%s", why);
	snprintf(hint, sizeof(hint), r == -CHAPI_ERR_PERMISSION_DENIED
		 ? "to have it tried, allow it in [policy]: publish = user:root %.200s"
		 : "the event did not come back on %.200s: see the other checks", channel);
	add(d, "round trip", r == 0 ? RESULT_OK : r == -CHAPI_ERR_PERMISSION_DENIED
					? RESULT_SKIPPED : RESULT_FAILED, text, hint);
}

static void check_hub(struct doctor *d)
{
	json_t *status CLEANUP(ctl_free_json) = NULL;
	const json_t *hub;
	char why[300];
	bool is_up;

	if (ask(d, "status", &status, why, sizeof(why)) < 0) {
		add(d, "status", RESULT_FAILED, why, "the gateway does not answer: restart it");
		return;
	}
	hub = json_object_get(status, "hub");
	if (!json_is_object(hub))
		return;
	is_up = strcmp(ctl_text(hub, "state"), "up") == 0;
	check_dns(d, ctl_text(hub, "host"));
	check_tls(d, hub);
	check_credentials(d, hub, is_up);
	check_subscribed(d, hub);
	if (is_up)
		check_round_trip(d, hub);
}

/* ---- all of it ---- */

static void print_check(const json_t *check)
{
	const json_t *ok = json_object_get(check, "ok");

	table_print_field(ctl_text(check, "check"),
			  json_is_null(ok) ? "skipped" : json_is_true(ok) ? "ok" : "FAILED");
	table_print_field("", ctl_text(check, "text"));
	if (*ctl_text(check, "hint")) {
		char hint[1000];

		snprintf(hint, sizeof(hint), "-> %s", ctl_text(check, "hint"));
		table_print_field("", hint);
	}
}

int ctl_doctor(struct ctl *ctl, char *const *args UNUSED, int n UNUSED)
{
	json_t *checks CLEANUP(ctl_free_json) = json_array();
	struct doctor d = { .ctl = ctl, .checks = checks };
	const json_t *check;
	size_t i;
	int status;

	if (check_connection(&d)) {
		check_gateway(&d);
		check_hub(&d);
	}
	if (ctl->json) {
		status = ctl_print_json(checks);
		return status != 0 ? status : d.status;
	}
	json_array_foreach(checks, i, check)
		print_check(check);
	return d.status;
}
