/* SPDX-License-Identifier: MIT */
/* router_core.h - the smallest single-threaded stream router loop, two event backends:
 * raw epoll (default) or libevent `struct event` with own buffers (-DUSE_LIBEVENT).
 * Policy: level-triggered; one recv of up to RD bytes per readiness; all whole frames
 * handled; output of every touched connection sent once per wake-up (batched), or after
 * each message with -n.  EPOLLOUT is armed only after a short write.
 * The including file defines  size_t on_frame(struct conn *c, uint8_t *p, size_t len)
 * (0 = incomplete, (size_t)-1 = drop the connection) and  void on_close(struct conn *c). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>
#ifdef USE_LIBEVENT
#include <event2/event.h>
#else
#include <sys/epoll.h>
#endif

#define RD 65536
#define MAXFD 20000

struct conn {
    int fd;
    uint8_t *in; size_t inlen, incap;          /* NULL between messages */
    uint8_t *out; size_t outoff, outlen, outcap;
    struct conn *dnext; int dirty, armed, dead;
#ifdef USE_LIBEVENT
    struct event *rev, *wev;
#endif
    void *user;
};
static struct conn *conns[MAXFD];
static struct conn *dirty;
static int naive;
static uint8_t rdbuf[2 * RD];                  /* shared read buffer: idle connections own none */
#ifndef USE_LIBEVENT
static int ep;
#else
static struct event_base *base;
#endif

static size_t on_frame(struct conn *c, uint8_t *p, size_t len);
static void on_close(struct conn *c);

static void arm(struct conn *c, int on)
{
    if (c->armed == on) return;
    c->armed = on;
#ifdef USE_LIBEVENT
    if (on) event_add(c->wev, NULL); else event_del(c->wev);
#else
    struct epoll_event e = { .events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = c };
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
#endif
}

static void conn_flush(struct conn *c)
{
    while (c->outlen) {
        ssize_t r = send(c->fd, c->out + c->outoff, c->outlen, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (r < 0) { if (errno == EINTR) continue; if (errno == EAGAIN) { arm(c, 1); return; } c->outlen = 0; break; }
        c->outoff += (size_t)r; c->outlen -= (size_t)r;
    }
    c->outoff = 0;
    if (c->outcap > 8 * RD) { free(c->out); c->out = NULL; c->outcap = 0; }
    arm(c, 0);
}

static uint8_t *conn_room(struct conn *c, size_t n)
{
    if (c->outoff + c->outlen + n > c->outcap) {
        if (c->outlen + n <= c->outcap) memmove(c->out, c->out + c->outoff, c->outlen);
        else {
            size_t cap = c->outcap ? c->outcap : 4096;
            while (cap < c->outlen + n) cap *= 2;
            uint8_t *q = malloc(cap);
            if (!q) abort();
            if (c->outlen) memcpy(q, c->out + c->outoff, c->outlen);
            free(c->out);
            c->out = q; c->outcap = cap;
        }
        c->outoff = 0;
    }
    if (!c->dirty) { c->dirty = 1; c->dnext = dirty; dirty = c; }
    return c->out + c->outoff + c->outlen;
}
static void conn_put(struct conn *c, const void *p, size_t n) { memcpy(conn_room(c, n), p, n); c->outlen += n; }
/* Header + body; a large body goes straight from the read buffer when nothing is queued. */
static void conn_send2(struct conn *c, const void *h, size_t hn, const uint8_t *b, size_t bn)
{
    if (bn >= 16384 && !c->outlen) {
        struct iovec v[2] = { { (void *)h, hn }, { (void *)b, bn } };
        struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
        ssize_t r = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (r == (ssize_t)(hn + bn)) return;
        size_t d = r > 0 ? (size_t)r : 0;
        if (d < hn) { conn_put(c, (const uint8_t *)h + d, hn - d); d = hn; }
        conn_put(c, b + (d - hn), bn - (d - hn));
        return;
    }
    uint8_t *o = conn_room(c, hn + bn);
    memcpy(o, h, hn);
    memcpy(o + hn, b, bn);
    c->outlen += hn + bn;
    if (naive) conn_flush(c);
}
static void flush_dirty(void)
{
    while (dirty) { struct conn *c = dirty; dirty = c->dnext; c->dirty = 0; if (!c->dead && !c->armed) conn_flush(c); }
}

static void conn_free(struct conn *c)
{
    flush_dirty();
    on_close(c);
    conns[c->fd] = NULL;
#ifdef USE_LIBEVENT
    event_free(c->rev); event_free(c->wev);
#endif
    close(c->fd);
    free(c->in); free(c->out); free(c);
}

static void conn_readable(struct conn *c)
{
    uint8_t *b = rdbuf;
    size_t have = 0, cap = sizeof rdbuf;
    if (c->inlen) {                            /* a partial frame is kept in its own buffer */
        if (c->incap < c->inlen + RD) {
            size_t cap2 = c->incap ? c->incap : RD;
            while (cap2 < c->inlen + RD) cap2 *= 2;
            c->in = realloc(c->in, cap2); c->incap = cap2;
            if (!c->in) abort();
        }
        b = c->in; have = c->inlen; cap = c->incap;
    }
    ssize_t r = recv(c->fd, b + have, cap - have, MSG_DONTWAIT);
    if (r < 0) { if (errno == EAGAIN || errno == EINTR) return; r = 0; }
    if (r == 0) { conn_free(c); return; }
    have += (size_t)r;
    size_t off = 0;
    while (off < have) {
        size_t u = on_frame(c, b + off, have - off);
        if (u == (size_t)-1) { conn_free(c); return; }
        if (!u) break;
        off += u;
    }
    size_t rest = have - off;
    if (!rest) { c->inlen = 0; if (c->incap > 4 * RD) { free(c->in); c->in = NULL; c->incap = 0; } return; }
    if (b == c->in) { if (off) memmove(c->in, c->in + off, rest); }
    else {
        if (c->incap < rest) { c->in = realloc(c->in, rest + RD); c->incap = rest + RD; if (!c->in) abort(); }
        memcpy(c->in, b + off, rest);
    }
    c->inlen = rest;
}

#ifdef USE_LIBEVENT
static void ev_read(evutil_socket_t fd, short w, void *a) { (void)fd; (void)w; conn_readable(a); }
static void ev_write(evutil_socket_t fd, short w, void *a) { (void)fd; (void)w; conn_flush(a); }
#endif
static void accept_one(int ls)
{
    int fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (fd >= MAXFD) { close(fd); return; }
    struct conn *c = calloc(1, sizeof *c);
    if (!c) abort();
    c->fd = fd;
    conns[fd] = c;
#ifdef USE_LIBEVENT
    c->rev = event_new(base, fd, EV_READ | EV_PERSIST, ev_read, c);
    c->wev = event_new(base, fd, EV_WRITE | EV_PERSIST, ev_write, c);
    event_add(c->rev, NULL);
#else
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
#endif
}
#ifdef USE_LIBEVENT
static void ev_accept(evutil_socket_t fd, short w, void *a) { (void)w; (void)a; accept_one(fd); }
#endif

static int router_main(int argc, char **argv)
{
    int i = 1;
    if (argc > i && !strcmp(argv[i], "-n")) { naive = 1; i++; }
    if (argc <= i) { fprintf(stderr, "usage: %s [-n] socket\n", argv[0]); return 2; }
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    if (strlen(argv[i]) >= sizeof a.sun_path) return 2;
    strcpy(a.sun_path, argv[i]);
    unlink(argv[i]);
    int ls = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ls < 0 || bind(ls, (struct sockaddr *)&a, sizeof a) || listen(ls, 1024)) { perror("listen"); return 1; }
#ifdef USE_LIBEVENT
    base = event_base_new();
    event_add(event_new(base, ls, EV_READ | EV_PERSIST, ev_accept, NULL), NULL);
    for (;;) { event_base_loop(base, EVLOOP_ONCE); flush_dirty(); }   /* one flush per wake-up */
#else
    struct epoll_event ev[256], e = { .events = EPOLLIN, .data.ptr = NULL };
    ep = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
    for (;;) {
        int n = epoll_wait(ep, ev, 256, -1);
        for (int j = 0; j < n; j++) {
            struct conn *c = ev[j].data.ptr;
            if (!c) { accept_one(ls); continue; }
            if (ev[j].events & EPOLLOUT) conn_flush(c);
            if (ev[j].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) conn_readable(c);
        }
        flush_dirty();
    }
#endif
    return 0;
}
