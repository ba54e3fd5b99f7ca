/* SPDX-License-Identifier: MIT */
/* dbus_broker_spawn.c - starts `dbus-broker` with no systemd and no launcher: this process
 * binds the socket, forks a child that is the controller (AddListener with an allow-all
 * policy over the controller socket), and itself becomes dbus-broker, so that its pid is
 * the broker's.   usage: dbus_broker_spawn SOCKET [BINARY] */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <systemd/sd-bus.h>

#define OK(x) do { int r_ = (x); if (r_ < 0) { fprintf(stderr, "%s: %s\n", #x, strerror(-r_)); exit(1); } } while (0)

/* The policy argument of AddListener (dbus-broker 33): per-user rule sets, per-group rule sets,
 * SELinux contexts, AppArmor flag, bus type.  A rule set: connect verdict and priority, then the
 * rules for owning names, for sending and for receiving. */
#define RULES  "(bta(btbs)a(btssssuutt)a(btssssuutt))"
#define POLICY "(a(u" RULES ")a(buu" RULES ")a(ss)bs)"

static void add_listener(sd_bus *b, int ls)
{
    sd_bus_message *m = NULL;
    const uint64_t one = 1, max = UINT64_MAX;
    OK(sd_bus_message_new_method_call(b, &m, NULL, "/org/bus1/DBus/Broker", "org.bus1.DBus.Broker", "AddListener"));
    OK(sd_bus_message_append(m, "ohv", "/org/bus1/DBus/Listener/0", ls, POLICY,
        1, (uint32_t)-1, 1, one,                                                /* one set, for every user: may connect, */
        1, 1, one, 1, "",                                                       /* own any name, */
        1, 1, one, "", "", "", "", 0, 0, (uint64_t)0, max,                      /* send anything, */
        1, 1, one, "", "", "", "", 0, 0, (uint64_t)0, max,                      /* receive anything */
        0, 0, 0, "session"));
    OK(sd_bus_call(b, m, 0, NULL, NULL));
    sd_bus_message_unref(m);
}

int main(int argc, char **argv)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int pair[2], ls;
    char num[16];
    if (argc < 2 || strlen(argv[1]) >= sizeof a.sun_path) return 2;
    strcpy(a.sun_path, argv[1]);
    unlink(argv[1]);
    ls = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ls < 0 || bind(ls, (struct sockaddr *)&a, sizeof a) || listen(ls, 1024)) { perror("listen"); return 1; }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair)) return 1;
    pid_t up = getpid(), p = fork();
    if (p < 0) return 1;
    if (p) {
        fcntl(pair[1], F_SETFD, 0);
        snprintf(num, sizeof num, "%d", pair[1]);
        const char *bin = argc > 2 ? argv[2] : "dbus-broker";
        execlp(bin, bin, "--controller", num, "--machine-id", "0123456789abcdef0123456789abcdef", "--max-matches", "1000000",
               "--max-objects", "10000000", "--max-bytes", "1000000000", "--max-fds", "100000", (char *)NULL);
        perror("dbus-broker");
        return 1;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != up) return 1;
    close(pair[1]);
    sd_bus *b = NULL;
    OK(sd_bus_new(&b));
    OK(sd_bus_set_fd(b, pair[0], pair[0]));
    OK(sd_bus_start(b));
    add_listener(b, ls);
    close(ls);
    for (;;) {                                                      /* the broker ends when its controller does */
        int r = sd_bus_process(b, NULL);
        if (r < 0) return 0;
        if (!r) sd_bus_wait(b, UINT64_MAX);
    }
}
