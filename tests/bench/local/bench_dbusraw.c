/* SPDX-License-Identifier: MIT */
/* bench_dbusraw.c - D-Bus through hand-packed clients, so that the broker and not the client
 * library is what is measured.  Method call org.bench.Echo.Echo(ay) -> ay to a well-known name. */
#define _GNU_SOURCE
#include "dbus_wire.h"

static int open_caller(int i) { (void)i; return dbus_open(); }
static int open_provider(int idx)
{
    char n[64];
    int fd = dbus_open();
    uint32_t s = 2;
    if (fd < 0) return -1;
    for (int i = idx; i < name_total(); i += cfg.providers) {
        snprintf(n, sizeof n, "org.bench.e%d", i);
        if (dbus_request_name(fd, n, s++)) die("RequestName %s refused", n);
    }
    return fd;
}
static void enc_call(struct buf *out, uint32_t id, int name, const uint8_t *pl, size_t n)
{
    char d[64];
    size_t dl = (size_t)snprintf(d, sizeof d, "org.bench.e%d", name);
    buf_need(out, n + 256 + 8);
    /* alignment is relative to the start of the message */
    struct dw w = { buf_tail(out), 0 };
    dw_head(&w, 1, (uint32_t)n + 4, id);
    dw_field(&w, 1, 'o', "/e", 2);
    dw_field(&w, 2, 's', "org.bench.Echo", 14);
    dw_field(&w, 3, 's', "Echo", 4);
    dw_field(&w, 6, 's', d, dl);
    dw_field(&w, 8, 'g', "ay", 2);
    dw_end(&w);
    dw_u32(&w, (uint32_t)n);
    memcpy(w.p + w.n, pl, n);
    out->len += w.n + n;
}
static uint32_t myserial = 100000;
static size_t serve(const uint8_t *p, size_t len, struct buf *out)
{
    struct dmsg m;
    size_t u = dbus_parse(p, len, &m);
    if (!u || m.type != 1 || !m.sender) return u;
    buf_need(out, m.blen + 256 + 8);
    struct dw w = { buf_tail(out), 0 };
    dw_head(&w, 2, m.blen, ++myserial);
    dw_pad(&w, 8);                                          /* REPLY_SERIAL u */
    w.p[w.n++] = 5; w.p[w.n++] = 1; w.p[w.n++] = 'u'; w.p[w.n++] = 0;
    dw_u32(&w, m.serial);
    dw_field(&w, 6, 's', m.sender, m.slen);
    dw_field(&w, 8, 'g', "ay", 2);
    dw_end(&w);
    memcpy(w.p + w.n, m.body, m.blen);
    out->len += w.n + m.blen;
    return u;
}
static size_t dec_reply(const uint8_t *p, size_t len, uint32_t *id, const uint8_t **pl, size_t *n, struct buf *out)
{
    struct dmsg m;
    size_t u = dbus_parse(p, len, &m);
    (void)out;
    *id = ID_NONE;
    if (!u || (m.type != 2 && m.type != 3)) return u;
    *id = m.reply_serial;
    *pl = m.type == 2 ? m.body + 4 : NULL;
    *n = m.blen - 4;
    return u;
}
static const struct codec K = { open_caller, open_provider, open_caller, enc_call, serve, dec_reply };
static void provider(int i) { stream_provider(&K, i); }
static void caller(int i) { stream_caller(&K, i); }
static void idle(int n) { stream_idle(&K, n); }
static int probe(void) { int fd = dbus_open(); if (fd < 0) return -1; close(fd); return 0; }
const struct transport T = { provider, caller, idle, probe, 0 };
