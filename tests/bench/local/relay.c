/* SPDX-License-Identifier: MIT */
/* relay.c - the physical limit: forwards length-known frames, parses nothing but the
 * header, keeps no per-call state (the reply address travels in the frame). */
#include "router_core.h"
#include "relay.h"

static struct conn *prov[64];

static size_t on_frame(struct conn *c, uint8_t *p, size_t len)
{
    struct rhdr h;
    if (len < sizeof h) return 0;
    memcpy(&h, p, sizeof h);
    if (h.len > (16u << 20)) return (size_t)-1;
    if (len < sizeof h + h.len) return 0;
    struct conn *d;
    if (h.to == R_HELLO_PROVIDER) {
        if (h.id < 64) prov[h.id] = c;
        conn_put(c, &h, sizeof h);
        return sizeof h + h.len;
    }
    if (h.to & R_REPLY) d = (h.to & ~R_REPLY) < MAXFD ? conns[h.to & ~R_REPLY] : NULL;
    else d = h.to < 64 ? prov[h.to] : NULL;
    if (d) {
        h.from = (uint32_t)c->fd;
        conn_send2(d, &h, sizeof h, p + sizeof h, h.len);
    }
    return sizeof h + h.len;
}
static void on_close(struct conn *c)
{
    for (int i = 0; i < 64; i++) if (prov[i] == c) prov[i] = NULL;
}
int main(int argc, char **argv) { return router_main(argc, argv); }
