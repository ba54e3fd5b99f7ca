/* SPDX-License-Identifier: MIT */
/* bench_relay.c - clients of relay / relay_ev / relay_bev, and with -DDIRECT the
 * ping-pong between caller and provider with no router between. */
#define _GNU_SOURCE
#include "stream.h"
#include "relay.h"
#include <sys/socket.h>
#include <sys/un.h>

static int hello(int idx)
{
    struct rhdr h = { 0, R_HELLO_PROVIDER, 0, (uint32_t)idx };
    int fd = unix_connect(cfg.addr);
    if (fd < 0) return -1;
    if (write_full(fd, &h, sizeof h) || read_full(fd, &h, sizeof h)) { close(fd); return -1; }
    return fd;
}
static int open_any(int idx) { (void)idx; return hello(-1); }

#ifdef DIRECT
static int open_caller(int idx)
{
    char p[100];
    snprintf(p, sizeof p, "%s.%d", cfg.addr, idx % cfg.providers);
    return unix_connect(p);
}
static int ls = -1;
static void provider_listen(int idx)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    snprintf(a.sun_path, sizeof a.sun_path, "%s.%d", cfg.addr, idx);
    unlink(a.sun_path);
    ls = socket(AF_UNIX, SOCK_STREAM, 0);
    if (ls < 0 || bind(ls, (struct sockaddr *)&a, sizeof a) || listen(ls, 8)) die("listen: %s", strerror(errno));
}
static int open_provider(int idx)
{
    provider_listen(idx);
    bench_ready(&S->ready_prov);
    return accept(ls, NULL, NULL);
}
#else
static int open_caller(int idx) { return open_any(idx); }
static int open_provider(int idx) { return hello(idx); }
#endif

static void enc_call(struct buf *out, uint32_t id, int name, const uint8_t *pl, size_t n)
{
    struct rhdr h = { (uint32_t)n, (uint32_t)(name % cfg.providers), 0, id };
    buf_put(out, &h, sizeof h);
    buf_put(out, pl, n);
}
static size_t serve(const uint8_t *p, size_t len, struct buf *out)
{
    struct rhdr h;
    if (len < sizeof h) return 0;
    memcpy(&h, p, sizeof h);
    if (len < sizeof h + h.len) return 0;
    h.to = R_REPLY | h.from;
    buf_put(out, &h, sizeof h);
    buf_put(out, p + sizeof h, h.len);
    return sizeof h + h.len;
}
static size_t dec_reply(const uint8_t *p, size_t len, uint32_t *id, const uint8_t **pl, size_t *n, struct buf *out)
{
    struct rhdr h;
    (void)out;
    if (len < sizeof h) return 0;
    memcpy(&h, p, sizeof h);
    if (len < sizeof h + h.len) return 0;
    *id = h.id; *pl = p + sizeof h; *n = h.len;
    return sizeof h + h.len;
}
static const struct codec K = { open_caller, open_provider, open_any, enc_call, serve, dec_reply };
static void provider(int i) { stream_provider(&K, i); }
static void caller(int i) { stream_caller(&K, i); }
static void idle(int n) { stream_idle(&K, n); }
static int probe(void) { int fd = hello(-1); if (fd < 0) return -1; close(fd); return 0; }
#ifdef DIRECT
const struct transport T = { provider, caller, idle, probe, 1 };
#else
const struct transport T = { provider, caller, idle, probe, 0 };
#endif
