/* SPDX-License-Identifier: MIT */
/*
 * Why a connection did not come about, in words for people.
 *
 * libwebsockets says "Unable to connect" and has forgotten why: the reason is asked for anew
 * (probe()). It keeps the status and the headers of an answer in place of a WebSocket, but not of
 * one to CONNECT. What certificates and TLS have to say is noted while it happens: ws_callbacks.c,
 * ws_client.c.
 */
#include "gateway/ws_client_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "gateway/retry_after.h"
#include "gateway/tls.h"

#define HEADER_LEN 64		/* of an answer's, as far as we look at it */
#define PROBE_MS 300

static socklen_t make_address(const char *text, unsigned int port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		return sizeof(*in6);
	}
	return 0;
}

static int finish_connect(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0;

	if (poll(&p, 1, PROBE_MS) != 1)
		return ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

/* The errno of a connection attempt; 0: it works now. */
static int probe(const char *address, unsigned int port)
{
	struct sockaddr_storage sa;
	socklen_t len = make_address(address, port, &sa);
	int fd, error = 0;

	if (len == 0)
		return EADDRNOTAVAIL;
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	if (connect(fd, (struct sockaddr *)&sa, len) < 0)
		error = errno == EINPROGRESS ? finish_connect(fd) : errno;
	close(fd);
	return error;
}

static void report_unreachable(struct ws_client *c)
{
	const struct ws_target *target = c->target;
	unsigned int port = target->proxy_port ? target->proxy_port : target->port;
	int error = probe(target->address, port);

	ws_tell_failure(c, "cannot connect to %s%s port %u: %s",
		       target->proxy_port ? "the proxy " : "", target->address, port,
		       error ? strerror(error) : "it was refused, but is not now");
}

static void report_certificate(struct ws_client *c)
{
	char why[300];

	tls_describe(c->certificate_error, c->target->host, time(NULL), why, sizeof(why));
	ws_tell_end(c, &(struct ws_end){
		.why = span_str(why), .clock = tls_is_about_time(c->certificate_error),
	});
}

static void report_tls(struct ws_client *c)
{
	const char *reason = ERR_reason_error_string(c->tls_error);

	ws_tell_failure(c, "TLS with %s failed: %s", c->target->host,
		       reason ? reason : "no reason given");
}

static void report_status(struct ws_client *c, unsigned int status)
{
	char why[300];

	snprintf(why, sizeof(why),
		 "%s answered with HTTP status %u instead of opening a WebSocket%s",
		 c->target->host, status,
		 status >= 300 && status < 400 ? " (redirects are not followed)" : "");
	ws_tell_end(c, &(struct ws_end){
		.why = span_str(why), .status = status, .retry_after_s = c->retry_after_s,
	});
}

/* libwebsockets 4.1 does not tell which status the proxy gave, only that it was not 200; 4.3 says
 * "http_proxy -> 407". */
static bool is_proxys_no(const struct ws_client *c, struct span hint)
{
	return c->target->proxy_port != 0 &&
	       (span_begins(hint, "proxy not h1") || span_begins(hint, "http_proxy -> "));
}

static void report_proxy(struct ws_client *c)
{
	const struct ws_target *target = c->target;
	char why[300];

	snprintf(why, sizeof(why),
		 "the proxy %s port %u makes no connection to %s; is it allowed to, "
		 "and are user and password in the setting proxy right?",
		 target->address, target->proxy_port, target->host);
	ws_tell_end(c, &(struct ws_end){ .why = span_str(why), .proxy = true });
}

void ws_failure_tell(struct ws_client *c, unsigned int status, struct span hint)
{
	if (c->reported)
		return;
	if (c->certificate_error != 0)
		report_certificate(c);
	else if (!c->connected)
		report_unreachable(c);
	else if (c->tls_error != 0)
		report_tls(c);
	else if (status != 0 && status != 101)
		report_status(c, status);
	else if (is_proxys_no(c, hint))
		report_proxy(c);
	else if (hint.len > 0)
		ws_tell_failure(c, "no WebSocket with %s: %.*s", c->target->host,
			       (int)MIN(hint.len, 100), (const char *)hint.p);
	else
		ws_tell_failure(c, "%s closed the connection, or took too long, "
			       "before the WebSocket was open", c->target->host);
}

void ws_failure_note_answer(struct ws_client *c, struct lws *wsi)
{
	char text[HEADER_LEN], date[HEADER_LEN];

	if (lws_hdr_copy(wsi, text, sizeof(text), WSI_TOKEN_HTTP_RETRY_AFTER) <= 0)
		return;
	if (lws_hdr_copy(wsi, date, sizeof(date), WSI_TOKEN_HTTP_DATE) <= 0)
		date[0] = '\0';
	c->retry_after_s = retry_after_s(text, date, time(NULL));
}
