/* SPDX-License-Identifier: MIT */
/*
 * The parts of the setting proxy.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/proxy.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/sign.h"

/* What follows the host: ":PORT", or nothing of use. */
static unsigned int port_of(const char *text)
{
	unsigned long port = *text == ':' ? strtoul(text + 1, NULL, 10) : 0;

	return port > 0 && port <= 65535 ? (unsigned int)port : PROXY_PORT;
}

static int take_host(struct proxy *proxy, const char *text)
{
	bool in_brackets = *text == '[';
	const char *host = text + in_brackets;
	size_t len = strcspn(host, in_brackets ? "]/" : ":/");

	proxy->host = strndup(host, len);
	if (!proxy->host)
		return -ENOMEM;
	proxy->port = port_of(host + len + (host[len] == ']'));
	return 0;
}

int proxy_init(struct proxy *proxy, const char *text)
{
	const char *at;

	*proxy = (struct proxy)PROXY_NULL;
	if (strncmp(text, "http://", 7) == 0)
		text += 7;
	at = strrchr(text, '@');	/* a password may have one, too */
	if (!at)
		return take_host(proxy, text);
	proxy->auth = strndup(text, (size_t)(at - text));
	return proxy->auth ? take_host(proxy, at + 1) : -ENOMEM;
}

void proxy_deinit(struct proxy *proxy)
{
	free(proxy->host);
	if (proxy->auth)
		sign_wipe(proxy->auth, strlen(proxy->auth));
	free(proxy->auth);
	*proxy = (struct proxy)PROXY_NULL;
}
