/* SPDX-License-Identifier: MIT */
/*
 * chapi-hub: options and exit status, nothing else.
 *
 * Not a service for the open net: there is no limit on who connects, and one app. Hence it
 * listens beyond loopback only when that is said in as many words.
 */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/log.h"
#include "gateway/secret.h"
#include "gateway/sign.h"
#include "tests/hub/server.h"

#define TIME_MAX_MS (24 * 3600 * 1000)
#define EVENT_BYTES_MAX (512 * 1024)	/* a request to the HTTP API has to hold it, escaped */
#define NAME_MAX_LEN 64
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

enum {
	STATUS_USAGE = 64, STATUS_NO_INPUT = 66, STATUS_UNAVAILABLE = 69, STATUS_INTERNAL = 70,
	STATUS_IO = 74, STATUS_CONFIG = 78,
};

enum action { ACT_RUN, ACT_HELP, ACT_VERSION };

struct hub_options {
	enum action action;
	struct server_settings settings;
	const char *secret_file;
	bool anywhere;
	char address[INET_ADDRSTRLEN];
	char id[NAME_MAX_LEN + 1], key[NAME_MAX_LEN + 1];
};

static const char help[] =
	"Usage: chapi-hub --app ID:KEY --secret-file FILE [OPTION...]\n"
	"A hub on loopback: WebSocket and HTTP API as of Pusher Channels, for one app. To\n"
	"try chapi without an account, and to test it. Says \"listening on ADDRESS:PORT\"\n"
	"when it is ready.\n"
	"\n"
	"      --app ID:KEY              the app; letters, digits, '_' and '-'\n"
	"      --secret-file FILE        its secret, one word; not readable by others\n"
	"      --listen ADDRESS:PORT     default 127.0.0.1:6001; port 0: any free one\n"
	"      --listen-anywhere         allow an address that is not on loopback\n"
	"      --tls-cert FILE           wss and https: certificate chain, PEM\n"
	"      --tls-key FILE            and its key\n"
	"      --activity-timeout TIME   of silence until a client pings; default 120s\n"
	"      --pong-timeout TIME       for its answer to a ping; default 30s\n"
	"      --http-timeout TIME       for the body of a request; default 30s\n"
	"      --max-event-bytes N       of an event's data; default 10240\n"
	"      --script FILE             faults to play, a rule a line: chapi-hub(1)\n"
	"      --control PATH            Unix socket that takes such lines meanwhile\n"
	"  -l, --log-level LEVEL         error, warn, info or debug; default info\n"
	"  -h, --help                    print this\n"
	"  -V, --version                 print the version\n"
	"\n"
	"A TIME is a number with ms, s or m. Signals: TERM and INT stop it; clients are\n"
	"asked to come back (4200).\n"
	"Exit status: 0 stopped or printed; 64 wrong usage; 66 a file cannot be read; 69\n"
	"the address or the control socket cannot be had; 70 trouble of its own; 74\n"
	"output failed; 78 the secret, the certificate, its key or the script is of no\n"
	"use.\n";

enum {
	OPT_APP = 256, OPT_SECRET_FILE, OPT_LISTEN, OPT_ANYWHERE, OPT_TLS_CERT, OPT_TLS_KEY,
	OPT_ACTIVITY, OPT_PONG, OPT_HTTP, OPT_EVENT_BYTES, OPT_SCRIPT, OPT_CONTROL,
};

static const struct option options[] = {
	{ "app", required_argument, NULL, OPT_APP },
	{ "secret-file", required_argument, NULL, OPT_SECRET_FILE },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "listen-anywhere", no_argument, NULL, OPT_ANYWHERE },
	{ "tls-cert", required_argument, NULL, OPT_TLS_CERT },
	{ "tls-key", required_argument, NULL, OPT_TLS_KEY },
	{ "activity-timeout", required_argument, NULL, OPT_ACTIVITY },
	{ "pong-timeout", required_argument, NULL, OPT_PONG },
	{ "http-timeout", required_argument, NULL, OPT_HTTP },
	{ "max-event-bytes", required_argument, NULL, OPT_EVENT_BYTES },
	{ "script", required_argument, NULL, OPT_SCRIPT },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "log-level", required_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int PRINTF(2, 3) fail(int status, const char *fmt, ...)
{
	va_list args;

	fputs("chapi-hub: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

/* ---- values of options: 0, or the exit status, after having said what is wrong ------------- */

/* Digits at the beginning; false: none, or too large. */
static bool read_number(const char *text, uint64_t most, uint64_t *ret, const char **ret_rest)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	*ret_rest = end;
	return errno == 0 && *ret <= most;
}

static int take_time(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 } };
	const char *unit;
	uint64_t n;

	if (read_number(text, TIME_MAX_MS, &n, &unit))
		for (size_t i = 0; i < ARRAY_SIZE(units); i++)
			if (strcmp(unit, units[i].name) == 0 && n > 0 &&
			    n * units[i].ms <= TIME_MAX_MS) {
				*ret_ms = n * units[i].ms;
				return 0;
			}
	return fail(STATUS_USAGE, "\"%s\": a time is a number with ms, s or m, more than "
		    "nothing and up to a day", text);
}

static int take_log_level(const char *text)
{
	static const char *const words[] = { "error", "warn", "info", "debug" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(text, words[i]) == 0) {
			log_set_level((enum log_level)i);
			return 0;
		}
	return fail(STATUS_USAGE, "\"%s\": a log level is error, warn, info or debug", text);
}

static bool is_name(const char *text, size_t len)
{
	return len > 0 && len <= NAME_MAX_LEN && strspn(text, NAME_CHARS) == len;
}

static int take_app(const char *text, struct hub_options *o)
{
	size_t id_len = strcspn(text, ":");
	const char *key = text[id_len] ? text + id_len + 1 : "";

	if (!is_name(text, id_len) || !is_name(key, strlen(key)))
		return fail(STATUS_USAGE, "\"%s\": --app takes ID:KEY, each 1 to %d letters, "
			    "digits, '_' or '-'", text, NAME_MAX_LEN);
	snprintf(o->id, sizeof(o->id), "%.*s", (int)id_len, text);
	snprintf(o->key, sizeof(o->key), "%s", key);
	o->settings.app.id = o->id;
	o->settings.app.key = o->key;
	return 0;
}

static int take_listen(const char *text, struct hub_options *o)
{
	size_t len = strcspn(text, ":");
	struct in_addr address;
	const char *rest;
	uint64_t port;

	if (text[len] == ':' && len < sizeof(o->address) &&
	    read_number(text + len + 1, 65535, &port, &rest) && *rest == '\0') {
		snprintf(o->address, sizeof(o->address), "%.*s", (int)len, text);
		if (inet_pton(AF_INET, o->address, &address) == 1) {
			o->settings.port = (unsigned int)port;
			return 0;
		}
	}
	return fail(STATUS_USAGE, "\"%s\": --listen takes ADDRESS:PORT, an IPv4 address in "
		    "digits and 0 to 65535", text);
}

static int take_event_bytes(const char *text, struct hub_options *o)
{
	const char *rest;
	uint64_t n;

	if (!read_number(text, EVENT_BYTES_MAX, &n, &rest) || *rest || n == 0)
		return fail(STATUS_USAGE,
			    "\"%s\": --max-event-bytes takes a number from 1 to %d",
			    text, EVENT_BYTES_MAX);
	o->settings.app.event_max = (size_t)n;
	return 0;
}

/* ---- the command line --------------------------------------------------------------------- */

static int take_option(int option, struct hub_options *o)
{
	switch (option) {
	case OPT_APP:
		return take_app(optarg, o);
	case OPT_SECRET_FILE:
		o->secret_file = optarg;
		return 0;
	case OPT_LISTEN:
		return take_listen(optarg, o);
	case OPT_ANYWHERE:
		o->anywhere = true;
		return 0;
	case OPT_TLS_CERT:
		o->settings.tls_cert = optarg;
		return 0;
	case OPT_TLS_KEY:
		o->settings.tls_key = optarg;
		return 0;
	case OPT_ACTIVITY:
		return take_time(optarg, &o->settings.app.activity_timeout_ms);
	case OPT_PONG:
		return take_time(optarg, &o->settings.app.pong_timeout_ms);
	case OPT_HTTP:
		return take_time(optarg, &o->settings.http_timeout_ms);
	case OPT_EVENT_BYTES:
		return take_event_bytes(optarg, o);
	case OPT_SCRIPT:
		o->settings.script = optarg;
		return 0;
	case OPT_CONTROL:
		o->settings.control = optarg;
		return 0;
	case 'l':
		return take_log_level(optarg);
	case 'h':
		o->action = ACT_HELP;
		return 0;
	case 'V':
		o->action = ACT_VERSION;
		return 0;
	default:
		return STATUS_USAGE;	/* getopt has said why */
	}
}

static int check_together(const struct hub_options *o)
{
	if (!o->settings.app.id)
		return fail(STATUS_USAGE, "--app ID:KEY is missing");
	if (!o->secret_file)
		return fail(STATUS_USAGE, "--secret-file FILE is missing");
	if (!o->settings.tls_cert != !o->settings.tls_key)
		return fail(STATUS_USAGE, "--tls-cert and --tls-key go together");
	if (!o->anywhere && strncmp(o->address, "127.", 4) != 0)
		return fail(STATUS_USAGE,
			    "%s is not on loopback: --listen-anywhere, if that is meant",
			    o->address);
	return 0;
}

static int parse(int argc, char **argv, struct hub_options *o)
{
	int option, status = 0;

	while (status == 0 && (option = getopt_long(argc, argv, "l:hV", options, NULL)) != -1)
		status = take_option(option, o);
	if (status == 0 && optind < argc)
		status = fail(STATUS_USAGE, "\"%s\": no arguments are taken", argv[optind]);
	if (status == 0 && o->action == ACT_RUN)
		status = check_together(o);
	if (status == STATUS_USAGE)
		fputs("Try `chapi-hub --help`.\n", stderr);
	return status;
}

/* ---- running -------------------------------------------------------------------------------- */

static int run_server(const struct server_settings *settings)
{
	struct server_fault fault;
	struct server *server;
	int r = server_new(settings, &server, &fault);

	if (r > 0)
		return fail(r == SERVER_E_LISTEN ? STATUS_UNAVAILABLE : STATUS_CONFIG, "%s",
			    fault.text);
	if (r < 0)
		return fail(STATUS_INTERNAL, "%s", strerror(-r));
	printf("listening on %s:%u\n", settings->address, server_port(server));
	if (fflush(stdout) == 0)
		r = server_run(server);
	server_free(server);
	return r < 0 ? fail(STATUS_INTERNAL, "%s", strerror(-r)) : 0;
}

static int check_readable(const char *path)
{
	if (!path || access(path, R_OK) == 0)
		return 0;
	return fail(STATUS_NO_INPUT, "%s: %s", path, strerror(errno));
}

static int run(struct hub_options *o)
{
	struct secret secret;
	const char *why;
	int r, status = check_readable(o->settings.tls_cert);

	if (status == 0)
		status = check_readable(o->settings.tls_key);
	if (status == 0)
		status = check_readable(o->settings.script);
	if (status != 0)
		return status;
	r = secret_read(o->secret_file, &secret, &why);
	if (r != 0) {
		status = fail(r == SECRET_E_UNREADABLE ? STATUS_NO_INPUT : STATUS_CONFIG,
			      "secret file %s: %s", o->secret_file, why);
	} else {
		o->settings.app.secret = secret.text;
		status = run_server(&o->settings);
	}
	sign_wipe(&secret, sizeof(secret));
	return status;
}

int main(int argc, char **argv)
{
	struct hub_options o = {
		.address = "127.0.0.1",
		.settings = {
			.address = o.address,
			.port = 6001,
			.http_timeout_ms = 30000,
			.app = {
				.activity_timeout_ms = 120000,
				.pong_timeout_ms = 30000,
				.event_max = 10240,
			},
		},
	};
	int status;

	log_open(LOG_LEVEL_INFO);
	status = parse(argc, argv, &o);
	if (status != 0)
		return status;
	if (o.action == ACT_HELP)
		fputs(help, stdout);
	else if (o.action == ACT_VERSION)
		puts("chapi-hub " PACKAGE_VERSION);
	else
		status = run(&o);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("chapi-hub: standard output");
		return STATUS_IO;
	}
	return status;
}
