/* SPDX-License-Identifier: MIT */
/*
 * The configuration of one start: defaults, files, options, and what follows from them.
 *
 * A later source wins, so each key remembers where it was set last: a fault that shows only
 * when all is read (two keys that exclude each other, a secret that cannot be read) still
 * names file and line. Keys are config_keys.h, the form of a file inifile.h.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/config.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config_keys.h"
#include "gateway/inifile.h"
#include "gateway/sealed.h"
#include "gateway/secret.h"
#include "gateway/sign.h"
#include "libchapi-ipc/base64.h"

#ifndef PACKAGE_SYSCONFDIR
#define PACKAGE_SYSCONFDIR "/etc"
#endif
#define DEFAULT_FILE PACKAGE_SYSCONFDIR "/chapi/chapi-gw.conf"
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
#define KEYS_MAX 128

enum { STATUS_USAGE = 64, STATUS_NO_INPUT = 66, STATUS_INTERNAL = 70, STATUS_CONFIG = 78 };

struct place {
	const char *file;	/* NULL: not set by a file */
	unsigned int line;
};

struct loader {
	struct config *config;
	const struct config_options *options;
	struct config_fault *fault;
	char *files[256];		/* names of those read, for places */
	size_t n_files;
	size_t n_file_rules;		/* of the file at hand */
	struct place pusher;		/* where the section begins */
	struct place places[KEYS_MAX];	/* by the key's row */
};

/* ---- faults: each function returns -1, having put words and status --------------------- */

static int PRINTF(3, 4) fail(struct loader *l, int status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(l->fault->text, sizeof(l->fault->text), fmt, args);
	va_end(args);
	l->fault->status = status;
	return -1;
}

static int fail_memory(struct loader *l)
{
	return fail(l, STATUS_INTERNAL, "no memory for the configuration");
}

static const struct place *place_of(const struct loader *l, const char *section, const char *name)
{
	return &l->places[config_key_find(section, name) - config_keys];
}

/* "FILE:LINE: " of a place, or as much as is known. */
static int PRINTF(3, 4) fail_at(struct loader *l, const struct place *place, const char *fmt, ...)
{
	char what[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (!place->file)
		return fail(l, STATUS_CONFIG, "configuration: %s", what);
	return fail(l, STATUS_CONFIG, "%s:%u: %s", place->file, place->line, what);
}

static void PRINTF(4, 5) warn_at(const struct loader *l, const char *section, const char *name,
				 const char *fmt, ...)
{
	const struct place *place = place_of(l, section, name);
	char what[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (place->file)
		log_warn("config", "%s:%u: %s", place->file, place->line, what);
	else
		log_warn("config", "%s", what);
}

/* ---- defaults and options ---------------------------------------------------------------- */

static int set_key(struct loader *l, const char *section, const char *name, const char *text,
		   const char *source, int status)
{
	char why[256];
	int r = config_key_set(config_key_find(section, name), text, l->config, why, sizeof(why));

	if (r < 0)
		return fail_memory(l);
	return r == 0 ? 0 : fail(l, status, "%s \"%s\": %s", source, LOG_TEXT(span_str(text)), why);
}

/* The standards of the table come from us: they fit. */
static int set_standards(struct loader *l)
{
	for (size_t i = 0; i < config_n_keys; i++)
		if (config_keys[i].standard &&
		    set_key(l, config_keys[i].section, config_keys[i].name,
			    config_keys[i].standard, "default", STATUS_INTERNAL) != 0)
			return -1;
	return 0;
}

/* With --user the socket is the user's own. */
static int set_user_standards(struct loader *l)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	char path[512];

	config_key_clear(config_key_find("gateway", "socket"), l->config);
	if (set_key(l, "gateway", "socket_mode", "0600", "default", STATUS_INTERNAL) != 0)
		return -1;
	if (!dir || !*dir)
		return 0;	/* the files or --socket may name one */
	snprintf(path, sizeof(path), "%s/chapi/gw.sock", dir);
	return set_key(l, "gateway", "socket", path, "socket in $XDG_RUNTIME_DIR", STATUS_CONFIG);
}

/* What the service manager has made for us; with --user the user's own. */
static int set_state_dir(struct loader *l)
{
	const char *given = getenv("STATE_DIRECTORY"), *state = getenv("XDG_STATE_HOME"),
		   *home = getenv("HOME");
	char path[PATH_MAX + 20] = "";

	if (given && *given)
		snprintf(path, sizeof(path), "%.*s", (int)strcspn(given, ":"), given);
	else if (!l->options->user)
		return 0;
	else if (state && *state == '/')
		snprintf(path, sizeof(path), "%s/chapi", state);
	else if (home && *home == '/')
		snprintf(path, sizeof(path), "%s/.local/state/chapi", home);
	config_key_clear(config_key_find("gateway", "state_dir"), l->config);
	if (!*path)
		return 0;	/* the files may name one */
	return set_key(l, "gateway", "state_dir", path, "state_dir by the environment",
		       STATUS_CONFIG);
}

static int set_options(struct loader *l)
{
	const struct config_options *o = l->options;

	if (o->socket && set_key(l, "gateway", "socket", o->socket, "--socket", STATUS_USAGE) != 0)
		return -1;
	if (!o->log_level)
		return 0;
	return set_key(l, "gateway", "log_level", o->log_level, "--log-level", STATUS_USAGE);
}

/* ---- files ------------------------------------------------------------------------------- */

static bool put_why(struct inifile_fault *fault, const char *fmt, ...) PRINTF(2, 3);
static bool put_why(struct inifile_fault *fault, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(fault->text, sizeof(fault->text), fmt, args);
	va_end(args);
	return false;
}

/* Rules of later files are read first, those of one file in their order. */
static int add_rule(struct loader *l, const struct config_rule *rule)
{
	struct config *c = l->config;
	struct config_rule *rules = reallocarray(c->rules, c->n_rules + 1, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	memmove(rules + l->n_file_rules + 1, rules + l->n_file_rules,
		(c->n_rules - l->n_file_rules) * sizeof(*rules));
	rules[l->n_file_rules++] = *rule;
	c->rules = rules;
	c->n_rules++;
	return 0;
}

static int take_rule(struct loader *l, const struct config_key *key, const char *value, char *why,
		     size_t why_len)
{
	struct config_rule rule;
	int r = config_rule_parse((enum config_right)key->least, value, &rule, why, why_len);

	if (r != 0)
		return r;
	r = add_rule(l, &rule);
	if (r < 0) {
		free(rule.subject);
		free(rule.pattern);
	}
	return r;
}

static bool take_section(struct loader *l, const struct inifile_entry *e,
			 struct inifile_fault *fault)
{
	if (!config_section_is_known(e->section))
		return put_why(fault, "unknown section [%s]; there are pusher, gateway, remote, "
			       "limits, timing and policy", LOG_TEXT(span_str(e->section)));
	if (strcmp(e->section, "pusher") == 0) {
		l->config->pusher = true;
		l->pusher = (struct place){ l->files[l->n_files - 1], e->line };
	}
	return true;
}

static bool put_unknown(const struct inifile_entry *e, struct inifile_fault *fault)
{
	if (!*e->section)
		return put_why(fault, "\"%s\" stands before the first [section]",
			       LOG_TEXT(span_str(e->name)));
	return put_why(fault,
		       "unknown key \"%s\" in [%s]; --print-sample-config shows all there are",
		       LOG_TEXT(span_str(e->name)), e->section);
}

/* What may hold a password is not shown, however wrong it is. */
static bool put_wrong(const struct config_key *key, const char *value, const char *why,
		      struct inifile_fault *fault)
{
	const char *shown = key->login ? strrchr(value, '@') : NULL;

	return put_why(fault, "%s = %s%s: %s", key->name, shown ? "(hidden)" : "",
		       LOG_TEXT(span_str(shown ? shown : value)), why);
}

static bool take_setting(struct loader *l, const struct inifile_entry *e,
			 struct inifile_fault *fault)
{
	const struct config_key *key = config_key_find(e->section, e->name);
	const char *file = l->files[l->n_files - 1];
	struct place *place;
	char why[256];
	int r;

	if (!key)
		return put_unknown(e, fault);
	place = &l->places[key - config_keys];
	if (place->file == file && key->type != CONFIG_RULE)
		return put_why(fault, "\"%s\" is set twice, the first time in line %u", e->name,
			       place->line);
	*place = (struct place){ file, e->line };
	if (key->type == CONFIG_RULE)
		r = take_rule(l, key, e->value, why, sizeof(why));
	else
		r = config_key_set(key, e->value, l->config, why, sizeof(why));
	if (r < 0)
		return put_why(fault, "no memory");
	return r == 0 || put_wrong(key, e->value, why, fault);
}

static bool take_entry(void *data, const struct inifile_entry *e, struct inifile_fault *fault)
{
	return e->name ? take_setting(data, e, fault) : take_section(data, e, fault);
}

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static int remember_file(struct loader *l, const char *path)
{
	if (l->n_files == ARRAY_SIZE(l->files))
		return fail(l, STATUS_CONFIG, "%s: too many files, at most %zu are read", path,
			    ARRAY_SIZE(l->files));
	l->files[l->n_files] = strdup(path);
	if (!l->files[l->n_files])
		return fail_memory(l);
	l->n_files++;
	l->n_file_rules = 0;
	return 0;
}

static int read_file(struct loader *l, const char *path, bool must_exist)
{
	CLEANUP(close_file) FILE *in = fopen(path, "re");
	struct inifile_fault fault;
	int r;

	if (!in && errno == ENOENT && !must_exist) {
		log_info("config", "no file %s", path);
		return 0;
	}
	if (!in)
		return fail(l, STATUS_NO_INPUT, "%s: %s", path, strerror(errno));
	if (remember_file(l, path) != 0)
		return -1;
	r = inifile_read(in, take_entry, l, &fault);
	if (r < 0)
		return fail(l, STATUS_NO_INPUT, "%s: %s", path, strerror(-r));
	return r == 0 ? 0 : fail(l, STATUS_CONFIG, "%s:%u: %s", path, fault.line, fault.text);
}

static int is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_drop_ins(struct loader *l, const char *file)
{
	char dir[512], path[1024];
	struct dirent **entries;
	int n, r = 0;

	snprintf(dir, sizeof(dir), "%s.d", file);
	n = scandir(dir, &entries, is_conf, by_name);
	if (n < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (n < 0)
		return fail(l, STATUS_NO_INPUT, "%s: %s", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
		if (r == 0)
			r = read_file(l, path, true);
		free(entries[i]);
	}
	free(entries);
	return r;
}

void config_path(const struct config_options *options, char *ret, size_t len)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (options->file)
		snprintf(ret, len, "%s", options->file);
	else if (!options->user)
		snprintf(ret, len, "%s", DEFAULT_FILE);
	else if (xdg && *xdg)
		snprintf(ret, len, "%s/chapi/chapi-gw.conf", xdg);
	else if (home && *home)
		snprintf(ret, len, "%s/.config/chapi/chapi-gw.conf", home);
	else
		snprintf(ret, len, "%s", "");
}

static int read_files(struct loader *l)
{
	char path[500];

	config_path(l->options, path, sizeof(path));
	if (!*path)
		return 0;
	if (read_file(l, path, l->options->file != NULL) != 0)
		return -1;
	return read_drop_ins(l, path);
}

/* ---- what follows from other keys -------------------------------------------------------- */

/* Formats into a text that the configuration owns. */
static int PRINTF(3, 4) derive_text(struct loader *l, char **at, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(at, fmt, args);
	va_end(args);
	if (n < 0)
		*at = NULL;
	return n < 0 ? fail_memory(l) : 0;
}

static bool is_everywhere(const char *name)
{
	return strcasecmp(name, "raspberrypi") == 0 || strcasecmp(name, "localhost") == 0 ||
	       strcasecmp(name, "debian") == 0;
}

int config_name_from_host(const char *host, const char *machine_id, char ret[CONFIG_NAME_MAX + 1])
{
	/* The id itself is not to be told. */
	static const char purpose[] = "chapi gateway name ";
	uint8_t hash[32];
	char text[128];
	size_t len;
	int r;

	snprintf(ret, CONFIG_NAME_MAX + 1, "%s", *host ? host : "localhost");
	for (char *p = ret; *p; p++)
		if (!strchr(NAME_CHARS, *p))
			*p = '-';
	if (!is_everywhere(ret) || !*machine_id)
		return 0;
	snprintf(text, sizeof(text), "%s%.64s", purpose, machine_id);
	r = sign_sha256(span_str(text), hash);
	if (r < 0)
		return r;
	len = strlen(ret);
	snprintf(ret + len, CONFIG_NAME_MAX + 1 - len, "-%02x%02x", hash[0], hash[1]);
	return 0;
}

static void read_machine_id(char *ret, int len)
{
	CLEANUP(close_file) FILE *in = fopen("/etc/machine-id", "re");

	if (!in || !fgets(ret, len, in))
		ret[0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

static int derive_name(struct loader *l)
{
	char host[256] = "", id[65], name[CONFIG_NAME_MAX + 1];
	int r;

	if (l->config->name)
		return 0;
	gethostname(host, sizeof(host) - 1);
	read_machine_id(id, sizeof(id));
	r = config_name_from_host(host, id, name);
	if (r < 0)
		return fail(l, STATUS_INTERNAL, "a name for the gateway: %s", strerror(-r));
	if (is_everywhere(name))
		log_warn("config", "the host is called %s, as many are: give the gateway a name in "
			 "[gateway]", name);
	return derive_text(l, &l->config->name, "%s", name);
}

static int derive_channel(struct loader *l)
{
	if (l->config->n_channels > 0)
		return 0;
	if (derive_text(l, &l->config->channels[0], "private-chapi-%s", l->config->name) != 0)
		return -1;
	l->config->n_channels = 1;
	return 0;
}

static bool may_give_to(gid_t gid)
{
	gid_t groups[1024];
	int n = getgroups(ARRAY_SIZE(groups), groups);

	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return geteuid() == 0 || getegid() == gid;
}

static int derive_group(struct loader *l)
{
	const struct place *place = place_of(l, "gateway", "socket_group");
	const char *name = l->config->socket_group;
	const struct group *group;

	if (name) {
		if (getgrnam(name))
			return 0;
		return fail_at(l, place, "there is no group \"%s\"", LOG_TEXT(span_str(name)));
	}
	group = l->options->user ? NULL : getgrnam("chapi");
	if (!group || !may_give_to(group->gr_gid))
		return 0;
	return derive_text(l, &l->config->socket_group, "chapi");
}

static int derive_hosts(struct loader *l)
{
	struct config *c = l->config;

	if (c->cluster && derive_text(l, &c->host, "ws-%s.pusher.com", c->cluster) != 0)
		return -1;
	if (!c->http_host && c->cluster &&
	    derive_text(l, &c->http_host, "api-%s.pusher.com", c->cluster) != 0)
		return -1;
	if (!c->http_host && derive_text(l, &c->http_host, "%s", c->host) != 0)
		return -1;
	if (!c->port)
		c->port = c->tls ? 443 : 80;
	if (!c->http_port)
		c->http_port = c->port;
	if (!place_of(l, "remote", "daily_messages")->file)
		c->daily_messages = c->cluster ? 200000 : 0;
	return 0;
}

/* ---- checks over more than one key ------------------------------------------------------- */

static int check_pusher(struct loader *l)
{
	const struct config *c = l->config;
	const char *missing = !c->app_id ? "app_id" : !c->key ? "key" :
			      !c->cluster && !c->host ?
			      "cluster (of the hosted service) or host" : NULL;

	if (missing)
		return fail_at(l, &l->pusher, "[pusher] lacks %s; leave the section out for local "
			       "calls only", missing);
	if (c->cluster && c->host)
		return fail_at(l, place_of(l, "pusher", "host"), "host and cluster are both set "
			       "(cluster in line %u of %s); one of them is allowed",
			       place_of(l, "pusher", "cluster")->line,
			       place_of(l, "pusher", "cluster")->file);
	if (c->ca_file && access(c->ca_file, R_OK) != 0)
		return fail_at(l, place_of(l, "pusher", "ca_file"), "ca_file %s: %s", c->ca_file,
			       strerror(errno));
	return 0;
}

static int check_channels(struct loader *l)
{
	struct config *c = l->config;

	for (size_t i = 0; i < c->n_channels; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(c->channels[i], c->channels[k]) == 0)
				return fail_at(l, place_of(l, "remote", "channel"),
					       "channel %s is listed twice", c->channels[i]);
	return 0;
}

static bool is_part_event(const char *name, const char *of)
{
	size_t len = strlen(of);

	return strncmp(name, of, len) == 0 && strcmp(name + len, "-part") == 0;
}

/* What else goes over the channels has names of its own. */
static const char *taken_event(const char *name)
{
	static const char *const taken[] = { "cancel", "progress", "chapi-alive" };

	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (strcmp(name, taken[i]) == 0)
			return taken[i];
	return NULL;
}

static int check_events(struct loader *l)
{
	const struct place *place = place_of(l, "remote", "request_event");
	const char *request = l->config->request_event, *response = l->config->response_event;

	if (strcmp(request, response) == 0)
		return fail_at(l, place, "request_event and response_event have to differ");
	if (is_part_event(request, response) || is_part_event(response, request))
		return fail_at(l, place, "request_event and response_event have to differ, and "
			       "neither may be the other with -part");
	if (taken_event(request))
		return fail_at(l, place, "request_event = %s: that is an event of another meaning",
			       request);
	if (taken_event(response))
		return fail_at(l, place_of(l, "remote", "response_event"),
			       "response_event = %s: that is an event of another meaning",
			       response);
	return 0;
}

static int check_together(struct loader *l)
{
	const struct config *c = l->config;

	if (!c->socket)
		return fail(l, STATUS_CONFIG, "no socket: XDG_RUNTIME_DIR is not set; set it, or "
			    "give --socket PATH");
	if (check_events(l) != 0)
		return -1;
	if (c->backoff_least_ms > c->backoff_most_ms)
		return fail_at(l, place_of(l, "timing", "backoff_least"),
			       "backoff_least is above backoff_most; at most the same is allowed");
	return check_channels(l);
}

static bool is_loopback(const char *host)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return strcmp(host, "::1") == 0 || strcasecmp(host, "localhost") == 0;
}

static void warn_doubtful(const struct loader *l)
{
	const struct config *c = l->config;

	if (c->pusher && !c->tls && !(is_loopback(c->host) && is_loopback(c->http_host)))
		warn_at(l, "pusher", "tls", "tls = no, and the hub is not on this machine: "
			"whoever is on the way can read and change everything");
}

/* ---- the secret -------------------------------------------------------------------------- */

static int take_secret(struct loader *l, const struct place *place, const char *path, char **ret)
{
	struct secret secret;
	const char *why;
	int r = secret_read(path, &secret, &why);

	if (r == 0)
		*ret = strdup(secret.text);
	explicit_bzero(&secret, sizeof(secret));
	if (r != 0)
		return fail_at(l, place, "secret file %s: %s", path, why);
	return *ret ? 0 : fail_memory(l);
}

static int load_secret(struct loader *l)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[512];

	if (l->config->secret_file)
		return take_secret(l, place_of(l, "pusher", "secret_file"), l->config->secret_file,
				   &l->config->secret);
	if (!dir || !*dir)
		return fail_at(l, &l->pusher, "[pusher] lacks secret_file, and there is no service "
			       "credential pusher-secret");
	snprintf(path, sizeof(path), "%s/pusher-secret", dir);
	return take_secret(l, &l->pusher, path, &l->config->secret);
}

/* ---- the key of encrypted channels -------------------------------------------------------- */

static bool is_master_key(const char *text)
{
	uint8_t bytes[sizeof(((struct secret *)0)->text)];
	size_t len = strlen(text);
	bool is_one;

	memcpy(bytes, text, len);
	is_one = base64_decode(bytes, len, &len) && len == SEALED_KEY_LEN;
	explicit_bzero(bytes, sizeof(bytes));
	return is_one;
}

static int take_master_key(struct loader *l, const struct place *place, const char *path)
{
	const char *why_not = sealed_why_not();

	if (why_not)
		return fail_at(l, place,
			       "a key of encrypted channels is set, and they cannot be had: %s",
			       why_not);
	if (take_secret(l, place, path, &l->config->master_key) != 0)
		return -1;
	return is_master_key(l->config->master_key) ? 0 :
		fail_at(l, place, "secret file %s: a master key is 32 bytes in base64, "
			"44 characters; make one with: openssl rand -base64 32", path);
}

static int load_master_key(struct loader *l)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	const char *file = l->config->encryption_master_key_file;
	char path[512];

	if (file)
		return take_master_key(l, place_of(l, "pusher", "encryption_master_key_file"),
				       file);
	if (!dir || !*dir)
		return 0;
	snprintf(path, sizeof(path), "%s/pusher-master-key", dir);
	return access(path, F_OK) == 0 ? take_master_key(l, &l->pusher, path) : 0;
}

static int check_encrypted(struct loader *l)
{
	const struct place *place = place_of(l, "remote", "channel");
	const struct config *c = l->config;

	for (size_t i = 0; i < c->n_channels; i++) {
		if (c->master_key || !sealed_is_encrypted(span_str(c->channels[i])))
			continue;
		if (sealed_why_not())
			return fail_at(l, place, "channel %s is encrypted, which cannot be had: "
				       "%s; use a private- one", c->channels[i], sealed_why_not());
		return fail_at(l, place, "channel %s is encrypted: set encryption_master_key_file, "
			       "or the service credential pusher-master-key", c->channels[i]);
	}
	return 0;
}

/* ---- the whole --------------------------------------------------------------------------- */

static int load_hub(struct loader *l)
{
	if (!l->config->pusher)
		return 0;
	if (check_pusher(l) != 0 || derive_hosts(l) != 0)
		return -1;
	if (load_secret(l) != 0 || load_master_key(l) != 0)
		return -1;
	return check_encrypted(l);
}

static int load_all(struct loader *l)
{
	if (set_standards(l) != 0 || (l->options->user && set_user_standards(l) != 0) ||
	    set_state_dir(l) != 0)
		return -1;
	if (read_files(l) != 0 || set_options(l) != 0)
		return -1;
	if (derive_name(l) != 0 || derive_channel(l) != 0 || derive_group(l) != 0)
		return -1;
	return check_together(l) != 0 ? -1 : load_hub(l);
}

int config_load(const struct config_options *options, struct config *ret_config,
		struct config_fault *ret_fault)
{
	struct config config = { 0 };
	struct loader l = { .config = &config, .options = options, .fault = ret_fault };
	int r = load_all(&l);

	if (r == 0)
		warn_doubtful(&l);
	while (l.n_files > 0)
		free(l.files[--l.n_files]);
	if (r == 0)
		*ret_config = config;
	else
		config_deinit(&config);
	return r;
}

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void config_deinit(struct config *config)
{
	wipe(config->secret);
	wipe(config->master_key);
	for (size_t i = 0; i < config_n_keys; i++)
		config_key_clear(&config_keys[i], config);
	for (size_t i = 0; i < config->n_rules; i++) {
		free(config->rules[i].subject);
		free(config->rules[i].pattern);
	}
	free(config->rules);
	memset(config, 0, sizeof(*config));
}

/* ---- printing ---------------------------------------------------------------------------- */

static const char *section_before(size_t i)
{
	return i > 0 ? config_keys[i - 1].section : "";
}

static void print_rules(const struct config *config, const struct config_key *key, FILE *out)
{
	for (size_t i = 0; i < config->n_rules; i++)
		if (config->rules[i].right == (enum config_right)key->least)
			fprintf(out, "%s = %s %s\n", key->name, config->rules[i].subject,
				config->rules[i].pattern);
}

static void print_key(const struct config *config, const struct config_key *key, FILE *out)
{
	if (key->type == CONFIG_RULE) {
		print_rules(config, key, out);
		return;
	}
	if (config_key_is_set(key, config)) {
		fprintf(out, "%s = ", key->name);
		config_key_print(key, config, out);
		fputc('\n', out);
	} else {
		fprintf(out, "#%s =\n", key->name);
	}
}

/* As a file that could be read again: what was derived from cluster is left to it. */
static bool is_worth_printing(const struct config *config, const struct config_key *key)
{
	if (strcmp(key->section, "pusher") != 0)
		return true;
	return config->pusher && !(config->cluster && strcmp(key->name, "host") == 0);
}

void config_print(const struct config *config, FILE *out)
{
	if (!config->pusher)
		fputs("# no [pusher] section: local calls only\n", out);
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (!is_worth_printing(config, key))
			continue;
		if (strcmp(section_before(i), key->section) != 0)
			fprintf(out, "%s[%s]\n", i ? "\n" : "", key->section);
		print_key(config, key, out);
		if (strcmp(key->name, "secret_file") == 0)
			fputs("# the secret itself: (hidden)\n", out);
	}
}

static void print_sample_key(const struct config_key *key, FILE *out)
{
	fprintf(out, "# %s\n", key->help);
	if (key->derived)
		fprintf(out, "# Default: %s.\n", key->derived);
	fprintf(out, "#%s =%s%s\n", key->name, key->standard ? " " : "",
		key->standard ? key->standard : "");
}

void config_print_sample(FILE *out)
{
	fputs("# Configuration of chapi-gw: every key with its default. See chapi-gw.conf(5).\n"
	      "# Times take ms, s, m, h; sizes K, M; switches yes, no; "
	      "lists are separated by blanks.\n"
	      "# Comments stand on lines of their own.\n", out);
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (strcmp(section_before(i), key->section) != 0)
			/* An empty [pusher] would be one that lacks everything. */
			fprintf(out, "\n%s[%s]\n", strcmp(key->section, "pusher") == 0 ? "#" : "",
				key->section);
		print_sample_key(key, out);
	}
}

/* ---- reload ------------------------------------------------------------------------------ */

/* One that was or will be without is told by its section or its file. */
static bool is_other(const char *a, const char *b)
{
	return a && b && strcmp(a, b) != 0;
}

static bool is_secret_changed(const struct config_key *key, const struct config *a,
			      const struct config *b)
{
	if (strcmp(key->name, "secret_file") == 0)
		return is_other(a->secret, b->secret);
	return strcmp(key->name, "encryption_master_key_file") == 0 &&
	       is_other(a->master_key, b->master_key);
}

void config_changes(const struct config *old, const struct config *fresh, config_change_fn fn,
		    void *data)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (!config_key_equals(key, old, fresh) || is_secret_changed(key, old, fresh))
			fn(data, key->section, key->name, key->reloadable);
	}
}

static void swap_rules(struct config *a, struct config *b)
{
	struct config_rule *rules = a->rules;
	size_t n = a->n_rules;

	a->rules = b->rules;
	a->n_rules = b->n_rules;
	b->rules = rules;
	b->n_rules = n;
}

void config_take_reloadable(struct config *to, struct config *fresh)
{
	for (size_t i = 0; i < config_n_keys; i++)
		if (config_keys[i].reloadable && config_keys[i].type != CONFIG_RULE)
			config_key_swap(&config_keys[i], to, fresh);
	swap_rules(to, fresh);	/* all rights are reloadable */
}
