/* SPDX-License-Identifier: MIT */
/*
 * Values that nobody has set and that follow from others, or from the machine: the gateway's
 * name, its channel, the socket's group, the hub's hosts and ports.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <grp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "gateway/config_private.h"
#include "gateway/fd.h"
#include "gateway/sign.h"

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

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
	return n < 0 ? loader_no_memory(l) : 0;
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
	CLEANUP(file_close) FILE *in = fopen("/etc/machine-id", "re");

	if (!in || !fgets(ret, len, in))
		ret[0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

int loader_derive_name(struct loader *l)
{
	char host[256] = "", id[65], name[CONFIG_NAME_MAX + 1];
	int r;

	if (l->config->name)
		return 0;
	gethostname(host, sizeof(host) - 1);
	read_machine_id(id, sizeof(id));
	r = config_name_from_host(host, id, name);
	if (r < 0)
		return loader_fail(l, STATUS_INTERNAL, "a name for the gateway: %s", strerror(-r));
	if (is_everywhere(name))
		log_warn("config", "the host is called %s, as many are: give the gateway a name in "
			 "[gateway]", name);
	return derive_text(l, &l->config->name, "%s", name);
}

int loader_derive_channel(struct loader *l)
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

int loader_derive_group(struct loader *l)
{
	const struct inifile_place *place = loader_place(l, "gateway", "socket_group");
	const char *name = l->config->socket_group;
	const struct group *group;

	if (name) {
		if (getgrnam(name))
			return 0;
		return loader_fail_at(l, place, "there is no group \"%s\"",
				      LOG_TEXT(span_str(name)));
	}
	group = l->options->user ? NULL : getgrnam("chapi");
	if (!group || !may_give_to(group->gr_gid))
		return 0;
	return derive_text(l, &l->config->socket_group, "chapi");
}

int loader_derive_hosts(struct loader *l)
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
	if (!loader_place(l, "remote", "daily_messages")->file)
		c->daily_messages = c->cluster ? 200000 : 0;
	return 0;
}
