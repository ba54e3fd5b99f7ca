/* SPDX-License-Identifier: MIT */
/*
 * The table of keys, and what a text that is the value of one has to look like.
 *
 * A new key is one row here and one member of struct config. Reading and printing values of the
 * types that there are is config_values.c.
 */
#include "gateway/config_keys.h"

#include <errno.h>

#include "gateway/channel_name.h"
#include "gateway/proxy.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define SECOND ((uint64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define PATH_CHARS NAME_CHARS "/-._~!$&'()*+,;=:@%"
#define EVENT_LEN_MAX 188	/* of the hub 200: client- and -part may be added */
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
	CLEANUP(proxy_deinit) struct proxy proxy = PROXY_NULL;
	int r = begins(text, "http://") ? proxy_init(&proxy, text) : 0;

	switch (r) {
	case 0:
		return proxy.host && *proxy.host ?
			NULL : "a proxy is written http://[USER:PASSWORD@]HOST:PORT";
	case -E2BIG:
		return "user and password of a proxy can have at most 90 bytes in all";
	case -EINVAL:
		return "user and password of a proxy can have no control characters";
	default:
		return "no memory";
	}
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
	const char *wrong = channel_name_check(span_str(text));

	return wrong ? wrong : check_channel_kind(text);
}

static const char *check_reply_channel(const char *text)
{
	if (!begins(text, "private-"))
		return "channels for answers begin with private-";
	return channel_name_is_pattern(span_str(text)) ?
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
	  .help = "HTTP proxy for everything, at port 3128 if it names none; in user and "
	  "password %XX is the character of that code, as %40 is an @, and they have at most 90 "
	  "bytes in all. Nothing is taken from the environment." },
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
	  .reloadable = true,
	  .help = "Answer requests for names that nobody has here. With no, nothing at all is "
	  "said of them, nor of parts that make no request and name no gateway: for a channel on "
	  "which other gateways listen, too." },
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
	  .help = "How long an answer is kept for a request that comes again. After that, and with 0 "
	  "always, a repeat of what may have run is not run: its caller gets answer_lost." },
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
	  .help = "For the hub to answer a subscription; twice as long each time it does not, "
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
	  .help = "Answers are tried again for so long beyond their deadline, and for a second "
		  "at least." },
	{ "timing", "publish_connections", NUMBER(publish_connections, 1, 32), .standard = "4",
	  .reloadable = true, .help = "HTTP connections to the hub at once." },
	{ "timing", "publish_queue", SIZE(publish_queue, 64 * KIB, 256 * MIB), .standard = "4M",
	  .reloadable = true, .help = "Events that wait to be published, in bytes." },
	{ "timing", "batch", NUMBER(batch, 1, 10), .standard = "10", .reloadable = true,
	  .help = "Events in one HTTP request; fewer wait up to 2 ms for more while another is "
		  "under way." },

	{ "policy", "call", RULE(CONFIG_RIGHT_CALL),
	  .help = "SUBJECT NAMES: who may call. "
		  "Without a rule: everybody." },
	{ "policy", "register", RULE(CONFIG_RIGHT_REGISTER),
	  .help = "SUBJECT NAMES: who may register names. "
		  "Without a rule: everybody." },
	{ "policy", "list", RULE(CONFIG_RIGHT_LIST),
	  .help = "SUBJECT NAMES: who sees names. "
		  "Without a rule: everybody." },
	{ "policy", "outgoing", RULE(CONFIG_RIGHT_OUTGOING),
	  .help = "SUBJECT GATEWAY/NAMES: who may call other gateways. "
		  "Without a rule: everybody." },
	{ "policy", "publish", RULE(CONFIG_RIGHT_PUBLISH),
	  .help = "SUBJECT CHANNELS: who may publish events. "
		  "Without a rule: root and the gateway's user." },
	{ "policy", "monitor", RULE(CONFIG_RIGHT_MONITOR),
	  .help = "SUBJECT NAMES: who may watch the calls of others. "
		  "Without a rule: root and the gateway's user." },
	{ "policy", "admin", RULE(CONFIG_RIGHT_ADMIN),
	  .help = "SUBJECT NAMES: who looks after the gateway. "
		  "Without a rule: root and the gateway's user." },
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
