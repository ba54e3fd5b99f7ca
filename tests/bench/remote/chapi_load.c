/* SPDX-License-Identifier: MIT */
/* chapi_load: closed-loop load generator for "call over a Pusher channel".
 *
 * A call is: trigger the request event with the HTTP API of a Pusher-compatible
 * server, then receive the response event on one WebSocket.  Each slot has one
 * HTTP connection, kept alive as long as the server allows (soketi 1.6.1 answers
 * `Connection: close` every time; the connect is then part of the call's time).
 * Any server that answers on the same channel and the same events with the same
 * JSON can be driven.
 *
 *   request data   {"api":A,"params":{"id":ID,"pad":"..."},"timestamp":T}
 *   response data  {"api":A,"params":{...},"result":...,"timestamp":T}
 *
 * Matching: the response's top-level "id" if it has one, else params.id.
 * Floor (one hop): give --response-event the name of the request event and run
 * no server.  --serve makes this program an echo server instead (the null
 * server: two hops with next to no work at the far end).
 *
 * Linux, libc only, no TLS.  One JSON line on stdout.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---------------------------------------------------------------- helpers */
static void die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}
typedef struct {
	char *p;
	size_t n, cap;
} buf;
static void b_room(buf *b, size_t k)
{
	if (b->n + k + 1 <= b->cap)
		return;
	size_t c = b->cap ? b->cap : 1024;
	while (c < b->n + k + 1)
		c *= 2;
	b->p = realloc(b->p, c);
	if (!b->p)
		die("out of memory");
	b->cap = c;
}
static void b_add(buf *b, const void *s, size_t n)
{
	b_room(b, n);
	memcpy(b->p + b->n, s, n);
	b->n += n;
	b->p[b->n] = 0;
}
static void b_str(buf *b, const char *s)
{
	b_add(b, s, strlen(s));
}
static void b_fmt(buf *b, const char *fmt, ...)
{
	char t[1024];
	va_list ap;
	va_start(ap, fmt);
	int k = vsnprintf(t, sizeof t, fmt, ap);
	va_end(ap);
	if (k < 0 || (size_t)k >= sizeof t)
		die("b_fmt overflow");
	b_add(b, t, (size_t)k);
}
static void b_eat(buf *b, size_t k)
{
	memmove(b->p, b->p + k, b->n - k);
	b->n -= k;
	b->p[b->n] = 0;
}
static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}
static double wallclock(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* -------------------------------------------------------------- MD5, SHA-256 */
static uint32_t rol(uint32_t x, int k)
{
	return x << k | x >> (32 - k);
}
static uint32_t ror(uint32_t x, int k)
{
	return x >> k | x << (32 - k);
}
static size_t pad64(const uint8_t *m, size_t n, uint8_t tail[128], int be)
{ /* last 1 or 2 blocks */
	size_t full = n & ~(size_t)63, r = n - full, len = r < 56 ? 64 : 128;
	memset(tail, 0, 128);
	memcpy(tail, m + full, r);
	tail[r] = 0x80;
	uint64_t bits = (uint64_t)n * 8;
	for (int i = 0; i < 8; i++)
		tail[len - 8 + i] = (uint8_t)(bits >> (be ? 56 - 8 * i : 8 * i));
	return len;
}
static void md5(const void *msg, size_t n, uint8_t out[16])
{
	static const uint32_t K[64] = {
		0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613,
		0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193,
		0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d,
		0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed,
		0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122,
		0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
		0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244,
		0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
		0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb,
		0xeb86d391};
	static const int S[4][4] = {
		{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
	uint32_t h[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
	uint8_t tail[128];
	size_t tl = pad64(msg, n, tail, 0), full = n & ~(size_t)63;
	for (size_t o = 0; o < full + tl; o += 64) {
		const uint8_t *p = o < full ? (const uint8_t *)msg + o : tail + (o - full);
		uint32_t w[16];
		for (int i = 0; i < 16; i++)
			w[i] = p[4 * i] | p[4 * i + 1] << 8 | p[4 * i + 2] << 16 |
			       (uint32_t)p[4 * i + 3] << 24;
		uint32_t a = h[0], b = h[1], c = h[2], d = h[3];
		for (int i = 0; i < 64; i++) {
			uint32_t f;
			int g, r = i / 16;
			if (r == 0) {
				f = (b & c) | (~b & d);
				g = i;
			} else if (r == 1) {
				f = (d & b) | (~d & c);
				g = (5 * i + 1) & 15;
			} else if (r == 2) {
				f = b ^ c ^ d;
				g = (3 * i + 5) & 15;
			} else {
				f = c ^ (b | ~d);
				g = (7 * i) & 15;
			}
			uint32_t t = d;
			d = c;
			c = b;
			b += rol(a + f + K[i] + w[g], S[r][i & 3]);
			a = t;
		}
		h[0] += a;
		h[1] += b;
		h[2] += c;
		h[3] += d;
	}
	for (int i = 0; i < 16; i++)
		out[i] = (uint8_t)(h[i / 4] >> (8 * (i & 3)));
}
static void sha256(const void *msg, size_t n, uint8_t out[32])
{
	static const uint32_t K[64] = {
		0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
		0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
		0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
		0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
		0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
		0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
		0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
		0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
		0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
		0xc67178f2};
	uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	uint8_t tail[128];
	size_t tl = pad64(msg, n, tail, 1), full = n & ~(size_t)63;
	for (size_t o = 0; o < full + tl; o += 64) {
		const uint8_t *p = o < full ? (const uint8_t *)msg + o : tail + (o - full);
		uint32_t w[64], v[8];
		for (int i = 0; i < 16; i++)
			w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 |
			       p[4 * i + 3];
		for (int i = 16; i < 64; i++) {
			uint32_t s0 = ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3,
				 s1 = ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10;
			w[i] = w[i - 16] + s0 + w[i - 7] + s1;
		}
		memcpy(v, h, sizeof v);
		for (int i = 0; i < 64; i++) {
			uint32_t t1 = v[7] + (ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25)) +
				      ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[i] + w[i];
			uint32_t t2 = (ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22)) +
				      ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
			memmove(v + 1, v, 28);
			v[4] += t1;
			v[0] = t1 + t2;
		}
		for (int i = 0; i < 8; i++)
			h[i] += v[i];
	}
	for (int i = 0; i < 32; i++)
		out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i & 3)));
}
static void hex(const uint8_t *d, int n, char *o)
{
	for (int i = 0; i < n; i++)
		sprintf(o + 2 * i, "%02x", d[i]);
}
static void hmac_hex(const char *key, const char *msg, char out[65])
{
	uint8_t k[64] = {0}, ip[64], op[64], d[32];
	size_t kl = strlen(key), ml = strlen(msg);
	if (kl > 64)
		sha256(key, kl, k);
	else
		memcpy(k, key, kl);
	for (int i = 0; i < 64; i++) {
		ip[i] = k[i] ^ 0x36;
		op[i] = k[i] ^ 0x5c;
	}
	buf b = {0};
	b_add(&b, ip, 64);
	b_add(&b, msg, ml);
	sha256(b.p, b.n, d);
	b.n = 0;
	b_add(&b, op, 64);
	b_add(&b, d, 32);
	sha256(b.p, b.n, d);
	free(b.p);
	hex(d, 32, out);
}

/* ------------------------------------------------------------------- JSON */
typedef struct {
	const char *p;
	size_t n;
} sl;
static const char *j_ws(const char *p, const char *e)
{
	while (p < e && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}
static const char *j_strend(const char *p, const char *e)
{ /* p at the opening quote */
	for (p++; p < e; p++) {
		if (*p == '\\')
			p++;
		else if (*p == '"')
			return p + 1;
	}
	return NULL;
}
static const char *j_skip(const char *p, const char *e)
{
	p = j_ws(p, e);
	if (p >= e)
		return NULL;
	if (*p == '"')
		return j_strend(p, e);
	if (*p == '{' || *p == '[') {
		int depth = 0;
		while (p < e) {
			if (*p == '"') {
				p = j_strend(p, e);
				if (!p)
					return NULL;
				continue;
			}
			if (*p == '{' || *p == '[')
				depth++;
			else if ((*p == '}' || *p == ']') && --depth == 0)
				return p + 1;
			p++;
		}
		return NULL;
	}
	while (p < e && !strchr(",}] \t\r\n", *p))
		p++;
	return p;
}
static int j_get(sl o, const char *key, sl *v)
{ /* raw value of a member of object o */
	const char *p = j_ws(o.p, o.p + o.n), *e = o.p + o.n;
	size_t kl = strlen(key);
	if (p >= e || *p != '{')
		return 0;
	p = j_ws(p + 1, e);
	while (p < e && *p == '"') {
		const char *ke = j_strend(p, e);
		if (!ke)
			return 0;
		int hit = (size_t)(ke - p) == kl + 2 && !memcmp(p + 1, key, kl);
		p = j_ws(ke, e);
		if (p >= e || *p != ':')
			return 0;
		p = j_ws(p + 1, e);
		const char *ve = j_skip(p, e);
		if (!ve)
			return 0;
		if (hit) {
			v->p = p;
			v->n = (size_t)(ve - p);
			return 1;
		}
		p = j_ws(ve, e);
		if (p >= e || *p != ',')
			return 0;
		p = j_ws(p + 1, e);
	}
	return 0;
}
static int sl_isstr(sl s, const char *t)
{
	size_t k = strlen(t);
	return s.n == k + 2 && s.p[0] == '"' && !memcmp(s.p + 1, t, k);
}
static unsigned h4(const char *p)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		v = v * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
	}
	return v;
}
static void j_unescape(sl s, buf *o)
{ /* s is a raw JSON string with its quotes */
	o->n = 0;
	b_room(o, s.n);
	const char *p = s.p + 1, *e = s.p + s.n - 1;
	while (p < e) {
		const char *q = memchr(p, '\\', (size_t)(e - p));
		if (!q)
			q = e;
		b_add(o, p, (size_t)(q - p));
		p = q;
		if (p >= e)
			break;
		char c = p[1];
		p += 2;
		switch (c) {
		case 'n':
			b_add(o, "\n", 1);
			break;
		case 't':
			b_add(o, "\t", 1);
			break;
		case 'r':
			b_add(o, "\r", 1);
			break;
		case 'b':
			b_add(o, "\b", 1);
			break;
		case 'f':
			b_add(o, "\f", 1);
			break;
		case 'u': {
			unsigned u = h4(p);
			p += 4;
			if (u >= 0xd800 && u < 0xdc00 && e - p >= 6 && p[0] == '\\' &&
			    p[1] == 'u') {
				u = 0x10000 + ((u - 0xd800) << 10) + (h4(p + 2) - 0xdc00);
				p += 6;
			}
			char t[4];
			int k = 0;
			if (u < 0x80)
				t[k++] = (char)u;
			else if (u < 0x800) {
				t[k++] = (char)(0xc0 | u >> 6);
				t[k++] = (char)(0x80 | (u & 63));
			} else if (u < 0x10000) {
				t[k++] = (char)(0xe0 | u >> 12);
				t[k++] = (char)(0x80 | (u >> 6 & 63));
				t[k++] = (char)(0x80 | (u & 63));
			} else {
				t[k++] = (char)(0xf0 | u >> 18);
				t[k++] = (char)(0x80 | (u >> 12 & 63));
				t[k++] = (char)(0x80 | (u >> 6 & 63));
				t[k++] = (char)(0x80 | (u & 63));
			}
			b_add(o, t, (size_t)k);
			break;
		}
		default:
			b_add(o, &c, 1);
		}
	}
}
static void j_escape(buf *o, const char *p, size_t n)
{
	b_add(o, "\"", 1);
	for (size_t i = 0; i < n;) {
		size_t k = i;
		while (k < n && p[k] != '"' && p[k] != '\\' && (unsigned char)p[k] >= 0x20)
			k++;
		b_add(o, p + i, k - i);
		i = k;
		if (i >= n)
			break;
		if ((unsigned char)p[i] < 0x20)
			b_fmt(o, "\\u%04x", p[i]);
		else {
			char t[2] = {'\\', p[i]};
			b_add(o, t, 2);
		}
		i++;
	}
	b_add(o, "\"", 1);
}

/* ---------------------------------------------------------------- options */
static struct {
	const char *host, *app_id, *key, *secret, *channel, *req, *res, *api, *id_in, *label;
	int port, size, conc, count, warmup, timeout_ms, serve, conns, min_ms;
	struct {
		const char *name;
		int pid;
	} watch[8];
	int nwatch;
} O = {"127.0.0.1", "1001",   "app-key", "app-secret", "chapi", "request", "response",
       "echo",      "params", "",        6011,         64,      1,         1000,
       100,         5000,     0,         64,           0,       {{0}},     0};

/* -------------------------------------------------------------- connections */
enum { WS = -1 };
typedef struct {
	int fd, busy, want_out;
	buf out, in;
	size_t off;
} conn;
static conn *C;
static int NC;
static conn W;
static int ep;

static int dial(void)
{
	struct addrinfo hint = {.ai_socktype = SOCK_STREAM}, *r;
	char port[16];
	sprintf(port, "%d", O.port);
	if (getaddrinfo(O.host, port, &hint, &r))
		return -1;
	int fd = socket(r->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	if (fd >= 0 && connect(fd, r->ai_addr, r->ai_addrlen)) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(r);
	if (fd >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		fcntl(fd, F_SETFL, O_NONBLOCK);
	}
	return fd;
}
static void watch_fd(conn *c, int idx, int op, uint32_t ev)
{
	struct epoll_event e = {.events = ev, .data.u32 = (uint32_t)idx};
	epoll_ctl(ep, op, c->fd, &e);
}
static int idx_of(conn *c)
{
	return c == &W ? 0x7fffffff : (int)(c - C);
}
static int c_open(conn *c)
{
	c->fd = dial();
	c->out.n = c->in.n = c->off = 0;
	c->busy = c->want_out = 0;
	if (c->fd < 0)
		return -1;
	watch_fd(c, idx_of(c), EPOLL_CTL_ADD, EPOLLIN);
	return 0;
}
static void c_close(conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->busy = 0;
}
static int c_flush(conn *c)
{
	while (c->off < c->out.n) {
		ssize_t k = send(c->fd, c->out.p + c->off, c->out.n - c->off, MSG_NOSIGNAL);
		if (k > 0) {
			c->off += (size_t)k;
			continue;
		}
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno == EAGAIN) {
			if (!c->want_out) {
				c->want_out = 1;
				watch_fd(c, idx_of(c), EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			}
			return 0;
		}
		return -1;
	}
	c->out.n = c->off = 0;
	if (c->want_out) {
		c->want_out = 0;
		watch_fd(c, idx_of(c), EPOLL_CTL_MOD, EPOLLIN);
	}
	return 0;
}
static int c_fill(conn *c)
{ /* 0 ok, -1 closed */
	for (;;) {
		b_room(&c->in, 65536);
		ssize_t k = recv(c->fd, c->in.p + c->in.n, 65536, 0);
		if (k > 0) {
			c->in.n += (size_t)k;
			c->in.p[c->in.n] = 0;
			if (k < 65536)
				return 0;
			continue;
		}
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno == EAGAIN)
			return 0;
		return -1;
	}
}

/* ------------------------------------------------------------------- HTTP */
static void http_trigger(buf *o, const char *event, const char *data, size_t n)
{
	static buf body;
	body.n = 0;
	b_fmt(&body, "{\"name\":\"%s\",\"channels\":[\"%s\"],\"data\":", event, O.channel);
	j_escape(&body, data, n);
	b_str(&body, "}");
	uint8_t d[16];
	char m[33], sig[65], q[512], s[1024];
	md5(body.p, body.n, d);
	hex(d, 16, m);
	snprintf(q, sizeof q, "auth_key=%s&auth_timestamp=%ld&auth_version=1.0&body_md5=%s", O.key,
		 (long)time(NULL), m);
	snprintf(s, sizeof s, "POST\n/apps/%s/events\n%s", O.app_id, q);
	hmac_hex(O.secret, s, sig);
	b_fmt(o,
	      "POST /apps/%s/events?%s&auth_signature=%s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: "
	      "application/json\r\nContent-Length: %zu\r\n\r\n",
	      O.app_id, q, sig, O.host, O.port, body.n);
	b_add(o, body.p, body.n);
}
/* 1 complete (status, body set, *used bytes, *last: the server closes), 0 incomplete, -1 not
 * understood */
static int http_parse(buf *in, int *status, sl *body, size_t *used, int *last)
{
	char *h = in->n ? memmem(in->p, in->n, "\r\n\r\n", 4) : NULL;
	if (!h)
		return 0;
	if (sscanf(in->p, "HTTP/1.%*d %d", status) != 1)
		return -1;
	size_t hl = (size_t)(h - in->p) + 4;
	long cl = -1;
	int chunked = 0;
	*last = 0;
	for (char *p = in->p; p < h;) {
		char *e = memmem(p, (size_t)(h + 2 - p), "\r\n", 2);
		if (!e)
			break;
		if (!strncasecmp(p, "content-length:", 15))
			cl = atol(p + 15);
		if (!strncasecmp(p, "transfer-encoding: chunked", 26))
			chunked = 1;
		if (!strncasecmp(p, "connection: close", 17))
			*last = 1;
		p = e + 2;
	}
	if (chunked) {
		char *z = memmem(h + 2, in->n - hl + 2, "\r\n0\r\n\r\n", 7);
		if (!z)
			return 0;
		body->p = h + 4;
		*used = (size_t)(z + 7 - in->p);
		body->n = *used - hl;
		return 1;
	}
	if (cl < 0)
		return -1;
	if (in->n < hl + (size_t)cl)
		return 0;
	body->p = h + 4;
	body->n = (size_t)cl;
	*used = hl + (size_t)cl;
	return 1;
}

/* -------------------------------------------------------------- WebSocket */
static void ws_send(const char *s)
{
	size_t n = strlen(s);
	uint8_t h[8];
	int k = 0;
	h[k++] = 0x81;
	if (n < 126)
		h[k++] = (uint8_t)(0x80 | n);
	else {
		h[k++] = 0x80 | 126;
		h[k++] = (uint8_t)(n >> 8);
		h[k++] = (uint8_t)n;
	}
	memset(h + k, 0, 4);
	k += 4; /* a mask of zeros */
	b_add(&W.out, h, (size_t)k);
	b_add(&W.out, s, n);
	if (c_flush(&W))
		die("WebSocket: send failed");
}
static int subscribed;
static void on_event(sl event, sl data, double t);
static void ws_text(sl m)
{
	double t = now();
	sl ev, ch, data = {0};
	static buf d;
	if (!j_get(m, "event", &ev))
		return;
	j_get(m, "data", &data);
	if (sl_isstr(ev, "pusher:ping")) {
		ws_send("{\"event\":\"pusher:pong\",\"data\":\"\"}");
		return;
	}
	if (sl_isstr(ev, "pusher:error")) {
		fprintf(stderr, "pusher:error %.*s\n", (int)data.n, data.p);
		return;
	}
	if (sl_isstr(ev, "pusher:connection_established")) {
		sl id;
		char s[1024], sig[65];
		j_unescape(data, &d);
		if (!j_get((sl){d.p, d.n}, "socket_id", &id))
			die("no socket_id");
		if (!strncmp(O.channel, "private-", 8)) {
			snprintf(s, sizeof s, "%.*s:%s", (int)id.n - 2, id.p + 1, O.channel);
			hmac_hex(O.secret, s, sig);
			snprintf(s, sizeof s,
				 "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\","
				 "\"auth\":\"%s:%s\"}}",
				 O.channel, O.key, sig);
		} else
			snprintf(s, sizeof s,
				 "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\"}}",
				 O.channel);
		ws_send(s);
		return;
	}
	if (!j_get(m, "channel", &ch) || !sl_isstr(ch, O.channel))
		return;
	if (sl_isstr(ev, "pusher_internal:subscription_succeeded")) {
		subscribed = 1;
		return;
	}
	if (!(sl_isstr(ev, O.res) || (O.serve && sl_isstr(ev, O.req))))
		return; /* our own request coming back */
	if (data.n && data.p[0] == '"') {
		j_unescape(data, &d);
		data = (sl){d.p, d.n};
	}
	on_event(ev, data, t);
}
static void ws_frames(void)
{
	static buf msg;
	size_t o = 0;
	for (;;) {
		const uint8_t *p = (uint8_t *)W.in.p + o;
		size_t n = W.in.n - o, h = 2;
		if (n < 2)
			break;
		uint64_t len = p[1] & 127;
		if (len == 126) {
			h = 4;
			if (n < h)
				break;
			len = (uint64_t)p[2] << 8 | p[3];
		} else if (len == 127) {
			h = 10;
			if (n < h)
				break;
			len = 0;
			for (int i = 2; i < 10; i++)
				len = len << 8 | p[i];
		}
		if (p[1] & 128)
			die("WebSocket: masked frame from the server");
		if (n < h + len)
			break;
		int op = p[0] & 15, fin = p[0] >> 7;
		if (op == 8)
			die("WebSocket: closed by the server");
		if (op == 9) {
			uint8_t q[6] = {0x8a, 0x80 | (uint8_t)len};
			b_add(&W.out, q, 6);
			b_add(&W.out, p + h, len);
			c_flush(&W);
		} else if (op <= 2) {
			if (op == 1 && fin)
				ws_text((sl){(char *)p + h, len});
			else {
				if (op)
					msg.n = 0;
				b_add(&msg, p + h, len);
				if (fin)
					ws_text((sl){msg.p, msg.n});
			}
		}
		o += h + len;
	}
	if (o)
		b_eat(&W.in, o);
}
static void ws_open(void)
{
	if (c_open(&W))
		die("cannot connect to %s:%d", O.host, O.port);
	b_fmt(&W.out,
	      "GET /app/%s?protocol=7&client=chapi_load&version=1.0.0 HTTP/1.1\r\nHost: "
	      "%s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
	      O.key, O.host, O.port);
	if (c_flush(&W))
		die("WebSocket: send failed");
	double dl = now() + 5;
	char *h = NULL;
	while (!h && now() < dl) {
		struct epoll_event e;
		epoll_wait(ep, &e, 1, 100);
		if (c_fill(&W))
			die("WebSocket: closed in the handshake");
		if (W.in.n)
			h = strstr(W.in.p, "\r\n\r\n");
	}
	if (!h || strncmp(W.in.p, "HTTP/1.1 101", 12))
		die("WebSocket: handshake refused");
	b_eat(&W.in, (size_t)(h - W.in.p) + 4);
	ws_frames();
	while (!subscribed && now() < dl) {
		struct epoll_event e;
		if (epoll_wait(ep, &e, 1, 100) > 0) {
			if (c_fill(&W))
				die("WebSocket: closed");
			ws_frames();
		}
	}
	if (!subscribed)
		die("subscription not confirmed in 5 s");
}

/* ------------------------------------------------------------- load (slots) */
typedef struct {
	uint32_t seq;
	int active, http_done, ws_done, failed;
	double t0, dl;
} slot;
static slot *S;
static unsigned run_id;
static char *padstr;
static int padlen;
static long n_started, n_done, n_ok, n_http, n_net, n_api, n_bad, n_lost, n_late, n_dup, n_close,
	target;
static double *lat, *trg;
static long n_lat, n_trg;
static int record;
#define ID_LEN 14

static void slot_next(int i);
static void slot_check(int i, int force)
{
	slot *s = &S[i];
	if (!s->active || (!force && !(s->http_done && (s->ws_done || s->failed))))
		return;
	s->active = 0;
	n_done++;
	if (s->ws_done && !s->failed)
		n_ok++;
	slot_next(i);
}
static void slot_next(int i)
{
	if (n_started >= target)
		return;
	slot *s = &S[i];
	conn *c = &C[i];
	static buf in;
	char id[ID_LEN + 1];
	n_started++;
	s->seq++;
	s->active = 1;
	s->http_done = s->ws_done = s->failed = 0;
	snprintf(id, sizeof id, "%04x%03x%07x", run_id & 0xffff, i & 0xfff, s->seq & 0xfffffff);
	in.n = 0;
	b_str(&in, "{");
	if (strcmp(O.id_in, "params"))
		b_fmt(&in, "\"id\":\"%s\",", id); /* both, top */
	b_fmt(&in, "\"api\":\"%s\",\"params\":{", O.api);
	if (strcmp(O.id_in, "top"))
		b_fmt(&in, "\"id\":\"%s\",", id);
	b_str(&in, "\"pad\":\"");
	b_add(&in, padstr, (size_t)padlen);
	b_fmt(&in, "\"},\"timestamp\":%.6f}", wallclock());
	s->t0 = now();
	s->dl = s->t0 + O.timeout_ms / 1e3;
	if (c->fd < 0 && c_open(c)) {
		n_net++;
		s->http_done = s->failed = 1;
		s->dl = s->t0 + 0.1;
		return;
	}
	c->in.n = 0;
	http_trigger(&c->out, O.req, in.p, in.n);
	c->busy = 1;
	if (c_flush(c)) {
		n_net++;
		c_close(c);
		s->http_done = s->failed = 1;
		s->dl = s->t0 + 0.1;
	}
}
static void on_response(sl d, double t)
{
	sl id, params, v, w;
	id.p = NULL;
	if (!j_get(d, "id", &id) || id.n != ID_LEN + 2) {
		if (!j_get(d, "params", &params) || !j_get(params, "id", &id))
			return;
	}
	if (id.n != ID_LEN + 2 || id.p[0] != '"')
		return;
	char x[ID_LEN + 1];
	memcpy(x, id.p + 1, ID_LEN);
	x[ID_LEN] = 0;
	unsigned r, i, q;
	if (sscanf(x, "%4x%3x%7x", &r, &i, &q) != 3 || r != (run_id & 0xffff) || (int)i >= O.conc)
		return;
	slot *s = &S[i];
	if (!s->active || s->seq != q) {
		n_late++;
		return;
	}
	if (s->ws_done) {
		n_dup++;
		return;
	}
	s->ws_done = 1;
	if (record)
		lat[n_lat++] = t - s->t0;
	if (j_get(d, "error", &v) && strncmp(v.p, "null", 4)) {
		n_api++;
		s->failed = 1;
	} else if (strcmp(O.req, O.res) && !strcmp(O.api, "echo") &&
		   !(j_get(d, "result", &v) && j_get(v, "pad", &w) && w.n == (size_t)padlen + 2)) {
		n_bad++;
		s->failed = 1;
	}
	if (s->failed && record)
		n_lat--;
	slot_check((int)i, 0);
}

/* ----------------------------------------------------------- serve (null server) */
typedef struct job {
	struct job *next;
	size_t n;
	char p[];
} job;
static job *qh, **qt = &qh;
static void serve_kick(void)
{
	for (int i = 0; qh && i < NC; i++) {
		conn *c = &C[i];
		if (c->busy)
			continue;
		if (c->fd < 0 && c_open(c))
			continue;
		job *j = qh;
		qh = j->next;
		if (!qh)
			qt = &qh;
		c->in.n = 0;
		b_add(&c->out, j->p, j->n);
		free(j);
		c->busy = 1;
		if (c_flush(c))
			c_close(c);
	}
}
static void on_request(sl d)
{
	sl api, params;
	static buf r, h;
	r.n = h.n = 0;
	if (!j_get(d, "api", &api) || !j_get(d, "params", &params))
		return;
	b_str(&r, "{\"api\":");
	b_add(&r, api.p, api.n);
	b_str(&r, ",\"params\":");
	b_add(&r, params.p, params.n);
	b_str(&r, ",\"result\":");
	b_add(&r, params.p, params.n);
	b_fmt(&r, ",\"timestamp\":%.6f}", wallclock());
	http_trigger(&h, O.res, r.p, r.n);
	job *j = malloc(sizeof *j + h.n);
	j->next = NULL;
	j->n = h.n;
	memcpy(j->p, h.p, h.n);
	*qt = j;
	qt = &j->next;
	serve_kick();
}
static void on_event(sl ev, sl d, double t)
{
	if (O.serve) {
		if (sl_isstr(ev, O.req))
			on_request(d);
	} else
		on_response(d, t);
}

/* ------------------------------------------------------------------- loop */
static void http_in(int i)
{
	conn *c = &C[i];
	int st = 0, last = 0;
	sl body;
	size_t used;
	double t = now();
	int dead = c_fill(c);
	if (c->busy) {
		int r = http_parse(&c->in, &st, &body, &used, &last);
		if (r == 1) {
			dead |= last;
			n_close += last;
			c->busy = 0;
			int ok = st == 200 && !memmem(body.p, body.n, "\"error\"", 7);
			if (!ok) {
				static int told;
				if (told++ < 3)
					fprintf(stderr, "trigger: status %d, %.*s\n", st,
						(int)body.n, body.p);
			}
			c->in.n = 0;
			if (!O.serve && S[i].active) {
				S[i].http_done = 1;
				if (record)
					trg[n_trg++] = t - S[i].t0;
				if (!ok) {
					n_http++;
					S[i].failed = 1;
				}
				if (dead)
					c_close(c);
				slot_check(i, 0);
				return;
			}
		} else if (r < 0 || dead) {
			c_close(c);
			if (!O.serve && S[i].active) {
				n_net++;
				S[i].http_done = S[i].failed = 1;
				slot_check(i, 0);
			}
			return;
		}
	}
	if (dead)
		c_close(c);
	if (O.serve)
		serve_kick();
}
static void pump(int ms)
{
	struct epoll_event e[128];
	int k = epoll_wait(ep, e, 128, ms);
	for (int j = 0; j < k; j++) {
		int i = (int)e[j].data.u32;
		conn *c = i == 0x7fffffff ? &W : &C[i];
		if (c->fd < 0)
			continue;
		if (e[j].events & EPOLLOUT && c_flush(c)) {
			if (c == &W)
				die("WebSocket: send failed");
		}
		if (!(e[j].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
			continue;
		if (c == &W) {
			int dead = c_fill(c);
			ws_frames();
			if (dead)
				die("WebSocket: connection lost");
		} else
			http_in(i);
	}
}
static void phase(long n)
{
	target = n_started + n;
	long end = n_done + n;
	double chk = now();
	for (int i = 0; i < O.conc; i++)
		if (!S[i].active)
			slot_next(i);
	while (n_done < end) {
		pump(20);
		double t = now();
		if (t < chk)
			continue;
		chk = t + 0.02;
		for (int i = 0; i < O.conc; i++) {
			slot *s = &S[i];
			if (!s->active || t < s->dl)
				continue;
			if (!s->failed && !s->ws_done)
				n_lost++;
			if (!s->http_done) {
				if (!s->failed && s->ws_done)
					n_net++;
				s->failed = 1;
				c_close(&C[i]);
			}
			slot_check(i, 1);
		}
	}
}
static int cmp(const void *a, const void *b)
{
	double x = *(double *)a, y = *(double *)b;
	return (x > y) - (x < y);
}
static double pct(double *v, long n, double p)
{
	if (!n)
		return -1;
	long k = (long)(p * (double)n + 0.999999) - 1;
	return v[k < 0 ? 0 : k >= n ? n - 1 : k] * 1e3;
}
static double cpu_of(int pid)
{
	clockid_t c;
	struct timespec t;
	if (clock_getcpuclockid(pid, &c) || clock_gettime(c, &t))
		return -1;
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void selftest(void)
{
	uint8_t d[32];
	char h[65];
	md5("message digest", 14, d);
	hex(d, 16, h);
	if (strcmp(h, "f96b697d7cb7938d525a2f31aaf161d0"))
		die("md5");
	sha256("abc", 3, d);
	hex(d, 32, h);
	if (strcmp(h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
		die("sha256");
	hmac_hex("Jefe", "what do ya want for nothing?", h);
	if (strcmp(h, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"))
		die("hmac");
}
static const char USAGE[] =
	"chapi_load [options]            one JSON line on stdout\n"
	"  --host H --port N --app-id I --key K --secret S\n"
	"  --channel C --request-event E --response-event E --api NAME\n"
	"  --size BYTES        of the params object as JSON text (>= 32; default 64)\n"
	"  --concurrency N     calls in flight, closed loop (default 1)\n"
	"  --count N           measured calls (default 1000)\n"
	"  --warmup N          calls before them, not counted (default 100)\n"
	"  --timeout-ms N      a call without a response after this is lost (default 5000)\n"
	"  --id-in WHERE       where the request carries its id: params, top or both\n"
	"  --watch NAME=PID    report this process's CPU time over the measured part\n"
	"  --label TEXT        copied to the output\n"
	"  --serve             be a null echo server instead; --conns N HTTP connections\n";

int main(int argc, char **argv)
{
	static struct option L[] = {
		{"host", 1, 0, 'h'},          {"port", 1, 0, 'p'},           {"app-id", 1, 0, 'a'},
		{"key", 1, 0, 'k'},           {"secret", 1, 0, 's'},         {"channel", 1, 0, 'c'},
		{"request-event", 1, 0, 'q'}, {"response-event", 1, 0, 'r'}, {"api", 1, 0, 'f'},
		{"size", 1, 0, 'z'},          {"concurrency", 1, 0, 'C'},    {"count", 1, 0, 'n'},
		{"warmup", 1, 0, 'w'},        {"timeout-ms", 1, 0, 't'},     {"id-in", 1, 0, 'i'},
		{"watch", 1, 0, 'W'},         {"label", 1, 0, 'l'},          {"serve", 0, 0, 'S'},
		{"conns", 1, 0, 'N'},         {"help", 0, 0, '?'},           {0, 0, 0, 0}};
	for (int o; (o = getopt_long(argc, argv, "", L, NULL)) != -1;)
		switch (o) {
		case 'h':
			O.host = optarg;
			break;
		case 'p':
			O.port = atoi(optarg);
			break;
		case 'a':
			O.app_id = optarg;
			break;
		case 'k':
			O.key = optarg;
			break;
		case 's':
			O.secret = optarg;
			break;
		case 'c':
			O.channel = optarg;
			break;
		case 'q':
			O.req = optarg;
			break;
		case 'r':
			O.res = optarg;
			break;
		case 'f':
			O.api = optarg;
			break;
		case 'z':
			O.size = atoi(optarg);
			break;
		case 'C':
			O.conc = atoi(optarg);
			break;
		case 'n':
			O.count = atoi(optarg);
			break;
		case 'w':
			O.warmup = atoi(optarg);
			break;
		case 't':
			O.timeout_ms = atoi(optarg);
			break;
		case 'i':
			O.id_in = optarg;
			break;
		case 'W': {
			char *q = strchr(optarg, '=');
			if (!q || O.nwatch == 8)
				die("--watch NAME=PID");
			*q = 0;
			O.watch[O.nwatch].name = optarg;
			O.watch[O.nwatch++].pid = atoi(q + 1);
			break;
		}
		case 'l':
			O.label = optarg;
			break;
		case 'S':
			O.serve = 1;
			break;
		case 'N':
			O.conns = atoi(optarg);
			break;
		default:
			fputs(USAGE, stderr);
			return 2;
		}
	selftest();
	padlen = O.size - 32 + (strcmp(O.id_in, "top") ? 0 : 22);
	if (padlen < 0 || O.conc < 1 || O.conc > 4096 || O.count < 1) {
		fputs(USAGE, stderr);
		return 2;
	}
	padstr = malloc((size_t)padlen + 1);
	for (int i = 0; i < padlen; i++)
		padstr[i] = (char)('a' + i % 26);
	run_id = (unsigned)getpid() ^ (unsigned)time(NULL) << 4;
	ep = epoll_create1(EPOLL_CLOEXEC);
	W.fd = -1;
	NC = O.serve ? O.conns : O.conc;
	C = calloc((size_t)NC, sizeof *C);
	for (int i = 0; i < NC; i++)
		C[i].fd = -1;
	ws_open();
	if (O.serve) {
		puts("SUBSCRIBED");
		fflush(stdout);
		for (;;)
			pump(1000);
	}
	S = calloc((size_t)O.conc, sizeof *S);
	lat = calloc((size_t)O.count + 1, sizeof *lat);
	trg = calloc((size_t)O.count + 1, sizeof *trg);
	for (int i = 0; i < NC; i++)
		if (c_open(&C[i]))
			die("cannot connect");
	if (O.warmup)
		phase(O.warmup);
	n_ok = n_http = n_net = n_api = n_bad = n_lost = n_late = n_dup = n_close = 0;
	record = 1;
	double cpu0[8], cpu1[8];
	for (int i = 0; i < O.nwatch; i++)
		cpu0[i] = cpu_of(O.watch[i].pid);
	struct timespec g0, g1;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &g0);
	double t0 = now();
	phase(O.count);
	double wall = now() - t0;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &g1);
	for (int i = 0; i < O.nwatch; i++)
		cpu1[i] = cpu_of(O.watch[i].pid);
	qsort(lat, (size_t)n_lat, sizeof *lat, cmp);
	qsort(trg, (size_t)n_trg, sizeof *trg, cmp);
	printf("{\"label\":\"%s\",\"api\":\"%s\",\"size\":%d,\"concurrency\":%d,\"count\":%d,"
	       "\"ok\":%ld,\"calls_per_s\":%.1f,"
	       "\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"trigger_p50_ms\":"
	       "%.3f,"
	       "\"errors\":%ld,\"http_errors\":%ld,\"net_errors\":%ld,\"api_errors\":%ld,\"bad\":%"
	       "ld,\"lost\":%ld,\"late\":%ld,\"dup\":%ld,"
	       "\"server_closed\":%ld,\"wall_s\":%.4f,\"gen_cpu_s\":%.4f",
	       O.label, O.api, O.size, O.conc, O.count, n_ok, (double)n_ok / wall,
	       pct(lat, n_lat, .5), pct(lat, n_lat, .95), pct(lat, n_lat, .99), pct(lat, n_lat, 1),
	       pct(trg, n_trg, .5), n_http + n_net + n_api + n_bad, n_http, n_net, n_api, n_bad,
	       n_lost, n_late, n_dup, n_close, wall,
	       (double)(g1.tv_sec - g0.tv_sec) + (double)(g1.tv_nsec - g0.tv_nsec) * 1e-9);
	for (int i = 0; i < O.nwatch; i++)
		printf(",\"cpu_%s_s\":%.4f", O.watch[i].name, cpu1[i] - cpu0[i]);
	puts("}");
	return n_ok == O.count ? 0 : 1;
}
