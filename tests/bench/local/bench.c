/* SPDX-License-Identifier: MIT */
/* bench.c - harness: starts router, providers, callers; times; prints one JSON line.
 *
 * usage: bench_X --peer P --test T --addr A [--providers n] [--callers n]
 *        [--window n] [--size bytes] [--names n] [--idle n] [--warm s] [--secs s] [--log file]
 *        [--probe] [--syscalls] -- ROUTER ARGS...
 */
#define _GNU_SOURCE
#include "bench.h"
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

struct cfg cfg = { .peer = "?", .test = "?", .addr = "", .providers = 1, .callers = 1,
                   .window = 1, .names = 0, .idle = 0, .size = 64, .warm = 0.3, .secs = 1.5 };
struct shm *S;

#define MAXPROC 128
static pid_t kids[MAXPROC];
static int nkids;
static pid_t router = -1, parent;

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "bench[%s/%s]: ", cfg.peer, cfg.test);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    if (getpid() == parent) {
        for (int i = 0; i < nkids; i++) kill(kids[i], SIGKILL);
        if (router > 0) kill(router, SIGKILL);
    }
    _exit(1);
}

int unix_connect(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof a.sun_path) die("socket path too long");
    strcpy(a.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&a, sizeof a)) { close(fd); return -1; }
    return fd;
}

int tcp_connect(const char *hostport)
{
    char h[64];
    const char *c = strrchr(hostport, ':');
    if (!c || (size_t)(c - hostport) >= sizeof h) die("bad host:port %s", hostport);
    memcpy(h, hostport, (size_t)(c - hostport));
    h[c - hostport] = 0;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(c + 1)) };
    if (inet_pton(AF_INET, h, &a.sin_addr) != 1) die("bad address %s", h);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&a, sizeof a)) { close(fd); return -1; }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

void bench_ready(volatile int *ctr) { __sync_fetch_and_add(ctr, 1); }
void bench_wait(void)
{
    while (S->phase < PH_WARM) usleep(500);
}

/* CPU time of all threads of a process, ns. */
static uint64_t proc_cpu(pid_t pid)
{
    char p[64];
    uint64_t sum = 0;
    snprintf(p, sizeof p, "/proc/%d/task", (int)pid);
    DIR *d = opendir(p);
    if (!d) return 0;
    struct dirent *e;
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.') continue;
        char f[400];
        snprintf(f, sizeof f, "%s/%s/schedstat", p, e->d_name);
        FILE *fp = fopen(f, "r");
        unsigned long long v = 0;
        if (fp) { if (fscanf(fp, "%llu", &v) != 1) v = 0; fclose(fp); }
        sum += v;
    }
    closedir(d);
    return sum;
}

/* Voluntary + involuntary context switches of all threads. */
static uint64_t proc_csw(pid_t pid)
{
    char p[64], line[256];
    uint64_t sum = 0;
    snprintf(p, sizeof p, "/proc/%d/task", (int)pid);
    DIR *d = opendir(p);
    if (!d) return 0;
    struct dirent *e;
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.') continue;
        char f[400];
        snprintf(f, sizeof f, "%s/%s/status", p, e->d_name);
        FILE *fp = fopen(f, "r");
        if (!fp) continue;
        unsigned long long v;
        while (fgets(line, sizeof line, fp)) {
            char *q = strstr(line, "ctxt_switches:");
            if (q && sscanf(q + 14, "%llu", &v) == 1) sum += v;
        }
        fclose(fp);
    }
    closedir(d);
    return sum;
}

/* --syscalls: counts the system calls of all threads of the router (perf tracepoint). */
static int pfd[512], npfd;
static void syscalls_open(pid_t pid)
{
    const char *ids[] = { "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id", "/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id" };
    int id = -1;
    for (int i = 0; i < 2 && id < 0; i++) { FILE *f = fopen(ids[i], "r"); if (f) { if (fscanf(f, "%d", &id) != 1) id = -1; fclose(f); } }
    char p[64];
    snprintf(p, sizeof p, "/proc/%d/task", (int)pid);
    DIR *d = id < 0 ? NULL : opendir(p);
    struct dirent *e;
    while (d && (e = readdir(d)) && npfd < 512) {
        if (e->d_name[0] == '.') continue;
        struct perf_event_attr a = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof a, .config = (unsigned)id };
        int fd = (int)syscall(SYS_perf_event_open, &a, atoi(e->d_name), -1, -1, 0);
        if (fd >= 0) pfd[npfd++] = fd;
    }
    if (d) closedir(d);
}
static double syscalls_read(void)
{
    uint64_t s = 0, v;
    for (int i = 0; i < npfd; i++) if (read(pfd[i], &v, 8) == 8) s += v;
    return (double)s;
}

/* utime and stime of a process, clock ticks. */
static void proc_times(pid_t pid, unsigned long *u, unsigned long *k)
{
    char f[64], b[1024];
    *u = *k = 0;
    snprintf(f, sizeof f, "/proc/%d/stat", (int)pid);
    FILE *fp = fopen(f, "r");
    if (!fp) return;
    size_t n = fread(b, 1, sizeof b - 1, fp);
    b[n] = 0;
    fclose(fp);
    char *q = strrchr(b, ')');
    if (q) sscanf(q + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", u, k);
}

static long proc_status_kb(pid_t pid, const char *key)
{
    char f[64], line[256];
    long v = -1;
    snprintf(f, sizeof f, "/proc/%d/status", (int)pid);
    FILE *fp = fopen(f, "r");
    if (!fp) return -1;
    while (fgets(line, sizeof line, fp))
        if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':') v = atol(line + strlen(key) + 1);
    fclose(fp);
    return v;
}

/* CPU time of everything on the machine that is not ours (ns), and the fork counter:
 * a run beside somebody else's compile must be seen and repeated. */
static uint64_t foreign_busy(void)
{
    uint64_t sum = 0;
    DIR *d = opendir("/proc");
    struct dirent *e;
    if (!d) return 0;
    while ((e = readdir(d))) {
        pid_t p = (pid_t)atoi(e->d_name);
        if (p <= 0 || p == parent || p == router) continue;
        int own = 0;
        for (int i = 0; i < nkids && !own; i++) own = kids[i] == p;
        if (!own) sum += proc_cpu(p);
    }
    closedir(d);
    return sum;
}
static uint64_t fork_count(void)
{
    char line[4096];
    unsigned long long v = 0;
    FILE *fp = fopen("/proc/stat", "r");
    if (!fp) return 0;
    while (fgets(line, sizeof line, fp)) if (sscanf(line, "processes %llu", &v) == 1) break;
    fclose(fp);
    return v;
}

static void msleep(double s)
{
    struct timespec t = { (time_t)s, (long)((s - (double)(time_t)s) * 1e9) };
    nanosleep(&t, NULL);
}

static pid_t spawn(void (*fn)(int), int arg)
{
    fflush(NULL);
    pid_t p = fork();
    if (p < 0) die("fork: %s", strerror(errno));
    if (!p) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        fn(arg);
        _exit(0);
    }
    kids[nkids++] = p;
    return p;
}

static void wait_ready(volatile int *ctr, int want, const char *what, double limit)
{
    uint64_t end = now_ns() + (uint64_t)(limit * 1e9);
    while (*ctr < want) {
        int st;
        pid_t p = waitpid(-1, &st, WNOHANG);
        if (p > 0) die("a %s process ended before it was ready (pid %d%s, status %d)", what, (int)p, p == router ? ", the router" : "", st);
        if (now_ns() > end) die("timeout: %d of %d %s ready", *ctr, want, what);
        msleep(0.001);
    }
}

static uint64_t total_done(uint64_t *per)
{
    uint64_t s = 0;
    for (int i = 0; i < cfg.callers; i++) { uint64_t d = S->c[i].done; if (per) per[i] = d; s += d; }
    return s;
}

int main(int argc, char **argv)
{
    static const struct option lo[] = {
        { "peer", 1, 0, 'P' }, { "test", 1, 0, 'T' }, { "addr", 1, 0, 'a' }, { "providers", 1, 0, 'p' },
        { "callers", 1, 0, 'c' }, { "window", 1, 0, 'w' }, { "size", 1, 0, 's' }, { "names", 1, 0, 'n' },
        { "idle", 1, 0, 'i' }, { "warm", 1, 0, 'W' }, { "secs", 1, 0, 'S' }, { "probe", 0, 0, 'o' }, { "syscalls", 0, 0, 'y' },
        { "log", 1, 0, 'l' }, { 0, 0, 0, 0 } };
    int o, syscalls = 0;
    parent = getpid();
    while ((o = getopt_long(argc, argv, "+", lo, NULL)) >= 0) switch (o) {
        case 'P': cfg.peer = optarg; break;
        case 'T': cfg.test = optarg; break;
        case 'a': cfg.addr = optarg; break;
        case 'p': cfg.providers = atoi(optarg); break;
        case 'c': cfg.callers = atoi(optarg); break;
        case 'w': cfg.window = atoi(optarg); break;
        case 's': cfg.size = (size_t)atol(optarg); break;
        case 'n': cfg.names = atoi(optarg); break;
        case 'i': cfg.idle = atoi(optarg); break;
        case 'W': cfg.warm = atof(optarg); break;
        case 'S': cfg.secs = atof(optarg); break;
        case 'o': cfg.probe_only = 1; break;
        case 'y': syscalls = 1; break;
        case 'l': cfg.log = optarg; break;
        default: return 2;
    }
    if (cfg.callers < 1 || cfg.callers > MAX_CALLERS || cfg.window < 1 || cfg.window > MAX_WINDOW || cfg.size < 8 ||
        cfg.providers < 1 || cfg.providers > 64) die("bad arguments");
    char **rargv = argv + optind;
    S = mmap(NULL, sizeof *S, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (S == MAP_FAILED) die("mmap");
    signal(SIGPIPE, SIG_IGN);

    double startup_ms = -1;
    long rss0 = -1, anon0 = -1, rss_conn = -1, rss_run = -1;
    if (!T.no_router) {
        if (!rargv[0]) die("no router command");
        uint64_t t0 = now_ns();
        router = fork();
        if (router < 0) die("fork");
        if (!router) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            signal(SIGPIPE, SIG_DFL);
            int lg = open(cfg.log ? cfg.log : "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
            if (lg >= 0) { dup2(lg, 1); dup2(lg, 2); }
            execvp(rargv[0], rargv);
            _exit(127);
        }
        while (T.probe()) {
            int st;
            if (waitpid(router, &st, WNOHANG) == router) { router = -1; die("router exited at once, status %d", st); }
            if (now_ns() - t0 > 15000000000ull) die("router did not answer in 15 s");
            usleep(200);
        }
        startup_ms = (double)(now_ns() - t0) / 1e6;
        msleep(0.2);
        rss0 = proc_status_kb(router, "VmRSS");
        anon0 = proc_status_kb(router, "RssAnon");
    }
    if (cfg.probe_only && !cfg.idle) {
        printf("{\"peer\":\"%s\",\"test\":\"%s\",\"startup_ms\":%.3f,\"rss_kb\":%ld,\"anon_kb\":%ld}\n", cfg.peer, cfg.test, startup_ms, rss0, anon0);
        goto out;
    }
    if (cfg.idle) {
        spawn(T.idle, cfg.idle);
        wait_ready(&S->ready_idle, 1, "idle client", 60);
        msleep(0.3);
        rss_conn = proc_status_kb(router, "VmRSS");
        if (cfg.probe_only) {
            printf("{\"peer\":\"%s\",\"test\":\"%s\",\"startup_ms\":%.3f,\"rss_kb\":%ld,\"anon_kb\":%ld,\"idle\":%d,\"rss_conn_kb\":%ld}\n",
                   cfg.peer, cfg.test, startup_ms, rss0, anon0, cfg.idle, rss_conn);
            goto out;
        }
    }
    for (int i = 0; i < cfg.providers; i++) spawn(T.provider, i);
    wait_ready(&S->ready_prov, cfg.providers, "provider", 120);
    for (int i = 0; i < cfg.callers; i++) spawn(T.caller, i);
    wait_ready(&S->ready_call, cfg.callers, "caller", 120);

    uint64_t per0[MAX_CALLERS], per1[MAX_CALLERS], mid[MAX_CALLERS];
    S->phase = PH_WARM;
    msleep(cfg.warm);
    if (syscalls && router > 0) syscalls_open(router);
    S->phase = PH_RUN;
    double y0 = syscalls_read();
    uint64_t t0 = now_ns(), d0 = total_done(per0), r0 = router > 0 ? proc_cpu(router) : 0, b0 = foreign_busy(), own0 = r0, f0 = fork_count();
    unsigned long ut0 = 0, kt0 = 0, ut1 = 0, kt1 = 0;
    if (router > 0) proc_times(router, &ut0, &kt0);
    uint64_t s0 = router > 0 ? proc_csw(router) : 0;
    for (int i = 0; i < nkids; i++) own0 += proc_cpu(kids[i]);
    msleep(cfg.secs / 2);
    total_done(mid);
    msleep(cfg.secs / 2);
    uint64_t t1 = now_ns(), d1 = total_done(per1), r1 = router > 0 ? proc_cpu(router) : 0, own1 = r1;
    if (router > 0) proc_times(router, &ut1, &kt1);
    uint64_t s1 = router > 0 ? proc_csw(router) : 0;
    for (int i = 0; i < nkids; i++) own1 += proc_cpu(kids[i]);
    double y1 = syscalls_read();
    S->phase = PH_STOP;
    uint64_t b1 = foreign_busy(), f1 = fork_count();
    if (router > 0) rss_run = proc_status_kb(router, "VmRSS");

    int stalled = 0, lost = 0;                 /* lost: outstanding for 0.4 s and more at the end */
    for (int i = 0; i < cfg.callers; i++)
        for (int k = 0; k < cfg.window; k++)
            if (S->c[i].sl.id[k] && S->c[i].sl.t0[k] + 400000000u < t1) lost++;
    uint64_t bad = 0;
    static uint64_t h[HBUCKETS];
    uint64_t n = 0;
    for (int i = 0; i < cfg.callers; i++) {
        if (per1[i] == mid[i]) stalled++;
        bad += S->c[i].bad;
        for (int b = 0; b < HBUCKETS; b++) { h[b] += S->c[i].hist[b]; n += S->c[i].hist[b]; }
    }
    uint64_t p50 = 0, p99 = 0, acc = 0;
    for (int b = 0; b < HBUCKETS; b++) {
        acc += h[b];
        if (!p50 && acc * 2 >= n && n) p50 = hist_value((unsigned)b);
        if (!p99 && acc * 100 >= n * 99 && n) { p99 = hist_value((unsigned)b); break; }
    }
    double el = (double)(t1 - t0) / 1e9, calls = (double)(d1 - d0);
    double foreign = b1 > b0 ? (double)(b1 - b0) / 1e9 / el : 0.0;
    printf("{\"peer\":\"%s\",\"test\":\"%s\",\"callers\":%d,\"providers\":%d,\"window\":%d,\"size\":%zu,\"names\":%d,\"idle\":%d,"
           "\"calls_s\":%.0f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"mb_s\":%.2f,\"router_us\":%.3f,\"router_load\":%.3f,\"router_csw\":%.3f,\"router_sys\":%.2f,"
           "\"total_us\":%.3f,\"foreign_cpu\":%.3f,\"foreign_forks\":%llu,\"startup_ms\":%.3f,\"rss_kb\":%ld,\"anon_kb\":%ld,\"rss_conn_kb\":%ld,\"rss_run_kb\":%ld,"
           "\"syscalls\":%.2f,\"bad\":%llu,\"lost\":%d,\"stalled\":%d}\n",
           cfg.peer, cfg.test, cfg.callers, cfg.providers, cfg.window, cfg.size, cfg.names, cfg.idle,
           calls / el, (double)p50 / 1e3, (double)p99 / 1e3, calls / el * (double)cfg.size / 1e6,
           calls > 0 ? (double)(r1 - r0) / 1e3 / calls : 0.0, (double)(r1 - r0) / 1e9 / el, calls > 0 ? (double)(s1 - s0) / calls : 0.0,
           ut1 + kt1 > ut0 + kt0 ? (double)(kt1 - kt0) / (double)(ut1 + kt1 - ut0 - kt0) : 0.0,
           calls > 0 ? (double)(own1 - own0) / 1e3 / calls : 0.0, foreign, (unsigned long long)(f1 - f0), startup_ms, rss0, anon0, rss_conn, rss_run,
           npfd && calls > 0 ? (y1 - y0) / calls : -1.0, (unsigned long long)bad, lost, stalled);
out:
    fflush(stdout);
    for (int i = 0; i < nkids; i++) kill(kids[i], SIGKILL);
    for (int i = 0; i < nkids; i++) waitpid(kids[i], NULL, 0);
    if (router > 0) {
        kill(router, SIGTERM);
        for (int i = 0; i < 300; i++) { if (waitpid(router, NULL, WNOHANG) == router) { router = -1; break; } usleep(10000); }
        if (router > 0) { kill(router, SIGKILL); waitpid(router, NULL, 0); }
    }
    return 0;
}
