/* SPDX-License-Identifier: MIT */
/*
 * The table of keys, the types its values have, and the checks of single values.
 *
 * A new key is one row here and one member of struct config.
 */
#include "gateway/config_keys.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define SECOND ((uint64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define CHANNEL_CHARS NAME_CHARS "_-=@,.;"
#define PATH_CHARS NAME_CHARS "/-._~!$&'()*+,;=:@%"
#define CHANNEL_LEN_MAX 164	/* of the hub */
#define EVENT_LEN_MAX 188	/* likewise 200: client- and -part may be added */
#define SOCKET_LEN_MAX 107	/* of the system */

/* ---- checks: NULL, or what is wrong and what is allowed ---------------------------------- */

static bool has_only(const char *text, const char *chars)
{
	return text[strspn(text, chars)] == '\0';
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static const char *check_id(const char *text)
{
	return has_only(text, NAME_CHARS "_.-") ?
		NULL : "only letters, digits, '_', '.' and '-' are allowed";
}

static const char *check_name(const char *text)
{
	return strlen(text) <= CONFIG_NAME_MAX && has_only(text, NAME_CHARS "_.-") ?
		NULL : "allowed are up to 64 letters, digits, '_', '.' and '-'";
}

static const char *check_cluster(const char *text)
{
	return has_only(text, NAME_CHARS "-") ?
		NULL : "a cluster is a short name such as eu or mt1";
}

static const char *check_host(const char *text)
{
	if (strstr(text, "://"))
		return "a host name or address without a scheme is wanted; see also the key tls";
	return has_only(text, NAME_CHARS "_.-:") ?
		NULL : "a host name or address is wanted; the port has a key of its own";
}

static const char *check_path(const char *text)
{
	return text[0] == '/' ? NULL : "an absolute path is wanted";
}

static const char *check_socket(const char *text)
{
	return strlen(text) <= SOCKET_LEN_MAX ?
		NULL : "the path of a socket can have at most 107 bytes";
}

/* It stands in an HTTP request as it is. */
static const char *check_prefix(const char *text)
{
	return text[0] == '/' && text[1] && has_only(text, PATH_CHARS) &&
	       text[strlen(text) - 1] != '/' ?
		NULL : "a prefix is written /like/this, with %XX for what is no letter or digit "
		"and without a slash at its end";
}

static const char *check_proxy(const char *text)
{
	return begins(text, "http://") && text[7] ?
		NULL : "a proxy is written http://[USER:PASSWORD@]HOST:PORT";
}

static const char *check_event(const char *text)
{
	if (strlen(text) > EVENT_LEN_MAX)
		return "an event's name can have at most 188 bytes";
	if (begins(text, "pusher:") || begins(text, "pusher_internal:"))
		return "names that begin with pusher: belong to the hub";
	return begins(text, "client-") ?
		"give the name without client-; the gateway takes both forms" : NULL;
}

static const char *check_channel_kind(const char *text)
{
	if (begins(text, "cache-") || begins(text, "private-cache-") ||
	    begins(text, "private-encrypted-cache-") || begins(text, "presence-cache-"))
		return "a cache channel would repeat old requests; use a public or private- one";
	if (begins(text, "presence-"))
		return "presence channels cannot be used; use a public or private- one";
	return NULL;
}

static const char *check_channel(const char *text)
{
	if (strlen(text) > CHANNEL_LEN_MAX)
		return "a channel's name can have at most 164 characters";
	if (!has_only(text, CHANNEL_CHARS))
		return "a channel's name can have letters, digits and _ - = @ , . ;";
	return check_channel_kind(text);
}

static const char *check_reply_channel(const char *text)
{
	if (!begins(text, "private-"))
		return "channels for answers begin with private-";
	return strlen(text) <= CHANNEL_LEN_MAX && has_only(text, CHANNEL_CHARS "*") ?
		NULL : "allowed are up to 164 letters, digits and _ - = @ , . ; and * for any";
}

/* ---- the table --------------------------------------------------------------------------- */

/* The offset of a member that has to be of this type. */
#define AT(t, member) \
	(offsetof(struct config, member) + 0 * sizeof((t *)0 == &((struct config *)0)->member))
#define TEXT(member) .type = CONFIG_TEXT, .offset = AT(char *, member)
#define LIST(member) .type = CONFIG_LIST, .offset = AT(char *, member[0]), \
	.n_offset = AT(size_t, n_##member)
#define SWITCH(member) .type = CONFIG_SWITCH, .offset = AT(bool, member)
#define WORD(t, member, list) .type = CONFIG_WORD, .offset = AT(t, member), .words = list
#define NUMBER(member, lo, hi) .type = CONFIG_NUMBER, .offset = AT(unsigned int, member), \
	.least = lo, .most = hi
#define SIZE(member, lo, hi) .type = CONFIG_SIZE, .offset = AT(size_t, member), \
	.least = lo, .most = hi
#define TIME(member, lo, hi) .type = CONFIG_TIME, .offset = AT(uint64_t, member), \
	.least = lo, .most = hi
#define MODE(member) .type = CONFIG_MODE, .offset = AT(mode_t, member), .most = 0777
#define RULE(right) .type = CONFIG_RULE, .least = right, .reloadable = true

static const char *const levels[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug", NULL,
};
static const char *const visibilities[] = {
	[CONFIG_VISIBILITY_REMOTE] = "remote", [CONFIG_VISIBILITY_LOCAL] = "local", NULL,
};

const struct config_key config_keys[] = {
	{ "pusher", "app_id", TEXT(app_id), .check = check_id,
	  .help = "The app's id, as the hub's owner shows it." },
	{ "pusher", "key", TEXT(key), .check = check_id,
	  .help = "The app's key. It is no secret." },
	{ "pusher", "secret_file", TEXT(secret_file), .check = check_path,
	  .derived = "the service credential pusher-secret",
	  .help = "File with the app's secret, alone on one line; "
	  "others may have no right to it." },
	{ "pusher", "cluster", TEXT(cluster), .check = check_cluster,
	  .help = "Cluster of the hosted service; or else host." },
	{ "pusher", "host", TEXT(host), .check = check_host,
	  .help = "Host of a server of one's own; or else cluster." },
	{ "pusher", "port", NUMBER(port, 1, 65535), .derived = "443, without tls 80",
	  .help = "Port of the WebSocket." },
	{ "pusher", "http_host", TEXT(http_host), .check = check_host, .derived = "as host",
	  .help = "Host of the HTTP API, where answers are published." },
	{ "pusher", "http_port", NUMBER(http_port, 1, 65535), .derived = "as port",
	  .help = "Port of the HTTP API." },
	{ "pusher", "tls", SWITCH(tls), .standard = "yes",
	  .help = "Encrypt the connection and check the server's certificate." },
	{ "pusher", "ca_file", TEXT(ca_file), .check = check_path, .derived = "the system's",
	  .help = "Certificates to trust in place of the system's, in PEM form." },
	{ "pusher", "origin", TEXT(origin),
	  .help = "Origin header of the WebSocket, for servers that want one." },
	{ "pusher", "path_prefix", TEXT(path_prefix), .check = check_prefix,
	  .help = "What stands before /app and /apps in the server's paths." },
	{ "pusher", "sign_with_prefix", SWITCH(sign_with_prefix), .standard = "no",
	  .help = "Sign HTTP requests with the prefix in the path." },
	{ "pusher", "proxy", TEXT(proxy), .check = check_proxy, .login = true,
	  .help = "HTTP proxy for everything; nothing is taken from the environment." },
	{ "pusher", "encryption_master_key_file", TEXT(encryption_master_key_file),
	  .check = check_path, .derived = "the service credential pusher-master-key",
	  .help = "File with the key of the private-encrypted- channels: 32 bytes in base64." },
	{ "pusher", "ping_interval", TIME(ping_interval_ms, 100, 10 * MINUTE), .standard = "30s",
	  .help = "Ask the hub for a sign of life after such a silence." },
	{ "pusher", "pong_timeout", TIME(pong_timeout_ms, 100, 5 * MINUTE), .standard = "20s",
	  .help = "Give the connection up when none comes for so long." },

	{ "gateway", "name", TEXT(name), .check = check_name, .derived = "the host name",
	  .help = "The gateway's name on the hub." },
	{ "gateway", "socket", TEXT(socket), .check = check_socket,
	  .standard = "/run/chapi/gw.sock",
	  .help = "Where local processes connect." },
	{ "gateway", "socket_mode", MODE(socket_mode), .standard = "0660",
	  .help = "Who may connect, as an octal mode." },
	{ "gateway", "socket_group", TEXT(socket_group),
	  .derived = "chapi if that group exists, else the process's own",
	  .help = "Group of the socket." },
	{ "gateway", "state_dir", TEXT(state_dir), .check = check_path,
	  .standard = "/var/lib/chapi",
	  .help = "Where the gateway keeps what has to outlive it." },
	{ "gateway", "default_visibility",
	  WORD(enum config_visibility, default_visibility, visibilities),
	  .standard = "remote", .reloadable = true,
	  .help = "Whether the hub side sees a name that says nothing about it." },
	{ "gateway", "log_level", WORD(enum log_level, log_level, levels), .standard = "info",
	  .reloadable = true, .help = "How much is logged." },
	{ "gateway", "stop_timeout", TIME(stop_timeout_ms, 0, HOUR), .standard = "10s",
	  .reloadable = true,
	  .help = "How long running calls may go on when the gateway is stopped." },
	{ "gateway", "max_message", SIZE(max_message, KIB, 64 * MIB), .standard = "4M",
	  .help = "The largest message on the socket." },

	{ "remote", "channel", LIST(channels), .check = check_channel,
	  .derived = "private-chapi-NAME",
	  .help = "Channels on which requests are taken." },
	{ "remote", "request_event", TEXT(request_event), .check = check_event,
	  .standard = "request", .help = "Event that carries a request." },
	{ "remote", "response_event", TEXT(response_event), .check = check_event,
	  .standard = "response", .help = "Event that carries an answer." },
	{ "remote", "reply_channels", LIST(reply_channels), .check = check_reply_channel,
	  .standard = "private-chapi-*@reply* private-encrypted-chapi-*@reply*",
	  .reloadable = true,
	  .help = "Channels that a request may name for its answer." },
	{ "remote", "answer_unknown", SWITCH(answer_unknown), .standard = "yes",
	  .reloadable = true, .help = "Answer requests for names that nobody has here." },
	{ "remote", "max_event_bytes", SIZE(max_event_bytes, KIB, MIB), .standard = "10240",
	  .help = "The most data that the hub takes in one event." },
	{ "remote", "max_request_bytes", SIZE(max_request_bytes, 0, 16 * MIB), .standard = "0",
	  .help = "The most that it takes in one HTTP request; 0: no such limit." },
	{ "remote", "max_record", SIZE(max_record, 10 * KIB, 64 * MIB), .standard = "1M",
	  .reloadable = true,
	  .help = "The largest request or answer that travels in parts." },
	{ "remote", "max_calls", NUMBER(max_calls, 1, 65536), .standard = "256",
	  .reloadable = true, .help = "Calls of remote callers at once." },
	{ "remote", "max_rate", NUMBER(max_rate, 0, 100000), .standard = "50",
	  .reloadable = true,
	  .help = "New requests of remote callers a second; 0: no limit." },
	{ "remote", "answer_store_time", TIME(answer_store_time_ms, 0, 24 * HOUR),
	  .standard = "10m", .reloadable = true,
	  .help = "How long an answer is kept for a request that comes again." },
	{ "remote", "answer_store_bytes", SIZE(answer_store_bytes, 0, 1024 * MIB),
	  .standard = "4M", .reloadable = true,
	  .help = "Memory for those answers." },
	{ "remote", "daily_messages", NUMBER(daily_messages, 0, 1000000000),
	  .derived = "200000 with cluster, 0 with host", .reloadable = true,
	  .help = "Messages a day that may be used of the hub's quota; 0: no budget." },

	{ "limits", "calls_per_peer", NUMBER(calls_per_peer, 1, 1000000), .standard = "4096",
	  .reloadable = true, .help = "Unanswered calls of one connection." },
	{ "limits", "names_per_peer", NUMBER(names_per_peer, 1, 1000000), .standard = "1024",
	  .reloadable = true, .help = "Names that one connection can register." },
	{ "limits", "pinned_per_peer", SIZE(pinned_per_peer, 64 * KIB, 2047 * MIB),
	  .standard = "16M", .reloadable = true,
	  .help = "Params in memory and output that waits, of one connection." },
	{ "limits", "pinned_total", SIZE(pinned_total, 64 * KIB, 2047 * MIB), .standard = "64M",
	  .reloadable = true, .help = "The same of all together. When others have "
	  "used it up, a connection with less than a thousandth of it waiting may still call: "
	  "an eighth on top of it is kept for the params of such." },
	{ "limits", "output_per_peer", SIZE(output_per_peer, 64 * KIB, 1024 * MIB),
	  .standard = "8M", .reloadable = true,
	  .help = "Output that waits for one connection; at least 2 x max_message." },
	{ "limits", "stalled_after", TIME(stalled_after_ms, SECOND, HOUR), .standard = "30s",
	  .reloadable = true, .help = "A connection that takes no output for so long is closed." },
	{ "limits", "peers", NUMBER(peers, 1, 1000000), .derived = "the open-file limit less 64",
	  .reloadable = true, .help = "Connections at once." },

	{ "timing", "handshake", TIME(handshake_ms, 100, 5 * MINUTE), .standard = "15s",
	  .reloadable = true, .help = "From the name look-up to the hub's greeting." },
	{ "timing", "subscribe", TIME(subscribe_ms, 100, 5 * MINUTE), .standard = "10s",
	  .reloadable = true,
	  .help = "For the hub to answer a subscription; twice as long on each new connection, "
	  "up to probe." },
	{ "timing", "backoff_least", TIME(backoff_least_ms, 10, HOUR), .standard = "1s",
	  .reloadable = true, .help = "Wait before the first new try to connect." },
	{ "timing", "backoff_most", TIME(backoff_most_ms, 10, 24 * HOUR), .standard = "60s",
	  .reloadable = true, .help = "The longest wait." },
	{ "timing", "backoff_reset", TIME(backoff_reset_ms, 0, 24 * HOUR), .standard = "60s",
	  .reloadable = true,
	  .help = "A connection that held for so long lets the waits begin anew." },
	{ "timing", "probe", TIME(probe_ms, 10, 24 * HOUR), .standard = "15m", .reloadable = true,
	  .help = "Longest wait where a try can only fail until somebody does something." },
	{ "timing", "proof_of_life", TIME(proof_of_life_ms, 0, 24 * HOUR), .standard = "0",
	  .reloadable = true, .help = "Send an event to oneself so often; 0: never." },
	{ "timing", "publish_timeout", TIME(publish_timeout_ms, 100, 5 * MINUTE),
	  .standard = "10s", .reloadable = true, .help = "For one HTTP request." },
	{ "timing", "publish_grace", TIME(publish_grace_ms, 0, HOUR), .standard = "60s",
	  .reloadable = true,
	  .help = "Answers are tried again for so long beyond their deadline." },
	{ "timing", "publish_connections", NUMBER(publish_connections, 1, 32), .standard = "4",
	  .reloadable = true, .help = "HTTP connections to the hub at once." },
	{ "timing", "publish_queue", SIZE(publish_queue, 64 * KIB, 256 * MIB), .standard = "4M",
	  .reloadable = true, .help = "Events that wait to be published, in bytes." },
	{ "timing", "batch", NUMBER(batch, 1, 10), .standard = "10", .reloadable = true,
	  .help = "Events in one HTTP request." },

	{ "policy", "call", RULE(CONFIG_RIGHT_CALL),
	  .help = "SUBJECT NAMES: who may call." },
	{ "policy", "register", RULE(CONFIG_RIGHT_REGISTER),
	  .help = "SUBJECT NAMES: who may register names." },
	{ "policy", "list", RULE(CONFIG_RIGHT_LIST),
	  .help = "SUBJECT NAMES: who sees names." },
	{ "policy", "outgoing", RULE(CONFIG_RIGHT_OUTGOING),
	  .help = "SUBJECT GATEWAY/NAMES: who may call other gateways." },
	{ "policy", "publish", RULE(CONFIG_RIGHT_PUBLISH),
	  .help = "SUBJECT CHANNELS: who may publish events." },
	{ "policy", "monitor", RULE(CONFIG_RIGHT_MONITOR),
	  .help = "SUBJECT NAMES: who may watch the calls of others." },
	{ "policy", "admin", RULE(CONFIG_RIGHT_ADMIN),
	  .help = "SUBJECT NAMES: who looks after the gateway." },
};
const size_t config_n_keys = ARRAY_SIZE(config_keys);

const struct config_key *config_key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < config_n_keys; i++)
		if (strcmp(config_keys[i].section, section) == 0 &&
		    strcmp(config_keys[i].name, name) == 0)
			return &config_keys[i];
	return NULL;
}

bool config_section_is_known(const char *section)
{
	for (size_t i = 0; i < config_n_keys; i++)
		if (strcmp(config_keys[i].section, section) == 0)
			return true;
	return false;
}

/* ---- numbers with units ------------------------------------------------------------------ */

struct unit {
	const char *name;
	uint64_t factor;
};

/* The largest come first, so that printing takes the first that fits. */
static const struct unit time_units[] = {
	{ "h", HOUR }, { "m", MINUTE }, { "s", SECOND }, { "ms", 1 }, { NULL, 0 },
};
static const struct unit size_units[] = { { "M", MIB }, { "K", KIB }, { "", 1 }, { NULL, 0 } };
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

static const struct unit *units_of(enum config_type type)
{
	return type == CONFIG_TIME ? time_units : type == CONFIG_SIZE ? size_units : no_units;
}

static const struct unit *unit_find(const struct unit *units, const char *name)
{
	for (; units->name; units++)
		if (strcmp(units->name, name) == 0)
			return units;
	return NULL;
}

/* Digits and a unit. 0 needs none. False: it is not that, or beyond 64 bits. */
static bool parse_quantity(const struct unit *units, const char *text, uint64_t *ret)
{
	const struct unit *unit;
	uint64_t v = 0;

	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
			return false;
	unit = unit_find(units, text);
	if (!unit && (v != 0 || *text))
		return false;
	return !__builtin_mul_overflow(v, unit ? unit->factor : 1, ret);
}

static void format_quantity(const struct unit *units, uint64_t v, char *ret, size_t len)
{
	if (v == 0) {
		snprintf(ret, len, "0");
		return;
	}
	while (v % units->factor != 0)
		units++;
	snprintf(ret, len, "%" PRIu64 "%s", v / units->factor, units->name);
}

/* ---- types: what is allowed, reading, printing ------------------------------------------- */

static void say_range(const struct config_key *key, const char *what, const char *such_as,
		      char *ret, size_t len)
{
	char least[32], most[32];

	format_quantity(units_of(key->type), key->least, least, sizeof(least));
	format_quantity(units_of(key->type), key->most, most, sizeof(most));
	snprintf(ret, len, "%s from %s to %s is allowed%s", what, least, most, such_as);
}

static void say_words(const struct config_key *key, char *ret, size_t len)
{
	size_t n = (size_t)snprintf(ret, len, "allowed are");

	for (const char *const *w = key->words; *w && n < len; w++)
		n += (size_t)snprintf(ret + n, len - n, "%s %s", w == key->words ? "" : ",", *w);
}

static int bad(const struct config_key *key, char *ret, size_t len)
{
	switch (key->type) {
	case CONFIG_NUMBER:
		say_range(key, "a number", "", ret, len);
		break;
	case CONFIG_SIZE:
		say_range(key, "a size", ", such as 512, 64K or 4M", ret, len);
		break;
	case CONFIG_TIME:
		say_range(key, "a time", ", such as 500ms, 10s, 5m or 1h", ret, len);
		break;
	case CONFIG_WORD:
		say_words(key, ret, len);
		break;
	case CONFIG_MODE:
		snprintf(ret, len, "an octal mode from 0000 to 0777 is allowed, such as 0660");
		break;
	default:
		snprintf(ret, len, "yes or no is allowed");
	}
	return CONFIG_KEY_E_BAD;
}

static void *place(const struct config_key *key, struct config *config)
{
	return (char *)config + key->offset;
}

static const void *place_const(const struct config_key *key, const struct config *config)
{
	return (const char *)config + key->offset;
}

static int set_quantity(const struct config_key *key, const char *text, void *at, char *why,
			size_t why_len)
{
	uint64_t v;

	if (!parse_quantity(units_of(key->type), text, &v) || v < key->least || v > key->most)
		return bad(key, why, why_len);
	if (key->type == CONFIG_NUMBER)
		*(unsigned int *)at = (unsigned int)v;
	else if (key->type == CONFIG_SIZE)
		*(size_t *)at = (size_t)v;
	else
		*(uint64_t *)at = v;
	return 0;
}

static int set_switch(const struct config_key *key, const char *text, void *at, char *why,
		      size_t why_len)
{
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return bad(key, why, why_len);
	*(bool *)at = text[0] == 'y';
	return 0;
}

static int set_word(const struct config_key *key, const char *text, void *at, char *why,
		    size_t why_len)
{
	for (unsigned int i = 0; key->words[i]; i++)
		if (strcmp(key->words[i], text) == 0) {
			*(unsigned int *)at = i;
			return 0;
		}
	return bad(key, why, why_len);
}

static int set_mode(const struct config_key *key, const char *text, void *at, char *why,
		    size_t why_len)
{
	unsigned long v = strtoul(text, NULL, 8);

	if (!has_only(text, "01234567") || v > key->most)
		return bad(key, why, why_len);
	*(mode_t *)at = (mode_t)v;
	return 0;
}

/* A text of its own, checked. */
static int take_text(const struct config_key *key, const char *text, size_t len, char **ret,
		     char *why, size_t why_len)
{
	char *copy = strndup(text, len);
	const char *wrong = copy && key->check ? key->check(copy) : NULL;

	if (!copy)
		return -ENOMEM;
	if (!wrong) {
		*ret = copy;
		return 0;
	}
	snprintf(why, why_len, "%s", wrong);
	free(copy);
	return CONFIG_KEY_E_BAD;
}

static int set_text(const struct config_key *key, const char *text, void *at, char *why,
		    size_t why_len)
{
	char *copy = NULL;
	int r = take_text(key, text, strlen(text), &copy, why, why_len);

	if (r != 0)
		return r;
	free(*(char **)at);
	*(char **)at = copy;
	return 0;
}

/* Where the number of a list's members is. */
static size_t *count_place(const struct config_key *key, struct config *config)
{
	return (size_t *)(void *)((char *)config + key->n_offset);
}

static int set_list(const struct config_key *key, const char *text, struct config *config,
		    char *why, size_t why_len)
{
	char **list = place(key, config);
	size_t *n = count_place(key, config);

	config_key_clear(key, config);
	for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
		size_t len = strcspn(text, " \t");
		int r;

		if (*n == CONFIG_CHANNELS_MAX) {
			snprintf(why, why_len, "at most %d are allowed", CONFIG_CHANNELS_MAX);
			return CONFIG_KEY_E_BAD;
		}
		r = take_text(key, text, len, &list[*n], why, why_len);
		if (r != 0)
			return r;
		(*n)++;
		text += len;
	}
	return 0;
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

int config_key_set(const struct config_key *key, const char *text, struct config *config,
		   char *why, size_t why_len)
{
	void *at = place(key, config);

	if (!*text || !is_printable(text)) {
		snprintf(why, why_len, *text ? "control characters are not allowed" :
			 "a value is wanted; leave the line out for the default");
		return CONFIG_KEY_E_BAD;
	}
	switch (key->type) {
	case CONFIG_TEXT:
		return set_text(key, text, at, why, why_len);
	case CONFIG_LIST:
		return set_list(key, text, config, why, why_len);
	case CONFIG_SWITCH:
		return set_switch(key, text, at, why, why_len);
	case CONFIG_WORD:
		return set_word(key, text, at, why, why_len);
	case CONFIG_MODE:
		return set_mode(key, text, at, why, why_len);
	default:
		return set_quantity(key, text, at, why, why_len);
	}
}

static size_t list_count(const struct config_key *key, const struct config *config)
{
	return *(const size_t *)(const void *)((const char *)config + key->n_offset);
}

bool config_key_is_set(const struct config_key *key, const struct config *config)
{
	if (key->type == CONFIG_TEXT)
		return *(char *const *)place_const(key, config) != NULL;
	if (key->type == CONFIG_LIST)
		return list_count(key, config) > 0;
	return key->type != CONFIG_NUMBER ||
	       *(const unsigned int *)place_const(key, config) >= key->least;
}

void config_key_clear(const struct config_key *key, struct config *config)
{
	char **list = place(key, config);
	size_t n = 0;

	if (key->type == CONFIG_LIST) {
		n = list_count(key, config);
		*count_place(key, config) = 0;
	} else if (key->type == CONFIG_TEXT) {
		n = 1;
	}
	for (size_t i = 0; i < n; i++) {
		free(list[i]);
		list[i] = NULL;
	}
}

/* Bytes that the value takes in struct config; of texts those of the pointers. */
static size_t value_size(const struct config_key *key)
{
	static const size_t sizes[] = {
		[CONFIG_TEXT] = sizeof(char *),
		[CONFIG_LIST] = CONFIG_CHANNELS_MAX * sizeof(char *),
		[CONFIG_SWITCH] = sizeof(bool), [CONFIG_WORD] = sizeof(unsigned int),
		[CONFIG_NUMBER] = sizeof(unsigned int), [CONFIG_SIZE] = sizeof(size_t),
		[CONFIG_TIME] = sizeof(uint64_t), [CONFIG_MODE] = sizeof(mode_t), [CONFIG_RULE] = 0,
	};

	return sizes[key->type];
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same_list(const struct config_key *key, const struct config *a,
			 const struct config *b)
{
	char *const *x = place_const(key, a), *const *y = place_const(key, b);
	size_t n = list_count(key, a);

	if (list_count(key, b) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(x[i], y[i]) != 0)
			return false;
	return true;
}

/* The first rule of a right at i or behind it; NULL: there is none. *i is behind it then. */
static const struct config_rule *next_rule(const struct config *config, enum config_right right,
					   size_t *i)
{
	while (*i < config->n_rules) {
		const struct config_rule *rule = &config->rules[(*i)++];

		if (rule->right == right)
			return rule;
	}
	return NULL;
}

static bool are_same_rules(enum config_right right, const struct config *a, const struct config *b)
{
	const struct config_rule *x, *y;
	size_t i = 0, k = 0;

	do {
		x = next_rule(a, right, &i);
		y = next_rule(b, right, &k);
		if (x && y && (strcmp(x->subject, y->subject) != 0 ||
			       strcmp(x->pattern, y->pattern) != 0))
			return false;
	} while (x && y);
	return !x && !y;
}

bool config_key_equals(const struct config_key *key, const struct config *a, const struct config *b)
{
	const void *x = place_const(key, a), *y = place_const(key, b);

	switch (key->type) {
	case CONFIG_TEXT:
		return is_same_text(*(char *const *)x, *(char *const *)y);
	case CONFIG_LIST:
		return is_same_list(key, a, b);
	case CONFIG_RULE:
		return are_same_rules((enum config_right)key->least, a, b);
	default:
		return memcmp(x, y, value_size(key)) == 0;
	}
}

static void swap_bytes(void *a, void *b, size_t len)
{
	unsigned char *x = a, *y = b;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = x[i];

		x[i] = y[i];
		y[i] = c;
	}
}

void config_key_swap(const struct config_key *key, struct config *a, struct config *b)
{
	swap_bytes(place(key, a), place(key, b), value_size(key));
	if (key->type == CONFIG_LIST)
		swap_bytes((char *)a + key->n_offset, (char *)b + key->n_offset, sizeof(size_t));
}

/* The password of "http://USER:PASSWORD@HOST" is left out. */
static void print_text(const char *text, FILE *out)
{
	const char *scheme = strstr(text, "://"), *at = strrchr(text, '@');

	if (scheme && at && at > scheme)
		fprintf(out, "%.*s(hidden)%s", (int)(scheme + 3 - text), text, at);
	else
		fputs(text, out);
}

static void print_list(const struct config_key *key, const struct config *config, FILE *out)
{
	char *const *list = place_const(key, config);

	for (size_t i = 0; i < list_count(key, config); i++)
		fprintf(out, "%s%s", i ? " " : "", list[i]);
}

void config_key_print(const struct config_key *key, const struct config *config, FILE *out)
{
	const void *at = place_const(key, config);
	char text[32] = "";

	if (key->type == CONFIG_TEXT)
		print_text(*(char *const *)at ? *(char *const *)at : "", out);
	else if (key->type == CONFIG_LIST)
		print_list(key, config, out);
	else if (key->type == CONFIG_SWITCH)
		fputs(*(const bool *)at ? "yes" : "no", out);
	else if (key->type == CONFIG_WORD)
		fputs(key->words[*(const unsigned int *)at], out);
	else if (key->type == CONFIG_MODE)
		fprintf(out, "%04o", (unsigned int)*(const mode_t *)at);
	else if (key->type == CONFIG_NUMBER)
		fprintf(out, "%u", *(const unsigned int *)at);
	else if (key->type == CONFIG_SIZE)
		format_quantity(size_units, *(const size_t *)at, text, sizeof(text));
	else
		format_quantity(time_units, *(const uint64_t *)at, text, sizeof(text));
	fputs(text, out);
}

/* ---- rules ------------------------------------------------------------------------------- */

static bool is_subject(const char *text, size_t len)
{
	return (len == 1 && *text == '*') || (len == 6 && begins(text, "remote")) ||
	       (len > 5 && begins(text, "user:")) || (len > 6 && begins(text, "group:"));
}

int config_rule_parse(enum config_right right, const char *text, struct config_rule *ret_rule,
		      char *why, size_t why_len)
{
	size_t len = strcspn(text, " \t");
	const char *pattern = text + len + strspn(text + len, " \t");
	struct config_rule rule = { .right = right };

	if (!is_subject(text, len) || !*pattern || pattern[strcspn(pattern, " \t")] ||
	    !is_printable(pattern)) {
		snprintf(why, why_len, "a rule is SUBJECT PATTERN; a subject is user:NAME, "
			 "group:NAME, remote or *");
		return CONFIG_KEY_E_BAD;
	}
	rule.subject = strndup(text, len);
	rule.pattern = strdup(pattern);
	if (!rule.subject || !rule.pattern) {
		free(rule.subject);
		free(rule.pattern);
		return -ENOMEM;
	}
	*ret_rule = rule;
	return 0;
}
