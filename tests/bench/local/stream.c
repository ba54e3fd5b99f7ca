/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "stream.h"
#include <poll.h>
#include <sys/socket.h>

#define RD (256 * 1024)

void buf_need(struct buf *b, size_t n)
{
    if (b->off + b->len + n <= b->cap) return;
    if (b->off && b->len + n <= b->cap) { memmove(b->p, b->p + b->off, b->len); b->off = 0; return; }
    size_t c = b->cap ? b->cap : 65536;
    while (c < b->len + n) c *= 2;
    uint8_t *q = malloc(c);
    if (!q) die("out of memory");
    if (b->len) memcpy(q, b->p + b->off, b->len);
    free(b->p);
    b->p = q; b->cap = c; b->off = 0;
}

int read_full(int fd, void *p, size_t n)
{
    uint8_t *q = p;
    while (n) { ssize_t r = read(fd, q, n); if (r <= 0) { if (r < 0 && errno == EINTR) continue; return -1; } q += r; n -= (size_t)r; }
    return 0;
}
int write_full(int fd, const void *p, size_t n)
{
    const uint8_t *q = p;
    while (n) { ssize_t r = write(fd, q, n); if (r <= 0) { if (r < 0 && errno == EINTR) continue; return -1; } q += r; n -= (size_t)r; }
    return 0;
}

static void flush_out(int fd, struct buf *o)
{
    while (o->len) {
        ssize_t r = send(fd, o->p + o->off, o->len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (r < 0) { if (errno == EINTR) continue; if (errno == EAGAIN) return; die("send: %s", strerror(errno)); }
        o->off += (size_t)r; o->len -= (size_t)r;
    }
    o->off = 0;
}

/* Reads some bytes; blocks when nothing waits to be sent. 0 = nothing read. */
static size_t fill_in(int fd, struct buf *in, struct buf *o)
{
    int fl = 0;
    if (o->len) {
        struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
        if (poll(&p, 1, -1) < 0 && errno != EINTR) die("poll");
        if (p.revents & POLLOUT) flush_out(fd, o);
        if (!(p.revents & (POLLIN | POLLHUP | POLLERR))) return 0;
        fl = MSG_DONTWAIT;
    }
    buf_need(in, RD);
    ssize_t r = recv(fd, buf_tail(in), RD, fl);
    if (r < 0) { if (errno == EINTR || errno == EAGAIN) return 0; die("recv: %s", strerror(errno)); }
    if (r == 0) die("connection closed by the router");
    in->len += (size_t)r;
    return (size_t)r;
}

void stream_caller(const struct codec *k, int idx)
{
    struct buf in = { 0 }, out = { 0 };
    struct cstat *c = &S->c[idx];
    struct slots *sl = &c->sl;
    uint8_t *pl = malloc(cfg.size);
    int fd = k->open_caller(idx);
    if (fd < 0 || !pl) die("caller %d: cannot open", idx);
    memset(pl, 'x', cfg.size);
    bench_ready(&S->ready_call);
    bench_wait();
    for (int i = 0; i < cfg.window; i++) {
        uint32_t id = slot_issue(sl, (unsigned)i);
        memcpy(pl, &id, 4);
        k->enc_call(&out, id, name_of(idx, sl->seq++), pl, cfg.size);
    }
    flush_out(fd, &out);
    while (!bench_stop()) {
        if (!fill_in(fd, &in, &out)) continue;
        for (;;) {
            uint32_t id, got;
            const uint8_t *rp;
            size_t rn, used = k->dec_reply(in.p + in.off, in.len, &id, &rp, &rn, &out);
            if (!used) break;
            if (id != ID_NONE) {
                int good = rp && rn == cfg.size;
                if (good) { memcpy(&got, rp, 4); good = got == id && rp[rn - 1] == 'x'; }
                int slot = slot_done(sl, c, id, good);
                if (slot >= 0) {
                    id = slot_issue(sl, (unsigned)slot);
                    memcpy(pl, &id, 4);
                    k->enc_call(&out, id, name_of(idx, sl->seq++), pl, cfg.size);
                }
            }
            in.off += used; in.len -= used;
        }
        if (!in.len) in.off = 0;
        flush_out(fd, &out);
    }
    pause();
}

void stream_provider(const struct codec *k, int idx)
{
    struct buf in = { 0 }, out = { 0 };
    int fd = k->open_provider(idx);
    if (fd < 0) die("provider %d: cannot open", idx);
    bench_ready(&S->ready_prov);
    for (;;) {
        if (!fill_in(fd, &in, &out)) continue;
        for (;;) {
            size_t used = k->serve(in.p + in.off, in.len, &out);
            if (!used) break;
            in.off += used; in.len -= used;
        }
        if (!in.len) in.off = 0;
        flush_out(fd, &out);
    }
}

void stream_idle(const struct codec *k, int n)
{
    for (int i = 0; i < n; i++)
        if (k->open_idle(i) < 0) die("idle connection %d failed: %s", i, strerror(errno));
    bench_ready(&S->ready_idle);
    for (;;) pause();
}
