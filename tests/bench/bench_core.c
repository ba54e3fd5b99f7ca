/* SPDX-License-Identifier: MIT */
/*
 * What a local call costs in the router alone: messages in, messages out, no sockets and no loop.
 * One JSON line for each number of names.
 *
 * A caller has 64 calls of 64 bytes under way, of all names in turn. Both halves of a call are
 * timed, requests and answers, a window of them at once: the quickest tenth of the windows tells
 * what the code costs even where other work disturbs most of them.
 */
#include <config.h>	/* _GNU_SOURCE */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/router.h"
#include "gateway/wire.h"
#include "libchapi-ipc/message.h"
#include "libchapi-ipc/mp.h"

#define WINDOW 64
#define WINDOWS 20000
#define SIZE 64
#define NAMES_MAX 10000
#define STEP 7919	/* prime: names come in an order that no cache foresees */

/* A local connection, as the router sees one. */
struct end {
	struct party party;
	struct buf out;
	uint32_t ids[WINDOW];	/* of the requests it was handed */
	unsigned int n;		/* what it was handed in this window */
};

struct bench {
	struct router *router;
	struct now now;
	struct end caller, provider;
	struct buf in;
	unsigned int n_names;
	uint64_t seq;
	uint32_t id;
};

static void die(const char *why)
{
	fprintf(stderr, "bench_core: %s\n", why);
	exit(1);
}

static int on_request(struct party *to, const struct party_request *request,
		      const char **ret_why UNUSED)
{
	struct end *end = container_of(to, struct end, party);
	struct value_fault fault;

	end->ids[end->n++] = request->id;
	return wire_put_request(ENCODING_MSGPACK, request, &end->out, &fault);
}

static void on_response(struct party *to, uint64_t token, const struct party_response *response)
{
	struct end *end = container_of(to, struct end, party);

	if (response->failure)
		die("a call was refused");
	if (wire_put_response(ENCODING_MSGPACK, (uint32_t)token, response, &end->out) != 0)
		die("out of memory");
	end->n++;
}

static const struct party_ops ops = { .request = on_request, .response = on_response };

/* As peer_input.c does with what it has read. */
static void feed(struct bench *b, struct end *from)
{
	struct message messages[ROUTER_EXPECT_MAX];
	struct span rest = buf_span(&b->in);
	size_t n, used;

	while (rest.len > 0) {
		for (n = 0; n < ROUTER_EXPECT_MAX; n++) {
			if (message_read_usual(rest, SIZE_MAX, &messages[n], &used) != 0)
				break;
			rest = span_of(rest.p + used, rest.len - used);
		}
		if (n == 0)
			die("a message cannot be read");
		router_expect(b->router, &from->party, messages, n);
		for (size_t i = 0; i < n; i++)
			if (router_message(b->router, &from->party, &messages[i], &b->now) != 0)
				die("a message was refused");
	}
	buf_clear(&b->in);
}

static void put_payload(struct buf *out)
{
	static const uint8_t payload[SIZE];
	uint8_t head[MP_HEAD_MAX];

	mp_put_array(out, 1);
	buf_put(out, head, (size_t)(mp_w_bin_head(head, SIZE) - head));
	buf_put(out, payload, SIZE);
}

static void put_name(struct buf *out, unsigned int i)
{
	char name[24];

	snprintf(name, sizeof(name), "echo%u", i);
	mp_put_str(out, name);
}

static void put_calls(struct bench *b)
{
	for (int i = 0; i < WINDOW; i++) {
		message_put_request(&b->in, ++b->id, "call", 2);
		put_name(&b->in, (unsigned int)(b->seq++ * STEP % b->n_names));
		put_payload(&b->in);
	}
}

static void put_answers(struct bench *b)
{
	for (int i = 0; i < WINDOW; i++) {
		message_put_result_head(&b->in, b->provider.ids[i]);
		put_payload(&b->in);
	}
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* What is in, to the router; all of it has to come to its end. Nanoseconds. */
static double timed(struct bench *b, struct end *from, struct end *to)
{
	double start = now_ns(), took;

	feed(b, from);
	took = now_ns() - start;
	if (to->n != WINDOW)
		die("calls were lost");
	to->n = 0;
	buf_clear(&to->out);
	return took;
}

/* One window of calls. Nanoseconds for each. */
static double window(struct bench *b)
{
	double took;

	b->now.us += 50;
	b->now.ms = b->now.us / 1000;
	b->now.unix_s += 50e-6;
	put_calls(b);
	took = timed(b, &b->caller, &b->provider);
	put_answers(b);
	took += timed(b, &b->provider, &b->caller);
	router_expire(b->router, &b->now);
	return took / WINDOW;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void end_open(struct bench *b, struct end *end)
{
	end->party.ops = &ops;
	snprintf(end->party.caller, sizeof(end->party.caller), "uid:0");
	buf_init(&end->out, 0);
	router_add(b->router, &end->party, &b->now);
}

static void register_names(struct bench *b)
{
	for (unsigned int i = 0; i < b->n_names; i++) {
		message_put_request(&b->in, i, "register", 1);
		put_name(&b->in, i);
		feed(b, &b->provider);
	}
	b->provider.n = 0;
	buf_clear(&b->provider.out);
}

static void measure(unsigned int n_names)
{
	static const struct router_config config = {
		.name = "bench", .version = "0", .seed = { 1, 2 },
		.instance = "0123456789abcdef0123456789abcdef",
		.limits = { .calls_per_peer = WINDOW, .names_per_peer = NAMES_MAX,
			    .abandoned_per_peer = WINDOW, .pinned_per_peer = 1 << 26,
			    .pinned_total = 1 << 28, .max_message = 1 << 20,
			    .output_per_peer = 1 << 23, .stalled_after_ms = 1000, .peers = 2 },
	};
	static double took[WINDOWS];
	struct bench b = { .now = { .ms = 1000, .us = 1000000, .unix_s = 1.7e9 },
			   .in = BUF_NULL, .n_names = n_names };

	if (router_new(&config, &b.now, &b.router) < 0)
		die("out of memory");
	end_open(&b, &b.caller);
	end_open(&b, &b.provider);
	register_names(&b);
	for (int i = 0; i < WINDOWS; i++)
		took[i] = window(&b);
	qsort(took, WINDOWS, sizeof(*took), compare);
	printf("{\"names\":%u,\"quick_ns\":%.1f,\"median_ns\":%.1f}\n", n_names,
	       took[WINDOWS / 10], took[WINDOWS / 2]);
	router_remove(b.router, &b.caller.party, &b.now);
	router_remove(b.router, &b.provider.party, &b.now);
	router_free(b.router);
	buf_deinit(&b.caller.out);
	buf_deinit(&b.provider.out);
	buf_deinit(&b.in);
}

int main(void)
{
	for (unsigned int n = 1; n <= NAMES_MAX; n *= 10)
		measure(n);
	return 0;
}
