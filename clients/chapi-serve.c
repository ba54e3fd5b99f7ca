/* SPDX-License-Identifier: MIT */
/*
 * chapi-serve: a command, or a local HTTP service, becomes an API.
 *
 * The command line. What the names are is services.c's, serving them serve.c's.
 */
#include <config.h>

#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "clients/cli.h"
#include "clients/serve.h"
#include "clients/services.h"

static const char help[] =
	"Usage: chapi-serve [OPTION...] NAME -- COMMAND [ARGUMENT...]  {key}: a parameter\n"
	"       chapi-serve [OPTION...] NAME --http URL  |  chapi-serve --from FILE\n"
	"Runs COMMAND for each call of NAME: params in, result out, as JSON or text.\n"
	"  -t, --timeout TIME      ends a command that takes longer: TERM, 2 s later KILL\n"
	"  -c, --concurrency N     so many at once (default: 64); 1: one after the other\n"
	"  -q, --queue N           so many calls may wait beyond that (default: 64)\n"
	"      --max-output SIZE   more output than that is too_large (default: 1M)\n"
	"      --stream            each line is progress, the last one the result\n"
	"      --json, --text      output has to be JSON; is text, whatever it looks like\n"
	"      --allow-dash        values of {key} may begin with \"-\"\n"
	"      --summary TEXT      one line for people\n"
	"      --params JSON, --result JSON  describe the values; or @FILE\n"
	"      --policy POLICY     exclusive, replace, share or standby\n"
	"      --idempotent        doing it twice is harmless\n"
	"      --local             not to be seen through the hub\n"
	"      --http URL          calls are HTTP requests to the service at URL\n"
	"      --from FILE         many names: INI, [NAME] and these options as its keys\n"
	"  -s, --socket PATH       the gateway's socket (default: $CHAPI_SOCKET, ...)\n"
	"  -h, --help              print this\n"
	"  -V, --version           print the version\n"
	"Exit status: 0 ended by a signal; 64 usage; 65 no name; 66 no such file; 69 no\n"
	"gateway; 71 system; 73 name taken; 77 not allowed; 78 FILE is wrong, or options.\n";

struct options {
	struct cli_common common;
	const char *from;
	struct service service;
};

static const struct cli_option options[] = {
	{ "from", '\0', CLI_TEXT, offsetof(struct options, from) },
};

/* Whoever started us may have closed some of 0 to 2: pipes must not end up there. */
static void open_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int read_file(const struct options *o, int n, char **command, struct services *services)
{
	if (n > 0 || command)
		return cli_usage("--from: the names and their commands stand in the file");
	return services_read(services, o->from, &o->service);
}

static int read_line(struct options *o, char **names, int n, char **command,
		     struct services *services)
{
	if (n < 1)
		return cli_usage("the NAME is missing");
	if (n > 1)
		return cli_usage("\"%s\": one NAME only; put -- before the command", names[1]);
	if (!o->service.http && (!command || !*command))
		return cli_usage("the command is missing: chapi-serve %s -- COMMAND", names[0]);
	o->service.name = names[0];
	o->service.argv = command;
	return services_add(services, &o->service);
}

static int run(struct options *o, char **names, int n, char **command)
{
	chapi_conn *conn CLEANUP(cli_close) = NULL;
	struct services services CLEANUP(services_deinit) = { 0 };
	int status = o->from ? read_file(o, n, command, &services)
			     : read_line(o, names, n, command, &services);

	if (status == 0)
		status = cli_connect(&o->common, &conn);
	return status == 0 ? serve(conn, &services) : status;
}

/* The command may have options of its own: only what stands before -- is ours. */
static int find_dashes(int argc, char **argv)
{
	int i = 1;

	while (i < argc && strcmp(argv[i], "--") != 0)
		i++;
	return i;
}

int main(int argc, char **argv)
{
	const struct cli cli = {
		"chapi-serve", help, options, ARRAY_SIZE(options), .more = service_options,
		.n_more = service_n_options, .more_base = offsetof(struct options, service),
	};
	struct options o = { .service = SERVICE_DEFAULTS };
	int dashes = find_dashes(argc, argv), status;
	char **command = dashes < argc ? argv + dashes + 1 : NULL;

	open_standard_fds();
	if (dashes < argc)
		argv[dashes] = NULL;
	if (cli_parse(&cli, dashes, argv, &o, &status) == 0)
		status = run(&o, argv + optind, dashes - optind, command);
	return cli_end(status);
}
