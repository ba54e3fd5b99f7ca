/* SPDX-License-Identifier: MIT */
/*
 * chapi-gw: options and exit status, nothing else. It stays in the foreground; daemons are
 * the service manager's business.
 */
#include <config.h>

#include <getopt.h>
#include <stdio.h>

#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/rights.h"

enum { STATUS_USAGE = 64, STATUS_IO = 74 };

enum action { ACT_RUN, ACT_CHECK, ACT_PRINT, ACT_PRINT_SAMPLE, ACT_HELP, ACT_VERSION };

static const char help[] =
	"Usage: chapi-gw [OPTION...]\n"
	"Serves function calls between local processes, and from a hub (Pusher Channels\n"
	"or a compatible server) to them.\n"
	"\n"
	"  -c, --config FILE          read FILE, not " PACKAGE_SYSCONFDIR "/chapi/chapi-gw.conf; then\n"
	"                             FILE.d/*.conf\n"
	"  -u, --user                 the user's own configuration and socket\n"
	"  -s, --socket PATH          where local processes connect\n"
	"  -l, --log-level LEVEL      error, warn, info or debug\n"
	"      --check-config         say whether the configuration is right, and who may\n"
	"                             do what\n"
	"      --print-config         print the configuration that holds, secrets hidden\n"
	"      --print-sample-config  print every key with its default and what it is for\n"
	"  -h, --help                 print this\n"
	"  -V, --version              print the version\n"
	"\n"
	"Signals: TERM and INT stop it, a second one at once; HUP reads the files again,\n"
	"and connects to the hub now if it waits.\n"
	"Exit status: 0 stopped or printed; 64 wrong usage; 66 a file cannot be read; 69\n"
	"the socket cannot be had; 70 trouble of its own; 74 output failed; 78 the\n"
	"configuration is wrong.\n"
	"With all defaults, local calls only: chapi-gw --config /dev/null --socket PATH\n";

enum { OPT_CHECK = 256, OPT_PRINT, OPT_PRINT_SAMPLE };

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "user", no_argument, NULL, 'u' },
	{ "socket", required_argument, NULL, 's' },
	{ "log-level", required_argument, NULL, 'l' },
	{ "check-config", no_argument, NULL, OPT_CHECK },
	{ "print-config", no_argument, NULL, OPT_PRINT },
	{ "print-sample-config", no_argument, NULL, OPT_PRINT_SAMPLE },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* One option; false: it is not known (and getopt has said so). */
static bool take_option(int option, struct config_options *ret_options, enum action *ret_action)
{
	switch (option) {
	case 'c':
		ret_options->file = optarg;
		return true;
	case 'u':
		ret_options->user = true;
		return true;
	case 's':
		ret_options->socket = optarg;
		return true;
	case 'l':
		ret_options->log_level = optarg;
		return true;
	case OPT_CHECK:
		*ret_action = ACT_CHECK;
		return true;
	case OPT_PRINT:
		*ret_action = ACT_PRINT;
		return true;
	case OPT_PRINT_SAMPLE:
		*ret_action = ACT_PRINT_SAMPLE;
		return true;
	case 'h':
		*ret_action = ACT_HELP;
		return true;
	case 'V':
		*ret_action = ACT_VERSION;
		return true;
	default:
		return false;
	}
}

static int parse(int argc, char **argv, struct config_options *ret_options, enum action *ret_action)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:us:l:hV", options, NULL)) != -1)
		if (!take_option(option, ret_options, ret_action))
			goto usage;
	if (optind == argc)
		return 0;
	fprintf(stderr, "chapi-gw: \"%s\": no arguments are taken\n", argv[optind]);
usage:
	fputs("Try `chapi-gw --help`.\n", stderr);
	return STATUS_USAGE;
}

static void print_check(const struct config_options *o, const struct config *config)
{
	char path[512];

	config_path(o, path, sizeof(path));
	printf("%s: ok\n", path);
	rights_print(config, stdout);
}

static int act(enum action action, const struct config_options *o, struct config *config)
{
	if (action == ACT_CHECK)
		print_check(o, config);
	else if (action == ACT_PRINT)
		config_print(config, stdout);
	else
		return gateway_run(config, o);
	return 0;
}

static int with_config(enum action action, const struct config_options *o)
{
	struct config_fault fault;
	struct config config;
	int status;

	log_open(LOG_LEVEL_INFO);
	if (config_load(o, &config, &fault) != 0) {
		log_error("config", "%s", fault.text);
		return fault.status;
	}
	log_set_level(config.log_level);
	status = act(action, o, &config);
	config_deinit(&config);
	return status;
}

int main(int argc, char **argv)
{
	struct config_options o = { 0 };
	enum action action = ACT_RUN;
	int status = parse(argc, argv, &o, &action);

	if (status != 0)
		return status;
	if (action == ACT_HELP)
		fputs(help, stdout);
	else if (action == ACT_VERSION)
		puts("chapi-gw " PACKAGE_VERSION);
	else if (action == ACT_PRINT_SAMPLE)
		config_print_sample(stdout);
	else
		status = with_config(action, &o);
	if (fflush(stdout) != 0) {
		perror("chapi-gw: standard output");
		return STATUS_IO;
	}
	return status;
}
