/* SPDX-License-Identifier: MIT */
/* bench.h - common harness of the local request/reply router benchmarks.
 *
 * One binary per peer: bench.c (main, processes, timing, statistics) plus one
 * transport file that defines `const struct transport T`.  The harness forks
 * and execs the router, forks the providers, the callers and (optionally) one
 * process that holds idle connections; all counters live in shared memory.
 */
#ifndef BENCH_H
#define BENCH_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>
#include <time.h>

#define MAX_CALLERS 128
#define HSUB 64                       /* sub-buckets per power of two: 1.6 % */
#define HBUCKETS (40 * HSUB)
#define MAX_WINDOW 1024               /* slot number fits in 10 bits */

enum { PH_INIT, PH_WARM, PH_RUN, PH_STOP };

struct cfg {
    const char *peer, *test, *addr, *log;    /* log: what the router prints, else nowhere */
    int providers, callers, window, names, idle;
    size_t size;
    double warm, secs;
    int probe_only;
};
extern struct cfg cfg;

/* Call slots: msgid = gen << 10 | slot, so a reply finds its slot at once. */
struct slots {
    uint64_t t0[MAX_WINDOW];
    uint32_t id[MAX_WINDOW];
    uint32_t gen;
    uint32_t seq;                     /* rotates the called name */
};

struct cstat {
    struct slots sl;                  /* in shared memory, so that lost calls can be counted */
    volatile uint64_t done;           /* completed calls, monotonic */
    volatile uint64_t bad;            /* wrong or error replies */
    uint32_t hist[HBUCKETS];          /* latency, filled only in PH_RUN */
    char pad[64];
};
struct shm {
    volatile int phase;
    volatile int ready_prov, ready_call, ready_idle;
    struct cstat c[MAX_CALLERS];
};
extern struct shm *S;

struct transport {
    void (*provider)(int idx);        /* registers, calls bench_ready(), serves; never returns */
    void (*caller)(int idx);          /* connects, bench_ready(), bench_wait(), pumps calls */
    void (*idle)(int n);              /* opens n connections, bench_ready(), pauses */
    int (*probe)(void);               /* one connect + handshake; 0 when the router answered */
    int no_router;                    /* direct: no router process */
};
extern const struct transport T;

static inline uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline unsigned hist_bucket(uint64_t v)
{
    if (v < HSUB) return (unsigned)v;
    int e = 63 - __builtin_clzll(v);                       /* >= 6 */
    unsigned b = (unsigned)(e - 5) * HSUB + (unsigned)((v >> (e - 6)) & (HSUB - 1));
    return b < HBUCKETS ? b : HBUCKETS - 1;
}
static inline uint64_t hist_value(unsigned b)
{
    if (b < HSUB) return b;
    int e = (int)(b / HSUB) + 5;
    return ((uint64_t)HSUB + b % HSUB) << (e - 6);
}

void bench_ready(volatile int *ctr);
void bench_wait(void);
static inline int bench_stop(void) { return S->phase >= PH_STOP; }

static inline uint32_t slot_issue(struct slots *s, unsigned slot)
{
    uint32_t id = ((++s->gen & 0xfffff) << 10) | slot;     /* 30 bits, never 0 */
    if (!id) id = ((++s->gen & 0xfffff) << 10) | slot;
    s->id[slot] = id;
    s->t0[slot] = now_ns();
    return id;
}
/* Accounts one reply; returns its slot, or -1 when the id is not outstanding. */
static inline int slot_done(struct slots *s, struct cstat *c, uint32_t id, int good)
{
    unsigned slot = id & (MAX_WINDOW - 1);
    if (s->id[slot] != id) { c->bad++; return -1; }
    s->id[slot] = 0;
    if (!good) c->bad++;
    if (S->phase == PH_RUN)
        c->hist[hist_bucket(now_ns() - s->t0[slot])]++;
    c->done++;
    return (int)slot;
}

/* The number of the name that call `seq` of caller `idx` goes to. */
static inline int name_total(void) { return cfg.names > cfg.providers ? cfg.names : cfg.providers; }
static inline int name_of(int idx, uint32_t seq)
{
    if (cfg.names <= cfg.providers) return idx % cfg.providers;
    return (int)(((uint64_t)idx * 1237 + (uint64_t)seq * 7919) % (uint64_t)cfg.names);
}

void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
int unix_connect(const char *path);   /* -1 on failure */
int tcp_connect(const char *hostport);
#endif
