/* SPDX-License-Identifier: MIT */
#include "gateway/connections.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

#define SPARE_KEPT_S 2		/* short of where servers close what nothing comes on */

/* Called by libcurl, for each connection. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose UNUSED, struct curl_sockaddr *to)
{
	struct connections *c = arg;
	int fd = spare_take(&c->spare, &to->addr, to->addrlen);

	c->ready_fd = fd;
	if (!spare_is_open(&c->spare))
		event_del(c->timer);
	if (fd < 0)
		fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	c->n_open++;
	return fd;
}

static int set_up_socket(void *arg, curl_socket_t fd, curlsocktype purpose UNUSED)
{
	const struct connections *c = arg;

	return fd == c->ready_fd ? CURL_SOCKOPT_ALREADY_CONNECTED : CURL_SOCKOPT_OK;
}

static int close_socket(void *arg, curl_socket_t fd)
{
	struct connections *c = arg;

	spare_follow(&c->spare, fd);
	c->n_open--;
	return close(fd);
}

static void on_timer(evutil_socket_t fd UNUSED, short events UNUSED, void *arg)
{
	struct connections *c = arg;

	spare_close(&c->spare);
}

void connections_answered(struct connections *c, bool good, unsigned int n_busy)
{
	c->closes = good && c->n_open <= n_busy;
	if (good)
		return;
	spare_close(&c->spare);
	event_del(c->timer);
}

/* Would a request that comes now need a connection of its own? */
static bool needs_another(const struct connections *c, unsigned int n_busy)
{
	return c->closes && c->n_open <= n_busy && n_busy < c->max &&
	       !evtimer_pending(c->timer, NULL);
}

void connections_prepare(struct connections *c, unsigned int n_busy)
{
	static const struct timeval kept = { .tv_sec = SPARE_KEPT_S };

	if (needs_another(c, n_busy) && spare_open(&c->spare) && event_add(c->timer, &kept) < 0)
		spare_close(&c->spare);
}

void connections_set_options(struct connections *c, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, c);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_up_socket);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, c);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, c);
}

int connections_init(struct connections *c, struct event_base *base)
{
	spare_init(&c->spare);
	c->ready_fd = -1;
	c->timer = evtimer_new(base, on_timer, c);
	return c->timer ? 0 : -ENOMEM;
}

void connections_deinit(struct connections *c)
{
	if (c->timer)
		event_free(c->timer);
	c->timer = NULL;
	spare_deinit(&c->spare);
}
