/* SPDX-License-Identifier: MIT */
/*
 * The parts of the setting proxy.
 *
 * libcurl decodes what a URL has of user and password, libwebsockets sends what it is given: so
 * they are decoded here, once, and the URL for libcurl is written anew.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/proxy.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
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

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static int hex_value(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *found = c ? strchr(digits, c) : NULL;
	int at = found ? (int)(found - digits) : -1;

	return at < 16 ? at : at - 6;
}

/* The character at *text, which is moved behind it. */
static char take_char(const char **text)
{
	const char *p = *text;
	int high = *p == '%' ? hex_value(p[1]) : -1;
	int low = high >= 0 ? hex_value(p[2]) : -1;

	*text += low >= 0 ? 3 : 1;
	return low >= 0 ? (char)(high << 4 | low) : *p;
}

static bool is_control(char c)
{
	return (uint8_t)c < ' ' || c == 0x7f;
}

static int take_auth(struct proxy *proxy, const char *text, const char *end)
{
	char *out = malloc((size_t)(end - text) + sizeof(":"));

	proxy->auth = out;
	if (!out)
		return -ENOMEM;
	while (text < end) {
		*out = take_char(&text);
		if (is_control(*out)) {
			*out = '\0';
			return -EINVAL;
		}
		out++;
	}
	*out = '\0';
	if (!strchr(proxy->auth, ':'))
		strcpy(out, ":");
	return strlen(proxy->auth) <= PROXY_LOGIN_MAX ? 0 : -E2BIG;
}

int proxy_init(struct proxy *proxy, const char *text)
{
	const char *at;
	int r;

	*proxy = (struct proxy)PROXY_NULL;
	if (strncmp(text, "http://", 7) == 0)
		text += 7;
	at = strrchr(text, '@');	/* a password may have one, too */
	if (!at)
		return take_host(proxy, text);
	r = take_auth(proxy, text, at);
	return r == 0 ? take_host(proxy, at + 1) : r;
}

void proxy_deinit(struct proxy *proxy)
{
	free(proxy->host);
	if (proxy->auth)
		sign_wipe(proxy->auth, strlen(proxy->auth));
	free(proxy->auth);
	*proxy = (struct proxy)PROXY_NULL;
}

/* Returns behind what it wrote. */
static char *put_auth(char *out, const char *auth)
{
	const char *colon = strchr(auth, ':');

	for (const char *p = auth; *p; p++)
		if (is_alphanumeric(*p) || p == colon)
			*out++ = *p;
		else
			out += sprintf(out, "%%%02X", (unsigned int)(uint8_t)*p);
	*out++ = '@';
	return out;
}

char *proxy_url(const struct proxy *proxy)
{
	size_t len = sizeof("http://@[]:65535") + strlen(proxy->host) +
		     3 * (proxy->auth ? strlen(proxy->auth) : 0);
	bool brackets = strchr(proxy->host, ':');
	char *url = malloc(len), *out = url;

	if (!url)
		return NULL;
	out = stpcpy(out, "http://");
	if (proxy->auth)
		out = put_auth(out, proxy->auth);
	snprintf(out, len - (size_t)(out - url), "%s%s%s:%u", brackets ? "[" : "", proxy->host,
		 brackets ? "]" : "", proxy->port);
	return url;
}

void proxy_free_url(char *url)
{
	if (url)
		sign_wipe(url, strlen(url));
	free(url);
}
