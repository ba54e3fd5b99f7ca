/* SPDX-License-Identifier: MIT */
/* bench_chapi.c - load generator for chapi-gw: plain concatenated MessagePack-RPC on a
 * Unix stream socket.  Everything that may still change in the protocol is right here. */
#ifndef CHAPI_REGISTER
#define CHAPI_REGISTER   "register"   /* provider -> router: [0,id,REGISTER,[name]] */
#endif
#ifndef CHAPI_NAME_KEY
#define CHAPI_NAME_KEY   ""           /* "" = the list holds plain strings; else maps {NAME_KEY: name} */
#endif
#ifndef CHAPI_CALL
#define CHAPI_CALL       "call"       /* caller -> router: [0,id,CALL,[name, params]]; "" = [0,id,name,params] */
#endif
#ifndef CHAPI_PROBE
#define CHAPI_PROBE      "hello"      /* any answer, an error too, means that the router is up */
#endif
#ifndef CHAPI_NAME_FMT
#define CHAPI_NAME_FMT   "echo%d"     /* API name number n */
#endif
#ifndef CHAPI_REG_CHUNK
#define CHAPI_REG_CHUNK  1            /* names in one register request */
#endif
/* params of a call: [bin(size)]; the provider gets [0,id,name,[params, meta]] (or, from the
 * stand-ins, [0,id,name,params]) and answers with the params as they are. */

#include "stream.h"
#include "mp.h"

static char (*names)[24];
static void mk_names(void)
{
    if (names) return;
    int n = name_total();
    names = malloc((size_t)n * sizeof *names);
    if (!names) die("out of memory");
    for (int i = 0; i < n; i++) snprintf(names[i], sizeof *names, CHAPI_NAME_FMT, i);
}

/* Splits one message. type 0: a = method, body = params; type 1: body = result, err = is not nil. */
struct msg { uint32_t type; uint64_t id; const char *method; uint32_t mlen; const uint8_t *body; size_t blen; int err; };
static size_t split(const uint8_t *p, size_t len, struct msg *m)
{
    const uint8_t *e = p + len, *s = p;
    uint32_t n;
    uint64_t t;
    long u = mp_get_array(p, e, &n);
    if (!u) return 0;
    if (u < 0 || (n != 4 && n != 3)) die("not a MessagePack-RPC message (byte %02x)", *p);
    p += u;
    if ((u = mp_get_uint(p, e, &t)) <= 0) { if (u < 0) die("message type"); return 0; }
    p += u;
    m->type = (uint32_t)t;
    if (n == 3) {                                    /* a notification: skip the rest */
        for (int i = 0; i < 2; i++) { if ((u = mp_skip(p, e)) <= 0) return 0; p += u; }
        return (size_t)(p - s);
    }
    if ((u = mp_get_uint(p, e, &m->id)) <= 0) { if (u < 0) die("message id"); return 0; }
    p += u;
    if (m->type == 0) {
        if ((u = mp_get_str(p, e, &m->method, &m->mlen)) <= 0) { if (u < 0) die("method"); return 0; }
    } else {
        if ((u = mp_skip(p, e)) <= 0) return 0;
        m->err = *p != 0xc0;
    }
    p += u;
    if ((u = mp_skip(p, e)) <= 0) { if (u < 0) die("body"); return 0; }
    m->body = p; m->blen = (size_t)u;
    return (size_t)(p + u - s);
}

/* One blocking request on a fresh connection; answers other than to `id` are ignored. */
static int rpc(int fd, const uint8_t *req, size_t n, uint32_t id, int want_ok)
{
    uint8_t in[65536];
    size_t have = 0;
    if (write_full(fd, req, n)) return -1;
    for (;;) {
        ssize_t r = read(fd, in + have, sizeof in - have);
        if (r <= 0) return -1;
        have += (size_t)r;
        struct msg m = { 0 };
        size_t off = 0, u;
        while (off < have && (u = split(in + off, have - off, &m))) {
            if (m.type == 1 && m.id == id) return want_ok && m.err ? -1 : 0;
            off += u;
        }
        memmove(in, in + off, have - off);
        have -= off;
    }
}

static int open_any(int idx)
{
    uint8_t b[64], *q = b;
    (void)idx;
    int fd = unix_connect(cfg.addr);
    if (fd < 0) return -1;
    q = mp_array(q, 4); q = mp_uint(q, 0); q = mp_uint(q, 1); q = mp_str(q, CHAPI_PROBE); q = mp_array(q, 0);
    if (rpc(fd, b, (size_t)(q - b), 1, 0)) { close(fd); return -1; }
    return fd;
}
static int open_caller(int idx) { mk_names(); (void)idx; return unix_connect(cfg.addr); }
static int open_provider(int idx)
{
    static uint8_t b[64 + CHAPI_REG_CHUNK * 48];
    mk_names();
    int fd = unix_connect(cfg.addr), n = name_total();
    uint32_t id = 0;
    if (fd < 0) return -1;
    for (int i = idx; i < n;) {
        int left = (n - i + cfg.providers - 1) / cfg.providers, k = left < CHAPI_REG_CHUNK ? left : CHAPI_REG_CHUNK;
        uint8_t *q = b;
        q = mp_array(q, 4); q = mp_uint(q, 0); q = mp_uint(q, ++id); q = mp_str(q, CHAPI_REGISTER);
        q = mp_array(q, (uint32_t)k);
        for (; k--; i += cfg.providers) {
            if (*CHAPI_NAME_KEY) { *q++ = 0x81; q = mp_str(q, CHAPI_NAME_KEY); }
            q = mp_str(q, names[i]);
        }
        if (rpc(fd, b, (size_t)(q - b), id, 1)) die("register was refused");
    }
    return fd;
}
static void enc_call(struct buf *out, uint32_t id, int name, const uint8_t *pl, size_t n)
{
    buf_need(out, n + 96);
    uint8_t *s = buf_tail(out), *q = s;
    q = mp_array(q, 4); q = mp_uint(q, 0); q = mp_uint(q, id);
    if (*CHAPI_CALL) { q = mp_str(q, CHAPI_CALL); q = mp_array(q, 2); }
    q = mp_str(q, names[name]);
    q = mp_array(q, 1);
    q = mp_bin_head(q, (uint32_t)n);
    memcpy(q, pl, n);
    out->len += (size_t)(q + n - s);
}
static size_t serve(const uint8_t *p, size_t len, struct buf *out)
{
    struct msg m = { 0 };
    size_t u = split(p, len, &m);
    if (!u || m.type != 0) return u;
    const uint8_t *body = m.body;
    size_t blen = m.blen;
    if (body[0] == 0x92) {                           /* [params, meta] */
        long k = mp_skip(body + 1, body + blen);
        if (k <= 0) die("params");
        body++; blen = (size_t)k;
    }
    buf_need(out, blen + 16);
    uint8_t *s = buf_tail(out), *q = s;
    q = mp_array(q, 4); q = mp_uint(q, 1);
    if (m.id >> 32) { *q++ = 0xcf; for (int i = 56; i >= 0; i -= 8) *q++ = (uint8_t)(m.id >> i); }
    else q = mp_uint(q, (uint32_t)m.id);
    *q++ = 0xc0;
    memcpy(q, body, blen);
    out->len += (size_t)(q + blen - s);
    return u;
}
static size_t dec_reply(const uint8_t *p, size_t len, uint32_t *id, const uint8_t **pl, size_t *n, struct buf *out)
{
    struct msg m = { 0 };
    size_t u = split(p, len, &m);
    (void)out;
    *id = ID_NONE;
    if (!u || m.type != 1) return u;
    *id = (uint32_t)m.id;
    *pl = NULL;
    const uint8_t *b = m.body;
    if (!m.err && m.blen > 3 && b[0] == 0x91 && b[1] >= 0xc4 && b[1] <= 0xc6) {
        int h = 1 << (b[1] - 0xc4);
        *n = mp_be(b + 2, h);
        *pl = b + 2 + h;
        if (*n + 2 + (size_t)h != m.blen) *pl = NULL;
    }
    return u;
}
static const struct codec K = { open_caller, open_provider, open_any, enc_call, serve, dec_reply };
static void provider(int i) { stream_provider(&K, i); }
static void caller(int i) { stream_caller(&K, i); }
static void idle(int n) { stream_idle(&K, n); }
static int probe(void) { int fd = open_any(0); if (fd < 0) return -1; close(fd); return 0; }
const struct transport T = { provider, caller, idle, probe, 0 };
