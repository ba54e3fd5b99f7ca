/* SPDX-License-Identifier: MIT */
/*
 * Questions to the hub's HTTP API, each from its request to its answer.
 */
#include <config.h>	/* _GNU_SOURCE */

#include "gateway/publisher_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/http.h"

struct ask {
	struct list link;
	struct publisher *publisher;
	unsigned int cost;		/* messages */
	publisher_ask_fn fn;
	void *data;
};

static void ask_free(struct ask *ask)
{
	list_del(&ask->link);
	free(ask);
}

/* Some servers say an error in the body of a 200: whoever reads that finds nothing in it. */
static void on_asked(void *data, const struct http_response *response)
{
	struct ask *ask = data;
	char text[300] = "";

	if (response->error)
		snprintf(text, sizeof(text), "%s", response->error);
	else if (response->status != 200)
		snprintf(text, sizeof(text), "the hub answered with status %u", response->status);
	else
		publisher_count(ask->publisher, ask->cost, 0);
	ask->fn(ask->data, response->body, *text ? text : NULL);
	ask_free(ask);
}

static int send_query(struct publisher *p, struct ask *ask, const struct target *target,
		      const char *query)
{
	CLEANUP(buf_deinit) struct buf line = BUF_NULL;
	int r = publisher_put_target(p, "GET", target, query, span_of(NULL, 0), &line);

	return r < 0 ? r : http_send(p->http, &(struct http_request){
		.target = (const char *)buf_data(&line),
		.get = true,
	}, on_asked, ask);
}

/* Asking for info is one more. */
static unsigned int cost_of(const char *query)
{
	return query && strstr(query, "info=") ? 2 : 1;
}

int publisher_ask(struct publisher *p, const char *what, const char *query, publisher_ask_fn fn,
		  void *data)
{
	CLEANUP(target_deinit) struct target target = { 0 };
	struct ask *ask;
	int r;

	if (!target_init(&target, p->config, what))
		return -ENOMEM;
	ask = malloc(sizeof(*ask));
	if (!ask)
		return -ENOMEM;
	*ask = (struct ask){ .publisher = p, .cost = cost_of(query), .fn = fn, .data = data };
	list_init(&ask->link);
	list_add_tail(&p->asks, &ask->link);
	r = send_query(p, ask, &target, query);
	if (r < 0)
		ask_free(ask);
	return r;
}

void publisher_free_asks(struct publisher *p)
{
	struct ask *ask;

	while ((ask = list_first(&p->asks, struct ask, link)))
		ask_free(ask);
}
