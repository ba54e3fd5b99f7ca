/* SPDX-License-Identifier: MIT */
/*
 * Load generator for chapi-gw in JSON lines: the calls of bench_chapi.c, as text.
 *
 * A payload's first four bytes, the number of its call, travel as eight hexadecimal digits; so it is
 * as long as that of the others.
 */
#define _GNU_SOURCE
#include "stream.h"

#define HEX_LEN 8u

static int open_any(int idx)
{
	static const char hello[] = "[0,1,\"hello\",[]]\n";
	char answer[4096];
	size_t have = 0;
	int fd = unix_connect(cfg.addr);

	(void)idx;
	if (fd < 0 || write_full(fd, hello, sizeof(hello) - 1))
		return -1;
	while (!memchr(answer, '\n', have)) {
		ssize_t n = read(fd, answer + have, sizeof(answer) - have);

		if (n <= 0)
			return -1;
		have += (size_t)n;
	}
	return fd;
}

static int open_caller(int idx)
{
	(void)idx;
	return unix_connect(cfg.addr);
}

/* One at a time: the next is sent when the last is answered. */
static void register_name(int fd, int name)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "[0,2,\"register\",[\"echo%d\"]]\n", name);

	if (write_full(fd, text, (size_t)n))
		die("register: %s", strerror(errno));
	do {
		if (read(fd, text, 1) != 1)
			die("register was not answered");
	} while (*text != '\n');
}

static int open_provider(int idx)
{
	int fd = unix_connect(cfg.addr);

	for (int i = idx; fd >= 0 && i < name_total(); i += cfg.providers)
		register_name(fd, i);
	return fd;
}

static void enc_call(struct buf *out, uint32_t id, int name, const uint8_t *pl, size_t n)
{
	uint32_t number;
	int len;

	if (n < HEX_LEN)
		die("as text a payload has at least %u bytes", HEX_LEN);
	memcpy(&number, pl, sizeof(number));
	buf_need(out, n + 96);
	len = sprintf((char *)buf_tail(out), "[0,%u,\"call\",[\"echo%d\",[\"%08x", id, name, number);
	out->len += (size_t)len;
	buf_put(out, pl + HEX_LEN, n - HEX_LEN);
	buf_put(out, "\"]]]\n", 5);
}

/* The digits at p; *p is moved behind them. */
static uint32_t number_at(const char **p)
{
	char *end;
	unsigned long v = strtoul(*p, &end, 10);

	*p = end;
	return (uint32_t)v;
}

/* [0,ID,"echoN",[["..."],{...}]]: the answer is what stands in the first brackets. */
static size_t serve(const uint8_t *p, size_t len, struct buf *out)
{
	const uint8_t *lf = memchr(p, '\n', len);
	const char *q = (const char *)p + 3, *begin, *end;
	uint32_t id;
	int n;

	if (!lf || p[1] != '0')
		return lf ? (size_t)(lf - p) + 1 : 0;
	id = number_at(&q);
	begin = memmem(q, (size_t)((const char *)lf - q), "[[", 2);
	end = begin ? memmem(begin, (size_t)((const char *)lf - begin), "\"],", 3) : NULL;
	if (!end)
		die("a request that is none of ours");
	buf_need(out, (size_t)(end - begin) + 64);
	n = sprintf((char *)buf_tail(out), "[1,%u,null,", id);
	out->len += (size_t)n;
	buf_put(out, begin + 1, (size_t)(end - begin) + 1);
	buf_put(out, "]\n", 2);
	return (size_t)(lf - p) + 1;
}

/* [1,ID,null,["..."]] */
static size_t dec_reply(const uint8_t *p, size_t len, uint32_t *id, const uint8_t **pl, size_t *n,
			struct buf *out)
{
	static uint8_t *payload;
	const uint8_t *lf = memchr(p, '\n', len);
	const char *q = (const char *)p + 3, *text;
	char hex[HEX_LEN + 1] = "";
	uint32_t number;

	(void)out;
	*id = ID_NONE;
	*pl = NULL;
	if (!lf || p[1] != '1')
		return lf ? (size_t)(lf - p) + 1 : 0;
	*id = number_at(&q);
	text = memmem(q, (size_t)((const char *)lf - q), ",null,[\"", 8);
	if (!text || (size_t)((const char *)lf - text) != cfg.size + 8 + 3)
		return (size_t)(lf - p) + 1;
	text += 8;
	if (!payload && !(payload = malloc(cfg.size)))
		die("out of memory");
	memcpy(hex, text, HEX_LEN);
	number = (uint32_t)strtoul(hex, NULL, 16);
	memcpy(payload, text, cfg.size);
	memcpy(payload, &number, sizeof(number));
	*pl = payload;
	*n = cfg.size;
	return (size_t)(lf - p) + 1;
}

static const struct codec K = { open_caller, open_provider, open_any, enc_call, serve, dec_reply };

static void provider(int i)
{
	stream_provider(&K, i);
}

static void caller(int i)
{
	stream_caller(&K, i);
}

static void idle(int n)
{
	stream_idle(&K, n);
}

static int probe(void)
{
	int fd = open_any(0);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : -1;
}

const struct transport T = { provider, caller, idle, probe, 0 };
