/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl: looks after a gateway, from a shell.
 *
 * The table of subcommands, and which options each has. What they do is in ctl_*.c.
 */
#include <config.h>	/* _GNU_SOURCE: asprintf */

#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ctl.h"

#define ANY 1000	/* arguments */

static const struct cli_option list_options[] = {
	{ "json", '\0', CLI_FLAG, offsetof(struct ctl, json) },
	{ "long", 'l', CLI_FLAG, offsetof(struct ctl, is_long) },
};

static const struct cli_option json_options[] = {
	{ "json", '\0', CLI_FLAG, offsetof(struct ctl, json) },
};

static const struct cli_option count_options[] = {
	{ "json", '\0', CLI_FLAG, offsetof(struct ctl, json) },
	{ "count", 'n', CLI_NUMBER, offsetof(struct ctl, count) },
};

static const struct cli_option time_options[] = {
	{ "json", '\0', CLI_FLAG, offsetof(struct ctl, json) },
	{ "timeout", 't', CLI_TIME, offsetof(struct ctl, timeout_ms) },
};

static const struct cli_option monitor_options[] = {
	{ "json", '\0', CLI_FLAG, offsetof(struct ctl, json) },
	{ "bodies", 'b', CLI_FLAG, offsetof(struct ctl, bodies) },
	{ "count", 'n', CLI_NUMBER, offsetof(struct ctl, count) },
	{ "kinds", 'k', CLI_TEXT, offsetof(struct ctl, kinds) },
};

static const struct cli_option metrics_options[] = {
	{ "json", '\0', CLI_FLAG, offsetof(struct ctl, json) },
	{ "textfile", '\0', CLI_TEXT, offsetof(struct ctl, textfile) },
};

static const struct cli_option setup_options[] = {
	{ "json", '\0', CLI_FLAG, offsetof(struct ctl, json) },
	{ "app-id", '\0', CLI_TEXT, offsetof(struct ctl, setup.app_id) },
	{ "key", '\0', CLI_TEXT, offsetof(struct ctl, setup.key) },
	{ "secret-file", '\0', CLI_TEXT, offsetof(struct ctl, setup.secret_file) },
	{ "cluster", '\0', CLI_TEXT, offsetof(struct ctl, setup.cluster) },
	{ "host", '\0', CLI_TEXT, offsetof(struct ctl, setup.host) },
	{ "port", '\0', CLI_NUMBER, offsetof(struct ctl, setup.port) },
	{ "no-tls", '\0', CLI_FLAG, offsetof(struct ctl, setup.no_tls) },
	{ "ca-file", '\0', CLI_TEXT, offsetof(struct ctl, setup.ca_file) },
	{ "name", '\0', CLI_TEXT, offsetof(struct ctl, setup.name) },
	{ "legacy", '\0', CLI_FLAG, offsetof(struct ctl, setup.legacy) },
	{ "user", '\0', CLI_FLAG, offsetof(struct ctl, setup.user) },
	{ "root", '\0', CLI_TEXT, offsetof(struct ctl, setup.root) },
	{ "member", '\0', CLI_TEXT, offsetof(struct ctl, setup.member) },
	{ "no-check", '\0', CLI_FLAG, offsetof(struct ctl, setup.no_check) },
	{ "start", '\0', CLI_FLAG, offsetof(struct ctl, setup.start) },
	{ "no-start", '\0', CLI_FLAG, offsetof(struct ctl, setup.no_start) },
};

#define OPTIONS(table) table, ARRAY_SIZE(table)

/* help: one line. more: what its own --help says besides. */
struct command {
	const char *name, *args, *help, *more;
	const struct cli_option *options;
	size_t n_options;
	int least, most;	/* arguments */
	ctl_fn run;
};

static const struct command commands[] = {
	{ "list", "[PATTERN]", "the names that there are; -l: with figures",
	  "  -l, --long          policy, calls, failed, running, waiting, average\n"
	  "PATTERN may have a * for any characters; chapi.* shows the gateway's own names.\n",
	  OPTIONS(list_options), 0, 1, ctl_list },
	{ "describe", "NAME", "all about one name", "", OPTIONS(json_options), 1, 1, ctl_describe },
	{ "status", "", "the gateway and its hub", "", OPTIONS(json_options), 0, 0, ctl_status },
	{ "gateways", "", "the gateways that the hub sees", "", OPTIONS(json_options), 0, 0,
	  ctl_gateways },
	{ "stats", "[NAME]", "figures of the gateway, or of a name", "",
	  OPTIONS(json_options), 0, 1, ctl_stats },
	{ "monitor", "[PATTERN...]", "what goes on, live",
	  "  -k, --kinds KINDS   of request,response,api,peer,hub only those\n"
	  "  -b, --bodies        with params and results\n"
	  "  -n, --count N       end after N events\n",
	  OPTIONS(monitor_options), 0, 16, ctl_monitor },
	{ "wait", "NAME...", "until all NAMEs are there; -t TIME: at most",
	  "  -t, --timeout TIME  how long to wait: 500ms, 5s, 2m (default: no limit)\n",
	  OPTIONS(time_options), 1, ANY, ctl_wait },
	{ "pause", "NAME...", "no new calls to NAME", "",
	  OPTIONS(json_options), 1, ANY, ctl_pause },
	{ "resume", "NAME...", "calls to NAME again", "",
	  OPTIONS(json_options), 1, ANY, ctl_resume },
	{ "drain", "NAME...", "no new calls, until none runs; -t TIME: at most",
	  "  -t, --timeout TIME  how long to wait (default: no limit); it goes on draining\n",
	  OPTIONS(time_options), 1, ANY, ctl_drain },
	{ "unregister", "NAME...", "take NAME away from who holds it", "",
	  OPTIONS(json_options), 1, ANY, ctl_unregister },
	{ "ping", "", "does the gateway answer, and how fast; -n N: N times",
	  "  -n, --count N       as often (default: once)\n",
	  OPTIONS(count_options), 0, 0, ctl_ping },
	{ "metrics", "", "figures for Prometheus; --textfile PATH: into a file",
	  "      --textfile PATH  write PATH for the node exporter, whole\n",
	  OPTIONS(metrics_options), 0, 0, ctl_metrics },
	{ "setup", "", "ask for a hub's credentials, try them, write the files",
	  "What is not said here is asked, if there is a terminal.\n"
	  "      --app-id ID, --key KEY  of the app, as the hub's owner shows them\n"
	  "      --secret-file FILE  its secret; \"-\" reads it from standard input\n"
	  "      --cluster NAME      of the hosted service, or else:\n"
	  "      --host HOST, --port N  a server of one's own\n"
	  "      --no-tls            without encryption\n"
	  "      --ca-file FILE      certificates to trust in place of the system's\n"
	  "      --name NAME         of this gateway (default: the host's)\n"
	  "      --legacy            the older library's channel \"chapi\" too\n"
	  "      --user              one's own gateway, not the system's\n"
	  "      --root FOLDER       write below FOLDER, as for an image\n"
	  "      --member USER       lets USER use the system's gateway (group chapi)\n"
	  "      --no-check          do not try whether the hub takes it\n"
	  "      --start, --no-start  the service, without a question\n",
	  OPTIONS(setup_options), 0, 0, ctl_setup },
	{ "doctor", "", "what is wrong, and what to do about it", "",
	  OPTIONS(json_options), 0, 0, ctl_doctor },
	{ "log-level", "LEVEL", "of the gateway: error, warn, info, debug", "",
	  OPTIONS(json_options), 1, 1, ctl_log_level },
	{ "reload", "", "make it read its files again", "",
	  OPTIONS(json_options), 0, 0, ctl_reload },
};

static const char head[] =
	"Usage: chapi-ctl [OPTION...] COMMAND [ARGUMENT...]\n"
	"Looks after a chapi gateway. `chapi-ctl COMMAND --help` tells more of a COMMAND:\n";

static const char tail[] =
	"      --json              the answer as JSON, for programs\n"
	"  -s, --socket PATH       the gateway's socket (default: $CHAPI_SOCKET, ...)\n"
	"  -h, --help; -V, --version\n"
	"Exit status: 0 done; 1 a check failed; else as chapi-call's.\n";

/* ---- help ---- */

/* NULL: no memory. */
static char *make_help(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fputs(head, out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		int n = fprintf(out, "  %s %s", commands[i].name, commands[i].args);

		fprintf(out, "%*s%s\n", n < 26 ? 26 - n : 1, "", commands[i].help);
	}
	fputs(tail, out);
	fclose(out);
	return text;
}

static char *make_command_help(const struct command *command)
{
	char *text;

	if (asprintf(&text,
		     "Usage: chapi-ctl %s [OPTION...]%s%s\n"
		     "%s: %s.\n\n"
		     "%s"
		     "      --json          the answer as JSON, for programs\n"
		     "  -s, --socket PATH   the gateway's socket (default: $CHAPI_SOCKET, then\n"
		     "                      $XDG_RUNTIME_DIR/chapi/gw.sock, then "
		     "/run/chapi/gw.sock)\n"
		     "  -h, --help          print this\n"
		     "  -V, --version       print the version\n",
		     command->name, *command->args ? " " : "", command->args, command->name,
		     command->help, command->more) < 0)
		return NULL;
	return text;
}

/* ---- running ---- */

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Hidden: what a shell's completion asks for. */
static int complete(struct ctl *ctl, char *const *args, int n)
{
	if (n > 0)
		return ctl_complete(ctl, args, n);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		puts(commands[i].name);
	return 0;
}

static int run_command(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
	char *help CLEANUP(cli_free) = make_command_help(command);
	const struct cli cli = { "chapi-ctl", help, command->options, command->n_options };
	int status, n;

	if (!help)
		return ctl_no_memory();
	if (cli_parse(&cli, argc, argv, ctl, &status) != 0)
		return status;
	n = argc - optind;
	if (n < command->least)
		return cli_usage("%s: %s is missing", command->name, command->args);
	if (n > command->most)
		return cli_usage("%s: \"%s\" is too much", command->name,
				 argv[optind + command->most]);
	if (ctl->count == 0)
		return cli_usage("--count: it is 1 or more");
	return command->run(ctl, argv + optind, n);
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	const struct command *command = argc > 0 ? find_command(argv[0]) : NULL;

	if (argc == 0)
		return cli_usage("the COMMAND is missing");
	if (strcmp(argv[0], "complete") == 0)
		return complete(ctl, argv + 1, argc - 1);
	if (!command)
		return cli_usage("\"%s\" is no COMMAND", argv[0]);
	return run_command(ctl, command, argc, argv);
}

int main(int argc, char **argv)
{
	char *help CLEANUP(cli_free) = make_help();
	const struct cli cli = {
		"chapi-ctl", help ? help : "", json_options, ARRAY_SIZE(json_options), true,
	};
	struct ctl ctl = { .count = CTL_COUNT_UNSAID, .setup.port = SETUP_PORT_UNSAID };
	int status;

	/* Whatever the user's, the gateway's texts are UTF-8: the tables ask how wide they are. */
	setlocale(LC_CTYPE, "C.UTF-8");
	if (cli_parse(&cli, argc, argv, &ctl, &status) == 0)
		status = run(&ctl, argc - optind, argv + optind);
	ctl.conn = chapi_close(ctl.conn);
	return cli_end(status);
}
