/* SPDX-License-Identifier: MIT */
/* dbus_wire.h - hand-packed D-Bus: connect, one blocking call, message walk. Little endian only. */
#ifndef DBUS_WIRE_H
#define DBUS_WIRE_H
#include "stream.h"

static inline size_t al(size_t n, size_t a) { return (n + a - 1) & ~(a - 1); }
struct dw { uint8_t *p; size_t n; };                       /* writer, p = start of message */
static inline void dw_pad(struct dw *w, size_t a) { while (w->n % a) w->p[w->n++] = 0; }
static inline void dw_u32(struct dw *w, uint32_t v) { dw_pad(w, 4); memcpy(w->p + w->n, &v, 4); w->n += 4; }
static inline void dw_strn(struct dw *w, const char *s, size_t l)
{
    dw_u32(w, (uint32_t)l);
    memcpy(w->p + w->n, s, l);
    w->n += l;
    w->p[w->n++] = 0;
}
static inline void dw_field(struct dw *w, uint8_t code, char type, const char *s, size_t l)
{
    dw_pad(w, 8);
    w->p[w->n++] = code; w->p[w->n++] = 1; w->p[w->n++] = (uint8_t)type; w->p[w->n++] = 0;
    if (type == 'g') { w->p[w->n++] = (uint8_t)l; memcpy(w->p + w->n, s, l); w->n += l; w->p[w->n++] = 0; }
    else dw_strn(w, s, l);
}
static inline void dw_head(struct dw *w, uint8_t type, uint32_t body, uint32_t serial)
{
    uint8_t h[4] = { 'l', type, 0, 1 };
    memcpy(w->p, h, 4);
    w->n = 4;
    dw_u32(w, body); dw_u32(w, serial); dw_u32(w, 0);      /* fields length: patched in dw_end */
}
static inline void dw_end(struct dw *w)
{
    uint32_t l = (uint32_t)(w->n - 16);
    memcpy(w->p + 12, &l, 4);
    dw_pad(w, 8);
}
struct dmsg { uint8_t type; uint32_t serial, reply_serial, blen; const char *sender; uint32_t slen; const uint8_t *body; };
static inline size_t dbus_parse(const uint8_t *p, size_t len, struct dmsg *m)
{
    uint32_t body, fl, v;
    if (len < 16) return 0;
    if (p[0] != 'l') die("big-endian or broken D-Bus message");
    memcpy(&body, p + 4, 4);
    memcpy(&fl, p + 12, 4);
    size_t hdr = al(16 + (size_t)fl, 8), tot = hdr + body, i = 16;
    if (len < tot) return 0;
    m->type = p[1];
    memcpy(&m->serial, p + 8, 4);
    m->reply_serial = 0; m->sender = NULL; m->slen = 0;
    while (i < 16 + (size_t)fl) {
        i = al(i, 8);
        uint8_t code = p[i], sl = p[i + 1];
        char t = (char)p[i + 2];
        i += 2 + (size_t)sl + 1;
        if (t == 'g') { i += (size_t)p[i] + 2; continue; }
        i = al(i, 4);
        memcpy(&v, p + i, 4);
        i += 4;
        if (t == 'u' || t == 'h') { if (code == 5) m->reply_serial = v; continue; }
        if (code == 7) { m->sender = (const char *)p + i; m->slen = v; }
        i += (size_t)v + 1;
    }
    m->body = p + hdr; m->blen = body;
    return tot;
}
int dbus_open(void);                                       /* authenticated, Hello done; -1 on failure */
int dbus_request_name(int fd, const char *name, uint32_t serial);
#endif
