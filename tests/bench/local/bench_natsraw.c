/* SPDX-License-Identifier: MIT */
/* bench_natsraw.c - NATS core request/reply with a hand-packed client over loopback TCP
 * (nats-server has no Unix socket): one wildcard inbox subscription per caller, the reply
 * subject carries the call id. */
#define _GNU_SOURCE
#include "stream.h"

#define CONNECT "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\",\"version\":\"1\",\"protocol\":1}\r\n"
static char pre[32];                                      /* inbox prefix of this caller */
static size_t prelen;

static int nopen(const char *subs, size_t n)
{
    char b[4096];
    int fd = tcp_connect(cfg.addr);
    if (fd < 0) return -1;
    if (read(fd, b, sizeof b) <= 0) goto bad;             /* INFO */
    if (write_full(fd, CONNECT, sizeof CONNECT - 1) || (n && write_full(fd, subs, n)) || write_full(fd, "PING\r\n", 6)) goto bad;
    size_t have = 0;
    for (;;) {
        ssize_t r = read(fd, b + have, sizeof b - 1 - have);
        if (r <= 0) goto bad;
        have += (size_t)r;
        b[have] = 0;
        if (strstr(b, "PONG\r\n")) return fd;
        if (strstr(b, "-ERR")) goto bad;
    }
bad:
    close(fd);
    return -1;
}
static int open_any(int idx) { (void)idx; return nopen(NULL, 0); }
static int open_caller(int idx)
{
    char s[80];
    prelen = (size_t)snprintf(pre, sizeof pre, "_INBOX.c%d.", idx);
    int n = snprintf(s, sizeof s, "SUB %s* 1\r\n", pre);
    return nopen(s, (size_t)n);
}
static int open_provider(int idx)
{
    struct buf b = { 0 };
    for (int i = idx; i < name_total(); i += cfg.providers) {
        char s[64];
        int n = snprintf(s, sizeof s, "SUB echo%d %d\r\n", i, i + 1);
        buf_put(&b, s, (size_t)n);
    }
    return nopen((char *)b.p, b.len);
}
static size_t put_u(char *p, size_t v)
{
    char t[24];
    size_t n = 0, k;
    do t[n++] = (char)('0' + v % 10); while (v /= 10);
    for (k = 0; k < n; k++) p[k] = t[n - 1 - k];
    return n;
}
static void pub(struct buf *out, const char *subj, size_t sn, const char *rep, size_t rn, const uint8_t *pl, size_t n)
{
    buf_need(out, n + sn + rn + 64);
    char *s = (char *)buf_tail(out), *q = s;
    memcpy(q, "PUB ", 4); q += 4;
    memcpy(q, subj, sn); q += sn; *q++ = ' ';
    if (rn) { memcpy(q, rep, rn); q += rn; *q++ = ' '; }
    q += put_u(q, n);
    *q++ = '\r'; *q++ = '\n';
    memcpy(q, pl, n); q += n;
    *q++ = '\r'; *q++ = '\n';
    out->len += (size_t)(q - s);
}
static void enc_call(struct buf *out, uint32_t id, int name, const uint8_t *pl, size_t n)
{
    char s[24], r[64];
    memcpy(s, "echo", 4);
    size_t sn = 4 + put_u(s + 4, (size_t)name);
    memcpy(r, pre, prelen);
    size_t rn = prelen + put_u(r + prelen, id);
    pub(out, s, sn, r, rn, pl, n);
}
/* One protocol line; for MSG its payload too. Returns bytes used, 0 incomplete. kind 1 = MSG. */
struct nm { int kind; const char *subj, *rep; size_t sn, rn, n; const uint8_t *pl; };
static size_t parse(const uint8_t *p, size_t len, struct nm *m, struct buf *out)
{
    const uint8_t *nl = memchr(p, '\n', len < 512 ? len : 512);
    m->kind = 0;
    if (!nl) { if (len >= 512) die("long line"); return 0; }
    size_t ll = (size_t)(nl - p) + 1;
    if (len > 4 && !memcmp(p, "MSG ", 4)) {
        const char *w[5];
        size_t wl[5];
        int k = 0;
        const char *q = (const char *)p + 4, *e = (const char *)nl - 1;
        while (q < e && k < 5) {
            const char *sp = memchr(q, ' ', (size_t)(e - q));
            if (!sp) sp = e;
            w[k] = q; wl[k++] = (size_t)(sp - q);
            q = sp + 1;
        }
        m->n = 0;
        for (size_t i = 0; i < wl[k - 1]; i++) m->n = m->n * 10 + (size_t)(w[k - 1][i] - '0');
        if (len < ll + m->n + 2) return 0;
        m->kind = 1;
        m->subj = w[0]; m->sn = wl[0];
        m->rep = k == 4 ? w[2] : NULL; m->rn = k == 4 ? wl[2] : 0;
        m->pl = p + ll;
        return ll + m->n + 2;
    }
    if (!memcmp(p, "PING", 4)) buf_put(out, "PONG\r\n", 6);
    else if (!memcmp(p, "-ERR", 4)) die("%.*s", (int)ll - 2, (const char *)p);
    return ll;
}
static size_t serve(const uint8_t *p, size_t len, struct buf *out)
{
    struct nm m;
    size_t u = parse(p, len, &m, out);
    if (u && m.kind && m.rep) pub(out, m.rep, m.rn, NULL, 0, m.pl, m.n);
    return u;
}
static size_t dec_reply(const uint8_t *p, size_t len, uint32_t *id, const uint8_t **pl, size_t *n, struct buf *out)
{
    struct nm m;
    size_t u = parse(p, len, &m, out);
    *id = ID_NONE;
    if (!u || !m.kind) return u;
    uint32_t v = 0;
    for (size_t i = prelen; i < m.sn; i++) v = v * 10 + (uint32_t)(m.subj[i] - '0');
    *id = v; *pl = m.pl; *n = m.n;
    return u;
}
static const struct codec K = { open_caller, open_provider, open_any, enc_call, serve, dec_reply };
static void provider(int i) { stream_provider(&K, i); }
static void caller(int i) { stream_caller(&K, i); }
static void idle(int n) { stream_idle(&K, n); }
static int probe(void) { int fd = open_any(0); if (fd < 0) return -1; close(fd); return 0; }
const struct transport T = { provider, caller, idle, probe, 0 };
