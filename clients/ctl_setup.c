/* SPDX-License-Identifier: MIT */
/*
 * chapi-ctl setup: from an app's credentials to a gateway that runs.
 *
 * What the options do not say is asked, if there is a terminal. Then it is tried, written, the
 * service is started, and who called sudo let in, in this order: what a hub does not take is not
 * written. The secret comes from a file, standard input or the terminal, never from the command
 * line.
 */
#include <config.h>	/* _GNU_SOURCE: explicit_bzero */

#include "clients/ctl.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/prompt.h"
#include "clients/setup.h"

#define SECRET_MAX 256
#define OWNED_MAX 16

/* What was asked for, to be freed. */
struct asking {
	struct setup *setup;
	bool is_possible;
	char *owned[OWNED_MAX];
	size_t n_owned;
	char secret[SECRET_MAX + 2];
};

static int ended(int r)
{
	if (r < 0) {
		cli_error("standard input: %s", strerror(-r));
		return CLI_STATUS_NO_INPUT;
	}
	cli_error("nothing has been changed");
	return chapi_exit_status(CHAPI_ERR_CANCELLED);
}

/* ---- questions ---- */

/* As the file that it comes to wants it: no blank, no control character. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return false;
	return true;
}

/* Puts an answer into *text. option: what would have said it. */
static int ask(struct asking *a, const char **text, const char *question, const char *standard,
	       const char *option)
{
	char *answer = NULL;
	int r;

	if (*text)
		return 0;
	if (!a->is_possible)
		return cli_usage("%s is missing, and there is no terminal to ask", option);
	r = prompt_text(question, standard, &answer);
	if (r != 0)
		return ended(r);
	a->owned[a->n_owned++] = answer;
	*text = answer;
	return 0;
}

static int ask_needed(struct asking *a, const char **text, const char *question, const char *option)
{
	int status = ask(a, text, question, NULL, option);

	if (status != 0 || **text)
		return status;
	return cli_usage("%s: it cannot be empty", option);
}

static int ask_port(struct asking *a)
{
	struct setup *s = a->setup;
	const char *text = NULL;
	bool tls = true;
	int status, r;

	if (s->port != SETUP_PORT_UNSAID || !a->is_possible)
		return 0;
	status = ask(a, &text, "Its port (nothing: the usual one)", NULL, "--port");
	if (status != 0)
		return status;
	if (*text && !cli_parse_number(text, &s->port))
		return cli_usage("\"%s\": a port is a number from 1 to 65535", text);
	if (s->no_tls)
		return 0;
	r = prompt_yes("Is the connection encrypted (TLS)?", true, &tls);
	s->no_tls = !tls;
	return r != 0 ? ended(r) : 0;
}

static int ask_hub(struct asking *a)
{
	struct setup *s = a->setup;
	int status;

	if (s->cluster && s->host)
		return cli_usage("--cluster is the hosted service, --host a server of one's own: "
				 "only one of them");
	if (s->cluster)
		return 0;
	if (!s->host) {
		status = ask(a, &s->cluster, "Cluster of the hosted service (nothing: a server "
			     "of your own)", NULL, "--cluster or --host");
		if (status != 0 || *s->cluster)
			return status;
		s->cluster = NULL;
	}
	status = ask_needed(a, &s->host, "Host of the server", "--host");
	return status == 0 ? ask_port(a) : status;
}

static int ask_name(struct asking *a)
{
	char host[65] = "chapi";

	gethostname(host, sizeof(host) - 1);
	host[strcspn(host, ".")] = '\0';
	if (!a->setup->name && !a->is_possible) {
		a->setup->name = a->owned[a->n_owned] = strdup(host);
		return a->owned[a->n_owned++] ? 0 : ctl_no_memory();
	}
	return ask(a, &a->setup->name, "Name of this gateway on the hub", host, "--name");
}

static int ask_legacy(struct asking *a)
{
	int r;

	if (a->setup->legacy || !a->is_possible)
		return 0;
	r = prompt_yes("Serve the older library too (channel chapi, open to who has the key)?",
		       false, &a->setup->legacy);
	return r != 0 ? ended(r) : 0;
}

/* ---- the secret ---- */

/* Into a->secret, where it may stand already. */
static int take_secret(struct asking *a, const char *text, size_t len, const char *name)
{
	if (len > SECRET_MAX || len == 0 || strlen(text) != len || !is_plain(text)) {
		cli_error("%s: the secret is one line, without blanks, up to %d bytes", name,
			  SECRET_MAX);
		return CLI_STATUS_DATA;
	}
	memmove(a->secret, text, len + 1);
	a->setup->secret = a->secret;
	return 0;
}

/* The whole of it is one line. */
static int read_secret(struct asking *a, FILE *in, const char *name)
{
	size_t len = fread(a->secret, 1, sizeof(a->secret) - 1, in);

	if (ferror(in)) {
		cli_error("%s: %s", name, strerror(errno));
		return CLI_STATUS_NO_INPUT;
	}
	a->secret[len] = '\0';
	while (len > 0 && (a->secret[len - 1] == '\r' || a->secret[len - 1] == '\n'))
		a->secret[--len] = '\0';
	return take_secret(a, a->secret, len, name);
}

static bool is_input(const char *path)
{
	return strcmp(path, "-") == 0;
}

static int read_secret_file(struct asking *a, const char *path)
{
	FILE *in;
	int status;

	if (is_input(path))
		return read_secret(a, stdin, "standard input");
	in = fopen(path, "re");
	if (!in) {
		cli_error("--secret-file %s: %s", path, strerror(errno));
		return CLI_STATUS_NO_INPUT;
	}
	status = read_secret(a, in, path);
	fclose(in);
	return status;
}

static int ask_secret(struct asking *a)
{
	char *answer = NULL;
	int r;

	if (a->setup->secret_file && !(is_input(a->setup->secret_file) && a->is_possible))
		return read_secret_file(a, a->setup->secret_file);
	if (!a->is_possible)
		return cli_usage("--secret-file is missing, and there is no terminal to ask");
	r = prompt_secret("The app's secret (it is not shown)", &answer);
	if (r != 0)
		return ended(r);
	r = take_secret(a, answer, strlen(answer), "the secret");
	explicit_bzero(answer, strlen(answer));
	free(answer);
	return r;
}

/* ---- all that is to be known ---- */

/* The gateway's own rule; it is not tried by this name, as one may be running by it. */
static bool is_name(const char *name)
{
	return strlen(name) <= 64 && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstu"
						  "vwxyz0123456789_.-") == strlen(name);
}

static int check_member(const struct setup *s)
{
	if (!s->member)
		return 0;
	if (s->root || s->user)
		return cli_usage("--member is for the system's gateway, where it runs: neither "
				 "--root nor --user");
	if (!getpwnam(s->member))
		return cli_usage("--member \"%s\": there is no such user", s->member);
	if (!getgrnam(SETUP_GROUP))
		return cli_usage("--member: there is no group " SETUP_GROUP " here; is chapi-gw "
				 "installed?");
	return 0;
}

static int check_texts(const struct setup *s)
{
	const char *const texts[] = { s->app_id, s->key, s->cluster, s->host, s->name, s->ca_file };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i] && !is_plain(texts[i]))
			return cli_usage("\"%s\": it has no blanks", texts[i]);
	if (s->name && !is_name(s->name))
		return cli_usage("the name \"%s\": up to 64 letters, digits, '_', '.', '-'",
				 s->name);
	if (s->ca_file && *s->ca_file != '/')
		return cli_usage("--ca-file \"%s\": the service wants a whole path, from / on",
				 s->ca_file);
	if (s->port == 0 || s->port > 65535)
		return cli_usage("--port: it is from 1 to 65535");
	if (s->root && s->user)
		return cli_usage("--root is for the system's gateway, so no --user");
	if (s->root && s->start)
		return cli_usage("--start: what is below --root cannot be started here");
	return check_member(s);
}

static int ask_all(struct asking *a)
{
	struct setup *s = a->setup;
	int status = check_texts(s);

	if (status == 0)
		status = ask_needed(a, &s->app_id, "The app's id", "--app-id");
	if (status == 0)
		status = ask_needed(a, &s->key, "The app's key", "--key");
	if (status == 0)
		status = ask_secret(a);
	if (status == 0)
		status = ask_hub(a);
	if (status == 0)
		status = ask_name(a);
	if (status == 0)
		status = ask_legacy(a);
	return status == 0 ? check_texts(s) : status;
}

/* ---- trying, writing ---- */

static int try_it(struct asking *a, const struct setup_paths *paths)
{
	bool go_on = false;
	int status, r;

	if (a->setup->no_check) {
		status = setup_check(a->setup, paths);
		if (status != 0)
			cli_error("nothing has been changed");
		return status;
	}
	cli_error("trying it ...");
	status = setup_try(a->setup, paths);
	if (status == 0)
		return 0;
	if (!a->is_possible) {
		cli_error("nothing has been changed; --no-check writes it all the same");
		return status;
	}
	r = prompt_yes("Write it all the same?", false, &go_on);
	if (r == 0 && go_on)
		return 0;
	cli_error("nothing has been changed");
	return r != 0 ? ended(r) : status;
}

/* With --json: where the files are. */
static int write_files(const struct ctl *ctl, const struct setup_paths *paths)
{
	json_t *files CLEANUP(ctl_free_json) = NULL;
	int status = setup_write(&ctl->setup, paths);

	if (status != 0 || !ctl->json)
		return status;
	files = json_pack("{s:s, s:s, s:s?}", "settings", paths->settings, "secret", paths->secret,
			  "unit", paths->unit);
	return ctl_print_json(files);
}

static int try_and_write(const struct ctl *ctl, struct asking *a)
{
	struct setup_paths paths CLEANUP(setup_free_paths) = { NULL, NULL, NULL };
	int r = setup_find_paths(a->setup, &paths), status;

	if (r < 0) {
		cli_error("the files: %s", r == -EINVAL ? "$HOME and $XDG_CONFIG_HOME are not set"
							: strerror(-r));
		return CLI_STATUS_SYSTEM;
	}
	status = try_it(a, &paths);
	return status == 0 ? write_files(ctl, &paths) : status;
}

/* ---- the service, and who may use it ---- */

static int start_it(const struct asking *a)
{
	bool wanted = a->setup->start;
	int r = 0;

	if (a->setup->root || a->setup->no_start)
		return 0;
	if (!wanted && a->is_possible)
		r = prompt_yes("Start the service now?", true, &wanted);
	if (r == 0 && wanted)
		return setup_start(a->setup);
	cli_error("to start it: systemctl%s enable --now chapi-gw.service",
		  a->setup->user ? " --user" : "");
	return 0;
}

/* Whoever called sudo will want to use what is set up now. */
static int let_in(const struct asking *a)
{
	const char *user = a->setup->member ? a->setup->member : getenv("SUDO_USER");
	bool wanted = a->setup->member;
	char question[128];
	int r = 0;

	if (a->setup->root || a->setup->user || !user || !setup_is_outsider(user))
		return 0;
	snprintf(question, sizeof(question), "Let %.64s use it, by the group " SETUP_GROUP "?",
		 user);
	if (!wanted && a->is_possible)
		r = prompt_yes(question, true, &wanted);
	if (r == 0 && wanted)
		return setup_add_member(user);
	cli_error("to let %s use it: sudo usermod -a -G " SETUP_GROUP " %s", user, user);
	return 0;
}

int ctl_setup(struct ctl *ctl, char *const *args UNUSED, int n UNUSED)
{
	struct asking a = { .setup = &ctl->setup, .is_possible = prompt_is_possible() };
	int status = ask_all(&a);

	if (status == 0)
		status = try_and_write(ctl, &a);
	if (status == 0)
		status = start_it(&a);
	if (status == 0)
		status = let_in(&a);
	explicit_bzero(a.secret, sizeof(a.secret));
	for (size_t i = 0; i < a.n_owned; i++)
		free(a.owned[i]);
	return status;
}
